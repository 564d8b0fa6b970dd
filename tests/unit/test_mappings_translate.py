"""Which episode is which, both ways, and only where one can be meant."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwsync.mappings.parse import parse_release
from cwsync.mappings.relate import Relations, Why
from cwsync.mappings.translate import Place, Spot, to_place, to_spot
from support.mappings import FILE, document, graph_of

KNOWN = Relations(graph_of())


def spelled(found: Place | Spot | Why) -> str:
    if isinstance(found, Place):
        return f"{found.show} {found.season}x{found.number}"
    return f"{found.entry} {found.number}" if isinstance(found, Spot) else found.reason


BOTH_WAYS = [
    ("anilist:1 26", "tvdb_show:76885 1x26"),
    ("anilist:20 1", "tvdb_show:78857 1x1"),
    ("anilist:20 36", "tvdb_show:78857 2x1"),
    ("anilist:20 131", "tvdb_show:78857 3x48"),
    ("anilist:20 220", "tvdb_show:78857 5x41"),
    # TMDb counts on over the seasons of this one.
    ("anilist:20 53", "tmdb_show:46260 2x53"),
    ("anilist:21 1", "tvdb_show:81797 0x39"),
    ("anilist:21 2", "tvdb_show:81797 1x1"),
    ("anilist:21 1190", "tvdb_show:81797 22x105"),
    ("anilist:21 1190", "tmdb_show:37854 22x1190"),
    ("anilist:275 3", "tvdb_show:85065 1x4"),
    ("anilist:275 9", "tvdb_show:85065 1x12"),
    ("anilist:10087 13", "tvdb_show:275798 1x13"),
    ("anilist:11741 1", "tvdb_show:275798 1x14"),
    ("anilist:11741 1", "tmdb_show:45845 2x1"),
    ("anilist:20740 2", "tmdb_show:62568 0x3"),
    ("anilist:108632 13", "tmdb_show:65942 1x38"),
    ("anilist:146065 1", "tvdb_show:371310 0x2"),
    ("anilist:146065 2", "tvdb_show:371310 2x1"),
    ("anilist:6867 7", "tvdb_show:125441 1x7"),
    # By way of the same entry in another catalogue.
    ("mal:20 36", "tvdb_show:78857 2x1"),
    ("mal:39587 1", "tmdb_show:65942 1x26"),
    ("anidb:239 220", "tmdb_show:46260 4x220"),
    ("kitsu:46474 28", "tvdb_show:424536 1x28"),
    ("anilist:900003 4", "tvdb_show:900003 1x4"),
    ("anilist:900003 6", "tvdb_show:900003 1x6"),
]


@pytest.mark.parametrize(("spot", "place"), BOTH_WAYS)
def test_there_and_back(spot: str, place: str) -> None:
    entry, _, number = spot.partition(" ")
    show, _, at = place.partition(" ")
    season, _, episode = at.partition("x")
    there = Place(show, int(season), int(episode))
    assert to_place(KNOWN, Spot(entry, int(number)), show.partition(":")[0]) == there
    assert to_spot(KNOWN, there, entry.partition(":")[0]) == Spot(entry, int(number))


def turned() -> dict[str, Any]:
    """The small data set with every link told from its other end too, as the makers publish it."""
    found: dict[str, Any] = {name: of for name, of in document().items() if name[0] != "$"}
    for node, edge in parse_release(FILE.read_bytes()).links:
        scope = "" if edge.season is None else f":s{edge.season}"
        here, there = (f"{one}{scope if '_show' in one else ''}" for one in (node, edge.other))
        rows = found.setdefault(there, {}).setdefault(here, {})
        for run in edge.flipped(node).runs:
            ends = ("", "") if run.n is None else (str(run.here + run.n - 1), str(run.there + run.n - 1))
            rows[f"{run.here}-{ends[0]}"] = f"{run.there}-{ends[1]}"
    return found


@pytest.mark.parametrize(("spot", "place"), BOTH_WAYS)
def test_links_that_are_told_from_both_ends_say_the_same(spot: str, place: str) -> None:
    known = Relations(graph_of(turned()))
    entry, _, number = spot.partition(" ")
    there = to_place(known, Spot(entry, int(number)), place.partition(":")[0])
    assert spelled(there) == place
    assert isinstance(there, Place)
    assert to_spot(known, there, entry.partition(":")[0]) == Spot(entry, int(number))


@pytest.mark.parametrize(
    ("entry", "number", "shows", "told"),
    [
        ("anilist:20", 221, "tvdb_show", "not-mapped: nothing is said of episode 221 of anilist 20"),
        ("anilist:20", 1, "imdb_show", "not-mapped: nothing is said of episode 1 of anilist 20"),
        ("anilist:77", 1, "tvdb_show", "not-mapped: nothing is said of episode 1 of anilist 77"),
        (
            "anilist:95",
            1,
            "tmdb_show",
            "ratio: several episodes of one are one of the other in episode 1 of anilist 95",
        ),
        ("anilist:652", 9, "tvdb_show", "ratio: several episodes"),
        ("anilist:6867", 8, "tvdb_show", "ratio: several episodes"),
        ("anilist:6867", 1, "tmdb_show", "uneven: the mapping gives different counts for episode 1 of anilist 6867"),
        ("anilist:900003", 5, "tvdb_show", "not-mapped: "),
        ("anilist:900004", 5, "tvdb_show", "not-mapped: "),
        ("anilist:154587", 1, "imdb_show", "not-mapped: "),  # linked, but nothing is said of episodes
        ("anilist:1", 0, "tvdb_show", "not-mapped: "),
    ],
)
def test_an_entry_that_says_nothing_for_sure(entry: str, number: int, shows: str, told: str) -> None:
    assert spelled(to_place(KNOWN, Spot(entry, number), shows)).startswith(told)


@pytest.mark.parametrize(
    ("show", "season", "number", "told"),
    [
        ("tvdb_show:78857", 2, 49, "not-mapped: nothing is said of S02E49 of tvdb 78857"),
        ("tvdb_show:78857", 9, 1, "not-mapped: "),
        ("tmdb_show:37546", 1, 1, "ratio: several episodes of one are one of the other in S01E01 of tmdb 37546"),
        ("tmdb_show:60879", 1, 1, "uneven: "),
        ("tvdb_show:900003", 1, 5, "not-mapped: "),
    ],
)
def test_a_show_that_says_nothing_for_sure(show: str, season: int, number: int, told: str) -> None:
    assert spelled(to_spot(KNOWN, Place(show, season, number), "anilist")).startswith(told)


CONTRADICTIONS: list[tuple[dict[str, Any], str, str]] = [
    # Two entries claim one episode.
    (
        {"anilist:1": {"tvdb_show:9:s1": {"1-12": "1-12"}}, "anilist:2": {"tvdb_show:9:s1": {"1": "12"}}},
        "ambiguous: S01E12 of tvdb 9 is episode 1 of anilist 2 or episode 12 of anilist 1",
        "ambiguous: S01E12 of tvdb 9 is episode 1 of anilist 2 or episode 12 of anilist 1",
    ),
    # One entry claims two.
    (
        {"anilist:1": {"tvdb_show:9:s1": {"1-12": "1-12"}, "tvdb_show:9:s2": {"12": "1"}}},
        "ambiguous: episode 12 of anilist 1 is S01E12 of tvdb 9 or S02E01 of tvdb 9",
        "ambiguous: episode 12 of anilist 1 is S01E12 of tvdb 9 or S02E01 of tvdb 9",
    ),
    # Both ends tell, and not the same.
    (
        {"anilist:1": {"tvdb_show:9:s1": {"1-12": "1-12"}}, "tvdb_show:9:s1": {"anilist:1": {"2-13": "1-12"}}},
        "ambiguous: episode 12 of anilist 1 is S01E12 of tvdb 9 or S01E13 of tvdb 9",
        "ambiguous: S01E12 of tvdb 9 is episode 11 of anilist 1 or episode 12 of anilist 1",
    ),
]


@pytest.mark.parametrize(("sources", "there", "back"), CONTRADICTIONS)
def test_what_could_be_two_is_none(sources: dict[str, Any], there: str, back: str) -> None:
    known = Relations(graph_of(sources))
    assert spelled(to_place(known, Spot("anilist:1", 12), "tvdb_show")) == there
    assert spelled(to_spot(known, Place("tvdb_show:9", 1, 12), "anilist")) == back


def test_entries_of_two_catalogues_that_are_not_the_same_do_not_help() -> None:
    known = Relations(graph_of({"mal:5": {"tvdb_show:9:s1": {"1-12": "1-12"}, "anilist:6": {"13-24": "1-12"}}}))
    assert isinstance(to_place(known, Spot("anilist:6", 1), "tvdb_show"), Why)
    assert isinstance(to_spot(known, Place("tvdb_show:9", 1, 1), "anilist"), Why)
    assert to_spot(known, Place("tvdb_show:9", 1, 1), "mal") == Spot("mal:5", 1)


def test_another_name_of_an_entry_does_not_speak_against_its_own_catalogue() -> None:
    sources = {
        "anilist:1": {"mal:1": {"1-12": "1-12"}},
        "mal:1": {"tvdb_show:9:s1": {"1-12": "1-12"}},
        "anilist:2": {"tvdb_show:9:s1": {"1": "1"}},
    }
    known = Relations(graph_of(sources))
    assert spelled(to_place(known, Spot("anilist:1", 1), "tvdb_show")).startswith("ambiguous: S01E01 of tvdb 9 is")
    assert spelled(to_place(known, Spot("anilist:1", 2), "tvdb_show")) == "tvdb_show:9 1x2"
    assert spelled(to_spot(known, Place("tvdb_show:9", 1, 1), "anilist")) == "anilist:2 1"


NUMBERS = st.integers(1, 8)
RANGES = st.tuples(NUMBERS, NUMBERS).map(lambda pair: f"{min(pair)}-{max(pair)}") | NUMBERS.map(lambda one: f"{one}-")
TARGETS = st.lists(RANGES, min_size=1, max_size=2).map(",".join) | st.sampled_from([None, "1-4|-2", "1|2"])
ENTRIES = st.sampled_from(["anilist:1", "anilist:2", "mal:1", "mal:2"])
SHOWS = st.sampled_from(["tvdb_show:9:s0", "tvdb_show:9:s1", "tvdb_show:8:s1", "tmdb_show:9:s1"])
ROWS = st.dictionaries(RANGES, TARGETS, max_size=2)


@given(st.dictionaries(ENTRIES | SHOWS, st.dictionaries(ENTRIES | SHOWS, ROWS, max_size=3), max_size=5))
def test_whatever_the_data_set_says_there_and_back_is_where_it_began(sources: dict[str, Any]) -> None:
    known = Relations(graph_of(sources))
    for number in range(1, 10):
        for entry in ("anilist:1", "anilist:2"):
            place = to_place(known, Spot(entry, number), "tvdb_show")
            if isinstance(place, Place):
                back = to_spot(known, place, "anilist")
                assert isinstance(back, Why) or back == Spot(entry, number)
        spots = {to_spot(known, Place("tvdb_show:9", season, number), "anilist") for season in (0, 1)}
        assert len([spot for spot in spots if isinstance(spot, Spot)]) in (0, 1, 2)


EXTRACTS = Path(__file__).parents[3] / "shared" / "specs" / "anime_mapping" / "anibridge-v3"
PUBLISHED = [
    ("derived-v3-sample.json", "anilist:269 366", "tvdb_show:74796 16x24"),
    ("derived-v3-sample.json", "anilist:6702 150", "tvdb_show:114801 3x54"),
    ("derived-v3-sample.json", "mal:50602 1", "tvdb_show:405920 1x13"),
    ("derived-v3-sample.json", "anilist:275 9", "tvdb_show:85065 1x12"),
    ("mappings.edits.extract.yaml", "anilist:21 1085", "tvdb_show:81797 21x194"),
    ("mappings.edits.extract.yaml", "anilist:21 62", "tmdb_show:37854 2x62"),
    ("mappings.edits.extract.yaml", "anilist:163263 11", "tmdb_show:65931 1x60"),
    ("mappings.edits.extract.yaml", "anilist:101 1", "tmdb_show:26201 0x1"),
    ("mappings.edits.extract.yaml", "anilist:163 14", "tvdb_show:70827 2x1"),
    ("mappings.edits.extract.yaml", "anilist:163 14", "tmdb_show:22474 ratio"),
    ("mappings.edits.extract.yaml", "anilist:208 1", "tmdb_show:1 not-mapped"),
]


def published(name: str) -> Relations:
    """An extract that is not part of the project. Of YAML as much is read as there is in it: nested keys and texts."""
    if not (EXTRACTS / name).is_file():
        pytest.skip("the published extracts are not here")
    text = (EXTRACTS / name).read_text("utf-8")
    if name.endswith("json"):
        return Relations(graph_of({key: of for key, of in json.loads(text).items() if key[0] != "$"}))
    sources: dict[str, Any] = {}
    path: list[str] = []
    for line in text.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        words = re.findall(r'"([^"]*)"', line) or [line.strip().removesuffix(":")]
        path = [*path[:depth], words[0]]
        if depth == 2:
            sources.setdefault(path[0], {}).setdefault(path[1], {})[words[0]] = words[1]
    return Relations(graph_of({key: of for key, of in sources.items() if key[0] != "$"}))


@pytest.mark.parametrize(("name", "spot", "wanted"), PUBLISHED)
def test_the_published_extracts(name: str, spot: str, wanted: str) -> None:
    known = published(name)
    entry, _, number = spot.partition(" ")
    show, _, at = wanted.partition(" ")
    found = to_place(known, Spot(entry, int(number)), show.partition(":")[0])
    if "x" not in at:
        assert spelled(found).startswith(f"{at}: ")
        return
    assert spelled(found) == wanted
    assert isinstance(found, Place)
    assert to_spot(known, found, entry.partition(":")[0]) == Spot(entry, int(number))
