"""Reading Trakt: the stamps first, then every page, then the stamps again, and what that proves.

Everything comes in pages of at most 250, whatever was asked for. What a user has hidden is taken out
after the pages were cut: a page may be short or empty and the next one full. So a list is whole when
every page was read and the rows are as many as were told, and only then.

Source: https://github.com/trakt/trakt-api (discussions 681 and 775, issues 142, 835, 896, 919) (checked 2026-11-21).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from cwsync.errors import UnavailableError
from cwsync.model import Entry, Feature, Item, Kind, Play, Snapshot, Undecoded
from cwsync.providers._traktcalls import Calls
from cwsync.providers._traktwire import (
    EPOCH,
    Decoder,
    RowError,
    decode_paging,
    decode_stamp,
    played_at,
    row_name,
    trakt_id,
)
from cwsync.providers._traktwrite import encode_time

LIMIT: Final = 250
PROGRESS_LIMIT: Final = 100
MAX_PAGES: Final = 2000
AT_ONCE: Final = 4
# A history of more pages than this is read title by title: a quarter of the requests, or less.
LONG_HISTORY: Final = 3
PATHS: Final[Mapping[Feature, tuple[str, Mapping[str, str]]]] = {
    Feature.WATCHLIST: ("/sync/watchlist/all/added/asc", {}),
    Feature.RATINGS: ("/sync/ratings/all", {}),
    Feature.HISTORY: ("/sync/history", {}),
    # The runtime is only in the full form, and without it a share of the whole is no time.
    Feature.PROGRESS: ("/sync/playback", {"extended": "full"}),
}


class Activities:
    """The stamps of all features, one request for all. Each answer serves each feature once.

    A feature that asks again gets a newer answer; after a write nobody gets an old one.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._answer: Any = None
        self._served: set[Feature] = set()
        self._lock = asyncio.Lock()

    def forget(self) -> None:
        """Let the next one ask."""
        self._answer = None

    async def stamp(self, feature: Feature, *, fresh: bool = False) -> str | None:
        """The stamps of a feature. `fresh`: of a request that leaves no earlier than now."""
        async with self._lock:
            if fresh or self._answer is None or feature in self._served:
                answer = await self._calls.get("/sync/last_activities")
                self._answer, self._served = answer.items(dict), set()
            self._served.add(feature)
            return decode_stamp(self._answer, feature)


@dataclass(slots=True)
class Found:
    """Rows of one list and what speaks against their being all."""

    rows: list[Any] = field(default_factory=list)
    pages: int = 0
    doubts: list[str] = field(default_factory=list)
    total: int | None = None


