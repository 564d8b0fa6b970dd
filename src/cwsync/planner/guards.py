"""Guards: numbers at which a plan is not carried out unless a person says so.

A guard reports, the engine refuses. Each trips at the stated number, not one earlier or later, and
every comparison is made in whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cwsync.model import Baseline, Change, Feature, Guard, GuardSpec, MarkKind, Op, Removal, Row, Side, Snapshot

_CLOCK = timedelta(seconds=300)
_DAY = timedelta(hours=24)
_WEEK = timedelta(days=7)
_FEW = 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What the guards of one feature judge.

    `present` counts the baseline records of each side that this run still saw there, `lost` those that left its
    library, of which nothing is concluded; `complete` and `records` describe the two snapshots. `usable` says that
    the baseline counts for anything (not in a first or a union run), `inferred` that removals were concluded from
    what was not seen.
    """

    feature: Feature
    spec: GuardSpec
    pair: str
    names: Mapping[Side, str]
    changes: Sequence[Change]
    baseline: Baseline
    snapshots: Mapping[Side, Snapshot]
    present: Mapping[Side, int]
    held: Mapping[Side, int]
    usable: bool
    first_run: bool
    now: datetime
    wall: datetime
    last_at: datetime | None
    inferred: bool = True
    lost: Mapping[Side, int] = field(default_factory=dict)


def judge(facts: Facts) -> tuple[Guard, ...]:
    """Every guard that trips, in a fixed order."""
    found = [guard for check in (_account, _clock) for guard in check(facts)]
    for side in Side:
        for check in (_complete, _empty, _overlap, _removes, _budget, _updates, _adds):
            guard = check(facts, side)
            if guard is not None:
                found.append(guard)
    return tuple(found)


def keys_written(changes: Sequence[Change], op: Op, side: Side) -> int:
    """How many records (not copies of them) one kind of write touches on one side."""
    return len({change.key for change in changes if change.op is op and change.side is side})


def _key(facts: Facts, name: str) -> str:
    return f"if this is meant for good, change {name} in [pairs.{facts.pair}.guards]"


def _account(facts: Facts) -> list[Guard]:
    found = []
    for side in Side:
        was, now = facts.baseline.account_ids.get(side), facts.snapshots[side].account_id
        if was is not None and was != now:
            numbers = f"{facts.names[side]} was {was}, and is {now} now"
            hint = f"if this is meant: cwsync reset-state {facts.pair}"
            found.append(Guard("account", facts.feature, side, numbers, hint, acceptable=False))
    return found


def _clock(facts: Facts) -> list[Guard]:
    found = []
    for side in Side:
        theirs = facts.snapshots[side].server_now
        if theirs is not None and abs(theirs - facts.wall) > _CLOCK:
            seconds = int((facts.wall - theirs).total_seconds())
            numbers = (
                f"our clock is {seconds} s off the one of {facts.names[side]} (limit {int(_CLOCK.total_seconds())} s)"
            )
            found.append(Guard("clock", facts.feature, side, numbers, "set this machine's clock (timedatectl)"))
    last = facts.last_at
    if last is not None and last - facts.wall > _CLOCK:
        numbers = f"the last run was at {last:%Y-%m-%d %H:%M} UTC, and it is {facts.wall:%Y-%m-%d %H:%M} UTC now"
        found.append(Guard("clock", facts.feature, None, numbers, "set this machine's clock (timedatectl)"))
    return found


def _complete(facts: Facts, side: Side) -> Guard | None:
    """Removals on `side` need a complete snapshot of the other side."""
    evidence = facts.snapshots[side.other]
    count = keys_written(facts.changes, Op.REMOVE, side)
    if not count or evidence.complete or not facts.inferred:
        return None
    numbers = f"{count} removals on {facts.names[side]}, but {facts.names[side.other]} was not read completely"
    return Guard(
        "complete", facts.feature, side, numbers, "mend the read, then run again", holds=True, acceptable=False
    )


