"""One item of a tracker file: pure decode and encode, in the shape that people edit by hand.

Only identity and value are read. Keys that we do not know, ids of services that we do not know and
the order of keys belong to the user and survive every rewrite.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final, cast

from cwsync.model import (
    SERVICES,
    Entry,
    ExternalId,
    Feature,
    Item,
    Kind,
    Listed,
    Play,
    Position,
    Rated,
    Value,
    When,
    external_id,
    format_when,
    parse_when,
)
from cwsync.providers._localfile import row_key
from cwsync.providers._trackerfile import parse_value

# What a play or a position can be of.
PLAYABLE: Final = frozenset({Kind.MOVIE, Kind.EPISODE})
PLAYED: Final = frozenset({Feature.HISTORY, Feature.PROGRESS})
_SHOW: Final = Kind.SHOW  # looking a member up costs more than half of decoding an id
# name -> (kind, whether it is a part of a show)
_KINDS: Final = {kind.value: (kind, kind in (Kind.SEASON, Kind.EPISODE)) for kind in Kind}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Which services the ids of an item name, in the order of preference: a file has a few such shapes.
_ORDERS: Final[dict[tuple[str, ...], tuple[str, ...]]] = {}
_MAX_SHAPES: Final = 1024


class RowError(ValueError):
    """One item cannot be read. `item` is None when not even its identity can be."""

    def __init__(self, why: str, item: Item | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.item = item


def row_decoder(feature: Feature) -> Callable[[object], Entry | Item]:
    """What reads one item of a file: as an entry, or as a bare item when it says "no rating".

    It raises `RowError` with the item when its value is bad, without it when its identity is.
    """
    decode_value = _VALUES[feature]
    is_history = feature is Feature.HISTORY

    def decode(raw: object) -> Entry | Item:
        if type(raw) is not dict:
            raise RowError("is not an object")
        item = _decode_item(raw)
        try:
            value = decode_value(raw)
        except ValueError as error:
            raise RowError(_short(str(error), 200), item) from None
        if value is None:
            return item
        if is_history or not item.ids:
            return Entry(item, value, native_key(item, value))
        return Entry(item, value, item.ids[0])

    return decode


def native_key(item: Item, value: Value | None) -> str:
    """The name of the row that holds `value`: every play of an item has its own."""
    name = item.ids[0] if item.ids else row_key(item)
    return f"{name}@{format_when(value.at) or ''}" if isinstance(value, Play) else name


def _decode_item(raw: dict[str, object]) -> Item:
    name = raw.get("type")
    found = _KINDS.get(name) if type(name) is str else None
    if found is None:
        raise RowError(f"`type` is {_short(name)}, not one of {', '.join(_KINDS)}")
    kind, is_part = found
    ids = _decode_ids(raw.get("ids"), kind)
    title, year = raw.get("title"), raw.get("year")
    if is_part:
        item = _decode_part(raw, kind, ids)
    elif raw.get("season") is None and raw.get("episode") is None and raw.get("show") is None:
        item = Item(kind, ids, title, year)  # type: ignore[arg-type]  # checked below
    else:
        raise RowError(f"a {kind.value} has no show, season or episode number")
    if (type(year) is int or year is None) and (title is None or is_label(title)):
        return item
    raise _label_error(item)


def _decode_part(raw: dict[str, object], kind: Kind, ids: tuple[ExternalId, ...]) -> Item:
    """A season or an episode: its place in its show is identity too."""
    show = raw.get("show")
    if show is None:
        show = {}
    if type(show) is not dict:
        raise RowError("`show` is not an object")
    season = _place(raw, "season")
    number = _place(raw, "episode")
    if kind is Kind.SEASON and number is not None:
        raise RowError("a season has no episode number")
    show_ids = _decode_ids(show.get("ids"), _SHOW)
    labels = (raw.get("title"), raw.get("year"), show.get("title"), show.get("year"))
    title, year, show_title, show_year = cast("tuple[str | None, int | None, str | None, int | None]", labels)
    item = Item(kind, ids, title, year, show_ids, season, number, show_title, show_year)
    if (show_year is not None and type(show_year) is not int) or not (show_title is None or is_label(show_title)):
        raise _label_error(item)
    return item


def _place(raw: dict[str, object], name: str) -> int | None:
    number = raw.get(name)
    if number is None or (type(number) is int and number >= 0):
        return number
    raise RowError(f"`{name}` is {_short(number)}, not a whole number")


def is_label(text: object) -> bool:
    """Whether a title can be shown and stored: text without half characters."""
    return type(text) is str and (text.isascii() or not _SURROGATE.search(text))


def _label_error(item: Item) -> RowError:
    """A label that is no text or no year. The row stays known by its ids, where it has some."""
    bare = Item(item.kind, item.ids, show_ids=item.show_ids, season=item.season, number=item.number)
    return RowError("a title is text and a year is a whole number", bare if bare.key() else None)


def _decode_ids(raw: object, kind: Kind) -> tuple[ExternalId, ...]:
    """The ids we match by, best first. Services that we do not know stay in the file, unread."""
    if raw is None:
        return ()
    if type(raw) is not dict:
        raise RowError("`ids` is not an object")
    services = _ORDERS.get(shape := tuple(raw))
    if services is None:
        services = _order(shape)
    ids: list[ExternalId] = []
    try:
        for service in services:
            value = raw[service]
            if value is not None:
                ids.append(external_id(service, kind, value))
    except ValueError as error:
        raise RowError(_short(str(error), 200)) from None
    return tuple(ids)


def _order(shape: tuple[str, ...]) -> tuple[str, ...]:
    services = tuple(service for service in SERVICES if service in shape)
    if len(_ORDERS) < _MAX_SHAPES:
        _ORDERS[shape] = services
    return services


def _short(value: object, most: int = 40) -> str:
    text = value if type(value) is str and most > 40 else ascii(value)
    return text if len(text) <= most else text[:most] + "..."


def _when(raw: dict[str, object], name: str) -> When:
    text = raw.get(name)
    if text is None:
        return None
    try:
        return parse_when(text)
    except ValueError:
        raise ValueError(f"`{name}` is {_short(text)}, not a time like 2024-05-01T20:15:00Z") from None


def _decode_listed(raw: dict[str, object]) -> Value:
    return Listed(_when(raw, "listed_at"))


def _decode_rated(raw: dict[str, object]) -> Value | None:
    # A missing key may be a slip of the pen, and no reason to believe that a rating was taken back.
    if "rating" not in raw:
        raise ValueError("has no `rating`; a rating that was taken back is null")
    rating = raw["rating"]
    if type(rating) is int:
        score: float = rating * 10
    elif type(rating) is float:
        score = rating * 10
    elif rating is None:
        return None
    else:
        raise ValueError(f"`rating` is {_short(rating)}, not a number from 1 to 10")
    if not score:
        return None
    if not 10 <= score <= 100 or score % 5:
        raise ValueError(f"`rating` is {_short(rating)}, not a number from 1 to 10 in halves")
    return Rated(int(score), _when(raw, "rated_at"))


def _check_playable(raw: dict[str, object], what: str) -> None:
    if raw["type"] not in PLAYABLE:
        raise ValueError(f"a {raw['type']} has no {what}")


def _decode_play(raw: dict[str, object]) -> Value:
    _check_playable(raw, "plays")
    return Play(_when(raw, "watched_at"))


def _decode_position(raw: dict[str, object]) -> Value:
    _check_playable(raw, "position")
    ms, duration_ms = raw.get("position_ms"), raw.get("duration_ms")
    return Position(cast("int", ms), cast("int | None", duration_ms), _when(raw, "updated_at"))


_VALUES: Final[dict[Feature, Callable[[dict[str, object]], Value | None]]] = {
    Feature.WATCHLIST: _decode_listed,
    Feature.RATINGS: _decode_rated,
    Feature.HISTORY: _decode_play,
    Feature.PROGRESS: _decode_position,
}


def encode_row(item: Item, value: Value) -> str:
    """A new item as JSON on one line."""
    row: dict[str, object] = {"type": item.kind.value}
    row |= _labels(item.title, item.year)
    if item.kind is Kind.SEASON or item.kind is Kind.EPISODE:
        row |= {"season": item.season}
        if item.kind is Kind.EPISODE:
            row |= {"episode": item.number}
    row["ids"] = _encode_ids(item.ids)
    if item.show_ids or item.show_title:
        row["show"] = _labels(item.show_title, item.show_year) | {"ids": _encode_ids(item.show_ids)}
    return _dump(row | encode_value(value))


def update_row(text: str, value: Value) -> str:
    """The JSON of one item with another value and every other key as it was.

    Raises ``ValueError`` for an item that is nested too deep to be written again.
    """
    raw, _ = parse_value(text, 0)
    try:
        return _dump(cast("dict[str, object]", raw) | encode_value(value))
    except RecursionError:
        raise ValueError("values are nested too deep") from None


def encode_value(value: Value) -> dict[str, object]:
    """The keys of an item that hold its value."""
    if isinstance(value, Rated):
        whole, half = divmod(value.score, 10)
        return {"rating": value.score / 10 if half else whole, "rated_at": format_when(value.at)}
    if isinstance(value, Play):
        return {"watched_at": format_when(value.at)}
    if isinstance(value, Listed):
        return {"listed_at": format_when(value.at)}
    return {"position_ms": value.ms, "duration_ms": value.duration_ms, "updated_at": format_when(value.at)}


def _dump(row: dict[str, object]) -> str:
    text = json.dumps(row, ensure_ascii=False, allow_nan=False)
    # Half a character (an escape such as \ud800 in a key of the user's own) can only stay an escape.
    return text if not _SURROGATE.search(text) else json.dumps(row, allow_nan=False)


def clean_label(title: str | None) -> str | None:
    """A title that can be stored: half characters, which no file can hold, become U+FFFD."""
    if title is None or title.isascii():
        return title
    return _SURROGATE.sub("\ufffd", title)


def _labels(title: str | None, year: int | None) -> dict[str, object]:
    labels: dict[str, object] = {}
    if title is not None:
        labels["title"] = clean_label(title)
    if year is not None:
        labels["year"] = year
    return labels


def _encode_ids(ids: tuple[ExternalId, ...]) -> dict[str, object]:
    # Best first, so the first of two ids of one service is the one that names the item.
    found: dict[str, object] = {}
    for one in ids:
        found.setdefault(one.service, one.value)
    return found
