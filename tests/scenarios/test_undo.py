"""A run is taken back: what it wrote is written back where it still stands, and stays so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cwsync.errors import UsageError
from cwsync.model import Conflict, Feature, GuardSpec, Mode, Outcome, Plays
from cwsync.state import read_journal
from support.engine import HOUR, WINDOW, World, codes, did, fingerprint_of
from support.memory import capable, shown
from support.world import at, listed, movie, played, rated, stopped

RATINGS, WATCHLIST, HISTORY, PROGRESS = Feature.RATINGS, Feature.WATCHLIST, Feature.HISTORY, Feature.PROGRESS
AT_ONCE = timedelta(0)
MODES = list(Mode)


def known(world: World, *features: Feature, window=AT_ONCE, caps=None, **rules):
    """Two accounts in step on films 1 to 5, with a baseline."""
    home, away = world.account("home", caps, staleness=window), world.account("away", caps, staleness=window)
    for store in (home, away):
        for n in range(1, 6):
            store.put(RATINGS, (movie(n), rated(5, at(0))))
            store.put(WATCHLIST, (movie(n), listed(at(0))))
            store.put(HISTORY, (movie(n), played(at(0))))
            store.put(PROGRESS, (movie(n), stopped(20, 100, at(0))))
    world.pair("home", "away", *(features or (RATINGS,)), **({"hold_removed": AT_ONCE} | rules))
    world.run()
    world.clock.tick(HOUR)
    return home, away


def everything(world: World) -> dict[str, list[str]]:
    return {
        f"{name} {feature}": shown(login.store, feature) for name, login in world.logins.items() for feature in Feature
    }


def edited(world: World, home, away, mode: Mode) -> None:
    """An add, an update and a removal, wherever this mode listens."""
    home.put(RATINGS, (movie(7), rated(8, world.clock())))
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    home.take(RATINGS, movie(2))
    if mode is Mode.TWO_WAY:
        away.put(RATINGS, (movie(8), rated(3, world.clock())))
        away.change(RATINGS, movie(3), rated(2, world.clock()))


@pytest.mark.parametrize("mode", MODES)
def test_I23_undo_restores_the_values_before_the_run_and_the_next_runs_leave_them(tmp_path, mode):
    world = World(tmp_path)
    home, away = known(world, mode=mode)
    edited(world, home, away, mode)
    before = everything(world)
    wrote = world.run()
    assert wrote.changes
    back = world.undo()
    assert (back.exit_code, len(back.changes)) == (0, len(wrote.changes))
    assert everything(world) == before
    for _ in range(3):
        world.clock.tick(HOUR)
        assert did(world.run()) == []
    still = world.baseline_bytes()
    world.run(full=True)
    assert world.baseline_bytes() == still
    assert everything(world) == before


@pytest.mark.parametrize("mode", MODES)
def test_I23_an_undo_can_be_undone_and_that_again(tmp_path, mode):
    world = World(tmp_path)
    home, away = known(world, mode=mode)
    edited(world, home, away, mode)
    before = everything(world)
    world.run()
    after, first = everything(world), world.past().runs[0].run_id
    world.undo()
    second = world.past().runs[0]
    assert second.undoes == first
    assert world.undo(run_id=second.run_id).exit_code == 0
    assert everything(world) == after
    assert did(world.run()) == []
    third = world.past().runs[0]
    assert third.undoes == second.run_id
    world.undo(run_id=third.run_id)
    assert everything(world) == before
    assert did(world.run()) == []


def test_I23_an_undo_is_dry_first_and_says_what_it_then_does(tmp_path):
    world = World(tmp_path)
    home, away = known(world)
    edited(world, home, away, Mode.TWO_WAY)
    world.run()
    before, marks = everything(world), fingerprint_of(tmp_path)
    dry = world.undo(apply=False)
    assert (everything(world), fingerprint_of(tmp_path)) == (before, marks)
    done = world.undo()
    assert (dry.digest, did(dry)) == (done.digest, [line.removesuffix(" confirmed") for line in did(done)])
    journal = read_journal(max(world.path("runs").iterdir(), key=lambda path: path.stat().st_mtime_ns))
    assert journal is not None
    assert journal.header.undoes == world.past().runs[1].run_id


def test_what_changed_since_the_run_is_left_alone_and_listed(tmp_path):
    world = World(tmp_path)
    home, away = known(world)
    for n in (1, 2, 3):
        home.change(RATINGS, movie(n), rated(9, world.clock()))
    home.put(RATINGS, (movie(7), rated(8, world.clock())))
    home.take(RATINGS, movie(4))
    world.run()
    away.change(RATINGS, movie(1), rated(1, world.clock()))  # another value
    away.take(RATINGS, movie(2))  # gone
    away.take(RATINGS, movie(7))  # taken back by hand
    away.put(RATINGS, (movie(4), rated(1, world.clock())))  # back with another value
    report = world.undo()
    assert did(report) == ["~target Film 3 (1953) 5 confirmed"]
    assert [(note.item.label(), note.code) for note in report.skips] == [
        ("Film 1 (1951)", "changed-since"),
        ("Film 2 (1952)", "changed-since"),
        ("Film 4 (1954)", "changed-since"),
    ]
    assert (report.exit_code, report.features[RATINGS].same) == (0, 1)


def test_a_second_undo_of_the_same_run_finds_nothing_left_to_do(tmp_path):
    world = World(tmp_path)
    home, away = known(world)
    edited(world, home, away, Mode.TWO_WAY)
    world.run()
    run = world.past().runs[0].run_id
    world.undo(run_id=run)
    before = everything(world)
    assert did(world.undo(run_id=run)) == []
    assert everything(world) == before


def test_the_newest_run_is_not_taken_back_twice_by_typing_the_same_again(tmp_path):
    world = World(tmp_path)
    home, away = known(world)
    edited(world, home, away, Mode.TWO_WAY)
    world.run()
    world.undo()
    before = everything(world)
    with pytest.raises(UsageError, match="took back") as caught:
        world.undo()
    assert "cwsync undo home-away" in (caught.value.hint or "")
    assert everything(world) == before


@pytest.mark.parametrize("mode", MODES)
def test_an_edit_after_an_undo_is_synced_like_any_other(tmp_path, mode):
    world = World(tmp_path)
    home, away = known(world, mode=mode)
    edited(world, home, away, mode)
    world.run()
    world.undo()
    home.change(RATINGS, movie(1), rated(4, world.clock()))
    home.change(RATINGS, movie(7), rated(2, world.clock()))
    assert did(world.run()) == ["+target Film 7 (1957) 2 confirmed", "~target Film 1 (1951) 4 confirmed"]
    assert did(world.run()) == []


def test_an_edit_between_a_run_and_its_undo_is_still_news_to_the_next_run(tmp_path):
    world = World(tmp_path)
    home, _away = known(world)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    home.change(RATINGS, movie(1), rated(7, world.clock()))
    assert did(world.undo()) == ["~target Film 1 (1951) 5 confirmed"]
    assert did(world.run()) == ["~target Film 1 (1951) 7 confirmed"]


def test_guards_judge_an_undo_and_its_digest_lets_it_through(tmp_path):
    world = World(tmp_path)
    home = world.account("home")
    away = world.account("away")
    home.put(RATINGS, *((movie(n), rated(5, at(0))) for n in range(1, 31)))
    away.put(RATINGS, (movie(99), rated(5, at(0))))
    world.pair("home", "away", RATINGS, mode=Mode.ONE_WAY, guards=GuardSpec())
    world.run()
    stopped_report = world.undo()
    assert (stopped_report.exit_code, len(away.rows[RATINGS])) == (4, 31)
    assert {guard.name for guard in stopped_report.guards} >= {"removes"}
    done = world.undo(accept=stopped_report.digest)
    assert (done.exit_code, len(away.rows[RATINGS])) == (0, 1)
    assert did(world.run()) == []


def test_an_undo_waits_while_the_write_may_not_show(tmp_path):
    world = World(tmp_path)
    home, _away = known(world, window=WINDOW)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    early = world.undo()
    assert (did(early), codes(early.holds), early.exit_code) == ([], ["settling"], 3)
    world.clock.tick(HOUR)
    assert did(world.undo()) == ["~target Film 1 (1951) 5 confirmed"]


def test_a_write_in_doubt_is_not_taken_back_and_listed(tmp_path):
    world = World(tmp_path)
    home, _away = known(world)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.logins["away"].lies.lose_reply = frozenset({1})
    world.run()
    report = world.undo()
    assert (did(report), codes(report.holds)) == ([], ["doubt"])
    world.clock.tick(HOUR)
    world.run()
    report = world.undo()
    assert (did(report), codes(report.skips), codes(report.holds)) == ([], ["in-doubt"], [])


def test_a_date_that_cannot_be_restored_is_said_before(tmp_path):
    world = World(tmp_path)
    home, away = known(world, HISTORY, caps=capable({HISTORY: {"keeps_date": False}}))
    home.take(HISTORY, movie(1))
    world.run()
    (change,) = [one.change for one in world.undo(apply=False).changes]
    assert change.lost == "the date cannot be kept"
    world.undo()
    assert away.held(HISTORY, movie(1))


def test_what_the_service_cannot_do_is_said_before(tmp_path):
    world = World(tmp_path)
    home, _away = known(world, caps=capable({RATINGS: {"remove": False}}))
    home.put(RATINGS, (movie(7), rated(8, world.clock())))
    world.run()
    report = world.undo(apply=False)
    assert (did(report), codes(report.skips)) == ([], ["unsupported"])


def test_an_undo_needs_no_removals_switched_on(tmp_path):
    world = World(tmp_path)
    home, _away = known(world, remove=False, mode=Mode.ONE_WAY)
    home.put(RATINGS, (movie(7), rated(8, world.clock())))
    world.run()
    assert did(world.undo()) == ["-target Film 7 (1957) confirmed"]
    assert did(world.run()) == []


def test_plays_are_taken_back_one_by_one(tmp_path):
    world = World(tmp_path)
    home, away = known(world, HISTORY, plays=Plays.ALL)
    home.put(HISTORY, (movie(1), played(at(3))), (movie(1), played(at(4))), (movie(9), played(at(5))))
    before = shown(away, HISTORY)
    world.run()
    world.undo()
    assert shown(away, HISTORY) == before
    assert did(world.run()) == []


@pytest.mark.parametrize("feature", [WATCHLIST, HISTORY, PROGRESS])
@pytest.mark.parametrize("mode", MODES)
def test_every_feature_can_be_taken_back(tmp_path, feature, mode):
    world = World(tmp_path)
    home, _away = known(world, feature, mode=mode)
    value = {WATCHLIST: listed(at(1)), HISTORY: played(at(1)), PROGRESS: stopped(30, 100, at(1))}[feature]
    home.put(feature, (movie(9), value))
    home.take(feature, movie(1))
    if feature is PROGRESS:
        home.change(feature, movie(2), stopped(60, 100, world.clock()))
    before = everything(world)
    assert world.run().changes
    world.undo()
    assert everything(world) == before
    world.clock.tick(HOUR)
    assert did(world.run()) == []
    assert everything(world) == before


def test_a_feature_that_was_switched_off_since_can_be_taken_back(tmp_path):
    world = World(tmp_path)
    home, _away = known(world, RATINGS, WATCHLIST)
    home.put(WATCHLIST, (movie(7), listed(at(1))))
    world.run()
    world.pair("home", "away", RATINGS)
    assert did(world.undo()) == ["-target Film 7 (1957) confirmed"]


def test_a_pair_that_was_turned_round_takes_back_what_it_wrote_before(tmp_path):
    world = World(tmp_path)
    home, away = known(world)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    del world.pairs["home-away"]
    world.pair("away", "home", RATINGS, name="home-away")
    report = world.undo("home-away")
    assert did(report) == ["~source Film 1 (1951) 5 confirmed"]
    assert len(away.held(RATINGS, movie(1))) == 1


def test_a_run_on_other_accounts_is_not_taken_back(tmp_path):
    world = World(tmp_path)
    home, _away = known(world)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    world.account("other")
    world.pair("home", "other", RATINGS, name="home-away")
    with pytest.raises(UsageError, match="the accounts of home-away are home and other now"):
        world.undo("home-away")


def test_nothing_to_take_back_is_said(tmp_path):
    world = World(tmp_path)
    known(world)
    with pytest.raises(UsageError, match="no run that wrote anything"):
        world.undo()
    with pytest.raises(UsageError, match="no finished run 'x'"):
        world.undo(run_id="x")


def test_a_policy_that_the_other_side_wins_does_not_undo_an_undo(tmp_path):
    world = World(tmp_path)
    home, _away = known(world, conflict=Conflict.TARGET)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    world.undo()
    assert did(world.run()) == []


@pytest.mark.parametrize("mode", MODES)
def test_I7_an_undo_cut_anywhere_and_typed_again_ends_where_the_uncut_one_ends(tmp_path, mode):
    def scene(folder) -> World:
        world = World(folder)
        home, away = known(world, mode=mode, window=WINDOW)
        edited(world, home, away, mode)
        world.run()
        world.clock.tick(HOUR)
        return world

    whole = scene(tmp_path / "whole")
    run = whole.past().runs[0].run_id
    whole.effects = 0
    assert whole.undo(run_id=run).exit_code == 0
    steps, expected = whole.effects, everything(whole)
    for n in range(1, steps + 1):
        world = scene(tmp_path / str(n))
        run = world.past().runs[0].run_id
        assert world.cut_undo(n, run_id=run), n
        world.clock.tick(HOUR)
        world.run()
        world.clock.tick(HOUR)
        world.undo(run_id=run)
        assert everything(world) == expected, f"cut at effect {n} of {steps}"
        world.clock.tick(HOUR)
        assert did(world.run()) == []
        assert everything(world) == expected, f"cut at effect {n} of {steps}"


def test_every_write_that_was_proved_says_who_did_it(tmp_path):
    world = World(tmp_path)
    home, _away = known(world)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    run = world.past().runs[0].run_id
    (one,) = world.undo().changes
    assert (one.change.reason, one.outcome) == (f"undo: update by the run {run}", Outcome.CONFIRMED)


def test_a_journal_that_a_power_cut_left_in_both_places_stops_no_run(tmp_path):
    """It is there, finished, and under `runs/` too: every later run said that it is there already."""
    world = World(tmp_path)
    home, _away = known(world)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    (newest, *_) = sorted(world.path("runs").iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    world.path("journal.jsonl").write_bytes(newest.read_bytes())
    assert world.run().exit_code == 0
    assert not world.path("journal.jsonl").exists()
    assert newest.exists()


def test_a_journal_that_lost_its_end_beside_its_whole_copy_got_another_end_and_stopped_the_pair(tmp_path):
    """Two journals of one run that differ: neither is touched, and the way out is said."""
    world = World(tmp_path)
    home, _away = known(world)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    (newest, *_) = sorted(world.path("runs").iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    short = b"".join(newest.read_bytes().splitlines(keepends=True)[:-1])
    world.path("journal.jsonl").write_bytes(short)
    for run in (world.plan, world.run, world.run):
        report = run()
        assert report.exit_code == 7
        assert "not what runs/ holds" in str(report.error)
    assert world.path("journal.jsonl").read_bytes() == short
