"""A token bucket: how often an account may be asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class Bucket:
    """At most `burst` requests at once, and `rate_per_s` a second in the long run.

    First come, first served. `clock` (seconds, any origin) and `sleep` can be replaced so that
    tests never wait. Not for several event loops.
    """

    def __init__(
        self, rate_per_s: float, burst: int = 1, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep
    ) -> None:
        if rate_per_s <= 0 or burst < 1:
            raise ValueError("a bucket needs a rate above 0 and room for one")
        self._gap_s = 1.0 / rate_per_s
        self._slack_s = (burst - 1) * self._gap_s
        self._clock = clock
        self._sleep = sleep
        self._due = clock() - self._slack_s  # when the next one would leave at an even pace

    async def take(self) -> None:
        """Wait for a turn."""
        now = self._clock()
        self._due = max(self._due, now - self._slack_s)
        wait_s = self._due - now
        self._due += self._gap_s
        if wait_s > 0:
            await self._sleep(wait_s)
