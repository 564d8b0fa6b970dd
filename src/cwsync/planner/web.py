"""All rows that one plan links, numbered: the baseline's first, then those of the source and of the target."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from cwsync.model import Row, Side, Snapshot
from cwsync.planner.bundles import Bundles, Forest, Node


@dataclass(slots=True)
class Web:
    """The rows by number, and which of them are one record so far.

    `bounds` are the numbers at which the parts end: the baseline, the entries of source and target, their unreadable
    rows, their lingering rows.
    """

    nodes: list[Node]
    bounds: list[int]
    bundles: Bundles
    forest: Forest
    _homes: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, source: Snapshot, target: Snapshot, rows: Sequence[Row]) -> Web:
        """The rows of a plan, linked by the ids that they share."""
        parts: list[Sequence[Node]] = [
            rows,
            source.entries,
            target.entries,
            [entry for entry in source.undecoded if entry.item],
            [entry for entry in target.undecoded if entry.item],
            source.lingering,
            target.lingering,
        ]
        nodes: list[Node] = [node for part in parts for node in part]
        bounds, total = [], 0
        for part in parts:
            total += len(part)
            bounds.append(total)
        bundles = Bundles(nodes)
        return cls(nodes, bounds, bundles, bundles.planted(nodes))

    def side(self, number: int) -> Side | None:
        """The side of a row; None for one of the baseline."""
        if number < self.bounds[0]:
            return None
        # Each part but the first is of the source, and then of the target.
        return Side.SOURCE if bisect_right(self.bounds, number) % 2 else Side.TARGET

    def home(self, number: int) -> int:
        """The bundle that a row is in."""
        if not self._homes:
            self._homes = self.bundles.homes(len(self.nodes))
        return self._homes[number]

    def root(self, number: int) -> int:
        """The bundle that stands for the record of a row, as far as it is linked."""
        return self.forest.find(self.home(number))
