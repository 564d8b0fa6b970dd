"""A library that numbers its episodes otherwise than Trakt does, and a history long enough to be read by its titles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cwsync.model import Entry, Feature, Item, Kind, Play
from simulators.both import Both
from support import world
from support.plextrakt import House

FILLER = [world.movie(n) for n in range(1000, 1040)]
TRAKT = [world.episode(77, 1, n) for n in range(1, 8)]
# What Trakt has as the second episode, the server has as the first, and so on.
SHIFTED = [replace(TRAKT[n], number=n) for n in range(1, 7)]


@pytest.fixture
def both() -> Iterator[Both]:
    with Both() as made:
        made.trakt.largest = 5
        yield made


def house_of(both: Both, folder: Path, mode: str, *, remove: bool = True) -> House:
    house = House(both, folder, mode, ["history"]).logged_in()
    if not remove:
        house.shell.file.write_text(house.shell.file.read_text().replace("remove = true\n", ""))
    for item in TRAKT:
        both.trakt.titles.add(item)
    both.know(FILLER)
    held = [Entry(one, Play(world.at(n))) for n, one in enumerate(FILLER)]
    both.trakt.put(Feature.HISTORY, held)
    both.shelf.hold(both.owner, held)
    return house


def plays(both: Both) -> Counter[str | None]:
    return Counter(one.title.name for one in both.trakt.user.history.values() if one.title.kind is Kind.EPISODE)


def seen(both: Both) -> set[str]:
    return {name for name in both.shelf.states(Feature.HISTORY, both.owner) if name.startswith("Ep")}


def still(house: House) -> None:
    """Nothing is planned any more, by either way to read a history."""
    for line in ("run --apply --full", "run --apply --full", "plan --full"):
        pair = house.run(line)
        assert not pair["changes"]
        assert not pair["holds"]
    for kept in (house.shell.state / "cache").glob("*plays*"):
        kept.unlink()
    assert not house.run("run --apply --full")["changes"]


@pytest.mark.parametrize(("mode", "remove"), [("one-way", False), ("two-way", False), ("two-way", True)])
def test_a_play_that_was_sent_by_its_ids_is_met_again_whatever_its_number(
    both: Both, tmp_path: Path, mode: str, remove: bool
) -> None:
    house = house_of(both, tmp_path, mode, remove=remove)
    for item in SHIFTED:
        both.shelf.put(item)
    house.at_plex(Feature.HISTORY, SHIFTED[0])
    assert [one["outcome"] for one in house.run()["changes"]] == ["confirmed"]
    still(house)
    assert plays(both) == {"Episode 1.2": 1}
    assert seen(both) == {"Episode 1.2"}


def test_a_play_that_trakt_has_under_another_number_is_not_doubled_on_the_first_run(both: Both, tmp_path: Path) -> None:
    house = house_of(both, tmp_path, "one-way")
    for item in SHIFTED:
        both.shelf.put(item)
    for item in TRAKT[1:]:
        both.trakt.user.play(both.trakt.titles.add(item), "2024-05-04T20:15:00.000Z")
    house.at_plex(Feature.HISTORY, *SHIFTED)
    before = plays(both)
    house.shell("run --apply")
    house.shell("run --apply --full")
    assert plays(both) == before == Counter(item.title for item in TRAKT[1:])


@pytest.mark.parametrize("mode", ["one-way", "two-way"])
def test_an_episode_without_numbers_is_met_again_by_its_ids(both: Both, tmp_path: Path, mode: str) -> None:
    house = house_of(both, tmp_path, mode, remove=False)
    daily: list[Item] = TRAKT[:3]
    for item in daily:
        both.shelf.row(item).index = None
    house.at_plex(Feature.HISTORY, *daily)
    assert len(house.run()["changes"]) == 3
    still(house)
    assert plays(both) == Counter(item.title for item in daily)
    assert seen(both) == {item.title for item in daily}
