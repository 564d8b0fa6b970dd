"""What every request and every report of a run is held against. Each check names the invariant that it asserts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from cwsync.model import Change, Feature, Item, Mode, Note, Op, Outcome, PairReport, Row, Side, Value
from cwsync.state import read_journal
from property.ground import GOOD, HISTORY, NAMES, Ground, Rows, agreements, film_of, number
from support.memory import same

Ends = tuple[Value | None, Value | None]


class Checked(Ground):
    """A run under watch. What the disk says is taken down at two moments that the run itself passes.

    `known` is the baseline at the first read: an unfinished run has been taken into account by then.
    `stood` is the one at the first request: what was concluded about writes in doubt is stored by then.
    """

    began: datetime
    known: Rows | None
    stood: Rows | None
    fingerprints: dict[Feature, str | None]
    honest: dict[str, bool]  # whether reads of an account show what it holds, or say that they do not

    def watch(self) -> None:
        """Look over the shoulder of the run that is about to start."""
        self.began, self.known, self.stood, self.fingerprints = self.world.clock(), None, None, {}
        self.honest = {name: not (self.lies(name).hidden or self.lies(name).unsaid) for name in NAMES}
        for name in NAMES:
            self.lies(name).before_read = self._at_read
            self.lies(name).before_apply = self._at_request(name)

    def _at_read(self, _feature: Feature) -> None:
        if self.known is None:
            self.known = self.stored()
            self.fingerprints = {feature: one.fingerprint for feature, one in self.world.state().items()}

    def _at_request(self, name: str) -> Callable[[Feature, Sequence[Change]], None]:
        def look(feature: Feature, changes: Sequence[Change]) -> None:
            record = read_journal(self.world.path("journal.jsonl"))
            assert record is not None, "I6: a request without a journal"
            told = {(one.key, one.before, one.after) for intent, _ in record.batches for one in intent.changes}
            self.stood = self.stood or self.stored()
            for change in changes:
                assert (change.key, change.before, change.after) in told, "I6: a request without its journal line"
                row = self.stood.get(feature, {}).get(change.key)
                frozen = row is not None and row.mark is not None and row.mark.until > self.began
                assert not frozen, f"I25: {change.item.label()} was still settling"
                self.check_change(name, change)

        return look

    # --- one request about to leave, against the truth that only the test knows ----------------------------

    def check_change(self, name: str, change: Change) -> None:
        self.check_second_look(name, change)
        if self.taking is not None:
            self.check_undoing(name, change)
            return
        assert change.item.kind in self.scope.types, f"filters: {change.item.label()} is none of this pair's business"
        if self.mode is Mode.ONE_WAY:
            assert name == self.ends[1], "the source is never written"
        film = film_of(change.item)
        if film is not None and not self.shaken:
            # In one-way the target follows its source, also when an undo wrote there.
            where = self.undone.get((change.feature, film.ids[0]))
            assert where is None or (where != name and self.mode is Mode.ONE_WAY), f"I23: an undo is undone: {change}"
        if change.op is Op.REMOVE:
            self.check_removal(name, change, film)
        if film is not None and self.mode is Mode.TWO_WAY and not self.shaken:
            self.check_loss(name, change, film)

    def check_second_look(self, name: str, change: Change) -> None:
        """Law 7.2: what is about to be overwritten or removed is still what was read, though users edit meanwhile."""
        held = {number(value) for value in self.store(name).held(change.feature, change.item)}
        if not self.honest[name]:
            return  # it may take an old row for a new one: what settling marks, and not the fence, are for
        if change.op is not Op.ADD:
            assert number(change.before) in held, f"fence: {change.item.label()} is {held} on {name} by now: {change}"
        elif change.feature is not HISTORY:
            assert not held, f"fence: {change.item.label()} is on {name} already"

    def check_removal(self, name: str, change: Change, film: Item | None) -> None:
        there = self.store(self.other(name)).held(change.feature, change.item)
        assert not there, f"I3: {change.item.label()} is still on the other side"
        assert not self.is_union(change.feature), f"filters: {change.item.label()} is removed by a union"
        if not self.mirrors and film is not None:
            assert (change.feature, film.ids[0]) in self.gone, f"I3, I5: nobody ever took {film.label()} away"

    def check_loss(self, name: str, change: Change, film: Item) -> None:
        """What a user did on one side alone is never undone by the other side's old value."""
        told = change.reason.startswith(("conflict", "newer"))
        mine = (change.feature, name, film.ids[0]) in self.edits
        theirs = (change.feature, self.other(name), film.ids[0]) in self.edits
        assert not mine or theirs or told, f"law 3: an edit of {film.label()} on {name} alone was undone: {change}"

    def check_undoing(self, name: str, change: Change) -> None:
        """I23: an undo writes nothing but the way back of what that run did, where it still stands."""
        assert self.taking is not None
        mine = [deed.change for deed in self.taking if deed.proved and deed.reversed_by(name, change)]
        assert mine, f"I23: that run never did what this takes back: {change}"
        held = {number(value) for value in self.store(name).held(change.feature, change.item)} or {0}
        stands = any(number(deed.after) in held for deed in mine)
        assert stands or not self.honest[name], f"I23: it has changed since: {change}, and {name} holds {held}"
        film = film_of(change.item)
        if film is not None:
            self.apart.add((change.feature, film.ids[0]))
            self.undone[change.feature, film.ids[0]] = name

    def is_union(self, feature: Feature) -> bool:
        """Whether the baseline of a feature was made under other filters than those of now."""
        stored = self.fingerprints.get(feature)
        return stored is not None and self.scopes.get((feature, stored), self.scope) != self.scope

    def silent_unions(self, feature: Feature) -> set[Feature]:
        """An undo unites as well where the baseline counts for nothing; it says only what it takes back."""
        return {feature} if self.taking is not None and (self.restored or self.is_union(feature)) else set()

    # --- the report ----------------------------------------------------------------------------------------

    def check_report(self, report: PairReport, wrote: dict[str, list[Change]]) -> None:
        assert report.exit_code in (0, 3, 4, 75), report.error
        for guard in report.guards:
            guarded = [one for sent in wrote.values() for one in sent if one.feature is guard.feature]
            assert not guarded, f"I16: {guard.name} tripped, and yet something was written"
            assert guard.name != "complete", f"I4: what an incomplete read did not show was taken for gone: {guard}"
        guards = {guard.feature for guard in report.guards if guard.feature is not None}
        if self.known is not None:
            for feature in guards:
                now = agreements(self.stored()[feature])
                assert now == agreements(self.known[feature]), (
                    f"law 6: a guard tripped, the baseline of {feature} moved"
                )
        if self.stood is not None:
            self.check_baseline(report, self.stood, self.stored())
        for feature in report.features:
            if self.is_union(feature) and feature not in guards and report.features[feature].source is not None:
                assert feature in unions(report) or self.taking is not None, (
                    f"filters: a union of {feature} is not told"
                )

    def check_baseline(self, report: PairReport, before: Rows, after: Rows) -> None:
        """I17: what failed keeps its baseline, all copies of a record or none; what was proved is in it."""
        answers: dict[tuple[Feature, str], list[Outcome]] = {}
        for one in report.changes:
            if one.outcome is not None:
                answers.setdefault((one.change.feature, one.change.key), []).append(one.outcome)
        for one in report.changes:
            feature, key = one.change.feature, one.change.key
            outcomes = answers.get((feature, key), [])
            if not outcomes:
                continue
            row = ends(after[feature].get(key))
            if all(outcome in GOOD for outcome in outcomes):
                assert row == proved(one.change), f"I17: {one.change} was confirmed, and the baseline says {row}"
            else:
                was = ends(before[feature].get(key))
                # A union starts from a baseline that agrees on nothing, so that is what the record keeps.
                kept = (None, None) if feature in unions(report) | self.silent_unions(feature) else was
                assert row == kept, f"I17: {one.change} failed, and the baseline says {row} instead of {kept}"

    def check_taken_back(self, report: PairReport) -> None:
        """I23: each record of the run that is taken back is written back, is as it was, or is told of."""
        assert self.taking is not None
        failed = {feature for feature, one in report.features.items() if one.source is None}
        for deed in self.taking:
            change = deed.change
            if change.feature in failed or film_of(change.item) is None or not all(self.honest.values()):
                continue
            again = any(deed.reversed_by(deed.account, one.change) for one in report.changes)
            held = {number(value) for value in self.store(deed.account).held(change.feature, change.item)} or {0}
            as_it_was = number(change.before) in held
            assert again or as_it_was or told_of(report, change), f"I23: nothing is said of {change}"


def ends(row: Row | None) -> Ends:
    """What a row says of both sides."""
    return (row.source, row.target) if row is not None else (None, None)


def proved(change: Change) -> Ends:
    """What the baseline says of a record after a write of it was confirmed."""
    return (change.after, change.origin) if change.side is Side.SOURCE else (change.origin, change.after)


def unions(report: PairReport) -> set[Feature]:
    """The features that a run united, because their baseline counted for nothing."""
    told = [text.partition(":")[0] for text in report.warnings if "this run is a union" in text]
    return {Feature(name) for name in told}


def notes_of(report: PairReport) -> list[Note]:
    """Everything that a report lists instead of doing it."""
    return [note for notes in (report.holds, report.skips, report.conflicts) for note in notes]


def told_of(report: PairReport, change: Change) -> bool:
    """Whether a report names the record of a change."""
    return any(note.feature is change.feature and same(note.item, change.item) for note in notes_of(report))
