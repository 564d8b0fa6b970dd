"""Items that learn the ids by which other services know them, from a mapping of anime. Pure.

Nothing that an item has is overwritten, and nothing is added that is not the only choice. What was left out
for that is told in `notes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cwsync.mappings.links import FILMS, NATIVE, SHOWS, Graph, id_of, node_of, space, told
from cwsync.mappings.relate import Relations, Why
from cwsync.mappings.translate import Place, Spot, to_place, to_spot
from cwsync.model import ExternalId, Item, Kind, sort_ids

# The catalogues of anime whose ids other services ask for.
ENTRIES: Final = ("mal", "anilist")
_SHOW_ORDER: Final = ("tvdb_show", "tmdb_show", "imdb_show")


@dataclass(frozen=True, slots=True)
class MappingNote:
    """What an item did not learn, and why. `reason` begins with a word for scripts: ``ambiguous:`` and the like."""

    item: Item
    reason: str


class Mappings:
    """A mapping in use. `notes` are those of the last call of any method.

    `whole` says that there is a data set, and not a person's own rules alone: what it does not know nobody does.
    """

    def __init__(self, graph: Graph, *, whole: bool = True) -> None:
        self._known = Relations(graph)
        self.whole = whole
        self.notes: list[MappingNote] = []

    def complete(self, items: Sequence[Item]) -> Mapping[Item, Item]:
        """The items that gain ids, each with what it becomes; all others are left out.

        Films and shows gain ids of imdb, tmdb, tvdb, mal and anilist. Episodes gain those ids of their show
        under which they have the very same season and number; `to_entries` and `to_shows` are for the others.
        Seasons gain nothing.
        """
        self.notes = []
        found: dict[Item, Item] = {}
        for item in items:
            if item not in found and (fuller := self._completed(item)) != item:
                found[item] = fuller
        return found

    def to_entries(self, items: Sequence[Item]) -> Mapping[Item, Item]:
        """Episodes of shows as the same episodes of entries: season 1, with the ids of the entry as `show_ids`.

        What is no such episode, or not clearly one, is left out; of the latter there is a note, if the mapping
        knows the show at all.
        """
        self.notes = []
        return {item: found for item in dict.fromkeys(items) if (found := self._to_entry(item)) is not None}

    def to_shows(self, items: Sequence[Item], shows: Sequence[str] = _SHOW_ORDER) -> Mapping[Item, Item]:
        """Episodes of entries as the same episodes of shows, as the first of the catalogues that has them counts.

        Others add their id where the episode stands at the same place. What is left out is told as above.
        """
        self.notes = []
        return {item: found for item in dict.fromkeys(items) if (found := self._to_show(item, shows)) is not None}

    # --- one item ---------------------------------------------------------------------------------

    def _to_entry(self, item: Item) -> Item | None:
        if item.kind is not Kind.EPISODE or item.season is None or item.number is None:
            return None
        places = [Place(node, item.season, item.number) for node in _nodes(item.show_ids) if space(node) in SHOWS]
        if not self._known.knows([place.show for place in places]):
            return None
        found = [to_spot(self._known, place, ENTRIES[-1]) for place in places]
        spots = {one for one in found if isinstance(one, Spot)}
        if not spots and not any(isinstance(one, Why) and not _is_silence(one) for one in found):
            found = [to_spot(self._known, place, ENTRIES[0]) for place in places]
            spots = {one for one in found if isinstance(one, Spot)}
        spot = self._only(item, spots, found)
        if spot is None:
            return None
        if self._is_film(spot.entry):
            self._note(item, f"film: {told(spot.entry)} is a film")
            return None
        entries = [node for node in self._known.same_entries(spot.entry) if space(node) in ENTRIES]
        ids = sort_ids([id_of(node, Kind.SHOW) for node in entries])
        return replace(item, show_ids=ids, season=1, number=spot.number)

    def _to_show(self, item: Item, shows: Sequence[str]) -> Item | None:
        if item.kind is not Kind.EPISODE or item.season != 1 or item.number is None:
            return None
        entries = [node for node in _nodes(item.show_ids) if space(node) in NATIVE]
        if not self._known.knows(entries):
            return None
        ids: list[ExternalId] = []
        at: Place | None = None
        tried: list[Place | Spot | Why] = []
        for name in shows:
            found = [to_place(self._known, Spot(entry, item.number), name) for entry in entries]
            tried += found
            places = {one for one in found if isinstance(one, Place)}
            if len(places) > 1:
                words = sorted(f"S{one.season:02d}E{one.number:02d} of {told(one.show)}" for one in places)
                tried.append(Why(f"ambiguous: it is {' or '.join(words)}"))
            if len(places) != 1 or any(isinstance(one, Why) and not _is_silence(one) for one in found):
                continue
            (place,) = places
            if at is None:
                at = place
            if (place.season, place.number) == (at.season, at.number):
                ids.append(id_of(place.show, Kind.SHOW))
        if at is None:
            self._only(item, set(), tried)
            return None
        return replace(item, show_ids=sort_ids(ids), season=at.season, number=at.number)

    def _completed(self, item: Item) -> Item:
        if item.kind is Kind.EPISODE:
            return self._episode(item)
        if item.kind is Kind.SEASON:
            return item
        nodes = _nodes(item.ids)
        if not self._known.knows(nodes):
            return item
        wanted = (*(FILMS if item.kind is Kind.MOVIE else SHOWS), *ENTRIES)
        have = {one.service for one in item.ids}
        gained: list[ExternalId] = []
        for name in wanted:
            if name.partition("_")[0] in have:
                continue
            found = self._known.counterpart(nodes, name)
            if isinstance(found, Why):
                self._note(item, found.reason)
            elif found is not None:
                gained.append(id_of(found, item.kind))
        if not gained:
            self._say_other_kind(item, nodes)
            return item
        return replace(item, ids=sort_ids([*item.ids, *gained]))

    def _episode(self, item: Item) -> Item:
        """The ids of other catalogues under which the show has this very season and number."""
        nodes = _nodes(item.show_ids)
        if item.season is None or item.number is None or not self._known.knows(nodes):
            return item
        have = {one.service for one in item.show_ids}
        gained: list[ExternalId] = []
        for name in (*SHOWS, *ENTRIES):
            if name.partition("_")[0] in have:
                continue
            found = {self._at(node, item.season, item.number, name) for node in nodes} - {None}
            if len(found) == 1:
                gained.append(id_of(str(found.pop()), Kind.SHOW))
        return replace(item, show_ids=sort_ids([*item.show_ids, *gained])) if gained else item

    def _at(self, node: str, season: int, number: int, wanted: str) -> str | None:
        """The node of a catalogue in which an episode of `node` stands at the same season and number."""
        known = self._known
        spot: Spot | Place | Why = Spot(node, number)
        if space(node) in SHOWS:
            spot = to_spot(known, Place(node, season, number), wanted if wanted in NATIVE else ENTRIES[-1])
        elif season != 1:
            return None
        if not isinstance(spot, Spot):
            return None
        if wanted in SHOWS:
            place = to_place(known, spot, wanted)
            return place.show if isinstance(place, Place) and (place.season, place.number) == (season, number) else None
        if season != 1 or spot.number != number or self._is_film(spot.entry):
            return None
        return next((other for other in known.same_entries(spot.entry) if space(other) == wanted), None)

    # --- words ------------------------------------------------------------------------------------

    def _only(self, item: Item, spots: set[Spot], found: Sequence[Place | Spot | Why]) -> Spot | None:
        """The one spot there is, if nothing speaks against it; else None, and a note of why."""
        problems = [one for one in found if isinstance(one, Why) and not _is_silence(one)]
        if problems:
            self._note(item, problems[0].reason)
            return None
        if len(spots) > 1:
            names = sorted(f"episode {spot.number} of {told(spot.entry)}" for spot in spots)
            self._note(item, f"ambiguous: it is {' or '.join(names)}")
        elif not spots and (silent := next((one for one in found if isinstance(one, Why)), None)):
            self._note(item, silent.reason)
        return next(iter(spots)) if len(spots) == 1 else None

    def _is_film(self, entry: str) -> bool:
        return any(space(edge.other) in FILMS and edge.single for edge in self._known.edges(entry))

    def _say_other_kind(self, item: Item, nodes: Sequence[str]) -> None:
        """Say so when the mapping has as a film what the item calls a series, or the other way round."""
        here, there, word = (FILMS, SHOWS, "show") if item.kind is Kind.MOVIE else (SHOWS, FILMS, "film")
        for node in nodes:
            edges = [edge for edge in self._known.edges(node) if edge.links and edge.main]
            kinds = {space(edge.other) for edge in edges} if space(node) in NATIVE else set()
            if kinds & set(there) and not kinds & set(here):
                self._note(item, f"other-kind: the mapping has {told(node)} as a {word}")
                return

    def _note(self, item: Item, reason: str) -> None:
        note = MappingNote(item, reason)
        if note not in self.notes[-len(FILMS + ENTRIES) :]:
            self.notes.append(note)


def _is_silence(why: Why) -> bool:
    return why.reason.startswith("not-mapped:")


def _nodes(ids: Sequence[ExternalId]) -> list[str]:
    return [node for one in ids if (node := node_of(one)) is not None]
