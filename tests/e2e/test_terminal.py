"""What people see: real terminals of several widths, pipes, closed streams; and what they can do with it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.shell import TWO_TRACKERS, Shell, film, films

PAIRS = TWO_TRACKERS + 'conflict = "skip"\n'
LONG = "The Assassination of Jesse James by the Coward Robert Ford and Other Rather Long Titles of Films"
SGR = re.compile(r"\x1b\[[0-9;]*m")
RED = "\x1b[31m"


def edited(folder: Path) -> Shell:
    """A pair in step, and then one of everything: an update, an add, removes, a conflict, a skip."""
    made = Shell(folder, PAIRS)
    made.put("home", *films(range(10)))
    assert made("run --apply -q").code == 0
    made.put("home", film(0, 3), film(1, 4), *films(range(4, 10)), film(50, 9, title=LONG), _nameless())
    made.put("backup", film(0, 8), film(1, 5), *films(range(2, 10)))
    return made


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return edited(tmp_path)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The same for tests that only look."""
    return edited(tmp_path_factory.mktemp("still"))


def _nameless() -> dict[str, object]:
    return {"type": "movie", "title": "Nothing says which", "rating": 5}


def look(screen: str, columns: int | None) -> str:
    """What the page has to have, whatever its shape. Gives it without colours."""
    plain = SGR.sub("", screen)
    assert "\x1b" not in plain
    lines = [line for line in plain.splitlines() if not line.startswith("next: ")]
    if columns is not None:
        assert max(map(len, lines)) <= columns
    words = " ".join(plain.split())
    marks = [line.split()[0] for line in lines if line[:2] in ("~ ", "+ ", "- ")]
    assert marks == ["~", "+", "-", "-"]  # deletes last
    for told in ("both: home ⇄ backup (two-way, dry run)", "3 → ", "was 8", "conflicts: 1", "skips: 1", "no-ids: 1"):
        assert told.replace("3 → ", "8 → 3") in words
    assert "ratings: 1 to add, 1 to update, 2 to remove · 1 conflict · 1 skip · 6 same" in words
    assert plain.rstrip().splitlines()[-1] == "next: cwsync run both --apply"
    return plain


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_the_plan_fits_the_terminal(still: Shell, columns: int) -> None:
    code, screen = still.terminal("plan", columns=columns)
    assert code == 3  # a conflict is left undecided
    plain = look(screen, columns)
    if columns < 60:
        return
    header = next(line for line in plain.splitlines() if "account" in line)
    assert header.split() == ["account", "title", "old", "→", "new", "reason"]
    assert (LONG in plain) is (columns == 200)  # at 80 it is wrapped, not cut
    assert LONG[-5:] in plain
    removes = [line for line in screen.splitlines() if SGR.sub("", line).startswith("- ")]
    assert len(removes) == 2
    assert all(RED in line for line in removes)


@pytest.mark.parametrize("how", ["NO_COLOR", "--no-color", "dumb"])
def test_a_terminal_without_colour(still: Shell, how: str) -> None:
    env = {"NO_COLOR": {"NO_COLOR": "1"}, "dumb": {"TERM": "dumb"}}.get(how, {})
    _, screen = still.terminal("plan", *([how] if how.startswith("-") else []), env=env)
    assert "\x1b" not in screen
    look(screen, 80 if how != "dumb" else None)


def test_a_pipe_gets_plain_text(still: Shell) -> None:
    done = still("plan", env={"TERM": "xterm-256color", "FORCE_COLOR": "1", "COLUMNS": "40"})
    assert "\x1b" not in done.out + done.err
    plain = look(done.out, None)
    assert LONG in plain  # nothing is cut or wrapped where nobody measures


def test_a_first_run_and_a_run_that_was_applied(tmp_path: Path) -> None:
    shell = Shell(tmp_path, PAIRS)
    shell.put("home", *films(range(3)))
    code, screen = shell.terminal("plan")
    plain = SGR.sub("", screen)
    assert code == 0
    assert "first run: nothing is known of this pair yet" in plain
    assert "ratings: 3 to add" in plain
    command = plain.splitlines()[-1].removeprefix("next: cwsync ")
    code, screen = shell.terminal(command)  # the command that it names is the one that works
    assert code == 0
    assert "ratings: 3 of 3 confirmed" in SGR.sub("", screen)
    code, screen = shell.terminal("plan")
    assert "in sync, nothing to do" in SGR.sub("", screen)
    assert "next:" not in screen
    assert shell.terminal("run --apply -q") == (0, "")


@pytest.mark.parametrize("line", ["status", "check", "explain both film", "capabilities"])
def test_the_other_pages_fit_80_columns(still: Shell, line: str) -> None:
    _, screen = still.terminal(line, columns=80)
    assert max(len(text) for text in SGR.sub("", screen).splitlines()) <= 80


def test_a_refusal_names_guard_numbers_and_the_way_through(shell: Shell) -> None:
    shell.put("home", *films(range(1)))
    shell.put("backup", *films(range(10)))
    code, screen = shell.terminal("run --apply")
    plain = SGR.sub("", screen)
    assert code == 4
    assert "! STOPPED by guard removes (ratings, backup)" in plain
    assert "9 of 10 records would be removed from backup" in plain
    (command,) = re.findall(r"!   cwsync (run both --apply --accept [0-9a-f]+)\n", plain)
    code, _ = shell.terminal(command)
    assert (code, len(shell.held("backup"))) == (0, 1)


# --- streams -------------------------------------------------------------------------------------


def test_a_reader_who_goes_away(shell: Shell) -> None:
    """`cwsync plan -v | head -1`: no error, whatever is left to say."""
    shell.put("home", *films(range(3000)))
    if shutil.which("bash") is None:
        pytest.skip("needs bash to see the exit codes of a pipe")
    script = '"$@" | head -1; echo "${PIPESTATUS[0]}"'
    words = ["bash", "-c", script, "bash", *shell.words("plan -v")]
    done = subprocess.run(words, cwd=shell.folder, env=shell.env(), capture_output=True, check=False, timeout=60)
    first, code = done.stdout.decode().splitlines()
    assert (first, done.stderr) == ("both: home ⇄ backup (two-way, dry run)", b"")
    assert code == "4"  # so many adds trip a guard; the code is that of the plan


def test_streams_that_are_closed_or_full(shell: Shell) -> None:
    closed = shell.after("exec >&-")("plan")
    assert (closed.code, closed.out, closed.err) == (3, "", "")
    both = shell.after("exec >&- 2>&-")("run --apply -q")
    assert both.code == 3
    assert len(shell.held("backup")) == 9  # it did its work
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    full = shell.after("exec >/dev/full")("plan")
    assert full.code == 75
    first, *hints = full.err.splitlines()
    assert first == "error: stdout: cannot write the result: No space left on device"
    assert all(line.startswith("hint: ") for line in hints)
