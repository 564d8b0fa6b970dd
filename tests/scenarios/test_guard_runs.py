"""Every guard on the real engine: it stops the pair before the first write, and one accepted plan goes through once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from cwsync.engine.questions import fingerprint
from cwsync.errors import AuthError, StateError, UnavailableError, worst
from cwsync.model import (
    AccountSpec,
    Change,
    Conflict,
    Feature,
    FeatureSpec,
    GuardSpec,
    Kind,
    MarkKind,
    Mode,
    OnGuard,
    Outcome,
    PairReport,
    PairSpec,
    Plays,
    Receipt,
    RemoveMode,
    Snapshot,
    Undecoded,
)
from cwsync.provider import Services
from cwsync.state import read_journal
from support.engine import DAY, HOUR, MINUTE, WIDE, WINDOW, Sly, World, codes, did
from support.memory import Store, capable, shown
from support.world import at, listed, movie, played, rated

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


# --- what a baseline stands on -----------------------------------------------------------------------

PLEX = AccountSpec("home", "plex", {"libraries": ["Movies", "TV"], "url": "http://one"})
STANDS_ON = PairSpec("p", PLEX, AccountSpec("away", "trakt"))
HISTORY_RULES = FeatureSpec(Feature.HISTORY, since=date(2024, 1, 1), until=date(2025, 1, 1))
OTHER_SIDES = {
    "provider": replace(STANDS_ON, source=replace(PLEX, provider="jellyfin")),
    "account": replace(STANDS_ON, target=AccountSpec("elsewhere", "trakt")),
    "libraries": replace(STANDS_ON, source=replace(PLEX, options={"libraries": ["Movies"]})),
    "no libraries": replace(STANDS_ON, source=replace(PLEX, options={})),
}
OTHER_SCOPES = {
    "types": replace(HISTORY_RULES, types=frozenset({Kind.MOVIE})),
    "since": replace(HISTORY_RULES, since=None),
    "until": replace(HISTORY_RULES, until=None),
    "plays": replace(HISTORY_RULES, plays=Plays.ALL),
}
SAME_SIDES = {
    "turned": replace(STANDS_ON, source=STANDS_ON.target, target=STANDS_ON.source),
    "mode": replace(STANDS_ON, mode=Mode.TWO_WAY),
    "address": replace(STANDS_ON, source=replace(PLEX, options={**PLEX.options, "url": "http://two"})),
    "order of libraries": replace(STANDS_ON, source=replace(PLEX, options={"libraries": ["TV", "Movies"]})),
}


def test_filters_are_sides_libraries_types_dates_and_plays_and_nothing_else():
    plain = fingerprint(STANDS_ON, HISTORY_RULES)
    for what, pair in OTHER_SIDES.items():
        assert fingerprint(pair, HISTORY_RULES) != plain, what
    for what, spec in OTHER_SCOPES.items():
        assert fingerprint(STANDS_ON, spec) != plain, what
    for what, pair in SAME_SIDES.items():
        assert fingerprint(pair, HISTORY_RULES) == plain, what
    for spec in (replace(HISTORY_RULES, remove=True), replace(HISTORY_RULES, conflict=Conflict.KEEP)):
        assert fingerprint(STANDS_ON, spec) == plain


def test_a_union_run_of_a_mirror_removes_nothing(world):
    g = Guarded(world, 3, WIDE)
    mirror = {"mode": Mode.ONE_WAY, "remove_mode": RemoveMode.MIRROR, "hold_removed": AT_ONCE}
    world.pair("home", "away", RATINGS, guards=WIDE, **mirror)
    world.run()
    g.away.put(RATINGS, (movie(9), rated(9)))
    world.pair("home", "away", RATINGS, guards=WIDE, since=date(2000, 1, 1), **mirror)
    assert did(world.run()) == []
    world.pair("home", "away", RATINGS, guards=WIDE, **mirror)
    assert did(world.run()) == []
    assert did(world.run()) == ["-target Film 9 (1959) confirmed"]


@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.UNKNOWN])
def test_a_first_run_with_writes_left_is_not_over(world, outcome):
    """The rest of the union comes before any removal: else the next run would take a gap for a user's delete."""
    home, away = world.account("home"), world.account("away")
    home.put(RATINGS, *((movie(n), rated(5)) for n in range(1, 4)))
    world.pair("home", "away", RATINGS, guards=WIDE, hold_removed=AT_ONCE)
    world.logins["away"].lies.refuse = {movie(3).ids[0]: (outcome, "later")}
    assert world.run().exit_code == 3
    world.logins["away"].lies.refuse = {}
    assert not world.state()[RATINGS].first_run_done
    home.take(RATINGS, movie(1))
    assert "-target Film 1 (1951) confirmed" not in did(world.run())
    assert world.state()[RATINGS].first_run_done
    assert len(away.rows[RATINGS]) == 3


