"""Reading a library of Jellyfin or Emby: every row once, for all features and for finding titles.

There is no list that a filter makes shorter and no stamp that could be trusted, so all rows are read,
in pages of 500, and each list has its proof. Features that are read in one round share the lists.

Source: Jellyfin's server 10.10.7 to 12.0-rc5 and its issues 8069 (short pages that are not the last),
17542 (a filter by change that does not know of users), 16410 and 17427 (filters of series); checked 2026-11-21.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar, cast

from cwsync.errors import ConfigError
from cwsync.http import Whole, together
from cwsync.http.client import Params
from cwsync.model import Entry, Feature, Kind, Play, Undecoded
from cwsync.providers._mbcalls import AT_ONCE, Calls, nobody
from cwsync.providers._mblist import Chosen, Members
from cwsync.providers._mbpages import all_rows
from cwsync.providers._mbvalues import believed, entries_of, lingers, value_of
from cwsync.providers._mbwire import (
    BadRow,
    Row,
    RowError,
    Show,
    State,
    decode_page,
    decode_state,
    decode_views,
    read_row,
    same_name,
)

T = TypeVar("T")
PAGE: Final = 500
TRIES: Final = 2
TITLES: Final = "Movie,Series"
SEASONS: Final = "Season"
EPISODES: Final = "Episode"
# Episodes and seasons are named by their shows, which are among the titles.
LISTS: Final[Mapping[Feature, tuple[str, ...]]] = {
    Feature.WATCHLIST: (TITLES,),
    Feature.RATINGS: (TITLES, SEASONS, EPISODES),
    Feature.HISTORY: (TITLES, EPISODES),
    Feature.PROGRESS: (TITLES, EPISODES),
}


_BEGUN: Final = "it was begun again, and the server forgets then that it was played before"


@dataclass(frozen=True, slots=True)
class Listing:
    """Every row of some types. `doubt` says why some may be missing."""

    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...]
    doubt: str | None
    requests: int


@dataclass(slots=True)
class Reading:
    """A feature as the library tells it, and the lists it was read from. `doubt` says why something may be missing.

    `list_doubt`: it may be missing in the list that is the watchlist, so a row that was read proves nothing.
    """

    lists: Sequence[tuple[str, Listing]] = ()
    entries: list[Entry] = field(default_factory=list)
    undecoded: list[Undecoded] = field(default_factory=list)
    lingering: list[Undecoded] = field(default_factory=list)
    doubt: str | None = None
    requests: int = 0
    list_doubt: bool = False


class Library:
    """What one user has of one server. `names` are the libraries that count, all when there are none.

    `admin` says that the server tells us whether it is scanning; `page` is how many rows a page has. `chosen` is
    the list that is the watchlist, where that is not the favourites.
    """

    def __init__(
        self,
        calls: Calls,
        user: str,
        names: Sequence[str],
        *,
        admin: bool,
        page: int = PAGE,
        chosen: Chosen | None = None,
    ) -> None:
        self.calls = calls
        self._chosen = chosen
        self.user = user
        self._page = page
        self._names = tuple(names)
        self._admin = admin
        self._round: dict[str, asyncio.Task[Any]] = {}
        self._asked: set[Feature] = set()
        self._tasks: list[asyncio.Task[Any]] = []

    async def aclose(self) -> None:
        """Give up what is still being read."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self) -> None:
        """Begin a new round: nothing that was read so far counts."""
        self._round.clear()
        self._asked.clear()
        self._tasks = [task for task in self._tasks if not task.done()]  # those hold all rows of before

    # --- features ---------------------------------------------------------------------------------

    async def read(self, feature: Feature) -> Reading:
        """A feature, whole, or with a doubt. Raises `UnavailableError`, `AuthError`, `ConfigError`."""
        if feature in self._asked:  # a second look must not be at what the first one saw
            self.forget()
        self._asked.add(feature)
        begun = [types for types in LISTS[feature] if types not in self._round]
        if self._admin:
            self._begun("busy", self._scanning)
        chosen = self._chosen if feature is Feature.WATCHLIST else None
        found = await together([partial(self.listing, types) for types in LISTS[feature]], at_once=AT_ONCE)
        members = None if chosen is None else await self._once("list", chosen.read)
        busy = await self._once("busy", self._scanning) if self._admin else None
        lists = tuple(zip(LISTS[feature], found, strict=True))
        reading = Reading(lists, requests=sum(listing.requests for types, listing in lists if types in begun))
        shows = shows_of(found[0])
        for listing in found:
            shown = listing if chosen is None or members is None else _chosen(listing, members, chosen.kinds)
            _fill(reading, feature, shown, shows, self.calls.now)
        if reading.undecoded:
            reading.doubt = f"{len(reading.undecoded)} rows cannot be read, first {reading.undecoded[0].where}"
        reading.doubt = reading.doubt or next((one.doubt for one in found if one.doubt), None)
        if members is not None:
            reading.requests += members.requests
            reading.doubt, reading.list_doubt = reading.doubt or members.doubt, members.doubt is not None
        reading.doubt = reading.doubt or busy
        if reading.doubt is None and not any(listing.rows for listing in found):
            reading.doubt = await self._blind()
        return reading

    async def _scanning(self) -> str | None:
        """Why what is missing now may be there in a minute; None when nothing is known to be going on."""
        # Only administrators may ask; that a token is none's cannot always be told before.
        answer = await self.calls.get("/ScheduledTasks", allowed=(200, 401, 403, 404))
        if answer.status != 200:
            return None
        for task in answer.items(list):
            if isinstance(task, dict) and (task.get("Key"), task.get("State")) == ("RefreshLibrary", "Running"):
                return "the server is scanning its libraries"
        return None

    async def _blind(self) -> str:
        """Of a server that shows nothing at all: why. The libraries of one that lost its database are there as well."""
        return "the libraries show no title" if await self._once("views", self._views) else "this user sees no library"

    # --- lists ------------------------------------------------------------------------------------

    async def listing(self, types: str) -> Listing:
        """Every row of some types; asked for again in the same round, the same."""
        return await self._once(types, partial(self._listing, types))

    async def _listing(self, types: str) -> Listing:
        parents = await self._parents()
        found = await together([partial(self._whole, types, one) for one in parents], at_once=AT_ONCE)
        if len(found) == 1:
            return found[0]
        rows = {row.key: row for listing in found for row in listing.rows}
        bad = tuple(one for listing in found for one in listing.bad)
        doubt = next((listing.doubt for listing in found if listing.doubt), None)
        return Listing(tuple(rows.values()), bad, doubt, sum(listing.requests for listing in found))

    async def _parents(self) -> list[str | None]:
        """The libraries to ask for, by id; None is all of them."""
        if not self._names:
            return [None]
        views = await self._once("views", self._views)
        parents: list[str | None] = []
        for name in self._names:
            keys = [key for key, title in views if same_name(name, title) or name.lower() == key]
            if not keys:
                titles = ", ".join(repr(title) for _, title in views) or "none"
                where, hint = f"accounts.{self.calls.account}.libraries", f"libraries of this user: {titles}"
                raise ConfigError(f"there is no library {name!r}", where=where, hint=hint)
            parents += keys
        return list(dict.fromkeys(parents))

    async def _views(self) -> list[tuple[str, str]]:
        path, params = self.calls.dialect.views(self.user)
        return decode_views(await self.calls.get(path, params))

    async def _whole(self, types: str, parent: str | None) -> Listing:
        """One list, proved to be whole; read once more when it is not, then taken with a doubt.

        Some servers always count a row that they never show: nothing of theirs is taken for gone.
        """
        tries, requests = 0, 0
        while True:
            tries += 1
            whole = await self._read_pages(types, parent)
            requests += whole.pages
            if whole.complete or tries == TRIES:
                break
        rows: dict[str, Row] = {}
        bad: list[BadRow] = []
        for one in whole.rows:
            if isinstance(one, Row):
                rows.setdefault(one.key, one)
            elif isinstance(one, BadRow):
                bad.append(one)
        files = list(rows.values())
        if types == EPISODES and self.calls.dialect.names_files and any(row.has_path for row in files):
            # What has no file is an episode that is missing. Where none is told at all, they are kept from us.
            files = [row for row in files if row.has_path]
        return Listing(tuple(files), tuple(bad), whole.doubt, requests)

    async def _read_pages(self, types: str, parent: str | None) -> Whole[Row | BadRow | str]:
        path, common = self.calls.dialect.items(self.user)
        # New rows land at the end, mostly: what was read before does not move.
        order = {"Recursive": "true", "IncludeItemTypes": types, "SortBy": "DateCreated,SortName"}
        query: Params = {**common, **order, "SortOrder": "Ascending", "EnableTotalRecordCount": "true"}
        if parent is not None:
            query = {**query, "ParentId": parent}

        return await all_rows(
            lambda paging: self.calls.get(path, {**query, **paging}),
            lambda raws: [_row_of(raw) for raw in raws],
            size=self._page,
            key=_key,
        )

    async def _once(self, name: str, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `call` gives; asked for again in the same round, the same."""
        return cast("T", await asyncio.shield(self._begun(name, call)))

    def _begun(self, name: str, call: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """A task of its own for `call`: whoever waits for it may be cancelled, and others wait on."""
        if name not in self._round:
            self._round[name] = asyncio.ensure_future(call())
            self._tasks.append(self._round[name])
        return self._round[name]

    # --- single rows ------------------------------------------------------------------------------

    async def rows(self, keys: Sequence[str]) -> dict[str, Row]:
        """Some rows as they are now, by key. One that is gone, or cannot be read, is not there."""
        size = self.calls.dialect.ids_at_once
        blocks = [keys[first : first + size] for first in range(0, len(keys), size)]
        found = await together([partial(self._block, block) for block in blocks], at_once=AT_ONCE)
        return {row.key: row for rows in found for row in rows if isinstance(row, Row)}

    async def _block(self, keys: Sequence[str]) -> list[Row | BadRow | None]:
        path, params = self.calls.dialect.items(self.user)
        answer = await self.calls.get(path, {**params, "Ids": ",".join(keys)})
        return [read_row(raw) for raw in decode_page(answer).rows]

    async def state(self, key: str, *, patient: bool = True) -> tuple[State, dict[str, Any]] | None:
        """What a user did with one row, asked for by itself, also as it was answered; None when the row is gone.

        Lists may show what was there before a write for a while, a row by itself does not. Without
        `patient` a server with an error of its own (500) is not asked again.
        """
        path, params = self.calls.dialect.state(self.user, key)
        answer = await self.calls.get(path, params, allowed=(200, 404, 500), patient=patient)
        if nobody(answer):
            return None
        self.calls.judge(answer)
        body = answer.items(dict)
        raw = body.get("UserData")
        try:
            return decode_state(raw), raw
        except RowError as error:
            answer.garbled(str(error))


def listed(row: Row, members: Container[str]) -> Row:
    """A row of which not the mark of a favourite counts, but whether it is in a list."""
    return replace(row, state=replace(row.state, favourite=row.key in members))


def _chosen(listing: Listing, members: Members, kinds: frozenset[Kind]) -> Listing:
    """The rows of a listing by whether they are in the list that is the watchlist; it holds these `kinds`."""
    rows = (listed(row, members.entries if row.kind in kinds else ()) for row in listing.rows)
    return replace(listing, rows=tuple(rows))


def _row_of(raw: object) -> Row | BadRow | str:
    """A row, or the id of one that is none: it counts in the total."""
    found = read_row(raw)
    return found if found is not None else str(raw.get("Id")) if isinstance(raw, dict) else ""


def _key(row: Row | BadRow | str) -> object:
    if isinstance(row, str):
        return row
    return row.key if row.key is not None else id(row)


def shows_of(titles: Listing) -> dict[str, Show]:
    """The shows among the titles, by key."""
    return {row.key: Show(row.ids, row.title, row.year) for row in titles.rows if row.kind is Kind.SHOW}


def _fill(
    reading: Reading, feature: Feature, listing: Listing, shows: Mapping[str, Show], now: datetime | None
) -> None:
    """Add the rows of one list to a reading, as of `now`, the clock of the server."""
    for row in listing.rows:
        value = value_of(feature, row)
        if value is not None:
            reading.entries += entries_of(row, believed(value, now), shows)
        elif lingers(feature, row):
            records = entries_of(row, Play(None), shows)
            known = [(one.item, one.native_key) for one in records if one.item.key() is not None]
            reading.lingering += [Undecoded(item.label(), _BEGUN, item, key) for item, key in known]
    for one in listing.bad:
        where = f"item {one.key}" if one.key else "a row without Id"
        reading.undecoded.append(Undecoded(where, one.why, None, one.key))
