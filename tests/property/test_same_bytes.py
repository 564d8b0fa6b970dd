"""I12 for real: the same inputs give the same bytes in processes of another hash seed, zone and locale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

# A world with copies, aliases, films without ids, marks and notes; everything that a plan says of it.
PLAN = """
import random, sys
from datetime import timedelta
from cwsync.model import Entry, Item, Kind, Mark, MarkKind, Match, Sighting, Side, Undecoded
from cwsync.planner.plan import plan_feature
from support.planning import NOW, baseline, episode, film, question, row, score, snapshot

dice = random.Random(int(sys.argv[1]))
items = [film(f"imdb:{n} tmdb:{n}", f"Film {n}", 2000) for n in range(1, 30)]
items += [film(f"tmdb:{n}", f"FILM {n}", 2000) for n in range(1, 15)]
items += [episode("tvdb:9 imdb:9", 1, n, f"tvdb:{70 + n}") for n in range(1, 9)]
items += [Item(Kind.MOVIE, (), f"Stra\\u00dfe {n}", 2001) for n in range(3)]
told = random.Random(1)
sides = {}
for side in Side:
    some = [(n, item) for n, item in enumerate(items) if told.random() < 0.7]
    rows = [Entry(item, score(told.randint(1, 10)), f"{side}-{n}") for n, item in some]
    dice.shuffle(rows)
    broken = (Undecoded("row 3", "no value", items[2]),) if side is Side.TARGET else ()
    sides[side] = snapshot(rows, undecoded=broken)
until = NOW + timedelta(minutes=5)
known = [
    row(item, score(told.randint(1, 10)), score(told.randint(1, 10)),
        mark=Mark(MarkKind.DOUBT, Side.TARGET, None, score(3), score(3), NOW, until) if n % 7 == 0 else None,
        seen=Sighting(Side.SOURCE, True, NOW) if n % 5 == 0 else None)
    for n, item in enumerate(items[:29])
]
dice.shuffle(known)
asked = question(sides[Side.SOURCE], sides[Side.TARGET], baseline(known), match=Match.TITLE_YEAR)
plan = plan_feature(asked)
assert plan.changes and plan.holds and plan.conflicts and plan.observations
print(plan.digest)
for part in (plan.changes, plan.conflicts, plan.holds, plan.skips, plan.observations, plan.guards):
    for one in part:
        print(one)
print(sorted(plan.counts.items()))
"""
# One run of the engine: the bytes of the state that it leaves (times stand still).
STATE = """
import sys, tempfile
from pathlib import Path
from cwsync.model import Feature
from support.engine import World
from support.world import listed, movie, rated, show

world = World(Path(sys.argv[2]))
home, away = world.account("home"), world.account("away")
for n in range(1, 20):
    home.put(Feature.RATINGS, (movie(n, services="tmdb imdb"), rated(n % 9 + 1)))
    away.put(Feature.RATINGS, (movie(n + 10, services="imdb"), rated(n % 4 + 1)))
    away.put(Feature.WATCHLIST, (show(n), listed()))
world.pair("home", "away", Feature.RATINGS, Feature.WATCHLIST)
print(world.run().digest)
print(world.baseline_bytes().decode())
"""
PLACES = [
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LANG": "C", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "12345", "TZ": "Pacific/Chatham", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"},
    {
        "PYTHONHASHSEED": "99",
        "TZ": "America/New_York",
        "LANG": "tr_TR.UTF-8",
        "LC_ALL": "tr_TR.UTF-8",
        "PYTHONUTF8": "0",
    },
]


@pytest.mark.parametrize("what", [PLAN, STATE], ids=["plan", "state"])
def test_I12_hash_seed_zone_and_locale_change_nothing(tmp_path, what):
    running = []
    for n, place in enumerate(PLACES):
        folder = tmp_path / str(n)
        command = [sys.executable, "-c", what, str(n), str(folder)]
        environment = {**os.environ, **place, "PYTHONIOENCODING": "utf-8"}
        running.append(subprocess.Popen(command, cwd=TESTS, env=environment, stdout=subprocess.PIPE))
    said = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert said[0]
    assert said[1] == said[0]
    assert said[2] == said[0]
