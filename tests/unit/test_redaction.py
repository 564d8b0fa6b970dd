"""A secret is blanked in every spelling; what stands where secrets stand is blanked unseen; the rest stays."""

from __future__ import annotations

import asyncio
import base64
import html
import http.server
import json
import logging
import re
import string
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import quote, quote_plus, urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwsync import log, redaction
from cwsync.config import resolve_secret
from cwsync.model import SecretRef
from cwsync.redaction import MASK, SHORTEST, redact, redact_known, remember, remember_url, safe_headers, safe_url
from support.engine import effort

PLAIN = "abcdefgh12345678"
HARD = "p@ss w/rd+%é\"x\\y'z<&>-_.~🎬"
SECRETS = (PLAIN, HARD, "0f1e2d3c-4b5a-6978-8796", "x" * 8, "ключ-к-двери", "======+/==")
WORDS = ("user", "me", "x", "")


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    """Each test knows its own secrets only."""
    before = redaction._known[:]
    redaction._known.clear()
    yield
    redaction._known[:] = before


# --- known secrets -------------------------------------------------------------------------------

ENCODERS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a path": quote,
    "in a query": quote_plus,
    "percent, nothing safe": lambda text: quote(text, safe=""),
    "percent, lower case": lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
    "percent, all of it": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "percent, all of it, lower case": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "percent, twice": lambda text: quote(quote(text, safe=""), safe=""),
    "by httpx": lambda text: str(httpx.URL("https://x/", params={"q": text})).partition("q=")[2],
    "a form": lambda text: urlencode({"q": text})[2:],
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, not only ASCII": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON with escaped slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "repr": lambda text: repr(text)[1:-1],
    "ascii": lambda text: ascii(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "HTML": html.escape,
    "HTML by number": lambda text: "".join(c if c.isascii() and c.isalnum() else f"&#{ord(c)};" for c in text),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
}


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_known_secret_is_blanked_in_every_spelling(name: str, secret: str) -> None:
    form = ENCODERS[name](secret)
    text = f"before {form} between {form} after"
    assert redact_known(text) == text  # not known yet
    assert remember(secret) == secret
    assert redact_known(text) == f"before {MASK} between {MASK} after"


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_in_base64_goes_with_all_that_is_encoded_with_it(
    secret: str, encode: Callable[[bytes], bytes]
) -> None:
    """Whatever stands before it: it begins at each of the three places of a group."""
    remember(secret)
    for before in ("", "u:", "me:", "user:", "a longer name:"):
        for behind in ("", ".", "..", "..."):
            whole = encode(f"{before}{secret}{behind}".encode()).decode()
            for form in (whole, quote(whole, safe="")):
                assert redact_known(f"Auth: {form}, next") == f"Auth: {MASK}, next", (before, behind)


def test_a_secret_that_begins_like_another_leaves_no_tail() -> None:
    remember("abcdefgh")
    remember("abcdefgh-and-more")
    assert redact_known("abcdefgh-and-more abcdefgh") == f"{MASK} {MASK}"


def test_a_short_secret_does_not_blank_the_log_but_is_blanked_where_secrets_stand() -> None:
    short = "1999567"
    assert len(short) < SHORTEST
    remember(short)
    remember("a")
    assert redact(f"a film of 1999 {short}") == f"a film of 1999 {short}"
    assert (
        redact(f"https://me:{short}@host/x?token={short}&year=1999") == f"https://{MASK}@host/x?token={MASK}&year=1999"
    )


def test_a_secret_is_known_from_the_moment_it_is_given_out() -> None:
    assert redact_known(PLAIN) == PLAIN
    assert resolve_secret(SecretRef("inline", "k", inline=f" {PLAIN}\n"), where="k") == f" {PLAIN}"
    assert redact_known(f"x{PLAIN}y") == f"x{MASK}y"


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("https://me:s3cret-pass@host:8443/x?y=a@b", "s3cret-pass"),
        ("https://me:s3cret%2Dpass@host", "s3cret-pass"),
        ("https://me:p@ss:word@host/", "p@ss:word"),
    ],
)
def test_the_password_of_a_url_is_a_secret(url: str, password: str) -> None:
    remember_url(url)
    assert redact_known(f"{password} {quote(password, safe='')} in {url}").count(MASK) == 3


@pytest.mark.parametrize("text", ["https://host/a:b@c", "https://me@host/", "a:b@c", "/srv/media", "https://me:@host/"])
def test_what_holds_no_password_teaches_nothing(text: str) -> None:
    remember_url(text)
    assert redaction._known == []


