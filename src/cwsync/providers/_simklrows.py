"""The library as records of each feature, and a way to find its titles by the ids of others. Pure.

A title is in one status. The watchlist is the status ``plantowatch``; the history are the films that are
``completed`` and the episodes that have a row, whatever the status of their show.

Anime has its own order: each sequel is a title, with a season 1. SIMKL tells where TVDB has an episode; by that it
is known here. Without it, it is known by the ids of anime databases and by SIMKL's own numbers.

Source: https://api.simkl.org (sync, anime), CrossWatch issues 266, 394, 809, 953 (checked 2026-11-21).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from cwsync.model import (
    Entry,
    ExternalId,
    Feature,
    Item,
    Kind,
    Listed,
    Play,
    Rated,
    Undecoded,
    external_id,
    format_when,
    share_ids,
    sort_ids,
)
from cwsync.providers._simklpicture import Bad, Picture
from cwsync.providers._simklwire import COMPLETED, PLANNED, Episode, Row, decode_time

NATIVE: Final = ("simkl", "mal", "anidb", "anilist", "kitsu")
GENERAL: Final = ("imdb", "tmdb", "tvdb")
_OF_SHOW: Final = (*GENERAL, *NATIVE)
_OF_FILM: Final = ("imdb", "tmdb", *NATIVE)  # TVDB counts films apart, and SIMKL may name the show there


def ids_of(row: Row, services: Iterable[str], kind: Kind) -> tuple[ExternalId, ...]:
    """The ids of a title at some services. What is no id of a service is left out."""
    known = row.ids | {"simkl": str(row.simkl)}
    found: list[ExternalId] = []
    for service in services:
        if (value := known.get(service)) is not None:
            try:
                found.append(external_id(service, kind, value))
            except ValueError:
                continue
    return share_ids(sort_ids(found))


def title_item(row: Row) -> Item:
    """A film or a show. A sequel of anime has the ids of its own alone: TVDB has it as a season of another title."""
    if row.is_film:
        return Item(Kind.MOVIE, ids_of(row, _OF_FILM, Kind.MOVIE), row.title, row.year)
    sequel = row.is_anime and row.tvdb_seasons is not None and 1 not in row.tvdb_seasons
    return Item(Kind.SHOW, ids_of(row, NATIVE if sequel else _OF_SHOW, Kind.SHOW), row.title, row.year)


def episode_item(row: Row, one: Episode) -> Item:
    """An episode of a show, at the place where others look for it.

    Of anime that is TVDB's. Where SIMKL has it at the very same place it is known by both kinds of ids.
    """
    own: list[ExternalId] = []
    if one.tvdb_id is not None and one.tvdb_id.isdigit():
        own.append(external_id("tvdb", Kind.EPISODE, one.tvdb_id))
    if row.is_anime and one.tvdb is not None and "tvdb" in row.ids:
        return _episode(row, tuple(own), ("tvdb", *NATIVE) if one.tvdb == one.place else ("tvdb",), one.tvdb)
    return _episode(row, tuple(own), NATIVE if row.is_anime else (*GENERAL, "simkl"), one.place)


def own_item(row: Row, one: Episode) -> Item | None:
    """An episode of anime by SIMKL's own numbers, where `episode_item` knows it by others alone."""
    elsewhere = row.is_anime and "tvdb" in row.ids and one.tvdb not in (None, one.place)
    return _episode(row, (), NATIVE, one.place) if elsewhere else None


def is_own(item: Item) -> bool:
    """Whether an episode is known by ids of anime databases alone, and so by SIMKL's own numbers."""
    return bool(item.show_ids) and all(one.service in NATIVE for one in item.show_ids)


def _episode(row: Row, own: tuple[ExternalId, ...], services: tuple[str, ...], place: tuple[int, int]) -> Item:
    shows = ids_of(row, services, Kind.SHOW)
    season, number = place
    return Item(
        Kind.EPISODE,
        own,
        show_ids=shows,
        season=season,
        number=number,
        show_title=row.title,
        show_year=row.year,
    )


def play_key(row: Row, one: Episode | None = None) -> str:
    """What a play is called here: SIMKL's number of the title, and its own numbers of the episode."""
    return str(row.simkl) if one is None else f"{row.simkl}:{one.place[0]}x{one.place[1]}"


_OTHERWISE: Final = "it was watched, and is known by the season and number of TVDB here"
_FILED: Final = "SIMKL filed it when it was rated: nobody watched it, or wished for it"


@dataclass(slots=True)
class Records:
    """One feature of the library. `digest` stands for all of it, `lines` for each record by its native key."""

    entries: tuple[Entry, ...] = ()
    undecoded: tuple[Undecoded, ...] = ()
    lingering: tuple[Undecoded, ...] = ()
    doubts: tuple[str, ...] = ()
    lines: dict[str, str] = field(default_factory=dict)
    digest: str = ""


def _plays(row: Row) -> list[Entry]:
    if row.is_filed:
        return []
    if row.is_film:
        watched = row.status == COMPLETED
        return [Entry(title_item(row), Play(decode_time(row.watched_at)), play_key(row))] if watched else []
    return [
        Entry(episode_item(row, one), Play(None if one.made_up else decode_time(one.at)), play_key(row, one))
        for one in row.episodes
    ]


def _ratings(row: Row) -> list[Entry]:
    if row.rating is None:
        return []
    return [Entry(title_item(row), Rated(row.rating * 10, decode_time(row.rated_at)), play_key(row))]


