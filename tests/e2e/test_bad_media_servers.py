"""Everything that a server, a proxy, a key or a person may get wrong between a Jellyfin and an Emby.

A pair that has synced before, with something to write on both sides. Then one thing goes wrong: the
real command says what and where, nothing is lost or doubled on either side, and when it is right again
the next run ends where it would have.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import Feature
from support import world
from support.engine import some
from support.httpserver import Do, Handler, Reply, Request, cut_json, html, redirect, status, truncated
from support.mediapair import House, episodes, films, names, services, writes
from support.mishaps import Bad, a_day_off, bomb, in_file, is_said

USER = 'user = "Owner"\n'
Step = Callable[[House], object]


def jellyfin(do: Do, path: str = "/items") -> Step:
    return lambda house: house.source.server.fault(do, path=f"(?i){path}", times=None)


def emby(do: Do, path: str = "/items") -> Step:
    return lambda house: house.target.server.fault(do, path=f"(?i){path}", times=None)


def attribute(side: str, name: str, value: Callable[[Any], Any]) -> Step:
    """Another value of something of a simulated server."""

    def change(house: House) -> None:
        server = getattr(house, side).server
        setattr(server, name, value(getattr(server, name)))

    return change


def texts(old: str | Callable[[House], str], new: str | Callable[[House], str]) -> tuple[Step, Step]:
    """The same, there and back."""
    one, other = (text if callable(text) else _always(text) for text in (old, new))
    return in_file(one, other), in_file(other, one)


def _always(text: str) -> Callable[[House], str]:
    return lambda _house: text


def _address(house: House) -> str:
    return f'url = "{house.source.server.url}"'


def _instead(change: Callable[[str], str]) -> tuple[Step, Step]:
    return texts(_address, lambda house: change(_address(house)))


def of_another_type(_request: Request, _handler: Handler) -> Reply:
    return Reply({"Items": {"none": True}, "TotalRecordCount": 1})


def key_of(side: str) -> tuple[Step, Step]:
    """A key that the server does not know, and the right one again."""

    def spoil(house: House) -> None:
        house.shell.environ |= dict.fromkeys(getattr(house, side).environ, "0" * 32)

    def mend(house: House) -> None:
        house.shell.environ |= getattr(house, side).environ

    return spoil, mend


def token_of_a_login(house: House) -> None:
    """A token of the user in place of the key; then somebody logs in with the same device."""
    server = house.source.server
    house.shell.environ["JELLYFIN_TOKEN"] = server.token(house.source.user, "the same device")
    server.token(house.source.user, "the same device")


def user_is_gone(side: str) -> tuple[Step, Step]:
    def remove(house: House) -> None:
        one = getattr(house, side)
        del one.server.world.users[one.user.id]

    def again(house: House) -> None:
        one = getattr(house, side)
        one.server.world.users[one.user.id] = one.user

    return remove, again


def somebody_else(house: House) -> None:
    """The user of the file is somebody else, with favourites of their own."""
    server = house.source.server
    child = server.world.add_user("Child")
    server.world.state(child, house.source.row(world.movie(25))).favourite = True
    in_file(_always(USER), _always('user = "Child"\n'))(house)


def right_user(house: House) -> None:
    in_file(_always('user = "Child"\n'), _always(USER))(house)


def another_server(house: House) -> None:
    house.source.server.world.server_id = house.source.server.world.server_id[::-1]


def disabled(value: bool) -> Step:
    def change(house: House) -> None:
        house.shell.environ["JELLYFIN_TOKEN"] = house.source.server.token(house.source.user, "of a user")
        house.source.user.disabled = value

    return change


def own_key(house: House) -> None:
    house.source.user.disabled = False
    house.shell.environ |= house.source.environ


NO_USER = texts(USER, "# nobody\n")
LIBRARY = texts(USER, USER + 'libraries = ["Filme"]\n')
DOWN = _instead(lambda _: 'url = "http://127.0.0.1:9"')
HTTPS = _instead(lambda address: address.replace("http:", "https:"))
OTHER = texts(_address, lambda house: f'url = "{house.target.server.url}"')
PUBLIC = _instead(lambda _: 'url = "http://media.example.org"')
VERSION = "version"
TABLE: tuple[Bad[House], ...] = (
    Bad("a key without a user", NO_USER[0], 2, ("accounts.jellyfin.user", "needs `user` beside a key"), NO_USER[1]),
    Bad("a user who was deleted", user_is_gone("source")[0], 2, ("no user 'Owner'",), user_is_gone("source")[1]),
    Bad("an Emby without the user", user_is_gone("target")[0], 2, ("emby", "Owner"), user_is_gone("target")[1]),
    Bad("a user who is disabled", disabled(True), 6, ("cwsync auth login jellyfin",), own_key),
    Bad("a key that is none", key_of("source")[0], 6, ("cwsync auth login jellyfin",), key_of("source")[1]),
    Bad("a key of the Emby that is none", key_of("target")[0], 6, ("cwsync auth login emby",), key_of("target")[1]),
    Bad("a token that another login revoked", token_of_a_login, 6, ("cwsync auth login jellyfin",), own_key),
    Bad("the favourites of somebody else", somebody_else, 4, ("account",), right_user),
    Bad("another server behind the address", another_server, 4, ("account",), another_server),
    Bad(
        "an old Jellyfin",
        attribute("source", VERSION, lambda _: "10.8.13"),
        2,
        ("10.8.13 is too old", "10.9"),
        attribute("source", VERSION, lambda _: "10.11.11"),
    ),
    Bad(
        "an old Emby",
        attribute("target", VERSION, lambda _: "4.7.14.0"),
        2,
        ("4.7.14.0 is too old", "4.8"),
        attribute("target", VERSION, lambda _: "4.9.0.41"),
    ),
    Bad("an Emby where a Jellyfin should be", OTHER[0], 2, ("no Jellyfin answers there", "provider"), OTHER[1]),
    Bad("a library that is missing", LIBRARY[0], 2, ("'Filme'", "'Films'"), LIBRARY[1]),
    Bad("no https outside of the house", PUBLIC[0], 2, ("https",), PUBLIC[1]),
    Bad(
        "a base path that the file does not know",
        attribute("source", "base", lambda _: "/media"),
        75,
        ("redirect", "base path"),
        attribute("source", "base", lambda _: ""),
    ),
    Bad("the server is down", DOWN[0], 75, ("127.0.0.1:9",), DOWN[1]),
    Bad("https where http is spoken", HTTPS[0], 75, ("http",), HTTPS[1]),
    Bad("a page of a proxy instead of a list", jellyfin(html()), 75, ("page for people",)),
    Bad("a page of a proxy at the Emby", emby(html(502)), 75, ("emby",)),
    Bad("half a list, with the length of all", jellyfin(truncated()), 75, ("jellyfin",)),
    Bad("half a list, as if that were all", emby(cut_json()), 75, ("emby",)),
    Bad("a list of another type", jellyfin(of_another_type), 75, ("jellyfin",)),
    Bad("a bomb", jellyfin(bomb()), 75, ("more than the",)),
    Bad("the server is told to be elsewhere", emby(redirect("http://127.0.0.1:9/x")), 75, ("redirect",)),
    Bad("a server that starts", jellyfin(status(503, "starting", retry_after="000"), "/system"), 75, ("503",)),
    Bad("it is busy, for no number", emby(status(503, retry_after="soon")), 75, ("503",)),
    Bad("it is busy, for a year", emby(status(503, retry_after="31536000")), 75, ("31,536,000 s",)),
    Bad("the clock is off by a day", emby(a_day_off(), ""), 4, ("clock",)),
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the state of a first run is kept: the same servers hold the same, so one run does for all tests."""
    return tmp_path_factory.mktemp("kept") / "state"


