"""What a plan tells that another run would tell again, and what it tells for a while only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cwsync.engine.fastpath import evidence_of
from cwsync.model import AccountSpec, Feature, Note, PairSpec
from cwsync.planner.plan import Question, plan_feature
from support.planning import NOW, film, question, score, snapshot

HEAT = film("imdb:1")
HOME, AWAY = (AccountSpec(name, "tracker", {"path": Path(name)}) for name in ("home", "away"))
PAIR = PairSpec("p", HOME, AWAY)


def asked_of_a_still_world() -> Question:
    side = snapshot([(HEAT, score(8))], watermark="w")
    return question(side, side)


@pytest.mark.parametrize(
    ("code", "lasts"),
    [
        *((code, True) for code in ("ambiguous", "lingering", "no-ids", "parked", "rekeyed", "unshown", "unsupported")),
        *((code, False) for code in ("doubt", "first-seen", "flap", "incomplete", "settling", "guard", "anything new")),
    ],
)
@pytest.mark.parametrize("where", ["holds", "skips"])
def test_what_passes_with_time_is_no_evidence(code: str, lasts: bool, where: str) -> None:
    asked = asked_of_a_still_world()
    plan = replace(plan_feature(asked), observations=(), counts={})
    note = Note(Feature.RATINGS, "k", HEAT, f"{code}: why")
    plan = replace(plan, holds=(note,)) if where == "holds" else replace(plan, skips=(note,))
    seen = evidence_of(asked, plan, PAIR, None, NOW)
    assert (seen is not None) is lasts
    if seen is not None:
        assert (*seen.holds, *seen.skips) == (note,)


def test_more_than_anyone_reads_is_not_kept() -> None:
    asked = asked_of_a_still_world()
    note = Note(Feature.RATINGS, "k", HEAT, "no-ids: why")
    plan = replace(plan_feature(asked), observations=(), counts={}, skips=(note,) * 2001)
    assert evidence_of(asked, plan, PAIR, None, NOW) is None


@pytest.mark.parametrize(("withheld", "lasts"), [(0, False), (2, True)])
def test_a_list_that_withholds_rows_is_evidence_and_one_that_is_short_is_none(*, withheld: int, lasts: bool) -> None:
    side = snapshot([(HEAT, score(8))], watermark="w", complete=False, withheld=withheld)
    asked = question(side, side)
    plan = replace(plan_feature(asked), observations=(), counts={}, holds=(), skips=())
    assert (evidence_of(asked, plan, PAIR, None, NOW) is not None) is lasts
