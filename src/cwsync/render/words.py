"""Values, counts and times in words for people. Times are UTC, so that the same run reads the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from cwsync.model import Change, Feature, Item, Kind, Listed, Op, Play, Position, Rated, Value, When, id_rank
from cwsync.render.sanitise import sanitise

_BY_PREFERENCE = (Feature.WATCHLIST, Feature.RATINGS, Feature.HISTORY, Feature.PROGRESS)
NOTHING = "—"


def count(number: int, one: str, many: str | None = None) -> str:
    """``1 record``, ``2,648 records``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def when(at: When) -> str:
    """``2024-05-01 20:15`` (UTC), a bare date where no more is known."""
    if at is None:
        return "date unknown"
    return at.strftime("%Y-%m-%d %H:%M") if isinstance(at, datetime) else at.isoformat()


def stars(score: int) -> str:
    """A score of 100 as people write it: ``8``, ``7.5``, ``7.25``."""
    whole, rest = divmod(score, 10)
    return f"{whole}.{rest}" if rest else str(whole)


def clock(ms: int) -> str:
    """``41:10``, ``1:52:00``."""
    minutes, seconds = divmod(ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def span(length: timedelta) -> str:
    """``45 s``, ``12 min``, ``3 h``, ``2 days``: rounded down to one unit."""
    seconds = max(int(length.total_seconds()), 0)
    for size, unit in ((86400, "day"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and unit != "day"):
            return count(seconds // size, unit, "days" if unit == "day" else unit)
    return f"{seconds} s"


def value(of: Value | None, *, dated: bool = False) -> str:
    """A value as a person would say it; `dated` adds the time where it is not the value itself."""
    if of is None:
        return NOTHING
    if isinstance(of, Play):
        return f"watched {when(of.at)}" if of.at is not None else "watched, date unknown"
    if isinstance(of, Rated):
        text = stars(of.score)
    elif isinstance(of, Position):
        text = clock(of.ms) + (f" of {clock(of.duration_ms)}" if of.duration_ms else "")
    else:
        text = "listed"
    if not dated or of.at is None:
        return text
    return f"{text} {when(of.at)}" if isinstance(of, Listed) else f"{text}, {when(of.at)}"


def transition(change: Change) -> str:
    """What a change does to the value: ``8``, ``7 → 8``, ``was 8``."""
    if change.op is Op.ADD:
        return value(change.after)
    if change.op is Op.REMOVE:
        return f"was {value(change.before)}"
    before, after = value(change.before), value(change.after)
    if before == after:
        before, after = value(change.before, dated=True), value(change.after, dated=True)
    return f"{before} → {after}"


def why(change: Change) -> str:
    """The reason of a change, with what the target cannot keep."""
    reason = sanitise(change.reason)
    return f"{reason} (not kept: {sanitise(change.lost)})" if change.lost else reason


def label(item: Item) -> str:
    """The item for a person, safe to print."""
    return sanitise(item.label())


def by_title(item: Item) -> tuple[str, int, int, int, str]:
    """Sort key of tables: by name, the seasons and episodes of a show in their order."""
    name, year = (item.show_title, item.show_year) if item.show_title else (item.title, item.year)
    season = -1 if item.season is None else item.season
    number = -1 if item.number is None else item.number
    return (name or item.label()).casefold(), year or 0, season, number, item.label()


def id_words(item: Item) -> str:
    """``imdb tt0113277, tmdb 949``; for an episode without ids of its own, its show's."""
    own = ", ".join(f"{one.service} {one.value}" for one in sorted(item.ids, key=id_rank))
    shows = ", ".join(f"{one.service} {one.value}" for one in sorted(item.show_ids, key=id_rank))
    if shows:
        own = f"{own}; show {shows}" if own else f"show {shows}"
    return sanitise(own, None) or "no ids"


def kinds(of: frozenset[Kind]) -> str:
    """``movie, show``, in the order of `Kind`; ``all types`` for all of them."""
    return "all types" if of == frozenset(Kind) else ", ".join(kind.value for kind in Kind if kind in of) or NOTHING


def in_order(features: Mapping[Feature, object] | frozenset[Feature]) -> list[Feature]:
    """Features in the order in which people think of them."""
    return [feature for feature in _BY_PREFERENCE if feature in features]
