"""Many items of a tracker file at once: the same answers as row by row, in half the time.

A block is decoded only when every item in it is of the common shape: text where text belongs, a
value, times in UTC. Anything else is left to `_trackerrow`, which knows how to say what is wrong.
"""

from __future__ import annotations

from itertools import repeat
from sys import intern
from typing import Any, Final

from cwsync.model import SERVICES, Entry, ExternalId, Feature, Item, Kind, Listed, Play, Rated, id_matcher, share_ids
from cwsync.model.bulk import make_all, parse_moments
from cwsync.providers._trackerrow import PLAYABLE, PLAYED, is_label, native_key

_PLAIN: Final = {kind.value: kind for kind in (Kind.MOVIE, Kind.SHOW)}
_PARTS: Final = {kind.value: kind for kind in (Kind.SEASON, Kind.EPISODE)}
_NO_SHOW: Final = ((), None, None, None, None)
_WHOLE: Final = frozenset({int, type(None)})
_TIMES: Final = {Feature.RATINGS: "rated_at", Feature.HISTORY: "watched_at", Feature.WATCHLIST: "listed_at"}
_MAX_KNOWN: Final = 4096


class Odd(Exception):  # noqa: N818 - not an error: the block is read row by row instead
    """Something in the block is not of the common shape."""


class BlockDecoder:
    """Decodes blocks of items of one feature. Remembers the shapes and the shows that it has met."""

    def __init__(self, feature: Feature) -> None:
        self._feature = feature
        self._shapes: dict[tuple[Kind, tuple[str, ...]], list[tuple[str, Any, str]]] = {}
        self._shows: dict[tuple[object, ...], tuple[ExternalId, ...]] = {}
        self._only_played = feature in PLAYED

    def entries(self, raws: list[Any]) -> list[Entry] | None:
        """The entries of a block; None when the block must be read row by row."""
        try:
            values = self._values(raws)
            columns = zip(*[self._fields(raw) for raw in raws], strict=True)
            items = make_all(Item, columns, len(raws))
        except (Odd, KeyError, TypeError, AttributeError):
            return None  # of another shape; the rows say what is wrong, if anything is
        if self._feature is Feature.HISTORY:
            names: list[str] = [native_key(item, value) for item, value in zip(items, values, strict=True)]
        else:
            names = [item.ids[0] for item in items]
        return make_all(Entry, (items, values, names, repeat(None)), len(raws))

    def _values(self, raws: list[Any]) -> list[Any]:
        """The values of a block, all of one sort and with times in UTC. Positions are left to the rows."""
        name = _TIMES.get(self._feature)
        if name is None:
            raise Odd
        times = parse_moments([raw[name] for raw in raws])
        if times is None:
            raise Odd
        if self._feature is Feature.RATINGS:
            return make_all(Rated, ([_score(raw["rating"]) for raw in raws], times), len(raws))
        return make_all(Play if self._feature is Feature.HISTORY else Listed, (times,), len(raws))

    def _fields(self, raw: Any) -> tuple[Any, ...]:
        """The fields of an `Item` that has ids of its own."""
        name, title, year = raw["type"], raw["title"], raw["year"]
        if type(title) is not str or type(year) not in _WHOLE or not is_label(title):
            raise Odd
        kind = _PLAIN.get(name)
        if kind is not None:
            if "season" in raw or "episode" in raw or "show" in raw or (self._only_played and kind not in PLAYABLE):
                raise Odd
            return (kind, self._ids(raw["ids"], kind), intern(title), year, *_NO_SHOW)
        kind = _PARTS[name]
        if kind is Kind.SEASON:
            raise Odd  # rare, and with rules of its own
        show, season, number = raw["show"], raw["season"], raw["episode"]
        show_title, show_year = show["title"], show["year"]
        if type(season) is not int or type(number) is not int or season < 0 or number < 0:
            raise Odd
        if type(show_title) is not str or not is_label(show_title) or type(show_year) not in _WHOLE:
            raise Odd
        ids = self._ids(raw["ids"], kind)
        show_ids = self._show(show["ids"])
        return kind, ids, intern(title), year, show_ids, season, number, intern(show_title), show_year

    def _ids(self, raw: dict[str, Any], kind: Kind) -> tuple[ExternalId, ...]:
        shape = self._shapes.get((kind, names := tuple(raw)))
        if shape is None:
            shape = [(service, *id_matcher(service, kind)) for service in SERVICES if service in names]
            if len(self._shapes) < _MAX_KNOWN:
                self._shapes[kind, names] = shape
        ids = []
        for service, match, prefix in shape:
            value = raw[service]
            if type(value) is not str or not match(value):
                raise Odd
            ids.append(ExternalId(prefix + value))
        if not ids:
            raise Odd
        return share_ids(tuple(ids))

    def _show(self, raw: dict[str, Any]) -> tuple[ExternalId, ...]:
        """The ids of a show: checked once, and then shared by all its episodes."""
        key = (*raw, *raw.values())
        ids = self._shows.get(key)
        if ids is None:
            ids = self._shows[key] = self._ids(raw, Kind.SHOW)
        return ids


def _score(rating: object) -> int:
    if type(rating) is not int and type(rating) is not float:
        raise Odd
    score = rating * 10
    if not 10 <= score <= 100 or score % 5:
        raise Odd
    return int(score)
