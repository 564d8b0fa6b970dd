"""Files that leave a Plex library, with the real command: nobody unwatched them, so the other side keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cwsync.model import Entry, Feature, Item
from simulators.plex import Plex
from simulators.plexfill import Shelf
from simulators.plexworld import MOVIE, Title
from support import world
from support.shell import Shell

PAIR = """
[accounts.home]
provider = "plex"
url = "{url}"
plex_tv_url = "{plex_tv_url}"
token = {{ env = "PLEX_TOKEN" }}
staleness = "0s"
libraries = ["Films", "Shows", "Old films"]

[accounts.backup]
provider = "tracker"
path = "backup"

[pairs.save]
source = "home"
target = "backup"
mode = "{mode}"
[pairs.save.guards]
free_removes = 50
[pairs.save.history]
remove = true
hold_removed = "0s"
[pairs.save.ratings]
remove = true
hold_removed = "0s"
[pairs.save.progress]
remove = true
hold_removed = "0s"
"""
FEATURES = (Feature.HISTORY, Feature.RATINGS, Feature.PROGRESS)
FILM, OTHER, EPISODE = world.movie(1), world.movie(2), world.episode(1, 1, 1)


class House:
    """A server, a tracker, and a pair of them that removes what was removed."""

    def __init__(self, plex: Plex, folder: Path) -> None:
        self.plex, self.folder, self.shelf = plex, folder, Shelf(plex)
        self.owner = plex.world.owner
        self.old = plex.world.add_section("Old films", MOVIE)
        self.shelf.put(*(world.movie(n) for n in range(1, 21)), *(world.episode(1, 1, n) for n in range(1, 11)))
        for feature in FEATURES:
            ours = (FILM, OTHER, EPISODE)
            others = [world.movie(n) for n in range(5, 15)]
            self.shelf.hold(self.owner, [Entry(item, world.value(feature)) for item in (*ours, *others)])

    def shell(self, mode: str) -> Shell:
        made = Shell(self.folder, PAIR.format(mode=mode, **self.plex.options()))
        made.environ["PLEX_TOKEN"] = self.owner.token
        return made

    def row(self, item: Item) -> Title:
        return self.shelf.row(item)


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
    shell = house.shell(mode)
    run(shell)
    for item in (FILM, EPISODE):
        house.plex.world.remove(house.row(item))
    assert set(run(shell).values()) == {0}
    assert (kept(shell, FILM), kept(shell, EPISODE)) == (ALL, ALL)
    assert set(run(shell).values()) == {0}
    assert kept(shell, FILM) == ALL


@MODES
def test_a_file_that_was_replaced_under_another_key_was_not_unwatched(house: House, mode: str) -> None:
    shell = house.shell(mode)
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
    house.plex.world.scrobble(house.owner, film)
    shell = house.shell(mode)
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
    shell = house.shell(mode)
    run(shell)
    for item in (FILM, EPISODE):
        house.plex.world.unscrobble(house.owner, house.row(item))
        house.plex.world.rate(house.owner, house.row(item), -1)
    house.plex.world.remove(house.row(OTHER))
    assert set(run(shell).values()) == {2}
    assert (kept(shell, FILM), kept(shell, EPISODE), kept(shell, OTHER)) == ([], [], ALL)
    assert set(run(shell).values()) == {0}


def test_what_we_marked_is_removed_when_it_is_unwatched(house: House) -> None:
    shell = house.shell("two-way")
    run(shell)
    film = world.movie(4)
    rows = [*shell.held("backup", "history"), {"type": "movie", **named(film), "watched_at": "2020-01-01T00:00:00Z"}]
    shell.put("backup", *rows, feature="history")
    run(shell)
    assert house.plex.world.state(house.owner, house.row(film)).views == 1
    house.plex.world.unscrobble(house.owner, house.row(film))
    assert run(shell)["history"] == 1
    assert kept(shell, film) == []


def named(item: Item) -> dict[str, object]:
    return {"title": item.title, "year": item.year, "ids": {one.service: one.value for one in item.ids}}


def test_without_what_was_kept_nothing_is_removed(house: House) -> None:
    shell = house.shell("one-way")
    run(shell)
    house.plex.world.unscrobble(house.owner, house.row(FILM))
    (shell.state / "accounts" / "home-plex-rows.json").unlink()
    assert set(run(shell).values()) == {0}
    assert kept(shell, FILM) == ALL
