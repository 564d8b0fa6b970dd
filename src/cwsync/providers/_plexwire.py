"""Plex's answers, decoded: containers, rows of a library, and the value that a row holds in each feature.

Pure. A wrong type in a row makes that row unreadable (`RowError`), a wrong shape of the whole answer
makes the read a failed one (`Answer.garbled`).

Source: the official document of the media server, version 1.2.0, and recorded answers (checked 2026-11-21).
An absent field stands for nothing; a list of one may come as that one; ids are text on the wire, but
not everywhere; times are seconds, durations and positions milliseconds.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cwsync.errors import AuthError, UnavailableError
from cwsync.http import Answer
from cwsync.model import ExternalId, Feature, Item, Kind, Play, Position, Rated, Value
from cwsync.providers._plexguid import named

TYPES: Final[Mapping[Kind, int]] = {Kind.MOVIE: 1, Kind.SHOW: 2, Kind.SEASON: 3, Kind.EPISODE: 4}
STAMP_ROWS: Final = 20
MAX_TIME: Final = 253_402_300_799  # the end of the year 9999


class RowError(ValueError):
    """A row that cannot be read. `key` is its own name, where at least that can."""

    def __init__(self, why: str, key: str | None = None) -> None:
        super().__init__(why)
        self.key = key


@dataclass(slots=True)
class Row:
    """One row of a library: what it is, and what the user did with it."""

    key: str
    kind: Kind
    guid: str
    ids: tuple[ExternalId, ...]
    show_ids: tuple[ExternalId, ...]
    show_key: str | None
    season: int | None
    number: int | None
    title: str | None
    year: int | None
    show_title: str | None
    views: int
    viewed_at: int | None
    offset_ms: int
    score: int | None
    rated_at: int | None
    duration_ms: int | None

    def mark(self, feature: Feature) -> str:
        """What of it moves when the user does something in a feature, as text for a stamp."""
        if feature is Feature.RATINGS:
            return f"{self.key} {self.score} {self.rated_at}"
        if feature is Feature.HISTORY:
            return f"{self.key} {self.views} {self.viewed_at}"
        return f"{self.key} {self.offset_ms} {self.viewed_at}"

    @property
    def guid_mark(self) -> int:
        """The guid, short enough to be kept of every row."""
        return zlib.crc32(self.guid.encode())


@dataclass(frozen=True, slots=True)
class Show:
    """What episodes and seasons need to know of their show."""

    ids: tuple[ExternalId, ...]
    title: str | None
    year: int | None


@dataclass(frozen=True, slots=True)
class Section:
    """One library of films or shows."""

    key: str
    title: str
    kind: Kind
    busy: bool


@dataclass(frozen=True, slots=True)
class Container:
    """One page: its raw rows, and how many the whole list has (None: not told)."""

    rows: Sequence[Any]
    total: int | None


# --- answers --------------------------------------------------------------------------------------


def decode_container(answer: Answer, name: str = "Metadata") -> Container:
    """The rows of a ``MediaContainer``. Raises `UnavailableError` for anything that is none."""
    body = answer.items(dict)
    inside = body.get("MediaContainer")
    if not isinstance(inside, dict):
        answer.garbled("it has no MediaContainer")
    rows = inside.get(name, [])
    if isinstance(rows, dict):
        rows = [rows]
    if not isinstance(rows, list):
        answer.garbled(f"{name} is no list")
    total = inside.get("totalSize")
    if total is not None and (type(total) is not int or total < 0):
        answer.garbled("totalSize is no number")
    size = inside.get("size")
    if type(size) is int and size != len(rows):
        answer.garbled(f"it says {size} rows and has {len(rows)}")
    return Container(rows, total)


def decode_machine_id(answer: Answer) -> str:
    """Which server it is, from ``/`` or ``/identity``."""
    body = answer.items(dict)
    inside = body.get("MediaContainer")
    found = inside.get("machineIdentifier") if isinstance(inside, dict) else None
    if not isinstance(found, str) or not found:
        answer.garbled("it is no Plex Media Server")
    return found


def decode_sections(answer: Answer) -> list[Section]:
    """The libraries of films and shows."""
    found = []
    for raw in decode_container(answer, "Directory").rows:
        if not isinstance(raw, dict) or not isinstance(raw.get("title"), str):
            answer.garbled("a library has no name")
        if not re.fullmatch("[0-9]{1,9}", str(raw.get("key"))):
            answer.garbled("a library has no number")
        if raw.get("type") in ("movie", "show"):
            busy = raw.get("refreshing") in (True, 1, "1")
            found.append(Section(str(raw["key"]), raw["title"], Kind(raw["type"]), busy))
    return found


def no_token(account: str) -> AuthError:
    """The server does not know us."""
    hint = f"log in again: cwsync auth login {account} (or renew the token in the file)"
    return AuthError("the server does not take this token", where=account, hint=hint)


def judge(answer: Answer, account: str, allowed: Sequence[int] = (200,)) -> None:
    """Raise for a status of the media server that is not `allowed`.

    Source: recorded answers and the official document: 401 is a token that is not of this server,
    403 a right that the user lacks (checked 2026-11-21).
    """
    if answer.status in allowed:
        return
    if answer.status == 401:
        raise no_token(account)
    if answer.status == 403:
        hint = "ask the owner of the server to share its libraries with this user"
        raise AuthError(f"this user may not do {answer.call}", where=account, hint=hint)
    raise UnavailableError(f"{answer.call} answered {answer.status}", where=account, hint="try again later")


# --- rows -------------------------------------------------------------------------------------------


def decode_row(raw: object, kind: Kind | None = None) -> Row:
    """One row. `kind` is what was asked for. Raises `RowError`."""
    if not isinstance(raw, dict):
        raise RowError("it is no object")
    key = raw.get("ratingKey")
    key = str(key) if type(key) is int else key
    if not isinstance(key, str) or not key.isascii() or not key.isdigit():
        raise RowError("it has no ratingKey")
    try:
        return _row(raw, key, kind)
    except RowError as error:
        raise RowError(str(error), key) from None


def _row(raw: dict[str, Any], key: str, kind: Kind | None) -> Row:
    type_ = raw.get("type")
    if not isinstance(type_, str) or type_ not in TYPES or (kind is not None and type_ != kind):
        raise RowError(f"its type is {str(type_)[:20]!r}")
    real = Kind(type_)
    guid = _text(raw, "guid") or ""
    name = named(real, guid, _guids(raw))
    inside = real in (Kind.SEASON, Kind.EPISODE)
    season = _place(raw, "index" if real is Kind.SEASON else "parentIndex") if inside else None
    number = _place(raw, "index") if real is Kind.EPISODE else None
    rating = raw.get("userRating")
    if rating is not None and (type(rating) not in (int, float) or not rating <= 10):
        raise RowError("userRating is no rating")
    return Row(
        key,
        real,
        guid,
        name.ids,
        name.show_ids,
        _show_key(raw, real) if inside else None,
        season if season is not None else name.season,
        number if number is not None else name.number,
        _text(raw, "title"),
        _whole(raw, "year"),
        _text(raw, "grandparentTitle" if real is Kind.EPISODE else "parentTitle") if inside else None,
        (_whole(raw, "viewCount") or 0) if real in (Kind.MOVIE, Kind.EPISODE) else 0,
        _time(raw, "lastViewedAt"),
        _whole(raw, "viewOffset") or 0,
        # Some clients clear a rating by storing 0.
        max(1, min(100, round(rating * 10))) if rating and rating > 0 else None,
        _time(raw, "lastRatedAt"),
        _whole(raw, "duration") or None,
    )


def _guids(raw: dict[str, Any]) -> list[str]:
    found = raw.get("Guid", [])
    rows = [found] if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise RowError("Guid is no list")
    texts = [row.get("id") if isinstance(row, dict) else None for row in rows]
    if not all(isinstance(text, str) for text in texts):
        raise RowError("a Guid is no text")
    return [text for text in texts if isinstance(text, str)]


def _show_key(raw: dict[str, Any], kind: Kind) -> str | None:
    found = raw.get("grandparentRatingKey" if kind is Kind.EPISODE else "parentRatingKey")
    return str(found) if isinstance(found, str | int) else None


def _text(raw: dict[str, Any], name: str) -> str | None:
    found = raw.get(name)
    if found is None or isinstance(found, str):
        return found
    raise RowError(f"{name} is no text")


def _whole(raw: dict[str, Any], name: str) -> int | None:
    found = raw.get(name)
    if found is None:
        return None
    if type(found) is not int or not 0 <= found < 1 << 53:
        raise RowError(f"{name} is no whole number")
    return found


def _place(raw: dict[str, Any], name: str) -> int | None:
    """A number of a season or an episode. What has none is sometimes numbered -1."""
    return None if raw.get(name) == -1 else _whole(raw, name)


def _time(raw: dict[str, Any], name: str) -> int | None:
    found = _whole(raw, name)
    if found is not None and found > MAX_TIME:
        raise RowError(f"{name} lies outside of the calendar")
    return found or None


# --- from rows to records -----------------------------------------------------------------------------


def item_of(row: Row, shows: Mapping[str, Show]) -> Item:
    """What a row is about; of a season or an episode together with its show."""
    if row.kind in (Kind.MOVIE, Kind.SHOW):
        return Item(row.kind, row.ids, row.title, row.year)
    show = shows.get(row.show_key or "", _NO_SHOW)
    ids = show.ids or row.show_ids
    title = row.title if row.kind is Kind.EPISODE else None
    return Item(
        row.kind,
        row.ids,
        title,
        show_ids=ids,
        season=row.season,
        number=row.number,
        show_title=show.title or row.show_title,
        show_year=show.year,
    )


_NO_SHOW: Final = Show((), None, None)


def value_of(feature: Feature, row: Row) -> Value | None:
    """What a row holds in a feature; None when nothing.

    A row that was watched and is being watched again has no time of its last play: ``lastViewedAt``
    is when the player stopped just now.
    """
    if feature is Feature.RATINGS:
        return None if row.score is None else Rated(row.score, when(row.rated_at))
    if feature is Feature.HISTORY:
        return Play(None if row.offset_ms else when(row.viewed_at)) if row.views else None
    if feature is Feature.PROGRESS:
        return Position(row.offset_ms, row.duration_ms, when(row.viewed_at)) if row.offset_ms else None
    raise ValueError(f"a library holds no {feature.value}")


def when(seconds: int | None) -> datetime | None:
    """A time of the wire."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def stamp(total: int | None, marks: Sequence[str]) -> str | None:
    """A stamp of a list: how many rows it has, and its newest ones. None when it does not say its total."""
    if total is None:
        return None
    newest = hashlib.sha256("\n".join(sorted(marks[:STAMP_ROWS])).encode()).hexdigest()[:16]
    return f"{total}:{newest}"
