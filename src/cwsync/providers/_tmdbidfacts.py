"""What TMDb tells of ids: what to ask for an item, how to ask it in few requests, and what follows. Pure functions.

A fact has a name, and is what one answer told: ``find imdb tt0113277`` the titles that an id of another service
belongs to, ``movie 603`` and ``tv 1399`` the ids of a title elsewhere, ``season 1399 1`` the numbers of a season
and its episodes. An empty fact is one too: TMDb knows nothing of it.

Nothing is found by a title or a year. An id under which there are several titles of one kind finds none, and ids
that contradict those an item has are not taken. Shows and episodes that an anime service numbers are left alone: a
season is a title of its own there, and by its numbers another episode would be meant.

Source: https://developer.themoviedb.org/reference/find-by-id, /docs/append-to-response (checked 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cwsync.model import ExternalId, Item, Kind, external_id, sort_ids
from cwsync.providers._tmdbwire import SERVICE, tmdb_id

# At most so many parts may be asked for with a show. Its ids are one of them.
APPENDED: Final = 20
Facts = Mapping[str, Any]
# What TMDb can tell of a kind. Of a film it does not know TVDB's number, by which it finds none either.
TELLS: Final[Mapping[Kind, tuple[str, ...]]] = {Kind.MOVIE: ("imdb", "tmdb"), Kind.SHOW: ("imdb", "tmdb", "tvdb")}
_FINDS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.MOVIE: ("imdb",),
    Kind.SHOW: ("imdb", "tvdb"),
    Kind.SEASON: (),
    Kind.EPISODE: ("imdb", "tvdb"),
}
_OWN_ORDER: Final = frozenset({"mal", "anilist", "kitsu", "anidb"})
_WORDS: Final = {Kind.MOVIE: "movie", Kind.SHOW: "tv"}


# --- what to ask ----------------------------------------------------------------------------------


def asks_of(item: Item, facts: Facts) -> list[str]:
    """The names of the facts that an item needs next; none when it has all ids, or no more can be learnt."""
    if _has_own_order(item):
        return []
    if item.kind in (Kind.MOVIE, Kind.SHOW):
        return _asks(item.kind, item.ids, facts)
    if not item.show_ids:
        found = _hits(item.kind, item.ids, facts) if tmdb_id(item.ids) is None else []
        show = f"tv {found[0][1]}" if len(found) == 1 else None
        return [show] if show is not None and show not in facts else _find(item.kind, item.ids, facts)
    asks = _asks(Kind.SHOW, item.show_ids, facts)
    show_number = _number(Kind.SHOW, item.show_ids, facts)
    name = f"season {show_number} {item.season}"
    return [*asks, name] if _may_be_named(item) and show_number is not None and name not in facts else asks


def _has_own_order(item: Item) -> bool:
    """Whether an anime service counts its seasons and episodes."""
    return item.kind is not Kind.MOVIE and not _OWN_ORDER.isdisjoint(one.service for one in (*item.ids, *item.show_ids))


def _may_be_named(item: Item) -> bool:
    """Whether a part of a show may get an id by its place.

    Only one without any: what has an id of its own may be numbered in another order than TMDb's.
    """
    placed = item.season is not None and (item.kind is Kind.SEASON or item.number is not None)
    return placed and not item.ids


def _asks(kind: Kind, ids: tuple[ExternalId, ...], facts: Facts) -> list[str]:
    """What a film or a show needs next."""
    have = {one.service for one in ids}
    if have >= set(TELLS[kind]):
        return []
    number = _number(kind, ids, facts)
    if number is None:
        return _find(kind, ids, facts)
    name = f"{_WORDS[kind]} {number}"
    return [name] if name not in facts and not have | {SERVICE} >= set(TELLS[kind]) else []


def _find(kind: Kind, ids: tuple[ExternalId, ...], facts: Facts) -> list[str]:
    """The first question about a title by ids of others that was not answered yet. None once one has found it."""
    if tmdb_id(ids) is not None:
        return []
    for name in _questions(kind, ids):
        if name not in facts:
            return [name]
        if facts[name].get(kind.value):
            return []
    return []


def _questions(kind: Kind, ids: tuple[ExternalId, ...]) -> list[str]:
    values = {one.service: one.value for one in ids}
    return [f"find {service} {values[service]}" for service in _FINDS[kind] if service in values]


def _hits(kind: Kind, ids: tuple[ExternalId, ...], facts: Facts) -> list[list[int]]:
    """What was found of a title by the first id that finds anything; several are one too many."""
    for name in _questions(kind, ids):
        found: list[list[int]] = facts.get(name, {}).get(kind.value, [])
        if found:
            return found
    return []


def _number(kind: Kind, ids: tuple[ExternalId, ...], facts: Facts) -> int | None:
    """TMDb's number of a film or a show: its own, or the one that was found."""
    own = tmdb_id(ids)
    if own is not None:
        return own
    found = _hits(kind, ids, facts)
    return found[0][0] if len(found) == 1 else None


