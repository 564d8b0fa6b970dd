"""`reset-state`: what would be forgotten and what that means, and the forgetting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cwsync import files
from cwsync.engine import clock
from cwsync.engine.options import Home
from cwsync.errors import CwsyncError, UsageError
from cwsync.model import Feature, Mode, PairSpec, Settings
from cwsync.provider import Kept, kept_of
from cwsync.state import Locks, PairStore, RunInfo


@dataclass(frozen=True, slots=True)
class ResetPreview:
    """What `reset-state` is about to forget.

    `rows` counts the baseline records by feature; `consequences` are sentences for a person: what
    the next run will do, and what could come back.
    """

    pair: str
    rows: dict[Feature, int]
    consequences: tuple[str, ...]


def preview_reset(
    settings: Settings, pair: str, features: frozenset[Feature] | None, home: Home, *, refetch: int = 0
) -> ResetPreview:
    """What `reset-state` would forget, and what that leads to. Works on damaged state too.

    `refetch` is how often it was said that libraries which providers keep are to be forgotten as well.
    Raises `UsageError` where that is not enough: it was done a moment ago, and the service minds.
    """
    spec = settings.pairs[pair]
    store = PairStore(home.state_dir, pair)
    told: list[str] = []
    try:
        state = store.load(spec.source.name, spec.target.name)
    except CwsyncError as error:
        told.append(f"the state cannot be read ({error.message}); it is put aside as it is")
        rows: Mapping[Feature, int] = {}
    else:
        wanted = features or frozenset(state.features)
        rows = {feature: len(one.rows) for feature, one in state.features.items() if feature in wanted}
        told += [] if rows else ["there is no baseline yet"]
    told += _consequences(spec)
    told += [_library(name, kept, pair, refetch) for name, kept in _kept(spec, home).items()]
    return ResetPreview(pair, dict(rows), tuple(told))


def _consequences(pair: PairSpec) -> list[str]:
    source, target = pair.source.name, pair.target.name
    told = ["the next run is a first run: a union of both sides that removes nothing"]
    if pair.mode is Mode.TWO_WAY:
        told.append(f"what was removed from only one of {source} and {target} since the last run comes back")
        told.append("where both sides hold different values, the conflict policy decides")
    else:
        told.append(f"what was removed from {target} only is added again; what {source} lost stays on {target}")
    told.append("parked records are forgotten; what was written a moment ago stays frozen until reads show it")
    told.append("a backup of the state is kept")
    return told


def _kept(pair: PairSpec, home: Home) -> dict[str, Kept]:
    """What is kept of the libraries of a pair, by account."""
    found = {one.name: kept_of(one, home.state_dir / "cache") for one in (pair.source, pair.target)}
    return {name: kept for name, kept in found.items() if kept is not None}


def _library(name: str, kept: Kept, pair: str, refetch: int) -> str:
    """What becomes of a library that is kept. Raises `UsageError` where it may not be forgotten yet."""
    read = f"{name} was read whole at {kept.whole_at:%Y-%m-%d %H:%M} UTC"
    if not refetch:
        return f"{read}, and that is kept: its service minds being read whole, so only changes are asked for"
    again = kept.whole_at + kept.every
    if refetch == 1 and clock.now() < again:
        raise UsageError(
            f"{read}, and its service suspends those who do so again and again",
            where=name,
            hint=f"wait until {again:%Y-%m-%d %H:%M} UTC, leave out --refetch, or say it twice: "
            f"cwsync reset-state {pair} --refetch --refetch",
        )
    return f"{read}; that is forgotten, and the next run reads all of it again"


def reset_state(
    settings: Settings, pair: str, features: frozenset[Feature] | None, home: Home, *, refetch: int = 0
) -> Path | None:
    """Forget the baseline of a pair, under its locks. Gives the backup, or None when there was none.

    `refetch` is as in `preview_reset`, which is to be asked before.
    """
    spec = settings.pairs[pair]
    names = [f"account-{name}" for name in sorted((spec.source.name, spec.target.name))] + [f"pair-{pair}"]
    store = PairStore(home.state_dir, pair)
    forgotten = _kept(spec, home) if refetch else {}
    if not store.folder.exists() and not forgotten:
        return None
    now = clock.now()
    with Locks(home.state_dir, names, 0.0, RunInfo(f"cwsync reset-state {pair}", now)):
        for kept in forgotten.values():
            with files.disk_errors(kept.path):
                files.remove_file(kept.path)
        return store.reset(features, now) if store.folder.exists() else None
