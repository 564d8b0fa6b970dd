"""The tracker: what a file may say, what is refused, and what a write leaves alone."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cwsync import files
from cwsync.errors import ConfigError, DataError, StateError, UnavailableError
from cwsync.model import (
    AccountSpec,
    Change,
    Entry,
    Feature,
    Item,
    Kind,
    Op,
    Outcome,
    Play,
    Position,
    Rated,
    Receipt,
    Side,
    Snapshot,
    Value,
    external_id,
)
from cwsync.provider import Provider, Services
from cwsync.providers import _localfile, _trackerfile
from cwsync.providers._trackerfile import FileError
from cwsync.providers.tracker import KEEP_FILES, Tracker
from support import world
from support.world import at, episode, listed, movie, only, played, rated, season, show, stopped

RATINGS, HISTORY, WATCHLIST, PROGRESS = Feature.RATINGS, Feature.HISTORY, Feature.WATCHLIST, Feature.PROGRESS
TITLES = [
    "[/]",
    "[bold red]x[/bold red] [link=http://x]y[/link]",
    "\x1b]52;c;aGk=\x07 \x1b[31m",
    "\u202e\u05dc\u05d9\u05dc\u05d4\u202c",
    "🎬👩‍👩‍👧 ﷽",
    "x" * 10_000,
    'quote " back \\ slash / \n newline \t tab \x00 nul',
    "\ufeff\u2028\u2029",
    "",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tracker"


def tracker(folder: Path) -> Tracker:
    return Tracker(AccountSpec("home", "tracker", {"path": str(folder)}), Services())


def fetch(folder: Path, feature: Feature = RATINGS) -> Snapshot:
    async def session() -> Snapshot:
        async with tracker(folder) as provider:
            snapshot = await provider.fetch(feature)
            assert snapshot.watermark == await provider.watermark(feature)
            return snapshot

    return asyncio.run(session())


def apply(folder: Path, *changes: Change) -> list[Receipt]:
    async def session() -> list[Receipt]:
        async with tracker(folder) as provider:
            return await provider.apply(changes[0].feature, changes)

    return asyncio.run(session())


def one(folder: Path, change: Change) -> tuple[str, str | None]:
    """The outcome and code of a single change."""
    (receipt,) = apply(folder, change)
    assert receipt.moved == (receipt.code == "moved")
    assert receipt.moved <= (receipt.outcome is Outcome.NOT_SENT)
    return receipt.outcome.value, receipt.code


def write_text(folder: Path, text: str | bytes, feature: Feature = RATINGS) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{feature.value}.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def write_items(folder: Path, *items: object, feature: Feature = RATINGS) -> Path:
    return write_text(folder, json.dumps({"schema": 1, "feature": feature.value, "items": items}), feature)


def items_of(folder: Path, feature: Feature = RATINGS) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads((folder / f"{feature.value}.json").read_text())["items"]
    return items


def film(n: int = 1, **more: object) -> dict[str, object]:
    """A row of film `n` by its imdb id, rated 8 unless said otherwise."""
    return {"type": "movie", "ids": {"imdb": f"tt{100_000 + n:07d}"}, "rating": 8} | more


def add(feature: Feature, item: Item, value: Value, **more: Any) -> Change:
    return world.change(feature, item, None, value, **more)


# --- reading --------------------------------------------------------------------------------------


def test_the_example_of_the_contract(folder: Path) -> None:
    text = """{"schema": 1, "feature": "ratings", "items": [
  {"type": "movie", "title": "Toy Story", "year": 1995, "ids": {"imdb": "tt0114709", "tmdb": "862"},
   "rating": 8, "rated_at": "2000-07-30T18:45:03Z"},
  {"type": "episode", "title": "Pilot", "season": 1, "episode": 1, "ids": {"tvdb": "349232"},
   "show": {"title": "Breaking Bad", "year": 2008, "ids": {"tvdb": "81189", "imdb": "tt0903747"}},
   "rating": 9, "rated_at": null}]}
