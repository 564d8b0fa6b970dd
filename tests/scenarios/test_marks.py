"""Our own writes and what becomes of them: settling, in doubt, refused, and what a service does by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cwsync.model import (
    Change,
    Conflict,
    Feature,
    Item,
    MarkKind,
    Mode,
    Op,
    Outcome,
    Plays,
    Receipt,
    RemoveMode,
    Snapshot,
)
from support.engine import DAY, HOUR, MINUTE, WINDOW, Sly, World, codes, did
from support.memory import Store, capable, shown
from support.world import at, episode, listed, movie, played, rated, show

RATINGS, WATCHLIST, HISTORY = Feature.RATINGS, Feature.WATCHLIST, Feature.HISTORY
AT_ONCE = timedelta(0)
ONE, TWO = movie(1), movie(2)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def slow(world: World, *features: Feature, **rules) -> tuple[Store, Store]:
    """Two accounts whose reads may lag for a quarter of an hour; both hold films 2 and 9."""
    home, away = world.account("home", staleness=WINDOW), world.account("away", staleness=WINDOW)
    for store in (home, away):
        store.put(RATINGS, (TWO, rated(5, world.clock())), (movie(9), rated(5, world.clock())))
    world.pair("home", "away", *(features or (RATINGS,)), **({"hold_removed": AT_ONCE} | rules))
    world.run()
    world.clock.tick(HOUR)
    return home, away


# --- lag ---------------------------------------------------------------------------------------------

EDITS = {
    "add": lambda home, now: home.put(RATINGS, (ONE, rated(8, now))),
    "update": lambda home, now: home.change(RATINGS, TWO, rated(9, now)),
    "remove": lambda home, _now: home.take(RATINGS, TWO),
}


@pytest.mark.parametrize("edit", EDITS)
def test_I5_a_read_that_lags_behind_our_write_is_no_edit_of_the_user(world, edit):
    home, away = slow(world)
    lies = world.logins["away"].lies
    lies.lag_for = WINDOW - MINUTE
    EDITS[edit](home, world.clock())
    assert len(world.run().changes) == 1
    sent = len(lies.sent)
    for _ in range(16):
        world.clock.tick(MINUTE)
        assert did(world.run()) == []
    assert (len(lies.sent), len(world.logins["home"].lies.sent)) == (sent, 0)
    assert shown(home, RATINGS) == shown(away, RATINGS)


@pytest.mark.parametrize("edit", EDITS)
def test_I5_a_read_that_comes_and_goes_within_the_window_changes_nothing(world, edit):
    """Lag is not monotonic: one read shows our write, the next does not, the one after does again."""
    home, away = slow(world)
    lies = world.logins["away"].lies
    old = list(away.rows[RATINGS])
    EDITS[edit](home, world.clock())
    world.run()
    item = ONE if edit == "add" else TWO
    for n in range(15):
        lies.hidden = []
        if n % 2:
            lies.hide(RATINGS, item, [row for row in old if row.item == item], until=world.clock() + MINUTE)
        assert did(world.run()) == []
        world.clock.tick(MINUTE)
    world.settle()
    assert shown(home, RATINGS) == shown(away, RATINGS)


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("looks", [1, 2])
def test_I5_a_write_of_one_pair_lags_in_another_pair_of_that_account(world, looks, cut):
    """b gets a film through a-b; then b's reads, for c-b, do not show it yet (or not any more)."""
    a, b, c = (world.account(name, staleness=WINDOW) for name in "abc")
    for store in (a, b, c):
        store.put(RATINGS, (TWO, rated(7)))
    for store in (a, c):
        store.put(RATINGS, (ONE, rated(8)))
    world.pair("a", "b", RATINGS)
    world.pair("b", "c", RATINGS)
    if cut:  # the pair that writes dies before it can note that it wrote; it is not run again for now
        world.logins["b"].lies.on_effect = world.dies_at("reply")
        assert world.cut(10_000, "a-b")
        world.logins["b"].lies.on_effect = lambda _name: None
    names = ("b-c",) if cut else ("a-b", "b-c")
    world.run_all(*names)
    world.logins["b"].lies.hide(RATINGS, ONE, [], until=world.clock() + WINDOW)
    for minutes in (1, 11, 2)[: looks + 1]:
        world.clock.tick(minutes * MINUTE)
        world.run_all(*names, full=True)
    assert [change for change, _ in c.wire if change.op is Op.REMOVE] == []
    assert shown(c, RATINGS) == shown(a, RATINGS)


