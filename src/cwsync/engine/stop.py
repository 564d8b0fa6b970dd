"""Being asked to end: SIGINT and SIGTERM let the batch in flight finish, then the run commits and ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Stop:
    """Whether, and by which signal, the run was asked to end."""

    def __init__(self) -> None:
        self.signal: int | None = None

    @property
    def asked(self) -> bool:
        """Whether to start nothing new."""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """130 for SIGINT, 143 for SIGTERM, 0 when nobody asked."""
        return 0 if self.signal is None else 128 + self.signal

    def ask(self, signum: int) -> None:
        """Ask to end. Asking again changes nothing: a batch in flight is never cut short."""
        self.signal = self.signal or signum

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to both signals while the block runs. Needs a running loop in the main thread."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, self.ask, signum)
        try:
            yield
        finally:
            for signum in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(signum)
