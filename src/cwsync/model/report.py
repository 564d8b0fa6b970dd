"""What a command found out, for `render` to show as a table, as plain text or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cwsync.model.baseline import Row
from cwsync.model.items import ExternalId, Feature, Item
from cwsync.model.plan import Change, Guard, Note, Op, Outcome
from cwsync.model.snapshot import Entry, Side, Undecoded
from cwsync.model.specs import Mode


@dataclass(frozen=True, slots=True)
class SideReport:
    """How one side of one feature was read."""

    records: int
    complete: bool
    requests: int


@dataclass(frozen=True, slots=True)
class FeatureReport:
    """Counts of one feature.

    `conflict` counts all conflicts, settled by policy or not; `one_sided` those of the `same` that only one side has.
    """

    source: SideReport | None
    target: SideReport | None
    add: int = 0
    update: int = 0
    remove: int = 0
    conflict: int = 0
    hold: int = 0
    skip: int = 0
    same: int = 0
    adopt: int = 0
    filtered: int = 0
    one_sided: int = 0
    confirmed: int = 0
    failed: int = 0
    seconds: float = 0.0
    first_run: bool = False


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """One planned change and, after `--apply`, what came of it."""

    change: Change
    outcome: Outcome | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """An error that ended a pair, a feature or the run."""

    code: str
    message: str
    hint: str | None = None
    exit_code: int = 1
    feature: Feature | None = None


@dataclass(frozen=True, slots=True)
class TrafficReport:
    """What an account was asked over the network: `calls` counts by ``GET /path``, `ms` adds up all requests."""

    requests: int
    n_bytes: int
    ms: int
    calls: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PairReport:
    """One pair in one run. `account` names of the sides; `guards` name what tripped; `undoes` the run taken back.

    `traffic` has the accounts that were asked over the network, by name.
    """

    pair: str
    mode: Mode
    source: str
    target: str
    exit_code: int
    digest: str | None = None
    first_run: bool = False
    error: ErrorReport | None = None
    features: Mapping[Feature, FeatureReport] = field(default_factory=dict)
    changes: tuple[ChangeReport, ...] = ()
    conflicts: tuple[Note, ...] = ()
    holds: tuple[Note, ...] = ()
    skips: tuple[Note, ...] = ()
    guards: tuple[Guard, ...] = ()
    warnings: tuple[str, ...] = ()
    locked_out: bool = False
    generation: int = 0
    observed: tuple[Feature, ...] = ()
    undoes: str | None = None
    traffic: Mapping[str, TrafficReport] = field(default_factory=dict)

    def account(self, side: Side) -> str:
        """The account on `side`."""
        return self.source if side is Side.SOURCE else self.target

    @property
    def quiet(self) -> bool:
        """Whether there is nothing a person would want to read."""
        return not (self.changes or self.conflicts or self.guards or self.error or self.warnings or self.exit_code)


@dataclass(frozen=True, slots=True)
class RunReport:
    """One command over one or more pairs."""

    run_id: str
    command: str
    applied: bool
    exit_code: int
    pairs: tuple[PairReport, ...] = ()


@dataclass(frozen=True, slots=True)
class TraceReport:
    """Everything known of one record: the answer of `explain`.

    `linked` says in words by what the rows were linked; `decision` is the class, `reason` why. `learnt` are
    ids that no side told, and who did.
    """

    feature: Feature
    key: str
    item: Item
    source: tuple[Entry, ...]
    target: tuple[Entry, ...]
    unreadable: tuple[Undecoded, ...]
    row: Row | None
    linked: str
    decision: str
    reason: str
    changes: tuple[Change, ...] = ()
    learnt: tuple[tuple[ExternalId, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ExplainReport:
    """The traces of one pair that match the words asked for."""

    pair: str
    text: str
    source: str
    target: str
    traces: tuple[TraceReport, ...]
    guards: tuple[Guard, ...] = ()
    error: ErrorReport | None = None


@dataclass(frozen=True, slots=True)
class StatusReport:
    """How one pair stands, read from its state alone.

    `last_*` is the last `--apply` run (None: never); `good_at` the end of the last one with exit
    code 0. `rows` counts baseline records by feature. `holds` and `parked` count rows that wait. `missing`
    says that there was a state once and is none now.
    """

    pair: str
    exit_code: int
    last_at: datetime | None = None
    last_exit: int | None = None
    good_at: datetime | None = None
    rows: Mapping[Feature, int] = field(default_factory=dict)
    holds: int = 0
    parked: int = 0
    in_doubt: int = 0
    unfinished: bool = False
    missing: bool = False
    error: ErrorReport | None = None


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run that wrote, as its journal tells. `ending` is how it ended, in one word.

    ``finished``, ``cut`` (settled by a later run), ``abandoned`` (put aside by a reset), ``unfinished`` (yet to be
    settled) or ``damaged`` (then `damage` says why, and nothing else is known). `counts` has for each
    feature how many writes of each sort were confirmed; `failed` were refused or not sent, `in_doubt`
    never answered. `undoes` is the run it took back.
    """

    run_id: str
    ending: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    counts: Mapping[Feature, Mapping[Op, int]] = field(default_factory=dict)
    failed: int = 0
    in_doubt: int = 0
    undoes: str | None = None
    damage: str | None = None
    source: str | None = None
    target: str | None = None
    changes: tuple[ChangeReport, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryReport:
    """The runs of a pair that wrote, newest first; `total` counts those that are kept."""

    pair: str
    runs: tuple[PastRun, ...]
    total: int
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `check` says of one account or one pair: lines of (ok, what, detail)."""

    name: str
    about: str
    lines: tuple[tuple[bool, str, str], ...]
    exit_code: int = 0
