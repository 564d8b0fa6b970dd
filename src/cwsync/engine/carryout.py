"""The second half of a run with `apply`: write every plan, then commit once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cwsync.engine import clock
from cwsync.engine.carry import Carried, Carrier
from cwsync.engine.commit import committed, swept
from cwsync.engine.effects import touches, with_side_effects
from cwsync.engine.fastpath import keep_evidence
from cwsync.engine.pairrun import PairRun
from cwsync.engine.questions import capabilities_of
from cwsync.engine.sides import Sides, account_of
from cwsync.model import Baseline, Feature, MarkKind, Observation, Side
from cwsync.planner.plan import standing
from cwsync.state import Header, Journal


async def carry_out(run: PairRun, sides: Sides) -> None:
    """Write every plan in run order, then commit once."""
    carried: dict[Feature, Carried] = {}
    _settle_first(run)
    journal = _open_journal(run) if any(plan.changes for plan in run.plans.values()) else None
    try:
        if journal is not None:
            snapshots = {feature: question.snapshots for feature, question in run.questions.items()}
            names = {side: account_of(run.pair, side).name for side in Side}
            carrier = Carrier(
                sides, snapshots, journal, run.stop, clock.now, run.home.on_progress, run.pair.name, names
            )
            for feature, plan in run.plans.items():
                carried[feature] = await carrier.carry(plan)
                run.parts.carried(feature, carried[feature])
        _commit(run, carried, journal)
    finally:
        if journal is not None:
            journal.close()


def _settle_first(run: PairRun) -> None:
    """Store what was concluded about earlier writes in doubt before new ones leave.

    A record that is written again, and cut again, would else be judged by the baseline from before
    the first doubt, and what a user did in between would look undone.
    """
    moved = False
    for feature, plan in run.plans.items():
        question = run.questions[feature]
        before = standing(question)
        judged = [seen for seen in plan.observations if _was_doubted(before, seen)]
        if judged and plan.changes:
            after = before.commit(judged, ())
            run.questions[feature] = replace(question, baseline=after)
            run.state = replace(run.state, features={**run.state.features, feature: after})
            moved = True
    if moved:
        run.state = run.store.save(replace(run.state, saved_at=clock.now()))
        run.stored = dict(run.state.features)


def _was_doubted(before: Baseline, seen: Observation) -> bool:
    old = [before.rows[key] for key in (seen.row.key, *seen.replaces) if key in before.rows]
    return seen.row.mark is None and any(row.mark and row.mark.kind is MarkKind.DOUBT for row in old)


def _open_journal(run: PairRun) -> Journal:
    marks = {
        feature: {side: question.snapshots[side].watermark for side in Side}
        for feature, question in run.questions.items()
    }
    header = Header(
        run.run_id,
        run.pair.name,
        run.pair.source.name,
        run.pair.target.name,
        run.state.generation,
        run.state.checksum,
        run.digest,
        run.started,
        marks,
        run.task.undoes,
    )
    return Journal.begin(run.store.folder, header)


def _commit(run: PairRun, carried: Mapping[Feature, Carried], journal: Journal | None) -> None:
    """Store what was seen and proved, if it is anything new, and retire the journal."""
    now = clock.now()
    features: dict[Feature, Baseline] = dict(run.state.features)
    for feature, plan in run.plans.items():
        question = run.questions[feature]
        done = carried.get(feature) or Carried()
        features[feature] = committed(run.pair, question, plan, done, now, undoes=run.task.undoes)
    features = with_side_effects(features, capabilities_of(run.pair), touches(carried, now))
    moved = features != run.stored or journal is not None
    if moved:
        fresh = {feature: swept(baseline, now) for feature, baseline in features.items()}
        run.state = run.store.save(replace(run.state, features=fresh, saved_at=now))
    if journal is not None:
        journal.finish(run.parts.counts(), run.state.generation, run.state.checksum, now)
    run.parts.generation = run.state.generation
    if run.task.undoes is not None:
        return  # it looked at what one run wrote, and judged nothing else
    run.parts.observed = [*run.plans, *run.parts.unread_quiet]
    if moved:
        return  # what was read belongs to the state before; the next run gathers evidence for this one
    seen = {feature: (run.questions[feature], plan) for feature, plan in run.plans.items()}
    keep_evidence(run.home, run.pair, run.state, seen, run.started)
