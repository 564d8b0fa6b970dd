"""Reports built by hand, small enough to read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cwsync.model import (
    Change,
    ChangeReport,
    ExternalId,
    Feature,
    FeatureReport,
    Guard,
    Item,
    Kind,
    Listed,
    Mode,
    Note,
    Op,
    Outcome,
    PairReport,
    Play,
    Position,
    Rated,
    RunReport,
    Side,
    SideReport,
    Value,
)

NOW = datetime(2024, 6, 1, 12, 0, tzinfo=UTC)
THEN = datetime(2024, 5, 1, 20, 15, tzinfo=UTC)


def movie(title: str = "Heat", year: int | None = 1995, imdb: str = "tt0113277") -> Item:
    return Item(Kind.MOVIE, (ExternalId(f"imdb_movie:{imdb}"), ExternalId("tmdb_movie:949")), title, year)


def episode(title: str = "Cat's in the Bag...", season: int = 1, number: int = 2) -> Item:
    shows = (ExternalId("imdb_show:tt0903747"), ExternalId("tvdb_show:81189"))
    return Item(Kind.EPISODE, (), title, None, shows, season, number, "Breaking Bad", 2008)


def change(
    op: Op = Op.ADD,
    item: Item | None = None,
    before: Value | None = None,
    after: Value | None = None,
    *,
    feature: Feature = Feature.RATINGS,
    side: Side = Side.TARGET,
    reason: str = "new: only the source has it",
    lost: str | None = None,
) -> Change:
    item = item or movie()
    return Change(feature, side, op, item.key() or "?", item, before, after, None, reason, lost=lost)


def add(title: str, year: int = 2000, score: int = 80) -> ChangeReport:
    return ChangeReport(change(Op.ADD, movie(title, year), None, Rated(score)))


def note(
    reason: str,
    item: Item | None = None,
    source: Value | None = None,
    target: Value | None = None,
    *,
    undecided: bool = False,
) -> Note:
    item = item or movie()
    return Note(Feature.RATINGS, item.key() or "?", item, reason, source, target, undecided)


def mixed_changes() -> tuple[ChangeReport, ...]:
    """One of each, with every kind of value."""
    return (
        ChangeReport(change(Op.REMOVE, movie("Gone", 2001), Rated(60), None, reason="removed: gone from the source")),
        ChangeReport(change(Op.UPDATE, movie(), Rated(70), Rated(75), reason="changed: the source moved")),
        ChangeReport(change(Op.ADD, episode(), None, Rated(80), lost="the date")),
        ChangeReport(change(Op.ADD, movie("Up", 2009), None, Play(THEN), feature=Feature.HISTORY)),
        ChangeReport(change(Op.ADD, movie("Alien", 1979), None, Play(None), feature=Feature.HISTORY)),
        ChangeReport(change(Op.ADD, movie("Solaris", 1972), None, Listed(THEN), feature=Feature.WATCHLIST)),
        ChangeReport(
            change(
                Op.UPDATE,
                movie("Ran", 1985),
                Position(60_000, 6_720_000),
                Position(2_470_000, 6_720_000, THEN),
                feature=Feature.PROGRESS,
                reason="changed: the source is further",
            )
        ),
    )


def feature_report(**counts: Any) -> FeatureReport:
    return FeatureReport(SideReport(120, True, 3), SideReport(80, True, 2), **counts)


def pair_report(**fields: Any) -> PairReport:
    known: dict[str, Any] = {"pair": "home-trakt", "mode": Mode.ONE_WAY, "source": "home", "target": "trakt"}
    return PairReport(**{**known, "exit_code": 0, **fields})


def mixed_pair(**fields: Any) -> PairReport:
    features = {
        Feature.HISTORY: feature_report(add=2, same=40),
        Feature.RATINGS: feature_report(add=1, update=1, remove=1, conflict=1, hold=2, skip=4, same=117),
        Feature.PROGRESS: feature_report(update=1),
        Feature.WATCHLIST: feature_report(add=1, same=9),
    }
    known: dict[str, Any] = {
        "features": features,
        "changes": mixed_changes(),
        "conflicts": (note("both-changed: both sides moved", movie(), Rated(80), Rated(60), undecided=True),),
        "holds": (
            note("settling: until 12:15"),
            note("first-seen: missing since 11:58", movie("Ran", 1985), None, Rated(90)),
        ),
        "skips": tuple(
            note("unsupported: trakt keeps no such rating", episode(number=n), Rated(80)) for n in range(1, 5)
        ),
        "warnings": ("trakt: the clock is 4 s off",),
        "digest": "3f2a9c0b7d1e",
    }
    return pair_report(**{**known, **fields})


def removes_guard(**fields: Any) -> Guard:
    known: dict[str, Any] = {
        "name": "removes",
        "feature": Feature.RATINGS,
        "side": Side.TARGET,
        "numbers": "40 removals of 120 known records; 12 are allowed",
        "hint": "raise max_remove_percent in [pairs.home-trakt.guards]",
    }
    return Guard(**{**known, **fields})


def run_report(*pairs: PairReport, applied: bool = False, command: str = "plan", exit_code: int = 0) -> RunReport:
    return RunReport("20240601T120000Z-ab12", command, applied, exit_code, pairs)


def applied_pair() -> PairReport:
    """42 went through, one was refused, one was never answered for."""
    done = tuple(ChangeReport(add(f"Film {n}").change, Outcome.CONFIRMED) for n in range(1, 4))
    bad = ChangeReport(add("Nope", 1999).change, Outcome.NOT_FOUND, "trakt knows no tt0113277")
    lost = ChangeReport(change(Op.REMOVE, movie("Gone", 2001), Rated(60)), Outcome.UNKNOWN, "the connection broke")
    features = {Feature.RATINGS: feature_report(add=4, remove=1, confirmed=3, failed=2, same=7)}
    return pair_report(features=features, changes=(*done, bad, lost), exit_code=3, digest="3f2a")
