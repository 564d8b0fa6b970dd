"""One user of the simulated Trakt: plays, ratings, watchlist, playback, and the stamps of each.

Times are text as Trakt writes them. A play is kept to the minute, and nothing is ever de-duplicated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cwsync.model import Kind
from simulators.trakt_titles import PLURAL, Title

UNKNOWN = "1970-01-01T00:00:00.000Z"
EMPTY_STAMP = "2020-01-01T00:00:00.000Z"
STAMPS = {
    "movies": "watched collected rated watchlisted favorited commented paused hidden",
    "episodes": "watched collected rated watchlisted commented paused",
    "shows": "rated watchlisted favorited commented hidden dropped",
    "seasons": "rated watchlisted commented hidden",
    "watchlist": "updated",
    "favorites": "updated",
    "account": "settings followed following pending requested",
    "lists": "liked reacted updated commented",
    "comments": "liked reacted blocked",
    "collaborations": "updated",
    "saved_filters": "updated",
    "notes": "updated",
}


def text(at: datetime) -> str:
    """A time as Trakt writes it, with milliseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


@dataclass(frozen=True)
class Watched:
    """One play."""

    id: int
    title: Title
    watched_at: str
    action: str = "watch"

    def row(self) -> dict[str, Any]:
        return {"id": self.id, "watched_at": self.watched_at, "action": self.action} | self.title.row()


@dataclass(frozen=True)
class Held:
    """One row of the watchlist, the ratings or the playback; `value` is the rating or the percentage."""

    id: int
    title: Title
    at: str
    value: float = 0

    def listed(self, rank: int) -> dict[str, Any]:
        return {"rank": rank, "id": self.id, "listed_at": self.at, "notes": None} | self.title.row()

    def rated(self) -> dict[str, Any]:
        return {"rated_at": self.at, "rating": int(self.value)} | self.title.row()

    def paused(self, *, full: bool) -> dict[str, Any]:
        return {"progress": self.value, "paused_at": self.at, "id": self.id} | self.title.row(full=full)


@dataclass(frozen=True)
class View:
    """What reads show."""

    history: tuple[Watched, ...]
    ratings: tuple[Held, ...]
    watchlist: tuple[Held, ...]
    playback: tuple[Held, ...]


Key = tuple[Kind, int]


