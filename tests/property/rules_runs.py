"""Runs of every sort, power cuts, and what happens to the files of a pair between runs."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from cwsync.engine import RunOptions, SavedPlan
from cwsync.model import Conflict, Item, Mode, PairReport
from property.ground import FIRED, NAMES, films, names, picks
from property.rules_filters import Filters
from support.engine import fingerprint_of


class Runs(Filters):
    """Runs."""

    saved: SavedPlan | None = None

    @rule()
    def apply(self) -> None:
        FIRED["apply"] += 1
        lied = any(self.lies(name).unsaid for name in NAMES)
        report = self.run_pair()
        if report is not None and report.exit_code in (0, 3):
            self.broken_in = lied

    @rule(limit=st.integers(1, 2))
    def apply_a_little(self, limit: int) -> None:
        FIRED["limit"] += 1
        self.run_pair(lambda: self.world.run(limit=limit))

    @rule(pick=picks)
    def apply_one_feature(self, pick: int) -> None:
        FIRED["feature"] += 1
        self.run_pair(lambda: self.world.run(features=frozenset({self.feature(pick)})))

    @rule(keep=st.booleans())
    def look(self, keep: bool) -> None:
        """I10: a dry run touches nothing. Its plan may be kept for later."""
        FIRED["plan"] += 1
        report = self.look_only()
        if keep and report.digest and not report.error:
            self.saved = SavedPlan(self.folder / "plan", {"pair": report.digest}, self.world.clock(), RunOptions())

    def look_only(self) -> PairReport:
        sent = {name: len(self.lies(name).sent) for name in NAMES}
        before = fingerprint_of(self.folder)
        report = self.world.plan()
        assert fingerprint_of(self.folder) == before, "I10: a dry run touched a file"
        assert sent == {name: len(self.lies(name).sent) for name in NAMES}, "I10: a dry run wrote"
        return report

    @rule()
    def look_and_apply(self) -> None:
        """I11: in a still world a dry run says what the run then does."""
        FIRED["plan and apply"] += 1
        restless = any(
            one.flicker or one.fail_opens or one.fail_reads or one.unsaid or one.unstable_watermark
            for one in map(self.lies, NAMES)
        )
        before, after = self.look_only(), self.run_pair()
        if not restless and after is not None and not before.error and not after.error:
            assert before.digest == after.digest, "I11"

    @precondition(lambda self: self.saved is not None)
    @rule()
    def apply_the_saved_plan(self) -> None:
        """What was planned is done, or it is refused; the moment of the plan is not the moment of the run."""
        FIRED["saved"] += 1
        saved = self.saved
        assert saved is not None
        self.run_pair(lambda: self.world.run_saved(saved))

    @rule(name=names, pick=picks, film=films, n=st.integers(0, 10))
    def apply_while_the_user_edits(self, name: str, pick: int, film: Item, n: int) -> None:
        def edit() -> None:
            FIRED["fence"] += 1
            self.edit(name, self.feature(pick), film, n)

        self.world.between = edit
        self.run_pair()
        self.world.between = None

    @rule(at=st.integers(1, 70))
    def apply_until_the_power_goes(self, at: int) -> None:
        def cut() -> None:
            FIRED["cut"] += self.world.cut(at)

        self.run_pair(cut)

    # --- the files ------------------------------------------------------------------------------------

    @rule(back=st.integers(1, 3))
    def an_old_state_is_put_back(self, back: int) -> None:
        """From a backup, by a person or with the disk. What it says is no ground for a removal."""
        backups = sorted(self.world.path("backups").glob("state-*.json"))
        if len(backups) >= back:
            FIRED["restored"] += 1
            self.world.path("state.json").write_bytes(backups[-back].read_bytes())
            self.shaken = self.restored = True

    @rule(at=st.floats(0, 1, exclude_max=True), journal=st.booleans())
    def a_byte_is_spoilt_for_a_while(self, at: float, journal: bool) -> None:
        """I22: found, exit 7, nothing written; then the good file is put back."""
        path = self.world.path("journal.jsonl" if journal else "state.json")
        if not path.exists():
            return
        FIRED["spoilt"] += 1
        good = path.read_bytes()
        place = int(at * good.rfind(b"\n", 0, -1)) if journal else int(at * len(good))
        if place < 0:
            return  # a torn last line means that nothing was done on it
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        spoilt, sent = fingerprint_of(self.folder), [len(self.store(name).wire) for name in NAMES]
        report = self.world.run(apply=False)
        assert report.exit_code == 7, f"I22: {report.exit_code}"
        assert fingerprint_of(self.folder) == spoilt
        assert self.world.run().exit_code == 7, "I22"
        assert [len(self.store(name).wire) for name in NAMES] == sent, "I22: nothing is written on damage"
        assert path.read_bytes() == spoilt_bytes(good, place), "I22: damage is left for a person to see"
        path.write_bytes(good)

    @rule()
    def the_state_is_reset(self) -> None:
        self.forget()

    @rule(mode=st.sampled_from(Mode), conflict=st.sampled_from(list(Conflict)), turn=st.booleans())
    def the_pair_is_defined_anew(self, mode: Mode, conflict: Conflict, turn: bool) -> None:
        """Another direction, another policy, source and target turned round: the baseline stays."""
        FIRED["redefined"] += 1
        if mode is not self.mode or turn:
            self.shaken = True  # what one direction left apart, the other one now sees as a difference
        self.mode, self.conflict = mode, conflict
        if turn:
            self.ends = self.ends[1], self.ends[0]
        self.define()


def spoilt_bytes(good: bytes, place: int) -> bytes:
    """The bytes with one bit flipped."""
    return good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
