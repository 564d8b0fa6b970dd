"""The doubles that the engine's tests stand on lie only when told to, and then always alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from cwsync.errors import UnavailableError
from cwsync.model import Change, Feature, Outcome, Receipt, Snapshot
from cwsync.provider import Provider, Services, provider_class, provider_names
from support import world
from support.memory import CutError, Lies, Memory, Store, account, calm, capable, lying, memory, plugged, shown
from support.world import at, listed, movie, rated

RATINGS = Feature.RATINGS


def session(store: Store, lies: Lies, step: Callable[[Provider], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        provider = lying(Memory, lies)(account("m", store=store), Services())
        await provider.open()
        return await step(provider)

    return asyncio.run(run())


def read(store: Store, lies: Lies) -> Snapshot:
    found: Snapshot = session(store, lies, lambda provider: provider.fetch(RATINGS))
    return found


def write(store: Store, lies: Lies, *changes: Change) -> list[Receipt]:
    receipts: list[Receipt] = session(store, lies, lambda provider: provider.apply(RATINGS, changes))
    return receipts


def full(count: int = 40) -> Store:
    store = Store()
    store.put(RATINGS, *[(movie(n), rated(5)) for n in range(count)])
    return store


def test_calls_fail_as_often_as_told() -> None:
    store, lies = full(), Lies(fail_opens=1, fail_reads=2)
    for _ in range(3):
        with pytest.raises(UnavailableError):
            read(store, lies)
    assert len(read(store, lies).entries) == 40


def test_the_nth_write_fails_with_nothing_written() -> None:
    store, lies = full(), Lies(fail_apply=frozenset({2}))
    removal = [world.change(RATINGS, movie(n), rated(5), None) for n in range(3)]
    write(store, lies, removal[0])
    with pytest.raises(UnavailableError):
        write(store, lies, removal[1])
    write(store, lies, removal[2])
    assert store.held(RATINGS, movie(1))
    assert len(store.rows[RATINGS]) == 38


@pytest.mark.parametrize("lost", [None, CutError()])
def test_a_lost_reply_is_a_write_all_the_same(lost: BaseException | None) -> None:
    store, lies = Store(), Lies(lose_reply=frozenset({1}), lost=lost)
    change = world.change(RATINGS, movie(1), None, rated(8))
    if lost is None:
        assert [receipt.outcome for receipt in write(store, lies, change)] == [Outcome.UNKNOWN]
    else:
        with pytest.raises(CutError):
            write(store, lies, change)
    assert shown(store, RATINGS) == ["imdb_movie:tt0100001 80 -"]


def test_reads_lag_behind_our_writes_for_so_many_reads() -> None:
    store, lies = full(3), Lies(lag_reads=2)
    write(
        store,
        lies,
        world.change(RATINGS, movie(9), None, rated(8)),
        world.change(RATINGS, movie(1), rated(5), rated(6)),
        world.change(RATINGS, movie(2), rated(5), None),
    )
    assert read(store, lies).entries == read(store, lies).entries == tuple(full(3).rows[RATINGS])
    assert {row.item.key(): row.value for row in read(store, lies).entries} == {
        movie(0).key(): rated(5),
        movie(1).key(): rated(6),
        movie(9).key(): rated(8),
    }


def test_reads_lag_until_a_time() -> None:
    now = [at()]
    store, lies = full(1), Lies(lag_for=timedelta(minutes=15), clock=lambda: now[0])
    write(store, lies, world.change(RATINGS, movie(0), rated(5), None))
    for minutes, rows in ((0, 1), (14, 1), (15, 0), (16, 0)):
        now[0] = at(minutes=minutes)
        assert len(read(store, lies).entries) == rows


def test_short_reads_say_so_or_do_not() -> None:
    for claim in (False, True):
        first = read(full(), Lies(drop=0.3, claim_complete=claim))
        assert 15 < len(first.entries) < 40
        assert first.complete == claim
        assert first.entries == read(full(), Lies(drop=0.3, claim_complete=claim)).entries
    named = read(full(), Lies(drop_tokens=frozenset({movie(3).ids[0]})))
    assert (len(named.entries), named.complete) == (39, False)
    assert len(read(full(), Lies(repeat=2)).entries) == 42


def test_one_read_is_short_and_does_not_say_so() -> None:
    store, lies = full(), Lies(unsaid={RATINGS: frozenset({movie(3).ids[0]})})
    first, second = read(store, lies), read(store, lies)
    assert (len(first.entries), first.complete) == (39, True)
    assert (len(second.entries), second.complete) == (40, True)


def test_garbled_rows_protect_their_key_or_spoil_the_read() -> None:
    named = read(full(), Lies(garbled=frozenset({movie(3).ids[0]})))
    assert (len(named.entries), named.complete) == (39, True)
    assert [row.item for row in named.undecoded] == [movie(3)]
    nameless = read(full(), Lies(garbled=frozenset({movie(3).ids[0]}), garbled_names=True))
    assert (nameless.complete, [row.item for row in nameless.undecoded]) == (False, [None])


def test_a_lag_that_is_not_monotonic_shows_new_old_new() -> None:
    now = [at()]
    store, lies = full(1), Lies(lag_for=timedelta(minutes=15), clock=lambda: now[0], flicker=True)
    write(store, lies, world.change(RATINGS, movie(0), rated(5), None))
    assert [len(read(store, lies).entries) for _ in range(4)] == [0, 1, 0, 1]
    now[0] = at(minutes=15)
    assert [len(read(store, lies).entries) for _ in range(2)] == [0, 0]


def test_the_clock_of_a_service_may_be_wrong() -> None:
    now = at()
    store = Store(clock=lambda: now)
    assert read(store, Lies(skew=timedelta(hours=1))).server_now == now + timedelta(hours=1)


def test_calm_ends_the_lies_of_single_reads() -> None:
    lies = Lies(
        unsaid={RATINGS: frozenset({"x"})},
        garbled=frozenset({"x"}),
        garbled_names=True,
        flicker=True,
        skew=timedelta(hours=1),
    )
    calm(lies)
    assert lies == Lies(clock=lies.clock, error=lies.error)


def test_refusals_name_the_record() -> None:
    lies = Lies(refuse={movie(2).ids[1]: (Outcome.NOT_FOUND, "404")})
    receipts = write(Store(), lies, *[world.change(RATINGS, movie(n), None, rated(8)) for n in (1, 2, 3)])
    assert [receipt.outcome.value for receipt in receipts] == ["confirmed", "not_found", "confirmed"]
    assert [change.item for change in lies.sent] == [movie(1), movie(3)]


def test_a_user_edits_between_plan_and_write() -> None:
    store = full(1)
    lies = Lies(before_apply=lambda feature, _changes: store.change(feature, movie(0), rated(1)))
    (receipt,) = write(store, lies, world.change(RATINGS, movie(0), rated(5), rated(9)))
    assert receipt.moved
    assert store.held(RATINGS, movie(0)) == [rated(1)]


def test_watermarks_can_be_restless() -> None:
    store, lies = full(), Lies(unstable_watermark=True)
    assert read(store, lies).watermark != read(store, lies).watermark


def test_a_service_keeps_what_its_capabilities_say() -> None:
    store = Store()
    caps = capable(
        {RATINGS: {"scores": (20, 40, 60, 80, 100), "precision_s": 60}}, drops_from_watchlist=frozenset({RATINGS})
    )
    provider = memory(store, caps)(account("m"), Services())
    store.put(Feature.WATCHLIST, (movie(1), listed()))
    changes = [world.change(RATINGS, movie(n), None, rated(7 + n, at(seconds=61))) for n in (1, 2)]
    receipts = asyncio.run(provider.apply(RATINGS, changes))
    assert [receipt.outcome.value for receipt in receipts] == ["confirmed", "rejected"]
    assert store.held(RATINGS, movie(1)) == [rated(8, at(minutes=1))]
    assert store.keys(Feature.WATCHLIST) == set()


def test_accounts_can_name_a_double_for_a_while() -> None:
    before = provider_names()
    with plugged(left=memory(Store()), right=Memory):
        assert provider_class("right") is Memory
        assert provider_class("left").capabilities.title == "Memory"
    assert provider_names() == before