# --- how to ask it --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, and the names of the facts that its answer tells."""

    path: str
    params: Mapping[str, str]
    names: tuple[str, ...]


def requests_of(names: Iterable[str]) -> list[Asked]:
    """As few requests as these facts can be had by, in order: a show comes with its seasons."""
    made: list[Asked] = []
    shows: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        word, first, *rest = name.split(" ")
        if word == "find":
            made.append(Asked(f"/find/{rest[0]}", {"external_source": f"{first}_id"}, (name,)))
        elif word == "movie":
            made.append(Asked(f"/movie/{first}/external_ids", {}, (name,)))
        else:
            shows.setdefault(first, []).append(name)
    for show, wanted in sorted(shows.items()):
        parts = range(0, len(wanted), APPENDED)
        made += [_of_show(show, tuple(wanted[at : at + APPENDED])) for at in parts]
    return made


def _of_show(show: str, names: tuple[str, ...]) -> Asked:
    if len(names) == 1:
        word, _, *season = names[0].split(" ")
        path = f"/tv/{show}/season/{season[0]}" if word == "season" else f"/tv/{show}/external_ids"
        return Asked(path, {}, names)
    parts = [f"season/{one.split(' ')[2]}" if one.startswith("season") else "external_ids" for one in names]
    return Asked(f"/tv/{show}", {"append_to_response": ",".join(parts)}, names)


# --- what was told --------------------------------------------------------------------------------


def decode_facts(asked: Asked, found: object) -> dict[str, Any]:
    """The facts of an answer; None is TMDb's word that it knows nothing. Raises ``ValueError`` for another shape."""
    if found is None:
        return {name: {} for name in asked.names}
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    facts: dict[str, Any] = {}
    for name in asked.names:
        word, *rest = name.split(" ")
        if word == "find":
            facts[name] = _found(found)
        elif word == "season":
            part = found.get(f"season/{rest[1]}", {}) if asked.params else found
            facts[name] = _season(part)
        else:
            facts[name] = _elsewhere(found.get("external_ids") if asked.params else found)
    return facts


def _found(told: Mapping[str, Any]) -> dict[str, list[list[int]]]:
    """``/find``: films and shows by number; an episode with where it stands."""
    kinds = {
        Kind.MOVIE: ("movie_results", ("id",)),
        Kind.SHOW: ("tv_results", ("id",)),
        Kind.EPISODE: ("tv_episode_results", ("id", "show_id", "season_number", "episode_number")),
    }
    facts: dict[str, list[list[int]]] = {}
    for kind, (bucket, keys) in kinds.items():
        rows = told.get(bucket)
        if not isinstance(rows, list):
            raise ValueError(f"it lists no {bucket}")
        numbers: list[list[Any]] = [[row.get(key) for key in keys] if isinstance(row, dict) else [None] for row in rows]
        if not all(type(one) is int and one >= 0 for row in numbers for one in row):
            raise ValueError(f"a row of {bucket} has no number")
        if numbers:
            facts[kind.value] = numbers
    return facts


