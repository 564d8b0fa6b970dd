"""Reading Trakt: the stamps first, then every page, then the stamps again, and what that proves.

Source: https://github.com/trakt/trakt-api (discussions 681 and 775, issue 919) (checked 2026-11-21).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from cwsync.model import Entry, ExternalId, Feature, Item, Kind, Snapshot, Undecoded
from cwsync.providers._traktcalls import Calls
from cwsync.providers._traktlong import LongHistory
from cwsync.providers._traktpages import LIMIT, Found, Pages
from cwsync.providers._traktplays import KnownPlays
from cwsync.providers._traktwire import (
    EPOCH,
    ID_SERVICES,
    PLURAL,
    Decoder,
    Told,
    decode_ids,
    decode_stamp,
    trakt_id,
)
from cwsync.providers._traktwrite import encode_time

PATHS: Final[Mapping[Feature, tuple[str, Mapping[str, str]]]] = {
    Feature.WATCHLIST: ("/sync/watchlist/all/added/asc", {}),
    Feature.RATINGS: ("/sync/ratings/all", {}),
    Feature.HISTORY: ("/sync/history", {}),
    # The runtime is only in the full form, and without it a share of the whole is no time.
    Feature.PROGRESS: ("/sync/playback", {"extended": "full"}),
}


class Activities:
    """The stamps of all features, one request for all. Each answer serves each feature once, and a reading after that.

    A feature that asks again gets a newer answer; after a write nobody gets an old one. What a reading begins with may
    be older than that: what changed since shows in the stamp behind it.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._answer: Any = None
        self._served: set[Feature] = set()
        self._begun: set[Feature] = set()
        self._lock = asyncio.Lock()

    def forget(self) -> None:
        """Let the next one ask."""
        self._answer = None

    async def stamp(self, feature: Feature, *, fresh: bool = False, begins: bool = False) -> str | None:
        """The stamps of a feature. `fresh`: of a request that leaves no earlier than now; `begins`: a reading does."""
        async with self._lock:
            spent = self._begun if begins else self._served
            if fresh or self._answer is None or feature in spent:
                answer = await self._calls.get("/sync/last_activities")
                self._answer, self._served, self._begun = answer.items(dict), set(), set()
            self._served.add(feature)
            if begins or fresh:
                self._begun.add(feature)
            return decode_stamp(self._answer, feature)


