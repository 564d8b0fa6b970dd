"""The power goes off: anywhere, and then the next run ends where an uncut run ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from cwsync import files
from cwsync.engine.replay import replay
from cwsync.model import Conflict, Feature, MarkKind, Mode, Op, Outcome, Plays, Side
from cwsync.state import PairStore, read_journal
from support.engine import HOUR, World, ask_to_stop, codes, did
from support.memory import capable, shown
from support.scenes import first_run, in_step, one_way, two_way
from support.world import at, listed, movie, played, rated, stopped

RATINGS, WATCHLIST, HISTORY, PROGRESS = Feature.RATINGS, Feature.WATCHLIST, Feature.HISTORY, Feature.PROGRESS
AT_ONCE = timedelta(0)
NO_DOUBLES = capable(every={"idempotent_add": False})


def _conflicts(world: World) -> None:
    home, away = in_step(world, RATINGS, conflict=Conflict.KEEP)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    away.take(RATINGS, movie(1))
    home.take(RATINGS, movie(2))
    away.change(RATINGS, movie(2), rated(2, world.clock()))


def _plays(world: World) -> None:
    home, away = in_step(world, HISTORY, caps=NO_DOUBLES, plays=Plays.ALL)
    home.put(HISTORY, (movie(1), played(at(3))), (movie(8), played(at(4))))
    away.put(HISTORY, (movie(1), played(at(9))))


def _watched(world: World) -> None:
    drops = capable(drops_from_watchlist=frozenset({HISTORY, RATINGS}))
    home, _ = in_step(world, HISTORY, WATCHLIST, RATINGS, PROGRESS, caps=drops)
    for feature, held in ((HISTORY, played(at(5))), (RATINGS, rated(7, at(5)))):
        home.put(feature, (movie(9), held))
    home.put(WATCHLIST, (movie(11), listed(at(5))))
    home.change(PROGRESS, movie(3), stopped(60, 100, world.clock()))


SCENES: dict[str, Callable[[World], None]] = {
    "one-way": one_way,
    "two-way": two_way,
    "conflicts": _conflicts,
    "first run": first_run,
    "all plays": _plays,
    "watched": _watched,
}


def ends(world: World) -> dict[str, list[str]]:
    return {
        f"{name} {feature}": shown(login.store, feature) for name, login in world.logins.items() for feature in Feature
    }


@pytest.mark.parametrize("scene", SCENES)
def test_I7_cut_at_any_effect_and_run_again_ends_where_the_uncut_run_ends(tmp_path, scene):
    whole = World(tmp_path / "whole")
    SCENES[scene](whole)
    whole.effects = 0
    whole.run()
    steps = whole.effects
    whole.settle()
    expected = ends(whole)
    for n in range(1, steps + 1):
        world = World(tmp_path / str(n))
        SCENES[scene](world)
        assert world.cut(n), n
        world.settle()
        assert ends(world) == expected, f"cut at effect {n} of {steps}"
        assert not world.path("journal.jsonl").exists()
        before = world.baseline_bytes()
        assert (world.run().changes, world.baseline_bytes()) == ((), before)


def test_I8_a_play_is_never_there_twice_however_often_a_run_is_cut(tmp_path):
    """Adds are not idempotent here, and every second request is cut right behind or right before the service."""
    world = World(tmp_path)
    home, away = in_step(world, HISTORY, caps=NO_DOUBLES, plays=Plays.ALL, mode=Mode.ONE_WAY)
    for n in range(6):
        home.put(HISTORY, (movie(1), played(at(10 + n))))
        word = ("request", "reply")[n % 2]
        world.logins["away"].lies.on_effect = world.dies_at(word)
        assert world.cut(10_000)
        world.logins["away"].lies.on_effect = lambda _name: None
        world.settle()
        assert shown(away, HISTORY) == shown(home, HISTORY)


def test_I17_copies_that_were_all_answered_for_before_the_cut_are_proved_and_settle(tmp_path):
    """One request a copy. Were they not proved, a read that lags would be taken for a user's edit."""
    proved = 0
    for n in range(1, 80):
        world = World(tmp_path / str(n))
        home, away = in_step(world, RATINGS, caps=capable(every={"batch": 1}))
        away.put(RATINGS, (movie(1), rated(5, at(0))))
        world.run()
        world.clock.tick(HOUR)
        home.change(RATINGS, movie(1), rated(9, world.clock()))
        if not world.cut(n):
            break
        journal = read_journal(world.path("journal.jsonl"))
        if journal is None or [receipts is None for _, receipts in journal.batches] != [False, False]:
            continue
        proved += 1
        world.run()
        mark = world.rows(RATINGS)[movie(1).key() or ""].mark
        assert mark is not None, f"cut at effect {n}"
        assert mark.kind is MarkKind.SETTLING, f"cut at effect {n}"
    assert proved > 2


