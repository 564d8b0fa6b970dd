"""What every command starts from: the global options, the file, the pairs meant, the home of state."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cwsync.errors import UsageError

if TYPE_CHECKING:
    from datetime import date

    from cwsync.engine.options import Home, OnProgress
    from cwsync.model import Feature, PairSpec, Settings
    from cwsync.render.document import Page

LOG_FORMATS = ("text", "json")


@dataclass(frozen=True, slots=True)
class Session:
    """The global options, and what follows from them."""

    config: Path | None = None
    state_dir: Path | None = None
    verbosity: int = 0
    no_color: bool = False
    log_format: str = "text"

    def settings(self) -> Settings:
        """The file, read and checked."""
        from cwsync.config import find_config, load_settings

        return load_settings(find_config(self.config, os.environ), os.environ)

    def home(self, on_progress: OnProgress | None = None) -> Home:
        """Where state lives."""
        from cwsync.config import find_state_dir, resolve_secret
        from cwsync.engine.options import Home, no_progress

        return Home(find_state_dir(self.state_dir, os.environ), on_progress or no_progress, resolve_secret)

    def print(self, page: Page) -> None:
        """Write a page as the result."""
        from cwsync.cli.output import write_page

        write_page(page, no_color=self.no_color)

    @property
    def words(self) -> tuple[str, ...]:
        """The global options that a command to type next needs too."""
        config = ("--config", str(self.config)) if self.config else ()
        state = ("--state-dir", str(self.state_dir)) if self.state_dir else ()
        return (*config, *state)


def start(ctx: typer.Context) -> Session:
    """The session of a command that is about to work, with its log running."""
    from cwsync.log import start_log

    session: Session = ctx.obj
    start_log(session.verbosity, as_json=session.log_format == "json")
    return session


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'home-trakt'? `` or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def known_pair(settings: Settings, name: str) -> PairSpec:
    """The pair of that name. Raises `UsageError` with the names there are."""
    pair = settings.pairs.get(name)
    if pair is None:
        names = ", ".join(settings.pairs) or "none"
        hint = f"{did_you_mean(name, settings.pairs)}pairs of {settings.path}: {names}"
        raise UsageError(f"there is no pair {name!r}", hint=hint)
    return pair


def choose_pairs(settings: Settings, names: Sequence[str] | None, *, everything: bool) -> tuple[str, ...]:
    """The pairs a command line means, each once, in the order given.

    Without names: all with ``--all``, the only one if there is one. Raises `UsageError` otherwise.
    """
    if names and everything:
        raise UsageError("--all means every pair; name pairs or give --all, not both")
    if names:
        return tuple(dict.fromkeys(known_pair(settings, name).name for name in names))
    known = tuple(settings.pairs)
    if not known:
        raise UsageError(f"{settings.path} defines no pair", hint="add a [pairs.NAME] table with source and target")
    if everything or len(known) == 1:
        return known
    raise UsageError("which pair?", hint=f"name one or more of {', '.join(known)}, or give --all")


def named_or_all(settings: Settings, names: Sequence[str] | None) -> tuple[str, ...]:
    """The pairs named, or all of the file."""
    return choose_pairs(settings, names, everything=not names)


def choose_features(settings: Settings, pairs: Sequence[str], words: Sequence[str] | None) -> frozenset[Feature] | None:
    """The features named by ``--feature`` (None: all). Raises `UsageError` for one that no pair has."""
    if not words:
        return None
    from cwsync.model import Feature

    known = [feature.value for feature in Feature]
    for word in words:
        if word not in known:
            hint = f"{did_you_mean(word, known)}features: {', '.join(known)}"
            raise UsageError(f"there is no feature {word!r}", hint=hint, where="--feature")
    chosen = frozenset(Feature(word) for word in words)
    on = {spec.feature for name in pairs for spec in settings.pairs[name].features}
    for feature in sorted(chosen - on):
        hint = f"add a [pairs.{pairs[0]}.{feature}] table to {settings.path}"
        raise UsageError(f"{', '.join(pairs)}: {feature} is not switched on", hint=hint, where="--feature")
    return chosen


def choose_dates(since: str | None, until: str | None) -> tuple[date | None, date | None]:
    """The range asked for. Raises `UsageError` for what is no date, and for an empty range."""
    first, last = _day("--since", since), _day("--until", until)
    if first is not None and last is not None and first > last:
        raise UsageError(f"--since {first} is after --until {last}")
    return first, last


def _day(option: str, text: str | None) -> date | None:
    from datetime import date

    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a date", hint="write it like 2024-05-01", where=option) from None
