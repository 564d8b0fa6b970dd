"""What waits: removals that must be seen twice (`hold_removed`), additions (`hold_new`) and parked records.

Written down from sections 2 and 3 of the law, over every combination, and held against the planner.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from cwsync.model import Feature, Mode, Op, Outcome, Parked, Rated, RemoveMode, Row, Side, Sighting
from cwsync.planner.plan import FeaturePlan
from support.engine import MINUTE, World
from support.planning import NOW, baseline, caps, film, planned, row, snapshot
from support.world import movie, rated

FILM, OTHER = film("imdb:1"), film("imdb:2")
FIVE, SEVEN = Rated(50), Rated(70)
WAIT = timedelta(minutes=10)
RULES = {"two-way": {"mode": Mode.TWO_WAY}, "follow": {"mode": Mode.ONE_WAY}} | {
    "mirror": {"mode": Mode.ONE_WAY, "remove_mode": RemoveMode.MIRROR}
}
# What was noted of the film in earlier runs -> since when its absence from the source is known.
NOTED: dict[str, tuple[Sighting | None, timedelta]] = {
    "nothing": (None, timedelta(0)),
    "gone just now": (Sighting(Side.SOURCE, True, NOW), timedelta(0)),
    "gone a second less": (Sighting(Side.SOURCE, True, NOW - WAIT + timedelta(seconds=1)), WAIT - timedelta(seconds=1)),
    "gone as long": (Sighting(Side.SOURCE, True, NOW - WAIT), WAIT),
    "gone longer": (Sighting(Side.SOURCE, True, NOW - 3 * WAIT), 3 * WAIT),
    "gone elsewhere": (Sighting(Side.TARGET, True, NOW - 3 * WAIT), timedelta(0)),
    "came": (Sighting(Side.SOURCE, False, NOW - 3 * WAIT), timedelta(0)),
}


def ask(
    held: tuple[Rated | None, Rated | None], known: Row, *, whole: bool = True, side: Side = Side.SOURCE, **rules: Any
) -> FeaturePlan:
    """The plan for the film, seen from both sides; `whole` is whether the read of `side` was complete."""
    sides = []
    for one, value in zip(Side, held, strict=True):
        rows = [(OTHER, FIVE)] + ([(FILM, value)] if value else [])
        sides.append(snapshot(rows, complete=whole or one is not side))
    return planned(*sides, baseline([row(OTHER, FIVE, FIVE), known]), **rules)


def learnt(plan: FeaturePlan, known: Row) -> Row:
    """The row of the film after a plan without a write."""
    assert not plan.changes
    return next((seen.row for seen in plan.observations if seen.row.key == known.key), known)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("noted", NOTED)
def test_a_removal_is_written_when_absence_was_seen_twice_far_enough_apart(rules, noted):
    sighting, since = NOTED[noted]
    known = row(FILM, FIVE, FIVE, seen=sighting)
    plan = ask((None, FIVE), known, hold_removed=WAIT, **RULES[rules])
    if since >= WAIT:
        assert [(change.op, change.side, change.item) for change in plan.changes] == [(Op.REMOVE, Side.TARGET, FILM)]
        return
    assert [(note.code, note.item) for note in plan.holds] == [("first-seen", FILM)]
    first = Sighting(Side.SOURCE, True, NOW - since)
    assert learnt(plan, known) == replace(known, seen=first), "the first sighting is kept, and nothing else is learnt"


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("noted", NOTED)
def test_a_look_that_was_not_complete_is_no_second_look(rules, noted):
    known = row(FILM, FIVE, FIVE, seen=NOTED[noted][0])
    plan = ask((None, FIVE), known, whole=False, hold_removed=WAIT, **RULES[rules])
    assert not plan.changes
    assert learnt(plan, known) == known


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("noted", NOTED)
def test_what_came_back_in_between_must_be_seen_gone_twice_again(rules, noted):
    known = row(FILM, FIVE, FIVE, seen=NOTED[noted][0])
    assert learnt(ask((FIVE, FIVE), known, hold_removed=WAIT, **RULES[rules]), known).seen is None


@pytest.mark.parametrize(("certain", "waits"), [(True, False), (False, True)])
def test_auto_waits_unless_the_side_that_lost_it_is_certain(certain, waits):
    able: dict[str, Any] = {
        "source_caps": caps(absence_certain=certain),
        "target_caps": caps(absence_certain=not certain),
    }
    plan = ask((None, FIVE), row(FILM, FIVE, FIVE), hold_removed=None, **able)
    assert bool(plan.holds) is waits
    assert bool(plan.changes) is not waits


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("ago", [None, timedelta(0), WAIT - timedelta(seconds=1), WAIT])
def test_an_addition_waits_only_if_asked_for(rules, ago):
    seen = None if ago is None else Sighting(Side.SOURCE, False, NOW - ago)
    known = row(FILM, None, None, seen=seen)
    assert ask((FIVE, None), known, **RULES[rules]).changes
    plan = ask((FIVE, None), known, hold_new=WAIT, **RULES[rules])
    assert bool(plan.changes) is (ago == WAIT)
    assert [note.code for note in plan.holds] == ([] if ago == WAIT else ["first-seen"])


# What both sides hold now where they agreed on 5, the side that is asked to change for it, and the ways it goes.
MOVES = [
    ((SEVEN, FIVE), Side.TARGET, ("two-way", "follow", "mirror")),
    ((FIVE, SEVEN), Side.SOURCE, ("two-way",)),
    ((FIVE, SEVEN), Side.TARGET, ("follow", "mirror")),
    ((None, FIVE), Side.TARGET, ("two-way", "follow", "mirror")),
    ((FIVE, None), Side.SOURCE, ("two-way",)),
    ((FIVE, None), Side.TARGET, ("follow", "mirror")),
]


@pytest.mark.parametrize(("held", "asked", "ways"), MOVES)
@pytest.mark.parametrize(("refused", "due"), list(product(Side, (-1, 0, 1))))
def test_a_parked_record_waits_on_the_side_that_refused_it_until_its_time(held, asked, ways, refused, due):
    parked = Parked(refused, "not_found", 1, NOW + due * timedelta(seconds=1))
    known = row(FILM, FIVE, FIVE, parked=parked)
    for way in ways:
        plan = ask(held, known, **RULES[way])
        if refused is asked and due > 0:
            assert [note.code for note in plan.skips] == ["parked"], way
            assert learnt(plan, known) == known, "what is parked keeps its baseline"
        else:
            assert [change.side for change in plan.changes] == [asked], way


@pytest.mark.parametrize("outcome", [Outcome.NOT_FOUND, Outcome.REJECTED])
@pytest.mark.parametrize("mode", Mode)
def test_each_refusal_makes_the_wait_longer_and_an_agreement_ends_it(tmp_path, outcome, mode):
    world = World(tmp_path)
    home, away = world.account("home"), world.account("away")
    for store in (home, away):
        store.put(Feature.RATINGS, *((movie(n), rated(5, NOW)) for n in (1, 2)))
    world.pair("home", "away", Feature.RATINGS, mode=mode)
    world.run()
    home.change(Feature.RATINGS, movie(1), rated(9, world.clock()))
    world.logins["away"].lies.refuse = dict.fromkeys(movie(1).ids, (outcome, "no"))
    for hours in (1, 6, 24, 72, 168, 168):
        assert [one.outcome for one in world.run().changes] == [outcome]
        (parked,) = [one.parked for one in world.rows(Feature.RATINGS).values() if one.parked]
        wait = parked.until - world.clock()
        assert timedelta(hours=hours) / 2 <= wait <= timedelta(hours=hours) * 1.5
        assert parked.until.timestamp() % (hours * 3600) == 0, "what was refused at other times is due then too"
        world.clock.tick(wait - MINUTE)
        assert not world.run().changes
        world.clock.tick(MINUTE)
    away.change(Feature.RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    assert not [one for one in world.rows(Feature.RATINGS).values() if one.parked]
