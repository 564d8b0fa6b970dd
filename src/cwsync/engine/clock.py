"""The time of day, in one place: tests set it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Our own clock, with its zone."""
    return datetime.now(UTC)
