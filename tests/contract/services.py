"""Accounts at simulated services, reached over real HTTP: what they have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from contract.suite import Account
from cwsync.model import Entry, Feature, Item, Kind
from support import world
from support.httpserver import Do, html


class Service(Protocol):
    """A simulated service that holds the records of one person."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def put(self, feature: Feature, entries: Iterable[Entry]) -> None: ...

    def fault(self, do: Do, *, method: str | None = None, path: str = "", times: int | None = 1) -> None: ...


class Titles(Protocol):
    """What a service knows."""

    def add(self, item: Item) -> object: ...


_S = TypeVar("_S", bound=Service)
_T = TypeVar("_T", bound=Titles)


class Login(Account, Generic[_S]):
    """A login at a service on the web, which is open from here to `close`."""

    # Of the requests that read: a pattern that their paths hold.
    reads = ""

    def __init__(self, service: _S) -> None:
        self.service = service.__enter__()

    def seed(self, feature: Feature, entries: Sequence[Entry]) -> None:
        self.service.put(feature, entries)

    def break_reads(self, feature: Feature) -> None:
        self.service.fault(html(), method="GET", path=self.reads, times=None)

    def close(self) -> None:
        self.service.__exit__(None, None, None)


def knowing(titles: _T, kinds: Collection[Kind] = tuple(Kind)) -> _T:
    """The same catalogue with the titles of the tests in it."""
    for number in range(1, 201):
        for kind in kinds:
            titles.add(world.item(kind, number))
    return titles
