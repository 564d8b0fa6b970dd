"""The cut matrix: every scene, cut at every effect on a disk or a service; the next run makes good for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from crash.cutting import SCENES, built, check, died, whole
from cwsync import files
from support.engine import SOAK, World
from support.figures import figure
from support.memory import CutError


def points(name: str, steps: int) -> list[int]:
    """The effects to cut at: all of them, or one that differs from scene to scene, always the same one."""
    return list(range(1, steps + 1)) if SOAK else [1 + sum(name.encode()) % steps]


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
    uncut = Torn(tmp_path / "count")
    SCENES[name].build(uncut)
    uncut.writes = 0
    SCENES[name].act(uncut)
    assert uncut.writes > 0
    chosen = range(1 if SOAK else 1 + len(name) % 9, uncut.writes + 1, 1 if SOAK else 9)
    for n in chosen:
        world = Torn(tmp_path / str(n))
        SCENES[name].build(world)
        world.writes, world.tear_at = 0, n
        assert died(world, 10_000, SCENES[name].act), n
        world.tear_at = None
        check(world, name, expected, f"{name}: torn in write {n}")
    figure("torn writes", f"{name}: {len(chosen)} of {uncut.writes} writes")
