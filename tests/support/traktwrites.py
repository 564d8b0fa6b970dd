"""Changes of records at a simulated Trakt: made, written, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cwsync.model import Change, Entry, Feature, Item, Outcome, Play, Rated, Receipt
from simulators.trakt import Trakt
from simulators.trakt_account import use
from support import world
from support.httpserver import cut_json, drop_after, drop_before, instead, status

C, A, N, R, U = Outcome.CONFIRMED, Outcome.ALREADY, Outcome.NOT_FOUND, Outcome.REJECTED, Outcome.UNKNOWN
# What becomes of a write, and whether it arrives.
LOST = {
    "the connection after it": (drop_after(), True),
    "a gateway after it": (instead(502), True),
    "half the answer": (cut_json(), True),
    "a page for people after it": (instead(200, "<html></html>"), True),
    "the connection before it": (drop_before(), False),
    "an error before it": (status(500), False),
    "a gateway before it": (status(504), False),
    "a redirect": (status(301, None, location="/elsewhere"), False),
}


@contextmanager
def stocked() -> Iterator[Trakt]:
    """A service that knows films and two shows, and an account with room."""
    with Trakt() as made:
        for n in range(1, 121):
            made.titles.add(world.movie(n))
        for n in (1, 2):
            made.titles.add(world.season(n, 1))
            for number in range(1, 11):
                made.titles.add(world.episode(n, 1, number))
        made.user.limits["watchlist"] = 5000
        yield made


def play(item: Item, at: float = 0, *, minutes: float = 0, seconds: float = 0) -> Change:
    value = Play(world.at(at, minutes=minutes, seconds=seconds))
    return world.change(Feature.HISTORY, item, None, value, key=f"{item.key()}@{value.at}")


def rate(item: Item, score: int = 80, before: Rated | None = None) -> Change:
    return world.change(Feature.RATINGS, item, before, Rated(score, world.at()))


def rerate(row: Entry) -> Change:
    return world.change(Feature.RATINGS, row.item, row.value, Rated(70, world.at()))


def put(item: Item) -> Change:
    return world.change(Feature.WATCHLIST, item, None, world.listed(world.at()))


MAKE: dict[Feature, Callable[[Item], Change]] = {Feature.HISTORY: play, Feature.RATINGS: rate, Feature.WATCHLIST: put}


def write(service: Trakt, *changes: Change, **more: Any) -> list[Receipt]:
    feature = changes[0].feature
    receipts = use(service, lambda provider: provider.apply(feature, changes), **more)
    assert [receipt.change for receipt in receipts] == list(changes)
    return receipts


def outcomes(receipts: Sequence[Receipt]) -> list[Outcome]:
    return [receipt.outcome for receipt in receipts]


def posts(service: Trakt, path: str = "/sync") -> list[Any]:
    return [one.json() for one in service.log if one.method == "POST" and one.path.startswith(path)]


def times(service: Trakt) -> list[str]:
    return sorted(one.watched_at[:16] for one in service.user.history.values())


def gone(feature: Feature, entry: Entry) -> Change:
    return world.change(feature, entry.item, entry.value, None, native_key=entry.native_key)
