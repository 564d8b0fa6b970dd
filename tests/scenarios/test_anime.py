"""A service of anime entries beside one of shows: what has one meaning is matched and written, the rest is held."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cwsync.files import make_dir
from cwsync.mappings import mapping_path
from cwsync.mappings.indexfile import encode
from cwsync.model import Feature, GuardSpec, Item, Kind, Mode, Plays, Settings, external_id
from support.engine import HOUR, World, codes, did
from support.memory import Store, capable
from support.world import at, listed, movie, played, rated

HISTORY, RATINGS, WATCHLIST = Feature.HISTORY, Feature.RATINGS, Feature.WATCHLIST
AT_ONCE = timedelta(0)
# Entry 20 is the first season of a show, entry 21 its second, which begins at its episode 3; entry 30 is a film.
RULES: tuple[dict[str, Any], ...] = (
    {"entry": "anilist:20", "show": "tvdb:7", "season": 1, "episodes": "1-12"},
    {"entry": "anilist:21", "show": "tvdb:7", "season": 2, "episodes": "3-12"},
    {"entry": "anilist:30", "film": "tmdb:300"},
    {"entry": "anilist:40", "show": "tvdb:8", "season": 1},
)

ENTRIES = capable(by_entry=True, named_by=frozenset({"anilist", "mal"}))
WHEN = "2026-11-21T00:00:00Z"
ABOUT: dict[str, Any] = {
    "url": "", "version": "3.0.0", "generated_on": None, "fetched_at": WHEN, "checked_at": WHEN, "n_bytes": 0,
    "sources": 0, "links": 0, "skipped": {}, "tag": None,
}  # fmt: skip
SHOWS = capable(named_by=frozenset({"tvdb", "tmdb"}))


class Anime(World):
    """A world with a data set that knows nothing, whose pairs have rules of which anime is which."""

    rules: tuple[dict[str, Any], ...] = RULES

    def get(self) -> None:
        """Have the data set."""
        path = mapping_path(self.home.state_dir)
        for folder in (path.parents[2], path.parents[1], path.parent):
            make_dir(folder)
        path.write_bytes(encode(ABOUT, {}))
        path.chmod(0o600)

    def lose(self) -> None:
        """Have none any more."""
        mapping_path(self.home.state_dir).unlink()

    def settings(self) -> Settings:
        made = super().settings()
        return replace(made, pairs={name: replace(pair, anime=self.rules) for name, pair in made.pairs.items()})


@pytest.fixture
def world(tmp_path: Path) -> Anime:
    made = Anime(tmp_path)
    made.get()
    return made


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
    away = world.account("away", ENTRIES, staleness=AT_ONCE)
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


def test_what_nobody_can_tell_is_left_out_and_told(world: Anime) -> None:
    """Two entries for one episode: neither is written, and neither is removed."""
    world.rules = (*RULES, {"entry": "anilist:22", "show": "tvdb:7", "season": 2, "episodes": "3-12"})
    _home, away = sides(world, HISTORY)
    away.put(HISTORY, (entry(21, 1), played(at(1))), (entry(20, 1), played(at(1))))
    report = world.run()
    assert [one.change.item.tokens()[0] for one in report.changes] == ["tvdb_show:7#s1e1"]
    (one,) = report.skips
    assert one.reason.startswith("unnamed: ambiguous: S02E03 of tvdb 7 is episode 1 of anilist 21 or ")
    assert (report.holds, report.exit_code) == ((), 0)


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
    world.lose()
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


# --- what was learnt stays ------------------------------------------------------------------------


def agreed(world: Anime) -> tuple[Store, Store]:
    """Two episodes of the first season that both sides have, by a run; a removal would travel at once."""
    home, away = sides(world, HISTORY, remove=True)
    home.put(HISTORY, (episode(7, 1, 1), played(at(1))), (episode(7, 1, 2), played(at(2))))
    assert len(did(world.run())) == 2
    world.clock.tick(HOUR)
    return home, away


def still(world: Anime) -> None:
    """Nothing is written, removed or learnt, however often it runs."""
    for _ in range(3):
        world.clock.tick(HOUR)
        report = world.run(full=True)
        assert (did(report), report.holds, report.skips, report.exit_code) == ([], (), (), 0)
    assert len(world.rows(HISTORY)) == 2


@pytest.mark.parametrize(
    "rules",
    [
        (),
        RULES[1:],
        ({"entry": "anilist:20", "show": "tvdb:7", "season": 1, "episodes": "2-13"}, *RULES[1:]),
        ({"entry": "anilist:20", "show": "tvdb:9", "season": 1, "episodes": "1-12"}, *RULES[1:]),
    ],
    ids=["lost", "without the entry", "moved by one", "of another show"],
)
def test_episodes_that_were_matched_stay_so_whatever_became_of_the_mapping(
    world: Anime, rules: tuple[dict[str, Any], ...]
) -> None:
    agreed(world)
    world.rules = rules
    still(world)
    world.lose()
    still(world)


@pytest.mark.parametrize("rules", [(), RULES[1:]], ids=["no rules", "other rules"])
@pytest.mark.parametrize("lost", [True, False], ids=["lost", "without the entry"])
def test_the_next_episode_waits_for_a_mapping_that_was_there(
    world: Anime, rules: tuple[dict[str, Any], ...], lost: bool
) -> None:
    """Written by the numbers of its entry it would be there twice once the mapping is back."""
    home, away = agreed(world)
    world.rules = rules
    if lost:
        world.lose()
    away.put(HISTORY, (entry(20, 3), played(at(3))))
    report = world.run()
    assert (did(report), report.exit_code) == ([], 3 if lost else 0)
    assert codes((*report.holds, *report.skips)) == ["no-mapping" if lost else "unnamed"]
    world.rules = RULES
    world.clock.tick(HOUR)
    assert len(did(world.run())) == 1
    assert items(home) == [f"tvdb_show:7#s1e{n}" for n in (1, 2, 3)]


@pytest.mark.parametrize("rules", [(), RULES[1:]], ids=["no rules", "other rules"])
def test_without_a_mapping_what_may_be_one_title_is_not_made_two(
    world: Anime, rules: tuple[dict[str, Any], ...]
) -> None:
    world.rules = rules
    world.lose()
    home, away = sides(world, HISTORY)
    home.put(HISTORY, *((episode(7, 1, n), played(at(n))) for n in (1, 2)))
    away.put(HISTORY, *((entry(20, n), played(at(n))) for n in (1, 2)))
    report = world.run()
    assert (did(report), report.exit_code) == ([], 3)
    assert set(codes(report.holds)) == {"no-mapping"}
    world.rules = RULES
    world.clock.tick(HOUR)
    report = world.run()
    assert (did(report), report.exit_code, len(world.rows(HISTORY))) == ([], 0, 2)


# --- what has no counterpart ----------------------------------------------------------------------


def test_what_is_no_anime_is_never_tried_and_trips_no_guard(world: Anime) -> None:
    home, away = sides(world, HISTORY, mode=Mode.ONE_WAY, guards=GuardSpec())
    home.put(HISTORY, (episode(7, 1, 1), played(at(1))))
    assert len(did(world.run())) == 1
    home.put(HISTORY, *((movie(n), played(at(1))) for n in range(1, 80)), (episode(99, 1, 1), played(at(1))))
    world.clock.tick(HOUR)
    report = world.run()
    assert (did(report), report.guards, report.exit_code) == ([], (), 0)
    assert {one.reason for one in report.skips} == {"unnamed: the mapping has no title of away for it"}
    assert len(report.skips) == 80
    world.rules = (*RULES, {"entry": "anilist:50", "show": "tvdb:99", "season": 1})
    assert len(did(world.run())) == 1, "a mapping that knows it helps at once"
    assert items(away) == ["anilist_show:20#s1e1", "anilist_show:50#s1e1"]


def test_entries_that_share_a_show_are_kept_by_their_own_numbers_where_those_are_taken(world: Anime) -> None:
    home, away = sides(world, RATINGS, WATCHLIST)
    away.put(RATINGS, (entry(20), rated(8)), (entry(21), rated(7)))
    away.put(WATCHLIST, (entry(20), listed(at(1))), (entry(21), listed(at(1))))
    report = world.run()
    assert (len(did(report)), report.holds, report.exit_code) == (4, (), 0)
    assert items(home, RATINGS) == ["anilist_show:20", "anilist_show:21"]
    world.clock.tick(HOUR)
    report = world.run()
    assert (did(report), report.holds, report.skips, report.exit_code) == ([], (), (), 0)


def test_entries_that_share_a_show_are_left_out_where_only_the_show_has_a_name(world: Anime) -> None:
    world.account("home", SHOWS, staleness=AT_ONCE)
    away = world.account("away", ENTRIES, staleness=AT_ONCE)
    world.pair("home", "away", RATINGS)
    away.put(RATINGS, (entry(20), rated(8)), (entry(21), rated(7)), (entry(40), rated(6)), (entry(77), rated(5)))
    report = world.run()
    assert [one.change.item.tokens()[0] for one in report.changes] == ["tvdb_show:8"]
    assert sorted(one.reason for one in report.skips) == [
        "unnamed: ambiguous: tvdb 7 is in anilist 20, anilist 21",
        "unnamed: ambiguous: tvdb 7 is in anilist 20, anilist 21",
        "unnamed: the mapping does not know what it is on home",
    ]
    assert report.exit_code == 0


def test_what_only_the_target_has_is_nobodys_business(world: Anime) -> None:
    world.account("home", SHOWS, staleness=AT_ONCE)
    away = world.account("away", ENTRIES, staleness=AT_ONCE)
    world.pair("home", "away", RATINGS, mode=Mode.ONE_WAY)
    away.put(RATINGS, (entry(20), rated(8)), (entry(77), rated(5)))
    report = world.run()
    assert (did(report), report.holds, report.skips) == ([], (), ())
