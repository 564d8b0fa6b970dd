"""What one write carries out goes together: whole under a limit, a skip where some of it is not to be written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwsync.model import Bond, Change, Class, Entry, Item, Op, Side
from cwsync.planner.plan import Question, plan_feature, trace
from support.planning import baseline, film, question, row, score, snapshot, words

FILMS = [film(f"imdb:{n}", f"Film {n}") for n in range(1, 7)]
LACKS = "multi-episode: not all of them"


def ask(limit: int | None = None) -> Question:
    """Six films that the target lacks."""
    return question(snapshot([(item, score(8)) for item in FILMS]), snapshot([]), extra={"limit": limit})


def tied(asked: Question, bonds: dict[int, Bond]) -> Question:
    """The same question with bonds, by the number of the change that is tied."""
    changes = plan_feature(replace(asked, limit=None)).changes
    return replace(asked, bonds={changes[number]: bond for number, bond in bonds.items()})


@pytest.mark.parametrize(
    ("limit", "written"),
    [(1, [1]), (2, [1, 2, 5]), (3, [1, 2, 3, 5]), (5, [1, 2, 3, 4, 5, 6])],
)
def test_a_limit_parts_nothing_and_counts_a_write_once(limit, written):
    plan = plan_feature(tied(ask(limit), {1: Bond("file"), 4: Bond("file")}))
    assert words(plan) == [f"+target {n} 8" for n in written]
    assert len(plan.holds) == 6 - len(written)
    assert {note.code for note in plan.holds} <= {"limit"}
    assert plan.finished is (limit == 5)


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=6, max_size=6), st.integers(1, 7))
def test_a_limit_never_tears_what_is_tied(names, limit):
    plan = plan_feature(tied(ask(limit), {n: Bond(name) for n, name in enumerate(names) if name}))
    written = {change.item.title for change in plan.changes}
    groups = [{item.title for item, name in zip(FILMS, names, strict=True) if name == one} for one in "abc"]
    assert all(group <= written or not group & written for group in groups)
    loose = [item.title for item, name in zip(FILMS, names, strict=True) if not name]
    n_units = len([group for group in groups if group]) + len(loose)
    assert len([group for group in groups if group & written]) + len(written & set(loose)) == min(limit, n_units)
    assert len(plan.changes) + len(plan.holds) == len(FILMS)


def test_a_limit_holds_no_half_of_a_record_that_stands_in_two_files():
    """Film 1 stands in two files: one with film 2, one with film 3. All three go, or none."""
    before = baseline([row(item, score(8), score(8)) for item in FILMS])

    def copies(item: Item) -> list[Entry]:
        return [Entry(item, score(8), f"{item.ids[0].value}-{copy}") for copy in "ab"]

    there = [entry for item in FILMS[:3] for entry in copies(item)]
    rest = [(item, score(8)) for item in FILMS[3:]]
    asked = question(snapshot(rest), snapshot([*there, *rest]), before, extra={"limit": 1})
    files = {"1-a": "one", "2-a": "one", "1-b": "two", "3-b": "two"}

    def bond(change: Change) -> Bond | None:
        name = files.get((change.native_key or "").lstrip("t0"))
        return None if name is None else Bond(name)

    changes = plan_feature(replace(asked, limit=None)).changes
    assert [change.op for change in changes] == [Op.REMOVE] * 6
    plan = plan_feature(replace(asked, bonds={one: made for one in changes if (made := bond(one)) is not None}))
    assert len(plan.changes) == 6


def test_what_cannot_be_written_as_a_whole_is_a_skip_and_nothing_is_learnt_of_it():
    asked = tied(ask(), {1: Bond("file", LACKS)})
    plan = plan_feature(asked)
    assert words(plan) == [f"+target {n} 8" for n in (1, 3, 4, 5, 6)]
    (skip,) = plan.skips
    assert (skip.code, skip.source, skip.target, skip.undecided) == ("multi-episode", score(8), None, False)
    assert skip.key not in {seen.key for seen in plan.observations}
    assert (plan.counts[Class.WRITE], plan.counts[Class.SKIP], plan.finished) == (5, 1, True)
    assert [one.cls for one in trace(asked)].count(Class.SKIP) == 1


def test_a_record_is_not_written_in_one_copy_while_the_file_of_another_may_not_be():
    here, there = FILMS[0], FILMS[1]
    rows = [Entry(here, score(8), "file"), Entry(here, score(8), "alone"), Entry(there, score(8), "other")]
    before = baseline([row(item, score(8), score(8)) for item in (here, there)])
    asked = question(snapshot([(there, score(8))]), snapshot(rows), before)
    changes = plan_feature(asked).changes
    assert [change.native_key for change in changes] == ["alone", "file"]
    assert plan_feature(replace(asked, bonds={changes[1]: Bond("file", LACKS)})).changes == ()


def test_a_bond_of_one_side_ties_nothing_on_the_other():
    both = question(
        snapshot([(item, score(8)) for item in FILMS[:2]]),
        snapshot([(item, score(8)) for item in FILMS[2:4]]),
        extra={"limit": 1},
    )
    changes = plan_feature(replace(both, limit=None)).changes
    assert [change.side for change in changes] == [Side.SOURCE, Side.SOURCE, Side.TARGET, Side.TARGET]
    plan = plan_feature(replace(both, bonds={changes[0]: Bond("file"), changes[2]: Bond("file")}))
    assert plan.changes == changes[:1]


def test_the_digest_tells_whether_a_file_is_written():
    asked = ask()
    names = {plan_feature(tied(asked, bonds)).digest for bonds in ({}, {1: Bond("file")}, {1: Bond("file", LACKS)})}
    assert len(names) == 2
