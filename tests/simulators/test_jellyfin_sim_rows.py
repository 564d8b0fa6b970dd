"""What the simulated Jellyfin lists and stores: per version, as the server does it."""

from __future__ import annotations

import pytest

from simulators.jellyfin import Jellyfin
from simulators.mediabrowserask import DATE, Client, filled
from simulators.mediabrowserworld import BOXSET, SECOND, dated, ticks

# --- listings --------------------------------------------------------------------------------


def test_what_is_not_known_is_ignored(call):
    everything = call.names("")
    assert len(everything) == 13
    assert call.names("AnyProviderIdEquals=imdb.tt0113277&Nonsense=1") == everything
    assert call.names("SortBy=Nonsense") == everything
    assert call("GET", "/Items?Recursive=maybe")[0] == 400
    assert call("GET", "/Items?Recursive=true&Limit=many")[0] == 400


def test_kinds_virtual_rows_and_fields(server, call):
    kinds = "IncludeItemTypes=Episode"
    assert call.names(kinds).count("Episode 6") == 1
    for query in ("ExcludeLocationTypes=Virtual", "isMissing=false", "LocationTypes=FileSystem,Remote,Offline"):
        assert "Episode 6" not in call.names(f"{kinds}&{query}")
    user = server.world.owner
    body = call("GET", f"/Items?userId={user.id}&recursive=true&fields=ProviderIds&includeItemTypes=Series,Episode")[1]
    rows = {row["Name"]: row for row in body["Items"]}
    assert rows["Episode 6"]["LocationType"] == "Virtual"
    assert (rows["Episode 4"]["IndexNumber"], rows["Episode 4"]["IndexNumberEnd"]) == (4, 5)
    assert "IndexNumber" not in rows["Episode None"]
    assert 0 in [row.get("ParentIndexNumber") for row in body["Items"]]
    assert rows["Lost"]["ProviderIds"] == {"Tvdb": "73739", "IMDB": "tt0411008"}
    assert rows["Lost"]["UserData"]["UnplayedItemCount"] == 6
    body = call("GET", f"/Items?userId={user.id}&recursive=true&enableUserData=false")[1]
    assert not any("UserData" in row or "ProviderIds" in row or "Path" in row for row in body["Items"])


def test_places(server, rows, call):
    films, shows = server.world.libraries.values()
    lost, user = rows["lost"], server.world.owner
    box = server.world.add(films, BOXSET, "Crime")
    server.world.put_in(box, rows["heat"])

    def inside(parent, query=""):
        body = call("GET", f"/Items?userId={user.id}&ParentId={parent}{query}")[1]
        return [row["Name"] for row in body["Items"]]

    assert inside(films.id) == ["Heat", "Heat", "Home video", "Crime"]
    assert inside(shows.id.upper()) == ["Lost"]
    assert len(inside(shows.id, "&Recursive=true")) == 10
    assert inside(lost.id) == ["Season 1", "Specials"]
    assert len(inside(lost.id, "&Recursive=true&IncludeItemTypes=Episode")) == 7
    assert inside(box.id) == ["Heat"]
    assert call("GET", f"/Items?userId={user.id}&ParentId={'0' * 32}")[0] == 400
    assert call.names("IncludeItemTypes=Movie&Ids=nonsense") == []
    assert [row["Name"] for row in call("GET", f"/Items?userId={user.id}")[1]["Items"]] == ["Films", "Shows"]
    everything = call(
        "GET", f"/Items?userId={user.id}&Recursive=true&Fields=ParentId,SortName,DateCreated,Etag,MediaSources,Path"
    )[1]
    parents = {row["Id"]: row["ParentId"] for row in everything["Items"]}
    assert (parents[lost.id], parents[rows["heat"].id]) == (shows.id, films.id)
    sources = next(row["MediaSources"] for row in everything["Items"] if row["Id"] == rows["copy"].id)
    assert len(sources) == 2, "versions of one title are one row"


def test_other_filters(call):
    assert call.names("searchTerm=heat") == ["Heat", "Heat"]
    assert call.names("years=2004,1900") == ["Lost"]
    assert call.names("hasImdbId=true") == ["Heat", "Heat", "Lost"]
    assert call.names("hasTmdbId=false&includeItemTypes=Movie") == ["Home video"]
    assert "Heat" not in call.names("excludeItemTypes=Movie,Episode,Season")
    assert call("GET", "/Items?Recursive=true&minDateLastSaved=yesterday")[0] == 400


