"""Every error that cwsync raises on purpose, each class with its exit code.

An error says what failed and where; `hint` is the exact command or edit that helps. `code` is a
stable word for scripts. A message never holds a secret.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """The exit codes of the outside contract."""

    OK = 0
    BUG = 1
    USAGE = 2
    PARTIAL = 3
    GUARD = 4
    LOGIN = 6
    STATE = 7
    CHANGES = 10
    LATER = 75
    SIGINT = 130
    SIGTERM = 143


# Several pairs: the worst one is what the run says.
_SEVERITY: tuple[int, ...] = (130, 143, 1, 2, 7, 6, 4, 75, 3, 10, 0)


def worst(codes: list[int]) -> int:
    """The exit code of a run over several pairs."""
    return min(codes, key=_SEVERITY.index, default=0)


class CwsyncError(Exception):
    """Base of all. `where` is a file, a key path or an account."""

    exit_code: ClassVar[Exit] = Exit.BUG
    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str | None = None, where: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class UsageError(CwsyncError):
    """The command line asks for something that cannot be."""

    exit_code = Exit.USAGE
    code = "usage"


class ConfigError(CwsyncError):
    """`pairs.toml`, an environment variable or a secret's source is wrong."""

    exit_code = Exit.USAGE
    code = "config"


class DataError(CwsyncError):
    """A local data file (tracker, CSV) cannot be read. Never an empty feature, and it does not mend itself."""

    exit_code = Exit.USAGE
    code = "data"


class StalePlanError(CwsyncError):
    """A saved plan, or an accepted digest, is not of this world any more."""

    exit_code = Exit.GUARD
    code = "stale-plan"


class AuthError(CwsyncError):
    """The provider does not know us (any more)."""

    exit_code = Exit.LOGIN
    code = "auth"


class StateError(CwsyncError):
    """State or journal is damaged, newer than we are, or cannot be made durable."""

    exit_code = Exit.STATE
    code = "state"


class LockedError(CwsyncError):
    """Another run holds a lock we need."""

    exit_code = Exit.LATER
    code = "locked"


class UnavailableError(CwsyncError):
    """The provider, the network or the disk is not there just now; later is right."""

    exit_code = Exit.LATER
    code = "unavailable"


class InternalError(CwsyncError):
    """Our own bug, found before any write."""

    exit_code = Exit.BUG
    code = "internal"
