"""The real command in real processes, in a folder of its own: what a person at a shell has.

Plain commands and those on a terminal are forked from a parent that has loaded everything (`support.warm`);
`start`, `behind` and `after` start a process from nothing.

Nothing of the environment is passed on but what Python needs to start, so neither the user's own
configuration nor their state can be reached.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import shlex
import shutil
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import pytest

from support.httpserver import Handler, Request, Server, hold
from support.warm import TIMEOUT_S, Streams, program, shared

# Two folders.
# How long a person waits until they press Ctrl-C once more.
PATIENCE_S: Final = 5.0
TRACKERS: Final = """\
[accounts.home]
provider = "tracker"
path = "home"
[accounts.backup]
provider = "tracker"
path = "backup"
"""
# Two folders in step, ratings only: the pair of every test that is about something else.
TWO_TRACKERS: Final = f"""{TRACKERS}\
[pairs.both]
source = "home"
target = "backup"
mode = "two-way"
[pairs.both.ratings]
remove = true
"""


@dataclass(frozen=True)
class Done:
    """What a process left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def pair(self) -> Any:
        """The report of the only pair."""
        (pair,) = self.json["pairs"]
        return pair

    @property
    def failure(self) -> Any:
        """The one JSON object on stderr, with nothing on stdout."""
        assert self.out == ""
        return json.loads(self.err)["error"]

    def clean(self) -> bool:
        """Whether this is an answer and no crash."""
        return "Traceback" not in self.out + self.err and "bug in cwsync" not in self.out + self.err


