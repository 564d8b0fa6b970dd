"""The client of one account: sends, waits, repeats what may be repeated, and counts."""

from __future__ import annotations

import asyncio
import json as jsonlib
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self
from urllib.parse import quote, urlencode, urlsplit

from cwsync.errors import ConfigError, InternalError, UnavailableError
from cwsync.http.answer import Answer, LostAnswerError, retry_after
from cwsync.http.bucket import Bucket, Clock, Sleep
from cwsync.http.tls import parse_fingerprint
from cwsync.http.traffic import Traffic, recorder
from cwsync.http.wire import Wire, WireError
from cwsync.redaction import redact_known, safe_url
from cwsync.tokens import origin_of

if TYPE_CHECKING:
    from tenacity import RetryCallState

Params = Mapping[str, str | int]

MAX_BYTES: Final = 64 * 1024 * 1024
TRIES: Final = 5
CONNECT_TRIES: Final = 3  # a host that is not there is not waited for as long as one that is busy
_BUSY: Final = frozenset({408, 502, 503, 504, 520, 521, 522, 523, 524})
FAULT_TRIES: Final = 3  # an error of the service itself seldom goes away by asking
_LEDGER: Final = 2000
_log = logging.getLogger("cwsync.http")


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the ledger has it: `path` with its parameters and without secrets; `status` None: no answer."""

    method: str
    path: str
    status: int | None
    n_bytes: int
    ms: int


@dataclass(slots=True)
class _Request:
    """One call. `safe`: it may be repeated after it was sent; `refused`: also when the service says 429.

    `began_at` is when it left first, by the clock of the client.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    write: bool
    safe: bool
    refused: bool
    began_at: float | None = None

    @property
    def told(self) -> str:
        """``GET /path``."""
        return f"{self.method} {urlsplit(self.url).path}"


class _AgainError(Exception):
    """A try failed in a way that allows another one. `wait_s` is what the service asks for."""

    def __init__(self, error: WireError, wait_s: float | None = None, *, tries: int = TRIES) -> None:
        super().__init__(error.why)
        self.error = error
        self.wait_s = wait_s
        self.tries = tries

    def told(self, tries: int) -> WireError:
        """The failure with how often it was tried, and how long we were asked to wait."""
        wait = f", for {self.wait_s:,.0f} s" if self.wait_s else ""
        times = f" ({tries} tries)" if tries > 1 else ""
        error = self.error
        return WireError(f"{error.why}{wait}{times}", sent=error.sent, hint=error.hint, status=error.status)


