"""Answers of Jellyfin and Emby, decoded: pages, rows of a library, and users.

Pure, and the same for both: their rows differ in what is left out. A wrong type in a row makes that
row unreadable (`RowError`), a wrong shape of the whole answer makes the read a failed one
(`Answer.garbled`).

Source: Jellyfin's server 10.10.7 to 12.0-rc5, its OpenAPI documents and those of Emby 4.8.11 and
4.9.0.41 (checked 2026-11-21). Names are in PascalCase; what is null may be left out; times are UTC
with up to seven digits of a second, durations and positions ticks of 100 ns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from sys import intern
from typing import Any, Final
from unicodedata import normalize

from cwsync.http import Answer
from cwsync.model import (
    ExternalId,
    Kind,
)
from cwsync.providers._mbids import ids_of

TYPES: Final[Mapping[str, Kind]] = {
    "Movie": Kind.MOVIE,
    "Series": Kind.SHOW,
    "Season": Kind.SEASON,
    "Episode": Kind.EPISODE,
}
TICKS_PER_MS: Final = 10_000
# A file of more episodes than that is one whose numbers were misread.
MOST_EPISODES: Final = 20
KEY: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
USER_ID: Final = re.compile("[0-9a-f]{32}")


class RowError(ValueError):
    """A row that cannot be read. `key` is its own name, where at least that can."""

    def __init__(self, why: str, key: str | None = None) -> None:
        super().__init__(why)
        self.key = key


@dataclass(frozen=True, slots=True)
class State:
    """What a user did with a row (``UserData``). `plays` counts starts and marks, not plays to the end."""

    played: bool
    plays: int
    played_at: datetime | None
    position_ms: int
    favourite: bool
    score: int | None


@dataclass(slots=True)
class Row:
    """One row of a library: what it is, and what the user did with it.

    `last` is the last episode of a file that holds several, None for all others. `has_path` says that
    the server named its file, where it was asked to.
    """

    key: str
    kind: Kind
    ids: tuple[ExternalId, ...]
    title: str | None
    year: int | None
    show_key: str | None
    show_title: str | None
    season: int | None
    number: int | None
    last: int | None
    duration_ms: int | None
    state: State
    has_path: bool = False

    def numbers(self) -> range:
        """The episodes that the file holds; of a file of one, or of no known one, nothing."""
        if self.number is None or self.last is None:
            return range(0)
        return range(self.number, self.last + 1)


@dataclass(frozen=True, slots=True)
class Show:
    """What episodes and seasons need to know of their show."""

    ids: tuple[ExternalId, ...]
    title: str | None
    year: int | None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read."""

    key: str | None
    why: str


