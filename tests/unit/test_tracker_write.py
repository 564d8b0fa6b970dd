"""Writing to the tracker: what a write leaves alone, and how a change is judged."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cwsync.errors import DataError
from cwsync.model import Change, Entry, Feature, Item, Kind, Op, Outcome, Play, Rated, Receipt, Side, Value, external_id
from cwsync.providers.tracker import Tracker
from support import world
from support.trackerfolder import (
    GOOD,
    HISTORY,
    M1,
    PROGRESS,
    RATINGS,
    WATCHLIST,
    add,
    apply,
    fetch,
    film,
    items_of,
    one,
    tracker,
    write_items,
    write_text,
)
from support.world import at, change, episode, listed, movie, only, played, rated, season, show, stopped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tracker"


# --- rewriting --------------------------------------------------------------------------------------

BY_HAND = """{
    "note": "mine",
    "schema": 1,
    "items": [
        {
            "rating": 8,
            "mood": {"tears": 1.50, "half": "\\ud83d"},
            "ids": {"letterboxd": "heat", "imdb": "tt0100001"},
            "type": "movie"
        },

        {"type": "movie", "ids": {"imdb": "tt0100002"}, "rating": 6.0, "x": 1e2}
    ],
    "feature": "ratings",
    "after": [1, 2]
}
"""


def test_what_is_not_changed_stays_as_it_was_written(folder: Path) -> None:
    path = write_text(folder, BY_HAND)
    entry = fetch(folder).entries[1]
    assert one(folder, change(RATINGS, entry.item, entry.value, rated(9.5, at()))) == ("confirmed", None)
    new = (
        '{"type": "movie", "ids": {"imdb": "tt0100002"}, "rating": 9.5, "x": 100.0, "rated_at": "2024-01-01T12:00:00Z"}'
    )
    old = '\n        {"type": "movie", "ids": {"imdb": "tt0100002"}, "rating": 6.0, "x": 1e2}'
    assert path.read_text() == BY_HAND.replace("\n" + old, "\n        " + new)


def test_keys_of_the_users_own_survive_an_update(folder: Path) -> None:
    write_text(folder, BY_HAND)
    entry = fetch(folder).entries[0]
    assert one(folder, change(RATINGS, entry.item, entry.value, rated(1))) == ("confirmed", None)
    data = json.loads((folder / "ratings.json").read_text())
    assert list(data) == ["note", "schema", "items", "feature", "after"]
    assert list(data["items"][0]) == ["rating", "mood", "ids", "type", "rated_at"]
    assert data["items"][0]["mood"] == {"tears": 1.5, "half": "\ud83d"}
    assert data["items"][0]["ids"] == {"letterboxd": "heat", "imdb": "tt0100001"}


def test_a_file_of_ours_is_one_item_a_line_and_stable(folder: Path) -> None:
    apply(folder, *[add(RATINGS, movie(n), rated(8, at(n))) for n in range(1, 4)])
    path = folder / "ratings.json"
    text = path.read_text()
    lines = text.splitlines()
    assert (len(lines), lines[0], lines[-1], text[-1]) == (
        5,
        '{"schema": 1, "feature": "ratings", "items": [',
        "]}",
        "\n",
    )
    assert lines[1] == (
        '  {"type": "movie", "title": "Film 1", "year": 1951, "ids": {"imdb": "tt0100001", "tmdb": "100002"},'
        ' "rating": 8, "rated_at": "2024-01-02T12:00:00Z"},'
    )
    apply(folder, add(RATINGS, movie(4), rated(8, at(4))))
    apply(folder, change(RATINGS, movie(4), rated(8, at(4)), None))
    assert path.read_text() == text
    apply(folder, *[change(RATINGS, movie(n), rated(8, at(n)), None) for n in range(1, 4)])
    assert json.loads(path.read_text())["items"] == []
    apply(folder, *[add(RATINGS, movie(n), rated(8, at(n))) for n in range(1, 4)])
    assert path.read_text() == text


@pytest.mark.parametrize(
    "text", [GOOD, "\ufeff" + GOOD, GOOD.replace("[]", "[ \n ]"), GOOD.replace(",", ",\r\n") + "\r\n"]
)
def test_any_layout_can_be_written_to(folder: Path, text: str) -> None:
    path = write_text(folder, text)
    assert one(folder, add(RATINGS, movie(1), rated(8))) == ("confirmed", None)
    assert path.read_text().startswith("\ufeff") == text.startswith("\ufeff")
    assert [entry.item for entry in fetch(folder).entries] == [movie(1)]


@pytest.mark.parametrize(("score", "written"), [(75, 7.5), (80, 8), (10, 1), (100, 10), (15, 1.5)])
def test_ratings_are_written_as_people_write_them(folder: Path, score: int, written: float) -> None:
    apply(folder, add(RATINGS, movie(1), Rated(score, date(2024, 5, 1))))
    (row,) = items_of(folder)
    assert (repr(row["rating"]), row["rated_at"]) == (repr(written), "2024-05-01")


def test_rows_of_every_shape_are_written_and_read_back(folder: Path) -> None:
    for feature in Feature:
        kinds = Tracker.capabilities.of(feature).kinds
        for number, kind in enumerate(sorted(kinds)):
            for held in (world.value(feature, number), world.value(feature, 7)):
                item = world.item(kind, number + 1)
                apply(folder, add(feature, item, held, key=f"{item.key()}@x"))
                assert Entry(item, held) in [Entry(row.item, row.value) for row in fetch(folder, feature).entries] or (
                    feature is not HISTORY
                )


def test_two_ids_of_one_service_the_best_is_kept(folder: Path) -> None:
    ids = (external_id("imdb", Kind.MOVIE, "tt0000001"), external_id("imdb", Kind.MOVIE, "tt0000002"))
    apply(folder, add(RATINGS, Item(Kind.MOVIE, ids), rated(8)))
    assert items_of(folder)[0]["ids"] == {"imdb": "tt0000001"}


# --- judging a change -------------------------------------------------------------------------------

CONFIRMED, ALREADY = ("confirmed", None), ("already", None)
MOVED, UNSUPPORTED = ("not_sent", "moved"), ("rejected", "unsupported")
LIST = "imdb_movie:tt0100001@x"  # the key of a play in a list of plays
CASES: list[tuple[str, Feature, list[tuple[Item, Value]], Change, tuple[str, str | None], int]] = [
    # what, feature, what the file holds, the change, the answer, how many rows are left
    ("add", RATINGS, [], add(RATINGS, M1, rated(8)), CONFIRMED, 1),
    ("add what is there", RATINGS, [(M1, rated(8))], add(RATINGS, M1, rated(8)), ALREADY, 1),
    ("add over another value", RATINGS, [(M1, rated(7))], add(RATINGS, M1, rated(8)), MOVED, 1),
    ("listed is listed", WATCHLIST, [(M1, listed(at()))], add(WATCHLIST, M1, listed(at(1))), ALREADY, 1),
    ("update", RATINGS, [(M1, rated(7))], change(RATINGS, M1, rated(7), rated(8)), CONFIRMED, 1),
    ("update what changed", RATINGS, [(M1, rated(6))], change(RATINGS, M1, rated(7), rated(8)), MOVED, 1),
    ("update to what it holds", RATINGS, [(M1, rated(8))], change(RATINGS, M1, rated(7), rated(8)), ALREADY, 1),
    ("update of nothing", RATINGS, [], change(RATINGS, M1, rated(7), rated(8)), MOVED, 0),
    ("remove", RATINGS, [(M1, rated(7))], change(RATINGS, M1, rated(7), None), CONFIRMED, 0),
    ("remove nothing", RATINGS, [], change(RATINGS, M1, rated(7), None), ALREADY, 0),
    ("remove what changed", RATINGS, [(M1, rated(7, at(1)))], change(RATINGS, M1, rated(7), None), MOVED, 1),
    (
        "remove what was listed again",
        WATCHLIST,
        [(M1, listed(at(1)))],
        change(WATCHLIST, M1, listed(at()), None),
        MOVED,
        1,
    ),
    (
        "one shared id is enough",
        RATINGS,
        [(only(M1, "tmdb"), rated(7))],
        change(RATINGS, M1, rated(7), None),
        CONFIRMED,
        0,
    ),
    (
        "a show is no film",
        RATINGS,
        [(show(1), rated(7))],
        add(RATINGS, Item(Kind.MOVIE, (external_id("imdb", Kind.MOVIE, show(1).ids[0].value),)), rated(8)),
        CONFIRMED,
        2,
    ),
    (
        "an episode by its place",
        RATINGS,
        [(episode(1, 2, 3), rated(7))],
        change(RATINGS, episode(1, 2, 3, own=False), rated(7), None),
        CONFIRMED,
        0,
    ),
    (
        "an episode by its place, other ids of its own",
        RATINGS,
        [(only(episode(1, 2, 3), "imdb"), rated(7))],
        change(RATINGS, only(episode(1, 2, 3), "tvdb"), rated(7), None),
        CONFIRMED,
        0,
    ),
    (
        "a place whose own ids contradict",
        RATINGS,
        [(Item(Kind.EPISODE, episode(9, 9, 9).ids, show_ids=show(1).ids, season=2, number=3), rated(7))],
        change(RATINGS, episode(1, 2, 3), rated(7), None),
        ALREADY,
        1,
    ),
    (
        "season 0 is a season",
        RATINGS,
        [(season(1, 0), rated(7)), (season(1, 1), rated(7))],
        change(RATINGS, season(1, 0), rated(7), None),
        CONFIRMED,
        1,
    ),
    (
        "by its native key alone",
        RATINGS,
        [(Item(Kind.MOVIE, (), "Heat", 1995), rated(7))],
        change(RATINGS, M1, rated(7), None, native_key="movie|Heat|1995"),
        CONFIRMED,
        0,
    ),
    (
        "copies under one id all go",
        RATINGS,
        [(only(M1, "imdb"), rated(7)), (only(M1, "tmdb"), rated(7)), (movie(2), rated(7))],
        change(RATINGS, M1, rated(7), None),
        CONFIRMED,
        1,
    ),
    (
        "a change that names a row leaves the other copy",
        RATINGS,
        [(only(M1, "imdb"), rated(7)), (only(M1, "tmdb"), rated(6))],
        change(RATINGS, M1, rated(6), None, native_key="tmdb_movie:100002"),
        CONFIRMED,
        1,
    ),
    ("a score off the grid", RATINGS, [], add(RATINGS, M1, Rated(77)), UNSUPPORTED, 0),
    ("a score below the grid", RATINGS, [], add(RATINGS, M1, Rated(5)), UNSUPPORTED, 0),
    ("a play of a show", HISTORY, [], add(HISTORY, show(1), played()), UNSUPPORTED, 0),
    ("a value of another feature", RATINGS, [], add(RATINGS, M1, listed()), UNSUPPORTED, 0),
    ("a play twice", HISTORY, [(M1, played(at()))], add(HISTORY, M1, played(at())), ALREADY, 1),
    ("an undated play twice", HISTORY, [(M1, played())], add(HISTORY, M1, played()), ALREADY, 1),
    ("another play", HISTORY, [(M1, played(at()))], add(HISTORY, M1, played(at(1))), MOVED, 1),
    ("another play of a list", HISTORY, [(M1, played(at()))], add(HISTORY, M1, played(at(1)), key=LIST), CONFIRMED, 2),
    (
        "the newest play takes all",
        HISTORY,
        [(M1, played(at(1))), (M1, played(at(2))), (M1, played())],
        change(HISTORY, M1, played(at(2)), None),
        CONFIRMED,
        0,
    ),
    (
        "an older play takes none",
        HISTORY,
        [(M1, played(at(1))), (M1, played(at(2)))],
        change(HISTORY, M1, played(at(1)), None),
        MOVED,
        2,
    ),
    (
        "an older play by its name goes alone",
        HISTORY,
        [(M1, played(at(1))), (M1, played(at(2)))],
        change(HISTORY, M1, played(at(1)), None, native_key="imdb_movie:tt0100001@2024-01-02T12:00:00Z"),
        CONFIRMED,
        1,
    ),
    (
        "an older play of a list goes alone",
        HISTORY,
        [(M1, played(at(1))), (M1, played(at(2)))],
        change(HISTORY, M1, played(at(1)), None, key=LIST),
        CONFIRMED,
        1,
    ),
    (
        "one of two equal plays of a list goes alone",
        HISTORY,
        [(M1, played(at(1))), (M1, played(at(1)))],
        change(HISTORY, M1, played(at(1)), None, key=LIST),
        CONFIRMED,
        1,
    ),
    (
        "a play of a list that is gone",
        HISTORY,
        [(M1, played(at(2)))],
        change(HISTORY, M1, played(at(1)), None, key=LIST),
        ALREADY,
        1,
    ),
    ("progress", PROGRESS, [(M1, stopped(10))], change(PROGRESS, M1, stopped(10), stopped(20, None)), CONFIRMED, 1),
]


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_a_change_is_judged_by_what_the_row_holds_now(folder: Path, case: Any) -> None:
    _, feature, held, wanted, answer, left = case
    rows = [json.loads(_row(item, value)) for item, value in held]
    path = write_items(folder, *rows, feature=feature)
    before = path.read_bytes()
    assert one(folder, wanted) == answer
    entries = fetch(folder, feature).entries
    assert len(entries) == left
    assert (path.read_bytes() == before) == (answer[0] != "confirmed")
    if answer[0] == "confirmed" and wanted.after is not None:
        assert wanted.after in [entry.value for entry in entries]


def _row(item: Item, value: Value) -> str:
    from cwsync.providers._trackerrow import encode_row

    return encode_row(item, value)


def test_copies_are_all_updated_and_keep_their_own_ids(folder: Path) -> None:
    rows = [film(1, x=1), film(1, x=2, ids={"imdb": "tt0100001", "tmdb": 100002}), film(2)]
    write_items(folder, *rows)
    assert one(folder, change(RATINGS, M1, rated(8), rated(3, at()))) == ("confirmed", None)
    stamp = {"rated_at": "2024-01-01T12:00:00Z", "rating": 3}
    assert items_of(folder) == [rows[0] | stamp, rows[1] | stamp, rows[2]]


def test_only_the_play_that_is_named_gets_another_date(folder: Path) -> None:
    write_items(folder, film(watched_at="2024-01-01"), film(watched_at="2024-01-02"), feature=HISTORY)
    moved = change(HISTORY, M1, Play(date(2024, 1, 1)), Play(date(2024, 1, 3)))
    assert one(folder, moved) == ("confirmed", None)
    assert [row["watched_at"] for row in items_of(folder, HISTORY)] == ["2024-01-03", "2024-01-02"]


def test_an_empty_rating_is_filled_in_its_own_row(folder: Path) -> None:
    write_items(folder, film(1, rating=None, note="later"))
    assert one(folder, add(RATINGS, M1, rated(9))) == ("confirmed", None)
    assert items_of(folder) == [film(1, rating=9, note="later", rated_at=None)]


def test_changes_of_one_batch_see_each_other(folder: Path) -> None:
    changes = [
        add(RATINGS, M1, rated(8)),
        add(RATINGS, M1, rated(8)),
        change(RATINGS, M1, rated(8), rated(9)),
        change(RATINGS, M1, rated(8), None),
        change(RATINGS, M1, rated(9), None),
        add(RATINGS, M1, rated(7)),
    ]
    outcomes = [receipt.outcome.value for receipt in apply(folder, *changes)]
    assert outcomes == ["confirmed", "already", "confirmed", "not_sent", "confirmed", "confirmed"]
    assert [entry.value for entry in fetch(folder).entries] == [rated(7)]
    assert not (folder / "snapshots").exists()


def test_a_row_too_deep_to_write_again_is_rejected(folder: Path) -> None:
    for depth in range(900, 1000, 2):
        deep = "[" * depth + "]" * depth
        path = write_text(
            folder,
            GOOD.replace("[]", f'[{{"type": "movie", "ids": {{"imdb": "tt0100001"}}, "rating": 8, "x": {deep}}}]'),
        )
        before = path.read_bytes()
        try:
            answer = one(folder, change(RATINGS, M1, rated(8), rated(9)))
        except DataError:
            break
        assert answer in {("confirmed", None), ("rejected", "unreadable")}
        assert answer[0] == "confirmed" or path.read_bytes() == before


def test_a_receipt_for_each_change_whatever_its_feature(folder: Path) -> None:
    strange = Change(HISTORY, Side.TARGET, Op.ADD, "k", M1, None, played(), None, "x: y")

    async def session() -> list[Receipt]:
        async with tracker(folder) as provider:
            return await provider.apply(RATINGS, [strange])

    (receipt,) = asyncio.run(session())
    assert (receipt.outcome, receipt.code) == (Outcome.REJECTED, "unsupported")
    assert not folder.exists()
