"""A large library that a Plex and a Trakt share, for counting and measuring."""

from __future__ import annotations

from collections.abc import Sequence

from cwsync.model import Entry, Feature, Item
from simulators.both import Both
from support import world


class Library:
    """Half of everything is watched at Plex, a tenth of the films is rated. Trakt has nine in ten of that.

    One in fifty of what Trakt holds is not at Plex, so that both sides have something to add.
    """

    def __init__(self, both: Both, films: int, shows: int, episodes: int) -> None:
        self.both = both
        self.films = films
        self.items = [world.movie(n) for n in range(1, films + 1)]
        self.items += [world.episode(n, 1, e) for n in range(1, shows + 1) for e in range(1, episodes + 1)]
        self.turn = 0
        both.know(self.items)
        seen = self.items[: films // 2] + [item for item in self.items[films:] if (item.number or 0) <= episodes // 2]
        rest = self.items[films // 2 : films]
        self.hold(Feature.HISTORY, seen, rest[: len(seen) // 50])
        self.hold(Feature.RATINGS, self.items[: films // 10], rest[: films // 500])

    def hold(self, feature: Feature, here: Sequence[Item], there: Sequence[Item]) -> None:
        """Have Plex hold `here`, and Trakt `there` and most of that."""

        def entry(number: int, item: Item) -> Entry:
            value = world.played(world.at(number / 100)) if feature is Feature.HISTORY else world.value(feature)
            return Entry(item, value)

        self.both.shelf.hold(self.both.owner, (entry(*one) for one in enumerate(here)))
        most = [entry(number, item) for number, item in enumerate(here) if number % 10]
        self.both.trakt.put(feature, [*most, *(entry(number, item) for number, item in enumerate(there))])

    def change(self, count: int) -> None:
        """Play films that nobody has seen and rate films anew: a quarter of `count` each, on either side."""
        both, quarter = self.both, count // 4
        first = self.films - (self.turn + 1) * 2 * quarter
        fresh = self.items[first : first + 2 * quarter]
        rated = self.items[self.turn * 2 * quarter : (self.turn + 1) * 2 * quarter]
        self.turn += 1
        for item in fresh[:quarter]:
            both.plex.world.play(both.owner, both.shelf.row(item))
        for item in fresh[quarter:]:
            both.trakt.user.play(both.trakt.titles.add(item), "2024-06-01T10:00:00.000Z")
        for item in rated[:quarter]:
            both.plex.world.rate(both.owner, both.shelf.row(item), 10.0)
        for item in rated[quarter:]:
            both.trakt.user.rate(both.trakt.titles.add(item), 9, "2024-06-01T10:00:00.000Z")
