"""A small HTTP server on loopback for tests and simulators: real sockets, routes, a log and faults.

HTTP/1.1 with keep-alive, one thread a connection, standard library only. An answer leaves in one
write. Handlers run one at a time, so a simulator needs no locks of its own.

    with Server() as server:
        server.route("GET", "/items/{key}", lambda request: Reply({"key": request.args["key"]}))
        server.fault(drop_after(), method="POST")     # the next POST is handled, its answer is lost
        ... server.url, server.log
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

MAX_BODY = 64 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """One request. Names of headers are lower case; `args` are the parts of the path that the route names.

    `connection` counts the connections of the server: equal numbers came over one connection.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    connection: int = 0
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The path, percent-encoding undone."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The parameters; of one that is given twice the last."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def json(self) -> Any:
        """The body as JSON, None when it is empty. Raises ``ValueError``."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Reply:
    """One answer. `body` is bytes or text as they are, None for none, anything else as JSON.

    `raw` is sent in place of the whole answer, whatever it is; `close` ends the connection after it.
    """

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    close: bool = False

    def content(self) -> tuple[bytes, str]:
        """The bytes of the body and their type."""
        if self.body is None:
            return b"", "application/json"
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        if isinstance(self.body, str):
            return self.body.encode(), "text/html; charset=utf-8"
        data = json.dumps(self.body, ensure_ascii=False, separators=(",", ":"))
        return data.encode("utf-8", "surrogatepass"), "application/json; charset=utf-8"

    def wire(self, request: Request) -> bytes:
        """The answer as it goes over the wire, compressed where the client takes that and it pays."""
        if self.raw is not None:
            return self.raw
        data, kind = self.content()
        headers = {"Content-Type": kind, "Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())}
        given = {name.lower() for name in self.headers}
        if len(data) > 512 and "gzip" in request.headers.get("accept-encoding", "") and "content-encoding" not in given:
            data = gzip.compress(data, 1)
            headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(data))
        headers = {name: text for name, text in headers.items() if name.lower() not in given} | dict(self.headers)
        if self.close:
            headers["Connection"] = "close"
        phrase = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else "Other"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {text}" for name, text in headers.items())]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        return head if request.method == "HEAD" else head + data


Handler = Callable[[Request], Reply]
Do = Callable[[Request, Handler], Reply | None]


# --- faults: what becomes of one request. They get it with its handler; None cuts the connection. -------


def answer(reply: Reply) -> Do:
    """Answer with this instead; nothing is handled."""
    return lambda _request, _handler: reply


def status(code: int, body: Any = None, **headers: str) -> Do:
    """Answer with a status instead; ``retry_after="3"`` is a header ``Retry-After``."""
    return answer(Reply(body, code, {name.replace("_", "-").title(): text for name, text in headers.items()}))


def html(code: int = 200, title: str = "Just a moment...") -> Do:
    """Answer with a page for people."""
    return answer(Reply(f"<!DOCTYPE html><html><title>{title}</title></html>", code))


def drop_before() -> Do:
    """Cut the connection; nothing is handled."""
    return lambda _request, _handler: None


def drop_after() -> Do:
    """Handle the request and cut the connection: the answer is lost."""

    def do(request: Request, handler: Handler) -> None:
        handler(request)

    return do


def instead(code: int, body: Any = None) -> Do:
    """Handle the request and answer with another status, as gateways do when they lose patience."""

    def do(request: Request, handler: Handler) -> Reply:
        handler(request)
        return Reply(body, code)

    return do


def truncated(keep: float = 0.5) -> Do:
    """Handle the request and send only a part of the body, under the length of all of it."""

    def do(request: Request, handler: Handler) -> Reply:
        wire = handler(request).wire(request)
        head, _, body = wire.partition(b"\r\n\r\n")
        return Reply(raw=head + b"\r\n\r\n" + body[: int(len(body) * keep)], close=True)

    return do


def cut_json(keep: float = 0.5) -> Do:
    """Handle the request and send half of its JSON as if that were all."""

    def do(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        data, kind = reply.content()
        return replace(reply, body=data[: int(len(data) * keep)], headers={**reply.headers, "Content-Type": kind})

    return do


def hold(event: threading.Event, then: Do | None = None, *, entered: threading.Event | None = None) -> Do:
    """Answer nothing before `event` is set, without keeping others waiting; sets `entered` when it is reached."""

    def do(request: Request, handler: Handler) -> Reply | None:
        if entered is not None:
            entered.set()
        event.wait(60)
        return then(request, handler) if then else handler(request)

    return do


def redirect(url: str, code: int = 302) -> Do:
    """Send the client elsewhere."""
    return answer(Reply("", code, {"Location": url}))


def raw(data: bytes) -> Do:
    """Send these bytes and nothing else."""
    return answer(Reply(raw=data, close=True))


@dataclass
class _Fault:
    do: Do
    method: str | None
    path: re.Pattern[str]
    skip: int
    times: int | None

    def meets(self, request: Request) -> bool:
        """Whether this request gets it; counts those that are let by."""
        if self.times == 0 or self.method not in (None, request.method) or not self.path.search(request.path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Server:
    """A server on a free port of loopback, from ``with`` to its end. `url` has no slash at its end.

    `latency_s` is added before every answer, for measuring. `tls` makes it HTTPS.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, latency_s: float = 0.0, port: int = 0) -> None:
        self.latency_s = latency_s
        self._tls = tls
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []
        self._faults: list[_Fault] = []
        self._log: list[Request] = []
        self._errors: list[BaseException] = []
        self._lock = threading.RLock()
        self._open: dict[int, socket.socket] = {}
        self._connections = 0
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._closing = False
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    # --- what it answers ------------------------------------------------------------------------

    def route(self, method: str, pattern: str, handler: Handler) -> None:
        """Let `handler` answer ``/path/{name}``; a name matches one part of a path. The first that fits counts."""
        parts = re.split(r"\{(\w+)\}", pattern)
        text = "".join(f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
        self._routes.append((method, re.compile(text), handler))

    def fault(self, do: Do, *, method: str | None = None, path: str = "", nth: int = 1, times: int | None = 1) -> None:
        """Let something go wrong with the `nth` request from now that fits, `times` in a row (None: for ever).

        `path` is a pattern that the path holds. Of several faults that fit the one given first counts.
        """
        with self._lock:
            self._faults.append(_Fault(do, method, re.compile(path), nth - 1, times))

    def clear_faults(self) -> None:
        """Let everything go well again."""
        with self._lock:
            self._faults.clear()

    def handle(self, request: Request) -> Reply:
        """The answer without faults: the route's. 404 for an unknown path, 405 for another method."""
        known = False
        for method, pattern, handler in self._routes:
            if found := pattern.fullmatch(urlsplit(request.target).path):
                known = True
                if method == request.method:
                    args = {name: unquote(text) for name, text in found.groupdict().items()}
                    return handler(replace(request, args=args))
        return Reply({"error": "method" if known else "not found"}, 405 if known else 404)

    # --- what it was asked ----------------------------------------------------------------------

    @property
    def log(self) -> list[Request]:
        """Every request so far, in the order in which they came."""
        with self._lock:
            return list(self._log)

    def calls(self) -> list[str]:
        """The requests as ``GET /path``, without their parameters."""
        return [f"{request.method} {request.path}" for request in self.log]

    def forget(self) -> None:
        """Empty the log."""
        with self._lock:
            self._log.clear()

    @property
    def connections(self) -> int:
        """How many connections were made."""
        return self._connections

    # --- the wire -------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="http-accept", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is None and self._errors:
            raise AssertionError(f"a handler failed: {self._errors[0]!r}") from self._errors[0]

    def close(self) -> None:
        """Stop listening and cut every connection: from now on the port refuses."""
        self._closing = True
        # Closing alone does not wake a thread that waits in `accept`.
        hang_up(self._listener)
        self.cut_all()

    def cut_all(self) -> None:
        """Cut every open connection, idle ones too."""
        with self._lock:
            for connection in list(self._open.values()):
                hang_up(connection)
            self._open.clear()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections += 1
                number = self._connections
                self._open[number] = connection
            threading.Thread(target=self._serve, args=(connection, number), name=f"http-{number}", daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            talk = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            with talk, talk.makefile("rb") as incoming:
                while (request := _read(incoming, number)) is not None:
                    reply = _NO_HTTP if request.method == "?" else self._answer(request)
                    if self.latency_s:
                        time.sleep(self.latency_s)
                    if reply is None:
                        return
                    talk.sendall(reply.wire(request))
                    if reply.close or reply.raw is not None:
                        return
        except OSError:
            return  # the client went away
        finally:
            with self._lock:
                self._open.pop(number, None)
            hang_up(connection)

    def _answer(self, request: Request) -> Reply | None:
        with self._lock:
            self._log.append(request)
            do = next((fault.do for fault in self._faults if fault.meets(request)), None)
        try:
            return do(request, self._one_by_one) if do else self._one_by_one(request)
        except Exception as error:  # noqa: BLE001 - shown where the test can see it: at the end of `with`
            self._errors.append(error)
            return Reply({"error": "the simulator failed"}, 500, close=True)

    def _one_by_one(self, request: Request) -> Reply:
        with self._lock:
            return self.handle(request)


def hang_up(connection: socket.socket) -> None:
    """Close a socket for good, also while another thread waits on it."""
    with contextlib.suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


_NO_HTTP = Reply("", 400, close=True)
_GARBAGE = Request("?", "", {})


def _read(incoming: Any, number: int) -> Request | None:
    """The next request of a connection; None at its end; one with the method ``?`` for what is no HTTP."""
    # A client that speaks TLS sends no line end that could be waited for.
    first = incoming.read(1)
    if not first:
        return None
    words = (first + incoming.readline(65537)).decode("latin-1").split() if first.isalpha() else []
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return _GARBAGE
    method, target, _ = words
    headers: dict[str, str] = {}
    while (line := incoming.readline(65537)) not in (b"\r\n", b"\n"):
        if not line:
            return None
        name, colon, text = line.decode("latin-1").partition(":")
        if not colon:
            return _GARBAGE
        headers[name.strip().lower()] = text.strip()
    declared = headers.get("content-length", "0")
    length = int(declared) if declared.isdigit() else -1
    if not 0 <= length <= MAX_BODY:
        return _GARBAGE
    body = incoming.read(length)
    return Request(method, target, headers, body, number) if len(body) == length else None
