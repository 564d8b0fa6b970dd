"""Titles, libraries and users of a simulated Jellyfin or Emby, and moments as their wire has them.

Times of plays and positions are ticks of 100 ns, as on the wire: times since 1970.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

MOVIE, SERIES, SEASON, EPISODE, BOXSET, PLAYLIST = "Movie", "Series", "Season", "Episode", "BoxSet", "Playlist"
LEAVES = (MOVIE, EPISODE)
SECOND = 10_000_000
BORN = 1_600_000_000
PASSWORD = "owner's password"  # noqa: S105 - of nobody
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WHEN = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,7})\d*)?)?(Z|[+-]\d\d:?\d\d)?")
_COMPACT = re.compile(r"\d{14}")


def hexed(*parts: object) -> str:
    """32 hexadecimal digits that always stand for the same thing."""
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()[:32]


def ticks(text: str) -> int:
    """A moment as it comes in a request; one without a zone is UTC. Raises ``ValueError``."""
    if _COMPACT.fullmatch(text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:]}Z"
    found = _WHEN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"no date: {text!r}")
    day, clock, part, zone = found.groups()
    whole = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}{zone or 'Z'}")
    return (whole - _EPOCH) // timedelta(seconds=1) * SECOND + int((part or "").ljust(7, "0"))


def dated(at: int) -> str:
    """A moment as an answer has it: seven digits where the milliseconds are 0, else as many as are needed."""
    seconds, part = divmod(at, SECOND)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f"{part:07d}"
    return f"{text}.{digits if digits.startswith('000') else digits.rstrip('0')}Z"


@dataclass
class State:
    """What one user did with one title. `at` is the last play, in ticks; `saved` the last change, in seconds."""

    played: bool = False
    count: int = 0
    at: int | None = None
    position: int = 0
    favourite: bool = False
    rating: float | None = None
    saved: float = 0.0


@dataclass(eq=False)
class Title:
    """One row. `ids` are its ``ProviderIds`` as they are stored; `parent` its season or series.

    `virtual` is an episode without a file, `versions` the files of one title, `box` the set it is in. Of a set or
    a playlist `entries` are what is in it, each with a number of its own; `owner` is whose playlist it is.
    """

    id: str
    kind: str
    library: Library
    name: str
    ids: dict[str, str] = field(default_factory=dict)
    year: int | None = None
    parent: Title | None = None
    index: int | None = None
    index_end: int | None = None
    runtime: int = 60_000_000_000
    created: int = BORN
    saved: float = BORN
    aired: str | None = None
    virtual: bool = False
    versions: int = 1
    box: Title | None = None
    sort: str | None = None
    children: list[Title] = field(default_factory=list)
    entries: list[tuple[str, Title]] = field(default_factory=list)
    owner: User | None = None

    @property
    def leaf(self) -> bool:
        """Whether it can be played."""
        return self.kind in LEAVES

    @property
    def series(self) -> Title | None:
        """The series of a season or an episode."""
        above = self.parent
        while above is not None and above.kind != SERIES:
            above = above.parent
        return above

    @property
    def season(self) -> int | None:
        """The number of the season of an episode, or of itself."""
        if self.kind == SEASON:
            return self.index
        return self.parent.index if self.parent is not None and self.parent.kind == SEASON else None

    def leaves(self) -> Iterator[Title]:
        """What can be played: itself, or what is below it. Nothing virtual."""
        if self.leaf:
            if not self.virtual:
                yield self
            return
        for child in self.children:
            yield from child.leaves()

    def data_keys(self) -> list[str]:
        """The names under which a Jellyfin keeps what users did, the best one first: by the ids, then its own.

        Until 10.10 copies of a title share what is kept under the same name.
        """
        own = "-".join(re.findall(r"(.{8})(.{4})(.{4})(.{4})(.{12})", self.id.rjust(32, "0"))[0])
        series = self.series
        if self.kind == SEASON and series is not None:
            return [*(f"{key}{self.index or 0:03d}" for key in series.data_keys()), own]
        if self.kind == EPISODE and series is not None and self.season is not None and self.index is not None:
            above = series.data_keys()
            return [*(f"{key}{self.season:03d}{self.index:03d}" for key in above[:-1] or above), own]
        ids = {name.lower(): value for name, value in self.ids.items()}
        order = ("tmdb", "imdb") if self.kind == MOVIE else ("tvdb", "imdb") if self.kind == SERIES else ()
        return [*(ids[name] for name in order if ids.get(name)), own]


@dataclass(eq=False)
class Library:
    """A library: ``movies`` or ``tvshows``."""

    id: str
    name: str
    kind: str


@dataclass(eq=False)
class User:
    """A person. `lockout` is how many wrong passwords disable them: -1 none, 0 the default of three.

    `hidden`: not shown to who is not logged in, as new users of a Jellyfin are not. `libraries` are the ids
    of those they may see, None for all. `failed` counts wrong passwords in a row, `tries` all that were
    ever sent.
    """

    id: str
    name: str
    password: str = ""
    admin: bool = False
    disabled: bool = False
    hidden: bool = False
    lockout: int = -1
    may_change: bool = True
    libraries: set[str] | None = None
    failed: int = 0
    tries: int = 0
    states: dict[str, State] = field(default_factory=dict)
    cached: dict[str, State] = field(default_factory=dict)

    def sees(self, row: Title) -> bool:
        """Whether the row is in a library of theirs."""
        if row.kind == PLAYLIST:
            return row.owner is None or row.owner is self
        return self.libraries is None or row.library.id in self.libraries
