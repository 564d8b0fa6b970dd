"""Collecting what happened in one pair, and its exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cwsync.engine.carry import Carried
from cwsync.errors import CwsyncError, Exit, worst
from cwsync.model import (
    RUN_ORDER,
    ChangeReport,
    Class,
    ErrorReport,
    Feature,
    FeatureReport,
    Guard,
    Note,
    Op,
    Outcome,
    PairReport,
    PairSpec,
    Plays,
    Receipt,
    Side,
    SideReport,
    Snapshot,
)
from cwsync.planner.plan import FeaturePlan, Question, full_plays
from cwsync.redaction import redact
from cwsync.state import FeatureEvidence

_GOOD = (Outcome.CONFIRMED, Outcome.ALREADY)


@dataclass(slots=True)
class RunParts:
    """What is known of a pair's run; `pair_report` makes the report of it."""

    pair: PairSpec
    digest: str | None = None
    baseline_digest: str | None = None
    generation: int = 0
    warnings: list[str] = field(default_factory=list)
    errors: list[ErrorReport] = field(default_factory=list)
    features: dict[Feature, FeatureReport] = field(default_factory=dict)
    plans: dict[Feature, FeaturePlan] = field(default_factory=dict)
    done: dict[Feature, Carried] = field(default_factory=dict)
    unread: bool = False
    unread_quiet: list[Feature] = field(default_factory=list)
    observed: list[Feature] = field(default_factory=list)
    told: dict[Feature, tuple[tuple[Note, ...], tuple[Note, ...]]] = field(default_factory=dict)

    def quiet(self, feature: Feature, evidence: FeatureEvidence) -> None:
        """Record a feature that did not need reading."""
        self.unread_quiet.append(feature)
        source, target = (SideReport(evidence.records[side], complete=True, requests=0) for side in Side)
        self.features[feature] = FeatureReport(
            source,
            target,
            same=evidence.same,
            hold=len(evidence.holds),
            skip=len(evidence.skips),
            filtered=evidence.filtered,
            one_sided=evidence.one_sided,
        )
        self.told[feature] = evidence.holds, evidence.skips

    def failed(self, feature: Feature, error: CwsyncError) -> None:
        """Record a feature that could not be read: nothing of it is written."""
        self.features[feature] = FeatureReport(None, None)
        self.errors.append(error_report(error, feature))

    def planned(self, question: Question, plan: FeaturePlan, seconds: float) -> None:
        """Record a feature's plan and what its reading had to say."""
        feature = plan.feature
        self.told[feature] = plan.holds, plan.skips
        source, target = (_side_report(question.snapshots[side]) for side in Side)
        self.features[feature] = FeatureReport(source, target, seconds=round(seconds, 3), first_run=plan.first_run)
        self.plans[feature] = plan
        if plan.union is not None:
            self.warnings.append(f"{feature.value}: {plan.union}; this run is a union and removes nothing")
        for side in Side:
            snapshot, name = question.snapshots[side], question.names[side]
            self.warnings += [f"{feature.value}: {name}: {text}" for text in snapshot.warnings]
            self.warnings += [f"{feature.value}: {name}: {row.where}: {row.why}" for row in snapshot.undecoded]
            self.unread = self.unread or bool(snapshot.undecoded)
            if snapshot.doubt:
                self.warnings.append(f"{feature.value}: {name} was not read completely: {snapshot.doubt}")
        if question.spec.plays is Plays.ALL and not full_plays(question):
            text = 'plays = "all" needs two sides that keep every play with its date; the newest play is synced'
            self.warnings.append(f"{feature.value}: {text}")
        if plan.filtered:
            self.features[feature] = replace(self.features[feature], filtered=plan.filtered)

    def judged(self, plan: FeaturePlan) -> None:
        """Record what the guards left of a plan."""
        self.plans[plan.feature] = plan
        self.told[plan.feature] = plan.holds, plan.skips

    def carried(self, feature: Feature, carried: Carried) -> None:
        """Record what became of a feature's changes."""
        self.done[feature] = carried
        if carried.error is not None and not any(one.message == str(carried.error) for one in self.errors):
            self.errors.append(error_report(carried.error, feature))

    def counts(self) -> dict[str, int]:
        """Writes by feature and outcome, for the journal."""
        found: dict[str, int] = {}
        for feature, carried in self.done.items():
            for receipt in carried.receipts:
                word = f"{feature.value}.{receipt.change.op.value}.{receipt.outcome.value}"
                found[word] = found.get(word, 0) + 1
        return found


