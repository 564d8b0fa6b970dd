"""The figures of the commonest job, Plex and Trakt in step, between simulated services on loopback.

History and ratings, two-way. Requests are counted at the services; seconds, MiB are those of cwsync alone.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
# Where the tests run: the simulated services need what they need. cwsync itself is measured as a user has it.
TESTS_PYTHON = ROOT / ".venv" / "bin" / "python"
PAIR = """
[pairs.plex-trakt]
source = "plex"
target = "trakt"
mode = "two-way"
[pairs.plex-trakt.history]
[pairs.plex-trakt.ratings]
"""
CHANGES = 40
LATENCY_S = 0.02


@dataclass(frozen=True)
class World:
    """A library, and what is asked for in it. Requests, seconds, MiB."""

    films: int
    shows: int
    episodes: int
    first: int
    cpu: float
    rss: float
    still: int = 10
    latent: float | None = None

    @property
    def name(self) -> str:
        """As it is printed."""
        return f"{self.films:,} films + {self.shows} x {self.episodes}"


SMALL = World(2_000, 100, 50, first=20, cpu=1.5, rss=70, latent=2.0)
LARGE = World(10_000, 500, 60, first=75, cpu=5.0, rss=150)


class Servers:
    """The services, in their process; `script` is the program, and the rest are its words."""

    def __init__(self, script: str, *words: object) -> None:
        words = (TESTS_PYTHON, ROOT / "bench" / script, *words)
        env = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
        self._process = subprocess.Popen(
            list(map(str, words)), env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def ask(self, line: str) -> Any:
        """One command and its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit(f"the simulated services ended with {self._process.wait()}")
        return json.loads(answer)


class Bench:
    """A folder of somebody who is logged in at both."""

    def __init__(self, cwsync: str, folder: Path, servers: Servers, run: Callable[[list[str], Path], Any]) -> None:
        self.base = [cwsync, "-c", "pairs.toml", "--state-dir", "state", "-q"]
        self.folder, self.servers, self._run = folder, servers, run
        given = servers.ask("accounts")
        (folder / "pairs.toml").write_text(given["accounts"] + PAIR, encoding="utf-8")
        secret = folder / "trakt.secret"
        secret.write_text(given["secret"], encoding="utf-8")
        secret.chmod(0o600)
        for name in ("plex", "trakt"):
            self.once("auth", "login", name)

    def once(self, *words: str) -> tuple[Any, int, int]:
        """Run a command. Its figures, and the requests that came to Plex and to Trakt."""
        self.servers.ask("count")
        figure = self._run([*self.base, *words], self.folder)
        asked = self.servers.ask("count")
        return figure, asked["plex"], asked["trakt"]

    def line(self, name: str, runs: int, *words: str, before: str | None = None, goal: str = "") -> None:
        """Run a command some times and print the medians. `before` is asked of the services each time."""
        found = []
        for _ in range(runs):
            if before:
                self.servers.ask(before)
            found.append(self.once(*words))
        figures = [one for one, _, _ in found]
        wall, cpu, rss = (statistics.median(getattr(one, key) for one in figures) for key in ("wall", "cpu", "rss"))
        plex, trakt = (max(counts) for counts in zip(*[one[1:] for one in found], strict=True))
        print(
            f"  {name:46} {plex:4} + {trakt:3} = {plex + trakt:4} {wall:8.3f} {cpu:8.3f} {rss:8.0f}   {goal}",
            flush=True,
        )


def bench_network(cwsync: str, world: World, runs: int, run: Callable[[list[str], Path], Any]) -> None:
    """Everything for one size."""
    with (
        tempfile.TemporaryDirectory() as name,
        Servers("servers.py", world.films, world.shows, world.episodes) as servers,
    ):
        bench = Bench(cwsync, Path(name), servers, run)
        print(f"{world.name}, half watched, nine tenths of that at Trakt", flush=True)
        goal = f"goal <= {world.first} requests, {world.cpu} s cpu, {world.rss:.0f} MiB"
        bench.line("first dry run", runs, "plan", goal=goal)
        if world.latent is not None:
            servers.ask(f"latency {LATENCY_S}")
            goal = f"goal <= {world.latent} s wall"
            bench.line(f"the same, {LATENCY_S * 1000:.0f} ms an answer", runs, "plan", goal=goal)
            servers.ask("latency 0")
        bench.line("first run", 1, "run", "--apply")
        bench.line("second run, sees its writes", 1, "run", "--apply")
        bench.line("third run, remembers the stamps", 1, "run", "--apply")
        bench.line("no change", runs, "run", "--apply", goal=f"goal <= {world.still} requests")
        bench.line("no change, read in full", runs, "run", "--apply", "--full")
        bench.line(f"{CHANGES} changes", runs, "run", "--apply", before=f"change {CHANGES}")


def network(cwsync: str, runs: int, only: str | None, run: Callable[[list[str], Path], Any]) -> None:
    """The small library, and the large one."""
    print(f"\n{'':48} {'plex + trakt = all':>17} {'wall s':>8} {'cpu s':>8} {'MiB':>8}")
    for name, world in (("plex-trakt", SMALL), ("plex-trakt-large", LARGE)):
        if only in (None, name):
            bench_network(cwsync, world, min(runs, 3), run)
