"""The simulated Emby answers as Emby publishes, and a client library of the same family works with it.

The library is `jellyfin-apiclient-python`, which keeps to the paths that Emby has too. Emby's documents are not
part of the project, and where they are missing that half is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import httpx
import pytest

from cwsync.model import Feature
from simulators.emby import VERSIONS, Emby
from simulators.mediabrowser import STALE, MediaBrowser
from simulators.mediabrowser_spec import document, watched
from simulators.mediabrowserask import CLIENT, DATE, Client
from simulators.mediabrowsertwins import Shared, Twins
from simulators.mediabrowserworld import BOXSET, MOVIE, PASSWORD, SECOND, Title, dated, ticks
from support import world
from support.httpserver import Request, drop_after, html, truncated

BOTH = "Fields=UserDataLastPlayedDate,UserDataPlayCount"


def filled(server: Emby) -> dict[str, Title]:
    """Two films and a series with a virtual episode."""
    world = server.world
    films, shows = world.add_library("Films"), world.add_library("Shows", "tvshows")
    rows = {
        "heat": world.add(films, MOVIE, "Heat", {"Imdb": "tt0113277", "Tmdb": "949"}, year=1995),
        "bare": world.add(films, MOVIE, "Home video"),
        "lost": world.series(shows, "Lost", {"Tvdb": "73739"}, year=2004),
    }
    rows["e1"] = world.episode(rows["lost"], 1, 1, {"Tvdb": "1001", "Tmdb": "../tv/4607/season/1/episode/1"})
    rows["special"] = world.episode(rows["lost"], 0, 1, {"Tvdb": "1100"})
    rows["virtual"] = world.episode(rows["lost"], 1, 2, {"Tvdb": "1002"}, virtual=True)
    return rows


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Emby]:
    """A server of each version; where the documents are, every answer is compared with them."""
    with Emby(version=request.param, now=lambda: 1_750_000_000.0) as made, watched(made):
        yield made


@pytest.fixture
def rows(server: Emby) -> dict[str, Title]:
    return filled(server)


def test_a_client_library_works_with_it(server, rows):
    package = pytest.importorskip("jellyfin_apiclient_python", reason="jellyfin-apiclient-python is not installed")
    client = package.JellyfinClient()
    client.config.app("tests", "1.0", "Desk", "desk-1")
    client.config.data["auth.ssl"] = False
    client.config.http("tests/1.0", max_retries=0)
    client.auth.connect_to_address(server.url)
    assert client.auth.login(server.url, "owner", PASSWORD)["AccessToken"] in server.doors.tokens
    library, film = client.jellyfin, rows["heat"]
    assert [one["CollectionType"] for one in library.get_views()["Items"]] == ["movies", "tvshows"]
    page = library.get_user_items(include_item_types="Movie", recursive=True, limit=1, fields="ProviderIds")
    assert (page["Items"][0]["ProviderIds"]["Tmdb"], page["TotalRecordCount"]) == ("949", 2)
    library.item_played(film.id, True, "20240102030405")
    library.favorite(film.id)
    state = server.world.peek(server.world.owner, film)
    assert (state.played, state.favourite, dated(state.at or 0)) == (True, True, DATE)
    library.item_played(film.id, False)
    assert not state.played


def test_every_answer_is_in_the_document(server, rows, call):
    """What other tests do not ask for; the answers themselves are compared in the fixture."""
    document(server.version)
    user, film = server.world.owner, rows["heat"]
    server.world.start(user, film)
    for path in ("/System/Info", "/Users/Query", f"/Users/{user.id}", "/Library/VirtualFolders/Query", "/Sessions"):
        assert call("GET", path)[0] == 200
    server.scanning = True
    assert call("GET", "/ScheduledTasks")[1][0]["State"] == "Running"
    assert call("POST", "/Auth/Keys?App=another") == (200, "")
    assert len(call("GET", "/Auth/Keys")[1]["Items"]) == 2
    assert call.mine("POST", f"Items/{film.id}/Rating?Likes=true")[1]["Rating"] == 10
    assert "Rating" not in call.mine("DELETE", f"Items/{film.id}/Rating")[1]
    assert call.mine("POST", f"Items/{film.id}/HideFromResume?Hide=true")[0] == 200
    assert call.mine("GET", "Items/Resume")[0] == 200
    assert call("GET", "/System/Ping") == (200, "Emby Server")


def test_it_is_told_from_jellyfin_by_its_public_face(server, rows, call):
    info = call("GET", "/emby/System/Info/Public", authorization="")[1]
    assert (info["Version"], "ProductName" in info) == (server.version, False)
    assert rows["heat"].id.isdigit()
    assert call("GET", "/Users/Me")[0] == 404
    assert [one["Name"] for one in call("GET", "/Users")[1]] == ["Owner"]
    for path in ("/UserViews", "/QuickConnect/Enabled", f"/UserItems/{rows['heat'].id}/UserData"):
        assert call("GET", path)[0] == 404


FORMS = {
    "now": {"authorization": 'MediaBrowser Token="{}"'},
    "emby scheme": {"authorization": 'Emby Token="{}"'},
    "emby header": {"x-emby-token": "{}"},
    "emby authorization": {"x-emby-authorization": 'Emby Token="{}"'},
    "emby query": {},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_token_is_let_in(server, form):
    target = "/emby/System/Info" + (f"?api_key={server.key}" if form == "emby query" else "")
    headers = {name: value.format(server.key) for name, value in FORMS[form].items()}
    assert server.handle(Request("GET", target, headers)).status == 200
    server.doors.revoke(server.key)
    refused = server.handle(Request("GET", target, headers))
    assert (refused.status, refused.body) == (401, b"Access token is invalid or expired.")


def test_logins(server):
    kim = server.world.add_user("Kim", password=PASSWORD)
    door, path = Client(server), "/Users/AuthenticateByName"
    header = f"Emby UserId=, {CLIENT}"
    body = {"Username": "kim", "Pw": PASSWORD}
    found = door("POST", path, body, authorization="", x_emby_authorization=header)[1]
    first = found["AccessToken"]
    form = urlencode(body).encode()
    again = door("POST", path, form, authorization=header, content_type="application/x-www-form-urlencoded")[1]
    told = Client(server, again["AccessToken"])
    assert Client(server, first)("GET", f"/Users/{kim.id}")[0] == 401
    assert told("GET", f"/Users/{kim.id}")[0] == 200
    assert told("GET", f"/Users/{server.world.owner.id}/Items?Recursive=true")[0] == 403
    assert door("POST", path, {"Username": "kim", "Pw": "no"})[0] == 401
    assert (kim.tries, kim.failed) == (3, 1)
    assert told("POST", "/Sessions/Logout") == (200, "")
    assert told("GET", f"/Users/{kim.id}")[0] == 401


# --- listings --------------------------------------------------------------------------------


def test_dates_and_counts_come_when_asked_for(server, rows, call):
    server.world.mark(server.world.owner, rows["heat"], ticks("2024-01-02T03:04:05.6Z"))

    def data(query):
        (row,) = call.mine("GET", f"Items?Recursive=true&Ids={rows['heat'].id}&{query}")[1]["Items"]
        assert row["UserData"] == call.mine("GET", f"Items/{rows['heat'].id}?{query}")[1]["UserData"]
        return row["UserData"].get("LastPlayedDate"), row["UserData"]["PlayCount"], row["UserData"]["Played"]

    assert data("Fields=ProviderIds") == (None, 0, True)
    assert data("Fields=UserDataLastPlayedDate") == (DATE, 0, True), "to the second"
    assert data("Fields=UserDataPlayCount") == (None, 1, True)
    assert data(BOTH) == (DATE, 1, True)


@pytest.mark.parametrize("says", [True, False])
def test_virtual_rows_come_and_have_no_path(says):
    with Emby(says_virtual=says) as server:
        filled(server)
        query = "IncludeItemTypes=Episode&ExcludeLocationTypes=Virtual&Fields=Path"
        body = Client(server).mine("GET", f"Items?Recursive=true&{query}")[1]
    assert [(row["Name"], "Path" in row, row.get("LocationType")) for row in body["Items"]] == [
        ("Episode 1", True, None),
        ("Episode 1", True, None),
        ("Episode 2", False, "Virtual" if says else None),
    ]


def test_pages(server, call):
    def page(query):
        body = call.mine("GET", f"Items?Recursive=true&IncludeItemTypes=Movie&{query}")[1]
        assert "StartIndex" not in body
        return len(body["Items"]), body["TotalRecordCount"]

    assert [page("StartIndex=0&Limit=1"), page("StartIndex=2&Limit=1")] == [(1, 2), (0, 2)]
    assert page("Limit=1&EnableTotalRecordCount=false") == (1, 0)
    assert page("Limit=0") == (0, 2)


def test_titles_are_found_by_their_ids(call):
    assert call.names("AnyProviderIdEquals=imdb.tt0113277,tmdb.1") == ["Heat"]
    assert call.names("AnyProviderIdEquals=Tvdb.73739&IncludeItemTypes=Movie") == []
    assert call("GET", "/Items?Recursive=true&AnyProviderIdEquals=tmdb.949")[1]["TotalRecordCount"] == 1


def test_films_in_a_set_may_be_listed_as_the_set(server, rows, call):
    box = server.world.add(rows["heat"].library, BOXSET, "Heists")
    server.world.put_in(box, rows["heat"])
    server.group_collections = True
    assert call.names("IncludeItemTypes=Movie") == ["Home video", "Heists"][::-1]
    assert call.names("IncludeItemTypes=Movie&GroupItemsIntoCollections=false") == ["Heat", "Home video"]
    assert call.names("IncludeItemTypes=Movie&collapseBoxSetItems=false") == ["Heists", "Home video"]


def test_changes_since_are_those_of_a_user_too():
    at = [1_750_000_000.0]
    with Emby(now=lambda: at[0]) as server:
        rows, call = filled(server), Client(server)
        since = dated(int(at[0]) * SECOND)
        at[0] += 60
        call.mine("POST", f"FavoriteItems/{rows['heat'].id}")
        assert call.names(f"MinDateLastSavedForUser={since}") == ["Heat"]
        assert call.names(f"MinDateLastSaved={since}") == []
        rows["bare"].saved = at[0]
        assert call.names(f"MinDateLastSaved={since}") == ["Home video"]
        assert call.names(f"MinDateLastSavedForUser={since}") == ["Heat", "Home video"]


# --- writes ----------------------------------------------------------------------------------


def test_user_data_is_replaced(server, rows, call):
    film, state = rows["heat"], server.world.state(server.world.owner, rows["heat"])
    call.mine("POST", f"PlayedItems/{film.id}?DatePlayed=20240102030405")
    call.mine("POST", f"FavoriteItems/{film.id}")
    whole = call.mine("GET", f"Items/{film.id}?{BOTH}")[1]["UserData"]
    assert call.mine("POST", f"Items/{film.id}/UserData", whole | {"PlaybackPositionTicks": 5}) == (200, "")
    assert (state.played, state.favourite, state.count, state.position) == (True, True, 1, 5)
    call.mine("POST", f"Items/{film.id}/UserData", {"Rating": 8})
    assert (state.played, state.favourite, state.count, state.at, state.rating) == (False, False, 0, None, 8)
    server.merges = True
    call.mine("POST", f"Items/{film.id}/UserData", {"Played": True})
    assert (state.played, state.rating) == (True, 8)
    server.merges, server.keeps_ratings = False, False
    call.mine("POST", f"Items/{film.id}/UserData", {"Rating": 8})
    assert state.rating is None
    for wrong in ({"Played": 1}, {"Rating": "8"}, {"PlayCount": True}, {"LastPlayedDate": "now"}):
        assert call.mine("POST", f"Items/{film.id}/UserData", wrong)[0] == 400, wrong


def test_marks_take_a_compact_date(server, rows, call):
    path = f"PlayedItems/{rows['heat'].id}"
    assert call.mine("POST", f"{path}?DatePlayed=20240102030405")[1]["LastPlayedDate"] == DATE
    assert call.mine("POST", f"{path}?DatePlayed=2024-01-02T03:04:05Z")[0] == 500
    older = call.mine("POST", f"{path}?DatePlayed=20200101000000")[1]
    assert (older["LastPlayedDate"], older["PlayCount"]) == ("2020-01-01T00:00:00.0000000Z", 2)
    server.keeps_newer = True
    assert call.mine("POST", f"{path}?DatePlayed=20190101000000")[1]["LastPlayedDate"] == older["LastPlayedDate"]
    for gone in (call.mine("POST", f"{path}/Delete"), call.mine("DELETE", path)):
        assert (gone[1]["Played"], "LastPlayedDate" in gone[1]) == (False, False)


def test_positions_and_favourites(server, rows, call):
    film, state = rows["heat"], server.world.state(server.world.owner, rows["heat"])
    player = f"PlayingItems/{film.id}/Progress"
    assert call.mine("POST", f"{player}?MediaSourceId={film.id}&PositionTicks=700") == (200, "")
    assert (state.position, call.names("Filters=IsResumable")) == (700, ["Heat"])
    assert call.mine("POST", f"{player}?PositionTicks=0")[0] == 400
    assert call.mine("POST", f"FavoriteItems/{film.id}")[1]["IsFavorite"] is True
    assert call.mine("POST", f"FavoriteItems/{film.id}/Delete")[1]["IsFavorite"] is False


def test_writes_go_wrong_in_the_ways_that_are_reported(server, rows, call):
    film, user = rows["heat"], server.world.owner
    old = film.id
    server.world.renew(film)
    for method, path in (("POST", "PlayedItems/{}"), ("GET", "Items/{}"), ("POST", "FavoriteItems/{}")):
        assert call.mine(method, path.format(old)) == (500, STALE)
    assert call.mine("POST", f"Items/{old}/UserData", {"Played": True}) == (500, STALE)
    assert call.mine("GET", f"Items?Recursive=true&Ids={old},{film.id}")[1]["TotalRecordCount"] == 1
    server.locked = 1
    status, text = call.mine("POST", f"FavoriteItems/{film.id}")
    assert (status, "database is locked" in text) == (500, True)
    server.deaf_writes = 1
    assert call.mine("POST", f"FavoriteItems/{film.id}")[1]["IsFavorite"] is False
    assert not server.world.peek(user, film).favourite
    assert call("GET", f"/Users/{'a' * 32}/Items?Recursive=true")[0] == 404
    assert call("GET", "/Nothing")[0] == 404


# --- both, over the wire ---------------------------------------------------------------------


@pytest.fixture
def twins() -> Iterator[Twins]:
    with Twins() as made:
        yield made


def over_the_wire(server: MediaBrowser) -> httpx.Client:
    header = f'MediaBrowser Token="{server.key}", {CLIENT}'
    return httpx.Client(base_url=server.url, headers={"Authorization": header}, trust_env=False)


def test_a_library_that_both_have(twins):
    shared = Shared(twins, 80, 2, 4)
    known = {}
    for server in twins.servers:
        mine, found = server.world.owner.id, []
        path = f"/Users/{mine}/Items?Recursive=true&IncludeItemTypes=Movie,Series,Episode&{BOTH},ProviderIds&Limit=40"
        with over_the_wire(server) as client:
            for start in (0, 40, 80):
                first, again = (client.get(f"{path}&StartIndex={start}") for _ in range(2))
                server.caching = False
                plain = client.get(f"{path}&StartIndex={start}")
                server.caching = True
                assert first.json() == again.json() == plain.json()
                assert first.headers["Content-Encoding"] == "gzip"
                found += first.json()["Items"]
        assert len({row["Id"] for row in found}) == 90
        played = known[server] = [row for row in found if row["UserData"]["Played"]]
        assert all(row["UserData"].get("LastPlayedDate") for row in played)
    assert [len(one) for one in known.values()] == [44, 39]
    assert twins.counts() == {"jellyfin": 9, "emby": 9}
    shared.change(8)
    assert len(twins.shelves[0].states(Feature.PROGRESS, twins.jellyfin.world.owner)) == 3


def test_a_third_of_a_library_without_ids():
    with Twins(bare=True) as twins:
        twins.know(world.movie(n) for n in range(1, 31))
        assert sum(not row.ids for row in twins.jellyfin.world.titles.values()) == 10
        assert all(row.ids for row in twins.emby.world.titles.values())
        assert [word for word in twins.accounts().split() if word.startswith("[")] == [
            "[accounts.jellyfin]",
            "[accounts.emby]",
        ]
        assert set(twins.secrets().values()) == {twins.jellyfin.key, twins.emby.key}


def test_what_goes_wrong_on_the_wire(twins):
    film = world.movie(1)
    twins.know([film])
    for server, shelf in zip(twins.servers, twins.shelves, strict=True):
        user = server.world.owner
        path = f"/Users/{user.id}/FavoriteItems/{shelf.row(film).id}"
        listing = f"/Users/{user.id}/Items?Recursive=true"
        server.fault(drop_after(), method="POST")
        server.fault(html(), path="/Items", nth=2)
        server.fault(truncated(), path="/Items", nth=2)
        with over_the_wire(server) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                client.post(path)
            assert server.world.peek(user, shelf.row(film)).favourite, "only the answer was lost"
            assert client.get(listing).json()["TotalRecordCount"] == 1
            assert client.get(listing).text.startswith("<!DOCTYPE html>")
            with pytest.raises(httpx.RemoteProtocolError):
                client.get(listing)
            assert client.get(f"{listing}&Ids={'1,' * 5000}").status_code == 414
