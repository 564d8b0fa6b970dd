"""Full play lists: which play on one side is which play on the other.

With ``plays = "all"`` each play of an item is a record of its own. Plays are matched one to one,
nearest first, within the coarser side's precision; plays without a date match only each other.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace

from cwsync.model import Entry, Row, Side, When, format_when, moment
from cwsync.planner.record import Record


def pair_nearest(one: Sequence[float], other: Sequence[float], within_s: float) -> list[tuple[int, int]]:
    """Match times (seconds) one to one, nearest first, at most `within_s` apart (exclusive).

    Gives index pairs. The work grows with the number of pairs within reach, not with the product.
    """
    order = sorted(range(len(other)), key=lambda index: other[index])
    times = [other[index] for index in order]
    near = []
    for index, at in enumerate(one):
        for place in range(bisect_left(times, at - within_s), bisect_right(times, at + within_s)):
            gap = abs(times[place] - at)
            if gap < within_s:
                near.append((gap, index, order[place]))
    near.sort()
    used_one: set[int] = set()
    used_other: set[int] = set()
    pairs = []
    for _gap, index, partner in near:
        if index not in used_one and partner not in used_other:
            used_one.add(index)
            used_other.add(partner)
            pairs.append((index, partner))
    return pairs


def split_plays(record: Record, within_s: float) -> list[Record]:
    """One record per play. A record in trouble stays whole, and so does one with a row that cannot be read."""
    if record.trouble:
        return [record]
    if record.blind:
        # Which play the row is cannot be told, so no play of this title is judged.
        why = "; ".join(sorted(record.blind.values()))
        return [replace(record, trouble=why if why.startswith("lingering") else f"unreadable: {why}")]
    source_plays, target_plays, rows = _distinct(record.source), _distinct(record.target), list(record.rows)
    records = _agreed(record, source_plays, target_plays, rows)
    for source, target in _match(list(source_plays.values()), list(target_plays.values()), within_s):
        row = _take(rows, record.key, source, target)
        records.append(_one(record, source, target, row))
    records += [_one(record, None, None, row) for row in rows]
    return _named(records)


_Copies = tuple[Entry, ...]
_Plays = dict[When, _Copies]


def _agreed(record: Record, one: _Plays, other: _Plays, rows: list[Row]) -> list[Record]:
    """The plays of both sides that a row says are one, taken out of both and of the rows.

    That stays so when the sides are taken to be more precise than they were when it was agreed.
    """
    records = []
    for row in list(rows):
        if row.source is None or row.target is None:
            continue
        here, there = row.source.at, row.target.at
        if here in one and there in other:
            records.append(_one(record, one.pop(here), other.pop(there), row))
            rows.remove(row)
    return records


def _distinct(entries: Sequence[Entry]) -> _Plays:
    """The plays of one side by their times. Rows with the very same time, or none, are copies of one play."""
    plays: dict[When, list[Entry]] = {}
    for entry in entries:
        plays.setdefault(entry.value.at, []).append(entry)
    return {at: tuple(copies) for at, copies in plays.items()}


def _match(
    one: Sequence[_Copies], other: Sequence[_Copies], within_s: float
) -> list[tuple[_Copies | None, _Copies | None]]:
    dated = [[play for play in side if play[0].value.at is not None] for side in (one, other)]
    blank = [[play for play in side if play[0].value.at is None] for side in (one, other)]
    seconds = [[moment(at).timestamp() for play in side if (at := play[0].value.at) is not None] for side in dated]
    pairs = pair_nearest(seconds[0], seconds[1], max(within_s, 1.0))
    found: list[tuple[_Copies | None, _Copies | None]] = [(dated[0][i], dated[1][j]) for i, j in pairs]
    matched = {i for i, _ in pairs}, {j for _, j in pairs}
    found += [(entry, None) for i, entry in enumerate(dated[0]) if i not in matched[0]]
    found += [(None, entry) for j, entry in enumerate(dated[1]) if j not in matched[1]]
    both = min(len(blank[0]), len(blank[1]))
    found += list(zip(blank[0][:both], blank[1][:both], strict=True))
    found += [(entry, None) for entry in blank[0][both:]]
    found += [(None, entry) for entry in blank[1][both:]]
    return found


def _take(rows: list[Row], key: str, source: _Copies | None, target: _Copies | None) -> Row | None:
    """The row that holds one of these two plays, taken out of `rows`.

    A row without a value (a refused play, a write in doubt, a first sighting) belongs to the play that
    its mark or its key names.
    """
    for index, row in enumerate(rows):
        if _holds(row, Side.SOURCE, source) or _holds(row, Side.TARGET, target):
            return rows.pop(index)
    names = [_play_key(key, play[0].value.at) for play in (source, target) if play is not None]
    for index, row in enumerate(rows):
        if not row.agreed and _unnumbered(row.key) in names:
            return rows.pop(index)
    return None


def _play_key(key: str, at: When) -> str:
    return f"{key}@{format_when(at) or 'unknown'}"


def _unnumbered(key: str) -> str:
    """The key of a play without the number that tells it from others of its time; an episode's own has a ``#`` too."""
    title, at, when = key.rpartition("@")
    return f"{title}{at}{when.partition('#')[0]}"


def _holds(row: Row, side: Side, play: _Copies | None) -> bool:
    if play is None:
        return False
    values = [row.value(side)]
    if row.mark is not None:
        values += [row.mark.before, row.mark.after] if row.mark.side is side else [row.mark.origin]
    return any(value is not None and value.at == play[0].value.at for value in values)


def _one(record: Record, source: _Copies | None, target: _Copies | None, row: Row | None) -> Record:
    return replace(
        record,
        source=source or (),
        target=target or (),
        rows=(row,) if row else (),
    )


def _play_time(record: Record) -> When:
    for entry in (*record.source, *record.target):
        return entry.value.at
    for row in record.rows:
        for value in (row.source, row.target):
            if value is not None:
                return value.at
    return None


def _play_order(record: Record) -> tuple[str, str, str]:
    return format_when(_play_time(record)) or "", repr(record.source), repr(record.target)


def _named(records: list[Record]) -> list[Record]:
    """Give each play a key of its own: that of its row, or the item's with the time of the play."""
    taken = {row.key for record in records for row in record.rows}
    named = []
    for record in sorted(
        records, key=lambda one: (format_when(_play_time(one)) or "", repr(one.source), repr(one.target))
    ):
        if record.rows:
            named.append(replace(record, key=record.rows[0].key))
            continue
        base = _play_key(record.key, _play_time(record))
        key, number = base, 1
        while key in taken:
            number += 1
            key = f"{base}#{number}"
        taken.add(key)
        named.append(replace(record, key=key))
    return named
