"""Reading a Plex library: filtered lists, newest first, in pages of 1,000, each list with its proof and its stamp.

A list that asks for watched rows, newest first, says with its first page all a stamp needs: how many
there are, and the newest of them. So the stamp costs nothing when the list is read, and one request
a list when it is not, however large the library is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from math import ceil
from typing import Any, Final, TypeVar, cast

from cwsync.errors import ConfigError, UnavailableError
from cwsync.http import Answer, Http, Page, Whole, pages, together
from cwsync.http.answer import http_date
from cwsync.model import Entry, Feature, Kind, Undecoded
from cwsync.providers._plexwire import (
    STAMP_ROWS,
    TYPES,
    Container,
    Row,
    RowError,
    Section,
    Show,
    decode_container,
    decode_row,
    decode_sections,
    item_of,
    judge,
    stamp,
    value_of,
)

T = TypeVar("T")
PAGE: Final = 1000
AT_ONCE: Final = 4
TRIES: Final = 3
KEYS_AT_ONCE: Final = 100
# Each row without what nobody here reads: an episode is then a tenth of itself.
_THIN: Final = {
    "excludeElements": "Media,Role,Genre,Country,Director,Writer,Producer,Image,UltraBlurColors,Collection",
    "excludeFields": "summary,tagline,file",
}
_KINDS: Final[Mapping[Feature, Mapping[Kind, tuple[Kind, ...]]]] = {
    Feature.HISTORY: {Kind.MOVIE: (Kind.MOVIE,), Kind.SHOW: (Kind.EPISODE,)},
    Feature.PROGRESS: {Kind.MOVIE: (Kind.MOVIE,), Kind.SHOW: (Kind.EPISODE,)},
    Feature.RATINGS: {Kind.MOVIE: (Kind.MOVIE,), Kind.SHOW: (Kind.SHOW, Kind.SEASON, Kind.EPISODE)},
}
_tally: ContextVar[list[int]] = ContextVar("tally")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read."""

    key: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Listing:
    """One list, whole. `rows` hold what was asked for; `mark` is its stamp, None where there is none."""

    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...]
    mark: str | None


@dataclass(slots=True)
class Reading:
    """A feature as the library tells it. `held` are its rows and their guids; `doubt` why some may be missing."""

    entries: list[Entry] = field(default_factory=list)
    held: dict[int, int] = field(default_factory=dict)
    undecoded: list[Undecoded] = field(default_factory=list)
    mark: str | None = None
    doubt: str | None = None
    server_now: datetime | None = None
    requests: int = 0


Part = tuple[Section, Kind]


def query_of(feature: Feature | None, kind: Kind) -> dict[str, str | int]:
    """The parameters of the rows of `kind` that hold something in a feature (None: all rows), newest first.

    Source: the media queries of the official document; that plain ``unwatched`` finds no episodes is
    reported by users, so fields of episodes carry their prefix (checked 2026-11-21).
    """
    scope = "episode." if kind is Kind.EPISODE else ""
    made: dict[str, str | int] = {"type": TYPES[kind], "includeGuids": 1, **_THIN}
    if feature is Feature.HISTORY:
        return made | {f"{scope}unwatched": 0, "sort": f"{scope}lastViewedAt:desc,{scope}addedAt"}
    if feature is Feature.PROGRESS:
        return made | {f"{scope}inProgress": 1, "sort": f"{scope}lastViewedAt:desc,{scope}addedAt"}
    if feature is Feature.RATINGS:
        return made | {"userRating>>": 0, "sort": "lastRatedAt:desc"}
    return made | {"sort": f"{scope}addedAt"}


