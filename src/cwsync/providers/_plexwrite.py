"""Writing to a Plex library: look first, write what is still as the plan saw it, look again.

The server has no bulk form, so each row is one request, six at a time; what rows hold before and
after is read a hundred at a time. A second ``scrobble`` counts a second play, so it is sent only to
a row that was never watched, and never again when its answer was lost.

Source: the official document and recorded state machine of the timeline; that a second scrobble
counts, that a timeline needs duration and client id, and that there is no way to give a play its
date is what several clients report (checked 2026-11-21).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from cwsync.errors import AuthError, ConfigError, UnavailableError
from cwsync.http import Answer, Http, LostAnswerError
from cwsync.model import Change, Feature, Item, Kind, Op, Outcome, Play, Position, Rated, Receipt, Value
from cwsync.providers._plexfind import Finder, contradict
from cwsync.providers._plexread import Library
from cwsync.providers._plexwire import Row, no_token, value_of

LIBRARY: Final = "com.plexapp.plugins.library"
AT_ONCE: Final = 6
# Behind this part of a title the server takes a position for a play.
PLAYED_PERCENT: Final = 90
_SAME_MS: Final = 1000
_WHY: Final[Mapping[str, str]] = {
    AuthError.code: "the server does not take this token any more",
    UnavailableError.code: "the server could not be asked",
}
_KEY: Final = re.compile("[0-9]{1,18}")


class Sent(Enum):
    """What became of one request."""

    DONE = auto()
    LOST = auto()
    NOT_SENT = auto()
    REFUSED = auto()
    GONE = auto()


@dataclass(slots=True)
class Task:
    """One change on its way: the rows it goes to, and what became of them. `receipt` ends it."""

    change: Change
    keys: tuple[str, ...] = ()
    rows: dict[str, Row] = field(default_factory=dict)
    sent: dict[str, tuple[Sent, str | None]] = field(default_factory=dict)
    receipt: Receipt | None = None

    def end(self, outcome: Outcome, code: str | None = None, detail: str | None = None, *, moved: bool = False) -> None:
        """Answer for it, once."""
        if self.receipt is None:
            key = self.keys[0] if self.keys else None
            self.receipt = Receipt(self.change, outcome, code, key, detail, moved)


async def write_all(
    library: Library,
    finder: Finder,
    feature: Feature,
    changes: Sequence[Change],
    kinds: frozenset[Kind],
    *,
    writing: Callable[[Iterable[Row]], None] = lambda _: None,
) -> list[Receipt]:
    """Carry out changes of one feature; one receipt each, in order.

    `writing` is told the rows that are about to hold something.
    Raises `UnavailableError` and `AuthError` only where nothing was written.
    """
    tasks = [Task(change) for change in changes]
    for task in tasks:
        if task.change.item.kind not in kinds:
            task.end(Outcome.REJECTED, "kind", f"Plex keeps no {feature.value} of a {task.change.item.kind.value}")
    try:
        await _find(finder, _open(tasks))
        await _look(library, _open(tasks))
    except ConfigError as error:
        for task in _open(tasks):
            task.end(Outcome.NOT_SENT, error.code, error.message)
    for task in _open(tasks):
        _judge_before(task, feature)
    writing(row for task in _open(tasks) if task.change.after is not None for row in task.rows.values())
    # Rows with one guid share what was done: the first copy is written, then those that did not follow.
    await _send(library.http, feature, [(task, key) for task in _open(tasks) for key in _first_copies(task, feature)])
    _stop_unsent(tasks, library.http.account_name)
    await _look_again(library, feature, _open(tasks))
    behind = [(task, key) for task in _open(tasks) for key in _left_behind(task, feature)]
    if behind:
        await _send(library.http, feature, behind)
        await _look_again(library, feature, _open(tasks))
    for task in _open(tasks):
        _judge_after(task, feature)
    return [task.receipt for task in tasks if task.receipt is not None]


def _stop_unsent(tasks: Sequence[Task], account: str) -> None:
    """Raise for a server that took nothing of all this, and would take nothing else: that is no matter of a record."""
    sent = [one for task in tasks for one in task.sent.values()]
    codes = [code for one, code in sent if one is Sent.NOT_SENT]
    if codes and all(one in (Sent.NOT_SENT, Sent.GONE) for one, _ in sent):
        if AuthError.code in codes:
            raise no_token(account)
        raise UnavailableError(_WHY[UnavailableError.code], where=account, hint="try again later")


def _open(tasks: Sequence[Task]) -> list[Task]:
    return [task for task in tasks if task.receipt is None]


# --- before -----------------------------------------------------------------------------------------


async def _find(finder: Finder, tasks: Sequence[Task]) -> None:
    """Which rows a change is about: the one the plan saw, else all that are this title."""
    for task in tasks:
        key = task.change.native_key
        if key is not None and _KEY.fullmatch(key):
            task.keys = (key,)
        elif key is not None:
            task.end(Outcome.NOT_FOUND, "gone", "no row of a library is called like that")
    loose = [task for task in tasks if task.receipt is None and not task.keys]
    found = await finder.find([task.change.item for task in loose])
    for task, one in zip(loose, found, strict=True):
        task.keys = one.keys
        if not one.keys:
            task.end(Outcome.NOT_FOUND, one.code, one.why)


async def _look(library: Library, tasks: Sequence[Task]) -> None:
    rows = await library.rows(sorted({key for task in tasks for key in task.keys}, key=int))
    for task in tasks:
        task.rows = {key: rows[key] for key in task.keys if key in rows}


def _judge_before(task: Task, feature: Feature) -> None:
    """End the changes that need no write, or may not have one."""
    change = task.change
    task.rows = {key: row for key, row in task.rows.items() if _is_title(row, change.item)}
    task.keys = tuple(key for key in task.keys if key in task.rows)
    if not task.rows:
        return task.end(Outcome.NOT_FOUND, "gone", "the row is not in the library any more")
    values = [value_of(feature, row) for row in task.rows.values()]
    if all(_reached(value, change.after) for value in values):
        return task.end(Outcome.ALREADY)
    if change.op is Op.ADD:
        if any(value is not None and not _reached(value, change.after) for value in values):
            return task.end(Outcome.NOT_SENT, "moved", "it holds something else by now", moved=True)
    elif not all(_is(value, change.before) for value in values):
        return task.end(Outcome.NOT_SENT, "moved", "changed since it was read", moved=True)
    if feature is Feature.PROGRESS:
        _judge_position(task)
    return None


def _is_title(row: Row, item: Item) -> bool:
    """Whether a row is still the title it was: a key may be given to another one."""
    same = not set(row.ids).isdisjoint(item.ids) or not contradict(row.ids, item.ids)
    return row.kind is item.kind and same


def _judge_position(task: Task) -> None:
    after = task.change.after
    if not isinstance(after, Position):
        if any(row.views for row in task.rows.values()):
            why = "Plex can only forget this position together with the plays of the title"
            task.end(Outcome.REJECTED, "watched", why)
        return
    for row in task.rows.values():
        duration = row.duration_ms or after.duration_ms
        if duration is None:
            task.end(Outcome.REJECTED, "no-duration", "Plex does not know how long it is")
        elif after.ms * 100 >= duration * PLAYED_PERCENT:
            task.end(Outcome.REJECTED, "too-far", f"behind {PLAYED_PERCENT} % Plex takes it for a play")


def _is(value: Value | None, before: Value | None) -> bool:
    """Whether a row still holds what the plan saw, its time included."""
    if value is None or before is None:
        return value is before
    if before.at is not None and value.at != before.at:
        return False
    return _reached(value, before)


def _reached(value: Value | None, after: Value | None) -> bool:
    """Whether a row holds what it shall: presence, score or position; times are the server's own."""
    if value is None or after is None:
        return value is after
    if isinstance(value, Rated) and isinstance(after, Rated):
        return value.score == after.score
    if isinstance(value, Position) and isinstance(after, Position):
        return abs(value.ms - after.ms) < _SAME_MS
    return isinstance(value, Play) and isinstance(after, Play)


