"""One run: locks, state, replay, read, plan, guards, and with `apply` write, confirm and commit."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cwsync.engine.carry import Carried, Carrier
from cwsync.engine.commit import committed, swept
from cwsync.engine.effects import touches, with_side_effects
from cwsync.engine.fastpath import keep_evidence, unchanged
from cwsync.engine.neighbours import frozen_by_others, touched_by_others
from cwsync.engine.options import Home, IfLocked, Progress, RunOptions
from cwsync.engine.questions import ask, capabilities_of, distrust, distrusted
from cwsync.engine.remember import last_run, remember
from cwsync.engine.replay import replay
from cwsync.engine.report import RunParts, failed_report, pair_report, run_exit
from cwsync.engine.sides import Sides, opened, read_all
from cwsync.engine.stop import Stop
from cwsync.errors import CwsyncError, LockedError, StalePlanError
from cwsync.http import recorded
from cwsync.model import (
    RUN_ORDER,
    Baseline,
    Feature,
    FeatureSpec,
    MarkKind,
    Observation,
    PairReport,
    PairSpec,
    RunReport,
    Settings,
    Side,
    TrafficReport,
)
from cwsync.planner.digest import pair_digest
from cwsync.planner.plan import FeaturePlan, Question, guarded, plan_feature, standing
from cwsync.state import (
    FeatureEvidence,
    Header,
    Journal,
    JournalRecord,
    LastRun,
    Locks,
    PairState,
    PairStore,
    RunInfo,
    read_journal,
    retire,
)

_LOCK_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Task:
    """What a run is for: to sync, or (`undoes`) to take back an earlier run. `plan` makes a feature's plan."""

    plan: Callable[[Question], FeaturePlan] = plan_feature
    undoes: str | None = None


SYNC = Task()


@dataclass(frozen=True, slots=True)
class _Job:
    """What all pairs of one command share."""

    task: Task
    options: RunOptions
    home: Home
    run_id: str
    stop: Stop
    pairs: Sequence[PairSpec]


@dataclass(slots=True)
class _Run:
    """What one pair's run knows so far."""

    pair: PairSpec
    task: Task
    specs: tuple[FeatureSpec, ...]
    options: RunOptions
    home: Home
    run_id: str
    stop: Stop
    pairs: Sequence[PairSpec]
    store: PairStore
    started: datetime
    state: PairState
    journal: JournalRecord | None
    last: LastRun | None
    parts: RunParts
    questions: dict[Feature, Question] = field(default_factory=dict)
    plans: dict[Feature, FeaturePlan] = field(default_factory=dict)
    digest: str = ""
    stored: dict[Feature, Baseline] = field(default_factory=dict)
    distrust: str | None = None

    @property
    def baseline_digest(self) -> str:
        """What stands for the baseline in digests: the same in a dry run and in the run that follows."""
        return f"{self.state.checksum or ''}:{self.journal.last_hash if self.journal else ''}"


def clock() -> datetime:
    """Our own clock."""
    return datetime.now(UTC)


def new_run_id(at: datetime) -> str:
    """A name for a run that sorts by time: ``20260301T120000-3f9a1c``."""
    return f"{at:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def run_pairs(
    settings: Settings,
    names: Sequence[str],
    options: RunOptions,
    home: Home,
    *,
    command: str,
    expect: Mapping[str, str] | None = None,
    task: Task = SYNC,
) -> RunReport:
    """Plan (and with `options.apply` carry out) pairs one after the other.

    `expect` gives the digest that a pair's plan must have; another one is refused. Errors of a pair
    end that pair and are in its report.
    """
    return asyncio.run(_run_pairs(settings, names, options, home, command=command, expect=expect or {}, task=task))


async def _run_pairs(
    settings: Settings,
    names: Sequence[str],
    options: RunOptions,
    home: Home,
    *,
    command: str,
    expect: Mapping[str, str],
    task: Task,
) -> RunReport:
    stop = Stop()
    job = _Job(task, options, home, new_run_id(clock()), stop, tuple(settings.pairs.values()))
    reports: list[PairReport] = []
    with stop.listening():
        for pair in [settings.pairs[name] for name in names]:
            if stop.asked:
                break
            reports.append(await _guarded_pair(pair, job, expect.get(pair.name)))
    code = stop.exit_code or run_exit(reports)
    return RunReport(job.run_id, command, options.apply, code, tuple(reports))


