"""What can become of one record, and what is remembered of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cwsync.model import Change, Class, Entry, Feature, Note, Row, Side, Value
from cwsync.planner.observe import Rules, Sight
from cwsync.planner.record import Record
from cwsync.planner.write import Write


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
class Want:
    """What the table asks for: a value for `side` (None: remove it there), and why."""

    side: Side
    value: Value | None
    reason: str
    conflict: str | None = None


Answer = Decision | Want


def make_note(sight: Sight, rules: Rules, reason: str, *, undecided: bool) -> Note:
    """What the plan tells of a record that is not simply written."""
    record = sight.record
    feature: Feature = rules.spec.feature
    return Note(feature, record.key, record.item, reason, sight.value(Side.SOURCE), sight.value(Side.TARGET), undecided)


def note_of(change: Change, reason: str) -> Note:
    """What the plan tells of a record that would be written, were it not for `reason`."""
    values = {change.side: change.before, change.side.other: change.origin}
    return Note(change.feature, change.key, change.item, reason, values[Side.SOURCE], values[Side.TARGET])


def note(sight: Sight, rules: Rules, cls: Class, reason: str, *, undecided: bool | None = None) -> Decision:
    """A decision that does nothing and says why. Undecided, unless said otherwise, where a person could help."""
    if undecided is None:
        undecided = reason.startswith(("ambiguous", "ids-refused", "no-mapping", "unreadable"))
    return Decision(sight.record, cls, reason, note=make_note(sight, rules, reason, undecided=undecided))


def stored(sight: Sight, cls: Class, reason: str, row: Row) -> Decision:
    """A decision that also learns what this run saw of ids, native keys and sightings."""
    record = sight.record
    if not (record.rows or row.agreed or row.seen):
        return Decision(record, cls, reason)
    learnt = learn(record, row, cls)
    changed = len(record.rows) != 1 or (learnt is not record.rows[0] and learnt != record.rows[0])
    return Decision(record, cls, reason, row=learnt, stored=changed)


def native_names(entries: tuple[Entry, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """The side's own names for a record as seen now; those known before where it shows none."""
    if not entries:
        return known
    if len(entries) == 1:
        name = entries[0].native_key
        return known if name is None else (name,)
    return tuple(sorted({entry.native_key for entry in entries if entry.native_key is not None})) or known


def learn(record: Record, row: Row, cls: Class) -> Row:
    """The row with the ids and native keys of now, and without what this run has settled."""
    if cls in (Class.SAME, Class.ADOPT) and row.seen is not None:
        row = replace(row, seen=None)
    if cls in (Class.SAME, Class.ADOPT) and row.parked is not None:
        row = replace(row, parked=None)
    if row.unshown is not None and record.entries(row.unshown):
        row = replace(row, unshown=None)
    source_keys, target_keys = (
        native_names(record.source, row.source_keys),
        native_names(record.target, row.target_keys),
    )
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
