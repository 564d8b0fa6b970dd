"""Whole-process figures: `make bench`. Prints a table; judges nothing but its own honesty.

Each figure is the median of five runs after one that is not counted, taken from the operating
system's own accounting of the finished process. `make bench` installs cwsync as a user would (built,
byte-compiled), because a checkout without compiled files starts slower.

    make bench BENCH="--only 1000 --runs 5"
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from mediabrowser import mediabrowser
from network import network
from trackers import trackers

CONFIG = """\
[accounts.home]
provider = "tracker"
path = "home"

[accounts.away]
provider = "tracker"
path = "away"

[pairs.home-away]
source = "home"
target = "away"
mode = "two-way"

[pairs.home-away.ratings]
remove = true
"""


CHOICES = (
    "start",
    "1000",
    "10000",
    "100000",
    "200000",
    "plex-trakt",
    "plex-trakt-large",
    "jellyfin-emby",
    "jellyfin-emby-large",
    "trakt-simkl",
    "anilist",
    "tmdb-ids",
)


@dataclass(frozen=True)
class Figure:
    """One finished process: seconds, MiB, exit code."""

    wall: float
    cpu: float
    rss: float
    code: int


def run_once(argv: list[str], folder: Path) -> Figure:
    """Run a command to its end and read what the system says of it."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
    began = perf_counter()
    process = subprocess.Popen(argv, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    wall = perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 10):
        sys.exit(f"{' '.join(argv)} ended with {process.returncode}: {errors.decode(errors='replace')[:500]}")
    return Figure(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode)


def measure(name: str, argv: list[str], folder: Path, runs: int, before: Callable[[], None] | None = None) -> Figure:
    """Median of `runs` after a warm-up; `before` puts the world back in front of each."""
    figures = []
    for _ in range(runs + 1):
        if before:
            before()
        figures.append(run_once(argv, folder))
    counted = figures[1:]
    middle = Figure(
        statistics.median(one.wall for one in counted),
        statistics.median(one.cpu for one in counted),
        statistics.median(one.rss for one in counted),
        counted[0].code,
    )
    spread = max(one.wall for one in counted) - min(one.wall for one in counted)
    print(f"{name:52} {middle.wall:8.3f} {middle.cpu:8.3f} {middle.rss:8.0f}   ±{spread / 2:.3f}", flush=True)
    return middle


def ratings(start: int, count: int, *, shift: int = 0) -> str:
    """A ratings file of `count` films. The same number is the same film in every file."""
    rng = random.Random(start)  # noqa: S311 - made-up data, the same at each run
    order = list(range(start, start + count))
    rng.shuffle(order)
    lines = []
    for number in order:
        item = {
            "type": "movie",
            "title": f"Film number {number}",
            "year": 1920 + number % 100,
            "ids": {"imdb": f"tt{number:07d}", "tmdb": str(number)},
            "rating": 1 + (number + shift) % 10,
            "rated_at": f"20{10 + number % 15}-{1 + number % 12:02d}-{1 + number % 28:02d}T12:00:00Z",
        }
        lines.append("  " + json.dumps(item))
    return '{"schema": 1, "feature": "ratings", "items": [\n' + ",\n".join(lines) + "\n]}\n"


def world(folder: Path, count: int) -> None:
    """Two trackers of `count` ratings that share 90 % of their films; a few of those differ."""
    (folder / "pairs.toml").write_text(CONFIG, encoding="utf-8")
    for name, start in (("home", 1), ("away", 1 + count // 10)):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "ratings.json").write_text(ratings(start, count), encoding="utf-8")


def bench_start(cwsync: str, runs: int) -> None:
    """What it costs to be asked for the time of day."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = measure("python -c pass", [sys.executable, "-c", "pass"], folder, runs)
        version = measure("cwsync --version", [cwsync, "--version"], folder, runs)
        measure("cwsync --help", [cwsync, "--help"], folder, runs)
        print(f"{'--version over a bare interpreter (goal <= 0.030)':52} {version.wall - bare.wall:8.3f}")


def bench_size(cwsync: str, count: int, runs: int) -> None:
    """Two-way ratings between two trackers of `count` records each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world(folder, count)
        base = [cwsync, "-c", "pairs.toml", "--state-dir", "state", "-q"]
        measure(f"{count:>7,} a side: first plan (10 % only on one side)", [*base, "plan"], folder, runs)
        run_once([*base, "run", "--apply"], folder)
        still = [*base, "run", "--apply"]
        measure(f"{count:>7,} a side: no change, read in full", [*still, "--full"], folder, runs)
        measure(f"{count:>7,} a side: no change, by stamps", still, folder, runs)
        edit(folder / "home" / "ratings.json")
        measure(f"{count:>7,} a side: plan after 20 edits", [*base, "plan"], folder, runs)


def edit(path: Path) -> None:
    """Rate twenty films anew, as a person with an editor would."""
    document = json.loads(path.read_text(encoding="utf-8"))
    for item in document["items"][:20]:
        item["rating"] = 11 - item["rating"]
    path.write_text(json.dumps(document), encoding="utf-8")


def main() -> None:
    """Measure everything, or what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cwsync", default=str(Path(sys.executable).with_name("cwsync")))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=CHOICES)
    options = parser.parse_args()
    print(f"{'':52} {'wall s':>8} {'cpu s':>8} {'MiB':>8}")
    if options.only in (None, "start"):
        bench_start(options.cwsync, options.runs)
    for count in (1_000, 10_000, 100_000, 200_000):
        if options.only in (None, str(count)):
            bench_size(options.cwsync, count, options.runs if count <= 10_000 else min(options.runs, 5))
    if options.only in (None, "plex-trakt", "plex-trakt-large"):
        network(options.cwsync, options.runs, options.only, run_once)
    if options.only in (None, "jellyfin-emby", "jellyfin-emby-large"):
        mediabrowser(options.cwsync, options.runs, options.only, run_once)
    if options.only in (None, "trakt-simkl", "anilist", "tmdb-ids"):
        trackers(options.cwsync, options.only, run_once)


if __name__ == "__main__":
    main()
