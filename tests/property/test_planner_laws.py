"""What no plan may ever do, whatever the sides, the baseline and the rules: the invariants over made-up worlds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from hypothesis import assume, given, note
from hypothesis import strategies as st

from cwsync.model import (
    Baseline,
    Change,
    Conflict,
    Entry,
    Feature,
    Mode,
    Op,
    Outcome,
    Plays,
    Rated,
    Receipt,
    RemoveMode,
    Row,
    Side,
    Snapshot,
    confirm,
)
from cwsync.planner.plan import Question, plan_feature, records_of, rules_of
from property.test_planner_worlds import BRISK, questions, record_of, sketch
from support.planning import NOW, Library, film, question, swapped

_STEADY = (Feature.RATINGS, Feature.WATCHLIST, Feature.HISTORY)


def shuffled(draw: Callable[[st.SearchStrategy[Any]], Any], one: Question) -> Question:
    """The same question, told in another order."""
    snapshots = {}
    for side in Side:
        told = one.snapshots[side]
        entries, broken = draw(st.permutations(told.entries)), draw(st.permutations(told.undecoded))
        shelf = None if told.shelf is None else Library(dict(draw(st.permutations(list(told.shelf.titles())))))
        snapshots[side] = replace(told, entries=tuple(entries), undecoded=tuple(broken), shelf=shelf)
    rows = dict(draw(st.permutations(list(one.baseline.rows.items()))))
    return replace(
        one,
        snapshots=dict(draw(st.permutations(list(snapshots.items())))),
        baseline=replace(one.baseline, rows=rows),
        caps={side: one.caps[side] for side in (Side.TARGET, Side.SOURCE)},
        names={side: one.names[side] for side in (Side.TARGET, Side.SOURCE)},
    )


_STEADY = (Feature.RATINGS, Feature.WATCHLIST, Feature.HISTORY)


# --- I3, I4: removals and partial reads --------------------------------------------------------------


@BRISK
@given(questions())
def test_I3_a_removal_needs_the_baseline_and_a_fresh_complete_absence(one: Question):
    note(sketch(one))
    rules = rules_of(one)
    for change in plan_feature(one).changes:
        if change.op is not Op.REMOVE:
            continue
        record, lost = record_of(one, change.key), change.side.other
        assert one.spec.remove
        assert not rules.first_run
        assert one.snapshots[lost].complete or record.entries(lost)
        assert lost not in record.blind
        assert not any(rules.scale.is_progress(entry.value) for entry in record.entries(lost))
        assert not record.weak
        assert not any(row.mark and row.mark.until > NOW for row in record.rows)
        known = any(row.source is not None and row.target is not None for row in record.rows)
        if one.mode is Mode.ONE_WAY and one.spec.remove_mode is RemoveMode.MIRROR and not known:
            assert one.snapshots[lost].entries, "mirror mode never removes for an empty source"
            continue
        held = [
            row.value(change.side) or (row.mark and row.mark.side is change.side and row.mark.after)
            for row in record.rows
        ]
        assert any(held), "nobody knows that this side ever agreed to hold it"


def _read_so_far(whole: Snapshot, came: Sequence[Entry]) -> Library | None:
    """The library without the rows that did not come."""
    if whole.shelf is None:
        return None
    unread = {entry.native_key for entry in whole.entries} - {entry.native_key for entry in came}
    return Library({key: item for key, item in whole.shelf.titles() if key not in unread})


@BRISK
@given(questions(partial=False, plays=Plays.NEWEST, features=_STEADY), st.data())
def test_I4_a_partial_read_removes_nothing_and_forgets_nothing_of_what_it_lacks(one: Question, data: st.DataObject):
    note(sketch(one))
    side = data.draw(st.sampled_from(Side))
    whole = one.snapshots[side]
    came = data.draw(st.lists(st.sampled_from(whole.entries), unique=True)) if whole.entries else []
    short = replace(whole, entries=tuple(came), complete=False, shelf=_read_so_far(whole, came))
    part = replace(one, snapshots={**one.snapshots, side: short})
    plan = plan_feature(part)
    assert not [change for change in plan.changes if change.op is Op.REMOVE and change.side is side.other]
    seen = {row.key for record in records_of(part) if record.entries(side) for row in record.rows}
    start = dict(one.baseline.rows)
    after = one.baseline.commit(plan.observations, ()).rows
    homes = {token: row for row in after.values() for token in (*row.item.tokens(), row.key)}
    if part.union is not None:
        return  # a union run forgets agreements on purpose
    for key, row in start.items():
        if key in seen or row.mark or (short.shelf is not None and short.shelf.knows(row.item)):
            continue  # it was read, whatever else was not
        kept = homes[key]
        if len([other for other in start.values() if set(other.item.tokens()) & set(kept.item.tokens())]) > 1:
            continue  # two rows turned out to be one title
        assert (kept.source, kept.target, kept.seen, kept.parked) == (row.source, row.target, row.seen, row.parked)


# --- I12, I13, I15: order, mirror, classes -----------------------------------------------------------


@BRISK
@given(questions(), st.data())
def test_I12_the_order_in_which_things_are_told_does_not_matter(one: Question, data: st.DataObject):
    note(sketch(one))
    assert plan_feature(shuffled(data.draw, one)) == plan_feature(one)


def _fair(one: Question) -> bool:
    """Whether the policy of a world treats both sides alike once it is mirrored."""
    if one.spec.conflict is Conflict.NEWEST:
        for record in records_of(one):
            times = [[entry.value.at for entry in record.entries(side)] for side in Side]
            if any(at is None for side in times for at in side) or not all(times):
                return False
            gaps = [
                abs(a - b) for a in times[0] for b in times[1] if isinstance(a, datetime) and isinstance(b, datetime)
            ]
            if min(gaps, default=timedelta(0)) <= timedelta(seconds=120):
                return False
    return one.spec.conflict is not Conflict.KEEP


def _copies_on_both(one: Question) -> bool:
    """Whether a title stands on both sides several times with different values: one side is put right in each run."""
    lists = [[[entry.value for entry in record.entries(side)] for side in Side] for record in records_of(one)]
    return any(all(len(set(map(repr, values))) > 1 for values in sides) for sides in lists)


_MIRROR = {Conflict.SOURCE: Conflict.TARGET, Conflict.TARGET: Conflict.SOURCE}


def _lines(changes: Sequence[Change], *, flip: bool) -> list[str]:
    return sorted(
        f"{c.op} {c.side.other if flip else c.side} {sorted(c.item.ids)} {c.before} {c.after} {c.native_key}"
        for c in changes
    )


@BRISK
@given(questions(mode=Mode.TWO_WAY))
def test_I13_swapping_the_sides_and_the_policy_mirrors_the_plan(one: Question):
    note(sketch(one))
    assume(_fair(one))
    assume(not _copies_on_both(one))
    policy = _MIRROR.get(one.spec.conflict, one.spec.conflict)
    parked = {
        key: replace(row, parked=replace(row.parked, side=row.parked.side.other)) if row.parked else row
        for key, row in one.baseline.rows.items()
    }
    other = swapped(replace(one, baseline=replace(one.baseline, rows=parked)))
    other = replace(other, spec=replace(other.spec, conflict=policy))
    here, there = plan_feature(one), plan_feature(other)
    assert _lines(here.changes, flip=False) == _lines(there.changes, flip=True)
    assert here.counts == there.counts


# --- carrying out, exactly ---------------------------------------------------------------------------


def carried_out(one: Question, changes: Sequence[Change]) -> dict[Side, Snapshot]:
    """Both sides after an exact execution of some changes."""
    sides = {side: list(one.snapshots[side].entries) for side in Side}
    for number, change in enumerate(changes):
        rows = sides[change.side]
        if change.op is Op.ADD:
            assert change.after is not None
            rows.append(Entry(change.item, change.after, f"new-{number}"))
            continue
        spots = [
            at for at, row in enumerate(rows) if row.native_key == change.native_key and row.value == change.before
        ]
        assert spots, "a change of a row that is not there"
        if change.after is None:
            del rows[spots[0]]
        else:
            rows[spots[0]] = replace(rows[spots[0]], value=change.after)
    return {side: replace(one.snapshots[side], entries=tuple(rows)) for side, rows in sides.items()}


@BRISK
@given(questions(partial=False, extra={"union": None}))
def test_I1_a_plan_that_was_carried_out_leaves_nothing_to_plan(one: Question):
    note(sketch(one))
    assume(not any(record.weak for record in records_of(one)))  # ids seen for the first time are still to be learnt
    assume(not _copies_on_both(one))
    first = plan_feature(one)
    receipts = [
        Receipt(change, Outcome.CONFIRMED, native_key=_made(change, n)) for n, change in enumerate(first.changes)
    ]
    writes = [proof for receipt in receipts if (proof := confirm(receipt, NOW)) is not None]
    base = replace(one.baseline.commit(first.observations, writes), first_run_done=True)
    again = replace(one, snapshots=carried_out(one, first.changes), baseline=base)
    second = plan_feature(again)
    # By ids, not by key: what is held may have another name once a row that knew it is gone.
    held = {token for note in first.holds for token in note.item.tokens()}
    assert [change for change in second.changes if held.isdisjoint(change.item.tokens())] == []
    third = base.commit([seen for seen in second.observations if held.isdisjoint(seen.row.item.tokens())], ())
    # With a copy went the ids that it alone had: what it was called is still to be forgotten.
    copies = {change.key.partition("@")[0] for change in first.changes if change.op is Op.REMOVE}
    left, right = (
        {
            key: replace(row, item=film("imdb:1")) if key.partition("@")[0] in copies else row
            for key, row in rows.items()
            if held.isdisjoint(row.item.tokens())
        }
        for rows in (third.rows, base.rows)
    )
    assert left == right


def _made(change: Change, number: int) -> str | None:
    return f"new-{number}" if change.op is Op.ADD else change.native_key


@BRISK
@given(questions(), st.data())
def test_I14_the_order_of_batches_inside_a_plan_does_not_matter(one: Question, data: st.DataObject):
    note(sketch(one))
    changes = plan_feature(one).changes
    batches = [list(batch) for _, batch in groupby(changes, key=lambda change: (change.side, change.op))]
    mixed = [change for batch in data.draw(st.permutations(batches)) for change in batch]
    straight, other = carried_out(one, changes), carried_out(one, mixed)
    for side in Side:
        assert _held(straight[side]) == _held(other[side])


def _held(snapshot: Snapshot) -> list[str]:
    return sorted(f"{entry.item.ids} {entry.item.coordinates()} {entry.value}" for entry in snapshot.entries)


# --- I19, I25 -----------------------------------------------------------------------------------------


@BRISK
@given(
    st.lists(
        st.sampled_from(("imdb:1", "tmdb:1", "tvdb:1", "imdb:1 tmdb:1", "tmdb:1 tvdb:1", "imdb:1 tmdb:1 tvdb:1")),
        min_size=3,
        max_size=5,
    ),
    st.data(),
)
def test_I19_rekeys_aliases_splits_and_merges_never_remove(names: list[str], data: st.DataObject):
    """One title under changing ids, known to the baseline with all of them: whatever a side calls it, it is there."""
    all_ids = " ".join(sorted({one for name in names for one in name.split()} | {"imdb:1"}))
    eight = Rated(80)
    row = Row("imdb_movie:tt0000001", film(all_ids), eight, eight)
    sides = {}
    for side in Side:
        known = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=2))
        entries = [Entry(film(name), eight, f"{side}-{n}") for n, name in enumerate(known)]
        sides[side] = Snapshot(Feature.RATINGS, tuple(entries), complete=True, account_id="account")
    asked = question(
        sides[Side.SOURCE], sides[Side.TARGET], Baseline(Feature.RATINGS, {row.key: row}, first_run_done=True)
    )
    plan = plan_feature(asked)
    assert [change.op for change in plan.changes if change.op is not Op.ADD] == []
    linked = records_of(asked)
    if len(linked) == 1:
        assert plan.changes == ()
