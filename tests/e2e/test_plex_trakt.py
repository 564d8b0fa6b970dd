"""Plex and Trakt kept in step by the real command, over real HTTP: the commonest job of all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cwsync.model import Feature, Item, Kind, external_id
from simulators.both import Both
from simulators.library import Library
from support import world
from support.httpserver import Server, drop_after, status
from support.mediapair import films, names
from support.plextrakt import House, fill
from support.shell import killed


@pytest.fixture
def both() -> Iterator[Both]:
    with Both() as made:
        yield made


@pytest.fixture
def house(both: Both, tmp_path: Path) -> House:
    return House(both, tmp_path).logged_in()


def test_from_the_first_login_to_changes_on_both_sides(both: Both, tmp_path: Path) -> None:
    house = House(both, tmp_path).login()
    fill(house)
    checked = house.shell("check")
    assert checked.code == 0, checked.out
    assert checked.clean()
    assert "watchlist: 2 of 250 in use" in checked.out
    dry = house.run("plan")
    assert not [call for call in both.calls() if not call.startswith("GET") or "/:/" in call]
    wet = house.run()
    assert wet["digest"] == dry["digest"]
    assert {one["outcome"] for one in wet["changes"]} == {"confirmed"}
    here, there = house.seen
    assert here == there == names(1, 2, 3, 4, 5) | {"Episode 1.1", "Episode 1.2", "Episode 1.3"}
    assert house.ratings == ({"Film 1": 8.0, "Film 2": 8.0, "Film 5": 8.0},) * 2
    assert house.listed == (names(20, 21, 22),) * 2
    # The time of a play at Plex is that of its play at Trakt, to the minute.
    dates = {one.title.name: one.watched_at for one in both.trakt.user.history.values()}
    assert dates["Film 1"] == "2024-05-04T20:15:00.000Z"

    for _ in range(3):  # one to see the writes settled, one to keep what is seen, and then it is still
        both.calls()
        assert not house.run()["changes"]
    quiet = both.calls()
    assert not [call for call in quiet if call.startswith(("POST", "PUT")) or "/:/" in call]
    assert len(quiet) <= 11  # ten for history and ratings, and one for the watchlist at Plex

    house.plex.play(house.owner, house.row(world.movie(8)))
    house.plex.rate(house.owner, house.row(world.movie(1)), 6.0)
    house.plex.unscrobble(house.owner, house.row(world.movie(2)))
    user = both.trakt.user
    user.play(house.title(world.movie(9)), "2024-06-01T10:00:00.000Z")
    user.rate(house.title(world.movie(2)), 10, "2024-06-01T10:00:00.000Z")
    user.unlist(house.title(world.movie(21)))
    changed = house.run()
    assert len(changed["changes"]) == 6
    here, there = house.seen
    assert here == there == names(1, 3, 4, 5, 8, 9) | {"Episode 1.1", "Episode 1.2", "Episode 1.3"}
    assert house.ratings == ({"Film 1": 6.0, "Film 2": 10.0, "Film 5": 8.0},) * 2
    assert house.listed == (names(20, 22),) * 2
    assert not house.run()["changes"]


def test_one_way_leaves_the_server_alone(both: Both, tmp_path: Path) -> None:
    house = House(both, tmp_path, "one-way", ["history", "ratings"]).logged_in()
    fill(house)
    before = house.seen[0]
    house.run()
    here, there = house.seen
    assert here == before < there
    assert house.ratings[0] == {"Film 1": 8.0, "Film 2": 8.0}
    assert not [call for call in both.calls() if "/:/" in call]


def test_lost_answers_on_both_sides(house: House) -> None:
    fill(house)
    house.both.plex.pms.fault(drop_after(), path="scrobble", times=2)
    house.trakt.fault(drop_after(), method="POST", path="^/sync/history")
    house.trakt.fault(drop_after(), method="POST", path="^/sync/ratings")
    pair = house.run()
    assert {one["outcome"] for one in pair["changes"]} == {"confirmed"}
    here, there = house.seen
    assert here == there
    posts = [call for call in house.trakt.calls() if call == "POST /sync/history"]
    assert len(posts) == 1
    assert not house.run()["changes"]


@pytest.mark.parametrize(("side", "path"), [("trakt", "^/sync/history"), ("plex", "scrobble")])
def test_a_run_that_is_killed_while_it_writes(house: House, side: str, path: str) -> None:
    fill(house)
    server: Server = house.trakt if side == "trakt" else house.both.plex.pms
    killed(house.shell, server, method="POST" if side == "trakt" else None, path=path)
    house.run()
    house.run()
    here, there = house.seen
    assert here == there == names(1, 2, 3, 4, 5) | {"Episode 1.1", "Episode 1.2", "Episode 1.3"}


def test_an_expired_token_is_renewed_and_a_dead_one_is_said(house: House) -> None:
    fill(house)
    house.trakt.expire()
    house.run()
    assert house.trakt.calls().count("POST /oauth/token") == 1
    house.trakt.expire()
    house.trakt.refresh.clear()
    house.at_plex(Feature.HISTORY, *films(11))
    done = house.shell("run --apply --json")
    assert done.code == 6
    assert "cwsync auth login trakt" in done.out + done.err
    house.clean(done)
    with house.both.person():
        assert house.shell("auth login trakt").code == 0
    house.run()
    assert "Film 11" in house.seen[1]


def test_a_token_of_plex_that_dies_before_the_first_write_needs_a_login(house: House) -> None:
    fill(house)
    house.both.plex.pms.fault(status(401), path="scrobble", times=None)
    done = house.shell("run --apply --json")
    assert done.code == 6
    assert "cwsync auth login plex" in done.out + done.err
    house.both.plex.pms.clear_faults()
    house.run()
    assert house.seen[0] == house.seen[1]


def test_how_many_requests_a_large_library_takes(both: Both, tmp_path: Path) -> None:
    Library(both, 2000, 100, 50)
    house = House(both, tmp_path, features=["history", "ratings"]).logged_in()
    pair = house.run("plan")
    assert pair["features"]["history"]["add"] == 350 + 70  # a tenth of what Plex has, and what only Trakt has
    assert pair["features"]["ratings"]["add"] == 20 + 4
    # One of them asks plex.tv whose the token is that the file has; after a login there is no need to.
    calls = [call for call in both.calls() if not call.endswith("/api/v2/user")]
    # Seven more than the goal of 20: 3,500 plays are read one by one until their episodes are known by their ids.
    assert len(calls) <= 27, calls
    for _ in range(2):
        house.shell("run --apply --full")
    both.calls()
    house.shell("run --apply --full")
    assert len(both.calls()) <= 22  # with the looks back of a run that writes


@pytest.mark.parametrize("mode", ["one-way", "two-way"])
def test_what_trakt_files_under_other_ids_is_neither_sent_again_nor_taken_away(
    both: Both, tmp_path: Path, mode: str
) -> None:
    """Two titles were merged there: it takes the old id, and shows what was written under the new ones."""
    house = House(both, tmp_path, mode).logged_in()
    old = Item(Kind.MOVIE, (external_id("tmdb", Kind.MOVIE, 555001),), "Merged", 1999)
    new = (external_id("tmdb", Kind.MOVIE, 777001), external_id("imdb", Kind.MOVIE, "tt0777001"))
    both.shelf.put(old)
    title = both.trakt.titles.add(replace(old, ids=new))
    both.trakt.titles.by_id[Kind.MOVIE, "tmdb", "555001"] = title
    for feature in (Feature.HISTORY, Feature.RATINGS):
        house.at_plex(feature, old, *films(1))
    house.run()
    for _ in range(3):
        house.shell("run --apply")
    told = house.run(code=3)
    assert "unshown" in {one["reason"].partition(":")[0] for one in told["holds"]}
    assert "Merged" in house.seen[0] & set(house.ratings[0])
    assert sum(one.title is title for one in house.trakt.user.history.values()) == 1