# --- the journal -------------------------------------------------------------------------------------


def test_I6_the_values_that_a_request_destroys_are_in_a_durable_journal_before_it_leaves(tmp_path):
    world = World(tmp_path)
    _conflicts(world)
    told: list[tuple[str, list[object]]] = []

    def look(side: Side, sent) -> None:
        journal = read_journal(world.path("journal.jsonl"))
        assert journal is not None
        intent, receipts = journal.batches[-1]
        assert receipts is None
        assert intent.side is side
        assert [(c.key, c.before, c.after) for c in intent.changes] == [(c.key, c.before, c.after) for c in sent]
        told.extend((c.key, [c.before]) for c in sent)

    for name, side in (("home", Side.SOURCE), ("away", Side.TARGET)):
        world.logins[name].lies.before_apply = lambda _feature, sent, side=side: look(side, sent)
    report = world.run()
    assert len(told) == len(report.changes) == 2
    assert all(one.outcome is Outcome.CONFIRMED for one in report.changes)


def test_I6_the_losing_value_of_a_conflict_stays_in_the_journal_of_the_run(tmp_path):
    world = World(tmp_path)
    home, away = in_step(world, RATINGS)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    away.change(RATINGS, movie(1), rated(2, world.clock()))
    world.run()
    journal = read_journal(max(world.path("runs").iterdir()))
    assert journal is not None
    befores = [change.before for intent, _ in journal.batches for change in intent.changes]
    assert rated(2, world.clock()) in befores


async def _replay_twice(world: World):
    store = PairStore(world.folder, "home-away")
    journal = read_journal(store.journal_path)
    assert journal is not None
    pair = world.pairs["home-away"]
    caps = {
        side: world.logins[name].provider.capabilities for side, name in ((Side.SOURCE, "home"), (Side.TARGET, "away"))
    }
    once = await replay(store.load("home", "away"), journal, pair, {}, caps)
    twice = await replay(once.state, journal, pair, {}, caps)
    return once, twice


def test_I9_replaying_a_journal_twice_is_replaying_it_once(tmp_path):
    world = World(tmp_path)
    one_way(world)
    world.logins["away"].lies.on_effect = world.dies_at("reply")
    assert world.cut(10_000)
    once, twice = asyncio.run(_replay_twice(world))
    assert once.in_doubt == twice.in_doubt > 0
    assert {f: b.rows for f, b in once.state.features.items()} == {f: b.rows for f, b in twice.state.features.items()}


def test_I9_a_finished_journal_is_never_written_again(tmp_path):
    world = World(tmp_path)
    one_way(world)
    kept: dict[str, bytes] = {}
    for n in range(4):
        world.logins["home"].store.put(RATINGS, (movie(30 + n), rated(5, world.clock())))
        world.run()
        for name, data in kept.items():
            assert world.path("runs", name).read_bytes() == data
        kept = {path.name: path.read_bytes() for path in world.path("runs").iterdir()}
    assert len(kept) == 4


def test_a_secret_that_a_service_repeats_in_its_answer_is_not_kept(tmp_path):
    world = World(tmp_path)
    one_way(world)
    world.logins["away"].lies.refuse = {movie(7).ids[0]: (Outcome.REJECTED, "no https://x/?access_token=nEv3r&y=1")}
    assert world.run().exit_code == 3
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in kept if b"nEv3r" in path.read_bytes()] == []
    assert {path.parent.name for path in kept if b"access_token=***" in path.read_bytes()} == {"home-away", "runs"}


# --- damage ------------------------------------------------------------------------------------------


