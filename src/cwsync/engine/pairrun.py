"""What one command and one pair's run know: what they were asked, and what they found so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cwsync.engine.options import Home, RunOptions
from cwsync.engine.report import RunParts
from cwsync.engine.stop import Stop
from cwsync.model import Baseline, Feature, FeatureSpec, PairSpec
from cwsync.planner.plan import FeaturePlan, Question, plan_feature
from cwsync.state import JournalRecord, LastRun, PairState, PairStore


@dataclass(frozen=True, slots=True)
class Task:
    """What a run is for: to sync, or (`undoes`) to take back an earlier run. `plan` makes a feature's plan."""

    plan: Callable[[Question], FeaturePlan] = plan_feature
    undoes: str | None = None


SYNC = Task()


@dataclass(frozen=True, slots=True)
class Job:
    """What all pairs of one command share."""

    task: Task
    options: RunOptions
    home: Home
    run_id: str
    stop: Stop
    pairs: Sequence[PairSpec]


@dataclass(slots=True)
class PairRun:
    """What one pair's run knows so far."""

    pair: PairSpec
    task: Task
    specs: tuple[FeatureSpec, ...]
    options: RunOptions
    home: Home
    run_id: str
    stop: Stop
    pairs: Sequence[PairSpec]
    store: PairStore
    started: datetime
    state: PairState
    journal: JournalRecord | None
    last: LastRun | None
    parts: RunParts
    questions: dict[Feature, Question] = field(default_factory=dict)
    plans: dict[Feature, FeaturePlan] = field(default_factory=dict)
    digest: str = ""
    stored: dict[Feature, Baseline] = field(default_factory=dict)
    distrust: str | None = None

    @property
    def baseline_digest(self) -> str:
        """What stands for the baseline in digests: the same in a dry run and in the run that follows."""
        return f"{self.state.checksum or ''}:{self.journal.last_hash if self.journal else ''}"
