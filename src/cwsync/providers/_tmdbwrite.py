"""Writing to TMDb: one request for each record, and a look before whatever takes something away or overwrites it.

TMDb answers for each record, with a code of its own. A write that is sent twice leaves one record. All the same
an answer that was lost is looked up and not repeated, since the user may have changed their mind in between.

Source: https://developer.themoviedb.org/reference/movie-add-rating, /docs/errors (checked 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cwsync.errors import AuthError, CwsyncError, UnavailableError
from cwsync.model import Capabilities, Change, Feature, Kind, Op, Outcome, Receipt
from cwsync.providers._tmdbcalls import Calls, code_of
from cwsync.providers._tmdbwire import (
    DONE_CODES,
    UNKNOWN_CODES,
    Place,
    States,
    decode_states,
    encode,
    is_so,
    is_still,
    place_named,
    place_of,
)
from cwsync.redaction import redact

if TYPE_CHECKING:
    from cwsync.http import Answer

BATCH: Final = 20
_AT_ONCE: Final = 6
_NOTHING_TO_DO: Final = frozenset({21, 40})
_NO_ID: Final = "it has no id of TMDb, and titles are written by that alone"
_UNSEEN: Final = "it was sent, and is not to be seen (yet)"


@dataclass(slots=True)
class Task:
    """One change on its way. `receipt` ends it."""

    change: Change
    place: Place | None = None
    receipt: Receipt | None = None

    def end(self, outcome: Outcome, code: str | None = None, detail: str | None = None, *, moved: bool = False) -> None:
        """Answer for it, once."""
        if self.receipt is None:
            name = self.place.path if self.place is not None else self.change.native_key
            self.receipt = Receipt(self.change, outcome, code, name, detail, moved)


class Writer:
    """The writes of the user with this `number`."""

    def __init__(self, calls: Calls, capabilities: Capabilities) -> None:
        self._calls = calls
        self._capabilities = capabilities
        self.number = 0

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """Write, with one receipt for each change. Raises `AuthError`, `UnavailableError` while nothing was sent."""
        from cwsync.http import together

        tasks = [Task(change) for change in changes]
        for task in tasks:
            self._place(feature, task)
        looks = [task for task in _open(tasks) if task.change.op is not Op.ADD]
        await together([_bound(self._judge_before, feature, task) for task in looks], at_once=_AT_ONCE)
        sent = False
        for task in _open(tasks):
            try:
                await self._send(feature, task)
            except (AuthError, UnavailableError) as error:
                if not sent:
                    raise
                for left in _open(tasks):
                    left.end(Outcome.NOT_SENT, error.code, error.message)
                break
            sent = True
        return [task.receipt for task in tasks if task.receipt is not None]

    # --- before anything is sent ------------------------------------------------------------------

    def _place(self, feature: Feature, task: Task) -> None:
        """Where the record stands, by the name of its row or by TMDb's own ids; or why it has no place.

        Nothing is looked up by ids of others: TMDb's rows do not tell those, so that what was written
        would not be known again.
        """
        caps, change = self._capabilities.of(feature), task.change
        able = {Op.ADD: caps.add, Op.UPDATE: caps.update, Op.REMOVE: caps.remove}[change.op]
        if not able or change.item.kind not in caps.kinds:
            detail = f"TMDb cannot {change.op.value} {feature.value} of a {change.item.kind.value}"
            task.end(Outcome.REJECTED, "unsupported", detail)
            return
        named = place_named(change.native_key or "")
        task.place = named if named is not None and named.kind is change.item.kind else place_of(change.item)
        if task.place is None:
            what = "its show has no id of TMDb, or it has no number" if change.item.kind is Kind.EPISODE else _NO_ID
            task.end(Outcome.REJECTED, "no-ids", what)

    async def _judge_before(self, feature: Feature, task: Task) -> None:
        """End a change whose row is not as the plan saw it."""
        change = task.change
        states = await self._states(task)
        now = states.value(feature) if states is not None else None
        if now is None and change.op is Op.REMOVE:
            task.end(Outcome.ALREADY, detail="it is not there")
        elif states is None:
            task.end(Outcome.NOT_FOUND, "gone", "TMDb does not know the title any more")
        elif now is None:
            task.end(Outcome.NOT_SENT, "moved", "it is not there any more", moved=True)
        elif not is_still(now, change.before):
            task.end(Outcome.NOT_SENT, "moved", "changed since it was read", moved=True)

    async def _states(self, task: Task) -> States | None:
        """What the user has of the title now; None when TMDb does not know it."""
        if task.place is None:
            return None
        answer = await self._calls.look(f"/{task.place.path}/account_states")
        if answer is None:
            return None
        try:
            return decode_states(answer.json())
        except ValueError as error:
            answer.garbled(str(error))

    # --- sending ----------------------------------------------------------------------------------

    async def _send(self, feature: Feature, task: Task) -> None:
        from cwsync.http import LostAnswerError

        if task.place is None:
            return
        method, path, body = encode(task.change, task.place, self.number)
        try:
            answer = await self._calls.write(method, path, body)
            self._judge(task, answer)
        except LostAnswerError as error:
            await self._look(feature, task, error.message)

    def _judge(self, task: Task, answer: Answer) -> None:
        """What an answer says. Raises `LostAnswerError` for one that says nothing."""
        code, removing = code_of(answer), task.change.op is Op.REMOVE
        if answer.ok and code in DONE_CODES:
            task.end(Outcome.CONFIRMED)
        elif code in _NOTHING_TO_DO | UNKNOWN_CODES and (removing or code == 40):
            task.end(Outcome.ALREADY, f"tmdb-{code}")
        elif code in UNKNOWN_CODES or code == 21:
            task.end(Outcome.NOT_FOUND, f"tmdb-{code}", "TMDb does not know it by this id")
        elif answer.ok or code == 8:
            answer.garbled("it does not say what became of the record")
        else:
            task.end(Outcome.REJECTED, f"tmdb-{code}", _words(answer))

    async def _look(self, feature: Feature, task: Task, why: str) -> None:
        """See what became of a write: what is as it should be is confirmed, all else stays in doubt."""
        try:
            states = await self._states(task)
        except CwsyncError as error:
            task.end(Outcome.UNKNOWN, "lost-answer", f"{why}; and it could not be looked up: {error.message}")
            return
        now = states.value(feature) if states is not None else None
        if is_so(now, task.change.after):
            task.end(Outcome.CONFIRMED)
        else:
            task.end(Outcome.UNKNOWN, "unseen", _UNSEEN)


def _open(tasks: Sequence[Task]) -> list[Task]:
    return [task for task in tasks if task.receipt is None]


def _bound(call: Any, *args: Any) -> Any:
    return lambda: call(*args)


def _words(answer: Answer) -> str | None:
    """What TMDb says of a refusal, for people."""
    found = answer.json()
    text = found.get("status_message") if isinstance(found, dict) else None
    return redact(" ".join(text.split()))[:200] if isinstance(text, str) else None
