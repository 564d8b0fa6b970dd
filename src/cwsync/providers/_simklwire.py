"""What SIMKL says, read: stamps, rows of the library, ratings, ids. Pure functions; nothing here asks anything.

A library has three parts: ``movies``, ``shows`` and ``anime`` (where a film has the key ``show`` like the
rest). Nothing at all may be ``{}``, ``{"movies": []}``, ``[]`` or a bare ``null``. Only SIMKL's own id is a number.
Times are to the second; one before the year 2000 stands for a time that nobody knows.

Source: https://api.simkl.org (sync) and answers of 2020 and 2026 (checked 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from cwsync.model import parse_when

PARTS: Final = ("shows", "movies", "anime")
PLANNED: Final = "plantowatch"
COMPLETED: Final = "completed"
STATUSES: Final[Mapping[str, tuple[str, ...]]] = {
    "shows": ("watching", PLANNED, "hold", COMPLETED, "dropped"),
    "anime": ("watching", PLANNED, "hold", COMPLETED, "dropped"),
    "movies": (PLANNED, COMPLETED, "dropped"),
}
# An old name of a status, still told to old applications.
_RENAMED: Final = {"notinteresting": "dropped"}
_STAMPS: Final = {"shows": "tv_shows", "movies": "movies", "anime": "anime"}
_ASIDE: Final = frozenset({"all", "playback"})
RATED: Final = "rated_at"
REMOVED: Final = "removed_from_list"
# Stamps are to the second, and so a second change within it shows in none: one as young as this is not relied on.
YOUNG: Final = timedelta(seconds=3)
FIRST_YEAR: Final = 2000
Stamps = dict[str, dict[str, str | None]]
Place = tuple[int, int]


class RowError(Exception):
    """A row that cannot be read. `simkl` is the title it is about, `ids` what else it is called, as far as is known."""

    def __init__(self, why: str, simkl: int | None = None, ids: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.simkl = simkl
        self.ids = dict(ids or {})


# --- stamps ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Activities:
    """When what changed last: by part and bucket, and of all. None: never."""

    parts: Stamps
    newest: str | None

    def settled(self, now: datetime | None) -> Stamps:
        """The stamps that can be relied on later. A young one is left out: it will count as moved."""
        if now is None:
            return {part: dict.fromkeys(told, "") for part, told in self.parts.items()}
        return {
            part: {name: "" if at is not None and _young(at, now) else at for name, at in told.items()}
            for part, told in self.parts.items()
        }

    def since(self, now: datetime | None) -> str | None:
        """What to ask for changes after, the next time: byte for byte, but for a young one."""
        if self.newest is None or (now is not None and not _young(self.newest, now)):
            return self.newest
        when = parse_when(self.newest)
        if not isinstance(when, datetime):
            return None
        return (when - 2 * YOUNG).strftime("%Y-%m-%dT%H:%M:%SZ")

    def same(self, other: Activities) -> bool:
        """Whether nothing that is read here changed in between."""
        return not moved(self.parts, other)


@dataclass(frozen=True, slots=True)
class Moved:
    """What has to be read again: parts with changes, parts with removals, and whether ratings did."""

    items: tuple[str, ...]
    removed: tuple[str, ...]
    rated: bool

    def __bool__(self) -> bool:
        return bool(self.items or self.removed or self.rated)


def decode_activities(found: object) -> Activities:
    """The answer of /sync/activities. Raises ``ValueError`` for one that lacks a part."""
    told = found if isinstance(found, dict) else {}
    parts: Stamps = {}
    for part, name in _STAMPS.items():
        stamps = told.get(name)
        if not isinstance(stamps, dict) or "all" not in stamps or REMOVED not in stamps:
            raise ValueError(f"it has no stamps of {name}")
        parts[part] = {_RENAMED.get(str(key), str(key)): _stamp(at) for key, at in stamps.items()}
    if "all" not in told:
        raise ValueError("it has no stamp of all")
    return Activities(parts, _stamp(told["all"]))


def _stamp(at: object) -> str | None:
    if at is not None and not (isinstance(at, str) and isinstance(parse_when(at), datetime)):
        raise ValueError("a stamp is no time")
    return at


def _young(at: str, now: datetime) -> bool:
    when = parse_when(at)
    return isinstance(when, datetime) and now - when < YOUNG


def moved(before: Stamps, now: Activities) -> Moved:
    """What changed since. Stamps are compared for being the same, never for being later.

    A part whose stamp of all moved while none that is known did has changed in a way that is not known: it is read.
    """
    items: list[str] = []
    removed: list[str] = []
    rated = False
    for part, told in now.parts.items():
        old = before.get(part, {})
        names = {name for name in {*told, *old} if told.get(name) != old.get(name)}
        if names - _ASIDE - {RATED, REMOVED} or names == {"all"}:
            items.append(part)
        if REMOVED in names:
            removed.append(part)
        rated = rated or RATED in names
    return Moved(tuple(items), tuple(removed), rated)


# --- the library ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Episode:
    """One watched episode: where SIMKL has it, when (text, None: not known), its place and its number at TVDB.

    `made_up`: SIMKL says that it was watched, with a time that is not its own.
    """

    place: Place
    at: str | None = None
    tvdb: Place | None = None
    tvdb_id: str | None = None
    made_up: bool = False


def pack_episode(one: Episode) -> list[Any]:
    """An episode as it is kept in a file."""
    return [*one.place, one.at, one.tvdb, one.tvdb_id, int(one.made_up)]


def unpack_episode(told: list[Any]) -> Episode:
    """An episode out of a file."""
    season, number, at, tvdb, own, made_up = told
    return Episode((season, number), at, None if tvdb is None else (tvdb[0], tvdb[1]), own, bool(made_up))


@dataclass(frozen=True, slots=True)
class Was:
    """What a title was before SIMKL took it for another kind: a film or a show, in which part, by which ids.

    `episodes` are those that were watched of a show: of a film SIMKL tells none.
    """

    film: bool
    part: str
    ids: dict[str, str]
    seasons: tuple[int, ...] | None
    episodes: list[Episode]


@dataclass(slots=True)
class Row:
    """One title of the library. Times are text as they came; `tvdb_seasons` None: not told.

    `filed` is how the title stood when a rating of ours had put it there: nobody watched it, or wished for it.
    `was` is set where SIMKL took it for another kind since we know it: here it stays what it was.
    """

    simkl: int
    part: str
    status: str
    ids: dict[str, str]
    title: str | None = None
    year: int | None = None
    anime_type: str | None = None
    added_at: str | None = None
    watched_at: str | None = None
    rating: int | None = None
    rated_at: str | None = None
    n_watched: int = 0
    memo: bool = False
    tvdb_seasons: tuple[int, ...] | None = None
    filed: str | None = None
    episodes: list[Episode] = field(default_factory=list)
    was: Was | None = None

    @property
    def is_film(self) -> bool:
        """Whether it is one film: those of anime too, which stand among shows."""
        if self.was is not None:
            return self.was.film
        return self.part == "movies" or (self.anime_type or "").lower() == "movie"

    @property
    def is_anime(self) -> bool:
        """Whether it is named and numbered as anime is."""
        return (self.part if self.was is None else self.was.part) == "anime"

    def become(self, was: Was) -> None:
        """Be what it was. An id that SIMKL tells of the other kind would be that of another title elsewhere."""
        self.was, self.ids, self.tvdb_seasons = was, was.ids, was.seasons
        if not was.film and not self.episodes and self.status != PLANNED:
            self.episodes = list(was.episodes)

    def names(self) -> list[str]:
        """What it is called by others: ``film imdb tt0113277``. Films and shows of one number are two."""
        kind = "film" if self.is_film else "show"
        return [f"{kind} {service} {value}" for service, value in {**self.ids, "simkl": str(self.simkl)}.items()]

    @property
    def standing(self) -> str:
        """Where it stands, as text."""
        return f"{self.status} {self.watched_at or ''}"

    @property
    def is_filed(self) -> bool:
        """Whether it still stands as a rating of ours had filed it."""
        return self.filed is not None and self.filed == self.standing

    @property
    def lacks_rows(self) -> bool:
        """Whether more episodes were watched than are named."""
        return not self.is_film and self.n_watched > len(self.episodes)


def decode_lists(found: object, wanted: tuple[str, ...]) -> dict[str, list[Any]]:
    """The rows by part. Raises ``ValueError`` for what is no list of rows, or has rows that were not asked for.

    All the forms of nothing are nothing. A part that nobody asked for means that the address was not understood.
    """
    if found is None or found in ([], {}):
        return {}
    if not isinstance(found, dict):
        raise ValueError("it is no object of lists")
    known = {part: rows for part, rows in found.items() if part in PARTS}
    if not known or not all(isinstance(rows, list) for rows in known.values()):
        raise ValueError("it holds no lists of titles")
    strays = [part for part, rows in known.items() if rows and part not in wanted]
    if strays:
        raise ValueError(f"it holds {strays[0]}, which were not asked for")
    return known


def decode_ids(row: object) -> tuple[int, dict[str, str]]:
    """SIMKL's own id of the title of a row, and its other ids as text. Raises `RowError`."""
    thing = (row.get("movie") or row.get("show")) if isinstance(row, dict) else None
    ids = thing.get("ids") if isinstance(thing, dict) else None
    if not isinstance(ids, dict):
        raise RowError("the row names no title")
    texts = {name: str(value) for name, value in ids.items() if isinstance(value, str | int) and value not in ("", 0)}
    number = ids.get("simkl", ids.get("simkl_id"))
    if type(number) is not int or number <= 0:
        raise RowError("the title has no id of SIMKL", ids=texts)
    return number, {name: value for name, value in texts.items() if name not in ("simkl", "simkl_id", "slug")}


