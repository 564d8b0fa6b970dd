"""What rows of Jellyfin and Emby say: ids, states, places, times, files of several episodes; and whole answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cwsync.errors import UnavailableError
from cwsync.http import Answer
from cwsync.model import Feature, Kind, Listed, Play, Position, Rated
from cwsync.providers._mbids import ids_of
from cwsync.providers._mbvalues import believed, entries_of, item_of, lingers, value_of
from cwsync.providers._mbwire import (
    BadRow,
    Row,
    Show,
    decode_page,
    decode_server,
    decode_time,
    decode_users,
    decode_views,
    plain_id,
    read_row,
)

HEX = "f8a1b2c3d4e5f60718293a4b5c6d7e8f"
# Shortened rows as Jellyfin 10.10 and Emby 4.8 send them.
FILM = {
    "Name": "Alien",
    "Id": HEX,
    "RunTimeTicks": 70_200_000_000,
    "ProductionYear": 1979,
    "ProviderIds": {"Tmdb": "348", "Imdb": "tt0078748", "TmdbCollection": "8091"},
    "Type": "Movie",
    "UserData": {
        "PlaybackPositionTicks": 0,
        "PlayCount": 1,
        "IsFavorite": True,
        "LastPlayedDate": "2024-11-21T21:04:49.571Z",
        "Played": True,
        "Key": "348",
        "ItemId": HEX,
    },
    "LocationType": "FileSystem",
    "ChannelId": None,
}
EPISODE = {
    "Name": "Pilot",
    "Id": "240270",
    "Type": "Episode",
    "IndexNumber": 1,
    "ParentIndexNumber": 0,
    "SeriesId": "240001",
    "SeriesName": "Some Show",
    "ProviderIds": {"Tvdb": "349232"},
    "RunTimeTicks": 60_000_000_000,
    "UserData": {"PlaybackPositionTicks": 12_345_678_901, "PlayCount": 0, "IsFavorite": False, "Played": False},
}
SHOWS = {"240001": Show(ids_of(Kind.SHOW, {"Tvdb": "81189"}), "Some Show", 2008)}


def row(raw: dict[str, Any], **more: Any) -> Row:
    made = read_row({**raw, **more})
    assert isinstance(made, Row)
    return made


def with_state(raw: dict[str, Any], **more: Any) -> Row:
    return row(raw, UserData={**raw["UserData"], **more})


def bad(raw: Any) -> BadRow:
    made = read_row(raw)
    assert isinstance(made, BadRow)
    return made


def answer(body: str, status: int = 200) -> Answer:
    return Answer(status, {"content-type": "application/json"}, body.encode(), "home", "GET /Items")


# --- rows --------------------------------------------------------------------------------------------


def test_a_film() -> None:
    film = row(FILM)
    item = item_of(film, {})
    assert item.ids == ("imdb_movie:tt0078748", "tmdb_movie:348")
    assert (item.title, item.year, film.duration_ms) == ("Alien", 1979, 7_020_000)
    # To the second: what is read is what can be written.
    assert value_of(Feature.HISTORY, film) == Play(datetime(2024, 11, 21, 21, 4, 49, tzinfo=UTC))
    assert value_of(Feature.WATCHLIST, film) == Listed()
    assert value_of(Feature.RATINGS, film) is None
    assert value_of(Feature.PROGRESS, film) is None


def test_an_episode_is_named_by_its_show_and_season_0_is_a_number() -> None:
    item = item_of(row(EPISODE), SHOWS)
    assert item.coordinates() == ("tvdb_show:81189#s0e1",)
    assert (item.ids, item.show_title, item.show_year) == (("tvdb_episode:349232",), "Some Show", 2008)
    assert value_of(Feature.PROGRESS, row(EPISODE)) == Position(1_234_567, 6_000_000)


def test_an_episode_whose_show_is_not_seen_keeps_its_own_ids_and_no_others() -> None:
    item = item_of(row(EPISODE), {})
    assert (item.ids, item.show_ids, item.coordinates()) == (("tvdb_episode:349232",), (), ())


def test_an_episode_nobody_identified() -> None:
    bare = {name: value for name, value in EPISODE.items() if name not in ("IndexNumber", "ParentIndexNumber")}
    item = item_of(row(bare, ProviderIds={}), SHOWS)
    assert (item.key(), item.title) == (None, "Pilot")


def test_a_season_has_its_own_number() -> None:
    season = row(EPISODE, Type="Season", IndexNumber=2, ParentIndexNumber=None)
    assert item_of(season, SHOWS).coordinates() == ("tvdb_show:81189#s2",)


def test_numbers_below_zero_are_none() -> None:
    odd = row(EPISODE, IndexNumber=-1, RunTimeTicks=-1)
    assert (odd.number, odd.season, odd.duration_ms) == (None, 0, None)
    assert with_state(EPISODE, PlaybackPositionTicks=-5, PlayCount=-1).state.position_ms == 0


def test_a_gap_is_no_row() -> None:
    assert read_row({**EPISODE, "LocationType": "Virtual"}) is None


@pytest.mark.parametrize(
    ("state", "history", "progress"),
    [
        ({"Played": True, "LastPlayedDate": None}, Play(None), None),
        ({"Played": True, "PlaybackPositionTicks": 9_000_000_000}, Play(None), None),
        ({"PlayCount": 3, "PlaybackPositionTicks": 0}, None, None),
        ({"PlaybackPositionTicks": 9_999}, None, None),
        ({"PlaybackPositionTicks": 10_000}, None, Position(1, 6_000_000)),
    ],
    ids=["no date", "left-over position", "count alone", "less than a millisecond", "one"],
)
def test_what_a_state_means(state: dict[str, Any], history: Play | None, progress: Position | None) -> None:
    found = with_state(EPISODE, **state)
    assert (value_of(Feature.HISTORY, found), value_of(Feature.PROGRESS, found)) == (history, progress)


@pytest.mark.parametrize(
    ("rating", "score"), [(None, None), (0, None), (0.04, 1), (1, 10), (7.5, 75), (10, 100), (6.96, 70)]
)
def test_ratings(rating: float | None, score: int | None) -> None:
    assert value_of(Feature.RATINGS, with_state(FILM, Rating=rating)) == (None if score is None else Rated(score))


def test_a_series_is_never_watched_and_may_be_listed_and_rated() -> None:
    series = with_state({**FILM, "Type": "Series"}, Played=True, Rating=8)
    assert [value_of(one, series) for one in (Feature.HISTORY, Feature.PROGRESS)] == [None, None]
    assert value_of(Feature.WATCHLIST, series) == Listed()
    assert value_of(Feature.RATINGS, series) == Rated(80)
    assert value_of(Feature.WATCHLIST, with_state(EPISODE, IsFavorite=True)) is None


@pytest.mark.parametrize(
    ("state", "begun"),
    [
        ({}, False),
        ({"PlayCount": 1}, True),
        ({"LastPlayedDate": "2024-01-01T00:00:00Z"}, True),
        ({"PlayCount": 1, "Played": True}, False),
    ],
)
def test_what_was_begun_is_no_proof_of_a_removal(state: dict[str, Any], begun: bool) -> None:
    assert lingers(Feature.HISTORY, with_state(EPISODE, **state)) is begun
    assert not lingers(Feature.PROGRESS, with_state(EPISODE, **state))


@pytest.mark.parametrize(("ahead_s", "known"), [(-1, True), (299, True), (301, False), (10**9, False)])
def test_a_time_that_is_yet_to_come_is_none(ahead_s: int, known: bool) -> None:
    now = datetime(2024, 5, 1, tzinfo=UTC)
    at = now + timedelta(seconds=ahead_s)
    for value in (Play(at), Position(60_000, None, at)):
        assert believed(value, now) == (value if known else replace(value, at=None))
        assert believed(value, None) == value
    assert believed(Listed(), now) == Listed()


# --- files of several episodes -------------------------------------------------------------------------


def test_a_file_of_several_episodes_is_each_of_them() -> None:
    file = with_state({**EPISODE, "IndexNumberEnd": 3}, Played=True, Rating=5)
    value = value_of(Feature.HISTORY, file)
    assert value is not None
    entries = list(entries_of(file, value, SHOWS))
    assert [one.item.number for one in entries] == [1, 2, 3]
    assert [one.native_key for one in entries] == ["240270#1", "240270#2", "240270#3"]
    # Its ids are those of the first.
    assert [one.item.ids for one in entries] == [("tvdb_episode:349232",), (), ()]
    assert value_of(Feature.RATINGS, file) is None
    assert value_of(Feature.PROGRESS, row(EPISODE, IndexNumberEnd=2)) is None


@pytest.mark.parametrize("end", [0, 1, 21, 4000])
def test_an_end_that_cannot_be_is_none(end: int) -> None:
    assert row(EPISODE, IndexNumberEnd=end).last is None


# --- ids ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "ids", "expected"),
    [
        (Kind.MOVIE, {"IMDB": "tt0000123", "TMDb": "5"}, ("imdb_movie:tt0000123", "tmdb_movie:5")),
        (Kind.MOVIE, {"Imdb": " TT0000123 "}, ("imdb_movie:tt0000123",)),
        (Kind.MOVIE, {"Imdb": "", "Tmdb": "0", "Tvdb": "x1"}, ()),
        (Kind.MOVIE, {"Tmdb": "007"}, ("tmdb_movie:7",)),
        (Kind.MOVIE, {"Tmdb": 348, "Tvdb": None}, ()),
        (Kind.EPISODE, {"Tmdb": "../tv/203124/season/1/episode/1"}, ()),
        (Kind.SHOW, {"AniList": "21", "AniDB": "69"}, ("anilist_show:21", "anidb_show:69")),
        (Kind.SHOW, {"MyAnimeList": "1", "Mal": "2"}, ("mal_show:1",)),
        (Kind.SEASON, {"AniList": "21", "Tvdb": "9"}, ("tvdb_season:9",)),
        (Kind.MOVIE, {"MusicBrainzAlbum": "1", "Custom": "2"}, ()),
        (Kind.MOVIE, None, ()),
    ],
)
def test_ids(kind: Kind, ids: Any, expected: tuple[str, ...]) -> None:
    assert ids_of(kind, ids) == expected


# --- times -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05+00:00"),
        ("2024-01-02T03:04:05.0000000Z", "2024-01-02T03:04:05+00:00"),
        ("2024-01-02T03:04:05.9999999Z", "2024-01-02T03:04:05+00:00"),
        ("2024-01-02T03:04:05.5+02:00", "2024-01-02T01:04:05+00:00"),
        ("2024-01-02T03:04:05", None),
        ("0001-01-01T00:00:00.0000000Z", None),
        (None, None),
    ],
)
def test_times(text: str | None, expected: str | None) -> None:
    found = decode_time(text)
    assert (None if found is None else found.isoformat()) == expected


# --- rows that cannot be read --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"Type": "BoxSet"}, "its type is 'BoxSet'"),
        ({"Type": None}, "its type is 'None'"),
        ({"UserData": None}, "it has no UserData"),
        ({"UserData": {}}, "does not tell Played"),
        ({"UserData": {**FILM["UserData"], "LastPlayedDate": "yesterday"}}, "LastPlayedDate is no time"),  # type: ignore[dict-item]
        ({"UserData": {**FILM["UserData"], "LastPlayedDate": "2024-13-01T00:00:00Z"}}, "is no time"),  # type: ignore[dict-item]
        ({"UserData": {**FILM["UserData"], "Rating": 11}}, "Rating is no rating"),  # type: ignore[dict-item]
        ({"UserData": {**FILM["UserData"], "PlaybackPositionTicks": 1.5}}, "PlaybackPositionTicks is no"),  # type: ignore[dict-item]
        ({"ProviderIds": []}, "ProviderIds is no object"),
        ({"RunTimeTicks": "1"}, "RunTimeTicks is no whole number"),
        ({"Name": 1}, "Name is no text"),
    ],
)
def test_a_row_that_cannot_be_read_says_why_and_keeps_its_key(change: dict[str, Any], why: str) -> None:
    found = bad({**FILM, **change})
    assert (found.key, why in found.why) == (HEX, True), found


@pytest.mark.parametrize("raw", [None, [], {}, {"Id": ""}, {"Id": "../x"}, {"Id": 5}])
def test_a_row_without_a_key(raw: Any) -> None:
    assert bad(raw).key is None


# --- whole answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["[]", "{}", '{"Items": {}}', '{"Items": [], "TotalRecordCount": "7"}', "", "<html>"])
def test_what_is_no_page_is_a_failed_read(body: str) -> None:
    with pytest.raises(UnavailableError):
        decode_page(answer(body))


def test_a_page_without_a_total() -> None:
    assert decode_page(answer('{"Items": [1]}')).total is None


@pytest.mark.parametrize(
    "body", ['{"Id": "x"}', '{"Id": "", "Version": "10.9.1"}', '{"Id": "x", "Version": "new"}', "[]"]
)
def test_what_is_no_server(body: str) -> None:
    with pytest.raises(UnavailableError):
        decode_server(answer(body))


def test_servers() -> None:
    found = decode_server(answer('{"Id": "AB", "Version": "10.11.11", "ProductName": "Jellyfin Server"}'))
    assert (found.id, found.numbers, found.name, found.product) == ("ab", (10, 11), "?", "Jellyfin Server")
    assert decode_server(answer('{"Id": "AB", "Version": "4.8.11.0"}')).numbers == (4, 8)


def test_users() -> None:
    rows = '[{"Id": "AAAA-bb", "Name": "Kim", "Policy": {"IsAdministrator": true}}, {"Id": "c", "Name": "Lou"}]'
    kim, lou = decode_users(answer(rows))
    assert (kim.id, kim.admin, lou.admin) == ("aaaabb", True, False)
    assert decode_users(answer(f'{{"Items": {rows}}}')) == [kim, lou]
    for broken in ('{"Items": 1}', '[{"Id": 1, "Name": "Kim"}]', "7"):
        with pytest.raises(UnavailableError):
            decode_users(answer(broken))


def test_views() -> None:
    assert decode_views(answer('{"Items": [{"Id": "a1", "Name": "Films"}]}')) == [("a1", "Films")]
    with pytest.raises(UnavailableError):
        decode_views(answer('{"Items": [{"Id": "a/1", "Name": "Films"}]}'))


def test_ids_of_users_have_no_dashes() -> None:
    assert plain_id("F8A1B2C3-D4E5-F607-1829-3A4B5C6D7E8F") == HEX
