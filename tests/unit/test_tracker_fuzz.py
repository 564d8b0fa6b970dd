"""The tracker, whatever bytes and items stand in its files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cwsync.errors import DataError
from cwsync.model import Feature, Outcome
from cwsync.providers import _trackerfile
from cwsync.providers._trackerfile import FileError
from support.trackerfolder import HISTORY, M1, RATINGS, WATCHLIST, add, apply, fetch, film, write_text
from support.world import rated


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tracker"


LEAVES: Sequence[st.SearchStrategy[Any]] = (
    st.none(),
    st.booleans(),
    st.integers(-5, 12),
    st.floats(allow_nan=False),
    st.text(max_size=4),
    st.sampled_from(["movie", "episode", "season", "tt0100001", "2024-01-01", "2024-01-01T00:00:00Z", "7", "\ud800"]),
)
KEYS = st.sampled_from(
    ["type", "ids", "imdb", "tmdb", "tvdb", "rating", "rated_at", "title", "year", "show", "season", "episode", "x"]
)
JSON = st.recursive(
    st.one_of(*LEAVES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)
ROWS = st.lists(st.dictionaries(KEYS, JSON, max_size=8) | JSON, max_size=4)
WHOLE = json.dumps(
    {"schema": 1, "feature": "ratings", "items": [film(1, title="é"), film(2, rated_at="2024-01-01")]}
).encode()
MUTATED = st.builds(
    lambda place, length, new: WHOLE[:place] + new + WHOLE[place + length :],
    st.integers(0, len(WHOLE)),
    st.integers(0, 12),
    st.binary(max_size=4)
    | st.sampled_from([b"NaN", b'"', b"{", b"}", b"[", b"]", b",", b"\\ud800", b"null", b"1e999"]),
)
FUZZ = settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def _any_bytes(folder: Path, data: bytes) -> None:
    path = write_text(folder, data)
    try:
        snapshot = fetch(folder)
    except DataError as error:
        str(error).encode()
        with pytest.raises(DataError):
            apply(folder, add(RATINGS, M1, rated(8)))
        assert path.read_bytes() == data
        return
    repr(snapshot).encode()
    (receipt,) = apply(folder, add(RATINGS, M1, rated(8)))
    assert snapshot.complete == all(bad.item is not None for bad in snapshot.undecoded)
    if receipt.outcome is Outcome.CONFIRMED:
        again = fetch(folder)
        assert len(again.entries) == len(snapshot.entries) + 1
        assert len(again.undecoded) == len(snapshot.undecoded)


@FUZZ
@given(data=st.one_of(st.binary(max_size=200), MUTATED))
def test_any_bytes_are_a_snapshot_or_a_data_error(folder: Path, data: bytes) -> None:
    _any_bytes(folder, data)


@FUZZ
@given(rows=ROWS)
def test_any_items_are_a_snapshot(folder: Path, rows: list[Any]) -> None:
    _any_bytes(folder, json.dumps({"schema": 1, "feature": "ratings", "items": rows}).encode())


COMMON = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["movie", "show", "episode", "season"]),
        "title": st.sampled_from(["Heat", "é", "\ud800", "a,\n  {b", ""]),
        "year": st.sampled_from([1995, None, "x", True]),
        "ids": st.sampled_from(
            [{"imdb": "tt0100001"}, {"tmdb": "5", "imdb": "tt0100002"}, {"tvdb": 5}, {"imdb": "x"}, {}]
        ),
        "rating": st.sampled_from([8, 7.5, 0, 11, True]),
        "rated_at": st.sampled_from(["2024-01-01T00:00:00Z", "2024-01-01", None, "2024-01-01T00:00:00+02:00"]),
    },
    optional={
        "season": st.sampled_from([0, 1, -1, None]),
        "episode": st.sampled_from([1, None, True]),
        "show": st.sampled_from([{"title": "Dark", "year": 2017, "ids": {"tvdb": "1"}}, {}, None]),
        "watched_at": st.sampled_from(["2024-01-01T00:00:00Z", None]),
        "listed_at": st.sampled_from(["2024-01-01T00:00:00Z", 5]),
    },
)


@FUZZ
@given(rows=st.lists(COMMON, min_size=1, max_size=4), feature=st.sampled_from([RATINGS, HISTORY, WATCHLIST]))
def test_the_layout_of_a_file_does_not_change_what_it_says(folder: Path, rows: list[Any], feature: Feature) -> None:
    def said(layout: Callable[[list[Any]], str]) -> tuple[object, ...]:
        head = f'{{"schema": 1, "feature": "{feature.value}", "items": '
        write_text(folder, head + layout(rows) + "}", feature)
        snapshot = fetch(folder, feature)
        bad = [(row.where.partition(" (")[0], row.why, row.item) for row in snapshot.undecoded]
        return snapshot.entries, bad, snapshot.complete

    compact = said(json.dumps)
    assert said(lambda found: "[\n  " + ",\n  ".join(map(json.dumps, found)) + "\n]") == compact
    assert said(lambda found: json.dumps(found, indent=4)) == compact


def test_a_key_that_is_there_twice_among_very_many_is_found_in_one_pass() -> None:
    """It was counted once for each key: a file of a megabyte kept the machine busy for minutes."""

    class Counted(str):
        __slots__ = ()
        compared = 0

        def __eq__(self, other: object) -> bool:
            Counted.compared += 1
            return super().__eq__(other)

        __hash__ = str.__hash__

    keys = [Counted(f"k{number}") for number in range(2000)]
    pairs: list[tuple[str, object]] = [(key, 1) for key in (*keys, Counted("k1999"))]
    with pytest.raises(FileError, match="'k1999' stands twice"):
        _trackerfile._object(pairs)
    assert Counted.compared < 4 * len(pairs)
