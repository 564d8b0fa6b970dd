"""Commands without their start: a parent that has loaded everything forks a real process for each.

To load Python, the libraries and cwsync takes ten times as long as most commands do. What a test sees
is what a process of its own would do: its environment, folder, umask, streams and exit code are its own,
and all of `main` runs in it. What is about the start itself is tested with processes that do start.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import cwsync

TIMEOUT_S: Final = 90.0
_FOUND: Final = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); from support.warm import"


@dataclass(frozen=True)
class Streams:
    """Files, or a terminal, that are the streams of a process."""

    out: str
    err: str
    into: str = os.devnull


class Warm:
    """The parent. `also`, as ``module:function``, is called before anything runs: it may register a provider."""

    def __init__(self, also: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"{_FOUND} serve; serve({also!r})"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        self._busy = threading.Lock()
        self._said = b""
        atexit.register(self.close)

    def run(
        self,
        words: Sequence[str],
        folder: Path,
        environ: Mapping[str, str],
        streams: Streams,
        *,
        umask: int | None = None,
        meanwhile: Callable[[int], None] | None = None,
    ) -> int:
        """Run a command in `folder`; its exit code. `meanwhile` is called with its process id."""
        order = {"words": words, "cwd": str(folder), "env": environ, "umask": umask, "streams": vars(streams)}
        with self._busy:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            pid = self._answer()
            try:
                if meanwhile is not None:
                    meanwhile(pid)
            except BaseException:
                os.kill(pid, signal.SIGKILL)
                self._answer()
                raise
            return self._answer()

    def _answer(self) -> int:
        """The next number that the parent says. One that says nothing is ended, with what it runs."""
        assert self._process.stdout is not None
        while b"\n" not in self._said:
            if not select.select([self._process.stdout], [], [], TIMEOUT_S)[0]:
                os.killpg(self._process.pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired("a command of the tests", TIMEOUT_S)
            part = os.read(self._process.stdout.fileno(), 4096)
            assert part, "the parent of commands has died"
            self._said += part
        number, _, self._said = self._said.partition(b"\n")
        return int(number)

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=TIMEOUT_S)


_SHARED: Final[dict[str, Warm]] = {}


def shared(also: str = "") -> Warm:
    """One parent for all tests of a process that need the same."""
    if also not in _SHARED:
        _SHARED[also] = Warm(also)
    return _SHARED[also]


# --- in the parent --------------------------------------------------------------------------------


def program(also: str = "") -> list[str]:
    """The words that start the real command, after what `also` names."""
    return (
        [sys.executable, "-c", f"{_FOUND} run; sys.exit(run({also!r}))"] if also else [sys.executable, "-m", "cwsync"]
    )


def run(also: str) -> int:
    """Be the command that `program` starts."""
    _call(also)
    from cwsync.__main__ import main

    return main()


def _call(also: str) -> None:
    module, _, name = also.partition(":")
    getattr(importlib.import_module(module), name)()


def serve(also: str) -> None:
    """Run the orders that come on stdin, one JSON document a line.

    Of each the process id is said once its streams are open, and at its end the exit code.
    """
    _load()
    if also:
        _call(also)
    gc.freeze()  # nothing of this is walked again, or written to, in a fork
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            _become(order)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _load() -> None:
    """Load what commands load, and have patterns, schemas and commands made once."""
    for module in pkgutil.walk_packages(cwsync.__path__, "cwsync."):
        importlib.import_module(module.name)
    for name in ("anyio._backends._asyncio", "httpcore", "httpx", "pydantic_settings", "tenacity"):
        importlib.import_module(name)
    from cwsync.cli.app import commands
    from cwsync.config import load_settings
    from cwsync.errors import CwsyncError
    from cwsync.redaction import redact

    redact("token=compiled")
    commands()
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(CwsyncError):
        load_settings(Path(folder) / "pairs.toml", {})


def _become(order: dict[str, object]) -> NoReturn:
    """Be the command, and end with all that a process does at its end but for taking down hundreds of modules."""
    code = 1
    try:
        try:
            code = _main(order)
        except BaseException:  # noqa: BLE001 - as Python does at the end of a process
            sys.excepthook(*sys.exc_info())
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _main(order: dict[str, object]) -> int:
    from cwsync.__main__ import main

    os.chdir(order["cwd"])  # type: ignore[arg-type]
    if order["umask"] is not None:
        os.umask(order["umask"])  # type: ignore[arg-type]
    os.environ.clear()
    os.environ.update(order["env"])  # type: ignore[call-overload]
    streams = Streams(**order["streams"])  # type: ignore[arg-type]
    parents = os.dup(1)
    new = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOCTTY
    for number, path, how in ((0, streams.into, os.O_RDONLY), (1, streams.out, new), (2, streams.err, new)):
        descriptor = os.open(path, how, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.write(parents, f"{os.getpid()}\n".encode())
    os.close(parents)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
    return main(order["words"])  # type: ignore[arg-type]
