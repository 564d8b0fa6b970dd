"""Lists of Trakt, page by page, and what speaks against their being all.

Everything comes in pages of at most 250, whatever was asked for. What Trakt hides is taken out after the pages
were cut: a page may be short or empty and the next one full. So a list is whole when every page was read and the
rows are as many as were told, and only then.

Source: https://github.com/trakt/trakt-api (discussions 681 and 775, issues 142, 896) (checked 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cwsync.errors import UnavailableError
from cwsync.model import Feature
from cwsync.providers._traktcalls import Calls
from cwsync.providers._traktwire import decode_paging, row_name

LIMIT: Final = 250
MAX_PAGES: Final = 2000
AT_ONCE: Final = 4


@dataclass(slots=True)
class Found:
    """Rows of one list and what speaks against their being all.

    `withheld` are rows that Trakt counts and shows to nobody: every page was walked, twice where one was short.
    """

    rows: list[Any] = field(default_factory=list)
    pages: int = 0
    doubts: list[str] = field(default_factory=list)
    total: int | None = None
    withheld: int = 0


class Pages:
    """Reads lists of one account."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def page(self, path: str, params: Mapping[str, str | int]) -> tuple[Any, list[Any]]:
        """One page: what its headers say, and its rows."""
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

        paging, rows = first or await self.page(path, {**params, "page": 1, "limit": limit})
        size = paging.limit or limit
        whole_at_once = paging.items is not None and len(rows) >= paging.items

        read = {1: rows}

        async def fetch(number: int) -> Page[Any]:
            if number == 1:
                return Page(rows, paging.items, 1 if whole_at_once else paging.pages)
            told, more = await self.page(path, {**params, "page": number, "limit": size})
            if told.limit not in (None, size):
                message = f"GET {path}: page 1 had {size} rows, page {number} has {told.limit}"
                raise UnavailableError(message, where=self._calls.address.account, hint="try again later")
            read[number] = more
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
        if whole.missing and paging.pages == len(read) == -(-(paging.items or 0) // size):
            await self._ask_again(found, path, {**params, "limit": size}, read, whole.missing)
        return found

    async def _ask_again(
        self, found: Found, path: str, params: Mapping[str, str | int], read: Mapping[int, list[Any]], missing: int
    ) -> None:
        """Read the pages once more that had too few rows: what is missing by accident comes then, what is hidden not.

        Source: https://github.com/trakt/trakt-api/issues/82, 142: titles of adults and such that TMDB gave up are
        counted and left out (checked 2026-11-21).
        """
        from cwsync.http import together

        full = {number: int(params["limit"]) for number in read}
        full[len(read)] = sum(map(len, read.values())) + missing - sum(full.values()) + full[len(read)]
        short = [number for number, rows in sorted(read.items()) if len(rows) < full[number]]

        def one(number: int) -> Callable[[], Awaitable[tuple[Any, list[Any]]]]:
            return lambda: self.page(path, {**params, "page": number})

        again = await together([one(number) for number in short], at_once=AT_ONCE)
        found.pages += len(again)
        if all(rows == read[number] for number, (_, rows) in zip(short, again, strict=True)):
            found.withheld = missing
