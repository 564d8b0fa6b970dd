"""Several pairs on one account, rings of pairs, and two processes at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest

from cwsync.engine import IfLocked
from cwsync.model import Conflict, Feature
from cwsync.state import Locks, RunInfo
from support.engine import HOUR, WINDOW, World, did
from support.memory import Store, shown
from support.world import movie, rated

RATINGS = Feature.RATINGS
AT_ONCE = timedelta(0)
TESTS = Path(__file__).parents[1]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def ring(world: World, order=("ab", "bc", "ca"), **rules) -> dict[str, Store]:
    """Three accounts in step, each pair of them synced two-way."""
    stores = {name: world.account(name) for name in "abc"}
    for store in stores.values():
        store.put(RATINGS, *((movie(n), rated(5)) for n in range(1, 5)))
    for ends in order:
        world.pair(*ends, RATINGS, **({"hold_removed": AT_ONCE} | rules))
    world.run_all()
    return stores


def agree(stores: dict[str, Store]) -> bool:
    return len({str(shown(store, RATINGS)) for store in stores.values()}) == 1


def over(stores: dict[str, Store], name: str, n: int, score: float) -> str:
    stores[name].change(RATINGS, movie(n), rated(score))
    return name


EDITS = {
    "an add": lambda s: s["c"].put(RATINGS, (movie(9), rated(9))),
    "an update": lambda s: over(s, "b", 1, 9),
    "a removal": lambda s: s["a"].take(RATINGS, movie(1)),
    "two removals": lambda s: (s["a"].take(RATINGS, movie(2)), s["c"].take(RATINGS, movie(2))),
    "a removal and an add": lambda s: (s["a"].take(RATINGS, movie(3)), s["b"].put(RATINGS, (movie(8), rated(2)))),
}
# Different wishes for one film at once: with some orders of the pairs they chase each other round the ring.
QUARRELS = {
    "two values": lambda s: (over(s, "a", 1, 7), over(s, "b", 1, 8)),
    "a removal and a value": lambda s: (s["a"].take(RATINGS, movie(1)), over(s, "b", 1, 8)),
    "three values": lambda s: [over(s, name, 1, n) for n, name in enumerate("abc", 7)],
    "a removal and two values": lambda s: (s["a"].take(RATINGS, movie(1)), over(s, "b", 1, 8), over(s, "c", 1, 9)),
}
ORDERS = list(permutations(("ab", "bc", "ca")))


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("policy", [Conflict.SOURCE, Conflict.TARGET, Conflict.KEEP])
def test_I2_a_ring_of_three_pairs_agrees_within_three_rounds(tmp_path, edit, policy):
    for order in ORDERS:
        world = World(tmp_path / "-".join(order))
        stores = ring(world, order, conflict=policy)
        EDITS[edit](stores)
        rounds = 0
        while any(report.changes for report in world.run_all().pairs):
            rounds += 1
            assert rounds <= 3, f"{edit} {policy} {order}: it goes round and round"
        assert agree(stores)


@pytest.mark.parametrize("quarrel", QUARRELS)
@pytest.mark.parametrize("policy", [Conflict.SOURCE, Conflict.TARGET, Conflict.KEEP])
def test_I2_a_quarrel_in_a_ring_comes_to_rest_and_what_is_left_of_it_is_listed(tmp_path, quarrel, policy):
    for order in ORDERS:
        world = World(tmp_path / "-".join(order))
        stores = ring(world, order, conflict=policy)
        QUARRELS[quarrel](stores)
        for _ in range(6):
            reports = world.run_all().pairs
        assert not any(report.changes for report in reports), order
        told = {note.code for report in reports for note in report.holds if note.undecided}
        assert agree(stores) or told == {"flap"}, order


def test_I2_a_removal_goes_round_a_ring_and_stays_gone(world):
    stores = ring(world)
    stores["b"].take(RATINGS, movie(1))
    for _ in range(4):
        world.clock.tick(HOUR)
        world.run_all()
    assert all(len(store.rows[RATINGS]) == 3 for store in stores.values())
    for pair in world.pairs:
        assert movie(1).key() not in {key for key, row in world.rows(RATINGS, pair).items() if row.agreed}


def test_pairs_that_share_an_account_pass_on_what_came_from_the_other(world):
    stores = {name: world.account(name) for name in ("hub", "left", "right")}
    stores["left"].put(RATINGS, (movie(1), rated(8)))
    stores["right"].put(RATINGS, (movie(2), rated(6)))
    for name in ("left", "right"):
        world.pair("hub", name, RATINGS, hold_removed=AT_ONCE)
    world.run_all()
    assert sorted(stores["right"].keys(RATINGS)) == sorted(stores["hub"].keys(RATINGS))
    world.run_all()
    assert agree(stores)
    stores["right"].take(RATINGS, movie(1))
    for _ in range(2):
        world.run_all()
    assert agree(stores)
    assert len(stores["left"].rows[RATINGS]) == 1
    assert not any(report.changes for report in world.run_all().pairs)


def test_I2_a_slow_account_in_a_ring_only_delays(world):
    stores = {name: world.account(name, staleness=WINDOW) for name in "abc"}
    for store in stores.values():
        store.put(RATINGS, (movie(5), rated(5)))
    for ends in ("ab", "bc", "ca"):
        world.pair(*ends, RATINGS, hold_removed=AT_ONCE)
    world.logins["b"].lies.lag_for = WINDOW - timedelta(minutes=1)
    stores["a"].put(RATINGS, (movie(1), rated(8, world.clock())))
    for _ in range(3):
        world.run_all()
        world.clock.tick(WINDOW + timedelta(minutes=1))
    assert agree(stores)
    stores["c"].take(RATINGS, movie(1))
    for _ in range(3):
        world.run_all()
        world.clock.tick(WINDOW + timedelta(minutes=1))
    assert agree(stores)
    assert len(stores["a"].rows[RATINGS]) == 1
    assert not any(report.changes for report in world.run_all().pairs)


# --- two at once -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["account-home", "account-away", "pair-home-away"])
def test_I20_a_run_that_finds_a_lock_taken_writes_nothing(world, name):
    home, away = world.account("home"), world.account("away")
    world.pair("home", "away", RATINGS)
    home.put(RATINGS, (movie(1), rated(8)))
    with Locks(world.folder, [name], 0, RunInfo("someone else", world.clock())):
        report = world.run()
        assert (report.exit_code, report.error and report.error.code) == (75, "locked")
        skipped = world.run(if_locked=IfLocked.SKIP)
        assert (skipped.exit_code, skipped.locked_out) == (0, True)
        assert did(world.plan()) == ["+target Film 1 (1951) 8"], "a dry run needs no lock"
    assert away.rows[RATINGS] == []
    assert len(world.run().changes) == 1


# One process: an account that takes its time, written down line by line in a file that both share.
CONTENDER = """
import json, os, sys, time
from pathlib import Path
from support.engine import World
from support.world import movie, rated
from cwsync.engine import IfLocked
from cwsync.model import Feature

