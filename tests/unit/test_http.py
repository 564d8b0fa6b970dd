"""The client against a real server on loopback: what is repeated, what never, what is refused."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import socket
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from cwsync.errors import ConfigError, CwsyncError, InternalError, UnavailableError
from cwsync.http import Answer, Bucket, Http, LostAnswerError
from cwsync.redaction import remember
from support.httpserver import (
    Reply,
    Request,
    Server,
    answer,
    cut_json,
    drop_after,
    drop_before,
    hold,
    html,
    instead,
    raw,
    redirect,
    status,
    truncated,
)
from support.network import CERTIFICATE, Time, fingerprint, tls

TOKEN = "canary-of-http-4f1d9a"  # noqa: S105 - of nothing
HIDDEN = "never-remembered-1b7"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        count = iter(range(1000))
        made.route("GET", "/list", lambda _: Reply([1, 2, 3]))
        made.route("POST", "/add", lambda _: Reply({"added": next(count)}, 201))
        made.route("GET", "/echo/{word}", lambda request: Reply({"word": request.args["word"], **request.query}))
        yield made


@pytest.fixture
def time() -> Time:
    return Time()


def run(do: Callable[[Http], Awaitable[Any]], server: Server | str, time: Time | None = None, **more: Any) -> Any:
    """Do something with a client, and close it."""
    url = server if isinstance(server, str) else server.url
    passing = {"clock": time.clock, "sleep": time.sleep} if time else {}

    async def inside() -> Any:
        settings = {"origins": [url], "headers": {"Authorization": f"Bearer {TOKEN}"}, **passing, **more}
        async with Http("trakt", **settings) as http:
            return await do(http)

    return asyncio.run(inside())


def get(server: Server | str, time: Time | None = None, url: str = "/list", **more: Any) -> Answer:
    got: Answer = run(lambda http: http.get(url), server, time, **more)
    return got


def post(server: Server | str, time: Time | None = None, *, write: dict[str, Any] | None = None, **more: Any) -> Answer:
    got: Answer = run(
        lambda http: http.write("POST", "/add", json={"name": "Amélie"}, **(write or {})), server, time, **more
    )
    return got


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


# --- reads are repeated ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [status(502), status(503), status(504), status(522), status(408), drop_before(), drop_after(), truncated()],
    ids=["502", "503", "504", "522", "408", "cut", "cut after", "half a body"],
)
def test_a_read_is_repeated_until_it_is_answered(server, time, fault):
    server.fault(fault, times=4)
    assert get(server, time).json() == [1, 2, 3]
    assert len(server.log) == 5
    assert time.slept == [0.25, 0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (status(503), "answered 503 (5 tries)"),
        (status(503, retry_after="7"), "answered 503, for 7 s (5 tries)"),
        (drop_before(), "cut the connection (5 tries)"),
        (truncated(), "cut the connection (5 tries)"),
        (status(429, retry_after="3"), "asked us to slow down, for 3 s (5 tries)"),
    ],
    ids=["503", "503 with a time", "cut", "half a body", "429"],
)
def test_a_read_that_keeps_failing_is_given_up(server, time, fault, words):
    server.fault(fault, times=None)
    with pytest.raises(UnavailableError) as caught:
        get(server, time)
    assert len(server.log) == 5
    assert str(caught.value) == f"trakt: GET /list: {server.url} {words}"


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 420, 422, 423, 426, 500, 501])
def test_every_other_status_is_the_providers_business(server, time, code):
    server.fault(status(code, {"error": "x"}))
    assert get(server, time).status == code
    assert time.slept == []


def test_a_fault_is_tried_twice_more_where_that_helps(server, time):
    server.fault(status(500), times=2)
    assert get(server, time, faults=(500,)).ok
    server.fault(status(500), times=None)
    with pytest.raises(UnavailableError, match=r"answered 500 \(3 tries\)"):
        get(server, time, faults=(500,))
    server.forget()
    with pytest.raises(LostAnswerError):
        post(server, time, faults=(500,), write={"idempotent": True})
    assert len(server.log) == 1, "a write never"


def test_a_refusal_for_good_is_an_answer(server, time):
    server.fault(html(429), times=None)
    answer = get(server, time, final=lambda found: b"<" in found.body)
    assert (answer.status, len(server.log), time.slept) == (429, 1, [])


def test_retry_after_is_waited_for(server, time):
    server.fault(status(429, retry_after="30"))
    assert get(server, time).ok
    assert time.slept == [30.25]


def test_others_wait_too_when_the_service_asks_to_slow_down(server, time):
    """A read that begins while another one waits for its turn to come again is not sent before that."""
    server.fault(status(429, retry_after="30"))
    waiting = asyncio.Queue[float]()
    over = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waiting.put_nowait(seconds)
        await over.wait()

    async def two(http: Http) -> None:
        first = asyncio.create_task(http.get("/list"))
        assert await waiting.get() == 30.25
        second = asyncio.create_task(http.get("/list"))
        begun = asyncio.create_task(waiting.get())
        await asyncio.wait([second, begun], return_when=asyncio.FIRST_COMPLETED)
        assert begun.result() == 30
        assert len(server.log) == 1
        time.at += 31
        over.set()
        await asyncio.gather(first, second)

    run(two, server, clock=time.clock, sleep=sleep)
    assert len(server.log) == 3


def test_a_wait_longer_than_the_deadline_is_not_begun(server, time):
    server.fault(status(429, retry_after="3600"))
    with pytest.raises(UnavailableError, match=r"asked us to slow down, for 3,600 s$"):
        get(server, time)
    assert time.slept == []


def test_a_call_beside_one_that_was_told_to_wait_for_an_hour_waited_for_all_of_its_deadline(server, time):
    server.fault(status(429, retry_after="3600"), times=None)

    async def two(http: Http) -> None:
        for _ in range(2):
            with pytest.raises(UnavailableError, match=r"asked us to slow down, for 3,600 s$"):
                await http.get("/list")

    run(two, server, clock=time.clock, sleep=time.sleep)
    assert (time.slept, len(server.log)) == ([], 1)


def test_the_deadline_ends_the_repetitions(server, time):
    server.fault(status(503, retry_after="50"), times=None)
    with pytest.raises(UnavailableError):
        get(server, time, deadline_s=120)
    assert time.slept == [50.25, 50.5]


def test_a_silent_server_is_not_waited_for_for_ever(server, time):
    never = threading.Event()
    server.fault(hold(never, drop_before()))
    assert get(server, time, timeout_s=0.5, deadline_s=60).ok
    assert len(server.log) >= 2
    server.fault(hold(never, drop_before()), times=None)
    with pytest.raises(UnavailableError, match=r"did not answer within 0.25 s$"):
        get(server, time, timeout_s=1, deadline_s=0.25)
    never.set()


def test_a_server_that_drips_is_cut_off(time):
    """Each byte comes in time, the whole answer never does."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            talk, _ = listener.accept()
            with talk:
                talk.recv(65536)
                talk.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not done.wait(0.01):
                    try:
                        talk.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UnavailableError, match="did not answer within"):
            get(url, time, timeout_s=1, deadline_s=0.25)
        done.set()
        thread.join()


