"""Section 3 of the law, read twice: once by the planner, once from the tables below, over every combination.

One film; the baseline knows nothing of it or a value for each side; each side shows a value, nothing,
or cannot tell. The tables are written down here as the law has them, and know nothing of the planner.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest

from cwsync.model import Conflict, Mode, Op, Rated, RemoveMode, Side
from cwsync.planner.plan import FeaturePlan
from support.planning import NOW, baseline, film, planned, row, snapshot

FILM, OTHER = film("imdb:1"), film("imdb:2")
SHOWN = ("-", "?", "5", "6", "7")
BASES = ("none", "5/5", "5/6", "5/-", "-/5")
LATE = {"5": 3000, "6": 2000, "7": 1000}  # the age of a value in seconds: the higher one is the later one

# What a side did since the baseline -> what is done, two-way. "conflict" is asked of the policy.
TWO_WAY = {
    ("none", "none"): "nothing",
    ("none", "changed"): "write source",
    ("none", "deleted"): "delete source",
    ("none", "unknown"): "nothing",
    ("changed", "none"): "write target",
    ("changed", "changed"): "conflict",
    ("changed", "deleted"): "conflict",
    ("changed", "unknown"): "hold",
    ("deleted", "none"): "delete target",
    ("deleted", "changed"): "conflict",
    ("deleted", "deleted"): "nothing",
    ("deleted", "unknown"): "hold",
    ("unknown", "none"): "nothing",
    ("unknown", "changed"): "hold",
    ("unknown", "deleted"): "hold",
    ("unknown", "unknown"): "nothing",
}
# The winner of a conflict: by policy, and by what (source, target) did.
WINNER = {
    Conflict.SOURCE: lambda _did, _shown: "source",
    Conflict.TARGET: lambda _did, _shown: "target",
    Conflict.KEEP: lambda did, _shown: "target" if did[0] == "deleted" else "source",
    Conflict.NEWEST: lambda _did, shown: "target" if "-" not in shown and LATE[shown[1]] < LATE[shown[0]] else "source",
}


def what_a_side_did(base: str, shown: str) -> str:
    if shown == "?":
        return "unknown"
    if shown == "-":
        return "none" if base == "-" else "deleted"
    return "none" if shown == base else "changed"


def two_way(base: tuple[str, str], shown: tuple[str, str], policy: Conflict) -> str:
    if shown[0] == shown[1] and shown[0] not in "-?":
        return "nothing"  # both say the same: learnt, not written
    did = what_a_side_did(base[0], shown[0]), what_a_side_did(base[1], shown[1])
    asked = TWO_WAY[did]
    if asked == "conflict" and policy is not Conflict.SKIP:
        winner = WINNER[policy](did, shown)
        if did[winner == "target"] == "deleted" and base[winner == "source"] == "-":
            winner = "target" if winner == "source" else "source"  # I3: it was never agreed there, so it is not removed
        loser = "target" if winner == "source" else "source"
        gone = did[winner == "target"] == "deleted"
        asked = f"{'delete' if gone else 'write'} {loser} conflict"
    if asked.startswith("delete") and shown[asked.split()[1] == "target"] == "-":
        return "nothing"  # gone from the side that still had it, and the other never had it back
    return asked


def one_way(base: tuple[str, str], shown: tuple[str, str], *, mirror: bool) -> str:
    source, target = shown
    if source == "?" or (source == target and source != "-"):
        return "nothing"
    if source == "-":
        if target == "-":
            return "nothing"
        if base[0] != "-" and target == "?":
            return "hold"
        if "-" not in base:
            return "delete target"
        return "delete target" if mirror and target != "?" else "nothing"
    if target == "?":
        return "nothing" if source == base[0] and base[1] != "-" else "hold"
    return "write target"


def asked_of(plan: FeaturePlan) -> str:
    """What the planner does with the film, in the words of the tables."""
    changes = [change for change in plan.changes if change.item == FILM]
    conflict = [note for note in plan.conflicts if note.item == FILM]
    notes = [note for notes in (plan.holds, plan.skips) for note in notes if note.item == FILM]
    assert len(changes) + len(notes) <= 1
    for change in changes:
        word = "delete" if change.op is Op.REMOVE else "write"
        return f"{word} {change.side}{' conflict' * bool(conflict)}"
    if conflict:
        return "conflict"
    return {"incomplete": "hold", "remove-off": "remove-off"}[notes[0].code] if notes else "nothing"


def ask(base: str, shown: tuple[str, str], policy: Conflict, *, remove: bool, mode: Mode, mirror: bool) -> FeaturePlan:
    def value(text: str) -> Rated | None:
        return None if text in "-?" else Rated(int(text) * 10, NOW - timedelta(seconds=LATE[text]))

    def side(text: str):
        held = value(text)
        rows = [(OTHER, Rated(50))] + ([(FILM, held)] if held else [])
        return snapshot(rows, complete=text != "?")

    rows = [row(OTHER, Rated(50), Rated(50))]
    if base != "none":
        rows.append(row(FILM, *(value(text) for text in base.split("/"))))
    rules = {"remove": remove, "mode": mode, "conflict": policy}
    remove_mode = RemoveMode.MIRROR if mirror else RemoveMode.FOLLOW
    return planned(side(shown[0]), side(shown[1]), baseline(rows), remove_mode=remove_mode, **rules)


def known(base: str) -> tuple[str, str]:
    one, _, other = ("-/-" if base == "none" else base).partition("/")
    return one, other


@pytest.mark.parametrize("policy", Conflict)
@pytest.mark.parametrize("remove", [True, False])
def test_the_two_way_table_for_every_combination(policy, remove):
    for base, source, target in product(BASES, SHOWN, SHOWN):
        expected = two_way(known(base), (source, target), policy)
        if not remove and expected.startswith("delete"):
            expected = "remove-off"
        plan = ask(base, (source, target), policy, remove=remove, mode=Mode.TWO_WAY, mirror=False)
        assert asked_of(plan) == expected, (base, source, target)


@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("remove", [True, False])
def test_the_one_way_rules_for_every_combination(mirror, remove):
    for base, source, target in product(BASES, SHOWN, SHOWN):
        expected = one_way(known(base), (source, target), mirror=mirror and remove)
        if not remove and expected.startswith("delete"):
            expected = "remove-off"
        plan = ask(base, (source, target), Conflict.SOURCE, remove=remove, mode=Mode.ONE_WAY, mirror=mirror)
        assert asked_of(plan) == expected, (base, source, target)


@pytest.mark.parametrize("mode", Mode)
def test_a_hold_writes_nothing_and_moves_no_baseline(mode):
    for base, source, target in product(BASES, SHOWN, SHOWN):
        plan = ask(base, (source, target), Conflict.SOURCE, remove=True, mode=mode, mirror=False)
        if [note for note in plan.holds if note.item == FILM]:
            assert not [seen for seen in plan.observations if seen.row.item == FILM], (base, source, target)


def test_the_written_value_is_the_winners():
    for base, source, target in product(BASES, SHOWN, SHOWN):
        for policy in WINNER:
            plan = ask(base, (source, target), policy, remove=True, mode=Mode.TWO_WAY, mirror=False)
            for change in plan.changes:
                if change.item == FILM and change.after is not None:
                    held = {Side.SOURCE: source, Side.TARGET: target}
                    assert isinstance(change.after, Rated)
                    assert str(change.after.score // 10) == held[change.side.other]
                    assert str(getattr(change.before, "score", 0) // 10) == held[change.side].replace("-", "0")
