"""One write to one row of Jellyfin or Emby, and the proof of it.

A locked database (status 500) and a server that is starting (503) are waited out. What sending twice would
double is sent again only where the row, looked at after the wait, holds exactly what it held before. Whatever
else happens, the row itself is looked at before anything is said of it: Jellyfin shows it in its answer, Emby
and a lost answer make it a read of that row alone, because lists lag behind more than rows do.

Source: Jellyfin's server 10.10.7 to 12.0-rc5 and issues 15057, 15166 (locked database) and 15795
(a mark that is answered well and not kept); issue 168 of scrob (Emby replaces everything); checked 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from cwsync.errors import AuthError, CwsyncError, UnavailableError
from cwsync.http import Answer, LostAnswerError
from cwsync.model import Feature, Play, Position, Rated, Value
from cwsync.providers._mbcalls import WAITS_S, is_page, nobody
from cwsync.providers._mbdialect import Call
from cwsync.providers._mbread import Library
from cwsync.providers._mbvalues import value_of
from cwsync.providers._mbwire import Row, RowError, State, decode_state

_SAME_MS = 1000
# An Emby whose single rows lag, too, is looked at again after these. Source: CrossWatch (checked 2026-11-21).
GLANCES_S = (0.15, 0.15, 0.15)


class Sent(Enum):
    """What became of one write."""

    DONE = auto()
    LOST = auto()
    NOT_SENT = auto()
    REFUSED = auto()
    GONE = auto()
    MOVED = auto()
    UNSEEN = auto()  # sent, and then the row could not be read
    UNSHOWN = auto()  # answered well, but the row does not show it (yet)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one write. `state` is what the row holds now, where that was seen.

    `error` is why a write was not sent, where that would stop others as well.
    """

    sent: Sent
    why: str | None = None
    state: State | None = None
    error: CwsyncError | None = None


