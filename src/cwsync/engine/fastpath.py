"""Stamps before reads: a feature of which neither side moved since a quiet run needs no reading.

The fast path can only say "nothing to do"; it never leads to a write or to a baseline change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cwsync.engine.options import Home, RunOptions
from cwsync.engine.questions import fingerprint
from cwsync.engine.sides import Sides, watermarks
from cwsync.model import Class, Feature, FeatureSpec, PairSpec, Row, Side
from cwsync.planner.plan import FeaturePlan, Question
from cwsync.state import Evidence, FeatureEvidence, PairState, load_evidence, save_evidence

# A stamp may be wrong (a service that forgets to move it), so everything is read again once a day.
_TRUSTED = timedelta(hours=24)
_QUIET = frozenset({Class.SAME})


async def unchanged(
    home: Home,
    pair: PairSpec,
    specs: Sequence[FeatureSpec],
    *,
    state: PairState,
    sides: Sides,
    options: RunOptions,
    now: datetime,
) -> dict[Feature, FeatureEvidence]:
    """The features that certainly hold what they held when the last quiet run read them."""
    if options.full or options.accept is not None or state.checksum is None:
        return {}
    evidence = load_evidence(home.state_dir, pair.name, pair.source.name, pair.target.name)
    if evidence is None or evidence.checksum != state.checksum or not timedelta(0) <= now - evidence.at < _TRUSTED:
        return {}
    found = {}
    for spec in specs:
        known, baseline = evidence.features.get(spec.feature), state.features.get(spec.feature)
        if known is None or baseline is None or baseline.fingerprint != fingerprint(pair, spec):
            continue
        if any(baseline.account_ids.get(side) != sides[side].account_id for side in Side):
            continue
        marks = await watermarks(sides, spec.feature)
        if all(marks[side] is not None and marks[side] == known.watermarks.get(side) for side in Side):
            found[spec.feature] = known
    return found


def evidence_of(question: Question, plan: FeaturePlan) -> FeatureEvidence | None:
    """What this run saw of a feature, if there was nothing at all to do, to wait for or to tell."""
    busy = plan.changes or plan.conflicts or plan.holds or plan.skips or plan.guards or plan.observations or plan.union
    told = any(snapshot.undecoded or snapshot.warnings for snapshot in question.snapshots.values())
    marks = {side: question.snapshots[side].watermark for side in Side}
    scoped = question.since or question.until or question.adds_only or question.limit
    waiting = any(_waits(row, question.now) for row in question.baseline.rows.values())
    if busy or told or scoped or waiting or None in marks.values() or not set(plan.counts) <= _QUIET:
        return None
    records = {side: len(question.snapshots[side].entries) for side in Side}
    return FeatureEvidence(marks, records, plan.counts.get(Class.SAME, 0), plan.digest)


def _waits(row: Row, now: datetime) -> bool:
    return bool(row.seen or row.parked or (row.mark and row.mark.until > now))


def store_evidence(
    home: Home, pair: PairSpec, state: PairState, features: Mapping[Feature, FeatureEvidence], at: datetime
) -> None:
    """Keep the evidence of a quiet run, together with what was known of features that were not read."""
    if state.checksum is None:
        return
    known = load_evidence(home.state_dir, pair.name, pair.source.name, pair.target.name)
    if not features:
        return
    old: Mapping[Feature, FeatureEvidence] = {}
    if known is not None and known.checksum == state.checksum:
        # What is carried over was read then, not now: its day goes on.
        old, at = known.features, known.at if set(known.features) - set(features) else at
    evidence = Evidence(pair.source.name, pair.target.name, state.checksum, at, {**old, **features})
    save_evidence(home.state_dir, pair.name, evidence)
