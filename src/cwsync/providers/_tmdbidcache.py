"""What TMDb told of ids, kept in a file of its own. To lose it costs requests.

The terms of TMDb allow six months. Ids hardly ever change, and what is missing may be there next week.

Source: https://www.themoviedb.org/api-terms-of-use (checked 2026-11-21).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cwsync import files
from cwsync.providers._tmdbidfacts import is_passing

KNOWN_S: Final = 30 * 86400
PASSING_S: Final = 7 * 86400
MOST: Final = 100_000
NAME: Final = "tmdb-ids.json"
_SCHEMA: Final = 1


class FactCache:
    """Facts by name, each with when it was learnt (seconds).

    `keep` is the file that is written, `seen` the one that is read; either may be None. A file that is
    damaged or of another version is not believed. `now` is the time of this run.
    """

    def __init__(self, keep: Path | None, seen: Path | None, now: float | None = None) -> None:
        self._keep = keep
        self._seen = seen
        self._now = int(time.time() if now is None else now)
        self._known: dict[str, tuple[dict[str, Any], int]] = {}
        self._loaded = self._dirty = False

    def facts(self) -> dict[str, dict[str, Any]]:
        """What is known and not too old, read from the file at first."""
        self._load()
        return {name: fact for name, (fact, at) in self._known.items() if self._is_good(name, fact, at)}

    def _is_good(self, name: str, fact: Mapping[str, Any], at: int) -> bool:
        return 0 <= self._now - at < (PASSING_S if is_passing(name, fact) else KNOWN_S)

    def put(self, facts: Mapping[str, dict[str, Any]]) -> None:
        """Learn some facts."""
        self._known |= {name: (fact, self._now) for name, fact in facts.items()}
        self._dirty = self._dirty or bool(facts)

    def _load(self) -> None:
        if self._seen is None or self._loaded:
            return
        self._loaded = True
        data = files.read_file(self._seen)
        if data is not None:
            self._known = _decode(data) | self._known

    def save(self) -> None:
        """Write the file, if anything was learnt: the newest facts, and none that is too old."""
        if self._keep is None or not self._dirty:
            return
        good = [(name, known) for name, known in self._known.items() if self._is_good(name, *known)]
        newest = sorted(good, key=lambda one: (-one[1][1], one[0]))[:MOST]
        files.make_dir(self._keep.parent)
        files.replace_file(self._keep, _encode({name: list(known) for name, known in sorted(newest)}))
        self._dirty = False


def _encode(facts: Mapping[str, Any]) -> bytes:
    text = json.dumps(facts, separators=(",", ":"))
    head = {"schema": _SCHEMA, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return f"{json.dumps(head)}\n{text}\n".encode()


def _decode(data: bytes) -> dict[str, tuple[dict[str, Any], int]]:
    """What a file says; nothing, when it is not whole or not of this version: it will be written anew."""
    head, _, text = data.partition(b"\n")
    wanted = {"schema": _SCHEMA, "sha256": hashlib.sha256(text.removesuffix(b"\n")).hexdigest()}
    if head != json.dumps(wanted).encode():
        return {}
    return {name: (fact, at) for name, (fact, at) in json.loads(text).items()}
