"""Scenes in which a run is taken back: the undo is the command that is cut, and typed again later."""

from __future__ import annotations

from collections.abc import Callable

from cwsync.model import Feature
from support.engine import HOUR, World
from support.scenes import (
    LAG,
    Act,
    Scene,
    adds,
    all_plays,
    cut_before,
    everything,
    one_way,
    plays_removed,
    removes,
    run_all,
    two_way_slow,
    updates,
)
from support.world import movie, rated

RATINGS = Feature.RATINGS


def take_back(number: int = 1) -> Act:
    """Undo the run that was the number so many to write anything, named as a person does who types it again."""
    return lambda world: world.undo(run_id=world.past().runs[-number].run_id)


def in_turn(*acts: Act) -> Act:
    """One command after another; gives the report of the last."""
    return lambda world: [act(world) for act in acts][-1]


def done(build: Callable[[World], None], *then: Act) -> Callable[[World], None]:
    """The run of another scene was done, and every window has passed; then the same after each of `then`."""

    def made(world: World) -> None:
        build(world)
        for act in (run_all(), *then):
            act(world)
            world.clock.tick(HOUR)

    return made


def done_and_changed(world: World) -> None:
    """Of three updates one was changed since where it was written, one where it came from, and one not at all."""
    done(updates)(world)
    home, away = (world.logins[name].store for name in ("home", "away"))
    away.change(RATINGS, movie(1), rated(1, world.clock()))
    home.change(RATINGS, movie(2), rated(6, world.clock()))


def done_and_cut(world: World) -> None:
    """The run itself died before its first answer, and another one made good for it."""
    cut_before("reply")(world)
    world.run()
    world.clock.tick(HOUR)


def done_and_lagging(world: World) -> None:
    done(two_way_slow)(world)
    for login in world.logins.values():
        login.lies.lag_for = LAG


def done_and_lost(world: World) -> None:
    """The first answer to the undo is lost, and the service does not know a play that it holds from a new one."""
    done(plays_removed)(world)
    for login in world.logins.values():
        login.lies.lose_reply = frozenset({login.lies.applies + 1})


# What a machine and a person do, in either order, after an undo.
SYNCED = in_turn(take_back(), run_all())
FIRST_SYNCED = in_turn(run_all(), take_back())

UNDONE: dict[str, Scene] = {
    "undo of adds": Scene(done(adds), take_back(), SYNCED),
    "undo of updates": Scene(done(updates), take_back(), FIRST_SYNCED),
    "undo of removals": Scene(done(removes), take_back(), SYNCED),
    "undo, one-way": Scene(done(one_way), take_back(), FIRST_SYNCED),
    "undo, one-way, synced after it": Scene(done(one_way), take_back(), SYNCED),
    "undo, every feature": Scene(done(everything), take_back(), SYNCED),
    "undo of plays": Scene(done(all_plays), take_back(), FIRST_SYNCED),
    "undo of a removed play": Scene(done(plays_removed), take_back(), SYNCED),
    "undo, changed since": Scene(done_and_changed, take_back(), FIRST_SYNCED),
    "undo of an undo": Scene(done(two_way_slow, take_back()), take_back(2), in_turn(take_back(2), run_all())),
    "undo of a run that was cut": Scene(done_and_cut, take_back(), FIRST_SYNCED),
    "undo, lagging reads": Scene(done_and_lagging, take_back(), SYNCED),
    "undo, reply lost": Scene(done_and_lost, take_back(), FIRST_SYNCED),
}
