"""Linking: which rows of source, target and baseline are one record.

Rows are linked by shared typed ids, episodes also by their place in their show; a row without ids
by its native key, when the baseline knows it; by title and year only where the pair opts in. Where
ids contradict each other nothing is guessed: the record is ambiguous.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from cwsync.model import Entry, ExternalId, Item, Kind, Match, Row, Side, Snapshot, sort_ids
from cwsync.planner.bundles import Bundles, Forest, Node

_SIGHTED: Final[Mapping[Side, str]] = MappingProxyType({})


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

    def entries(self, side: Side) -> tuple[Entry, ...]:
        """The rows of one side."""
        return self.source if side is Side.SOURCE else self.target


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
    _spot_rekeyed(records, source, target)
    _spot_namesakes(records, source, target)
    if bundles.loose:
        _spot_nameless(records)
        _number_namesakes(records)
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
    return Record(key, item, source, target, rows, _SIGHTED, "ids", None, weak)


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


def fold(title: str) -> str:
    """A title without case, accents and punctuation, for the pairs that opt in to matching by it."""
    plain = unicodedata.normalize("NFKD", title).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c)).split())


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
    return not entries and _known_on(group.rows, side)


def _known_on(rows: Iterable[Row], side: Side) -> bool:
    """Whether the baseline saw a record on a side."""
    return any(row.value(side) is not None for row in rows)


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


def _spot_rekeyed(records: list[Record], source: Snapshot, target: Snapshot) -> None:
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


def _spot_namesakes(records: list[Record], source: Snapshot, target: Snapshot) -> None:
    """A row that lingers under one number and stands under another: where the other side has the first, it has both.

    Services number some shows in two ways, and tell of the one play by both names.
    """
    for side, snapshot in ((Side.SOURCE, source), (Side.TARGET, target)):
        others = {row.native_key: row.item for row in snapshot.lingering if row.native_key and row.item}
        if not others:
            continue
        there = {token for record in records if record.entries(side.other) for token in record.item.tokens()}
        for record in records:
            if record.trouble or record.entries(side.other):
                continue
            items = [others[entry.native_key] for entry in record.entries(side) if entry.native_key in others]
            if any(not there.isdisjoint(item.tokens()) for item in items):
                record.trouble = "renumbered: the other side has it under another number"


def _spot_nameless(records: list[Record]) -> None:
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
            if record.entries(side) or side in record.blind or not _known_on(record.rows, side):
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


def _number_namesakes(records: list[Record]) -> None:
    """Rows without ids and with one label are still two rows, each with a key of its own."""
    taken: set[str] = {record.key for record in records if not record.trouble}
    loose = [record for record in records if record.trouble]
    for record in sorted(loose, key=lambda one: (one.key, repr(one.source), repr(one.target))):
        key, number = record.key, 1
        while record.key in taken:
            number += 1
            record.key = f"{key}#{number}"
        taken.add(record.key)
