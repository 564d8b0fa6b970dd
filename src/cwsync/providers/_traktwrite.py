"""Changes as bodies of requests, and what the answers say became of each. Pure functions.

Trakt answers a write with counts by type and with the objects it does not know. It never names what it
did. So a record is confirmed when nothing is left unexplained: every unknown object is one that was
sent, and the counts add up. Otherwise the whole request is in doubt, and is looked up.

Source: https://github.com/trakt/trakt-api/issues/228, 236, 238, 244, 248, 357 (checked 2026-11-21).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from cwsync.model import Change, ExternalId, Feature, Item, Kind, Op, Play, Rated, moment
from cwsync.providers._traktwire import ID_SERVICES, PLURAL

_SUMS: Final = ("added", "updated", "existing", "deleted")


@dataclass(frozen=True, slots=True)
class Sent:
    """One change in a request: in which list its object stands, under which type it counts, by which ids it is known.

    `nested` says that the object is the show, and `place` where in it.
    """

    change: Change
    plural: str
    counted: str
    ids: frozenset[str]
    nested: bool = False
    place: tuple[int | None, int | None] = (None, None)


@dataclass(slots=True)
class Request:
    """The body of one write, and the changes in it. `unsendable` have no id that Trakt takes."""

    body: dict[str, list[Any]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    unsendable: list[Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer says: the changes Trakt does not know, those that were so already, and whether the rest is sure.

    `missing` counts by type what was neither done nor listed as unknown.
    """

    not_found: frozenset[int]
    already: frozenset[int]
    sure: bool
    missing: int = 0


def encode_ids(ids: Iterable[ExternalId]) -> dict[str, Any]:
    """Ids as Trakt takes them: numbers but for IMDb's. Others than Trakt knows are left out."""
    by_service: dict[str, Any] = {}
    for one in ids:
        if one.service in ID_SERVICES and one.namespace != "tvdb_movie":
            by_service.setdefault(one.service, one.value if one.service == "imdb" else int(one.value))
    return {service: by_service[service] for service in ID_SERVICES if service in by_service}


def encode_time(at: date) -> str:
    """A time in the only form that Trakt reads for sure. What it cannot read it takes for now, without a word."""
    when = moment(at)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def minute(at: date | None) -> datetime | None:
    """A time as Trakt keeps it of a play: to the minute, the seconds cut off."""
    return None if at is None else moment(at).replace(second=0, microsecond=0)


def points(value: Rated) -> int:
    """A rating as Trakt keeps it: 1 to 10."""
    return max(1, min(10, round(value.score / 10)))


def _attributes(change: Change) -> dict[str, Any]:
    value = change.after
    if isinstance(value, Rated):
        rated: dict[str, Any] = {"rating": points(value)}
        return rated if value.at is None else rated | {"rated_at": encode_time(value.at)}
    if isinstance(value, Play):
        at = minute(value.at)
        return {"watched_at": "unknown" if at is None else encode_time(at)}
    return {}


def encode(changes: Sequence[Change], rows: Mapping[int, Item]) -> Request:
    """One body for changes that are all adds and updates, or all removals.

    `rows` has the items of the rows that changes (by identity) were found to be about: a row is
    called by its own ids.

    A season or an episode goes by its own ids where Trakt takes any of them; by its place in its show
    otherwise. A bare show or season in a body for history would be a play of every episode: the
    capabilities keep such changes out.
    """
    request = Request()
    shows: dict[tuple[str, tuple[ExternalId, ...]], dict[str, Any]] = {}
    for change in changes:
        item = rows.get(id(change), change.item)
        own = encode_ids(item.ids)
        plural = PLURAL[item.kind]
        if own:
            request.body.setdefault(plural, []).append({"ids": own} | _attributes(change))
            request.sent.append(Sent(change, plural, plural, _names(own)))
        elif item.kind in (Kind.SEASON, Kind.EPISODE) and item.coordinates() and encode_ids(item.show_ids):
            _nest(request, shows, change, item)
        else:
            request.unsendable.append(change)
    return request


