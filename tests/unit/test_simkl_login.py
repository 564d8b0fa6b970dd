"""Logging in at SIMKL by a code, and the way out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cwsync.errors import AuthError, ConfigError, CwsyncError, UnavailableError
from cwsync.model import Feature
from cwsync.provider import Services, login_of
from cwsync.providers.simkl import Simkl as Provider
from cwsync.tokens import Tokens
from simulators.simkl import OLD_CLIENT_ID, Simkl
from simulators.simkl_account import spec, use
from support import someone
from support.httpserver import Do, Reply, answer, drop_before, html, status
from support.logins import Keeper


@pytest.fixture
def service() -> Iterator[Simkl]:
    with Simkl() as made:
        yield made


@dataclass
class Person(someone.Person):
    """Comes now: a code of SIMKL ends at a time of the day."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def login(service: Simkl, person: Person, **options: object) -> Tokens:
    return asyncio.run(Provider.login(spec(service, **options), Services(), person))


def test_a_code_is_shown_and_waited_for(service: Simkl) -> None:
    person = Person(service.approve)
    tokens = login(service, person)
    assert person.visited == [(f"{service.url}/pin", "ABCD-EFGH", 15)]
    assert person.waited == [5, 5]
    assert (tokens.account, tokens.provider, tokens.origin) == ("mine", "simkl", service.url)
    assert tokens.account_id == "simkl:4711"
    assert tokens.secrets["access"] == service.grants[-1].access
    assert tokens.expires_at is not None
    assert tokens.expires_at - tokens.obtained_at == timedelta(days=7)
    assert (tokens.chosen["plan"], tokens.chosen["name"]) == ("free", "simulated")
    assert login_of("simkl") is not None


def test_a_login_is_good_for_reading_at_once(service: Simkl) -> None:
    tokens = login(service, Person(service.approve))

    async def step(provider: Provider) -> int:
        return len((await provider.fetch(Feature.RATINGS)).entries)

    assert use(service, step, keeper=Keeper(tokens)) == 0


@pytest.mark.parametrize("scope", ["media:read", "media:read media:writes", ""])
def test_a_login_that_may_not_write_is_none(service: Simkl, scope: str) -> None:
    service.scope = scope
    with pytest.raises(AuthError, match="lacks the right media:") as caught:
        login(service, Person(service.approve))
    assert caught.value.hint == "begin again: cwsync auth login mine"


def test_nobody_comes_or_says_no(service: Simkl) -> None:
    service.interval_s = 60
    person = Person()
    with pytest.raises(AuthError, match="not entered in time, or it was refused"):
        login(service, person)
    assert len(person.waited) == 15


def test_a_code_that_ended(service: Simkl) -> None:
    person = Person(lambda: service.approve("expired_token"))
    with pytest.raises(AuthError, match="in time"):
        login(service, person)
    assert len(person.waited) == 2


def test_asking_too_often_makes_it_slower(service: Simkl) -> None:
    slow = {"error": "slow_down", "error_description": "slower"}
    service.fault(status(400, slow), path="oauth2/token", times=2)
    person = Person(service.approve, after=4)
    login(service, person)
    assert person.waited == [5, 10, 15, 15]


@pytest.mark.parametrize("fault", [drop_before(), status(503), status(500), html(502)])
def test_a_network_that_is_away_for_a_moment(service: Simkl, fault: Do) -> None:
    service.fault(fault, path="oauth2/token")
    assert login(service, Person(service.approve, after=1)).secrets["access"] == service.grants[-1].access


def test_an_application_of_the_old_kind_is_told(service: Simkl) -> None:
    with pytest.raises(ConfigError, match="an old kind") as caught:
        login(service, Person(), client_id=OLD_CLIENT_ID)
    assert "TV, devices & command line" in (caught.value.hint or "")
    with pytest.raises(AuthError, match="client_id"):
        login(service, Person(), client_id="unknown")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("oauth2/device", {}),
        (
            "oauth2/device",
            {"device_code": "a", "user_code": "b", "verification_uri": "c", "expires_in": 0, "interval": 5},
        ),
        ("oauth2/token", {"access_token": "a"}),
        ("users/settings", {}),
    ],
)
def test_an_answer_that_makes_no_sense(service: Simkl, path: str, body: Any) -> None:
    service.fault(answer(Reply(body)), path=path)
    with pytest.raises(UnavailableError, match="makes no sense"):
        login(service, Person(service.approve, after=1))


def test_the_way_out(service: Simkl) -> None:
    tokens = login(service, Person(service.approve))
    assert asyncio.run(Provider.logout(spec(service), Services(), tokens))
    assert not service.grants
    service.fault(status(503), path="oauth2/revoke", times=None)
    with pytest.raises(CwsyncError, match="503"):
        asyncio.run(Provider.logout(spec(service), Services(), tokens))


def test_what_is_printed_holds_no_secret(service: Simkl) -> None:
    tokens = login(service, Person(service.approve))
    assert not [secret for secret in tokens.secrets.values() if secret in f"{tokens!r} {tokens}"]
