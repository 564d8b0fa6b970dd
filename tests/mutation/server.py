"""Runs pytest again and again without starting Python again: once for each line of JSON on stdin.

Each run is a forked child of its own. What the product and the tests need from elsewhere is imported
before, which saves two seconds of three; the product itself never is, since each run has another copy.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

LIBRARIES = (
    "asyncio",
    "filelock",
    "hypothesis.stateful",
    "hypothesis.strategies",
    "platformdirs",
    "pydantic_settings",
    "rich.console",
    "rich.table",
    "typer",
    "xdist.plugin",
)


def serve() -> None:
    """Answer each request with one line of JSON: the exit code of pytest, -1 for a run that hung."""
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(request)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps(-1 if code < 0 else code), flush=True)


def _become(request: dict[str, Any]) -> None:
    """In the child: run the tests and end. An alarm ends a run that hangs, by the signal's own default."""
    code = 3
    try:
        signal.alarm(request["patience_s"])
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in ((0, "r"), (1, "w"), (2, "w")))
        os.environ.update(request["environ"])
        sys.path[:0] = request["environ"]["PYTHONPATH"].split(os.pathsep)
        os.chdir(request["folder"])
        code = int(pytest.main(request["words"]))
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:  # noqa: BLE001 - whatever it is, this child may not go on as a server
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


if __name__ == "__main__":
    sys.path[:] = [name for name in sys.path if Path(name or ".").resolve() != Path(__file__).parent]
    serve()
