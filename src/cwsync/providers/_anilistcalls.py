"""Requests to AniList: one address, GraphQL, a pace that its headers set, and a word for every refusal.

A request may hold much and counts as one, so requests are what is spared. AniList allows 90 a minute by its
rules and 30 for a long time now; the headers of each answer tell. Beyond that it shuts for a minute.
Errors come with statuses of their own: a token that is not taken is a 400, a region or a service that
is shut is a 403.

Source: https://docs.anilist.co, https://github.com/AniList/docs (checked 2026-11-21); for the token
https://github.com/z411/trackma/issues/555, for 403 reports of client programs (checked 2026-11-21).
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import urlsplit

from cwsync.errors import AuthError, ConfigError, UnavailableError
from cwsync.model import AccountSpec
from cwsync.provider import Option, Services
from cwsync.providers._address import service_url, trust_of
from cwsync.tokens import login as login_hint
from cwsync.tokens import not_logged_in, origin_of

if TYPE_CHECKING:
    from cwsync.http import Answer, Http

API: Final = "https://graphql.anilist.co"
AUTH: Final = "https://anilist.co/api/v2/oauth/authorize"
APPS: Final = "https://anilist.co/settings/developer"
Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]
PER_MINUTE: Final = 30
BURST: Final = 4
_TRIES: Final = 3
_SHUT_S: Final = 60.0  # for so long AniList shuts, where it does not say
_LONGEST_S: Final = 180.0  # longer than this nobody waits within a run
_TOO_COMPLEX: Final = re.compile(r"query complexity should be (\d+) but got (\d+)", re.IGNORECASE)
RATE_UNLISTED: Final = ("no", "planning", "current", "completed")
OPTIONS: Final = (
    Option("client_id", "text", f"the id of your AniList API client ({APPS}); needed to log in"),
    Option("access_token", "secret", "an access token got elsewhere, in place of `cwsync auth login`"),
    Option(
        "rate_unlisted",
        "text",
        "the list on which a title is put that is to be rated and is on none",
        choices=RATE_UNLISTED,
        default=RATE_UNLISTED[0],
    ),
    Option("referer", "text", "the address of a page about your API client, for regions where AniList wants one"),
    Option("api_url", "text", "where the API is", default=API),
    Option("auth_url", "text", "where a browser asks for a token", default=AUTH),
    Option("ca_file", "path", "a certificate authority to trust beside the usual ones"),
    Option("fingerprint", "text", "the SHA-256 fingerprint of the one certificate to trust"),
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an account's service is, and what we say of ourselves there."""

    account: str
    api: str
    auth: str
    client_id: str | None
    referer: str | None
    timeout_s: float
    ca_file: Path | None = None
    fingerprint: str | None = None


def address_of(account: AccountSpec) -> Address:
    """The settings of an account. Raises `ConfigError` for those that can never work."""
    options = account.options
    client_id, referer = options.get("client_id"), options.get("referer")
    if client_id is not None and not re.fullmatch(r"[0-9]{1,12}", str(client_id)):
        hint = f"it stands beside the name of the client at {APPS}"
        raise ConfigError("must be a number", where=f"accounts.{account.name}.client_id", hint=hint)
    if referer is not None and origin_of(str(referer)) is None:
        raise ConfigError("is not an address", where=f"accounts.{account.name}.referer")
    return Address(
        account.name,
        service_url(account, "api_url", API),
        service_url(account, "auth_url", AUTH),
        None if client_id is None else str(client_id),
        None if referer is None else str(referer),
        account.timeout.total_seconds(),
        *trust_of(account),
    )


