"""Who may work on an account or a pair: kernel locks, so that a run that dies lets go at once.

A lock is never broken because of its age. Beside each lock file lies `NAME.holder`, which says who
has it; that is for people only and decides nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from cwsync import files
from cwsync.errors import LockedError, StateError
from cwsync.model import format_when
from cwsync.state import strict

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,80}")
_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Who holds a lock, for those who have to wait: the command and when it began."""

    command: str
    started_at: datetime


class Locks:
    """Several locks at once, for a ``with`` block; taken in the order of `names`, all or none.

    `timeout_s` bounds the wait for all of them together; 0 tries once, None waits for ever. Raises
    `LockedError` when another run has one of them, `StateError` for a symlink in the way or for a
    file system that has no kernel locks.
    """

    def __init__(self, state_dir: Path, names: Sequence[str], timeout_s: float | None, run_info: RunInfo) -> None:
        for name in names:
            if not _NAME.fullmatch(name):
                raise ValueError(f"not the name of a lock: {name!r}")
        self.folder = state_dir / "locks"
        self.names = tuple(names)
        self._timeout_s = timeout_s
        self._info = run_info
        self._held = contextlib.ExitStack()
        self._taken: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        deadline = None if self._timeout_s is None else time.monotonic() + self._timeout_s
        files.make_dir(self.folder)
        with contextlib.ExitStack() as taken:
            for name in self.names:
                taken.enter_context(self._lock(name, deadline))
                self._say_holder(name)
                taken.callback(self._unsay_holder, name)
            self._held = taken.pop_all()
        self._taken = frozenset(self.names)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._taken = frozenset()
        self._held.close()

    def holds(self, name: str) -> bool:
        """Whether this object holds the lock `name` now."""
        return name in self._taken

    @contextlib.contextmanager
    def _lock(self, name: str, deadline: float | None) -> Iterator[None]:
        path = self.folder / f"{name}.lock"
        files.refuse_symlink(path)
        with files.disk_errors(path), contextlib.suppress(FileExistsError):
            os.close(files.create(path))
        # Not bound to a thread: a lock may be let go by another thread than the one that took it.
        lock: BaseFileLock = FileLock(path, thread_local=False)
        left = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            lock.acquire(timeout=left, poll_interval=_POLL_S)
        except Timeout:
            raise self._locked(name, path) from None
        except OSError as error:
            raise files.disk_error(error, path) from error
        except NotImplementedError as error:
            # What the library says of a file system without locks of the kernel.
            raise _no_kernel_locks(path) from error
        with contextlib.ExitStack() as stack:
            stack.callback(lock.release, force=True)
            if isinstance(lock, SoftFileLock):
                raise _no_kernel_locks(path)
            yield

    def _locked(self, name: str, path: Path) -> LockedError:
        holder = _read_holder(self._holder_path(name))
        return LockedError(
            f"another run holds this lock{f' ({holder})' if holder else ''}",
            where=str(path),
            hint="try again later, or wait for it with `--lock-timeout SECONDS` or `--if-locked wait`",
        )

    def _holder_path(self, name: str) -> Path:
        return self.folder / f"{name}.holder"

    def _say_holder(self, name: str) -> None:
        info = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "started_at": format_when(self._info.started_at),
            "command": self._info.command,
        }
        # The lock is ours with or without a note about it.
        with contextlib.suppress(StateError):
            files.replace_file(self._holder_path(name), f"{strict.dumps(info)}\n".encode("ascii"), durable=False)

    def _unsay_holder(self, name: str) -> None:
        with contextlib.suppress(OSError):
            files.remove_file(self._holder_path(name))


def _no_kernel_locks(path: Path) -> StateError:
    return StateError(
        "this file system has no kernel locks, so two runs could meet",
        where=str(path),
        hint="put the state on a local file system with --state-dir",
    )


def _read_holder(path: Path) -> str | None:
    """Who holds a lock, in words; None when the note may be that of a run that is gone."""
    try:
        info = strict.table(strict.loads(files.read_file(path) or b""))
        pid, host = strict.member(info, "pid", int), strict.member(info, "host", str)
        since = format_when(strict.instant(info.get("started_at")).replace(microsecond=0))
    except (ValueError, StateError):
        return None
    if host != socket.gethostname():
        return f"process {pid} on {host}, started {since}"
    return f"process {pid}, started {since}" if _is_alive(pid) else None


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # someone else's, but there
    except (OSError, OverflowError):
        return False
    return True
