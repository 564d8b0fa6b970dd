"""A service that counts rows and shows them to nobody: what is new to it may be added, nothing is taken for removed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cwsync.model import Entry, Mark, MarkKind, Mode, Rated, RemoveMode, Row, Side, Snapshot
from cwsync.planner.plan import FeaturePlan
from support.planning import NOW, baseline, film, planned, row, snapshot

HEAT, ROOM = film("imdb:1"), film("imdb:2")
EIGHT = Rated(80)


def side(*shown: Entry, withheld: int = 0) -> Snapshot:
    rows = [Entry(ROOM, EIGHT, "room"), *shown]
    return replace(snapshot(rows, complete=not withheld), withheld=withheld)


def told(plan: FeaturePlan) -> str:
    changes = [f"{change.op.symbol}{change.side.value}" for change in plan.changes if change.item == HEAT]
    codes = [note.code for notes in (plan.conflicts, plan.holds, plan.skips) for note in notes]
    return " ".join(changes + codes) or "nothing"


HERE = Entry(HEAT, EIGHT, "heat")
DOUBT = Mark(MarkKind.DOUBT, Side.TARGET, None, EIGHT, EIGHT, NOW - timedelta(hours=1), NOW)
AGREED = row(ROOM, EIGHT, EIGHT)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (None, {"+target"}),
        (row(HEAT, EIGHT, EIGHT), {"nothing"}),  # it may be hidden now
        (row(HEAT, EIGHT, None, target_keys=("heat",)), {"nothing", "incomplete"}),  # it was there once
        (row(HEAT, EIGHT, None, mark=DOUBT), {"doubt"}),
    ],
)
def test_what_is_new_goes_to_a_side_that_withholds_rows(mode: Mode, known: Row | None, expected: set[str]) -> None:
    rows = [AGREED] if known is None else [AGREED, known]
    plan = planned(side(HERE), side(withheld=1), baseline(rows), mode=mode, hold_removed=timedelta(0))
    assert told(plan) in expected


@pytest.mark.parametrize("known", [row(HEAT, EIGHT, EIGHT), row(HEAT, None, EIGHT), None])
def test_nothing_is_removed_because_a_side_withholds_rows(known: Row | None) -> None:
    rows = [AGREED] if known is None else [AGREED, known]
    for removal in RemoveMode:
        plan = planned(
            side(withheld=1),
            side(HERE),
            baseline(rows),
            mode=Mode.ONE_WAY,
            remove_mode=removal,
            hold_removed=timedelta(0),
        )
        assert not plan.changes
    two_ways = planned(side(withheld=1), side(HERE), baseline(rows), hold_removed=timedelta(0))
    assert {change.op.value for change in two_ways.changes} <= {"add"}
