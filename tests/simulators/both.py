"""A simulated Plex and a simulated Trakt side by side, and a person who approves the logins at both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from cwsync.model import Item
from simulators.plex import Plex
from simulators.plexcloud import Cloud
from simulators.plexfill import Shelf
from simulators.plextv import PlexTv
from simulators.trakt import Trakt
from simulators.trakt_account import table
from support.httpserver import Server
from support.logins import approving

ACCOUNTS = """\
[accounts.plex]
plex_tv_url = "{plex_tv_url}"
discover_url = "{discover_url}"
metadata_url = "{metadata_url}"
staleness = "0s"
"""


class PlexAt(Plex):
    """A Plex at four ports: the media server, plex.tv, discover and metadata."""

    def __init__(self, ports: Iterable[int]) -> None:
        super().__init__()
        for server in self.servers:
            server.close()
        self.pms, self.tv, self.discover, self.metadata = (Server(port=port) for port in ports)
        self.cloud, self.accounts = Cloud(self), PlexTv(self)
        self._routes()


class Both:
    """The two services. `shelf` puts titles into the libraries of the one user of the Plex (`owner`).

    `ports` are those of the media server, plex.tv, the two hosts of its cloud, and of Trakt; 0 is any free one.
    """

    def __init__(self, ports: Iterable[int] = (0, 0, 0, 0, 0)) -> None:
        *four, fifth = ports
        self.plex = PlexAt(four)
        self.trakt = Trakt(port=fifth)
        self.trakt.interval_s = 1
        self.shelf = Shelf(self.plex)
        self.owner = self.plex.world.owner
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self.plex)
        self._open.enter_context(self.trakt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    @property
    def servers(self) -> tuple[Server, ...]:
        """All five."""
        return (*self.plex.servers, self.trakt)

    def accounts(self) -> str:
        """The accounts of a ``pairs.toml`` for these two. The secret of the application is in a file beside it."""
        return ACCOUNTS.format(**self.plex.options()) + table(self.trakt)

    def know(self, items: Iterable[Item]) -> None:
        """Have these titles in the libraries of the one and in the catalogue of the other."""
        for item in items:
            self.shelf.put(item)
            self.trakt.titles.add(item)

    def calls(self) -> list[str]:
        """What was asked of all of them since the last look."""
        asked = [call for server in self.servers for call in server.calls()]
        for server in self.servers:
            server.forget()
        return asked

    def approve(self) -> list[str]:
        """Let in everyone who waits for a person now. Gives the names of the services."""
        plex = [number for number, pin in list(self.plex.accounts.pins.items()) if pin["authToken"] is None]
        for number in plex:
            self.plex.accounts.approve(self.owner, number)
        trakt = [device for device in list(self.trakt.devices.values()) if device.state == 400]
        for device in trakt:
            device.state = 200
        return ["Plex"] * len(plex) + ["Trakt"] * len(trakt)

    @contextmanager
    def person(self, told: Callable[[str], None] = lambda _: None) -> Iterator[None]:
        """Somebody who approves every login at once, and says so."""

        def approve() -> None:
            for name in self.approve():
                told(name)

        with approving(approve):
            yield
