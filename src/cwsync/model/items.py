"""Identity: what a record is about, never what a user thinks of it.

A record is a kind and a set of external ids. Each id lives in a namespace that holds the kind, so
``tmdb_movie:603`` can never meet ``tmdb_show:603``. Titles and years are labels for people.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Feature(StrEnum):
    """One list of records that can be synced on its own."""

    HISTORY = "history"
    RATINGS = "ratings"
    PROGRESS = "progress"
    WATCHLIST = "watchlist"

    # Enum hashes by name in Python; text hashes itself once. Members are looked up a million times.
    __hash__ = str.__hash__


# Watching or rating an item removes it from some services' watchlists, so the watchlist is last.
RUN_ORDER: tuple[Feature, ...] = (Feature.HISTORY, Feature.RATINGS, Feature.PROGRESS, Feature.WATCHLIST)


class Kind(StrEnum):
    """What sort of title a record is about."""

    MOVIE = "movie"
    SHOW = "show"
    SEASON = "season"
    EPISODE = "episode"

    __hash__ = str.__hash__  # see Feature


# The order is the order of preference for the one id that names a record in keys and tables.
SERVICES: tuple[str, ...] = (
    "imdb",
    "tmdb",
    "tvdb",
    "trakt",
    "simkl",
    "mal",
    "anilist",
    "kitsu",
    "anidb",
    "mdblist",
    "plex",
    "slug",
)
_RANK = {service: rank for rank, service in enumerate(SERVICES)}
_NUMBER = re.compile(r"[1-9][0-9]{0,17}\Z")
_PATTERNS = {
    "imdb": re.compile(r"tt[0-9]{4,12}\Z"),
    "plex": re.compile(r"[A-Za-z0-9:/._-]{1,200}\Z"),
    "slug": re.compile(r"[a-z0-9][a-z0-9-]{0,200}\Z"),
    "mdblist": re.compile(r"[A-Za-z0-9-]{1,64}\Z"),
}
# service -> (what an id of it must match, the namespace of each kind with its colon)
_SPELLING = {
    service: (_PATTERNS.get(service, _NUMBER).match, {kind: f"{service}_{kind}:" for kind in Kind})
    for service in SERVICES
}


class ExternalId(str):
    """One id in its namespace, as text: ``imdb_movie:tt0113277``.

    It is a string, so its hash is computed once and a hundred thousand of them stay small.
    """

    __slots__ = ()

    @property
    def namespace(self) -> str:
        """The service and the kind: ``imdb_movie``."""
        return self.partition(":")[0]

    @property
    def service(self) -> str:
        """The service alone: ``imdb``."""
        return self.partition(":")[0].rpartition("_")[0]

    @property
    def value(self) -> str:
        """The id as the service writes it: ``tt0113277``."""
        return self.partition(":")[2]


def external_id(service: str, kind: Kind, value: object) -> ExternalId:
    """Make an id, or raise ``ValueError`` when `value` is not one of `service`.

    `value` is text, or an int for the services that count. Nothing is cleaned up: digits picked
    out of a slug or of a hexadecimal id are the id of some other title.
    """
    spelling = _SPELLING.get(service)
    if spelling is None:
        raise ValueError(f"unknown id service {service!r}")
    match, namespaces = spelling
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or not match(value):
        raise ValueError(f"{value!r} is not an id of {service}")
    return ExternalId(namespaces[kind] + value)


def id_matcher(service: str, kind: Kind) -> tuple[Callable[[str], object], str]:
    """For those who make ids by the thousand: what tells whether text is an id, and what to put before it."""
    match, namespaces = _SPELLING[service]
    return match, namespaces[kind]


_SHARED: dict[tuple[ExternalId, ...], tuple[ExternalId, ...]] = {}


def share_ids(ids: tuple[ExternalId, ...]) -> tuple[ExternalId, ...]:
    """The one tuple that stands for these ids in this process.

    Both sides and the baseline name the same titles; that they share the names saves a quarter of
    the memory of a large run and makes comparing them a comparison of addresses.
    """
    return _SHARED.setdefault(ids, ids)


def id_rank(external: ExternalId) -> tuple[int, str]:
    """Sort key: the preferred service first."""
    return _RANK.get(external.service, len(_RANK)), external


@dataclass(frozen=True, slots=True)
class Item:
    """What a record is about.

    `ids` are the item's own ids, best first. Seasons and episodes also carry `show_ids`, `season`
    (0 is a number: specials) and, for episodes, `number`. `title`, `year`, `show_title` and
    `show_year` are labels and take no part in matching.
    """

    kind: Kind
    ids: tuple[ExternalId, ...] = ()
    title: str | None = None
    year: int | None = None
    show_ids: tuple[ExternalId, ...] = ()
    season: int | None = None
    number: int | None = None
    show_title: str | None = None
    show_year: int | None = None

    def __post_init__(self) -> None:
        if self.kind is Kind.EPISODE or self.kind is Kind.SEASON:
            return
        if self.show_ids or self.season is not None or self.number is not None:
            raise ValueError(f"a {self.kind.value} has no show, season or episode number")

    def coordinates(self) -> tuple[str, ...]:
        """Where a season or an episode stands in its show: one text for each id of the show.

        Empty for other kinds, and when a number or every show id is missing.
        """
        if not self.show_ids or self.season is None:
            return ()
        if self.kind is Kind.SEASON:
            return tuple(f"{show}#s{self.season}" for show in self.show_ids)
        if self.number is None:
            return ()
        place = f"#s{self.season}e{self.number}"
        return tuple(f"{show}{place}" for show in self.show_ids)

    def tokens(self) -> tuple[str, ...]:
        """Every text under which this item can be found: its ids and its coordinates."""
        return self.ids + self.coordinates() if self.show_ids else self.ids

    def key(self) -> str | None:
        """The one text that names this item, or None when it has no usable id."""
        if self.ids:
            return self.ids[0]
        places = self.coordinates()
        return places[0] if places else None

    def label(self) -> str:
        """The item for a person: ``Heat (1995)``, ``Breaking Bad S01E02 Cat's in the Bag...``.

        An episode of which only the title is known is that title, without a place.
        """
        if self.kind is Kind.MOVIE or self.kind is Kind.SHOW:
            name = self.title or self.key() or "?"
            return f"{name} ({self.year})" if self.year else name
        show = self.show_title or (self.show_ids[0] if self.show_ids else None) or ""
        season = "S??" if self.season is None else f"S{self.season:02d}"
        if self.kind is Kind.SEASON:
            return f"{show} {season}".strip()
        place = season + ("E??" if self.number is None else f"E{self.number:02d}")
        if self.season is None and self.number is None and (self.title or self.ids):
            place = "" if self.title else self.ids[0]
        return " ".join(part for part in (show, place, self.title) if part)


def sort_ids(ids: set[ExternalId] | tuple[ExternalId, ...] | list[ExternalId]) -> tuple[ExternalId, ...]:
    """Ids without repeats, best first: the only order in which an `Item` holds them."""
    return tuple(sorted(set(ids), key=id_rank)) if len(ids) > 1 else tuple(ids)