def test_nobody_there(time):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnavailableError) as caught:
        get(f"http://127.0.0.1:{port}", time)
    assert str(caught.value) == (
        f"trakt: GET /list: Cannot connect to http://127.0.0.1:{port}: connection refused (3 tries)"
    )
    assert caught.value.hint == "is the address right, and is the service running?"


def test_a_host_that_does_not_exist(time):
    with pytest.raises(UnavailableError, match="the name of the host is not known"):
        get("http://no-such-host.invalid", time)


# --- writes are not ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "handled"),
    [
        (drop_before(), 0),
        (drop_after(), 1),
        (truncated(), 1),
        (instead(502), 1),
        (instead(504), 1),
        (status(503, retry_after="1"), 0),
        (status(500), 0),
        (status(522), 0),
        (raw(b"SSH-2.0-OpenSSH\r\n"), 0),
        (redirect("http://127.0.0.1:1/add"), 0),
    ],
    ids=["cut", "answer lost", "half an answer", "502", "504", "503", "500", "522", "no HTTP", "redirect"],
)
def test_a_write_that_may_have_happened_is_never_sent_again(server, time, fault, handled):
    added: list[Request] = []

    def add(request: Request) -> Reply:
        added.append(request)
        return Reply({"ok": True})

    server.route("POST", "/count", add)
    server.fault(fault, times=None)
    with pytest.raises(LostAnswerError) as caught:
        run(lambda http: http.write("POST", "/count", json=[1]), server, time)
    assert len(server.log) == 1
    assert len(added) == handled
    assert time.slept == []
    assert not isinstance(caught.value, UnavailableError)


