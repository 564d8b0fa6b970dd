"""A tracker and TMDb kept in step by the real command, over real HTTP, and every request counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cwsync.errors import Exit
from cwsync.model import Entry, Feature, Item, Kind, Rated, external_id
from simulators.tmdb import API_KEY, TOKEN, Tmdb
from simulators.tmdb_account import logged_in
from support.httpserver import Do, drop_after, html, status
from support.logins import Keeper
from support.shell import killed
from support.trackerhouse import TrackerHouse, listed, rated
from support.world import only

ACCOUNT = """
[accounts.tmdb]
token = {{ file = "tmdb.token" }}
api_url = "{url}"
staleness = "0s"
"""


def film(n: int) -> Item:
    ids = (external_id("imdb", Kind.MOVIE, f"tt{1000000 + n}"), external_id("tmdb", Kind.MOVIE, 500 + n))
    return Item(Kind.MOVIE, ids, f"Film {n}", 2000)


def films(*numbers: int) -> list[Item]:
    return [film(n) for n in numbers]


def show(n: int) -> Item:
    return Item(Kind.SHOW, (external_id("tmdb", Kind.SHOW, 500 + n),), f"Show {n}", 2001)


def episode(n: int, number: int) -> Item:
    of = show(n)
    ids = () if number % 2 else (external_id("tvdb", Kind.EPISODE, 70000 + 100 * n + number),)
    made = Item(Kind.EPISODE, ids, f"Part {n}.{number}", show_ids=of.ids, season=1, number=number)
    return replace(made, show_title=of.title, show_year=of.year)


class House(TrackerHouse[Tmdb]):
    """A person with a folder, and a login at TMDb."""

    name = "tmdb"
    page = "https://www.themoviedb.org/authenticate/"
    features = ("ratings", "watchlist")

    def __init__(self, folder: Path, service: Tmdb) -> None:
        super().__init__(folder, service, ACCOUNT.format(url=service.url))
        self.shell.secret("tmdb.token", TOKEN)
        for item in films(*range(1, 31)):
            service.titles.add(item)
        for n in (1, 2):
            for item in (show(n), *(episode(n, number) for number in range(1, 6))):
                service.titles.add(item)

    def keeper(self) -> Keeper:
        return logged_in(self.service, self.name)

    def secrets(self) -> Iterable[str]:
        return TOKEN, API_KEY, *self.service.sessions


@pytest.fixture
def service() -> Iterator[Tmdb]:
    with Tmdb() as made:
        yield made


@pytest.fixture
def house(tmp_path: Path, service: Tmdb) -> House:
    return House(tmp_path, service).logged_in()


def titles(house: House, feature: str = "ratings") -> set[str]:
    return {str(one["title"]) for one in house.shell.held("home", feature)}


QUIET = {
    "GET /3/account": 1,
    "GET /3/account/548/rated/movies": 1,
    "GET /3/account/548/rated/tv": 1,
    "GET /3/account/548/rated/tv/episodes": 1,
    "GET /3/account/548/watchlist/movies": 1,
    "GET /3/account/548/watchlist/tv": 1,
}


def test_the_first_run_the_quiet_one_and_changes_on_both_sides(house: House) -> None:
    shell, service = house.shell, house.service
    shell.put("home", *rated(films(*range(1, 7)), 7.5), *rated([show(1), episode(1, 1), episode(1, 2)]))
    shell.put("home", *listed([film(20), show(2)]), feature="watchlist")
    service.put(Feature.RATINGS, [Entry(film(n), Rated(65)) for n in (11, 12)])

    dry = house.run("run")
    assert house.calls() == QUIET
    wet = house.run()
    assert wet["digest"] == dry["digest"]
    assert len(service.scores()) == 11
    assert service.scores()["Film 1"] == 7.5
    assert service.listed() == {"Film 20", "Show 2"}
    assert titles(house) >= {"Film 11", "Film 12"}
    posts = {path: count for path, count in house.calls().items() if path.startswith("POST")}
    assert posts.pop("POST /3/account/548/watchlist") == 2
    assert (len(posts), set(posts.values())) == (9, {1})

    still = house.run()
    assert not still["changes"]
    assert house.calls() == QUIET

    # Rating takes a title off TMDb's watchlist: a side effect of our own, and nobody's wish.
    rows = rated(films(*range(2, 6)), 7.5) + rated([film(1)], 3) + rated([show(1), episode(1, 1), film(20)])
    shell.put("home", *rows, *rated([only(film(n), "tmdb") for n in (11, 12)], 6.5))
    service.account.ratings[Kind.MOVIE, 502] = (service.titles.all[Kind.MOVIE, 502], 9.5)
    del service.account.ratings[Kind.MOVIE, 511]
    for _ in range(2):
        house.run()
    assert service.scores()["Film 1"] == 3.0
    assert "Film 6" not in service.scores()
    assert "Part 1.2" not in service.scores()
    assert next(one["rating"] for one in shell.held("home") if one["title"] == "Film 2") == 9.5
    assert "Film 11" not in titles(house)
    assert service.scores()["Film 20"] == 8.0
    assert titles(house, "watchlist") == {"Film 20", "Show 2"}


def test_titles_that_only_others_number_are_left_alone(house: House) -> None:
    """TMDb's rows tell no ids but its own: what was written by another one would come back as a second title."""
    house.shell.put("home", *rated([film(1), only(film(2), "imdb")]))
    for _ in range(2):
        done = house.shell("run --apply --json")
        assert done.code in (Exit.OK, Exit.PARTIAL)
    assert house.service.scores() == {"Film 1": 8.0}
    assert len(house.shell.held("home")) == 2
    assert not [call for call in house.calls() if "/find/" in call]


