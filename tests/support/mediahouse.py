"""A simulated Jellyfin or Emby with films and episodes, a tracker beside it, and the real command between the two."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cwsync.model import Entry, Feature, Kind
from simulators.mediabrowser import MediaBrowser
from simulators.mediabrowserfill import Shelf
from support import world
from support.shell import Shell

ALL = ("history", "ratings", "progress", "watchlist")
NOTHING = dict.fromkeys(ALL, (0, 0, 0))
PAIRS = """
[accounts.home]
provider = "{provider}"
url = "{url}"
user = "Owner"
token = {{ env = "MEDIA_TOKEN" }}
{more}
[accounts.backup]
provider = "tracker"
path = "backup"

[pairs.save]
source = "{source}"
target = "{target}"
mode = "{mode}"
{features}
"""


class House:
    """The server, its owner, and a pair that is called `save`."""

    def __init__(self, server: MediaBrowser, folder: Path, *, titles: int = 20) -> None:
        self.server = server
        self.user = server.world.owner
        self.shelf = Shelf(server)
        self.folder = folder
        numbers = range(1, titles + 1)
        self.shelf.put(*(world.item(kind, n) for kind in (Kind.MOVIE, Kind.EPISODE) for n in numbers))

    def shell(
        self,
        mode: str = "one-way",
        features: Sequence[str] = ALL,
        more: str = "",
        rules: str = "",
        *,
        back: bool = False,
    ) -> Shell:
        """A shell in which the server is the source of the pair, and the tracker its target; or the way `back`."""
        text = PAIRS.format(
            provider="emby" if self.server.dialect.emby else "jellyfin",
            url=self.server.url,
            source="backup" if back else "home",
            target="home" if back else "backup",
            more=more if "staleness" in more else f'staleness = "0s"\n{more}',
            mode=mode,
            features="\n".join(f"[pairs.save.{name}]\n{rules}" for name in features),
        )
        made = Shell(self.folder, text)
        made.environ["MEDIA_TOKEN"] = self.server.key
        return made

    def hold(self, feature: Feature, *numbers: int, n: int = 0, kind: Kind = Kind.MOVIE) -> None:
        """Have the owner hold something of some titles."""
        entries = [Entry(world.item(kind, number), world.value(feature, n)) for number in numbers]
        self.shelf.hold(self.user, entries)

    def held(self, feature: Feature) -> dict[str, object]:
        """What the owner holds, by title."""
        return self.shelf.states(feature, self.user)

    def fill(self) -> None:
        """Something of everything."""
        self.hold(Feature.HISTORY, 1, 2, 3)
        self.hold(Feature.HISTORY, 1, 2, kind=Kind.EPISODE)
        self.hold(Feature.RATINGS, 1, 4)
        self.hold(Feature.RATINGS, 1, kind=Kind.SHOW)
        self.hold(Feature.PROGRESS, 7)
        self.hold(Feature.WATCHLIST, 9, 10)

    def writes(self) -> list[str]:
        """What was written since the last `forget`."""
        return [call for call in self.server.calls() if not call.startswith("GET ")]


def row(number: int, **more: object) -> dict[str, object]:
    """A film as the tracker has it."""
    film = world.movie(number)
    ids = {one.service: one.value for one in film.ids}
    return {"type": "movie", "title": film.title, "year": film.year, "ids": ids, **more}


def titles(shell: Shell, feature: str) -> list[str]:
    """The titles that the tracker holds."""
    return sorted(str(one["title"]) for one in shell.held("backup", feature))


def counts(pair: Any) -> dict[str, tuple[int, int, int]]:
    """How much is added, updated and removed."""
    return {name: (one["add"], one["update"], one["remove"]) for name, one in pair["features"].items()}
