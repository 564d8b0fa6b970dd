"""The contract, sections 2 and 4: commands, options, where the file and the environment are looked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.shell import TWO_TRACKERS, Shell, data_of, film, films

PAIRS = TWO_TRACKERS + "[pairs.both.watchlist]\n"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path, PAIRS)
    made.put("home", *films(range(45)))
    return made


# --- options -------------------------------------------------------------------------------------


def test_global_options_stand_before_or_after_the_command(shell: Shell) -> None:
    none: dict[str, str | None] = {"CWSYNC_CONFIG": None, "CWSYNC_STATE_DIR": None}
    shell("run --apply -q")
    shell.put("home", *films(range(46)))
    words = f"-c {shell.file} --state-dir={shell.state} --no-color --log-format json -v"
    before, after = shell(f"{words} plan both", env=none), shell(f"plan both {words}", env=none)
    assert (before.code, before.out, before.err) == (after.code, after.out, after.err)
    assert (before.code, before.err) == (0, "")
    assert "first run" not in before.out  # so the state folder was the one that was named
    assert before.out.splitlines()[-1].startswith(f"next: cwsync run both --apply --config {shell.file} --state-dir")
    assert shell("plan --log-format xml").code == 2


def test_how_much_is_said(shell: Shell) -> None:
    some, everything = shell("plan"), shell("plan -v")
    assert "… and 5 more (-v shows all" in some.out
    assert (some.out.count("Film "), everything.out.count("Film ")) == (40, 45)
    assert shell("run --apply -q").out == (
        "both: home ⇄ backup (two-way, run)\n"
        "first run: nothing is known of this pair yet, so both sides are united and nothing is removed\n\n"
        "watchlist: nothing to change\nratings: 45 of 45 confirmed\n"
    )
    quiet = shell("run --apply -q")  # nothing changed, so not one byte
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    loud = shell("run --apply -vv --log-format json")
    assert loud.code == 0
    assert all(isinstance(json.loads(line), dict) for line in loud.err.splitlines())


def test_a_dry_run_writes_nothing_anywhere(shell: Shell) -> None:
    """Neither `plan` nor `run` without ``--apply``: no file made, touched or changed, on no side."""
    before = shell.marks()
    plan, run = shell("plan --json"), shell("run --json")
    assert shell.marks() == before
    assert not shell.state.exists()
    assert (plan.code, run.code) == (0, 0)
    one, other = plan.json, run.json
    assert (one.pop("command"), other.pop("command")) == ("plan", "run")
    for document in (one, other):
        assert document.pop("applied") is False
        document.pop("run_id")
        for feature in document["pairs"][0]["features"].values():
            feature.pop("seconds")
    assert one == other
    # And the same with state that is there, and with a file for the plan, which is the only one made.
    assert shell("run --apply --json").pair["digest"] == plan.pair["digest"]
    shell.put("home", *films(range(46)))
    before = shell.marks()
    assert shell("plan --full --out saved.json").code == 0
    (shell.folder / "saved.json").unlink()
    after = shell.marks()
    after[str(shell.folder)] = before[str(shell.folder)]  # a name came and went
    assert after == before


def test_options_that_narrow_a_run(shell: Shell) -> None:
    """--feature, --limit, --since, --until and --adds-only; what they leave out comes later."""
    days = {1: "2023-12-31T23:59:59Z", 2: "2024-01-01T00:00:00Z", 3: "2024-06-30T23:59:59Z", 4: "2024-07-01T00:00:00Z"}
    shell.put("home", *(film(n, 8, rated_at=day) for n, day in days.items()), film(5, 8))
    shell.put("home", film(9, listed_at=None), film(8, listed_at=None), feature="watchlist")
    plan = shell("plan --since 2024-01-01 --until 2024-06-30 --json --feature ratings")
    assert sorted(change["title"] for change in plan.pair["changes"]) == ["Film 2", "Film 3"]
    assert list(plan.pair["features"]) == ["ratings"]
    both = shell("plan --feature ratings --feature watchlist --json").pair["features"]
    assert {name: one["add"] for name, one in both.items()} == {"ratings": 5, "watchlist": 2}
    run = shell("run --apply --limit 2 --json")  # so many writes a feature, and the rest next time
    assert {name: one["confirmed"] for name, one in run.pair["features"].items()} == {"ratings": 2, "watchlist": 2}
    run = shell("run --apply --json")
    assert {name: one["confirmed"] for name, one in run.pair["features"].items()} == {"ratings": 3, "watchlist": 0}
    shell.put("home", film(1, 3), *films(range(2, 5)), film(6, 9))  # 1 another score, 5 gone, 6 new
    run = shell("run --apply --adds-only --json")
    assert [(change["op"], change["title"]) for change in run.pair["changes"]] == [("add", "Film 6")]
    run = shell("run --apply --json")
    assert [(change["op"], change["title"]) for change in run.pair["changes"]] == [
        ("update", "Film 1"),
        ("remove", "Film 5"),
    ]


# --- where things are ----------------------------------------------------------------------------


def test_where_the_file_and_the_state_are_found(tmp_path: Path) -> None:
    """The option, the variable of cwsync, the folder of the service, the user's own: the first that is said."""
    shell = Shell(tmp_path, PAIRS)
    config, state = tmp_path / "home-of-user" / ".config" / "cwsync", tmp_path / "home-of-user" / ".local" / "state"
    service = {"CONFIGURATION_DIRECTORY": str(tmp_path / "etc"), "STATE_DIRECTORY": str(tmp_path / "var")}
    named = {"CWSYNC_CONFIG": str(tmp_path / "named.toml"), "CWSYNC_STATE_DIR": str(tmp_path / "named")}
    places: list[tuple[str, Path, Path, Mapping[str, str], str]] = [
        ("user", config / "pairs.toml", state / "cwsync", {}, ""),
        ("service", tmp_path / "etc" / "pairs.toml", tmp_path / "var", service, ""),
        ("variable", tmp_path / "named.toml", tmp_path / "named", {**service, **named}, ""),
        ("option", tmp_path / "own.toml", tmp_path / "own", {**service, **named}, "-c own.toml --state-dir own"),
    ]
    for name, file, _, _, _ in places:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(PAIRS.replace("pairs.both", f"pairs.{name}"))
    for name, file, folder, env, options in places:
        blank: dict[str, str | None] = {"CWSYNC_CONFIG": None, "CWSYNC_STATE_DIR": None}
        (file.parent / "home").mkdir(exist_ok=True)
        done = shell(f"run --apply -q {options}", env={**blank, **env})
        assert (done.code, done.err) == (0, ""), done
        assert [path.name for path in (folder / "pairs").iterdir()] == [name]


