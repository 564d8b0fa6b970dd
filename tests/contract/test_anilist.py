"""AniList keeps the provider contract, over real HTTP to the simulated service, which executes its schema.

The titles of the suite have ids that AniList does not know; here they have those that it knows, and an
episode is the first of its series: AniList counts from there on.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.services import Login
from contract.suite import Account, ProviderContract
from cwsync.model import AccountSpec, Feature, Kind
from cwsync.provider import Provider, Services
from cwsync.providers.anilist import AniList
from simulators import anilist as simulated
from simulators.anilist_account import item
from support import world
from support.httpserver import html


class AtAniList(Login[simulated.AniList]):
    """A login at a service that knows the titles of the tests."""

    def __init__(self) -> None:
        super().__init__(simulated.AniList())
        self.service.limit = 1_000_000
        self.token = self.service.login()
        self.secrets = (self.token,)
        for number in range(1, 201):
            for kind in (Kind.MOVIE, Kind.SHOW):
                self.service.world.know(item(kind, number))

    def connect(self, feature: Feature) -> Provider:
        options = {"api_url": self.service.url, "rate_unlisted": "completed"}
        return AniList(AccountSpec("login", "anilist", options), Services(secret={"access_token": self.token}.get))

    def break_reads(self, feature: Feature) -> None:
        self.service.fault(simulated.asking("MediaListCollection", html()), times=None)


class TestAniList(ProviderContract):
    provider = AniList

    @pytest.fixture(autouse=True)
    def titles(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(world, "item", item)

    def make(self, tmp_path: Path) -> Account:
        return AtAniList()
