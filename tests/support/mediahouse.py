"""A simulated media server with films and episodes, a tracker beside it, and the real command between the two."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cwsync.model import Entry, Feature, Item, Kind
from simulators.mediabrowser import MediaBrowser
from simulators.mediabrowserfill import Shelf
from simulators.plex import Plex
from simulators.plexfill import Shelf as PlexShelf
from support import rows, world
from support.backup import backup
from support.httpserver import Server
from support.shell import Shell

ALL = ("history", "ratings", "progress", "watchlist")
NOTHING = dict.fromkeys(ALL, (0, 0, 0))


class MediaHouse(ABC):
    """The server, its owner, and a pair with a tracker that is called `save`."""

    # What differs from server to server.
    server: Server
    shelf: Any
    user: Any

    def __init__(self, folder: Path, titles: int) -> None:
        self.folder = folder
        numbers = range(1, titles + 1)
        self.shelf.put(*(world.item(kind, n) for kind in (Kind.MOVIE, Kind.EPISODE) for n in numbers))

    # --- the pair -------------------------------------------------------------------------------

    @abstractmethod
    def account(self) -> tuple[dict[str, object], str]:
        """The options of the account, and its token."""

    def shell(
        self,
        mode: str = "one-way",
        features: Sequence[str] = ALL,
        more: str = "",
        rules: str = "",
        *,
        guards: str = "",
        back: bool = False,
    ) -> Shell:
        """A shell in which the server is the source of the pair, and the tracker its target; or the way `back`."""
        options, token = self.account()
        lines = ["[accounts.home]", *(f'{name} = "{text}"' for name, text in options.items())]
        lines += ['token = { env = "MEDIA_TOKEN" }', more if "staleness" in more else f'staleness = "0s"\n{more}']
        tables = dict.fromkeys(features, rules) | ({"guards": guards} if guards else {})
        made = backup(self.folder, "\n".join(lines), tables, mode, back=back)
        made.environ["MEDIA_TOKEN"] = token
        return made

    # --- what the owner does, and holds -----------------------------------------------------------

    def hold(self, feature: Feature, *numbers: int, n: int = 0, kind: Kind = Kind.MOVIE) -> None:
        """Have the owner hold something of some titles."""
        entries = [Entry(world.item(kind, number), world.value(feature, n)) for number in numbers]
        self.shelf.hold(self.user, entries)

    def held(self, feature: Feature) -> dict[str, object]:
        """What the owner holds, by title."""
        states: dict[str, object] = self.shelf.states(feature, self.user)
        return states

    def row(self, item: Item) -> Any:
        """The row of a title."""
        return self.shelf.row(item)

    def fill(self) -> None:
        """Something of everything."""
        self.hold(Feature.HISTORY, 1, 2, 3)
        self.hold(Feature.HISTORY, 1, 2, kind=Kind.EPISODE)
        self.hold(Feature.RATINGS, 1, 4)
        self.hold(Feature.RATINGS, 1, kind=Kind.SHOW)
        self.hold(Feature.PROGRESS, 7)
        self.hold(Feature.WATCHLIST, 9, 10)

    @abstractmethod
    def watch(self, number: int) -> None:
        """Have the owner watch a film now."""

    @abstractmethod
    def unwatch(self, number: int) -> None:
        """Have the owner take the mark off a film."""

    @abstractmethod
    def rate(self, number: int, stars: float) -> None:
        """Have the owner rate a film."""

    # --- what was asked -------------------------------------------------------------------------

    @abstractmethod
    def forget(self) -> None:
        """Count from here."""

    @abstractmethod
    def writes(self) -> list[str]:
        """What was written since the last `forget`."""


class House(MediaHouse):
    """A Jellyfin or an Emby."""

    server: MediaBrowser

    def __init__(self, server: MediaBrowser, folder: Path, *, titles: int = 20) -> None:
        self.server = server
        self.user, self.shelf = server.world.owner, Shelf(server)
        super().__init__(folder, titles)

    def account(self) -> tuple[dict[str, object], str]:
        return self.server.options(provider="emby" if self.server.dialect.emby else "jellyfin"), self.server.key

    def watch(self, number: int) -> None:
        self.server.world.mark(self.user, self.row(world.movie(number)))

    def unwatch(self, number: int) -> None:
        self.server.world.unmark(self.user, self.row(world.movie(number)))

    def rate(self, number: int, stars: float) -> None:
        self.server.world.state(self.user, self.row(world.movie(number))).rating = stars

    def forget(self) -> None:
        self.server.forget()

    def writes(self) -> list[str]:
        return [call for call in self.server.calls() if not call.startswith("GET ")]


class PlexHouse(MediaHouse):
    """A Plex; `server` is its media server."""

    def __init__(self, plex: Plex, folder: Path, *, titles: int = 20) -> None:
        self.plex, self.server = plex, plex.pms
        self.user, self.shelf = plex.world.owner, PlexShelf(plex)
        super().__init__(folder, titles)

    def account(self) -> tuple[dict[str, object], str]:
        return self.plex.options(provider="plex"), self.user.token

    def watch(self, number: int) -> None:
        self.plex.world.play(self.user, self.row(world.movie(number)))

    def unwatch(self, number: int) -> None:
        self.plex.world.unscrobble(self.user, self.row(world.movie(number)))

    def rate(self, number: int, stars: float) -> None:
        self.plex.world.rate(self.user, self.row(world.movie(number)), stars)

    def forget(self) -> None:
        self.plex.forget()

    def writes(self) -> list[str]:
        return [call for call in self.server.calls() if "/:/" in call]


def row(number: int, **more: object) -> dict[str, object]:
    """A film as the tracker has it."""
    return rows.row(world.movie(number), **more)


def watched(*numbers: int) -> list[dict[str, object]]:
    """Films as the tracker has them, watched long ago."""
    return [row(number, watched_at="2020-01-01T00:00:00Z") for number in numbers]