# --- the memory of the budget ------------------------------------------------------------------------


def _remembered(world: World) -> list[tuple[str, int]]:
    return [(removal.side.value, removal.count) for removal in world.state()[RATINGS].removals]


def test_the_budget_remembers_records_and_not_copies_of_them(world):
    g = Guarded(world, 5, WIDE)
    g.away.put(RATINGS, *((movie(n), rated(5)) for n in range(1, 6)))
    world.run()
    g.remove(g.home, 1, 2)
    assert len(did(world.run())) == 4
    assert _remembered(world) == [("target", 2)]


def test_the_budget_remembers_what_a_run_removed_before_it_was_cut(tmp_path):
    answered = 0
    for n in range(1, 60):
        place = World(tmp_path / str(n))
        g = Guarded(place, 5, WIDE)
        g.remove(g.home, 1, 2)
        if not place.cut(n):
            break
        journal = read_journal(place.path("journal.jsonl"))
        proved = journal is not None and any(receipts for _, receipts in journal.batches)
        place.run()
        if proved:
            answered += 1
            assert _remembered(place) == [("target", 2)], f"cut at effect {n}"
    assert answered > 2


# --- order, and what a run says of itself ------------------------------------------------------------


def test_plays_are_written_before_the_watchlist_that_they_change(world):
    home, away = world.account("home"), world.account("away")
    home.put(Feature.HISTORY, (movie(1), played(at(0))))
    for feature, value in ((WATCHLIST, listed()), (RATINGS, rated(8))):
        home.put(feature, (movie(1), value))
    world.pair("home", "away", WATCHLIST, RATINGS, Feature.HISTORY)
    world.run()
    order = [change.feature for change, _ in away.wire]
    assert order == [Feature.HISTORY, RATINGS, WATCHLIST]


WORST = [130, 143, 1, 2, 7, 6, 4, 75, 3, 0]


def test_the_exit_code_of_several_pairs_is_the_worst():
    for place, code in enumerate(WORST):
        for better in WORST[place:]:
            assert worst([better, code]) == worst([code, better]) == code, (code, better)
    assert worst([]) == 0
    assert [code for code in (1, 7, 6, 4, 75, 3, 0) if code in WORST] == [1, 7, 6, 4, 75, 3, 0]


def test_a_run_says_the_worst_that_happened_in_it(world):
    g = Guarded(world, 30, NARROW, RATINGS, WATCHLIST)
    lies = world.logins["away"].lies
    lies.fail_reads, lies.fail_reads_of = 1, frozenset({WATCHLIST})
    assert world.run().exit_code == 75
    broken = Undecoded("row 1", "no rating", movie(1))
    g.home.take(RATINGS, movie(1))
    g.home.undecoded[RATINGS] = [broken]
    unread = world.run()
    assert (did(unread), unread.exit_code) == ([], 3), "the row protects its film, and is told"
    g.home.undecoded.clear()
    g.remove(g.home, *range(2, 8))
    lies.fail_reads = 1
    assert world.run().exit_code == 4, "a guard and an outage"


# --- the fast path never hides what a full read would tell -------------------------------------------


def still(world: World) -> Guarded:
    """A pair so quiet that nothing is read any more."""
    g = Guarded(world, 3, WIDE)
    for _ in range(3):
        world.run()
        world.clock.tick(20 * MINUTE)
    return g


def _reads(g: Guarded) -> int:
    return g.home.reads + g.away.reads


def _reads_in(world: World, g: Guarded, **options: Any) -> bool:
    before = _reads(g)
    world.plan(**options)
    return _reads(g) > before


def test_I24_evidence_holds_for_the_same_accounts_for_one_day(world):
    g = still(world)
    assert not _reads_in(world, g)
    assert _reads_in(world, g, full=True)
    g.home.account_id = "memory:someone-else"
    assert names(world.plan()) == ["account source"]
    g.home.account_id = "memory:home"
    world.run(full=True)
    seen_at = world.clock.now
    for span, reads in ((DAY - MINUTE, False), (DAY, True), (-MINUTE, True)):
        world.clock.now = seen_at + span
        assert _reads_in(world, g) is reads, span


def _short(world: World, _g: Guarded) -> dict[str, Any]:
    world.logins["home"].lies.drop_tokens = frozenset({movie(1).ids[0]})
    return {}


def _unreadable(_world: World, g: Guarded) -> dict[str, Any]:
    g.home.undecoded[RATINGS] = [Undecoded("row 7", "no rating", movie(7))]
    return {}


def _conflict(world: World, g: Guarded) -> dict[str, Any]:
    world.pair("home", "away", RATINGS, guards=WIDE, hold_removed=AT_ONCE, conflict=Conflict.SKIP)
    g.home.change(RATINGS, movie(1), rated(9))
    g.away.change(RATINGS, movie(1), rated(1))
    return {}


