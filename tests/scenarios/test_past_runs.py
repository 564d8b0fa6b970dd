"""What a past run did, told and taken back by its journal: each rule of that, found by switching it off."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cwsync.errors import Exit, UsageError
from cwsync.model import Entry, Feature, Item, Mode, Op, Outcome, Plays
from cwsync.state import LastRun, PairStore, load_last_run
from support.engine import DAY, HOUR, MINUTE, WINDOW, World, codes, did
from support.memory import Store, capable
from support.world import at, movie, played, rated

RATINGS, WATCHLIST, HISTORY = Feature.RATINGS, Feature.WATCHLIST, Feature.HISTORY
AT_ONCE = timedelta(0)
ONE, TWO, SEVEN = movie(1), movie(2), movie(7)


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def known(world: World, *features: Feature, window: timedelta = AT_ONCE, **rules) -> tuple[Store, Store]:
    """Two accounts in step on films 1 to 5, with a baseline."""
    home, away = world.account("home", staleness=window), world.account("away", staleness=window)
    for store in (home, away):
        for n in range(1, 6):
            store.put(RATINGS, (movie(n), rated(5, at(0))))
            store.put(HISTORY, (movie(n), played(at(0))))
    world.pair("home", "away", *(features or (RATINGS,)), **({"hold_removed": AT_ONCE} | rules))
    world.run()
    world.clock.tick(HOUR)
    return home, away


def named_anew(feature: Feature, old: Item, new: Item, *stores: Store) -> None:
    """A service learns an id of a title: the same rows, another item."""
    for store in stores:
        store.rows[feature] = [replace(row, item=new) if row.item == old else row for row in store.rows[feature]]


def newest(world: World) -> str:
    return world.past().runs[0].run_id


def scores(store: Store, item: Item) -> list[object]:
    return [getattr(value, "score", None) for value in store.held(RATINGS, item)]


# --- which record of today a write of then was about --------------------------------------------------

BARE = movie(7, services="tmdb")


def test_a_film_that_got_another_name_since_is_found_by_its_ids(world):
    home, away = known(world)
    home.put(RATINGS, (BARE, rated(8, world.clock())))
    world.run()
    wrote = newest(world)
    named_anew(RATINGS, BARE, SEVEN, home, away)
    world.run()
    assert SEVEN.key() in world.rows(RATINGS)
    assert did(world.undo(run_id=wrote)) == ["-target Film 7 (1957) confirmed"]


def test_a_play_of_a_film_that_got_another_name_since_is_found_by_its_time(world):
    home, away = known(world, HISTORY, plays=Plays.ALL)
    for store in (home, away):
        store.put(HISTORY, (BARE, played(at(1))))
    world.run()
    world.clock.tick(HOUR)
    home.put(HISTORY, (BARE, played(at(3))))
    world.run()
    wrote = newest(world)
    named_anew(HISTORY, BARE, SEVEN, home, away)
    PairStore(world.folder, "home-away").reset(None, world.clock())
    world.run()
    assert len(did(world.undo(run_id=wrote))) == 1
    assert away.held(HISTORY, SEVEN) == [played(at(1))]


def test_two_records_that_became_one_are_left_alone(world):
    """The run added one film here and one there; by now the services know that it is the same film."""
    home, away = known(world)
    mine, theirs = movie(7, services="tmdb"), movie(7, services="imdb")
    home.put(RATINGS, (mine, rated(8, at(1))))
    away.put(RATINGS, (theirs, rated(8, at(1))))
    assert len(world.run().changes) == 2
    for old in (mine, theirs):
        named_anew(RATINGS, old, SEVEN, home, away)
    report = world.undo()
    assert (did(report), codes(report.skips)) == ([], ["changed-since"])


def test_each_of_two_copies_gets_back_what_it_had(world):
    home, away = known(world)
    away.put(RATINGS, (ONE, rated(6, at(0))))
    away.change(RATINGS, ONE, rated(5, at(0)))
    world.run()
    world.clock.tick(HOUR)
    home.change(RATINGS, ONE, rated(9, world.clock()))
    assert len(world.run().changes) == 2
    first, second = (row for row in away.rows[RATINGS] if row.item == ONE)
    away.rows[RATINGS] = [replace(row, value=rated(9, at(9))) if row is second else row for row in away.rows[RATINGS]]
    sent = [one.change.native_key for one in world.undo().changes]
    assert sorted(sent, key=str) == sorted([first.native_key, second.native_key], key=str)
    assert scores(away, ONE) == [50, 50]


def test_a_record_of_which_one_copy_is_in_doubt_is_left_alone_as_a_whole(world):
    home, away = known(world)
    away.put(RATINGS, (ONE, rated(5, at(0))))
    world.run()
    home.change(RATINGS, ONE, rated(9, world.clock()))
    world.oddly("away", capabilities=capable(every={"batch": 1}))
    lies = world.logins["away"].lies
    lies.lose_reply = frozenset({lies.applies + 2})
    assert [one.outcome for one in world.run().changes] == [Outcome.CONFIRMED, Outcome.UNKNOWN]
    wrote = newest(world)
    world.clock.tick(HOUR)
    world.run()
    report = world.undo(run_id=wrote)
    assert (did(report), codes(report.skips)) == ([], ["in-doubt"])
    assert scores(away, ONE) == [90, 90]


# --- what stands in the way ---------------------------------------------------------------------------


def rated_nine(world: World, home: Store) -> None:
    """A run that wrote a 9 over the 5 of film 1 on the target."""
    home.change(RATINGS, ONE, rated(9, world.clock()))
    assert did(world.run()) == ["~target Film 1 (1951) 9 confirmed"]
    world.clock.tick(HOUR)


def test_what_is_ambiguous_by_now_is_not_taken_back(world):
    home, away = known(world)
    rated_nine(world, home)
    stranger = replace(ONE, ids=(*ONE.ids[:1], *movie(30).ids[1:]))
    away.put(RATINGS, Entry(stranger, rated(2, at(0))))
    report = world.undo()
    assert (did(report), set(codes(report.holds)), report.exit_code) == ([], {"ambiguous"}, 3)


def test_what_another_pair_has_just_written_is_not_taken_back(world):
    """The other pair wrote a 3 over our 9, and the service does not show it yet."""
    home, away = known(world, window=WINDOW)
    third = world.account("third", staleness=WINDOW)
    third.put(RATINGS, *((movie(n), rated(5, at(0))) for n in range(1, 6)))
    world.pair("third", "away", RATINGS, hold_removed=AT_ONCE)
    world.run("third-away")
    world.clock.tick(HOUR)
    rated_nine(world, home)
    stale = [row for row in away.rows[RATINGS] if row.item == ONE]
    world.run("third-away")
    world.clock.tick(HOUR)
    third.change(RATINGS, ONE, rated(3, world.clock()))
    assert did(world.run("third-away")) == ["~target Film 1 (1951) 3 confirmed"]
    world.logins["away"].lies.hide(RATINGS, ONE, stale, until=world.clock() + WINDOW)
    report = world.undo("home-away", apply=False)
    assert (did(report), codes(report.holds)) == ([], ["settling"])


@pytest.mark.parametrize("op", [Op.ADD, Op.REMOVE])
def test_on_a_side_that_was_not_read_completely_nothing_is_said_to_be_back_or_gone(world, op):
    home, _away = known(world)
    if op is Op.ADD:
        home.put(RATINGS, (SEVEN, rated(8, world.clock())))
    else:
        home.take(RATINGS, TWO)
    world.run()
    hidden = SEVEN if op is Op.ADD else ONE
    world.logins["away"].lies.drop_tokens = frozenset(hidden.ids)
    report = world.undo()
    assert (did(report), codes(report.holds), report.features[RATINGS].same) == ([], ["incomplete"], 0)


def test_a_removal_that_undoes_an_addition_needs_no_look_at_the_other_side(world):
    """It is not concluded from what is missing there, so an incomplete read there is no guard's business."""
    home, _away = known(world)
    home.put(RATINGS, (SEVEN, rated(8, world.clock())))
    world.run()
    world.logins["home"].lies.drop_tokens = frozenset(TWO.ids)
    report = world.undo()
    assert (did(report), report.guards) == (["-target Film 7 (1957) confirmed"], ())


