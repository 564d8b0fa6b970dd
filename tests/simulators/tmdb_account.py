"""Accounts at the simulated TMDb: a provider that is connected to it, and a login that is kept in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from cwsync.model import AccountSpec
from cwsync.provider import Services
from cwsync.providers._tmdbcalls import address_of, http_of
from cwsync.providers.tmdb import Tmdb
from cwsync.tokens import Tokens, origin_of
from simulators import tmdb as simulated
from support import session
from support.logins import Keeper, Session
from support.network import Time

T = TypeVar("T")


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

    account, lent = spec(service, **options), services(keeper or logged_in(service), **(secrets or {}))
    provider = Tmdb(account, lent)
    calls = provider._calls
    calls._http = http_of(address_of(account), lent, calls._secrets, clock=time.clock, sleep=time.sleep)
    return session.use(provider, step, opened=opened)