# --- writing ----------------------------------------------------------------------------------------


def _first_copies(task: Task, feature: Feature) -> list[str]:
    """One row of each guid that does not hold yet what it shall."""
    found: dict[str, str] = {}
    for key, row in task.rows.items():
        if not _reached(value_of(feature, row), task.change.after):
            found.setdefault(row.guid or key, key)
    return list(found.values())


def _left_behind(task: Task, feature: Feature) -> list[str]:
    """Rows that were not written and did not follow the copy that was."""
    if any(sent is not Sent.DONE for sent, _ in task.sent.values()):
        return []
    unsent = [key for key in task.keys if key not in task.sent and key in task.rows]
    return [key for key in unsent if not _reached(value_of(feature, task.rows[key]), task.change.after)]


async def _send(http: Http, feature: Feature, wanted: Sequence[tuple[Task, str]]) -> None:
    """Send requests, six at a time. Once the server does not know us any more nothing else leaves."""
    gate = asyncio.Semaphore(AT_ONCE)
    stopped: list[str] = []

    async def one(task: Task, key: str) -> None:
        async with gate:
            task.sent[key] = (Sent.NOT_SENT, stopped[0]) if stopped else await _request(http, feature, task, key)
            if task.sent[key][0] is Sent.NOT_SENT and not stopped:
                stopped.append(task.sent[key][1] or "unavailable")

    async with asyncio.TaskGroup() as group:
        for task, key in wanted:
            group.create_task(one(task, key))


