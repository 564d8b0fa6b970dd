"""What one command line asks of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from cwsync.errors import ConfigError
from cwsync.model import Feature, SecretRef
from cwsync.redaction import remember


class IfLocked(StrEnum):
    """What to do when another run holds a lock we need, after `lock_timeout`."""

    FAIL = "fail"  # exit 75
    SKIP = "skip"  # leave the pair out, exit 0 for it
    WAIT = "wait"  # for as long as it takes


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of `plan` and `run`.

    `features` None means all the pair has. `limit` is the most writes per feature. `since` and
    `until` bound the records' own time (both ends included). `accept` is a digest printed by a
    refusal. `now` is set when a saved plan is applied: the plan is made as of that moment.
    """

    apply: bool = False
    features: frozenset[Feature] | None = None
    full: bool = False
    limit: int | None = None
    since: date | None = None
    until: date | None = None
    adds_only: bool = False
    lock_timeout_s: float = 0.0
    if_locked: IfLocked = IfLocked.FAIL
    accept: str | None = None
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of long work: `done` of `total` (None: unknown) in `phase` of `pair`."""

    pair: str
    phase: str
    done: int
    total: int | None


OnProgress = Callable[[Progress], None]


def no_progress(_step: Progress) -> None:
    """For callers who show nothing."""


def inline_secret(ref: SecretRef, *, where: str) -> str:
    """For callers without a configuration: secrets that stand in the file themselves, and no other."""
    if ref.inline is None:
        raise ConfigError(f"no secret from {ref}", where=where)
    return remember(ref.inline)


class ResolveSecret(Protocol):
    """How the value of a secret is had."""

    def __call__(self, ref: SecretRef, *, where: str) -> str:
        """The secret. `where` is the key that wants it. Raises `ConfigError`."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where state lives on this machine, who to tell how far the work is, and how secrets are had."""

    state_dir: Path
    on_progress: OnProgress = no_progress
    resolve: ResolveSecret = inline_secret
