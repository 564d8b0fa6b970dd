"""Ids completed by TMDb: nothing by title, nothing that contradicts, few requests, and none for what is known."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cwsync.errors import ConfigError, StateError
from cwsync.model import ExternalId, Item, Kind, external_id
from cwsync.planner.strangers import gained
from cwsync.provider import Services
from cwsync.providers import _tmdbcalls
from cwsync.providers._tmdbidcache import KNOWN_S, NAME, PASSING_S, FactCache
from cwsync.providers._tmdbidfacts import Asked, asks_of, completed, decode_facts, requests_of
from cwsync.providers._tmdbids import IdLookup
from simulators.tmdb import TOKEN, Tmdb
from simulators.tmdb_account import spec
from support import world
from support.httpserver import Do, Reply, answer, cut_json, drop_before, html, status
from support.network import Time

NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time()
    monkeypatch.setattr(_tmdbcalls, "http_of", partial(_tmdbcalls.http_of, clock=time.clock, sleep=time.sleep))


@pytest.fixture
def service() -> Iterator[Tmdb]:
    with Tmdb() as made:
        for n in range(1, 41):
            made.titles.add(world.movie(n))
        for n in range(1, 4):
            for season in (0, 1, 2):
                for number in (1, 2, 3):
                    made.titles.add(world.episode(n, season, number))
        yield made


def only(item: Item, *services: str) -> Item:
    """The same item with ids of these services alone."""
    ids = tuple(one for one in item.ids if one.service in services)
    return replace(item, ids=ids, show_ids=tuple(one for one in item.show_ids if one.service in services))


class Asking:
    """What one look-up did."""

    def __init__(
        self, service: Tmdb, items: Sequence[Item], *, folder: Path | None = None, dry: bool = False, **more: Any
    ) -> None:
        service.forget()
        lent = Services(
            secret={"token": more.pop("token", TOKEN)}.get, cache_dir=None if dry else folder, cache_seen=folder
        )

        async def session() -> Mapping[Item, Item]:
            lookup = IdLookup(spec(service), lent, **({"now": NOW} | more))
            try:
                return await lookup.complete(items)
            finally:
                self.requests, self.notes, self.pending = lookup.requests, lookup.notes, lookup.pending
                await lookup.aclose()

        self.made = asyncio.run(session())
        self.calls = Counter(service.calls())


# --- what is gained -------------------------------------------------------------------------------


def test_a_film_by_either_id(service: Tmdb) -> None:
    imdb, tmdb, both = only(world.movie(1), "imdb"), only(world.movie(2), "tmdb"), world.movie(3)
    done = Asking(service, [imdb, tmdb, both])
    assert done.made == {imdb: world.movie(1), tmdb: world.movie(2)}
    assert done.calls == {"GET /3/find/tt0100001": 1, "GET /3/movie/100003/external_ids": 1}
    assert (done.requests, done.notes, done.pending) == (2, [], frozenset())
    assert gained(imdb, done.made[imdb]) == ["tmdb_movie:100002"]


@pytest.mark.parametrize("services", [("imdb",), ("tvdb",), ("tmdb",), ("imdb", "tvdb"), ("imdb", "tmdb")])
def test_a_show_by_any_id(service: Tmdb, services: tuple[str, ...]) -> None:
    item = only(world.show(1), *services)
    done = Asking(service, [item])
    assert done.made == {item: world.show(1)}
    assert done.requests == (1 if set(services) in ({"tmdb"}, {"imdb", "tvdb"}, {"imdb", "tmdb"}) else 2)


def test_episodes_share_what_their_show_needs(service: Tmdb) -> None:
    """Ids of the show, and numbers of the episodes of all seasons: one request to find it, one for the rest."""
    items = [
        replace(only(world.episode(1, season, number), "tvdb"), ids=()) for season in (0, 1, 2) for number in (1, 2, 3)
    ]
    done = Asking(service, items)
    assert done.requests == 2
    assert done.calls == {"GET /3/find/2000002": 1, "GET /3/tv/2000002": 1}
    for item in items:
        after = done.made[item]
        assert after.show_ids == world.show(1).ids
        title = service.titles.place(2_000_002, item.season or 0, item.number)
        assert title is not None
        assert after.ids == (external_id("tmdb", Kind.EPISODE, title.tmdb),)
        assert (after.season, after.number) == (item.season, item.number)


def test_a_season_gets_its_number_and_its_show_the_rest(service: Tmdb) -> None:
    item = only(world.season(1, 2), "tmdb")
    done = Asking(service, [item])
    title = service.titles.place(2_000_002, 2)
    assert title is not None
    assert done.made[item].ids == (external_id("tmdb", Kind.SEASON, title.tmdb),)
    assert done.made[item].show_ids == world.show(1).ids
    assert done.requests == 1


def test_a_show_that_is_known_is_asked_for_its_season_alone(service: Tmdb) -> None:
    done = Asking(service, [world.season(1, 2)])
    assert done.calls == {"GET /3/tv/2000002/season/2": 1}


def test_an_episode_with_ids_of_its_own_keeps_to_them(service: Tmdb) -> None:
    """Its numbers may be of another order than TMDb's, so no id is made of them."""
    item = only(world.episode(1, 1, 2), "tvdb")
    done = Asking(service, [item])
    assert done.made[item] == replace(item, show_ids=world.show(1).ids)
    assert not [call for call in done.calls if "season" in call]


