"""The Jellyfin that the tests of its simulator ask; those of the Emby have a `server` and `rows` of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulators.jellyfin import VERSIONS, Jellyfin
from simulators.mediabrowser_spec import watched
from simulators.mediabrowserask import Client, filled
from simulators.mediabrowserworld import Title


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Jellyfin]:
    """A server of each version; where the documents are, every answer is compared with them."""
    with Jellyfin(version=request.param, now=lambda: 1_750_000_000.0) as made, watched(made):
        yield made


@pytest.fixture
def rows(server: Jellyfin) -> dict[str, Title]:
    return filled(server)


@pytest.fixture
def call(server: Jellyfin, rows: dict[str, Title]) -> Client:
    return Client(server)
