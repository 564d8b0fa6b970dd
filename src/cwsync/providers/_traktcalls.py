"""Requests to Trakt: with its headers, with a token that is renewed once, with a word for every refusal.

Trakt wants a name of our own on every request, its version, and the key of an application; without
them the house in front of it (Cloudflare) answers with a page for people. An access token lasts a week, and a
refresh token works once.

Source: https://github.com/trakt/trakt-api (contract of 2026-07-30, issues 228, 691, 897, 922) (checked 2026-11-21).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from cwsync.errors import AuthError, ConfigError, UnavailableError
from cwsync.model import AccountSpec
from cwsync.provider import Option, Services
from cwsync.providers._address import service_url, trust_of
from cwsync.providers._traktwire import is_page_for_people
from cwsync.tokens import Tokens, not_logged_in, origin_of
from cwsync.tokens import login as login_hint

if TYPE_CHECKING:
    from cwsync.http import Answer, Http

API: Final = "https://api.trakt.tv"
AUTH: Final = "https://auth.trakt.tv"
OUT_OF_BAND: Final = "urn:ietf:wg:oauth:2.0:oob"
# Trakt takes one write a second of a user. Clients that keep a tenth more are never refused.
SPACING_MS: Final = 1100
# 1,000 reads in any 300 seconds: what may leave at once is part of them.
READ_BURST: Final = 300
READS_PER_S: Final = (1000 - READ_BURST) / 300
Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]
_APPS: Final = "https://trakt.tv/oauth/applications"
OPTIONS: Final = (
    Option("client_id", "text", f"the id of your Trakt application ({_APPS})", required=True),
    Option("client_secret", "secret", "its secret; needed to log in and to renew the login"),
    Option("access_token", "secret", "an access token got elsewhere, in place of `cwsync auth login`"),
    Option("api_url", "text", "where the API is", default=API),
    Option("auth_url", "text", "where logins are made and renewed", default=AUTH),
    Option("write_spacing_ms", "integer", "the least time between two writes", default=SPACING_MS),
    Option("ca_file", "path", "a certificate authority to trust beside the usual ones"),
    Option("fingerprint", "text", "the SHA-256 fingerprint of the one certificate to trust"),
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an account's service is, and as which application we go there."""

    account: str
    api: str
    auth: str
    client_id: str
    spacing_ms: int
    timeout_s: float
    ca_file: Path | None = None
    fingerprint: str | None = None


def address_of(account: AccountSpec) -> Address:
    """The settings of an account. Raises `ConfigError` for those that can never work."""
    options = account.options
    client_id = options.get("client_id")
    if not isinstance(client_id, str) or not client_id.strip():
        raise ConfigError(
            "needs `client_id`, the id of a Trakt application",
            where=f"accounts.{account.name}.client_id",
            hint=f"make an application at {_APPS} and put its id there",
        )
    spacing = options.get("write_spacing_ms", SPACING_MS)
    if type(spacing) is not int or not 0 <= spacing <= 60_000:
        raise ConfigError("must be 0 to 60000", where=f"accounts.{account.name}.write_spacing_ms")
    return Address(
        account.name,
        service_url(account, "api_url", API),
        service_url(account, "auth_url", AUTH),
        client_id.strip(),
        spacing,
        account.timeout.total_seconds(),
        *trust_of(account),
    )


def http_of(
    address: Address, services: Services, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep
) -> Http:
    """The client of an account. No login is in its headers: those go to both addresses.

    `clock` and `sleep` are what the pace and the retries wait by.
    """
    from cwsync.http import Bucket, Http

    headers = {
        "Content-Type": "application/json",
        "trakt-api-version": "2",
        "trakt-api-key": address.client_id,
        "User-Agent": services.user_agent,
    }
    return Http(
        address.account,
        origins=[address.api, address.auth],
        headers=headers,
        timeout_s=address.timeout_s,
        read_bucket=Bucket(READS_PER_S, READ_BURST, clock=clock, sleep=sleep),
        write_bucket=Bucket(1000 / address.spacing_ms, clock=clock, sleep=sleep) if address.spacing_ms else None,
        clock=clock,
        sleep=sleep,
        ca_file=address.ca_file,
        fingerprint=address.fingerprint,
        faults=(500,),
        final=lambda answer: is_page_for_people(answer.headers, answer.body),
    )


