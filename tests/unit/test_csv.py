"""CSV files: which header means what, which cell is which value, and what is refused."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cwsync.errors import ConfigError, DataError
from cwsync.model import (
    AccountSpec,
    Entry,
    Feature,
    Kind,
    Listed,
    Outcome,
    Play,
    Rated,
    Snapshot,
    Value,
    When,
)
from cwsync.provider import Provider, Services
from cwsync.providers._csvformats import NAMES
from cwsync.providers._csvrow import parse_score, parse_time
from cwsync.providers.csvfile import CsvFile
from support import world
from support.world import movie, rated

RATINGS, HISTORY, WATCHLIST = Feature.RATINGS, Feature.HISTORY, Feature.WATCHLIST


def csvfile(path: Path, feature: Feature = RATINGS, **options: object) -> CsvFile:
    given_options: Mapping[str, object] = {"path": str(path), "feature": feature.value} | options
    return CsvFile(AccountSpec("list", "csv", given_options), Services())


def fetch(path: Path, feature: Feature = RATINGS, **options: object) -> Snapshot:
    async def session() -> Snapshot:
        async with csvfile(path, feature, **options) as provider:
            snapshot = await provider.fetch(feature)
            assert snapshot.watermark == await provider.watermark(feature)
            return snapshot

    return asyncio.run(session())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


def read(path: Path, text: str | bytes, feature: Feature = RATINGS, **options: object) -> Snapshot:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return fetch(path, feature, **options)


def rows(snapshot: Snapshot) -> list[tuple[str | None, Value]]:
    return [(entry.item.key(), entry.value) for entry in snapshot.entries]


def lines(snapshot: Snapshot) -> list[str]:
    return [bad.where for bad in snapshot.undecoded]


# --- whose export it is -------------------------------------------------------------------------------

IMDB_RATINGS = """Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres,Num Votes,Release Date,Directors
tt0113277,9,2024-05-01,Heat,Heat,https://www.imdb.com/title/tt0113277,Movie,8.3,170,1995,"Action, Crime",700000,1995-12-15,Michael Mann
tt0903747,10,2024-05-02,Breaking Bad,Breaking Bad,https://www.imdb.com/title/tt0903747,TV Series,9.5,,2008,,,,
tt2301451,10,2024-05-03,Breaking Bad: Ozymandias,Ozymandias,https://www.imdb.com/title/tt2301451,TV Episode,10,47,2013,,,,Rian Johnson
tt7366338,8,2024-05-03,Chernobyl,Chernobyl,https://www.imdb.com/title/tt7366338,TV Mini Series,9.3,,2019,,,,
tt0000001,7,2024-05-03,A TV film,x,https://x,TV Movie,9.3,,2019,,,,
tt0000002,7,2024-05-03,A game,x,https://x,Video Game,9.3,,2019,,,,
"""  # noqa: E501
IMDB_WATCHLIST = """Position,Const,Created,Modified,Description,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres,Num Votes,Release Date,Directors,Your Rating,Date Rated
1,tt0113277,2024-05-01,2024-06-01,,Heat,Heat,https://x,Movie,8.3,170,1995,,,,Michael Mann,,
2,tt0903747,2024-05-02,2024-06-01,,Breaking Bad,Breaking Bad,https://x,tvSeries,9.5,,2008,,,,,9,2024-07-01
"""  # noqa: E501


def test_imdb_ratings(path: Path) -> None:
    snapshot = read(path, IMDB_RATINGS)
    assert rows(snapshot) == [
        ("imdb_movie:tt0113277", Rated(90, date(2024, 5, 1))),
        ("imdb_show:tt0903747", Rated(100, date(2024, 5, 2))),
        ("imdb_episode:tt2301451", Rated(100, date(2024, 5, 3))),
        ("imdb_show:tt7366338", Rated(80, date(2024, 5, 3))),
        ("imdb_movie:tt0000001", Rated(70, date(2024, 5, 3))),
    ]
    assert snapshot.complete
    assert snapshot.warnings == ("1 of type Video Game left out",)
    assert (snapshot.entries[0].item.title, snapshot.entries[0].item.year) == ("Heat", 1995)
    assert snapshot.entries[2].item.coordinates() == ()


def test_imdb_watchlist(path: Path) -> None:
    assert rows(read(path, IMDB_WATCHLIST, WATCHLIST)) == [
        ("imdb_movie:tt0113277", Listed(date(2024, 5, 1))),
        ("imdb_show:tt0903747", Listed(date(2024, 5, 2))),
    ]
    assert rows(read(path, IMDB_WATCHLIST)) == [("imdb_show:tt0903747", Rated(90, date(2024, 7, 1)))]


@pytest.mark.parametrize(
    ("feature", "text", "value"),
    [
        (
            RATINGS,
            "Date,Name,Year,Letterboxd URI,Rating\n2024-05-01,Heat,1995,https://boxd.it/1,3.5",
            Rated(70, date(2024, 5, 1)),
        ),
        (WATCHLIST, "Date,Name,Year,Letterboxd URI\n2024-05-01,Heat,1995,https://boxd.it/1", Listed(date(2024, 5, 1))),
        (
            HISTORY,
            'Date,Name,Year,Letterboxd URI,Tags,Watched Date\n2024-05-03,Heat,1995,https://x,"a, b",2024-05-01',
            Play(date(2024, 5, 1)),
        ),
        (HISTORY, "Date,Name,Year,Letterboxd URI\n2024-05-01,Heat,1995,https://boxd.it/1", Play()),
    ],
)
def test_letterboxd(path: Path, feature: Feature, text: str, value: Value) -> None:
    snapshot = read(path, text, feature)
    (entry,) = snapshot.entries
    assert snapshot.complete
    assert (entry.item.kind, entry.item.ids, entry.item.title, entry.item.year) == (Kind.MOVIE, (), "Heat", 1995)
    assert entry.value == value
    assert (entry.native_key or "").startswith("movie|Heat|1995")


TRAKT = [
    "rated_at,type,title,year,trakt_id,imdb_id,tmdb_id,tvdb_id,season_number,episode_number,rating",
    "Rated At,Type,Title,Year,Trakt ID,IMDB ID,TMDB ID,TVDB ID,Season Number,Episode Number,Rating",
    "ratedAt;type;title;year;traktId;imdb;tmdb;tvdb;season;episode;rating",
]


@pytest.mark.parametrize("header", TRAKT)
def test_trakt_and_its_variants(path: Path, header: str) -> None:
    text = (
        f"{header}\n2024-05-01T20:15:00.000Z,movie,Heat,1995,353,tt0113277,949,,,,8\n"
        "2024-05-01T20:15:00.000Z,episode,Pilot,2008,73482,tt0959621,62085,349232,1,1,9\n"
    )
    if ";" in header:
        text = text.replace(",", ";")
    snapshot = read(path, text)
    when = datetime(2024, 5, 1, 20, 15, tzinfo=UTC)
    assert rows(snapshot) == [("imdb_movie:tt0113277", Rated(80, when)), ("imdb_episode:tt0959621", Rated(90, when))]
    heat, pilot = (entry.item for entry in snapshot.entries)
    assert heat.ids == ("imdb_movie:tt0113277", "tmdb_movie:949", "trakt_movie:353")
    assert (pilot.season, pilot.number) == (1, 1)


def test_our_own_columns_all_of_them(path: Path) -> None:
    text = (
        "type,title,year,season,episode,imdb,tmdb,tvdb,rating,rated_at,watched_at,listed_at,"
        "show_title,show_imdb,show_tmdb,show_tvdb\n"
        "movie,Heat,1995,,,tt0113277,949,,8,2024-05-01,2024-05-02,2024-05-03,,,,\n"
        "show,Dark,2017,,,tt5753856,,,7,,,,,,,\n"
        "season,,,0,,,,,6,,,,Dark,tt5753856,70523,\n"
        "episode,Pilot,,1,2,,,5,5.5,,2024-05-02T10:00:00Z,,Dark,,70523,81\n"
    )
    snapshot = read(path, text)
    assert rows(snapshot) == [
        ("imdb_movie:tt0113277", Rated(80, date(2024, 5, 1))),
        ("imdb_show:tt5753856", Rated(70)),
        ("imdb_show:tt5753856#s0", Rated(60)),
        ("tvdb_episode:5", Rated(55)),
    ]
    assert snapshot.entries[3].item.tokens() == ("tvdb_episode:5", "tmdb_show:70523#s1e2", "tvdb_show:81#s1e2")
    assert rows(read(path, text, WATCHLIST))[0] == ("imdb_movie:tt0113277", Listed(date(2024, 5, 3)))
    history = read(path, text, HISTORY)
    assert [entry.native_key for entry in history.entries] == [
        "imdb_movie:tt0113277@2024-05-02",
        "tvdb_episode:5@2024-05-02T10:00:00Z",
    ]
    assert lines(history) == ["line 3", "line 4"]
    assert all(bad.item is not None for bad in history.undecoded)


@pytest.mark.parametrize(
    ("row", "kind"), [(",,", Kind.MOVIE), (",1,", Kind.SEASON), (",1,2", Kind.EPISODE), (",,2", Kind.EPISODE)]
)
@pytest.mark.parametrize("typed", [True, False])
def test_without_a_type_the_numbers_say_it(path: Path, row: str, kind: Kind, typed: bool) -> None:
    header = "imdb,rating,type,season,episode" if typed else "imdb,rating,x,season,episode"
    (entry,) = read(path, f"{header}\ntt0113277,8,{row}").entries
    assert entry.item.kind is kind


TYPES = {
    Kind.MOVIE: ["movie", "Movies", "MOVIE", "TV Movie", "tvMovie", "Short", "Video", "TV Special", "film"],
    Kind.SHOW: ["show", "shows", "TV Series", "tvSeries", "TV Mini Series", "TV Mini-Series", "tvMiniSeries", "series"],
    Kind.SEASON: ["season"],
    Kind.EPISODE: ["episode", "episodes", "TV Episode", "tvEpisode"],
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in TYPES.items() for name in names])
def test_types(path: Path, kind: Kind, name: str) -> None:
    (entry,) = read(path, f"imdb,type,rating\ntt0113277,{name},8").entries
    assert entry.item.kind is kind


# --- columns, scale, options ---------------------------------------------------------------------------


def test_columns_come_first(path: Path) -> None:
    text = "Id;Stars;When;imdb\ntt0113277;4;2024-05-01;x\n"
    columns = {"imdb": "Id", "rating": "Stars", "rated_at": "When"}
    assert rows(read(path, text, columns=columns, scale=5)) == [("imdb_movie:tt0113277", Rated(80, date(2024, 5, 1)))]
    moved = {"rating": "IMDb Rating"}
    assert rows(read(path, IMDB_RATINGS, columns=moved))[0] == ("imdb_movie:tt0113277", Rated(83, date(2024, 5, 1)))


@pytest.mark.parametrize(
    ("columns", "words", "hint"),
    [
        ({"imbd": "Const"}, "'imbd'", "did you mean 'imdb'"),
        ({"nonsense": "Const"}, "'nonsense'", "known: type, title"),
        ({"imdb": "const"}, "no column 'const'", "it has: Const, Your Rating"),
    ],
)
def test_columns_that_are_none(path: Path, columns: dict[str, str], words: str, hint: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read(path, IMDB_RATINGS, columns=columns)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"path": ""}, "path"),
        ({"path": None}, "path"),
        ({"feature": "progress"}, "feature"),
        ({"feature": None}, "feature"),
        ({"scale": 0}, "scale"),
        ({"scale": 2.5}, "scale"),
        ({"scale": True}, "scale"),
        ({"columns": ["imdb"]}, "columns"),
        ({"columns": {"imdb": 3}}, "columns"),
    ],
)
def test_settings_that_can_never_work(options: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CsvFile(AccountSpec("list", "csv", {"path": "x.csv", "feature": "ratings"} | options), Services())
    assert caught.value.where == f"accounts.list.{key}"


def test_the_names_of_the_contract() -> None:
    named = "type,title,year,season,episode,imdb,tmdb,tvdb,rating,rated_at,watched_at,listed_at"
    assert set(named.split(",")) <= set(NAMES)


# --- cells ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "scale", "score"),
    [
        ("8", 10, 80),
        ("7.5", 10, 75),
        ("7,5", 10, 75),
        ("3.5", 5, 70),
        ("0.5", 5, 10),
        ("5", 5, 100),
        ("83", 100, 83),
        ("8.3", 10, 83),
        ("0.125", 10, 1),
        ("1", 3, 33),
        ("2", 3, 67),
        ("8.25", 10, 83),  # half up
        ("8.35", 10, 84),
        ("", 10, 0),
        ("0", 10, 0),
        ("0.0", 5, 0),
    ],
)
def test_scores(text: str, scale: int, score: int) -> None:
    assert parse_score(text, scale) == score


@pytest.mark.parametrize("text", ["11", "10.1", "-1", "x", "8/10", "NaN", "1e1", "8.", "٨", "1_0", "0.01", "★★★"])
def test_no_scores(text: str) -> None:
    with pytest.raises(ValueError, match="the rating is"):
        parse_score(text, 10)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("", None),
        ("2024-05-01", date(2024, 5, 1)),
        ("2024-05-01T20:15:00Z", datetime(2024, 5, 1, 20, 15, tzinfo=UTC)),
        ("2024-05-01T20:15:00.250Z", datetime(2024, 5, 1, 20, 15, 0, 250_000, tzinfo=UTC)),
        ("2024-05-01 20:15:00+02:00", datetime(2024, 5, 1, 18, 15, tzinfo=UTC)),
        ("2024-05-01 20:15:00 UTC", datetime(2024, 5, 1, 20, 15, tzinfo=UTC)),
        ("2024-05-01 23:59:59", date(2024, 5, 1)),
        ("2024-05-01T00:00:00", date(2024, 5, 1)),
        ("2024-05-01 20:15", date(2024, 5, 1)),
        ("1714594500", datetime(2024, 5, 1, 20, 15, tzinfo=UTC)),
        ("964982703", datetime(2000, 7, 30, 18, 45, 3, tzinfo=UTC)),
    ],
)
def test_times(text: str, when: When) -> None:
    found = parse_time(text)
    assert (found, type(found)) == (when, type(when))
    assert not isinstance(found, datetime) or found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "01/05/2024",
        "2024-13-01",
        "20240501",
        "1714594500000",
        "2024",
        "2024-05-01T25:00:00Z",
        "0001-01-01T00:00:00+20:00",
    ],
)
def test_no_times(text: str) -> None:
    with pytest.raises(ValueError, match="the time is"):
        parse_time(text)


@pytest.mark.parametrize(
    ("cell", "ids"),
    [
        ("tt0113277", "tt0113277"),
        ("0114709", "tt0114709"),
        ("114709", "tt0114709"),
        ("12345678", "tt12345678"),
        ("", None),
    ],
)
def test_imdb_ids(path: Path, cell: str, ids: str | None) -> None:
    (entry,) = read(path, f"imdb,title,rating\n{cell},Heat,8").entries
    assert entry.item.ids == ((f"imdb_movie:{ids}",) if ids else ())


# --- rows that are bad ---------------------------------------------------------------------------------

BAD_ROWS: list[tuple[str, bool]] = [
    # a row of imdb,tmdb,type,season,rating,rated_at,title; whether its item is known all the same
    ("tt0113277,,,,11,,", True),
    ("tt0113277,,,,x,,", True),
    ("tt0113277,,,,8,soon,", True),
    ("tt0113277,,anime,,8,,", False),
    ("nm0000001,,,,8,,", False),
    ("0,,,,8,,", False),
    ("tt0113277,862.0,,,8,,", False),
    ("tt0113277,0,,,8,,", False),
    ("tt0113277\x00,,,,8,,", False),
    ("tt0113277,,movie,1,8,,", False),
    ("tt0113277,,season,one,8,,", False),
    (",,,,8,,", False),
    ("tt0113277,,,,8,", False),
    ("tt0113277,,,,8,,,", False),
    ('"tt0113277"x,,,,8,,', False),
    (f"tt0113277,,,,8,,{'x' * (1 << 21)}", False),
]


@pytest.mark.parametrize(("row", "known"), BAD_ROWS, ids=[row[:30] for row, _ in BAD_ROWS])
def test_a_bad_row_is_listed_and_stops_no_good_one(path: Path, row: str, known: bool) -> None:
    good = "tt0100001,,,,5,,"
    text = f"imdb,tmdb,type,season,rating,rated_at,title\n{good}\n{row}\n{good.replace('1,', '2,', 1)}\n"
    snapshot = read(path, text)
    assert rows(snapshot) == [("imdb_movie:tt0100001", Rated(50)), ("imdb_movie:tt0100002", Rated(50))]
    assert lines(snapshot) == ["line 3"]
    assert (snapshot.undecoded[0].item is not None) == known
    assert snapshot.undecoded[0].why
    assert len(snapshot.undecoded[0].why) < 200
    assert not snapshot.complete
    assert snapshot.doubt == "1 bad row, first line 3"


def test_bad_rows_are_counted(path: Path) -> None:
    snapshot = read(path, "imdb,rating\nx,8\ntt0113277,8\nx,8\nx,8\n")
    assert (snapshot.doubt, len(snapshot.entries)) == ("3 bad rows, first line 2", 1)
    assert lines(snapshot) == ["line 2", "line 4", "line 5"]


def test_a_row_without_rating_is_no_record(path: Path) -> None:
    snapshot = read(path, "imdb,rating\ntt0113277,\ntt0113278,0\ntt0113279,7\n")
    assert rows(snapshot) == [("imdb_movie:tt0113279", Rated(70))]
    assert snapshot.complete


def test_empty_lines_are_nothing(path: Path) -> None:
    snapshot = read(path, "\n\r\nimdb,rating\n\n,\ntt0113279,7\n\n")
    assert (rows(snapshot), snapshot.complete) == ([("imdb_movie:tt0113279", Rated(70))], True)


def test_lines_are_counted_through_quoted_breaks(path: Path) -> None:
    snapshot = read(path, 'title,imdb,rating\n"a\nb\r\nc",tt0113279,7\nx,y,7\n')
    assert snapshot.entries[0].item.title == "a\nb\r\nc"
    assert lines(snapshot) == ["line 5"]


def test_an_open_quote_is_no_silent_loss(path: Path) -> None:
    snapshot = read(path, 'imdb,rating\ntt0113277,"8\ntt0113278,7\ntt0113279,7\n')
    assert not snapshot.complete
    assert lines(snapshot) == ["line 2"]


def test_the_field_limit_is_put_back(path: Path) -> None:
    before = csv.field_size_limit()
    read(path, "imdb,rating\n")
    assert csv.field_size_limit() == before


# --- the file as a whole -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["imdb,rating\n", "imdb,rating", "\ufeffimdb,rating\r\n"])
def test_a_header_alone_is_a_complete_empty_feature(path: Path, text: str) -> None:
    snapshot = read(path, text)
    assert (snapshot.entries, snapshot.complete, snapshot.doubt) == ((), True, None)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_delimiters_line_ends_and_marks(path: Path, delimiter: str, newline: str, bom: str) -> None:
    cells = [["imdb", '"a;b,c;d,e,f"', "rating"], ["tt0113277", '"x,y;z\tw"', "8"]]
    text = bom + newline.join(delimiter.join(line) for line in cells)
    assert rows(read(path, text)) == [("imdb_movie:tt0113277", Rated(80))]


BROKEN: list[tuple[str | bytes, str]] = [
    ("", "has no header"),
    ("\n\n", "has no header"),
    (",,\n", "has no header"),
    ("a,b\n1,2\n", "neither a column of ids nor one of titles"),
    ("tt0113277,8\n", "neither a column of ids nor one of titles"),
    ("imdb,stars\ntt0113277,8\n", "no column of ratings"),
    ("imdb,rating,rating\n", "twice"),
    ("imdb,IMDB,rating\n", "twice"),
    ('"imdb,rating', "cannot be read"),
    ("x" * (1 << 21), "cannot be read"),
    (b"imdb,rating\n\xe9,8\n", "not UTF-8 at line 2"),
    ("imdb,rating\n".encode("utf-16"), "not UTF-8"),
]


@pytest.mark.parametrize(("text", "words"), BROKEN, ids=[words for _, words in BROKEN])
def test_a_file_that_means_nothing_is_an_error(path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read(path, text)
    assert caught.value.where == str(path)


def test_a_file_that_is_none_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "file").write_text("x")
    cases = {"gone": "does not exist", "nowhere": "leads nowhere", ".": "is a folder", "file/x": "not a folder"}
    for name, words in cases.items():
        with pytest.raises(DataError, match=words) as caught:
            asyncio.run(csvfile(tmp_path / name).open())
        assert caught.value.hint


def test_a_link_to_a_file_is_read(tmp_path: Path, path: Path) -> None:
    path.write_text("imdb,rating\ntt0113277,8\n")
    (tmp_path / "link").symlink_to(path)
    assert len(fetch(tmp_path / "link").entries) == 1


@pytest.mark.parametrize("feature", [HISTORY, WATCHLIST, Feature.PROGRESS])
def test_a_file_holds_one_feature(path: Path, feature: Feature) -> None:
    path.write_text("imdb,rating\n")
    for step in ("fetch", "watermark"):
        with pytest.raises(DataError, match="holds ratings") as caught:
            asyncio.run(getattr(csvfile(path), step)(feature))
        assert caught.value.hint


def test_nothing_is_ever_written(path: Path) -> None:
    path.write_text("imdb,rating\n")
    changes = [world.change(RATINGS, movie(1), None, rated(8)), world.change(RATINGS, movie(1), rated(8), None)]
    receipts = asyncio.run(csvfile(path).apply(RATINGS, changes))
    assert [receipt.change for receipt in receipts] == changes
    assert {(receipt.outcome, receipt.code) for receipt in receipts} == {(Outcome.REJECTED, "read-only")}
    assert path.read_text() == "imdb,rating\n"


def test_it_is_a_provider() -> None:
    provider: type[Provider] = CsvFile
    assert not any(caps.add or caps.update or caps.remove for caps in provider.capabilities.features.values())


# --- anything at all -----------------------------------------------------------------------------------

HEADERS = st.sampled_from(
    [
        "imdb,rating,rated_at\n",
        "type,title,season,episode,show_imdb,rating\n",
        IMDB_RATINGS.partition("\n")[0] + "\n",
        "",
    ]
)
CELLS = st.sampled_from(
    [
        "tt0113277",
        "movie",
        "episode",
        "1",
        "8",
        "3.5",
        "2024-05-01",
        "964982703",
        "",
        '"',
        '"a',
        "\x00",
        "\n",
        "\r",
        "é",
        ",",
    ]
)
FUZZ: dict[str, Any] = {
    "derandomize": True,
    "deadline": None,
    "database": None,
    "max_examples": 120,
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}


def _any_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    for feature in (RATINGS, HISTORY):
        try:
            snapshot = fetch(path, feature)
        except DataError as error:
            str(error).encode()
            continue
        assert snapshot.complete == (not snapshot.undecoded)
        assert all(isinstance(entry, Entry) for entry in snapshot.entries)


@settings(**FUZZ)
@given(header=HEADERS, cells=st.lists(CELLS, max_size=20), data=st.binary(max_size=20))
def test_any_bytes_are_a_snapshot_or_a_data_error(path: Path, header: str, cells: list[str], data: bytes) -> None:
    _any_bytes(path, header.encode() + ",".join(cells).encode() + data)


@settings(**FUZZ)
@given(titles=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30), max_size=5))
def test_any_title_comes_back(path: Path, titles: list[str]) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(["imdb", "title", "rating"])
    writer.writerows([f"tt{n:07d}", title, "8"] for n, title in enumerate(titles, 1))
    snapshot = read(path, out.getvalue())
    assert snapshot.complete
    assert [entry.item.title or "" for entry in snapshot.entries] == [title.strip() for title in titles]