class Library:
    """The libraries of one user at one server. Lists that several features need are read once a round."""

    def __init__(self, http: Http, names: Sequence[str]) -> None:
        self.http = http
        self._names = tuple(names)
        self._round: dict[tuple[object, ...], asyncio.Task[Any]] = {}
        self._asked: set[Feature] = set()
        self._all: dict[Part, asyncio.Task[Listing]] = {}
        self._tasks: list[asyncio.Task[Any]] = []
        self._now: datetime | None = None

    async def aclose(self) -> None:
        """Give up what is still being read."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self) -> None:
        """Begin a new round: nothing that was read so far counts."""
        self._round.clear()
        self._asked.clear()

    def wrote(self) -> None:
        """Something was written: a list of all rows, which any feature may look at, is not the newest any more."""
        self._round = {name: task for name, task in self._round.items() if name[-1] is not None}

    # --- features ---------------------------------------------------------------------------------

    async def read(self, feature: Feature) -> Reading:
        """A feature, whole. Raises `UnavailableError` when the library does not stand still, `AuthError`."""
        if feature in self._asked:  # a second look must not be at what the first one saw
            self.forget()
        self._asked.add(feature)
        tally = [0]
        token = _tally.set(tally)
        try:
            parts = await self._parts(feature)
            calls = [partial(self._listing, section, kind, feature) for section, kind in parts]
            listings = await together(calls, at_once=AT_ONCE)
            shows = await self._shows(parts, listings)
        finally:
            _tally.reset(token)
        reading = Reading(mark=_joined(parts, [one.mark for one in listings]), server_now=self._now)
        for (section, _), listing in zip(parts, listings, strict=True):
            _fill(reading, feature, section, listing, shows)
        busy = sorted({section.title for section, _ in parts if section.busy})
        if reading.undecoded:
            reading.doubt = f"{len(reading.undecoded)} rows cannot be read, first {reading.undecoded[0].where}"
        elif busy:
            reading.doubt = f"the server is scanning {', '.join(busy)}"
        reading.requests = tally[0]
        return reading

    async def watermark(self, feature: Feature) -> str | None:
        """The stamp of a feature: one small request for each list."""
        parts = await self._parts(feature)
        calls = [partial(self._mark, section, kind, feature) for section, kind in parts]
        return _joined(parts, await together(calls, at_once=AT_ONCE))

    async def _parts(self, feature: Feature) -> list[Part]:
        sections = await self.sections()
        return [(section, kind) for section in sections for kind in _KINDS[feature][section.kind]]

    async def _mark(self, section: Section, kind: Kind, feature: Feature) -> str | None:
        page = await self._page(section, query_of(feature, kind), 0, STAMP_ROWS)
        rows = [_read_row(raw, kind) for raw in page.rows]
        return _stamp(feature, page.total, rows)

    async def _shows(self, parts: Sequence[Part], listings: Sequence[Listing]) -> dict[str, Show]:
        """The shows that the rows of some lists belong to."""
        wanted = {
            section.key: section
            for (section, kind), listing in zip(parts, listings, strict=True)
            if kind in (Kind.SEASON, Kind.EPISODE) and listing.rows
        }
        calls = [partial(self._listing, section, Kind.SHOW, None) for section in wanted.values()]
        found = await together(calls, at_once=AT_ONCE)
        return {row.key: Show(row.ids, row.title, row.year) for listing in found for row in listing.rows}

    # --- what writes need ---------------------------------------------------------------------------

    async def everything(self, kind: Kind) -> tuple[list[Row], dict[str, Show]]:
        """All rows of a kind in all libraries, and their shows. Read once: which row is which title stays."""
        sections = [one for one in await self.sections() if kind in _ROWS_OF[one.kind]]
        parts: list[Part] = [(section, kind) for section in sections]
        for part in parts:
            if part not in self._all:
                self._all[part] = self._begun(self._whole(part[0], part[1], None))
        listings = [await asyncio.shield(self._all[part]) for part in parts]
        shows = await self._shows(parts, listings) if kind in (Kind.SEASON, Kind.EPISODE) else {}
        return [row for listing in listings for row in listing.rows], shows

    async def rows(self, keys: Sequence[str]) -> dict[str, Row]:
        """Some rows as they are now, by key. One that is gone, in another library, or unreadable is not there."""
        found: dict[str, Row] = {}
        own = {section.key for section in await self.sections()} if keys else set()
        blocks = [keys[first : first + KEYS_AT_ONCE] for first in range(0, len(keys), KEYS_AT_ONCE)]
        for answer in await together([partial(self._block, block) for block in blocks], at_once=AT_ONCE):
            if answer.status == 404:  # not one of them is there
                continue
            for raw in decode_container(answer).rows:
                row = _read_row(raw, None)
                # Recorded answers name the library of such a row (checked 2026-11-21).
                if isinstance(row, Row) and str(raw.get("librarySectionID", next(iter(own), ""))) in own:
                    found[row.key] = row
        return found

    async def _block(self, keys: Sequence[str]) -> Answer:
        path = f"/library/metadata/{','.join(keys)}"
        return await self.get(path, {"includeGuids": 1, **_THIN}, allowed=(200, 404))

    # --- lists ------------------------------------------------------------------------------------

    async def sections(self) -> list[Section]:
        """The libraries of films and shows that the account is about. Raises `ConfigError` for one that is missing."""
        return await self._once(("sections",), self._read_sections)

    async def _read_sections(self) -> list[Section]:
        found = decode_sections(await self.get("/library/sections"))
        if not self._names:
            return found
        known = {name for section in found for name in (section.title.casefold(), section.key)}
        for name in self._names:
            if name.casefold() not in known:
                titles = ", ".join(repr(section.title) for section in found) or "none"
                where, hint = f"accounts.{self.http.account_name}.libraries", f"libraries of this user: {titles}"
                raise ConfigError(f"there is no library {name!r}", where=where, hint=hint)
        wanted = {name.casefold() for name in self._names}
        return [section for section in found if wanted & {section.title.casefold(), section.key}]

    async def _listing(self, section: Section, kind: Kind, feature: Feature | None) -> Listing:
        shows = (kind, feature) == (Kind.SHOW, Feature.RATINGS)
        call = partial(self._rated_shows, section) if shows else partial(self._whole, section, kind, feature)
        return await self._once((section.key, kind, feature), call)

    async def _rated_shows(self, section: Section) -> Listing:
        """The rated shows, out of the list of all shows that episodes need anyway, with the stamp of the filtered one.

        That is read where a row is unreadable (has it a rating?), or the newest twenty cannot be told.
        """
        every = await self._listing(section, Kind.SHOW, None)
        rated = sorted((row for row in every.rows if row.score), key=lambda row: row.rated_at or 0, reverse=True)
        times = [row.rated_at for row in rated]
        if every.bad or (len(rated) > STAMP_ROWS and (None in times or times[STAMP_ROWS - 1] == times[STAMP_ROWS])):
            return await self._whole(section, Kind.SHOW, Feature.RATINGS)
        return Listing(tuple(rated), (), _stamp(Feature.RATINGS, len(rated), rated))

    async def _once(self, name: tuple[object, ...], call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `call` gives; asked for again in the same round, the same."""
        if name not in self._round:
            self._round[name] = self._begun(call())
        return cast("T", await asyncio.shield(self._round[name]))

    def _begun(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of its own: whoever waits for it may be cancelled, and others wait on."""
        task = asyncio.ensure_future(work)
        self._tasks.append(task)
        return task

    async def _whole(self, section: Section, kind: Kind, feature: Feature | None) -> Listing:
        """One list, proved to be whole; read again when it changed meanwhile."""
        doubt = None
        for attempt in range(TRIES):
            # The last try is the one list whose order nothing moves that a user does.
            asked = feature if attempt + 1 < TRIES else None
            whole = await self._read_pages(section, kind, asked)
            if whole.complete and feature is Feature.HISTORY and not whole.rows and await self._lies(section, kind):
                asked, whole = None, await self._read_pages(section, kind, None)
            doubt = whole.doubt
            if whole.complete:
                rows = tuple(row for row in whole.rows if isinstance(row, Row) and _holds(feature, row))
                bad = tuple(row for row in whole.rows if isinstance(row, BadRow))
                # Without its filter a list has another stamp than the one that is asked for later.
                filtered = asked is feature and len(rows) + len(bad) == len(whole.rows)
                mark = _stamp(feature, len(whole.rows), whole.rows) if feature is not None and filtered else None
                return Listing(rows, bad, mark)
        raise UnavailableError(
            f"the library {section.title!r} changed again and again while it was read: {doubt}",
            where=self.http.account_name,
            hint="try again when the server is less busy",
        )

    async def _read_pages(self, section: Section, kind: Kind, feature: Feature | None) -> Whole[Row | BadRow]:
        query = query_of(feature, kind)

        async def fetch(number: int) -> Page[Row | BadRow]:
            page = await self._page(section, query, (number - 1) * PAGE, PAGE)
            last = None if page.total is None else max(1, ceil(page.total / PAGE))
            return Page([_read_row(raw, kind) for raw in page.rows], page.total, last)

        return await pages(fetch, at_once=AT_ONCE, size=PAGE, key=_key)

    async def _lies(self, section: Section, kind: Kind) -> bool:
        """Whether something was watched though the filter finds nothing."""
        query = {name: value for name, value in query_of(Feature.HISTORY, kind).items() if "unwatched" not in name}
        page = await self._page(section, query, 0, 1)
        rows = [_read_row(raw, kind) for raw in page.rows]
        return any(not isinstance(row, Row) or row.views for row in rows)

    async def _page(self, section: Section, query: Mapping[str, str | int], start: int, size: int) -> Container:
        place = {"X-Plex-Container-Start": str(start), "X-Plex-Container-Size": str(size)}
        path = f"/library/sections/{section.key}/all"
        answer = await self.get(path, query, place, allowed=(200, 404))
        if answer.status == 404:
            hint = "if it was removed on purpose, run again; nothing is taken from that"
            raise UnavailableError(f"the library {section.title!r} is gone", where=self.http.account_name, hint=hint)
        page = decode_container(answer)
        if len(page.rows) > size:
            answer.garbled(f"it has {len(page.rows)} rows where {size} were asked for")
        return page

    async def get(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        allowed: Sequence[int] = (200,),
    ) -> Answer:
        """One read of the server. Raises `AuthError` and `UnavailableError` for a status that is not `allowed`."""
        answer = await self.http.get(path, params=params, headers=headers)
        counted = _tally.get(None)
        if counted is not None:
            counted[0] += 1
        judge(answer, self.http.account_name, allowed)
        self._now = http_date(answer.headers) or self._now
        return answer


_ROWS_OF: Final[Mapping[Kind, frozenset[Kind]]] = {
    Kind.MOVIE: frozenset({Kind.MOVIE}),
    Kind.SHOW: frozenset({Kind.SHOW, Kind.SEASON, Kind.EPISODE}),
}


def _read_row(raw: object, kind: Kind | None) -> Row | BadRow:
    try:
        return decode_row(raw, kind)
    except RowError as error:
        return BadRow(error.key, str(error))


def _key(row: Row | BadRow) -> object:
    return row.key if row.key is not None else id(row)


def _holds(feature: Feature | None, row: Row) -> bool:
    """Whether a row holds something; asked again here, for servers that know a filter and those that do not."""
    if feature is Feature.HISTORY:
        return row.views > 0
    if feature is Feature.PROGRESS:
        return row.offset_ms > 0
    return feature is None or row.score is not None


def _stamp(feature: Feature, total: int | None, rows: Sequence[Row | BadRow]) -> str | None:
    """The stamp of a list that begins with `rows`. None where the filter was passed by: it counts nothing then."""
    head = rows[:STAMP_ROWS]
    if not all(isinstance(row, BadRow) or _holds(feature, row) for row in head):
        return None
    return stamp(total, [row.mark(feature) if isinstance(row, Row) else f"{row.key} bad" for row in head])


def _joined(parts: Sequence[Part], marks: Sequence[str | None]) -> str | None:
    """One stamp of several lists, None unless each has one."""
    named = [f"{section.key}/{kind}={mark}" for (section, kind), mark in zip(parts, marks, strict=True) if mark]
    return " ".join(sorted(named)) if len(named) == len(parts) else None


def _fill(reading: Reading, feature: Feature, section: Section, listing: Listing, shows: Mapping[str, Show]) -> None:
    """Add the rows of one list to a reading."""
    for row in listing.rows:
        value = value_of(feature, row)
        if value is not None:
            reading.entries.append(Entry(item_of(row, shows), value, row.key))
            reading.held[int(row.key)] = row.guid_mark
    for one in listing.bad:
        where = f"{section.title} ratingKey {one.key}" if one.key else f"{section.title}, a row without ratingKey"
        reading.undecoded.append(Undecoded(where, one.why, None, one.key))
