"""What SIMKL does not tell is remembered: films that it filed when they were rated, titles that it took for others."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cwsync.errors import Exit
from support.httpserver import Do, Reply, answer, drop_after, drop_before, instead
from support.rows import row
from support.shell import killed
from support.simklhouse import House
from support.trackerhouse import at, episode, film, films, listed, played, rated, show


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    with made.service:
        yield made.logged_in()


def still(house: House) -> None:
    """Nothing is planned any more."""
    for _ in range(2):
        pair = house.run()
        assert not pair["changes"]
        assert not pair["holds"]


def no_plays(house: House) -> bool:
    return not (house.shell.folder / "home" / "history.json").exists() or not house.shell.held("home", "history")


@pytest.mark.parametrize("fault", [drop_after(), instead(502), answer(Reply(b"{", 201))])
def test_what_a_rating_filed_is_nobodys_play_when_its_answer_got_lost(house: House, fault: Do) -> None:
    house.shell.put("home", *rated(films(1, 2)))
    house.service.fault(fault, method="POST", path="^/sync/ratings$")
    house.later()
    house.shell("run --apply")
    house.run()
    still(house)
    assert house.ratings == {"Film 1": 8, "Film 2": 8}
    assert no_plays(house)


def test_what_a_rating_filed_is_nobodys_play_when_the_run_was_killed(house: House) -> None:
    house.shell.put("home", *rated(films(1, 2)))
    house.later()
    killed(house.shell, house.service, method="POST", path="^/sync/ratings$")
    assert len(house.service.user.library) == 2
    house.run()
    still(house)
    assert no_plays(house)


def test_what_was_watched_after_a_rating_that_never_arrived_is_a_play(house: House) -> None:
    house.shell.put("home", *rated(films(1)))
    house.service.fault(drop_before(), method="POST", path="^/sync/ratings$")
    house.run(code=Exit.PARTIAL)
    house.service.user.watch(house.title(film(1)), at(3))
    house.run()
    house.run()
    assert [one["title"] for one in house.shell.held("home", "history")] == ["Film 1"]
    assert house.ratings == {"Film 1": 8}


def test_what_a_rating_filed_is_nobodys_play_when_the_cache_is_gone(house: House) -> None:
    house.shell.put("home", *rated(films(1, 2)))
    house.run()
    shutil.rmtree(house.shell.state / "cache")
    house.run()
    shutil.rmtree(house.shell.state / "cache")
    still(house)
    assert no_plays(house)


def test_a_memory_that_is_damaged_is_told_and_nothing_is_written(house: House) -> None:
    house.shell.put("home", *rated(films(1)))
    house.run()
    (kept,) = (house.shell.state / "accounts").glob("simkl*")
    assert kept.stat().st_mode & 0o777 == 0o600
    before = kept.read_bytes()
    kept.write_bytes(before[:-3])
    house.later()
    done = house.shell("run --apply")
    assert done.code == Exit.STATE
    assert kept.name in done.out + done.err
    assert no_plays(house)
    kept.write_bytes(before)
    still(house)


@pytest.mark.parametrize("kind", ["movie", "ova", "special", None])
@pytest.mark.parametrize("cache", [True, False])
def test_a_film_that_simkl_takes_for_anime_stays_the_film_it_was(house: House, kind: str | None, cache: bool) -> None:
    house.shell.put("home", *rated(films(1, 2)))
    house.shell.put("home", *played([film(1), film(2)]), feature="history")
    house.shell.put("home", *listed(films(5, 6)), feature="watchlist")
    house.run()
    still(house)
    for n in (1, 5):
        title = house.title(film(n))
        house.service.user.reclassify(title, "anime", kind)
        title.ids["tmdb"] = "603"  # of a show by now: some other film has that number
    still(house)
    if not cache:
        shutil.rmtree(house.shell.state / "cache")
        still(house)
    held = {name: house.shell.held("home", name) for name in ("history", "ratings", "watchlist")}
    assert {name: len(rows) for name, rows in held.items()} == {"history": 2, "ratings": 2, "watchlist": 2}
    house.shell.put("home", *rated(films(1, 2), 3))
    house.run()
    assert house.ratings == {"Film 1": 3, "Film 2": 3}
    house.shell.put("home", *listed([film(6)]), feature="watchlist")
    house.run()
    assert house.listed == {"Film 6"}


@pytest.mark.parametrize("cache", [True, False])
def test_a_show_that_simkl_takes_for_a_film_stays_the_show_it_was(house: House, cache: bool) -> None:
    house.shell.put("home", *played([episode(1, 1), episode(1, 2), film(2)]), feature="history")
    house.shell.put("home", *rated(films(2)), row(show(1), rating=7, rated_at=at(1)))
    house.run()
    still(house)
    title = house.title(show(1))
    held = house.service.user.library[title.simkl]
    held.status = "completed"
    held.episodes = {}
    house.service.user.reclassify(title, "movies", None)
    still(house)
    if not cache:
        shutil.rmtree(house.shell.state / "cache")
        still(house)
    assert len(house.shell.held("home", "history")) == 3
    assert len(house.shell.held("home", "ratings")) == 2
    house.service.user.remove(title)
    house.run()
    assert [one["title"] for one in house.shell.held("home", "history")] == ["Film 2"], "now somebody took it out"
