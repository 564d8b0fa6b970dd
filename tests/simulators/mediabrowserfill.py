"""Puts records of ours into a simulated Jellyfin or Emby: titles into its libraries, and what a user did with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from cwsync.model import Entry, ExternalId, Feature, Item, Kind, Listed, Play, Position, Rated, moment
from simulators.mediabrowser import MediaBrowser
from simulators.mediabrowserworld import EPISODE, MOVIE, SEASON, SECOND, SERIES, State, Title, User

KINDS = {Kind.MOVIE: MOVIE, Kind.SHOW: SERIES, Kind.SEASON: SEASON, Kind.EPISODE: EPISODE}
SPELT = {"imdb": "Imdb", "tmdb": "Tmdb", "tvdb": "Tvdb", "anidb": "AniDB", "anilist": "AniList"}
TICKS_PER_MS = SECOND // 1000


def provider_ids(ids: Sequence[ExternalId]) -> dict[str, str]:
    """Ids as a row has them."""
    return {SPELT[one.service]: one.value for one in ids if one.service in SPELT}


class Shelf:
    """Two libraries of a simulated server, and every title that was put into them, by its record.

    With `bare` every third title has no ids, as one that nobody has identified yet.
    """

    def __init__(self, server: MediaBrowser, *, bare: bool = False) -> None:
        self.server = server
        self.bare = bare
        self.films = server.world.add_library("Films")
        self.shows = server.world.add_library("Shows", "tvshows")
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

    def copy(self, item: Item) -> Title:
        """A second row of a film: the same ids in the same library."""
        row = self.row(item)
        return self.server.world.add(row.library, row.kind, row.name, row.ids, year=row.year, runtime=row.runtime)

    def _ids(self, item: Item) -> dict[str, str]:
        return {} if self.bare and len(self.rows) % 3 == 2 else provider_ids(item.ids)

    def _made(self, item: Item) -> Title:
        world, title = self.server.world, item.title or "?"
        if item.kind is Kind.MOVIE:
            return world.add(self.films, MOVIE, title, self._ids(item), year=item.year)
        if item.kind is Kind.SHOW:
            return world.series(self.shows, title, self._ids(item), year=item.year)
        show = self.row(Item(Kind.SHOW, item.show_ids, item.show_title, item.show_year))
        if item.kind is Kind.EPISODE:
            return world.episode(show, item.season or 0, item.number, self._ids(item), name=title)
        above = next((one for one in show.children if one.index == item.season), None)
        if above is None:
            name = f"Season {item.season}" if item.season else "Specials"
            above = world.add(self.shows, SEASON, name, parent=show, index=item.season)
        above.ids |= provider_ids(item.ids)
        return above

    # --- what a user did ------------------------------------------------------------------------

    def clear(self, user: User) -> None:
        """Have a user never have done anything."""
        self.server.world.clear(user)

    def hold(self, user: User, entries: Iterable[Entry]) -> None:
        """Have a user hold these records."""
        world = self.server.world
        for entry in entries:
            value, row = entry.value, self.row(entry.item)
            state = world.state(user, row)
            at = int(moment(value.at).timestamp() * 1000) * TICKS_PER_MS if isinstance(value.at, datetime) else None
            state.saved = world.now()
            if isinstance(value, Listed):
                state.favourite = True
            elif isinstance(value, Rated):
                state.rating = value.score / 10
            elif isinstance(value, Play):
                state.played, state.count, state.at = True, 1, world.grained(at)
            else:
                _stop(state, row, value, world.grained(at))

    def states(self, feature: Feature, user: User) -> dict[str, object]:
        """What a user holds in a feature, by the names of titles: for comparing with plain eyes."""
        found: dict[str, object] = {}
        for row in self.server.world.titles.values():
            state = self.server.world.peek(user, row)
            value = {
                Feature.HISTORY: state.played,
                Feature.RATINGS: state.rating,
                Feature.PROGRESS: state.position // TICKS_PER_MS,
                Feature.WATCHLIST: state.favourite,
            }
            if value[feature]:
                found[row.name] = value[feature]
        return found


def _stop(state: State, row: Title, value: Position, at: int | None) -> None:
    state.position, state.at = value.ms * TICKS_PER_MS, at
    row.runtime = (value.duration_ms or row.runtime // TICKS_PER_MS) * TICKS_PER_MS
