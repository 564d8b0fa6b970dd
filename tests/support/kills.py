"""Real processes of the real command, killed or signalled for real, and what must stand afterwards."""

from __future__ import annotations

import json
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cwsync.model import Feature
from cwsync.state import PairStore, read_journal
from support.shell import Done, Shell, until
from support.warm import TIMEOUT_S

TESTS: Final = Path(__file__).parents[1]


class Server:
    """The warm parent of `support.launcher`, in a process of its own."""

    def __init__(self) -> None:
        code = "from support.launcher import serve; serve()"
        path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.count = 0

    def ask(self, order: Mapping[str, object]) -> int:
        """Give an order, and its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], TIMEOUT_S)
        assert ready, f"no answer to {order}"
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End; what was forked and hangs is ended by who started it."""
        self._process.kill()
        self._process.communicate()


@dataclass
class Running:
    """A process of the command."""

    server: Server
    pid: int
    where: Path
    done: Done | None = None

    def send(self, signum: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, signum)

    def finish(self) -> Done:
        """Wait for its end. The code of one that was killed is minus the signal, as in `subprocess`."""
        if self.done is None:
            try:
                code = self.server.ask({"wait": self.pid})
            except AssertionError:
                self.send(signal.SIGKILL)
                raise
            self.done = Done(code, *[self.where.with_suffix(end).read_text("utf-8") for end in (".out", ".err")])
        return self.done

    @property
    def effects(self) -> list[str]:
        """The effects that it announced, in order: ``rename /tmp/x/state/...``."""
        return self.where.with_suffix(".log").read_text("utf-8").splitlines()