def test_films_in_a_set_may_be_listed_as_the_set(server, rows, call):
    films = rows["heat"].library
    box = server.world.add(films, BOXSET, "Heists")
    server.world.put_in(box, rows["heat"], rows["copy"])
    assert call.names("IncludeItemTypes=Movie") == ["Heat", "Heat", "Home video"]
    assert call.names("IncludeItemTypes=Movie&collapseBoxSetItems=true") == ["Heists", "Home video"]
    assert call("GET", "/Items?Recursive=true&IncludeItemTypes=Movie")[1]["TotalRecordCount"] == 2, "without a user"
    server.group_collections = True
    assert call.names("IncludeItemTypes=Movie") == ["Heists", "Home video"]
    assert call.names("IncludeItemTypes=Movie&isFavorite=false") == ["Heat", "Heat", "Home video"]
    assert call.names("IncludeItemTypes=Movie&collapseBoxSetItems=false") == ["Heat", "Heat", "Home video"]
    user = server.world.owner
    body = call("GET", f"/Items?userId={user.id}&ParentId={box.id}")[1]
    assert [row["Name"] for row in body["Items"]] == ["Heat", "Heat"]


def test_pages_are_cut_before_some_rows_are_hidden(server, rows, call):
    user = server.world.owner

    def page(start, more=""):
        query = f"userId={user.id}&Recursive=true&IncludeItemTypes=Movie&StartIndex={start}&Limit=2{more}"
        body = call("GET", f"/Items?{query}")[1]
        return len(body["Items"]), body["TotalRecordCount"], body["StartIndex"]

    assert [page(0), page(2), page(4)] == [(2, 3, 0), (1, 3, 2), (0, 3, 4)]
    assert page(0, "&EnableTotalRecordCount=false") == (2, 2, 0)
    server.hidden = {rows["heat"].id}
    assert [page(0), page(2)] == [(1, 3, 0), (1, 3, 2)]
    server.hidden_counted = False
    assert page(0) == (1, 2, 0)
    server.shift = lambda: server.world.remove(rows["copy"])
    page(0)
    server.shift = None
    assert page(0) == (1, 1, 0)


def test_orders(server, rows, call):
    world, user = server.world, server.world.owner
    world.state(user, rows["e1"]).at = ticks("2024-01-01")
    world.state(user, rows["e2"]).at = ticks("2024-01-02")
    assert call.names("SortBy=SortName&IncludeItemTypes=Movie") == ["Heat", "Heat", "Home video"]
    assert call.names("SortBy=DateCreated&SortOrder=Descending&IncludeItemTypes=Movie")[0] == "Home video"
    found = call.names("SortBy=DatePlayed&SortOrder=Descending&IncludeItemTypes=Episode&Limit=2")
    assert found == ["Episode 2", "Episode 1"]


def test_filters_by_what_a_user_did(server, rows, call):
    world, user = server.world, server.world.owner
    world.mark(user, rows["e1"])
    world.state(user, rows["bare"]).position = 5 * SECOND
    world.state(user, rows["lost"]).favourite = True
    world.state(user, rows["heat"]).rating = 3.0
    assert call.names("Filters=IsPlayed&IncludeItemTypes=Movie,Episode") == ["Episode 1"]
    assert call.names("isPlayed=false&IncludeItemTypes=Movie") == ["Heat", "Heat", "Home video"]
    assert call.names("Filters=IsFavorite") == ["Lost"]
    assert call.names("Filters=IsResumable") == ["Home video"]
    assert call.names("Filters=IsNotFolder,IsPlayed") == ["Episode 1"]
    # 10.11 takes a series as played by any episode, and a dislike as a like.
    newer = (10, 11) <= server.number < (12,)
    assert call.names("Filters=IsPlayed&IncludeItemTypes=Series") == (["Lost"] if newer else [])
    assert ("Heat" in call.names("Filters=Dislikes&IncludeItemTypes=Movie")) is not newer
    assert call.names("Filters=Likes") == []


def test_changes_since_are_those_of_titles(server, rows, call):
    world, user = server.world, server.world.owner
    world.mark(user, rows["heat"])
    rows["bare"].saved = world.now()
    stamp = "2025-06-15T00:00:00Z"
    assert call.names(f"minDateLastSavedForUser={stamp}") == ["Home video"]
    assert call.names(f"minDateLastSaved={stamp}") == ([] if server.number < (10, 11) else ["Home video"])
    assert call.names(f"minDateLastSaved={stamp}&minDateLastSavedForUser={stamp}") == ["Home video"]


def test_listings_lag_behind_writes_by_reads_and_by_time():
    at = [1_750_000_000.0]
    with Jellyfin(now=lambda: at[0]) as server:
        row, world, user = filled(server)["heat"], server.world, server.world.owner
        call, path = Client(server), f"?userId={server.world.owner.id}"

        def shown():
            body = call("GET", f"/Items{path}&Recursive=true&Ids={row.id}")[1]
            return body["Items"][0]["UserData"]["Played"]

        def write(played):
            assert call("POST", f"/UserItems/{row.id}/UserData{path}", {"Played": played})[1]["Played"] is played

        world.lag_reads = 2
        write(True)
        assert call("GET", f"/Items/{row.id}{path}")[1]["UserData"]["Played"] is True, "a single row does not lag"
        assert [shown(), shown(), shown()] == [False, False, True]
        world.lag_reads, world.lag_s = 0, 3.0
        write(False)
        assert shown() is True
        at[0] += 3
        assert shown() is False
        world.lag_s = 60.0
        write(True)
        world.settle()
        assert shown() is True
        assert world.peek(user, row).played


