"""Plays: each as often as it happened, on both sides, whatever the network does (I8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cwsync.model import Feature, Mode, Op, Outcome, Play, Plays
from support.engine import HOUR, MINUTE, WINDOW, World, codes, did
from support.memory import Store, capable, shown
from support.world import at, episode, movie, played

HISTORY = Feature.HISTORY
FILM = movie(1)
PLACED = episode(1, 1, 2, own=False)
ONCE_MORE = "+target Film 1 (1951) confirmed"


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def watched(world: World, plays: Plays, **rules) -> tuple[Store, Store]:
    """Services on which the same play sent twice is two plays; the source has just seen one."""
    caps = capable(every={"idempotent_add": False})
    home, away = world.account("home", caps, WINDOW), world.account("away", caps, WINDOW)
    for store in (home, away):
        store.put(HISTORY, (movie(9), played(at(0))))
    chosen: dict[str, Any] = {"mode": Mode.ONE_WAY, "hold_removed": timedelta(0), "plays": plays}
    world.pair("home", "away", HISTORY, **(chosen | rules))
    world.run()
    world.clock.tick(HOUR)
    home.put(HISTORY, (FILM, played(at(3))))
    return home, away


@pytest.mark.parametrize("plays", Plays)
@pytest.mark.parametrize("landed", [True, False])
def test_I8_a_play_whose_reply_was_lost_is_not_doubled_by_a_read_that_lags(world, plays, landed):
    home, away = watched(world, plays)
    lies = world.logins["away"].lies
    lies.lose_reply = frozenset({lies.applies + 1})
    before = list(away.rows[HISTORY])
    assert world.run().exit_code == 3
    if landed:
        lies.hide(HISTORY, FILM, [], until=world.clock() + WINDOW - MINUTE)
    else:
        away.rows[HISTORY] = before
    for _ in range(2):
        world.clock.tick(5 * MINUTE)
        frozen = world.run()
        assert (did(frozen), codes(frozen.holds)) == ([], ["settling"])
    world.clock.tick(WINDOW)
    assert did(world.run()) == ([] if landed else [ONCE_MORE])
    assert shown(away, HISTORY) == shown(home, HISTORY)


@pytest.mark.parametrize("plays", Plays)
def test_a_refused_play_is_parked(world, plays):
    watched(world, plays)
    lies = world.logins["away"].lies
    lies.refuse = {FILM.ids[0]: (Outcome.NOT_FOUND, "no-such-title")}
    assert did(world.run()) == ["+target Film 1 (1951) not_found"]
    rows = len(world.rows(HISTORY))
    for _ in range(3):
        world.clock.tick(5 * MINUTE)
        waiting = world.run()
        assert (did(waiting), codes(waiting.skips), len(world.rows(HISTORY))) == ([], ["parked"], rows)


@pytest.mark.parametrize("plays", Plays)
def test_a_new_play_is_believed_at_the_second_look(world, plays):
    watched(world, plays, hold_new=10 * MINUTE)
    assert codes(world.run().holds) == ["first-seen"]
    world.clock.tick(9 * MINUTE)
    assert codes(world.run().holds) == ["first-seen"]
    world.clock.tick(MINUTE)
    assert did(world.run()) == [ONCE_MORE]


@pytest.mark.parametrize("plays", Plays)
def test_a_play_of_an_episode_known_by_its_place_alone_was_new_at_every_look(world, plays):
    """Its key has a ``#`` of its own (``tvdb_show:9#s1e2@...``): what was seen or refused of it was forgotten."""
    home, _away = watched(world, plays, hold_new=10 * MINUTE)
    home.take(HISTORY, FILM)
    home.put(HISTORY, (PLACED, played(at(3))))
    assert codes(world.run().holds) == ["first-seen"]
    rows = len(world.rows(HISTORY))
    world.clock.tick(11 * MINUTE)
    world.logins["away"].lies.refuse = {PLACED.tokens()[0]: (Outcome.NOT_FOUND, "no-such-title")}
    refused = world.run()
    assert [one.outcome for one in refused.changes] == [Outcome.NOT_FOUND]
    for _ in range(3):
        world.clock.tick(5 * MINUTE)
        waiting = world.run()
        assert (did(waiting), codes(waiting.skips), len(world.rows(HISTORY))) == ([], ["parked"], rows)


