"""The contract, sections 4, 7 and 8: what the keys of a pair do, what trackers hold, which CSV files are read.

Each case is a pair of its own with trackers of its own, and all of them go through two real runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.shell import Shell, film

Row = dict[str, Any]
A, B, C, D = (film(n, 8) for n in range(1, 5))
OLD, NEW = {"rated_at": "2024-01-01T00:00:00Z"}, {"rated_at": "2024-06-01T00:00:00Z"}
LIKE_A = {"type": "movie", "title": "film 1", "year": 2000, "rating": 8}


def play(number: int, at: str | None) -> Row:
    return film(number, watched_at=at)


def at(number: int, seconds: int, duration: int = 6000, day: str = "2024-05-01") -> Row:
    return film(number, position_ms=seconds * 1000, duration_ms=duration * 1000, updated_at=f"{day}T00:00:00Z")


@dataclass(frozen=True)
class Case:
    """Both sides before the first run and, if edited, before the second; then what the trackers hold."""

    rules: str
    source: list[Row]
    target: list[Row]
    source_then: list[Row] | None = None
    target_then: list[Row] | None = None
    expect: tuple[list[Row], list[Row]] = field(default=([], []))
    feature: str = "ratings"
    mode: str = "two-way"
    pair: str = ""
    account: str = ""
    code: int = 0


RATED = {
    "add = false": Case("add = false", [A, B], [B], expect=([A, B], [B])),
    "update = false": Case("update = false", [A], [A], [A | {"rating": 3}], expect=([A | {"rating": 3}], [A])),
    "remove is off": Case("", [A, B], [A, B], [A], expect=([A], [A, B])),
    "remove = true": Case("remove = true", [A, B], [A, B], [A], expect=([A], [A])),
    "one-way: a drift is put right": Case(
        "", [A], [A], None, [A | {"rating": 2}], expect=([A], [A]), mode="one-way"
    ),
    "one-way: what the target lost comes again": Case(
        "remove = true", [A, B], [A, B], None, [A], expect=([A, B], [A, B]), mode="one-way"
    ),
    "one-way: follow leaves what the source never had": Case(
        "remove = true", [A, B], [C], [A], expect=([A], [C, A]), mode="one-way"
    ),
    "one-way: mirror takes it, but not on a first run": Case(
        'remove = true\nremove_mode = "mirror"', [A, B], [C], [A, D], expect=([A, D], [A, D]), mode="one-way"
    ),
    'conflict = "source"': Case(
        "", [A], [A], [A | {"rating": 3}], [A | {"rating": 4}], expect=([A | {"rating": 3}],) * 2
    ),
    'conflict = "target"': Case(
        'conflict = "target"', [A], [A], [A | {"rating": 3}], [A | {"rating": 4}], expect=([A | {"rating": 4}],) * 2
    ),
    'conflict = "newest"': Case(
        'conflict = "newest"', [A], [A], [A | {"rating": 3} | OLD], [A | {"rating": 4} | NEW],
        expect=([A | {"rating": 4}],) * 2,
    ),
    'conflict = "keep"': Case(
        'conflict = "keep"\nremove = true', [A, B], [A, B], [B], [A | {"rating": 4}, B],
        expect=([B, A | {"rating": 4}], [A | {"rating": 4}, B]),
    ),
    'conflict = "skip"': Case(
        'conflict = "skip"', [A], [A], [A | {"rating": 3}], [A | {"rating": 4}],
        expect=([A | {"rating": 3}], [A | {"rating": 4}]), code=3,
    ),
    "hold_new": Case('hold_new = "1h"', [A], [], expect=([A], [])),
    "hold_removed": Case('remove = true\nhold_removed = "1h"', [A, B], [A, B], [A], expect=([A], [A, B])),
    "types": Case(
        'types = ["show"]', [A, B | {"type": "show", "title": "Show"}], [],
        expect=([A, B | {"type": "show", "title": "Show"}], [B | {"type": "show", "title": "Show"}]),
    ),
    "since and until, both ends in": Case(
        "since = 2024-01-01\nuntil = 2024-05-31", [A | OLD, B | NEW], [], expect=([A | OLD, B | NEW], [A | OLD])
    ),
    'match = "ids"': Case("", [LIKE_A], [A], expect=([LIKE_A, A], [A])),
    'match = "title-year"': Case("", [LIKE_A], [A], expect=([LIKE_A], [A]), pair='match = "title-year"'),
    "such a match adds, and never removes": Case(
        "remove = true", [LIKE_A, B], [A, B], [B, C], expect=([B, C], [A, B, C]), pair='match = "title-year"'
    ),
    "staleness": Case("", [A], [], [A | {"rating": 2}], expect=([A | {"rating": 2}], [A]), account='staleness = "1h"'),
    "halves": Case("", [A | {"rating": 7.5}, B | {"rating": 0.5 + 0.5}], [], expect=([], [])),
}  # fmt: skip
PLAYED = {
    "a date on the target is never rewritten": Case(
        "", [play(1, "2024-05-01T10:00:00Z")], [play(1, "2020-01-01T00:00:00Z")],
        expect=([play(1, "2024-05-01T10:00:00Z")], [play(1, "2020-01-01T00:00:00Z")]), feature="history",
    ),
    "a play without a date stays without": Case(
        "", [play(1, None)], [], expect=([play(1, None)], [play(1, None)]), feature="history"
    ),
    "the newest play of each title": Case(
        "", [play(1, "2024-01-01T00:00:00Z"), play(1, "2024-02-01T00:00:00Z")], [],
        expect=([], [play(1, "2024-02-01T00:00:00Z")]), feature="history",
    ),
    'plays = "all"': Case(
        'plays = "all"', [play(1, "2024-01-01T00:00:00Z"), play(1, "2024-02-01T00:00:00Z")], [],
        expect=([], [play(1, "2024-01-01T00:00:00Z"), play(1, "2024-02-01T00:00:00Z")]), feature="history",
    ),
    "progress: not begun, almost over, and between": Case(
        "", [at(1, 59), at(2, 60), at(3, 5700), at(4, 5701)], [], expect=([], [at(2, 60), at(3, 5700)]),
        feature="progress",
    ),
    "progress: own thresholds": Case(
        "min_seconds = 10\nmax_percent = 50", [at(1, 9), at(2, 10), at(3, 3000), at(4, 3001)], [],
        expect=([], [at(2, 10), at(3, 3000)]), feature="progress",
    ),
    "progress: a small difference is none": Case(
        "", [at(1, 129), at(2, 130)], [at(1, 100), at(2, 100)],
        expect=([at(1, 129), at(2, 130)], [at(1, 100), at(2, 130)]), feature="progress",
    ),
    "progress: the newer one wins": Case(
        "", [at(1, 500), at(2, 500, day="2024-06-01")], [at(1, 900, day="2024-06-01"), at(2, 900)],
        expect=([at(1, 900), at(2, 500)],) * 2, feature="progress",
    ),
    "watchlist": Case(
        "remove = true", [film(1, listed_at="2024-05-01T00:00:00Z"), film(2, listed_at=None)], [], [film(2)],
        expect=([film(2)], [film(2)]), feature="watchlist",
    ),
}  # fmt: skip
CASES = {**RATED, **PLAYED}


def said(rows: list[Row]) -> set[tuple[object, ...]]:
    """What rows say: which title, and its value; a time only where it is the value."""
    return {
        (row["title"], row.get("rating"), row.get("watched_at"), row.get("position_ms"), row["type"]) for row in rows
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shell, dict[str, Any]]:
    """Every case after its two runs, with the reports of the second one."""
    text = ""
    for n, case in enumerate(CASES.values()):
        for side in ("s", "t"):
            text += f'[accounts.{side}{n}]\nprovider = "tracker"\npath = "{side}{n}"\n{case.account}\n'
        text += f'[pairs.p{n}]\nsource = "s{n}"\ntarget = "t{n}"\nmode = "{case.mode}"\n{case.pair}\n'
        text += f"[pairs.p{n}.{case.feature}]\n{case.rules}\n"
    shell = Shell(tmp_path_factory.mktemp("rules"), text)
    for n, case in enumerate(CASES.values()):
        for side, rows in (("s", case.source), ("t", case.target)):
            shell.put(f"{side}{n}", *rows, feature=case.feature)
    shell("run --all --apply --json")
    for n, case in enumerate(CASES.values()):
        for side, then in (("s", case.source_then), ("t", case.target_then)):
            if then is not None:
                shell.put(f"{side}{n}", *then, feature=case.feature)
    return shell, {pair["pair"]: pair for pair in shell("run --all --apply --json").json["pairs"]}


@pytest.mark.parametrize("name", CASES)
def test_what_the_keys_of_a_pair_do(world: tuple[Shell, dict[str, Any]], name: str) -> None:
    shell, reports = world
    case, n = CASES[name], list(CASES).index(name)
    source, target = (shell.held(f"{side}{n}", case.feature) for side in ("s", "t"))
    assert reports[f"p{n}"]["exit_code"] == case.code, reports[f"p{n}"]
    want_source, want_target = case.expect if case.expect != ([], []) else (case.source, case.source)
    assert said(source) == said(want_source or case.source)
    assert said(target) == said(want_target)


# --- trackers ------------------------------------------------------------------------------------


def test_the_shape_of_a_tracker(tmp_path: Path) -> None:
    """Written in the shape of the contract, item for item; made on the first write, with no file too many."""
    movie = {"type": "movie", "title": "Toy Story", "year": 1995, "ids": {"imdb": "tt0114709", "tmdb": "862"}}
    episode = {
        "type": "episode", "title": "Pilot", "season": 1, "episode": 1, "ids": {"tvdb": "349232"},
        "show": {"title": "Breaking Bad", "year": 2008, "ids": {"tvdb": "81189", "imdb": "tt0903747"}},
    }  # fmt: skip
    rows = {
        "watchlist": [movie | {"listed_at": "2024-05-01T20:15:00Z"}],
        "ratings": [
            movie | {"rating": 7.5, "rated_at": "2000-07-30T18:45:03Z"},
            episode | {"rating": 9, "rated_at": None},
        ],
        "history": [movie | {"watched_at": None}, episode | {"watched_at": "2024-05-01T20:15:00Z"}],
        "progress": [movie | {"position_ms": 61_000, "duration_ms": None, "updated_at": "2024-05-01T20:15:00Z"}],
    }
    text = '[accounts.a]\nprovider = "tracker"\npath = "a"\n[accounts.b]\nprovider = "tracker"\npath = "new/b"\n'
    text += '[pairs.ab]\nsource = "a"\ntarget = "b"\n' + "".join(f"[pairs.ab.{name}]\n" for name in rows)
    shell = Shell(tmp_path, text)
    for name, held in rows.items():
        shell.put("a", *held, feature=name)
    assert shell("run --apply -q").code == 0
    assert sorted(path.name for path in (tmp_path / "new" / "b").iterdir()) == sorted(f"{name}.json" for name in rows)
    for name, held in rows.items():
        document = json.loads((tmp_path / "new" / "b" / f"{name}.json").read_bytes())
        assert (document["schema"], document["feature"]) == (1, name)
        assert sorted(document["items"], key=str) == sorted(held, key=str)


# --- CSV -----------------------------------------------------------------------------------------

IMDB = """Const,Your Rating,Date Rated,Title,Title Type,Year
tt0113277,8,2024-05-01,Heat,Movie,1995
"""
LETTERBOXD = """Date,Name,Year,Letterboxd URI,Rating,TMDb ID
2024-05-01,Heat,1995,https://boxd.it/2b1k,4,949
"""
TRAKT = """trakt_id,imdb_id,type,title,year,rating,rated_at
481,tt0113277,movie,Heat,1995,8,2024-05-01T20:15:00Z
"""
OWN = """type,title,year,season,episode,imdb,tmdb,tvdb,rating,rated_at
movie,Heat,1995,,,tt0113277,949,,80,2024-05-01
"""
CSV = {
    "imdb": ("ratings", "", IMDB),
    "letterboxd": ("ratings", "", LETTERBOXD),
    "trakt": ("ratings", "", TRAKT),
    "own": ("ratings", "scale = 100", OWN),
    "other": ("ratings", 'columns = { imdb = "Nr", rating = "Points" }', "Nr;Points;title\n113277;8;Heat\n"),
    "plays": ("history", "", "title,imdb,watched_at\nHeat,tt0113277,2024-05-01T20:15:00Z\nHeat 2,tt0000002,\n"),
    "list": ("watchlist", "", "title,imdb,listed_at\nHeat,tt0113277,2024-05-01\n"),
}


def test_csv_files_of_every_sort(tmp_path: Path) -> None:
    text = ""
    for name, (feature, keys, data) in CSV.items():
        text += f'[accounts.{name}]\nprovider = "csv"\npath = "{name}.csv"\nfeature = "{feature}"\n{keys}\n'
        text += f'[accounts.to-{name}]\nprovider = "tracker"\npath = "to-{name}"\n'
        text += f'[pairs.{name}]\nsource = "{name}"\ntarget = "to-{name}"\n[pairs.{name}.{feature}]\n'
        (tmp_path / f"{name}.csv").write_text(data)
    shell = Shell(tmp_path, text)
    done = shell("run --all --apply --json")
    assert done.code == 0
    for name, (feature, _, _) in CSV.items():
        first = shell.held(f"to-{name}", feature)[-1 if name == "plays" else 0]
        ids = {"tmdb": "949"} if name == "letterboxd" else {"imdb": "tt0113277"}
        assert {key: first["ids"][key] for key in ids} == ids
        assert (first["title"], first.get("rating")) == ("Heat", 8 if feature == "ratings" else None)
    assert [row["watched_at"] for row in shell.held("to-plays", "history")] == [None, "2024-05-01T20:15:00Z"]
