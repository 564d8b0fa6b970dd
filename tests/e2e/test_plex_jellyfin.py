"""From Plex to a Jellyfin that has not identified a third of its library: by ids alone, and by title and year."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import Feature
from support import world
from support.mediapair import House, films, names, services
from support.told import outcomes, reasons

FEATURES = ("history", "ratings", "progress")
BARE = (3, 6, 9, 12)  # of the twelve that are watched at Plex
WITH_IDS = tuple(n for n in range(1, 13) if n not in BARE)


@pytest.fixture(params=["ids", "title-year"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Twelve films watched at Plex; at the Jellyfin one of them, and two of those that it has not identified."""
    with services("plex", "jellyfin", bare=True) as (plex, jellyfin):
        made = House(plex, jellyfin, tmp_path, "one-way", FEATURES, request.param)
        assert [n for n in range(1, 13) if not jellyfin.row(world.movie(n)).ids] == list(BARE)
        made.hold(plex, Feature.HISTORY, *films(*range(1, 13)))
        made.hold(jellyfin, Feature.HISTORY, *films(1, 3, 6))
        made.hold(plex, Feature.RATINGS, *films(1, 2))
        made.hold(plex, Feature.PROGRESS, *films(20))
        yield made


def by_title(house: House) -> bool:
    return 'match = "title-year"' in house.shell.file.read_text()


def first_run(house: House) -> Any:
    """By ids alone four films are not found, which is no success."""
    return house.run(code=0 if by_title(house) else 3)


def marked(house: House) -> tuple[int, ...]:
    """What the first run leaves watched at the Jellyfin."""
    return (*WITH_IDS, *BARE) if by_title(house) else (*WITH_IDS, 3, 6)


def test_what_has_no_ids_is_never_asked_for_again(house: House) -> None:
    dry = house.run("plan")
    first = first_run(house)
    assert first["digest"] == dry["digest"]
    missing = {title for title, outcome in outcomes(first).items() if outcome == "not_found"}
    assert missing == (set() if by_title(house) else names(*BARE))
    assert set(outcomes(first).values()) <= {"confirmed", "not_found"}
    assert house.seen()[1] == names(*marked(house))
    assert house.held(Feature.RATINGS)[1] == {"Film 1": 2.0, "Film 2": 2.0}
    assert house.held(Feature.PROGRESS)[1] == {"Film 20": 600_000}
    house.still()
    told = reasons(house.run("plan"), "skips", "holds")
    assert all(told[name].startswith(("parked", "no-ids")) for name in missing)
    assert house.seen()[1] == names(*marked(house))


def test_changes_on_both_sides(house: House) -> None:
    first_run(house)
    plex, jellyfin = house.sides
    house.hold(plex, Feature.HISTORY, *films(13))
    house.hold(plex, Feature.RATINGS, *films(1), n=3)
    house.hold(jellyfin, Feature.HISTORY, *films(15))
    for item in films(2, 3):
        plex.plex.world.unscrobble(plex.user, plex.row(item))
    pair = house.shell("run --apply --json").pair
    # One way: what only the Jellyfin has stays there. What was matched by its title is never removed for that.
    assert outcomes(pair) == dict.fromkeys(("Film 1", "Film 2", "Film 13"), "confirmed")
    assert house.seen()[1] == names(*marked(house), 13, 15) - names(2)
    assert house.held(Feature.RATINGS)[1] == {"Film 1": 5.0, "Film 2": 2.0}
    if by_title(house):
        assert reasons(pair, "holds")["Film 3"].startswith("title-year: ")
    house.still(2)


def test_a_title_that_was_matched_once_stays_matched(house: House) -> None:
    first_run(house)
    house.shell("run --apply")
    jellyfin = house.target
    for item in films(1, 2):  # identified before, and not any more
        jellyfin.row(item).ids, jellyfin.row(item).name, jellyfin.row(item).year = {}, f"{item.title}.mkv", None
    for item in films(*BARE) if by_title(house) else ():
        jellyfin.row(item).name = f"Le {item.title}"
    jellyfin.server.world.version += 1
    house.still(2)
    assert len(house.seen()[1]) == len(marked(house))


def test_a_library_that_was_built_anew_is_linked_anew(house: House) -> None:
    first_run(house)
    world_of = house.target.server.world
    for row in list(world_of.titles.values()):
        world_of.renew(row)
    house.still(2)
    plex = house.source
    house.hold(plex, Feature.HISTORY, *films(13))
    plex.plex.world.unscrobble(plex.user, plex.row(world.movie(2)))
    pair = house.shell("run --apply --json").pair
    assert outcomes(pair) == {"Film 2": "confirmed", "Film 13": "confirmed"}
    assert house.seen()[1] == names(*marked(house), 13) - names(2)


def test_what_was_marked_by_its_title_is_marked_again_by_its_own_name(house: House) -> None:
    """One way the source wins; that the row was renamed since does not matter, it is known."""
    first_run(house)
    jellyfin = house.target
    if by_title(house):
        jellyfin.row(world.movie(9)).name = "film9.mkv"
        jellyfin.unmark(*films(6, 9))
        assert outcomes(house.run()) == dict.fromkeys(names(6, 9), "confirmed")
    house.still(2)
    assert len(house.seen()[1]) == len(marked(house))


def test_a_title_that_a_library_has_twice_is_not_marked_by_its_name(house: House) -> None:
    jellyfin = house.target
    other = jellyfin.row(world.movie(21))
    other.name, other.year = jellyfin.row(world.movie(9)).name, jellyfin.row(world.movie(9)).year
    jellyfin.server.world.version += 1
    first = house.run(code=3)
    missing = {title for title, outcome in outcomes(first).items() if outcome == "not_found"}
    assert missing == names(9) if by_title(house) else names(*BARE)
    house.still(2)


def test_who_opts_in_later_does_not_wait_for_the_next_try(house: House) -> None:
    first_run(house)
    text = house.shell.file.read_text()
    house.shell.file.write_text(text.replace('match = "ids"', 'match = "title-year"'))
    done = outcomes(house.run())
    assert done == ({} if 'match = "title-year"' in text else dict.fromkeys(names(9, 12), "confirmed"))
    house.still(2)


def test_a_film_that_is_begun_again_at_plex_is_no_failed_run(tmp_path: Path) -> None:
    """Its position has no place in a title that is watched; that is said, and tried again later."""
    with services("plex", "jellyfin") as (plex, jellyfin):
        house = House(plex, jellyfin, tmp_path, "one-way", FEATURES)
        house.hold(plex, Feature.HISTORY, *films(1, 2))
        house.run()
        house.hold(plex, Feature.PROGRESS, *films(1))
        pair = house.run()
        assert outcomes(pair) == {"Film 1": "rejected"}
        assert pair["features"]["progress"]["failed"] == 0
        house.still(2)
        assert reasons(house.run("plan"), "skips")["Film 1"].startswith("parked: ")
        assert jellyfin.state(world.movie(1)).position == 0
