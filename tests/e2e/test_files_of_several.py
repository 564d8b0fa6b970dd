"""A file with two episodes has one mark: it is set for both of them or not at all, and neither waits for a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import Feature
from support import world
from support.mediapair import House, episodes, services, writes
from support.told import reasons

FILE = {"Imdb": world.episode(1, 1, 7).ids[0].value}


@pytest.fixture(params=["jellyfin", "emby"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """From a server with a file for each episode to one with episodes 7 and 8 of the show in one file."""
    kinds = ("jellyfin", "emby") if request.param == "emby" else ("emby", "jellyfin")
    with services(*kinds) as (one, other):
        made = House(one, other, tmp_path, mode="one-way")
        for item in episodes(7, 8):
            one.know(item)
        file = other.server.world.episode(other.row(world.show(1)), 1, 7, FILE, index_end=8, name="Episode 1.7")
        other.shelf.rows |= {item.coordinates()[0]: file for item in episodes(7, 8)}
        yield made


def held(house: House) -> set[str]:
    return set(house.target.held(Feature.HISTORY))


def told(pair: Any) -> list[tuple[str, str | None]]:
    return [(one["title"], one["outcome"]) for one in pair["changes"]]


def test_an_episode_of_a_file_waited_long_after_the_other_one_was_watched(house: House) -> None:
    """Refused and parked on one day, it was still parked on the next one, and then the other one was refused too."""
    house.hold(house.source, Feature.HISTORY, *episodes(1, 7))
    pair = house.run()
    assert told(pair) == [("Episode 1.1", "confirmed")]
    assert reasons(pair, "skips")["Episode 1.7"].startswith("multi-episode: ")
    house.still()
    house.hold(house.source, Feature.HISTORY, *episodes(8))
    pair = house.run()
    assert told(pair) == [("Episode 1.7", "confirmed"), ("Episode 1.8", "confirmed")]
    assert len(writes(house.calls())) == 1
    assert held(house) == {"Episode 1.1", "Episode 1.7"}
    house.still(3)


def test_a_limit_parted_the_episodes_of_a_file_and_both_halves_were_refused(house: House) -> None:
    house.hold(house.source, Feature.HISTORY, *episodes(1, 7, 8))
    seen: list[list[str]] = []
    for _ in range(2):
        planned = house.run("plan --limit 1")
        pair = house.run("run --apply --limit 1")
        assert planned["digest"] == pair["digest"]
        assert {outcome for _, outcome in told(pair)} == {"confirmed"}
        assert {reason.partition(":")[0] for reason in reasons(pair, "holds").values()} <= {"limit"}
        assert not pair["skips"]
        seen.append([title for title, _ in told(pair)])
    assert sorted(seen) == [["Episode 1.1"], ["Episode 1.7", "Episode 1.8"]]
    assert held(house) == {"Episode 1.1", "Episode 1.7"}
    house.still(3)


def test_the_mark_of_a_file_is_taken_away_for_both_episodes_or_not_at_all(house: House) -> None:
    house.hold(house.source, Feature.HISTORY, *episodes(1, 7, 8))
    house.run()
    house.source.unmark(*episodes(7))
    pair = house.run()
    assert told(pair) == []
    assert reasons(pair, "skips")["Episode 1.7"].startswith("multi-episode: ")
    house.still(3)
    assert held(house) == {"Episode 1.1", "Episode 1.7"}
    house.source.unmark(*episodes(8))
    assert [outcome for _, outcome in told(house.run())] == ["confirmed"] * 2
    assert held(house) == {"Episode 1.1"}
    house.still(3)


def test_a_copy_by_itself_is_marked_where_its_file_cannot_be(house: House) -> None:
    shows = house.target.shelf.row(world.show(1))
    house.target.server.world.episode(shows, 1, 8, name="Alone")
    house.hold(house.source, Feature.HISTORY, *episodes(7, 8))
    house.source.unmark(*episodes(7))
    pair = house.run()
    assert told(pair) == [("Episode 1.8", "confirmed")]
    assert held(house) == {"Alone"}
    house.still(3)


def test_a_position_and_a_rating_of_a_file_of_two_are_told_and_nothing_is_refused(tmp_path: Path) -> None:
    with services("emby", "jellyfin") as (one, other):
        house = House(one, other, tmp_path, mode="one-way", features=("progress",))
        other.server.world.episode(other.row(world.show(1)), 1, 7, FILE, index_end=8)
        house.hold(one, Feature.PROGRESS, *episodes(1, 7))
        pair = house.run()
        assert told(pair) == [("Episode 1.1", "confirmed")]
        assert reasons(pair, "skips")["Episode 1.7"].startswith("multi-episode: ")
        house.still(3)


def test_what_was_written_for_a_file_is_taken_back_for_both_episodes(house: House) -> None:
    house.hold(house.source, Feature.HISTORY, *episodes(7, 8))
    house.run()
    done = house.shell("undo both --apply --json")
    assert done.code == 0, done.out + done.err
    assert held(house) == set()


def test_why_an_episode_of_a_file_is_left_alone_is_explained(house: House) -> None:
    house.hold(house.source, Feature.HISTORY, *episodes(7))
    done = house.shell("explain both 'Episode 1.7'")
    assert "multi-episode: " in done.out, done.out


def test_two_files_of_several_episodes_are_marked_in_one_run(house: House) -> None:
    file = house.target.server.world.episode(
        house.target.row(world.show(1)), 1, 9, {"Tvdb": world.episode(1, 1, 9).ids[0].value}, index_end=11, name="Three"
    )
    assert file.index_end == 11
    house.hold(house.source, Feature.HISTORY, *episodes(7, 8, 9, 10))
    pair = house.run()
    assert {title for title, _ in told(pair)} == {"Episode 1.7", "Episode 1.8"}
    assert set(reasons(pair, "skips")) == {"Episode 1.9", "Episode 1.10"}
    house.hold(house.source, Feature.HISTORY, *episodes(11))
    house.run()
    assert held(house) == {"Episode 1.7", "Three"}
    house.still(2)
