"""An episode of a show as an episode of an entry, and the other way round, where only one can be meant. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cwsync.mappings.links import NATIVE, RATIO, UNEVEN, space, told
from cwsync.mappings.relate import Relations, Why

_BLOCKED = {
    RATIO: "ratio: several episodes of one are one of the other in",
    UNEVEN: "uneven: the mapping gives different counts for",
}


@dataclass(frozen=True, slots=True)
class Place:
    """An episode of a show, as its catalogue has it. Season 0 holds specials."""

    show: str
    season: int
    number: int


@dataclass(frozen=True, slots=True)
class Spot:
    """An episode of an entry; numbers begin at 1."""

    entry: str
    number: int


def to_place(known: Relations, spot: Spot, shows: str) -> Place | Why:
    """Where an episode of an entry stands in a catalogue of shows (``tvdb_show``, ``tmdb_show``, ``imdb_show``)."""
    for entry in known.same_entries(spot.entry):
        own = Spot(entry, spot.number)
        found = _places(known, own, shows)
        if isinstance(found, Why):
            return found
        if len(found) > 1:
            return _several(_of_entry(own), [_of_show(place) for place in found])
        for place in found:
            back = _spots(known, place, space(entry))
            # Found by another name of the entry: then its own catalogue must not say otherwise.
            others = _spots(known, place, space(spot.entry)) if own != spot else back
            for one, wanted in ((back, own), (others or {spot}, spot)):
                if isinstance(one, Why):
                    return one
                if one != {wanted}:
                    return _several(_of_show(place), [_of_entry(other) for other in one])
            return place
    return Why(f"not-mapped: nothing is said of {_of_entry(spot)}")


def to_spot(known: Relations, place: Place, entries: str) -> Spot | Why:
    """Which episode of which entry a place in a show is, in a catalogue of anime (one of `NATIVE`).

    What the mapping says for another of these catalogues counts too, where both have the same entry.
    """
    for name in (entries, *(other for other in NATIVE if other != entries)):
        found = _spots(known, place, name)
        if isinstance(found, Why):
            return found
        if len(found) > 1:
            return _several(_of_show(place), [_of_entry(spot) for spot in found])
        for spot in found:
            back = _places(known, spot, space(place.show))
            if isinstance(back, Why):
                return back
            if back != {place}:
                return _several(_of_entry(spot), [_of_show(other) for other in back])
            alias = next((node for node in known.same_entries(spot.entry) if space(node) == entries), None)
            if alias is not None:
                return Spot(alias, spot.number)
    return Why(f"not-mapped: nothing is said of {_of_show(place)}")


def _places(known: Relations, spot: Spot, shows: str) -> set[Place] | Why:
    edges = [edge for edge in known.edges(spot.entry) if space(edge.other) == shows and edge.season is not None]
    found: set[Place] = set()
    for edge in [edge for edge in edges if edge.rule] or edges:
        for block in edge.blocks:
            if block.why in _BLOCKED and block.covers(spot.number):
                return Why(f"{_BLOCKED[block.why]} {_of_entry(spot)} and {told(edge.other)}")
        numbers = (run.at(spot.number) for run in edge.runs)
        found |= {Place(edge.other, edge.season or 0, number) for number in numbers if number is not None}
    return found


def _spots(known: Relations, place: Place, entries: str) -> set[Spot] | Why:
    edges = [edge for edge in known.edges(place.show) if space(edge.other) == entries and edge.season == place.season]
    found: set[Spot] = set()
    for edge in [edge for edge in edges if edge.rule] or edges:
        for block in edge.blocks:
            if block.why in _BLOCKED and block.covers(place.number):
                return Why(f"{_BLOCKED[block.why]} {_of_show(place)} and {told(edge.other)}")
        numbers = (run.at(place.number) for run in edge.runs)
        found |= {Spot(edge.other, number) for number in numbers if number is not None}
    return found


def _of_entry(spot: Spot) -> str:
    return f"episode {spot.number} of {told(spot.entry)}"


def _of_show(place: Place) -> str:
    return f"S{place.season:02d}E{place.number:02d} of {told(place.show)}"


def _several(what: str, others: Sequence[str]) -> Why:
    return Why(f"ambiguous: {what} is {' or '.join(sorted(others)) or 'nothing'}")
