"""What both sides were last observed to hold, record by record.

A row moves only on observed agreement (`Observation`) or on a proved write (`ConfirmedWrite`, which
the engine's confirm step alone can make). `Baseline.commit` takes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from cwsync.model.items import Feature, Item
from cwsync.model.plan import Change, Doubt, Outcome, Receipt
from cwsync.model.snapshot import Side
from cwsync.model.values import Value


class MarkKind(StrEnum):
    """Why a row is frozen."""

    SETTLING = "settling"  # acknowledged; reads may still lag
    DOUBT = "doubt"  # sent, never acknowledged
    EFFECT = "effect"  # a write of ours in another feature makes the service drop this record


@dataclass(frozen=True, slots=True)
class Mark:
    """Our own last write to a row. Until `until` nobody writes it and nothing is read out of it.

    `before` and `after` are what `side` held and was told to hold, `origin` what the other side held
    then, `at` when the intent (doubt) or the acknowledgement (settling) was written.
    """

    kind: MarkKind
    side: Side
    before: Value | None
    after: Value | None
    origin: Value | None
    at: datetime
    until: datetime
    logged: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """When a change that must be seen twice was seen first: the absence or the appearance on `side`."""

    side: Side
    absent: bool
    at: datetime


# The code of a record that a person wrote back with `undo`. It is left alone until the other side changes it.
UNDONE: Final = "undone"
_FOR_GOOD: Final = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Parked:
    """A record that `side` refused, or that was written back there (`UNDONE`). It is tried again after `until`."""

    side: Side
    code: str
    tries: int
    until: datetime
    detail: str | None = None


def undone(side: Side, run_id: str) -> Parked:
    """A record that was written back on `side` by taking back the run `run_id`."""
    return Parked(side, UNDONE, 0, _FOR_GOOD, run_id)


@dataclass(frozen=True, slots=True)
class Row:
    """One record of the baseline.

    `source` and `target` are the values each side held, in its own scale (None: not there; both
    None: only marks keep the row). `item.ids` are all aliases seen on either side. The native keys
    are each side's own names for the record. `weak` says that it was linked by title and year, so
    it may never be deleted. `unshown` is the side that acknowledged the record without a name for it, and did not
    show it since: nobody knows under which ids it stands there. `writes` are the times of our own last
    writes (24 hours, for `flap`).
    """

    key: str
    item: Item
    source: Value | None = None
    target: Value | None = None
    source_keys: tuple[str, ...] = ()
    target_keys: tuple[str, ...] = ()
    mark: Mark | None = None
    seen: Sighting | None = None
    parked: Parked | None = None
    weak: bool = False
    writes: tuple[datetime, ...] = ()
    unshown: Side | None = None

    def value(self, side: Side) -> Value | None:
        """What `side` held."""
        return self.source if side is Side.SOURCE else self.target

    def native_keys(self, side: Side) -> tuple[str, ...]:
        """The names of the record on `side`."""
        return self.source_keys if side is Side.SOURCE else self.target_keys

    @property
    def agreed(self) -> bool:
        """Whether either side is known to have held the record."""
        return self.source is not None or self.target is not None

    @property
    def empty(self) -> bool:
        """Whether there is nothing left to remember."""
        return not (self.agreed or self.mark or self.seen or self.parked or self.writes)


@dataclass(frozen=True, slots=True)
class Removal:
    """How many records one run removed on one side: the memory of the `budget` guard."""

    at: datetime
    side: Side
    count: int


@dataclass(frozen=True, slots=True)
class Observation:
    """What to remember of one record because of what was seen, without any write.

    `row` takes the place of the rows under `replaces` (its own old key, or several rows that turned
    out to be one title). `key` is the record's key in the plan.
    """

    key: str
    row: Row
    replaces: tuple[str, ...] = ()


FLAP_WINDOW: Final = timedelta(hours=24)
_NOW: Final = timedelta(0)
_PROOF: Final = object()


class ConfirmedWrite:
    """Proof that one change happened. Only `confirm` makes one."""

    __slots__ = ("at", "change", "native_key", "shown")

    def __init__(self, proof: object, change: Change, native_key: str | None, at: datetime, *, shown: bool) -> None:
        if proof is not _PROOF:
            raise TypeError("a ConfirmedWrite is made by confirm() from a receipt, and by nothing else")
        self.change = change
        self.native_key = native_key
        self.at = at
        self.shown = shown


def confirm(receipt: Receipt, at: datetime) -> ConfirmedWrite | None:
    """Turn a receipt into proof, or None when it proves nothing."""
    if receipt.outcome not in (Outcome.CONFIRMED, Outcome.ALREADY):
        return None
    return ConfirmedWrite(_PROOF, receipt.change, receipt.native_key, at, shown=receipt.outcome is Outcome.ALREADY)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The rows of one feature of one pair, by key.

    `first_run_done` turns True with the first commit that left nothing of the first union undone.
    `fingerprint` is that of sides and filters. `account_ids` are those last seen, by side.
    """

    feature: Feature
    rows: Mapping[str, Row] = field(default_factory=dict)
    first_run_done: bool = False
    fingerprint: str | None = None
    account_ids: Mapping[Side, str] = field(default_factory=dict)
    removals: tuple[Removal, ...] = ()

    def count(self, side: Side) -> int:
        """How many records `side` held."""
        if side is Side.SOURCE:
            return sum(1 for row in self.rows.values() if row.source is not None)
        return sum(1 for row in self.rows.values() if row.target is not None)

    def commit(
        self,
        observations: Iterable[Observation],
        writes: Sequence[ConfirmedWrite],
        doubts: Sequence[Doubt] = (),
        parked: Mapping[str, tuple[Item, Parked]] | None = None,
        *,
        settle: Mapping[Side, timedelta] | None = None,
    ) -> Baseline:
        """The baseline after a run. Equal to this one, row for row, when nothing moved.

        `settle` is each side's staleness window; a side without one shows a write at once.
        """
        windows = settle or {}
        rows = dict(self.rows)
        touched: set[str] = set()
        observed = list(observations)
        for seen in observed:
            for key in seen.replaces:
                rows.pop(key, None)
        for seen in observed:
            rows[seen.row.key] = seen.row
            touched.add(seen.row.key)
        for write in writes:
            rows[write.change.key] = _written(rows, write, windows.get(write.change.side, _NOW))
            touched.add(write.change.key)
        for doubt in doubts:
            rows[doubt.change.key] = _doubted(rows, doubt, windows.get(doubt.change.side, _NOW))
        for key, (item, park) in (parked or {}).items():
            rows[key] = replace(rows.get(key) or Row(key, item), parked=park)
        for key in touched:
            if rows[key].empty:
                del rows[key]
        return replace(self, rows=rows)

    def pruned(self, now: datetime) -> Baseline:
        """The same baseline without what has outlived its meaning: settled marks, old write times."""
        rows = {key: fresh for key, row in self.rows.items() if not (fresh := _pruned(row, now)).empty}
        return replace(self, rows=rows)


