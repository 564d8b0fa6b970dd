"""Every option with every kind of value, odd environments, and streams that are closed or cannot hold the text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.house import CANARY, House
from support.engine import effort
from support.shell import Shell

VALUES = (
    *(
        "",
        " ",
        "-",
        "--",
        "0",
        "1",
        "-1",
        "1.5",
        "nan",
        "inf",
        "-inf",
        "1e308",
        "1e999",
        "9" * 30,
        "9" * 5000,
        "x" * 5000,
    ),
    *("home-backup", "imdb-home", "home-bakcup", "HOME", "ratings", "watchlist", "rating", "tracker", "csv", "heat"),
    *("0001-01-01", "9999-12-31", "2024-02-30", "2024-05-01", "20240501", "90s", "0s", "3650d", "999999999d", "json"),
    *("text", "fail", "skip", "wait", ".", "..", "/", "/dev/null", "/proc/self/mem", "/nope/x", "plan.json", "demo"),
    *("\udcff", "a\0b", "\x1b[31m", "\u202e[/]", "\u0661", "~", "~nobody/x", "x" * 300, "demo/imdb-ratings.csv"),
)
COMMANDS = ("plan", "run", "status", "explain", "check", "pairs", "accounts", "capabilities", "reset-state", "nope", "")
OPTIONS = (
    *(
        "-c",
        "--config",
        "--state-dir",
        "-q",
        "-v",
        "-vv",
        "--no-color",
        "--log-format",
        "-V",
        "--version",
        "-h",
        "--help",
    ),
    *("--all", "--json", "--feature", "--full", "--limit", "--since", "--until", "--adds-only", "--lock-timeout"),
    *(
        "--if-locked",
        "--detailed-exitcode",
        "--apply",
        "--plan",
        "--accept",
        "--offline",
        "--max-age",
        "-x",
        "-cq",
        "--js",
    ),
)
option = st.one_of(
    st.sampled_from(OPTIONS).map(lambda name: [name]),
    st.tuples(st.sampled_from(OPTIONS), st.sampled_from(VALUES)).map(list),
    st.tuples(st.sampled_from(OPTIONS), st.sampled_from(VALUES)).map(lambda both: ["=".join(both)]),
    st.sampled_from(VALUES).map(lambda value: [value]),
)
lines = st.tuples(st.sampled_from(COMMANDS), st.lists(option, max_size=4)).map(
    lambda both: [word for part in ([both[0]], *both[1]) for word in part]
)
NAMES = (
    *("CWSYNC_CONFIG", "CWSYNC_STATE_DIR", "CONFIGURATION_DIRECTORY", "STATE_DIRECTORY", "HOME", "XDG_STATE_HOME"),
    *("CWSYNC_ACCOUNTS__HOME__PATH", "CWSYNC_ACCOUNTS__IMDB__SCALE", "CWSYNC_ACCOUNTS__IMDB__COLUMNS", "NO_COLOR"),
    *("CWSYNC_ACCOUNTS__NEW__PATH", "CWSYNC_ACCOUNTS__HOME", "CWSYNC_ACCOUNTS____X", "CWSYNC_ACCOUNTS__HOME__TIMEOUT"),
    *("COLUMNS", "LINES", "TERM", "LANG", "TZ", "FORCE_COLOR", "_CWSYNC_COMPLETE_ARGS", "CWSYNC_PAIRS", "PATH"),
)
environments = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from([value for value in VALUES if "\0" not in value]), max_size=3
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House.build(tmp_path_factory.mktemp("fuzz") / "house")


@effort(40, 3000)
@given(lines)
def test_any_command_line_ends_with_a_documented_code(house: House, line: list[str]) -> None:
    wait = any("wait" in word or "lock-timeout" in word for word in line)
    writes = "--apply" in line or "reset-state" in line
    before = house.tree()
    told = house(*line, env={"CWSYNC_ACCOUNTS__HOME__TOKEN": CANARY} if wait else None).check()
    if writes:
        house.restore()
    else:
        assert house.tree() == before, told


@effort(20, 2000)
@given(environments, st.sampled_from(["plan", "check", "status", "accounts"]), st.booleans())
def test_any_environment_ends_with_a_documented_code(
    house: House, environ: dict[str, str], command: str, as_json: bool
) -> None:
    before = house.tree()
    house(
        command, *(["--json"] if as_json else []), *(["home-backup"] if command == "plan" else []), env=environ
    ).check()
    assert house.tree() == before


@effort(8, 300)
@given(
    st.sampled_from(["plan --all", "check", "explain home-backup a", "accounts", "nope", "status -vv"]),
    st.sampled_from(["ascii", "latin-1", "cp1252", "utf-8", "utf-16", "iso2022_jp", "cp437"]),
)
def test_any_encoding_of_the_streams_can_hold_the_answer(house: House, line: str, encoding: str) -> None:
    house(*line.split(), encoding=encoding).check()


STREAMS = {
    "stdout closed": ("exec >&-", {0, 4}),
    "stderr closed": ("exec 2>&-", {0, 4}),
    "stdin closed": ("exec <&-", {0, 4}),
    "all closed": ("exec <&- >&- 2>&-", {0, 4}),
    "stdout full": ("exec >/dev/full", {75}),
    "stderr full": ("exec 2>/dev/full", {0, 4}),
}


@pytest.mark.parametrize("how", STREAMS)
def test_a_real_process_answers_whatever_its_streams_are(tmp_path: Path, how: str) -> None:
    script, codes = STREAMS[how]
    shell = Shell(tmp_path, (Path(__file__).parents[2] / "examples/pairs.toml").read_text(encoding="utf-8"))
    shell.put("demo", feature="ratings")
    done = shell.after(script)("plan home-backup -v")
    assert (done.code in codes, done.clean()) == (True, True), done
