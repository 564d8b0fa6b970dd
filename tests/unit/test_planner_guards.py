"""Guards trip at the stated number, not one earlier or later (I16)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cwsync.model import Conflict, Feature, GuardSpec, Mode, OnGuard, Position, Removal, RemoveMode, Side
from cwsync.planner.guards import Facts, judge
from cwsync.planner.plan import guarded, plan_feature
from support.planning import NOW, baseline, film, planned, question, row, score, snapshot, words


def films(n: int, start: int = 1):
    return [film(f"imdb:{number}") for number in range(start, start + n)]


def rated(items, number=5.0):
    return [(item, score(number)) for item in items]


def base_of(items, **more):
    return baseline([row(item, score(5), score(5)) for item in items], **more)


def tripped(plan) -> list[str]:
    return [f"{guard.name} {guard.side.value if guard.side else '-'}" for guard in plan.guards]


def removing(n_gone: int, n_all: int, **guards):
    items = films(n_all)
    return planned(
        snapshot(rated(items[n_gone:])),
        snapshot(rated(items)),
        base_of(items),
        guards=GuardSpec(min_overlap_percent=0, **guards),
    )


REMOVES = [
    # gone, of, settings, trips
    (5, 20, {}, False),  # free_removes
    (6, 20, {}, True),
    (10, 100, {}, False),  # max_remove_percent
    (11, 100, {}, True),
    (1, 1000, {"max_remove_percent": 0, "free_removes": 0}, True),
    (100, 2000, {}, False),
    (101, 2000, {}, True),  # max_remove, although 101 is less than 10 %
    (15, 100, {"max_remove_percent": 15}, False),
    (16, 100, {"max_remove_percent": 15}, True),
]


@pytest.mark.parametrize(("gone", "of", "settings", "trips"), REMOVES)
def test_I16_removes(gone, of, settings, trips):
    plan = removing(gone, of, **settings)
    assert ("removes target" in tripped(plan)) is trips
    assert plan.count(plan.changes[0].op) == gone


BUDGET = [
    # removed before (hours ago, how many), now, of 100, trips; the allowance is 10
    ([(1, 10)], 10, False),  # 20 in 24 hours
    ([(1, 11)], 10, True),
    ([(24, 11)], 10, False),  # exactly 24 hours ago is not within 24 hours
    ([(23.99, 11)], 10, True),
    ([(25, 10), (100, 10)], 10, False),  # 30 in 7 days
    ([(25, 10), (100, 11)], 10, True),
    ([(25, 10), (168, 11)], 10, False),
    ([(1, 30)], 0, False),  # nothing to remove now: nothing to refuse
]


@pytest.mark.parametrize(("before", "now", "trips"), BUDGET)
def test_I16_budget_of_small_losses(before, now, trips):
    items = films(100)
    removals = tuple(Removal(NOW - timedelta(hours=ago), Side.TARGET, count) for ago, count in before)
    plan = planned(
        snapshot(rated(items[now:])),
        snapshot(rated(items)),
        base_of(items, removals=removals),
        guards=GuardSpec(min_overlap_percent=0),
    )
    assert tripped(plan) == (["budget target"] if trips else [])


def test_I16_the_budget_of_one_side_is_not_that_of_the_other():
    items = films(100)
    removals = (Removal(NOW - timedelta(hours=1), Side.SOURCE, 100),)
    plan = planned(
        snapshot(rated(items[10:])),
        snapshot(rated(items)),
        base_of(items, removals=removals),
        guards=GuardSpec(min_overlap_percent=0),
    )
    assert tripped(plan) == []


UPDATES = [(10, 20, False), (11, 20, True), (30, 100, False), (31, 100, True)]


@pytest.mark.parametrize(("changed", "of", "trips"), UPDATES)
@pytest.mark.parametrize("first", [False, True])
def test_I16_updates_also_on_a_first_run(changed, of, trips, first):
    items = films(of)
    plan = planned(
        snapshot(rated(items[:changed], 9) + rated(items[changed:])),
        snapshot(rated(items)),
        None if first else base_of(items),
        guards=GuardSpec(),
        conflict=Conflict.SOURCE,
    )
    assert tripped(plan) == (["updates target"] if trips else [])


ADDS = [(50, 10, False), (51, 10, True), (100, 200, False), (101, 200, True)]


@pytest.mark.parametrize(("new", "of", "trips"), ADDS)
def test_I16_adds(new, of, trips):
    items, more = films(of), films(new, start=5000)
    plan = planned(snapshot(rated(items + more)), snapshot(rated(items)), base_of(items), guards=GuardSpec())
    assert tripped(plan) == (["adds target"] if trips else [])


def test_a_first_run_may_add_any_number():
    plan = planned(snapshot(rated(films(5000))), snapshot([]), guards=GuardSpec())
    assert tripped(plan) == []
    assert len(plan.changes) == 5000


OVERLAP = [
    # gone, of, trips
    (2, 19, False),  # too few to say
    (2, 20, False),
    (3, 20, True),
    (10, 100, False),
    (11, 100, True),
]


@pytest.mark.parametrize(("gone", "of", "trips"), OVERLAP)
@pytest.mark.parametrize("side", Side)
def test_I16_overlap_even_when_nothing_would_be_removed(gone, of, trips, side):
    items = films(of)
    short, whole = snapshot(rated(items[gone:])), snapshot(rated(items))
    sides = (short, whole) if side is Side.SOURCE else (whole, short)
    plan = planned(*sides, base_of(items), guards=GuardSpec(), remove=False)
    assert tripped(plan) == ([f"overlap {side.value}"] if trips else [])


@pytest.mark.parametrize("count", [1, 5, 19, 200])
@pytest.mark.parametrize("side", Side)
def test_I16_empty(count, side):
    items = films(count)
    sides = {side: snapshot([]), side.other: snapshot(rated(items))}
    plan = planned(sides[Side.SOURCE], sides[Side.TARGET], base_of(items), guards=GuardSpec(), remove=False)
    assert f"empty {side.value}" in tripped(plan)


def test_an_empty_side_that_never_held_anything_is_no_news():
    items = films(3)
    base = baseline([row(item, None, score(5)) for item in items])
    assert tripped(planned(snapshot([]), snapshot(rated(items)), base, guards=GuardSpec())) == []


@pytest.mark.parametrize(("count", "trips"), [(5, False), (6, True)])
def test_a_short_progress_list_may_run_empty_because_films_get_finished(count, trips):
    items = films(count)
    started = Position(600_000, 6_000_000)
    plan = planned(
        snapshot([], Feature.PROGRESS),
        snapshot([(item, started) for item in items], Feature.PROGRESS),
        baseline([row(item, started, started) for item in items], Feature.PROGRESS),
        guards=GuardSpec(),
        remove=False,
    )
    assert tripped(plan) == (["empty source"] if trips else [])


@pytest.mark.parametrize(("off_s", "trips"), [(300, False), (301, True), (-300, False), (-301, True)])
def test_I16_clock(off_s, trips):
    items = films(1)
    plan = planned(
        snapshot(rated(items), server_now=NOW + timedelta(seconds=off_s)), snapshot(rated(items)), base_of(items)
    )
    assert tripped(plan) == (["clock source"] if trips else [])


@pytest.mark.parametrize(("ahead_s", "trips"), [(300, False), (301, True)])
def test_I16_a_clock_that_was_moved_back(ahead_s, trips):
    items = films(1)
    last = NOW + timedelta(seconds=ahead_s)
    plan = planned(snapshot(rated(items)), snapshot(rated(items)), base_of(items), extra={"last_at": last})
    assert tripped(plan) == (["clock -"] if trips else [])


def test_another_account_behind_the_same_name_cannot_be_accepted():
    items = films(1)
    base = base_of(items, account_ids={Side.SOURCE: "someone", Side.TARGET: "account"})
    plan = planned(snapshot(rated(items)), snapshot(rated(items)), base)
    assert tripped(plan) == ["account source"]
    assert "reset-state home-away" in plan.guards[0].hint
    assert guarded(plan, OnGuard.STOP, accepted=True)[1]


def test_removals_from_an_incomplete_read_trip_even_if_a_planner_were_to_plan_them():
    items = films(2)
    asked = question(snapshot(rated(items[1:])), snapshot(rated(items)), base_of(items))
    changes = plan_feature(asked).changes
    assert [change.op.value for change in changes] == ["remove"]
    broken = replace(asked.snapshots[Side.SOURCE], complete=False)
    facts = Facts(
        feature=Feature.RATINGS,
        spec=GuardSpec(),
        pair="p",
        names=asked.names,
        changes=changes,
        baseline=asked.baseline,
        snapshots={Side.SOURCE: broken, Side.TARGET: asked.snapshots[Side.TARGET]},
        present={Side.SOURCE: 1, Side.TARGET: 2},
        held={Side.SOURCE: 1, Side.TARGET: 2},
        usable=True,
        first_run=False,
        now=NOW,
        wall=NOW,
        last_at=None,
    )
    assert [guard.name for guard in judge(facts)] == ["complete"]


def test_accepting_lifts_a_guard_and_nothing_else():
    plan = removing(6, 20)
    assert guarded(plan, OnGuard.STOP, accepted=False)[1]
    free, stopped = guarded(plan, OnGuard.STOP, accepted=True)
    assert not stopped
    assert free.changes == plan.changes


def test_on_guard_hold_keeps_removals_and_lets_the_rest_go():
    items, more = films(20), films(3, start=100)
    plan = planned(
        snapshot(rated(items[6:] + more)),
        snapshot(rated(items)),
        base_of(items),
        guards=GuardSpec(min_overlap_percent=0),
    )
    held, stopped = guarded(plan, OnGuard.HOLD, accepted=False)
    assert not stopped
    assert [text[0] for text in words(held)] == ["+", "+", "+"]
    assert [note.code for note in held.holds] == ["guard"] * 6


def test_what_a_guard_blocked_stays_pending_and_is_the_same_later():
    items = films(20)
    sides = snapshot(rated(items[6:])), snapshot(rated(items))
    tight = planned(*sides, base_of(items), guards=GuardSpec(min_overlap_percent=0))
    wide = planned(*sides, base_of(items), guards=GuardSpec(min_overlap_percent=0, free_removes=6))
    assert tripped(tight) == ["removes target"]
    assert tripped(wide) == []
    assert words(tight) == words(wide)


def test_one_record_written_again_and_again_is_held():
    item = films(1)[0]
    for times, code in ((3, None), (4, "flap")):
        written = tuple(NOW - timedelta(hours=hour) for hour in range(times, 0, -1))
        plan = planned(
            snapshot([(item, score(9))]),
            snapshot([(item, score(5))]),
            baseline([row(item, score(5), score(5), writes=written)]),
        )
        assert [note.code for note in plan.holds] == ([code] if code else [])


def test_mirror_mode_is_guarded_by_the_targets_baseline():
    items, theirs = films(20), films(7, start=100)
    plan = planned(
        snapshot(rated(items)),
        snapshot(rated(items + theirs)),
        base_of(items),
        mode=Mode.ONE_WAY,
        remove_mode=RemoveMode.MIRROR,
        guards=GuardSpec(),
    )
    assert tripped(plan) == ["removes target"]
