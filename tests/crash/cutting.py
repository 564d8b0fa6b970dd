"""What every proof of a cut needs: dying at an effect, going on as people do, and comparing the ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cwsync.model import Feature, MarkKind, Op, Outcome, Row
from support.engine import HOUR, MINUTE, WINDOW, World, behave
from support.memory import CutError, shown
from support.scenes import SCENES as RUNS
from support.scenes import Scene
from support.undone import UNDONE

SCENES: Final[dict[str, Scene]] = {**RUNS, **UNDONE}

# Every window of staleness, then the first waits of a parked record, then what that brings.
_WAITS = (WINDOW + MINUTE, WINDOW + MINUTE, 7 * HOUR, WINDOW + MINUTE, WINDOW + MINUTE)


@dataclass(frozen=True)
class End:
    """Where a scene ended: what every account holds, what every baseline says, what was removed or written on the way.

    `writes` says how often each record was written.
    """

    accounts: dict[str, list[str]]
    rows: dict[str, dict[str, Row]]
    removed: frozenset[tuple[str, Feature, str]]
    writes: Counter[tuple[str, Feature, str]]


def is_cut(error: BaseException) -> bool:
    """Whether this is the death that a test asked for."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_cut(one) for one in error.exceptions)
    return isinstance(error, CutError)


def died(world: World, at: int, command: Callable[[World], object]) -> bool:
    """Do it and cut the power at effect number `at`. Gives whether it got that far."""
    world.effects, world.cut_at = 0, at
    try:
        command(world)
    except BaseException as error:
        if not is_cut(error):
            raise
        return True
    else:
        return False
    finally:
        world.cut_at = None


def built(name: str, folder: Path) -> World:
    """A scene, right before its run."""
    world = World(folder)
    SCENES[name].build(world)
    return world


def go_on(world: World, scene: Scene) -> None:
    """One run at once, while the services still lie; then honest ones until nothing moves any more."""
    world.clock.tick(MINUTE)
    scene.go_on(world)
    for login in world.logins.values():
        behave(login.lies)
    for wait in _WAITS:
        world.clock.tick(wait)
        scene.go_on(world)


def end_of(world: World) -> End:
    """Where it is now."""
    accounts = {
        f"{name} {feature}": shown(login.store, feature) for name, login in world.logins.items() for feature in Feature
    }
    rows = {
        f"{name} {feature}": {key: _plain(row) for key, row in world.rows(feature, name).items() if _says_much(row)}
        for name in world.pairs
        for feature in Feature
    }
    wire = [(name, *sent) for name, login in world.logins.items() for sent in login.store.wire]
    removed = {
        (name, change.feature, change.key)
        for name, change, outcome in wire
        if change.op is Op.REMOVE and outcome is Outcome.CONFIRMED
    }
    writes = Counter((name, change.feature, change.key) for name, change, how in wire if how is Outcome.CONFIRMED)
    return End(accounts, rows, frozenset(removed), writes)


def _says_much(row: Row) -> bool:
    """Whether a row is more than the memory of when we wrote a record that is gone."""
    return bool(row.agreed or row.parked or row.seen or (row.mark and row.mark.kind is MarkKind.DOUBT))


def _plain(row: Row) -> Row:
    """A row without the times of our own writes, which a cut moves."""
    return replace(row, mark=None, seen=None, parked=None, writes=(), source_keys=(), target_keys=())


def doubled(world: World) -> list[tuple[str, str, object]]:
    """Plays that one account took twice, and never gave back in between."""
    found: list[tuple[str, str, object]] = []
    for name, login in world.logins.items():
        seen: set[tuple[str, object]] = set()
        for change, outcome in login.store.wire:
            if change.feature is not Feature.HISTORY or outcome is not Outcome.CONFIRMED:
                continue
            if change.op is Op.ADD and (change.key, change.after) in seen:
                found.append((name, change.key, change.after))
            if change.op is Op.REMOVE:
                seen -= {one for one in seen if one[0] == change.key}
            seen.add((change.key, change.after))
    return found


def whole(name: str, folder: Path) -> tuple[int, End]:
    """How many effects the run has, and where it ends when nobody cuts it."""
    world = built(name, folder)
    world.effects = 0
    SCENES[name].act(world)
    steps = world.effects
    go_on(world, SCENES[name])
    assert doubled(world) == []
    return steps, end_of(world)


def check(world: World, name: str, expected: End, where: str) -> None:
    """Go on after a cut, and be where the uncut run is, without harm on the way."""
    go_on(world, SCENES[name])
    end = end_of(world)
    assert end.accounts == expected.accounts, where
    assert end.rows == expected.rows, where
    assert end.removed <= expected.removed, where
    # What was taken back is not written again by a run, and then taken back once more.
    assert name not in UNDONE or end.writes <= expected.writes, (where, end.writes - expected.writes)
    assert doubled(world) == [], where
    assert list(world.folder.rglob("journal.jsonl")) == [], where
    before = {pair: world.baseline_bytes(pair) for pair in world.pairs}
    writes = sum(len(login.store.wire) for login in world.logins.values())
    SCENES[name].go_on(world)
    assert {pair: world.baseline_bytes(pair) for pair in world.pairs} == before, where
    assert sum(len(login.store.wire) for login in world.logins.values()) == writes, where
