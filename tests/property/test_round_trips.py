"""I18 on the real engine: scores and times go there and back over services that keep them differently."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwsync.model import Feature, Mode, Play, Plays, Rated
from support.engine import HOUR, World, effort
from support.memory import Store, capable
from support.world import movie

RATINGS, HISTORY = Feature.RATINGS, Feature.HISTORY
GRIDS = {
    "tens": tuple(range(10, 101, 10)),
    "halves": tuple(range(5, 101, 5)),
    "stars": tuple(range(20, 101, 20)),
    "half stars": tuple(range(10, 101, 10)),
    "smileys": (35, 60, 85),
    "hundred": tuple(range(1, 101)),
}
PAIRS = list(product(GRIDS, repeat=2))


def scores(store: Store) -> dict[str, int]:
    return {row.item.ids[0]: row.value.score for row in store.rows[RATINGS] if isinstance(row.value, Rated)}


@effort(40, 300)
@given(
    pair=st.sampled_from(PAIRS),
    mode=st.sampled_from(Mode),
    first=st.lists(st.integers(0, 99), min_size=1, max_size=6),
    then=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 99), st.booleans()), max_size=4),
)
def test_I18_scores_never_play_ping_pong(pair, mode, first, then):
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        grids = [GRIDS[name] for name in pair]
        home, away = (
            world.account(name, capable({RATINGS: {"scores": grid}}))
            for name, grid in zip(("home", "away"), grids, strict=True)
        )
        home.put(RATINGS, *((movie(n), Rated(grids[0][pick % len(grids[0])])) for n, pick in enumerate(first, 1)))
        world.pair("home", "away", RATINGS, mode=mode)
        world.run()
        for film, pick, on_home in then:
            store, grid = (home, grids[0]) if on_home or mode is Mode.ONE_WAY else (away, grids[1])
            store.change(RATINGS, movie(film), Rated(grid[pick % len(grid)]))
            wanted = scores(store)
            world.run()
            assert scores(store) == wanted, "what the user gave is not changed on the side where it was given"
            state = world.baseline_bytes()
            assert (world.run().changes, world.baseline_bytes()) == ((), state)
        assert scores(home).keys() == scores(away).keys()
        assert set(scores(away).values()) <= set(grids[1])


PRECISIONS = [0, 1, 60, 86_400]


@pytest.mark.parametrize(("home_s", "away_s"), list(product(PRECISIONS, PRECISIONS)))
@pytest.mark.parametrize("plays", Plays)
def test_I18_times_survive_the_way_there_and_back(tmp_path, home_s, away_s, plays):
    world = World(tmp_path)
    home = world.account("home", capable({HISTORY: {"precision_s": home_s, "idempotent_add": False}}))
    away = world.account("away", capable({HISTORY: {"precision_s": away_s, "idempotent_add": False}}))
    start = datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)
    for n in range(3):
        for day in range(n + 1):
            home.put(HISTORY, (movie(n), Play(_kept(start + timedelta(days=2 * day), home_s))))
    world.pair("home", "away", HISTORY, plays=plays, hold_removed=timedelta(0))
    before = {n: home.held(HISTORY, movie(n)) for n in range(3)}
    for _ in range(3):
        world.run()
        world.clock.tick(HOUR)
    assert {n: home.held(HISTORY, movie(n)) for n in range(3)} == before
    for n in range(3):
        held = sorted(value.at for value in away.held(HISTORY, movie(n)) if isinstance(value.at, datetime))
        sent = sorted(value.at for value in before[n] if isinstance(value.at, datetime))
        expected = [_kept(at, away_s) for at in (sent if plays is Plays.ALL else sent[-1:])]
        assert held == expected
    assert not world.run().changes


def _kept(at: datetime, precision_s: int) -> datetime:
    """A time as a service keeps it."""
    if precision_s <= 1:
        return at
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % precision_s, UTC)
