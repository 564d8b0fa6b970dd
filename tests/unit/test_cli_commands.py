"""The command line from outside: a real process, no engine needed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import cwsync
from support.shell import TRACKERS, Done, Shell

PAIRS = f"""{TRACKERS}
[pairs.home-backup]
source = "home"
target = "backup"
[pairs.home-backup.ratings]

[pairs.both-ways]
source = "home"
target = "backup"
mode = "two-way"
[pairs.both-ways.watchlist]
"""


class Cli(Shell):
    """Runs `cwsync` in a folder with a `pairs.toml`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, PAIRS)
        self.environ["CWSYNC_CONFIG"] = "pairs.toml"
        self.file.chmod(0o600)

    def __call__(self, *words: str, env: Mapping[str, str | None] | None = None) -> Done:
        return super().__call__("", *words, env=env)


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    made = Cli(tmp_path)
    yield made
    left = [path for path in tmp_path.rglob("*") if path not in (made.file, made.home)]
    assert not left, "a command left something behind"


@pytest.mark.parametrize("words", [["--version"], ["-V"], ["plan", "--version"], ["-V", "nonsense", "--wrong"]])
def test_version(cli: Cli, words: list[str]) -> None:
    done = cli(*words)
    assert (done.code, done.out, done.err) == (0, f"cwsync {cwsync.__version__}\n", "")


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["plan", "--help"], ["reset-state", "-h"]])
def test_help(cli: Cli, words: list[str]) -> None:
    done = cli(*words)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: cwsync ")


COMMANDS = ("plan", "run", "reset-state", "check", "status", "explain", "pairs", "accounts", "capabilities")
COMMON = {"--all", "--feature", "--full", "--json", "--limit", "--since", "--until", "--adds-only"}
LOCKS = {"--lock-timeout", "--if-locked"}
OPTIONS = {
    "plan": COMMON | LOCKS | {"--out", "--detailed-exitcode"},
    "run": COMMON | LOCKS | {"--apply", "--plan", "--accept"},
    "reset-state": {"--feature", "--yes", "--refetch", "--json"},
    "check": {"--offline", "--json"},
    "status": {"--max-age", "--json"},
    "explain": {"--json"},
}


def test_every_command_and_option_of_the_contract_is_there(cli: Cli) -> None:
    told = cli("--help").out
    assert [command for command in COMMANDS if f"\n  {command} " not in told] == []
    for command, options in OPTIONS.items():
        told = cli(command, "--help").out
        assert {option for option in options if f"\n  {option}" not in told} == set()


@pytest.mark.parametrize("words", [[], ["-v"], ["--no-color", "-q"]])
def test_without_a_command_the_help_is_on_stderr(cli: Cli, words: list[str]) -> None:
    done = cli(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: cwsync ")


WRONG = [
    ("plan", "which pair?", "name one or more of home-backup, both-ways, or give --all"),
    ("plan hom-backup", "there is no pair 'hom-backup'", "did you mean 'home-backup'? pairs of"),
    ("plan home-backup --all", "--all means every pair; name pairs or give --all, not both", None),
    ("plan --limit 0 home-backup", "invalid value for '--limit'", "cwsync plan --help shows what there is"),
    ("plan --limit x home-backup", "invalid value for '--limit'", "cwsync plan --help shows what there is"),
    ("plan --nonsense", "no such option: --nonsense", "cwsync plan --help shows what there is"),
    ("plna", "no such command 'plna'", "cwsync --help shows what there is"),
    ("explain home-backup", "missing argument 'TEXT'", "cwsync explain --help shows what there is"),
    ("plan home-backup --since 2024-13-01", "--since: '2024-13-01' is not a date", "write it like 2024-05-01"),
    ("plan home-backup --since 2024-05-02 --until 2024-05-01", "--since 2024-05-02 is after --until 2024-05-01", None),
    ("plan home-backup --feature rating", "--feature: there is no feature 'rating'", "did you mean 'ratings'?"),
    ("plan home-backup --feature history", "--feature: home-backup: history is not switched on", "add a [pairs.home-"),
    ("plan home-backup --if-locked never", "--if-locked: 'never' is none of fail, skip, wait", None),
    ("run home-backup --accept abc", "--accept lets a plan be written, so it needs --apply", None),
    ("run --plan p.json", "--plan applies a saved plan, so it needs --apply", None),
    ("run --plan p.json --apply home-backup", "a saved plan holds its own pairs and options", None),
    ("status --max-age soon", "--max-age: must be a duration such as", None),
    ("explain nowhere heat", "there is no pair 'nowhere'", "pairs of"),
    ("capabilities trackr", "there is no provider 'trackr'", "did you mean 'tracker'?"),
    ("--log-format xml pairs", "--log-format: 'xml' is none of text, json", None),
    ("pairs -c nowhere.toml", "no configuration file", "nowhere.toml"),
    ("pairs --config", "option '--config' requires an argument", None),
]


@pytest.mark.parametrize(("typed", "message", "hint"), WRONG, ids=[wrong[0] for wrong in WRONG])
def test_a_wrong_command_line_says_what_and_how(cli: Cli, typed: str, message: str, hint: str | None) -> None:
    done = cli(*typed.split())
    assert (done.code, done.out) == (2, "")
    first, *rest = done.err.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert len(rest) <= 1
    if hint is not None:
        assert rest[0].startswith("hint: ")
        assert hint in done.err


@pytest.mark.parametrize(
    "typed", [wrong[0] for wrong in WRONG if not wrong[0].endswith("--config") and "pln" not in wrong[0]]
)
def test_with_json_it_is_one_object_on_stderr(cli: Cli, typed: str) -> None:
    done = cli(*typed.split(), "--json")
    assert (done.code, done.out) == (2, "")
    error = json.loads(done.err)
    assert set(error) == {"error"}
    assert set(error["error"]) == {"code", "message", "hint"}
    assert error["error"]["code"] in ("usage", "config")


def test_pairs_and_accounts(cli: Cli) -> None:
    done = cli("pairs")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in done.out.splitlines()] == ["pair", "home-backup", "both-ways"]
    document = json.loads(cli("pairs", "--json").out)
    assert [pair["pair"] for pair in document["pairs"]] == ["home-backup", "both-ways"]
    done = cli("accounts")
    assert [line.split()[:2] for line in done.out.splitlines()[1:]] == [["home", "tracker"], ["backup", "tracker"]]
    document = json.loads(cli("accounts", "--json").out)
    assert document["accounts"][0] == {
        "account": "home",
        "provider": "tracker",
        "secrets": {},
        "pairs": ["home-backup", "both-ways"],
    }


