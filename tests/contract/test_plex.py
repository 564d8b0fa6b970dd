"""Plex keeps the provider contract, against the simulated one over real HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contract.suite import Account, ProviderContract
from cwsync.model import Entry, Feature, Kind
from cwsync.provider import Provider
from cwsync.providers.plex import Plex as Real
from simulators.plex import Plex
from simulators.plexfill import Shelf
from support import world
from support.httpserver import html
from support.plexhome import provider


class Server(Account):
    """A server that has every title which the suite may want to add."""

    def __init__(self, folder: Path) -> None:
        self.plex = Plex().__enter__()
        self.shelf = Shelf(self.plex)
        self.user = self.plex.world.owner
        self.secrets = (self.user.token,)
        self.folder = folder
        self.shelf.put(*(world.item(Kind.EPISODE, n) for n in range(1, 101)))
        self.shelf.put(*(world.item(kind, n) for n in range(1, 31) for kind in Kind))

    def connect(self, feature: Feature) -> Provider:
        return provider(self.plex, cache=self.folder / "cache")

    def seed(self, feature: Feature, entries: Sequence[Entry]) -> None:
        self.shelf.clear(self.user)
        self.shelf.hold(self.user, entries)

    def break_reads(self, feature: Feature) -> None:
        self.plex.pms.fault(html(), path="/library", times=None)
        self.plex.discover.fault(html(), times=None)

    def close(self) -> None:
        self.plex.__exit__(None, None, None)


class TestPlex(ProviderContract):
    provider = Real

    def make(self, tmp_path: Path) -> Account:
        return Server(tmp_path)