class Reader:
    """Reads features of one account. `totals` are how many rows Trakt told of in the features that were read."""

    def __init__(self, calls: Calls, plays: KnownPlays) -> None:
        self._calls = calls
        self._decoder = Decoder()
        self._pages = Pages(calls)
        self._long = LongHistory(self._pages, self._decoder, plays)
        self.activities = Activities(calls)
        self.totals: dict[Feature, int] = {}
        self._known_as: dict[ExternalId, str | None] = {}

    async def read(self, feature: Feature, account_id: str) -> Snapshot:
        """The whole feature. A list that changes while its pages are read is read twice, then in doubt."""
        requests = 0
        stamp = await self.activities.stamp(feature, begins=True)
        for again in (True, False):
            found, entries = await self._attempt(feature, account_id)
            requests += found.pages
            after = stamp if found.pages == 1 else await self.activities.stamp(feature, fresh=True)
            if after == stamp:
                break
            if not again:
                found.doubts.append("it changed while it was read")
            stamp = after
        undecoded, warnings = list[Undecoded](), list[str]()
        entries += _sorted(feature, found, undecoded, warnings)
        if any(one.item is None for one in undecoded):
            found.doubts.append("a row says not which title it is about")
        self.totals[feature] = len(entries) + len(undecoded) if found.total is None else found.total
        if feature is Feature.HISTORY and not found.doubts and not undecoded:
            self._long.learn(account_id, entries, found)
        return Snapshot(
            feature,
            tuple(entries),
            complete=not found.doubts,
            account_id=account_id,
            watermark=stamp,
            undecoded=tuple(undecoded),
            doubt="; ".join(found.doubts) or None,
            server_now=self._calls.date,
            requests=requests + 1,
            warnings=tuple(warnings),
            withheld=found.withheld if len(found.doubts) == 1 else 0,
        )

    async def _attempt(self, feature: Feature, account_id: str) -> tuple[Found[Told], list[Entry]]:
        """The rows of a feature, and entries for what came in another form than its rows."""
        path, params = PATHS[feature]
        read = partial(self._decoder.told, feature)
        if feature is not Feature.HISTORY:
            return await self._pages.rows(feature, path, params, read), []
        first = await self._pages.page(path, {"page": 1, "limit": LIMIT})
        paging, rows = first
        if paging.pages is not None and paging.items is not None:
            newest = [entry for row in rows if isinstance(entry := read(row), Entry)]
            by_titles = await self._long.read(account_id, newest, paging.items, paging.pages)
            if by_titles is not None:
                by_titles[0].pages += 1
                return by_titles
        return await self._pages.rows(feature, path, params, read, first=first), []

    async def count(self, feature: Feature) -> int | None:
        """How many rows a feature has: as it was read, or one small request. None when Trakt does not tell."""
        if feature not in self.totals:
            path, params = PATHS[feature]
            paging, _rows = await self._pages.page(path, {**params, "page": 1, "limit": 1})
            return paging.items if isinstance(paging.items, int) else None
        return self.totals[feature]

    # --- looking things up ------------------------------------------------------------------------

    async def plays_between(self, first: datetime, last: datetime) -> list[Entry]:
        """The plays of a span of time, ends included, to the minute."""
        params = {"start_at": encode_time(first), "end_at": encode_time(last + timedelta(seconds=59))}
        return await self._looked_up("/sync/history", params)

    async def count_between(self, first: datetime, last: datetime) -> float:
        """How many plays Trakt counts in a span of time, to the minute, shown or not; no end when it does not tell."""
        params = {"start_at": encode_time(first), "end_at": encode_time(last + timedelta(seconds=59))}
        paging, _rows = await self._pages.page("/sync/history", {**params, "page": 1, "limit": 1})
        return paging.items if isinstance(paging.items, int) else float("inf")

    async def hides_play(self, item: Item, at: datetime) -> bool:
        """Whether Trakt counts more plays of a film, or a show, at one minute than it shows; also when nobody knows."""
        film = item.kind is Kind.MOVIE
        kind, ids = (Kind.MOVIE, item.ids) if film else (Kind.SHOW, item.show_ids)
        number = trakt_id(ids) or await self._trakt_id(kind, ids)
        if number is None:
            return True
        params = {"start_at": encode_time(at), "end_at": encode_time(at + timedelta(seconds=59))}
        path = f"/sync/history/{PLURAL[kind]}/{number}"
        paging, rows = await self._pages.page(path, {**params, "page": 1, "limit": LIMIT})
        return not isinstance(paging.items, int) or paging.items > len(rows)

    async def _trakt_id(self, kind: Kind, ids: tuple[ExternalId, ...]) -> str | None:
        """Trakt's own id of a title. An answer must have the id that was asked for: others come too."""
        for one in ids:
            if one not in self._known_as and one.service in ID_SERVICES:
                answer = await self._calls.get(f"/search/{one.service}/{one.value}", {"type": kind.value})
                found = [row.get(kind.value) for row in answer.items() if isinstance(row, dict)]
                named = [decode_ids(kind, title.get("ids")) for title in found if isinstance(title, dict)]
                self._known_as[one] = next((trakt_id(several) for several in named if one in several), None)
            if (number := self._known_as.get(one)) is not None:
                return number
        return None

    async def undated_plays(self) -> list[Entry]:
        """The plays of which nobody knows when they were."""
        return await self.plays_between(EPOCH, EPOCH)

    async def plays_like(self, item: Item, at: datetime | None) -> list[Entry]:
        """The plays of one title (or of its show) at one minute, with their own ids."""
        number = trakt_id(item.ids)
        if number is not None:
            path = f"/sync/history/{'movies' if item.kind is Kind.MOVIE else 'episodes'}/{number}"
        elif (show := trakt_id(item.show_ids)) is not None:
            path = f"/sync/history/shows/{show}"
        else:
            path = "/sync/history"
        when = at or EPOCH
        params = {"start_at": encode_time(when), "end_at": encode_time(when + timedelta(seconds=59))}
        found = await self._looked_up(path, params)
        return [one for one in found if set(one.item.tokens()) & set(item.tokens()) and one.value.at == at]

    async def _looked_up(self, path: str, params: Mapping[str, str | int]) -> list[Entry]:
        found = await self._pages.rows(Feature.HISTORY, path, params, partial(self._decoder.told, Feature.HISTORY))
        return _sorted(Feature.HISTORY, found, [], [])


def _sorted(feature: Feature, found: Found[Told], undecoded: list[Undecoded], warnings: list[str]) -> list[Entry]:
    """The entries among some rows; what cannot be read, and what there is to tell, goes to the lists."""
    entries: list[Entry] = []
    seen: set[str] = set()
    foreign = 0
    for number, (name, told) in enumerate(found.rows, start=1):
        if name is not None and name in seen:
            continue  # a row that moved from one page to the next
        if name is not None:
            seen.add(name)
        if isinstance(told, Entry):
            entries.append(told)
        elif told is not None and told.foreign:
            foreign += 1
        elif told is not None:
            undecoded.append(Undecoded(f"{feature.value} row {number}", told.why, told.item, name))
    if foreign:
        warnings.append(f"{foreign} rows of {feature.value} are of no film and no show; they are left alone")
    return entries
