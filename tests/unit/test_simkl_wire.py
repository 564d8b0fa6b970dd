"""What SIMKL says, read: stamps, the forms of nothing, rows of recorded answers, ids, times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cwsync.model import Feature, Kind
from cwsync.providers._simklpicture import Picture
from cwsync.providers._simklrows import Index, records
from cwsync.providers._simklwire import (
    PARTS,
    Activities,
    RowError,
    decode_account,
    decode_activities,
    decode_lists,
    decode_rating,
    decode_row,
    decode_time,
    moved,
)
from simulators.simkl_spec import recorded, shapes

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def stamps(**more: str | None) -> Activities:
    """Stamps that never moved but for some: ``movies_completed``."""
    told: dict[str, Any] = {"all": "2026-11-01T00:00:00Z"}
    for name in ("tv_shows", "movies", "anime"):
        buckets = ["all", "rated_at", "playback", "plantowatch", "completed", "dropped", "removed_from_list"]
        told[name] = dict.fromkeys(buckets)
    for name, at in more.items():
        part, _, bucket = name.replace("tv_shows", "tv-shows").partition("_")
        told[part.replace("-", "_")][bucket] = at
    return decode_activities(told)


OLD, NEW = "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"


@pytest.mark.parametrize(
    ("before", "after", "items", "removed", "rated"),
    [
        ({}, {}, (), (), False),
        ({}, {"movies_completed": OLD}, ("movies",), (), False),
        ({"tv_shows_completed": OLD}, {"tv_shows_completed": NEW, "tv_shows_all": NEW}, ("shows",), (), False),
        ({}, {"movies_playback": NEW, "movies_all": NEW}, (), (), False),
        ({}, {"anime_rated_at": NEW, "anime_all": NEW}, (), (), True),
        ({}, {"movies_removed_from_list": NEW, "movies_all": NEW}, (), ("movies",), False),
        ({}, {"movies_all": NEW}, ("movies",), (), False),
        ({"movies_completed": NEW}, {"movies_completed": OLD}, ("movies",), (), False),
        ({"movies_completed": NEW}, {}, ("movies",), (), False),
        ({}, {"movies_new-bucket": NEW}, ("movies",), (), False),
    ],
)
def test_what_moved(before: Any, after: Any, items: Any, removed: Any, rated: bool) -> None:
    news = moved(stamps(**before).parts, stamps(**after))
    assert (news.items, news.removed, news.rated) == (items, removed, rated)
    assert bool(news) == bool(items or removed or rated)


def test_an_old_name_of_a_list_is_the_new_one() -> None:
    told: dict[str, Any] = recorded("last_activities")
    found = decode_activities(told)
    assert "dropped" in found.parts["movies"]
    assert "notinteresting" not in found.parts["movies"]
    assert found.newest == told["all"]


@pytest.mark.parametrize(
    "told",
    [None, [], {}, {"all": None}, {"all": OLD, "tv_shows": {}, "movies": {}, "anime": {}}, {"all": "yesterday"}],
)
def test_stamps_that_lack_a_part_are_none(told: object) -> None:
    with pytest.raises(ValueError, match="stamp"):
        decode_activities(told)


def test_a_stamp_that_is_young_is_not_relied_on() -> None:
    young, old = "2026-11-21T11:59:59Z", "2026-11-21T11:59:00Z"
    found = stamps(movies_completed=young, tv_shows_completed=old)
    settled = found.settled(NOW)
    assert (settled["movies"]["completed"], settled["shows"]["completed"]) == ("", old)
    assert moved(settled, found).items == ("movies",)
    assert not moved(found.settled(NOW + timedelta(minutes=1)), found)
    assert moved(found.settled(None), found), "without a clock none is relied on"


def test_changes_are_asked_for_from_the_stamp_byte_for_byte() -> None:
    parts = stamps().parts
    assert Activities(parts, "2026-11-21T11:59:00Z").since(NOW) == "2026-11-21T11:59:00Z"
    assert Activities(parts, "2026-11-21T11:59:59Z").since(NOW) == "2026-11-21T11:59:53Z"
    assert Activities(parts, None).since(NOW) is None


@pytest.mark.parametrize("nothing", [None, {}, [], {"movies": []}, {"shows": [], "movies": []}])
def test_nothing_is_nothing_in_every_form(nothing: object) -> None:
    assert not any(decode_lists(nothing, ("movies",)).values())


@pytest.mark.parametrize("other", ["", 0, {"error": "x"}, {"list": []}, {"movies": {}}, [1], {"shows": [{}]}])
def test_what_is_no_list_is_a_failure(other: object) -> None:
    with pytest.raises(ValueError, match=r"it (is|holds)"):
        decode_lists(other, ("movies",))


def picture_of(found: Any) -> Picture:
    rows = [decode_row(part, row) for part in PARTS for row in found.get(part, [])]
    return Picture("simkl:1", "https://api.simkl.com", {}, None, NOW, {row.simkl: row for row in rows})


@pytest.mark.parametrize("name", ["all_items", "user_ratings"])
def test_every_row_of_a_recording_is_read(name: str) -> None:
    found = recorded(name)
    picture = picture_of(found)
    assert len(picture.rows) == len(found["shows"]) + len(found["movies"])
    history = records(picture, Feature.HISTORY)
    assert not history.undecoded
    films = [entry for entry in history.entries if entry.item.kind is Kind.MOVIE]
    assert len(films) == sum(row["status"] == "completed" for row in found["movies"])
    assert all(entry.item.ids and entry.value.at for entry in films)
    episodes = sum(len(one["episodes"]) for row in found["shows"] for one in row.get("seasons", []))
    assert len(history.entries) - len(films) == episodes
    assert history.doubts, "a show of which fewer episodes are told than were watched is no whole history"
    assert all("imdb" in {one.service for one in row.item.show_ids} for row in history.entries if row.item.show_ids)
    rated = [row for part in PARTS for row in found.get(part, []) if row["user_rating"]]
    assert len(records(picture, Feature.RATINGS).entries) == len(rated)
    assert len(Index(picture).titles(films[0].item)) == 1


def test_the_described_rows_are_read() -> None:
    name = "GET /sync/all-items?extended=full&episode_watched_at=yes&include_all_episodes=original&memos=yes"
    picture = picture_of(shapes()[name])
    found = {entry.native_key: entry for entry in records(picture, Feature.HISTORY).entries}
    assert sorted(key or "" for key in found) == [
        "9000001",
        "9000002:1x1",
        "9000002:1x2",
        "9000003:1x1",
        "9000003:1x2",
    ]
    assert found["9000002:1x2"].value.at is None, "a time before 2000 is one that nobody knows"
    assert "tvdb_show:800009#s1e2" in found["9000003:1x2"].item.coordinates()
    (rated,) = records(picture, Feature.RATINGS).entries
    assert rated.item.kind is Kind.SHOW
    assert picture.rows[9000001].memo
    assert not picture.rows[9000002].memo


def row(**more: Any) -> dict[str, Any]:
    thing = more.pop("thing", {"title": "Film", "year": 2000, "ids": {"simkl": 1, "imdb": "tt0000001"}})
    return {"status": "completed", "movie": thing, "last_watched_at": OLD} | more


@pytest.mark.parametrize(
    ("told", "why", "simkl"),
    [
        (row(thing={}), "names no title", None),
        (row(thing={"ids": {"imdb": "tt0000001"}}), "no id of SIMKL", None),
        (row(thing={"ids": {"simkl": "1"}}), "no id of SIMKL", None),
        (row(status=None), "in no list", 1),
        (row(user_rating=11), "1 to 10", 1),
        (row(user_rating="8"), "1 to 10", 1),
        (row(last_watched_at="yesterday"), "yesterday", 1),
        (row(last_watched_at="2026-11-21"), "not a time", 1),
        (row(last_watched_at="2026-11-21T10:00:00"), "no zone", 1),
        (row(seasons=[{"number": 1}]), "no episodes", 1),
        (row(seasons=[{"number": 1, "episodes": [{}]}]), "no number", 1),
        (row(seasons={}), "no list", 1),
    ],
)
def test_a_row_that_is_none_says_why(told: dict[str, Any], why: str, simkl: int | None) -> None:
    with pytest.raises(RowError, match=why) as caught:
        decode_row("movies", told)
    assert caught.value.simkl == simkl


def test_ids_are_taken_as_they_are_or_not_at_all() -> None:
    ids = {"simkl": 1, "imdb": "0000001", "tmdb": "12", "tvdb": "77", "mal": 5, "slug": "film", "fb": "Film"}
    made = decode_row("movies", row(thing={"ids": ids}))
    picture = Picture("simkl:1", "", {}, None, NOW, {1: made})
    (entry,) = records(picture, Feature.HISTORY).entries
    assert entry.item.ids == ("tmdb_movie:12", "simkl_movie:1", "mal_movie:5"), "TVDB's number may be that of a show"


def test_ratings_and_times() -> None:
    assert [decode_rating(one) for one in (None, 0, 1, 10)] == [None, None, 1, 10]
    assert decode_time("1970-01-01T00:00:01Z") is None
    assert decode_time(None) is None
    assert decode_time("2026-11-21T05:00:00-05:00") == datetime(2026, 11, 21, 10, tzinfo=UTC)


def test_whose_account_it_is() -> None:
    assert decode_account(recorded("user_info")) == ("123", "User", "free")
    for told in (None, {}, {"account": {"id": "1"}}, {"account": {"id": True}}):
        with pytest.raises(ValueError, match="no account"):
            decode_account(told)
