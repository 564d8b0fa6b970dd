"""The contract, sections 2 and 3: exit codes, several pairs, saved and accepted plans, locks, signals."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.shell import TWO_TRACKERS, Shell, film, films, finish, tree, until

PAIRS = TWO_TRACKERS + "[pairs.both.history]\n"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path, PAIRS)
    made.put("home", *films(range(20)))
    return made


# --- several pairs -------------------------------------------------------------------------------


def many(tmp_path: Path) -> Shell:
    """Five pairs, each in step at first, and then each with an end of its own."""
    names = ("good", "bad-row", "guarded", "damaged", "locked")
    text = "".join(
        f'[accounts.{n}-a]\nprovider = "tracker"\npath = "{n}-a"\n[accounts.{n}-b]\nprovider = "tracker"\n'
        f'path = "{n}-b"\n[pairs.{n}]\nsource = "{n}-a"\ntarget = "{n}-b"\n[pairs.{n}.ratings]\nremove = true\n'
        for n in names
    )
    shell = Shell(tmp_path, text)
    for name in names:
        shell.put(f"{name}-a", *films(range(20)))
    assert shell("run --all --apply -q").code == 0
    shell.put("good-a", *films(range(21)))
    shell.put("bad-row-a", *films(range(21)), {"type": "movie", "ids": {"imdb": "tt2000000"}, "rating": "x"})
    shell.put("guarded-a", *films(range(10)))
    state = shell.pair_folder("damaged") / "state.json"
    state.write_bytes(state.read_bytes()[:-9])
    return shell


def test_several_pairs_end_with_the_worst_code(tmp_path: Path) -> None:
    """Each pair runs whatever became of the others; the worst of 7, 4, 75, 3, 0, in that order."""
    shell = many(tmp_path)
    with held(shell, "account-locked-b"):
        done = shell("run --all --apply --json")
        codes = {pair["pair"]: pair["exit_code"] for pair in done.json["pairs"]}
        assert codes == {"good": 0, "bad-row": 3, "guarded": 4, "damaged": 7, "locked": 75}
        assert done.code == 7
        for line, code in (
            ("guarded locked bad-row good", 4),
            ("good bad-row locked", 75),
            ("bad-row good", 3),
        ):
            assert shell(f"run {line} --apply -q").code == code
    assert len(shell.held("good-b")) == len(shell.held("bad-row-b")) == 21
    assert len(shell.held("guarded-b")) == 20
    assert shell("plan guarded -q").code == 4  # a dry run that a guard would stop says so too


# --- plans that were saved or refused ------------------------------------------------------------


def test_a_saved_plan_is_applied_as_it_is_or_not_at_all(shell: Shell) -> None:
    assert shell("run --apply -q").code == 0
    shell.put("home", *films(range(22)))
    plan = shell("plan --out plan.json --json")
    assert (plan.code, len(plan.pair["changes"])) == (0, 2)
    mode = (shell.folder / "plan.json").stat().st_mode & 0o777
    assert mode == 0o600

    # A side moved: refused, nothing written.
    shell.put("home", *films(range(23)))
    before = tree(shell.folder / "backup")
    stale = shell("run --plan plan.json --apply --json")
    assert (stale.code, stale.pair["error"]["code"]) == (4, "stale-plan")
    assert stale.pair["error"]["hint"] == "read it again: cwsync plan both"
    assert tree(shell.folder / "backup") == before

    # As it was: applied, with the very same digest.
    shell.put("home", *films(range(22)))
    done = shell("run --plan plan.json --apply --json")
    assert (done.code, done.pair["digest"], len(shell.held("backup"))) == (0, plan.pair["digest"], 22)

    # The baseline moved since, by that very run: refused.
    again = shell("run --plan plan.json --apply")
    assert again.code == 4
    assert "error: both: the saved plan is " in again.err
    (shell.folder / "plan.json").write_text("{}")
    other = shell("run --plan plan.json --apply")
    assert (other.code, "is not a saved plan" in other.err) == (2, True)


def test_accepting_lets_exactly_one_plan_through_once(shell: Shell) -> None:
    shell("run --apply -q")
    shell.put("home", *films(range(8)))
    stopped = shell("run --apply --json")
    digest = stopped.pair["digest"]
    assert (stopped.code, "removes" in {guard["name"] for guard in stopped.pair["guards"]}) == (4, True)
    assert {change["outcome"] for change in stopped.pair["changes"]} <= {None, "not_sent"}
    before = tree(shell.folder / "backup")
    assert shell("run --apply --accept 0123456789abcdef").code == 4
    shell.put("home", *films(range(7)))  # one more is gone than was shown
    assert shell(f"run --apply --accept {digest}").code == 4
    assert tree(shell.folder / "backup") == before
    shell.put("home", *films(range(8)))
    assert shell(f"run --apply --accept {digest}").code == 0
    assert len(shell.held("backup")) == 8
    assert shell(f"run --apply --accept {digest}").code == 4  # not a second time


def test_a_guard_may_hold_the_removals_alone(shell: Shell) -> None:
    shell.file.write_text(PAIRS + '[pairs.both.guards]\non_guard = "hold"\n')
    shell("run --apply -q")
    shell.put("home", *films(range(8)), film(99, 7))
    done = shell("run --apply --json")
    assert done.code == 4
    assert [(change["op"], change["title"]) for change in done.pair["changes"]] == [("add", "Film 99")]
    assert len([hold for hold in done.pair["holds"] if hold["reason"].startswith("guard:")]) == 12
    assert len(shell.held("backup")) == 21


# --- locks ---------------------------------------------------------------------------------------


@contextmanager
def held(shell: Shell, name: str) -> Iterator[None]:
    """Hold a lock from another process than the command's."""
    with (shell.state / "locks" / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def many_films(shell: Shell, account: str, count: int, feature: str = "ratings") -> None:
    value = {"rating": 8, "rated_at": None} if feature == "ratings" else {"watched_at": None}
    shell.put(account, *(film(n) | value for n in range(count)), feature=feature)


@contextmanager
def frozen(shell: Shell, line: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run that was stopped in its tracks (SIGSTOP) while it holds its locks; it goes on afterwards."""
    process = shell.start(line)
    try:
        until((shell.state / "locks" / "pair-both.holder").exists, "a run that holds its locks")
        process.send_signal(signal.SIGSTOP)
        assert process.poll() is None
        yield process
        process.send_signal(signal.SIGCONT)
        assert finish(process).code == 0
    finally:
        process.kill()
        finish(process)


def test_two_runs_do_not_meet(shell: Shell) -> None:
    """Exit 75 and who holds the lock; or the pair left out; or waiting, for a while or for good."""
    many_films(shell, "home", 5_000)
    with frozen(shell, "run --apply -q") as first:
        failed = shell("run --apply")
        assert failed.code == 75
        assert f"another run holds this lock (process {first.pid}, started " in failed.err
        assert "hint: try again later, or wait for it with `--lock-timeout SECONDS`" in failed.err
        skipped = shell("run --apply --json --if-locked skip")
        assert (skipped.code, skipped.pair["error"], skipped.pair["changes"]) == (0, None, [])
        assert "another run holds this lock" in skipped.pair["warnings"][0]
        began = time.monotonic()
        assert shell("run --apply -q --lock-timeout 1").code == 75
        assert time.monotonic() - began > 1
        assert shell("plan -q").code == 0  # a dry run takes no lock
        waiting = shell.start("run --apply --json --if-locked wait")
    done = finish(waiting)
    assert (done.code, done.pair["changes"], len(shell.held("backup"))) == (0, [], 5_000)
    assert shell("run --apply --if-locked maybe").code == 2


def test_a_lock_that_is_let_go_in_time_is_no_error(shell: Shell) -> None:
    shell("run --apply -q")
    with held(shell, "account-home"):
        process = shell.start("run --apply -q --lock-timeout 60")
        time.sleep(1)
        assert process.poll() is None
    assert finish(process).code == 0


def listens(pid: int) -> bool:
    """Whether a process has said what it does on SIGTERM: that comes right before its first lock."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_waits_for_a_lock_can_be_stopped(shell: Shell, signum: signal.Signals) -> None:
    shell("run --apply -q")
    with held(shell, "account-home"):
        process = shell.start("run --apply --if-locked wait")
        until(lambda: listens(process.pid), "a run that listens to signals")
        process.send_signal(signum)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            finish(process)
            pytest.fail(f"still waiting for the lock 5 s after {signum.name}")
    assert finish(process).code == 128 + signum


# --- signals -------------------------------------------------------------------------------------


def test_a_run_that_is_stopped_while_it_reads_writes_nothing(shell: Shell) -> None:
    many_films(shell, "home", 8_000)
    process = shell.start("run --apply --json")
    until((shell.state / "locks" / "pair-both.holder").exists, "a run that has begun")
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert (done.code, done.json["exit_code"]) == (130, 130)
    assert not shell.path("backup").exists()
    assert not (shell.pair_folder("both") / "journal.jsonl").exists()
    again = shell("run --apply --json")
    assert (again.code, again.pair["warnings"], len(shell.held("backup"))) == (0, [], 8_000)


def test_a_run_that_is_stopped_between_two_writes_keeps_the_first(shell: Shell) -> None:
    """What was confirmed is in the baseline; the rest is neither lost nor in doubt."""
    many_films(shell, "home", 7_000, "history")
    many_films(shell, "home", 7_000)
    process = shell.start("run --apply")
    until(shell.path("backup", "history").exists, "the first file that is written")
    process.send_signal(signal.SIGTERM)
    done = finish(process)
    assert (done.code, done.clean()) == (143, True)
    assert "stopped as asked; what was confirmed is kept, and the next run goes on from there" in done.err
    assert "history: 7,000 of 7,000 confirmed" in done.out
    assert (len(shell.held("backup", "history")), shell.held("backup")) == (7_000, [])
    status = json.loads(shell("status --json").out)["pairs"][0]
    assert (status["rows"]["history"], status["in_doubt"], status["unfinished"]) == (7_000, 0, False)
    again = shell("run --apply --json")
    assert (again.code, {change["feature"] for change in again.pair["changes"]}) == (0, {"ratings"})
    assert len(shell.held("backup")) == 7_000
