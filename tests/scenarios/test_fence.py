"""The second look before the writes: what was done by then without us, and what one write carries out together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from cwsync.errors import UnavailableError
from cwsync.model import Bond, Change, Feature, Outcome, Receipt, Snapshot, Undecoded
from support.engine import HOUR, WINDOW, Sly, World, did
from support.memory import Store, capable
from support.world import movie, rated

RATINGS = Feature.RATINGS
TWO = movie(2)
BARE = capable(every={"idempotent_add": False, "stamp_moves_on_removal": False})


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def agreed(world: World) -> tuple[Store, Store]:
    """Two accounts that hold films 2 and 9, and from one of which film 2 is taken."""
    home, away = (world.account(name, BARE, WINDOW) for name in ("home", "away"))
    for store in (home, away):
        store.put(RATINGS, (TWO, rated(5, world.clock())), (movie(9), rated(5, world.clock())))
    world.pair("home", "away", RATINGS, hold_removed=timedelta(0))
    world.run()
    world.clock.tick(HOUR)
    home.take(RATINGS, TWO)
    return home, away


def blind(world: World, change: Callable[[Snapshot], Snapshot] = lambda seen: seen) -> list[Change]:
    """A provider that writes what it is told; what its second look shows is changed. Gives what was sent."""
    looks: list[int] = []

    async def fetch(self: Sly, feature: Feature) -> Snapshot:
        looks.append(1)
        seen = await Sly.fetch(self, feature)
        return change(seen) if len(looks) > 1 else seen

    async def apply(self: Sly, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        sent.extend(changes)
        return [Receipt(one, Outcome.CONFIRMED) for one in changes]

    sent: list[Change] = []
    world.oddly("away", apply=apply, fetch=fetch)
    return sent


def test_what_was_taken_away_by_then_is_no_failed_removal(world):
    _, away = agreed(world)
    sent = blind(world)
    world.logins["away"].lies.before_fence = lambda: away.take(RATINGS, TWO)
    report = world.run()
    assert ([one.outcome for one in report.changes], report.exit_code, sent) == ([Outcome.ALREADY], 0, [])
    world.clock.tick(HOUR)
    assert did(world.run()) == []


@pytest.mark.parametrize(
    "seen",
    [
        lambda seen: replace(seen, complete=False, doubt="some rows may be missing"),
        lambda seen: replace(seen, lingering=(Undecoded("a row", "it was begun again", TWO, "1"),)),
    ],
    ids=["a partial look", "a row that lingers"],
)
def test_what_only_seems_to_be_taken_away_is_not_taken_for_gone(world, seen):
    _, away = agreed(world)
    sent = blind(world, seen)
    world.logins["away"].lies.before_fence = lambda: away.take(RATINGS, TWO)
    assert [one.outcome for one in world.run().changes] == [Outcome.NOT_SENT]
    assert sent == []


@pytest.mark.parametrize("size", [2, 3])
def test_what_one_write_carries_out_is_never_parted(world, size):
    """Films 2, 5 and 8 stand in one file, it seems: whatever comes between, they go together."""
    caps = capable(every={"batch": size})
    home, _ = world.account("home", caps), world.account("away", caps)
    batches: list[list[str | None]] = []

    async def apply(self: Sly, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        batches.append([one.item.title for one in changes])
        return await Sly.apply(self, feature, changes)

    async def bound(_self: Sly, _feature: Feature, changes: Sequence[Change]) -> list[Bond | None]:
        return [Bond("a file") if one.item.title in ("Film 2", "Film 5", "Film 8") else None for one in changes]

    world.pair("home", "away", RATINGS)
    world.oddly("away", apply=apply, bound=bound)
    for number in range(1, 10):
        home.put(RATINGS, (movie(number), rated(5, world.clock())))
    report = world.run()
    assert report.exit_code == 0
    assert ["Film 2", "Film 5", "Film 8"] in batches
    assert sorted(title or "" for batch in batches for title in batch) == [f"Film {n}" for n in range(1, 10)]
    assert max(map(len, batches)) == 3


def test_what_one_write_carries_out_waits_when_a_part_of_it_moved(world):
    """Films 2 and 5 stand in one file; somebody rates one of them between the read and the write."""
    home, away = world.account("home"), world.account("away", BARE)
    sent: list[list[str | None]] = []

    async def apply(self: Sly, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        sent.append([one.item.title for one in changes])
        return await Sly.apply(self, feature, changes)

    async def bound(_self: Sly, _feature: Feature, changes: Sequence[Change]) -> list[Bond | None]:
        return [Bond("a file") if one.item.title in ("Film 2", "Film 5") else None for one in changes]

    world.pair("home", "away", RATINGS)
    world.oddly("away", apply=apply, bound=bound)
    for number in (1, 2, 5):
        home.put(RATINGS, (movie(number), rated(5, world.clock())))
    world.logins["away"].lies.before_fence = lambda: away.put(RATINGS, (movie(5), rated(3, world.clock())))
    report = world.run()
    assert sent == [["Film 1"]]
    assert {one.outcome for one in report.changes} == {Outcome.CONFIRMED, Outcome.NOT_SENT}
    assert not [row.item.title for row in world.rows(RATINGS).values() if row.parked]
    away.take(RATINGS, movie(5))
    world.run()
    assert sent[1:] == [["Film 2", "Film 5"]]


def test_where_nobody_can_say_what_goes_together_nothing_is_written(world):
    home, away = world.account("home"), world.account("away")

    async def bound(_self: Sly, _feature: Feature, _changes: Sequence[Change]) -> list[Bond | None]:
        raise UnavailableError("is away", where="away")

    world.pair("home", "away", RATINGS)
    world.oddly("away", bound=bound)
    home.put(RATINGS, (movie(1), rated(5, world.clock())))
    report = world.run()
    assert report.exit_code == 75
    assert not away.held(RATINGS, movie(1))


def test_a_limit_parts_nothing_that_one_write_carries_out(world):
    home, _ = world.account("home"), world.account("away")
    sent: list[list[str | None]] = []

    async def apply(self: Sly, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        sent.append([one.item.title for one in changes])
        return await Sly.apply(self, feature, changes)

    async def bound(_self: Sly, _feature: Feature, changes: Sequence[Change]) -> list[Bond | None]:
        films = [one.item.title for one in changes]
        whole = None if {"Film 2", "Film 5"} <= set(films) else "multi-episode: not all of them"
        return [Bond("a file", whole) if title in ("Film 2", "Film 5") else None for title in films]

    world.pair("home", "away", RATINGS)
    world.oddly("away", apply=apply, bound=bound)
    for number in (1, 2, 5, 6):
        home.put(RATINGS, (movie(number), rated(5, world.clock())))
    dry = world.plan(limit=2)
    wet = world.run(limit=2)
    assert (dry.digest, len(dry.changes), len(dry.holds), dry.skips) == (wet.digest, 3, 1, ())
    world.run(limit=2)
    assert sent == [["Film 1", "Film 2", "Film 5"], ["Film 6"]]
