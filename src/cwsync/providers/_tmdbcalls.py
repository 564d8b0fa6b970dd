"""Requests to TMDb: with the token of an application, with the session of a user, with a word for every refusal.

The application goes by its read access token, in a header. Who has only the older key gives that. A session
does not end until it is revoked, and belongs to the application that it was made with.

Source: https://developer.themoviedb.org/docs/authentication-application, /docs/errors, /docs/rate-limiting
(checked 2026-11-21).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from cwsync.errors import AuthError, ConfigError, UnavailableError
from cwsync.model import AccountSpec
from cwsync.provider import Option, Services
from cwsync.providers._address import service_url, trust_of
from cwsync.providers._tmdbwire import KEY_CODES, SESSION_CODES, UNKNOWN_CODES, USER_CODES, decode_code
from cwsync.redaction import remember
from cwsync.tokens import login as login_hint
from cwsync.tokens import not_logged_in

if TYPE_CHECKING:
    from cwsync.http import Answer, Http

API: Final = "https://api.themoviedb.org"
KEYS: Final = "https://www.themoviedb.org/settings/api"
# "Around 40 a second" is the limit, and it may change.
PER_S: Final = 30.0
BURST: Final = 20
AT_ONCE: Final = 10
# What is a user's: the account and its lists, ratings, and what the user has of one title.
_PERSONAL: Final = re.compile(r".*/3/(account(/.*)?|.*/(rating|account_states))")
Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]
OPTIONS: Final = (
    Option("token", "secret", f"the API read access token of your TMDb application ({KEYS})"),
    Option("api_key", "secret", "its API key, for who has no such token"),
    Option("session_id", "secret", "a session got elsewhere, in place of `cwsync auth login`"),
    Option("api_url", "text", "where the API is", default=API),
    Option("ca_file", "path", "a certificate authority to trust beside the usual ones"),
    Option("fingerprint", "text", "the SHA-256 fingerprint of the one certificate to trust"),
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an account's service is."""

    account: str
    api: str
    timeout_s: float
    ca_file: Path | None = None
    fingerprint: str | None = None


def address_of(account: AccountSpec) -> Address:
    """The settings of an account. Raises `ConfigError` for those that can never work."""
    url = service_url(account, "api_url", API).removesuffix("/3")
    return Address(account.name, url, account.timeout.total_seconds(), *trust_of(account))


@dataclass(slots=True)
class Secrets:
    """What TMDb takes in the query alone: the older form of a `key`, and the `session` of a user."""

    key: str | None = field(default=None, repr=False)
    session: str | None = field(default=None, repr=False)

    def of(self, path: str) -> dict[str, str]:
        """The parameters of a request: the key of each, the session of those about the user."""
        found = {"api_key": self.key} if self.key else {}
        if self.session and _PERSONAL.fullmatch(path):
            found["session_id"] = self.session
        return found


def http_of(
    address: Address,
    services: Services,
    secrets: Secrets,
    *,
    clock: Clock = time.monotonic,
    sleep: Sleep = asyncio.sleep,
) -> Http:
    """The client of an account, as its application. `clock` and `sleep` are what the pace and the retries wait by.

    Raises `ConfigError` when the file has neither a token nor a key.
    """
    from cwsync.http import Bucket, Http

    headers = {"User-Agent": services.user_agent}
    token = services.secret("token")
    key = None if token else services.secret("api_key")
    if token:
        headers["Authorization"] = f"Bearer {remember(token.strip())}"
    elif key:
        secrets.key = remember(key.strip())
    else:
        raise ConfigError(
            "needs `token`, the API read access token of a TMDb application",
            where=f"accounts.{address.account}.token",
            hint=f'find it at {KEYS} and put it there, as in token = {{ file = "tmdb.token" }}',
        )
    bucket = Bucket(PER_S, BURST, clock=clock, sleep=sleep)
    return Http(
        address.account,
        origins=[f"{address.api}/3"],
        headers=headers,
        secret_params=secrets.of,
        timeout_s=address.timeout_s,
        read_bucket=bucket,
        write_bucket=bucket,
        at_once=AT_ONCE,
        clock=clock,
        sleep=sleep,
        ca_file=address.ca_file,
        fingerprint=address.fingerprint,
    )