async def _guarded_pair(pair: PairSpec, job: _Job, expected: str | None) -> PairReport:
    with recorded() as traffic:
        report = await _reported(pair, job, expected)
    asked = {
        name: TrafficReport(one.requests, one.n_bytes, one.ms, dict(sorted(one.calls.items())))
        for name, one in sorted(traffic.items())
    }
    return replace(report, traffic=asked)


async def _reported(pair: PairSpec, job: _Job, expected: str | None) -> PairReport:
    started, options = clock(), job.options
    try:
        with ExitStack() as held:
            locks = await _locked(pair, job, held)
            try:
                report = await _run_pair(pair, job, expected, locks)
            except CwsyncError as error:
                report = failed_report(pair, error)
            if options.apply:
                synced = job.task.undoes is None
                remember(pair, job.home, job.run_id, report, started=started, now=clock(), synced=synced)
            return replace(report, undoes=job.task.undoes)
    except LockedError as error:
        return failed_report(pair, error, skipped=options.if_locked is IfLocked.SKIP)
    except CwsyncError as error:
        return failed_report(pair, error)


async def _locked(pair: PairSpec, job: _Job, held: ExitStack) -> Locks | None:
    """The locks of a run that writes, taken until `held` ends. A dry run takes none: it creates no file.

    Waits in short steps, so that whoever asks the run to end is heard. Raises `LockedError`.
    """
    options = job.options
    if not options.apply:
        return None
    names = [f"account-{name}" for name in sorted((pair.source.name, pair.target.name))] + [f"pair-{pair.name}"]
    patience = None if options.if_locked is IfLocked.WAIT else options.lock_timeout_s
    began = time.monotonic()
    word = "run" if job.task.undoes is None else "undo"
    info = RunInfo(f"cwsync {word} {pair.name} ({job.run_id})", clock())
    while True:
        try:
            return held.enter_context(Locks(job.home.state_dir, names, 0.0, info))
        except LockedError:
            if job.stop.asked or (patience is not None and time.monotonic() - began >= patience):
                raise
            await asyncio.sleep(_LOCK_POLL_S)


async def _run_pair(pair: PairSpec, job: _Job, expected: str | None, locks: Locks | None) -> PairReport:
    store = PairStore(job.home.state_dir, pair.name)
    run = _Run(
        pair=pair,
        task=job.task,
        specs=_wanted(pair, job.options),
        options=job.options,
        home=job.home,
        run_id=job.run_id,
        stop=job.stop,
        pairs=job.pairs,
        store=store,
        started=clock(),
        state=store.load(pair.source.name, pair.target.name),
        journal=read_journal(store.journal_path),
        last=last_run(store),
        parts=RunParts(pair),
    )
    run.stored = dict(run.state.features)
    run.distrust = distrust(store, run.state, run.last)
    if run.distrust is not None:
        run.state = distrusted(run.state)
        if backups := store.backups():
            run.parts.warnings.append(f"earlier states of {pair.name} are kept; the newest is {backups[0]}")
    async with opened(pair, job.home, locks) as sides:
        await _recover(run, sides)
        await _plan(run, sides)
        if expected is not None and expected != run.digest:
            raise _stale(pair, expected, run.digest, "the saved plan")
        _judge(run)
        if job.options.apply:
            await _carry_out(run, sides)
    return pair_report(run.parts)


def _wanted(pair: PairSpec, options: RunOptions) -> tuple[FeatureSpec, ...]:
    return tuple(spec for spec in pair.features if options.features is None or spec.feature in options.features)


async def _recover(run: _Run, sides: Sides) -> None:
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
            run.state = run.store.save(replace(run.state, saved_at=clock()))
            run.stored = dict(run.state.features)
        if journal.ended:
            retire(run.store.folder, journal.header.run_id)
        else:
            with Journal.reopen(run.store.folder, journal) as cut_off:
                cut_off.settle()