async def _request(http: Http, feature: Feature, task: Task, key: str) -> tuple[Sent, str | None]:
    path, params, idempotent = _call(feature, task.change.after, task.rows[key])
    try:
        answer = await http.write("GET", path, params=params, idempotent=idempotent)
    except LostAnswerError as error:
        return Sent.LOST, error.message
    except UnavailableError as error:
        return Sent.NOT_SENT, error.code
    return _sent(answer)


def _sent(answer: Answer) -> tuple[Sent, str | None]:
    if answer.ok:
        return Sent.DONE, None
    if answer.status == 401:
        return Sent.NOT_SENT, AuthError.code
    if answer.status == 404:
        return Sent.GONE, "gone"
    if answer.status == 429:
        return Sent.NOT_SENT, UnavailableError.code
    return Sent.REFUSED, "forbidden" if answer.status == 403 else f"status-{answer.status}"


def _call(feature: Feature, after: Value | None, row: Row) -> tuple[str, Mapping[str, str | int], bool]:
    """Path, parameters, and whether sending it twice is the same as once.

    The methods are GET: the document says PUT and POST now, and every version takes GET.
    """
    params: dict[str, str | int] = {"identifier": LIBRARY, "key": row.key}
    if feature is Feature.RATINGS:
        rating = f"{after.score / 10:g}" if isinstance(after, Rated) else "-1"
        return "/:/rate", params | {"rating": rating}, True
    if isinstance(after, Position):
        duration = row.duration_ms or after.duration_ms or 0
        place: dict[str, str | int] = {"ratingKey": row.key, "key": f"/library/metadata/{row.key}"}
        place |= {"state": "stopped", "time": after.ms, "duration": duration, "identifier": LIBRARY}
        return "/:/timeline", place, True
    # Nothing else clears a position; a watched title does not get here.
    return ("/:/scrobble", params, False) if after is not None else ("/:/unscrobble", params, True)


# --- after ------------------------------------------------------------------------------------------


async def _look_again(library: Library, feature: Feature, tasks: Sequence[Task]) -> None:
    """Read back. When that fails nobody knows what became of what was sent."""
    try:
        await _look(library, tasks)
    except (UnavailableError, AuthError) as error:
        for task in tasks:
            kinds = {sent for sent, _ in task.sent.values()}
            if kinds & {Sent.DONE, Sent.LOST}:
                task.end(Outcome.UNKNOWN, error.code, f"sent, but not seen: {error.message}")
            else:
                _judge_after(task, feature)


def _judge_after(task: Task, feature: Feature) -> None:
    """Answer for a change by what its rows hold now."""
    rows = task.rows
    held = [_reached(value_of(feature, rows[key]), task.change.after) if key in rows else False for key in task.keys]
    if all(held):
        return task.end(Outcome.CONFIRMED)
    worst = dict(task.sent.values())
    if Sent.LOST in worst:
        return task.end(Outcome.UNKNOWN, "lost-answer", worst[Sent.LOST])
    if any(held) or (Sent.DONE in worst and len(worst) > 1):
        return task.end(Outcome.UNKNOWN, "half", "some copies took it and some did not")
    if Sent.NOT_SENT in worst:
        code = worst[Sent.NOT_SENT]
        return task.end(Outcome.NOT_SENT, code, _WHY.get(code or ""))
    if Sent.GONE in worst or not rows:
        return task.end(Outcome.NOT_FOUND, "gone", "the row is not in the library any more")
    if Sent.REFUSED in worst:
        return task.end(Outcome.REJECTED, worst[Sent.REFUSED], "the server refused it")
    return task.end(Outcome.REJECTED, "ignored", "the server answered, but the row did not change")