def decode_token(found: object, before: Tokens) -> Tokens:
    """`before` with the tokens of an answer. Raises ``ValueError`` for an answer that holds none."""
    told = found if isinstance(found, dict) else {}
    access, refresh, life = (told.get(name) for name in ("access_token", "refresh_token", "expires_in"))
    made = told.get("created_at")
    if not isinstance(access, str) or not isinstance(refresh, str) or type(life) is not int or not 0 < life < 10**9:
        raise ValueError("it holds no tokens")
    if type(made) is not int or not 0 < made < 10**11:
        made = int(datetime.now(UTC).timestamp())
    at = datetime.fromtimestamp(made, UTC)
    secrets = {"access": access, "refresh": refresh}
    return replace(before, secrets=secrets, obtained_at=at, expires_at=at + timedelta(seconds=life))


class Calls:
    """The requests of one account. `date` is the clock of the service as it last told it."""

    def __init__(self, address: Address, services: Services) -> None:
        self.address = address
        self._services = services
        self._http: Http | None = None
        self._given: str | None = None
        self._token: str | None = None
        self._tokens: Tokens | None = None
        self._blocked: UnavailableError | None = None
        self.date: datetime | None = None

    def __repr__(self) -> str:
        return f"Calls({self.address.account!r})"

    @property
    def http(self) -> Http:
        """The client, made when it is first needed."""
        if self._http is None:
            self._http = http_of(self.address, self._services)
        return self._http

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return 0 if self._http is None else self._http.requests

    async def aclose(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    async def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Answer:
        """Read; gives answers of success only. Raises `AuthError`, `UnavailableError`."""
        self._let_in()
        token = await self.token()
        answer = await self.http.get(self.address.api + path, params=params, headers=_bearer(token))
        if answer.status == 401:
            token = await self.token(instead_of=token)
            answer = await self.http.get(self.address.api + path, params=params, headers=_bearer(token))
        if not answer.ok:
            self.refuse(answer)
        self._hear(answer)
        return answer

    async def write(self, path: str, body: object, *, repeat_refused: bool = True) -> Answer:
        """Write, once; a 401 is not a write, so with a new token it is sent again.

        Gives answers of success, and those about what was sent (400, 404, 409, 413, 420, 422, 429).
        Raises `AuthError` and `UnavailableError` when nothing was written, `LostAnswerError` when nobody knows.
        """
        self._let_in()
        token = await self.token()
        for again in (True, False):
            answer = await self.http.write(
                "POST", self.address.api + path, json=body, headers=_bearer(token), repeat_refused=repeat_refused
            )
            if answer.status != 401 or not again:
                break
            token = await self.token(instead_of=token)
        judged = answer.status in (400, 404, 409, 413, 420, 422, 429)
        if not answer.ok and (not judged or _is_wall(answer)):
            self.refuse(answer)
        self._hear(answer)
        return answer

    def _let_in(self) -> None:
        """Ask nothing more once the house in front of Trakt refused us: it counts, and blocks for longer (#922)."""
        if self._blocked is not None:
            raise self._blocked

    def _hear(self, answer: Answer) -> None:
        from cwsync.http.answer import http_date

        self.date = http_date(answer.headers) or self.date

    async def token(self, *, instead_of: str | None = None) -> str:
        """The access token, renewed when it is due or when it is the one that was refused. Raises `AuthError`."""
        if self._given is None and self._token is None:
            self._given = self._services.secret("access_token")
        if self._given is not None:
            if instead_of is not None:
                hint = f"put a new one in its place, or take it out and: cwsync auth login {self.address.account}"
                raise AuthError("Trakt does not take the access_token (any more)", where=self._where, hint=hint)
            return self._given
        if self._token is not None and self._token != instead_of:
            return self._token
        keeper = self._services.tokens
        tokens = self._tokens or keeper.load()
        if tokens is None:
            raise not_logged_in(self.address.account)
        if instead_of is not None or keeper.due(tokens, datetime.now(UTC)):
            tokens = await keeper.refresh(tokens, self._renew)
        self._tokens = tokens
        self._token = tokens.secret("access", self.address.api)
        return self._token

    async def _renew(self, tokens: Tokens) -> Tokens:
        """Ask for new tokens. A refresh token works once, so of a lost answer the old one is tried once more."""
        from cwsync.http import LostAnswerError

        body = self.application() | {
            "refresh_token": self._for_auth(tokens, "refresh"),
            "redirect_uri": OUT_OF_BAND,
            "grant_type": "refresh_token",
        }
        url = f"{self.address.auth}/oauth/token"
        try:
            answer = await self.http.write("POST", url, json=body)
        except LostAnswerError:
            try:
                answer = await self.http.write("POST", url, json=body)
            except LostAnswerError as error:
                raise UnavailableError(error.message, where=self._where, hint="try again later") from error
        if not answer.ok:
            self.refuse(answer)
        try:
            return decode_token(answer.json(), tokens)
        except ValueError as error:
            raise UnavailableError(f"the new login makes no sense: {error}", where=self._where) from error

    def _for_auth(self, tokens: Tokens, name: str) -> str:
        """A secret for the address of logins: that at which it was got, or no other."""
        if tokens.chosen.get("auth_origin") != origin_of(self.address.auth):
            message = f"the login was made at another address than {origin_of(self.address.auth)}"
            raise AuthError(message, where=self._where, hint=login_hint(self.address.account))
        return tokens.secret(name, self.address.api)

    def application(self) -> dict[str, Any]:
        """The id and the secret of the application. Raises `ConfigError` without a secret."""
        secret = self._services.secret("client_secret")
        if secret is None:
            raise ConfigError(
                "needs `client_secret`, the secret of the Trakt application",
                where=f"accounts.{self.address.account}.client_secret",
                hint=f'find it at {_APPS} and put it there, as in client_secret = {{ file = "trakt.secret" }}',
            )
        return {"client_id": self.address.client_id, "client_secret": secret}

    async def revoke(self, tokens: Tokens) -> bool:
        """Have the access token forgotten."""
        body = self.application() | {"token": self._for_auth(tokens, "access")}
        answer = await self.http.write("POST", f"{self.address.auth}/oauth/revoke", json=body, idempotent=True)
        if not answer.ok:
            self.refuse(answer)
        return True

    @property
    def _where(self) -> str:
        return self.address.account

    def refuse(self, answer: Answer) -> NoReturn:
        """Raise for an answer that ends the work with this account, with the way out."""
        status, where, name = answer.status, self._where, self.address.account
        if _is_wall(answer):
            message = f"{answer.call} answered {status} with a page of Cloudflare, the house in front of Trakt"
            hint = "wait some minutes; if it stays so, it blocks the network you are on, or a proxy"
            self._blocked = UnavailableError(message, where=where, hint=hint)
            raise self._blocked
        if status == 423:
            message = "Trakt has locked or deactivated this account"
            raise AuthError(message, where=where, hint="only Trakt's support can unlock it: https://support.trakt.tv")
        if status == 426:
            hint = "take the feature out of the pair, or see https://trakt.tv/vip"
            raise AuthError(f"{answer.call}: Trakt gives this to VIP members only", where=where, hint=hint)
        if status == 403 or _says(answer, "invalid_client"):
            hint = f"check client_id and client_secret at {_APPS}: Trakt removes applications that rest, or lack VIP"
            raise AuthError("Trakt does not know the application (any more)", where=where, hint=hint)
        if status == 401 or _says(answer, "invalid_grant"):
            raise AuthError("Trakt does not take the login (any more)", where=where, hint=login_hint(name))
        hint = "try again later"
        if status in (404, 405):
            hint = f"check api_url and auth_url: they are {self.address.api} and {self.address.auth}"
        raise UnavailableError(f"{answer.call} answered {status}", where=where, hint=hint)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _is_wall(answer: Answer) -> bool:
    """Whether an answer is no word of Trakt's but of Cloudflare, which let nothing through."""
    return answer.status in (403, 429) and is_page_for_people(answer.headers, answer.body)


def _says(answer: Answer, word: str) -> bool:
    """Whether the body of a refusal is an OAuth error of this name."""
    return answer.status in (400, 401) and f'"{word}"'.encode() in answer.body
