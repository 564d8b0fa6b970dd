"""The login of an account as providers get it: under the locks of a run, or alone in a dry run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cwsync.engine.options import Home
from cwsync.engine.services import EARLY, PATIENCE_S, KeptTokens, services_for
from cwsync.errors import AuthError, ConfigError, LockedError, StateError
from cwsync.model import AccountSpec, SecretRef
from cwsync.provider import Services
from cwsync.state import Locks, RunInfo, TokenStore
from cwsync.tokens import Tokens
from support.network import Time

NOW = datetime.now(UTC).replace(microsecond=0)
OLD = Tokens(
    "desk", "trakt", "trakt:me", "https://x.example", {"access": "kept-old-1", "refresh": "kept-old-2"}, NOW, NOW
)


def held(folder: Path) -> Locks:
    return Locks(folder, ["account-desk"], 0, RunInfo("test", NOW))


def save(folder: Path, tokens: Tokens) -> None:
    with held(folder) as locks:
        TokenStore(folder).save(tokens, locks)


def fresh(number: int = 1) -> Tokens:
    secrets = {"access": f"kept-new-{number}", "refresh": f"kept-next-{number}"}
    return replace(OLD, secrets=secrets, obtained_at=NOW, expires_at=NOW + timedelta(days=7))


def service(calls: list[Tokens]) -> Callable[[Tokens], Awaitable[Tokens]]:
    async def renew(tokens: Tokens) -> Tokens:
        calls.append(tokens)
        await asyncio.sleep(0)
        return fresh(len(calls))

    return renew


def test_those_who_ask_together_get_the_same_after_one_request(tmp_path):
    save(tmp_path, OLD)
    calls: list[Tokens] = []

    async def ask(kept: KeptTokens) -> list[Tokens]:
        return list(await asyncio.gather(*(kept.refresh(OLD, service(calls)) for _ in range(5))))

    assert asyncio.run(ask(KeptTokens("desk", tmp_path))) == [fresh()] * 5
    assert len(calls) == 1
    with held(tmp_path) as locks:
        assert asyncio.run(ask(KeptTokens("desk", tmp_path, locks))) == [fresh()] * 5
    assert len(calls) == 1


def test_a_dry_run_waits_for_the_run_that_renews_and_takes_what_it_stored(tmp_path):
    save(tmp_path, OLD)
    calls: list[Tokens] = []
    with held(tmp_path) as locks:

        async def sleep(_seconds: float) -> None:
            TokenStore(tmp_path).save(fresh(7), locks)

        kept = KeptTokens("desk", tmp_path, sleep=sleep)
        assert asyncio.run(kept.refresh(OLD, service(calls))) == fresh(7)
    assert calls == []


def test_a_dry_run_does_not_wait_for_ever(tmp_path):
    save(tmp_path, OLD)
    time = Time()
    with held(tmp_path):
        kept = KeptTokens("desk", tmp_path, clock=time.clock, sleep=time.sleep)
        with pytest.raises(LockedError):
            asyncio.run(kept.refresh(OLD, service([])))
    assert PATIENCE_S <= sum(time.slept) < PATIENCE_S + 1


def test_only_a_run_that_writes_renews_early(tmp_path):
    soon = replace(OLD, expires_at=NOW + EARLY / 2)
    assert not KeptTokens("desk", tmp_path).due(soon, NOW)
    with held(tmp_path) as locks:
        assert KeptTokens("desk", tmp_path, locks).due(soon, NOW)


def test_reading_creates_nothing(tmp_path):
    kept = KeptTokens("desk", tmp_path / "state")
    assert kept.load() is None
    assert not (tmp_path / "state").exists()


def test_without_a_login_there_is_nothing_to_renew(tmp_path):
    with pytest.raises(AuthError) as caught:
        asyncio.run(KeptTokens("desk", tmp_path).refresh(OLD, service([])))
    assert caught.value.hint == "log in: cwsync auth login desk"
    with pytest.raises(AuthError):
        asyncio.run(Services().tokens.refresh(OLD, service([])))
    assert Services().tokens.load() is None
    assert Services().secret("token") is None


def test_a_disk_that_takes_nothing_is_known_before_the_old_one_is_spent(tmp_path):
    save(tmp_path, OLD)
    calls: list[Tokens] = []
    blocked = tmp_path / "tokens" / ".desk.json.tmp"
    blocked.mkdir()
    with pytest.raises(StateError):
        asyncio.run(KeptTokens("desk", tmp_path).refresh(OLD, service(calls)))
    assert calls == []


def test_secrets_are_had_by_name(tmp_path):
    refs = {"token": SecretRef("inline", "accounts.desk.token", inline="kept-secret-1"), "pin": SecretRef("env", "PIN")}
    given = services_for(AccountSpec("desk", "desk", secrets=refs), Home(tmp_path))
    assert given.secret("token") == "kept-secret-1"
    assert given.secret("other") is None
    with pytest.raises(ConfigError, match=r"accounts\.desk\.pin: no secret from env PIN"):
        given.secret("pin")
    assert given.cache_dir is None
    assert given.user_agent.startswith("cwsync/")
    assert "kept-secret-1" not in repr(given)
