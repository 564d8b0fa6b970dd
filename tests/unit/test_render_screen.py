"""Pages on paper: layouts, widths, encodings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwsync.render.document import PLAIN, Gap, Grid, Layout, Line, Look, Page, Row, Tone
from cwsync.render.screen import cells, fit, show, wrap

GRID = Grid(("", "title"), [Row(("+", "千と千尋"), Tone.ADD), Row(("-", "Heat"))])


def test_gaps_never_pile_up() -> None:
    page: Page = [Gap(), Line("a"), Gap(), Gap(), Grid((), []), Gap(), Line("b"), Gap()]
    assert show(page, PLAIN) == "a\n\nb\n"


def test_an_empty_page_is_no_text() -> None:
    assert show([], PLAIN) == ""
    assert show([Gap()], PLAIN) == ""


def test_wide_characters_keep_columns_in_line() -> None:
    grid = Grid(("title", "value"), [Row(("千と", "8")), Row(("Heat", "9"))])
    assert show([grid], PLAIN) == "title  value\n千と   8\nHeat   9\n"
    assert cells("千と") == 4
    assert cells("e\u0301") == 1


def test_colour_without_a_table() -> None:
    look = Look(Layout.NARROW, 40, colour=True)
    assert show([Line("stop", Tone.ERROR)], look) == "\x1b[1;31mstop\x1b[0m\n"
    assert show([GRID], look) == "\x1b[32m+ 千と千尋\x1b[0m\n- Heat\n"


def test_a_table_too_long_for_rich_is_still_a_table() -> None:
    rows = [Row(("+", f"Film {n}")) for n in range(1500)]
    shown = show([Grid(("", "title"), rows)], Look(Layout.TABLE, 80))
    assert shown.count("\n") == 1501


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "7 → 8 · Amélie…"),
        ("ascii", "7 > 8 | Am?lie..."),
        ("latin-1", "7 > 8 | Amélie..."),
        (None, "7 → 8 · Amélie…"),
    ],
)
def test_any_encoding_can_be_written_to(encoding: str | None, shown: str) -> None:
    assert fit("7 → 8 · Amélie…", encoding) == shown


@given(
    st.lists(st.tuples(st.text(max_size=30), st.text(max_size=80)), max_size=5),
    st.sampled_from([PLAIN, Look(Layout.NARROW, 20), Look(Layout.TABLE, 60), Look(Layout.TABLE, 60, colour=True)]),
)
def test_any_text_can_be_shown(rows: list[tuple[str, str]], look: Look) -> None:
    shown = show([Line("title"), Grid(("", "x"), [Row(row) for row in rows])], look)
    assert shown.startswith("title\n")
    assert "\r" not in shown
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("line", "wrapped"),
    [
        ("one two three", "one two\n  three"),
        ("千と千尋の神隠し", "千と千尋の神\n  隠し"),
        ("+ a 千と千尋の神隠し (2001)", "+ a 千と千尋\n  の神隠し\n  (2001)"),
        ("x" * 25, "x" * 12 + "\n  " + "x" * 10 + "\n  xxx"),
        ("e\u0301" * 13, "e\u0301" * 12 + "\n  e\u0301"),
        ("a  b", "a  b"),
        ("", ""),
    ],
)
def test_lines_are_wrapped_by_columns(line: str, wrapped: str) -> None:
    assert wrap(line, 12) == wrapped


@given(st.text(alphabet="ab 千と☂🎬e\u0301", max_size=80), st.integers(12, 40), st.sampled_from([0, 2, 4]))
def test_no_line_is_wider_than_asked_for(line: str, width: int, indent: int) -> None:
    wrapped = wrap(line, width, indent)
    assert max(map(cells, wrapped.split("\n"))) <= width
    assert "".join(wrapped.split()) == "".join(line.split())