def test_the_status_of_a_gateway_is_told(server):
    server.fault(instead(502))
    with pytest.raises(LostAnswerError) as caught:
        post(server)
    assert caught.value.status == 502


def test_a_write_that_was_never_answered_in_time_is_in_doubt(server):
    never = threading.Event()
    server.fault(hold(never, drop_before()))
    with pytest.raises(LostAnswerError, match="did not answer within"):
        post(server, timeout_s=0.5)
    never.set()
    assert len(server.log) == 1


def test_a_write_that_certainly_never_left_is_sent_again_and_then_given_up(time):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnavailableError, match=r"connection refused \(3 tries\)"):
        post(f"http://127.0.0.1:{port}", time)
    assert time.slept == [0.25, 0.5]


def test_a_write_that_was_refused_unprocessed_is_sent_again(server, time):
    server.fault(status(429, retry_after="2"), times=2)
    assert post(server, time).status == 201
    assert time.slept == [2.25, 2.5]


def test_a_write_that_stays_refused_was_not_carried_out(server, time):
    server.fault(status(429, retry_after="1"), times=None)
    with pytest.raises(UnavailableError, match="slow down"):
        post(server, time)
    assert len(server.log) == 5


def test_a_provider_may_judge_a_refusal_itself(server, time):
    server.fault(status(429, retry_after="2"))
    assert post(server, time, write={"repeat_refused": False}).status == 429
    assert time.slept == []


def test_a_provider_may_judge_a_refused_read_itself(server, time):
    server.fault(status(429, {"error": "quota"}), times=None)
    answer = run(lambda http: http.get("/list", repeat_refused=False), server, clock=time.clock, sleep=time.sleep)
    assert (answer.status, answer.json(), len(server.log), time.slept) == (429, {"error": "quota"}, 1, [])


@pytest.mark.parametrize("fault", [drop_after(), instead(502), status(503)], ids=["lost", "502", "503"])
def test_an_idempotent_write_is_repeated_like_a_read(server, time, fault):
    server.fault(fault)
    assert post(server, time, write={"idempotent": True}).status == 201
    assert len(server.log) == 2


def test_an_idempotent_write_that_is_given_up_may_have_happened(server, time):
    server.fault(drop_after(), times=None)
    with pytest.raises(LostAnswerError):
        post(server, time, write={"idempotent": True})


def test_a_write_on_a_connection_that_died_meanwhile_goes_over_a_new_one(server):
    """The server closes idle connections; that is seen before anything is sent."""

    async def two(http: Http) -> int:
        await http.get("/list")
        server.cut_all()
        return (await http.write("POST", "/add", json=[])).status

    assert run(two, server) == 201
    assert server.connections == 2


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 420, 422, 423, 426, 501])
def test_a_refused_write_is_the_providers_business(server, code):
    server.fault(status(code))
    assert post(server).status == code
    assert len(server.log) == 1


def test_an_answer_to_a_write_that_makes_no_sense_leaves_it_in_doubt(server):
    server.fault(html())
    with pytest.raises(LostAnswerError, match="a page for people"):
        post(server).json()


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


# --- TLS --------------------------------------------------------------------------------------------


@pytest.fixture
def secure() -> Iterator[Server]:
    with Server(tls=tls()) as made:
        made.route("GET", "/list", lambda _: Reply([1]))
        made.route("POST", "/add", lambda _: Reply({}))
        yield made


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(secure, time):
    with pytest.raises(UnavailableError) as caught:
        get(secure, time)
    assert "is not trusted: self" in caught.value.message
    assert "ca_file or fingerprint" in str(caught.value.hint)
    assert (secure.log, time.slept) == ([], [])
    with pytest.raises(UnavailableError):
        post(secure, time)


def test_ca_file_and_fingerprint_each_let_it_through(secure):
    assert get(secure, ca_file=CERTIFICATE).ok
    assert get(secure, fingerprint=fingerprint()).ok
    assert post(secure, fingerprint=":".join(fingerprint().upper()[at : at + 2] for at in range(0, 64, 2))).ok