class Reader:
    """Reads features of one account. `totals` are how many rows Trakt told of in the features that were read."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._decoder = Decoder()
        self.activities = Activities(calls)
        self.totals: dict[Feature, int] = {}

    async def read(self, feature: Feature, account_id: str) -> Snapshot:
        """The whole feature. A list that changes while its pages are read is read twice, then in doubt."""
        requests = 0
        stamp = await self.activities.stamp(feature)
        for again in (True, False):
            found, entries = await self._attempt(feature)
            requests += found.pages
            after = stamp if found.pages == 1 else await self.activities.stamp(feature, fresh=True)
            if after == stamp:
                break
            if not again:
                found.doubts.append("it changed while it was read")
            stamp = after
        undecoded, warnings = list[Undecoded](), list[str]()
        entries += self._decode(feature, found, undecoded, warnings)
        if any(one.item is None for one in undecoded):
            found.doubts.append("a row says not which title it is about")
        self.totals[feature] = len(entries) + len(undecoded) if found.total is None else found.total
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
        )

    async def _attempt(self, feature: Feature) -> tuple[Found, list[Entry]]:
        """The rows of a feature, and entries for what came in another form than its rows."""
        path, params = PATHS[feature]
        if feature is not Feature.HISTORY:
            return await self.rows(feature, path, params), []
        first = await self._page(path, {"page": 1, "limit": LIMIT})
        paging, _rows = first
        if paging.pages is not None and paging.items is not None and paging.pages > LONG_HISTORY:
            watched = await self._watched(paging.items, paging.pages)
            if watched is not None:
                watched[0].pages += 1
                return watched
        return await self.rows(feature, path, params, first=first), []

    def _decode(self, feature: Feature, found: Found, undecoded: list[Undecoded], warnings: list[str]) -> list[Entry]:
        entries: list[Entry] = []
        seen: set[str] = set()
        other = 0
        for number, row in enumerate(found.rows, start=1):
            name = row_name(feature, row)
            if name is not None and name in seen:
                continue  # a row that moved from one page to the next
            if name is not None:
                seen.add(name)
            try:
                entry = self._decoder.entry(feature, row)
            except RowError as error:
                if isinstance(row, dict) and row.get("type") in ("person", "list", "user", "comment"):
                    other += 1
                    continue
                undecoded.append(Undecoded(f"{feature.value} row {number}", error.why, error.item, name))
                continue
            if entry is not None:
                entries.append(entry)
        if other:
            warnings.append(f"{other} rows of {feature.value} are of no film and no show; they are left alone")
        return entries

    # --- pages ------------------------------------------------------------------------------------

    async def _page(self, path: str, params: Mapping[str, str | int]) -> tuple[Any, list[Any]]:
        answer = await self._calls.get(path, params)
        return decode_paging(answer.headers), answer.items()

    async def rows(
        self,
        feature: Feature,
        path: str,
        params: Mapping[str, str | int],
        *,
        limit: int = LIMIT,
        first: tuple[Any, list[Any]] | None = None,
    ) -> Found:
        """Every page of a list. The limit that counts is the one that page 1 tells, not the one asked for."""
        from cwsync.http import Page, pages

        paging, rows = first or await self._page(path, {**params, "page": 1, "limit": limit})
        size = paging.limit or limit
        whole_at_once = paging.items is not None and len(rows) >= paging.items

        async def fetch(number: int) -> Page[Any]:
            if number == 1:
                return Page(rows, paging.items, 1 if whole_at_once else paging.pages)
            told, more = await self._page(path, {**params, "page": number, "limit": size})
            if told.limit not in (None, size):
                message = f"GET {path}: page 1 had {size} rows, page {number} has {told.limit}"
                raise UnavailableError(message, where=self._calls.address.account, hint="try again later")
            return Page(more, told.items)

        whole = await pages(
            fetch, at_once=AT_ONCE, key=lambda row: row_name(feature, row) or id(row), max_pages=MAX_PAGES
        )
        if paging.items and not whole.rows:
            message = f"GET {path} told of {paging.items} rows and gave none"
            raise UnavailableError(message, where=self._calls.address.account, hint="try again later")
        found = Found(list(whole.rows), whole.pages, [whole.doubt] if whole.doubt else [], paging.items)
        if paging.pages is None and len(rows) in (limit, 100, LIMIT):
            found.doubts.append(f"{len(rows)} rows came without a word on how many there are")
        return found

    async def count(self, feature: Feature) -> int | None:
        """How many rows a feature has: as it was read, or one small request. None when Trakt does not tell."""
        if feature not in self.totals:
            path, params = PATHS[feature]
            paging, _rows = await self._page(path, {**params, "page": 1, "limit": 1})
            return paging.items if isinstance(paging.items, int) else None
        return self.totals[feature]

    # --- a long history ---------------------------------------------------------------------------

    async def _watched(self, n_plays: int, n_pages: int) -> tuple[Found, list[Entry]] | None:
        """A long history by titles: their newest play and how many there are; the others of the few that have more.

        None when the titles do not account for every play: then the plays have to be read after all.
        """
        from cwsync.http import together

        params = {"extended": "progress", "specials": "true"}
        films, shows = await together(
            [
                lambda: self.rows(Feature.HISTORY, "/sync/watched/movies", {}),
                lambda: self.rows(Feature.HISTORY, "/sync/watched/shows", params, limit=PROGRESS_LIMIT),
            ],
            at_once=2,
        )
        used = films.pages + shows.pages
        entries: list[Entry] = []
        more: list[tuple[str, int]] = []
        counted = 0
        for kind, rows in ((Kind.MOVIE, films.rows), (Kind.SHOW, shows.rows)):
            for row in rows:
                plain = _Title.of(self._decoder, kind, row)
                if plain is None:
                    return None
                counted += plain.n_plays
                if plain.entries is not None:
                    entries += plain.entries
                elif plain.path is not None:
                    more.append((plain.path, plain.n_plays))
                else:
                    return None
        cost = sum(-(-plays // LIMIT) for _, plays in more)
        if counted != n_plays or films.doubts or shows.doubts or cost >= n_pages - 1:
            return None
        found = Found(pages=used, total=n_plays)
        for part in await self._plays_of([path for path, _ in more]):
            found.rows += part.rows
            found.pages += part.pages
            found.doubts += part.doubts
        if len(found.rows) != sum(plays for _, plays in more):
            return None
        return found, entries

    async def _plays_of(self, paths: Iterable[str]) -> list[Found]:
        from cwsync.http import together

        async def one(path: str) -> Found:
            return await self.rows(Feature.HISTORY, path, {})

        return await together([lambda path=path: one(path) for path in paths], at_once=AT_ONCE)  # type: ignore[misc]

    # --- looking things up ------------------------------------------------------------------------

    async def plays_between(self, first: datetime, last: datetime) -> list[Entry]:
        """The plays of a span of time, ends included, to the minute."""
        params = {"start_at": encode_time(first), "end_at": encode_time(last + timedelta(seconds=59))}
        return await self._looked_up("/sync/history", params)

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
        found = await self.rows(Feature.HISTORY, path, params)
        return self._decode(Feature.HISTORY, found, [], [])


@dataclass(frozen=True, slots=True)
class _Title:
    """One row of what was watched: entries when each of its parts was played once, else where its plays are."""

    n_plays: int
    entries: list[Entry] | None
    path: str | None

    @staticmethod
    def of(decoder: Decoder, kind: Kind, row: Any) -> _Title | None:
        """Read a row; None for one that has another shape than expected."""
        if not isinstance(row, dict) or type(row.get("plays")) is not int:
            return None
        try:
            item = decoder.item({**row, "type": kind.value})
            if kind is Kind.MOVIE:
                parts = [(replace(item), row)]
            else:
                parts = [
                    (_episode(item, season["number"], episode["number"]), episode)
                    for season in row["seasons"]
                    for episode in season["episodes"]
                ]
            single = [Entry(part, Play(played_at(told["last_watched_at"]))) for part, told in parts]
            n_plays = sum(int(told["plays"]) for _, told in parts)
        except (RowError, KeyError, TypeError, ValueError):
            return None
        once = all(told["plays"] == 1 for _, told in parts) and row.get("reset_at") is None
        number = trakt_id(item.ids)
        plural = "movies" if kind is Kind.MOVIE else "shows"
        path = None if number is None else f"/sync/history/{plural}/{number}"
        return _Title(n_plays, single if once else None, path)


def _episode(show: Item, season: object, number: object) -> Item:
    if type(season) is not int or type(number) is not int:
        raise RowError("an episode has no number")
    return Item(
        Kind.EPISODE,
        (),
        show_ids=show.ids,
        season=season,
        number=number,
        show_title=show.title,
        show_year=show.year,
    )
