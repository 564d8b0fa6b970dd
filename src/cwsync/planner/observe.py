"""What one run sees of a record on each side, and what that is against the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import Enum, StrEnum

from cwsync.model import (
    Capabilities,
    FeatureSpec,
    Mark,
    MarkKind,
    Mode,
    Row,
    Shelf,
    Side,
    Value,
    moment,
)
from cwsync.planner.normalize import Scale, freshest
from cwsync.planner.record import Record


class Missing(Enum):
    """How a record is not seen: proved absent, not known, or absent without anybody having taken it away.

    It is `LOST` when its row left the library (a file that was deleted, or replaced under another key), and when
    the service acknowledged it and never showed it under these ids.
    """

    ABSENT = "absent"
    UNKNOWN = "unknown"
    LOST = "lost"


Seen = Value | Missing
GONE = (Missing.ABSENT, Missing.LOST)


class Delta(StrEnum):
    """What a side did since the baseline."""

    NONE = "none"
    CHANGED = "changed"
    DELETED = "deleted"
    UNKNOWN = "unknown"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything one feature of one pair is planned by. `now` is the only clock.

    `names` are the account names of the sides, `caps` the providers' capabilities. `first_run` says
    that nothing may be removed; `sources_seen` how many records the source holds (mirror mode never
    removes for an empty source). `unscoped` says that every record is in the feature's scope.
    """

    spec: FeatureSpec
    mode: Mode
    scale: Scale
    names: dict[Side, str]
    caps: dict[Side, Capabilities]
    complete: dict[Side, bool]
    doubts: dict[Side, str | None]
    now: datetime
    first_run: bool
    sources_seen: int
    since: date | None = None
    until: date | None = None
    adds_only: bool = False
    unscoped: bool = False
    frozen: Mapping[str, str] = field(default_factory=dict)
    shelves: Mapping[Side, Shelf] = field(default_factory=dict)
    withheld: frozenset[Side] = frozenset()


@dataclass(frozen=True, slots=True)
class Sight:
    """One record as this run sees it: both sides and the row of the baseline to judge them by.

    `notes` say what was concluded about a write of ours whose outcome was unknown.
    """

    record: Record
    source: Seen
    target: Seen
    row: Row
    known: bool
    note: str | None = None

    def of(self, side: Side) -> Seen:
        """What is seen on `side`."""
        return self.source if side is Side.SOURCE else self.target

    def value(self, side: Side) -> Value | None:
        """The value seen on `side`, or None."""
        seen = self.source if side is Side.SOURCE else self.target
        return None if isinstance(seen, Missing) else seen


def look(record: Record, rules: Rules) -> Sight:
    """See a record: completeness decides between absent and unknown, never a guess."""
    row = _row(record)
    return Sight(
        record,
        _seen(record, row, Side.SOURCE, rules),
        _seen(record, row, Side.TARGET, rules),
        row,
        bool(record.rows) and row.agreed,
    )


def _seen(record: Record, row: Row, side: Side, rules: Rules) -> Seen:
    entries = record.source if side is Side.SOURCE else record.target
    if record.blind and side in record.blind:
        return Missing.UNKNOWN
    if entries:
        return entries[0].value if len(entries) == 1 else freshest([entry.value for entry in entries])
    absent, keys, shelf = rules.complete[side], row.native_keys(side), rules.shelves.get(side)
    if shelf is not None:
        # The row of this very title was read, whatever else was not: it can be added. What was there is not
        # concluded to be gone from half a list.
        absent = absent or (row.value(side) is None and shelf.knows(record.item))
        if absent and off_shelf(row, side, shelf):
            return Missing.LOST
    if not absent and side in rules.withheld:
        # Rows that are counted and not shown may be of what was known there, never of what is new to it.
        absent = row.value(side) is None and not keys and row.mark is None
    if absent and unshown(row, side):
        return Missing.LOST
    return Missing.ABSENT if absent else Missing.UNKNOWN


def off_shelf(row: Row, side: Side, shelf: Shelf) -> bool:
    """Whether a row that was known in a library is not in it any more."""
    keys = row.native_keys(side)
    return bool(keys) and not any(shelf.has(key) for key in keys)


def unshown(row: Row, side: Side) -> bool:
    """Whether `side` acknowledged a record that no read ever showed: it may stand there under other ids."""
    return row.unshown is side and row.value(side) is not None