def error_report(error: CwsyncError, feature: Feature | None = None) -> ErrorReport:
    """An error as data."""
    hint = None if error.hint is None else redact(error.hint)
    return ErrorReport(error.code, redact(str(error)), hint, int(error.exit_code), feature)


def _side_report(snapshot: Snapshot) -> SideReport:
    return SideReport(len(snapshot.entries), snapshot.complete, snapshot.requests)


def pair_report(parts: RunParts) -> PairReport:
    """The report of a pair that got as far as a plan."""
    plans = [parts.plans[feature] for feature in RUN_ORDER if feature in parts.plans]
    features = {
        feature: _with_counts(parts.features[feature], parts.plans.get(feature), parts.done.get(feature))
        for feature in RUN_ORDER
        if feature in parts.features
    }
    changes = tuple(change for plan in plans for change in _changes(plan, parts.done.get(plan.feature)))
    conflicts = tuple(note for plan in plans for note in plan.conflicts)
    told = [parts.told[feature] for feature in RUN_ORDER if feature in parts.told]
    holds = tuple(note for held, _ in told for note in held)
    skips = tuple(note for _, skipped in told for note in skipped)
    guards = tuple(guard for plan in plans for guard in plan.guards)
    return PairReport(
        pair=parts.pair.name,
        mode=parts.pair.mode,
        source=parts.pair.source.name,
        target=parts.pair.target.name,
        exit_code=_exit(parts, (*conflicts, *holds, *skips), guards),
        digest=parts.digest,
        first_run=any(plan.first_run and plan.union is None for plan in plans),
        error=parts.errors[0] if parts.errors else None,
        features=features,
        changes=changes,
        conflicts=conflicts,
        holds=holds,
        skips=skips,
        guards=guards,
        warnings=tuple(dict.fromkeys(parts.warnings)),
        generation=parts.generation,
        observed=tuple(parts.observed),
    )


def _with_counts(report: FeatureReport, plan: FeaturePlan | None, carried: Carried | None) -> FeatureReport:
    if plan is None:
        return report
    receipts = carried.receipts if carried else []
    return replace(
        report,
        add=plan.count(Op.ADD),
        update=plan.count(Op.UPDATE),
        remove=plan.count(Op.REMOVE),
        conflict=len(plan.conflicts),
        hold=len(plan.holds),
        skip=len(plan.skips),
        same=plan.counts.get(Class.SAME, 0),
        adopt=plan.counts.get(Class.ADOPT, 0),
        one_sided=plan.one_sided,
        confirmed=sum(1 for receipt in receipts if receipt.outcome in _GOOD),
        failed=sum(1 for receipt in receipts if _failed(receipt)),
    )


def _changes(plan: FeaturePlan, carried: Carried | None) -> list[ChangeReport]:
    if carried is None or not carried.receipts:
        return [ChangeReport(change) for change in plan.changes]
    answers = {id(receipt.change): receipt for receipt in carried.receipts}
    found = []
    for change in plan.changes:
        receipt = answers.get(id(change))
        found.append(ChangeReport(change, receipt.outcome, receipt.detail) if receipt else ChangeReport(change))
    return found


def _failed(receipt: Receipt) -> bool:
    return receipt.outcome not in _GOOD and not receipt.needless


def _exit(parts: RunParts, notes: Sequence[Note], guards: Sequence[Guard]) -> int:
    codes = [error.exit_code for error in parts.errors]
    if guards:
        codes.append(Exit.GUARD)
    failed = any(_failed(receipt) for done in parts.done.values() for receipt in done.receipts)
    if failed or parts.unread or any(note.undecided for note in notes):
        codes.append(Exit.PARTIAL)
    return worst([int(code) for code in codes])


def failed_report(pair: PairSpec, error: CwsyncError, *, skipped: bool = False) -> PairReport:
    """The report of a pair that ended before there was a plan. `skipped`: on purpose, because it was locked."""
    return PairReport(
        pair=pair.name,
        mode=pair.mode,
        source=pair.source.name,
        target=pair.target.name,
        exit_code=0 if skipped else int(error.exit_code),
        error=None if skipped else error_report(error),
        warnings=(f"skipped: {error}",) if skipped else (),
        locked_out=skipped,
    )


def run_exit(reports: Sequence[PairReport]) -> int:
    """The exit code of a whole run: the worst of its pairs."""
    return worst([report.exit_code for report in reports])
