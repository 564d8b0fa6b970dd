"""The baseline of a pair as one JSON document, `state.json`.

The first line is ``{"schema":1,"checksum":"<sha256 of every byte after this line>",``; then come the
names, and the rows of each feature, one a line. The same state is always the same bytes.

Sides stand by account name (0 is the first in alphabetical order), so turning a pair around keeps
its baseline. `source` says which of the two was the source when it was saved.
"""

from __future__ import annotations

import gc
import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Final

from cwsync.errors import StateError
from cwsync.model import Baseline, Feature, Removal, Side, format_when
from cwsync.state import migrate, strict
from cwsync.state.rows import STRAIGHT, TURNED, Sides, decode_rows, encode_rows, index, side


@dataclass(frozen=True, slots=True)
class PairState:
    """The baselines of a pair. `source` and `target` are account names.

    `generation` counts the saves (0: never saved). `checksum` is the hex digest of the stored
    document, None when this was never stored.
    """

    pair: str
    source: str
    target: str
    generation: int = 0
    saved_at: datetime | None = None
    features: Mapping[Feature, Baseline] = field(default_factory=dict)
    checksum: str | None = None

    def baseline(self, feature: Feature) -> Baseline:
        """The baseline of `feature`; an empty one when there is none yet."""
        return self.features.get(feature) or Baseline(feature)


_FIRST_LINE: Final = re.compile(rb'\{"schema":([1-9][0-9]{0,8}),"checksum":"([0-9a-f]{64})",\n')
_ROWS: Final = b'"rows":[\n'
_ROWS_END: Final = b"\n]"
# Characters of rows that are parsed at a time: small enough that memory is used again and again.
_BLOCK: Final = 100_000


