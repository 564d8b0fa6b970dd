"""From a decision to the changes that carry it out, and what is out of a pair's scope."""

from __future__ import annotations

from datetime import date, timedelta

from cwsync.model import Change, Item, Kind, Op, Play, Side, Value, When, moment
from cwsync.planner.observe import Rules, Sight

Write = tuple[Change, ...]


def writes(sight: Sight, rules: Rules, op: Op, side: Side, value: Value | None, *, reason: str) -> Write | str:
    """One change for each copy on `side`, or the reason ("unsupported: ...") why there can be none.

    Copies that already hold the value are left alone; copies under one native key are one row.
    """
    record = sight.record
    address = _address(sight, rules, side) if op is Op.ADD else None
    if refusal := unable(record.item, rules, op, side, value, address=address):
        return refusal
    after, lost = (None, None) if value is None else rules.scale.project(value, side)
    if isinstance(after, Play) and op is Op.UPDATE:
        return "same: the date of a play is never rewritten"
    origin = sight.value(side.other)

    def change(before: Value | None, native_key: str | None) -> Change:
        return Change(
            rules.spec.feature, side, op, record.key, record.item, before, after, origin, reason, native_key, lost
        )

    if op is Op.ADD:
        return (change(None, address),)
    rows = {
        entry.native_key or str(number): entry
        for number, entry in enumerate(record.entries(side))
        if after is None or not rules.scale.unchanged(after, entry.value)
    }
    return tuple(change(entry.value, entry.native_key) for _, entry in sorted(rows.items()))


def _address(sight: Sight, rules: Rules, side: Side) -> str | None:
    """The row to add to, where it can be found by its own name alone; None where its ids tell, or nothing is known."""
    record, shelf = sight.record, rules.shelves.get(side)
    if shelf is None:
        return None
    known = record.shelved_on(side) or next((key for key in sight.row.native_keys(side) if shelf.has(key)), None)
    # Asked last: a library makes a table of all its titles for the answer.
    return None if known is None or shelf.knows(record.item) else known


def unable(
    item: Item, rules: Rules, op: Op, side: Side, value: Value | None, *, address: str | None = None
) -> str | None:
    """Why `side` cannot do this to an item at all ("unsupported: ..."), or None when it can.

    `address` is the row to add to, where it is known by its name.
    """
    name, caps = rules.names[side], rules.scale.caps[side]
    able = {Op.ADD: caps.add, Op.UPDATE: caps.update, Op.REMOVE: caps.remove}[op]
    if not able:
        return f"unsupported: {name} cannot {op.value} {rules.spec.feature.value}"
    if item.kind not in caps.kinds:
        return f"unsupported: {name} keeps no {rules.spec.feature.value} of a {item.kind.value}"
    if op is Op.ADD and item.key() is None and address is None:
        return f"no-ids: nothing tells {name} which title this is"
    if isinstance(value, Play) and value.at is None and caps.keeps_date and not caps.undated:
        return f"unsupported: {name} keeps no play without a date"
    return None


def in_range(at: When, since: date | None, until: date | None) -> bool:
    """Whether a time lies in a range of days, both ends included. A time that is not known never does."""
    if since is None and until is None:
        return True
    if at is None:
        return False
    when = moment(at)
    if since is not None and when < moment(since):
        return False
    return until is None or when < moment(until) + timedelta(days=1)


def _times(sight: Sight) -> list[When]:
    values = [sight.value(Side.SOURCE), sight.value(Side.TARGET), sight.row.source, sight.row.target]
    return [value.at for value in values if value is not None]


def scoped(sight: Sight, rules: Rules) -> str | None:
    """Why a record is none of this pair's business ("filtered: ..."), or None when it is.

    Records are filtered, not rows: one row within the range brings its whole record in, so a record
    is never seen on one side only because of its date.
    """
    spec, kind = rules.spec, sight.record.item.kind
    if kind not in spec.types:
        return f"filtered: types does not name {kind.value}"
    if spec.since is None and spec.until is None:
        return None
    if any(in_range(at, spec.since, spec.until) for at in _times(sight)):
        return None
    return "filtered: outside since and until"


def ranged(sight: Sight, side: Side, value: Value | None, rules: Rules) -> bool:
    """Whether a write lies in the range of days given on the command line."""
    if rules.since is None and rules.until is None:
        return True
    speaks = value or sight.value(side)
    return speaks is not None and in_range(speaks.at, rules.since, rules.until)


def kinds_of(names: frozenset[Kind]) -> str:
    """Kinds as sorted text, for fingerprints."""
    return ",".join(sorted(kind.value for kind in names))
