"""Which title of one catalogue is which of another, where only one can be meant. Pure.

Two nodes belong together when each is the only one of its catalogue that the other leads to, by at most two
edges; the shorter way counts. A way leads over entries and films that are one to one, never over shows: a
show has many entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cwsync.mappings.links import FILMS, NATIVE, SHOWS, Edge, Graph, space, told

MOST_EDGES: Final = 5_000  # of one node that are looked at
_TOLD: Final = 3


@dataclass(frozen=True, slots=True)
class Why:
    """Nothing is said for sure. `reason` begins with a word for scripts, such as ``ambiguous:`` or ``part:``."""

    reason: str


class Relations:
    """A graph, asked which nodes are the same; it remembers what it found of entries."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._same: dict[str, list[str]] = {}

    def edges(self, node: str) -> Sequence[Edge]:
        """Those of a node."""
        return self._graph.edges(node)

    def knows(self, nodes: Sequence[str]) -> bool:
        """Whether anything is said of any of these."""
        return any(self._graph.edges(node) for node in nodes)

    def counterpart(self, nodes: Sequence[str], wanted: str) -> str | Why | None:
        """The node of the catalogue `wanted` that is the same title as all of `nodes`, which are one title.

        None when the mapping knows nothing of it. What a person's rule says goes before everything else.
        """
        found: dict[str, str] = {}
        ruled: dict[str, str] = {}
        problems: list[Why] = []
        for node in nodes:
            near = _near(self._graph, node, wanted)
            if len(near) > 1:
                problems.append(_several(node, sorted(near)))
                continue
            for other, way in near.items():
                back = _near(self._graph, other, space(node))
                if set(back) != {node}:
                    problems.append(_several(other, sorted(back)))
                elif way.fits is not None:
                    problems.append(Why(f"{way.fits} {told(node)} and {told(other)}"))
                else:
                    (ruled if way.rule else found)[other] = node
        agreed = ruled or found
        if len(agreed) > 1:
            pairs = ", ".join(f"{told(node)} is {told(other)}" for other, node in sorted(agreed.items()))
            return Why(f"ambiguous: {pairs}")
        if ruled or (agreed and not problems):
            return next(iter(agreed))
        return problems[0] if problems else None

    def same_entries(self, entry: str) -> list[str]:
        """An entry, then the same one in other catalogues of anime, in the order of these."""
        known = self._same.get(entry)
        if known is None:
            found = [self.counterpart([entry], name) for name in NATIVE if name != space(entry)]
            known = self._same[entry] = [entry, *(node for node in found if isinstance(node, str))]
        return known


@dataclass(frozen=True, slots=True)
class _Way:
    """How a node was reached. `fits` is None when both ends are the same thing, else the words that say why not."""

    fits: str | None
    rule: bool


def _near(graph: Graph, node: str, wanted: str) -> dict[str, _Way]:
    """The nodes of a catalogue that are nearest to one: those one edge away, else those two away."""
    edges = _linked(graph, node)
    direct = _ways(node, edges, wanted)
    if direct:
        return direct
    found: dict[str, _Way] = {}
    for edge in edges:
        if space(edge.other) in SHOWS or not _leads_on(node, edge):
            continue
        for other, way in _ways(edge.other, _linked(graph, edge.other), wanted).items():
            if other == node:
                continue
            both = _Way(_first(_fits(node, edge), way.fits), edge.rule or way.rule)
            before = found.get(other)
            # One of several ways between the same two is enough to say that they are the same.
            found[other] = both if before is None or before.fits is not None else before
    return found


def _first(*words: str | None) -> str | None:
    return next((word for word in words if word is not None), None)


def _leads_on(node: str, edge: Edge) -> bool:
    """Whether what lies behind an edge is about the same title: a part of a show still is of that show."""
    return space(node) in SHOWS or _fits(node, edge) is None


def _linked(graph: Graph, node: str) -> list[Edge]:
    """What a node is linked to, but for specials of shows; only rules, for a catalogue that a rule names."""
    edges = [edge for edge in graph.edges(node)[:MOST_EDGES] if edge.links and edge.main]
    ruled = {space(edge.other) for edge in edges if edge.rule}
    return [edge for edge in edges if edge.rule or space(edge.other) not in ruled] if ruled else edges


def _ways(node: str, edges: Sequence[Edge], wanted: str) -> dict[str, _Way]:
    """The nodes of a catalogue one edge away; of a show every season counts, and one that fits is enough."""
    found: dict[str, _Way] = {}
    for edge in edges:
        if space(edge.other) != wanted:
            continue
        way = _Way(_fits(node, edge), edge.rule)
        before = found.get(edge.other)
        found[edge.other] = way if before is None or before.fits is not None else before
    return found


def _fits(node: str, edge: Edge) -> str | None:
    """None when both ends of an edge are the same title, else words that say why they are not."""
    here, there = space(node), space(edge.other)
    if here in SHOWS or there in SHOWS:
        return None if edge.begins(there in SHOWS) else "part: only a later part of the show is the same in"
    if here in FILMS or there in FILMS:
        return None if edge.single else "part: they are not one and the same film in"
    return None if edge.whole else "part: only some episodes are the same in"


def _several(node: str, others: Sequence[str]) -> Why:
    more = f" and {len(others) - _TOLD} more" if len(others) > _TOLD else ""
    return Why(f"ambiguous: {told(node)} is in {', '.join(told(other) for other in others[:_TOLD])}{more}")
