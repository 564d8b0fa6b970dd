"""The real command between a simulated Plex and trackers: first run, nothing new, changes, and what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import Entry, Feature
from simulators import plex_demo
from simulators.plex import Plex
from support import world
from support.backup import titles
from support.house import REMOVES
from support.httpserver import drop_after, html, status
from support.mediahouse import ALL, watched
from support.mediahouse import PlexHouse as House
from support.mediaruns import changes_on_both_sides, dates, first_run_and_changes, killed_between_two_writes, two_way
from support.shell import Shell, data_of, finish, until
from support.told import counts


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with Plex() as plex:
        yield House(plex, tmp_path)


def test_first_run_then_nothing_then_changes(house: House) -> None:
    first_run_and_changes(house)


def test_two_way(house: House) -> None:
    shell = two_way(house)
    # Plex says that film 2 was watched just now; that date goes nowhere.
    assert dates(shell) == {"Film 1": "2024-01-01T12:00:00Z", "Film 2": "2020-01-01T00:00:00Z"}


def test_what_plex_takes_off_its_watchlist_is_no_wish_of_a_user(house: House) -> None:
    house.hold(Feature.WATCHLIST, 9, 10)
    shell = house.shell("two-way", ["history", "watchlist"], rules=REMOVES)
    text = shell.file.read_text().replace('staleness = "0s"', "")
    shell.file.write_text(text)
    assert shell("run --apply").code == 0
    shell.put("backup", *watched(9), feature="history")
    assert shell("run --apply").code == 0
    assert list(house.held(Feature.HISTORY)) == ["Film 9"]
    assert len(house.user.watchlist) == 1
    shell("run --apply")
    assert titles(shell, "watchlist") == ["Film 10", "Film 9"]


def test_a_lost_answer_is_looked_up_and_never_sent_twice(house: House) -> None:
    shell = house.shell("two-way", ["history"])
    shell.put("backup", *watched(1, 2, 3), feature="history")
    house.server.fault(drop_after(), path="scrobble", times=2)
    done = shell("run --apply --json")
    assert done.code == 0, done.err
    assert house.held(Feature.HISTORY) == {"Film 1": 1, "Film 2": 1, "Film 3": 1}
    assert len([call for call in house.server.calls() if "scrobble" in call]) == 3


def test_a_revoked_token_asks_for_a_login(house: House) -> None:
    house.fill()
    shell = house.shell()
    assert shell("run --apply").code == 0
    before = data_of(shell.folder / "backup")
    house.plex.revoked.add(house.user.token)
    done = shell("run --apply --json")
    assert done.code == 6
    assert "cwsync auth login home" in done.pair["error"]["hint"]
    assert house.user.token not in done.out + done.err
    assert data_of(shell.folder / "backup") == before


def test_a_server_that_starts_is_waited_for(house: House) -> None:
    house.fill()
    house.plex.maintenance = 1
    assert house.shell()("run --apply").code == 0


@pytest.mark.parametrize("fault", [html(), status(503)], ids=["html", "503"])
def test_a_server_that_does_not_answer_is_later(house: House, fault: Any) -> None:
    house.fill()
    shell = house.shell(features=["history", "ratings"])
    assert shell("run --apply").code == 0
    kept = shell.path("backup", "history").read_bytes()
    # Only the list of watched films: a list that failed must not look like one that is empty.
    house.unwatch(1)
    house.server.fault(fault, path="/library/sections/1/all", times=None)
    done = shell("run --apply --json")
    assert done.code == 75
    assert shell.path("backup", "history").read_bytes() == kept


def test_a_library_that_is_not_there_is_named(house: House) -> None:
    house.fill()
    done = house.shell(features=["history"], more='libraries = ["Filme"]')("run --json")
    assert done.code == 2
    assert "'Filme'" in done.out
    assert "'Films', 'Shows'" in done.out


def test_one_library_alone(house: House) -> None:
    house.fill()
    shell = house.shell(features=["history"], more='libraries = ["films"]')
    assert shell("run --apply").code == 0
    assert titles(shell, "history") == ["Film 1", "Film 2", "Film 3"]


def test_an_address_outside_needs_https(house: House) -> None:
    shell = house.shell(features=["history"])
    text = shell.file.read_text().replace(house.server.url, "http://plex.example.org")
    shell.file.write_text(text)
    done = shell("run --json")
    assert done.code == 2
    assert "https" in done.out + done.err


def test_no_token_is_in_anything_that_is_kept_or_said(house: House) -> None:
    house.fill()
    shell = house.shell()
    done = shell("-vv run --apply --json")
    assert done.code == 0
    assert "/library/sections" in done.err
    assert house.user.token not in done.out + done.err
    assert all(house.user.token.encode() not in data for data in data_of(shell.folder).values())


# --- counted -----------------------------------------------------------------------------------------


def large(house: House, films: int, shows: int, episodes: int) -> None:
    """Half of everything watched, a tenth of the films rated."""
    for n in range(1, films + 1):
        house.shelf.put(world.movie(n))
    for n in range(1, shows + 1):
        for number in range(1, episodes + 1):
            house.shelf.put(world.episode(n, 1, number))
    house.hold(Feature.HISTORY, *range(1, films // 2 + 1))
    house.hold(Feature.RATINGS, *range(1, films // 10 + 1))
    half = [world.episode(n, 1, number) for n in range(1, shows + 1) for number in range(1, episodes // 2 + 1)]
    house.shelf.hold(house.user, [Entry(item, world.value(Feature.HISTORY)) for item in half])


def test_how_many_requests_a_large_library_takes(house: House) -> None:
    large(house, 2000, 100, 50)
    shell = house.shell(features=["history", "ratings"])
    dry = shell("run --json")
    assert counts(dry.pair) == {"history": (1000 + 2500, 0, 0), "ratings": (200, 0, 0)}
    # One of them asks plex.tv whose the token is that the file has.
    assert house.plex.requests() <= 11


def test_how_many_requests_it_takes_to_find_nothing_new(house: House) -> None:
    house.fill()
    shell = house.shell(features=["history", "ratings"])
    assert shell("run --apply").code == 0
    assert shell("run --apply").code == 0  # sees that both sides agree, and keeps the stamps
    house.plex.forget()
    still = shell("run --apply --json")
    assert counts(still.pair) == {"history": (0, 0, 0), "ratings": (0, 0, 0)}
    # The server, its libraries, and one stamp for each of six lists, however long those are.
    assert house.plex.requests() == 8


# --- cut, and logged in ------------------------------------------------------------------------------


def test_a_run_that_is_killed_between_two_writes_ends_where_an_uncut_one_does(house: House) -> None:
    killed_between_two_writes(house, path="scrobble")


def test_changes_on_both_sides(house: House) -> None:
    changes_on_both_sides(house)


def test_the_token_of_somebody_else_is_noticed(house: House) -> None:
    house.fill()
    shell = house.shell(features=["history"], rules=REMOVES)
    assert shell("run --apply").code == 0
    other = house.plex.world.add_user("Child")
    shell.environ["MEDIA_TOKEN"] = other.server_token
    done = shell("run --apply --json")
    assert done.code == 4
    assert "account" in [guard["name"] for guard in done.pair["guards"]]


def test_logging_in_and_out_with_the_real_command(house: House) -> None:
    house.fill()
    shell = house.shell(features=["history"])
    lines = [line for line in shell.file.read_text().splitlines() if not line.startswith(("token", "url"))]
    shell.file.write_text("\n".join(lines))
    del shell.environ["MEDIA_TOKEN"]
    assert shell("run --json").code == 6
    with shell.start("auth login home") as process:
        until(lambda: bool(house.plex.accounts.pins), "the PIN")
        house.plex.accounts.approve(house.user)
        done = finish(process)
    assert done.code == 0, done.err
    assert house.plex.accounts.pins[1]["code"] in done.out + done.err
    assert house.user.token not in done.out + done.err
    assert shell("run --apply").code == 0
    assert titles(shell, "history")[-1] == "Film 3"
    assert "home" in shell("auth status").out
    assert shell("auth logout home").code == 0
    assert house.plex.accounts.signed_out == [house.user.token]
    assert shell("run").code == 6


def test_the_demo_server_can_be_logged_in_to_and_synced(tmp_path: Path) -> None:
    with plex_demo.filled(Plex()) as plex:
        plex.accounts.open_door = True
        backup = '[accounts.backup]\nprovider = "tracker"\npath = "backup"\n'
        pair = '[pairs.save]\nsource = "plex"\ntarget = "backup"\n'
        features = "".join(f"[pairs.save.{name}]\n" for name in ALL)
        shell = Shell(tmp_path, f"{plex_demo.account(plex)}\n{backup}{pair}{features}")
        assert shell("auth login plex").code == 0
        done = shell("run --apply --json")
        assert counts(done.pair) == {
            "history": (5, 0, 0),
            "ratings": (2, 0, 0),
            "progress": (1, 0, 0),
            "watchlist": (1, 0, 0),
        }
