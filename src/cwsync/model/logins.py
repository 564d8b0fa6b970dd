"""What `auth` says: the login of an account, and what became of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class LoginState(StrEnum):
    """How an account stands with its service, as far as can be told without asking it."""

    NOT_NEEDED = "not needed"
    REPLACED = "not needed: a secret of the file stands in for it"
    IDS_ALONE = "not needed: it is asked for ids alone"
    LOGGED_IN = "logged in"
    EXPIRED = "expired"  # and nothing there to renew it with
    MISSING = "not logged in"
    BROKEN = "broken"  # the tokens, or the secret, cannot be read

    @property
    def good(self) -> bool:
        """Whether a run can go ahead with it."""
        return self not in (LoginState.EXPIRED, LoginState.MISSING, LoginState.BROKEN)


@dataclass(frozen=True, slots=True)
class LoginStatus:
    """One account. `comes_from` is where its token is kept, or the secret that stands in for it; never the secret.

    `expires_at` is None for a login that does not end; `renews` says that it is renewed without anyone's help.
    `problem` says in words what is wrong, and `exit_code` goes with it.
    """

    account: str
    provider: str
    state: LoginState
    comes_from: str = ""
    account_id: str | None = None
    obtained_at: datetime | None = None
    expires_at: datetime | None = None
    renews: bool = False
    chosen: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None
    hint: str | None = None
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class LogoutReport:
    """What became of a login. `revoked` is None when the service was not asked; `problem` says why it did not work."""

    account: str
    provider: str
    forgotten: bool
    revoked: bool | None = None
    problem: str | None = None
