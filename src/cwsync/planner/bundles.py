"""Putting rows together that share an id: disjoint sets over bundles of rows with one identity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cwsync.model import Entry, Row, Undecoded

Node = Row | Entry | Undecoded


class Forest:
    """Disjoint sets over numbers, joined through shared tokens."""

    __slots__ = ("owner", "parent")

    def __init__(self, size: int) -> None:
        self.parent = list(range(size))
        self.owner: dict[str, int] = {}

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

    def claim(self, number: int, tokens: Iterable[str]) -> None:
        """Join `number` to whoever came with one of these tokens before."""
        owner = self.owner
        for token in tokens:
            first = owner.setdefault(token, number)
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
        """A forest over the bundles, joined by shared tokens."""
        forest = Forest(len(self.members))
        loose = set(self.loose)
        for number, members in enumerate(self.members):
            item = nodes[members[0]].item
            if item is not None and number not in loose:
                forest.claim(number, item.tokens() if item.show_ids else item.ids)
        return forest

    def homes(self, n_nodes: int) -> list[int]:
        """The bundle of each row."""
        homes = [0] * n_nodes
        for number, members in enumerate(self.members):
            for member in members:
                homes[member] = number
        return homes
