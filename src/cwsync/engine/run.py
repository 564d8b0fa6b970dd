"""One run: locks, state, replay, read, plan, guards, and with `apply` write, confirm and commit."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime

from cwsync.engine import clock
from cwsync.engine.carryout import carry_out
from cwsync.engine.options import Home, IfLocked, RunOptions
from cwsync.engine.pairrun import SYNC, Job, PairRun, Task
from cwsync.engine.prepare import make_plans, recover
from cwsync.engine.questions import distrust, distrusted
from cwsync.engine.remember import last_run, remember
from cwsync.engine.report import RunParts, failed_report, pair_report, run_exit
from cwsync.engine.sides import opened
from cwsync.engine.stop import Stop
from cwsync.errors import CwsyncError, LockedError, StalePlanError
from cwsync.http import recorded
from cwsync.model import (
    FeatureSpec,
    PairReport,
    PairSpec,
    RunReport,
    Settings,
    TrafficReport,
)
from cwsync.planner.plan import guarded
from cwsync.state import (
    Locks,
    PairStore,
    RunInfo,
    read_journal,
)

_LOCK_POLL_S = 0.1


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
    job = Job(task, options, home, new_run_id(clock.now()), stop, tuple(settings.pairs.values()))
    reports: list[PairReport] = []
    with stop.listening():
        for pair in [settings.pairs[name] for name in names]:
            if stop.asked:
                break
            reports.append(await _guarded_pair(pair, job, expect.get(pair.name)))
    code = stop.exit_code or run_exit(reports)
    return RunReport(job.run_id, command, options.apply, code, tuple(reports))


async def _guarded_pair(pair: PairSpec, job: Job, expected: str | None) -> PairReport:
    with recorded() as traffic:
        report = await _reported(pair, job, expected)
    asked = {
        name: TrafficReport(one.requests, one.n_bytes, one.ms, dict(sorted(one.calls.items())))
        for name, one in sorted(traffic.items())
    }
    return replace(report, traffic=asked)


async def _reported(pair: PairSpec, job: Job, expected: str | None) -> PairReport:
    started, options = clock.now(), job.options
    try:
        with ExitStack() as held:
            locks = await _locked(pair, job, held)
            try:
                report = await _run_pair(pair, job, expected, locks)
            except CwsyncError as error:
                report = failed_report(pair, error)
            if options.apply:
                synced = job.task.undoes is None
                remember(pair, job.home, job.run_id, report, started=started, now=clock.now(), synced=synced)
            return replace(report, undoes=job.task.undoes)
    except LockedError as error:
        return failed_report(pair, error, skipped=options.if_locked is IfLocked.SKIP)
    except CwsyncError as error:
        return failed_report(pair, error)


async def _locked(pair: PairSpec, job: Job, held: ExitStack) -> Locks | None:
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
    info = RunInfo(f"cwsync {word} {pair.name} ({job.run_id})", clock.now())
    while True:
        try:
            return held.enter_context(Locks(job.home.state_dir, names, 0.0, info))
        except LockedError:
            if job.stop.asked or (patience is not None and time.monotonic() - began >= patience):
                raise
            await asyncio.sleep(_LOCK_POLL_S)


async def _run_pair(pair: PairSpec, job: Job, expected: str | None, locks: Locks | None) -> PairReport:
    store = PairStore(job.home.state_dir, pair.name)
    run = PairRun(
        pair=pair,
        task=job.task,
        specs=_wanted(pair, job.options),
        options=job.options,
        home=job.home,
        run_id=job.run_id,
        stop=job.stop,
        pairs=job.pairs,
        store=store,
        started=clock.now(),
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
        await recover(run, sides)
        await make_plans(run, sides)
        if expected is not None and expected != run.digest:
            raise _stale(pair, expected, run.digest, "the saved plan")
        _judge(run)
        if job.options.apply:
            await carry_out(run, sides)
    return pair_report(run.parts)


def _wanted(pair: PairSpec, options: RunOptions) -> tuple[FeatureSpec, ...]:
    return tuple(spec for spec in pair.features if options.features is None or spec.feature in options.features)


def _judge(run: PairRun) -> None:
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
