"""Jellyfin keeps the provider contract, against the simulated one over real HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contract.suite import Account, ProviderContract
from cwsync.model import Entry, Feature, Kind
from cwsync.provider import Provider
from cwsync.providers.jellyfin import Jellyfin as Real
from simulators.jellyfin import Jellyfin
from simulators.mediabrowserfill import Shelf
from support import world
from support.httpserver import html
from support.mediahome import provider


class Server(Account):
    """A server that has every title which the suite may want to add."""

    def __init__(self) -> None:
        self.server = Jellyfin().__enter__()
        self.shelf = Shelf(self.server)
        self.user = self.server.world.owner
        self.secrets = (self.server.key,)
        self.shelf.put(*(world.item(kind, n) for n in range(1, 101) for kind in (Kind.EPISODE, Kind.MOVIE)))
        self.shelf.put(*(world.item(kind, n) for n in range(1, 31) for kind in Kind))

    def connect(self, feature: Feature) -> Provider:
        return provider(self.server)

    def seed(self, feature: Feature, entries: Sequence[Entry]) -> None:
        self.shelf.clear(self.user)
        self.shelf.hold(self.user, entries)

    def break_reads(self, feature: Feature) -> None:
        self.server.fault(html(), path="/Items", times=None)

    def close(self) -> None:
        self.server.__exit__(None, None, None)


class TestJellyfin(ProviderContract):
    provider = Real

    def make(self, tmp_path: Path) -> Account:
        return Server()
