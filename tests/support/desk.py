"""A service that people log in to, and its provider: a device code, users to choose from, tokens that are renewed once.

What it holds is a tracker's folder; only who may see it is asked over HTTP. As a program it is the
real command with this provider registered.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import pkgutil
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, cast

import cwsync
from cwsync import provider as registry
from cwsync.errors import AuthError, CwsyncError, UnavailableError
from cwsync.http import Answer, Http
from cwsync.http.answer import error_text
from cwsync.model import AccountSpec
from cwsync.provider import Choice, Option, Person, Services
from cwsync.providers.tracker import Tracker
from cwsync.tokens import Tokens, login, not_logged_in
from support.httpserver import Reply, Request, Server
from support.shell import PROGRAM, TIMEOUT_S, Done, Shell

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


def run() -> int:
    """The real command."""
    register()
    from cwsync.__main__ import main

    return main()


def serve() -> None:
    """Run the commands that come on stdin, one JSON document a line, each in a fork; say each exit code on stdout."""
    register()
    for module in pkgutil.walk_packages(cwsync.__path__, "cwsync."):
        if not module.name.startswith("cwsync.providers."):
            importlib.import_module(module.name)
    import anyio._backends._asyncio
    import httpx
    import pydantic_settings
    import tenacity

    assert all((anyio, httpx, pydantic_settings, tenacity))
    from cwsync.__main__ import main
    from cwsync.config import load_settings
    from cwsync.redaction import redact

    # Patterns and schemas are compiled here, once, and not in every fork.
    redact("token=compiled")
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(CwsyncError):
        load_settings(Path(folder) / "pairs.toml", {})

    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if not child:
            os.chdir(job["cwd"])
            os.environ.clear()
            os.environ.update(job["env"])
            for number, path in enumerate((os.devnull, job["out"], job["err"])):
                os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), number)
            sys.exit(main(job["words"]))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


_PATH = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); from support.desk import"


class Warm:
    """A parent that has loaded everything and forks a real process for every command, to save the loading."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"{_PATH} serve; serve()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, words: Sequence[str], folder: Path, environ: Mapping[str, str], notes: Path) -> Done:
        """Run a command in `folder`; what it says is kept in `notes` meanwhile."""
        job = {"words": words, "cwd": str(folder), "env": environ, "out": f"{notes}.out", "err": f"{notes}.err"}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return Done(code, Path(job["out"]).read_text(), Path(job["err"]).read_text())  # type: ignore[arg-type]

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=TIMEOUT_S)


class DeskShell(Shell):
    """A shell whose commands know the service. `start` and terminals get processes of their own."""

    def __init__(self, folder: Path, pairs: str, warm: Warm) -> None:
        super().__init__(folder, pairs)
        self.program = [sys.executable, "-c", f"{_PATH} run; sys.exit(run())"]
        self._warm = warm

    def __call__(self, line: str, *more: str, env: Mapping[str, str | None] | None = None) -> Done:
        notes = self.folder.with_name(f"{self.folder.name}-said")
        return self._warm.run([*shlex.split(line), *more], self.folder, self.env(env), notes)


_SHARED: list[Warm] = []


def _shared() -> Warm:
    """One parent for all tests of a process."""
    if not _SHARED:
        _SHARED.append(Warm())
        atexit.register(_SHARED[0].close)
    return _SHARED[0]


class WarmShell(Shell):
    """A `Shell` whose plain commands come out of the shared parent; `start`, `behind` and terminals do not."""

    def __call__(self, line: str, *more: str, env: Mapping[str, str | None] | None = None) -> Done:
        if self.program != PROGRAM:
            return super().__call__(line, *more, env=env)
        notes = self.folder.with_name(f"{self.folder.name}-said")
        return _shared().run(self.words(line, more)[len(PROGRAM) :], self.folder, self.env(env), notes)
