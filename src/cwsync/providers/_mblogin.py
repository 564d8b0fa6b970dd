"""Logging in to Jellyfin or Emby: by Quick Connect where there is such, else by name and password.

A password is tried once, whatever happens: servers may lock a user out after a few wrong ones.

Source: Jellyfin's server 10.10.7 to 12.0-rc5, Emby's document: a login needs the name of the device and
gives a token for that device, and revokes the one before (checked 2026-11-21).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from cwsync.errors import AuthError, ConfigError, UnavailableError
from cwsync.http import Answer, LostAnswerError
from cwsync.model import AccountSpec
from cwsync.provider import Choice, Person
from cwsync.providers._mbcalls import Calls
from cwsync.providers._mbwire import USER_ID, Server, User, decode_user, decode_users, plain_id, same_name
from cwsync.redaction import remember
from cwsync.tokens import Tokens, origin_of

_LIFE: Final = timedelta(minutes=10)
_SOON: Final = timedelta(seconds=20)


class Conversation:
    """One login, with a person at hand. `device` is the name that the token will belong to."""

    def __init__(self, account: AccountSpec, person: Person, calls: Calls, device: str) -> None:
        self._account = account
        self._person = person
        self._calls = calls
        self._device = device

    async def run(self) -> Tokens:
        """Raises `AuthError`, `UnavailableError`, `ConfigError`, `UsageError`."""
        server = await self._calls.server()
        if await self._quick():
            found = await self._quick_connect()
        else:
            found = await self._password()
        token, user = self._granted(found)
        self._calls.use(token)
        await self._prove(user)
        dialect = self._calls.dialect
        chosen = {"client": self._device, "machine": server.id, "server": server.name}
        self._person.say(f"{user.name} at {server.name}")
        return Tokens(
            self._account.name,
            self._account.provider,
            account_id(dialect.name, server, user),
            origin_of(self._calls.url) or self._calls.url,
            {"access": token},
            self._person.now(),
            None,
            chosen | {"user": user.id, "name": user.name},
        )

    # --- Quick Connect ------------------------------------------------------------------------------

    async def _quick(self) -> bool:
        """Whether to ask for a code: where the server has that, and the file does not want a password."""
        if self._calls.dialect.name != "jellyfin" or self._account.options.get("login") == "password":
            return False
        answer = await self._calls.get("/QuickConnect/Enabled")
        enabled = answer.json() is True
        if not enabled and self._account.options.get("login") == "quick-connect":
            hint = 'have an administrator enable it, or set login = "password"'
            raise ConfigError("Quick Connect is off at this server", where=self._account.name, hint=hint)
        return enabled

    async def _quick_connect(self) -> Answer:
        """Have a person enter six digits in a client that is logged in."""
        answer = await self._calls.http.write("POST", "/QuickConnect/Initiate", repeat_refused=False)
        if answer.status == 401:
            raise ConfigError("Quick Connect is off at this server", where=self._account.name)
        self._calls.judge(answer)
        body = answer.items(dict)
        secret, code = body.get("Secret"), body.get("Code")
        if not isinstance(secret, str) or not isinstance(code, str) or not secret.isalnum():
            answer.garbled("it is no code of Quick Connect")
        began = self._person.now()
        self._person.visit(f"{self._calls.url}/web/#/quickconnect", code, int(_LIFE.total_seconds()) // 60)
        while self._person.now() - began < _LIFE:
            await self._person.wait(1.0 if self._person.now() - began < _SOON else 5.0)
            # The secret is the login itself once it is approved; the server takes it in the address alone.
            polled = await self._calls.get("/QuickConnect/Connect", {"secret": secret}, allowed=(200, 404))
            if polled.status == 404:
                break
            if polled.items(dict).get("Authenticated") is True:
                return await self._exchanged(secret)
        raise self._refused("nobody entered the code in time")

    async def _exchanged(self, secret: str) -> Answer:
        path, body = "/Users/AuthenticateWithQuickConnect", {"Secret": secret}
        answer = await self._calls.http.write("POST", path, json=body, repeat_refused=False)
        remember(secret)
        if answer.status in (401, 404):
            raise self._refused("the server does not know the code any more")
        return answer

    # --- name and password ----------------------------------------------------------------------------

    async def _password(self) -> Answer:
        user = await self._who()
        name = user.name
        password = self._person.ask_secret(f"Password of {name}:", option="token") if user.password else ""
        body = {"Username": name, "Pw": password}
        try:
            answer = await self._calls.http.write("POST", "/Users/AuthenticateByName", json=body, repeat_refused=False)
        except LostAnswerError as error:
            hint = f"see whether the server runs, then: cwsync auth login {self._account.name}"
            raise UnavailableError(f"{error.message}; it was not tried again", where=error.where, hint=hint) from None
        if answer.status == 401:
            why = f"the server does not take this password of {name!r}; it was tried once, many may lock the user out"
            raise self._refused(why)
        if answer.status == 403:
            raise self._refused(f"{name!r} may not log in: disabled, locked out, or not with this device")
        return answer

    async def _who(self) -> User:
        """Whose account it is: named in the file, else one of those that the server shows to everybody."""
        preset = self._account.options.get("user")
        answer = await self._calls.get("/Users/Public")
        users = decode_users(answer)
        if isinstance(preset, str):
            known = [one for one in users if is_user(preset, one)]
            if not known and USER_ID.fullmatch(plain_id(preset)):
                hint = f"set accounts.{self._account.name}.user to the name of the user, as it is entered at the server"
                why = "a password goes with a name, and the server shows no user with this id"
                raise ConfigError(why, where=self._account.name, hint=hint)
            return known[0] if known else User("", preset)
        if not users:
            hint = f"set accounts.{self._account.name}.user to the name of the user"
            raise ConfigError("the server shows no users to choose from", where=self._account.name, hint=hint)
        question = "Whose history, ratings and favourites is this account about?"
        chosen = self._person.choose("user", question, [Choice(one.id, one.name) for one in users])
        return next(one for one in users if one.id == chosen.key)

    # --- both -----------------------------------------------------------------------------------------

    def _granted(self, answer: Answer) -> tuple[str, User]:
        """The token of a login, and whose it is."""
        self._calls.judge(answer)
        body: dict[str, Any] = answer.items(dict)
        token = body.get("AccessToken")
        if not isinstance(token, str) or not token:
            answer.garbled("it has no token")
        remember(token)
        return token, decode_user(answer, body.get("User") or {})

    async def _prove(self, user: User) -> None:
        """Have the server take the token, and see that the user is the one of the file."""
        found = decode_user(await self._calls.get(f"/Users/{user.id}"))
        preset = self._account.options.get("user")
        if found.id != user.id:
            raise AuthError(f"the server gave a token of {found.name!r}", where=self._account.name)
        if isinstance(preset, str) and not is_user(preset, found):
            await self._calls.http.write("POST", "/Sessions/Logout", idempotent=True)
            hint = "approve it as that user, or change user in the file"
            why = f"the code was approved by {found.name!r}, and the file names {preset!r}"
            raise AuthError(why, where=self._account.name, hint=hint)

    def _refused(self, why: str) -> AuthError:
        hint = f"run it again: cwsync auth login {self._account.name}"
        return AuthError(why, where=self._account.name, hint=hint)


def is_user(text: str, user: User) -> bool:
    """Whether the `user` of a file, a name or an id, is this one."""
    return same_name(text, user.name) or plain_id(text) == user.id


def account_id(provider: str, server: Server, user: User) -> str:
    """The name of an account of a server for the baseline: names may change, these do not."""
    return f"{provider}:{server.id}:{user.id}"
