"""The rows of a feature as they were read, and as our own writes left them. Pure; nothing here asks anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from cwsync.model import Change, Entry, Op, Outcome, Play, Rated, Receipt, Snapshot
from cwsync.providers._traktwire import EPOCH
from cwsync.providers._traktwrite import minute, points


class Rows:
    """The rows of a feature as they were read, and as our own writes left them. `stamp` None: right after a write."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.stamp = snapshot.watermark
        self.complete = snapshot.complete
        self.withheld = snapshot.withheld
        self.count = len(snapshot.entries)
        self._entries = snapshot.entries

    @cached_property
    def _by(self) -> dict[str, tuple[Entry, ...]]:
        """The rows by all their names. Nearly as large as the rows themselves, and only writes ask for it."""
        found: dict[str, tuple[Entry, ...]] = {}
        for entry in self._entries:
            _put(found, entry)
        return found

    def add(self, entry: Entry) -> None:
        """One more row."""
        self.count += 1
        _put(self._by, entry)

    def remove(self, entry: Entry) -> None:
        """One row less."""
        self.count -= 1
        for name in _names(entry):
            left = list(self._by[name])
            left.remove(entry)
            self._by[name] = tuple(left)

    def between(self, first: datetime, last: datetime) -> int:
        """How many plays there are in a span of time, to the minute."""
        entries = {id(entry): entry for found in self._by.values() for entry in found}
        times = (minute(entry.value.at) or EPOCH for entry in entries.values())
        return sum(first <= at <= last for at in times)

    def follow(self, receipts: Sequence[Receipt]) -> bool:
        """Become what our own writes made of them. False when one of them is in doubt: then nobody knows.

        Plays were put in before they were sent, so that none is sent twice; those that came to nothing go.
        """
        if any(receipt.outcome is Outcome.UNKNOWN for receipt in receipts):
            return False
        for receipt in receipts:
            change = receipt.change
            done = receipt.outcome in (Outcome.CONFIRMED, Outcome.ALREADY)
            gone = next((entry for entry in self.of(change) if entry.value == change.before), None)
            if isinstance(change.after, Play):
                put = Play(minute(change.after.at))
                gone = next((entry for entry in self.like(change) if entry.value == put), None) if not done else None
            elif not done:
                continue
            if gone is not None:
                self.remove(gone)
            if change.after is not None and not isinstance(change.after, Play):
                key = None if gone is None else gone.native_key
                self.add(Entry(change.item if gone is None else gone.item, change.after, key))
            if done:
                self.stamp = None
        return True

    def of(self, change: Change) -> list[Entry]:
        """The rows that a change may be about: the one it names, else those of its title."""
        if change.native_key is not None:
            return list(self._by.get(f"native {change.native_key}", ()))
        return self.like(change)

    def like(self, change: Change) -> list[Entry]:
        """The rows of the title of a change."""
        found: dict[int, Entry] = {}
        for token in change.item.tokens():
            found |= {id(entry): entry for entry in self._by.get(token, ())}
        return list(found.values())


def _put(rows: dict[str, tuple[Entry, ...]], entry: Entry) -> None:
    alone = (entry,)  # nearly all names belong to one row, which has several
    for name in _names(entry):
        known = rows.setdefault(name, alone)
        if known is not alone:
            rows[name] = (*known, entry)


def _names(entry: Entry) -> tuple[str, ...]:
    names: tuple[str, ...] = entry.item.tokens()
    return names if entry.native_key is None else (*names, f"native {entry.native_key}")


def as_wanted(change: Change, rows: Rows) -> bool:
    """Whether the rows are as a change would have left them."""
    if change.op is Op.REMOVE:
        before = change.before
        found = rows.of(change)
        return rows.complete and not any(before is None or entry.value == before for entry in found)
    after = change.after
    if isinstance(after, Play):
        return any(minute(entry.value.at) == minute(after.at) for entry in rows.like(change))
    if isinstance(after, Rated):
        scores = [entry.value.score for entry in rows.like(change) if isinstance(entry.value, Rated)]
        return points(after) * 10 in scores
    return bool(rows.like(change))


def removed(answer: object, numbers: Sequence[int]) -> set[int] | None:
    """The plays that were there and are gone; None when the counts do not add up."""
    parts = answer if isinstance(answer, dict) else {}
    deleted, unknown = parts.get("deleted"), parts.get("not_found")
    if not isinstance(deleted, dict):
        return None
    listed = unknown.get("ids") if isinstance(unknown, dict) else None
    gone = {str(one) for one in listed} if isinstance(listed, list) else set()
    done = {number for number in numbers if str(number) not in gone}
    counted = sum(number for number in deleted.values() if type(number) is int)
    return done if counted == len(done) else None
