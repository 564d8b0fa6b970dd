"""A house to break into: a folder with a file, three accounts and state, and the command inside this process.

In process, because a fuzzer needs hundreds of runs a minute. What a process of its own would not share
is put back after each command: both streams, stdin, the environment, the log, the collector, the signals.
"""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final
from unittest.mock import patch

from cwsync import files
from cwsync.__main__ import main
from support.shell import tree

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
# What a command may answer. 130 and 143 need a signal, and nobody sends one here.
CODES: Final = frozenset({0, 2, 3, 4, 6, 7, 10, 75})
CANARY: Final = "c4n4ry-of-a-s3cret"
LIMIT_S: Final = 60.0
JOURNAL_OF: Final = "home-backup"


class HangError(BaseException):
    """The work is not bounded. Not an ``Exception``: the command's own last handler must not eat it."""


@contextmanager
def bounded(seconds: float = LIMIT_S) -> Iterator[None]:
    """Fail what takes so long that no input can be the reason. A wall for endless work, not a measure of speed."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise HangError(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


TAKES: Final = frozenset(
    {
        *("-c", "--config", "--state-dir", "--log-format", "--feature", "--limit", "--since", "--until", "--out"),
        *("--plan", "--accept", "--lock-timeout", "--if-locked", "--max-age"),
    }
)


@dataclass(frozen=True)
class Told:
    """What a command answered."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    def check(self) -> Told:
        """The claims that hold for every input there is."""
        assert self.code in CODES, self
        both = self.out + self.err
        assert "Traceback" not in both, self
        assert "bug in cwsync" not in both, self
        assert CANARY not in both, self
        words = _no_values(self.argv)
        in_words = self.code == 0 and {"-V", "--version", "-h", "--help"} & set(words)
        if "--json" in words and not in_words:
            self._check_json()
        elif self.code in (2, 7) and "FAILED" not in self.out:  # `check` says it in its table
            assert "error: " in self.err, self
            # A word of the command line that is wrong may be all that there is to say.
            assert "hint: " in self.err or self.code == 2, self
        return self

    def _check_json(self) -> None:
        if self.out:
            assert isinstance(json.loads(self.out), dict), self
        else:
            error = json.loads(self.err.splitlines()[-1])["error"]
            assert error["message"], self


def _no_values(argv: Sequence[str]) -> list[str]:
    """The words up to ``--``, but for the values of options: behind `-c`, `--json` is the name of a file."""
    words, rest = [], iter(argv)
    for word in rest:
        if word == "--":
            break
        if word.startswith(("--version=", "--help=")):
            words.append(word.partition("=")[0])  # these flags take no notice of a value
            continue
        words.append(word)
        if word in TAKES:
            next(rest, None)
    return words


class House:
    """The folder of the examples, in step but for a few edits, with a saved plan and a journal to try out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.plan = folder / "plan.json"
        self.kept = folder.with_name(f"{folder.name}-kept")

    @classmethod
    def build(cls, folder: Path) -> House:
        """A house that can be put back: synced once, then edited on both sides, so that there is something to do."""
        shutil.copytree(EXAMPLES, folder)
        house = cls(folder)
        for _ in range(2):  # the second run leaves the evidence of a still world
            assert house("run", "--all", "--apply").code == 0
        edit(folder / "demo/home/ratings.json", lambda rows: [rows[0] | {"rating": 5, "note": "mine"}, *rows[1:]])
        edit(folder / "demo/home/progress.json", lambda rows: rows[1:])
        edit(folder / "demo/backup/watchlist.json", lambda rows: rows[1:])
        assert house("plan", JOURNAL_OF, "--out", str(house.plan)).code == 0
        shutil.copytree(folder, house.kept)
        return house

    def restore(self) -> None:
        """Put everything back, at the same place: a tracker is known by where it lies."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.kept, self.folder)

    def pair(self, name: str = JOURNAL_OF) -> Path:
        """The state of a pair."""
        return self.state / "pairs" / name

    def finished(self) -> Path:
        """The journal of the run that put both sides in step."""
        (path,) = self.pair().joinpath("runs").iterdir()
        return path

    def unfinished(self) -> bytes:
        """That journal as a crash before the commit would have left it."""
        return b"".join(self.finished().read_bytes().splitlines(keepends=True)[:-2])

    def data(self, name: str = "*.json") -> dict[str, bytes]:
        """Every byte of both trackers and the baselines: what a refused run may not touch. Or of files called so."""
        found = [*self.folder.glob(f"demo/*/{name}"), *self.state.glob(f"pairs/*/{name}")]
        found = [path for path in found if path.name != "last-run.json"]
        return {str(path): path.read_bytes() for path in sorted(found)}

    def tree(self) -> dict[str, object]:
        """Everything, with modes and times."""
        return tree(self.folder)

    def __call__(self, *argv: str, env: Mapping[str, str] | None = None, encoding: str = "utf-8") -> Told:
        """Run one command line in this process."""
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding, "strict", write_through=True) for _ in range(2))
        environ = {
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "CWSYNC_CONFIG": str(self.folder / "pairs.toml"),
            "CWSYNC_STATE_DIR": str(self.state),
            **(env or {}),
        }
        with bounded(), _alone(environ, self.folder), _streams(out, err):
            try:
                code = main(argv)
            except SystemExit as leave:
                code = leave.code if isinstance(leave.code, int) else 1
        return Told(argv, code, _text(out), _text(err))


def edit(path: Path, change: Callable[[list[Any]], list[Any]]) -> None:
    """Change the rows of a tracker file."""
    document = json.loads(path.read_bytes())
    document["items"] = change(document["items"])
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _text(stream: io.TextIOWrapper) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(stream.encoding)


@contextmanager
def _streams(out: io.TextIOWrapper, err: io.TextIOWrapper) -> Iterator[None]:
    with patch.object(sys, "stdout", out), patch.object(sys, "stderr", err), patch.object(sys, "stdin", io.StringIO()):
        yield


@contextmanager
def _alone(environ: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Give back what a command leaves behind in its process, which it takes for its own."""
    log = logging.getLogger("cwsync")
    kept = (list(log.handlers), log.propagate, log.level)
    where = Path.cwd()
    os.chdir(folder)
    hook = files.set_effect_hook(None)
    try:
        with patch.dict(os.environ, environ, clear=True):
            yield
    finally:
        files.set_effect_hook(hook)
        os.chdir(where)
        log.handlers, log.propagate = kept[0], kept[1]
        log.setLevel(kept[2])
        gc.enable()
