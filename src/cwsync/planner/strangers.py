"""Which items of two sides nobody can match by the ids they have: those that more ids may help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cwsync.model import Entry, ExternalId, Item, Kind, Row, Side, Snapshot


def strangers(
    source: Snapshot, target: Snapshot, rows: Sequence[Row], *, alone: bool = False
) -> dict[Side, list[Item]]:
    """The items of each side that share no id with the other side, nor by what the baseline knows of them.

    Only kinds of which both sides have such items: one that has no counterpart there at all is new,
    and no id changes that; with `alone` those too. Each item once, in the order of the snapshot. Pure.
    """
    sides = {Side.SOURCE: source, Side.TARGET: target}
    tokens = {side: _tokens(one.entries) for side, one in sides.items()}
    aliases = _aliases(rows)
    found: dict[Side, dict[Item, None]] = {}
    for side, one in sides.items():
        theirs = tokens[side.other]
        found[side] = {entry.item: None for entry in one.entries if not _meets(entry.item, theirs, aliases)}
    both = {item.kind for item in found[Side.SOURCE]} & {item.kind for item in found[Side.TARGET]}
    return {side: list(items) if alone else _of_kinds(items, both) for side, items in found.items()}


def _aliases(rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
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


def _of_kinds(items: Iterable[Item], kinds: set[Kind]) -> list[Item]:
    return [item for item in items if item.kind in kinds]
