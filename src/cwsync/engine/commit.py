"""From what was seen and proved to the next baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cwsync.engine.carry import Carried
from cwsync.engine.questions import fingerprint
from cwsync.engine.replay import absorb, left_alone, whole_records
from cwsync.model import (
    Baseline,
    Feature,
    FeatureSpec,
    Item,
    Outcome,
    PairSpec,
    Parked,
    Receipt,
    Side,
    confirm,
)
from cwsync.planner.plan import FeaturePlan, Question, standing

# A record that was refused is tried again after these waits; the last one goes on for ever.
_PARKING = (timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=3), timedelta(days=7))
_MEMORY = timedelta(days=7)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def committed(
    pair: PairSpec,
    question: Question,
    plan: FeaturePlan,
    carried: Carried,
    now: datetime,
    *,
    undoes: str | None,
) -> Baseline:
    """The baseline of one feature after its plan was carried out. The same object when nothing moved.

    `undoes` is the run that was taken back, if that is what the plan was for.
    """
    before = standing(question)
    receipts = carried.receipts
    at = carried.at or now
    proved = [write for receipt in receipts if (write := confirm(receipt, at)) is not None]
    writes = whole_records(proved, receipts)
    written = {write.change.key for write in writes}
    pending = {receipt.change.key for receipt in receipts} - written
    # A record whose write failed keeps its row as it was, down to when its change was first seen.
    observations = [seen for seen in plan.observations if seen.key not in pending]
    settle = {side: question.caps[side].staleness for side in Side}
    parked = _parked(before, receipts, now)
    after = absorb(before, writes, carried.doubts, settle, observations=observations, parked=parked)
    if undoes is not None:
        after = left_alone(
            after, [*(write.change for write in writes), *(doubt.change for doubt in carried.doubts)], undoes
        )
    return _sealed(after, question, pair, plan, receipts)


def _sealed(
    after: Baseline, question: Question, pair: PairSpec, plan: FeaturePlan, receipts: Sequence[Receipt]
) -> Baseline:
    open_ends = (Outcome.NOT_SENT, Outcome.UNKNOWN)
    done = plan.finished and not any(receipt.outcome in open_ends for receipt in receipts)
    return replace(
        after,
        first_run_done=after.first_run_done or done,
        fingerprint=fingerprint(pair, question.spec),
        account_ids={side: question.snapshots[side].account_id for side in Side},
    )


def _parked(before: Baseline, receipts: Sequence[Receipt], now: datetime) -> dict[str, tuple[Item, Parked]]:
    found = {}
    for receipt in receipts:
        refused = receipt.outcome in (Outcome.NOT_FOUND, Outcome.REJECTED)
        if not refused or receipt.moved:
            continue
        change = receipt.change
        row = before.rows.get(change.key)
        tries = row.parked.tries + 1 if row and row.parked else 1
        until = _next_try(now, _PARKING[min(tries, len(_PARKING)) - 1])
        code = receipt.code or receipt.outcome.value
        found[change.key] = change.item, Parked(change.side, code, tries, until, receipt.detail)
    return found


def _next_try(now: datetime, step: timedelta) -> datetime:
    """When a refused record is tried again: after half of `step` to one and a half, on a multiple of it since 1970.

    What was refused at different times falls due together: a service may take some records only together.
    """
    past = (now + step / 2 - _EPOCH) % step
    return now + step / 2 + (step - past if past else timedelta(0))


def swept(baseline: Baseline, now: datetime) -> Baseline:
    """A baseline about to be stored anyway, without what has outlived its meaning."""
    kept = tuple(removal for removal in baseline.removals if now - removal.at < _MEMORY)
    return replace(baseline.pruned(now), removals=kept)


def scope_of(pair: PairSpec, feature: Feature) -> FeatureSpec:
    """The rules of one feature of a pair, which has it."""
    return next(spec for spec in pair.features if spec.feature is feature)
