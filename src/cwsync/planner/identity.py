"""Linking: which rows of source, target and baseline are one record.

Rows are linked by shared typed ids, episodes also by their place in their show; a row without ids
by its native key, when the baseline knows it; by title and year only where the pair opts in. Where
ids contradict each other nothing is guessed: the record is ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cwsync.model import Entry, ExternalId, Item, Kind, Match, Row, Shelf, Side, Snapshot, sort_ids
from cwsync.planner.bundles import Node
from cwsync.planner.record import SIGHTED, Record, Shelved, known_on
from cwsync.planner.suspects import spot
from cwsync.planner.titles import link_titles
from cwsync.planner.web import Web

_NAMELESS: Final[Mapping[Match, str]] = {
    Match.IDS: 'no-ids: nothing says which title this is; add an id, or set match = "title-year"',
    Match.TITLE_YEAR: "no-ids: the other side has no title of that name and year, or more than one; add an id",
}


@dataclass(slots=True)
class _Group:
    rows: list[Row]
    source: list[Entry]
    target: list[Entry]
    blind: dict[Side, str]
    how: str = "ids"
    shelved: Shelved | None = None

    def items(self) -> Iterator[Item]:
        for row in self.rows:
            yield row.item
        for entry in self.source:
            yield entry.item
        for entry in self.target:
            yield entry.item


@dataclass(slots=True)
class _Loose:
    """How rows without ids were linked, by the bundle that stands for their record."""

    how: dict[int, str] = field(default_factory=dict)
    shelved: dict[int, Shelved] = field(default_factory=dict)


def link(source: Snapshot, target: Snapshot, rows: Sequence[Row], match: Match = Match.IDS) -> list[Record]:
    """Every record of the three, once, sorted by key. Pure: the order of the input does not matter."""
    web = Web.of(source, target, rows)
    bundles, bounds = web.bundles, web.bounds
    # What a library holds nothing of is linked only where every row that is called so was read.
    whole = match is Match.TITLE_YEAR and source.complete and target.complete
    shelves = {
        side: snapshot.shelf
        for side, snapshot in ((Side.SOURCE, source), (Side.TARGET, target))
        if whole and snapshot.shelf is not None
    }
    loose = _link_loose(web, match, shelves) if bundles.loose or shelves else _Loose()
    joined, parent = web.forest.joined(), web.forest.parent
    records: list[Record] = []
    for root, numbers in enumerate(bundles.members):
        if parent[root] != root:
            continue
        others = joined.get(root)
        record = None if others or root in loose.how else _plain(numbers, web.nodes, bounds)
        if record is None:
            every = sorted([*numbers, *(n for other in others or () for n in bundles.members[other])])
            group = _group(every, web, loose.how.get(root, "ids"), loose.shelved.get(root))
            # A row that cannot be read and that nobody else knows is reported with the snapshot.
            record = _record(group, match) if group.rows or group.source or group.target else None
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


def _link_loose(web: Web, match: Match, shelves: Mapping[Side, Shelf]) -> _Loose:
    """Link rows without ids: by a native key that the baseline knows, then by title and year."""
    known: dict[tuple[Side, str], int] = {}
    for number in range(web.bounds[0]):
        row = web.nodes[number]
        if isinstance(row, Row):
            for name in [(side, key) for side in Side for key in row.native_keys(side)]:
                # A key that two rows of the baseline know names neither of them.
                known[name] = web.home(number) if known.get(name, web.home(number)) == web.home(number) else -1
    how: dict[int, str] = {}
    still: list[int] = []
    for bundle in web.bundles.loose:
        number = web.bundles.members[bundle][0]
        node, side = web.nodes[number], web.side(number)
        if isinstance(node, Row) or side is None:
            continue
        found = known.get((side, node.native_key)) if node.native_key is not None else None
        found = None if found == -1 else found
        same = found is not None and _kind(web.nodes[web.bundles.members[found][0]]) is _kind(node)
        if found is None or not same:
            still.append(number)  # a service may give an old key to something else
        else:
            web.forest.join(found, bundle)
            how[bundle] = "native key"
    shelved: dict[int, Shelved] = {}
    if match is Match.TITLE_YEAR:
        links = link_titles(web, still, known, shelves)
        shelved = links.shelved
        how |= dict.fromkeys((*links.bundles, *shelved), "title and year")
    find = web.forest.find
    return _Loose({find(one): word for one, word in how.items()}, {find(one): row for one, row in shelved.items()})


def _kind(node: Node) -> Kind | None:
    return node.item.kind if node.item is not None else None


def _group(numbers: list[int], web: Web, how: str, shelved: Shelved | None) -> _Group:
    group = _Group([], [], [], {}, how, shelved)
    for number in numbers:
        node, side = web.nodes[number], web.side(number)
        if isinstance(node, Row):
            group.rows.append(node)
        elif isinstance(node, Entry):
            (group.source if side is Side.SOURCE else group.target).append(node)
        elif side is not None:
            if number < web.bounds[4]:
                group.blind[side] = f"{node.where}: {node.why}"
            elif _is_missed(group, side):
                group.blind.setdefault(side, f"lingering: {node.where}: {node.why}")
    return group


def _is_missed(group: _Group, side: Side) -> bool:
    """Whether a record that a side had seems gone from it. Lingering rows come last, when all else is known."""
    entries = group.source if side is Side.SOURCE else group.target
    return not entries and known_on(group.rows, side)


def _record(group: _Group, match: Match) -> Record:
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
        if not group.rows and not (group.source and group.target) and not group.shelved:
            trouble = _NAMELESS[match]
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
        group.shelved,
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
    others = [e.item for e in group.source] + [e.item for e in group.target] + [r.item for r in rows]
    for item in others if group.shelved is None else [*others, group.shelved.item]:
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