def _pruned(row: Row, now: datetime) -> Row:
    mark = row.mark
    if mark is not None and mark.kind is MarkKind.SETTLING and mark.until <= now:
        row = replace(row, mark=None)
    if row.writes and now - row.writes[0] >= FLAP_WINDOW:
        row = replace(row, writes=tuple(at for at in row.writes if now - at < FLAP_WINDOW))
    return row


def _written(rows: Mapping[str, Row], write: ConfirmedWrite, window: timedelta) -> Row:
    change = write.change
    row = rows.get(change.key) or Row(change.key, change.item)
    # What was not there before has no name there yet; an old one is that of a row that is gone.
    keys = row.native_keys(change.side) if change.before is not None else ()
    if write.native_key is not None and write.native_key not in keys:
        keys = (*keys, write.native_key)
    if change.after is None:
        keys = ()
    mark = None
    if window:
        mark = Mark(
            MarkKind.SETTLING,
            change.side,
            change.before,
            change.after,
            change.origin,
            write.at,
            write.at + window,
        )
    recent = tuple(at for at in row.writes if write.at - at < FLAP_WINDOW)
    unnamed = change.side if change.before is None and write.native_key is None and not write.shown else None
    unshown = row.unshown if row.unshown is change.side.other else unnamed
    row = replace(row, mark=mark, seen=None, parked=None, writes=(*recent, write.at), unshown=unshown)
    if change.after is None and change.origin is None:
        return replace(row, source=None, target=None, source_keys=(), target_keys=(), unshown=None)
    if change.side is Side.SOURCE:
        return replace(row, source=change.after, target=change.origin, source_keys=keys)
    return replace(row, target=change.after, source=change.origin, target_keys=keys)


def _doubted(rows: Mapping[str, Row], doubt: Doubt, window: timedelta) -> Row:
    change = doubt.change
    mark = Mark(
        MarkKind.DOUBT,
        change.side,
        change.before,
        change.after,
        change.origin,
        doubt.at,
        doubt.at + window,
        doubt.logged,
    )
    return replace(rows.get(change.key) or Row(change.key, change.item), mark=mark)
