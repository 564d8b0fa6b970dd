"""One record, and what it is called: what linking makes, and all else decides on."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from cwsync.model import Entry, Item, Row, Side

SIGHTED: Final[Mapping[Side, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Shelved:
    """A row of a library that holds nothing, and by its title and year is what the other side has."""

    side: Side
    native_key: str
    item: Item


@dataclass(slots=True)
class Record:
    """One record: what each side and the baseline say of it.

    `source` and `target` hold the side's rows (several are copies of one title). `blind` names the
    sides on which a row of this record exists that cannot be read, with the reason. `trouble` is a
    reason ("ambiguous: ...", "no-ids: ...") for which nothing may be done.
    """

    key: str
    item: Item
    source: tuple[Entry, ...] = ()
    target: tuple[Entry, ...] = ()
    rows: tuple[Row, ...] = ()
    blind: Mapping[Side, str] = field(default_factory=dict)
    linked: str = "ids"
    trouble: str | None = None
    weak: bool = False
    shelved: Shelved | None = None

    def entries(self, side: Side) -> tuple[Entry, ...]:
        """The rows of one side."""
        return self.source if side is Side.SOURCE else self.target

    def shelved_on(self, side: Side) -> str | None:
        """The row of a side that holds nothing and is this title by its name and year alone."""
        return self.shelved.native_key if self.shelved is not None and self.shelved.side is side else None


def known_on(rows: Iterable[Row], side: Side) -> bool:
    """Whether the baseline saw a record on a side."""
    return any(row.value(side) is not None for row in rows)


def fold(title: str) -> str:
    """A title without case, accents and punctuation, for the pairs that opt in to matching by it."""
    plain = unicodedata.normalize("NFKD", title).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c)).split())
