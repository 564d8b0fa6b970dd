"""What the rows of Jellyfin and Emby are in our words: titles, values, records. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from cwsync.model import Entry, Feature, Item, Kind, Listed, Play, Position, Rated, Value, moment
from cwsync.providers._mbwire import Row, Show

_PLAYABLE: Final = frozenset({Kind.MOVIE, Kind.EPISODE})
_NO_SHOW: Final = Show((), None, None)
_LISTED: Final = Listed()
# As far as clocks may differ.
_AHEAD: Final = timedelta(minutes=5)


def item_of(row: Row, shows: Mapping[str, Show]) -> Item:
    """What a row is about; of a season or an episode together with its show."""
    if row.kind is Kind.MOVIE or row.kind is Kind.SHOW:
        return Item(row.kind, row.ids, row.title, row.year)
    show = shows.get(row.show_key or "", _NO_SHOW)
    return Item(
        row.kind,
        row.ids,
        row.title if row.kind is Kind.EPISODE else None,
        None,
        show.ids,
        row.season,
        row.number,
        show.title or row.show_title,
        show.year,
    )


def value_of(feature: Feature, row: Row) -> Value | None:
    """What a row holds in a feature; None when nothing.

    The position of a played row is what its player left behind, and none of anybody's. A file of
    several episodes has one position and one rating for all of them: they are nobody's either.
    """
    state = row.state
    if feature is Feature.WATCHLIST:
        return _LISTED if state.favourite and row.kind in (Kind.MOVIE, Kind.SHOW) else None
    if feature is Feature.HISTORY:
        return Play(state.played_at) if state.played and row.kind in _PLAYABLE else None
    if row.last is not None:
        return None
    if feature is Feature.RATINGS:
        return None if state.score is None else Rated(state.score)
    if state.played or not state.position_ms or row.kind not in _PLAYABLE:
        return None
    return Position(state.position_ms, row.duration_ms, state.played_at)


def believed(value: Value, now: datetime | None) -> Value:
    """A value without its time, where that is yet to come by the clock of the server (None: not known).

    Written in a wrong zone, or by a wrong clock, it says nothing of when. Taken for true, such a position would be
    the newer one for as long, and undo whatever is watched on elsewhere.
    Source: Jellyfin issues 2001 and 5749 (dates in the zone of the server; checked 2026-11-21).
    """
    late = now is not None and value.at is not None and moment(value.at) > now + _AHEAD
    return replace(value, at=None) if late else value


def lingers(feature: Feature, row: Row) -> bool:
    """Whether a row that is not played now was begun once: that is no proof that somebody took the mark away.

    Who takes it away takes the count and the date with it; who begins a played title again leaves both.
    Source: Jellyfin issues 14351 and 10984, up to 10.11 (checked 2026-11-21).
    """
    state = row.state
    if feature is not Feature.HISTORY or state.played or row.kind not in _PLAYABLE:
        return False
    return state.plays > 0 or state.played_at is not None


def entries_of(row: Row, value: Value, shows: Mapping[str, Show]) -> Iterator[Entry]:
    """The records of one row: one, or one for each episode of its file. Only the first has the ids of the row."""
    item = item_of(row, shows)
    if row.last is None:
        yield Entry(item, value, row.key)
        return
    for number in row.numbers():
        first = number == row.number
        own = item if first else replace(item, ids=(), title=None, number=number)
        yield Entry(own, value, f"{row.key}#{number}")
