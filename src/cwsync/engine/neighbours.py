"""Other pairs on the same accounts: what they wrote there lately may not show yet, for this pair either.

A settling mark belongs to the account that was written, not to the pair that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from cwsync.engine.effects import Touch, touch
from cwsync.engine.options import Home
from cwsync.engine.questions import capabilities_of
from cwsync.engine.sides import account_of
from cwsync.model import Feature, PairSpec, Side
from cwsync.state import Intent, PairStore, read_journal

Frozen = dict[Feature, dict[str, str]]


def touched_by_others(pairs: Iterable[PairSpec], pair: PairSpec, home: Home, since: datetime | None) -> list[Touch]:
    """What other pairs have written since `since` on those of our accounts that drop it from their watchlist.

    Seen in the state of the neighbours, which remembers the times of their writes for a day.
    """
    caps = capabilities_of(pair)
    mine = {account_of(pair, side).name: side for side in Side if caps[side].drops_from_watchlist}
    found: list[Touch] = []
    for other in pairs:
        shared = mine.keys() & {other.source.name, other.target.name}
        if other.name == pair.name or not shared:
            continue
        state = PairStore(home.state_dir, other.name).load(other.source.name, other.target.name)
        for name in shared:
            there = Side.SOURCE if other.source.name == name else Side.TARGET
            for feature in caps[mine[name]].drops_from_watchlist & state.features.keys():
                rows = [row for row in state.features[feature].rows.values() if row.writes and row.value(there)]
                late = [row for row in rows if since is None or row.writes[-1] > since]
                found += [Touch(feature, mine[name], row.item, row.writes[-1]) for row in late]
        for intent, name in _unfinished(home, other):
            if name in mine and (since is None or intent.at > since):
                touched = [one for change in intent.changes for one in touch(change, intent.at)]
                found += [replace(one, side=mine[name]) for one in touched]
    return found


def _unfinished(home: Home, pair: PairSpec) -> list[tuple[Intent, str]]:
    """What a run of another pair was writing when it was cut, and on which account."""
    journal = read_journal(PairStore(home.state_dir, pair.name).journal_path)
    if journal is None:
        return []
    names = {Side.SOURCE: journal.header.source, Side.TARGET: journal.header.target}
    return [(intent, names[intent.side]) for intent, _ in journal.batches]


def frozen_by_others(pairs: Iterable[PairSpec], pair: PairSpec, home: Home, now: datetime) -> Frozen:
    """By feature, the ids of records that another pair wrote on one of our accounts, with the reason to wait.

    Reads the state of a neighbour only when an account that both use may lag at all. Raises
    `StateError` for a neighbour's state that cannot be read: what it wrote is not known then.
    """
    caps = capabilities_of(pair)
    windows = {account_of(pair, side).name: caps[side].staleness for side in Side}
    slow_for = {name: window for name, window in windows.items() if window > timedelta(0)}
    frozen: Frozen = {}
    for other in pairs:
        shared = slow_for.keys() & {other.source.name, other.target.name}
        if other.name == pair.name or not shared:
            continue
        state = PairStore(home.state_dir, other.name).load(other.source.name, other.target.name)
        for intent, name in _unfinished(home, other):
            until = intent.at + slow_for.get(name, timedelta(0))
            if until > now:
                reason = f"settling: the pair {other.name} was writing it on {name} when it was cut"
                tokens = [token for change in intent.changes for token in change.item.tokens()]
                frozen.setdefault(intent.feature, {}).update(dict.fromkeys(tokens, reason))
        for feature, baseline in state.features.items():
            for row in baseline.rows.values():
                if row.mark is None or row.mark.until <= now or account_of(other, row.mark.side).name not in shared:
                    continue
                name = account_of(other, row.mark.side).name
                reason = f"settling: the pair {other.name} wrote it on {name}, which may not show"
                reason += f" before {row.mark.until:%H:%M:%S} UTC"
                frozen.setdefault(feature, {}).update(dict.fromkeys(row.item.tokens(), reason))
    return frozen
