"""What the user asked for: accounts, pairs, features and guards, as frozen data.

`config` builds these from `pairs.toml`; everything after it sees only these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

from cwsync.model.items import Feature, Kind


class Mode(StrEnum):
    """Which sides of a pair are written."""

    ONE_WAY = "one-way"
    TWO_WAY = "two-way"


class Conflict(StrEnum):
    """Who wins when both sides changed (see the law, section 3)."""

    SOURCE = "source"
    TARGET = "target"
    NEWEST = "newest"
    KEEP = "keep"
    SKIP = "skip"


class RemoveMode(StrEnum):
    """What a one-way pair removes once `remove` is on."""

    FOLLOW = "follow"
    MIRROR = "mirror"


class Match(StrEnum):
    """How rows without usable ids are matched."""

    IDS = "ids"
    TITLE_YEAR = "title-year"


class Plays(StrEnum):
    """Which plays of an item the history feature keeps in step."""

    NEWEST = "newest"
    ALL = "all"


class OnGuard(StrEnum):
    """What a tripped guard on removals does to the rest of the feature."""

    STOP = "stop"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret comes from, and how to get it. `str()` never shows the secret itself.

    `source` is ``inline``, ``env``, ``file``, ``command`` or ``credential``; `detail` names the
    variable, the file, the program or the credential (for ``inline``: the config key).
    """

    source: str
    detail: str
    argv: tuple[str, ...] = ()
    inline: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.source} {self.detail}" if self.source != "inline" else "written in the file"


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """One login at one provider.

    `options` holds the provider's own keys, already of the declared type, paths made absolute.
    `staleness` is how long reads may lag behind a write (None: the provider's own default).
    """

    name: str
    provider: str
    options: Mapping[str, object] = field(default_factory=dict)
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    staleness: timedelta | None = None
    timeout: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """The rules of one feature of one pair."""

    feature: Feature
    add: bool = True
    update: bool = True
    remove: bool = False
    remove_mode: RemoveMode = RemoveMode.FOLLOW
    conflict: Conflict = Conflict.SOURCE
    hold_new: timedelta = timedelta(0)
    hold_removed: timedelta | None = None  # None is "auto"
    types: frozenset[Kind] = frozenset(Kind)
    since: date | None = None
    until: date | None = None
    plays: Plays = Plays.NEWEST
    min_seconds: int = 60
    delta_seconds: int = 30
    max_percent: int = 95


@dataclass(frozen=True, slots=True)
class GuardSpec:
    """The numbers at which a run refuses to write (see the law, section 6)."""

    max_remove_percent: int = 10
    max_remove: int = 100
    free_removes: int = 5
    max_add_percent: int = 50
    free_adds: int = 50
    max_update_percent: int = 30
    free_updates: int = 10
    min_overlap_percent: int = 90
    on_guard: OnGuard = OnGuard.STOP


@dataclass(frozen=True, slots=True)
class PairSpec:
    """Two accounts, a direction, and the features to keep in step. Features stand in run order.

    `ids` is the account to ask for ids that items lack, if any; `anime` are its own rules of which
    anime is which, as they stand in the file.
    """

    name: str
    source: AccountSpec
    target: AccountSpec
    mode: Mode = Mode.ONE_WAY
    features: tuple[FeatureSpec, ...] = ()
    guards: GuardSpec = GuardSpec()
    match: Match = Match.IDS
    ids: AccountSpec | None = None
    anime: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole `pairs.toml`, checked. `path` is the file it came from."""

    path: Path
    accounts: Mapping[str, AccountSpec]
    pairs: Mapping[str, PairSpec]

    def asked_for_ids_alone(self, account: str) -> bool:
        """Whether pairs use an account for nothing but the ids of titles: nobody is logged in for that."""
        synced = {name for pair in self.pairs.values() for name in (pair.source.name, pair.target.name)}
        return account not in synced and any(one.ids and one.ids.name == account for one in self.pairs.values())
