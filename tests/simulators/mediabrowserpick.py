"""Which rows a listing of a Jellyfin or an Emby has, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from simulators.mediabrowserrows import Look, Query, RefusedError, sort_name
from simulators.mediabrowserworld import MOVIE, SECOND, Title, ticks


def select(look: Look, rows: Iterable[Title], query: Query) -> list[Title]:
    """The rows that the filters of a query let through."""
    found = list(rows)
    for test in _tests(look, query):
        found = [row for row in found if test(row)]
    return found


def _tests(look: Look, query: Query) -> list[Callable[[Title], bool]]:
    tests: list[Callable[[Title], bool]] = []
    kinds = {word.lower() for word in query.words("includeitemtypes")}
    if kinds:
        tests.append(lambda row: row.kind.lower() in kinds)
    without = {word.lower() for word in query.words("excludeitemtypes")}
    if without:
        tests.append(lambda row: row.kind.lower() not in without)
    if not look.dialect.emby:
        if "virtual" in query.values.get("excludelocationtypes", "").lower():
            tests.append(lambda row: not row.virtual)
        if (missing := query.flag("ismissing")) is not None:
            tests.append(lambda row: row.virtual is missing)
        located = {word.lower() for word in query.words("locationtypes")}
        if located:
            tests.append(lambda row: ("virtual" if row.virtual else "filesystem") in located)
    years = set(query.words("years"))
    if years:
        tests.append(lambda row: str(row.year) in years)
    if term := query.text("searchterm"):
        tests.append(lambda row: term.lower() in row.name.lower())
    for name in ("imdb", "tmdb", "tvdb"):
        if (has := query.flag(f"has{name}id")) is not None:
            tests.append(_having(name, has))
    if look.dialect.emby and (wanted := query.words("anyprovideridequals")):
        pairs = {tuple(word.lower().split(".", 1)) for word in wanted}
        tests.append(lambda row: any((name.lower(), value.lower()) in pairs for name, value in row.ids.items()))
    return tests + _stamps(look, query) + _deeds(look, query)


def _having(name: str, has: bool) -> Callable[[Title], bool]:
    return lambda row: any(key.lower() == name and bool(value) for key, value in row.ids.items()) is has


def _stamps(look: Look, query: Query) -> list[Callable[[Title], bool]]:
    """By the time of a change. A Jellyfin means the title itself by both parameters."""
    saved, by_user = query.text("mindatelastsaved"), query.text("mindatelastsavedforuser")
    try:
        at, at_user = (ticks(one) / SECOND if one else None for one in (saved, by_user))
    except ValueError:
        raise RefusedError(400, "binding:minDateLastSaved:no date") from None
    if look.dialect.emby:
        user = look.user
        tests: list[Callable[[Title], bool]] = [] if at is None else [lambda row: row.saved >= at]
        if at_user is not None and user is not None:
            tests.append(lambda row: max(look.state(row).saved, row.saved) >= at_user)
        return tests
    if at is None and at_user is None:
        return []
    if look.dialect.version < (10, 11):
        # The two were mixed up there: the first is compared with the value of the second.
        return [lambda row: at_user is not None and row.saved >= at_user]
    least = max(one for one in (at, at_user) if one is not None)
    return [lambda row: row.saved >= least]


def _deeds(look: Look, query: Query) -> list[Callable[[Title], bool]]:
    """By what the user did."""
    names = [word.lower() for word in query.words("filters")]
    played, favourite = query.flag("isplayed"), query.flag("isfavorite")
    for name in names:
        if name in ("isplayed", "isunplayed"):
            played = name == "isplayed"
    tests: list[Callable[[Title], bool]] = []
    tests += [_foldered(name == "isfolder") for name in names if name in ("isfolder", "isnotfolder")]
    asked = {"isfavorite", "isresumable", "likes", "dislikes", "isfavoriteorlikes"} & set(names)
    if played is None and favourite is None and not asked:
        return tests
    if look.user is None:
        # Until 10.10 a Jellyfin leaves out this one, and fails at the others.
        if look.dialect.emby or (look.dialect.version < (10, 11) and favourite is None and not asked):
            return tests
        raise RefusedError(500)
    if played is not None:
        alone = [word.lower() for word in query.words("includeitemtypes")] == ["series"]
        tests.append(lambda row: _was_played(look, row, alone) is played)
    if favourite is not None or "isfavorite" in asked:
        tests.append(lambda row: look.state(row).favourite is (favourite is not False))
    if "isresumable" in asked:
        tests.append(lambda row: look.state(row).position > 0)
    if {"likes", "dislikes"} & asked:
        tests.append(lambda row: _is_liked(look, row, "likes" in asked))
    if "isfavoriteorlikes" in asked:
        tests.append(lambda row: look.state(row).favourite)
    return tests


def _foldered(folder: bool) -> Callable[[Title], bool]:
    return lambda row: row.leaf is not folder


def _was_played(look: Look, row: Title, alone: bool) -> bool:
    """As the filter has it: 10.11 takes a series as played when any of it was; until then it looks into one only
    where nothing but series is asked for (`alone`)."""
    if row.leaf or look.dialect.emby or look.dialect.version >= (12,):
        return look.played(row)
    if not alone:
        return look.state(row).played
    left, total = look.count(row)
    return left < total if look.dialect.version >= (10, 11) else left == 0


def _is_liked(look: Look, row: Title, likes: bool) -> bool:
    rating, version = look.state(row).rating, look.dialect.version
    liked = (rating or 0) >= 6.5
    if likes or (10, 11) <= version < (12,):
        return liked
    return not liked if version >= (12,) else rating is None or rating < 6.5


# --- in which order ------------------------------------------------------------------------------


def ordered(look: Look, rows: list[Title], query: Query) -> list[Title]:
    """Sorted by ``SortBy``; names that the server does not know are dropped, and ties stay as they are stored."""
    keys = [_ORDERS[name.lower()] for name in query.words("sortby") if name.lower() in _ORDERS]
    directions = [word.lower().startswith("desc") for word in query.words("sortorder")] or [False]
    if any(key is _played_at for key in keys) and look.user is None:
        if look.dialect.emby:
            return rows
        raise RefusedError(500)
    found = list(rows)
    for number in reversed(range(len(keys))):
        down = directions[number if number < len(directions) else 0]
        found.sort(key=lambda row: keys[number](look, row), reverse=down)
    return found


def _played_at(look: Look, row: Title) -> Any:
    return look.state(row).at or 0


_ORDERS: dict[str, Callable[[Look, Title], Any]] = {
    "sortname": lambda _, row: sort_name(row),
    "name": lambda _, row: row.name.lower(),
    "datecreated": lambda _, row: row.created,
    "premieredate": lambda _, row: row.aired or "",
    "productionyear": lambda _, row: row.year or 0,
    "indexnumber": lambda _, row: row.index or 0,
    "parentindexnumber": lambda _, row: row.season or 0,
    "seriessortname": lambda _, row: sort_name(row.series) if row.series else "",
    "runtime": lambda _, row: row.runtime,
    "dateplayed": _played_at,
    "isfolder": lambda _, row: row.leaf,
}


def collapsed(rows: list[Title]) -> list[Title]:
    """Films that are in a set, replaced by their sets."""
    found: dict[str, Title] = {}
    for row in rows:
        shown = row.box if row.kind == MOVIE and row.box is not None else row
        found.setdefault(shown.id, shown)
    return list(found.values())