def test_what_was_put_back_by_hand_is_as_it_was_and_no_matter_to_tell(world):
    home, away = known(world)
    rated_nine(world, home)
    away.change(RATINGS, ONE, rated(5, world.clock()))
    report = world.undo()
    assert (did(report), codes(report.skips), report.features[RATINGS].same) == ([], [], 1)


def test_what_the_other_side_has_again_is_not_taken_away_here(world):
    """The source lost the film that the run had copied (no removals are passed on), and found it again."""
    home, away = known(world, remove=False)
    home.put(RATINGS, (SEVEN, rated(8, world.clock())))
    world.run()
    wrote = newest(world)
    home.take(RATINGS, SEVEN)
    assert codes(world.run().skips) == ["remove-off"]
    home.put(RATINGS, (SEVEN, rated(8, world.clock())))
    report = world.undo(run_id=wrote)
    assert (did(report), codes(report.skips)) == ([], ["changed-since"])
    assert len(away.held(RATINGS, SEVEN)) == 1


def test_an_undo_does_not_end_a_first_run(world):
    """The first run left a film out. Were it over, the gap would be taken for a user's removal."""
    home, away = world.account("home"), world.account("away")
    home.put(RATINGS, *((movie(n), rated(5, at(0))) for n in (1, 2)))
    world.pair("home", "away", RATINGS, hold_removed=AT_ONCE)
    lies = world.logins["away"].lies
    lies.refuse = {TWO.ids[0]: (Outcome.NOT_SENT, "later")}
    assert world.run().exit_code == 3
    lies.refuse = {}
    assert did(world.undo()) == ["-target Film 1 (1951) confirmed"]
    assert not world.state()[RATINGS].first_run_done
    assert away.rows[RATINGS] == []


