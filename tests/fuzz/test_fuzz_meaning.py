"""What is read means the same however it is written: not only "does not crash"."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tomllib
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from cwsync.config import load_settings
from cwsync.errors import DataError
from cwsync.model import AccountSpec, Change, ExternalId, Feature, Item, Kind, Op, Rated, Side, Snapshot
from cwsync.provider import Services
from cwsync.providers._trackeredit import edit
from cwsync.providers._trackerfile import FileError
from cwsync.providers.csvfile import CsvFile
from fuzz.house import EXAMPLES, bounded
from fuzz.mutate import CELLS, STEPS, Step, mutate_tree
from support.engine import effort

RATINGS = EXAMPLES.joinpath("demo/home/ratings.json").read_bytes()
FRESH = Item(Kind.MOVIE, (ExternalId("imdb_movie:tt7654321"),), "Fresh")
ADD = Change(
    Feature.RATINGS,
    Side.TARGET,
    Op.ADD,
    FRESH.ids[0],
    FRESH,
    None,
    Rated(70, datetime(2024, 5, 1, tzinfo=UTC)),
    None,
    "fuzz:",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("meaning")


@effort(100, 10_000)
@given(STEPS)
def test_a_tracker_file_that_is_accepted_keeps_every_other_byte_when_it_is_written(steps: list[Step]) -> None:
    text = mutate_tree(RATINGS, steps).decode("utf-8", "replace")
    try:
        same, _ = edit(text, Feature.RATINGS, [])
        edited, receipts = edit(text, Feature.RATINGS, [ADD])
    except FileError:
        return
    assert same is None
    assert edited is not None, receipts
    before, after = json.loads(text), json.loads(edited)
    added = after["items"].pop()
    assert after == before
    assert (added["ids"], added["rating"]) == ({"imdb": "tt7654321"}, 7)
    # Taken away again, the file means what it meant, and its rows are the same bytes.
    gone, _ = edit(edited, Feature.RATINGS, [_removal()])
    assert gone is not None
    assert json.loads(gone) == before
    assert _bare(gone) == _bare(text)


def _bare(text: str) -> str:
    """A text without its breaks: an emptied or refilled list may be broken into lines anew."""
    return "".join(text.split())


def _removal() -> Change:
    return Change(Feature.RATINGS, Side.TARGET, Op.REMOVE, ADD.key, FRESH, ADD.after, None, None, "fuzz:")


def _read(path: Path, rows: list[list[str]]) -> Snapshot:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    path.write_bytes(out.getvalue().encode("utf-8", "replace"))
    account = AccountSpec("list", "csv", {"path": path, "feature": "ratings"}, {})
    return asyncio.run(CsvFile(account, Services()).fetch(Feature.RATINGS))


HEADER = ["type", "title", "year", "season", "episode", "imdb", "tmdb", "show_imdb", "rating", "rated_at"]
cell = st.one_of(st.just(""), st.sampled_from([one for one in CELLS if len(one) < 100]))
bad_rows = st.lists(st.lists(cell, min_size=1, max_size=12), max_size=5)


@effort(50, 4000)
@given(bad_rows, st.integers(1, 6), st.randoms(use_true_random=False))
def test_a_bad_row_never_stops_a_good_one_and_order_means_nothing(
    folder: Path, odd: list[list[str]], count: int, shuffle: Any
) -> None:
    good = [["movie", "G", "2000", "", "", f"tt90000{n:02d}", "", "", "8", "2024-05-01"] for n in range(count)]
    rows = good + odd
    shuffle.shuffle(rows)
    with bounded():
        found = _read(folder / "list.csv", [HEADER, *rows])
        turned = _read(folder / "list.csv", [HEADER, *reversed(rows)])
    names = [entry.item.ids[0] for entry in found.entries if entry.item.ids]
    assert {f"imdb_movie:tt90000{n:02d}" for n in range(count)} <= set(names)
    assert sorted(map(repr, found.entries)) == sorted(map(repr, turned.entries))
    assert sorted(one.why for one in found.undecoded) == sorted(one.why for one in turned.undecoded)
    assert found.complete == (not found.undecoded)
    for one in found.undecoded:
        assert one.where.startswith("line ")
    told = len(found.entries) + len(found.undecoded) + sum(int(one.split()[0]) for one in found.warnings)
    unrated = [row for row in rows if len(row) == len(HEADER)]
    assert told >= len(rows) - len(unrated) - sum(not any(row) for row in rows)


@effort(30, 2000)
@given(st.randoms(use_true_random=False), STEPS)
def test_a_file_of_pairs_means_the_same_in_any_order_and_spelling(
    folder: Path, shuffle: Any, steps: list[Step]
) -> None:
    document = tomllib.loads(EXAMPLES.joinpath("pairs.toml").read_text(encoding="utf-8"))
    guards = document["pairs"]["home-backup"].setdefault("guards", {})
    for what, _, number in steps:
        guards[("max_remove", "free_adds", "free_updates", "free_removes")[what % 4]] = number
    path = folder / "pairs.toml"
    read = []
    for one in (document, _shuffled(document, shuffle)):
        path.write_bytes(tomli_w.dumps(one).encode())
        read.append(load_settings(path, {}))
    assert read[0].accounts == read[1].accounts
    assert read[0].pairs == read[1].pairs


def _shuffled(node: Any, shuffle: Any) -> Any:
    if not isinstance(node, dict):
        return node
    names = list(node)
    shuffle.shuffle(names)
    return {name: _shuffled(node[name], shuffle) for name in names}


# Shapes whose cost grows faster than their size, were they read carelessly.
SIZE = 60_000
SHAPES = {
    "a key twice among many": "{" + ",".join(f'"k{n}":1' for n in range(SIZE)) + f',"k{SIZE - 1}":1}}',
    "deep lists": "[" * SIZE,
    "deep objects": '{"a":' * SIZE,
    "one long text": '"' + "x" * 1_000_000 + '"',
    "one long number": "9" * 1_000_000,
    "a long fraction": "0." + "9" * 1_000_000,
    "many escapes": '"' + r"\ud83d" * 100_000 + '"',
}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_of_a_tracker_file_makes_endless_work(shape: str) -> None:
    for text in (SHAPES[shape], RATINGS.decode().replace('"Heat"', SHAPES[shape], 1)):
        with bounded(20), suppress(FileError):
            edit(text, Feature.RATINGS, [])


@pytest.mark.parametrize(
    "text", ["\n".join(["a"] * SIZE), ",".join("a" * SIZE), '"' * SIZE, "rating,imdb\n" + '"' * SIZE]
)
def test_no_shape_of_a_csv_file_makes_endless_work(folder: Path, text: str) -> None:
    path = folder / "shape.csv"
    path.write_text(text, encoding="utf-8")
    provider = CsvFile(AccountSpec("list", "csv", {"path": path, "feature": "ratings"}, {}), Services())
    with bounded(20), suppress(DataError):
        asyncio.run(provider.fetch(Feature.RATINGS))
