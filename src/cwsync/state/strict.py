"""JSON without surprises: what is read is exactly what was written, or a ``ValueError``.

Duplicate keys, fractions, NaN and Infinity are refused, since nothing here ever writes them.
Everything is written as ASCII, so that no text, not even a lone surrogate, can fail to encode.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NoReturn, TypeVar

from cwsync.model import parse_when

T = TypeVar("T")
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)


def dumps(data: object) -> str:
    """Compact ASCII JSON on one line."""
    return _ENCODER.encode(data)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    data = dict(pairs)
    if len(data) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"{name!r} is there twice")
            seen.add(name)
    return data


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number that belongs here")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_refuse, parse_constant=_refuse)


def loads(data: bytes | str) -> object:
    """Read one JSON document. Raises ``ValueError`` for anything that is not strict ASCII JSON."""
    text = data if isinstance(data, str) else data.decode("ascii")
    try:
        document: object = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return document


def table(data: object) -> dict[str, object]:
    """`data` as an object, or ``ValueError``."""
    return typed(data, dict, "an object")


def typed(data: object, kind: type[T], what: str) -> T:
    """`data` when it is exactly of `kind` (a bool is no int), else ``ValueError``."""
    if type(data) is not kind:
        raise ValueError(f"expected {what}, not {type(data).__name__}")
    return data


def member(document: Mapping[str, object], name: str, kind: type[T]) -> T:
    """The member `name`, exactly of `kind`, else ``ValueError``."""
    if name not in document:
        raise ValueError(f"{name!r} is missing")
    return typed(document[name], kind, f"{kind.__name__} for {name!r}")


def optional(document: Mapping[str, object], name: str, kind: type[T]) -> T | None:
    """The member `name`, which must be there but may be null."""
    if name in document and document[name] is None:
        return None
    return member(document, name, kind)


def instant(data: object) -> datetime:
    """A moment (a date will not do), else ``ValueError``."""
    at = parse_when(data)
    if not isinstance(at, datetime):
        raise ValueError(f"not a moment: {data!r}")
    return at


def optional_instant(document: Mapping[str, object], name: str) -> datetime | None:
    """The moment `name`, which must be there but may be null."""
    text = optional(document, name, str)
    return None if text is None else instant(text)


def counts(data: object) -> dict[str, int]:
    """An object of whole numbers."""
    return {name: typed(number, int, "a whole number") for name, number in table(data).items()}