def test_an_episode_without_a_place_is_found_by_its_own_id(service: Tmdb) -> None:
    item = only(world.episode(2, 1, 3, placed=False), "tvdb")
    done = Asking(service, [item])
    after = done.made[item]
    assert (after.show_ids, after.season, after.number) == (world.show(2).ids, 1, 3)
    assert {one.service for one in after.ids} == {"tmdb", "tvdb"}
    assert done.requests == 2


def test_more_seasons_than_go_into_one_request(service: Tmdb) -> None:
    for season in range(3, 30):
        service.titles.add(world.season(1, season))
    items = [only(world.season(1, season), "tmdb") for season in range(30)]
    done = Asking(service, items)
    assert done.requests == 2
    assert all(len(request.query["append_to_response"].split(",")) <= 20 for request in service.log)
    assert len(done.made) == 30


# --- what is not ----------------------------------------------------------------------------------


def test_nothing_is_found_by_a_title(service: Tmdb) -> None:
    items = [
        Item(Kind.MOVIE, (), "Film 1", 1951),
        Item(Kind.MOVIE, (external_id("imdb", Kind.MOVIE, "tt9999999"),), "Film 2", 1952),
        Item(Kind.MOVIE, (external_id("tvdb", Kind.MOVIE, 5),), "Film 3", 1953),
        Item(Kind.SHOW, (external_id("trakt", Kind.SHOW, 5),), "Show 1", 1981),
        Item(Kind.EPISODE, (), "Episode 1.2", season=1, number=2, show_title="Show 1"),
    ]
    done = Asking(service, items)
    assert done.made == {}
    assert (done.requests, done.notes, done.pending) == (1, [], frozenset())


def test_the_id_of_another_kind_is_none(service: Tmdb) -> None:
    of_show = next(one.value for one in world.show(1).ids if one.service == "imdb")
    assert Asking(service, [Item(Kind.MOVIE, (external_id("imdb", Kind.MOVIE, of_show),))]).made == {}


def test_several_titles_by_one_id_are_none(service: Tmdb) -> None:
    for n in (1, 2):
        service.titles.add(world.movie(n)).ids["imdb"] = "tt5555555"
    done = Asking(service, [Item(Kind.MOVIE, (external_id("imdb", Kind.MOVIE, "tt5555555"),), "Twice", 2000)])
    assert done.made == {}
    assert done.notes == ["Twice (2000): TMDb has several titles by its id"]


def test_ids_that_contradict_are_not_taken(service: Tmdb) -> None:
    """TMDb's film has another number at IMDb: one of the two is wrong, and nobody here knows which."""
    wrong = (external_id("tmdb", Kind.SHOW, 2_000_003), external_id("imdb", Kind.SHOW, "tt7777777"))
    item = Item(Kind.SHOW, tuple(sorted(wrong, reverse=False)), "Show 9", 2000)
    done = Asking(service, [item])
    assert done.made == {}
    assert done.notes == ["Show 9 (2000): TMDb has another imdb id for it (tt2000002, not tt7777777)"]


def test_many_contradictions_are_counted(service: Tmdb) -> None:
    items = []
    for n in range(1, 4):
        ids = (external_id("imdb", Kind.SHOW, f"tt777777{n}"), external_id("tmdb", Kind.SHOW, 2_000_001 + n))
        items += [Item(Kind.SHOW, ids, f"Show {n}{letter}") for letter in "abc"]
    done = Asking(service, items)
    assert done.requests == 3
    assert len(done.notes) == 6
    assert done.notes[-1] == "4 more titles whose ids at TMDb contradict each other"


