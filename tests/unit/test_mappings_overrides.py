"""Rules of a person go before the data set, and only where they speak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cwsync.mappings import Mappings, Overrides, RuleError
from support.mappings import episode, film, graph_of, named, show, to_entry, to_show

BELOW = graph_of()


def ruled(*rules: Mapping[str, object]) -> Mappings:
    return Mappings(Overrides(rules, BELOW))


def gained(mappings: Mappings, item: Any) -> set[str]:
    return named(mappings.complete([item]).get(item, item).ids) - named(item.ids)


def test_without_rules_nothing_is_different() -> None:
    graph = Overrides([], BELOW)
    assert all(list(graph.edges(node)) == list(BELOW.edges(node)) for node in BELOW.nodes)


def test_a_title_that_the_data_set_does_not_know() -> None:
    mappings = ruled({"entry": "anilist:700", "show": "tvdb:701"})
    assert gained(mappings, show("anilist:700")) == {"tvdb:701"}
    assert gained(mappings, show("tvdb:701")) == {"anilist:700"}
    assert to_entry(mappings, episode(1, 77, "tvdb:701")) == episode(1, 77, "anilist:700")
    assert gained(ruled({"entry": "mal:700", "film": "imdb:tt0000700"}), film("imdb:tt0000700")) == {"mal:700"}


def test_another_show_than_the_data_set_says() -> None:
    mappings = ruled({"entry": "anilist:1", "show": "tvdb:9"})
    # Of the same entry MyAnimeList still has the old one: what a person says goes first.
    assert gained(mappings, show("anilist:1", "mal:1")) == {"tvdb:9"}
    assert gained(mappings, show("tvdb:76885")) == set()
    assert gained(mappings, show("tvdb:9")) == {"anilist:1", "mal:1"}
    assert to_entry(mappings, episode(1, 3, "tvdb:76885")) is None
    assert to_show(mappings, episode(1, 3, "anilist:1")) == episode(1, 3, "tvdb:9")


def test_a_season_is_given_to_another_entry_and_the_other_seasons_stay() -> None:
    mappings = ruled({"entry": "anilist:800", "show": "tvdb:78857", "season": 2, "episodes": "1-48"})
    assert to_entry(mappings, episode(2, 1, "tvdb:78857")) == episode(1, 1, "anilist:800")
    assert to_entry(mappings, episode(3, 1, "tvdb:78857")) == episode(1, 84, "mal:20", "anilist:20")
    assert to_show(mappings, episode(1, 36, "anilist:20"), ["tvdb_show"]) is None
    assert to_show(mappings, episode(1, 36, "anilist:20"), ["tmdb_show"]) == episode(1, 36, "tmdb:46260")


def test_parts_of_a_season() -> None:
    rules = (
        {"entry": "anilist:801", "show": "tmdb:900", "episodes": "1-12"},
        {"entry": "anilist:802", "show": "tmdb:900", "episodes": "13-"},
        {"entry": "anilist:803", "show": "tmdb:900", "season": 0, "episodes": "5", "first": 2},
    )
    mappings = ruled(*rules)
    found = [
        to_entry(mappings, episode(season, n, "tmdb:900")) for season, n in ((1, 12), (1, 13), (1, 99), (0, 5), (0, 6))
    ]
    assert found == [
        episode(1, 12, "anilist:801"),
        episode(1, 1, "anilist:802"),
        episode(1, 87, "anilist:802"),
        episode(1, 2, "anilist:803"),
        None,
    ]
    assert gained(mappings, show("anilist:801")) == set()


def test_rules_that_contradict_each_other_say_nothing() -> None:
    mappings = ruled({"entry": "anilist:1", "show": "tvdb:8"}, {"entry": "anilist:1", "show": "tvdb:9"})
    assert gained(mappings, show("anilist:1")) == {"mal:1"}
    assert to_show(mappings, episode(1, 1, "anilist:1"), ["tvdb_show"]) is None
    assert mappings.notes[0].reason.startswith("ambiguous: ")


@pytest.mark.parametrize(
    ("rule", "key", "why"),
    [
        ({}, None, "it needs a show or a film"),
        ({"entry": "anilist:1"}, None, "it needs a show or a film"),
        ({"entry": "anilist:1", "show": "tvdb:1", "film": "tmdb:1"}, None, "it needs a show or a film, and not both"),
        ({"show": "tvdb:1"}, "entry", 'write it like "anilist:…"'),
        ({"entry": "tvdb:1", "show": "tvdb:1"}, "entry", "there are anilist, mal, anidb, kitsu"),
        ({"entry": "anilist:x", "show": "tvdb:1"}, "entry", "'x' is not an id of anilist"),
        ({"entry": 1, "show": "tvdb:1"}, "entry", "write it like"),
        ({"entry": "anilist:1", "show": "trakt:1"}, "show", "there are imdb, tmdb, tvdb"),
        ({"entry": "anilist:1", "film": "imdb:1"}, "film", "is not an id of imdb"),
        ({"entry": "anilist:1", "film": "tmdb:1", "season": 1}, "season", "a film has none"),
        ({"entry": "anilist:1", "show": "tvdb:1", "season": -1}, "season", "a whole number from 0"),
        ({"entry": "anilist:1", "show": "tvdb:1", "season": True}, "season", "a whole number"),
        ({"entry": "anilist:1", "show": "tvdb:1", "first": 0}, "first", "a whole number from 1"),
        ({"entry": "anilist:1", "show": "tvdb:1", "episodes": "0-3"}, "episodes", "write it like"),
        ({"entry": "anilist:1", "show": "tvdb:1", "episodes": "3-1"}, "episodes", "the last one is before the first"),
        ({"entry": "anilist:1", "show": "tvdb:1", "episodes": 5}, "episodes", "write it like"),
        ({"entry": "anilist:1", "show": "tvdb:1", "sesaon": 1}, "sesaon", "there is no such key"),
    ],
)
def test_a_rule_that_makes_no_sense(rule: dict[str, object], key: str | None, why: str) -> None:
    with pytest.raises(RuleError) as caught:
        Overrides([{"entry": "anilist:1", "show": "tvdb:2"}, rule], BELOW)
    assert (caught.value.index, caught.value.key) == (1, key)
    assert why in caught.value.why
    assert str(caught.value).startswith("rule 2")


def test_too_many_rules() -> None:
    with pytest.raises(RuleError, match="more than 5,000"):
        Overrides([{"entry": "anilist:1", "show": "tvdb:1"}] * 5001, BELOW)
