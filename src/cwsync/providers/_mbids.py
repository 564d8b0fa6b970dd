"""What ``ProviderIds`` of Jellyfin and Emby say. Pure.

Source: rows of both in their documents, and issue 125 of scrob (paths in place of ids); checked 2026-11-21.
"""

from __future__ import annotations

from typing import Final

from cwsync.model import SERVICES, ExternalId, Kind, id_matcher, share_ids

_NAMES: Final = {
    "imdb": "imdb",
    "tmdb": "tmdb",
    "tvdb": "tvdb",
    "myanimelist": "mal",
    "mal": "mal",
    "anilist": "anilist",
    "kitsu": "kitsu",
    "anidb": "anidb",
    "trakt": "trakt",
    "simkl": "simkl",
}
_IMDB: Final = SERVICES.index("imdb")
# Sites of anime count each season as a show: what a plugin writes to a season is the id of something else.
_OF_TITLES: Final = frozenset({"mal", "anilist", "kitsu"})
# kind -> the name in lower case -> (rank of the service, what an id of it must match, its namespace)
_READERS: Final = {
    kind: {
        name: (SERVICES.index(service), *id_matcher(service, kind))
        for name, service in _NAMES.items()
        if kind in (Kind.MOVIE, Kind.SHOW) or service not in _OF_TITLES
    }
    for kind in Kind
}


def ids_of(kind: Kind, raw: object) -> tuple[ExternalId, ...]:
    """The ids of ``ProviderIds`` that mean something elsewhere, best first; raises ``ValueError`` for no object.

    Names come in any case. What is no id of its service (empty, 0, a path such as
    ``../tv/1/season/1``) is left out: nothing is picked out of it.
    """
    if raw is None:
        return ()
    if not isinstance(raw, dict):
        raise ValueError("ProviderIds is no object")
    readers = _READERS[kind]
    found: dict[int, ExternalId] = {}
    for name, value in raw.items():
        reader = readers.get(name.lower())
        if reader is None or not isinstance(value, str):
            continue
        rank, match, space = reader
        plain = value.strip()
        plain = plain.lower() if rank == _IMDB else plain.lstrip("0")
        if match(plain):
            found.setdefault(rank, ExternalId(space + plain))
    return share_ids(tuple(found[rank] for rank in sorted(found)))
