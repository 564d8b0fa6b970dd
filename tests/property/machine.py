"""Two lying accounts and one pair between them: what every rule of the machine stands on, and what always holds.

The rules themselves are in `rules_people` (what users and services do), `rules_network` (lies),
`rules_runs` (runs and the state on disk), `rules_undo` and `rules_directed` (whole stories in one step).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from hypothesis.stateful import initialize, invariant, precondition

from cwsync.errors import StateError
from cwsync.model import Feature, FeatureSpec, GuardSpec, Item, Mode, Outcome, PairReport, RemoveMode
from cwsync.state import read_journal
from property.checks import Checked, notes_of
from property.ground import (
    ANCHOR,
    COARSE,
    CROWD,
    FILMS,
    HISTORY,
    NAMES,
    PROGRESS,
    RATINGS,
    WATCHLIST,
    Profile,
    Scope,
    number,
    profiles,
)
from support.engine import MINUTE, WIDE, WINDOW, behave
from support.memory import calm, capable, same


class Accounts(Checked):
    """The pair, its runs, and what may never happen."""

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
        home = self.world.logins["home"]
        home.spec = replace(home.spec, options={**home.spec.options, "libraries": self.scope.libraries})
        specs = [
            FeatureSpec(
                feature,
                conflict=self.conflict,
                remove=one.remove,
                remove_mode=RemoveMode.MIRROR if self.mirrors else RemoveMode.FOLLOW,
                hold_removed=10 * MINUTE if one.careful else timedelta(0),
                types=self.scope.types,
                since=self.scope.since,
            )
            for feature in one.features
        ]
        guards = GuardSpec() if one.guards else WIDE
        self.world.pair(*self.ends, *specs, mode=self.mode, guards=guards, name="pair")

    # --- runs -------------------------------------------------------------------------------------------

    def run_pair(self, act: Callable[[], PairReport | None] | None = None) -> PairReport | None:
        """Run, and hold every request and the report against the law."""
        sent = {name: len(self.lies(name).sent) for name in NAMES}
        stored = self.world.baseline_bytes()
        self.watch()
        report = act() if act else self.world.run()
        wrote = {name: self.lies(name).sent[sent[name] :] for name in NAMES}
        if report is not None:
            self.check_report(report, wrote)
        self.restored = self.restored and self.world.baseline_bytes() == stored
        self._note_scopes()
        if report is not None and not report.guards and not report.error:
            self._forget_what_agrees()
        self._end_the_lies()
        if report is None or any(one.outcome is Outcome.UNKNOWN for one in report.changes):
            self.shaken = True
        elif report.exit_code == 0 and not (report.changes or report.holds):
            self.shaken = any(row.mark for rows in self.stored().values() for row in rows.values())
        if self.shaken:
            self.undone.clear()
        return report

    def _note_scopes(self) -> None:
        for feature, baseline in self.world.state().items():
            if baseline.fingerprint is not None:
                self.scopes.setdefault((feature, baseline.fingerprint), self.scope)

    def _end_the_lies(self) -> None:
        """A lie lasts for one run, or nothing would ever happen; only lag goes on."""
        for name in NAMES:
            lies = self.lies(name)
            kept = lies.hidden, lies.lag_for, lies.flicker
            behave(lies)
            calm(lies)
            lies.hidden, lies.lag_for, lies.flicker = kept

    def _forget_what_agrees(self) -> None:
        """What both sides hold is in the baseline by now: a run that a guard stopped would have learnt nothing."""
        for feature in self.profile.features:
            for film in FILMS:
                held = [{number(value) for value in self.store(name).held(feature, film)} for name in NAMES]
                if held[0] == held[1]:
                    self.edits -= {(feature, name, film.ids[0]) for name in NAMES}
                    self.apart.discard((feature, film.ids[0]))
                    self.undone.pop((feature, film.ids[0]), None)

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
        stored = self.world.baseline_bytes()
        if stored != self.loaded:
            self.loaded = stored
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
        if self.scope != Scope():
            self.scope = Scope()
            self.define()
        reports = self.world.settle(rounds=12)
        while reports[-1].guards and len(reports) < 40:
            self.world.run(accept=reports[-1].digest)
            reports += self.world.settle(rounds=12)
            if any(not guard.acceptable for guard in reports[-1].guards):
                return  # only a person can go on from here, and is told how
        assert not reports[-1].changes, f"I2: it never comes to rest: {reports[-1].changes}"
        self._forget_what_agrees()
        report = self.world.run(full=True)
        noted = notes_of(report)
        for feature in self.profile.features:
            for film in FILMS:
                told = any(note.feature is feature and same(note.item, film) for note in noted)
                if not told and (feature, film.ids[0]) not in self.apart:
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
