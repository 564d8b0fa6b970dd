"""A small world for the real engine: accounts in memory that may lie, real state on disk, a clock that a test moves.

Only two things are not as in real life: the providers, and what `cwsync.engine.clock` takes for the
time. A `World` outlives its runs as services outlive a program that is started again and again.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

from hypothesis import HealthCheck, settings

from cwsync import files
from cwsync.engine import Home, RunOptions, SavedPlan, past, run_pairs, run_saved, undo
from cwsync.engine import clock as engine_clock
from cwsync.model import (
    RUN_ORDER,
    AccountSpec,
    Baseline,
    Capabilities,
    Change,
    Feature,
    FeatureSpec,
    GuardSpec,
    HistoryReport,
    Match,
    Mode,
    Note,
    PairReport,
    PairSpec,
    Receipt,
    Row,
    RunReport,
    Settings,
    Snapshot,
)
from cwsync.provider import Provider
from cwsync.state import PairStore
from support.memory import CutError, Lies, Lying, Store, memory, plugged
from support.planning import NOW

WIDE = GuardSpec(
    max_remove_percent=100,
    max_remove=1000,
    free_removes=1000,
    free_adds=1000,
    free_updates=1000,
    min_overlap_percent=0,
)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WINDOW = 15 * MINUTE


_T = TypeVar("_T")
SOAK = int(os.environ.get("CWSYNC_SOAK") or 0)
_SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)


def effort(short: int, long: int, **more: Any) -> settings:
    """How hard to search: the same few examples each time, or with CWSYNC_SOAK=N, N times `long` new ones."""
    n = long * SOAK or short
    return settings(
        max_examples=n, derandomize=not SOAK, deadline=None, database=None, suppress_health_check=_SLOW, **more
    )


def some(rows: Sequence[_T], every: int) -> list[_T]:
    """Every so many of the rows of a table whose tests take long, and with CWSYNC_SOAK all of them."""
    return list(rows if SOAK else rows[::every])


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def tick(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += span


@dataclass
class Mischief(Lies):
    """`Lies`, and three more moments at which something can happen, each once.

    `before_fence` is called with the first stamp that is read after a fetch: between the read and
    the write. `on_effect` hears of every request that writes, before it leaves and when it is done.
    """

    before_fence: Callable[[], None] | None = None
    on_effect: Callable[[str], None] = lambda _name: None
    fetched: bool = False


class Sly(Lying):
    """A lying provider that also knows when the engine looks twice."""

    async def watermark(self, feature: Feature) -> str | None:
        lies = cast("Mischief", self.lies)
        if lies.fetched and lies.before_fence is not None:
            meddle, lies.before_fence = lies.before_fence, None
            meddle()
        return await super().watermark(feature)

    async def fetch(self, feature: Feature) -> Snapshot:
        found = await super().fetch(feature)
        cast("Mischief", self.lies).fetched = True
        return found

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        lies = cast("Mischief", self.lies)
        lies.on_effect("request")
        receipts = await super().apply(feature, changes)
        lies.on_effect("reply")
        return receipts


@dataclass
class Login:
    """One account: what it holds, how it lies, what it can do."""

    store: Store
    lies: Mischief
    spec: AccountSpec
    provider: type[Provider]


@dataclass
class World:
    """Accounts, pairs, state and time."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    logins: dict[str, Login] = field(default_factory=dict)
    pairs: dict[str, PairSpec] = field(default_factory=dict)
    effects: int = 0
    cut_at: int | None = None

    @property
    def home(self) -> Home:
        """Where the engine keeps state."""
        return Home(self.folder)

    def account(self, name: str, caps: Capabilities | None = None, staleness: timedelta | None = None) -> Store:
        """A new account, and what it holds."""
        store = Store(account_id=f"memory:{name}", clock=self.clock)
        lies = Mischief(clock=self.clock, on_effect=self._effect)
        inner = memory(store, caps)
        members = {"capabilities": inner.capabilities, "options": inner.options, "inner_class": inner, "lies": lies}
        cls = cast("type[Provider]", type("Sly", (Sly,), members))
        self.logins[name] = Login(store, lies, AccountSpec(name, name, staleness=staleness), cls)
        return store

    def oddly(self, name: str, **methods: Any) -> None:
        """Give an account's provider other methods."""
        login = self.logins[name]
        login.provider = cast("type[Provider]", type("Odd", (login.provider,), methods))

    def pair(
        self,
        source: str,
        target: str,
        *specs: FeatureSpec | Feature,
        mode: Mode = Mode.TWO_WAY,
        guards: GuardSpec = WIDE,
        match: Match = Match.IDS,
        name: str | None = None,
        **rules: Any,
    ) -> str:
        """Define (or define anew) a pair; `rules` are those of features given by name alone. Gives its name."""
        wanted = [
            one if isinstance(one, FeatureSpec) else FeatureSpec(one, **({"remove": True} | rules)) for one in specs
        ]
        wanted.sort(key=lambda spec: RUN_ORDER.index(spec.feature))
        name = name or f"{source}-{target}"
        ends = self.logins[source].spec, self.logins[target].spec
        self.pairs[name] = PairSpec(name, *ends, mode, tuple(wanted), guards, match)
        return name

    def settings(self) -> Settings:
        """The file, as it would be."""
        accounts = {name: login.spec for name, login in self.logins.items()}
        return Settings(self.folder / "pairs.toml", accounts, dict(self.pairs))

    @contextmanager
    def running(self) -> Iterator[None]:
        """The providers are registered, the engine goes by our clock, and effects are counted."""
        before, engine_clock.now = engine_clock.now, self.clock
        hook = files.set_effect_hook(lambda name, _path: self._effect(name))
        for login in self.logins.values():
            login.lies.fetched = False
        try:
            with plugged(**{name: login.provider for name, login in self.logins.items()}):
                yield
        finally:
            files.set_effect_hook(hook)
            engine_clock.now = before

    def _effect(self, _name: str) -> None:
        """Count an effect; from `cut_at` on nothing happens any more, as after a power cut."""
        self.effects += 1
        if self.cut_at is not None and self.effects >= self.cut_at:
            raise CutError(f"effect {self.effects}")

    def dies_at(self, word: str) -> Callable[[str], None]:
        """For `Mischief.on_effect`: the power goes off at the next "request" or "reply"."""

        def happen(name: str) -> None:
            if name == word:
                self.cut_at = 0
                self._effect(name)

        return happen

    def run_all(
        self, *names: str, apply: bool = True, expect: Mapping[str, str] | None = None, **more: Any
    ) -> RunReport:
        """Run pairs (all, when none is named) as one command."""
        with self.running():
            return self._command(names or tuple(self.pairs), RunOptions(apply=apply, **more), expect)

    def _command(self, names: Sequence[str], options: RunOptions, expect: Mapping[str, str] | None = None) -> RunReport:
        return run_pairs(self.settings(), names, options, self.home, command="run", expect=expect)

    def again(self, **options: Any) -> PairReport:
        """Run the first pair inside a `running` block, whose hooks a test may have changed."""
        return self._command([next(iter(self.pairs))], RunOptions(**options)).pairs[0]

    def run(self, name: str | None = None, *, apply: bool = True, **more: Any) -> PairReport:
        """Run one pair (the only one, unless named)."""
        return self.run_all(name or next(iter(self.pairs)), apply=apply, **more).pairs[0]

    def plan(self, name: str | None = None, **more: Any) -> PairReport:
        """Run one pair dry."""
        return self.run(name, apply=False, **more)

    def run_saved(self, saved: SavedPlan, **more: Any) -> PairReport:
        """Apply a saved plan of one pair."""
        with self.running():
            return run_saved(self.settings(), saved, self.home, **more).pairs[0]

    def undo(
        self, name: str | None = None, run_id: str | None = None, *, apply: bool = True, **more: Any
    ) -> PairReport:
        """Take back a run (the newest) of one pair (the first, unless named)."""
        with self.running():
            options = RunOptions(apply=apply, **more)
            return undo(self.settings(), name or next(iter(self.pairs)), run_id, options, self.home).pairs[0]

    def cut_undo(self, at: int, name: str | None = None, run_id: str | None = None) -> bool:
        """Take back a run and cut the power at effect number `at`. Gives whether it got that far."""
        return self._cut(at, lambda: self.undo(name, run_id))

    def past(self, name: str | None = None, **more: Any) -> HistoryReport:
        """The runs of a pair, newest first."""
        return past(self.pairs[name or next(iter(self.pairs))], self.home, **more)

    def cut(self, at: int, name: str | None = None, **more: Any) -> bool:
        """Run one pair and cut the power at its effect number `at`. Gives whether it got that far."""
        return self._cut(at, lambda: self.run(name, **more))

    def _cut(self, at: int, act: Callable[[], object]) -> bool:
        self.effects, self.cut_at = 0, at
        try:
            act()
        except BaseException as error:
            if not _is_cut(error):
                raise
            return True
        else:
            return False
        finally:
            self.cut_at = None

    def settle(self, name: str | None = None, rounds: int = 6) -> list[PairReport]:
        """Honest runs, each after every window has passed, until one writes and learns nothing."""
        for login in self.logins.values():
            behave(login.lies)
        reports: list[PairReport] = []
        for _ in range(rounds):
            self.clock.tick(WINDOW + MINUTE)
            before = self.baseline_bytes(name)
            reports.append(self.run(name))
            if not reports[-1].changes and self.baseline_bytes(name) == before:
                break
        return reports

    def state(self, name: str | None = None) -> dict[Feature, Baseline]:
        """The stored baselines of a pair."""
        pair = self.pairs[name or next(iter(self.pairs))]
        loaded = PairStore(self.folder, pair.name).load(pair.source.name, pair.target.name)
        return dict(loaded.features)

    def rows(self, feature: Feature, name: str | None = None) -> dict[str, Row]:
        """The rows of one feature of a pair."""
        baseline = self.state(name).get(feature)
        return dict(baseline.rows) if baseline else {}

    def path(self, *parts: str, name: str | None = None) -> Path:
        """A file in the folder of a pair."""
        return self.folder.joinpath("pairs", name or next(iter(self.pairs)), *parts)

    def baseline_bytes(self, name: str | None = None) -> bytes:
        """The stored baseline, byte by byte."""
        path = self.path("state.json", name=name)
        return path.read_bytes() if path.exists() else b""