def decode_row(part: str, row: Mapping[str, Any]) -> Row:
    """A row of the library. Raises `RowError`."""
    number, ids = decode_ids(row)
    thing = row.get("movie") or row.get("show") or {}
    try:
        status = _status(row.get("status"))
        seasons = row.get("mapped_tvdb_seasons")
        return Row(
            number,
            part,
            status,
            ids,
            _text(thing.get("title")),
            _year(thing.get("year")),
            _text(row.get("anime_type")),
            _time(row.get("added_to_watchlist_at")),
            _time(row.get("last_watched_at")),
            decode_rating(row.get("user_rating")),
            _time(row.get("user_rated_at")),
            _count(row.get("watched_episodes_count")),
            bool(row.get("memo")),
            tuple(one for one in seasons if type(one) is int) if isinstance(seasons, list) and seasons else None,
            None,
            _episodes(row.get("seasons")),
        )
    except ValueError as error:
        raise RowError(str(error), number, ids) from error


def _status(status: object) -> str:
    if not isinstance(status, str) or not status:
        raise ValueError("it is in no list")
    return _RENAMED.get(status, status)


def decode_rating(rating: object) -> int | None:
    """A rating from 1 to 10; None for none. Raises ``ValueError``."""
    if rating is None or rating == 0:
        return None
    if type(rating) is not int or not 1 <= rating <= 10:
        raise ValueError(f"a rating is a whole number from 1 to 10, not {rating!r}")
    return rating


