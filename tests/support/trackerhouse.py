"""A folder with a tracker, a login at a simulated service, and the real command to keep the two in step."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Generic, Protocol, Self, TypeVar

from cwsync.model import Item, Kind, external_id
from support.house import REMOVES, PairHouse
from support.logins import Keeper, approving
from support.rows import row
from support.shell import Shell

PAIR = """
[accounts.home]
provider = "tracker"
path = "home"

{account}
[pairs.both]
source = "home"
target = "{name}"
mode = "{mode}"
{features}
[pairs.both.guards]
free_removes = 50
free_adds = 500
free_updates = 500
"""


class Service(Protocol):
    """A simulated service that people log in to in a browser."""

    def approve(self) -> object: ...

    def calls(self) -> list[str]: ...

    def forget(self) -> None: ...


_S = TypeVar("_S", bound=Service)


class TrackerHouse(PairHouse, Generic[_S]):
    """A person with a folder, and a login at a service. The pair of the two is called `both`, and removes at once.

    `account` is the table of the service's account, `plays` what the pair syncs of a history.
    """

    # The service, and the account at it.
    name: ClassVar[str]
    # Where somebody is sent to log in.
    page: ClassVar[str] = ""
    features: ClassVar[Sequence[str]] = ("ratings", "history", "watchlist")

    def __init__(self, folder: Path, service: _S, account: str, *, mode: str = "two-way", plays: str = "") -> None:
        self.service = service
        rules = dict.fromkeys(self.features, REMOVES)
        if plays:
            rules["history"] += f'\nplays = "{plays}"'
        features = "\n".join(f"[pairs.both.{name}]\n{lines}" for name, lines in rules.items())
        self.shell = Shell(folder, PAIR.format(name=self.name, account=account, mode=mode, features=features))

    # --- logging in -----------------------------------------------------------------------------

    def login(self) -> Self:
        """Through the command, with somebody who approves at once."""
        with approving(self.service.approve):
            done = self.shell(f"auth login {self.name}")
        assert done.code == 0, done.err
        assert self.page in done.out + done.err
        self.clean(done)
        self.service.forget()
        return self

    def logged_in(self) -> Self:
        """What the command leaves behind."""
        self.keeper().leave(self.shell.state)
        return self

    @abstractmethod
    def keeper(self) -> Keeper:
        """A login that the service grants."""

    # --- running --------------------------------------------------------------------------------

    def calls(self) -> Counter[str]:
        """What was asked since the last look."""
        asked = Counter(self.service.calls())
        self.service.forget()
        return asked


# --- titles, and what the tracker holds of them ---------------------------------------------------------


def film(n: int) -> Item:
    return Item(Kind.MOVIE, (external_id("imdb", Kind.MOVIE, f"tt{1000000 + n}"),), f"Film {n}", 2000)


def show(n: int) -> Item:
    return Item(Kind.SHOW, (external_id("tvdb", Kind.SHOW, 5000 + n),), f"Show {n}", 2001)


def episode(n: int, number: int) -> Item:
    of = show(n)
    return Item(
        Kind.EPISODE,
        title=f"Part {number}",
        show_ids=of.ids,
        season=1,
        number=number,
        show_title=of.title,
        show_year=of.year,
    )


KNOWN = (*(film(n) for n in range(1, 31)), *(episode(n, number) for n in (1, 2) for number in range(1, 11)))


def at(day: int, minute: int = 0) -> str:
    return f"2024-05-{day:02d}T10:{minute:02d}:00Z"


def films(*numbers: int) -> list[Item]:
    return [film(n) for n in numbers]


def rated(items: Iterable[Item], rating: float = 8) -> list[dict[str, object]]:
    """Rows of ratings."""
    return [row(one, rating=rating, rated_at=at(1)) for one in items]


def played(items: Iterable[Item], day: int = 2) -> list[dict[str, object]]:
    """Rows of plays, a minute after another."""
    return [row(one, watched_at=at(day, n)) for n, one in enumerate(items)]


def listed(items: Iterable[Item]) -> list[dict[str, object]]:
    """Rows of a watchlist."""
    return [row(one, listed_at=at(1)) for one in items]
