"""The figures of services that ration requests: Trakt and SIMKL, AniList, and ids from TMDb. All simulated on loopback.

Requests are counted at the services, writes apart; seconds and MiB are those of cwsync alone.

The services run in a process of their own, which this file is, too:

    PYTHONPATH=tests python bench/trackers.py trakt-simkl|anilist|tmdb-ids RECORDS

It reads a command a line on stdin and answers with a line of JSON: ``files`` (what the folder is to hold), ``count``
(requests since the last time: all, and those that are no GET, by service), ``change N`` (files that changed). It ends
with its input.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from network import Servers

CHANGES = 300


@dataclass(frozen=True)
class World:
    """What is measured: a pair, so many records a side, and the goals of each line."""

    name: str
    records: int
    logins: tuple[str, ...]
    first: str
    still: str
    changed: str


WORLDS = (
    World("trakt-simkl", 5_000, ("trakt", "simkl"), "goal <= 45", "goal: simkl 1", "goal <= 10 writes"),
    World("anilist", 1_000, (), "", "goal: anilist <= 2", "goal <= 15"),
    World("tmdb-ids", 1_000, (), "", "goal: tmdb 0", ""),
)


class Bench:
    """A folder of somebody with these accounts."""

    def __init__(
        self, cwsync: str, world: World, folder: Path, servers: Servers, run: Callable[[list[str], Path], Any]
    ) -> None:
        self.base = [cwsync, "-c", "pairs.toml", "--state-dir", "state", "-q"]
        self.folder, self.servers, self._run = folder, servers, run
        self._write(servers.ask("files"))
        for name in world.logins:
            self._run([*self.base, "auth", "login", name], folder)

    def _write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o600)

    def line(self, name: str, *words: str, before: str | None = None, goal: str = "") -> None:
        """Run a command once and print what it took."""
        if before:
            self._write(self.servers.ask(before))
        self.servers.ask("count")
        figure = self._run([*self.base, *words], self.folder)
        asked = self.servers.ask("count")
        told = " + ".join(f"{service} {every} ({writes} w)" for service, (every, writes) in asked.items())
        print(f"  {name:28} {told:36} {figure.wall:8.3f} {figure.cpu:8.3f} {figure.rss:8.0f}   {goal}", flush=True)


def trackers(cwsync: str, only: str | None, run: Callable[[list[str], Path], Any]) -> None:
    """Everything, or one of `WORLDS`."""
    print(f"\n{'requests (writes)':68} {'wall s':>8} {'cpu s':>8} {'MiB':>8}")
    for world in WORLDS:
        if only not in (None, world.name):
            continue
        with tempfile.TemporaryDirectory() as name, Servers(Path(__file__).name, world.name, world.records) as servers:
            bench = Bench(cwsync, world, Path(name), servers, run)
            print(f"{world.name}, {world.records:,} records a side, nine tenths of them on both", flush=True)
            bench.line("first dry run", "plan", goal=world.first)
            bench.line("first run", "run", "--apply")
            for _ in range(3):
                bench.line("afterwards", "run", "--apply")
            bench.line("no change", "run", "--apply", goal=world.still)
            change = f"change {CHANGES}"
            bench.line(f"{CHANGES} changes", "run", "--apply", before=change, goal=world.changed)


# --- the services ---------------------------------------------------------------------------------------

TRAKT_SIMKL = """
[accounts.trakt]
client_id = "{trakt_id}"
client_secret = {{ file = "trakt.secret" }}
api_url = "{trakt}"
auth_url = "{trakt}"
staleness = "0s"
write_spacing_ms = 0
[accounts.simkl]
client_id = "{simkl_id}"
api_url = "{simkl}"
staleness = "0s"
write_spacing_ms = 0
read_spacing_ms = 0
[pairs.both]
source = "trakt"
target = "simkl"
mode = "two-way"
[pairs.both.history]
[pairs.both.ratings]
"""
ANILIST = """
[accounts.home]
provider = "tracker"
path = "home"
[accounts.anilist]
api_url = "{url}"
auth_url = "{url}/authorize"
client_id = "77"
access_token = {{ file = "anilist.token" }}
rate_unlisted = "completed"
staleness = "0s"
[pairs.both]
source = "home"
target = "anilist"
mode = "two-way"
[pairs.both.ratings]
[pairs.both.guards]
free_adds = 1000
"""
TMDB_IDS = """
[accounts.home]
provider = "tracker"
path = "home"
[accounts.away]
provider = "tracker"
path = "away"
[accounts.tmdb]
api_url = "{url}"
token = {{ file = "tmdb.token" }}
[pairs.both]
source = "home"
target = "away"
mode = "two-way"
ids = "tmdb"
[pairs.both.ratings]
[pairs.both.guards]
free_adds = 1000
"""


class TraktSimkl:
    """An account at each: seven plays to three ratings; a tenth of them on one side alone."""

    def __init__(self, stack: ExitStack, records: int) -> None:
        from cwsync.model import Entry, Feature
        from simulators.simkl import Simkl
        from simulators.trakt import Trakt
        from support import world

        self.at = time.time() - 200
        self.trakt = stack.enter_context(Trakt())
        self.simkl = stack.enter_context(Simkl(now=lambda: self.at))
        self.services = {"trakt": self.trakt, "simkl": self.simkl}
        self.simkl.interval_s = 1
        plays, ratings = records * 7 // 10, records * 3 // 10
        self.rated = ratings
        self.films = [world.movie(n) for n in range(1, plays // 2 + 1)]
        episodes = [world.episode(n, 1, number) for n in range(1, 41) for number in range(1, plays // 80 + 1)]
        for item in (*self.films, *episodes):
            self.trakt.titles.add(item)
            self.simkl.titles.add(item)
        watched = [*self.films, *episodes]  # the rated ones too: SIMKL takes a rated film for a watched one
        played = [Entry(item, world.played(world.at(n / 24))) for n, item in enumerate(watched)]
        rated = [Entry(film, world.rated(1 + n % 10, world.at())) for n, film in enumerate(self.films[:ratings])]
        self.trakt.put(Feature.HISTORY, played[len(played) // 10 :])
        self.trakt.put(Feature.RATINGS, rated[len(rated) // 10 :])
        self.simkl.put(Feature.HISTORY, played[: len(played) * 9 // 10])
        for n, film in enumerate(self.films[: len(rated) * 9 // 10]):
            self.simkl.user.rate(self.simkl.titles.add(film), 1 + n % 10, "2024-01-01T12:00:00Z")
        stop = threading.Event()
        stack.callback(stop.set)
        threading.Thread(target=self._person, args=(stop,), daemon=True).start()

    def _person(self, stop: threading.Event) -> None:
        while not stop.wait(0.05):
            self.trakt.approve()
            self.simkl.approve()

    def files(self) -> dict[str, str]:
        """What the folder holds."""
        from simulators.simkl import CLIENT_ID
        from simulators.trakt import CLIENT_ID as TRAKT_ID
        from simulators.trakt import CLIENT_SECRET

        ids = {"trakt_id": TRAKT_ID, "simkl_id": CLIENT_ID}
        pairs = TRAKT_SIMKL.format(trakt=self.trakt.url, simkl=self.simkl.url, **ids)
        return {"pairs.toml": pairs, "trakt.secret": CLIENT_SECRET}

    def change(self, count: int) -> dict[str, str]:
        """So many films are rated anew at Trakt."""
        from cwsync.model import Entry, Feature
        from support import world

        rows = [
            Entry(film, world.rated(1 + (n + (n < count)) % 10, world.at(400 if n < count else 0)))
            for n, film in enumerate(self.films[: self.rated])
        ]
        self.trakt.put(Feature.RATINGS, rows)
        return {}


class InFolder:
    """Ratings of films in a tracker's folder, and a service beside it."""

    def __init__(self, films: list[Any]) -> None:
        self.films = films

    def rows(self, services: str, *, changed: int = 0) -> str:
        """The tracker's file, with the ids of these services; so many films are rated anew."""
        rows = [
            {
                "type": "movie",
                "title": film.title,
                "year": film.year,
                "ids": {one.service: one.value for one in film.ids if one.service in services},
                "rating": 1 + (n + (n < changed)) % 10,
                "rated_at": "2024-05-04T20:15:30Z",
            }
            for n, film in enumerate(self.films)
        ]
        return json.dumps({"schema": 1, "feature": "ratings", "items": rows})