@pytest.fixture
def house(tmp_path: Path, kept: Path) -> Iterator[House]:
    """In step, and then something happened on both sides."""
    with services("jellyfin", "emby") as (one, other):
        made = House(one, other, tmp_path, features=("history", "watchlist"))
        for side in made.sides:
            made.hold(side, Feature.HISTORY, *films(1, 2, 3, 4, 5), *episodes(1))
            made.hold(side, Feature.WATCHLIST, *films(20, 21))
        if kept.exists():
            shutil.copytree(kept, made.shell.state)
        else:
            assert not made.run()["changes"]
            shutil.copytree(made.shell.state, kept)
        made.hold(one, Feature.HISTORY, *films(8))
        made.hold(other, Feature.HISTORY, *films(9))
        other.unmark(world.movie(2))
        one.server.world.state(one.user, one.row(world.movie(21))).favourite = False
        made.calls()
        yield made


def ends_well(house: House) -> None:
    """What would have been there without all that."""
    here, there = house.seen()
    assert here == there == names(1, 3, 4, 5, 8, 9) | {"Episode 1.1"}
    assert [set(held) for held in house.held(Feature.WATCHLIST)] == [names(20)] * 2
    assert {one.count for side in house.sides for one in side.user.states.values() if one.played} == {1}


@pytest.mark.parametrize("bad", some(TABLE, 4), ids=lambda bad: bad.name)
def test_what_goes_wrong_is_said_and_nothing_is_lost(house: House, bad: Bad[House]) -> None:
    before = house.seen(), house.held(Feature.WATCHLIST)
    is_said(house, bad)
    assert writes(house.calls()) == []
    assert (house.seen(), house.held(Feature.WATCHLIST)) == before
    for side in house.sides:
        side.server.clear_faults()
    bad.mends(house)
    house.run()
    ends_well(house)