"""
    write_text(folder, text)
    snapshot = fetch(folder)
    toy, pilot = snapshot.entries
    assert snapshot.complete
    assert toy.value == Rated(80, datetime(2000, 7, 30, 18, 45, 3, tzinfo=UTC))
    assert toy.item == Item(Kind.MOVIE, toy.item.ids, "Toy Story", 1995)
    assert toy.item.ids == ("imdb_movie:tt0114709", "tmdb_movie:862")
    assert pilot.item.tokens() == ("tvdb_episode:349232", "imdb_show:tt0903747#s1e1", "tvdb_show:81189#s1e1")
    assert (pilot.item.show_title, pilot.item.show_year, pilot.value) == ("Breaking Bad", 2008, Rated(90))
    assert [row.native_key for row in snapshot.entries] == ["imdb_movie:tt0114709", "tvdb_episode:349232"]


@pytest.mark.parametrize("feature", Feature)
def test_what_is_missing_is_empty_and_reading_makes_nothing(folder: Path, feature: Feature) -> None:
    for made in (False, True):
        if made:
            folder.mkdir()
        snapshot = fetch(folder, feature)
        assert (snapshot.entries, snapshot.complete, snapshot.watermark) == ((), True, "absent")
        assert folder.exists() == made
        assert not made or not list(folder.iterdir())


GOOD = '{"schema": 1, "feature": "ratings", "items": []}'
BROKEN = {
    "empty": (b"", "ends too early"),
    "truncated": (b'{"schema": 1, "feature": "ratings", "items": [{"type": "movie"', "line 1 column"),
    "cut after an item": (b'{"schema": 1, "feature": "ratings", "items": [{"type": "movie"}', "ends too early"),
    "not json": (b"<html>\n<body>502</body>", "expected '{'"),
    "a list": (b"[]", "expected '{'"),
    "bytes": (b"\xff\xfe{", "UTF-8"),
    "utf-16": (GOOD.encode("utf-16"), "UTF-8"),
    "a comma too many": (b'{"schema": 1, "feature": "ratings", "items": [1,]}', "line 1 column"),
    "more text after it": (GOOD.encode() + b"\n\n}", "line 3 column 1: there is more text"),
    "no schema": (b'{"feature": "ratings", "items": []}', '"schema": 1'),
    "a true schema": (b'{"schema": true, "feature": "ratings", "items": []}', '"schema": 1'),
    "newer": (b'{"schema": 2, "feature": "ratings", "items": []}', "newer version"),
    "newer, items first": (b'{"items": [], "feature": "ratings", "schema": 2}', "newer version"),
    "another feature": (b'{"schema": 1, "feature": "history", "items": []}', '"feature": "ratings"'),
    "no items": (b'{"schema": 1, "feature": "ratings"}', "`items`"),
    "nothing": (b"{}", "schema"),
    "items null": (b'{"schema": 1, "feature": "ratings", "items": null}', "expected '['"),
    "items an object": (b'{"schema": 1, "feature": "ratings", "items": {}}', "expected '['"),
    "items twice": (b'{"schema": 1, "items": [], "items": [], "feature": "ratings"}', "twice"),
    "a key of an item twice": (GOOD.replace("[]", '[{"type": "movie", "type": "show"}]').encode(), "twice"),
    "an id twice": (GOOD.replace("[]", '[{"ids": {"imdb": "tt1", "imdb": "tt2"}}]').encode(), "twice"),
    "a key of its own twice": (b'{"x": {"a": 1, "a": 2}, "schema": 1}', "twice"),
    "nan": (GOOD.replace("[]", '[{"rating": NaN}]').encode(), "NaN"),
    "infinity": (GOOD.replace("[]", '[{"rating": -Infinity}]').encode(), "Infinity"),
    "too large a number": (GOOD.replace("[]", '[{"rating": 1e999}]').encode(), "too large"),
    "too long a number": (GOOD.replace("[]", f'[{{"rating": {"9" * 5000}}}]').encode(), "line 1 column"),
    "deep lists": (GOOD.replace("[]", "[" * 100_000 + "]" * 100_000).encode(), "nested too deep"),
    "deep objects": (GOOD.replace("[]", '[{"x":' * 100_000).encode(), "nested too deep"),
    "deep and cut": (b"[" * 100_000, "expected '{'"),
    "a control character": (GOOD.replace("[]", '[{"title": "a\nb"}]').encode(), "control character"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_trusted_is_an_error(folder: Path, name: str) -> None:
    data, words = BROKEN[name]
    path = write_text(folder, data)
    for attempt in (lambda: fetch(folder), lambda: apply(folder, add(RATINGS, movie(1), rated(8)))):
        with pytest.raises(DataError) as caught:
            attempt()
        assert words in caught.value.message
        assert caught.value.where == str(path)
        assert caught.value.hint
    assert path.read_bytes() == data
    assert [one.name for one in folder.iterdir()] == ["ratings.json"]


def test_nesting_is_never_a_crash_whatever_its_depth(folder: Path) -> None:
    words = set()
    for depth in range(850, 1010, 3):
        deep = "[" * depth + "]" * depth
        known = '"type": "movie", "ids": {"imdb": "tt0100001"}'
        for row in (f'"type": {deep}', f'{known}, "rating": {deep}', f'"type": "movie", "ids": {deep}'):
            write_text(folder, GOOD.replace("[]", f"[{{{row}}}]"))
            try:
                snapshot = fetch(folder)
            except DataError as error:
                words.add(error.message.rpartition(": ")[2])
            else:
                assert (len(snapshot.entries), len(snapshot.undecoded)) == (0, 1)
    assert words == {"values are nested too deep"}


def test_a_file_is_no_larger_than_the_cap(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_localfile, "MAX_BYTES", 1 << 20)
    write_text(folder, GOOD + " " * ((1 << 20) - len(GOOD)))
    assert fetch(folder).complete
    write_text(folder, GOOD + " " * (1 << 20))
    with pytest.raises(DataError, match="larger than 1 MiB"):
        fetch(folder)


def _make_folder(path: Path) -> None:
    path.mkdir()


def _make_pipe(path: Path) -> None:
    os.mkfifo(path)


def _link_inside(path: Path) -> None:
    (path.parent / "mine.json").write_text(GOOD)
    path.symlink_to("mine.json")


def _link_outside(path: Path) -> None:
    (path.parent.parent / "theirs.json").write_text(GOOD)
    path.symlink_to("../theirs.json")


def _link_nowhere(path: Path) -> None:
    path.symlink_to("gone.json")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_make_folder, "is a folder"),
        (_make_pipe, "not a regular file"),
        (_link_inside, "is a symlink"),
        (_link_outside, "is a symlink"),
        (_link_nowhere, "is a symlink"),
    ],
)
def test_what_is_no_file_is_an_error(folder: Path, make: Callable[[Path], None], words: str) -> None:
    folder.mkdir()
    make(folder / "ratings.json")
    for attempt in (lambda: fetch(folder), lambda: apply(folder, add(RATINGS, movie(1), rated(8)))):
        with pytest.raises(DataError, match=words) as caught:
            attempt()
        assert caught.value.hint


@contextmanager
def nobody() -> Iterator[None]:
    """As a user without rights: root reads everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_this_user_may_not_read_is_an_error(tmp_path: Path) -> None:
    for parent in (tmp_path, *tmp_path.parents[:-2]):
        parent.chmod(parent.stat().st_mode | 0o055)
    folder = tmp_path / "t"
    path = write_text(folder, GOOD)
    path.chmod(0o000)
    folder.chmod(0o755)
    with nobody(), pytest.raises(DataError, match="may not be read"):
        fetch(folder)
    folder.chmod(0o000)
    with nobody(), pytest.raises(DataError, match="may not be read"):
        asyncio.run(tracker(folder).open())
    folder.chmod(0o700)