def _empty(facts: Facts, side: Side) -> Guard | None:
    snapshot = facts.snapshots[side]
    if not facts.usable or not snapshot.complete or snapshot.entries or snapshot.undecoded:
        return None
    # What a service takes off by itself, because of a write of ours, is no reason to wonder.
    had = sum(row.value(side) is not None and not _taken_off(row, side) for row in facts.baseline.rows.values())
    had -= facts.lost.get(side, 0)
    if had <= 0:
        return None
    if facts.feature is Feature.PROGRESS and had <= facts.spec.free_removes:
        return None  # the last started film was finished: that is what progress is for
    numbers = f"{facts.names[side]} is empty, and held {had} records"
    return Guard("empty", facts.feature, side, numbers, "if it was emptied on purpose, accept", holds=True)


def _taken_off(row: Row, side: Side) -> bool:
    return row.mark is not None and row.mark.kind is MarkKind.EFFECT and row.mark.side is side


def _overlap(facts: Facts, side: Side) -> Guard | None:
    had, present = facts.baseline.count(side) - facts.lost.get(side, 0), facts.present[side]
    if not facts.usable or had < _FEW or not facts.snapshots[side].complete or facts.feature is Feature.PROGRESS:
        return None
    if present * 100 >= facts.spec.min_overlap_percent * had:
        return None
    numbers = (
        f"{present} of {had} known records are still on {facts.names[side]} "
        f"(at least {facts.spec.min_overlap_percent}% expected)"
    )
    return Guard("overlap", facts.feature, side, numbers, _key(facts, "min_overlap_percent"), holds=True)


def _allowance_100(facts: Facts, side: Side) -> int:
    """How many removals on `side` are ordinary, times 100."""
    spec = facts.spec
    return max(spec.free_removes * 100, spec.max_remove_percent * facts.baseline.count(side))


def _removes(facts: Facts, side: Side) -> Guard | None:
    count, had = keys_written(facts.changes, Op.REMOVE, side), facts.baseline.count(side)
    spec = facts.spec
    if count > spec.max_remove:
        numbers = f"{count} of {had} records would be removed from {facts.names[side]} (max_remove {spec.max_remove})"
        return Guard("removes", facts.feature, side, numbers, _key(facts, "max_remove"), holds=True)
    if count * 100 > _allowance_100(facts, side):
        numbers = (
            f"{count} of {had} records would be removed from {facts.names[side]} "
            f"(max_remove_percent {spec.max_remove_percent}, free_removes {spec.free_removes})"
        )
        return Guard("removes", facts.feature, side, numbers, _key(facts, "max_remove_percent"), holds=True)
    return None


def _budget(facts: Facts, side: Side) -> Guard | None:
    count = keys_written(facts.changes, Op.REMOVE, side)
    if not count:
        return None
    allowance = min(_allowance_100(facts, side), facts.spec.max_remove * 100)
    for span, times, word in ((_DAY, 2, "24 hours"), (_WEEK, 3, "7 days")):
        total = count + _removed(facts.baseline.removals, side, facts.now - span)
        if total * 100 > times * allowance:
            numbers = f"{total} removals from {facts.names[side]} in {word} (limit {times * allowance // 100})"
            return Guard("budget", facts.feature, side, numbers, _key(facts, "max_remove_percent"), holds=True)
    return None


def _removed(removals: Sequence[Removal], side: Side, since: datetime) -> int:
    return sum(removal.count for removal in removals if removal.side is side and removal.at > since)


def _updates(facts: Facts, side: Side) -> Guard | None:
    spec, count, held = facts.spec, keys_written(facts.changes, Op.UPDATE, side), facts.held[side]
    if count * 100 <= max(spec.free_updates * 100, spec.max_update_percent * held):
        return None
    numbers = (
        f"{count} of {held} records would change on {facts.names[side]} "
        f"(max_update_percent {spec.max_update_percent}, free_updates {spec.free_updates})"
    )
    return Guard("updates", facts.feature, side, numbers, _key(facts, "max_update_percent"))


def _adds(facts: Facts, side: Side) -> Guard | None:
    spec, count, held = facts.spec, keys_written(facts.changes, Op.ADD, side), facts.held[side]
    if facts.first_run or count * 100 <= max(spec.free_adds * 100, spec.max_add_percent * held):
        return None
    numbers = (
        f"{count} records would be added to the {held} on {facts.names[side]} "
        f"(max_add_percent {spec.max_add_percent}, free_adds {spec.free_adds})"
    )
    return Guard("adds", facts.feature, side, numbers, _key(facts, "max_add_percent"))
