"""What Trakt says, read: pages, stamps, rows and errors. Pure functions; nothing here asks anything.

Trakt's rows name their title under their own type (``{"type": "movie", "movie": {...}}``); seasons and
episodes bring their show along. Ids are numbers but for ``imdb`` and ``slug``, and any may be null,
missing or empty. Times are text with milliseconds; a play at the epoch is one whose date is unknown.

Source: https://github.com/trakt/trakt-api (contract of 2026-07-30, discussions 681 and 775) (checked 2026-11-21).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cwsync.model import (
    SERVICES,
    Entry,
    ExternalId,
    Feature,
    Item,
    Kind,
    Listed,
    Play,
    Position,
    Rated,
    Value,
    id_matcher,
    parse_when,
    share_ids,
)

PLURAL: Final[Mapping[Kind, str]] = {
    Kind.MOVIE: "movies",
    Kind.SHOW: "shows",
    Kind.SEASON: "seasons",
    Kind.EPISODE: "episodes",
}
# The ids Trakt gives, and takes. Slugs are left out: they are names, they change, and one of another
# service among right ids can lead to another title.
ID_SERVICES: Final = ("trakt", "imdb", "tmdb", "tvdb")
_READERS: Final = {
    kind: tuple(
        (service, *id_matcher(service, kind))
        for service in SERVICES  # best first, as ids stand in an item
        if service in ID_SERVICES and (kind, service) != (Kind.MOVIE, "tvdb")
    )
    for kind in Kind
}
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Hidden titles vanish from some answers, so a moved stamp of hiding counts as a change everywhere.
_HIDDEN: Final = ("movies.hidden_at", "shows.hidden_at", "seasons.hidden_at", "shows.dropped_at")
STAMPS: Final[Mapping[Feature, tuple[str, ...]]] = {
    Feature.HISTORY: ("movies.watched_at", "episodes.watched_at"),
    Feature.RATINGS: ("movies.rated_at", "shows.rated_at", "seasons.rated_at", "episodes.rated_at"),
    Feature.PROGRESS: ("movies.paused_at", "episodes.paused_at"),
    Feature.WATCHLIST: (
        "watchlist.updated_at",
        "movies.watchlisted_at",
        "shows.watchlisted_at",
        "seasons.watchlisted_at",
        "episodes.watchlisted_at",
    ),
}
_HEADER: Final = re.compile(r"[0-9]{1,9}\Z")


class RowError(Exception):
    """A row that is no record. `item` is what it is about, as far as that can be told."""

    def __init__(self, why: str, item: Item | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.item = item


@dataclass(frozen=True, slots=True)
class Odd:
    """A row that is no record, and why. `item` is what it is about, as far as that can be told.

    `foreign` says that it is of no film and no show: a person, a list.
    """

    why: str
    item: Item | None = None
    foreign: bool = False


# What a row is; None for one that says nothing.
Told = Entry | Odd | None


@dataclass(frozen=True, slots=True)
class Paging:
    """What the headers say of a page; None where they say nothing.

    `limit` is what the service made of the limit it was asked for (it cuts large ones without a word).
    """

    page: int | None = None
    limit: int | None = None
    pages: int | None = None
    items: int | None = None


def decode_paging(headers: Mapping[str, str]) -> Paging:
    """The paging headers of an answer (lower-case names); what is no number counts as missing."""
    names = ("page", "limit", "page-count", "item-count")
    texts = [headers.get(f"x-pagination-{name}", "").strip() for name in names]
    return Paging(*(int(text) if _HEADER.match(text) else None for text in texts))


def decode_stamp(activities: object, feature: Feature) -> str | None:
    """The moments at which something of a feature last changed, as one text; None when none is told.

    Stamps move when rows are added and when they are removed. They are compared for being the same,
    never for being later: they have been seen to go back.
    """
    if not isinstance(activities, dict):
        return None
    told = {}
    for name in (*STAMPS[feature], *_HIDDEN):
        part, _, what = name.partition(".")
        stamps = activities.get(part)
        told[name] = stamps.get(what) if isinstance(stamps, dict) else None
    if not any(isinstance(told[name], str) for name in STAMPS[feature]):
        return None
    return " ".join(f"{name}={told[name] or '-'}" for name in told)


def decode_ids(kind: Kind, ids: object) -> tuple[ExternalId, ...]:
    """The ids of a title, best first. What is not an id of its service is left out: it names nothing."""
    if not isinstance(ids, dict):
        return ()
    found = []
    for service, match, prefix in _READERS[kind]:
        value = ids.get(service)
        if type(value) is int:
            value = str(value)
        if isinstance(value, str) and match(value):
            found.append(ExternalId(prefix + value))
    return share_ids(tuple(found))


class Decoder:
    """Rows into entries. Shows are read once: their rows come by the hundred."""

    def __init__(self) -> None:
        self._shows: dict[int, tuple[tuple[ExternalId, ...], str | None, int | None]] = {}

    def item(self, row: Mapping[str, Any]) -> Item:
        """What a row is about. Raises `RowError` for a row that says not enough."""
        kind = _KINDS.get(str(row.get("type")))
        if kind is None:
            raise RowError(f"the type {row.get('type')!r} is not known")
        thing = row.get(kind.value)
        if not isinstance(thing, dict):
            raise RowError(f"the {kind.value} is missing")
        ids = decode_ids(kind, thing.get("ids"))
        title, year = _text(thing.get("title")), _number(thing.get("year"))
        if kind is Kind.MOVIE or kind is Kind.SHOW:
            if not ids:
                raise RowError(f"the {kind.value} has no id that can be used")
            return Item(kind, ids, title, year)
        return self._in_show(kind, ids, thing, row)

    def _in_show(
        self, kind: Kind, ids: tuple[ExternalId, ...], thing: Mapping[str, Any], row: Mapping[str, Any]
    ) -> Item:
        show_ids, show_title, show_year = self.show(row.get("show"))
        if kind is Kind.SEASON:
            season, number = _count(thing.get("number")), None
        else:
            season, number = _count(thing.get("season")), _count(thing.get("number"))
        item = Item(
            kind,
            ids,
            _text(thing.get("title")),
            show_ids=show_ids,
            season=season,
            number=number,
            show_title=show_title,
            show_year=show_year,
        )
        if item.key() is None:
            raise RowError(f"the {kind.value} has no id that can be used")
        return item

    def show(self, show: object) -> tuple[tuple[ExternalId, ...], str | None, int | None]:
        """The ids, the title and the year of a show; nothing of one that is missing."""
        if not isinstance(show, dict):
            return (), None, None
        ids = show.get("ids")
        number = ids.get("trakt") if isinstance(ids, dict) else None
        if type(number) is int and (known := self._shows.get(number)) is not None:
            return known
        read = decode_ids(Kind.SHOW, ids), _text(show.get("title")), _number(show.get("year"))
        if type(number) is int:
            self._shows[number] = read
        return read

    def entry(self, feature: Feature, row: object) -> Entry | None:
        """A row of a feature; None for one that says nothing (a rating of zero). Raises `RowError`."""
        if not isinstance(row, dict):
            raise RowError("the row is no object")
        item = self.item(row)
        try:
            value = _VALUES[feature](row)
        except ValueError as error:
            raise RowError(str(error), item) from error
        if value is None:
            return None
        number = row.get("id")
        return Entry(item, value, str(number) if type(number) is int else None)

    def told(self, feature: Feature, row: object) -> Told:
        """As `entry`, and for a row that is none what it is instead."""
        try:
            return self.entry(feature, row)
        except RowError as error:
            foreign = isinstance(row, dict) and row.get("type") in ("person", "list", "user", "comment")
            return Odd(error.why, error.item, foreign)


_KINDS: Final = {kind.value: kind for kind in Kind}


def decode_time(at: object) -> datetime | None:
    """A time as Trakt writes it, None for null. Raises ``ValueError``."""
    when = parse_when(at)
    if when is None or isinstance(when, datetime):
        return when
    raise ValueError(f"{at!r} is a day, not a time")


def played_at(at: object) -> datetime | None:
    """When a play was; None when Trakt does not know: it writes the epoch then."""
    when = decode_time(at)
    return None if when == EPOCH else when


def _play(row: Mapping[str, Any]) -> Value | None:
    if "watched_at" not in row:
        raise ValueError("the play has no time")
    return Play(played_at(row["watched_at"]))


def _rated(row: Mapping[str, Any]) -> Value | None:
    rating = row.get("rating")
    if rating is None or rating == 0:
        return None
    if type(rating) is not int or not 1 <= rating <= 10:
        raise ValueError(f"a rating is a whole number from 1 to 10, not {rating!r}")
    return Rated(rating * 10, decode_time(row.get("rated_at")))


def _listed(row: Mapping[str, Any]) -> Value | None:
    return Listed(decode_time(row.get("listed_at")))


def _position(row: Mapping[str, Any]) -> Value | None:
    """Trakt keeps a share of the whole. What that is in time follows from the runtime, in whole minutes."""
    percent, thing = row.get("progress"), row.get(str(row.get("type")))
    runtime = thing.get("runtime") if isinstance(thing, dict) else None
    if not isinstance(percent, int | float) or not 0 <= percent <= 100:
        raise ValueError(f"progress is a number from 0 to 100, not {percent!r}")
    if type(runtime) is not int or not 0 < runtime < 10_000:
        raise ValueError("Trakt does not know how long it is")
    whole_ms = runtime * 60_000
    return Position(round(percent * whole_ms / 100), whole_ms, decode_time(row.get("paused_at")))


_VALUES: Final = {
    Feature.HISTORY: _play,
    Feature.RATINGS: _rated,
    Feature.WATCHLIST: _listed,
    Feature.PROGRESS: _position,
}


def row_name(feature: Feature, row: object) -> str | None:
    """What a row is called on every page it appears on, None for a row that has no name."""
    if not isinstance(row, dict):
        return None
    if type(row.get("id")) is int and feature is not Feature.RATINGS:
        return str(row["id"])
    thing = row.get(str(row.get("type")))
    ids = thing.get("ids") if isinstance(thing, dict) else None
    number = ids.get("trakt") if isinstance(ids, dict) else None
    return f"{row.get('type')} {number}" if type(number) is int else None


def trakt_id(ids: Iterable[ExternalId]) -> str | None:
    """Trakt's own id among others."""
    return next((one.value for one in ids if one.service == "trakt"), None)


