"""The law for one record: what is done, or why not.

Every record ends in exactly one class. A hold writes nothing and leaves the baseline as it is, so
the evidence stays for the next run.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from cwsync.model import Class, Conflict, Mode, Op, Position, Rated, RemoveMode, Row, Side, Value, When, moment
from cwsync.planner.decision import Answer, Decision, Want, native_names, note, stored
from cwsync.planner.normalize import newer
from cwsync.planner.observe import GONE, Delta, Missing, Rules, Sight, delta, look, settle, unshown
from cwsync.planner.obstacles import carry_out
from cwsync.planner.record import Record
from cwsync.planner.write import scoped, unable

_CLOCK_SLACK = timedelta(seconds=120)
_AHEAD = timedelta(seconds=300)  # what the guard `clock` lets pass
UNCHANGED = "same: nothing changed"
ADOPTED = "adopt: both sides agree"
DRIFT = "drift:"
UNNAMED = "unnamed:"  # the other side has no name for it, and nothing that is read again changes that


def decide(record: Record, rules: Rules) -> Decision:
    """Apply the law to one record."""
    return _at_a_glance(record, rules) or decide_slowly(record, rules)


def _at_a_glance(record: Record, rules: Rules) -> Decision | None:
    """The answer for a record that is on both sides, the same, once: nearly all of them, nearly always.

    It says nothing that `decide_slowly` would not say (a test holds the two against each other).
    """
    source, target, rows = record.source, record.target, record.rows
    if (
        len(source) != 1
        or len(target) != 1
        or record.trouble
        or record.blind
        or record.weak
        or not rules.unscoped
        or rules.frozen
    ):
        return None
    one, other = source[0].value, target[0].value
    if not rules.scale.equal(one, other):
        return None
    if not rows:
        row = Row(record.key, record.item, one, other, native_names(source, ()), native_names(target, ()))
        return Decision(record, Class.ADOPT, ADOPTED, row=row, stored=True)
    row = rows[0]
    if len(rows) != 1 or row.mark or row.seen or row.parked or row.weak or row.unshown:
        return None
    if row.source is None or row.target is None:
        return None
    unchanged, item = rules.scale.unchanged, record.item
    if row.key != record.key or row.item.ids != item.ids or row.item.show_ids != item.show_ids:
        return None
    if not unchanged(row.source, one) or not unchanged(row.target, other):
        return None
    here, there = native_names(source, row.source_keys), native_names(target, row.target_keys)
    if row.source_keys != here or row.target_keys != there:
        return None
    return Decision(record, Class.SAME, UNCHANGED)


def decide_slowly(record: Record, rules: Rules) -> Decision:
    """Apply the law to one record, step by step."""
    sight = look(record, rules)
    if record.trouble:
        quiet = record.trouble.startswith(("no-ids", "renumbered"))
        return note(sight, rules, Class.SKIP if quiet else Class.HOLD, record.trouble)
    if outside := scoped(sight, rules):
        return Decision(record, Class.SKIP, outside)
    if rules.frozen:
        reasons = [rules.frozen[token] for token in record.item.tokens() if token in rules.frozen]
        if reasons:
            return note(sight, rules, Class.SKIP if reasons[0].startswith(UNNAMED) else Class.HOLD, reasons[0])
    settled = settle(sight, rules)
    if isinstance(settled, str):
        return note(sight, rules, Class.HOLD, settled, undecided=settled.startswith("doubt"))
    answer = _judge(settled, rules)
    return carry_out(settled, answer, rules) if isinstance(answer, Want) else answer


def _judge(sight: Sight, rules: Rules) -> Answer:
    one, other = sight.value(Side.SOURCE), sight.value(Side.TARGET)
    if one is not None and other is not None:
        if rules.scale.equal(one, other):
            return _agree(sight, rules)
        if isinstance(one, Position) and isinstance(other, Position):
            return _further(sight, one, other, rules)
    if rules.mode is Mode.ONE_WAY:
        return _one_way(sight, rules)
    return _two_way(sight, rules)


def _agree(sight: Sight, rules: Rules) -> Answer:
    """Both sides say the same: learn it, without a write, unless the baseline says so already."""
    one, other, row = sight.value(Side.SOURCE), sight.value(Side.TARGET), sight.row
    for side in (Side.TARGET,) if rules.mode is Mode.ONE_WAY else (Side.TARGET, Side.SOURCE):
        if _left_behind(sight, side, rules):
            why = f"copies: a copy on {rules.names[side]} still has the old value"
            return Want(side, sight.value(side), why)
    if one is None or other is None:
        return _same(sight)
    if row.source is not None and row.target is not None:
        unchanged = rules.scale.unchanged
        if unchanged(row.source, one) and unchanged(row.target, other):
            return _same(sight)
    row = replace(row, source=one, target=other)
    return stored(sight, Class.ADOPT, ADOPTED, row)


def _left_behind(sight: Sight, side: Side, rules: Rules) -> bool:
    """Whether `side` moved, but for a copy of the title: only some of a record's writes were carried out."""
    base, now, copies = sight.row.value(side), sight.value(side), sight.record.entries(side)
    if len(copies) < 2 or base is None or not isinstance(now, (Rated, Position)) or not rules.spec.update:
        return False
    unchanged = rules.scale.unchanged
    if unchanged(base, now) or unable(sight.record.item, rules, Op.UPDATE, side, now):
        return False
    return any(unchanged(base, copy.value) and not unchanged(now, copy.value) for copy in copies)


