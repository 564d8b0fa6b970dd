"""Carrying out a plan: fence, journal, write, receipts. Nothing is written without its journal line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from cwsync.engine.fastpath import honest_stamp
from cwsync.engine.options import OnProgress, Progress
from cwsync.engine.sides import Sides, watermarks
from cwsync.engine.stop import Stop
from cwsync.errors import AuthError, CwsyncError, StateError, UnavailableError
from cwsync.model import Change, Doubt, Entry, Feature, Op, Outcome, Play, Receipt, Side, Snapshot, Value, moment
from cwsync.planner.bonds import Bonds, bond_of
from cwsync.planner.decide import DRIFT
from cwsync.planner.plan import FeaturePlan
from cwsync.provider import Provider
from cwsync.redaction import redact
from cwsync.state import Journal
from cwsync.tokens import login


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
    names: Mapping[Side, str]
    batch: int = 0
    halted: CwsyncError | None = None

    async def carry(self, plan: FeaturePlan) -> Carried:
        """Write one feature's changes. Errors end the writing, never the accounting."""
        done = Carried()
        seen = _Fenced() if self.halted or not plan.changes else await self._fence(plan)
        seen.moved |= _tied_to(seen.moved, plan)
        for change in plan.changes:
            if id(change) in seen.done:
                done.receipts.append(Receipt(change, Outcome.ALREADY, native_key=change.native_key))
            elif id(change) in seen.moved:
                done.receipts.append(_unsent(change, "moved", "changed since it was read"))
        ready = [change for change in plan.changes if id(change) not in seen.moved | seen.done]
        done.at = self.now() if seen.done else None
        total, left = len(ready), Counter(change.key for change in plan.changes)
        for batch in _batches(ready, self.sides, plan):
            if self.halted or self.stop.asked:
                code = "stopped" if self.halted is None else self.halted.code
                done.receipts += [_unsent(change, code, "not sent") for change in batch]
                continue
            left.subtract(change.key for change in batch)
            more = tuple(sorted({change.key for change in batch if left[change.key]}))
            await self._send(plan.feature, batch, more, done)
            self.tell(Progress(self.pair, f"writing {plan.feature.value}", len(done.receipts), total))
        done.error = self.halted
        return done

    async def _fence(self, plan: FeaturePlan) -> _Fenced:
        """What became of records between the read and now: those that moved wait for the next run."""
        snapshots = self.snapshots[plan.feature]
        try:
            stamps = await watermarks(self.sides, plan.feature)
            found = _Fenced()
            for side in Side:
                seen = snapshots[side].watermark
                known = seen is not None and stamps[side] is not None
                if known and stamps[side] != seen:
                    return _Fenced({id(change) for change in plan.changes})
                sure = known and honest_stamp(self.sides[side].capabilities, plan.feature)
                await self._point_read(plan, side, found, sure=sure)
        except CwsyncError as error:
            self.halted = error
            return _Fenced()
        return found

    async def _point_read(self, plan: FeaturePlan, side: Side, found: _Fenced, *, sure: bool) -> None:
        """Read once more what must not have moved on `side`: all of it, or, where a stamp is `sure`, what was lost.

        That is what is about to be overwritten or removed there, what would be there twice if someone
        else added it, and what is removed on the other side because it is gone here. A stamp does not
        show that a read left something out: what was there before and seems lost would be there twice; and where
        nothing is known of before, as in a first run or a union, all that would be there twice.
        """
        caps = self.sides[side].capabilities.of(plan.feature)
        here = [c for c in plan.changes if c.side is side and (c.op is not Op.ADD or not caps.idempotent_add)]
        gone = [c for c in plan.changes if c.side is not side and c.op is Op.REMOVE]
        if sure:
            again = [c for c in here if c.op is Op.ADD and (plan.first_run or c.reason.startswith(DRIFT))]
            here, gone = again, []
        if not here and not gone:
            return
        rows = _Rows(await self.sides[side].fetch(plan.feature), caps.precision_s)
        found.done |= {id(change) for change in here if change.op is Op.REMOVE and rows.lack(change)}
        found.moved |= {id(change) for change in here if id(change) not in found.done and not rows.hold(change)}
        found.moved |= {id(change) for change in gone if change.origin is None and rows.any(change)}
        found.done -= found.moved

    async def _stamp(self, provider: Provider, feature: Feature) -> str | None:
        """The stamp after a write, where it can prove something: that a later batch, which was cut, never landed.

        Without it the answers still count; only nothing more is sent.
        """
        if not provider.capabilities.exact_watermark:
            return None
        try:
            return await provider.watermark(feature)
        except CwsyncError as error:
            self.halted = error
            return None

    async def _send(self, feature: Feature, batch: Sequence[Change], more: Sequence[str], done: Carried) -> None:
        self.batch += 1
        side = batch[0].side
        at = self.now()
        self.journal.intend(self.batch, feature, side, batch, at, more=more)
        provider = self.sides[side]
        try:
            receipts = await provider.apply(feature, batch)
        except (UnavailableError, AuthError) as error:
            self.halted = error
            receipts = [_unsent(change, error.code, error.message) for change in batch]
        except StateError as error:
            # The disk failed somewhere between the first byte and the last fsync: nobody knows.
            self.halted = error
            receipts = [Receipt(change, Outcome.UNKNOWN, error.code, detail=error.message) for change in batch]
        refused = next(
            (one for one in receipts if one.outcome is Outcome.NOT_SENT and one.code == AuthError.code), None
        )
        if self.halted is None and refused is not None:
            # Some of the batch was written before: the receipts say what, and nothing more is sent.
            name = self.names[side]
            self.halted = AuthError(refused.detail or "the login ended", where=name, hint=login(name))
        # What a service answers may repeat what we sent, and stays in the journal for months.
        receipts = [_without_secrets(receipt) for receipt in receipts]
        done.at = self.now()
        mark = None if self.halted else await self._stamp(provider, feature)
        self.journal.record(self.batch, receipts, done.at, mark)
        done.receipts += receipts
        done.doubts += [Doubt(receipt.change, at) for receipt in receipts if receipt.outcome is Outcome.UNKNOWN]