class BesideAniList(InFolder):
    """Nine tenths of the ratings are at AniList too."""

    def __init__(self, stack: ExitStack, records: int) -> None:
        from simulators.anilist import AniList
        from simulators.anilist_account import film

        super().__init__([film(n) for n in range(1, records + 1)])
        self.service = stack.enter_context(AniList())
        self.service.limit = 1_000_000
        self.services = {"anilist": self.service}
        for n, item in enumerate(self.films):
            known = self.service.world.know(item)
            if n >= records // 10:
                self.service.world.entry(known, status="COMPLETED", score=10 * (1 + n % 10), progress=1)

    def files(self) -> dict[str, str]:
        """What the folder holds."""
        pairs, token = ANILIST.format(url=self.service.url), self.service.login()
        return {"pairs.toml": pairs, "anilist.token": token, "home/ratings.json": self.rows("anilist mal")}

    def change(self, count: int) -> dict[str, str]:
        """So many films are rated anew in the folder."""
        return {"home/ratings.json": self.rows("anilist mal", changed=count)}


class BesideTmdb(InFolder):
    """Two folders: one knows the films by IMDb's ids, the other by TMDb's."""

    def __init__(self, stack: ExitStack, records: int) -> None:
        from simulators.tmdb import Tmdb
        from support import world

        super().__init__([world.movie(n) for n in range(1, records + 1)])
        self.service = stack.enter_context(Tmdb())
        self.services = {"tmdb": self.service}
        for film in self.films:
            self.service.titles.add(film)

    def files(self) -> dict[str, str]:
        """What the folder holds."""
        from simulators.tmdb import TOKEN

        rows = {f"{name}/ratings.json": self.rows(ids) for name, ids in (("home", "imdb"), ("away", "tmdb"))}
        return {"pairs.toml": TMDB_IDS.format(url=self.service.url), "tmdb.token": TOKEN, **rows}

    def change(self, count: int) -> dict[str, str]:
        """So many films are rated anew in one of the folders."""
        return {"home/ratings.json": self.rows("imdb", changed=count)}


SERVICES: dict[str, Any] = {"trakt-simkl": TraktSimkl, "anilist": BesideAniList, "tmdb-ids": BesideTmdb}


def answers(world: Any) -> Iterator[object]:
    """What is said to each line."""
    for line in sys.stdin:
        word, *more = line.split()
        if word == "files":
            yield world.files()
        elif word == "count":
            calls = {name: service.calls() for name, service in world.services.items()}
            for service in world.services.values():
                service.forget()
            # AniList is asked and written to by POST; which is which stands in the query.
            writes = {name: sum(not call.startswith("GET") for call in asked) for name, asked in calls.items()}
            yield {name: (len(asked), writes[name]) for name, asked in calls.items()}
            if hasattr(world, "at"):
                world.at += 10  # SIMKL's stamps are to the second, and a young one is not relied on
        elif word == "change":
            yield world.change(int(more[0]))
        else:
            raise ValueError(f"unknown command: {line!r}")


def main() -> None:
    """Serve until the input ends."""
    name, records = sys.argv[1], int(sys.argv[2])
    with ExitStack() as stack:
        for answer in answers(SERVICES[name](stack, records)):
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
