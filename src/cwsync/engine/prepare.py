"""The first half of a run: take an unfinished one into account, read, and plan every feature."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from cwsync.engine import clock
from cwsync.engine.bonds import planned
from cwsync.engine.completion import complete
from cwsync.engine.effects import with_side_effects
from cwsync.engine.fastpath import unchanged
from cwsync.engine.neighbours import frozen_by_others, touched_by_others
from cwsync.engine.options import Progress
from cwsync.engine.pairrun import PairRun
from cwsync.engine.questions import ask, capabilities_of
from cwsync.engine.replay import replay
from cwsync.engine.sides import Sides, read_all
from cwsync.errors import CwsyncError
from cwsync.model import RUN_ORDER, Feature, FeatureSpec, Side, Snapshot
from cwsync.planner.digest import pair_digest
from cwsync.planner.plan import Question
from cwsync.state import FeatureEvidence, Journal, retire


async def recover(run: PairRun, sides: Sides) -> None:
    """Take an unfinished run into account; with `apply`, for good, before anything else is written."""
    journal = run.journal
    if journal is None:
        return
    digest = run.baseline_digest
    found = await replay(run.state, journal, run.pair, sides, capabilities_of(run.pair))
    if found.warning:
        run.parts.warnings.append(found.warning)
    run.state = found.state
    run.parts.baseline_digest = digest
    if run.options.apply:
        if found.warning:
            run.state = run.store.save(replace(run.state, saved_at=clock.now()))
            run.stored = dict(run.state.features)
        if journal.ended:
            retire(run.store.folder, journal.header.run_id)
        else:
            with Journal.reopen(run.store.folder, journal) as cut_off:
                cut_off.settle()


async def make_plans(run: PairRun, sides: Sides) -> None:
    """Read what must be read and plan every feature; a feature whose read failed is left out."""
    digest = run.parts.baseline_digest or run.baseline_digest
    quiet = await _quiet(run, sides)
    features = [spec.feature for spec in run.specs if spec.feature not in quiet]
    began = time.perf_counter()

    def tell(done: int, total: int) -> None:
        run.home.on_progress(Progress(run.pair.name, "reading", done, total))

    found = await complete(
        run.pair, run.home, await read_all(sides, features, tell), run.state.features, wet=run.options.apply
    )
    run.parts.warnings += found.warnings
    readings = found.readings
    frozen = frozen_by_others(run.pairs, run.pair, run.home, clock.now())
    _mark_touched(run)
    run.home.on_progress(Progress(run.pair.name, "planning", 0, None))
    for spec in run.specs:
        reading = readings.get(spec.feature)
        if isinstance(reading, CwsyncError):
            run.parts.failed(spec.feature, reading)
        elif reading is not None:
            waiting = {**found.waiting(spec.feature), **frozen.get(spec.feature, {})}
            await _plan(run, sides, _question(run, spec, reading, digest, waiting), began)
    digests = {feature: one.digest for feature, one in quiet.items()}
    digests |= {feature: plan.digest for feature, plan in run.plans.items()}
    run.digest = pair_digest([(feature, digests[feature]) for feature in RUN_ORDER if feature in digests])
    run.parts.digest = run.digest


async def _plan(run: PairRun, sides: Sides, question: Question, began: float) -> None:
    feature = question.spec.feature
    try:
        question, plan = await planned(question, sides, run.task.plan)
    except CwsyncError as error:
        run.parts.failed(feature, error)
        return
    run.questions[feature], run.plans[feature] = question, plan
    run.parts.planned(question, plan, time.perf_counter() - began)


async def _quiet(run: PairRun, sides: Sides) -> dict[Feature, FeatureEvidence]:
    """The features that need no read, with the evidence that says so.

    After a run that was cut everything is read: what the evidence stands on is stored anew, and a
    dry run says the same as the run that does so.
    """
    if run.journal is not None:
        return {}
    quiet = await unchanged(
        run.home, run.pair, run.specs, state=run.state, sides=sides, options=run.options, now=run.started
    )
    for feature, evidence in quiet.items():
        run.parts.quiet(feature, evidence)
    return quiet


def _mark_touched(run: PairRun) -> None:
    """What other pairs wrote since the last look may have side effects on this one's watchlist."""
    touched = touched_by_others(run.pairs, run.pair, run.home, _observed_at(run, Feature.WATCHLIST))
    if touched:
        marked = with_side_effects(run.state.features, capabilities_of(run.pair), touched)
        run.state = replace(run.state, features=marked)


def _question(
    run: PairRun, spec: FeatureSpec, snapshots: Mapping[Side, Snapshot], digest: str, frozen: Mapping[str, str]
) -> Question:
    return ask(
        run.pair,
        spec,
        run.state,
        snapshots,
        run.options,
        wall=clock.now(),
        digest=digest,
        observed_at=_observed_at(run, spec.feature),
        last_at=run.last.finished_at if run.last else run.state.saved_at,
        distrust=run.distrust,
        frozen=frozen,
    )


def _observed_at(run: PairRun, feature: Feature) -> datetime | None:
    """When both sides of a feature were last seen and judged; at the latest when the state was stored."""
    known = run.last.observed.get(feature) if run.last else None
    return known or run.state.saved_at
