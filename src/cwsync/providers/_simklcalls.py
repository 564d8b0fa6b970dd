"""Requests to SIMKL: with what it wants on each of them, one after another, with a word for every refusal.

Every request names the application three times (id, name, version) and once more in its header. The
statuses mean little without the body: three kinds of 429 and one of 400 say "too fast", two of them for
seconds and two until tomorrow; and an error may come with a 200.

Source: https://api.simkl.org (docs of 2026-10: authentication, rate limits, errors) (checked 2026-11-21).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

from cwsync.errors import AuthError, ConfigError, CwsyncError, InternalError, UnavailableError
from cwsync.provider import Services
from cwsync.providers._simkladdress import APPS, Address
from cwsync.providers._simklnotes import Notes
from cwsync.tokens import Tokens, not_logged_in
from cwsync.tokens import login as login_hint

if TYPE_CHECKING:
    from cwsync.http import Answer, Bucket, Http

BURST_S: Final = 1.5
LOCK_S: Final = 4.0
Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class TooLargeError(UnavailableError):
    """What was asked for is more than SIMKL gives at once; parts of it may go."""

    code = "max-items"


def decode_token(found: object, before: Tokens, now: datetime) -> tuple[Tokens, str]:
    """`before` with the tokens of an answer, and their scope. Raises ``ValueError`` for an answer that holds none."""
    told = found if isinstance(found, dict) else {}
    access, refresh, life = (told.get(name) for name in ("access_token", "refresh_token", "expires_in"))
    if not isinstance(access, str) or not isinstance(refresh, str) or type(life) is not int or not 0 < life < 10**9:
        raise ValueError("it holds no tokens")
    at = now.replace(microsecond=0)
    secrets = {"access": access, "refresh": refresh}
    scope = told.get("scope")
    tokens = replace(before, secrets=secrets, obtained_at=at, expires_at=at + timedelta(seconds=life))
    return tokens, scope if isinstance(scope, str) else ""


def error_word(answer: Answer) -> str:
    """What a refusal is called, in lower case; empty when it has no name."""
    from cwsync.http.answer import parse_json

    try:
        found = parse_json(answer.body)
    except ValueError:
        return ""
    word = found.get("error") if isinstance(found, dict) else None
    return word.lower() if isinstance(word, str) else ""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Calls:
    """The requests of one account. `date` is the clock of the service as it last told it.

    `now` is our own clock; `clock` and `sleep` are what the pace and the retries wait by.
    """

    def __init__(
        self,
        address: Address,
        services: Services,
        *,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.address = address
        self.now = now
        self._services = services
        self._clock, self._sleep = clock, sleep
        self._http: Http | None = None
        self._given: str | None = None
        self._token: str | None = None
        self._tokens: Tokens | None = None
        self._suspended: Answer | None = None
        self.date: datetime | None = None
        name = f"{address.account}-simkl-notes.json"
        keep, seen = (folder and folder / name for folder in (services.cache_dir, services.cache_seen))
        self.notes = Notes(keep, seen or keep)

    def __repr__(self) -> str:
        return f"Calls({self.address.account!r})"

    @property
    def http(self) -> Http:
        """The client, made when it is first needed. One request at a time: SIMKL wants that."""
        if self._http is None:
            from cwsync.http import Http

            self._http = Http(
                self.address.account,
                origins=[self.address.api],
                headers={"User-Agent": self._services.user_agent},
                timeout_s=self.address.timeout_s,
                at_once=1,
                read_bucket=self._pace(self.address.read_ms),
                write_bucket=self._pace(self.address.write_ms),
                clock=self._clock,
                sleep=self._sleep,
                ca_file=self.address.ca_file,
                fingerprint=self.address.fingerprint,
            )
        return self._http

    def _pace(self, gap_ms: int) -> Bucket | None:
        from cwsync.http import Bucket

        return Bucket(1000 / gap_ms, clock=self._clock, sleep=self._sleep) if gap_ms else None

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return 0 if self._http is None else self._http.requests

    @property
    def where(self) -> str:
        """The account, for errors."""
        return self.address.account

    async def aclose(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    def params(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The parameters that every request has, and `more`."""
        name, _, version = self._services.user_agent.partition("/")
        common = {"client_id": self.address.client_id, "app-name": name.lower(), "app-version": version or "0"}
        return common | dict(more or {})

    # --- reading and writing ------------------------------------------------------------------------

    async def read(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """What SIMKL answers, as JSON; None stands for a bare ``null``.

        Raises `AuthError`, `UnavailableError` (also for an error that comes with a 200), `TooLargeError`.
        """
        answer = await self._authorised("GET", path, params)
        if not answer.ok:
            self.refuse(answer)
        found = answer.json()
        if isinstance(found, dict) and isinstance(found.get("error"), str):
            self.refuse(answer)
        return found

    async def write(self, path: str, body: object) -> Answer:
        """Write, once. Gives answers of success, and those about what was sent (400, 404, 409).

        Raises `AuthError` and `UnavailableError` when nothing was written, `LostAnswerError` when nobody knows.
        """
        answer = await self._authorised("POST", path, None, body)
        if not answer.ok and answer.status not in (400, 404, 409):
            self.refuse(answer)
        return answer

    async def _authorised(
        self, method: str, path: str, params: Mapping[str, str] | None = None, body: object = None
    ) -> Answer:
        """Send with a token, renewed once when it is refused: a 401 has done nothing."""
        token = await self.token()
        answer = await self.send(method, path, params, body, token)
        if answer.status == 401 and error_word(answer) != "user_token_required":
            token = await self.token(instead_of=token)
            answer = await self.send(method, path, params, body, token)
        return answer

    async def send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: object = None,
        token: str | None = None,
    ) -> Answer:
        """Send; again, when SIMKL says that it was too fast, or that another write has the lock.

        Raises `UnavailableError` at once while the quota of the day is known to be used up, and `AuthError`
        once SIMKL did not take the application: whoever goes on asking stays suspended.
        """
        if self._suspended is not None:
            self.refuse(self._suspended)
        if token is not None and (until := self.notes.spent(self.now())) is not None:
            raise self._used_up(until)
        waits = [BURST_S, 2 * BURST_S, 4 * BURST_S] if method == "GET" else [LOCK_S, LOCK_S, 2 * LOCK_S]
        for wait_s in (*waits, None):
            answer = await self._once(method, path, params, body, token)
            word = error_word(answer) if answer.status in (400, 429) else ""
            if word != "rate_limit":
                break
            if wait_s is None:
                what = "is writing for this user" if answer.status == 400 else "asks too much at once"
                hint = "try again in a minute"
                raise UnavailableError(f"{answer.call}: another application {what}", where=self.where, hint=hint)
            # Its Retry-After is that of the daily quota, whatever was exceeded.
            await self._sleep(wait_s if answer.status == 400 else min(wait_s, 4 * BURST_S))
        if answer.status == 429:
            self._spend(answer)
        self._suspended = answer if answer.status == 412 else None
        return answer

    async def _once(
        self, method: str, path: str, params: Mapping[str, str] | None, body: object, token: str | None
    ) -> Answer:
        from cwsync.http.answer import http_date, rate_limit

        http, url, common = self.http, self.address.api + path, self.params(params)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        form = body if isinstance(body, _Form) else None
        sent = http.requests
        try:
            # What a 429 means is in the body, so it is not repeated by itself.
            if method == "GET":
                answer = await http.get(url, params=common, headers=headers, repeat_refused=False)
            else:
                answer = await http.write(
                    method,
                    url,
                    json=None if form is not None else body,
                    form=form,
                    params=common,
                    headers=headers,
                    repeat_refused=False,
                )
        finally:
            for _ in range(http.requests - sent if token is not None else 0):
                self.notes.count(self.now())
        told = rate_limit(answer.headers)
        if told is not None:
            self.notes.hear(told.limit, told.remaining)
        self.date = http_date(answer.headers) or self.date
        return answer

    # --- tokens -------------------------------------------------------------------------------------

    def given(self) -> str | None:
        """The access token of the file, None without."""
        if self._given is None:
            given = self._services.secret("access_token")
            self._given = None if given is None else given.strip()
        return self._given

    def login(self) -> Tokens:
        """The stored login. Raises `AuthError` without one, or for one of another application."""
        if self._tokens is None:
            tokens = self._services.tokens.load()
            if tokens is None:
                raise not_logged_in(self.where)
            if tokens.chosen.get("client_id", self.address.client_id) != self.address.client_id:
                message = "the login was made with another client_id, and is good with that one only"
                raise AuthError(message, where=self.where, hint=login_hint(self.where))
            self._tokens = tokens
        return self._tokens

    async def token(self, *, instead_of: str | None = None) -> str:
        """The access token, renewed when it is due or when it is the one that was refused. Raises `AuthError`."""
        given = self.given()
        if given is not None:
            if instead_of is not None:
                hint = f"put a new one in its place, or take it out and: cwsync auth login {self.where}"
                raise AuthError("SIMKL does not take the access_token (any more)", where=self.where, hint=hint)
            return given
        if self._token is not None and self._token != instead_of:
            return self._token
        tokens = self.login()
        keeper = self._services.tokens
        if instead_of is not None or keeper.due(tokens, self.now()):
            tokens = await keeper.refresh(tokens, self._renew)
        self._tokens = tokens
        self._token = tokens.secret("access", self.address.api)
        return self._token

    async def _renew(self, tokens: Tokens) -> Tokens:
        """Ask for a new access token; the old one ends at once, the refresh token stays. So it may be asked twice."""
        from cwsync.http import LostAnswerError

        refresh = tokens.secret("refresh", self.address.api)
        form = self.form(grant_type="refresh_token", refresh_token=refresh)
        for last in (False, True):
            try:
                answer = await self.send("POST", "/oauth2/token", None, form)
                break
            except LostAnswerError as error:
                if last:
                    raise UnavailableError(error.message, where=self.where, hint="try again later") from error
        if not answer.ok:
            self.refuse(answer)
        try:
            return decode_token(answer.json(), tokens, self.now())[0]
        except ValueError as error:
            raise UnavailableError(f"the new login makes no sense: {error}", where=self.where) from error

    def form(self, **fields: str) -> _Form:
        """The body of a request for logins, which are forms."""
        return _Form({"client_id": self.address.client_id} | fields)

    async def revoke(self, tokens: Tokens) -> bool:
        """Have the login forgotten."""
        form = self.form(token=tokens.secret("access", self.address.api))
        answer = await self.send("POST", "/oauth2/revoke", None, form)
        if not answer.ok:
            self.refuse(answer)
        return True

    # --- refusals -----------------------------------------------------------------------------------

    def _spend(self, answer: Answer) -> NoReturn:
        """The quota of the day is used up."""
        from cwsync.http.answer import retry_after

        now = self.now()
        seconds = retry_after(answer.headers, now)
        until = self.notes.spend(now, None if seconds is None else timedelta(seconds=seconds))
        raise self._used_up(until, whose="application" if error_word(answer) == "app_limit_exceeded" else "user")

    def _used_up(self, until: datetime, whose: str = "user") -> UnavailableError:
        used, limit = self.notes.used, self.notes.limit
        ours = f"{used:,} requests by this installation" if used else "by others"
        if limit is not None and used:
            ours = f"{used:,} of {limit:,} by this installation, the rest by others"
        if limit is not None and used >= limit:  # a request that is refused is counted, and uses nothing
            ours = f"{limit:,}, all by this installation"
        message = f"the daily quota of this {whose} at SIMKL is used up ({ours})"
        hint = f"it starts anew at {until:%Y-%m-%d %H:%M} UTC; until then nothing is asked"
        return UnavailableError(message, where=self.where, hint=hint)

    def refuse(self, answer: Answer) -> NoReturn:
        """Raise for an answer that ends the work with this account, with the way out."""
        word, name = error_word(answer), self.where
        error = _refusal(answer, word, name, self.address)
        if word == "max_items":
            hint = "SIMKL gives it in no smaller parts: move titles from this list to others at simkl.com, or ask it"
            raise TooLargeError(f"{answer.call}: the library is too large to come at once", where=name, hint=hint)
        if word == "user_token_required":
            raise InternalError(f"{answer.call} was sent without a login", where=name)
        raise error


