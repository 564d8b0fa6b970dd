"""TMDb keeps the provider contract, over real HTTP to the simulated service."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from contract.services import Login, knowing
from contract.suite import Account, ProviderContract
from cwsync.model import AccountSpec, Feature, Item, Kind
from cwsync.provider import Provider, Services
from cwsync.providers.tmdb import Tmdb
from simulators import tmdb as simulated
from simulators.tmdb_titles import Titles
from support import world

MADE = world.item
KNOWN = knowing(Titles())


def known(kind: Kind, n: int) -> Item:
    """A title of the tests as TMDb names it: its lists tell no ids but TMDb's own."""
    made = world.only(MADE(kind, n), "tmdb")
    return replace(made, show_ids=tuple(one for one in made.show_ids if one.service == "tmdb"))


class AtTmdb(Login[simulated.Tmdb]):
    """A login at a service that knows the titles of the tests."""

    reads = "/(watchlist|rated)/"

    def __init__(self) -> None:
        super().__init__(simulated.Tmdb(titles=KNOWN))
        self.session = self.service.login()
        self.secrets = (self.session, simulated.TOKEN)

    def connect(self, feature: Feature) -> Provider:
        secrets = {"token": simulated.TOKEN, "session_id": self.session}
        return Tmdb(AccountSpec("login", "tmdb", {"api_url": self.service.url}), Services(secret=secrets.get))


class TestTmdb(ProviderContract):
    provider = Tmdb

    def make(self, tmp_path: Path) -> Account:
        return AtTmdb()

    @pytest.fixture(autouse=True)
    def named_by_tmdb(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(world, "item", known)
