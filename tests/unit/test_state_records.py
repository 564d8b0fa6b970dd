"""The last run and the fast path's evidence: damage is told, or costs time; it never stops a run."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cwsync import files
from cwsync.errors import StateError
from cwsync.model import Feature, Note, Rated, Side
from cwsync.state.cache import Evidence, FeatureEvidence, load_evidence, save_evidence
from cwsync.state.lastrun import LAST_RUN, LastRun, Unreadable, load_last_run, save_last_run
from unit.test_state_fixture import HEAT, LATER, NOW

RUN = LastRun("r1", NOW, LATER, 3, None, 4, "digest", {"failed": 1, "confirmed": 2})
SEEN = FeatureEvidence(
    watermarks={Side.SOURCE: "w\u2028\x1b", Side.TARGET: None},
    records={Side.SOURCE: 3, Side.TARGET: 4},
    same=3,
    digest="d1",
    rules="one-way",
    since={Side.SOURCE: NOW, Side.TARGET: NOW},
    read_at=NOW,
    holds=(Note(Feature.RATINGS, "k", HEAT, "ambiguous: x", Rated(80, NOW), None, undecided=True),),
    skips=(Note(Feature.RATINGS, "l", HEAT, "parked: y"),),
    filtered=2,
    until=LATER,
)
EVIDENCE = Evidence("a", "b", "c" * 64, {Feature.RATINGS: SEEN})


@pytest.fixture(autouse=True)
def _no_hook() -> Iterator[None]:
    yield
    files.set_effect_hook(None)


def full_disk(_name: str, _path: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def resealed(good: bytes, old: bytes, new: bytes) -> bytes:
    """A document with another text, as a broken cwsync could have sealed it."""
    members = b"{" + good.partition(b"\n")[2].replace(old, new, 1)
    assert members != b"{" + good.partition(b"\n")[2]
    rest = members[1:]
    return b'{"schema":1,"checksum":"%s",\n' % hashlib.sha256(rest).hexdigest().encode() + rest


@pytest.mark.parametrize("run", [RUN, replace(RUN, good_at=NOW, digest=None, exit_code=0, counts={})])
def test_the_last_run_round_trips(tmp_path: Path, run: LastRun) -> None:
    folder = tmp_path / "pairs" / "p"
    assert load_last_run(folder) is None
    assert not list(tmp_path.iterdir())
    save_last_run(folder, run)
    assert load_last_run(folder) == run
    assert files.is_private(folder / LAST_RUN)


def test_a_last_run_that_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    save_last_run(tmp_path / "p", RUN)
    path = tmp_path / "p" / LAST_RUN
    good = path.read_bytes()
    bad = [good[:size] for size in range(len(good) - 1)]
    bad += [good.replace(b'"schema":1', b'"schema":2'), resealed(good, b'"generation":4', b'"generation":4.0'), b"[]"]
    for data in bad:
        path.write_bytes(data)
        found = load_last_run(tmp_path / "p")
        assert isinstance(found, Unreadable)
        assert found.path == path
    path.unlink()
    path.mkdir()
    assert isinstance(load_last_run(tmp_path / "p"), Unreadable)


def test_a_last_run_that_cannot_be_stored_keeps_the_one_before(tmp_path: Path) -> None:
    save_last_run(tmp_path / "p", RUN)
    files.set_effect_hook(full_disk)
    with pytest.raises(StateError, match="the disk is full"):
        save_last_run(tmp_path / "p", replace(RUN, run_id="r2"))
    assert load_last_run(tmp_path / "p") == RUN


def test_evidence_round_trips(tmp_path: Path) -> None:
    assert load_evidence(tmp_path, "p", "a", "b") is None
    save_evidence(tmp_path, "p", EVIDENCE)
    assert load_evidence(tmp_path, "p", "a", "b") == EVIDENCE
    assert files.is_private(tmp_path / "cache" / "p.json")


@pytest.mark.parametrize("names", [("b", "a"), ("a", "c")])
def test_evidence_of_other_sides_is_none(tmp_path: Path, names: tuple[str, str]) -> None:
    save_evidence(tmp_path, "p", EVIDENCE)
    assert load_evidence(tmp_path, "p", *names) is None


def test_evidence_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    save_evidence(tmp_path, "p", EVIDENCE)
    path = tmp_path / "cache" / "p.json"
    good = path.read_bytes()
    bad = [good[:size] for size in range(len(good) - 1)]
    bad += [b"[]", *(resealed(good, b",4,", by) for by in (b",-1.5,", b",")), resealed(good, b"ratings", b"rating")]
    bad += [good.replace(b",4,", b",5,")]
    for data in bad:
        path.write_bytes(data)
        assert load_evidence(tmp_path, "p", "a", "b") is None
    path.unlink()
    path.symlink_to("/dev/null")
    assert load_evidence(tmp_path, "p", "a", "b") is None


def test_evidence_is_not_synced_and_a_full_disk_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    seen: list[str] = []
    files.set_effect_hook(lambda name, path: seen.append(name))
    save_evidence(tmp_path, "p", EVIDENCE)
    assert seen == ["open", "write", "rename"]
    files.set_effect_hook(full_disk)
    save_evidence(tmp_path, "p", replace(EVIDENCE, checksum="d" * 64))
    assert load_evidence(tmp_path, "p", "a", "b") == EVIDENCE
