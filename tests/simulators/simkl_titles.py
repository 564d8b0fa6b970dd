"""What the simulated SIMKL knows: films, shows and anime, each with SIMKL's number and the ids of others.

A film that is anime stands in the part of anime, with the key ``show`` like all others there. Anime
counts episodes in its own way (season 1 of each title), with the place in TVDB's order beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cwsync.model import Item, Kind

ORDER = ("simkl", "imdb", "tmdb", "tvdb", "mal", "anidb", "anilist", "kitsu")
NATIVE = ("simkl", "mal", "anidb", "anilist", "kitsu")
Place = tuple[int, int]


@dataclass
class Episode:
    """One episode. `tvdb` is its place in TVDB's order (anime), `tvdb_id` its own number there."""

    place: Place
    tvdb: Place | None = None
    tvdb_id: str | None = None


@dataclass
class Title:
    """One title. `part` is ``movies``, ``shows`` or ``anime``; `ids` are text but for ``simkl``."""

    simkl: int
    part: str
    ids: dict[str, str]
    name: str | None
    year: int | None = None
    anime_type: str | None = None
    released: bool = True
    episodes: dict[Place, Episode] = field(default_factory=dict)

    @property
    def is_film(self) -> bool:
        return self.part == "movies" or self.anime_type == "movie"

    def stub(self) -> dict[str, Any]:
        """The object that stands for this title in answers."""
        ids: dict[str, Any] = {"simkl": self.simkl, "slug": f"title-{self.simkl}"} | self.ids
        made = {"title": self.name, "poster": f"{self.simkl % 100:02d}/{self.simkl}", "year": self.year}
        return made | {"runtime": 100, "ids": ids}

    def place(self, season: object, number: object, *, native: bool) -> Episode | None:
        """The episode at a place: in SIMKL's own order, or (anime) in that of TVDB."""
        if type(season) is not int or type(number) is not int:
            return None
        if self.part == "anime" and not native:
            return next((one for one in self.episodes.values() if one.tvdb == (season, number)), None)
        return self.episodes.get((season, number))


@dataclass
class Titles:
    """The catalogue. `add` takes an item of ours and gives it to SIMKL, once."""

    all: dict[int, Title] = field(default_factory=dict)
    by_id: dict[tuple[bool, str, str], list[Title]] = field(default_factory=dict)
    next_id: int = 9001

    def add(self, item: Item, part: str | None = None, **more: Any) -> Title:
        """The title of an item, made unless there is one. An episode makes its show, with that episode."""
        film = item.kind is Kind.MOVIE
        ids = item.ids if item.kind in (Kind.MOVIE, Kind.SHOW) else item.show_ids
        sent = {one.service: one.value for one in ids}
        found = self.find({"ids": sent}, film=film)
        if found is None:
            name, year = (item.show_title, item.show_year) if item.kind is Kind.EPISODE else (item.title, item.year)
            number = int(sent.pop("simkl", self.next_id))
            known = {service: value for service, value in sent.items() if service in ORDER}
            found = self.put(Title(number, part or ("movies" if film else "shows"), known, name, year, **more))
        if item.kind is Kind.EPISODE and item.season is not None and item.number is not None:
            own = next((one.value for one in item.ids if one.service == "tvdb"), None)
            found.episodes.setdefault((item.season, item.number), Episode((item.season, item.number), None, own))
        return found

    def put(self, title: Title) -> Title:
        """One more title."""
        self.next_id = max(self.next_id, title.simkl + 1)
        self.all[title.simkl] = title
        for service, value in ({"simkl": str(title.simkl)} | title.ids).items():
            self.by_id.setdefault((title.is_film, service, value), []).append(title)
        return title

    def anime(
        self, ids: Mapping[str, str], name: str, *, at: int, count: int, season: int = 1, first: int = 1
    ) -> Title:
        """An anime of `count` episodes, which TVDB has as those of `season` from number `first` on."""
        title = Title(at, "anime", dict(ids), name, 2005, "tv")
        for number in range(1, count + 1):
            title.episodes[1, number] = Episode((1, number), (season, first + number - 1))
        return self.put(title)

    def find(self, sent: Mapping[str, Any], *, film: bool, season: int | None = None) -> Title | None:
        """The title that a sent object means: by the first of its ids that is known. Several share an id of TVDB."""
        ids = sent.get("ids")
        for service in ORDER if isinstance(ids, dict) else ():
            value = ids.get(service) if isinstance(ids, dict) else None
            if value in (None, ""):
                continue
            # A number of SIMKL or of an anime database names one title, whatever it is sent as.
            kinds = (film, not film) if service in NATIVE else (film,)
            found = [one for kind in kinds for one in self.by_id.get((kind, service, str(value)), ())]
            fit = [
                one
                for one in found
                if season is None or any((e.tvdb or e.place)[0] == season for e in one.episodes.values())
            ]
            if found:
                return (fit or found)[0]
        return None

    def episode(self, sent: Mapping[str, Any]) -> tuple[Title, Episode] | None:
        """An episode by its own number at TVDB: the only way to name one alone."""
        ids = sent.get("ids")
        wanted = str(ids.get("tvdb")) if isinstance(ids, dict) and ids.get("tvdb") else None
        for title in self.all.values() if wanted else ():
            for one in title.episodes.values():
                if one.tvdb_id == wanted:
                    return title, one
        return None
