"""Whom the client trusts with a secret, and that it tells nobody: TLS, errors, logs."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from cwsync.errors import ConfigError, CwsyncError, InternalError, UnavailableError
from cwsync.http import Http
from support.asking import TOKEN, get, listing, post, run
from support.httpserver import (
    Reply,
    Server,
    drop_before,
    html,
    redirect,
    status,
    truncated,
)
from support.network import CERTIFICATE, Time, fingerprint, tls

HIDDEN = "never-remembered-1b7"


@pytest.fixture
def server() -> Iterator[Server]:
    with listing() as made:
        yield made


@pytest.fixture
def time() -> Time:
    return Time()


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
