"""Writing to a library of Jellyfin or Emby: look first, write what is still as the plan saw it, see each row.

There is no bulk form, so each row is one request (Emby: and a look at it), two at a time: more were
seen to lock the database. What rows hold before is read a hundred at a time.

Source: Jellyfin issues 15057 and 15166, CrossWatch issue 896 (ids that became stale); checked 2026-11-21.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cwsync.errors import AuthError, ConfigError, CwsyncError, UnavailableError
from cwsync.model import Bond, Change, Feature, Item, Op, Outcome, Position, Receipt, Value
from cwsync.providers._mbfiles import CODE, bonds_of, number_in, why_not, writable
from cwsync.providers._mbfind import Finder, is_title
from cwsync.providers._mbread import Library
from cwsync.providers._mbsend import Result, Sender, Sent, reached
from cwsync.providers._mbvalues import value_of
from cwsync.providers._mbwire import KEY, Row, plain_id

AT_ONCE: Final = 2
# So many lost answers in a row are no accident.
LOST_ROWS: Final = 3
# So close to its end a position cannot be told from the end.
_TAIL_MS: Final = 1000


@dataclass(slots=True)
class Task:
    """One change on its way: the rows it goes to, and what became of them. `receipt` ends it."""

    change: Change
    keys: tuple[str, ...] = ()
    rows: dict[str, Row] = field(default_factory=dict)
    sent: dict[str, Result] = field(default_factory=dict)
    receipt: Receipt | None = None

    def end(
        self,
        outcome: Outcome,
        code: str | None = None,
        detail: str | None = None,
        *,
        moved: bool = False,
        needless: bool = False,
    ) -> None:
        """Answer for it, once."""
        if self.receipt is None:
            self.receipt = Receipt(self.change, outcome, code, self._native_key(), detail, moved, needless)

    def _native_key(self) -> str | None:
        """The name that the record has when it is read."""
        if not self.keys:
            return self.change.native_key
        row = self.rows.get(self.keys[0])
        number = None if row is None else number_in(row, self.change)
        return self.keys[0] if number is None else f"{self.keys[0]}#{number}"


class Writer:
    """Carries changes out. `title` is what the service is called."""

    def __init__(self, library: Library, finder: Finder, title: str) -> None:
        self._library = library
        self._finder = finder
        self._sender = Sender(library)
        self._title = title

    async def write(self, feature: Feature, changes: Sequence[Change], kinds: frozenset[object]) -> list[Receipt]:
        """One receipt each, in order. Raises `UnavailableError` and `AuthError` only before the first write."""
        tasks = [Task(change) for change in changes]
        for task in tasks:
            kind = task.change.item.kind
            if kind not in kinds:
                task.end(Outcome.REJECTED, "kind", f"{self._title} keeps no {feature.value} of a {kind.value}")
        try:
            await self._prepare(feature, _open(tasks))
        except ConfigError as error:
            for task in _open(tasks):
                task.end(Outcome.NOT_SENT, error.code, error.message)
        await self._carry_out(feature, _open(tasks))
        gone = [task for task in _open(tasks) if any(one.sent is Sent.GONE for one in task.sent.values())]
        await self._once_more(feature, gone)
        _raise_where_nothing_left(tasks)
        for task in _open(tasks):
            judge_after(task, feature)
        return [task.receipt for task in tasks if task.receipt is not None]

    async def bound(self, feature: Feature, changes: Sequence[Change]) -> list[Bond | None]:
        """Which changes go into one file of several episodes. Raises `UnavailableError`, `AuthError`, `ConfigError`."""
        return await bonds_of(self._library, self._finder, feature, changes)

    async def _once_more(self, feature: Feature, tasks: Sequence[Task]) -> None:
        """Rows that went between the look and the write are looked for anew, once."""
        if not tasks:
            return
        kept = [(task.keys, task.rows, task.sent) for task in tasks]
        try:
            await self._prepare(feature, tasks, stale=True)
        except (UnavailableError, AuthError, ConfigError):
            # It is not known where they are now. What became of the first try is.
            for task, (keys, rows, sent) in zip(tasks, kept, strict=True):
                task.keys, task.rows, task.sent = keys, rows, sent
            return
        for task, (_, _, sent) in zip(tasks, kept, strict=True):
            task.sent = {key: one for key, one in sent.items() if one.sent is not Sent.GONE}
            if task.sent and task.receipt is not None and task.receipt.outcome is Outcome.ALREADY:
                task.receipt = replace(task.receipt, outcome=Outcome.CONFIRMED)  # by the other copies of before
        await self._carry_out(feature, _open(tasks))

    # --- before -----------------------------------------------------------------------------------

    async def _prepare(self, feature: Feature, tasks: Sequence[Task], *, stale: bool = False) -> None:
        """Find the rows of changes, see what they hold, and end the changes that need no write or may not have one."""
        if not stale:
            await self._find(tasks)
            await self._look(_open(tasks))
            # An id that is stale is no title that is gone: a library that was built anew has new ones.
            lost = [task for task in _open(tasks) if task.keys and not task.rows]
        else:
            lost = list(tasks)
        if lost:
            self._finder.fresh()
            await self._find(lost, by_key=False)
            await self._look(_open(lost))
        playing = await self._playing() if feature is Feature.PROGRESS and _open(tasks) else frozenset()
        for task in _open(tasks):
            judge_before(task, feature, playing)

    async def _find(self, tasks: Sequence[Task], *, by_key: bool = True) -> None:
        """Which rows a change is about: the one the plan saw, else all that are this title."""
        for task in tasks:
            key = (task.change.native_key or "").partition("#")[0]
            task.keys = (key,) if by_key and KEY.fullmatch(key) else ()
            task.rows, task.sent = {}, {}
        loose = [task for task in tasks if not task.keys]
        found = await self._finder.find([task.change.item for task in loose])
        for task, one in zip(loose, found, strict=True):
            task.keys = one.keys
            if not one.keys:
                task.end(Outcome.NOT_FOUND, one.code, one.why)

    async def _look(self, tasks: Sequence[Task]) -> None:
        keys = sorted({key for task in tasks for key in task.keys})
        rows = await self._library.rows(keys) if keys else {}
        for task in tasks:
            task.rows = {key: rows[key] for key in task.keys if key in rows}

    async def _playing(self) -> frozenset[str]:
        """The rows that the user plays now: their player says every few seconds where it is."""
        answer = await self._library.calls.get("/Sessions")
        found = set()
        for one in answer.items(list):
            playing = one.get("NowPlayingItem") if isinstance(one, dict) else None
            if isinstance(playing, dict) and plain_id(str(one.get("UserId"))) == self._library.user:
                found.add(str(playing.get("Id")))
        return frozenset(found)

    # --- writing ----------------------------------------------------------------------------------

    async def _carry_out(self, feature: Feature, tasks: Sequence[Task]) -> None:
        """Write, two rows at a time."""
        by_row: dict[str, list[Task]] = {}
        for task in tasks:
            for key, row in task.rows.items():
                if not reached(value_of(feature, row), task.change.after):
                    by_row.setdefault(key, []).append(task)
        gate, brake = asyncio.Semaphore(AT_ONCE), Brake()

        async def one(key: str, sharing: list[Task]) -> None:
            async with gate:
                row, after = sharing[0].rows[key], sharing[0].change.after
                if brake.why is not None:
                    result = Result(Sent.NOT_SENT, brake.why, error=brake.error)
                else:
                    result = await self._sender.send(feature, after, row)
                    now = row if result.state is None else replace(row, state=result.state)
                    brake.saw(result, done=reached(value_of(feature, now), after))
                for task in sharing:
                    task.sent[key] = result
                    if result.state is not None:
                        task.rows[key] = replace(row, state=result.state)

        async with asyncio.TaskGroup() as group:
            for key, sharing in by_row.items():
                if wanted := _whole_file(sharing, sharing[0].rows[key], feature):
                    group.create_task(one(key, wanted))


class Brake:
    """Stops what is left: at once when the server does not know us or is away, after a few lost answers in a row.

    One row alone may be what breaks the server, and must not stand in the way of the others.
    """

    def __init__(self) -> None:
        self.why: str | None = None
        self.error: CwsyncError | None = None
        self._lost = 0

    def saw(self, result: Result, *, done: bool) -> None:
        """Take note of what became of a row; `done` says that it holds what it shall."""
        lost = result.sent in (Sent.LOST, Sent.UNSEEN) and not done
        self._lost = self._lost + 1 if lost else 0
        if result.sent is Sent.NOT_SENT:
            self.why = self.why or result.why or UnavailableError.code
            self.error = self.error or result.error
        elif self._lost >= LOST_ROWS:
            self.why = self.why or UnavailableError.code


def _open(tasks: Sequence[Task]) -> list[Task]:
    return [task for task in tasks if task.receipt is None]


def _raise_where_nothing_left(tasks: Sequence[Task]) -> None:
    """Raise where nothing at all was written, because the server does not know us or asks to slow down."""
    results = [result for task in tasks for result in task.sent.values()]
    error = next((result.error for result in results if result.error is not None), None)
    if error is not None and all(result.sent is Sent.NOT_SENT for result in results):
        raise error


def _whole_file(tasks: list[Task], row: Row, feature: Feature) -> list[Task]:
    """The changes that one write to `row` carries out.

    A plan asks for a file of several episodes only if it asks for all of them; since then the library may have changed.
    """
    if row.last is None or writable(row, feature, [task.change for task in tasks]):
        return tasks
    for task in tasks:
        if len(task.keys) > 1:  # other copies can be written, and speak for the title
            task.keys = tuple(key for key in task.keys if key != row.key)
            del task.rows[row.key]
        else:
            task.end(Outcome.REJECTED, CODE, why_not(row, feature))
    return []


def judge_before(task: Task, feature: Feature, playing: frozenset[str]) -> None:
    """End a change that needs no write, or may not have one."""
    change = task.change
    task.rows = {key: row for key, row in task.rows.items() if _is_title(row, change.item)}
    task.keys = tuple(key for key in task.keys if key in task.rows)
    if not task.rows:
        return task.end(Outcome.NOT_FOUND, "gone", "the row is not in the library any more")
    values = [value_of(feature, row) for row in task.rows.values()]
    if all(reached(value, change.after) for value in values):
        return task.end(Outcome.ALREADY)
    if change.op is Op.ADD:
        if any(value is not None and not reached(value, change.after) for value in values):
            return task.end(Outcome.NOT_SENT, "moved", "it holds something else by now", moved=True)
    elif not all(_is(value, change.before) for value in values):
        return task.end(Outcome.NOT_SENT, "moved", "changed since it was read", moved=True)
    if feature is Feature.PROGRESS:
        _judge_position(task, playing)
    return None


def _judge_position(task: Task, playing: frozenset[str]) -> None:
    if playing & task.rows.keys():
        why = "this user plays it now; the player would overwrite the position"
        return task.end(Outcome.NOT_SENT, "playing", why)
    after = task.change.after
    if not isinstance(after, Position):
        return None
    for row in task.rows.values():
        if row.state.played:
            why = "it is marked as watched, so a position in it is nobody's"
            return task.end(Outcome.REJECTED, "watched", why, needless=True)
        if row.duration_ms is not None and after.ms > row.duration_ms - _TAIL_MS:
            return task.end(Outcome.REJECTED, "too-far", "the title is not that long")
    return None


def _is_title(row: Row, item: Item) -> bool:
    """Whether a row is still the title it was."""
    same = not set(row.ids).isdisjoint(item.ids) or is_title(row, item)
    return row.kind is item.kind and same


def _is(value: Value | None, before: Value | None) -> bool:
    """Whether a row still holds what the plan saw, its time included."""
    if value is None or before is None:
        return value is before
    if before.at is not None and value.at != before.at:
        return False
    return reached(value, before)


def judge_after(task: Task, feature: Feature) -> None:
    """Answer for a change by what its rows hold now."""
    rows = task.rows
    held = [key in rows and reached(value_of(feature, rows[key]), task.change.after) for key in task.keys]
    if task.keys and all(held):
        return task.end(Outcome.CONFIRMED)
    worst = {result.sent: result.why for result in task.sent.values()}
    error = next((result.error for result in task.sent.values() if result.error is not None), None)
    for sent, code in ((Sent.UNSEEN, "lost-answer"), (Sent.LOST, "lost-answer"), (Sent.UNSHOWN, "not-shown")):
        if sent in worst:
            return task.end(Outcome.UNKNOWN, code, worst[sent])
    if any(held) or (Sent.DONE in worst and len(worst) > 1):
        return task.end(Outcome.UNKNOWN, "half", "some copies took it and some did not")
    if Sent.NOT_SENT in worst:
        return task.end(Outcome.NOT_SENT, worst[Sent.NOT_SENT], "not sent" if error is None else error.message)
    if Sent.MOVED in worst:
        return task.end(Outcome.NOT_SENT, "moved", "changed since it was read", moved=True)
    if Sent.GONE in worst or not rows:
        return task.end(Outcome.NOT_FOUND, "gone", "the row is not in the library any more")
    if Sent.REFUSED in worst:
        return task.end(Outcome.REJECTED, worst[Sent.REFUSED], "the server refused it")
    return task.end(Outcome.REJECTED, "ignored", "the server answered, but the row did not change")
