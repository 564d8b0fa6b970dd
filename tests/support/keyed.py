"""A tracker that takes a secret: no provider that works without a network does."""

from __future__ import annotations

from typing import ClassVar, cast

from cwsync import provider
from cwsync.provider import Option
from cwsync.providers.tracker import Tracker


class Keyed(Tracker):
    """What it logs in with is not used."""

    options: ClassVar[tuple[Option, ...]] = (*Tracker.options, Option("token", "secret", "what it logs in with"))


def register() -> None:
    """Let accounts name this provider."""
    cast("dict[str, str]", provider.REGISTRY)["keyed"] = "support.keyed:Keyed"
