"""Reading lists that come in pages, with the proof that nothing is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cwsync.errors import UnavailableError

T = TypeVar("T")
MAX_PAGES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page. `total` is how many rows the whole list has, `last` the number of its last page; None: not told."""

    rows: Sequence[T]
    total: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Whole(Generic[T]):
    """A list that was read. `complete` is the proof that no row is missing; `doubt` says in words why it is not.

    `missing` is how many rows less came than every page told of, where nothing else is wrong.
    """

    rows: tuple[T, ...]
    pages: int
    doubt: str | None = None
    missing: int = 0

    @property
    def complete(self) -> bool:
        """Whether every row is there."""
        return self.doubt is None


async def pages(
    fetch: Callable[[int], Awaitable[Page[T]]],
    *,
    at_once: int = 4,
    size: int | None = None,
    key: Callable[[T], Hashable] | None = None,
    max_pages: int = MAX_PAGES,
) -> Whole[T]:
    """A list of numbered pages: page 1 first, then the others, `at_once` at a time.

    How many there are the first page says (`last`); where it does not, pages are read one by one up
    to the first that is shorter than `size`, the number of rows asked for (None: page 1 is all). A
    service that numbers rows and not pages gets ``(number - 1) * size`` from `fetch`. `key` is what
    tells rows apart, where they have such a thing.

    Complete means: every page was read, all of them told the same `total`, the rows are that many,
    and none came twice. Raises what `fetch` raises (the others are given up), `UnavailableError`
    for more than `max_pages`.
    """
    first = await fetch(1)
    read = [first]
    if first.last is not None:
        _bound(first.last, max_pages)
        read += await together([_call(fetch, number) for number in range(2, first.last + 1)], at_once=at_once)
    else:
        while size is not None and len(read[-1].rows) >= size:
            _bound(len(read) + 1, max_pages)
            read.append(await fetch(len(read) + 1))
    rows = tuple(row for page in read for row in page.rows)
    return Whole(rows, len(read), _doubt(read, rows, key), _missing(read, rows, key))


async def chain(
    fetch: Callable[[str | None], Awaitable[tuple[Sequence[T], str | None]]],
    *,
    key: Callable[[T], Hashable] | None = None,
    total: int | None = None,
    max_pages: int = MAX_PAGES,
) -> Whole[T]:
    """A list whose every page names the next one (a cursor, a link); `fetch` gets None for the first.

    Complete means: the last page names none, no cursor came twice, no row came twice, and the rows
    are `total` where that is known. A cursor that comes again ends the reading, with a doubt.
    """
    rows: list[T] = []
    seen: set[str] = set()
    cursor: str | None = None
    number = 0
    doubt = None
    while True:
        number += 1
        _bound(number, max_pages)
        more, cursor = await fetch(cursor)
        rows += more
        if cursor is None:
            break
        if cursor in seen:
            doubt = f"page {number} leads back to one that was read before"
            break
        seen.add(cursor)
    found = tuple(rows)
    return Whole(found, number, doubt or _doubt([Page(found, total)], found, key))


async def together(calls: Iterable[Callable[[], Awaitable[T]]], *, at_once: int) -> list[T]:
    """The results of calls in their order, never more than `at_once` at a time.

    The first that fails ends the others and is raised as it is. Not for writes: those must not be cut.
    """
    gate = asyncio.Semaphore(at_once)

    async def one(call: Callable[[], Awaitable[T]]) -> T:
        async with gate:
            return await call()

    tasks = [asyncio.ensure_future(one(call)) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _call(fetch: Callable[[int], Awaitable[Page[T]]], number: int) -> Callable[[], Awaitable[Page[T]]]:
    return lambda: fetch(number)


def _bound(number: int, most: int) -> None:
    if number > most:
        raise UnavailableError(f"the list has more than {most:,} pages", hint="its end may never come; try again later")


def _doubt(read: Sequence[Page[T]], rows: Sequence[T], key: Callable[[T], Hashable] | None) -> str | None:
    """Why rows may be missing, None when they cannot be."""
    totals = {page.total for page in read if page.total is not None}
    if len(totals) > 1 or len({page.last for page in read if page.last is not None}) > 1:
        return "the list changed while it was read"
    if totals and (total := totals.pop()) != len(rows):
        return f"{len(rows):,} rows came of {total:,}"
    if key is not None and len({key(row) for row in rows}) != len(rows):
        return "a row came twice, so another may be missing"
    return None


def _missing(read: Sequence[Page[T]], rows: Sequence[T], key: Callable[[T], Hashable] | None) -> int:
    """How many rows less came than all pages agree on; none where more is wrong than that."""
    totals = {page.total for page in read}
    total = totals.pop()
    if totals or total is None or (key is not None and len({key(row) for row in rows}) != len(rows)):
        return 0
    return max(0, total - len(rows))
