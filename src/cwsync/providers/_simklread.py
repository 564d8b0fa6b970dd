"""Reading SIMKL: the stamps first, then what changed since they were last read, then the stamps again.

The library is read whole once, and kept. From then on only changes are asked for: changed titles and
changed ratings by the stamp that was saved, removals (of which there is no list) by comparing ids.
SIMKL suspends applications that read everything again and again, so what has to be read whole for
another reason than a lost file is so at most once a day; until then the reading is in doubt.

Source: https://api.simkl.org (sync guide), CrossWatch issues 45, 153, 266 (checked 2026-11-21).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from cwsync.errors import UnavailableError
from cwsync.providers import _simklpicture
from cwsync.providers._simklcalls import Calls, TooLargeError
from cwsync.providers._simklmemory import Memory
from cwsync.providers._simklpicture import Bad, Picture
from cwsync.providers._simklwire import (
    PARTS,
    REMOVED,
    STATUSES,
    Activities,
    Moved,
    Row,
    RowError,
    decode_activities,
    decode_ids,
    decode_lists,
    decode_rated,
    decode_row,
    moved,
)

T = TypeVar("T")
WHOLE_EVERY: Final = timedelta(days=1)
_ROUNDS: Final = 2
_FEW: Final = 20  # so many titles may vanish at once without a second look
_EPISODES: Final = {"episode_watched_at": "yes", "episode_tvdb_id": "yes", "memos": "yes"}
_QUERY: Final = {
    "movies": {"memos": "yes"},
    "shows": {"extended": "full"} | _EPISODES,
    "anime": {"extended": "full_anime_seasons"} | _EPISODES,
}

_LIGHT: Final = ("memos", "date_from")


@dataclass(slots=True)
class State:
    """What is known: the library, the newest stamps, and what speaks against it being all. `number` counts readings."""

    picture: Picture
    activities: Activities
    doubts: list[str] = field(default_factory=list)
    number: int = 0


class Reader:
    """Keeps the picture of one account up to date. `keep` is the file that is written, `seen` the one that is read.

    `number` is that of the newest reading, from 1.
    """

    def __init__(self, calls: Calls, keep: Path | None, seen: Path | None, memory: Memory) -> None:
        self._calls, self._memory = calls, memory
        self._keep, self._seen = keep, seen
        self._state: State | None = None
        self._known: Picture | None = None
        self.number = 0
        self._lock = asyncio.Lock()
        self.account_id = ""

    async def state(self, good_enough: Callable[[State], bool] = lambda _state: False) -> State:
        """What is there now: that of the last reading where that is `good_enough`, else of a new one.

        One request when nothing changed. Raises what `Calls.read` raises; then what was known stays.
        """
        async with self._lock:
            if self._state is None or not good_enough(self._state):
                self._state = None  # what a reading that fails leaves behind is nobody's answer
                self._state = await self._read()
                self.number += 1
                self._state.number = self.number
            return self._state

    async def _read(self) -> State:
        activities = await self._activities()
        known = self._known or self._load()
        if known is not None and not known.bad and not moved(known.stamps, activities):
            self._known = known
            return State(known, activities)
        read = known is None or (bool(known.bad) and self._may_read_whole(known))
        picture = await self._whole(activities, known) if known is None or read else known
        doubts: list[str] = []
        for _ in range(_ROUNDS):
            if not read and (news := moved(picture.stamps, activities)):
                doubts = await self._changes(picture, news, activities)
                if doubts and self._may_read_whole(picture):
                    picture, doubts = await self._whole(activities, picture), []
            read = False
            after = await self._activities()
            settled = activities.same(after)
            activities = after
            if settled:
                break
        else:
            doubts.append("it changed while it was read")
        self._known = picture
        # First what cannot be read again: a picture that was kept without it would be taken for all there is.
        self._memory.settle(picture.numbers(), self._calls.now())
        if self._keep is not None:
            _simklpicture.save(self._keep, picture)
        return State(picture, activities, doubts)

    def _load(self) -> Picture | None:
        if self._seen is None:
            return None
        return _simklpicture.load(self._seen, self.account_id, self._calls.address.api, self._memory)

    def _may_read_whole(self, picture: Picture) -> bool:
        """Whether the last time was long enough ago."""
        now = self._calls.now()
        return not timedelta(0) <= now - picture.whole_at < WHOLE_EVERY

    async def _activities(self) -> Activities:
        return self._sense(decode_activities, await self._calls.read("/sync/activities"), "/sync/activities")

    def _sense(self, decode: Callable[[object], T], found: object, path: str) -> T:
        try:
            return decode(found)
        except ValueError as error:
            self._senseless(path, str(error), error)

    def _senseless(self, path: str, why: str, error: Exception | None = None) -> NoReturn:
        message = f"GET {path} answered with something else than expected: {why}"
        raise UnavailableError(message, where=self._calls.where, hint="try again later") from error

    # --- all of it --------------------------------------------------------------------------------

    async def _whole(self, activities: Activities, known: Picture | None) -> Picture:
        """The whole library, part by part: never two requests at once. What SIMKL cannot tell is taken from `known`."""
        now = self._calls.date
        picture = Picture(
            self.account_id,
            self._calls.address.api,
            activities.settled(now),
            activities.since(now),
            self._calls.now().replace(microsecond=0),
            memory=self._memory,
            before={} if known is None else known.rows,
        )
        for part in PARTS:
            if not await self._items(picture, part, None):
                await self._really_empty(picture, part, activities)
        picture.before = {}
        return picture

    async def _really_empty(self, picture: Picture, part: str, activities: Activities) -> None:
        """A part that came empty although its stamps tell of titles is asked for its ids: a failure is no empty list.

        Raises `UnavailableError` when there are titles. Where none was ever removed the reading is in doubt.
        """
        told = activities.parts[part]
        if not any(told.get(status) for status in STATUSES[part]):
            return
        why = f"it is empty, but SIMKL tells of changes to {part}"
        if await self._ids((part,)):
            self._senseless(f"/sync/all-items/{part}", why)
        if not told.get(REMOVED):
            picture.spoil(Bad(part, part, why))

    async def _items(self, picture: Picture, part: str, since: str | None) -> int:
        """The titles of a part, all or those that changed, into the picture. Gives how many."""
        original = {} if part == "movies" else {"include_all_episodes": "original"}
        rows, full = await self._lists(part, _QUERY[part] | original, since)
        short: set[int] = set()
        for number, told in enumerate(rows, start=1):
            row = self._decoded(picture, part, f"{part} row {number}", told)
            if row is not None:
                picture.upsert(row)
                short |= {row.simkl} if row.lacks_rows else set()
        if short and full:
            # Marked as a whole, they have no episodes of their own: SIMKL makes them up if it is asked.
            for told in (await self._lists(part, _QUERY[part] | {"include_all_episodes": "yes"}, since))[0]:
                self._fill(picture, part, told, short)
        return len(rows)

    def _decoded(self, picture: Picture, part: str, where: str, told: Any) -> Row | None:
        try:
            return decode_row(part, told) if isinstance(told, dict) else _no_row()
        except RowError as error:
            picture.spoil(Bad(part, where, error.why, error.simkl, error.ids))
            return None

    def _fill(self, picture: Picture, part: str, told: Any, short: set[int]) -> None:
        """The episodes SIMKL makes up for titles that were marked as watched as a whole. Their times are not theirs."""
        row = self._decoded(picture, part, f"{part}, made up", told)
        if row is None or row.simkl not in short or (known := picture.rows.get(row.simkl)) is None:
            return
        there = {one.place for one in known.episodes}
        for one in row.episodes:
            if one.place not in there:
                one.at, one.made_up = None, True
                known.episodes.append(one)
        known.episodes.sort(key=lambda one: one.place)

    async def _lists(self, part: str, query: dict[str, str], since: str | None) -> tuple[list[Any], bool]:
        """The rows of one part, list by list where SIMKL finds that too much, and whether all came as asked for.

        A list that is too large by itself comes without its episodes: the titles and ratings are all there, and of
        shows that then tell fewer episodes than they count the history is in doubt. Raises `TooLargeError`.
        """
        query = query if since is None else query | {"date_from": since}
        path = f"/sync/all-items/{part}"
        try:
            return await self._list(path, part, query), True
        except TooLargeError:
            rows: list[Any] = []
            full = True
            for status in STATUSES[part]:
                try:
                    rows += await self._list(f"{path}/{status}", part, query)
                except TooLargeError:
                    light = {name: value for name, value in query.items() if name in _LIGHT}
                    if light == query:
                        raise
                    rows += await self._list(f"{path}/{status}", part, light)
                    full = False
            return rows, full

    async def _list(self, path: str, part: str, query: dict[str, str]) -> list[Any]:
        found = await self._calls.read(path, query)
        return self._sense(lambda told: decode_lists(told, (part,)), found, path).get(part, [])

    # --- changes ----------------------------------------------------------------------------------

    async def _changes(self, picture: Picture, news: Moved, activities: Activities) -> list[str]:
        """What changed since the picture was made, into it. Gives what speaks against its being all now."""
        since, now = picture.since, self._calls.date
        stamps = activities.settled(now)
        for part in news.items:
            await self._items(picture, part, since)
        if news.rated and since is not None:
            await self._rated(picture, since)
        doubts = await self._removed(picture) if news.removed else []
        if doubts:  # to be looked at again, whether or not more is removed until then
            for part in news.removed:
                stamps[part][REMOVED] = ""
        picture.stamps, picture.since = stamps, activities.since(now)
        return doubts

    async def _rated(self, picture: Picture, since: str) -> None:
        """Changed ratings, of all parts at once. A rating of null is one that was taken away."""
        path = "/sync/ratings"
        found = await self._calls.read(path, {"date_from": since})
        for part, rows in self._sense(lambda told: decode_lists(told, PARTS), found, path).items():
            for number, told in enumerate(rows, start=1):
                try:
                    simkl, ids = decode_ids(told)
                    rating, at = decode_rated(told)
                except RowError as error:
                    picture.spoil(Bad(part, f"rating of {part} row {number}", error.why, error.simkl, error.ids))
                    continue
                except ValueError as error:
                    picture.spoil(Bad(part, f"rating of {part} row {number}", str(error), simkl, ids))
                    continue
                row = picture.rows.get(simkl)
                if row is not None:
                    row.rating, row.rated_at = rating, at
                elif rating is not None and (new := self._decoded(picture, part, "a rating", told)) is not None:
                    picture.upsert(new)

    async def _removed(self, picture: Picture) -> list[str]:
        """Titles that are not in the library any more, by their ids; gives what the ids cannot be explained by."""
        there = await self._ids(PARTS)
        gone = set(picture.rows) - there.keys()
        if len(gone) > max(_FEW, len(picture.rows) // 2):
            again = await self._ids(PARTS)
            if again != there:
                return ["SIMKL told of other titles when it was asked twice"]
        picture.drop(gone)
        strange = there.keys() - picture.rows.keys() - {one.simkl for one in picture.bad}
        for number in there.keys() & picture.rows.keys():
            row = picture.rows[number]
            if row.part != there[number]:  # SIMKL found that a film is anime, or the reverse
                picture.move(row, there[number])
        if strange:
            return [f"SIMKL has {len(strange)} titles of which it told nothing when asked for changes"]
        return []

    async def _ids(self, parts: tuple[str, ...]) -> dict[int, str]:
        """The part of each title of the library, by SIMKL's own id."""
        path = "/sync/all-items" if len(parts) > 1 else f"/sync/all-items/{parts[0]}"
        found = await self._calls.read(path, {"extended": "simkl_ids_only"})
        there: dict[int, str] = {}
        for part, rows in self._sense(lambda told: decode_lists(told, parts), found, path).items():
            for told in rows:
                try:
                    there[decode_ids(told)[0]] = part
                except RowError as error:
                    self._senseless(path, error.why, error)
        return there


def _no_row() -> NoReturn:
    raise RowError("the row is no object")
