"""What past runs wrote, from their journals: `history`, and the way back from one of them: `undo`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cwsync.engine.options import Home, RunOptions
from cwsync.engine.pairrun import Task
from cwsync.engine.run import run_pairs
from cwsync.errors import Exit, StateError, UsageError
from cwsync.model import (
    ChangeReport,
    Feature,
    FeatureSpec,
    HistoryReport,
    Op,
    Outcome,
    PairSpec,
    PastRun,
    Receipt,
    RunReport,
    Settings,
    Side,
)
from cwsync.planner.plan import FeaturePlan, Question
from cwsync.planner.undo import Deed, plan_undo
from cwsync.state import ABANDONED, Intent, JournalRecord, PairStore, past_runs, read_journal, read_past

_PROVED = (Outcome.CONFIRMED, Outcome.ALREADY)


def past(pair: PairSpec, home: Home, *, limit: int | None = None, run_id: str | None = None) -> HistoryReport:
    """The runs of a pair that wrote, newest first, at most `limit`; or one run with its changes.

    A journal that cannot be read is listed as damaged, and makes the exit code 7. Raises `UsageError`
    for a run that is not there.
    """
    store = PairStore(home.state_dir, pair.name)
    paths = past_runs(store.folder)
    if run_id is not None:
        path = _path_of(pair, paths, run_id)
        found = [replace(_told(path), changes=_changes(path))]
        return HistoryReport(pair.name, tuple(found), len(paths), _worst(found))
    found = [_told(path) for path in paths[:limit]]
    unfinished = read_journal(store.journal_path)
    if unfinished is not None:
        found = [_run(unfinished, "unfinished"), *found][:limit]
    return HistoryReport(pair.name, tuple(found), len(paths) + (unfinished is not None), _worst(found))


def _worst(runs: list[PastRun]) -> int:
    return int(Exit.STATE) if any(run.damage for run in runs) else 0


def _path_of(pair: PairSpec, paths: list[Path], run_id: str) -> Path:
    for path in paths:
        if path.stem == run_id:
            return path
    newest = ", ".join(path.stem for path in paths[:3]) or "none"
    raise UsageError(
        f"{pair.name} has no finished run {run_id!r}",
        hint=f"cwsync history {pair.name} lists them; the newest: {newest}",
    )


def _told(path: Path) -> PastRun:
    try:
        record = read_past(path)
    except StateError as error:
        return PastRun(path.stem, "damaged", damage=error.message)
    if path.name.startswith(ABANDONED):
        return replace(_run(record, "abandoned"), run_id=path.stem)
    return _run(record, "finished" if record.committed else "cut")


def _answers(record: JournalRecord) -> Iterator[tuple[Intent, Receipt]]:
    """Every change of a journal with its receipt; one that never came says that nobody knows."""
    for intent, receipts in record.batches:
        known = receipts.receipts if receipts else [Receipt(change, Outcome.UNKNOWN) for change in intent.changes]
        for receipt in known:
            yield intent, receipt


def _run(record: JournalRecord, ending: str) -> PastRun:
    header = record.header
    counts: dict[Feature, Counter[Op]] = {}
    failed = in_doubt = 0
    for intent, receipt in _answers(record):
        if receipt.outcome in _PROVED:
            counts.setdefault(intent.feature, Counter())[receipt.change.op] += 1
        elif receipt.outcome is Outcome.UNKNOWN:
            in_doubt += 1
        else:
            failed += 1
    last = max((receipts.at for _, receipts in record.batches if receipts), default=None)
    return PastRun(
        header.run_id,
        ending,
        header.started_at,
        record.commit.at if record.commit else last,
        {feature: dict(count) for feature, count in counts.items()},
        failed,
        in_doubt,
        header.undoes,
        source=header.source,
        target=header.target,
    )


def _changes(path: Path) -> tuple[ChangeReport, ...]:
    try:
        record = read_past(path)
    except StateError:
        return ()  # `_told` says so
    return tuple(
        ChangeReport(receipt.change, receipt.outcome, receipt.detail or receipt.code) for _, receipt in _answers(record)
    )


# --- undo ----------------------------------------------------------------------------------------


def undo(settings: Settings, pair: str, run_id: str | None, options: RunOptions, home: Home) -> RunReport:
    """Take back one finished run, as a run of its own: planned, guarded, journaled.

    Without `run_id` the newest one that wrote, unless that is an undo itself: which one is meant must
    then be said. Raises `UsageError` when there is nothing to take back, `StateError` for a damaged journal.
    """
    spec = settings.pairs[pair]
    record = _journal_of(spec, home, run_id)
    deeds = _deeds(record, flipped=_flipped(spec, record))
    if options.features is not None:
        deeds = {feature: some for feature, some in deeds.items() if feature in options.features}
    if not deeds:
        raise UsageError(f"the run {record.header.run_id} wrote nothing that could be taken back")
    name = record.header.run_id

    def plan(question: Question) -> FeaturePlan:
        return plan_undo(question, name, deeds[question.spec.feature])

    # A feature that was switched off since was synced once, and can be taken back all the same.
    missing = tuple(FeatureSpec(feature) for feature in deeds if feature not in {one.feature for one in spec.features})
    whole = replace(spec, features=(*spec.features, *missing))
    settings = replace(settings, pairs={**settings.pairs, pair: whole})
    options = replace(options, features=frozenset(deeds), full=True)
    return run_pairs(settings, [pair], options, home, command="undo", task=Task(plan, name))


def _journal_of(pair: PairSpec, home: Home, run_id: str | None) -> JournalRecord:
    store = PairStore(home.state_dir, pair.name)
    paths = [path for path in past_runs(store.folder) if not path.name.startswith(ABANDONED)]
    if run_id is not None:
        return read_past(_path_of(pair, paths, run_id))
    if not paths:
        raise UsageError(f"{pair.name} has no run that wrote anything", hint=f"cwsync history {pair.name}")
    record = read_past(paths[0])
    if record.header.undoes is not None:
        took, back = record.header.run_id, record.header.undoes
        raise UsageError(
            f"the newest run, {took}, took back {back} itself; say which run is meant",
            hint=f"cwsync undo {pair.name} {took} brings it back; "
            f"cwsync undo {pair.name} {back} goes on taking it back; cwsync history {pair.name} lists all",
        )
    return record


def _flipped(pair: PairSpec, record: JournalRecord) -> bool:
    """Whether source and target stood the other way round in that run. Raises `UsageError` for other accounts."""
    header = record.header
    if {header.source, header.target} != {pair.source.name, pair.target.name}:
        raise UsageError(
            f"the run {header.run_id} wrote to {header.source} and {header.target}, "
            f"and the accounts of {pair.name} are {pair.source.name} and {pair.target.name} now",
            hint="name those accounts again in the file, then undo it",
        )
    return header.source == pair.target.name


def _deeds(record: JournalRecord, *, flipped: bool) -> dict[Feature, list[Deed]]:
    """What a run did or may have done, by feature. What was refused or found there already is none of it."""
    deeds: dict[Feature, list[Deed]] = {}
    for intent, receipt in _answers(record):
        if receipt.outcome not in (Outcome.CONFIRMED, Outcome.UNKNOWN):
            continue
        change = receipt.change
        side: Side = change.side.other if flipped else change.side
        proved = receipt.outcome is Outcome.CONFIRMED
        deeds.setdefault(intent.feature, []).append(Deed(replace(change, side=side), receipt.native_key, proved))
    return deeds
