"""Pure functions of the network: headers, error bodies, proxies, fingerprints; and reading pages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

from cwsync.errors import UnavailableError
from cwsync.http import Answer, Page, RateLimit, chain, pages, together
from cwsync.http.answer import content_type, error_text, http_date, parse_json, rate_limit, retry_after
from cwsync.http.tls import parse_fingerprint, proxy_for
from cwsync.redaction import remember

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("0", 0.0),
        (" 1.5 ", 1.5),
        ("-5", 0.0),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2026 13:02:00 +0100", 120.0),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1e300", None),
        ("Sun, 99 Mar 2026 12:02:00 GMT", None),
    ],
)
def test_retry_after(text, seconds):
    assert retry_after({"retry-after": text}, NOW) == seconds


def test_retry_after_as_a_date_goes_by_the_clock_of_the_service():
    headers = {"retry-after": "Sun, 01 Mar 2026 13:00:10 GMT", "date": "Sun, 01 Mar 2026 13:00:00 GMT"}
    assert retry_after(headers, NOW) == 10.0


def test_the_clock_of_the_service():
    assert http_date({"date": "Sun, 01 Mar 2026 12:00:00 GMT"}) == NOW
    assert http_date({}) is None
    assert http_date({"date": "yesterday"}) is None


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        ({}, None),
        (
            {
                "x-ratelimit": '{"name":"AUTHED_API_POST_LIMIT","period":1,"limit":1,"remaining":0,'
                '"until":"2026-03-01T12:00:00Z"}'
            },
            RateLimit("AUTHED_API_POST_LIMIT", 1, 0, 1, NOW),
        ),
        ({"x-ratelimit": '{"limit": "many", "until": "x"}'}, RateLimit(None, None, None, None, None)),
        ({"x-ratelimit": "none"}, None),
        ({"x-ratelimit": "[1]"}, None),
        ({"x-ratelimit-limit": "100", "x-ratelimit-remaining": "7"}, RateLimit(None, 100, 7, None, None)),
        ({"x-ratelimit-limit": "a lot"}, None),
    ],
)
def test_rate_limits(headers, limit):
    assert rate_limit(headers) == limit


def test_content_types():
    assert content_type({"content-type": "Application/JSON; charset=utf-8"}) == "application/json"
    assert content_type({"content-type": "\x1b]0;x"}) == ""
    assert content_type({}) == ""


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error":"invalid_grant","error_description":"The grant is\\n invalid"}', "The grant is invalid"),
        (b'{"errors":[{"code":1001,"message":"User could not be authenticated"}]}', "User could not be authenticated"),
        (b'{"Error":{}}', None),
        (b'{"message":{"text":1}}', None),
        (b'"plain"', "plain"),
        (b"<html>no</html>", None),
        (b"", None),
        (b'{"error":"' + b"x" * 1000 + b'"}', "x" * 200),
        (b"[[[[[[[[1]]]]]]]]", None),
    ],
)
def test_what_an_error_says(body, text):
    assert error_text(Answer(400, {}, body)) == text


def test_what_an_error_says_holds_no_secret():
    remember("canary-in-error-77")
    assert error_text(Answer(400, {}, b'{"error":"bad token canary-in-error-77"}')) == "bad token ***"


def test_a_number_too_long_to_be_one_is_refused():
    with pytest.raises(ValueError, match="digits"):
        parse_json(b"9" * 10_000)


def test_a_document_of_too_many_parts_is_refused_before_it_is_built():
    with pytest.raises(ValueError, match="too many parts"):
        parse_json(b"[" + b"0," * 5_000_001 + b"0]")


@pytest.mark.parametrize(
    ("origin", "environ", "proxy"),
    [
        ("https://api.example.org", {}, None),
        ("https://api.example.org", {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://api.example.org", {"https_proxy": "http://q", "HTTPS_PROXY": "http://p"}, "http://q"),
        ("https://api.example.org", {"ALL_PROXY": "http://p"}, "http://p"),
        ("https://api.example.org", {"ALL_PROXY": "http://p", "NO_PROXY": "x, .example.org"}, None),
        ("https://api.example.org", {"ALL_PROXY": "http://p", "no_proxy": "ample.org"}, "http://p"),
        ("https://api.example.org", {"ALL_PROXY": "http://p", "no_proxy": "*"}, None),
        ("http://192.168.1.10:32400", {"ALL_PROXY": "http://p", "HTTP_PROXY": "http://p"}, None),
        ("https://127.0.0.1", {"ALL_PROXY": "http://p"}, None),
        ("https://[::1]:8443", {"ALL_PROXY": "http://p"}, None),
        ("https://127.0.0.1.example.org", {"ALL_PROXY": "http://p"}, "http://p"),
    ],
)
def test_proxies_of_the_environment(origin, environ, proxy):
    assert proxy_for(origin, environ) == proxy


def test_fingerprints_are_written_in_several_ways():
    plain = "ab" * 32
    for text in (plain, plain.upper(), ":".join(["AB"] * 32), f"SHA256:{plain}", f" {plain} "):
        assert parse_fingerprint(text) == plain
    for text in ("", "ab", "zz" * 32, plain + "ab"):
        with pytest.raises(ValueError, match="64 hex digits"):
            parse_fingerprint(text)


def test_times_of_other_zones_become_utc():
    assert http_date({"date": "Sun, 01 Mar 2026 13:00:00 +0100"}) == datetime(
        2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1))
    )


# --- pages ------------------------------------------------------------------------------------------


class Book:
    """A list in pages; `last` and `total` are told, or not. Counts how many are read at the same time."""

    def __init__(self, *sheets: Sequence[int], total: int | None = None, last: int | None = None) -> None:
        self.sheets = sheets
        self.total = total
        self.last = last
        self.asked: list[int] = []
        self.now = self.most = 0

    async def __call__(self, number: int) -> Page[int]:
        self.asked.append(number)
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        rows = self.sheets[number - 1] if number <= len(self.sheets) else ()
        return Page(rows, self.total, self.last)


def read(book: Any, **more: Any) -> Any:
    return asyncio.run(pages(book, **more))


def test_all_pages_in_their_order_and_never_more_than_asked_for_at_once():
    book = Book(*([n] for n in range(20)), total=20, last=20)
    whole = read(book, at_once=3)
    assert whole.rows == tuple(range(20))
    assert (whole.complete, whole.pages, book.most) == (True, 20, 3)
    assert sorted(book.asked) == list(range(1, 21))


def test_one_page_is_one_request():
    book = Book([1, 2], total=2, last=1)
    assert read(book).complete
    assert book.asked == [1]
    assert read(Book([], total=0, last=1)).complete
    assert read(Book([], total=0, last=0)).complete


@pytest.mark.parametrize(
    ("book", "doubt", "missing"),
    [
        (Book([1, 2], [], [5], total=5, last=3), "3 rows came of 5", 2),
        (Book([1, 2], [2, 3], total=4, last=2), "a row came twice, so another may be missing", 0),
        (Book([1, 2], [2, 3], total=6, last=2), "4 rows came of 6", 0),
        (Book([1, 2], [3, 4], total=3, last=2), "4 rows came of 3", 0),
    ],
)
def test_what_does_not_add_up_is_not_complete(book, doubt, missing):
    whole = read(book, key=lambda row: row)
    assert (whole.complete, whole.doubt, whole.missing) == (False, doubt, missing)


def test_a_list_that_grows_while_it_is_read_is_not_complete():
    async def growing(number: int) -> Page[int]:
        return Page([number], total=number + 1, last=2)

    assert read(growing).doubt == "the list changed while it was read"


def test_without_a_count_pages_are_read_up_to_the_first_short_one():
    book = Book([1, 2], [3, 4], [5])
    assert read(book, size=2).rows == (1, 2, 3, 4, 5)
    full = Book([1, 2], [3, 4])
    assert read(full, size=2).complete
    assert full.asked == [1, 2, 3]
    assert read(Book([1, 2])).pages == 1


def test_an_endless_list_ends():
    async def endless(number: int) -> Page[int]:
        return Page([number, -number])

    with pytest.raises(UnavailableError, match="more than 50 pages"):
        read(endless, size=2, max_pages=50)
    with pytest.raises(UnavailableError, match="more than 50 pages"):
        read(Book([1], last=10**9), max_pages=50)


def test_a_page_that_fails_fails_the_list_and_the_others_are_given_up():
    given_up: list[int] = []

    async def failing(number: int) -> Page[int]:
        if number == 3:
            raise UnavailableError("page 3")
        try:
            await asyncio.sleep(0 if number == 1 else 3600)
        except asyncio.CancelledError:
            given_up.append(number)
            raise
        return Page([number], last=5)

    with pytest.raises(UnavailableError, match="page 3"):
        read(failing, at_once=4)
    assert given_up


def follow(links: dict[str | None, tuple[Sequence[int], str | None]], **more: Any) -> Any:
    async def fetch(cursor: str | None) -> tuple[Sequence[int], str | None]:
        return links[cursor]

    return asyncio.run(chain(fetch, **more))


def test_a_chain_ends_where_no_page_follows():
    whole = follow({None: ([1], "a"), "a": ([2], "b"), "b": ([], None)}, key=lambda row: row)
    assert (whole.rows, whole.complete, whole.pages) == ((1, 2), True, 3)


def test_a_chain_that_runs_in_a_circle_is_not_complete():
    whole = follow({None: ([1], "a"), "a": ([2], "b"), "b": ([3], "a")})
    assert whole.doubt == "page 3 leads back to one that was read before"
    assert follow({None: ([1], None)}, total=2).doubt == "1 rows came of 2"


def test_an_endless_chain_ends():
    async def fetch(cursor: str | None) -> tuple[Sequence[int], str | None]:
        return [1], f"{cursor}x"

    with pytest.raises(UnavailableError, match="more than 20 pages"):
        asyncio.run(chain(fetch, max_pages=20))


def test_together_keeps_the_order():
    async def late(number: int) -> int:
        for _ in range(10 - number):
            await asyncio.sleep(0)
        return number

    assert asyncio.run(together([partial(late, number) for number in range(10)], at_once=10)) == list(range(10))
    assert asyncio.run(together([], at_once=1)) == []
