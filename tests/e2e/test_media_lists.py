"""The real command with a watchlist that is a playlist of a Jellyfin, or a collection of an Emby."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cwsync.model import Feature, Kind
from simulators.emby import Emby
from simulators.jellyfin import Jellyfin
from simulators.mediabrowserworld import BOXSET, PLAYLIST, Title
from support import rows, world
from support.backup import titles
from support.house import REMOVES
from support.mediahouse import House, row
from support.shell import Shell
from support.told import counts

ON = ["watchlist"]
STILL = {"watchlist": (0, 0, 0)}


def chosen(kind: str, name: str = "To watch") -> str:
    return f'watchlist = "{kind}"\nwatchlist_name = "{name}"'


@pytest.fixture
def jellyfin(tmp_path: Path) -> Iterator[House]:
    with Jellyfin() as server:
        yield House(server, tmp_path)


@pytest.fixture
def emby(tmp_path: Path) -> Iterator[House]:
    with Emby() as server:
        yield House(server, tmp_path)


def made(house: House, kind: str, *numbers: int) -> Title:
    """The list, with films in it."""
    films = [house.row(world.movie(n)) for n in numbers]
    owner = house.user if kind == PLAYLIST else None
    return house.server.world.add_list(kind, "To watch", *films, owner=owner)


def held(box: Title) -> list[str]:
    return sorted(one.name for _, one in box.entries)


def still(house: House, shell: Shell, runs: int) -> None:
    """So many runs on a world where nothing happens."""
    house.server.forget()
    for _ in range(runs):
        again = shell("run --apply --json")
        assert (again.code, counts(again.pair)) == (0, STILL), again.out
    assert house.writes() == []


def test_a_playlist_and_a_tracker_two_way(jellyfin: House) -> None:
    world_of, films = jellyfin.server.world, jellyfin.shelf
    box = made(jellyfin, PLAYLIST, 1, 2, 3)
    world_of.put_in(box, films.row(world.episode(1, 1, 1)))
    jellyfin.hold(Feature.WATCHLIST, 9)  # a favourite, and none of the watchlist
    shell = jellyfin.shell("two-way", ON, chosen("playlist"), REMOVES)
    shell.put("backup", *(row(n, listed_at=None) for n in (3, 4, 5)), feature="watchlist")
    dry = shell("plan --json")
    first = shell("run --apply --json")
    assert (first.code, first.pair["digest"]) == (0, dry.pair["digest"]), first.out
    assert {one["outcome"] for one in first.pair["changes"]} == {"confirmed"}
    assert held(box) == ["Episode 1.1", *(f"Film {n}" for n in range(1, 6))]
    assert titles(shell, "watchlist") == [f"Film {n}" for n in range(1, 6)]
    assert jellyfin.held(Feature.WATCHLIST) == {"Film 9": True}
    still(jellyfin, shell, 5)

    # Taken out and put in on both sides, and a file that is deleted: that one is still wanted at the tracker.
    world_of.take_out(box, films.row(world.movie(1)))
    world_of.put_in(box, films.row(world.movie(6)))
    world_of.remove(films.row(world.movie(2)))
    shell.put("backup", *(row(n, listed_at=None) for n in (1, 2, 3, 5, 7)), feature="watchlist")
    changed = shell("run --apply --json")
    assert changed.code == 0, changed.out
    assert held(box) == ["Episode 1.1", "Film 3", "Film 5", "Film 6", "Film 7"]
    assert titles(shell, "watchlist") == ["Film 2", "Film 3", "Film 5", "Film 6", "Film 7"]
    still(jellyfin, shell, 3)


def test_a_show_is_no_title_for_a_playlist_and_is_left_where_it_is(jellyfin: House) -> None:
    box = made(jellyfin, PLAYLIST, 1)
    shell = jellyfin.shell("two-way", ON, chosen("playlist"), REMOVES)
    shell.put("backup", rows.row(world.show(1), listed_at=None), feature="watchlist")
    for _ in range(2):
        done = shell("run --apply --json")
        assert done.code == 0, done.out
        assert [one["reason"].split(" ")[0] for one in done.pair["skips"]] == ["unsupported:"]
    assert held(box) == ["Film 1"]
    assert titles(shell, "watchlist") == ["Film 1", "Show 1"]


def test_another_list_is_united_and_removes_nothing(jellyfin: House) -> None:
    """What the favourites held was never removed from a playlist that never held it."""
    jellyfin.hold(Feature.WATCHLIST, 1, 2)
    shell = jellyfin.shell("two-way", ON, "", REMOVES)
    assert shell("run --apply --json").code == 0
    assert titles(shell, "watchlist") == ["Film 1", "Film 2"]
    box = made(jellyfin, PLAYLIST, 2, 3)
    text = shell.file.read_text()
    shell.file.write_text(text.replace('staleness = "0s"', f'staleness = "0s"\n{chosen("playlist")}'))
    done = shell("run --apply --json")
    assert done.code == 0, done.out
    assert counts(done.pair)["watchlist"][2] == 0
    assert held(box) == titles(shell, "watchlist") == ["Film 1", "Film 2", "Film 3"]
    assert jellyfin.held(Feature.WATCHLIST) == {"Film 1": True, "Film 2": True}
    still(jellyfin, shell, 2)


def test_a_list_that_is_gone_ends_the_run_and_empties_nothing(jellyfin: House) -> None:
    box = made(jellyfin, PLAYLIST, 1, 2)
    shell = jellyfin.shell("two-way", ON, chosen("playlist"), REMOVES)
    assert shell("run --apply --json").code == 0
    jellyfin.server.world.remove(box)
    done = shell("run --apply --json")
    assert done.code == 2
    assert "To watch" in done.pair["error"]["message"]
    assert titles(shell, "watchlist") == ["Film 1", "Film 2"]


def test_a_tracker_to_a_collection_one_way(emby: House) -> None:
    box = made(emby, BOXSET, 8)
    emby.shelf.put(world.item(Kind.SHOW, 1))
    shell = emby.shell("one-way", ON, chosen("collection"), REMOVES, back=True)
    wanted = [row(n, listed_at=None) for n in (1, 2, 3)]
    shell.put("backup", *wanted, rows.row(world.show(1), listed_at=None), feature="watchlist")
    first = shell("run --apply --json")
    assert first.code == 0, first.out
    assert held(box) == ["Film 1", "Film 2", "Film 3", "Film 8", "Show 1"]
    still(emby, shell, 5)
    shell.put("backup", *(row(n, listed_at=None) for n in (2, 4)), feature="watchlist")
    second = shell("run --apply --json")
    assert second.code == 0, second.out
    assert held(box) == ["Film 2", "Film 4", "Film 8"]
    still(emby, shell, 2)
