"""`plan`, `run`, `status`, `explain` and `reset-state` from outside, between two folders on disk."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAIRS = """
[accounts.home]
provider = "tracker"
path = "home"
[accounts.backup]
provider = "tracker"
path = "backup"
[pairs.home-backup]
source = "home"
target = "backup"
[pairs.home-backup.ratings]
remove = true
"""


class World:
    """Two trackers, one pair, and the real command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pairs.toml").write_text(PAIRS)
        (folder / "pairs.toml").chmod(0o600)
        self.environ = {name: text for name, text in os.environ.items() if not name.startswith(("CWSYNC_", "COV_"))}
        self.environ |= {"CWSYNC_CONFIG": str(folder / "pairs.toml"), "CWSYNC_STATE_DIR": str(folder / "state")}

    def rate(self, *numbers: int) -> None:
        """Let the source hold these films and no others."""
        items = [
            {"type": "movie", "title": f"Film {n}", "year": 2000, "ids": {"imdb": f"tt{1000000 + n}"}, "rating": 8}
            for n in numbers
        ]
        (self.folder / "home").mkdir(exist_ok=True)
        document = {"schema": 1, "feature": "ratings", "items": items}
        (self.folder / "home" / "ratings.json").write_text(json.dumps(document))

    def rated(self) -> int:
        """How many ratings the target holds."""
        file = self.folder / "backup" / "ratings.json"
        return len(json.loads(file.read_text())["items"]) if file.exists() else 0

    def __call__(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run what a person would type."""
        words = shlex.split(line)
        return subprocess.run(
            [sys.executable, "-m", "cwsync", *words[words[:1] == ["cwsync"] :]],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def typed(self, line: str, answer: bytes) -> tuple[int, bytes]:
        """Run it on a terminal, and answer what it asks."""
        ours, theirs = pty.openpty()
        words = [sys.executable, "-m", "cwsync", *shlex.split(line)]
        child = subprocess.Popen(words, cwd=self.folder, env=self.environ, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        told = b""
        while b"[y/N]" not in told:
            told += os.read(ours, 4096)
        os.write(ours, answer)
        while True:
            try:
                told += os.read(ours, 4096)
            except OSError:  # how a terminal says that nobody holds its other end
                break
        os.close(ours)
        return child.wait(timeout=60), told


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.rate(*range(20))
    return made


def test_the_commands_it_names_lead_to_the_goal(world: World) -> None:
    plan = world("plan --detailed-exitcode")
    assert (plan.returncode, plan.stderr) == (10, "")
    *_, last = plan.stdout.splitlines()
    assert last == "next: cwsync run home-backup --apply"
    assert not (world.folder / "state").exists()
    assert world(last.removeprefix("next: ")).returncode == 0
    assert world.rated() == 20
    again = world("plan --detailed-exitcode")
    assert again.returncode == 0
    assert "in sync, nothing to do" in again.stdout
    assert world("run --apply -q").stdout == ""


def test_a_guard_is_passed_by_the_command_it_names(world: World) -> None:
    world("run --apply")
    world.rate(*range(10))
    stopped = world("run --apply -q")
    assert stopped.returncode == 4
    assert "! STOPPED by guard removes (ratings, backup)" in stopped.stdout
    assert world.rated() == 20
    command = next(line for line in stopped.stdout.splitlines() if "--accept" in line)
    assert world(command.removeprefix("!")).returncode == 0
    assert world.rated() == 10


def test_a_saved_plan(world: World) -> None:
    plan = world("plan --out 'my plan.json'")
    assert plan.stderr == "plan saved to my plan.json\n"
    *_, last = plan.stdout.splitlines()
    assert last == "next: cwsync run --plan 'my plan.json' --apply"
    world.rate(*range(21))
    moved = world(last.removeprefix("next: "))
    assert (moved.returncode, world.rated()) == (4, 0)
    assert moved.stderr.startswith("error: home-backup: ")
    assert moved.stderr.count("home-backup: ") == 1
    world.rate(*range(20))
    assert world(last.removeprefix("next: ")).returncode == 0
    assert world.rated() == 20


def test_options_of_the_plan_are_those_of_the_next_command(world: World) -> None:
    *_, last = world("plan --limit 5 --feature ratings").stdout.splitlines()
    assert last == "next: cwsync run home-backup --apply --feature ratings --limit 5"
    world(last.removeprefix("next: "))
    assert world.rated() == 5


def test_json_is_one_document_whatever_happens(world: World) -> None:
    for line, code in (("plan --json", 0), ("run --json --apply", 0), ("status --json", 0), ("check --json", 0)):
        done = world(line)
        assert (done.returncode, done.stderr) == (code, "")
        assert json.loads(done.stdout)["command"] == line.split()[0]
    (world.folder / "home" / "ratings.json").write_text("{")
    done = world("plan --json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["pairs"][0]["error"]["code"] == "data"
    assert done.stderr == ""


def test_what_ended_a_pair_is_on_stderr(world: World) -> None:
    (world.folder / "home" / "ratings.json").write_text("{")
    done = world("plan --out plan.json")
    assert done.returncode == 2
    assert "not finished: ratings of home-backup (data)" in done.stdout
    assert "error: home-backup: " in done.stderr
    assert "the plan is not saved" in done.stderr
    assert not (world.folder / "plan.json").exists()


def test_status_and_explain(world: World) -> None:
    assert world("status --max-age 1h").returncode == 4
    world("run --apply")
    assert world("status --max-age 1h").returncode == 0
    told = world("explain home-backup 'film 7'").stdout
    assert told.startswith("ratings: Film 7 (2000)\n")
    assert told.count("Film") == 1
    assert json.loads(world("explain home-backup tt1000007 --json").stdout)["traces"][0]["title"] == "Film 7"
    assert world("explain home-backup nonsense").stdout.startswith("no record of home-backup matches 'nonsense'")


def test_reset_state_asks(world: World) -> None:
    world("run --apply")
    state = world.folder / "state" / "pairs" / "home-backup" / "state.json"
    before = state.read_bytes()
    refused = world("reset-state home-backup")
    assert refused.returncode == 2
    assert "hint: give --yes to go ahead" in refused.stderr
    code, told = world.typed("reset-state home-backup", b"\n")
    assert code == 0
    assert b"nothing was changed" in told
    code, told = world.typed("reset-state home-backup", b"\x04")  # the end of input
    assert (code, b"nothing was changed" in told) == (0, True)
    assert state.read_bytes() == before
    code, told = world.typed("reset-state home-backup", b"y\n")
    assert code == 0
    assert b"forgotten; the backup is " in told
    assert "first run" in world("plan").stdout
    done = json.loads(world("reset-state home-backup --yes --json").stdout)
    assert (done["command"], done["done"]) == ("reset-state", True)


def test_damaged_state_is_called_damaged(world: World) -> None:
    assert "- there is no baseline yet\n" in world("reset-state home-backup").stdout
    world("run --apply")
    (world.folder / "state" / "pairs" / "home-backup" / "state.json").write_text("{")
    told = world("status")
    assert told.returncode == 7
    row = told.stdout.splitlines()[1]
    assert "damaged" in row
    assert "never" not in row
    shown = world("reset-state home-backup").stdout
    assert "the state cannot be read" in shown
    assert "there is no" not in shown


def test_what_explain_finds(world: World) -> None:
    titles = ["$", "[/]", "1", "Rosemary's Baby", "Alpha +1", "Alpha 21"]
    items = [
        {"type": "movie", "title": title, "year": 1968, "ids": {"imdb": f"tt{1000000 + n}", "tmdb": n + 1}, "rating": 8}
        for n, title in enumerate(titles)
    ]
    document = {"schema": 1, "feature": "ratings", "items": items}
    (world.folder / "home" / "ratings.json").write_text(json.dumps(document))
    found = {
        "$": ["$"],
        "[/]": ["[/]"],
        "+1": ["Alpha +1"],
        "rosemarys": [],
        "ROSEMARY S": ["Rosemary's Baby"],
        "alpha": ["Alpha +1", "Alpha 21"],
        "tmdb:3": ["1"],
        "?!": [],
        " ": [],
    }
    for text, wanted in found.items():
        traces = json.loads(world(shlex.join(("explain", "home-backup", text, "--json"))).stdout)["traces"]
        assert sorted(trace["title"] for trace in traces) == wanted


def test_explain_names_few_of_many_ids(world: World) -> None:
    ids = {"imdb": "tt1000001", "tmdb": 1, "tvdb": 2, "trakt": 3}
    document = {
        "schema": 1,
        "feature": "ratings",
        "items": [{"type": "movie", "title": "Film", "ids": ids, "rating": 8}],
    }
    for account in ("home", "backup"):
        (world.folder / account).mkdir(exist_ok=True)
        (world.folder / account / "ratings.json").write_text(json.dumps(document))
    told = world("explain home-backup film").stdout
    assert "  linked    shared ids: imdb_movie:tt1000001, tmdb_movie:1 and 2 more\n" in told
    assert "  decision  adopt: both sides agree\n" in told


def test_sides_that_differ_on_a_first_run_have_not_changed(world: World) -> None:
    world("run --apply")
    world("reset-state home-backup --yes")
    file = world.folder / "backup" / "ratings.json"
    file.write_text(file.read_text().replace('"rating": 8', '"rating": 7', 1))
    assert "7 → 8      changed: the sides differ; home is the source\n" in world("plan").stdout
    pairs = world.folder / "pairs.toml"
    pairs.write_text(PAIRS.replace('target = "backup"\n', 'target = "backup"\nmode = "two-way"\n'))
    assert "conflict: the sides differ; home wins (source)\n" in world("plan").stdout
    assert '1 conflict settled by conflict = "source" (marked in the table; -v lists them)' in world("plan").stdout


def test_check_reads_what_the_pair_syncs(world: World) -> None:
    (world.folder / "home" / "watchlist.json").write_text("{")  # no pair asks for it
    done = world("check home-backup")
    assert done.returncode == 0
    assert "watchlist" not in done.stdout
    assert "  ok  reach     opened\n" in done.stdout
    assert "  ok  ratings   20 records, 20 with ids\n" in done.stdout
