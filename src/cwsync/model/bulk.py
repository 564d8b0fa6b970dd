"""Making many frozen records at once, from columns that were checked already.

A frozen dataclass sets each field through `object.__setattr__`. For a hundred thousand records that
costs more than reading them, and setting a whole column at a time runs in C.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import TypeVar, cast

from cwsync.model.values import When

T = TypeVar("T")


def make_all(cls: type[T], columns: Iterable[Iterable[object]], count: int) -> list[T]:
    """`count` objects of a frozen slotted dataclass, from one column for each field, unchecked.

    Columns may be endless (`itertools.repeat`); none may be shorter than `count`.
    """
    new = cls.__new__
    made = [new(cls) for _ in range(count)]
    for one, column in zip(fields(cls), columns, strict=True):  # type: ignore[arg-type]
        deque(map(cls.__dict__[one.name].__set__, made, column), maxlen=0)
    return made


def parse_moments(texts: Sequence[object]) -> list[When] | None:
    """Times as `parse_when` reads them, when all are moments in UTC; None when any is anything else."""
    try:
        times = list(map(datetime.fromisoformat, cast("Sequence[str]", texts)))
    except (TypeError, ValueError):
        return None
    for at in times:
        if at.tzinfo is not UTC:
            return None
    return cast("list[When]", times)
