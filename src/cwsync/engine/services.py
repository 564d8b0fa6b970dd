"""What the engine lends each provider: its secrets, and its login, renewed under the lock of the account."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cwsync.engine.options import Home
from cwsync.errors import LockedError
from cwsync.model import AccountSpec
from cwsync.provider import Services
from cwsync.state import Locks, RunInfo, TokenStore
from cwsync.tokens import Refresher, Tokens

EARLY: Final = timedelta(hours=1)  # a run that writes renews this long before the end; a dry run gives nothing
PATIENCE_S: Final = 30.0  # how long a dry run waits for another run that may be renewing the same login
_POLL_S: Final = 0.1


def services_for(account: AccountSpec, home: Home, *, keeps: bool = False, locks: Locks | None = None) -> Services:
    """The services of one account. With `keeps` (a run that writes) its provider has folders to write to.

    `locks` are those such a run holds; without them nothing is renewed early.
    """

    def secret(name: str) -> str | None:
        ref = account.secrets.get(name)
        return None if ref is None else home.resolve(ref, where=f"accounts.{account.name}.{name}")

    tokens = KeptTokens(account.name, home.state_dir, locks)
    cache, memory = home.state_dir / "cache", home.state_dir / "accounts"
    return Services(
        cache if keeps else None,
        tokens,
        secret,
        cache_seen=cache,
        memory_dir=memory if keeps else None,
        memory_seen=memory,
    )


class KeptTokens:
    """The stored login of one account (see `provider.TokenKeeper`).

    With `locks` that hold the lock of the account it is renewed under them. Without, as in a dry
    run, the lock is taken for the renewal alone: another run that holds it may just be renewing
    the same login, so that is waited for, and used. `sleep` and `clock` are replaced by tests.
    """

    def __init__(
        self,
        account: str,
        state_dir: Path,
        locks: Locks | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._account = account
        self._state_dir = state_dir
        self._locks = locks
        self._store = TokenStore(state_dir, early=EARLY if locks else timedelta(0))
        self._clock = clock
        self._sleep = sleep
        self._turn = asyncio.Lock()

    def load(self) -> Tokens | None:
        """The stored login."""
        return self._store.load(self._account)

    def due(self, tokens: Tokens, now: datetime) -> bool:
        """Whether to renew before use."""
        return self._store.due(tokens, now)

    async def refresh(self, seen: Tokens, call: Refresher) -> Tokens:
        """Newer tokens than `seen`: stored by someone else meanwhile, or by `call`, once for all who wait."""
        async with self._turn:
            if self._locks is not None:
                return await self._store.refresh(self._account, call, seen=seen, locks=self._locks)
            return await self._refresh_alone(seen, call)

    async def _refresh_alone(self, seen: Tokens, call: Refresher) -> Tokens:
        began = self._clock()
        info = RunInfo(f"cwsync, to renew the login of {self._account}", datetime.now(UTC))
        while True:
            try:
                with Locks(self._state_dir, [f"account-{self._account}"], 0.0, info) as locks:
                    return await self._store.refresh(self._account, call, seen=seen, locks=locks)
            except LockedError:
                stored = self.load()
                if stored is not None and stored != seen and not stored.expired(datetime.now(UTC)):
                    return stored
                if self._clock() - began >= PATIENCE_S:
                    raise
            await self._sleep(_POLL_S)
