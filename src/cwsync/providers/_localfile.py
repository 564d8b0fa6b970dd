"""What the providers that read local files share: one careful read, and names for rows.

A file that cannot be read is always a `DataError`, never an empty feature.
"""

from __future__ import annotations

import errno
import gc
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cwsync.errors import DataError
from cwsync.model import Item, Kind

MAX_BYTES: Final = 512 * 1024 * 1024
_SAVE_AS_UTF8: Final = "save it as UTF-8, or bring back an older copy"


def read_file(path: Path, *, follow: bool) -> bytes | None:
    """All bytes of a regular file, or None when there is no such name.

    `follow` says whether `path` itself may be a symlink. Raises `DataError` for everything that is
    not a readable regular file of at most `MAX_BYTES`.
    """
    # O_NONBLOCK: opening a pipe must not hang; it is refused below.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        if path.is_symlink():
            raise dangling(path) from None
        return None
    except OSError as error:
        raise read_error(error, path) from error
    # A folder opens too, but no file object takes it, so the check comes before the object.
    try:
        _check(os.fstat(descriptor), path)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read()
    except OSError as error:
        raise read_error(error, path) from error
    finally:
        os.close(descriptor)
    if len(data) > MAX_BYTES:
        raise _too_large(path)
    return data


def _check(info: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(info.st_mode):
        what = "a folder" if stat.S_ISDIR(info.st_mode) else "not a regular file"
        raise DataError(f"is {what}; a file must stand here", where=str(path), hint="move it away, or change `path`")
    if info.st_size > MAX_BYTES:
        raise _too_large(path)


def _too_large(path: Path) -> DataError:
    return DataError(f"is larger than {MAX_BYTES >> 20} MiB", where=str(path), hint="check that this is the right file")


def dangling(path: Path) -> DataError:
    """The error for a symlink without an end: a missing drive must never read as "all is gone"."""
    hint = "bring back the place it leads to (a drive that is not mounted?), or remove the link"
    return DataError("is a symlink that leads nowhere", where=str(path), hint=hint)


def read_error(error: OSError, path: Path) -> DataError:
    """What an error of the disk while reading means to the user."""
    if error.errno == errno.ELOOP:
        hint = "put the file itself there; a link may lead to a file that someone else changes"
        return DataError("is a symlink", where=str(path), hint=hint)
    if error.errno in (errno.EACCES, errno.EPERM):
        return DataError("may not be read by this user", where=str(path), hint="give this user the right to read it")
    if error.errno == errno.ENOTDIR:
        return DataError("lies inside something that is not a folder", where=str(path), hint="change `path`")
    return DataError(f"cannot be read: {error.strerror or error}", where=str(path), hint="check the disk and `path`")


def decode_utf8(data: bytes, path: Path) -> str:
    """The text of a file. Raises `DataError` naming the line for bytes that are not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"is not UTF-8 at line {line}", where=str(path), hint=_SAVE_AS_UTF8) from error


def digest(data: bytes) -> str:
    """A watermark: equal digests prove that not one byte changed."""
    return hashlib.sha256(data).hexdigest()


def row_key(item: Item) -> str:
    """The name of a row: its best id or place in its show, else its labels."""
    return item.key() or label_key(item)


def label_key(item: Item) -> str:
    """The name of a row that has no id: the only thing left is what a person reads."""
    kind = item.kind.value
    if item.kind is Kind.MOVIE or item.kind is Kind.SHOW:
        return f"{kind}|{item.title or ''}|{_text(item.year)}"
    show = f"{item.show_title or ''}|{_text(item.show_year)}"
    return f"{kind}|{show}|{_text(item.season)}|{_text(item.number)}|{item.title or ''}|{_text(item.year)}"


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


@contextmanager
def collector_off() -> Iterator[None]:
    """No cyclic collection meanwhile: decoding makes a million objects that live, and no cycles.

    The collector would walk them all again and again, for a tenth of the time of a large read.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