def test_a_folder_that_is_none_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(GOOD)
    (tmp_path / "nowhere").symlink_to("gone")
    for name, words in (("file", "not a folder"), ("nowhere", "leads nowhere"), ("file/below", "not a folder")):
        with pytest.raises(DataError, match=words) as caught:
            asyncio.run(tracker(tmp_path / name).open())
        assert caught.value.hint


def test_a_linked_folder_is_the_account_it_leads_to(tmp_path: Path, folder: Path) -> None:
    write_items(folder, film())
    (tmp_path / "link").symlink_to(folder)
    assert fetch(tmp_path / "link") == fetch(folder)
    assert fetch(folder).account_id == f"tracker:{folder.resolve()}"
    assert one(tmp_path / "link", add(RATINGS, movie(2), rated(8))) == ("confirmed", None)


@pytest.mark.parametrize("options", [{}, {"path": ""}, {"path": 7}])
def test_a_path_is_needed(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="path"):
        Tracker(AccountSpec("home", "tracker", options), Services())


# --- single items -----------------------------------------------------------------------------------

VALUES: list[tuple[Feature, dict[str, object], Value]] = [
    (RATINGS, {"rating": 1}, Rated(10)),
    (RATINGS, {"rating": 7.5}, Rated(75)),
    (RATINGS, {"rating": 10.0, "rated_at": None}, Rated(100)),
    (RATINGS, {"rating": 8, "rated_at": "2024-05-01"}, Rated(80, date(2024, 5, 1))),
    (RATINGS, {"rating": 8, "rated_at": "2024-05-01T02:00:00+02:00"}, Rated(80, datetime(2024, 5, 1, tzinfo=UTC))),
    (WATCHLIST, {}, listed()),
    (WATCHLIST, {"listed_at": "2024-01-01T12:00:00Z"}, listed(at())),
    (HISTORY, {"watched_at": None}, played()),
    (HISTORY, {"watched_at": "2024-01-01T12:00:00.250Z"}, played(at(seconds=0.25))),
    (PROGRESS, {"position_ms": 0}, Position(0)),
    (PROGRESS, {"position_ms": 5, "duration_ms": 9, "updated_at": "2024-01-01T12:00:00Z"}, Position(5, 9, at())),
]


@pytest.mark.parametrize(("feature", "row", "value"), VALUES)
def test_good_values(folder: Path, feature: Feature, row: dict[str, object], value: Value) -> None:
    write_items(folder, {"type": "movie", "ids": {"imdb": "tt0100001"}} | row, feature=feature)
    (entry,) = fetch(folder, feature).entries
    assert entry.value == value


@pytest.mark.parametrize("rating", [None, 0, 0.0])
def test_no_rating_is_no_record(folder: Path, rating: object) -> None:
    write_items(folder, film(1, rating=rating), film(2))
    snapshot = fetch(folder)
    assert [entry.native_key for entry in snapshot.entries] == ["imdb_movie:tt0100002"]
    assert snapshot.complete
    assert not snapshot.undecoded


