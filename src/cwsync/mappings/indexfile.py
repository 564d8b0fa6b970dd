"""The file a mapping is kept in: sorted lines, one a node, found by halving; nothing is decoded before it is asked for.

The first line is ``cwsync-mappings 1 <sha256 of every byte after this line>``, the second one JSON object
about the data set, every other one a node, a tab, and its edges as JSON. The same data set gives the same
bytes after the first two lines.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cwsync.mappings.links import Block, Edge, Run

SCHEMA: Final = 1
_HEAD: Final = re.compile(rb"cwsync-mappings ([1-9][0-9]{0,8}) ([0-9a-f]{64})\n")


class NewerError(ValueError):
    """The file was written by a newer version of this program."""


def encode(about: Mapping[str, object], nodes: Mapping[str, Sequence[Edge]]) -> bytes:
    """The bytes of the file."""
    rest = [_line(about)]
    for node in sorted(nodes):
        edges = sorted(_text(_pack(edge)) for edge in nodes[node])
        rest.append(f"{node}\t[{','.join(edges)}]\n".encode("ascii"))
    return sealed(b"".join(rest))


def with_about(data: bytes, about: Mapping[str, object]) -> bytes:
    """The same file with something else said about it."""
    first = data.index(b"\n") + 1
    return sealed(_line(about) + data[data.index(b"\n", first) + 1 :])


def sealed(rest: bytes) -> bytes:
    """Lines behind their checksum."""
    return b"cwsync-mappings %d %s\n" % (SCHEMA, hashlib.sha256(rest).hexdigest().encode()) + rest


class FileGraph:
    """The edges in such a file. Raises ``ValueError`` for one that is damaged, `NewerError` for a newer one."""

    def __init__(self, data: bytes) -> None:
        head = _HEAD.match(data)
        if head is None:
            raise ValueError("its first line is not one of ours" if data else "it is empty")
        if int(head[1]) > SCHEMA:
            raise NewerError(f"it was written by a newer cwsync (schema {int(head[1])})")
        with memoryview(data) as view, view[head.end() :] as rest:
            if hashlib.sha256(rest).hexdigest().encode() != head[2]:
                raise ValueError("its checksum does not match")
        self.data = data
        self._first = data.find(b"\n", head.end()) + 1
        self.about: dict[str, Any] = json.loads(data[head.end() : self._first] or b"null")
        if not isinstance(self.about, dict):
            raise ValueError("it says nothing about itself")
        self._seen: dict[str, tuple[Edge, ...]] = {}

    def edges(self, node: str) -> Sequence[Edge]:
        """Those of a node, none for one that is not known."""
        found = self._seen.get(node)
        if found is None:
            text = self._find(node.encode("utf-8", "replace") + b"\t")
            found = self._seen[node] = tuple(_unpack(row) for row in json.loads(text)) if text else ()
        return found

    def _find(self, name: bytes) -> bytes | None:
        """What stands behind a name. Lines are in the order of their names, so half of them go at each step."""
        data, low, high = self.data, self._first, len(self.data)
        while low < high:
            middle = (low + high) // 2
            begin = max(data.rfind(b"\n", low, middle) + 1, low)
            end = data.find(b"\n", middle) + 1 or high
            found = data[begin : data.find(b"\t", begin, end) + 1]
            if found == name:
                return data[begin + len(name) : end]
            if found < name:
                low = end
            else:
                high = begin
        return None


_text: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


def _line(value: object) -> bytes:
    return f"{_text(value)}\n".encode("ascii")


def _pack(edge: Edge) -> list[object]:
    blocks = [[one.here, one.here_last, one.there, one.there_last, one.why] for one in edge.blocks]
    return [edge.other, edge.season, [[run.here, run.n, run.there] for run in edge.runs], *([blocks] if blocks else [])]


def _unpack(row: list[Any]) -> Edge:
    other, season, runs, *blocks = row
    return Edge(
        other,
        season,
        tuple(Run(here, n, there) for here, n, there in runs),
        tuple(Block(here, last, there, there_last, why) for here, last, there, there_last, why in (blocks or [()])[0]),
    )
