"""Who is let into the simulated Jellyfin, and by which paths: per version, as the server does it."""

from __future__ import annotations

import pytest

from simulators.jellyfin import Jellyfin
from simulators.mediabrowserask import CLIENT, DATE, Client, filled
from simulators.mediabrowserworld import PASSWORD
from support.httpserver import Request

# --- who may ---------------------------------------------------------------------------------


FORMS = {
    "now": {"authorization": 'MediaBrowser Token="{}", Client="c"'},
    "any case": {"authorization": 'mediabrowser Client="a, b=c", Token={}'},
    "query": {},
    "emby scheme": {"authorization": 'Emby Token="{}"'},
    "emby header": {"x-emby-token": "{}"},
    "older header": {"x-mediabrowser-token": "{}"},
    "emby authorization": {"x-emby-authorization": 'MediaBrowser Token="{}"'},
    "emby query": {},
}


@pytest.mark.parametrize("form", FORMS)
def test_older_forms_of_the_token_are_refused_from_12_on(server, form):
    target = "/System/Info" + {"query": f"?ApiKey={server.key}", "emby query": f"?api_key={server.key}"}.get(form, "")
    headers = {name: value.format(server.key) for name, value in FORMS[form].items()}

    def status():
        return server.handle(Request("GET", target, headers)).status

    modern = form in ("now", "any case", "query")
    assert status() == (200 if modern or server.number < (12,) else 401)
    server.doors.legacy = not server.doors.legacy
    assert status() == (200 if modern or server.number >= (12,) else 401)


def test_a_key_has_no_user(server, rows, call):
    assert call("GET", "/Users/Me")[0] == 400
    status, body = call("GET", "/Items?Recursive=true&IncludeItemTypes=Movie")
    assert (status, "UserData" in body["Items"][0]) == (200, False)
    for query in ("isFavorite=true", "SortBy=DatePlayed"):
        assert call("GET", f"/Items?Recursive=true&{query}")[0] == 500
    assert call("GET", "/Items?Recursive=true&Filters=IsPlayed")[0] == (500 if server.number >= (10, 11) else 200)
    for path in ("/UserViews", f"/Items/{rows['heat'].id}", f"/UserItems/{rows['heat'].id}/UserData"):
        assert call("GET", path)[0] == 400
    assert call("POST", f"/UserItems/{rows['heat'].id}/UserData", {"Played": True})[0] == 400
    assert call("GET", "/Users/Me", authorization="")[0] == 401
    lower = f'MediaBrowser token="{server.key}"'
    assert call("GET", "/System/Info", authorization=lower)[0] == 401, "names have a case"


def test_who_is_no_administrator_acts_for_themselves(server, rows, call):
    kim, owner = server.world.add_user("Kim"), server.world.owner
    told, path = Client(server, server.token(kim)), f"/UserItems/{rows['heat'].id}/UserData"
    assert told("POST", path, {"Played": True})[0] == 200
    assert server.world.peek(kim, rows["heat"]).played
    assert told("POST", f"{path}?userId={owner.id}", {"Played": True})[0] == 403
    assert told("GET", f"/Items?userId={owner.id}&Recursive=true")[0] == 403
    assert told("GET", "/Auth/Keys")[0] == 403
    kim.may_change = False
    assert told("POST", path, {"Played": False})[0] == 403
    assert told("DELETE", f"/UserPlayedItems/{rows['heat'].id}")[0] == 200, "that needs no leave"
    assert call("GET", f"/Items?userId={'a' * 32}&Recursive=true")[0] == 404
    assert call("GET", "/Items?userId=Kim&Recursive=true")[0] == 400
    kim.disabled = True
    assert told("GET", "/Users/Me")[0] == 401
    server.world.remove_user(kim)
    assert told("GET", "/Users/Me")[0] == 401


def test_hidden_and_disabled_users_are_not_shown_to_everybody(server, call):
    for name in ("Kim", "Lee", "Max"):
        server.world.add_user(name)
    _, kim, lee, _max = server.users()[::-1]
    kim.hidden, lee.disabled = True, True
    shown = [one["Name"] for one in call("GET", "/Users/Public", authorization="")[1]]
    assert shown == [one.name for one in server.users() if one not in (kim, lee)]
    assert len(call("GET", "/Users")[1]) == 4


def test_what_a_user_may_not_see_is_not_there(server, rows):
    kim = server.world.add_user("Kim")
    films, shows = server.world.libraries.values()
    kim.libraries = {shows.id}
    told = Client(server, server.token(kim))
    assert [row["Name"] for row in told("GET", "/UserViews")[1]["Items"]] == ["Shows"]
    assert told("GET", "/Items?Recursive=true&IncludeItemTypes=Movie")[1]["TotalRecordCount"] == 0
    assert told("GET", f"/Items/{rows['heat'].id}")[0] == 404
    assert told("GET", f"/Items?ParentId={films.id}&Recursive=true")[0] == 401


def test_a_login_on_the_same_device_revokes_the_one_before(server):
    kim, world = server.world.add_user("Kim"), server.world
    first, other = server.token(world.owner, "here"), server.token(kim, "here")
    second = server.token(world.owner, "here")
    status = [Client(server, one)("GET", "/Users/Me")[0] for one in (first, other, second)]
    assert status == [401, 200, 200]
    assert Client(server, second)("POST", "/Sessions/Logout")[0] == 204
    assert Client(server, second)("GET", "/Users/Me")[0] == 401


