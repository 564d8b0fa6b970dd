"""Tokens on disk: theirs alone, whole or not at all, refreshed once, and never shown."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import errno
import hashlib
import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cwsync import files
from cwsync.errors import AuthError, Exit, InternalError, StateError, UnavailableError
from cwsync.state import Locks, RunInfo, Tokens, TokenStore
from cwsync.state.tokens import MAX_BYTES
from cwsync.tokens import origin_of
from support.engine import SOAK
from support.figures import figure

NOW = datetime(2024, 5, 1, 20, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
ORIGIN = "https://api.example.org"
OLD = Tokens("home", "trakt", "trakt:me", ORIGIN, {"access": "old-access-0000", "refresh": "old-refresh-0"}, NOW, NOW)
SECRETS = ("old-access-0000", "old-refresh-0", "access-of-round", "refresh-of-round")


@pytest.fixture(autouse=True)
def _no_hook() -> Iterator[None]:
    yield
    files.set_effect_hook(None)


def held(state_dir: Path, account: str = "home") -> Locks:
    return Locks(state_dir, [f"account-{account}"], 0, RunInfo("test", NOW))


def stored(state_dir: Path, tokens: Tokens = OLD) -> TokenStore:
    store = TokenStore(state_dir)
    with held(state_dir, tokens.account) as locks:
        store.save(tokens, locks)
    return store


@dataclass
class Service:
    """A service whose refresh tokens work once; the last one it gave out is the only good one."""

    good: str = "old-refresh-0"
    calls: int = 0

    async def __call__(self, tokens: Tokens) -> Tokens:
        self.calls += 1
        await asyncio.sleep(0)
        if tokens.secrets["refresh"] != self.good:
            raise AuthError("invalid_grant")
        self.good = f"refresh-of-round-{self.calls}"
        secrets = {"access": f"access-of-round-{self.calls}", "refresh": self.good}
        at = NOW + self.calls * timedelta(minutes=1)
        return replace(tokens, secrets=secrets, obtained_at=at, expires_at=at + HOUR)


def refresh(state_dir: Path, service: Callable[[Tokens], Any], seen: Tokens = OLD, now: datetime = NOW) -> Tokens:
    async def locked() -> Tokens:
        with held(state_dir) as locks:
            return await TokenStore(state_dir).refresh("home", service, seen=seen, locks=locks, now=now)

    return asyncio.run(locked())


# --- the file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_what_is_stored_is_what_is_read_and_nobody_elses(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = stored(tmp_path / "state")
        store = stored(tmp_path / "state", replace(OLD, expires_at=None))
    finally:
        os.umask(before)
    assert store.load("home") == replace(OLD, expires_at=None)
    folder = tmp_path / "state" / "tokens"
    assert [path.name for path in folder.iterdir()] == ["home.json"]  # no backup, no temporary
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "state", folder, folder / "home.json")]
    assert modes == [0o700, 0o700, 0o600]
    assert store.load("other") is None


def test_reading_touches_nothing(tmp_path: Path) -> None:
    assert TokenStore(tmp_path / "state").load("home") is None
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("account", ["", "..", "a/b", "A", "home.json", "x" * 65])
def test_only_the_name_of_an_account_makes_a_path(tmp_path: Path, account: str) -> None:
    with pytest.raises(ValueError, match="not the name of an account"):
        TokenStore(tmp_path).load(account)


def damaged(store: TokenStore, data: bytes | None = None) -> StateError:
    if data is not None:
        store.path("home").write_bytes(data)
    with pytest.raises(StateError) as caught:
        store.load("home")
    told = "".join(traceback.format_exception(caught.value)) + str(caught.value.hint)
    assert not [secret for secret in SECRETS if secret in told]
    assert caught.value.exit_code is Exit.STATE
    return caught.value


def test_I22_each_byte_flipped_and_each_length_is_found(tmp_path: Path) -> None:
    store = stored(tmp_path)
    good = store.path("home").read_bytes()
    bits = range(8) if SOAK else (5,)
    for at in range(len(good)):
        damaged(store, good[:at])
        for bit in bits:
            damaged(store, good[:at] + bytes([good[at] ^ (1 << bit)]) + good[at + 1 :])
    damaged(store, good + b" ")
    store.path("home").write_bytes(good)
    assert store.load("home") == OLD
    figure("token file", f"{len(good)} lengths and {len(good) * len(bits)} flipped bits, each found")


def sealed(text: str, schema: str = "1") -> bytes:
    """A document with the right checksum, whatever is in it."""
    rest = text.encode("utf-8")
    return f'{{"schema":{schema},"checksum":"{hashlib.sha256(rest).hexdigest()}",\n'.encode() + rest


DOCUMENT = {
    "account": "home",
    "provider": "trakt",
    "account_id": "trakt:me",
    "origin": ORIGIN,
    "secrets": {"access": "old-access-0000"},
    "obtained_at": "2024-05-01T20:15:00Z",
    "expires_at": None,
}


def written(**members: object) -> str:
    return json.dumps({**DOCUMENT, **members})[1:] + "\n"


BAD = {
    "a key twice": written().replace('"origin"', '"account_id": "trakt:me", "origin"', 1),
    "NaN": written(expires_at=float("nan")),
    "a fraction": written(expires_at=1.5),
    "not ASCII": json.dumps({**DOCUMENT, "provider": "träkt"}, ensure_ascii=False)[1:],
    "one member more": written(scope="all"),
    "one member less": written()[:-23] + "}\n",
    "no JSON": '"account":',
    "another account": written(account="other"),
    "no secret": written(secrets={}),
    "an empty secret": written(secrets={"access": " "}),
    "a secret of two lines": written(secrets={"access": "old-access-0000\nX-Header: y"}),
    "a secret that is no text": written(secrets={"access": 1}),
    "too many secrets": written(secrets={f"s{n}": "old-access-0000" for n in range(9)}),
    "an address with a path": written(origin="https://api.example.org/v1"),
    "no address": written(origin="file:///etc"),
    "a time without a zone": written(obtained_at="2024-05-01T20:15:00"),
    "a date": written(obtained_at="2024-05-01"),
    "nested too deeply": written(secrets=None).replace("null", "[" * 5000 + "]" * 5000),
    "longer than the cap": written(account_id="x" * MAX_BYTES),
}


@pytest.mark.parametrize("name", BAD)
def test_damage_says_how_to_log_in_again(tmp_path: Path, name: str) -> None:
    store = stored(tmp_path)
    error = damaged(store, sealed(BAD[name]))
    assert error.message.startswith("the tokens are damaged: ")
    assert (error.where, error.hint) == (str(store.path("home")), "log in again: cwsync auth login home")


def test_a_sealed_document_that_is_right_is_read(tmp_path: Path) -> None:
    """Or else the ones above would be refused for the way they are made."""
    store = stored(tmp_path)
    store.path("home").write_bytes(sealed(written()))
    assert store.load("home") == replace(OLD, secrets={"access": "old-access-0000"}, expires_at=None)


def test_a_newer_schema_is_not_called_damage(tmp_path: Path) -> None:
    error = damaged(stored(tmp_path), sealed(written(), schema="2"))
    assert ("newer cwsync (schema 2)" in error.message, error.hint) == (True, "upgrade cwsync")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777])
def test_eyes_of_others_are_refused_with_the_fix(tmp_path: Path, mode: int) -> None:
    store = stored(tmp_path)
    store.path("home").chmod(mode)
    error = damaged(store)
    assert error.message == "others can read or write it"
    assert f"chmod 600 '{store.path('home')}'" in (error.hint or "")
    store.path("home").chmod(0o600)
    store.folder.chmod(0o700 | mode & 0o077)
    assert f"chmod 700 '{store.folder}'" in (damaged(store).hint or "")
    with held(tmp_path) as locks, pytest.raises(StateError, match="others can read"):
        store.save(OLD, locks)


@pytest.mark.parametrize("place", ["tokens", "tokens/home.json", "tokens/.home.json.tmp"])
def test_a_symlink_is_never_followed(tmp_path: Path, place: str) -> None:
    store = stored(tmp_path / "state")
    victim = tmp_path / "victim"
    path = tmp_path / "state" / place
    if place == "tokens":
        path.rename(victim)
    else:
        path.unlink(missing_ok=True)
        victim.write_bytes(sealed(written()))
    path.symlink_to(victim)
    before = victim.stat().st_mtime_ns
    service = Service()
    with held(tmp_path / "state") as locks, pytest.raises(StateError, match="is a symlink to") as caught:
        store.save(OLD, locks)
    assert caught.value.hint
    with pytest.raises(StateError, match="is a symlink to"):
        refresh(tmp_path / "state", service)
    if "tmp" not in place:
        with pytest.raises(StateError, match="is a symlink to"):
            store.load("home")
    assert (victim.stat().st_mtime_ns, path.is_symlink(), service.calls) == (before, True, 0)


def test_forgetting_takes_all_of_it_and_is_durable(tmp_path: Path) -> None:
    store = stored(tmp_path)
    store.path("home").write_bytes(b"damaged")
    (store.folder / ".home.json.tmp").write_bytes(b"half of a secret")
    seen: list[str] = []
    with held(tmp_path) as locks:
        files.set_effect_hook(lambda name, path: seen.append(f"{name} {path.name}"))
        assert store.forget("home", locks)
        assert seen == ["unlink .home.json.tmp", "unlink home.json", "fsync-dir tokens"]
        assert list(store.folder.iterdir()) == []
        assert not store.forget("home", locks)
    assert store.load("home") is None


def test_forgetting_a_link_leaves_what_it_leads_to(tmp_path: Path) -> None:
    store = stored(tmp_path / "state")
    store.path("home").rename(tmp_path / "victim")
    store.path("home").symlink_to(tmp_path / "victim")
    with held(tmp_path / "state") as locks:
        assert store.forget("home", locks)
    assert (tmp_path / "victim").exists()
    assert not store.path("home").is_symlink()


# --- nothing is shown ----------------------------------------------------------------------------


def test_tokens_do_not_show_themselves(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("%s %r", OLD, [OLD.secrets, {"x": OLD}])
    shown = [repr(OLD), str(OLD), f"{OLD}", f"{OLD.secrets!s:>10} {OLD.secrets!r}", "%s" % (OLD,), caplog.text]  # noqa: UP031
    shown += ["".join(traceback.format_exception(ValueError(OLD, OLD.secrets)))]
    assert not [text for text in shown for secret in SECRETS if secret in text]
    assert "<access, refresh>" in repr(OLD)
    takers: list[Callable[[Any], object]] = [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, dataclasses.asdict]
    for take in takers:
        for one in (OLD, OLD.secrets):
            with pytest.raises(TypeError) as caught:
                take(one)
            assert not [secret for secret in SECRETS if secret in str(caught.value)]
    assert not hasattr(OLD.secrets, "__dict__")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.example.org", ORIGIN),
        ("https://API.example.org:443/oauth/token?x=1#y", ORIGIN),
        ("https://user:pass@api.example.org/", ORIGIN),
        ("http://api.example.org/", "http://api.example.org"),
        ("https://api.example.org:8443/", "https://api.example.org:8443"),
        ("https://api.example.org.evil.net/", "https://api.example.org.evil.net"),
        ("https://api.example.org@evil.net/", "https://evil.net"),
        ("http://[::1]:80/", "http://[::1]"),
        ("https://api.example.org\\@evil.net/", None),
        ("https://evil.net\n.api.example.org/", None),
        ("//api.example.org/", None),
        ("ftp://api.example.org/", None),
        ("https://api.example.org:99999/", None),
        ("https://[", None),
        ("", None),
    ],
)
def test_a_token_goes_to_its_own_service_and_nowhere_else(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin
    if origin == ORIGIN:
        assert OLD.secret("access", url) == "old-access-0000"
        return
    with pytest.raises(AuthError) as caught:
        OLD.secret("access", url)
    assert (caught.value.where, caught.value.hint) == ("home", "log in again: cwsync auth login home")


def test_a_secret_that_the_login_does_not_have() -> None:
    with pytest.raises(AuthError, match="has no device token"):
        OLD.secret("device", ORIGIN)


# --- refreshing ----------------------------------------------------------------------------------


def test_I20_the_new_tokens_are_stored_before_anyone_has_them(tmp_path: Path) -> None:
    store, service = stored(tmp_path), Service()
    fresh = refresh(tmp_path, service)
    assert (service.calls, fresh.secrets["access"], store.load("home")) == (1, "access-of-round-1", fresh)
    assert [path.name for path in store.folder.iterdir()] == ["home.json"]


def test_whoever_comes_second_takes_what_is_stored_and_does_not_call(tmp_path: Path) -> None:
    stored(tmp_path)
    service = Service()
    first = refresh(tmp_path, service)
    assert refresh(tmp_path, service, seen=OLD) == first
    assert service.calls == 1
    again = refresh(tmp_path, service, seen=first)  # this one was refused by the service: it is the stored one
    assert (service.calls, again.secrets["refresh"]) == (2, "refresh-of-round-2")
    late = refresh(tmp_path, service, seen=OLD, now=NOW + 2 * HOUR)  # not seen, but ended long ago
    assert (service.calls, late.secrets["refresh"]) == (3, "refresh-of-round-3")


def test_without_the_lock_of_the_account_nothing_is_asked_or_written(tmp_path: Path) -> None:
    store, service = stored(tmp_path / "state"), Service()
    before = store.path("home").read_bytes()
    with held(tmp_path / "state") as ended:
        pass
    other, elsewhere = held(tmp_path / "state", "other"), held(tmp_path / "elsewhere")
    with other, elsewhere:
        for locks in (held(tmp_path / "state"), ended, other, elsewhere):
            with pytest.raises(InternalError, match="under the lock"):
                asyncio.run(store.refresh("home", service, seen=OLD, locks=locks))
            with pytest.raises(InternalError, match="under the lock"):
                store.save(OLD, locks)
            with pytest.raises(InternalError, match="under the lock"):
                store.forget("home", locks)
    assert (service.calls, store.path("home").read_bytes()) == (0, before)


def test_a_login_that_is_gone_or_refused_says_how_to_log_in(tmp_path: Path) -> None:
    service = Service(good="another one")
    for prepare, word in ((lambda: None, "log in"), (lambda: stored(tmp_path), "log in again")):
        prepare()
        with pytest.raises(AuthError) as caught:
            refresh(tmp_path, service)
        assert (caught.value.where, caught.value.hint) == ("home", f"{word}: cwsync auth login home")
    assert service.calls == 1
    assert TokenStore(tmp_path).load("home") == OLD


def test_a_service_that_cannot_be_asked_costs_nothing(tmp_path: Path) -> None:
    store = stored(tmp_path)

    async def down(_tokens: Tokens) -> Tokens:
        raise UnavailableError("down")

    with pytest.raises(UnavailableError):
        refresh(tmp_path, down)
    assert store.load("home") == OLD


def test_the_answer_of_another_account_is_not_stored(tmp_path: Path) -> None:
    store = stored(tmp_path)

    async def mixed_up(tokens: Tokens) -> Tokens:
        return replace(tokens, account_id="trakt:someone-else")

    with pytest.raises(InternalError, match="another account"):
        refresh(tmp_path, mixed_up)
    assert store.load("home") == OLD


def test_a_full_disk_is_found_before_the_old_token_is_spent(tmp_path: Path) -> None:
    stored(tmp_path)
    service = Service()

    def full(name: str, path: Path) -> None:
        if name == "write" and "home.json" in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    files.set_effect_hook(full)
    with pytest.raises(StateError, match="the disk is full"):
        refresh(tmp_path, service)
    files.set_effect_hook(None)
    assert service.calls == 0
    assert refresh(tmp_path, service).secrets["refresh"] == service.good


@pytest.mark.parametrize("answered", [True, False])
def test_whoever_is_cancelled_while_asking_still_keeps_the_answer(tmp_path: Path, answered: bool) -> None:
    store, service = stored(tmp_path), Service()

    async def scene() -> None:
        asked, answer = asyncio.Event(), asyncio.Event()

        async def slow(tokens: Tokens) -> Tokens:
            asked.set()
            await answer.wait()
            if not answered:
                raise UnavailableError("no answer")
            return await service(tokens)

        with held(tmp_path) as locks:
            task = asyncio.create_task(store.refresh("home", slow, seen=OLD, locks=locks))
            await asked.wait()
            task.cancel()
            await asyncio.sleep(0)
            answer.set()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(scene())
    found = store.load("home")
    assert found is not None
    assert (service.calls, found.secrets["refresh"]) == (int(answered), service.good)


def test_only_a_run_that_writes_renews_in_good_time(tmp_path: Path) -> None:
    """A dry run gives no `early`: it renews what it cannot read without, and nothing else."""
    ends = replace(OLD, expires_at=NOW + HOUR)
    dry, early = TokenStore(tmp_path), TokenStore(tmp_path, early=2 * HOUR)
    assert [dry.due(ends, NOW), early.due(ends, NOW)] == [False, True]
    assert [dry.due(ends, NOW + HOUR), early.due(ends, NOW + HOUR)] == [True, True]
    assert not early.due(replace(OLD, expires_at=None), NOW)


# --- kills ---------------------------------------------------------------------------------------


class CutError(BaseException):
    """The power went."""


def cut_at(number: int, end: Callable[[], object]) -> list[str]:
    """Have `end` called before the effect of this number on the token file. Gives the names of the effects so far."""
    seen: list[str] = []

    def hook(name: str, path: Path) -> None:
        if "tokens" in path.parts[-2:]:
            seen.append(name)
            if len(seen) == number:
                end()

    files.set_effect_hook(hook)
    return seen


def power_cut() -> None:
    raise CutError


def secrets_left(state_dir: Path) -> set[str]:
    """The refresh tokens in whole files, whatever their name."""
    lines = [path.read_text().partition("\n")[2] for path in (state_dir / "tokens").iterdir()]
    return {json.loads("{" + line)["secrets"]["refresh"] for line in lines if line}


ONE_SAVE = ["open", "write", "fsync", "rename", "fsync-dir"]


def test_I7_a_cut_at_any_effect_leaves_old_tokens_or_new_ones(tmp_path: Path) -> None:
    """Lost is only an answer of which not one byte had reached the file; then the login is asked for."""
    lost: list[int] = []
    effects = 2 * len(ONE_SAVE)
    for number in range(1, effects + 2):
        folder = tmp_path / str(number)
        stored(folder)
        service = Service()
        seen = cut_at(number, power_cut)
        cut = True
        try:
            refresh(folder, service)
            cut = False
        except CutError:
            pass
        files.set_effect_hook(None)
        assert cut is (number <= effects)
        assert seen == (ONE_SAVE * 2)[:number]
        assert TokenStore(folder).load("home") is not None  # never neither
        if service.good != "old-refresh-0" and secrets_left(folder) == {"old-refresh-0"}:
            lost.append(number)
            with pytest.raises(AuthError) as caught:
                refresh(folder, service, now=NOW + timedelta(minutes=2))
            assert caught.value.hint == "log in again: cwsync auth login home"
            continue
        refresh(folder, service, now=NOW + timedelta(minutes=2))
        found = TokenStore(folder).load("home")
        assert found is not None
        assert found.secrets["refresh"] == service.good
        assert [path.name for path in (folder / "tokens").iterdir()] == ["home.json"]
    assert lost == [6, 7]  # before the new file is opened, and before it is written
    figure("token refresh", f"cut before each of {effects} effects; old or new each time, {len(lost)} need a login")


def test_what_a_kill_left_without_its_name_is_taken_only_if_it_is_newer_and_ours(tmp_path: Path) -> None:
    store = stored(tmp_path)
    leftover = store.folder / ".home.json.tmp"
    older, other = replace(OLD, obtained_at=NOW - HOUR), replace(OLD, account_id="trakt:x", obtained_at=NOW + HOUR)
    for tokens in (older, other):
        stored(tmp_path, tokens)
        leftover.write_bytes(store.path("home").read_bytes())
        leftover.chmod(0o600)
        stored_data = TokenStore(tmp_path / "plain")
        stored(tmp_path / "plain")
        store.path("home").write_bytes(stored_data.path("home").read_bytes())
        service = Service()
        assert refresh(tmp_path, service).account_id == "trakt:me"
        assert service.calls == 1
    leftover.write_bytes(b'{"schema":1,"chec')
    leftover.chmod(0o600)
    assert refresh(tmp_path, Service(good="refresh-of-round-1"), seen=OLD, now=NOW + 2 * HOUR).account_id == "trakt:me"
    assert not leftover.exists()


PROGRAM = """
import asyncio, os, signal, sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from cwsync import files
from cwsync.errors import AuthError
from cwsync.state import Locks, RunInfo, TokenStore
state, calls, kill_at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
now = datetime.fromisoformat("2024-05-01T20:15:00+00:00").astimezone(timezone.utc)
count = 0
def hook(name, path):
    global count
    if "tokens" in path.parts[-2:]:
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
async def call(tokens):
    spent = calls.read_text().split() if calls.exists() else []
    old = tokens.secrets["refresh"]
    with calls.open("a") as log:
        log.write(old + "\\n")
    if old in spent:
        raise AuthError("invalid_grant")
    new = f"round-{len(spent)}"
    at = now + timedelta(minutes=1 + len(spent))
    return replace(tokens, secrets={"access": f"access-{new}", "refresh": f"refresh-{new}"},
                   obtained_at=at, expires_at=at + timedelta(hours=1))
