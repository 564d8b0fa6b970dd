"""A login at a service: its secrets, whose it is, and where they may be sent. Kept by `state`, used by providers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import urlsplit

from cwsync.errors import AuthError
from cwsync.model import check_when
from cwsync.redaction import remember

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

ACCOUNT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SECRET_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_PORTS: Final = {"https": 443, "http": 80}
# Names that no server on the web can have (RFC 6762, RFC 8375, and what routers give out).
_OWN_ENDINGS: Final = (".local", ".lan", ".home.arpa", ".internal")


class Secrets(Mapping[str, str]):
    """Secrets by name. Whoever asks for one by name gets it; printed, formatted or logged it shows only names."""

    __slots__ = ("_by_name",)

    def __init__(self, by_name: Mapping[str, str]) -> None:
        if not by_name or len(by_name) > 8:
            raise ValueError("one to eight secrets make a login")
        for name, secret in by_name.items():
            if not _SECRET_NAME.fullmatch(name):
                raise ValueError("not the name of a secret")
            if not secret.strip() or _CONTROL.search(secret):
                raise ValueError(f"the secret {name!r} is not one line of text")
            remember(secret)
        self._by_name = dict(sorted(by_name.items()))

    def __getitem__(self, name: str) -> str:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"<{', '.join(self._by_name)}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled or copied")


@dataclass(frozen=True, slots=True)
class Tokens:
    """A login at a service.

    `origin` is the service that it is for (``https://api.example.org``); `secrets` has ``access``,
    ``refresh`` and what else there is; `expires_at` is when access ends, None when it does not.
    `chosen` is what else was settled at login, and is no secret: the id of a server or of a user;
    ``name`` and ``server`` in it are names for people.
    Raises ``ValueError`` for what cannot be one, without the secrets.
    """

    account: str
    provider: str
    account_id: str
    origin: str
    secrets: Mapping[str, str] = field(hash=False)
    obtained_at: datetime
    expires_at: datetime | None = None
    chosen: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not ACCOUNT.fullmatch(self.account):
            raise ValueError(f"not the name of an account: {self.account!r}")
        if origin_of(self.origin) != self.origin:
            raise ValueError("origin is not the address of a service, as in https://api.example.org")
        check_when(self.obtained_at)
        check_when(self.expires_at)
        if not isinstance(self.secrets, Secrets):
            object.__setattr__(self, "secrets", Secrets(self.secrets))

    def __reduce__(self) -> NoReturn:
        raise TypeError("tokens are not pickled or copied")

    def expired(self, now: datetime, early: timedelta = timedelta(0)) -> bool:
        """Whether access has ended, or will within `early`."""
        return self.expires_at is not None and self.expires_at - early <= now

    def secret(self, name: str, url: str) -> str:
        """A secret to be sent to `url`. Raises `AuthError` when that is another service, or there is no such secret."""
        if origin_of(url) != self.origin:
            message = f"the login is for {self.origin}, not for {origin_of(url) or 'that address'}"
            raise AuthError(message, where=self.account, hint=login(self.account))
        if name not in self.secrets:
            raise AuthError(f"the login has no {name} token", where=self.account, hint=login(self.account))
        return self.secrets[name]


Refresher = Callable[[Tokens], Awaitable[Tokens]]


def login(account: str) -> str:
    """The hint that helps when tokens do not."""
    return f"log in again: cwsync auth login {account}"


def not_logged_in(account: str) -> AuthError:
    """The error for an account that never logged in, or logged out."""
    return AuthError("not logged in", where=account, hint=f"log in: cwsync auth login {account}")


def origin_of(url: str) -> str | None:
    """``https://host`` or ``https://host:8443`` of a URL, in one spelling; None when it has none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not host or _CONTROL.search(url) or "\\" in url:
        return None
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, _PORTS[parts.scheme]) else "")


def on_this_machine(url: str) -> bool:
    """Whether an address is one of this machine; a name only if it is ``localhost``."""
    host = urlsplit(url).hostname or ""
    address = _number(host)
    return host == "localhost" if address is None else address.is_loopback


def in_own_network(url: str) -> bool:
    """Whether an address is on this machine or in a private network; names by their form."""
    host = urlsplit(url).hostname or ""
    address = _number(host)
    if address is None:
        return "." not in host or host.endswith(_OWN_ENDINGS)
    return address.is_loopback or address.is_private or address.is_link_local


def _number(host: str) -> IPv4Address | IPv6Address | None:
    import ipaddress

    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
