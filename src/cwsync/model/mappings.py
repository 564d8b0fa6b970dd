"""The mapping of anime that is kept in the state folder: what is known of it, and what an update did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

STALE: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Tag:
    """The mark by which a host knows a version of a file. `origin` is the host that gave it."""

    text: str
    origin: str


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a kept mapping. `generated_on` is when its makers made it, `checked_at` when we last asked.

    `sources` are the titles of the data set, `links` the connections between them, `skipped` what is not
    used, by the word for it. `n_bytes` is the size of the download.
    """

    url: str
    version: str
    generated_on: datetime | None
    fetched_at: datetime
    checked_at: datetime
    n_bytes: int
    sources: int
    links: int
    skipped: Mapping[str, int]
    tag: Tag | None = None

    def is_stale(self, now: datetime) -> bool:
        """Whether nobody asked for a newer one for a while."""
        return now - self.checked_at > STALE


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update did. `new` is false when there was nothing newer; `before` is what was there."""

    about: About
    path: Path
    new: bool
    before: About | None


@dataclass(frozen=True, slots=True)
class Kept:
    """How the kept mapping is. `about` is None when there is none, or when `problem` says what is wrong with it."""

    path: Path
    size: int = 0
    about: About | None = None
    problem: str | None = None
    newer: bool = False
