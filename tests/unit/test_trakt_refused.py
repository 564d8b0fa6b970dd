"""Writing to Trakt where it refuses, knows nothing of a title, has no room, or where something moved meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cwsync.errors import AuthError, UnavailableError
from cwsync.model import Entry, Feature, Kind, Op, Outcome, Play, Rated
from simulators.trakt import Trakt
from simulators.trakt_account import logged_in, use
from support import world
from support.httpserver import (
    Do,
    Handler,
    Reply,
    Request,
    answer,
    status,
)
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
