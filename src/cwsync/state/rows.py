"""Rows of the baseline as JSON lists, one a line.

``[item, key, value0, value1, keys0, keys1]``, and an object with `mark`, `seen`, `parked`, `weak`,
`writes` and `unshown` at the end where a row has any of them. `key` is null when it is the item's own. 0 and 1
are the two accounts in alphabetical order, so that the direction of a pair is not in its rows.

A hundred thousand rows are read in every run, so they are made column by column and without the
constructors of `Item` and `Row`: the shapes that those would check are checked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from itertools import repeat
from operator import attrgetter
from sys import intern
from typing import Any, Final, TypeVar

from cwsync.model import (
    ExternalId,
    Item,
    Kind,
    Listed,
    Mark,
    MarkKind,
    Parked,
    Play,
    Rated,
    Row,
    Side,
    Sighting,
    Value,
    When,
    format_when,
    parse_when,
    share_ids,
)
from cwsync.model.bulk import make_all, parse_moments
from cwsync.model.codec import Json, decode_item, decode_value, encode_item, encode_value, texts
from cwsync.state import strict

T = TypeVar("T")
_Shows = dict[tuple[str, ...], tuple[ExternalId, ...]]

# Which side each of the two accounts is.
Sides = tuple[Side, Side]
STRAIGHT: Final[Sides] = (Side.SOURCE, Side.TARGET)
TURNED: Final[Sides] = (Side.TARGET, Side.SOURCE)

# Rows are encoded a block at a time, which is faster than one by one and smaller than all at once.
_BLOCK: Final = 1000
# What each row begins with, and nothing else: inside a text a quote is always escaped.
_OPENINGS: Final = tuple(f'[["{kind.value}",' for kind in Kind)


def encode_rows(rows: Iterable[Row], sides: Sides) -> Iterator[str]:
    """Blocks of rows, one on each line, by key."""
    ordered = sorted(rows, key=attrgetter("key"))
    for start in range(0, len(ordered), _BLOCK):
        text = strict.dumps([_encode(row, sides) for row in ordered[start : start + _BLOCK]])[1:-1]
        for opening in _OPENINGS:
            text = text.replace("," + opening, ",\n" + opening)
        yield text


def _encode(row: Row, sides: Sides) -> list[Any]:
    key = row.key
    first = encode_value(row.source)
    second = first if row.target is row.source else encode_value(row.target)
    data: list[Any] = [encode_item(row.item), None if key == row.item.key() else key]
    if sides[0] is Side.TARGET:
        data += second, first, row.target_keys, row.source_keys
    else:
        data += first, second, row.source_keys, row.target_keys
    if not (row.mark or row.seen or row.parked or row.weak or row.writes or row.unshown):
        return data
    return [*data, _encode_extras(row, sides)]


def _encode_extras(row: Row, sides: Sides) -> dict[str, Json]:
    extras: dict[str, Json] = {}
    if row.mark is not None:
        extras["mark"] = _encode_mark(row.mark, sides)
    if row.seen is not None:
        extras["seen"] = [index(row.seen.side, sides), row.seen.absent, format_when(row.seen.at)]
    if (parked := row.parked) is not None:
        side, until = index(parked.side, sides), format_when(parked.until)
        extras["parked"] = [side, parked.code, parked.tries, until, parked.detail]
    if row.weak:
        extras["weak"] = True
    if row.writes:
        extras["writes"] = [format_when(at) for at in row.writes]
    if row.unshown is not None:
        extras["unshown"] = index(row.unshown, sides)
    return extras


def _encode_mark(mark: Mark, sides: Sides) -> list[Json]:
    values = [encode_value(value) for value in (mark.before, mark.after, mark.origin)]
    times: list[Json] = [format_when(mark.at), format_when(mark.until)]
    return [mark.kind.value, index(mark.side, sides), *values, *times, mark.logged]


def index(side: Side, sides: Sides) -> int:
    """0 or 1: where `side` stands in the document."""
    return sides.index(side)


def decode_rows(blocks: Iterable[object], sides: Sides) -> dict[str, Row]:
    """The rows of one feature by key, out of lists of rows. Raises ``ValueError`` for any other shape."""
    rows: dict[str, Row] = {}
    shows: _Shows = {}
    done = 0
    for block in blocks:
        entries = strict.typed(block, list, "a list of rows")
        try:
            made = _decode(entries, sides, shows)
        except (TypeError, ValueError) as error:
            raise ValueError(f"among the rows from {done + 1} on: {error}") from error
        rows.update(zip([row.key for row in made], made, strict=True))
        done += len(entries)
        if len(rows) != done:
            raise ValueError(f"among the rows up to {done}: one is there twice")
    return rows


def _decode(entries: list[Any], sides: Sides, shows: _Shows) -> list[Row]:
    count = len(entries)
    for entry in entries:
        if type(entry) is not list or not 6 <= len(entry) <= 7:
            raise ValueError(f"not a row: {entry!r}")
    items = make_all(Item, zip(*[_item_fields(entry[0], shows) for entry in entries], strict=True), count)
    keys = [item.key() if entry[1] is None else entry[1] for entry, item in zip(entries, items, strict=True)]
    if not all(isinstance(key, str) for key in keys):
        raise ValueError("a row has no key")
    values = _values([entry[2] for entry in entries])
    # Where both sides say the same, which is nearly everywhere, they share one value.
    different = iter(_values([entry[3] for entry in entries if entry[3] != entry[2]]))
    others = [one if entry[3] == entry[2] else next(different) for entry, one in zip(entries, values, strict=True)]
    native = [_texts(entry[4], key) for entry, key in zip(entries, keys, strict=True)]
    natives = [
        mine if entry[4] == entry[5] else _texts(entry[5], key)
        for entry, key, mine in zip(entries, keys, native, strict=True)
    ]
    if sides[0] is Side.TARGET:
        values, others, native, natives = others, values, natives, native
    columns: list[Iterable[object]] = [keys, items, values, others, native, natives]
    if any(len(entry) == 7 for entry in entries):
        extras = [_decode_extras(entry[6], sides) if len(entry) == 7 else _NO_EXTRAS for entry in entries]
        columns += zip(*extras, strict=True)
    else:
        columns += map(repeat, _NO_EXTRAS, repeat(count))
    return make_all(Row, columns, count)


def _values(column: list[Any]) -> list[Value | None]:
    """As `decode_value` for each. Where all are of one sort but positions, they are made at once."""
    tag = column[0][0] if column and type(column[0]) is list and column[0] else None
    length = _LENGTHS.get(tag) if type(tag) is str else None
    if length is None or [1 for one in column if type(one) is not list or len(one) != length or one[0] != tag]:
        return [decode_value(one) for one in column]
    times = _times([one[-1] for one in column])
    made: list[Any]
    if tag == "r":
        scores = [one[1] for one in column]
        if [1 for score in scores if type(score) is not int or not 1 <= score <= 100]:
            return [decode_value(one) for one in column]
        made = make_all(Rated, (scores, times), len(column))
    else:
        made = make_all(Play if tag == "p" else Listed, (times,), len(column))
    return made


_LENGTHS: Final = {"p": 2, "l": 2, "r": 3}


def _times(column: list[Any]) -> list[When]:
    """As `parse_when` for each, at once when all are moments in UTC."""
    times = parse_moments(column)
    return [parse_when(one) for one in column] if times is None else times


_PLAIN: Final = {kind.value: kind for kind in (Kind.MOVIE, Kind.SHOW)}
_PLACED: Final = {kind.value: kind for kind in (Kind.SEASON, Kind.EPISODE)}
_NO_PLACE: Final = ((), None, None, None, None)
_WHOLE: Final = frozenset({int, type(None)})
_TEXT: Final = frozenset({str, type(None)})


def _item_fields(data: Any, shows: _Shows) -> tuple[Any, ...]:
    """The fields of an item. Anything that looks odd is left to the codec to refuse or to read."""
    if type(data) is not list or len(data) < 4 or type(data[0]) is not str or type(data[1]) is not list:
        return _slowly(data)
    if type(data[2]) not in _TEXT or type(data[3]) not in _WHOLE:
        return _slowly(data)
    for one in data[1]:
        if type(one) is not str or ":" not in one:
            return _slowly(data)
    ids = share_ids(tuple(map(ExternalId, data[1])))
    if len(data) == 4 and data[0] in _PLAIN:
        return (_PLAIN[data[0]], ids, data[2] and intern(data[2]), data[3], *_NO_PLACE)
    if len(data) != 9 or data[0] not in _PLACED:
        return _slowly(data)
    kind, _, title, year, show, season, number, show_title, show_year = data
    if type(show) is not list or type(show_title) not in _TEXT:
        return _slowly(data)
    if type(season) not in _WHOLE or type(number) not in _WHOLE or type(show_year) not in _WHOLE:
        return _slowly(data)
    key = tuple(show)
    if key not in shows:
        # The ids of a show are checked once; all its episodes then share one tuple.
        shows[key] = decode_item(data).show_ids
    return _PLACED[kind], ids, title, year, shows[key], season, number, show_title, show_year


def _slowly(data: object) -> tuple[Any, ...]:
    item = decode_item(data)
    return tuple([getattr(item, one.name) for one in fields(Item)])


def _texts(data: Any, key: str | None) -> tuple[str, ...]:
    """Native keys. One that is the record's own key, as in local files, is that very text."""
    if type(data) is not list:
        raise ValueError("native keys are a list")
    if len(data) == 1 and type(data[0]) is str:
        return (key,) if key is not None and data[0] == key else (data[0],)
    return texts(data)


