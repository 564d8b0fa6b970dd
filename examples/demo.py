"""The demo: what cwsync does, shown by the real command on copies of the files in `demo/`.

    python examples/demo.py CWSYNC [WORK_FOLDER]

CWSYNC is the command to run. The work folder (default: `demo-work` beside `examples`) is made anew
each time; it holds the copies and the state. Nothing else is read or written. Each step checks
the exit code, the plan and the files; the demo fails when one of them is not as it should be.

The ids in `demo/` are the true ones of these titles. The ratings and dates are made up, and the
two columns of the IMDb export that change every day (its own rating and votes) are left empty.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parent
MARKER = ".made-by-the-cwsync-demo"
WIDTH = 80
COUNTS = ("add", "update", "remove", "conflict")
Row = dict[str, Any]


class DemoError(Exception):
    """A step did not do what it should."""


class Demo:
    """The work folder, the command, and what was checked so far."""

    def __init__(self, command: Path, work: Path) -> None:
        self.command = command
        self.work = work
        self.data = work / "demo"
        self.state = work / "state"
        self.part = ""
        self.done: list[str] = []
        self.bold = _colour()
        # Nothing of the user's own settings may reach the demo.
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("CWSYNC_")}
        self.env |= {"CWSYNC_CONFIG": str(work / "pairs.toml"), "CWSYNC_STATE_DIR": str(self.state)}

    # --- showing --------------------------------------------------------------------------------

    def title(self, text: str) -> None:
        """Begin a part."""
        self.part = text.partition(" ")[0]
        self.say(f"\n{self._strong(f'==== {text} '.ljust(WIDTH, '='))}")

    def tell(self, text: str) -> None:
        """Explain what comes."""
        self.say(textwrap.fill(text, WIDTH, break_on_hyphens=False))

    def say(self, text: str = "") -> None:
        """Print now: the output of the command must come after it."""
        print(text, flush=True)

    def _strong(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.bold else text

    # --- running --------------------------------------------------------------------------------

    def run(self, *words: str, code: int = 0) -> None:
        """Show a command line, run it on our own output, and check its exit code."""
        self.say(f"\n{self._strong('$ cwsync ' + shlex.join(words))}")
        # One stream, so that errors stand where they belong; a terminal stays one for the command.
        found = subprocess.run([self.command, *words], env=self.env, stderr=subprocess.STDOUT, check=False).returncode
        if code or found:
            self.say(f"[exit code {found}]")
        self.check(found == code, f"cwsync {' '.join(words)}: exit code {found}, expected {code}")

    def plan(self, pair: str, *, code: int = 0) -> Row:
        """The same plan as JSON, unseen: what the checks look at."""
        words = [self.command, "plan", pair, "--json"]
        found = subprocess.run(words, env=self.env, capture_output=True, check=False)
        self.check(found.returncode == code, f"plan {pair} --json: exit code {found.returncode}, expected {code}")
        return dict(json.loads(found.stdout)["pairs"][0])

    def dry_run(self, pair: str, **expected: tuple[int, int, int, int]) -> None:
        """Show a plan; check that it has `expected` adds, updates, removes and conflicts, and wrote nothing."""
        before = _prints(self.work)
        self.run("plan", pair)
        self.check_plan(pair, expected)
        self.check(_prints(self.work) == before, "a dry run changed a file")
        self.ok(f"{pair}: a dry run, not one byte written")

    def apply(self, pair: str, *words: str) -> None:
        """Carry the plan out. That nothing is left of it is for `nothing_to_do` to check."""
        before = self.kept()
        self.run("run", pair, "--apply", *words)
        self.check(self.kept() != before, "a run that had changes to make changed no file")
        self.ok(f"{pair}: the changes of the plan are made")

    def nothing_to_do(self, pair: str) -> None:
        """Run once more; check that files and state stay as they are."""
        before = self.kept()
        self.run("run", pair, "--apply")
        self.check(self.kept() == before, f"{pair}: there was still something to do")
        self.ok(f"{pair}: the next run has nothing to do and writes nothing")

    # --- checking -------------------------------------------------------------------------------

    def kept(self) -> dict[str, str]:
        """A digest of every file of both sides and of the baseline."""
        return _prints(self.data) | _prints(self.state / "pairs", leave_out="last-run.json")

    def check_plan(self, pair: str, expected: dict[str, tuple[int, int, int, int]]) -> None:
        """Check the counts of each feature; a feature that is not named has nothing to do."""
        for name, feature in self.plan(pair)["features"].items():
            found, wanted = tuple(feature[count] for count in COUNTS), expected.get(name, (0, 0, 0, 0))
            self.check(found == wanted, f"{pair}, {name}: {', '.join(COUNTS)} are {found}, expected {wanted}")

    def check(self, is_so: bool, otherwise: str) -> None:  # noqa: FBT001
        """Fail with `otherwise` unless it is so."""
        if not is_so:
            raise DemoError(otherwise)

    def ok(self, what: str) -> None:
        """Note for the summary that a step worked."""
        self.done.append(f"{self.part} {what}")

    # --- editing --------------------------------------------------------------------------------

    def rows(self, name: str) -> list[Row]:
        """The items of a tracker file."""
        return list(json.loads((self.data / name).read_text("utf-8"))["items"])

    def edit(self, name: str, what: str, change: Callable[[list[Row]], Iterable[Row]]) -> None:
        """Edit a tracker file as a person would, one item a line, and say so."""
        document = json.loads((self.data / name).read_text("utf-8"))
        items = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in change(document["items"]))
        head = json.dumps({"schema": document["schema"], "feature": document["feature"]})[:-1]
        (self.data / name).write_text(f'{head}, "items": [\n{items}\n]}}\n', "utf-8")
        self.say(f"  {name + ':':<23}{what}")

    def rate(self, name: str, title: str, rating: float) -> None:
        """Change one rating by hand."""
        (old,) = (row["rating"] for row in self.rows(name) if row.get("title") == title)

        def change(rows: list[Row]) -> list[Row]:
            return [row | {"rating": rating} if row.get("title") == title else row for row in rows]

        self.edit(name, f"{title}: {old} -> {rating}", change)

    def drop(self, name: str, title: str) -> None:
        """Take one item out by hand."""
        self.edit(name, f"{title}: taken out", lambda rows: [row for row in rows if row.get("title") != title])

    def add(self, name: str, row: Row) -> None:
        """Put one item in by hand."""
        self.edit(name, f"{row['title']}: put in", lambda rows: [*rows, row])


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in ("dumb", "unknown")


def _prints(folder: Path, leave_out: str = "") -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != leave_out)
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _short(path: Path) -> str:
    """The path as one would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


