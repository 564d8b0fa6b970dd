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
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cwsync import files
from cwsync.errors import AuthError, InternalError, StateError
from cwsync.model import format_when
from cwsync.state import strict
from cwsync.state.lock import Locks
from cwsync.state.sealed import seal, unseal
from cwsync.tokens import ACCOUNT, Refresher, Secrets, Tokens, login, not_logged_in

MAX_BYTES: Final = 64 * 1024
_MEMBERS: Final = {"account", "provider", "account_id", "origin", "secrets", "obtained_at", "expires_at"}


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
        if not ACCOUNT.fullmatch(account):
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
            raise not_logged_in(account)
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
    document: dict[str, object] = {
        "account": tokens.account,
        "provider": tokens.provider,
        "account_id": tokens.account_id,
        "origin": tokens.origin,
        "secrets": dict(tokens.secrets),
        "obtained_at": format_when(tokens.obtained_at),
        "expires_at": format_when(tokens.expires_at),
    }
    if tokens.chosen:
        document["chosen"] = dict(tokens.chosen)
    sealed = seal(document)
    if len(sealed) > MAX_BYTES:
        raise InternalError("these tokens are larger than any service's", where=tokens.account)
    return sealed


def _decode(data: bytes) -> Tokens:
    """Read a document. Raises ``ValueError`` that says nothing of what is in it, `StateError` for a newer schema."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"longer than {MAX_BYTES} bytes")
    document = unseal(data)
    if set(document) - {"chosen"} != _MEMBERS:
        raise ValueError("its members are not those of tokens")
    return Tokens(
        strict.member(document, "account", str),
        strict.member(document, "provider", str),
        strict.member(document, "account_id", str),
        strict.member(document, "origin", str),
        Secrets({name: strict.typed(one, str, "text") for name, one in strict.table(document["secrets"]).items()}),
        strict.instant(document["obtained_at"]),
        strict.optional_instant(document, "expires_at"),
        _chosen(document.get("chosen", {})),
    )


def _chosen(table: object) -> Mapping[str, str]:
    return {name: strict.typed(text, str, "text") for name, text in strict.table(table).items()}
