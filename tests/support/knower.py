"""A service that knows titles by the ids of others: what a test tells it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from cwsync.errors import UnavailableError
from cwsync.model import AccountSpec, Capabilities, ExternalId, Item, sort_ids
from cwsync.provider import Option, Services


@dataclass
class Knowledge:
    """Groups of ids that are one title each; what went on, and what goes wrong."""

    titles: list[tuple[ExternalId, ...]] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)
    cached_in: list[object] = field(default_factory=list)
    down: bool = False
    notes: tuple[str, ...] = ()
    closed: int = 0


def knower(knowledge: Knowledge) -> type[Any]:
    """A provider class that can do nothing but tell ids."""

    class Knower:
        capabilities: ClassVar[Capabilities] = Capabilities("Knower")
        options: ClassVar[tuple[Option, ...]] = ()
        refused = False
        notes: Sequence[str] = ()
        pending: Collection[Item] = ()

        @classmethod
        def id_source(cls, _account: AccountSpec, services: Services) -> Knower:
            knowledge.cached_in.append(services.cache_dir)
            return cls()

        async def reach(self) -> None:
            if knowledge.down:
                raise UnavailableError("it is down")

        async def complete(self, items: Sequence[Item]) -> Mapping[Item, Item]:
            knowledge.asked.append([item.label() for item in items])
            if knowledge.down:
                self.notes, self.pending = ("it is down",), (*self.pending, *items)
                return {}
            self.notes = knowledge.notes
            found = {item: completed for item in items if (completed := _completed(item, knowledge)) != item}
            return dict(found)

        async def aclose(self) -> None:
            knowledge.closed += 1

    return Knower


def _completed(item: Item, knowledge: Knowledge) -> Item:
    more = {one for title in knowledge.titles if not set(title).isdisjoint(item.ids) for one in title}
    shows = {one for title in knowledge.titles if not set(title).isdisjoint(item.show_ids) for one in title}
    return replace(item, ids=sort_ids(more.union(item.ids)), show_ids=sort_ids(shows.union(item.show_ids)))
