"""Tokens that a service gave to us: `tokens/ACCOUNT.json`, one document an account.

They are sealed (see `sealed`). Whatever writes here needs the `Locks` that hold the lock of the account. There are no
backups: an old secret is of use to nobody but a thief.

A refresh token often works once. So the new pair is stored before it is used or given out; a second
process finds it under the lock and does not ask again; and before the old one is spent it is
stored once more, to see that storing works at all. A kill then means:

- before the request left: nothing has happened;
- between the answer and the first byte of the file: the answer died with the process. The old
  refresh token is spent, the service refuses it: `AuthError` with ``cwsync auth login ACCOUNT``.
  Nothing on this side can do better;
- while the file is written: the old pair stays until the new one is whole. A whole new one that
  had not got its name yet is found by the next refresh, and used.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlsplit

from cwsync import files
from cwsync.errors import AuthError, InternalError, StateError
from cwsync.model import check_when, format_when
from cwsync.redaction import remember
from cwsync.state import strict
from cwsync.state.lock import Locks
from cwsync.state.sealed import seal, unseal

MAX_BYTES: Final = 64 * 1024
_MEMBERS: Final = {"account", "provider", "account_id", "origin", "secrets", "obtained_at", "expires_at"}
_ACCOUNT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SECRET_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_PORTS: Final = {"https": 443, "http": 80}


class Secrets(Mapping[str, str]):
    """Secrets by name. Whoever asks for one by name gets it; printed, formatted or logged it shows only names."""

    __slots__ = ("_by_name",)

    def __init__(self, by_name: Mapping[str, str]) -> None:
        if not by_name or len(by_name) > 8:
            raise ValueError("one to eight secrets make a login")
        for name, secret in by_name.items():
            if not _SECRET_NAME.fullmatch(name):
                raise ValueError("not the name of a secret")
            if not secret.strip() or _CONTROL.search(secret):
                raise ValueError(f"the secret {name!r} is not one line of text")
            remember(secret)
        self._by_name = dict(sorted(by_name.items()))

    def __getitem__(self, name: str) -> str:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"<{', '.join(self._by_name)}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled or copied")


@dataclass(frozen=True, slots=True)
class Tokens:
    """A login at a service.

    `origin` is the service that it is for (``https://api.example.org``); `secrets` has ``access``,
    ``refresh`` and what else there is; `expires_at` is when access ends, None when it does not.
    Raises ``ValueError`` for what cannot be one, without the secrets.
    """

    account: str
    provider: str
    account_id: str
    origin: str
    secrets: Mapping[str, str] = field(hash=False)
    obtained_at: datetime
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if not _ACCOUNT.fullmatch(self.account):
            raise ValueError(f"not the name of an account: {self.account!r}")
        if origin_of(self.origin) != self.origin:
            raise ValueError("origin is not the address of a service, as in https://api.example.org")
        check_when(self.obtained_at)
        check_when(self.expires_at)
        if not isinstance(self.secrets, Secrets):
            object.__setattr__(self, "secrets", Secrets(self.secrets))

    def __reduce__(self) -> NoReturn:
        raise TypeError("tokens are not pickled or copied")

    def expired(self, now: datetime, early: timedelta = timedelta(0)) -> bool:
        """Whether access has ended, or will within `early`."""
        return self.expires_at is not None and self.expires_at - early <= now

    def secret(self, name: str, url: str) -> str:
        """A secret to be sent to `url`. Raises `AuthError` when that is another service, or there is no such secret."""
        if origin_of(url) != self.origin:
            message = f"the login is for {self.origin}, not for {origin_of(url) or 'that address'}"
            raise AuthError(message, where=self.account, hint=login(self.account))
        if name not in self.secrets:
            raise AuthError(f"the login has no {name} token", where=self.account, hint=login(self.account))
        return self.secrets[name]


Refresher = Callable[[Tokens], Awaitable[Tokens]]


def login(account: str) -> str:
    """The hint that helps when tokens do not."""
    return f"log in again: cwsync auth login {account}"


def origin_of(url: str) -> str | None:
    """``https://host`` or ``https://host:8443`` of a URL, in one spelling; None when it has none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not host or _CONTROL.search(url) or "\\" in url:
        return None
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, _PORTS[parts.scheme]) else "")