@dataclass(frozen=True, slots=True)
class Membership:
    """An account: its `limits` in records, by feature, as far as they are told; `once`: it keeps one play a title."""

    name: str
    limits: dict[str, int]
    once: bool
    vip: bool


def decode_account(settings: object) -> Membership:
    """From /users/settings: who this is, and what the account may hold.

    The number comes first: names and slugs of users change. Raises ``ValueError`` when nobody is named.
    """
    parts = settings if isinstance(settings, dict) else {}
    user, limits, browsing = (
        found if isinstance(found := parts.get(name), dict) else {} for name in ("user", "limits", "browsing")
    )
    ids = user.get("ids")
    ids = ids if isinstance(ids, dict) else {}
    named = next((str(ids[name]) for name in ("uuid", "trakt", "slug") if ids.get(name)), None)
    if named is None:
        raise ValueError("no user is named")
    watchlist = limits.get("watchlist")
    count = watchlist.get("item_count") if isinstance(watchlist, dict) else None
    known = {Feature.WATCHLIST.value: count} if type(count) is int else {}
    once = browsing.get("watch_only_once") is True
    return Membership(named, known, once, user.get("vip") is True or user.get("vip_ep") is True)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> int | None:
    return value if type(value) is int and 0 < value < 10_000 else None


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def is_page_for_people(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether an answer is a page of the house in front of Trakt, and not Trakt's own word.

    Source: https://github.com/trakt/trakt-api/issues/922 (checked 2026-11-21).
    """
    return "html" in headers.get("content-type", "").lower() or body[:64].lstrip()[:1] == b"<"
