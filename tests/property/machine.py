"""Two lying accounts and one pair between them: what every rule of the machine stands on, and what always holds.

The rules themselves are in `rules_people` (what users and services do), `rules_network` (lies) and
`rules_runs` (runs and the state on disk). A check names the invariant of the law that it asserts.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition

from cwsync.errors import StateError
from cwsync.model import (
    Change,
    Conflict,
    Feature,
    FeatureSpec,
    GuardSpec,
    Item,
    Mode,
    Op,
    Outcome,
    PairReport,
    Position,
    Rated,
    RemoveMode,
    Row,
    Value,
)
from cwsync.state import read_journal
from support.engine import MINUTE, WIDE, WINDOW, Mischief, World, behave
from support.memory import Store, calm, capable, same
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

names, films = st.sampled_from(NAMES), st.sampled_from(FILMS)
picks = st.integers(0, 3)  # which of the features of the pair

Touch = tuple[Feature, str, str]  # a feature, an account and the first id of a film


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


def number(value: Value | None) -> int:
    """A value as a number: a score, a position in seconds, or one for presence."""
    if isinstance(value, Rated):
        return value.score
    if isinstance(value, Position):
        return value.ms // 1000
    return int(value is not None)


class Accounts(RuleBasedStateMachine):
    """The world, and what may never happen in it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.world = World(self.folder)
        self.ends = NAMES
        self.gone: set[tuple[Feature, str]] = set()  # what a user ever took away
        self.edits: set[Touch] = set()  # what a user did on one side since both sides were last equal
        self.plays: Counter[str] = Counter()  # how many plays of a film users ever made
        self.finished: dict[str, bytes] = {}
        self.shaken = False  # the baseline was forgotten, or a write is in doubt: the law then only reports
        self.broken_in = False  # a lie that claimed to be whole was told, and no honest run has been since
        self.behind = timedelta(0)  # how far clocks were put back

    def teardown(self) -> None:
        try:
            if self.world.pairs:
                self.come_to_rest()
        finally:
            shutil.rmtree(self.folder)

    @initialize(profile=profiles())
    def begin(self, profile: Profile) -> None:
        self.profile = profile
        self.mode, self.conflict = profile.mode, profile.conflict
        for name in NAMES:
            self._account(name)
        self.lag = WINDOW - MINUTE if profile.window else None
        self.define()
        self.run_pair()

    def _account(self, name: str) -> None:
        one, away = self.profile, name == "away"
        every = {
            "stamp_moves_on_removal": one.stamps,
            "idempotent_add": False,
            "batch": 2,
            "precision_s": one.precision_s if away else 0,
        }
        grid = {"scores": COARSE} if one.coarse and away else {}
        drops = frozenset({RATINGS, HISTORY}) if one.drops and away else frozenset[Feature]()
        able = capable({RATINGS: grid}, every=every, drops_from_watchlist=drops)
        store = self.world.account(name, able, WINDOW if one.window else None)
        known = (*FILMS[:2], *(CROWD if one.guards else ()), ANCHOR)
        for feature in one.features:
            for film in known if feature is not HISTORY else (ANCHOR,):
                store.put(feature, (film, self.value(name, feature, 6)))

    def define(self) -> None:
        """Write the pair as it is to be from now on."""
        one = self.profile
        specs = [
            FeatureSpec(
                feature,
                conflict=self.conflict,
                remove=one.remove,
                remove_mode=RemoveMode.MIRROR if self.mirrors else RemoveMode.FOLLOW,
                hold_removed=10 * MINUTE if one.careful else timedelta(0),
            )
            for feature in one.features
        ]
        guards = GuardSpec() if one.guards else WIDE
        self.world.pair(*self.ends, *specs, mode=self.mode, guards=guards, name="pair")

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

    # --- runs, and what each of them is held against ----------------------------------------------------

    def run_pair(self, act: Callable[[], PairReport | None] | None = None) -> PairReport | None:
        """Run, and hold every request and the report against the law."""
        before = {feature: self.world.rows(feature) for feature in self.profile.features}
        sent = {name: len(self.lies(name).sent) for name in NAMES}
        unfinished = self.world.path("journal.jsonl").exists()
        trusted = not unfinished and not self.shaken
        self.began = self.world.clock()
        for name in NAMES:
            self.lies(name).before_apply = self._watch(name, {} if unfinished else before)
        report = act() if act else self.world.run()
        wrote = {name: self.lies(name).sent[sent[name] :] for name in NAMES}
        if report is not None:
            self.check_report(report, before, wrote, settled=trusted)
        self._forget_what_agrees()
        self._end_the_lies()
        if report is None or any(one.outcome is Outcome.UNKNOWN for one in report.changes):
            self.shaken = True
        elif report.exit_code == 0 and not (report.changes or report.holds):
            self.shaken = any(row.mark for one in self.profile.features for row in self.world.rows(one).values())
        return report

    def _end_the_lies(self) -> None:
        """A lie lasts for one run, or nothing would ever happen; only lag goes on."""
        for name in NAMES:
            lies = self.lies(name)
            kept = lies.hidden, lies.lag_for, lies.flicker
            behave(lies)
            calm(lies)
            lies.hidden, lies.lag_for, lies.flicker = kept

    def _watch(self, name: str, before: dict[Feature, dict[str, Row]]) -> Callable[[Feature, Sequence[Change]], None]:
        def look(feature: Feature, changes: Sequence[Change]) -> None:
            record = read_journal(self.world.path("journal.jsonl"))
            assert record is not None, "I6: a request without a journal"
            told = {(one.key, one.before, one.after) for intent, _ in record.batches for one in intent.changes}
            for change in changes:
                assert (change.key, change.before, change.after) in told, "I6: a request without its journal line"
                row = before.get(feature, {}).get(change.key)
                frozen = row is not None and row.mark is not None and row.mark.until > self.began
                assert not frozen, f"I25: {change.item.label()} was still settling"
                self.check_change(name, change)

        return look

    def check_change(self, name: str, change: Change) -> None:
        """One request about to leave, against the truth that only the test knows."""
        if self.mode is Mode.ONE_WAY:
            assert name == self.ends[1], "the source is never written"
        film = next((film for film in FILMS if same(film, change.item)), None)
        if change.op is Op.REMOVE:
            other = next(one for one in NAMES if one != name)
            there = self.store(other).held(change.feature, change.item)
            assert not there, f"I3: {change.item.label()} is still on the other side"
            if not self.mirrors and film is not None:
                assert (change.feature, film.ids[0]) in self.gone, f"I3, I5: nobody ever took {film.label()} away"
        if film is not None and self.mode is Mode.TWO_WAY and not self.shaken:
            self._check_loss(name, change, film)

    def _check_loss(self, name: str, change: Change, film: Item) -> None:
        """What a user did on one side alone is never undone by the other side's old value."""
        told = change.reason.startswith(("conflict", "newer"))
        mine = (change.feature, name, film.ids[0]) in self.edits
        theirs = any((change.feature, one, film.ids[0]) in self.edits for one in NAMES if one != name)
        assert not mine or theirs or told, f"law 3: an edit of {film.label()} on {name} alone was undone: {change}"

    def _forget_what_agrees(self) -> None:
        for feature in self.profile.features:
            for film in FILMS:
                held = [{number(value) for value in self.store(name).held(feature, film)} for name in NAMES]
                if held[0] == held[1]:
                    self.edits -= {(feature, name, film.ids[0]) for name in NAMES}

    def check_report(
        self,
        report: PairReport,
        before: dict[Feature, dict[str, Row]],
        wrote: dict[str, list[Change]],
        *,
        settled: bool,
    ) -> None:
        assert report.exit_code in (0, 3, 4, 75), report.error
        for guard in report.guards:
            guarded = [one for sent in wrote.values() for one in sent if one.feature is guard.feature]
            assert not guarded, f"I16: {guard.name} tripped, and yet something was written"
            if settled and guard.feature is not None:
                now = agreements(self.world.rows(guard.feature))
                assert now == agreements(before[guard.feature]), f"law 6: {guard.name} tripped, the baseline moved"
        for one in report.changes:
            if one.outcome in GOOD or one.outcome is None:
                continue
            was = before[one.change.feature].get(one.change.key)
            row = self.world.rows(one.change.feature).get(one.change.key)
            if was is not None and row is not None and was.mark is None and settled:
                assert (row.source, row.target) == (was.source, was.target), "I17"

    # --- what always holds -----------------------------------------------------------------------------

    @precondition(lambda self: self.world.pairs)
    @invariant()
    def nothing_is_doubled(self) -> None:
        """I5, I8: no more plays than users ever made, and no list holds a film twice."""
        for name in NAMES:
            for film in FILMS:
                for feature in self.profile.features:
                    found = len(self.store(name).held(feature, film))
                    most = self.plays[film.ids[0]] if feature is HISTORY else 1
                    assert found <= most, f"I5, I8: {film.label()} is {found} times in {feature} on {name}"

    @precondition(lambda self: self.world.pairs)
    @invariant()
    def journals_hold(self) -> None:
        """I9: what is finished never changes again, and every chain holds."""
        runs = self.world.path("runs")
        found = {path.name: path.read_bytes() for path in runs.iterdir()} if runs.exists() else {}
        for name, data in self.finished.items():
            assert found.get(name) == data, "I9"
        for name in found.keys() - self.finished.keys():
            assert read_journal(runs / name) is not None, "I9"
        self.finished = found
        try:
            self.world.state()
        except StateError as error:  # pragma: no cover
            raise AssertionError(str(error)) from error

    # --- the end ---------------------------------------------------------------------------------------

    def come_to_rest(self) -> None:
        """I1 and I2: honest from now on, both sides agree or the difference is listed; then nothing moves."""
        for name in NAMES:
            calm(self.lies(name))
        self.world.clock.tick(self.behind)
        reports = self.world.settle(rounds=12)
        while reports[-1].guards and len(reports) < 40:
            self.world.run(accept=reports[-1].digest)
            reports += self.world.settle(rounds=12)
            if any(not guard.acceptable for guard in reports[-1].guards):
                return  # only a person can go on from here, and is told how
        assert not reports[-1].changes, f"I2: it never comes to rest: {reports[-1].changes}"
        report = self.world.run(full=True)
        noted = [note for notes in (report.holds, report.skips, report.conflicts) for note in notes]
        for feature in self.profile.features:
            for film in FILMS:
                if not any(note.feature is feature and same(note.item, film) for note in noted):
                    self.check_agreement(feature, film)
        before, sent = self.world.baseline_bytes(), [len(self.store(name).wire) for name in NAMES]
        assert not self.world.run(full=True).changes, "I1"
        assert self.world.baseline_bytes() == before, "I1"
        assert [len(self.store(name).wire) for name in NAMES] == sent, "I1"

    def check_agreement(self, feature: Feature, film: Item) -> None:
        source, target = (self.store(name).held(feature, film) for name in self.ends)
        if not source or not target:
            lone_target = bool(target) and (self.mode is Mode.ONE_WAY and not self.mirrors)
            # What is kept on one side by rule: no removals, or a service that drops what we rate there.
            kept = not self.profile.remove or (feature is WATCHLIST and self.profile.drops)
            assert bool(source) == bool(target) or lone_target or kept, f"I2: {feature} {film.label()}"
        elif feature in (RATINGS, PROGRESS):
            apart = abs(number(source[0]) - number(target[0]))
            slack = 10 if self.profile.coarse and feature is RATINGS else 30 if feature is PROGRESS else 0
            older = self.mode is Mode.ONE_WAY and feature is PROGRESS  # a target that is further is left alone
            assert apart <= slack or older, f"I2: {feature} {film.label()}: {source[0]} and {target[0]}"


def agreements(rows: dict[str, Row]) -> dict[str, tuple[Value | None, Value | None]]:
    """What a baseline says of both sides, without marks: those of a side effect are set by other features."""
    return {key: (row.source, row.target) for key, row in rows.items() if row.agreed}
