"""Looking without touching: dry runs, saved plans, and the fast path that reads nothing when nothing moved."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cwsync import files
from cwsync.engine import RunOptions, SavedPlan, load_plan, save_plan
from cwsync.model import Conflict, Feature, Mode, Outcome, RemoveMode, Snapshot
from cwsync.state import PairStore, read_journal
from support.engine import DAY, HOUR, MINUTE, WINDOW, Sly, World, codes, did, fingerprint_of
from support.memory import Store, capable, shown
from support.world import listed, movie, rated

RATINGS, WATCHLIST = Feature.RATINGS, Feature.WATCHLIST
AT_ONCE = timedelta(0)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def busy(world: World, **rules) -> tuple[Store, Store]:
    """A pair with a baseline, and something to add, to update, to remove, to hold and to argue about."""
    home, away = world.account("home"), world.account("away", staleness=WINDOW)
    for store in (home, away):
        store.put(RATINGS, *((movie(n), rated(5)) for n in range(1, 9)))
        store.put(WATCHLIST, (movie(1), listed()))
    world.pair("home", "away", RATINGS, WATCHLIST, **({"hold_removed": AT_ONCE} | rules))
    world.run()
    home.change(RATINGS, movie(8), rated(6))
    world.run()
    home.change(RATINGS, movie(8), rated(7))  # still settling
    home.put(RATINGS, (movie(20), rated(8)))
    home.take(RATINGS, movie(1))
    away.change(RATINGS, movie(2), rated(9))
    home.change(RATINGS, movie(3), rated(1))
    away.change(RATINGS, movie(3), rated(2))
    return home, away


def test_I10_a_dry_run_creates_renames_and_touches_nothing(world):
    home, away = busy(world)
    wire = len(home.wire) + len(away.wire)
    before, effects = fingerprint_of(world.folder), world.effects
    report = world.plan()
    assert len(report.changes) == 4
    assert (fingerprint_of(world.folder), world.effects) == (before, effects)
    assert len(home.wire) + len(away.wire) == wire


def test_I10_the_very_first_dry_run_makes_no_folder(world):
    home, _ = world.account("home"), world.account("away")
    home.put(RATINGS, (movie(1), rated(8)))
    world.pair("home", "away", RATINGS)
    place = world.folder / "not" / "there"
    world.folder = place
    assert len(world.plan().changes) == 1
    assert not place.exists()
    assert not place.parent.exists()


def test_I10_a_dry_run_after_a_cut_leaves_the_journal_for_the_next_run(world):
    busy(world)
    world.logins["away"].lies.on_effect = world.dies_at("reply")
    assert world.cut(10_000)
    world.logins["away"].lies.on_effect = lambda _name: None
    assert world.path("journal.jsonl").exists()
    before = fingerprint_of(world.folder)
    dry = world.plan()
    assert any("did not finish" in text for text in dry.warnings)
    assert fingerprint_of(world.folder) == before
    assert world.plan().digest == dry.digest
    applied = world.run()
    assert applied.digest == dry.digest
    assert not world.path("journal.jsonl").exists()


def test_I10_a_dry_run_works_where_nothing_can_be_written(world):
    busy(world)
    expected = did(world.plan())

    def refuse(name: str, path: Path) -> None:
        raise PermissionError(name, str(path))

    for path in sorted(world.folder.rglob("*"), reverse=True):
        path.chmod(0o500 if path.is_dir() else 0o400)
    world.folder.chmod(0o500)
    try:
        with world.running():
            hook = files.set_effect_hook(refuse)
            try:
                report = world.again(apply=False)
            finally:
                files.set_effect_hook(hook)
    finally:
        for path in (world.folder, *world.folder.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
    assert did(report) == expected


def test_I11_a_dry_run_and_the_run_that_follows_have_the_same_digest(world):
    _home, _away = busy(world)
    dry = world.plan()
    again = world.plan()
    applied = world.run()
    assert dry.digest == again.digest == applied.digest
    assert [one.change for one in dry.changes] == [one.change for one in applied.changes]
    assert world.plan().digest != dry.digest


def test_I1_a_second_run_on_a_still_world_writes_nothing_anywhere(world):
    home, away = busy(world)
    world.settle()
    wire, state = len(home.wire) + len(away.wire), world.baseline_bytes()
    runs = sorted(world.path("runs").iterdir())
    for full in (False, True):
        report = world.run(full=full)
        assert (report.changes, report.exit_code) == ((), 0)
    assert (len(home.wire) + len(away.wire), world.baseline_bytes()) == (wire, state)
    assert sorted(world.path("runs").iterdir()) == runs
    assert shown(home, RATINGS) == shown(away, RATINGS)


# --- saved plans -------------------------------------------------------------------------------------


def saved(world: World, **options) -> SavedPlan:
    """A dry run, saved and read back."""
    chosen = RunOptions(**options)
    report = world.run_all(apply=False, **options)
    path = world.folder / "plan.json"
    save_plan(path, report, chosen, world.clock())
    return load_plan(path)


def test_a_saved_plan_is_applied_exactly_also_later(world):
    busy(world)
    plan = saved(world)
    expected = did(world.plan())
    world.clock.tick(2 * HOUR)  # by now the settling record could be written too: it is not in the plan
    report = world.run_saved(plan)
    assert did(report) == [f"{line} confirmed" for line in expected]
    assert world.run_saved(plan).exit_code == 4
    assert did(world.run()) == ["~target Film 8 (1958) 7 confirmed"]


def test_a_saved_plan_keeps_its_options(world):
    home, _ = busy(world)
    plan = saved(world, limit=1, features=frozenset({RATINGS}))
    home.put(WATCHLIST, (movie(30), listed()))
    assert len(did(world.run_saved(plan))) == 1


MOVES = {
    "a value": lambda home, away: away.change(RATINGS, movie(5), rated(9)),
    "a new record": lambda home, away: home.put(RATINGS, (movie(40), rated(9))),
    "a removal": lambda home, away: away.take(RATINGS, movie(6)),
}


@pytest.mark.parametrize("move", MOVES)
def test_a_saved_plan_is_stale_once_a_side_moved(world, move):
    home, away = busy(world)
    plan = saved(world)
    MOVES[move](home, away)
    wire, state = len(home.wire) + len(away.wire), world.baseline_bytes()
    report = world.run_saved(plan)
    assert (report.exit_code, report.error and report.error.code) == (4, "stale-plan")
    assert (len(home.wire) + len(away.wire), world.baseline_bytes()) == (wire, state)


def test_a_saved_plan_is_stale_once_the_baseline_moved(world):
    busy(world)
    plan = saved(world)
    world.run(limit=1)
    assert world.run_saved(plan).exit_code == 4


# --- the fast path -----------------------------------------------------------------------------------


def _ruled(rules: dict[str, Any]) -> dict[str, Any]:
    return {"hold_removed": AT_ONCE, "mode": Mode.ONE_WAY} | rules


def quiet(world: World, caps=None, staleness: timedelta | None = None, **rules) -> tuple[Store, Store]:
    """A pair that has been quiet for long enough that nothing would be read."""
    home, away = world.account("home", caps, staleness), world.account("away", caps, staleness)
    for store in (home, away):
        store.put(RATINGS, *((movie(n), rated(5)) for n in range(1, 5)))
    away.put(RATINGS, (movie(9), rated(5)))
    world.pair("home", "away", RATINGS, **_ruled(rules))
    for _ in range(4):
        world.run()
        world.clock.tick(20 * MINUTE)
    return home, away


def test_I24_where_nothing_moved_nothing_is_read_and_the_plan_is_the_same(world):
    home, away = quiet(world)
    reads = home.reads + away.reads
    fast = world.plan()
    assert home.reads + away.reads == reads
    full = world.plan(full=True)
    assert home.reads + away.reads == reads + 2
    assert (fast.digest, fast.changes, fast.exit_code) == (full.digest, full.changes, full.exit_code)
    told = [(one.same, one.one_sided) for report in (fast, full) for one in report.features.values()]
    assert told == [(5, 1), (5, 1)]
    world.clock.tick(DAY)
    world.plan()
    assert home.reads + away.reads == reads + 4, "a stamp is trusted for a day"


EDITS = {
    "add": lambda home: home.put(RATINGS, (movie(30), rated(3))),
    "update": lambda home: home.change(RATINGS, movie(1), rated(3)),
    "remove": lambda home: home.take(RATINGS, movie(1)),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("moves_on_removal", [True, False])
def test_I24_whatever_moved_the_plan_is_that_of_a_full_read(world, edit, moves_on_removal):
    home, _ = quiet(world, capable(every={"stamp_moves_on_removal": moves_on_removal}))
    if not moves_on_removal:
        _blind_to_removals(world, "home")
        for _ in range(4):
            world.run()
            world.clock.tick(20 * MINUTE)
    EDITS[edit](home)
    fast, full = world.plan(), world.plan(full=True)
    assert (did(fast), fast.digest) == (did(full), full.digest)
    assert fast.changes


def _blind_to_removals(world: World, name: str) -> None:
    """A service whose stamp counts what was ever written, and so stands still when something goes."""

    async def watermark(_self: Sly, _feature: Feature) -> str:
        return "always the same"

    async def fetch(self: Sly, feature: Feature) -> Snapshot:
        return replace(await Sly.fetch(self, feature), watermark="always the same")

    world.oddly(name, watermark=watermark, fetch=fetch)


RULES: dict[str, dict[str, Any]] = {
    "mode": {"mode": Mode.TWO_WAY},
    "mirror": {"remove_mode": RemoveMode.MIRROR},
    "policy": {"conflict": Conflict.TARGET, "mode": Mode.TWO_WAY},
}


@pytest.mark.parametrize("rule", RULES)
def test_I24_other_rules_are_another_plan(world, rule):
    quiet(world)
    world.pair("home", "away", RATINGS, **_ruled(RULES[rule]))
    fast, full = world.plan(), world.plan(full=True)
    assert (did(fast), fast.digest) == (did(full), full.digest)
    assert fast.changes


def test_I24_the_fast_path_did_not_see_that_the_libraries_changed(world):
    quiet(world)
    login = world.logins["home"]
    login.spec = replace(login.spec, options={"libraries": ("Movies",)})
    world.pair("home", "away", RATINGS, **_ruled({}))
    fast, full = world.plan(), world.plan(full=True)
    assert fast.warnings == full.warnings
    assert "libraries, types or dates changed" in fast.warnings[0]


def test_I24_a_list_that_lags_behind_its_stamp_is_no_evidence(world):
    home, _ = quiet(world, staleness=WINDOW)
    old = [row for row in home.rows[RATINGS] if row.item == movie(1)]
    home.change(RATINGS, movie(1), rated(1))
    world.logins["home"].lies.hide(RATINGS, movie(1), old, until=world.clock() + WINDOW - MINUTE)
    for _ in range(3):
        assert did(world.run()) == []
        world.clock.tick(4 * MINUTE)
    world.clock.tick(WINDOW)
    assert did(world.plan()) == did(world.plan(full=True)) == ["~target Film 1 (1951) 1"]


def test_I24_the_fast_path_alone_never_removes(world):
    """Evidence that lies (stamps that stand still for ever) can only make a run do nothing."""
    home, away = quiet(world)
    stamps: list[str | None] = []

    async def watermark(self: Sly, feature: Feature) -> str | None:
        stamps.append(await Sly.watermark(self, feature))
        return stamps[0]

    world.oddly("home", watermark=watermark)
    world.run()
    home.rows[RATINGS].clear()
    report = world.run()
    assert (did(report), len(away.rows[RATINGS])) == ([], 5)


@pytest.mark.skipif(sys.platform == "win32", reason="modes")
def test_state_is_for_the_owner_alone_whatever_the_umask(world):
    before = os.umask(0)
    try:
        busy(world)
    finally:
        os.umask(before)
    for path in world.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_holds_and_conflicts_are_listed_in_a_dry_run_as_in_the_run(world):
    busy(world)
    dry = world.plan()
    applied = world.run()
    assert codes(dry.holds) == codes(applied.holds) == ["settling"]
    assert codes(dry.conflicts) == codes(applied.conflicts) == ["conflict"]
    assert {one.outcome for one in applied.changes} == {Outcome.CONFIRMED}


def test_I11_after_an_undo_that_was_cut_a_dry_run_named_another_plan_than_the_run(world):
    """The dry run trusted the stamps; the run had stored the state anew by then, and read everything."""
    home, _ = quiet(world)
    home.put(RATINGS, (movie(30), rated(3)))
    for _ in range(4):
        world.run()
        world.clock.tick(20 * MINUTE)
    store = PairStore(world.home.state_dir, "home-away")
    assert any(world.cut_undo(n) and store.journal_path.exists() for n in range(1, 40))
    journal = read_journal(store.journal_path)
    assert journal is not None
    assert journal.batches == ()
    dry, done = world.plan(), world.run()
    assert dry.digest == done.digest
