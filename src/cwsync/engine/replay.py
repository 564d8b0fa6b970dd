"""An unfinished journal: what is proved goes into the baseline, what is not is in doubt, nothing is sent again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from cwsync.engine.effects import Touch, touch, with_side_effects
from cwsync.engine.questions import fingerprint
from cwsync.engine.sides import Sides
from cwsync.errors import StateError
from cwsync.model import (
    Baseline,
    Capabilities,
    Change,
    ConfirmedWrite,
    Doubt,
    Feature,
    Item,
    Observation,
    Op,
    Outcome,
    PairSpec,
    Parked,
    Receipt,
    Removal,
    Side,
    confirm,
    undone,
)
from cwsync.state import Intent, JournalRecord, PairState, Receipts


@dataclass(frozen=True, slots=True)
class Replayed:
    """The state after an unfinished run was taken into account, and what was found, in words."""

    state: PairState
    confirmed: int
    in_doubt: int
    warning: str | None


async def replay(
    state: PairState, journal: JournalRecord, pair: PairSpec, sides: Sides, caps: Mapping[Side, Capabilities]
) -> Replayed:
    """Take an unfinished journal into the state. Replaying twice is the same as once.

    A journal whose state was stored already (its generation is behind) adds nothing.
    """
    if state.generation != journal.header.generation or journal.committed:
        return Replayed(state, 0, 0, None)
    header, names = journal.header, {pair.source.name, pair.target.name}
    if {header.source, header.target} != names:
        raise StateError(
            f"the unfinished run {header.run_id} wrote to {header.source} and {header.target}, other accounts",
            hint=f"name those accounts again, or forget that run: cwsync reset-state {pair.name}",
        )
    flipped = header.source == pair.target.name
    batches = [(_turned(intent), answers) for intent, answers in journal.batches] if flipped else journal.batches
    settle = {side: caps[side].staleness for side in Side}
    features = dict(state.features)
    n_confirmed = n_doubt = 0
    touched: list[Touch] = []
    for feature in Feature:
        mine = [(intent, answers) for intent, answers in batches if intent.feature is feature]
        if not mine:
            continue
        never = await _never_landed(feature, mine, journal, sides, caps, flipped=flipped)
        writes, doubts = _judge(mine, never)
        known = features.get(feature) or Baseline(feature, fingerprint=_fingerprint(pair, feature))
        features[feature] = absorb(known, writes, doubts, settle)
        if header.undoes is not None:
            named = [*(write.change for write in writes), *(doubt.change for doubt in doubts)]
            features[feature] = left_alone(features[feature], named, header.undoes)
        touched += [one for write in writes for one in touch(write.change, write.at)]
        touched += [one for doubt in doubts for one in touch(doubt.change, doubt.at)]
        n_confirmed += len(writes)
        n_doubt += len(doubts)
    features = with_side_effects(features, caps, touched)
    run = journal.header.run_id
    warning = f"run {run} did not finish: {n_confirmed} writes are proved, {n_doubt} are in doubt and not sent again"
    return Replayed(replace(state, features=features), n_confirmed, n_doubt, warning)


def _fingerprint(pair: PairSpec, feature: Feature) -> str | None:
    return next((fingerprint(pair, spec) for spec in pair.features if spec.feature is feature), None)


def _turned(intent: Intent) -> Intent:
    """The intent of a run in which source and target stood the other way round."""
    side = intent.side.other
    return replace(intent, side=side, changes=tuple(replace(change, side=side) for change in intent.changes))


async def _never_landed(
    feature: Feature,
    batches: Sequence[tuple[Intent, Receipts | None]],
    journal: JournalRecord,
    sides: Sides,
    caps: Mapping[Side, Capabilities],
    *,
    flipped: bool,
) -> set[int]:
    """The unanswered batches that certainly changed nothing.

    Where a watermark is a digest of the whole content, the one from before the batch proves it.
    """
    found: set[int] = set()
    for side in Side:
        if not caps[side].exact_watermark:
            continue
        marks = journal.header.watermarks.get(feature, {})
        known = marks.get(side.other if flipped else side)
        for intent, answers in batches:
            if intent.side is not side:
                continue
            if answers is not None:
                known = answers.watermark
            elif known is not None and await sides[side].watermark(feature) == known:
                found.add(intent.batch)
    return found


def _judge(
    batches: Iterable[tuple[Intent, Receipts | None]], never: set[int]
) -> tuple[list[ConfirmedWrite], list[Doubt]]:
    receipts: list[tuple[Receipt, Receipts]] = []
    doubts: list[Doubt] = []
    halved: set[str] = set()  # records of which some copies were not sent, or not answered for
    for intent, answers in batches:
        keys = {change.key for change in intent.changes}
        halved = (halved - keys).union(intent.more, () if answers else keys)
        if answers is not None:
            pairs = zip(answers.receipts, intent.changes, strict=True)
            receipts += [(replace(receipt, change=change), answers) for receipt, change in pairs]
            doubts += [Doubt(r.change, intent.at) for r in answers.receipts if r.outcome is Outcome.UNKNOWN]
        elif intent.batch not in never:
            doubts += [Doubt(change, intent.at) for change in intent.changes]
    writes = [write for receipt, answers in receipts if (write := confirm(receipt, answers.at)) is not None]
    whole = whole_records(writes, [receipt for receipt, _ in receipts])
    return [write for write in whole if write.change.key not in halved], doubts


def whole_records(writes: Sequence[ConfirmedWrite], receipts: Iterable[Receipt]) -> list[ConfirmedWrite]:
    """The proved writes of records of which no copy failed: a record moves whole or not at all."""
    failed = {r.change.key for r in receipts if r.outcome not in (Outcome.CONFIRMED, Outcome.ALREADY)}
    return [write for write in writes if write.change.key not in failed]


def absorb(
    baseline: Baseline,
    writes: Sequence[ConfirmedWrite],
    doubts: Sequence[Doubt],
    settle: Mapping[Side, timedelta],
    *,
    observations: Sequence[Observation] = (),
    parked: Mapping[str, tuple[Item, Parked]] | None = None,
) -> Baseline:
    """A baseline with all that a run learnt, and with its removals counted for the `budget` guard.

    A removal that was never answered counts too: a service that removes and never says so must not
    be asked to empty a list piece by piece.
    """
    removals = list(baseline.removals)
    sent = [(write.change, write.at) for write in writes] + [(doubt.change, doubt.at) for doubt in doubts]
    for side in Side:
        gone = {change.key: at for change, at in sent if change.op is Op.REMOVE and change.side is side}
        if gone:
            removals.append(Removal(max(gone.values()), side, len(gone)))
    moved = baseline.commit(observations, writes, doubts, parked, settle=settle)
    return replace(moved, removals=tuple(removals))


def left_alone(baseline: Baseline, changes: Iterable[Change], run_id: str) -> Baseline:
    """The baseline in which records written back by an undo stay so until the other side changes them.

    Where both sides agree after it there is nothing to keep apart.
    """
    rows = dict(baseline.rows)
    for change in changes:
        row = rows.get(change.key)
        if row is not None and change.after != change.origin:
            rows[change.key] = replace(row, parked=undone(change.side, run_id))
    return replace(baseline, rows=rows)


def changes_of(journal: JournalRecord) -> list[Change]:
    """Every change that a journal says was about to be sent, in order."""
    return [change for intent, _ in journal.batches for change in intent.changes]