@dataclass(slots=True)
class _Fenced:
    """Changes, by identity: whose record is not what the plan saw, and what was done by then without us."""

    moved: set[int] = field(default_factory=set)
    done: set[int] = field(default_factory=set)


class _Rows:
    """The rows of a second look at one side, by native key and by id."""

    def __init__(self, snapshot: Snapshot, precision_s: int) -> None:
        self._rows: dict[str, list[Entry]] = {}
        self._complete = snapshot.complete and not snapshot.lingering
        self._precision_s = max(precision_s, 1)
        for entry in snapshot.entries:
            names = (*entry.item.tokens(), *([f"native {entry.native_key}"] if entry.native_key is not None else []))
            for name in names:
                self._rows.setdefault(name, []).append(entry)

    def _of(self, change: Change) -> list[Entry]:
        names = [f"native {change.native_key}"] if change.native_key is not None else change.item.tokens()
        return [entry for name in names for entry in self._rows.get(name, ())]

    def any(self, change: Change) -> bool:
        """Whether the record of a change is there at all; of a single play: whether that play is."""
        rows = [entry for name in change.item.tokens() for entry in self._rows.get(name, ())]
        return any(self._is_play(entry, change.before) for entry in rows) if "@" in change.key else bool(rows)

    def lack(self, change: Change) -> bool:
        """Whether it is certain that nothing of what is to be removed is there any more."""
        return self._complete and not self._of(change) and not self.any(change)

    def hold(self, change: Change) -> bool:
        """Whether a change still finds what it expects: the value to overwrite, or nothing to be in its way."""
        if change.op is not Op.ADD:
            return any(entry.value == change.before for entry in self._of(change))
        if isinstance(change.after, Play) and "@" in change.key:
            return not any(self._is_play(entry, change.after) for entry in self._of(change))
        return not self._of(change)

    def _is_play(self, entry: Entry, value: Value | None) -> bool:
        if value is None or entry.value.at is None or value.at is None:
            return value is not None and entry.value.at == value.at
        return abs((moment(entry.value.at) - moment(value.at)).total_seconds()) < self._precision_s


def _without_secrets(receipt: Receipt) -> Receipt:
    if receipt.code is None and receipt.detail is None:
        return receipt
    code, detail = (None if text is None else redact(text) for text in (receipt.code, receipt.detail))
    return replace(receipt, code=code, detail=detail)


def _unsent(change: Change, code: str, detail: str) -> Receipt:
    return Receipt(change, Outcome.NOT_SENT, code, detail=detail, moved=code == "moved")


def _tied_to(moved: Collection[int], plan: FeaturePlan) -> set[int]:
    """What one write would carry out together with changes that have to wait: it waits too."""
    if not moved or not plan.bonds:
        return set()
    tied = [(id(change), bond_of(change, bond)) for change in plan.changes if (bond := plan.bonds.get(change))]
    waiting = {name for change, name in tied if change in moved}
    return {change for change, name in tied if name in waiting}


def _batches(changes: Sequence[Change], sides: Sides, plan: FeaturePlan) -> Iterator[list[Change]]:
    """Runs of changes of one sort on one side, no longer than the provider takes at once; what is bound stays whole."""
    batch: list[Change] = []
    for unit in _units(changes, plan.bonds):
        first = unit[0]
        size = max(1, sides[first.side].capabilities.of(plan.feature).batch)
        full = len(batch) + len(unit) > size
        if batch and (full or batch[0].side is not first.side or batch[0].op is not first.op):
            yield batch
            batch = []
        batch += unit
    if batch:
        yield batch


def _units(changes: Sequence[Change], bonds: Bonds) -> Iterable[list[Change]]:
    """Changes, in order; those of one sort that are bound together where the first of them stands."""
    units: dict[object, list[Change]] = {}
    for change in changes:
        bond = bonds.get(change) if bonds else None
        units.setdefault(id(change) if bond is None else bond_of(change, bond), []).append(change)
    return units.values()
