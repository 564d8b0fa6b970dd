"""Answers that never came: what they may have done counts, and is judged, whatever else is said of the record."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from cwsync.errors import Exit, InternalError
from cwsync.model import Feature, FeatureSpec, GuardSpec, Outcome
from support.engine import HOUR, MINUTE, WINDOW, World, codes
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


@pytest.mark.parametrize("off", ["update", "add"])
def test_a_write_in_doubt_was_never_judged_where_the_config_leaves_the_record_alone(tmp_path: Path, off: str) -> None:
    world = World(tmp_path)
    home, away = world.account("home", staleness=WINDOW), world.account("away", staleness=WINDOW)
    for store in (home, away):
        store.put(RATINGS, *[(movie(n), rated(5, at(0))) for n in range(1, 4)])
    world.pair("home", "away", RATINGS)
    world.run()
    world.clock.tick(HOUR)
    if off == "update":
        home.change(RATINGS, movie(1), rated(9, world.clock()))
    else:
        home.put(RATINGS, (movie(7), rated(9, world.clock())))
    world.logins["away"].lies.fail_apply = frozenset({1})
    world.logins["away"].lies.error = InternalError("nobody knows what came of it")
    world.run()
    world.pair("home", "away", FeatureSpec(RATINGS, add=off != "add", update=off != "update", remove=True))
    for _ in range(3):
        world.clock.tick(HOUR)
        report = world.run()
    assert codes(report.skips) == [f"{off}-off"]
    assert [row.mark for row in world.state()[RATINGS].rows.values() if row.mark] == []


def test_a_login_that_ended_in_the_middle_of_a_batch_was_no_more_than_a_record_that_failed(tmp_path: Path) -> None:
    world = World(tmp_path)
    home, away = world.account("home"), world.account("away")
    home.put(RATINGS, *[(movie(n), rated(5, at(0))) for n in range(1, 6)])
    world.pair("home", "away", RATINGS)
    world.logins["away"].lies.refuse = {movie(n).ids[0]: (Outcome.NOT_SENT, "auth") for n in (4, 5)}
    ended = world.run()
    assert ended.exit_code == Exit.LOGIN
    assert ended.error is not None
    assert ended.error.hint == "log in again: cwsync auth login away"
    assert len(away.rows[RATINGS]) == 3, "what was written before counts"
    world.logins["away"].lies.refuse = {}
    assert world.run().exit_code == 0
    assert len(away.rows[RATINGS]) == 5
