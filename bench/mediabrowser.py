"""The figures of a Jellyfin and an Emby in step, both simulated on loopback: history and progress, two-way.

Requests are counted at the servers; seconds and MiB are those of cwsync alone.

The servers run in a process of their own, which this file is, too:

    PYTHONPATH=tests python bench/mediabrowser.py FILMS SHOWS EPISODES

It reads a command a line on stdin and answers with a line of JSON: ``accounts``, ``count`` (requests since the
last time), ``change N`` (half of them on either side). It ends with its input.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from network import CHANGES, Servers, World

PAIR = """
[pairs.jellyfin-emby]
source = "jellyfin"
target = "emby"
mode = "two-way"
[pairs.jellyfin-emby.history]
[pairs.jellyfin-emby.progress]
"""


SMALL = World(2_000, 100, 50, first=20, cpu=2.0, rss=80)
# Five and six times as much: linear is five and a half times the seconds.
LARGE = World(10_000, 500, 60, first=90, cpu=11.0, rss=160)


class Bench:
    """A folder of somebody with a key of each of the two."""

    def __init__(self, cwsync: str, folder: Path, servers: Servers, run: Callable[[list[str], Path], Any]) -> None:
        self.base = [cwsync, "-c", "pairs.toml", "--state-dir", "state", "-q"]
        self.folder, self.servers, self._run = folder, servers, run
        given = servers.ask("accounts")
        (folder / "pairs.toml").write_text(given["accounts"] + PAIR, encoding="utf-8")
        for name, text in given["secrets"].items():
            (folder / name).write_text(text, encoding="utf-8")
            (folder / name).chmod(0o600)

    def once(self, *words: str) -> tuple[Any, int, int]:
        """Run a command. Its figures, and the requests that came to either."""
        self.servers.ask("count")
        figure = self._run([*self.base, *words], self.folder)
        asked = self.servers.ask("count")
        return figure, asked["jellyfin"], asked["emby"]

    def line(self, name: str, runs: int, *words: str, before: str | None = None, goal: str = "") -> None:
        """Run a command some times and print the medians. `before` is asked of the servers each time."""
        found = []
        for _ in range(runs):
            if before:
                self.servers.ask(before)
            found.append(self.once(*words))
        figures = [one for one, _, _ in found]
        wall, cpu, rss = (statistics.median(getattr(one, key) for one in figures) for key in ("wall", "cpu", "rss"))
        here, there = (max(counts) for counts in zip(*[one[1:] for one in found], strict=True))
        print(f"  {name:46} {here:7} + {there:7} {wall:8.3f} {cpu:8.3f} {rss:8.0f}   {goal}", flush=True)


def bench_library(cwsync: str, world: World, runs: int, run: Callable[[list[str], Path], Any]) -> None:
    """Everything for one size."""
    size = world.films, world.shows, world.episodes
    with tempfile.TemporaryDirectory() as name, Servers(Path(__file__).name, *size) as servers:
        bench = Bench(cwsync, Path(name), servers, run)
        print(f"{world.name}, half watched, nine tenths of that at Emby", flush=True)
        goal = f"goal <= {world.first} requests a side, {world.cpu} s cpu, {world.rss:.0f} MiB"
        bench.line("first dry run", runs, "plan", goal=goal)
        bench.line("first run", 1, "run", "--apply")
        bench.line("second run, sees its writes", 1, "run", "--apply")
        bench.line("no change", runs, "run", "--apply", goal=f"goal <= {world.first} requests a side")
        bench.line(f"{CHANGES} changes", runs, "run", "--apply", before=f"change {CHANGES}")


def mediabrowser(cwsync: str, runs: int, only: str | None, run: Callable[[list[str], Path], Any]) -> None:
    """The small library, and the large one."""
    print(f"\n{'':48} {'jellyfin + emby':>17} {'wall s':>8} {'cpu s':>8} {'MiB':>8}")
    for name, world in (("jellyfin-emby", SMALL), ("jellyfin-emby-large", LARGE)):
        if only in (None, name):
            bench_library(cwsync, world, min(runs, 3), run)


# --- the servers ----------------------------------------------------------------------------------------


def answers(shared: Any) -> Iterator[object]:
    """What is said to each line."""
    twins = shared.twins
    for line in sys.stdin:
        word, *more = line.split()
        if word == "accounts":
            yield {"accounts": twins.accounts(), "secrets": twins.secrets()}
        elif word == "count":
            yield twins.counts()
        elif word == "change":
            shared.change(int(more[0]))
            yield None
        else:
            raise ValueError(f"unknown command: {line!r}")


def main() -> None:
    """Serve until the input ends."""
    from simulators.mediabrowsertwins import Shared, Twins

    films, shows, episodes = map(int, sys.argv[1:])
    with Twins() as twins:
        for answer in answers(Shared(twins, films, shows, episodes)):
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
