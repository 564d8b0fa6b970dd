"""`make demo-servers`: it starts, somebody follows what it says, and it stops when it is told to."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.warm import TIMEOUT_S

ROOT = Path(__file__).parents[2]
CWSYNC = f"{sys.executable} -m cwsync"


def words(folder: Path, port: int = 0) -> list[str]:
    options = ["--folder", str(folder), "--port", str(port), "--cwsync", CWSYNC]
    return [sys.executable, "-m", "simulators.serve", *options]


def environ(home: Path) -> dict[str, str]:
    return {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT / "tests")}


@contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and what it says up to the point where it waits."""
    with subprocess.Popen(words(folder), env=environ(folder.parent), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            told = ""
            while "Ctrl-C ends it." not in told:
                line = process.stdout.readline()
                assert line, f"it ended with {process.wait(TIMEOUT_S)} after {told!r}"
                told += line
            yield process, told
        finally:
            process.kill()


def typed(script: str, home: Path) -> str:
    """What a shell says to some lines; it ends at the first that fails."""
    done = subprocess.run(
        ["sh", "-ec", script],
        env=environ(home) | {"COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S * 2,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_it_says_can_be_typed(tmp_path: Path) -> None:
    folder = tmp_path / "servers"
    with started(folder) as (process, told):
        shown = told.partition("pairs.toml:\n\n")[2].partition("\nCtrl-C")[0]
        assert (folder / "pairs.toml").read_text() == shown
        assert tomllib.loads(shown)["pairs"].keys() == {"plex-trakt"}
        lines = [line.strip() for line in told.splitlines() if line.startswith("  ")]
        export, *commands, curl = lines
        # All but `check`, which reads both sides once more and has tests of its own.
        script = "\n".join([export, *(one for one in commands if not one.startswith(f"{CWSYNC} check"))])
        said = typed(script, tmp_path)
        assert "The Wire" in said
        assert "in sync, nothing to do" in said
        address = re.findall(r"'([^']*)'", curl)
        watch(*address)
        assert "Stalker" in typed(f"{export}\n{CWSYNC} plan", tmp_path)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert rest.splitlines() == ["approved a login at the Plex", "approved a login at the Trakt", "stopped"]


def watch(header: str, address: str) -> None:
    """What the line with curl does, where there may be no curl."""
    name, _, text = header.partition(": ")
    parts = urlsplit(address)
    line = HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
    line.request("GET", f"{parts.path}?{parts.query}", headers={name: text})
    assert line.getresponse().status == 200
    line.close()


def refused(folder: Path, port: int = 0) -> str:
    done = subprocess.run(
        words(folder, port), env=environ(folder.parent), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = min(taken.getsockname()[1], 65531)
        if port != taken.getsockname()[1]:
            pytest.skip("no five ports above this one")
        assert f"cannot use the ports {port} to {port + 4}" in refused(tmp_path / "servers", port)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "letter").write_text("dear")
    assert "was not made by this" in refused(folder)
    assert (folder / "letter").read_text() == "dear"
