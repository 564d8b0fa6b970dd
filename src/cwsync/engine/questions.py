"""From a pair and its state to the questions that the planner answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from cwsync.engine.options import RunOptions
from cwsync.engine.sides import account_of
from cwsync.model import Baseline, Capabilities, Feature, FeatureSpec, PairSpec, Side, Snapshot, format_when
from cwsync.planner.plan import Question
from cwsync.planner.write import kinds_of
from cwsync.provider import capabilities_for
from cwsync.state import LastRun, PairState, PairStore

_TOO_OLD = timedelta(days=30)


def capabilities_of(pair: PairSpec) -> dict[Side, Capabilities]:
    """What the two accounts can do, with the staleness that the user may have set."""
    found = {}
    for side in Side:
        account = account_of(pair, side)
        caps = capabilities_for(account)
        found[side] = caps if account.staleness is None else replace(caps, staleness=account.staleness)
    return found


def fingerprint(pair: PairSpec, spec: FeatureSpec) -> str:
    """What a baseline stands on: the accounts, their libraries and lists, the kinds and dates in scope.

    Direction, mode and policies are not part of it: changing those keeps the baseline.
    """
    accounts = sorted(
        [account.name, account.provider, _libraries(account.options) + _chosen(account.options, spec.feature)]
        for account in (pair.source, pair.target)
    )
    scope = [kinds_of(spec.types), format_when(spec.since), format_when(spec.until), spec.plays.value]
    return hashlib.sha256(json.dumps([accounts, scope]).encode()).hexdigest()[:32]


def _libraries(options: Mapping[str, object]) -> list[str]:
    named = options.get("libraries")
    return sorted(str(name) for name in named) if isinstance(named, list | tuple) else []


def _chosen(options: Mapping[str, object], feature: Feature) -> list[str]:
    """The list that an account names as its watchlist: what another one holds was never removed from this one."""
    name = options.get("watchlist_name") if feature is Feature.WATCHLIST else None
    return [] if name is None else [f"{options.get('watchlist')}: {name}"]


def union_reason(
    baseline: Baseline | None,
    pair: PairSpec,
    spec: FeatureSpec,
    since_good: timedelta | None,
    *,
    distrust: str | None,
) -> str | None:
    """Why the agreements of a baseline do not count in this run, in words; None: they do.

    `distrust` is what speaks against the whole state (see `distrust`).
    """
    if distrust is not None or baseline is None:
        return distrust
    if baseline.fingerprint is None:
        return "the state cannot be trusted: it was restored, or its accounts changed"
    if baseline.fingerprint != fingerprint(pair, spec):
        return "accounts, libraries, types or dates changed since the last run"
    if since_good is not None and since_good > _TOO_OLD:
        return f"the last good run was {since_good.days} days ago"
    return None


def distrust(store: PairStore, state: PairState, last: LastRun | None) -> str | None:
    """Why nothing in the state of a pair may be believed, in words; None: nothing speaks against it."""
    generation = last.generation if last else 0
    if store.lost(generation):
        return "the state is missing, though this pair was run before"
    if 0 < state.generation < generation:
        return "the state is older than the last run: it was restored or rolled back"
    return None


def distrusted(state: PairState) -> PairState:
    """A state whose agreements count for nothing until each feature was united again."""
    features = {feature: replace(one, fingerprint=None) for feature, one in state.features.items()}
    return replace(state, features=features)


def ask(
    pair: PairSpec,
    spec: FeatureSpec,
    state: PairState,
    snapshots: Mapping[Side, Snapshot],
    options: RunOptions,
    *,
    wall: datetime,
    digest: str,
    observed_at: datetime | None,
    last_at: datetime | None,
    distrust: str | None,
    frozen: Mapping[str, str],
) -> Question:
    """The question of one feature.

    `observed_at` is when it was last read and judged, `last_at` when the last run of any kind ended.
    """
    now = options.now or wall
    known = state.features.get(spec.feature)
    since_good = None if observed_at is None else now - observed_at
    return Question(
        pair=pair.name,
        spec=spec,
        mode=pair.mode,
        match=pair.match,
        guards=pair.guards,
        names={side: account_of(pair, side).name for side in Side},
        caps=capabilities_of(pair),
        snapshots=snapshots,
        baseline=known or Baseline(spec.feature),
        now=now,
        wall=wall,
        last_at=last_at,
        baseline_digest=digest,
        union=union_reason(known, pair, spec, since_good, distrust=distrust),
        since=options.since,
        until=options.until,
        adds_only=options.adds_only,
        limit=options.limit,
        frozen=frozen,
    )
