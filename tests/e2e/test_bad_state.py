"""State that is damaged, a disk that is full or read-only, no home, a clock that was moved. Nothing is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cwsync.state.sealed import seal, unseal
from support.shell import TWO_TRACKERS, Done, Shell, data_of, film, films, small_disk, tree, unprivileged

FAR = 54321  # no user of any system


def told(done: Done, code: int, *words: str) -> None:
    """The error is clear: its code, what is wrong and where, what to do; and it is no crash."""
    assert (done.code, done.clean()) == (code, True), done
    for word in ("error: ", "hint: ", *words):
        assert word in done.err


def trackers(shell: Shell) -> list[dict[str, object]]:
    return [tree(shell.folder / account) for account in ("home", "backup")]


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A pair in step, with one change waiting. Every test leaves it as it was."""
    shell = Shell(tmp_path_factory.mktemp("synced"), TWO_TRACKERS)
    shell.put("home", *films(range(10)))
    assert shell("run --apply -q").code == 0
    shell.put("home", *films(range(1, 11)))
    return shell


# --- damage --------------------------------------------------------------------------------------


def changed(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return damage


def as_link(path: Path) -> None:
    path.rename(path.with_name("real.json"))
    path.symlink_to("real.json")


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


STATES: dict[str, tuple[Callable[[Path], None], str]] = {
    "newer schema": (changed(lambda old: old.replace(b'{"schema":1', b'{"schema":2', 1)), "newer"),
    "flipped byte": (changed(lambda old: old.replace(b"Film 3", b"Film 2")), "the state is damaged: "),
    "empty": (changed(lambda _: b""), "the state is damaged: "),
    "truncated": (changed(lambda old: old[:-20]), "the state is damaged: "),
    "symlink": (as_link, "is a symlink"),
    "folder": (as_folder, "is not a file"),
}


@pytest.mark.parametrize("name", STATES)
def test_damaged_state_stops_everything(synced: Shell, name: str) -> None:
    """Exit 7, and it is never taken for an empty baseline, which would bring back what was removed."""
    damage, words = STATES[name]
    path = synced.pair_folder("both") / "state.json"
    good, before = path.read_bytes(), trackers(synced)
    damage(path)
    state = tree(synced.pair_folder("both"), "last-run.json", "both")
    try:
        told(synced("run --apply"), 7, f"both: {path}: ", words)
        assert trackers(synced) == before
        assert tree(synced.pair_folder("both"), "last-run.json", "both") == state
    finally:
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.with_name("real.json").unlink(missing_ok=True)
        path.write_bytes(good)


def test_the_way_out_of_damage_is_the_one_it_names(tmp_path: Path) -> None:
    shell = Shell(tmp_path, TWO_TRACKERS)
    shell.put("home", *films(range(10)))
    shell("run --apply -q")
    path = shell.pair_folder("both") / "state.json"
    path.write_bytes(damaged := path.read_bytes().replace(b"Film 3", b"Film 2"))
    shell.put("home", *films(range(1, 10)))
    for line in ("plan", "status", "explain both film"):
        told(shell(line), 7, str(path), "`cwsync reset-state both` starts anew with a union that removes nothing")
    assert path.read_bytes() == damaged
    reset = shell("reset-state both --yes --json")
    assert (reset.code, reset.json["done"]) == (0, True)
    assert Path(reset.json["backup"]).read_bytes() == damaged
    run = shell("run --apply --json")
    assert (run.code, run.pair["first_run"]) == (0, True)
    assert len(shell.held("home")) == len(shell.held("backup")) == 10  # what was removed came back; nothing is lost


def test_a_damaged_journal_stops_everything(synced: Shell) -> None:
    """What an unfinished run did is not known: exit 7, and nothing is written or forgotten."""
    (run,) = (synced.pair_folder("both") / "runs").iterdir()
    journal = synced.pair_folder("both") / "journal.jsonl"
    journal.write_bytes(run.read_bytes().replace(b"Film 3", b"Film 2", 1))
    before = (journal.read_bytes(), trackers(synced))
    told(synced("run --apply"), 7, str(journal))
    assert (journal.read_bytes(), trackers(synced)) == before
    journal.unlink()


def test_the_record_of_the_last_run_may_be_lost(tmp_path: Path) -> None:
    shell = Shell(tmp_path, TWO_TRACKERS)
    shell.put("home", *films(range(3)))
    shell("run --apply -q")
    (shell.pair_folder("both") / "last-run.json").write_text("{")
    status = shell("status")
    assert (status.code, status.err) == (0, "error: both: the record of the last run cannot be read\n")
    shell.put("home", *films(range(2)))
    assert shell("run --apply -q").code == 0
    assert len(shell.held("backup")) == 2


# --- disks ---------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with room for little."""
    with small_disk(tmp_path / "small", "256k") as folder:
        yield folder


def fill(folder: Path) -> Path:
    """Leave no room at all."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return path


@pytest.mark.parametrize("full", ["state", "backup"])
def test_a_full_disk(tmp_path: Path, small: Path, full: str) -> None:
    """Exit 7 with the cause; the target is as it was; with room again, the next run does the rest."""
    shell = Shell(tmp_path, TWO_TRACKERS.replace('path = "backup"', 'path = "small/backup"'))
    if full == "state":
        shell.file.write_text(TWO_TRACKERS)
        shell.environ["CWSYNC_STATE_DIR"] = str(small / "state")
        shell.state = small / "state"
    backup = "small/backup" if full == "backup" else "backup"
    shell.put("home", *films(range(50)))
    assert shell("run --apply -q").code == 0
    shell.put("home", *films(range(1, 51)))
    filler = fill(small)
    held, state = data_of(tmp_path / backup), (shell.pair_folder("both") / "state.json").read_bytes()
    done = shell("run --apply")
    assert "the disk is full" in done.out + done.err
    assert "free some space" in done.out + done.err
    assert (done.code, done.clean()) == (7, True), done
    assert data_of(tmp_path / backup) == held
    if full == "state":
        assert (shell.pair_folder("both") / "state.json").read_bytes() == state
    filler.unlink()
    again = shell("run --apply --json")
    assert (again.code, again.pair["holds"]) == (0, []), again
    assert shell.scores(backup) == shell.scores("home") == {f"tt{1000000 + n}": 8 for n in range(1, 51)}
    assert shell("plan --detailed-exitcode").code == 0


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """The other way in which a disk says no, for any user: a limit on the size of files."""
    shell = Shell(tmp_path, TWO_TRACKERS)
    shell.put("home", *films(range(1000)))
    limited = shell.after("ulimit -f 16")  # blocks of 512 bytes; the journal is larger
    done = limited("run --apply")
    assert not shell.path("backup").exists()
    assert not (shell.pair_folder("both") / "state.json").exists()
    again = shell("run --apply -q")
    assert (again.code, len(shell.held("backup"))) == (0, 1000), again
    told(done, 7, "journal.jsonl: cannot write: File too large")


def test_a_read_only_state_folder(tmp_path: Path) -> None:
    """A dry run works as ever. A run that would write says where it cannot, before it writes anything."""
    shell = Shell(tmp_path, TWO_TRACKERS)
    shell.put("home", *films(range(5)))
    shell("run --apply -q")
    shell.put("home", *films(range(1, 6)))
    user = shell.behind(*unprivileged())
    folders = [shell.state, *(path for path in shell.state.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    for file in shell.state.rglob("*.*"):
        if file.is_file():
            file.chmod(0o400)
    before = shell.marks()
    plan = user("plan --json")
    assert (plan.code, len(plan.pair["changes"])) == (0, 2)
    assert [user(line).code for line in ("status", "explain both film")] == [0, 0]
    done = user("run --apply")
    after = shell.marks()
    for folder in folders:
        folder.chmod(0o700)
    told(done, 7, str(shell.state), "cannot write: Permission denied", "--state-dir")
    assert after == before


def test_a_target_folder_that_is_read_only(tmp_path: Path) -> None:
    """Nothing was written, so nothing is in doubt; the change is made when it can be."""
    shell = Shell(tmp_path, TWO_TRACKERS)
    shell.put("home", *films(range(5)))
    shell("run --apply -q")
    shell.put("home", *films(range(1, 6)))
    (tmp_path / "backup").chmod(0o500)
    before = tree(tmp_path / "backup")
    done = shell.behind(*unprivileged())("run --apply")
    assert tree(tmp_path / "backup") == before
    (tmp_path / "backup").chmod(0o700)
    assert (done.code, done.clean()) == (7, True), done
    assert "cannot write: Permission denied" in done.out + done.err
    again = shell("run --apply --json")
    assert (again.code, again.pair["holds"]) == (0, [])
    assert shell.scores("backup") == shell.scores("home")


# --- homes and clocks ----------------------------------------------------------------------------


def test_no_home(synced: Shell) -> None:
    """Where nothing says where the files are, the error names the options; with them no home is needed."""
    nowhere: dict[str, str | None] = {"HOME": "", "CWSYNC_CONFIG": None, "CWSYNC_STATE_DIR": None}
    told(synced("plan", env=nowhere), 2, "this user has no home folder, so there is no config folder", "--config FILE")
    done = synced(f"plan -c {synced.file}", env=nowhere)
    told(done, 2, "this user has no home folder, so there is no state folder", "--state-dir DIR")
    done = synced(f"plan -c {synced.file} --state-dir {synced.state}", env={**nowhere, "HOME": None, "PATH": None})
    assert (done.code, done.err) == (0, "")


def test_a_user_whom_the_system_does_not_know(synced: Shell) -> None:
    if os.geteuid() or shutil.which("setpriv") is None:
        pytest.skip("becoming another user needs rights that the tests do not have here")
    user = synced.behind("setpriv", "--reuid", str(FAR), "--clear-groups")
    env: dict[str, str | None] = {"HOME": None, "CWSYNC_CONFIG": None, "CWSYNC_STATE_DIR": None}
    done = user("plan", env=env)
    if "No module named" in done.err or "Permission denied" in done.err:
        pytest.skip("another user cannot reach this interpreter")
    told(done, 2, "this user has no home folder", "--config FILE")


def test_a_clock_that_was_moved_back(tmp_path: Path) -> None:
    """The guard trips in a dry run too; nothing is written until the clock is right again."""
    shell = Shell(tmp_path, TWO_TRACKERS)
    shell.put("home", *films(range(5)))
    shell("run --apply -q")
    last = shell.pair_folder("both") / "last-run.json"
    good = last.read_bytes()
    record = unseal(good)
    for name in ("started_at", "finished_at", "good_at"):
        at = str(record[name])
        record[name] = f"{int(at[:4]) + 2}{at[4:]}"
    last.write_bytes(seal(record))
    shell.put("home", film(0, 3), *films(range(1, 5)))
    before = trackers(shell)
    plan = shell("plan --json")
    assert (plan.code, [guard["name"] for guard in plan.pair["guards"]]) == (4, ["clock"])
    done = shell("run --apply")
    assert done.code == 4
    assert "! STOPPED by guard clock (ratings)" in done.out
    assert "timedatectl" in done.out
    assert trackers(shell) == before
    last.write_bytes(good)
    assert shell("run --apply -q").code == 0
    assert shell.scores("backup")["tt1000000"] == 3
