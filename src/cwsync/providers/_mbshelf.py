"""What a library of Jellyfin or Emby has, held or not: the rows that a run read anyway.

A title that is not among the records was unwatched, or its row is gone: its file was deleted, or replaced
and found anew under another key, or its library is hidden. Only the rows themselves tell which.
Source: Jellyfin issues 15001 and 15824, CrossWatch issue 896 (checked 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cwsync.model import Item, Kind
from cwsync.providers._mbfind import LISTS, Table
from cwsync.providers._mbread import Listing, shows_of
from cwsync.providers._mbvalues import item_of
from cwsync.providers._mbwire import Row


class Shelf:
    """The rows of the lists that a feature was read from; the first of them is that of the titles.

    Nothing is copied, and no table is made before somebody asks.
    """

    def __init__(self, lists: Sequence[tuple[str, Listing]]) -> None:
        self._lists = dict(lists)
        self._titles = lists[0][1]
        self._rows: dict[str, Row | None] | None = None
        self._tables: dict[Kind, Table] = {}

    def is_of(self, lists: Sequence[tuple[str, Listing]]) -> bool:
        """Whether these are the very lists it was made of."""
        return len(lists) == len(self._lists) and all(self._lists.get(types) is one for types, one in lists)

    def has(self, native_key: str) -> bool:
        """Whether the row of that name was there; of a file of several episodes, whether it holds that one."""
        if self._rows is None:  # a row that cannot be read is there all the same
            found: dict[str, Row | None] = {bad.key: None for one in self._lists.values() for bad in one.bad if bad.key}
            self._rows = found | {row.key: row for one in self._lists.values() for row in one.rows}
        key, _, number = native_key.partition("#")
        if key not in self._rows:
            return False
        row = self._rows[key]
        return row is None or not number or (number.isdigit() and int(number) in row.numbers())

    def knows(self, item: Item) -> bool:
        """Whether a row of that title was read: by its ids, an episode also by its place, never by its name."""
        listing = self._lists.get(LISTS[item.kind])
        if listing is None:
            return False
        if item.kind not in self._tables:
            rows = [row for row in listing.rows if row.kind is item.kind]
            self._tables[item.kind] = Table(rows, shows_of(self._titles))
        return bool(self._tables[item.kind].find(item).keys)

    def titles(self) -> Iterator[tuple[str, Item]]:
        """Films and shows, with the keys of their rows."""
        return ((row.key, item_of(row, {})) for row in self._titles.rows)
