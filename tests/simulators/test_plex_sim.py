"""The simulated Plex is honest: another's client library works against it, and its shapes are the recorded ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulators.plex import Plex
from simulators.plexworld import EPISODE, MOVIE, SEASON, SHOW, Title

plexapi = pytest.importorskip("plexapi", reason="plexapi is a development dependency")
import requests  # noqa: E402
from plexapi.exceptions import NotFound, Unauthorized  # noqa: E402
from plexapi.myplex import MyPlexAccount, MyPlexPinLogin  # noqa: E402
from plexapi.server import PlexServer  # noqa: E402

SPECS = Path(__file__).parents[3] / "shared" / "specs" / "plex"


class Detour(requests.adapters.HTTPAdapter):
    """Leads the fixed addresses of the client library to the simulated hosts."""

    def __init__(self, hosts: dict[str, str]) -> None:
        super().__init__()
        self.hosts = hosts

    def send(self, request: Any, *args: Any, **more: Any) -> Any:
        for real, simulated in self.hosts.items():
            if request.url.startswith(real):
                request.url = simulated + request.url[len(real) :]
        return super().send(request, *args, **more)


@pytest.fixture
def plex() -> Iterator[Plex]:
    with Plex() as made:
        world = made.world
        films, shows = world.add_section("Films", MOVIE), world.add_section("Shows", SHOW)
        for n in range(1, 31):
            world.add(films, MOVIE, f"Film {n}", year=1990 + n, guids=(f"imdb://tt{n:07d}", f"tmdb://{n}"))
        for n in (1, 2):
            show = world.add(shows, SHOW, f"Show {n}", year=2000 + n, guids=(f"tvdb://{n}",))
            season = world.add(shows, SEASON, "Season 1", parent=show, index=1)
            for number in (1, 2, 3):
                ids = (f"tvdb://{n * 100 + number}",)
                world.add(shows, EPISODE, f"Part {number}", parent=season, index=number, guids=ids)
        yield made


@pytest.fixture
def session(plex: Plex) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        hosts = {
            "https://plex.tv": plex.tv.url,
            "https://discover.provider.plex.tv": plex.discover.url,
            "https://metadata.provider.plex.tv": plex.metadata.url,
        }
        made.mount("https://", Detour(hosts))
        yield made


@pytest.fixture
def server(plex: Plex, session: requests.Session) -> PlexServer:
    return PlexServer(plex.pms.url, plex.world.owner.token, session=session)


@pytest.fixture
def account(plex: Plex, session: requests.Session) -> MyPlexAccount:
    return MyPlexAccount(token=plex.world.owner.token, session=session)


def find(plex: Plex, title: str) -> Title:
    return next(row for row in plex.world.titles.values() if row.title == title)


def test_sections_and_their_items(server: PlexServer, plex: Plex) -> None:
    assert server.machineIdentifier == plex.world.machine_id
    assert [(one.title, one.type) for one in server.library.sections()] == [("Films", "movie"), ("Shows", "show")]
    films = server.library.section("Films").all()
    assert len(films) == 30
    assert {one.id for one in films[0].guids} == set(find(plex, films[0].title).guids)
    show = server.library.section("Shows").get("Show 1")
    assert [(one.seasonNumber, one.index) for one in show.episodes()] == [(1, 1), (1, 2), (1, 3)]
    assert show.episodes()[0].grandparentRatingKey == show.ratingKey
    assert len(server.library.section("Films").search(container_size=7)) == 30


def test_watching_and_its_opposite(server: PlexServer, plex: Plex) -> None:
    film = server.library.section("Films").get("Film 3")
    film.markPlayed()
    film.markPlayed()
    film.reload()
    assert film.viewCount == 2
    assert film.lastViewedAt is not None
    film.markUnplayed()
    film.reload()
    assert film.viewCount == 0
    server.library.section("Shows").get("Show 1").markPlayed()
    assert server.library.section("Shows").get("Show 1").viewedLeafCount == 3


def test_ratings(server: PlexServer) -> None:
    film = server.library.section("Films").get("Film 4")
    film.rate(7.5)
    film.reload()
    assert film.userRating == 7.5
    assert film.lastRatedAt is not None
    film.rate(None)
    film.reload()
    assert film.userRating is None


def test_positions(server: PlexServer) -> None:
    film = server.library.section("Films").get("Film 5")
    film.updateTimeline(120_000)
    film.reload()
    assert (film.viewOffset, film.viewCount) == (120_000, 0)
    film.updateTimeline(5_900_000)
    film.reload()
    assert (film.viewOffset, film.viewCount) == (0, 1)


def test_history_has_playbacks_and_no_marks(server: PlexServer, plex: Plex) -> None:
    server.library.section("Films").get("Film 6").markPlayed()
    assert server.history() == []
    plex.world.play(plex.world.owner, find(plex, "Film 7"))
    (play,) = server.history()
    assert (play.ratingKey, play.accountID) == (find(plex, "Film 7").key, 1)


def test_the_watchlist(account: MyPlexAccount, plex: Plex) -> None:
    names = [one.hex for one in plex.world.catalogue.values()]
    plex.world.owner.watchlist.update(dict.fromkeys(names[:25], 1))
    listed = account.watchlist()
    assert len(listed) == 25
    account.removeFromWatchlist(listed[0])
    assert not account.onWatchlist(listed[0])
    account.addToWatchlist(listed[0])
    assert account.onWatchlist(listed[0])
    assert len(account.watchlist(libtype="show")) == 0


def test_servers_and_home_users(account: MyPlexAccount, plex: Plex) -> None:
    plex.world.add_user("Child", managed=True, pin="1234")
    (resource,) = [one for one in account.resources() if "server" in one.provides]
    assert resource.accessToken == plex.world.owner.server_token
    assert [one.uri for one in resource.connections] == [plex.pms.url]
    assert [one.title for one in account.users()] == ["Child"]
    child = account.switchHomeUser("Child", "1234")
    assert child.id == plex.world.users[1].id


def test_a_pin_login(plex: Plex, session: requests.Session) -> None:
    login = MyPlexPinLogin(session=session)
    assert len(login.pin) == 4
    assert not login.checkLogin()
    plex.accounts.approve(plex.world.owner)
    assert login.checkLogin()
    assert login.token == plex.world.owner.token


def test_wrong_tokens_and_wrong_keys(plex: Plex, server: PlexServer, session: requests.Session) -> None:
    with pytest.raises(Unauthorized):
        PlexServer(plex.pms.url, "nobody", session=session)
    with pytest.raises(NotFound):
        server.fetchItem("/library/metadata/99999")


# --- shapes -----------------------------------------------------------------------------------------


def ask(plex: Plex, path: str, method: str = "GET", base: str | None = None) -> requests.Response:
    headers = {"Accept": "application/json", "X-Plex-Token": plex.world.owner.token}
    headers |= {"X-Plex-Client-Identifier": "test", "X-Plex-Product": "test"}
    return requests.request(method, (base or plex.pms.url) + path, headers=headers, timeout=10)


@pytest.fixture
def recorded() -> Any:
    path = SPECS / "watchstate" / "plex_data.json"
    if not path.is_file():
        pytest.skip("the recorded answers are no part of the project")
    return json.loads(path.read_text())


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("library_movie_get_200", "/library/sections/1/all?type=1&includeGuids=1&X-Plex-Container-Size=1"),
        ("library_show_get_200", "/library/sections/2/all?type=2&includeGuids=1&X-Plex-Container-Size=1"),
        ("library_episodes_get_200", "/library/sections/2/all?type=4&includeGuids=1&X-Plex-Container-Size=1"),
    ],
)
def test_rows_have_no_key_that_a_real_server_lacks(plex: Plex, recorded: Any, name: str, path: str) -> None:
    body = recorded[name]["response"]["body"]["MediaContainer"]
    state = {"userRating", "lastRatedAt", "viewOffset", "viewCount", "lastViewedAt", "index", "year"}
    real = set(body["Metadata"][0]) | state
    container = ask(plex, path).json()["MediaContainer"]
    assert set(container["Metadata"][0]) <= real
    assert set(container) - {"Metadata"} <= set(body)
    for key, value in container["Metadata"][0].items():
        if key in body["Metadata"][0]:
            assert type(value) is type(body["Metadata"][0][key]), key


@pytest.mark.real_data
def test_sections_have_no_key_that_a_real_server_lacks(plex: Plex, recorded: Any) -> None:
    real = recorded["sections_get_200"]["response"]["body"]["MediaContainer"]["Directory"][0]
    row = ask(plex, "/library/sections").json()["MediaContainer"]["Directory"][0]
    assert set(row) <= set(real)
    assert all(type(value) is type(real[key]) for key, value in row.items())


def test_a_count_needs_no_rows(plex: Plex) -> None:
    body = ask(plex, "/library/sections/1/all?type=1&X-Plex-Container-Size=0").json()["MediaContainer"]
    assert body["totalSize"] == 30
    assert "Metadata" not in body
    head = ask(plex, "/library/sections/1/all?type=1&X-Plex-Container-Size=0", "HEAD")
    assert head.content == b""
    assert head.headers["X-Plex-Container-Total-Size"] == "30"


@pytest.mark.real_data
def test_account_answers_have_no_key_that_the_real_service_lacks(plex: Plex) -> None:
    folder = SPECS / "plex-api-rs" / "myplex" / "api" / "v2"
    if not folder.is_dir():
        pytest.skip("the recorded answers are no part of the project")
    pairs = [
        ("/api/v2/pins", "POST", "pins_new.json"),
        ("/api/v2/user", "GET", "user/user_info_free.json"),
        ("/api/v2/resources", "GET", "resources.json"),
    ]
    for path, method, name in pairs:
        ours = ask(plex, path, method, plex.tv.url).json()
        real = json.loads((folder / name).read_text())
        if isinstance(real, list):
            real, ours = real[0], ours[1]
        assert set(ours) <= set(real), name
