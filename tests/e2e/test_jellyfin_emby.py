"""A Jellyfin and an Emby kept in step both ways: what is done on one side arrives at the other, once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import Entry, Feature, Play, Position
from simulators.emby import Emby
from simulators.jellyfin import Jellyfin
from support import world
from support.mediapair import House, Media, episodes, films, names, services, writes
from support.told import counts, outcomes

FEATURES = ("history", "progress", "watchlist")
SHOW = {"Episode 1.1", "Episode 1.2", "Episode 1.3"}
ADDED, REMOVED = (1, 0, 0), (0, 0, 1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with services("jellyfin", "emby") as sides:
        made = House(*sides, tmp_path, features=FEATURES)
        fill(made)
        yield made


def fill(house: House) -> None:
    jellyfin, emby = house.sides
    house.hold(jellyfin, Feature.HISTORY, *films(1, 2, 3, 4), *episodes(1, 2))
    house.hold(emby, Feature.HISTORY, *films(4, 5), *episodes(2, 3))
    house.hold(jellyfin, Feature.PROGRESS, *films(10))
    house.hold(emby, Feature.PROGRESS, *films(11), n=2)
    house.hold(jellyfin, Feature.WATCHLIST, *films(20, 21))
    house.hold(emby, Feature.WATCHLIST, *films(21, 22))


def test_from_the_first_run_to_changes_on_both_sides(house: House) -> None:
    dry = house.run("plan")
    assert not writes(house.calls())
    first = house.run()
    assert first["digest"] == dry["digest"]
    assert set(outcomes(first).values()) == {"confirmed"}
    here, there = house.seen()
    assert here == there == names(1, 2, 3, 4, 5) | SHOW
    assert house.held(Feature.PROGRESS) == ({"Film 10": 600_000, "Film 11": 1_440_000},) * 2
    assert [set(held) for held in house.held(Feature.WATCHLIST)] == [names(20, 21, 22)] * 2
    jellyfin, emby = house.sides
    for number in (1, 5):  # the time of a play goes along, to the second, and it is one play
        one, other = jellyfin.state(world.movie(number)), emby.state(world.movie(number))
        assert (one.at, one.count) == (other.at, other.count)
    house.still()

    jellyfin.unmark(world.movie(2))
    emby.unmark(world.movie(3), world.episode(1, 1, 1))
    house.hold(jellyfin, Feature.HISTORY, *films(8))
    house.hold(emby, Feature.HISTORY, *films(9))
    house.hold(jellyfin, Feature.PROGRESS, *films(10), n=4)
    emby.server.world.state(emby.user, emby.row(world.movie(11))).position = 0
    jellyfin.server.world.state(jellyfin.user, jellyfin.row(world.movie(21))).favourite = False
    changed = house.run()
    assert counts(changed) == {"history": (2, 0, 3), "progress": (0, 1, 1), "watchlist": REMOVED}
    here, there = house.seen()
    assert here == there == names(1, 4, 5, 8, 9) | (SHOW - {"Episode 1.1"})
    assert house.held(Feature.PROGRESS) == ({"Film 10": 2_280_000},) * 2
    assert [set(held) for held in house.held(Feature.WATCHLIST)] == [names(20, 22)] * 2
    house.still(2)


@pytest.mark.parametrize("versions", [("10.9.11", "4.8.11.0"), ("12.0.0", "4.9.0.41")], ids="-".join)
def test_libraries_as_they_are(tmp_path: Path, versions: tuple[str, str]) -> None:
    """One film twice, two episodes in one file, a special, and a title that nobody has identified."""
    with Jellyfin(version=versions[0]) as one, Emby(version=versions[1]) as other:
        jellyfin, emby = Media(one), Media(other)
        house = House(jellyfin, emby, tmp_path, features=FEATURES)
        second = jellyfin.shelf.copy(world.movie(1))
        one.world.remove(jellyfin.row(world.episode(1, 1, 6)))
        jellyfin.row(world.episode(1, 1, 5)).index_end = 6
        for side in house.sides:
            side.know(world.episode(1, 0, 1))
        nobody = one.world.add(jellyfin.shelf.films, "Movie", "VID_2014", year=None)
        one.world.mark(jellyfin.user, nobody)
        house.hold(emby, Feature.HISTORY, *films(1), *episodes(5, 6), world.episode(1, 0, 1))
        house.hold(jellyfin, Feature.HISTORY, *films(2))
        assert set(outcomes(house.run()).values()) == {"confirmed"}
        assert one.world.peek(jellyfin.user, second).played
        assert house.seen()[0] == names(1, 2) | {"Episode 1.5", "Episode 0.1", "VID_2014"}
        assert house.seen()[1] == names(1, 2) | {"Episode 1.5", "Episode 1.6", "Episode 0.1"}
        house.still(2)
        emby.unmark(world.movie(1), *episodes(5, 6))
        assert counts(house.run())["history"] == (0, 0, 4)  # each copy, and each episode
        assert not one.world.peek(jellyfin.user, second).played
        assert house.seen()[0] == names(2) | {"Episode 0.1", "VID_2014"}
        house.still(2)


def test_what_a_run_did_can_be_taken_back(house: House) -> None:
    house.run()
    jellyfin, emby = house.sides
    jellyfin.unmark(world.movie(1))
    house.hold(emby, Feature.HISTORY, *films(9))
    house.hold(jellyfin, Feature.PROGRESS, *films(10), n=3)
    emby.server.world.state(emby.user, emby.row(world.movie(20))).favourite = False
    watched = replace(emby.state(world.movie(1)))
    before = [house.held(feature) for feature in (Feature.HISTORY, Feature.PROGRESS, Feature.WATCHLIST)]
    assert len(house.run()["changes"]) == 4
    back = house.run("undo both --apply")
    assert list(outcomes(back).values()) == ["confirmed"] * 4
    assert [house.held(feature) for feature in (Feature.HISTORY, Feature.PROGRESS, Feature.WATCHLIST)] == before
    again = emby.state(world.movie(1))
    assert (again.played, again.count, again.at) == (True, 1, watched.at)
    house.still(2)


def test_a_title_that_is_begun_again_at_jellyfin_stays_watched_at_emby(house: House) -> None:
    house.run()
    jellyfin, emby = house.sides
    row = jellyfin.row(world.movie(1))
    jellyfin.server.world.start(jellyfin.user, row)
    assert not jellyfin.state(world.movie(1)).played
    house.still(2)
    assert "Film 1" in house.seen()[1]
    # Stopped in the middle: a title that was seen once, and a position in it, which a played row has no place for.
    jellyfin.server.world.stop(jellyfin.user, row, row.runtime // 2)
    stopped = house.run()
    assert counts(stopped)["history"] == (0, 0, 0)
    assert outcomes(stopped) == {"Film 1": "rejected"}
    house.still(2)
    assert "Film 1" in house.seen()[1]
    # Seen to its end, it is watched as before; and then somebody takes the mark away.
    jellyfin.server.world.stop(jellyfin.user, row, row.runtime)
    assert counts(house.run())["history"] == (0, 0, 0)
    jellyfin.unmark(world.movie(1))
    assert counts(house.run())["history"] == REMOVED
    assert "Film 1" not in house.seen()[1]
    assert emby.state(world.movie(1)).count == 0


def test_a_film_that_is_begun_here_and_watched_there_is_no_failed_run(tmp_path: Path) -> None:
    with services("jellyfin", "emby") as sides:
        house = House(*sides, tmp_path, features=("history", "progress"))
        jellyfin, emby = sides
        house.hold(emby, Feature.HISTORY, *films(1))
        house.hold(jellyfin, Feature.PROGRESS, *films(1))
        assert house.run()["exit_code"] == 0
        assert house.seen() == (names(1),) * 2
        house.still(2)
        house.hold(jellyfin, Feature.HISTORY, *films(2))
        house.hold(emby, Feature.PROGRESS, *films(2))
        pair = house.run()
        assert {one["outcome"] for one in pair["changes"] if one["feature"] == "progress"} <= {"rejected", "already"}
        assert pair["features"]["progress"]["failed"] == 0
        assert house.seen() == (names(1, 2),) * 2
        house.still(2)


@pytest.mark.parametrize("there", [0, 1], ids=["jellyfin", "emby"])
def test_a_film_that_is_begun_on_both_sides_and_finished_on_one_is_no_failed_run(house: House, there: int) -> None:
    house.run()
    side = house.sides[there]
    row = side.row(world.movie(10))
    side.server.world.play(side.user, row)
    pair = house.run()
    assert counts(pair)["history"] == ADDED
    assert outcomes({"changes": [one for one in pair["changes"] if one["feature"] == "progress"]}) == {
        "Film 10": "already"
    }
    assert all("Film 10" in titles for titles in house.seen())
    assert house.held(Feature.PROGRESS) == ({"Film 11": 1_440_000},) * 2
    house.still(2)


def test_files_of_two_episodes_are_not_parted_by_the_end_of_a_batch(tmp_path: Path) -> None:
    with services("jellyfin", "emby") as sides:
        house = House(*sides, tmp_path)
        jellyfin, emby = sides
        season = [world.episode(1, 2, number) for number in range(1, 106)]
        for side in sides:
            for item in season:
                side.know(item)
        for number in range(2, 105, 2):  # 2 and 3, 4 and 5 ...
            jellyfin.server.world.remove(jellyfin.row(season[number]))
            jellyfin.row(season[number - 1]).index_end = number + 1
        house.hold(emby, Feature.HISTORY, *season)
        pair = house.run()
        assert len(pair["changes"]) == 105
        assert set(outcomes(pair).values()) == {"confirmed"}
        assert len(house.seen()[0]) == 105 - 52
        house.still(2)


def test_writes_that_show_late_are_not_sent_again_and_take_nothing_away(tmp_path: Path) -> None:
    """Seconds late, and many reads late, on both sides: adds, removals, positions and favourites."""
    clock = [time.time()]
    with services("jellyfin", "emby", staleness="15m", now=lambda: clock[0]) as sides:
        house = House(*sides, tmp_path, features=FEATURES)
        jellyfin, emby = sides
        both = films(1, 2, 3, 4)
        for side in sides:
            house.hold(side, Feature.HISTORY, *both)
            house.hold(side, Feature.WATCHLIST, *films(20, 21))
            house.hold(side, Feature.PROGRESS, *films(10, 11))
        assert not house.run()["changes"]
        for side in sides:
            side.server.world.lag_s, side.server.world.lag_reads = 60.0, 20
        house.hold(jellyfin, Feature.HISTORY, *films(5))
        house.hold(emby, Feature.HISTORY, *films(6))
        jellyfin.server.world.state(jellyfin.user, jellyfin.row(world.movie(1))).__init__()
        emby.server.world.state(emby.user, emby.row(world.movie(2))).__init__()
        jellyfin.server.world.state(jellyfin.user, jellyfin.row(world.movie(20))).favourite = False
        house.hold(emby, Feature.PROGRESS, *films(10), n=4)
        changed = house.run()
        assert counts(changed) == {"history": (2, 0, 2), "progress": (0, 1, 0), "watchlist": REMOVED}
        assert set(outcomes(changed).values()) == {"confirmed"}
        house.still(3)  # nothing of it is shown yet
        clock[0] += 61
        house.still(3)  # the time is over, the reads are not
        for side in sides:
            side.server.world.settle()
        house.still(2)
        here, there = house.seen()
        assert here == there == names(3, 4, 5, 6)
        assert house.held(Feature.PROGRESS) == ({"Film 10": 2_280_000, "Film 11": 600_000},) * 2
        assert [set(held) for held in house.held(Feature.WATCHLIST)] == [names(21)] * 2


@pytest.mark.parametrize("wrong", [0, 1], ids=["jellyfin", "emby"])
def test_a_position_with_a_time_to_come_undid_whatever_was_watched_on_elsewhere(tmp_path: Path, wrong: int) -> None:
    with services("jellyfin", "emby") as sides:
        house = House(*sides, tmp_path, features=("history", "progress"))
        one, other = sides[wrong], sides[1 - wrong]

        def stop(side: Any, minutes: int, at: datetime) -> None:
            side.hold(Feature.PROGRESS, [Entry(world.movie(1), Position(minutes * 60_000, 6_000_000, at))])

        stop(one, 20, datetime(2100, 1, 1, tzinfo=UTC))
        one.hold(Feature.HISTORY, [Entry(world.movie(2), Play(datetime(2100, 1, 1, tzinfo=UTC)))])
        pair = house.run()
        assert set(outcomes(pair).values()) == {"confirmed"}
        assert [change["after"].get("watched_at", change["after"].get("updated_at")) for change in pair["changes"]] == [
            None,
            None,
        ]
        house.still(2)
        for minutes, ago in ((50, 60), (30, 0)):  # on, and back again
            stop(other, minutes, datetime.now(UTC) - timedelta(seconds=ago))
            house.run()
            assert house.held(Feature.PROGRESS) == ({"Film 1": minutes * 60_000},) * 2
        house.still(2)
