"""What a provider can do, as data that is readable without network and without an instance.

The default is "cannot": a provider says what it can, and nothing is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from cwsync.model.items import SERVICES, Feature, Item, Kind


@dataclass(frozen=True, slots=True)
class Fact:
    """One odd thing about a service, with where it was learnt and when (YYYY-MM-DD)."""

    text: str
    source: str
    checked: str


@dataclass(frozen=True, slots=True)
class FeatureCaps:
    """What a provider can do in one feature.

    `scores` are the ratings it can hold, in points of 100, ascending. `precision_s` is how finely
    it keeps a time, in seconds (86400: days; 0: as given). `keeps_date` says whether a time we send
    is stored; `undated` whether it can hold a record with no date. `plays` says whether several
    plays of one item can be read and written. `idempotent_add` says whether sending the same add
    twice leaves one record. `batch` is how many changes one `apply` call takes. `read_back` says
    that a write is proved only by reading it again. `stamp_moves_on_removal` says whether the
    watermark changes when a record is removed.
    """

    read: bool = False
    add: bool = False
    update: bool = False
    remove: bool = False
    kinds: frozenset[Kind] = frozenset()
    scores: tuple[int, ...] = ()
    precision_s: int = 0
    keeps_date: bool = False
    undated: bool = False
    plays: bool = False
    idempotent_add: bool = False
    batch: int = 1
    read_back: bool = False
    stamp_moves_on_removal: bool = False


CANNOT = FeatureCaps()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do.

    `staleness` is how long reads may lag behind a write. `absence_certain` says that a complete
    read which lacks a record proves the record is gone (a local file), so no second look is
    needed. `exact_watermark` says that the watermark is a digest of the whole content: equal
    watermarks prove that not one record changed. `drops_from_watchlist` names the features in
    which a write makes the service take the item off its own watchlist. `by_entry` says that its titles
    are entries of a catalogue of anime: each season is a title, and its episodes begin at 1. `named_by` are
    the services by whose ids it knows a title that is to be written.
    """

    title: str
    features: Mapping[Feature, FeatureCaps] = field(default_factory=dict)
    staleness: timedelta = timedelta(minutes=15)
    absence_certain: bool = False
    exact_watermark: bool = False
    drops_from_watchlist: frozenset[Feature] = frozenset()
    by_entry: bool = False
    named_by: frozenset[str] = frozenset(SERVICES)
    facts: tuple[Fact, ...] = ()

    def of(self, feature: Feature) -> FeatureCaps:
        """What it can do in `feature`; nothing, unless declared."""
        return self.features.get(feature, CANNOT)

    def names(self, item: Item) -> bool:
        """Whether it may know an item by the ids of its show, or of its own where it has no show."""
        return any(one.service in self.named_by for one in item.show_ids or item.ids)
