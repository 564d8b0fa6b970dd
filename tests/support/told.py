"""What the report of a pair tells, for comparing with plain eyes."""

from __future__ import annotations

from typing import Any


def counts(pair: Any) -> dict[str, tuple[int, int, int]]:
    """How much is added, updated and removed, by feature."""
    return {name: (one["add"], one["update"], one["remove"]) for name, one in pair["features"].items()}


def outcomes(pair: Any) -> dict[str, str]:
    """What became of each change, by title."""
    return {one["title"]: one["outcome"] for one in pair["changes"]}


def reasons(pair: Any, *classes: str) -> dict[str, str]:
    """Why records are left as they are, by title."""
    return {one["title"]: one["reason"] for name in classes for one in pair.get(name, ())}