ODD: dict[str, Callable[[World, Guarded], dict[str, Any]]] = {
    "a range": lambda _world, _g: {"since": date(2020, 1, 1)},
    "a limit": lambda _world, _g: {"limit": 5},
    "only adds": lambda _world, _g: {"adds_only": True},
    "an incomplete read": _short,
    "a row that cannot be read": _unreadable,
    "a conflict to list": _conflict,
}


@pytest.mark.parametrize("odd", ODD)
def test_I24_a_run_with_anything_to_do_to_tell_or_to_wait_for_is_no_evidence(world, odd):
    g = still(world)
    options = ODD[odd](world, g)
    for _ in range(3):
        world.run(full=True, **options)
        world.clock.tick(20 * MINUTE)
    assert _reads_in(world, g)


def test_I24_what_is_skipped_or_parked_is_told_without_a_read_until_it_is_tried_again(world):
    """One title that the other side does not know must not cost a full read in every run."""
    g = still(world)
    g.home.put(RATINGS, (movie(8), rated(8)), (replace(movie(9), ids=()), rated(8)))
    world.logins["away"].lies.refuse = {movie(8).ids[0]: (Outcome.NOT_FOUND, "gone")}
    for _ in range(3):
        first = world.run(full=True)
        world.clock.tick(5 * MINUTE)
    reads = _reads(g)
    again = world.run()
    assert _reads(g) == reads
    assert {note.code for note in again.skips} == {"no-ids", "parked"}
    assert (again.skips, again.holds, again.exit_code) == (first.skips, first.holds, first.exit_code)
    assert (again.features[RATINGS].skip, again.features[RATINGS].same) == (2, first.features[RATINGS].same)
    assert again.digest == first.digest
    world.clock.tick(4 * HOUR)
    world.run()
    assert _reads(g) > reads
    assert "parked" in [note.code for note in world.plan().skips]


def test_I24_evidence_of_another_state_does_not_count(world):
    g = Guarded(world, 3, WIDE)
    old = world.baseline_bytes()
    g.home.change(RATINGS, movie(1), rated(9))
    for _ in range(4):
        world.run()
        world.clock.tick(20 * MINUTE)
    assert not _reads_in(world, g)
    world.path("state.json").write_bytes(old)
    assert _reads_in(world, g)


def test_I24_evidence_of_later_runs_does_not_count_for_a_pair_whose_folder_was_put_back(world):
    """The state and the record of the last run are of one age, so nothing looks rolled back; the cache is younger."""
    g = Guarded(world, 3, WIDE)
    kept = {name: world.path(name).read_bytes() for name in ("state.json", "last-run.json")}
    g.home.change(RATINGS, movie(1), rated(9))
    for _ in range(4):
        world.run()
        world.clock.tick(20 * MINUTE)
    assert not _reads_in(world, g)
    for name, data in kept.items():
        world.path(name).write_bytes(data)
    assert _reads_in(world, g)


def test_I24_stamps_that_stand_still_when_something_goes_are_no_evidence(world):
    async def watermark(_self: Sly, _feature: Feature) -> str:
        return "always the same"

    async def fetch(self: Sly, feature: Feature) -> Snapshot:
        return replace(await Sly.fetch(self, feature), watermark="always the same")

    bare = capable(every={"stamp_moves_on_removal": False})
    home, away = (world.account(name, bare) for name in ("home", "away"))
    for store in (home, away):
        store.put(RATINGS, *((movie(n), rated(5)) for n in range(1, 4)))
    world.pair("home", "away", RATINGS, guards=WIDE, hold_removed=AT_ONCE)
    for name in ("home", "away"):
        world.oddly(name, watermark=watermark, fetch=fetch)
    for _ in range(4):
        world.run()
        world.clock.tick(20 * MINUTE)
    home.take(RATINGS, movie(1))
    assert did(world.plan()) == ["-target Film 1 (1951)"]


# --- what is remembered of runs that did little ------------------------------------------------------


def test_a_restored_state_stays_suspect_when_no_account_can_be_opened(world):
    g = Guarded(world, 3, WIDE)
    old = world.baseline_bytes()
    g.remove(g.home, 1)
    assert did(world.run()) == ["-target Film 1 (1951) confirmed"]
    g.away.put(RATINGS, (movie(1), rated(9)))
    world.path("state.json").write_bytes(old)
    world.logins["home"].lies.fail_opens = 1
    assert world.run().exit_code == 75
    assert did(world.run()) == ["+source Film 1 (1951) 9 confirmed"]


