"""Somebody with a Plex server and an account at Trakt, both simulated, and the real command to keep them in step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cwsync.model import Entry, Feature, Item, Play, Rated
from cwsync.model import Listed as OnList
from simulators.both import Both
from simulators.trakt import CLIENT_SECRET
from simulators.trakt_account import logged_in
from simulators.trakt_titles import Title
from support import world
from support.house import REMOVES, PairHouse
from support.mediapair import episodes, films
from support.shell import Shell, finish

PAIR = """
[pairs.both]
source = "plex"
target = "trakt"
mode = "{mode}"
{features}
"""
FEATURES = ("history", "ratings", "watchlist")
FILMS = range(1, 31)


class House(PairHouse):
    """Somebody with a server, an account at Trakt, and one pair of them that is called `both`."""

    def __init__(
        self,
        both: Both,
        folder: Path,
        mode: str = "two-way",
        features: Sequence[str] = FEATURES,
    ) -> None:
        self.both = both
        self.plex, self.trakt, self.owner = both.plex.world, both.trakt, both.owner
        tables = "\n".join(f"[pairs.both.{name}]\n{REMOVES}" for name in features)
        text = both.accounts() + PAIR.format(mode=mode, features=tables)
        self.shell = Shell(folder, text)
        self.shell.secret("trakt.secret", CLIENT_SECRET)
        both.know(world.movie(n) for n in FILMS)
        both.know(world.episode(1, 1, n) for n in range(1, 11))

    # --- logging in -----------------------------------------------------------------------------

    def login(self) -> House:
        """As a person does."""
        with self.both.person():
            for name in ("plex", "trakt"):
                with self.shell.start(f"auth login {name}") as process:
                    done = finish(process)
                assert done.code == 0, done.err
                self.clean(done)
        self.both.calls()
        return self

    def logged_in(self) -> House:
        """As if somebody had: a token of the owner in the file, and one of Trakt in the store."""
        text = self.shell.file.read_text().replace("[accounts.plex]", "[accounts.plex]\n" + self._direct())
        self.shell.file.write_text(text)
        self.shell.environ["PLEX_TOKEN"] = self.owner.token
        logged_in(self.trakt, "trakt").leave(self.shell.state)
        return self

    def _direct(self) -> str:
        return f'url = "{self.both.plex.pms.url}"\ntoken = {{ env = "PLEX_TOKEN" }}'

    # --- running --------------------------------------------------------------------------------

    def run(self, line: str = "run --apply", code: int = 0, **more: Any) -> Any:
        pair = super().run(line, code, **more)
        self.once()
        return pair

    def secrets(self) -> Iterable[str]:
        return CLIENT_SECRET, self.owner.token, *self.trakt.access, *self.trakt.refresh

    # --- both sides -----------------------------------------------------------------------------

    def at_plex(self, feature: Feature, *items: Item) -> None:
        self.both.shelf.hold(self.owner, [Entry(item, value(feature)) for item in items])

    def at_trakt(self, feature: Feature, *items: Item) -> None:
        self.trakt.put(feature, [Entry(item, value(feature)) for item in items])

    def title(self, item: Item) -> Title:
        found = self.trakt.titles.of(item)
        assert found is not None
        return found

    def row(self, item: Item) -> Any:
        return self.both.shelf.row(item)

    @property
    def seen(self) -> tuple[set[str], set[str]]:
        """The titles that are watched at Plex and at Trakt."""
        views = self.both.shelf.states(Feature.HISTORY, self.owner)
        return set(views), {str(one.title.name) for one in list(self.trakt.user.history.values())}

    @property
    def ratings(self) -> tuple[dict[str, object], dict[str, object]]:
        """The ratings at Plex and at Trakt, by title."""
        there: dict[str, object] = {str(one.title.name): one.value for one in self.trakt.user.ratings.values()}
        return self.both.shelf.states(Feature.RATINGS, self.owner), there

    @property
    def listed(self) -> tuple[set[str], set[str]]:
        """The watchlists at Plex and at Trakt."""
        here = {self.plex.catalogue[name].title for name in self.owner.watchlist}
        return here, {str(one.title.name) for one in self.trakt.user.watchlist.values()}

    def once(self) -> None:
        """No title has a play twice, on either side."""
        assert set(self.both.shelf.states(Feature.HISTORY, self.owner).values()) <= {1}
        plays = Counter(one.title.key for one in self.trakt.user.history.values())
        assert set(plays.values()) <= {1}


def value(feature: Feature) -> Play | Rated | OnList:
    """What somebody did in May."""
    at = datetime(2024, 5, 4, 20, 15, 30, tzinfo=UTC)
    return {Feature.HISTORY: Play(at), Feature.RATINGS: Rated(80, at)}.get(feature, OnList(at))  # type: ignore[return-value]


def fill(house: House) -> None:
    house.at_plex(Feature.HISTORY, *films(1, 2, 3, 4), *episodes(1, 2))
    house.at_plex(Feature.RATINGS, *films(1, 2))
    house.at_plex(Feature.WATCHLIST, *films(20, 21))
    house.at_trakt(Feature.HISTORY, *films(4, 5), *episodes(2, 3))
    house.at_trakt(Feature.RATINGS, *films(2, 5))
    house.at_trakt(Feature.WATCHLIST, *films(21, 22))
