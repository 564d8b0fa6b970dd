"""The contract, section 6: the one JSON document on stdout, field by field."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from support.shell import TRACKERS, Done, Shell, film, films

PAIRS = f"""{TRACKERS}
[accounts.wide]
provider = "tracker"
path = "wide"
[accounts.broken]
provider = "tracker"
path = "broken"

[pairs.rich]
source = "home"
target = "backup"
mode = "two-way"
[pairs.rich.watchlist]
hold_new = "1h"
[pairs.rich.ratings]
remove = true
conflict = "skip"
[pairs.rich.history]
[pairs.rich.progress]

[pairs.stopped]
source = "home"
target = "wide"
[pairs.stopped.ratings]
[pairs.stopped.guards]
free_updates = 0
max_update_percent = 0

[pairs.broken]
source = "broken"
target = "home"
[pairs.broken.ratings]
"""
NUMBER = (int, float)
NONE = type(None)
DOCUMENT = {"schema": int, "run_id": str, "command": str, "applied": bool, "exit_code": int, "pairs": list}
PAIR = {
    "pair": str, "mode": str, "source": str, "target": str, "first_run": bool, "digest": (str, NONE), "exit_code": int,
    "error": (dict, NONE), "features": dict, "changes": list, "conflicts": list, "holds": list, "skips": list,
    "guards": list, "warnings": list,
}  # fmt: skip
COUNTS = ("add", "update", "remove", "conflict", "hold", "skip", "confirmed", "failed")
FEATURE = {"source": dict, "target": dict, **dict.fromkeys(COUNTS, int), "seconds": NUMBER}
SIDE = {"records": int, "complete": bool, "requests": int}
IDENTITY = {
    "feature": str, "type": str, "title": (str, NONE), "year": (int, NONE), "season": (int, NONE),
    "episode": (int, NONE), "ids": dict, "show_ids": (dict, NONE), "reason": str,
}  # fmt: skip
CHANGE = IDENTITY | {
    "op": str, "side": str, "account": str, "before": (dict, NONE), "after": (dict, NONE), "outcome": (str, NONE),
}  # fmt: skip
ERROR = {"code": str, "message": str, "hint": (str, NONE)}
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def shaped(value: Any, shape: dict[str, Any]) -> None:
    """Every field is there with its type. There may be more."""
    for name, kind in shape.items():
        assert name in value, f"{name} is missing in {value}"
        assert isinstance(value[name], kind), f"{name}: {value[name]!r}"
        assert kind is not int or not isinstance(value[name], bool)


def times(value: Any) -> list[str]:
    """Every time in a document."""
    if isinstance(value, list):
        return [time for one in value for time in times(one)]
    if not isinstance(value, dict):
        return []
    mine = [text for name, text in value.items() if name.endswith("_at") and text is not None]
    return mine + [time for one in value.values() for time in times(one)]


def check(done: Done, command: str, *, applied: bool) -> dict[str, Any]:
    """The document as the contract has it; gives back its pairs by name."""
    assert done.err == ""
    document = done.json
    shaped(document, DOCUMENT)
    assert (document["schema"], document["command"], document["applied"]) == (1, command, applied)
    assert document["exit_code"] == done.code
    for pair in document["pairs"]:
        shaped(pair, PAIR)
        if pair["error"] is not None:
            shaped(pair["error"], ERROR)
        for numbers in pair["features"].values():
            shaped(numbers, FEATURE if numbers["source"] else {"source": NONE, "target": NONE})
            for side in ("source", "target"):
                shaped(numbers[side], SIDE) if numbers[side] else None
        for change in pair["changes"]:
            shaped(change, CHANGE)
            assert change["op"] in ("add", "update", "remove")
            assert change["account"] == pair[change["side"]]
            assert (change["outcome"] is not None) is (applied and not pair["guards"])
        for note in [*pair["conflicts"], *pair["holds"], *pair["skips"]]:
            shaped(note, IDENTITY)
            assert re.match(r"[a-z-]+: ", note["reason"])
        for guard in pair["guards"]:
            shaped(guard, {"name": str, "numbers": str, "digest": (str, NONE)})
    found = times(document)
    assert all(RFC3339.fullmatch(time) for time in found), found
    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]+", document["run_id"])
    return {pair["pair"]: pair for pair in document["pairs"]}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path, PAIRS)
    made.put("home", *films(range(8)))
    made.put("wide", *films(range(8), 3))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "ratings.json").write_text("{")
    return made


EPISODE = {
    "type": "episode", "title": "Pilot", "season": 1, "episode": 1, "ids": {"tvdb": "349232"},
    "show": {"title": "Breaking Bad", "year": 2008, "ids": {"tvdb": "81189", "imdb": "tt0903747"}},
}  # fmt: skip


def test_every_field_of_the_document(shell: Shell) -> None:
    first = check(shell("run rich --apply --json"), "run", applied=True)["rich"]
    assert first["first_run"] is True
    shell.put("home", film(0, 5), film(1, 2), *films(range(3, 9)), {"type": "movie", "title": "No id", "rating": 7})
    shell.put("backup", film(0, 8, rated_at="2024-05-01T00:00:00Z"), film(1, 9), *films(range(2, 8)))
    shell.put("home", film(20, listed_at="2024-05-01T00:00:00Z"), feature="watchlist")
    shell.put("home", EPISODE | {"watched_at": "2024-05-02T20:15:30Z"}, feature="history")
    shell.put("home", film(21, position_ms=600_000, duration_ms=6_000_000, updated_at=None), feature="progress")

    plan = check(shell("plan --all --json"), "plan", applied=False)
    done = shell("run --all --apply --json")
    pairs = check(done, "run", applied=True)
    assert done.code == 2  # a file that is wrong comes before guards
    rich, stopped, broken = pairs["rich"], pairs["stopped"], pairs["broken"]
    assert {name: pair["digest"] for name, pair in plan.items()} == {n: pair["digest"] for n, pair in pairs.items()}

    changes = {(change["feature"], change["op"], change["title"]): change for change in rich["changes"]}
    assert set(changes) == {
        ("ratings", "update", "Film 0"),
        ("ratings", "remove", "Film 2"),
        ("ratings", "add", "Film 8"),
        ("history", "add", "Pilot"),
        ("progress", "add", "Film 21"),
    }
    assert {change["outcome"] for change in rich["changes"]} == {"confirmed"}
    update = changes["ratings", "update", "Film 0"]
    assert (update["type"], update["year"], update["side"]) == ("movie", 2000, "target")
    assert (update["ids"], update["show_ids"], update["season"]) == ({"imdb": "tt1000000"}, None, None)
    assert update["before"] == {"rating": 8, "rated_at": "2024-05-01T00:00:00Z"}
    assert update["after"] == {"rating": 5, "rated_at": None}
    play = changes["history", "add", "Pilot"]
    assert (play["type"], play["season"], play["episode"]) == ("episode", 1, 1)
    assert (play["ids"], play["show_ids"]) == ({"tvdb": "349232"}, {"imdb": "tt0903747", "tvdb": "81189"})
    assert play["after"] == {"watched_at": "2024-05-02T20:15:30Z"}
    assert changes["ratings", "remove", "Film 2"]["after"] is None
    assert changes["progress", "add", "Film 21"]["after"] == {
        "position_ms": 600_000,
        "duration_ms": 6_000_000,
        "updated_at": None,
    }
    assert [note["title"] for note in rich["conflicts"]] == ["Film 1"]
    assert [(note["title"], note["reason"].split(":")[0]) for note in rich["holds"]] == [("Film 20", "first-seen")]
    assert [(note["title"], note["reason"].split(":")[0]) for note in rich["skips"]] == [("No id", "no-ids")]
    ratings = rich["features"]["ratings"]
    assert {name: ratings[name] for name in COUNTS} == {
        "add": 1, "update": 1, "remove": 1, "conflict": 1, "hold": 0, "skip": 1, "confirmed": 3, "failed": 0,
    }  # fmt: skip
    assert ratings["source"] == {"records": 9, "complete": True, "requests": 0}
    assert (rich["exit_code"], stopped["exit_code"], broken["exit_code"]) == (3, 4, 2)

    (guard,) = stopped["guards"]
    assert (guard["name"], guard["digest"]) == ("updates", stopped["digest"])
    assert "7 of 8 records would change on wide" in guard["numbers"]
    assert (broken["error"]["code"], broken["changes"]) == ("data", [])
    assert "ratings.json" in broken["error"]["message"]
    assert broken["error"]["hint"]


def test_times_are_utc_whatever_the_zone(shell: Shell) -> None:
    shell.put("home", film(1, 8, rated_at="2024-05-01T02:00:00+02:00"), film(2, 8, rated_at="2024-05-01T00:00:00.5Z"))
    env = {"TZ": "Pacific/Auckland"}
    changes = shell("plan rich --json", env=env).pair["changes"]
    assert [change["after"]["rated_at"] for change in changes] == [
        "2024-05-01T00:00:00Z",
        "2024-05-01T00:00:00.500000Z",
    ]
    status = (shell("run rich --apply --json", env=env), shell("status rich --json", env=env))[1]
    (pair,) = status.json["pairs"]
    assert RFC3339.fullmatch(pair["last_at"])
    assert abs(datetime.fromisoformat(pair["last_at"]).timestamp() - datetime.now().timestamp()) < 120


def test_the_documents_of_the_other_commands(shell: Shell) -> None:
    for line in ("check --offline", "status", "explain rich film"):
        command, *_ = line.split()
        document = shell(f"{line} --json").json
        assert (document["schema"], document["command"]) == (1, command)
    assert shell("plan rich --json --out saved.json").err == "plan saved to saved.json\n"