def _nest(
    request: Request, shows: dict[tuple[str, tuple[ExternalId, ...]], dict[str, Any]], change: Change, item: Item
) -> None:
    """Put a season or an episode under its show. Each show stands once for its seasons and once for its episodes."""
    plural = PLURAL[item.kind]
    ids = encode_ids(item.show_ids)
    show = shows.get((plural, item.show_ids))
    if show is None:
        show = shows[plural, item.show_ids] = {"ids": ids, "seasons": []}
        request.body.setdefault("shows", []).append(show)
    if item.kind is Kind.SEASON:
        show["seasons"].append({"number": item.season} | _attributes(change))
    else:
        season = next((one for one in show["seasons"] if one["number"] == item.season), None)
        if season is None:
            season = {"number": item.season, "episodes": []}
            show["seasons"].append(season)
        season["episodes"].append({"number": item.number} | _attributes(change))
    place = (item.season, item.number)
    request.sent.append(Sent(change, "shows", plural, _names(ids), nested=True, place=place))


def _names(ids: object) -> frozenset[str]:
    """Ids as text, to be met again in an echo that may spell them otherwise."""
    if not isinstance(ids, Mapping):
        return frozenset()
    return frozenset(f"{service} {value}" for service, value in ids.items() if value not in (None, ""))


def judge(sent: Sequence[Sent], answer: object) -> Verdict:
    """What an answer says of each change, by index. Raises ``ValueError`` for one without counts."""
    if not isinstance(answer, dict) or not any(isinstance(answer.get(name), dict) for name in _SUMS):
        raise ValueError("there are no counts")
    unknown, strays = _unknown(sent, answer.get("not_found"))
    counts = {name: _counts(answer.get(name)) for name in _SUMS}
    wanted = Counter(one.counted for index, one in enumerate(sent) if index not in unknown)
    done = Counter[str]()
    for part in counts.values():
        done.update(part)
    already: set[int] = set()
    for plural, number in wanted.items():
        if counts["existing"][plural] == number and done[plural] == number:
            already |= {n for n, one in enumerate(sent) if one.counted == plural and n not in unknown}
    sure = not strays and all(done[plural] == wanted[plural] for plural in PLURAL.values())
    missing = sum(max(0, wanted[plural] - done[plural]) for plural in PLURAL.values())
    return Verdict(frozenset(unknown), frozenset(already) if sure else frozenset(), sure, missing)


def _counts(part: object) -> Counter[str]:
    found: Counter[str] = Counter()
    if isinstance(part, dict):
        for plural in PLURAL.values():
            number = part.get(plural)
            if type(number) is int and number > 0:
                found[plural] = number
    return found


def _unknown(sent: Sequence[Sent], listed: object) -> tuple[set[int], int]:
    """The changes that an answer lists as unknown, and how many of its entries are none of them.

    The entries have odd shapes: no ids at all, ids as text, a whole tree of a show under ``episodes``.
    """
    found: set[int] = set()
    strays = 0
    for plural, entries in listed.items() if isinstance(listed, dict) else ():
        for entry in entries if isinstance(entries, list) else ():
            met = [index for index, one in enumerate(sent) if _is(one, str(plural), entry)]
            found.update(met)
            strays += not met
    return found, strays


def _is(one: Sent, plural: str, entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    names = _names(entry.get("ids"))
    if plural == one.plural:
        return bool(names & one.ids)
    if not one.nested or plural != one.counted:
        return False
    show = entry.get("show")
    names |= _names(show.get("ids")) if isinstance(show, dict) else frozenset()
    place = (entry.get("season"), entry.get("number"))
    return bool(names & one.ids) and (place == one.place or place in ((None, None), (0, 0)))


def wants(change: Change) -> str:
    """The path, under /sync, of the write that a change needs."""
    path = {Feature.HISTORY: "history", Feature.RATINGS: "ratings", Feature.WATCHLIST: "watchlist"}[change.feature]
    return f"/sync/{path}/remove" if change.op is Op.REMOVE else f"/sync/{path}"
