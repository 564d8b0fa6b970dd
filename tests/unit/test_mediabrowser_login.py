"""Logging in to a simulated Jellyfin or Emby: Quick Connect, a password that is tried once, and opening with it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cwsync.errors import AuthError, ConfigError, CwsyncError, UnavailableError
from cwsync.model import AccountSpec, Feature, SecretRef
from cwsync.provider import Services
from cwsync.redaction import redact_known
from cwsync.tokens import Tokens
from simulators.emby import Emby
from simulators.jellyfin import Jellyfin
from simulators.mediabrowser import MediaBrowser
from support.httpserver import drop_after, html, status
from support.logins import Session
from support.mediahome import HastyEmby, HastyJellyfin
from support.session import use
from support.someone import Someone

PASSWORD = "owner's password"  # noqa: S105


@pytest.fixture(params=[Jellyfin, Emby], ids=["jellyfin", "emby"])
def server(request: pytest.FixtureRequest) -> Iterator[MediaBrowser]:
    with request.param() as made:
        yield made


@pytest.fixture
def jellyfin() -> Iterator[Jellyfin]:
    with Jellyfin() as made:
        yield made


def kind(server: MediaBrowser) -> type[HastyJellyfin | HastyEmby]:
    return HastyEmby if server.dialect.emby else HastyJellyfin


def spec(server: MediaBrowser, **more: Any) -> AccountSpec:
    options = {"url": server.url, **({} if server.dialect.emby else {"login": "password"}), **more}
    return AccountSpec("home", kind(server).dialect.name, {k: v for k, v in options.items() if v is not None})


def login(server: MediaBrowser, person: Someone, kept: Session | None = None, **more: Any) -> Tokens:
    services = Services(tokens=kept or Session())
    return asyncio.run(kind(server).login(spec(server, **more), services, person))


def opened(server: MediaBrowser, tokens: Tokens, **more: Any) -> str:
    """The account id that a run has with a login."""

    async def step(made: HastyJellyfin | HastyEmby) -> str:
        await made.fetch(Feature.WATCHLIST)
        return made.account_id

    return use(kind(server)(spec(server, **more), Services(tokens=Session(tokens))), step)


def logout(server: MediaBrowser, tokens: Tokens) -> bool:
    return asyncio.run(kind(server).logout(spec(server), Services(tokens=Session(tokens)), tokens))


def approving(server: MediaBrowser, name: str = "Owner", after: int = 2) -> Callable[[int], None]:
    def act(waits: int) -> None:
        if waits == after:
            server.doors.approve(next(one for one in server.world.users.values() if one.name == name))

    return act


def tries(server: MediaBrowser) -> list[str]:
    return [call for call in server.calls() if "AuthenticateByName" in call]


# --- name and password -----------------------------------------------------------------------------------


def test_a_password_gives_a_token_of_the_user(server: MediaBrowser) -> None:
    tokens = login(server, Someone(pin=PASSWORD), user="owner")
    owner = server.world.owner
    assert tokens.account_id == f"{kind(server).dialect.name}:{server.world.server_id}:{owner.id}"
    assert (tokens.chosen["user"], tokens.chosen["name"], tokens.chosen["server"]) == (owner.id, "Owner", "Simulated")
    token = server.doors.tokens[tokens.secrets["access"]]
    assert (token.user, token.device_id) == (owner, tokens.chosen["client"])
    assert redact_known(f"x {token.value} {PASSWORD}") == redact_known("x").replace("x", "x *** ***")
    assert opened(server, tokens) == tokens.account_id


def test_a_wrong_password_is_tried_once(server: MediaBrowser) -> None:
    with pytest.raises(AuthError) as caught:
        login(server, Someone(pin="wrong password"), user="Owner")
    assert len(tries(server)) == 1
    assert server.world.owner.tries == 1
    assert "once" in caught.value.message
    assert "wrong password" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("fault", [drop_after(), status(500), status(503), status(429), html()], ids=range(5))
def test_a_password_is_not_sent_again_whatever_the_answer(server: MediaBrowser, fault: Any) -> None:
    server.fault(fault, path="AuthenticateByName", times=None)
    with pytest.raises(CwsyncError) as caught:
        login(server, Someone(pin=PASSWORD), user="Owner")
    assert len(tries(server)) == 1
    assert PASSWORD not in f"{caught.value} {caught.value.hint}"


def test_a_user_who_is_disabled_or_locked_out(server: MediaBrowser) -> None:
    server.world.owner.disabled = True
    with pytest.raises(AuthError, match="may not log in"):
        login(server, Someone(pin=PASSWORD), user="Owner")


def test_one_of_the_users_that_the_server_shows(server: MediaBrowser) -> None:
    kim = server.world.add_user("Kim", password="kim's password")  # noqa: S106
    for user in (kim, server.world.owner):
        user.hidden = False
    tokens = login(server, Someone("Kim", pin="kim's password"))
    assert tokens.chosen["user"] == kim.id


def test_a_server_that_shows_no_users(jellyfin: Jellyfin) -> None:
    for user in jellyfin.world.users.values():
        user.hidden = True
    with pytest.raises(ConfigError) as caught:
        login(jellyfin, Someone(pin=PASSWORD))
    assert "accounts.home.user" in str(caught.value.hint)


def test_the_id_of_a_user_who_is_not_shown_is_no_name_to_log_in_with(server: MediaBrowser) -> None:
    """A right password was called wrong: it went to the server with the id in place of the name."""
    server.world.owner.hidden = True
    with pytest.raises(ConfigError, match="goes with a name") as caught:
        login(server, Someone(pin=PASSWORD), user=server.world.owner.id)
    assert "accounts.home.user" in str(caught.value.hint)
    assert tries(server) == []
    server.world.owner.hidden = False
    assert login(server, Someone(pin=PASSWORD), user=server.world.owner.id).chosen["name"] == "Owner"


@pytest.mark.parametrize("code", [401, 403])
def test_a_proxy_that_wants_a_login_of_its_own_says_nothing_of_our_token(server: MediaBrowser, code: int) -> None:
    server.fault(status(code), path="(?i)/system/info/public", times=None)
    with pytest.raises(UnavailableError, match="no token was sent") as caught:
        login(server, Someone(pin=PASSWORD), user="Owner")
    assert "in front of the server" in str(caught.value.hint)


def test_a_user_without_a_password_is_not_asked_for_one(server: MediaBrowser) -> None:
    kim = server.world.add_user("Kim")
    kim.hidden = False
    assert login(server, Someone(pin="never asked"), user="Kim").chosen["name"] == "Kim"


def test_a_login_again_keeps_the_device_and_ends_the_old_token(server: MediaBrowser) -> None:
    first = login(server, Someone(pin=PASSWORD), user="Owner")
    second = login(server, Someone(pin=PASSWORD), Session(first), user="Owner")
    assert first.chosen["client"] == second.chosen["client"]
    assert first.secrets["access"] not in server.doors.tokens
    with pytest.raises(AuthError):
        opened(server, first)
    other = login(server, Someone(pin=PASSWORD), user="Owner")
    assert other.chosen["client"] != second.chosen["client"]
    assert opened(server, second)


def test_logging_out_ends_the_token(server: MediaBrowser) -> None:
    tokens = login(server, Someone(pin=PASSWORD), user="Owner")
    assert logout(server, tokens) is True
    assert tokens.secrets["access"] not in server.doors.tokens
    with pytest.raises(AuthError):
        logout(server, tokens)


# --- Quick Connect ----------------------------------------------------------------------------------------


def test_quick_connect(jellyfin: Jellyfin) -> None:
    approve = approving(jellyfin, after=3)
    codes: set[str] = set()

    def act(waits: int) -> None:
        codes.update(one.code for one in jellyfin.doors.quick.values())
        approve(waits)

    person = Someone(act=act)
    tokens = login(jellyfin, person, login=None)
    assert tokens.chosen["name"] == "Owner"
    (code,) = codes
    assert person.visits == [(f"{jellyfin.url}/web/#/quickconnect", code, 10)]
    assert opened(jellyfin, tokens) == tokens.account_id


def test_quick_connect_that_nobody_approves(jellyfin: Jellyfin) -> None:
    person = Someone()
    with pytest.raises(AuthError, match="in time"):
        login(jellyfin, person, login=None)
    assert person.waits < 200


def test_quick_connect_that_somebody_else_approves(jellyfin: Jellyfin) -> None:
    jellyfin.world.add_user("Kim")
    with pytest.raises(AuthError, match="approved by 'Kim'"):
        login(jellyfin, Someone(act=approving(jellyfin, "Kim")), login=None, user="Owner")
    assert [one for one in jellyfin.doors.tokens.values() if one.user] == []


def test_a_server_without_quick_connect_wants_a_password(jellyfin: Jellyfin) -> None:
    jellyfin.doors.quick_on = False
    assert login(jellyfin, Someone(pin=PASSWORD), login=None, user="Owner").chosen["name"] == "Owner"
    with pytest.raises(ConfigError, match="Quick Connect is off"):
        login(jellyfin, Someone(), login="quick-connect")


def test_a_code_that_the_server_forgot(jellyfin: Jellyfin) -> None:
    with pytest.raises(AuthError):
        login(jellyfin, Someone(act=lambda _: jellyfin.doors.quick.clear()), login=None)


# --- opening with a login ---------------------------------------------------------------------------------


def test_without_a_login(server: MediaBrowser) -> None:
    made = kind(server)(spec(server), Services(tokens=Session()))
    with pytest.raises(AuthError, match="not logged in"):
        asyncio.run(made.open())


def test_no_token_leaves_for_another_server(server: MediaBrowser) -> None:
    tokens = login(server, Someone(pin=PASSWORD), user="Owner")
    asked: list[str] = []
    server.world.server_id = "f" * 32
    server.watch = lambda request, _reply: asked.append(request.headers["authorization"])
    with pytest.raises(AuthError, match="another server"):
        opened(server, tokens)
    assert asked
    assert not [header for header in asked if "Token=" in header]


def test_a_login_of_another_address(server: MediaBrowser) -> None:
    tokens = replace(login(server, Someone(pin=PASSWORD), user="Owner"), origin="http://10.0.0.1:8096")
    with pytest.raises(AuthError):
        opened(server, tokens)


def test_a_user_who_was_deleted(server: MediaBrowser) -> None:
    tokens = login(server, Someone(pin=PASSWORD), user="Owner")
    server.world.remove_user(server.world.owner)
    with pytest.raises(AuthError):
        opened(server, tokens)


def test_a_user_of_the_file_who_is_not_the_one_of_the_login(server: MediaBrowser) -> None:
    tokens = login(server, Someone(pin=PASSWORD), user="Owner")
    with pytest.raises(AuthError, match="the login is that of 'Owner'"):
        opened(server, tokens, user="Kim")


def test_a_server_that_cannot_be_reached() -> None:
    with Jellyfin() as gone:
        pass
    with pytest.raises(UnavailableError):
        login(gone, Someone(pin=PASSWORD), user="Owner")


# --- a token of the file --------------------------------------------------------------------------------


def device(server: MediaBrowser, **folders: Any) -> str:
    """The name of the device that a run with a token of the file says it is."""
    told: set[str] = set()
    server.watch = lambda request, _: told.update(re.findall('DeviceId="([^"]*)"', request.headers["authorization"]))
    account = replace(spec(server, user="Owner"), secrets={"token": SecretRef("env", "T")})

    async def session() -> None:
        async with kind(server)(account, Services(secret=lambda _: server.key, **folders)):
            pass

    asyncio.run(session())
    (found,) = told
    return found


def test_two_installations_with_accounts_of_one_name_are_two_devices(server: MediaBrowser, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    first, second = (device(server, memory_dir=folder, memory_seen=folder) for folder in (one, other))
    assert first != second
    assert device(server, memory_dir=one, memory_seen=one) == first
    assert device(server, memory_seen=one) == first
    (kept,) = one.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.write_bytes(b"nothing that we wrote")
    assert device(server, memory_dir=one, memory_seen=one) not in (first, second)


def test_a_dry_run_makes_no_name_for_the_installation(server: MediaBrowser, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert device(server, memory_seen=nowhere) == device(server)
    assert not nowhere.exists()
