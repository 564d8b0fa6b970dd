"""Puts records of ours into a simulated Plex: titles into its libraries, and what a user did with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from cwsync.model import Entry, ExternalId, Feature, Item, Kind, Listed, Play, Position, Rated, moment
from simulators.plex import Plex
from simulators.plexworld import EPISODE, MOVIE, SEASON, SHOW, Section, State, Title, User

NUMBERS = {Kind.MOVIE: MOVIE, Kind.SHOW: SHOW, Kind.SEASON: SEASON, Kind.EPISODE: EPISODE}


def guids(ids: Sequence[ExternalId]) -> tuple[str, ...]:
    """Ids as a ``Guid`` row has them."""
    return tuple(f"{one.service}://{one.value}" for one in ids if one.service in ("imdb", "tmdb", "tvdb"))


class Shelf:
    """Two libraries of a simulated server, and every title that was put into them, by its record."""

    def __init__(self, plex: Plex) -> None:
        self.plex = plex
        self.films = plex.world.add_section("Films", MOVIE)
        self.shows = plex.world.add_section("Shows", SHOW)
        self.rows: dict[str, Title] = {}

    def put(self, *items: Item) -> None:
        """Have these titles in the libraries, with their seasons and shows; none comes twice."""
        for item in items:
            self.row(item)

    def row(self, item: Item) -> Title:
        """The row of a title."""
        name = item.coordinates()[0] if item.coordinates() else item.key() or item.label()
        if name not in self.rows:
            self.rows[name] = self._made(item)
        return self.rows[name]

    def _made(self, item: Item) -> Title:
        world = self.plex.world
        if item.kind in (Kind.MOVIE, Kind.SHOW):
            section: Section = self.films if item.kind is Kind.MOVIE else self.shows
            title = item.title or "?"
            return world.add(section, NUMBERS[item.kind], title, year=item.year, guids=guids(item.ids))
        show = self.row(Item(Kind.SHOW, item.show_ids, item.show_title, item.show_year))
        if item.kind is Kind.SEASON:
            title = f"Season {item.season}"
            return world.add(self.shows, SEASON, title, parent=show, index=item.season, guids=guids(item.ids))
        season = self.row(Item(Kind.SEASON, (), None, None, item.show_ids, item.season, None, item.show_title))
        title = item.title or "?"
        return world.add(self.shows, EPISODE, title, parent=season, index=item.number, guids=guids(item.ids))

    # --- what a user did ------------------------------------------------------------------------

    def clear(self, user: User) -> None:
        """Have a user never have done anything."""
        user.states.clear()
        user.watchlist.clear()

    def hold(self, user: User, entries: Iterable[Entry]) -> None:
        """Have a user hold these records."""
        for entry in entries:
            value, row = entry.value, self.row(entry.item)
            state = self.plex.world.state(user, row)
            at = int(moment(value.at).timestamp()) if isinstance(value.at, datetime) else None
            if isinstance(value, Listed):
                user.watchlist[row.guid.rpartition("/")[2]] = at
            elif isinstance(value, Rated):
                state.rating, state.rated_at = value.score / 10, at
            elif isinstance(value, Play):
                state.views, state.viewed_at = 1, at
            else:
                _stop(state, row, value, at)

    def states(self, feature: Feature, user: User) -> dict[str, object]:
        """What a user holds in a feature, by the names of titles: for comparing with plain eyes."""
        if feature is Feature.WATCHLIST:  # also what no library has
            return {self.plex.world.catalogue[name].title: True for name in user.watchlist}
        found: dict[str, object] = {}
        for row in self.plex.world.titles.values():
            state = self.plex.world.state(user, row)
            value = {Feature.HISTORY: state.views, Feature.RATINGS: state.rating, Feature.PROGRESS: state.offset}
            if value[feature]:
                found[row.title] = value[feature]
        return found


def _stop(state: State, row: Title, value: Position, at: int | None) -> None:
    state.offset, state.viewed_at = value.ms, at
    row.duration_ms = value.duration_ms or row.duration_ms
