"""Items and values as small JSON lists: the one encoding of state, journal and digests.

Decoders take whatever `json.loads` gave and raise ``ValueError`` for any other shape, so damage is
never read as data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from cwsync.model.items import ExternalId, Item, Kind
from cwsync.model.values import Listed, Play, Position, Rated, Value, When, format_when, parse_when

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def encode_value(value: Value | None) -> Json:
    """A value as ``[tag, ...]``; None stays None."""
    if value is None:
        return None
    if isinstance(value, Rated):
        return ["r", value.score, format_when(value.at)]
    if isinstance(value, Play):
        return ["p", format_when(value.at)]
    if isinstance(value, Listed):
        return ["l", format_when(value.at)]
    return ["o", value.ms, value.duration_ms, format_when(value.at)]


def decode_value(data: object) -> Value | None:
    """The reverse of `encode_value`."""
    if data is None:
        return None
    if type(data) is not list:
        raise ValueError(f"not a value: {data!r}")
    try:
        tag, *rest = data
        if tag == "r":
            score, at = rest
            return Rated(score, parse_when(at))
        if tag == "p":
            (at,) = rest
            return Play(parse_when(at))
        if tag == "l":
            (at,) = rest
            return Listed(parse_when(at))
        if tag == "o":
            ms, duration_ms, at = rest
            return Position(ms, duration_ms, parse_when(at))
    except TypeError as error:
        raise ValueError(f"not a value: {data!r}") from error
    raise ValueError(f"not a value: {data!r}")


def encode_item(item: Item) -> list[Json]:
    """An item as ``[kind, ids, title, year]``, longer for seasons and episodes."""
    head: list[Json] = [item.kind.value, cast("list[Json]", list(item.ids)), item.title, item.year]
    if item.kind is Kind.MOVIE or item.kind is Kind.SHOW:
        return head
    shows = cast("list[Json]", list(item.show_ids))
    return [*head, shows, item.season, item.number, item.show_title, item.show_year]


def _ids(data: object) -> tuple[ExternalId, ...]:
    if type(data) is not list:
        raise ValueError(f"not a list of ids: {data!r}")
    for one in data:
        if type(one) is not str or ":" not in one:
            raise ValueError(f"not an id: {one!r}")
    return tuple([ExternalId(one) for one in data])


def _text(data: object) -> str | None:
    if data is None or type(data) is str:
        return data
    raise ValueError(f"not text: {data!r}")


def _whole(data: object) -> int | None:
    if data is None or type(data) is int:
        return data
    raise ValueError(f"not a whole number: {data!r}")


_KINDS = {kind.value: kind for kind in Kind}


def decode_item(data: object) -> Item:
    """The reverse of `encode_item`."""
    if type(data) is not list or len(data) not in (4, 9) or data[0] not in _KINDS:
        raise ValueError(f"not an item: {data!r}")
    kind = _KINDS[data[0]]
    if len(data) == 4:
        return Item(kind, _ids(data[1]), _text(data[2]), _whole(data[3]))
    return Item(
        kind,
        _ids(data[1]),
        _text(data[2]),
        _whole(data[3]),
        _ids(data[4]),
        _whole(data[5]),
        _whole(data[6]),
        _text(data[7]),
        _whole(data[8]),
    )


def encode_when(at: When) -> str | None:
    """A time as RFC 3339 text."""
    return format_when(at)


def texts(data: Sequence[object]) -> tuple[str, ...]:
    """A list of text, checked."""
    for one in data:
        if type(one) is not str:
            raise ValueError(f"not text: {one!r}")
    return tuple(cast("Sequence[str]", data))
