"""The contract, sections 2, 5 and 7: what lies in the state folder and beside a tracker, and who forgets what."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.shell import TWO_TRACKERS, Shell, data_of, film, films, tree

PAIRS = TWO_TRACKERS + "[pairs.both.watchlist]\nremove = true\n"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path, PAIRS)
    made.put("home", *films(range(20)))
    made.put("home", film(30, listed_at=None), feature="watchlist")
    return made


# --- the state folder ----------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0, 0o377])
def test_everything_is_the_owners_alone_whatever_the_umask(shell: Shell, umask: int) -> None:
    shell.umask = umask
    for n in (21, 22):
        assert shell("run --apply -q").code == 0
        shell.put("home", *films(range(n)))
    assert shell("plan -q --out plan.json").code == 0
    made = [shell.state, *shell.state.rglob("*"), shell.folder / "backup", *(shell.folder / "backup").rglob("*")]
    modes = {(path.is_dir(), oct(path.stat().st_mode & 0o777)) for path in [*made, shell.folder / "plan.json"]}
    assert modes == {(True, "0o700"), (False, "0o600")}


def test_the_layout_of_the_state(shell: Shell) -> None:
    shell("run --apply -q")
    shell.put("home", *films(range(21)))
    shell("run --apply -q")
    pair = shell.pair_folder("both")
    assert sorted(path.name for path in shell.state.iterdir() if path.name != "cache") == ["locks", "pairs"]
    assert sorted(path.name for path in pair.iterdir()) == ["backups", "last-run.json", "runs", "state.json"]
    state = json.loads((pair / "state.json").read_bytes())  # one JSON document, versioned and checksummed
    assert (state["schema"], re.fullmatch("[0-9a-f]{64}", state["checksum"]) is not None) == (1, True)
    assert [path.name for path in (pair / "backups").iterdir()] == ["state-00000001.json"]
    assert len(list((pair / "runs").glob("*.jsonl"))) == 2  # finished journals are kept
    assert not [path for path in shell.state.rglob("*") if path.name.endswith((".tmp", ".holder"))]


def test_a_run_with_nothing_to_change_leaves_every_byte(shell: Shell) -> None:
    """But for the record of the last run. Time and mode stay too."""
    shell("run --apply -q")
    before, last = _still(shell), (shell.pair_folder("both") / "last-run.json").read_bytes()
    trackers = [tree(shell.folder / name) for name in ("home", "backup")]
    for line in ("run --apply", "run --apply --full"):
        assert shell(line).code == 0
        assert _still(shell) == before
    assert (shell.pair_folder("both") / "last-run.json").read_bytes() != last
    assert [tree(shell.folder / name) for name in ("home", "backup")] == trackers


def _still(shell: Shell) -> dict[str, object]:
    """All under ``pairs/``, but for the last-run record and the time of the folder that holds it."""
    return tree(shell.state / "pairs", "last-run.json", "both")


def test_the_cache_costs_only_time(shell: Shell) -> None:
    shell("run --apply -q")
    shell("run --apply -q")
    assert (shell.state / "cache").is_dir()
    with_cache = shell("plan --json").pair
    shutil.rmtree(shell.state / "cache")
    without, full = shell("plan --json").pair, shell("plan --json --full").pair
    for pair in (with_cache, without, full):
        for numbers in pair["features"].values():
            numbers.pop("seconds")
    assert with_cache == without == full
    shell.put("home", *films(range(1, 21)))
    assert shell("run --apply -q").code == 0
    assert shell.scores("backup") == shell.scores("home")


# --- reset-state and status ----------------------------------------------------------------------


def test_forgetting_asks_and_keeps_a_backup(shell: Shell) -> None:
    shell("run --apply -q")
    path = shell.pair_folder("both") / "state.json"
    state = path.read_bytes()
    refused = shell("reset-state both")
    assert refused.code == 2
    assert "hint: give --yes to go ahead" in refused.err
    for words in ("a union of both sides that removes nothing", "comes back", "a backup of the state is kept"):
        assert words in refused.out  # first it says what the next run will do and what could come back
    code, screen = shell.terminal("reset-state both", talk=[("[y/N]", "no\n")])
    assert (code, "nothing was changed" in screen) == (0, True)
    assert path.read_bytes() == state
    code, screen = shell.terminal("reset-state both", talk=[("[y/N]", "y\n")])
    assert (code, "forgotten; the backup is " in screen.replace("\n", "")) == (0, True)
    (backup,) = (shell.pair_folder("both") / "backups").iterdir()
    assert backup.read_bytes() == state
    shell.put("home", *films(range(10)))  # ten are gone, and nobody remembers them
    run = shell("run --apply --json")
    assert (run.code, run.pair["first_run"], run.pair["features"]["ratings"]["remove"]) == (0, True, 0)
    assert len(shell.held("home")) == len(shell.held("backup")) == 20


def test_forgetting_one_feature(shell: Shell) -> None:
    shell("run --apply -q")
    done = shell("reset-state both --feature ratings --yes --json")
    assert (done.code, done.json["rows"]) == (0, {"ratings": 20})
    plan = shell("plan --json").pair["features"]
    assert {name: one["first_run"] for name, one in plan.items()} == {"watchlist": False, "ratings": True}


def test_status(shell: Shell) -> None:
    never = shell("status --json")
    assert (never.code, never.json["pairs"][0]["last_at"]) == (0, None)
    assert shell("status --max-age 6h").code == 4
    shell("run --apply -q")
    (pair,) = shell("status --max-age 6h --json").json["pairs"]
    assert (pair["exit_code"], pair["last_exit"], pair["rows"]) == (0, 0, {"watchlist": 1, "ratings": 20})
    good_at = pair["good_at"]
    shell.put("home", *films(range(3)))
    assert shell("run --apply -q").code == 4
    (pair,) = shell("status --json").json["pairs"]
    assert (pair["last_exit"], pair["good_at"]) == (4, good_at)  # a run, but not a good one
    time.sleep(1.1)
    late = shell("status --max-age 1s")
    assert late.code == 4
    assert "ratings 20" in late.out
    assert shell("status --max-age soon").code == 2


def test_what_waits_is_in_the_status(shell: Shell) -> None:
    """Settling writes: nothing is done to what was just written until the side has had its time."""
    shell.file.write_text(PAIRS.replace('path = "backup"', 'path = "backup"\nstaleness = "1h"'))
    shell("run --apply -q")
    (pair,) = shell("status --json").json["pairs"]
    assert pair["holds"] == 21
    shell.put("backup", *films(range(19)))  # looks like a removal, and may be a read that lags
    done = shell("run --apply --json")
    assert {hold["reason"].split(":")[0] for hold in done.pair["holds"]} == {"settling"}
    assert (done.pair["changes"], len(shell.held("home"))) == ([], 20)
    shell.put("home", film(0, 3), *films(range(1, 20)))
    (trace,) = shell("explain both 'film 0' --json").json["traces"]
    assert trace["baseline"]["mark"]["kind"]
    assert trace["changes"] == []


# --- trackers ------------------------------------------------------------------------------------


def test_each_write_of_a_tracker_keeps_what_it_replaced(shell: Shell) -> None:
    """30 days, and no more than 64 a feature; other files are none of its business."""
    shell("run --apply -q")
    folder = shell.folder / "backup" / "snapshots"
    assert not folder.exists()  # the first write replaced nothing
    replaced = shell.path("backup").read_bytes()
    folder.mkdir(mode=0o700)
    now = datetime.now(UTC)
    recent = [_snapshot(folder, "ratings", now - timedelta(minutes=n)) for n in range(1, 71)]
    old = _snapshot(folder, "ratings", now - timedelta(days=31))
    others = [_snapshot(folder, "history", now - timedelta(days=29)), folder / "notes.txt"]
    others[1].write_text("mine")
    shell.put("home", *films(range(21)))
    assert shell("run --apply -q").code == 0
    left = sorted(folder.glob("ratings-*.json"))
    assert len(left) == 64
    assert left[-1].read_bytes() == replaced
    assert (old in left, recent[0] in left, recent[-1] in left) == (False, True, False)
    assert all(path.exists() for path in others)


def _snapshot(folder: Path, feature: str, at: datetime) -> Path:
    path = folder / f"{feature}-{at:%Y%m%dT%H%M%S.%fZ}.json"
    path.write_text("{}")
    return path


def test_a_missing_file_is_an_empty_feature_and_a_guard_asks_about_it(shell: Shell) -> None:
    shell("run --apply -q")
    shell.path("home").unlink()
    held = data_of(shell.folder / "backup")
    done = shell("run --apply --json")
    assert (done.code, "empty" in {guard["name"] for guard in done.pair["guards"]}) == (4, True)
    assert (data_of(shell.folder / "backup"), os.path.lexists(shell.path("home"))) == (held, False)
