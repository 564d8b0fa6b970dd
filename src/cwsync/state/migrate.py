"""Reading state that an older cwsync wrote.

`UPGRADES[n]` takes what follows the first line of a document of schema n and gives that of schema
n + 1. Every schema that was ever released keeps its entry and a frozen file under
`tests/unit/fixtures/`. There is only schema 1 so far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

SCHEMA: Final = 1
Upgrade = Callable[[bytes], bytes]
UPGRADES: Final[Mapping[int, Upgrade]] = {}


def upgrade(body: bytes, schema: int, *, upgrades: Mapping[int, Upgrade] = UPGRADES, to: int = SCHEMA) -> bytes:
    """`body` of a document of `schema`, as one of schema `to`. Raises ``ValueError`` without a way."""
    for version in range(schema, to):
        if version not in upgrades:
            raise ValueError(f"no cwsync ever wrote schema {version}")
        body = upgrades[version](body)
    return body
