"""One row of a CSV file as an entry. Pure; nothing is guessed and nothing is cleaned up."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final

from cwsync.model import (
    Entry,
    ExternalId,
    Feature,
    Item,
    Kind,
    Listed,
    Play,
    Rated,
    Value,
    When,
    external_id,
    format_when,
    parse_when,
)
from cwsync.providers._csvformats import ID_NAMES, Layout
from cwsync.providers._localfile import row_key

_TYPES: Final[Mapping[str, Kind]] = {
    "movie": Kind.MOVIE,
    "movies": Kind.MOVIE,
    "film": Kind.MOVIE,
    "featurefilm": Kind.MOVIE,
    "documentary": Kind.MOVIE,
    "tvmovie": Kind.MOVIE,
    "short": Kind.MOVIE,
    "tvshort": Kind.MOVIE,
    "tvspecial": Kind.MOVIE,
    "video": Kind.MOVIE,
    "show": Kind.SHOW,
    "shows": Kind.SHOW,
    "series": Kind.SHOW,
    "tv": Kind.SHOW,
    "tvshow": Kind.SHOW,
    "tvseries": Kind.SHOW,
    "tvminiseries": Kind.SHOW,
    "miniseries": Kind.SHOW,
    "season": Kind.SEASON,
    "seasons": Kind.SEASON,
    "episode": Kind.EPISODE,
    "episodes": Kind.EPISODE,
    "tvepisode": Kind.EPISODE,
}
# An IMDb list may hold these. No service that we sync knows them, so they are no records.
_ELSEWHERE: Final = frozenset({"videogame", "musicvideo", "podcastseries", "podcastepisode"})
_RATING: Final = re.compile(r"[0-9]{1,6}(?:[.,][0-9]{1,6})?\Z")
_DIGITS: Final = re.compile(r"[0-9]+\Z")
_WHOLE: Final = re.compile(r"[0-9]{1,6}\Z")
_BARE_IMDB: Final = re.compile(r"[0-9]{1,9}\Z")

# (column, service), the best id first
_OWN_IDS: Final = tuple((service, service) for service in ID_NAMES)
_SHOW_IDS: Final = tuple((f"show_{service}", service) for service in ID_NAMES)
# Looking a member of an enum up costs as much as decoding an id.
_MOVIE, _SHOW, _SEASON = Kind.MOVIE, Kind.SHOW, Kind.SEASON
_HISTORY, _WATCHLIST = Feature.HISTORY, Feature.WATCHLIST

Decode = Callable[[Sequence[str]], Entry | str | None]


class RowError(ValueError):
    """A row cannot be read. `item` is None when not even its identity can be."""

    def __init__(self, why: str, item: Item | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.item = item


def row_decoder(layout: Layout, feature: Feature, scale: int) -> Decode:
    """What reads the cells of one row: as an entry, or as None when there is no rating.

    Text is the name of a type of title that is none of our business. It raises `RowError`.
    """
    names = tuple(layout.places.items())

    def decode(cells: Sequence[str]) -> Entry | str | None:
        row = {name: cell for name, place in names if (cell := cells[place].strip())}
        if (kind_name := _fold(row.get("type", ""))) in _ELSEWHERE:
            return row["type"]
        item = _decode_item(row, kind_name)
        try:
            value = _decode_value(row, item, feature, scale)
        except ValueError as error:
            raise RowError(str(error), item) from None
        if value is None:
            return None
        key = row_key(item)
        return Entry(item, value, f"{key}@{format_when(value.at) or ''}" if feature is _HISTORY else key)

    return decode


@lru_cache(maxsize=1024)
def _fold(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _decode_item(row: Mapping[str, str], kind_name: str) -> Item:
    season, number = _whole(row, "season"), _whole(row, "episode")
    kind = _kind(row, kind_name, season, number)
    ids = _ids(row, kind, _OWN_IDS)
    show_ids = _ids(row, _SHOW, _SHOW_IDS)
    if kind is _MOVIE or kind is _SHOW:
        if season is not None or number is not None or show_ids:
            raise RowError(f"a {kind.value} has no show, season or episode number")
        item = Item(kind, ids, row.get("title"), _year(row, "year"))
    else:
        if kind is _SEASON and number is not None:
            raise RowError("a season has no episode number")
        show = (row.get("show_title"), _year(row, "show_year"))
        item = Item(kind, ids, row.get("title"), _year(row, "year"), show_ids, season, number, *show)
    if item.key() is None and item.title is None and item.show_title is None:
        raise RowError("has neither an id nor a title")
    return item


def _kind(row: Mapping[str, str], name: str, season: int | None, number: int | None) -> Kind:
    if name:
        if name not in _TYPES:
            raise RowError(f"the type is {_short(row['type'])}, not movie, show, season or episode")
        return _TYPES[name]
    if number is not None:
        return Kind.EPISODE
    return _MOVIE if season is None else Kind.SEASON


def _ids(row: Mapping[str, str], kind: Kind, columns: Sequence[tuple[str, str]]) -> tuple[ExternalId, ...]:
    ids = []
    for column, service in columns:
        if text := row.get(column):
            # Some data sets write the number of an IMDb title alone, which can mean one thing only.
            if service == "imdb" and _BARE_IMDB.match(text) and int(text):
                text = f"tt{text:0>7}"
            try:
                ids.append(external_id(service, kind, text))
            except ValueError:
                raise RowError(f"{_short(text)} is not an id of {service}") from None
    return tuple(ids)


def _whole(row: Mapping[str, str], name: str) -> int | None:
    text = row.get(name)
    if text is None:
        return None
    if not _WHOLE.match(text):
        raise RowError(f"the {name} is {_short(text)}, not a whole number")
    return int(text)


def _year(row: Mapping[str, str], name: str) -> int | None:
    """A label, but the one that tells remakes apart where titles are matched: never half read."""
    return _whole(row, name)


def _decode_value(row: Mapping[str, str], item: Item, feature: Feature, scale: int) -> Value | None:
    if feature is _HISTORY:
        if item.kind is _SHOW or item.kind is _SEASON:
            raise ValueError(f"a {item.kind.value} has no plays")
        return Play(parse_time(row.get("watched_at", "")))
    if feature is _WATCHLIST:
        return Listed(parse_time(row.get("listed_at", "")))
    score = parse_score(row.get("rating", ""), scale)
    return Rated(score, parse_time(row.get("rated_at", ""))) if score else None


@lru_cache(maxsize=1024)
def parse_score(text: str, scale: int) -> int:
    """A rating of at most `scale` as points of 100, half up; 0 for none. Raises ``ValueError``."""
    if not text:
        return 0
    if not _RATING.match(text):
        raise ValueError(f"the rating is {_short(text)}, not a number from 0 to {scale}")
    rating = Decimal(text.replace(",", "."))
    score = int((rating * 100 / scale).quantize(Decimal(1), ROUND_HALF_UP))
    if score > 100 or (rating and not score):
        raise ValueError(f"the rating is {_short(text)}, which is not on a scale of {scale}")
    return score


def parse_time(text: str) -> When:
    """A moment in UTC, a day, or None for an empty cell. Raises ``ValueError`` for anything else.

    Nine or ten digits are seconds since 1970 (from 1973 on).
    """
    if not text:
        return None
    try:
        return _time(text)
    except ValueError:
        raise ValueError(f"the time is {_short(text)}, not like 2024-05-01T20:15:00Z or 2024-05-01") from None


def _time(text: str) -> When:
    if _DIGITS.match(text):
        if len(text) not in (9, 10):
            raise ValueError(text)
        return datetime.fromtimestamp(int(text), UTC)
    if len(text) == 10:
        return date.fromisoformat(text)
    at = datetime.fromisoformat(text.removesuffix(" UTC") + "Z" if text.endswith(" UTC") else text)
    if at.tzinfo is UTC:
        return at
    # Nothing says whose clock a time without a zone was read off. The day is what is left of it: to
    # take it for UTC would move an evening's plays by hours, and look like knowledge.
    return parse_when(at.isoformat()) if at.tzinfo is not None else at.date()


def _short(text: str) -> str:
    return ascii(text) if len(text) <= 40 else ascii(text[:40]) + "..."
