"""What the entries of a catalogue of anime are on the other side of a pair, and what has no counterpart there.

What both sides once agreed on stays as it was agreed on, whatever the mapping says later, or if there is
none any more: the baseline knows it by the name of its row. The mapping is asked about all else. What it does
not tell is not written: it is left out, with the reason, where the other side has no name for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cwsync.engine.anime import in_entries, in_shows
from cwsync.engine.questions import capabilities_of
from cwsync.engine.sides import account_of
from cwsync.model import FeatureSpec, Item, Kind, Mode, PairSpec, RemoveMode, Row, Side, Snapshot
from cwsync.planner.decide import UNNAMED

if TYPE_CHECKING:
    from cwsync.mappings import Mappings

_LACKING: Final = "no-mapping: which title this is elsewhere is not known: cwsync mappings update"


def entry_side(pair: PairSpec) -> Side | None:
    """The side whose titles are entries; None where there is nothing to translate: none is, or both are."""
    sides = [side for side, caps in capabilities_of(pair).items() if caps.by_entry]
    return sides[0] if len(sides) == 1 else None


def travels(pair: PairSpec, spec: FeatureSpec, side: Side) -> bool:
    """Whether what a side alone has leads to anything: to an add over there, or to its end in a mirror."""
    return pair.mode is Mode.TWO_WAY or side is Side.SOURCE or spec.remove_mode is RemoveMode.MIRROR


class Entries:
    """One reading of a pair with entries on `side`. `mappings` is None where there is nothing to know them by."""

    def __init__(self, pair: PairSpec, side: Side, mappings: Mappings | None) -> None:
        self._pair = pair
        self._side = side
        self._mappings = mappings
        self._caps = capabilities_of(pair)
        self._names = {one: account_of(pair, one).name for one in Side}
        self._reasons: dict[Item, str] = {}
        self._known: set[tuple[object, ...]] = set()
        self._told: set[Item] = set()

    @property
    def informed(self) -> bool:
        """Whether there is a data set. Without one, rules of a person may still tell of single titles."""
        return self._mappings is not None and self._mappings.whole

    # --- what entries are elsewhere -----------------------------------------------------------------

    def recalled(self, snapshot: Snapshot, rows: Iterable[Row]) -> tuple[dict[Item, Item], dict[Item, str]]:
        """The episodes whose rows the baseline knows by name, as it has them: as shows do.

        What it knows by one name as several is told apart by nobody: such items are given, with the reason.
        """
        known: dict[str, list[Item]] = {}
        for row in rows:
            if row.item.kind is Kind.EPISODE and row.value(self._side) is not None:
                for key in row.native_keys(self._side):
                    known.setdefault(key, []).append(row.item)
        found: dict[Item, Item] = {}
        doubts: dict[Item, str] = {}
        for entry in snapshot.entries if known else ():
            item = entry.item
            items = known.get(entry.native_key or "", ()) if item.kind is Kind.EPISODE else ()
            if len({one.tokens() for one in items}) > 1:
                why = f"{UNNAMED} ambiguous: one episode of {self._names[self._side]} was taken for several"
                doubts |= dict.fromkeys((item, *items), why)
            elif items and set(items[0].tokens()).isdisjoint(item.tokens()):
                self._known.add(_title(item))
                found[item] = _at_the_place_of(items[0], item)
        self._told |= set(found.values())
        return found, doubts

    def in_shows(self, items: Iterable[Item]) -> dict[Item, Item]:
        """What these items are elsewhere, by the mapping; what it could not tell is remembered."""
        if self._mappings is None:
            return {}
        found, reasons = in_shows(self._mappings, list(items))
        self._reasons |= {found.get(item, item): why for item, why in reasons.items()}
        self._told |= set(found.values())
        return found

    # --- what has no name there ---------------------------------------------------------------------

    def unnamed(self, spec: FeatureSpec, alone: Mapping[Side, Sequence[Item]], rows: Sequence[Row]) -> dict[Item, str]:
        """What can be neither matched nor written, of what stands `alone` on a side, each with the reason."""
        found: dict[Item, str] = {}
        for side in Side:
            kinds = self._caps[side.other].of(spec.feature).kinds
            items = [item for item in alone[side] if item.kind in kinds]
            if not items or not travels(self._pair, spec, side):
                continue
            if side is self._side:
                others = {item.kind for item in alone[side.other] if not self._is_entry(item)}
                found |= self._entries_unnamed(items, rows, others)
            else:
                found |= self._shows_unnamed(items, rows)
        return found

    def _is_entry(self, item: Item) -> bool:
        return self._caps[self._side].names(item)

    def _entries_unnamed(self, items: Iterable[Item], rows: Iterable[Row], others: set[Kind]) -> dict[Item, str]:
        """Entries: by the ids that they have, or as an episode that may be there under another number."""
        there = self._caps[self._side.other]
        moved = any(
            row.item.kind is Kind.EPISODE and row.value(self._side) is not None and not self._is_entry(row.item)
            for row in rows
        )
        found: dict[Item, str] = {}
        for item in items:
            loose = item.kind is Kind.EPISODE and self._is_entry(item)
            why = self._reasons.get(item) if loose or not there.names(item) else None
            unsure = not there.names(item) or item.kind in others or (loose and moved)
            if unsure and not self.informed and item not in self._told:
                found[item] = _LACKING
            elif why is not None or not there.names(item):
                found[item] = f"{UNNAMED} {why or f'the mapping does not know what it is on {self._name_there}'}"
            elif loose and _title(item) in self._known:
                found[item] = f"{UNNAMED} the mapping does not know this title any more"
        return found

    def _shows_unnamed(self, items: Sequence[Item], rows: Iterable[Row]) -> dict[Item, str]:
        """What is to become an entry, and is none that anybody knows."""
        named = {token for row in rows if self._is_entry(row.item) for token in row.item.tokens()}
        left = [item for item in items if not self._is_entry(item) and named.isdisjoint(item.tokens())]
        if self._mappings is None:
            return dict.fromkeys(left, _LACKING)
        found, reasons = in_entries(self._mappings, left)
        none = f"{UNNAMED} the mapping has no title of {self._names[self._side]} for it" if self.informed else _LACKING
        return {
            item: f"{UNNAMED} {reasons[item]}" if item in reasons else none
            for item in left
            if not self._is_entry(found.get(item, item))
        }

    @property
    def _name_there(self) -> str:
        return self._names[self._side.other]


def _title(item: Item) -> tuple[object, ...]:
    """What the episodes of one entry have in common."""
    return item.show_ids, item.season


def _at_the_place_of(known: Item, item: Item) -> Item:
    """An episode where the baseline has it, under the names that it has here."""
    return replace(item, ids=known.ids, show_ids=known.show_ids, season=known.season, number=known.number)