class Shell:
    """A folder with a `pairs.toml`, a home and a state folder; and the command to run in it.

    State is in ``state`` (made by the first run that writes), the home is empty.
    """

    # What a provider of the tests needs to be registered, as ``module:function``.
    also = ""

    def __init__(self, folder: Path, pairs: str) -> None:
        self.folder = folder
        self.file = folder / "pairs.toml"
        self.state = folder / "state"
        self.home = folder / "home-of-user"
        self.home.mkdir()
        self.file.write_text(pairs, encoding="utf-8")
        self.before: list[str] = []
        self.warm = True
        self.umask: int | None = None
        self.environ = {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "CWSYNC_CONFIG": str(self.file),
            "CWSYNC_STATE_DIR": str(self.state),
        }

    # --- processes ------------------------------------------------------------------------------

    def words(self, line: str, more: Sequence[str] = ()) -> list[str]:
        """The process behind a line as people type it; `more` are words that need no quotes."""
        return [*self.before, *program(self.also), *self.typed(line, more)]

    def typed(self, line: str, more: Sequence[str] = ()) -> list[str]:
        """The words behind the program's name."""
        words = shlex.split(line)
        return [*words[words[:1] == ["cwsync"] :], *more]

    def env(self, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """The environment with `more` laid over it; None takes a variable away."""
        both = {**self.environ, **(more or {})}
        return {name: text for name, text in both.items() if text is not None}

    def cold(self) -> Self:
        """The same, with every command in a process that loads everything itself."""
        other = copy(self)
        other.warm = False
        return other

    def behind(self, *words: str) -> Self:
        """The same, with every command behind these words: ``setpriv ...``, ``sh -c ...``."""
        other = self.cold()
        other.before = [*words, *self.before]
        # Another user or umask must not leave its mark on the compiled modules of the project.
        other.environ = {**self.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        return other

    def after(self, script: str) -> Self:
        """The same, from a shell that did this first: ``umask 0``, ``exec >&-``."""
        return self.behind("sh", "-c", f'{script}; exec "$@"', "sh")

    def __call__(self, line: str, *more: str, env: Mapping[str, str | None] | None = None) -> Done:
        """Run a command to its end."""
        if not self.warm:
            with self.start(line, *more, env=env) as process:
                return finish(process)
        notes = self.folder.with_name(f"{self.folder.name}-said")
        streams = Streams(f"{notes}.out", f"{notes}.err")
        words = self.typed(line, more)
        code = shared(self.also).run(words, self.folder, self.env(env), streams, umask=self.umask)
        told = [Path(path).read_bytes().decode() for path in (streams.out, streams.err)]
        for path in (streams.out, streams.err):
            Path(path).unlink()
        return Done(code, *told)

    def start(self, line: str, *more: str, env: Mapping[str, str | None] | None = None) -> subprocess.Popen[bytes]:
        """Run a command without waiting for it; `finish` does."""
        return subprocess.Popen(
            self.words(line, more),
            cwd=self.folder,
            env=self.env(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def terminal(
        self,
        line: str,
        *more: str,
        columns: int = 80,
        env: Mapping[str, str | None] | None = None,
        talk: Sequence[tuple[str, str]] = (),
    ) -> tuple[int, str]:
        """Run a command on a terminal. Gives its exit code and what stood on the screen.

        `talk` is what to wait for and what to type then, ``^C`` to interrupt; only with it is stderr on the
        terminal too.
        """
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        screen = os.ttyname(theirs)
        words = self.typed(line, more)
        told = b""

        def meanwhile(pid: int) -> None:
            nonlocal told
            os.close(theirs)
            told = _typed(ours, pid, talk)

        try:
            environ = self.env({"TERM": "xterm-256color", **(env or {})})
            streams = Streams(screen, screen if talk else os.devnull, screen)
            code = shared(self.also).run(words, self.folder, environ, streams, meanwhile=meanwhile)
            return code, told.decode("utf-8").replace("\r\n", "\n")
        finally:
            os.close(ours)

    # --- accounts -------------------------------------------------------------------------------

    def put(self, account: str, *rows: Mapping[str, object], feature: str = "ratings") -> None:
        """Let a tracker hold exactly these rows."""
        self.path(account, feature).parent.mkdir(exist_ok=True)
        document = {"schema": 1, "feature": feature, "items": rows}
        self.path(account, feature).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")

    def held(self, account: str, feature: str = "ratings") -> list[dict[str, Any]]:
        """The rows of a tracker, none when it has no such file."""
        path = self.path(account, feature)
        rows: list[dict[str, Any]] = json.loads(path.read_bytes())["items"] if path.exists() else []
        return rows

    def scores(self, account: str) -> dict[str, float]:
        """What a tracker holds as ratings, by IMDb id."""
        return {row["ids"]["imdb"]: row["rating"] for row in self.held(account)}

    def secret(self, file: str, text: str) -> None:
        """Have a secret in a file that nobody else may read."""
        path = self.folder / file
        path.touch(0o600)
        path.write_text(text, encoding="utf-8")

    def path(self, account: str, feature: str = "ratings") -> Path:
        """The file of one feature of a tracker."""
        return self.folder / account / f"{feature}.json"

    # --- state ----------------------------------------------------------------------------------

    def pair_folder(self, pair: str) -> Path:
        """The state of a pair."""
        return self.state / "pairs" / pair

    def marks(self, *but: str) -> dict[str, object]:
        """Every file and folder here: its mode, its time and its bytes; files called `but` left out."""
        return tree(self.folder, *but)


def finish(process: subprocess.Popen[bytes]) -> Done:
    """Wait for a process, no longer than `TIMEOUT_S`, and for what it says."""
    try:
        out, err = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Done(process.returncode, (out or b"").decode(), (err or b"").decode())


def killed(shell: Shell, server: Server, line: str = "run --apply", **request: Any) -> None:
    """Kill a command while a request of it is under way, which the service then handles; nobody hears the answer.

    `request` says which one, as for `Server.fault`.
    """
    reached, go, landed = threading.Event(), threading.Event(), threading.Event()

    def late(asked: Request, handler: Handler) -> None:
        handler(asked)
        landed.set()

    server.fault(hold(go, late, entered=reached), **request)
    with shell.start(line) as process:
        until(reached.is_set, "the request")
        process.kill()
        finish(process)
    go.set()
    assert landed.wait(TIMEOUT_S)


def tree(folder: Path, *but: str) -> dict[str, object]:
    """Everything under a folder: mode, time of the last change, bytes. Files called `but` are left out."""
    found: dict[str, object] = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        if path.name not in but:
            status = path.lstat()
            data = path.read_bytes() if path.is_file() and not path.is_symlink() else None
            found[str(path)] = (status.st_mode, status.st_mtime_ns, data)
    return found


def data_of(folder: Path) -> dict[str, bytes]:
    """The bytes of every file under a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def film(number: int, rating: float | None = None, **more: object) -> dict[str, object]:
    """A film with an id, as a row of a tracker: Film 7 is tt1000007."""
    row: dict[str, object] = {
        "type": "movie",
        "title": f"Film {number}",
        "year": 2000,
        "ids": {"imdb": f"tt{1000000 + number}"},
    }
    return row | ({} if rating is None else {"rating": rating, "rated_at": None}) | more


def films(numbers: Iterable[int], rating: float = 8) -> list[dict[str, object]]:
    """Rated films."""
    return [film(number, rating) for number in numbers]


def unprivileged() -> list[str]:
    """Words before a command for which the modes of files count, whoever runs the tests.

    For root they do not, but for the capability to pass them by. So root does without.
    """
    if os.geteuid() != 0:
        return []
    words = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    if shutil.which("setpriv") is None or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("for root no file is unreadable, and there is no setpriv to change that")
    return words


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own at a new folder; the test is skipped where it may not mount one."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "cwsync-test", str(folder)]
    if os.geteuid() or subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs rights that the tests do not have here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + TIMEOUT_S
    while not true():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.002)


def _typed(terminal: int, pid: int, talk: Sequence[tuple[str, str]]) -> bytes:
    """Read a screen to its end, and type."""
    told, left, answered, interrupted = b"", list(talk), 0, False
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        patience = max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([terminal], [], [], min(patience, PATIENCE_S) if interrupted else patience)
        if not ready and interrupted and patience:
            # Python hears of a signal just before it waits for a line only after that line: people press again.
            os.kill(pid, signal.SIGINT)
            continue
        assert ready, f"the terminal is silent after {told[-200:]!r}"
        try:
            part = os.read(terminal, 65536)
        except OSError:  # how a terminal says that nobody holds its other end
            return told
        if not part:
            return told
        told += part
        if left and left[0][0].encode() in told[answered:]:
            answer, answered = left.pop(0)[1], len(told)
            interrupted = answer == "^C"
            if interrupted:
                os.kill(pid, signal.SIGINT)
            else:
                os.write(terminal, answer.encode())
