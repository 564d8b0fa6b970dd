"""One feature's plan: a pure function of two snapshots, the baseline, the pair's rules and the clock.

Same inputs, same bytes out, whatever the order of pages, the hash seed, the locale or the zone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from cwsync.errors import InternalError
from cwsync.model import (
    OP_ORDER,
    Baseline,
    Capabilities,
    Change,
    Class,
    Feature,
    FeatureSpec,
    Guard,
    GuardSpec,
    Kind,
    Match,
    Mode,
    Note,
    Observation,
    OnGuard,
    Op,
    Plays,
    RemoveMode,
    Side,
    Snapshot,
)
from cwsync.planner.bonds import Bonds, units, untorn
from cwsync.planner.decide import decide
from cwsync.planner.decision import Decision, note_of
from cwsync.planner.digest import plan_digest, snapshot_digest
from cwsync.planner.guards import Facts, judge
from cwsync.planner.history import split_plays
from cwsync.planner.identity import link
from cwsync.planner.normalize import Scale
from cwsync.planner.observe import Rules, off_shelf
from cwsync.planner.record import Record


@dataclass(frozen=True, slots=True)
class Question:
    """All that a plan depends on.

    `now` is the moment as of which the plan is made (a saved plan is made again as of its own);
    `wall` is the true time and `last_at` the end of the last run, for the clock guard
    alone. `union` says in words why the baseline's agreements do not count (filters changed, too
    old ...), or is None. `baseline_digest` stands for the baseline in the plan's digest. `frozen` maps
    ids of records that other pairs have just written on one of these accounts to the reason to wait. `bonds` are
    what the services say of the changes of the same question without a limit.
    """

    pair: str
    spec: FeatureSpec
    mode: Mode
    match: Match
    guards: GuardSpec
    names: Mapping[Side, str]
    caps: Mapping[Side, Capabilities]
    snapshots: Mapping[Side, Snapshot]
    baseline: Baseline
    now: datetime
    wall: datetime
    last_at: datetime | None = None
    baseline_digest: str = ""
    union: str | None = None
    since: date | None = None
    until: date | None = None
    adds_only: bool = False
    limit: int | None = None
    frozen: Mapping[str, str] = field(default_factory=dict)
    bonds: Bonds = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FeaturePlan:
    """What shall be done in one feature, what not and why, and what to learn without a write.

    `changes` stand in the order in which they are sent: updates, adds, removes, each by key.
    `counts` has each record in exactly one class; `filtered` counts those outside the pair's scope, `one_sided`
    those among the same that only one side has: it was decided before, or the pair does not mind.
    `bonds` are those of the changes that one write carries out with others.
    """

    feature: Feature
    changes: tuple[Change, ...]
    conflicts: tuple[Note, ...]
    holds: tuple[Note, ...]
    skips: tuple[Note, ...]
    observations: tuple[Observation, ...]
    counts: Mapping[Class, int]
    filtered: int
    guards: tuple[Guard, ...]
    first_run: bool
    union: str | None
    snapshot_digests: Mapping[Side, str]
    digest: str
    one_sided: int = 0
    finished: bool = field(default=True)
    bonds: Bonds = field(default_factory=dict)

    def count(self, op: Op) -> int:
        """How many changes of one sort."""
        return sum(1 for change in self.changes if change.op is op)


def rules_of(question: Question) -> Rules:
    """The rules that decide the records of a question."""
    spec, snapshots = question.spec, question.snapshots
    caps = {side: question.caps[side].of(spec.feature) for side in Side}
    return Rules(
        spec=spec,
        mode=question.mode,
        scale=Scale.of(spec, caps[Side.SOURCE], caps[Side.TARGET]),
        names=dict(question.names),
        caps=dict(question.caps),
        complete={side: snapshots[side].complete for side in Side},
        doubts={side: snapshots[side].doubt for side in Side},
        now=question.now,
        first_run=question.union is not None or not question.baseline.first_run_done,
        sources_seen=len(snapshots[Side.SOURCE].entries),
        since=question.since,
        until=question.until,
        adds_only=question.adds_only,
        frozen=question.frozen,
        shelves={side: shelf for side in Side if (shelf := snapshots[side].shelf) is not None},
        # A mirrored source must show what it has: what it withholds would be removed elsewhere.
        withheld=frozenset(
            side
            for side in Side
            if snapshots[side].withheld and (side is Side.TARGET or spec.remove_mode is not RemoveMode.MIRROR)
        ),
        unscoped=spec.since is None and spec.until is None and len(spec.types) == len(Kind),
    )


def standing(question: Question) -> Baseline:
    """The baseline that a plan is made from and committed onto.

    In a union run the rows keep their marks, their parking and their native keys, and forget what
    the sides agreed on.
    """
    baseline = question.baseline
    if question.union is None:
        return baseline
    rows = {key: replace(row, source=None, target=None, seen=None) for key, row in baseline.rows.items()}
    return replace(baseline, rows=rows, first_run_done=False)


def full_plays(question: Question) -> bool:
    """Whether every play is a record of its own: asked for, and possible on both sides.

    A side that keeps one play, or no dates, would answer each play with another one of its own.
    """
    if question.spec.feature is not Feature.HISTORY or question.spec.plays is not Plays.ALL:
        return False
    able = [question.caps[side].of(Feature.HISTORY) for side in Side]
    return all(caps.plays and caps.keeps_date for caps in able)


def records_of(question: Question) -> list[Record]:
    """The linked records of a question, sorted by key."""
    snapshots = question.snapshots
    rows = list(standing(question).rows.values())
    records = link(snapshots[Side.SOURCE], snapshots[Side.TARGET], rows, question.match)
    if full_plays(question):
        within = max(question.caps[side].of(Feature.HISTORY).precision_s for side in Side)
        records = [play for record in records for play in split_plays(record, float(within))]
        records.sort(key=lambda record: record.key)
    return records


def trace(question: Question) -> Iterator[Decision]:
    """Every record's decision, for those who want to know why (see `explain`)."""
    rules = rules_of(question)
    return (untorn(decide(record, rules), question.bonds) for record in records_of(question))


