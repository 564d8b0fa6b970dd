"""TMDb keeps the provider contract, over real HTTP to the simulated service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from contract.suite import Account, ProviderContract
from cwsync.model import AccountSpec, Entry, Feature, Item, Kind
from cwsync.provider import Provider, Services
from cwsync.providers.tmdb import Tmdb
from simulators import tmdb as simulated
from simulators.tmdb_titles import Titles
from support import world
from support.httpserver import html

MADE = world.item


def known(kind: Kind, n: int) -> Item:
    """A title of the tests as TMDb names it: its lists tell no ids but TMDb's own."""
    made = MADE(kind, n)
    shows = tuple(one for one in made.show_ids if one.service == "tmdb")
    return replace(made, ids=tuple(one for one in made.ids if one.service == "tmdb"), show_ids=shows)


def catalogue() -> Titles:
    """The titles of the tests."""
    titles = Titles()
    for number in range(1, 201):
        for kind in Kind:
            titles.add(MADE(kind, number))
    return titles


KNOWN = catalogue()


class Login(Account):
    """A login at a service that knows the titles of the tests."""

    def __init__(self) -> None:
        self.service = simulated.Tmdb(titles=KNOWN)
        self.service.__enter__()
        self.session = self.service.login()
        self.secrets = (self.session, simulated.TOKEN)

    def connect(self, feature: Feature) -> Provider:
        secrets = {"token": simulated.TOKEN, "session_id": self.session}
        return Tmdb(AccountSpec("login", "tmdb", {"api_url": self.service.url}), Services(secret=secrets.get))

    def seed(self, feature: Feature, entries: Sequence[Entry]) -> None:
        self.service.put(feature, entries)

    def break_reads(self, feature: Feature) -> None:
        self.service.fault(html(200), method="GET", path="/(watchlist|rated)/", times=None)

    def close(self) -> None:
        self.service.__exit__(None, None, None)


class TestTmdb(ProviderContract):
    provider = Tmdb

    def make(self, tmp_path: Path) -> Account:
        return Login()

    @pytest.fixture(autouse=True)
    def named_by_tmdb(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(world, "item", known)
