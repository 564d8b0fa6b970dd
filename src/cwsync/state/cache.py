"""What lets a run skip reading a side that has not changed: `cache/PAIR.json`.

Losing it costs only time. So whatever cannot be read is no evidence at all, nothing is synced to
disk, and a save that fails is left alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cwsync import files
from cwsync.errors import StateError
from cwsync.model import Feature, Note, Side, format_when
from cwsync.model.codec import decode_item, decode_value, encode_item, encode_value
from cwsync.state import strict
from cwsync.state.sealed import seal, unseal


@dataclass(frozen=True, slots=True)
class FeatureEvidence:
    """What both sides of one feature looked like: watermark and number of records, by side.

    `same` counts the records of the plan that was made of it that are in step, `one_sided` those of them that only one
    side has; `digest` names it;
    `rules` stands for everything else that the plan depended on. `since` is when a watermark was seen
    first, `read_at` when both sides were last read. `holds` and `skips` are what the plan told, and tells
    again as long as nothing moves; `until` is when it may say something else all the same (None: never).
    """

    watermarks: Mapping[Side, str | None]
    records: Mapping[Side, int]
    same: int
    digest: str
    rules: str
    since: Mapping[Side, datetime]
    read_at: datetime
    holds: tuple[Note, ...] = ()
    skips: tuple[Note, ...] = ()
    filtered: int = 0
    one_sided: int = 0
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the run that left the state `checksum` saw of `source` and `target` (account names)."""

    source: str
    target: str
    checksum: str
    features: Mapping[Feature, FeatureEvidence]


def load_evidence(state_dir: Path, pair: str, source: str, target: str) -> Evidence | None:
    """What the last run saw of these two accounts, in this direction; None when nobody can say."""
    try:
        data = files.read_file(_path(state_dir, pair))
        evidence = None if data is None else _decode(unseal(data))
    except (ValueError, StateError):
        return None
    return evidence if evidence and (evidence.source, evidence.target) == (source, target) else None


def save_evidence(state_dir: Path, pair: str, evidence: Evidence) -> None:
    """Store it if that works."""
    record = {
        "source": evidence.source,
        "target": evidence.target,
        "checksum": evidence.checksum,
        "features": {name.value: _encode(one) for name, one in sorted(evidence.features.items())},
    }
    path = _path(state_dir, pair)
    with contextlib.suppress(StateError):
        files.make_dir(path.parent)
        files.replace_file(path, seal(record), durable=False)


def _path(state_dir: Path, pair: str) -> Path:
    return state_dir / "cache" / f"{pair}.json"


def _encode(one: FeatureEvidence) -> dict[str, object]:
    sides = {side.value: [one.watermarks.get(side), one.records[side], format_when(one.since[side])] for side in Side}
    told = {"holds": [_encode_note(note) for note in one.holds], "skips": [_encode_note(note) for note in one.skips]}
    plan = {
        "same": one.same,
        "filtered": one.filtered,
        "one_sided": one.one_sided,
        "digest": one.digest,
        "rules": one.rules,
        **told,
    }
    return {**plan, "until": format_when(one.until), "read_at": format_when(one.read_at), **sides}


def _encode_note(note: Note) -> list[object]:
    values = encode_value(note.source), encode_value(note.target)
    return [note.key, encode_item(note.item), note.reason, *values, note.undecided]


def _decode_note(feature: Feature, data: object) -> Note:
    row = strict.typed(data, list, "a note")
    if len(row) != 6:
        raise ValueError("a note has six parts")
    key, reason = strict.typed(row[0], str, "a key"), strict.typed(row[2], str, "a reason")
    source, target = decode_value(row[3]), decode_value(row[4])
    return Note(feature, key, decode_item(row[1]), reason, source, target, strict.typed(row[5], bool, "true or false"))


def _decode(record: dict[str, object]) -> Evidence:
    return Evidence(
        strict.member(record, "source", str),
        strict.member(record, "target", str),
        strict.member(record, "checksum", str),
        {
            Feature(name): _decode_feature(Feature(name), one)
            for name, one in strict.member(record, "features", dict).items()
        },
    )


def _decode_feature(feature: Feature, data: object) -> FeatureEvidence:
    watermarks: dict[Side, str | None] = {}
    records: dict[Side, int] = {}
    since: dict[Side, datetime] = {}
    sides = strict.table(data)
    for side in Side:
        watermark, count, first = strict.member(sides, side.value, list)
        watermarks[side] = None if watermark is None else strict.typed(watermark, str, "a watermark")
        records[side] = strict.typed(count, int, "a count")
        since[side] = strict.instant(first)
    return FeatureEvidence(
        watermarks,
        records,
        strict.member(sides, "same", int),
        strict.member(sides, "digest", str),
        strict.member(sides, "rules", str),
        since,
        strict.instant(sides.get("read_at")),
        tuple(_decode_note(feature, note) for note in strict.member(sides, "holds", list)),
        tuple(_decode_note(feature, note) for note in strict.member(sides, "skips", list)),
        strict.member(sides, "filtered", int),
        strict.member(sides, "one_sided", int),
        None if sides.get("until") is None else strict.instant(sides["until"]),
    )
