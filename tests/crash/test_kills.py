"""The process is killed, for real, before any of its effects; the next run ends where an uncut run ends.

The short form kills at every sort of effect once and in every scene once, the long form (CWSYNC_SOAK=1) at every
effect of every scene, and at every system call that writes, syncs, renames, links or removes, by the fault
injection of strace.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.engine import SOAK
from support.figures import figure
from support.kills import ALL, SCENES, Lab, Scene, Server, strace_missing, traced

KILLED = -signal.SIGKILL
TRACED = tuple(SCENES) if SOAK else ("both sides",)
THOROUGH = "both sides"  # the scene in which the short form kills at every sort of effect
needs_strace = pytest.mark.skipif(strace_missing() is not None, reason=strace_missing() or "")


def uncut(lab: Lab, scene: Scene) -> tuple[list[str], dict[str, list[str]]]:
    """The effects of a run that nobody disturbs, and what it leaves; all is put back afterwards."""
    whole = [lab.run(scene.line) for _ in range(scene.rounds)]
    assert [run.finish().code for run in whole] == [0] * scene.rounds, whole[0].done
    expected = lab.accounts()
    lab.check_settled(scene.line, expected, "uncut")
    lab.restore()
    return whole[0].effects, expected


def rerun(lab: Lab, scene: Scene, expected: dict[str, list[str]], what: str) -> None:
    """Run again after a kill, and see that all is as if it had never been."""
    for _ in range(scene.rounds):
        again = lab.run(scene.line).finish()
        assert (again.code, again.clean()) == (0, True), (what, again)
    lab.check_settled(scene.line, expected, what)


def sort_of(effect: str) -> str:
    """An effect without what differs between runs, pairs, accounts and features."""
    name, _, path = effect.partition(" ")
    place = "state" if "/state/" in path else "account"
    return re.sub(r"[0-9a-f]{6,}|\d+|pair-\w-\w|account-\w|" + "|".join(ALL), "#", f"{name} {place} {Path(path).name}")


def chosen(effects: list[str], name: str) -> list[int]:
    """All in the long form; else one that differs from scene to scene, and in one scene the first of every sort."""
    if SOAK:
        return list(range(1, len(effects) + 1))
    if name != THOROUGH:
        return [1 + sum(name.encode()) % len(effects)]
    first: dict[str, int] = {}
    for n, effect in enumerate(effects, 1):
        first.setdefault(sort_of(effect), n)
    return sorted(first.values())


@pytest.mark.parametrize("name", SCENES)
def test_I7_killed_before_any_effect_and_run_again_ends_where_the_uncut_run_ends(
    tmp_path: Path, server: Server, name: str
) -> None:
    scene = SCENES[name]
    lab = scene.prepare(tmp_path, server)
    effects, expected = uncut(lab, scene)
    steps = len(effects)
    kills = chosen(effects, name)
    for n in kills:
        what = f"{name}: killed before effect {n} of {steps}"
        assert lab.run(scene.line, {n: signal.SIGKILL}).finish().code == KILLED, what
        rerun(lab, scene, expected, what)
        lab.restore()
    figure("kills before an effect", f"{name}: {len(kills)} of {steps} effects")


def test_I7_killed_again_and_again_while_it_recovers(tmp_path: Path, server: Server) -> None:
    """Each run gets one effect further than the one before until one gets through."""
    scene = SCENES["four features"]
    lab = scene.prepare(tmp_path, server)
    effects, expected = uncut(lab, scene)
    kills = 0
    for n in range(2, len(effects) + 1, 1 if SOAK else 20):
        if lab.run(scene.line, {n: signal.SIGKILL}).finish().code != KILLED:
            break
        kills += 1
    assert kills > 3
    rerun(lab, scene, expected, f"killed {kills} times in a row")
    figure("kills in a row", str(kills))


@needs_strace
@pytest.mark.parametrize("fault", ["signal=SIGKILL", "error=EIO:signal=SIGKILL"])
def test_a_kill_by_strace_comes_before_the_call_has_its_effect(tmp_path: Path, fault: str) -> None:
    """What the kills below stand on, shown on a program of two lines."""
    target = tmp_path / "new"
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT, 0o600)
    script = f"import os\nfor word in (b'1', b'2', b'3'): os.write({descriptor}, word)"
    words = ["strace", "-qq", "-o", os.devnull, "-P", str(target), "-e", f"inject=write:{fault}:when=2"]
    try:
        done = subprocess.run([*words, sys.executable, "-c", script], pass_fds=[descriptor], check=False)
    finally:
        os.close(descriptor)
    assert (done.returncode in (KILLED, 128 + signal.SIGKILL), target.read_bytes()) == (True, b"1")


def plain(rest: str) -> str:
    """A call without what differs from run to run: moments, names of runs and numbers."""
    return re.sub(r"[0-9a-f]{6,}|\d+", "#", re.split(r'"|\) +=', rest, maxsplit=1)[0])


@needs_strace
@pytest.mark.parametrize("name", TRACED)
def test_I7_killed_before_any_system_call_that_changes_a_file(tmp_path: Path, server: Server, name: str) -> None:
    scene = SCENES[name]
    lab = scene.prepare(tmp_path, server)
    _, expected = uncut(lab, scene)
    code, calls = traced(lab, scene.line)
    assert code == 0
    lab.restore()
    here = [n for n, (_, rest) in enumerate(calls) if str(lab.shell.folder) in rest]
    kills = here if SOAK else here[len(here) // 4 :: len(here) // 2]
    for n in kills:
        call, rest = calls[n]
        nth = sum(one == call for one, _ in calls[: n + 1])
        what = f"{name}: killed at {call} number {nth}, {rest}"
        # With an error as well, so that the call cannot be carried out before the signal is delivered.
        code, seen = traced(lab, scene.line, "-e", f"inject={call}:error=EIO:signal=SIGKILL:when={nth}")
        assert code in (KILLED, 128 + signal.SIGKILL), what
        assert (seen[-1][0], plain(seen[-1][1])) == (call, plain(rest)), what
        rerun(lab, scene, expected, what)
        lab.restore()
    figure("kills by strace", f"{name}: {len(kills)} of {len(here)} calls")
