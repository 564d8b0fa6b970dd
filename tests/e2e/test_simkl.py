"""A tracker and SIMKL kept in step by the real command, over real HTTP, and every request counted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cwsync.errors import Exit
from cwsync.providers._simklpicture import load, save
from simulators.simkl import OLD_CLIENT_ID
from support.httpserver import Do, drop_before, html
from support.shell import killed
from support.simklhouse import House
from support.told import outcomes
from support.trackerhouse import at, episode, film, films, listed, played, rated, show


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    with made.service:
        yield made.logged_in()


def test_the_first_run_the_quiet_one_and_changes_on_both_sides(house: House) -> None:
    shell, service = house.shell, house.service
    shell.put("home", *rated(films(*range(1, 11))))
    shell.put("home", *played([*films(*range(1, 13)), episode(1, 1), episode(1, 2)]), feature="history")
    shell.put("home", *listed([film(20)]), feature="watchlist")
    for n in (11, 12):
        service.user.watch(house.title(film(n)), at(2, n - 1))
        service.user.rate(house.title(film(n)), 6, at(1))
    service.user.watch_episode(house.title(show(2)), (1, 3), at(3))

    dry = house.run("run")
    asked = house.calls()
    assert asked.total() <= 5  # the stamps, each part of the library, the stamps again
    assert not [call for call in asked if not call.startswith("GET")]
    wet = house.run()
    assert wet["digest"] == dry["digest"]
    assert len(house.ratings) == 12
    assert {play for play in house.plays if "Show" in str(play[0])} == {
        ("Show 1 1", "2024-05-02T10:12"),
        ("Show 1 2", "2024-05-02T10:13"),
        ("Show 2 3", "2024-05-03T10:00"),
    }
    assert len(house.plays) == 15
    assert house.listed == {"Film 20"}
    assert len(shell.scores("home")) == 12
    assert len(shell.held("home", "history")) == 15
    posts = {path: count for path, count in house.calls().items() if path.startswith("POST")}
    # The wish is asked about before it is sent: the title could be known by other ids, and watched.
    assert posts == {f"POST /sync/{name}": 1 for name in ("history", "ratings", "add-to-list", "watched")}

    for _ in range(3):  # one to see the writes settled, one to keep what is seen, and then it is still
        still = house.run()
        assert not still["changes"]
        quiet = house.calls()
    assert quiet == {"GET /sync/activities": 1}

    shell.put("home", *rated(films(*range(1, 9))), *rated(films(9), 3), *rated(films(11, 12), 6))
    service.user.rate(house.title(film(1)), 10, at(9))
    service.user.unrate(house.title(film(2)))
    house.run()
    assert house.ratings["Film 9"] == 3
    assert "Film 10" not in house.ratings
    assert shell.scores("home")["tt1000001"] == 10
    assert "tt1000002" not in shell.scores("home")
    asked = house.calls()
    assert not [call for call in asked if "all-items" in call], "ratings are read by their own changes"


def test_what_leaves_the_library_is_found_by_its_ids(house: House) -> None:
    house.shell.put("home", *listed(films(*range(1, 8))), feature="watchlist")
    house.run()
    house.run()
    house.calls()
    house.service.user.remove(house.title(film(3)))
    house.run()
    assert len(house.shell.held("home", "watchlist")) == 6
    asked = house.calls()
    assert asked["GET /sync/all-items"] == 1
    assert not [call for call in asked if call.startswith("GET /sync/all-items/")], "nothing is read whole"
    house.shell.put("home", *listed(films(1, 2, 4, 5, 6)), feature="watchlist")
    house.run()
    assert house.listed == {f"Film {n}" for n in (1, 2, 4, 5, 6)}


def test_a_wish_never_takes_a_title_out_of_what_was_watched(house: House) -> None:
    """The library has the film by other ids than the tracker; only SIMKL can tell."""
    hidden = house.title(film(5))
    hidden.ids.clear()
    house.service.user.watch(hidden, at(1))
    house.service.user.watch(house.title(film(6)), at(1))
    house.service.user.rate(house.title(film(6)), 9, at(1))
    house.shell.put("home", *listed(films(5, 6, 7)), feature="watchlist")
    pair = house.run("run --apply --feature watchlist", code=Exit.PARTIAL)
    assert sorted(one["outcome"] for one in pair["changes"]) == ["confirmed", "rejected", "rejected"]
    assert house.listed == {"Film 7"}
    assert house.ratings == {"Film 6": 9}
    assert {name for name, _ in house.plays} == {"Film 5", "Film 6"}


def test_a_film_that_is_watched_leaves_the_watchlist_of_both(house: House) -> None:
    house.shell.put("home", *listed(films(1, 2)), feature="watchlist")
    house.run()
    house.shell.put("home", *listed(films(1, 2, 3)), feature="watchlist")
    house.shell.put("home", *played([film(1)]), feature="history")
    pair = house.run()
    assert {one["outcome"] for one in pair["changes"]} == {"confirmed"}, "our own play is no reason to hold the rest"
    assert house.listed == {"Film 2", "Film 3"}
    house.run()
    assert {name for name, _ in house.plays} == {"Film 1"}


def test_unwatching_never_costs_a_rating(house: House) -> None:
    house.shell.put("home", *played([film(1), film(2), episode(1, 1), episode(1, 2)]), feature="history")
    house.shell.put("home", *rated(films(1)))
    house.run()
    house.run()
    house.shell.put("home", *played([episode(1, 1)]), feature="history")
    pair = house.run(code=Exit.PARTIAL)
    told = outcomes(pair)
    assert (told["Film 1"], told["Film 2"]) == ("rejected", "confirmed")
    assert {name for name, _ in house.plays} == {"Film 1", "Show 1 1"}
    assert house.ratings == {"Film 1": 8}


def test_what_got_lost_is_there_in_the_end(house: House) -> None:
    house.shell.put("home", *played([film(1), film(2), episode(1, 1)]), feature="history")
    house.service.fault(drop_before(), method="POST", path="^/sync/history")
    pair = house.run(code=Exit.PARTIAL)
    assert {one["outcome"] for one in pair["changes"]} == {"unknown"}
    house.run()
    house.run()
    assert len(house.plays) == 3


def test_a_run_that_is_killed_while_it_writes_ends_where_it_would_have(house: House) -> None:
    house.shell.put("home", *played(films(*range(1, 6))), feature="history")
    house.later()
    killed(house.shell, house.service, method="POST", path="^/sync/history")
    assert len(house.service.user.library) == 5
    house.run()
    assert len(house.plays) == 5
    assert not house.run("run")["changes"]


def test_a_quota_that_others_used_up_is_waited_for_without_asking(house: House) -> None:
    house.shell.put("home", *rated(films(1)))
    house.service.used = house.service.quota
    house.run(code=Exit.LATER)
    assert house.calls() == {"GET /sync/activities": 1}
    house.service.used = 0
    done = house.shell("run --apply")
    assert done.code == Exit.LATER
    assert "daily quota" in done.out + done.err
    assert house.calls().total() == 0, "SIMKL said until when"


def test_check_tells_of_the_quota(house: House) -> None:
    house.service.used = 480
    done = house.shell("check both")
    assert done.code == Exit.PARTIAL
    assert "of 500 of today used" in done.out
    assert "the watchlist" not in done.err


def test_a_login_is_made_renewed_and_asked_for_again(tmp_path: Path) -> None:
    house = House(tmp_path)
    with house.service:
        house.login()
        said = house.shell("auth status")
        assert said.code == 0
        assert "simulated" in said.out
        assert "renews itself" in said.out
        stored = house.shell.state / "tokens" / "simkl.json"
        before = json.loads(stored.read_bytes())["secrets"]
        house.shell.put("home", *rated(films(1)))
        house.service.expire()
        house.run()
        after = json.loads(stored.read_bytes())["secrets"]
        assert before["access"] != after["access"]
        assert before["refresh"] == after["refresh"]
        assert house.calls()["POST /oauth2/token"] == 1
        assert house.ratings == {"Film 1": 8}
        house.service.grants.clear()
        done = house.ends(Exit.LOGIN, "cwsync auth login simkl")
        assert not [secret for secret in after.values() if secret in done.out + done.err]


def test_a_token_of_the_old_kind_works_and_its_owner_is_asked_for_once(tmp_path: Path) -> None:
    more = 'access_token = { file = "simkl.token" }'
    house = House(tmp_path, more=more, client_id=OLD_CLIENT_ID)
    house.shell.secret("simkl.token", house.service.old_login())
    with house.service:
        house.shell.put("home", *rated(films(1)))
        house.run()
        assert house.ratings == {"Film 1": 8}
        assert house.calls()["GET /users/settings"] == 1
        house.run()
        assert house.calls()["GET /users/settings"] == 0


@pytest.mark.parametrize(
    ("fault", "code", "words"), [(None, Exit.LOGIN, "suspended"), (html(200), Exit.LATER, "page for people")]
)
def test_a_refusal_ends_the_run_in_its_own_words(house: House, fault: Do | None, code: int, words: str) -> None:
    house.shell.put("home", *rated(films(1)))
    if fault is None:
        house.service.suspended = True
    else:
        house.service.fault(fault, path="^/sync", times=None)
    house.ends(code, words)
    assert not house.ratings


def test_what_a_rating_files_is_nobodys_play(house: House) -> None:
    """SIMKL files a film that is rated as watched; that is no reason to call it watched elsewhere."""
    house.shell.put("home", *rated(films(1, 2)))
    house.run()
    assert len(house.plays) == 2, "that is what SIMKL made of it"
    assert not house.run()["changes"]
    house.shell.put("home", *played([film(1)]), feature="history")
    assert [one["title"] for one in house.run()["changes"]] == ["Film 1"]
    house.service.user.library[house.title(film(2)).simkl].watched_at = at(7)
    house.service.user.changed(house.service.user.library[house.title(film(2)).simkl])
    house.run()
    assert len(house.shell.held("home", "history")) == 2, "somebody watched it after all"


def test_a_reset_keeps_the_library_and_a_second_full_read_of_a_day_is_asked_for_twice(house: House) -> None:
    shell, cache = house.shell, house.shell.state / "cache" / "simkl-simkl.json"
    shell.put("home", *rated(films(1)))
    house.run()
    house.run()  # what our own write moved is read
    kept = cache.read_bytes()
    done = shell("reset-state both --yes")
    assert done.code == 0, done.err
    assert re.search(
        r"simkl was read whole at 20\S+ \d\d:\d\d UTC, and that is kept: its service minds", unfold(done.out)
    )
    assert cache.read_bytes() == kept
    house.calls()
    house.run()
    assert not [call for call in house.calls() if "all-items" in call]
    refused = shell("reset-state both --yes --refetch")
    assert (refused.code, refused.out) == (2, "")
    assert "and its service suspends those who do so again and again" in refused.err
    assert "or say it twice: cwsync reset-state both --refetch --refetch" in refused.err
    assert cache.exists()
    assert shell("reset-state both --yes --refetch --refetch").code == 0
    assert not cache.exists()
    house.run()
    assert len([call for call in house.calls() if "all-items" in call]) == 3, "all of it again"
    yesterday(cache)
    done = shell("reset-state both --yes --refetch --json")
    assert (done.code, "the next run reads all of it again" in str(done.json["consequences"])) == (0, True)
    assert not cache.exists()
    assert "was read whole" not in shell("reset-state both --yes").out, "nothing is kept"


def yesterday(cache: Path) -> None:
    """Have the library that is kept be a day old."""
    _, _, text = cache.read_bytes().partition(b"\n")
    told = json.loads(text)
    found = load(cache, told["account"], told["origin"])
    assert found is not None
    found.whole_at -= timedelta(hours=25)
    save(cache, found)


def unfold(text: str) -> str:
    """A page without its line breaks."""
    return " ".join(text.split())
