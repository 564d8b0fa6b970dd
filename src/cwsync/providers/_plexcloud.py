"""The watchlist of a Plex account: a list in the cloud whose rows have no ids of other services.

Their ids are read fifty rows at a time from the catalogue and kept in the cache: ids hardly ever
change, so what is known is kept for a quarter of a year, that a title has none for a day.

Source: recorded answers, and what clients report of limits: 20 rows unless asked otherwise, at most
100 since the end of 2025, about five requests a second (checked 2026-11-21). The date of listing is
told for some rows only; ``addedAt`` is the day of release.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, Final

from cwsync.errors import AuthError, UnavailableError
from cwsync.http import Answer, Http, LostAnswerError, Page, Whole, pages, together
from cwsync.model import Change, Entry, ExternalId, Item, Kind, Listed, Op, Outcome, Receipt, Undecoded
from cwsync.providers._plexcache import IdCache
from cwsync.providers._plexguid import named
from cwsync.providers._plexread import TRIES, Reading
from cwsync.providers._plexwire import MAX_TIME, STAMP_ROWS, RowError, decode_container, stamp, when

AT_ONCE: Final = 3
SIZES: Final = (100, 50, 20)
HYDRATED: Final = 50
_HEX: Final = re.compile(r"[0-9a-f]{24}\Z")
_KINDS: Final = {"movie": Kind.MOVIE, "show": Kind.SHOW}
_NUMBERS: Final = {Kind.MOVIE: 1, Kind.SHOW: 2}
# The order in which a title is looked up: each catalogue knows its own sort of titles best.
_ORDER: Final = {Kind.MOVIE: ("imdb", "tmdb", "tvdb"), Kind.SHOW: ("tvdb", "tmdb", "imdb")}


@dataclass(frozen=True, slots=True)
class Wish:
    """One row of the watchlist."""

    name: str
    kind: Kind
    title: str | None
    year: int | None
    listed_at: int | None


def decode_wish(raw: object) -> Wish:
    """One row of the watchlist. Raises `RowError`."""
    if not isinstance(raw, dict):
        raise RowError("it is no object")
    name = raw.get("ratingKey")
    if not isinstance(name, str) or not _HEX.match(name):
        raise RowError("it has no ratingKey")
    kind = _KINDS.get(str(raw.get("type")))
    title, year, at = raw.get("title"), raw.get("year"), raw.get("watchlistedAt")
    if kind is None or not isinstance(title, str | None):
        raise RowError("it is neither a film nor a show", name)
    sound = at is None or (type(at) is int and 0 <= at <= MAX_TIME)
    if not sound or (year is not None and type(year) is not int):
        raise RowError("its times are no numbers", name)
    return Wish(name, kind, title, year, at or None)


class Watchlist:
    """The watchlist of one account. `urls` are the hosts of the list and of the catalogue."""

    def __init__(self, http: Http, discover: str, metadata: str, cache: IdCache) -> None:
        self._http = http
        self._discover = discover
        self._metadata = metadata
        self._cache = cache
        self._size = SIZES[0]

    # --- reading ------------------------------------------------------------------------------------

    async def read(self) -> Reading:
        """The whole list with ids. Raises `UnavailableError` when it does not stand still, `AuthError`."""
        before = self._http.requests
        wishes, bad = await self._whole()
        ids = await self._ids([wish.name for wish in wishes])
        reading = Reading(mark=_mark(wishes, bad))
        for wish in wishes:
            item = Item(wish.kind, named(wish.kind, "", ids.get(wish.name, ())).ids, wish.title, wish.year)
            reading.entries.append(Entry(item, Listed(when(wish.listed_at)), wish.name))
        for error in bad:
            reading.undecoded.append(Undecoded(f"watchlist {error.key or 'row'}", str(error), None, error.key))
        if bad:
            reading.doubt = f"{len(bad)} rows of the watchlist cannot be read"
        reading.requests = self._http.requests - before
        return reading

    async def watermark(self) -> str | None:
        """How long the list is and what is at its head: one request."""
        page = await self._page(0, STAMP_ROWS)
        wishes, bad = _sorted_out(page.rows)
        return stamp(page.total, [*(_line(wish) for wish in wishes), *(str(error.key) for error in bad)])

    async def _whole(self) -> tuple[list[Wish], list[RowError]]:
        doubt = None
        for _ in range(TRIES):
            whole = await self._all_pages()
            if whole.complete:
                return _sorted_out(whole.rows)
            doubt = whole.doubt
        hint = "try again in a while"
        message = f"the watchlist changed again and again while it was read: {doubt}"
        raise UnavailableError(message, where=self._http.account_name, hint=hint)

    async def _all_pages(self) -> Whole[Any]:
        async def fetch(number: int) -> Page[Any]:
            page = await self._page((number - 1) * self._size, self._size)
            last = None if page.total is None else max(1, ceil(page.total / self._size))
            return Page(page.rows, page.total, last)

        while True:
            size = self._size
            whole = await pages(fetch, at_once=AT_ONCE, size=size, key=_name)
            if size == self._size:  # else the first page was too long for the service: begin again with shorter ones
                return whole

    async def _page(self, start: int, size: int) -> Page[Any]:
        params: dict[str, str | int] = {
            "includeCollections": 1,
            "includeExternalMedia": 1,
            "sort": "watchlistedAt:desc",
        }
        while True:
            place = {"X-Plex-Container-Start": str(start), "X-Plex-Container-Size": str(size)}
            url = f"{self._discover}/library/sections/watchlist/all"
            answer = await self._http.get(url, params=params, headers=place)
            smaller = [one for one in SIZES if one < size]
            if answer.status != 400 or start or not smaller:
                break
            # Only the first page may shrink: the places of later ones count on its size.
            size = self._size = smaller[0]
        judge_cloud(answer, self._http.account_name)
        found = decode_container(answer)
        return Page(found.rows, found.total)

    # --- ids ----------------------------------------------------------------------------------------

    async def _ids(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """``imdb://tt1`` and the like of titles of the catalogue; withdrawn ones have none."""
        self._cache.load()
        unknown = [name for name in names if self._cache.get(name) is None]
        blocks = [unknown[first : first + HYDRATED] for first in range(0, len(unknown), HYDRATED)]
        for found in await together([partial(self._hydrate, block) for block in blocks], at_once=AT_ONCE):
            self._cache.put(found)
        self._cache.save()
        return {name: self._cache.get(name) or () for name in names}

    async def _hydrate(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        url = f"{self._metadata}/library/metadata/{','.join(names)}"
        size = {"X-Plex-Container-Size": str(len(names))}
        answer = await self._http.get(url, params={"includeGuids": 1}, headers=size)
        found: dict[str, tuple[str, ...]] = dict.fromkeys(names, ())
        if answer.status == 404:  # all of them were withdrawn
            return found
        judge_cloud(answer, self._http.account_name)
        for raw in decode_container(answer).rows:
            name = raw.get("ratingKey") if isinstance(raw, dict) else None
            if name in found:
                found[name] = _guids(answer, raw)
        return found

    async def _resolve(self, item: Item) -> str | None:
        """The catalogue's own name of a title, by one of its ids; None when it knows none of them."""
        order = _ORDER[item.kind]
        known = sorted((one for one in item.ids if one.service in order), key=lambda one: order.index(one.service))
        for external in known:
            guid = f"{external.service}://{external.value}"
            params: dict[str, str | int] = {"type": _NUMBERS[item.kind], "guid": guid, "includeGuids": 1}
            answer = await self._http.get(f"{self._metadata}/library/metadata/matches", params=params)
            if answer.status == 404:
                continue
            judge_cloud(answer, self._http.account_name)
            for raw in decode_container(answer).rows:
                if found := _matching(answer, raw, item.kind, external):
                    return found
        return None

    # --- writing ------------------------------------------------------------------------------------

    async def write(self, changes: Sequence[Change]) -> list[Receipt]:
        """List and unlist titles; one receipt each. Raises `UnavailableError` only before the first write."""
        try:
            wishes, _ = await self._whole()
        except AuthError as error:
            return [Receipt(change, Outcome.NOT_SENT, error.code, detail=error.message) for change in changes]
        listed = {wish.name: wish for wish in wishes}
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(change: Change) -> Receipt:
            async with gate:
                return await self._write_one(change, listed)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(change)) for change in changes]
        return [task.result() for task in tasks]

    async def _write_one(self, change: Change, listed: Mapping[str, Wish]) -> Receipt:
        if change.item.kind not in _NUMBERS:
            why = f"Plex lists no {change.item.kind.value}"
            return Receipt(change, Outcome.REJECTED, "kind", detail=why)
        try:
            name = change.native_key or await self._resolve(change.item)
        except (UnavailableError, AuthError) as error:
            return Receipt(change, Outcome.NOT_SENT, error.code, detail=error.message)
        if name is None:
            return Receipt(change, Outcome.NOT_FOUND, "not-in-catalogue", detail="Plex knows none of its ids")
        there = listed.get(name)
        if (there is not None) == (change.op is not Op.REMOVE):
            return Receipt(change, Outcome.ALREADY, native_key=name)
        if there is not None and change.before is not None and change.before.at not in (None, when(there.listed_at)):
            return Receipt(change, Outcome.NOT_SENT, "moved", name, "listed anew since it was read", moved=True)
        return await self._act(change, name)

    async def _act(self, change: Change, name: str) -> Receipt:
        remove = change.op is Op.REMOVE
        url = f"{self._discover}/actions/{'removeFromWatchlist' if remove else 'addToWatchlist'}"
        try:
            # Twice is the same as once: the second time it says that the title is there, or not there.
            answer = await self._http.write("PUT", url, params={"ratingKey": name}, idempotent=True)
        except LostAnswerError as error:
            return await self._after_loss(change, name, error)
        except UnavailableError as error:
            return Receipt(change, Outcome.NOT_SENT, error.code, name, error.message)
        if answer.ok:
            return Receipt(change, Outcome.CONFIRMED, native_key=name)
        if answer.status == 401:
            return Receipt(change, Outcome.NOT_SENT, AuthError.code, name, "the watchlist does not take this token")
        if remove and answer.status in (404, 409):
            return Receipt(change, Outcome.ALREADY, native_key=name)
        if answer.status == 409:
            return Receipt(change, Outcome.ALREADY, native_key=name)
        if answer.status == 404:
            return Receipt(change, Outcome.NOT_FOUND, "gone", name, "Plex withdrew the title")
        return Receipt(change, Outcome.REJECTED, f"status-{answer.status}", name, "the watchlist refused it")

    async def _after_loss(self, change: Change, name: str, error: LostAnswerError) -> Receipt:
        """Look whether a write arrived whose answer did not."""
        try:
            wishes, _ = await self._whole()
        except (UnavailableError, AuthError):
            return Receipt(change, Outcome.UNKNOWN, error.code, name, error.message)
        there = any(wish.name == name for wish in wishes)
        if there == (change.op is not Op.REMOVE):
            return Receipt(change, Outcome.CONFIRMED, native_key=name)
        return Receipt(change, Outcome.UNKNOWN, error.code, name, error.message)


