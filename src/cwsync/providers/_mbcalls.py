"""Asking a Jellyfin or an Emby: one form of login for both, what a status means, and waiting for a locked database.

Source: Jellyfin's server 10.10.7 to 12.0-rc5; Emby's document; issues of both (checked 2026-11-21):
the header ``Authorization: MediaBrowser`` is the one form that every version of both takes. A token
belongs to a device id, and a new login with that id revokes it.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import quote, urlsplit

from cwsync.errors import AuthError, ConfigError, UnavailableError
from cwsync.http import Answer, Http
from cwsync.http.answer import http_date
from cwsync.http.bucket import Sleep
from cwsync.http.client import Params
from cwsync.model import AccountSpec
from cwsync.provider import Services
from cwsync.providers._mbdialect import Dialect
from cwsync.providers._mbwire import Server, decode_server
from cwsync.redaction import remember
from cwsync.tokens import login, origin_of

AT_ONCE: Final = 4
# A server whose database is locked (status 500) is asked again after these.
WAITS_S: Final = (1.0, 2.0, 4.0)
# Emby answers like that for a row that is not there any more. Source: CrossWatch issue 896 (checked 2026-11-21).
_NOBODY: Final = b"Object reference not set"


def headers_of(services: Services, device: str, token: str | None = None) -> dict[str, str]:
    """The headers of every request. The token stands here and never in an address."""
    product, _, version = services.user_agent.partition("/")
    parts = {"Client": product, "Device": product, "DeviceId": device, "Version": version or "0"}
    if token is not None:
        parts = {"Token": remember(token), **parts}
    told = ", ".join(f'{name}="{quote(value, safe="")}"' for name, value in parts.items())
    return {"Accept": "application/json", "User-Agent": services.user_agent, "Authorization": f"MediaBrowser {told}"}


def new_device() -> str:
    """A name for this installation and account, made at the first login: tokens belong to it."""
    return f"cwsync-{secrets.token_hex(12)}"


def device_of(account: AccountSpec) -> str:
    """The name for an account whose token comes from the file: nothing was logged in, so nothing depends on it."""
    return f"cwsync-{hashlib.sha256(account.name.encode()).hexdigest()[:24]}"


class Calls:
    """The connection to one server."""

    def __init__(
        self,
        account: AccountSpec,
        services: Services,
        dialect: Dialect,
        device: str,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.account = account.name
        self.dialect = dialect
        self.url = server_url(account)
        self.now: datetime | None = None
        self.sleep = sleep
        self._services = services
        self._device = device
        ca_file, fingerprint = account.options.get("ca_file"), account.options.get("fingerprint")
        self.http = Http(
            account.name,
            origins=[self.url],
            headers=headers_of(services, device),
            timeout_s=account.timeout.total_seconds(),
            at_once=AT_ONCE,
            ca_file=Path(ca_file) if isinstance(ca_file, str | Path) else None,
            fingerprint=fingerprint if isinstance(fingerprint, str) else None,
            sleep=sleep,
        )

    def use(self, token: str | None) -> None:
        """Send a token from now on, or none."""
        self.http.headers = headers_of(self._services, self._device, token)

    async def get(
        self, path: str, params: Params | None = None, *, allowed: Sequence[int] = (200,), patient: bool = True
    ) -> Answer:
        """One read, with `patient` repeated while the server has an error of its own (500).

        Raises `AuthError` and `UnavailableError` for a status that is not `allowed`.
        """
        waits = list(WAITS_S) if patient else []
        while True:
            answer = await self.http.get(path, params=params)
            if answer.status != 500 or nobody(answer) or not waits:
                break
            await self.sleep(waits.pop(0))
        self.judge(answer, allowed)
        self.now = http_date(answer.headers) or self.now
        return answer

    def judge(self, answer: Answer, allowed: Sequence[int] = (200,)) -> None:
        """Raise for a status that is not `allowed`: 401 is a token nobody knows, 403 a right that its user lacks."""
        if answer.status in allowed:
            return
        if answer.status == 401:
            hint = f"{login(self.account)} (or renew the token in the file)"
            raise AuthError("the server does not take this token", where=self.account, hint=hint)
        if answer.status == 403:
            hint = "an administrator of the server can see which rights the user has"
            raise AuthError(f"this user may not do {answer.call}", where=self.account, hint=hint)
        raise UnavailableError(f"{answer.call} answered {answer.status}", where=self.account, hint="try again later")

    async def server(self) -> Server:
        """Which server answers. No token is needed, and none should be sent before.

        Raises `ConfigError` for one that is too old, or the other of the two.
        """
        try:
            answer = await self.http.get("/System/Info/Public")
        except UnavailableError as error:
            if self.http.ledger and 300 <= (self.http.ledger[-1].status or 0) < 400:
                raise UnavailableError(error.message, where=self.account, hint=_BASE_HINT) from None
            raise
        if answer.status == 404:
            raise UnavailableError(f"{answer.call} answered 404", where=self.account, hint=_BASE_HINT)
        self.judge(answer)
        found = decode_server(answer)
        self._check(found)
        return found

    def _check(self, server: Server) -> None:
        title, where = self.dialect.title, f"accounts.{self.account}"
        if self.dialect.is_other(server.product):
            other = server.product or "Emby, or an old Jellyfin,"
            hint = "set provider to what the server is: jellyfin or emby"
            raise ConfigError(f"no {title} answers there but {other} {server.version}", where=where, hint=hint)
        if server.numbers < self.dialect.floor:
            oldest = ".".join(map(str, self.dialect.floor))
            hint = f"update the server to {oldest} or later"
            raise ConfigError(f"{title} {server.version} is too old", where=where, hint=hint)


_BASE_HINT: Final = (
    "redirects are not followed: if the server has a base path, put it into url (http://192.168.1.10:8096/media), "
    "and if it speaks https, begin url with that"
)


def nobody(answer: Answer) -> bool:
    """Whether an answer says that there is no such row (any more)."""
    return answer.status == 404 or (answer.status == 500 and _NOBODY in answer.body)


def server_url(account: AccountSpec) -> str:
    """The address of the server. Plain HTTP only within the house. Raises `ConfigError`."""
    url, where = account.options.get("url"), f"accounts.{account.name}.url"
    if not isinstance(url, str) or origin_of(url) is None:
        raise ConfigError("is not an address", where=where, hint="write it like http://192.168.1.10:8096")
    if urlsplit(url).scheme != "https" and not _inside(urlsplit(url).hostname or ""):
        hint = "use https, or the private address of the server"
        raise ConfigError("must be https outside of the own network: a token goes there", where=where, hint=hint)
    return url.rstrip("/")


def _inside(host: str) -> bool:
    """Whether a host is on this machine or in a private network; names by their form."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".home.arpa", ".internal"))
    return address.is_loopback or address.is_private or address.is_link_local


def raise_gone(account: str, name: str) -> NoReturn:
    """Raise for a login whose user is not at the server any more."""
    raise AuthError(f"there is no user {name!r} at this server any more", where=account, hint=login(account))
