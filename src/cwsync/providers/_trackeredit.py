"""Changes to the text of a tracker file: pure, one pass, one receipt per change.

People edit these files between a plan and its writes, so each change is judged against what the row
holds now. A change that names a row (`native_key`) speaks of the rows of that name; one without
speaks of every copy of the title: rows of its kind that share an id with it, or an episode's place
in its show unless the own ids contradict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cwsync.model import (
    Change,
    Entry,
    Feature,
    Item,
    Listed,
    Op,
    Outcome,
    Play,
    Position,
    Rated,
    Receipt,
    Value,
    moment,
)
from cwsync.providers._localfile import label_key
from cwsync.providers._trackerfile import Frame, empty_frame, parse_file
from cwsync.providers._trackerrow import (
    PLAYABLE,
    PLAYED,
    RowError,
    clean_label,
    encode_row,
    native_key,
    row_decoder,
    update_row,
)

_TYPES: Final[dict[Feature, type[Value]]] = {
    Feature.WATCHLIST: Listed,
    Feature.RATINGS: Rated,
    Feature.HISTORY: Play,
    Feature.PROGRESS: Position,
}


def edit(text: str | None, feature: Feature, changes: Sequence[Change]) -> tuple[str | None, list[Receipt]]:
    """The file after `changes` (None: it stays as it is), and a receipt for each of them.

    `text` is the file now, None when there is none. Raises `FileError` when it cannot be trusted.
    """
    draft = _Draft(feature, frozenset(token for change in changes for token in _tokens(change)))
    frame = empty_frame(feature) if text is None else draft.load(text)
    receipts = [draft.carry_out(change) for change in changes]
    if not draft.changed:
        return None, receipts
    return frame.render([row.text for row in draft.rows if row.text is not None]), receipts


@dataclass(slots=True)
class _Row:
    """One item of the file. `text` None: removed. `value` None: it holds no record."""

    text: str | None
    item: Item | None
    value: Value | None
    readable: bool = True

    @property
    def name(self) -> str | None:
        return native_key(self.item, self.value) if self.item and self.value else None


def _tokens(change: Change) -> tuple[str, ...]:
    """Every text under which the rows that a change speaks of can be found."""
    tokens: tuple[str, ...] = change.item.tokens() or (label_key(_clean(change.item)),)
    if change.native_key is None:
        return tokens
    name = change.native_key
    return (*tokens, name.rpartition("@")[0] if change.feature is Feature.HISTORY else name)


def _clean(item: Item) -> Item:
    """The item as the file will say it, so that a row without ids is found again by its labels."""
    title, show_title = clean_label(item.title), clean_label(item.show_title)
    if title == item.title and show_title == item.show_title:
        return item
    return Item(
        item.kind,
        item.ids,
        title,
        item.year,
        item.show_ids,
        item.season,
        item.number,
        show_title,
        item.show_year,
    )


def _contradict(one: Item, other: Item) -> bool:
    """Whether the own ids of two items say that they are two titles."""
    services = {external.service: external for external in one.ids}
    return any(services.get(external.service, external) != external for external in other.ids)


@dataclass(slots=True)
class _Draft:
    """The rows of a file, those that the changes are about by token, and whether any changed."""

    feature: Feature
    wanted: frozenset[str]
    rows: list[_Row] = field(default_factory=list)
    index: dict[str, list[_Row]] = field(default_factory=dict)
    changed: bool = False

    def load(self, text: str) -> Frame:
        """Read every row of a file."""
        decode = row_decoder(self.feature)

        def take(raw: object, start: int, end: int) -> None:
            piece = text[start:end]
            try:
                found = decode(raw)
            except RowError as error:
                self._keep(_Row(piece, error.item, None, readable=False))
                return
            if isinstance(found, Entry):
                self._keep(_Row(piece, found.item, found.value))
            else:
                self._keep(_Row(piece, found, None))

        return parse_file(text, self.feature, take)

    def _keep(self, row: _Row) -> None:
        self.rows.append(row)
        if row.item is None:
            return
        for token in row.item.tokens() or (label_key(row.item),):
            if token in self.wanted:
                self.index.setdefault(token, []).append(row)

    def _find(self, change: Change) -> list[_Row]:
        own = frozenset(change.item.ids)
        places = frozenset(change.item.coordinates())
        found: dict[int, _Row] = {}
        for token in _tokens(change):
            for row in self.index.get(token, ()):
                if row.text is None or row.item is None or row.item.kind is not change.item.kind:
                    continue
                if token in places and not own.intersection(row.item.ids) and _contradict(change.item, row.item):
                    continue
                found[id(row)] = row
        return list(found.values())

    def carry_out(self, change: Change) -> Receipt:
        """Do one change to the rows, or say why not."""
        if refusal := _refusal(change, self.feature):
            return Receipt(change, Outcome.REJECTED, "unsupported", detail=refusal)
        rows = self._find(change)
        if any(not row.readable for row in rows):
            return _moved(change, "its row in the file cannot be read")
        live = [row for row in rows if row.value is not None]
        scope = [row for row in live if row.name == change.native_key] or live
        after = change.after
        if change.op is Op.REMOVE or after is None:  # `_refusal` let no other op without a value pass
            return self._remove(change, scope)
        if change.op is Op.UPDATE:
            return self._update(change, after, scope)
        return self._add(change, after, live, [row for row in rows if row.value is None])

    def _add(self, change: Change, after: Value, live: list[_Row], blank: list[_Row]) -> Receipt:
        for row in live:
            # When it was listed is evidence, not value: an item is on the list or it is not.
            if row.value == after or self.feature is Feature.WATCHLIST:
                return Receipt(change, Outcome.ALREADY, native_key=row.name)
        if live and not _is_single_play(change):
            return _moved(change, "the file holds another value by now")
        if blank:
            return self._store(change, blank[:1], after)
        item = _clean(change.item)
        row = _Row(encode_row(item, after), item, after)
        self._keep(row)
        self.changed = True
        return Receipt(change, Outcome.CONFIRMED, native_key=row.name)

    def _update(self, change: Change, after: Value, scope: list[_Row]) -> Receipt:
        if not scope:
            return _moved(change, "the record is gone from the file")
        if all(row.value == after for row in scope):
            return Receipt(change, Outcome.ALREADY, native_key=scope[0].name)
        hits = [row for row in scope if row.value == change.before]
        if not hits:
            return _moved(change, "the file holds another value by now")
        # Copies of one title are one record; plays of one title are not.
        rows = hits if self.feature is Feature.HISTORY else scope
        return self._store(change, [row for row in rows if row.value != after], after)

    def _store(self, change: Change, rows: list[_Row], value: Value) -> Receipt:
        try:
            texts = [update_row(row.text or "", value) for row in rows]
        except ValueError as error:
            return Receipt(change, Outcome.REJECTED, "unreadable", detail=str(error))
        for row, text in zip(rows, texts, strict=True):
            row.text, row.value = text, value
        self.changed = True
        return Receipt(change, Outcome.CONFIRMED, native_key=rows[0].name)

    def _remove(self, change: Change, scope: list[_Row]) -> Receipt:
        hits = [row for row in scope if row.value == change.before]
        single = _is_single_play(change)
        if not scope or (single and not hits):
            return Receipt(change, Outcome.ALREADY, native_key=change.native_key)
        stale = self.feature is Feature.HISTORY and not single and hits and not _is_newest(hits[0], scope)
        if not hits or stale:
            return _moved(change, "the file holds another value by now")
        name = hits[0].name
        # A play of a list of plays goes alone. Otherwise the whole record goes: every copy in scope,
        # which for a watched title that is named by its ids alone means every play of it.
        for row in hits[:1] if single else scope:
            row.text = row.value = None
        self.changed = True
        return Receipt(change, Outcome.CONFIRMED, native_key=name)


def _refusal(change: Change, feature: Feature) -> str | None:
    """Why this provider can never do a change, or None."""
    if change.feature is not feature:
        return f"a change of {change.feature} does not belong into {feature}"
    if feature in PLAYED and change.item.kind not in PLAYABLE:
        return f"the tracker keeps no {feature} of a {change.item.kind}"
    if change.op is Op.REMOVE:
        return None
    if not isinstance(change.after, _TYPES[feature]):
        return f"{feature} cannot hold {type(change.after).__name__}"
    if isinstance(change.after, Rated) and (change.after.score < 10 or change.after.score % 5):
        return f"the tracker keeps ratings from 1 to 10 in halves, not {change.after.score / 10:g}"
    return None


def _is_single_play(change: Change) -> bool:
    """Whether a change speaks of one play out of a list: the key of such a record holds its time."""
    return change.feature is Feature.HISTORY and "@" in change.key


def _is_newest(row: _Row, rows: list[_Row]) -> bool:
    times = [moment(one.value.at) for one in rows if one.value is not None and one.value.at is not None]
    at = row.value.at if row.value is not None else None
    return not times or (at is not None and moment(at) == max(times))


def _moved(change: Change, detail: str) -> Receipt:
    return Receipt(change, Outcome.NOT_SENT, "moved", native_key=change.native_key, detail=detail, moved=True)