async def main():
    store = TokenStore(state)
    seen = store.load("home")
    print("ready", flush=True)
    sys.stdin.readline()
    with Locks(state, ["account-home"], None, RunInfo("test", now)) as locks:
        files.set_effect_hook(hook)
        tokens = await store.refresh("home", call, seen=seen, locks=locks, now=now)
    print(tokens.secrets["access"], flush=True)
try:
    asyncio.run(main())
except AuthError as error:
    print(error.hint, flush=True)
"""


def begin(state_dir: Path, kill_at: int = 0) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", PROGRAM, str(state_dir), str(state_dir / "calls"), str(kill_at)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate("go\n", timeout=60)
    return process.returncode, out.removeprefix("ready\n").strip()


def test_I20_two_processes_refresh_once(tmp_path: Path) -> None:
    """Both have the same tokens in hand and both want new ones; the service is asked by one of them."""
    stored(tmp_path)
    both = [begin(tmp_path) for _ in range(2)]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [end(process) for process in both] == [(0, "access-round-0")] * 2
    assert (tmp_path / "calls").read_text() == "old-refresh-0\n"


@pytest.mark.parametrize("kill_at", range(1, 11) if SOAK else (7, 9))
def test_I7_a_killed_process_leaves_tokens_that_the_next_one_can_use(tmp_path: Path, kill_at: int) -> None:
    stored(tmp_path)
    code, _ = end(begin(tmp_path, kill_at))
    assert code == -signal.SIGKILL
    assert TokenStore(tmp_path).load("home") is not None
    code, told = end(begin(tmp_path))
    assert code == 0
    if kill_at in (6, 7):  # the answer died with the process
        assert told == "log in again: cwsync auth login home"
    else:
        assert told.startswith("access-round-")
    figure("token kills", f"SIGKILL before effect {kill_at}: {told}")
