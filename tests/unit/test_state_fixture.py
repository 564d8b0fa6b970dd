"""A state with one of everything, and the frozen file that each released schema must go on reading."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from cwsync.model import (
    Baseline,
    ExternalId,
    Feature,
    Item,
    Kind,
    Listed,
    Mark,
    MarkKind,
    Parked,
    Play,
    Position,
    Rated,
    Removal,
    Row,
    Side,
    Sighting,
)
from cwsync.state import document, migrate
from cwsync.state.document import PairState

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2024, 5, 1, 20, 15, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)
HEAT = Item(Kind.MOVIE, (ExternalId("imdb_movie:tt0113277"), ExternalId("tmdb_movie:949")), "Heat", 1995)
SHOW = (ExternalId("imdb_show:tt0903747"), ExternalId("tvdb_show:81189"))
PILOT = Item(Kind.EPISODE, (ExternalId("tvdb_episode:349232"),), "Pilot", 2008, SHOW, 1, 1, "Breaking Bad", 2008)
SPECIAL = Item(Kind.EPISODE, (), None, None, SHOW, 0, 3)
SEASON = Item(Kind.SEASON, (), None, None, SHOW, 2, None, "Breaking Bad", 2008)
NOTHING = Item(Kind.MOVIE, (), "No ids", None)
ODD = '\N{CLAPPER BOARD} "quoted", [["movie", \\ \n\x1b]52;\u202e\ud800 end],\n[["show",'
STRANGE = Item(Kind.SHOW, (ExternalId("tmdb_show:1"),), ODD, 2020)


def rows(*many: Row) -> dict[str, Row]:
    return {row.key: row for row in many}


def sample() -> PairState:
    """Every kind, every value, every optional part, on both sides."""
    history = rows(
        Row("imdb_movie:tt0113277", HEAT, Play(NOW), Play(date(2024, 5, 1)), ("17",), ("a", "b")),
        Row("tvdb_episode:349232", PILOT, Play(), Play(), weak=True, writes=(NOW, LATER)),
        Row("imdb_show:tt0903747#s0e3", SPECIAL, Play(NOW + timedelta(microseconds=5)), None),
        Row("imdb_show:tt0903747#s2", SEASON, None, Play(NOW), seen=Sighting(Side.SOURCE, absent=True, at=NOW)),
        Row("target|9", NOTHING, None, Play(), (), ("9",), parked=Parked(Side.TARGET, "not_found", 3, LATER, "why")),
    )
    mark = Mark(MarkKind.DOUBT, Side.TARGET, Rated(50), Rated(60, NOW), None, NOW, LATER, logged=True)
    settling = Mark(MarkKind.SETTLING, Side.SOURCE, None, Rated(1), Rated(100), NOW, LATER)
    ratings = rows(
        Row("imdb_movie:tt0113277", HEAT, Rated(80, NOW), Rated(80, NOW), mark=mark),
        Row("tmdb_show:1", STRANGE, Rated(75), None, mark=settling),
    )
    progress = rows(Row("imdb_movie:tt0113277", HEAT, Position(90_000, 7_200_000, NOW), Position(90_000)))
    ids = {Side.SOURCE: "user-1", Side.TARGET: "user-2"}
    removals = (Removal(NOW, Side.SOURCE, 2), Removal(LATER, Side.TARGET, 0))
    return PairState(
        "home-trakt",
        "trakt",
        "home",
        saved_at=NOW,
        features={
            Feature.HISTORY: Baseline(Feature.HISTORY, history, True, "f1", ids, removals),
            Feature.RATINGS: Baseline(Feature.RATINGS, ratings, account_ids={Side.TARGET: "user-2"}),
            Feature.PROGRESS: Baseline(Feature.PROGRESS, progress, True, "f2", ids),
            Feature.WATCHLIST: Baseline(Feature.WATCHLIST, rows(Row("imdb_movie:tt0113277", HEAT, Listed(NOW)))),
        },
    )


def test_schema_1_reads_as_on_the_day_it_was_written() -> None:
    data = (FIXTURES / "state-v1.json").read_bytes()
    state = document.decode(data)
    wanted = sample()
    assert state.features == wanted.features
    assert (state.pair, state.source, state.target) == ("home-trakt", "trakt", "home")
    assert (state.generation, state.saved_at) == (1, NOW)


def test_schema_1_is_still_written_the_same() -> None:
    data = (FIXTURES / "state-v1.json").read_bytes()
    assert document.encode(document.decode(data))[0] == data


def test_the_fixture_is_one_json_document_with_a_row_a_line() -> None:
    data = (FIXTURES / "state-v1.json").read_bytes()
    parsed = json.loads(data)
    assert parsed["schema"] == 1
    row_lines = [line for line in data.decode("ascii").splitlines() if line.startswith("[[")]
    assert len(row_lines) == sum(len(feature["rows"]) for feature in parsed["features"].values()) == 9


def test_an_older_schema_goes_through_every_step() -> None:
    steps = {1: lambda body: body + b"b", 2: lambda body: body + b"c"}
    assert migrate.upgrade(b"a", 1, upgrades=steps, to=3) == b"abc"
    assert migrate.upgrade(b"a", 2, upgrades=steps, to=3) == b"ac"
    assert migrate.upgrade(b"a", 3, upgrades=steps, to=3) == b"a"


def test_a_schema_without_a_way_up_is_damage() -> None:
    with pytest.raises(ValueError, match="no cwsync ever wrote schema 1"):
        migrate.upgrade(b"a", 1, upgrades={}, to=2)
