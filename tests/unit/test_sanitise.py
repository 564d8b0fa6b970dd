"""Nothing that came from elsewhere can act on a screen."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwsync.render.sanitise import MAX_LENGTH, sanitise

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("Heat", "Heat"),
        ("Amélie", "Amélie"),
        ("千と千尋の神隠し", "千と千尋の神隠し"),
        ("[/] [link=x]y[/link]", "[/] [link=x]y[/link]"),
        ("\x1b]52;c;cGF5\x07", "␛]52;c;cGF5␇"),
        ("\x1b[2J\x1b[31mred", "␛[2J␛[31mred"),
        ("\x9b31m", "�31m"),
        ("two\nlines\r\n\tand more\x85\u2028\u2029", "two lines   and more   "),
        ("\u202egnp.exe\u2066", "gnp.exe"),
        ("zero\u200b\u200d\ufeff\u00adwidth", "zerowidth"),
        ("hidden\U000e0041tag", "hiddentag"),
        ("shape\ufe0f\ufe00 of\u180b a\u2065 sign\ufff0\U000e0100", "shape of a sign"),
        ("half\ud800pair", "half�pair"),
        ("\x00\x7f", "␀␡"),
        ("", ""),
    ],
)
def test_what_becomes_of_it(dirty: str, clean: str) -> None:
    assert sanitise(dirty) == clean


def test_long_text_is_cut_with_a_sign() -> None:
    assert sanitise("x" * MAX_LENGTH) == "x" * MAX_LENGTH
    assert sanitise("x" * (MAX_LENGTH + 1)) == "x" * (MAX_LENGTH - 1) + "…"
    assert sanitise("x" * 5000, None) == "x" * 5000


@given(ANY_TEXT)
def test_one_printable_line_whatever_comes_in(text: str) -> None:
    clean = sanitise(text)
    assert len(clean) <= MAX_LENGTH
    assert len(clean.splitlines()) <= 1
    assert not {unicodedata.category(char) for char in clean} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    clean.encode("utf-8")


@given(ANY_TEXT)
def test_twice_is_once(text: str) -> None:
    assert sanitise(sanitise(text)) == sanitise(text)


@given(st.text(st.characters(codec="ascii", min_codepoint=0x20, max_codepoint=0x7E), max_size=MAX_LENGTH))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert sanitise(text) == text
