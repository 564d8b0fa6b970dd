"""Rules of a person, laid over a mapping: one entry is one show (or these episodes of it), or one film. Pure.

A rule is a table with `entry` (``"anilist:21"``; also mal, anidb, kitsu) and one of `show`
(``"tvdb:81797"``; also tmdb, imdb) and `film` (``"tmdb:128"``). With a show it may say `season` (1), the
`episodes` of it (``"1-12"``, ``"13-"``; all) and the number in the entry of the first of them (`first`, 1).

What a rule says goes before the data set: for an entry that rules name, its other shows of that catalogue do
not count; for a season that rules name, neither do its other entries of that catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from cwsync.mappings.links import FILMS, NATIVE, Edge, Graph, Run, both_ways, space
from cwsync.model import Kind, external_id

MOST_RULES: Final = 5_000
_KEYS: Final = ("entry", "show", "film", "season", "episodes", "first")
_EPISODES: Final = re.compile(r"([1-9][0-9]{0,4})(?:(-)([0-9]{0,5}))?")


class RuleError(ValueError):
    """A rule that makes no sense. `key` is which of its keys, None for the rule as a whole; `index` which rule."""

    def __init__(self, index: int, key: str | None, why: str) -> None:
        super().__init__(f"rule {index + 1}{f', {key}' if key else ''}: {why}")
        self.index = index
        self.key = key
        self.why = why


class Overrides:
    """A graph with rules over it. Raises `RuleError` for tables that are none."""

    def __init__(self, rules: Sequence[Mapping[str, object]], below: Graph) -> None:
        if len(rules) > MOST_RULES:
            raise RuleError(MOST_RULES, None, f"there are more than {MOST_RULES:,}")
        self._below = below
        self._own = both_ways(_read(index, rule) for index, rule in enumerate(rules))

    def edges(self, node: str) -> Sequence[Edge]:
        """Those of a node: the rules for it, and what the data set says where no rule speaks."""
        own = self._own.get(node, [])
        return [*own, *(edge for edge in self._below.edges(node) if not self._is_ruled(node, edge, own))]

    def _is_ruled(self, node: str, edge: Edge, own: Sequence[Edge]) -> bool:
        """Whether a rule speaks of either end of an edge in place of it."""
        there = self._own.get(edge.other, [])
        return _replaces(own, space(edge.other), edge.season, space(node)) or _replaces(
            there, space(node), edge.season, space(edge.other)
        )


def _replaces(rules: Sequence[Edge], other: str, season: int | None, here: str) -> bool:
    """Whether rules of a node (of the kind `here`) speak of its edges to a catalogue: of a show, season by season."""
    named = [rule for rule in rules if space(rule.other) == other]
    return any(here in NATIVE or rule.season == season for rule in named)


def _read(index: int, rule: Mapping[str, object]) -> tuple[str, Edge]:
    for key in rule:
        if key not in _KEYS:
            raise RuleError(index, key, f"there is no such key; there are {', '.join(_KEYS)}")
    if ("show" in rule) == ("film" in rule):
        raise RuleError(index, None, "it needs a show or a film, and not both")
    entry = _node(index, "entry", rule.get("entry"), NATIVE, "")
    if "film" in rule:
        for key in ("season", "episodes", "first"):
            if key in rule:
                raise RuleError(index, key, "a film has none")
        film = _node(index, "film", rule["film"], [name.partition("_")[0] for name in FILMS], "_movie")
        return entry, Edge(film, None, (Run(1, 1, 1),), rule=True)
    show = _node(index, "show", rule["show"], [name.partition("_")[0] for name in FILMS], "_show")
    season = _count(index, "season", rule.get("season", 1), 0)
    first = _count(index, "first", rule.get("first", 1), 1)
    at, n = _episodes(index, rule.get("episodes", "1-"))
    return entry, Edge(show, season, (Run(first, n, at),), rule=True)


def _node(index: int, key: str, text: object, services: Sequence[str], ending: str) -> str:
    name, _, value = text.partition(":") if isinstance(text, str) else ("", "", "")
    if name not in services:
        raise RuleError(index, key, f'write it like "{services[0]}:…"; there are {", ".join(services)}')
    try:
        external_id(name, Kind.SHOW, value)
    except ValueError as error:
        raise RuleError(index, key, str(error)) from None
    return f"{name}{ending}:{value}"


def _count(index: int, key: str, value: object, least: int) -> int:
    if type(value) is not int or not least <= value <= 99_999:
        raise RuleError(index, key, f"it is a whole number from {least}")
    return value


def _episodes(index: int, text: object) -> tuple[int, int | None]:
    found = _EPISODES.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise RuleError(index, "episodes", 'write it like "5", "1-12" or "13-"')
    first = int(found[1])
    if not found[2]:
        return first, 1
    if not found[3]:
        return first, None
    if int(found[3]) < first:
        raise RuleError(index, "episodes", "the last one is before the first")
    return first, int(found[3]) - first + 1
