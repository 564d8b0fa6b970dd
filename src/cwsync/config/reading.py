"""Reading a small file whose mode matters: one descriptor, so what was checked is what is read."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cwsync.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SmallFile:
    """The bytes of a file, its owner and its mode. The bytes are not shown: they may be a secret."""

    data: bytes = field(repr=False)
    owner: int
    mode: int

    @property
    def private(self) -> bool:
        """Whether nobody but the owner can read or write it."""
        return not self.mode & (stat.S_IRWXG | stat.S_IRWXO)


def read_small(path: Path, *, limit: int) -> SmallFile:
    """Read a regular file of at most `limit` bytes; a symlink is followed.

    Raises `ConfigError`, with the path as its place, for what is missing, unreadable, too long, or
    not a regular file.
    """
    try:
        # O_NONBLOCK: a pipe is to be refused, not waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            data = _read(descriptor, limit + 1) if stat.S_ISREG(status.st_mode) else b""
        finally:
            os.close(descriptor)
    except OSError as error:
        problem = error.strerror or "it fails"
    except ValueError:
        problem = "the path holds a NUL"
    else:
        if stat.S_ISREG(status.st_mode) and len(data) <= limit:
            return SmallFile(data, status.st_uid, status.st_mode)
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        problem = f"longer than {limit} bytes" if data else f"it is {kind}"
    raise ConfigError(f"cannot be read: {problem}", where=str(path))


def _read(descriptor: int, limit: int) -> bytes:
    parts: list[bytes] = []
    while limit > 0 and (part := os.read(descriptor, min(limit, 1 << 16))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)