async def _plan(run: _Run, sides: Sides) -> None:
    """Read what must be read and plan every feature; a feature whose read failed is left out."""
    digest = run.parts.baseline_digest or run.baseline_digest
    quiet: dict[Feature, FeatureEvidence] = {}
    if run.journal is None:
        # After a run that was cut everything is read: what the evidence stands on is stored anew, and a dry run says
        # the same as the run that does so.
        quiet = await unchanged(
            run.home, run.pair, run.specs, state=run.state, sides=sides, options=run.options, now=run.started
        )
    for feature, evidence in quiet.items():
        run.parts.quiet(feature, evidence)
    features = [spec.feature for spec in run.specs if spec.feature not in quiet]
    began = time.perf_counter()

    def tell(done: int, total: int) -> None:
        run.home.on_progress(Progress(run.pair.name, "reading", done, total))

    readings = await read_all(sides, features, tell)
    frozen = frozen_by_others(run.pairs, run.pair, run.home, clock())
    touched = touched_by_others(run.pairs, run.pair, run.home, _observed_at(run, Feature.WATCHLIST))
    if touched:
        marked = with_side_effects(run.state.features, capabilities_of(run.pair), touched)
        run.state = replace(run.state, features=marked)
    run.home.on_progress(Progress(run.pair.name, "planning", 0, None))
    for spec in run.specs:
        reading = readings.get(spec.feature)
        if reading is None:
            continue
        if isinstance(reading, CwsyncError):
            run.parts.failed(spec.feature, reading)
            continue
        question = ask(
            run.pair,
            spec,
            run.state,
            reading,
            run.options,
            wall=clock(),
            digest=digest,
            observed_at=_observed_at(run, spec.feature),
            last_at=run.last.finished_at if run.last else run.state.saved_at,
            distrust=run.distrust,
            frozen=frozen.get(spec.feature, {}),
        )
        run.questions[spec.feature] = question
        run.plans[spec.feature] = run.task.plan(question)
        run.parts.planned(question, run.plans[spec.feature], time.perf_counter() - began)
    digests = {**{feature: one.digest for feature, one in quiet.items()}}
    digests |= {feature: plan.digest for feature, plan in run.plans.items()}
    run.digest = pair_digest([(feature, digests[feature]) for feature in RUN_ORDER if feature in digests])
    run.parts.digest = run.digest


def _observed_at(run: _Run, feature: Feature) -> datetime | None:
    """When both sides of a feature were last seen and judged; at the latest when the state was stored."""
    known = run.last.observed.get(feature) if run.last else None
    return known or run.state.saved_at


def _judge(run: _Run) -> None:
    """Let guards have their say, all of them before the first write of any feature."""
    accepted = run.options.accept
    if accepted is not None and accepted != run.digest:
        raise _stale(run.pair, accepted, run.digest, "the accepted plan")
    for feature in list(run.plans):
        plan, stopped = guarded(run.plans[feature], run.pair.guards.on_guard, accepted=accepted is not None)
        run.plans[feature] = plan
        run.parts.judged(plan)
        if stopped:
            del run.plans[feature]


def _stale(pair: PairSpec, expected: str, digest: str, what: str) -> StalePlanError:
    return StalePlanError(
        f"{what} is {expected}, and the plan is {digest} now: the state or one of the sides changed",
        hint=f"read it again: cwsync plan {pair.name}",
    )


async def _carry_out(run: _Run, sides: Sides) -> None:
    """Write every plan in run order, then commit once."""
    carried: dict[Feature, Carried] = {}
    _settle_first(run)
    journal = _open_journal(run) if any(plan.changes for plan in run.plans.values()) else None
    try:
        if journal is not None:
            snapshots = {feature: question.snapshots for feature, question in run.questions.items()}
            carrier = Carrier(sides, snapshots, journal, run.stop, clock, run.home.on_progress, run.pair.name)
            for feature, plan in run.plans.items():
                carried[feature] = await carrier.carry(plan)
                run.parts.carried(feature, carried[feature])
        _commit(run, carried, journal)
    finally:
        if journal is not None:
            journal.close()


def _settle_first(run: _Run) -> None:
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
        run.state = run.store.save(replace(run.state, saved_at=clock()))
        run.stored = dict(run.state.features)


def _was_doubted(before: Baseline, seen: Observation) -> bool:
    old = [before.rows[key] for key in (seen.row.key, *seen.replaces) if key in before.rows]
    return seen.row.mark is None and any(row.mark and row.mark.kind is MarkKind.DOUBT for row in old)


def _open_journal(run: _Run) -> Journal:
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


def _commit(run: _Run, carried: Mapping[Feature, Carried], journal: Journal | None) -> None:
    """Store what was seen and proved, if it is anything new, and retire the journal."""
    now = clock()
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
