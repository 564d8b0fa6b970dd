"""The cut matrix: every scene, cut at every effect on a disk or a service; the next run makes good for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from crash.cutting import built, check, died, whole
from cwsync import files
from support.engine import SOAK, World
from support.figures import figure
from support.memory import CutError
from support.scenes import SCENES

SHORT = 2


def points(name: str, steps: int) -> list[int]:
    """The effects to cut at: all of them, or a few that differ from scene to scene, always the same ones."""
    if SOAK or steps <= SHORT:
        return list(range(1, steps + 1))
    shift = sum(name.encode()) % max(1, steps // SHORT)
    return sorted({1 + (shift + k * steps // SHORT) % steps for k in range(SHORT)})


@pytest.mark.parametrize("name", SCENES)
def test_I7_cut_at_any_effect_of_any_scene_the_next_runs_end_where_the_uncut_run_ends(
    tmp_path: Path, name: str
) -> None:
    steps, expected = whole(name, tmp_path / "whole")
    chosen = points(name, steps)
    for n in chosen:
        world = built(name, tmp_path / str(n))
        assert died(world, n, SCENES[name].act), n
        check(world, name, expected, f"{name}: cut at effect {n} of {steps}")
    figure("cut matrix", f"{name}: {len(chosen)} of {steps} cut points")


@dataclass
class Torn(World):
    """A world in which the power goes off in the middle of a write: half of the bytes are there, and no more."""

    tear_at: int | None = None
    writes: int = 0
    real: Callable[..., int] = os.write

    @contextmanager
    def running(self) -> Iterator[None]:
        with super().running():
            files.set_effect_hook(self._tear)
            real = os.write
            try:
                yield
            finally:
                os.write = real

    def _tear(self, name: str, path: Path) -> None:
        self._effect(name)
        if name != "write":
            return
        self.writes += 1
        if self.writes == self.tear_at:
            self.real, os.write = os.write, cast("Any", self._half)

    def _half(self, descriptor: int, data: memoryview) -> int:
        os.write = self.real
        os.write(descriptor, data[: len(data) // 2])
        self.cut_at = 0
        raise CutError("in the middle of a write")


TORN = ("every feature", "all plays", "first run", "recovery, it landed", "turned round", "ring of three")


@pytest.mark.parametrize("name", SCENES if SOAK else TORN)
def test_I7_a_write_torn_in_the_middle_is_as_if_it_never_was(tmp_path: Path, name: str) -> None:
    _, expected = whole(name, tmp_path / "whole")
    n = 0
    while True:
        n += 1
        world = Torn(tmp_path / str(n))
        SCENES[name].build(world)
        world.writes, world.tear_at = 0, n
        if not died(world, 10_000, SCENES[name].act):
            break
        world.tear_at = None
        if SOAK or n % 5 == len(name) % 5:
            check(world, name, expected, f"{name}: torn in write {n}")
    assert n > 1
    figure("torn writes", f"{name}: {n - 1} writes")