class Sender:
    """Writes single rows of one user."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._calls = library.calls

    async def send(self, feature: Feature, after: Value | None, row: Row) -> Result:
        """Make a row hold `after`, and see that it does. Never raises for what the server says."""
        found = await self._sent_and_seen(feature, after, row)
        hidden = isinstance(after, Play) and found.sent is Sent.DONE and not _holds(found, feature, row)
        if not hidden or not self._call(feature, after, row).idempotent:
            return found
        # An old row under another id may hide what was stored: once that is cleared a mark is kept.
        cleared = await self._sent_and_seen(feature, None, row)
        return await self._sent_and_seen(feature, after, row) if cleared.sent is Sent.DONE else found

    def _call(self, feature: Feature, after: Value | None, row: Row) -> Call:
        return self._calls.dialect.call(self._library.user, feature, after, row)

    async def _sent_and_seen(self, feature: Feature, after: Value | None, row: Row) -> Result:
        """Send, and again while the database is locked; then look."""
        call, waits = self._call(feature, after, row), list(WAITS_S)
        while True:
            body = await self._merged(feature, after, call, row) if call.merge else call.body
            if isinstance(body, Result):
                return body
            try:
                answer = await self._write(call, body)
            except LostAnswerError as error:
                if not waits or not _passes(error.status, call):
                    return await self._seen(Result(Sent.LOST, error.message), None, feature, after, row)
                if await self._is_gone(row.key):
                    return Result(Sent.GONE)
                await self._calls.sleep(waits.pop(0))
                if not call.idempotent and (stirred := await self._stirred(error.message, row)) is not None:
                    return stirred
            except UnavailableError as error:
                return not_sent(error)
            else:
                found = self.judged(answer)
                unsure = found.sent in (Sent.DONE, Sent.LOST)
                return await self._seen(found, answer, feature, after, row) if unsure else found

    async def _stirred(self, why: str, row: Row) -> Result | None:
        """Of a row that was not written, it seems: what became of it; None when it holds what it held before.

        The whole of it, count and date included: nothing less shows that the write did not happen.
        """
        try:
            now = await self._library.state(row.key)
        except (UnavailableError, AuthError) as error:
            return Result(Sent.UNSEEN, f"{why}, and not seen: {error.message}")
        if now is None:
            return Result(Sent.GONE)
        return None if now[0] == row.state else Result(Sent.LOST, why, now[0])

    async def _merged(self, feature: Feature, after: Value | None, call: Call, row: Row) -> Mapping[str, Any] | Result:
        """What the row holds now with the change laid over it; or why that is not sent."""
        try:
            now = await self._library.state(row.key)
        except (UnavailableError, AuthError) as error:
            return Result(Sent.NOT_SENT, error.code)
        if now is None:
            return Result(Sent.GONE)
        state, raw = now
        value = value_of(feature, replace(row, state=state))
        if reached(value, after):
            return Result(Sent.DONE, None, state)
        if value != value_of(feature, row):
            return Result(Sent.MOVED, "moved", state)
        whole = {**raw, **(call.body or {})}
        whole.pop("PlayedPercentage", None)
        return whole

    async def _write(self, call: Call, body: Mapping[str, Any] | None) -> Answer:
        """One write. What was merged is not sent again as it is: by then the row may hold something else."""
        again = not call.merge
        return await self._calls.http.write(
            call.method,
            call.path,
            params=call.params,
            json=body,
            idempotent=call.idempotent and again,
            repeat_refused=again,
        )

    async def _is_gone(self, key: str) -> bool:
        """Whether the row is what the server stumbled over. That it cannot be told is no news: it is asked later."""
        try:
            return await self._library.state(key, patient=False) is None
        except (UnavailableError, AuthError):
            return False

    async def _seen(
        self, found: Result, answer: Answer | None, feature: Feature, after: Value | None, row: Row
    ) -> Result:
        """The same with what the row holds now."""
        if answer is not None and answer.body.strip():
            try:
                told = answer.items(dict)  # a page of a proxy is no answer of the server
                if self._calls.dialect.answers_prove:
                    return replace(found, state=decode_state(told))
            except (LostAnswerError, RowError):
                found = Result(Sent.LOST, f"{answer.call} was answered with something else than expected")
        glances = list(GLANCES_S)
        while True:
            try:
                now = await self._library.state(row.key)
            except (UnavailableError, AuthError) as error:
                return Result(Sent.UNSEEN, f"sent, but not seen: {error.message}")
            if now is None:
                return Result(Sent.GONE)
            found = replace(found, state=now[0])
            if reached(value_of(feature, replace(row, state=now[0])), after):
                return found
            if not glances:
                return found if found.sent is not Sent.DONE or _is_known_to_drop(feature) else unshown(found)
            await self._calls.sleep(glances.pop(0))

    def judged(self, answer: Answer) -> Result:
        """What the status of a write says."""
        if answer.ok:
            return Result(Sent.DONE)
        if answer.status != 401 and is_page(answer):
            return Result(Sent.LOST, f"{answer.call} was answered {answer.status} with a page for people")
        if nobody(answer):
            return Result(Sent.GONE)
        if answer.status in (401, 429):
            try:
                self._calls.judge(answer)
            except (AuthError, UnavailableError) as error:
                return not_sent(error)
        return Result(Sent.REFUSED, "forbidden" if answer.status == 403 else f"status-{answer.status}")


def not_sent(error: CwsyncError) -> Result:
    """Of a write that did not leave, and why."""
    return Result(Sent.NOT_SENT, error.code, error=error)


def unshown(found: Result) -> Result:
    """Of a write that was answered well, and cannot be seen."""
    return replace(found, sent=Sent.UNSHOWN, why="the server took it, and the row does not show it yet")


def _is_known_to_drop(feature: Feature) -> bool:
    """Whether what does not show was not kept rather than late: no live Emby is known to keep ratings."""
    return feature is Feature.RATINGS


def _passes(status: int | None, call: Call) -> bool:
    """Whether a failure goes by: a locked database, or a server that is starting.

    What may be repeated as it is was repeated by then while the server was starting.
    """
    return status == 500 or (status == 503 and (call.merge or not call.idempotent))


def _holds(found: Result, feature: Feature, row: Row) -> bool:
    return found.state is not None and value_of(feature, replace(row, state=found.state)) is not None


def reached(value: Value | None, after: Value | None) -> bool:
    """Whether a row holds what it shall: presence, score or position. The time of it is evidence, no value."""
    if value is None or after is None:
        return value is after
    if isinstance(value, Rated) and isinstance(after, Rated):
        return value.score == after.score
    if isinstance(value, Position) and isinstance(after, Position):
        return abs(value.ms - after.ms) < _SAME_MS
    return type(value) is type(after)
