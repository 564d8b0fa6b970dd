"""Who asks: tokens, keys, passwords and Quick Connect of a simulated Jellyfin or Emby."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from simulators.mediabrowserrows import RefusedError, Row, now_text
from simulators.mediabrowserworld import User, World, hexed
from support.httpserver import Request

LIFE_S = 600
# No two servers of a process have a secret in common.
_NUMBERS = itertools.count(1)
_PART = re.compile(r'((?:"[^"]*"|[^",])*)(?:,|$)')


@dataclass(eq=False)
class Token:
    """A way in: of a user on a device, or a key, which has no user. `app` is the client, or the name of the key."""

    value: str
    user: User | None
    device_id: str = ""
    app: str = ""
    device: str = ""
    version: str = ""
    number: int = 0

    @property
    def powerful(self) -> bool:
        """Whether it may do what administrators may."""
        return self.user is None or self.user.admin


@dataclass(eq=False)
class Quick:
    """A request of Quick Connect; `token` once somebody approved it."""

    secret: str
    code: str
    client: Mapping[str, str]
    since: float
    token: Token | None = None


def parsed(header: str) -> tuple[str, dict[str, str]]:
    """The scheme of an authorization header in lower case, and its values by their names, which have a case.

    Values are decoded as those of forms are: a plus is a space.
    """
    scheme, _, rest = header.strip().partition(" ")
    pairs = (part.partition("=") for part in _PART.findall(rest) if part)
    return scheme.lower(), {name.strip(): unquote_plus(value.strip('"')) for name, _, value in pairs}


class Doors:
    """Every token and key of a server, and how one gets them.

    `legacy`: whether the older forms of the header and the query are let in. `quick_on`: whether Quick
    Connect is switched on.
    """

    def __init__(self, world: World, *, emby: bool, legacy: bool) -> None:
        self.world = world
        self.emby = emby
        self.legacy = legacy
        self.quick_on = True
        self.tokens: dict[str, Token] = {}
        self.quick: dict[str, Quick] = {}

    # --- making tokens --------------------------------------------------------------------------

    def _new(self, user: User | None, **more: str) -> Token:
        number = next(_NUMBERS)
        token = Token(hexed("token", number), user, number=number, **more)
        self.tokens[token.value] = token
        return token

    def key(self, app: str = "cwsync") -> str:
        """A new key."""
        return self._new(None, app=app).value

    def token(self, user: User, device_id: str = "a device", app: str = "a client") -> str:
        """What a login of a user on a device gives: the token before it is dead from now on."""
        client = {"DeviceId": device_id, "Client": app, "Device": "Desk", "Version": "1.0"}
        return self._login(user, client).value

    def _login(self, user: User, client: Mapping[str, str]) -> Token:
        for old in [one for one in self.tokens.values() if one.user is user]:
            if old.device_id == client["DeviceId"]:
                del self.tokens[old.value]
        made = {"device_id": client["DeviceId"], "app": client["Client"], "device": client.get("Device", "")}
        return self._new(user, **made, version=client.get("Version", ""))

    def revoke(self, value: str) -> None:
        """Let a token or key be dead."""
        self.tokens.pop(value, None)

    # --- who it is ------------------------------------------------------------------------------

    def said(self, request: Request) -> tuple[str | None, dict[str, str]]:
        """The token that a request brings, and what it says of its client."""
        headers, query = request.headers, {name.lower(): text for name, text in request.query.items()}
        legacy = self.legacy or self.emby
        header = headers.get("authorization") or (headers.get("x-emby-authorization") if legacy else None) or ""
        scheme, client = parsed(header)
        if scheme != "mediabrowser" and not (legacy and scheme == "emby"):
            client = {}
        older = [headers.get("x-emby-token"), headers.get("x-mediabrowser-token")] if legacy else []
        in_query = [None if self.emby else query.get("apikey"), query.get("api_key") if legacy else None]
        found = [client.get("Token"), *older, *in_query]
        return next((one for one in found if one), None), client

    def who(self, request: Request) -> Token:
        """Whose request it is. Raises `RefusedError` 401 for no or an unknown token, and for a disabled user."""
        value, client = self.said(request)
        token = self.tokens.get(value or "")
        if token is None or (token.user is not None and token.user.id not in self.world.users):
            raise RefusedError(401, "Access token is invalid or expired." if self.emby else "")
        if token.user is not None and token.user.disabled:
            raise RefusedError(401, "")
        token.version = client.get("Version") or token.version
        return token

    # --- logging in -----------------------------------------------------------------------------

    def client(self, request: Request) -> dict[str, str]:
        """What a login says of its client; a Jellyfin needs all of it."""
        _, client = self.said(request)
        names = ("DeviceId",) if self.emby else ("Client", "Device", "DeviceId", "Version")
        if any(not client.get(name) for name in names):
            raise RefusedError(400, "Value cannot be null. (Parameter 'appName')" if self.emby else None)
        return {"Client": "", **client}

    def by_password(self, request: Request, name: str | None, password: str | None) -> Token:
        """A login. Wrong passwords are counted, and may disable the user."""
        client = self.client(request)
        user = next((one for one in self.world.users.values() if one.name.lower() == (name or "").lower()), None)
        wrong = RefusedError(401, "Invalid username or password entered." if self.emby else None)
        if not name:
            raise RefusedError(400, "Value cannot be null. (Parameter 'username')" if self.emby else None)
        if user is None:
            raise wrong
        user.tries += 1
        if user.disabled:
            raise RefusedError(403, None)
        if (password or "") != user.password:
            user.failed += 1
            user.disabled = user.lockout >= 0 and user.failed >= (user.lockout or (5 if user.admin else 3))
            raise wrong
        user.failed = 0
        return self._login(user, client)

    # --- Quick Connect --------------------------------------------------------------------------

    def initiate(self, request: Request) -> Quick:
        """A new request of Quick Connect. Raises `RefusedError` 401 when that is switched off."""
        if not self.quick_on:
            raise RefusedError(401, "Quick connect is not active on this server")
        number = len(self.quick) + 1
        secret, code = (hexed("quick", next(_NUMBERS)) * 2).upper(), str(100_000 + number)
        quick = Quick(secret, code, self.client(request), self.world.now())
        self.quick[quick.secret] = quick
        return quick

    def waiting(self, secret: str | None) -> Quick:
        """The request with this secret. Raises `RefusedError` 404 for an unknown or an expired one."""
        quick = self.quick.get(secret or "")
        if quick is None or self.world.now() - quick.since > LIFE_S:
            self.quick.pop(secret or "", None)
            raise RefusedError(404, "Unable to find secret")
        return quick

    def approve(self, user: User | None = None, code: str | None = None) -> None:
        """Let the last request in (or the one with this code), as the user does in a signed-in client."""
        fitting = [one for one in self.quick.values() if code in (None, one.code)]
        if not fitting:
            raise RefusedError(404, "Unable to find request")
        if fitting[-1].token is not None:
            raise RefusedError(500, "Request is already authorized")
        # The token is made now, not when it is fetched: the one before on that device is dead from now on.
        fitting[-1].token = self._login(user or self.world.owner, fitting[-1].client)

    def by_quick(self, secret: str | None) -> Token:
        """The login of an approved request, as often as it is fetched."""
        quick = self.waiting(secret)
        if quick.token is None:
            raise RefusedError(404, "Unable to find request")
        return quick.token

    # --- as rows --------------------------------------------------------------------------------

    def quick_row(self, quick: Quick) -> Row:
        """A request of Quick Connect as it is told."""
        return {
            "Authenticated": quick.token is not None,
            "Secret": quick.secret,
            "Code": quick.code,
            "DeviceId": quick.client["DeviceId"],
            "DeviceName": quick.client["Device"],
            "AppName": quick.client["Client"],
            "AppVersion": quick.client["Version"],
            "DateAdded": now_text(quick.since),
        }

    def key_rows(self) -> list[Row]:
        """The keys, as they are told to an administrator."""
        return [
            {"Id": one.number, "AccessToken": one.value, "AppName": one.app, "IsActive": True, **_DATES}
            for one in self.tokens.values()
            if one.user is None
        ]


_DATES = {"DateCreated": now_text(0), "DateLastActivity": now_text(0)}
Answer = Callable[[Request, Token], Any]
