"""What AniList is asked, and what it says, read: the user, the entries of the lists, titles. Pure functions.

AniList numbers each season (or part of one) as a title of its own, and knows ids of MyAnimeList beside its
own and no others. Of one title there is one entry: its status, score and progress stand together.
Scores are kept as points of 100, whatever the account shows them as.

Source: the schema of https://graphql.anilist.co, https://docs.anilist.co (checked 2026-11-21).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from cwsync.model import Entry, ExternalId, Feature, Item, Kind, Listed, Play, Rated, Value, external_id, sort_ids

VIEWER: Final = "query{Viewer{id name options{timezone}mediaListOptions{scoreFormat}}}"
_DATE: Final = "{year month day}"
LISTS: Final = (
    "query($user:Int,$chunk:Int,$size:Int){MediaListCollection(userId:$user,type:ANIME,chunk:$chunk,perChunk:$size)"
    "{hasNextChunk lists{entries{id mediaId status score(format:POINT_100)progress repeat createdAt updatedAt "
    f"completedAt{_DATE}media{{id idMal format episodes status seasonYear startDate{{year}}"
    "title{romaji english}}}}}}"
)
TITLE: Final = (
    "fragment T on Media{id idMal format episodes status seasonYear startDate{year}title{romaji english}"
    "mediaListEntry{id mediaId status score(format:POINT_100)progress repeat createdAt updatedAt notes "
    f" customLists completedAt{_DATE}}}}}"
)
STATUSES: Final = frozenset({"CURRENT", "PLANNING", "COMPLETED", "DROPPED", "PAUSED", "REPEATING"})
# Those of whom all was seen, once at least.
DONE: Final = frozenset({"COMPLETED", "REPEATING"})
MOST_EPISODES: Final = 10_000
_MAX_TIME: Final = 253_402_300_799  # the end of the year 9999


class RowError(ValueError):
    """A row that cannot be read. `item` is what it is about, where at least that can."""

    def __init__(self, why: str, item: Item | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.item = item


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose token it is. `timezone` is ``+02:00`` or so, `score_format` how the account shows scores."""

    number: int
    name: str
    timezone: str | None = None
    score_format: str | None = None

    @property
    def account_id(self) -> str:
        """The account as snapshots name it. Names may change, numbers do not."""
        return f"anilist:{self.number}"


@dataclass(frozen=True, slots=True)
class Title:
    """One title. `episodes` is None while nobody knows; `finished` says that no more of them will come."""

    number: int
    mal: int | None
    kind: Kind
    format: str | None
    episodes: int | None
    finished: bool


@dataclass(frozen=True, slots=True)
class Held:
    """An entry of the user. `more` names what else it holds that would be lost with it."""

    number: int
    status: str
    score: int
    progress: int
    repeat: int
    completed: bool
    created_at: datetime | None = None
    more: tuple[str, ...] = ()

    def seen(self, title: Title) -> int:
        """How many episodes were seen, from the first on; of a film 1."""
        if self.status in DONE or self.repeat > 0:
            whole = title.episodes if title.finished and title.episodes else 0
            return max(self.progress, 1 if title.kind is Kind.MOVIE else whole)
        return self.progress


# --- tokens ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says of itself. Nobody vouches for it: it is good for warnings, and for nothing else."""

    user: str | None = None
    expires_at: datetime | None = None


def decode_token(token: str) -> Claims:
    """Read a JSON web token without checking it. What is none says nothing."""
    parts = token.split(".")
    if len(parts) != 3:
        return Claims()
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return Claims()
    told = found if isinstance(found, dict) else {}
    user, until = told.get("sub"), told.get("exp")
    sane = isinstance(until, int | float) and not isinstance(until, bool) and 0 < until < _MAX_TIME
    return Claims(
        str(user) if isinstance(user, str | int) and str(user) else None,
        datetime.fromtimestamp(int(until), UTC) if sane and until is not None else None,
    )


# --- answers --------------------------------------------------------------------------------------