def test_a_number_that_is_gone_adds_nothing(service: Tmdb) -> None:
    item = Item(Kind.MOVIE, (external_id("tmdb", Kind.MOVIE, 999),))
    done = Asking(service, [item])
    assert (done.made, done.notes, done.requests) == ({}, [], 1)


def test_an_episode_that_stands_elsewhere_keeps_its_place() -> None:
    item = Item(Kind.EPISODE, (external_id("tvdb", Kind.EPISODE, 5),), season=2, number=1)
    facts = {"find tvdb 5": {"episode": [[9, 1399, 1, 11]]}, "tv 1399": {}}
    assert completed(item, facts) == (item, "TMDb has it at another place")
    several = {"find tvdb 5": {"episode": [[9, 1399, 1, 11], [10, 1399, 1, 12]]}}
    assert completed(item, several) == (item, "TMDb has several episodes by its id")
    assert asks_of(item, several) == []


@pytest.mark.parametrize("service_of_anime", ["mal", "anilist", "kitsu", "anidb"])
def test_what_an_anime_service_numbers_is_left_alone(service: Tmdb, service_of_anime: str) -> None:
    """The second season is a show of its own there: TMDb's number of the whole show would be that of another."""
    show, part = only(world.show(1), "tvdb"), only(world.episode(1, 1, 2), "tvdb")
    strange = external_id(service_of_anime, Kind.SHOW, 77)
    items = [
        replace(show, ids=(*show.ids, strange)),
        replace(part, ids=(), show_ids=(*part.show_ids, strange)),
        replace(part, show_ids=(strange,)),
    ]
    done = Asking(service, items)
    assert (done.made, done.requests, done.notes) == ({}, 0, [])
    film = only(world.movie(1), "imdb")
    known = replace(film, ids=(*film.ids, external_id(service_of_anime, Kind.MOVIE, 77)))
    assert len(Asking(service, [known]).made[known].ids) == 3


@pytest.mark.parametrize("gone", [{"season": None}, {"number": None}])
def test_an_episode_without_a_number_gets_its_show_alone(service: Tmdb, gone: dict[str, None]) -> None:
    item = replace(only(world.episode(1, 1, 2), "tmdb"), ids=(), **gone)  # type: ignore[arg-type]
    done = Asking(service, [item])
    assert done.made[item] == replace(item, show_ids=world.show(1).ids)
    assert done.calls == {"GET /3/tv/2000002/external_ids": 1}


def test_each_item_is_asked_for_once_however_often_it_comes(service: Tmdb) -> None:
    item = only(world.movie(1), "imdb")
    other = replace(item, title="Another label")
    done = Asking(service, [item, item, other, item])
    assert done.requests == 1
    assert done.made == {item: world.movie(1), other: replace(world.movie(1), title="Another label")}


# --- the cache ------------------------------------------------------------------------------------


def mixed() -> list[Item]:
    return [
        only(world.movie(1), "imdb"),
        only(world.show(1), "tvdb"),
        Item(Kind.MOVIE, (external_id("imdb", Kind.MOVIE, "tt9999999"),)),
        replace(only(world.episode(2, 1, 2), "tmdb"), ids=()),
    ]


def test_what_is_known_is_not_asked_again(service: Tmdb, tmp_path: Path) -> None:
    first = Asking(service, mixed(), folder=tmp_path)
    assert first.requests == 5
    again = Asking(service, mixed(), folder=tmp_path)
    assert (again.requests, again.made) == (0, first.made)
    dry = Asking(service, mixed(), folder=tmp_path, dry=True)
    assert (dry.requests, dry.made) == (0, first.made)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_a_dry_run_writes_nothing(service: Tmdb, tmp_path: Path) -> None:
    assert Asking(service, mixed(), folder=tmp_path / "none", dry=True).requests == 5
    assert list(tmp_path.iterdir()) == []


