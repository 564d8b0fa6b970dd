"""Titles and values made up by number: ids that look true, and never two titles with the same one.

``movie(7)`` is always the same film. Shows, seasons and episodes have ids of their own, so nothing
is found by accident; ``episode(2, 1, 3, own=False)`` is known by its place in its show alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cwsync.model import (
    Change,
    Entry,
    ExternalId,
    Feature,
    Item,
    Kind,
    Listed,
    Op,
    Play,
    Position,
    Rated,
    Side,
    Snapshot,
    Value,
    When,
    external_id,
    sort_ids,
)

START = datetime(2024, 1, 1, 12, 0, tzinfo=UTC)


def at(days: float = 0, *, minutes: float = 0, seconds: float = 0) -> datetime:
    """A moment so long after the start of 2024 (noon)."""
    return START + timedelta(days=days, minutes=minutes, seconds=seconds)


def on(day: int = 0) -> date:
    """A day without a time, so many days after the start of 2024."""
    return START.date() + timedelta(days=day)


def _ids(kind: Kind, base: int, services: str) -> tuple[ExternalId, ...]:
    made = []
    for service in services.split():
        value = f"tt{base:07d}" if service == "imdb" else str(base + 1)
        made.append(external_id(service, kind, value))
    return sort_ids(made)


def movie(n: int, *, services: str = "imdb tmdb", title: str | None = None, year: int | None = None) -> Item:
    """Film number `n` (from 1) with an id at each of `services`."""
    return Item(Kind.MOVIE, _ids(Kind.MOVIE, 100_000 + n, services), title or f"Film {n}", year or 1950 + n % 70)


def show(n: int, *, services: str = "imdb tmdb tvdb") -> Item:
    """Show number `n`."""
    return Item(Kind.SHOW, _ids(Kind.SHOW, 2_000_000 + n, services), f"Show {n}", 1980 + n % 40)


def season(n: int, number: int, *, services: str = "imdb tmdb tvdb") -> Item:
    """A season of show `n`, known by its show and its number."""
    of = show(n, services=services)
    return Item(Kind.SEASON, (), show_ids=of.ids, season=number, show_title=of.title, show_year=of.year)


def episode(
    n: int, in_season: int, number: int, *, services: str = "imdb tmdb tvdb", own: bool = True, placed: bool = True
) -> Item:
    """An episode of show `n`: `own` with ids of its own, `placed` with its show and numbers."""
    of = show(n, services=services)
    base = 30_000_000 + n * 100_000 + in_season * 1000 + number
    ids = _ids(Kind.EPISODE, base, "imdb tvdb") if own else ()
    title = f"Episode {in_season}.{number}"
    if not placed:
        return Item(Kind.EPISODE, ids, title)
    return Item(
        Kind.EPISODE,
        ids,
        title,
        show_ids=of.ids,
        season=in_season,
        number=number,
        show_title=of.title,
        show_year=of.year,
    )


def item(kind: Kind, n: int) -> Item:
    """Some item of a kind."""
    made = {Kind.MOVIE: movie, Kind.SHOW: show}
    if kind in made:
        return made[kind](n)
    return season(n, 1) if kind is Kind.SEASON else episode(n, 1, 2)


def only(what: Item, *services: str) -> Item:
    """The same item with fewer ids of its own."""
    return replace(what, ids=tuple(one for one in what.ids if one.service in services))


def rated(stars: float, when: When = None) -> Rated:
    """A rating out of ten."""
    return Rated(round(stars * 10), when)


def listed(when: When = None) -> Listed:
    """On the watchlist."""
    return Listed(when)


def played(when: When = None) -> Play:
    """One play."""
    return Play(when)


def stopped(minutes: float, of: float | None = 100, when: When = None) -> Position:
    """Stopped after so many minutes."""
    return Position(round(minutes * 60_000), None if of is None else round(of * 60_000), when)


def value(feature: Feature, n: int = 0) -> Value:
    """Some value of a feature; another `n` below 8 is another value."""
    when = at(n)
    if feature is Feature.RATINGS:
        return rated(2 + n % 9, when)
    if feature is Feature.HISTORY:
        return played(when)
    if feature is Feature.PROGRESS:
        return stopped(10 + 7 * n, 100, when)
    return listed(when)


def entry(what: Item, held: Value, native_key: str | None = None) -> Entry:
    """One row of one side."""
    return Entry(what, held, native_key)


def snapshot(feature: Feature, entries: Iterable[Entry], *, account: str = "account", **more: Any) -> Snapshot:
    """A complete read, unless `more` says otherwise."""
    settings: dict[str, Any] = {"complete": True, "account_id": account} | more
    return Snapshot(feature, tuple(entries), **settings)


def change(
    feature: Feature,
    what: Item,
    before: Value | None,
    after: Value | None,
    *,
    side: Side = Side.TARGET,
    key: str | None = None,
    native_key: str | None = None,
) -> Change:
    """The write that takes a row from `before` to `after`; None is "not there"."""
    op = Op.ADD if before is None else Op.REMOVE if after is None else Op.UPDATE
    name = key or what.key() or what.label()
    return Change(feature, side, op, name, what, before, after, after, "test: made by hand", native_key)
