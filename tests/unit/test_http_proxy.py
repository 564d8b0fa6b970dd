"""Through the proxy that the environment names: a real one on loopback, that opens tunnels and listens."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import threading
from collections.abc import Iterator

import pytest

from cwsync.errors import UnavailableError
from cwsync.http import Answer, Http
from support.httpserver import Reply, Server, hang_up
from support.network import Time, fingerprint, tls

HOST = "https://api.cwsync.test"  # a name that only the proxy knows
TOKEN = "canary-of-proxies-8c1f"  # noqa: S105 - of nothing
PASSWORD = "canary-of-the-proxy-77ab"  # noqa: S105 - of nothing


class Proxy:
    """Opens every tunnel to one port of this machine. `asked` are the first lines, `heard` is what went through."""

    def __init__(self, port: int) -> None:
        self.asked: list[str] = []
        self.heard = b""
        self.refusal: bytes | None = None
        self._port = port
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, name="proxy")]
        self._threads[0].start()

    def close(self) -> None:
        hang_up(self._socket)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(client,), name="tunnel"))
            self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (more := client.recv(4096)):
            head += more
        self.asked.append(head.decode("latin-1"))
        if self.refusal is not None:
            client.sendall(self.refusal)
            hang_up(client)
            return
        there = socket.create_connection(("127.0.0.1", self._port))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=self._pump, args=(there, client), name="back")
        back.start()
        self._pump(client, there)
        back.join()

    def _pump(self, here: socket.socket, there: socket.socket) -> None:
        try:
            while data := here.recv(65_536):
                self.heard += data
                there.sendall(data)
        except OSError:
            pass  # one of the two has gone, and the other is told
        finally:
            hang_up(there)


@pytest.fixture
def service() -> Iterator[Server]:
    with Server(tls=tls()) as made:
        made.route("GET", "/list", lambda _: Reply([1, 2, 3]))
        made.route("POST", "/add", lambda _: Reply({}, 201))
        yield made


@pytest.fixture
def proxy(service: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    made = Proxy(int(service.url.rpartition(":")[2]))
    for name in ("https_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", made.url)
    yield made
    made.close()


def call(method: str = "GET", path: str = "/list", pin: str | None = None) -> Answer:
    time = Time()

    async def inside() -> Answer:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        pinned = fingerprint() if pin is None else pin
        async with Http(
            "trakt", origins=[HOST], headers=headers, fingerprint=pinned, clock=time.clock, sleep=time.sleep
        ) as http:
            return await (http.get(path) if method == "GET" else http.write(method, path, json={}))

    return asyncio.run(inside())


def test_the_proxy_opens_a_tunnel_and_reads_nothing(service: Server, proxy: Proxy) -> None:
    assert call().json() == [1, 2, 3]
    assert [one.partition("\r\n")[0] for one in proxy.asked] == ["CONNECT api.cwsync.test:443 HTTP/1.1"]
    assert TOKEN not in proxy.asked[0]
    assert proxy.heard
    assert TOKEN.encode() not in proxy.heard
    assert service.log[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_tunnel_to_someone_else_was_taken_for_a_write_that_may_have_arrived(
    service: Server, proxy: Proxy, method: str
) -> None:
    """What is sent to the proxy is not sent to the service: it certainly got nothing, not even the token."""
    with pytest.raises(UnavailableError, match="another certificate than the one pinned"):
        call(method, "/list" if method == "GET" else "/add", pin="00" * 32)
    assert service.log == []
    assert len(proxy.asked) == 1


def test_a_user_of_the_proxy_is_told_to_the_proxy_alone(
    service: Server, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("http://", f"http://reader:{PASSWORD}@"))
    with caplog.at_level(logging.DEBUG):
        assert call().json() == [1, 2, 3]
    word = base64.b64encode(f"reader:{PASSWORD}".encode()).decode()
    assert f"Basic {word}" in proxy.asked[0]
    assert "proxy-authorization" not in service.log[0].headers
    assert PASSWORD not in caplog.text
    proxy.close()
    with pytest.raises(UnavailableError) as caught:
        call()
    assert PASSWORD not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "refusal",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<no>",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["407", "403", "502"],
)
def test_a_proxy_that_refuses_is_said_and_nothing_was_sent(
    service: Server, proxy: Proxy, refusal: bytes, method: str
) -> None:
    proxy.refusal = refusal
    with pytest.raises(UnavailableError, match="proxy") as caught:
        call(method, "/list" if method == "GET" else "/add")
    assert "HTTPS_PROXY" in str(caught.value.hint)
    assert service.log == []


def test_a_proxy_that_is_not_there_is_said(service: Server, proxy: Proxy) -> None:
    proxy.close()
    with pytest.raises(UnavailableError):
        call()
    assert service.log == []


def test_hosts_without_a_proxy_are_asked_directly(
    service: Server, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "example.org, .cwsync.test")
    with pytest.raises(UnavailableError, match="Cannot connect"):
        call()
    assert proxy.asked == []
