"""The journals of runs that are over: `runs/RUN_ID.jsonl`. Read for `history` and `undo`; nothing here writes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cwsync import files
from cwsync.errors import StateError
from cwsync.state.entries import JournalRecord
from cwsync.state.journal import read_journal

RUNS: Final = "runs"
ABANDONED: Final = "abandoned-"


def past_runs(folder: Path) -> list[Path]:
    """The journals kept in the folder of a pair, newest first. Raises `StateError` for a symlink in the way."""
    runs = folder / RUNS
    for path in (folder.parent, folder, runs):
        files.refuse_symlink(path)
    try:
        return sorted(runs.glob("*.jsonl"), key=_age, reverse=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise files.unreadable(error, runs) from error


def _age(path: Path) -> tuple[str, int, str]:
    # A run's name begins with the second in which it started, an abandoned journal's with that of the
    # reset; within a second the file system knows which came last.
    second = path.name.removeprefix(ABANDONED)[: len("20260301T120000")]
    return second, path.stat().st_mtime_ns, path.name


def read_past(path: Path) -> JournalRecord:
    """One of them. Raises `StateError` when it is damaged, or holds another run than its name says."""
    record = read_journal(path)
    if record is None:
        raise StateError("the journal is damaged: it has no beginning", where=str(path))
    if path.name.startswith(ABANDONED):
        return record
    if record.header.run_id != path.stem:
        raise StateError(f"the journal is damaged: it is that of the run {record.header.run_id}", where=str(path))
    if not record.ended:
        raise StateError("the journal is damaged: its end is missing", where=str(path))
    return record
