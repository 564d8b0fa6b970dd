"""Pages as text. The only place that lays out, colours and, as a last gate, sanitises."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from cwsync.render.document import Block, Gap, Grid, Layout, Line, Look, Page, Row, Tone
from cwsync.render.sanitise import sanitise

if TYPE_CHECKING:
    from rich.console import Console

_MAX_PAD: Final = 60  # one endless title must not push a whole column off the page
_MAX_RICH: Final = 1000  # rows; rich takes seconds for more, and nobody reads them in a terminal
_WORD: Final = re.compile(r"( *)([^ ]+)")
_SGR: Final = {
    Tone.STRONG: "1",
    Tone.DIM: "2",
    Tone.ADD: "32",
    Tone.UPDATE: "33",
    Tone.REMOVE: "31",
    Tone.WARN: "1;33",
    Tone.ERROR: "1;31",
}
# What stands for our own signs where the output cannot encode them: as wide, so that columns stay.
_ASCII: Final = str.maketrans({"→": ">", "⇄": "=", "·": "|", "…": "...", "—": "-"})


def show(page: Page, look: Look) -> str:
    """The page as text, with a newline at its end (nothing for an empty page)."""
    if look.layout is Layout.TABLE and any(isinstance(block, Grid) for block in page):
        pieces = _rich(page, look)
    else:
        pieces = (_simple(block, look) for block in _spaced(page))
    text = "\n".join(pieces)
    return text + "\n" if text else ""


def fit(text: str, encoding: str | None) -> str:
    """`text` with whatever `encoding` cannot hold replaced, so that writing it never fails."""
    name = encoding or "utf-8"
    try:
        text.encode(name)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(name, "replace").decode(name)
    return text


def _spaced(page: Page) -> Iterator[Block]:
    """The page with its gaps in order: none at either end, never two together."""
    waiting: Gap | None = None
    begun = False
    for block in page:
        if isinstance(block, Gap):
            waiting = block if begun else None
            continue
        if isinstance(block, Grid) and not block.rows:
            continue
        if waiting is not None:
            yield waiting
            waiting = None
        begun = True
        yield block


def cells(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    wide = sum(1 for char in text if unicodedata.east_asian_width(char) in "WF")
    marks = sum(1 for char in text if unicodedata.combining(char))
    return len(text) + wide - marks


def _paint(text: str, tone: Tone, look: Look) -> str:
    code = _SGR.get(tone) if look.colour else None
    if code is None or not text:
        return text
    return "\n".join(f"\x1b[{code}m{line}\x1b[0m" for line in text.split("\n"))


def _simple(block: Block, look: Look) -> str:
    if isinstance(block, Gap):
        return ""
    if isinstance(block, Line):
        return _line(block, look)
    if look.layout is Layout.NARROW:
        return "\n".join(_stacked(row, block, look) for row in block.rows)
    return "\n".join(_aligned(block, look))


def _line(line: Line, look: Look) -> str:
    text = sanitise(line.text, None)
    indent = line.indent if look.layout is not Layout.NARROW else min(line.indent, 2)
    if look.layout is Layout.PLAIN or line.verbatim or cells(text) + indent <= look.width:
        return _paint(" " * indent + text, line.tone, look)
    return _paint(wrap(text, look.width, indent), line.tone, look)


def wrap(text: str, width: int, indent: int = 0) -> str:
    """Wrapped at words, the following lines two columns further in. Counts columns, not characters."""
    lines: list[str] = []
    line, left = "", max(width, 12) - indent
    for gap, word in _WORD.findall(text):
        space = gap if line else ""
        if cells(space + word) <= left:
            line, left = line + space + word, left - cells(space + word)
            continue
        room = max(width, 12) - indent - 2
        rest = word
        if cells(word) > room and left > len(space) + 1:  # too long for any line: it may begin on this one
            head, rest = _cut(word, left - len(space))
            line += space + head
        if line:
            lines.append(line)
        while cells(rest) > room:
            head, rest = _cut(rest, room)
            lines.append(head)
        line, left = rest, room - cells(rest)
    indents = [indent] + [indent + 2] * len(lines)
    return "\n".join(" " * by + one for by, one in zip(indents, [*lines, line], strict=True) if one)


def _cut(word: str, room: int) -> tuple[str, str]:
    """As much of `word` as fits into `room` columns (at least two), and the rest."""
    used = 0
    for index, char in enumerate(word):
        used += cells(char)
        if used > room:
            return word[:index], word[index:]
    return word, ""


def _stacked(row: Row, grid: Grid, look: Look) -> str:
    """A row without columns: the narrow cells and the first wide one lead, the others follow as prose."""
    texts = [sanitise(cell, None) for cell in row.cells]
    lead = next((index for index in range(len(texts)) if index not in grid.narrow), len(texts) - 1)
    head = " ".join(text for text in texts[: lead + 1] if text)
    tail = " · ".join(text for text in texts[lead + 1 :] if text)
    text = f"{head}: {tail}" if tail else head
    return _paint(wrap(text, look.width, min(grid.indent, 2)), row.tone, look)


def _aligned(grid: Grid, look: Look) -> Iterator[str]:
    """Columns made of spaces, nothing cut."""
    head = [Row(grid.header, Tone.DIM)] if any(grid.header) else []
    rows = [Row(tuple(sanitise(cell, None) for cell in row.cells), row.tone) for row in (*head, *grid.rows)]
    columns = zip_longest(*(row.cells for row in rows), fillvalue="")
    widths = [min(max(cells(cell) for cell in column), _MAX_PAD) for column in columns]
    for row in rows:
        padded = (cell + " " * (width - cells(cell)) for cell, width in zip(row.cells, widths, strict=False))
        yield _paint((" " * grid.indent + "  ".join(padded)).rstrip(), row.tone, look)


def _rich(page: Page, look: Look) -> Iterator[str]:
    """With tables by rich. Its output is taken as text: one writer alone talks to the terminal."""
    from io import StringIO

    from rich.console import Console

    console = Console(
        file=StringIO(),
        width=look.width,
        force_terminal=look.colour,
        color_system="standard" if look.colour else None,
        no_color=not look.colour,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    for block in _spaced(page):
        if isinstance(block, Grid) and len(block.rows) <= _MAX_RICH:
            yield _table(block, console)
        else:
            yield _simple(block, look)


def _table(grid: Grid, console: Console) -> str:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(grid.header), header_style="dim")
    rows = [Row(tuple(sanitise(cell, None) for cell in row.cells), row.tone) for row in grid.rows]
    most = console.width // 4
    for index, column in enumerate(zip_longest(grid.header, *(row.cells for row in rows), fillvalue="")):
        # A narrow column stays on one line, unless an endless name would leave nothing for the others.
        endless = index in grid.narrow and max(map(cells, column)) > most
        one_line = index in grid.narrow and not endless
        table.add_column(Text(column[0]), no_wrap=one_line, overflow="fold", max_width=most if endless else None)
    for row in rows:
        table.add_row(*map(Text, row.cells), style=row.tone.value or None)
    with console.capture() as taken:
        console.print(Padding(table, (0, 0, 0, grid.indent)))
    return "\n".join(line.rstrip() for line in taken.get().rstrip("\n").split("\n"))