class Calls:
    """The requests of one account. `date` is the clock of the service as it last told it."""

    def __init__(self, address: Address, services: Services) -> None:
        self.address = address
        self._services = services
        self._http: Http | None = None
        self._secrets = Secrets()
        self._given = False
        self.date: datetime | None = None

    def __repr__(self) -> str:
        return f"Calls({self.address.account!r})"

    @property
    def http(self) -> Http:
        """The client, made when it is first needed."""
        if self._http is None:
            self._http = http_of(self.address, self._services, self._secrets)
        return self._http

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return 0 if self._http is None else self._http.requests

    async def aclose(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    def log_in(self) -> None:
        """Go on as the user who logged in. Raises `AuthError` when nobody did."""
        session = self._services.secret("session_id")
        self._given = session is not None
        if session is None:
            tokens = self._services.tokens.load()
            if tokens is None:
                raise not_logged_in(self.address.account)
            session = tokens.secret("access", self.address.api)
        self.use(session)

    def use(self, session: str) -> None:
        """Go on with this session."""
        self._secrets.session = remember(session.strip())

    async def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Answer:
        """Read; gives answers of success only. Raises `AuthError`, `UnavailableError`."""
        answer = await self.look(path, params)
        if answer is None:
            raise UnavailableError(f"GET /3{path}: TMDb does not know it", where=self._where, hint=self._check_address)
        return answer

    async def look(self, path: str, params: Mapping[str, str | int] | None = None) -> Answer | None:
        """Read what may not be there: None for what TMDb does not know. Raises `AuthError`, `UnavailableError`."""
        answer = await self.http.get(path, params=params)
        if answer.status == 404 and code_of(answer) in UNKNOWN_CODES:
            return None
        if not answer.ok:
            self.refuse(answer)
        self._hear(answer)
        return answer

    async def write(self, method: str, path: str, body: object) -> Answer:
        """Write, once. Gives answers of success, and those about what was sent (400, 403, 404, 422).

        Raises `AuthError` and `UnavailableError` when nothing was written, `LostAnswerError` when nobody knows.
        """
        answer = await self.http.write(method, path, json=body)
        code = code_of(answer)
        about_it = answer.status in (400, 403, 404, 422) and code is not None
        if not answer.ok and (not about_it or code in KEY_CODES | SESSION_CODES | USER_CODES):
            self.refuse(answer)
        self._hear(answer)
        return answer

    def _hear(self, answer: Answer) -> None:
        from cwsync.http.answer import http_date

        self.date = http_date(answer.headers) or self.date

    @property
    def _where(self) -> str:
        return self.address.account

    @property
    def _check_address(self) -> str:
        return f"check api_url: it is {self.address.api}"

    def refuse(self, answer: Answer) -> NoReturn:
        """Raise for an answer that ends the work with this account, with the way out."""
        code, where = code_of(answer), self._where
        if code in KEY_CODES:
            why = "has suspended the application" if code == 10 else "does not know the application (any more)"
            hint = f"look at {KEYS}, and put its token (the long one) in place of `token`, or its key of `api_key`"
            raise AuthError(f"TMDb {why}", where=where, hint=hint)
        if code in USER_CODES:
            words = {31: "the account is disabled", 32: "its e-mail address was never confirmed", 45: "it is suspended"}
            hint = "only TMDb can help: https://www.themoviedb.org"
            why = words.get(code or 0, "the login is none")
            raise AuthError(f"TMDb does not let this user in: {why}", where=where, hint=hint)
        if code in SESSION_CODES or (code is not None and answer.status == 401):
            if self._given:
                hint = f"put a new one in its place, or take it out and: cwsync auth login {where}"
                raise AuthError("TMDb does not take the session_id (any more)", where=where, hint=hint)
            raise AuthError("TMDb does not take the login (any more)", where=where, hint=login_hint(where))
        hint = self._check_address if answer.status in (401, 403, 404, 405) else "try again later"
        told = f" ({code})" if code is not None else ""
        raise UnavailableError(f"{answer.call} answered {answer.status}{told}", where=where, hint=hint)


def code_of(answer: Answer) -> int | None:
    """TMDb's own code of an answer; None for what is not its word."""
    from cwsync.http.answer import parse_json

    try:
        return decode_code(parse_json(answer.body))
    except ValueError:
        return None
