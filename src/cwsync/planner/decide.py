"""The law for one record: what is done, or why not.

Every record ends in exactly one class. A hold writes nothing and leaves the baseline as it is, so
the evidence stays for the next run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from cwsync.model import (
    Class,
    Conflict,
    Entry,
    Feature,
    Mode,
    Note,
    Op,
    Position,
    RemoveMode,
    Row,
    Side,
    Sighting,
    Value,
    moment,
)
from cwsync.planner.identity import Record
from cwsync.planner.normalize import newer
from cwsync.planner.observe import Delta, Missing, Rules, Sight, delta, look, settle
from cwsync.planner.write import Write, ranged, scoped, writes

_CLOCK_SLACK = timedelta(seconds=120)
_SECOND_LOOK = timedelta(minutes=10)
_UNCHANGED = "same: nothing changed"
_ADOPTED = "adopt: both sides agree"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one record.

    `row` is the row to store in place of those of `record` (`stored` says whether there is anything
    to store). `note` is set for conflicts, holds and skips; a conflict that a policy settled has
    both a note and a write.
    """

    record: Record
    cls: Class
    reason: str
    write: Write | None = None
    note: Note | None = None
    row: Row | None = None
    stored: bool = False


@dataclass(frozen=True, slots=True)
class _Want:
    """What the table asks for: a value for `side` (None: remove it there), and why."""

    side: Side
    value: Value | None
    reason: str
    conflict: str | None = None


_Answer = Decision | _Want


def decide(record: Record, rules: Rules) -> Decision:
    """Apply the law to one record."""
    return _at_a_glance(record, rules) or decide_slowly(record, rules)


def _at_a_glance(record: Record, rules: Rules) -> Decision | None:
    """The answer for a record that is on both sides, the same, once: nearly all of them, nearly always.

    It says nothing that `decide_slowly` would not say (a test holds the two against each other).
    """
    source, target, rows = record.source, record.target, record.rows
    if len(source) != 1 or len(target) != 1 or record.trouble or record.blind or record.weak or not rules.unscoped:
        return None
    one, other = source[0].value, target[0].value
    if not rules.scale.equal(one, other):
        return None
    if not rows:
        row = Row(record.key, record.item, one, other, _native(source, ()), _native(target, ()))
        return Decision(record, Class.ADOPT, _ADOPTED, row=row, stored=True)
    row = rows[0]
    if len(rows) != 1 or row.mark or row.seen or row.parked or row.weak or row.source is None or row.target is None:
        return None
    unchanged, item = rules.scale.unchanged, record.item
    if row.key != record.key or row.item.ids != item.ids or row.item.show_ids != item.show_ids:
        return None
    if not unchanged(row.source, one) or not unchanged(row.target, other):
        return None
    if row.source_keys != _native(source, row.source_keys) or row.target_keys != _native(target, row.target_keys):
        return None
    return Decision(record, Class.SAME, _UNCHANGED)


def decide_slowly(record: Record, rules: Rules) -> Decision:
    """Apply the law to one record, step by step."""
    sight = look(record, rules)
    if record.trouble:
        return _note(sight, rules, Class.SKIP if record.trouble.startswith("no-ids") else Class.HOLD, record.trouble)
    if outside := scoped(sight, rules):
        return Decision(record, Class.SKIP, outside)
    settled = settle(sight, rules)
    if isinstance(settled, str):
        return _note(sight, rules, Class.HOLD, settled, undecided=settled.startswith("doubt"))
    answer = _judge(settled, rules)
    return _carry_out(settled, answer, rules) if isinstance(answer, _Want) else answer


def _judge(sight: Sight, rules: Rules) -> _Answer:
    one, other = sight.value(Side.SOURCE), sight.value(Side.TARGET)
    if one is not None and other is not None:
        if rules.scale.equal(one, other):
            return _agree(sight, rules)
        if isinstance(one, Position) and isinstance(other, Position):
            return _further(sight, one, other, rules)
    if rules.mode is Mode.ONE_WAY:
        return _one_way(sight, rules)
    return _two_way(sight, rules)


def _agree(sight: Sight, rules: Rules) -> Decision:
    """Both sides say the same: learn it, without a write, unless the baseline says so already."""
    one, other, row = sight.value(Side.SOURCE), sight.value(Side.TARGET), sight.row
    if one is None or other is None:
        return _same(sight)
    if row.source is not None and row.target is not None:
        unchanged = rules.scale.unchanged
        if unchanged(row.source, one) and unchanged(row.target, other):
            return _same(sight)
    row = replace(row, source=one, target=other)
    return _stored(sight, Class.ADOPT, _ADOPTED, row)


def _same(sight: Sight, reason: str = _UNCHANGED) -> Decision:
    return _stored(sight, Class.SAME, sight.note or reason, sight.row)