def test_what_got_lost_is_there_once_and_no_secret_is_kept(house: House) -> None:
    house.shell.put("home", *rated(films(1, 2, 3)))
    house.service.fault(drop_after(), method="POST", path="/rating")
    house.service.fault(html(200), method="POST", path="/rating")
    pair = house.run(code=Exit.PARTIAL)
    assert Counter(one["outcome"] for one in pair["changes"]) == {"confirmed": 2, "unknown": 1}
    house.shell("run --apply -vv")
    assert not house.run()["changes"]
    assert house.service.scores() == {f"Film {n}": 8.0 for n in (1, 2, 3)}
    assert len(house.shell.held("home")) == 3
    kept = [path for path in house.shell.folder.rglob("*") if path.is_file()]
    assert len(kept) > 3
    house.secret_free(*(path.read_text("utf-8") for path in kept if path.name not in ("tmdb.token", "tmdb.json")))


def test_a_run_can_be_taken_back(house: House) -> None:
    house.shell.put("home", *rated([film(1), film(2)], 9), *rated([episode(1, 1)]))
    house.service.put(Feature.RATINGS, [Entry(film(2), Rated(65))])
    house.run()
    assert house.service.scores() == {"Film 1": 9.0, "Film 2": 9.0, "Part 1.1": 8.0}
    house.shell("undo both --apply")
    assert house.service.scores() == {"Film 2": 6.5}


def test_a_run_that_is_killed_while_it_writes_ends_where_it_would_have(house: House) -> None:
    house.shell.put("home", *rated(films(*range(1, 6))))
    killed(house.shell, house.service, method="POST", path="/rating", nth=3)
    assert len(house.service.account.ratings) == 3
    for _ in range(2):
        house.shell("run --apply")
    assert len(house.service.scores()) == 5
    assert not house.run("run")["changes"]


def test_a_login_is_made_ended_and_asked_for_again(tmp_path: Path, service: Tmdb) -> None:
    house = House(tmp_path, service).login()
    stored = json.loads((house.shell.state / "tokens" / "tmdb.json").read_bytes())
    session = stored["secrets"]["access"]
    assert {session} == service.sessions
    assert stored["account_id"] == "tmdb:548"
    house.shell.put("home", *rated([film(1)]))
    house.run()
    assert house.service.scores() == {"Film 1": 8.0}
    service.sessions.clear()
    done = house.ends(Exit.LOGIN, "cwsync auth login tmdb")
    assert session not in done.out + done.err
    service.sessions.add(session)
    done = house.shell("auth logout tmdb")
    assert (done.code, service.sessions) == (0, set())
    assert session not in done.out + done.err


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (status(401, {"status_code": 7, "status_message": "Invalid API key"}), Exit.LOGIN, "the application"),
        (html(200), Exit.LATER, "page for people"),
    ],
)
def test_a_refusal_ends_the_run_in_its_own_words(house: House, fault: Do, code: int, words: str) -> None:
    house.shell.put("home", *rated([film(1)]))
    house.service.fault(fault, path="/rated/movies", times=None)
    done = house.ends(code, words)
    assert "session_id" not in done.out + done.err
    assert not house.service.scores()


def test_what_tmdb_leaves_out_is_not_gone(house: House) -> None:
    house.shell.put("home", *rated(films(*range(1, 8))))
    house.run()
    house.service.hidden = set(sorted(house.service.account.ratings)[:3])
    pair = house.run("run --apply --full")
    assert not pair["changes"]
    assert "not read completely" in pair["warnings"][0]
    assert len(house.shell.held("home")) == 7


def test_reads_that_lag_undo_nothing(tmp_path: Path, service: Tmdb) -> None:
    """Within the time that reads may lag, what is not to be seen yet is neither sent again nor taken for removed."""
    house = House(tmp_path, service).logged_in()
    file = house.shell.file
    file.write_text(file.read_text().replace('staleness = "0s"', 'staleness = "10m"'))
    house.shell.put("home", *rated([film(1), film(2), film(3)]))
    service.put(Feature.RATINGS, [Entry(film(3), Rated(80))])
    service.hold_back(100)
    house.run()
    house.calls()
    pair = house.run()
    assert not pair["changes"]
    assert not [call for call in house.calls() if call.startswith("POST")]
    assert len(house.shell.held("home")) == 3
    assert service.scores() == {"Film 3": 8.0, "Film 1": 8.0, "Film 2": 8.0}