def test_another_certificate_than_the_pinned_one_gets_no_byte_of_ours(secure):
    with pytest.raises(UnavailableError, match="another certificate than the one pinned") as caught:
        get(secure, fingerprint="00" * 32)
    assert fingerprint()[:2] in caught.value.message
    assert secure.log == []


def test_https_where_there_is_none(server):
    with pytest.raises(UnavailableError, match="There is no TLS at") as caught:
        get(server.url.replace("http:", "https:"))
    assert "http://" in str(caught.value.hint)
    assert server.log == []


def test_http_where_https_is_spoken(secure, time):
    with pytest.raises(UnavailableError, match="cut the connection") as caught:
        get(secure.url.replace("https:", "http:"), time)
    assert "https://" in str(caught.value.hint)


def test_mistakes_in_the_file_about_tls(tmp_path):
    with pytest.raises(ConfigError, match="fingerprint must be"):
        Http("home", origins=["https://x"], fingerprint="abc")
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing")
    for path in (empty, tmp_path / "none.pem"):
        with pytest.raises(ConfigError, match="ca_file cannot be used"):
            get("https://127.0.0.1:1", ca_file=path)


# --- secrets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [drop_before(), status(503), html(), truncated(), redirect(f"http://x/?t={TOKEN}")])
def test_a_token_is_in_no_error_no_log_and_no_ledger(server, time, fault, caplog):
    caplog.set_level(logging.DEBUG)
    server.fault(fault, times=None)
    seen: list[Http] = []

    async def ask(http: Http) -> Any:
        seen.append(http)
        return (await http.get("/list", params={"access_token": HIDDEN})).json()

    with pytest.raises(CwsyncError) as caught:
        run(ask, server, time)
    told = "".join(traceback.format_exception(caught.value)) + repr(seen[0].ledger)
    told += "".join(f"{record.getMessage()} {record.args}" for record in caplog.records if record.name == "cwsync.http")
    assert seen[0].ledger
    assert TOKEN not in told
    assert HIDDEN not in told


def test_a_token_that_cannot_be_a_header_is_not_quoted(server):
    with pytest.raises(InternalError) as caught:
        get(server, headers={"Authorization": f"Bearer {TOKEN}\r\nX: y"})
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert server.log == []


def test_the_ledger_counts_every_try(server, time):
    server.fault(status(503))

    async def ask(http: Http) -> Http:
        await http.get("/list", params={"page": 1})
        await http.write("POST", "/add", json=[])
        return http

    http = run(ask, server, time)
    assert http.requests == 3
    told = [(call.method, call.path, call.status) for call in http.ledger]
    assert told == [("GET", "/list?page=1", 503), ("GET", "/list?page=1", 200), ("POST", "/add", 201)]
    assert http.ledger[1].n_bytes == len(json.dumps([1, 2, 3], separators=(",", ":")))


# --- how often ----------------------------------------------------------------------------------------


def test_a_bucket_lets_a_burst_through_and_then_keeps_the_pace(time):
    bucket = Bucket(2, burst=3, clock=time.clock, sleep=time.sleep)

    async def take(number: int) -> list[float]:
        for _ in range(number):
            await bucket.take()
        return list(time.slept)

    assert asyncio.run(take(5)) == [0.5, 0.5]
    time.at += 60
    assert asyncio.run(take(4)) == [0.5, 0.5, 0.5]


def test_those_who_wait_together_leave_one_after_the_other(time):
    bucket = Bucket(1, clock=time.clock, sleep=lambda seconds: _noted(time, seconds))

    async def together() -> None:
        await asyncio.gather(*(bucket.take() for _ in range(4)))

    asyncio.run(together())
    assert time.slept == [1, 2, 3]


async def _noted(time: Time, seconds: float) -> None:
    time.slept.append(seconds)


def test_writes_and_reads_have_buckets_of_their_own(server, time):
    buckets = {
        "read_bucket": Bucket(1, burst=100, clock=time.clock, sleep=time.sleep),
        "write_bucket": Bucket(1, clock=time.clock, sleep=time.sleep),
    }

    async def ask(http: Http) -> None:
        for _ in range(3):
            await http.get("/list")
            await http.write("POST", "/add", json=[])

    run(ask, server, time, **buckets)
    assert time.slept == [1.0, 1.0]


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_bucket_must_let_something_through(rate, burst):
    with pytest.raises(ValueError, match="bucket"):
        Bucket(rate, burst)


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