folder, log, pair = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
world = World(folder)
shared, own = world.account("shared"), world.account(pair)
own.put(Feature.RATINGS, *((movie(n), rated(5)) for n in range(1, 4)))
world.pair(pair, "shared", Feature.RATINGS, name=pair)

def tell(word):
    with log.open("a") as stream:
        stream.write(json.dumps([pair, word, time.monotonic()]) + "\\n")

def enter(_feature):
    tell("enter")
    time.sleep(0.1)
    while folder.with_name("hold").exists():
        time.sleep(0.01)

world.logins["shared"].lies.before_read = enter
world.logins["shared"].lies.before_apply = lambda *_: (time.sleep(0.15), tell("leave"))
report = world.run(pair, if_locked=IfLocked(sys.argv[4]))
print(json.dumps([report.exit_code, str(report.error and report.error.message), os.getpid()]))
"""


def contend(folder: Path, log: Path, pair: str, if_locked: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CONTENDER, str(folder), str(log), pair, if_locked]
    return subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True)


def test_I20_two_processes_on_one_account_never_interleave(tmp_path):
    log = tmp_path / "log"
    both = [contend(tmp_path / "state", log, pair, "wait") for pair in ("one", "two")]
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert [answer[0] for answer in answers] == [0, 0]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [word for _, word, _ in lines] == ["enter", "leave", "enter", "leave"]
    assert lines[0][0] == lines[1][0] != lines[2][0] == lines[3][0]


@pytest.fixture
def held(tmp_path):
    """A process that hangs in the middle of its run, with all its locks."""
    log, hold = tmp_path / "log", tmp_path / "hold"
    hold.touch()
    process = contend(tmp_path / "state", log, "one", "wait")
    deadline = time.monotonic() + 60
    while not log.exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    yield process
    hold.unlink(missing_ok=True)
    process.communicate(timeout=60)


def test_I20_the_second_process_is_told_who_is_there(tmp_path, held):
    second = contend(tmp_path / "state", tmp_path / "other", "two", "fail")
    code, message, _ = json.loads(second.communicate(timeout=60)[0])
    assert code == 75
    assert f"process {held.pid}, started" in message
    assert not (tmp_path / "other").exists(), "nothing was read either"


def test_I20_the_locks_of_a_process_that_was_killed_are_free_at_once(tmp_path, held):
    held.kill()
    held.wait(timeout=60)
    (tmp_path / "hold").unlink()
    second = contend(tmp_path / "state", tmp_path / "other", "two", "fail")
    assert json.loads(second.communicate(timeout=60)[0])[0] == 0