def _same(sight: Sight, reason: str = UNCHANGED) -> Decision:
    return stored(sight, Class.SAME, sight.note or reason, sight.row)


def _untouched(sight: Sight, reason: str) -> Decision:
    """Nothing to do and nothing to learn: what was not seen changes nothing, not even what was noted of it."""
    return Decision(sight.record, Class.SAME, reason)


def _further(sight: Sight, one: Position, other: Position, rules: Rules) -> Answer:
    """Two positions: the newer time wins; without times only the further one may be sent."""
    order = newer(_known_time(one, rules), _known_time(other, rules))
    if order == 0:
        order = 1 if one.ms > other.ms else -1
        if rules.mode is Mode.ONE_WAY and order < 0:
            return _same(sight, "older: the target is further, and no time says that it should go back")
    if order < 0 and rules.mode is Mode.ONE_WAY:
        return _same(sight, "older: the target's position is the newer one")
    side, value = (Side.TARGET, one) if order > 0 else (Side.SOURCE, other)
    if not rules.scale.is_progress(value):
        return _same(sight, "not-progress: too near the start or the end")
    return Want(side, value, f"newer: {rules.names[side.other]} was watched later")


def _one_way(sight: Sight, rules: Rules) -> Answer:
    source, target, row = sight.source, sight.target, sight.row
    here = rules.names[Side.SOURCE]
    if not isinstance(source, Missing):
        if not rules.scale.is_progress(source):
            return _same(sight, "not-progress: too near the start or the end")
        if target is Missing.UNKNOWN:
            still = row.source is not None and row.target is not None and rules.scale.unchanged(row.source, source)
            return _untouched(sight, "same: the source did not change") if still else _blind(sight, Side.TARGET, rules)
        if target is Missing.LOST and not _comes_back(sight, Side.TARGET, rules):
            return _lost(sight, Side.TARGET, rules)
        if target in GONE:
            again = f"{DRIFT} {rules.names[Side.TARGET]} lost it" if row.target is not None else f"new: on {here}"
            return Want(Side.TARGET, source, again)
        moved = delta(sight, Side.SOURCE, rules) is Delta.CHANGED
        told = f"changed: on {here}" if row.agreed else f"changed: the sides differ; {here} is the source"
        return Want(Side.TARGET, source, told if moved else f"{DRIFT} {here} says otherwise")
    return _one_way_gone(sight, rules)


def _one_way_gone(sight: Sight, rules: Rules) -> Answer:
    """One way, and the source does not show the record."""
    source, target, row = sight.source, sight.target, sight.row
    here = rules.names[Side.SOURCE]
    if source is Missing.UNKNOWN:
        return _untouched(sight, "unknown: the source could not be read for this record")
    if target is Missing.ABSENT:
        return _drop(sight)
    if source is Missing.LOST:
        return _lost(sight, Side.SOURCE, rules)
    if row.source is not None and target is Missing.UNKNOWN:
        return _blind(sight, Side.TARGET, rules)
    if row.source is not None and row.target is not None:
        return Want(Side.TARGET, None, f"gone: from {here}")
    if target is Missing.UNKNOWN:
        return _untouched(sight, "unknown: the target could not be read for this record")
    if rules.spec.remove_mode is not RemoveMode.MIRROR or not rules.spec.remove:
        return _same(sight, "same: only the target has it")
    if rules.first_run or not rules.sources_seen:
        why = "first run" if rules.first_run else "source is empty"
        return note(sight, rules, Class.HOLD, f"mirror: nothing is removed while the {why}")
    return Want(Side.TARGET, None, f"mirror: {here} does not have it")


def _two_way(sight: Sight, rules: Rules) -> Answer:
    if Missing.ABSENT in (sight.source, sight.target) and sight.source in GONE and sight.target in GONE:
        return _drop(sight)
    deltas = _meaningful(sight, Side.SOURCE, rules), _meaningful(sight, Side.TARGET, rules)
    match deltas:
        case (Delta.NONE, Delta.NONE):
            only = [rules.names[side] for side in Side if sight.of(side.other) in GONE and sight.value(side)]
            return _same(sight, f"same: only {only[0]} has it, as before" if only else UNCHANGED)
        case (moved, Delta.LOST):
            return _lost_alone(sight, Side.TARGET, moved, rules)
        case (Delta.LOST, moved):
            return _lost_alone(sight, Side.SOURCE, moved, rules)
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


def _comes_back(sight: Sight, side: Side, rules: Rules) -> bool:
    """Whether what a side lost may be sent to it again: its library has the title anew."""
    shelf = rules.shelves.get(side)
    there = shelf is not None and bool(sight.record.shelved_on(side) or shelf.knows(sight.record.item))
    return there and not unshown(sight.row, side)


