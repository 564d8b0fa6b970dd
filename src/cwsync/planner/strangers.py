"""Which items of two sides nobody can match by the ids they have: those that more ids may help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cwsync.model import Entry, ExternalId, Item, Row, Side, Snapshot


def strangers(source: Snapshot, target: Snapshot, rows: Sequence[Row]) -> dict[Side, list[Item]]:
    """The items of each side that share no id with the other side, nor by what the baseline knows of them.

    Each item once, in the order of the snapshot. Pure.
    """
    sides = {Side.SOURCE: source, Side.TARGET: target}
    tokens = {side: _tokens(one.entries) for side, one in sides.items()}
    aliases = aliases_of(rows)
    found: dict[Side, list[Item]] = {}
    for side, one in sides.items():
        theirs = tokens[side.other]
        found[side] = list(dict.fromkeys(row.item for row in one.entries if not _meets(row.item, theirs, aliases)))
    return found


def may_meet(found: Mapping[Side, Sequence[Item]]) -> dict[Side, list[Item]]:
    """Those strangers that may be one of the other side: of a kind of which both sides have some.

    What has no stranger of its kind over there is new, and no id changes that.
    """
    both = {item.kind for item in found[Side.SOURCE]} & {item.kind for item in found[Side.TARGET]}
    return {side: [item for item in items if item.kind in both] for side, items in found.items()}


def aliases_of(rows: Iterable[Row]) -> dict[str, tuple[str, ...]]:
    """All tokens of the baseline, each with those of its record."""
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        names = tuple(row.item.tokens())
        found.update(dict.fromkeys(names, names))
    return found


def _meets(item: Item, theirs: set[str], aliases: Mapping[str, tuple[str, ...]]) -> bool:
    names = item.tokens()
    return any(name in theirs or not theirs.isdisjoint(aliases.get(name, ())) for name in names)


def completed(snapshot: Snapshot, items: Mapping[Item, Item]) -> tuple[Entry, ...]:
    """The entries of a snapshot with what their items are now; the same object where nothing changed."""
    if not any(entry.item in items for entry in snapshot.entries):
        return snapshot.entries
    return tuple(_with(entry, items) for entry in snapshot.entries)


def gained(before: Item, after: Item) -> list[ExternalId]:
    """The ids that an item did not have before, its show's included."""
    had = {*before.ids, *before.show_ids}
    return [one for one in (*after.ids, *after.show_ids) if one not in had]


def _with(entry: Entry, items: Mapping[Item, Item]) -> Entry:
    item = items.get(entry.item)
    return entry if item is None else Entry(item, entry.value, entry.native_key, entry.revision)


def _tokens(entries: Iterable[Entry]) -> set[str]:
    return {token for entry in entries for token in entry.item.tokens()}