class Pace:
    """When the next request may leave: a few at once, then evenly, so that no minute has more than AniList allows.

    `hear` takes what an answer says of that.
    """

    def __init__(self, *, clock: Clock, sleep: Sleep) -> None:
        self._clock, self._sleep = clock, sleep
        self._rule(PER_MINUTE)
        self._due = self._open_at = float("-inf")

    def _rule(self, per_minute: int) -> None:
        burst = min(BURST, per_minute)
        self._gap_s = _SHUT_S / max(1, per_minute - burst - 1)
        self._slack_s = (burst - 1) * self._gap_s

    async def take(self) -> None:
        """Wait for a turn."""
        now = self._clock()
        self._due = max(self._due, now - self._slack_s)
        wait_s = max(self._due, self._open_at) - now
        self._due += self._gap_s
        if wait_s > 0:
            await self._sleep(wait_s)

    def hear(self, headers: Mapping[str, str]) -> None:
        """Go by the limit that is told; when nothing is left of it, wait until the minute is over."""
        from cwsync.http.answer import rate_limit

        told = rate_limit(headers)
        if told is not None and told.limit is not None and told.limit >= 1:
            self._rule(told.limit)
        if told is not None and told.remaining == 0:
            self._open_at = self._clock() + _SHUT_S

    async def shut(self, seconds: float) -> None:
        """Wait because AniList has said so."""
        self._open_at = float("-inf")
        await self._sleep(seconds)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One error of an answer. `field` is the alias that it is about, where that is told."""

    message: str
    status: int | None
    field: str | None
    fields: str = ""

    @property
    def text(self) -> str:
        """The error in words, with what a validation said."""
        return f"{self.message}: {self.fields}" if self.fields else self.message


@dataclass(frozen=True, slots=True)
class Said:
    """What a request led to: `data` by alias (None: nothing at all), and what went wrong."""

    data: Mapping[str, Any] | None
    troubles: tuple[Trouble, ...]
    answer: Answer


class TooComplexError(UnavailableError):
    """A request asked for more than AniList gives at once. It was not carried out; half of it may be."""


class Calls:
    """The requests of one account. `date` is the clock of the service as it last told it."""

    def __init__(
        self, address: Address, services: Services, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep
    ) -> None:
        self.address = address
        self._services = services
        self._clock, self._sleep = clock, sleep
        self.pace = Pace(clock=clock, sleep=sleep)
        self._http: Http | None = None
        self._token: str | None = None
        self._given = False
        self.date: datetime | None = None

    def __repr__(self) -> str:
        return f"Calls({self.address.account!r})"

    @property
    def http(self) -> Http:
        """The client, made when it is first needed."""
        if self._http is None:
            from cwsync.http import Http

            address = self.address
            headers = {"User-Agent": self._services.user_agent}
            if address.referer is not None:
                headers["Referer"] = address.referer
            self._http = Http(
                address.account,
                origins=[address.api],
                headers=headers,
                timeout_s=address.timeout_s,
                clock=self._clock,
                sleep=self._sleep,
                ca_file=address.ca_file,
                fingerprint=address.fingerprint,
            )
        return self._http

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return 0 if self._http is None else self._http.requests

    async def aclose(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    def token(self) -> str:
        """The access token: of the file, else of the login. Raises `AuthError` when there is none."""
        if self._token is None:
            self._token = self._services.secret("access_token")
            self._given = self._token is not None
        if self._token is None:
            tokens = self._services.tokens.load()
            if tokens is None:
                raise not_logged_in(self.address.account)
            self._token = tokens.secret("access", self.address.api)
        return self._token

    # --- asking -----------------------------------------------------------------------------------

    async def ask(self, query: str, variables: Mapping[str, Any] | None = None, *, token: str | None = None) -> Said:
        """Read. An answer with any error in it is a failed read.

        Raises `AuthError`, `UnavailableError`, and `TooComplexError`.
        """
        from cwsync.http import LostAnswerError

        try:
            said = await self._send(query, variables or {}, token or self.token(), idempotent=True)
        except LostAnswerError as error:
            raise UnavailableError(error.message, where=self.address.account, hint="try again later") from error
        if said.troubles:
            self.fail(said.troubles[0])
        if said.data is None:
            raise UnavailableError("AniList answered nothing", where=self.address.account, hint="try again later")
        return said

    async def change(self, query: str, variables: Mapping[str, Any]) -> Said:
        """Write, once. Gives answers also when parts of them failed.

        Raises `AuthError`, `UnavailableError` and `TooComplexError` when nothing was written, `LostAnswerError`
        when nobody knows.
        """
        said = await self._send(query, variables, self.token(), idempotent=False)
        if said.data is None and not any((one.status or 0) in range(400, 500) for one in said.troubles):
            said.answer.garbled("it does not say what was done")
        return said

    async def _send(self, query: str, variables: Mapping[str, Any], token: str, *, idempotent: bool) -> Said:
        from cwsync.http.answer import http_date

        headers = {"Authorization": f"Bearer {token}"}
        body = {"query": query, "variables": dict(variables)}
        url = self.address.api if urlsplit(self.address.api).path else f"{self.address.api}/"
        for tries in range(1, _TRIES + 1):
            await self.pace.take()
            answer = await self.http.write(
                "POST", url, json=body, headers=headers, idempotent=idempotent, repeat_refused=False
            )
            self.date = http_date(answer.headers) or self.date
            self.pace.hear(answer.headers)
            if answer.status != 429:
                return self._judge(answer)
            wait_s = _asked_wait(answer, self.date)
            if tries == _TRIES or wait_s > _LONGEST_S:
                break
            await self.pace.shut(wait_s)
        hint = f"try again in {wait_s:.0f} seconds; other programs may use the same account"
        raise UnavailableError("AniList asked us to slow down", where=self.address.account, hint=hint)

    def _judge(self, answer: Answer) -> Said:
        """What an answer says, or the error that ends the work with this account."""
        if answer.status == 403 and not _is_answer(answer):
            self._shut_out(answer)
        found = answer.json()
        if not isinstance(found, dict) or not ("data" in found or "errors" in found):
            answer.garbled("it is no answer of GraphQL")
        data, errors = found.get("data"), found.get("errors") or []
        if not isinstance(data, dict | None) or not isinstance(errors, list):
            answer.garbled("it is no answer of GraphQL")
        troubles = tuple(_trouble(one) for one in errors)
        if not answer.ok and not troubles:
            answer.garbled("it is refused without a word")
        for one in troubles:
            self._end(one, answer)
        return Said(data, troubles, answer)

    def _end(self, trouble: Trouble, answer: Answer) -> None:
        """Raise for an error that is not about one field."""
        words = trouble.message.casefold().strip(" .")
        if words in ("invalid token", "unauthorized", "unauthenticated"):
            self.unknown()
        if "temporarily disabled" in words or (trouble.status == 403 and "authorized" not in words):
            self._shut_out(answer)
        if trouble.status == 429:
            raise UnavailableError("AniList asked us to slow down", where=self.address.account, hint="try again later")
        if _TOO_COMPLEX.search(trouble.message):
            hint = "look for a newer version of cwsync"
            raise TooComplexError(f"AniList: {trouble.message}", where=self.address.account, hint=hint)

    def unknown(self) -> NoReturn:
        """Raise for a token that is not taken."""
        name = self.address.account
        hint = login_hint(name)
        if self._given:
            hint = f"put a new one in its place, or take it out and: cwsync auth login {name}"
        message = "AniList does not take the access token (any more); tokens end after a year"
        raise AuthError(message, where=name, hint=hint)

    def _shut_out(self, answer: Answer) -> NoReturn:
        """Raise for a service that is shut, for all or for where we are. Nothing is known of the login by that."""
        page = " with a page for people" if not _is_answer(answer) else ""
        message = f"AniList is shut, for all or for this network: it answered {answer.status}{page}"
        hint = "try again later"
        if self.address.referer is None:
            hint += "; from some regions it wants a `referer`: set it to the address of a page about your API client"
        raise UnavailableError(message, where=self.address.account, hint=hint)

    def fail(self, trouble: Trouble) -> NoReturn:
        """Raise for an error that makes a read a failed one."""
        hint = "try again later"
        if trouble.message.startswith(("Cannot query field", "Unknown argument", "Unknown type")):
            hint = "AniList has changed: look for a newer version of cwsync"
        raise UnavailableError(f"AniList: {trouble.text}", where=self.address.account, hint=hint)


def _is_answer(answer: Answer) -> bool:
    """Whether an answer is one of GraphQL, and no page of the house in front of it."""
    try:
        return isinstance(json.loads(answer.body), dict)
    except ValueError:
        return False


def _trouble(error: object) -> Trouble:
    from cwsync.redaction import redact

    told = error if isinstance(error, dict) else {}
    status, path, wrong = told.get("status"), told.get("path"), told.get("validation")
    texts = [
        str(text)
        for part in (wrong.values() if isinstance(wrong, dict) else ())
        for text in (part if isinstance(part, list) else [part])
    ]
    message = told.get("message")
    return Trouble(
        redact(message)[:200] if isinstance(message, str) else "an error without a word",
        status if type(status) is int else None,
        path[0] if isinstance(path, list) and path and isinstance(path[0], str) else None,
        redact(" ".join(texts))[:200],
    )


def _asked_wait(answer: Answer, date: datetime | None) -> float:
    """How many seconds to wait after a 429: as told, by either header, else a minute; and one more."""
    from cwsync.http.answer import retry_after

    now = date or datetime.now(UTC)
    told = retry_after(answer.headers, now)
    reset = answer.headers.get("x-ratelimit-reset", "")
    if told is None and reset.isascii() and reset.isdigit() and len(reset) < 12:
        told = int(reset) - now.timestamp()
    return 1.0 + (_SHUT_S if told is None else max(0.0, told))
