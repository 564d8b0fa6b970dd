"""Which rows of a library are a title: by ids, an episode also by its place in its show; never by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cwsync.model import ExternalId, Item, Kind
from cwsync.providers._plexread import Library
from cwsync.providers._plexwire import Row, Show


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of one title; or none, and why."""

    keys: tuple[str, ...] = ()
    code: str | None = None
    why: str | None = None


_MISSING = Found((), "not-in-library", "no library of this account has it")


class Finder:
    """Looks titles up in a list of all rows, which is read for the first title of each kind.

    The server's own filter knows only the primary guid of a row, so it finds no ``imdb://`` of a
    row of the new agents. Source: issues of other clients (checked 2026-11-21).
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._tables: dict[Kind, _Table] = {}

    async def find(self, items: Sequence[Item]) -> list[Found]:
        """The rows of each item, in order."""
        for kind in sorted({item.kind for item in items} - self._tables.keys()):
            self._tables[kind] = _Table(*await self._library.everything(kind))
        return [self._tables[item.kind].find(item) for item in items]


class _Table:
    """Rows of one kind by id and, inside of a show, by place. Lean: a large library has tens of thousands."""

    def __init__(self, rows: Sequence[Row], shows: Mapping[str, Show]) -> None:
        self._by_id: dict[ExternalId, list[Row]] = {}
        self._by_place: dict[_Place, list[Row]] = {}
        self._shows: dict[ExternalId, list[str]] = {}
        for key, show in shows.items():
            for external in show.ids:
                self._shows.setdefault(external, []).append(key)
        for row in rows:
            for external in row.ids:
                self._by_id.setdefault(external, []).append(row)
            if row.season is not None:
                joined = shows.get(row.show_key or "")
                # A row of an older agent names its show itself.
                for name in (row.show_key or "",) if joined is not None and joined.ids else row.show_ids:
                    self._by_place.setdefault((name, row.season, row.number), []).append(row)

    def find(self, item: Item) -> Found:
        """Rows that share an id with `item`; without any, those that stand at its place. Never both sorts."""
        by_id = {row.key: row for one in item.ids for row in self._by_id.get(one, ())}
        rows = by_id or {row.key: row for place in self._places(item) for row in self._by_place.get(place, ())}
        if not rows:
            return _MISSING
        fitting = tuple(key for key, row in rows.items() if not contradict(item.ids, row.ids))
        if fitting:
            return Found(fitting)
        if by_id:
            # Services differ in single ids of one title; that rows differ among themselves makes it two titles.
            first = next(iter(rows.values())).ids
            if any(contradict(first, row.ids) for row in rows.values()):
                return Found((), "ambiguous", "its ids belong to several rows, which are not one title")
            return Found(tuple(rows))
        return Found((), "numbered-differently", "the row with its season and number has other ids")

    def _places(self, item: Item) -> list[_Place]:
        """Where `item` may stand: in each row that is its show, and in those that say so by themselves."""
        if not item.show_ids or item.season is None or (item.kind is Kind.EPISODE and item.number is None):
            return []
        names = dict.fromkeys(key for one in item.show_ids for key in (*self._shows.get(one, ()), one))
        return [(name, item.season, item.number) for name in names]


_Place = tuple[str, int, int | None]


def contradict(one: Sequence[ExternalId], other: Sequence[ExternalId]) -> bool:
    """Whether two titles have different ids of one service."""
    known = {external.namespace: external for external in one}
    return any(known.get(external.namespace, external) != external for external in other)
