"""Everything that a network, a service or a file may get wrong between Plex and Trakt, met by the real command.

A pair that has synced before, with something to write on both sides. Then one thing goes wrong: the
command says what and where, nothing is lost or doubled on either side, and when it is right again
the next run ends where it would have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cwsync.model import Feature
from simulators.both import Both
from support import world
from support.engine import some
from support.httpserver import Do, Handler, Reply, Request, cut_json, html, redirect, status, truncated
from support.mediapair import films, names
from support.mishaps import Bad, a_day_off, bomb, in_file, is_said
from support.plextrakt import House, fill

LISTS = "/library/sections/1/all"


def plex(do: Do, path: str = LISTS) -> Callable[[House], None]:
    return lambda house: house.both.plex.pms.fault(do, path=path, times=None)


def trakt(do: Do, path: str = "^/sync") -> Callable[[House], None]:
    return lambda house: house.trakt.fault(do, path=path, times=None)


def address(house: House) -> str:
    return house.both.plex.pms.url


def endless() -> Do:
    """A list that never ends: as many rows as were asked for, and a total that no list has."""

    def do(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        many = {"X-Pagination-Limit": "1", "X-Pagination-Page-Count": "999999", "X-Pagination-Item-Count": "999999"}
        return replace(reply, headers={**reply.headers, **many})

    return do


def of_another_type(_request: Request, _handler: Handler) -> Reply:
    return Reply({"MediaContainer": ["none"]})


def elsewhere(house: House) -> str:
    """An address of somebody else, on this machine."""
    return house.both.plex.metadata.url


def another_server(house: House) -> None:
    house.plex.machine_id = house.plex.machine_id[::-1]


def token_of(user: str) -> Callable[[House], None]:
    def give(house: House) -> None:
        token = house.plex.add_user("Child").server_token if user == "child" else "a-token-of-another-server"
        house.shell.environ["PLEX_TOKEN"] = token

    return give


def own_token(house: House) -> None:
    house.shell.environ["PLEX_TOKEN"] = house.owner.token


def with_library(name: str) -> Callable[[House], None]:
    return in_file(lambda _: "[accounts.plex]", lambda _: f'[accounts.plex]\nlibraries = ["{name}"]')


def without_library(house: House) -> None:
    in_file(lambda _: '\nlibraries = ["Filme"]', lambda _: "")(house)


def port(new: Callable[[House], str]) -> Callable[[House], None]:
    return in_file(lambda house: f'url = "{address(house)}"\ntoken', lambda house: f'url = "{new(house)}"\ntoken')


def port_again(new: Callable[[House], str]) -> Callable[[House], None]:
    return in_file(lambda house: f'url = "{new(house)}"\ntoken', lambda house: f'url = "{address(house)}"\ntoken')


def nobody(_house: House) -> str:
    return "http://127.0.0.1:9"


def https(house: House) -> str:
    return address(house).replace("http:", "https:")


TABLE: tuple[Bad[House], ...] = (
    Bad("the server is down", port(nobody), 75, ("127.0.0.1:9",), port_again(nobody)),
    Bad("a port of something else", port(elsewhere), 75, ("no Plex Media Server",), port_again(elsewhere)),
    Bad("https where http is spoken", port(https), 75, ("http",), port_again(https)),
    Bad("the token of another server", token_of("nobody"), 6, ("cwsync auth login plex",), own_token),
    Bad("the token of another user", token_of("child"), 6, ("cwsync auth login plex",), own_token),
    Bad("another server behind the address", another_server, 4, ("account",), another_server),
    Bad("a library that is missing", with_library("Filme"), 2, ("'Filme'", "'Films'"), without_library),
    Bad("a page instead of a list", plex(html()), 75, ("page for people",)),
    Bad("half a list, with the length of all", plex(truncated()), 75, ("plex",)),
    Bad("half a list, as if that were all", plex(cut_json()), 75, ("plex",)),
    Bad("a list of another type", plex(of_another_type), 75, ("plex",)),
    Bad("a bomb", plex(bomb()), 75, ("more than the",)),
    Bad("the server is told to be elsewhere", plex(redirect("http://127.0.0.1:9/x")), 75, ("redirect",)),
    Bad("a service that goes on for ever", trakt(endless(), "^/sync/history"), 75, ("pages",)),
    Bad("a page of a firewall", trakt(html(403)), 75, ("Cloudflare",)),
    Bad("too many requests, for an hour", trakt(status(429, retry_after="3600")), 75, ("3,600 s",)),
    Bad("the account is locked", trakt(status(423)), 6, ("locked",)),
    Bad("the application was deleted", trakt(status(403)), 6, ("application",)),
    Bad("the clock is off by a day", trakt(a_day_off()), 4, ("clock",)),
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """In step, and then something happened on both sides."""
    with Both() as both:
        made = House(both, tmp_path).logged_in()
        fill(made)
        made.run()
        made.at_plex(Feature.HISTORY, *films(8))
        both.trakt.user.play(made.title(world.movie(9)), "2024-06-01T10:00:00.000Z")
        both.trakt.user.unlist(made.title(world.movie(21)))
        yield made


def writes(house: House) -> list[str]:
    return [call for call in house.both.calls() if not call.startswith("GET") or "/:/" in call]


@pytest.mark.parametrize("bad", some(TABLE, 3), ids=lambda bad: bad.name)
def test_what_goes_wrong_is_said_and_nothing_is_lost(house: House, bad: Bad[House]) -> None:
    house.both.calls()
    is_said(house, bad)
    # A list that could be read on both sides is kept in step all the same; nothing of the rest is touched.
    asked = writes(house)
    assert asked in ([], ["PUT /actions/removeFromWatchlist"])
    assert bad.code in (6, 75) or not asked
    house.both.plex.pms.clear_faults()
    house.trakt.clear_faults()
    bad.mends(house)
    house.run()
    here, there = house.seen
    assert here == there == names(1, 2, 3, 4, 5, 8, 9) | {"Episode 1.1", "Episode 1.2", "Episode 1.3"}
    assert house.ratings == ({"Film 1": 8.0, "Film 2": 8.0, "Film 5": 8.0},) * 2
    assert house.listed == (names(20, 22),) * 2
