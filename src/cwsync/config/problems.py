"""Everything that is wrong with a file, told at once. No message holds a value of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cwsync.config.locate import KeyPath, line_of, locate, path_text
from cwsync.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: at a key, or in an environment variable that stands for a key."""

    path: KeyPath
    text: str
    hint: str | None = None
    variable: str | None = None


@dataclass(slots=True)
class Problems:
    """The problems of one file, collected while it is read.

    `variables` tells which keys (table and key) came from which environment variable.
    """

    file: Path
    text: str
    variables: Mapping[KeyPath, str] = field(default_factory=dict)
    found: list[Problem] = field(default_factory=list)

    def add(self, path: KeyPath, text: str, *, hint: str | None = None) -> None:
        """Note one problem at a key path."""
        origin = next((self.variables[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.variables), None)
        self.found.append(Problem(path, text, hint, origin))

    def raise_if_any(self) -> None:
        """Raise one `ConfigError` with a line for each problem, in the order of the file; variables first."""
        if not self.found:
            return
        lines = locate(self.text)
        rows = [(0 if problem.variable else line_of(lines, problem.path) or 0, problem) for problem in self.found]
        told = [self._line(line, problem) for line, problem in sorted(rows, key=lambda row: row[0])]
        hints = [problem.hint for problem in self.found if problem.hint]
        raise ConfigError(
            "\n".join(dict.fromkeys(told)),
            hint=hints[0] if hints else f"after editing, try: cwsync check --offline -c {self.file}",
        )

    def _line(self, line: int, problem: Problem) -> str:
        if problem.variable:
            return f"${problem.variable}: {problem.text}"
        where = f"{self.file}:{line}" if line else str(self.file)
        return ": ".join(part for part in (where, path_text(problem.path), problem.text) if part)
