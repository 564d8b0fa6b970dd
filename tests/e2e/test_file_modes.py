"""Whose the files are: 0600 and 0700 whatever the umask and the command, and no symlink is ever written through."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.canary import Driver
from support.engine import SOAK
from support.figures import figure
from support.shell import TWO_TRACKERS, films, tree

# Some of what only reads is in the long form.
BRIEFLY = {"run", "status", "check", "explain both film", "history both", "undo both"}
LINES = [
    "plan --out plan.json",
    "run",
    "run --plan plan.json --apply",
    "run --apply",
    "status",
    "check",
    "explain both film",
    "history both",
    "undo both",
    "undo both --apply",
    "reset-state both --yes",
    "run --apply",
]
ENDINGS = (".json", ".jsonl")


class House:
    """A folder with a pair, and commands in it."""

    def __init__(self, folder: Path, driver: Driver) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.driver = driver
        folder.mkdir(exist_ok=True)
        (folder / "pairs.toml").write_text(TWO_TRACKERS)
        self.rate(range(5))

    def rate(self, numbers: Sequence[int]) -> None:
        """Let the source hold exactly these films."""
        (self.folder / "home").mkdir(exist_ok=True)
        rows = {"schema": 1, "feature": "ratings", "items": films(numbers)}
        (self.folder / "home" / "ratings.json").write_text(json.dumps(rows))

    def __call__(self, line: str, umask: int = 0o22) -> tuple[int, str]:
        """Run a command; its exit code and all it said."""
        words = [str(self.folder / word) if word == "plan.json" else word for word in line.split()]
        env = {"CWSYNC_CONFIG": str(self.folder / "pairs.toml"), "CWSYNC_STATE_DIR": str(self.state)}
        code, out, err = self.driver(*words, env=env, umask=umask)
        assert "Traceback" not in out + err
        assert "bug in cwsync" not in out + err
        return code, out + err


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    return Driver(tmp_path_factory.mktemp("driver"))


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_whatever_a_command_makes_is_the_owners_alone(tmp_path: Path, driver: Driver, umask: int) -> None:
    house = House(tmp_path, driver)
    mine = {tmp_path, tmp_path / "pairs.toml", tmp_path / "home", tmp_path / "home" / "ratings.json"}
    seen: set[Path] = set()
    for n, line in enumerate(line for line in LINES if SOAK or line not in BRIEFLY):
        code, told = house(line, umask)
        assert code == 0, (line, told)
        made = {tmp_path, *tmp_path.rglob("*")} - mine
        modes = {path: oct(path.lstat().st_mode & 0o777) for path in made}
        wrong = {path: mode for path, mode in modes.items() if mode != ("0o700" if path.is_dir() else "0o600")}
        assert wrong == {}, line
        seen |= made
        if "--apply" in line:
            house.rate(range(5 + n))
    names = {str(path.relative_to(tmp_path)) for path in seen}
    for name in ("plan.json", "state/locks/pair-both.lock", "state/pairs/both/backups/state-00000001.json"):
        assert name in names
    for folder in ("state/pairs/both/runs", "state/cache", "backup/snapshots"):
        assert [name for name in names if name.startswith(f"{folder}/")] or folder == "state/cache"


# --- symlinks ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, driver: Driver) -> Path:
    """A pair that has run a few times, with a change waiting."""
    house = House(tmp_path_factory.mktemp("template") / "house", driver)
    for top in (5, 6, 6):
        house.rate(range(top))
        assert house("run --apply")[0] == 0
    house.rate(range(1, 7))
    assert house("plan --out plan.json")[0] == 0
    shutil.copytree(house.folder, house.folder.with_name("pristine"))
    return house.folder


PAIR = "state/pairs/both"
# Where someone put a symlink, and what `run --apply` makes of it: 7 is refused, 0 is done without it.
PLACES = {
    "state/pairs": 7,
    PAIR: 7,
    f"{PAIR}/state.json": 7,
    f"{PAIR}/.state.json.tmp": 7,
    f"{PAIR}/journal.jsonl": 7,
    f"{PAIR}/last-run.json": 7,
    f"{PAIR}/.last-run.json.tmp": 7,
    f"{PAIR}/runs": 7,
    f"{PAIR}/backups": 7,
    f"{PAIR}/backups/state-00000002.json": 7,
    "state/locks": 7,
    "state/locks/account-home.lock": 7,
    "state/locks/pair-both.lock": 7,
    "state/locks/account-home.holder": 0,
    "state/locks/.pair-both.holder.tmp": 0,
    "state/cache": 0,
    "state/cache/both.json": 0,
    "state/cache/.both.json.tmp": 0,
    "backup/ratings.json": 2,
    "backup/.ratings.json.tmp": 7,
    "backup/snapshots": 7,
    "plan.json": 7,
    ".plan.json.tmp": 7,
}
# Met only when the writes are done and are to be remembered: they stay in the journal.
LATE = {
    f"{PAIR}/{name}"
    for name in (
        ".state.json.tmp",
        "runs",
        "backups",
        "backups/state-00000002.json",
        "last-run.json",
        ".last-run.json.tmp",
    )
}
OTHERS = [line for line in LINES if line not in ("run --apply", "run --plan plan.json --apply")]


def ids(house: House, account: str) -> list[str]:
    """What a tracker holds."""
    rows = json.loads((house.folder / account / "ratings.json").read_text())["items"]
    return sorted(row["ids"]["imdb"] for row in rows)


def linked(folder: Path, place: str, *, dangling: bool) -> tuple[Path, Path]:
    """Put a symlink at the place, to what was there, to a file of someone, or to nothing. Gives both ends."""
    path, victim = folder / place, folder / "victim"
    path.parent.mkdir(parents=True, exist_ok=True)
    there = os.path.lexists(path)
    if dangling:
        if there and path.is_dir():
            shutil.rmtree(path)
        elif there:
            path.unlink()
    elif there:
        path.rename(victim)
    elif path.suffix in ENDINGS or path.name.endswith((".tmp", ".lock", ".holder")):
        victim.write_bytes(b"of someone else")
    else:
        victim.mkdir()
    path.symlink_to(victim)
    return path, victim


# In the short form every second link leads to nothing.
@pytest.mark.parametrize(
    ("place", "dangling"),
    [(place, bool(way)) for n, place in enumerate(PLACES) for way in (0, 1) if SOAK or way == n % 2],
)
def test_a_symlink_is_refused_or_replaced_and_never_followed(
    template: Path, driver: Driver, place: str, dangling: bool
) -> None:
    # In its own place again: the id of a tracker is where it lies.
    shutil.rmtree(template)
    shutil.copytree(template.with_name("pristine"), template)
    house = House(template, driver)
    house.rate(range(1, 7))
    path, victim = linked(house.folder, place, dangling=dangling)
    before = tree(victim) if not dangling else {}
    expected = PLACES[place]
    for line in ("plan --out plan.json" if "plan.json" in place else "run --apply", *(OTHERS if SOAK else ())):
        backup = tree(house.folder / "backup")
        code, told = house(line)
        assert (tree(victim) if not dangling else {}) == before, (line, told)
        assert not dangling or not os.path.lexists(victim), (line, told)
        assert code != 1, told
        if code == 7:
            assert "hint: " in told
            assert "is a symlink" in told
            assert path.is_symlink()
            assert place in LATE or tree(house.folder / "backup") == backup
        if line in ("run --apply", "plan --out plan.json") and (line == "run --apply") is ("plan.json" not in place):
            assert code == expected, told
    if expected == 7 and (SOAK or (place in LATE and not dangling)):
        path.unlink()
        if not dangling and place != f"{PAIR}/journal.jsonl":
            victim.rename(path)
        (house.folder / "victim").unlink(missing_ok=True)
        code, told = house("run --apply")
        assert (code, ids(house, "backup")) == (0, ids(house, "home")), told
    figure("symlinks", f"{place}: {'nothing' if dangling else 'a file'} behind it, exit {expected}")