def _listed(row: Row) -> list[Entry]:
    if row.status != PLANNED or row.is_filed:
        return []
    return [Entry(title_item(row), Listed(decode_time(row.added_at)), play_key(row))]


_ENTRIES: Final[dict[Feature, Callable[[Row], list[Entry]]]] = {
    Feature.HISTORY: _plays,
    Feature.RATINGS: _ratings,
    Feature.WATCHLIST: _listed,
}


def records(picture: Picture, feature: Feature) -> Records:
    """The records of a feature, in the order of SIMKL's own ids."""
    entries: list[Entry] = []
    spoilt = {one.simkl for one in picture.bad}
    for number in sorted(picture.rows):
        if number not in spoilt:
            entries += _ENTRIES[feature](picture.rows[number])
    undecoded = [_unread(one, picture, feature) for one in picture.bad]
    found = [piece for pieces in undecoded for piece in pieces]
    doubts = ["a row says not which title it is about"] if any(one.item is None for one in found) else []
    if feature is Feature.HISTORY:
        short = [row for row in picture.rows.values() if row.lacks_rows and not row.is_filed]
        if short:
            doubts.append(
                f"of {len(short)} shows it does not tell every episode, first of {title_item(short[0]).label()}"
            )
    lines = {entry.native_key or "": _line(entry) for entry in entries}
    text = "\n".join([*sorted(lines.values()), *(f"{one.where}: {one.why}" for one in found), *doubts])
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    filed = [] if feature is Feature.RATINGS else [row for row in picture.rows.values() if row.is_filed]
    lingering = [Undecoded("library", _FILED, title_item(row), str(row.simkl)) for row in filed]
    if feature is Feature.HISTORY:
        lingering += [one for row in picture.rows.values() for one in _otherwise(row)]
    return Records(tuple(entries), tuple(found), tuple(lingering), tuple(doubts), lines, digest)


def _otherwise(row: Row) -> list[Undecoded]:
    """What others know by SIMKL's own numbers alone: it stands among the entries, under the numbers of TVDB.

    Whoever wrote it by those numbers has not lost it.
    """
    if not row.is_anime or row.is_film or row.is_filed:
        return []
    found = [(item, play_key(row, one)) for one in row.episodes if (item := own_item(row, one)) is not None]
    return [Undecoded("library", _OTHERWISE, item, key) for item, key in found]


def _line(entry: Entry) -> str:
    value = entry.value
    score = value.score if isinstance(value, Rated) else ""
    return f"{entry.native_key} {' '.join(entry.item.tokens())} {format_when(value.at)} {score}"


def _unread(bad: Bad, picture: Picture, feature: Feature) -> list[Undecoded]:
    """What a row that cannot be read stands for: the records that it had, and the title, as far as that is known."""
    known = None if bad.simkl is None else picture.rows.get(bad.simkl)
    key = None if bad.simkl is None else str(bad.simkl)
    if known is not None:
        before = [entry.item for entry in _ENTRIES[feature](known)]
        if feature is not Feature.HISTORY or known.is_film:
            return [Undecoded(bad.where, bad.why, title_item(known), key)]
        # Of a show nobody can tell which episodes it has by now, besides those that it had.
        return [Undecoded(bad.where, bad.why, item) for item in before] + [Undecoded(bad.where, bad.why, None, key)]
    if bad.simkl is None or (feature is Feature.HISTORY and bad.part != "movies"):
        return [Undecoded(bad.where, bad.why, None, key)]
    row = Row(bad.simkl, bad.part, "", bad.ids)
    return [Undecoded(bad.where, bad.why, title_item(row), key)]


class Index:
    """Finds what the library has by the ids of others."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self._titles: dict[str, list[Row]] = {}
        self._plays: dict[str, tuple[Row, Episode]] = {}
        self._own: dict[str, tuple[Row, Episode]] = {}
        for row in picture.rows.values():
            for token in title_item(row).ids:
                self._titles.setdefault(token, []).append(row)
            for one in row.episodes if not row.is_film else ():
                for name in (*episode_item(row, one).tokens(), play_key(row, one)):
                    self._plays.setdefault(name, (row, one))
                own = own_item(row, one)
                self._own |= {} if own is None else dict.fromkeys(own.coordinates(), (row, one))

    def titles(self, item: Item) -> list[Row]:
        """The titles that are, or may be, a film or a show; of an episode those of its show."""
        ids = item.show_ids if item.kind is Kind.EPISODE else item.ids
        found = {row.simkl: row for token in ids for row in self._titles.get(token, ())}
        return list(found.values())

    def row(self, key: str | None, item: Item) -> Row | None:
        """The title of a native key, else the one that a film or a show is."""
        if key is not None and key.partition(":")[0].isdigit():
            return self.picture.rows.get(int(key.partition(":")[0]))
        found = self.titles(item)
        return found[0] if found else None

    def play(self, key: str | None, item: Item) -> tuple[Row, Episode] | None:
        """The watched episode of a native key, else that of an item.

        The numbers of an item are those of TVDB and TMDB, unless it has ids of anime databases alone.
        """
        if key is not None:
            return self._plays.get(key)
        plays = self._plays
        if is_own(item):
            plays = self._own | plays
        return next((plays[token] for token in item.tokens() if token in plays), None)

    def name(self, item: Item) -> str | None:
        """The native key of the record of an item, None when it is not there."""
        if item.kind is Kind.EPISODE:
            found = self.play(None, item)
            return None if found is None else play_key(*found)
        row = self.row(None, item)
        return None if row is None else play_key(row)
