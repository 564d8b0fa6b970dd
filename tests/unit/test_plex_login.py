"""Logging in to a simulated Plex: PIN, user of the home, server and its address; and opening with that login."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cwsync.errors import AuthError, ConfigError, UnavailableError
from cwsync.model import AccountSpec, Feature
from cwsync.provider import Services
from cwsync.providers.plex import Plex as Real
from cwsync.tokens import Tokens
from simulators.plex import Plex
from simulators.plexworld import User
from support.httpserver import Reply as HttpReply
from support.httpserver import Server, answer, hold, html, status
from support.logins import Keeper
from support.network import CERTIFICATE, fingerprint, tls
from support.session import use
from support.someone import Someone


@pytest.fixture
def plex() -> Iterator[Plex]:
    with Plex() as made:
        yield made


def spec(plex: Plex, **more: object) -> AccountSpec:
    return AccountSpec("home", "plex", plex.options(**{"url": None, **more}))


def login(plex: Plex, person: Someone, kept: Keeper | None = None, **more: object) -> Tokens:
    return asyncio.run(Real.login(spec(plex, **more), Services(tokens=kept or Keeper()), person))


def approving(plex: Plex, user: User | None = None, after: int = 3) -> Callable[[int], None]:
    def act(waits: int) -> None:
        if waits == after:
            plex.accounts.approve(user or plex.world.owner)

    return act


def opened(plex: Plex, tokens: Tokens, **more: object) -> tuple[str, list[str]]:
    """The account id, and what was asked."""

    async def step(provider: Real) -> str:
        await provider.fetch(Feature.HISTORY)
        return provider.account_id

    plex.forget()
    name = use(Real(spec(plex, **more), Services(tokens=Keeper(tokens))), step)
    return name, [call for server in plex.servers for call in server.calls()]


def test_a_login_with_a_pin(plex: Plex) -> None:
    person = Someone(act=approving(plex))
    tokens = login(plex, person)
    owner = plex.world.owner
    assert person.visits == [("https://plex.tv/link", plex.accounts.pins[1]["code"], 30)]
    assert tokens.account_id == f"plex:{plex.world.machine_id}:{owner.id}"
    assert (tokens.secrets["access"], tokens.secrets["server"]) == (owner.token, owner.server_token)
    assert tokens.expires_at is None
    assert tokens.chosen["address"] == plex.pms.url
    assert owner.token not in str(dict(tokens.chosen))
    assert all(owner.token not in one.target for server in plex.servers for one in server.log)


def test_no_token_leaves_before_the_server_has_said_who_it_is(plex: Plex) -> None:
    tokens = login(plex, Someone(act=approving(plex)))
    name, calls = opened(plex, tokens)
    assert name == tokens.account_id
    assert calls[:2] == ["GET /identity", "GET /library/sections"]
    assert "x-plex-token" not in plex.pms.log[0].headers
    assert not plex.tv.log


def test_a_user_of_the_home_is_kept_by_id(plex: Plex) -> None:
    child = plex.world.add_user("Child", managed=True, pin="1234")
    person = Someone("Child", act=approving(plex), pin="1234")
    tokens = login(plex, person)
    assert tokens.account_id.endswith(f":{child.id}")
    assert tokens.secrets["server"] == child.server_token
    assert tokens.chosen["user"] == child.uuid
    assert person.asked[0] == ("user", ["Owner", "Child"])


def test_a_user_named_in_the_file_is_taken_without_a_question(plex: Plex) -> None:
    child = plex.world.add_user("Child")
    plex.accounts.bare_list = True
    assert login(plex, Someone(act=approving(plex)), user="Child").chosen["user"] == child.uuid


@pytest.mark.parametrize("user", ["Child", None])
def test_a_user_named_in_the_file_is_never_met_by_the_owner_of_no_home(plex: Plex, user: str | None) -> None:
    plex.accounts.home = False
    person = Someone(act=approving(plex))
    if user is None:
        assert login(plex, person).chosen["user"] == plex.world.owner.uuid
    else:
        with pytest.raises(ConfigError, match="'Child'") as caught:
            login(plex, person, user=user)
        assert caught.value.where == "accounts.home.user"


@pytest.mark.parametrize(
    ("option", "before", "after"),
    [
        ("user", "Owner", "Child"),
        ("user", None, "Child"),
        ("server", "Simulated", "Another"),
        ("server", None, "Another"),
    ],
)
def test_a_login_of_somebody_else_than_the_file_says_is_not_used(
    plex: Plex, option: str, before: str | None, after: str
) -> None:
    plex.world.add_user("Child")
    said: dict[str, Any] = {option: before}
    tokens = login(plex, Someone("Owner", act=approving(plex)), **said)
    with pytest.raises(AuthError, match=f"is '{after}', but the login is of '(Owner|Simulated)'") as caught:
        opened(plex, tokens, **{option: after})
    assert (caught.value.where, caught.value.hint) == (
        f"accounts.home.{option}",
        "log in again: cwsync auth login home",
    )
    assert plex.requests() == 0
    names = {"user": ("Owner", plex.world.owner.uuid, None), "server": ("Simulated", plex.world.machine_id, None)}
    for same in names[option]:
        assert opened(plex, tokens, **{option: same})[0] == tokens.account_id


def test_a_wrong_pin_of_a_user_never_leaves_us_as_the_owner(plex: Plex) -> None:
    plex.world.add_user("Child", pin="1234")
    with pytest.raises(AuthError, match="'Child'"):
        login(plex, Someone("Child", act=approving(plex), pin="9999"))


def test_a_switch_that_gives_the_wrong_user_is_refused(plex: Plex) -> None:
    plex.world.add_user("Child")
    plex.tv.fault(answer(HttpReply({"authToken": plex.world.owner.token}, 201)), path="switch")
    with pytest.raises(AuthError, match="token of 'Owner' for 'Child'"):
        login(plex, Someone("Child", act=approving(plex)))


def test_nobody_enters_the_code(plex: Plex) -> None:
    plex.accounts.lifetime_s = 90
    person = Someone()
    with pytest.raises(AuthError, match="in time"):
        login(plex, person)
    # Once a second for a minute, then every other second, to the end of the code.
    assert person.waits == 60 + (90 - 60) // 2


def test_a_code_that_is_gone(plex: Plex) -> None:
    with pytest.raises(AuthError, match="in time"):
        login(plex, Someone(act=lambda _: plex.accounts.pins.clear()))


def test_the_client_is_the_same_at_the_next_login(plex: Plex) -> None:
    first = login(plex, Someone(act=approving(plex)))
    second = login(plex, Someone(act=approving(plex)), Keeper(first))
    assert first.chosen["client"] == second.chosen["client"]
    assert login(plex, Someone(act=approving(plex))).chosen["client"] != first.chosen["client"]


@pytest.mark.parametrize("fault", [html(), status(500)], ids=range(2))
def test_plex_tv_is_away(plex: Plex, fault: Any) -> None:
    plex.tv.fault(fault, path="resources", times=None)
    with pytest.raises(UnavailableError):
        login(plex, Someone(act=approving(plex)))


# --- servers and addresses ------------------------------------------------------------------------------


def connection(uri: str, *, local: bool = True) -> dict[str, Any]:
    return {"uri": uri, "local": local, "relay": False, "IPv6": False, "address": "127.0.0.1", "port": 1}


def test_the_first_address_that_is_this_server_is_taken(plex: Plex) -> None:
    with Server() as other:
        other.route("GET", "/identity", lambda _: HttpReply({"MediaContainer": {"machineIdentifier": "another"}}))
        dead = connection("http://127.0.0.1:1")
        plex.accounts.connections = [dead, connection(other.url), connection(plex.pms.url, local=False)]
        tokens = login(plex, Someone(act=approving(plex)))
        assert tokens.chosen["address"] == plex.pms.url
        # Who answers was not known yet, so no token went there.
        assert all("x-plex-token" not in one.headers for one in other.log)


def test_a_server_without_a_way_to_it(plex: Plex) -> None:
    plex.accounts.connections = [connection("http://127.0.0.1:1")]
    with pytest.raises(UnavailableError, match="none of its addresses"):
        login(plex, Someone(act=approving(plex)))


def test_an_address_in_the_file_names_the_server(plex: Plex) -> None:
    plex.accounts.connections = [connection("http://127.0.0.1:1")]
    tokens = login(plex, Someone(act=approving(plex)), url=plex.pms.url)
    assert tokens.chosen["address"] == plex.pms.url


def test_a_server_that_is_away_costs_nobody_a_pin(plex: Plex) -> None:
    person = Someone(act=approving(plex))
    with pytest.raises(UnavailableError):
        login(plex, person, url="http://127.0.0.1:1")
    assert person.visits == []


def test_an_address_and_a_server_of_the_file_that_differ(plex: Plex) -> None:
    with pytest.raises(ConfigError, match="'Another'"):
        login(plex, Someone(act=approving(plex)), url=plex.pms.url, server="Another")


@pytest.mark.parametrize(
    ("trust", "with_url"),
    [({"fingerprint": fingerprint()}, True), ({"ca_file": str(CERTIFICATE)}, False)],
    ids=["print", "file"],
)
def test_a_certificate_that_nobody_signed_is_trusted_by_the_login_too(trust: dict[str, Any], with_url: bool) -> None:
    with Plex(tls=tls()) as plex:
        at = plex.pms.url if with_url else None
        tokens = login(plex, Someone(act=approving(plex)), url=at, **trust)
        assert tokens.chosen["address"] == plex.pms.url
        assert opened(plex, tokens, url=at, **trust)[0] == tokens.account_id
        # It moved, and is looked for with the same trust.
        moved = replace(tokens, chosen={**tokens.chosen, "address": "https://127.0.0.1:1"})
        assert opened(plex, moved, **trust)[0] == tokens.account_id
        with pytest.raises(UnavailableError):
            login(plex, Someone(act=approving(plex)), url=at)
        with pytest.raises(UnavailableError):
            login(plex, Someone(act=approving(plex)), url=at, fingerprint="00" * 32)


@pytest.mark.parametrize("trust", [{"fingerprint": "00" * 32}, {"ca_file": str(CERTIFICATE)}])
def test_an_account_that_names_its_certificate_is_never_led_to_an_address_without_one(
    plex: Plex, trust: dict[str, Any]
) -> None:
    """The cloud names a plain address; without the trust that the file names it would be taken."""
    assert plex.pms.url.startswith("http://")
    assert login(plex, Someone(act=approving(plex))).chosen["address"] == plex.pms.url
    plex.pms.forget()
    with pytest.raises(UnavailableError, match="none of its addresses"):
        login(plex, Someone(act=approving(plex)), **trust)
    assert plex.pms.calls() == []


def test_the_login_waits_as_long_for_the_server_as_the_file_says(plex: Plex) -> None:
    late = threading.Event()
    plex.pms.fault(hold(late), path="/identity", times=None)
    account = replace(spec(plex, url=plex.pms.url), timeout=timedelta(seconds=0.05))
    began = time.monotonic()
    with pytest.raises(UnavailableError):
        asyncio.run(Real.login(account, Services(tokens=Keeper()), Someone(act=approving(plex))))
    late.set()
    assert time.monotonic() - began < 10  # and not the thirty seconds of the usual


def test_a_server_of_somebody_else_in_the_file(plex: Plex) -> None:
    with Server() as other:
        other.route("GET", "/identity", lambda _: HttpReply({"MediaContainer": {"machineIdentifier": "another"}}))
        with pytest.raises(ConfigError, match="none that this user may use"):
            login(plex, Someone(act=approving(plex)), url=other.url)


def test_a_server_that_moved_is_found_again(plex: Plex) -> None:
    tokens = login(plex, Someone(act=approving(plex)))
    with Server() as old:
        old.route("GET", "/", lambda _: HttpReply({"MediaContainer": {"machineIdentifier": "another"}}))
        moved = Tokens(
            tokens.account,
            tokens.provider,
            tokens.account_id,
            tokens.origin,
            tokens.secrets,
            tokens.obtained_at,
            None,
            {**tokens.chosen, "address": old.url},
        )
        name, calls = opened(plex, moved)
    assert name == tokens.account_id
    assert "GET /api/v2/resources" in calls


def test_another_server_behind_the_address_of_the_file(plex: Plex) -> None:
    tokens = login(plex, Someone(act=approving(plex)))
    plex.world.machine_id = "another"
    with pytest.raises(AuthError, match="another server"):
        opened(plex, tokens, url=plex.pms.url)


def test_a_server_that_is_not_shared_any_more(plex: Plex) -> None:
    tokens = login(plex, Someone(act=approving(plex)))
    plex.world.machine_id = "another"
    with pytest.raises(AuthError, match="may not use the server"):
        opened(plex, tokens)


def test_a_login_for_another_plex_is_not_sent(plex: Plex) -> None:
    tokens = login(plex, Someone(act=approving(plex)))
    with pytest.raises(AuthError, match="the login is for"):
        opened(plex, tokens, plex_tv_url="https://plex.tv")


def test_no_login_at_all(plex: Plex) -> None:
    async def session() -> None:
        await Real(spec(plex), Services()).open()

    with pytest.raises(AuthError) as caught:
        asyncio.run(session())
    assert caught.value.hint == "log in: cwsync auth login home"


def test_logging_out_signs_the_device_out(plex: Plex) -> None:
    tokens = login(plex, Someone(act=approving(plex)))
    assert asyncio.run(Real.logout(spec(plex), Services(), tokens))
    assert plex.accounts.signed_out == [plex.world.owner.token]
    with pytest.raises(AuthError):
        asyncio.run(Real.logout(spec(plex), Services(), tokens))


def test_the_pin_of_a_user_is_in_no_log(plex: Plex, caplog: pytest.LogCaptureFixture) -> None:
    plex.world.add_user("Child", pin="2580")
    with caplog.at_level("DEBUG"):
        login(plex, Someone("Child", act=approving(plex), pin="2580"))
    assert "switch" in caplog.text
    assert "2580" not in caplog.text
    assert not [secret for user in plex.world.users for secret in (user.token,) if secret in caplog.text]


def test_a_server_that_was_claimed_anew_has_a_new_token(plex: Plex) -> None:
    child = plex.world.add_user("Child")
    tokens = login(plex, Someone("Child", act=approving(plex)))
    child.server_token = child.server_token[::-1]
    name, calls = opened(plex, tokens)
    assert name == tokens.account_id
    assert calls.count("GET /library/sections") == 2
    assert calls.count("GET /api/v2/resources") == 1


def test_a_token_that_is_refused_and_not_renewed_needs_a_login(plex: Plex) -> None:
    child = plex.world.add_user("Child")
    tokens = login(plex, Someone("Child", act=approving(plex)))
    plex.revoked.add(child.server_token)
    with pytest.raises(AuthError) as caught:
        opened(plex, tokens)
    assert caught.value.hint == "log in again: cwsync auth login home"
    assert child.server_token not in str(caught.value)