@pytest.mark.parametrize("plays", Plays)
def test_I8_a_play_that_someone_made_between_read_and_write_is_not_made_twice(world, plays):
    home, away = watched(world, plays)
    bare = capable(every={"idempotent_add": False, "stamp_moves_on_removal": False})
    for name in ("home", "away"):
        world.oddly(name, capabilities=bare)
    world.logins["away"].lies.before_fence = lambda: away.put(HISTORY, (FILM, played(at(3))))
    assert [one.outcome for one in world.run().changes] == [Outcome.NOT_SENT]
    assert world.run().changes == ()
    assert shown(away, HISTORY) == shown(home, HISTORY)


@pytest.mark.parametrize("side", ["home", "away"])
@pytest.mark.parametrize("odd", [{"keeps_date": False, "undated": False}, {"plays": False}])
def test_full_play_lists_need_two_sides_that_keep_them(world, side, odd):
    """Else a play comes back under another date, and the next run takes it for a new one and the old one for gone."""
    accounts = {}
    for name in ("home", "away"):
        accounts[name] = world.account(name, capable({HISTORY: odd if name == side else {}}))
    accounts["home"].put(HISTORY, (FILM, played(at(0))), (FILM, played(at(1))))
    mine = accounts["home"].held(HISTORY, FILM)
    world.pair("home", "away", HISTORY, plays=Plays.ALL, hold_removed=timedelta(0))
    for n in range(4):
        report = world.run()
        assert n or any('plays = "all"' in text for text in report.warnings)
        assert [one for one in report.changes if one.change.op is Op.REMOVE] == []
        world.clock.tick(HOUR)
    assert accounts["home"].held(HISTORY, FILM) == mine
    assert len(accounts["away"].held(HISTORY, FILM)) == 1


def test_full_play_lists_copy_each_play_once_and_take_back_the_one_that_went(world):
    home, away = watched(world, Plays.ALL, mode=Mode.TWO_WAY)
    home.put(HISTORY, (FILM, played(at(5))), (FILM, played(at(7))))
    away.put(HISTORY, (FILM, played(at(6))))
    world.run()
    world.clock.tick(HOUR)
    assert shown(home, HISTORY) == shown(away, HISTORY)
    assert len(home.held(HISTORY, FILM)) == 4
    home.rows[HISTORY] = [row for row in home.rows[HISTORY] if row.value != Play(at(6))]
    assert did(world.run()) == ["-target Film 1 (1951) confirmed"]
    assert sorted(away.held(HISTORY, FILM), key=str) == sorted(home.held(HISTORY, FILM), key=str)


def test_I8_one_read_that_left_a_play_out_and_said_it_was_whole_doubled_the_play(world):
    home = world.account("home")
    away = world.account("away", capable(every={"idempotent_add": False}))
    home.put(HISTORY, (movie(1), played(at(0))), (movie(2), played(at(0))))
    world.pair("home", "away", HISTORY, mode=Mode.ONE_WAY)
    world.run()
    world.clock.tick(HOUR)
    world.logins["away"].lies.unsaid = {HISTORY: frozenset(str(one) for one in movie(1).ids)}
    report = world.run()
    assert [one.change.item for one in report.changes] == [movie(1)]
    assert len(away.held(HISTORY, movie(1))) == 1


def test_I8_in_a_union_one_read_that_left_a_play_out_doubled_it(world):
    """Nothing is known of before in a union, so the play did not look lost: it looked new."""
    home = world.account("home")
    away = world.account("away", capable(every={"idempotent_add": False}))
    for store in (home, away):
        store.put(HISTORY, (movie(1), played(at(0))), (movie(2), played(at(0))))
    world.pair("home", "away", HISTORY)
    world.run()
    world.clock.tick(40 * 24 * HOUR)
    world.logins["away"].lies.unsaid = {HISTORY: frozenset(str(one) for one in movie(1).ids)}
    report = world.run()
    assert "this run is a union" in report.warnings[0]
    assert [one.change.item for one in report.changes] == [movie(1)]
    assert len(away.held(HISTORY, movie(1))) == 1
