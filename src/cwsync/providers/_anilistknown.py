"""Which titles had an entry when the lists were read last: to tell one that was deleted from one that is in no list.

An entry that is hidden from the lists of status, and in no custom list, comes in no reading. Nothing else says
that there is one, so the file is no cache: without it such entries look gone, and what is gone is removed on the
other side.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cwsync import files
from cwsync.errors import StateError

_SCHEMA: Final = 1


class Known:
    """The titles by AniList's numbers. `keep` is the file that is written, `seen` the one that is read; or None.

    A file of another user says nothing and is written anew. One that cannot be understood is left to a person.
    """

    def __init__(self, keep: Path | None, seen: Path | None) -> None:
        self._keep, self._seen = keep, seen
        self._user = 0
        self._kept: frozenset[int] | None = None
        self.titles: set[int] = set()

    def load(self, user: int) -> None:
        """Read the file, once for each user. Raises `StateError` for one that cannot be understood."""
        if self._kept is not None and user == self._user:
            return
        data = None if self._seen is None else files.read_file(self._seen)
        try:
            kept = frozenset[int]() if data is None else _decode(data, user)
        except ValueError as error:
            hint = "remove it; entries of AniList that are hidden from all lists look deleted to the next run then"
            raise StateError(f"the file is damaged: {error}", where=str(self._seen), hint=hint) from None
        self._user, self._kept = user, kept
        self.titles |= self._kept

    def replace(self, titles: Iterable[int]) -> None:
        """What has an entry now; written, if it is not what the file says."""
        self.titles = set(titles)
        now = frozenset(self.titles)
        if self._keep is None or now == self._kept:
            return
        text = json.dumps({"schema": _SCHEMA, "user": self._user, "titles": sorted(now)}, separators=(",", ":"))
        files.make_dir(self._keep.parent)
        files.replace_file(self._keep, f"{text}\n".encode())
        self._kept = now


def _decode(data: bytes, user: int) -> frozenset[int]:
    """The titles of a user. Raises ``ValueError``."""
    try:
        found = json.loads(data)
    except RecursionError as error:
        raise ValueError("it is too deep") from error
    told = found if isinstance(found, dict) else {}
    titles = told.get("titles")
    if told.get("schema") != _SCHEMA:
        raise ValueError("it is none of ours, or of a newer version")
    if not isinstance(titles, list) or not all(type(one) is int and one > 0 for one in titles):
        raise ValueError("it holds no numbers of titles")
    return frozenset(titles) if told.get("user") == user else frozenset()
