"""Items learn ids where one can be meant, and nothing that they have is touched."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwsync.mappings import Mappings
from cwsync.model import Item, Kind
from support.mappings import episode, film, graph_of, named, show, to_entry, to_show

MAPPINGS = Mappings(graph_of())


def gains(item: Item, mappings: Mappings = MAPPINGS) -> set[str]:
    """What an item learns; it keeps all it had, and is otherwise the same."""
    found = mappings.complete([item])
    fuller = found.get(item, item)
    assert set(item.ids) <= set(fuller.ids)
    assert set(item.show_ids) <= set(fuller.show_ids)
    assert (fuller.kind, fuller.season, fuller.number, fuller.title) == (
        item.kind,
        item.season,
        item.number,
        item.title,
    )
    assert all(one.namespace.endswith(item.kind.value) for one in fuller.ids)
    own, theirs = (fuller.show_ids, item.show_ids) if item.kind is Kind.EPISODE else (fuller.ids, item.ids)
    assert (item in found) == (own != theirs)
    return named(own) - named(theirs)


def reasons(mappings: Mappings = MAPPINGS) -> list[str]:
    return [note.reason for note in mappings.notes]


@pytest.mark.parametrize(
    ("item", "gained"),
    [
        (show("anilist:1"), {"mal:1", "tvdb:76885"}),
        (show("anilist:1", "mal:1"), {"tvdb:76885"}),
        (show("mal:1"), {"anilist:1", "tvdb:76885"}),
        (show("anidb:23"), {"anilist:1", "mal:1", "tvdb:76885"}),
        (show("tvdb:76885"), {"anilist:1", "mal:1"}),  # its specials and its film are no other entry
        (show("anilist:20"), {"mal:20", "tvdb:78857", "tmdb:46260"}),
        (show("tmdb:46260"), {"anilist:20", "mal:20", "tvdb:78857"}),
        (show("kitsu:46474"), {"anilist:154587", "mal:52991", "tvdb:424536", "tmdb:209867", "imdb:tt22248376"}),
        (show("imdb:tt22248376"), {"anilist:154587", "mal:52991", "tvdb:424536", "tmdb:209867"}),
        # The first episode of the data set is a special, and still it is the show.
        (show("anilist:21"), {"mal:21", "tvdb:81797", "tmdb:37854"}),
        # Half as many episodes there, but the same show.
        (show("anilist:95"), {"tmdb:37546"}),
        (film("anilist:5"), {"mal:5", "tmdb:11299", "imdb:tt0275277"}),
        (film("imdb:tt0275277"), {"mal:5", "anilist:5", "tmdb:11299"}),
        # By way of the entry of another catalogue.
        (film("anilist:199"), {"mal:199", "tmdb:129", "imdb:tt0245429"}),
        (film("tmdb:129"), {"mal:199", "anilist:199", "imdb:tt0245429"}),
        (film("tmdb:129", "imdb:tt0000001"), {"mal:199", "anilist:199"}),  # what it has, it keeps
        # Two seasons of one show: neither is the show, but that is the same in two catalogues.
        (show("anilist:10087"), {"mal:10087"}),
        (show("anilist:11741"), {"mal:11741"}),
        (show("tvdb:275798"), {"tmdb:45845"}),
        (show("tmdb:45845"), {"tvdb:275798"}),
        (show("anilist:108632"), {"mal:39587"}),  # a later part of a show of which nothing else is known
        (show("anilist:20740"), set()),  # specials alone
        (show("anilist:900001"), set()),  # two entries of another catalogue
        (show("mal:900002"), set()),
        (show("anilist:900004"), set()),  # said to have no counterpart
        (show("anilist:51"), {"mal:51"}),
        (film("anilist:51"), {"mal:51"}),
        (film("tmdb:44370"), set()),
        (show("anilist:77"), set()),
        (film("tmdb:603", "imdb:tt0133093"), set()),
        (show("tmdb:11299"), set()),  # the number of a film, and of a show that is no anime
        (film("tvdb:76885"), set()),
        (show(), set()),
        (Item(Kind.SEASON, (), show_ids=show("tvdb:76885").ids, season=1), set()),
    ],
)
def test_what_an_item_learns(item: Item, gained: set[str]) -> None:
    assert gains(item) == gained


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (show("anilist:11741"), "ambiguous: tvdb 275798 is in anilist 10087, anilist 11741"),
        (show("tvdb:275798"), "ambiguous: tvdb 275798 is in mal 10087, mal 11741"),
        (show("anilist:108632"), "part: only a later part of the show is the same in anilist 108632 and tmdb 65942"),
        (show("anilist:900001"), "ambiguous: anilist 900001 is in mal 900001, mal 900002"),
        (show("mal:900002"), "ambiguous: anilist 900001 is in mal 900001, mal 900002"),
        (film("tmdb:44370"), "part: they are not one and the same film in tmdb 44370 and anilist 51"),
        (show("anilist:900006", "mal:900006"), "ambiguous: anilist 900006 is tvdb 1, mal 900006 is tvdb 2"),
        (show("anilist:900010"), "other-kind: the mapping has anilist 900010 as a film"),
        (film("anilist:95"), "other-kind: the mapping has anilist 95 as a show"),
    ],
)
def test_what_it_does_not_learn_is_told(item: Item, told: str) -> None:
    more = {
        "anilist:900006": {"tvdb_show:1:s1": {"1-12": "1-12"}},
        "mal:900006": {"tvdb_show:2:s1": {"1-12": "1-12"}},
        "anilist:900010": {"tmdb_movie:900010": {"1": "1"}},
    }
    from support.mappings import document

    mappings = Mappings(graph_of({name: of for name, of in {**document(), **more}.items() if name[0] != "$"}))
    gains(item, mappings)
    assert told in [note.reason for note in mappings.notes if note.item == item]
    assert len(mappings.notes) == len(set(mappings.notes))


def test_what_is_not_anime_is_not_spoken_of() -> None:
    items = [film("tmdb:603"), show("tvdb:121361"), episode(1, 1, "tvdb:121361"), show()]
    assert MAPPINGS.complete(items) == {}
    assert MAPPINGS.notes == []


def test_many_are_asked_at_once_and_the_notes_are_of_all() -> None:
    items = [
        episode(1, 99, "tvdb:78857"),
        episode(2, 1, "tvdb:78857"),
        episode(1, 1, "tvdb:1"),
        episode(1, 99, "tvdb:78857"),
    ]
    assert MAPPINGS.to_entries(items) == {items[1]: episode(1, 36, "mal:20", "anilist:20")}
    assert [note.item for note in MAPPINGS.notes] == [items[0]]
    assert list(MAPPINGS.to_shows([episode(1, 36, "anilist:20"), *items])) == [episode(1, 36, "anilist:20")]
    assert MAPPINGS.notes == []
    assert MAPPINGS.to_entries([episode(1, 999, "anilist:20")]) == {}
    assert MAPPINGS.notes == []


def test_a_long_list_is_cut() -> None:
    sources: dict[str, Any] = {
        f"anilist:{n}": {"tvdb_show:9:s1": {"1-12": f"{12 * n - 11}-{12 * n}"}} for n in range(1, 7)
    }
    mappings = Mappings(graph_of(sources))
    assert gains(show("tvdb:9"), mappings) == set()
    assert "ambiguous: tvdb 9 is in anilist 1, anilist 2, anilist 3 and 3 more" in reasons(mappings)


def test_two_names_of_an_entry_that_stand_in_two_places() -> None:
    mappings = Mappings(
        graph_of({"anilist:1": {"tvdb_show:1:s1": {"1-12": "1-12"}}, "mal:1": {"tvdb_show:2:s3": {"1-12": "1-12"}}})
    )
    assert to_show(mappings, episode(1, 2, "anilist:1", "mal:1")) is None
    assert reasons(mappings) == ["ambiguous: it is S01E02 of tvdb 1 or S03E02 of tvdb 2"]


RATIO = "ratio: several episodes of one are one of the other in"
OTHER = "episode 1 of anilist 11741"
EPISODES = [
    # The season and the number are the same there.
    (episode(1, 26, "anilist:1"), {"mal:1", "tvdb:76885"}),
    (episode(1, 26, "tvdb:76885"), {"mal:1", "anilist:1"}),
    (episode(1, 13, "tvdb:275798"), {"mal:10087", "anilist:10087", "tmdb:45845"}),
    (episode(1, 1, "kitsu:46474"), {"anilist:154587", "mal:52991", "tvdb:424536", "tmdb:209867"}),
    # They are not.
    (episode(1, 14, "tvdb:275798"), set()),
    (episode(2, 1, "tvdb:78857"), set()),
    (episode(2, 53, "tmdb:46260"), set()),
    (episode(1, 36, "anilist:20"), {"mal:20", "tmdb:46260"}),
    (episode(1, 53, "anilist:20"), {"mal:20"}),
    (episode(1, 1, "anilist:11741"), {"mal:11741"}),
    (episode(0, 3, "tvdb:76885"), set()),
    (episode(1, 3, "anilist:275"), {"mal:275"}),
    (episode(1, 2, "anilist:275"), {"mal:275", "tvdb:85065"}),
    # Nobody counts like that.
    (episode(2, 1, "anilist:1"), set()),
    (episode(1, 27, "anilist:1"), {"mal:1"}),
    (episode(1, 1, "anilist:95"), set()),
    (Item(Kind.EPISODE, (), show_ids=show("anilist:1").ids, season=1), set()),
]


@pytest.mark.parametrize(("item", "gained"), EPISODES)
def test_an_episode_learns_the_ids_under_which_it_has_the_same_place(item: Item, gained: set[str]) -> None:
    assert gains(item) == gained


@pytest.mark.parametrize(
    ("item", "wanted", "back"),
    [
        (episode(2, 1, "tvdb:78857"), episode(1, 36, "mal:20", "anilist:20"), True),
        (episode(1, 14, "tvdb:275798"), episode(1, 1, "mal:11741", "anilist:11741"), True),
        # Its two show ids mean the same.
        (episode(1, 13, "tvdb:275798", "tmdb:45845"), episode(1, 13, "mal:10087", "anilist:10087"), True),
        (episode(2, 53, "tmdb:46260"), episode(1, 53, "mal:20", "anilist:20"), False),
        (episode(0, 2, "tvdb:371310"), episode(1, 1, "mal:51179", "anilist:146065"), True),
        (episode(1, 38, "tmdb:65942"), episode(1, 13, "mal:39587", "anilist:108632"), True),
    ],
)
def test_an_episode_of_a_show_is_one_of_an_entry(item: Item, wanted: Item, back: bool) -> None:
    assert to_entry(MAPPINGS, item) == wanted
    assert MAPPINGS.notes == []
    if back:
        found = to_show(MAPPINGS, wanted)
        assert found is not None
        assert (found.season, found.number) == (item.season, item.number)
        assert set(item.show_ids) & set(found.show_ids)
        assert MAPPINGS.notes == []


def test_other_catalogues_add_their_id_where_the_place_is_the_same() -> None:
    assert to_show(MAPPINGS, episode(1, 1, "anilist:11741")) == episode(1, 14, "tvdb:275798")
    assert to_show(MAPPINGS, episode(1, 1, "anilist:11741"), ["tmdb_show"]) == episode(2, 1, "tmdb:45845")
    assert to_show(MAPPINGS, episode(1, 5, "mal:52991")) == episode(1, 5, "tmdb:209867", "tvdb:424536")


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (episode(1, 1, "tvdb:121361"), None),
        (episode(1, 99, "tvdb:78857"), "not-mapped: nothing is said of S01E99 of tvdb 78857"),
        # The two ids of its show mean two things.
        (episode(1, 14, "tvdb:275798", "tmdb:46260"), f"ambiguous: it is {OTHER} or episode 14 of anilist 20"),
        (episode(1, 1, "tmdb:37546"), f"{RATIO} S01E01 of tmdb 37546 and anilist 95"),
        (episode(0, 3, "tvdb:76885"), "film: anilist 5 is a film"),
        (film("tmdb:129"), None),
        (Item(Kind.EPISODE, (), show_ids=show("tvdb:78857").ids, season=1), None),
    ],
)
def test_an_episode_that_is_none_of_an_entry_for_sure(item: Item, told: str | None) -> None:
    assert to_entry(MAPPINGS, item) is None
    assert reasons() == ([told] if told else [])


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (episode(1, 1, "anilist:77"), None),
        (episode(1, 27, "anilist:1"), "not-mapped: nothing is said of episode 27 of anilist 1"),
        (episode(1, 1, "anilist:95"), f"{RATIO} episode 1 of anilist 95 and tmdb 37546"),
        (episode(2, 1, "anilist:1"), None),  # an entry has one season
    ],
)
def test_an_episode_that_is_none_of_a_show_for_sure(item: Item, told: str | None) -> None:
    assert to_show(MAPPINGS, item) is None
    assert reasons() == ([told] if told else [])


ENTRIES = ["anilist:1", "anilist:2", "mal:1", "mal:2", "kitsu:1"]
SHOWS = ["tvdb_show:1:s0", "tvdb_show:1:s1", "tvdb_show:1:s2", "tvdb_show:2:s1", "tmdb_show:1:s1"]
NODES = st.sampled_from([*ENTRIES, *SHOWS, "tmdb_movie:1", "imdb_movie:tt00001"])
ROWS = st.sampled_from([{}, {"1": "1"}, {"1-12": "1-12"}, {"1-12": "13-24"}, {"1-3": "1|-3"}, {"1-12": None}])


@given(st.dictionaries(NODES, st.dictionaries(NODES, ROWS, max_size=4), max_size=6))
def test_whatever_the_data_set_says_learning_goes_both_ways_or_not_at_all(sources: dict[str, Any]) -> None:
    """What an item learns leads back to it, so no two items ever learn the same id."""
    mappings = Mappings(graph_of(sources))
    shows = [show(word) for word in ("anilist:1", "anilist:2", "mal:1", "mal:2", "tvdb:1", "tvdb:2", "tmdb:1")]
    films = [film(word) for word in ("anilist:1", "anilist:2", "mal:1", "mal:2", "tmdb:1", "imdb:tt00001")]
    for items in (shows, films):
        found = mappings.complete(items)
        for item, fuller in found.items():
            for other in items:
                if other.ids[0].service == item.ids[0].service or other.ids[0] not in fuller.ids:
                    continue
                assert item.ids[0] in found[other].ids