def decode_rated(row: Mapping[str, Any]) -> tuple[int | None, str | None]:
    """The rating of a row, and when it was given. Raises ``ValueError``."""
    return decode_rating(row.get("user_rating")), _time(row.get("user_rated_at"))


def _episodes(seasons: object) -> list[Episode]:
    if seasons is None:
        return []
    if not isinstance(seasons, list):
        raise ValueError("the seasons are no list")
    return [_episode(season, one) for season in seasons for one in _members(season)]


def _members(season: object) -> list[Any]:
    found = season.get("episodes") if isinstance(season, dict) else None
    if not isinstance(found, list):
        raise ValueError("a season has no episodes")
    return found


def _episode(season: Mapping[str, Any], told: object) -> Episode:
    place = (season.get("number"), told.get("number")) if isinstance(told, dict) else None
    if place is None or type(place[0]) is not int or type(place[1]) is not int or not isinstance(told, dict):
        raise ValueError("an episode has no number")
    at_tvdb, ids = told.get("tvdb"), told.get("ids")
    tvdb = (at_tvdb.get("season"), at_tvdb.get("episode")) if isinstance(at_tvdb, dict) else (None, None)
    mapped = (tvdb[0], tvdb[1]) if type(tvdb[0]) is int and type(tvdb[1]) is int else None
    number = ids.get("tvdb_id", ids.get("tvdb")) if isinstance(ids, dict) else None
    own = str(number) if isinstance(number, str | int) and number else None
    return Episode((place[0], place[1]), _time(told.get("watched_at")), mapped, own)


def decode_time(at: str | None) -> datetime | None:
    """A time as it is kept in rows; None for one that is not known."""
    when = parse_when(at)
    return when if isinstance(when, datetime) and when.year >= FIRST_YEAR else None


def _time(at: object) -> str | None:
    if at is None or at == "":
        return None
    if not isinstance(at, str) or not isinstance(parse_when(at), datetime):
        raise ValueError(f"{at!r} is not a time")
    return at


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _year(value: object) -> int | None:
    return value if type(value) is int and 0 < value < 10_000 else None


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


# --- who this is ----------------------------------------------------------------------------------


def decode_account(settings: object) -> tuple[str, str, str]:
    """From /users/settings: the account's number, the user's name and the plan. Raises ``ValueError``."""
    parts = settings if isinstance(settings, dict) else {}
    user, account = (found if isinstance(found := parts.get(name), dict) else {} for name in ("user", "account"))
    number = account.get("id")
    if type(number) is not int or number <= 0:
        raise ValueError("no account is named")
    return str(number), _text(user.get("name")) or "", _text(account.get("type")) or "free"