class Lab:
    """A folder of accounts and state that can be put back as it was, and the command in it."""

    def __init__(self, folder: Path, pairs: str, server: Server) -> None:
        self._base = folder
        (folder / "work").mkdir(parents=True)
        (folder / "logs").mkdir()
        self.shell = Shell(folder / "work", pairs)
        self.server = server

    def start(self, line: str, signals: Mapping[int, int] | None = None) -> Running:
        """Start a command that sends itself ``signals[n]`` right before its effect number n."""
        self.server.count += 1
        where = self._base / "logs" / str(self.server.count)
        names = {name: str(where.with_suffix(f".{name}")) for name in ("out", "err", "log")}
        for name in names.values():
            Path(name).touch()
        shell = self.shell
        about = {"cwd": str(shell.folder), "env": shell.env(), "signals": dict(signals or {})}
        return Running(self.server, self.server.ask({"args": shlex.split(line), **about, **names}), where)

    def run(self, line: str, signals: Mapping[int, int] | None = None) -> Running:
        """Run a command to its end."""
        running = self.start(line, signals)
        running.finish()
        return running

    def keep(self) -> None:
        """Remember everything as it is now."""
        shutil.copytree(self.shell.folder, self._base / "kept", symlinks=True, dirs_exist_ok=False)

    def restore(self) -> None:
        """Put everything back as it was kept, in the same place: an account is known by where it is."""
        shutil.rmtree(self.shell.folder)
        shutil.copytree(self._base / "kept", self.shell.folder, symlinks=True)

    # --- gates ----------------------------------------------------------------------------------

    def shut(self, step: str, *, hard: bool = False) -> None:
        """Let every `gated` account wait at a step."""
        folder = self.shell.folder / "gates"
        folder.mkdir(exist_ok=True)
        (folder / step).write_bytes(b"hard" if hard else b"")

    def open(self, step: str) -> None:
        """Let them go on."""
        (self.shell.folder / "gates" / step).unlink()

    def notes(self) -> list[tuple[int, str, str]]:
        """Who passed which step of which account, in order."""
        path = self.shell.folder / "notes.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        return [(pid, step, about) for pid, step, about in map(json.loads, lines)]

    def until_at(self, step: str, pid: int) -> None:
        """Wait until a process waits at a gate."""
        until(lambda: any(note[:2] == (pid, f"at {step}") for note in self.notes()), f"a process at {step}")

    # --- what stands ----------------------------------------------------------------------------

    def accounts(self) -> dict[str, list[str]]:
        """What every account holds, in no order. Moments of this test are no part of it."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.shell.folder.glob("*/*.json")):
            if path.stem in [feature.value for feature in Feature]:
                rows = self.shell.held(path.parent.name, path.stem)
                found[f"{path.parent.name}/{path.stem}"] = sorted(json.dumps(row, sort_keys=True) for row in rows)
        return found

    def litter(self) -> list[str]:
        """Files that only exist while something is being written."""
        return [path.name for path in self.shell.folder.rglob("*") if path.name.endswith((".tmp", ".holder"))]

    def durable(self) -> dict[str, bytes]:
        """Every byte but of what a still run may change: locks, evidence of what was read, when it was last run."""
        folder = self.shell.folder
        found = {}
        for path in sorted(folder.rglob("*")):
            parts = path.relative_to(folder).parts
            if path.is_file() and not {"locks", "cache", "last-run.json", "notes.jsonl"} & set(parts):
                found["/".join(parts)] = path.read_bytes()
        return found

    def check_journals(self) -> None:
        """Every journal that was put aside can be read to its end."""
        for path in self.shell.state.glob("pairs/*/runs/*.jsonl"):
            read_journal(path)

    def check_settled(self, line: str, expected: Mapping[str, list[str]], what: str) -> None:
        """Nothing is lost or doubled, nothing is unfinished, and the next run has nothing to do."""
        assert self.accounts() == expected, what
        for folder in self.shell.state.glob("pairs/*"):
            assert not (folder / "journal.jsonl").exists(), what
            assert PairStore(self.shell.state, folder.name).peek() is not None, what
        self.check_journals()
        before = self.durable()
        still = self.run(f"{line} --json").finish()
        assert (still.code, [pair["changes"] for pair in still.json["pairs"]]) == (
            0,
            [[] for _ in still.json["pairs"]],
        ), what
        assert self.durable() == before, what
        assert self.litter() == [], what


# --- scenes --------------------------------------------------------------------------------------


def pairs_toml(*pairs: str, provider: str = "tracker") -> str:
    """A file of pairs given as ``SOURCE TARGET MODE FEATURE,FEATURE [RULE = VALUE; ...]``."""
    names: dict[str, None] = {}
    text = ""
    for pair in pairs:
        source, target, mode, features, rules = [*pair.split(" ", 4), ""][:5]
        names |= {source: None, target: None}
        text += f'[pairs.{source}-{target}]\nsource = "{source}"\ntarget = "{target}"\nmode = "{mode}"\n'
        for feature in features.split(","):
            text += f"[pairs.{source}-{target}.{feature}]\nremove = true\n" + "".join(
                f"{rule.strip()}\n" for rule in rules.split(";") if rule
            )
    return "".join(f'[accounts.{n}]\nprovider = "{provider}"\npath = "{n}"\n' for n in names) + text


Row = Callable[[int, int], dict[str, object]]
_DATE: Final = "2024-0{}-01T12:00:00Z"


def row(feature: str, number: int, value: int = 1) -> dict[str, object]:
    """Film `number` as a record of a feature; `value` (1 to 9) tells its values apart."""
    date = _DATE.format(value)
    values: dict[str, dict[str, object]] = {
        "ratings": {"rating": value, "rated_at": date},
        "watchlist": {"listed_at": date},
        "history": {"watched_at": date},
        "progress": {"position_ms": 60_000 * value, "duration_ms": 6_000_000, "updated_at": date},
    }
    ids = {"imdb": f"tt{1000000 + number}"}
    return {"type": "movie", "title": f"Film {number}", "year": 2000, "ids": ids} | values[feature]


def hold(shell: Shell, account: str, feature: str, *rows: tuple[int, int]) -> None:
    """Let an account hold films with values."""
    shell.put(account, *(row(feature, number, value) for number, value in rows), feature=feature)


ALL: Final = ("history", "watchlist", "ratings", "progress")
STEADY: Final = tuple((number, 1) for number in range(1, 13))


@dataclass(frozen=True)
class Scene:
    """What is there before a run; `known` is what both sides agreed on in a run before."""

    pairs: str
    edit: Callable[[Shell], None]
    known: tuple[str, ...] = ()
    line: str = "run --all --apply"
    rounds: int = 1
    killed_before: float | None = None

    def prepare(self, folder: Path, server: Server) -> Lab:
        """Everything up to the run that is to be killed."""
        lab = Lab(folder, self.pairs, server)
        for name in self.known:
            account, feature = name.split("/")
            hold(lab.shell, account, feature, *STEADY)
        if self.known:
            first = lab.run("run --all --apply -q").finish()
            assert first.code == 0, first
        self.edit(lab.shell)
        if self.killed_before is not None:
            self._kill_before(lab)
        lab.keep()
        return lab

    def _kill_before(self, lab: Lab) -> None:
        kept = lab.shell.folder.with_name("first")
        shutil.copytree(lab.shell.folder, kept)
        effects = lab.run(self.line).effects
        shutil.rmtree(lab.shell.folder)
        kept.rename(lab.shell.folder)
        at = round(len(effects) * self.killed_before) if self.killed_before else 1
        assert lab.run(self.line, {at: signal.SIGKILL}).finish().code == -signal.SIGKILL


def _first(shell: Shell) -> None:
    hold(shell, "a", "ratings", (1, 1), (2, 2), (3, 3))
    hold(shell, "b", "ratings", (3, 3), (4, 4), (5, 5))


def _both(shell: Shell) -> None:
    for feature in ("ratings", "watchlist"):
        hold(shell, "a", feature, *STEADY[2:], (20, 2))
        hold(shell, "b", feature, *STEADY[:5], *STEADY[6:], (21, 3))


def _updates(shell: Shell) -> None:
    hold(shell, "a", "ratings", (1, 7), (2, 8), *STEADY[2:], (30, 9))


def _four(shell: Shell) -> None:
    for feature in ALL:
        hold(shell, "a", feature, *STEADY[1:], (20, 4))
        hold(shell, "b", feature, *STEADY, (21, 5))


def _plays(shell: Shell) -> None:
    hold(shell, "a", "history", *STEADY[1:], (2, 2), (2, 3), (30, 1))
    hold(shell, "b", "history", *STEADY, (3, 4), (3, 5))


def _three(shell: Shell) -> None:
    hold(shell, "a", "ratings", (1, 1), (2, 2))
    hold(shell, "c", "ratings", (2, 2), (3, 3))
    hold(shell, "d", "watchlist", (7, 1))


_FOUR: Final = pairs_toml("a b two-way history,watchlist,ratings,progress")
_KNOWN: Final = tuple(f"a/{feature}" for feature in ALL)
SCENES: Final[dict[str, Scene]] = {
    "first": Scene(pairs_toml("a b two-way ratings"), _first),
    "both sides": Scene(pairs_toml("a b two-way watchlist,ratings"), _both, ("a/ratings", "a/watchlist")),
    "one-way": Scene(pairs_toml("a b one-way ratings"), _updates, ("a/ratings",)),
    "four features": Scene(_FOUR, _four, _KNOWN),
    "all plays": Scene(pairs_toml('a b two-way history plays = "all"'), _plays, ("a/history",)),
    "recovery": Scene(_FOUR, _four, _KNOWN, killed_before=0.5),
    "three pairs": Scene(
        pairs_toml("a b two-way ratings", "b c two-way ratings", "d e one-way watchlist"),
        _three,
        rounds=2,
    ),
}

# --- strace --------------------------------------------------------------------------------------

CALLS: Final = (
    "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,link,linkat,mkdir,mkdirat,ftruncate"
)
_CALL: Final = re.compile(r"^\d+ +(\w+)\((.*)")


def strace_missing() -> str | None:
    """Why there can be no kills by strace here; None when there can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, check=False)
    return f"strace may not trace here: {probe.stderr.decode().strip()}" if probe.returncode else None


def traced(lab: Lab, line: str, *inject: str) -> tuple[int, list[tuple[str, str]]]:
    """Run a command under strace. Gives its exit code and its calls: the name, and the rest of the line."""
    log = lab.shell.folder.with_name("strace.log")
    shell = lab.shell.behind("strace", "-f", "-y", "-qq", "-o", str(log), "-e", f"trace={CALLS}", *inject)
    done: Any = shell(line)
    found = [match.groups() for match in map(_CALL.match, log.read_text("utf-8").splitlines()) if match]
    return done.code, [(name, rest) for name, rest in found]