def test_hits_last_and_misses_pass(service: Tmdb, tmp_path: Path) -> None:
    Asking(service, mixed(), folder=tmp_path)
    soon = Asking(service, mixed(), folder=tmp_path, dry=True, now=NOW + PASSING_S)
    assert set(soon.calls) == {"GET /3/find/tt9999999", "GET /3/tv/2000003/season/1"}
    late = Asking(service, mixed(), folder=tmp_path, dry=True, now=NOW + KNOWN_S)
    assert late.requests == 5
    assert Asking(service, mixed(), folder=tmp_path, dry=True, now=NOW - 1).requests == 5, "a clock that went back"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-20],
        lambda data: data.replace(b"100002", b"100003"),
        lambda data: data.replace(b'"schema": 1', b'"schema": 2'),
        lambda _data: b"",
        lambda _data: b"{}",
    ],
)
def test_a_file_that_cannot_be_trusted_is_dropped(service: Tmdb, tmp_path: Path, spoil: Any) -> None:
    first = Asking(service, mixed(), folder=tmp_path)
    path = tmp_path / NAME
    good = path.read_bytes()
    path.write_bytes(spoil(good))
    again = Asking(service, mixed(), folder=tmp_path)
    assert (again.requests, again.made) == (5, first.made)
    assert path.read_bytes() == good


def test_a_file_that_is_somewhere_else_is_refused(service: Tmdb, tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="symlink"):
        Asking(service, mixed(), folder=tmp_path)


def test_the_file_holds_no_secret_and_no_title(service: Tmdb, tmp_path: Path) -> None:
    Asking(service, mixed(), folder=tmp_path)
    text = (tmp_path / NAME).read_text()
    assert TOKEN not in text
    assert "Film" not in text
    assert set(json.loads(text.partition("\n")[2])) == {
        "find imdb tt0100001",
        "find imdb tt9999999",
        "find tvdb 2000002",
        "season 2000003 1",
        "tv 2000002",
        "tv 2000003",
    }


def test_a_show_without_all_its_ids_may_have_them_next_week(service: Tmdb, tmp_path: Path) -> None:
    whole, part = only(world.show(1), "tmdb"), only(world.show(2), "tmdb")
    del service.titles.all[Kind.SHOW, 2_000_003].ids["imdb"]
    Asking(service, [whole, part], folder=tmp_path)
    later = NOW + 7 * 86400
    assert Asking(service, [whole, part], folder=tmp_path, dry=True, now=later - 1).requests == 0
    assert set(Asking(service, [whole, part], folder=tmp_path, now=later).calls) == {"GET /3/tv/2000003/external_ids"}
    last = Asking(service, [whole], folder=tmp_path, dry=True, now=NOW + 30 * 86400 - 1)
    assert last.requests == 0
    assert Asking(service, [whole], folder=tmp_path, dry=True, now=NOW + 30 * 86400).requests == 1


def test_old_facts_do_not_stay_for_ever(tmp_path: Path) -> None:
    path = tmp_path / NAME
    old = FactCache(path, path, NOW)
    old.put({"movie 1": {"imdb": "tt0000001"}})
    old.save()
    new = FactCache(path, path, NOW + KNOWN_S)
    assert new.facts() == {}
    new.put({"movie 2": {"imdb": "tt0000002"}})
    new.save()
    assert list(FactCache(path, path, NOW + KNOWN_S).facts()) == ["movie 2"]


# --- limits and failures --------------------------------------------------------------------------


def test_so_many_requests_and_no_more_and_the_next_run_goes_on(service: Tmdb, tmp_path: Path) -> None:
    items = [only(world.movie(n), "imdb") for n in range(1, 41)]
    seen: dict[Item, Item] = {}
    for left in (25, 10, 0):
        done = Asking(service, items, folder=tmp_path, most=15)
        assert len(done.pending) == left
        assert done.requests == min(15, left + 15 if left else 10)
        assert len(done.made) == 40 - left
        assert seen.items() <= done.made.items()
        seen = dict(done.made)
        if left:
            assert done.notes == [
                "no more than 15 requests are sent to TMDb in one run",
                f"the ids of {left} titles were not completed by TMDb in this run",
            ]
    assert done.notes == []


@pytest.mark.parametrize("fault", [html(200), html(403), status(500), cut_json(), drop_before(), answer(Reply([]))])
def test_without_the_service_items_stay_as_they_are(service: Tmdb, tmp_path: Path, fault: Do) -> None:
    items = [only(world.movie(n), "imdb") for n in range(1, 31)]
    service.fault(fault, times=None)
    done = Asking(service, items, folder=tmp_path)
    assert done.made == {}
    assert done.pending == frozenset(items)
    assert done.notes[0].startswith("TMDb could not be asked for ids: ")
    assert done.notes[1] == "the ids of 30 titles were not completed by TMDb in this run"
    assert len({request.path for request in service.log}) <= 10
    assert not (tmp_path / NAME).exists()


