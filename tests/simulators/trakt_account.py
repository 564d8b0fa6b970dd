"""Accounts at the simulated Trakt: a provider that is connected to it, and a login that is kept in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cwsync.model import AccountSpec
from cwsync.provider import Services
from cwsync.providers._traktcalls import address_of, http_of
from cwsync.providers.trakt import Trakt
from cwsync.tokens import Tokens, origin_of
from simulators import trakt as simulated
from support import session
from support.logins import Keeper
from support.network import Time

T = TypeVar("T")


def spec(service: simulated.Trakt, **options: object) -> AccountSpec:
    """The settings of an account at a service."""
    given = {"client_id": simulated.CLIENT_ID, "api_url": service.url, "auth_url": service.url, "write_spacing_ms": 0}
    return AccountSpec("mine", "trakt", given | options, timeout=timedelta(seconds=5))


def table(service: simulated.Trakt, kept_in: str = '{ file = "trakt.secret" }') -> str:
    """An account at a service, as it stands in ``pairs.toml``."""
    return f"""
[accounts.trakt]
client_id = "{simulated.CLIENT_ID}"
client_secret = {kept_in}
api_url = "{service.url}"
auth_url = "{service.url}"
write_spacing_ms = 0
staleness = "0s"
"""


def logged_in(service: simulated.Trakt, name: str = "mine") -> Keeper:
    """A login as `cwsync auth login` keeps it."""
    granted = service.login()
    origin = origin_of(service.url) or ""
    secrets = {"access": granted["access_token"], "refresh": granted["refresh_token"]}
    at = datetime.fromtimestamp(granted["created_at"], UTC)
    until = at + timedelta(seconds=granted["expires_in"])
    number = f"trakt:{service.user.settings()['user']['ids']['uuid']}"
    return Keeper(Tokens(name, "trakt", number, origin, secrets, at, until, {"auth_origin": origin}))


def services(keeper: Keeper, *, cache: Path | None = None, keeps: bool = True, **secrets: str | None) -> Services:
    """What the house lends: to a run that `keeps`, a folder to write to."""
    given: dict[str, Any] = {"client_secret": simulated.CLIENT_SECRET} | secrets
    return Services(cache if keeps else None, tokens=keeper, secret=given.get, cache_seen=cache)


def use(
    service: simulated.Trakt,
    step: Callable[[Trakt], Awaitable[T]],
    *,
    keeper: Keeper | None = None,
    opened: bool = True,
    time: Time | None = None,
    cache: Path | None = None,
    keeps: bool = True,
    **options: object,
) -> T:
    """Do something with a provider that is open (or not yet). Nothing waits in earnest."""
    time = time or Time()

    account, lent = spec(service, **options), services(keeper or logged_in(service), cache=cache, keeps=keeps)
    provider = Trakt(account, lent)
    provider._calls._http = http_of(address_of(account), lent, clock=time.clock, sleep=time.sleep)
    return session.use(provider, step, opened=opened)
