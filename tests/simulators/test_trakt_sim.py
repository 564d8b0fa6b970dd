"""The simulated Trakt is honest: another's client library works with it, and its answers are what Trakt publishes.

The library is `pytrakt`; the published contract is not part of the project, and where it is missing
that half is skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import Feature, Kind
from simulators.trakt import CLIENT_ID, CLIENT_SECRET, Trakt
from simulators.trakt_spec import mismatch, published
from simulators.trakt_user import UNKNOWN
from support import world
from support.httpserver import Request

HEADERS = {
    "content-type": "application/json",
    "trakt-api-version": "2",
    "trakt-api-key": CLIENT_ID,
    "user-agent": "tests/1",
}


@pytest.fixture
def service() -> Iterator[Trakt]:
    with Trakt() as made:
        for number in range(1, 4):
            made.titles.add(world.movie(number))
            for episode in (1, 2):
                made.titles.add(world.episode(number, 1, episode))
        yield made


class Client:
    """Requests that do not go over a wire: what is asked here is the service, not HTTP."""

    def __init__(self, service: Trakt) -> None:
        self.service = service
        self.token = str(service.login()["access_token"])

    def __call__(self, method: str, target: str, body: object = None, **headers: str) -> tuple[int, Any, Any]:
        given = HEADERS | {"authorization": f"Bearer {self.token}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = b"" if body is None else json.dumps(body).encode()
        reply = self.service.handle(Request(method, target, given, data))
        return reply.status, reply.body, reply.headers


@pytest.fixture
def call(service: Trakt) -> Client:
    return Client(service)


# --- the library -----------------------------------------------------------------------------


@pytest.fixture
def library(service: Trakt, tmp_path: Path) -> Iterator[Any]:
    pytest.importorskip("trakt", reason="pytrakt is not installed")
    import trakt.core as core

    before = core.BASE_URL, core.CLIENT_ID, core.CLIENT_SECRET, core.CONFIG_PATH, core.session
    core.BASE_URL, core.CLIENT_ID, core.CLIENT_SECRET = f"{service.url}/", CLIENT_ID, CLIENT_SECRET
    core.CONFIG_PATH = str(tmp_path / "pytrakt.json")
    core.api.cache_clear()
    core.config.cache_clear()
    # What Trakt lets in has a name of its own, and says whose it is.
    core.session = core.requests.Session()
    core.session.headers.update({"User-Agent": "tests/1", "trakt-api-key": CLIENT_ID})
    yield core
    core.session.close()
    core.BASE_URL, core.CLIENT_ID, core.CLIENT_SECRET, core.CONFIG_PATH, core.session = before
    core.api.cache_clear()
    core.config.cache_clear()


@pytest.fixture
def pytrakt(service: Trakt, library: Any) -> Any:
    """The library, logged in by a device."""
    from trakt.auth.device import DeviceAuthAdapter
    from trakt.errors import BadRequestException

    adapter = DeviceAuthAdapter(client=library.api(), config=library.config())
    code = adapter.get_device_code()["device_code"]
    with pytest.raises(BadRequestException):
        adapter.get_device_token(code)
    service.approve()
    token = adapter.get_device_token(code)
    assert token["access_token"] in service.access
    return library


def test_the_library_refreshes_its_token_once(service, pytrakt):
    pytrakt.config().OAUTH_EXPIRES_AT = 1
    before = pytrakt.config().OAUTH_TOKEN
    service.expire()
    import trakt.sync as sync

    assert sync.get_watchlist() == []
    assert before != pytrakt.config().OAUTH_TOKEN
    assert service.calls().count("POST /oauth/token") == 1


def test_the_library_finds_titles(pytrakt):
    import trakt.sync as sync

    (film,) = sync.search_by_id("tt0100001", "imdb", "movie")
    assert (film.title, film.year, film.ids["ids"]["tmdb"]) == ("Film 1", 1951, 100002)
    (episode,) = sync.search_by_id("30101003", "tvdb", "episode")
    assert (episode.season, episode.number) == (1, 2)
    assert sync.search_by_id("tt9999999", "imdb", "movie") == []


def test_the_library_writes_and_reads_the_watchlist(pytrakt):
    import trakt.sync as sync

    (film,) = sync.search_by_id("tt0100001", "imdb", "movie")
    assert sync.add_to_watchlist({"movies": [film.ids]})["added"]["movies"] == 1
    assert sync.add_to_watchlist({"movies": [film.ids]})["existing"]["movies"] == 1
    assert [one.title for one in sync.get_watchlist()] == ["Film 1"]
    assert sync.remove_from_watchlist({"movies": [film.ids]})["deleted"]["movies"] == 1
    assert sync.get_watchlist("movies", "added") == []


def test_the_library_rates(service, pytrakt):
    import trakt.sync as sync

    (film,) = sync.search_by_id("tt0100001", "imdb", "movie")
    # Its `rate` puts the ids where Trakt wants them.
    assert sync.rate(film, 7, "2024-05-01T10:00:00.000Z")["added"]["movies"] == 1
    (held,) = service.user.ratings.values()
    assert (held.value, held.at) == (7, "2024-05-01T10:00:00.000Z")


def test_the_library_writes_and_reads_history(service, pytrakt):
    import trakt.sync as sync

    (film,) = sync.search_by_id("tt0100001", "imdb", "movie")
    for _ in range(2):
        answer = sync.add_to_history(film, world.at(1, seconds=42))
        assert answer["added"]["movies"] == 1
    assert [one.watched_at for one in service.user.history.values()] == ["2024-01-02T12:00:00.000Z"] * 2
    assert [one.title for one in sync.get_watched("movies")] == ["Film 1"]
    assert sync.remove_from_history({"ids": [min(service.user.history)]})["deleted"]["movies"] == 1
    assert sync.remove_from_history({"movies": [film.ids]})["deleted"]["movies"] == 1
    assert not service.user.history


def test_the_library_scrobbles(service, pytrakt):
    import trakt.sync as sync

    (film,) = sync.search_by_id("tt0100001", "imdb", "movie")
    scrobbler = sync.Scrobbler(film, 10.0, "1", "2026-01-01")
    assert scrobbler.pause(40.0)["action"] == "pause"
    (entry,) = sync.get_playback("movies")
    assert (entry.progress, entry.type) == (40.0, "movie")
    assert scrobbler.stop(95.0)["action"] == "scrobble"
    assert sync.get_playback() == []
    assert len(service.user.history) == 1


def test_the_library_reads_page_after_page(service, pytrakt):
    from trakt.pagination import paginate

    service.put(Feature.WATCHLIST, [world.entry(world.movie(n), world.listed(world.at(n))) for n in range(1, 31)])
    service.default = 10
    assert len(paginate("sync/watchlist")) == 30


@pytest.mark.parametrize(("switch", "error"), [("locked", "LockedUserAccount"), ("deleted", "Forbidden")])
def test_the_library_knows_the_refusals(service, pytrakt, switch, error):
    import trakt.errors
    import trakt.sync as sync

    setattr(service, switch, True)
    with pytest.raises(getattr(trakt.errors, f"{error}Exception")):
        sync.get_watchlist()


# --- the published contract -------------------------------------------------------------------


FILM: dict[str, Any] = {"movies": [{"ids": {"imdb": "tt0100001"}}], "episodes": [{"ids": {"trakt": 1}}]}
PLAYED = {"movies": [FILM["movies"][0] | {"watched_at": "2024-01-01T10:00:00.000Z"}]}
RATED = {"movies": [FILM["movies"][0] | {"rating": 8}]}
STOPPED = {"movie": FILM["movies"][0], "progress": 42.5}
CASES = [
    ("GET", "/users/settings", "/users/settings", None),
    ("GET", "/sync/last_activities", "/sync/last_activities", None),
    ("GET", "/sync/history?limit=50", "/sync/history/{type}/{id}", None),
    ("GET", "/sync/ratings/all?limit=50", "/sync/ratings/{type}/{rating}", None),
    ("GET", "/sync/watchlist/all/added/asc", "/sync/watchlist/{type}/{sort_by}/{sort_how}", None),
    ("GET", "/sync/watched/movies", "/sync/watched/{type}", None),
    ("GET", "/sync/watched/shows?extended=progress", "/sync/watched/{type}", None),
    ("GET", "/sync/playback/movies", "/sync/playback/{type}", None),
    ("GET", "/search/imdb/tt0100001?type=movie", "/search/{id_type}/{id}", None),
    ("POST", "/sync/history", "/sync/history", PLAYED),
    ("POST", "/sync/history/remove", "/sync/history/remove", FILM),
    ("POST", "/sync/ratings", "/sync/ratings", RATED),
    ("POST", "/sync/ratings/remove", "/sync/ratings/remove", {"movies": FILM["movies"]}),
    ("POST", "/sync/watchlist", "/sync/watchlist", FILM),
    ("POST", "/sync/watchlist/remove", "/sync/watchlist/remove", FILM),
    ("POST", "/scrobble/pause", "/scrobble/pause", STOPPED),
    ("POST", "/oauth/device/code", "/oauth/device/code", {"client_id": CLIENT_ID}),
]


@pytest.mark.parametrize(("method", "target", "path", "body"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES])
def test_answers_are_what_trakt_publishes(service, call, method, target, path, body):
    titles = [world.movie(1), world.episode(1, 1, 2)]
    for feature in (Feature.HISTORY, Feature.RATINGS, Feature.WATCHLIST, Feature.PROGRESS):
        service.put(feature, [world.entry(title, world.value(feature, 1)) for title in titles])
    status, answer, _headers = call(method, target, body)
    responses = published()[path][method.lower()]["responses"]
    # The contract says 200 for history, the service 201.
    described = responses.get(str(status)) or responses["200"]
    assert mismatch(described["content"]["application/json"]["schema"], answer) is None
    assert status in (200, 201)


def test_the_tokens_are_what_trakt_publishes(service, call):
    body = {"grant_type": "refresh_token", "redirect_uri": "urn:ietf:wg:oauth:2.0:oob", "client_id": CLIENT_ID}
    body |= {"client_secret": CLIENT_SECRET, "refresh_token": min(service.refresh)}
    for wanted in (200, 400):
        status, answer, _headers = call("POST", "/oauth/token", body)
        assert status == wanted
        schema = published()["/oauth/token"]["post"]["responses"][str(status)]["content"]["application/json"]["schema"]
        assert mismatch(schema, answer) is None


# --- what is strict or odd ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"user_agent": "python-httpx/0.27"}, 403),
        ({"user_agent": ""}, 403),
        ({"trakt_api_version": "1"}, 412),
        ({"content_type": "text/plain"}, 412),
        ({"trakt_api_key": "x"}, 403),
        ({"authorization": "Bearer x"}, 401),
    ],
)
def test_what_trakt_refuses_is_refused(call, headers, status):
    assert call("GET", "/sync/watchlist", None, **headers)[0] == status


def test_limits_are_clamped_and_holes_are_left(service, call):
    service.put(Feature.WATCHLIST, [world.entry(world.movie(n), world.listed(world.at(n))) for n in range(1, 301)])
    service.hidden = {service.titles.of(world.movie(n)).key for n in range(1, 251)}
    status, body, headers = call("GET", "/sync/watchlist?limit=1000")
    assert (status, body) == (200, [])
    assert (headers["X-Pagination-Limit"], headers["X-Pagination-Page-Count"]) == ("250", "2")
    assert len(call("GET", "/sync/watchlist?limit=1000&page=2")[1]) == 50
    service.page_headers = False
    assert "X-Pagination-Page" not in call("GET", "/sync/watchlist")[2]


def test_times_of_plays(service, call):
    film = FILM["movies"][0]
    for sent in ("2024-05-01T10:00:42.000Z", "unknown", 1714557642, None):
        call("POST", "/sync/history", {"movies": [film | {"watched_at": sent}]})
    first, unknown, *rest = [one.watched_at for one in service.user.history.values()]
    assert (first, unknown) == ("2024-05-01T10:00:00.000Z", UNKNOWN)
    assert all(at > "2026" for at in rest), "what cannot be read is now"


def test_a_show_is_all_its_episodes_and_leaves_the_watchlist(service, call):
    show = {"ids": {"tvdb": 2000002}}
    call("POST", "/sync/watchlist", {"shows": [show]})
    status, body, _headers = call("POST", "/sync/history", {"shows": [show]})
    assert (status, body["added"]) == (201, {"movies": 0, "episodes": 2})
    assert not service.user.watchlist


def test_an_unknown_number_is_in_the_count_only(call):
    show = {"ids": {"tvdb": 2000002}, "seasons": [{"number": 1, "episodes": [{"number": 2}, {"number": 99}]}]}
    body = call("POST", "/sync/history", {"shows": [show]})[1]
    assert body["added"]["episodes"] == 1
    assert not any(body["not_found"].values())


def test_a_full_account_refuses_the_whole_write(service, call):
    service.user.limits["watchlist"] = 1
    films = {"movies": [{"ids": {"imdb": f"tt010000{n}"}} for n in (1, 2)]}
    status, _body, headers = call("POST", "/sync/watchlist", films)
    assert (status, headers["X-Account-Limit"]) == (420, "1")
    assert not service.user.watchlist


def test_writes_have_a_pace_and_reads_a_window():
    at = [1_800_000_000.0]
    with Trakt(now=lambda: at[0], pace=True) as service:
        call = Client(service)
        service.titles.add(world.movie(1))
        assert [call("POST", "/sync/watchlist", FILM)[0] for _ in range(2)] == [201, 429]
        at[0] += 1
        assert call("POST", "/sync/watchlist", FILM)[0] == 201
        statuses = [call("GET", "/sync/last_activities")[0] for _ in range(1001)]
        assert statuses == [200] * 1000 + [429]
        _status, _body, headers = call("GET", "/sync/last_activities")
        assert headers["Retry-After"] == "301"
        at[0] += timedelta(minutes=6).total_seconds()
        assert call("GET", "/sync/last_activities")[0] == 200


def test_stamps_move_with_adds_and_removals_only(service, call):
    def stamps():
        return call("GET", "/sync/last_activities")[1]

    seen = [stamps()]
    for path in ("watchlist", "watchlist/remove"):
        call("POST", f"/sync/{path}", FILM)
        seen.append(stamps())
    assert len({one["watchlist"]["updated_at"] for one in seen}) == 3
    assert len({one["movies"]["rated_at"] for one in seen}) == 1
    call("POST", "/sync/watchlist/remove", FILM)
    assert stamps() == seen[-1]


def test_reads_that_lag(service, call):
    service.user.lag()
    call("POST", "/sync/watchlist", FILM)
    assert call("GET", "/sync/watchlist")[1] == []
    service.user.settle()
    assert len(call("GET", "/sync/watchlist")[1]) == 1


def test_a_refresh_token_is_good_once_and_another_application_never(service, call):
    body = {"grant_type": "refresh_token", "redirect_uri": "urn:ietf:wg:oauth:2.0:oob"}
    body |= {"refresh_token": min(service.refresh), "client_id": CLIENT_ID, "client_secret": "wrong"}
    assert call("POST", "/oauth/token", body)[0] == 401
    body["client_secret"] = CLIENT_SECRET
    assert [call("POST", "/oauth/token", body)[0] for _ in range(2)] == [200, 400]


def test_a_second_scrobble_within_the_hour_is_a_conflict(service, call):
    body = {"movie": FILM["movies"][0], "progress": 95}
    assert [call("POST", "/scrobble/stop", body)[0] for _ in range(2)] == [201, 409]
    assert [call("POST", "/scrobble/pause", body | {"progress": 0.5})[0]] == [422]
    assert Kind.MOVIE in {one.title.kind for one in service.user.history.values()}
