"""A film whose file is deleted, replaced or hidden at a media server was unwatched by nobody; one that was, was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import Feature
from support import world
from support.mediapair import House, episodes, films, names, services
from support.told import counts

FEATURES = ("history", "watchlist", "progress")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with services("jellyfin", "emby") as sides:
        made = House(*sides, tmp_path, features=FEATURES)
        for side in sides:
            made.hold(side, Feature.HISTORY, *films(*range(1, 13)), *episodes(1, 2))
            made.hold(side, Feature.WATCHLIST, *films(20, 21, 22))
            made.hold(side, Feature.PROGRESS, *films(15, 16))
        assert not made.run()["changes"]
        yield made


def removed(pair: Any) -> int:
    return sum(one[2] for one in counts(pair).values())


def held(house: House, side: int) -> list[set[str]]:
    return [set(house.held(feature)[side]) for feature in (Feature.HISTORY, Feature.WATCHLIST, Feature.PROGRESS)]


@pytest.mark.parametrize("loser", [0, 1], ids=["jellyfin", "emby"])
def test_what_was_held_of_a_deleted_file_is_not_lost_on_the_other_side(house: House, loser: int) -> None:
    side, before = house.sides[loser], held(house, 1 - loser)
    for item in (world.movie(1), world.movie(15), world.movie(20), world.episode(1, 1, 1)):
        side.server.world.remove(side.row(item))
    assert removed(house.run()) == 0
    house.still(2)
    assert held(house, 1 - loser) == before
    # What somebody takes away with the file in its place goes.
    side.unmark(world.movie(2))
    assert removed(house.run()) == 1
    assert "Film 2" not in house.seen()[1 - loser]


@pytest.mark.parametrize("loser", [0, 1], ids=["jellyfin", "emby"])
def test_a_film_that_is_found_anew_under_another_id_and_without_its_mark_is_not_lost_on_the_other_side(
    house: House, loser: int
) -> None:
    side, before = house.sides[loser], held(house, 1 - loser)
    for number in (1, 2, 3, 15, 20):
        side.server.world.renew(side.row(world.movie(number)), keep=False)
    assert removed(house.run()) == 0
    assert held(house, 1 - loser) == before
    house.still(2)


def test_shows_that_a_user_may_not_see_any_more_are_not_lost_on_the_other_side(house: House) -> None:
    jellyfin, _ = house.sides
    before = held(house, 1)
    jellyfin.user.libraries = {jellyfin.shelf.films.id}
    assert removed(house.run()) == 0
    house.still(2)
    assert held(house, 1) == before
    jellyfin.user.libraries = None
    assert not house.run()["changes"]
    assert house.seen() == (names(*range(1, 13)) | {"Episode 1.1", "Episode 1.2"},) * 2


def test_a_server_that_shows_nothing_at_all_was_one_that_is_in_step(house: House) -> None:
    jellyfin, _ = house.sides
    before = held(house, 1)
    kept, jellyfin.server.world.titles = jellyfin.server.world.titles, {}
    pair = house.run()
    assert (removed(pair), held(house, 1)) == (0, before)
    assert any("the libraries show no title" in one for one in pair["warnings"])
    assert not pair["features"]["history"]["source"]["complete"]
    jellyfin.server.world.titles = kept
    assert not house.run()["changes"]


def test_plays_of_deleted_files_stay_at_trakt(tmp_path: Path) -> None:
    with services("jellyfin", "trakt") as (jellyfin, trakt):
        house = House(jellyfin, trakt, tmp_path, "one-way", ("history", "ratings"))
        house.hold(jellyfin, Feature.HISTORY, *films(*range(1, 9)))
        house.hold(jellyfin, Feature.RATINGS, *films(1, 2, 4, 5))
        house.run()
        jellyfin.server.world.remove(jellyfin.row(world.movie(1)))
        jellyfin.server.world.renew(jellyfin.row(world.movie(2)), keep=False)
        assert removed(house.run()) == 0
        assert (len(trakt.held(Feature.HISTORY)), set(trakt.held(Feature.RATINGS))) == (8, names(1, 2, 4, 5))
        jellyfin.unmark(world.movie(3))
        assert removed(house.run()) == 1
        assert set(trakt.held(Feature.HISTORY)) == names(1, 2, *range(4, 9))


@pytest.mark.parametrize("kind", ["jellyfin", "emby"])
def test_a_server_that_counts_a_row_it_never_shows_is_written_to_all_the_same(tmp_path: Path, kind: str) -> None:
    """Jellyfin's issue 8069. A row that was read as not played is proof enough for that title."""
    with services("plex", kind) as (plex, media):
        house = House(plex, media, tmp_path, "one-way", ("history", "progress"))
        media.server.hidden = {media.row(world.movie(30)).id}
        house.hold(plex, Feature.HISTORY, *films(1, 2), *episodes(1))
        house.hold(plex, Feature.PROGRESS, *films(5))
        pair = house.run()
        assert {name: one[0] for name, one in counts(pair).items()} == {"history": 3, "progress": 1}
        assert set(media.held(Feature.HISTORY)) == names(1, 2) | {"Episode 1.1"}
        house.still(2)
        # Whether the title behind the row that is not shown is watched there nobody knows: it is left alone.
        house.hold(plex, Feature.HISTORY, *films(3, 30))
        house.run(code=3)
        assert set(media.held(Feature.HISTORY)) == names(1, 2, 3) | {"Episode 1.1"}
