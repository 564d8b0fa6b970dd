"""What cwsync asks of TMDb is what TMDb publishes: paths, parameters and bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from cwsync.model import Entry, Feature, Kind
from cwsync.provider import Services
from cwsync.providers._tmdbids import IdLookup
from cwsync.providers.tmdb import Tmdb as Provider
from simulators.tmdb import TOKEN, Tmdb
from simulators.tmdb_account import logged_in, services, spec, use
from simulators.tmdb_spec import described, mismatch
from support import world
from support.logins import Session
from support.someone import Person

# The user who is logged in, without a number: an older form than the described one, and answered like it.
ALIKE = {"/3/account": "/3/account/0"}


@pytest.fixture
def service() -> Iterator[Tmdb]:
    with Tmdb() as made:
        for n in range(1, 6):
            for kind in Kind:
                made.titles.add(world.item(kind, n))
        yield made


async def everything(provider: Provider) -> None:
    for feature in (Feature.RATINGS, Feature.WATCHLIST):
        kinds = sorted(provider.capabilities.of(feature).kinds)
        snapshot = await provider.fetch(feature)
        adds = [world.change(feature, world.item(kind, 1), None, world.value(feature, 1)) for kind in kinds]
        gone = [world.change(feature, one.item, one.value, None, native_key=one.native_key) for one in snapshot.entries]
        await provider.apply(feature, [*adds, *gone])


async def completing(service: Tmdb) -> None:
    lookup = IdLookup(spec(service), Services(secret={"token": TOKEN}.get))
    items = [world.only(world.movie(n), name) for n, name in ((1, "imdb"), (2, "tmdb"))]
    items += [world.only(world.show(1), "tvdb"), world.season(1, 1), world.season(2, 1, services="tmdb")]
    assert await lookup.complete(items)
    await lookup.aclose()


def test_every_request_is_described(service: Tmdb) -> None:
    for feature in (Feature.RATINGS, Feature.WATCHLIST):
        kinds = sorted(Provider.capabilities.of(feature).kinds)
        service.put(feature, [Entry(world.item(kind, 3), world.value(feature, 2)) for kind in kinds])
    use(service, everything)
    asyncio.run(completing(service))
    account, person = spec(service), Person(service.approve, after=1)
    tokens = asyncio.run(Provider.login(account, services(Session(None)), person))
    asyncio.run(Provider.logout(account, services(logged_in(service)), tokens))
    bodies: list[Any] = []
    for request in service.log:
        told = described(request.method, ALIKE.get(request.path, request.path))
        assert told is not None, f"{request.method} {request.path}"
        names = {one["name"] for one in told.get("parameters", []) if one["in"] == "query"}
        assert set(request.query) <= names, request.path
        if request.body:
            examples = told["requestBody"]["content"]["application/json"]["examples"]
            (example,) = [one["value"] for one in examples.values()]
            schema = {"type": "object", "properties": {name: _type(value) for name, value in example.items()}}
            assert mismatch(schema, request.json()) is None, request.path
            bodies.append(request.json())
    assert len({request.path for request in service.log}) >= 20
    assert len(bodies) >= 9


def _type(value: object) -> dict[str, Any]:
    return {"type": {bool: "boolean", int: "number", float: "number", str: "string"}[type(value)]}
