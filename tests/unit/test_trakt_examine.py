"""What Trakt's accounts may hold, as `check` tells it: one request at most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cwsync.model import Entry, Feature
from cwsync.provider import Examines, Finding
from cwsync.providers.trakt import Trakt as Provider
from simulators.trakt import Trakt
from simulators.trakt_account import use
from support import world
from support.httpserver import Handler, Reply, Request, answer

LISTED, RATED, PLAYED = Feature.WATCHLIST, Feature.RATINGS, Feature.HISTORY


@pytest.fixture
def service() -> Iterator[Trakt]:
    with Trakt() as made:
        yield made


def put(service: Trakt, feature: Feature, count: int) -> None:
    service.put(feature, [Entry(world.movie(n), world.value(feature, n % 8)) for n in range(1, count + 1)])


def examined(service: Trakt, *features: Feature) -> tuple[list[Finding], list[str]]:
    """What is found after some features were read, and the requests that were sent for it."""

    async def step(provider: Provider) -> list[Finding]:
        for feature in features:
            await provider.fetch(feature)
        service.forget()
        before = provider.requests
        found = list(await provider.examine())
        assert (isinstance(provider, Examines), provider.requests - before) == (True, len(service.log))
        return found

    return use(service, step), service.calls()


def limits(found: list[Finding]) -> list[tuple[bool, str]]:
    return [(one.ok, one.text) for one in found if one.what == "limits"]


def setting(service: Trakt, **more: object) -> None:
    """Have the account be another one: parts of its settings."""

    def do(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        body: dict[str, Any] = reply.body
        for name, value in more.items():
            body[name] = body[name] | value if isinstance(value, dict) else value
        return reply

    service.fault(do, path="^/users/settings", times=None)


def test_without_a_read_the_watchlist_is_counted_by_one_small_request(service):
    put(service, LISTED, 30)
    found, calls = examined(service)
    assert calls == ["GET /sync/watchlist/all/added/asc"]
    assert service.log[0].query["limit"] == "1"
    assert limits(found) == [(True, "watchlist: 30 of 250 in use")]


def test_what_was_read_is_not_asked_for_again(service):
    for feature, count in ((LISTED, 3), (RATED, 4), (PLAYED, 5)):
        put(service, feature, count)
    found, calls = examined(service, LISTED, RATED, PLAYED)
    assert calls == []
    assert limits(found) == [
        (True, "watchlist: 3 of 250 in use"),
        (True, "ratings: 4 of 10,000 in use (the usual limit)"),
        (True, "history: 5 of 100,000 in use (the usual limit)"),
    ]


def test_hidden_titles_are_in_use_too(service):
    put(service, LISTED, 20)
    service.hidden = {service.titles.of(world.movie(n)).key for n in range(1, 6)}
    found, _ = examined(service, LISTED)
    assert limits(found) == [(True, "watchlist: 20 of 250 in use")]


@pytest.mark.parametrize(("count", "ok"), [(0, True), (94, True), (95, False), (100, False), (101, False)])
def test_a_twentieth_that_is_left_is_too_little(service, count, ok):
    service.user.limits["watchlist"] = 100
    put(service, LISTED, count)
    ((found, text),) = limits(examined(service)[0])
    assert found is ok
    if not ok:
        left = max(0, 100 - count)
        room = "make room at Trakt, or see https://trakt.tv/vip"
        assert text == f"watchlist: {count} of 100 in use, {left} left: Trakt takes no more than that; {room}"


@pytest.mark.parametrize("name", ["vip", "vip_ep"])
def test_a_member_has_other_limits(service, name):
    user = service.user.settings()["user"]
    setting(service, user=user | {name: True}, limits={"watchlist": {"item_count": 5000}})
    put(service, RATED, 2)
    found, _ = examined(service, RATED)
    assert [one for one in found if one.what == "membership"] == [Finding(True, "membership", "VIP")]
    assert limits(found) == [
        (True, "watchlist: 0 of 5,000 in use"),
        (True, "ratings: 2 of 20,000 in use (the usual limit)"),
    ]


def test_a_limit_that_is_not_told_is_the_usual_one(service):
    setting(service, limits=None)
    found, _ = examined(service)
    assert limits(found) == [(True, "watchlist: 0 of 250 in use (the usual limit)")]


def test_a_number_that_is_not_told_is_not_guessed(service):
    service.page_headers = False
    put(service, LISTED, 3)
    found, calls = examined(service)
    assert (limits(found), len(calls)) == ([], 1)


@pytest.mark.parametrize("once", [False, True])
def test_an_account_that_keeps_one_play(service, once):
    service.user.watch_only_once = once
    found, _ = examined(service)
    plays = [one for one in found if one.what == "plays"]
    assert [one for one in found if one.what == "membership"] == [Finding(True, "membership", "not VIP")]
    text = "the account keeps one play of each title (its own setting at Trakt)"
    assert plays == ([Finding(True, "plays", text)] if once else [])


def test_an_account_is_not_changed(service):
    put(service, LISTED, 3)
    service.fault(answer(Reply(None, 500)), method="POST", times=None)
    _, calls = examined(service, LISTED, RATED, PLAYED)
    assert not [call for call in calls if not call.startswith("GET")]
