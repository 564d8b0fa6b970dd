"""From a wish to a write: everything that can still stand in the way, in the order in which it is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from cwsync.model import UNDONE, Class, Op, Side, Sighting
from cwsync.planner.decision import Decision, Want, learn, make_note, note
from cwsync.planner.observe import Delta, Rules, Sight, delta
from cwsync.planner.write import ranged, writes

# A library has something that is called so, and cannot tell whether it is this title.
_NAMELESS = "no-ids"
_SECOND_LOOK = timedelta(minutes=10)


def carry_out(sight: Sight, want: Want, rules: Rules) -> Decision:
    """The write that a wish asks for, or the first thing that stands in its way."""
    if sight.note:
        want = replace(want, reason=f"{want.reason}; {sight.note}")
    if sight.record.shelved_on(want.side):
        want = replace(want, reason=f"{want.reason}; matched by title and year")
    removing = want.value is None
    op = Op.REMOVE if removing else Op.UPDATE if sight.value(want.side) is not None else Op.ADD
    for obstacle in (_not_wanted, _first_run, _doubtful, _look_twice, _waiting):
        answer = obstacle(sight, want, op, rules)
        if answer is not None:
            return answer
    write = writes(sight, rules, op, want.side, want.value, reason=want.reason)
    if isinstance(write, str):
        return note(sight, rules, Class.SKIP, write)
    row = replace(sight.row, seen=None) if sight.row.seen else sight.row
    said = None
    if want.conflict:
        said = make_note(sight, rules, want.conflict, undecided=False)
    cls = Class.CONFLICT if want.conflict else Class.DELETE if removing else Class.WRITE
    # Stored even when it holds no value yet: the native keys seen now belong to the row that the
    # write will make, or the next run would have something to learn.
    learnt = learn(sight.record, row, cls)
    stored = sight.record.rows != (learnt,)
    return Decision(sight.record, cls, want.reason, write, said, learnt, stored)


def _not_wanted(sight: Sight, want: Want, op: Op, rules: Rules) -> Decision | None:
    spec = rules.spec
    if op is Op.ADD and not spec.add:
        return _left(sight, rules, f"add-off: {want.reason}")
    if op is Op.UPDATE and not spec.update:
        return _left(sight, rules, f"update-off: {want.reason}")
    if op is not Op.REMOVE or spec.remove:
        return None
    # Neither propagated nor undone: the row remembers who has it now.
    one, other = sight.value(Side.SOURCE), sight.value(Side.TARGET)
    row = replace(sight.row, source=one, target=other, seen=None, parked=None)
    kept = note(sight, rules, Class.SKIP, f"remove-off: {want.reason}; kept, because remove = false")
    return replace(kept, row=learn(sight.record, row, Class.SKIP), stored=True)


def _left(sight: Sight, rules: Rules, reason: str) -> Decision:
    """A record that nobody wants written. What was concluded about a write in doubt is kept: no later run would."""
    told = note(sight, rules, Class.SKIP, reason)
    if not sight.record.rows or sight.record.rows[0].mark is sight.row.mark:
        return told
    learnt = learn(sight.record, sight.row, Class.SKIP)
    return replace(told, row=learnt, stored=sight.record.rows != (learnt,))


def _first_run(sight: Sight, want: Want, op: Op, rules: Rules) -> Decision | None:
    if op is Op.REMOVE and rules.first_run:
        return note(sight, rules, Class.HOLD, f"first-run: {want.reason}; the first run removes nothing")
    return None


def _doubtful(sight: Sight, want: Want, op: Op, rules: Rules) -> Decision | None:
    if op is not Op.REMOVE:
        return None
    if sight.record.weak:
        return note(sight, rules, Class.HOLD, f"title-year: {want.reason}; a match by title never removes")
    if sight.note and sight.note.startswith(("guess", "doubt")):
        reason = f"doubt: {want.reason}; nobody can say whether an earlier write landed, so a person must"
        return note(sight, rules, Class.HOLD, reason, undecided=True)
    return None


def _look_twice(sight: Sight, want: Want, op: Op, rules: Rules) -> Decision | None:
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
    held = note(sight, rules, Class.HOLD, f"first-seen: {want.reason}; looked at again after {due:%Y-%m-%d %H:%M} UTC")
    return replace(held, row=learn(sight.record, replace(sight.row, seen=first), Class.HOLD), stored=True)


def _waiting(sight: Sight, want: Want, op: Op, rules: Rules) -> Decision | None:
    parked = sight.row.parked
    if parked and parked.side is want.side and parked.code == UNDONE:
        if delta(sight, want.side.other, rules) is Delta.NONE:
            back = (
                f"a run was taken back on {rules.names[want.side]}, and {rules.names[want.side.other]} did not change"
            )
            return _left(sight, rules, f"undone: {back}")
    elif parked and parked.code == _NAMELESS and sight.record.shelved_on(want.side):
        pass  # what it was refused for is known now
    elif parked and parked.side is want.side and rules.now < parked.until:
        due = f"{parked.until:%Y-%m-%d %H:%M} UTC"
        reason = f"parked: {rules.names[want.side]} refused it ({parked.code}); tried again after {due}"
        return note(sight, rules, Class.SKIP, reason)
    recent = sum(1 for at in sight.row.writes if rules.now - at < timedelta(hours=24))
    if recent >= 4:
        reason = f"flap: written {recent} times in 24 hours; something else writes it too"
        return note(sight, rules, Class.HOLD, reason, undecided=True)
    if rules.adds_only and op is not Op.ADD:
        return note(sight, rules, Class.HOLD, f"adds-only: {want.reason}")
    if not ranged(sight, want.side, want.value, rules):
        return note(sight, rules, Class.HOLD, f"range: {want.reason}; outside --since and --until")
    return None