def test_capabilities_of_one_provider(cli: Cli) -> None:
    assert cli("capabilities", "tracker").out.startswith("tracker: ")
    document = json.loads(cli("capabilities", "tracker", "--json").out)
    assert set(document["providers"]["tracker"]["features"]) == {"watchlist", "ratings", "history", "progress"}


def test_output_that_holds_no_more_than_ascii(cli: Cli) -> None:
    done = cli.cold()("pairs", env={"PYTHONIOENCODING": "ascii"})
    assert done.code == 0
    assert "home > backup" in done.out
    assert "home = backup" in done.out


def test_a_reader_who_went_away_is_no_error(cli: Cli) -> None:
    for words in (["pairs"], ["--help"], ["--version"]):
        line = f"{sys.executable} -m cwsync {' '.join(words)} | true"
        done = subprocess.run(["bash", "-c", line], cwd=cli.folder, env=cli.environ, capture_output=True, check=False)
        assert done.stderr == b""


def test_a_full_disk_is_named(cli: Cli) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    line = f"{sys.executable} -m cwsync pairs > /dev/full"
    done = subprocess.run(["bash", "-c", line], cwd=cli.folder, env=cli.environ, capture_output=True, check=False)
    assert done.returncode == 75
    assert done.stderr.startswith(b"error: stdout: cannot write the result: ")


def test_streams_that_are_closed(cli: Cli) -> None:
    line = f"{sys.executable} -m cwsync pairs >&- 2>&-"
    done = subprocess.run(["bash", "-c", line], cwd=cli.folder, env=cli.environ, capture_output=True, check=False)
    assert done.returncode == 0


BUG = """
import sys
from cwsync.__main__ import main
from cwsync.cli import listing
def broken(*_): raise ZeroDivisionError("a\\x1b]52;c;AA\\x07 title")
listing._pairs_of = broken
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("words", "lines"), [((), 2), (("-v",), 2), (("-vv",), None), (("--json",), 1)])
def test_a_bug_is_named_as_one(cli: Cli, words: tuple[str, ...], lines: int | None) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUG, "accounts", *words],
        cwd=cli.folder,
        env=cli.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "this is a bug in cwsync: ZeroDivisionError: a" in done.stderr
    assert ("Traceback" in done.stderr) is ("-vv" in words)
    assert "\x1b" not in done.stderr
    if lines is not None:
        assert len(done.stderr.splitlines()) == lines


INTERRUPT = """
import sys
from cwsync.__main__ import main
from cwsync.cli import listing
def stopped(*_): raise KeyboardInterrupt
listing._pairs_of = stopped
sys.exit(main(sys.argv[1:]))
"""


def test_an_interrupt_is_130(cli: Cli) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPT, "accounts"], cwd=cli.folder, env=cli.environ, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_completion_knows_the_commands(cli: Cli) -> None:
    done = cli.cold()(env={"_CWSYNC_COMPLETE": "complete_bash", "COMP_WORDS": "cwsync cap", "COMP_CWORD": "1"})
    assert done.out.split() == ["capabilities"]