class Http:
    """HTTP for one account: one pool of connections, one set of limits.

    `account_name` is for errors and the log. `origins` are the base addresses that may be asked,
    with or without a path (``https://api.example.org``, ``https://host/plex``): any other one is
    refused, also when the service itself leads there. A URL that begins with ``/`` is below the
    first of them. `headers` go with every request to any of them (`headers` may be changed later,
    after a refresh); they may hold secrets, URLs never. A service that takes a secret nowhere else than
    in the query gets it by `secret_params`: called with the path of a request that is about to leave,
    it gives the parameters to add. Nothing above the wire sees them: no check, log, ledger or error.

    `timeout_s` bounds one try, from connecting to the last byte; `deadline_s` (four times that,
    unless given) one call with its repetitions and the waits in between, but not the wait for its
    turn. `at_once` bounds the requests in flight. `read_bucket` and `write_bucket` say how often
    reads and writes may leave. `ca_file` and `fingerprint` (SHA-256, hex) relax TLS for this
    account alone. `faults` are statuses after which this service may well answer the next try: reads are tried
    twice more, writes never. `final` says of a 429 that no other try helps: then it is the answer. `clock` and
    `sleep` are replaced by tests that shall not wait.
    """

    def __init__(
        self,
        account_name: str,
        *,
        origins: Sequence[str],
        headers: Mapping[str, str] | None = None,
        secret_params: Callable[[str], Mapping[str, str]] | None = None,
        timeout_s: float = 30.0,
        deadline_s: float | None = None,
        read_bucket: Bucket | None = None,
        write_bucket: Bucket | None = None,
        at_once: int = 8,
        max_bytes: int = MAX_BYTES,
        ca_file: Path | None = None,
        fingerprint: str | None = None,
        faults: Collection[int] = (),
        final: Callable[[Answer], bool] = lambda _answer: False,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.account_name = account_name
        self.headers = dict(headers or {})
        self._secret_params = secret_params
        self.requests = 0
        self.ledger: deque[Call] = deque(maxlen=_LEDGER)
        self._bases = tuple(_base(account_name, origin) for origin in origins)
        self._timeout_s = timeout_s
        self._deadline_s = 4 * timeout_s if deadline_s is None else deadline_s
        self._buckets = {False: read_bucket, True: write_bucket}
        self._faults = frozenset(faults)
        self._final = final
        self._clock = clock
        self._sleep = sleep
        self._gate = asyncio.Semaphore(at_once)
        self._resume_at = float("-inf")
        self._n_bytes = 0
        self._recorder = recorder()
        try:
            pin = None if fingerprint is None else parse_fingerprint(fingerprint)
        except ValueError as error:
            raise ConfigError(f"fingerprint {error}", where=f"accounts.{account_name}") from None
        self._wire = Wire(at_once=at_once, timeout_s=timeout_s, max_bytes=max_bytes, ca_file=ca_file, fingerprint=pin)

    async def get(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        repeat_refused: bool = True,
    ) -> Answer:
        """Read. Repeats a failed connection, a lost answer, 408, 429 and 502 to 504 (520 to 524) while time is left.

        With `repeat_refused` false a 429 is the answer: for services where its body tells what to do.
        Gives every other status for the provider to judge. Raises `UnavailableError` when tries or
        time ran out, for a redirect, for an address that is not ours, and for a body that is too large.
        """
        both = {**self.headers, **(headers or {})}
        address = self._address(url, params)
        return await self._call(_Request("GET", address, both, None, write=False, safe=True, refused=repeat_refused))

    async def write(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = False,
        repeat_refused: bool = True,
    ) -> Answer:
        """Write, once.

        Only what certainly never left is sent again, and what was refused with 429 (unless
        `repeat_refused` is false: then the 429 is the answer). With `idempotent` (twice is the same
        as once, whatever happens in between) it is repeated like a read.

        Raises `UnavailableError` only when it was certainly not carried out, `LostAnswerError` when
        nobody knows: no answer, half an answer, a redirect, a status of 500 or more (its `status`
        tells which). Every other answer is for the provider to judge.
        """
        body, kind = _content(json, form)
        both = {**self.headers, **({"Content-Type": kind} if kind else {}), **(headers or {})}
        address = self._address(url, params)
        return await self._call(
            _Request(method, address, both, body, write=True, safe=idempotent, refused=repeat_refused)
        )

    def url(self, *parts: str, base: int = 0) -> str:
        """The address of a path below one of the origins; each part is percent-encoded: ``url("movies", slug)``."""
        return "/".join((self._bases[base], *(quote(part, safe="") for part in parts)))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._wire.aclose()
        if self.requests:
            _log.info("%s: asked %d times, got %d bytes", self.account_name, self.requests, self._n_bytes)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    # --- one call ---------------------------------------------------------------------------------

    async def _call(self, request: _Request) -> Answer:
        import tenacity

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_AgainError),
            wait=_wait,
            stop=lambda state: self._ends(request, state),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    answer = await self._try(request)
                    self._judge(answer, request)
        except _AgainError as error:
            self._fail(error.told(retrying.statistics.get("attempt_number", 1)), request)
        except WireError as error:
            self._fail(error, request)
        return Answer(answer.status, answer.headers, answer.body, self.account_name, request.told, request.write)

    def _ends(self, request: _Request, state: RetryCallState) -> bool:
        """Whether no further try is to follow: there were enough, or the next would come too late."""
        error = state.outcome.exception() if state.outcome else None
        tries = error.tries if isinstance(error, _AgainError) else 1
        return state.attempt_number >= tries or state.upcoming_sleep >= self._left(request)

    def _left(self, request: _Request) -> float:
        """How many seconds of its deadline a call has left."""
        began = self._clock() if request.began_at is None else request.began_at
        return max(0.0, self._deadline_s - (self._clock() - began))

    async def _try(self, request: _Request) -> Answer:
        """One try, when its turn has come. Raises `_AgainError`, or `WireError` for what is not tried again."""
        async with self._gate:
            while (pause := self._resume_at - self._clock()) > 0:
                if pause > self._left(request):
                    raise _slow_down(pause)
                await self._sleep(pause)
            if (bucket := self._buckets[request.write]) is not None:
                await bucket.take()
            if request.began_at is None:
                request.began_at = self._clock()
            limit_s = min(self._timeout_s, self._left(request))
            self.requests += 1
            clock = time.perf_counter()
            answer: Answer | None = None
            try:
                answer = await self._wire.send(
                    request.method, self._whole(request.url), request.headers, request.body, limit_s
                )
            except WireError as error:
                if not error.final and (request.safe or not error.sent):
                    raise _AgainError(error, tries=TRIES if error.sent else CONNECT_TRIES) from None
                raise
            finally:
                self._note(request, answer, time.perf_counter() - clock)
            return answer

    def _whole(self, url: str) -> str:
        """The address as it goes over the wire."""
        more = self._secret_params(urlsplit(url).path) if self._secret_params is not None else None
        return f"{url}{'&' if '?' in url else '?'}{urlencode(more)}" if more else url

    def _judge(self, answer: Answer, request: _Request) -> None:
        """Raise for a status that is nobody's business but ours."""
        status = answer.status
        asked = retry_after(answer.headers, datetime.now(UTC))
        if status == 429 and request.refused and not self._final(answer):
            self._resume_at = max(self._resume_at, self._clock() + (asked or 0.0))
            raise _AgainError(WireError("asked us to slow down", sent=False), asked)
        if status in _BUSY and request.safe:
            raise _AgainError(WireError(f"answered {status}", sent=True, status=status), asked)
        if status in self._faults and not request.write:
            raise _AgainError(WireError(f"answered {status}", sent=True, status=status), asked, tries=FAULT_TRIES)
        if 300 <= status < 400 and status != 304:
            host = origin_of(answer.headers.get("location", "")) or "another address"
            hint = "redirects are not followed: put the right address of the service into the file"
            raise WireError(f"redirects to {safe_url(host)}", sent=True, final=True, status=status, hint=hint)
        if status >= 500 and status != 501 and request.write:
            raise WireError(f"answered {status}", sent=True, final=True, status=status)

    def _fail(self, error: WireError, request: _Request) -> NoReturn:
        who = f"{origin_of(request.url)} " if error.why[:1].islower() else ""
        message = f"{request.told}: {who}{error.why}"
        if request.write and error.sent:
            raise LostAnswerError(message, where=self.account_name, status=error.status) from None
        raise UnavailableError(message, where=self.account_name, hint=error.hint or "try again later") from None

    # --- addresses --------------------------------------------------------------------------------

    def _address(self, url: str, params: Params | None) -> str:
        """The whole URL, checked: one of our origins, below its path, no secret in it."""
        whole = self._bases[0] + url if url.startswith("/") and not url.startswith("//") else url
        if params:
            whole += ("&" if "?" in whole else "?") + urlencode(params)
        if not any(_below(whole, base) for base in self._bases):
            message = (
                f"leads to {safe_url(origin_of(whole) or 'an address that is none')}, which is not its own address"
            )
            hint = "nothing was sent there; if the service moved, put its new address into the file"
            raise UnavailableError(message, where=self.account_name, hint=hint)
        if redact_known(whole) != whole:
            raise InternalError("a secret was about to become part of an address", where=self.account_name)
        return whole

    def _note(self, request: _Request, answer: Answer | None, seconds: float) -> None:
        """Into the ledger, and the log."""
        parts = urlsplit(safe_url(request.url))
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        size = len(answer.body) if answer else 0
        call = Call(request.method, path, answer.status if answer else None, size, round(seconds * 1000))
        self.ledger.append(call)
        self._n_bytes += size
        if self._recorder is not None:
            traffic = self._recorder.setdefault(self.account_name, Traffic())
            traffic.add(f"{request.method} {parts.path}", size, call.ms)
        told = call.status if call.status is not None else "no answer"
        _log.debug("%s: %s %s -> %s, %d bytes, %d ms", self.account_name, call.method, path, told, size, call.ms)