def _untouched(sight: Sight, reason: str) -> Decision:
    """Nothing to do and nothing to learn: what was not seen changes nothing, not even what was noted of it."""
    return Decision(sight.record, Class.SAME, reason)


def _further(sight: Sight, one: Position, other: Position, rules: Rules) -> _Answer:
    """Two positions: the newer time wins; without times only the further one may be sent."""
    order = newer(one.at, other.at)
    if order == 0:
        order = 1 if one.ms > other.ms else -1
        if rules.mode is Mode.ONE_WAY and order < 0:
            return _same(sight, "older: the target is further, and no time says that it should go back")
    if order < 0 and rules.mode is Mode.ONE_WAY:
        return _same(sight, "older: the target's position is the newer one")
    side, value = (Side.TARGET, one) if order > 0 else (Side.SOURCE, other)
    if not rules.scale.is_progress(value):
        return _same(sight, "not-progress: too near the start or the end")
    return _Want(side, value, f"newer: {rules.names[side.other]} was watched later")


def _one_way(sight: Sight, rules: Rules) -> _Answer:
    source, target, row = sight.source, sight.target, sight.row
    here = rules.names[Side.SOURCE]
    if not isinstance(source, Missing):
        if not rules.scale.is_progress(source):
            return _same(sight, "not-progress: too near the start or the end")
        if target is Missing.UNKNOWN:
            still = row.source is not None and row.target is not None and rules.scale.unchanged(row.source, source)
            return _untouched(sight, "same: the source did not change") if still else _blind(sight, Side.TARGET, rules)
        if target is Missing.ABSENT:
            again = f"drift: {rules.names[Side.TARGET]} lost it" if row.target is not None else f"new: on {here}"
            return _Want(Side.TARGET, source, again)
        moved = delta(sight, Side.SOURCE, rules) is Delta.CHANGED
        told = f"changed: on {here}" if row.agreed else f"changed: the sides differ; {here} is the source"
        return _Want(Side.TARGET, source, told if moved else f"drift: {here} says otherwise")
    if source is Missing.UNKNOWN:
        return _untouched(sight, "unknown: the source could not be read for this record")
    if target is Missing.ABSENT:
        return _drop(sight)
    if row.source is not None:
        if target is Missing.UNKNOWN:
            return _blind(sight, Side.TARGET, rules)
        return _Want(Side.TARGET, None, f"gone: from {here}")
    if target is Missing.UNKNOWN:
        return _untouched(sight, "unknown: the target could not be read for this record")
    if rules.spec.remove_mode is not RemoveMode.MIRROR or not rules.spec.remove:
        return _same(sight, "same: only the target has it")
    if rules.first_run or not rules.sources_seen:
        why = "first run" if rules.first_run else "source is empty"
        return _note(sight, rules, Class.HOLD, f"mirror: nothing is removed while the {why}")
    return _Want(Side.TARGET, None, f"mirror: {here} does not have it")


def _two_way(sight: Sight, rules: Rules) -> _Answer:
    if sight.source is Missing.ABSENT and sight.target is Missing.ABSENT:
        return _drop(sight)
    deltas = _meaningful(sight, Side.SOURCE, rules), _meaningful(sight, Side.TARGET, rules)
    match deltas:
        case (Delta.NONE, Delta.NONE):
            return _same(sight)
        case (Delta.UNKNOWN, Delta.UNKNOWN) | (Delta.NONE, Delta.UNKNOWN) | (Delta.UNKNOWN, Delta.NONE):
            return _untouched(sight, "unknown: not everything could be read, and nothing else changed")
        case (_, Delta.UNKNOWN):
            return _blind(sight, Side.TARGET, rules)
        case (Delta.UNKNOWN, _):
            return _blind(sight, Side.SOURCE, rules)
        case (moved, Delta.NONE):
            return _spread(sight, Side.SOURCE, moved, rules)
        case (Delta.NONE, moved):
            return _spread(sight, Side.TARGET, moved, rules)
        case _:
            return _conflict(sight, deltas, rules)


def _meaningful(sight: Sight, side: Side, rules: Rules) -> Delta:
    """The delta of a side; a position too near an end counts as none at all."""
    value = sight.value(side)
    if value is None or rules.scale.is_progress(value):
        return delta(sight, side, rules)
    return Delta.NONE if sight.row.value(side) is None else Delta.DELETED


def _spread(sight: Sight, side: Side, moved: Delta, rules: Rules) -> _Want:
    """One side moved: the other follows."""
    here, known = rules.names[side], sight.row.value(side) is not None
    if moved is Delta.DELETED:
        return _Want(side.other, None, f"gone: from {here}")
    return _Want(side.other, sight.value(side), f"{'changed' if known else 'new'}: on {here}")


