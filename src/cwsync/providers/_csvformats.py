"""Which column of a CSV file means what: recognised by its header, never by its data. Pure.

Source: the export files of IMDb (ratings, watchlist, lists) and Letterboxd (ratings.csv, diary.csv,
watched.csv, watchlist.csv); for Trakt the column names that its own export and the usual converters
share. Names are compared without case, spaces and punctuation: ``IMDB ID`` is ``imdb_id``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cwsync.model import Feature

# Our names, each with the (folded) headers that mean it, the best first.
_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "type": ("type", "mediatype"),
    "title": ("title", "movietitle", "episodetitle", "name"),
    "year": ("year", "releaseyear"),
    "season": ("season", "seasonnumber"),
    "episode": ("episode", "episodenumber"),
    "imdb": ("imdb", "imdbid"),
    "tmdb": ("tmdb", "tmdbid"),
    "tvdb": ("tvdb", "tvdbid"),
    "trakt": ("trakt", "traktid"),
    "rating": ("rating",),
    "rated_at": ("ratedat",),
    "watched_at": ("watchedat", "lastwatchedat"),
    "listed_at": ("listedat",),
    "show_title": ("showtitle", "showname"),
    "show_year": ("showyear",),
    "show_imdb": ("showimdb", "showimdbid"),
    "show_tmdb": ("showtmdb", "showtmdbid"),
    "show_tvdb": ("showtvdb", "showtvdbid"),
    "show_trakt": ("showtrakt", "showtraktid"),
}
NAMES: Final = tuple(_ALIASES)
ID_NAMES: Final = ("imdb", "tmdb", "tvdb", "trakt")
_IMDB: Final[Mapping[str, tuple[str, ...]]] = {
    "type": ("titletype",),
    "title": ("title",),
    "year": ("year",),
    "imdb": ("const",),
    "rating": ("yourrating", "yourated"),
    "rated_at": ("daterated",),
    "listed_at": ("created",),
}
# The one date that every Letterboxd file has is the day of the entry: when a film was put on the
# watchlist, when it was rated. It is not when the film was watched; only the diary knows that.
_LETTERBOXD: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("name", "title"),
    "year": ("year",),
    "imdb": ("imdbid",),
    "tmdb": ("tmdbid",),
    "rating": ("rating",),
    "rated_at": ("date",),
    "watched_at": ("watcheddate",),
    "listed_at": ("date",),
}


class FormatError(ValueError):
    """The header cannot be understood."""

    def __init__(self, why: str, hint: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Layout:
    """What a header says: the place of each of our names, and the file's own top rating."""

    name: str
    places: Mapping[str, int]
    scale: int
    width: int


def recognise(header: Sequence[str], feature: Feature, columns: Mapping[str, str]) -> Layout:
    """Read a header; `columns` maps our names to the file's and comes first. Raises `FormatError`."""
    if not any(name.strip() for name in header):
        raise FormatError("has no header", "the first line must name the columns")
    folded = [_fold(name) for name in header]
    name, known, scale = _format(set(folded))
    places = {our: _only(header, folded, found) for our, names in known.items() if (found := _first(folded, names))}
    for our, theirs in columns.items():
        places[our] = _chosen(header, our, theirs)
    if not any(our in places for our in (*ID_NAMES, "title")) and not any(our.startswith("show_") for our in places):
        raise FormatError(
            "has neither a column of ids nor one of titles",
            f'name one, such as columns = {{ imdb = "..." }}; the file has: {_listed(header)}',
        )
    if feature is Feature.RATINGS and "rating" not in places:
        raise FormatError(
            "has no column of ratings", f'columns = {{ rating = "..." }}; the file has: {_listed(header)}'
        )
    return Layout(name, places, scale, len(header))


def _format(folded: set[str]) -> tuple[str, Mapping[str, tuple[str, ...]], int]:
    if "const" in folded:
        return "IMDb", _IMDB, 10
    if "letterboxduri" in folded:
        return "Letterboxd", _LETTERBOXD, 5
    if folded & {"trakt", "traktid"}:
        return "Trakt", _ALIASES, 10
    return "own", _ALIASES, 10


def _fold(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _first(folded: Sequence[str], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in folded), None)


def _only(header: Sequence[str], names: Sequence[str], wanted: str) -> int:
    if names.count(wanted) > 1:
        raise FormatError(f"has the column {header[names.index(wanted)]!r} twice", "rename or drop one of them")
    return names.index(wanted)


def _chosen(header: Sequence[str], our: str, theirs: str) -> int:
    if our not in _ALIASES:
        close = difflib.get_close_matches(our, NAMES, 1)
        meant = f"did you mean {close[0]!r}? " if close else ""
        raise FormatError(f"`columns` names {our!r}, which is no column we know", f"{meant}known: {', '.join(NAMES)}")
    names = [name.strip() for name in header]
    if theirs.strip() not in names:
        raise FormatError(f"has no column {theirs!r}, which `columns` wants for {our}", f"it has: {_listed(header)}")
    return _only(names, names, theirs.strip())


def _listed(header: Sequence[str]) -> str:
    text = ", ".join(name.strip() for name in header)
    return text if len(text) <= 300 else text[:300] + "..."
