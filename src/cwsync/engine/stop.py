"""Being asked to end: SIGINT and SIGTERM let the batch in flight finish, then the run commits and ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


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

    def ask(self, signum: int, _frame: object = None) -> None:
        """Ask to end. Asking again changes nothing: a batch in flight is never cut short."""
        self.signal = self.signal or signum

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to both signals while the block runs. Needs the main thread.

        Not by the event loop: it would hear of a signal some turns later, and one more batch could
        leave. Nobody sleeps on the answer, so there is nothing to wake; who waits looks now and then.
        """
        with ExitStack() as before:
            for signum in (signal.SIGINT, signal.SIGTERM):
                # None is a handler that was not set by Python; it cannot be put back.
                old = signal.signal(signum, self.ask) or signal.SIG_DFL
                before.callback(signal.signal, signum, old)
            yield