class TokenStore:
    """The tokens of all accounts. Reading touches nothing and needs no lock.

    `early` is how long before its end a token counts as due: a run that writes may renew in good
    time; a dry run gives nothing, and so renews only what it cannot read without.
    Every method raises `StateError` for damage, a symlink, or eyes of others on the file.
    """

    def __init__(self, state_dir: Path, *, early: timedelta = timedelta(0)) -> None:
        self.folder = state_dir / "tokens"
        self._locks = state_dir / "locks"
        self._early = early

    def path(self, account: str) -> Path:
        """Where the tokens of an account are."""
        if not _ACCOUNT.fullmatch(account):
            raise ValueError(f"not the name of an account: {account!r}")
        return self.folder / f"{account}.json"

    def load(self, account: str) -> Tokens | None:
        """The tokens of an account, None when it never logged in (or logged out)."""
        return self._read(self.path(account), account)

    def due(self, tokens: Tokens, now: datetime) -> bool:
        """Whether tokens should be refreshed before they are used."""
        return tokens.expired(now, self._early)

    def save(self, tokens: Tokens, locks: Locks) -> None:
        """Store tokens, durably, in place of those before."""
        self._prove(tokens.account, locks)
        path = self.path(tokens.account)
        files.make_dir(self.folder)
        self._refuse_eyes(self.folder, 700)
        files.replace_file(path, _encode(tokens))

    def forget(self, account: str, locks: Locks) -> bool:
        """Remove the tokens of an account, durably; damaged ones too. Gives whether there were any."""
        self._prove(account, locks)
        path = self.path(account)
        files.refuse_symlink(self.folder)
        found = False
        with files.disk_errors(path):
            # A link goes, what it leads to stays. What a kill left half written holds secrets as well.
            for one in (self._leftover(path), path):
                if one.is_symlink() or one.exists():
                    files.remove_file(one)
                    found = True
            if found:
                files.sync_dir(self.folder)
        return found

    async def refresh(
        self, account: str, call: Refresher, *, seen: Tokens, locks: Locks, now: datetime | None = None
    ) -> Tokens:
        """Tokens that are newer than `seen`: those someone else stored meanwhile, else what `call` answers, stored.

        `call` asks the service, once; it gets the tokens to renew, and raises `AuthError` when the
        service does not take them any more, `UnavailableError` when it cannot be asked. Its answer
        is stored before anyone gets it. Raises `AuthError` when there is no login (any more).
        """
        self._prove(account, locks)
        stored = self._rescued(account)
        if stored is None:
            raise AuthError("not logged in", where=account, hint=login(account))
        if stored != seen and not stored.expired(now or datetime.now(UTC)):
            return stored
        # If the disk does not take them now, it is better to know before the old ones are spent.
        self.save(stored, locks)
        try:
            return await self._renewed(stored, call, locks)
        except AuthError as error:
            raise AuthError(error.message, where=error.where or account, hint=error.hint or login(account)) from error

    async def _renewed(self, stored: Tokens, call: Refresher, locks: Locks) -> Tokens:
        request = asyncio.ensure_future(call(stored))
        try:
            fresh = await asyncio.shield(request)
        except asyncio.CancelledError:
            # The old ones may be spent by now, and the answer comes once: it is waited for, and kept.
            await asyncio.wait([request])
            if not request.cancelled() and request.exception() is None:
                self._store_answer(stored, request.result(), locks)
            raise
        return self._store_answer(stored, fresh, locks)

    def _store_answer(self, stored: Tokens, fresh: Tokens, locks: Locks) -> Tokens:
        if _whose(fresh) != _whose(stored):
            raise InternalError("the refreshed tokens are those of another account", where=stored.account)
        self.save(fresh, locks)
        return fresh

    def _rescued(self, account: str) -> Tokens | None:
        """The stored tokens, or newer ones of the same login that were whole when a kill kept them from their name."""
        path = self.path(account)
        stored = self._read(path, account)
        leftover = self._leftover(path)
        files.refuse_symlink(leftover)
        if stored is None or not leftover.exists():
            return stored
        try:
            newer = self._read(leftover, account)
        except StateError:
            return stored
        if newer is None or _whose(newer) != _whose(stored) or newer.obtained_at <= stored.obtained_at:
            return stored
        with files.disk_errors(path):
            # Nobody knows whether its bytes had reached the disk.
            files.replace_file(path, _encode(newer))
        return newer

    def _leftover(self, path: Path) -> Path:
        return path.with_name(f".{path.name}.tmp")

    def _prove(self, account: str, locks: Locks) -> None:
        if locks.folder != self._locks or not locks.holds(f"account-{account}"):
            raise InternalError("tokens are written under the lock of their account only", where=account)

    def _read(self, path: Path, account: str) -> Tokens | None:
        files.refuse_symlink(self.folder)
        data = files.read_file(path, MAX_BYTES + 1)
        if data is None:
            return None
        self._refuse_eyes(self.folder, 700)
        self._refuse_eyes(path, 600)
        try:
            tokens = _decode(data)
        except ValueError as error:
            # Not the cause: the reader quotes what it could not read.
            problem = str(error)
        else:
            if tokens.account == account:
                return tokens
            problem = f"they are those of the account {tokens.account!r}"
        raise StateError(f"the tokens are damaged: {problem}", where=str(path), hint=login(account))

    def _refuse_eyes(self, path: Path, mode: int) -> None:
        with files.disk_errors(path):
            if files.is_private(path):
                return
        raise StateError(
            "others can read or write it",
            where=str(path),
            hint=f"chmod {mode} '{path}'; if anyone else may have read it, log out and in again",
        )


def _whose(tokens: Tokens) -> tuple[str, str, str, str]:
    return tokens.account, tokens.provider, tokens.account_id, tokens.origin


def _encode(tokens: Tokens) -> bytes:
    document = {
        "account": tokens.account,
        "provider": tokens.provider,
        "account_id": tokens.account_id,
        "origin": tokens.origin,
        "secrets": dict(tokens.secrets),
        "obtained_at": format_when(tokens.obtained_at),
        "expires_at": format_when(tokens.expires_at),
    }
    sealed = seal(document)
    if len(sealed) > MAX_BYTES:
        raise InternalError("these tokens are larger than any service's", where=tokens.account)
    return sealed


def _decode(data: bytes) -> Tokens:
    """Read a document. Raises ``ValueError`` that says nothing of what is in it, `StateError` for a newer schema."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"longer than {MAX_BYTES} bytes")
    document = unseal(data)
    if set(document) != _MEMBERS:
        raise ValueError("its members are not those of tokens")
    return Tokens(
        strict.member(document, "account", str),
        strict.member(document, "provider", str),
        strict.member(document, "account_id", str),
        strict.member(document, "origin", str),
        Secrets({name: strict.typed(one, str, "text") for name, one in strict.table(document["secrets"]).items()}),
        strict.instant(document["obtained_at"]),
        strict.optional_instant(document, "expires_at"),
    )
