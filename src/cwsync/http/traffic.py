"""The ledger of a whole run: what every client that is made meanwhile asks, summed up by account and call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

_MOST_CALLS: Final = 100  # of an account that are counted apart; paths may have ids in them
_OTHERS: Final = "others"


@dataclass(slots=True)
class Traffic:
    """What one account was asked: `calls` counts by ``GET /path``; `ms` is the time of all requests together."""

    requests: int = 0
    n_bytes: int = 0
    ms: int = 0
    calls: dict[str, int] = field(default_factory=dict)

    def add(self, call: str, n_bytes: int, ms: int) -> None:
        """Count one request."""
        self.requests += 1
        self.n_bytes += n_bytes
        self.ms += ms
        word = call if call in self.calls or len(self.calls) < _MOST_CALLS else _OTHERS
        self.calls[word] = self.calls.get(word, 0) + 1


Recorder = dict[str, Traffic]
_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


@contextmanager
def recorded() -> Iterator[Recorder]:
    """Record, by the name of the account, what clients do that are made within."""
    found: Recorder = {}
    token = _recorder.set(found)
    try:
        yield found
    finally:
        _recorder.reset(token)


def recorder() -> Recorder | None:
    """Where a client that is made now has to report to; None: nobody asks."""
    return _recorder.get()
