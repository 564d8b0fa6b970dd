"""What a Plex server and Plex's cloud hold: titles, users, and what each user did with each title.

Pure state without HTTP. Times are epoch seconds, durations and positions milliseconds, as on the wire.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

MOVIE, SHOW, SEASON, EPISODE = 1, 2, 3, 4
TYPES = {MOVIE: "movie", SHOW: "show", SEASON: "season", EPISODE: "episode"}
# A player that stops behind this part of a title has watched it (the server's own default).
PLAYED_PERCENT = 90
BORN = 1_600_000_000


def hexed(*parts: object) -> str:
    """24 hexadecimal digits that always stand for the same thing."""
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()[:24]


@dataclass
class Title:
    """One row of a library. `guids` are the ids of the row itself; `parent` is its season or show."""

    key: int
    type: int
    section: int
    title: str
    guid: str
    guids: tuple[str, ...] = ()
    year: int | None = None
    parent: Title | None = None
    index: int | None = None
    duration_ms: int = 6_000_000
    added_at: int = BORN
    edition: str | None = None
    aired: str | None = None
    flat: bool = False
    deleted_at: int | None = None
    children: list[Title] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The type as it is written: ``movie``."""
        return TYPES[self.type]

    @property
    def show(self) -> Title:
        """The show of a season or an episode."""
        return self if self.parent is None else self.parent.show

    def leaves(self) -> list[Title]:
        """What can be played: itself, or its episodes."""
        if self.type in (MOVIE, EPISODE):
            return [self]
        return [leaf for child in self.children for leaf in child.leaves()]


@dataclass
class State:
    """What one user did with one title."""

    views: int = 0
    viewed_at: int | None = None
    offset: int = 0
    rating: float | None = None
    rated_at: int | None = None


@dataclass
class User:
    """An account at plex.tv, and its token for the server (the owner's is the same)."""

    id: int
    name: str
    token: str
    server_token: str
    pin: str | None = None
    managed: bool = False
    admin: bool = False
    states: dict[str, State] = field(default_factory=dict)
    watchlist: dict[str, int | None] = field(default_factory=dict)

    @property
    def uuid(self) -> str:
        """16 hexadecimal digits."""
        return hexed("user", self.id)[:16]


@dataclass
class Section:
    """A library of the server."""

    key: int
    title: str
    type: int
    agent: str
    hidden: int = 0


@dataclass
class Catalogued:
    """A title of the cloud's catalogue; `known` is False for one that was withdrawn."""

    hex: str
    type: int
    title: str
    year: int | None
    guids: tuple[str, ...]
    known: bool = True


class World:
    """Everything behind the simulated addresses. `now` is the server's clock in seconds.

    Rows with one primary guid share what a user did with them (`shared_states`). With `tidy` a film
    that is watched leaves the watchlist.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = lambda: int(now())
        self.machine_id = hexed("machine") + hexed("machine too")[:16]
        self.sections: dict[int, Section] = {}
        self.titles: dict[int, Title] = {}
        self.by_type: dict[tuple[int, int], list[Title]] = {}
        self.catalogue: dict[str, Catalogued] = {}
        self.users: list[User] = []
        self.plays: list[tuple[int, int, int]] = []  # (account of the server, time, key)
        self.shared_states = True
        self.tidy = True
        self._next = 1
        self.owner = self.add_user("Owner", admin=True)

    # --- making it ------------------------------------------------------------------------------

    def add_user(self, name: str, *, pin: str | None = None, managed: bool = False, admin: bool = False) -> User:
        """A user of the home, with tokens of their own."""
        number = len(self.users) + 1
        token = f"account-token-of-{name.lower()}-{number}"
        server = token if admin else f"server-token-of-{name.lower()}-{number}"
        user = User(10_000_000 + number, name, token, server, pin, managed, admin)
        self.users.append(user)
        return user

    def add_section(self, title: str, kind: int, agent: str | None = None) -> Section:
        """A library of films (1) or shows (2)."""
        key = len(self.sections) + 1
        modern = "tv.plex.agents.movie" if kind == MOVIE else "tv.plex.agents.series"
        section = self.sections[key] = Section(key, title, kind, agent or modern)
        return section

    def add(
        self,
        section: Section,
        kind: int,
        title: str,
        *,
        guids: tuple[str, ...] = (),
        guid: str | None = None,
        parent: Title | None = None,
        **more: Any,
    ) -> Title:
        """A row of a library. Without `guid` it is one of the new agents, known to the cloud."""
        key = self._next
        self._next += 1
        guid = guid or f"plex://{TYPES[kind]}/{hexed(kind, title, *guids, parent and parent.key)}"
        row = Title(key, kind, section.key, title, guid, guids, parent=parent, added_at=BORN + key, **more)
        self.titles[key] = row
        self.by_type.setdefault((section.key, kind), []).append(row)
        if row.parent is not None:
            row.parent.children.append(row)
        if guid.startswith("plex://") and kind in (MOVIE, SHOW):
            self.know(guid.rpartition("/")[2], kind, title, row.year, guids)
        return row

    def know(self, name: str, kind: int, title: str, year: int | None, guids: Iterable[str]) -> Catalogued:
        """A title of the cloud, in a library or not."""
        return self.catalogue.setdefault(name, Catalogued(name, kind, title, year, tuple(guids)))

    def remove(self, row: Title) -> None:
        """Take a row, and all below it, out of its library. What users did with it stays, as on the real one."""
        for child in list(row.children):
            self.remove(child)
        del self.titles[row.key]
        self.by_type[row.section, row.type].remove(row)
        if row.parent is not None:
            row.parent.children.remove(row)

    # --- users ----------------------------------------------------------------------------------

    def state(self, user: User, row: Title) -> State:
        """What a user did with a row."""
        name = row.guid if self.shared_states and "://" in row.guid else str(row.key)
        return user.states.setdefault(name, State())

    def views(self, user: User, row: Title) -> int:
        """How often a user saw all of a row: of a show or season the episodes that were seen."""
        if row.type in (MOVIE, EPISODE):
            return self.state(user, row).views
        return sum(bool(self.state(user, leaf).views) for leaf in row.leaves())

    def scrobble(self, user: User, row: Title) -> None:
        """Mark as watched, once more each time. Leaves no row in the history."""
        for leaf in row.leaves():
            state = self.state(user, leaf)
            state.views, state.offset, state.viewed_at = state.views + 1, 0, self.now()
        if self.tidy and row.type == MOVIE:
            user.watchlist.pop(row.guid.rpartition("/")[2], None)

    def unscrobble(self, user: User, row: Title) -> None:
        """Mark as never watched."""
        for leaf in row.leaves():
            state = self.state(user, leaf)
            state.views, state.offset, state.viewed_at = 0, 0, None

    def rate(self, user: User, row: Title, rating: float, at: int | None = None) -> None:
        """Rate; -1 takes the rating away."""
        state = self.state(user, row)
        state.rating, state.rated_at = (None, None) if rating == -1 else (rating, at or self.now())

    def stop_at(self, user: User, row: Title, ms: int, duration_ms: int) -> None:
        """What a player tells when it stops; behind 90 % that is a play."""
        state = self.state(user, row)
        if ms * 100 >= duration_ms * PLAYED_PERCENT:
            self.scrobble(user, row)
        else:
            state.offset, state.viewed_at = ms, self.now()

    def play(self, user: User, row: Title, at: int | None = None) -> None:
        """A real playback to the end: the only thing that makes a row of the history."""
        self.scrobble(user, row)
        self.state(user, row).viewed_at = at or self.now()
        self.plays.append((1 if user.admin else user.id, at or self.now(), row.key))
