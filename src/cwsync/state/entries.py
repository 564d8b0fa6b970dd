"""What the lines of a journal say, and how. See `journal`.

Sides are those of the pair when the run began: `Header.source` and `Header.target` name them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cwsync.model import Change, Feature, Op, Outcome, Receipt, Side, format_when
from cwsync.model.codec import decode_item, decode_value, encode_item, encode_value
from cwsync.state import strict

_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# The reason of a change that was read back: the plan that had the real one is gone.
REPLAYED: Final = "journal: planned by an earlier run"


@dataclass(frozen=True, slots=True)
class Header:
    """What a run set out from. `run_id` becomes a file name.

    `generation` and `checksum` are those of the state it loaded (0 and None: never saved), `digest`
    is that of its plan, `watermarks` those of the snapshots by feature and side. `undoes` is the run
    that this one takes back, if it does.
    """

    run_id: str
    pair: str
    source: str
    target: str
    generation: int
    checksum: str | None
    digest: str
    started_at: datetime
    watermarks: Mapping[Feature, Mapping[Side, str | None]] = field(default_factory=dict)
    undoes: str | None = None

    def __post_init__(self) -> None:
        for name in (self.run_id, self.run_id if self.undoes is None else self.undoes):
            if not _RUN_ID.fullmatch(name):
                raise ValueError(f"not a run id: {name!r}")


@dataclass(frozen=True, slots=True)
class Intent:
    """A batch that was about to be sent. The reason of its changes is `REPLAYED`.

    `more` are the keys of its records of which other copies were to follow in a later batch.
    """

    batch: int
    feature: Feature
    side: Side
    at: datetime
    changes: tuple[Change, ...]
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipts:
    """What came of a batch: one receipt for each change, in order. `watermark` is that after it."""

    at: datetime
    receipts: tuple[Receipt, ...]
    watermark: str | None


@dataclass(frozen=True, slots=True)
class Commit:
    """The state that the run stored."""

    generation: int
    checksum: str | None
    at: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """A whole journal, checked. `batches` stand in the order in which they were sent.

    `lines`, `size` (bytes) and `last_hash` are of the part that is not torn. `ended` says that its
    last line is there, after which nothing more can follow.
    """

    header: Header
    batches: tuple[tuple[Intent, Receipts | None], ...]
    commit: Commit | None
    lines: int
    size: int
    last_hash: str
    ended: bool = False

    @property
    def committed(self) -> bool:
        """Whether the state of the run was stored."""
        return self.commit is not None


def encode_header(header: Header) -> dict[str, object]:
    """The payload of a `begin`."""
    return {
        "run_id": header.run_id,
        "pair": header.pair,
        "source": header.source,
        "target": header.target,
        "generation": header.generation,
        "checksum": header.checksum,
        "digest": header.digest,
        "started_at": format_when(header.started_at),
        "watermarks": {
            feature.value: {side.value: mark for side, mark in sorted(marks.items())}
            for feature, marks in sorted(header.watermarks.items())
        },
        **({"undoes": header.undoes} if header.undoes is not None else {}),
    }


def decode_header(line: Mapping[str, object]) -> Header:
    """The reverse of `encode_header`; raises ``ValueError``."""
    watermarks = {
        Feature(feature): {Side(side): _text(mark) for side, mark in strict.table(marks).items()}
        for feature, marks in strict.member(line, "watermarks", dict).items()
    }
    return Header(
        strict.member(line, "run_id", str),
        strict.member(line, "pair", str),
        strict.member(line, "source", str),
        strict.member(line, "target", str),
        strict.member(line, "generation", int),
        strict.optional(line, "checksum", str),
        strict.member(line, "digest", str),
        strict.instant(line.get("started_at")),
        watermarks,
        strict.member(line, "undoes", str) if "undoes" in line else None,
    )


def encode_change(change: Change) -> list[object]:
    """``[op, key, item, before, after, origin, native_key]``."""
    values = [encode_value(value) for value in (change.before, change.after, change.origin)]
    return [change.op.value, change.key, encode_item(change.item), *values, change.native_key]


def _decode_change(data: object, feature: Feature, side: Side) -> Change:
    op, key, item, before, after, origin, native_key = strict.typed(data, list, "a change")
    return Change(
        feature,
        side,
        Op(op),
        strict.typed(key, str, "a key"),
        decode_item(item),
        decode_value(before),
        decode_value(after),
        decode_value(origin),
        REPLAYED,
        _text(native_key),
    )


def decode_intent(line: Mapping[str, object]) -> Intent:
    """An `intent` line; raises ``ValueError``."""
    feature, side = Feature(strict.member(line, "feature", str)), Side(strict.member(line, "side", str))
    changes = tuple([_decode_change(one, feature, side) for one in strict.member(line, "changes", list)])
    keys = strict.member(line, "more", list) if "more" in line else []
    more = tuple([strict.typed(key, str, "a key") for key in keys])
    return Intent(strict.member(line, "batch", int), feature, side, strict.instant(line.get("at")), changes, more)


def encode_receipt(receipt: Receipt) -> list[object]:
    """``[outcome, code, native_key, detail, moved]``."""
    return [receipt.outcome.value, receipt.code, receipt.native_key, receipt.detail, receipt.moved]


def decode_receipts(line: Mapping[str, object], intent: Intent) -> Receipts:
    """A `receipt` line of the batch `intent`; raises ``ValueError`` unless there is one for each change."""
    answers = strict.member(line, "receipts", list)
    if len(answers) != len(intent.changes):
        raise ValueError(f"{len(answers)} receipts for {len(intent.changes)} changes")
    receipts = tuple([_decode_receipt(one, change) for one, change in zip(answers, intent.changes, strict=True)])
    return Receipts(strict.instant(line.get("at")), receipts, strict.optional(line, "watermark", str))


def _decode_receipt(data: object, change: Change) -> Receipt:
    outcome, code, native_key, detail, moved = strict.typed(data, list, "a receipt")
    moved = strict.typed(moved, bool, "true or false")
    return Receipt(change, Outcome(outcome), _text(code), _text(native_key), _text(detail), moved)


def decode_commit(line: Mapping[str, object]) -> Commit:
    """A `commit` line; raises ``ValueError``."""
    return Commit(
        strict.member(line, "generation", int),
        strict.optional(line, "checksum", str),
        strict.instant(line.get("at")),
        strict.counts(line.get("counts")),
    )


def _text(data: Any) -> str | None:
    return None if data is None else strict.typed(data, str, "text or null")
