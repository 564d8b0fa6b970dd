"""Thousands of real ratings, from a CSV file to a tracker, then in step with another person's.

The data is not part of the project: it is looked for in ``$CWSYNC_MOVIELENS`` and beside the
repository. Every expected number is counted here from the files, with nothing but the csv module.
"""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from support.shell import Shell, data_of, tree

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CWSYNC_MOVIELENS") or ROOT.parent / "shared" / "data" / "movielens")
MINE, THEIRS = "414", "599"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not (DATA / "ratings.csv").is_file(),
        reason=f"the MovieLens ratings are not at {DATA} (name their folder in CWSYNC_MOVIELENS)",
    ),
]

PAIRS = """
[accounts.mine-csv]
provider = "csv"
path = "mine.csv"
feature = "ratings"
scale = 5
[accounts.theirs-csv]
provider = "csv"
path = "theirs.csv"
feature = "ratings"
scale = 5
[accounts.mine]
provider = "tracker"
path = "mine"
[accounts.theirs]
provider = "tracker"
path = "theirs"

[pairs.mine-in]
source = "mine-csv"
target = "mine"
[pairs.mine-in.ratings]
[pairs.theirs-in]
source = "theirs-csv"
target = "theirs"
[pairs.theirs-in.ratings]

[pairs.both]
source = "mine"
target = "theirs"
mode = "two-way"
[pairs.both.ratings]
remove = true
"""


@dataclass(frozen=True)
class Film:
    """One line of the data, as the files say it."""

    imdb: str  # digits only
    tmdb: str
    title: str
    stars: str  # "0.5" to "5.0"
    seconds: str


def films_of(user: str) -> list[Film]:
    """What a person rated, joined from the three files."""
    with (DATA / "links.csv").open(newline="", encoding="utf-8") as file:
        links = {row["movieId"]: row for row in csv.DictReader(file)}
    with (DATA / "movies.csv").open(newline="", encoding="utf-8") as file:
        titles = {row["movieId"]: row["title"] for row in csv.DictReader(file)}
    with (DATA / "ratings.csv").open(newline="", encoding="utf-8") as file:
        return [
            Film(
                links[row["movieId"]]["imdbId"],
                links[row["movieId"]]["tmdbId"],
                titles[row["movieId"]],
                row["rating"],
                row["timestamp"],
            )
            for row in csv.DictReader(file)
            if row["userId"] == user
        ]


def write_csv(path: Path, films: list[Film]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["title", "imdb", "tmdb", "rating", "rated_at"])
        writer.writerows([one.title, one.imdb, one.tmdb, one.stars, one.seconds] for one in films)


def points(films: list[Film]) -> dict[str, int]:
    """IMDb number to points of ten, in whole numbers: "3.5" stars are 7, "0.5" are 1."""
    return {one.imdb: int(one.stars.replace(".", "")) * 2 // 10 for one in films}


def landed(shell: Shell, account: str) -> dict[str, int]:
    """The same, as the tracker's file says it."""
    return {row["ids"]["imdb"].removeprefix("tt"): row["rating"] for row in shell.held(account)}


def edit(shell: Shell, account: str, new: dict[str, int | None]) -> None:
    """What a person does in their own tracker: other ratings, new films, films taken out (None)."""
    path = shell.path(account)
    document = json.loads(path.read_bytes())
    rows = {row["ids"]["imdb"].removeprefix("tt"): row for row in document["items"]}
    for imdb, rating in new.items():
        if rating is None:
            del rows[imdb]
        elif imdb in rows:
            rows[imdb]["rating"] = rating
        else:
            rows[imdb] = {"type": "movie", "title": f"New {imdb}", "ids": {"imdb": f"tt{imdb}"}, "rating": rating}
    path.write_text(json.dumps(document | {"items": list(rows.values())}), encoding="utf-8")


def counts(report: Any) -> tuple[int, int, int, int]:
    """Adds, updates, removes, conflicts of the ratings of a report."""
    numbers = report["features"]["ratings"]
    return numbers["add"], numbers["update"], numbers["remove"], numbers["conflict"]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, PAIRS)


def test_a_persons_ratings_land_whole_and_a_second_run_does_nothing(shell: Shell) -> None:
    films = films_of(MINE)
    assert len(films) == 2698
    write_csv(shell.folder / "mine.csv", films)
    expected = points(films)
    assert len(expected) == len(films)  # no film twice in the file, so each of its rows is a record
    assert all(one.tmdb and one.imdb for one in films)
    halves = [one for one in films if one.stars in ("0.5", "3.5")]
    assert {expected[one.imdb] for one in halves} == {1, 7}

    plan = shell("plan mine-in --json")
    assert (plan.code, counts(plan.pair)) == (0, (2698, 0, 0, 0))
    assert plan.pair["first_run"] is True
    assert plan.pair["skips"] == plan.pair["warnings"] == plan.pair["holds"] == []
    assert not shell.state.exists()

    run = shell("run mine-in --apply --json")
    assert (run.code, run.err) == (0, "")
    assert run.pair["digest"] == plan.pair["digest"]
    assert run.pair["features"]["ratings"]["confirmed"] == 2698
    assert landed(shell, "mine") == expected
    rows = {row["ids"]["imdb"]: row for row in shell.held("mine")}
    for one in films:
        row = rows[f"tt{one.imdb}"]
        assert row["ids"]["tmdb"] == one.tmdb
        assert row["title"] == one.title.strip()
        assert _seconds(row["rated_at"]) == int(one.seconds)

    tracker = data_of(shell.folder / "mine")
    state = _state(shell, "mine-in")
    again = shell("run mine-in --apply --json")
    assert (again.code, counts(again.pair), again.pair["changes"]) == (0, (0, 0, 0, 0), [])
    assert data_of(shell.folder / "mine") == tracker
    assert _state(shell, "mine-in") == state


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _state(shell: Shell, pair: str) -> dict[str, bytes]:
    return {name: data for name, data in data_of(shell.pair_folder(pair)).items() if name != "last-run.json"}


