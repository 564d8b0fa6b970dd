"""Accounts at the simulated SIMKL: a provider that is connected to it, and a login that is kept in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cwsync.model import AccountSpec
from cwsync.provider import Services
from cwsync.providers._simkladdress import address_of
from cwsync.providers._simklcalls import Calls
from cwsync.providers.simkl import Simkl
from cwsync.tokens import Tokens, origin_of
from simulators import simkl as simulated
from support import session
from support.logins import Keeper
from support.network import Time

T = TypeVar("T")


def spec(service: simulated.Simkl, **options: object) -> AccountSpec:
    """The settings of an account at a service."""
    paces = {"write_spacing_ms": 0, "read_spacing_ms": 0}
    given = {"client_id": simulated.CLIENT_ID, "api_url": service.url} | paces
    return AccountSpec("mine", "simkl", given | options, timeout=timedelta(seconds=5))


def table(service: simulated.Simkl, client_id: str = simulated.CLIENT_ID, more: str = "") -> str:
    """An account at a service, as it stands in ``pairs.toml``; `more` are lines for it."""
    return f"""
[accounts.simkl]
client_id = "{client_id}"
api_url = "{service.url}"
write_spacing_ms = 0
read_spacing_ms = 0
staleness = "0s"
{more}
"""


def logged_in(service: simulated.Simkl, name: str = "mine") -> Keeper:
    """A login as `cwsync auth login` keeps it."""
    granted = service.login()
    secrets = {"access": granted.access, "refresh": granted.refresh}
    at = datetime.now(UTC).replace(microsecond=0)
    chosen = {"client_id": simulated.CLIENT_ID, "plan": service.user.plan, "name": "simulated"}
    number, origin = f"simkl:{service.user.number}", origin_of(service.url) or ""
    return Keeper(Tokens(name, "simkl", number, origin, secrets, at, at + timedelta(days=7), chosen))


def connected(
    service: simulated.Simkl,
    *,
    keeper: Keeper | None = None,
    folder: Path | None = None,
    dry: bool = False,
    time: Time | None = None,
    token: str | None = None,
    now: Callable[[], datetime] | None = None,
    **options: object,
) -> Simkl:
    """A provider that is not open yet. Nothing waits.

    `folder` keeps its cache, and one beside it its memory; a `dry` one only reads them.
    """
    time = time or Time()
    secrets: dict[str, str | None] = {"access_token": token}
    login: Any = {} if token is not None else {"tokens": keeper or logged_in(service)}
    memory = None if folder is None else folder.with_name("accounts")
    kept: Any = {"cache_seen": folder, "memory_seen": memory, "memory_dir": None if dry else memory}
    lent = Services(None if dry else folder, secret=secrets.get, **kept, **login)
    provider = Simkl(spec(service, **options), lent)
    calls = Calls(
        address_of(spec(service, **options)),
        lent,
        clock=time.clock,
        sleep=time.sleep,
        now=now or service.now,
    )
    provider._calls = provider._reader._calls = provider._writer._calls = calls
    return provider


def use(service: simulated.Simkl, step: Callable[[Simkl], Awaitable[T]], *, opened: bool = True, **more: Any) -> T:
    """Do something with a provider that is open (or not yet)."""
    return session.use(connected(service, **more), step, opened=opened)