ANY = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=SHORTEST, max_size=40).filter(
    lambda text: len(text.strip()) >= SHORTEST
)


@effort(60, 3000)
@given(ANY, st.sampled_from(sorted(ENCODERS)), st.text(max_size=20), st.text(max_size=20))
def test_no_secret_of_any_letters_survives_any_encoder(secret: str, name: str, before: str, behind: str) -> None:
    redaction._known.clear()
    remember(secret)
    form = ENCODERS[name](secret.strip())
    for text in (f"{before} {form} {behind}", f"{before}{form}{behind}"):
        assert form not in redact_known(text)
        assert form not in redact(text)


@effort(60, 3000)
@given(ANY, st.binary(max_size=30), st.binary(max_size=30))
def test_no_secret_survives_base64_wherever_it_begins(secret: str, before: bytes, behind: bytes) -> None:
    redaction._known.clear()
    remember(secret)
    encoded = base64.b64encode(before + secret.strip().encode() + behind).decode()
    assert redact_known(f"<{encoded}>") == f"<{MASK}>"


# --- what stands where secrets stand -------------------------------------------------------------

NEVER = "nEv3r"
SHAPES = [
    ("Authorization: Bearer nEv3r", "Authorization: ***"),
    ("authorization: Basic nEv3r\r\nHost: x", "authorization: ***\r\nHost: x"),
    ('Authorization: MediaBrowser Client="c", Token="nEv3r"', "Authorization: ***"),
    ('MediaBrowser Client="c", Token="nEv3r", Version="1"', 'MediaBrowser Client="c", Token="***", Version="1"'),
    ('MediaBrowser Client=\\"c\\", Token=\\"nEv3r\\"', 'MediaBrowser Client=\\"c\\", Token=\\"***\\"'),
    ("Proxy-Authorization: nEv3r", "Proxy-Authorization: ***"),
    ("X-Plex-Token: nEv3r", "X-Plex-Token: ***"),
    ("X-Emby-Token: nEv3r", "X-Emby-Token: ***"),
    ("trakt-api-key: nEv3r", "trakt-api-key: ***"),
    ("Set-Cookie: sid=nEv3r; Path=/", "Set-Cookie: ***"),
    (
        "b'GET / HTTP/1.1\\r\\nX-Plex-Token: nEv3r\\r\\nHost: x'",
        "b'GET / HTTP/1.1\\r\\nX-Plex-Token: ***\\r\\nHost: x'",
    ),
    ("{'authorization': 'Bearer nEv3r', 'a': 'b'}", "{'authorization': '***', 'a': 'b'}"),
    ("[(b'Authorization', b'Bearer nEv3r'), (b'a', b'b')]", "[(b'Authorization', b'***'), (b'a', b'b')]"),
    ("Headers({'x-plex-token': 'nEv3r'})", "Headers({'x-plex-token': '***'})"),
    ("GET https://h/x?X-Plex-Token=nEv3r&page=1", "GET https://h/x?X-Plex-Token=***&page=1"),
    ("GET /x?page=1&api_key=nEv3r HTTP/1.1", "GET /x?page=1&api_key=*** HTTP/1.1"),
    ("grant_type=refresh_token&refresh_token=nEv3r&client_secret=nEv3r", None),
    ("Username=me&Pw=nEv3r", "Username=me&Pw=***"),
    ("next=%2Fa%3Faccess_token%3DnEv3r%26page%3D1", "next=%2Fa%3Faccess_token%3D***%26page%3D1"),
    ('{"access_token":"nEv3r","expires_in":7200}', '{"access_token":"***","expires_in":7200}'),
    ('{"accessToken": "nE\\"v3r", "x": 1}', '{"accessToken": "***", "x": 1}'),
    ('{"AccessToken" : "nEv3r and cut o', '{"AccessToken" : "***'),
    ('"{\\"refresh_token\\":\\"nEv3r\\",\\"x\\":1}"', '"{\\"refresh_token\\":\\"***\\",\\"x\\":1}"'),
    ("{'password': 'nEv3r'}", "{'password': '***'}"),
    ('{"token": 123456789}', '{"token": ***}'),
    ("refresh_token: nEv3rnEv3rnEv3rnEv3r", "refresh_token: ***"),
    ("https://me:nEv3r@host:8443/x", "https://***@host:8443/x"),
    ("https://me:nE@v3r@host/x?y=me@z", "https://***@host/x?y=me@z"),
    ("url=http%3A%2F%2Fme%3AnEv3r%40host%2Fx", "url=http%3A%2F%2F***%40host%2Fx"),
    ("the header was Bearer nEv3rnEv3r.", "the header was Bearer ***"),
    ("Basic bWU6bkV2M3I=", "Basic ***"),
    ("id eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.nEv3r end", "id *** end"),
]


