"""People who log in, for tests of logins. Waiting takes no time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cwsync.errors import ConfigError
from cwsync.provider import Choice
from cwsync.redaction import remember


class Someone:
    """A person who does as a test says: picks, types a PIN or a password, and acts after each wait."""

    def __init__(self, *picks: str, act: Callable[[int], None] = lambda _: None, pin: str = "") -> None:
        self.picks = list(picks)
        self.act = act
        self.pin = pin
        self.visits: list[tuple[str, str | None, int]] = []
        self.asked: list[tuple[str, list[str]]] = []
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
        self.asked.append((option, [one.title for one in choices]))
        wanted = preset or (self.picks.pop(0) if len(choices) > 1 else choices[0].title)
        found = [one for one in choices if wanted in (one.key, one.title)]
        if not found:
            raise ConfigError(f"{wanted!r} is none of them", where=f"accounts.home.{option}")
        return found[0]

    def ask_secret(self, question: str, *, option: str) -> str:
        """Say the PIN or the password."""
        return remember(self.pin)


@dataclass
class Person:
    """Somebody with a browser elsewhere, who does `then` after so many questions of ours, and nothing else."""

    then: Callable[[], None] = lambda: None
    after: int = 2
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    visited: list[tuple[str, str | None, int]] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    def say(self, text: str) -> None:
        pass

    def visit(self, url: str, code: str | None, minutes: int) -> None:
        self.visited.append((url, code, minutes))

    async def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.at += timedelta(seconds=seconds)
        if len(self.waited) == self.after:
            self.then()

    def now(self) -> datetime:
        return self.at

    def choose(self, option: str, question: str, choices: Sequence[Choice], *, preset: str | None = None) -> Choice:
        raise AssertionError("nothing is to be chosen")

    def ask_secret(self, question: str, *, option: str) -> str:
        raise AssertionError("nothing is to be typed")
