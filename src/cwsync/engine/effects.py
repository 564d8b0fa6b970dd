"""What our own writes make a service do besides: watching or rating takes a title off some watchlists.

Without a mark the next run would take that for a user's delete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from cwsync.engine.carry import Carried
from cwsync.model import Baseline, Capabilities, Change, Feature, Item, Mark, MarkKind, Op, Outcome, Row, Side

_MAY_HAVE_LANDED = frozenset({Outcome.CONFIRMED, Outcome.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Touch:
    """An add or an update that happened on one side, or may have, and when."""

    feature: Feature
    side: Side
    item: Item
    at: datetime


def touch(change: Change, at: datetime) -> list[Touch]:
    """What a write touched; a removal takes nothing off any watchlist."""
    return [] if change.op is Op.REMOVE else [Touch(change.feature, change.side, change.item, at)]


def touches(carried: Mapping[Feature, Carried], now: datetime) -> list[Touch]:
    """The writes of a run that happened, or may have."""
    return [
        found
        for one in carried.values()
        for receipt in one.receipts
        if receipt.outcome in _MAY_HAVE_LANDED
        for found in touch(receipt.change, one.at or now)
    ]


def with_side_effects(
    features: Mapping[Feature, Baseline], caps: Mapping[Side, Capabilities], touched: Iterable[Touch]
) -> dict[Feature, Baseline]:
    """The baselines with marks on the watchlist rows that a service drops because of these writes."""
    result = dict(features)
    watchlist = result.get(Feature.WATCHLIST)
    if watchlist is None:
        return result
    for side in Side:
        hits = {
            token: one.at
            for one in touched
            if one.side is side and one.feature in caps[side].drops_from_watchlist
            for token in _watchlist_tokens(one.item)
        }
        if hits:
            rows = {key: _marked(row, side, hits, caps[side]) for key, row in watchlist.rows.items()}
            watchlist = replace(watchlist, rows=rows)
    result[Feature.WATCHLIST] = watchlist
    return result


def _watchlist_tokens(item: Item) -> tuple[str, ...]:
    # Watching an episode takes its show off the list.
    return (*item.tokens(), *item.show_ids)


def _marked(row: Row, side: Side, hits: Mapping[str, datetime], caps: Capabilities) -> Row:
    value, tokens = row.value(side), row.item.tokens()
    times = [hits[token] for token in tokens if token in hits]
    if value is None or not times or (row.mark and row.mark.kind is MarkKind.DOUBT):
        return row
    at = max(times)
    mark = Mark(MarkKind.EFFECT, side, value, None, row.value(side.other), at, at + caps.staleness)
    return replace(row, mark=mark)
