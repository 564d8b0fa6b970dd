"""What the state machines found, each in as few steps as it takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cwsync.engine.reset import reset_state
from cwsync.model import Feature, GuardSpec, Mode, Op, Outcome, Row
from cwsync.state import read_journal
from support.engine import HOUR, World
from support.memory import Store, capable
from support.world import at, movie, played, rated

RATINGS, HISTORY = Feature.RATINGS, Feature.HISTORY


def known(folder: Path) -> tuple[World, Store, Store]:
    """Two accounts in step, and the evidence for the fast path."""
    world = World(folder)
    stores = world.account("home"), world.account("away")
    for store in stores:
        store.put(RATINGS, (movie(1), rated(5, at(0))), (movie(2), rated(5, at(0))))
    world.pair("home", "away", RATINGS)
    for _ in range(3):
        world.run()
        world.clock.tick(HOUR)
    return world, *stores


def test_the_fast_path_did_not_see_that_the_libraries_of_an_account_changed(tmp_path):
    world, _home, _away = known(tmp_path)
    login = world.logins["home"]
    login.spec = replace(login.spec, options={"libraries": ("Movies",)})
    world.pair("home", "away", RATINGS)
    assert any("this run is a union and removes nothing" in text for text in world.run().warnings)


def test_a_journal_cut_before_its_first_line_and_put_aside_made_the_history_damaged_for_ever(tmp_path):
    world, home, _away = known(tmp_path)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    journal = world.path("journal.jsonl")
    cuts = 0
    for n in range(1, 60):
        if not world.cut(n):
            break
        if journal.exists() and read_journal(journal) is None:
            cuts += 1
            reset_state(world.settings(), "home-away", None, world.home)
            assert world.past().exit_code == 0
    assert cuts


def test_one_read_that_wrongly_said_it_was_whole_doubled_a_play(tmp_path):
    world = World(tmp_path)
    home, away = world.account("home"), world.account("away", capable(every={"idempotent_add": False}))
    home.put(HISTORY, (movie(1), played(at(0))), (movie(2), played(at(0))))
    world.pair("home", "away", HISTORY, mode=Mode.ONE_WAY)
    world.run()
    world.clock.tick(HOUR)
    world.logins["away"].lies.unsaid = {HISTORY: frozenset(movie(1).ids)}
    world.run(full=True)
    assert len(away.held(HISTORY, movie(1))) == 1


def test_what_failed_in_a_union_keeps_nothing_of_a_baseline_that_was_put_back(tmp_path):
    """Why I17 has an exception there: the older agreement would be news to nobody, and wrong, for the next run."""
    world, home, away = known(tmp_path)
    old = world.path("state.json").read_bytes()
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    world.path("state.json").write_bytes(old)
    away.change(RATINGS, movie(1), rated(2, world.clock()))
    away.change(RATINGS, movie(2), rated(7, world.clock()))
    world.logins["away"].lies.refuse = dict.fromkeys(movie(1).ids, (Outcome.REJECTED, "no"))
    report = world.run()
    assert any("this run is a union" in text for text in report.warnings)
    rows = {row.item.label(): (row.source, row.target) for row in world.rows(RATINGS).values()}
    assert rows[movie(1).label()] == (None, None)
    world.logins["away"].lies.refuse = {}
    world.clock.tick(2 * HOUR)
    assert not any(one.change.op is Op.REMOVE for one in world.run().changes)
    assert home.held(RATINGS, movie(1)) == away.held(RATINGS, movie(1))


def test_a_guard_leaves_the_baseline_as_the_unfinished_run_before_it_had_left_it(tmp_path):
    """The proved writes of a run that was cut are taken into account, whatever trips afterwards; nothing else is."""
    world, home, away = known(tmp_path)
    home.put(RATINGS, *((movie(n), rated(5, world.clock())) for n in range(10, 30)))
    world.run()
    world.clock.tick(HOUR)
    world.pair("home", "away", RATINGS, guards=GuardSpec())
    journal = world.path("journal.jsonl")
    before: dict[str, Row] = {}
    for n in range(1, 60):
        world.clock.tick(HOUR)
        home.change(RATINGS, movie(1), rated(1 + n % 9, world.clock()))
        record = read_journal(journal) if world.cut(n) and journal.exists() else None
        before = {row.item.label(): row for row in world.rows(RATINGS).values()}
        answered = record is not None and bool(record.batches) and record.batches[0][1] is not None
        if answered and before[movie(1).label()].source != home.held(RATINGS, movie(1))[0]:
            break  # answered, and not yet in the state
    home.take(RATINGS, *(movie(n) for n in range(10, 30)))
    report = world.run()
    assert report.guards
    after = {row.item.label(): row for row in world.rows(RATINGS).values()}
    moved = {
        label
        for label, row in after.items()
        if (row.source, row.target) != (before[label].source, before[label].target)
    }
    assert moved == {movie(1).label()}, "the one write that was proved, and nothing else"
    assert len(away.rows[RATINGS]) == 22