@dataclass
class User:
    """The data of the account. `now` is the clock of the service; stamps never come twice."""

    now: Callable[[], datetime]
    history: dict[int, Watched] = field(default_factory=dict)
    ratings: dict[Key, Held] = field(default_factory=dict)
    watchlist: dict[Key, Held] = field(default_factory=dict)
    playback: dict[Key, Held] = field(default_factory=dict)
    stamps: dict[str, dict[str, str]] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=lambda: {"watchlist": 250, "ratings": 10000, "history": 100000})
    watch_only_once: bool = False
    last_id: int = 3_373_536_619
    last_stamp: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    frozen: View | None = None
    old_stamps: dict[str, Any] | None = None
    cached: View | None = None

    def __post_init__(self) -> None:
        for part, names in STAMPS.items():
            self.stamps[part] = {f"{name}_at": EMPTY_STAMP for name in names.split()}

    # --- stamps and views -----------------------------------------------------------------------

    def touch(self, *names: str) -> None:
        """Move stamps: ``movies.watched``."""
        self.cached = None
        self.last_stamp = max(self.now(), self.last_stamp + timedelta(milliseconds=1))
        for name in names:
            part, _, what = name.partition(".")
            self.stamps[part][f"{what}_at"] = text(self.last_stamp)

    def activities(self) -> dict[str, Any]:
        if self.old_stamps is not None:
            return self.old_stamps
        newest = max(at for part in self.stamps.values() for at in part.values())
        return {"all": newest} | {part: dict(stamps) for part, stamps in self.stamps.items()}

    def view(self) -> View:
        """What reads show now: the data, unless reads lag."""
        if self.frozen is None and self.cached is None:
            self.cached = View(
                tuple(sorted(self.history.values(), key=lambda one: (one.watched_at, one.id), reverse=True)),
                tuple(self.ratings.values()),
                tuple(self.watchlist.values()),
                tuple(self.playback.values()),
            )
        view = self.frozen or self.cached
        assert view is not None
        return view

    def lag(self) -> None:
        """Reads show no more than what is there now, until `settle`."""
        self.frozen = self.view()

    def lag_stamps(self) -> None:
        """The stamps stay as they are, until `settle`."""
        self.old_stamps = self.activities()

    def settle(self) -> None:
        self.frozen = self.old_stamps = None

    # --- changes --------------------------------------------------------------------------------

    def new_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def play(self, title: Title, watched_at: str, action: str = "watch") -> int:
        """One more play, and what follows from it."""
        made = Watched(self.new_id(), title, watched_at, action)
        self.history[made.id] = made
        self.touch(f"{PLURAL[title.kind]}.watched")
        self.playback.pop(title.key, None)
        for gone in self._with_parents(title):
            self.unlist(gone)
        return made.id

    def _with_parents(self, title: Title) -> Iterator[Title]:
        yield title
        for held in list(self.watchlist.values()):
            one = held.title
            if (
                title.show is not None
                and one.kind is Kind.SEASON
                and (one.show, one.season) == (title.show, title.season)
            ):
                yield one
        if title.show is not None:
            yield title.show

    def unplay(self, number: int) -> Title | None:
        """Take one play away by its id."""
        gone = self.history.pop(number, None)
        if gone is None:
            return None
        self.touch(f"{PLURAL[gone.title.kind]}.watched")
        return gone.title

    def plays_of(self, title: Title) -> list[Watched]:
        return [one for one in self.history.values() if one.title.key == title.key]

    def rate(self, title: Title, rating: int, rated_at: str) -> None:
        before = self.ratings.get(title.key)
        self.ratings[title.key] = Held(before.id if before else self.new_id(), title, rated_at, rating)
        self.touch(f"{PLURAL[title.kind]}.rated")

    def unrate(self, title: Title) -> bool:
        if self.ratings.pop(title.key, None) is None:
            return False
        self.touch(f"{PLURAL[title.kind]}.rated")
        return True

    def list(self, title: Title, listed_at: str) -> bool:
        """Put on the watchlist; whether it was not there."""
        if title.key in self.watchlist:
            return False
        self.watchlist[title.key] = Held(self.new_id(), title, listed_at)
        self.touch(f"{PLURAL[title.kind]}.watchlisted", "watchlist.updated")
        return True

    def unlist(self, title: Title) -> bool:
        if self.watchlist.pop(title.key, None) is None:
            return False
        self.touch(f"{PLURAL[title.kind]}.watchlisted", "watchlist.updated")
        return True

    def pause(self, title: Title, percent: float, at: str) -> None:
        self.playback[title.key] = Held(self.new_id(), title, at, percent)
        self.touch(f"{PLURAL[title.kind]}.paused")

    def unpause(self, number: int) -> bool:
        found = next((key for key, held in self.playback.items() if held.id == number), None)
        if found is None:
            return False
        title = self.playback.pop(found).title
        self.touch(f"{PLURAL[title.kind]}.paused")
        return True

    def settings(self) -> dict[str, Any]:
        """The answer of /users/settings, as far as clients of the API have a use for it."""
        image = {"avatar": {"full": "https://example.org/avatar.png"}}
        ids = {"slug": "simulated", "trakt": 77, "uuid": "b6589fc6ab0dc82cf12099d1c2d40ab994e8410c"}
        user = {"username": "simulated", "private": False, "name": None, "vip": False, "vip_ep": False}
        user |= {"director": False, "ids": ids, "joined_at": "2015-01-01T00:00:00.000Z", "images": image}
        user |= {"vip_og": False, "vip_years": 0, "location": None, "about": None, "gender": None, "age": None}
        lists = {"count": 5, "item_count": 250}
        limits: dict[str, Any] = {"list": lists, "watchlist": {"item_count": self.limits["watchlist"]}}
        limits |= {"favorites": {"item_count": 250}, "collection": {"item_count": 100000}, "notes": {"item_count": 100}}
        limits |= {"search": {"recent_count": 5}, "recommendations": {"item_count": 250}}
        return {
            "user": user,
            "account": {"timezone": "UTC", "date_format": "mdy", "time_24hr": True, "cover_image": None},
            "limits": limits,
            "permissions": {"commenting": True, "liking": True, "following": True},
            "sharing_text": {"watching": "", "watched": "", "rated": ""},
        }