# --- in doubt ----------------------------------------------------------------------------------------


def lost(world: World, *, landed: bool) -> tuple[Store, Store]:
    """The update of film 2 to 9 was sent to `away` and never answered."""
    home, away = slow(world)
    home.change(RATINGS, TWO, rated(9, world.clock()))
    old = list(away.rows[RATINGS])
    world.logins["away"].lies.lose_reply = frozenset({world.logins["away"].lies.applies + 1})
    report = world.run()
    assert ([one.outcome for one in report.changes], report.exit_code) == ([Outcome.UNKNOWN], 3)
    if not landed:
        away.rows[RATINGS] = old
    mark = world.rows(RATINGS)[TWO.key() or ""].mark
    assert mark is not None
    assert mark.kind is MarkKind.DOUBT
    world.clock.tick(WINDOW - MINUTE)
    frozen = world.run()
    assert (did(frozen), codes(frozen.holds)) == ([], ["settling"])
    world.clock.tick(2 * MINUTE)
    return home, away


def test_a_write_in_doubt_that_landed_is_learnt_and_not_sent_again(world):
    _home, away = lost(world, landed=True)
    report = world.run()
    assert (did(report), report.exit_code) == ([], 0)
    assert len(world.logins["away"].lies.sent) == 1
    away.change(RATINGS, TWO, rated(3, world.clock()))
    assert did(world.run()) == ["~source Film 2 (1952) 3 confirmed"]


def test_a_write_in_doubt_that_never_landed_is_planned_again(world):
    home, away = lost(world, landed=False)
    assert did(world.run()) == ["~target Film 2 (1952) 9 confirmed"]
    assert shown(home, RATINGS) == shown(away, RATINGS)


@pytest.mark.parametrize("landed", [True, False])
def test_a_write_in_doubt_over_which_someone_wrote_is_a_conflict_that_is_told(world, landed):
    _home, away = lost(world, landed=landed)
    away.change(RATINGS, TWO, rated(2, world.clock()))
    report = world.run()
    assert did(report) == ["~target Film 2 (1952) 9 confirmed"]
    assert codes(report.conflicts) == ["conflict"]
    assert "someone wrote" in report.changes[0].change.reason


def test_a_write_in_doubt_never_leads_to_a_removal_by_a_guess(world):
    """The add was never answered and nothing is there; meanwhile the source lost it too, and then it shows up."""
    home, away = slow(world, mode=Mode.ONE_WAY, remove_mode=RemoveMode.MIRROR)
    home.put(RATINGS, (ONE, rated(8, world.clock())))
    lies = world.logins["away"].lies
    lies.lose_reply = frozenset({lies.applies + 1})
    world.run()
    world.clock.tick(HOUR)
    away.change(RATINGS, ONE, rated(2, world.clock()))
    home.take(RATINGS, ONE)
    report = world.run()
    assert (did(report), codes(report.holds), report.exit_code) == ([], ["doubt"], 3)


TWICE = ["lost", "cut"]


@pytest.mark.parametrize("second", TWICE)
def test_what_was_concluded_about_a_doubt_survives_a_second_accident(world, second):
    """A 9 landed unanswered; the user's 1 on the other side is then cut or lost on its way: it must still win."""
    home, away = lost(world, landed=True)
    home.change(RATINGS, TWO, rated(1, world.clock()))
    lies = world.logins["away"].lies
    if second == "lost":
        lies.fail_apply = frozenset()
        lies.lose_reply = frozenset({lies.applies + 1})
        old = list(away.rows[RATINGS])
        assert [one.outcome for one in world.run().changes] == [Outcome.UNKNOWN]
        away.rows[RATINGS] = old  # it never landed
    else:
        at_request = lies.on_effect
        lies.on_effect = world.dies_at("request")
        assert world.cut(10_000)
        lies.on_effect = at_request
    world.settle()
    assert shown(home, RATINGS) == shown(away, RATINGS)
    assert getattr(home.held(RATINGS, TWO)[0], "score", None) == 10


