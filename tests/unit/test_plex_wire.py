"""Decoding Plex's answers: what is read, and what is refused instead of guessed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cwsync.errors import UnavailableError
from cwsync.http import Answer
from cwsync.model import Feature, Kind, Play, Position, Rated
from cwsync.providers._plexlogin import decode_account, decode_home, decode_servers
from cwsync.providers._plexwire import (
    RowError,
    Show,
    decode_container,
    decode_machine_id,
    decode_row,
    decode_sections,
    item_of,
    stamp,
    value_of,
)

FILM = {
    "ratingKey": "9",
    "type": "movie",
    "guid": "plex://movie/5d776825880197001ec967c8",
    "title": "Heat",
    "year": 1995,
    "duration": 10_000_000,
    "Guid": [{"id": "imdb://tt0113277"}],
}
EPISODE = {
    "ratingKey": "12",
    "type": "episode",
    "guid": "plex://episode/5d776825880197001ec967c9",
    "title": "Pilot",
    "grandparentRatingKey": "10",
    "grandparentTitle": "A show",
    "parentIndex": 0,
    "index": 3,
    "Guid": {"id": "tvdb://349232"},
}
AT = datetime(2024, 1, 1, 12, tzinfo=UTC)
SECONDS = int(AT.timestamp())


def answer(body: Any) -> Answer:
    return Answer(200, {"content-type": "application/json"}, json.dumps(body).encode(), "home", "GET /x")


def holder(**inside: Any) -> Answer:
    return answer({"MediaContainer": inside})


def test_a_film() -> None:
    item = item_of(decode_row(FILM, Kind.MOVIE), {})
    assert (item.kind, item.ids, item.title, item.year) == (Kind.MOVIE, ("imdb_movie:tt0113277",), "Heat", 1995)


def test_an_episode_gets_its_show_by_joining() -> None:
    row = decode_row(EPISODE, Kind.EPISODE)
    show = decode_row({"ratingKey": "10", "type": "show", "title": "A show", "Guid": [{"id": "tvdb://81189"}]})
    item = item_of(row, {"10": Show(show.ids, show.title, 2008)})
    assert item.ids == ("tvdb_episode:349232",)
    assert item.coordinates() == ("tvdb_show:81189#s0e3",)
    assert (item.show_title, item.show_year) == ("A show", 2008)
    assert item_of(row, {}).show_ids == ()


def test_an_episode_of_an_older_agent_knows_its_show_itself() -> None:
    raw = {"ratingKey": "1", "type": "episode", "guid": "com.plexapp.agents.thetvdb://81189/2/5?lang=en"}
    assert item_of(decode_row(raw), {}).coordinates() == ("tvdb_show:81189#s2e5",)


@pytest.mark.parametrize(
    ("more", "feature", "value"),
    [
        ({}, Feature.HISTORY, None),
        ({"viewCount": 0}, Feature.HISTORY, None),
        ({"viewCount": 2, "lastViewedAt": SECONDS}, Feature.HISTORY, Play(AT)),
        ({"viewCount": 1}, Feature.HISTORY, Play(None)),
        ({"viewCount": 1, "viewOffset": 70_000, "lastViewedAt": SECONDS}, Feature.HISTORY, Play(None)),
        ({"viewOffset": 70_000, "lastViewedAt": SECONDS}, Feature.HISTORY, None),
        ({"viewOffset": 70_000, "lastViewedAt": SECONDS}, Feature.PROGRESS, Position(70_000, 10_000_000, AT)),
        ({"userRating": 7.5, "lastRatedAt": SECONDS}, Feature.RATINGS, Rated(75, AT)),
        ({"userRating": 7.300000190734863}, Feature.RATINGS, Rated(73)),
        ({"userRating": 10}, Feature.RATINGS, Rated(100)),
        ({"userRating": 0.0}, Feature.RATINGS, None),
        ({"userRating": -1}, Feature.RATINGS, None),
    ],
)
def test_what_a_row_holds(more: dict[str, Any], feature: Feature, value: object) -> None:
    assert value_of(feature, decode_row(FILM | more)) == value


def test_a_show_holds_a_rating_and_no_plays() -> None:
    raw = {"ratingKey": "1", "type": "show", "viewCount": 12, "lastViewedAt": SECONDS, "userRating": 8}
    row = decode_row(raw)
    assert value_of(Feature.HISTORY, row) is None
    assert value_of(Feature.RATINGS, row) == Rated(80)


@pytest.mark.parametrize(
    "more",
    [
        {"ratingKey": None},
        {"ratingKey": "abc"},
        {"ratingKey": "../1"},
        {"type": "clip"},
        {"type": "show"},
        {"viewCount": "2"},
        {"viewCount": True},
        {"viewCount": -1},
        {"viewOffset": 1.5},
        {"lastViewedAt": 1 << 60},
        {"lastViewedAt": 1 << 45},
        {"userRating": "8"},
        {"userRating": 11},
        {"userRating": True},
        {"title": 5},
        {"Guid": "imdb://tt1"},
        {"Guid": [{"tag": "x"}]},
        {"Guid": [None]},
    ],
)
def test_a_row_that_cannot_be_read(more: dict[str, Any]) -> None:
    with pytest.raises(RowError) as caught:
        decode_row(FILM | more, Kind.MOVIE)
    assert caught.value.key == (None if "ratingKey" in more else "9")


def test_a_season_without_a_number() -> None:
    item = item_of(decode_row(EPISODE | {"parentIndex": -1}), {})
    assert (item.season, item.number) == (None, 3)


@pytest.mark.parametrize("raw", [None, [], "x", 5])
def test_what_is_no_row(raw: object) -> None:
    with pytest.raises(RowError):
        decode_row(raw)


def test_containers() -> None:
    assert decode_container(holder(size=0)).rows == []
    assert decode_container(holder(size=1, totalSize=7, Metadata=[FILM])).total == 7
    assert decode_container(holder(size=1, Metadata=FILM)).rows == [FILM]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"MediaContainer": []},
        {"MediaContainer": {"Metadata": "x"}},
        {"MediaContainer": {"totalSize": "7"}},
        {"MediaContainer": {"totalSize": -1}},
        {"MediaContainer": {"size": 2, "Metadata": [FILM]}},
    ],
)
def test_what_is_no_container_is_a_failed_read(body: object) -> None:
    with pytest.raises(UnavailableError):
        decode_container(answer(body))


def test_a_page_for_people_is_a_failed_read() -> None:
    with pytest.raises(UnavailableError):
        decode_container(Answer(200, {"content-type": "text/html"}, b"<html>hello</html>", "home", "GET /x"))


def test_libraries_of_music_are_left_out() -> None:
    rows = [
        {"key": "1", "title": "Films", "type": "movie"},
        {"key": 2, "title": "Music", "type": "artist"},
        {"key": 3, "title": "Shows", "type": "show", "refreshing": True},
    ]
    found = decode_sections(holder(size=3, Directory=rows))
    assert [(one.key, one.kind, one.busy) for one in found] == [("1", Kind.MOVIE, False), ("3", Kind.SHOW, True)]
    with pytest.raises(UnavailableError):
        decode_sections(holder(size=1, Directory=[{"type": "movie"}]))


def test_what_is_no_media_server() -> None:
    assert decode_machine_id(holder(machineIdentifier="abc")) == "abc"
    with pytest.raises(UnavailableError, match="no Plex Media Server"):
        decode_machine_id(holder(size=0))


def test_a_stamp_moves_with_the_number_and_the_newest_rows() -> None:
    rows = [f"row {n}" for n in range(30)]
    assert stamp(30, rows) == stamp(30, [*rows[:20], "else"])
    assert stamp(30, rows) != stamp(31, rows)
    assert stamp(30, rows) != stamp(30, ["new", *rows])
    assert stamp(None, rows) is None


# --- plex.tv ------------------------------------------------------------------------------------------


def server(**more: Any) -> dict[str, Any]:
    made = {"provides": "server", "clientIdentifier": "m1", "name": "Home", "accessToken": "t", "owned": True}
    return made | {"connections": []} | more


def connection(uri: str, *, local: bool = False, relay: bool = False, six: bool = False) -> dict[str, Any]:
    return {"uri": uri, "local": local, "relay": relay, "IPv6": six, "address": "10.0.0.5", "port": 32400}


def test_addresses_come_best_first() -> None:
    rows = [
        connection("https://relay", relay=True),
        connection("https://far"),
        connection("https://far-six", six=True),
        connection("https://near", local=True),
    ]
    (found,) = decode_servers(answer([server(connections=rows)]))
    assert found.addresses == (
        "https://near",
        "http://10.0.0.5:32400",
        "https://far",
        "https://far-six",
        "https://relay",
    )
    (strict,) = decode_servers(answer([server(connections=rows, httpsRequired=True)]))
    assert "http://10.0.0.5:32400" not in strict.addresses
    (shared,) = decode_servers(answer([server(connections=rows, owned=False)]))
    assert shared.addresses == ("https://far", "https://far-six", "https://relay")


def test_players_and_servers_without_a_token_are_left_out() -> None:
    rows = [server(provides="client,player"), server(accessToken=None), server(provides="client,server")]
    assert [one.machine_id for one in decode_servers(answer(rows))] == ["m1"]
    assert "t" not in repr(decode_servers(answer([server(accessToken="secret-token")]))[0]).replace("server", "")


def test_accounts_and_homes() -> None:
    assert decode_account(answer({"id": 5, "uuid": "u", "title": "A", "home": True})).id == "5"
    users = [{"uuid": "u", "title": "Child", "restricted": True, "protected": True}]
    assert decode_home(answer({"users": users})) == decode_home(answer(users))
    bodies: list[dict[str, Any]] = [{}, {"users": 5}, {"users": [{}]}]
    for body in bodies:
        with pytest.raises(UnavailableError):
            decode_home(answer(body))
    with pytest.raises(UnavailableError):
        decode_account(answer({"id": "5"}))
