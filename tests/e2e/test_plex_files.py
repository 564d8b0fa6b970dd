"""Files that leave a Plex library, with the real command: nobody unwatched them, so the other side keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cwsync.model import Entry, Feature, Item
from simulators.plex import Plex
from simulators.plexworld import MOVIE
from support import world
from support.house import REMOVES
from support.mediahouse import PlexHouse, watched
from support.shell import Shell

LIBRARIES = 'libraries = ["Films", "Shows", "Old films"]'
FEATURES = (Feature.HISTORY, Feature.RATINGS, Feature.PROGRESS)
FILM, OTHER, EPISODE = world.movie(1), world.movie(2), world.episode(1, 1, 1)


class House(PlexHouse):
    """A Plex with a library more, and a pair that removes what was removed."""

    def __init__(self, plex: Plex, folder: Path) -> None:
        super().__init__(plex, folder)
        self.old = plex.world.add_section("Old films", MOVIE)
        self.shelf.put(*(world.episode(1, 1, n) for n in range(1, 11)))
        for feature in FEATURES:
            self.shelf.hold(self.user, [Entry(item, world.value(feature)) for item in (FILM, OTHER, EPISODE)])
            self.hold(feature, *range(5, 15))

    def save(self, mode: str) -> Shell:
        return self.shell(mode, FEATURES, LIBRARIES, REMOVES, guards="free_removes = 50")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with Plex() as plex:
        yield House(plex, tmp_path)


def run(shell: Shell) -> dict[str, int]:
    """A run that applies: how much it removes, by feature."""
    done = shell("run --apply --json")
    assert done.code == 0, f"{done.code}: {done.out}{done.err}"
    return {name: one["remove"] for name, one in done.pair["features"].items()}


def kept(shell: Shell, item: Item) -> list[str]:
    """The features in which the tracker holds a title."""
    title = item.title
    return [one.value for one in FEATURES if title in {row["title"] for row in shell.held("backup", one.value)}]


ALL = ["history", "ratings", "progress"]
MODES = pytest.mark.parametrize("mode", ["one-way", "two-way"])


@MODES
def test_a_deleted_file_was_not_unwatched(house: House, mode: str) -> None:
    shell = house.save(mode)
    run(shell)
    for item in (FILM, EPISODE):
        house.plex.world.remove(house.row(item))
    assert set(run(shell).values()) == {0}
    assert (kept(shell, FILM), kept(shell, EPISODE)) == (ALL, ALL)
    assert set(run(shell).values()) == {0}
    assert kept(shell, FILM) == ALL


@MODES
def test_a_file_that_was_replaced_under_another_key_was_not_unwatched(house: House, mode: str) -> None:
    shell = house.save(mode)
    run(shell)
    old = house.row(FILM)
    house.plex.world.remove(old)
    guid = "com.plexapp.agents.imdb://tt9999999?lang=en"  # of another agent, so that it does not share what was done
    house.plex.world.add(house.shelf.films, MOVIE, old.title, year=old.year, guids=old.guids, guid=guid)
    assert set(run(shell).values()) == {0}
    assert kept(shell, FILM) == ALL


@MODES
def test_a_library_that_is_not_shared_any_more_was_not_unwatched(house: House, mode: str) -> None:
    film = house.plex.world.add(house.old, MOVIE, "Old", year=1950, guids=("imdb://tt0000950", "tmdb://950"))
    house.plex.world.scrobble(house.user, film)
    shell = house.save(mode)
    run(shell)
    held = [row["title"] for row in shell.held("backup", "history")]
    assert "Old" in held
    del house.plex.world.sections[house.old.key]
    shell.file.write_text(shell.file.read_text().replace(', "Old films"', ""))
    for _ in range(3):
        shell("run --apply --json")
    assert [row["title"] for row in shell.held("backup", "history")] == held


@MODES
def test_what_a_user_took_away_is_removed(house: House, mode: str) -> None:
    shell = house.save(mode)
    run(shell)
    for item in (FILM, EPISODE):
        house.plex.world.unscrobble(house.user, house.row(item))
        house.plex.world.rate(house.user, house.row(item), -1)
    house.plex.world.remove(house.row(OTHER))
    assert set(run(shell).values()) == {2}
    assert (kept(shell, FILM), kept(shell, EPISODE), kept(shell, OTHER)) == ([], [], ALL)
    assert set(run(shell).values()) == {0}


def test_what_we_marked_is_removed_when_it_is_unwatched(house: House) -> None:
    shell = house.save("two-way")
    run(shell)
    film = world.movie(4)
    rows = [*shell.held("backup", "history"), *watched(4)]
    shell.put("backup", *rows, feature="history")
    run(shell)
    assert house.plex.world.state(house.user, house.row(film)).views == 1
    house.plex.world.unscrobble(house.user, house.row(film))
    assert run(shell)["history"] == 1
    assert kept(shell, film) == []


def test_without_what_was_kept_nothing_is_removed(house: House) -> None:
    shell = house.save("one-way")
    run(shell)
    house.unwatch(1)
    (shell.state / "accounts" / "home-plex-rows.json").unlink()
    assert set(run(shell).values()) == {0}
    assert kept(shell, FILM) == ALL