def _elsewhere(told: object) -> dict[str, str]:
    """``external_ids``: those of the services that we know, as text, and no other."""
    if not isinstance(told, dict) or "imdb_id" not in told:
        raise ValueError("it holds no ids")
    found = {service: told.get(f"{service}_id") for service in ("imdb", "tvdb")}
    return {service: str(value) for service, value in found.items() if _is_id(service, value)}


def _is_id(service: str, value: object) -> bool:
    try:
        external_id(service, Kind.SHOW, value)
    except ValueError:
        return False  # an empty text, a 0: TMDb's way of knowing none
    return True


def _season(told: object) -> dict[str, int]:
    """A season: its own number under ``id``, those of its episodes under theirs."""
    if told == {}:
        return {}
    episodes = told.get("episodes") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(episodes, list):
        raise ValueError("it is no season")
    made = {"id": told["id"]} if type(told.get("id")) is int else {}
    for one in episodes:
        numbers = (one.get("episode_number"), one.get("id")) if isinstance(one, dict) else (None, None)
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError("an episode has no number")
        made[str(numbers[0])] = int(str(numbers[1]))
    return made


# --- what follows ---------------------------------------------------------------------------------


def completed(item: Item, facts: Facts) -> tuple[Item, str | None]:
    """The item with what the facts add to it, and why they add nothing, where they might have."""
    if _has_own_order(item):
        return item, None
    if item.kind in (Kind.MOVIE, Kind.SHOW):
        ids, trouble = _with_ids(item.kind, item.ids, facts)
        return replace(item, ids=ids) if ids != item.ids else item, trouble
    if not item.show_ids:
        return _placed(item, facts)
    show_ids, trouble = _with_ids(Kind.SHOW, item.show_ids, facts)
    made = replace(item, show_ids=show_ids) if show_ids != item.show_ids else item
    show = tmdb_id(show_ids)
    if _may_be_named(item) and show is not None:
        told = facts.get(f"season {show} {item.season}", {})
        number = told.get("id" if item.kind is Kind.SEASON else str(item.number))
        if number:
            made = replace(made, ids=(external_id(SERVICE, item.kind, number),))
    return made, trouble


def _with_ids(kind: Kind, ids: tuple[ExternalId, ...], facts: Facts) -> tuple[tuple[ExternalId, ...], str | None]:
    number = _number(kind, ids, facts)
    if number is None:
        several = len(_hits(kind, ids, facts)) > 1
        return ids, "TMDb has several titles by its id" if several else None
    have = {one.service: one.value for one in ids}
    told = {SERVICE: str(number)} | facts.get(f"{_WORDS[kind]} {number}", {})
    for service, value in told.items():
        if have.get(service, value) != value:
            return ids, f"TMDb has another {service} id for it ({value}, not {have[service]})"
    return sort_ids([*ids, *(external_id(service, kind, told[service]) for service in told.keys() - have.keys())]), None


def _placed(item: Item, facts: Facts) -> tuple[Item, str | None]:
    """An episode without a place, with the place at which its own id stands."""
    found = _hits(item.kind, item.ids, facts)
    if len(found) != 1 or tmdb_id(item.ids) is not None:
        return item, "TMDb has several episodes by its id" if len(found) > 1 else None
    number, show, season, episode = found[0]
    if (item.season not in (None, season)) or (item.number not in (None, episode)) or not number or not show:
        return item, "TMDb has it at another place"
    ids = sort_ids([*item.ids, external_id(SERVICE, Kind.EPISODE, number)])
    show_ids, trouble = _with_ids(Kind.SHOW, (external_id(SERVICE, Kind.SHOW, show),), facts)
    return replace(item, ids=ids, show_ids=show_ids, season=season, number=episode), trouble


def is_passing(name: str, fact: Mapping[str, Any]) -> bool:
    """Whether TMDb may know more next week: it knew nothing, or not all, or a season that may go on."""
    return not fact or name.startswith("season ") or (name.startswith("tv ") and len(fact) < len(TELLS[Kind.SHOW]) - 1)