_NO_RATINGS: tuple[object, ...] = (11, 0.5, -1, 7.1, 7.25, "8", True, [], {}, 1e300, 10**30)
_NO_TIMES: tuple[object, ...] = ("yesterday", "2024-05-01T10:00:00", 5, "", "2024-13-01")
BAD_VALUES: list[tuple[Feature, dict[str, object]]] = [
    *[(RATINGS, {"rating": rating}) for rating in _NO_RATINGS],
    (RATINGS, {}),
    *[(RATINGS, {"rating": 8, "rated_at": when}) for when in _NO_TIMES],
    (RATINGS, {"rating": 8, "rated_at": "0001-01-01T00:00:00+23:00"}),
    (WATCHLIST, {"listed_at": "x"}),
    (HISTORY, {"watched_at": True}),
    (PROGRESS, {"position_ms": None}),
    (PROGRESS, {"position_ms": 1.5}),
    (PROGRESS, {"position_ms": -1}),
    (PROGRESS, {"position_ms": 1, "duration_ms": 0}),
    (RATINGS, {"rating": 8, "title": "\ud800"}),
    (RATINGS, {"rating": 8, "title": 1917}),
    (RATINGS, {"rating": 8, "year": "1995"}),
    (RATINGS, {"rating": 8, "year": True}),
]


@pytest.mark.parametrize(("feature", "row"), BAD_VALUES)
def test_a_bad_value_protects_its_own_key(folder: Path, feature: Feature, row: dict[str, object]) -> None:
    good = {"type": "movie", "ids": {"imdb": "tt0100002"}, "rating": 5, "position_ms": 5}
    write_items(folder, {"type": "movie", "ids": {"imdb": "tt0100001"}} | row, good, feature=feature)
    snapshot = fetch(folder, feature)
    (bad,) = snapshot.undecoded
    assert bad.item is not None
    assert bad.item.key() == "imdb_movie:tt0100001"
    assert bad.where == f"{feature.value}.json item 1 (line 1)"
    assert bad.why
    (bad.why + repr(bad.item)).encode()
    assert snapshot.complete
    assert len(snapshot.entries) == 1
    item, before = bad.item, (folder / f"{feature.value}.json").read_bytes()
    for change in (add(feature, item, world.value(feature)), world.change(feature, item, world.value(feature), None)):
        assert one(folder, change) == ("not_sent", "moved")
    assert (folder / f"{feature.value}.json").read_bytes() == before


NAMELESS: list[object] = [
    None,
    "x",
    [],
    {},
    {"ids": {"imdb": "tt0100001"}, "rating": 8},
    film(type="anime"),
    film(type=["movie"]),
    film(ids=[]),
    film(ids="tt0100001"),
    film(ids={"imdb": "100001"}),
    film(ids={"imdb": 100001}),
    film(ids={"imdb": "tt0100001", "tmdb": "x862"}),
    film(ids={"tmdb": 0}),
    film(ids={"tmdb": True}),
    film(ids={"tmdb": ""}),
    film(ids={"tmdb": "862 "}),
    film(ids={"tmdb": "٨٦٢"}),
    film(season=1),
    film(show={"ids": {}}),
    film(ids={}, title="\udfff"),
    {"type": "season", "season": 1, "episode": 2, "show": {"ids": {"tvdb": 1}}, "rating": 8},
    {"type": "episode", "season": "1", "episode": 1, "show": {"ids": {"tvdb": 1}}, "rating": 8},
    {"type": "episode", "season": 1, "episode": -1, "show": {"ids": {"tvdb": 1}}, "rating": 8},
    {"type": "episode", "season": 1, "episode": 1, "show": [], "rating": 8},
    {"type": "episode", "season": 1, "episode": 1, "show": {"ids": {"tvdb": "x"}}, "rating": 8},
]


@pytest.mark.parametrize("row", NAMELESS)
def test_an_item_that_nothing_identifies_makes_the_read_incomplete(folder: Path, row: object) -> None:
    write_items(folder, film(1), row, film(2))
    snapshot = fetch(folder)
    assert len(snapshot.entries) == 2
    assert not snapshot.complete
    assert snapshot.doubt == "1 item that nothing identifies, first ratings.json item 2 (line 1)"
    assert [bad.item for bad in snapshot.undecoded] == [None]
    assert one(folder, add(RATINGS, movie(3), rated(8))) == ("confirmed", None)
    assert items_of(folder)[1] == row


@pytest.mark.parametrize("feature", [HISTORY, PROGRESS])
@pytest.mark.parametrize("kind", ["show", "season"])
def test_only_films_and_episodes_are_played(folder: Path, feature: Feature, kind: str) -> None:
    write_items(folder, {"type": kind, "ids": {"tvdb": 5}, "position_ms": 1}, feature=feature)
    snapshot = fetch(folder, feature)
    assert snapshot.complete
    assert [bad.item.key() if bad.item else None for bad in snapshot.undecoded] == [f"tvdb_{kind}:5"]


def test_the_place_of_a_bad_item_is_its_line(folder: Path) -> None:
    write_text(folder, GOOD.replace("[]", '[\n  {"type": "x"},\n\n  {"type": "y"}\n]'))
    assert [bad.where for bad in fetch(folder).undecoded] == [
        "ratings.json item 1 (line 2)",
        "ratings.json item 2 (line 4)",
    ]