# --- what a run did, by its journal -------------------------------------------------------------------


@pytest.mark.parametrize("answer", [Outcome.ALREADY, Outcome.NOT_FOUND, Outcome.REJECTED, Outcome.NOT_SENT])
def test_what_a_run_did_not_do_is_not_taken_back(world, answer):
    home, away = known(world)
    home.put(RATINGS, (SEVEN, rated(8, world.clock())))
    world.logins["away"].lies.refuse = {SEVEN.ids[0]: (answer, "so it is")}
    world.run()
    world.logins["away"].lies.refuse = {}
    with pytest.raises(UsageError, match="wrote nothing that could be taken back"):
        world.undo()
    assert len(away.rows[RATINGS]) == 5


def cut_at_reply(world: World) -> tuple[Store, Store]:
    """The update of film 1 to 9 landed on the target, and the power went off before the answer."""
    home, away = known(world)
    home.change(RATINGS, ONE, rated(9, world.clock()))
    world.logins["away"].lies.on_effect = world.dies_at("reply")
    assert world.cut(10_000)
    world.logins["away"].lies.on_effect = lambda _name: None
    return home, away


def test_a_run_that_was_cut_is_told_and_what_it_may_have_done_is_left_alone(world):
    _home, away = cut_at_reply(world)
    (open_one,) = world.past(limit=1).runs
    assert (open_one.ending, open_one.in_doubt, open_one.counts) == ("unfinished", 1, {})
    world.clock.tick(HOUR)
    world.run()
    told = next(run for run in world.past().runs if run.run_id == open_one.run_id)
    assert (told.ending, told.in_doubt, told.counts) == ("cut", 1, {})
    report = world.undo(run_id=open_one.run_id)
    assert (did(report), codes(report.skips)) == ([], ["in-doubt"])
    assert scores(away, ONE) == [90]


def test_the_journal_of_a_run_that_was_cut_anywhere_is_whole_once_it_is_settled(tmp_path):
    endings: set[str] = set()
    for n in range(1, 80):
        world = World(tmp_path / str(n))
        home, _away = known(world)
        home.change(RATINGS, ONE, rated(9, world.clock()))
        ended = not world.cut(n)
        for _ in range(2):
            world.clock.tick(HOUR)
            world.run()
        told = world.past()
        assert told.exit_code == 0, f"cut at effect {n}"
        endings |= {run.ending for run in told.runs}
        if ended:
            break
    assert ended
    assert endings == {"cut", "finished"}


def test_the_journal_that_a_reset_put_aside_is_not_taken_back(world):
    _home, away = cut_at_reply(world)
    PairStore(world.folder, "home-away").reset(None, world.clock())
    assert [run.ending for run in world.past().runs] == ["abandoned"]
    with pytest.raises(UsageError, match="no run that wrote anything"):
        world.undo()
    with pytest.raises(UsageError, match="no finished run"):
        world.undo(run_id=newest(world))
    assert scores(away, ONE) == [90]


