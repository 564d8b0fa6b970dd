"""The real command between a simulated Jellyfin and a tracker: first run, nothing new, changes, and what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cwsync.model import Entry, Feature, Kind
from simulators.jellyfin import Jellyfin
from support import world
from support.backup import titles
from support.house import REMOVES
from support.httpserver import drop_after, html
from support.mediahouse import NOTHING, House, watched
from support.mediaruns import changes_on_both_sides, dates, first_run_and_changes, killed_between_two_writes, two_way
from support.shell import data_of, finish, until
from support.told import counts, outcomes


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with Jellyfin() as server:
        yield House(server, tmp_path)


def test_first_run_then_nothing_then_changes(house: House) -> None:
    first_run_and_changes(house)


def test_two_way(house: House) -> None:
    shell = two_way(house)
    # The date went along: it is kept to the second.
    assert dates(shell) == {"Film 1": "2024-01-01T12:00:00Z", "Film 2": "2020-01-01T00:00:00Z"}


def test_changes_on_both_sides(house: House) -> None:
    changes_on_both_sides(house)


def test_a_lost_answer_is_looked_up(house: House) -> None:
    shell = house.shell("two-way", ["history"])
    shell.put("backup", *watched(1, 2, 3), feature="history")
    house.server.fault(drop_after(), method="POST", path="UserData", times=2)
    done = shell("run --apply --json")
    assert done.code == 0, done.err
    assert house.held(Feature.HISTORY) == {"Film 1": True, "Film 2": True, "Film 3": True}


def test_a_run_that_is_killed_between_two_writes_ends_where_an_uncut_one_does(house: House) -> None:
    killed_between_two_writes(house, method="POST", path="UserData")


def test_more_runs_on_a_still_world_plan_nothing(house: House) -> None:
    """Titles that nobody has identified are there, too: they ask for nothing."""
    house.fill()
    for n in (11, 12):
        house.server.world.add(house.shelf.films, "Movie", f"Nobody {n}")
        bare = house.server.world.titles[list(house.server.world.titles)[-1]]
        house.server.world.mark(house.user, bare, 16_000_000_000_000_000)
    shell = house.shell("two-way")
    shell.put("backup", *watched(2), feature="history")
    shell("run --apply")
    house.server.forget()
    for _ in range(3):
        again = shell("run --apply --json")
        assert counts(again.pair) == NOTHING
    assert house.writes() == []


def test_a_title_that_is_begun_again_was_still_watched(house: House) -> None:
    house.hold(Feature.HISTORY, 1, 2)
    shell = house.shell("two-way", ["history"], rules=REMOVES)
    shell.put("backup", *watched(3), feature="history")
    house.server.world.start(house.user, house.row(world.movie(3)))  # and this one for the first time
    assert shell("run --apply").code == 0
    assert house.held(Feature.HISTORY) == {"Film 1": True, "Film 2": True, "Film 3": True}
    house.server.world.start(house.user, house.row(world.movie(1)))
    house.unwatch(2)
    done = shell("run --apply --json")
    assert done.code == 0, done.out
    assert titles(shell, "history") == ["Film 1", "Film 3"]
    house.server.world.stop(house.user, house.row(world.movie(1)), house.row(world.movie(1)).runtime)
    assert counts(shell("run --json").pair) == {"history": (0, 0, 0)}


# --- lag ----------------------------------------------------------------------------------------------


def test_writes_that_show_late_are_not_sent_again_and_take_nothing_away(house: House) -> None:
    house.hold(Feature.HISTORY, 1, 2)
    shell = house.shell("two-way", ["history"], more='staleness = "15m"', rules=REMOVES)
    assert shell("run --apply").code == 0
    house.server.world.lag_reads = 5
    shell.put(
        "backup",
        *(one for one in shell.held("backup", "history") if one["title"] != "Film 1"),
        *watched(3),
        feature="history",
    )
    assert shell("run --apply").code == 0
    house.server.forget()
    for _ in range(4):
        assert shell("run --apply").code == 0
    assert house.writes() == []
    assert titles(shell, "history") == ["Film 2", "Film 3"]
    assert house.held(Feature.HISTORY) == {"Film 2": True, "Film 3": True}


# --- what goes wrong ------------------------------------------------------------------------------------


def test_a_key_that_was_revoked_asks_for_a_new_one(house: House) -> None:
    house.fill()
    shell = house.shell()
    assert shell("run --apply").code == 0
    before = data_of(shell.folder / "backup")
    house.server.doors.revoke(house.server.key)
    done = shell("run --apply --json")
    assert done.code == 6
    assert "cwsync auth login home" in done.pair["error"]["hint"]
    assert house.server.key not in done.out + done.err
    assert data_of(shell.folder / "backup") == before


def test_a_server_that_answers_nonsense_is_later(house: House) -> None:
    house.fill()
    shell = house.shell(features=["history", "ratings"])
    assert shell("run --apply").code == 0
    kept = shell.path("backup", "history").read_bytes()
    house.server.fault(html(), path="/Items", times=None)
    done = shell("run --apply --json")
    assert done.code == 75
    assert shell.path("backup", "history").read_bytes() == kept


def test_a_server_that_scans_takes_nothing_away(house: House) -> None:
    """A mark that somebody took away meanwhile goes after the scan; a film whose file was deleted stays."""
    house.fill()
    shell = house.shell(features=["history"], rules=REMOVES)
    assert shell("run --apply").code == 0
    house.server.scanning = True
    house.server.world.remove(house.row(world.movie(1)))
    house.unwatch(2)
    done = shell("run --apply --json")
    assert {"Film 1", "Film 2"} <= set(titles(shell, "history"))
    assert done.pair["features"]["history"]["source"]["complete"] is False
    house.server.scanning = False
    shell("run --apply")
    assert "Film 1" in titles(shell, "history")
    assert "Film 2" not in titles(shell, "history")


def test_an_item_that_goes_between_plan_and_write_is_named(house: House) -> None:
    shell = house.shell("two-way", ["history"])
    shell.put("backup", *watched(1, 2), feature="history")
    gone = house.row(world.movie(1))

    def shift() -> None:
        if gone.id in house.server.world.titles:
            house.server.world.remove(gone)

    house.server.shift = shift
    done = shell("run --apply --json")
    assert done.code == 3
    assert outcomes(done.pair) == {"Film 1": "not_found", "Film 2": "confirmed"}


def test_a_library_that_was_built_anew_is_found_again(house: House) -> None:
    house.fill()
    shell = house.shell("two-way", ["history"], rules=REMOVES)
    assert shell("run --apply").code == 0
    for one in list(house.server.world.titles.values()):
        house.server.world.renew(one)
    done = shell("run --apply --json")
    assert (done.code, counts(done.pair)) == (0, {"history": (0, 0, 0)})
    shell.put(
        "backup", *(one for one in shell.held("backup", "history") if one["title"] != "Film 1"), feature="history"
    )
    assert shell("run --apply").code == 0
    assert "Film 1" not in house.held(Feature.HISTORY)


def test_the_favourites_of_somebody_else_are_noticed(house: House) -> None:
    house.fill()
    shell = house.shell(features=["watchlist"], rules=REMOVES)
    assert shell("run --apply").code == 0
    house.server.world.add_user("Child")
    shell.file.write_text(shell.file.read_text().replace('user = "Owner"', 'user = "Child"'))
    done = shell("run --apply --json")
    assert done.code == 4
    assert "account" in [guard["name"] for guard in done.pair["guards"]]
    assert titles(shell, "watchlist") == ["Film 10", "Film 9"]


def test_no_token_is_in_anything_that_is_kept_or_said(house: House) -> None:
    house.fill()
    shell = house.shell("two-way")
    shell.put("backup", *watched(2), feature="history")
    done = shell("-vv run --apply --json")
    assert done.code == 0
    assert "/Items" in done.err
    assert house.server.key not in done.out + done.err
    assert all(house.server.key.encode() not in data for data in data_of(shell.folder).values())


# --- counted -----------------------------------------------------------------------------------------


def test_how_many_requests_a_large_library_takes(house: House) -> None:
    house.server.caching = True
    house.shelf.put(*(world.movie(n) for n in range(1, 2001)))
    shows = range(1, 101)
    house.shelf.put(*(world.episode(n, 1, number) for n in shows for number in range(1, 51)))
    house.hold(Feature.HISTORY, *range(1, 1001))
    half = [world.episode(n, 1, number) for n in shows for number in range(1, 26)]
    house.shelf.hold(house.user, [Entry(item, world.value(Feature.HISTORY)) for item in half])
    shell = house.shell(features=["history", "progress"])
    dry = shell("run --json")
    assert counts(dry.pair) == {"history": (1000 + 2500, 0, 0), "progress": (0, 0, 0)}
    # Which server, whose key, which user, whether it scans; 2,100 films and shows, 5,000 episodes, 500 at a time.
    assert len(house.server.calls()) == 4 + 5 + 10


# --- logging in ----------------------------------------------------------------------------------------


def test_logging_in_and_out_with_the_real_command(house: House) -> None:
    house.fill()
    shell = house.shell(features=["history"])
    lines = [line for line in shell.file.read_text().splitlines() if not line.startswith("token")]
    shell.file.write_text("\n".join(lines))
    assert shell("run --json").code == 6
    with shell.start("-vv auth login home") as process:
        until(lambda: bool(house.server.doors.quick), "the code")
        (quick,) = house.server.doors.quick.values()
        house.server.doors.approve(house.user)
        done = finish(process)
    assert done.code == 0, done.err
    assert quick.code in done.out + done.err
    assert quick.secret not in done.out + done.err
    token = next(one for one in house.server.doors.tokens.values() if one.user is house.user)
    assert token.value not in done.out + done.err
    assert shell("run --apply").code == 0
    assert titles(shell, "history")[-1] == "Film 3"
    assert "home" in shell("auth status").out
    assert shell("auth logout home").code == 0
    assert token.value not in house.server.doors.tokens
    assert shell("run").code == 6


def test_a_token_that_another_login_revoked_asks_for_a_login(house: House) -> None:
    house.fill()
    shell = house.shell(features=["history"])
    shell.environ["MEDIA_TOKEN"] = house.server.token(house.user, "same device")
    assert shell("run --apply").code == 0
    house.server.token(house.user, "same device")
    done = shell("run --apply --json")
    assert done.code == 6
    assert "token" in done.pair["error"]["message"]


def test_check_says_which_server_it_is(house: House) -> None:
    done = house.shell()("check")
    assert done.code == 0, done.out
    assert "Jellyfin 10.11.11, Simulated" in done.out


def test_kinds_of_ratings(house: House) -> None:
    for kind in Kind:
        house.hold(Feature.RATINGS, 2, kind=kind)
    shell = house.shell(features=["ratings"])
    assert shell("run --apply").code == 0
    assert {one["type"] for one in shell.held("backup")} == {"movie", "show", "season", "episode"}