def test_ids_may_be_numbers_null_and_of_services_that_nobody_knows(folder: Path) -> None:
    ids = {"letterboxd": {"x": [1]}, "slug": "heat-1995", "tmdb": 949, "imdb": None, "trakt": "353"}
    write_items(folder, film(ids=ids))
    (entry,) = fetch(folder).entries
    assert entry.item.ids == ("tmdb_movie:949", "trakt_movie:353", "slug_movie:heat-1995")


@pytest.mark.parametrize("ids", [{}, None, {"letterboxd": "x"}])
def test_an_item_without_ids_is_no_error(folder: Path, ids: object) -> None:
    rows = [
        film(ids=ids, title="Heat", year=1995),
        {"type": "show", "title": "Dark", "rating": 8},
        {"type": "episode", "season": 0, "episode": 1, "title": "Pilot", "show": {"title": "Dark"}, "rating": 8},
    ]
    write_items(folder, *rows)
    snapshot = fetch(folder)
    assert snapshot.complete
    assert [(entry.item.key(), entry.native_key) for entry in snapshot.entries] == [
        (None, "movie|Heat|1995"),
        (None, "show|Dark|"),
        (None, "episode|Dark||0|1|Pilot|"),
    ]


def test_native_keys_name_rows(folder: Path) -> None:
    write_items(folder, film(watched_at="2024-01-01"), film(watched_at=None), film(watched_at=None), feature=HISTORY)
    assert [entry.native_key for entry in fetch(folder, HISTORY).entries] == [
        "imdb_movie:tt0100001@2024-01-01",
        "imdb_movie:tt0100001@",
        "imdb_movie:tt0100001@",
    ]


@pytest.mark.parametrize("title", TITLES)
def test_a_title_is_any_text(folder: Path, title: str) -> None:
    item = Item(Kind.MOVIE, movie(1).ids, title, 1999)
    part = Item(Kind.EPISODE, episode(1, 1, 1).ids, title, show_ids=show(1).ids, season=1, number=1, show_title=title)
    bare = Item(Kind.MOVIE, (), title)
    assert [
        receipt.outcome for receipt in apply(folder, *[add(RATINGS, one, rated(8)) for one in (item, part, bare)])
    ] == [Outcome.CONFIRMED] * 3
    assert [entry.item for entry in fetch(folder).entries] == [item, part, bare]
    assert one(folder, add(RATINGS, bare, rated(8))) == ("already", None)


def test_half_a_character_is_never_written(folder: Path) -> None:
    broken = Item(Kind.MOVIE, (), "a\ud800b", 1999)
    assert one(folder, add(RATINGS, broken, rated(8))) == ("confirmed", None)
    assert one(folder, add(RATINGS, broken, rated(8))) == ("already", None)
    assert fetch(folder).entries[0].item.title == "a\ufffdb"


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
    assert one(folder, world.change(RATINGS, entry.item, entry.value, rated(9.5, at()))) == ("confirmed", None)
    new = (
        '{"type": "movie", "ids": {"imdb": "tt0100002"}, "rating": 9.5, "x": 100.0, "rated_at": "2024-01-01T12:00:00Z"}'
    )
    old = '\n        {"type": "movie", "ids": {"imdb": "tt0100002"}, "rating": 6.0, "x": 1e2}'
    assert path.read_text() == BY_HAND.replace("\n" + old, "\n        " + new)


def test_keys_of_the_users_own_survive_an_update(folder: Path) -> None:
    write_text(folder, BY_HAND)
    entry = fetch(folder).entries[0]
    assert one(folder, world.change(RATINGS, entry.item, entry.value, rated(1))) == ("confirmed", None)
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
    apply(folder, world.change(RATINGS, movie(4), rated(8, at(4)), None))
    assert path.read_text() == text
    apply(folder, *[world.change(RATINGS, movie(n), rated(8, at(n)), None) for n in range(1, 4)])
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

