"""Other pairs on the same accounts: what they wrote there lately may not show yet, for this pair either.

A settling mark belongs to the account that was written, not to the pair that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from cwsync.engine.options import Home
from cwsync.engine.questions import capabilities_of
from cwsync.engine.sides import account_of
from cwsync.model import Feature, PairSpec, Side
from cwsync.state import PairStore

Frozen = dict[Feature, dict[str, str]]


def frozen_by_others(pairs: Iterable[PairSpec], pair: PairSpec, home: Home, now: datetime) -> Frozen:
    """By feature, the ids of records that another pair wrote on one of our accounts, with the reason to wait.

    Reads the state of a neighbour only when an account that both use may lag at all. Raises
    `StateError` for a neighbour's state that cannot be read: what it wrote is not known then.
    """
    caps = capabilities_of(pair)
    slow = {account_of(pair, side).name for side in Side if caps[side].staleness > timedelta(0)}
    frozen: Frozen = {}
    for other in pairs:
        shared = slow & {other.source.name, other.target.name}
        if other.name == pair.name or not shared:
            continue
        state = PairStore(home.state_dir, other.name).load(other.source.name, other.target.name)
        for feature, baseline in state.features.items():
            for row in baseline.rows.values():
                if row.mark is None or row.mark.until <= now or account_of(other, row.mark.side).name not in shared:
                    continue
                name = account_of(other, row.mark.side).name
                reason = f"settling: the pair {other.name} wrote it on {name}, which may not show"
                reason += f" before {row.mark.until:%H:%M:%S} UTC"
                frozen.setdefault(feature, {}).update(dict.fromkeys(row.item.tokens(), reason))
    return frozen
