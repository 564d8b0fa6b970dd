"""The text of a tracker file as a whole: one JSON object with `schema`, `feature` and `items`.

Items are handed out one by one, so that the raw JSON of a hundred thousand of them never stands in
memory at once, and each with its place in the text: a rewrite copies every row that it does not
change, byte for byte. Pure; raises `FileError` for text that cannot be trusted.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn, cast

from cwsync.model import Feature

SCHEMA: Final = 1
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_INDENT: Final = "\n  "
_CUT_OFF: Final = "the text ends too early; is the file cut off?"
# The beginning of a word, a number or an escape: what may be left of one at the end of a text.
_PIECE: Final = re.compile(r"\s*(?:-|t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|[.eE][+-]?|\\?u?[0-9A-Fa-f]{0,4})\Z")

Take = Callable[[object, int, int], None]
# Takes a block of items and gives back whether it did; if not, they come again one by one.
TakeBlock = Callable[[list[object]], bool]
# Characters of a block: enough to make up for its cost, few enough to use the same memory again.
_BLOCK: Final = 100_000


class FileError(ValueError):
    """The text cannot be trusted. `at` is an offset into it, or None for the file as a whole."""

    def __init__(self, why: str, at: int | None = None, hint: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.at = at
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Frame:
    """The text around the rows.

    `head` ends with ``[``; `indent` is the break before a row, `close` the one after the last row;
    `tail` begins with ``]``.
    """

    head: str
    indent: str
    close: str
    tail: str

    def render(self, rows: list[str]) -> str:
        """The text of a file that holds `rows`, each the JSON of one item."""
        if not rows:
            return self.head + self.tail
        return "".join((self.head, self.indent, f",{self.indent}".join(rows), self.close, self.tail))


def empty_frame(feature: Feature) -> Frame:
    """The frame of a new file: one item a line."""
    head = f'{{"schema": {SCHEMA}, "feature": "{feature.value}", "items": ['
    return Frame(head, _INDENT, "\n", "]}\n")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise FileError(f"the key {_twice(pairs)!r} stands twice in one object")
    return found


def _twice(pairs: list[tuple[str, object]]) -> str:
    """The first key that was there before; one pass, however many keys there are."""
    seen: set[str] = set()
    return next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]


def _constant(name: str) -> NoReturn:
    raise FileError(f"{name} is not a number in JSON")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise FileError(f"the number {text[:40]} is too large")
    return number


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_number)


def parse_value(text: str, at: int) -> tuple[object, int]:
    """The JSON value that begins at `at`, and where it ends. Raises `FileError`."""
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise FileError(_CUT_OFF if _cut_off(text, error) else error.msg, error.pos) from None
    except FileError as error:  # of one of the hooks, which do not know where they are
        raise FileError(error.why, at) from None
    except RecursionError:
        raise FileError("values are nested too deep", at) from None
    except ValueError as error:  # a whole number of thousands of digits
        raise FileError(str(error), at) from None


def _cut_off(text: str, error: json.JSONDecodeError) -> bool:
    """Whether all that is wrong with the text is that it ends."""
    return error.msg.startswith("Unterminated string") or _PIECE.match(text, error.pos) is not None


def _skip(text: str, at: int) -> int:
    if text[at : at + 1] > " ":
        return at
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _expect(text: str, at: int, wanted: str) -> int:
    found = text[at : at + 1]
    if not found:
        raise FileError(_CUT_OFF, at)
    if found not in wanted:
        raise FileError(f"expected {' or '.join(repr(one) for one in wanted)}, found {found!r}", at)
    return at


def parse_file(text: str, feature: Feature, take: Take, take_block: TakeBlock | None = None) -> Frame:
    """Hand every item to ``take(item, start, end)`` in the order of the file; give back its frame.

    Blocks of them are offered to `take_block` first.
    Raises `FileError` for text that is not strict JSON, that says a key twice, or that is of another
    shape, feature or version.
    """
    at = _expect(text, _skip(text, 1 if text.startswith("\ufeff") else 0), "{")
    members, end = _members(text, at + 1, take, take_block)
    if (after := _skip(text, end)) != len(text):
        raise FileError("there is more text after the end of the object", after)
    schema, named, frame = members.get("schema"), members.get("feature"), members.get("items")
    if type(schema) is int and schema > SCHEMA:
        hint = "update cwsync, then run the same command again"
        raise FileError(f"was written by a newer version (schema {schema}; this one reads {SCHEMA})", hint=hint)
    if type(schema) is not int or schema != SCHEMA:
        raise FileError(f'must say "schema": {SCHEMA}')
    if named != feature.value:
        raise FileError(f'must say "feature": "{feature.value}"', hint="is this the file of another feature?")
    if not isinstance(frame, Frame):
        raise FileError("has no list `items`", hint='a file without records says "items": []')
    return frame


def _members(text: str, at: int, take: Take, take_block: TakeBlock | None) -> tuple[dict[str, object], int]:
    """The keys of the outermost object, whose ``{`` stands before `at`, and the place after its end."""
    members: dict[str, object] = {}
    at = _skip(text, at)
    if text[at : at + 1] == "}":
        return members, at + 1
    while True:
        name_at = _expect(text, at, '"')
        name, at = cast("tuple[str, int]", parse_value(text, name_at))
        if name in members:
            raise FileError(f"the key {name!r} stands twice in one object", name_at)
        at = _skip(text, _expect(text, _skip(text, at), ":") + 1)
        if name == "items":
            members[name], at = _items(text, _expect(text, at, "["), take, take_block)
        else:
            members[name], at = parse_value(text, at)
        at = _expect(text, _skip(text, at), ",}")
        if text[at] == "}":
            return members, at + 1
        at = _skip(text, at + 1)


def _blocks(text: str, at: int, between: str, take: Take, take_block: TakeBlock) -> int:
    """Hand out blocks of items from `at` on, as long as that works; where the first other item begins.

    `between` may also stand inside a text or inside an item: then what is cut there is no JSON, and
    the rest is read one by one.
    """
    while (end := text.rfind(between, at, at + _BLOCK)) > at:
        try:
            raws = _DECODER.decode(f"[{text[at:end]}]")
        except (FileError, ValueError, RecursionError):
            return at
        if not take_block(raws):
            if text.count(between, at, end) != len(raws) - 1:
                return at
            _one_by_one(raws, text, at, end, between, take)
        at = end + len(between) - 1
    return at


def _one_by_one(raws: list[object], text: str, at: int, end: int, between: str, take: Take) -> None:  # noqa: PLR0917
    for raw in raws:
        stop = text.find(between, at, end)
        stop = end if stop < 0 else stop
        _hand_out(raw, at, stop, take)
        at = stop + len(between) - 1


def _hand_out(raw: object, at: int, end: int, take: Take) -> None:
    try:
        take(raw, at, end)
    except RecursionError:
        raise FileError("values are nested too deep", at) from None


def _items(text: str, opening: int, take: Take, take_block: TakeBlock | None) -> tuple[Frame, int]:
    """Read the list that opens at `opening`: its frame, and the place after its end."""
    head = text[: opening + 1]
    first = at = _skip(text, opening + 1)
    if text[at : at + 1] == "]":
        return Frame(head, _INDENT, "\n", text[at:]), at + 1
    gap = text[opening + 1 : first]
    if take_block is not None:
        at = _blocks(text, at, f",{gap}{{", take, take_block)
    while True:
        raw, end = parse_value(text, at)
        _hand_out(raw, at, end, take)
        if text.startswith(",", end):
            # Nearly always the next item stands after the same break as the first.
            at = end + 1 + len(gap) if text.startswith(gap, end + 1) else end + 1
            at = at if text.startswith("{", at) else _skip(text, at)
            continue
        after = _expect(text, _skip(text, end), ",]")
        if text[after] == "]":
            break
        at = _skip(text, after + 1)
    indent, close = gap, text[end:after]
    frame = Frame(head, indent if "\n" in indent else _INDENT, close if "\n" in close else "\n", text[after:])
    return frame, after + 1
