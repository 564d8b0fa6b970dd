"""Made-up worlds for the planner (`questions`), and what each record of any of them can count on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from cwsync.model import (
    Baseline,
    Conflict,
    Entry,
    Feature,
    Item,
    Kind,
    Listed,
    Mark,
    MarkKind,
    Match,
    Mode,
    Parked,
    Play,
    Plays,
    Position,
    Rated,
    RemoveMode,
    Row,
    Side,
    Sighting,
    Snapshot,
    Undecoded,
    Value,
)
from cwsync.planner.decide import decide, decide_slowly
from cwsync.planner.plan import Question, plan_feature, records_of, rules_of
from cwsync.planner.record import Record
from support.engine import effort
from support.planning import HALVES, NOW, TENS, Library, caps, episode, film, question

BRISK = effort(100, 2000)

# Films whose ids overlap in every way: the same one known by one id or two, and rows that glue two films.
POOL: tuple[Item, ...] = (
    film("imdb:1", "Heat", 1995),
    film("tmdb:1", "Heat", 1995),
    film("imdb:1 tmdb:1", "HEAT", 1996),
    film("imdb:2", "Ran", 1985),
    film("imdb:2 tmdb:2", "Ran", 1985),
    film("imdb:1 tmdb:2", "Glue", 1990),
    film("tvdb:3", "Up", 2009),
    episode("tvdb:9", 1, 2),
    episode("tvdb:9 imdb:9", 1, 2, "tvdb:77"),
    episode("imdb:9", 1, 2, "tvdb:78"),
)
NAMELESS = Item(Kind.MOVIE, (), "Up", 2009)
ABLE: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"scores": TENS},
    {"scores": HALVES},
    {"update": False},
    {"remove": False},
)
AGES = (None, 1, 100, 1000, 20_000)


def _when(draw: Any) -> datetime | None:
    age = draw(st.sampled_from(AGES))
    return None if age is None else NOW - timedelta(seconds=age)


@st.composite
def values(draw: Any, feature: Feature) -> Value:
    """Some value of a feature."""
    when = _when(draw)
    if feature is Feature.RATINGS:
        return Rated(draw(st.sampled_from((50, 75, 80, 90))), when)
    if feature is Feature.HISTORY:
        return Play(when)
    if feature is Feature.PROGRESS:
        return Position(draw(st.sampled_from((30_000, 600_000, 610_000, 3_000_000, 5_900_000))), 6_000_000, when)
    return Listed(when)


@st.composite
def _rows(draw: Any, feature: Feature, pool: Sequence[Item], *, marks: bool, by_play: bool) -> dict[str, Row]:
    """Rows of the baseline. `by_play`: each is about one play, as it is with ``plays = "all"``."""
    rows: dict[str, Row] = {}
    some = st.none() | values(feature)
    for item in draw(st.lists(st.sampled_from(pool), max_size=4)):
        key = item.key()
        if key is None or key in rows or any(set(item.tokens()) & set(old.item.tokens()) for old in rows.values()):
            continue
        more: dict[str, Any] = {}
        if by_play:
            some = st.none() | st.just(draw(values(feature)))
        extra = (
            draw(st.sampled_from(("", "", "", "mark", "seen", "parked", "writes", "keys", "weak", "unshown")))
            if marks
            else ""
        )
        side = draw(st.sampled_from(Side))
        if extra == "mark":
            until = NOW + timedelta(minutes=draw(st.sampled_from((-5, 0, 5))))
            kind = draw(st.sampled_from(MarkKind))
            before, after, origin = (draw(some) for _ in range(3))
            if before == after:
                continue  # what was written is another state than before
            more["mark"] = Mark(kind, side, before, after, origin, until - timedelta(minutes=15), until)
        if extra == "seen":
            more["seen"] = Sighting(side, draw(st.booleans()), NOW - timedelta(minutes=draw(st.sampled_from((5, 10)))))
        if extra == "parked":
            until = NOW + timedelta(hours=draw(st.sampled_from((-1, 1))))
            more["parked"] = Parked(side, "not_found", 1, until)
        if extra == "writes":
            more["writes"] = tuple(NOW - timedelta(hours=hour) for hour in range(draw(st.integers(1, 5)), 0, -1))
        if extra == "unshown":
            more["unshown"] = side
        if extra == "keys":
            more["source_keys"], more["target_keys"] = ("source-0",), ("target-0",)
        rows[key] = Row(key, item, draw(some), draw(some), weak=extra == "weak", **more)
        if rows[key].empty:
            del rows[key]
    return rows


@st.composite
def _side(draw: Any, feature: Feature, side: Side, pool: Sequence[Item], *, partial: bool) -> Snapshot:
    held = draw(st.lists(st.tuples(st.sampled_from(pool), values(feature)), max_size=5))
    entries = tuple(Entry(item, value, f"{side}-{number}") for number, (item, value) in enumerate(held))
    broken: tuple[Undecoded, ...] = ()
    complete = not partial or draw(st.sampled_from((True, True, True, False)))
    if partial and draw(st.integers(0, 5)) == 0:
        broken = (Undecoded("row 9", "no value", draw(st.sampled_from(pool)), f"{side}-9"),)
    shelf = None
    if draw(st.integers(0, 3)) == 0:
        more = draw(st.lists(st.sampled_from(pool), max_size=3))
        rows = {str(entry.native_key): entry.item for entry in entries}
        shelf = Library(rows | {f"{side}-{number}": item for number, item in enumerate(more, 5)})
    return Snapshot(feature, entries, complete, "account", undecoded=broken, watermark=None, shelf=shelf)


@st.composite
def questions(
    draw: st.DrawFn,
    /,
    *,
    partial: bool = True,
    marks: bool = True,
    pool: Sequence[Item] = (*POOL, NAMELESS),
    features: Sequence[Feature] = tuple(Feature),
    **fixed: Any,
) -> Question:
    """A world and rules for one feature; `fixed` are rules that must not vary."""
    feature = draw(st.sampled_from(features))
    choices: tuple[dict[str, Any], ...] = (
        {},
        {},
        {"scores": TENS},
        {"scores": HALVES},
        {"update": False},
        {"remove": False},
    )
    some_caps = st.sampled_from(choices)
    rules: dict[str, Any] = {
        "mode": draw(st.sampled_from(Mode)),
        "conflict": draw(st.sampled_from(Conflict)),
        "remove": draw(st.sampled_from((True, True, False))),
        "remove_mode": draw(st.sampled_from(RemoveMode)),
        "match": draw(st.sampled_from((Match.IDS, Match.IDS, Match.TITLE_YEAR))),
        "hold_removed": draw(st.sampled_from((timedelta(0), None, timedelta(minutes=10)))),
        "plays": draw(st.sampled_from(Plays)) if feature is Feature.HISTORY else Plays.NEWEST,
    }
    more = {"union": draw(st.sampled_from((None, None, None, "the filters changed")))}
    by_play = feature is Feature.HISTORY and rules["plays"] is Plays.ALL
    rows = draw(_rows(feature, pool, marks=marks, by_play=by_play))
    base = Baseline(feature, rows, first_run_done=draw(st.sampled_from((True, True, False))))
    able = {side: draw(some_caps) for side in Side}
    able = {side: (one if feature is Feature.RATINGS or "scores" not in one else {}) for side, one in able.items()}
    return question(
        draw(_side(feature, Side.SOURCE, pool, partial=partial)),
        draw(_side(feature, Side.TARGET, pool, partial=partial)),
        base,
        source_caps=caps(feature, **able[Side.SOURCE], absence_certain=draw(st.booleans())),
        target_caps=caps(feature, **able[Side.TARGET], absence_certain=draw(st.booleans())),
        **(rules | {name: value for name, value in fixed.items() if name != "extra"}),
        extra=more | fixed.get("extra", {}),
    )


def sketch(one: Question) -> str:
    """A world in a few lines, for the report of a failure."""
    lines = [
        f"{one.spec.feature} {one.mode} {one.spec.conflict} remove={one.spec.remove} {one.spec.remove_mode} {one.match}"
    ]
    lines.append(f"  plays={one.spec.plays} hold_removed={one.spec.hold_removed} union={one.union}")
    lines.append(f"  first_run_done={one.baseline.first_run_done}")
    for row in one.baseline.rows.values():
        extra: dict[str, object] = {
            "keys": row.source_keys + row.target_keys,
            "mark": row.mark,
            "seen": row.seen,
            "parked": row.parked,
        }
        extra |= {"unshown": row.unshown}
        told = {name: value for name, value in extra.items() if value}
        lines.append(
            f"  base {' '.join(row.item.tokens())}: {row.source} / {row.target} {told or ''}{' weak' * row.weak}"
        )
    for side in Side:
        told_by = one.snapshots[side]
        lines += [f"  {side} {e.native_key} {' '.join(e.item.tokens())}: {e.value}" for e in told_by.entries]
        lines += [f"  {side} unread {row.item and row.item.tokens()}" for row in told_by.undecoded]
        lines += [] if told_by.complete else [f"  {side} is incomplete"]
        lines += [f"  {side} has {key} {item.label()}" for key, item in told_by.shelf.titles()] if told_by.shelf else []
    return "\n".join(lines)


def record_of(one: Question, key: str) -> Record:
    return next(record for record in records_of(one) if record.key == key)


# --- the fast answer -------------------------------------------------------------------------------


@BRISK
@given(questions())
def test_the_quick_answer_is_the_slow_answer(one: Question):
    note(sketch(one))
    rules = rules_of(one)
    for record in records_of(one):
        quick, slow = decide(record, rules), decide_slowly(record, rules)
        assert (quick.cls, quick.reason, quick.write, quick.note, quick.stored) == (
            slow.cls,
            slow.reason,
            slow.write,
            slow.note,
            slow.stored,
        )
        assert quick.row == slow.row or not quick.stored


@BRISK
@given(questions())
def test_I15_each_record_is_in_exactly_one_class(one: Question):
    note(sketch(one))
    records = records_of(one)
    keys = [record.key for record in records]
    assert len(set(keys)) == len(keys)
    rows = [row.key for record in records for row in record.rows]
    assert sorted(rows) == sorted(one.baseline.rows)
    for side in Side:
        told = sum(len(record.entries(side)) for record in records)
        assert told == len(one.snapshots[side].entries)
    plan = plan_feature(one)  # raises when a record is in it twice or not at all
    noted = [note.key for notes in (plan.holds, plan.skips) for note in notes]
    written = {change.key for change in plan.changes}
    assert len(set(noted)) == len(noted)
    assert not written & set(noted)


@BRISK
@given(questions())
def test_I25_a_settling_record_is_frozen_until_its_time(one: Question):
    note(sketch(one))
    plan = plan_feature(one)
    for record in records_of(one):
        if not any(row.mark and row.mark.until > NOW for row in record.rows) or len(record.rows) > 1:
            continue
        assert record.key not in {change.key for change in plan.changes}
        assert record.key not in {seen.key for seen in plan.observations}
