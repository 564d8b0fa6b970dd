"""Accounts, users, a lying network, clocks and a power supply that fails, in any order (hypothesis, rule-based).

After each step nothing may have been lost; at the end everything is honest again and both sides must
agree, or each difference must be listed. CWSYNC_SOAK=1 makes it long, CWSYNC_SOAK=10 ten times longer.

Which invariant of the law is asserted where:

I1, I2            at the end of each example (`come_to_rest`)
I3, I5            at each removal: a user took it away, and the other side truly lacks it (`check_change`)
I6, I25           at each request: its journal line is there, its row is not settling (`run_pair`)
I7                cuts at any effect, by how the example ends; exactly: scenarios/test_cuts
I5, I8            no list holds a film twice, no more plays than made (`nothing_is_doubled`)
I9                finished journals never change (`journals_hold`)
I10, I11          dry runs (`look_only`, `look_and_apply`)
I16               a guard that trips writes nothing; the exact numbers: unit/test_planner_guards
I17               what failed keeps its baseline (`check_report`)
I19               rekeys, rebuilt libraries and editions are under I3; exactly: unit/test_planner_identity
I22               a spoilt byte of state or journal (`a_byte_is_spoilt_for_a_while`); each byte: scenarios/test_cuts
I4, I12, I13, I14 property/test_planner_laws, property/test_same_bytes
I15               property/test_planner_worlds
I18               property/test_round_trips, unit/test_planner_values
I20               scenarios/test_many_pairs
I21               unit/test_state_fixture
I23               not here: undo has tests of its own
I24               scenarios/test_dry_runs

Section 3 besides: what a user did on one side alone is never undone by the other side's old value
(`_check_loss`), as long as no write is in doubt and the baseline was not forgotten.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from cwsync.model import Feature, Item, Op
from property.machine import ANCHOR, FIRED
from property.rules_network import Network
from property.rules_runs import Runs
from support.engine import HOUR, SOAK, World, effort
from support.figures import figure
from support.world import movie, rated

RATINGS = Feature.RATINGS
FILMS = tuple(movie(n) for n in range(1, 5))
films = st.sampled_from(FILMS)


class Machine(Runs, Network):
    """One pair of two lying accounts: each feature, mode and policy, and every rule there is."""


class Ring(RuleBasedStateMachine):
    """Three accounts, three pairs: edits and cut runs, no lies. In the end all three agree, or it is listed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ring-"))
        self.world = World(self.folder)
        self.gone: set[str] = set()
        for name in "abc":
            self.world.account(name).put(RATINGS, *((film, rated(5, self.world.clock())) for film in (*FILMS, ANCHOR)))
        for ends in ("ab", "bc", "ca"):
            self.world.pair(*ends, RATINGS, hold_removed=timedelta(0))
        self.world.run_all()

    @rule(name=st.sampled_from("abc"), film=films, score=st.integers(0, 10))
    def edit(self, name: str, film: Item, score: int) -> None:
        store = self.world.logins[name].store
        if store.held(RATINGS, film) and not score:
            self.gone.add(film.ids[0])
        if score and store.held(RATINGS, film):
            store.change(RATINGS, film, rated(score, self.world.clock()))
        elif score:
            store.put(RATINGS, (film, rated(score, self.world.clock())))
        else:
            store.take(RATINGS, film)

    @rule(pair=st.sampled_from(("a-b", "b-c", "c-a")))
    def run_one(self, pair: str) -> None:
        self.world.run(pair)

    @rule()
    def run_every(self) -> None:
        self.world.run_all()

    @rule(pair=st.sampled_from(("a-b", "b-c", "c-a")), at=st.integers(1, 50))
    def cut_one(self, pair: str, at: int) -> None:
        self.world.cut(at, pair)

    @rule(hours=st.sampled_from((1, 30)))
    def wait(self, hours: int) -> None:
        self.world.clock.tick(hours * HOUR)

    @invariant()
    def only_what_a_user_removed_is_removed(self) -> None:
        for login in self.world.logins.values():
            for change, _ in login.store.wire:
                assert change.op is not Op.REMOVE or change.item.ids[0] in self.gone

    def teardown(self) -> None:
        try:
            for _ in range(7):
                reports = self.world.run_all().pairs
            assert not any(report.changes for report in reports)
            told = {note.item.ids[0] for report in reports for note in (*report.holds, *report.conflicts)}
            for film in FILMS:
                held = [login.store.held(RATINGS, film) for login in self.world.logins.values()]
                found = {getattr(values[0], "score", None) if values else None for values in held}
                assert len(found) == 1 or film.ids[0] in told, film.label()
        finally:
            shutil.rmtree(self.folder)


STEPS = 40 if SOAK else 18


def ran(name: str, machine: type[RuleBasedStateMachine], limits: settings) -> None:
    """Run a machine and note what it did."""
    FIRED.clear()
    began = time.monotonic()
    run_state_machine_as_test(machine, settings=limits)
    minutes = (time.monotonic() - began) / 60
    rules = ", ".join(f"{rule} {count}" for rule, count in sorted(FIRED.items()))
    size = f"{limits.max_examples} examples of at most {limits.stateful_step_count} steps"
    figure(f"trust: {name}", f"{size}, {minutes:.1f} minutes; {rules}")


def test_I1_to_I11_I16_I17_I22_I25_two_accounts_under_everything():
    ran("two accounts", Machine, effort(30, 600, stateful_step_count=STEPS))


def test_I1_I2_I3_a_ring_of_three_pairs_under_edits_and_cuts():
    ran("ring", Ring, effort(15, 150, stateful_step_count=STEPS))
