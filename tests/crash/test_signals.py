"""Signals at every step: the batch in flight is finished and committed, nothing more is sent, the next run goes on.

The short form takes a spread of steps, the long form (CWSYNC_SOAK=1) every one.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from support.engine import SOAK
from support.figures import figure
from support.kills import ALL, SCENES, STEADY, Lab, Server, hold, pairs_toml
from support.shell import Shell, finish, until

ASKED = [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
SHARE = 1 if SOAK else 60
FOUR = SCENES["four features"]
GATED = pairs_toml("a b two-way history,watchlist,ratings,progress", provider="gated")


def batches(lab: Lab) -> list[str]:
    """The intents and receipts of the newest journal of the pair a-b, in order."""
    folder = lab.shell.pair_folder("a-b")
    open_one = folder / "journal.jsonl"
    newest = [open_one] if open_one.exists() else sorted((folder / "runs").glob("*.jsonl"), key=_age)[-1:]
    lines = [json.loads(line)["kind"] for path in newest for line in path.read_text("utf-8").splitlines()]
    return [kind for kind in lines if kind in ("intent", "receipt")]


def _age(path: Path) -> int:
    return path.stat().st_mtime_ns


def writes(effects: list[str]) -> int:
    """How many times a file of an account was put in place."""
    return sum(line.startswith("rename ") and "/state/" not in line for line in effects)


def intents(effects: list[str]) -> int:
    """How many lines a run wrote to its journal."""
    return sum(line.startswith("write ") and line.endswith("journal.jsonl") for line in effects)


@pytest.mark.parametrize(("signum", "code"), ASKED)
@pytest.mark.parametrize("name", ["four features", "recovery", "three pairs"] if SOAK else ["four features"])
def test_a_signal_before_any_effect_ends_the_run_after_the_batch_in_flight(
    tmp_path: Path, server: Server, name: str, signum: int, code: int
) -> None:
    scene = SCENES[name]
    lab = scene.prepare(tmp_path, server)
    whole = [lab.run(scene.line) for _ in range(scene.rounds)]
    expected, steps = lab.accounts(), len(whole[0].effects)
    lab.restore()
    at = range(1 + code % SHARE, steps + 1, SHARE)
    for n in at:
        what = f"{name}: signal {signum} before effect {n} of {steps}"
        run = lab.run(scene.line, {n: signum})
        done = run.finish()
        assert (done.code, done.clean()) == (code, True), (what, done)
        assert not list(lab.shell.state.glob("pairs/*/journal.jsonl")), what
        assert lab.litter() == [], what
        later = run.effects[n - 1 :]
        assert writes(later) <= 1, f"{what}: more was sent than the batch in flight"
        # Its receipt, the commit and the end; and its intent, when that was the line about to be written.
        assert intents(later) <= 4, what
        rest = [lab.run(scene.line).finish() for _ in range(scene.rounds)]
        assert [one.code for one in rest] == [0] * scene.rounds, what
        assert "did not finish" not in rest[0].out, what
        lab.check_settled(scene.line, expected, what)
        lab.restore()
    figure("signals before an effect", f"{name}, signal {signum}: {len(at)} of {steps} effects")


@pytest.mark.parametrize(("first", "second"), [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)])
def test_a_second_signal_does_not_cut_the_batch_in_flight(
    tmp_path: Path, server: Server, first: int, second: int
) -> None:
    """At every effect between the first and the last of a write a person may lose patience."""
    lab = FOUR.prepare(tmp_path, server)
    whole = lab.run(FOUR.line).effects
    expected = lab.accounts()
    lab.restore()
    begin = next(n for n, line in enumerate(whole, 1) if "/state/" not in line)
    impatient = dict.fromkeys(range(begin + 1, len(whole) + 1), second)
    done = lab.run(FOUR.line, {begin: first, **impatient}).finish()
    assert (done.code, done.clean()) == (128 + first, True), done
    assert batches(lab) == ["intent", "receipt"]
    assert not (lab.shell.pair_folder("a-b") / "journal.jsonl").exists()
    assert lab.run(FOUR.line).finish().code == 0
    lab.check_settled(FOUR.line, expected, "after two signals")


@pytest.mark.parametrize(("signum", "code"), ASKED)
@pytest.mark.parametrize(("step", "sent"), [("fetch", 0), ("apply", 1), ("applied", 1)])
@pytest.mark.parametrize("hard", [False, True] if SOAK else [False])
def test_a_signal_while_a_provider_works(
    tmp_path: Path, server: Server, signum: int, code: int, step: str, sent: int, hard: bool
) -> None:
    """From outside, while the run waits for a reply: to a read, before and after a write is done."""
    lab = Lab(tmp_path, GATED, server)
    for feature in ALL:
        hold(lab.shell, "a", feature, *STEADY)
    lab.shut(step, hard=hard)
    run = lab.start("run a-b --apply")
    lab.until_at(step, run.pid)
    run.send(signum)
    until(lambda: not _pending(run.pid, signum), "a signal that was heard")
    lab.open(step)
    done = run.finish()
    assert (done.code, done.clean()) == (code, True), done
    assert batches(lab) == ["intent", "receipt"] * sent
    assert [note[1] for note in lab.notes()].count("apply") == sent
    assert len([one for one in lab.accounts() if one.startswith("b/")]) == sent
    assert lab.run("run a-b --apply").finish().code == 0
    assert {one: len(rows) for one, rows in lab.accounts().items()} == {
        f"{name}/{feature}": len(STEADY) for name in "ab" for feature in ALL
    }


def _pending(pid: int, signum: int) -> bool:
    """Whether a signal still waits for a process."""
    masks = [line.split()[1] for line in _status(pid) if line.startswith(("ShdPnd", "SigPnd"))]
    return any(int(mask, 16) >> (signum - 1) & 1 for mask in masks)


def _status(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()


# --- what else may come from outside -----------------------------------------------------------------


@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL])
def test_a_terminal_that_goes_away_is_a_crash_that_the_next_run_mends(
    tmp_path: Path, server: Server, signum: int
) -> None:
    lab = FOUR.prepare(tmp_path, server)
    whole = lab.run(FOUR.line).effects
    expected = lab.accounts()
    lab.restore()
    middle = [n for n, line in enumerate(whole, 1) if "/state/" not in line]
    for n in middle[:: 1 if SOAK else len(middle) // 2]:
        assert lab.run(FOUR.line, {n: signum}).finish().code == -signum
        assert (lab.shell.pair_folder("a-b") / "journal.jsonl").exists()
        again = lab.run(FOUR.line).finish()
        assert (again.code, "did not finish" in again.out + again.err) == (0, True), again
        lab.check_settled(FOUR.line, expected, f"signal {signum} before effect {n}")
        lab.restore()


def test_a_run_under_nohup_does_not_hear_the_terminal_go(tmp_path: Path, server: Server) -> None:
    lab = FOUR.prepare(tmp_path, server)
    lab.run(FOUR.line)
    expected = lab.accounts()
    lab.restore()
    ignoring = lab.shell.after("trap '' HUP")
    with ignoring.start(FOUR.line) as process:
        until(lambda: _ignores(process, signal.SIGHUP), "a process that ignores the signal")
        process.send_signal(signal.SIGHUP)
        assert finish(process).code == 0
    lab.check_settled(FOUR.line, expected, "under nohup")


def _ignores(process: subprocess.Popen[bytes], signum: int) -> bool:
    mask = next(line.split()[1] for line in _status(process.pid) if line.startswith("SigIgn"))
    return bool(int(mask, 16) >> (signum - 1) & 1)


@pytest.mark.parametrize("deaf", ["out", "both"])
def test_a_reader_that_has_gone_away_costs_no_record(tmp_path: Path, server: Server, deaf: str) -> None:
    """``cwsync run --apply | head -1``: what was written is committed, whatever becomes of the page."""
    lab = FOUR.prepare(tmp_path, server)
    lab.run(FOUR.line)
    expected = lab.accounts()
    lab.restore()
    shell = lab.shell
    reader, writer = os.pipe()
    os.close(reader)
    err = writer if deaf == "both" else subprocess.DEVNULL
    process = subprocess.Popen(
        shell.words(FOUR.line), cwd=shell.folder, env=shell.env(), stdin=subprocess.DEVNULL, stdout=writer, stderr=err
    )
    os.close(writer)
    assert finish(process).code in (0, 141)
    lab.check_settled(FOUR.line, expected, "nobody reads")


@pytest.mark.parametrize(("signum", "code"), ASKED)
def test_a_signal_while_a_question_is_open_changes_nothing(
    tmp_path: Path, server: Server, signum: int, code: int
) -> None:
    lab = SCENES["both sides"].prepare(tmp_path, server)
    before = lab.durable()
    process, screen = _asked(lab.shell, "reset-state a-b")
    try:
        process.send_signal(signum)
        assert process.wait(timeout=60) in (code, -signum)
    finally:
        process.kill()
        process.wait()
        os.close(screen)
    assert lab.durable() == before
    assert lab.litter() == []


def _asked(shell: Shell, line: str) -> tuple[subprocess.Popen[bytes], int]:
    """A command on a terminal that has asked its question, and the other end of that terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        shell.words(line), cwd=shell.folder, env=shell.env(), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    told = b""

    def asked() -> bool:
        nonlocal told
        try:
            told += os.read(ours, 65536)
        except BlockingIOError:
            return False
        return b"[y/N]" in told

    until(asked, "the question")
    return process, ours


# --- waiting -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("signum", "code"), ASKED)
def test_a_signal_ends_a_wait_for_a_lock_with_nothing_done(
    tmp_path: Path, server: Server, signum: int, code: int
) -> None:
    lab = FOUR.prepare(tmp_path, server)
    before = lab.durable()
    with (lab.shell.state / "locks" / "account-b.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        run = lab.start(f"{FOUR.line} --if-locked wait")
        # The first lock of the run is taken and let go again: by then it listens.
        until(lambda: any("account-a.holder" in line for line in run.effects), "a run that waits")
        run.send(signum)
        assert run.finish().code == code
    assert lab.durable() == before
    assert lab.litter() == []
