"""Ids that items lack, asked of a service that knows them, before anything is matched.

Only for what cannot be matched with the ids it has; what is learnt stays with the record, in the
baseline of the pair. What could not be asked about waits: it may be on the other side under another
id, and would come back double.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cwsync.engine.anime import in_shows, mappings_of
from cwsync.engine.options import Home
from cwsync.engine.questions import capabilities_of
from cwsync.engine.services import services_for
from cwsync.engine.sides import Reading, account_of
from cwsync.errors import CwsyncError
from cwsync.model import Baseline, ExternalId, Feature, Item, PairSpec, Side
from cwsync.planner.strangers import completed, gained, strangers
from cwsync.provider import ids_of


@dataclass(frozen=True, slots=True)
class Completion:
    """The readings with more ids, and what to tell.

    `pending` are the tokens of what waits, each with the reason; `learnt` the ids that an item got, and from whom.
    """

    readings: dict[Feature, Reading]
    warnings: tuple[str, ...] = ()
    pending: Mapping[str, str] = field(default_factory=dict)
    learnt: Mapping[Item, tuple[tuple[ExternalId, str], ...]] = field(default_factory=dict)

    def with_more(
        self, who: str, items: Mapping[Item, Item], waiting: Mapping[Item, str], warnings: tuple[str, ...] = ()
    ) -> Completion:
        """The same with what `who` told since. Nothing may be written of `waiting`, for the reasons given."""
        readings = {feature: _with(one, items) for feature, one in self.readings.items()} if items else self.readings
        tokens = {token: why for item, why in waiting.items() for token in items.get(item, item).tokens()}
        learnt = dict(self.learnt)
        for item, after in items.items():
            # Both sides may have learnt their way to the same item.
            found = (*learnt.get(item, ()), *learnt.get(after, ()), *((one, who) for one in gained(item, after)))
            learnt[after] = tuple(dict.fromkeys(found))
        return Completion(readings, (*self.warnings, *warnings), {**self.pending, **tokens}, learnt)


async def complete(
    pair: PairSpec, home: Home, readings: Mapping[Feature, Reading], known: Mapping[Feature, Baseline], *, wet: bool
) -> Completion:
    """Complete the ids of what has no counterpart yet: anime by the mapping, and by whom the pair names.

    With `wet` (a run that writes) what was learnt may be kept in the cache. Raises `ConfigError`
    when the file is wrong about whom to ask, `StateError` for a mapping that cannot be used.
    """
    anime = _by_mapping(pair, home, Completion(dict(readings)), known)
    if pair.ids is None or not (wanted := _strangers(anime.readings, known)):
        return anime
    name = pair.ids.name
    source = ids_of(pair.ids.provider).id_source(pair.ids, services_for(pair.ids, home, keeps=wet))
    try:
        found = await source.complete(wanted)
    finally:
        await source.aclose()
    why = f"ids-pending: {name} could not be asked for the other ids of this title"
    if source.refused:
        why = f"ids-refused: {name} does not let us ask for the other ids of this title"
    return anime.with_more(
        name,
        found,
        dict.fromkeys(source.pending, why),
        tuple(f"ids: {name}: {note}" for note in source.notes),
    )


def _by_mapping(pair: PairSpec, home: Home, found: Completion, known: Mapping[Feature, Baseline]) -> Completion:
    """What the entries of a catalogue of anime are on the other side."""
    sides = [side for side, caps in capabilities_of(pair).items() if caps.by_entry]
    if not sides or len(sides) == len(Side):
        return found  # both have entries: there is nothing to translate
    mappings = mappings_of(pair, home)
    if mappings is None:
        name = account_of(pair, sides[0]).name
        why = f"anime: which titles of {name} are which elsewhere is not known yet: cwsync mappings update"
        return replace(found, warnings=(*found.warnings, why))
    items, reasons = in_shows(mappings, _strangers(found.readings, known, of=sides[0]))
    return found.with_more("the mapping of anime", items, reasons)


def _strangers(
    readings: Mapping[Feature, Reading], known: Mapping[Feature, Baseline], *, of: Side | None = None
) -> list[Item]:
    """What nothing matches, of both sides or of one."""
    found: dict[Item, None] = {}
    for feature, reading in readings.items():
        if isinstance(reading, CwsyncError):
            continue
        rows = tuple(known[feature].rows.values()) if feature in known else ()
        for side, items in strangers(reading[Side.SOURCE], reading[Side.TARGET], rows, alone=of is not None).items():
            if of in (None, side):
                found |= dict.fromkeys(items)
    return list(found)


def _with(reading: Reading, found: Mapping[Item, Item]) -> Reading:
    if isinstance(reading, CwsyncError):
        return reading
    return {side: replace(one, entries=completed(one, found)) for side, one in reading.items()}
