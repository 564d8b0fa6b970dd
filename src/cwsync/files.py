"""Durable files: the one place that creates, replaces and syncs files.

Everything is owner-only whatever the umask, nothing is followed through a symlink, and a file is
replaced whole or not at all. Each step that touches the disk goes through `effect`, so that a test
can cut the power there.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from cwsync.errors import CwsyncError, StateError

Hook = Callable[[str, Path], None]
_hook: Hook | None = None


def set_effect_hook(hook: Hook | None) -> Hook | None:
    """Have `hook(name, path)` called before every effect on the disk; give back the one before."""
    global _hook
    before, _hook = _hook, hook
    return before


def effect(name: str, path: Path) -> None:
    """Announce an effect that is about to happen."""
    if _hook is not None:
        _hook(name, path)


def disk_error(error: OSError, path: Path) -> CwsyncError:
    """What an error of the disk means to the user: always that nothing more can be made durable."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StateError("the disk is full", where=str(path), hint="free some space, then run the same command again")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StateError(
            f"cannot write: {error.strerror}",
            where=str(path),
            hint="make the folder writable for this user, or name another with --state-dir",
        )
    return StateError(f"cannot write: {error.strerror or error}", where=str(path))


def refuse_symlink(path: Path) -> None:
    """Raise `StateError` when `path` is a symlink: someone else may own where it leads."""
    if path.is_symlink():
        raise StateError(
            f"is a symlink to {path.readlink()}",
            where=str(path),
            hint="replace it by a real file or folder, or name another place with --state-dir",
        )


def make_dir(path: Path) -> None:
    """Make a folder (and its parents), owner-only. One that exists keeps its mode."""
    refuse_symlink(path)
    if path.is_dir():
        return
    if not path.parent.exists():
        make_dir(path.parent)
    effect("mkdir", path)
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise disk_error(error, path) from error


def sync_dir(path: Path) -> None:
    """Make the names in a folder durable."""
    effect("fsync-dir", path)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_new(path: Path, *, append: bool = False) -> int:
    """Open a file for writing, owner-only, never through a symlink. Gives the descriptor."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_APPEND if append else os.O_TRUNC)
    effect("open", path)
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def write_all(descriptor: int, data: bytes, path: Path) -> None:
    """Write every byte; a short write goes on."""
    effect("write", path)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_file(descriptor: int, path: Path) -> None:
    """Make the bytes of a file durable. A failure is final: the kernel may have dropped them."""
    effect("fsync", path)
    os.fsync(descriptor)


def replace_file(path: Path, data: bytes, *, keep: Path | None = None) -> None:
    """Put `data` at `path`, durably, whole or not at all; `keep` names a link to the old content.

    Raises `StateError` with the old file untouched.
    """
    refuse_symlink(path)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        descriptor = open_new(temporary)
        try:
            write_all(descriptor, data, temporary)
            sync_file(descriptor, temporary)
        finally:
            os.close(descriptor)
        if keep is not None and path.exists():
            link_old(path, keep)
        effect("rename", path)
        temporary.replace(path)
        sync_dir(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise disk_error(error, path) from error


def link_old(path: Path, keep: Path) -> None:
    """Give the file at `path` a second name, `keep`, replacing what was there."""
    effect("link", keep)
    keep.unlink(missing_ok=True)
    os.link(path, keep, follow_symlinks=False)


def is_private(path: Path) -> bool:
    """Whether nobody but the owner can read or write the file."""
    return not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