def decode_viewer(data: Mapping[str, Any]) -> Viewer:
    """Read whose token it is. Raises ``ValueError``."""
    found = _mapping(data.get("Viewer"))
    number, name = found.get("id"), found.get("name")
    if type(number) is not int or number < 1 or not isinstance(name, str):
        raise ValueError("it does not say whose token it is")
    zone = _mapping(found.get("options")).get("timezone")
    shown = _mapping(found.get("mediaListOptions")).get("scoreFormat")
    return Viewer(number, name, zone if isinstance(zone, str) else None, shown if isinstance(shown, str) else None)


def decode_lists(data: Mapping[str, Any]) -> tuple[list[Any], bool]:
    """The rows of a collection, each once, and whether there are more. Raises ``ValueError`` for another shape.

    An entry stands in the list of its status and in every custom list that has it; one that is hidden
    from the lists of status only in the latter.
    """
    found = data.get("MediaListCollection")
    if not isinstance(found, dict) or not isinstance(found.get("lists"), list):
        raise ValueError("it holds no lists")
    rows: list[Any] = []
    seen: set[int] = set()
    for group in found["lists"]:
        entries = group.get("entries") if isinstance(group, dict) else None
        if not isinstance(entries, list):
            raise ValueError("a list has no entries")
        for row in entries:
            number = row.get("id") if isinstance(row, dict) else None
            if type(number) is int and number in seen:
                continue
            if type(number) is int:
                seen.add(number)
            rows.append(row)
    return rows, found.get("hasNextChunk") is True


