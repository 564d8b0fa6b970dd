"""Stamps before reads: a feature of which neither side moved since a quiet run needs no reading.

The fast path can only say "nothing to do"; it never leads to a write or to a baseline change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cwsync.engine.options import Home, RunOptions
from cwsync.engine.questions import capabilities_of, fingerprint
from cwsync.engine.sides import Sides, together, watermarks
from cwsync.model import Capabilities, Class, Feature, FeatureSpec, PairSpec, Side
from cwsync.planner.plan import FeaturePlan, Question
from cwsync.planner.write import kinds_of
from cwsync.state import Evidence, FeatureEvidence, PairState, load_evidence, save_evidence

# A stamp may be wrong (a service that forgets to move it), so everything is read again once a day.
_TRUSTED = timedelta(hours=24)
# What is told of a record for as long as neither side, nor the baseline, nor the rules change. What is
# parked is so until the first of them is tried again.
_LASTING = frozenset({
    "add-off", "ambiguous", "lingering", "no-ids", "parked", "rekeyed", "remove-off", "renumbered", "same",
    "title-year", "undone", "unshown", "unsupported", "update-off",
})  # fmt: skip
_TOLD = 2000  # notes that are kept; with more of them everything is read


def rules_text(pair: PairSpec, spec: FeatureSpec, caps: Mapping[Side, Capabilities]) -> str:
    """Everything but the sides and the baseline that a plan depends on, as text."""
    plain = replace(spec, types=frozenset())
    windows = [int(caps[side].staleness.total_seconds()) for side in Side]
    names = [pair.source.name, pair.target.name]
    return f"{names} {pair.mode} {pair.match} {pair.guards} {plain} {kinds_of(spec.types)} {windows}"


def honest_stamp(caps: Capabilities, feature: Feature) -> bool:
    """Whether a watermark that stands still proves that nothing was removed either."""
    return caps.exact_watermark or caps.of(feature).stamp_moves_on_removal


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
    if evidence is None or evidence.checksum != state.checksum:
        return {}
    caps = capabilities_of(pair)
    candidates: dict[Feature, FeatureEvidence] = {}
    for spec in specs:
        known, baseline = evidence.features.get(spec.feature), state.features.get(spec.feature)
        if known is None or baseline is None or not _trusted(known, pair, spec, caps, now):
            continue
        if baseline.fingerprint != fingerprint(pair, spec):
            continue
        if any(baseline.account_ids.get(side) != sides[side].account_id for side in Side):
            continue
        candidates[spec.feature] = known
    marks = await together([watermarks(sides, feature) for feature in candidates])
    return {
        feature: known
        for (feature, known), seen in zip(candidates.items(), marks, strict=True)
        if all(seen[side] is not None and seen[side] == known.watermarks.get(side) for side in Side)
    }


def _trusted(
    known: FeatureEvidence, pair: PairSpec, spec: FeatureSpec, caps: Mapping[Side, Capabilities], now: datetime
) -> bool:
    """Whether evidence is fresh, was gathered under the same rules, and from reads that no longer lagged."""
    if known.until is not None and now >= known.until:
        return False
    if not timedelta(0) <= now - known.read_at < _TRUSTED or known.rules != rules_text(pair, spec, caps):
        return False
    return all(
        honest_stamp(caps[side], spec.feature) and known.read_at - known.since[side] >= caps[side].staleness
        for side in Side
    )


def evidence_of(
    question: Question, plan: FeaturePlan, pair: PairSpec, before: FeatureEvidence | None, read_at: datetime
) -> FeatureEvidence | None:
    """What this run saw of a feature, if there was nothing to do, and nothing to tell that another run would not.

    `before` is the evidence so far: a stamp that stood there already has stood since then.
    """
    busy = plan.changes or plan.conflicts or plan.guards or plan.observations or plan.union or question.frozen
    told = any(snapshot.undecoded or snapshot.warnings for snapshot in question.snapshots.values())
    whole = all(snapshot.complete or snapshot.withheld for snapshot in question.snapshots.values())
    marks = {side: question.snapshots[side].watermark for side in Side}
    scoped = question.since or question.until or question.adds_only or question.limit
    rows = question.baseline.rows.values()
    waiting = any(row.seen or (row.mark and row.mark.until > question.now) for row in rows)
    passing = not all(note.code in _LASTING for note in (*plan.holds, *plan.skips))
    many = len(plan.holds) + len(plan.skips) > _TOLD or Class.ADOPT in plan.counts
    odd = told or not whole or None in marks.values()
    if busy or odd or scoped or waiting or passing or many:
        return None
    since = {
        side: before.since[side] if before and before.watermarks.get(side) == marks[side] else read_at for side in Side
    }
    return FeatureEvidence(
        marks,
        {side: len(question.snapshots[side].entries) for side in Side},
        plan.counts.get(Class.SAME, 0),
        plan.digest,
        rules_text(pair, question.spec, question.caps),
        since,
        read_at,
        plan.holds,
        plan.skips,
        plan.filtered,
        plan.one_sided,
        # What is parked is tried again by the clock.
        min((row.parked.until for row in rows if row.parked and row.parked.until > question.now), default=None),
    )


def keep_evidence(
    home: Home,
    pair: PairSpec,
    state: PairState,
    plans: Mapping[Feature, tuple[Question, FeaturePlan]],
    read_at: datetime,
) -> None:
    """Keep what a run that moved nothing saw, together with what was known of features that were not read."""
    if state.checksum is None or not plans:
        return
    known = load_evidence(home.state_dir, pair.name, pair.source.name, pair.target.name)
    old = dict(known.features) if known is not None and known.checksum == state.checksum else {}
    fresh = dict(old)
    for feature, (question, plan) in plans.items():
        # A stamp keeps its age across states: it is the service's, not ours.
        before = known.features.get(feature) if known else None
        seen = evidence_of(question, plan, pair, before, read_at)
        fresh.pop(feature, None)
        if seen is not None:
            fresh[feature] = seen
    if fresh != old:
        save_evidence(home.state_dir, pair.name, Evidence(pair.source.name, pair.target.name, state.checksum, fresh))
