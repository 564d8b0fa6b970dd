"""What a user did with an item: the value of a record in one feature.

Times are aware UTC datetimes, or a plain date where a service knows no more; constructors refuse
anything else. A time that is not known is None, and never "now".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

type_error = "times are aware UTC datetimes or dates, not {!r}"

# datetime is a subclass of date, so this is "datetime or date or unknown".
When = date | None


def check_when(at: object) -> None:
    """Raise ``ValueError`` unless `at` is None, a date, or an aware datetime in UTC."""
    if at is None or type(at) is date:
        return
    if isinstance(at, datetime) and at.tzinfo is UTC:
        return
    raise ValueError(type_error.format(at))


def moment(at: date) -> datetime:
    """The instant a time stands for; a date stands for its first moment in UTC."""
    return at if isinstance(at, datetime) else datetime.combine(at, time.min, UTC)


def parse_when(text: object) -> When:
    """Read RFC 3339 (or a date, or None) into UTC; raise ``ValueError`` for anything else.

    A time without an offset is refused: guessing a zone moves plays to another day.
    """
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError(f"a time is text like 2024-05-01T20:15:00Z, not {text!r}")
    if len(text) == 10:
        return date.fromisoformat(text)
    at = datetime.fromisoformat(text)
    if at.tzinfo is UTC:
        return at
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no zone; write 2024-05-01T20:15:00Z")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} lies outside the calendar") from None


def format_when(at: When) -> str | None:
    """The reverse of `parse_when`: RFC 3339 with ``Z``, to the second unless there is more."""
    if at is None:
        return None
    text = at.isoformat()
    return text[:-6] + "Z" if isinstance(at, datetime) else text


@dataclass(frozen=True, slots=True)
class Listed:
    """On the watchlist. `at` is evidence, not value."""

    at: When = None

    def __post_init__(self) -> None:
        check_when(self.at)


@dataclass(frozen=True, slots=True)
class Rated:
    """A rating. `score` is 1..100 in whole points; `at` is when the service says it was given."""

    score: int
    at: When = None

    def __post_init__(self) -> None:
        if type(self.score) is not int or not 1 <= self.score <= 100:
            raise ValueError(f"a score is a whole number from 1 to 100, not {self.score!r}")
        check_when(self.at)


@dataclass(frozen=True, slots=True)
class Play:
    """Watched to the end. `at` is None when the date is unknown."""

    at: When = None

    def __post_init__(self) -> None:
        check_when(self.at)


@dataclass(frozen=True, slots=True)
class Position:
    """Stopped in the middle. `ms` from the start; `duration_ms` of the whole, where known."""

    ms: int
    duration_ms: int | None = None
    at: When = None

    def __post_init__(self) -> None:
        if type(self.ms) is not int or self.ms < 0:
            raise ValueError(f"a position is a whole number of milliseconds, not {self.ms!r}")
        if self.duration_ms is not None and (type(self.duration_ms) is not int or self.duration_ms <= 0):
            raise ValueError(f"a duration is a whole number of milliseconds, not {self.duration_ms!r}")
        check_when(self.at)


Value = Listed | Rated | Play | Position
