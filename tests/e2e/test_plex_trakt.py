"""Plex and Trakt kept in step by the real command, over real HTTP: the commonest job of all."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import Entry, Feature, Item, Play, Rated
from cwsync.model import Listed as OnList
from cwsync.state import Locks, RunInfo, TokenStore
from simulators.both import Both
from simulators.library import Library
from simulators.trakt import CLIENT_SECRET
from simulators.trakt_account import logged_in
from simulators.trakt_titles import Title
from support import world
from support.desk import DeskShell, Warm
from support.httpserver import Server, drop_after, hold
from support.shell import Done, finish, until

PAIR = """
[pairs.both]
source = "plex"
target = "trakt"
mode = "{mode}"
{features}
"""
FEATURES = ("history", "ratings", "watchlist")
FILMS = range(1, 31)


class House:
    """Somebody with a server, an account at Trakt, and one pair of them that is called `both`."""

    def __init__(
        self,
        both: Both,
        folder: Path,
        mode: str = "two-way",
        features: Sequence[str] = FEATURES,
        *,
        warm: Warm,
    ) -> None:
        self.both = both
        self.plex, self.trakt, self.owner = both.plex.world, both.trakt, both.owner
        tables = "\n".join(f'[pairs.both.{name}]\nremove = true\nhold_removed = "0s"' for name in features)
        text = both.accounts() + PAIR.format(mode=mode, features=tables)
        self.shell = DeskShell(folder, text, warm)
        secret = folder / "trakt.secret"
        secret.write_text(CLIENT_SECRET)
        secret.chmod(0o600)
        both.know(world.movie(n) for n in FILMS)
        both.know(world.episode(1, 1, n) for n in range(1, 11))

    # --- logging in -----------------------------------------------------------------------------

    def login(self) -> House:
        """As a person does."""
        with self.both.person():
            for name in ("plex", "trakt"):
                with self.shell.start(f"auth login {name}") as process:
                    done = finish(process)
                assert done.code == 0, done.err
                self.secret_free(done)
        self.both.calls()
        return self

    def logged_in(self) -> House:
        """As if somebody had: a token of the owner in the file, and one of Trakt in the store."""
        text = self.shell.file.read_text().replace("[accounts.plex]", "[accounts.plex]\n" + self._direct())
        self.shell.file.write_text(text)
        self.shell.environ["PLEX_TOKEN"] = self.owner.token
        tokens = logged_in(self.trakt).tokens
        assert tokens is not None
        name = f"trakt:{self.trakt.user.settings()['user']['ids']['uuid']}"
        info = RunInfo("test", datetime.now(UTC))
        with Locks(self.shell.state, ["account-trakt"], 0.0, info) as locks:
            given = {one: getattr(tokens, one) for one in tokens.__dataclass_fields__}
            TokenStore(self.shell.state).save(type(tokens)(**given | {"account": "trakt", "account_id": name}), locks)
        return self

    def _direct(self) -> str:
        return f'url = "{self.both.plex.pms.url}"\ntoken = {{ env = "PLEX_TOKEN" }}'

    # --- running --------------------------------------------------------------------------------

    def run(self, line: str = "run --apply", code: int = 0) -> Any:
        """A run, and what it says of the pair."""
        done = self.shell(f"{line} --json")
        assert done.code == code, f"{done.code}: {done.out}{done.err}"
        self.secret_free(done)
        self.once()
        return done.pair

    def secret_free(self, done: Done) -> None:
        assert done.clean()
        secrets = [CLIENT_SECRET, self.owner.token, *self.trakt.access, *self.trakt.refresh]
        assert not [secret for secret in secrets if secret in done.out + done.err]

    # --- both sides -----------------------------------------------------------------------------

    def at_plex(self, feature: Feature, *items: Item) -> None:
        self.both.shelf.hold(self.owner, [Entry(item, value(feature)) for item in items])

    def at_trakt(self, feature: Feature, *items: Item) -> None:
        self.trakt.put(feature, [Entry(item, value(feature)) for item in items])

    def title(self, item: Item) -> Title:
        found = self.trakt.titles.of(item)
        assert found is not None
        return found

    def row(self, item: Item) -> Any:
        return self.both.shelf.row(item)

    @property
    def seen(self) -> tuple[set[str], set[str]]:
        """The titles that are watched at Plex and at Trakt."""
        views = self.both.shelf.states(Feature.HISTORY, self.owner)
        return set(views), {str(one.title.name) for one in list(self.trakt.user.history.values())}

    @property
    def ratings(self) -> tuple[dict[str, object], dict[str, object]]:
        """The ratings at Plex and at Trakt, by title."""
        there: dict[str, object] = {str(one.title.name): one.value for one in self.trakt.user.ratings.values()}
        return self.both.shelf.states(Feature.RATINGS, self.owner), there

    @property
    def listed(self) -> tuple[set[str], set[str]]:
        """The watchlists at Plex and at Trakt."""
        here = {self.plex.catalogue[name].title for name in self.owner.watchlist}
        return here, {str(one.title.name) for one in self.trakt.user.watchlist.values()}

    def once(self) -> None:
        """No title has a play twice, on either side."""
        assert set(self.both.shelf.states(Feature.HISTORY, self.owner).values()) <= {1}
        plays = Counter(one.title.key for one in self.trakt.user.history.values())
        assert set(plays.values()) <= {1}


def value(feature: Feature) -> Play | Rated | OnList:
    """What somebody did in May."""
    at = datetime(2024, 5, 4, 20, 15, 30, tzinfo=UTC)
    return {Feature.HISTORY: Play(at), Feature.RATINGS: Rated(80, at)}.get(feature, OnList(at))  # type: ignore[return-value]


def films(*numbers: int) -> list[Item]:
    return [world.movie(n) for n in numbers]


def episodes(*numbers: int) -> list[Item]:
    return [world.episode(1, 1, n) for n in numbers]


def names(*numbers: int) -> set[str]:
    return {f"Film {n}" for n in numbers}


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    made = Warm()
    yield made
    made.close()


@pytest.fixture
def both() -> Iterator[Both]:
    with Both() as made:
        yield made


@pytest.fixture
def house(both: Both, tmp_path: Path, warm: Warm) -> House:
    return House(both, tmp_path, warm=warm).logged_in()


def fill(house: House) -> None:
    house.at_plex(Feature.HISTORY, *films(1, 2, 3, 4), *episodes(1, 2))
    house.at_plex(Feature.RATINGS, *films(1, 2))
    house.at_plex(Feature.WATCHLIST, *films(20, 21))
    house.at_trakt(Feature.HISTORY, *films(4, 5), *episodes(2, 3))
    house.at_trakt(Feature.RATINGS, *films(2, 5))
    house.at_trakt(Feature.WATCHLIST, *films(21, 22))


def test_from_the_first_login_to_changes_on_both_sides(both: Both, tmp_path: Path, warm: Warm) -> None:
    house = House(both, tmp_path, warm=warm).login()
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


def test_one_way_leaves_the_server_alone(both: Both, tmp_path: Path, warm: Warm) -> None:
    house = House(both, tmp_path, "one-way", ["history", "ratings"], warm=warm).logged_in()
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
    reached, go, landed = threading.Event(), threading.Event(), threading.Event()

    def late(request: Any, handler: Any) -> None:
        handler(request)
        landed.set()

    server.fault(hold(go, late, entered=reached), method="POST" if side == "trakt" else None, path=path)
    with house.shell.start("run --apply") as process:
        until(reached.is_set, "the write")
        process.send_signal(signal.SIGKILL)
        finish(process)
    go.set()
    assert landed.wait(60)
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
    house.secret_free(done)
    with house.both.person():
        assert house.shell("auth login trakt").code == 0
    house.run()
    assert "Film 11" in house.seen[1]


def test_how_many_requests_a_large_library_takes(both: Both, tmp_path: Path, warm: Warm) -> None:
    Library(both, 2000, 100, 50)
    house = House(both, tmp_path, features=["history", "ratings"], warm=warm).logged_in()
    pair = house.run("plan")
    assert pair["features"]["history"]["add"] == 350 + 70  # a tenth of what Plex has, and what only Trakt has
    assert pair["features"]["ratings"]["add"] == 20 + 4
    # One of them asks plex.tv whose the token is that the file has; after a login there is no need to.
    calls = [call for call in both.calls() if not call.endswith("/api/v2/user")]
    assert len(calls) <= 20, calls
