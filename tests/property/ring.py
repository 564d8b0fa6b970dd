"""Three lying accounts and three pairs between them: what one pair writes is news, or none, to the other two.

To another pair a write is what a user's edit is, so what an undo removes from one account is gone from there
for the two that did not do it; and what a pair has just written, and reads do not show yet, is nobody's edit.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cwsync.errors import UsageError
from cwsync.model import Change, Feature, Item, Op, Outcome, PairReport
from cwsync.state import read_journal
from property.checks import notes_of
from property.ground import ANCHOR, FIRED, HISTORY, RATINGS, deeds_of, film_of, folder, number
from support.engine import MINUTE, WINDOW, Mischief, World, behave
from support.memory import Store, calm, capable, same
from support.world import movie, played, rated

FEATURES = (RATINGS, HISTORY)
FILMS = tuple(movie(n) for n in range(1, 4))
NAMES, PAIRS = ("a", "b", "c"), ("a-b", "b-c", "c-a")
films, names, pairs, features = (st.sampled_from(one) for one in (FILMS, NAMES, PAIRS, FEATURES))
LATER = WINDOW + MINUTE


@dataclass(frozen=True)
class Sort:
    """What sort of accounts they are."""

    window: bool  # reads lag behind writes, and the services say so
    stamps: bool
    careful: bool  # a removal is seen twice before it is believed


sorts = st.builds(Sort, st.sampled_from((True, True, False)), st.booleans(), st.booleans())


class Ring(RuleBasedStateMachine):
    """In the end all three agree, or the difference is listed; and only what a user removed is ever removed."""

    sort: Sort

    def __init__(self) -> None:
        super().__init__()
        self.folder = folder("ring-")
        self.world = World(self.folder)
        self.gone: set[tuple[Feature, str]] = set()
        self.plays: Counter[str] = Counter()
        self.taking: list[tuple[str, Change]] | None = None
        self.apart: set[tuple[Feature, str]] = set()  # what undos left different, as they should

    @initialize(sort=sorts)
    def begin(self, sort: Sort) -> None:
        self.sort = sort
        able = capable(every={"stamp_moves_on_removal": sort.stamps, "idempotent_add": False, "batch": 2})
        for name in NAMES:
            store = self.world.account(name, able, WINDOW if sort.window else None)
            store.put(RATINGS, *((film, rated(5, self.world.clock())) for film in (*FILMS[:2], ANCHOR)))
            store.put(HISTORY, (ANCHOR, played(self.world.clock())))
        for pair in PAIRS:
            hold = 10 * MINUTE if sort.careful else timedelta(0)
            source, target = pair.split("-")
            self.world.pair(source, target, *FEATURES, hold_removed=hold)
        self.run_pairs()

    def store(self, name: str) -> Store:
        return self.world.logins[name].store

    def lies(self, name: str) -> Mischief:
        return self.world.logins[name].lies

    # --- users and services ------------------------------------------------------------------------------

    @rule(name=names, feature=features, film=films, score=st.integers(0, 10))
    def edit(self, name: str, feature: Feature, film: Item, score: int) -> None:
        FIRED["edit"] += 1
        store, now = self.store(name), self.world.clock()
        held = store.held(feature, film)
        if not score:
            self.gone |= {(feature, film.ids[0])} if held else set()
            store.take(feature, film)
        elif feature is HISTORY:
            self.plays[film.ids[0]] += 1
            store.put(HISTORY, (film, played(now)))
        elif held:
            store.change(RATINGS, film, rated(score, now))
        else:
            store.put(RATINGS, (film, rated(score, now)))

    @rule(name=names, feature=features, n=st.integers(1, 3), services=st.sampled_from(("imdb tmdb", "imdb", "tmdb")))
    def rekey(self, name: str, feature: Feature, n: int, services: str) -> None:
        FIRED["rekey"] += 1
        store, film = self.store(name), movie(n, services=services)
        rows = store.rows[feature]
        rows[:] = [replace(row, item=film, native_key=store.name()) if same(row.item, film) else row for row in rows]

    # --- lies --------------------------------------------------------------------------------------------

    @rule(name=names, flicker=st.booleans())
    def reads_lag_from_now_on(self, name: str, flicker: bool) -> None:
        FIRED["lag"] += self.sort.window
        self.lies(name).lag_for = WINDOW - MINUTE if self.sort.window else None
        self.lies(name).flicker = flicker

    @rule(name=names, lost=st.booleans())
    def the_next_request_goes_wrong(self, name: str, lost: bool) -> None:
        FIRED["lost reply" if lost else "failed write"] += 1
        lies = self.lies(name)
        call = frozenset({lies.applies + 1})
        lies.lose_reply, lies.fail_apply = (call, frozenset()) if lost else (frozenset(), call)

    @rule(name=names, film=films, outcome=st.sampled_from((Outcome.NOT_FOUND, Outcome.REJECTED, Outcome.UNKNOWN)))
    def a_film_is_refused(self, name: str, film: Item, outcome: Outcome) -> None:
        FIRED["refused"] += 1
        self.lies(name).refuse = dict.fromkeys(film.ids, (outcome, "no"))

    @rule(name=names, film=films, how=st.sampled_from(("short", "garbled", "down", "restless")))
    def a_read_goes_wrong(self, name: str, film: Item, how: str) -> None:
        FIRED[how] += 1
        lies = self.lies(name)
        lies.drop_tokens = frozenset(film.ids) if how == "short" else frozenset()
        lies.garbled = frozenset(film.ids) if how == "garbled" else frozenset()
        lies.fail_reads = int(how == "down")
        lies.unstable_watermark = how == "restless"

    @rule(minutes=st.sampled_from((1, 16, 60, 1800)))
    def wait(self, minutes: int) -> None:
        self.world.clock.tick(minutes * MINUTE)

    # --- runs --------------------------------------------------------------------------------------------

    @rule(pair=pairs)
    def run_one(self, pair: str) -> None:
        FIRED["run"] += 1
        self.watched(lambda: self.run_pairs(pair))

    @rule()
    def run_every(self) -> None:
        FIRED["round"] += 1
        self.watched(self.run_pairs)

    @rule(pair=pairs, at=st.integers(1, 60))
    def cut_one(self, pair: str, at: int) -> None:
        self.watched(lambda: FIRED.update({"cut": self.world.cut(at, pair)}))

    @rule(pair=pairs, at=st.integers(1, 60), feature=features, film=films, score=st.integers(0, 10))
    def an_edit_is_cut_and_the_next_pair_runs(
        self, pair: str, at: int, feature: Feature, film: Item, score: int
    ) -> None:
        """The neighbour reads what nobody answered for yet."""
        source, target = pair.split("-")
        self.edit(source, feature, film, score)
        self.watched(lambda: FIRED.update({"cut": self.world.cut(at, pair)}))
        self.watched(lambda: self.run_pairs(next(one for one in PAIRS if one.startswith(target))))

    @rule(pair=pairs, feature=features, film=films, score=st.integers(0, 10))
    def our_write_does_not_show_to_the_next_pair(self, pair: str, feature: Feature, film: Item, score: int) -> None:
        """I5 between pairs: a settling mark belongs to the account that was written.

        The news also takes the long way round, by the third account: what is on its way is not sent twice.
        """
        source, target = pair.split("-")
        FIRED["settling"] += 1
        self.lies(target).lag_for = WINDOW - MINUTE if self.sort.window else None
        self.edit(source, feature, film, score)
        following = next(one for one in PAIRS if one.startswith(target))
        for minutes in (0, 11, 0, 2):
            self.world.clock.tick(minutes * MINUTE)
            for one in (pair, *(set(PAIRS) - {pair, following}), following):
                self.watched(partial(self.run_pairs, one))
                self.nothing_is_doubled()
        self.lies(target).lag_for = None

    @rule(pair=pairs, back=st.integers(0, 2), at=st.sampled_from((None, None, 9, 14, 20)))
    def one_pair_takes_back_a_run(self, pair: str, back: int, at: int | None) -> None:
        """I23, and what it takes away is gone as if a user had taken it."""
        self.world.clock.tick(LATER)
        runs = [run for run in self.world.past(pair).runs if run.ending in ("finished", "cut")]
        if len(runs) <= back:
            return
        name = runs[back].run_id
        (run,) = self.world.past(pair, run_id=name).runs
        self.taking = [(deed.account, deed.change) for deed in deeds_of(run)]
        try:
            self.watched(lambda: self._undo(pair, name, at))
        except UsageError:
            assert not self.taking
        finally:
            self.taking = None

    def _undo(self, pair: str, run: str, at: int | None) -> None:
        FIRED["undo"] += 1
        if at is None:
            self.judge(self.world.undo(pair, run))
        else:
            self.world.cut_undo(at, pair, run)

    def run_pairs(self, *wanted: str) -> None:
        for report in self.world.run_all(*wanted).pairs:
            self.judge(report)

    def judge(self, report: PairReport) -> None:
        assert report.exit_code in (0, 3, 4, 75), report.error
        assert not any(guard.name == "complete" for guard in report.guards), "I4"

    def watched(self, act: Callable[[], object]) -> None:
        """Do something, and hold every request against the truth; lies about one run end with it."""
        for name in NAMES:
            self.lies(name).before_apply = self._look(name)
        act()
        for name in NAMES:
            lies = self.lies(name)
            kept = lies.hidden, lies.lag_for, lies.flicker
            behave(lies)
            calm(lies)
            lies.hidden, lies.lag_for, lies.flicker = kept
        self.apart = {(feature, token) for feature, token in self.apart if len(self.found(feature, token)) > 1}

    def found(self, feature: Feature, token: str) -> set[int]:
        """What the three accounts hold of a film, as numbers."""
        film = next(film for film in FILMS if film.ids[0] == token)
        held = [self.store(name).held(feature, film) for name in NAMES]
        return {number(values[0]) if values else 0 for values in held}

    def _look(self, name: str) -> Callable[[Feature, Sequence[Change]], None]:
        def look(_feature: Feature, changes: Sequence[Change]) -> None:
            for change in changes:
                self.check(name, change)

        return look

    def check(self, name: str, change: Change) -> None:
        journals = [read_journal(self.world.path("journal.jsonl", name=pair)) for pair in PAIRS]
        told = {one.key for record in journals if record for intent, _ in record.batches for one in intent.changes}
        assert change.key in told, "I6: a request without its journal line"
        film = film_of(change.item, FILMS)
        if film is not None and self.taking is not None:
            self.apart.add((change.feature, film.ids[0]))
        if film is None or change.op is not Op.REMOVE:
            return
        if self.taking is not None:
            mine = [done for account, done in self.taking if account == name and same(done.item, film)]
            assert any(done.op is Op.ADD and number(done.before) == 0 for done in mine), "I23: never added by that run"
            self.gone.add((change.feature, film.ids[0]))
        assert (change.feature, film.ids[0]) in self.gone, f"I3, I5: nobody ever took {film.label()} away"

    # --- what always holds -----------------------------------------------------------------------------

    @precondition(lambda self: self.world.pairs)
    @invariant()
    def nothing_is_doubled(self) -> None:
        """I5, I8: no more plays than users ever made, and no list holds a film twice."""
        for name in NAMES:
            for film in FILMS:
                for feature in FEATURES:
                    found = len(self.store(name).held(feature, film))
                    most = self.plays[film.ids[0]] if feature is HISTORY else 1
                    assert found <= most, f"I5, I8: {film.label()} is {found} times in {feature} on {name}"

    def teardown(self) -> None:
        try:
            if self.world.pairs:
                self.come_to_rest()
        finally:
            shutil.rmtree(self.folder)

    def come_to_rest(self) -> None:
        """I2: honest from now on, all agree within a few rounds, or each difference is listed."""
        for login in self.world.logins.values():
            behave(login.lies)
            calm(login.lies)
        self.world.clock.tick(26 * 60 * MINUTE)  # so that what was written often may be written again
        reports: tuple[PairReport, ...] = ()
        for _ in range(8):
            before = [self.world.baseline_bytes(pair) for pair in PAIRS]
            reports = self.world.run_all().pairs
            if before == [self.world.baseline_bytes(pair) for pair in PAIRS] and not any(
                one.changes for one in reports
            ):
                break
            self.world.clock.tick(LATER)
        assert not any(report.changes for report in reports), "I2: it never comes to rest"
        told = {(note.feature, token) for one in reports for note in notes_of(one) for token in note.item.ids}
        for feature in FEATURES:
            for film in FILMS:
                found = self.found(feature, film.ids[0])
                listed = any((feature, token) in told for token in film.ids) or (feature, film.ids[0]) in self.apart
                assert len(found) == 1 or listed, f"I2: {feature} {film.label()}: {found}"
