"""What the client repeats, what it never does, and how often it may ask."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from cwsync.errors import UnavailableError
from cwsync.http import Bucket, Http, LostAnswerError
from support.asking import get, listing, post, run
from support.httpserver import (
    Reply,
    Request,
    Server,
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
from support.network import Time


@pytest.fixture
def server() -> Iterator[Server]:
    with listing() as made:
        yield made


@pytest.fixture
def time() -> Time:
    return Time()


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
