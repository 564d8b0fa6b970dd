"""Reading AniList: all lists in one request, which is what every feature is read from, and its stamp, too.

There is no cheaper stamp that shows what was removed: the newest change is that of an entry that still
is there, and totals are made up. One request for everything costs as much of the limit as a small one.

Source: https://docs.anilist.co (11,000 entries at once, chunks of 500) (checked 2026-11-21).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cwsync.errors import UnavailableError
from cwsync.model import Entry, Feature, Snapshot, Undecoded
from cwsync.providers._anilistcalls import Calls
from cwsync.providers._anilistknown import Known
from cwsync.providers._anilistlook import Look
from cwsync.providers._anilistwire import LISTS, RowError, decode_lists, entries_of, row_of

LARGEST: Final = 11_000
CHUNK: Final = 500
MAX_CHUNKS: Final = 200
MOST: Final = 1_000_000  # records of one feature; episodes are many


@dataclass(frozen=True, slots=True)
class Decoded:
    """The lists as one feature sees them."""

    entries: list[Entry]
    undecoded: list[Undecoded]
    stamp: str


@dataclass(slots=True)
class Lists:
    """All entries as they were at one time. `served` notes for which feature they were a stamp, and a read.

    `requests` is what they cost, until a snapshot has told it.
    """

    rows: list[Any]
    requests: int
    server_now: datetime | None
    doubt: str | None = None
    served: set[tuple[Feature, bool]] = field(default_factory=set)
    decoded: dict[Feature, Decoded] = field(default_factory=dict)


class Reader:
    """Reads features of one account. `user` is the number of the user, once it is known."""

    def __init__(self, calls: Calls, look: Look, known: Known) -> None:
        self._calls = calls
        self._look = look
        self._known = known
        self._lists: Lists | None = None
        self._lock = asyncio.Lock()
        self.user = 0

    def forget(self) -> None:
        """Let the next one ask."""
        self._lists = None

    def exist(self, titles: Mapping[int, bool]) -> None:
        """Learn which titles have an entry, from elsewhere than the lists."""
        for number, is_so in titles.items():
            (self._known.titles.add if is_so else self._known.titles.discard)(number)

    async def stamp(self, feature: Feature) -> str:
        """A digest of all that a feature holds."""
        return self._decoded(feature, await self._current(feature, read=False)).stamp

    async def read(self, feature: Feature) -> Snapshot:
        """The whole feature."""
        lists = await self._current(feature, read=True)
        found = self._decoded(feature, lists)
        n_requests, lists.requests = lists.requests, 0
        doubts = [lists.doubt] if lists.doubt else []
        if any(one.item is None for one in found.undecoded):
            doubts.append("a row says not which title it is about")
        return Snapshot(
            feature,
            tuple(found.entries),
            complete=not doubts,
            account_id=f"anilist:{self.user}",
            watermark=found.stamp,
            undecoded=tuple(found.undecoded),
            doubt="; ".join(doubts) or None,
            server_now=lists.server_now,
            requests=n_requests,
        )

    def _decoded(self, feature: Feature, lists: Lists) -> Decoded:
        found = lists.decoded.get(feature) or _decode(feature, lists)
        if found is None:
            message = f"the {feature.value} has more than {MOST:,} records, which cannot be"
            raise UnavailableError(message, where=self._calls.address.account, hint="try again later")
        lists.decoded[feature] = found
        return found

    async def _current(self, feature: Feature, *, read: bool) -> Lists:
        """The lists, asked for once for all features. Who asks again, or for a stamp after a read, gets newer ones."""
        async with self._lock:
            lists = self._lists
            used = set() if lists is None else lists.served
            if lists is None or (feature, read) in used or (feature, True) in used:
                lists = self._lists = await self._ask()
            lists.served.add((feature, read))
            return lists

    async def _ask(self) -> Lists:
        before = self._calls.requests
        rows, doubt = await self._every()
        rows += await self._unlisted(rows)
        return Lists(rows, self._calls.requests - before, self._calls.date, doubt)

    async def _every(self) -> tuple[list[Any], str | None]:
        """What is in lists, and what speaks against its being all."""
        rows, more = await self._page({"user": self.user})
        if not more and len(rows) < LARGEST:
            return rows, None
        found: dict[Any, Any] = {}
        for number in range(1, MAX_CHUNKS + 1):
            rows, more = await self._page({"user": self.user, "chunk": number, "size": CHUNK})
            n_before = len(found)
            found |= {row["id"] if isinstance(row, dict) and "id" in row else id(row): row for row in rows}
            if not more or len(found) == n_before:
                break
        # Whatever is changed meanwhile moves from one chunk to another.
        doubt = f"more than {LARGEST:,} entries come in parts, and what changes meanwhile may be missed"
        return list(found.values()), doubt

    async def _unlisted(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """The entries of titles that had one before and are in no list now.

        They were deleted or hidden from all lists; nothing tells which, so these titles are looked up.
        """
        self._known.load(self.user)
        listed = {row["mediaId"] for row in rows if isinstance(row, dict) and type(row.get("mediaId")) is int}
        missing = sorted(self._known.titles - listed)
        found = [row for told in await self._look.titles(missing) if (row := row_of(told)) is not None]
        self._known.replace([*listed, *(row["mediaId"] for row in found if type(row.get("mediaId")) is int)])
        return found

    async def _page(self, variables: dict[str, int]) -> tuple[list[Any], bool]:
        where = self._calls.address.account
        said = await self._calls.ask(LISTS, variables)
        try:
            return decode_lists(said.data or {})
        except ValueError as error:
            message = f"the answer of AniList makes no sense: {error}"
            raise UnavailableError(message, where=where, hint="try again later") from error


def _decode(feature: Feature, lists: Lists) -> Decoded | None:
    """What a feature holds; None when that is more than can be."""
    n_entries = 0
    found: list[tuple[int, list[Entry]]] = []
    undecoded: list[Undecoded] = []
    for number, row in enumerate(lists.rows, start=1):
        name = row.get("id") if isinstance(row, dict) and type(row.get("id")) is int else None
        try:
            entries = entries_of(feature, row)
        except RowError as error:
            undecoded.append(
                Undecoded(f"entry {name or number}", error.why, error.item, None if name is None else str(name))
            )
            continue
        n_entries += len(entries)
        if n_entries > MOST:
            return None
        if entries:
            found.append((name or 0, entries))
    found.sort(key=lambda one: one[0])
    lines = [f"unread|{one.where}|{one.why}" for one in sorted(undecoded, key=lambda one: one.where)]
    for _, entries in found:
        # Of a series the episodes are one after the other, so the last of them tells of all.
        first, last = entries[0], entries[-1]
        ids = first.item.ids or first.item.show_ids
        lines.append(f"{first.item.kind}|{ids}|{first.native_key}|{last.native_key}|{last.value!r}")
    stamp = hashlib.sha256("\n".join([str(lists.doubt), *lines]).encode("utf-8", "surrogatepass")).hexdigest()
    return Decoded([entry for _, entries in found for entry in entries], undecoded, stamp)
