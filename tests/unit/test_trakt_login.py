"""Logging in at Trakt, and staying logged in: the device flow, a refresh token that works once, and the way out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cwsync.engine.services import KeptTokens
from cwsync.errors import AuthError, ConfigError, CwsyncError, UnavailableError
from cwsync.model import AccountSpec, Feature
from cwsync.provider import Services
from cwsync.providers.trakt import Trakt as Provider
from cwsync.state import Locks, RunInfo, TokenStore
from cwsync.tokens import Tokens
from simulators.trakt import CLIENT_ID, CLIENT_SECRET, Trakt
from simulators.trakt_account import logged_in, services, spec, use
from support.httpserver import Do, drop_after, drop_before, html, status
from support.logins import Keeper
from support.someone import Person


@pytest.fixture
def service() -> Iterator[Trakt]:
    with Trakt() as made:
        yield made


def login(service: Trakt, person: Person, **secrets: Any) -> Tokens:
    return asyncio.run(Provider.login(spec(service), services(Keeper(None), **secrets), person))


# --- the device flow ------------------------------------------------------------------------------


def test_a_code_is_shown_and_waited_for(service):
    person = Person(service.approve)
    tokens = login(service, person)
    ((url, code, minutes),) = person.visited
    assert (url, minutes) == (f"{service.url}/activate", 10)
    assert code in {device.user_code for device in service.devices.values()}
    assert person.waited == [5, 5]
    assert (tokens.account, tokens.provider, tokens.origin) == ("mine", "trakt", service.url)
    assert tokens.account_id == "trakt:b6589fc6ab0dc82cf12099d1c2d40ab994e8410c"
    assert tokens.secrets["access"] in service.access
    assert tokens.expires_at is not None
    assert tokens.expires_at - tokens.obtained_at == timedelta(days=7)


@pytest.mark.parametrize(
    ("answer", "words"), [(404, "not know the code"), (409, "used already"), (410, "in time"), (418, "refused")]
)
def test_an_end_that_is_none(service, answer, words):
    with pytest.raises(AuthError, match=words) as caught:
        login(service, Person(lambda: service.approve(answer)))
    assert caught.value.hint == "begin again: cwsync auth login mine"


def test_nobody_comes(service):
    person = Person()
    with pytest.raises(AuthError, match="not entered in time"):
        login(service, person)
    assert len(person.waited) == 120


def test_asking_too_often_makes_it_slower(service):
    service.fault(status(429), path="device/token", times=2)
    person = Person(service.approve, after=4)
    login(service, person)
    assert person.waited == [5, 10, 15, 15]


@pytest.mark.parametrize("fault", [drop_before(), status(503), status(500), html(502)])
def test_a_network_that_is_away_for_a_moment(service, fault):
    service.fault(fault, path="device/token")
    assert login(service, Person(service.approve, after=1)).secrets["access"] in service.access


def test_an_answer_that_is_lost_ends_the_code(service):
    service.fault(drop_after(), path="device/token")
    with pytest.raises(AuthError, match="used already"):
        login(service, Person(service.approve, after=1))


@pytest.mark.parametrize("path", ["device/code", "device/token"])
@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [(status(403), AuthError, "application"), (html(403), UnavailableError, "Cloudflare")],
)
def test_a_refusal_ends_it_at_once(service, path, fault, error, words):
    service.fault(fault, path=path, times=None)
    with pytest.raises(error, match=words):
        login(service, Person())


def test_another_secret_is_said(service):
    with pytest.raises(AuthError, match="application") as caught:
        login(service, Person(), client_secret="x" * 40)
    assert "client_secret" in str(caught.value.hint)
    assert "x" * 40 not in f"{caught.value} {caught.value.hint}"


def test_a_login_needs_the_secret_of_the_application(service):
    with pytest.raises(ConfigError, match="client_secret") as caught:
        login(service, Person(), client_secret=None)
    assert caught.value.where == "accounts.mine.client_secret"
    assert service.log == []


def test_logging_out_ends_the_token(service):
    keeper = logged_in(service)
    assert keeper.tokens is not None
    assert asyncio.run(Provider.logout(spec(service), services(keeper), keeper.tokens))
    assert keeper.tokens.secrets["access"] not in service.access
    with pytest.raises(AuthError):
        asyncio.run(Provider.logout(spec(service), services(keeper, client_secret="x" * 40), keeper.tokens))


# --- staying logged in ----------------------------------------------------------------------------


@pytest.fixture
def kept(service: Trakt, tmp_path: Path) -> Iterator[KeptTokens]:
    """The real store, with a login in it."""
    given = logged_in(service).tokens
    assert given is not None
    with Locks(tmp_path, ["account-mine"], 0.0, RunInfo("test", datetime.now(UTC))) as locks:
        TokenStore(tmp_path).save(given, locks)
        yield KeptTokens("mine", tmp_path, locks)


def read(service: Trakt, kept: KeptTokens, *features: Feature, secret: str | None = CLIENT_SECRET) -> None:
    async def session() -> None:
        lent = Services(tokens=kept, secret={"client_secret": secret}.get)
        provider = Provider(spec(service), lent)
        try:
            await provider.open()
            reads = [provider.fetch(feature) for feature in features]
            done = await asyncio.gather(*reads, return_exceptions=True)
            for error in done:
                if isinstance(error, BaseException):
                    raise error
        finally:
            await provider.aclose()

    asyncio.run(session())


def refreshes(service: Trakt) -> int:
    return service.calls().count("POST /oauth/token")


def test_a_token_that_was_refused_is_renewed_once_for_all(service, kept):
    service.expire()
    before = kept.load()
    read(service, kept, *Feature)
    after = kept.load()
    assert before is not None
    assert after is not None
    assert refreshes(service) == 1
    assert after.secrets["refresh"] != before.secrets["refresh"]
    assert after.account_id == before.account_id


def test_a_token_at_its_end_is_renewed_before_it_is_used(service, kept, tmp_path):
    given = kept.load()
    assert given is not None
    with_end = replace(given, expires_at=datetime.now(UTC) + timedelta(minutes=5))
    kept._store.save(with_end, kept._locks)
    read(service, kept)
    assert service.calls()[:2] == ["POST /oauth/token", "GET /users/settings"]


def test_a_refresh_token_that_is_spent_asks_for_a_login(service, kept):
    service.expire()
    service.refresh.clear()
    with pytest.raises(AuthError) as caught:
        read(service, kept, Feature.RATINGS)
    assert "cwsync auth login mine" in str(caught.value.hint)
    assert refreshes(service) == 1


@pytest.mark.parametrize(
    ("fault", "error", "asked"),
    [
        (drop_before(), None, 2),  # it never arrived: the old one is still good
        (drop_after(), AuthError, 2),  # the answer died on the way, and the old one with it
        (status(503), None, 2),
        (html(403), UnavailableError, 1),
    ],
)
def test_a_refresh_that_goes_wrong(service, kept, fault: Do, error, asked):
    service.expire()
    service.fault(fault, path="^/oauth/token")
    if error is None:
        read(service, kept)
    else:
        with pytest.raises(error):
            read(service, kept)
    assert refreshes(service) == asked


def test_a_token_that_is_refused_again_is_not_renewed_again(service, kept):
    service.fault(status(401), path="^/users/settings", times=None)
    with pytest.raises(AuthError):
        read(service, kept)
    assert refreshes(service) == 1


def test_tokens_go_nowhere_else_than_where_they_came_from(service, kept):
    given = kept.load()
    assert given is not None
    kept._store.save(replace(given, origin="https://api.example.org"), kept._locks)
    with pytest.raises(AuthError, match=r"the login is for https://api\.example\.org"):
        read(service, kept)
    kept._store.save(replace(given, chosen={"auth_origin": "https://auth.example.org"}), kept._locks)
    service.expire()
    with pytest.raises(AuthError, match="made at another address"):
        read(service, kept)
    assert refreshes(service) == 0


def test_without_a_login_the_command_is_told(service):
    with pytest.raises(AuthError) as caught:
        use(service, lambda provider: provider.fetch(Feature.RATINGS), keeper=Keeper(None))
    assert caught.value.hint == "log in: cwsync auth login mine"
    assert service.log == []


def test_a_token_from_elsewhere_is_used_and_never_renewed(service, tmp_path):
    token = str(service.login()["access_token"])

    async def session() -> Provider:
        provider = Provider(spec(service), services(Keeper(None), access_token=token))
        await provider.open()
        service.expire()
        try:
            await provider.fetch(Feature.RATINGS)
        finally:
            await provider.aclose()
        return provider

    with pytest.raises(AuthError, match="access_token"):
        asyncio.run(session())
    assert refreshes(service) == 0


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({}, "client_id"),
        ({"client_id": CLIENT_ID, "api_url": "http://api.example.org"}, "api_url"),
        ({"client_id": CLIENT_ID, "auth_url": "ftp://auth.example.org"}, "auth_url"),
        ({"client_id": CLIENT_ID, "write_spacing_ms": -1}, "write_spacing_ms"),
    ],
)
def test_settings_that_cannot_work(options, key):
    with pytest.raises(ConfigError) as caught:
        Provider(AccountSpec("mine", "trakt", options), Services())
    assert caught.value.where == f"accounts.mine.{key}"


def test_whose_account_it_is_must_be_told(service):
    service.fault(status(200, {"user": {}}), path="^/users/settings")
    with pytest.raises(UnavailableError, match="whose account"):
        use(service, lambda provider: provider.fetch(Feature.RATINGS))


def test_no_secret_is_in_any_error(service, kept):
    given = kept.load()
    assert given is not None
    secrets = (*given.secrets.values(), CLIENT_SECRET)
    faults: list[Do] = [status(401), status(403), status(400, {"error": "invalid_grant"}), status(500), html(200)]
    for fault in faults:
        for path in ("^/oauth/token", "^/users", "^/sync"):
            service.expire()
            service.fault(fault, path=path, times=None)
            try:
                read(service, kept, *Feature)
            except CwsyncError as error:
                told = repr([error, error.__cause__, error.__context__, error.hint, error.where])
                assert not [secret for secret in secrets if secret in told]
            service.clear_faults()
