"""Ids of titles of Plex's catalogue that were looked up before, and whose a token is. To lose them costs time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cwsync import files

KNOWN_S: Final = 90 * 86400
NONE_S: Final = 86400
_MOST: Final = 50_000
_SCHEMA: Final = 1


class IdCache:
    """Titles by their 24 digits, each with ids like ``imdb://tt1`` and when that was learnt; users by a digest.

    `keep` is the file that is written, `seen` the one that is read; either may be None. A file that is
    damaged or of another version is not believed.
    """

    def __init__(self, keep: Path | None, seen: Path | None, now: float | None = None) -> None:
        self._keep = keep
        self._seen = seen
        self._now = int(time.time() if now is None else now)
        self._known: dict[str, tuple[tuple[str, ...], int]] = {}
        self._loaded = self._dirty = False

    def get(self, name: str) -> tuple[str, ...] | None:
        """What is known of a title; empty: it has no ids; None: not known, or too long ago."""
        found = self._known.get(name)
        if found is None or not 0 <= self._now - found[1] < (KNOWN_S if found[0] else NONE_S):
            return None
        return found[0]

    def put(self, found: Mapping[str, Sequence[str]]) -> None:
        """Learn the ids of some titles."""
        self._known |= {name: (tuple(ids), self._now) for name, ids in found.items()}
        self._dirty = self._dirty or bool(found)

    def load(self) -> None:
        """Read the file, once."""
        if self._seen is None or self._loaded:
            return
        self._loaded = True
        data = files.read_file(self._seen)
        if data is not None:
            self._known = {name: (tuple(ids), at) for name, (ids, at) in (unsealed(data) or {}).items()}

    def save(self) -> None:
        """Write the file, if anything was learnt."""
        if self._keep is None or not self._dirty:
            return
        newest = sorted(self._known.items(), key=lambda one: -one[1][1])[:_MOST]
        titles = {name: [list(ids), at] for name, (ids, at) in sorted(newest)}
        files.make_dir(self._keep.parent)
        files.replace_file(self._keep, sealed(titles))
        self._dirty = False


def sealed(content: Mapping[str, Any]) -> bytes:
    """A file: its version and checksum, and what it says."""
    text = json.dumps(content, separators=(",", ":"))
    head = {"schema": _SCHEMA, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return f"{json.dumps(head)}\n{text}\n".encode()


def unsealed(data: bytes) -> Any:
    """What a file says; None, when it is not whole or not of this version: it will be written anew."""
    head, _, text = data.partition(b"\n")
    wanted = {"schema": _SCHEMA, "sha256": hashlib.sha256(text.removesuffix(b"\n")).hexdigest()}
    if head != json.dumps(wanted).encode():
        return None
    return json.loads(text)
