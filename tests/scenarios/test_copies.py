"""Two copies of a title on one account (two editions, two libraries): a record moves whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cwsync.model import Change, Feature, Mode, Outcome, Rated, Receipt
from cwsync.provider import Provider
from support.engine import HOUR, MINUTE, World, codes, did
from support.memory import Store, capable
from support.world import at, movie, rated

RATINGS = Feature.RATINGS
AT_ONCE = timedelta(0)
ONE_BY_ONE = capable(every={"batch": 1})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def two_copies(world: World, window: timedelta = AT_ONCE, **rules) -> tuple[Store, Store]:
    """A film that `away` holds twice and `home` once, in step; `away` takes one write at a time."""
    home = world.account("home", staleness=window)
    away = world.account("away", ONE_BY_ONE, staleness=window)
    home.put(RATINGS, (movie(1), rated(5, at(0))), (movie(2), rated(5, at(0))))
    away.put(RATINGS, *[(movie(n), rated(5, at(0))) for n in (1, 1, 2)])
    world.pair("home", "away", RATINGS, **({"hold_removed": AT_ONCE} | rules))
    world.run()
    world.clock.tick(HOUR)
    return home, away


def scores(store: Store) -> list[int]:
    return sorted(value.score for value in store.held(RATINGS, movie(1)) if isinstance(value, Rated))


@pytest.mark.parametrize("n", range(12, 40))
def test_a_crash_between_two_copies_leaves_the_second_with_the_old_value_for_good(world: World, n: int) -> None:
    home, away = two_copies(world)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.cut(n)
    for _ in range(3):
        world.clock.tick(HOUR)
        world.run()
    assert scores(away) == [90, 90]


@pytest.mark.parametrize("n", range(12, 40))
def test_a_crash_between_two_removals_brings_the_film_back_from_the_second_copy(world: World, n: int) -> None:
    home, away = two_copies(world)
    home.take(RATINGS, movie(1))
    world.cut(n)
    for _ in range(3):
        world.clock.tick(HOUR)
        report = world.run()
    assert scores(home) == []
    assert scores(away) == [] or codes(report.holds) == ["doubt"]


def refuse_second(world: World) -> None:
    """The service refuses every write to its second row, as for an item that is locked."""
    inner = world.logins["away"].provider.apply

    async def apply(self: Provider, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        if changes[0].native_key == "row-2":
            return [Receipt(change, Outcome.REJECTED, "locked") for change in changes]
        return await inner(self, feature, changes)

    world.oddly("away", apply=apply)


def test_a_copy_that_was_refused_is_forgotten_when_the_other_copy_agrees(world: World) -> None:
    home, away = two_copies(world)
    plain = world.logins["away"].provider
    refuse_second(world)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    assert scores(away) == [50, 90]
    world.clock.tick(MINUTE)
    assert codes(world.run().skips) == ["parked"]
    world.logins["away"].provider = plain
    world.clock.tick(timedelta(days=2))
    report = world.run()
    assert [one.change.reason for one in report.changes] == ["copies: a copy on away still has the old value"]
    assert scores(away) == [90, 90]
    world.clock.tick(HOUR)
    assert did(world.run()) == []


def test_a_doubt_about_a_batch_of_copies_is_judged_by_each_of_them(world: World) -> None:
    """The connection broke when the first of two copies was written: one has the new value, one the old."""
    home, away = two_copies(world)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.logins["away"].lies.lose_reply = frozenset({1, 2})
    world.run()
    away.rows[RATINGS][1] = replace(away.rows[RATINGS][1], value=rated(5, at(0)))
    for _ in range(2):
        world.clock.tick(HOUR)
        world.run()
    assert scores(away) == [90, 90]
    assert scores(home) == [90]


def test_a_copy_that_someone_changed_by_hand_is_no_old_value(world: World) -> None:
    """One copy has the new value and the other one of its own: nobody asked for that to be overwritten."""
    home, away = two_copies(world)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    away.rows[RATINGS][0] = replace(away.rows[RATINGS][0], value=rated(9, world.clock()))
    away.rows[RATINGS][1] = replace(away.rows[RATINGS][1], value=rated(2, at(0)))
    world.run()
    assert scores(away) == [20, 90]


def test_a_finer_score_on_one_copy_is_given_to_the_other_and_not_rounded_away(world: World) -> None:
    home, away = world.account("home", capable(every={"scores": (20, 40, 60, 80, 100)})), world.account("away")
    home.put(RATINGS, (movie(1), rated(8, at(0))))
    away.put(RATINGS, (movie(1), Rated(80, at(0))), (movie(1), Rated(80, at(0))))
    world.pair("home", "away", RATINGS)
    world.run()
    away.rows[RATINGS][0] = replace(away.rows[RATINGS][0], value=Rated(85, world.clock()))
    world.clock.tick(HOUR)
    world.run()
    assert scores(away) == [85, 85]
    assert scores(home) == [80]


def test_in_one_way_the_copies_of_the_source_are_its_own(world: World) -> None:
    away, home = world.account("away"), world.account("home")
    away.put(RATINGS, (movie(1), rated(5, at(0))), (movie(1), rated(5, at(0))))
    home.put(RATINGS, (movie(1), rated(5, at(0))))
    world.pair("away", "home", RATINGS, mode=Mode.ONE_WAY)
    world.run()
    away.rows[RATINGS][0] = replace(away.rows[RATINGS][0], value=rated(9, world.clock()))
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.clock.tick(HOUR)
    assert world.run().features[RATINGS].update == 0
    assert scores(away) == [50, 90]


def test_with_update_off_a_copy_keeps_its_old_value(world: World) -> None:
    home, away = two_copies(world, update=False)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    away.rows[RATINGS][0] = replace(away.rows[RATINGS][0], value=rated(9, world.clock()))
    assert world.run().features[RATINGS].update == 0
    assert scores(away) == [50, 90]


def test_an_undo_of_a_half_failed_record_was_undone_by_the_next_run(world: World) -> None:
    """The run wrote one of two copies, the other was refused. What the undo gives back stays, as with any record."""
    home, away = two_copies(world)
    refuse_second(world)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    assert scores(away) == [50, 90]
    world.clock.tick(MINUTE)
    world.undo()
    assert scores(away) == [50, 50]
    for _ in range(3):
        world.clock.tick(timedelta(days=2))
        assert did(world.run()) == []
    assert scores(away) == [50, 50]
    home.change(RATINGS, movie(1), rated(7, world.clock()))
    world.clock.tick(timedelta(days=2))
    world.run()
    assert 70 in scores(away)


def test_an_undo_said_nothing_of_an_added_film_that_is_there_in_other_copies_now(world: World) -> None:
    """The library was rebuilt, and someone rated both new copies: neither is what the run added."""
    home, away = two_copies(world)
    home.put(RATINGS, (movie(3), rated(9, world.clock())))
    world.run()
    away.take(RATINGS, movie(3))
    away.put(RATINGS, (movie(3), rated(4, world.clock())), (movie(3), rated(6, world.clock())))
    world.clock.tick(HOUR)
    report = world.undo()
    assert (did(report), codes(report.skips)) == ([], ["changed-since"])


def test_an_undo_wrote_the_copy_that_is_left_twice_and_the_next_run_took_that_for_an_edit(world: World) -> None:
    """The run wrote two copies, and one is gone since: what was written to it is taken back with it."""
    home, away = two_copies(world)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    del away.rows[RATINGS][0]
    world.clock.tick(HOUR)
    report = world.undo()
    assert [(one.change.native_key, one.outcome) for one in report.changes] == [("row-2", Outcome.CONFIRMED)]
    for _ in range(3):
        world.clock.tick(timedelta(days=2))
        assert did(world.run()) == []
    assert (scores(home), scores(away)) == ([90], [50])


def differing(world: World) -> tuple[Store, Store]:
    """Two copies with a score each, both written by a run."""
    home, away = two_copies(world)
    away.rows[RATINGS][1] = replace(away.rows[RATINGS][1], value=rated(4, at(0)))
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    assert scores(away) == [90, 90]
    world.clock.tick(HOUR)
    return home, away


def test_an_undo_of_two_copies_that_are_one_by_now_gives_it_its_own_old_value(world: World) -> None:
    _, away = differing(world)
    del away.rows[RATINGS][0]
    world.undo()
    assert scores(away) == [40]


def test_an_undo_of_two_copies_that_nobody_can_tell_apart_any_more_is_left_alone(world: World) -> None:
    """The library was rebuilt with one copy: which of the two old values it should get, nobody knows."""
    _, away = differing(world)
    del away.rows[RATINGS][0]
    away.rows[RATINGS][0] = replace(away.rows[RATINGS][0], native_key="row-77")
    report = world.undo()
    assert (did(report), codes(report.skips)) == ([], ["changed-since"])
