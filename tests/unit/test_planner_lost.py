"""What is not there although nobody took it away: files that left a library, and writes that were never shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cwsync.model import (
    Class,
    Entry,
    Feature,
    GuardSpec,
    Mark,
    MarkKind,
    Mode,
    Outcome,
    Play,
    Rated,
    Receipt,
    Row,
    Side,
    Snapshot,
    Value,
    confirm,
)
from cwsync.planner.plan import FeaturePlan
from support.planning import NOW, Library, baseline, film, planned

HEAT, ROOM = film("imdb:1"), film("imdb:2")
EIGHT, NINE = Rated(80), Rated(90)


def side(
    value: Value | None, *, key: str = "old", feature: Feature = Feature.RATINGS, complete: bool = True
) -> Snapshot:
    room: Value = EIGHT if feature is Feature.RATINGS else Play(NOW)
    rows = [Entry(ROOM, room, "room")] + ([] if value is None else [Entry(HEAT, value, key)])
    return Snapshot(feature, tuple(rows), complete, "account")


# What a library has of a film that was held as row "old" and is not held now.
LIBRARIES = {
    "unrated": Library({"room": ROOM, "old": HEAT}),
    "deleted": Library({"room": ROOM}),
    "replaced": Library({"room": ROOM, "new": HEAT}),
}


def told(plan: FeaturePlan) -> str:
    """What is done with the film."""
    changes = [f"{change.op.symbol}{change.side.value}" for change in plan.changes if change.item == HEAT]
    codes = [note.code for notes in (plan.conflicts, plan.holds, plan.skips) for note in notes]
    return " ".join(changes + codes) or "nothing"


def known(feature: Feature = Feature.RATINGS, value: Value = EIGHT, **more: Any) -> list[Row]:
    room: Value = EIGHT if feature is Feature.RATINGS else Play(NOW)
    return [
        Row("imdb_movie:tt0000002", ROOM, room, room, ("room",), ("room",)),
        replace(Row("imdb_movie:tt0000001", HEAT, value, value, ("old",), ("old",)), **more),
    ]


@pytest.mark.parametrize(
    ("library", "mode", "lost", "other", "expected"),
    [
        ("unrated", Mode.TWO_WAY, Side.SOURCE, EIGHT, "-target"),
        ("unrated", Mode.TWO_WAY, Side.TARGET, EIGHT, "-source"),
        ("unrated", Mode.ONE_WAY, Side.SOURCE, EIGHT, "-target"),
        ("unrated", Mode.ONE_WAY, Side.TARGET, EIGHT, "+target"),
        ("deleted", Mode.TWO_WAY, Side.SOURCE, EIGHT, "nothing"),
        ("deleted", Mode.TWO_WAY, Side.TARGET, EIGHT, "nothing"),
        ("deleted", Mode.TWO_WAY, Side.SOURCE, NINE, "nothing"),
        ("deleted", Mode.TWO_WAY, Side.SOURCE, None, "nothing"),
        ("deleted", Mode.ONE_WAY, Side.SOURCE, EIGHT, "nothing"),
        ("deleted", Mode.ONE_WAY, Side.TARGET, EIGHT, "nothing"),
        ("deleted", Mode.ONE_WAY, Side.TARGET, NINE, "nothing"),
        ("replaced", Mode.TWO_WAY, Side.SOURCE, EIGHT, "+source"),
        ("replaced", Mode.TWO_WAY, Side.SOURCE, NINE, "+source"),
        ("replaced", Mode.TWO_WAY, Side.SOURCE, None, "nothing"),
        ("replaced", Mode.ONE_WAY, Side.SOURCE, EIGHT, "nothing"),
        ("replaced", Mode.ONE_WAY, Side.TARGET, EIGHT, "+target"),
    ],
)
def test_a_file_that_left_a_library_was_not_unwatched_by_anybody(library, mode, lost, other, expected):
    gone = replace(side(None), shelf=LIBRARIES[library])
    sides = {lost: gone, lost.other: side(other)}
    plan = planned(sides[Side.SOURCE], sides[Side.TARGET], baseline(known()), mode=mode, hold_removed=timedelta(0))
    assert told(plan) == expected


@pytest.mark.parametrize(
    ("library", "base", "expected"),
    [
        ("unrated", False, "+source"),  # its row was read and holds nothing: that is proof for this title
        ("unrated", True, "nothing"),  # but from half a list nothing is removed
        ("deleted", False, "incomplete"),
        ("deleted", True, "nothing"),
        ("replaced", True, "nothing"),
    ],
)
def test_a_title_that_was_read_is_known_though_others_were_not(library, base, expected):
    some = replace(side(None, complete=False), shelf=LIBRARIES[library])
    rows = known() if base else known()[:1]
    plan = planned(some, side(EIGHT), baseline(rows), hold_removed=timedelta(0))
    assert told(plan) == expected


@pytest.mark.parametrize(
    ("feature", "mode", "shown", "expected"),
    [
        (Feature.RATINGS, Mode.TWO_WAY, True, "-source"),  # it was seen there, and is gone
        (Feature.RATINGS, Mode.TWO_WAY, False, "unshown"),
        (Feature.HISTORY, Mode.TWO_WAY, False, "unshown"),
        (Feature.HISTORY, Mode.ONE_WAY, True, "+target"),
        (Feature.HISTORY, Mode.ONE_WAY, False, "unshown"),  # a play that was sent twice would be two
        (Feature.RATINGS, Mode.ONE_WAY, False, "unshown"),  # and a rating would be sent every night
    ],
)
def test_what_was_taken_and_never_shown_is_neither_gone_nor_sent_again(feature, mode, shown, expected):
    value: Value = EIGHT if feature is Feature.RATINGS else Play(NOW - timedelta(days=1))
    rows = known(feature, value, **({} if shown else {"unshown": Side.TARGET, "target_keys": ()}))
    plan = planned(
        side(value, feature=feature),
        side(None, feature=feature),
        baseline(rows, feature),
        mode=mode,
        hold_removed=timedelta(0),
    )
    assert told(plan) == expected


@pytest.mark.parametrize("lost", Side)
@pytest.mark.parametrize("mode", Mode)
def test_what_only_one_side_has_is_counted(lost, mode):
    """The sides differ, and nothing is done about it: a file left, or it was decided in an earlier run."""
    left = replace(side(None), shelf=LIBRARIES["deleted"])
    kept = replace(known()[1], source=None) if lost is Side.SOURCE else replace(known()[1], target=None)
    worlds = {"left": (left, known()), "kept": (side(None), [known()[0], kept])}
    for name, (gone, rows) in worlds.items():
        sides = {lost: gone, lost.other: side(EIGHT)}
        plan = planned(sides[Side.SOURCE], sides[Side.TARGET], baseline(rows), mode=mode)
        if (name, mode, lost) != ("kept", Mode.ONE_WAY, Side.TARGET):  # that is drift
            assert (plan.changes, plan.counts[Class.SAME], plan.one_sided) == ((), 2, 1)


def test_files_that_left_trip_no_guard():
    films = [film(f"imdb:{n}") for n in range(1, 41)]
    rows = [Row(f"imdb_movie:tt{n:07d}", one, EIGHT, EIGHT, (f"k{n}",), (f"k{n}",)) for n, one in enumerate(films, 1)]
    both = [Entry(one, EIGHT, f"k{n}") for n, one in enumerate(films, 1)]
    for left in (both[:20], []):
        shelf = Library({str(one.native_key): one.item for one in left})
        half = Snapshot(Feature.RATINGS, tuple(left), complete=True, account_id="account", shelf=shelf)
        whole = Snapshot(Feature.RATINGS, tuple(both), complete=True, account_id="account")
        plan = planned(half, whole, baseline(rows), guards=GuardSpec(), hold_removed=timedelta(0))
        assert (plan.changes, plan.guards) == ((), ())
        plan = planned(replace(half, shelf=None), whole, baseline(rows), guards=GuardSpec(), hold_removed=timedelta(0))
        assert plan.guards, "without a library nobody can say so"


def test_a_removal_in_doubt_has_landed_where_the_file_is_gone_too():
    rows = known()
    mark = Mark(MarkKind.DOUBT, Side.SOURCE, EIGHT, None, None, NOW - timedelta(hours=1), NOW - timedelta(minutes=45))
    rows[1] = replace(rows[1], mark=mark)
    gone = replace(side(None), shelf=LIBRARIES["deleted"])
    assert told(planned(gone, side(None), baseline(rows))) == "nothing"


def test_a_write_without_a_name_is_unshown_until_a_read_shows_it():
    first = planned(side(EIGHT), side(None), baseline(known()[:1]))
    (change,) = first.changes
    proofs = [confirm(Receipt(change, Outcome.CONFIRMED, native_key=key), NOW) for key in (None, "new")]
    there = confirm(Receipt(change, Outcome.ALREADY), NOW)
    assert there is not None
    assert baseline(known()[:1]).commit(first.observations, [there]).rows[change.key].unshown is None, "it was seen"
    bare, named = (baseline(known()[:1]).commit(first.observations, [proof] if proof else []) for proof in proofs)
    row = bare.rows[change.key]
    assert (row.unshown, named.rows[change.key].unshown) == (Side.TARGET, None)
    seen = planned(side(EIGHT), side(EIGHT, key="new"), bare)
    assert not seen.changes
    assert bare.commit(seen.observations, ()).rows[change.key].unshown is None
