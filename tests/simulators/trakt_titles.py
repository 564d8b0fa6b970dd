"""What the simulated Trakt knows: films, shows, seasons and episodes, each with the ids Trakt has for it.

A title is found by its own ids, an episode also by its show and its numbers. Every title has a Trakt id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cwsync.model import Item, Kind

SERVICES = {
    Kind.MOVIE: ("trakt", "slug", "imdb", "tmdb"),
    Kind.SHOW: ("trakt", "slug", "tvdb", "imdb", "tmdb"),
    Kind.SEASON: ("trakt", "tvdb", "tmdb"),
    Kind.EPISODE: ("trakt", "tvdb", "imdb", "tmdb"),
}
PLURAL = {Kind.MOVIE: "movies", Kind.SHOW: "shows", Kind.SEASON: "seasons", Kind.EPISODE: "episodes"}
SINGULAR = {plural: kind for kind, plural in PLURAL.items()}


@dataclass(frozen=True)
class Title:
    """One film, show, season or episode. `ids` are as Trakt writes them: numbers but for imdb and slug."""

    kind: Kind
    trakt: int
    ids: Mapping[str, object]
    name: str | None
    year: int | None = None
    runtime: int | None = 100
    show: Title | None = None
    season: int | None = None
    number: int | None = None

    @property
    def key(self) -> tuple[Kind, int]:
        return self.kind, self.trakt

    def stub(self, *, full: bool = False) -> dict[str, Any]:
        """The object that stands for this title in answers."""
        ids = {service: self.ids.get(service) for service in SERVICES[self.kind]} | {"trakt": self.trakt}
        more: dict[str, Any] = {"runtime": self.runtime} if full else {}
        if self.kind is Kind.SEASON:
            return {"number": self.season, "ids": ids}
        if self.kind is Kind.EPISODE:
            return {"season": self.season, "number": self.number, "title": self.name, "ids": ids} | more
        return {"title": self.name, "year": self.year, "ids": ids} | more

    def row(self, *, full: bool = False) -> dict[str, Any]:
        """What a list has of this title: its type, itself, and its show."""
        row = {"type": self.kind.value, self.kind.value: self.stub(full=full)}
        return row if self.show is None else row | {"show": self.show.stub(full=full)}


@dataclass
class Titles:
    """The catalogue. `add` takes an item of ours and gives it to Trakt, once."""

    all: dict[tuple[Kind, int], Title] = field(default_factory=dict)
    by_id: dict[tuple[Kind, str, str], Title] = field(default_factory=dict)
    by_place: dict[tuple[int, int, int | None], Title] = field(default_factory=dict)
    next_id: int = 1001

    def add(self, item: Item, runtime: int | None = 100) -> Title:
        """The title of an item, made unless there is one. Seasons and episodes bring their show along."""
        found = self.of(item)
        if found is not None:
            return found
        show = None
        if item.kind in (Kind.SEASON, Kind.EPISODE):
            show = self.add(Item(Kind.SHOW, item.show_ids, item.show_title, item.show_year))
            if item.kind is Kind.EPISODE:
                self.add(Item(Kind.SEASON, (), show_ids=item.show_ids, season=item.season))
        ids: dict[str, object] = {
            one.service: one.value if one.service in ("imdb", "slug") else int(one.value)
            for one in item.ids
            if one.service in SERVICES[item.kind]
        }
        number = int(str(ids.get("trakt") or self.next_id))
        self.next_id = max(self.next_id, number) + 1
        if "slug" in SERVICES[item.kind]:
            ids.setdefault("slug", f"title-{number}")
        title = Title(item.kind, number, ids, item.title, item.year, runtime, show, item.season, item.number)
        self._keep(title)
        return title

    def _keep(self, title: Title) -> None:
        self.all[title.key] = title
        for service, value in (dict(title.ids) | {"trakt": title.trakt}).items():
            self.by_id.setdefault((title.kind, service, str(value)), title)
        if title.show is not None and title.season is not None:
            self.by_place[title.show.trakt, title.season, title.number] = title

    def of(self, item: Item) -> Title | None:
        """The title of an item of ours, if Trakt has it."""
        for one in item.ids:
            if (found := self.by_id.get((item.kind, one.service, one.value))) is not None:
                return found
        for one in item.show_ids:
            show = self.by_id.get((Kind.SHOW, one.service, one.value))
            if show is not None and item.season is not None:
                return self.by_place.get((show.trakt, item.season, item.number))
        return None

    def find(self, kind: Kind, sent: Mapping[str, Any]) -> Title | None:
        """The title that a sent object means: the first of its ids that is known (Trakt's own first)."""
        ids = sent.get("ids")
        if isinstance(ids, dict):
            for service in SERVICES[kind]:
                value = ids.get(service)
                if value not in (None, "") and (found := self.by_id.get((kind, service, str(value)))) is not None:
                    return found
            return None
        named = [one for one in self.all.values() if (one.kind, one.name) == (kind, sent.get("title"))]
        return next((one for one in named if one.year == sent.get("year")), None)

    def place(self, show: Title, season: object, number: object = None) -> Title | None:
        """A season, or an episode, of a show by its numbers."""
        if type(season) is not int or (number is not None and type(number) is not int):
            return None
        return self.by_place.get((show.trakt, season, number))

    def episodes(self, show: Title, season: int | None = None) -> Iterator[Title]:
        """All episodes of a show, or of one of its seasons."""
        for (trakt, in_season, number), title in sorted(self.by_place.items(), key=lambda one: str(one[0])):
            if trakt == show.trakt and number is not None and season in (None, in_season):
                yield title
