"""Where one pair lives: a shell, whose commands crash nowhere and say no secret."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from support.shell import Done, Shell

# For a feature: what is gone on one side is removed on the other, at once.
REMOVES = 'remove = true\nhold_removed = "0s"'


class PairHouse(ABC):
    """Somebody with a shell and one pair."""

    shell: Shell

    @abstractmethod
    def secrets(self) -> Iterable[str]:
        """What is never to be said: every secret of every account."""

    def run(self, line: str = "run --apply", code: int = 0, **more: Any) -> Any:
        """A run, and what it says of the pair."""
        done = self.shell(f"{line} --json", **more)
        assert done.code == code, f"{done.code}: {done.out}{done.err}"
        self.clean(done)
        return done.pair

    def ends(self, code: int, words: str, line: str = "run --apply -vv") -> Done:
        """A command that ends with a code and these words."""
        done = self.shell(line)
        assert done.code == code, done.out + done.err
        assert words in done.out + done.err
        self.clean(done)
        return done

    def clean(self, done: Done) -> None:
        """Nothing that was said is a secret, or the words of a crash."""
        assert done.clean(), done.err
        self.secret_free(done.out, done.err)

    def secret_free(self, *texts: str) -> None:
        """Nothing of this holds a secret."""
        assert not [secret for secret in self.secrets() for text in texts if secret in text]