def _slow_down(seconds: float) -> WireError:
    return WireError(f"asked us to slow down, for {seconds:,.0f} s", sent=False)


def _wait(state: RetryCallState) -> float:
    """What the service asks for, and a bit that grows: 0.25 s, 0.5 s, 1 s, 2 s."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait_s if isinstance(error, _AgainError) else None
    return float((asked or 0.0) + 0.25 * 2 ** (state.attempt_number - 1))


def _base(account_name: str, origin: str) -> str:
    """A base address without its last slash. Raises `ConfigError` for what is none, or holds a password or a query."""
    parts = urlsplit(origin) if origin_of(origin) else None
    if parts is None or parts.username is not None or parts.query or parts.fragment:
        problem = "is not an address" if parts is None else "must be an address without user, query or fragment"
        hint = "write it like https://host or http://192.168.1.10:32400"
        raise ConfigError(f"{safe_url(origin)} {problem}", where=f"accounts.{account_name}", hint=hint)
    return f"{origin_of(origin)}{parts.path.rstrip('/')}"


def _below(url: str, base: str) -> bool:
    """Whether `url` is at the origin of `base`, and its path below that of `base`."""
    if origin_of(url) != origin_of(base) or urlsplit(url).username is not None:
        return False
    root, path = urlsplit(base).path, urlsplit(url).path
    return not root or path == root or (path.startswith(f"{root}/") and "/../" not in f"{path}/")


def _content(json: Any, form: Mapping[str, str] | None) -> tuple[bytes | None, str | None]:
    if form is not None:
        return urlencode(form).encode("ascii"), "application/x-www-form-urlencoded"
    if json is not None:
        return jsonlib.dumps(json, separators=(",", ":"), allow_nan=False).encode("ascii"), "application/json"
    return None, None