def _conflict(sight: Sight, deltas: tuple[Delta, Delta], rules: Rules) -> _Answer:
    policy = rules.spec.conflict
    what = "both sides changed" if sight.row.agreed else "the sides differ"
    if policy is Conflict.SKIP:
        return _note(sight, rules, Class.CONFLICT, f'conflict: {what}; conflict = "skip"', undecided=True)
    winner = _winner(sight, deltas, policy)
    moved = deltas[0] if winner is Side.SOURCE else deltas[1]
    reason = f"conflict: {what}; {rules.names[winner]} wins ({policy.value})"
    if Delta.DELETED in deltas:
        gone = winner if moved is Delta.DELETED else winner.other
        reason = f"{reason}; {rules.names[gone]} had removed it"
    value = None if moved is Delta.DELETED else sight.value(winner)
    return _Want(winner.other, value, reason, reason)


def _winner(sight: Sight, deltas: tuple[Delta, Delta], policy: Conflict) -> Side:
    if policy is Conflict.TARGET:
        return Side.TARGET
    if policy is Conflict.KEEP and Delta.DELETED in deltas:
        return Side.TARGET if deltas[0] is Delta.DELETED else Side.SOURCE
    if policy is Conflict.NEWEST:
        one, other = sight.value(Side.SOURCE), sight.value(Side.TARGET)
        if one is not None and other is not None and newer(one.at, other.at) < 0 and _apart(one, other):
            return Side.TARGET
    return Side.SOURCE


def _apart(one: Value, other: Value) -> bool:
    if one.at is None or other.at is None:
        return False
    return abs(moment(one.at) - moment(other.at)) > _CLOCK_SLACK


def _blind(sight: Sight, side: Side, rules: Rules) -> Decision:
    why = sight.record.blind.get(side)
    if why and why.startswith(("rekeyed", "no-ids")):
        return _note(sight, rules, Class.HOLD, why, undecided=True)
    if why:
        return _note(sight, rules, Class.HOLD, f"unreadable: {rules.names[side]} {why}", undecided=True)
    doubt = rules.doubts[side] or "not everything could be read"
    return _note(sight, rules, Class.HOLD, f"incomplete: {rules.names[side]}: {doubt}", undecided=True)


def _drop(sight: Sight) -> Decision:
    if not sight.row.agreed:
        return _same(sight, "same: on neither side")
    empty = replace(sight.row, source=None, target=None, source_keys=(), target_keys=(), seen=None, parked=None)
    return _stored(sight, Class.ADOPT, "adopt: gone from both sides", empty)


# From a wish to a write: everything that can still stand in the way, in the order in which it is asked.


def _carry_out(sight: Sight, want: _Want, rules: Rules) -> Decision:
    if sight.note:
        want = replace(want, reason=f"{want.reason}; {sight.note}")
    removing = want.value is None
    op = Op.REMOVE if removing else Op.UPDATE if sight.value(want.side) is not None else Op.ADD
    for obstacle in (_not_wanted, _first_run, _doubtful, _look_twice, _waiting):
        answer = obstacle(sight, want, op, rules)
        if answer is not None:
            return answer
    write = writes(sight, rules, op, want.side, want.value, reason=want.reason)
    if isinstance(write, str):
        return _note(sight, rules, Class.SKIP, write)
    row = replace(sight.row, seen=None) if sight.row.seen else sight.row
    note = None
    if want.conflict:
        note = _make_note(sight, rules, want.conflict, undecided=False)
    cls = Class.CONFLICT if want.conflict else Class.DELETE if removing else Class.WRITE
    # Stored even when it holds no value yet: the native keys seen now belong to the row that the
    # write will make, or the next run would have something to learn.
    learnt = _learn(sight.record, row, cls)
    stored = sight.record.rows != (learnt,)
    return Decision(sight.record, cls, want.reason, write, note, learnt, stored)


def _not_wanted(sight: Sight, want: _Want, op: Op, rules: Rules) -> Decision | None:
    spec = rules.spec
    if op is Op.ADD and not spec.add:
        return _note(sight, rules, Class.SKIP, f"add-off: {want.reason}")
    if op is Op.UPDATE and not spec.update:
        return _note(sight, rules, Class.SKIP, f"update-off: {want.reason}")
    if op is not Op.REMOVE or spec.remove:
        return None
    # Neither propagated nor undone: the row remembers who has it now.
    one, other = sight.value(Side.SOURCE), sight.value(Side.TARGET)
    row = replace(sight.row, source=one, target=other, seen=None)
    kept = _note(sight, rules, Class.SKIP, f"remove-off: {want.reason}; kept, because remove = false")
    return replace(kept, row=row, stored=True)


def _first_run(sight: Sight, want: _Want, op: Op, rules: Rules) -> Decision | None:
    if op is Op.REMOVE and rules.first_run:
        return _note(sight, rules, Class.HOLD, f"first-run: {want.reason}; the first run removes nothing")
    return None


