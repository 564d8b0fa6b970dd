"""When a pair was last run and how that ended: `last-run.json`, the one file a still run changes.

It is for `status` and for noticing a baseline that was rolled back. It is not the baseline, so
damage is told, and stops nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from cwsync import files
from cwsync.errors import StateError
from cwsync.model import Feature, format_when
from cwsync.state import strict
from cwsync.state.sealed import seal, unseal

LAST_RUN: Final = "last-run.json"


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run of a pair.

    `good_at` is when a run last ended well (None: never), `generation` that of the state it left,
    `digest` that of its plan (None: it did not get that far), `counts` what it did. `observed` is when
    both sides of a feature were last read and judged, by this run or by an earlier one. `good_runs` is how many
    runs have ended well so far.
    """

    run_id: str
    started_at: datetime
    finished_at: datetime
    exit_code: int
    good_at: datetime | None
    generation: int
    digest: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    observed: Mapping[Feature, datetime] = field(default_factory=dict)
    good_runs: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that is there but cannot be read, and why."""

    path: Path
    why: str


def load_last_run(folder: Path) -> LastRun | Unreadable | None:
    """The record in the folder of a pair; None when there is none. Raises nothing for damage."""
    path = folder / LAST_RUN
    try:
        data = files.read_file(path)
        return None if data is None else _decode(unseal(data))
    except ValueError as error:
        return Unreadable(path, f"damaged: {error}")
    except StateError as error:
        return Unreadable(path, error.message)


def _decode(record: dict[str, object]) -> LastRun:
    return LastRun(
        strict.member(record, "run_id", str),
        strict.instant(record.get("started_at")),
        strict.instant(record.get("finished_at")),
        strict.member(record, "exit_code", int),
        strict.optional_instant(record, "good_at"),
        strict.member(record, "generation", int),
        strict.optional(record, "digest", str),
        strict.counts(record.get("counts")),
        {Feature(name): strict.instant(at) for name, at in strict.table(record.get("observed", {})).items()},
        strict.typed(record.get("good_runs", 0), int, "a whole number"),
    )


def save_last_run(folder: Path, run: LastRun) -> None:
    """Store the record, durably, in the folder of a pair (made if need be). Raises `StateError`."""
    record = {
        "run_id": run.run_id,
        "started_at": format_when(run.started_at),
        "finished_at": format_when(run.finished_at),
        "exit_code": run.exit_code,
        "good_at": format_when(run.good_at),
        "generation": run.generation,
        "digest": run.digest,
        "counts": dict(sorted(run.counts.items())),
        "observed": {feature.value: format_when(at) for feature, at in sorted(run.observed.items())},
        "good_runs": run.good_runs,
    }
    for one in (folder.parent, folder):
        files.make_dir(one)
    files.replace_file(folder / LAST_RUN, seal(record))
