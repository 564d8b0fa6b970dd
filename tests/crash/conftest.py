"""What the proofs of crashes share: the parent of their processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.kills import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The warm parent of every process that is killed or signalled."""
    made = Server()
    yield made
    made.close()