class _Form(dict[str, str]):
    """A body that goes as a form. It may hold secrets, so it is never printed."""

    def __repr__(self) -> str:
        return f"<{', '.join(self)}>"


def _refusal(answer: Answer, word: str, name: str, address: Address) -> CwsyncError:
    """What a refusal means to a person, and the way out."""
    status = answer.status
    if status == 412:
        hint = f"check client_id at {APPS}; if it is right, SIMKL may have suspended it: leave it alone for a day"
        return AuthError("SIMKL does not take the client_id (any more)", where=name, hint=hint)
    if word in ("invalid_client", "unauthorized_client"):
        hint = f"make an application of the type `TV, devices & command line` at {APPS}"
        message = "client_id is of another kind than the login: SIMKL has an old kind (V1) and a new one (V2)"
        return ConfigError(message, where=f"accounts.{name}.client_id", hint=hint)
    if word == "insufficient_scope":
        hint = f"log in again, and allow it to write: cwsync auth login {name}"
        return AuthError("the login may only read", where=name, hint=hint)
    if word == "premium_only":
        hint = "take the feature out of the pair, or see https://simkl.com/vip"
        return UnavailableError(f"{answer.call}: SIMKL gives this to PRO and VIP only", where=name, hint=hint)
    if status in (401, 403) or word in ("invalid_grant", "invalid_scope"):
        return AuthError("SIMKL does not take the login (any more)", where=name, hint=login_hint(name))
    hint = f"check api_url: it is {address.api}" if status in (404, 405) else "try again later"
    told = f" ({word})" if word.replace("_", "").isalnum() else ""
    return UnavailableError(f"{answer.call} answered {status}{told}", where=name, hint=hint)
