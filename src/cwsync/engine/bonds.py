"""A plan that parts nothing: the services say which of its changes one write carries out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cwsync.engine.sides import Sides
from cwsync.model import Bond, Change, Side
from cwsync.planner.plan import FeaturePlan, Question
from cwsync.provider import Binds


async def planned(
    question: Question, sides: Sides, plan: Callable[[Question], FeaturePlan]
) -> tuple[Question, FeaturePlan]:
    """The question with what the services say of its changes, and its plan. Raises as `Provider.fetch` does."""
    tying = {side: provider for side in Side if isinstance(provider := sides[side], Binds)}
    if not tying:
        return question, plan(question)
    draft = plan(replace(question, limit=None))
    bonds: dict[Change, Bond] = {}
    for side, provider in tying.items():
        own = [change for change in draft.changes if change.side is side]
        found = await provider.bound(draft.feature, own) if own else ()
        bonds |= {change: bond for change, bond in zip(own, found, strict=True) if bond is not None}
    if not bonds and question.limit is None:
        return question, draft
    question = replace(question, bonds=bonds)
    return question, plan(question)
