"""Anime at SIMKL, which is written by the numbers of one order and told by those of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from cwsync.model import Item, Kind, external_id
from support.simklhouse import House
from support.trackerhouse import played


def part(entry: int, number: int) -> Item:
    """An episode as a service knows it that counts as anime databases do."""
    shows = (external_id("mal", Kind.SHOW, 1500 + entry),)
    return Item(Kind.EPISODE, show_ids=shows, season=1, number=number, show_title=f"A {entry}", show_year=2001)


@pytest.mark.parametrize("mode", ["one-way", "two-way"])
def test_what_was_written_by_the_numbers_of_anime_is_not_lost_under_those_of_tvdb(tmp_path: Path, mode: str) -> None:
    house = House(tmp_path, mode=mode)
    for entry in (1, 2):
        ids = {"mal": f"150{entry}", "anidb": f"{entry}", "tvdb": "7"}
        house.service.titles.anime(ids, f"A {entry}", at=99000 + entry, count=12, season=entry)
    plays = played([*(part(1, n) for n in range(1, 13)), part(2, 1), part(2, 2)])
    with house.service:
        house.logged_in()
        house.shell.put("home", *plays, feature="history")
        assert len(house.run()["changes"]) == 14
        for _ in range(3):
            pair = house.run()
            assert not [one for one in pair["changes"] if one["side"] == "target" or one["op"] == "remove"]
            assert {one["season"] for one in pair["changes"]} <= {2}, "sequels alone have other numbers there"
            assert not pair["holds"]
        assert house.calls()["POST /sync/history"] == 1
        assert len(house.plays) == 14
        kept = [one for one in house.shell.held("home", "history") if "mal" in one["show"]["ids"]]
        assert len(kept) == 14, "none of it was taken away"


def test_an_episode_of_a_sequel_is_left_where_only_its_other_numbers_are_known(tmp_path: Path) -> None:
    """It was unwatched by the numbers of anime; SIMKL tells of it by those of TVDB, and nobody says they are one."""
    house = House(tmp_path, mode="one-way")
    house.service.titles.anime({"mal": "1502", "tvdb": "7"}, "A 2", at=99002, count=12, season=2)
    with house.service:
        house.logged_in()
        house.shell.put("home", *played([part(2, 1), part(2, 2)]), feature="history")
        house.run()
        house.run()
        house.shell.put("home", *played([part(2, 1)]), feature="history")
        house.run()
        assert len(house.plays) == 2
        house.service.user.unwatch_episode(house.service.titles.all[99002], (1, 1))
        house.run()
        assert len(house.plays) == 2, "what is gone by all numbers is written again"
