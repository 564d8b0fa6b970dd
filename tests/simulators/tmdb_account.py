"""Accounts at the simulated TMDb: a provider that is connected to it, and a login that is kept in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from cwsync.model import AccountSpec
from cwsync.provider import Choice, Services
from cwsync.providers._tmdbcalls import address_of, http_of
from cwsync.providers.tmdb import Tmdb
from cwsync.tokens import Refresher, Tokens, origin_of
from simulators import tmdb as simulated
from support.logins import Keeper
from support.network import Time

T = TypeVar("T")


class Session(Keeper):
    """A login that is never renewed."""

    def due(self, tokens: Tokens, now: datetime) -> bool:
        return False

    async def refresh(self, seen: Tokens, call: Refresher) -> Tokens:
        raise AssertionError("a session is never renewed")


@dataclass
class Person:
    """Somebody with a browser elsewhere, who does `then` after so many questions of ours. Waiting takes no time."""

    then: Callable[[], None] = lambda: None
    after: int = 2
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    visited: list[tuple[str, str | None, int]] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    def say(self, text: str) -> None:
        pass

    def visit(self, url: str, code: str | None, minutes: int) -> None:
        self.visited.append((url, code, minutes))

    async def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.at += timedelta(seconds=seconds)
        if len(self.waited) == self.after:
            self.then()

    def now(self) -> datetime:
        return self.at

    def choose(self, option: str, question: str, choices: Sequence[Choice], *, preset: str | None = None) -> Choice:
        raise AssertionError("nothing is to be chosen")

    def ask_secret(self, question: str, *, option: str) -> str:
        raise AssertionError("nothing is to be typed")


def spec(service: simulated.Tmdb, **options: object) -> AccountSpec:
    """The settings of an account at a service."""
    return AccountSpec("mine", "tmdb", {"api_url": service.url} | options, timeout=timedelta(seconds=5))


def logged_in(service: simulated.Tmdb, name: str = "mine") -> Keeper:
    """A login as `cwsync auth login` keeps it."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    number = service.account.number
    secrets = {"access": service.login()}
    return Session(Tokens(name, "tmdb", f"tmdb:{number}", origin_of(service.url) or "", secrets, at))


def services(keeper: Keeper, **secrets: str | None) -> Services:
    """What the house lends."""
    given: dict[str, Any] = {"token": simulated.TOKEN} | secrets
    return Services(tokens=keeper, secret=given.get)


def use(
    service: simulated.Tmdb,
    step: Callable[[Tmdb], Awaitable[T]],
    *,
    keeper: Keeper | None = None,
    opened: bool = True,
    time: Time | None = None,
    secrets: dict[str, str | None] | None = None,
    **options: object,
) -> T:
    """Do something with a provider that is open (or not yet). Nothing waits in earnest."""
    time = time or Time()

    async def session() -> T:
        account, lent = spec(service, **options), services(keeper or logged_in(service), **(secrets or {}))
        provider = Tmdb(account, lent)
        calls = provider._calls
        calls._http = http_of(address_of(account), lent, calls._secrets, clock=time.clock, sleep=time.sleep)
        try:
            if opened:
                await provider.open()
            return await step(provider)
        finally:
            await provider.aclose()

    return asyncio.run(session())
