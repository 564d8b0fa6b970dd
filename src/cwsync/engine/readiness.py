"""What a pair would do now, and whether both sides are fit to be kept in step: for `check`, from what it has read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cwsync.engine import clock
from cwsync.engine.completion import Completion, complete
from cwsync.engine.neighbours import frozen_by_others
from cwsync.engine.options import Home, RunOptions
from cwsync.engine.questions import ask, distrust
from cwsync.engine.sides import account_of
from cwsync.errors import CwsyncError, Exit
from cwsync.model import Feature, FeatureSpec, Mode, Note, Op, PairSpec, Settings, Side, Snapshot
from cwsync.planner.decide import UNNAMED
from cwsync.planner.plan import FeaturePlan, plan_feature
from cwsync.provider import provider_class
from cwsync.state import LastRun, PairState, PairStore, load_last_run, past_runs, read_journal

Line = tuple[bool, str, str]
Read = Mapping[tuple[str, Feature], Snapshot]

ENOUGH_PERCENT = 95  # of the records of a side should have ids before both sides write


@dataclass(slots=True)
class Readiness:
    """Lines for people, the exit codes that go with them, and what speaks against two-way."""

    lines: list[Line] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def failed(self, what: str, error: CwsyncError) -> Readiness:
        """Something is wrong without which nothing can be said."""
        self.lines.append((False, what, f"{error}; {error.hint}" if error.hint else str(error)))
        self.codes.append(int(error.exit_code))
        return self


async def readiness(pair: PairSpec, settings: Settings, read: Read, home: Home) -> Readiness:
    """What the snapshots `read` (by account and feature) mean for a pair. Writes nothing.

    A feature of which a side could not be read is left out: why not stands with its account. Ids are completed as a
    run would do it, which may ask the account that the pair names for that.
    """
    found = Readiness()
    store = PairStore(home.state_dir, pair.name)
    try:
        state = store.load(pair.source.name, pair.target.name)
        unfinished = read_journal(store.journal_path) is not None
        known = load_last_run(store.folder)
        n_runs = len(past_runs(store.folder))
        frozen = frozen_by_others(settings.pairs.values(), pair, home, clock.now())
    except CwsyncError as error:
        return found.failed("state", error)
    last = known if isinstance(known, LastRun) else None
    _past(found, last, n_runs)
    if unfinished:
        found.doubts.append("a run was cut off")
        found.lines.append((True, "state", "a run was cut off; the next run looks at what it left"))
        return found
    names = {side: account_of(pair, side).name for side in Side}
    able = [spec for spec in pair.features if all((names[side], spec.feature) in read for side in Side)]
    found.doubts += [f"{spec.feature.value} could not be read" for spec in pair.features if spec not in able]
    readings = {spec.feature: {side: read[names[side], spec.feature] for side in Side} for spec in able}
    try:
        fuller = await complete(pair, home, readings, state.features, wet=False)
    except CwsyncError as error:
        return found.failed("ids", error)
    _told(found, fuller)
    for spec in able:
        _ids(found, spec, names, readings[spec.feature])
        waiting = {**fuller.waiting(spec.feature), **frozen.get(spec.feature, {})}
        snapshots = fuller.good()[spec.feature]
        plan = _planned(pair, spec, snapshots, state=state, last=last, store=store, frozen=waiting)
        _would(found, spec, names, plan)
    _verdict(found, pair)
    return found


def _told(found: Readiness, fuller: Completion) -> None:
    """What the completing of ids had to say. It is wrong only where records wait for it."""
    waits = any(not why.startswith(UNNAMED) for of in fuller.pending.values() for why in of.values())
    for warning in fuller.warnings:
        what, _, text = warning.partition(": ")
        found.lines.append((not waits, what, text))
    if waits:
        found.codes.append(int(Exit.PARTIAL))
        found.doubts.append("records wait for ids")


def _past(found: Readiness, last: LastRun | None, n_runs: int) -> None:
    if last is None or last.good_at is None:
        found.doubts.append("no run has ended well yet")
        text = "none has ended well yet; the first one is a union that removes nothing"
    else:
        good = f"{_count(last.good_runs, 'run')} ended well so far, the last one {last.good_at:%Y-%m-%d %H:%M}"
        text = f"{good}; {_count(n_runs, 'run')} wrote something"
    found.lines.append((True, "runs", text))


def _ids(found: Readiness, spec: FeatureSpec, names: Mapping[Side, str], snapshots: Mapping[Side, Snapshot]) -> None:
    """How many records of each side have ids, without which nothing is matched."""
    told = []
    for side in Side:
        entries = snapshots[side].entries
        known = sum(1 for entry in entries if entry.item.key() is not None)
        told.append(f"{known:,} of {len(entries):,} on {names[side]}")
        if known * 100 < len(entries) * ENOUGH_PERCENT:
            found.doubts.append(f"many {spec.feature.value} records of {names[side]} have no ids")
        if not snapshots[side].complete:
            found.doubts.append(f"{spec.feature.value} of {names[side]} cannot be read completely")
    found.lines.append((True, spec.feature.value, f"have ids: {', '.join(told)}"))


def _planned(
    pair: PairSpec,
    spec: FeatureSpec,
    snapshots: Mapping[Side, Snapshot],
    *,
    state: PairState,
    last: LastRun | None,
    store: PairStore,
    frozen: Mapping[str, str],
) -> FeaturePlan:
    question = ask(
        pair,
        spec,
        state,
        snapshots,
        RunOptions(),
        wall=clock.now(),
        digest="",
        observed_at=(last.observed.get(spec.feature) if last else None) or state.saved_at,
        last_at=last.finished_at if last else state.saved_at,
        distrust=distrust(store, state, last),
        frozen=frozen,
    )
    return plan_feature(question)


def _would(found: Readiness, spec: FeatureSpec, names: Mapping[Side, str], plan: FeaturePlan) -> None:
    """What a run would do, what it would leave alone, and which guards would stop it."""
    told = []
    for side in Side:
        counts = [(op, sum(1 for one in plan.changes if one.op is op and one.side is side)) for op in Op]
        words = [f"{op.value} {number:,}" for op, number in counts if number]
        told += [f"{' and '.join(words)} on {names[side]}"] if words else []
    ambiguous = sum(1 for note in (*plan.holds, *plan.skips) if _is_ambiguous(note))
    waits = ((len(plan.conflicts), "conflict"), (len(plan.holds), "hold"), (len(plan.skips), "skip"))
    told += [_count(number, word) for number, word in waits if number]
    told += [f"{ambiguous:,} of them ambiguous"] if ambiguous else []
    found.lines.append((True, spec.feature.value, f"a run would: {', '.join(told) or 'change nothing'}"))
    for guard in plan.guards:
        found.lines.append((False, spec.feature.value, f"guard {guard.name} would stop a run: {guard.numbers}"))
        found.codes.append(int(Exit.GUARD))
        found.doubts.append(f"the guard {guard.name} would stop a run")


def _is_ambiguous(note: Note) -> bool:
    return note.reason.removeprefix(UNNAMED).lstrip().startswith("ambiguous")


def _verdict(found: Readiness, pair: PairSpec) -> None:
    doubts = "; ".join(dict.fromkeys(found.doubts))
    if pair.mode is Mode.TWO_WAY:
        text = f"look first: {doubts}" if doubts else "both sides are fit to be kept in step"
    elif not all(provider_class(pair.source.provider).capabilities.of(spec.feature).add for spec in pair.features):
        return  # nobody can write there
    else:
        text = f"two-way would want a look first: {doubts}" if doubts else "two-way would do as well"
    found.lines.append((True, "readiness", text))


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"
