"""The record of a pair's last run: written after each run that may write, read before the next."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from cwsync.engine.options import Home
from cwsync.model import FeatureReport, PairReport, PairSpec
from cwsync.state import LastRun, PairStore, load_last_run, save_last_run


def remember(
    pair: PairSpec,
    home: Home,
    run_id: str,
    report: PairReport,
    *,
    started: datetime,
    now: datetime,
    synced: bool = True,
) -> None:
    """Write down how the run went, for `status` and for the rules that ask when what was last seen.

    Of a run that did not sync (an undo) only the generation of the state that it left counts.
    """
    store = PairStore(home.state_dir, pair.name)
    last = last_run(store)
    if not synced and last is not None:
        if report.generation > last.generation:
            save_last_run(store.folder, replace(last, generation=report.generation))
        return
    record = LastRun(
        run_id=run_id,
        started_at=started,
        finished_at=now,
        exit_code=report.exit_code,
        good_at=now if report.exit_code == 0 else last.good_at if last else None,
        generation=report.generation or (last.generation if last else 0),
        digest=report.digest,
        counts={f"{feature.value}.{word}": n for feature, one in report.features.items() for word, n in _counts(one)},
        observed={**(last.observed if last else {}), **dict.fromkeys(report.observed, started)},
        good_runs=(last.good_runs if last else 0) + (report.exit_code == 0),
    )
    save_last_run(store.folder, record)


def _counts(one: FeatureReport) -> list[tuple[str, int]]:
    return [
        ("add", one.add),
        ("update", one.update),
        ("remove", one.remove),
        ("confirmed", one.confirmed),
        ("failed", one.failed),
    ]


def last_run(store: PairStore) -> LastRun | None:
    """The record of the last run; one that cannot be read is as good as none (`status` tells)."""
    last = load_last_run(store.folder)
    return last if isinstance(last, LastRun) else None
