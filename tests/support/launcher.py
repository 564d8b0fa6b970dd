"""The real command in processes that can be made to die, to hear a signal or to wait at an exact step.

`serve` is a warm parent: it has loaded everything and forks a real process for every order, so that
hundreds of kills cost seconds. Nothing of the command is replaced. A step is an effect on the disk
(`cwsync.files.effect`); right before its turn the process sends itself the signal it was ordered to.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import pkgutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import cwsync
from cwsync import files, provider
from cwsync.__main__ import main
from cwsync.model import Change, Feature, Receipt, Snapshot
from cwsync.providers.tracker import Tracker

NOTES = "notes.jsonl"
GATES = "gates"


class Gated(Tracker):
    """A tracker that notes who enters and leaves it, and waits at a gate for as long as that is shut.

    A gate is a file ``gates/STEP``; with ``hard`` in it the process hangs deaf to its event loop.
    """

    async def _pass(self, step: str) -> None:
        note(step, self._folder.name)
        gate = Path(GATES, step)
        if gate.exists():
            note(f"at {step}", self._folder.name)
        while (shut := _shut(gate)) is not None:
            if shut == b"hard":
                time.sleep(0.005)  # noqa: ASYNC251 - deaf on purpose
            else:
                await asyncio.sleep(0.005)

    async def fetch(self, feature: Feature) -> Snapshot:
        await self._pass("fetch")
        return await super().fetch(feature)

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        await self._pass("apply")
        receipts = await super().apply(feature, changes)
        await self._pass("applied")
        return receipts


def _shut(gate: Path) -> bytes | None:
    """What is in a gate; None when it is open. It may be opened at any moment."""
    try:
        return gate.read_bytes()
    except FileNotFoundError:
        return None


def note(step: str, about: str) -> None:
    """Add a line to the notes that all processes in a folder share, whole."""
    descriptor = os.open(NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{json.dumps([os.getpid(), step, about])}\n".encode())
    os.close(descriptor)


def _hear(signals: dict[str, int], log: int) -> None:
    """Log every effect, and send ourselves a signal right before those in `signals`."""
    count = 0

    def hook(name: str, path: Path) -> None:
        nonlocal count
        count += 1
        os.write(log, f"{name} {path}\n".encode())
        if str(count) in signals:
            os.kill(os.getpid(), signals[str(count)])

    files.set_effect_hook(hook)


def _open(path: str, target: int, flags: int) -> None:
    descriptor = os.open(path, flags, 0o600)
    os.dup2(descriptor, target)
    os.close(descriptor)


def _become(order: dict[str, Any]) -> int:
    """Be the command that was ordered; gives its exit code."""
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    out = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    _open(os.devnull, 0, os.O_RDONLY)
    _open(order["out"], 1, out)
    _open(order["err"], 2, out)
    _hear(order["signals"], os.open(order["log"], out | os.O_APPEND, 0o600))
    return main(order["args"])


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        code = _become(order)
        sys.stdout.flush()
    finally:
        os._exit(code)


def serve() -> None:
    """Take orders from stdin, a line each: ``{"args": ...}`` starts a process, ``{"wait": PID}`` waits for one."""
    for module in pkgutil.walk_packages(cwsync.__path__, "cwsync."):
        importlib.import_module(module.name)
    cast("dict[str, str]", provider.REGISTRY)["gated"] = "support.launcher:Gated"
    orders = os.fdopen(os.dup(0))
    for line in iter(orders.readline, ""):
        order = json.loads(line)
        if "wait" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        else:
            answer = _fork(order)
        os.write(1, f"{answer}\n".encode())
