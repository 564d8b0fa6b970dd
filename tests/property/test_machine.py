"""Accounts, users, a lying network, clocks and a power supply that fails, in any order (hypothesis, rule-based).

After each step nothing may have been lost; at the end everything is honest again and both sides must
agree, or each difference must be listed. CWSYNC_SOAK=1 makes it long, CWSYNC_SOAK=10 ten times longer.
Three machines: `Machine` has every rule there is, `Stories` tells the ones that need many steps in one
order, `Ring` has three accounts and three pairs.

Which invariant of the law is asserted where:

I1, I2            at the end of each example (`come_to_rest`)
I3, I5            at each removal: a user took it away, and the other side truly lacks it (`check_removal`)
I4                short reads: `a_film_is_missing_from_a_short_read`; the guard `complete` never trips (`check_report`)
I6, I25           at each request: its journal line is there, its row is not settling (`Checked.watch`)
I7                cuts at any effect, by how the example ends; exactly: scenarios/test_cuts
I5, I8            no list holds a film twice, no more plays than made (`nothing_is_doubled`)
I9                finished journals never change (`journals_hold`)
I10, I11          dry runs (`look_only`, `look_and_apply`, `taking_back_is_only_looked_at`)
I16               a guard that trips writes nothing; the exact numbers: unit/test_planner_guards
I17               what failed keeps its baseline, what was proved is in it (`check_baseline`)
I19               rekeys, rebuilt libraries and editions are under I3; exactly: unit/test_planner_identity
I22               a spoilt byte of state or journal (`a_byte_is_spoilt_for_a_while`); each byte: crash/test_every_byte
I23               undos: nothing but the way back of what still stands (`check_undoing`), all of it or told of
                  (`check_taken_back`), journaled (`check_undo`), and no later run undoes it (`check_change`)
I4, I12, I13, I14 property/test_planner_laws, property/test_same_bytes
I15               property/test_planner_worlds
I18               property/test_round_trips, unit/test_planner_values
I20               scenarios/test_many_pairs
I21               unit/test_state_fixture
I24               scenarios/test_dry_runs

Besides: what a user did on one side alone is never undone by the other side's old value (`check_loss`, law 3),
as long as no write is in doubt and the baseline was not forgotten; what is overwritten is still what was read
(`check_second_look`, law 7.2); other filters are a union that removes nothing and says so (`is_union`, law 6).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from property.ground import FIRED, RATINGS, Profile, films, names, picks, profiles
from property.ring import Ring, Sort, features, pairs, sorts
from property.rules_directed import Directed
from property.rules_filters import Filters
from property.rules_network import Network
from property.rules_runs import Runs
from property.rules_undo import Undoing
from support.engine import SOAK, effort
from support.figures import figure


class Machine(Runs, Network, Undoing, Directed):
    """One pair of two lying accounts: each feature, mode and policy, and every rule there is."""


class Stories(Undoing, Directed, Filters):
    """The same accounts, under the stories that need many steps in one order."""

    def tell(self, data: st.DataObject) -> None:
        """Every story once, in any order, about any film."""
        for story, words in drawn(STORIES, data):
            if self.can_be_told(story):
                getattr(self, story)(**words)
            self.nothing_is_doubled()
            self.journals_hold()

    def can_be_told(self, story: str) -> bool:
        needs = {
            "a_film_is_missing_from_a_whole_read_once": self.profile.careful,
            "our_write_does_not_show_for_a_while": self.lag is not None,
            "one_of_two_editions_is_not_written": RATINGS in self.profile.features,
        }
        return needs.get(story, True)


def lagging(one: Profile) -> Profile:
    """More often than not a world in which reads lag and removals are looked at twice: most stories need that."""
    return replace(one, window=one.window or one.stamps, careful=one.careful or one.drops)


OF_FILM: dict[str, st.SearchStrategy[object]] = {"name": names, "pick": picks, "film": films}
VALUES = st.sampled_from((0, 0, 3, 7, 9))
STORIES: dict[str, dict[str, st.SearchStrategy[object]]] = {
    "a_user_edits_what_is_about_to_be_written": OF_FILM | {"n": VALUES, "meddler": names, "moment": st.integers(0, 1)},
    "a_film_is_missing_from_a_short_read": OF_FILM | {"twice": st.booleans()},
    "a_film_is_missing_from_a_whole_read_once": {"pick": picks, "film": films},
    "our_write_does_not_show_for_a_while": OF_FILM | {"n": VALUES, "flicker": st.booleans()},
    "a_play_is_sent_and_nobody_knows": OF_FILM | {"how": st.sampled_from(("reply", "reply", "lost", "failed"))},
    "one_of_two_editions_is_not_written": {"name": names, "n": VALUES, "how": st.sampled_from(("lost", "failed"))},
    "a_run_is_taken_back": {"back": st.integers(0, 2), "patient": st.booleans()},
    "taking_back_is_only_looked_at": {"back": st.integers(0, 2)},
    "taking_back_is_cut_by_the_power": {"back": st.just(0), "at": st.integers(8, 24), "again": st.booleans()},
    "an_undo_is_taken_back": {"back": st.just(0)},
    "a_film_is_taken_and_the_filters_change": OF_FILM | {"libraries": st.booleans(), "restart": st.booleans()},
}


OF_PAIR: dict[str, st.SearchStrategy[object]] = {"pair": pairs, "film": films}
RING_STORIES: dict[str, dict[str, st.SearchStrategy[object]]] = {
    "our_write_does_not_show_to_the_next_pair": OF_PAIR | {"feature": features, "score": VALUES},
    "an_edit_is_cut_and_the_next_pair_runs": OF_PAIR
    | {"feature": features, "at": st.integers(20, 40), "score": VALUES},
}


def drawn(
    stories: dict[str, dict[str, st.SearchStrategy[object]]], data: st.DataObject
) -> Iterator[tuple[str, dict[str, object]]]:
    """Stories in some order, and what each of them is about."""
    for story in data.draw(st.permutations(sorted(stories))):
        yield story, {word: data.draw(strategy, word) for word, strategy in stories[story].items()}


STEPS = 40 if SOAK else 18


def ran(name: str, machine: type[RuleBasedStateMachine], limits: settings) -> None:
    """Run a machine and note what it did."""
    FIRED.clear()
    began = time.monotonic()
    run_state_machine_as_test(machine, settings=settings(limits, print_blob=True))
    note(name, f"{limits.max_examples} examples of at most {limits.stateful_step_count} steps", began)


def note(name: str, size: str, began: float) -> None:
    """Tell what a long form did, and how often each rule did something."""
    minutes = (time.monotonic() - began) / 60
    rules = ", ".join(f"{rule} {count}" for rule, count in sorted(FIRED.items()))
    figure(f"trust: {name}", f"{size}, {minutes:.1f} minutes; {rules}")


def test_I1_to_I11_I16_I17_I22_I25_two_accounts_under_everything():
    ran("two accounts", Machine, effort(16, 500, stateful_step_count=STEPS))


def test_I3_I4_I5_I8_I17_I23_the_stories_that_hardly_ever_happen_by_chance():
    FIRED.clear()
    began = time.monotonic()

    @effort(10, 400, phases=(Phase.explicit, Phase.generate))
    @given(profile=profiles().map(lagging), data=st.data())
    def tell(profile: Profile, data: st.DataObject) -> None:
        stories = Stories()
        try:
            stories.begin(profile)
            stories.tell(data)
        finally:
            stories.teardown()

    tell()
    note("stories", f"{400 * SOAK or 16} examples of {len(STORIES)} stories", began)


def test_I3_I5_I8_I23_the_stories_of_three_pairs():
    FIRED.clear()
    began = time.monotonic()

    @effort(6, 250, phases=(Phase.explicit, Phase.generate))
    @given(sort=sorts, data=st.data())
    def tell(sort: Sort, data: st.DataObject) -> None:
        ring = Ring()
        try:
            ring.begin(sort)
            for story, words in drawn(RING_STORIES, data):
                getattr(ring, story)(**words)
                ring.nothing_is_doubled()
            ring.one_pair_takes_back_a_run(data.draw(pairs), 0, data.draw(st.sampled_from((None, None, 14))))
            ring.run_every()
        finally:
            ring.teardown()

    tell()
    note("stories of three pairs", f"{250 * SOAK or 8} examples of {len(RING_STORIES) + 1} stories", began)


def test_I1_I2_I3_a_ring_of_three_pairs_under_edits_and_cuts():
    ran("ring", Ring, effort(8, 250, stateful_step_count=STEPS))
