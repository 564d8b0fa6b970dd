"""Taking back one run: what it wrote is written back where it still stands, and nothing else is touched.

A plan like any other: pure, judged by the guards, named by a digest. What changed since the run is
left alone and listed. What the other side held then stays the agreement, so that neither this run
nor the next one takes the undoing for a user's edit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cwsync.model import Change, Class, Entry, MarkKind, Op, Side, Value, moment
from cwsync.planner.decision import Decision, learn, note
from cwsync.planner.observe import Missing, Rules, Sight, look, settle
from cwsync.planner.plan import FeaturePlan, Question, Tally, records_of, rules_of
from cwsync.planner.record import Record
from cwsync.planner.write import unable

_REVERSE = {Op.ADD: Op.REMOVE, Op.UPDATE: Op.UPDATE, Op.REMOVE: Op.ADD}


@dataclass(frozen=True, slots=True)
class Deed:
    """One write of the run to take back: its change, and the native key of the row it made or touched.

    `proved` says that the provider confirmed it; else nobody knows whether it happened.
    """

    change: Change
    native_key: str | None
    proved: bool


def plan_undo(question: Question, run_id: str, deeds: Sequence[Deed]) -> FeaturePlan:
    """The plan that takes back the deeds of one feature. Every record that a deed named is in exactly one class."""
    rules = rules_of(question)
    records = records_of(question)
    tally = Tally(question, inferred=False)
    for record in records:
        tally.count(record)
    found = _Finder(records)
    wanted: dict[str, tuple[Record, list[Deed]]] = {}
    for deed in sorted(deeds, key=_order):
        record = found.of(deed.change)
        wanted.setdefault(record.key, (record, []))[1].append(deed)
    for record, mine in wanted.values():
        tally.sort(_take_back(record, mine, run_id, rules))
    # Taking back is no first run: what a union still has to do stays to be done.
    return replace(tally.plan(rules), finished=False, first_run=False, union=None)


def _order(deed: Deed) -> tuple[str, str, str]:
    return deed.change.key, deed.change.native_key or "", deed.native_key or ""


class _Finder:
    """The record of today that a change of an earlier run was about."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._by_key = {key: record for record in records for key in (record.key, *(row.key for row in record.rows))}
        self._by_token: dict[str, list[Record]] = {}
        for record in records:
            for token in record.item.tokens():
                self._by_token.setdefault(token, []).append(record)

    def of(self, change: Change) -> Record:
        """By its key, else by its ids (a play also by its time); else a record that nobody has any more."""
        if change.key in self._by_key:
            return self._by_key[change.key]
        for token in change.item.tokens():
            for record in self._by_token.get(token, ()):
                if "@" not in change.key or _is_play(record, change):
                    return record
        return Record(change.key, change.item)


def _is_play(record: Record, change: Change) -> bool:
    times = {value.at for value in (change.before, change.after) if value is not None}
    return any(entry.value.at in times for entry in record.entries(change.side))


def _take_back(record: Record, deeds: Sequence[Deed], run_id: str, rules: Rules) -> Decision:
    """What becomes of one record: all its copies are written back, or none is."""
    sight = look(record, rules)
    side = deeds[0].change.side
    proved = [deed for deed in deeds if deed.proved]
    if obstacle := _obstacle(sight, side, rules):
        return note(sight, rules, Class.HOLD, obstacle, undecided=True)
    if any(deed.change.side is not side for deed in deeds):
        return note(sight, rules, Class.SKIP, "changed-since: two records of that run are one by now")
    if len(proved) < len(deeds):
        return note(sight, rules, Class.SKIP, f"in-doubt: nobody knows whether {run_id} wrote it; left alone")
    changes: dict[str | None, list[Change]] = {}
    for deed, now in _rows_of(record.entries(side), proved, rules):
        answer = _reverse(sight, deed, now, run_id, rules)
        if isinstance(answer, str):
            return note(sight, rules, Class.SKIP, answer)
        if answer is not None:
            changes.setdefault(answer.native_key, []).append(answer)
    return _decided(sight, changes, rules)


def _decided(sight: Sight, found: Mapping[str | None, Sequence[Change]], rules: Rules) -> Decision:
    """What becomes of a record, from the writes that take it back by the row they go to: one for each row."""
    record = sight.record
    changes = list(found.get(None, ()))
    for key, ways in found.items():
        if key is None:
            continue  # rows that are made anew, each its own
        if not all(_same_value(ways[0].after, other.after, rules) for other in ways):
            name = rules.names[ways[0].side]
            return note(sight, rules, Class.SKIP, f"changed-since: {name} holds one copy where that run wrote several")
        changes.append(ways[0])
    if not changes:
        return Decision(record, Class.SAME, "same: it is as it was before that run")
    removing = any(change.op is Op.REMOVE for change in changes)
    row = learn(record, replace(sight.row, seen=None), Class.WRITE)
    stored = record.rows != (row,)
    reason = changes[0].reason
    return Decision(record, Class.DELETE if removing else Class.WRITE, reason, tuple(changes), None, row, stored)


