"""Records that seem gone or new and may be neither: what a side shows under another name, or without one.

Nothing is linked here, and nothing guessed: such a record is only not judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from cwsync.model import Item, Kind, Side, Snapshot
from cwsync.planner.record import Record, fold, known_on


def spot(records: Sequence[Record], source: Snapshot, target: Snapshot, *, loose: bool) -> None:
    """Mark the suspects among the linked records. `loose` says that some rows have no ids."""
    _spot_rekeyed(records, source, target)
    _spot_namesakes(records, source, target)
    if loose:
        _spot_nameless(records)
        _number_namesakes(records)


def _spot_rekeyed(records: Sequence[Record], source: Snapshot, target: Snapshot) -> None:
    """A row whose native key is still there under quite other ids is not gone: nobody knows what it is."""
    for side, snapshot in ((Side.SOURCE, source), (Side.TARGET, target)):
        lost = [record for record in records if record.rows and not record.entries(side)]
        wanted = {key for record in lost for row in record.rows for key in row.native_keys(side)}
        if not wanted:
            continue
        alive = {entry.native_key for entry in snapshot.entries if entry.native_key in wanted}
        for record in lost:
            if any(key in alive for row in record.rows for key in row.native_keys(side)):
                why = "rekeyed: the row it was linked to now carries other ids"
                record.blind = {side: why, **record.blind}


def _spot_namesakes(records: Sequence[Record], source: Snapshot, target: Snapshot) -> None:
    """A row that lingers under one number and stands under another: where the other side has the first, it has both.

    Services number some shows in two ways, and tell of the one play by both names.
    """
    for side, snapshot in ((Side.SOURCE, source), (Side.TARGET, target)):
        others = {row.native_key: row.item for row in snapshot.lingering if row.native_key and row.item}
        others = {key: others[key] for entry in snapshot.entries if (key := entry.native_key) in others}
        if not others:
            continue
        there = {token for record in records if record.entries(side.other) for token in record.item.tokens()}
        for record in records:
            if record.trouble or record.entries(side.other):
                continue
            items = [others[entry.native_key] for entry in record.entries(side) if entry.native_key in others]
            if any(not there.isdisjoint(item.tokens()) for item in items):
                record.trouble = "renumbered: the other side has it under another number"


def _spot_nameless(records: Sequence[Record]) -> None:
    """A row that lost its ids may be a record that seems gone: where a label fits, nobody knows.

    It protects the records of its kind that have its title (and its year, where both have one); a
    row without a title protects every record of its kind.
    """
    for side in Side:
        nameless = [entry.item for record in records if record.trouble for entry in record.entries(side)]
        wanted: dict[tuple[Kind, str], set[int | None]] = defaultdict(set)
        for item in nameless:
            if item.key() is None:
                wanted[item.kind, _label(item)].add(item.year)
        if not wanted:
            continue
        for record in records:
            if record.entries(side) or side in record.blind or not known_on(record.rows, side):
                continue  # it does not seem gone from there: it never was there
            years = wanted.get((record.item.kind, _label(record.item)), set())
            fits = record.item.year in years or None in years or (years and record.item.year is None)
            if fits or (record.item.kind, "") in wanted:
                record.blind = {side: "no-ids: a row without ids may be this title", **record.blind}


def _label(item: Item) -> str:
    """What a person would know the item by, folded; empty when there is nothing."""
    if item.kind is Kind.MOVIE or item.kind is Kind.SHOW:
        return fold(item.title or "")
    return fold(f"{item.show_title or ''} {item.season} {item.number}") if item.show_title else ""


def _number_namesakes(records: Sequence[Record]) -> None:
    """Rows without ids and with one label are still two rows, each with a key of its own."""
    taken: set[str] = {record.key for record in records if not record.trouble}
    loose = [record for record in records if record.trouble]
    for record in sorted(loose, key=lambda one: (one.key, repr(one.source), repr(one.target))):
        key, number = record.key, 1
        while record.key in taken:
            number += 1
            record.key = f"{key}#{number}"
        taken.add(record.key)
