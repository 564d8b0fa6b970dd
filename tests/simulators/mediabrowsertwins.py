"""A Jellyfin and an Emby side by side, and a large library that they share, for counting and measuring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from cwsync.model import Entry, Feature, Item
from simulators.emby import Emby
from simulators.jellyfin import Jellyfin
from simulators.mediabrowser import MediaBrowser
from simulators.mediabrowserfill import TICKS_PER_MS, Shelf
from simulators.mediabrowserworld import SECOND
from support import world

ACCOUNT = """\
[accounts.{name}]
url = "{url}"
user = "{user}"
token = {{ file = "{name}.secret" }}
staleness = "0s"
"""
JELLYFIN, EMBY = 0, 1


class Twins:
    """The two servers. `shelves` put titles into the libraries of each.

    With `bare` every third title of the Jellyfin has no ids. `ports`: 0 is any free one.
    """

    def __init__(self, *, bare: bool = False, ports: Sequence[int] = (0, 0)) -> None:
        self.jellyfin, self.emby = Jellyfin(port=ports[0]), Emby(port=ports[1])
        self.servers: tuple[MediaBrowser, MediaBrowser] = (self.jellyfin, self.emby)
        self.shelves = Shelf(self.jellyfin, bare=bare), Shelf(self.emby)

    def __enter__(self) -> Self:
        for server in self.servers:
            server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self.servers:
            server.__exit__(kind, error, trace)

    def know(self, items: Iterable[Item]) -> None:
        """Have these titles in the libraries of both."""
        for item in items:
            for shelf in self.shelves:
                shelf.row(item)

    def accounts(self) -> str:
        """The accounts of a ``pairs.toml`` for both; the keys (`secrets`) are in files beside it."""
        names = zip(("jellyfin", "emby"), self.servers, strict=True)
        return "\n".join(
            ACCOUNT.format(name=name, url=one.url, user=one.world.owner.name) for name, one in names
        )  # fmt: skip

    def secrets(self) -> dict[str, str]:
        """What those files hold, by their names."""
        return {"jellyfin.secret": self.jellyfin.key, "emby.secret": self.emby.key}

    def counts(self) -> dict[str, int]:
        """How many requests came to each since the last look."""
        found = {"jellyfin": len(self.jellyfin.log), "emby": len(self.emby.log)}
        for server in self.servers:
            server.forget()
        return found


class Shared:
    """A library of both. Half of it is watched at the Jellyfin, one film in forty of the rest is begun.

    The Emby has nine in ten of that, and as much as a fiftieth of it that the Jellyfin has not. The servers
    keep their pages while nothing changes.
    """

    def __init__(self, twins: Twins, films: int, shows: int, episodes: int) -> None:
        self.twins = twins
        for server in twins.servers:
            server.caching = True
        self.films = films
        self.turn = 0
        self.items = [world.movie(n) for n in range(1, films + 1)]
        self.items += [world.episode(n, 1, e) for n in range(1, shows + 1) for e in range(1, episodes + 1)]
        twins.know(self.items)
        seen = self.items[: films // 2] + [item for item in self.items[films:] if (item.number or 0) <= episodes // 2]
        rest = self.items[films // 2 : films]
        self._hold(Feature.HISTORY, seen, rest[: len(seen) // 50])
        self._hold(Feature.PROGRESS, rest[-(films // 80) :], [])

    def _hold(self, feature: Feature, here: Sequence[Item], there: Sequence[Item]) -> None:
        def entry(number: int, item: Item) -> Entry:
            when = world.at(number / 100)
            stopped = world.stopped(20 + number % 50, 100, when)
            return Entry(item, world.played(when) if feature is Feature.HISTORY else stopped)

        first, second = self.twins.shelves
        first.hold(self.twins.jellyfin.world.owner, (entry(*one) for one in enumerate(here)))
        most = [entry(number, item) for number, item in enumerate(here) if number % 10]
        second.hold(self.twins.emby.world.owner, [*most, *(entry(number, item) for number, item in enumerate(there))])

    def change(self, count: int) -> None:
        """Play films that nobody has seen, and begin others: a quarter of `count` each, at either server."""
        quarter = count // 4
        last = self.films - self.films // 80 - self.turn * 4 * quarter
        self.turn += 1
        for number, item in enumerate(self.items[last - 4 * quarter : last]):
            side = (JELLYFIN, EMBY)[number % 2]
            server, row = self.twins.servers[side], self.twins.shelves[side].row(item)
            user, moment = server.world.owner, server.world.ticks() - number * 60 * SECOND
            if number < 2 * quarter:
                server.world.play(user, row, moment)
            else:
                server.world.start(user, row, moment)
                server.world.stop(user, row, 20 * 60_000 * TICKS_PER_MS)
