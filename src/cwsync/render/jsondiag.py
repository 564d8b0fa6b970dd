"""`explain`, `status`, `check` and `reset-state` as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cwsync.model import (
    Change,
    CheckReport,
    Entry,
    ExplainReport,
    Feature,
    Row,
    StatusReport,
    TraceReport,
    format_when,
)
from cwsync.render.jsonout import Json, document, error_json, guard_json, identity_json, value_json


def explain_json(report: ExplainReport) -> Json:
    """`explain`."""
    return document(
        "explain",
        pair=report.pair,
        text=report.text,
        source=report.source,
        target=report.target,
        error=error_json(report.error),
        traces=[_trace(trace) for trace in report.traces],
        guards=[guard_json(guard, None) for guard in report.guards],
    )


def _trace(trace: TraceReport) -> Json:
    return {
        "feature": trace.feature.value,
        "key": trace.key,
        **identity_json(trace.item),
        "source": [_entry(entry) for entry in trace.source],
        "target": [_entry(entry) for entry in trace.target],
        "unreadable": [{"where": row.where, "why": row.why} for row in trace.unreadable],
        "baseline": _row(trace.row),
        "learnt": [{"id": str(one), "from": who} for one, who in trace.learnt],
        "linked": trace.linked,
        "decision": trace.decision,
        "reason": trace.reason,
        "changes": [_planned(change) for change in trace.changes],
    }


def _entry(entry: Entry) -> Json:
    return {**identity_json(entry.item), "value": value_json(entry.value), "native_key": entry.native_key}


def _planned(change: Change) -> Json:
    return {
        "op": change.op.value,
        "side": change.side.value,
        "before": value_json(change.before),
        "after": value_json(change.after),
        "reason": change.reason,
        "lost": change.lost,
    }


def _row(row: Row | None) -> Json | None:
    if row is None:
        return None
    mark, seen, parked = row.mark, row.seen, row.parked
    return {
        "key": row.key,
        "source": value_json(row.source),
        "target": value_json(row.target),
        "source_keys": list(row.source_keys),
        "target_keys": list(row.target_keys),
        "weak": row.weak,
        "unshown": None if row.unshown is None else row.unshown.value,
        "mark": mark
        and {
            "kind": mark.kind.value,
            "side": mark.side.value,
            "at": format_when(mark.at),
            "until": format_when(mark.until),
            "before": value_json(mark.before),
            "after": value_json(mark.after),
        },
        "first_seen": seen and {"side": seen.side.value, "absent": seen.absent, "at": format_when(seen.at)},
        "parked": parked
        and {
            "side": parked.side.value,
            "code": parked.code,
            "tries": parked.tries,
            "until": format_when(parked.until),
            "detail": parked.detail,
        },
    }


def status_json(reports: Iterable[StatusReport], exit_code: int) -> Json:
    """`status`."""
    return document("status", exit_code=int(exit_code), pairs=[_status(report) for report in reports])


def _status(report: StatusReport) -> Json:
    return {
        "pair": report.pair,
        "exit_code": int(report.exit_code),
        "last_at": format_when(report.last_at),
        "last_exit": report.last_exit,
        "good_at": format_when(report.good_at),
        "rows": {feature.value: number for feature, number in report.rows.items()},
        "holds": report.holds,
        "parked": report.parked,
        "in_doubt": report.in_doubt,
        "unfinished": report.unfinished,
        "missing": report.missing,
        "error": error_json(report.error),
    }


def check_json(reports: Iterable[CheckReport], exit_code: int) -> Json:
    """`check`."""
    checks = [
        {
            "name": report.name,
            "about": report.about,
            "exit_code": int(report.exit_code),
            "lines": [{"ok": ok, "what": what, "detail": detail} for ok, what, detail in report.lines],
        }
        for report in reports
    ]
    return document("check", exit_code=int(exit_code), checks=checks)


def reset_json(pair: str, rows: Mapping[Feature, int], consequences: Iterable[str], outcome: Json) -> Json:
    """`reset-state`. `outcome` says whether it was done and where the backup is."""
    counts = {feature.value: number for feature, number in rows.items()}
    return document("reset-state", pair=pair, rows=counts, consequences=list(consequences), **outcome)
