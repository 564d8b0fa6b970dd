"""Accounts at the simulated AniList: titles that it knows, and a provider whose clock does not wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from cwsync.model import AccountSpec, Entry, Feature, Item, Kind, Snapshot, external_id, sort_ids
from cwsync.provider import Services
from cwsync.providers._anilistcalls import Pace
from cwsync.providers.anilist import AniList
from simulators import anilist as simulated
from support import session
from support.network import Time

T = TypeVar("T")


def film(n: int, *, services: str = "anilist mal") -> Item:
    """Film number `n`, by the ids that AniList knows."""
    return _title(Kind.MOVIE, n, 10_000, services, f"Film {n}")


def series(n: int, *, services: str = "anilist mal") -> Item:
    """Series number `n`: one season."""
    return _title(Kind.SHOW, n, 50_000, services, f"Series {n}")


def part(n: int, number: int, *, services: str = "anilist mal", season: int = 1) -> Item:
    """An episode of a series."""
    of = series(n, services=services)
    return Item(Kind.EPISODE, (), show_ids=of.ids, season=season, number=number, show_title=of.title, show_year=of.year)


def _title(kind: Kind, n: int, base: int, services: str, name: str) -> Item:
    numbers = {"anilist": base + n, "mal": base + 5000 + n, "imdb": f"tt{base + n:07d}"}
    ids = sort_ids([external_id(service, kind, numbers[service]) for service in services.split()])
    return Item(kind, ids, name, 1990 + n % 30)


def item(kind: Kind, n: int) -> Item:
    """Some item of a kind, as `support.world` has them, but one that AniList can know."""
    if kind is Kind.MOVIE:
        return film(n)
    if kind is Kind.SHOW:
        return series(n)
    first = part(n, 1)
    return first if kind is Kind.EPISODE else Item(kind, (), show_ids=first.show_ids, season=1)


def spec(service: simulated.AniList, **options: object) -> AccountSpec:
    """The settings of an account at a service."""
    given: dict[str, object] = {"api_url": service.url, "auth_url": f"{service.url}/authorize", "client_id": "77"}
    return AccountSpec("mine", "anilist", given | options, timeout=timedelta(seconds=5))


def use(
    service: simulated.AniList,
    step: Callable[[AniList], Awaitable[T]],
    *,
    token: str | None = None,
    opened: bool = True,
    time: Time | None = None,
    memory: Path | None = None,
    **options: object,
) -> T:
    """Do something with a provider that is open (or not yet). Nothing waits in earnest."""
    time = time or Time()
    given = service.login() if token is None else token

    lent = Services(secret={"access_token": given}.get, memory_dir=memory, memory_seen=memory)
    provider = AniList(spec(service, **options), lent)
    calls = provider._calls
    calls._clock, calls._sleep, calls.pace = time.clock, time.sleep, Pace(clock=time.clock, sleep=time.sleep)
    return session.use(provider, step, opened=opened)


def read(service: simulated.AniList, feature: Feature, **more: object) -> Snapshot:
    """One feature, read by a provider of its own."""
    return use(service, lambda provider: provider.fetch(feature), **more)  # type: ignore[arg-type]


def held(snapshot: Snapshot) -> dict[str, Entry]:
    """The rows of a snapshot by what people call them."""
    return {one.item.label(): one for one in snapshot.entries}
