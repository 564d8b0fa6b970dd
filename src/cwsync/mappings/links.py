"""How catalogues number the same episodes: nodes, edges between them, and what a range says.

A *node* is a title as one catalogue has it, written ``anilist:20``, ``tmdb_movie:128`` or
``tvdb_show:78857``. Catalogues of anime (`NATIVE`) have one number for each season, part of one, or film,
whose episodes begin at 1; there such a title is called an *entry*. An *edge* leads from one node to
another, and says which episodes of the one are which of the other; the season stands beside it when one of
both is a show.

Source: the published schema of the AniBridge mappings, version 3 (checked 2026-11-21).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from cwsync.model import ExternalId, Kind, external_id

NATIVE: Final = ("anilist", "mal", "anidb", "kitsu")
FILMS: Final = ("imdb_movie", "tmdb_movie", "tvdb_movie")
SHOWS: Final = ("imdb_show", "tmdb_show", "tvdb_show")
MOST_SPANS: Final = 2_000  # of one edge; the longest series there is has 22
_SPAN: Final = re.compile(r"([0-9]{1,6})(?:(-)([0-9]{0,6}))?(?:\|(-?[0-9]{1,6}))?")

RATIO: Final = "ratio"
UNEVEN: Final = "uneven"
UNMAPPED: Final = "unmapped"


@dataclass(frozen=True, slots=True)
class Run:
    """Episodes in a row on both ends: `here` is the same as `there`, and so on, `n` of them (None: without end)."""

    here: int
    n: int | None
    there: int

    def at(self, number: int) -> int | None:
        """The number there of one here, None where it is none of these."""
        offset = number - self.here
        return self.there + offset if offset >= 0 and (self.n is None or offset < self.n) else None


@dataclass(frozen=True, slots=True)
class Block:
    """Episodes that do not go one to one; first and last on each end (None: without end). `why` is one of three words.

    `RATIO`: several are one. `UNEVEN`: both ends have different counts. `UNMAPPED`: they are said to have none.
    """

    here: int
    here_last: int | None
    there: int
    there_last: int | None
    why: str

    def covers(self, number: int) -> bool:
        """Whether a number here is one of them."""
        return number >= self.here and (self.here_last is None or number <= self.here_last)


@dataclass(frozen=True, slots=True)
class Edge:
    """What one node has to do with `other`. `season` is that of the end that is a show, if it says one.

    Without runs and blocks both are linked, and nothing is said of episodes. `rule` says that a person did.
    """

    other: str
    season: int | None = None
    runs: tuple[Run, ...] = ()
    blocks: tuple[Block, ...] = ()
    rule: bool = False

    @property
    def links(self) -> bool:
        """Whether the nodes have anything in common at all."""
        return bool(self.runs) or not self.blocks or any(block.why != UNMAPPED for block in self.blocks)

    @property
    def whole(self) -> bool:
        """Whether both ends are the same thing from the first episode on, one to one."""
        return not self.blocks and (not self.runs or [(run.here, run.there) for run in self.runs] == [(1, 1)])

    @property
    def single(self) -> bool:
        """Whether both ends are one and the same single episode: what two catalogues say of a film."""
        return self.whole and all(run.n in (1, None) for run in self.runs)

    @property
    def main(self) -> bool:
        """Whether it leads to more than the specials of a show."""
        return self.season != 0

    def begins(self, there: bool) -> bool:  # noqa: FBT001 - which end is the show
        """Whether it holds the first episode of the show, which is `there` or here: not only some later part."""
        if self.season not in (1, None):
            return False
        firsts = [run.there if there else run.here for run in self.runs]
        firsts += [block.there if there else block.here for block in self.blocks if block.why != UNMAPPED]
        return not firsts or min(firsts) <= 1

    def flipped(self, node: str) -> Edge:
        """The same, seen from the other end; `node` is this one."""
        runs = tuple(Run(run.there, run.n, run.here) for run in self.runs)
        blocks = tuple(Block(one.there, one.there_last, one.here, one.here_last, one.why) for one in self.blocks)
        return Edge(node, self.season, runs, blocks, self.rule)


class Graph(Protocol):
    """All edges, by the node they leave from."""

    def edges(self, node: str) -> Sequence[Edge]:
        """Those of a node, none for one that is not known. Raises nothing."""
        ...


class MemoryGraph:
    """A graph of links that are at hand, each given once, from one of its ends."""

    def __init__(self, links: Iterable[tuple[str, Edge]]) -> None:
        self.nodes = both_ways(links)

    def edges(self, node: str) -> Sequence[Edge]:
        """Those of a node."""
        return self.nodes.get(node, ())


def both_ways(links: Iterable[tuple[str, Edge]]) -> dict[str, list[Edge]]:
    """Links by node, seen from both of their ends, each once."""
    found: dict[str, dict[Edge, None]] = {}
    for node, edge in links:
        found.setdefault(node, {})[edge] = None
        found.setdefault(edge.other, {})[edge.flipped(node)] = None
    return {node: list(edges) for node, edges in found.items()}


# --- names ----------------------------------------------------------------------------------------


def space(node: str) -> str:
    """What kind of number a node has: ``anilist``, ``tmdb_movie``."""
    return node.partition(":")[0]


def told(node: str) -> str:
    """A node for people: ``anilist 20``, ``tvdb 78857``."""
    name, _, value = node.partition(":")
    return f"{name.partition('_')[0]} {value}"


def node_of(external: ExternalId) -> str | None:
    """The node of an id of a film, a show or an entry; None for others."""
    service, _, kind = external.namespace.rpartition("_")
    if kind not in (Kind.MOVIE.value, Kind.SHOW.value):
        return None
    if service in NATIVE:
        return f"{service}:{external.value}"
    return str(external) if external.namespace in FILMS or external.namespace in SHOWS else None


def id_of(node: str, kind: Kind) -> ExternalId:
    """The id of a node; entries have no kind of their own. Raises ``ValueError`` for a value that is no id."""
    name, _, value = node.partition(":")
    return external_id(name.partition("_")[0], kind, value)


# --- ranges ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Span:
    first: int
    last: int | None
    ratio: int

    @property
    def size(self) -> int | None:
        return None if self.last is None else self.last - self.first + 1


def _span(text: str) -> _Span:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no range like 5, 1-12, 14- or 1-6|2")
    first = int(found[1])
    last = (int(found[3]) if found[3] else None) if found[2] else first
    ratio = int(found[4]) if found[4] else 1
    if ratio == 0 or (last is not None and last < first):
        raise ValueError(f"{text[:40]!r} is a range that cannot be")
    return _Span(first, last, 1 if ratio == -1 else ratio)


@lru_cache(maxsize=1 << 16)  # most of a hundred thousand links say one of a few things
def align(source: str, target: str | None) -> tuple[tuple[Run, ...], tuple[Block, ...]]:
    """What ``"36-83": "1-48"`` says: which episode is which, and those that do not go one to one.

    Targets may be several ranges, taken in their order. From the first range with a ratio on nothing is one
    to one; nor is anything when both ends are closed and differ in their counts. A target of None says that
    these episodes have no counterpart. Raises ``ValueError`` for text that is no range.
    """
    here = _span(source)
    if target is None:
        return (), (Block(here.first, here.last, 0, 0, UNMAPPED),)
    parts = target.split(",", MOST_SPANS)
    if len(parts) > MOST_SPANS:
        raise ValueError(f"more than {MOST_SPANS:,} ranges")
    spans = [_span(part) for part in parts]
    plain = spans if here.ratio == 1 else []
    plain = plain[: next((at for at, span in enumerate(plain) if span.ratio != 1), len(plain))]
    if any(span.last is None for span in spans[:-1]) or (len(plain) == len(spans) and _is_uneven(here, spans)):
        return (), (_block(here.first, here.last, spans, UNEVEN),)
    runs: list[Run] = []
    at = here.first
    for span in plain:
        left = None if here.last is None else here.last - at + 1
        runs.append(Run(at, left if span.size is None else span.size, span.first))
        at += span.size or left or 0
    rest = spans[len(plain) :]
    if not rest:
        return tuple(runs), ()
    if here.last is not None and at > here.last:
        return (), (_block(here.first, here.last, spans, UNEVEN),)
    return tuple(runs), (_block(at, here.last, rest, RATIO),)


def joined(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Runs in order; those that go on where the one before ends are one."""
    found: list[Run] = []
    for run in sorted(set(runs), key=lambda one: (one.here, one.there)):
        last = found[-1] if found else None
        if last and last.n and (last.here + last.n, last.there + last.n) == (run.here, run.there):
            found[-1] = Run(last.here, None if run.n is None else last.n + run.n, last.there)
        else:
            found.append(run)
    return tuple(found)


