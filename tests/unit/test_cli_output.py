"""The log, the look of a stream, the choice of pairs: the small parts of the command line."""

from __future__ import annotations

import fcntl
import io
import json
import logging
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cwsync.cli.output import look, tell_error
from cwsync.cli.progress import bars
from cwsync.cli.session import Session, choose_pairs
from cwsync.engine.options import Progress
from cwsync.errors import UsageError
from cwsync.log import start_log
from cwsync.model import AccountSpec, PairSpec, Settings
from cwsync.render.document import PLAIN, Layout


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("columns", "environ", "no_color", "layout", "colour"),
    [
        ("80", {}, False, Layout.TABLE, True),
        ("80", {"NO_COLOR": "1"}, False, Layout.TABLE, False),
        ("80", {"NO_COLOR": ""}, False, Layout.TABLE, True),
        ("80", {}, True, Layout.TABLE, False),
        ("59", {}, False, Layout.NARROW, True),
        ("20", {}, True, Layout.NARROW, False),
        ("80", {"TERM": "dumb"}, False, Layout.PLAIN, False),
    ],
)
def test_how_pages_look(
    columns: str,
    environ: dict[str, str],
    no_color: bool,
    layout: Layout,
    colour: bool,
) -> None:
    seen = look(Terminal(), {"TERM": "xterm", "COLUMNS": columns, **environ}, no_color=no_color)
    assert (seen.layout, seen.colour) == (layout, colour)


def test_an_error_is_wrapped_at_words_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    message, hint = "the state is damaged: it is no JSON", "reset-state starts anew with a union"
    tell_error("state", message, hint, where="home")
    assert capsys.readouterr().err == f"error: home: {message}\nhint: {hint}\n"
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    tell_error("state", message, hint, where="home")
    assert screen.getvalue() == (
        "error: home: the state is\n  damaged: it is no JSON\nhint: reset-state starts anew\n  with a union\n"
    )


def test_a_pair_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    tell_error("stale-plan", "home-backup: the plan is another one now", None, where="home-backup")
    assert capsys.readouterr().err == "error: home-backup: the plan is another one now\n"


def test_how_wide_a_terminal_is() -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 37, 0, 0))
    with os.fdopen(theirs, "w") as stream:
        assert look(stream, {"TERM": "xterm"}, no_color=True).width == 37
        assert look(stream, {"TERM": "xterm", "COLUMNS": "99"}, no_color=True).width == 99
    os.close(ours)
    assert look(Terminal(), {"TERM": "xterm", "COLUMNS": "x"}, no_color=True).width == 80


def test_a_pipe_is_plain() -> None:
    assert look(io.StringIO(), {}, no_color=False) == PLAIN
    assert look(None, {}, no_color=False) == PLAIN


@pytest.fixture
def clean_log() -> Iterator[None]:
    log = logging.getLogger("cwsync")
    before = (log.handlers, log.level, log.propagate)
    yield
    log.handlers, log.level, log.propagate = before


@pytest.mark.parametrize(
    ("verbosity", "told"),
    [(-1, "error"), (-2, "error"), (0, "warning error"), (1, "info warning error"), (2, "debug info warning error")],
)
@pytest.mark.usefixtures("clean_log")
def test_how_much_the_log_says(capsys: pytest.CaptureFixture[str], verbosity: int, told: str) -> None:
    start_log(verbosity, as_json=False)
    log = logging.getLogger("cwsync.http")
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        log.log(level, "a\x1b[2J %s", "title\n")
    logging.getLogger("httpx").debug("GET https://x/?token=secret")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "".join(f"{level}: a␛[2J title \n" for level in told.split())


@pytest.mark.usefixtures("clean_log")
def test_a_json_log(capsys: pytest.CaptureFixture[str]) -> None:
    start_log(0, as_json=True)
    logging.getLogger("cwsync.http").warning("slow down, %s", "é")
    entry = json.loads(capsys.readouterr().err)
    assert entry.pop("time").endswith("Z")
    assert entry == {"level": "warning", "logger": "cwsync.http", "message": "slow down, é"}


def settings(*names: str) -> Settings:
    account = AccountSpec("home", "tracker")
    return Settings(Path("pairs.toml"), {"home": account}, {name: PairSpec(name, account, account) for name in names})


@pytest.mark.parametrize(
    ("defined", "named", "everything", "chosen"),
    [
        (["a"], None, False, ("a",)),
        (["a", "b"], None, True, ("a", "b")),
        (["a", "b"], ["b"], False, ("b",)),
        (["a", "b"], ["b", "a", "b"], False, ("b", "a")),
        (["a", "b"], None, False, None),
        (["a", "b"], ["a"], True, None),
        (["a", "b"], ["c"], False, None),
        ([], None, True, None),
    ],
)
def test_which_pairs_are_meant(
    defined: list[str], named: list[str] | None, everything: bool, chosen: tuple[str, ...] | None
) -> None:
    if chosen is not None:
        assert choose_pairs(settings(*defined), named, everything=everything) == chosen
        return
    with pytest.raises(UsageError):
        choose_pairs(settings(*defined), named, everything=everything)


def test_no_bars_without_a_terminal() -> None:
    with bars(Session(), as_json=False) as report:
        assert report is None


BARS = """
import sys, time
from cwsync.cli.progress import bars
from cwsync.cli.session import Session
from cwsync.engine.options import Progress
quick = sys.argv[1] == "quick"
with bars(Session(), as_json=False) as report:
    assert report is not None
    for done in range(2 if quick else 12):
        report(Progress("home-trakt", "reading [red]home[/]", done, 12))
        time.sleep(0.1)
print("result")
"""


@pytest.mark.parametrize("speed", ["quick", "slow"])
def test_bars_come_only_for_work_that_lasts_and_leave_stdout_alone(speed: str) -> None:
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.Popen(
        [sys.executable, "-c", BARS, speed], stderr=theirs, stdout=subprocess.PIPE, env=environ, text=True
    )
    os.close(theirs)
    told = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # how a terminal says that nobody holds its other end
            break
        if not piece:
            break
        told += piece
    os.close(ours)
    assert done.communicate(timeout=30)[0] == "result\n"
    assert done.returncode == 0
    if speed == "quick":
        assert told == b""
    else:
        assert b"home-trakt: reading [red]home[/]" in told


def test_a_step_after_the_delay_starts_the_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("cwsync.cli.progress.DELAY_S", 0.01)
    with bars(Session(no_color=True), as_json=False) as report:
        assert report is not None
        time.sleep(0.1)
        report(Progress("p", "applying", 1, None))
    assert "p: applying" in stream.getvalue()
