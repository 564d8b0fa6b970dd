"""Other filters for the pair: the baseline made under the old ones is no ground for a removal (law 6, `filters`)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from cwsync.engine import clock as engine_clock
from cwsync.engine.reset import reset_state
from cwsync.model import Item, Kind
from property.ground import FIRED, NAMES, WATCHLIST, Scope, films, names, picks
from property.rules_people import People

LONG_AGO = date(2001, 1, 1)
ALL, NO_FILMS = frozenset(Kind), frozenset({Kind.EPISODE, Kind.SEASON, Kind.SHOW})


class Filters(People):
    """Libraries, kinds and dates."""

    @rule(
        types=st.sampled_from((ALL, ALL, NO_FILMS)),
        since=st.sampled_from((None, LONG_AGO, "today")),
        libraries=st.sampled_from(((), ("Movies",), ("Movies", "More"))),
        then=st.sampled_from(("run", "run", "reset", "back", "wait")),
    )
    def the_filters_change(
        self, types: frozenset[Kind], since: date | str | None, libraries: tuple[str, ...], then: str
    ) -> None:
        """The next run is a union, and says so (`check_report`, `check_removal`); or they are put back before it."""
        when = self.world.clock().date() if since == "today" else since
        assert not isinstance(when, str)
        before = self.scope
        self.filter_by(Scope(types, when, libraries))
        if then == "reset":
            self.forget()
        if then in ("run", "reset"):
            self.run_pair()
        elif then == "back":
            self.filter_by(before)
            self.run_pair()

    @rule(name=names, pick=picks, film=films, libraries=st.booleans(), restart=st.booleans())
    def a_film_is_taken_and_the_filters_change(
        self, name: str, pick: int, film: Item, libraries: bool, restart: bool
    ) -> None:
        """What is gone may be gone because of the filter: nothing follows from it, not now and not in later runs."""
        feature = self.feature(pick)
        other = self.other(name)
        self.in_step(feature, film)
        if not all(self.store(one).held(feature, film) for one in NAMES):
            return
        self.take_now(name, feature, film)
        wider = replace(self.scope, libraries=(*self.scope.libraries, "More")) if libraries else self.scope
        self.filter_by(replace(wider, since=None if self.scope.since or libraries else LONG_AGO))
        if restart:
            self.forget()
        for minutes in (0, 20):
            self.world.clock.tick(timedelta(minutes=minutes))
            self.run_pair()
            # A mirror removes what the source does not have, whatever the baseline says, but not in a union.
            # And a service may drop what the union rated there.
            dropped = feature is WATCHLIST and self.profile.drops
            kept = self.store(other).held(feature, film) or dropped or (minutes and self.mirrors)
            assert kept, f"filters: {film.label()} was removed from {other}"
        FIRED["filters"] += 1

    def filter_by(self, scope: Scope) -> None:
        """Let the pair have these filters from now on."""
        FIRED["refiltered"] += scope != self.scope
        if scope != self.scope:
            self.shaken = True
        self.scope = scope
        self.define()

    def forget(self) -> None:
        """Reset the state, also while our last writes do not show yet."""
        FIRED["reset"] += 1
        before, engine_clock.now = engine_clock.now, self.world.clock
        try:
            reset_state(self.world.settings(), "pair", None, self.world.home)
        finally:
            engine_clock.now = before
        self.shaken = True
