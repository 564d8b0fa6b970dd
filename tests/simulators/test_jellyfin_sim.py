"""The simulated Jellyfin is honest: another's client library works with it, and it answers as the server publishes.

The library is `jellyfin-apiclient-python`; the published documents are not part of the project, and where they
are missing that half is skipped.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulators.jellyfin import Jellyfin
from simulators.mediabrowser_spec import complaint, document, unknown_parameters
from simulators.mediabrowserask import DATE, Client
from simulators.mediabrowserworld import PASSWORD, Title
from support.httpserver import Reply, Request

# --- the library -----------------------------------------------------------------------------


@pytest.fixture
def library(server: Jellyfin, rows: dict[str, Title]) -> Any:
    """The client library, logged in by a password."""
    client = signed_out(server)
    state = client.auth.connect_to_address(server.url)
    assert state["State"].name == "ServerSignIn"
    assert client.auth.login(server.url, "owner", PASSWORD)["AccessToken"] in server.doors.tokens
    return client.jellyfin


def signed_out(server: Jellyfin) -> Any:
    package = pytest.importorskip("jellyfin_apiclient_python", reason="jellyfin-apiclient-python is not installed")
    client = package.JellyfinClient()
    client.config.app("tests", "1.0", "Desk", "desk-1")
    client.config.data["auth.ssl"] = False
    client.config.http("tests/1.0", max_retries=0)
    return client


def test_the_library_reads_everything(server, rows, library):
    assert library.get_user()["Name"] == "Owner"
    assert [one["CollectionType"] for one in library.get_views()["Items"]] == ["movies", "tvshows"]
    (films, _shows) = library.get_views()["Items"]
    page = library.get_user_items(parent_id=films["Id"], fields="ProviderIds", recursive=True, limit=2, start_index=0)
    assert (len(page["Items"]), page["TotalRecordCount"]) == (2, 3)
    assert library.get_item(rows["heat"].id)["ProviderIds"]["Imdb"] == "tt0113277"
    assert len(library.get_items([rows["heat"].id, rows["e1"].id, "0" * 32])["Items"]) == 2


def test_the_library_writes_what_a_user_did(server, rows, library):
    user, film, world = server.world.owner, rows["heat"], server.world
    library.item_played(film.id, True, "2024-01-02T03:04:05Z")
    library.favorite(film.id)
    library.update_userdata_for_item(film.id, {"Rating": 8, "PlaybackPositionTicks": 0})
    data = library.get_userdata_for_item(film.id)
    assert (data["Played"], data["PlayCount"], data["LastPlayedDate"], data["Rating"]) == (True, 1, DATE, 8)
    assert world.peek(user, film).favourite
    library.item_played(film.id, False)
    library.favorite(film.id, False)
    assert not world.peek(user, film).played
    assert not world.peek(user, film).favourite


def test_the_library_logs_in_by_quick_connect(server):
    client = signed_out(server)
    api = client.jellyfin
    assert api.quick_connect_enabled(server.url)
    request = api.quick_connect_initiate(server.url)
    assert not api.quick_connect_state(server.url, request["Secret"])["Authenticated"]
    server.doors.approve(code=request["Code"])
    assert api.quick_connect_state(server.url, request["Secret"])["Authenticated"]
    assert api.login_with_quick_connect(server.url, request["Secret"])["AccessToken"] in server.doors.tokens


def test_the_library_is_told_of_a_wrong_password(server):
    assert signed_out(server).auth.login(server.url, "owner", "wrong") == {}
    assert server.world.owner.tries == 1


# --- the published documents -----------------------------------------------------------------


def test_every_answer_is_in_the_document(server, rows, call):
    """What other tests do not ask for; the answers themselves are compared in the fixture."""
    document(server.version)
    user, film = server.world.owner, rows["heat"]
    server.scanning = True
    server.world.start(user, film)
    told = Client(server, server.token())
    assert told("GET", "/Users/Me")[1]["Id"] == user.id
    for path in ("/System/Info", "/Library/VirtualFolders", "/ScheduledTasks", "/Sessions", "/Users/Public"):
        assert call("GET", path)[0] == 200
    assert call("GET", f"/UserItems/Resume?userId={user.id}")[0] == 200
    assert call("GET", f"/UserItems/{film.id}/UserData?userId={user.id}")[1]["PlayCount"] == 1
    assert call("POST", "/Auth/Keys?app=another")[0] == 204
    assert [one["AppName"] for one in call("GET", "/Auth/Keys")[1]["Items"]] == ["cwsync", "another"]
    for method, path in (("POST", "UserItems/{}/Rating?likes=true&"), ("DELETE", "UserItems/{}/Rating?")):
        assert call(method, f"/{path.format(film.id)}userId={user.id}")[0] == 200
    assert call("GET", f"/Items/{'0' * 32}?userId={user.id}")[0] == 404
    assert call("GET", "/Items/nonsense")[0] == 400
    assert call("GET", "/System/Ping")[1] == "Jellyfin Server"


def test_the_comparison_finds_what_is_wrong(server, rows, call):
    paper = document(server.version)
    request = Request("GET", f"/Items/{rows['heat'].id}?userId={server.world.owner.id}&nonsense=1", {})
    row = call("GET", request.target)[1]

    def said(**more):
        reply = Reply(json.dumps(row | more).encode(), 200, {"Content-Type": "application/json; charset=utf-8"})
        return complaint(paper, request, reply)

    assert said() is None
    assert "not integer" in str(said(ProductionYear="1995"))
    assert "not one of" in str(said(Type="Film"))
    assert "in no document" in str(said(Nonsense=1))
    assert "date-time" in str(said(PremiereDate="yesterday"))
    assert "is null" in str(said(Id=None))
    assert "in no document" in str(complaint(paper, Request("GET", "/Nonsense", {}), Reply(b"{}")))
    assert "status 202" in str(complaint(paper, request, Reply(b"{}", 202)))
    assert unknown_parameters(paper, request) == {"nonsense"}
