"""A service that removes and never says so: its removals count, too."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from cwsync.model import Feature, GuardSpec
from support.engine import MINUTE, WINDOW, World
from support.world import at, movie, rated

RATINGS = Feature.RATINGS


def test_the_budget_forgot_removals_whose_answer_was_lost(tmp_path: Path) -> None:
    """Five films a time, each reply lost: 30 of 60 were gone in six hours, and no guard had said a word."""
    world = World(tmp_path)
    home, away = world.account("home"), world.account("away", staleness=WINDOW)
    for store in (home, away):
        store.put(RATINGS, *[(movie(n), rated(5, at(0))) for n in range(1, 61)])
    world.pair("home", "away", RATINGS, hold_removed=timedelta(0), guards=GuardSpec(min_overlap_percent=0))
    world.run()
    lies, tripped = world.logins["away"].lies, set()
    for hour in range(6):
        world.clock.tick(60 * MINUTE)
        home.take(RATINGS, *[movie(n) for n in range(1 + 5 * hour, 6 + 5 * hour)])
        lies.lose_reply = frozenset(range(lies.applies + 1, lies.applies + 20))
        tripped |= {guard.name for guard in world.run().guards}
    assert "budget" in tripped
    assert len(away.rows[RATINGS]) >= 60 - 12
