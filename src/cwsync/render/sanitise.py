"""The one gate between text that came from somewhere else and a person's screen.

Titles, account names and server messages may hold escape sequences, right-to-left overrides or
newlines. After `sanitise` a text is one printable line: it can neither move the cursor, nor set the
clipboard, nor look like another line of ours.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from cwsync.redaction import redact_known

MAX_LENGTH: Final = 200
_REPLACED: Final = "\N{REPLACEMENT CHARACTER}"
# Invisible, though Unicode does not file them under "format": fillers and joiners.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")

# Variation selectors and what Unicode keeps free for more signs without a shape.
_IGNORED: Final = ((0x180B, 0x180F), (0x2065, 0x2065), (0xFE00, 0xFE0F), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF))


def _seen_as(code: int) -> str | None:
    """What a character is shown as: itself, a stand-in, or nothing."""
    char = chr(code)
    if char in "\t\n\v\f\r\x85":
        return " "
    if code < 0x20:
        return chr(0x2400 + code)  # the picture of the control: ␛ for ESC
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    category = unicodedata.category(char)
    if category in ("Zl", "Zp"):
        return " "
    if category in ("Cc", "Cs"):
        return _REPLACED
    if category == "Cf" or char in _BLANK or any(first <= code <= last for first, last in _IGNORED):
        return None
    return char


class _Table(dict[int, str | None]):
    """Filled as characters come by: a title list uses few of the million there are."""

    def __missing__(self, code: int) -> str | None:
        seen = self[code] = _seen_as(code)
        return seen


_TABLE: Final = _Table()


def sanitise(text: str, limit: int | None = MAX_LENGTH) -> str:
    """`text` as one line that is safe to print, cut to `limit` characters with ``…``.

    Idempotent. Controls become their pictures or ``�``, line breaks and tabs become spaces,
    bidirectional controls and zero-width characters are dropped.
    """
    text = redact_known(text)
    if not (text.isascii() and text.isprintable()):
        text = text.translate(_TABLE)
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    return text
