"""The real command between a simulated Emby and a tracker: the main road, and what differs from a Jellyfin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cwsync.model import Feature
from simulators.emby import Emby
from support import world
from support.backup import titles
from support.httpserver import drop_after
from support.mediahouse import House, row, watched
from support.mediaruns import first_run, killed_between_two_writes, nothing_new
from support.told import counts

ON = 'ratings = "on"'
KEPT = ("history", "progress", "watchlist")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with Emby() as server:
        yield House(server, tmp_path)


def test_first_run_then_nothing_then_changes(house: House) -> None:
    shell = first_run(house, ON)
    house.server.forget()
    for _ in range(10):
        again = shell("run --apply --json")
        assert (again.code, sum(map(sum, counts(again.pair).values()))) == (0, 0)
    # Ten times one scan for four features: which server, which user, whether it scans; titles, seasons, episodes.
    assert len(house.server.calls()) == 10 * 6
    assert house.writes() == []
    house.unwatch(2)
    house.watch(5)
    third = shell("run --apply --json")
    assert third.code == 0, third.err
    assert titles(shell, "history") == ["Episode 1.2", "Episode 1.2", "Film 1", "Film 3", "Film 5"]


def test_ratings_are_off_unless_they_are_asked_for(house: House) -> None:
    house.fill()
    done = house.shell(features=["ratings"])("run --apply --json")
    assert done.code == 2
    assert 'ratings = "on"' in done.pair["error"]["hint"]


def test_two_way(house: House) -> None:
    house.hold(Feature.HISTORY, 1)
    house.hold(Feature.WATCHLIST, 2, 8)
    shell = house.shell("two-way", KEPT)
    shell.put("backup", *watched(2, 3), feature="history")
    shell.put("backup", row(8, position_ms=1_200_000, duration_ms=6_000_000, updated_at=None), feature="progress")
    shell.put("backup", row(9, listed_at=None), feature="watchlist")
    done = shell("run --apply --json")
    assert done.code == 0, done.out
    assert house.held(Feature.HISTORY) == {"Film 1": True, "Film 2": True, "Film 3": True}
    assert house.held(Feature.PROGRESS) == {"Film 8": 1_200_000}
    # What a write does not name is sent along: the favourites of before are there.
    assert house.held(Feature.WATCHLIST) == {"Film 2": True, "Film 8": True, "Film 9": True}
    nothing_new(house, shell)


def test_a_lost_answer_is_looked_up_and_never_sent_twice(house: House) -> None:
    shell = house.shell("two-way", ["history"])
    shell.put("backup", *watched(1, 2, 3), feature="history")
    house.server.fault(drop_after(), method="POST", path="PlayedItems", times=2)
    done = shell("run --apply --json")
    assert done.code == 0, done.err
    assert len([call for call in house.server.calls() if "PlayedItems" in call]) == 3
    states = [house.server.world.peek(house.user, house.row(world.movie(n))) for n in (1, 2, 3)]
    assert [(state.played, state.count) for state in states] == [(True, 1)] * 3


def test_a_run_that_is_killed_between_two_writes_ends_where_an_uncut_one_does(house: House) -> None:
    killed_between_two_writes(house, method="POST", path="PlayedItems")
    states = [house.server.world.peek(house.user, house.row(world.movie(n))) for n in range(1, 13)]
    assert {state.count for state in states} == {1}


def test_logging_in_with_a_password_at_a_terminal(house: House) -> None:
    house.fill()
    shell = house.shell(features=["history"])
    lines = [line for line in shell.file.read_text().splitlines() if not line.startswith("token")]
    shell.file.write_text("\n".join(lines))
    without = shell("auth login home")
    assert without.code == 2
    assert "terminal" in without.err
    code, told = shell.terminal("auth login home", talk=[("Owner: ", "owner's password\n")])
    assert code == 0, told
    assert "owner's password" not in told
    assert house.user.tries == 1
    assert shell("run --apply").code == 0
    assert titles(shell, "history")[-1] == "Film 3"
    assert shell("auth logout home").code == 0
    assert not [one for one in house.server.doors.tokens.values() if one.user]
