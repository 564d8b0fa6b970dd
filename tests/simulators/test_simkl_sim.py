"""The simulated SIMKL is honest: its answers have the members that were recorded and described, and its own oddities.

The recordings are not part of the project; where they are missing that half is skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from cwsync.model import Feature
from simulators.simkl import CLIENT_ID, DEVICE_GRANT, OLD_CLIENT_ID, SCOPE, Simkl
from simulators.simkl_spec import mismatch, recorded, shapes
from simulators.simkl_user import UNKNOWN
from support import world
from support.httpserver import Request
from support.network import Clock

COMMON = {"client_id": CLIENT_ID, "app-name": "tests", "app-version": "1"}
FULL = "extended=full&episode_watched_at=yes&include_all_episodes={}&memos=yes"
AT = "2026-10-01T12:34:56Z"


@pytest.fixture
def clock() -> Clock:
    return Clock(1_700_000_000.0)


@pytest.fixture
def service(clock: Clock) -> Iterator[Simkl]:
    with Simkl(now=clock) as made:
        for number in (1, 2, 3):
            made.titles.add(world.movie(number, services="imdb tmdb"))
            for episode in (1, 2, 3):
                made.titles.add(world.episode(number, 1, episode))
        ids = {"mal": "90001", "anidb": "90002", "anilist": "90003", "kitsu": "90004", "tvdb": "800009"}
        made.titles.anime(ids, "Fixture Anime", at=9903, count=2)
        made.titles.anime(ids | {"mal": "90011"}, "Fixture Anime II", at=9904, count=3, season=2)
        yield made


class Client:
    """Requests that do not go over a wire: what is asked here is the service, not HTTP."""

    def __init__(self, service: Simkl) -> None:
        self.service = service
        self.headers = {"user-agent": "tests/1", "authorization": f"Bearer {service.login().access}"}
        self.common = dict(COMMON)

    def __call__(self, method: str, target: str, body: Any = None, *, form: bool = False) -> tuple[int, Any, Any]:
        path, _, query = target.partition("?")
        address = f"{path}?{urlencode(self.common)}" + (f"&{query}" if query else "")
        if form:
            data, kind = urlencode(body or {}).encode(), "application/x-www-form-urlencoded"
        else:
            data, kind = b"" if body is None else json.dumps(body).encode(), "application/json"
        reply = self.service.handle(Request(method, address, self.headers | {"content-type": kind}, data))
        found = json.loads(reply.body) if isinstance(reply.body, bytes) else reply.body
        return reply.status, found, reply.headers

    def get(self, target: str) -> Any:
        status, found, _ = self("GET", target)
        assert status == 200, found
        return found

    def post(self, path: str, body: object) -> Any:
        status, found, _ = self("POST", path, body)
        assert status == 201, found
        return found


@pytest.fixture
def call(service: Simkl) -> Client:
    return Client(service)


def film(n: int, **more: object) -> dict[str, object]:
    return {"ids": {one.service: one.value for one in world.movie(n).ids}} | more


def show(n: int, **more: object) -> dict[str, object]:
    return {"ids": {one.service: one.value for one in world.show(n).ids}} | more


def one_season(*numbers: int, season: int = 1, at: str = AT) -> dict[str, object]:
    return {"seasons": [{"number": season, "episodes": [{"number": n, "watched_at": at} for n in numbers]}]}


@pytest.fixture
def full(call: Client) -> Client:
    """An account with something of everything."""
    call.post("/sync/history", {"movies": [film(1, watched_at=AT)], "shows": [show(1, **one_season(1, 2))]})
    anime = {"ids": {"simkl": 9903}} | one_season(1, 2)
    call.post("/sync/history", {"shows": [anime]})
    call.post("/sync/ratings", {"shows": [show(1, rating=8, rated_at=AT)]})
    return call


# --- the answers as described --------------------------------------------------------------------


def rows_alike(shape: Any, found: Any) -> None:
    for part in ("shows", "movies", "anime"):
        for row in found[part]:
            row["memo"] = shape[part][0]["memo"]
            assert mismatch(shape[part][0], row, part, free=frozenset({"ids"})) is None


def test_a_library_has_the_members_of_the_description(full: Client) -> None:
    shape = shapes()["GET /sync/all-items?extended=full&episode_watched_at=yes&include_all_episodes=original&memos=yes"]
    found = full.get(f"/sync/all-items?{FULL.format('original')}")
    anime = full.get(f"/sync/all-items/anime?{FULL.format('original')}".replace("=full&", "=full_anime_seasons&"))
    rows_alike(shape, found | anime)
    wanted = shapes()["GET /sync/all-items?extended=simkl_ids_only"]
    assert mismatch(wanted, full.get("/sync/all-items?extended=simkl_ids_only")) is None


def test_a_library_has_the_members_of_a_recording(full: Client) -> None:
    """Recorded without details, in a year in which fewer members were told."""
    shape, found = recorded("all_items"), full.get("/sync/all-items")
    new = {"added_to_watchlist_at", "user_rated_at"}
    for part in ("shows", "movies"):
        for told in found[part]:
            row = {name: value for name, value in told.items() if name not in new}
            like = {name: value for name, value in shape[part][0].items() if name in row}
            thing = "movie" if part == "movies" else "show"
            row[thing].pop("runtime")
            assert mismatch(like, row, part, free=frozenset({"ids"})) is None
            assert set(shape[part][0]) == set(row)


@pytest.mark.parametrize("name", ["GET /sync/activities", "GET /sync/activities (new account)"])
def test_the_stamps_are_those_of_the_description(call: Client, name: str) -> None:
    assert mismatch(shapes()[name], call.get("/sync/activities")) is None


def test_the_stamps_are_those_of_a_recording_but_for_a_name(call: Client) -> None:
    found, told = call.get("/sync/activities"), recorded("last_activities")
    for part in ("tv_shows", "movies", "anime"):
        assert set(told[part]) - {"notinteresting"} <= set(found[part])


def test_writes_are_answered_as_described(call: Client) -> None:
    body = {"movies": [film(1, watched_at=AT)], "shows": [show(1, **one_season(1))]}
    shape = shapes()["POST /sync/history"]["body"]
    found = call.post("/sync/history", body)
    for one in found["added"]["statuses"]:
        assert mismatch(shape["added"]["statuses"][0], one, free=frozenset({"ids"})) is None
    assert mismatch(shape, found | {"added": found["added"] | {"statuses": []}}) is None
    wish = {"movies": [film(2, to="plantowatch")], "shows": [show(2, to="watching")]}
    found = call.post("/sync/add-to-list", wish)
    assert mismatch(shapes()["POST /sync/add-to-list"]["body"], found, free=frozenset({"ids"})) is None
    assert mismatch(recorded("wl_sync_status"), found, free=frozenset({"ids"})) is None
    found = call.post("/sync/ratings", {"movies": [film(1, rating=8), {"ids": {"imdb": "tt0000000"}, "rating": 8}]})
    assert mismatch(shapes()["POST /sync/ratings"]["body"], found, free=frozenset({"ids"})) is None
    found = call.post("/sync/ratings/remove", {"movies": [film(1)]})
    assert mismatch(shapes()["POST /sync/ratings/remove"]["body"], found) is None
    found = call.post("/sync/history/remove", {"movies": [film(1)]})
    assert mismatch(shapes()["POST /sync/history/remove"]["body"], found) is None
    assert mismatch(recorded("sync_status_removed"), found) is None


def test_what_is_not_known_is_listed_as_recorded(call: Client) -> None:
    unknown = {
        "movies": [{"ids": {"imdb": "tt99"}}],
        "shows": [{"ids": {"simkl": 99}}],
        "episodes": [{"ids": {"tvdb": 9}}],
    }
    found, told = call.post("/sync/history", unknown), recorded("add_to_history_nf")
    assert {name: len(rows) for name, rows in found["not_found"].items()} == dict.fromkeys(told["not_found"], 1)
    assert {name: count for name, count in found["added"].items() if name != "statuses"} == told["added"]


def test_a_rating_that_is_gone_is_told_as_null(full: Client, clock: Clock) -> None:
    before = full.get("/sync/activities")["all"]
    clock.at += 10
    full.post("/sync/ratings/remove", {"shows": [show(1)]})
    found = full.get(f"/sync/ratings?date_from={before}")
    assert [row["user_rating"] for row in found["shows"]] == [None]
    shape = shapes()["GET /sync/ratings?date_from="]["movies"][0]
    assert set(shape) - {"movie"} <= set(found["shows"][0])
    assert full.get(f"/sync/all-items/shows?date_from={before}") == {"movies": []}, (
        "a rating is no change of the library"
    )


def test_lookups_are_answered_as_recorded(full: Client) -> None:
    ids = [{"type": "movie", "imdb": film(1)["ids"]["imdb"]}, {"type": "movie", "imdb": "tt0100002"}]  # type: ignore[index]
    status, found, _ = full("POST", "/sync/watched", [*ids, {"type": "movie", "imdb": "tt99"}])
    assert status == 200
    assert [one["result"] for one in found] == [True, False, "not_found"]
    told = recorded("is_watching")
    assert [set(one) - {"imdb", "simkl", "type"} for one in found] == [set(one) - {"imdb", "simkl"} for one in told]


def test_whose_account_it_is(call: Client) -> None:
    assert mismatch(recorded("user_info"), call.get("/users/settings")) is None


# --- oddities ------------------------------------------------------------------------------------


def test_only_what_is_newer_is_a_change(call: Client, clock: Clock) -> None:
    call.post("/sync/history", {"movies": [film(1, watched_at=AT)]})
    at = call.get("/sync/activities")["all"]
    call.post("/sync/history", {"movies": [film(2, watched_at=AT)]})  # within the same second: not seen
    assert call.get(f"/sync/all-items/movies?date_from={at}") == {"movies": []}
    clock.at += 1
    call.post("/sync/history", {"movies": [film(3, watched_at=AT)]})
    assert len(call.get(f"/sync/all-items/movies?date_from={at}")["movies"]) == 1


def test_the_same_play_again_changes_nothing(call: Client) -> None:
    for at in (AT, "2026-10-05T00:00:00Z"):
        call.post("/sync/history", {"movies": [film(1, watched_at=at)]})
    (row,) = call.get("/sync/all-items/movies")["movies"]
    assert (row["status"], row["last_watched_at"]) == ("completed", AT)


def test_a_date_before_2000_is_none(call: Client) -> None:
    call.post("/sync/history", {"movies": [film(1, watched_at="1970-01-01T00:00:01Z")]})
    assert call.get("/sync/all-items/movies")["movies"][0]["last_watched_at"] == UNKNOWN


def test_a_wish_takes_a_film_out_of_what_was_watched(call: Client) -> None:
    call.post("/sync/history", {"movies": [film(1, watched_at=AT)]})
    call.post("/sync/add-to-list", {"movies": [film(1, to="plantowatch")]})
    assert call.get("/sync/all-items/movies")["movies"][0]["status"] == "plantowatch"


def test_a_removal_takes_the_rating_along_and_leaves_no_trace_but_a_stamp(call: Client, clock: Clock) -> None:
    call.post("/sync/ratings", {"movies": [film(1, rating=7)]})
    assert call.get("/sync/all-items/movies")["movies"][0]["status"] == "completed", "it was filed as watched"
    before = call.get("/sync/activities")["all"]
    clock.at += 10
    call.post("/sync/history/remove", {"movies": [film(1)]})
    assert call.get(f"/sync/all-items?date_from={before}") == {"movies": []}
    assert call.get("/sync/activities")["movies"]["removed_from_list"] > before
    call.post("/sync/history", {"movies": [film(1, watched_at=AT)]})
    (row,) = call.get("/sync/all-items/movies")["movies"]
    assert row["user_rating"] is None


def test_a_show_without_episodes_is_every_episode_of_it(call: Client) -> None:
    found = call.post("/sync/history", {"shows": [show(1, watched_at=AT)]})
    assert found["added"]["episodes"] == 3
    original = call.get(f"/sync/all-items/shows?{FULL.format('original')}")["shows"][0]
    assert (original["watched_episodes_count"], "seasons" in original) == (3, False)
    made_up = call.get(f"/sync/all-items/shows?{FULL.format('yes')}")["shows"][0]["seasons"][0]["episodes"]
    assert [one["watched_at"] for one in made_up] == [AT] * 3


def test_anime_is_known_by_its_own_numbers_and_by_those_of_tvdb(call: Client) -> None:
    call.post(
        "/sync/history",
        {"shows": [{"ids": {"tvdb": 800009}, "use_tvdb_anime_seasons": True} | one_season(2, season=2)]},
    )
    call.post("/sync/history", {"shows": [{"ids": {"mal": "90001"}} | one_season(1)]})
    query = FULL.format("original").replace("=full&", "=full_anime_seasons&")
    rows = {row["show"]["ids"]["simkl"]: row for row in call.get(f"/sync/all-items/anime?{query}")["anime"]}
    assert rows[9903]["seasons"][0]["episodes"][0] == {
        "number": 1,
        "watched_at": AT,
        "tvdb": {"season": 1, "episode": 1},
    }
    assert rows[9904]["seasons"][0]["episodes"][0] == {
        "number": 2,
        "watched_at": AT,
        "tvdb": {"season": 2, "episode": 2},
    }
    assert rows[9904]["mapped_tvdb_seasons"] == [2]
    found = call.post("/sync/history/remove", {"anime": [{"ids": {"simkl": 9903}}]})
    assert found["deleted"] == {"movies": 0, "shows": 0, "episodes": 0}, "a removal has no list of anime"


@pytest.mark.parametrize("empty", [{}, [], None, "part"])
def test_nothing_has_many_forms(service: Simkl, call: Client, empty: object) -> None:
    service.empty = empty
    assert call.get("/sync/all-items/movies") == ({"movies": []} if empty == "part" else empty)


def test_a_request_has_to_say_who_asks(call: Client) -> None:
    for missing in COMMON:
        call.common = {name: text for name, text in COMMON.items() if name != missing}
        status, found, _ = call("GET", "/sync/activities")
        assert (status, found["error"]) == (412, "client_id_failed")
        assert found == {**shapes()["errors"]["412"]}
    call.common, call.headers["user-agent"] = dict(COMMON), "nobody"
    assert call("GET", "/sync/activities")[0] == 412


def test_tokens_are_good_for_their_own_application_and_right(service: Simkl, call: Client) -> None:
    service.grants[0].scope = "media:read"
    call.get("/sync/activities")
    assert call("POST", "/sync/history", {})[:2] == (403, shapes()["errors"]["403_scope"])
    assert call("GET", "/sync/activities", {})[0] == 403, "a body makes it a write"
    call.headers["authorization"] = "Bearer simkl_at_unknown"
    assert call("GET", "/sync/activities")[:2] == (401, shapes()["errors"]["401_v2"])
    call.headers["authorization"] = f"Bearer {service.old_login()}"
    assert call("GET", "/sync/activities")[:2] == (401, shapes()["errors"]["401_v1"])
    call.common["client_id"] = OLD_CLIENT_ID
    call.get("/sync/activities")
    del call.headers["authorization"]
    assert call("GET", "/sync/activities")[:2] == (401, shapes()["errors"]["401_none"])


def test_four_ways_to_be_too_fast(service: Simkl, call: Client) -> None:
    service.bursts = 1
    status, found, headers = call("GET", "/sync/activities")
    assert (status, found) == (429, shapes()["errors"]["429_burst"])
    assert int(headers["Retry-After"]) > 60, "that of the day, whatever was exceeded"
    service.locks = 1
    assert call("POST", "/sync/history", {})[1]["error"] == shapes()["errors"]["400_lock"][0]["error"]
    service.used = service.quota
    assert call("GET", "/sync/activities")[1]["error"] == shapes()["errors"]["429_user"]["error"]
    call.headers["authorization"] = f"Bearer {service.old_login()}"
    call.common["client_id"] = OLD_CLIENT_ID
    assert call("GET", "/sync/activities")[1] == shapes()["errors"]["429_app"]


def test_the_quota_is_told_from_the_second_answer_on(call: Client) -> None:
    told = [call("GET", "/sync/activities")[2].get("X-RateLimit-Remaining") for _ in range(3)]
    assert told == [None, "498", "497"]


def test_a_library_may_be_too_large_to_come_at_once(service: Simkl, call: Client) -> None:
    service.put(Feature.WATCHLIST, [world.entry(world.movie(n), world.listed(world.at(n))) for n in range(1, 5)])
    service.max_items = 3
    assert call("GET", "/sync/all-items/movies")[:2] == (400, shapes()["errors"]["400_max"])
    assert len(call.get("/sync/all-items?extended=simkl_ids_only")["movies"]) == 4


def test_a_login_of_the_new_kind(service: Simkl, call: Client) -> None:
    del call.headers["authorization"]
    status, found, _ = call("POST", "/oauth2/device", {"client_id": CLIENT_ID, "scope": SCOPE}, form=True)
    assert (status, mismatch(shapes()["POST /oauth2/device"]["body"], found)) == (200, None)
    form = {"grant_type": DEVICE_GRANT, "device_code": found["device_code"], "client_id": CLIENT_ID}
    described = shapes()["POST /oauth2/token (device)"]
    status, waiting, _ = call("POST", "/oauth2/token", form, form=True)
    assert (status, mismatch(described["400_pending"], waiting)) == (400, None)
    service.approve()
    status, tokens, _ = call("POST", "/oauth2/token", form, form=True)
    assert (status, mismatch(described["200"], tokens)) == (200, None)
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": CLIENT_ID}
    again = call("POST", "/oauth2/token", form, form=True)[1]
    assert again["refresh_token"] == tokens["refresh_token"]
    call.headers["authorization"] = f"Bearer {tokens['access_token']}"
    assert call("GET", "/sync/activities")[0] == 401, "the old access token ends at once"
    status, found, _ = call("POST", "/oauth2/device", {"client_id": OLD_CLIENT_ID}, form=True)
    assert (status, found["error"]) == (401, described["401"]["error"])


def test_a_login_of_the_old_kind(call: Client) -> None:
    assert call("GET", "/oauth/pin")[1]["error"] == "unauthorized_client"
    call.common["client_id"] = OLD_CLIENT_ID
    found = call.get("/oauth/pin")
    assert mismatch(shapes()["GET /oauth/pin (V1)"], found) is None
    assert call.get(f"/oauth/pin/{found['user_code']}") == shapes()["GET /oauth/pin/{code} (V1)"][0]
