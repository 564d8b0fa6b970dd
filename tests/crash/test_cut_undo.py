"""An undo that was cut: what is known of its writes afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from cwsync.model import Feature, MarkKind, Mode
from support.engine import MINUTE, WINDOW, World, codes, did
from support.memory import shown
from support.scenes import in_step
from support.world import movie, rated

RATINGS = Feature.RATINGS


@pytest.mark.parametrize("word", ["request", "reply"])
def test_I25_a_write_in_doubt_of_an_undo_is_judged_by_the_next_run_though_that_leaves_the_record_alone(
    tmp_path: Path, word: str
) -> None:
    """The record was written back, so no run touches it; the doubt stayed, and `undo` waited for a verdict for ever."""
    world = World(tmp_path)
    home, away = in_step(world, RATINGS, mode=Mode.ONE_WAY)
    before = shown(away, RATINGS)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    world.run()
    world.clock.tick(WINDOW)
    lies = world.logins["away"].lies
    lies.on_effect = world.dies_at(word)
    assert world.cut_undo(10_000)
    lies.on_effect = world._effect
    world.run()
    assert _in_doubt(world) == 1
    world.clock.tick(WINDOW + MINUTE)
    assert did(world.run()) == []
    assert _in_doubt(world) == 0
    report = world.undo(run_id=world.past().runs[-1].run_id)
    assert codes([*report.holds, *report.skips]) == []
    assert shown(away, RATINGS) == before
    assert did(world.run()) == []


def _in_doubt(world: World) -> int:
    return sum(row.mark is not None and row.mark.kind is MarkKind.DOUBT for row in world.rows(RATINGS).values())
