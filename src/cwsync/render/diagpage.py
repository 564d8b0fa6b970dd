"""`explain`, `status`, `check` and `reset-state` as pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from cwsync.model import (
    UNDONE,
    CheckReport,
    Entry,
    ExplainReport,
    Feature,
    StatusReport,
    TraceReport,
)
from cwsync.model import Row as BaselineRow
from cwsync.render.document import Block, Gap, Grid, Line, Page, Row, Tone
from cwsync.render.sanitise import sanitise
from cwsync.render.words import NOTHING, count, id_words, in_order, label, span, transition, value, when, why

_FACTS = frozenset({0})


def _facts(facts: Iterable[tuple[str, str]]) -> Grid:
    """Name and text, one fact a row."""
    return Grid((), [Row(fact) for fact in facts], _FACTS, indent=2)


# --- explain ------------------------------------------------------------------------------------


def explain_page(report: ExplainReport) -> Page:
    """Everything known of the records that match."""
    page: Page = []
    for trace in report.traces:
        page += [Gap(), *_trace(trace, report)]
    if not report.traces and report.error is None:
        text = sanitise(report.text)
        page.append(Line(f"no record of {report.pair} matches {text!r}, on either side or in the baseline"))
    for guard in report.guards:
        place = f" ({guard.feature.value})" if guard.feature else ""
        page += [
            Gap(),
            Line(f"! guard {guard.name}{place} would stop a run: {sanitise(guard.numbers, 500)}", Tone.ERROR),
        ]
    return page


def _trace(trace: TraceReport, report: ExplainReport) -> Iterator[Block]:
    yield Line(f"{trace.feature.value}: {label(trace.item)}", Tone.STRONG)
    facts: list[tuple[str, str]] = []
    for account, entries in ((report.source, trace.source), (report.target, trace.target)):
        facts += [(account, _entry(entry)) for entry in entries] or [(account, "not there")]
    facts += [("unreadable", f"{sanitise(row.where)}: {sanitise(row.why)}") for row in trace.unreadable]
    facts += _baseline(trace.row, report)
    facts += [("learnt", f"{sanitise(one)} from {sanitise(who)}") for one, who in trace.learnt]
    facts.append(("linked", sanitise(trace.linked) or NOTHING))
    facts.append(("decision", _decision(trace)))
    for change in trace.changes:
        account = report.source if change.side.value == "source" else report.target
        facts.append(("planned", f"{change.op.symbol} {account} {transition(change)} ({why(change)})"))
    if not trace.changes:
        facts.append(("planned", "nothing"))
    yield _facts(facts)


def _decision(trace: TraceReport) -> str:
    """The class and the reason; a reason that begins with the name of its class says both."""
    reason = sanitise(trace.reason, 500)
    return reason if reason.startswith(f"{trace.decision}:") else f"{sanitise(trace.decision)} ({reason})"


def _entry(entry: Entry) -> str:
    # Some name a row by one of its ids, or by that and the time of a play: both are there already.
    told = entry.native_key is None or entry.native_key.partition("@")[0] in entry.item.tokens()
    key = "" if told else f" · key {sanitise(entry.native_key or '')}"
    return f"{value(entry.value, dated=True)} · {id_words(entry.item)}{key}"


def _baseline(row: BaselineRow | None, report: ExplainReport) -> Iterator[tuple[str, str]]:
    if row is None:
        yield "baseline", "not in it"
        return
    sides = f"{report.source} {value(row.source, dated=True)} · {report.target} {value(row.target, dated=True)}"
    yield "baseline", sides + (" · linked by title and year, so never removed" if row.weak else "")
    name = {"source": report.source, "target": report.target}
    if row.mark is not None:
        wrote = f"{value(row.mark.before)} → {value(row.mark.after)}"
        told = f"{row.mark.kind.value}: we wrote {wrote} to {name[row.mark.side]} at {when(row.mark.at)}"
        yield "frozen", f"{told}; left alone until {when(row.mark.until)}"
    if row.unshown is not None:
        yield "not shown", f"{name[row.unshown]} took it and has not shown it since"
    if row.seen is not None:
        what = "missing" if row.seen.absent else "there"
        yield "first seen", f"{what} on {name[row.seen.side]} since {when(row.seen.at)}"
    if row.parked is not None:
        park = row.parked
        if park.code == UNDONE:
            there = name[park.side.other.value]
            yield (
                "undone",
                f"by taking back the run {sanitise(park.detail or NOTHING)}; left alone until {there} changes",
            )
            return
        detail = f" ({sanitise(park.detail)})" if park.detail else ""
        tries = count(park.tries, "try", "tries")
        yield (
            "parked",
            f"{name[park.side]} refused it: {sanitise(park.code)}{detail}, {tries}; again after {when(park.until)}",
        )


# --- status -------------------------------------------------------------------------------------


def status_page(reports: Sequence[StatusReport], now: datetime) -> Page:
    """One row a pair, then whatever needs words."""
    header = ("pair", "last run", "exit", "last good run", "baseline", "waiting")
    rows = [_status_row(report, now) for report in reports]
    page: Page = [Grid(header, rows, frozenset({0, 2}))]
    for report in reports:
        if report.unfinished:
            page.append(Line(f"{report.pair}: a run was cut off; the next run looks at what it left", Tone.WARN))
        if report.missing:
            what = "its state is gone; the next run is a union that removes nothing"
            page.append(Line(f"{report.pair}: {what}", Tone.WARN))
    return page


def _status_row(report: StatusReport, now: datetime) -> Row:
    counts = [f"{feature.value} {report.rows[feature]:,}" for feature in in_order(report.rows)]
    waits = ((report.holds, "hold"), (report.parked, "parked"), (report.in_doubt, "in doubt"))
    waiting = [count(number, word, word + "s" if word == "hold" else word) for number, word in waits if number]
    exit_code = NOTHING if report.last_exit is None else str(int(report.last_exit))
    unreadable, lost = "unreadable", report.error is not None and report.error.code == "last-run"
    damage = None
    if report.error is not None and not lost:
        damage = "damaged" if "damaged" in report.error.message else unreadable
    cells = (
        report.pair,
        unreadable if lost else _ago(report.last_at, now),
        exit_code,
        unreadable if lost else _ago(report.good_at, now),
        damage or ", ".join(counts) or ("missing" if report.missing else "empty"),
        NOTHING if damage else ", ".join(waiting) or "nothing",
    )
    return Row(cells, Tone.ERROR if report.exit_code else Tone.PLAIN)


def _ago(at: datetime | None, now: datetime) -> str:
    return "never" if at is None else f"{when(at)} ({span(now - at)} ago)"


# --- check --------------------------------------------------------------------------------------


def check_page(reports: Iterable[CheckReport]) -> Page:
    """One block an account or a pair."""
    page: Page = []
    for report in reports:
        page += [Gap(), Line(f"{report.name}: {sanitise(report.about)}", Tone.STRONG)]
        rows = [
            Row(("ok" if ok else "FAILED", sanitise(what), sanitise(detail, 500)), Tone.PLAIN if ok else Tone.ERROR)
            for ok, what, detail in report.lines
        ]
        page.append(Grid((), rows, _FACTS, indent=2))
    return page


# --- reset-state --------------------------------------------------------------------------------


def reset_page(pair: str, rows: Mapping[Feature, int], consequences: Iterable[str]) -> Page:
    """What would be forgotten, and what that means."""
    page: Page = [Line(f"{pair}: the baseline would be forgotten", Tone.STRONG)]
    page.append(_facts((feature.value, count(rows[feature], "record")) for feature in in_order(rows)))
    page += [Line(f"- {sanitise(sentence, 500)}") for sentence in consequences]
    return page
