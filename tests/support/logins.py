"""Logins at simulated services: one that a test holds or leaves to the command, and a person who approves them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cwsync.state import Locks, RunInfo, TokenStore
from cwsync.tokens import Refresher, Tokens


@dataclass
class Keeper:
    """Keeps the tokens of one account for as long as a test lasts."""

    tokens: Tokens | None = None
    n_refreshed: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def load(self) -> Tokens | None:
        return self.tokens

    def due(self, tokens: Tokens, now: datetime) -> bool:
        return tokens.expired(now)

    async def refresh(self, seen: Tokens, call: Refresher) -> Tokens:
        async with self.turn:
            if self.tokens is seen:
                self.tokens = await call(seen)
                self.n_refreshed += 1
        assert self.tokens is not None
        return self.tokens

    def leave(self, state: Path) -> None:
        """Have the login in a state folder, as `cwsync auth login` leaves it."""
        assert self.tokens is not None
        with Locks(state, [f"account-{self.tokens.account}"], 0.0, RunInfo("test", datetime.now(UTC))) as locks:
            TokenStore(state).save(self.tokens, locks)


class Session(Keeper):
    """A login that is never renewed."""

    def due(self, tokens: Tokens, now: datetime) -> bool:
        return False

    async def refresh(self, seen: Tokens, call: Refresher) -> Tokens:
        raise AssertionError("such a login is never renewed")


@contextmanager
def approving(approve: Callable[[], object]) -> Iterator[None]:
    """Somebody who approves every login at once."""
    stop = threading.Event()

    def person() -> None:
        while not stop.wait(0.01):
            approve()

    thread = threading.Thread(target=person, name="person")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
