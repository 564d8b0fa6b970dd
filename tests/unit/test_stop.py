"""Being asked to end: which signals are heard, for how long, and what the exit code then says."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from cwsync.engine.stop import Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


def test_both_signals_are_heard_while_it_listens_and_then_mean_what_they_meant() -> None:
    """Asked of the handlers first: a signal that nobody hears would end this process."""
    before = [signal.getsignal(signum) for signum in SIGNALS]
    stop = Stop()
    with stop.listening():
        assert [signal.getsignal(signum) for signum in SIGNALS] == [stop.ask, stop.ask]
        assert (stop.asked, stop.exit_code) == (False, 0)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked
    assert [signal.getsignal(signum) for signum in SIGNALS] == before


def test_handlers_are_put_back_also_after_an_error() -> None:
    before = [signal.getsignal(signum) for signum in SIGNALS]
    with pytest.raises(ZeroDivisionError), Stop().listening():
        _ = 1 // 0
    assert [signal.getsignal(signum) for signum in SIGNALS] == before


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_exit_code_is_that_of_the_first_signal(signum: signal.Signals, code: int) -> None:
    stop = Stop()
    stop.ask(signum)
    for other in SIGNALS:
        stop.ask(other)
    assert (stop.asked, stop.exit_code) == (True, code)
