"""SIMKL keeps the provider contract, over real HTTP to the simulated service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contract.suite import Account, ProviderContract
from cwsync.model import Entry, Feature, Kind
from cwsync.provider import Provider
from cwsync.providers.simkl import Simkl
from simulators import simkl as simulated
from simulators.simkl_account import connected, logged_in
from simulators.simkl_titles import Titles
from support import world
from support.httpserver import html


def catalogue() -> Titles:
    """The titles of the tests."""
    titles = Titles()
    for number in range(1, 201):
        for kind in (Kind.MOVIE, Kind.SHOW, Kind.EPISODE):
            titles.add(world.item(kind, number))
    return titles


KNOWN = catalogue()


class Login(Account):
    """A login at a service that knows the titles of the tests, and a folder that keeps what was read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "cache"
        self.service = simulated.Simkl(titles=KNOWN)
        self.service.quota = 10_000
        self.service.__enter__()
        self.keeper = logged_in(self.service)
        tokens = self.keeper.tokens
        self.secrets = () if tokens is None else tuple(tokens.secrets.values())

    def connect(self, feature: Feature) -> Provider:
        return connected(self.service, keeper=self.keeper, folder=self.folder)

    def seed(self, feature: Feature, entries: Sequence[Entry]) -> None:
        self.service.put(feature, entries)

    def break_reads(self, feature: Feature) -> None:
        self.service.fault(html(200), method="GET", path="^/sync/", times=None)

    def close(self) -> None:
        self.service.__exit__(None, None, None)


class TestSimkl(ProviderContract):
    provider = Simkl

    def make(self, tmp_path: Path) -> Account:
        return Login(tmp_path)