@contextmanager
def _no_collector() -> Iterator[None]:
    """Keep the cycle collector from walking a million new objects again and again: none are garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def encode(state: PairState) -> tuple[bytes, str]:
    """The document of `state`, and its checksum."""
    names = sorted((state.source, state.target))
    sides = STRAIGHT if state.source == names[0] else TURNED
    head = {
        "pair": state.pair,
        "accounts": names,
        "source": index(Side.SOURCE, sides),
        "generation": state.generation,
        "saved_at": format_when(state.saved_at),
    }
    parts = [strict.dumps(head)[1:-1].encode("ascii"), b',"features":{']
    with _no_collector():
        comma = ""
        for feature in sorted(state.features):
            parts.append(f'{comma}\n"{feature.value}":'.encode("ascii"))
            parts += _encode_feature(state.features[feature], sides)
            comma = ","
    parts.append(b"}}\n")
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    checksum = digest.hexdigest()
    return b"".join([b'{"schema":%d,"checksum":"%s",\n' % (migrate.SCHEMA, checksum.encode()), *parts]), checksum


def _encode_feature(baseline: Baseline, sides: Sides) -> Iterator[bytes]:
    head = {
        "first_run_done": baseline.first_run_done,
        "fingerprint": baseline.fingerprint,
        "account_ids": [baseline.account_ids.get(one) for one in sides],
        "removals": [[format_when(one.at), index(one.side, sides), one.count] for one in baseline.removals],
    }
    yield strict.dumps(head)[:-1].encode("ascii")
    border = b"," + _ROWS
    for block in encode_rows(baseline.rows.values(), sides):
        yield border
        yield block.encode("ascii")
        border = b",\n"
    yield _ROWS_END + b"}" if baseline.rows else b',"rows":[]}'


def checksum_of(data: bytes) -> str | None:
    """What the first line of a document says its checksum is."""
    match = _FIRST_LINE.match(data)
    return match[2].decode() if match else None


def decode(data: bytes, source: str | None = None, target: str | None = None) -> PairState:
    """Read a document, its sides as `source` and `target`; without names, as it was saved.

    Names that are not those of the document: rows of a name that is in both stay with that name,
    else the old source becomes the new one, and every fingerprint is None, which is no baseline
    for anything but a union. Raises ``ValueError`` for damage, `StateError` for a newer schema.
    """
    schema = re.match(rb'\{"schema":([1-9][0-9]{0,8})\b', data)
    if schema and int(schema[1]) > migrate.SCHEMA:
        raise StateError(f"was written by a newer cwsync (schema {int(schema[1])})", hint="upgrade cwsync")
    match = _FIRST_LINE.match(data)
    if match is None:
        raise ValueError("is empty" if not data else "the first line is not that of a state file")
    if hashlib.sha256(memoryview(data)[match.end() :]).hexdigest().encode() != match[2]:
        raise ValueError("the checksum does not match")
    if int(match[1]) < migrate.SCHEMA:
        data = b"{" + migrate.upgrade(data[match.end() :], int(match[1]))
    state = _decode(data, source, target)
    return replace(state, checksum=match[2].decode())


def _decode(data: bytes, source: str | None, target: str | None) -> PairState:
    frame, regions = _split(data)
    document = strict.table(strict.loads(frame))
    names = [strict.typed(name, str, "an account name") for name in strict.member(document, "accounts", list)]
    if len(names) != 2 or names != sorted(names):
        raise ValueError("'accounts' is not two sorted names")
    before = TURNED if strict.member(document, "source", int) else STRAIGHT
    old = (names[before.index(Side.SOURCE)], names[before.index(Side.TARGET)])
    now = (source if source is not None else old[0], target if target is not None else old[1])
    sides = _sides(names, now, before)
    features = {}
    with _no_collector():
        for name, part in strict.member(document, "features", dict).items():
            features[Feature(name)] = _decode_feature(Feature(name), part, data, regions, sides)
    if set(now) != set(old):
        features = {feature: replace(baseline, fingerprint=None) for feature, baseline in features.items()}
    return PairState(
        strict.member(document, "pair", str),
        *now,
        strict.member(document, "generation", int),
        strict.optional_instant(document, "saved_at"),
        features,
    )


def _sides(names: list[str], now: tuple[str, str], before: Sides) -> Sides:
    """Which sides the accounts of a document are now."""
    if now[0] == names[0] or now[1] == names[1]:
        return STRAIGHT
    if now[0] == names[1] or now[1] == names[0]:
        return TURNED
    return before


def _split(data: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """Cut the rows out of a document: the rest, with numbers in their place, and where each lies.

    A line end inside a JSON text is always escaped, so no title can look like a border of rows.
    """
    parts: list[bytes] = []
    regions: list[tuple[int, int]] = []
    done = 0
    while (start := data.find(_ROWS, done)) >= 0:
        start += len(_ROWS)
        end = data.find(_ROWS_END, start)
        if end < 0:
            raise ValueError("the rows have no end")
        parts += data[done:start], b"%d" % len(regions)
        regions.append((start, end))
        done = end
    return b"".join([*parts, data[done:]]), regions


def _blocks(data: bytes, region: tuple[int, int]) -> Iterator[object]:
    start, stop = region
    while start < stop:
        end = data.find(b",\n", start + _BLOCK, stop)
        end = stop if end < 0 else end
        yield strict.loads(b"[%s]" % data[start:end])
        start = end + 2


def _decode_feature(
    feature: Feature, part: object, data: bytes, regions: list[tuple[int, int]], sides: Sides
) -> Baseline:
    document = strict.table(part)
    numbers = [strict.typed(number, int, "a number") for number in strict.member(document, "rows", list)]
    if not all(0 <= number < len(regions) for number in numbers):
        raise ValueError("rows that are not one a line")
    rows = decode_rows(chain.from_iterable(_blocks(data, regions[number]) for number in numbers), sides)
    ids = strict.member(document, "account_ids", list)
    return Baseline(
        feature,
        rows,
        strict.member(document, "first_run_done", bool),
        strict.optional(document, "fingerprint", str),
        {
            one: strict.typed(account, str, "an account id")
            for one, account in zip(sides, ids, strict=True)
            if account is not None
        },
        tuple([_removal(one, sides) for one in strict.member(document, "removals", list)]),
    )


def _removal(data: object, sides: Sides) -> Removal:
    at, where, count = strict.typed(data, list, "a removal")
    return Removal(strict.instant(at), side(where, sides), strict.typed(count, int, "a count"))
