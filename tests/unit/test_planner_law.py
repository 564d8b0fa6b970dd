"""The law of section 3 as tables: one record, what each side shows, what is done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cwsync.errors import InternalError
from cwsync.model import Class, Conflict, Kind, Mark, MarkKind, Mode, Parked, RemoveMode, Side, Sighting, Undecoded
from cwsync.planner.decide import decide, decide_slowly
from cwsync.planner.plan import Tally, records_of, rules_of, trace
from support.planning import (
    NOW,
    baseline,
    caps,
    film,
    planned,
    question,
    row,
    score,
    snapshot,
    words,
)

HEAT = film("imdb:1")
# A second film, the same on both sides, keeps the sides from being empty.
ROOM = film("imdb:2")


def one(base: str, source: str, target: str, **rules):
    """Plan one record. ``base`` is "8/8" (source/target), "-" is absent, "?" is unknown."""

    def side(text: str):
        entries = [(ROOM, score(5))]
        if text not in "-?":
            entries.append((HEAT, score(float(text))))
        return snapshot(entries, complete=text != "?")

    rows = [row(ROOM, score(5), score(5))]
    if base != "none":
        was = [None if value == "-" else score(float(value)) for value in base.split("/")]
        rows.append(row(HEAT, *was))
    return planned(side(source), side(target), baseline(rows), **rules)


def outcome(plan) -> str:
    """What became of film 1: its write, or the class and first word that it got."""
    changes = [text for text in words(plan) if text.split()[1] == "1"]
    notes = [note for notes in (plan.conflicts, plan.holds, plan.skips) for note in notes if note.item.ids == HEAT.ids]
    said = [f"{note.code}" for note in notes]
    return " ".join(changes + said) or "nothing"


TWO_WAY = [
    # base   source target  outcome
    ("8/8", "8", "8", "nothing"),
    ("8/8", "8", "9", "~source 1 9"),
    ("8/8", "8", "-", "-source 1"),
    ("8/8", "8", "?", "nothing"),
    ("8/8", "9", "8", "~target 1 9"),
    ("8/8", "9", "9", "nothing"),  # both moved to the same: adopted
    ("8/8", "9", "7", "~target 1 9 conflict"),
    ("8/8", "9", "-", "+target 1 9 conflict"),
    ("8/8", "9", "?", "incomplete"),
    ("8/8", "-", "8", "-target 1"),
    ("8/8", "-", "9", "-target 1 conflict"),
    ("8/8", "-", "-", "nothing"),
    ("8/8", "-", "?", "incomplete"),
    ("8/8", "?", "8", "nothing"),
    ("8/8", "?", "9", "incomplete"),
    ("8/8", "?", "-", "incomplete"),
    ("8/8", "?", "?", "nothing"),
    ("none", "8", "-", "+target 1 8"),
    ("none", "-", "8", "+source 1 8"),
    ("none", "8", "8", "nothing"),
    ("none", "8", "7", "~target 1 8 conflict"),
    ("none", "8", "?", "incomplete"),
    ("none", "?", "8", "incomplete"),
    # One side was gone already and its removal was never passed on: that stays as it is.
    ("-/8", "-", "8", "nothing"),
    ("-/8", "-", "9", "+source 1 9"),
    ("-/8", "7", "8", "~target 1 7"),
    ("8/-", "8", "-", "nothing"),
]


@pytest.mark.parametrize(("base", "source", "target", "expected"), TWO_WAY)
def test_two_way(base, source, target, expected):
    assert outcome(one(base, source, target)) == expected


POLICIES = [
    # policy            source target  outcome
    (Conflict.SOURCE, "9", "7", "~target 1 9 conflict"),
    (Conflict.TARGET, "9", "7", "~source 1 7 conflict"),
    (Conflict.KEEP, "9", "7", "~target 1 9 conflict"),
    (Conflict.SKIP, "9", "7", "conflict"),
    (Conflict.SOURCE, "-", "7", "-target 1 conflict"),
    (Conflict.TARGET, "-", "7", "+source 1 7 conflict"),
    (Conflict.KEEP, "-", "7", "+source 1 7 conflict"),
    (Conflict.SKIP, "-", "7", "conflict"),
    (Conflict.SOURCE, "9", "-", "+target 1 9 conflict"),
    (Conflict.TARGET, "9", "-", "-source 1 conflict"),
    (Conflict.KEEP, "9", "-", "+target 1 9 conflict"),
    (Conflict.SKIP, "9", "-", "conflict"),
]


@pytest.mark.parametrize(("policy", "source", "target", "expected"), POLICIES)
def test_conflict_policies(policy, source, target, expected):
    plan = one("8/8", source, target, conflict=policy)
    assert outcome(plan) == expected
    assert plan.counts[Class.CONFLICT] == 1
    assert [note.undecided for note in plan.conflicts] == [policy is Conflict.SKIP]


@pytest.mark.parametrize(
    ("source_age_s", "target_age_s", "winner"),
    [
        (0, 1000, "source"),
        (1000, 0, "target"),
        (120, 0, "source"),  # within the slack of two clocks: the source
        (121, 0, "target"),
        (None, 0, "source"),  # a time that is not known never wins
        (0, None, "source"),
        (1000, -300, "target"),
        (1000, -301, "source"),  # a time that is yet to come is not known
        (-301, 0, "source"),
        (-301, -4000, "source"),
    ],
)
def test_newest_wins_when_both_times_are_known_and_apart(source_age_s, target_age_s, winner):
    def at(age):
        return None if age is None else NOW - timedelta(seconds=age)

    plan = planned(
        snapshot([(HEAT, score(9, at(source_age_s)))]),
        snapshot([(HEAT, score(7, at(target_age_s)))]),
        baseline([row(HEAT, score(8), score(8))]),
        conflict=Conflict.NEWEST,
    )
    assert words(plan) == (["~target 1 9"] if winner == "source" else ["~source 1 7"])


ONE_WAY = [
    # base   source target  outcome
    ("8/8", "8", "8", "nothing"),
    ("8/8", "9", "8", "~target 1 9"),
    ("8/8", "8", "7", "~target 1 8"),  # the target drifted
    ("8/8", "8", "-", "+target 1 8"),  # removed on the target only: added again
    ("8/8", "-", "8", "-target 1"),
    ("8/8", "-", "-", "nothing"),
    ("8/8", "-", "?", "incomplete"),
    ("8/8", "8", "?", "nothing"),
    ("8/8", "9", "?", "incomplete"),
    ("8/8", "?", "8", "nothing"),
    ("8/8", "?", "-", "nothing"),
    ("none", "8", "-", "+target 1 8"),
    ("none", "-", "8", "nothing"),
    ("none", "8", "7", "~target 1 8"),
    ("none", "?", "8", "nothing"),
    ("-/8", "-", "8", "nothing"),
]


@pytest.mark.parametrize(("base", "source", "target", "expected"), ONE_WAY)
def test_one_way(base, source, target, expected):
    assert outcome(one(base, source, target, mode=Mode.ONE_WAY)) == expected


@pytest.mark.parametrize(("base", "source", "target", "expected"), ONE_WAY)
def test_one_way_never_writes_the_source(base, source, target, expected):
    plan = one(base, source, target, mode=Mode.ONE_WAY, remove_mode=RemoveMode.MIRROR)
    assert not [text for text in words(plan) if "source" in text]


MIRROR = [
    ("none", "-", "8", True, "-target 1"),
    ("-/8", "-", "8", True, "-target 1"),
    ("none", "?", "8", True, "nothing"),
    ("none", "-", "8", False, "mirror"),  # never on a first run
]


@pytest.mark.parametrize(("base", "source", "target", "done", "expected"), MIRROR)
def test_mirror_also_removes_what_the_source_never_had(base, source, target, done, expected):
    assert done or base == "none"
    rows = [row(ROOM, score(5), score(5))]
    if base != "none":
        rows.append(row(HEAT, None, score(8)))
    plan = planned(
        snapshot([(ROOM, score(5))], complete=source != "?"),
        snapshot([(ROOM, score(5)), (HEAT, score(8))]),
        baseline(rows, first_run_done=done),
        mode=Mode.ONE_WAY,
        remove_mode=RemoveMode.MIRROR,
    )
    assert outcome(plan) == expected


def test_mirror_never_removes_for_an_empty_source():
    plan = planned(
        snapshot([]),
        snapshot([(HEAT, score(8))]),
        baseline([]),
        mode=Mode.ONE_WAY,
        remove_mode=RemoveMode.MIRROR,
    )
    assert outcome(plan) == "mirror"


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(("source", "target"), [("-", "8"), ("8", "-")])
def test_without_remove_a_delete_is_neither_passed_on_nor_undone(mode, source, target):
    plan = one("8/8", source, target, mode=mode, remove=False)
    if mode is Mode.ONE_WAY and source == "8":
        assert outcome(plan) == "+target 1 8"  # one-way: the source has it, so the target gets it
        return
    assert outcome(plan) == "remove-off"
    (seen,) = [seen for seen in plan.observations if seen.row.item.ids == HEAT.ids]
    assert (seen.row.source, seen.row.target) == (
        None if source == "-" else score(8),
        None if target == "-" else score(8),
    )


@pytest.mark.parametrize(
    ("switch", "source", "target", "expected"),
    [("add", "8", "-", "add-off"), ("update", "9", "8", "update-off")],
)
def test_switches_turn_a_write_into_a_skip(switch, source, target, expected):
    base = "none" if switch == "add" else "8/8"
    assert outcome(one(base, source, target, **{switch: False})) == expected


@pytest.mark.parametrize("mode", Mode)
def test_a_first_run_is_a_union_without_removals(mode):
    plan = planned(
        snapshot([(HEAT, score(8))]),
        snapshot([(ROOM, score(5))]),
        baseline([], first_run_done=False),
        mode=mode,
        remove_mode=RemoveMode.FOLLOW,
    )
    assert plan.first_run
    assert words(plan) == (["+source 2 5", "+target 1 8"] if mode is Mode.TWO_WAY else ["+target 1 8"])


def test_a_first_run_that_was_cut_short_still_removes_nothing():
    plan = planned(
        snapshot([(ROOM, score(5))]),
        snapshot([(ROOM, score(5)), (HEAT, score(8))]),
        baseline([row(HEAT, score(8), score(8)), row(ROOM, score(5), score(5))], first_run_done=False),
    )
    assert outcome(plan) == "first-run"


def test_a_union_run_forgets_agreements_and_says_why():
    plan = planned(
        snapshot([(ROOM, score(5))]),
        snapshot([(ROOM, score(5)), (HEAT, score(8))]),
        baseline([row(HEAT, score(8), score(8)), row(ROOM, score(5), score(5))]),
        extra={"union": "the filters changed"},
    )
    assert plan.union == "the filters changed"
    assert words(plan) == ["+source 1 8"]


def test_an_unreadable_row_protects_its_own_record_and_no_other():
    def plan(where: str):
        broken = (Undecoded("ratings.json item 3", "the rating is 11", HEAT),)
        sides = {"source": [(ROOM, score(5))], "target": [(ROOM, score(5)), (HEAT, score(9))]}
        return planned(
            snapshot(sides["source"], undecoded=broken if where == "source" else ()),
            snapshot(sides["target"]),
            baseline([row(HEAT, score(8), score(8)), row(ROOM, score(5), score(5))]),
        )

    assert outcome(plan("nowhere")) == "-target 1 conflict"
    assert outcome(plan("source")) == "unreadable"
    assert plan("source").holds[0].undecided


LINGERING = [
    # what the source has of Heat, what the target has, what was agreed, and what becomes of it
    ([], [(HEAT, score(8))], [row(HEAT, score(8), score(8))], "nothing"),  # not gone: nobody took it away
    ([], [(HEAT, score(9))], [row(HEAT, score(8), score(8))], "lingering"),
    ([], [(HEAT, score(8))], [], "+source 1 8"),  # it may be written as if it were not there
    ([], [], [row(HEAT, score(8), score(8))], "lingering"),
    ([(HEAT, score(8))], [(HEAT, score(8))], [row(HEAT, score(8), score(8))], "nothing"),  # a second copy has it still
    ([(HEAT, score(9))], [(HEAT, score(8))], [row(HEAT, score(8), score(8))], "~target 1 9"),
    ([], [], [], "nothing"),
]


@pytest.mark.parametrize(("source", "target", "agreed", "expected"), LINGERING)
def test_a_row_that_lingers_is_no_proof_of_a_removal_and_no_obstacle(source, target, agreed, expected):
    again = (Undecoded("Heat", "it is being watched again", HEAT, "7"),)
    plan = planned(snapshot(source, lingering=again), snapshot(target), baseline(agreed))
    assert outcome(plan) == expected
    assert not any(note.undecided for note in plan.holds), "nobody has to do anything about it"


@pytest.mark.parametrize(
    ("hold", "certain", "first_seen_ago_s", "expected"),
    [
        (None, True, None, "-target 1"),  # auto: the source is a local file, absence is certain
        (None, False, None, "first-seen"),
        (None, False, 599, "first-seen"),
        (None, False, 600, "-target 1"),
        (timedelta(0), False, None, "-target 1"),
        (timedelta(hours=1), True, 3599, "first-seen"),
        (timedelta(hours=1), True, 3600, "-target 1"),
    ],
)
def test_a_removal_needs_two_looks_far_enough_apart(hold, certain, first_seen_ago_s, expected):
    seen = None
    if first_seen_ago_s is not None:
        seen = Sighting(Side.SOURCE, absent=True, at=NOW - timedelta(seconds=first_seen_ago_s))
    plan = planned(
        snapshot([(ROOM, score(5))]),
        snapshot([(ROOM, score(5)), (HEAT, score(8))]),
        baseline([row(HEAT, score(8), score(8), seen=seen), row(ROOM, score(5), score(5))]),
        source_caps=caps(absence_certain=certain),
        hold_removed=hold,
    )
    assert outcome(plan) == expected


def test_a_record_that_comes_back_is_not_on_its_way_out_any_more():
    old = Sighting(Side.SOURCE, absent=True, at=NOW - timedelta(days=1))
    plan = planned(
        snapshot([(HEAT, score(8))]),
        snapshot([(HEAT, score(8))]),
        baseline([row(HEAT, score(8), score(8), seen=old)]),
    )
    assert [seen.row.seen for seen in plan.observations] == [None]


def test_hold_new_waits_for_a_second_look_at_an_addition():
    held = one("none", "8", "-", hold_new=timedelta(hours=1))
    assert outcome(held) == "first-seen"
    (seen,) = held.observations
    assert seen.row.seen == Sighting(Side.SOURCE, absent=False, at=NOW)
    later = planned(
        snapshot([(HEAT, score(8))]),
        snapshot([(ROOM, score(5))]),
        baseline([seen.row, row(ROOM, score(5), score(5))]),
        now=NOW + timedelta(hours=1),
        hold_new=timedelta(hours=1),
    )
    assert outcome(later) == "+target 1 8"


# --- the small print of the table, found by switching each part of it off -----------------------------


def test_what_is_gone_from_both_sides_is_forgotten():
    (seen,) = one("8/8", "-", "-").observations
    assert not seen.row.agreed


def test_mirror_without_remove_says_nothing_of_what_only_the_target_has():
    plan = one("none", "-", "8", mode=Mode.ONE_WAY, remove_mode=RemoveMode.MIRROR, remove=False)
    assert (outcome(plan), plan.observations) == ("nothing", ())


SIGHTINGS = [
    # what was seen an hour ago, whether the removal from the source is believed now
    (None, False),
    (Sighting(Side.SOURCE, True, NOW - timedelta(hours=1)), True),
    (Sighting(Side.TARGET, True, NOW - timedelta(hours=1)), False),  # gone from the other side: that is over
    (Sighting(Side.SOURCE, False, NOW - timedelta(hours=1)), False),  # it appeared: that is no absence
]


@pytest.mark.parametrize(("seen", "believed"), SIGHTINGS)
def test_two_looks_are_two_looks_at_the_same_thing(seen, believed):
    plan = planned(
        snapshot([(ROOM, score(5))]),
        snapshot([(ROOM, score(5)), (HEAT, score(8))]),
        baseline([row(ROOM, score(5), score(5)), row(HEAT, score(8), score(8), seen=seen)]),
        hold_removed=timedelta(minutes=10),
    )
    assert outcome(plan) == ("-target 1" if believed else "first-seen")


def test_nothing_is_taken_away_before_what_replaces_it_is_there():
    films = [film(f"imdb:{n}") for n in range(10, 14)]
    gone, changed, new, mine = films
    plan = planned(
        snapshot([(changed, score(9)), (new, score(7))]),
        snapshot([(gone, score(5)), (changed, score(5)), (mine, score(4))]),
        baseline([row(gone, score(5), score(5)), row(changed, score(5), score(5))]),
    )
    assert words(plan) == ["~target 11 9", "+source 13 4", "+target 12 7", "-target 10"]


def test_I15_a_record_that_is_lost_or_there_twice_is_found_before_any_write():
    asked = question(snapshot([(HEAT, score(8)), (ROOM, score(5))]), snapshot([]))
    decisions = list(trace(asked))
    for given in (decisions[:1], [*decisions, decisions[0]], [decisions[0], decisions[0]]):
        tally = Tally(asked)
        for decision in given:
            tally.take(decision)
        with pytest.raises(InternalError):
            tally.check(2)
    whole = Tally(asked)
    for decision in decisions:
        whole.take(decision)
    whole.check(2)


SETTLING = Mark(MarkKind.SETTLING, Side.TARGET, None, score(8), score(8), NOW, NOW + timedelta(minutes=15))
ODD_RECORDS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a mark": ({"mark": SETTLING}, {}, {}),
    "a doubt": ({"mark": replace(SETTLING, kind=MarkKind.DOUBT, until=NOW)}, {}, {}),
    "a sighting": ({"seen": Sighting(Side.SOURCE, True, NOW)}, {}, {}),
    "a refusal": ({"parked": Parked(Side.TARGET, "gone", 1, NOW + timedelta(hours=1))}, {}, {}),
    "a weak link": ({"weak": True}, {}, {}),
    "half a row": ({"target": None}, {}, {}),
    "a copy that cannot be read": ({}, {"undecoded": (Undecoded("row 2", "no rating", HEAT),)}, {}),
    "out of scope": ({}, {}, {"types": frozenset({Kind.SHOW})}),
    "frozen by a neighbour": ({}, {}, {"extra": {"frozen": dict.fromkeys(HEAT.ids, "settling: elsewhere")}}),
}


@pytest.mark.parametrize("odd", ODD_RECORDS)
@pytest.mark.parametrize("known", [True, False])
def test_a_record_with_anything_odd_about_it_is_judged_step_by_step(odd, known):
    more, side, rules = ODD_RECORDS[odd]
    base = replace(row(HEAT, score(8), score(8)), **more)
    asked = question(
        snapshot([(HEAT, score(8))], **side),
        snapshot([(HEAT, score(8))]),
        baseline([base] if known else []),
        **rules,
    )
    rules_now = rules_of(asked)
    (record,) = records_of(asked)
    assert decide(record, rules_now) == decide_slowly(record, rules_now)
