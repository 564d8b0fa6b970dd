"""What a simulated AniList holds: titles, one user and the entries of that user's lists. Pure state without HTTP.

Scores are points of 100 as they are stored, times epoch seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cwsync.model import Entry, Feature, Item, Kind, Play, Rated, moment

STATUSES: Final = ("CURRENT", "PLANNING", "COMPLETED", "DROPPED", "PAUSED", "REPEATING")
NO_DATE: Final = {"year": None, "month": None, "day": None}
BORN: Final = 1_600_000_000
# How a stored score is shown, by the format of the account.
SHOWN: Final[Mapping[str, Callable[[int], float]]] = {
    "POINT_100": float,
    "POINT_10_DECIMAL": lambda raw: raw / 10,
    "POINT_10": lambda raw: float((raw + 5) // 10),
    "POINT_5": lambda raw: float((raw + 10) // 20),
    "POINT_3": lambda raw: float(0 if raw == 0 else 1 if raw <= 35 else 2 if raw <= 60 else 3),
}
STORED: Final[Mapping[str, Callable[[float], int]]] = {
    "POINT_100": int,
    "POINT_10_DECIMAL": lambda shown: round(shown * 10),
    "POINT_10": lambda shown: int(shown) * 10,
    "POINT_5": lambda shown: int(shown) * 20 - 10 if shown else 0,
    "POINT_3": lambda shown: (0, 35, 60, 85)[int(shown)],
}


@dataclass
class Title:
    """One title: a film, or one season (or part of one) of a show."""

    id: int
    mal: int | None
    name: str
    format: str = "TV"
    episodes: int | None = 12
    status: str = "FINISHED"
    year: int | None = 2000
    type: str = "ANIME"


@dataclass
class Listed:
    """One entry of the user. `custom` names the custom lists that it is in."""

    id: int
    title: Title
    status: str = "PLANNING"
    score: int = 0
    progress: int = 0
    repeat: int = 0
    private: bool = False
    notes: str | None = None
    hidden: bool = False
    custom: set[str] = field(default_factory=set)
    started: dict[str, int | None] = field(default_factory=lambda: dict(NO_DATE))
    completed: dict[str, int | None] = field(default_factory=lambda: dict(NO_DATE))
    created_at: int = 0
    updated_at: int = 0


class World:
    """Everything behind the simulated address. `now` is its clock in seconds."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = lambda: int(now())
        self.titles: dict[int, Title] = {}
        self.entries: dict[int, Listed] = {}  # by the id of the title
        self.user_id, self.name = 7_000_001, "someone"
        self.score_format, self.timezone = "POINT_10_DECIMAL", "+00:00"
        self.custom_lists: list[str] = []
        self.split_completed = False
        self._next = 500_000_000

    def add(self, title: Title) -> Title:
        """A title of the catalogue."""
        return self.titles.setdefault(title.id, title)

    def know(self, item: Item, **more: Any) -> Title:
        """The title that an item (of an episode: its show) is about, by its ids; made when there is none."""
        ids = item.show_ids if item.kind is Kind.EPISODE else item.ids
        numbers = {one.service: int(one.value) for one in ids if one.service in ("anilist", "mal")}
        number = numbers.get("anilist", 1_000_000 + numbers.get("mal", 0))
        film = item.kind is Kind.MOVIE
        settings = {"format": "MOVIE" if film else "TV", "episodes": 1 if film else 12, "year": item.year} | more
        name = item.show_title if item.kind is Kind.EPISODE else item.title
        return self.add(Title(number, numbers.get("mal"), name or f"Title {number}", **settings))

    def entry(self, title: Title, **more: Any) -> Listed:
        """The entry of a title, made (as PLANNING) when there is none, with these fields."""
        made = self.entries.get(title.id)
        if made is None:
            self._next += 1
            made = self.entries[title.id] = Listed(self._next, title, created_at=BORN, updated_at=BORN)
        for name, value in more.items():
            setattr(made, name, value)
        made.updated_at = max(made.updated_at + 1, self.now())
        return made

    def by_id(self, number: int) -> Listed | None:
        """The entry with an id of its own."""
        return next((one for one in self.entries.values() if one.id == number), None)

    def put(self, feature: Feature, entries: Iterable[Entry]) -> None:
        """Let the account hold exactly these rows of a feature, and nothing else."""
        self.entries.clear()
        for one in entries:
            title = self.know(one.item)
            if isinstance(one.value, Rated):
                self.entry(title, status="COMPLETED", score=one.value.score)
            elif isinstance(one.value, Play):
                number = one.item.number or 1
                held = self.entry(title)
                held.progress = max(held.progress, number)
                held.status = "COMPLETED" if held.progress == title.episodes else "CURRENT"
            else:
                at = one.value.at
                self.entry(title, status="PLANNING", created_at=int(moment(at).timestamp()) if at else 0)

    def groups(self) -> list[dict[str, Any]]:
        """The lists as they come: by status, the completed ones by format if so wished, then the custom ones."""
        made: dict[tuple[str, bool, bool, str | None], list[Listed]] = {}
        newest = sorted(self.entries.values(), key=lambda one: (-one.updated_at, one.id))
        for one in newest:
            split = self.split_completed and one.status == "COMPLETED"
            name = f"Completed {one.title.format}" if split else one.status.capitalize()
            if not one.hidden:
                made.setdefault((name, False, split, one.status), []).append(one)
        for name in self.custom_lists:
            made[name, True, False, None] = [one for one in newest if name in one.custom]
        names = ("name", "isCustomList", "isSplitCompletedList", "status")
        return [dict(zip(names, key, strict=True)) | {"entries": rows} for key, rows in made.items()]