def without(runs: Iterable[Run], blocks: Iterable[Block]) -> tuple[Run, ...]:
    """Runs with the episodes cut out that are said to have no counterpart."""
    found = list(runs)
    for block in blocks:
        if block.why == UNMAPPED:
            found = [part for run in found for part in _cut(run, block)]
    return tuple(found)


def _cut(run: Run, block: Block) -> list[Run]:
    """What is left of a run before and behind a block."""
    end = None if run.n is None else run.here + run.n  # the first number behind it
    if (end is not None and end <= block.here) or (block.here_last is not None and block.here_last < run.here):
        return [run]
    parts = [Run(run.here, block.here - run.here, run.there)] if run.here < block.here else []
    if block.here_last is not None and (end is None or block.here_last + 1 < end):
        first = block.here_last + 1
        parts.append(Run(first, None if end is None else end - first, run.there + first - run.here))
    return parts


def _is_uneven(here: _Span, spans: Sequence[_Span]) -> bool:
    closed = sum(span.size or 0 for span in spans)
    if here.size is None:
        return False
    return closed >= here.size if spans[-1].size is None else closed != here.size


def _block(first: int, last: int | None, spans: Sequence[_Span], why: str) -> Block:
    lasts = [span.last for span in spans]
    end = None if None in lasts else max(number for number in lasts if number is not None)
    return Block(first, last, min(span.first for span in spans), end, why)
