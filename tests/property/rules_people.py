"""What users do, and what services do to their own lists: edits, other ids, rebuilt libraries, editions."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from cwsync.model import Feature, Item, MarkKind
from property.ground import CROWD, FILMS, FIRED, HISTORY, NAMES, RATINGS, WATCHLIST, films, names, number, picks
from property.machine import Accounts
from support.engine import DAY, MINUTE, WINDOW
from support.memory import same
from support.world import movie

scores = st.integers(1, 10)


class People(Accounts):
    """Edits and re-keys."""

    def set_now(self, name: str, feature: Feature, film: Item, n: int) -> None:
        """A user gives a film a value; what the service then does to its watchlist is the user's deed too."""
        store, value = self.store(name), self.value(name, feature, n)
        if feature is not HISTORY and store.held(feature, film):
            store.change(feature, film, value)
        else:
            store.put(feature, (film, value))
        if feature is HISTORY:
            self.plays[film.ids[0]] += 1
        self.edits.add((feature, name, film.ids[0]))
        self.undone.pop((feature, film.ids[0]), None)
        drops = name == "away" and self.profile.drops and feature in (RATINGS, HISTORY)
        if drops and WATCHLIST in self.profile.features:
            self.take_now(name, WATCHLIST, film)

    def take_now(self, name: str, feature: Feature, film: Item) -> None:
        """A user takes a film away."""
        if self.store(name).held(feature, film):
            FIRED["taken"] += 1
            self.gone.add((feature, film.ids[0]))
            self.edits.add((feature, name, film.ids[0]))
            self.undone.pop((feature, film.ids[0]), None)
            self.store(name).take(feature, film)

    def edit(self, name: str, feature: Feature, film: Item, n: int) -> None:
        """A user gives a film value number `n`, or with 0 takes it away."""
        if n:
            self.set_now(name, feature, film, n)
        else:
            self.take_now(name, feature, film)

    def in_step(self, feature: Feature, film: Item) -> bool:
        """Let a film be on both sides, known and settled, if rules and services allow it; whether they did."""
        for _ in range(3):
            if self.settled(feature, film):
                return True
            if not self.store(self.ends[0]).held(feature, film):
                self.set_now(self.ends[0], feature, film, 5)
            self.run_pair()
            self.world.clock.tick(WINDOW + MINUTE)
        return self.settled(feature, film)

    def settled(self, feature: Feature, film: Item) -> bool:
        """Whether both sides hold a film, and the baseline says so and waits for nothing."""
        held = [{number(value) for value in self.store(name).held(feature, film)} for name in self.ends]
        rows = [row for row in self.world.rows(feature).values() if same(row.item, film)]
        if len(rows) != 1 or not all(held):
            return False
        row, now = rows[0], self.world.clock()
        agreed = number(row.source) in held[0] and number(row.target) in held[1]
        waits = (
            row.parked or row.seen or (row.mark and (row.mark.kind is not MarkKind.SETTLING or row.mark.until > now))
        )
        recent = sum(now - at < DAY for at in row.writes)
        return agreed and not waits and recent < 4

    @rule(name=names, pick=picks, film=films, n=scores)
    def give(self, name: str, pick: int, film: Item, n: int) -> None:
        FIRED["give"] += 1
        self.set_now(name, self.feature(pick), film, n)

    @rule(name=names, pick=picks, film=films)
    def take(self, name: str, pick: int, film: Item) -> None:
        self.take_now(name, self.feature(pick), film)

    @rule(name=names, pick=picks, film=films, n=scores)
    def take_and_put_back(self, name: str, pick: int, film: Item, n: int) -> None:
        """The service has another row for it now."""
        self.take_now(name, self.feature(pick), film)
        self.set_now(name, self.feature(pick), film, n)

    @rule(pick=picks, film=films, n=st.integers(0, 10), other=st.integers(0, 10))
    def both_sides_edit(self, pick: int, film: Item, n: int, other: int) -> None:
        FIRED["both"] += 1
        for name, value in zip(NAMES, (n, other), strict=True):
            if value:
                self.set_now(name, self.feature(pick), film, value)
            else:
                self.take_now(name, self.feature(pick), film)

    @rule(name=names, pick=picks, film=films, n=st.integers(0, 10), minutes=st.sampled_from((0, 1, 20)))
    def an_edit_is_carried(self, name: str, pick: int, film: Item, n: int, minutes: int) -> None:
        FIRED["edit and apply"] += 1
        if n:
            self.set_now(name, self.feature(pick), film, n)
        else:
            self.take_now(name, self.feature(pick), film)
        self.run_pair()
        self.world.clock.tick(minutes * MINUTE)

    @rule(name=names, pick=picks, n=st.integers(1, 3), services=st.sampled_from(("imdb tmdb", "imdb", "tmdb")))
    def rekey(self, name: str, pick: int, n: int, services: str) -> None:
        """The service knows a film by other ids from now on; the row stays what it was."""
        FIRED["rekey"] += 1
        rows, film = self.store(name).rows[self.feature(pick)], movie(n, services=services)
        rows[:] = [replace(row, item=film) if same(row.item, FILMS[n - 1]) else row for row in rows]

    @rule(name=names, pick=picks, share=st.sampled_from((1, 2)))
    def the_library_is_rebuilt(self, name: str, pick: int, share: int) -> None:
        """Every row (or every second one) has another native key from now on."""
        FIRED["rebuild"] += 1
        store = self.store(name)
        rows = store.rows[self.feature(pick)]
        rows[:] = [replace(row, native_key=store.name()) if n % share == 0 else row for n, row in enumerate(rows)]

    @rule(name=names, feature=st.sampled_from((RATINGS, WATCHLIST)), film=films)
    def an_edition_comes_and_goes(self, name: str, feature: Feature, film: Item) -> None:
        """A second row of one film with the same value appears during one run, and merges after it."""
        store = self.store(name)
        held = [row for row in store.rows[feature] if same(row.item, film)]
        if len(held) == 1:
            FIRED["edition"] += 1
            copy = replace(held[0], native_key=store.name())
            store.rows[feature].append(copy)
            self.run_pair()
            rows = store.rows[feature]
            if len(store.held(feature, film)) > 1:
                rows[:] = [row for row in rows if row.native_key != copy.native_key]

    @precondition(lambda self: self.world.pairs and self.profile.guards)
    @rule(name=names, pick=picks, count=st.sampled_from((3, 6, len(CROWD))))
    def a_crowd_is_taken(self, name: str, pick: int, count: int) -> None:
        """Many records at once: what guards are for."""
        FIRED["crowd"] += 1
        for film in CROWD[:count]:
            self.store(name).take(self.feature(pick), film)