def behave(lies: Lies) -> None:
    """From now on, the truth."""
    honest = Lies()
    for name in ("fail_opens", "fail_reads", "fail_apply", "lose_reply", "lost", "refuse", "lag_reads", "lag_for"):
        setattr(lies, name, getattr(honest, name))
    for name in (
        "drop",
        "drop_tokens",
        "claim_complete",
        "repeat",
        "unstable_watermark",
        "before_apply",
        "before_read",
    ):
        setattr(lies, name, getattr(honest, name))
    lies.hidden = []


def _is_cut(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_cut(one) for one in error.exceptions)
    return isinstance(error, CutError)


def fingerprint_of(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Every file below a folder with its mode, its time of change and its content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (about.st_mode, about.st_mtime_ns, digest)
    return found


def ask_to_stop(signum: int = signal.SIGTERM) -> Callable[[Feature, Sequence[Change]], None]:
    """Something to do before a write: send ourselves a signal."""
    return lambda _feature, _changes: os.kill(os.getpid(), signum)


def did(report: PairReport) -> list[str]:
    """The changes of a report in short, sorted: ``+target 7 8 confirmed``."""
    return sorted(_line(one.change) + (f" {one.outcome}" if one.outcome else "") for one in report.changes)


def _line(change: Change) -> str:
    score = getattr(change.after, "score", None)
    value = "" if score is None else f" {score / 10:g}"
    return f"{change.op.symbol}{change.side} {change.item.label()}{value}"


def codes(notes: Sequence[Note]) -> list[str]:
    """The stable words of some notes, sorted."""
    return sorted(note.code for note in notes)
