"""An export of Letterboxd, which has no ids, into a media server: by title and year, for those who ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cwsync.model import Item, Kind
from simulators.emby import Emby
from simulators.jellyfin import Jellyfin
from simulators.mediabrowser import MediaBrowser
from support import world
from support.mediapair import Media, films, names
from support.shell import Shell
from support.told import outcomes, reasons

EXPORT = "Date,Name,Year,Letterboxd URI\n"
PAIR = """
[accounts.letterboxd]
provider = "csv"
path = "watched.csv"
feature = "history"
{media}
[pairs.both]
source = "letterboxd"
target = "{name}"
match = "{match}"
[pairs.both.history]
"""
TWINS = (7, 8)  # two films of one name and year at the server
BARE = 6  # a film that the server has not identified


class House:
    """The export names films 1 to 8, and one that no library has."""

    def __init__(self, server: MediaBrowser, folder: Path, match: str) -> None:
        self.media = Media(server)
        text = PAIR.format(media=self.media.text(), name=self.media.name, match=match)
        self.shell = Shell(folder, text)
        self.shell.environ |= self.media.environ
        for item in films(*range(1, 21)):
            self.media.know(item)
        for number in TWINS:
            self.media.row(world.movie(number)).name, self.media.row(world.movie(number)).year = "Twin", 1960
        self.media.row(world.movie(BARE)).ids = {}
        named = [(item.title, item.year) for item in films(*range(1, 7))]
        rows = [*named, ("Twin", 1960), ("Nowhere", 1999)]
        lines = [f"2024-05-01,{name},{year},https://boxd.it/{number}" for number, (name, year) in enumerate(rows)]
        (folder / "watched.csv").write_text(EXPORT + "\n".join(lines) + "\n", encoding="utf-8")

    def watched(self) -> set[str]:
        world_of = self.media.server.world
        return {row.name for row in world_of.titles.values() if world_of.peek(self.media.user, row).played and row.name}


@pytest.fixture(params=[Jellyfin, Emby])
def server(request: pytest.FixtureRequest) -> Iterator[MediaBrowser]:
    with request.param() as made:
        yield made


def test_films_are_marked_by_title_and_year_where_there_is_just_one(server: MediaBrowser, tmp_path: Path) -> None:
    house = House(server, tmp_path, "title-year")
    plan = house.shell("plan --json").pair
    told = "no-ids: the other side has no title of that name and year, or more than one; add an id"
    assert reasons(plan, "skips") == {"Twin": told, "Nowhere": told}
    done = house.shell("run --apply --json").pair
    assert (done["digest"], done["exit_code"]) == (plan["digest"], 0)
    assert outcomes(done) == dict.fromkeys(names(*range(1, 7)), "confirmed")
    assert all(change["reason"] == "new: on letterboxd; matched by title and year" for change in done["changes"])
    assert house.watched() == names(*range(1, 7))
    for _ in range(3):
        again = house.shell("run --apply --json").pair
        assert (again["changes"], again["exit_code"]) == ([], 0)
    said = house.shell("explain both 'Film 3'")
    assert said.code == 0
    assert "title and year" in said.out


def test_without_being_asked_nothing_is_matched_by_its_name(server: MediaBrowser, tmp_path: Path) -> None:
    house = House(server, tmp_path, "ids")
    done = house.shell("run --apply --json").pair
    assert (done["changes"], len(done["skips"]), house.watched()) == ([], 8, set())


def test_a_show_of_that_name_is_no_film(server: MediaBrowser, tmp_path: Path) -> None:
    house = House(server, tmp_path, "title-year")
    house.media.know(Item(Kind.SHOW, (), "Nowhere", 1999))
    assert "Nowhere" not in outcomes(house.shell("run --apply --json").pair)