@pytest.mark.parametrize(("text", "blanked"), SHAPES)
def test_what_stands_where_secrets_stand(text: str, blanked: str | None) -> None:
    told = redact(text)
    assert NEVER not in told
    assert blanked is None or told == blanked
    assert redact(told) == told


@pytest.mark.parametrize(
    "text",
    [
        "Basic Instinct (1992)",
        "Bearer of bad news",
        "accounts.home.token: no secret from env TOKEN: it is not set",
        'hint: set accounts.home.token = { env = "TOKEN" }',
        "the token expires in 3 days; run `cwsync auth login home`",
        "GET https://api.example.org/sync/history?page=2&limit=100 200",
        "me@example.org wrote; see https://example.org/@someone/1",
        '{"type": "movie", "title": "The Secret: Dare to Dream", "ids": {"imdb": "tt2222206"}}',
        "/srv/media/Secret Window (2004)/poster.jpg",
        "password file: /etc/passwd",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_results_are_not_judged_by_their_looks() -> None:
    """A film may be called whatever it likes; only known secrets leave the results."""
    title = "token=1: Authorization: Bearer of https://a:b@c"
    assert redact_known(title) == title


@effort(100, 5000)
@given(st.text(string.ascii_letters + string.digits + " =:&%\"'\\/@.{},[]\r\n-_", max_size=200))
def test_twice_is_once_and_nothing_fails(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


EVIL = [
    "token", '"', "a.a.", "\\", "://", "-eyJ", "Bearer ", "%3A%2F%2F", "x-", "x-token-", '"token":"', "%25", "a@",
    'token=\\"', "authorization: ", "access_token%3D", "token\\", "eyJaaaaaaaa.", " : ", "://a", "token ",
]  # fmt: skip


@pytest.mark.parametrize("piece", EVIL)
def test_no_text_of_a_server_takes_time_out_of_proportion(piece: str) -> None:
    """A rule that tried again at every letter took minutes for this."""
    remember(PLAIN)

    def seconds(size: int) -> float:
        text = (piece * size)[:size]
        begun = time.process_time()
        redact(text)
        return time.process_time() - begun

    seconds(100)  # compiles
    assert seconds(50_000) < 5  # of work, not of waiting; in proportion it is a fraction of one


# --- the HTTP stack ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://me:nEv3r@host:8443/a?X-Plex-Token=nEv3r&page=2#nEv3r", "https://***@host:8443/a?X-Plex-Token=***&page=2"),
        ("https://host/a?X%2DPlex%2DToken=nEv3r", "https://host/a?X%2DPlex%2DToken=***"),
        ("https://host/a?%74oken=nEv3r&page=2", "https://host/a?%74oken=***&page=2"),
        ("https://host/a", "https://host/a"),
        ("https://host/a?b&c=&token=", "https://host/a?b&c=&token="),
        ("/relative?api_key=nEv3r", "/relative?api_key=***"),
        (f"https://host/{PLAIN}/x?u={PLAIN}", "https://host/***/x?u=***"),
        ("", ""),
    ],
)  # fmt: skip
def test_safe_url(url: str, safe: str) -> None:
    remember(PLAIN)
    assert safe_url(url) == safe


def test_safe_headers_show_what_is_known_to_be_harmless_and_nothing_else() -> None:
    remember(PLAIN)
    headers: list[tuple[str | bytes, str | bytes]] = [
        (b"Content-Type", b"application/json"),
        ("Authorization", "Bearer nEv3r"),
        ("X-Some-Header-Nobody-Knows", "nEv3r"),
        ("Retry-After", "3"),
        ("X-RateLimit-Remaining", "0"),
        ("ETag", PLAIN),
    ]
    assert safe_headers(headers) == [
        ("Content-Type", "application/json"),
        ("Authorization", "***"),
        ("X-Some-Header-Nobody-Knows", "***"),
        ("Retry-After", "3"),
        ("X-RateLimit-Remaining", "0"),
        ("ETag", "***"),
    ]


class Echo(http.server.BaseHTTPRequestHandler):
    """A service that says back all that it was told, as error pages do: status 500, or half of what it promised."""

    def do_POST(self) -> None:
        told = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        body = json.dumps({"path": self.path, "headers": dict(self.headers), "body": told}).encode()
        if self.path.startswith("/silent"):
            return
        if self.path.startswith("/away"):
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", f"http://other.invalid{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(HTTPStatus.INTERNAL_SERVER_ERROR)
        self.send_header("Set-Cookie", f"sid={told}")
        self.send_header("Content-Length", str(len(body) + (9 if self.path.startswith("/half") else 0)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - the library's name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def serving() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def all_that_httpx_says(base: str, secret: str) -> list[str]:
    """What a program may come to log of a request that went wrong: in texts, with tracebacks and notes."""
    told: list[str] = []

    async def ask() -> None:
        async with httpx.AsyncClient(timeout=5.0) as client:
            for path in ("/error", "/half", "/silent", "/away"):
                request = client.build_request(
                    "POST",
                    f"{base}{path}",
                    params={"X-Plex-Token": secret, "page": "2"},
                    headers={"Authorization": f"Bearer {quote(secret)}", "X-Emby-Token": quote(secret)},
                    data={"refresh_token": secret, "client_secret": secret, "grant_type": "refresh_token"},
                )
                told.extend([str(request.url), repr(request), str(request.headers.raw), repr(dict(request.headers))])
                told.append(request.content.decode())
                try:
                    response = await client.send(request)
                    told.extend([response.text, repr(response.headers), repr(response), str(response.json().keys())])
                    response.raise_for_status()
                except (httpx.HTTPError, ValueError) as error:
                    error.add_note(f"while asking {request.url} with {request.headers.raw}")
                    told.extend([str(error), repr(error), repr(error.args), "".join(traceback.format_exception(error))])
            basic = client.build_request("GET", base)
            flow = httpx.BasicAuth("user", secret).sync_auth_flow(basic)
            told.append(str(next(flow).headers.raw))

    asyncio.run(ask())
    return told


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("secret", [PLAIN, "p@ss w/rd+%\"x'<&>1234"])
def test_nothing_that_httpx_says_of_a_request_shows_a_secret(known: bool, secret: str) -> None:
    """Also when nobody has registered it: then it is the place that gives it away."""
    if known:
        remember(secret)
    forms = {ENCODERS[name](secret) for name in ENCODERS}
    forms |= {base64.b64encode(f"user:{secret}".encode()).decode()}
    with serving() as base:
        told = all_that_httpx_says(base, secret)
    assert [text for text in told if any(form in text for form in forms)]  # it was there to be found
    assert len(told) > 20
    for text in map(redact, told):
        assert not [form for form in forms if form in text], text


# --- the log -------------------------------------------------------------------------------------


@pytest.fixture
def logs() -> Iterator[None]:
    ours = logging.getLogger("cwsync")
    before = (ours.handlers, ours.level, ours.propagate, logging.lastResort)
    yield
    ours.handlers, ours.level, ours.propagate, logging.lastResort = before


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize("as_json", [False, True])
def test_every_way_into_the_log_is_blanked(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    remember(PLAIN)
    log.start_log(2, as_json=as_json)
    ours = logging.getLogger("cwsync.http")
    try:
        raise ValueError(PLAIN)
    except ValueError as error:
        ours.exception("failed: %r", error, stack_info=True)
        ours.warning("%s", {"Authorization": PLAIN, "x": [error]})
    ours.warning(PLAIN)
    ours.warning("%s %d", PLAIN, PLAIN)  # the arguments do not fit
    ours.warning("%s " + PLAIN, *[PLAIN])
    ours.info("GET %s", f"https://host/?token={NEVER}")
    ours.error("x" * 1995 + PLAIN)  # it would be cut in the middle of it
    ours.error(PLAIN[:8] + "\u200b" + PLAIN[8:])
    err = capsys.readouterr().err
    assert PLAIN not in err
    assert NEVER not in err
    assert PLAIN[:5] not in err.replace(f"{PLAIN[:8]}\\u200b", "")
    assert err.count("\n") == 8
    assert "Traceback" not in err


@pytest.mark.usefixtures("logs")
def test_what_libraries_warn_of_takes_the_same_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theirs go to the handler of last resort, which knew nothing of secrets or of escape sequences."""
    remember(PLAIN)
    log.start_log(0, as_json=False)
    library = logging.getLogger("some.library")
    monkeypatch.setattr(library, "propagate", False)
    library.warning("\x1b[2Jcould not reach https://host/?x=%s", PLAIN)
    library.info("GET https://host/?x=%s", PLAIN)
    assert capsys.readouterr().err == f"warning: ␛[2Jcould not reach https://host/?x={MASK}\n"