def plan_feature(question: Question) -> FeaturePlan:
    """Plan one feature. Raises `InternalError` when a record is missing from the plan or in it twice."""
    rules = rules_of(question)
    records = records_of(question)
    tally = Tally(question)
    for record in records:
        tally.take(decide(record, rules))
    tally.check(len(records))
    return tally.plan(rules)


class Tally:
    """Sorts decisions into a plan. `inferred` says that removals were concluded from what was not seen."""

    def __init__(self, question: Question, *, inferred: bool = True) -> None:
        self.question = question
        self.inferred = inferred
        self.changes: list[Change] = []
        self.notes: dict[Class, list[Note]] = {Class.CONFLICT: [], Class.HOLD: [], Class.SKIP: []}
        self.observations: list[Observation] = []
        self.counts: Counter[Class] = Counter()
        self.filtered = 0
        self.dormant = 0
        self.one_sided = 0
        self.present = dict.fromkeys(Side, 0)
        self.held = dict.fromkeys(Side, 0)
        self.lost = dict.fromkeys(Side, 0)
        self.keys: set[str] = set()
        self.taken = 0

    def take(self, decision: Decision) -> None:
        """Count a record and sort what was decided of it."""
        self.count(decision.record)
        self.sort(decision)

    def sort(self, decision: Decision) -> None:
        """Sort what was decided of a record."""
        decision = untorn(decision, self.question.bonds)
        self.taken += 1
        self.keys.add(decision.record.key)
        if decision.cls is Class.SAME:
            self._take_same(decision)
            return
        if decision.cls is Class.SKIP and decision.note is None:
            self.filtered += 1
            return
        self.counts[decision.cls] += 1
        if decision.note is not None:
            self.notes[decision.cls].append(decision.note)
        if decision.write is not None:
            self.changes += decision.write
        if decision.stored:
            self._observe(decision)

    def _take_same(self, decision: Decision) -> None:
        record = decision.record
        self.counts[Class.SAME] += 1
        if not (record.source or record.target or any(row.agreed for row in record.rows)):
            self.dormant += 1
        self.one_sided += bool(record.source) is not bool(record.target)
        if decision.stored:
            self._observe(decision)

    def _observe(self, decision: Decision) -> None:
        if decision.row is None:
            raise InternalError(f"{decision.record.key}: nothing to store")
        old = tuple(row.key for row in decision.record.rows if row.key != decision.row.key)
        self.observations.append(Observation(decision.record.key, decision.row, old))

    def count(self, record: Record) -> None:
        """Count what guards judge: who holds the record, and which rows are still seen where they were."""
        on_source, on_target = bool(record.source), bool(record.target)
        self.held[Side.SOURCE] += on_source
        self.held[Side.TARGET] += on_target
        if record.blind:
            on_source, on_target = on_source or Side.SOURCE in record.blind, on_target or Side.TARGET in record.blind
        self._count_lost(record)
        for row in record.rows:
            self.present[Side.SOURCE] += on_source and row.source is not None
            self.present[Side.TARGET] += on_target and row.target is not None

    def _count_lost(self, record: Record) -> None:
        for side in Side:
            shelf = self.question.snapshots[side].shelf
            if shelf is not None and not record.entries(side) and side not in record.blind:
                known = [row for row in record.rows if row.value(side) is not None]
                self.lost[side] += sum(off_shelf(row, side, shelf) for row in known)

    def check(self, n_records: int) -> None:
        """Raise `InternalError` unless each of so many records is in exactly one class."""
        if self.taken != n_records or len(self.keys) != n_records or self.counts.total() + self.filtered != n_records:
            raise InternalError(
                f"{self.question.spec.feature.value}: {n_records} records, {len(self.keys)} keys, {self.taken} decided",
                hint="please report this; nothing was written",
            )

    def plan(self, rules: Rules) -> FeaturePlan:
        """The plan of all that was sorted."""
        question = self.question
        changes = sorted(self.changes, key=lambda c: (OP_ORDER[c.op], c.side, c.key, c.native_key or ""))
        facts = Facts(
            feature=question.spec.feature,
            spec=question.guards,
            pair=question.pair,
            names=question.names,
            changes=changes,
            baseline=question.baseline,
            snapshots=question.snapshots,
            present=self.present,
            held=self.held,
            usable=not rules.first_run,
            first_run=rules.first_run,
            now=question.now,
            wall=question.wall,
            last_at=question.last_at,
            inferred=self.inferred,
            lost=self.lost,
        )
        digests = {side: snapshot_digest(question.snapshots[side], question.caps[side]) for side in Side}
        plan = FeaturePlan(
            feature=question.spec.feature,
            changes=tuple(changes),
            conflicts=tuple(self.notes[Class.CONFLICT]),
            holds=tuple(self.notes[Class.HOLD]),
            skips=tuple(self.notes[Class.SKIP]),
            observations=tuple(self.observations),
            # Rows that only remember our own writes are in step, and no record of anyone's.
            counts=dict(+(self.counts - Counter({Class.SAME: self.dormant}))),
            filtered=self.filtered,
            one_sided=self.one_sided,
            guards=judge(facts),
            first_run=rules.first_run,
            union=question.union,
            snapshot_digests=digests,
            digest="",
            bonds=question.bonds,
        )
        if question.limit is not None:
            plan = _limited(plan, question.limit)
        return replace(plan, digest=_named(plan, question.baseline_digest))