def titles_of(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The titles of an answer to `lookup`, as they come. Raises ``ValueError``."""
    for page in data.values():
        rows = _mapping(page).get("media")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("it holds no titles")
        yield from rows


def decode_looked_up(told: Mapping[str, Any]) -> tuple[Title, Held | None]:
    """A title with the user's entry of it. Raises ``ValueError``."""
    held = told.get("mediaListEntry")
    return decode_title(told), None if held is None else decode_held(_mapping(held))


def row_of(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """The user's entry of a title that was looked up, as a row of a list has it; None where there is none."""
    held = told.get("mediaListEntry")
    return {**held, "media": told} if isinstance(held, dict) else None


def lookup(by_own: Sequence[int], by_mal: Sequence[int], *, size: int) -> tuple[str, dict[str, Any]]:
    """A request for many titles, by AniList's own numbers and by those of MyAnimeList, `size` to a page.

    Numbers of MyAnimeList stand for an anime and for a manga alike, so the type has to be named.
    """
    parts: list[str] = []
    variables: dict[str, Any] = {}
    for word, field, numbers in (("i", "id_in", by_own), ("m", "idMal_in", by_mal)):
        for first in range(0, len(numbers), size):
            name = f"{word}{first // size}"
            variables[name] = list(numbers[first : first + size])
            parts.append(f"{name}:Page(perPage:50){{media({field}:${name},type:ANIME){{...T}}}}")
    declared = ",".join(f"${name}:[Int]" for name in variables)
    return f"query({declared}){{{' '.join(parts)}}} {TITLE}", variables


def decode_title(told: Mapping[str, Any]) -> Title:
    """Read a title. Raises ``ValueError``."""
    number, mal = told.get("id"), told.get("idMal")
    if type(number) is not int or number < 1:
        raise ValueError("a title has no number")
    shape, episodes = told.get("format"), told.get("episodes")
    return Title(
        number,
        mal if type(mal) is int and mal > 0 else None,
        Kind.MOVIE if shape == "MOVIE" else Kind.SHOW,
        shape if isinstance(shape, str) else None,
        episodes if type(episodes) is int and 0 < episodes <= MOST_EPISODES else None,
        told.get("status") in ("FINISHED", "CANCELLED"),
    )


def decode_held(told: Mapping[str, Any]) -> Held:
    """Read an entry of the user. Raises ``ValueError``."""
    number, status, score = told.get("id"), told.get("status"), told.get("score")
    if type(number) is not int or number < 1 or not isinstance(status, str) or status not in STATUSES:
        raise ValueError("an entry has no number or no status that is known")
    if isinstance(score, bool) or not isinstance(score, int | float | None) or not 0 <= (score or 0) <= 100:
        raise ValueError("the score of an entry is none of 0 to 100")
    counts = [told.get(name) or 0 for name in ("progress", "repeat")]
    if not all(type(count) is int and 0 <= count <= MOST_EPISODES for count in counts):
        raise ValueError(f"the progress of an entry is none of 0 to {MOST_EPISODES}")
    custom = told.get("customLists")
    more = [*(["notes"] if told.get("notes") else []), *(["a custom list"] if _is_in_one(custom) else [])]
    return Held(
        number,
        status,
        round(score or 0),
        counts[0],
        counts[1],
        decode_date(told.get("completedAt")) is not None,
        _moment(told.get("createdAt")),
        tuple(more),
    )


def _is_in_one(custom: object) -> bool:
    """Whether an entry is in a custom list: a map of truth values, or a list of objects."""
    if isinstance(custom, dict):
        return any(custom.values())
    return isinstance(custom, list) and any(_mapping(one).get("enabled") for one in custom)


def decode_date(told: object) -> date | None:
    """A date of which each part may be unknown; None unless all of it is known."""
    parts = [_mapping(told).get(name) for name in ("year", "month", "day")]
    if not all(type(part) is int for part in parts):
        return None
    try:
        return date(*parts)  # type: ignore[arg-type]
    except ValueError:
        return None


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


# --- rows -----------------------------------------------------------------------------------------


def item_of(told: Mapping[str, Any]) -> tuple[Item, Title]:
    """The item that a title is. Raises ``ValueError``."""
    title = decode_title(told)
    names = _mapping(told.get("title"))
    name = next((text for word in ("english", "romaji") if isinstance(text := names.get(word), str) and text), None)
    year = told.get("seasonYear") or _mapping(told.get("startDate")).get("year")
    ids = ids_of(title)
    return Item(title.kind, ids, name, year if type(year) is int and 0 < year < 10_000 else None), title


def ids_of(title: Title) -> tuple[ExternalId, ...]:
    """Its ids, under the kind that AniList gives it."""
    own = [external_id("anilist", title.kind, title.number)]
    return sort_ids([*own, *([external_id("mal", title.kind, title.mal)] if title.mal else [])])


def entries_of(feature: Feature, row: object) -> list[Entry]:
    """What one row of a list says in a feature; nothing, one record or, of a history, many. Raises `RowError`."""
    told = _mapping(row)
    try:
        item, title = item_of(_mapping(told.get("media")))
    except ValueError as error:
        raise RowError(str(error)) from None
    try:
        held = decode_held(told)
    except ValueError as error:
        raise RowError(str(error), item) from None
    key = str(held.number)
    if feature is Feature.HISTORY:
        at = decode_date(told.get("completedAt"))
        return [Entry(one, Play(at if one is item else None), name) for one, name in seen_of(item, title, held)]
    value: Value | None = None
    if feature is Feature.WATCHLIST and held.status == "PLANNING":
        value = Listed(held.created_at)
    elif feature is Feature.RATINGS and held.score:
        # The only time there is moves with every change of the entry: it says nothing of the rating.
        value = Rated(held.score)
    return [] if value is None else [Entry(item, value, key, str(told.get("updatedAt")))]


def seen_of(item: Item, title: Title, held: Held) -> Iterator[tuple[Item, str]]:
    """What was seen of a title: the film, or its episodes as AniList counts them; with a name for each."""
    n_seen = held.seen(title)
    if title.kind is Kind.MOVIE:
        if n_seen:
            yield item, str(held.number)
        return
    for number in range(1, n_seen + 1):
        episode = Item(
            Kind.EPISODE,
            (),
            show_ids=item.ids,
            season=1,
            number=number,
            show_title=item.title,
            show_year=item.year,
        )
        yield episode, f"{held.number}:{number}"


def _moment(seconds: object) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if type(seconds) is int and 0 < seconds < _MAX_TIME else None
