"""Names for snapshots and plans: equal exactly when nothing that matters differs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from cwsync.model import Capabilities, Change, Feature, Guard, Note, Snapshot
from cwsync.model.codec import encode_item, encode_value


def snapshot_digest(snapshot: Snapshot, caps: Capabilities) -> str:
    """A digest of what a snapshot says, whatever the order in which it came."""
    if caps.exact_watermark and snapshot.watermark is not None:
        return f"{snapshot.account_id} {snapshot.watermark}"  # a digest of everything already
    total = hashlib.sha256()
    total.update(f"{snapshot.account_id}\n{snapshot.complete}\n{len(snapshot.entries)}\n".encode())
    lines = [
        f"{entry.native_key}|{entry.item.kind}|{entry.item.ids}|{entry.item.show_ids}"
        f"|{entry.item.season}|{entry.item.number}|{entry.value!r}"
        for entry in snapshot.entries
    ]
    lines += [f"unread|{row.where}|{row.native_key}" for row in snapshot.undecoded]
    lines += [f"lingering|{row.where}|{row.native_key}" for row in snapshot.lingering]
    lines.sort()
    between = b""
    for line in lines:  # one by one: together they would be as large again, twice
        total.update(between + line.encode("utf-8", "surrogatepass"))
        between = b"\n"
    return total.hexdigest()


def plan_digest(
    feature: Feature,
    stands_on: Sequence[str],
    changes: Iterable[Change],
    notes: Iterable[Note],
    guards: Iterable[Guard],
) -> str:
    """A digest of what a feature's plan does and on what it stands (`stands_on`: baseline and snapshots)."""
    body = [
        feature.value,
        *stands_on,
        [_change_line(change) for change in changes],
        [[note.key, note.code] for note in notes],
        [[guard.name, guard.side, guard.numbers] for guard in guards if guard.name != "clock"],
    ]
    return hashlib.sha256(json.dumps(body, separators=(",", ":")).encode()).hexdigest()


def _change_line(change: Change) -> Sequence[object]:
    return [
        change.op.value,
        change.side.value,
        change.key,
        encode_item(change.item)[:2],
        change.native_key,
        encode_value(change.before),
        encode_value(change.after),
    ]


def pair_digest(digests: Iterable[tuple[Feature, str]]) -> str:
    """The digest that names the plans of a pair together: what `--accept` takes."""
    text = "\n".join(f"{feature.value}:{digest}" for feature, digest in digests)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