def _limited(plan: FeaturePlan, limit: int) -> FeaturePlan:
    """At most `limit` writes, one for each record or for all that one write carries out; the rest stay for later."""
    early = {name for unit in units(plan.changes, plan.bonds)[:limit] for name in unit}
    late = {change.key for change in plan.changes if change.key not in early}
    return _held(plan, late, f"limit: more than --limit {limit}; the next run goes on")


def guarded(plan: FeaturePlan, on_guard: OnGuard, *, accepted: bool) -> tuple[FeaturePlan, bool]:
    """What of a plan may be carried out, and whether its guards stop it altogether.

    `accepted` lifts every guard that a person may lift. With ``on_guard = "hold"`` a guard on
    removals holds the removals and lets the rest go; any other guard stops the feature.
    """
    standing_guards = tuple(guard for guard in plan.guards if not (accepted and guard.acceptable))
    plan = replace(plan, guards=standing_guards)
    if not standing_guards:
        return plan, False
    if on_guard is OnGuard.HOLD and all(guard.holds for guard in standing_guards):
        names = ", ".join(sorted({guard.name for guard in standing_guards}))
        return hold_removals(plan, f"guard: {names}"), False
    return plan, True


def hold_removals(plan: FeaturePlan, reason: str) -> FeaturePlan:
    """The plan with every removal held for a person, and the rest as it was."""
    keys = {change.key for change in plan.changes if change.op is Op.REMOVE}
    return _held(plan, keys, reason)


def _held(plan: FeaturePlan, keys: set[str], reason: str) -> FeaturePlan:
    """Turn the changes of some records into holds; what was to be learnt of them waits too."""
    if not keys:
        return plan
    held: dict[str, Change] = {}
    for change in plan.changes:
        if change.key in keys:
            held.setdefault(change.key, change)
    conflicts = {note.key for note in plan.conflicts} & keys
    counts = Counter(plan.counts)
    for change in held.values():
        was = Class.CONFLICT if change.key in conflicts else Class.DELETE if change.op is Op.REMOVE else Class.WRITE
        counts[was] -= 1
        counts[Class.HOLD] += 1
    notes = [note_of(change, f"{reason} ({change.reason})") for change in held.values()]
    return replace(
        plan,
        changes=tuple(change for change in plan.changes if change.key not in keys),
        conflicts=tuple(note for note in plan.conflicts if note.key not in keys),
        holds=tuple(sorted((*plan.holds, *notes), key=lambda note: note.key)),
        observations=tuple(seen for seen in plan.observations if seen.key not in keys),
        counts=dict(+counts),
        finished=False,
    )


def _named(plan: FeaturePlan, baseline_digest: str) -> str:
    """The name of a plan: what it does and on what it stands; no words, no times of the run."""
    return plan_digest(
        plan.feature,
        (baseline_digest, plan.snapshot_digests[Side.SOURCE], plan.snapshot_digests[Side.TARGET]),
        plan.changes,
        (*plan.conflicts, *plan.holds, *plan.skips),
        plan.guards,
    )
