"""Asking a Jellyfin or an Emby: one form of login for both, what a status means, and waiting for a locked database.

Source: Jellyfin's server 10.10.7 to 12.0-rc5; Emby's document; issues of both (checked 2026-11-21):
the header ``Authorization: MediaBrowser`` is the one form that every version of both takes. A token
belongs to a device id, and a new login with that id revokes it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NoReturn
from urllib.parse import quote

from cwsync import files
from cwsync.errors import AuthError, ConfigError, UnavailableError
from cwsync.http import Answer, Http
from cwsync.http.answer import http_date
from cwsync.http.bucket import Sleep
from cwsync.http.client import Params
from cwsync.model import AccountSpec
from cwsync.provider import Services
from cwsync.providers._address import server_url, trust_of
from cwsync.providers._mbdialect import Dialect
from cwsync.providers._mbwire import Server, decode_server
from cwsync.redaction import remember
from cwsync.tokens import login

_EXAMPLE: Final = "http://192.168.1.10:8096"
AT_ONCE: Final = 4
# A server whose database is locked (status 500) is asked again after these.
WAITS_S: Final = (1.0, 2.0, 4.0)
_INSTALLATION: Final = "media-servers.id"
_INSTALLED: Final = re.compile(rb"[0-9a-f]{32}")
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


def device_of(account: AccountSpec, services: Services) -> str:
    """The name for an account whose token comes from the file: its own on every installation, the same in every run.

    A dry run before the first run that writes has no installation to name yet, and makes none.
    """
    return f"cwsync-{hashlib.sha256(f'{_installation(services)}{account.name}'.encode()).hexdigest()[:24]}"


def _installation(services: Services) -> str:
    """What tells this installation from all others; made by the first run that may write."""
    seen = services.memory_dir or services.memory_seen
    known = (seen and files.read_file(seen / _INSTALLATION, 64)) or b""
    if _INSTALLED.fullmatch(known) or services.memory_dir is None:
        return known.decode("ascii", "replace")
    made = secrets.token_hex(16)
    files.make_dir(services.memory_dir)
    files.replace_file(services.memory_dir / _INSTALLATION, made.encode())
    return made


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
        self.url = url_of(account)
        self.now: datetime | None = None
        self.sleep = sleep
        self._services = services
        self._device = device
        ca_file, fingerprint = trust_of(account)
        self.http = Http(
            account.name,
            origins=[self.url],
            headers=headers_of(services, device),
            timeout_s=account.timeout.total_seconds(),
            at_once=AT_ONCE,
            ca_file=ca_file,
            fingerprint=fingerprint,
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
        if answer.status in (401, 403):  # what everybody may ask
            message = f"{answer.call} answered {answer.status}, though no token was sent and none is needed for that"
            raise UnavailableError(message, where=self.account, hint=_PROXY_HINT)
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
_PROXY_HINT: Final = (
    "something in front of the server wants a login of its own: let it pass requests of this program, "
    "or put the address of the server itself into url"
)


def nobody(answer: Answer) -> bool:
    """Whether an answer says that there is no such row (any more)."""
    return answer.status == 404 or (answer.status == 500 and _NOBODY in answer.body)


def is_page(answer: Answer) -> bool:
    """Whether an answer is a page for people: neither server refuses a request with one, so it is a proxy's."""
    return answer.body.lstrip()[:1] == b"<"


def url_of(account: AccountSpec) -> str:
    """The address of the server. Plain http only within the house. Raises `ConfigError`."""
    url = server_url(account, _EXAMPLE)
    if url is None:
        raise ConfigError("is missing", where=f"accounts.{account.name}.url", hint=f"write it like {_EXAMPLE}")
    return url


def raise_gone(account: str, name: str) -> NoReturn:
    """Raise for a login whose user is not at the server any more."""
    raise AuthError(f"there is no user {name!r} at this server any more", where=account, hint=login(account))
