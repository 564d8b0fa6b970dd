"""`ids = ACCOUNT`: what cannot be matched by the ids it has is asked about, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import AccountSpec, Feature, Kind, Mode, PairReport, Rated, Settings
from support.engine import HOUR, World, codes, did
from support.knower import Knowledge, knower
from support.memory import Store, capable, plugged
from support.world import at, episode, listed, movie, only, rated

RATINGS = Feature.RATINGS


class Asking(World):
    """A world in which a pair may ask an account called ``knower``."""

    knowledge: Knowledge

    def settings(self) -> Settings:
        made = super().settings()
        spec = AccountSpec("knower", "knower")
        return replace(made, pairs={name: replace(pair, ids=spec) for name, pair in made.pairs.items()})

    def run(self, name: str | None = None, *, apply: bool = True, **more: Any) -> PairReport:
        with plugged(knower=knower(self.knowledge)):
            return super().run(name, apply=apply, **more)


@pytest.fixture
def world(tmp_path: Path) -> Asking:
    made = Asking(tmp_path)
    made.knowledge = Knowledge([movie(n).ids for n in range(1, 10)] + [episode(1, 1, 1).show_ids])
    return made


def two(world: Asking, *, here: str = "imdb", there: str = "tmdb", count: int = 3) -> tuple[Store, Store]:
    """The same films on both sides, with an id of another service on each."""
    home, away = world.account("home", staleness=timedelta(0)), world.account("away", staleness=timedelta(0))
    for n in range(1, count + 1):
        home.put(RATINGS, (only(movie(n), here), rated(7, at(0))))
        away.put(RATINGS, (only(movie(n), there), rated(7, at(0))))
    world.pair("home", "away", RATINGS)
    return home, away


def scores(store: Store) -> list[int]:
    return [row.value.score for row in store.rows[RATINGS] if isinstance(row.value, Rated)]


def test_films_with_ids_of_different_services_are_matched_once_and_stay_so(world: Asking) -> None:
    home, away = two(world)
    report = world.run()
    assert (did(report), report.exit_code) == ([], 0)
    assert len(world.rows(RATINGS)) == 3
    assert [len(asked) for asked in world.knowledge.asked] == [3], "what one side learns is enough to meet the other"
    world.clock.tick(HOUR)
    assert did(world.run(full=True)) == []
    assert len(world.knowledge.asked) == 1, "the baseline knows both names"
    home.change(RATINGS, only(movie(1), "imdb"), rated(9, world.clock()))
    world.clock.tick(HOUR)
    assert len(did(world.run())) == 1
    assert sorted(scores(away)) == [70, 70, 90]


def test_without_it_they_are_two_films(world: Asking) -> None:
    two(world)
    world.knowledge.titles.clear()
    assert len(did(world.run())) == 6


def numbered(world: Asking, *services: str) -> Store:
    """An empty account that knows titles by the ids of these services alone."""
    return world.account("away", capable(named_by=frozenset(services)), staleness=timedelta(0))


def test_what_the_other_side_has_no_name_for_is_asked_about_once(world: Asking) -> None:
    """A list of IMDb's into an empty account of TMDb's, and a film that is new in step."""
    home = world.account("home", staleness=timedelta(0))
    away = numbered(world, "tmdb")
    home.put(RATINGS, *((only(movie(n), "imdb"), rated(7, at(0))) for n in (1, 2)), (movie(3), rated(7, at(0))))
    world.pair("home", "away", RATINGS)
    assert len(did(world.run())) == 3
    assert [len(asked) for asked in world.knowledge.asked] == [2]
    assert {one.service for row in away.rows[RATINGS] for one in row.item.ids} >= {"tmdb"}
    away.rows[RATINGS] = [replace(row, item=only(movie(n), "tmdb")) for n, row in enumerate(away.rows[RATINGS], 1)]
    home.put(RATINGS, (only(movie(4), "imdb"), rated(7, at(0))))
    world.clock.tick(HOUR)
    report = world.run()
    assert ([one.change.item.label() for one in report.changes], report.exit_code) == ([movie(4).label()], 0)
    assert [len(asked) for asked in world.knowledge.asked] == [2, 1]


def test_what_was_taken_away_over_there_is_not_asked_about_again(world: Asking) -> None:
    home = world.account("home", staleness=timedelta(0))
    away = numbered(world, "tmdb")
    home.put(RATINGS, (only(movie(1), "imdb"), rated(7, at(0))))
    world.pair("home", "away", RATINGS, mode=Mode.ONE_WAY)
    world.run()
    away.rows[RATINGS] = [replace(row, item=only(movie(1), "tmdb")) for row in away.rows[RATINGS]]
    world.clock.tick(HOUR)
    world.run()
    away.rows[RATINGS].clear()
    world.clock.tick(HOUR)
    assert len(did(world.run())) == 1
    assert [len(asked) for asked in world.knowledge.asked] == [1]


def test_a_name_that_could_not_be_asked_for_waits(world: Asking) -> None:
    home = world.account("home", staleness=timedelta(0))
    numbered(world, "tmdb")
    home.put(RATINGS, (only(movie(1), "imdb"), rated(7, at(0))))
    world.pair("home", "away", RATINGS)
    world.knowledge.down = True
    report = world.run()
    assert (did(report), codes(report.holds)) == ([], ["ids-pending"])
    world.knowledge.down = False
    world.clock.tick(HOUR)
    assert len(did(world.run())) == 1


def test_nobody_is_asked_about_what_only_the_target_has_or_cannot_hold(world: Asking) -> None:
    home = world.account("home", staleness=timedelta(0))
    away = world.account("away", capable(named_by=frozenset({"tmdb"}), every={"kinds": frozenset({Kind.MOVIE})}))
    home.put(RATINGS, (replace(episode(1, 1, 1), show_ids=episode(1, 1, 1).show_ids[:1]), rated(7, at(0))))
    away.put(RATINGS, (only(movie(1), "tmdb"), rated(7, at(0))))
    world.pair("home", "away", RATINGS, mode=Mode.ONE_WAY)
    world.run()
    assert world.knowledge.asked == []


def test_what_has_no_counterpart_of_its_kind_is_not_asked_about(world: Asking) -> None:
    """A first run into an empty account that takes any id, and one where everything has its match."""
    home, _ = two(world, there="imdb")
    assert did(world.run()) == []
    home.put(RATINGS, (movie(9), rated(5, at(0))))
    world.clock.tick(HOUR)
    assert len(did(world.run())) == 1
    assert world.knowledge.asked == []


def test_only_the_film_of_each_side_that_nobody_knows_is_asked_about(world: Asking) -> None:
    home, away = two(world, there="imdb")
    home.put(RATINGS, (only(movie(8), "imdb"), rated(5, at(0))))
    away.put(RATINGS, (only(movie(8), "tmdb"), rated(5, at(0))))
    assert did(world.run()) == []
    assert [sorted(asked) for asked in world.knowledge.asked] == [[movie(8).label()]]


def test_episodes_are_matched_by_the_ids_of_their_show(world: Asking) -> None:
    home, away = world.account("home"), world.account("away")
    there = replace(episode(1, 1, 1), ids=())
    home.put(RATINGS, (replace(there, show_ids=there.show_ids[:1]), rated(7, at(0))))
    away.put(RATINGS, (replace(there, show_ids=there.show_ids[1:2]), rated(7, at(0))))
    world.pair("home", "away", RATINGS)
    assert did(world.run()) == []


def test_a_dry_run_asks_and_keeps_nothing(world: Asking) -> None:
    two(world)
    dry = world.run(apply=False)
    assert (did(dry), world.knowledge.cached_in) == ([], [None])
    wet = world.run()
    assert wet.digest == dry.digest
    assert world.knowledge.cached_in[1] == world.folder / "cache"
    assert world.knowledge.closed == 2


def test_what_could_not_be_asked_about_waits_and_all_else_goes_on(world: Asking) -> None:
    """It may be there under another id, and would come back double."""
    home, _ = two(world)
    home.put(Feature.WATCHLIST, (movie(5), listed(at(0))))
    world.pair("home", "away", RATINGS, Feature.WATCHLIST)
    world.knowledge.down = True
    report = world.run()
    assert [one.change.feature for one in report.changes] == [Feature.WATCHLIST]
    assert set(codes(report.holds)) == {"ids-pending"}
    assert report.warnings == ("ids: knower: it is down",)
    assert (report.exit_code, world.knowledge.closed) == (0, 1)
    world.knowledge.down = False
    world.clock.tick(HOUR)
    report = world.run()
    assert (did(report), len(world.rows(RATINGS))) == ([], 3)


def test_nobody_to_ask_undoes_no_match(world: Asking) -> None:
    home, away = two(world)
    world.run()
    world.knowledge.down = True
    home.change(RATINGS, only(movie(1), "imdb"), rated(9, world.clock()))
    home.put(RATINGS, (only(movie(8), "imdb"), rated(5, at(0))))
    away.put(RATINGS, (only(movie(9), "tmdb"), rated(5, at(0))))
    world.clock.tick(HOUR)
    report = world.run()
    assert [one.change.item.label() for one in report.changes] == [movie(1).label()]
    assert codes(report.holds) == ["ids-pending"] * 2


def test_what_was_written_by_one_id_and_is_shown_by_another_is_known_again(world: Asking) -> None:
    """TMDb takes a film by the number of IMDb, and shows it by its own."""
    home, away = two(world, count=2)
    away.rows[RATINGS].clear()
    assert len(did(world.run())) == 2
    away.rows[RATINGS] = [replace(row, item=only(movie(n), "tmdb")) for n, row in enumerate(away.rows[RATINGS], 1)]
    for _ in range(3):
        world.clock.tick(HOUR)
        report = world.run()
        assert (did(report), report.holds, report.exit_code) == ([], (), 0)
    home.take(RATINGS, only(movie(1), "imdb"))
    world.pair("home", "away", RATINGS, hold_removed=timedelta(0))
    world.clock.tick(HOUR)
    world.run()
    assert [row.item.ids for row in away.rows[RATINGS]] == [only(movie(2), "tmdb").ids]


def test_what_could_not_be_told_is_told(world: Asking) -> None:
    two(world)
    world.knowledge.notes = ("two titles have the id imdb_movie:tt0100001",)
    assert world.run().warnings == ("ids: knower: two titles have the id imdb_movie:tt0100001",)


def test_an_id_that_makes_two_films_one_is_ambiguous_and_nothing_is_written(world: Asking) -> None:
    """Somebody's database has a wrong id: the ids contradict each other then."""
    two(world, count=2)
    wrong = (*movie(1).ids[:1], *movie(2).ids[1:])
    world.knowledge.titles = [movie(1).ids, movie(2).ids, wrong]
    report = world.run()
    assert (did(report), set(codes(report.holds))) == ([], {"ambiguous"})
