"""The data set is read strictly: what ranges say, what is skipped and counted, what is refused and where."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwsync.mappings import parse
from cwsync.mappings.indexfile import FileGraph, encode
from cwsync.mappings.links import RATIO, UNEVEN, UNMAPPED, Block, Edge, Run, align, both_ways
from cwsync.mappings.parse import FutureError, parse_release
from support.mappings import FILE, document, graph_of, release

EXTRACTS = Path(__file__).parents[3] / "shared" / "specs" / "anime_mapping" / "anibridge-v3"


@pytest.mark.parametrize(
    ("source", "target", "runs", "blocks"),
    [
        ("5", "39", [(5, 1, 39)], []),
        ("1-12", "1-12", [(1, 12, 1)], []),
        ("36-83", "1-48", [(36, 48, 1)], []),
        ("1086-", "1-", [(1086, None, 1)], []),
        ("1-9", "1-2,4,6-7,9-12", [(1, 2, 1), (3, 1, 4), (4, 2, 6), (6, 4, 9)], []),
        ("1-2", "1,3", [(1, 1, 1), (2, 1, 3)], []),
        # One end is open: what the closed one has is one to one.
        ("1-", "1-12", [(1, 12, 1)], []),
        ("5-16", "1-", [(5, 12, 1)], []),
        ("5-16", "1-2,7-", [(5, 2, 1), (7, 10, 7)], []),
        # Several of one are one of the other: nothing of that is one to one, nor is what comes behind.
        ("1-3", "1|-3", [], [(1, 3, 1, 1, RATIO)]),
        ("1-50", "1-25|-2", [], [(1, 50, 1, 25, RATIO)]),
        ("1-8", "1-16|2", [], [(1, 8, 1, 16, RATIO)]),
        ("1-9", "1-7,8|2", [(1, 7, 1)], [(8, 9, 8, 8, RATIO)]),
        ("1-6|2", "1-12", [], [(1, 6, 1, 12, RATIO)]),
        ("1-", "1-|2", [], [(1, None, 1, None, RATIO)]),
        ("1-12|1", "1-12|-1", [(1, 12, 1)], []),
        # Counts that differ: which one has no counterpart is anyone's guess.
        ("1-9", "1-8", [], [(1, 9, 1, 8, UNEVEN)]),
        ("1-8", "1-9", [], [(1, 8, 1, 9, UNEVEN)]),
        ("1-9", "1-,20-21", [], [(1, 9, 1, None, UNEVEN)]),
        ("1-3", "1-3,7-", [], [(1, 3, 1, None, UNEVEN)]),
        ("1-3", "1-3,9|2", [], [(1, 3, 1, 9, UNEVEN)]),
        ("5-", None, [], [(5, None, 0, 0, UNMAPPED)]),
    ],
)
def test_what_a_range_says(source: str, target: str | None, runs: list[Any], blocks: list[Any]) -> None:
    assert align(source, target) == (tuple(Run(*one) for one in runs), tuple(Block(*one) for one in blocks))


@pytest.mark.parametrize(
    "text", ["", "-", "-5", "1--3", "12-1", "1,3", "a", "1-2-3", "1|", "1|0", "1234567", "\u0661", "1 "]
)
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match="range"):
        align(text, "1")
    if text != "1,3":
        with pytest.raises(ValueError, match="range"):
            align("1", text)


def test_too_many_ranges() -> None:
    assert len(align("1-2000", ",".join(str(2 * n) for n in range(2000)))[0]) == 2000
    with pytest.raises(ValueError, match="more than 2,000 ranges"):
        align("1-2001", ",".join(str(2 * n) for n in range(2001)))


def test_the_small_data_set() -> None:
    found = parse_release(FILE.read_bytes())
    assert (found.version, found.generated_on) == ("3.1.0", datetime(2026, 11, 20, 2, tzinfo=UTC))
    assert found.sources == 24
    assert found.skipped == {
        "specials of AniDB": 1,
        "links without an anime entry": 1,
        "anisearch": 1,
        "simkl": 1,
        "imdb_movie": 1,
        "tmdb_movie": 1,
    }
    graph = graph_of()
    assert graph.edges("mal:20") == [Edge("anilist:20", None, (Run(1, 220, 1),))]
    assert Edge("anilist:20", 2, (Run(1, 48, 36),)) in graph.edges("tvdb_show:78857")
    assert graph.edges("anilist:900003") == [
        Edge("tvdb_show:900003", 1, (Run(1, 4, 1), Run(6, 7, 6)), (Block(5, 5, 0, 0, UNMAPPED),))
    ]
    assert not graph.edges("anilist:900005")


def test_a_link_that_both_ends_tell_is_one() -> None:
    once = {"anilist:1": {"mal:1": {"1-12": "1-12"}}}
    twice = {**once, "mal:1": {"anilist:1": {"1-6": "1-6", "7-12": "7-12"}}}
    assert graph_of(once).nodes == graph_of(twice).nodes
    assert both_ways([("a:1", Edge("a:1"))]) == {"a:1": [Edge("a:1")]}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"anilist:1": []}, "anilist:1: it is no object"),
    ({"anilist:1": {"mal:1": "1"}}, "anilist:1 → mal:1: it is no object"),
    ({"anilist:1": {"mal:1": {"1": 1}}}, "anilist:1 → mal:1 → '1': it is no range and not null"),
    ({"anilist:1": {"mal:1": {"x": "1"}}}, "anilist:1 → mal:1 → 'x': 'x' is no range"),
    ({"anilist:1": {"mal:1": {"1": "1,"}}}, "anilist:1 → mal:1 → '1': '' is no range"),
    ({"anilist": {}}, "anilist: it is no descriptor like"),
    ({"anilist:1": {"tvdb_show:1:s1:2": {}}}, "anilist:1 → tvdb_show:1:s1:2: it is no descriptor"),
    # Shapes are checked where nothing is used, too: a file that is wrong there is wrong.
    ({"anisearch:1": {"kaize:x": {"1": "?"}}}, "anisearch:1 → kaize:x → '1': '?' is no range"),
]


@pytest.mark.parametrize(("sources", "told"), WRONG)
def test_another_shape_is_an_error_that_names_its_place(sources: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_release(release(sources))
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b"<html>", "a page for people"),
        (b"[]", "no object"),
        (b"{}", "schema_version is missing"),
        (b'{"$meta": {"schema_version": 3}}', "schema_version is missing"),
        (b'{"$meta": {"schema_version": "three"}}', "schema_version is missing"),
        (b'{"$meta": {"schema_version": "2.9"}}', "of version 2.9, not 3"),
        (b'{"$meta": {"schema_version": "3", "generated_on": "today"}}', "generated_on is no time"),
        (b'{"$meta": {"schema_version": "3"}, "anilist:1": {}, "anilist:1": {}}', "a key stands twice"),
        (b'{"$meta": {"schema_version": "3"}, "anilist:1": ' + b"[" * 100 + b"]" * 100 + b"}", "nested too deeply"),
        (FILE.read_bytes()[:-400], "ends too early|no JSON"),
        (FILE.read_bytes().replace(b"anilist:5", b"anilist:\xff"), "no UTF-8"),
    ],
)
def test_what_is_no_data_set(data: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_release(data)


def test_every_cut_is_noticed() -> None:
    data = FILE.read_bytes().rstrip()
    for length in range(0, len(data), 37):
        with pytest.raises(ValueError, match=r"."):
            parse_release(data[:length])


@pytest.mark.parametrize("version", ["4", "4.0.0", "12.1"])
def test_a_newer_version_is_told_apart(version: str) -> None:
    with pytest.raises(FutureError, match=f"version {version}, and this cwsync reads version 3"):
        parse_release(release({"whatever": 1}, version))


def test_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    data = release({f"anilist:{n}": {f"mal:{n}": {"1": "1", "2": "2"}} for n in range(1, 4)})
    for name, told in (
        ("MAX_BYTES", "more than 2 bytes"),
        ("MAX_SOURCES", "2 sources"),
        ("MAX_LINKS", "2 links"),
        ("MAX_RANGES", "1 ranges"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(parse, name, 1 if name == "MAX_RANGES" else 2)
            with pytest.raises(ValueError, match=told):
                parse_release(data)


def test_many_unknown_catalogues_are_counted_together() -> None:
    found = parse_release(release({f"new{n}:1": {} for n in range(80)}))
    assert (len(found.skipped), sum(found.skipped.values()), found.skipped["others"]) == (51, 80, 30)


def test_the_published_extracts_are_read_and_the_fixture_is_as_published() -> None:
    if not EXTRACTS.is_dir():
        pytest.skip("the published extracts are not here")
    import re

    found = parse_release((EXTRACTS / "derived-v3-sample.json").read_bytes())
    assert (found.sources > 50, len(found.links) > 100, dict(found.skipped)) == (True, True, {})
    schema = json.loads((EXTRACTS / "mappings.schema.json").read_bytes())
    (source, about), *_ = schema["patternProperties"].items()
    ((target, ranges),) = about["patternProperties"].items()
    ((here, spans),) = ranges["patternProperties"].items()
    there = spans["anyOf"][0]["pattern"]
    for name, targets in document().items():
        if name.startswith("$"):
            assert name in schema["properties"]
            continue
        assert re.search(source, name)
        for other, rows in targets.items():
            assert re.search(target, other)
            assert all(re.search(here, one) and (to is None or re.search(there, to)) for one, to in rows.items())


WORDS = st.sampled_from(
    [
        "anilist:1",
        "mal:1",
        "anidb:1:R",
        "anidb:1:S",
        "tvdb_show:1:s1",
        "tmdb_movie:1",
        "imdb_movie:tt00001",
        "new:x",
        "$x",
    ]
) | st.text(max_size=8)
RANGES = st.sampled_from(["1", "1-12", "5-", "1|2", "1-3,7-", "3-1"]) | st.text("0123456789-|,", max_size=6)
JUNK: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([])
ROWS = st.dictionaries(RANGES | WORDS, RANGES | JUNK, max_size=2) | JUNK


@given(st.dictionaries(WORDS, st.dictionaries(WORDS, ROWS, max_size=2) | JUNK, max_size=3))
def test_anything_is_read_or_refused_and_what_is_read_is_kept(sources: dict[str, Any]) -> None:
    try:
        found = parse_release(release(sources))
    except ValueError:
        return
    nodes = both_ways(found.links)
    graph = FileGraph(encode({}, nodes))
    assert all(set(graph.edges(node)) == set(edges) for node, edges in nodes.items())


@given(st.binary(max_size=40), st.integers(0, len(FILE.read_bytes())))
def test_other_bytes_in_the_middle_are_read_or_refused(junk: bytes, at: int) -> None:
    data = FILE.read_bytes()
    with contextlib.suppress(ValueError):
        parse_release(data[:at] + junk + data[at + len(junk) :])
