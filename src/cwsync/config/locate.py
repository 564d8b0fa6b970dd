"""Where a key stands in the text of a TOML file, and what a mistyped word may have meant.

`tomllib` forgets lines, so the text is walked once more, only when there is something to report.
The walk expects text that `tomllib` accepted; on anything else it answers less, never wrongly loud.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from enum import Enum, auto

KeyPath = tuple[str | int, ...]

_TOKEN = re.compile(
    r'''(?P<string>"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*')'''
    r"|(?P<comment>\#[^\n]*)|(?P<newline>\n)|(?P<mark>[\[\]{},=])|(?P<bare>[A-Za-z0-9_-]+)|(?P<other>.)",
    re.DOTALL,
)
_BARE = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_LONGEST_WORD = 64


class _State(Enum):
    KEY = auto()
    HEADER = auto()
    VALUE = auto()


class _Walk:
    """One pass over the tokens; `lines` is what it learns."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, ...], int] = {}
        self.line = 1
        self.state = _State.KEY
        self.table: tuple[str, ...] = ()  # the last header
        self.here: tuple[str, ...] = ()  # the key whose value is being read
        self.words: list[str] = []  # the dotted key being read
        self.open: list[tuple[bool, tuple[str, ...]]] = []  # inline tables (True) and arrays, with their key

    def token(self, kind: str, text: str) -> None:
        if kind == "mark":
            self.mark(text)
        elif kind in ("string", "bare") and self.state is not _State.VALUE:
            self.words.append(_unquoted(text) if kind == "string" else text)
        elif kind == "newline" and not self.open:
            self.state, self.words = _State.KEY, []
        self.line += text.count("\n")

    def mark(self, mark: str) -> None:
        if mark == "=" and self.state is _State.KEY:
            self.here = (self.open[-1][1] if self.open else self.table) + tuple(self.words)
            self.note(self.here)
            self.state, self.words = _State.VALUE, []
        elif mark == "[" and not self.open and self.state is not _State.VALUE:
            self.state = _State.HEADER
        elif mark == "]" and self.state is _State.HEADER:
            self.table = tuple(self.words)
            self.note(self.table)
            self.state = _State.VALUE
        elif mark in "[{":
            self.open.append((mark == "{", self.here))
            self.state = _State.KEY if mark == "{" else _State.VALUE
        elif mark in "]}" and self.open:
            self.here = self.open.pop()[1]
            self.state, self.words = _State.VALUE, []
        elif mark == "," and self.open and self.open[-1][0]:
            self.state, self.words = _State.KEY, []

    def note(self, path: tuple[str, ...]) -> None:
        for length in range(1, len(path)):
            self.lines.setdefault(path[:length], self.line)
        self.lines[path] = self.line


def locate(text: str) -> Mapping[tuple[str, ...], int]:
    """The line, from 1, of each key and table of a TOML text, by its path."""
    walk = _Walk()
    for found in _TOKEN.finditer(text):
        walk.token(found.lastgroup or "other", found[0])
    return walk.lines


def line_of(lines: Mapping[tuple[str, ...], int], path: KeyPath) -> int | None:
    """The line of a key, else of the closest table around it, else None. Indexes of arrays are ignored."""
    words = tuple(word for word in path if isinstance(word, str))
    while words:
        if words in lines:
            return lines[words]
        words = words[:-1]
    return None


def path_text(path: KeyPath) -> str:
    """A key path as one would write it: ``pairs.home.ratings.types[0]``. Odd keys are quoted and escaped."""
    parts = [f"[{word}]" if isinstance(word, int) else f".{key_text(word)}" for word in path]
    return "".join(parts).removeprefix(".")


def key_text(word: str) -> str:
    """One key, quoted when it needs to be, cut when it is very long; safe to print."""
    if _BARE.match(word):
        return word
    return json.dumps(word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}...")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` (did you mean "remove"?)`` for the known word that is closest, or nothing."""
    import difflib

    close = difflib.get_close_matches(word[:_LONGEST_WORD].lower(), list(known), n=1, cutoff=0.6)
    return f" (did you mean {json.dumps(close[0])}?)" if close else ""


def unknown_key(word: str, known: Iterable[str]) -> str:
    """What to say of a key that nobody knows: the one that was meant, else all there are."""
    known = list(known)
    return f"unknown key{did_you_mean(word, known) or '; known: ' + ', '.join(known)}"


def _unquoted(text: str) -> str:
    if text.startswith("'") or "\\" not in text:
        return text[1:-1]
    try:
        return str(tomllib.loads(f"key = {text}")["key"])
    except ValueError:
        return text