@pytest.mark.parametrize("read", [True, False])
def test_the_age_counts_from_when_a_feature_was_really_read(world, read):
    g = Guarded(world, 3, WIDE, RATINGS, WATCHLIST)
    lies = world.logins["home"].lies
    for _ in range(35):
        world.clock.tick(DAY)
        if not read:
            lies.fail_reads, lies.fail_reads_of = 1, frozenset({RATINGS})
        assert world.run(full=True).exit_code == (0 if read else 75)
    world.run(features=frozenset({WATCHLIST}))
    g.remove(g.home, 1)
    expected = "-target Film 1 (1951) confirmed" if read else "+source Film 1 (1951) 5 confirmed"
    assert did(world.run()) == [expected]


def test_I10_a_dry_run_lends_no_folder_to_write_in(world):
    Guarded(world, 1, WIDE)
    lent: list[object] = []

    def borrow(self: Sly, account: AccountSpec, services: Services) -> None:
        lent.append(services.cache_dir)
        Sly.__init__(self, account, services)

    world.oddly("home", __init__=borrow)
    world.plan()
    world.run()
    assert lent == [None, world.folder / "cache"]


# --- when one thing failed, nothing else leaves ------------------------------------------------------

FAILURES = {
    "the disk": StateError("the disk is full"),
    "the service": UnavailableError("it is down"),
    "the login": AuthError("it was revoked"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_after_a_failure_no_other_batch_leaves(world, what):
    home, away = world.account("home", staleness=WINDOW), world.account("away", staleness=WINDOW)
    for store in (home, away):
        store.put(RATINGS, (movie(1), rated(5)), (movie(2), rated(5)))
    world.pair("home", "away", RATINGS, guards=WIDE)
    world.run()
    world.clock.tick(HOUR)
    home.put(RATINGS, *((movie(n), rated(5)) for n in range(20, 23)))
    calls: list[int] = []

    async def apply(_self: Sly, _feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        calls.append(len(changes))
        raise FAILURES[what]

    world.oddly("away", apply=apply, capabilities=capable(every={"batch": 1}))
    report = world.run()
    assert calls == [1]
    assert report.exit_code == FAILURES[what].exit_code
    first = Outcome.UNKNOWN if what == "the disk" else Outcome.NOT_SENT
    assert [one.outcome for one in report.changes] == [first, Outcome.NOT_SENT, Outcome.NOT_SENT]
    doubts = [row for row in world.rows(RATINGS).values() if row.mark and row.mark.kind is MarkKind.DOUBT]
    assert len(doubts) == (1 if what == "the disk" else 0)
    assert len(away.rows[RATINGS]) == 2


@pytest.mark.parametrize("when", ["at the fence", "after the first batch"])
def test_where_a_stamp_cannot_be_read_no_other_batch_leaves_and_what_was_answered_counts(world, when):
    home, away = world.account("home", staleness=WINDOW), world.account("away", staleness=WINDOW)
    home.put(RATINGS, *((movie(n), rated(5)) for n in range(1, 4)))
    world.pair("home", "away", RATINGS, guards=WIDE)
    calls: list[int] = []

    async def apply(self: Sly, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        calls.append(len(changes))
        return await Sly.apply(self, feature, changes)

    async def watermark(self: Sly, feature: Feature) -> str | None:
        if calls if when == "after the first batch" else world.logins["away"].lies.fetched:
            raise UnavailableError("it is down")
        return await Sly.watermark(self, feature)

    # Only where a stamp stands for the whole content is it asked for after a write: it can prove something there.
    caps = capable(every={"batch": 1}, exact_watermark=when == "after the first batch")
    world.oddly("away", apply=apply, watermark=watermark, capabilities=caps)
    report = world.run()
    sent = 1 if when == "after the first batch" else 0
    assert (len(calls), report.exit_code) == (sent, 75)
    assert [one.outcome for one in report.changes] == [Outcome.CONFIRMED] * sent + [Outcome.NOT_SENT] * (3 - sent)
    assert len(away.rows[RATINGS]) == len(world.rows(RATINGS)) == sent


@pytest.mark.parametrize(("exact", "asked"), [(True, 4), (False, 1)])
def test_a_stamp_is_asked_for_after_a_write_only_where_it_proves_something(world, exact, asked):
    """Three batches. A stamp costs Plex four requests; one that is no digest of everything says nothing of a batch."""
    home, _ = world.account("home", staleness=WINDOW), world.account("away", staleness=WINDOW)
    home.put(RATINGS, *((movie(n), rated(5)) for n in range(1, 4)))
    world.pair("home", "away", RATINGS, guards=WIDE)
    stamps: list[Feature] = []

    async def watermark(self: Sly, feature: Feature) -> str | None:
        stamps.append(feature)
        return await Sly.watermark(self, feature)

    world.oddly("away", watermark=watermark, capabilities=capable(every={"batch": 1}, exact_watermark=exact))
    assert len(did(world.run())) == 3
    assert len(stamps) == asked
