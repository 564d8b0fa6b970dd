"""Ratings, plays, positions and watchlists: what counts as the same, and what a side can hold."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from cwsync.model import (
    Capabilities,
    Feature,
    FeatureCaps,
    FeatureSpec,
    Kind,
    Listed,
    Mode,
    Play,
    Plays,
    Position,
    Rated,
    Row,
    Side,
    Undecoded,
)
from cwsync.planner.history import pair_nearest
from cwsync.planner.normalize import Scale, nearest
from cwsync.providers.tracker import Tracker
from support.planning import NOW, TENS, baseline, caps, film, planned, row, score, snapshot, words

HEAT = film("imdb:1")
FIVES = tuple(range(20, 101, 20))
SMILES = (35, 60, 85)
HUNDRED = tuple(range(1, 101))
HALF_STARS = tuple(range(10, 101, 10))


@pytest.mark.parametrize(
    ("grid", "number", "expected"),
    [
        (TENS, 70, 70),
        (TENS, 75, 80),  # half way goes up
        (TENS, 74, 70),
        (TENS, 1, 10),  # never down to "no rating"
        (FIVES, 70, 80),
        (FIVES, 69, 60),
        (SMILES, 48, 60),
        (SMILES, 47, 35),
        (HUNDRED, 33, 33),
        ((), 33, 33),
    ],
)
def test_the_nearest_point_of_a_grid(grid, number, expected):
    assert nearest(grid, number) == expected


@pytest.mark.parametrize("one", [TENS, FIVES, SMILES, HUNDRED, tuple(range(5, 101, 5))])
@pytest.mark.parametrize("other", [TENS, FIVES, SMILES, HUNDRED, tuple(range(5, 101, 5))])
def test_I18_scores_survive_the_way_there_and_back_over_every_pair_of_grids(one, other):
    scale = Scale.of(FeatureSpec(Feature.RATINGS), FeatureCaps(scores=one), FeatureCaps(scores=other))
    for start in one:
        there, _ = scale.project(Rated(start), Side.TARGET)
        assert isinstance(there, Rated)
        assert there.score in other
        assert scale.equal(Rated(start), there), f"{start} would be written again"
        back, _ = scale.project(there, Side.SOURCE)
        assert scale.equal(there, back)


def test_half_stars_and_tens_never_play_ping_pong():
    stars, tens = caps(scores=HALF_STARS), caps(scores=TENS)
    plan = planned(snapshot([(HEAT, Rated(70))]), snapshot([(HEAT, Rated(70))]), source_caps=stars, target_caps=tens)
    assert plan.changes == ()


def test_a_projected_score_says_what_it_becomes():
    plan = planned(snapshot([(HEAT, Rated(75))]), snapshot([]), target_caps=caps(scores=TENS))
    assert words(plan) == ["+target 1 8"]
    assert plan.changes[0].lost == "7.5 becomes 8 of 10"


def test_a_change_within_one_point_of_the_coarser_grid_is_learnt_and_not_written():
    plan = planned(
        snapshot([(HEAT, Rated(75))]),
        snapshot([(HEAT, Rated(80))]),
        baseline([row(HEAT, Rated(80), Rated(80))]),
        target_caps=caps(scores=TENS),
    )
    assert plan.changes == ()
    assert [seen.row.source for seen in plan.observations] == [Rated(75)]


# --- history ---------------------------------------------------------------------------------------

MAY = datetime(2024, 5, 1, 20, 15, 30, tzinfo=UTC)


def plays(*times):
    return snapshot([(HEAT, Play(at)) for at in times], Feature.HISTORY)


def test_history_is_presence_by_default_and_dates_are_never_rewritten():
    plan = planned(plays(MAY), plays(MAY - timedelta(days=400)), mode=Mode.TWO_WAY)
    assert plan.changes == ()


def test_only_the_newest_play_is_sent():
    plan = planned(plays(MAY - timedelta(days=1), MAY, None), plays())
    assert [change.after for change in plan.changes] == [Play(MAY)]


def test_an_unknown_date_stays_unknown():
    plan = planned(plays(None), plays())
    assert [change.after for change in plan.changes] == [Play(None)]


def test_a_side_without_undated_plays_gets_none():
    plan = planned(plays(None), plays(), target_caps=caps(Feature.HISTORY, undated=False))
    assert [note.code for note in plan.skips] == ["unsupported"]


def test_a_side_that_keeps_no_dates_says_what_is_lost():
    plan = planned(plays(MAY), plays(), target_caps=caps(Feature.HISTORY, keeps_date=False))
    assert [(change.after, change.lost) for change in plan.changes] == [(Play(None), "the date cannot be kept")]


def test_times_are_sent_in_the_precision_of_the_side():
    plan = planned(plays(MAY), plays(), target_caps=caps(Feature.HISTORY, precision_s=60))
    assert [change.after for change in plan.changes] == [Play(MAY.replace(second=0))]


def test_unwatching_removes_every_play_and_journals_each():
    first, second = MAY - timedelta(days=9), MAY
    plan = planned(
        plays(),
        plays(first, second),
        baseline([row(HEAT, Play(second), Play(second))], Feature.HISTORY),
    )
    assert {change.before.at for change in plan.changes if change.before} == {first, second}
    assert len({change.key for change in plan.changes}) == 1


ALL_PLAYS = [
    # source, target, expected writes; minutes of one day, precision 60 s on the target
    ([10], [10], []),
    ([10], [], ["+target"]),
    ([10, 20], [10], ["+target"]),
    ([10, 20], [20, 10], []),
    ([10.5], [10], []),  # half a minute off a floored time is the same play
    ([10], [11.5], ["+source", "+target"]),
    ([10, 10.4], [10], ["+target"]),  # one play matches one play
    ([None], [None], []),
    ([None, None], [None], []),  # rows with one time, or none, are copies of one play
    ([10, 10], [10], []),
    ([None], [10], ["+source", "+target"]),
]


@pytest.mark.parametrize(("source", "target", "expected"), ALL_PLAYS)
def test_full_play_lists_are_matched_one_to_one_nearest_first(source, target, expected):
    def times(minutes):
        return [None if m is None else MAY.replace(second=0) + timedelta(minutes=m) for m in minutes]

    plan = planned(
        plays(*times(source)),
        plays(*times(target)),
        target_caps=caps(Feature.HISTORY, precision_s=60),
        plays=Plays.ALL,
    )
    assert sorted(f"{c.op.symbol}{c.side.value}" for c in plan.changes) == expected
    assert len({change.key for change in plan.changes}) == len(plan.changes)


def test_one_play_out_of_a_list_can_go_alone():
    kept, gone = MAY, MAY + timedelta(days=1)
    first = planned(plays(kept, gone), plays(), plays=Plays.ALL)
    rows = [Row(change.key, HEAT, change.after, change.after) for change in first.changes]
    plan = planned(plays(kept), plays(kept, gone), baseline(rows, Feature.HISTORY), plays=Plays.ALL)
    assert [(c.op.value, c.side.value, c.before) for c in plan.changes] == [("remove", "target", Play(gone))]


# --- progress --------------------------------------------------------------------------------------

HOUR = 3_600_000


def at(seconds, hours_ago=None, duration=2 * HOUR):
    return Position(int(seconds * 1000), duration, None if hours_ago is None else NOW - timedelta(hours=hours_ago))


PROGRESS = [
    # source, target, mode, expected
    (at(600), None, Mode.ONE_WAY, ["+target 1 600s"]),
    (at(59), None, Mode.ONE_WAY, []),  # below min_seconds
    (at(60), None, Mode.ONE_WAY, ["+target 1 60s"]),
    (at(6840), None, Mode.ONE_WAY, ["+target 1 6840s"]),  # exactly 95 %
    (at(6841), None, Mode.ONE_WAY, []),
    (at(600), at(629), Mode.ONE_WAY, []),  # under 30 s is no difference
    (at(600), at(570), Mode.ONE_WAY, ["~target 1 600s"]),
    (at(600), at(900), Mode.ONE_WAY, []),  # never backwards without a newer time
    (at(600, 1), at(900, 2), Mode.ONE_WAY, ["~target 1 600s"]),
    (at(900, 2), at(600, 1), Mode.ONE_WAY, []),  # the target was watched later
    (at(900, 2), at(600, -1), Mode.ONE_WAY, ["~target 1 900s"]),  # a time that is yet to come is not known
    (at(600, -1), at(900, 2), Mode.TWO_WAY, ["~source 1 900s"]),
    (at(900, 2), at(600, 1), Mode.TWO_WAY, ["~source 1 600s"]),
    (at(600), at(900), Mode.TWO_WAY, ["~source 1 900s"]),
    (at(7000, 1), at(900, 2), Mode.TWO_WAY, []),  # finished there: never turned into watched here
    (at(900, 2), at(7000, 1), Mode.TWO_WAY, []),
]


@pytest.mark.parametrize(("source", "target", "mode", "expected"), PROGRESS)
def test_progress(source, target, mode, expected):
    def side(value):
        return snapshot([] if value is None else [(HEAT, value)], Feature.PROGRESS)

    assert words(planned(side(source), side(target), mode=mode)) == expected


@pytest.mark.parametrize("lost", Side)
def test_a_position_too_near_the_start_was_removed_though_nobody_ever_agreed_on_it(lost):
    """Only the other side ever had one that counts, and it is gone there."""
    sides = {lost: snapshot([], Feature.PROGRESS), lost.other: snapshot([(HEAT, at(30))], Feature.PROGRESS)}
    known = row(HEAT, *(at(600) if side is lost else None for side in Side))
    plan = planned(
        sides[Side.SOURCE], sides[Side.TARGET], baseline([known], Feature.PROGRESS), hold_removed=timedelta(0)
    )
    assert (words(plan), plan.holds, plan.conflicts) == ([], (), ())


def test_small_steps_add_up_to_a_change():
    base = baseline([row(HEAT, at(600), at(600))], Feature.PROGRESS)

    def one(seconds):
        return snapshot([(HEAT, at(seconds))], Feature.PROGRESS)

    assert planned(one(620), one(610), base).observations == ()
    later = planned(one(640), one(635), base)
    assert [seen.row.source for seen in later.observations] == [at(640)]


# --- watchlist and scope ---------------------------------------------------------------------------


def test_when_something_was_listed_is_evidence_and_not_value():
    old, new = Listed(NOW - timedelta(days=9)), Listed(NOW)
    plan = planned(snapshot([(HEAT, old)], Feature.WATCHLIST), snapshot([(HEAT, new)], Feature.WATCHLIST))
    assert plan.changes == ()


@pytest.mark.parametrize(
    ("kinds", "op", "expected"),
    [
        ({"kinds": frozenset({Kind.SHOW})}, "+", "unsupported"),
        ({"add": False}, "+", "unsupported"),
        ({"update": False}, "~", "unsupported"),
        ({"remove": False}, "-", "unsupported"),
    ],
)
def test_what_a_side_cannot_do_is_a_skip_with_a_reason(kinds, op, expected):
    target = {"+": [], "~": [(HEAT, score(5))], "-": [(HEAT, score(8))]}[op]
    source = [] if op == "-" else [(HEAT, score(8))]
    was = {"+": [], "~": [row(HEAT, score(5), score(5))], "-": [row(HEAT, score(8), score(8))]}[op]
    plan = planned(snapshot(source), snapshot(target), baseline(was), target_caps=caps(**kinds))
    assert plan.changes == ()
    assert [note.code for note in plan.skips] == [expected]


@pytest.mark.parametrize(
    ("since", "until", "in_scope"),
    [
        (date(2024, 5, 1), None, True),
        (date(2024, 5, 2), None, False),
        (None, date(2024, 5, 1), True),  # both ends are included
        (None, date(2024, 4, 30), False),
    ],
)
def test_records_outside_since_and_until_are_none_of_our_business(since, until, in_scope):
    plan = planned(plays(MAY), plays(), since=since, until=until)
    assert (len(plan.changes), plan.filtered) == ((1, 0) if in_scope else (0, 1))


def test_records_are_filtered_and_not_rows():
    """A film watched again within the range is watched on both sides, though one row is too old."""
    plan = planned(plays(MAY), plays(MAY - timedelta(days=500)), since=date(2024, 1, 1))
    assert plan.changes == ()


def test_types_limit_what_is_synced():
    plan = planned(snapshot([(HEAT, score(8))]), snapshot([]), types=frozenset({Kind.SHOW}))
    assert (plan.changes, plan.filtered) == ((), 1)


@pytest.mark.parametrize(
    ("extra", "codes", "n_changes"),
    [
        ({"since": date(2024, 5, 2)}, ["range"], 0),
        ({"until": date(2024, 5, 1)}, [], 1),
        ({"limit": 1}, [], 1),
    ],
)
def test_ranges_of_the_command_line_hold_and_do_not_forget(extra, codes, n_changes):
    plan = planned(plays(MAY), plays(), extra=extra)
    assert [note.code for note in plan.holds] == codes
    assert len(plan.changes) == n_changes
    assert not [seen for seen in plan.observations if codes]


def test_limit_counts_records_and_leaves_the_rest_for_the_next_run():
    items = [film(f"imdb:{n}") for n in range(1, 6)]
    plan = planned(snapshot([(item, score(8)) for item in items]), snapshot([]), extra={"limit": 2})
    assert words(plan) == ["+target 1 8", "+target 2 8"]
    assert [note.code for note in plan.holds] == ["limit"] * 3
    assert not plan.finished


def test_adds_only_holds_everything_else():
    two, three = film("imdb:2"), film("imdb:3")
    plan = planned(
        snapshot([(HEAT, score(9)), (two, score(5))]),
        snapshot([(HEAT, score(8)), (three, score(5))]),
        baseline([row(HEAT, score(8), score(8)), row(three, score(5), score(5))]),
        extra={"adds_only": True},
    )
    assert words(plan) == ["+target 2 5"]
    assert [note.code for note in plan.holds] == ["adds-only", "adds-only"]


# --- found by switching each part off ----------------------------------------------------------------


NEAREST = [
    # seconds on either side, pairs of places: nearest first, and less than a minute apart
    ([0], [59.9], [(0, 0)]),
    ([0], [60], []),
    ([0, 50], [40], [(1, 0)]),
    ([0, 50], [40, 55], [(1, 1), (0, 0)]),
    ([0, 0], [10], [(0, 0)]),
]


@pytest.mark.parametrize(("one", "other", "pairs"), NEAREST)
def test_plays_are_matched_one_to_one_nearest_first_and_not_a_whole_minute_apart(one, other, pairs):
    assert sorted(pair_nearest(one, other, 60)) == sorted(pairs)


@pytest.mark.parametrize("coarse", Side)
def test_I8_a_play_of_a_side_that_keeps_minutes_is_the_same_play(coarse):
    exact, minute = NOW + timedelta(seconds=30), NOW
    sides = {side: snapshot([(HEAT, Play(minute if side is coarse else exact))], Feature.HISTORY) for side in Side}
    able = {side: caps(Feature.HISTORY, precision_s=60 if side is coarse else 0) for side in Side}
    plan = planned(
        sides[Side.SOURCE],
        sides[Side.TARGET],
        source_caps=able[Side.SOURCE],
        target_caps=able[Side.TARGET],
        plays=Plays.ALL,
    )
    assert words(plan) == []


@pytest.mark.parametrize("mode", Mode)
def test_plays_that_were_agreed_to_be_one_stay_one_when_precision_grows(mode):
    """A side that told minutes and tells seconds now: what is agreed on is not written anew in other words."""
    minute, exact = NOW, NOW + timedelta(seconds=50)
    nearer = NOW + timedelta(seconds=51)
    plan = planned(
        snapshot([(HEAT, Play(minute))], Feature.HISTORY),
        snapshot([(HEAT, Play(exact)), (HEAT, Play(nearer))], Feature.HISTORY),
        baseline([Row("heat", HEAT, Play(minute), Play(exact))], Feature.HISTORY),
        mode=mode,
        plays=Plays.ALL,
    )
    added = [] if mode is Mode.ONE_WAY else [("add", "source", Play(nearer))]
    assert [(change.op.value, change.side.value, change.after) for change in plan.changes] == added


def test_plays_of_a_title_with_a_row_that_cannot_be_read_are_not_judged():
    broken = Undecoded("row 2", "no date", HEAT)
    plan = planned(
        snapshot([(HEAT, Play(NOW))], Feature.HISTORY, undecoded=(broken,)),
        snapshot([(HEAT, Play(NOW)), (HEAT, Play(NOW - timedelta(days=1)))], Feature.HISTORY),
        plays=Plays.ALL,
    )
    assert words(plan) == []
    assert [note.code for note in plan.holds] == ["unreadable"]


def test_reads_lag_a_quarter_of_an_hour_unless_a_provider_says_otherwise():
    assert Capabilities("some service").staleness == timedelta(minutes=15)
    assert not Capabilities("some service").absence_certain
    assert Tracker.capabilities.staleness == timedelta(0)