# --- refusals ----------------------------------------------------------------------------------------


def test_a_refused_record_is_parked_and_tried_again_after_longer_and_longer_waits(world):
    home, _away = slow(world)
    home.put(RATINGS, (ONE, rated(8)), (movie(3), rated(7)))
    lies = world.logins["away"].lies
    lies.refuse = {ONE.ids[0]: (Outcome.NOT_FOUND, "no-such-title")}
    first = world.run()
    assert did(first) == ["+target Film 1 (1951) 8 not_found", "+target Film 3 (1953) 7 confirmed"]
    assert first.exit_code == 3
    for hours in (1, 6, 24, 72, 168, 168):
        until = next_try(world, 1)
        assert hours * HOUR / 2 <= until - world.clock() <= hours * HOUR * 1.5
        assert (until - datetime(1970, 1, 1, tzinfo=UTC)) % (hours * HOUR) == timedelta(0)
        world.clock.tick(until - world.clock() - MINUTE)
        waiting = world.run()
        assert (did(waiting), codes(waiting.skips)) == ([], ["parked"]), hours
        world.clock.tick(MINUTE)
        assert did(world.run()) == ["+target Film 1 (1951) 8 not_found"], hours
    lies.refuse = {}
    world.clock.tick(11 * DAY)
    assert did(world.run()) == ["+target Film 1 (1951) 8 confirmed"]
    assert codes(world.run().skips) == []


def next_try(world: World, n: int) -> datetime:
    (parked,) = [row.parked for row in world.rows(RATINGS).values() if row.item.ids == movie(n).ids]
    assert parked is not None
    return parked.until


