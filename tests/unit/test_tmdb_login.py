"""Logging in at TMDb: a request token that is approved in a browser, a session that does not end, and the way out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from cwsync.errors import AuthError, ConfigError, CwsyncError, UnavailableError
from cwsync.providers import _tmdbcalls
from cwsync.providers.tmdb import Tmdb as Provider
from cwsync.tokens import Tokens
from simulators.tmdb import TOKEN, Tmdb
from simulators.tmdb_account import logged_in, services, spec
from support.httpserver import Do, Reply, answer, drop_after, drop_before, html, instead, status
from support.logins import Session
from support.network import Time
from support.someone import Person


@pytest.fixture
def service() -> Iterator[Tmdb]:
    with Tmdb() as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time()
    monkeypatch.setattr(_tmdbcalls, "http_of", partial(_tmdbcalls.http_of, clock=time.clock, sleep=time.sleep))


def login(service: Tmdb, person: Person, **secrets: str | None) -> Tokens:
    return asyncio.run(Provider.login(spec(service), services(Session(None), **secrets), person))


def logout(service: Tmdb, tokens: Tokens) -> bool:
    return asyncio.run(Provider.logout(spec(service), services(Session(tokens)), tokens))


def test_an_address_is_shown_and_waited_for(service: Tmdb) -> None:
    person = Person(service.approve)
    tokens = login(service, person)
    ((url, code, minutes),) = person.visited
    assert url.startswith("https://www.themoviedb.org/authenticate/")
    assert (code, minutes) in {(None, 59), (None, 60)}
    assert person.waited == [5, 5]
    assert (tokens.account, tokens.provider, tokens.origin) == ("mine", "tmdb", service.url)
    assert (tokens.account_id, tokens.chosen, tokens.expires_at) == ("tmdb:548", {"name": "somebody"}, None)
    assert {tokens.secrets["access"]} == service.sessions
    session = tokens.secrets["access"]
    assert all(session not in request.target for request in service.log[:-1])


def test_nobody_approves(service: Tmdb) -> None:
    until = (datetime.now(UTC) + timedelta(minutes=5)).strftime("%Y-%m-%d %H:%M:%S UTC")
    service.fault(answer(Reply({"expires_at": until, "request_token": "a" * 40})), path="token/new")
    service.asked["a" * 40] = (service.clock() + 3600, False)
    person = Person()
    with pytest.raises(AuthError, match="not approved in time") as caught:
        login(service, person)
    assert caught.value.hint == "begin again: cwsync auth login mine"
    assert len(person.waited) in (48, 60)


def test_a_token_that_is_refused_or_over(service: Tmdb) -> None:
    person = Person(service.asked.clear)
    with pytest.raises(AuthError, match="refused, or its time is over"):
        login(service, person)
    assert len(person.waited) == 2


@pytest.mark.parametrize("fault", [drop_before(), status(503), status(500), html(502), html(200)])
def test_a_network_that_is_away_for_a_moment(service: Tmdb, fault: Do) -> None:
    service.fault(fault, path="session/new")
    assert login(service, Person(service.approve, after=1)).secrets["access"] in service.sessions


@pytest.mark.parametrize("fault", [drop_after(), instead(502)])
def test_a_session_that_got_lost_cannot_be_had_again(service: Tmdb, fault: Do) -> None:
    service.fault(fault, path="session/new")
    with pytest.raises(AuthError, match="session was lost") as caught:
        login(service, Person(service.approve, after=1))
    assert caught.value.hint == "begin again: cwsync auth login mine"


def test_the_other_way_to_say_not_yet(service: Tmdb) -> None:
    service.fault(status(422, {"status_code": 41}), path="session/new")
    assert login(service, Person(service.approve, after=1)).secrets["access"] in service.sessions


@pytest.mark.parametrize("path", ["token/new", "session/new"])
@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (status(401, {"status_code": 7}), AuthError, "does not know the application"),
        (html(403), UnavailableError, "answered 403"),
        (answer(Reply({"success": True})), UnavailableError, "holds no"),
        (answer(Reply({"request_token": "a b", "session_id": " "})), UnavailableError, "holds no"),
    ],
)
def test_a_refusal_ends_it_at_once(service: Tmdb, path: str, fault: Do, error: type[CwsyncError], words: str) -> None:
    service.fault(fault, path=path, times=None)
    with pytest.raises(error, match=words):
        login(service, Person())


def test_a_session_that_does_not_work_is_none(service: Tmdb) -> None:
    service.fault(status(401, {"status_code": 3}), path="/account$")
    with pytest.raises(AuthError):
        login(service, Person(service.approve))


def test_a_login_needs_the_token_of_an_application(service: Tmdb) -> None:
    with pytest.raises(ConfigError, match="needs `token`"):
        login(service, Person(), token=None)
    assert service.log == []


def test_an_end_that_is_not_told_is_an_hour(service: Tmdb) -> None:
    body = {"success": True, "expires_at": "soon", "request_token": "a" * 40}
    service.fault(answer(Reply(body)), path="token/new")
    person = Person()
    with pytest.raises(AuthError, match="refused, or its time is over"):
        login(service, person)
    assert person.visited[0][2] == 60


# --- the way out ----------------------------------------------------------------------------------


def test_logging_out_ends_the_session(service: Tmdb) -> None:
    tokens = logged_in(service).tokens
    assert tokens is not None
    assert logout(service, tokens)
    assert not service.sessions
    with pytest.raises(AuthError, match="does not know the login"):
        logout(service, tokens)


@pytest.mark.parametrize("fault", [status(401, {"status_code": 7}), status(503), html(200, "x"), html(404)])
def test_a_logout_that_fails_leaves_the_session_as_it_is(service: Tmdb, fault: Do) -> None:
    tokens = logged_in(service).tokens
    assert tokens is not None
    service.fault(fault, path="authentication/session", times=None)
    with pytest.raises(UnavailableError):
        logout(service, tokens)
    assert service.sessions


def test_a_logout_whose_answer_is_lost_is_asked_for_again(service: Tmdb) -> None:
    tokens = logged_in(service).tokens
    assert tokens is not None
    service.fault(drop_after(), method="DELETE")
    with pytest.raises(AuthError, match="does not know the login"):
        logout(service, tokens)
    assert service.calls() == ["DELETE /3/authentication/session"] * 2
    assert not service.sessions


def test_no_secret_is_in_any_error(service: Tmdb) -> None:
    tokens = logged_in(service).tokens
    assert tokens is not None
    faults: list[Do] = [status(401, {"status_code": 7}), status(403), status(500), html(200), drop_before()]
    for fault in faults:
        for path in ("authentication/session$", "token/new", "account"):
            service.fault(fault, path=path, times=None)
            for step in (lambda: logout(service, tokens), lambda: login(service, Person(service.approve, after=1))):
                try:
                    step()
                except CwsyncError as error:
                    told = repr([error, error.__cause__, error.__context__, error.hint, error.where])
                    assert not [one for one in (TOKEN, *service.sessions) if one in told]
            service.clear_faults()
