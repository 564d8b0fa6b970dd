"""The real command between a simulated AniList and trackers: first run, nothing new, changes, and what goes wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import Item
from simulators.anilist import AniList, asking
from simulators.anilist_account import film, part, series
from simulators.anilist_world import Listed
from support.backup import backup, titles
from support.house import REMOVES
from support.httpserver import Do, Reply, answer, drop_after, html
from support.rows import row
from support.shell import Shell, data_of, killed
from support.told import counts, outcomes

ACCOUNT = """
[accounts.mine]
provider = "anilist"
api_url = "{url}"
auth_url = "{url}/authorize"
client_id = "77"
access_token = {{ env = "ANILIST_TOKEN" }}
staleness = "0s"
"""
GUARDS = "free_adds = 500\nfree_removes = 50\nfree_updates = 500"
ALL = ("history", "ratings", "watchlist")
NOTHING = dict.fromkeys(ALL, (0, 0, 0))


class House:
    """A service with titles that it knows, a shell beside it, and a pair that is called `save`."""

    def __init__(self, service: AniList, folder: Path) -> None:
        self.service, self.folder = service, folder
        self.token = service.login()
        service.limit = 1_000_000  # the pace has tests of its own
        for n in range(1, 21):
            service.world.know(film(n))
            service.world.know(series(n))

    def shell(self, mode: str = "two-way", features: Sequence[str] = ALL, *, target: bool = False) -> Shell:
        """The pair begins at AniList, or (`target`) ends there."""
        tables = {name: "" if name == "history" else REMOVES for name in features} | {"guards": GUARDS}
        made = backup(self.folder, ACCOUNT.format(url=self.service.url), tables, mode, name="mine", back=target)
        made.environ["ANILIST_TOKEN"] = self.token
        return made

    def entry(self, item: Item, **more: Any) -> Listed:
        return self.service.world.entry(self.service.world.know(item), **more)

    def held(self) -> dict[str, tuple[str, int, int]]:
        """Status, score and progress by title."""
        rows = self.service.world.entries.values()
        return {one.title.name: (one.status, one.score, one.progress) for one in rows}

    def writes(self) -> int:
        return self.service.asked("mutation(")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with AniList() as service:
        yield House(service, tmp_path)


def fill(house: House) -> None:
    house.entry(film(1), status="COMPLETED", score=75, progress=1, completed={"year": 2024, "month": 5, "day": 3})
    house.entry(series(1), status="CURRENT", score=60, progress=2)
    house.entry(series(2), status="PLANNING")
    house.entry(film(2), status="PLANNING", private=True)
    house.entry(series(3), status="DROPPED", progress=1)


def test_a_tracker_gets_it_all_then_nothing_then_changes(house: House) -> None:
    fill(house)
    shell = house.shell("one-way")
    dry = shell("run --json")
    assert (dry.code, counts(dry.pair)) == (0, {"history": (4, 0, 0), "ratings": (2, 0, 0), "watchlist": (2, 0, 0)})
    assert len(house.service.log) == 2
    assert shell("run --apply").code == 0
    assert titles(shell, "ratings") == ["Film 1", "Series 1"]
    assert titles(shell, "watchlist") == ["Film 2", "Series 2"]
    plays = {(one["show"]["title"] if "show" in one else one["title"]): one for one in shell.held("backup", "history")}
    assert set(plays) == {"Film 1", "Series 1", "Series 3"}
    assert plays["Film 1"]["watched_at"] == "2024-05-03"
    assert shell("run --apply").code == 0
    house.service.forget()
    again = shell("run --apply --json")
    assert (again.code, counts(again.pair)) == (0, NOTHING)
    assert len(house.service.log) == 2
    del house.service.world.entries[int(series(2).ids[1].value)]
    house.entry(film(1), score=80)
    house.entry(series(1), progress=4)
    third = shell("run --apply --json")
    assert third.code == 0, third.out
    assert counts(third.pair) == {"history": (2, 0, 0), "ratings": (0, 1, 0), "watchlist": (0, 0, 1)}
    assert house.writes() == 0


def test_two_way(house: House) -> None:
    fill(house)
    shell = house.shell()
    shell.put(
        "backup",
        *(row(part(1, n), watched_at=None) for n in (1, 2, 3)),
        row(film(3), watched_at="2023-02-01T12:00:00Z"),
        *(row(part(4, n), watched_at="2023-02-01T12:00:00Z") for n in range(1, 13)),
        row(part(5, 7), watched_at=None),
        feature="history",
    )
    shell.put("backup", row(series(3), rating=4.5, rated_at=None), row(film(4), rating=9, rated_at=None))
    shell.put("backup", row(series(6), listed_at=None), row(series(1), listed_at=None), feature="watchlist")
    done = shell("run --apply --json")
    assert done.code == 3, done.out
    told = {(one["feature"], one["outcome"]) for one in done.pair["changes"] if one["side"] == "source"}
    assert told == {
        ("history", "confirmed"), ("history", "rejected"), ("ratings", "confirmed"), ("ratings", "rejected"),
        ("watchlist", "confirmed"), ("watchlist", "rejected"),
    }  # fmt: skip
    assert house.held() == {
        "Film 1": ("COMPLETED", 75, 1),
        "Series 1": ("CURRENT", 60, 3),  # on the tracker's watchlist, and not put back
        "Series 2": ("PLANNING", 0, 0),
        "Film 2": ("PLANNING", 0, 0),
        "Series 3": ("DROPPED", 45, 1),
        "Film 3": ("COMPLETED", 0, 1),
        "Series 4": ("COMPLETED", 0, 12),
        "Series 6": ("PLANNING", 0, 0),
    }
    assert house.service.world.entries[int(film(3).ids[1].value)].completed == {"year": 2023, "month": 2, "day": 1}
    writes = house.writes()
    again = shell("run --apply --json")
    assert sum(map(sum, counts(again.pair).values())) == 0, again.out
    assert house.writes() == writes


def test_formats_of_scores_without_drift(house: House) -> None:
    """What is kept is synced, not what is shown; also when the format changes between two runs."""
    items = [film(n) for n in range(1, 12)]
    for item, score in zip(items, range(2, 112, 10), strict=True):
        house.entry(item, status="COMPLETED", score=min(score, 100))
    shell = house.shell("two-way", ["ratings"])
    assert shell("run --apply").code == 0
    house.service.world.score_format = "POINT_3"
    done = shell("run --apply --json")
    assert (done.code, counts(done.pair)) == (0, {"ratings": (0, 0, 0)})
    shell.put("backup", *(one | {"rating": 7.5} for one in shell.held("backup")))
    changed = shell("run --apply --json")
    assert counts(changed.pair) == {"ratings": (0, 11, 0)}
    assert {score for _, score, _ in house.held().values()} == {75}
    house.service.world.score_format = "POINT_5"
    assert counts(shell("run --apply --json").pair) == {"ratings": (0, 0, 0)}


def test_three_hundred_changes_are_fifteen_requests(house: House) -> None:
    for n in range(21, 301):
        house.service.world.know(series(n))
    shell = house.shell("one-way", ["watchlist"], target=True)
    shell.put("backup", *(row(series(n), listed_at=None) for n in range(1, 301)), feature="watchlist")
    done = shell("run --apply --json")
    assert done.code == 0, done.out
    assert len(house.held()) == 300
    assert len(house.service.log) <= 15
    assert house.writes() == 10


# --- removing -------------------------------------------------------------------------------------


def test_only_bare_plans_are_taken_away(house: House) -> None:
    fill(house)
    house.entry(series(2), notes="my own words")
    shell = house.shell("two-way", ["watchlist"])
    assert shell("run --apply").code == 0
    shell.put("backup", feature="watchlist")
    done = shell("run --apply --json", "--accept", shell("run --json").pair["guards"][0]["digest"])
    assert done.code == 3, done.out
    assert outcomes(done.pair) == {
        "Film 2": "confirmed",
        "Series 2": "rejected",
    }
    assert "Film 2" not in house.held()
    assert "Series 2" in house.held()


def test_a_plan_that_was_begun_is_no_plan_any_more(house: House) -> None:
    fill(house)
    house.entry(film(5), status="PLANNING")
    shell = house.shell("two-way", ["watchlist"])
    assert shell("run --apply").code == 0
    house.entry(series(2), status="CURRENT", progress=1)
    done = shell("run --apply --json")
    assert counts(done.pair) == {"watchlist": (0, 0, 1)}
    assert titles(shell, "watchlist") == ["Film 2", "Film 5"]


def test_a_plan_in_no_list_is_not_taken_for_gone(house: House) -> None:
    fill(house)
    shell = house.shell("two-way")
    assert shell("run --apply").code == 0
    house.service.world.entries[int(series(2).ids[1].value)].hidden = True
    for _ in range(2):
        done = shell("run --apply --json")
        assert (done.code, counts(done.pair)) == (0, NOTHING)
        shutil.rmtree(shell.state / "cache", ignore_errors=True)
    assert titles(shell, "watchlist") == ["Film 2", "Series 2"]


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (html(200), 75),
        (html(403), 75),
        (answer(Reply({"data": {"MediaListCollection": None}})), 75),
        (answer(Reply({"data": None, "errors": [{"message": "Invalid token", "status": 400}]}, 400)), 6),
    ],
    ids=["page", "challenge", "null", "token"],
)
def test_a_read_that_fails_is_no_empty_list(house: House, fault: Do, code: int) -> None:
    fill(house)
    shell = house.shell()
    assert shell("run --apply").code == 0
    kept = data_of(shell.folder / "backup")
    house.entry(film(1), score=10)
    house.service.fault(asking("MediaListCollection", fault), times=None)
    done = shell("run --apply --json")
    assert done.code == code, done.out
    assert data_of(shell.folder / "backup") == kept


def test_a_token_that_ended_and_a_service_that_is_shut_are_two_things(house: House) -> None:
    fill(house)
    shell = house.shell("one-way")
    house.service.expire()
    done = shell("run --json")
    assert done.code == 6
    assert "auth login mine" in done.pair["error"]["hint"]
    house.service.disabled = True
    done = shell("run --json")
    assert done.code == 75
    assert "shut" in done.pair["error"]["message"]
    assert "login" not in done.pair["error"]["message"] + done.pair["error"]["hint"]


def test_a_lost_answer_is_looked_up_and_never_sent_twice(house: House) -> None:
    shell = house.shell("two-way", ["watchlist"])
    shell.put("backup", *(row(series(n), listed_at=None) for n in (1, 2, 3)), feature="watchlist")
    house.service.fault(asking("mutation(", drop_after()), times=None)
    done = shell("run --apply --json")
    assert done.code == 0, done.out
    assert set(house.held()) == {"Series 1", "Series 2", "Series 3"}
    assert house.writes() == 1


def test_a_run_that_is_killed_in_a_write_ends_where_an_uncut_one_does(house: House) -> None:
    shell = house.shell("two-way", ["history"])
    shell.put("backup", *(row(part(n, 1), watched_at=None) for n in range(1, 13)), feature="history")
    # Whose token it is, the lists, the stamp, the look before the write; then the write itself.
    killed(shell, house.service, nth=5)
    codes = [shell("run --apply").code for _ in range(2)]
    assert codes[-1] == 0
    assert house.held() == {f"Series {n}": ("CURRENT", 0, 1) for n in range(1, 13)}
    assert house.writes() <= 2


def test_a_list_of_somebody_else_is_noticed(house: House) -> None:
    fill(house)
    shell = house.shell("two-way")
    assert shell("run --apply").code == 0
    house.service.world.user_id += 1
    done = shell("run --apply --json")
    assert done.code == 4
    assert "account" in [guard["name"] for guard in done.pair["guards"]]


def test_a_dry_run_writes_nothing(house: House) -> None:
    fill(house)
    shell = house.shell()
    shell.put("backup", row(series(6), listed_at=None), feature="watchlist")
    before = shell.marks()
    assert shell("plan --json").code == 0
    assert shell.marks() == before
    assert house.writes() == 0


def test_no_token_is_in_anything_that_is_kept_or_said(house: House) -> None:
    fill(house)
    shell = house.shell()
    done = shell("-vv run --apply --json")
    assert done.code == 0
    assert "POST /" in done.err
    assert house.token not in done.out + done.err
    assert all(house.token.encode() not in data for data in data_of(shell.folder).values())


# --- logging in -----------------------------------------------------------------------------------


def test_logging_in_and_out_with_the_real_command(house: House) -> None:
    fill(house)
    shell = house.shell("one-way", ["watchlist"])
    lines = [line for line in shell.file.read_text().splitlines() if not line.startswith("access_token")]
    shell.file.write_text("\n".join(lines))
    assert shell("run --json").code == 6
    code, screen = shell.terminal("auth login mine", talk=[("shown there:", f"{house.token}\n")], env={"TERM": "dumb"})
    assert code == 0, screen
    assert f"{house.service.url}/authorize?client_id=77&response_type=token" in screen.replace("\n", "")
    assert house.token not in screen
    assert shell("run --apply").code == 0
    assert titles(shell, "watchlist") == ["Film 2", "Series 2"]
    (account,) = [one for one in shell("auth status --json").json["accounts"] if one["account"] == "mine"]
    assert (account["state"], account["account_id"], account["renews"]) == ("logged-in", "anilist:7000001", False)
    assert 364 < account["days_left"] <= 365
    done = shell("check --json")
    assert "and cannot be renewed" in done.out
    out = shell("auth logout mine")
    assert (out.code, "the service itself cannot be told" in out.out) == (0, True)
    assert shell("run").code == 6


def test_the_end_of_a_token_of_the_environment_is_told(house: House) -> None:
    """Nobody renews it, whoever keeps it."""
    shell = house.shell("one-way", ["watchlist"])
    for days, state, code in ((200, "replaced", 0), (-1, "expired", 6)):
        shell.environ["ANILIST_TOKEN"] = token = house.service.login(days=days)
        done = shell("auth status --json")
        (account,) = [one for one in done.json["accounts"] if one["account"] == "mine"]
        assert (account["state"], done.code, account["renews"]) == (state, code, False)
        assert days - 1 < account["days_left"] <= days
        page = shell("auth status").out
        assert f"{account['expires_at'][:10]} " in page
        assert token not in page + done.out
    shell.environ["ANILIST_TOKEN"] = "no-token-that-says-anything"  # noqa: S105
    assert shell("auth status").code == 0
