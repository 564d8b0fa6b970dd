"""A question for the planner in one line: what each side holds, what the baseline says, and the rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cwsync.model import (
    Baseline,
    Capabilities,
    Entry,
    ExternalId,
    Feature,
    FeatureCaps,
    FeatureSpec,
    GuardSpec,
    Item,
    Kind,
    Listed,
    Match,
    Mode,
    Play,
    Position,
    Rated,
    Row,
    Side,
    Snapshot,
    Value,
    external_id,
    sort_ids,
)
from cwsync.planner.plan import FeaturePlan, Question, plan_feature

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TENS = tuple(range(10, 101, 10))
HALVES = tuple(range(10, 101, 5))


def ids(kind: Kind, text: str) -> tuple[ExternalId, ...]:
    """``"imdb:1 tmdb:2"`` as ids; imdb numbers are written out."""
    found = []
    for one in text.split():
        service, _, value = one.partition(":")
        found.append(external_id(service, kind, f"tt{int(value):07d}" if service == "imdb" else value))
    return sort_ids(found)


def film(text: str, title: str | None = None, year: int | None = None) -> Item:
    """A film by its ids: ``film("imdb:1 tmdb:2")``."""
    return Item(Kind.MOVIE, ids(Kind.MOVIE, text), title, year)


def episode(show: str, season: int, number: int, own: str = "") -> Item:
    """An episode by the ids of its show, its place, and its own ids."""
    return Item(
        Kind.EPISODE,
        ids(Kind.EPISODE, own),
        show_ids=ids(Kind.SHOW, show),
        season=season,
        number=number,
    )


def caps(feature: Feature = Feature.RATINGS, **changes: Any) -> Capabilities:
    """A side that can do everything at once, like the tracker; `changes` make it odd."""
    top = {key: changes.pop(key) for key in ("staleness", "absence_certain", "drops_from_watchlist") if key in changes}
    able: dict[str, Any] = {
        "read": True,
        "add": True,
        "update": True,
        "remove": True,
        "kinds": frozenset(Kind),
        "scores": HALVES,
        "keeps_date": True,
        "undated": True,
        "plays": True,
        "batch": 100,
    }
    settings: dict[str, Any] = {"staleness": timedelta(0), "absence_certain": True} | top
    return Capabilities("test", {feature: FeatureCaps(**able | changes)}, **settings)


@dataclass(frozen=True)
class Library:
    """What a media server has, held or not: the rows by key. A title is known by its ids."""

    rows: Mapping[str, Item]

    def has(self, native_key: str) -> bool:
        return native_key in self.rows

    def knows(self, item: Item) -> bool:
        return any(not set(item.tokens()).isdisjoint(one.tokens()) for one in self.rows.values())

    def titles(self) -> Iterable[tuple[str, Item]]:
        return self.rows.items()


def snapshot(
    entries: Iterable[tuple[Item, Value] | Entry],
    feature: Feature = Feature.RATINGS,
    *,
    complete: bool = True,
    account: str = "account",
    **more: Any,
) -> Snapshot:
    """What one side says."""
    rows = tuple(one if isinstance(one, Entry) else Entry(*one) for one in entries)
    return Snapshot(feature, rows, complete, account, **more)


def baseline(rows: Iterable[Row], feature: Feature = Feature.RATINGS, **more: Any) -> Baseline:
    """A baseline that has seen its first run through."""
    settings: dict[str, Any] = {"first_run_done": True} | more
    return Baseline(feature, {row.key: row for row in rows}, **settings)


def row(item: Item, source: Value | None, target: Value | None, **more: Any) -> Row:
    """One row of the baseline under the item's own key."""
    return Row(item.key() or "?", item, source, target, **more)


def question(
    source: Snapshot,
    target: Snapshot,
    base: Baseline | None = None,
    *,
    mode: Mode = Mode.TWO_WAY,
    guards: GuardSpec | None = None,
    match: Match = Match.IDS,
    source_caps: Capabilities | None = None,
    target_caps: Capabilities | None = None,
    now: datetime = NOW,
    extra: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Question:
    """A question with removal on and wide guards, unless said otherwise."""
    feature = source.feature
    rules: dict[str, Any] = {"remove": True} | spec
    return Question(
        pair="home-away",
        spec=FeatureSpec(feature, **rules),
        mode=mode,
        match=match,
        guards=guards or GuardSpec(free_removes=1000, max_remove=1000, free_adds=1000, free_updates=1000),
        names={Side.SOURCE: "home", Side.TARGET: "away"},
        caps={
            Side.SOURCE: source_caps or caps(feature),
            Side.TARGET: target_caps or caps(feature),
        },
        snapshots={Side.SOURCE: source, Side.TARGET: target},
        baseline=base or Baseline(feature),
        now=now,
        **({"wall": now} | dict(extra or {})),
    )


def planned(*args: Any, **more: Any) -> FeaturePlan:
    """`question`, answered."""
    return plan_feature(question(*args, **more))


def score(number: float, at: datetime | None = None) -> Rated:
    """A rating out of ten."""
    return Rated(round(number * 10), at)


def words(plan: FeaturePlan) -> list[str]:
    """The changes of a plan in short: ``+target imdb_movie:tt0000001 8``."""

    def show(value: Value | None) -> str:
        if isinstance(value, Rated):
            return f" {value.score / 10:g}"
        if isinstance(value, Position):
            return f" {value.ms // 1000}s"
        if isinstance(value, Play | Listed) and value.at is not None:
            return f" {value.at:%Y-%m-%d}"
        return ""

    return [f"{c.op.symbol}{c.side.value} {c.key.partition(':')[2].lstrip('t0')}{show(c.after)}" for c in plan.changes]


def swapped(one: Question) -> Question:
    """The same question with the sides exchanged."""
    flip = {Side.SOURCE: Side.TARGET, Side.TARGET: Side.SOURCE}
    rows = {
        key: replace(
            old,
            source=old.target,
            target=old.source,
            source_keys=old.target_keys,
            target_keys=old.source_keys,
            mark=replace(old.mark, side=flip[old.mark.side]) if old.mark else None,
            seen=replace(old.seen, side=flip[old.seen.side]) if old.seen else None,
            unshown=flip[old.unshown] if old.unshown else None,
        )
        for key, old in one.baseline.rows.items()
    }
    return replace(
        one,
        names={side: one.names[flip[side]] for side in Side},
        caps={side: one.caps[flip[side]] for side in Side},
        snapshots={side: one.snapshots[flip[side]] for side in Side},
        baseline=replace(one.baseline, rows=rows),
    )