M1 = movie(1)
CASES: list[tuple[str, Feature, list[tuple[Item, Value]], Change, tuple[str, str | None], int]] = [
    # what, feature, what the file holds, the change, the answer, how many rows are left
    ("add", RATINGS, [], add(RATINGS, M1, rated(8)), ("confirmed", None), 1),
    ("add what is there", RATINGS, [(M1, rated(8))], add(RATINGS, M1, rated(8)), ("already", None), 1),
    ("add over another value", RATINGS, [(M1, rated(7))], add(RATINGS, M1, rated(8)), ("not_sent", "moved"), 1),
    ("listed is listed", WATCHLIST, [(M1, listed(at()))], add(WATCHLIST, M1, listed(at(1))), ("already", None), 1),
    (
        "update",
        RATINGS,
        [(M1, rated(7))],
        world.change(RATINGS, M1, rated(7), rated(8)),
        ("confirmed", None),
        1,
    ),
    (
        "update what changed",
        RATINGS,
        [(M1, rated(6))],
        world.change(RATINGS, M1, rated(7), rated(8)),
        ("not_sent", "moved"),
        1,
    ),
    (
        "update to what it holds",
        RATINGS,
        [(M1, rated(8))],
        world.change(RATINGS, M1, rated(7), rated(8)),
        ("already", None),
        1,
    ),
    (
        "update of nothing",
        RATINGS,
        [],
        world.change(RATINGS, M1, rated(7), rated(8)),
        ("not_sent", "moved"),
        0,
    ),
    ("remove", RATINGS, [(M1, rated(7))], world.change(RATINGS, M1, rated(7), None), ("confirmed", None), 0),
    ("remove nothing", RATINGS, [], world.change(RATINGS, M1, rated(7), None), ("already", None), 0),
    (
        "remove what changed",
        RATINGS,
        [(M1, rated(7, at(1)))],
        world.change(RATINGS, M1, rated(7), None),
        ("not_sent", "moved"),
        1,
    ),
    (
        "remove what was listed again",
        WATCHLIST,
        [(M1, listed(at(1)))],
        world.change(WATCHLIST, M1, listed(at()), None),
        ("not_sent", "moved"),
        1,
    ),
    (
        "one shared id is enough",
        RATINGS,
        [(only(M1, "tmdb"), rated(7))],
        world.change(RATINGS, M1, rated(7), None),
        ("confirmed", None),
        0,
    ),
    (
        "a show is no film",
        RATINGS,
        [(show(1), rated(7))],
        add(RATINGS, Item(Kind.MOVIE, (external_id("imdb", Kind.MOVIE, show(1).ids[0].value),)), rated(8)),
        ("confirmed", None),
        2,
    ),
    (
        "an episode by its place",
        RATINGS,
        [(episode(1, 2, 3), rated(7))],
        world.change(RATINGS, episode(1, 2, 3, own=False), rated(7), None),
        ("confirmed", None),
        0,
    ),
    (
        "an episode by its place, other ids of its own",
        RATINGS,
        [(only(episode(1, 2, 3), "imdb"), rated(7))],
        world.change(RATINGS, only(episode(1, 2, 3), "tvdb"), rated(7), None),
        ("confirmed", None),
        0,
    ),
    (
        "a place whose own ids contradict",
        RATINGS,
        [(Item(Kind.EPISODE, episode(9, 9, 9).ids, show_ids=show(1).ids, season=2, number=3), rated(7))],
        world.change(RATINGS, episode(1, 2, 3), rated(7), None),
        ("already", None),
        1,
    ),
    (
        "season 0 is a season",
        RATINGS,
        [(season(1, 0), rated(7)), (season(1, 1), rated(7))],
        world.change(RATINGS, season(1, 0), rated(7), None),
        ("confirmed", None),
        1,
    ),
    (
        "by its native key alone",
        RATINGS,
        [(Item(Kind.MOVIE, (), "Heat", 1995), rated(7))],
        world.change(RATINGS, M1, rated(7), None, native_key="movie|Heat|1995"),
        ("confirmed", None),
        0,
    ),
    (
        "copies under one id all go",
        RATINGS,
        [(only(M1, "imdb"), rated(7)), (only(M1, "tmdb"), rated(7)), (movie(2), rated(7))],
        world.change(RATINGS, M1, rated(7), None),
        ("confirmed", None),
        1,
    ),
    (
        "a change that names a row leaves the other copy",
        RATINGS,
        [(only(M1, "imdb"), rated(7)), (only(M1, "tmdb"), rated(6))],
        world.change(RATINGS, M1, rated(6), None, native_key="tmdb_movie:100002"),
        ("confirmed", None),
        1,
    ),
    ("a score off the grid", RATINGS, [], add(RATINGS, M1, Rated(77)), ("rejected", "unsupported"), 0),
    ("a score below the grid", RATINGS, [], add(RATINGS, M1, Rated(5)), ("rejected", "unsupported"), 0),
    ("a play of a show", HISTORY, [], add(HISTORY, show(1), played()), ("rejected", "unsupported"), 0),
    ("a value of another feature", RATINGS, [], add(RATINGS, M1, listed()), ("rejected", "unsupported"), 0),
    ("a play twice", HISTORY, [(M1, played(at()))], add(HISTORY, M1, played(at())), ("already", None), 1),
    ("an undated play twice", HISTORY, [(M1, played())], add(HISTORY, M1, played()), ("already", None), 1),
    ("another play", HISTORY, [(M1, played(at()))], add(HISTORY, M1, played(at(1))), ("not_sent", "moved"), 1),
    (
        "another play of a list",
        HISTORY,
        [(M1, played(at()))],
        add(HISTORY, M1, played(at(1)), key="imdb_movie:tt0100001@x"),
        ("confirmed", None),
        2,
    ),
    (
        "the newest play takes all",
        HISTORY,
        [(M1, played(at(1))), (M1, played(at(2))), (M1, played())],
        world.change(HISTORY, M1, played(at(2)), None),
        ("confirmed", None),
        0,
    ),
    (
        "an older play takes none",
        HISTORY,
        [(M1, played(at(1))), (M1, played(at(2)))],
        world.change(HISTORY, M1, played(at(1)), None),
        ("not_sent", "moved"),
        2,
    ),
    (
        "an older play by its name goes alone",
        HISTORY,
        [(M1, played(at(1))), (M1, played(at(2)))],
        world.change(HISTORY, M1, played(at(1)), None, native_key="imdb_movie:tt0100001@2024-01-02T12:00:00Z"),
        ("confirmed", None),
        1,
    ),
    (
        "an older play of a list goes alone",
        HISTORY,
        [(M1, played(at(1))), (M1, played(at(2)))],
        world.change(HISTORY, M1, played(at(1)), None, key="imdb_movie:tt0100001@x"),
        ("confirmed", None),
        1,
    ),
    (
        "one of two equal plays of a list goes alone",
        HISTORY,
        [(M1, played(at(1))), (M1, played(at(1)))],
        world.change(HISTORY, M1, played(at(1)), None, key="imdb_movie:tt0100001@x"),
        ("confirmed", None),
        1,
    ),
    (
        "a play of a list that is gone",
        HISTORY,
        [(M1, played(at(2)))],
        world.change(HISTORY, M1, played(at(1)), None, key="imdb_movie:tt0100001@x"),
        ("already", None),
        1,
    ),
    (
        "progress",
        PROGRESS,
        [(M1, stopped(10))],
        world.change(PROGRESS, M1, stopped(10), stopped(20, None)),
        ("confirmed", None),
        1,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_a_change_is_judged_by_what_the_row_holds_now(folder: Path, case: Any) -> None:
    _, feature, held, change, answer, left = case
    rows = [json.loads(_row(item, value)) for item, value in held]
    path = write_items(folder, *rows, feature=feature)
    before = path.read_bytes()
    assert one(folder, change) == answer
    entries = fetch(folder, feature).entries
    assert len(entries) == left
    assert (path.read_bytes() == before) == (answer[0] != "confirmed")
    if answer[0] == "confirmed" and change.after is not None:
        assert change.after in [entry.value for entry in entries]


def _row(item: Item, value: Value) -> str:
    from cwsync.providers._trackerrow import encode_row

    return encode_row(item, value)


def test_copies_are_all_updated_and_keep_their_own_ids(folder: Path) -> None:
    rows = [film(1, x=1), film(1, x=2, ids={"imdb": "tt0100001", "tmdb": 100002}), film(2)]
    write_items(folder, *rows)
    assert one(folder, world.change(RATINGS, M1, rated(8), rated(3, at()))) == ("confirmed", None)
    stamp = {"rated_at": "2024-01-01T12:00:00Z", "rating": 3}
    assert items_of(folder) == [rows[0] | stamp, rows[1] | stamp, rows[2]]


def test_only_the_play_that_is_named_gets_another_date(folder: Path) -> None:
    write_items(folder, film(watched_at="2024-01-01"), film(watched_at="2024-01-02"), feature=HISTORY)
    change = world.change(HISTORY, M1, Play(date(2024, 1, 1)), Play(date(2024, 1, 3)))
    assert one(folder, change) == ("confirmed", None)
    assert [row["watched_at"] for row in items_of(folder, HISTORY)] == ["2024-01-03", "2024-01-02"]


def test_an_empty_rating_is_filled_in_its_own_row(folder: Path) -> None:
    write_items(folder, film(1, rating=None, note="later"))
    assert one(folder, add(RATINGS, M1, rated(9))) == ("confirmed", None)
    assert items_of(folder) == [film(1, rating=9, note="later", rated_at=None)]


def test_changes_of_one_batch_see_each_other(folder: Path) -> None:
    changes = [
        add(RATINGS, M1, rated(8)),
        add(RATINGS, M1, rated(8)),
        world.change(RATINGS, M1, rated(8), rated(9)),
        world.change(RATINGS, M1, rated(8), None),
        world.change(RATINGS, M1, rated(9), None),
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
            answer = one(folder, world.change(RATINGS, M1, rated(8), rated(9)))
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


# --- the disk ---------------------------------------------------------------------------------------


def test_folders_and_files_are_the_owners_alone(folder: Path) -> None:
    umask = os.umask(0)
    try:
        for n in (1, 2):
            apply(folder, add(RATINGS, movie(n), rated(8)))
    finally:
        os.umask(umask)
    modes = {path.relative_to(folder).parts[0]: path.stat().st_mode & 0o777 for path in folder.rglob("*")}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert modes["snapshots"] in (0o700, 0o600)
    assert modes["ratings.json"] == 0o600


def test_a_folder_that_exists_keeps_its_mode(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    apply(folder, add(RATINGS, M1, rated(8)))
    assert folder.stat().st_mode & 0o777 == 0o755


def test_nothing_is_written_while_someone_else_writes_in_the_folder(folder: Path) -> None:
    write_items(folder, film(1))
    before = (folder / "ratings.json").read_bytes()
    with files.writing_in(folder), pytest.raises(UnavailableError, match="another run is writing here"):
        apply(folder, add(RATINGS, movie(2), rated(8)))
    assert (folder / "ratings.json").read_bytes() == before
    assert [receipt.outcome for receipt in apply(folder, add(RATINGS, movie(2), rated(8)))] == [Outcome.CONFIRMED]


def test_each_write_keeps_the_file_before(folder: Path) -> None:
    texts = []
    for n in range(1, 5):
        apply(folder, add(RATINGS, movie(n), rated(8)))
        texts.append((folder / "ratings.json").read_text())
    kept = sorted((folder / "snapshots").iterdir())
    assert [path.read_text() for path in kept] == texts[:-1]
    assert all(path.name.startswith("ratings-") and path.name.endswith("Z.json") for path in kept)
    assert one(folder, add(RATINGS, movie(1), rated(8))) == ("already", None)
    assert sorted((folder / "snapshots").iterdir()) == kept


def _stamp(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y%m%dT%H%M%S.%fZ")


def test_old_snapshots_go_and_other_files_stay(folder: Path) -> None:
    write_items(folder, film(1))
    kept = folder / "snapshots"
    kept.mkdir()
    stay = ["history-20200101T000000.000000Z.json", "ratings-before-holidays.json", f"ratings-{_stamp(29.9)}.json"]
    go = [f"ratings-{_stamp(30.1)}.json", "ratings-20200101T000000.000000Z.json"]
    for name in stay + go:
        (kept / name).write_text("x")
    apply(folder, add(RATINGS, movie(2), rated(8)))
    names = {path.name for path in kept.iterdir()}
    assert names >= set(stay)
    assert not names & set(go)
    assert len(names) == len(stay) + 1


def test_no_more_than_64_snapshots_a_feature(folder: Path) -> None:
    write_items(folder, film(1))
    kept = folder / "snapshots"
    kept.mkdir()
    old = [f"ratings-{_stamp(20 - n / 10)}.json" for n in range(KEEP_FILES + 6)]
    for name in old:
        (kept / name).write_text("x")
    apply(folder, add(RATINGS, movie(2), rated(8)))
    names = sorted(path.name for path in kept.iterdir())
    assert len(names) == KEEP_FILES
    assert names[:-1] == old[-(KEEP_FILES - 1) :]


@contextmanager
def hooked(hook: Callable[[str, Path], None]) -> Iterator[None]:
    before = files.set_effect_hook(hook)
    try:
        yield
    finally:
        files.set_effect_hook(before)


def test_a_cut_anywhere_leaves_the_old_file_or_the_new_one(folder: Path) -> None:
    class CutError(BaseException):
        pass

    def cut_at(number: int) -> Callable[[str, Path], None]:
        steps = iter(range(1, 1000))

        def cut(name: str, where: Path) -> None:
            if next(steps) == number:
                raise CutError

        return cut

    for number in range(1, 100):
        path = write_items(folder, film(1))
        old = path.read_bytes()
        try:
            with hooked(cut_at(number)):
                apply(folder, add(RATINGS, movie(2), rated(8)))
        except CutError:
            assert path.read_bytes() == old or len(fetch(folder).entries) == 2
            assert one(folder, add(RATINGS, movie(2), rated(8)))[0] in ("confirmed", "already")
            assert len(fetch(folder).entries) == 2
        else:
            break
    assert 5 < number < 20


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_refuses_is_an_error_and_changes_nothing(folder: Path, code: int) -> None:
    path = write_items(folder, film(1))
    before = path.read_bytes()

    def refuse(name: str, where: Path) -> None:
        if name == "write":
            raise OSError(code, os.strerror(code))

    with hooked(refuse), pytest.raises(StateError):
        apply(folder, add(RATINGS, movie(2), rated(8)))
    assert path.read_bytes() == before
    assert fetch(folder).complete


def test_an_edit_during_the_write_wins(folder: Path) -> None:
    path = write_items(folder, film(1))
    edited = json.dumps({"schema": 1, "feature": "ratings", "items": [film(7)]})

    def edit(name: str, where: Path) -> None:
        if name == "mkdir":
            path.write_text(edited)

    with hooked(edit), pytest.raises(UnavailableError, match="while it was being written") as caught:
        apply(folder, add(RATINGS, movie(2), rated(8)))
    assert caught.value.hint
    assert path.read_text() == edited


def test_a_stopped_run_writes_nothing(folder: Path) -> None:
    async def session() -> None:
        async with tracker(folder) as provider:
            task = asyncio.ensure_future(provider.apply(RATINGS, [add(RATINGS, M1, rated(8))]))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(session())
    assert not folder.exists()


def test_the_watermark_is_that_of_the_bytes(folder: Path) -> None:
    path = write_items(folder, film(1))
    before = fetch(folder).watermark
    path.write_bytes(path.read_bytes() + b"\n")
    assert fetch(folder).watermark != before


def test_the_collector_is_on_again_after_a_read(folder: Path) -> None:
    import gc

    write_text(folder, "{")
    with pytest.raises(DataError):
        fetch(folder)
    assert gc.isenabled()


def test_it_is_a_provider() -> None:
    provider: type[Provider] = Tracker
    assert provider.capabilities.of(RATINGS).scores == tuple(range(10, 101, 5))


# --- anything at all --------------------------------------------------------------------------------

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
