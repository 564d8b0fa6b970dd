"""What Plex's ids say: ``Guid`` rows of the new agents, and the one text that rows of older agents have.

Pure. A text that names no title anywhere else (``local://5``, personal media, agents nobody knows)
gives nothing: such a row is kept without ids. Where one service is named twice the first counts.

Source: recorded listings of both kinds of agents, and what other clients parse (checked 2026-11-21).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cwsync.model import ExternalId, Kind, external_id, id_matcher, share_ids

_SERVICES: Final = {"imdb": "imdb", "tmdb": "tmdb", "tvdb": "tvdb", "anidb": "anidb", "tsdb": "tmdb"}
_LEGACY: Final = "com.plexapp.agents."
_AGENTS: Final = {"imdb": "imdb", "themoviedb": "tmdb", "thetvdb": "tvdb", "xbmcnfotv": "tvdb"}
_HAMA: Final = re.compile(r"(anidb|tvdb|tmdb|tsdb|imdb)([0-9]?)-([a-z0-9]+)\Z")
_NFO: Final = re.compile(r"tv\.plex\.agents\.nfo\.[a-z]+://(movie|show|episode)/(imdb|tmdb|tvdb)_([a-z0-9]+)\Z")


@dataclass(frozen=True, slots=True)
class Named:
    """What a row is: its own ids, those of its show, and where it stands in that (a season, an episode)."""

    ids: tuple[ExternalId, ...] = ()
    show_ids: tuple[ExternalId, ...] = ()
    season: int | None = None
    number: int | None = None


NOTHING: Final = Named()


# kind -> the services in order of preference, each with what an id of it must match, and its namespace
_READERS: Final = {
    kind: [(service, *id_matcher(service, kind)) for service in ("imdb", "tmdb", "tvdb", "anidb")] for kind in Kind
}


def named(kind: Kind, guid: str, guids: Iterable[str] = ()) -> Named:
    """What a row of `kind` is, from its ``Guid`` rows and, where there are none, from its primary `guid`."""
    values: dict[str, list[str]] = {}
    for text in guids:
        service, _, value = text.lower().partition("://")
        if service in _SERVICES:
            plain = value if service == "imdb" else value.lstrip("0")
            values.setdefault(_SERVICES[service], []).append(plain)
    ids = []
    for service, match, space in _READERS[kind]:
        # Of several ids of one service (bad matches) the first that is one counts.
        found = next((value for value in values.get(service, ()) if match(value)), None)
        if found is not None:
            ids.append(ExternalId(space + found))
    if ids:
        return Named(share_ids(tuple(ids)))
    return _primary(kind, guid.partition("?")[0].lower())


def _id(service: str, kind: Kind, value: str) -> ExternalId | None:
    name = _SERVICES[service]
    try:
        return external_id(name, kind, value.lstrip("0") if name != "imdb" else value)
    except ValueError:
        return None  # not an id of that service: the row has none from it


def _primary(kind: Kind, guid: str) -> Named:
    if found := _NFO.match(guid):
        made = _id(found[2], kind, found[3]) if found[1] == kind.value else None
        return Named((made,)) if made else NOTHING
    agent, _, rest = guid.partition("://")
    if not agent.startswith(_LEGACY) or not rest:
        return NOTHING
    agent = agent.removeprefix(_LEGACY)
    parts = rest.split("/")
    if agent == "hama":
        found = _HAMA.match(parts[0])
        # With a digit the agent maps one numbering onto another: a place in the show may then mean another episode.
        if not found or (found[2] and kind in (Kind.SEASON, Kind.EPISODE)):
            return NOTHING
        return _placed(kind, found[1], found[3], parts[1:])
    if agent == "xbmcnfo":
        return _placed(kind, "imdb" if parts[0].startswith("tt") else "tmdb", parts[0], parts[1:])
    return _placed(kind, _AGENTS[agent], parts[0], parts[1:]) if agent in _AGENTS else NOTHING


def _placed(kind: Kind, service: str, value: str, place: list[str]) -> Named:
    """Older agents name a season or an episode by its show and its numbers, never by an id of its own."""
    if kind in (Kind.MOVIE, Kind.SHOW):
        made = _id(service, kind, value)
        return Named((made,)) if made else NOTHING
    show = _id(service, Kind.SHOW, value)
    if show is None:
        return NOTHING
    numbers = [int(part) if part.isascii() and part.isdigit() else None for part in place[:2]]
    season, number = [*numbers, None, None][:2]
    return Named((), (show,), season, number)
