"""Durable files: the one place that creates, replaces and syncs files.

Everything is owner-only whatever the umask, nothing is followed through a symlink, and a file is
replaced whole or not at all. Each step that touches the disk goes through `effect`, so that a test
can cut the power there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from cwsync.errors import CwsyncError, StateError, UnavailableError

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
            hint="make the folder writable for this user (state can live elsewhere: --state-dir)",
        )
    hint = "nothing more was written; check the disk and the limits of this user (quota, ulimit -f), then run it again"
    return StateError(f"cannot write: {error.strerror or error}", where=str(path), hint=hint)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn every `OSError` of the block into the `StateError` of `disk_error`."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from error


def refuse_symlink(path: Path) -> None:
    """Raise `StateError` when `path` is a symlink: someone else may own where it leads."""
    try:
        where = path.readlink()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINVAL, errno.ENOTDIR):
            return
        raise unreadable(error, path) from error
    raise _is_symlink(path, where)


def _is_symlink(path: Path, where: Path) -> StateError:
    return StateError(
        f"is a symlink to {where}",
        where=str(path),
        hint="replace it by a real file or folder, or name another place with --state-dir",
    )


def unreadable(error: OSError, path: Path) -> StateError:
    """What is said of a path that cannot be read, with the way out."""
    hint = "check the disk, and the path: state can live elsewhere (--state-dir)"
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = "make it readable for this user"
    return StateError(f"cannot read: {error.strerror or error}", where=str(path), hint=hint)


def read_file(path: Path, limit: int = -1) -> bytes | None:
    """The bytes of a regular file (the first `limit` of them), or None when there is no file.

    Raises `StateError` for a symlink, for anything that is not a file, and when it cannot be read.
    Touches nothing.
    """
    refuse_symlink(path)
    try:
        # Non-blocking, since opening a pipe would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as stream:  # noqa: PTH123 - a descriptor has no path
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise StateError("is not a file", where=str(path), hint="move it away")
            return stream.read(limit)
    except FileNotFoundError:
        return None
    except IsADirectoryError as error:
        raise StateError("is not a file", where=str(path), hint="move it away") from error
    except OSError as error:
        raise unreadable(error, path) from error


def make_dir(path: Path) -> None:
    """Make a folder (and its parents), owner-only and durable. One that exists keeps its mode."""
    refuse_symlink(path)
    if path.is_dir():
        return
    if not path.parent.exists():
        make_dir(path.parent)
    with disk_errors(path):
        effect("mkdir", path)
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)
        sync_dir(path.parent)


def sync_dir(path: Path) -> None:
    """Make the names in a folder durable."""
    effect("fsync-dir", path)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder at all. That is not a sync that failed.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def writing_in(folder: Path) -> Iterator[None]:
    """Keep every other process that asks from writing in `folder` while the block runs.

    The lock is the kernel's and is on the folder itself, whatever name it was reached by. Raises
    `UnavailableError` when someone else has it. Where the file system knows no locks there is none.
    """
    with disk_errors(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "try again later; the same folder may stand under another name in a file of pairs"
            raise UnavailableError("another run is writing here", where=str(folder), hint=hint) from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL):
                raise disk_error(error, folder) from error
        yield
    finally:
        os.close(descriptor)


def open_new(path: Path) -> int:
    """Make a fresh file, owner-only, for writing. Gives the descriptor. A leftover is removed first."""
    refuse_symlink(path)
    if path.exists():
        remove_file(path)
    return create(path)


def create(path: Path) -> int:
    """Make a file that must not exist, owner-only, for appending. Gives the descriptor."""
    effect("open", path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_APPEND
    descriptor = os.open(path, flags, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def open_append(path: Path) -> int:
    """Open a file that exists, for appending. Gives the descriptor."""
    effect("open", path)
    return os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_APPEND)


def write_all(descriptor: int, data: bytes, path: Path) -> None:
    """Write every byte; a short write goes on."""
    effect("write", path)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def cut(descriptor: int, size: int, path: Path) -> None:
    """Drop what lies behind the first `size` bytes of a file."""
    effect("truncate", path)
    os.ftruncate(descriptor, size)


def sync_file(descriptor: int, path: Path) -> None:
    """Make the bytes of a file durable. A failure is final: the kernel may have dropped them."""
    effect("fsync", path)
    os.fsync(descriptor)


def replace_file(path: Path, data: bytes, *, keep: Path | None = None, durable: bool = True) -> None:
    """Put `data` at `path`, durably, whole or not at all; `keep` names a link to the old content.

    Raises `StateError`. The old file is then untouched, unless only the sync of the folder failed:
    then the new one is in place, and a power cut decides. Without `durable` nothing is synced.
    """
    refuse_symlink(path)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        _write_new(temporary, data, durable=durable)
        if keep is not None and path.exists():
            link_old(path, keep)
        effect("rename", path)
        temporary.replace(path)
        if durable:
            sync_dir(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise disk_error(error, path) from error


def _write_new(path: Path, data: bytes, *, durable: bool) -> None:
    descriptor = open_new(path)
    try:
        write_all(descriptor, data, path)
        if durable:
            sync_file(descriptor, path)
    finally:
        os.close(descriptor)


_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})


def link_old(path: Path, keep: Path) -> None:
    """Give the file at `path` a second name, `keep`, replacing what was there; durably.

    Where the file system knows no links, `keep` is a copy. Raises `OSError`.
    """
    refuse_symlink(keep)
    if keep.exists():
        remove_file(keep)
    try:
        effect("link", keep)
        os.link(path, keep, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _write_new(keep, path.read_bytes(), durable=True)
    sync_dir(keep.parent)


def move(path: Path, to: Path) -> None:
    """Rename a file or a folder, durably. Raises `OSError`; `to` must not be there."""
    if to.exists():
        raise FileExistsError(errno.EEXIST, "is there already", str(to))
    effect("rename", to)
    path.rename(to)
    sync_dir(to.parent)
    if path.parent != to.parent:
        sync_dir(path.parent)


def remove_file(path: Path) -> None:
    """Remove a file that may be gone already. Raises `OSError`."""
    effect("unlink", path)
    path.unlink(missing_ok=True)


def is_private(path: Path) -> bool:
    """Whether nobody but the owner can read or write the file."""
    return not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
