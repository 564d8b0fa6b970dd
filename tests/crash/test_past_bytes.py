"""Every byte of the journals that `history` and `undo` read: damage is found, told, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from crash.test_every_byte import RATINGS, Damage, flipped, shuffled, small, stores, thinned, traffic, truncated
from cwsync.errors import StateError
from cwsync.model import PastRun
from support.engine import HOUR, World
from support.figures import figure
from support.shell import data_of
from support.world import at, movie, rated


def with_past(folder: Path, *, cut: str | None = None) -> tuple[World, Path]:
    """Two runs that wrote; the older one, which may have been cut off, is the one to be damaged."""
    world = small(folder, cut=cut)
    world.clock.tick(HOUR)
    world.run()
    world.clock.tick(HOUR)
    stores(world)[0].put(RATINGS, (movie(4), rated(8, at(0))))
    world.run()
    world.clock.tick(HOUR)
    run = world.past().runs[-1]
    assert len(world.past().runs) > 1
    assert run.ending == ("finished" if cut is None else "cut")
    assert world.undo(run_id=run.run_id, apply=False).exit_code == 0
    return world, world.path("runs", f"{run.run_id}.jsonl")


def found(world: World, path: Path, damage: bytes, others: list[PastRun], where: str) -> None:
    """The list names the damaged run and goes on; alone it cannot be shown, and nothing of it is taken back."""
    path.write_bytes(damage)
    every = world.past()
    assert (every.exit_code, [run.run_id for run in every.runs if run.damage]) == (7, [path.stem]), where
    assert [run for run in every.runs if run.run_id != path.stem] == others, where
    alone = world.past(run_id=path.stem)
    assert (alone.exit_code, [(run.ending, run.changes) for run in alone.runs]) == (7, [("damaged", ())]), where
    with pytest.raises(StateError, match="damaged"):
        world.undo(run_id=path.stem)
    assert path.read_bytes() == damage, where


@pytest.mark.parametrize("cut", [None, "reply"], ids=["finished", "cut"])
@pytest.mark.parametrize("kind", [flipped, truncated, shuffled], ids=lambda kind: str(kind.__name__))
def test_I22_every_byte_of_a_past_journal_counts_and_a_damaged_run_is_not_taken_back(
    tmp_path: Path, kind: Callable[[bytes], Damage], cut: str | None
) -> None:
    world, path = with_past(tmp_path, cut=cut)
    good, others = path.read_bytes(), [run for run in world.past().runs if run.run_id != path.stem]
    asked, kept = traffic(world), data_of(world.folder)
    n = 0
    for where, bad in thinned(kind(good), 1 if kind is shuffled else 13):
        n += 1
        found(world, path, bad, others, f"{path.name}, {where}")
    figure("every byte", f"runs/ ({len(good)} bytes, {cut or 'finished'}) {kind.__name__}: {n} damages, all found")
    path.write_bytes(good)
    assert (traffic(world), data_of(world.folder)) == (asked, kept)
    assert world.past().exit_code == 0
    assert world.undo(run_id=path.stem).exit_code in (0, 3)


def test_I22_a_damaged_newest_run_is_not_passed_over_for_the_one_before(tmp_path: Path) -> None:
    """`undo` without a name means the newest run. When that cannot be read, the one before must not stand for it."""
    world, _ = with_past(tmp_path)
    path = world.path("runs", f"{world.past().runs[0].run_id}.jsonl")
    good = path.read_bytes()
    before = traffic(world)
    for where, bad in islice(flipped(good), 0, None, 61):
        path.write_bytes(bad)
        with pytest.raises(StateError, match="damaged"):
            world.undo()
        assert (traffic(world), path.read_bytes()) == (before, bad), where
    path.write_bytes(good)
    assert len(world.undo().changes) == 1
