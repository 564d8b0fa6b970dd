"""What TMDb sends, and what is sent to it, read and written. Pure functions; nothing here asks anything.

Films and shows are numbered apart, so a number says nothing without its kind. An episode is named by show,
season and number; its own number is told, and nothing can be asked by it.

Source: https://developer.themoviedb.org/reference, /docs/errors (checked 2026-11-21).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cwsync.model import Change, Entry, ExternalId, Feature, Item, Kind, Listed, Op, Rated, Value, external_id

SERVICE: Final = "tmdb"
# Codes of TMDb's own, told apart. Those of the application, of the session, of the user, of what was asked.
KEY_CODES: Final = frozenset({7, 10})
SESSION_CODES: Final = frozenset({3, 14, 16, 17, 33, 35, 36, 37, 38})
USER_CODES: Final = frozenset({30, 31, 32, 45})
UNKNOWN_CODES: Final = frozenset({6, 34})
DONE_CODES: Final = frozenset({1, 12, 13})
_PLACE: Final = re.compile(r"(movie|tv)/([1-9][0-9]{0,17})(?:/season/([0-9]{1,6})/episode/([0-9]{1,6}))?")


class RowError(ValueError):
    """A row that cannot be read. `item` is what it is about, where that can be told."""

    def __init__(self, why: str, item: Item | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.item = item


@dataclass(frozen=True, slots=True)
class Place:
    """Where a title stands: `number` is that of a film or a show, `season` and `episode` those of an episode."""

    kind: Kind
    number: int
    season: int | None = None
    episode: int | None = None

    @property
    def path(self) -> str:
        """Below the API, and the name of its rows: ``movie/603``, ``tv/1399/season/1/episode/5``."""
        if self.kind is Kind.MOVIE:
            return f"movie/{self.number}"
        part = "" if self.episode is None else f"/season/{self.season}/episode/{self.episode}"
        return f"tv/{self.number}{part}"


def place_named(name: str) -> Place | None:
    """The place of a row by its name, None for a name that is none."""
    found = _PLACE.fullmatch(name)
    if found is None or (found[1] == "movie" and found[3] is not None):
        return None
    if found[3] is not None:
        return Place(Kind.EPISODE, int(found[2]), int(found[3]), int(found[4]))
    return Place(Kind.MOVIE if found[1] == "movie" else Kind.SHOW, int(found[2]))


def tmdb_id(ids: tuple[ExternalId, ...]) -> int | None:
    """TMDb's own number among ids."""
    return next((int(one.value) for one in ids if one.service == SERVICE), None)


def place_of(item: Item) -> Place | None:
    """Where an item stands, by the ids it has; None when these do not tell."""
    if item.kind in (Kind.MOVIE, Kind.SHOW):
        number = tmdb_id(item.ids)
        return None if number is None else Place(item.kind, number)
    show = tmdb_id(item.show_ids)
    if item.kind is not Kind.EPISODE or show is None or item.season is None or item.number is None:
        return None
    return Place(Kind.EPISODE, show, item.season, item.number)


# --- lists --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of a list: its rows, its number, and how many pages and rows there are."""

    rows: list[Any]
    number: int
    n_pages: int
    n_rows: int


def decode_sheet(found: object) -> Sheet:
    """Read a page. Raises ``ValueError``."""
    told = found if isinstance(found, dict) else {}
    rows, numbers = told.get("results"), [told.get(name) for name in ("page", "total_pages", "total_results")]
    if not isinstance(rows, list) or not all(type(one) is int and one >= 0 for one in numbers):
        raise ValueError("it is no page of a list")
    return Sheet(rows, *(int(str(one)) for one in numbers))


def row_name(row: object) -> object:
    """What tells the rows of one list apart."""
    return row.get("id") if isinstance(row, dict) and type(row.get("id")) is int else id(row)


def decode_entry(feature: Feature, kind: Kind, row: object, shows: Mapping[int, Item]) -> Entry | None:
    """A row of a list; None for one that says nothing (a rating of zero). Raises `RowError`.

    `shows` are those that are known, for the names of what episodes belong to.
    """
    if not isinstance(row, dict):
        raise RowError("the row is no object")
    item = _episode(row, shows) if kind is Kind.EPISODE else _title(kind, row)
    place = place_of(item)
    value: Value | None = Listed() if feature is Feature.WATCHLIST else _rated(row.get("rating"), item)
    return None if value is None or place is None else Entry(item, value, place.path)


def _title(kind: Kind, row: Mapping[str, Any]) -> Item:
    name, day = ("title", "release_date") if kind is Kind.MOVIE else ("name", "first_air_date")
    return Item(kind, (_own(kind, row.get("id")),), _text(row.get(name)), _year(row.get(day)))


