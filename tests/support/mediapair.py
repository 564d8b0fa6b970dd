"""Two services, simulated, with the same titles, and the real command to keep them in step: for any two of four."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from cwsync.model import Entry, Feature, Item, Position, Value
from simulators.emby import Emby
from simulators.jellyfin import Jellyfin
from simulators.mediabrowser import MediaBrowser
from simulators.mediabrowserfill import Shelf
from simulators.plex import Plex
from simulators.plexfill import Shelf as PlexShelf
from simulators.trakt import CLIENT_SECRET, Trakt
from simulators.trakt_account import logged_in, table
from support import world
from support.house import REMOVES, PairHouse
from support.httpserver import Server
from support.shell import Shell

FILMS, EPISODES = range(1, 31), range(1, 7)
PAIR = """
[pairs.both]
source = "{source}"
target = "{target}"
mode = "{mode}"
match = "{match}"
{features}
"""


class Side(Protocol):
    """One of the two: a service, and somebody who has an account there."""

    name: str
    environ: dict[str, str]

    def text(self) -> str:
        """The account in ``pairs.toml``."""
        ...

    def servers(self) -> Sequence[Server]:
        """Where it is."""
        ...

    def know(self, item: Item) -> None:
        """Have a title there."""
        ...

    def hold(self, feature: Feature, entries: Iterable[Entry]) -> None:
        """Have them hold these records."""
        ...

    def held(self, feature: Feature) -> dict[str, object]:
        """What they hold, by title."""
        ...


class Media:
    """A Jellyfin or an Emby. `bare`: every third title has no ids; `more` are lines for the account."""

    def __init__(self, server: MediaBrowser, *, bare: bool = False, more: str = "", staleness: str = "0s") -> None:
        self.server, self.more, self.staleness = server, more, staleness
        self.name = "emby" if isinstance(server, Emby) else "jellyfin"
        self.user, self.shelf = server.world.owner, Shelf(server, bare=bare)
        self.environ = {f"{self.name.upper()}_TOKEN": server.key}

    def text(self) -> str:
        (variable,) = self.environ
        lines = [
            f"[accounts.{self.name}]",
            f'url = "{self.server.url}"',
            'user = "Owner"',
            f'token = {{ env = "{variable}" }}',
            f'staleness = "{self.staleness}"',
        ]
        return "\n".join([*lines, self.more, ""])

    def servers(self) -> Sequence[Server]:
        return [self.server]

    def know(self, item: Item) -> None:
        self.shelf.put(item)

    def hold(self, feature: Feature, entries: Iterable[Entry]) -> None:
        self.shelf.hold(self.user, entries)
        self.server.world.version += 1

    def held(self, feature: Feature) -> dict[str, object]:
        return self.shelf.states(feature, self.user)

    def row(self, item: Item) -> Any:
        """The row of a title."""
        return self.shelf.row(item)

    def state(self, item: Item) -> Any:
        """What the user did with a title, for looking."""
        return self.server.world.peek(self.user, self.row(item))

    def unmark(self, *items: Item) -> None:
        """Have the user mark titles as never played."""
        for item in items:
            self.server.world.unmark(self.user, self.row(item))


class PlexSide:
    """A Plex, whose address and token stand in the file."""

    name = "plex"

    def __init__(self, plex: Plex) -> None:
        self.plex, self.user, self.shelf = plex, plex.world.owner, PlexShelf(plex)
        self.environ = {"PLEX_TOKEN": self.user.server_token}

    def text(self) -> str:
        lines = [f'{key} = "{value}"' for key, value in self.plex.options().items()]
        lines += ['token = { env = "PLEX_TOKEN" }', 'staleness = "0s"']
        return "\n".join(["[accounts.plex]", *lines, ""])

    def servers(self) -> Sequence[Server]:
        return self.plex.servers

    def know(self, item: Item) -> None:
        self.shelf.put(item)

    def hold(self, feature: Feature, entries: Iterable[Entry]) -> None:
        self.shelf.hold(self.user, entries)

    def held(self, feature: Feature) -> dict[str, object]:
        return self.shelf.states(feature, self.user)

    def row(self, item: Item) -> Any:
        """The row of a title."""
        return self.shelf.row(item)


class TraktSide:
    """An account at Trakt, logged in."""

    name = "trakt"

    def __init__(self, trakt: Trakt) -> None:
        self.trakt = trakt
        self.environ = {"TRAKT_SECRET": CLIENT_SECRET}

    def text(self) -> str:
        return table(self.trakt, '{ env = "TRAKT_SECRET" }')

    def log_in(self, state: Path) -> None:
        """As `cwsync auth login` leaves it."""
        logged_in(self.trakt, "trakt").leave(state)

    def servers(self) -> Sequence[Server]:
        return [self.trakt]

    def know(self, item: Item) -> None:
        self.trakt.titles.add(item)

    def hold(self, feature: Feature, entries: Iterable[Entry]) -> None:
        self.trakt.put(feature, list(entries))

    def held(self, feature: Feature) -> dict[str, object]:
        user = self.trakt.user
        if feature is Feature.HISTORY:
            return {str(one.title.name): True for one in list(user.history.values())}
        return {str(one.title.name): one.value for one in list(user.ratings.values())}


class House(PairHouse):
    """Somebody with an account at each of two services, both of which know thirty films and six episodes.

    The pair is called `both`. It removes, and looks only once before it does, unless there are other `rules`.
    """

    def __init__(
        self,
        source: Side,
        target: Side,
        folder: Path,
        mode: str = "two-way",
        features: Sequence[str] = ("history",),
        match: str = "ids",
        rules: str = REMOVES,
    ) -> None:
        # What there is besides `Side` depends on the service.
        self.source: Any = source
        self.target: Any = target
        self.sides: tuple[Any, Any] = (source, target)
        tables = "\n".join(f"[pairs.both.{name}]\n{rules}" for name in features)
        pair = PAIR.format(source=source.name, target=target.name, mode=mode, match=match, features=tables)
        self.shell = Shell(folder, f"{source.text()}\n{target.text()}\n{pair}")
        for side in self.sides:
            self.shell.environ |= side.environ
            if isinstance(side, TraktSide):
                side.log_in(self.shell.state)
        for item in [*films(*FILMS), *episodes(*EPISODES)]:
            for side in self.sides:
                side.know(item)

    # --- running --------------------------------------------------------------------------------

    def still(self, runs: int = 10, code: int = 0) -> None:
        """So many runs on a world where nothing happens: they plan nothing and write nothing."""
        self.calls()
        for number in range(runs):
            pair = self.run(code=code)
            assert not pair["changes"], (number, pair["changes"])
        assert not writes(self.calls())

    def calls(self) -> list[str]:
        """What was asked of both since the last look."""
        asked = [call for side in self.sides for server in side.servers() for call in server.calls()]
        for side in self.sides:
            for server in side.servers():
                server.forget()
        return asked

    def secrets(self) -> Iterable[str]:
        return [secret for side in self.sides for secret in side.environ.values()]

    # --- both sides -----------------------------------------------------------------------------

    def hold(self, side: Side, feature: Feature, *items: Item, n: int = 0) -> None:
        """Have somebody hold something of these titles on one side. Another `n` is another value."""
        side.hold(feature, [Entry(item, value(feature, n)) for item in items])

    def held(self, feature: Feature) -> tuple[dict[str, object], dict[str, object]]:
        """What is held on both sides, by title."""
        return self.source.held(feature), self.target.held(feature)

    def seen(self) -> tuple[set[str], set[str]]:
        """The titles that are watched on both sides."""
        here, there = self.held(Feature.HISTORY)
        return set(here), set(there)


@contextmanager
def services(
    one: str, other: str, *, bare: bool = False, staleness: str = "0s", now: Callable[[], float] | None = None
) -> Iterator[tuple[Any, Any]]:
    """A service of each kind, as a side. A `bare` Jellyfin lacks ids; `now` is the clock of media servers."""
    with ExitStack() as stack:
        made: list[Side] = []
        for kind in (one, other):
            if kind == "plex":
                made.append(PlexSide(stack.enter_context(Plex())))
            elif kind == "trakt":
                made.append(TraktSide(stack.enter_context(Trakt())))
            else:
                server = stack.enter_context(Jellyfin(now=now) if kind == "jellyfin" else Emby(now=now))
                made.append(Media(server, bare=bare and kind == "jellyfin", staleness=staleness))
        yield made[0], made[1]


def writes(calls: Iterable[str]) -> list[str]:
    """Those of some requests that change something: at Plex some of them are GET."""
    return [call for call in calls if not call.startswith("GET ") or "scrobble" in call or "/:/" in call]


def value(feature: Feature, n: int = 0) -> Value:
    """Some value of a feature."""
    made = world.value(feature, n)
    return replace(made, ms=made.ms, duration_ms=6_000_000) if isinstance(made, Position) else made


def films(*numbers: int) -> list[Item]:
    """Films by their numbers."""
    return [world.movie(number) for number in numbers]


def episodes(*numbers: int) -> list[Item]:
    """Episodes of the first season of one show."""
    return [world.episode(1, 1, number) for number in numbers]


def names(*numbers: int) -> set[str]:
    """The titles of films."""
    return {f"Film {number}" for number in numbers}