def _doubtful(sight: Sight, want: _Want, op: Op, rules: Rules) -> Decision | None:
    if op is not Op.REMOVE:
        return None
    if sight.record.weak:
        return _note(sight, rules, Class.HOLD, f"title-year: {want.reason}; a match by title never removes")
    if sight.note and sight.note.startswith(("guess", "doubt")):
        reason = f"doubt: {want.reason}; nobody can say whether an earlier write landed, so a person must"
        return _note(sight, rules, Class.HOLD, reason, undecided=True)
    return None


def _look_twice(sight: Sight, want: _Want, op: Op, rules: Rules) -> Decision | None:
    """A removal (and, if asked for, an addition) is believed when it was seen twice, far enough apart."""
    lost = want.side.other
    if op is Op.REMOVE:
        wait = rules.spec.hold_removed
        if wait is None:
            wait = timedelta(0) if rules.caps[lost].absence_certain else _SECOND_LOOK
    elif op is Op.ADD:
        wait = rules.spec.hold_new
    else:
        return None
    if not wait:
        return None
    absent = op is Op.REMOVE
    first = sight.row.seen
    if first is None or first.side is not lost or first.absent is not absent:
        first = Sighting(lost, absent, rules.now)
    if rules.now - first.at >= wait:
        return None
    due = first.at + wait
    held = _note(sight, rules, Class.HOLD, f"first-seen: {want.reason}; looked at again after {due:%Y-%m-%d %H:%M} UTC")
    return replace(held, row=replace(sight.row, seen=first), stored=True)


def _waiting(sight: Sight, want: _Want, op: Op, rules: Rules) -> Decision | None:
    parked = sight.row.parked
    if parked and parked.side is want.side and rules.now < parked.until:
        due = f"{parked.until:%Y-%m-%d %H:%M} UTC"
        reason = f"parked: {rules.names[want.side]} refused it ({parked.code}); tried again after {due}"
        return _note(sight, rules, Class.SKIP, reason)
    recent = sum(1 for at in sight.row.writes if rules.now - at < timedelta(hours=24))
    if recent >= 4:
        reason = f"flap: written {recent} times in 24 hours; something else writes it too"
        return _note(sight, rules, Class.HOLD, reason, undecided=True)
    if rules.adds_only and op is not Op.ADD:
        return _note(sight, rules, Class.HOLD, f"adds-only: {want.reason}")
    if not ranged(sight, want.side, want.value, rules):
        return _note(sight, rules, Class.HOLD, f"range: {want.reason}; outside --since and --until")
    return None


def _make_note(sight: Sight, rules: Rules, reason: str, *, undecided: bool) -> Note:
    record = sight.record
    feature: Feature = rules.spec.feature
    return Note(feature, record.key, record.item, reason, sight.value(Side.SOURCE), sight.value(Side.TARGET), undecided)


def _note(sight: Sight, rules: Rules, cls: Class, reason: str, *, undecided: bool | None = None) -> Decision:
    if undecided is None:
        undecided = reason.startswith(("ambiguous", "unreadable"))
    return Decision(sight.record, cls, reason, note=_make_note(sight, rules, reason, undecided=undecided))


def _stored(sight: Sight, cls: Class, reason: str, row: Row) -> Decision:
    """A decision that also learns what this run saw of ids, native keys and sightings."""
    record = sight.record
    if not (record.rows or row.agreed or row.seen):
        return Decision(record, cls, reason)
    learnt = _learn(record, row, cls)
    changed = len(record.rows) != 1 or (learnt is not record.rows[0] and learnt != record.rows[0])
    return Decision(record, cls, reason, row=learnt, stored=changed)


def _native(entries: tuple[Entry, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """The side's own names for a record as seen now; those known before where it shows none."""
    if not entries:
        return known
    if len(entries) == 1:
        name = entries[0].native_key
        return known if name is None else (name,)
    return tuple(sorted({entry.native_key for entry in entries if entry.native_key is not None})) or known


def _learn(record: Record, row: Row, cls: Class) -> Row:
    if cls in (Class.SAME, Class.ADOPT) and row.seen is not None:
        row = replace(row, seen=None)
    if cls in (Class.SAME, Class.ADOPT) and row.parked is not None:
        row = replace(row, parked=None)
    source_keys, target_keys = _native(record.source, row.source_keys), _native(record.target, row.target_keys)
    item = row.item if row.item.ids == record.item.ids and row.item.show_ids == record.item.show_ids else record.item
    if (
        row.key == record.key
        and row.item is item
        and row.source_keys == source_keys
        and row.target_keys == target_keys
        and row.weak == record.weak
    ):
        return row
    return replace(
        row,
        key=record.key,
        item=item,
        source_keys=source_keys,
        target_keys=target_keys,
        weak=record.weak,
    )