# --- writes ----------------------------------------------------------------------------------


def test_user_data_is_merged(server, rows, call):
    path = f"/UserItems/{rows['heat'].id}/UserData?userId={server.world.owner.id}"
    assert call("POST", path, {"Rating": "7.5", "IsFavorite": True})[1]["Likes"] is True
    data = call("POST", path, {"Played": True, "PlayCount": 2, "LastPlayedDate": "2024-01-02T03:04:05Z"})[1]
    assert (data["Rating"], data["IsFavorite"], data["Played"], data["LastPlayedDate"]) == (7.5, True, True, DATE)
    again = call("POST", path, {"Rating": None, "LastPlayedDate": None, "PlaybackPositionTicks": 5})[1]
    assert (again["Rating"], again["LastPlayedDate"], again["Played"]) == (7.5, DATE, True)
    assert call("POST", path, {"Likes": False})[1]["Rating"] == 1
    for wrong in ({"Rating": 11}, {"Rating": "good"}, {"Played": 1}, {"LastPlayedDate": "now"}, {"PlayCount": 1.5}):
        assert call("POST", path, wrong)[0] == 400, wrong
    assert call("POST", path, {"Rating": 3}, content_type="text/plain")[0] == 415


def test_marks_count_and_keep_dates(server, rows, call):
    user, film = server.world.owner, rows["heat"]
    path = f"/UserPlayedItems/{film.id}?userId={user.id}"
    assert call("POST", f"{path}&datePlayed=2024-01-02T03:04:05Z")[1]["PlayCount"] == 1
    again = call("POST", f"{path}&datePlayed=2020-01-01T00:00:00Z")[1]
    assert (again["PlayCount"], again["LastPlayedDate"]) == (2, "2020-01-01T00:00:00.0000000Z")
    assert call("POST", path)[1] == again, "without a date the old one stays"
    gone = call("DELETE", path)[1]
    assert (gone["Played"], gone["PlayCount"], "LastPlayedDate" in gone) == (False, 0, False)
    assert call("POST", path)[1]["LastPlayedDate"] == "2025-06-15T15:06:40.0000000Z"
    assert call("POST", f"{path}&datePlayed=nonsense")[0] == 400


def test_a_series_is_what_is_in_it(server, rows, call):
    user, lost = server.world.owner, rows["lost"]
    data = call("POST", f"/UserPlayedItems/{lost.id}?userId={user.id}&datePlayed=2024-01-02T03:04:05Z")[1]
    assert (data["Played"], data["UnplayedItemCount"]) == (True, 0)
    assert not server.world.peek(user, rows["virtual"]).played
    call("DELETE", f"/UserPlayedItems/{rows['e1'].id}?userId={user.id}")
    series = call("GET", f"/Items/{lost.id}?userId={user.id}")[1]["UserData"]
    assert (series["Played"], series["UnplayedItemCount"]) == (False, 1)
    assert ("PlayedPercentage" in series) is True, "of one row everything is told"
    empty = server.world.series(lost.library, "Empty")
    assert call("GET", f"/Items/{empty.id}?userId={user.id}")[1]["UserData"]["Played"] is True
    assert data["ItemId"] == (lost.id if server.number >= (10, 11) else "0" * 32)


def test_copies_share_until_10_10(server, rows):
    world, user = server.world, server.world.owner
    world.mark(user, rows["heat"])
    assert world.peek(user, rows["copy"]).played is (server.number < (10, 11))
    assert not world.peek(user, rows["bare"]).played


def test_until_10_10_what_was_read_stays_until_a_restart(server, rows, call):
    user, old = server.world.owner, server.number < (10, 11)

    def shown():
        body = call("GET", f"/Items?userId={user.id}&Recursive=true&Ids={rows['heat'].id},{rows['copy'].id}")[1]
        return [row["UserData"]["Played"] for row in body["Items"]]

    assert shown() == [False, False]
    call("POST", f"/UserItems/{rows['heat'].id}/UserData?userId={user.id}", {"Played": True})
    assert shown() == [True, False]
    server.world.restart()
    assert shown() == [True, old]
    server.world.clear(user)
    assert shown() == [False, False]


