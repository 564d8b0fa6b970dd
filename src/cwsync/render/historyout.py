"""`history`, as pages and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from cwsync.model import Feature, HistoryReport, Op, Outcome, PastRun, Side, format_when
from cwsync.render.document import Gap, Grid, Line, Page, Row, Tone
from cwsync.render.jsonout import Json, document, identity_json, value_json
from cwsync.render.sanitise import sanitise
from cwsync.render.words import NOTHING, count, in_order, label, span, transition, when

_TONES = {
    "finished": Tone.PLAIN,
    "cut": Tone.WARN,
    "unfinished": Tone.WARN,
    "abandoned": Tone.DIM,
    "damaged": Tone.ERROR,
}
_ENDINGS = {
    "cut": "cut off; settled by a later run",
    "unfinished": "cut off; the next run looks at what it left",
    "abandoned": "put aside by reset-state",
    "damaged": "damaged",
}
_DONE = (Outcome.CONFIRMED, Outcome.ALREADY)


def history_page(report: HistoryReport) -> Page:
    """The runs that wrote, newest first."""
    if not report.runs:
        return [Line(f"{report.pair}: no run has written anything yet")]
    header = ("run", "started (UTC)", "took", "wrote", "not made", "how it ended")
    page: Page = [Grid(header, [_row(run) for run in report.runs], frozenset({0, 1, 2}))]
    if len(report.runs) < report.total:
        page.append(Line(f"… and {report.total - len(report.runs):,} older (--limit shows more)", Tone.DIM))
    newest = next((run for run in report.runs if run.ending in ("finished", "cut") and run.undoes is None), None)
    if newest is not None:
        page += [
            Gap(),
            Line(f"all that a run wrote: cwsync history {report.pair} {newest.run_id}", verbatim=True),
            Line(f"to take it back: cwsync undo {report.pair} {newest.run_id}", verbatim=True),
        ]
    return page


def _row(run: PastRun) -> Row:
    took = span(run.ended_at - run.started_at) if run.ended_at and run.started_at else NOTHING
    cells = (
        sanitise(run.run_id),
        when(run.started_at) if run.started_at else NOTHING,
        took,
        _wrote(run) or NOTHING,
        ", ".join(_missed(run)) or NOTHING,
        _ending(run),
    )
    return Row(cells, _TONES[run.ending])


def _ending(run: PastRun) -> str:
    told = [_ENDINGS[run.ending]] if run.ending in _ENDINGS else []
    if run.undoes is not None:
        told.insert(0, f"took back {sanitise(run.undoes)}")
    return "; ".join(told) or "well"


def _wrote(run: PastRun) -> str:
    parts = []
    for feature in in_order(run.counts):
        made = run.counts[feature]
        parts.append(f"{feature.value} " + " ".join(f"{op.symbol}{made[op]:,}" for op in Op if made.get(op)))
    return ", ".join(parts)


def _missed(run: PastRun) -> Iterator[str]:
    if run.failed:
        yield f"{run.failed:,} failed"
    if run.in_doubt:
        yield f"{run.in_doubt:,} in doubt"


def run_of_history_page(report: HistoryReport) -> Page:
    """One run with every change it made or tried to make."""
    (run,) = report.runs
    names = {Side.SOURCE: run.source or NOTHING, Side.TARGET: run.target or NOTHING}
    page: Page = [Line(f"{report.pair}: run {sanitise(run.run_id)} ({_ending(run)})", Tone.STRONG)]
    if run.started_at is not None:
        page.append(Line(f"started {when(run.started_at)} UTC, {count(len(run.changes), 'change')}"))
    tones = {Op.ADD: Tone.ADD, Op.UPDATE: Tone.UPDATE, Op.REMOVE: Tone.REMOVE}
    for feature in in_order(frozenset(one.change.feature for one in run.changes)):
        rows = []
        for one in run.changes:
            if one.change.feature is feature:
                good = one.outcome in _DONE or one.outcome is None
                told = one.outcome.value.replace("_", " ") if one.outcome else NOTHING
                outcome = f"{told}: {sanitise(one.detail)}" if one.detail and not good else told
                cells = (
                    one.change.op.symbol,
                    names[one.change.side],
                    label(one.change.item),
                    transition(one.change),
                    outcome,
                )
                rows.append(Row(cells, tones[one.change.op] if good else Tone.ERROR))
        page += [Gap(), Line(feature.value, Tone.STRONG)]
        page.append(Grid(("", "account", "title", "old → new", "outcome"), rows, frozenset({0, 1})))
    return page


def history_json(report: HistoryReport, *, whole: bool) -> Json:
    """`history`; `whole` adds the changes of each run."""
    return document(
        "history",
        pair=report.pair,
        exit_code=report.exit_code,
        total=report.total,
        runs=[_run_json(run, whole=whole) for run in report.runs],
    )


def _run_json(run: PastRun, *, whole: bool) -> Json:
    told: Json = {
        "run_id": run.run_id,
        "ending": run.ending,
        "started_at": format_when(run.started_at),
        "ended_at": format_when(run.ended_at),
        "source": run.source,
        "target": run.target,
        "undoes": run.undoes,
        "counts": {
            feature.value: {op.value: run.counts[feature].get(op, 0) for op in Op}
            for feature in Feature
            if feature in run.counts
        },
        "failed": run.failed,
        "in_doubt": run.in_doubt,
        "error": run.damage,
    }
    if whole:
        told["changes"] = [
            {
                "feature": one.change.feature.value,
                "op": one.change.op.value,
                "side": one.change.side.value,
                **identity_json(one.change.item),
                "before": value_json(one.change.before),
                "after": value_json(one.change.after),
                "outcome": one.outcome.value if one.outcome else None,
                "detail": one.detail,
            }
            for one in run.changes
        ]
    return told