def _episode(row: Mapping[str, Any], shows: Mapping[int, Item]) -> Item:
    ids, season, number = (_own(Kind.EPISODE, row.get("id")),), row.get("season_number"), row.get("episode_number")
    show = _own(Kind.SHOW, row.get("show_id"), Item(Kind.EPISODE, ids))
    if type(season) is not int or type(number) is not int or season < 0 or number < 0:
        raise RowError("the episode has no number", Item(Kind.EPISODE, ids))
    of = shows.get(int(show.value))
    return Item(
        Kind.EPISODE,
        ids,
        _text(row.get("name")),
        show_ids=(show,),
        season=season,
        number=number,
        show_title=of.title if of is not None else None,
        show_year=of.year if of is not None else None,
    )


def _own(kind: Kind, number: object, item: Item | None = None) -> ExternalId:
    if type(number) is not int or number <= 0:
        raise RowError(f"the {kind.value} has no id", item)
    return external_id(SERVICE, kind, number)


def _rated(rating: object, item: Item) -> Rated | None:
    """A rating, in points of 100; None for none."""
    if rating is None or rating == 0:
        return None
    score = points(rating)
    if score is None:
        raise RowError(f"a rating is a number from 0.5 to 10, not {rating!r}", item)
    return Rated(score)


def points(rating: object) -> int | None:
    """0.5 to 10 as 5 to 100; None for what is no rating."""
    if not isinstance(rating, int | float) or isinstance(rating, bool) or not 0.05 <= rating <= 10:
        return None
    return round(rating * 10)


def stars(score: int) -> float:
    """5 to 100 as TMDb takes it: 0.5 to 10, in halves."""
    return max(1, min(20, round(score / 5))) / 2


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _year(value: object) -> int | None:
    text = value[:4] if isinstance(value, str) else ""
    return int(text) if re.fullmatch(r"[1-9][0-9]{3}", text) else None


# --- one title ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class States:
    """What the user has of one title now. `score` in points of 100, None: not rated."""

    score: int | None
    listed: bool

    def value(self, feature: Feature) -> Value | None:
        """The same as the value of a feature."""
        if feature is Feature.WATCHLIST:
            return Listed() if self.listed else None
        return None if self.score is None else Rated(self.score)


def decode_states(found: object) -> States:
    """Read ``account_states``: ``rated`` is false, or an object with the value. Raises ``ValueError``."""
    told = found if isinstance(found, dict) else {}
    rated = told.get("rated")
    if rated is False or (isinstance(rated, dict) and rated.get("value") in (None, 0)):
        score = None
    else:
        score = points(rated.get("value")) if isinstance(rated, dict) else None
        if score is None:
            raise ValueError("it does not say whether the title is rated")
    return States(score, told.get("watchlist") is True)


def is_so(value: Value | None, wanted: Value | None) -> bool:
    """Whether a row holds what is wanted: presence, or a score to the half point; times TMDb keeps none."""
    if isinstance(value, Rated) and isinstance(wanted, Rated):
        return value.score == wanted.score or stars(value.score) == stars(wanted.score) == value.score / 10
    return (value is None) == (wanted is None)


def is_still(value: Value | None, before: Value | None) -> bool:
    """Whether a row holds what a plan saw. One that was seen with a time is none of this service."""
    if isinstance(value, Rated) and isinstance(before, Rated):
        return value.score == before.score and before.at is None
    return (value is None) == (before is None) and (before is None or before.at is None)


# --- writes -------------------------------------------------------------------------------------


def encode(change: Change, place: Place, account: int) -> tuple[str, str, dict[str, Any] | None]:
    """The method, the path and the body of the one request that a change is."""
    if change.feature is Feature.WATCHLIST:
        media = "movie" if place.kind is Kind.MOVIE else "tv"
        body = {"media_type": media, "media_id": place.number, "watchlist": change.op is not Op.REMOVE}
        return "POST", f"/account/{account}/watchlist", body
    if isinstance(change.after, Rated):
        return "POST", f"/{place.path}/rating", {"value": stars(change.after.score)}
    return "DELETE", f"/{place.path}/rating", None


def decode_account(found: object) -> int:
    """The number of the user. Raises ``ValueError``."""
    number = found.get("id") if isinstance(found, dict) else None
    if type(number) is not int or number <= 0:
        raise ValueError("no user is named")
    return number


def decode_code(found: object) -> int | None:
    """TMDb's own code of an answer, None where there is none."""
    code = found.get("status_code") if isinstance(found, dict) else None
    return code if type(code) is int else None


def decode_until(found: object) -> datetime | None:
    """``2016-08-26 17:04:39 UTC``; None for anything else."""
    try:
        return datetime.strptime(str(found), "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    except ValueError:
        return None