# --- the parts ----------------------------------------------------------------------------------


def one_way(demo: Demo) -> None:
    demo.title("1. One way: an IMDb export into a tracker")
    demo.tell(
        "The ratings that IMDb lets you download go into the tracker `home`, a folder of JSON files. "
        "First a dry run, which writes nothing:"
    )
    demo.dry_run("imdb-home", ratings=(21, 2, 0, 0))
    demo.say()
    demo.tell("The same plan, carried out (-q leaves out the table that you have just seen):")
    demo.apply("imdb-home", "-q")
    demo.check(len(demo.rows("home/ratings.json")) == 29, "home does not have the 29 ratings it should have")
    demo.say()
    demo.tell("And again. There is nothing left to do:")
    demo.nothing_to_do("imdb-home")


def two_way(demo: Demo) -> None:
    demo.title("2. Two ways: home and backup, four features")
    demo.tell(
        "A pair that has never run is united and nothing is removed. One film is rated differently on "
        "the two sides; the source, home, wins, and the plan says so."
    )
    demo.dry_run(
        "home-backup", watchlist=(5, 0, 0, 0), ratings=(30, 1, 0, 1), history=(8, 0, 0, 0), progress=(1, 1, 0, 0)
    )
    demo.apply("home-backup", "-q")
    demo.nothing_to_do("home-backup")


def edits(demo: Demo) -> None:
    demo.title("3. Edits on both sides")
    demo.tell("Now somebody changes both, one episode even on both sides at once:\n")
    demo.say()
    demo.rate("home/ratings.json", "2001: A Space Odyssey", 9)
    demo.rate("home/ratings.json", "Pilot", 10)
    solaris = {"type": "movie", "title": "Solaris", "year": 1972, "ids": {"imdb": "tt0069293", "tmdb": "593"}}
    demo.add("home/watchlist.json", solaris | {"listed_at": None})
    demo.rate("backup/ratings.json", "Pilot", 8)
    demo.rate("backup/ratings.json", "Seven Samurai", 9.5)
    demo.drop("backup/ratings.json", "Better Call Saul")
    demo.drop("backup/watchlist.json", "Moon")
    demo.dry_run("home-backup", watchlist=(1, 0, 1, 0), ratings=(0, 3, 1, 1))
    demo.apply("home-backup")
    ratings = {row.get("title"): row["rating"] for row in demo.rows("home/ratings.json")}
    there = {row.get("title"): row["rating"] for row in demo.rows("backup/ratings.json")}
    demo.check(ratings == there, "home and backup do not hold the same ratings")
    demo.check(ratings["Pilot"] == 10 and ratings["Seven Samurai"] == 9.5, "an edit did not get through")
    demo.check("Better Call Saul" not in ratings, "the removal did not reach home")
    demo.nothing_to_do("home-backup")
    demo.say()
    demo.tell("Why is a record as it is? `explain` tells all that is known of it:")
    demo.run("explain", "home-backup", "seven samurai")


