"""What all tests share: a place in memory for their many small files, and signals that are heard."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of its own below it, as with any temporary folder
ROOM: Final = 1 << 30


def pytest_configure() -> None:
    """Hear what a suite that was started in the background, or by nohup, ignores: our processes would inherit that."""
    for name in ("SIGHUP", "SIGQUIT", "SIGINT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)


def pytest_collection_finish() -> None:
    """Eight thousand collected tests stay to the end: the cycle collector need not walk them again and again."""
    gc.collect()
    gc.freeze()


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