def judge_cloud(answer: Answer, account: str) -> None:
    """Raise for a status of the cloud that is none of success.

    Source: recorded answers; 401 is a dead token, or one of a media server (checked 2026-11-21).
    """
    if answer.ok:
        return
    if answer.status in (401, 403, 422, 498):
        hint = f"the watchlist needs the login of an account: cwsync auth login {account}"
        raise AuthError("Plex's cloud does not take this token", where=account, hint=hint)
    raise UnavailableError(f"{answer.call} answered {answer.status}", where=account, hint="try again later")


def _sorted_out(rows: Sequence[Any]) -> tuple[list[Wish], list[RowError]]:
    wishes: list[Wish] = []
    bad: list[RowError] = []
    for raw in rows:
        try:
            wishes.append(decode_wish(raw))
        except RowError as error:
            bad.append(error)
    return wishes, bad


def _name(raw: Any) -> object:
    name = raw.get("ratingKey") if isinstance(raw, dict) else None
    return name if isinstance(name, str) else id(raw)


def _line(wish: Wish) -> str:
    return f"{wish.name} {wish.listed_at}"


def _mark(wishes: Sequence[Wish], bad: Sequence[RowError]) -> str | None:
    return None if bad else stamp(len(wishes), [_line(wish) for wish in wishes])


def _guids(answer: Answer, raw: Mapping[str, Any]) -> tuple[str, ...]:
    rows = raw.get("Guid", [])
    texts = [row.get("id") if isinstance(row, dict) else None for row in ([rows] if isinstance(rows, dict) else rows)]
    if not all(isinstance(text, str) for text in texts):
        answer.garbled("a Guid is no text")
    return tuple(text for text in texts if isinstance(text, str))


def _matching(answer: Answer, raw: object, kind: Kind, external: ExternalId) -> str | None:
    """The name in the catalogue of a row that is what was asked for; None for another title."""
    if not isinstance(raw, dict) or raw.get("type") != kind.value:
        return None
    name = raw.get("ratingKey")
    if not isinstance(name, str) or not _HEX.match(name):
        return None
    texts = _guids(answer, raw)
    return name if not texts or external in named(kind, "", texts).ids else None
