"""Guards trip at the stated number, not one earlier or later (I16)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cwsync.model import (
    Conflict,
    Entry,
    Feature,
    Guard,
    GuardSpec,
    Mode,
    Note,
    OnGuard,
    Position,
    Removal,
    RemoveMode,
    Side,
    Sighting,
    Undecoded,
)
from cwsync.planner.digest import plan_digest, snapshot_digest
from cwsync.planner.guards import Facts, judge
from cwsync.planner.plan import guarded, plan_feature
from support.planning import NOW, baseline, caps, film, planned, question, row, score, snapshot, words


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


# --- what a guard must not count, found by switching each part of it off ------------------------------


def test_I16_removals_on_both_sides_are_not_added_up():
    items = films(40)
    plan = planned(
        snapshot(rated(items[5:])), snapshot(rated(items[:-5])), base_of(items), guards=GuardSpec(min_overlap_percent=0)
    )
    assert [text[:7] for text in words(plan)].count("-source") == 5
    assert tripped(plan) == []


def test_I16_copies_of_one_title_are_one_removal():
    items = films(40)
    copies = [Entry(item, score(5), f"{item.ids[0]}-{n}") for item in items for n in range(2)]
    plan = planned(
        snapshot(rated(items[5:])), snapshot(copies), base_of(items), guards=GuardSpec(min_overlap_percent=0)
    )
    assert len(plan.changes) == 10
    assert tripped(plan) == []


def test_I16_the_share_is_of_what_both_sides_agreed_on_and_not_of_all_that_is_there():
    items, theirs = films(100), films(100, start=500)
    plan = planned(
        snapshot(rated(items[11:])),
        snapshot(rated(items + theirs)),
        base_of(items),
        mode=Mode.ONE_WAY,
        guards=GuardSpec(min_overlap_percent=0),
    )
    assert tripped(plan) == ["removes target"]


@pytest.mark.parametrize(("hours", "trips"), [(167, True), (168, False)])
def test_I16_the_budget_of_a_week_has_seven_days(hours, trips):
    items = films(100)
    losses = ((25, 10), (hours, 11))
    removals = tuple(Removal(NOW - timedelta(hours=ago), Side.TARGET, count) for ago, count in losses)
    plan = planned(
        snapshot(rated(items[10:])),
        snapshot(rated(items)),
        base_of(items, removals=removals),
        guards=GuardSpec(min_overlap_percent=0),
    )
    assert tripped(plan) == (["budget target"] if trips else [])


@pytest.mark.parametrize(("before", "trips"), [(10, False), (11, True)])
def test_I16_the_budget_is_bounded_by_the_absolute_limit_too(before, trips):
    items = films(400)
    removals = (Removal(NOW - timedelta(hours=1), Side.TARGET, before),)
    plan = planned(
        snapshot(rated(items[10:])),
        snapshot(rated(items)),
        base_of(items, removals=removals),
        guards=GuardSpec(min_overlap_percent=0, max_remove=10),
    )
    assert tripped(plan) == (["budget target"] if trips else [])


BROKEN = Undecoded("line 1", "no rating", film("imdb:1"))


@pytest.mark.parametrize(
    ("side", "extra", "trips"),
    [
        (snapshot([]), {}, True),
        (snapshot([], complete=False), {}, False),  # not read to the end: nobody knows
        (snapshot([], undecoded=(BROKEN,)), {}, False),  # there is a row, which cannot be read
        (snapshot([]), {"union": "it was restored"}, False),  # removes nothing, so there is nothing to stop
    ],
)
def test_only_a_side_that_is_certainly_empty_is_called_empty(side, extra, trips):
    items = films(3)
    plan = planned(side, snapshot(rated(items)), base_of(items), guards=GuardSpec(), extra=extra)
    assert tripped(plan) == (["empty source"] if trips else [])


@pytest.mark.parametrize(
    ("feature", "more", "extra", "trips"),
    [
        (Feature.RATINGS, {}, {}, True),
        (Feature.RATINGS, {"complete": False}, {}, False),
        (Feature.RATINGS, {}, {"union": "it was restored"}, False),
        (Feature.PROGRESS, {}, {}, False),  # films get finished
    ],
)
def test_overlap_is_judged_only_where_records_should_stay(feature, more, extra, trips):
    items = films(20)
    value = score(5) if feature is Feature.RATINGS else Position(600_000, 6_000_000)
    held = [(item, value) for item in items]
    plan = planned(
        snapshot(held[3:], feature, **more),
        snapshot(held, feature),
        baseline([row(item, value, value) for item in items], feature),
        guards=GuardSpec(),
        extra=extra,
        remove=False,
    )
    assert tripped(plan) == (["overlap source"] if trips else [])


def test_rows_that_cannot_be_read_are_still_there_for_overlap():
    items = films(20)
    broken = tuple(Undecoded(f"line {n}", "no rating", item) for n, item in enumerate(items[:5]))
    plan = planned(
        snapshot(rated(items[5:]), undecoded=broken), snapshot(rated(items)), base_of(items), guards=GuardSpec()
    )
    assert tripped(plan) == []


FLAPS = [
    # hours ago of the writes, held
    ((1, 2, 3, 23.5), True),
    ((1, 2, 3, 24), False),  # exactly a day ago is not within the day
    ((1, 2, 3, 24.5), False),
]


@pytest.mark.parametrize(("hours", "held"), FLAPS)
@pytest.mark.parametrize("merged", [False, True])
def test_flap_counts_the_writes_of_one_day_also_of_rows_that_became_one(hours, held, merged):
    written = tuple(NOW - timedelta(hours=hour) for hour in sorted(hours, reverse=True))
    whole = film("imdb:1 tmdb:2")
    parts = [(film("imdb:1"), written[:2]), (film("tmdb:2"), written[2:])] if merged else [(whole, written)]
    plan = planned(
        snapshot([(whole, score(9))]),
        snapshot([(whole, score(5))]),
        baseline([row(item, score(5), score(5), writes=times) for item, times in parts]),
    )
    assert [note.code for note in plan.holds] == (["flap"] if held else [])


def test_no_guard_on_an_incomplete_read_can_be_accepted():
    items = films(1)
    asked = question(snapshot([]), snapshot(rated(items)), base_of(items))
    plan = plan_feature(asked)
    guard = Guard("complete", Feature.RATINGS, Side.TARGET, "", "", holds=True, acceptable=False)
    assert guarded(replace(plan, guards=(guard,)), OnGuard.STOP, accepted=True)[1]
    blind = replace(asked.snapshots[Side.SOURCE], complete=False)
    facts = Facts(
        feature=Feature.RATINGS,
        spec=GuardSpec(),
        pair="p",
        names=asked.names,
        changes=plan.changes,
        baseline=asked.baseline,
        snapshots={Side.SOURCE: blind, Side.TARGET: asked.snapshots[Side.TARGET]},
        present=dict.fromkeys(Side, 1),
        held=dict.fromkeys(Side, 1),
        usable=True,
        first_run=False,
        now=NOW,
        wall=NOW,
        last_at=None,
    )
    assert [(found.name, found.acceptable) for found in judge(facts)] == [("complete", False)]


def test_on_guard_hold_stops_for_every_guard_that_is_not_about_removals():
    plan = removing(6, 20)
    updates = Guard("updates", Feature.RATINGS, Side.TARGET, "", "")
    for guards, stops in (((updates,), True), ((*plan.guards, updates), True), (plan.guards, False)):
        both = replace(plan, guards=guards)
        assert guarded(both, OnGuard.HOLD, accepted=False)[1] is stops
        assert guarded(both, OnGuard.STOP, accepted=False)[1]


def test_what_a_guard_holds_is_not_learnt_and_leaves_a_first_run_open():
    items = films(20)
    first_seen = Sighting(Side.SOURCE, True, NOW - timedelta(hours=1))
    plan = planned(
        snapshot(rated(items[6:])),
        snapshot(rated(items)),
        baseline([row(item, score(5), score(5), seen=first_seen) for item in items]),
        guards=GuardSpec(min_overlap_percent=0),
        hold_removed=timedelta(minutes=10),
    )
    keys = {change.key for change in plan.changes}
    assert keys <= {seen.key for seen in plan.observations}
    held, stopped = guarded(plan, OnGuard.HOLD, accepted=False)
    assert (stopped, held.finished) == (False, False)
    assert not keys & {seen.key for seen in held.observations}


def test_a_plan_is_known_by_all_that_it_does_and_stands_on():
    items = films(2)
    plan = planned(snapshot(rated(items, 9)), snapshot(rated(items)), base_of(items))
    one, other = plan.changes
    told = Note(Feature.RATINGS, "k", items[0], "settling: wait")
    guard = Guard("removes", Feature.RATINGS, Side.TARGET, "6 of 20", "")
    variants = [
        (Feature.RATINGS, ("b", "s", "t"), [one], [told], [guard]),
        (Feature.WATCHLIST, ("b", "s", "t"), [one], [told], [guard]),
        (Feature.RATINGS, ("c", "s", "t"), [one], [told], [guard]),
        (Feature.RATINGS, ("b", "s", "u"), [one], [told], [guard]),
        (Feature.RATINGS, ("b", "s", "t"), [one, other], [told], [guard]),
        (Feature.RATINGS, ("b", "s", "t"), [replace(one, after=score(8))], [told], [guard]),
        (Feature.RATINGS, ("b", "s", "t"), [replace(one, before=score(8))], [told], [guard]),
        (Feature.RATINGS, ("b", "s", "t"), [replace(one, native_key="7")], [told], [guard]),
        (Feature.RATINGS, ("b", "s", "t"), [one], [], [guard]),
        (Feature.RATINGS, ("b", "s", "t"), [one], [told], []),
        (Feature.RATINGS, ("b", "s", "t"), [one], [told], [replace(guard, numbers="7 of 20")]),
    ]
    digests = [plan_digest(*variant) for variant in variants]
    assert len(set(digests)) == len(digests)
    late = replace(guard, name="clock")
    clocks = [plan_digest(Feature.RATINGS, (), [], [], [replace(late, numbers=text)]) for text in ("301 s", "302 s")]
    assert clocks[0] == clocks[1], "the seconds of a clock that is off differ in each run"


def test_a_snapshot_is_known_by_all_that_it_says_and_not_by_its_order():
    items = films(3)
    plain = snapshot(rated(items))
    others = [
        snapshot(rated(items[1:])),
        snapshot(rated(items, 6)),
        snapshot(rated(items), account="someone else"),
        snapshot(rated(items), complete=False),
        snapshot(rated(items), undecoded=(BROKEN,)),
        snapshot([Entry(item, score(5), "a name of its own") for item in items]),
    ]
    digests = [snapshot_digest(one, caps()) for one in (plain, *others)]
    assert len(set(digests)) == len(digests)
    assert snapshot_digest(snapshot(rated(items[::-1])), caps()) == digests[0]
