"""Titles that try things: shown literally and harmless everywhere, and the same again in every file."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest

from support.shell import TWO_TRACKERS, Shell, film

PAIRS = TWO_TRACKERS.removesuffix("remove = true\n")
CLIPBOARD = "\x1b]52;c;cm0gLXJmIH4=\x07"
# The title, and a piece of it as a person sees it.
TITLES = {
    "[/] closes nothing": "[/] closes nothing",
    "[link=https://example.org]here[/link]": "[link=https://example.org]here[/link]",
    "[bold red]no[/bold red]": "[bold red]no[/bold red]",
    f"paste{CLIPBOARD}me": "paste␛]52;c;cm0gLXJmIH4=␇me",
    "\x1b[2Jwipe\x1b[1;1H": "␛[2Jwipe␛[1;1H",
    "fake\r\nerror: all is lost": "fake  error: all is lost",
    "\u202egnp.exe\u202c turned": "gnp.exe turned",
    "zero\u200bwidth\u2066mark": "zerowidthmark",
    "c1 \x9b31m here": "c1 \N{REPLACEMENT CHARACTER}31m here",
    "فيلم عربي": "فيلم عربي",
    "Amélie ☂ 🎬👩‍🚀": "Amélie ☂ 🎬👩🚀",
    "千と千尋の神隠し": "千と千尋の神隠し",
    ":smile: {braces} %s $HOME `id`": ":smile: {braces} %s $HOME `id`",
}
LONG = "x" * 10_000


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path, PAIRS)
    made.put("home", *(film(n, 8, title=title) for n, title in enumerate([*TITLES, LONG])))
    return made


def harmless(text: str) -> bool:
    """Whether a terminal would only ever print it: no control but newline, nothing invisible."""
    return not [char for char in text if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


def test_titles_are_shown_as_they_are_and_do_nothing(shell: Shell) -> None:
    plan = shell("plan")
    assert (plan.code, plan.err) == (0, "")
    assert harmless(plan.out)
    for shown in TITLES.values():
        assert shown in plan.out
    assert "error: all is lost" not in [line.strip() for line in plan.out.splitlines()]
    assert "x" * 150 in plan.out
    assert max(map(len, plan.out.splitlines())) < 1000  # ten thousand letters stay on one line of some hundred
    told = shell("explain both tt1000003").out
    assert "paste␛]52;c;cm0gLXJmIH4=␇me" in told
    assert harmless(told)
    assert harmless(shell("explain both", CLIPBOARD).out)


@pytest.mark.parametrize("columns", [20, 80])
def test_titles_on_a_terminal(shell: Shell, columns: int) -> None:
    code, screen = shell.terminal("plan", columns=columns)
    assert code == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", screen)  # our own colours, and nothing else of that kind
    assert harmless(plain)
    body, _, command = plain.rpartition("\nnext: ")
    assert command == "cwsync run both --apply\n"
    assert max(map(width, body.splitlines())) <= columns
    if columns == 80:
        assert "[/] closes nothing" in plain
        assert "[bold red]no[/bold red]" in plain


def width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def test_titles_survive_every_round_trip(shell: Shell) -> None:
    """From file to file byte for byte, and through JSON in pure ASCII."""
    titles = [*TITLES, LONG]
    plan = shell("plan --json")
    assert plan.out.isascii()
    assert plan.out.count("\n") == 1
    assert {change["title"] for change in plan.pair["changes"]} == set(titles)
    run = shell("run --apply --json")
    assert (run.code, run.out.isascii()) == (0, True)
    assert {row["title"] for row in shell.held("backup")} == set(titles)
    traces = shell("explain both --json", "[/] closes").json["traces"]
    assert [trace["title"] for trace in traces] == ["[/] closes nothing"]
    state = (shell.pair_folder("both") / "state.json").read_text(encoding="utf-8")
    assert {row[0][2] for row in json.loads(state)["features"]["ratings"]["rows"]} == set(titles)
    again = shell("run --apply --json")
    assert (again.code, again.pair["changes"]) == (0, [])


def test_a_title_of_signs_alone_is_found(tmp_path: Path) -> None:
    shell = Shell(tmp_path, PAIRS)
    shell.put("home", film(1, 8, title="$", year=1971), film(2, 8, title="Heat"))
    traces = shell("explain both --json", "$").json["traces"]
    assert [trace["title"] for trace in traces] == ["$"]


@pytest.mark.parametrize(
    ("encoding", "variables"),
    [("ascii", {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}), ("latin-1", {"PYTHONIOENCODING": "latin-1"})],
)
def test_a_terminal_that_knows_few_letters(shell: Shell, encoding: str, variables: dict[str, str]) -> None:
    env: dict[str, str | None] = {"LANG": None, "LC_ALL": "C", **variables}
    for line in ("plan", "explain both tt1000011"):
        with shell.start(line, env=env) as process:
            out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")
        text = out.decode(encoding)
        assert harmless(text)
        assert "????????" in text  # the title of eight signs
    assert (shell("run --apply --json", env=env).code, len(shell.held("backup"))) == (0, len(TITLES) + 1)