def _untouched(shell: Shell) -> list[dict[str, Any]]:
    """Both trackers with the times of their files, and the state of the pair."""
    return [tree(shell.folder / "mine"), tree(shell.folder / "theirs"), dict(_state(shell, "both"))]


@pytest.fixture
def met(shell: Shell) -> Shell:
    """Both people's trackers, filled from their files."""
    write_csv(shell.folder / "mine.csv", films_of(MINE))
    write_csv(shell.folder / "theirs.csv", films_of(THEIRS))
    assert shell("run mine-in theirs-in --apply -q").code == 0
    return shell


def test_two_people_in_step(met: Shell) -> None:
    mine, theirs = points(films_of(MINE)), points(films_of(THEIRS))
    assert (landed(met, "mine"), landed(met, "theirs")) == (mine, theirs)
    both = mine.keys() & theirs.keys()
    differ = {imdb for imdb in both if mine[imdb] != theirs[imdb]}
    assert len(differ) > len(theirs) * 30 // 100  # so many that the first run must ask

    # The first run is a union; what differs goes by the policy, to the source. A person is asked first.
    before = _untouched(met)
    asked = met("run both --apply --json")
    assert (asked.code, [guard["name"] for guard in asked.pair["guards"]]) == (4, ["updates"])
    new = len(mine.keys() - theirs.keys()) + len(theirs.keys() - mine.keys())
    assert counts(asked.pair) == (new, len(differ), 0, len(differ))
    assert _untouched(met) == before
    done = met(f"run both --apply --json --accept {asked.pair['digest']}")
    assert (done.code, done.pair["first_run"]) == (0, True)
    union = theirs | mine
    assert done.pair["features"]["ratings"]["confirmed"] == new + len(differ)
    assert landed(met, "mine") == landed(met, "theirs") == union

    # Edits on both sides: own changes, own removes, and the same films on both sides at once.
    shared = sorted(both)
    other = {imdb: 1 if union[imdb] != 1 else 9 for imdb in shared}
    mine_edit: dict[str, int | None] = {imdb: other[imdb] for imdb in shared[:3]}
    theirs_edit: dict[str, int | None] = {imdb: other[imdb] for imdb in shared[3:5]}
    mine_edit |= {"9000001": 6, "9000002": 7} | dict.fromkeys(shared[5:9])
    theirs_edit |= {"9000003": 8} | dict.fromkeys(shared[9:12])
    mine_edit |= dict.fromkeys(shared[12:17], 2)  # five conflicts of two values ...
    theirs_edit |= dict.fromkeys(shared[12:17], 3)
    mine_edit |= {shared[17]: other[shared[17]], shared[18]: None}  # ... one change that meets a remove ...
    theirs_edit |= {shared[17]: None, shared[18]: other[shared[18]]}  # ... and one remove that meets a change
    edit(met, "mine", mine_edit)
    edit(met, "theirs", theirs_edit)
    run = met("run both --apply --json")
    assert (run.code, run.pair["guards"]) == (0, [])
    assert counts(run.pair) == (3 + 1, 3 + 2 + 5, 4 + 3 + 1, 7)
    assert run.pair["features"]["ratings"]["confirmed"] == 22
    assert {change["outcome"] for change in run.pair["changes"]} == {"confirmed"}
    expected: dict[str, int | None] = {**union, **theirs_edit, **mine_edit}
    now = {imdb: rating for imdb, rating in expected.items() if rating is not None}
    assert landed(met, "mine") == landed(met, "theirs") == now

    # Removes beyond the guard: nothing at all is written until a person lets exactly that through.
    gone = shared[20:141]
    edit(met, "mine", dict.fromkeys(gone))
    before = _untouched(met)
    stopped = met("run both --apply --json")
    (guard,) = stopped.pair["guards"]
    assert (stopped.code, guard["name"], guard["feature"], guard["side"]) == (4, "removes", "ratings", "target")
    assert f"{len(gone)} of {len(now)} records" in guard["numbers"]
    assert _untouched(met) == before
    word = f"run both --apply --json --accept {guard['digest']}"
    assert met(word).code == 0
    left = {imdb: rating for imdb, rating in now.items() if imdb not in gone}
    assert landed(met, "mine") == landed(met, "theirs") == left
    once = met(word)
    assert (once.code, once.pair["error"]["code"]) == (4, "stale-plan")

    # And then it is quiet.
    state, files = _state(met, "both"), data_of(met.folder / "theirs")
    still = met("run both --apply --json")
    assert (still.code, still.pair["changes"], counts(still.pair)) == (0, [], (0, 0, 0, 0))
    assert (_state(met, "both"), data_of(met.folder / "theirs")) == (state, files)
