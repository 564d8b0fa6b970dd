"""A tracker and Trakt kept in step by the real command, over real HTTP, and every request counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cwsync.errors import Exit
from cwsync.model import Entry, Feature, Kind, Play, Rated
from simulators.trakt import CLIENT_SECRET, Trakt
from simulators.trakt_account import logged_in, table
from support.httpserver import Do, drop_after, drop_before, html, status
from support.logins import Keeper
from support.rows import row
from support.shell import killed
from support.trackerhouse import KNOWN, TrackerHouse, at, episode, film, films, listed, played, rated


class House(TrackerHouse[Trakt]):
    """A person with a folder, and a login at Trakt."""

    name = "trakt"

    def __init__(self, folder: Path, service: Trakt, *, plays: str = "newest") -> None:
        super().__init__(folder, service, table(service), plays=plays)
        self.shell.secret("trakt.secret", CLIENT_SECRET)
        service.interval_s = 1
        for item in KNOWN:
            service.titles.add(item)

    def keeper(self) -> Keeper:
        return logged_in(self.service, self.name)

    def secrets(self) -> Iterable[str]:
        return CLIENT_SECRET, *self.service.access, *self.service.refresh

    @property
    def ratings(self) -> dict[str, int]:
        return {str(held.title.name): int(held.value) for held in self.service.user.ratings.values()}

    @property
    def plays(self) -> list[tuple[str | None, str]]:
        return sorted((one.title.name, one.watched_at[:16]) for one in self.service.user.history.values())

    @property
    def listed(self) -> set[str | None]:
        return {held.title.name for held in self.service.user.watchlist.values()}


@pytest.fixture
def service() -> Iterator[Trakt]:
    with Trakt() as made:
        yield made


@pytest.fixture
def house(tmp_path: Path, service: Trakt) -> House:
    return House(tmp_path, service).logged_in()


def seed(service: Trakt, feature: Feature, *entries: Entry) -> None:
    service.put(feature, entries)


def when(day: int, minute: int = 0) -> datetime:
    return datetime(2024, 5, day, 10, minute, tzinfo=UTC)


def test_the_first_run_the_quiet_one_and_changes_on_both_sides(house: House) -> None:
    shell, service = house.shell, house.service
    shell.put("home", *rated(films(*range(1, 11))))
    shell.put("home", *played([film(1), episode(1, 1), episode(1, 2)]), feature="history")
    shell.put("home", *listed([film(20)]), feature="watchlist")
    seed(service, Feature.RATINGS, *[Entry(film(n), Rated(60, when(1))) for n in (11, 12)])
    seed(service, Feature.HISTORY, Entry(film(2), Play(when(3))))

    dry = house.run("run")
    assert house.calls().total() <= 6  # the account, the stamps, a page of each feature
    assert not [one for one in service.log if one.method != "GET"]
    wet = house.run()
    assert wet["digest"] == dry["digest"]
    assert len(house.ratings) == 12
    assert house.plays == [
        ("Film 1", "2024-05-02T10:00"),
        ("Film 2", "2024-05-03T10:00"),
        ("Part 1", "2024-05-02T10:01"),
        ("Part 2", "2024-05-02T10:02"),
    ]
    assert house.listed == {"Film 20"}
    assert len(shell.scores("home")) == 12
    assert len(shell.held("home", "history")) == 4
    posts = {path: count for path, count in house.calls().items() if path.startswith("POST")}
    assert posts == {"POST /sync/history": 1, "POST /sync/ratings": 1, "POST /sync/watchlist": 1}

    for _ in range(3):  # one to see the writes settled, one to keep what is seen, and then it is still
        still = house.run()
        assert not still["changes"]
        quiet = house.calls()
    assert quiet == {"GET /users/settings": 1, "GET /sync/last_activities": 1}

    shell.put("home", *rated(films(*range(1, 9))), *rated(films(9), 3), *rated(films(11, 12), 6))
    service.user.rate(service.titles.find(Kind.MOVIE, {"ids": {"imdb": "tt1000001"}}), 10, at(9))  # type: ignore[arg-type]
    service.user.unrate(service.titles.find(Kind.MOVIE, {"ids": {"imdb": "tt1000002"}}))  # type: ignore[arg-type]
    house.run()
    assert house.ratings["Film 9"] == 3
    assert "Film 10" not in house.ratings
    assert shell.scores("home")["tt1000001"] == 10
    assert "tt1000002" not in shell.scores("home")


def test_no_play_is_ever_there_twice(tmp_path: Path, service: Trakt) -> None:
    house = House(tmp_path, service, plays="all").logged_in()
    rows = [row(film(1), watched_at=f"2024-05-0{day}T10:00:{second:02d}Z") for day, second in ((1, 7), (1, 52), (3, 0))]
    house.shell.put("home", *rows, row(film(2), watched_at=None), feature="history")
    seed(service, Feature.HISTORY, Entry(film(3), Play(when(5))), Entry(film(3), Play(when(6))))
    for _ in range(2):
        house.run("run --apply --full")
    mine = [play for play in house.plays if play[0] in ("Film 1", "Film 2")]
    assert mine == [
        ("Film 1", "2024-05-01T10:00"),
        ("Film 1", "2024-05-03T10:00"),
        ("Film 2", "1970-01-01T00:00"),
    ]


@pytest.mark.parametrize("arrives", [True, False])
def test_what_got_lost_is_there_once_in_the_end(house: House, arrives: bool) -> None:
    house.shell.put("home", *played([film(1), film(2), episode(1, 1)]), feature="history")
    house.service.fault(drop_after() if arrives else drop_before(), method="POST", path="^/sync/history")
    pair = house.run(code=Exit.OK if arrives else Exit.PARTIAL)
    assert {one["outcome"] for one in pair["changes"]} == {"confirmed" if arrives else "unknown"}
    if not arrives:
        house.run()
        house.run()
    assert len(house.plays) == len(set(house.plays)) == 3


def test_a_run_that_is_killed_while_it_writes_ends_where_it_would_have(house: House) -> None:
    house.shell.put("home", *played(films(*range(1, 6))), feature="history")
    killed(house.shell, house.service, method="POST", path="^/sync/history")
    assert len(house.service.user.history) == 5
    house.run()
    assert len(house.plays) == 5
    assert not house.run("run")["changes"]


def test_being_told_to_slow_down_costs_nothing_but_time(house: House) -> None:
    house.shell.put("home", *rated(films(1, 2)))
    house.shell.put("home", *played([film(1)]), feature="history")
    house.service.fault(status(429, retry_after="1"), method="POST", path="^/sync/history")
    house.run(code=Exit.LATER)
    assert (house.plays, house.ratings) == ([], {})
    house.calls()
    house.service.fault(status(429, retry_after="1"), method="GET", path="^/sync/ratings")
    house.service.fault(status(429, retry_after="1"), method="POST", path="^/sync/ratings")
    house.service.user.limits["watchlist"] = 3
    house.shell.put("home", *listed(films(*range(11, 16))), feature="watchlist")
    pair = house.run(code=Exit.PARTIAL)
    assert (len(house.plays), len(house.ratings), len(house.listed)) == (1, 2, 3)
    assert house.calls()["POST /sync/ratings"] == 2
    became = [one["outcome"] for one in pair["changes"] if one["feature"] == "watchlist"]
    assert Counter(became) == {"confirmed": 3, "rejected": 2}, "a full account takes what it has room for"


def test_a_login_is_made_renewed_and_asked_for_again(tmp_path: Path, service: Trakt) -> None:
    house = House(tmp_path, service).login()
    stored = house.shell.state / "tokens" / "trakt.json"
    before = json.loads(stored.read_bytes())["secrets"]
    house.shell.put("home", *rated(films(1)))
    service.expire()
    house.run()
    after = json.loads(stored.read_bytes())["secrets"]
    assert before["refresh"] != after["refresh"]
    assert house.calls()["POST /oauth/token"] == 1
    assert house.ratings == {"Film 1": 8}
    service.expire()
    service.refresh.clear()
    done = house.ends(Exit.LOGIN, "cwsync auth login trakt")
    assert not [secret for secret in after.values() if secret in done.out + done.err]


@pytest.mark.parametrize(
    ("fault", "code", "words"), [(status(423), Exit.LOGIN, "locked"), (html(200), Exit.LATER, "page for people")]
)
def test_a_refusal_ends_the_run_in_its_own_words(house: House, fault: Do, code: int, words: str) -> None:
    house.shell.put("home", *rated(films(1)))
    house.service.fault(fault, path="^/sync", times=None)
    house.ends(code, words)
    assert not house.ratings


def test_what_trakt_leaves_out_is_not_gone(house: House) -> None:
    house.shell.put("home", *rated(films(*range(1, 8))))
    house.run()
    house.service.hidden = set(sorted(house.service.user.ratings)[:3])
    pair = house.run("run --apply --full")
    assert not pair["changes"]
    assert "not read completely" in pair["warnings"][0]
    assert len(house.shell.scores("home")) == 7


def test_beside_what_trakt_hides_everything_else_goes_on(house: House) -> None:
    """It counts titles that it shows to nobody: what it hides is neither gone nor sent again, what is new is added."""
    items = films(*range(1, 8))
    house.shell.put("home", *rated(films(*range(1, 8))))
    house.shell.put("home", *played(items), feature="history")
    house.run()
    titles = house.service.titles
    house.service.hidden = {titles.add(film(3)).key}
    for line in ("run --apply", "run --apply --full"):
        pair = house.run(line)
        assert not pair["changes"]
        assert not pair["holds"]
    house.shell.put("home", *rated(films(*range(1, 10))))
    house.shell.put("home", *played([*items, film(8), film(9)]), feature="history")
    house.service.user.play(titles.add(film(12)), "2024-05-20T10:00:00.000Z")
    pair = house.run()
    assert {change["outcome"] for change in pair["changes"]} == {"confirmed"}
    assert len(house.shell.held("home", "history")) == len(house.plays) == len(set(house.plays)) == 10
    assert set(house.ratings) == {f"Film {n}" for n in range(1, 10)}
    assert not house.run("run --apply --full")["changes"]
    house.shell("reset-state both --yes")
    house.shell("run --apply")
    house.shell("run --apply --full")
    assert len(house.plays) == 10, "and not once more by somebody who forgot everything"


def test_a_history_that_grows_long_is_the_same_history(tmp_path: Path, service: Trakt) -> None:
    """Beyond three pages it is read by titles, once its plays are known."""
    house = House(tmp_path, service, plays="all").logged_in()
    service.largest = 5
    items = [
        *films(*range(1, 8)),
        *[episode(1, n) for n in range(1, 5)],
        *[episode(2, n) for n in range(1, 5)],
    ]
    house.shell.put("home", *played(items), feature="history")
    house.run()
    assert len(house.plays) == 15
    house.shell.put("home", *played([*items, film(20)]), feature="history")
    house.run()
    assert len(house.plays) == 16
    house.run("run --apply --full")
    service.forget()
    still = house.run("run --apply --full")
    assert any(call.startswith("GET /sync/watched") for call in service.calls())
    assert not still["changes"]
    assert not still["holds"]
    assert len(house.plays) == len(house.shell.held("home", "history")) == 16
    house.shell.put("home", *played([*items, film(20)])[2:], feature="history")
    house.run()
    assert len(house.plays) == 14
