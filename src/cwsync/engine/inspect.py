"""Looking without touching: `explain` and `status`."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cwsync.engine import clock
from cwsync.engine.bonds import planned
from cwsync.engine.completion import complete
from cwsync.engine.neighbours import frozen_by_others
from cwsync.engine.options import Home, RunOptions
from cwsync.engine.questions import ask, capabilities_of, distrust
from cwsync.engine.replay import replay
from cwsync.engine.report import error_report
from cwsync.engine.sides import Reading, opened, read_all
from cwsync.errors import CwsyncError, Exit
from cwsync.model import (
    Class,
    ErrorReport,
    ExplainReport,
    ExternalId,
    Feature,
    Guard,
    Item,
    MarkKind,
    PairSpec,
    Settings,
    Side,
    StatusReport,
    TraceReport,
    Undecoded,
)
from cwsync.planner.decision import Decision
from cwsync.planner.plan import Question, plan_feature, trace
from cwsync.planner.record import fold
from cwsync.state import LastRun, PairStore, load_last_run, read_journal

Learnt = Mapping[Item, tuple[tuple[ExternalId, str], ...]]
_FEW_IDS = 2  # as many of the shared ids as a person wants to read


def explain(settings: Settings, pair: str, text: str, options: RunOptions, home: Home) -> ExplainReport:
    """Everything known of the records of `pair` whose title or id holds `text`."""
    return asyncio.run(_explain(settings, settings.pairs[pair], text, options, home))


async def _explain(settings: Settings, pair: PairSpec, text: str, options: RunOptions, home: Home) -> ExplainReport:
    store = PairStore(home.state_dir, pair.name)
    state = store.load(pair.source.name, pair.target.name)
    journal = read_journal(store.journal_path)
    last = load_last_run(store.folder)
    specs = [spec for spec in pair.features if options.features is None or spec.feature in options.features]
    traces: list[TraceReport] = []
    guards: list[Guard] = []
    error: ErrorReport | None = None
    async with opened(pair, home) as sides:
        if journal is not None:
            state = (await replay(state, journal, pair, sides, capabilities_of(pair))).state
        seen = await read_all(sides, [spec.feature for spec in specs])
        found = await complete(pair, home, seen, state.features, wet=False)
        frozen = frozen_by_others(settings.pairs.values(), pair, home, clock.now())
        for spec in specs:
            reading: Reading = found.readings[spec.feature]
            if isinstance(reading, CwsyncError):
                error = error or error_report(reading, spec.feature)
                continue
            question = ask(
                pair,
                spec,
                state,
                reading,
                options,
                wall=clock.now(),
                digest="",
                observed_at=last.observed.get(spec.feature) if isinstance(last, LastRun) else state.saved_at,
                last_at=last.finished_at if isinstance(last, LastRun) else state.saved_at,
                distrust=distrust(store, state, last if isinstance(last, LastRun) else None),
                frozen={**found.waiting(spec.feature), **frozen.get(spec.feature, {})},
            )
            try:
                question, plan = await planned(question, sides, plan_feature)
            except CwsyncError as broken:
                error = error or error_report(broken, spec.feature)
                continue
            traces += _traces(question, text, found.learnt)
            guards += plan.guards
    return ExplainReport(pair.name, text, pair.source.name, pair.target.name, tuple(traces), tuple(guards), error)


def _traces(question: Question, text: str, learnt: Learnt) -> list[TraceReport]:
    unread = [(side, row) for side in Side for row in question.snapshots[side].undecoded]
    decisions = [decision for decision in trace(question) if _asked_for(decision.record.item, text)]
    found = [_trace(question.spec.feature, decision, [row for _, row in unread], learnt) for decision in decisions]
    known = {id(row) for one in found for row in one.unreadable}
    alone = [(side, row) for side, row in unread if id(row) not in known and row.item and _asked_for(row.item, text)]
    return found + [_unread(question, row, side) for side, row in alone]


def _trace(feature: Feature, decision: Decision, unread: Sequence[Undecoded], learnt: Learnt) -> TraceReport:
    record = decision.record
    tokens = set(record.item.tokens())
    rows = (*record.source, *record.target)
    mine = [row for row in unread if row.item is not None and not tokens.isdisjoint(row.item.tokens())]
    return TraceReport(
        feature=feature,
        key=record.key,
        item=record.item,
        source=record.source,
        target=record.target,
        unreadable=tuple(mine),
        row=record.rows[0] if record.rows else None,
        linked=_linked(decision),
        decision=decision.cls.value,
        reason=decision.reason,
        changes=decision.write or (),
        learnt=tuple(dict.fromkeys(one for row in rows for one in learnt.get(row.item, ()))),
    )


def _linked(decision: Decision) -> str:
    """In words, what makes the rows one record."""
    record = decision.record
    if record.trouble:
        return record.trouble
    sides = [entry.item.tokens() for entry in (*record.source, *record.target)]
    if record.linked != "ids" or not (record.source and record.target):
        both = bool((record.source and record.target) or record.shelved)
        return record.linked if both else "seen on one side only"
    shared = [token for token in sides[0] if all(token in side for side in sides)]
    if shared:
        more = f" and {len(shared) - _FEW_IDS} more" if len(shared) > _FEW_IDS else ""
        return f"shared ids: {', '.join(shared[:_FEW_IDS])}{more}"
    return "ids shared through the baseline or another copy"


def _unread(question: Question, row: Undecoded, side: Side) -> TraceReport:
    item = row.item or Item(kind=next(iter(question.spec.types)))
    reason = f"unreadable: {question.names[side]} {row.where}: {row.why}"
    return TraceReport(
        question.spec.feature,
        item.key() or row.where,
        item,
        (),
        (),
        (row,),
        None,
        "unreadable",
        Class.HOLD.value,
        reason,
    )


def _asked_for(item: Item, text: str) -> bool:
    wanted = text.strip().casefold()
    if not wanted:
        return False
    ids = [external.value.casefold() for external in (*item.ids, *item.show_ids)]
    names = [f"{external.service}:{external.value}".casefold() for external in (*item.ids, *item.show_ids)]
    if wanted in ids or wanted in names or wanted in [token.casefold() for token in item.tokens()]:
        return True
    labels = [label for label in (item.label(), item.title, item.show_title) if label]
    if any(wanted in label.casefold() for label in labels):
        return True
    # Without accents and punctuation, unless these are most of what was asked for: "+1" is no "1".
    folded = fold(wanted)
    signs = sum(not (char.isspace() or unicodedata.category(char)[0] in "LMN") for char in wanted)
    return bool(folded) and 2 * signs < len("".join(wanted.split())) and any(folded in fold(label) for label in labels)


def pair_status(
    settings: Settings, names: Sequence[str], home: Home, max_age: timedelta | None
) -> tuple[StatusReport, ...]:
    """How pairs stand, from their state alone: nothing is read from an account."""
    now = clock.now()
    return tuple(_status(settings.pairs[name], home, max_age, now) for name in names)


def _status(pair: PairSpec, home: Home, max_age: timedelta | None, now: datetime) -> StatusReport:
    store = PairStore(home.state_dir, pair.name)
    last = load_last_run(store.folder)
    known = last if isinstance(last, LastRun) else None
    late = max_age is not None and (known is None or known.good_at is None or now - known.good_at > max_age)
    ran = StatusReport(
        pair=pair.name,
        exit_code=int(Exit.GUARD) if late else 0,
        last_at=known.finished_at if known else None,
        last_exit=known.exit_code if known else None,
        good_at=known.good_at if known else None,
    )
    try:
        state = store.load(pair.source.name, pair.target.name)
        unfinished = read_journal(store.journal_path) is not None
        missing = store.lost(known.generation if known else 0)
    except CwsyncError as error:
        return replace(ran, exit_code=int(error.exit_code), error=error_report(error))
    rows = [row for baseline in state.features.values() for row in baseline.rows.values()]
    broken = None
    if last is not None and known is None:
        broken = ErrorReport("last-run", "the record of the last run cannot be read", None, 0)
    return replace(
        ran,
        rows={feature: sum(row.agreed for row in one.rows.values()) for feature, one in state.features.items()},
        holds=sum(1 for row in rows if row.seen or (row.mark and row.mark.until > now)),
        parked=sum(1 for row in rows if row.parked),
        in_doubt=sum(1 for row in rows if row.mark and row.mark.kind is MarkKind.DOUBT),
        unfinished=unfinished,
        missing=missing,
        error=broken,
    )
