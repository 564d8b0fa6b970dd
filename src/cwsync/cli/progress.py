"""Progress bars on stderr: only on a terminal, only for work that lasts, gone when it is done."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cwsync.cli.session import Session

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from cwsync.engine.options import OnProgress, Progress

DELAY_S = 0.5


@contextmanager
def bars(session: Session, *, as_json: bool) -> Iterator[OnProgress | None]:
    """Give out the callback to report steps to, or None where nobody would see it.

    A ``--json`` caller may still be a person at a terminal, but the log of a script is not the
    place for bars, and the two cannot be told apart.
    """
    if as_json or session.verbosity < 0 or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    shown = _Bars(no_color=session.no_color)
    try:
        yield shown.step
    finally:
        shown.close()


class _Bars:
    """One line a pair and phase. Nothing is loaded or drawn before `DELAY_S` have passed."""

    def __init__(self, *, no_color: bool) -> None:
        self._no_color = no_color
        self._lock = threading.Lock()
        self._latest: dict[tuple[str, str], Progress] = {}
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._live: RichProgress | None = None
        self._due = False
        # A timer and not the clock at the next step: one long request makes no steps.
        self._timer = threading.Timer(DELAY_S, self._wake)
        self._timer.daemon = True
        self._timer.start()

    def step(self, step: Progress) -> None:
        """Take a step, to be drawn now or once the bars are up."""
        with self._lock:
            self._latest[step.pair, step.phase] = step
            if self._live is not None:
                self._draw(self._live, step)
            elif self._due:
                self._begin()

    def close(self) -> None:
        """Take the bars away, for good."""
        self._timer.cancel()
        with self._lock:
            live, self._live = self._live, None
            self._latest.clear()
        if live is not None:
            live.stop()

    def _wake(self) -> None:
        with self._lock:
            self._due = True
            if self._latest:
                self._begin()

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

        columns = (SpinnerColumn("line"), TextColumn("{task.description}", markup=False), BarColumn(20))
        console = Console(stderr=True, no_color=self._no_color or None)
        self._live = Progress(*columns, MofNCompleteColumn(), console=console, transient=True)
        self._live.start()
        for step in self._latest.values():
            self._draw(self._live, step)

    def _draw(self, live: RichProgress, step: Progress) -> None:
        key = (step.pair, step.phase)
        if key not in self._tasks:
            self._tasks[key] = live.add_task(f"{step.pair}: {step.phase}", total=step.total)
        live.update(self._tasks[key], completed=step.done, total=step.total)
