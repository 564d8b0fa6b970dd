"""A service that people log in to, and its provider: a device code, users to choose from, tokens that are renewed once.

What it holds is a tracker's folder; only who may see it is asked over HTTP. As a program it is the
real command with this provider registered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast

from cwsync import provider as registry
from cwsync.errors import AuthError, UnavailableError
from cwsync.http import Answer, Http
from cwsync.http.answer import error_text
from cwsync.model import AccountSpec
from cwsync.provider import Choice, Option, Person, Services
from cwsync.providers.tracker import Tracker
from cwsync.tokens import Tokens, login, not_logged_in
from support.httpserver import Reply, Request, Server
from support.shell import Shell

PIN = "desk-pin-2580"


class Desk:
    """The service. A code is granted once `approved`; of refresh tokens only the last one given out is good."""

    def __init__(self, *users: str, lasts: timedelta = timedelta(days=7)) -> None:
        self.users = users or ("kim",)
        self.lasts = lasts
        self.approved = True
        self.refused = False
        self.asked = self.refreshed = 0
        self.good: dict[str, str] = {}  # access -> user
        self.renewals: dict[str, str] = {}  # refresh -> user
        self.revoked: list[str] = []
        self._given = 0

    @contextmanager
    def open(self) -> Iterator[Server]:
        """The service on loopback."""
        with Server() as server:
            server.route("POST", "/code", self._code)
            server.route("POST", "/token", self._token)
            server.route("GET", "/users", lambda _: Reply([{"id": f"u-{name}", "name": name} for name in self.users]))
            server.route("POST", "/users/{user}", self._switch)
            server.route("GET", "/me", self._me)
            server.route("POST", "/refresh", self._refresh)
            server.route("POST", "/revoke", self._revoke)
            yield server

    def _give(self, user: str) -> Reply:
        self._given += 1
        access, refresh = f"desk-access-canary-{self._given}", f"desk-refresh-canary-{self._given}"
        self.good, self.renewals = {access: user}, {refresh: user}
        return Reply({"access": access, "refresh": refresh, "expires_in": int(self.lasts.total_seconds())})

    def _code(self, _request: Request) -> Reply:
        return Reply({"device": "desk-device-canary", "user_code": "ABCD-1234", "url": "https://desk.example/go"})

    def _token(self, request: Request) -> Reply:
        self.asked += 1
        if request.json() != {"device": "desk-device-canary"}:
            return Reply({"error": "unknown"}, 404)
        if self.refused:
            return Reply({"error": "denied by the user"}, 418)
        return self._give("first") if self.approved else Reply(None, 400)

    def _switch(self, request: Request) -> Reply:
        user = request.args["user"].removeprefix("u-")
        if user == "boss" and request.json() != {"pin": PIN}:
            return Reply({"error": "wrong PIN"}, 403)
        return self._give(user)

    def _me(self, request: Request) -> Reply:
        user = self.good.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        return Reply({"user": user}) if user else Reply({"error": "token expired"}, 401)

    def _refresh(self, request: Request) -> Reply:
        self.refreshed += 1
        user = self.renewals.get(request.json()["refresh"])
        return self._give(user) if user else Reply({"error": "invalid_grant"}, 400)

    def _revoke(self, request: Request) -> Reply:
        self.revoked.append(request.json()["access"])
        self.good, self.renewals = {}, {}
        return Reply({})


class DeskAccount(Tracker):
    """An account at the service."""

    options: ClassVar[tuple[Option, ...]] = (
        *Tracker.options,
        Option("url", "text", "where it is", required=True),
        Option("user", "text", "whose account"),
        Option("pin", "secret", "the PIN of that user"),
        Option("token", "secret", "in place of a login"),
    )
    replaces_login: ClassVar[str | None] = "token"

    def __init__(self, account: AccountSpec, services: Services) -> None:
        super().__init__(account, services)
        self._spec = account
        self._services = services
        self._http = Http(account.name, origins=[str(account.options["url"])])

    async def open(self) -> None:
        """Ask who we are, with a login that is renewed when it is due, or turns out to be stale."""
        token = self._services.secret("token")
        answer = await (self._me(token) if token else self._me_by_login())
        if answer.status == 401:
            raise AuthError(error_text(answer) or "refused", where=self._spec.name, hint=login(self._spec.name))
        await super().open()
        self.account_id = f"desk:{answer.json()['user']}"
        self.requests += self._http.requests

    async def aclose(self) -> None:
        await self._http.aclose()
        await super().aclose()

    async def _me_by_login(self) -> Answer:
        tokens = self._services.tokens.load()
        if tokens is None:
            raise not_logged_in(self._spec.name)
        if self._services.tokens.due(tokens, datetime.now(UTC)):
            tokens = await self._services.tokens.refresh(tokens, self._renew)
        answer = await self._me(tokens.secret("access", str(self._spec.options["url"])))
        if answer.status == 401:
            tokens = await self._services.tokens.refresh(tokens, self._renew)
            answer = await self._me(tokens.secret("access", str(self._spec.options["url"])))
        return answer

    async def _me(self, token: str) -> Answer:
        return await self._http.get("/me", headers={"Authorization": f"Bearer {token}"})

    async def _renew(self, tokens: Tokens) -> Tokens:
        answer = await self._http.write("POST", "/refresh", json={"refresh": tokens.secrets["refresh"]})
        if not answer.ok:
            raise AuthError(error_text(answer) or "refused")
        return renewed(tokens, answer.json())

    @classmethod
    async def login(cls, account: AccountSpec, services: Services, person: Person) -> Tokens:
        """By a code, then as one of several users, who may have a PIN."""
        url = str(account.options["url"])
        async with Http(account.name, origins=[url]) as http:
            device = (await http.write("POST", "/code")).json()
            person.visit(device["url"], device["user_code"], 10)
            while not (answer := await http.write("POST", "/token", json={"device": device["device"]})).ok:
                if answer.status != 400:
                    raise AuthError(error_text(answer) or "refused", where=account.name)
                await person.wait(0.01)
            choices = [Choice(user["id"], user["name"]) for user in (await http.get("/users")).json()]
            preset = account.options.get("user")
            chosen = person.choose("user", "Whose account?", choices, preset=None if preset is None else str(preset))
            body = {}
            if chosen.title == "boss":
                body = {"pin": services.secret("pin") or person.ask_secret("The PIN of boss:", option="pin")}
            answer = await http.write("POST", f"/users/{chosen.key}", json=body)
            if not answer.ok:
                raise AuthError(error_text(answer) or "refused", where=account.name)
            blank = Tokens(
                account.name,
                account.provider,
                f"desk:{chosen.title}",
                url,
                {"access": "none yet"},
                person.now(),
                chosen={"user": chosen.key},
            )
            return renewed(blank, answer.json())

    @classmethod
    async def logout(cls, account: AccountSpec, services: Services, tokens: Tokens) -> bool:
        async with Http(account.name, origins=[str(account.options["url"])]) as http:
            answer = await http.write("POST", "/revoke", json={"access": tokens.secrets["access"]}, idempotent=True)
        if not answer.ok:
            raise UnavailableError(f"answered {answer.status}", where=account.name)
        return True


def renewed(tokens: Tokens, found: Any) -> Tokens:
    """New tokens of the same login."""
    now = datetime.now(UTC).replace(microsecond=0)
    ends = now + timedelta(seconds=found["expires_in"])
    secrets = {"access": found["access"], "refresh": found["refresh"]}
    return replace(tokens, secrets=secrets, obtained_at=now, expires_at=ends)


def register() -> None:
    """Let accounts name this provider."""
    cast("dict[str, str]", registry.REGISTRY)["desk"] = "support.desk:DeskAccount"


class DeskShell(Shell):
    """A shell whose commands know the service."""

    also = "support.desk:register"
