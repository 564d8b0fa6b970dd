"""What the state machines stand on: films, the sorts of worlds there are, two accounts and what a test knows of them.

Nothing here runs or checks anything: see `checks` for what every request and report is held against.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from cwsync.model import Change, Conflict, Feature, Item, Kind, Mode, Op, Outcome, PastRun, Position, Rated, Row, Value
from support.engine import Mischief, World
from support.memory import Store, same
from support.world import listed, movie, played, stopped

RATINGS, HISTORY, WATCHLIST, PROGRESS = Feature.RATINGS, Feature.HISTORY, Feature.WATCHLIST, Feature.PROGRESS
NAMES = ("home", "away")
FILMS = tuple(movie(n) for n in range(1, 4))
ANCHOR = movie(99)  # nobody ever touches it, so that no side is ever empty
CROWD = tuple(movie(n) for n in range(50, 72))  # where guards are at their defaults, so that they can trip
COARSE = (20, 40, 60, 80, 100)
DAY_S = 86400
GOOD = (Outcome.CONFIRMED, Outcome.ALREADY)
FIRED: Counter[str] = Counter()  # how often each rule did something, over all examples
REVERSE = {Op.ADD: Op.REMOVE, Op.UPDATE: Op.UPDATE, Op.REMOVE: Op.ADD}

names, films = st.sampled_from(NAMES), st.sampled_from(FILMS)
picks = st.integers(0, 3)  # which of the features of the pair

Touch = tuple[Feature, str, str]  # a feature, an account and the first id of a film
Rows = dict[Feature, dict[str, Row]]


def folder(prefix: str) -> Path:
    """A new folder for state, where syncing a file costs nothing if there is such a place."""
    memory = Path("/dev/shm")  # noqa: S108 - only the folder made in it is used
    return Path(tempfile.mkdtemp(prefix=prefix, dir=memory if os.access(memory, os.W_OK) else None))


@dataclass(frozen=True)
class Profile:
    """What sort of world an example lives in."""

    mode: Mode
    conflict: Conflict
    window: bool  # reads lag behind writes, and the services say so
    stamps: bool  # the services have activity stamps
    coarse: bool  # away knows five scores only
    precision_s: int  # how finely away keeps times
    drops: bool  # away takes what is rated or watched off its watchlist
    careful: bool  # a removal is seen twice before it is believed
    remove: bool
    mirror: bool
    guards: bool  # at their defaults
    features: tuple[Feature, ...]


def profiles() -> st.SearchStrategy[Profile]:
    """Every world; the first of each list is the plainest."""
    return st.builds(
        Profile,
        mode=st.sampled_from((Mode.TWO_WAY, Mode.TWO_WAY, Mode.ONE_WAY)),
        conflict=st.sampled_from(list(Conflict)),
        window=st.booleans(),
        stamps=st.booleans(),
        coarse=st.booleans(),
        precision_s=st.sampled_from((0, 0, 60, DAY_S)),
        drops=st.booleans(),
        careful=st.booleans(),
        remove=st.sampled_from((True, True, True, False)),
        mirror=st.booleans(),
        guards=st.sampled_from((False, False, True)),
        features=st.sampled_from(
            ((RATINGS, HISTORY), (RATINGS, WATCHLIST), (WATCHLIST, PROGRESS), (RATINGS, HISTORY, WATCHLIST, PROGRESS))
        ),
    )


@dataclass(frozen=True)
class Scope:
    """The filters of the pair: a baseline made under other ones is no ground for a removal."""

    types: frozenset[Kind] = frozenset(Kind)
    since: date | None = None
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deed:
    """One write of a past run that was confirmed, or (not `proved`) may have happened."""

    account: str
    change: Change
    proved: bool

    def reversed_by(self, name: str, change: Change) -> bool:
        """Whether a change takes this back."""
        done = self.change
        alike = name == self.account and change.feature is done.feature and same(change.item, done.item)
        return alike and change.op is REVERSE[done.op] and number(change.after) == number(done.before)


def deeds_of(run: PastRun) -> list[Deed]:
    """What a past run did or may have done."""
    ends = {"source": run.source or "", "target": run.target or ""}
    landed = (Outcome.CONFIRMED, Outcome.UNKNOWN)
    return [
        Deed(ends[one.change.side], one.change, one.outcome is Outcome.CONFIRMED)
        for one in run.changes
        if one.outcome in landed
    ]


def number(value: Value | None) -> int:
    """A value as a number: a score, a position in seconds, or one for presence."""
    if isinstance(value, Rated):
        return value.score
    if isinstance(value, Position):
        return value.ms // 1000
    return int(value is not None)


def agreements(rows: dict[str, Row]) -> dict[str, tuple[Value | None, Value | None]]:
    """What a baseline says of both sides, without marks: those of a side effect are set by other features."""
    return {key: (row.source, row.target) for key, row in rows.items() if row.agreed}


def film_of(item: Item, among: Sequence[Item] = FILMS) -> Item | None:
    """The film that an item is, whatever ids it is told by."""
    return next((film for film in among if same(film, item)), None)


class Meddled(World):
    """A world in which someone can do something between the reads and the first write of a run."""

    between: Callable[[], None] | None = None

    def _effect(self, name: str) -> None:
        if self.between is not None and all(login.lies.fetched for login in self.logins.values()):
            happen, self.between = self.between, None
            happen()
        super()._effect(name)


class Ground(RuleBasedStateMachine):
    """The world, and what only the test knows of it."""

    profile: Profile
    mode: Mode
    conflict: Conflict
    lag: timedelta | None

    def __init__(self) -> None:
        super().__init__()
        self.folder = folder("machine-")
        self.world = Meddled(self.folder)
        self.ends = NAMES
        self.scope = Scope()
        self.scopes: dict[tuple[Feature, str], Scope] = {}  # under which filters a baseline was stored, by fingerprint
        self.gone: set[tuple[Feature, str]] = set()  # what a user ever took away
        self.edits: set[Touch] = set()  # what a user did on one side since both sides were last equal
        self.plays: Counter[str] = Counter()  # how many plays of a film users ever made
        self.finished: dict[str, bytes] = {}
        self.loaded = b""
        self.restored = False  # an older state was put back, and no run has stored one since
        self.shaken = False  # the baseline was forgotten, or a write is in doubt: the law then only reports
        self.broken_in = False  # a lie that claimed to be whole was told, and no honest run has been since
        self.behind = timedelta(0)  # how far clocks were put back
        self.taking: list[Deed] | None = None  # what the run did that is being taken back now
        self.apart: set[tuple[Feature, str]] = set()  # what an undo left different on both sides, as it should
        self.undone: dict[tuple[Feature, str], str] = {}  # of that, what nobody has edited since: on which account

    @property
    def mirrors(self) -> bool:
        """Whether the target loses what the source never had."""
        return self.mode is Mode.ONE_WAY and self.profile.mirror and self.profile.remove

    def feature(self, pick: int) -> Feature:
        return self.profile.features[pick % len(self.profile.features)]

    def store(self, name: str) -> Store:
        return self.world.logins[name].store

    def lies(self, name: str) -> Mischief:
        return self.world.logins[name].lies

    def other(self, name: str) -> str:
        return NAMES[name == NAMES[0]]

    def stored(self) -> Rows:
        """The rows of each feature, as they are on the disk now."""
        state = self.world.state()
        return {feature: dict(state[feature].rows) if feature in state else {} for feature in self.profile.features}

    def value(self, name: str, feature: Feature, n: int) -> Value:
        """Value number `n` (from 1 to 10), as the account holds it."""
        now = self.world.clock()
        if feature is WATCHLIST:
            return listed(now)
        if feature is HISTORY:
            return played(now)
        if feature is PROGRESS:
            return stopped(8 * n, 100, now)
        step = 20 if self.profile.coarse and name == "away" else 10
        return Rated(-(-10 * n // step) * step, now)
