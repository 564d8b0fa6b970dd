"""`plan`, `run`, `status`, `explain` and `reset-state` from outside, between two folders on disk."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from support.shell import TRACKERS, Shell, films

PAIRS = f"""{TRACKERS}
[pairs.home-backup]
source = "home"
target = "backup"
[pairs.home-backup.ratings]
remove = true
"""


class World(Shell):
    """Two trackers, one pair, and the real command."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, PAIRS)
        self.file.chmod(0o600)

    def rate(self, *numbers: int) -> None:
        """Let the source hold these films and no others."""
        self.put("home", *films(numbers))

    def rated(self) -> int:
        """How many ratings the target holds."""
        return len(self.held("backup"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.rate(*range(20))
    return made


def test_the_commands_it_names_lead_to_the_goal(world: World) -> None:
    plan = world("plan --detailed-exitcode")
    assert (plan.code, plan.err) == (10, "")
    *_, last = plan.out.splitlines()
    assert last == "next: cwsync run home-backup --apply"
    assert not (world.folder / "state").exists()
    assert world(last.removeprefix("next: ")).code == 0
    assert world.rated() == 20
    again = world("plan --detailed-exitcode")
    assert again.code == 0
    assert "in sync, nothing to do" in again.out
    assert world("run --apply -q").out == ""


def test_a_guard_is_passed_by_the_command_it_names(world: World) -> None:
    world("run --apply")
    world.rate(*range(10))
    stopped = world("run --apply -q")
    assert stopped.code == 4
    assert "! STOPPED by guard removes (ratings, backup)" in stopped.out
    assert world.rated() == 20
    command = next(line for line in stopped.out.splitlines() if "--accept" in line)
    assert world(command.removeprefix("!")).code == 0
    assert world.rated() == 10


def test_a_saved_plan(world: World) -> None:
    plan = world("plan --out 'my plan.json'")
    assert plan.err == "plan saved to my plan.json\n"
    *_, last = plan.out.splitlines()
    assert last == "next: cwsync run --plan 'my plan.json' --apply"
    world.rate(*range(21))
    moved = world(last.removeprefix("next: "))
    assert (moved.code, world.rated()) == (4, 0)
    assert moved.err.startswith("error: home-backup: ")
    assert moved.err.count("home-backup: ") == 1
    world.rate(*range(20))
    assert world(last.removeprefix("next: ")).code == 0
    assert world.rated() == 20


def test_options_of_the_plan_are_those_of_the_next_command(world: World) -> None:
    *_, last = world("plan --limit 5 --feature ratings").out.splitlines()
    assert last == "next: cwsync run home-backup --apply --feature ratings --limit 5"
    world(last.removeprefix("next: "))
    assert world.rated() == 5


def test_json_is_one_document_whatever_happens(world: World) -> None:
    for line, code in (("plan --json", 0), ("run --json --apply", 0), ("status --json", 0), ("check --json", 0)):
        done = world(line)
        assert (done.code, done.err) == (code, "")
        assert json.loads(done.out)["command"] == line.split()[0]
    (world.folder / "home" / "ratings.json").write_text("{")
    done = world("plan --json")
    assert done.code == 2
    assert json.loads(done.out)["pairs"][0]["error"]["code"] == "data"
    assert done.err == ""


def test_what_ended_a_pair_is_on_stderr(world: World) -> None:
    (world.folder / "home" / "ratings.json").write_text("{")
    done = world("plan --out plan.json")
    assert done.code == 2
    assert "not finished: ratings of home-backup (data)" in done.out
    assert "error: home-backup: " in done.err
    assert "the plan is not saved" in done.err
    assert not (world.folder / "plan.json").exists()


def test_status_and_explain(world: World) -> None:
    assert world("status --max-age 1h").code == 4
    world("run --apply")
    assert world("status --max-age 1h").code == 0
    told = world("explain home-backup 'film 7'").out
    assert told.startswith("ratings: Film 7 (2000)\n")
    assert told.count("Film") == 1
    assert json.loads(world("explain home-backup tt1000007 --json").out)["traces"][0]["title"] == "Film 7"
    assert world("explain home-backup nonsense").out.startswith("no record of home-backup matches 'nonsense'")


def test_reset_state_asks(world: World) -> None:
    world("run --apply")
    state = world.folder / "state" / "pairs" / "home-backup" / "state.json"
    before = state.read_bytes()
    refused = world("reset-state home-backup")
    assert refused.code == 2
    assert "hint: give --yes to go ahead" in refused.err
    code, told = world.terminal("reset-state home-backup", talk=[("[y/N]", "\n")])
    assert code == 0
    assert "nothing was changed" in told
    code, told = world.terminal("reset-state home-backup", talk=[("[y/N]", "\x04")])  # the end of input
    assert (code, "nothing was changed" in told) == (0, True)
    assert state.read_bytes() == before
    code, told = world.terminal("reset-state home-backup", talk=[("[y/N]", "y\n")])
    assert code == 0
    assert "forgotten; the backup is " in told
    assert "first run" in world("plan").out
    done = json.loads(world("reset-state home-backup --yes --json").out)
    assert (done["command"], done["done"]) == ("reset-state", True)


def test_damaged_state_is_called_damaged(world: World) -> None:
    assert "- there is no baseline yet\n" in world("reset-state home-backup").out
    world("run --apply")
    (world.folder / "state" / "pairs" / "home-backup" / "state.json").write_text("{")
    told = world("status")
    assert told.code == 7
    row = told.out.splitlines()[1]
    assert "damaged" in row
    assert "never" not in row
    shown = world("reset-state home-backup").out
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
        traces = json.loads(world(shlex.join(("explain", "home-backup", text, "--json"))).out)["traces"]
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
    told = world("explain home-backup film").out
    assert "  linked    shared ids: imdb_movie:tt1000001, tmdb_movie:1 and 2 more\n" in told
    assert "  decision  adopt: both sides agree\n" in told


def test_sides_that_differ_on_a_first_run_have_not_changed(world: World) -> None:
    world("run --apply")
    world("reset-state home-backup --yes")
    file = world.folder / "backup" / "ratings.json"
    file.write_text(file.read_text().replace('"rating": 8', '"rating": 7', 1))
    assert "7 → 8      changed: the sides differ; home is the source\n" in world("plan").out
    pairs = world.folder / "pairs.toml"
    pairs.write_text(PAIRS.replace('target = "backup"\n', 'target = "backup"\nmode = "two-way"\n'))
    assert "conflict: the sides differ; home wins (source)\n" in world("plan").out
    assert '1 conflict settled by conflict = "source" (marked in the table; -v lists them)' in world("plan").out


def test_check_reads_what_the_pair_syncs(world: World) -> None:
    (world.folder / "home" / "watchlist.json").write_text("{")  # no pair asks for it
    done = world("check home-backup")
    assert done.code == 0
    assert "watchlist" not in done.out
    assert "  ok  reach     opened\n" in done.out
    assert "  ok  ratings   20 records, 20 with ids\n" in done.out
