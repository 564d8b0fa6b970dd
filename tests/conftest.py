"""What all tests share: a place in memory for their many small files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of its own below it, as with any temporary folder
ROOM: Final = 1 << 30


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is room for one: the tests sync small files a hundred thousand times.

    Neither a simulated power cut nor SIGKILL takes anything from the kernel, so a disk would prove no more.
    """
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ROOM:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="cwsync-", dir=MEMORY, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
