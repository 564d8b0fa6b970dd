"""Writing to Trakt: one receipt for each record that is true, and never a play twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cwsync.errors import AuthError, UnavailableError
from cwsync.model import Change, Entry, Feature, Item, Kind, Op, Outcome, Play, Rated, Receipt, external_id
from simulators.trakt import Trakt
from simulators.trakt_account import logged_in, use
from support import world
from support.httpserver import (
    Do,
    Handler,
    Reply,
    Request,
    answer,
    cut_json,
    drop_after,
    drop_before,
    html,
    instead,
    status,
)
from support.network import Time


@pytest.fixture
def service() -> Iterator[Trakt]:
    with Trakt() as made:
        for n in range(1, 121):
            made.titles.add(world.movie(n))
        for n in (1, 2):
            made.titles.add(world.season(n, 1))
            for number in range(1, 11):
                made.titles.add(world.episode(n, 1, number))
        made.user.limits["watchlist"] = 5000
        yield made


def play(item: Item, at: float = 0, *, minutes: float = 0, seconds: float = 0) -> Change:
    value = Play(world.at(at, minutes=minutes, seconds=seconds))
    return world.change(Feature.HISTORY, item, None, value, key=f"{item.key()}@{value.at}")


def rate(item: Item, score: int = 80, before: Rated | None = None) -> Change:
    return world.change(Feature.RATINGS, item, before, Rated(score, world.at()))


def rerate(row: Entry) -> Change:
    return world.change(Feature.RATINGS, row.item, row.value, Rated(70, world.at()))


def put(item: Item) -> Change:
    return world.change(Feature.WATCHLIST, item, None, world.listed(world.at()))


MAKE: dict[Feature, Callable[[Item], Change]] = {Feature.HISTORY: play, Feature.RATINGS: rate, Feature.WATCHLIST: put}


def write(service: Trakt, *changes: Change, **more: Any) -> list[Receipt]:
    feature = changes[0].feature
    receipts = use(service, lambda provider: provider.apply(feature, changes), **more)
    assert [receipt.change for receipt in receipts] == list(changes)
    return receipts


def outcomes(receipts: Sequence[Receipt]) -> list[Outcome]:
    return [receipt.outcome for receipt in receipts]


def posts(service: Trakt, path: str = "/sync") -> list[Any]:
    return [one.json() for one in service.log if one.method == "POST" and one.path.startswith(path)]


def times(service: Trakt) -> list[str]:
    return sorted(one.watched_at[:16] for one in service.user.history.values())


C, A, N, R, U = Outcome.CONFIRMED, Outcome.ALREADY, Outcome.NOT_FOUND, Outcome.REJECTED, Outcome.UNKNOWN


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


LOST = {
    "the connection after it": (drop_after(), True),
    "a gateway after it": (instead(502), True),
    "half the answer": (cut_json(), True),
    "a page for people after it": (instead(200, "<html></html>"), True),
    "the connection before it": (drop_before(), False),
    "an error before it": (status(500), False),
    "a gateway before it": (status(504), False),
    "a redirect": (status(301, None, location="/elsewhere"), False),
}


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


# --- what Trakt does not know -------------------------------------------------------------------


@pytest.mark.parametrize("empty_echo", [False, True])
@pytest.mark.parametrize("make", [play, rate, put])
def test_what_trakt_does_not_know_is_told_of_each(service, make, empty_echo):
    service.writes.empty_echo = empty_echo
    changes = [make(world.movie(1)), make(world.movie(900)), make(world.episode(1, 1, 2)), make(world.episode(9, 1, 1))]
    assert outcomes(write(service, *changes)) == [C, N, C, N]
    assert len(posts(service)) == 1


def test_what_trakt_does_not_know_costs_no_other_read(service):
    async def batches(provider):
        await provider.fetch(Feature.HISTORY)
        receipts = []
        for first in (1, 3):
            changes = [play(world.movie(first)), play(world.movie(900 + first)), play(world.movie(first + 1))]
            receipts += await provider.apply(Feature.HISTORY, changes)
            await provider.watermark(Feature.HISTORY)
        # What came to nothing is no play, and may be sent again.
        service.titles.add(world.movie(901))
        return receipts + await provider.apply(Feature.HISTORY, [play(world.movie(901)), play(world.movie(1))])

    assert outcomes(use(service, batches)) == [C, N, C, C, N, C, C, A]
    assert sum(one.method == "GET" and one.path == "/sync/history" for one in service.log) == 1


def test_a_row_is_called_by_its_own_ids(service):
    service.put(Feature.RATINGS, [Entry(world.movie(1), Rated(50, world.at()))])

    async def astray(provider):
        (entry,) = (await provider.fetch(Feature.RATINGS)).entries
        mixed = replace(
            entry.item, ids=(*world.only(world.movie(1), "imdb").ids, *world.only(world.movie(2), "tmdb").ids)
        )
        change = world.change(Feature.RATINGS, mixed, entry.value, Rated(90, world.at()))
        return await provider.apply(Feature.RATINGS, [change])

    assert outcomes(use(service, astray)) == [C]
    assert posts(service)[0]["movies"][0]["ids"] == {"trakt": 1001, "imdb": "tt0100001", "tmdb": 100002}


@pytest.mark.parametrize("make", [play, rate])
def test_a_number_that_only_the_count_tells_of(service, make):
    changes = [make(world.episode(1, 1, number, own=False)) for number in (1, 99, 3)]
    assert outcomes(write(service, *changes)) == [C, N, C]


def test_an_echo_with_ids_as_text_is_known_again(service):
    def echo(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        lists = {plural: [_as_text(one) for one in rows] for plural, rows in reply.body["not_found"].items()}
        return replace(reply, body=reply.body | {"not_found": lists | {"people": [], "users": []}})

    service.fault(echo, method="POST")
    receipts = write(service, put(world.movie(1)), put(world.only(world.movie(900), "tmdb")))
    assert outcomes(receipts) == [C, N]
    assert not any("start_at" in one.query for one in service.log)


def _as_text(entry: dict[str, Any]) -> dict[str, Any]:
    return entry | {"ids": {service: str(value) for service, value in entry["ids"].items()}}


def test_a_tree_under_episodes_is_known_again(service):
    def echo(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        sent = request.json()["shows"][0]
        entry = {"show": {"ids": sent["ids"]}, "season": 1, "number": 99}
        return replace(reply, body=reply.body | {"not_found": {"episodes": [entry]}})

    service.fault(echo, method="POST")
    changes = [rate(world.episode(1, 1, number, own=False)) for number in (1, 99)]
    assert outcomes(write(service, *changes)) == [C, N]
    assert not any(one.path.startswith("/sync/ratings") and one.method == "GET" for one in service.log)


def test_counts_that_do_not_add_up_are_looked_up(service):
    def short(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        return replace(reply, body=reply.body | {"added": {"movies": 1}})

    service.fault(short, method="POST")
    assert outcomes(write(service, put(world.movie(1)), put(world.movie(2)))) == [C, C]
    assert any(one.path.startswith("/sync/watchlist/all") for one in service.log)


def test_counts_that_do_not_add_up_prove_nothing_against_reads_that_lag(service):
    def short(request: Request, handler: Handler) -> Reply:
        service.user.lag()
        return replace(handler(request), body={"added": {"movies": 1}, "not_found": {}})

    service.fault(short, method="POST")
    assert outcomes(write(service, put(world.movie(1)), put(world.movie(2)))) == [U, U]


def test_an_echo_of_nothing_we_sent_is_looked_into(service):
    def strange(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        return replace(reply, body=reply.body | {"not_found": {"movies": [{"ids": {"imdb": "tt7654321"}}]}})

    service.fault(strange, method="POST")
    assert outcomes(write(service, put(world.movie(1)))) == [C]
    assert any(one.path.startswith("/sync/watchlist/all") for one in service.log)


def test_one_record_that_is_refused_does_not_take_the_others_along(service):
    def strict(request: Request, handler: Handler) -> Reply:
        if b"tt0100003" in request.body:
            return Reply({"errors": {"rating": ["is not one"]}}, 422)
        return handler(request)

    service.fault(strict, method="POST", times=None)
    receipts = write(service, *[rate(world.movie(n)) for n in range(1, 9)])
    assert outcomes(receipts) == [C, C, R, C, C, C, C, C]
    assert (receipts[2].code, len(service.user.ratings)) == ("http-422", 7)


# --- accounts that are full, or gone -------------------------------------------------------------


@pytest.mark.parametrize(
    ("feature", "make"), [(Feature.WATCHLIST, put), (Feature.RATINGS, rate), (Feature.HISTORY, play)]
)
def test_a_full_account_takes_as_much_as_it_has_room_for(service, feature, make):
    service.put(feature, [Entry(world.movie(n), world.value(feature, 1)) for n in range(50, 53)])
    service.user.limits[feature.value] = 5
    receipts = write(service, *[MAKE[feature](world.movie(n)) for n in range(1, 5)])
    assert outcomes(receipts) == [C, C, R, R]
    assert receipts[3].code == "account-limit"
    assert "limit of 5" in str(receipts[3].detail)
    assert len(posts(service)) == 2


def test_an_account_without_room_takes_nothing_but_updates(service):
    service.put(Feature.RATINGS, [Entry(world.movie(n), Rated(50, world.at())) for n in (50, 51)])
    service.user.limits["ratings"] = 2
    changes = [rate(world.movie(50), 70, Rated(50, world.at())), rate(world.movie(1))]
    assert outcomes(write(service, *changes)) == [C, R]
    assert {int(held.value) for held in service.user.ratings.values()} == {5, 7}


def test_a_token_that_ends_is_renewed_and_the_write_is_sent_once(service):
    keeper = logged_in(service)

    async def late(provider):
        await provider.fetch(Feature.HISTORY)
        service.expire()
        return await provider.apply(Feature.HISTORY, [play(world.movie(1))])

    assert outcomes(use(service, late, keeper=keeper)) == [C]
    assert (keeper.n_refreshed, len(service.user.history)) == (1, 1)


@pytest.mark.parametrize("switch", ["deleted", "locked", "vip_only"])
def test_an_account_that_is_gone_takes_nothing(service, switch):
    async def late(provider):
        await provider.fetch(Feature.RATINGS)
        setattr(service, switch, True)
        with pytest.raises(AuthError):
            await provider.apply(Feature.RATINGS, [rate(world.movie(1)), rate(world.movie(2))])

    use(service, late)
    assert len(posts(service)) == 1


def test_what_was_refused_is_not_thought_to_be_there(service):
    async def twice(provider):
        await provider.fetch(Feature.HISTORY)
        service.fault(status(423), method="POST")
        with pytest.raises(AuthError):
            await provider.apply(Feature.HISTORY, [play(world.movie(1))])
        return await provider.apply(Feature.HISTORY, [play(world.movie(1))])

    assert outcomes(use(service, twice)) == [C]
    assert len(service.user.history) == 1


def test_what_was_sent_before_the_account_went_is_accounted_for(service):
    service.put(Feature.RATINGS, [Entry(world.movie(1), Rated(50, world.at()))])
    service.fault(status(423), method="POST", path="ratings/remove")

    async def both(provider):
        (entry,) = (await provider.fetch(Feature.RATINGS)).entries
        return await provider.apply(Feature.RATINGS, [gone(Feature.RATINGS, entry), rate(world.movie(2))])

    receipts = use(service, both)
    assert [(one.outcome, one.code) for one in receipts] == [(Outcome.NOT_SENT, "auth"), (C, None)]


def test_halves_that_were_written_before_the_service_went_are_accounted_for(service):
    def fickle(request: Request, handler: Handler) -> Reply | None:
        films = request.json()["movies"]
        if len(films) == 4:
            return Reply({"error": "one is odd"}, 422)
        if films[0]["ids"]["imdb"] == "tt0100003":
            return Reply(None, 423)
        return handler(request)

    service.fault(fickle, method="POST", times=None)
    receipts = write(service, *[play(world.movie(n)) for n in range(1, 5)])
    assert outcomes(receipts) == [C, C, Outcome.NOT_SENT, Outcome.NOT_SENT]
    assert len(service.user.history) == 2


def test_a_service_that_is_down_is_told_before_anything_was_sent(service):
    async def late(provider):
        await provider.fetch(Feature.RATINGS)
        service.close()
        return await provider.apply(Feature.RATINGS, [rate(world.movie(1))])

    with pytest.raises(UnavailableError):
        use(service, late)


# --- what moved, and removals --------------------------------------------------------------------


def test_what_moved_since_it_was_read_is_left_alone(service):
    service.put(Feature.RATINGS, [Entry(world.movie(n), Rated(50, world.at())) for n in (1, 2)])

    async def late(provider):
        snapshot = await provider.fetch(Feature.RATINGS)
        service.user.rate(service.titles.of(world.movie(1)), 9, "2024-05-01T10:00:00.000Z")
        await provider.watermark(Feature.RATINGS)
        changes = [
            world.change(Feature.RATINGS, row.item, row.value, Rated(70, world.at())) for row in snapshot.entries
        ]
        return await provider.apply(Feature.RATINGS, sorted(changes, key=lambda one: one.key))

    receipts = use(service, late)
    assert [(one.outcome, one.moved) for one in receipts] == [(Outcome.NOT_SENT, True), (C, False)]
    assert sorted(int(held.value) for held in service.user.ratings.values()) == [7, 9]


def test_changes_after_a_read_need_no_other_read(service):
    service.put(Feature.RATINGS, [Entry(world.movie(n), Rated(50, world.at())) for n in range(1, 41)])

    async def all_of_them(provider):
        snapshot = await provider.fetch(Feature.RATINGS)
        before = provider.requests
        await provider.watermark(Feature.RATINGS)
        changes = [
            world.change(Feature.RATINGS, row.item, row.value, Rated(70, world.at())) for row in snapshot.entries
        ]
        return await provider.apply(Feature.RATINGS, changes), provider.requests - before

    receipts, used = use(service, all_of_them)
    assert set(outcomes(receipts)) == {C}
    assert used == 2, "one for the stamp, one for forty changes"


def gone(feature: Feature, entry: Entry) -> Change:
    return world.change(feature, entry.item, entry.value, None, native_key=entry.native_key)


@pytest.mark.parametrize("feature", [Feature.WATCHLIST, Feature.RATINGS, Feature.HISTORY])
@pytest.mark.parametrize("how", [None, *LOST])
def test_removals_take_what_they_name(service, feature, how):
    kinds = [Kind.MOVIE, Kind.EPISODE] if feature is Feature.HISTORY else list(Kind)
    service.put(feature, [Entry(world.item(kind, n), world.value(feature, n)) for kind in kinds for n in (1, 2)])
    held: dict[Any, Any] = {
        Feature.HISTORY: service.user.history,
        Feature.RATINGS: service.user.ratings,
        Feature.WATCHLIST: service.user.watchlist,
    }[feature]
    fault, arrives = LOST[how] if how else (None, True)
    if fault is not None:
        service.fault(fault, method="POST")

    async def half(provider):
        snapshot = await provider.fetch(feature)
        return await provider.apply(feature, [gone(feature, one) for one in snapshot.entries[::2]])

    receipts = use(service, half)
    assert set(outcomes(receipts)) == {C if arrives else U}
    assert len(held) == (len(kinds) if arrives else 2 * len(kinds))
    (body,) = posts(service)
    assert not any("seasons" in show for show in body.get("shows", ())), "a show must never go for a part of it"


def test_one_play_of_several_is_removed_by_its_own_number(service):
    service.largest = 5
    items = [world.movie(1), world.movie(1), world.episode(1, 1, 2), world.episode(1, 1, 3)]
    entries = [Entry(item, Play(world.at(n))) for n, item in enumerate(items)]
    entries += [Entry(world.movie(n), Play(world.at(n))) for n in range(10, 50)]
    service.put(Feature.HISTORY, entries)

    async def some(provider):
        snapshot = await provider.fetch(Feature.HISTORY)
        wanted = [one for one in snapshot.entries if one.value.at in (world.at(0), world.at(2))]
        assert len(wanted) == 2
        return await provider.apply(Feature.HISTORY, [gone(Feature.HISTORY, one) for one in wanted])

    assert outcomes(use(service, some)) == [C, C]
    assert {"2024-01-01T12:00", "2024-01-03T12:00"}.isdisjoint(times(service))
    assert len(service.user.history) == len(entries) - 2
    (body,) = posts(service)
    assert set(body) == {"ids"}


def test_a_play_that_is_gone_already_is_no_failure(service):
    service.put(Feature.HISTORY, [Entry(world.movie(n), Play(world.at(n))) for n in (1, 2)])

    async def late(provider):
        snapshot = await provider.fetch(Feature.HISTORY)
        changes = [gone(Feature.HISTORY, one) for one in snapshot.entries]
        service.user.unplay(int(changes[0].native_key or 0))
        return await provider.apply(Feature.HISTORY, changes)

    assert outcomes(use(service, late)) == [A, C]
    assert not service.user.history


def test_progress_is_never_written(service):
    change = world.change(Feature.PROGRESS, world.movie(1), None, world.stopped(10))
    (receipt,) = write(service, change)
    assert (receipt.outcome, receipt.code) == (R, "unsupported")
    assert posts(service) == []
    assert change.op is Op.ADD


def test_an_answer_of_another_shape_is_a_lost_one(service):
    def odd(_request: Request, _handler: Handler) -> Reply:
        return Reply(json.loads('{"ok": true}'), 201)

    strange: list[Do] = [odd, answer(Reply([], 201))]
    for fault in strange:
        service.fault(fault, method="POST")
        assert outcomes(write(service, play(world.movie(1)))) == [U]
