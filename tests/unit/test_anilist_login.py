"""Logging in at AniList: a token from the pin page, its end as it tells it, and where it never is."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cwsync.errors import AuthError, ConfigError, CwsyncError, UnavailableError
from cwsync.model import AccountSpec, Feature
from cwsync.provider import Choice, Services, TokenKeeper
from cwsync.providers._anilistcalls import address_of
from cwsync.providers._anilistwire import Claims, decode_token
from cwsync.providers.anilist import AniList as Provider
from cwsync.tokens import Tokens
from simulators.anilist import AniList
from simulators.anilist_account import spec, use
from support.httpserver import Do, Reply, answer, html, status
from support.logins import Session


@pytest.fixture
def service() -> Iterator[AniList]:
    with AniList() as made:
        yield made


@dataclass
class Person:
    """Somebody with a browser, who types this."""

    typed: str
    visited: list[tuple[str, str | None]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    def visit(self, url: str, code: str | None, minutes: int) -> None:
        self.visited.append((url, code))

    async def wait(self, seconds: float) -> None:
        raise AssertionError("nothing is waited for")

    def now(self) -> datetime:
        return datetime.now(UTC)

    def choose(self, option: str, question: str, choices: Sequence[Choice], *, preset: str | None = None) -> Choice:
        raise AssertionError("nothing is to be chosen")

    def ask_secret(self, question: str, *, option: str) -> str:
        self.asked.append((question, option))
        return self.typed


class Kept(Session):
    """A login that nobody even asks about."""

    def due(self, tokens: Tokens, now: datetime) -> bool:
        raise AssertionError("nothing can be renewed")


def login(service: AniList, person: Person, **options: object) -> Tokens:
    return asyncio.run(Provider.login(spec(service, **options), Services(), person))


def whole(service: AniList, keeper: TokenKeeper) -> str:
    """The account as a provider with this login sees it."""

    async def session() -> str:
        async with Provider(spec(service), Services(tokens=keeper)) as provider:
            return provider.account_id

    return asyncio.run(session())


def test_a_token_is_shown_and_handed_over(service):
    token = service.login(days=365)
    person = Person(f" {token}\n")
    tokens = login(service, person)
    assert person.visited == [(f"{service.url}/authorize?client_id=77&response_type=token", None)]
    assert person.asked == [("The access token that is shown there:", "access_token")]
    assert person.said == ["someone at AniList"]
    assert (tokens.account, tokens.provider, tokens.origin) == ("mine", "anilist", service.url)
    assert (tokens.account_id, tokens.chosen["name"]) == ("anilist:7000001", "someone")
    assert tokens.secrets["access"] == token
    assert tokens.expires_at is not None
    assert abs(tokens.expires_at - datetime.now(UTC) - timedelta(days=365)) < timedelta(minutes=1)
    assert whole(service, Kept(tokens)) == tokens.account_id
    assert len(service.log) == 2


def test_the_end_is_only_believed_of_ones_own_token(service):
    for claims in ({"sub": "1"}, {"exp": "soon"}, {"exp": -1}, {"exp": 1e300}, {"exp": True}, {"sub": None}):
        assert login(service, Person(service.login(**claims))).expires_at is None
    plain = "a-token-that-is-none-of-that-kind"
    service.tokens[plain] = service.clock() + 1000
    assert login(service, Person(plain)).expires_at is None


def test_an_end_that_was_wrong_locks_nobody_out(service):
    """The service has the last word on whether a token is good."""
    token = service.login(exp=1)
    service.tokens[token] = service.clock() + 1000
    tokens = login(service, Person(token))
    assert tokens.expired(datetime.now(UTC))
    assert whole(service, Kept(tokens)) == "anilist:7000001"


@pytest.mark.parametrize("typed", ["", " ", "two words", "umläut", "a\tb"])
def test_what_is_no_token_is_not_sent(service, typed):
    with pytest.raises(AuthError, match="no access token") as caught:
        login(service, Person(typed))
    assert caught.value.hint == "begin again: cwsync auth login mine"
    assert service.log == []


def test_a_token_that_is_not_taken(service):
    with pytest.raises(AuthError, match="does not take this token") as caught:
        login(service, Person("x" * 40))
    assert "https://anilist.co/api/v2/oauth/pin" in str(caught.value.hint)
    assert "x" * 40 not in f"{caught.value}{caught.value.hint}{caught.value.__cause__}"


def test_without_a_client_there_is_no_login(service):
    account = AccountSpec("mine", "anilist", {"api_url": service.url})
    with pytest.raises(ConfigError, match="client_id") as caught:
        asyncio.run(Provider.login(account, Services(), Person("")))
    assert "https://anilist.co/settings/developer" in str(caught.value.hint)


@pytest.mark.parametrize(
    "fault",
    [
        html(200), html(403), status(500), status(500, ""), answer(Reply({"data": {"Viewer": None}})),
        answer(Reply({"data": {"Viewer": {"id": "7", "name": "x"}}})), answer(Reply({})),
    ],
)  # fmt: skip
def test_a_service_that_makes_no_sense_is_no_refusal(service: AniList, fault: Do) -> None:
    service.fault(fault, times=None)
    with pytest.raises(UnavailableError):
        login(service, Person(service.login()))


def test_who_never_logged_in(service):
    with pytest.raises(AuthError, match="not logged in") as caught:
        whole(service, Kept(None))
    assert caught.value.hint == "log in: cwsync auth login mine"
    assert service.log == []


def test_a_login_that_ended_says_so(service):
    tokens = login(service, Person(service.login()))
    service.expire()
    with pytest.raises(AuthError, match="tokens end after a year") as caught:
        whole(service, Kept(tokens))
    assert caught.value.hint == "log in again: cwsync auth login mine"


def test_a_login_goes_to_its_own_service_alone(service):
    tokens = login(service, Person(service.login()))
    with AniList() as other:
        with pytest.raises(AuthError, match="the login is for"):
            whole(other, Kept(tokens))
        assert other.log == []


def test_logging_out_is_forgetting(service):
    tokens = login(service, Person(service.login()))
    service.forget()
    assert asyncio.run(Provider.logout(spec(service), Services(), tokens)) is False
    assert service.log == []


def test_the_token_is_in_no_address_and_no_error(service):
    token = service.login()

    async def all_of_it(provider: Provider) -> str:
        await provider.fetch(Feature.RATINGS)
        service.fault(status(400, {"data": None, "errors": [{"message": f"wrong: {token}", "status": 400}]}))
        try:
            await provider.fetch(Feature.RATINGS)
        except CwsyncError as error:
            return f"{error!r} {error} {error.hint} {provider!r} {vars(provider)}"
        raise AssertionError

    told = use(service, all_of_it, token=token)
    assert token not in told + "".join(one.target + one.body.decode() for one in service.log)
    assert "wrong: ***" in told


# --- what a token says ----------------------------------------------------------------------------


def jwt(payload: Any) -> str:
    data = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    return f"e30.{data}.sig"


@pytest.mark.parametrize(
    ("token", "claims"),
    [
        (jwt({"sub": "7", "exp": 86400}), Claims("7", datetime(1970, 1, 2, tzinfo=UTC))),
        (jwt({"sub": 7, "exp": 86400.5}), Claims("7", datetime(1970, 1, 2, tzinfo=UTC))),
        (jwt({"sub": "", "exp": 1e400}), Claims()),
        (jwt([1]), Claims()),
        (jwt("[" * 30), Claims()),
        ("e30..sig", Claims()),
        ("e30.%%%.sig", Claims()),
        ("e30.é.sig", Claims()),
        ("a.b", Claims()),
        ("", Claims()),
    ],
)
def test_tokens_are_read_and_not_believed(token, claims):
    assert decode_token(token) == claims


# --- the account ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"client_id": "abc"}, "client_id: must be a number"),
        ({"api_url": "http://graphql.anilist.co"}, "api_url: must begin with https"),
        ({"auth_url": "anilist"}, "auth_url: is not an address"),
        ({"referer": "mine"}, "referer: is not an address"),
    ],
)
def test_settings_that_can_never_work(options, words):
    with pytest.raises(ConfigError, match=words):
        address_of(AccountSpec("mine", "anilist", options))


def test_what_check_tells(service):
    service.world.score_format = "POINT_3"

    async def look(provider: Provider) -> Any:
        return [*await provider.examine(), provider.requests]

    far = use(service, look, token=service.login(days=300))
    token, scores, n_requests = far
    assert (token.ok, scores.ok, n_requests) == (True, True, 1)
    assert "in 299 days, and cannot be renewed" in token.text
    assert scores.text.startswith("shown as POINT_3, kept")
    near = use(service, look, token=service.login(days=20))[0]
    assert not near.ok
    assert "cwsync auth login mine" in near.text
    plain = "a-token-that-is-none-of-that-kind"
    service.tokens[plain] = service.clock() + 1000
    assert [one.what for one in use(service, look, token=plain)[:-1]] == ["scores"]
