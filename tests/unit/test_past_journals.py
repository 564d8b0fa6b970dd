"""The journals of runs that are over: which they are, in which order, and that each is what its name says."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cwsync import files
from cwsync.errors import StateError
from cwsync.state.journal import JOURNAL, Journal, read_journal, retire
from cwsync.state.runs import past_runs, read_past
from unit.test_journal import HEADER
from unit.test_state_fixture import NOW


@pytest.fixture(autouse=True)
def _no_hook() -> Iterator[None]:
    yield
    files.set_effect_hook(None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pairs" / "p"


def finished(folder: Path, run_id: str, second: int) -> Path:
    """The journal of a finished run, last changed so many seconds after 2024 began."""
    path = Journal.begin(folder, replace(HEADER, run_id=run_id)).finish({}, 1, None, NOW)
    os.utime(path, (1_704_067_200 + second,) * 2)
    return path


def test_the_newest_run_comes_first_and_within_a_second_the_one_that_was_written_last(folder: Path) -> None:
    made = [
        finished(folder, "20260301T120000-aa", 9),
        finished(folder, "20260301T120001-ff", 1),
        finished(folder, "20260301T120001-00", 2),
        finished(folder, "20260301T120002-bb", 0),
    ]
    aside = folder / "runs" / "abandoned-20260301T120001.500000Z.jsonl"
    aside.write_bytes(made[0].read_bytes())
    os.utime(aside, (1_704_067_200 + 3,) * 2)
    names = [path.stem for path in past_runs(folder)]
    assert names == [made[3].stem, aside.stem, made[2].stem, made[1].stem, made[0].stem]


def test_no_runs_are_none_and_looking_creates_nothing(folder: Path, tmp_path: Path) -> None:
    assert past_runs(folder) == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["pairs", "pairs/p", "pairs/p/runs"])
def test_runs_behind_a_symlink_are_refused(folder: Path, tmp_path: Path, place: str) -> None:
    finished(folder, "20260301T120000-aa", 0)
    (tmp_path / place).rename(tmp_path / "elsewhere")
    (tmp_path / place).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="is a symlink"):
        past_runs(folder)


def test_a_journal_under_the_name_of_another_run_is_damaged_unless_it_was_put_aside(folder: Path) -> None:
    path = finished(folder, "20260301T120000-aa", 0)
    other = path.rename(path.with_name("20260301T120000-bb.jsonl"))
    with pytest.raises(StateError, match="it is that of the run 20260301T120000-aa"):
        read_past(other)
    aside = other.rename(other.with_name("abandoned-20260301T120000.000000Z.jsonl"))
    assert read_past(aside).header.run_id == "20260301T120000-aa"


def test_a_journal_without_a_beginning_is_damaged(folder: Path) -> None:
    path = finished(folder, "20260301T120000-aa", 0)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(StateError, match="it has no beginning"):
        read_past(path)


def test_a_journal_that_lost_its_end_is_damaged_unless_it_was_put_aside(folder: Path) -> None:
    path = finished(folder, "20260301T120000-aa", 0)
    *lines, _end = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines))
    with pytest.raises(StateError, match="its end is missing"):
        read_past(path)
    aside = path.rename(path.with_name("abandoned-20260301T120000.000000Z.jsonl"))
    assert not read_past(aside).ended


# --- putting a journal away ---------------------------------------------------------------------------


def both(folder: Path) -> tuple[Path, Path]:
    """A journal that a power cut left in both places."""
    there = finished(folder, HEADER.run_id, 0)
    (folder / JOURNAL).write_bytes(there.read_bytes())
    return folder / JOURNAL, there


def test_a_journal_that_is_in_both_places_stays_in_one(folder: Path) -> None:
    here, there = both(folder)
    whole = there.read_bytes()
    assert retire(folder, HEADER.run_id) == there
    assert (here.exists(), there.read_bytes()) == (False, whole)


def test_of_a_journal_in_both_places_the_second_goes_when_the_first_is_durable(folder: Path) -> None:
    here, there = both(folder)

    def fail(name: str, path: Path) -> None:
        if name == "fsync-dir" and path == there.parent:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    files.set_effect_hook(fail)
    with pytest.raises(StateError):
        retire(folder, HEADER.run_id)
    assert read_journal(here) is not None


def test_a_journal_never_takes_the_place_of_another_one(folder: Path) -> None:
    here, there = both(folder)
    mine = here.read_bytes()
    there.write_bytes(b"something else\n")
    with pytest.raises(StateError):
        retire(folder, HEADER.run_id)
    assert (here.read_bytes(), there.read_bytes()) == (mine, b"something else\n")
