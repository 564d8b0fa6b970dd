"""A small page description: what is to be said, before anyone knows on what it is shown.

A page is a list of blocks. `screen.py` turns it into text: with `rich` on a terminal, as plain
aligned lines for a pipe, as wrapped lines where a table would not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum


class Tone(StrEnum):
    """How a text is coloured. Never the only sign of anything."""

    PLAIN = ""
    STRONG = "bold"
    DIM = "dim"
    ADD = "green"
    UPDATE = "yellow"
    REMOVE = "red"
    WARN = "yellow bold"
    ERROR = "red bold"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text. A `verbatim` line is never wrapped, so that a command in it can be copied."""

    text: str
    tone: Tone = Tone.PLAIN
    indent: int = 0
    verbatim: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a grid, as many cells as the grid has columns."""

    cells: tuple[str, ...]
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. `header` may be empty. `narrow` columns keep their words on one line."""

    header: tuple[str, ...]
    rows: Sequence[Row]
    narrow: frozenset[int] = frozenset({0})
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """An empty line; several in a row, or one at an end, count for nothing more than one or none."""


Block = Line | Grid | Gap
Page = list[Block]


class Layout(Enum):
    """How a page is laid out."""

    TABLE = "table"  # a terminal wide enough
    PLAIN = "plain"  # a pipe, a file, a dumb terminal: nothing is cut or wrapped
    NARROW = "narrow"  # a terminal too small for columns


@dataclass(frozen=True, slots=True)
class Look:
    """What the page is shown on. `width` counts columns and means nothing to `Layout.PLAIN`."""

    layout: Layout = Layout.PLAIN
    width: int = 80
    colour: bool = False


PLAIN = Look()
