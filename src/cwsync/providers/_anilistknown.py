"""Which titles had an entry when the lists were read last: to tell one that was deleted from one that is in no list.

An entry that is hidden from the lists of status, and in no custom list, comes in no reading. Kept in the cache.
Without it such entries look gone, as they do to whoever meets them for the first time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cwsync import files

_SCHEMA: Final = 1


class Known:
    """The titles by AniList's numbers. `keep` is the file that is written, `seen` the one that is read; or None.

    A file that cannot be understood, or is of another user, says nothing and is written anew.
    """

    def __init__(self, keep: Path | None, seen: Path | None) -> None:
        self._keep, self._seen = keep, seen
        self._user = 0
        self._kept: frozenset[int] | None = None
        self.titles: set[int] = set()

    def load(self, user: int) -> None:
        """Read the file, once for each user."""
        if self._kept is not None and user == self._user:
            return
        data = None if self._seen is None else files.read_file(self._seen)
        self._user, self._kept = user, _decode(data, user)
        self.titles |= self._kept

    def replace(self, titles: Iterable[int]) -> None:
        """What has an entry now; written, if it is not what the file says."""
        self.titles = set(titles)
        now = frozenset(self.titles)
        if self._keep is None or now == self._kept:
            return
        text = json.dumps({"schema": _SCHEMA, "user": self._user, "titles": sorted(now)}, separators=(",", ":"))
        files.make_dir(self._keep.parent)
        files.replace_file(self._keep, f"{text}\n".encode(), durable=False)
        self._kept = now


def _decode(data: bytes | None, user: int) -> frozenset[int]:
    try:
        found = json.loads(data or b"null")
    except (ValueError, RecursionError):
        return frozenset()
    told = found if isinstance(found, dict) else {}
    titles = told.get("titles")
    if (told.get("schema"), told.get("user")) != (_SCHEMA, user) or not isinstance(titles, list):
        return frozenset()
    return frozenset(one for one in titles if type(one) is int and one > 0)