def _lost(sight: Sight, side: Side, rules: Rules) -> Decision:
    """A record that `side` does not have, though nobody took it away there: the other side keeps it."""
    if unshown(sight.row, side):
        why = f"unshown: {rules.names[side]} took it and never showed it, so nobody knows whether it was removed there"
        return note(sight, rules, Class.HOLD, why, undecided=True)
    return _untouched(sight, f"lost: the library of {rules.names[side]} does not have it any more")


def _lost_alone(sight: Sight, side: Side, moved: Delta, rules: Rules) -> Answer:
    """Both ways: `side` lost it, and the other side has it, `moved` or not."""
    value = sight.value(side.other)
    if value is None or moved is Delta.DELETED or not _comes_back(sight, side, rules):
        return _lost(sight, side, rules)
    return Want(side, value, f"{DRIFT} {rules.names[side]} lost it")


def _meaningful(sight: Sight, side: Side, rules: Rules) -> Delta:
    """The delta of a side; a position too near an end counts as none at all."""
    value = sight.value(side)
    if value is None or rules.scale.is_progress(value):
        return delta(sight, side, rules)
    return Delta.NONE if sight.row.value(side) is None else Delta.DELETED


def _spread(sight: Sight, side: Side, moved: Delta, rules: Rules) -> Answer:
    """One side moved: the other follows."""
    here, known = rules.names[side], sight.row.value(side) is not None
    if moved is Delta.DELETED and sight.row.value(side.other) is None:
        # What the other side has is too near an end to count, and nobody ever agreed on it there.
        return _same(sight, "not-progress: too near the start or the end")
    if moved is Delta.DELETED:
        return Want(side.other, None, f"gone: from {here}")
    return Want(side.other, sight.value(side), f"{'changed' if known else 'new'}: on {here}")


def _conflict(sight: Sight, deltas: tuple[Delta, Delta], rules: Rules) -> Answer:
    policy = rules.spec.conflict
    what = "both sides changed" if sight.row.agreed else "the sides differ"
    if policy is Conflict.SKIP:
        return note(sight, rules, Class.CONFLICT, f'conflict: {what}; conflict = "skip"', undecided=True)
    winner = _winner(sight, deltas, rules)
    moved = deltas[0] if winner is Side.SOURCE else deltas[1]
    if moved is Delta.DELETED and sight.row.value(winner.other) is None:
        # What was never agreed on there is new there: a removal elsewhere says nothing about it.
        winner, moved = winner.other, Delta.CHANGED
    reason = f"conflict: {what}; {rules.names[winner]} wins ({policy.value})"
    if Delta.DELETED in deltas:
        gone = winner if moved is Delta.DELETED else winner.other
        reason = f"{reason}; {rules.names[gone]} had removed it"
    value = None if moved is Delta.DELETED else sight.value(winner)
    return Want(winner.other, value, reason, reason)


def _winner(sight: Sight, deltas: tuple[Delta, Delta], rules: Rules) -> Side:
    policy = rules.spec.conflict
    if policy is Conflict.TARGET:
        return Side.TARGET
    if policy is Conflict.KEEP and Delta.DELETED in deltas:
        return Side.TARGET if deltas[0] is Delta.DELETED else Side.SOURCE
    if policy is Conflict.NEWEST:
        one, other = sight.value(Side.SOURCE), sight.value(Side.TARGET)
        here, there = (None if value is None else _known_time(value, rules) for value in (one, other))
        if here is not None and there is not None and moment(there) - moment(here) > _CLOCK_SLACK:
            return Side.TARGET
    return Side.SOURCE


def _known_time(value: Value, rules: Rules) -> When:
    """When a side says that it was done. A time that is yet to come says nothing: it would win for as long."""
    ahead = _AHEAD if isinstance(value.at, datetime) else timedelta(days=1)
    return None if value.at is None or moment(value.at) > rules.now + ahead else value.at


def _blind(sight: Sight, side: Side, rules: Rules) -> Decision:
    why = sight.record.blind.get(side)
    if why and why.startswith("lingering"):
        # It may stay so for ever, and nothing needs a person's hand.
        return note(sight, rules, Class.HOLD, why, undecided=False)
    if why and why.startswith(("rekeyed", "no-ids")):
        return note(sight, rules, Class.HOLD, why, undecided=True)
    if why:
        return note(sight, rules, Class.HOLD, f"unreadable: {rules.names[side]} {why}", undecided=True)
    doubt = rules.doubts[side] or "not everything could be read"
    return note(sight, rules, Class.HOLD, f"incomplete: {rules.names[side]}: {doubt}", undecided=True)


def _drop(sight: Sight) -> Decision:
    if not sight.row.agreed:
        return _same(sight, "same: on neither side")
    empty = replace(sight.row, source=None, target=None, source_keys=(), target_keys=(), seen=None, parked=None)
    return stored(sight, Class.ADOPT, "adopt: gone from both sides", empty)
