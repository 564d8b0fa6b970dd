"""Reading the tracker: what a file may say, and what is refused."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from cwsync.errors import ConfigError, DataError
from cwsync.model import AccountSpec, Feature, Item, Kind, Outcome, Position, Rated, Value
from cwsync.provider import Services
from cwsync.providers import _localfile
from cwsync.providers.tracker import Tracker
from support import world
from support.trackerfolder import (
    GOOD,
    HISTORY,
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
from support.world import at, episode, listed, movie, played, rated, show

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
