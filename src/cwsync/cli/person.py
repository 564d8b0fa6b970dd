"""The person at the terminal, as a login sees them. Everything here goes to stderr: stdout is the result."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from cwsync.cli.output import look, write_err
from cwsync.errors import ConfigError, UsageError
from cwsync.model import AccountSpec
from cwsync.provider import Choice
from cwsync.redaction import remember
from cwsync.render.document import Gap, Grid, Line, Page, Row, Tone
from cwsync.render.sanitise import sanitise
from cwsync.render.screen import show

_TRIES = 3


class Terminal:
    """See `provider.Person`. Texts may come from a service: what could move the cursor is taken out."""

    def __init__(self, account: AccountSpec, environ: Mapping[str, str]) -> None:
        self._account = account
        self._environ = environ

    def say(self, text: str) -> None:
        """One line."""
        self._show([Line(sanitise(text, 500))])

    def visit(self, url: str, code: str | None, minutes: int) -> None:
        """The address and the code stand alone on their lines, to be copied."""
        page: Page = [
            Line("Open this address, on any device:"),
            Line(sanitise(url, 2000), Tone.STRONG, 4, verbatim=True),
        ]
        if code is not None:
            page += [Line("and enter this code there:"), Line(sanitise(code), Tone.STRONG, 4, verbatim=True)]
        page.append(Line(f"Waiting for it, at most {minutes} minutes; Ctrl-C gives up."))
        self._show(page)

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    def now(self) -> datetime:
        """The clock."""
        return datetime.now(UTC)

    def choose(self, option: str, question: str, choices: Sequence[Choice], *, preset: str | None = None) -> Choice:
        """By the file, by there being only one, or by asking."""
        if not choices:
            raise ValueError("nothing to choose from")
        if preset is not None:
            return self._preset(option, preset, choices)
        if len(choices) == 1:
            return choices[0]
        names = ", ".join(sanitise(choice.title) for choice in choices)
        self._need_terminal(f"{sanitise(question)} {names}", f'answer in the file: {option} = "..." in {self._table}')
        rows = [
            Row((str(number), sanitise(choice.title), sanitise(choice.detail)))
            for number, choice in enumerate(choices, start=1)
        ]
        self._show([Gap(), Line(sanitise(question, 200)), Grid((), rows, frozenset({0}), indent=2)])
        for _ in range(_TRIES):
            answer = self._read(f"1 to {len(choices)}: ")
            if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(choices):
                return choices[int(answer) - 1]
        raise UsageError("nothing was chosen", hint=f'answer in the file: {option} = "..." in {self._table}')

    def ask_secret(self, question: str, *, option: str) -> str:
        """Without echo."""
        self._need_terminal(sanitise(question), f"set {option} in {self._table}")
        with _unseen():
            answer = self._read(f"{sanitise(question, 200)} ")
        write_err("\n")
        return remember(answer)

    @property
    def _table(self) -> str:
        return f"[accounts.{self._account.name}]"

    def _preset(self, option: str, preset: str, choices: Sequence[Choice]) -> Choice:
        found = [choice for choice in choices if choice.key == preset]
        found = found or [choice for choice in choices if choice.title == preset]
        if len(found) == 1:
            return found[0]
        problem = "is the name of several" if found else "is none of them"
        names = ", ".join(f"{sanitise(choice.title)} ({sanitise(choice.key)})" for choice in choices)
        where = f"accounts.{self._account.name}.{option}"
        raise ConfigError(f"{sanitise(preset)!r} {problem}", where=where, hint=f"there is {names}")

    def _need_terminal(self, question: str, hint: str) -> None:
        if sys.stdin is None or not sys.stdin.isatty():
            message = f"there is no terminal to ask on: {question}"
            raise UsageError(message, where=self._account.name, hint=f"{hint}, or log in from a terminal")

    def _read(self, prompt: str) -> str:
        with _interruptible():
            write_err(prompt)
            line = sys.stdin.readline()
        if not line:
            raise UsageError("the input ended before there was an answer", where=self._account.name)
        return line.strip()

    def _show(self, page: Page) -> None:
        write_err(show(page, look(sys.stderr, self._environ, no_color=True)))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a wait for a line: within an event loop it would only be noted, until the line is there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _unseen() -> Iterator[None]:
    """What is typed on stdin is not shown."""
    import termios

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    hidden = termios.tcgetattr(terminal)
    hidden[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSADRAIN, hidden)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
