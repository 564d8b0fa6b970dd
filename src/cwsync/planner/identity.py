"""Linking: which rows of source, target and baseline are one record.

Rows are linked by shared typed ids, episodes also by their place in their show; a row without ids
by its native key, when the baseline knows it; by title and year only where the pair opts in. Where
ids contradict each other nothing is guessed: the record is ambiguous.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cwsync.model import Entry, ExternalId, Item, Kind, Match, Row, Side, Snapshot, sort_ids
from cwsync.planner.bundles import Bundles, Forest, Node
from cwsync.planner.record import SIGHTED, Record, fold, known_on
from cwsync.planner.suspects import spot


@dataclass(slots=True)
class _Group:
    rows: list[Row]
    source: list[Entry]
    target: list[Entry]
    blind: dict[Side, str]
    how: str = "ids"

    def items(self) -> Iterator[Item]:
        for row in self.rows:
            yield row.item
        for entry in self.source:
            yield entry.item
        for entry in self.target:
            yield entry.item


def link(source: Snapshot, target: Snapshot, rows: Sequence[Row], match: Match = Match.IDS) -> list[Record]:
    """Every record of the three, once, sorted by key. Pure: the order of the input does not matter."""
    parts: list[Sequence[Node]] = [
        rows,
        source.entries,
        target.entries,
        [entry for entry in source.undecoded if entry.item],
        [entry for entry in target.undecoded if entry.item],
        source.lingering,
        target.lingering,
    ]
    nodes: list[Node] = [node for part in parts for node in part]
    bounds = _bounds([len(part) for part in parts])
    bundles = Bundles(nodes)
    forest = bundles.planted(nodes)
    how = _link_loose(forest, bundles, nodes, bounds, match) if bundles.loose else {}
    words = {forest.find(number): word for number, word in how.items()}
    joined, parent = forest.joined(), forest.parent
    records: list[Record] = []
    for root, numbers in enumerate(bundles.members):
        if parent[root] != root:
            continue
        others = joined.get(root)
        record = None if others or root in words else _plain(numbers, nodes, bounds)
        if record is None:
            every = sorted([*numbers, *(n for other in others or () for n in bundles.members[other])])
            group = _group(every, nodes, bounds, words.get(root, "ids"))
            # A row that cannot be read and that nobody else knows is reported with the snapshot.
            record = _record(group) if group.rows or group.source or group.target else None
        if record is not None:
            records.append(record)
    spot(records, source, target, loose=bool(bundles.loose))
    records.sort(key=_key_of)
    return records


def _key_of(record: Record) -> str:
    return record.key


def _plain(numbers: list[int], nodes: list[Node], bounds: list[int]) -> Record | None:
    """The record of rows with one identity, at most one of each side and of the baseline."""
    if len(numbers) > 3:
        return None
    n_rows, n_source, n_target = bounds[0], bounds[1], bounds[2]
    rows: tuple[Any, ...] = ()
    source: tuple[Any, ...] = ()
    target: tuple[Any, ...] = ()
    for number in numbers:
        if number < n_rows:
            if rows:
                return None
            rows = (nodes[number],)
        elif number < n_source:
            if source:
                return None
            source = (nodes[number],)
        elif number < n_target and not target:
            target = (nodes[number],)
        else:
            return None
    item = (source or target or rows)[0].item
    key = item.key()
    if key is None:
        return None
    weak = bool(rows) and rows[0].weak and not (source and target)
    return Record(key, item, source, target, rows, SIGHTED, "ids", None, weak)


def _bounds(sizes: list[int]) -> list[int]:
    ends, total = [], 0
    for size in sizes:
        total += size
        ends.append(total)
    return ends


def _side(number: int, bounds: list[int]) -> Side | None:
    """The side of a node; None for a row of the baseline."""
    if number < bounds[0]:
        return None
    # Entries, unreadable rows and lingering rows, each of the source and then of the target.
    place = bisect_right(bounds, number)
    return Side.SOURCE if place % 2 else Side.TARGET


def _link_loose(forest: Forest, bundles: Bundles, nodes: list[Node], bounds: list[int], match: Match) -> dict[int, str]:
    """Link rows without ids: by a native key that the baseline knows, then by title and year.

    Gives, by bundle, in words how. What was linked is joined in `forest`.
    """
    homes = bundles.homes(len(nodes))
    known: dict[tuple[Side, str], int] = {}
    for number in range(bounds[0]):
        row = nodes[number]
        if isinstance(row, Row):
            for name in [(side, key) for side in Side for key in row.native_keys(side)]:
                # A key that two rows of the baseline know names neither of them.
                known[name] = homes[number] if known.get(name, homes[number]) == homes[number] else -1
    how: dict[int, str] = {}
    still: list[int] = []
    for bundle in bundles.loose:
        number = bundles.members[bundle][0]
        node, side = nodes[number], _side(number, bounds)
        if isinstance(node, Row) or side is None:
            continue
        found = known.get((side, node.native_key)) if node.native_key is not None else None
        found = None if found == -1 else found
        same = found is not None and _kind(nodes[bundles.members[found][0]]) is _kind(node)
        if found is None or not same:
            still.append(number)  # a service may give an old key to something else
        else:
            forest.join(found, bundle)
            how[bundle] = "native key"
    if match is Match.TITLE_YEAR:
        _link_titles(forest, homes, nodes, bounds, still, how)
    return how


def _kind(node: Node) -> Kind | None:
    return node.item.kind if node.item is not None else None


def _title_key(item: Item | None) -> tuple[object, ...] | None:
    if item is None or item.kind not in (Kind.MOVIE, Kind.SHOW) or not item.title or not item.year:
        return None
    return item.kind, fold(item.title), item.year


def _link_titles(  # noqa: PLR0917
    forest: Forest, homes: list[int], nodes: list[Node], bounds: list[int], loose: list[int], how: dict[int, str]
) -> None:
    """Link a row without ids to the one row of the other side with its kind, title and year."""
    wanted = {key for number in loose if (key := _title_key(nodes[number].item))}
    named: dict[tuple[Side, tuple[object, ...]], set[int]] = defaultdict(set)
    for number in range(bounds[0], len(nodes)):
        key, side = _title_key(nodes[number].item), _side(number, bounds)
        if key is not None and key in wanted and side is not None:
            named[side, key].add(forest.find(homes[number]))
    for number in loose:
        key, side = _title_key(nodes[number].item), _side(number, bounds)
        if key is None or side is None:
            continue
        mine, theirs = named[side, key], named.get((side.other, key), set())
        if len(mine) == 1 and len(theirs) == 1:
            forest.join(next(iter(theirs)), homes[number])
            how[homes[number]] = "title and year"


def _group(numbers: list[int], nodes: list[Node], bounds: list[int], how: str) -> _Group:
    group = _Group([], [], [], {}, how)
    for number in numbers:
        node = nodes[number]
        if isinstance(node, Row):
            group.rows.append(node)
        elif isinstance(node, Entry):
            (group.source if number < bounds[1] else group.target).append(node)
        else:
            side = Side.SOURCE if bisect_right(bounds, number) % 2 else Side.TARGET
            if number < bounds[4]:
                group.blind[side] = f"{node.where}: {node.why}"
            elif _is_missed(group, side):
                group.blind.setdefault(side, f"lingering: {node.where}: {node.why}")
    return group


def _is_missed(group: _Group, side: Side) -> bool:
    """Whether a record that a side had seems gone from it. Lingering rows come last, when all else is known."""
    entries = group.source if side is Side.SOURCE else group.target
    return not entries and known_on(group.rows, side)


def _record(group: _Group) -> Record:
    simple = len(group.rows) <= 1 and len(group.source) <= 1 and len(group.target) <= 1
    if not simple:
        # Whatever order the sides told their rows in, the same label and the same words come out.
        group.rows.sort(key=lambda row: row.key)
        group.source.sort(key=repr)
        group.target.sort(key=repr)
    item = _merged(group)
    key = item.key()
    trouble = None
    if key is None:
        key = _native_name(group)
        if not group.rows and not (group.source and group.target):
            trouble = 'no-ids: nothing says which title this is; add an id, or set match = "title-year"'
    elif simple:
        trouble = _crossed(group) if item.show_ids else None
    elif contradiction := _contradiction(group):
        trouble = f"ambiguous: {contradiction}"
    return Record(
        key,
        item,
        tuple(group.source),
        tuple(group.target),
        tuple(group.rows),
        group.blind,
        group.how,
        trouble,
        _is_weak(group),
    )


def _is_weak(group: _Group) -> bool:
    """Whether only a title ever linked the two sides; ids seen on both of them end that."""
    if group.how == "ids" and group.source and group.target:
        return False
    return group.how == "title and year" or any(row.weak for row in group.rows)


def _native_name(group: _Group) -> str:
    """A key for a record without ids: the side and its own name for the row."""
    names = [f"source:{entry.native_key or entry.item.label()}" for entry in group.source]
    names += [f"target:{entry.native_key or entry.item.label()}" for entry in group.target]
    kind = next(group.items()).kind
    return f"{kind}!" + min([row.key.partition("!")[2] or row.key for row in group.rows] + names)


def _merged(group: _Group) -> Item:
    """One item for the group: all ids, and the labels of the first side that has any."""
    first = group.source[0].item if group.source else group.target[0].item if group.target else group.rows[0].item
    ids, shows = first.ids, first.show_ids
    if len(group.source) == 1 and len(group.target) == 1:
        other = group.target[0].item
        if other.ids == ids and other.show_ids == shows:
            return first
    extra: set[ExternalId] = set()
    extra_shows: set[ExternalId] = set()
    # A row's aliases count only while a side is missing: seen on both, the sides' own ids are the truth.
    rows = () if group.source and group.target else group.rows
    for item in [e.item for e in group.source] + [e.item for e in group.target] + [r.item for r in rows]:
        if item.ids != ids:
            extra.update(item.ids)
        if item.show_ids != shows:
            extra_shows.update(item.show_ids)
    if not extra and not extra_shows:
        return first
    return replace(first, ids=sort_ids(extra.union(ids)), show_ids=sort_ids(extra_shows.union(shows)))


def _crossed(group: _Group) -> str | None:
    """Whether two episodes share a place in a show while their own ids say they are two."""
    if group.rows or not (group.source and group.target):
        return None
    one, other = group.source[0].item, group.target[0].item
    if not set(one.ids).isdisjoint(other.ids):
        return None
    mine = {external.namespace: external for external in one.ids}
    for external in other.ids:
        if external.namespace in mine:
            return (
                f"ambiguous: the same season and number, but {mine[external.namespace]} here and "
                f"{external} there; the two sides number this show differently"
            )
    return None


def _contradiction(group: _Group) -> str | None:
    """In words, an id that the rows of a group do not agree on; None when they are copies of one title."""
    seen: dict[str, str] = {}
    for item in group.items():
        places = [(place.partition("#")[0].partition(":")[0] + "#", place) for place in item.coordinates()]
        for namespace, token in [*((one.namespace, one) for one in item.ids), *places]:
            if seen.setdefault(namespace, token) != token:
                return f"{seen[namespace]} and {token} are linked by other ids, so this is not one title"
    return None