def test_one_answer_that_fails_is_one_title(service: Tmdb, tmp_path: Path) -> None:
    items = [only(world.movie(n), "imdb") for n in range(1, 31)]
    service.fault(html(200), path="tt0100007")
    done = Asking(service, items, folder=tmp_path)
    assert (len(done.made), done.pending) == (29, frozenset({items[6]}))
    assert done.notes[0].startswith("the ids of 1 titles were not completed by TMDb in this run: GET /3/find/tt0100007")
    assert Asking(service, items, folder=tmp_path).requests == 1


def test_a_key_that_was_revoked_is_said_once(service: Tmdb) -> None:
    service.token = None
    items = [only(world.movie(n), "imdb") for n in range(1, 31)]
    done = Asking(service, items)
    assert done.made == {}
    assert done.pending == frozenset(items)
    assert "does not know the application" in done.notes[0]
    assert "https://www.themoviedb.org/settings/api" in done.notes[0]
    assert TOKEN not in str(done.notes)
    assert len(done.notes) == 2


def test_an_account_without_a_token_is_a_mistake_in_the_file(service: Tmdb) -> None:
    with pytest.raises(ConfigError, match="needs `token`"):
        Asking(service, mixed(), token=None)
    assert Asking(service, [world.movie(1)], token=None).requests == 0, "nothing was to be asked"


def test_no_session_is_needed_or_sent(service: Tmdb) -> None:
    Asking(service, mixed())
    assert not [request for request in service.log if "session_id" in request.query]


# --- pure parts -----------------------------------------------------------------------------------


def test_requests_are_few_and_in_order() -> None:
    names = ["tv 7", "season 7 1", "season 7 0", "tv 8", "season 9 3", "movie 5", "find imdb tt0000001", "movie 5"]
    assert requests_of(names) == requests_of(reversed(names))
    assert [(one.path, dict(one.params)) for one in requests_of(names)] == [
        ("/find/tt0000001", {"external_source": "imdb_id"}),
        ("/movie/5/external_ids", {}),
        ("/tv/7", {"append_to_response": "season/0,season/1,external_ids"}),
        ("/tv/8/external_ids", {}),
        ("/tv/9/season/3", {}),
    ]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("find imdb tt0000001", []),
        ("find imdb tt0000001", {}),
        ("find imdb tt0000001", {"movie_results": [], "tv_results": [{"id": "1"}], "tv_episode_results": []}),
        ("find imdb tt0000001", {"movie_results": ["x"], "tv_results": [], "tv_episode_results": []}),
        ("movie 5", {"id": 5}),
        ("movie 5", "x"),
        ("tv 5", {"status": "x"}),
        ("season 5 1", {"id": 7}),
        ("season 5 1", {"id": 7, "episodes": [{"id": 8}]}),
        ("season 5 1", {"id": 7, "episodes": ["x"]}),
    ],
)
def test_answers_of_another_shape_are_no_facts(name: str, found: object) -> None:
    (asked,) = requests_of([name])
    with pytest.raises(ValueError, match=r"it (is no|holds no|lists no)|has no number"):
        decode_facts(asked, found)


@pytest.mark.parametrize("value", [None, "", 0, "0", "nm0000001", -1, True])
def test_what_is_no_id_is_not_taken(value: object) -> None:
    (asked,) = requests_of(["tv 5"])
    assert decode_facts(asked, {"imdb_id": value, "tvdb_id": value}) == {"tv 5": {}}


def test_a_show_that_lacks_a_season_says_so_by_leaving_it_out() -> None:
    asked = Asked("/tv/5", {"append_to_response": "external_ids,season/1"}, ("tv 5", "season 5 1"))
    found = {"external_ids": {"imdb_id": "tt0000001", "tvdb_id": 7}}
    assert decode_facts(asked, found) == {"tv 5": {"imdb": "tt0000001", "tvdb": "7"}, "season 5 1": {}}
    assert decode_facts(asked, None) == {"tv 5": {}, "season 5 1": {}}


def test_completing_is_done_when_it_is_done(service: Tmdb) -> None:
    """What came back needs nothing more, and completing it again changes nothing."""
    done = Asking(service, mixed())
    again = Asking(service, list(done.made.values()))
    assert (again.requests, again.made) == (0, {})
    for before, after in done.made.items():
        kept: set[ExternalId] = {*before.ids, *before.show_ids}
        assert kept <= {*after.ids, *after.show_ids}
