"""A simulated Jellyfin or Emby as the contract wants it: it has every title that the suite may want to add."""

from __future__ import annotations

from collections.abc import Sequence

from contract.suite import Account
from cwsync.model import Entry, Feature, Kind
from cwsync.provider import Provider
from simulators.mediabrowser import MediaBrowser
from simulators.mediabrowserfill import Shelf
from support import world
from support.httpserver import html
from support.mediahome import provider


class Owner(Account):
    """Who owns the server, by its key."""

    def __init__(self, server: MediaBrowser) -> None:
        self.server = server.__enter__()
        self.shelf = Shelf(server)
        self.user = server.world.owner
        self.secrets = (server.key,)
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
