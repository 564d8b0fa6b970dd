"""Anime from a Plex, where a series is a show with seasons, to AniList, where each season is a title of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import Entry, Feature, Item
from simulators.anilist import AniList
from simulators.anilist_world import Title
from simulators.plex import Plex
from support import world
from support.house import REMOVES
from support.httpserver import Reply, Server
from support.mappings import release
from support.mediapair import PlexSide
from support.shell import Done, Shell
from support.told import outcomes

PAIRS = """
{plex}
[accounts.anilist]
api_url = "{anilist}"
auth_url = "{anilist}/authorize"
client_id = "77"
access_token = {{ env = "ANILIST_TOKEN" }}
staleness = "0s"

[pairs.anime]
source = "plex"
target = "anilist"
{mode}
[pairs.anime.history]
"""
AT_ONCE = f"[pairs.anime.history]\n{REMOVES}"
TVDB = next(one.value for one in world.show(1).ids if one.service == "tvdb")
FILM = next(one.value for one in world.movie(1).ids if one.service == "tmdb")
# One show is three entries: a season, and two halves of one.
RELEASE = {
    "anilist:501": {"mal:1501": {"1-12": "1-12"}, f"tvdb_show:{TVDB}:s1": {"1-12": "1-12"}},
    "anilist:502": {f"tvdb_show:{TVDB}:s2": {"1-6": "1-6"}},
    "anilist:503": {f"tvdb_show:{TVDB}:s2": {"1-6": "7-12"}},
    "anilist:600": {f"tmdb_movie:{FILM}": {"1": "1"}},
}


class House:
    """Somebody with both, and the makers of the data set."""

    def __init__(self, plex: Plex, anilist: AniList, makers: Server, folder: Path, mode: str = "") -> None:
        self.plex, self.anilist, self.makers = PlexSide(plex), anilist, makers
        anilist.limit = 1_000_000
        for number, count in ((501, 12), (502, 6), (503, 6)):
            anilist.world.add(Title(number, None, f"Entry {number}", format="TV", episodes=count, year=2000))
        anilist.world.add(Title(600, None, "Film 1", format="MOVIE", episodes=1, year=1951))
        for item in (world.movie(1), world.movie(2), *(world.episode(1, s, n) for s in (1, 2) for n in range(1, 13))):
            self.plex.know(item)
        made = PAIRS.format(plex=self.plex.text(), anilist=anilist.url, mode=mode)
        self.shell = Shell(folder, made)
        self.shell.environ |= {**self.plex.environ, "ANILIST_TOKEN": anilist.login()}
        self.release: dict[str, Any] = RELEASE
        makers.route("GET", "/mappings.json", lambda _: Reply(release(self.release)))

    def watch(self, *items: Item) -> None:
        self.plex.hold(Feature.HISTORY, [Entry(item, world.value(Feature.HISTORY, 0)) for item in items])

    def two_way(self) -> None:
        """Both sides are written, and a removal travels at once."""
        made = self.shell.file.read_text().replace('target = "anilist"', 'target = "anilist"\nmode = "two-way"')
        self.shell.file.write_text(made.replace("[pairs.anime.history]", AT_ONCE))

    def update(self) -> Done:
        return self.shell(f"mappings update --url {self.makers.url}/mappings.json")

    @property
    def progress(self) -> dict[int, int]:
        """How many episodes of each entry were seen."""
        return {one.title.id: one.progress for one in self.anilist.world.entries.values()}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with Plex() as plex, AniList() as anilist, Server() as makers:
        yield House(plex, anilist, makers, tmp_path)


def test_what_is_watched_in_seasons_arrives_in_entries_and_stays(house: House) -> None:
    house.watch(world.movie(1), *(world.episode(1, 1, n) for n in (1, 2, 3)), *(world.episode(1, 2, n) for n in (1, 7)))
    assert house.update().code == 0
    dry = house.shell("plan --json")
    assert (dry.code, house.progress) == (0, {})
    first = house.shell("run --apply --json")
    assert first.code == 0, first.err
    assert first.pair["digest"] == dry.pair["digest"]
    assert house.progress == {501: 3, 502: 1, 503: 1, 600: 1}
    for _ in range(3):
        done = house.shell("run --apply --json")
        assert (done.code, done.pair["changes"]) == (0, [])
    house.watch(world.episode(1, 1, 4), world.episode(1, 2, 8))
    assert len(house.shell("run --apply --json").pair["changes"]) == 2
    assert house.progress == {501: 4, 502: 1, 503: 2, 600: 1}
    told = house.shell("explain anime 'Show 1'")
    assert "tvdb_show" in told.out


def test_without_the_data_set_it_is_said_how_to_get_it_and_nothing_is_written(house: House) -> None:
    house.watch(*(world.episode(1, 1, n) for n in (1, 2)))
    done = house.shell("run --apply --json")
    assert done.code == 3, done.out
    assert [one for one in done.pair["warnings"] if "cwsync mappings update" in one]
    assert done.pair["changes"] == []
    assert {one["reason"].partition(":")[0] for one in done.pair["holds"]} == {"no-mapping"}
    assert house.progress == {}
    assert house.update().code == 0
    done = house.shell("run --apply --json")
    assert (done.code, house.progress) == (0, {501: 2})


def test_a_film_that_is_no_anime_is_told_and_nothing_else_is_held_up(house: House) -> None:
    house.watch(world.movie(1), world.movie(2))
    house.update()
    done = house.shell("run --apply --json")
    assert done.code == 0, done.out
    assert outcomes(done.pair) == {"Film 1": "confirmed"}
    assert {one["title"]: one["reason"].partition(":")[0] for one in done.pair["skips"]} == {"Film 2": "unnamed"}
    assert house.progress == {600: 1}
    again = house.shell("run --apply --json")
    assert (again.code, again.pair["changes"]) == (0, [])


def test_without_its_cache_a_pair_is_still_and_removes_nothing(house: House) -> None:
    """Both sides agreed on which episode is which: that does not depend on what can be fetched again."""
    house.two_way()
    house.watch(*(world.episode(1, 1, n) for n in (1, 2, 3)))
    house.update()
    assert house.shell("run --apply --json").code == 0
    shutil.rmtree(house.shell.state / "cache")
    for _ in range(2):
        done = house.shell("run --apply --json")
        assert (done.code, done.pair["changes"], done.pair["holds"]) == (0, [], [])
    assert house.progress == {501: 3}


def test_a_damaged_data_set_stops_the_pair_before_anything_is_written(house: House) -> None:
    house.watch(world.movie(1))
    house.update()
    (kept,) = (house.shell.state / "cache" / "mappings").glob("*.map")
    kept.write_bytes(kept.read_bytes()[:-40])
    done = house.shell("run --apply")
    assert done.code == 7
    assert "cwsync mappings update" in done.out + done.err
    assert house.progress == {}


def test_an_episode_that_two_of_the_other_side_claim_is_left_alone(house: House) -> None:
    """A data set moved a season by one: the third episode of the entry was the third of the show, and is the fourth."""
    house.two_way()
    house.watch(*(world.episode(1, 1, n) for n in (1, 2, 3)))
    house.update()
    assert house.shell("run --apply --json").code == 0
    house.release = {**RELEASE, "anilist:501": {f"tvdb_show:{TVDB}:s1": {"1-12": "2-13"}}}
    assert house.update().code == 0
    house.watch(*(world.episode(1, 1, n) for n in (1, 2, 3, 4)))
    done = house.shell("run --apply --json")
    assert [one["outcome"] for one in done.pair["changes"]] == ["already"]
    held = house.plex.held(Feature.HISTORY)
    for _ in range(3):
        done = house.shell("run --apply --json")
        assert (done.code, done.pair["changes"]) == (0, [])
    assert house.plex.held(Feature.HISTORY) == held
    assert house.progress == {501: 3}