def test_versions_are_told_as_one_from_12_on(server, rows, call):
    world, user, film, new = server.world, server.world.owner, rows["copy"], server.number >= (12,)
    path = f"/UserItems/{film.id}/UserData?userId={user.id}"
    other = world.other(user, film)
    other.played, other.at = True, ticks("2025-01-01T00:00:00Z")
    shown = call("POST", path, {"Played": False, "LastPlayedDate": "2024-01-02T03:04:05Z", "PlaybackPositionTicks": 9})[
        1
    ]
    assert (shown["Played"], shown["PlaybackPositionTicks"]) == ((True, 0) if new else (False, 9))
    assert shown["LastPlayedDate"] == ("2025-01-01T00:00:00.0000000Z" if new else DATE)
    gone = call("DELETE", f"/UserPlayedItems/{film.id}?userId={user.id}")[1]
    assert (gone["Played"], "LastPlayedDate" in gone) == (False, False)
    world.other(user, film).played, world.other(user, film).position = False, 5
    call("POST", f"/UserPlayedItems/{film.id}?userId={user.id}")
    assert (world.other(user, film).played, world.other(user, film).position) == ((True, 0) if new else (False, 5))


def test_playing_again_unmarks_until_12(server, rows, call):
    world, user, film = server.world, server.world.owner, rows["heat"]
    world.play(user, film, ticks("2024-01-01T10:00:00Z"))
    world.start(user, film)
    assert world.peek(user, film).played is (server.number >= (12,))
    assert call("GET", "/Sessions")[1][0]["NowPlayingItem"]["Id"] == film.id
    assert Client(server, server.token(world.add_user("Kim")))("GET", "/Sessions")[1] == []
    world.stop(user, film, film.runtime // 2)
    assert (world.peek(user, film).position, world.peek(user, film).count) == (film.runtime // 2, 2)
    world.stop(user, film, film.runtime // 100)
    assert world.peek(user, film).position == 0
    assert call("GET", "/Sessions")[1] == []


def test_writes_go_wrong_in_the_ways_that_are_reported(server, rows, call):
    world, user, film = server.world, server.world.owner, rows["heat"]
    path = f"/UserItems/{film.id}/UserData?userId={user.id}"
    server.locked = 1
    assert call("POST", path, {"Played": True}) == (500, "Error processing request.")
    server.deaf_writes = 1
    assert call("POST", path, {"Played": True})[1]["Played"] is False
    server.shadowed = {film.id}
    assert call("POST", path, {"Played": True})[1]["Played"] is False
    call("DELETE", f"/UserPlayedItems/{film.id}?userId={user.id}")
    assert call("POST", path, {"Played": True})[1]["Played"] is True
    world.renew(film)
    assert call("POST", path, {"Played": False})[0] == 404
    assert world.peek(user, film).played
    kim = world.add_user("Kim")
    server.ignores_user = True
    admin = Client(server, server.token())
    admin("POST", f"/UserItems/{film.id}/UserData?userId={kim.id}", {"Rating": 4})
    assert (world.peek(user, film).rating, world.peek(kim, film).rating) == (4, None)
    server.starting = 1
    reply = call.reply("GET", "/System/Info/Public")
    assert (reply.status, reply.headers["Retry-After"]) == (503, "005")


def test_dates_have_as_many_digits_as_the_server_writes():
    for sent, shown in (
        ("2024-01-02T03:04:05Z", DATE),
        ("2024-01-02T04:04:05+01:00", DATE),
        ("2024-01-02T03:04:05.571Z", "2024-01-02T03:04:05.571Z"),
        ("2024-01-02T03:04:05.4030928Z", "2024-01-02T03:04:05.4030928Z"),
        ("2024-01-02T03:04:05.000123Z", "2024-01-02T03:04:05.0001230Z"),
        ("20240102030405", DATE),
        ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59.0000000Z"),
    ):
        assert dated(ticks(sent)) == shown
    with pytest.raises(ValueError, match="no date"):
        ticks("yesterday")


def test_pages_that_are_kept_show_every_change(server, rows, call):
    server.caching = True
    user, film = server.world.owner, rows["heat"]

    def shown():
        query = f"/Items?userId={user.id}&Recursive=true&Ids={film.id}"
        assert call("GET", query) == call("GET", query)
        row = call("GET", query)[1]["Items"][0]
        return row["UserData"]["Played"], row["UserData"]["IsFavorite"]

    assert shown() == (False, False)
    call("POST", f"/UserItems/{film.id}/UserData?userId={user.id}", {"Played": True})
    assert shown() == (True, False)
    server.world.state(user, film).favourite = True
    assert shown() == (True, True)
    server.world.lag_reads = 1
    call("POST", f"/UserItems/{film.id}/UserData?userId={user.id}", {"Played": False})
    query = f"/Items?userId={user.id}&Recursive=true&Ids={film.id}"
    seen = [call("GET", query)[1]["Items"][0]["UserData"]["Played"] for _ in range(3)]
    assert seen == [True, False, False]
