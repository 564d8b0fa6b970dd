"""Both ways between a Jellyfin that has not identified a third of its films and an Emby that has: by title and year."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cwsync.model import Feature
from support import world
from support.mediapair import House, films, names, services
from support.told import outcomes, reasons

FEATURES = ("history", "progress", "watchlist")
BARE = (3, 6, 9, 12)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with services("jellyfin", "emby", bare=True) as sides:
        made = House(*sides, tmp_path, features=FEATURES, match="title-year")
        assert not any(made.source.row(world.movie(n)).ids for n in BARE)
        yield made


def test_marks_go_both_ways_and_come_to_rest(house: House) -> None:
    jellyfin, emby = house.sides
    house.hold(jellyfin, Feature.HISTORY, *films(1, 3))
    house.hold(emby, Feature.HISTORY, *films(2, 6))
    house.hold(emby, Feature.PROGRESS, *films(9))
    house.hold(jellyfin, Feature.WATCHLIST, *films(12))
    house.hold(emby, Feature.WATCHLIST, *films(15))
    dry = house.run("plan")
    done = house.run()
    assert done["digest"] == dry["digest"]
    assert set(outcomes(done).values()) == {"confirmed"}
    house.still()
    for feature in (Feature.HISTORY, Feature.PROGRESS, Feature.WATCHLIST):
        one, other = house.held(feature)
        assert one == other, feature
    assert house.seen()[0] == names(1, 2, 3, 6)


def test_what_is_taken_away_on_one_side_stays_on_the_other(house: House) -> None:
    jellyfin, emby = house.sides
    house.hold(jellyfin, Feature.HISTORY, *films(1, 3))
    house.hold(emby, Feature.HISTORY, *films(2, 6))
    house.run()
    jellyfin.unmark(*films(1, 3))
    emby.unmark(*films(2, 6))
    done = house.run()
    assert outcomes(done) == dict.fromkeys(names(1, 2), "confirmed")
    told = reasons(done, "holds")
    assert {title: reason.partition(":")[0] for title, reason in told.items()} == dict.fromkeys(
        names(3, 6), "title-year"
    )
    house.still()
    assert house.seen() == (names(6), names(3))
    # Who marks it again says that it was no wish to be rid of it.
    house.hold(jellyfin, Feature.HISTORY, *films(3))
    house.still(2)
    assert house.seen() == (names(3, 6), names(3))


def test_a_film_that_is_identified_later_is_the_film_it_was(house: House) -> None:
    jellyfin, _ = house.sides
    house.hold(jellyfin, Feature.HISTORY, *films(3, 6))
    house.run()
    for item in films(3, 6):
        row = jellyfin.row(item)
        row.ids = {one.service.title(): one.value for one in item.ids}
    jellyfin.server.world.version += 1
    house.still(3)
    jellyfin.unmark(*films(3))
    assert outcomes(house.run()) == {"Film 3": "confirmed"}
    assert house.seen() == (names(6), names(6))
