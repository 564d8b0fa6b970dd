"""What lies in `examples/` works: the demo, the systemd units, the crontab."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from cwsync.cli.app import app
from cwsync.cli.argv import arrange
from cwsync.errors import Exit

EXAMPLES = Path(__file__).parents[2] / "examples"
UNITS = EXAMPLES / "systemd"
PROGRAM = "/opt/cwsync/bin/cwsync"
MAX_EXPOSURE = 15  # in tenths, as systemd-analyze counts; 20 would still be "OK"
MARKER = ".made-by-the-cwsync-demo"
ANALYZE = shutil.which("systemd-analyze")

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


# --- the demo -----------------------------------------------------------------------------------


def demo(work: Path, home: Path, command: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the demo as `make demo` does, with a home and a work folder of its own."""
    program = command or Path(sys.executable).with_name("cwsync")
    if not program.exists():
        pytest.skip(f"cwsync is not installed beside {sys.executable}")
    words = [sys.executable, str(EXAMPLES / "demo.py"), str(program), str(work)]
    environ = {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8"} | env
    return subprocess.run(words, env=environ, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home-of-user"
    path.mkdir()
    return path


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """A stand-in for the command that does nothing and finds that good."""
    path = tmp_path / "cwsync"
    path.write_text("#!/bin/sh\nexit 0\n")
    path.chmod(0o755)
    return path


def test_the_demo_shows_every_step_and_leaves_the_home_alone(tmp_path: Path, home: Path) -> None:
    work = tmp_path / "work"
    # Settings of the user's own must not reach it.
    done = demo(work, home, CWSYNC_CONFIG="/nowhere", CWSYNC_ACCOUNTS__HOME__PATH="/nowhere")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for line in (
        "$ cwsync plan imdb-home",
        "$ cwsync run home-backup --apply",
        "in sync, nothing to do",
        "! STOPPED by guard removes (ratings, home)",
        "[exit code 4]",
        "[exit code 2]",
    ):
        assert line in done.stdout
    assert "\x1b" not in done.stdout
    assert list(home.iterdir()) == []
    assert {path.name for path in work.iterdir()} == {MARKER, "demo", "pairs.toml", "state"}


def test_the_demo_fails_when_a_step_goes_wrong(tmp_path: Path, home: Path, command: Path) -> None:
    done = demo(tmp_path / "work", home, command)
    assert done.returncode == 1
    assert "DEMO FAILED" in done.stdout


def test_the_demo_removes_no_folder_that_it_did_not_make(tmp_path: Path, home: Path, command: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    done = demo(tmp_path / "precious", home, command)
    assert done.returncode == 1
    assert "is not a work folder of the demo" in done.stdout
    assert (tmp_path / "precious" / "file").exists()


def test_the_demo_data_has_every_kind_and_shape() -> None:
    rows = {path.relative_to(EXAMPLES / "demo"): json.loads(path.read_bytes()) for path in EXAMPLES.glob("demo/*/*")}
    items = [item for document in rows.values() for item in document["items"]]
    assert len(rows) == 8
    assert {item["type"] for item in items} == {"movie", "show", "season", "episode"}
    assert any(item.get("watched_at", "") is None for item in items)
    for item in (one for one in items if one["type"] in ("season", "episode")):
        assert item["show"]["ids"]
        assert isinstance(item["season"], int)
    by_id: dict[tuple[str, str, str], set[str]] = {}
    for item in items:
        for service, value in item["ids"].items():
            by_id.setdefault((item["type"], service, value), set()).add(item.get("title", ""))
    assert [names for names in by_id.values() if len(names) > 1] == []


# --- systemd ------------------------------------------------------------------------------------


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as they would be installed, with a program that is there."""
    for path in UNITS.iterdir():
        text = path.read_text("utf-8")
        for name in (path.name, path.name.replace("@", "@home-backup")):
            (tmp_path / name).write_text(text.replace(PROGRAM, "/bin/true"), "utf-8")
    return tmp_path


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *words], capture_output=True, text=True, timeout=120, check=False)


@needs_systemd
@pytest.mark.parametrize("name", ["cwsync@.service", "cwsync@.timer"])
def test_units_verify(units: Path, name: str) -> None:
    done = analyze("verify", units / name.replace("@", "@home-backup"), units / name)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_the_service_is_hardened(units: Path) -> None:
    words = ("security", "--offline=true", "--no-pager", f"--threshold={MAX_EXPOSURE}")
    done = analyze(*words, units / "cwsync@home-backup.service")
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot rate a unit that is not installed")
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


def test_the_readme_tells_a_figure_within_the_bound() -> None:
    (told,) = re.findall(r"rates the unit ([0-9.]+)", (EXAMPLES.parent / "README.md").read_text("utf-8"))
    assert 0 < float(told) * 10 <= MAX_EXPOSURE


def test_the_service_runs_what_the_program_understands() -> None:
    text = (UNITS / "cwsync@.service").read_text("utf-8")
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert shlex.split(line)[0] == PROGRAM
    check_command(shlex.split(line.replace("%i", "home-backup"))[1:])
    (codes,) = re.findall(r"^SuccessExitStatus=(.*)$", text, re.MULTILINE)
    assert {int(code) for code in codes.split()} == {Exit.LATER, Exit.SIGTERM}


# --- cron ---------------------------------------------------------------------------------------


def cron_lines() -> list[str]:
    lines = (EXAMPLES / "crontab").read_text("utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("line", cron_lines())
def test_crontab_line(line: str) -> None:
    *times, command = line.split(None, 5)
    for text, (low, high) in zip(times, FIELDS, strict=True):
        assert text == "*" or low <= int(text) <= high
    assert "%" not in command  # cron reads a percent sign as the end of the line
    program, *words = shlex.split(command)
    assert program.startswith("$HOME/")
    assert program.endswith("/cwsync")
    check_command(words)


def test_there_are_crontab_lines() -> None:
    assert len(cron_lines()) == 2


def check_command(words: list[str]) -> None:
    """Fail unless the command line is one that cwsync understands."""
    group: Any = typer.main.get_command(app)
    args = list(arrange(words).args)
    at = next(index for index, word in enumerate(args) if word in group.commands)
    with group.commands[args[at]].make_context(args[at], args[at + 1 :]):
        pass
