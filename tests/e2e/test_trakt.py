"""A tracker and Trakt kept in step by the real command, over real HTTP, and every request counted."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cwsync.errors import Exit
from cwsync.model import Entry, Feature, Item, Kind, Play, Rated, external_id
from cwsync.state import Locks, RunInfo, TokenStore
from simulators.trakt import CLIENT_ID, CLIENT_SECRET, Trakt
from simulators.trakt_account import logged_in
from support.httpserver import Do, drop_after, drop_before, hold, html, status
from support.shell import Done, Shell, finish, until

PAIRS = """
[accounts.home]
provider = "tracker"
path = "home"

[accounts.trakt]
client_id = "{client_id}"
client_secret = {{ file = "trakt.secret" }}
api_url = "{url}"
auth_url = "{url}"
staleness = "0s"
write_spacing_ms = 0

[pairs.both]
source = "home"
target = "trakt"
mode = "{mode}"
[pairs.both.ratings]
remove = true
hold_removed = "0s"
[pairs.both.history]
remove = true
hold_removed = "0s"
plays = "{plays}"
[pairs.both.watchlist]
remove = true
hold_removed = "0s"
[pairs.both.guards]
free_removes = 50
free_adds = 500
free_updates = 500
"""


def film(n: int) -> Item:
    return Item(Kind.MOVIE, (external_id("imdb", Kind.MOVIE, f"tt{1000000 + n}"),), f"Film {n}", 2000)


def show(n: int) -> Item:
    return Item(Kind.SHOW, (external_id("tvdb", Kind.SHOW, 5000 + n),), f"Show {n}", 2001)


def episode(n: int, number: int) -> Item:
    of = show(n)
    return Item(
        Kind.EPISODE,
        title=f"Part {number}",
        show_ids=of.ids,
        season=1,
        number=number,
        show_title=of.title,
        show_year=of.year,
    )


def row(item: Item, **value: object) -> dict[str, object]:
    """A row of the tracker."""
    made: dict[str, object] = {"type": item.kind.value, "title": item.title, "year": item.year}
    made["ids"] = {one.service: one.value for one in item.ids}
    if item.kind is Kind.EPISODE:
        made |= {"season": item.season, "episode": item.number}
        made["show"] = {
            "title": item.show_title,
            "year": 2001,
            "ids": {one.service: one.value for one in item.show_ids},
        }
    return made | value


class House:
    """A person with a folder, and a login at a service."""

    def __init__(self, folder: Path, service: Trakt, *, mode: str = "two-way", plays: str = "newest") -> None:
        self.service = service
        pairs = PAIRS.format(client_id=CLIENT_ID, url=service.url, mode=mode, plays=plays)
        self.shell = Shell(folder, pairs)
        secret = folder / "trakt.secret"
        secret.write_text(CLIENT_SECRET)
        secret.chmod(0o600)
        for n in range(1, 31):
            service.titles.add(film(n))
        for n in (1, 2):
            for number in range(1, 11):
                service.titles.add(episode(n, number))

    def login(self) -> House:
        """Through the command, with somebody who enters the code at once."""
        stop = threading.Event()
        self.service.interval_s = 1

        def person() -> None:
            while not stop.wait(0.01):
                self.service.approve()

        helper = threading.Thread(target=person)
        helper.start()
        try:
            done = self.shell("auth login trakt")
        finally:
            stop.set()
            helper.join()
        assert done.code == 0, done.err
        self.service.forget()
        return self

    def logged_in(self) -> House:
        """What the command leaves behind."""
        given = logged_in(self.service).tokens
        assert given is not None
        name = f"trakt:{self.service.user.settings()['user']['ids']['uuid']}"
        with Locks(self.shell.state, ["account-trakt"], 0.0, RunInfo("test", datetime.now(UTC))) as locks:
            TokenStore(self.shell.state).save(replace(given, account="trakt", account_id=name), locks)
        return self

    def run(self, line: str = "run --apply", code: int = 0, **more: Any) -> Any:
        """A run, and what it says of the only pair."""
        done: Done = self.shell(f"{line} --json", **more)
        assert done.code == code, f"{done.code}: {done.out}{done.err}"
        assert done.clean()
        self.secret_free(done.out, done.err)
        return done.pair

    def secret_free(self, *texts: str) -> None:
        secrets = [CLIENT_SECRET, *self.service.access, *self.service.refresh]
        assert not [secret for secret in secrets for text in texts if secret in text]

    def calls(self) -> Counter[str]:
        """What was asked since the last look."""
        asked = Counter(self.service.calls())
        self.service.forget()
        return asked

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


def at(day: int, minute: int = 0) -> str:
    return f"2024-05-{day:02d}T10:{minute:02d}:00Z"


def rated(numbers: Sequence[int], rating: int = 8) -> list[dict[str, object]]:
    return [row(film(n), rating=rating, rated_at=at(1)) for n in numbers]


def played(items: Sequence[Item], day: int = 2) -> list[dict[str, object]]:
    return [row(item, watched_at=at(day, n)) for n, item in enumerate(items)]


def seed(service: Trakt, feature: Feature, *entries: Entry) -> None:
    service.put(feature, entries)


def when(day: int, minute: int = 0) -> datetime:
    return datetime(2024, 5, day, 10, minute, tzinfo=UTC)


def test_the_first_run_the_quiet_one_and_changes_on_both_sides(house: House) -> None:
    shell, service = house.shell, house.service
    shell.put("home", *rated(range(1, 11)))
    shell.put("home", *played([film(1), episode(1, 1), episode(1, 2)]), feature="history")
    shell.put("home", row(film(20), listed_at=at(1)), feature="watchlist")
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

    shell.put("home", *rated(range(1, 9)), *rated([9], 3), *rated([11, 12], 6))
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
    house.shell.put("home", *played([film(n) for n in range(1, 6)]), feature="history")
    reached, go = threading.Event(), threading.Event()

    def late(request: Any, handler: Any) -> Any:
        handler(request)
        return None

    house.service.fault(hold(go, late, entered=reached), method="POST", path="^/sync/history")
    with house.shell.start("run --apply") as process:
        until(reached.is_set, "the write")
        process.send_signal(signal.SIGKILL)
        finish(process)
    go.set()
    until(lambda: len(house.service.user.history) == 5, "the write to land")
    house.run()
    assert len(house.plays) == 5
    assert not house.run("run")["changes"]


def test_being_told_to_slow_down_costs_nothing_but_time(house: House) -> None:
    house.shell.put("home", *rated([1, 2]))
    house.shell.put("home", *played([film(1)]), feature="history")
    house.service.fault(status(429, retry_after="1"), method="POST", path="^/sync/history")
    house.run(code=Exit.LATER)
    assert (house.plays, house.ratings) == ([], {})
    house.calls()
    house.service.fault(status(429, retry_after="1"), method="GET", path="^/sync/ratings")
    house.service.fault(status(429, retry_after="1"), method="POST", path="^/sync/ratings")
    house.service.user.limits["watchlist"] = 3
    house.shell.put("home", *[row(film(n), listed_at=at(1)) for n in range(11, 16)], feature="watchlist")
    pair = house.run(code=Exit.PARTIAL)
    assert (len(house.plays), len(house.ratings), len(house.listed)) == (1, 2, 3)
    assert house.calls()["POST /sync/ratings"] == 2
    listed = [one["outcome"] for one in pair["changes"] if one["feature"] == "watchlist"]
    assert Counter(listed) == {"confirmed": 3, "rejected": 2}, "a full account takes what it has room for"


def test_a_login_is_made_renewed_and_asked_for_again(tmp_path: Path, service: Trakt) -> None:
    house = House(tmp_path, service).login()
    stored = house.shell.state / "tokens" / "trakt.json"
    before = json.loads(stored.read_bytes())["secrets"]
    house.shell.put("home", *rated([1]))
    service.expire()
    house.run()
    after = json.loads(stored.read_bytes())["secrets"]
    assert before["refresh"] != after["refresh"]
    assert house.calls()["POST /oauth/token"] == 1
    assert house.ratings == {"Film 1": 8}
    service.expire()
    service.refresh.clear()
    done = house.shell("run --apply -vv")
    assert done.code == Exit.LOGIN
    assert "cwsync auth login trakt" in done.out + done.err
    assert not [secret for secret in after.values() if secret in done.out + done.err]


@pytest.mark.parametrize(
    ("fault", "code", "words"), [(status(423), Exit.LOGIN, "locked"), (html(200), Exit.LATER, "page for people")]
)
def test_a_refusal_ends_the_run_in_its_own_words(house: House, fault: Do, code: int, words: str) -> None:
    house.shell.put("home", *rated([1]))
    house.service.fault(fault, path="^/sync", times=None)
    done = house.shell("run --apply -vv")
    assert done.code == code, done.out + done.err
    assert words in done.out + done.err
    house.secret_free(done.out, done.err)
    assert not house.ratings


def test_what_trakt_leaves_out_is_not_gone(house: House) -> None:
    house.shell.put("home", *rated(range(1, 8)))
    house.run()
    house.service.hidden = set(sorted(house.service.user.ratings)[:3])
    pair = house.run("run --apply --full")
    assert not pair["changes"]
    assert "not read completely" in pair["warnings"][0]
    assert len(house.shell.scores("home")) == 7


def test_beside_what_trakt_hides_everything_else_goes_on(house: House) -> None:
    """It counts titles that it shows to nobody: what it hides is neither gone nor sent again, what is new is added."""
    items = [film(n) for n in range(1, 8)]
    house.shell.put("home", *rated(range(1, 8)))
    house.shell.put("home", *played(items), feature="history")
    house.run()
    titles = house.service.titles
    house.service.hidden = {titles.add(film(3)).key}
    for line in ("run --apply", "run --apply --full"):
        pair = house.run(line)
        assert not pair["changes"]
        assert not pair["holds"]
    house.shell.put("home", *rated(range(1, 10)))
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
        *[film(n) for n in range(1, 8)],
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
