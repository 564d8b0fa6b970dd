"""Trakt keeps the provider contract, over real HTTP to the simulated service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contract.suite import Account, ProviderContract
from cwsync.model import AccountSpec, Entry, Feature, Kind
from cwsync.provider import Provider, Services
from cwsync.providers.trakt import Trakt
from simulators import trakt as simulated
from simulators.trakt_titles import Titles
from support import world
from support.httpserver import html


def catalogue() -> Titles:
    """The titles of the tests."""
    titles = Titles()
    for number in range(1, 201):
        for kind in Kind:
            titles.add(world.item(kind, number))
    return titles


KNOWN = catalogue()


class Login(Account):
    """A login at a service that knows the titles of the tests."""

    def __init__(self) -> None:
        self.service = simulated.Trakt(titles=KNOWN)
        self.service.__enter__()
        self.service.user.limits |= {"watchlist": 5000}
        self.token = str(self.service.login()["access_token"])
        self.secrets = (self.token, simulated.CLIENT_SECRET)

    def connect(self, feature: Feature) -> Provider:
        options = {
            "client_id": simulated.CLIENT_ID,
            "api_url": self.service.url,
            "auth_url": self.service.url,
            "write_spacing_ms": 0,
        }
        secrets = {"access_token": self.token, "client_secret": simulated.CLIENT_SECRET}
        return Trakt(AccountSpec("login", "trakt", options), Services(secret=secrets.get))

    def seed(self, feature: Feature, entries: Sequence[Entry]) -> None:
        self.service.put(feature, entries)

    def break_reads(self, feature: Feature) -> None:
        self.service.fault(html(200), method="GET", path="^/sync/", times=None)

    def close(self) -> None:
        self.service.__exit__(None, None, None)


class TestTrakt(ProviderContract):
    provider = Trakt

    def make(self, tmp_path: Path) -> Account:
        return Login()
