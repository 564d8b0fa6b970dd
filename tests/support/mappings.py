"""A small mapping of anime for tests, and items to ask it about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cwsync.mappings import Mappings, MemoryGraph
from cwsync.mappings.parse import parse_release
from cwsync.model import ExternalId, Item, Kind, external_id

FILE: Final = Path(__file__).parents[1] / "fixtures" / "mappings" / "release.json"


def document() -> dict[str, Any]:
    """The small data set, to be changed."""
    found: dict[str, Any] = json.loads(FILE.read_bytes())
    return found


def release(sources: dict[str, Any], version: str = "3.0.0") -> bytes:
    """A data set of these sources."""
    return json.dumps({"$meta": {"schema_version": version}, **sources}).encode()


def graph_of(sources: dict[str, Any] | None = None) -> MemoryGraph:
    """The graph of these sources, or of the small data set."""
    data = FILE.read_bytes() if sources is None else release(sources)
    return MemoryGraph(parse_release(data).links)


def ids(kind: Kind, *words: str) -> tuple[ExternalId, ...]:
    """Ids of a kind: ``anilist:20``."""
    return tuple(external_id(name, kind, value) for name, _, value in (word.partition(":") for word in words))


def show(*words: str) -> Item:
    """A show with these ids."""
    return Item(Kind.SHOW, ids(Kind.SHOW, *words))


def film(*words: str) -> Item:
    """A film with these ids."""
    return Item(Kind.MOVIE, ids(Kind.MOVIE, *words))


def episode(season: int, number: int, *words: str) -> Item:
    """An episode of a show with these ids."""
    return Item(Kind.EPISODE, (), show_ids=ids(Kind.SHOW, *words), season=season, number=number)


def named(found: tuple[ExternalId, ...]) -> set[str]:
    """Ids without their kind: ``anilist:20``."""
    return {f"{one.service}:{one.value}" for one in found}


def to_entry(mappings: Mappings, item: Item) -> Item | None:
    """An episode of a show as one of an entry."""
    return mappings.to_entries([item]).get(item)


def to_show(mappings: Mappings, item: Item, *shows: Sequence[str]) -> Item | None:
    """An episode of an entry as one of a show."""
    return mappings.to_shows([item], *shows).get(item)
