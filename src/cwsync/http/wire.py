"""One request and one answer over `httpx`: bounded in time and size; failures get their words here."""

from __future__ import annotations

import asyncio
import os
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cwsync.errors import InternalError
from cwsync.http.answer import Answer
from cwsync.http.tls import WrongCertificateError, context, proxy_for
from cwsync.redaction import safe_url
from cwsync.tokens import origin_of

if TYPE_CHECKING:
    import httpx

MAX_RATIO: Final = 200  # how many times larger a body may get when it is unpacked
_FREE: Final = 4 * 1024 * 1024  # up to here it may grow as it likes
_IDLE_S: Final = 10.0  # shorter than servers keep a connection: a write on a dead one would be in doubt
_CONNECT_S: Final = 10.0
_SENDING: Final = frozenset({"http11.send_request_headers.started"})


class WireError(Exception):
    """A try that gave no answer we can use. `why` is for people; nothing of the request is in it.

    `sent` says that the service may have seen the request; `final` that another try is of no use.
    """

    def __init__(
        self, why: str, *, sent: bool, final: bool = False, hint: str | None = None, status: int | None = None
    ) -> None:
        super().__init__(why)
        self.why = why
        self.sent = sent
        self.final = final
        self.hint = hint
        self.status = status


class Wire:
    """A pool of connections. `max_bytes` bounds a body, unpacked."""

    def __init__(
        self, *, at_once: int, timeout_s: float, max_bytes: int, ca_file: Path | None, fingerprint: str | None
    ) -> None:
        self._at_once = at_once
        self._connect_s = min(timeout_s / 2, _CONNECT_S)
        self._max_bytes = max_bytes
        self._tls = (ca_file, fingerprint)
        self._transports: dict[tuple[bool, str | None], httpx.AsyncHTTPTransport] = {}

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, limit_s: float
    ) -> Answer:
        """Send once, and read the whole answer within `limit_s` seconds. Raises `WireError`."""
        import httpx

        sent = False

        async def trace(event: str, info: Mapping[str, Any]) -> None:
            nonlocal sent
            # Asking a proxy for a tunnel sends nothing of ours to the service.
            sent = sent or (event in _SENDING and info["request"].method != b"CONNECT")

        waits = {"connect": self._connect_s, "read": limit_s, "write": limit_s, "pool": limit_s}
        common = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        request = httpx.Request(
            method,
            url,
            headers={**common, **headers},
            content=body,
            extensions={"timeout": waits, "trace": trace},
        )
        try:
            async with asyncio.timeout(limit_s):
                response = await self._transport(url).handle_async_request(request)
                try:
                    content = await self._body(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise WireError(f"did not answer within {limit_s:g} s", sent=sent) from None
        except httpx.LocalProtocolError:
            # Its text quotes the header that cannot be sent, and so what is in it.
            raise InternalError("a header or an address that cannot be sent") from None
        except httpx.TransportError as error:
            raise _failed(error, url, sent=sent) from None
        return Answer(response.status_code, _joined(response.headers), content)

    def _transport(self, url: str) -> httpx.AsyncHTTPTransport:
        """The pool for this address: one for each proxy, and one without; TLS rules are loaded only where needed."""
        import httpx

        secure = url.startswith("https:")
        proxy = proxy_for(url, os.environ)
        if (secure, proxy) not in self._transports:
            tls = context(*self._tls) if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            limits = httpx.Limits(
                max_connections=self._at_once, max_keepalive_connections=self._at_once, keepalive_expiry=_IDLE_S
            )
            self._transports[secure, proxy] = httpx.AsyncHTTPTransport(
                verify=tls, limits=limits, proxy=proxy, trust_env=False
            )
        return self._transports[secure, proxy]

    async def _body(self, response: httpx.Response) -> bytes:
        """The body, unpacked. Raises `WireError` when it is too large or cut off."""
        packing = response.headers.get("content-encoding", "identity").strip().lower()
        if packing not in ("identity", "", "gzip", "x-gzip"):
            raise WireError("answered in an encoding that was not asked for", sent=True, final=True)
        declared = response.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise self._too_large()
        chunks = response.aiter_raw()
        return await (self._plain(chunks) if packing in ("identity", "") else self._unpacked(chunks))

    async def _plain(self, chunks: AsyncIterator[bytes]) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > self._max_bytes:
                raise self._too_large()
            parts.append(chunk)
        return b"".join(parts)

    async def _unpacked(self, chunks: AsyncIterator[bytes]) -> bytes:
        """Unpack step by step: a small body must not become a large one before anyone looks."""
        machine = zlib.decompressobj(wbits=31)
        parts: list[bytes] = []
        packed = size = 0
        async for chunk in chunks:
            packed += len(chunk)
            room = min(self._max_bytes, max(_FREE, MAX_RATIO * packed))
            try:
                part = machine.decompress(chunk, room - size + 1)
            except zlib.error:
                raise WireError("answered with a body that cannot be unpacked", sent=True) from None
            size += len(part)
            if size > room:
                raise self._too_large()
            parts.append(part)
        if packed and not machine.eof:
            raise WireError("answered with a body that is cut off", sent=True)
        return b"".join(parts)

    def _too_large(self) -> WireError:
        return WireError(
            f"answered with more than the {self._max_bytes:,} bytes a body may have", sent=True, final=True
        )


def _joined(headers: httpx.Headers) -> dict[str, str]:
    """Names in lower case; several values of one name in one."""
    return {name.lower(): headers[name] for name in headers}


def _failed(error: httpx.TransportError, url: str, *, sent: bool) -> WireError:
    """The words for a failure of the network."""
    import httpx

    name = safe_url(origin_of(url) or url)
    broken = next((one for one in _causes(error) if isinstance(one, ssl.SSLError)), None)
    if broken is not None and not sent:
        return _tls_failed(broken, name)
    if isinstance(error, httpx.ProxyError):
        return WireError("The proxy of the environment cannot be used", sent=False, hint="look at $HTTPS_PROXY")
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        hint = "is the address right, and is the service running?"
        return WireError(f"Nobody answers at {name}", sent=False, hint=hint)
    if isinstance(error, httpx.ConnectError):
        reasons = [_WHY.get(type(one).__name__) or getattr(one, "strerror", None) for one in _causes(error)]
        why = next((str(reason) for reason in reasons if reason), "no connection")
        hint = "is the address right, and is the service running?"
        return WireError(f"Cannot connect to {name}: {why.lower()}", sent=False, hint=hint)
    if isinstance(error, httpx.TimeoutException):
        return WireError("did not answer in time", sent=sent)
    plain = "does it speak https? then the address begins with https://" if url.startswith("http:") else None
    return WireError("cut the connection", sent=sent, hint=plain)


_WHY: Final = {"ConnectionRefusedError": "connection refused", "gaierror": "the name of the host is not known"}


def _tls_failed(error: ssl.SSLError, name: str) -> WireError:
    if isinstance(error, WrongCertificateError):
        found = ":".join(error.found[at : at + 2] for at in range(0, 64, 2))
        why = f"{name} has another certificate than the one pinned with fingerprint; it is {found}"
        hint = "if you changed the certificate, put the new fingerprint into the file"
        return WireError(f"The server at {why}", sent=False, final=True, hint=hint)
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "set ca_file or fingerprint of the account; there is no way to turn the check off"
        why = error.verify_message or "it does not hold"
        return WireError(f"The certificate of {name} is not trusted: {why}", sent=False, final=True, hint=hint)
    hint = "does it speak plain http? then the address begins with http://"
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return WireError(f"There is no TLS at {name}", sent=False, final=True, hint=hint)
    why = (error.reason or "unknown").lower().replace("_", " ")
    return WireError(f"TLS with {name} failed: {why}", sent=False, hint=hint)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that led to it, through groups of errors, too."""
    todo: list[BaseException] = [error]
    seen: set[int] = set()
    while todo:
        one = todo.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        todo += [other for other in (one.__cause__, one.__context__) if other is not None]
        if isinstance(one, BaseExceptionGroup):
            todo += one.exceptions
