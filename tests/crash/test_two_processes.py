"""Two processes at once: they never meet on an account, nobody waits for nothing, and nobody waits for ever."""

from __future__ import annotations

import fcntl
import json
import signal
from pathlib import Path

import pytest

from support.engine import SOAK
from support.figures import figure
from support.kills import ALL, STEADY, Lab, Running, Server, hold, pairs_toml
from support.shell import until

RATINGS = "two-way ratings"
CHAIN = pairs_toml(f"a b {RATINGS}", f"b c {RATINGS}", f"c a {RATINGS}", provider="gated")
RING = pairs_toml(*(f"{one} {RATINGS}" for one in ("a b", "b a", "b c", "c a")), provider="gated")


def lab_of(tmp_path: Path, server: Server, pairs: str = CHAIN) -> Lab:
    """Accounts of which each holds a few films of its own."""
    lab = Lab(tmp_path, pairs, server)
    for number, name in enumerate("abcde"):
        hold(lab.shell, name, "ratings", *STEADY[:3], (30 + number, 2))
    return lab


def held_at(lab: Lab, step: str, line: str = "run a-b --apply", *, hard: bool = False) -> Running:
    """A run that hangs in its provider while it holds its locks."""
    lab.shut(step, hard=hard)
    first = lab.start(line)
    lab.until_at(step, first.pid)
    return first


def since(lab: Lab, name: str = "account-b") -> str:
    """When the holder of a lock says that it began, as it is told: to the second."""
    note = json.loads((lab.shell.state / "locks" / f"{name}.holder").read_text(encoding="ascii"))
    return f"{note['started_at'][:19]}Z"


def numbers(lab: Lab, account: str) -> list[int]:
    """The films that an account holds, each as often as it does."""
    return sorted(int(one["ids"]["imdb"][2:]) - 1_000_000 for one in lab.shell.held(account))


