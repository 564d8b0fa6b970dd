"""A service of anime entries beside one of shows: what has one meaning is matched and written, the rest is held."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import Feature, Item, Kind, Plays, Settings, external_id
from support.engine import HOUR, World, codes, did
from support.memory import Store, capable
from support.world import at, listed, played

HISTORY, WATCHLIST = Feature.HISTORY, Feature.WATCHLIST
AT_ONCE = timedelta(0)
# Entry 20 is the first season of a show, entry 21 its second, which begins at its episode 3; entry 30 is a film.
RULES: tuple[dict[str, Any], ...] = (
    {"entry": "anilist:20", "show": "tvdb:7", "season": 1, "episodes": "1-12"},
    {"entry": "anilist:21", "show": "tvdb:7", "season": 2, "episodes": "3-12"},
    {"entry": "anilist:30", "film": "tmdb:300"},
    {"entry": "anilist:40", "show": "tvdb:8", "season": 1},
)


class Anime(World):
    """A world whose pairs have rules of which anime is which."""

    rules: tuple[dict[str, Any], ...] = RULES

    def settings(self) -> Settings:
        made = super().settings()
        return replace(made, pairs={name: replace(pair, anime=self.rules) for name, pair in made.pairs.items()})


@pytest.fixture
def world(tmp_path: Path) -> Anime:
    return Anime(tmp_path)


def entry(n: int, number: int | None = None) -> Item:
    """An entry of the catalogue, or an episode of it."""
    if number is None:
        return Item(Kind.SHOW, (external_id("anilist", Kind.SHOW, n),), f"Entry {n}")
    return Item(Kind.EPISODE, show_ids=(external_id("anilist", Kind.SHOW, n),), season=1, number=number)


def episode(show: int, season: int, number: int) -> Item:
    return Item(Kind.EPISODE, show_ids=(external_id("tvdb", Kind.SHOW, show),), season=season, number=number)


def sides(world: World, *features: Feature, **rules: Any) -> tuple[Store, Store]:
    """Shows at home, entries away."""
    home = world.account("home", staleness=AT_ONCE)
    away = world.account("away", capable(by_entry=True), staleness=AT_ONCE)
    world.pair("home", "away", *features, **({"hold_removed": AT_ONCE} | rules))
    return home, away


def items(store: Store, feature: Feature = HISTORY) -> list[str]:
    return sorted(row.item.tokens()[0] for row in store.rows[feature])


@pytest.mark.parametrize("plays", Plays)
def test_episodes_are_written_as_those_of_their_entry_and_known_again(world: Anime, plays: Plays) -> None:
    home, away = sides(world, HISTORY, plays=plays)
    home.put(HISTORY, (episode(7, 1, 1), played(at(1))), (episode(7, 2, 4), played(at(2))))
    assert len(did(world.run())) == 2
    assert items(away) == ["anilist_show:20#s1e1", "anilist_show:21#s1e2"]
    for _ in range(3):
        world.clock.tick(HOUR)
        report = world.run()
        assert (did(report), report.holds, report.exit_code) == ([], (), 0)
    assert len(world.rows(HISTORY)) == 2


def test_episodes_of_an_entry_arrive_where_they_stand_in_the_show(world: Anime) -> None:
    home, away = sides(world, HISTORY)
    away.put(HISTORY, (entry(20, 3), played(at(1))), (entry(21, 1), played(at(2))))
    assert len(did(world.run())) == 2
    assert items(home) == ["tvdb_show:7#s1e3", "tvdb_show:7#s2e3"]
    world.clock.tick(HOUR)
    assert did(world.run()) == []


def test_what_is_on_both_sides_is_one_record_and_a_removal_travels(world: Anime) -> None:
    home, away = sides(world, HISTORY)
    home.put(HISTORY, (episode(7, 2, 3), played(at(1))), (episode(7, 1, 1), played(at(1))))
    away.put(HISTORY, (entry(21, 1), played(at(1))), (entry(20, 1), played(at(1))))
    assert did(world.run()) == []
    home.take(HISTORY, episode(7, 2, 3))
    world.clock.tick(HOUR)
    assert [one.change.op.value for one in world.run().changes] == ["remove"]
    assert items(away) == ["anilist_show:20#s1e1"]


def test_what_nobody_can_tell_is_held_and_told(world: Anime) -> None:
    """Two entries for one episode: neither is written, and neither is removed."""
    world.rules = (*RULES, {"entry": "anilist:22", "show": "tvdb:7", "season": 2, "episodes": "3-12"})
    _home, away = sides(world, HISTORY)
    away.put(HISTORY, (entry(21, 1), played(at(1))), (entry(20, 1), played(at(1))))
    report = world.run()
    assert [one.change.item.tokens()[0] for one in report.changes] == ["tvdb_show:7#s1e1"]
    assert codes(report.holds) == ["ambiguous"]
    assert report.exit_code in (0, 3)


def test_films_and_shows_learn_their_other_ids(world: Anime) -> None:
    home, away = sides(world, WATCHLIST)
    film = Item(Kind.MOVIE, (external_id("anilist", Kind.MOVIE, 30),), "Entry 30")
    home.put(WATCHLIST, (Item(Kind.MOVIE, (external_id("tmdb", Kind.MOVIE, 300),), "Film"), listed(at(1))))
    away.put(WATCHLIST, (film, listed(at(1))), (entry(40), listed(at(2))))
    report = world.run()
    (one,) = report.changes
    assert {str(name) for name in one.change.item.ids} == {"anilist_show:40", "tvdb_show:8"}
    world.clock.tick(HOUR)
    assert did(world.run()) == []


def test_without_a_mapping_it_is_said_how_to_get_one_and_nothing_is_removed(world: Anime) -> None:
    home, _away = sides(world, HISTORY)
    home.put(HISTORY, (episode(7, 1, 1), played(at(1))))
    world.run()
    world.rules = ()
    world.clock.tick(HOUR)
    report = world.run(apply=False)
    assert not [one for one in report.changes if one.change.op.value == "remove"]
    assert [one for one in report.warnings if "cwsync mappings update" in one]
    assert items(home) == ["tvdb_show:7#s1e1"]


def test_two_catalogues_of_entries_are_matched_as_they_are(world: Anime) -> None:
    home = world.account("home", capable(by_entry=True), staleness=AT_ONCE)
    away = world.account("away", capable(by_entry=True), staleness=AT_ONCE)
    world.pair("home", "away", HISTORY)
    home.put(HISTORY, (entry(21, 1), played(at(1))))
    world.run()
    assert items(away) == ["anilist_show:21#s1e1"]
