"""Scenes: accounts and pairs right before a run worth cutting, each built by a function with a name.

A scene is built, then `Scene.act` is the one command that a proof cuts, disturbs or repeats. Scenes
build the same world each time, so that a cut run can be compared with the run that was left alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from cwsync.model import (
    Conflict,
    Entry,
    Feature,
    GuardSpec,
    Match,
    Mode,
    OnGuard,
    Outcome,
    PairReport,
    Plays,
    RemoveMode,
    RunReport,
)
from support.engine import DAY, HOUR, MINUTE, WIDE, WINDOW, World
from support.memory import Store, capable
from support.world import at, episode, listed, movie, only, played, rated, stopped

RATINGS, WATCHLIST, HISTORY, PROGRESS = Feature.RATINGS, Feature.WATCHLIST, Feature.HISTORY, Feature.PROGRESS
AT_ONCE = timedelta(0)
NO_DOUBLES = capable(every={"idempotent_add": False})
NO_STAMPS = capable(every={"stamp_moves_on_removal": False})
ONE_BY_ONE = capable(every={"batch": 1})
LAG = 10 * MINUTE
STRICT = replace(WIDE, max_remove_percent=10, free_removes=1)

Act = Callable[[World], RunReport | PairReport]


def run_all(**options: Any) -> Act:
    """Run every pair of the scene with these options."""
    return lambda world: world.run_all(**options)


def accept_all(world: World) -> RunReport:
    """Do what a person does who accepts each refusal: look at the plan, and run exactly that."""
    report = world.run_all(apply=False)
    wanted = [pair.digest for pair in report.pairs if pair.exit_code == 4]
    return world.run_all(accept=wanted[0]) if wanted else world.run_all()


@dataclass(frozen=True, slots=True)
class Scene:
    """How to build a scene, what to do in it, and what people do again and again `later` if it is not the same."""

    build: Callable[[World], None]
    act: Act = field(default_factory=run_all)
    later: Act | None = None

    def go_on(self, world: World) -> None:
        """Do what people do later."""
        (self.later or self.act)(world)


def in_step(
    world: World, *features: Feature, caps=None, window: timedelta = WINDOW, **rules: Any
) -> tuple[Store, Store]:
    """Two accounts in step, with a baseline."""
    home, away = world.account("home", caps, staleness=window), world.account("away", caps, staleness=window)
    for store in (home, away):
        for n in range(1, 6):
            store.put(RATINGS, (movie(n), rated(5, at(0))))
            store.put(WATCHLIST, (movie(n), listed(at(0))))
            store.put(HISTORY, (movie(n), played(at(0))))
            store.put(PROGRESS, (movie(n), stopped(20, 100, at(0))))
    world.pair("home", "away", *features, **({"hold_removed": AT_ONCE} | rules))
    world.run()
    world.clock.tick(HOUR)
    return home, away


def edited(world: World, home: Store, away: Store) -> None:
    """An add, an update and a removal, each where a two-way pair takes it."""
    home.put(RATINGS, (movie(7), rated(8, world.clock())))
    away.change(RATINGS, movie(1), rated(9, world.clock()))
    home.take(RATINGS, movie(2))


# --- modes, policies, shapes of change -----------------------------------------------------------


def one_way(world: World) -> None:
    home, _ = in_step(world, RATINGS, mode=Mode.ONE_WAY)
    home.put(RATINGS, (movie(7), rated(8, world.clock())))
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    home.take(RATINGS, movie(2))


def drifted(world: World) -> None:
    _, away = in_step(world, RATINGS, WATCHLIST, mode=Mode.ONE_WAY)
    away.change(RATINGS, movie(1), rated(2, world.clock()))
    away.take(RATINGS, movie(3))
    away.take(WATCHLIST, movie(4))


def mirror(world: World) -> None:
    home, away = in_step(world, WATCHLIST, mode=Mode.ONE_WAY, remove_mode=RemoveMode.MIRROR)
    home.take(WATCHLIST, movie(1))
    away.put(WATCHLIST, (movie(8), listed(at(3))), (movie(9), listed(at(3))))


def two_way(world: World) -> None:
    edited(world, *in_step(world, RATINGS, window=AT_ONCE))


def two_way_slow(world: World) -> None:
    edited(world, *in_step(world, RATINGS))


def no_change(world: World) -> None:
    in_step(world, *Feature)


def adds(world: World) -> None:
    home, away = in_step(world, RATINGS, WATCHLIST, caps=ONE_BY_ONE)
    for n in (11, 12):
        home.put(RATINGS, (movie(n), rated(n / 2, world.clock())))
        away.put(WATCHLIST, (movie(n), listed(world.clock())))


def updates(world: World) -> None:
    home, away = in_step(world, RATINGS, caps=ONE_BY_ONE)
    home.change(RATINGS, movie(1), rated(7, world.clock()))
    home.change(RATINGS, movie(2), rated(8, world.clock()))
    away.change(RATINGS, movie(3), rated(9, world.clock()))


def removes(world: World) -> None:
    home, away = in_step(world, RATINGS, WATCHLIST, caps=ONE_BY_ONE)
    home.take(RATINGS, movie(1), movie(2))
    away.take(WATCHLIST, movie(3), movie(4))


def removes_off(world: World) -> None:
    home, away = in_step(world, RATINGS, WATCHLIST, remove=False)
    home.take(RATINGS, movie(1))
    away.take(WATCHLIST, movie(2))
    away.put(RATINGS, (movie(8), rated(4, world.clock())))


def second_look(world: World) -> None:
    home, away = in_step(world, RATINGS, WATCHLIST, hold_removed=None)
    home.take(RATINGS, movie(1))
    away.take(WATCHLIST, movie(2))
    world.run()
    world.clock.tick(11 * MINUTE)


def first_look(world: World) -> None:
    home, _ = in_step(world, RATINGS, hold_removed=None)
    home.take(RATINGS, movie(1))


def new_held(world: World) -> None:
    home, _ = in_step(world, RATINGS, hold_new=10 * MINUTE)
    home.put(RATINGS, (movie(7), rated(8, world.clock())))
    world.run()
    world.clock.tick(11 * MINUTE)


def first_run(world: World) -> None:
    home, away = world.account("home"), world.account("away", staleness=WINDOW)
    home.put(RATINGS, *((movie(n), rated(n, at(n))) for n in range(1, 5)))
    away.put(RATINGS, *((movie(n), rated(n, at(n))) for n in range(3, 7)))
    world.pair("home", "away", RATINGS)


def first_run_one_way(world: World) -> None:
    first_run(world)
    for n in (1, 2):
        world.logins["home"].store.put(WATCHLIST, (movie(n), listed(at(n))))
        world.logins["home"].store.put(HISTORY, (movie(n), played(at(n))))
    world.pair("home", "away", RATINGS, WATCHLIST, HISTORY, mode=Mode.ONE_WAY)


def first_run_conflicts(world: World) -> None:
    first_run(world)
    world.logins["away"].store.change(RATINGS, movie(3), rated(9, at(20)))
    world.pair("home", "away", RATINGS, conflict=Conflict.NEWEST)


def forgotten(world: World) -> None:
    """The state is gone: a union, and the removal comes back."""
    home, away = in_step(world, RATINGS)
    edited(world, home, away)
    shutil.rmtree(world.path())


def by_policy(conflict: Conflict) -> Callable[[World], None]:
    """Two changes of one record, and a change against a removal from either side."""

    def build(world: World) -> None:
        home, away = in_step(world, RATINGS, conflict=conflict)
        home.change(RATINGS, movie(1), rated(9, world.clock()))
        away.take(RATINGS, movie(1))
        home.take(RATINGS, movie(2))
        away.change(RATINGS, movie(2), rated(2, world.clock()))
        home.change(RATINGS, movie(3), rated(8, world.clock()))
        away.change(RATINGS, movie(3), rated(3, world.clock() + 5 * MINUTE))

    return build


# --- features ------------------------------------------------------------------------------------


def all_plays(world: World) -> None:
    home, away = in_step(world, HISTORY, caps=NO_DOUBLES, plays=Plays.ALL)
    home.put(HISTORY, (movie(1), played(at(3))), (movie(8), played(at(4))))
    away.put(HISTORY, (movie(1), played(at(9))))


def all_plays_one_way(world: World) -> None:
    home, _ = in_step(world, HISTORY, caps=NO_DOUBLES, plays=Plays.ALL, mode=Mode.ONE_WAY)
    home.put(HISTORY, (movie(1), played(at(3))), (movie(1), played(at(4))), (episode(2, 1, 1), played(at(4))))


def plays_removed(world: World) -> None:
    home, away = in_step(world, HISTORY, caps=NO_DOUBLES, plays=Plays.ALL)
    home.take(HISTORY, movie(1))
    away.put(HISTORY, (movie(9), played(at(5))))


def newest_plays(world: World) -> None:
    home, away = in_step(world, HISTORY, caps=NO_DOUBLES)
    home.put(HISTORY, (movie(8), played(at(4))), (episode(1, 1, 2), played(at(4))))
    away.put(HISTORY, (movie(9), played(at(5))))


def coarse_plays(world: World) -> None:
    caps = capable(every={"idempotent_add": False, "precision_s": 60})
    home, away = in_step(world, HISTORY, caps=caps, plays=Plays.ALL)
    home.put(HISTORY, (movie(1), played(at(3, seconds=17))), (movie(8), played(at(4, seconds=31))))
    away.put(HISTORY, (movie(9), played(at(5, seconds=59))))


def positions(world: World) -> None:
    home, away = in_step(world, PROGRESS)
    home.change(PROGRESS, movie(3), stopped(60, 100, world.clock()))
    away.change(PROGRESS, movie(4), stopped(70, 100, world.clock()))
    home.put(PROGRESS, (movie(9), stopped(33, 100, world.clock())))


def positions_differ(world: World) -> None:
    home, away = in_step(world, PROGRESS, conflict=Conflict.NEWEST)
    home.change(PROGRESS, movie(3), stopped(60, 100, world.clock()))
    away.change(PROGRESS, movie(3), stopped(70, 100, world.clock() + 5 * MINUTE))


def watched(world: World) -> None:
    drops = capable(drops_from_watchlist=frozenset({HISTORY, RATINGS}))
    home, _ = in_step(world, HISTORY, WATCHLIST, RATINGS, PROGRESS, caps=drops)
    for feature, held in ((HISTORY, played(at(5))), (RATINGS, rated(7, at(5)))):
        home.put(feature, (movie(9), held))
    home.put(WATCHLIST, (movie(11), listed(at(5))))
    home.change(PROGRESS, movie(3), stopped(60, 100, world.clock()))


def watched_while_listed(world: World) -> None:
    drops = capable(drops_from_watchlist=frozenset({HISTORY}))
    home, away = in_step(world, HISTORY, WATCHLIST, caps=drops)
    for store in (home, away):
        store.put(WATCHLIST, (movie(9), listed(at(1))))
    world.settle()
    home.put(HISTORY, (movie(9), played(world.clock())))


def episodes(world: World) -> None:
    home, away = in_step(world, RATINGS, HISTORY)
    home.put(RATINGS, (episode(1, 0, 1), rated(8, world.clock())), (episode(1, 1, 1, own=False), rated(6, at(1))))
    away.put(HISTORY, (episode(1, 2, 1), played(at(2))), (episode(1, 2, 2), played(at(2))))


def everything(world: World) -> None:
    home, away = in_step(world, *Feature)
    edited(world, home, away)
    home.take(WATCHLIST, movie(4))
    away.put(WATCHLIST, (movie(10), listed(world.clock())))
    home.put(HISTORY, (movie(8), played(at(4))))
    away.change(PROGRESS, movie(3), stopped(60, 100, world.clock()))


def whole_stars(world: World) -> None:
    home = world.account("home", staleness=WINDOW)
    away = world.account("away", capable({RATINGS: {"scores": tuple(range(10, 101, 10))}}), staleness=WINDOW)
    for store in (home, away):
        store.put(RATINGS, *((movie(n), rated(n, at(0))) for n in range(1, 5)))
    world.pair("home", "away", RATINGS, hold_removed=AT_ONCE)
    world.run()
    world.clock.tick(HOUR)
    home.change(RATINGS, movie(1), rated(7.5, world.clock()))
    home.put(RATINGS, (movie(9), rated(3.5, world.clock())))
    away.change(RATINGS, movie(2), rated(9, world.clock()))


# --- identity ------------------------------------------------------------------------------------


def re_keyed(world: World) -> None:
    """A film loses one id at home, another one gains one, and both change."""
    home, away = in_step(world, RATINGS)
    rows = home.rows[RATINGS]
    rows[0] = Entry(only(movie(1), "tmdb"), rated(9, world.clock()), rows[0].native_key)
    rows[1] = Entry(movie(2, services="imdb tmdb tvdb"), rated(5, at(0)), rows[1].native_key)
    away.take(RATINGS, movie(3))


def rebuilt(world: World) -> None:
    """Every native key of a library is a new one."""
    home, away = in_step(world, RATINGS, WATCHLIST)
    for feature in (RATINGS, WATCHLIST):
        home.rows[feature][:] = [replace(row, native_key=f"new-{row.native_key}") for row in home.rows[feature]]
    edited(world, home, away)


def copies(world: World) -> None:
    """Two editions of one title on an account: writes go to both."""
    home, away = world.account("home", staleness=WINDOW), world.account("away", ONE_BY_ONE, staleness=WINDOW)
    home.put(RATINGS, (movie(1), rated(5, at(0))), (movie(2), rated(5, at(0))))
    away.put(RATINGS, (movie(1), rated(5, at(0))), (movie(1), rated(5, at(0))), (movie(2), rated(5, at(0))))
    world.pair("home", "away", RATINGS, hold_removed=AT_ONCE)
    world.run()
    world.clock.tick(HOUR)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    home.take(RATINGS, movie(2))


def by_title(world: World) -> None:
    home, away = world.account("home", staleness=WINDOW), world.account("away", staleness=WINDOW)
    home.put(RATINGS, *((replace(movie(n), ids=()), rated(5, at(0))) for n in (1, 2)))
    away.put(RATINGS, (movie(1), rated(6, at(1))), (movie(3), rated(5, at(0))))
    world.pair("home", "away", RATINGS, match=Match.TITLE_YEAR)


# --- services that differ, fail or lag -----------------------------------------------------------


def no_stamps(world: World) -> None:
    edited(world, *in_step(world, RATINGS, caps=NO_STAMPS))


def exact_stamps(world: World) -> None:
    edited(world, *in_step(world, RATINGS, caps=capable(exact_watermark=True)))


def own_dates(world: World) -> None:
    caps = capable({RATINGS: {"keeps_date": False}, WATCHLIST: {"keeps_date": False}})
    home, away = in_step(world, RATINGS, WATCHLIST, caps=caps)
    edited(world, home, away)
    home.put(WATCHLIST, (movie(9), listed(world.clock())))


def refused(world: World) -> None:
    home, _ = in_step(world, RATINGS, caps=ONE_BY_ONE)
    for n in (7, 8, 9):
        home.put(RATINGS, (movie(n), rated(8, world.clock())))
    world.logins["away"].lies.refuse = {movie(8).tokens()[0]: (Outcome.NOT_FOUND, "not-found")}


def lagging(world: World) -> None:
    home, away = in_step(world, RATINGS)
    edited(world, home, away)
    for login in world.logins.values():
        login.lies.lag_for = LAG


def failing_feature(world: World) -> None:
    home, away = in_step(world, RATINGS, WATCHLIST)
    edited(world, home, away)
    home.take(WATCHLIST, movie(4))
    lies = world.logins["away"].lies
    lies.fail_reads, lies.fail_reads_of = 1, frozenset({WATCHLIST})


def going_down(world: World) -> None:
    """The service is gone after the first of several requests."""
    home, _ = in_step(world, RATINGS, caps=ONE_BY_ONE)
    for n in (7, 8, 9):
        home.put(RATINGS, (movie(n), rated(8, world.clock())))
    lies = world.logins["away"].lies
    lies.fail_apply = frozenset({lies.applies + 2})


def lost_reply(world: World) -> None:
    home, _ = in_step(world, HISTORY, caps=capable(every={"idempotent_add": False, "batch": 1}), plays=Plays.ALL)
    home.put(HISTORY, (movie(1), played(at(3))), (movie(8), played(at(4))))
    lies = world.logins["away"].lies
    lies.lose_reply = frozenset({lies.applies + 1})


def short_read(world: World) -> None:
    home, _ = in_step(world, RATINGS)
    home.take(RATINGS, movie(2))
    home.put(RATINGS, (movie(7), rated(8, world.clock())))
    world.logins["home"].lies.drop_tokens = frozenset({movie(4).tokens()[0]})


# --- guards, options, several pairs, earlier accidents -------------------------------------------


def guarded(world: World) -> None:
    home, _ = in_step(world, RATINGS, guards=STRICT)
    home.take(RATINGS, movie(1), movie(2), movie(3))
    home.put(RATINGS, (movie(7), rated(8, world.clock())))


def guard_holds(world: World) -> None:
    guards = GuardSpec(free_removes=1, max_remove_percent=10, on_guard=OnGuard.HOLD, min_overlap_percent=0)
    home, _ = in_step(world, RATINGS, guards=guards)
    home.take(RATINGS, movie(1), movie(2), movie(3))
    home.put(RATINGS, (movie(7), rated(8, world.clock())))


def restored(world: World) -> None:
    """Somebody puts an old state back."""
    home, away = in_step(world, RATINGS)
    old = world.baseline_bytes()
    edited(world, home, away)
    world.settle()
    world.path("state.json").write_bytes(old)
    home.put(RATINGS, (movie(8), rated(3, world.clock())))


def turned_round(world: World) -> None:
    edited(world, *in_step(world, RATINGS))
    world.pair("away", "home", RATINGS, name="home-away", hold_removed=AT_ONCE)


def cut_before(word: str) -> Callable[[World], None]:
    """An earlier run died at its request, before or after the service took it."""

    def build(world: World) -> None:
        edited(world, *in_step(world, RATINGS))
        world.logins["away"].lies.on_effect = world.dies_at(word)
        assert world.cut(10_000)
        world.logins["away"].lies.on_effect = world._effect
        world.clock.tick(WINDOW + MINUTE)

    return build


def cut_and_turned(world: World) -> None:
    cut_before("reply")(world)
    world.pair("away", "home", RATINGS, name="home-away", hold_removed=AT_ONCE)


def ring(world: World) -> None:
    """Three pairs on three shared accounts."""
    stores = [world.account(name, staleness=WINDOW) for name in ("one", "two", "three")]
    for store in stores:
        store.put(RATINGS, *((movie(n), rated(5, at(0))) for n in range(1, 5)))
    for source, target in (("one", "two"), ("two", "three"), ("three", "one")):
        world.pair(source, target, RATINGS, hold_removed=AT_ONCE)
    world.run_all()
    world.clock.tick(HOUR)
    stores[0].put(RATINGS, (movie(7), rated(8, world.clock())))
    stores[1].change(RATINGS, movie(1), rated(9, world.clock()))
    stores[2].take(RATINGS, movie(2))


def long_away(world: World) -> None:
    """The baseline is older than 30 days: a union."""
    edited(world, *in_step(world, RATINGS))
    world.clock.tick(31 * DAY)


SCENES: dict[str, Scene] = {
    "one-way": Scene(one_way),
    "one-way, the target drifted": Scene(drifted),
    "mirror": Scene(mirror),
    "two-way": Scene(two_way),
    "two-way, slow services": Scene(two_way_slow),
    "no change": Scene(no_change),
    "adds, one by one": Scene(adds),
    "updates, one by one": Scene(updates),
    "removals, one by one": Scene(removes),
    "removals off": Scene(removes_off),
    "removal seen first": Scene(first_look),
    "removal seen twice": Scene(second_look),
    "add held, then seen twice": Scene(new_held),
    "first run": Scene(first_run),
    "first run, one-way": Scene(first_run_one_way),
    "first run, conflicts": Scene(first_run_conflicts),
    "state gone": Scene(forgotten),
    **{f"conflicts, {policy}": Scene(by_policy(policy)) for policy in Conflict},
    "all plays": Scene(all_plays),
    "all plays, one-way": Scene(all_plays_one_way),
    "all plays, some removed": Scene(plays_removed),
    "all plays, by the minute": Scene(coarse_plays),
    "newest plays": Scene(newest_plays),
    "progress": Scene(positions),
    "progress, newest wins": Scene(positions_differ),
    "watched": Scene(watched),
    "watched while on the watchlist": Scene(watched_while_listed),
    "episodes": Scene(episodes),
    "every feature": Scene(everything),
    "whole stars": Scene(whole_stars),
    "re-keyed": Scene(re_keyed),
    "library rebuilt": Scene(rebuilt),
    "copies": Scene(copies),
    "by title": Scene(by_title),
    "no stamps": Scene(no_stamps),
    "exact stamps": Scene(exact_stamps),
    "own dates": Scene(own_dates),
    "refused": Scene(refused),
    "lagging reads": Scene(lagging),
    "a feature fails": Scene(failing_feature),
    "goes down": Scene(going_down),
    "reply lost": Scene(lost_reply),
    "short read": Scene(short_read),
    "limit": Scene(updates, run_all(limit=1)),
    "adds only": Scene(two_way_slow, run_all(adds_only=True)),
    "guard accepted": Scene(guarded, accept_all),
    "guard stops": Scene(guarded),
    "guard holds": Scene(guard_holds),
    "old state restored": Scene(restored),
    "turned round": Scene(turned_round),
    "recovery, nothing landed": Scene(cut_before("request")),
    "recovery, it landed": Scene(cut_before("reply")),
    "recovery, turned round": Scene(cut_and_turned),
    "ring of three": Scene(ring),
    "long away": Scene(long_away),
}
