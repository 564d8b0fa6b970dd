"""Locks between real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from cwsync import files
from cwsync.engine import reset_state
from cwsync.errors import Exit, LockedError, StateError
from cwsync.model import Feature
from cwsync.state.lock import Locks, RunInfo
from support.engine import World
from support.world import movie, rated

NOW = datetime(2024, 5, 1, 20, 15, tzinfo=UTC)
INFO = RunInfo("cwsync run --apply", NOW)
NAMES = ("account-a", "account-b", "pair-p")
HOLDER = """
import sys, time
from datetime import datetime
from pathlib import Path
from cwsync.state.lock import Locks, RunInfo
info = RunInfo("cwsync run", datetime.fromisoformat("2024-05-01T20:15:00Z"))
with Locks(Path(sys.argv[1]), sys.argv[2:], 0, info):
    print("held", flush=True)
    sys.stdin.read()
print("free", flush=True)
"""


@contextmanager
def another_process(state_dir: Path, *names: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the locks until its input ends."""
    command = [sys.executable, "-c", HOLDER, str(state_dir), *names]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def locks(state_dir: Path, timeout_s: float | None = 0, names: tuple[str, ...] = NAMES) -> Locks:
    return Locks(state_dir, names, timeout_s, INFO)


def test_taken_and_let_go(tmp_path: Path) -> None:
    for _ in range(2):
        with locks(tmp_path):
            note = json.loads((tmp_path / "locks" / "pair-p.holder").read_text())
            assert (note["pid"], note["command"]) == (os.getpid(), "cwsync run --apply")
            assert note["started_at"] == "2024-05-01T20:15:00Z"
    assert sorted(path.name for path in (tmp_path / "locks").iterdir()) == [f"{name}.lock" for name in NAMES]


def test_another_process_is_named_and_nothing_stays_taken(tmp_path: Path) -> None:
    with another_process(tmp_path, "account-b") as other:
        with pytest.raises(LockedError) as caught, locks(tmp_path):
            pytest.fail("both hold it")
        assert caught.value.exit_code == Exit.LATER
        assert f"process {other.pid}, started 2024-05-01T20:15:00Z" in caught.value.message
        assert "--lock-timeout" in (caught.value.hint or "")
        with locks(tmp_path, names=("account-a", "pair-p")):  # the first was let go, the third never taken
            pass
    with locks(tmp_path):
        pass


def test_a_killed_holder_frees_the_lock_at_once_and_is_not_named_any_more(tmp_path: Path) -> None:
    with another_process(tmp_path, *NAMES) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert (tmp_path / "locks" / "pair-p.holder").exists()
        with locks(tmp_path):
            pass


def test_a_stale_note_is_not_repeated(tmp_path: Path) -> None:
    with another_process(tmp_path, "pair-p"), subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
        note = tmp_path / "locks" / "pair-p.holder"
        live = json.loads(note.read_text())
        for stale in (json.dumps(live | {"pid": gone.pid}), json.dumps(live | {"pid": -1}), "{", "[]", "{}"):
            note.write_text(stale)
            with pytest.raises(LockedError) as caught, locks(tmp_path):
                pytest.fail("both hold it")
            assert caught.value.message == "another run holds this lock"


def test_waiting_ends_when_the_holder_does(tmp_path: Path) -> None:
    for timeout_s in (30.0, None):
        with another_process(tmp_path, "account-a") as other:
            assert other.stdin is not None
            timer = threading.Timer(0.2, other.stdin.close)
            timer.start()
            with locks(tmp_path, timeout_s):
                pass
            timer.join()


def test_the_timeout_is_for_all_locks_together(tmp_path: Path) -> None:
    with another_process(tmp_path, "account-b"):
        begin = time.monotonic()
        with pytest.raises(LockedError), locks(tmp_path, 0.3):
            pytest.fail("both hold it")
        assert 0.25 < time.monotonic() - begin < 5


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_files_are_owner_only(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with locks(tmp_path):
            modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "locks").iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600}
    assert (tmp_path / "locks").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("place", ["locks", "locks/account-a.lock"])
def test_symlinks_are_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "state" / "locks").mkdir(parents=True)
    if place == "locks":
        (tmp_path / "state" / "locks").rmdir()
    (tmp_path / "state" / place).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="is a symlink"), locks(tmp_path / "state"):
        pytest.fail("a symlink was followed")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b", "a.b"])
def test_a_name_is_a_file_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a lock"):
        locks(tmp_path, names=(name,))


def test_an_exception_inside_lets_go(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), locks(tmp_path):
        raise KeyboardInterrupt
    with locks(tmp_path):
        pass


def test_locks_are_taken_in_one_order_whatever_the_direction_of_a_pair(tmp_path: Path) -> None:
    for source, target in (("home", "away"), ("away", "home")):
        world = World(tmp_path / source)
        for name in (source, target):
            world.account(name)
        world.pair(source, target, Feature.RATINGS, name="pair")
        taken: list[str] = []
        with world.running():
            counting = files.set_effect_hook(partial(_note, taken))
            world.again(apply=True)
            files.set_effect_hook(counting)
        assert taken == ["account-away.lock", "account-home.lock", "pair-pair.lock"]


def test_a_run_holds_its_locks_from_before_the_first_read_until_the_last_answer(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.account("home").put(Feature.RATINGS, (movie(1), rated(8)))
    world.account("away")
    world.pair("home", "away", Feature.RATINGS)
    free: list[str] = []
    looks: list[str] = []

    def look(word: str) -> None:
        looks.append(word)
        for name in ("account-away", "account-home", "pair-home-away"):
            try:
                with locks(tmp_path, names=(name,)):
                    free.append(f"{name} {word}")
            except LockedError:
                pass

    lies = world.logins["away"].lies
    lies.before_read = lambda _feature: look("read")
    lies.before_apply = lambda _feature, _changes: look("write")
    assert len(world.run().changes) == 1
    assert (looks, free) == (["read", "write"], [])


def _note(taken: list[str], name: str, path: Path) -> None:
    if name == "open" and path.suffix == ".lock":
        taken.append(path.name)


@pytest.mark.parametrize("name", ["account-home", "account-away", "pair-home-away"])
def test_forgetting_the_state_waits_for_nobody_and_meets_nobody(tmp_path: Path, name: str) -> None:
    world = World(tmp_path)
    world.account("home").put(Feature.RATINGS, (movie(1), rated(8)))
    world.account("away")
    world.pair("home", "away", Feature.RATINGS)
    world.run()
    before = world.baseline_bytes()
    with world.running(), locks(tmp_path, names=(name,)), pytest.raises(LockedError):
        reset_state(world.settings(), "home-away", None, world.home)
    assert world.baseline_bytes() == before
    with world.running():
        assert reset_state(world.settings(), "home-away", None, world.home) is not None
    assert world.rows(Feature.RATINGS) == {}