def _flips(data: bytes) -> list[int]:
    """A handful of places, among them both ends and the checksum."""
    return sorted({0, 1, 12, 40, len(data) // 3, len(data) // 2, len(data) - 30, len(data) - 2})


@pytest.mark.parametrize("name", ["state.json", "journal.jsonl"])
def test_I22_a_flipped_byte_is_found_and_nothing_is_written(tmp_path, name):
    world = World(tmp_path)
    one_way(world)
    world.logins["away"].lies.on_effect = world.dies_at("reply")
    assert world.cut(10_000)
    world.logins["away"].lies.on_effect = lambda _name: None
    path = world.path(name)
    good = path.read_bytes()
    stores = world.logins["home"].store, world.logins["away"].store
    wire = sum(len(store.wire) for store in stores)
    for place in _flips(good):
        bad = bytearray(good)
        bad[place] ^= 0x04
        path.write_bytes(bad)
        for apply in (False, True):
            report = world.run(apply=apply)
            assert (report.exit_code, report.error and report.error.code) == (7, "state"), place
            assert report.error is not None
            assert "reset-state home-away" in (report.error.hint or ""), report.error
        assert path.read_bytes() == bytes(bad)
    assert sum(len(store.wire) for store in stores) == wire
    path.write_bytes(good)
    world.clock.tick(HOUR)
    assert world.run().exit_code == 0


@pytest.mark.parametrize("keep", [1, 60, 0.5, 0.99])
def test_I22_a_truncated_state_is_never_an_empty_baseline(tmp_path, keep):
    world = World(tmp_path)
    one_way(world)
    path = world.path("state.json")
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    assert world.run().exit_code == 7
    assert len(world.logins["away"].store.wire) == 0


def test_I22_an_empty_state_file_is_damage_too(tmp_path):
    world = World(tmp_path)
    one_way(world)
    world.path("state.json").write_bytes(b"")
    assert world.run().exit_code == 7


# --- being asked to end ------------------------------------------------------------------------------


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_the_batch_in_flight_finish_and_commits_it(tmp_path, signum, code):
    world = World(tmp_path)
    home, away = in_step(world, RATINGS, WATCHLIST, caps=capable(every={"batch": 2}), window=AT_ONCE)
    for n in range(20, 26):
        home.put(RATINGS, (movie(n), rated(5, world.clock())))
    home.put(WATCHLIST, (movie(20), listed(world.clock())))
    world.logins["away"].lies.before_apply = ask_to_stop(signum)
    whole = world.run_all()
    report = whole.pairs[0]
    assert whole.exit_code == code
    assert codes(report.holds) == []
    outcomes = [one.outcome for one in report.changes]
    sent = outcomes.count(Outcome.CONFIRMED)
    assert sent == 2, "the batch in flight, and none after it"
    assert outcomes == [Outcome.CONFIRMED] * sent + [Outcome.NOT_SENT] * (7 - sent)
    assert not world.path("journal.jsonl").exists()
    assert len(away.rows[RATINGS]) == 5 + sent
    world.logins["away"].lies.before_apply = None
    rest = world.run()
    assert (len(rest.changes), rest.exit_code) == (7 - sent, 0)
    assert [one for one in rest.changes if one.change.op is not Op.ADD] == []
    assert shown(home, RATINGS) == shown(away, RATINGS)


def test_a_signal_leaves_out_the_pairs_that_were_still_to_come(tmp_path):
    world = World(tmp_path)
    home, _ = in_step(world, RATINGS, window=AT_ONCE)
    other = world.account("other")
    world.pair("home", "other", RATINGS)
    home.put(RATINGS, (movie(20), rated(5, world.clock())))
    world.logins["away"].lies.before_apply = ask_to_stop()
    report = world.run_all("home-away", "home-other")
    assert (report.exit_code, len(report.pairs)) == (143, 1)
    assert other.rows[RATINGS] == []
    assert did(world.run("home-other"))


def test_a_disk_that_fails_stops_before_the_request(tmp_path):
    """No journal line, no write: where the journal cannot be made durable nothing leaves."""
    for word in ("open", "write", "fsync"):
        world = World(tmp_path / word)
        one_way(world)

        def fail(name: str, path: Path, word: str = word) -> None:
            if name == word and path.name == "journal.jsonl":
                raise OSError(5, "input/output error")

        with world.running():
            hook = files.set_effect_hook(fail)
            try:
                report = world.again(apply=True)
            finally:
                files.set_effect_hook(hook)
        assert report.exit_code == 7, word
        assert world.logins["away"].store.wire == []
        assert len(world.run().changes) == 3