def test_a_server_that_is_newer_than_what_is_known_is_used_with_a_warning(house: House) -> None:
    house.source.server.version = "13.0.0"
    done = house.shell("run both --apply")
    assert done.code == 0, done.out
    assert "newer than what is known" in done.out + done.err
    ends_well(house)
    checked = house.shell("check")
    assert "Jellyfin 13.0.0" in checked.out


@pytest.mark.parametrize("side", ["source", "target"])
def test_while_a_server_scans_its_libraries_nothing_is_taken_for_gone(house: House, side: str) -> None:
    one, other = (house.source, house.target) if side == "source" else (house.target, house.source)
    one.server.scanning = True
    for item in films(1, 4):
        one.server.world.remove(one.row(item))
        del one.shelf.rows[item.key()]
    done = house.shell("run both --apply --json")
    assert names(1, 4) <= set(other.held(Feature.HISTORY))
    assert done.pair["features"]["history"][side]["complete"] is False
    assert "scanning" in done.out
    for item in films(1, 4):  # found again, under other ids, with what the user did
        house.hold(one, Feature.HISTORY, item)
    one.server.scanning = False
    house.run()
    ends_well(house)


@pytest.mark.parametrize("side", ["source", "target"])
def test_an_item_that_goes_between_plan_and_write_is_named(house: House, side: str) -> None:
    one = getattr(house, side)
    missing = world.movie(9 if side == "source" else 8)
    row = one.row(missing)

    def remove() -> None:
        if row.id in one.server.world.titles:
            one.server.world.remove(row)

    one.server.shift = remove
    done = house.run(code=3)
    named = {change["title"]: change["outcome"] for change in done["changes"]}
    assert named.pop(str(missing.title)) == "not_found"
    assert set(named.values()) == {"confirmed"}
    one.server.shift = None
    del one.shelf.rows[missing.key()]
    house.still(1)
    one.know(missing)  # it is back; when the time comes it is tried again
    assert house.held(Feature.WATCHLIST)[0].keys() == names(20)


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_wrong_password_is_tried_once(house: House, side: str) -> None:
    one = getattr(house, side)
    (variable,) = one.environ
    in_file(_always(f'token = {{ env = "{variable}" }}'), _always(""))(house)
    if side == "source":
        in_file(_always(USER), _always(f'{USER}login = "password"\n'))(house)
    code, told = house.shell.terminal(f"auth login {one.name}", talk=[("Owner: ", "a wrong one\n")])
    assert code == 6, told
    assert "it was tried once" in " ".join(told.split())
    assert f"cwsync auth login {one.name}" in told
    assert "a wrong one" not in told
    assert one.user.tries == 1
    assert house.shell("run both --apply").code == 6
    assert writes(house.calls()) == ["POST /Users/AuthenticateByName"]
    code, told = house.shell.terminal(f"auth login {one.name}", talk=[("Owner: ", "owner's password\n")])
    assert code == 0, told
    house.run()
    ends_well(house)