def _rows_of(entries: Sequence[Entry], deeds: Sequence[Deed], rules: Rules) -> list[tuple[Deed, Entry | None]]:
    """Each deed with the row of today that it made or touched.

    A row that one deed names is no other deed's. A deed without a row of its own, beside others that
    have one, wrote a copy that is gone by now: there is nothing to take back, and it is left out.
    """
    by_name = {entry.native_key: entry for entry in entries}
    named = {name for deed in deeds for name in _names(deed) if name in by_name}
    free = [entry for entry in entries if entry.native_key not in named]
    found: list[tuple[Deed, Entry | None]] = []
    for deed in deeds:
        own = next((by_name[name] for name in _names(deed) if name in by_name), None)
        now = own or _row_like(free, deed, rules)
        if now is not None or not named:
            found.append((deed, now))
    return found


def _obstacle(sight: Sight, side: Side, rules: Rules) -> str | None:
    """Why nothing can be said of a record just now, or None."""
    record = sight.record
    if record.trouble:
        return record.trouble
    for token in record.item.tokens():
        if token in rules.frozen:
            return rules.frozen[token]
    mark = sight.row.mark
    if mark is not None and mark.kind is MarkKind.DOUBT:
        return "doubt: an earlier write was never answered; the next run judges it first"
    settled = settle(sight, rules)
    if isinstance(settled, str):
        return settled
    if sight.of(side) is Missing.UNKNOWN:
        doubt = record.blind.get(side) or rules.doubts[side] or "not everything could be read"
        return f"incomplete: {rules.names[side]}: {doubt}"
    return None


def _reverse(sight: Sight, deed: Deed, now: Entry | None, run_id: str, rules: Rules) -> Change | str | None:
    """The write that takes back a deed; None when it is taken back already; or why it must not be ("changed: ...")."""
    done = deed.change
    side, entries = done.side, sight.record.entries(done.side)
    name = rules.names[side]
    if done.after is None:
        if now is None and not entries:
            return _written(sight, deed, None, run_id, rules)
        same = now is not None and done.before is not None and rules.scale.unchanged(done.before, now.value)
        return None if same else f"changed-since: {name} has it again, with another value"
    if now is None and entries:
        return f"changed-since: {name} holds others of it than that run wrote"
    if now is None:
        return None if done.before is None else f"changed-since: {name} does not have it any more"
    if done.before is not None and rules.scale.unchanged(done.before, now.value):
        return None
    if not rules.scale.unchanged(done.after, now.value):
        return f"changed-since: {name} holds another value than that run wrote"
    if done.before is None and _wanted_elsewhere(sight, side):
        return f"changed-since: {rules.names[side.other]} has it now too"
    return _written(sight, deed, now, run_id, rules)


def _wanted_elsewhere(sight: Sight, side: Side) -> bool:
    """Whether the other side got a record, since the baseline, that we would remove here."""
    row = sight.row
    return row.agreed and row.value(side.other) is None and sight.value(side.other) is not None


def _names(deed: Deed) -> list[str]:
    return [name for name in (deed.native_key, deed.change.native_key) if name is not None]


def _row_like(entries: Sequence[Entry], deed: Deed, rules: Rules) -> Entry | None:
    """The row of a deed when none has its name: the one with the value, else the only one."""
    done = deed.change
    wanted = done.after if done.after is not None else done.before
    for entry in entries:
        if wanted is not None and _same_row(entry.value, wanted, rules):
            return entry
    return entries[0] if len(entries) == 1 else None


def _same_row(seen: Value, wrote: Value, rules: Rules) -> bool:
    if seen.at is not None and wrote.at is not None and moment(seen.at) != moment(wrote.at):
        return False
    return rules.scale.unchanged(wrote, seen)


def _same_value(one: Value | None, other: Value | None, rules: Rules) -> bool:
    return one is other if one is None or other is None else rules.scale.unchanged(one, other)


def _written(sight: Sight, deed: Deed, now: Entry | None, run_id: str, rules: Rules) -> Change | str:
    done, row = deed.change, sight.row
    side, op = done.side, _REVERSE[done.op]
    item = sight.record.item
    if refusal := unable(item, rules, op, side, done.before):
        return refusal
    after, lost = (None, None) if done.before is None else rules.scale.project(done.before, side)
    # What the other side did since that run stays news to the next run; what it was about is old, also where the
    # run failed for some of the copies, and the baseline has not heard of it.
    other = sight.value(side.other)
    old = row.agreed and not _same_value(done.origin, other, rules)
    origin = row.value(side.other) if old else other
    key = now.native_key if now is not None else None
    before = now.value if now is not None else None
    reason = f"undo: {done.op.value} by the run {run_id}"
    return Change(rules.spec.feature, side, op, sight.record.key, item, before, after, origin, reason, key, lost)
