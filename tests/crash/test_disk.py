"""A disk that fails at any effect: nothing is sent without its journal line, and a sound disk makes good for it."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crash.cutting import check, whole
from cwsync import files
from cwsync.state import read_journal
from support.engine import SOAK, World
from support.figures import figure
from support.scenes import SCENES
from support.shell import TWO_TRACKERS, Shell, data_of, films, small_disk

ERRORS = {name: getattr(errno, name) for name in ("ENOSPC", "EIO", "EDQUOT", "EROFS", "EACCES")}
FAILING = ("one-way", "every feature", "all plays", "first run", "recovery, it landed", "removal seen twice")


@dataclass
class Disk(World):
    """A world whose disk fails at its file effect number `fail_at`: once, or from then on `always`."""

    fail_at: int | None = None
    always: bool = False
    error: int = errno.EIO
    touched: int = 0
    failed: list[Path] = field(default_factory=list)
    last: str = ""

    @contextmanager
    def running(self) -> Iterator[None]:
        with super().running():
            files.set_effect_hook(self._disk)
            yield

    def _disk(self, name: str, path: Path) -> None:
        self.touched += 1
        if path.name == "journal.jsonl":
            self.last = name
        if self.fail_at is not None and (self.touched == self.fail_at or (self.always and self.failed)):
            self.failed.append(path)
            raise OSError(self.error, os.strerror(self.error))

    def _effect(self, name: str) -> None:
        """Look at the journal before a request leaves; and let nothing leave after a failure that counts."""
        super()._effect(name)
        if name != "request" or self.fail_at is None:
            return
        assert [path for path in self.failed if counts(path)] == [], "sent after the disk had failed"
        running = [path for path in self.folder.rglob("journal.jsonl") if (record := read_journal(path))]
        waiting = [record.batches[-1][1] for path in running if (record := read_journal(path)) and record.batches]
        assert None in waiting, "sent without an intent on the disk"
        assert self.last == "fsync", "sent before the intent was durable"


def counts(path: Path) -> bool:
    """Whether something is lost when this cannot be written: not so for a note, or what only saves time."""
    return "cache" not in path.parts and ".holder" not in path.name


def broken(name: str, folder: Path, fail_at: int, error: int, *, always: bool) -> tuple[Disk, int]:
    """Build a scene, do its run on a disk that fails, and mend the disk. Gives the world and the exit code."""
    world = Disk(folder)
    SCENES[name].build(world)
    world.touched, world.fail_at, world.error, world.always = 0, fail_at, error, always
    code = SCENES[name].act(world).exit_code
    world.fail_at = None
    return world, code


def effects_of(name: str, folder: Path) -> int:
    """How many effects on the disk the run of a scene has."""
    world = Disk(folder)
    SCENES[name].build(world)
    world.touched = 0
    SCENES[name].act(world)
    return world.touched


def choice(index: int, turn: int, total: int) -> list[int]:
    """Where an error strikes: every effect in the long form, else one for two errors in each turn, always the same."""
    if SOAK:
        return list(range(1, total + 1))
    return [1 + (index * total // len(ERRORS) + 7 * turn) % total] if (index - turn) % len(ERRORS) < 2 else []


@pytest.mark.parametrize("always", [False, True], ids=["once", "always"])
@pytest.mark.parametrize("name", FAILING)
def test_I6_I7_a_disk_that_fails_at_any_effect_loses_nothing_and_sends_nothing(
    tmp_path: Path, name: str, always: bool
) -> None:
    _, expected = whole(name, tmp_path / "whole")
    total = effects_of(name, tmp_path / "count")
    done = 0
    for index, (code, number) in enumerate(ERRORS.items()):
        for n in choice(index, 2 * FAILING.index(name) + always, total):
            where = f"{name}: {code} at effect {n} of {total}"
            world, exit_code = broken(name, tmp_path / f"{code}{n}", n, number, always=always)
            assert world.failed, where
            wanted = {7, 75} if any(counts(path) for path in world.failed) else {0}
            assert exit_code in wanted, (where, exit_code, world.failed)
            check(world, name, expected, where)
            done += 1
    figure("failing disk", f"{name}, {'always' if always else 'once'}: {done} failures at {total} effects")


# --- for real ------------------------------------------------------------------------------------


def waiting(folder: Path, **places: Path) -> Shell:
    """A pair in step with 30 changes to make; state lives where `places` says."""
    shell = Shell(folder, TWO_TRACKERS)
    if "state" in places:
        shell.state = places["state"]
        shell.environ["CWSYNC_STATE_DIR"] = str(shell.state)
    shell.put("home", *films(range(60)))
    assert shell("run --apply -q").code == 0
    shell.put("home", *films(range(2, 60)), *films(range(60, 90)))
    return shell


def made_good(shell: Shell) -> None:
    """With a sound disk the next run does all that is left, and the one after it nothing."""
    again = shell("run --apply --json")
    assert (again.code, again.pair["holds"]) == (0, []), again
    assert shell.scores("backup") == shell.scores("home") == {f"tt{1000000 + n}": 8 for n in range(2, 90)}
    assert shell("plan --detailed-exitcode").code == 0


@pytest.mark.parametrize("blocks", [1, 4, 16, 24, 30] if SOAK else [1, 24])
def test_files_that_may_not_grow_beyond_any_size(tmp_path: Path, blocks: int) -> None:
    """The kernel's own EFBIG, at the note of a lock, in a journal, in an account, in the state."""
    shell = waiting(tmp_path)
    done = shell.after(f"ulimit -f {blocks}")("run --apply")
    assert (done.code, done.clean()) == (7, True), done
    assert "File too large" in done.out + done.err
    assert shell.scores("home") == {f"tt{1000000 + n}": 8 for n in range(2, 90)}
    made_good(shell)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own."""
    with small_disk(tmp_path / "disk", "512k") as folder:
        yield folder


def test_a_state_disk_that_was_mounted_read_only(tmp_path: Path, disk: Path) -> None:
    """The kernel's own EROFS: told before anything is sent, and a dry run still works."""
    shell = waiting(tmp_path, state=disk / "state")
    held = data_of(tmp_path / "backup")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert shell("plan -q").code == 0
    done = shell("run --apply")
    assert (done.code, done.clean()) == (7, True), done
    assert "Read-only file system" in done.out + done.err
    assert data_of(tmp_path / "backup") == held
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    made_good(shell)


@pytest.mark.parametrize("pages", range(9) if SOAK else [4])
def test_a_state_disk_with_room_for_so_many_pages(tmp_path: Path, disk: Path, pages: int) -> None:
    """The kernel's own ENOSPC, wherever in the run the pages are spent. What was sent is in the journal."""
    shell = waiting(tmp_path, state=disk / "state")
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            file.truncate(max(0, filler.stat().st_size // 4096 - pages) * 4096)
    held = data_of(tmp_path / "backup")
    done = shell("run --apply")
    assert done.clean(), done
    if data_of(tmp_path / "backup") != held:
        journals = [*shell.state.rglob("journal.jsonl"), *shell.state.rglob("runs/*.jsonl")]
        assert any(b'"kind":"intent"' in path.read_bytes() and b"tt1000089" in path.read_bytes() for path in journals)
    if done.code:
        assert done.code == 7, done
        assert "the disk is full" in done.out + done.err
    filler.unlink()
    made_good(shell)
