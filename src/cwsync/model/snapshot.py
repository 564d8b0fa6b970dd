"""What one side says: entries, and the proof that nothing is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from cwsync.model.items import Feature, Item
from cwsync.model.values import Value


class Side(StrEnum):
    """One end of a pair. The source is the system of record that wins a conflict by default."""

    SOURCE = "source"
    TARGET = "target"

    __hash__ = str.__hash__  # see Feature

    @property
    def other(self) -> Side:
        """The opposite end."""
        return Side.TARGET if self is Side.SOURCE else Side.SOURCE


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of one side.

    `native_key` is the side's own name for the row (None: it has none); `revision` is the side's
    own change stamp of the row, where it has one.
    """

    item: Item
    value: Value
    native_key: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Undecoded:
    """A row that could not be read. `item` is None when not even its ids could be.

    `where` is a place a person can go to (``ratings.json item 12``, ``line 7``), `why` the reason.
    """

    where: str
    why: str
    item: Item | None = None
    native_key: str | None = None


class Shelf(Protocol):
    """The library behind a feature: the titles that are there, held or not. Only a library can answer so."""

    def has(self, native_key: str) -> bool:
        """Whether the row of that name was there when it was read."""

    def knows(self, item: Item) -> bool:
        """Whether the row of that title was read, so that it not being among the entries says that it holds nothing.

        In a list that is not complete that lets it be added; it is no proof of a removal.
        """

    def titles(self) -> Iterable[tuple[str, Item]]:
        """Films and shows of the library that were read, held or not, each with the name of its row.

        A library whose rows are asked for by what they hold tells none.
        """


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything one account says about one feature, read in this run.

    `complete` is the proof that a missing record is absent: every page read, every total met,
    every row's key decoded. `doubt` says in words why it is not. `watermark` is the provider's
    "did anything change" value at the time of the read. `server_now` is the clock of the service,
    where it says it. `read_at` is our clock when the read began. `lingering` are rows that hold
    nothing of this feature now, which is no proof that somebody took it away (a film that is being
    watched again, on a service that forgets the first time at the start of the second): the record of
    such a row is not removed, may be written, and is no reason to complain. Their items are known.
    `shelf` is the library, where the account is a media server: a title whose row left it (its file was deleted,
    or replaced under another key) was not unwatched by anybody. `withheld` are rows that the service counts and shows
    to nobody, in a list that is not `complete` for no other reason: what was known there may be one of them, what was
    never known is not there.
    """

    feature: Feature
    entries: tuple[Entry, ...]
    complete: bool
    account_id: str
    watermark: str | None = None
    undecoded: tuple[Undecoded, ...] = ()
    lingering: tuple[Undecoded, ...] = ()
    doubt: str | None = None
    server_now: datetime | None = None
    requests: int = 0
    warnings: tuple[str, ...] = ()
    withheld: int = 0
    shelf: Shelf | None = field(default=None, compare=False, repr=False)
