"""Anime: a service whose titles are entries (a season each, numbered from 1) beside one that has shows with seasons.

The plan is made in shows: what an entry is there is learnt from the mapping right after reading, and
what is written goes back into entries right before it leaves. Only what has one meaning is moved; the
rest is held, with the reason, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cwsync.engine.options import Home
from cwsync.model import Capabilities, Change, Feature, Item, Kind, PairSpec, Receipt, Snapshot
from cwsync.provider import Opened, Provider

if TYPE_CHECKING:
    from cwsync.mappings import Mappings


def mappings_of(pair: PairSpec, home: Home) -> Mappings | None:
    """What is known for a pair, its own rules first; None where there is nothing to know it by.

    Raises `StateError` for a mapping that is damaged or was written by a newer version.
    """
    # Few pairs have anime; the others do not load what knows of it.
    from cwsync.mappings import Mappings, MemoryGraph, Overrides, open_graph

    graph = open_graph(home.state_dir)
    if graph is None and not pair.anime:
        return None
    return Mappings(Overrides(pair.anime, graph or MemoryGraph(())), whole=graph is not None)


def in_shows(mappings: Mappings, items: Sequence[Item]) -> tuple[dict[Item, Item], dict[Item, str]]:
    """What these items are elsewhere, and for those that nobody can tell the reason (``ambiguous: ...``)."""
    return _translated(mappings, mappings.to_shows, items)


def in_entries(mappings: Mappings, items: Sequence[Item]) -> tuple[dict[Item, Item], dict[Item, str]]:
    """What these items are as entries, and for those that nobody can tell the reason."""
    return _translated(mappings, mappings.to_entries, items)


def _translated(
    mappings: Mappings, episodes: Callable[[Sequence[Item]], Mapping[Item, Item]], items: Sequence[Item]
) -> tuple[dict[Item, Item], dict[Item, str]]:
    found = dict(mappings.complete([item for item in items if item.kind is not Kind.EPISODE]))
    notes = mappings.notes
    found |= episodes([item for item in items if item.kind is Kind.EPISODE])
    return found, {one.item: one.reason for one in (*notes, *mappings.notes)}


class ByEntry(Opened):
    """A provider of entries, to be written to in shows. Everything else is that provider's."""

    def __init__(self, inner: Provider, mappings: Mappings) -> None:
        self._inner = inner
        self._mappings = mappings
        self.options = inner.options

    @property
    def capabilities(self) -> Capabilities:
        """What the provider can do."""
        return self._inner.capabilities

    @property
    def account_id(self) -> str:
        """Whose account it is."""
        return self._inner.account_id

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._inner.requests

    async def open(self) -> None:
        """See `Provider.open`."""
        await self._inner.open()

    async def aclose(self) -> None:
        """See `Provider.aclose`."""
        await self._inner.aclose()

    async def watermark(self, feature: Feature) -> str | None:
        """See `Provider.watermark`."""
        return await self._inner.watermark(feature)

    async def fetch(self, feature: Feature) -> Snapshot:
        """See `Provider.fetch`: in entries, as the service has them."""
        return await self._inner.fetch(feature)

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """See `Provider.apply`. The receipts are those of the changes that were given."""
        named, _ = in_entries(self._mappings, [change.item for change in changes])
        sent = [replace(change, item=named.get(change.item, change.item)) for change in changes]
        receipts = await self._inner.apply(feature, sent)
        return [replace(one, change=change) for one, change in zip(receipts, changes, strict=True)]
