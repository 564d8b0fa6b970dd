"""Lists of Jellyfin and Emby that come in pages (``StartIndex``, ``Limit``), and the proof that nothing is missing.

The proof stands on ``TotalRecordCount``, which is asked for in each list. An answer that keeps it to itself, or that
counts one page in its place, proves nothing: Jellyfin does the latter where the total is not asked for, and what
stands in between may drop what we ask.
Source: Jellyfin's server 10.10.7 to 12.0-rc5, its issue 8069 (short pages that are not the last); checked 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import replace
from math import ceil
from typing import Any, TypeVar

from cwsync.http import Answer, Page, Whole, pages
from cwsync.http.client import Params
from cwsync.providers._mbcalls import AT_ONCE
from cwsync.providers._mbwire import decode_page

T = TypeVar("T")


async def all_rows(
    ask: Callable[[Params], Awaitable[Answer]],
    rows_of: Callable[[Sequence[Any]], Sequence[T]],
    *,
    size: int,
    key: Callable[[T], Hashable] | None = None,
) -> Whole[T]:
    """All rows of a list, `size` a page. `ask` gets ``StartIndex`` and ``Limit``; `rows_of` reads the rows of one page.

    `key` is what tells rows apart. Raises what `ask` raises, `UnavailableError` for a page that is none.
    """
    totals: list[int | None] = []

    async def fetch(number: int) -> Page[T]:
        answer = await ask({"StartIndex": (number - 1) * size, "Limit": size})
        page = decode_page(answer)
        if len(page.rows) > size:
            answer.garbled(f"it has {len(page.rows)} rows where {size} were asked for")
        totals.append(page.total)
        last = None if page.total is None else max(1, ceil(page.total / size))
        return Page(rows_of(page.rows), page.total, last)

    whole = await pages(fetch, at_once=AT_ONCE, size=size, key=key)
    if whole.doubt is not None:
        return whole
    if None in totals:
        return replace(whole, doubt="the server does not say how many rows there are")
    if totals == [size]:  # a full page and nothing behind it, unless the server counted the page alone
        behind = await fetch(2)
        whole = replace(whole, pages=2)
        return replace(whole, doubt="there are more rows than the server counts") if behind.rows else whole
    return whole
