"""What the simulated SIMKL does with the bodies of writes: find titles, file them, count, echo.

A show without seasons in a history is every episode of it; without seasons in a removal it leaves the
library with its rating. What is not known of anime is listed under shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from simulators.simkl_titles import Episode, Title, Titles
from simulators.simkl_user import UNKNOWN, User, text

LISTS = ("movies", "shows", "anime", "episodes")
FIELDS = frozenset((
    "to", "ids", "title", "year", "added_at", "watched_at", "status", "rating", "rated_at", "memo", "seasons",
    "episodes", "use_tvdb_anime_seasons",
))  # fmt: skip


class RefusedError(Exception):
    """A request that is refused whole."""

    def __init__(self, status: int, error: str, **more: Any) -> None:
        super().__init__(error)
        self.status = status
        self.body: dict[str, Any] = {"error": error, "code": status} | more
        self.headers: dict[str, str] = {}


@dataclass
class Sent:
    """One object of a body: the title it means, and in which list it stood."""

    plural: str
    given: dict[str, Any]
    title: Title

    def echo(self, **more: Any) -> dict[str, Any]:
        kind = "movie" if self.plural == "movies" else "show"
        return {"ids": self.given["ids"], "type": kind} | more


@dataclass
class Reading:
    """A body read: what it names, and what of it is not known."""

    sent: list[Sent] = field(default_factory=list)
    alone: list[tuple[Title, Episode, dict[str, Any]]] = field(default_factory=list)
    not_found: dict[str, list[Any]] = field(default_factory=dict)


@dataclass
class Writes:
    """The writes of one user. `rewrite` is what it makes of a wished status, in place of the wish."""

    user: User
    titles: Titles
    rewrite: str | None = None

    def read(self, body: object, *, anime: bool = True, episodes: bool = True) -> Reading:
        """Every title a body names. `anime`: whether the list of that name counts, or is ignored without a word."""
        if not isinstance(body, dict) or any(not isinstance(body[name], list) for name in body if name in LISTS):
            raise RefusedError(400, "wrong_parameter")
        reading = Reading(not_found={name: [] for name in ("movies", "shows", *(["episodes"] if episodes else []))})
        for plural in ("movies", "shows", "anime"):
            for one in body.get(plural, []) if plural != "anime" or anime else []:
                if not isinstance(one, dict) or not isinstance(one.get("ids"), dict) or set(one) - FIELDS:
                    raise RefusedError(400, "wrong_parameter")
                title = self.titles.find(one, film=plural == "movies", season=_season(one))
                if title is None:
                    echo = {name: one[name] for name in ("ids", "rating") if name in one}
                    reading.not_found["movies" if plural == "movies" else "shows"].append(echo)
                else:
                    reading.sent.append(Sent(plural, one, title))
        for one in body.get("episodes", []) if episodes else []:
            found = self.titles.episode(one)
            if found is None:
                reading.not_found["episodes"].append({"ids": one.get("ids")})
            else:
                reading.alone.append((*found, one))
        return reading

    def _episodes(self, one: Sent) -> Iterator[tuple[Title, Episode, dict[str, Any]]]:
        """The episodes that an object names; those it has wrong are named nowhere."""
        given, title = one.given, one.title
        native = not {"imdb", "tmdb", "tvdb"} & set(given["ids"]) and not given.get("use_tvdb_anime_seasons")
        seasons = given.get("seasons")
        if seasons is None and "episodes" in given:
            seasons = [{"number": 1, "episodes": given["episodes"]}]
        for season in seasons or []:
            numbers = season.get("episodes")
            if numbers is None:
                every = [found for found in title.episodes.values() if found.place[0] == season.get("number")]
                yield from ((title, found, given | season) for found in every)
            for episode in numbers or []:
                # Several titles of anime may be one show of TVDB.
                titles = [title] if native else self._like(title, given["ids"])
                for other in titles:
                    found = other.place(season.get("number"), episode.get("number"), native=native)
                    if found is not None:
                        yield other, found, given | episode
                        break

    def _like(self, title: Title, ids: Mapping[str, Any]) -> list[Title]:
        others = self.titles.by_id.get((False, "tvdb", str(ids.get("tvdb", ""))), [])
        return [title, *(one for one in others if one is not title and title.part == "anime")]

    # --- the writes -----------------------------------------------------------------------------

    def add_to_list(self, body: object) -> dict[str, Any]:
        if isinstance(body, dict) and "to" in body:
            raise RefusedError(400, "empty_field")
        reading = self.read(body, episodes=False)
        added: dict[str, list[Any]] = {"movies": [], "shows": []}
        for one in reading.sent:
            to = one.given.get("to")
            if not isinstance(to, str):
                raise RefusedError(400, "empty_field")
            to = self.rewrite or ("completed" if one.title.is_film and to == "watching" else to)
            held = self.user.hold(one.title, to)
            if "added_at" in one.given:
                held.added_at = one.given["added_at"]
            added["movies" if one.plural == "movies" else "shows"].append(one.echo(to=to))
        return {"added": added, "not_found": reading.not_found}

    def add_history(self, body: object) -> dict[str, Any]:
        reading = self.read(body)
        counts = {"movies": 0, "shows": 0, "episodes": 0}
        statuses = []
        for one in reading.sent:
            at = one.given.get("watched_at")
            if one.title.is_film:
                counts["movies"] += 1
                self.user.watch(one.title, _kept(at) or self.user.at())
            else:
                counts["shows"] += 1
                counts["episodes"] += self._watch_show(one)
            status = self.user.library[one.title.simkl].status if one.title.simkl in self.user.library else None
            told = {"status": status, "simkl_type": _type(one.title), "anime_type": one.title.anime_type}
            statuses.append({"request": one.echo(), "response": told})
        for title, episode, given in reading.alone:
            counts["episodes"] += 1
            self.user.watch_episode(title, episode.place, _kept(given.get("watched_at")) or self.user.at())
        return {"added": counts | {"statuses": statuses}, "not_found": reading.not_found}

    def _watch_show(self, one: Sent) -> int:
        if "seasons" not in one.given and "episodes" not in one.given:
            held = self.user.hold(one.title, "completed")
            held.bulk, held.watched_at = True, _kept(one.given.get("watched_at")) or self.user.at()
            return len(one.title.episodes)
        found = list(self._episodes(one))
        for title, episode, given in found:
            self.user.watch_episode(title, episode.place, _kept(given.get("watched_at")) or self.user.at())
        return len(found)

    def remove_history(self, body: object) -> dict[str, Any]:
        reading = self.read(body, anime=False)
        reading.not_found.pop("episodes")
        counts = {"movies": 0, "shows": 0, "episodes": 0}
        for one in reading.sent:
            if "seasons" in one.given or "episodes" in one.given:
                for title, episode, _ in self._episodes(one):
                    counts["episodes"] += self.user.unwatch_episode(title, episode.place)
            elif self.user.remove(one.title):
                counts["movies" if one.plural == "movies" else "shows"] += 1
        return {"deleted": counts, "not_found": reading.not_found}

    def add_ratings(self, body: object) -> dict[str, Any]:
        reading = self.read(body, episodes=False)
        counts = {"movies": 0, "shows": 0}
        statuses = []
        for one in reading.sent:
            rating, plural = one.given.get("rating"), "movies" if one.plural == "movies" else "shows"
            if type(rating) is not int or not 1 <= rating <= 10:
                reading.not_found[plural].append({"ids": one.given["ids"], "rating": rating})
                continue
            held = self.user.rate(one.title, rating, one.given.get("rated_at") or self.user.at())
            counts[plural] += 1
            told = {"status": held.status, "simkl_type": _type(one.title), "anime_type": one.title.anime_type}
            statuses.append({"request": one.echo(rating=rating), "response": told})
        return {"added": counts | {"statuses": statuses}, "not_found": reading.not_found}

    def remove_ratings(self, body: object) -> dict[str, Any]:
        reading = self.read(body, anime=False, episodes=False)
        counts = {"movies": 0, "shows": 0}
        for one in reading.sent:
            if self.user.unrate(one.title):
                counts["movies" if one.plural == "movies" else "shows"] += 1
        return {"deleted": counts, "not_found": reading.not_found}

    def watched(self, body: object) -> list[dict[str, Any]] | None:
        """Where each of the titles is, that are asked for by bare ids."""
        if not isinstance(body, list) or len(body) > 100:
            raise RefusedError(400, "wrong_parameter")
        found: list[dict[str, Any]] = []
        for one in body:
            kinds = [one["type"] == "movie"] if "type" in one else [True, False]
            told_ids = {name: value for name, value in one.items() if "type" in one or name != "tmdb"}
            titles = [self.titles.find({"ids": told_ids}, film=film) for film in kinds]
            title = next((found for found in titles if found is not None), None)
            held = None if title is None else self.user.library.get(title.simkl)
            if title is None:
                told: dict[str, Any] = {"result": "not_found"}
            elif held is None:
                told = {"result": False}
            else:
                told = {"result": held.status == "completed", "list": held.status, "last_watched": held.watched_at}
            found.append(one | told)
        return found or None


def _season(given: Mapping[str, Any]) -> int | None:
    seasons = given.get("seasons")
    return seasons[0].get("number") if isinstance(seasons, list) and seasons and isinstance(seasons[0], dict) else None


def _type(title: Title) -> str:
    return {"movies": "movie", "shows": "tv", "anime": "anime"}[title.part]


def _kept(at: object) -> str | None:
    """A time as it is kept: to the second; what is too long ago is a time that nobody knows."""
    if not isinstance(at, str):
        return None
    when = datetime.fromisoformat(at)
    return UNKNOWN if when.year < 2000 else text(when)
