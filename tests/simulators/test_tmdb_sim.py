"""The simulated TMDb is honest: another's client library works with it, and its answers are what TMDb publishes.

The library is `tmdbapis`; the published description is not part of the project, and where it is missing that
half is skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cwsync.model import Entry, Feature, Kind, Listed, Rated
from simulators.tmdb import API_KEY, MESSAGES, TOKEN, Tmdb
from simulators.tmdb_spec import answer_of, described, mismatch
from support import world
from support.httpserver import Request


@pytest.fixture
def service() -> Iterator[Tmdb]:
    with Tmdb() as made:
        for number in range(1, 4):
            made.titles.add(world.movie(number))
            made.titles.add(world.season(number, 1))
            for episode in (1, 2):
                made.titles.add(world.episode(number, 1, episode))
        yield made


class Client:
    """Requests that do not go over a wire: what is asked here is the service, not HTTP."""

    def __init__(self, service: Tmdb) -> None:
        self.service = service
        self.session = service.login()

    def __call__(self, method: str, path: str, body: object = None, **query: object) -> tuple[int, Any]:
        asked = {"session_id": self.session} | query
        text = "&".join(f"{name}={value}" for name, value in asked.items() if value is not None)
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        data = b"" if body is None else json.dumps(body).encode()
        reply = self.service.handle(Request(method, f"/3{path}?{text}", headers, data))
        return reply.status, reply.body


@pytest.fixture
def call(service: Tmdb) -> Client:
    return Client(service)


# --- the library ----------------------------------------------------------------------------------


@pytest.fixture
def library(service: Tmdb, monkeypatch: pytest.MonkeyPatch) -> Any:
    api3 = pytest.importorskip("tmdbapis.api3", reason="tmdbapis is not installed")
    monkeypatch.setattr(api3, "base_url", f"{service.url}/3")
    return api3.API3(API_KEY, session_id=service.login(), validate=False)


def test_the_library_reads_and_writes_an_account(service: Tmdb, library: Any) -> None:
    assert library.account_id == 548
    assert library.account_add_to_watchlist("movie", FILM, True)["success"]
    assert library.account_add_to_watchlist("tv", SHOW, True)["success"]
    assert [one["id"] for one in library.account_get_movie_watchlist()["results"]] == [FILM]
    assert [one["id"] for one in library.account_get_tv_show_watchlist()["results"]] == [SHOW]
    library.movies_rate_movie(FILM, 8.5)
    library.tv_rate_tv_show(SHOW, 7)
    library.tv_episodes_rate_tv_episode(SHOW, 1, 2, 0.5)
    assert library.movies_get_account_states(FILM)["rated"] == {"value": 8.5}
    assert [one["rating"] for one in library.account_get_rated_movies()["results"]] == [8.5]
    (part,) = library.account_get_rated_tv_episodes()["results"]
    assert (part["show_id"], part["season_number"], part["episode_number"], part["rating"]) == (SHOW, 1, 2, 0.5)
    assert service.listed() == set()
    library.movies_delete_rating(FILM)
    library.tv_episodes_delete_rating(SHOW, 1, 2)
    assert service.scores() == {"Show 1": 7.0}


def test_the_library_logs_in_finds_and_is_refused(service: Tmdb, library: Any) -> None:
    refused = pytest.importorskip("tmdbapis.exceptions")
    with pytest.raises(refused.TMDbException, match=r"multiple of 0\.50"):
        library.movies_rate_movie(FILM, 7.3)
    asked = library.authentication_create_request_token()
    with pytest.raises(refused.TMDbException, match="17"):
        library.authentication_create_session(asked["request_token"])
    service.approve()
    made = library.authentication_create_session(asked["request_token"])["session_id"]
    assert made in service.sessions
    library.authentication_delete_session(made)
    assert made not in service.sessions
    assert library.find_find_by_id("tt0100001", "imdb_id")["movie_results"][0]["id"] == FILM
    assert library.tv_get_external_ids(SHOW)["tvdb_id"] == SHOW
    assert library.tv_get_details(SHOW, append_to_response="external_ids")["external_ids"]["tvdb_id"] == SHOW
    with pytest.raises(refused.NotFound):
        library.movies_get_external_ids(1)
    service.key = None
    with pytest.raises(refused.Unauthorized):
        library.account_get_details()


# --- what is published ----------------------------------------------------------------------------

FILM, SHOW = 100_002, 2_000_002
PART = f"/tv/{SHOW}/season/1/episode/2"
READS = [
    "/account/548",
    "/account/548/watchlist/movies",
    "/account/548/watchlist/tv",
    "/account/548/rated/movies",
    "/account/548/rated/tv",
    "/account/548/rated/tv/episodes",
    f"/movie/{FILM}",
    f"/movie/{FILM}/external_ids",
    f"/movie/{FILM}/account_states",
    f"/tv/{SHOW}",
    f"/tv/{SHOW}/external_ids",
    f"/tv/{SHOW}/account_states",
    f"/tv/{SHOW}/season/1",
    f"/tv/{SHOW}/season/1/external_ids",
    f"{PART}/external_ids",
    "/authentication",
    "/authentication/token/new",
]


@pytest.mark.parametrize("path", READS)
def test_what_is_read_is_as_published(service: Tmdb, call: Client, path: str) -> None:
    for title in service.titles.all.values():
        if title.kind is not Kind.SEASON:
            service.account.ratings[title.key] = (title, 7.5)
        if title.kind in (Kind.MOVIE, Kind.SHOW):
            service.account.watchlist[title.key] = title
    status, body = call("GET", path)
    assert status == 200
    assert mismatch(answer_of("GET", f"/3{path}"), body) is None


def test_what_is_found_is_as_published(service: Tmdb, call: Client) -> None:
    _, film = call("GET", "/find/tt0100001", external_source="imdb_id")
    assert [one["id"] for one in film["movie_results"]] == [FILM]
    schema = answer_of("GET", "/3/find/tt0100001")
    assert mismatch(schema, film) is None
    tvdb = next(one.value for one in world.episode(1, 1, 2).ids if one.service == "tvdb")
    _, part = call("GET", f"/find/{tvdb}", external_source="tvdb_id")
    (found,) = part["tv_episode_results"]
    assert (found["show_id"], found["season_number"], found["episode_number"]) == (SHOW, 1, 2)
    assert not part["movie_results"]
    _, nothing = call("GET", "/find/tt9999999", external_source="imdb_id")
    assert set(nothing) == set(schema["properties"])
    assert not any(nothing.values())


def test_writes_answer_as_published(call: Client) -> None:
    listed = {"media_type": "movie", "media_id": FILM, "watchlist": True}
    for method, path, body, code in (
        ("POST", "/account/548/watchlist", listed, 1),
        ("POST", "/account/548/watchlist", listed, 12),
        ("POST", "/account/548/watchlist", listed | {"watchlist": False}, 13),
        ("POST", f"/movie/{FILM}/rating", {"value": 8.5}, 1),
        ("POST", f"/movie/{FILM}/rating", {"value": 9}, 12),
        ("POST", f"/tv/{SHOW}/rating", {"value": 0.5}, 1),
        ("POST", f"{PART}/rating", {"value": 10}, 1),
        ("DELETE", f"{PART}/rating", None, 13),
    ):
        status, told = call(method, path, body)
        assert (told["status_code"], status) == (code, 201 if code in (1, 12) else 200)
        published = answer_of(method, f"/3{path}")["properties"]
        assert mismatch(published["status_message"], told["status_message"]) is None
        assert set(published) <= set(told)
        assert described(method, f"/3{path}")["requestBody"] if body is not None else True


def test_rating_takes_off_the_watchlist_unless_the_user_wants_otherwise(service: Tmdb, call: Client) -> None:
    for keeps in (False, True):
        service.put(Feature.WATCHLIST, [Entry(world.movie(1), Listed())])
        service.keeps_rated = keeps
        call("POST", f"/movie/{FILM}/rating", {"value": 8})
        assert bool(service.listed()) is keeps
        _, states = call("GET", f"/movie/{FILM}/account_states")
        assert (states["watchlist"], states["rated"]) == (keeps, {"value": 8.0})


@pytest.mark.parametrize("value", [0, 0.3, 7.25, 10.5, "8", None, True])
def test_a_rating_off_the_grid_is_refused(call: Client, value: object) -> None:
    status, told = call("POST", f"/movie/{FILM}/rating", {"value": value})
    assert (status, told["status_code"]) == (400, 18)


def test_pages(service: Tmdb, call: Client) -> None:
    service.put(Feature.RATINGS, [Entry(world.movie(n), Rated(80)) for n in range(1, 46)])
    sizes = [len(call("GET", "/account/548/rated/movies", page=page)[1]["results"]) for page in (1, 2, 3, 4)]
    assert sizes == [20, 20, 5, 0]
    _, last = call("GET", "/account/548/rated/movies", page=3)
    assert (last["total_pages"], last["total_results"], last["page"]) == (3, 45, 3)
    _, newest = call("GET", "/account/548/rated/movies", sort_by="created_at.desc")
    assert newest["results"][0]["title"] == "Film 45"
    for page in ("0", "501", "x"):
        status, told = call("GET", "/account/548/rated/movies", page=page)
        assert (status, told["status_code"]) == (400, 22)


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "code"),
    [
        ("GET", "/account", None, {"session_id": "none"}, 3),
        ("GET", "/account/548/rated/movies", None, {"session_id": None}, 3),
        ("GET", "/movie/1", None, {}, 34),
        ("GET", f"/tv/{FILM}", None, {}, 34),
        ("GET", "/nowhere", None, {}, 34),
        ("GET", "/find/tt1", None, {"external_source": "nobody"}, 5),
        ("GET", f"/tv/{SHOW}", None, {"append_to_response": ",".join(f"season/{n}" for n in range(21))}, 27),
        ("POST", "/account/548/watchlist", {"media_type": "tv", "media_id": FILM, "watchlist": True}, {}, 34),
        ("POST", "/account/548/watchlist", {"media_type": "tv", "media_id": "1", "watchlist": True}, {}, 47),
        ("POST", "/authentication/session/new", {"request_token": "none"}, {}, 33),
        ("DELETE", "/authentication/session", {"session_id": "none"}, {}, 34),
    ],
)
def test_refusals(call: Client, method: str, path: str, body: object, query: dict[str, object], code: int) -> None:
    status, told = call(method, path, body, **query)
    assert told == {"success": False, "status_code": code, "status_message": MESSAGES[code][1]}
    assert status == MESSAGES[code][0]


def test_a_login_by_a_request_token(service: Tmdb, call: Client) -> None:
    _, asked = call("GET", "/authentication/token/new")
    body = {"request_token": asked["request_token"]}
    assert call("POST", "/authentication/session/new", body)[1]["status_code"] == 17
    service.approve()
    _, made = call("POST", "/authentication/session/new", body)
    assert mismatch(answer_of("POST", "/3/authentication/session/new"), made) is None
    assert call("GET", "/account", session_id=made["session_id"])[1]["id"] == 548
    assert call("POST", "/authentication/session/new", body)[1]["status_code"] == 33
    assert call("DELETE", "/authentication/session", {"session_id": made["session_id"]})[1] == {"success": True}
    assert call("GET", "/account", session_id=made["session_id"])[0] == 401


def test_seasons_come_with_a_show_that_is_asked_for(call: Client) -> None:
    _, show = call("GET", f"/tv/{SHOW}", append_to_response="external_ids,season/1,season/9")
    assert show["external_ids"]["tvdb_id"] == SHOW
    assert [one["episode_number"] for one in show["season/1"]["episodes"]] == [1, 2]
    assert "season/9" not in show


def test_a_key_a_token_or_neither(service: Tmdb) -> None:
    def status(query: str = "", **headers: str) -> int:
        return service.handle(Request("GET", f"/3/authentication{query}", headers)).status

    assert status(authorization=f"Bearer {TOKEN}") == status(f"?api_key={API_KEY}") == 200
    assert status() == status("?api_key=x") == status(authorization="Bearer x") == 401
    service.token = service.key = None
    assert status(authorization=f"Bearer {TOKEN}") == status(f"?api_key={API_KEY}") == 401


def test_so_many_requests_a_second() -> None:
    now = [100.0]
    with Tmdb(now=lambda: now[0], per_second=3) as service:
        asked = Request("GET", f"/3/authentication?api_key={API_KEY}", {})
        assert [service.handle(asked).status for _ in range(5)] == [200, 200, 200, 429, 429]
        now[0] += 1.5
        assert service.handle(asked).status == 200
