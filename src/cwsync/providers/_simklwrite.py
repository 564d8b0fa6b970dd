"""Changes as bodies of requests, and what the answers say became of each. Pure functions.

A show never goes into the history as such: SIMKL would take that for every episode of it. A removal from
the history without episodes takes a title out of the library, with its rating: films, and titles that are
on the watchlist alone, go that way and no others.

Source: https://api.simkl.org (sync: history, ratings, add-to-list) (checked 2026-11-21).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from cwsync.model import Change, ExternalId, Feature, Item, Kind, Listed, Op, Play, Rated, moment
from cwsync.providers._simklrows import GENERAL, NATIVE, Index
from cwsync.providers._simklwire import PLANNED, Row

# A date before 2000 is one that nobody knows; this is how SIMKL writes it itself.
UNKNOWN: Final = "1970-01-01T00:00:01Z"
_ORDER: Final = ("simkl", "imdb", "tmdb", "tvdb", "mal", "anidb", "anilist", "kitsu")
_PATHS: Final = {
    (Feature.HISTORY, False): "/sync/history",
    (Feature.HISTORY, True): "/sync/history/remove",
    (Feature.RATINGS, False): "/sync/ratings",
    (Feature.RATINGS, True): "/sync/ratings/remove",
    (Feature.WATCHLIST, False): "/sync/add-to-list",
    # There is no other way off the watchlist than out of the library.
    (Feature.WATCHLIST, True): "/sync/history/remove",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One change in a request: in which list its object stands, as what it counts, and by which ids it is known."""

    change: Change
    plural: str
    counted: str
    ids: frozenset[str]


