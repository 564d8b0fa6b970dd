"""Carrying out a plan: fence, journal, write, receipts. Nothing is written without its journal line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cwsync.engine.options import OnProgress, Progress
from cwsync.engine.sides import Sides, watermarks
from cwsync.engine.stop import Stop
from cwsync.errors import CwsyncError, StateError, UnavailableError
from cwsync.model import Change, Doubt, Entry, Feature, Op, Outcome, Receipt, Side, Snapshot
from cwsync.planner.plan import FeaturePlan
from cwsync.state import Journal


@dataclass(slots=True)
class Carried:
    """What became of the changes of one feature, in plan order."""

    receipts: list[Receipt] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    at: datetime | None = None
    error: CwsyncError | None = None


@dataclass(slots=True)
class Carrier:
    """One run's writes. `now` tells the time; `stop` says whether someone asked us to end."""

    sides: Sides
    snapshots: Mapping[Feature, Mapping[Side, Snapshot]]
    journal: Journal
    stop: Stop
    now: Callable[[], datetime]
    tell: OnProgress
    pair: str
    batch: int = 0
    halted: CwsyncError | None = None

    async def carry(self, plan: FeaturePlan) -> Carried:
        """Write one feature's changes. Errors end the writing, never the accounting."""
        done = Carried()
        moved = set() if self.halted or not plan.changes else await self._fence(plan)
        for change in plan.changes:
            if id(change) in moved:
                done.receipts.append(_unsent(change, "moved", "changed since it was read"))
        ready = [change for change in plan.changes if id(change) not in moved]
        total = len(ready)
        for batch in _batches(ready, self.sides, plan.feature):
            if self.halted or self.stop.asked:
                code = "stopped" if self.halted is None else self.halted.code
                done.receipts += [_unsent(change, code, "not sent") for change in batch]
                continue
            await self._send(plan.feature, batch, done)
            self.tell(Progress(self.pair, f"writing {plan.feature.value}", len(done.receipts), total))
        done.error = self.halted
        return done

    async def _fence(self, plan: FeaturePlan) -> set[int]:
        """The changes (by identity) whose side moved between the read and now; they wait for the next run."""
        snapshots = self.snapshots[plan.feature]
        try:
            stamps = await watermarks(self.sides, plan.feature)
            moved: set[int] = set()
            for side in Side:
                seen = snapshots[side].watermark
                if seen is not None and stamps[side] is not None:
                    if stamps[side] != seen:
                        return {id(change) for change in plan.changes}
                    continue
                moved |= await self._point_read(plan, side)
        except CwsyncError as error:
            self.halted = error
            return set()
        return moved

    async def _point_read(self, plan: FeaturePlan, side: Side) -> set[int]:
        """Without a stamp, what is about to be overwritten or removed on `side` is read once more."""
        risky = [change for change in plan.changes if change.side is side and change.op is not Op.ADD]
        if not risky:
            return set()
        again = await self.sides[side].fetch(plan.feature)
        found = _Rows(again)
        return {id(change) for change in risky if not found.hold(change)}

    async def _send(self, feature: Feature, batch: Sequence[Change], done: Carried) -> None:
        self.batch += 1
        side = batch[0].side
        at = self.now()
        self.journal.intend(self.batch, feature, side, batch, at)
        provider = self.sides[side]
        try:
            receipts = await provider.apply(feature, batch)
        except UnavailableError as error:
            self.halted = error
            receipts = [_unsent(change, error.code, error.message) for change in batch]
        except StateError as error:
            # The disk failed somewhere between the first byte and the last fsync: nobody knows.
            self.halted = error
            receipts = [Receipt(change, Outcome.UNKNOWN, error.code, detail=error.message) for change in batch]
        done.at = self.now()
        mark = None if self.halted else await provider.watermark(feature)
        self.journal.record(self.batch, receipts, done.at, mark)
        done.receipts += receipts
        done.doubts += [Doubt(receipt.change, at) for receipt in receipts if receipt.outcome is Outcome.UNKNOWN]


class _Rows:
    """The rows of a second look at one side, by native key and by id."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._rows: dict[str, list[Entry]] = {}
        for entry in snapshot.entries:
            names = (*entry.item.tokens(), *([f"native {entry.native_key}"] if entry.native_key is not None else []))
            for name in names:
                self._rows.setdefault(name, []).append(entry)

    def hold(self, change: Change) -> bool:
        """Whether a row still holds what the change expects to overwrite or to remove."""
        names = [f"native {change.native_key}"] if change.native_key is not None else change.item.tokens()
        return any(entry.value == change.before for name in names for entry in self._rows.get(name, ()))


def _unsent(change: Change, code: str, detail: str) -> Receipt:
    return Receipt(change, Outcome.NOT_SENT, code, detail=detail, moved=code == "moved")


def _batches(changes: Sequence[Change], sides: Sides, feature: Feature) -> Iterator[list[Change]]:
    """Runs of changes of one sort on one side, no longer than the provider takes at once."""
    batch: list[Change] = []
    for change in changes:
        size = max(1, sides[change.side].capabilities.of(feature).batch)
        if batch and (len(batch) >= size or batch[0].side is not change.side or batch[0].op is not change.op):
            yield batch
            batch = []
        batch.append(change)
    if batch:
        yield batch
