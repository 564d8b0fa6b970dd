"""Ids of titles, completed by TMDb: who knows a film by IMDb's number alone learns TMDb's, and the other way round.

`IdLookup` stands alone: it needs the account of an application (``token`` or ``api_key``), and no login.
`cwsync.engine.completion` uses it between the reading of both sides and the planning. What is in `pending` may well
be on the other side under another id, so an add of it is held until a run could ask.

A run without changes asks nothing: everything is in the cache, hits for a month and misses for a week. In a dry
run the file is read and not written. Undo, and the second look before a removal, use the ids of the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cwsync.errors import AuthError, UnavailableError
from cwsync.model import AccountSpec, Item
from cwsync.provider import Services
from cwsync.providers._tmdbcalls import AT_ONCE, Calls, address_of
from cwsync.providers._tmdbidcache import NAME, FactCache
from cwsync.providers._tmdbidfacts import Asked, asks_of, completed, decode_facts, requests_of

MOST: Final = 500  # requests of one run; at 30 a second a quarter of a minute
_FAILURES: Final = 3
_NOTED: Final = 5


class IdLookup:
    """Looks up the ids that items lack, at most `most` requests in its life.

    `requests` were sent; `refused` says that the key is not taken; `notes` say, for people, what was not looked
    up or not taken, and why; `pending` are the items that may lack ids because nobody could be asked. `now`
    (seconds) is what the age of cached answers counts by.
    """

    def __init__(self, account: AccountSpec, services: Services, *, most: int = MOST, now: float | None = None) -> None:
        self._calls = Calls(address_of(account), services)
        keep, seen = (folder and folder / NAME for folder in (services.cache_dir, services.cache_seen))
        self._cache = FactCache(keep, seen or keep, now)
        self._left = most
        self._failures = 0
        self._ended = False
        self.refused = False
        self._why: str | None = None
        self.notes: list[str] = []
        self.pending: frozenset[Item] = frozenset()

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._calls.requests

    async def aclose(self) -> None:
        """Close the connections."""
        await self._calls.aclose()

    async def reach(self) -> None:
        """Have TMDb look at the token or the key. Raises `AuthError`, `UnavailableError`, `ConfigError`."""
        await self._calls.get("/authentication")

    async def complete(self, items: Sequence[Item]) -> Mapping[Item, Item]:
        """The items that gained ids, each with what it is now. Those that are not in it stay as they are.

        A service that is not there, or that does not take the token, raises nothing: it is noted.
        Raises `ConfigError` when the account has neither token nor key, `StateError` for a cache that
        cannot be read or written.
        """
        wanted = list(dict.fromkeys(items))
        facts = self._cache.facts()
        failed: set[str] = set()
        while asks := {name for item in wanted for name in asks_of(item, facts)} - failed:
            # Each comes back as a fact or goes to `failed`, so this ends.
            learnt = await self._ask(asks, failed)
            facts |= learnt
            self._cache.put(learnt)
        self._cache.save()
        waiting = {item for item in wanted if failed & set(asks_of(item, facts))}
        if waiting:
            why = "" if self._ended or self._why is None else f": {self._why}"
            self.notes.append(f"the ids of {len(waiting):,} titles were not completed by TMDb in this run{why}")
        self.pending |= waiting
        return self._judge(wanted, facts)

    def _judge(self, wanted: list[Item], facts: Mapping[str, Any]) -> dict[Item, Item]:
        """What the facts make of the items, and a note on those that they do not fit."""
        made: dict[Item, Item] = {}
        troubles: list[str] = []
        for item in wanted:
            after, trouble = completed(item, facts)
            if after != item:
                made[item] = after
            if trouble is not None:
                troubles.append(f"{item.label()}: {trouble}")
        told = sorted(set(troubles))
        self.notes += told[:_NOTED]
        if len(told) > _NOTED:
            self.notes.append(f"{len(told) - _NOTED:,} more titles whose ids at TMDb contradict each other")
        return made

    async def _ask(self, names: set[str], failed: set[str]) -> dict[str, Any]:
        """The facts of these names; those that could not be had go to `failed`."""
        from cwsync.http import together

        learnt: dict[str, Any] = {}
        asked = requests_of(names)
        for at in range(0, len(asked), AT_ONCE):
            part = asked[at : at + AT_ONCE]
            allowed = [] if self._ended else part[: self._left]
            if len(allowed) < len(part) and not self._ended:
                self._end(f"no more than {self._calls.requests + len(allowed):,} requests are sent to TMDb in one run")
            self._left -= len(allowed)
            for found in await together([self._bound(one) for one in allowed], at_once=AT_ONCE):
                learnt |= found
            failed |= {name for one in part for name in one.names} - learnt.keys()
        return learnt

    def _bound(self, asked: Asked) -> Callable[[], Any]:
        return lambda: self._one(asked)

    async def _one(self, asked: Asked) -> dict[str, Any]:
        """The facts of one request; none when it failed, which ends the asking at the third time."""
        try:
            answer = await self._calls.look(asked.path, asked.params)
            try:
                return decode_facts(asked, None if answer is None else answer.json())
            except ValueError as error:
                if answer is not None:
                    answer.garbled(str(error))
                raise
        except UnavailableError as error:
            self._failures, self._why = self._failures + 1, error.message
            if self._failures >= _FAILURES:
                self._end(f"TMDb could not be asked for ids: {error.message}")
        except AuthError as error:
            self.refused = True
            self._end(f"TMDb could not be asked for ids: {error.message}; {error.hint}")
        return {}

    def _end(self, why: str) -> None:
        if not self._ended:
            self._ended = True
            self.notes.append(why)
