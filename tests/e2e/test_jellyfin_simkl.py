"""From a Jellyfin to SIMKL, one way: history, ratings and favourites, each once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import Entry, Feature, Item
from simulators.jellyfin import Jellyfin
from simulators.simkl import Simkl
from simulators.simkl_account import logged_in, table
from support import world
from support.house import PairHouse
from support.mediapair import Media, episodes, films, value
from support.shell import Shell

PAIR = """
[pairs.up]
source = "jellyfin"
target = "simkl"
[pairs.up.history]
[pairs.up.ratings]
[pairs.up.watchlist]
"""


class House(PairHouse):
    """Somebody with both. `clock` is that of SIMKL, some seconds later at each run."""

    def __init__(self, jellyfin: Jellyfin, simkl: Simkl, clock: list[float], folder: Path) -> None:
        self.clock = clock
        self.media, self.simkl = Media(jellyfin), simkl
        self.shell = Shell(folder, self.media.text() + table(simkl) + PAIR)
        self.shell.environ |= self.media.environ
        logged_in(simkl, "simkl").leave(self.shell.state)
        for item in (*films(*range(1, 11)), *episodes(*range(1, 7))):
            self.media.know(item)
            simkl.titles.add(item)

    def hold(self, feature: Feature, items: Sequence[Item]) -> None:
        self.media.hold(feature, [Entry(item, value(feature)) for item in items])

    def run(self, line: str = "run --apply", code: int = 0, **more: Any) -> Any:
        self.clock[0] += 5
        return super().run(line, code, **more)

    def secrets(self) -> Iterable[str]:
        return *self.media.environ.values(), *self.simkl.tokens()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    clock = [time.time() - 200]
    with Jellyfin() as jellyfin, Simkl(now=lambda: clock[0]) as simkl:
        yield House(jellyfin, simkl, clock, tmp_path)


def titles(house: House, feature: Feature) -> set[str]:
    """What SIMKL has of a feature, by title; episodes with their place."""
    library = list(house.simkl.user.library.values())
    if feature is Feature.RATINGS:
        return {str(held.title.name) for held in library if held.rating is not None}
    if feature is Feature.WATCHLIST:
        return {str(held.title.name) for held in library if held.status == "plantowatch"}
    films = {str(held.title.name) for held in library if held.status == "completed" and held.title.is_film}
    return films | {f"{held.title.name} {place}" for held in library for place in held.episodes}


def test_from_the_first_run_to_changes_and_nothing_twice(house: House) -> None:
    house.hold(Feature.HISTORY, [*films(1, 2), *episodes(1, 2)])
    house.hold(Feature.RATINGS, films(1))
    house.hold(Feature.WATCHLIST, films(5))
    dry = house.run("plan")
    assert not [call for call in house.simkl.calls() if call.startswith("POST /sync/history")]
    first = house.run()
    assert first["digest"] == dry["digest"]
    assert {one["outcome"] for one in first["changes"]} == {"confirmed"}
    assert len(titles(house, Feature.HISTORY)) == 4
    assert titles(house, Feature.RATINGS) == {"Film 1"}
    assert titles(house, Feature.WATCHLIST) == {"Film 5"}
    for _ in range(10):
        house.simkl.forget()
        assert house.run()["changes"] == []
    house.simkl.forget()
    house.run()
    assert house.simkl.calls() == ["GET /sync/activities"]

    house.hold(Feature.HISTORY, [*films(1, 2, 5), *episodes(1, 2, 3)])
    changed = house.run()
    assert {one["title"] for one in changed["changes"] if one["op"] == "add"} == {"Film 5", "Episode 1.3"}
    assert titles(house, Feature.WATCHLIST) == set(), "what is watched is no wish any more"
    # It is still a favourite at home. SIMKL has one list for each title, and cwsync takes none out of "completed".
    refused = house.run(code=3)
    assert [(one["title"], one["outcome"]) for one in refused["changes"]] == [("Film 5", "rejected")]
    assert house.run()["changes"] == [], "what was refused waits"
    plays = [row for row in house.simkl.user.library.values() if row.title.name == "Film 5"]
    assert [row.status for row in plays] == ["completed"]
    assert world.movie(5).title == "Film 5"