def guard(demo: Demo) -> None:
    demo.title("4. A guard: most of the backup is gone")
    demo.tell("Something empties most of a file. To a sync without guards this is a user who deletes:\n")
    demo.say()
    path = demo.data / "backup/ratings.json"
    whole = path.read_bytes()
    kept = 4
    lost = len(demo.rows("backup/ratings.json")) - kept
    demo.edit("backup/ratings.json", f"{lost} of {lost + kept} items lost", lambda rows: rows[:kept])
    before = demo.kept()
    demo.run("plan", "home-backup", code=4)
    names = {one["name"] for one in demo.plan("home-backup", code=4)["guards"]}
    demo.check("removes" in names, f"the guard `removes` should have stopped this, not {sorted(names)}")
    demo.say()
    demo.tell("With --apply it is the same: not one rating is written.")
    demo.run("run", "home-backup", "--apply", "-q", code=4)
    demo.check(demo.kept() == before, "a refused run changed a file")
    demo.ok("home-backup: a guard stopped the loss of most ratings, exit code 4")
    path.write_bytes(whole)
    demo.say("\nThe file is put back.")
    demo.nothing_to_do("home-backup")


def damage(demo: Demo) -> None:
    demo.title("5. A damaged file")
    demo.tell("Half of a file is missing. It is not read as half a list, nor as an empty one:\n")
    demo.say()
    path = demo.data / "home/ratings.json"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    demo.say(f"  home/ratings.json:     cut off after {len(whole) // 2} of {len(whole)} bytes")
    before = demo.kept()
    demo.run("run", "home-backup", "--apply", code=2)
    demo.check(demo.kept() == before, "a run on a damaged file changed something")
    demo.ok("home-backup: a damaged file is an error, exit code 2, and nothing is lost")
    path.write_bytes(whole)
    demo.say("\nThe file is put back.")
    demo.run("plan", "--all", "--detailed-exitcode")
    demo.ok("both pairs: in sync (an exit code of 10 would mean changes)")


def prepare(work: Path) -> None:
    """Make the work folder anew; one that is not ours is never removed."""
    if work.exists() and not (work / MARKER).is_file():
        if not work.is_dir() or any(work.iterdir()):
            raise DemoError(f"{work} is not a work folder of the demo; remove it, or name another one")
        work.rmdir()
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True)
    (work / MARKER).touch()
    shutil.copy(EXAMPLES / "pairs.toml", work)
    shutil.copytree(EXAMPLES / "demo", work / "demo")


def main(words: list[str]) -> int:
    if len(words) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    # Not resolved: a link into a virtual environment must be run as that link.
    command = Path(os.path.abspath(words[0]))  # noqa: PTH100
    work = Path(words[1]).absolute() if len(words) > 1 else EXAMPLES.parent / "demo-work"
    demo = Demo(command, work)
    began = time.monotonic()
    try:
        prepare(work)
        demo.tell(
            f"Everything happens on copies in {_short(work)}, and cwsync stands for {_short(command)}. "
            "To go on by hand afterwards:"
        )
        demo.say(f"\n  export CWSYNC_CONFIG={_short(work / 'pairs.toml')} CWSYNC_STATE_DIR={_short(demo.state)}")
        demo.say(f"  {_short(command)} status")
        for part in (one_way, two_way, edits, guard, damage):
            part(demo)
    except BrokenPipeError:  # whoever read our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (DemoError, OSError, LookupError, ValueError) as error:
        what = error if isinstance(error, (DemoError, OSError)) else repr(error)
        demo.say(f"\nDEMO FAILED: {what}")
        return 1
    demo.title("Summary")
    for what in demo.done:
        demo.say(f"ok  {what}")
    demo.say(f"\nAll {len(demo.done)} steps went as they should, in {time.monotonic() - began:.0f} s.")
    demo.say(f"The files are in {_short(work)}; the pairs are in {_short(work / 'pairs.toml')}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
