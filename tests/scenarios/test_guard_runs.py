"""Every guard on the real engine: it stops the pair before the first write, and one accepted plan goes through once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from cwsync.model import Feature, GuardSpec, OnGuard, PairReport
from support.engine import DAY, HOUR, MINUTE, WIDE, World, codes, did
from support.memory import Store, shown
from support.world import listed, movie, rated

RATINGS, WATCHLIST = Feature.RATINGS, Feature.WATCHLIST
AT_ONCE = timedelta(0)


class Guarded:
    """A world in which both sides hold the same films, under the guards of the law."""

    def __init__(self, world: World, films: int, guards: GuardSpec, *features: Feature) -> None:
        self.world = world
        self.home, self.away = world.account("home"), world.account("away")
        for store in (self.home, self.away):
            store.put(RATINGS, *((movie(n), rated(5)) for n in range(1, films + 1)))
            store.put(WATCHLIST, *((movie(n), listed()) for n in range(1, films + 1)))
        world.pair("home", "away", *(features or (RATINGS,)), guards=guards, hold_removed=AT_ONCE)
        assert world.run().exit_code == 0
        world.clock.tick(MINUTE)

    def remove(self, store: Store, *numbers: int) -> None:
        store.take(RATINGS, *(movie(n) for n in numbers))


def names(report: PairReport) -> list[str]:
    return [f"{guard.name} {guard.side or '-'}" for guard in report.guards]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def _removes(g: Guarded) -> None:
    g.remove(g.home, *range(1, 7))


def _budget(g: Guarded) -> None:
    for first in (1, 6):
        g.remove(g.home, *range(first, first + 5))
        assert g.world.run().exit_code == 0
    g.remove(g.home, 11)


def _empty(g: Guarded) -> None:
    g.home.rows[RATINGS].clear()


def _overlap(g: Guarded) -> None:
    g.remove(g.home, *range(1, 6))


def _updates(g: Guarded) -> None:
    for n in range(1, 12):
        g.home.change(RATINGS, movie(n), rated(9))


def _adds(g: Guarded) -> None:
    g.home.put(RATINGS, *((movie(n), rated(5)) for n in range(100, 151)))


def _clock(g: Guarded) -> None:
    g.away.clock = lambda: g.world.clock() + timedelta(seconds=301)


NARROW = GuardSpec(min_overlap_percent=0)
TRIPS: list[tuple[str, int, GuardSpec, Callable[[Guarded], None], list[str]]] = [
    ("removes", 30, NARROW, _removes, ["removes target"]),
    ("budget", 30, NARROW, _budget, ["budget target"]),
    ("empty", 5, NARROW, _empty, ["empty source"]),
    ("overlap", 20, GuardSpec(), _overlap, ["overlap source"]),
    ("updates", 20, NARROW, _updates, ["updates target"]),
    ("adds", 20, NARROW, _adds, ["adds target"]),
    ("clock", 3, NARROW, _clock, ["clock target"]),
]


@pytest.mark.parametrize(("name", "films", "guards", "trip", "expected"), TRIPS, ids=[row[0] for row in TRIPS])
def test_I16_a_guard_stops_the_run_and_one_accepted_plan_goes_through_once(world, name, films, guards, trip, expected):
    g = Guarded(world, films, guards)
    trip(g)
    wire, before = len(g.away.wire), world.baseline_bytes()
    dry, refused = world.plan(), world.run()
    assert (names(dry), dry.exit_code) == (expected, 4)
    assert (names(refused), refused.exit_code) == (expected, 4)
    assert refused.digest == dry.digest
    assert (len(g.away.wire), world.baseline_bytes()) == (wire, before)
    planned = did(dry)
    accepted = world.run(accept=refused.digest)
    assert accepted.exit_code == 0
    assert did(accepted) == [f"{line} confirmed" for line in planned]
    if planned:
        again = world.run(accept=refused.digest)
        assert (again.exit_code, again.error and again.error.code) == (4, "stale-plan")
        assert shown(g.home, RATINGS) == shown(g.away, RATINGS)


def test_an_accepted_digest_is_stale_once_a_side_moved(world):
    g = Guarded(world, 30, NARROW)
    _removes(g)
    digest = world.run().digest
    g.away.change(RATINGS, movie(20), rated(9))
    wire = len(g.away.wire) + len(g.home.wire)
    report = world.run(accept=digest)
    assert (report.exit_code, report.error and report.error.code) == (4, "stale-plan")
    assert len(g.away.wire) + len(g.home.wire) == wire


def test_the_account_guard_cannot_be_accepted(world):
    g = Guarded(world, 3, WIDE)
    g.home.account_id = "memory:someone-else"
    g.remove(g.home, 1)
    report = world.run()
    assert (names(report), report.exit_code) == (["account source"], 4)
    assert "reset-state home-away" in report.guards[0].hint
    assert world.run(accept=report.digest).exit_code == 4
    assert len(g.away.rows[RATINGS]) == 3
    g.home.account_id = "memory:home"
    assert did(world.run()) == ["-target Film 1 (1951) confirmed"]


def test_on_guard_hold_holds_the_removals_and_lets_the_rest_go(world):
    g = Guarded(world, 30, GuardSpec(min_overlap_percent=0, on_guard=OnGuard.HOLD))
    _removes(g)
    g.home.put(RATINGS, (movie(99), rated(9)))
    report = world.run()
    assert did(report) == ["+target Film 99 (1979) 9 confirmed"]
    assert (codes(report.holds), names(report), report.exit_code) == (["guard"] * 6, ["removes target"], 4)
    # Allowed later, the very same removals are made.
    world.pair("home", "away", RATINGS, guards=WIDE, hold_removed=AT_ONCE)
    assert len(did(world.run())) == 6
    assert shown(g.home, RATINGS) == shown(g.away, RATINGS)


def test_a_guard_of_one_feature_leaves_the_other_alone(world):
    g = Guarded(world, 30, NARROW, RATINGS, WATCHLIST)
    _removes(g)
    g.home.put(WATCHLIST, (movie(99), listed()))
    report = world.run()
    assert names(report) == ["removes target"]
    assert [text for text in did(report) if "confirmed" in text] == ["+target Film 99 (1979) confirmed"]
    assert report.exit_code == 4


def test_I16_small_losses_in_every_run_add_up_over_a_week(world):
    """Five a run is what anybody may lose; three times that in a week is not. Nothing is forgotten in between."""
    g = Guarded(world, 60, NARROW)
    gone = 0
    for day in range(7):
        g.remove(g.home, *range(gone + 1, gone + 7 - 1))
        gone += 5
        world.clock.tick(DAY)
        report = world.run()
        removed = 60 - len(g.away.rows[RATINGS])
        assert removed <= 18
        if report.guards:
            assert names(report) == ["budget target"]
            assert day == 3
            return
    pytest.fail("the budget never tripped")


def test_flap_holds_a_record_that_is_written_again_and_again(world):
    g = Guarded(world, 2, WIDE)
    for n in range(4):
        g.home.change(RATINGS, movie(1), rated(6 + n % 2))
        world.clock.tick(HOUR)
        assert len(world.run().changes) == 1
    g.home.change(RATINGS, movie(1), rated(9))
    world.clock.tick(HOUR)
    report = world.run()
    assert (did(report), codes(report.holds), report.exit_code) == ([], ["flap"], 3)
    world.clock.tick(DAY)
    assert did(world.run()) == ["~target Film 1 (1951) 9 confirmed"]
