"""From a Jellyfin to Trakt, one way: what is watched and rated at home arrives at Trakt, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cwsync.model import Feature
from support import world
from support.mediapair import House, episodes, films, names, services, writes
from support.told import counts, outcomes, reasons

SHOW = {"Episode 1.1", "Episode 1.2"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with services("jellyfin", "trakt", bare=True) as sides:
        made = House(*sides, tmp_path, "one-way", ("history", "ratings"))
        jellyfin, trakt = sides
        made.hold(jellyfin, Feature.HISTORY, *films(1, 2, 3, 4), *episodes(1, 2))
        made.hold(jellyfin, Feature.RATINGS, *films(1, 2), n=1)
        made.hold(trakt, Feature.HISTORY, *films(4, 5), *episodes(2))
        made.hold(trakt, Feature.RATINGS, *films(2, 5))
        yield made


def test_from_the_first_run_to_changes_on_both_sides(house: House) -> None:
    before = house.seen()[0], house.held(Feature.RATINGS)[0]
    dry = house.run("plan")
    first = house.run()
    assert first["digest"] == dry["digest"]
    assert set(outcomes(first).values()) == {"confirmed"}
    # Nobody has said which title Film 3 is, at this server.
    assert reasons(first, "skips")["Film 3"].startswith("no-ids: ")
    assert house.seen()[1] == names(1, 2, 4, 5) | SHOW
    assert house.held(Feature.RATINGS)[1] == {"Film 1": 3, "Film 2": 3, "Film 5": 2}
    dates = {one.title.name: one.watched_at for one in house.target.trakt.user.history.values()}
    assert dates["Film 1"] == "2024-01-01T12:00:00.000Z"
    assert house.run()["changes"] == []  # sees what was written
    house.still()
    assert (house.seen()[0], house.held(Feature.RATINGS)[0]) == before

    jellyfin, trakt = house.sides
    house.hold(jellyfin, Feature.HISTORY, *films(7))
    jellyfin.unmark(world.movie(2))
    house.hold(jellyfin, Feature.RATINGS, *films(1), n=4)
    # At Trakt, too: a play that only it has stays, and a rating is what the Jellyfin says.
    title = trakt.trakt.titles.of(world.movie(2))
    trakt.trakt.user.rate(title, 9, "2024-06-01T10:00:00.000Z")
    trakt.trakt.user.play(trakt.trakt.titles.of(world.movie(8)), "2024-06-01T10:00:00.000Z")
    house.calls()
    changed = house.run()
    assert counts(changed) == {"history": (1, 0, 1), "ratings": (0, 2, 0)}
    assert house.seen()[1] == names(1, 4, 5, 7, 8) | SHOW
    assert house.held(Feature.RATINGS)[1] == {"Film 1": 6, "Film 2": 3, "Film 5": 2}
    assert not [call for call in writes(house.calls()) if "User" in call]
    house.still(2)
