"""Whole runs of the real engine, told as stories: first runs, later runs, changed minds, old state."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from cwsync.model import Conflict, Feature, FeatureSpec, Kind, Mode, Side
from support.engine import DAY, HOUR, MINUTE, WINDOW, World, codes, did
from support.memory import shown
from support.world import at, listed, movie, played, rated, show

RATINGS, WATCHLIST, HISTORY = Feature.RATINGS, Feature.WATCHLIST, Feature.HISTORY
AT_ONCE = timedelta(0)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def two(world: World, *features: Feature, common: int = 0, **rules):
    """Two accounts and a pair; both hold the first `common` films of each feature, rated 5."""
    home, away = world.account("home"), world.account("away")
    for n in range(1, common + 1):
        for store in (home, away):
            store.put(RATINGS, (movie(n), rated(5)))
            store.put(WATCHLIST, (movie(n), listed()))
    world.pair("home", "away", *(features or (RATINGS,)), **({"hold_removed": AT_ONCE} | rules))
    return home, away


def test_a_first_run_is_a_union_and_the_second_has_nothing_to_do(world):
    home, away = two(world)
    home.put(RATINGS, (movie(1), rated(8)), (movie(2), rated(7)))
    away.put(RATINGS, (movie(2), rated(7)), (movie(3), rated(6)))
    first = world.run()
    assert first.first_run
    assert did(first) == ["+source Film 3 (1953) 6 confirmed", "+target Film 1 (1951) 8 confirmed"]
    before = world.baseline_bytes()
    second = world.run()
    assert (did(second), second.exit_code, second.first_run) == ([], 0, False)
    assert shown(home, RATINGS) == shown(away, RATINGS)
    assert world.baseline_bytes() == before


def test_two_way_edits_go_both_ways(world):
    home, away = two(world, common=4)
    world.run()
    home.change(RATINGS, movie(1), rated(9))
    away.change(RATINGS, movie(2), rated(3))
    away.take(RATINGS, movie(3))
    home.put(RATINGS, (movie(7), rated(10)))
    assert did(world.run()) == [
        "+target Film 7 (1957) 10 confirmed",
        "-source Film 3 (1953) confirmed",
        "~source Film 2 (1952) 3 confirmed",
        "~target Film 1 (1951) 9 confirmed",
    ]
    assert shown(home, RATINGS) == shown(away, RATINGS)


def test_one_way_never_touches_the_source(world):
    home, away = two(world, common=4, mode=Mode.ONE_WAY)
    world.run()
    home.take(RATINGS, movie(1))  # gone: follows
    away.take(RATINGS, movie(2))  # removed on the target only: comes back
    away.change(RATINGS, movie(3), rated(1))  # drifted: set right
    away.put(RATINGS, (movie(9), rated(9)))  # the target's own: left alone
    assert did(world.run()) == [
        "+target Film 2 (1952) 5 confirmed",
        "-target Film 1 (1951) confirmed",
        "~target Film 3 (1953) 5 confirmed",
    ]
    assert home.writes() == 0
    assert world.run().changes == ()


def test_a_first_run_in_slices_goes_on_and_removes_nothing_until_it_is_done(world):
    home, away = two(world)
    home.put(RATINGS, *((movie(n), rated(5)) for n in range(1, 6)))
    assert len(world.run(limit=2).changes) == 2
    home.take(RATINGS, movie(1))  # synced in the first slice, then removed by the user
    second = world.run(limit=2)
    assert [one.change.op.value for one in second.changes] == ["add", "add"]
    assert "first-run" in codes(second.holds)
    third = world.run()
    assert not [one for one in third.changes if one.change.op.value == "remove"]
    assert did(world.run()) == ["-target Film 1 (1951) confirmed"]
    assert shown(home, RATINGS) == shown(away, RATINGS)


CHANGED = [
    ("types", frozenset({Kind.MOVIE})),
    ("since", date(2023, 1, 1)),
    ("until", date(2030, 1, 1)),
]


@pytest.mark.parametrize(("rule", "value"), CHANGED)
def test_changed_filters_make_a_union_and_say_so(world, rule, value):
    home, away = two(world, HISTORY)
    for store in (home, away):
        store.put(HISTORY, (movie(1), played(at(1))), (movie(2), played(at(2))))
    world.run()
    home.take(HISTORY, movie(1))
    world.pair("home", "away", HISTORY, hold_removed=AT_ONCE, **{rule: value})
    union = world.run()
    assert did(union) == ["+source Film 1 (1951) confirmed"]
    assert any("union" in text and "types or dates changed" in text for text in union.warnings)
    home.take(HISTORY, movie(1))
    after = world.run()
    assert (did(after), after.warnings) == (["-target Film 1 (1951) confirmed"], ())


def test_a_pair_turned_around_keeps_its_baseline(world):
    home, away = two(world, common=3)
    world.run()
    home.take(RATINGS, movie(1))
    world.pair("away", "home", RATINGS, name="home-away", hold_removed=AT_ONCE)
    report = world.run()
    assert not report.warnings
    assert did(report) == ["-source Film 1 (1951) confirmed"]
    assert shown(home, RATINGS) == shown(away, RATINGS)


@pytest.mark.parametrize("mode", Mode)
def test_another_mode_keeps_the_baseline(world, mode):
    home, _ = two(world, common=3, mode=mode)
    world.run()
    other = Mode.TWO_WAY if mode is Mode.ONE_WAY else Mode.ONE_WAY
    home.take(RATINGS, movie(1))
    world.pair("home", "away", RATINGS, mode=other, hold_removed=AT_ONCE)
    report = world.run()
    assert (did(report), report.warnings) == (["-target Film 1 (1951) confirmed"], ())


def test_one_failing_read_stops_its_feature_and_no_other(world):
    home, away = two(world, RATINGS, WATCHLIST, common=2)
    world.run()
    home.put(RATINGS, (movie(8), rated(8)))
    home.put(WATCHLIST, (movie(8), listed()))
    before = world.rows(WATCHLIST)
    lies = world.logins["away"].lies
    lies.fail_reads, lies.fail_reads_of = 1, frozenset({WATCHLIST})
    report = world.run()
    assert did(report) == ["+target Film 8 (1958) 8 confirmed"]
    assert report.exit_code == 75
    assert report.error is not None
    assert report.error.feature is WATCHLIST
    assert world.rows(WATCHLIST) == before
    assert did(world.run()) == ["+target Film 8 (1958) confirmed"]
    assert away.keys(WATCHLIST) == home.keys(WATCHLIST)


def test_I4_an_incomplete_read_removes_nothing_and_the_rest_goes_on(world):
    home, away = two(world, common=4)
    world.run()
    home.put(RATINGS, (movie(9), rated(9)))
    lies = world.logins["home"].lies
    lies.drop_tokens = frozenset({movie(1).ids[0], movie(2).ids[0]})
    before = world.rows(RATINGS)
    report = world.run()
    assert did(report) == ["+target Film 9 (1959) 9 confirmed"]
    assert any("not read completely" in text for text in report.warnings)
    after = world.rows(RATINGS)
    assert {key: after[key] for key in before} == before
    assert len(away.rows[RATINGS]) == 5


# --- state that is not what it should be -------------------------------------------------------------


def removed_then_rated_again(world: World):
    """A film was removed on both sides by us; later the user rated it on one side. Gives the state from before."""
    home, away = two(world, RATINGS, WATCHLIST, common=3)
    world.run()
    old = world.baseline_bytes()
    home.take(RATINGS, movie(1))
    world.clock.tick(HOUR)
    assert did(world.run()) == ["-target Film 1 (1951) confirmed"]
    away.put(RATINGS, (movie(1), rated(9)))
    world.path("state.json").write_bytes(old)
    world.clock.tick(HOUR)
    return home, away


def test_a_restored_state_makes_a_union(world):
    home, away = removed_then_rated_again(world)
    report = world.run()
    assert any("restored or rolled back" in text for text in report.warnings)
    assert did(report) == ["+source Film 1 (1951) 9 confirmed"]
    assert world.run().warnings == ()
    assert shown(home, RATINGS) == shown(away, RATINGS)


def test_a_restored_state_stays_suspect_when_a_guard_stops_the_first_run_after_it(world):
    home, away = removed_then_rated_again(world)
    away.clock = lambda: world.clock() + DAY
    assert [guard.name for guard in world.run().guards] == ["clock", "clock"]
    away.clock = world.clock
    assert did(world.run()) == ["+source Film 1 (1951) 9 confirmed"]
    assert shown(home, RATINGS) == shown(away, RATINGS)


@pytest.mark.parametrize("how", ["another feature", "a failed read", "a cut"])
def test_a_restored_state_stays_suspect_for_each_feature_until_it_was_united(world, how):
    home, away = removed_then_rated_again(world)
    lies = world.logins["home"].lies
    if how == "another feature":
        world.run(features=frozenset({WATCHLIST}))
    elif how == "a failed read":
        lies.fail_reads, lies.fail_reads_of = 1, frozenset({RATINGS})
        world.run()
    else:
        assert world.cut(6)
    assert did(world.run()) == ["+source Film 1 (1951) 9 confirmed"]
    assert shown(home, RATINGS) == shown(away, RATINGS)


@pytest.mark.parametrize(("days", "union"), [(30, False), (31, True)])
def test_a_baseline_of_more_than_30_days_makes_a_union(world, days, union):
    home, _ = two(world, common=3)
    world.run()
    home.take(RATINGS, movie(1))
    world.clock.tick(days * DAY)
    report = world.run()
    assert did(report) == ["+source Film 1 (1951) 5 confirmed" if union else "-target Film 1 (1951) confirmed"]
    assert any("days ago" in text for text in report.warnings) is union


def test_the_age_of_a_baseline_is_that_of_its_own_feature(world):
    home, _ = two(world, RATINGS, WATCHLIST, common=3)
    world.run()
    home.take(RATINGS, movie(1))
    world.clock.tick(40 * DAY)
    world.run(features=frozenset({WATCHLIST}))
    assert did(world.run()) == ["+source Film 1 (1951) 5 confirmed"]


def test_the_age_counts_from_the_last_look_whatever_became_of_the_run(world):
    """A conflict that is listed each day makes each run end with 3; the baseline is a day old all the same."""
    home, away = two(world, common=3, conflict=Conflict.SKIP)
    world.run()
    home.put(RATINGS, (movie(9), rated(9)))
    away.put(RATINGS, (movie(9), rated(1)))
    for _ in range(35):
        world.clock.tick(DAY)
        assert world.run().exit_code == 3
    home.take(RATINGS, movie(1))
    world.clock.tick(DAY)
    assert did(world.run()) == ["-target Film 1 (1951) confirmed"]


def test_a_pair_that_never_ended_well_has_an_age_too(world):
    home, away = two(world, common=3, conflict=Conflict.SKIP)
    home.put(RATINGS, (movie(9), rated(9)))
    away.put(RATINGS, (movie(9), rated(1)))
    assert world.run().exit_code == 3
    home.take(RATINGS, movie(1))
    world.clock.tick(40 * DAY)
    assert did(world.run()) == ["+source Film 1 (1951) 5 confirmed"]


def test_conflicts_that_are_skipped_are_listed_each_run(world):
    home, away = two(world, common=2, conflict=Conflict.SKIP)
    world.run()
    home.change(RATINGS, movie(1), rated(9))
    away.change(RATINGS, movie(1), rated(2))
    for _ in range(3):
        report = world.run()
        assert (did(report), codes(report.conflicts), report.exit_code) == ([], ["conflict"], 3)
    away.change(RATINGS, movie(1), rated(9))
    report = world.run()
    assert (did(report), codes(report.conflicts), report.exit_code) == ([], [], 0)


def test_a_removal_is_believed_at_the_second_look(world):
    home, away = two(world, common=2, hold_removed=None)
    world.run()
    home.take(RATINGS, movie(1))
    world.clock.tick(HOUR)
    for minutes, expected in ((0, []), (9, []), (1, ["-target Film 1 (1951) confirmed"])):
        world.clock.tick(minutes * MINUTE)
        assert did(world.run()) == expected
    assert len(away.rows[RATINGS]) == 1


def test_I19_a_film_that_changes_its_ids_is_never_removed(world):
    home, away = two(world)
    home.put(RATINGS, (movie(1, services="tmdb"), rated(8)))
    away.put(RATINGS, (movie(1, services="tmdb"), rated(8)))
    world.run()
    for services in ("imdb tmdb", "imdb", "imdb tvdb", "tvdb tmdb"):
        rows = home.rows[RATINGS]
        home.rows[RATINGS] = []
        home.put(RATINGS, *((movie(1, services=services), row.value) for row in rows))
        world.clock.tick(HOUR)
        report = world.run()
        assert not [one for one in report.changes if one.change.op.value == "remove"], services
    assert len(home.rows[RATINGS]) == 1


def test_season_zero_and_shows_travel_with_their_kind(world):
    home, away = two(world)
    home.put(RATINGS, (show(1), rated(8)), (movie(1), rated(4)))
    world.run()
    assert away.keys(RATINGS) == home.keys(RATINGS)


@pytest.mark.parametrize("side", Side)
def test_a_pair_with_add_off_only_updates(world, side):
    home, away = two(world, common=2)
    world.pair("home", "away", FeatureSpec(RATINGS, add=False), name="home-away")
    world.run()
    store = home if side is Side.SOURCE else away
    store.change(RATINGS, movie(1), rated(9))
    store.put(RATINGS, (movie(5), rated(9)))
    report = world.run()
    assert did(report) == [f"~{side.other} Film 1 (1951) 9 confirmed"]
    assert codes(report.skips) == ["add-off"]


def test_I25_what_we_wrote_is_left_alone_for_the_window_of_the_account(world):
    home, away = world.account("home"), world.account("away", staleness=WINDOW)
    world.pair("home", "away", RATINGS, hold_removed=AT_ONCE)
    home.put(RATINGS, (movie(1), rated(8)), (movie(2), rated(8)))
    world.run()
    home.change(RATINGS, movie(1), rated(3))
    away.change(RATINGS, movie(2), rated(4))
    world.clock.tick(WINDOW - MINUTE)
    frozen = world.run()
    assert (did(frozen), codes(frozen.holds), frozen.exit_code) == ([], ["settling", "settling"], 0)
    world.clock.tick(MINUTE)
    assert did(world.run()) == ["~source Film 2 (1952) 4 confirmed", "~target Film 1 (1951) 3 confirmed"]
