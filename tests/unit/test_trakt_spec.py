"""What cwsync asks of Trakt is what Trakt publishes: paths, parameters and bodies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cwsync.model import Entry, Feature, Item, Kind, Play, external_id
from simulators.trakt import Trakt
from simulators.trakt_account import logged_in, use
from simulators.trakt_spec import described, mismatch
from support import world

# What the service takes beyond its description: lists of all types, paging of them, specials among what was watched.
BEYOND = {
    "/sync/watched/movies": {"page", "limit"},
    "/sync/watched/shows": {"page", "limit", "specials"},
    "/users/settings": {"extended"},
}
ALIKE = {"/sync/history": "/sync/history/movies/1", "/sync/playback": "/sync/playback/movies"}
ALIKE |= {"/sync/ratings/all": "/sync/ratings/movies/1"}


def item(kind: Kind, n: int) -> Item:
    """A title with ids of its own."""
    made = world.item(kind, n)
    return made if made.ids else replace(made, ids=(external_id("tvdb", kind, 7000 + n),))


@pytest.fixture
def service() -> Iterator[Trakt]:
    with Trakt() as made:
        for n in range(1, 6):
            for kind in Kind:
                made.titles.add(item(kind, n))
        yield made


async def everything(provider: Any) -> None:
    for feature in Feature:
        kinds = provider.capabilities.of(feature).kinds
        snapshot = await provider.fetch(feature)
        if feature is Feature.PROGRESS:
            continue
        items = [item(kind, 1) for kind in sorted(kinds)]
        if feature is Feature.HISTORY:
            # Of ratings by show and number the text speaks, and the description of the body does not.
            items.append(world.episode(2, 1, 2, own=False))
        adds = [world.change(feature, item, None, world.value(feature, 1)) for item in items]
        gone = [world.change(feature, one.item, one.value, None, native_key=one.native_key) for one in snapshot.entries]
        await provider.apply(feature, [*adds, *gone])


def test_every_request_is_described(service: Trakt) -> None:
    for feature in (Feature.RATINGS, Feature.WATCHLIST):
        service.put(feature, [Entry(item(kind, 3), world.value(feature, 2)) for kind in Kind])
    service.largest = 5
    plays = [Entry(world.movie(n), Play(world.at(n))) for n in range(3, 30)]
    service.put(Feature.HISTORY, [*plays, Entry(world.movie(4), Play(world.at(100)))])
    service.expire()
    use(service, everything, keeper=logged_in(service))
    bodies = 0
    for request in service.log:
        path = ALIKE.get(request.path, request.path) if request.method == "GET" else request.path
        told = described(request.method, path)
        assert told is not None, f"{request.method} {request.path}"
        names = {one["name"] for one in told.get("parameters", []) if one["in"] == "query"}
        assert set(request.query) <= names | BEYOND.get(request.path, set()), request.path
        if request.body:
            schema = told["requestBody"]["content"]["application/json"]["schema"]
            assert mismatch(schema, request.json()) is None, request.path
            bodies += 1
    assert bodies >= 6