def test_a_damaged_journal_is_told_and_makes_the_exit_code_7(world):
    home, _away = known(world)
    rated_nine(world, home)
    (path,) = world.path("runs").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"intent"', b'"intend"'))
    told = world.past()
    assert ([run.ending for run in told.runs], told.exit_code) == (["damaged"], Exit.STATE)
    path.write_bytes(whole)
    assert ([run.ending for run in world.past().runs], world.past().exit_code) == (["finished"], 0)


def test_an_undo_reads_both_sides_however_quiet_they_were(world):
    home, away = known(world)
    rated_nine(world, home)
    for _ in range(4):
        world.run()
        world.clock.tick(20 * MINUTE)
    reads = home.reads + away.reads
    world.plan()
    assert home.reads + away.reads == reads, "so quiet that nothing is read any more"
    assert did(world.undo()) == ["~target Film 1 (1951) 5 confirmed"]


# --- what is remembered of an undo --------------------------------------------------------------------


def test_an_undo_is_no_good_run(world):
    """Else `status` would call a pair fresh that was not synced for weeks; only the state that it left counts."""
    home, _away = known(world)
    rated_nine(world, home)
    before = load_last_run(world.path())
    world.clock.tick(3 * DAY)
    world.undo()
    after = load_last_run(world.path())
    assert isinstance(before, LastRun)
    assert isinstance(after, LastRun)
    assert replace(after, generation=before.generation) == before
    assert after.generation > before.generation


def test_an_undo_that_found_nothing_to_do_says_nothing_of_other_records(world):
    """It looked at what one run wrote. Taken for a look at all, it would hide the user's edit for a day."""
    home, _away = known(world)
    rated_nine(world, home)
    world.undo()
    took = newest(world)
    world.undo(run_id=took)
    home.change(RATINGS, TWO, rated(7, world.clock()))
    assert did(world.undo(run_id=took)) == []
    assert did(world.run()) == ["~target Film 2 (1952) 7 confirmed"]


@pytest.mark.parametrize("mode", list(Mode))
def test_a_doubt_about_what_was_taken_back_is_judged_and_the_undo_can_be_finished(world, mode):
    """The power went off before the answer. Nobody wants the record written any more, and it was in doubt for ever."""
    home, away = known(world, mode=mode, window=WINDOW)
    rated_nine(world, home)
    wrote = newest(world)
    world.logins["away"].lies.on_effect = world.dies_at("reply")
    assert world.cut_undo(10_000)
    world.logins["away"].lies.on_effect = lambda _name: None
    for _ in range(2):
        world.clock.tick(HOUR)
        assert did(world.run()) == []
    assert world.rows(RATINGS)[ONE.key() or ""].mark is None
    report = world.undo(run_id=wrote)
    assert (did(report), codes(report.holds), scores(away, ONE)) == ([], [], [50])


@pytest.mark.parametrize("mode", list(Mode))
def test_I7_what_a_cut_undo_wrote_back_stays_so(tmp_path, mode):
    back = 0
    for n in range(1, 80):
        world = World(tmp_path / str(n))
        home, away = known(world, mode=mode)
        rated_nine(world, home)
        if not world.cut_undo(n):
            break
        landed = scores(away, ONE) == [50]
        back += landed
        for _ in range(3):
            world.clock.tick(HOUR)
            world.run()
            assert scores(away, ONE) == [50 if landed else 90], f"cut at effect {n}"
    assert back > 5


def test_a_state_from_before_an_undo_that_is_put_back_is_noticed(world):
    home, away = known(world)
    rated_nine(world, home)
    old = world.baseline_bytes()
    world.undo()
    world.path("state.json").write_bytes(old)
    home.take(RATINGS, TWO)
    assert "-target Film 2 (1952) confirmed" not in did(world.run())
    assert len(away.held(RATINGS, TWO)) == 1


def test_where_both_sides_agree_after_an_undo_nothing_is_kept_apart(world):
    """The 9 came, went and came back. One-way, a 2 on the target is then drift like any other."""
    home, away = known(world, mode=Mode.ONE_WAY)
    rated_nine(world, home)
    world.undo()
    world.undo(run_id=newest(world))
    assert scores(away, ONE) == [90]
    away.change(RATINGS, ONE, rated(2, world.clock()))
    assert did(world.run()) == ["~target Film 1 (1951) 9 confirmed"]
