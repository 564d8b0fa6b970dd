"""Taking back what a run did: any finished run, for good or only looked at, once more, or cut by the power."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from cwsync.errors import UsageError
from cwsync.model import Feature, PairReport, PastRun
from property.ground import FIRED, NAMES, deeds_of
from property.machine import Accounts
from support.engine import MINUTE, WINDOW, fingerprint_of


class Undoing(Accounts):
    """I23."""

    @rule(back=st.integers(0, 3), patient=st.booleans())
    def a_run_is_taken_back(self, back: int, patient: bool) -> None:
        """The newest or an earlier one, while its writes may not show yet or after that."""
        if patient:
            self.world.clock.tick(WINDOW + MINUTE)
        if self.take_back(back) is not None and patient:
            self.world.clock.tick(WINDOW + MINUTE)
            self.run_pair()

    @rule(back=st.integers(0, 1))
    def an_undo_is_taken_back(self, back: int) -> None:
        """The newest undo, so that what the run before it did stands again; or once more the other way."""
        undos = [run for run in self._over() if run.undoes is not None]
        self.world.clock.tick(WINDOW + MINUTE)
        if len(undos) > back:
            FIRED["undo of undo"] += self.take_back_run(undos[back].run_id) is not None

    @rule(back=st.integers(0, 2))
    def taking_back_is_only_looked_at(self, back: int) -> None:
        """I10 and I11 for an undo."""
        run_id = self._past(back)
        if run_id is None:
            return
        sent, before = [len(self.lies(name).sent) for name in NAMES], fingerprint_of(self.folder)
        lying = any(
            one.flicker or one.fail_opens or one.fail_reads or one.unsaid or one.unstable_watermark
            for one in map(self.lies, NAMES)
        )
        try:
            dry = self.world.undo(run_id=run_id, apply=False)
        except UsageError:
            return
        assert [len(self.lies(name).sent) for name in NAMES] == sent, "I10: a dry undo wrote"
        assert fingerprint_of(self.folder) == before, "I10: a dry undo touched a file"
        FIRED["undo dry"] += 1
        done = self.take_back_run(run_id)
        if done is not None and not lying and not dry.error and not done.error:
            assert dry.digest == done.digest, "I11: the undo is not the one that was shown"

    @rule(back=st.integers(0, 2), at=st.integers(1, 40), again=st.booleans())
    def taking_back_is_cut_by_the_power(self, back: int, at: int, again: bool) -> None:
        run_id = self._past(back)
        if run_id is None:
            return
        self.world.clock.tick(WINDOW + MINUTE)
        self.take_back_run(run_id, cut=at)
        if again:
            self.world.clock.tick(WINDOW + MINUTE)
            self.run_pair()
            self.take_back_run(run_id)

    def _past(self, back: int) -> str | None:
        runs = self._over()
        return runs[back].run_id if len(runs) > back else None

    def _over(self) -> list[PastRun]:
        return [run for run in self.world.past().runs if run.ending in ("finished", "cut")]

    def take_back(self, back: int) -> PairReport | None:
        """Take back the last run but `back`, if there is one."""
        run_id = self._past(back)
        return None if run_id is None else self.take_back_run(run_id)

    def take_back_run(self, run_id: str, *, cut: int | None = None) -> PairReport | None:
        """Take back a run by its name. None where that is refused, or cut by the power."""
        (run,) = self.world.past(run_id=run_id).runs
        self.taking = deeds_of(run)
        if not self.taking:
            self.taking = None
            return None

        def act() -> PairReport | None:
            if cut is None:
                return self.world.undo(run_id=run_id)
            FIRED["undo cut"] += self.world.cut_undo(cut, run_id=run_id)
            return None

        known = {one.run_id for one in self.world.past().runs}
        try:
            report = self.run_pair(act)
            if report is not None:
                FIRED["undo"] += bool(report.changes)
                self.check_undo(report, run_id, known)
        finally:
            self.taking = None
        return report

    def check_undo(self, report: PairReport, run_id: str, known: set[str]) -> None:
        """I23: complete, and journaled as what it is, so that it can be taken back too."""
        if not report.guards and not report.error:
            self.check_taken_back(report)
        if any(one.outcome is not None for one in report.changes):
            found = [run for run in self.world.past().runs if run.run_id not in known]
            assert [run.undoes for run in found] == [run_id], (
                "I23: an undo is a journaled run, and says what it took back"
            )
        touched = {one.change.feature for one in report.changes} | set[Feature](report.features)
        assert self.taking is not None
        assert touched <= {deed.change.feature for deed in self.taking}, "I23: an undo reads no more than it must"
