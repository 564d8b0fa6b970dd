"""Two accounts that know the same films by different ids, and TMDb asked which is which, by the real command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from simulators.tmdb import TOKEN, Tmdb
from support import world
from support.house import PairHouse
from support.rows import row
from support.shell import TRACKERS, Shell

PAIRS = """
[accounts.tmdb]
api_url = "{url}"
token = {{ env = "TMDB_TOKEN" }}
[pairs.both]
source = "home"
target = "backup"
mode = "two-way"
ids = "tmdb"
[pairs.both.ratings]
"""


class House(PairHouse):
    """One side has IMDb's ids and the other TMDb's, of three films; each has one that the other lacks."""

    def __init__(self, folder: Path, service: Tmdb) -> None:
        self.service = service
        self.shell = Shell(folder, TRACKERS + PAIRS.format(url=service.url))
        self.shell.environ["TMDB_TOKEN"] = TOKEN
        for n in range(1, 6):
            service.titles.add(world.movie(n))
        self.shell.put("home", *(row(world.movie(n, services="imdb"), rating=8) for n in (1, 2, 3, 4)))
        self.shell.put("backup", *(row(world.movie(n, services="tmdb"), rating=8) for n in (1, 2, 3, 5)))

    def secrets(self) -> Iterable[str]:
        return (TOKEN,)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with Tmdb() as service:
        yield House(tmp_path, service)


def test_who_is_who_is_asked_once_and_kept(house: House) -> None:
    told = house.shell("explain both 'film 1'").out
    assert "learnt    tmdb_movie:100002 from tmdb" in told
    assert "decision  adopt: both sides agree" in told
    found = house.run()
    assert sorted(one["title"] for one in found["changes"]) == ["Film 4", "Film 5"]
    house.service.forget()
    assert not house.run()["changes"]
    assert not house.service.calls(), "nothing is asked twice"


def test_without_a_network_what_is_known_goes_on_and_the_rest_waits(house: House) -> None:
    house.service.close()
    found = house.run()
    assert not found["changes"]
    assert {one["reason"].partition(":")[0] for one in found["holds"]} == {"ids-pending"}
    assert any("ids: tmdb: " in one for one in found["warnings"])


def test_nobody_logs_in_for_ids(house: House) -> None:
    done = house.shell("auth status")
    assert done.code == 0
    assert "not needed: it is asked for ids alone" in done.out
    done = house.shell("check both")
    assert done.code == 0, done.out
    assert "reach answers, and is asked for ids alone" in " ".join(done.out.split())


def test_a_key_that_was_revoked_is_said_and_nothing_is_written(house: House) -> None:
    house.shell.environ["TMDB_TOKEN"] = "revoked"  # noqa: S105
    done = house.shell("check both")
    assert done.code == 6
    assert "TMDb does not know the application (any more)" in done.out
    found = house.run(code=3)
    assert not found["changes"]
    assert {one["reason"].partition(":")[0] for one in found["holds"]} == {"ids-refused"}
    assert any("TMDb does not know the application" in one for one in found["warnings"])


INTO_TMDB = """
[accounts.home]
provider = "csv"
path = "ratings.csv"
feature = "ratings"
[accounts.tmdb]
api_url = "{url}"
token = {{ env = "TMDB_TOKEN" }}
session_id = {{ env = "TMDB_SESSION" }}
staleness = "0s"
[pairs.both]
source = "home"
target = "tmdb"
ids = "tmdb"
[pairs.both.ratings]
"""


def test_a_list_of_imdb_is_written_to_tmdb(house: House) -> None:
    """Nothing of it is matched: nothing is there. But TMDb takes films by its own numbers alone."""
    house.shell.file.write_text(INTO_TMDB.format(url=house.service.url))
    house.shell.environ["TMDB_SESSION"] = house.service.login()
    rows = [f"{one.value},{n}" for n in (1, 2, 3) for one in world.movie(n).ids if one.service == "imdb"]
    (house.shell.folder / "ratings.csv").write_text("\n".join(["Const,Your Rating", *rows, ""]))
    found = house.run()
    assert [one["outcome"] for one in found["changes"]] == ["confirmed"] * 3
    assert [one["ids"]["tmdb"] for one in found["changes"]] == ["100002", "100003", "100004"]
    house.service.forget()
    again = house.run()
    assert (again["changes"], again["skips"]) == ([], [])
    assert [call for call in house.service.calls() if "/account" not in call] == [], "nothing is asked twice"
