"""A tracker's folder as tests of it write, read and change it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from cwsync.model import (
    AccountSpec,
    Change,
    Feature,
    Item,
    Outcome,
    Receipt,
    Snapshot,
    Value,
)
from cwsync.provider import Services
from cwsync.providers.tracker import Tracker
from support import world
from support.world import movie

RATINGS, HISTORY, WATCHLIST, PROGRESS = Feature.RATINGS, Feature.HISTORY, Feature.WATCHLIST, Feature.PROGRESS
M1 = movie(1)
GOOD = '{"schema": 1, "feature": "ratings", "items": []}'


def tracker(folder: Path) -> Tracker:
    return Tracker(AccountSpec("home", "tracker", {"path": str(folder)}), Services())


def fetch(folder: Path, feature: Feature = RATINGS) -> Snapshot:
    async def session() -> Snapshot:
        async with tracker(folder) as provider:
            snapshot = await provider.fetch(feature)
            assert snapshot.watermark == await provider.watermark(feature)
            return snapshot

    return asyncio.run(session())


def apply(folder: Path, *changes: Change) -> list[Receipt]:
    async def session() -> list[Receipt]:
        async with tracker(folder) as provider:
            return await provider.apply(changes[0].feature, changes)

    return asyncio.run(session())


def one(folder: Path, change: Change) -> tuple[str, str | None]:
    """The outcome and code of a single change."""
    (receipt,) = apply(folder, change)
    assert receipt.moved == (receipt.code == "moved")
    assert receipt.moved <= (receipt.outcome is Outcome.NOT_SENT)
    return receipt.outcome.value, receipt.code


def write_text(folder: Path, text: str | bytes, feature: Feature = RATINGS) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{feature.value}.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def write_items(folder: Path, *items: object, feature: Feature = RATINGS) -> Path:
    return write_text(folder, json.dumps({"schema": 1, "feature": feature.value, "items": items}), feature)


def items_of(folder: Path, feature: Feature = RATINGS) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads((folder / f"{feature.value}.json").read_text())["items"]
    return items


def film(n: int = 1, **more: object) -> dict[str, object]:
    """A row of film `n` by its imdb id, rated 8 unless said otherwise."""
    return {"type": "movie", "ids": {"imdb": f"tt{100_000 + n:07d}"}, "rating": 8} | more


def add(feature: Feature, item: Item, value: Value, **more: Any) -> Change:
    return world.change(feature, item, None, value, **more)
