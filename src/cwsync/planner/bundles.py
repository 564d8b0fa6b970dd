"""Putting rows together that share an id: disjoint sets over bundles of rows with one identity."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from cwsync.model import Entry, ExternalId, Item, Kind, Row, Undecoded

Node = Row | Entry | Undecoded


class Forest:
    """Disjoint sets over numbers. `owner` is the first that came with an id."""

    __slots__ = ("owner", "parent")

    def __init__(self, size: int) -> None:
        self.parent = list(range(size))
        self.owner: dict[Hashable, int] = {}

    def find(self, node: int) -> int:
        """The number that stands for the set of `node`."""
        parent = self.parent
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def join(self, one: int, other: int) -> None:
        """Make one set of two; the smaller number stands for it."""
        a, b = self.find(one), self.find(other)
        if a != b:
            self.parent[max(a, b)] = min(a, b)

    def claim(self, owners: dict[Hashable, int], number: int, names: Iterable[Hashable]) -> None:
        """Join `number` to whoever came with one of these names before: `owners` says who that was."""
        for name in names:
            first = owners.setdefault(name, number)
            if first != number:
                self.join(first, number)

    def joined(self) -> dict[int, list[int]]:
        """The sets of more than one, root -> the others, in order."""
        others: dict[int, list[int]] = {}
        for number, above in enumerate(self.parent):
            if above != number:
                others.setdefault(self.find(number), []).append(number)
        return others


class Bundles:
    """Rows with the very same identity, put together: nearly all links there are.

    `members` holds the numbers of such rows (the baseline's first, then the source's, then the
    target's); `loose` the bundles, of one row each, that have no id.
    """

    __slots__ = ("loose", "members")

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.members: list[list[int]] = []
        self.loose: list[int] = []
        homes: dict[tuple[object, ...], list[int]] = {}
        for number, node in enumerate(nodes):
            item = node.item
            if item is None or not (item.ids or item.show_ids):
                self.loose.append(len(self.members))
                self.members.append([number])
                continue
            key = (item.ids, item.show_ids, item.season, item.number) if item.show_ids else item.ids
            home = homes.get(key)
            if home is None:
                homes[key] = home = [number]
                self.members.append(home)
            else:
                home.append(number)

    def planted(self, nodes: Sequence[Node]) -> Forest:
        """A forest over the bundles, joined by all that `Item.tokens` tells of them: by shared ids, and by places.

        Of places no text is made: they are compared within one show at a time, which needs little memory at once.
        """
        forest = Forest(len(self.members))
        loose = set(self.loose)
        inside: dict[ExternalId, list[int]] = {}
        for number, members in enumerate(self.members):
            item = nodes[members[0]].item
            if item is None or number in loose:
                continue
            forest.claim(forest.owner, number, item.ids)
            for show in item.show_ids:
                inside.setdefault(show, []).append(number)
        for numbers in inside.values():
            owners: dict[Hashable, int] = {}
            for number in numbers:
                forest.claim(owners, number, _places(nodes[self.members[number][0]].item))
        return forest

    def homes(self, n_nodes: int) -> list[int]:
        """The bundle of each row."""
        homes = [0] * n_nodes
        for number, members in enumerate(self.members):
            for member in members:
                homes[member] = number
        return homes


def _places(item: Item | None) -> tuple[tuple[int, int | None], ...]:
    """Where a season or an episode stands in each of its shows; nothing where `Item.coordinates` tells nothing."""
    if item is None or item.season is None:
        return ()
    if item.kind is Kind.SEASON:
        return ((item.season, None),)
    return () if item.number is None else ((item.season, item.number),)