def _row(record: Record) -> Row:
    """The row to judge by: several rows that turned out to be one title count as one."""
    if not record.rows:
        return Row(record.key, record.item)
    first = record.rows[0]
    if len(record.rows) == 1:
        return first
    source = [row.source for row in record.rows if row.source is not None]
    target = [row.target for row in record.rows if row.target is not None]
    marks = [row.mark for row in record.rows if row.mark is not None]
    return replace(
        first,
        source=freshest(source) if source else None,
        target=freshest(target) if target else None,
        source_keys=tuple(dict.fromkeys(key for row in record.rows for key in row.source_keys)),
        target_keys=tuple(dict.fromkeys(key for row in record.rows for key in row.target_keys)),
        mark=max(marks, key=lambda mark: mark.until) if marks else None,
        seen=next((row.seen for row in record.rows if row.seen), None),
        parked=next((row.parked for row in record.rows if row.parked), None),
        weak=any(row.weak for row in record.rows),
        unshown=next((row.unshown for row in record.rows if row.unshown), None),
        writes=tuple(sorted({at for row in record.rows for at in row.writes})),
    )


def delta(sight: Sight, side: Side, rules: Rules) -> Delta:
    """What `side` did since the baseline."""
    base, seen = sight.row.value(side), sight.of(side)
    if seen is Missing.UNKNOWN:
        return Delta.UNKNOWN
    if isinstance(seen, Missing):
        gone = Delta.LOST if seen is Missing.LOST else Delta.DELETED
        return Delta.NONE if base is None else gone
    if base is None:
        return Delta.CHANGED
    return Delta.NONE if rules.scale.unchanged(base, seen) else Delta.CHANGED


def settle(sight: Sight, rules: Rules) -> Sight | str:
    """Judge a row's mark: a sight without it, or the reason why the row stays frozen.

    A settled write needs nothing more. A write in doubt is judged once, by what is seen now: it
    landed; or it never did; or someone else wrote since, and then the baseline is forgotten.
    """
    mark = sight.row.mark
    if mark is None:
        return sight
    if rules.now < mark.until:
        word = {MarkKind.SETTLING: "our write", MarkKind.DOUBT: "a write in doubt", MarkKind.EFFECT: "a side effect"}
        return f"settling: {word[mark.kind]} on {rules.names[mark.side]} may not show before {mark.until:%H:%M:%S} UTC"
    if mark.kind is MarkKind.SETTLING:
        # An outlived mark means nothing and stays until the state is written for another reason: a
        # run in a still world must not change a byte.
        return sight
    bare = replace(sight, row=replace(sight.row, mark=None))
    seen = sight.of(mark.side)
    if seen is Missing.UNKNOWN:
        return f"doubt: a write to {rules.names[mark.side]} was never answered, and it cannot be read now"
    if mark.kind is MarkKind.EFFECT:
        return _judge_effect(bare, mark, seen)
    return _judge_doubt(bare, mark, seen, rules)


def _with_value(sight: Sight, side: Side, value: Value | None, other: Value | None) -> Sight:
    row = sight.row
    if side is Side.SOURCE:
        row = replace(row, source=value, target=other)
    else:
        row = replace(row, target=value, source=other)
    return replace(sight, row=row, known=row.agreed)


def _judge_effect(sight: Sight, mark: Mark, seen: Seen) -> Sight:
    if seen not in GONE:
        return sight
    return _with_value(sight, mark.side, None, sight.row.value(mark.side.other))


def _judge_doubt(sight: Sight, mark: Mark, seen: Seen, rules: Rules) -> Sight:
    if _matches(mark.after, seen, rules):
        copies = sight.record.entries(mark.side)
        if len(copies) > 1 and any(_matches(mark.before, copy.value, rules) for copy in copies):
            return replace(sight, note="the write in doubt had reached some of the copies")
        landed = _with_value(sight, mark.side, mark.after, mark.origin)
        return replace(landed, note="the write in doubt had landed")
    if _matches(mark.before, seen, rules):
        stamp = None if isinstance(seen, Missing) else seen.at
        if stamp is not None and moment(stamp) > mark.at:
            # The value is the old one, but it was written after our attempt: someone put it back.
            forgotten = _with_value(sight, mark.side, None, None)
            return replace(forgotten, note="doubt: someone wrote the old value again since")
        word = "the write in doubt never landed" if stamp is not None else "guess: the write in doubt left no trace"
        return replace(sight, note=word)
    forgotten = _with_value(sight, mark.side, None, None)
    return replace(forgotten, note="doubt: someone wrote this record since")


def _matches(value: Value | None, seen: Seen, rules: Rules) -> bool:
    if value is None or isinstance(seen, Missing):
        return value is None and seen in GONE
    return rules.scale.unchanged(value, seen)
