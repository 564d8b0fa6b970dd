"""One user of the simulated SIMKL: a library of titles, each in one status, and the stamps of what changed.

There is one play of a film or an episode. Times are text to the second. What leaves the library leaves
no trace but a stamp; what comes back has its history again, and no rating.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from simulators.simkl_titles import Episode, Place, Title

UNKNOWN = "1970-01-01T00:00:01Z"
PARTS = {"shows": "tv_shows", "movies": "movies", "anime": "anime"}
STATUSES = {
    "shows": ("plantowatch", "watching", "completed", "hold", "dropped"),
    "anime": ("plantowatch", "watching", "completed", "hold", "dropped"),
    "movies": ("plantowatch", "completed", "dropped"),
}


def text(at: datetime) -> str:
    """A time as SIMKL writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Held:
    """One title of the library. `bulk`: marked as watched as a whole, so that no episode has a row."""

    title: Title
    status: str
    added_at: str
    watched_at: str | None = None
    rating: int | None = None
    rated_at: str | None = None
    episodes: dict[Place, str] = field(default_factory=dict)
    bulk: bool = False
    memo: str | None = None
    changed_at: str = ""
    rated_changed_at: str = ""

    @property
    def n_watched(self) -> int:
        return len(self.title.episodes) if self.bulk else len(self.episodes)

    def row(self, query: dict[str, str]) -> dict[str, Any]:
        """What a list of the library has of it."""
        title = self.title
        key = "movie" if title.part == "movies" else "show"
        times = {"added_to_watchlist_at": self.added_at, "last_watched_at": self.watched_at}
        made: dict[str, Any] = times | {
            "user_rated_at": self.rated_at,
            "user_rating": self.rating,
            "status": self.status,
        }
        if key == "show":
            last = max(self.episodes, default=None)
            made |= {"last_watched": f"S{last[0]:02d}E{last[1]:02d}" if last else None, "next_to_watch": None}
        total = len(title.episodes)
        made |= {"watched_episodes_count": self.n_watched, "total_episodes_count": total, "not_aired_episodes_count": 0}
        if query.get("memos") == "yes":
            made["memo"] = {"text": self.memo, "is_private": True} if self.memo else {}
        if title.part == "anime":
            made["anime_type"] = title.anime_type
        made[key] = title.stub()
        seasons = list(self._seasons(query)) if query.get("extended", "").startswith("full") else []
        if seasons:
            made["seasons"] = seasons
        if title.part == "anime" and query.get("extended") == "full_anime_seasons":
            made["mapped_tvdb_seasons"] = sorted({one.tvdb[0] for one in title.episodes.values() if one.tvdb})
        return made

    def _seasons(self, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        mode = query.get("include_all_episodes", "no")
        rows = dict(self.episodes)
        if mode == "no" and self.status in ("completed", "dropped"):
            rows = {}
        if mode == "yes" and self.status == "completed":
            # Rows that are not there are made up, all with the time of the last one.
            rows = {place: rows.get(place, self.watched_at or UNKNOWN) for place in self.title.episodes} | rows
        for season in sorted({place[0] for place in rows}):
            numbers = sorted(place[1] for place in rows if place[0] == season)
            yield {"number": season, "episodes": [self._episode((season, n), rows[season, n], query) for n in numbers]}

    def _episode(self, place: Place, at: str, query: dict[str, str]) -> dict[str, Any]:
        known = self.title.episodes.get(place, Episode(place))
        made: dict[str, Any] = {"number": place[1]}
        if query.get("episode_watched_at") == "yes":
            made["watched_at"] = at
        if query.get("episode_tvdb_id") == "yes" and known.tvdb_id:
            made["ids"] = {"tvdb_id": int(known.tvdb_id)}
        if query.get("extended") == "full_anime_seasons" and known.tvdb:
            made["tvdb"] = {"season": known.tvdb[0], "episode": known.tvdb[1]}
        return made


@dataclass
class User:
    """The data of the account. `now` is the clock of the service."""

    now: Callable[[], datetime]
    library: dict[int, Held] = field(default_factory=dict)
    gone: dict[int, Held] = field(default_factory=dict)
    stamps: dict[str, dict[str, str | None]] = field(default_factory=dict)
    settings_at: str | None = None
    plan: str = "free"
    number: int = 4711
    frozen: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        for part, name in PARTS.items():
            names = ("all", "rated_at", "playback", *STATUSES[part], "removed_from_list")
            self.stamps[name] = dict.fromkeys(names)

    def at(self) -> str:
        return text(self.now())

    def touch(self, title: Title, *buckets: str) -> None:
        """Move the stamps of a part: of these buckets, and of the whole."""
        for bucket in (*buckets, "all"):
            self.stamps[PARTS[title.part]][bucket] = self.at()

    def activities(self) -> dict[str, Any]:
        if self.frozen is not None:
            return self.frozen
        every = [part["all"] for part in self.stamps.values()] + [self.settings_at]
        newest = max((at for at in every if at), default=None)
        lists = dict.fromkeys(("all", "regular", "favorites", "recommendations", "auto"))
        made: dict[str, Any] = {"all": newest, "settings": {"all": self.settings_at}}
        return made | {name: dict(part) for name, part in self.stamps.items()} | {"custom_lists": {"lists": lists}}

    # --- changes --------------------------------------------------------------------------------

    def hold(self, title: Title, status: str) -> Held:
        """Put a title into a status, as `add-to-list` does; into the library, unless it is there."""
        held = self.library.get(title.simkl)
        if held is None:
            old = self.gone.pop(title.simkl, None)
            held = Held(title, status, self.at())
            if old is not None:
                held.watched_at, held.episodes = old.watched_at, old.episodes
            self.library[title.simkl] = held
        held.status = status
        if status == "plantowatch" and title.is_film:
            held.watched_at = None
        self.changed(held)
        return held

    def changed(self, held: Held) -> None:
        """Something about a title changed, other than its rating."""
        held.changed_at = self.at()
        self.touch(held.title, held.status)

    def remove(self, title: Title) -> bool:
        """Out of the library, with all that is known of it."""
        held = self.library.pop(title.simkl, None)
        if held is None:
            return False
        self.gone[title.simkl] = held
        self.touch(title, "removed_from_list", *(["rated_at"] if held.rating else []))
        return True

    def watch(self, title: Title, at: str) -> bool:
        """A film was watched; whether that is news. The date of one that was watched stays."""
        held = self.library.get(title.simkl)
        if held is not None and held.status == "completed":
            return False
        held = self.hold(title, "completed")
        held.watched_at = at
        return True

    def watch_episode(self, title: Title, place: Place, at: str) -> bool:
        """An episode was watched; whether that is news."""
        held = self.library.get(title.simkl)
        if held is not None and (held.bulk or place in held.episodes):
            return False
        if held is None:
            held = self.hold(title, "watching")
        held.episodes[place] = at
        held.watched_at = max(held.episodes.values())
        held.status = "completed" if len(held.episodes) >= len(title.episodes) > 1 else "watching"
        self.changed(held)
        return True

    def unwatch_episode(self, title: Title, place: Place) -> bool:
        held = self.library.get(title.simkl)
        if held is None or (place not in held.episodes and not held.bulk):
            return False
        if held.bulk:
            held.episodes, held.bulk = dict.fromkeys(title.episodes, held.watched_at or UNKNOWN), False
        held.episodes.pop(place, None)
        held.status = "watching"
        self.changed(held)
        return True

    def rate(self, title: Title, rating: int, at: str) -> Held:
        """Rate a title. One that is not in the library is filed: a film that is out as watched."""
        held = self.library.get(title.simkl)
        if held is None:
            filed = ("completed" if title.released else "plantowatch") if title.is_film else "watching"
            held = self.hold(title, filed)
        held.rating, held.rated_at, held.rated_changed_at = rating, at, self.at()
        self.touch(title, "rated_at")
        return held

    def unrate(self, title: Title) -> bool:
        held = self.library.get(title.simkl)
        if held is None:
            return False
        if held.rating is not None:
            held.rating, held.rated_at, held.rated_changed_at = None, None, self.at()
            self.touch(title, "rated_at")
        return True

    def reclassify(self, title: Title, part: str, anime_type: str | None) -> None:
        """SIMKL finds that a film is anime, or the reverse."""
        held = self.library[title.simkl]
        self.touch(title, "removed_from_list")
        title.part, title.anime_type = part, anime_type
        self.changed(held)

    def lag(self) -> None:
        """The stamps stay as they are, until `settle`."""
        self.frozen = self.activities()

    def settle(self) -> None:
        self.frozen = None

    def settings(self) -> dict[str, Any]:
        user = {"name": "simulated", "joined_at": "2010-07-01T10:00:03Z", "gender": "", "avatar": "", "bio": ""}
        account = {"id": self.number, "timezone": "UTC", "type": self.plan}
        return {"user": user | {"loc": "", "age": ""}, "account": account, "connections": {"facebook": False}}
