"""Reading AniList: everything at once, each entry once, scores as they are kept, and nothing made up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwsync.errors import AuthError, StateError, UnavailableError
from cwsync.model import Feature, Kind, Listed, Outcome, Play, Rated
from cwsync.providers._anilistwire import (
    RowError,
    decode_lists,
    decode_looked_up,
    decode_viewer,
    entries_of,
    row_of,
    titles_of,
)
from simulators.anilist import AniList, asking
from simulators.anilist_account import film, held, read, series, use
from simulators.anilist_world import SHOWN
from support import world
from support.httpserver import Do, Handler, Reply, Request, answer, cut_json, drop_after, drop_before, html, status
from support.network import Time

LISTS = "MediaListCollection"


@pytest.fixture
def service() -> Iterator[AniList]:
    with AniList() as made:
        for n in range(1, 6):
            made.world.know(film(n))
            made.world.know(series(n))
        yield made


def entry(service: AniList, item: Any, **more: Any) -> Any:
    return service.world.entry(service.world.know(item), **more)


# --- what is in which feature ---------------------------------------------------------------------


def test_plans_are_the_watchlist(service):
    for n, word in enumerate(("PLANNING", "CURRENT", "COMPLETED", "DROPPED", "PAUSED", "REPEATING")):
        entry(service, series(n), status=word, created_at=1_700_000_000)
    found = read(service, Feature.WATCHLIST)
    assert [one.value for one in found.entries] == [Listed(datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))]
    assert found.entries[0].item.ids == series(0).ids
    assert found.complete


def test_an_entry_without_a_day_of_birth(service):
    entry(service, film(1), created_at=0)
    assert read(service, Feature.WATCHLIST).entries[0].value == Listed(None)


@pytest.mark.parametrize("form", list(SHOWN))
def test_scores_come_as_they_are_kept_whatever_the_account_shows(service, form):
    service.world.score_format = form
    for n, raw in enumerate((0, 1, 35, 75, 100), start=1):
        entry(service, film(n), status="COMPLETED", score=raw)
    found = held(read(service, Feature.RATINGS))
    assert {label: one.value for label, one in found.items()} == {
        film(n).label(): Rated(raw) for n, raw in enumerate((1, 35, 75, 100), start=2)
    }


def test_a_format_that_is_changed_between_runs_changes_nothing(service):
    entry(service, film(1), status="COMPLETED", score=75)
    seen = []
    for form in SHOWN:
        service.world.score_format = form
        found = read(service, Feature.RATINGS)
        seen.append((found.watermark, found.entries))
    assert len({stamp for stamp, _ in seen}) == 1
    assert all(entries == seen[0][1] for _, entries in seen)


def test_films_and_series_under_the_kind_that_they_have(service):
    entry(service, film(1), status="COMPLETED", score=50)
    entry(service, series(1), status="COMPLETED", score=60)
    service.world.know(series(2)).format = "SPECIAL"
    service.world.know(series(2)).mal = None
    entry(service, series(2), status="COMPLETED", score=70)
    entry(service, series(3), status="COMPLETED", score=80)
    service.world.know(series(3)).format = None
    found = read(service, Feature.RATINGS).entries
    assert {one.item.ids for one in found} == {
        film(1).ids, series(1).ids, series(2, services="anilist").ids, series(3).ids,
    }  # fmt: skip
    assert {one.item.kind for one in found} == {Kind.MOVIE, Kind.SHOW}


def test_what_was_seen_of_films_and_series(service):
    films = {"COMPLETED": 0, "CURRENT": 1, "PLANNING": 0, "REPEATING": 0}
    for n, (word, progress) in enumerate(films.items(), start=1):
        entry(service, film(n), status=word, progress=progress)
    service.world.entries[int(film(1).ids[1].value)].completed = {"year": 2024, "month": 5, "day": 3}
    entry(service, series(1), status="CURRENT", progress=3)
    entry(service, series(2), status="COMPLETED", progress=0)  # all of its twelve
    entry(service, series(3), status="REPEATING", progress=2)
    service.world.know(series(4)).status = "RELEASING"
    entry(service, series(4), status="COMPLETED", progress=5)  # by mistake; no more than that is known
    entry(service, series(5), status="DROPPED", progress=1, repeat=1)
    found = read(service, Feature.HISTORY).entries
    plays = {one.item.label(): one.value for one in found if one.item.kind is Kind.MOVIE}
    assert plays == {
        film(1).label(): Play(date(2024, 5, 3)),
        film(2).label(): Play(None),
        film(4).label(): Play(None),
    }
    parts: dict[str, list[int]] = {}
    for one in found:
        if one.item.kind is Kind.EPISODE:
            assert (one.item.season, one.item.show_ids) != (None, ())
            parts.setdefault(str(one.item.show_title), []).append(one.item.number or 0)
    every = list(range(1, 13))
    assert parts == {
        "Series 1": [1, 2, 3], "Series 2": every, "Series 3": every, "Series 4": [1, 2, 3, 4, 5], "Series 5": every,
    }  # fmt: skip
    assert len({one.native_key for one in found}) == len(found)


# --- lists ----------------------------------------------------------------------------------------


def test_an_entry_in_many_lists_comes_once(service):
    service.world.custom_lists = ["Best", "Worst"]
    entry(service, film(1), custom={"Best", "Worst"})
    entry(service, film(2), custom={"Best"}, hidden=True, private=True)
    service.world.split_completed = True
    entry(service, film(3), status="COMPLETED", custom={"Worst"}, score=90)
    found = read(service, Feature.WATCHLIST)
    assert [one.item.title for one in found.entries] == ["Film 1", "Film 2"]
    assert len(read(service, Feature.RATINGS).entries) == 1


def test_no_order_of_lists_moves_the_stamp(service):
    one = entry(service, film(1))
    entry(service, film(2))
    before = read(service, Feature.WATCHLIST)
    one.updated_at += 1000
    service.world.custom_lists = ["Best"]
    one.custom = {"Best"}
    after = read(service, Feature.WATCHLIST)
    assert (after.entries[0].native_key, after.watermark) == (before.entries[0].native_key, before.watermark)


def test_a_stamp_is_of_one_feature_and_moves_with_removals(service):
    entry(service, film(1))
    entry(service, film(2), status="COMPLETED", score=50)
    stamps = {one: read(service, one).watermark for one in (Feature.WATCHLIST, Feature.RATINGS, Feature.HISTORY)}
    del service.world.entries[int(film(1).ids[1].value)]
    again = {one: read(service, one).watermark for one in stamps}
    assert again[Feature.WATCHLIST] != stamps[Feature.WATCHLIST]
    assert (again[Feature.RATINGS], again[Feature.HISTORY]) == (stamps[Feature.RATINGS], stamps[Feature.HISTORY])


def test_nothing_new_is_two_requests_and_a_first_read_too(service):
    entry(service, film(1))

    async def quiet(provider: Any) -> int:
        for feature in (Feature.HISTORY, Feature.RATINGS, Feature.WATCHLIST):
            await provider.watermark(feature)
        assert provider.requests == 2
        told = [(await provider.fetch(one)).requests for one in (Feature.HISTORY, Feature.RATINGS, Feature.WATCHLIST)]
        assert told == [1, 0, 0]
        return int(provider.requests)

    assert use(service, quiet) == 2
    assert service.asked(LISTS) == 1


def test_a_stamp_after_a_read_is_asked_for(service):
    async def fence(provider: Any) -> tuple[bool, int]:
        first = await provider.watermark(Feature.WATCHLIST)
        await provider.fetch(Feature.WATCHLIST)
        await provider.fetch(Feature.RATINGS)
        entry(service, film(1))
        second = await provider.watermark(Feature.WATCHLIST)
        await provider.watermark(Feature.RATINGS)
        assert len((await provider.fetch(Feature.WATCHLIST)).entries) == 1
        return first != second, int(provider.requests)

    assert use(service, fence) == (True, 3)


def test_a_stamp_is_never_that_of_a_read_or_of_the_time_before_a_write(service):
    change = world.change(Feature.RATINGS, film(1), None, Rated(70))
    entry(service, film(1), status="COMPLETED")

    async def ask(provider: Any) -> list[int]:
        counts = []
        await provider.fetch(Feature.WATCHLIST)
        counts.append(provider.requests)
        await provider.watermark(Feature.WATCHLIST)
        counts.append(provider.requests)
        await provider.apply(Feature.RATINGS, [change])
        counts.append(provider.requests)
        assert len((await provider.fetch(Feature.RATINGS)).entries) == 1
        return [*counts, provider.requests]

    assert use(service, ask) == [2, 3, 5, 6]


def test_a_list_that_is_too_large_is_never_a_proof_that_something_is_gone(service, monkeypatch):
    from cwsync.providers import _anilistread

    monkeypatch.setattr(_anilistread, "LARGEST", 5)
    monkeypatch.setattr(_anilistread, "CHUNK", 3)
    for n in range(1, 8):
        entry(service, film(n))
    service.roots.largest = 5
    found = read(service, Feature.WATCHLIST)
    assert len(found.entries) == 7
    assert not found.complete
    assert "come in parts" in str(found.doubt)
    assert found.requests == 4


# --- entries in no list ---------------------------------------------------------------------------


def test_an_entry_that_is_hidden_from_all_lists_is_not_gone(service, tmp_path):
    one = entry(service, film(1))
    entry(service, film(2))
    before = read(service, Feature.WATCHLIST, memory=tmp_path)
    one.hidden = True
    for _ in range(2):
        found = read(service, Feature.WATCHLIST, memory=tmp_path)
        assert (found.entries, found.watermark, found.requests) == (before.entries, before.watermark, 2)
    one.status, one.progress = "CURRENT", 1
    assert len(read(service, Feature.WATCHLIST, memory=tmp_path).entries) == 1
    assert len(read(service, Feature.HISTORY, memory=tmp_path).entries) == 1


def test_an_entry_that_was_deleted_is_gone(service, tmp_path):
    for n in (1, 2):
        entry(service, film(n))
    assert len(read(service, Feature.WATCHLIST, memory=tmp_path).entries) == 2
    del service.world.entries[int(film(1).ids[1].value)]
    assert [len(read(service, Feature.WATCHLIST, memory=tmp_path).entries) for _ in range(2)] == [1, 1]
    assert read(service, Feature.WATCHLIST, memory=tmp_path).requests == 1


def test_who_is_met_while_writing_is_known_from_then_on(service, tmp_path):
    entry(service, film(1), hidden=True)
    change = world.change(Feature.WATCHLIST, film(1), None, Listed(None))

    async def add(provider: Any) -> Any:
        before = await provider.fetch(Feature.WATCHLIST)
        (receipt,) = await provider.apply(Feature.WATCHLIST, [change])
        await provider.watermark(Feature.WATCHLIST)
        return len(before.entries), receipt.outcome

    assert use(service, add, memory=tmp_path) == (0, Outcome.ALREADY)
    assert len(read(service, Feature.WATCHLIST, memory=tmp_path).entries) == 1


def test_a_write_of_ours_is_seen_by_lists_that_lag(service, tmp_path):
    service.lag()
    change = world.change(Feature.WATCHLIST, film(1), None, Listed(None))

    async def add(provider: Any) -> Any:
        await provider.fetch(Feature.WATCHLIST)
        await provider.apply(Feature.WATCHLIST, [change])
        return len((await provider.fetch(Feature.WATCHLIST)).entries)

    assert use(service, add, memory=tmp_path) == 1


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"schema":9,"user":7000001,"titles":[1]}', '{"schema":1,"user":7000001,"titles":"x"}', "[" * 9999],
)
def test_titles_that_cannot_be_read_are_no_empty_list(service, tmp_path, text):
    """Written anew, the file would have forgotten who is hidden, and the next run would take those for deleted."""
    path = tmp_path / "mine-anilist-titles.json"
    path.write_text(text)
    path.chmod(0o600)
    entry(service, film(1))
    with pytest.raises(StateError, match="the file is damaged") as told:
        read(service, Feature.WATCHLIST, memory=tmp_path)
    assert "remove it" in str(told.value.hint)
    assert path.read_text() == text


def test_titles_of_another_user_say_nothing(service, tmp_path):
    one = entry(service, film(1))
    assert len(read(service, Feature.WATCHLIST, memory=tmp_path).entries) == 1
    one.hidden = True
    assert len(read(service, Feature.WATCHLIST, memory=tmp_path).entries) == 1
    service.world.user_id += 1
    assert len(read(service, Feature.WATCHLIST, memory=tmp_path).entries) == 0
    assert (tmp_path / "mine-anilist-titles.json").stat().st_mode & 0o777 == 0o600


# --- rows that cannot be read ---------------------------------------------------------------------


def row(**more: Any) -> dict[str, Any]:
    media = {"id": 5, "idMal": 6, "format": "TV", "episodes": 12, "status": "FINISHED", "title": {"romaji": "T"}}
    return {"id": 1, "mediaId": 5, "status": "CURRENT", "score": 80, "progress": 2, "media": media} | more


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": None}, {"status": "SOMEHOW"}, {"status": None}, {"score": 101}, {"score": -1}, {"score": "8"},
        {"score": True}, {"progress": -1}, {"progress": 10**6}, {"repeat": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_told_with_its_title(wrong):
    with pytest.raises(RowError) as caught:
        entries_of(Feature.RATINGS, row(**wrong))
    assert caught.value.item is not None
    assert [one.value for one in caught.value.item.ids] == ["6", "5"]


@pytest.mark.parametrize("media", [None, {}, {"id": 0}, {"id": "5"}, "x"], ids=str)
def test_a_row_without_a_title(media):
    with pytest.raises(RowError) as caught:
        entries_of(Feature.RATINGS, row(media=media))
    assert caught.value.item is None


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 10**20) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
NAMES = ("id", "mediaId", "status", "score", "progress", "repeat", "createdAt", "updatedAt", "completedAt", "media")
OF_TITLES = ("id", "idMal", "format", "episodes", "status", "seasonYear", "startDate", "title", "mediaListEntry")


def anything_in(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these fields with anything in them."""
    return st.dictionaries(st.sampled_from(names), ODD, max_size=3)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([Feature.WATCHLIST, Feature.RATINGS, Feature.HISTORY]), anything_in(NAMES), anything_in(OF_TITLES)
)
def test_whatever_stands_in_a_row_it_is_read_or_told(feature, of_row, of_title):
    made = row()
    made["media"] |= of_title
    made |= of_row
    with contextlib.suppress(RowError):
        assert isinstance(entries_of(feature, made), list)
    with contextlib.suppress(ValueError):
        decode_looked_up(of_title | {"mediaListEntry": made})
    assert row_of({"mediaListEntry": made}) is not None


