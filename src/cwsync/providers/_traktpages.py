"""Lists of Trakt, page by page, and what speaks against their being all.

Everything comes in pages of at most 250, whatever was asked for. What Trakt hides is taken out after the pages
were cut: a page may be short or empty and the next one full. So a list is whole when every page was read and the
rows are as many as were told, and only then.

Source: https://github.com/trakt/trakt-api (discussions 681 and 775, issues 142, 896) (checked 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, NamedTuple, TypeVar

from cwsync.errors import UnavailableError
from cwsync.model import Feature
from cwsync.providers._traktcalls import Calls
from cwsync.providers._traktwire import Paging, decode_paging, row_name

LIMIT: Final = 250
MAX_PAGES: Final = 2000
AT_ONCE: Final = 4
T = TypeVar("T")


class Named(NamedTuple, Generic[T]):
    """A row, as it was read, and what it is called on every page it appears on."""

    name: str | None
    told: T


@dataclass(slots=True)
class Found(Generic[T]):
    """Rows of one list and what speaks against their being all.

    `withheld` are rows that Trakt counts and shows to nobody: every page was walked, twice where one was short.
    """

    rows: list[Named[T]] = field(default_factory=list)
    pages: int = 0
    doubts: list[str] = field(default_factory=list)
    total: int | None = None
    withheld: int = 0


class Pages:
    """Reads lists of one account."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def page(self, path: str, params: Mapping[str, str | int]) -> tuple[Paging, list[Any]]:
        """One page: what its headers say, and its rows."""
        answer = await self._calls.get(path, params)
        return decode_paging(answer.headers), answer.items()

    async def rows(
        self,
        feature: Feature,
        path: str,
        params: Mapping[str, str | int],
        read: Callable[[Any], T],
        *,
        limit: int = LIMIT,
        first: tuple[Paging, list[Any]] | None = None,
    ) -> Found[T]:
        """Every page of a list, each row as `read` makes it: of a long list the pages are not kept.

        The limit that counts is the one that page 1 tells, not the one asked for.
        """
        from cwsync.http import Page, pages

        paging, raw = first or await self.page(path, {**params, "page": 1, "limit": limit})
        size = paging.limit or limit

        def named(raw: list[Any]) -> list[Named[T]]:
            return [Named(row_name(feature, row), read(row)) for row in raw]

        async def one(number: int) -> tuple[Paging, list[Named[T]]]:
            told, raw = await self.page(path, {**params, "page": number, "limit": size})
            return told, named(raw)

        by_page = {1: named(raw)}
        whole_at_once = paging.items is not None and len(raw) >= paging.items

        async def fetch(number: int) -> Page[Named[T]]:
            if number == 1:
                return Page(by_page[1], paging.items, 1 if whole_at_once else paging.pages)
            told, rows = await one(number)
            if told.limit not in (None, size):
                message = f"GET {path}: page 1 had {size} rows, page {number} has {told.limit}"
                raise UnavailableError(message, where=self._calls.address.account, hint="try again later")
            by_page[number] = rows
            return Page(rows, told.items)

        whole = await pages(fetch, at_once=AT_ONCE, key=lambda row: row.name or id(row), max_pages=MAX_PAGES)
        if paging.items and not whole.rows:
            message = f"GET {path} told of {paging.items} rows and gave none"
            raise UnavailableError(message, where=self._calls.address.account, hint="try again later")
        found = Found(list(whole.rows), whole.pages, [whole.doubt] if whole.doubt else [], paging.items)
        if paging.pages is None and len(raw) in (limit, 100, LIMIT):
            found.doubts.append(f"{len(raw)} rows came without a word on how many there are")
        if whole.missing and paging.pages == len(by_page) == -(-(paging.items or 0) // size):
            await _ask_again(found, one, by_page, size, whole.missing)
        return found


async def _ask_again(
    found: Found[T],
    page: Callable[[int], Awaitable[tuple[Paging, list[Named[T]]]]],
    read: Mapping[int, list[Named[T]]],
    size: int,
    missing: int,
) -> None:
    """Read the pages once more that had too few rows: what is missing by accident comes then, what is hidden not.

    Source: https://github.com/trakt/trakt-api/issues/82, 142: titles of adults and such that TMDB gave up are
    counted and left out (checked 2026-11-21).
    """
    from cwsync.http import together

    full = dict.fromkeys(read, size)
    full[len(read)] = sum(map(len, read.values())) + missing - sum(full.values()) + full[len(read)]
    short = [number for number, rows in sorted(read.items()) if len(rows) < full[number]]
    again = await together([partial(page, number) for number in short], at_once=AT_ONCE)
    found.pages += len(again)
    if all(rows == read[number] for number, (_, rows) in zip(short, again, strict=True)):
        found.withheld = missing
