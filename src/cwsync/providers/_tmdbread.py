"""Reading TMDb: every page of the lists that make up a feature, and what that proves.

Pages have 20 rows, and there are no more than 500 of them to be had. No stamp tells that a list changed. So lists
are read from the newest row on, and the first of several pages is read once more at the end: with the same
newest rows and the same count nothing was put there meanwhile, and so nothing was taken away either.

Source: https://developer.themoviedb.org/reference/account-get-movies-watchlist, /docs/errors (22) (checked 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cwsync.model import Entry, Feature, Item, Kind, Snapshot, Undecoded
from cwsync.providers._tmdbcalls import Calls
from cwsync.providers._tmdbwire import RowError, Sheet, decode_entry, decode_sheet, row_name, tmdb_id

PAGES: Final = 500
PAGE: Final = 20
_AT_ONCE: Final = 6
LISTS: Final[Mapping[Feature, Mapping[Kind, str]]] = {
    Feature.WATCHLIST: {Kind.MOVIE: "watchlist/movies", Kind.SHOW: "watchlist/tv"},
    Feature.RATINGS: {Kind.MOVIE: "rated/movies", Kind.SHOW: "rated/tv", Kind.EPISODE: "rated/tv/episodes"},
}


@dataclass(slots=True)
class Found:
    """The rows of one list, how many requests they took, and what speaks against their being all."""

    rows: list[Any] = field(default_factory=list)
    requests: int = 0
    doubt: str | None = None


class Reader:
    """Reads features of the user with this `number`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.number = 0

    async def read(self, feature: Feature, account_id: str) -> Snapshot:
        """The whole feature. A list that changes while its pages are read is read twice, then in doubt."""
        from cwsync.http import together

        lists = LISTS[feature]
        found = await together([_bound(self._list, path) for path in lists.values()], at_once=len(lists))
        read = _Read(feature)
        doubts: list[str] = []
        for (kind, path), part in zip(lists.items(), found, strict=True):
            read.take(kind, part.rows)
            doubts += [f"{path}: {part.doubt}"] if part.doubt else []
        if any(one.item is None for one in read.undecoded):
            doubts.append("a row says not which title it is about")
        return Snapshot(
            feature,
            tuple(read.entries),
            complete=not doubts,
            account_id=account_id,
            undecoded=tuple(read.undecoded),
            doubt="; ".join(doubts) or None,
            server_now=self._calls.date,
            requests=sum(part.requests for part in found),
        )

    async def _list(self, path: str) -> Found:
        requests = 0
        for again in (True, False):
            found, changed = await self._attempt(f"/account/{self.number}/{path}")
            requests += found.requests
            if not changed or not again:
                break
        found.requests = requests
        return found

    async def _attempt(self, path: str) -> tuple[Found, bool]:
        """Every page of a list, and whether another look may say more."""
        from cwsync.http import Page, pages

        first = await self._sheet(path, 1)

        async def fetch(number: int) -> Page[Any]:
            sheet = first if number == 1 else await self._sheet(path, number)
            return Page(sheet.rows, sheet.n_rows, min(sheet.n_pages, PAGES))

        whole = await pages(fetch, at_once=_AT_ONCE, key=row_name, max_pages=PAGES)
        found = Found(list(whole.rows), whole.pages, whole.doubt)
        if first.n_pages > PAGES:
            found.doubt = f"it has {first.n_rows:,} rows, and TMDb shows no more than {PAGES * PAGE:,}"
            return found, False
        if found.doubt is None and whole.pages > 1:
            again = await self._sheet(path, 1)
            found.requests += 1
            if (again.n_rows, _names(again)) != (first.n_rows, _names(first)):
                found.doubt = "it changed while it was read"
        return found, found.doubt is not None

    async def _sheet(self, path: str, number: int) -> Sheet:
        answer = await self._calls.get(path, {"page": number, "sort_by": "created_at.desc"})
        try:
            sheet = decode_sheet(answer.json())
        except ValueError as error:
            answer.garbled(str(error))
        if sheet.number != number:
            answer.garbled(f"page {number} was asked for, page {sheet.number} came")
        return sheet


def _names(sheet: Sheet) -> set[object]:
    return {row_name(row) for row in sheet.rows}


def _bound(call: Any, path: str) -> Any:
    return lambda: call(path)


@dataclass(slots=True)
class _Read:
    """Rows read so far, and the shows among them, for the names of what episodes belong to."""

    feature: Feature
    entries: list[Entry] = field(default_factory=list)
    undecoded: list[Undecoded] = field(default_factory=list)
    shows: dict[int, Item] = field(default_factory=dict)

    def take(self, kind: Kind, rows: list[Any]) -> None:
        """The rows of one list."""
        seen: set[object] = set()
        for number, row in enumerate(rows, start=1):
            name = row_name(row)
            if name in seen:
                continue  # a row that moved from one page to the next
            seen.add(name)
            try:
                entry = decode_entry(self.feature, kind, row, self.shows)
            except RowError as error:
                where = f"{self.feature.value} {kind.value} row {number}"
                self.undecoded.append(Undecoded(where, error.why, error.item))
                continue
            if entry is None:
                continue
            self.entries.append(entry)
            if kind is Kind.SHOW and (show := tmdb_id(entry.item.ids)) is not None:
                self.shows[show] = entry.item