@settings(max_examples=100, deadline=None)
@given(ODD)
def test_whatever_an_answer_holds_it_makes_sense_or_not(odd):
    for decode in (decode_lists, decode_viewer, lambda data: list(titles_of(data))):
        for data in ({LISTS: odd, "Viewer": odd}, {LISTS: {"lists": odd}}, {LISTS: {"lists": [{"entries": odd}]}}):
            with contextlib.suppress(ValueError):
                decode(data)


def test_unreadable_rows_make_doubt_or_protect_themselves(service):
    def spoil(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        rows = reply.body["data"][LISTS]["lists"][0]["entries"]
        rows[0]["status"] = "SOMEHOW"
        if spoiled:
            rows[1]["media"] = None
        return reply

    entry(service, film(1))
    entry(service, film(2))
    spoiled: list[int] = []
    service.fault(asking(LISTS, spoil), times=None)
    found = read(service, Feature.WATCHLIST)
    assert (found.complete, len(found.undecoded), len(found.entries)) == (True, 1, 1)
    spoiled.append(1)
    found = read(service, Feature.WATCHLIST)
    assert (found.complete, len(found.undecoded)) == (False, 2)


def test_parts_that_never_end(service, monkeypatch):
    from cwsync.providers import _anilistread

    monkeypatch.setattr(_anilistread, "LARGEST", 1)

    def again(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        reply.body["data"][LISTS]["hasNextChunk"] = True
        return reply

    entry(service, film(1))
    service.fault(asking(LISTS, again), times=None)
    found = read(service, Feature.WATCHLIST)
    assert (len(found.entries), found.complete, found.requests) == (1, False, 3)


def test_more_than_there_can_be_is_not_taken(service, monkeypatch):
    from cwsync.providers import _anilistread

    monkeypatch.setattr(_anilistread, "MOST", 20)
    for n in (1, 2, 3):
        entry(service, series(n), status="COMPLETED")
    with pytest.raises(UnavailableError, match="more than 20 records"):
        read(service, Feature.HISTORY)
    assert read(service, Feature.WATCHLIST).complete


@pytest.mark.parametrize(
    "data", [{}, {LISTS: None}, {LISTS: {"lists": None}}, {LISTS: {"lists": [None]}}, {LISTS: {"lists": [{}]}}], ids=str
)
def test_no_lists_are_no_empty_lists(data):
    with pytest.raises(ValueError, match=r"lists|entries"):
        decode_lists(data)


# --- what goes wrong ------------------------------------------------------------------------------


def graphql_error(code: int, message: str, http: int | None = None) -> Do:
    return answer(Reply({"data": {LISTS: None}, "errors": [{"message": message, "status": code}]}, http or code))


@pytest.mark.parametrize(
    "fault",
    [
        html(200), html(403), html(502), status(500), status(500, ""), status(503), status(404), cut_json(),
        answer(Reply({"data": None})), answer(Reply([])), answer(Reply({"data": []})), drop_before(), drop_after(),
        graphql_error(404, "Not Found."), graphql_error(500, "Internal Server Error", 200),
        graphql_error(400, 'Cannot query field "score" on type "MediaList".'), graphql_error(429, "Slowly.", 200),
        graphql_error(400, "Max query complexity should be 500 but got 646."), status(200, {"data": {}}),
    ],
)  # fmt: skip
def test_a_read_that_fails_is_no_empty_one(service, fault):
    entry(service, film(1))
    service.fault(asking(LISTS, fault), times=None)
    with pytest.raises(UnavailableError) as caught:
        read(service, Feature.WATCHLIST)
    assert caught.value.where == "mine"
    assert caught.value.hint


def test_a_read_is_tried_again_where_that_helps(service):
    for fault in (drop_before(), drop_after(), status(502)):
        service.fault(asking(LISTS, fault))
    entry(service, film(1))
    service.clear_faults()
    service.fault(drop_after(), nth=2)
    assert len(read(service, Feature.WATCHLIST).entries) == 1


def test_a_token_that_is_not_taken_is_a_matter_of_login(service):
    with pytest.raises(AuthError, match="does not take the access token") as caught:
        read(service, Feature.WATCHLIST, token="x" * 40)
    assert caught.value.hint is not None
    assert "cwsync auth login mine" in caught.value.hint
    service.disabled = True
    with pytest.raises(UnavailableError, match="is shut"):
        read(service, Feature.WATCHLIST, token="x" * 40)


def test_a_token_that_ends_between_two_requests(service):
    async def ended(provider: Any) -> None:
        service.expire()
        await provider.fetch(Feature.WATCHLIST)

    with pytest.raises(AuthError):
        use(service, ended)


@pytest.mark.parametrize("how", ["disabled", "challenge", "needs_referer"])
def test_a_service_that_is_shut_says_nothing_of_the_login(service, how):
    setattr(service, how, True)
    with pytest.raises(UnavailableError, match="is shut, for all or for this network") as caught:
        read(service, Feature.WATCHLIST)
    assert "`referer`" in str(caught.value.hint)


def test_a_region_that_wants_a_referer_gets_what_the_file_says(service):
    service.needs_referer = True
    read(service, Feature.WATCHLIST, referer="https://example.org/my-client")
    assert {one.headers["referer"] for one in service.log} == {"https://example.org/my-client"}


# --- the pace -------------------------------------------------------------------------------------


def many(service: AniList, time: Time, n: int) -> None:
    async def ask(provider: Any) -> None:
        for _ in range(n):
            await provider.fetch(Feature.WATCHLIST)

    use(service, ask, time=time)


@pytest.mark.parametrize("limit", [10, 30, 90])
def test_no_minute_has_more_than_the_limit(limit):
    time = Time()
    with AniList(now=time.clock, pace=True) as service:
        service.limit = limit
        many(service, time, limit + 20)
        assert service.calls().count("POST /") == limit + 21  # never a 429
        assert time.at - 1000 < 60 * (limit + 20) / (limit - 5) + 60


def test_a_few_requests_do_not_wait(service):
    time = Time()
    many(service, time, 3)
    assert time.slept == []


def test_when_nothing_is_left_the_minute_is_waited_for(service):
    time = Time()
    service.told_limit = 2
    many(service, time, 2)
    assert sum(time.slept) >= 60


@pytest.mark.parametrize("told", [True, False])
def test_who_is_told_to_wait_waits(told):
    time = Time()
    with AniList(now=time.clock, pace=True) as service:
        service.retry_after = told
        service._shut_until = time.at + 20
        assert read(service, Feature.WATCHLIST, time=time).complete
        assert time.slept[0] == pytest.approx(21)


def test_who_is_told_to_wait_for_long_or_again_and_again_gives_up(service):
    time = Time()
    service.fault(status(429, retry_after="3600"))
    with pytest.raises(UnavailableError, match="slow down") as caught:
        read(service, Feature.WATCHLIST, time=time)
    assert (time.slept, caught.value.hint) == ([], "try again in 3601 seconds; other programs may use the same account")
    service.fault(status(429), times=3)
    with pytest.raises(UnavailableError, match="slow down"):
        read(service, Feature.WATCHLIST, time=time)
    assert time.slept == [61, 61]