_NO_EXTRAS: Final = (None, None, None, False, (), None)
_EXTRAS: Final = frozenset({"mark", "seen", "parked", "weak", "writes", "unshown"})


def _decode_extras(data: Any, sides: Sides) -> tuple[Any, ...]:
    extras = strict.table(data)
    if not extras or extras.keys() - _EXTRAS:
        raise ValueError(f"unknown parts of a row: {sorted(extras.keys() - _EXTRAS)}")
    mark = _decode_mark(extras["mark"], sides) if "mark" in extras else None
    seen = _decode_seen(extras["seen"], sides) if "seen" in extras else None
    parked = _decode_parked(extras["parked"], sides) if "parked" in extras else None
    if extras.get("weak", True) is not True:
        raise ValueError("'weak' is true or left out")
    writes = tuple([strict.instant(at) for at in strict.typed(extras.get("writes", []), list, "a list of times")])
    unshown = side(extras["unshown"], sides) if "unshown" in extras else None
    return mark, seen, parked, "weak" in extras, writes, unshown


def side(data: object, sides: Sides) -> Side:
    """The side that stands at index 0 or 1 of the document."""
    number = strict.typed(data, int, "0 or 1")
    if number not in (0, 1):
        raise ValueError("a side is 0 or 1")
    return sides[number]


def _decode_mark(data: object, sides: Sides) -> Mark:
    kind, where, before, after, origin, at, until, logged = strict.typed(data, list, "a mark")
    values = decode_value(before), decode_value(after), decode_value(origin)
    times = strict.instant(at), strict.instant(until)
    return Mark(MarkKind(kind), side(where, sides), *values, *times, strict.typed(logged, bool, "true or false"))


def _decode_seen(data: object, sides: Sides) -> Sighting:
    where, absent, at = strict.typed(data, list, "a sighting")
    return Sighting(side(where, sides), strict.typed(absent, bool, "true or false"), strict.instant(at))


def _decode_parked(data: object, sides: Sides) -> Parked:
    where, code, tries, until, detail = strict.typed(data, list, "a refusal")
    return Parked(
        side(where, sides),
        strict.typed(code, str, "a code"),
        strict.typed(tries, int, "a number of tries"),
        strict.instant(until),
        None if detail is None else strict.typed(detail, str, "a detail"),
    )
