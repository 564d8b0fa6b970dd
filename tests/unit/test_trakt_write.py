"""Writing to Trakt: one receipt for each record that is true, and never a play twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cwsync.errors import UnavailableError
from cwsync.model import Entry, Feature, Item, Kind, Play, Rated, external_id
from simulators.trakt import Trakt
from simulators.trakt_account import use
from support import world
from support.httpserver import (
    Handler,
    Request,
    drop_after,
    html,
    instead,
    status,
)
from support.network import Time
from support.traktwrites import (
    LOST,
    MAKE,
    A,
    C,
    N,
    R,
    U,
    gone,
    outcomes,
    play,
    posts,
    put,
    rate,
    stocked,
    times,
    write,
)


@pytest.fixture
def service() -> Iterator[Trakt]:
    with stocked() as made:
        yield made


def test_a_play_that_trakt_hides_is_not_sent_once_more(service):
    """A minute counts one play more than it shows: whose that is, is looked up. Others go, of the same minute too."""
    for n in range(1, 11):
        service.user.play(service.titles.add(world.movie(n)), f"2024-05-{n:02d}T20:15:00.000Z")
    service.user.play(service.titles.add(world.episode(1, 1, 2)), "2024-05-03T20:15:00.000Z")
    hidden = [world.movie(3), world.movie(9), world.episode(1, 1, 2)]
    service.hidden = {service.titles.add(item).key for item in hidden}
    before = len(service.user.history)
    days = [(world.movie(3), 3), (world.episode(1, 1, 2), 3), (world.movie(9), 8), (world.movie(20), 3)]
    days += [(world.episode(2, 1, 1), 3), (world.movie(21), 4)]

    async def add(provider):
        assert (await provider.fetch(Feature.HISTORY)).withheld == 3
        plays = [(item, Play(datetime(2024, 5, day, 20, 15, 30, tzinfo=UTC))) for item, day in days]
        changes = [world.change(Feature.HISTORY, item, None, value, key=f"{item.key()}") for item, value in plays]
        return await provider.apply(Feature.HISTORY, changes)

    receipts = use(service, add)
    assert outcomes(receipts) == [R, R, C, C, C, C]
    assert {receipt.code for receipt in receipts[:2]} == {"hidden"}
    assert len(service.user.history) == before + 4
    looks = [one.path for one in service.log if one.path.startswith("/search/")]
    assert len(looks) == 4, "one for each title in the minute in doubt"


# --- what is sent -------------------------------------------------------------------------------


def test_a_batch_is_one_request(service):
    changes = [play(world.movie(n), n) for n in range(1, 101)]
    assert set(outcomes(write(service, *changes))) == {C}
    assert len(posts(service)) == 1
    assert len(service.user.history) == 100


def test_adds_and_updates_of_all_kinds_are_one_request(service):
    service.put(Feature.RATINGS, [Entry(world.movie(1), Rated(50, world.at()))])
    bare = world.episode(2, 1, 3, own=False)
    changes = [rate(world.item(kind, 1), 70, Rated(50, world.at()) if kind is Kind.MOVIE else None) for kind in Kind]
    changes += [rate(bare, 90), rate(world.episode(2, 1, 4, own=False), 60)]
    assert set(outcomes(write(service, *changes))) == {C}
    (body,) = posts(service)
    assert {plural: len(rows) for plural, rows in body.items()} == {"movies": 1, "shows": 3, "episodes": 1}
    assert {int(held.value) for held in service.user.ratings.values()} == {6, 7, 9}
    nested = [show for show in body["shows"] if "seasons" in show]
    assert sorted(len(show["seasons"][0].get("episodes", ())) for show in nested) == [0, 2]


def test_only_ids_that_trakt_takes_are_sent(service):
    item = replace(world.movie(1), ids=(*world.movie(1).ids, external_id("slug", Kind.MOVIE, "another-film")))
    strange = Item(Kind.MOVIE, (external_id("plex", Kind.MOVIE, "abc"), external_id("tvdb", Kind.MOVIE, 7)), "Film")
    receipts = write(service, put(item), put(strange))
    assert outcomes(receipts) == [C, R]
    assert receipts[1].code == "no-ids"
    assert posts(service) == [{"movies": [{"ids": {"imdb": "tt0100001", "tmdb": 100002}}]}]


def test_times_are_text_to_the_minute_and_none_is_unknown(service):
    undated = world.change(Feature.HISTORY, world.movie(2), None, Play())
    assert outcomes(write(service, play(world.movie(1), seconds=42), undated)) == [C, C]
    (body,) = posts(service)
    assert [one["watched_at"] for one in body["movies"]] == ["2024-01-01T12:00:00.000Z", "unknown"]
    assert times(service) == ["1970-01-01T00:00", "2024-01-01T12:00"]


def test_writes_keep_the_pace_that_trakt_asks_for():
    time = Time()
    time.at = 1_800_000_000.0
    with Trakt(now=time.clock, pace=True) as service:
        service.titles.add(world.movie(1))

        async def three(provider):
            for score in (70, 80, 90):
                assert outcomes(await provider.apply(Feature.RATINGS, [rate(world.movie(1), score)])) == [C]

        use(service, three, time=time, write_spacing_ms=1100)
        assert [round(seconds, 3) for seconds in time.slept] == [1.1, 1.1]


# --- plays --------------------------------------------------------------------------------------


def test_a_play_that_is_there_is_not_sent(service):
    service.put(Feature.HISTORY, [Entry(world.movie(1), Play(world.at()))])
    receipts = write(service, play(world.movie(1), seconds=59), play(world.movie(1), minutes=1))
    assert outcomes(receipts) == [A, C]
    assert receipts[0].native_key == str(min(service.user.history))
    assert times(service) == ["2024-01-01T12:00", "2024-01-01T12:01"]


def test_two_plays_of_one_minute_are_one(service):
    assert outcomes(write(service, play(world.movie(1)), play(world.movie(1), seconds=30))) == [C, A]
    assert len(service.user.history) == 1


def test_a_play_is_known_again_in_the_next_batch(service):
    async def twice(provider):
        await provider.fetch(Feature.HISTORY)
        first = await provider.apply(Feature.HISTORY, [play(world.movie(1))])
        await provider.watermark(Feature.HISTORY)
        return first + await provider.apply(Feature.HISTORY, [play(world.movie(1), seconds=5)])

    assert outcomes(use(service, twice)) == [C, A]
    assert sum(request.path == "/sync/history" and request.method == "GET" for request in service.log) == 1


def test_stamps_that_move_late_make_no_play_twice(service):
    async def twice(provider):
        await provider.fetch(Feature.HISTORY)
        service.user.lag_stamps()
        first = await provider.apply(Feature.HISTORY, [play(world.movie(1))])
        await provider.watermark(Feature.HISTORY)
        second = await provider.apply(Feature.HISTORY, [play(world.movie(1))])
        service.user.settle()
        await provider.watermark(Feature.HISTORY)
        return first + second + await provider.apply(Feature.HISTORY, [play(world.movie(1))])

    assert outcomes(use(service, twice)) == [C, A, A]
    assert len(service.user.history) == 1


def test_after_a_write_no_feature_gets_an_old_stamp(service):
    service.put(Feature.WATCHLIST, [Entry(world.movie(1), world.listed(world.at()))])

    async def watch(provider):
        before = (await provider.fetch(Feature.WATCHLIST)).watermark
        await provider.fetch(Feature.HISTORY)
        await provider.watermark(Feature.HISTORY)
        await provider.apply(Feature.HISTORY, [play(world.movie(1))])
        return before, await provider.watermark(Feature.WATCHLIST)

    before, after = use(service, watch)
    assert before != after, "what is watched leaves the watchlist"


@pytest.mark.parametrize("how", list(LOST))
@pytest.mark.parametrize("feature", [Feature.HISTORY, Feature.RATINGS, Feature.WATCHLIST])
def test_a_lost_answer_is_looked_up_and_nothing_is_sent_again(service, feature, how):
    fault, arrives = LOST[how]
    service.fault(fault, method="POST", path="^/sync")
    changes = [MAKE[feature](world.movie(1)), MAKE[feature](world.episode(1, 1, 2))]
    assert outcomes(write(service, *changes)) == [C if arrives else U] * 2
    assert len(posts(service)) == 1
    held = {Feature.HISTORY: service.user.history, Feature.RATINGS: service.user.ratings}
    assert len(held.get(feature, service.user.watchlist)) == (2 if arrives else 0)


@pytest.mark.parametrize("undated", [False, True])
def test_plays_are_looked_up_in_their_span_of_time(service, undated):
    service.put(Feature.HISTORY, [Entry(world.movie(n), Play(world.at(n))) for n in range(50, 90)])
    changes = [play(world.movie(1), 200), play(world.movie(2), 210)]
    if undated:
        changes.append(world.change(Feature.HISTORY, world.movie(3), None, Play()))
    service.fault(drop_after(), method="POST")
    assert set(outcomes(write(service, *changes))) == {C}
    spans = [one.query for one in service.log if one.path == "/sync/history" and "start_at" in one.query]
    assert spans[0]["start_at"] == "2024-07-19T12:00:00.000Z"
    assert spans[0]["end_at"] == "2024-07-29T12:00:59.000Z"
    assert len(spans) == 1 + undated


def test_what_cannot_be_looked_up_stays_in_doubt(service):
    service.fault(drop_after(), method="POST")
    service.fault(html(), method="GET", path="^/sync/history", nth=2, times=None)
    (receipt,) = write(service, play(world.movie(1)))
    assert receipt.outcome is U
    assert "could not be looked up" in str(receipt.detail)
    assert len(posts(service)) == 1


def test_reads_that_lag_leave_a_doubt(service):
    def lag(request: Request, handler: Handler) -> None:
        service.user.lag()
        handler(request)

    service.fault(lag, method="POST")
    assert outcomes(write(service, play(world.movie(1)))) == [U]
    service.user.settle()
    assert len(service.user.history) == 1


def test_after_a_doubt_everything_is_read_again(service):
    def lag(request: Request, handler: Handler) -> None:
        service.user.lag()
        handler(request)

    async def twice(provider):
        await provider.fetch(Feature.HISTORY)
        service.fault(lag, method="POST")
        first = await provider.apply(Feature.HISTORY, [play(world.movie(1))])
        service.user.settle()
        return first + await provider.apply(Feature.HISTORY, [play(world.movie(1))])

    assert outcomes(use(service, twice)) == [U, A]
    assert len(service.user.history) == 1


def test_what_came_to_nothing_hides_no_play_of_somebody_else(service):
    async def late(provider):
        await provider.fetch(Feature.HISTORY)
        first = await provider.apply(Feature.HISTORY, [play(world.movie(901))])
        service.user.play(service.titles.of(world.movie(1)), "2024-01-01T12:00:00.000Z")
        await provider.watermark(Feature.HISTORY)
        return first + await provider.apply(Feature.HISTORY, [play(world.movie(1))])

    assert outcomes(use(service, late)) == [N, A]
    assert len(service.user.history) == 1


def test_what_is_only_hidden_is_not_removed(service):
    service.put(Feature.RATINGS, [Entry(world.movie(n), Rated(50, world.at())) for n in (1, 2)])

    def hide(_request: Request, _handler: Handler) -> None:
        service.hidden.add((Kind.MOVIE, 1001))

    async def remove(provider):
        entry = next(one for one in (await provider.fetch(Feature.RATINGS)).entries if one.item.title == "Film 1")
        service.fault(hide, method="POST")
        return await provider.apply(Feature.RATINGS, [gone(Feature.RATINGS, entry)])

    assert outcomes(use(service, remove)) == [U]
    assert len(service.user.ratings) == 2


def test_a_play_refused_for_haste_is_not_repeated(service):
    service.fault(status(429, retry_after="10"), method="POST")
    with pytest.raises(UnavailableError, match="slow down"):
        write(service, play(world.movie(1)))
    assert (len(posts(service)), len(service.user.history)) == (1, 0)


def test_a_refusal_for_haste_that_had_effect_is_believed_to_the_rows(service):
    service.fault(instead(429), method="POST")
    assert outcomes(write(service, play(world.movie(1)))) == [C]
    assert len(service.user.history) == 1


@pytest.mark.parametrize("make", [play, rate, put])
def test_what_the_house_in_front_of_trakt_refuses_was_not_written(service, make):
    service.fault(html(429), method="POST", times=None)
    with pytest.raises(UnavailableError, match="Cloudflare"):
        write(service, make(world.movie(1)))
    assert service.log[-1].method == "POST", "neither repeated nor looked up"
    assert len(posts(service)) == 1


def test_ratings_refused_for_haste_are_sent_again(service):
    service.fault(status(429, retry_after="3"), method="POST")
    time = Time()
    assert outcomes(write(service, rate(world.movie(1)), time=time)) == [C]
    assert sum(time.slept) >= 3


def test_a_play_in_the_future_is_none(service):
    ahead = Play((service.now() + timedelta(days=3)).replace(microsecond=0))
    (receipt,) = write(service, world.change(Feature.HISTORY, world.movie(1), None, ahead))
    assert (receipt.outcome, receipt.code) == (R, "future")
    assert posts(service) == []


def test_an_account_of_single_plays_keeps_them(service):
    service.put(Feature.HISTORY, [Entry(world.movie(1), Play(world.at()))])
    service.user.watch_only_once = True
    receipts = write(service, play(world.movie(1), 5), play(world.movie(2), 5))
    assert [receipt.code for receipt in receipts] == ["one-play", None]
    assert len(service.user.history) == 2
