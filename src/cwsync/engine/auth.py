"""Logging in and out, and how logins stand. What a service wants of a person is the provider's affair."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cwsync.engine.options import Home
from cwsync.engine.services import services_for
from cwsync.errors import AuthError, CwsyncError, Exit, InternalError, StateError, UsageError
from cwsync.model import AccountSpec, LoginState, LoginStatus, LogoutReport, SecretRef, Settings
from cwsync.provider import LogsIn, Person, login_of, tells_end
from cwsync.state import Locks, RunInfo, TokenStore
from cwsync.tokens import Tokens, login

DescribeSecret = Callable[[SecretRef, Mapping[str, str]], tuple[bool, str]]


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """What a login led to. `before` is whose login it replaced, when that was another account of the service."""

    status: LoginStatus
    before: str | None = None


def log_in(account: AccountSpec, home: Home, person: Person) -> LoggedIn:
    """Log an account in, and keep what the service gives, in place of what there was.

    The account stays locked meanwhile, so that no run uses the old login while it is replaced.
    Raises `UsageError` for an account that needs no login, `LockedError`, and what `LogsIn.login` raises.
    """
    flow = _flow(account)
    store = TokenStore(home.state_dir)
    with _locked(account, home, "login") as locks:
        before = _before(store, account)
        tokens = asyncio.run(flow.login(account, services_for(account, home), person))
        if (tokens.account, tokens.provider) != (account.name, account.provider):
            raise InternalError("the login is that of another account", where=account.name)
        store.save(tokens, locks)
    other = before is not None and before.account_id != tokens.account_id
    return LoggedIn(_logged_in(store, tokens, datetime.now(UTC)), before.account_id if before and other else None)


def _before(store: TokenStore, account: AccountSpec) -> Tokens | None:
    """The login that is replaced. A damaged one is replaced as well."""
    try:
        return store.load(account.name)
    except StateError:
        return None


def log_out(account: AccountSpec, home: Home) -> LogoutReport:
    """Have the service forget a login, if it can, and forget it here, whatever the service says.

    Raises `UsageError` for an account that has none by its nature, `LockedError`, `StateError`.
    """
    flow = _flow(account)
    store = TokenStore(home.state_dir)
    revoked: bool | None = None
    problem: str | None = None
    with _locked(account, home, "logout") as locks:
        try:
            tokens = store.load(account.name)
            if tokens is not None:
                revoked = asyncio.run(flow.logout(account, services_for(account, home, locks=locks), tokens))
        except AuthError:
            revoked = True  # it does not know them any more
        except CwsyncError as error:
            revoked, problem = False, str(error)
        forgotten = store.forget(account.name, locks)
    return LogoutReport(account.name, account.provider, forgotten, revoked, problem)


def login_statuses(
    settings: Settings, names: Iterable[str], home: Home, environ: Mapping[str, str], describe: DescribeSecret
) -> tuple[LoginStatus, ...]:
    """How the logins of accounts stand, from what is kept here: no service is asked, nothing is written."""
    now = datetime.now(UTC)
    found = []
    for name in names:
        status = _status(settings.accounts[name], home, environ, describe, now)
        if status.state is LoginState.MISSING and settings.asked_for_ids_alone(name):
            status = LoginStatus(name, status.provider, LoginState.IDS_ALONE)
        found.append(status)
    return tuple(found)


def _status(
    account: AccountSpec, home: Home, environ: Mapping[str, str], describe: DescribeSecret, now: datetime
) -> LoginStatus:
    flow = login_of(account.provider)
    if flow is None:
        return LoginStatus(account.name, account.provider, LoginState.NOT_NEEDED)
    secret = account.secrets.get(flow.replaces_login) if flow.replaces_login else None
    if secret is not None:
        ok, text = describe(secret, environ)
        if ok:
            return _replaced(account, home, secret, text, now)
        broken = LoginState.BROKEN
        return LoginStatus(account.name, account.provider, broken, str(secret), problem=text, exit_code=int(Exit.USAGE))
    store = TokenStore(home.state_dir)
    try:
        tokens = store.load(account.name)
    except CwsyncError as error:
        return LoginStatus(
            account.name,
            account.provider,
            LoginState.BROKEN,
            str(store.path(account.name)),
            problem=error.message,
            hint=error.hint,
            exit_code=int(error.exit_code),
        )
    if tokens is None:
        hint = f"log in: cwsync auth login {account.name}"
        return LoginStatus(account.name, account.provider, LoginState.MISSING, hint=hint, exit_code=int(Exit.LOGIN))
    return _logged_in(store, tokens, now)


def _replaced(account: AccountSpec, home: Home, secret: SecretRef, text: str, now: datetime) -> LoginStatus:
    """A secret that stands in for a login. No program is run only to look at it."""
    status = LoginStatus(account.name, account.provider, LoginState.REPLACED, text)
    reader = tells_end(account.provider)
    if reader is None or secret.source == "command":
        return status
    try:
        until = reader.end_of(home.resolve(secret, where=f"accounts.{account.name}"))
    except CwsyncError as error:
        code = int(error.exit_code)
        return replace(status, state=LoginState.BROKEN, problem=error.message, hint=error.hint, exit_code=code)
    if until is None or until > now:
        return replace(status, expires_at=until)
    hint = f"get another one, or take it out of [accounts.{account.name}] and log in: cwsync auth login {account.name}"
    return replace(status, state=LoginState.EXPIRED, expires_at=until, hint=hint, exit_code=int(Exit.LOGIN))


def _logged_in(store: TokenStore, tokens: Tokens, now: datetime) -> LoginStatus:
    renews = "refresh" in tokens.secrets
    dead = tokens.expired(now) and not renews
    return LoginStatus(
        tokens.account,
        tokens.provider,
        LoginState.EXPIRED if dead else LoginState.LOGGED_IN,
        str(store.path(tokens.account)),
        tokens.account_id,
        tokens.obtained_at,
        tokens.expires_at,
        renews,
        dict(tokens.chosen),
        hint=login(tokens.account) if dead else None,
        exit_code=int(Exit.LOGIN) if dead else 0,
    )


def _flow(account: AccountSpec) -> type[LogsIn]:
    flow = login_of(account.provider)
    if flow is None:
        raise UsageError(f"a {account.provider} account has no login", where=account.name)
    if flow.replaces_login is not None and flow.replaces_login in account.secrets:
        ref = account.secrets[flow.replaces_login]
        hint = f"take {flow.replaces_login} out of [accounts.{account.name}] to log in instead"
        raise UsageError(
            f"its {flow.replaces_login} comes from {ref}, so there is no login", where=account.name, hint=hint
        )
    return flow


def _locked(account: AccountSpec, home: Home, word: str) -> Locks:
    info = RunInfo(f"cwsync auth {word} {account.name}", datetime.now(UTC))
    return Locks(home.state_dir, [f"account-{account.name}"], 0.0, info)
