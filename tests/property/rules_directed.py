"""Whole stories in one step: what chance alone would hardly ever put in this order.

Each of them begins with a film that is in step on both sides, tells one lie or meddles once at the worst
moment, and is judged by the checks that every run is judged by, and by a word of its own where that is sharper.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from cwsync.model import Feature, Item
from property.checks import unions
from property.ground import FILMS, FIRED, HISTORY, NAMES, RATINGS, Rows, films, names, picks
from property.rules_people import People
from support.engine import MINUTE, WINDOW
from support.memory import same

LATER = WINDOW + MINUTE


class Directed(People):
    """Stories."""

    @rule(name=names, pick=picks, film=films, n=st.integers(0, 10), meddler=names, moment=st.sampled_from((0, 1)))
    def a_user_edits_what_is_about_to_be_written(
        self, name: str, pick: int, film: Item, n: int, meddler: str, moment: int
    ) -> None:
        """The fence: `n` is given on one side, and between the read and the write someone edits on either side."""
        feature = self.feature(pick)
        if not self.in_step(feature, film):
            return
        self.edit(name, feature, film, n)
        if self.profile.careful and not n:
            self.run_pair()
            self.world.clock.tick(11 * MINUTE)

        def meddle() -> None:
            FIRED["fence"] += 1
            self.edit(meddler, feature, film, 0 if moment and n else 1 + n % 10)

        self.world.between = meddle
        self.run_pair()
        self.world.between = None
        self.world.clock.tick(LATER)
        self.run_pair()

    @rule(name=names, pick=picks, film=films, twice=st.booleans())
    def a_film_is_missing_from_a_short_read(self, name: str, pick: int, film: Item, twice: bool) -> None:
        """I4: nothing follows from it, neither a removal nor a change of the baseline, however often it happens."""
        feature = self.feature(pick)
        if not self.in_step(feature, film):
            return
        FIRED["short read"] += 1
        other = self.other(name)
        for _ in range(1 + twice):
            before = self.stored()
            self.lies(name).drop_tokens = frozenset(film.ids)
            report = self.run_pair()
            assert report is not None
            done = [
                one.change for one in report.changes if one.change.feature is feature and same(one.change.item, film)
            ]
            assert not done, f"I4: {done}"
            assert self.store(other).held(feature, film), "I4"
            moved = of_film(self.stored(), feature, film) != of_film(before, feature, film)
            assert not moved or feature in unions(report), "I4: the baseline moved"
            self.world.clock.tick(LATER)

    @precondition(lambda self: self.world.pairs and self.profile.careful)
    @rule(pick=picks, film=films)
    def a_film_is_missing_from_a_whole_read_once(self, pick: int, film: Item) -> None:
        """The second look: what one read did not show is not removed before another one did not either."""
        feature = self.feature(pick)
        for name in NAMES:
            if self.in_step(feature, film):
                FIRED["second look"] += 1
                self.lies(name).unsaid = {feature: frozenset(film.ids)}
                self.run_pair()
                self.world.clock.tick(LATER)
                self.run_pair()
                there = self.store(self.other(name)).held(feature, film)
                assert there, "the second look: removed after one false read"

    @precondition(lambda self: self.world.pairs and self.lag)
    @rule(name=names, pick=picks, film=films, n=st.integers(0, 10), flicker=st.booleans())
    def our_write_does_not_show_for_a_while(self, name: str, pick: int, film: Item, n: int, flicker: bool) -> None:
        """I5: the old state that reads still show is nobody's edit."""
        feature = self.feature(pick)
        self.in_step(feature, film)
        other = self.lies(self.other(name))
        other.lag_for, other.flicker = self.lag, flicker
        FIRED["settling"] += 1
        self.edit(name, feature, film, n)
        self.run_pair()
        if self.profile.careful and not n:
            self.world.clock.tick(11 * MINUTE)
            self.run_pair()
        for minutes in (0, 1, 11, 4):
            self.world.clock.tick(minutes * MINUTE)
            self.run_pair()
        other.lag_for, other.flicker = None, False

    @rule(name=names, pick=picks, film=films, how=st.sampled_from(("reply", "reply", "request", "lost", "failed")))
    def a_play_is_sent_and_nobody_knows(self, name: str, pick: int, film: Item, how: str) -> None:
        """I5, I8: what may have arrived is not sent again, neither at once nor later; nor what has arrived for sure."""
        feature = HISTORY if HISTORY in self.profile.features else self.feature(pick)
        for one in NAMES:
            self.take_now(one, feature, film)  # a film that has a play is not sent another one
        self.run_pair()
        self.world.clock.tick(LATER)
        FIRED["sent once"] += 1
        for one in NAMES:
            self.lies(one).lag_for = self.lag
        self.set_now(name, feature, film, 9)
        target = self.lies(self.other(name))
        if how in ("reply", "request"):
            self.run_pair(lambda: self._dies(self.other(name), how))
        else:
            calls = frozenset({target.applies + 1})
            target.lose_reply, target.fail_apply = (calls, frozenset()) if how == "lost" else (frozenset(), calls)
            self.run_pair()
        for minutes in (0, 5, 16):
            self.world.clock.tick(minutes * MINUTE)
            self.run_pair()
            self.nothing_is_doubled()

    def _dies(self, name: str, moment: str) -> None:
        """The power goes when a request of this account leaves, or when it was carried out."""
        lies = self.lies(name)
        before, lies.on_effect = lies.on_effect, self.world.dies_at(moment)
        try:
            self.world.cut(1_000_000)
        finally:
            lies.on_effect = before

    @precondition(lambda self: self.world.pairs and RATINGS in self.profile.features)
    @rule(name=names, n=st.integers(0, 10), how=st.sampled_from(("lost", "failed")))
    def one_of_two_editions_is_not_written(self, name: str, n: int, how: str) -> None:
        """I17: a record moves whole or not at all. Batches of two: the second edition goes in another one."""
        first, second = FILMS[:2]
        if not (self.in_step(RATINGS, first) and self.in_step(RATINGS, second)):
            return
        other = self.other(name)
        rows = self.store(other).rows[RATINGS]
        (row,) = [row for row in rows if same(row.item, second)]
        copy = replace(row, native_key=self.store(other).name())
        rows.append(copy)
        self.run_pair()
        for film in (first, second):
            self.edit(name, RATINGS, film, n)
        lies = self.lies(other)
        calls = frozenset({lies.applies + 2})
        lies.lose_reply, lies.fail_apply = (calls, frozenset()) if how == "lost" else (frozenset(), calls)
        self.run_pair(lambda: self.world.run(features=frozenset({RATINGS})))
        FIRED["two editions"] += lies.applies in calls
        rows = self.store(other).rows[RATINGS]
        if len(self.store(other).held(RATINGS, second)) > 1:
            rows[:] = [row for row in rows if row.native_key != copy.native_key]


def of_film(rows: Rows, feature: Feature, film: Item) -> list[object]:
    """What a baseline says of one film."""
    return [(row.source, row.target) for row in rows[feature].values() if same(row.item, film)]
