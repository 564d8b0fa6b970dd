"""Linking by title and year, for the pairs that opt in: the last resort for rows without ids.

A row of a library that holds nothing is linked too, so that it can be written to by its own name: nothing else tells
a library which of its unidentified rows a title is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cwsync.model import Item, Kind, Row, Shelf, Side
from cwsync.planner.record import Shelved, fold
from cwsync.planner.web import Web

_Title = tuple[object, ...]
# What tells one title of a side from another: the bundle of its record, else the ids or the name of its row.
_Identity = int | tuple[str, ...] | str


@dataclass(slots=True)
class TitleLinks:
    """What was linked by title: the bundles of rows, and the rows of libraries that belong to a bundle."""

    bundles: list[int] = field(default_factory=list)
    shelved: dict[int, Shelved] = field(default_factory=dict)


def link_titles(
    web: Web, loose: Sequence[int], known: Mapping[tuple[Side, str], int], shelves: Mapping[Side, Shelf]
) -> TitleLinks:
    """Link rows without ids to the one title of the other side with their kind, title and year.

    `loose` are the numbers of such rows that nothing else links, `known` the bundles of the native keys in the
    baseline. What is linked is joined in the forest of `web`. Both sides must have the title once.
    """
    spots = [
        (_identity(web, known, one), one)
        for side, shelf in shelves.items()
        for one in _holding_nothing(web, side, shelf)
    ]
    bare = [one for identity, one in spots if not (one.item.ids or isinstance(identity, int))]
    names = _Names([*(web.nodes[number].item for number in loose), *(one.item for one in bare)])
    held = set()
    for number in range(web.bounds[0], len(web.nodes)):
        side = web.side(number)
        if side is not None and names.add(side, web.nodes[number].item, web.root(number)):
            held.add((side, web.root(number)))
    found = {identity: one for identity, one in spots if names.add(one.side, one.item, identity)}
    links = TitleLinks()
    for number in loose:
        here = web.side(number)
        there = None if here is None else names.only(here.other, web.nodes[number].item)
        if isinstance(there, int):
            web.forest.join(there, web.home(number))
            links.bundles.append(web.home(number))
        elif there is not None:
            links.shelved[web.home(number)] = found[there]
    for one in bare:
        there = names.only(one.side.other, one.item)
        if isinstance(there, int) and (one.side.other, there) in held:
            links.shelved[there] = one
    return links


class _Names:
    """Which titles each side has, by kind, name and year; of those alone that some row without ids is called like."""

    def __init__(self, wanted: Iterable[Item | None]) -> None:
        self._wanted = {title for item in wanted if (title := _title(item))}
        self._named: dict[tuple[Side, _Title], set[_Identity]] = defaultdict(set)

    def add(self, side: Side, item: Item | None, identity: _Identity) -> bool:
        """Note a title of a side; whether its name matters."""
        title = _title(item)
        if title is None or title not in self._wanted:
            return False
        self._named[side, title].add(identity)
        return True

    def only(self, side: Side, item: Item | None) -> _Identity | None:
        """The one title of a side that is called like `item`, where both sides have just one."""
        title = _title(item)
        if title is None:
            return None
        mine, theirs = self._named.get((side.other, title), set()), self._named.get((side, title), set())
        return next(iter(theirs)) if len(mine) == 1 and len(theirs) == 1 else None


def _title(item: Item | None) -> _Title | None:
    if item is None or item.kind not in (Kind.MOVIE, Kind.SHOW) or not item.title or not item.year:
        return None
    return item.kind, fold(item.title), item.year


def _holding_nothing(web: Web, side: Side, shelf: Shelf) -> Iterator[Shelved]:
    """The titles of a library of which no row was told."""
    told = {
        node.native_key
        for number, node in enumerate(web.nodes)
        if not isinstance(node, Row) and web.side(number) is side
    }
    for native_key, item in shelf.titles():
        if native_key not in told:
            yield Shelved(side, native_key, item)


def _identity(web: Web, known: Mapping[tuple[Side, str], int], one: Shelved) -> _Identity:
    """What tells a row that holds nothing from others: two copies of one film are one title."""
    for external in one.item.ids:
        if external in web.forest.owner:
            return web.forest.find(web.forest.owner[external])
    bundle = known.get((one.side, one.native_key), -1)
    if bundle != -1:
        return web.forest.find(bundle)
    return one.item.ids or one.native_key
