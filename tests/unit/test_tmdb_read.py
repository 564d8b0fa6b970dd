"""Reading TMDb: every page, and what is said when there may be more; who we are, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cwsync.errors import AuthError, ConfigError, CwsyncError, UnavailableError
from cwsync.model import AccountSpec, Entry, Feature, Item, Kind, Listed, Rated, Snapshot, external_id
from cwsync.provider import Services
from cwsync.providers._tmdbcalls import address_of
from cwsync.providers._tmdbwire import (
    Place,
    RowError,
    States,
    decode_entry,
    decode_states,
    place_named,
    place_of,
    stars,
)
from cwsync.providers.tmdb import Tmdb as Provider
from simulators.tmdb import API_KEY, TOKEN, Tmdb
from simulators.tmdb_account import logged_in, spec, use
from support import world
from support.httpserver import Do, Reply, Request, answer, cut_json, drop_before, html, status
from support.logins import Session
from support.network import Time


@pytest.fixture
def service() -> Iterator[Tmdb]:
    with Tmdb() as made:
        yield made


def films(count: int) -> list[Entry]:
    return [Entry(world.movie(n), Rated(5 * (n % 20) + 5)) for n in range(1, count + 1)]


def read(service: Tmdb, feature: Feature = Feature.RATINGS, **more: Any) -> Snapshot:
    return use(service, lambda provider: provider.fetch(feature), **more)


# --- lists ----------------------------------------------------------------------------------------


def test_every_kind_and_every_id_tmdb_tells(service: Tmdb) -> None:
    show, part = world.show(2), world.episode(2, 0, 3)
    service.put(Feature.RATINGS, [Entry(world.movie(1), Rated(75)), Entry(show, Rated(5)), Entry(part, Rated(100))])
    film, of, episode = read(service).entries
    assert (film.item.ids, film.item.title, film.item.year) == (("tmdb_movie:100002",), "Film 1", 1951)
    assert (film.value, film.native_key) == (Rated(75), "movie/100002")
    assert (of.item.ids, of.value, of.native_key) == (("tmdb_show:2000003",), Rated(5), "tv/2000003")
    assert (episode.item.season, episode.item.number, episode.item.show_ids) == (0, 3, ("tmdb_show:2000003",))
    assert episode.item.label() == "Show 2 S00E03 Episode 0.3"
    assert (episode.value, episode.native_key) == (Rated(100), "tv/2000003/season/0/episode/3")
    assert len(episode.item.ids) == 1


def test_a_film_and_a_show_of_one_number_are_two(service: Tmdb) -> None:
    ids = [Item(kind, (external_id("tmdb", kind, 25),), f"{kind}") for kind in (Kind.MOVIE, Kind.SHOW)]
    service.put(Feature.WATCHLIST, [Entry(item, Listed()) for item in ids])
    found = read(service, Feature.WATCHLIST)
    assert [entry.native_key for entry in found.entries] == ["movie/25", "tv/25"]
    assert {entry.item.ids for entry in found.entries} == {("tmdb_movie:25",), ("tmdb_show:25",)}
    assert {entry.value for entry in found.entries} == {Listed()}


def test_every_page_and_the_newest_rows_once_more(service: Tmdb) -> None:
    service.put(Feature.RATINGS, films(45))
    found = read(service)
    assert (found.complete, len(found.entries), found.requests) == (True, 45, 6)
    assert [request.query.get("page") for request in service.log if "rated/movies" in request.path][-1] == "1"
    assert found.server_now is not None
    assert found.watermark is None


def test_small_lists_are_one_request_each(service: Tmdb) -> None:
    service.put(Feature.WATCHLIST, [Entry(world.movie(n), Listed()) for n in range(1, 21)])
    found = read(service, Feature.WATCHLIST)
    assert (found.requests, len(service.log)) == (2, 3)


def test_more_than_can_be_had_is_said(service: Tmdb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cwsync.providers._tmdbread.PAGES", 3)
    service.put(Feature.RATINGS, films(61))
    found = read(service)
    assert not found.complete
    assert len(found.entries) == 60
    assert found.doubt == "rated/movies: it has 61 rows, and TMDb shows no more than 60"
    assert sorted(int(request.query["page"]) for request in service.log if "movies" in request.path) == [1, 2, 3]


def test_rows_that_are_left_out_prove_no_absence(service: Tmdb) -> None:
    service.put(Feature.RATINGS, films(25))
    service.hidden = {(Kind.MOVIE, 100_005)}
    found = read(service)
    assert (found.complete, len(found.entries)) == (False, 24)
    assert found.doubt == "rated/movies: 24 rows came of 25"


@pytest.mark.parametrize("times", [1, 3])
def test_a_list_that_changes_while_it_is_read_is_read_again(service: Tmdb, times: int) -> None:
    """One is taken away and one is put there: the count stays the same."""
    service.put(Feature.RATINGS, films(45))
    left = [times]

    def shifts(request: Request, handler: Any) -> Reply:
        reply: Reply = handler(request)
        if request.query["page"] == "1" and left[0] > 0:
            left[0] -= 1
            del service.account.ratings[next(reversed(service.account.ratings))]
            title = service.titles.add(world.movie(100 + left[0]))
            service.account.ratings[title.key] = (title, 5.0)
        return reply

    service.fault(shifts, path="rated/movies", times=None)
    found = read(service)
    assert found.complete is (times == 1)
    if times == 1:
        assert {entry.item.title for entry in found.entries} == set(service.scores())
    else:
        assert "changed while it was read" in str(found.doubt)


ROW = {"id": 603, "title": "The One", "release_date": "1999-03-30", "rating": 8.5}
PART = {"id": 9, "show_id": 1399, "season_number": 1, "episode_number": 2, "name": "Two", "rating": 7}


@pytest.mark.parametrize(
    ("kind", "row", "why", "known"),
    [
        (Kind.MOVIE, "nothing", "no object", False),
        (Kind.MOVIE, ROW | {"id": None}, "has no id", False),
        (Kind.MOVIE, ROW | {"id": "603"}, "has no id", False),
        (Kind.MOVIE, ROW | {"id": 0}, "has no id", False),
        (Kind.MOVIE, ROW | {"rating": "8"}, "0.5 to 10", True),
        (Kind.MOVIE, ROW | {"rating": 11}, "0.5 to 10", True),
        (Kind.MOVIE, ROW | {"rating": True}, "0.5 to 10", True),
        (Kind.EPISODE, PART | {"show_id": None}, "has no id", True),
        (Kind.EPISODE, PART | {"season_number": None}, "no number", True),
        (Kind.EPISODE, PART | {"episode_number": -1}, "no number", True),
    ],
)
def test_rows_that_cannot_be_read(kind: Kind, row: object, why: str, known: bool) -> None:
    with pytest.raises(RowError, match=why) as caught:
        decode_entry(Feature.RATINGS, kind, row, {})
    assert (caught.value.item is not None) is known


@pytest.mark.parametrize("rating", [None, 0, 0.0])
def test_a_rating_of_nothing_is_none(rating: object) -> None:
    assert decode_entry(Feature.RATINGS, Kind.MOVIE, ROW | {"rating": rating}, {}) is None


def test_dates_and_names_may_be_missing() -> None:
    for nothing in ("", None):
        row = {"id": 1, "rating": 8.5, "release_date": nothing, "title": nothing}
        bare = decode_entry(Feature.RATINGS, Kind.MOVIE, row, {})
        assert bare is not None
        assert (bare.item.title, bare.item.year, bare.value) == (None, None, Rated(85))


def test_a_row_without_an_id_leaves_the_list_in_doubt(service: Tmdb) -> None:
    body = {"page": 1, "results": [ROW, {"title": "?", "rating": 8}, ROW | {"id": 604, "rating": "x"}]}
    service.fault(answer(Reply(body | {"total_pages": 1, "total_results": 3})), path="rated/movies")
    found = read(service)
    assert (len(found.entries), found.complete) == (1, False)
    assert [one.item is None for one in found.undecoded] == [True, False]
    assert found.undecoded[0].where == "ratings movie row 2"


def test_the_grid_goes_there_and_back() -> None:
    for score in range(5, 101, 5):
        entry = decode_entry(Feature.RATINGS, Kind.MOVIE, ROW | {"rating": stars(score)}, {})
        assert entry is not None
        assert entry.value == Rated(score)
    assert [stars(score) for score in (1, 2, 98, 100)] == [0.5, 0.5, 10, 10]


def test_names_of_rows() -> None:
    for place in (Place(Kind.MOVIE, 1), Place(Kind.SHOW, 2), Place(Kind.EPISODE, 3, 0, 0)):
        assert place_named(place.path) == place
    wrong = ("", "movie/0", "movie/1/season/1/episode/1", "tv/1/season/1", "tv/1/../account", "movie/1 ", "tv/x")
    assert {place_named(name) for name in wrong} == {None}
    assert place_of(world.season(1, 1)) is None
    assert place_of(world.episode(1, 1, 1, placed=False)) is None
    assert place_of(world.episode(1, 0, 0)) == Place(Kind.EPISODE, 2_000_002, 0, 0)


@pytest.mark.parametrize("found", [None, [], {}, {"rated": None}, {"rated": True}, {"rated": {"value": "x"}}])
def test_states_that_say_nothing(found: object) -> None:
    with pytest.raises(ValueError, match="whether the title is rated"):
        decode_states(found)


def test_states() -> None:
    assert decode_states({"rated": {"value": 1.0}, "watchlist": False}) == States(10, listed=False)
    for nothing in (False, {"value": 0}, {"value": None}):
        assert decode_states({"rated": nothing, "watchlist": True}) == States(None, listed=True)


# --- answers that are none ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "no page of a list"),
        ({"page": 1, "results": []}, "no page of a list"),
        ({"page": 1, "results": {}, "total_pages": 1, "total_results": 0}, "no page of a list"),
        ({"page": 1, "results": [], "total_pages": -1, "total_results": 0}, "no page of a list"),
        ({"page": 2, "results": [], "total_pages": 2, "total_results": 30}, "page 1 was asked for, page 2 came"),
    ],
)
def test_a_page_of_another_shape_is_a_failed_read(service: Tmdb, body: object, words: str) -> None:
    service.fault(answer(Reply(body)), path="rated/tv$")
    with pytest.raises(UnavailableError, match=words):
        read(service)


@pytest.mark.parametrize("fault", [html(200), html(403), cut_json(), status(500), status(404), drop_before()])
def test_a_failed_read_raises(service: Tmdb, fault: Do) -> None:
    service.put(Feature.RATINGS, films(45))
    service.fault(fault, path="rated/movies", nth=2, times=None)
    with pytest.raises(UnavailableError):
        read(service)


def test_being_told_to_slow_down_is_waited_for(service: Tmdb) -> None:
    time = Time()
    service.fault(status(429, retry_after="3"), path="rated/movies")
    assert read(service, time=time).complete
    assert time.slept[0] >= 3


def test_no_more_than_they_take() -> None:
    time = Time()
    with Tmdb(now=time.clock, per_second=40) as service:
        service.put(Feature.RATINGS, films(1000))
        found = read(service, time=time)
    assert (found.complete, len(found.entries), found.requests) == (True, 1000, 53)
    assert not [call for call in service.log if call.method != "GET"]
    assert sum(time.slept) > 1


# --- who we are -----------------------------------------------------------------------------------


def test_opening_is_one_request(service: Tmdb) -> None:
    async def name(provider: Provider) -> tuple[str, int]:
        return provider.account_id, provider.requests

    assert use(service, name) == ("tmdb:548", 1)
    assert service.calls() == ["GET /3/account"]


@pytest.mark.parametrize(
    ("told", "words", "hint"),
    [
        (7, "does not know the application", "https://www.themoviedb.org/settings/api"),
        (10, "has suspended the application", "https://www.themoviedb.org/settings/api"),
        (3, "does not take the login", "cwsync auth login mine"),
        (17, "does not take the login", "cwsync auth login mine"),
        (30, "does not let this user in", "only TMDb can help"),
        (31, "the account is disabled", "only TMDb can help"),
        (32, "never confirmed", "only TMDb can help"),
        (99, "does not take the login", "cwsync auth login mine"),
    ],
)
def test_refusals_are_told_apart(service: Tmdb, told: int, words: str, hint: str) -> None:
    body = {"success": False, "status_code": told, "status_message": "words"}
    service.fault(status(401, body), path="rated")
    with pytest.raises(AuthError, match=words) as caught:
        read(service)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("code", "body", "hint"),
    [
        (401, None, "check api_url"),
        (403, "<html>", "check api_url"),
        (404, {"status_code": 34}, "check api_url"),
        (405, {"status_code": 42}, "check api_url"),
        (400, {"status_code": 22}, "try again later"),
        (503, {"status_code": 9}, "try again later"),
    ],
)
def test_an_answer_that_is_nobodys_fault_is_for_later(service: Tmdb, code: int, body: object, hint: str) -> None:
    service.fault(status(code, body), path="rated", times=None)
    with pytest.raises(UnavailableError) as caught:
        read(service)
    assert hint in str(caught.value.hint)


def test_a_key_that_is_revoked_and_a_session_that_ended(service: Tmdb) -> None:
    keeper = logged_in(service)
    service.sessions.clear()
    with pytest.raises(AuthError, match="does not take the login"):
        read(service, keeper=keeper)
    service.token = None
    with pytest.raises(AuthError, match="does not know the application"):
        read(service, keeper=keeper)


def test_a_session_in_the_file_stands_in_for_a_login(service: Tmdb) -> None:
    assert read(service, keeper=Session(None), secrets={"session_id": service.login()}).complete
    with pytest.raises(AuthError, match="session_id") as caught:
        read(service, keeper=Session(None), secrets={"session_id": "0" * 40})
    assert "take it out and: cwsync auth login mine" in str(caught.value.hint)
    with pytest.raises(AuthError, match="not logged in"):
        read(service, keeper=Session(None))


def test_a_login_for_another_address_goes_nowhere(service: Tmdb) -> None:
    keeper = logged_in(service)
    assert keeper.tokens is not None
    keeper.tokens = replace(keeper.tokens, origin="https://api.example.org")
    with pytest.raises(AuthError, match=r"the login is for https://api\.example\.org"):
        read(service, keeper=keeper)
    assert not service.log


def test_an_old_key_does_too_and_neither_is_said(service: Tmdb) -> None:
    assert read(service, secrets={"token": None, "api_key": API_KEY}).complete
    assert all(request.query["api_key"] == API_KEY for request in service.log)
    with pytest.raises(ConfigError, match="needs `token`") as caught:
        read(service, secrets={"token": None})
    assert caught.value.where == "accounts.mine.token"


def test_an_account_that_names_nobody(service: Tmdb) -> None:
    service.fault(answer(Reply({"username": "x"})), path="/account$")
    with pytest.raises(UnavailableError, match="whose account"):
        read(service)


# --- secrets --------------------------------------------------------------------------------------


def test_the_session_goes_where_it_must_and_is_seen_nowhere(service: Tmdb, caplog: pytest.LogCaptureFixture) -> None:
    keeper = logged_in(service)
    assert keeper.tokens is not None
    session = keeper.tokens.secrets["access"]
    caplog.set_level("DEBUG")

    async def all_of_it(provider: Provider) -> str:
        await provider.fetch(Feature.RATINGS)
        service.fault(html(200), path="rated", times=None)
        with pytest.raises(CwsyncError) as caught:
            await provider.fetch(Feature.RATINGS)
        ledger = provider._calls.http.ledger
        return f"{list(ledger)} {caught.value} {caught.value.hint} {provider!r} {vars(provider)}"

    told = use(service, all_of_it, keeper=keeper) + caplog.text
    for secret in (session, TOKEN, API_KEY):
        assert secret not in told
    assert {request.query.get("session_id") for request in service.log} == {session}
    assert {request.headers["authorization"] for request in service.log} == {f"Bearer {TOKEN}"}


def test_the_session_is_not_sent_with_what_is_not_the_users(service: Tmdb) -> None:
    service.titles.add(world.movie(1))

    async def look(provider: Provider) -> None:
        await provider._calls.get("/find/tt0100001", {"external_source": "imdb_id"})
        await provider._calls.get("/movie/100002/external_ids")

    use(service, look)
    assert [request.query.get("session_id") is None for request in service.log] == [False, True, True]


@pytest.mark.parametrize(
    ("url", "words"), [("api.example.org", "not an address"), ("http://api.example.org", "begin with https")]
)
def test_addresses(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Provider(AccountSpec("mine", "tmdb", {"api_url": url}), Services())


def test_the_version_may_stand_in_the_address(service: Tmdb) -> None:
    assert address_of(spec(service, api_url=f"{service.url}/3/")).api == service.url
    assert address_of(AccountSpec("mine", "tmdb", {})).api == "https://api.themoviedb.org"
