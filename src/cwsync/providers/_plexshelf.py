"""Which rows a library has that hold nothing any more, so that a deleted file is not taken for an unwatched film.

Lists are asked for by what they hold, so a row that is in none of them may be unwatched, or gone. The keys
that held something at the last reading are kept; those that do not now are asked for by name, a hundred a
request. Without such keys that costs nothing. A key that nobody remembers counts as gone: what was kept
may be lost, and then it is better to remove nothing.

Source: Plex keeps what a user did by account and primary guid, and a file that comes back may have another
ratingKey (reports to several clients, checked 2026-11-21).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final

from cwsync import files
from cwsync.model import ExternalId, Feature, Item
from cwsync.providers._plexcache import sealed, unsealed
from cwsync.providers._plexread import KEYS_AT_ONCE, Library
from cwsync.providers._plexwire import Row, value_of

# How long a row is asked for that holds nothing any more: longer than any pair waits with a removal.
ASKED_S: Final = 60 * 86400


@dataclass(frozen=True, slots=True)
class PlexShelf:
    """The rows that hold something, and those that did and are still there (see `cwsync.model.Shelf`)."""

    held: Mapping[int, int]
    empty: frozenset[int]
    seen: frozenset[ExternalId]

    def has(self, native_key: str) -> bool:
        """Whether the row is in a library of the account, under the guid that it had when it held something."""
        return native_key.isdecimal() and (int(native_key) in self.held or int(native_key) in self.empty)

    def knows(self, item: Item) -> bool:
        """Whether a row of that title was looked at by itself, and held nothing."""
        return not self.seen.isdisjoint(item.ids)

    def titles(self) -> Iterable[tuple[str, Item]]:
        """None: only what holds something is asked for."""
        return ()


class KnownRows:
    """The rows of one account that held something, by feature: the key, and a digest of the guid.

    A row that is matched to another title keeps its key and loses what was done with it: its guid tells.
    `keep` is the file that is written, `seen` the one that is read; either may be None. A file that is
    damaged, or of another user or server, is not believed.
    """

    def __init__(self, keep: Path | None, seen: Path | None, account_id: str, now: float | None = None) -> None:
        self._keep = keep
        self._account_id = account_id
        self._now = int(time.time() if now is None else now)
        self._held: dict[Feature, dict[int, int]] = {}
        # Rows to ask for, and since when they hold nothing.
        self._empty: dict[Feature, dict[int, tuple[int, int]]] = {}
        self._load(seen)

    async def shelf(
        self, library: Library, feature: Feature, held: dict[int, int], *, whole: bool
    ) -> tuple[PlexShelf, int]:
        """What the library has, and how many requests that took. `whole`: every row of the reading could be read."""
        before, missed = self._held.get(feature, {}), self._empty.get(feature, {})
        asked = sorted((before.keys() | missed.keys()) - held.keys())
        rows = await library.rows([str(key) for key in asked])
        known = {key: missed.get(key) or (before[key], self._now) for key in asked}
        recent = {key for key, (_, since) in known.items() if self._now - since < ASKED_S}
        # A row that holds something though no list has it is in none of our libraries: that is no removal either.
        found = {int(key): row for key, row in rows.items() if value_of(feature, row) is None and int(key) in recent}
        empty = {key: known[key] for key, row in found.items() if known[key][0] == row.guid_mark}
        if (held, empty) != (before, missed):
            self._held[feature], self._empty[feature] = held, empty
            self._save()
        # A copy that could not be read may hold what this one does not.
        titles = frozenset(one for row in found.values() for one in row.ids) if whole else frozenset()
        return PlexShelf(held, frozenset(empty), titles), ceil(len(asked) / KEYS_AT_ONCE)

    def writing(self, feature: Feature, rows: Iterable[Row]) -> None:
        """Some rows are about to hold something: remember them before they do."""
        held = self._held.get(feature, {})
        fresh = {int(row.key): (row.guid_mark, self._now) for row in rows if int(row.key) not in held}
        if fresh:
            self._empty[feature] = self._empty.get(feature, {}) | fresh
            self._save()

    # --- the file -----------------------------------------------------------------------------------

    def _load(self, seen: Path | None) -> None:
        data = None if seen is None else files.read_file(seen)
        body: Any = None if data is None else unsealed(data)
        if body is None or body["account"] != self._account_id:
            return
        for name, (held, empty) in body["rows"].items():
            self._held[Feature(name)] = dict(zip(held[::2], held[1::2], strict=True))
            self._empty[Feature(name)] = dict(zip(empty[::3], zip(empty[1::3], empty[2::3], strict=True), strict=True))

    def _save(self) -> None:
        if self._keep is None:
            return
        rows = {}
        for feature in sorted(self._held.keys() | self._empty.keys()):
            held = [number for one in sorted(self._held.get(feature, {}).items()) for number in one]
            empty = [number for key, one in sorted(self._empty.get(feature, {}).items()) for number in (key, *one)]
            rows[feature.value] = [held, empty]
        files.make_dir(self._keep.parent)
        files.replace_file(self._keep, sealed({"account": self._account_id, "rows": rows}))
