"""What is sent to a media server stands in Plex's own description of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cwsync.model import Entry, Feature, Kind
from simulators.plex import Plex
from simulators.plexfill import Shelf
from support import world
from support.plexhome import provider
from support.session import use

DOCUMENT = Path(__file__).parents[3] / "shared" / "specs" / "plex" / "spec" / "official-pms-openapi-1.2.0.json"
# Fields of media queries are described in words; these are about the answer, or of every request.
FREE = {"includeGuids", "excludeElements", "excludeFields", "type", "sort"}
# The description says PUT and POST; every version takes GET, which is what clients send.
TAKES_GET = {"/:/scrobble", "/:/unscrobble", "/:/rate", "/:/timeline"}
# Not described, but recorded, and what all clients ask; the description has ``/library/sections/all``.
RECORDED = {"/library/sections"}


@pytest.fixture
def document() -> Any:
    if not DOCUMENT.is_file():
        pytest.skip("the description is no part of the project")
    return json.loads(DOCUMENT.read_text())["paths"]


def everything(plex: Plex) -> None:
    """Have the provider do all that it does."""
    shelf = Shelf(plex)
    shelf.put(*(world.movie(n) for n in range(1, 6)), world.episode(1, 1, 2))

    async def step(made: Any) -> None:
        for feature in (Feature.HISTORY, Feature.RATINGS, Feature.PROGRESS):
            value = world.value(feature, 2)
            items = [world.movie(1), world.episode(1, 1, 2)]
            await made.apply(feature, [world.change(feature, item, None, value) for item in items])
            snapshot = await made.fetch(feature)
            row = next(entry for entry in snapshot.entries if entry.item.kind is Kind.EPISODE)
            await made.apply(feature, [_removal(feature, row)])
            await made.watermark(feature)

    use(provider(plex), step)


def _removal(feature: Feature, row: Entry) -> Any:
    return world.change(feature, row.item, row.value, None, native_key=row.native_key)


@pytest.mark.real_data
def test_every_request_stands_in_the_description(document: Any) -> None:
    with Plex() as plex:
        everything(plex)
        log = plex.pms.log
    asked = set()
    for request in [one for one in log if one.path not in RECORDED]:
        found = [path for path in document if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), request.path)]
        assert found, request.target
        known = document[found[0]]
        method = request.method.lower()
        if found[0] in TAKES_GET:
            assert method == "get"
            method = next(iter(known))
        assert method in known, request.target
        asked.add(found[0])
        if found[0].startswith("/:/"):
            named = {parameter.get("name") for parameter in known[method]["parameters"]}
            assert set(request.query) <= named | {"identifier"}, request.target
        elif not found[0].endswith("/all"):
            assert set(request.query) <= FREE, request.target
    assert {"/", "/library/sections/{sectionId}/all", "/library/metadata/{ids}", *TAKES_GET} <= asked


def test_no_token_stands_in_an_address_and_every_request_says_who_we_are() -> None:
    with Plex() as plex:
        everything(plex)
        token = plex.world.owner.token
        for request in (one for server in plex.servers for one in server.log):
            assert token not in request.target
            assert request.headers["accept"] == "application/json"
            assert request.headers["x-plex-client-identifier"].startswith("cwsync-")
            assert {"x-plex-product", "x-plex-version", "x-plex-platform", "x-plex-device"} <= set(request.headers)