def test_two_episodes_of_one_file_that_were_refused_one_by_one_were_never_tried_together(world):
    """A service that takes two records only together: each was tried while the other one waited."""
    home, away = slow(world)
    inner = world.logins["away"].provider.apply

    async def apply(self: Sly, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        if 0 < len(changes) < 2:
            return [Receipt(change, Outcome.REJECTED, "multi-episode") for change in changes]
        answers: list[Receipt] = await inner(self, feature, changes)
        return answers

    world.oddly("away", apply=apply)
    home.put(RATINGS, (movie(3), rated(8)))
    world.run()
    world.clock.tick(20 * MINUTE)
    home.put(RATINGS, (movie(4), rated(7)))
    world.run()
    for _ in range(48):
        world.clock.tick(HOUR)
        world.run()
    assert {movie(3).ids, movie(4).ids} <= {row.item.ids for row in away.rows[RATINGS]}


def test_I17_what_failed_keeps_its_baseline_and_the_others_commit(world):
    home, away = slow(world)
    for n in range(3, 7):
        for store in (home, away):
            store.put(RATINGS, (movie(n), rated(5)))
    world.run()
    before = world.rows(RATINGS)
    for n in range(3, 7):
        home.change(RATINGS, movie(n), rated(9))
    world.logins["away"].lies.refuse = {
        movie(3).ids[0]: (Outcome.REJECTED, "bad"),
        movie(4).ids[0]: (Outcome.UNKNOWN, "timeout"),
        movie(5).ids[0]: (Outcome.NOT_SENT, "quota"),
    }
    world.run()
    after = world.rows(RATINGS)
    for n, moved in ((3, False), (4, False), (5, False), (6, True)):
        was, row = before[movie(n).key() or ""], after[movie(n).key() or ""]
        assert ((row.source, row.target) != (was.source, was.target)) is moved, n


def test_an_outage_parks_nothing(world):
    home, _away = slow(world)
    home.put(RATINGS, (ONE, rated(8)))
    lies = world.logins["away"].lies
    lies.fail_apply = frozenset({lies.applies + 1})
    report = world.run()
    assert (did(report), report.exit_code) == (["+target Film 1 (1951) 8 not_sent"], 75)
    assert did(world.run()) == ["+target Film 1 (1951) 8 confirmed"]


# --- what a service does by itself -------------------------------------------------------------------


def watching(world: World, *, pairs: int) -> tuple[Store, Store]:
    """`away` takes a film off its watchlist once it was watched; both hold two films on their lists."""
    drops = capable(drops_from_watchlist=frozenset({HISTORY}))
    home, away = world.account("home"), world.account("away", drops, staleness=WINDOW)
    for store in (home, away):
        store.put(WATCHLIST, (ONE, listed()), (TWO, listed()))
    if pairs == 1:
        world.pair("home", "away", HISTORY, WATCHLIST, hold_removed=AT_ONCE)
    else:
        world.pair("home", "away", HISTORY, name="plays", hold_removed=AT_ONCE)
        world.pair("home", "away", WATCHLIST, name="list", hold_removed=AT_ONCE)
    world.run_all()
    world.clock.tick(HOUR)
    return home, away


def _listed(store: Store, item: Item) -> bool:
    return bool(store.held(WATCHLIST, item))


@pytest.mark.parametrize("pairs", [1, 2])
def test_a_drop_that_our_own_write_caused_is_not_a_users_removal(world, pairs):
    home, away = watching(world, pairs=pairs)
    home.put(HISTORY, (ONE, played(at(0))))
    for _ in range(4):
        world.run_all()
        world.clock.tick(10 * MINUTE)
    assert (_listed(home, ONE), _listed(away, ONE), _listed(away, TWO)) == (True, False, True)
    world.clock.tick(HOUR)
    home.take(WATCHLIST, TWO)
    world.run_all()
    assert not _listed(away, TWO), "the user's own removal still goes through"


@pytest.mark.parametrize("pairs", [1, 2])
def test_the_last_film_of_a_list_that_our_own_write_took_off_stopped_the_pair(world, pairs):
    """Nobody has to accept a list that is empty because of what was watched; one that is empty for no reason, yes."""
    home, away = watching(world, pairs=pairs)
    for store in (home, away):
        store.take(WATCHLIST, TWO)
    world.run_all()
    home.put(HISTORY, (ONE, played(at(0))))
    for _ in range(4):
        world.clock.tick(10 * MINUTE)
        assert {one.exit_code for one in world.run_all().pairs} == {0}
    assert (_listed(home, ONE), _listed(away, ONE)) == (True, False)


def test_I7_a_cut_run_remembers_what_its_writes_made_the_service_drop(world, tmp_path):
    for n in range(1, 60):
        place = World(tmp_path / str(n))
        home, _ = watching(place, pairs=1)
        home.put(HISTORY, (ONE, played(at(0))))
        if not place.cut(n):
            assert n > 20
            return
        place.settle()
        assert _listed(home, ONE), f"cut at effect {n}"
    pytest.fail("the run never ended")


# --- what each mark decides, found by switching it off ------------------------------------------------


def test_I5_a_film_that_we_removed_and_that_still_shows_is_no_new_film(world):
    """The tombstone: without it the lagging read is taken for an add of the user, and the film comes back."""
    home, away = slow(world)
    old = list(away.rows[RATINGS])
    home.take(RATINGS, TWO)
    world.run()
    world.clock.tick(MINUTE)
    world.logins["away"].lies.hide(RATINGS, TWO, old[:1], until=world.clock() + WINDOW - 2 * MINUTE)
    home.put(RATINGS, (movie(30), rated(4, world.clock())))  # the state is written again meanwhile
    report = world.run()
    assert did(report) == ["+target Film 30 (1980) 4 confirmed"]
    assert codes(report.holds) == ["settling"]
    assert home.held(RATINGS, TWO) == away.held(RATINGS, TWO) == []


def test_a_doubt_that_landed_is_the_new_baseline(world):
    """The 9 had landed; then the user removes it. Forgotten, it would come back; learnt, it goes."""
    home, away = lost(world, landed=True)
    home.take(RATINGS, TWO)
    assert did(world.run()) == ["-target Film 2 (1952) confirmed"]
    assert away.held(RATINGS, TWO) == []


def test_a_doubt_over_which_someone_wrote_makes_the_record_a_new_one(world):
    """The target holds a value of somebody's, the source lost the film: nothing tells which was first, so it stays."""
    home, away = lost(world, landed=True)
    away.change(RATINGS, TWO, rated(2, world.clock()))
    home.take(RATINGS, TWO)
    report = world.run()
    assert did(report) == ["+source Film 2 (1952) 2 confirmed"]
    assert "someone wrote this record since" in report.changes[0].change.reason


def test_a_doubt_whose_old_value_was_written_again_is_a_conflict(world):
    _home, away = lost(world, landed=False)
    away.change(RATINGS, TWO, rated(5, world.clock()))
    report = world.run()
    assert codes(report.conflicts) == ["conflict"]
    assert "someone wrote the old value again since" in report.changes[0].change.reason


def test_a_doubt_is_not_judged_and_not_forgotten_while_the_side_cannot_be_read(world):
    home, away = lost(world, landed=True)
    lies = world.logins["away"].lies
    lies.drop_tokens = frozenset(TWO.ids)
    for n in range(2):
        home.change(RATINGS, movie(9), rated(3 + n, world.clock()))
        world.clock.tick(HOUR)
        report = world.run()
        assert len(report.changes) == 1, "the state is written all the same"
        assert codes(report.holds) == ["doubt"]
        mark = world.rows(RATINGS)[TWO.key() or ""].mark
        assert mark is not None
        assert mark.kind is MarkKind.DOUBT
    lies.drop_tokens = frozenset()
    home.take(RATINGS, TWO)
    assert did(world.run()) == ["-target Film 2 (1952) confirmed"]
    assert away.held(RATINGS, TWO) == []


def _first_copy_only() -> dict[str, object]:
    """A service that writes the first change of a request and refuses the rest."""

    async def apply(self: Sly, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        done = await Sly.apply(self, feature, changes[:1])
        return done + [Receipt(change, Outcome.REJECTED, "full") for change in changes[1:]]

    return {"apply": apply}


def test_a_record_with_copies_moves_whole_or_not_at_all(world):
    home, away = slow(world)
    away.put(RATINGS, (TWO, rated(5, world.clock())))  # a second edition
    world.run()
    world.clock.tick(HOUR)
    world.oddly("away", **_first_copy_only())
    home.change(RATINGS, TWO, rated(9, world.clock()))
    assert [one.outcome for one in world.run().changes] == [Outcome.CONFIRMED, Outcome.REJECTED]
    row = world.rows(RATINGS)[TWO.key() or ""]
    assert (row.source, row.target) == (rated(5, row.source and row.source.at), rated(5, row.target and row.target.at))
    assert row.parked is not None


def test_a_refusal_of_one_side_does_not_hold_the_other(world):
    home, away = slow(world)
    home.change(RATINGS, TWO, rated(9, world.clock()))
    world.logins["away"].lies.refuse = {TWO.ids[0]: (Outcome.REJECTED, "bad")}
    assert world.run().exit_code == 3
    home.change(RATINGS, TWO, rated(5, world.clock()))
    away.change(RATINGS, TWO, rated(3, world.clock()))
    assert did(world.run()) == ["~source Film 2 (1952) 3 confirmed"]


def test_what_moved_between_read_and_write_is_no_refusal(world):
    home, away = slow(world)
    home.change(RATINGS, TWO, rated(9, world.clock()))
    world.logins["away"].lies.before_fence = lambda: away.change(RATINGS, TWO, rated(1, world.clock()))
    assert [one.outcome for one in world.run().changes] == [Outcome.NOT_SENT]
    row = world.rows(RATINGS)[TWO.key() or ""]
    assert row.parked is None
    assert codes(world.run().conflicts) == ["conflict"]


def test_I17_a_removal_that_was_not_sent_keeps_when_it_was_first_seen(world):
    home, away = slow(world, hold_removed=10 * MINUTE)
    home.take(RATINGS, TWO)
    assert codes(world.run().holds) == ["first-seen"]
    world.clock.tick(10 * MINUTE)
    lies = world.logins["away"].lies
    lies.refuse = {TWO.ids[0]: (Outcome.NOT_SENT, "quota")}
    assert did(world.run()) == ["-target Film 2 (1952) not_sent"]
    lies.refuse = {}
    assert did(world.run()) == ["-target Film 2 (1952) confirmed"], "it need not be seen twice again"
    assert away.held(RATINGS, TWO) == []


# --- side effects ------------------------------------------------------------------------------------

SHOW_ONE = show(1)


def test_an_effect_of_a_write_that_was_never_answered_is_no_removal(world):
    home, away = watching(world, pairs=1)
    home.put(HISTORY, (ONE, played(at(0))))
    lies = world.logins["away"].lies
    lies.lose_reply = frozenset({lies.applies + 1})
    world.run()
    for _ in range(4):
        world.clock.tick(10 * MINUTE)
        world.run()
    assert (_listed(home, ONE), _listed(away, ONE)) == (True, False)


def test_watching_an_episode_touches_the_show_on_the_list(world):
    home, away = watching(world, pairs=1)
    for store in (home, away):
        store.put(WATCHLIST, (SHOW_ONE, listed()))
    world.run()
    world.clock.tick(HOUR)
    home.put(HISTORY, (episode(1, 1, 1), played(at(0))))
    world.logins["away"].lies.before_apply = lambda _feature, _changes: away.take(WATCHLIST, SHOW_ONE)
    for _ in range(4):
        world.run()
        world.logins["away"].lies.before_apply = None
        world.clock.tick(10 * MINUTE)
    assert (_listed(home, SHOW_ONE), _listed(away, SHOW_ONE)) == (True, False)


# --- the fence ---------------------------------------------------------------------------------------

STAMPS = {
    "none": {"stamp_moves_on_removal": False},
    "honest": {"stamp_moves_on_removal": True},
}
MEDDLING = {
    "an overwrite": ("change", lambda home, away, now: away.change(RATINGS, TWO, rated(1, now))),
    "a removal there": ("remove", lambda home, away, now: away.change(RATINGS, TWO, rated(1, now))),
    "a return here": ("remove", lambda home, away, now: home.put(RATINGS, (TWO, rated(5, now)))),
    "an add there": ("add", lambda home, away, now: away.put(RATINGS, (ONE, rated(1, now)))),
}


def blind_fence(world: World) -> None:
    """A provider that writes what it is told, whatever it holds: only the fence is left."""

    async def apply(self: Sly, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        sent.extend(changes)
        return [Receipt(change, Outcome.CONFIRMED) for change in changes]

    sent: list[Change] = world.logins["away"].lies.sent
    for name in ("home", "away"):
        world.oddly(name, apply=apply)


@pytest.mark.parametrize("stamps", STAMPS)
@pytest.mark.parametrize("meddling", MEDDLING)
def test_what_moved_since_the_read_is_not_sent(world, stamps, meddling):
    bare = capable(every={"idempotent_add": False, **STAMPS[stamps]})
    home, away = (world.account(name, bare, WINDOW) for name in ("home", "away"))
    for store in (home, away):
        store.put(RATINGS, (TWO, rated(5, world.clock())), (movie(9), rated(5, world.clock())))
    world.pair("home", "away", RATINGS, hold_removed=AT_ONCE)
    world.run()
    world.clock.tick(HOUR)
    blind_fence(world)
    edit, meddle = MEDDLING[meddling]
    edits = {
        "change": lambda: home.change(RATINGS, TWO, rated(9, world.clock())),
        "remove": lambda: home.take(RATINGS, TWO),
        "add": lambda: home.put(RATINGS, (ONE, rated(9, world.clock()))),
    }
    edits[edit]()
    world.logins["away"].lies.before_fence = lambda: meddle(home, away, world.clock())
    assert [one.outcome for one in world.run().changes] == [Outcome.NOT_SENT]
    assert world.logins["away"].lies.sent == []


def test_a_stamp_that_stands_still_when_something_goes_is_no_fence(world):
    """The source lost a film and gets it back before the write; its stamp tells of neither."""
    home, away = slow(world)

    async def watermark(_self: Sly, _feature: Feature) -> str:
        return "always the same"

    async def fetch(self: Sly, feature: Feature) -> Snapshot:
        return replace(await Sly.fetch(self, feature), watermark="always the same")

    bare = capable(every={"stamp_moves_on_removal": False})
    row = home.rows[RATINGS][0]
    home.take(RATINGS, TWO)
    stamped: list[str] = []

    async def moving(self: Sly, feature: Feature) -> str:
        if world.logins["home"].lies.fetched and not stamped:
            stamped.append("once")
            home.rows[RATINGS].append(row)
        return await watermark(self, feature)

    world.oddly("away", capabilities=bare, watermark=watermark, fetch=fetch)
    world.oddly("home", capabilities=bare, watermark=moving, fetch=fetch)
    assert [one.outcome for one in world.run().changes] == [Outcome.NOT_SENT]
    assert len(away.rows[RATINGS]) == 2


def test_a_neighbours_write_on_an_account_that_is_not_ours_holds_nothing(world):
    a, b, c = (world.account(name, staleness=WINDOW) for name in "abc")
    for store in (a, b, c):
        store.put(RATINGS, (TWO, rated(7)))
    world.pair("a", "b", RATINGS)
    world.pair("b", "c", RATINGS)
    world.run_all()
    world.clock.tick(HOUR)
    b.change(RATINGS, TWO, rated(2, world.clock()))
    assert did(world.run("a-b")) == ["~source Film 2 (1952) 2 confirmed"]
    assert did(world.run("b-c")) == ["~target Film 2 (1952) 2 confirmed"]


@pytest.mark.parametrize(("seconds", "same"), [(0, True), (59, True), (60, False)])
def test_I8_a_play_within_the_precision_of_the_side_is_the_same_play_at_the_fence(world, seconds, same):
    bare = capable({HISTORY: {"precision_s": 60}}, every={"idempotent_add": False, "stamp_moves_on_removal": False})
    home, away = (world.account(name, bare, WINDOW) for name in ("home", "away"))
    home.put(HISTORY, (ONE, played(at(0))))
    world.pair("home", "away", HISTORY, plays=Plays.ALL, hold_removed=AT_ONCE)
    theirs = played(at(0, seconds=seconds))
    world.logins["away"].lies.before_fence = lambda: away.put(HISTORY, (ONE, theirs))
    outcome = Outcome.NOT_SENT if same else Outcome.CONFIRMED
    assert [one.outcome for one in world.run().changes] == [outcome]
    assert len(away.held(HISTORY, ONE)) == (1 if same else 2)


def test_what_was_concluded_about_a_doubt_is_stored_before_the_next_write_leaves(world):
    """The 9 had landed; the user's 1 is cut on its way. Judged by the state from before, the 9 would be an edit too."""
    home, away = lost(world, landed=True)
    world.pair("home", "away", RATINGS, hold_removed=AT_ONCE, conflict=Conflict.TARGET)
    home.change(RATINGS, TWO, rated(1, world.clock()))
    world.logins["away"].lies.on_effect = world.dies_at("request")
    assert world.cut(10_000)
    world.logins["away"].lies.on_effect = lambda _name: None
    world.settle()
    assert [getattr(store.held(RATINGS, TWO)[0], "score", None) for store in (home, away)] == [10, 10]