def overlaps(notes: list[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """The steps that a process took in an account while another one was writing there."""
    writing: dict[str, int] = {}
    found = []
    for pid, step, account in notes:
        if writing.get(account, pid) != pid:
            found.append((pid, step, account))
        if step == "apply":
            writing[account] = pid
        elif step == "applied":
            writing.pop(account, None)
    return found


@pytest.mark.parametrize("other", ["a-b", "b-c"])
def test_a_second_run_reads_an_account_only_when_the_first_is_done_with_it(
    tmp_path: Path, server: Server, other: str
) -> None:
    """On one pair, and on one account through two pairs."""
    lab = lab_of(tmp_path, server)
    first = held_at(lab, "apply")
    second = lab.start(f"run {other} --apply --if-locked wait")
    tried = f"account-{other[0]}.lock"
    until(lambda: any(tried in line for line in second.effects) or _knocks(lab, second), "a second run that waits")
    assert not [note for note in lab.notes() if note[0] == second.pid]
    lab.open("apply")
    assert (first.finish().code, second.finish().code) == (0, 0)
    pids = [note[0] for note in lab.notes()]
    assert pids == sorted(pids, key=[first.pid, second.pid].index), "one after the other"
    expected = [1, 2, 3, 30, 31] + ([32] if other == "b-c" else [])
    assert numbers(lab, "b") == expected


def _knocks(lab: Lab, run: Running) -> bool:
    """Whether a process has an open descriptor of a lock."""
    folder = Path(f"/proc/{run.pid}/fd")
    links = [one.readlink() for one in folder.iterdir() if one.is_symlink()]
    return any(path.parent == lab.shell.state / "locks" for path in links)


@pytest.mark.parametrize("how", ["stopped", "deaf", "waiting"])
def test_a_hung_holder_is_named_and_its_lock_is_free_once_it_is_killed(
    tmp_path: Path, server: Server, how: str
) -> None:
    lab = lab_of(tmp_path, server)
    first = held_at(lab, "applied", hard=how == "deaf")
    if how == "stopped":
        first.send(signal.SIGSTOP)
    who = f"process {first.pid}, started {since(lab)}"
    for line in ("run b-c --apply", "run a-b --apply --lock-timeout 0.2", "reset-state a-b --yes"):
        refused = lab.run(line).finish()
        assert (refused.code, who in refused.out + refused.err) == (75, True), (line, refused)
    skipped = lab.run("run b-c --apply --if-locked skip").finish()
    assert (skipped.code, "left out: another run holds the lock" in skipped.out) == (0, True), skipped
    assert numbers(lab, "c") == [1, 2, 3, 32]
    first.send(signal.SIGKILL)
    assert first.finish().code == -signal.SIGKILL
    lab.open("applied")
    assert lab.run("run a-b --apply").finish().code == 0
    assert numbers(lab, "a") == numbers(lab, "b") == [1, 2, 3, 30, 31]
    assert lab.litter() == []


def test_the_note_of_a_killed_holder_is_not_believed(tmp_path: Path, server: Server) -> None:
    lab = lab_of(tmp_path, server)
    dead = held_at(lab, "apply")
    dead.send(signal.SIGKILL)
    dead.finish()
    lab.open("apply")
    assert (lab.shell.state / "locks" / "account-a.holder").exists()
    with (lab.shell.state / "locks" / "account-a.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused = lab.run("run a-b --apply").finish()
    assert (refused.code, str(dead.pid) in refused.err) == (75, False), refused
    assert "another run holds this lock" in refused.err


def test_runs_of_disjoint_pairs_do_not_wait_for_each_other(tmp_path: Path, server: Server) -> None:
    lab = lab_of(tmp_path, server, CHAIN + pairs_toml(f"d e {RATINGS}"))
    first = held_at(lab, "apply")
    assert lab.run("run d-e --apply").finish().code == 0
    assert numbers(lab, "d") == numbers(lab, "e") == [1, 2, 3, 33, 34]
    lab.open("apply")
    assert first.finish().code == 0


@pytest.mark.parametrize("step", ["fetch", "apply", "applied"])
def test_a_dry_run_beside_a_run_that_writes_neither_waits_nor_leaves_a_trace(
    tmp_path: Path, server: Server, step: str
) -> None:
    lab = lab_of(tmp_path, server)
    first = held_at(lab, step)
    if step == "fetch":
        (tmp_path / "work" / "gates" / "fetch").rename(tmp_path / "work" / "gates" / "aside")
        first.send(signal.SIGSTOP)
    before = lab.durable()
    plan = lab.run("plan a-b").finish()
    assert plan.code == 0, plan
    assert lab.durable() == before
    if step == "fetch":
        first.send(signal.SIGCONT)
    else:
        lab.open(step)
    assert first.finish().code == 0
    assert numbers(lab, "a") == numbers(lab, "b") == [1, 2, 3, 30, 31]


def test_locks_are_taken_by_account_and_not_by_side(tmp_path: Path, server: Server) -> None:
    """Whoever may wait for the second while holding the first waits for someone who gets on."""
    lab = lab_of(tmp_path, server, RING)
    for pair, accounts in (("a-b", "ab"), ("b-a", "ab"), ("b-c", "bc"), ("c-a", "ac")):
        effects = lab.run(f"run {pair} --apply").effects
        taken = [Path(line).stem for line in effects if line.startswith("rename ") and line.endswith(".holder")]
        assert taken == [f"account-{name}" for name in accounts] + [f"pair-{pair}"]


def test_locks_are_taken_in_one_order_whatever_the_order_of_pairs(tmp_path: Path, server: Server) -> None:
    """Two processes go round the same ring of accounts, one against the other, many times."""
    lab = lab_of(tmp_path, server, RING)
    rounds = 60 if SOAK else 4
    lines = [f"run {pairs} --apply --if-locked wait" for pairs in ("a-b b-c c-a b-a", "b-a c-a b-c a-b")]
    for n in range(rounds):
        # Nothing is taken away: sixty removals in an hour would rightly trip the guard on removals.
        hold(lab.shell, "a", "ratings", *STEADY[:3], *((40 + one, 3) for one in range(n + 1)))
        runs = [lab.start(line) for line in lines]
        assert [run.finish().code for run in runs] == [0, 0]
    assert overlaps(lab.notes()) == []
    assert len({note[0] for note in lab.notes()}) == 2 * rounds
    figure("two processes in a ring", f"{rounds} rounds, {len(lab.notes())} steps")


def test_a_reset_does_not_pull_the_baseline_from_under_a_run(tmp_path: Path, server: Server) -> None:
    lab = lab_of(tmp_path, server)
    for feature in ALL:
        hold(lab.shell, "a", feature, *STEADY)
    assert lab.run("run a-b --apply").finish().code == 0
    hold(lab.shell, "a", "ratings", *STEADY, (50, 5))
    first = held_at(lab, "apply")
    before = lab.durable()
    refused = lab.run("reset-state a-b --yes").finish()
    assert (refused.code, f"process {first.pid}, started {since(lab, 'pair-a-b')}" in refused.err) == (75, True)
    assert lab.durable() == before
    lab.open("apply")
    assert first.finish().code == 0
    assert lab.run("reset-state a-b --yes").finish().code == 0
    assert lab.run("run a-b --apply").finish().code == 0
    assert numbers(lab, "a") == numbers(lab, "b")


def test_one_folder_under_two_names_is_written_by_one_run_at_a_time(tmp_path: Path, server: Server) -> None:
    """Locks go by names, so these two meet in the folder; neither may overwrite what the other confirmed."""
    same = pairs_toml(f"a b {RATINGS}", f"c x {RATINGS}").replace('path = "x"', 'path = "b"')
    whole = lab_of(tmp_path / "whole", server, same).run("run a-b --apply").effects
    within = next(n for n, line in enumerate(whole, 1) if line.endswith("/b/.ratings.json.tmp"))
    lab = lab_of(tmp_path / "two", server, same)
    first = lab.start("run a-b --apply", {within: signal.SIGSTOP})
    until(lambda: len(first.effects) == within, "a run that stands still in the middle of a write")
    second = lab.start("run c-x --apply")
    until(lambda: _stands(second.pid), "a second run that is refused or waits")
    first.send(signal.SIGCONT)
    for run in (first, second):
        assert run.finish().clean()
    for _ in range(2):
        assert lab.run("run --all --apply").finish().code == 0
    assert [numbers(lab, name) for name in "abc"] == [[1, 2, 3, 30, 31, 32]] * 3


def _stands(pid: int) -> bool:
    """Whether a process has ended (and nobody has asked how), or waits for a lock of the kernel."""
    ended = "State:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    waits = any("->" in line and f" {pid} " in line for line in Path("/proc/locks").read_text().splitlines())
    return ended or waits
