"""Writing a watchlist that is a playlist or a collection: many titles in one request, and a look at the list after it.

The list is looked at before anything is sent, and again after each request: it alone shows what became of it.
Nothing is sent twice without such a look, because a playlist may hold a title twice. A request that was refused for
one of its titles is sent again for each alone. Of a title with several rows one is enough, where none is in the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cwsync.errors import AuthError, ConfigError, UnavailableError
from cwsync.http import LostAnswerError
from cwsync.model import Feature, Outcome
from cwsync.providers._mbcalls import WAITS_S
from cwsync.providers._mbfind import Finder
from cwsync.providers._mblist import Chosen, Members
from cwsync.providers._mbread import Library, listed
from cwsync.providers._mbsend import GLANCES_S, Result, Sent, not_sent, unshown
from cwsync.providers._mbwrite import LOST_ROWS, Task, Writer

_PASSING: Final = (500, 503)
_HALTED: Final = Result(Sent.NOT_SENT, UnavailableError.code)


class ListWriter(Writer):
    """Carries changes of such a watchlist out. What rows hold is whether they are in the list."""

    def __init__(self, library: Library, finder: Finder, title: str, chosen: Chosen) -> None:
        super().__init__(library, finder, title)
        self._chosen = chosen
        self._members = Members()

    # --- before -----------------------------------------------------------------------------------

    async def _look(self, tasks: Sequence[Task]) -> None:
        await super()._look(tasks)
        if not tasks:
            return
        self._members = await self._chosen.read()
        entries, doubt = self._members.entries, self._members.doubt
        for task in tasks:
            held = tuple(key for key in task.rows if key in entries)
            if task.rows:
                task.keys = held or (tuple(task.rows)[:1] if task.change.after is not None else tuple(task.rows))
            task.rows = {key: listed(row, entries) for key, row in task.rows.items() if key in task.keys}
            if task.rows and doubt is not None and not (held and task.change.after is not None):
                task.end(Outcome.NOT_SENT, "list-incomplete", f"whether it is in the list is not certain: {doubt}")

    # --- writing ----------------------------------------------------------------------------------

    async def _carry_out(self, feature: Feature, tasks: Sequence[Task]) -> None:  # noqa: ARG002
        """Add first, then remove: a list that would be empty in between may be deleted by the server."""
        stop: Result | None = None
        for adding in (True, False):
            by_row: dict[str, list[Task]] = {}
            for task in tasks:
                for key in task.rows if (task.change.after is not None) is adding else ():
                    if (key in self._members.entries) is not adding:
                        by_row.setdefault(key, []).append(task)
            keys = list(by_row) if adding else self._spared(by_row)
            size = self._library.calls.dialect.ids_at_once
            for first in range(0, len(keys), size):
                block = keys[first : first + size]
                results = await self._block(block, adding=adding) if stop is None else dict.fromkeys(block, stop)
                for key, result in results.items():
                    if result.sent in (Sent.NOT_SENT, Sent.UNSEEN):  # what the list holds is not known any more
                        stop = result if result.sent is Sent.NOT_SENT else _HALTED
                    for task in by_row[key]:
                        task.sent[key] = result
                        if result.sent is Sent.DONE:
                            task.rows[key] = listed(task.rows[key], (key,) if adding else ())

    def _spared(self, by_row: dict[str, list[Task]]) -> list[str]:
        """The rows to take out: all, but for the last one of a list that would go with it."""
        keys = list(by_row)
        if not keys or not self._chosen.goes_when_empty or self._members.entries.keys() - by_row.keys():
            return keys
        why = "it is the last title of the collection, which the server would delete with it: add another one first"
        for task in by_row[keys[-1]]:
            task.end(Outcome.REJECTED, "last-of-list", why)
        return keys[:-1]

    async def _block(self, keys: Sequence[str], *, adding: bool) -> dict[str, Result]:
        """Send a request for several rows; where it is refused for what may be one of them, one for each."""
        results, divide = await self._send(keys, WAITS_S, adding=adding)
        if not divide or len(keys) == 1:
            return {key: await self._explained(key, one) for key, one in results.items()}
        n_failed = 0
        for key in [key for key, one in results.items() if one.sent is not Sent.DONE]:
            if n_failed == LOST_ROWS:
                results[key] = _HALTED
                continue
            alone, _ = await self._send([key], (), adding=adding)
            results[key] = await self._explained(key, alone[key])
            if alone[key].sent in (Sent.NOT_SENT, Sent.UNSEEN):
                n_failed = LOST_ROWS
            else:
                n_failed = 0 if alone[key].sent is Sent.DONE else n_failed + 1
        return results

    async def _send(
        self, keys: Sequence[str], waits: Sequence[float], *, adding: bool
    ) -> tuple[dict[str, Result], bool]:
        """Send one request, and see what became of each row; and whether one row may be why it was refused.

        While the database is locked it is sent again after each of `waits`, for what is not done by then.
        """
        left, done, pauses = list(keys), dict[str, Result](), list(waits)
        while True:
            found, status = await self._request(left, adding=adding)
            if found.sent is Sent.NOT_SENT:
                return done | dict.fromkeys(left, found), False
            passing = found.sent is Sent.LOST and status in _PASSING
            if again := passing and bool(pauses):
                await self._library.calls.sleep(pauses.pop(0))
            looks = () if again or found.sent is Sent.REFUSED else GLANCES_S
            try:
                missing = await self._missing(left, looks, adding=adding)
            except (UnavailableError, AuthError, ConfigError) as error:
                unseen = Result(Sent.UNSEEN, f"sent, but not seen: {error.message}")
                return done | dict.fromkeys(left, unseen), False
            done |= {key: Result(Sent.DONE) for key in left if key not in missing}
            if missing and again:
                left = missing
                continue
            if found.sent is Sent.GONE:  # the list, or one of the rows
                found = Result(Sent.REFUSED, f"status-{status}")
            rest = unshown(found) if found.sent is Sent.DONE else found
            divide = passing or (found.sent is Sent.REFUSED and found.why != "forbidden")
            return done | dict.fromkeys(missing, rest), bool(missing) and divide

    async def _request(self, keys: Sequence[str], *, adding: bool) -> tuple[Result, int | None]:
        """Send one request; what is said of it, and its status."""
        try:
            answer = await (self._chosen.add(keys) if adding else self._chosen.take(keys, self._members))
        except LostAnswerError as error:
            return Result(Sent.LOST, error.message), error.status
        except UnavailableError as error:
            return not_sent(error), None
        return self._sender.judged(answer), answer.status

    async def _missing(self, keys: Sequence[str], pauses: Sequence[float], *, adding: bool) -> list[str]:
        """The rows that are not yet as they shall be, after a few looks. Raises as `Chosen.members` does."""
        left = list(pauses)
        while True:
            seen = await self._chosen.members()
            self._members = seen or Members()  # a list that is gone holds nothing
            missing = [key for key in keys if (key in self._members.entries) is not adding]
            if self._members.doubt is not None and (missing or not adding):
                raise UnavailableError(self._members.doubt)
            if not missing or not left:
                return missing
            await self._library.calls.sleep(left.pop(0))

    async def _explained(self, key: str, found: Result) -> Result:
        """The same of a row that was refused, where the row is what is gone."""
        if found.sent in (Sent.REFUSED, Sent.LOST):
            try:
                if await self._library.state(key, patient=False) is None:
                    return Result(Sent.GONE)
            except (UnavailableError, AuthError):
                return found  # that it cannot be told is no news
        return found
