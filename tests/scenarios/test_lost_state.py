"""The state of a pair is gone, old, damaged or another one's: said, survived, and nothing is removed for it."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from cwsync.engine import pair_status
from cwsync.model import Feature, Mode
from cwsync.state import PairStore, read_journal
from support.engine import HOUR, MINUTE, WINDOW, World, did
from support.memory import capable
from support.world import at, movie, played, rated

RATINGS, HISTORY = Feature.RATINGS, Feature.HISTORY
GONE = "ratings: the state is missing, though this pair was run before; this run is a union and removes nothing"
OLD = (
    "ratings: the state is older than the last run: it was restored or rolled back; this run is a union and"
    " removes nothing"
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A pair that was run twice, so that it has a backup; then a film was taken away at home."""
    world = World(tmp_path)
    home, away = world.account("home"), world.account("away")
    for store in (home, away):
        store.put(RATINGS, *[(movie(n), rated(5, at(0))) for n in range(1, 6)])
    world.pair("home", "away", RATINGS, hold_removed=timedelta(0))
    world.run()
    world.clock.tick(HOUR)
    home.change(RATINGS, movie(2), rated(9, world.clock()))
    world.run()
    world.clock.tick(HOUR)
    home.take(RATINGS, movie(1))
    return world


def kept(world: World) -> PairStore:
    return PairStore(world.home.state_dir, "home-away")


def status(world: World) -> tuple[bool, str | None]:
    (report,) = pair_status(world.settings(), ["home-away"], world.home, None)
    return report.missing, report.error.code if report.error else None


def heard(world: World) -> list[str]:
    return [text for text in world.plan().warnings if not text.startswith("earlier states")]


def test_a_missing_state_was_a_silent_first_run(world: World) -> None:
    kept(world).path.unlink()
    assert heard(world) == [GONE]
    assert status(world) == (True, None)
    report = world.run()
    assert not report.first_run
    assert did(report) == ["+source Film 1 (1951) 5 confirmed"]
    assert f"earlier states of home-away are kept; the newest is {kept(world).backups()[0]}" in report.warnings
    assert (heard(world), status(world)) == ([], (False, None))


def test_a_missing_state_is_noticed_by_its_backups_alone(world: World) -> None:
    store = kept(world)
    store.path.unlink()
    (store.folder / "last-run.json").unlink()
    assert heard(world) == [GONE]


def test_a_missing_state_is_noticed_by_the_last_run_alone(world: World) -> None:
    store = kept(world)
    store.path.unlink()
    shutil.rmtree(store.backups_folder)
    assert world.plan().warnings == (GONE,)


def test_generations_go_on_counting_after_a_loss(world: World) -> None:
    before = kept(world).load("home", "away").generation
    kept(world).path.unlink()
    world.run()
    assert kept(world).load("home", "away").generation >= before
    world.clock.tick(HOUR)
    assert heard(world) == []


def test_a_restored_backup_is_said_and_removes_nothing(world: World) -> None:
    store = kept(world)
    shutil.copyfile(store.backups()[-1], store.path)
    assert heard(world) == [OLD]
    assert did(world.plan()) == ["+source Film 1 (1951) 5"]


def test_after_a_reset_nothing_is_missing(world: World) -> None:
    store = kept(world)
    store.reset(None, world.clock())
    assert (heard(world), status(world)) == ([], (False, None))


def test_after_a_reset_of_a_damaged_state_nothing_is_missing(world: World) -> None:
    store = kept(world)
    store.path.write_bytes(store.path.read_bytes()[:-9])
    assert status(world) == (False, "state")
    store.reset(None, world.clock())
    assert not store.path.exists()
    assert (heard(world), status(world)) == ([], (False, None))


def test_the_state_of_another_pair_stops_the_run(world: World) -> None:
    world.pair("away", "home", RATINGS, name="other")
    shutil.copytree(kept(world).folder, kept(world).folder.with_name("other"))
    report = world.run("other")
    assert report.exit_code == 7
    assert report.error is not None
    assert "it is that of the pair 'home-away'" in report.error.message
    assert "cwsync reset-state other" in (report.error.hint or "")
    assert report.changes == ()


def test_a_journal_that_was_cut_before_its_first_line_was_damage_for_ever_after_a_reset(world: World) -> None:
    store = kept(world)
    store.journal_path.write_bytes(b'{"n":1,"kind":"beg')
    assert read_journal(store.journal_path) is None
    store.reset(None, world.clock())
    assert not store.journal_path.exists()
    assert "damaged" not in [run.ending for run in world.past().runs]
    assert world.past().exit_code == 0


def test_a_reset_forgot_what_was_just_sent_and_a_play_was_sent_twice(tmp_path: Path) -> None:
    world = World(tmp_path)
    home = world.account("home")
    away = world.account("away", capable(every={"idempotent_add": False}), staleness=WINDOW)
    home.put(HISTORY, (movie(1), played(at(0))))
    world.pair("home", "away", HISTORY, mode=Mode.ONE_WAY)
    world.logins["away"].lies.lag_for = WINDOW - MINUTE
    world.run()
    PairStore(world.home.state_dir, "home-away").reset(None, world.clock())
    world.run()
    assert len(away.rows[HISTORY]) == 1
    world.clock.tick(HOUR)
    world.run()
    assert len(away.rows[HISTORY]) == 1
    assert world.plan().changes == ()
