"""What every media server goes through with a tracker beside it, whatever it is called and however it is asked.

Of a film that was watched a Plex tells how often, the others tell that it was: once is true, twice is not.
"""

from __future__ import annotations

from typing import Any

from cwsync.model import Feature
from support.backup import titles
from support.house import REMOVES
from support.mediahouse import NOTHING, MediaHouse, row, watched
from support.shell import Shell, killed
from support.told import counts


def first_run(house: MediaHouse, more: str = "") -> Shell:
    """What `fill` puts at the server is in the tracker afterwards, each once."""
    house.fill()
    shell = house.shell(rules=REMOVES, more=more)
    assert shell("run --apply --json").code == 0
    assert titles(shell, "history") == ["Episode 1.2", "Episode 1.2", "Film 1", "Film 2", "Film 3"]
    assert titles(shell, "ratings") == ["Film 1", "Film 4", "Show 1"]
    assert titles(shell, "progress") == ["Film 7"]
    assert titles(shell, "watchlist") == ["Film 10", "Film 9"]
    assert dates(shell)["Film 1"] == "2024-01-01T12:00:00Z"
    return shell


def first_run_and_changes(house: MediaHouse) -> None:
    """After a first run nothing, and then what changed at the server."""
    shell = first_run(house)
    again = shell("run --apply --json")
    assert (again.code, counts(again.pair)) == (0, NOTHING)
    house.unwatch(2)
    house.rate(4, 3.5)
    house.watch(5)
    third = shell("run --apply --json")
    assert third.code == 0, third.err
    assert counts(third.pair) == {**NOTHING, "history": (1, 0, 1), "ratings": (0, 1, 0)}
    assert titles(shell, "history") == ["Episode 1.2", "Episode 1.2", "Film 1", "Film 3", "Film 5"]


def nothing_new(house: MediaHouse, shell: Shell) -> None:
    """Another run plans nothing and writes nothing."""
    house.forget()
    again = shell("run --apply --json")
    assert sum(map(sum, counts(again.pair).values())) == 0
    assert house.writes() == []


def two_way(house: MediaHouse) -> Shell:
    """Both get what the other has; a film that is in no library is not found."""
    house.hold(Feature.HISTORY, 1)
    house.hold(Feature.RATINGS, 1)
    shell = house.shell("two-way")
    shell.put("backup", *watched(2), feature="history")
    shell.put("backup", row(3, rating=9, rated_at=None), row(99, rating=1, rated_at=None), feature="ratings")
    shell.put("backup", row(8, position_ms=1_200_000, duration_ms=6_000_000, updated_at=None), feature="progress")
    shell.put("backup", row(9, listed_at=None), feature="watchlist")
    done = shell("run --apply --json")
    assert done.code == 3, done.out  # film 99 is in no library
    assert house.held(Feature.HISTORY) == {"Film 1": True, "Film 2": True}
    assert house.held(Feature.RATINGS) == {"Film 1": 2.0, "Film 3": 9.0}
    assert house.held(Feature.PROGRESS) == {"Film 8": 1_200_000}
    assert house.held(Feature.WATCHLIST) == {"Film 9": True}
    changes = {(one["title"], one["outcome"]) for one in done.pair["changes"] if one["side"] == "source"}
    assert ("Film 99", "not_found") in changes
    assert {outcome for title, outcome in changes if title != "Film 99"} == {"confirmed"}
    nothing_new(house, shell)
    return shell


def changes_on_both_sides(house: MediaHouse) -> None:
    """What was added, changed and taken away on either side, is so on both."""
    house.fill()
    shell = house.shell("two-way", ["history", "ratings"], rules=REMOVES)
    assert shell("run --apply").code == 0
    house.rate(1, 9)
    house.unwatch(3)
    shell.put("backup", *(one for one in shell.held("backup") if one["title"] != "Show 1"))
    kept = [one for one in shell.held("backup", "history") if one["title"] != "Film 2"]
    shell.put("backup", *kept, *watched(6), feature="history")
    done = shell("run --apply --json")
    assert done.code == 0, done.out
    assert house.held(Feature.HISTORY) == {"Film 1": True, "Film 6": True, "Episode 1.2": True}
    assert house.held(Feature.RATINGS) == {"Film 1": 9, "Film 4": 2.0}
    assert titles(shell, "history") == ["Episode 1.2", "Episode 1.2", "Film 1", "Film 6"]
    assert shell.scores("backup")["tt0100001"] == 9
    again = shell("run --json")
    assert (again.code, sum(map(sum, counts(again.pair).values()))) == (0, 0)


def killed_between_two_writes(house: MediaHouse, **request: Any) -> None:
    """A run that dies in the eighth of twelve `request`s ends where an uncut one does."""
    shell = house.shell("two-way", ["history"])
    shell.put("backup", *watched(*range(1, 13)), feature="history")
    killed(shell, house.server, nth=8, **request)
    done = shell("run --apply --json")
    # The batch that was cut is in doubt until it was looked at; nothing of it is ever sent again blindly.
    again = done if done.code == 0 else shell("run --apply --json")
    assert again.code == 0, again.out
    assert house.held(Feature.HISTORY) == {f"Film {n}": True for n in range(1, 13)}


def dates(shell: Shell) -> dict[str, str]:
    """When the tracker says that titles were watched."""
    return {one["title"]: one["watched_at"] for one in shell.held("backup", "history")}
