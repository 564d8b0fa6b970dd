"""Ids that items lack, asked of a service that knows them, before anything is matched.

Only for what cannot be matched with the ids it has, or could not be written by them; what is learnt stays
with the record, in the baseline of the pair. What could not be asked about waits: it may be on the other side
under another id, and would come back double.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from cwsync.engine.anime import mappings_of
from cwsync.engine.entries import Entries, entry_side, travels
from cwsync.engine.options import Home
from cwsync.engine.questions import capabilities_of
from cwsync.engine.services import services_for
from cwsync.engine.sides import Reading, account_of
from cwsync.errors import CwsyncError
from cwsync.model import (
    Baseline,
    ExternalId,
    Feature,
    Item,
    PairSpec,
    Row,
    Side,
    Snapshot,
)
from cwsync.planner.strangers import completed, gained, may_meet, strangers
from cwsync.provider import ids_of

Known = Mapping[Feature, Baseline]


@dataclass(frozen=True, slots=True)
class Completion:
    """The readings with more ids, and what to tell.

    `pending` are the tokens of what waits, by feature, each with the reason; `learnt` the ids that an item got, and
    from whom.
    """

    readings: Mapping[Feature, Reading]
    warnings: tuple[str, ...] = ()
    pending: Mapping[Feature, Mapping[str, str]] = field(default_factory=dict)
    learnt: Mapping[Item, tuple[tuple[ExternalId, str], ...]] = field(default_factory=dict)

    def waiting(self, feature: Feature) -> Mapping[str, str]:
        """The tokens of what waits in a feature, each with the reason."""
        return self.pending.get(feature, {})

    def with_more(self, who: str, items: Mapping[Item, Item]) -> Completion:
        """The same with what `who` told since."""
        readings = {feature: _with(one, items) for feature, one in self.readings.items()} if items else self.readings
        learnt = dict(self.learnt)
        for item, after in items.items():
            # Both sides may have learnt their way to the same item.
            found = (*learnt.get(item, ()), *learnt.get(after, ()), *((one, who) for one in gained(item, after)))
            learnt[after] = tuple(dict.fromkeys(found))
        return replace(self, readings=readings, learnt=learnt)

    def with_waiting(self, feature: Feature, waiting: Mapping[Item, str]) -> Completion:
        """The same, with items of which nothing may be written, for the reasons given."""
        tokens = {token: why for item, why in waiting.items() for token in item.tokens()}
        return replace(self, pending={**self.pending, feature: {**self.waiting(feature), **tokens}})

    def with_warnings(self, warnings: Iterable[str]) -> Completion:
        """The same, with more to tell."""
        return replace(self, warnings=(*self.warnings, *warnings))

    def good(self) -> dict[Feature, dict[Side, Snapshot]]:
        """What could be read."""
        return {feature: one for feature, one in self.readings.items() if not isinstance(one, CwsyncError)}


async def complete(
    pair: PairSpec, home: Home, readings: Mapping[Feature, Reading], known: Known, *, wet: bool
) -> Completion:
    """Complete the ids of what has no counterpart yet: anime by the mapping, and by whom the pair names.

    With `wet` (a run that writes) what was learnt may be kept in the cache. Raises `ConfigError`
    when the file is wrong about whom to ask, `StateError` for a mapping that cannot be used.
    """
    found = Completion(dict(readings))
    side = entry_side(pair)
    if side is None:
        return await _by_asking(pair, home, found, known, wet=wet)
    entries = Entries(pair, side, mappings_of(pair, home))
    if not entries.informed:
        name = account_of(pair, side).name
        why = f"anime: which titles of {name} are which elsewhere is not known yet: cwsync mappings update"
        found = found.with_warnings([why])
    for feature, reading in found.good().items():
        recalled, doubts = entries.recalled(reading[side], _rows(known, feature))
        found = found.with_more("an earlier run", recalled).with_waiting(feature, doubts)
    new = [item for feature, one in found.good().items() for item in _strangers(one, known, feature)[side]]
    found = found.with_more("the mapping of anime", entries.in_shows(dict.fromkeys(new)))
    found = await _by_asking(pair, home, found, known, wet=wet)
    specs = {spec.feature: spec for spec in pair.features}
    for feature, reading in found.good().items():
        alone = _strangers(reading, known, feature)
        found = found.with_waiting(feature, entries.unnamed(specs[feature], alone, _rows(known, feature)))
    return found


async def _by_asking(pair: PairSpec, home: Home, found: Completion, known: Known, *, wet: bool) -> Completion:
    """What the account says that the pair names under `ids`: of the side with less to ask, then of what is left."""
    if pair.ids is None:
        return found
    sides = sorted(Side, key=lambda side: len(_askable(pair, found, known, side)))
    if not any(_askable(pair, found, known, side) for side in sides):
        return found
    name = pair.ids.name
    source = ids_of(pair.ids.provider).id_source(pair.ids, services_for(pair.ids, home, keeps=wet))
    items: dict[Item, Item] = {}
    try:
        for side in sides:
            # What the first side has learnt may have met the second by now.
            if wanted := _askable(pair, found, known, side):
                more = await source.complete(wanted)
                found = found.with_more(name, more)
                items |= more
    finally:
        await source.aclose()
    why = f"ids-pending: {name} could not be asked for the other ids of this title"
    if source.refused:
        why = f"ids-refused: {name} does not let us ask for the other ids of this title"
    waiting = {items.get(item, item): why for item in source.pending}
    for feature in found.good():
        found = found.with_waiting(feature, waiting)
    return found.with_warnings(f"ids: {name}: {note}" for note in source.notes)


def _askable(pair: PairSpec, found: Completion, known: Known, side: Side) -> list[Item]:
    """The items of a side that more ids may match, or for which the other side has no name as they are."""
    specs = {spec.feature: spec for spec in pair.features}
    wanted: dict[Item, None] = {}
    for feature, reading in found.good().items():
        alone = _strangers(reading, known, feature)
        wanted |= dict.fromkeys(may_meet(alone)[side])
        if travels(pair, specs[feature], side):
            wanted |= dict.fromkeys(_nameless(pair, feature, side, alone[side], _rows(known, feature)))
    return list(wanted)


def _nameless(pair: PairSpec, feature: Feature, side: Side, items: list[Item], rows: tuple[Row, ...]) -> list[Item]:
    """The items of a side that the other one could hold, and knows by none of the ids they have."""
    caps = capabilities_of(pair)[side.other]
    if caps.by_entry or not items:
        return []  # the mapping names entries
    kinds = caps.of(feature).kinds
    named = {token for row in rows if caps.names(row.item) for token in row.item.tokens()}
    return [one for one in items if one.kind in kinds and not caps.names(one) and named.isdisjoint(one.tokens())]


def _rows(known: Known, feature: Feature) -> tuple[Row, ...]:
    return tuple(known[feature].rows.values()) if feature in known else ()


def _strangers(reading: Mapping[Side, Snapshot], known: Known, feature: Feature) -> dict[Side, list[Item]]:
    return strangers(reading[Side.SOURCE], reading[Side.TARGET], _rows(known, feature))


def _with(reading: Reading, found: Mapping[Item, Item]) -> Reading:
    if isinstance(reading, CwsyncError):
        return reading
    return {side: replace(one, entries=completed(one, found)) for side, one in reading.items()}
