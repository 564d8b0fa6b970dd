"""Reports as JSON: `plan` and `run` by section 6 of the outside contract, and the pieces all commands share.

A field may be added; none is renamed or removed. Every document has ``schema`` and ``command``.
Characters outside ASCII are escaped: exact in any locale, and nothing in a title can act on a terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from cwsync.model import (
    ChangeReport,
    ErrorReport,
    ExternalId,
    FeatureReport,
    Guard,
    Item,
    Listed,
    Note,
    PairReport,
    Play,
    Rated,
    RunReport,
    SideReport,
    Value,
    format_when,
)

SCHEMA = 1
Json = dict[str, object]


def dump(data: Json, *, indent: bool = False) -> str:
    """`data` as text. Indenting is for people: it takes the slow encoder, so a pipe does without."""
    return json.dumps(data, indent=2 if indent else None, allow_nan=False) + "\n"


def document(command: str, **rest: object) -> Json:
    """The frame of a command's document."""
    return {"schema": SCHEMA, "command": command, **rest}


def run_json(report: RunReport) -> Json:
    """`plan` and `run`."""
    return {
        "schema": SCHEMA,
        "run_id": report.run_id,
        "command": report.command,
        "applied": report.applied,
        "exit_code": int(report.exit_code),
        "pairs": [_pair(pair) for pair in report.pairs],
    }


def _pair(pair: PairReport) -> Json:
    return {
        "pair": pair.pair,
        "mode": pair.mode.value,
        "undoes": pair.undoes,
        "source": pair.source,
        "target": pair.target,
        "first_run": pair.first_run,
        "digest": pair.digest,
        "exit_code": int(pair.exit_code),
        "locked_out": pair.locked_out,
        "error": error_json(pair.error),
        "features": {feature.value: _feature(report) for feature, report in pair.features.items()},
        "changes": [_change(one, pair) for one in pair.changes],
        "conflicts": [_note(note) for note in pair.conflicts],
        "holds": [_note(note) for note in pair.holds],
        "skips": [_note(note) for note in pair.skips],
        "guards": [guard_json(guard, pair.digest) for guard in pair.guards],
        "warnings": list(pair.warnings),
        "traffic": {
            name: {"requests": one.requests, "bytes": one.n_bytes, "ms": one.ms, "calls": dict(one.calls)}
            for name, one in pair.traffic.items()
        },
    }


def error_json(error: ErrorReport | None) -> Json | None:
    """An error that ended a pair or a feature."""
    if error is None:
        return None
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "feature": error.feature.value if error.feature else None,
        "exit_code": int(error.exit_code),
    }


def _feature(report: FeatureReport) -> Json:
    return {
        "source": _side(report.source),
        "target": _side(report.target),
        "add": report.add,
        "update": report.update,
        "remove": report.remove,
        "conflict": report.conflict,
        "hold": report.hold,
        "skip": report.skip,
        "same": report.same,
        "adopt": report.adopt,
        "filtered": report.filtered,
        "one_sided": report.one_sided,
        "confirmed": report.confirmed,
        "failed": report.failed,
        "seconds": round(report.seconds, 3),
        "first_run": report.first_run,
    }


def _side(side: SideReport | None) -> Json | None:
    if side is None:
        return None
    return {"records": side.records, "complete": side.complete, "requests": side.requests}


def _change(one: ChangeReport, pair: PairReport) -> Json:
    change = one.change
    return {
        "feature": change.feature.value,
        "op": change.op.value,
        "side": change.side.value,
        "account": pair.account(change.side),
        **identity_json(change.item),
        "before": value_json(change.before),
        "after": value_json(change.after),
        "reason": change.reason,
        "outcome": one.outcome.value if one.outcome else None,
        "detail": one.detail,
        "lost": change.lost,
    }


def identity_json(item: Item) -> Json:
    """What a record is about: the fields that changes, notes and traces share."""
    return {
        "type": item.kind.value,
        "title": item.title,
        "year": item.year,
        "season": item.season,
        "episode": item.number,
        "ids": _ids(item.ids),
        "show_ids": _ids(item.show_ids) if item.show_ids else None,
        "show_title": item.show_title,
    }


def _ids(ids: Iterable[ExternalId]) -> dict[str, str]:
    """Service to value; the first id of a service is the better one."""
    found: dict[str, str] = {}
    for one in ids:
        namespace, _, text = one.partition(":")
        found.setdefault(namespace.rpartition("_")[0], text)
    return found


def value_json(value: Value | None) -> Json | None:
    """A value in the words of the tracker's files."""
    if value is None:
        return None
    if isinstance(value, Rated):
        whole, rest = divmod(value.score, 10)
        return {"rating": whole if rest == 0 else value.score / 10, "rated_at": format_when(value.at)}
    if isinstance(value, Play):
        return {"watched_at": format_when(value.at)}
    if isinstance(value, Listed):
        return {"listed_at": format_when(value.at)}
    return {"position_ms": value.ms, "duration_ms": value.duration_ms, "updated_at": format_when(value.at)}


def _note(note: Note) -> Json:
    return {
        "feature": note.feature.value,
        **identity_json(note.item),
        "source": value_json(note.source),
        "target": value_json(note.target),
        "reason": note.reason,
        "undecided": note.undecided,
    }


def guard_json(guard: Guard, digest: str | None) -> Json:
    """A guard that tripped. `digest` is what ``--accept`` takes."""
    return {
        "name": guard.name,
        "feature": guard.feature.value if guard.feature else None,
        "side": guard.side.value if guard.side else None,
        "numbers": guard.numbers,
        "hint": guard.hint,
        "acceptable": guard.acceptable,
        "digest": digest if guard.acceptable else None,
    }
