"""A person who logs in, for tests of logins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from cwsync.provider import Choice
from cwsync.redaction import remember


class Someone:
    """A person who does as a test says. Time passes only while they wait."""

    def __init__(self, *picks: str, act: Callable[[int], None] = lambda _: None, pin: str = "") -> None:
        self.picks = list(picks)
        self.act = act
        self.pin = pin
        self.visits: list[tuple[str, str | None, int]] = []
        self.waits = 0
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def say(self, text: str) -> None:
        """Hear something."""

    def visit(self, url: str, code: str | None, minutes: int) -> None:
        """Be sent somewhere."""
        self.visits.append((url, code, minutes))

    async def wait(self, seconds: float) -> None:
        """Let time pass, and do what there is to do."""
        self.waits += 1
        self.time += timedelta(seconds=seconds)
        self.act(self.waits)

    def now(self) -> datetime:
        """What time it is."""
        return self.time

    def choose(self, option: str, question: str, choices: Sequence[Choice], *, preset: str | None = None) -> Choice:
        """Take what the file says, the only one, or the next pick."""
        wanted = preset or (self.picks.pop(0) if len(choices) > 1 else choices[0].title)
        return next(one for one in choices if wanted in (one.key, one.title))

    def ask_secret(self, question: str, *, option: str) -> str:
        """Say the PIN or the password."""
        return remember(self.pin)
