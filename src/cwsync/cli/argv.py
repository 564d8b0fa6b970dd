"""The command line before typer sees it: global options may stand anywhere, typer wants them first.

Imports next to nothing, because ``--version`` is answered from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

GLOBAL_FLAGS = {"--quiet": "q", "--verbose": "v", "--no-color": "", "--version": "V"}
GLOBAL_VALUES = frozenset({"--config", "--state-dir", "--log-format"})
SHORT_FLAGS = frozenset("qvV")
SHORT_VALUES = frozenset("c")
# Options of single commands that take a value: what follows them is never an option of ours.
# A test holds this list against the commands themselves.
COMMAND_VALUES = frozenset(
    {
        "--accept",
        "--feature",
        "--if-locked",
        "--limit",
        "--lock-timeout",
        "--max-age",
        "--out",
        "--plan",
        "--since",
        "--until",
        "--url",
    }
)


class Argv:
    """The arguments with the global ones in front; and what must be known before they are parsed.

    A plain class: the `dataclasses` module alone would double the time of ``--version``.
    """

    __slots__ = ("args", "flags", "json")

    def __init__(self, args: tuple[str, ...], flags: str, *, json: bool) -> None:
        self.args = args
        self.flags = flags  # the letters of the global flags, in order: "vv"
        self.json = json

    @property
    def version(self) -> bool:
        """Whether ``--version`` is asked for."""
        return "V" in self.flags

    @property
    def verbosity(self) -> int:
        """2 for ``-vv``, -1 for ``-q``."""
        return self.flags.count("v") - self.flags.count("q")


def arrange(argv: Sequence[str]) -> Argv:
    """Move global options, wherever they stand before a ``--``, to the front."""
    front: list[str] = []
    rest: list[str] = []
    dangling = False
    flags = ""
    json = False
    words = iter(argv)
    for word in words:
        if word == "--":
            rest += [word, *words]
            break
        name, equals, _ = word.partition("=")
        json = json or word == "--json"
        if name in GLOBAL_FLAGS:
            front.append(word)
            flags += GLOBAL_FLAGS[name]
        elif name in GLOBAL_VALUES:
            value = _value(words, wanted=not equals)
            front += [word, *value]
            dangling = not (equals or value)
        elif (letters := _cluster(word)) is not None:
            value = _value(words, wanted=letters.endswith("c"))
            front += [word, *value]
            dangling = letters.endswith("c") and not value
            flags += letters
        else:
            rest += [word, *_value(words, wanted=name in COMMAND_VALUES and not equals)]
    # An option whose value is missing must not take the command for it, so the command goes.
    return Argv(tuple(front) if dangling else (*front, *rest), flags, json=json)


def _value(words: Iterator[str], *, wanted: bool) -> list[str]:
    """The next word, as it is, when the option before it takes one."""
    return list(islice(words, 1)) if wanted else []


def _cluster(word: str) -> str | None:
    """The letters of ``-qv``; those up to the value in ``-cFILE``, ending in ``c`` when the value is yet to come.

    None for every other word.
    """
    if len(word) < 2 or word[0] != "-" or word[1] == "-":
        return None
    for index, letter in enumerate(word[1:], start=1):
        if letter in SHORT_VALUES:
            return word[1 : index + 1] if index == len(word) - 1 else word[1:index]
        if letter not in SHORT_FLAGS:
            return None
    return word[1:]