@dataclass(frozen=True, slots=True)
class RawPage:
    """One page: its raw rows, and how many the whole list has (None: not told)."""

    rows: Sequence[Any]
    total: int | None


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may use the server."""

    id: str
    name: str
    admin: bool = False
    password: bool = True


@dataclass(frozen=True, slots=True)
class Server:
    """Which server it is. `version` is as it says itself; `numbers` its first two parts."""

    id: str
    name: str
    product: str
    version: str
    numbers: tuple[int, int]


# --- whole answers ------------------------------------------------------------------------------------


def decode_page(answer: Answer) -> RawPage:
    """The rows of a page. Raises `UnavailableError` for anything that is none."""
    body = answer.items(dict)
    rows, total = body.get("Items"), body.get("TotalRecordCount")
    if not isinstance(rows, list):
        answer.garbled("it has no Items")
    if total is not None and (type(total) is not int or total < 0):
        answer.garbled("TotalRecordCount is no number")
    return RawPage(rows, total)


def decode_server(answer: Answer) -> Server:
    """Which server answers, from ``/System/Info/Public``."""
    body = answer.items(dict)
    found, version = body.get("Id"), body.get("Version")
    if not isinstance(found, str) or not found or not isinstance(version, str):
        answer.garbled("it is neither a Jellyfin nor an Emby")
    parts = re.match(r"(\d{1,4})\.(\d{1,4})", version)
    if parts is None:
        answer.garbled("it does not tell its version")
    product, name = body.get("ProductName"), body.get("ServerName")
    return Server(
        found.lower(),
        name if isinstance(name, str) and name else "?",
        product if isinstance(product, str) else "",
        version,
        (int(parts[1]), int(parts[2])),
    )


def decode_user(answer: Answer, raw: object = None) -> User:
    """One user: the whole answer, or one object of it."""
    found = answer.items(dict) if raw is None else raw
    number = found.get("Id") if isinstance(found, dict) else None
    name = found.get("Name") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(number, str) or not isinstance(name, str):
        answer.garbled("it is no user")
    policy = found.get("Policy")
    admin = isinstance(policy, dict) and policy.get("IsAdministrator") is True
    return User(plain_id(number), name, admin, found.get("HasPassword") is not False)


def decode_users(answer: Answer) -> list[User]:
    """All users of a list: bare, or in ``Items``."""
    body = answer.json()
    rows = body.get("Items") if isinstance(body, dict) else body
    if not isinstance(rows, list):
        answer.garbled("it has no list of users")
    return [decode_user(answer, raw) for raw in rows]


def decode_views(answer: Answer) -> list[tuple[str, str]]:
    """The libraries of a user: id and name."""
    found = []
    for raw in decode_page(answer).rows:
        key, name = (raw.get("Id"), raw.get("Name")) if isinstance(raw, dict) else (None, None)
        if not isinstance(key, str) or not KEY.fullmatch(key) or not isinstance(name, str):
            answer.garbled("a library has no name")
        found.append((key, name))
    return found


def same_name(one: str, other: str) -> bool:
    """Whether two names are one to people: whatever the case, and however an accent is put together."""
    return _folded(one) == _folded(other)


def _folded(text: str) -> str:
    return normalize("NFC", normalize("NFD", text.strip()).casefold())


def plain_id(text: str) -> str:
    """An id of a user as both servers write it: 32 digits, small, without dashes."""
    return text.replace("-", "").lower()


# --- rows -------------------------------------------------------------------------------------------


def read_row(raw: object) -> Row | BadRow | None:
    """One row; None for one that is no file but a gap: an episode that is missing, or did not air yet."""
    try:
        return decode_row(raw)
    except RowError as error:
        return BadRow(error.key, str(error))


def decode_row(raw: object) -> Row | None:
    """One row, as `read_row`. Raises `RowError`."""
    if not isinstance(raw, dict):
        raise RowError("it is no object")
    key = raw.get("Id")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise RowError("it has no Id")
    try:
        return None if raw.get("LocationType") == "Virtual" else _row(raw, key)
    except RowError as error:
        raise RowError(str(error), key) from None


def _row(raw: dict[str, Any], key: str) -> Row:
    kind = TYPES.get(raw.get("Type") or "")
    if kind is None:
        # A box set in place of the films in it, say: they would seem gone.
        raise RowError(f"its type is {str(raw.get('Type'))[:20]!r}")
    state = decode_state(raw.get("UserData"))
    inside = kind is Kind.EPISODE or kind is Kind.SEASON
    number = _whole(raw, "IndexNumber")
    season = number if kind is Kind.SEASON else _whole(raw, "ParentIndexNumber") if inside else None
    ticks = _whole(raw, "RunTimeTicks")
    return Row(
        key,
        kind,
        _ids(kind, raw.get("ProviderIds")),
        _text(raw, "Name"),
        _whole(raw, "ProductionYear") if not inside else None,
        # Thousands of episodes name the same show.
        intern(_text(raw, "SeriesId") or "") or None if inside else None,
        intern(_text(raw, "SeriesName") or "") or None if inside else None,
        season,
        number if kind is Kind.EPISODE else None,
        _last(raw, number) if kind is Kind.EPISODE else None,
        (ticks // TICKS_PER_MS or None) if ticks else None,
        state,
        bool(raw.get("Path")),
    )


def _ids(kind: Kind, raw: object) -> tuple[ExternalId, ...]:
    try:
        return ids_of(kind, raw)
    except ValueError as error:
        raise RowError(str(error)) from None


def _last(raw: dict[str, Any], number: int | None) -> int | None:
    """The last number of a file of several episodes; of one that goes backwards, or too far, nothing is believed."""
    last = _whole(raw, "IndexNumberEnd")
    if last is None or number is None or not number < last < number + MOST_EPISODES:
        return None
    return last


def decode_state(raw: object) -> State:
    """``UserData``. Raises `RowError`."""
    if not isinstance(raw, dict):
        # Without a user the server tells none: whatever it is, it is not ours.
        raise RowError("it has no UserData")
    played, favourite = raw.get("Played"), raw.get("IsFavorite")
    if type(played) is not bool or type(favourite) is not bool:
        raise RowError("UserData does not tell Played and IsFavorite")
    rating = raw.get("Rating")
    if rating is not None and (type(rating) not in (int, float) or not 0 <= rating <= 10):
        raise RowError("Rating is no rating")
    return State(
        played,
        _whole(raw, "PlayCount") or 0,
        decode_time(raw.get("LastPlayedDate")),
        (_whole(raw, "PlaybackPositionTicks") or 0) // TICKS_PER_MS,
        favourite,
        max(1, round(rating * 10)) if rating else None,
    )


def decode_time(text: object) -> datetime | None:
    """A time of the wire, to the second. Raises `RowError` for what is none.

    One without a zone was seen as the local time of a server nobody knows the zone of: that it was
    watched is known, when is not. The year 1 stands for "never".
    """
    if text is None:
        return None
    if not isinstance(text, str) or len(text) < 19:
        raise RowError("LastPlayedDate is no time")
    try:
        if text[-1] == "Z":
            at = datetime.fromisoformat(text[:19] + "+00:00")
        else:
            told = datetime.fromisoformat(text)
            if told.tzinfo is None:
                return None
            at = told.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise RowError("LastPlayedDate is no time") from None
    return at if at.year > 1900 else None


def _text(raw: dict[str, Any], name: str) -> str | None:
    found = raw.get(name)
    if found is None or isinstance(found, str):
        return found
    raise RowError(f"{name} is no text")


def _whole(raw: dict[str, Any], name: str) -> int | None:
    """A number; one below zero stands for none, as -1 does where an episode has no number."""
    found = raw.get(name)
    if found is None:
        return None
    if type(found) is not int or found >= 1 << 63:
        raise RowError(f"{name} is no whole number")
    return found if found >= 0 else None


# --- from rows to records -----------------------------------------------------------------------------
