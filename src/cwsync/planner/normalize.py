"""Scale and precision: what two sides can both hold, and when two values are the same.

Change is judged within one side (`unchanged`), agreement between sides on the coarser of their
grids (`Scale.equal`), and a write is projected to what the written side can keep (`Scale.project`).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import assert_never

from cwsync.model import (
    Feature,
    FeatureCaps,
    FeatureSpec,
    Listed,
    Play,
    Position,
    Rated,
    Side,
    Value,
    When,
    moment,
)


def nearest(grid: tuple[int, ...], score: int) -> int:
    """The point of an ascending grid nearest to `score`; half way goes up."""
    if not grid:
        return score
    at = bisect_left(grid, score)
    if at == 0:
        return grid[0]
    if at == len(grid):
        return grid[-1]
    low, high = grid[at - 1], grid[at]
    return high if high - score <= score - low else low


def _table(grid: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(nearest(grid, score) for score in range(101))


def newer(first: When, second: When) -> int:
    """1 when `first` is the later known time, -1 when `second` is, 0 when that cannot be said."""
    if first is None or second is None:
        return 0
    a, b = moment(first), moment(second)
    return (a > b) - (a < b)


def _floor(at: When, precision_s: int) -> When:
    if not isinstance(at, datetime) or precision_s <= 1:
        return at
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % precision_s, UTC)


@dataclass(frozen=True, slots=True)
class Scale:
    """The two sides' grids of one feature, and the feature's own thresholds.

    `grids` hold, for each score 0..100, the nearest score of the side; `coarse` the same for the
    coarser of the two.
    """

    feature: Feature
    caps: dict[Side, FeatureCaps]
    grids: dict[Side, tuple[int, ...]]
    coarse: tuple[int, ...]
    min_ms: int
    delta_ms: int
    max_percent: int

    @staticmethod
    def of(spec: FeatureSpec, source: FeatureCaps, target: FeatureCaps) -> Scale:
        """The scale of one feature between two sides. A side without a grid holds every score."""
        every = tuple(range(1, 101))
        grids = {Side.SOURCE: source.scores or every, Side.TARGET: target.scores or every}
        coarser = min(grids.values(), key=lambda grid: (len(grid), grid))
        return Scale(
            spec.feature,
            {Side.SOURCE: source, Side.TARGET: target},
            {side: _table(grid) for side, grid in grids.items()},
            _table(coarser),
            spec.min_seconds * 1000,
            spec.delta_seconds * 1000,
            spec.max_percent,
        )

    def equal(self, one: Value, other: Value) -> bool:
        """Whether two sides' values say the same, as far as both can say it."""
        if isinstance(one, Rated) and isinstance(other, Rated):
            return self.coarse[one.score] == self.coarse[other.score]
        if isinstance(one, Position) and isinstance(other, Position):
            return abs(one.ms - other.ms) < self.delta_ms
        return True

    def unchanged(self, base: Value, seen: Value) -> bool:
        """Whether one side still holds what it held: in its own scale, with times as evidence only."""
        if isinstance(base, Rated) and isinstance(seen, Rated):
            return base.score == seen.score
        return self.equal(base, seen)

    def is_progress(self, value: Value) -> bool:
        """Whether a position is far enough from both ends to be one. Other values always count."""
        if not isinstance(value, Position):
            return True
        if value.ms < self.min_ms:
            return False
        return value.duration_ms is None or value.ms * 100 <= value.duration_ms * self.max_percent

    def project(self, value: Value, side: Side) -> tuple[Value, str | None]:
        """`value` as `side` can hold it, and in words what is lost on the way (None: nothing)."""
        caps = self.caps[side]
        at = _floor(value.at, caps.precision_s) if caps.keeps_date else None
        if isinstance(value, Rated):
            score = self.grids[side][value.score]
            lost = f"{value.score / 10:g} becomes {score / 10:g} of 10" if score != value.score else None
            return Rated(score, at), lost
        if isinstance(value, Play):
            return Play(at), "the date cannot be kept" if at is None and value.at is not None else None
        if isinstance(value, Listed):
            return Listed(at), None
        if isinstance(value, Position):
            return replace(value, at=at), None
        assert_never(value)


def freshest(values: list[Value]) -> Value:
    """The value that speaks for several copies of one title: the newest, then the highest."""
    return max(values, key=_freshness)


def _freshness(value: Value) -> tuple[float, int]:
    at = moment(value.at).timestamp() if value.at is not None else float("-inf")
    size = value.score if isinstance(value, Rated) else value.ms if isinstance(value, Position) else 0
    return at, size