def test_variables_for_the_keys_of_accounts(shell: Shell) -> None:
    env = {"CWSYNC_ACCOUNTS__BACKUP__PATH": str(shell.folder / "elsewhere")}
    assert shell("run --apply -q", env=env).code == 0
    assert (len(shell.held("elsewhere")), shell.held("backup")) == (45, [])


def test_paths_start_from_the_file_and_a_provider_may_be_the_name(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    shell = Shell(
        tmp_path / "deep", PAIRS.replace('home]\nprovider = "tracker"', "tracker]").replace('"home"\nt', '"tracker"\nt')
    )
    shell.folder = tmp_path  # commands run elsewhere
    (tmp_path / "deep" / "home").mkdir()
    (tmp_path / "deep" / "home" / "ratings.json").write_text(
        json.dumps({"schema": 1, "feature": "ratings", "items": films([1])})
    )
    assert shell("run --apply -q").code == 0
    assert "ratings.json" in data_of(tmp_path / "deep" / "backup")


# --- the other commands --------------------------------------------------------------------------

MORE = (
    PAIRS
    + """
[accounts.list]
provider = "csv"
path = "list.csv"
feature = "ratings"
[pairs.in]
source = "list"
target = "home"
[pairs.in.ratings]
[pairs.odd]
source = "home"
target = "list"
mode = "two-way"
[pairs.odd.ratings]
"""
)


def test_lists(shell: Shell) -> None:
    shell.file.write_text(MORE)
    pairs = shell("pairs --json").json
    assert (pairs["schema"], pairs["command"]) == (1, "pairs")
    assert [(pair["pair"], pair["source"], pair["target"], pair["mode"]) for pair in pairs["pairs"]] == [
        ("both", "home", "backup", "two-way"),
        ("in", "list", "home", "one-way"),
        ("odd", "home", "list", "two-way"),
    ]
    # What a feature's table does not say is as the contract has it.
    assert pairs["pairs"][1]["features"] == {
        "ratings": {
            "add": True,
            "update": True,
            "remove": False,
            "remove_mode": "follow",
            "conflict": "source",
            "types": ["episode", "movie", "season", "show"],
            "since": None,
            "until": None,
        }
    }
    accounts = shell("accounts --json").json["accounts"]
    assert [(account["account"], account["provider"], account["pairs"]) for account in accounts] == [
        ("home", "tracker", ["both", "in", "odd"]),
        ("backup", "tracker", ["both"]),
        ("list", "csv", ["in", "odd"]),
    ]
    providers = shell("capabilities --json").json["providers"]
    assert providers["csv"]["features"]["ratings"]["read"] is True
    assert providers["csv"]["features"]["ratings"]["add"] is False
    assert set(providers["tracker"]["features"]) == {"watchlist", "ratings", "history", "progress"}
    assert list(shell("capabilities csv --json").json["providers"]) == ["csv"]


def test_check(shell: Shell) -> None:
    """Offline the file alone; else each account too; and whether a pair is fit for what it asks."""
    shell.file.write_text(MORE)
    before = shell.marks()
    offline = shell("check both in --offline --json")
    assert offline.code == 0  # list.csv is not there, and nobody looked
    reached = {one["name"]: one for one in shell("check in --json").json["checks"]}
    assert (reached["list"]["exit_code"], reached["home"]["exit_code"]) == (2, 0)
    assert [line["detail"] for line in reached["home"]["lines"] if line["what"] == "ratings"] == [
        "45 records, 45 with ids"
    ]
    odd = shell("check odd --offline")
    assert odd.code == 2
    assert "list cannot add or update" in odd.out
    assert "not fit" in odd.out
    assert shell.marks() == before


def test_explain(shell: Shell) -> None:
    shell("run --apply -q")
    shell.put("home", film(1, 3), *films(range(2, 45)))
    before = shell.marks()
    done = shell("explain both tt1000001")
    assert done.code == 0
    for words in (
        "ratings: Film 1 (2000)",
        "home      3 · imdb tt1000001",
        "backup    8 · imdb tt1000001",
        "baseline  home 8 · backup 8",
        "shared ids: imdb_movie:tt1000001",
        "planned   ~ backup 8 → 3",
    ):
        assert words in done.out
    (gone,) = shell("explain both 'film 0' --json").json["traces"]
    assert (gone["title"], gone["decision"], gone["source"]) == ("Film 0", "delete", [])
    assert [(change["op"], change["side"]) for change in gone["changes"]] == [("remove", "target")]
    assert gone["baseline"]["source"]["rating"] == gone["baseline"]["target"]["rating"] == 8
    assert shell.marks() == before
