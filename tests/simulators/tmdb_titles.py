"""What the simulated TMDb knows: films, shows, their seasons and episodes, with their ids and as answers show them.

Films and shows are numbered apart: 25 is a film and a different show. Seasons and episodes have numbers of
their own as well, by which nothing can be asked: they are named by show, season and number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cwsync.model import Item, Kind

_PLAIN: dict[str, Any] = {
    "adult": False,
    "backdrop_path": None,
    "genre_ids": [],
    "original_language": "en",
    "overview": "",
    "popularity": 1.5,
}
_VOTES = {"vote_average": 7.5, "vote_count": 12}
_SOCIAL = {"facebook_id": None, "instagram_id": None, "twitter_id": None}


@dataclass
class Title:
    """One title. `ids` are those that TMDb knows of it, by service (``imdb``, ``tvdb``)."""

    kind: Kind
    tmdb: int
    name: str
    date: str
    ids: dict[str, str] = field(default_factory=dict)
    show: Title | None = None
    season: int | None = None
    number: int | None = None

    @property
    def key(self) -> tuple[Kind, int]:
        return self.kind, self.tmdb

    def row(self) -> dict[str, Any]:
        """As it stands in lists."""
        if self.kind is Kind.MOVIE:
            own: dict[str, Any] = {"id": self.tmdb, "original_title": self.name, "title": self.name}
            own |= {"poster_path": None, "release_date": self.date, "video": False}
            return _PLAIN | own | _VOTES
        if self.kind is Kind.SHOW:
            own = {"id": self.tmdb, "origin_country": ["US"], "original_name": self.name, "poster_path": None}
            return _PLAIN | own | {"first_air_date": self.date, "name": self.name} | _VOTES
        return self.part()

    def part(self) -> dict[str, Any]:
        """An episode as lists have it."""
        assert self.show is not None
        made: dict[str, Any] = {
            "air_date": self.date,
            "episode_number": self.number,
            "id": self.tmdb,
            "name": self.name,
        }
        made |= {"overview": "", "production_code": "", "runtime": 22, "season_number": self.season}
        return made | {"show_id": self.show.tmdb, "still_path": None} | _VOTES

    def found(self) -> dict[str, Any]:
        """As it is found by an id of another service."""
        kinds = {Kind.MOVIE: "movie", Kind.SHOW: "tv", Kind.SEASON: "tv_season", Kind.EPISODE: "tv_episode"}
        if self.kind is Kind.SEASON:
            assert self.show is not None
            own = {"air_date": self.date, "episode_count": 1, "id": self.tmdb, "name": self.name, "overview": ""}
            own |= {"poster_path": None, "season_number": self.season, "show_id": self.show.tmdb, "vote_average": 7.5}
            return own | {"media_type": "tv_season"}
        return self.row() | {"media_type": kinds[self.kind]}

    def external_ids(self) -> dict[str, Any]:
        """Its ids elsewhere. Which services are named at all depends on what it is."""
        imdb, tvdb = self.ids.get("imdb"), self.ids.get("tvdb")
        tvdb_number = None if tvdb is None else int(tvdb)
        if self.kind is Kind.MOVIE:
            return {"id": self.tmdb, "imdb_id": imdb, "wikidata_id": None} | _SOCIAL
        old = {
            "freebase_mid": None,
            "freebase_id": None,
            "tvdb_id": tvdb_number,
            "tvrage_id": None,
            "wikidata_id": None,
        }
        if self.kind is Kind.SHOW:
            return {"id": self.tmdb, "imdb_id": imdb} | old | _SOCIAL
        return {"id": self.tmdb} | ({"imdb_id": imdb} if self.kind is Kind.EPISODE else {}) | old


class Titles:
    """The catalogue. `add` makes a title of an item, or gives the one that is there."""

    def __init__(self) -> None:
        self.all: dict[tuple[Kind, int], Title] = {}
        self._places: dict[tuple[int, int, int | None], Title] = {}
        self._next = 60_000_000

    def add(self, item: Item, *, tmdb: int | None = None) -> Title:
        """The title of an item. Its ids of other services are learnt; a part of a show makes its show and season."""
        ids = {one.service: one.value for one in item.ids}
        if item.kind in (Kind.MOVIE, Kind.SHOW):
            number = int(ids.pop("tmdb", 0)) or tmdb or self._number()
            made = self.all.get((item.kind, number))
            if made is None:
                name = item.title or f"{item.kind} {number}"
                made = Title(item.kind, number, name, f"{item.year}-05-01" if item.year else "")
                self.all[made.key] = made
            made.ids |= ids
            return made
        show = self.add(Item(Kind.SHOW, item.show_ids, item.show_title, item.show_year), tmdb=tmdb)
        assert item.season is not None
        season = self._part(show, Kind.SEASON, item.season, None, f"Season {item.season}")
        if item.kind is Kind.SEASON:
            return season
        own = ids.pop("tmdb", None)
        assert item.number is not None
        name = item.title or f"Part {item.number}"
        made = self._part(show, Kind.EPISODE, item.season, item.number, name, None if own is None else int(own))
        made.ids |= ids
        return made

    def _number(self) -> int:
        self._next += 1
        return self._next

    def _part(
        self, show: Title, kind: Kind, season: int, number: int | None, name: str, tmdb: int | None = None
    ) -> Title:
        made = self.place(show.tmdb, season, number)
        if made is None:
            made = Title(kind, tmdb or self._number(), name, "2001-02-03", show=show, season=season, number=number)
            self.all[made.key] = self._places[show.tmdb, season, number] = made
        return made

    def get(self, kind: Kind, number: int) -> Title | None:
        return self.all.get((kind, number))

    def place(self, show: int, season: int, number: int | None = None) -> Title | None:
        """A season (no number) or an episode of a show."""
        return self._places.get((show, season, number))

    def parts(self, show: int, season: int) -> list[Title]:
        """The episodes of a season, in order."""
        found = [
            one for (of, at, number), one in self._places.items() if (of, at) == (show, season) and number is not None
        ]
        return sorted(found, key=lambda one: one.number or 0)

    def seasons(self, show: int) -> list[Title]:
        return [one for (of, _, number), one in sorted(self._places.items(), key=str) if of == show and number is None]

    def by_external(self, service: str, value: str) -> Iterator[Title]:
        return (one for one in self.all.values() if one.ids.get(service) == value)

    def forget(self, kind: Kind, number: int) -> None:
        """Merge a title away: its number is known no more."""
        self.all.pop((kind, number))