@dataclass(slots=True)
class Request:
    """The body of one write, and the changes in it. `unsendable` have no id that SIMKL takes."""

    body: dict[str, list[Any]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    unsendable: list[Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer says: the changes that SIMKL does not know, those it rewrote, and whether the rest is sure.

    `missing` counts what was neither done nor listed as unknown.
    """

    not_found: frozenset[int]
    rewritten: Mapping[int, str]
    sure: bool
    missing: int = 0


def path_of(feature: Feature, *, removing: bool) -> str:
    """Where a change is written."""
    return _PATHS[feature, removing]


def encode_ids(ids: Iterable[ExternalId], services: Iterable[str] = _ORDER) -> dict[str, Any]:
    """Ids as SIMKL takes them: text, but for its own. Those of others are left out."""
    known = {one.service: one.value for one in ids if one.namespace != "tvdb_movie"}
    wanted = [service for service in _ORDER if service in known and service in services]
    return {service: int(known[service]) if service == "simkl" else known[service] for service in wanted}


def encode_time(at: date | None) -> str:
    """A time to the second; SIMKL's own word for one that is not known. Without any it would take now."""
    return UNKNOWN if at is None else moment(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def points(value: Rated) -> int:
    """A rating as SIMKL keeps it: 1 to 10."""
    return max(1, min(10, round(value.score / 10)))


def _attributes(change: Change) -> dict[str, Any]:
    value = change.after
    if isinstance(value, Play):
        return {"watched_at": encode_time(value.at)}
    if isinstance(value, Rated):
        rated: dict[str, Any] = {"rating": points(value)}
        return rated if value.at is None else rated | {"rated_at": encode_time(value.at)}
    if isinstance(value, Listed):
        wish: dict[str, Any] = {"to": PLANNED}
        return wish if value.at is None else wish | {"added_at": encode_time(value.at)}
    return {}


def encode(changes: Sequence[Change], index: Index) -> Request:
    """One body for changes that are all adds and updates, or all removals. What the library has goes by SIMKL's id."""
    request = Request()
    shows: dict[str, dict[str, Any]] = {}
    for change in changes:
        if change.item.kind is Kind.EPISODE:
            _add_episode(request, shows, change, index)
            continue
        row = index.row(change.native_key, change.item)
        ids = encode_ids(change.item.ids) if row is None else {"simkl": row.simkl}
        if not ids:
            request.unsendable.append(change)
            continue
        # Anime has no list of its own in removals; films of anime are found there among shows.
        film = change.item.kind is Kind.MOVIE and not (
            change.op is Op.REMOVE and row is not None and row.part == "anime"
        )
        _put(request, change, "movies" if film else "shows", ids)
    return request


def _put(request: Request, change: Change, plural: str, ids: dict[str, Any], counted: str = "titles") -> None:
    request.body.setdefault(plural, []).append({"ids": ids} | _attributes(change))
    request.sent.append(Sent(change, plural, counted, _names(ids)))


def _add_episode(request: Request, shows: dict[str, dict[str, Any]], change: Change, index: Index) -> None:
    """An episode under its show, by numbers of the order that the show's ids stand for; specials by their own id."""
    item = change.item
    if change.op is Op.REMOVE and (known := index.play(change.native_key, item)) is not None:
        row, one = known
        _nest(request, shows, change, {"ids": {"simkl": row.simkl}}, one.place)
        return
    own = encode_ids(item.ids, ("tvdb", "anidb"))
    titles = index.titles(item)
    show = _show_of(item, titles)
    placed = item.season is not None and item.number is not None
    if own and (item.season == 0 or not show or not placed) and change.op is not Op.REMOVE:
        _put(request, change, "episodes", own, "episodes")
    elif show and item.season is not None and item.number is not None:
        _nest(request, shows, change, show, (item.season, item.number))
    else:
        request.unsendable.append(change)


def _show_of(item: Item, titles: Sequence[Row]) -> dict[str, Any]:
    """The object of a show for episodes with these numbers; empty when SIMKL takes none of its ids.

    The numbers of an item are those of TVDB and TMDB, unless it has ids of anime databases alone.
    """
    if len(titles) == 1 and titles[0].part == "shows":
        return {"ids": {"simkl": titles[0].simkl}}
    general = encode_ids(item.show_ids, GENERAL)
    if not general:
        native = encode_ids(item.show_ids, NATIVE)
        return {"ids": native} if native else {}
    anime = any(row.part == "anime" for row in titles) or any(one.service in NATIVE[1:] for one in item.show_ids)
    return {"ids": general, "use_tvdb_anime_seasons": True} if anime else {"ids": general}


def _nest(
    request: Request, shows: dict[str, dict[str, Any]], change: Change, show: dict[str, Any], place: tuple[int, int]
) -> None:
    key = repr(show)
    if key not in shows:
        shows[key] = show | {"seasons": []}
        request.body.setdefault("shows", []).append(shows[key])
    seasons = shows[key]["seasons"]
    season = next((one for one in seasons if one["number"] == place[0]), None)
    if season is None:
        season = {"number": place[0], "episodes": []}
        seasons.append(season)
    season["episodes"].append({"number": place[1]} | _attributes(change))
    request.sent.append(Sent(change, "shows", "episodes", _names(show["ids"])))


def _names(ids: object) -> frozenset[str]:
    """Ids as text, to be met again in an echo."""
    if not isinstance(ids, Mapping):
        return frozenset()
    return frozenset(f"{service} {value}" for service, value in ids.items() if value not in (None, ""))


# --- answers --------------------------------------------------------------------------------------


def judge(sent: Sequence[Sent], answer: object) -> Verdict:
    """What an answer says of each change, by index. Raises ``ValueError`` for one without counts."""
    told = answer if isinstance(answer, dict) else {}
    done = told.get("added", told.get("deleted"))
    if not isinstance(done, dict):
        raise ValueError("there are no counts")
    unknown, strays = _unknown(sent, told.get("not_found"))
    rewritten = _rewritten(sent, done)
    wanted = Counter(one.counted for n, one in enumerate(sent) if n not in unknown)
    counts = Counter({"episodes": _count(done.get("episodes"))})
    # A film of anime may be counted as a show, and the shows of episodes are counted too.
    films = _count(done.get("movies"))
    nested = any(one.counted == "episodes" for one in sent)
    counts["titles"] = films if nested else films + _count(done.get("shows"))
    sure = not strays and all(counts[name] == wanted[name] for name in ("titles", "episodes") if name in wanted)
    missing = sum(max(0, wanted[name] - counts[name]) for name in wanted)
    return Verdict(frozenset(unknown), rewritten, sure, missing)


def _count(part: object) -> int:
    """A count, or how long a list of what was done is."""
    if isinstance(part, list):
        return len(part)
    return part if type(part) is int and part > 0 else 0


def _rewritten(sent: Sequence[Sent], done: Mapping[str, Any]) -> dict[int, str]:
    """The wishes that SIMKL put into another list than the one asked for."""
    found: dict[int, str] = {}
    for plural in ("movies", "shows"):
        listed = done.get(plural)
        for one in listed if isinstance(listed, list) else ():
            to = one.get("to") if isinstance(one, dict) else None
            if isinstance(to, str) and to != PLANNED:
                names = _names(one.get("ids"))
                found |= {n: to for n, other in enumerate(sent) if other.plural == plural and names & other.ids}
    return found


def _unknown(sent: Sequence[Sent], listed: object) -> tuple[set[int], int]:
    """The changes that an answer lists as unknown, and how many of its entries are none of them."""
    found: set[int] = set()
    strays = 0
    for plural, entries in listed.items() if isinstance(listed, dict) else ():
        for entry in entries if isinstance(entries, list) else ():
            names = _names(entry.get("ids")) if isinstance(entry, dict) else frozenset()
            met = [n for n, one in enumerate(sent) if one.plural == plural and names & one.ids]
            found.update(met)
            strays += not met
    return found, strays


def lookup(item: Item) -> dict[str, Any]:
    """The object that asks where a title is: its bare ids. TMDB's, of films and of shows alike, is a last resort."""
    ids = encode_ids(item.ids)
    number = ids.pop("tmdb", None)
    if ids or number is None:
        return ids
    return {"type": "movie" if item.kind is Kind.MOVIE else "show", "tmdb": number}


def decode_lookups(found: object, count: int) -> list[tuple[bool, str | None]]:
    """For each title asked for: whether SIMKL knows it, and the list it is in. Raises ``ValueError``."""
    if not isinstance(found, list) or len(found) != count or not all(isinstance(one, dict) for one in found):
        raise ValueError("it does not answer for every title")
    told = []
    for one in found:
        result, listed = one.get("result"), one.get("list")
        if result not in (True, False, "not_found"):
            raise ValueError("a title has no result")
        named = listed if isinstance(listed, str) and listed else None
        told.append((result != "not_found", named or ("a list" if result is True else None)))
    return told
