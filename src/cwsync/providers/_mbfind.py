"""Which rows of a library are a title: by ids, an episode also by its place in its show; never by name.

Made of the lists that a run reads anyway. Jellyfin has no way to ask for an id: what looks like one
(``AnyProviderIdEquals``) is ignored there, and the first row of the whole library comes back.
Source: Jellyfin's server 10.10.7 to 12.0-rc5; issues 247 and 300 of scrob (checked 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from cwsync.http import together
from cwsync.model import ExternalId, Item, Kind
from cwsync.providers._mbcalls import AT_ONCE
from cwsync.providers._mbread import EPISODES, SEASONS, TITLES, Library, shows_of
from cwsync.providers._mbwire import Row, Show

# Which list holds the rows of a kind.
LISTS: Final[Mapping[Kind, str]] = {
    Kind.MOVIE: TITLES,
    Kind.SHOW: TITLES,
    Kind.SEASON: SEASONS,
    Kind.EPISODE: EPISODES,
}
_Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Spot:
    """As much of a row as it takes to find it: a table outlives the lists that it was made of."""

    key: str
    ids: tuple[ExternalId, ...]
    number: int | None
    last: int | None


# One row, or several: nearly all ids belong to one.
_Spots = Spot | tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of one title; or none, and why."""

    keys: tuple[str, ...] = ()
    code: str | None = None
    why: str | None = None


_MISSING: Final = Found((), "not-in-library", "no library of this account has it")
_NAMELESS: Final = Found((), "no-ids", "a title that is called so has no ids: identify it at the server")


class Finder:
    """Looks titles up. Which row is which title stays, so lists are read once, unless somebody wants them `fresh`."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._tables: dict[Kind, Table] = {}

    async def find(self, items: Sequence[Item]) -> list[Found]:
        """The rows of each item, in order."""
        for kind in sorted({item.kind for item in items} - self._tables.keys()):
            types = dict.fromkeys((TITLES, LISTS[kind]))
            lists = await together([partial(self._library.listing, one) for one in types], at_once=AT_ONCE)
            rows = [row for row in lists[-1].rows if row.kind is kind]
            self._tables[kind] = Table(rows, shows_of(lists[0]))
        return [self._tables[item.kind].find(item) for item in items]

    def fresh(self) -> None:
        """Believe nothing of what was read: the library is not the one it was."""
        self._tables.clear()
        self._library.forget()


class Table:
    """Rows of one kind by id and, inside of a show, by place."""

    def __init__(self, rows: Sequence[Row], shows: Mapping[str, Show]) -> None:
        self._by_id: dict[ExternalId, _Spots] = {}
        self._by_place: dict[str, dict[int, _Spots]] = {}
        self._shows: dict[ExternalId, list[str]] = {}
        # What is called how and has no ids: it is never taken for a title, but it may be why none is found.
        self._nameless = {_called(show.title) for show in shows.values() if not show.ids}
        for key, show in shows.items():
            for external in show.ids:
                self._shows.setdefault(external, []).append(key)
        for row in rows:
            spot = Spot(row.key, row.ids, row.number, row.last)
            for external in row.ids:
                _put(self._by_id, external, spot)
            if not row.ids and row.kind is Kind.MOVIE:
                self._nameless.add(_called(row.title, row.year))
            if row.season is not None and row.show_key is not None:
                inside = self._by_place.setdefault(row.show_key, {})
                for number in row.numbers() or (row.number,):
                    _put(inside, _place(row.season, number), spot)

    def find(self, item: Item) -> Found:
        """Rows that share an id with `item`; without any, those that stand at its place. Never both sorts."""
        by_id = {row.key: row for one in item.ids for row in _all(self._by_id.get(one, ()))}
        places = [] if by_id else self._places(item)
        rows = by_id or {row.key: row for show, at in places for row in _all(self._by_place.get(show, {}).get(at, ()))}
        if not rows:
            return _NAMELESS if self._is_nameless(item) else _MISSING
        fitting = tuple(key for key, row in rows.items() if is_title(row, item))
        if fitting:
            return Found(fitting)
        if by_id:
            # Services differ in single ids of one title; that rows differ among themselves makes it two titles.
            first = next(iter(rows.values())).ids
            if any(contradict(first, row.ids) for row in rows.values()):
                return Found((), "ambiguous", "its ids belong to several rows, which are not one title")
            return Found(tuple(rows))
        return Found((), "numbered-differently", "the row with its season and number has other ids")

    def _is_nameless(self, item: Item) -> bool:
        """Whether a row without ids is called like `item`, or like its show."""
        if item.kind is Kind.MOVIE:
            return _called(item.title, item.year) in self._nameless
        title = item.title if item.kind is Kind.SHOW else item.show_title
        return bool(title) and _called(title) in self._nameless

    def _places(self, item: Item) -> list[_Place]:
        """Where `item` may stand: in each row that is its show."""
        if not item.show_ids or item.season is None or (item.kind is Kind.EPISODE and item.number is None):
            return []
        keys = dict.fromkeys(key for one in item.show_ids for key in self._shows.get(one, ()))
        return [(key, _place(item.season, item.number)) for key in keys]


_Name = TypeVar("_Name")


def _put(table: dict[_Name, _Spots], name: _Name, spot: Spot) -> None:
    known = table.get(name)
    table[name] = spot if known is None else (*_all(known), spot)


def _all(spots: _Spots) -> tuple[Spot, ...]:
    return spots if isinstance(spots, tuple) else (spots,)


def _place(season: int, number: int | None) -> int:
    """A season and a number in it as one number; a season itself has none."""
    return season * 1_000_000 + (-1 if number is None else number)


def _called(title: str | None, year: int | None = None) -> str:
    """What people call a title, for telling them why it was not found, and for nothing else."""
    return f"{''.join(c for c in (title or '').casefold() if c.isalnum())} {year}"


def is_title(row: Row | Spot, item: Item) -> bool:
    """Whether the ids of a row do not speak against its being a title.

    Those of a file of several episodes are of the first: they say nothing of the others.
    """
    if row.last is not None and item.number is not None and item.number != row.number:
        return row.number is not None and row.number <= item.number <= row.last
    return not contradict(item.ids, row.ids)


def contradict(one: Sequence[ExternalId], other: Sequence[ExternalId]) -> bool:
    """Whether two titles have different ids of one service."""
    known = {external.namespace: external for external in one}
    return any(known.get(external.namespace, external) != external for external in other)