def test_wrong_passwords_are_counted_and_lock_out(server):
    kim = server.world.add_user("Kim", password=PASSWORD, lockout=0)
    door = Client(server)

    def login(password, client=CLIENT):
        header = f"MediaBrowser {client}"
        body = {"Username": "kim", "Pw": password}
        return door("POST", "/Users/AuthenticateByName", body, authorization=header)

    assert login("wrong") == (401, "Error processing request.")
    assert login(PASSWORD)[0] == 200
    assert kim.failed == 0
    assert [login("wrong")[0] for _ in range(3)] == [401] * 3
    assert (login(PASSWORD)[0], kim.disabled, kim.tries) == (403, True, 6)
    assert (login("wrong")[0], kim.failed) == (403, 3), "who is disabled is not counted"
    assert login(PASSWORD, 'Client="tests", DeviceId="desk", Version="1"')[0] == 400
    assert door("POST", "/Users/AuthenticateByName", {"Username": "nobody", "Pw": ""})[0] == 401
    assert door("POST", "/Users/AuthenticateByName", None)[0] == 400
    assert door("POST", "/Users/AuthenticateByName", {}, content_type="text/plain")[0] == 415


def test_names_of_devices_are_decoded(server):
    kim = server.world.add_user("Kim")
    header = 'MediaBrowser Client="c", Device="K%C3%BCche+%221%22, hinten", DeviceId="d", Version="1"'
    body = {"Username": "KIM", "Pw": ""}
    session = Client(server)("POST", "/Users/AuthenticateByName", body, authorization=header)[1]["SessionInfo"]
    assert (session["DeviceName"], session["UserId"]) == ('Küche "1", hinten', kim.id)


def test_quick_connect_expires_and_can_be_off():
    at = [1_750_000_000.0]
    with Jellyfin(now=lambda: at[0]) as server:
        call, paths = Client(server), ("/QuickConnect/Connect?secret=", "/Users/AuthenticateWithQuickConnect")
        secret = call("POST", "/QuickConnect/Initiate")[1]["Secret"]
        assert call("POST", paths[1], {"Secret": secret})[0] == 404, "not approved"
        code = server.doors.quick[secret].code
        assert call("POST", f"/QuickConnect/Authorize?code={code}&userId={server.world.owner.id}") == (200, True)
        assert call("GET", paths[0] + secret)[1]["Authenticated"] is True
        assert call("POST", paths[1], {"Secret": secret})[0] == 200
        assert call("POST", f"/QuickConnect/Authorize?code={code}")[0] == 401, "a key is nobody"
        assert Client(server, server.token())("POST", f"/QuickConnect/Authorize?code={code}")[0] == 500, "twice"
        again = [call("POST", paths[1], {"Secret": secret})[1]["AccessToken"] for _ in range(2)]
        assert again[0] == again[1]
        server.token(device_id="desk")
        assert Client(server, again[0])("GET", "/Users/Me")[0] == 401
        late = call("POST", "/QuickConnect/Initiate")[1]["Secret"]
        at[0] += 601
        assert call("GET", paths[0] + late)[0] == 404
        server.doors.quick_on = False
        assert call("GET", "/QuickConnect/Enabled") == (200, False)
        assert call("POST", "/QuickConnect/Initiate")[0] == 401


# --- paths -----------------------------------------------------------------------------------


def test_prefixes_are_gone_in_12(server, call):
    expected = 404 if server.number >= (12,) else 200
    assert [call("GET", f"/{one}/System/Info")[0] for one in ("emby", "mediabrowser")] == [expected] * 2
    assert call("GET", "/system/INFO")[0] == 200
    assert call("GET", "/Nothing")[0] == 404
    assert call("DELETE", "/System/Info")[0] == 405


def test_outside_the_base_path_there_is_a_redirect():
    with Jellyfin(base="/jellyfin") as server:
        assert server.url.endswith("/jellyfin")
        call = Client(server)
        assert call("GET", "/jellyfin/System/Info")[0] == 200
        reply = call.reply("POST", "/System/Info")
        assert (reply.status, reply.headers["Location"]) == (302, "/jellyfin/web/")


def test_obsolete_paths_are_answered(server, rows, call):
    user, film = server.world.owner, rows["heat"]
    assert call("GET", f"/Users/{user.id}/Items?Recursive=true&Ids={film.id}")[1]["TotalRecordCount"] == 1
    assert call("GET", f"/Users/{user.id}/Items/{film.id}")[1]["Id"] == film.id
    assert (
        call("POST", f"/Users/{user.id}/PlayedItems/{film.id}?datePlayed=20240102030405")[1]["LastPlayedDate"] == DATE
    )
    assert call("POST", f"/Users/{user.id}/Items/{film.id}/UserData", {"Rating": 3})[1]["Rating"] == 3
    assert call("GET", f"/Users/{user.id}/Items/{film.id}/UserData")[1]["PlayCount"] == 1


def test_before_10_9_there_is_no_user_data():
    with Jellyfin(version="10.8.13") as server:
        rows, user = filled(server), server.world.owner
        path = f"/UserItems/{rows['heat'].id}/UserData?userId={user.id}"
        assert [Client(server)(method, path, {})[0] for method in ("GET", "POST")] == [404, 404]
