"""The client against a real server on loopback: what is sent where, and what comes back."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from cwsync.errors import ConfigError, InternalError, UnavailableError
from cwsync.http import Http
from cwsync.redaction import remember
from support.asking import TOKEN, get, listing, post, run
from support.httpserver import (
    Reply,
    Server,
    answer,
    cut_json,
    drop_before,
    html,
    raw,
    redirect,
    status,
)
from support.network import Time


@pytest.fixture
def server() -> Iterator[Server]:
    with listing() as made:
        yield made


@pytest.fixture
def time() -> Time:
    return Time()


# --- what goes over the wire ----------------------------------------------------------------------


def test_a_read_sends_our_headers_and_gives_the_answer_whole(server):
    found = get(server, headers={"User-Agent": "cwsync/9"})
    assert (found.status, found.json(), found.ok) == (200, [1, 2, 3], True)
    assert found.headers["content-type"] == "application/json; charset=utf-8"
    (request,) = server.log
    assert request.headers["user-agent"] == "cwsync/9"
    assert request.headers["accept-encoding"] == "gzip"


def test_a_write_sends_json_or_a_form(server):
    assert post(server).json() == {"added": 0}
    assert server.log[0].json() == {"name": "Amélie"}
    run(lambda http: http.write("POST", "/add", form={"code": "a b&c"}), server)
    assert server.log[1].form == {"code": "a b&c"}
    assert server.log[1].headers["content-type"] == "application/x-www-form-urlencoded"


def test_parameters_and_parts_of_a_path_are_encoded(server):
    async def ask(http: Http) -> Any:
        return (await http.get(http.url("echo", "a/b ?é"), params={"q": "x&y=z", "n": 2})).json()

    assert run(ask, server) == {"word": "a/b ?é", "q": "x&y=z", "n": "2"}


def test_a_base_address_may_have_a_path(server):
    assert get(f"{server.url}/echo/", url="/plex").json() == {"word": "plex"}


def test_connections_are_used_again_and_never_more_than_asked_for(server):
    async def many(http: Http) -> None:
        await asyncio.gather(*(http.get("/list") for _ in range(20)))
        await http.get("/list")

    run(many, server, at_once=3)
    assert len(server.log) == 21
    assert server.connections <= 3


def test_what_is_packed_is_unpacked(server):
    rows = [{"title": f"Film {number}"} for number in range(500)]
    server.route("GET", "/packed", lambda _: Reply(rows))
    found = get(server, url="/packed")
    assert found.headers["content-encoding"] == "gzip"
    assert found.json() == rows


# --- where requests go ------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server, code):
    with Server() as other:
        other.route("GET", "/list", lambda _: Reply([]))
        server.fault(redirect(f"{other.url}/list", code))
        with pytest.raises(UnavailableError) as caught:
            get(server)
        assert other.log == []
        assert f"redirects to {other.url}" in caught.value.message
        assert "redirects are not followed" in str(caught.value.hint)


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/list",
        "//evil.example/list",
        "{}@evil.example/list",
        "{}.evil.example/list",
        "{}:1/list",
        "http://user@{host}/list",
        "ftp://x/",
        "list",
        "{}/list\r\nX: y",
        "",
    ],
)
def test_another_address_is_refused_before_anything_is_sent(server, url):
    with pytest.raises(UnavailableError, match="not its own address"):
        get(server, url=url.format(server.url, host=server.url.removeprefix("http://")))
    assert server.log == []


def test_a_link_out_of_the_base_path_is_refused(server):
    for url in (f"{server.url}/other", "/../other", f"{server.url}/plexus"):
        with pytest.raises(UnavailableError, match="not its own address"):
            get(f"{server.url}/plex", url=url)
    assert server.log == []


def test_a_secret_never_becomes_part_of_an_address(server):
    remember(TOKEN)
    with pytest.raises(InternalError):
        run(lambda http: http.get("/list", params={"x": TOKEN}), server)
    assert server.log == []


@pytest.mark.parametrize("origin", ["example.org", "ftp://x", "http://user:pw@host", "http://host?token=1", ""])
def test_an_address_that_is_none_is_a_mistake_in_the_file(origin):
    with pytest.raises(ConfigError) as caught:
        Http("trakt", origins=[origin])
    assert "pw" not in str(caught.value)


# --- what comes back --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (html(), "a page for people (text/html)"),
        (answer(Reply(b"")), "it is empty"),
        (answer(Reply(b"[1, 2")), "it ends too early"),
        (answer(Reply(b"oops, no")), "no JSON at character 0"),
        (answer(Reply(b"[NaN]")), "a number that is none"),
        (answer(Reply(b'{"a": 1, "a": 2}')), "a key stands twice"),
        (answer(Reply(b"[" * 100 + b"]" * 100)), "nested too deeply"),
        (answer(Reply(b"[" * 500_000)), "nested too deeply"),
        (answer(Reply(b'"\xff"')), "no UTF-8"),
        (cut_json(), "it ends too early"),
    ],
)
def test_an_answer_that_is_no_json_is_a_failed_read(server, fault, words):
    server.fault(fault)
    with pytest.raises(UnavailableError) as caught:
        get(server).json()
    assert words in caught.value.message
    assert "GET /list answered 200" in caught.value.message


def test_another_shape_is_a_failed_read(server):
    with pytest.raises(UnavailableError, match="it is a list and no object"):
        get(server).items(dict)
    assert get(server).items() == [1, 2, 3]


def test_deep_within_texts_is_not_deep(server):
    server.fault(answer(Reply(b'{"title": "%s", "x": "\\\\\\"["}' % (b"[" * 1000))))
    assert get(server).json()["title"] == "[" * 1000


def test_nothing_is_an_answer_where_the_status_says_so(server):
    server.fault(status(204))
    assert get(server).json() is None


def test_a_body_that_is_too_large_is_refused_by_its_length_and_by_its_bytes(server):
    server.route("GET", "/big", lambda _: Reply(b"x" * 2000, headers={"Content-Encoding": "identity"}))
    with pytest.raises(UnavailableError, match="more than the 1,000 bytes"):
        get(server, url="/big", max_bytes=1000)
    server.fault(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"))
    with pytest.raises(UnavailableError, match="more than the 1,000 bytes"):  # and not a byte of it was waited for
        get(server, max_bytes=1000)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n"
    server.fault(raw(chunked))
    with pytest.raises(UnavailableError, match="more than the 1,000 bytes"):
        get(server, max_bytes=1000)
    assert len(server.log) == 3


def test_a_bomb_is_not_unpacked(server):
    bomb = gzip.compress(b" " * 20_000_000)
    server.fault(answer(Reply(bomb, headers={"Content-Encoding": "gzip"})))
    with pytest.raises(UnavailableError, match="more than"):
        get(server)
    assert len(server.log) == 1


@pytest.mark.parametrize("packed", [gzip.compress(b"[1]", mtime=0)[:-4], b"no gzip at all"], ids=["cut off", "none"])
def test_a_packed_body_that_is_broken_is_read_again(server, time, packed):
    server.fault(answer(Reply(packed, headers={"Content-Encoding": "gzip"})))
    assert get(server, time).json() == [1, 2, 3]


def test_an_encoding_nobody_asked_for_is_refused(server):
    server.fault(answer(Reply(b"x", headers={"Content-Encoding": "br"})))
    with pytest.raises(UnavailableError, match="was not asked for"):
        get(server)


# --- a service that takes a secret in the query alone ----------------------------------------------------


def test_what_a_service_takes_in_the_query_alone_is_seen_by_nobody_else(server, caplog):
    """Neither by the log nor by the ledger nor by an error; and only by the paths that it is for."""
    secret = "canary-of-a-query-55e0"  # noqa: S105 - of nothing
    remember(secret)

    def params(path: str) -> dict[str, str]:
        return {"session": secret} if path.startswith("/echo") else {}

    async def both(http: Http) -> list[object]:
        echoed = (await http.get("/echo/x", params={"page": 2})).json()
        await http.get("/list")
        server.fault(status(500))
        answer = await http.get("/echo/x")
        server.fault(drop_before(), times=None)
        with pytest.raises(UnavailableError) as caught:
            await http.get("/echo/x")
        return [echoed, answer.call, f"{caught.value} {caught.value.hint}", list(http.ledger)]

    with caplog.at_level(logging.DEBUG):
        echoed, *told = run(both, server, Time(), secret_params=params)
    assert echoed == {"word": "x", "page": "2", "session": secret}
    assert "session" not in server.log[1].query
    assert secret not in f"{told} {caplog.text}"
