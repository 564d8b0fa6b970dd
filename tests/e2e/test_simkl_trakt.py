"""Trakt and SIMKL kept in step by the real command, both ways, and what it costs in requests."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import Entry, Feature, Item
from simulators import simkl_account, trakt_account
from simulators.simkl import Simkl
from simulators.trakt import CLIENT_SECRET, Trakt
from support import world
from support.house import REMOVES, PairHouse
from support.shell import Shell

PAIR = f"""
[pairs.both]
source = "trakt"
target = "simkl"
mode = "two-way"
[pairs.both.history]
{REMOVES}
[pairs.both.ratings]
{REMOVES}
[pairs.both.watchlist]
types = ["movie", "show"]
{REMOVES}
"""
HISTORY, RATINGS, WATCHLIST = Feature.HISTORY, Feature.RATINGS, Feature.WATCHLIST


class Both(PairHouse):
    """Somebody with an account at each."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.at = time.time() - 200
        self.trakt = stack.enter_context(Trakt())
        self.simkl = stack.enter_context(Simkl(now=lambda: self.at))
        self.shell = Shell(folder, trakt_account.table(self.trakt) + simkl_account.table(self.simkl) + PAIR)
        self.shell.secret("trakt.secret", CLIENT_SECRET)
        self.trakt.user.limits["watchlist"] = 5000
        trakt_account.logged_in(self.trakt, "trakt").leave(self.shell.state)
        simkl_account.logged_in(self.simkl, "simkl").leave(self.shell.state)

    def know(self, *items: Item) -> None:
        for item in items:
            self.trakt.titles.add(item)
            self.simkl.titles.add(item)

    def run(self, line: str = "run --apply", code: int = 0, **more: Any) -> Any:
        self.at += 5
        self.trakt.forget()
        self.simkl.forget()
        return super().run(line, code, **more)

    def secrets(self) -> Iterable[str]:
        return CLIENT_SECRET, *self.trakt.access, *self.trakt.refresh, *self.simkl.tokens()

    def asked(self, method: str = "") -> int:
        """How many requests the last run took, at both."""
        return sum(call.startswith(method) for service in (self.trakt, self.simkl) for call in service.calls())


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    with ExitStack() as stack:
        yield Both(stack, tmp_path)


def test_two_trackers_on_the_web_are_kept_in_step(both: Both) -> None:
    films = [world.movie(n) for n in range(1, 201)]
    episodes = [world.episode(n, 1, number, own=False) for n in range(1, 6) for number in range(1, 11)]
    both.know(*films, *episodes)
    plays = [Entry(item, world.played(world.at(n))) for n, item in enumerate([*films[:80], *episodes])]
    both.trakt.put(HISTORY, plays[:100])
    both.trakt.put(RATINGS, [Entry(film, world.rated(1 + n % 10, world.at(n))) for n, film in enumerate(films[:60])])
    both.trakt.put(WATCHLIST, [Entry(film, world.listed(world.at())) for film in films[100:150]])
    both.simkl.put(HISTORY, plays[60:])
    for film in films[150:200]:
        both.simkl.user.hold(both.simkl.titles.add(film), "plantowatch")

    dry = both.run("run")
    assert both.asked("GET") == both.asked() <= 45
    first = both.run()
    assert first["digest"] == dry["digest"]
    assert {one["outcome"] for one in first["changes"]} == {"confirmed"}
    assert len(first["changes"]) == 30 + 60 + 60 + 50 + 50
    assert both.asked("POST") <= 10, "250 changes"
    for _ in range(3):
        still = both.run()
        assert not still["changes"]
    assert len(both.simkl.calls()) == 1, "the stamps, and no more"

    both.trakt.user.play(both.trakt.titles.add(films[120]), "2024-06-01T10:00:00.000Z")
    both.simkl.user.unwatch_episode(both.simkl.titles.add(episodes[0]), (1, 1))
    both.simkl.user.rate(both.simkl.titles.add(films[0]), 10, "2024-06-01T10:00:00Z")
    both.simkl.user.remove(both.simkl.titles.add(films[160]))
    later = both.run()
    assert {(one["feature"], one["op"], one["account"]) for one in later["changes"]} >= {
        ("history", "add", "simkl"),
        ("history", "remove", "trakt"),
        ("ratings", "update", "trakt"),
        ("watchlist", "remove", "trakt"),
    }
    both.run()
    assert not both.run()["changes"]
    held = both.simkl.user.library
    assert {one.title.name for one in held.values() if one.status == "plantowatch"} == {
        one.title.name for one in both.trakt.user.watchlist.values()
    }
