"""The preview of a `reset-state`: what would be forgotten and what that means."""

from __future__ import annotations

from dataclasses import dataclass

from cwsync.model import Feature


@dataclass(frozen=True, slots=True)
class ResetPreview:
    """What `reset-state` is about to forget.

    `rows` counts the baseline records by feature; `consequences` are sentences for a person: what
    the next run will do, and what could come back.
    """

    pair: str
    rows: dict[Feature, int]
    consequences: tuple[str, ...]
