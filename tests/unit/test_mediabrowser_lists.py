"""A watchlist that is a playlist or a collection of a simulated Jellyfin or Emby: read, written, and seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from cwsync.engine.questions import fingerprint
from cwsync.errors import ConfigError, UnavailableError
from cwsync.model import (
    AccountSpec,
    Change,
    Feature,
    FeatureSpec,
    Item,
    Kind,
    Listed,
    Outcome,
    PairSpec,
    Receipt,
    Snapshot,
)
from cwsync.provider import capabilities_for
from cwsync.providers._mediabrowser import MediaBrowser as Real
from simulators.emby import Emby
from simulators.jellyfin import Jellyfin
from simulators.mediabrowser import MediaBrowser
from simulators.mediabrowser_spec import document, unknown_parameters, watched
from simulators.mediabrowserask import Client
from simulators.mediabrowserfill import Shelf
from simulators.mediabrowserworld import BOXSET, PLAYLIST, Title
from support import world
from support.httpserver import Reply, drop_after, drop_before
from support.mediahome import provider
from support.session import use

WATCHLIST = Feature.WATCHLIST
FILM, OTHER, SHOW = world.movie(1), world.movie(2), world.show(1)
NAME = "To watch"
CONFIRMED, ALREADY = (Outcome.CONFIRMED, None), (Outcome.ALREADY, None)


class House:
    """A server, and the list of its owner that is the watchlist of the account."""

    def __init__(self, server: MediaBrowser, kind: str) -> None:
        self.server, self.kind = server, kind
        self.shelf = Shelf(server)
        self.shelf.put(*(world.movie(n) for n in range(1, 9)), *(world.episode(1, 1, n) for n in range(1, 4)))
        self.owner = server.world.owner
        self.list = self.made(NAME)
        self.token: str | None = None

    def made(self, name: str, *items: Item) -> Title:
        """Another list of the owner."""
        playlist = self.kind == "playlist"
        rows = [self.shelf.row(item) for item in items]
        return self.server.world.add_list(
            PLAYLIST if playlist else BOXSET, name, *rows, owner=self.owner if playlist else None
        )

    def put(self, *items: Item) -> None:
        """Have somebody put titles into the list."""
        self.server.world.put_in(self.list, *(self.shelf.row(item) for item in items))
        self.server.forget()

    def held(self) -> list[str]:
        """The names of what is in the list, in its order."""
        return [row.name for _, row in self.list.entries]

    def provider(self, **more: Any) -> Real:
        """An account whose watchlist it is."""
        options = {"watchlist": self.kind, "watchlist_name": NAME, **more}
        return provider(self.server, token=self.token, **options)

    def read(self, **more: Any) -> Snapshot:
        return use(self.provider(**more), lambda made: made.fetch(WATCHLIST))

    def seen(self, **more: Any) -> list[str]:
        return sorted(entry.item.title or "?" for entry in self.read(**more).entries)

    def write(self, *changes: Change) -> Sequence[Receipt]:
        return use(self.provider(), lambda made: made.apply(WATCHLIST, changes))

    def outcomes(self, *changes: Change) -> list[tuple[Outcome, str | None]]:
        return [(one.outcome, one.code) for one in self.write(*changes)]

    def writes(self) -> list[str]:
        return [call.split(" ")[0] for call in self.server.calls() if not call.startswith("GET ")]


def add(item: Item = FILM) -> Change:
    return world.change(WATCHLIST, item, None, Listed())


def take(item: Item = FILM, key: str | None = None) -> Change:
    return world.change(WATCHLIST, item, Listed(), None, native_key=key)


@pytest.fixture(params=[Jellyfin, Emby], ids=["jellyfin", "emby"])
def server(request: pytest.FixtureRequest) -> Iterator[MediaBrowser]:
    with request.param() as made:
        yield made


@pytest.fixture(params=["playlist", "collection"])
def house(server: MediaBrowser, request: pytest.FixtureRequest) -> House:
    return House(server, request.param)


@pytest.fixture
def playlist(server: MediaBrowser) -> House:
    return House(server, "playlist")


@pytest.fixture
def collection(server: MediaBrowser) -> House:
    return House(server, "collection")


# --- the account -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"watchlist_name": None}, {"watchlist": None}, {"watchlist": "favourites"}])
def test_a_list_without_its_name_and_a_name_without_a_list_are_refused(house: House, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        house.provider(**options)
    assert caught.value.where == "accounts.home.watchlist_name"
    assert caught.value.hint


def test_a_playlist_keeps_no_shows_and_says_so(server: MediaBrowser) -> None:
    kinds = {}
    for kind in (None, "favourites", "playlist", "collection"):
        name = "emby" if server.dialect.emby else "jellyfin"
        account = AccountSpec("home", name, {"watchlist": kind, "watchlist_name": NAME})
        kinds[kind] = capabilities_for(account).of(WATCHLIST).kinds
    both = frozenset({Kind.MOVIE, Kind.SHOW})
    assert kinds == {None: both, "favourites": both, "playlist": {Kind.MOVIE}, "collection": both}
    assert provider(server).capabilities.of(WATCHLIST).kinds == both


def test_a_list_that_is_not_there_is_no_empty_one(house: House) -> None:
    house.made("Another one")
    with pytest.raises(ConfigError) as caught:
        house.read(watchlist_name="Nothing")
    assert "'Another one'" in (caught.value.hint or "")
    assert NAME in (caught.value.hint or "")


def test_a_list_that_goes_while_it_is_read_is_no_empty_one(playlist: House) -> None:
    playlist.put(FILM)
    plain = playlist.server.handle

    def going(request: Any) -> Any:
        if "/playlists/" in request.target.lower():
            playlist.server.world.titles.pop(playlist.list.id, None)
        return plain(request)

    playlist.server.handle = going  # type: ignore[method-assign]
    with pytest.raises(UnavailableError):
        playlist.read()


def test_two_lists_of_one_name_are_refused_and_an_id_tells_them_apart(house: House) -> None:
    house.put(FILM)
    house.made(NAME.upper(), OTHER)
    with pytest.raises(ConfigError) as caught:
        house.read()
    assert house.list.id in (caught.value.hint or "")
    assert house.seen(watchlist_name=house.list.id) == ["Film 1"]


def test_the_playlist_of_somebody_else_is_not_seen(playlist: House) -> None:
    other = playlist.server.world.add_user("Other")
    playlist.server.world.add_list(PLAYLIST, "Theirs", owner=other)
    with pytest.raises(ConfigError):
        playlist.read(watchlist_name="Theirs")


# --- reading -----------------------------------------------------------------------------------------------


def test_the_watchlist_is_what_is_in_the_list_and_not_the_favourites(house: House) -> None:
    house.put(FILM, OTHER)
    house.server.world.state(house.owner, house.shelf.row(world.movie(3))).favourite = True
    found = house.read()
    assert (found.complete, found.doubt) == (True, None)
    assert sorted(one.item.title or "" for one in found.entries) == ["Film 1", "Film 2"]
    assert {one.value for one in found.entries} == {Listed(None)}
    assert {one.native_key for one in found.entries} == {house.shelf.row(FILM).id, house.shelf.row(OTHER).id}
    assert found.requests == len([call for call in house.server.calls() if "Items" in call])


def test_the_favourites_stay_the_watchlist_where_nothing_is_said(house: House) -> None:
    house.put(FILM)
    house.server.world.state(house.owner, house.shelf.row(OTHER)).favourite = True
    assert house.seen(watchlist=None, watchlist_name=None) == ["Film 2"]


def test_a_list_has_pages(house: House) -> None:
    house.put(*(world.movie(n) for n in range(1, 9)))
    made = house.provider()
    made.page_rows = 3
    found = use(made, lambda one: one.fetch(WATCHLIST))
    assert (found.complete, len(found.entries)) == (True, 8)


def test_a_list_whose_rows_are_fewer_than_it_says_proves_no_absence(house: House) -> None:
    """Nor does the library: that the row of a title was read says nothing of a list that was not."""
    house.put(FILM, OTHER, world.movie(3))
    if house.kind == "playlist":
        house.server.hidden.add(house.shelf.row(SHOW).id)
        house.server.world.put_in(house.list, house.shelf.row(SHOW))
    else:
        house.server.hidden.add(house.shelf.row(OTHER).id)
    found = house.read()
    assert (found.complete, found.shelf) == (False, None)
    assert found.doubt
    assert house.outcomes(add(world.movie(5))) == [(Outcome.NOT_SENT, "list-incomplete")]
    assert house.writes() == []


def test_the_library_tells_a_deleted_file_from_a_title_that_was_taken_out(house: House) -> None:
    house.put(FILM, OTHER)
    key = house.shelf.row(FILM).id
    house.server.world.remove(house.shelf.row(FILM))
    found = house.read()
    assert [one.item.title for one in found.entries] == ["Film 2"]
    assert found.shelf is not None
    assert (found.shelf.has(key), found.shelf.has(house.shelf.row(OTHER).id)) == (False, True)


def test_a_show_is_in_a_collection_and_episodes_in_a_playlist_are_left_alone(house: House) -> None:
    house.put(FILM, SHOW, world.episode(1, 1, 1))
    assert house.seen() == (["Film 1", "Show 1"] if house.kind == "collection" else ["Film 1"])
    assert house.outcomes(take()) == [CONFIRMED]
    assert house.held() == ["Show 1", "Episode 1.1"]


def test_a_title_that_is_twice_in_a_playlist_is_there_once_and_goes_at_once(playlist: House) -> None:
    playlist.put(FILM, OTHER, FILM)
    assert playlist.seen() == ["Film 1", "Film 2"]
    assert playlist.read().complete
    assert playlist.outcomes(take()) == [CONFIRMED]
    assert playlist.held() == ["Film 2"]


# --- writing -----------------------------------------------------------------------------------------------


def test_titles_are_added_and_removed_in_one_request_each(house: House) -> None:
    house.put(world.movie(7), world.movie(8))
    changes = [add(FILM), add(OTHER), take(world.movie(7), house.shelf.row(world.movie(7)).id)]
    assert house.outcomes(*changes) == [CONFIRMED] * 3
    assert house.writes() == ["POST", "DELETE"]
    assert house.held() == ["Film 8", "Film 1", "Film 2"]
    assert house.seen() == ["Film 1", "Film 2", "Film 8"]


def test_more_titles_than_fit_in_an_address(house: House) -> None:
    house.shelf.put(*(world.movie(n) for n in range(10, 260)))
    found = house.outcomes(*(add(world.movie(n)) for n in range(10, 260)))
    assert set(found) == {CONFIRMED}
    assert len(house.writes()) == (2 if house.server.dialect.emby else 3)
    assert len(set(house.held())) == len(house.held()) == 250


def test_what_is_as_it_shall_be_is_not_written(house: House) -> None:
    house.put(FILM)
    assert house.outcomes(add(FILM), take(OTHER)) == [ALREADY, ALREADY]
    assert house.writes() == []


def test_a_show_is_written_to_a_collection_and_never_to_a_playlist(house: House) -> None:
    expected = CONFIRMED if house.kind == "collection" else (Outcome.REJECTED, "kind")
    assert house.outcomes(add(SHOW)) == [expected]
    assert house.held() == (["Show 1"] if house.kind == "collection" else [])


def test_of_a_title_with_two_rows_one_is_added_and_each_is_removed(house: House) -> None:
    copy = house.shelf.copy(FILM)
    assert house.outcomes(add()) == [CONFIRMED]
    assert house.held() == ["Film 1"]
    assert house.outcomes(add()) == [ALREADY]
    house.server.world.put_in(house.list, copy)
    house.put(OTHER)
    assert house.outcomes(take()) == [CONFIRMED]
    assert house.held() == ["Film 2"]


def test_a_title_that_no_library_has_is_not_found(house: House) -> None:
    assert house.outcomes(add(world.movie(99)), add(FILM)) == [(Outcome.NOT_FOUND, "not-in-library"), CONFIRMED]


def test_a_row_that_goes_between_look_and_write_breaks_no_other(house: House) -> None:
    first = house.shelf.row(FILM)
    gone: list[Title] = []

    def answered(request: Any, reply: Any) -> None:
        if not gone and request.method == "GET" and "ids=" in request.target.lower():
            gone.append(first)
            house.server.world.remove(first)

    house.server.watch = answered
    found = house.outcomes(add(FILM), add(OTHER), add(world.movie(3)))
    assert [one for one, _ in found[1:]] == [Outcome.CONFIRMED] * 2
    assert found[0][0] in (Outcome.NOT_FOUND, Outcome.UNKNOWN)
    assert sorted(house.held()) == ["Film 2", "Film 3"]


# --- what goes wrong ---------------------------------------------------------------------------------------


def test_a_locked_database_is_waited_out_and_nothing_is_there_twice(house: House) -> None:
    house.server.locked = 2
    assert house.outcomes(add(FILM), add(OTHER)) == [CONFIRMED, CONFIRMED]
    assert house.held() == ["Film 1", "Film 2"]


@pytest.mark.parametrize(("fault", "held"), [(drop_after, True), (drop_before, False)])
def test_a_lost_answer_is_looked_up_and_never_sent_twice(house: House, fault: Any, held: bool) -> None:
    house.server.fault(fault(), method="POST", times=1)
    expected = CONFIRMED if held else (Outcome.UNKNOWN, "lost-answer")
    assert house.outcomes(add()) == [expected]
    assert house.held() == (["Film 1"] if held else [])
    assert house.writes() == ["POST"]


def test_an_error_after_the_title_was_added_adds_it_no_second_time(house: House) -> None:
    """The look after the wait shows it; a Jellyfin that forgets what it has would have it twice."""
    house.server.boxes.forgets = True
    plain = house.server.handle

    def late(request: Any) -> Any:
        reply = plain(request)
        if request.method == "POST" and "/items" in request.target.lower():
            house.server.handle = plain  # type: ignore[method-assign]
            return Reply(b"database is locked", 500, {"Content-Type": "text/plain"})
        return reply

    house.server.handle = late  # type: ignore[method-assign]
    assert house.outcomes(add(FILM), add(OTHER)) == [CONFIRMED, CONFIRMED]
    assert house.held() == ["Film 1", "Film 2"]


def test_of_a_request_that_was_carried_out_in_part_only_the_rest_is_sent_again(house: House) -> None:
    house.server.boxes.forgets = True
    plain = house.server.handle

    def half(request: Any) -> Any:
        if request.method != "POST" or "/items" not in request.target.lower():
            return plain(request)
        house.server.handle = plain  # type: ignore[method-assign]
        house.server.world.put_in(house.list, house.shelf.row(FILM))
        return Reply(b"database is locked", 500, {"Content-Type": "text/plain"})

    house.server.handle = half  # type: ignore[method-assign]
    assert house.outcomes(add(FILM), add(OTHER)) == [CONFIRMED, CONFIRMED]
    assert house.held() == ["Film 1", "Film 2"]


def test_what_cannot_be_seen_after_a_write_is_in_doubt_and_nothing_follows(house: House) -> None:
    house.put(world.movie(7), world.movie(8))
    house.shelf.put(*(world.movie(n) for n in range(10, 215)))
    plain, broken = house.server.handle, list[int]()

    def broken_look(request: Any) -> Any:
        if broken and request.method == "GET":
            return Reply(b"no", 502, {"Content-Type": "text/plain"})
        reply = plain(request)
        if request.method == "POST":
            broken.append(1)
        return reply

    house.server.handle = broken_look  # type: ignore[method-assign]
    found = house.outcomes(*(add(world.movie(n)) for n in range(10, 215)), take(world.movie(7)))
    size = 200 if house.server.dialect.emby else 100
    assert found[:size] == [(Outcome.UNKNOWN, "lost-answer")] * size
    assert {one for one, _ in found[size:]} == {Outcome.NOT_SENT}
    assert house.writes() == ["POST"]


def test_a_list_that_shows_a_write_late_is_looked_at_again(house: House) -> None:
    house.server.world.lag_lists = 2
    assert house.outcomes(add()) == [CONFIRMED]


def test_what_was_taken_and_does_not_show_is_in_doubt(house: House) -> None:
    house.server.deaf_writes = 1
    assert house.outcomes(add()) == [(Outcome.UNKNOWN, "not-shown")]
    assert house.writes() == ["POST"]


def test_who_may_not_change_the_list_is_told_so(house: House) -> None:
    user = house.server.world.add_user("Kim")
    house.owner, house.token = user, house.server.token(user)
    if house.kind == "playlist":
        house.list.owner = None  # of somebody else, and open to all
    found = use(
        provider(house.server, user, house.token, watchlist=house.kind, watchlist_name=NAME),
        lambda made: made.apply(WATCHLIST, [add(FILM), add(OTHER)]),
    )
    assert [(one.outcome, one.code) for one in found] == [(Outcome.REJECTED, "forbidden")] * 2
    assert house.writes() == ["POST"]
    assert house.held() == []


def test_a_key_that_may_take_nothing_out_of_a_playlist_is_told_so() -> None:
    with Jellyfin() as server:
        house = House(server, "playlist")
        house.put(FILM, OTHER)
        server.boxes.refuses_keys = True
        assert house.outcomes(take(FILM), take(OTHER)) == [(Outcome.REJECTED, "status-404")] * 2
        assert house.held() == ["Film 1", "Film 2"]
        house.token = server.token()
        assert house.outcomes(take(FILM), take(OTHER)) == [CONFIRMED] * 2


def test_the_last_title_stays_where_the_collection_would_go_with_it(collection: House) -> None:
    collection.put(FILM, OTHER)
    emby = collection.server.dialect.emby
    expected = [CONFIRMED, (Outcome.REJECTED, "last-of-list") if emby else CONFIRMED]
    assert collection.outcomes(take(FILM), take(OTHER)) == expected
    assert collection.held() == (["Film 2"] if emby else [])
    assert collection.list.id in collection.server.world.titles
    # With another one in it there is no last one.
    assert collection.outcomes(add(world.movie(3)), take(OTHER)) == [CONFIRMED, CONFIRMED if emby else ALREADY]
    assert collection.held() == ["Film 3"]


def test_other_features_know_nothing_of_the_list(house: House) -> None:
    house.put(FILM)
    done = use(
        house.provider(), lambda made: made.apply(Feature.HISTORY, [world.change(Feature.HISTORY, FILM, None, PLAY)])
    )
    assert [one.outcome for one in done] == [Outcome.CONFIRMED]
    assert house.server.world.peek(house.owner, house.shelf.row(FILM)).favourite is False
    assert house.held() == ["Film 1"]


PLAY = world.value(Feature.HISTORY, 0)


# --- the published contracts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["10.10.7", "10.11.11", "12.0.0", "4.8.11.0", "4.9.0.41"])
@pytest.mark.parametrize("kind", ["playlist", "collection"])
def test_every_call_is_in_the_published_contract(version: str, kind: str) -> None:
    paper = document(version)
    with (Emby if version.startswith("4.") else Jellyfin)(version=version) as server, watched(server):
        house = House(server, kind)
        house.put(world.movie(7), world.movie(8))
        assert house.outcomes(add(FILM), take(world.movie(7))) == [CONFIRMED, CONFIRMED]
        assert house.seen() == ["Film 1", "Film 8"]
        asked = [one for one in server.log if "playlists/" in one.target.lower() or one.method != "GET"]
        assert asked
        assert not {name for one in asked for name in unknown_parameters(paper, one)}


# --- the simulator -------------------------------------------------------------------------------------------


def test_a_playlist_takes_the_episodes_of_a_show(playlist: House) -> None:
    client, show = Client(playlist.server), playlist.shelf.row(SHOW)
    status_code, _ = client("POST", f"/Playlists/{playlist.list.id}/Items?ids={show.id}&userId={playlist.owner.id}")
    assert status_code in (200, 204)
    assert playlist.held() == ["Episode 1.1", "Episode 1.2", "Episode 1.3"]


# --- what a baseline stands on -------------------------------------------------------------------------------


def test_another_list_is_another_scope_of_the_watchlist_and_of_nothing_else() -> None:
    def scope(feature: Feature, **options: str) -> str:
        home, backup = AccountSpec("home", "jellyfin", options), AccountSpec("backup", "tracker", {"path": "x"})
        return fingerprint(PairSpec("save", home, backup), FeatureSpec(feature))

    ways: list[dict[str, str]] = [
        {},
        {"watchlist": "playlist", "watchlist_name": "One"},
        {"watchlist": "playlist", "watchlist_name": "Two"},
        {"watchlist": "collection", "watchlist_name": "One"},
    ]
    assert len({scope(WATCHLIST, **options) for options in ways}) == 4
    assert scope(WATCHLIST, watchlist="favourites") == scope(WATCHLIST)
    assert len({scope(Feature.HISTORY, **options) for options in ways}) == 1
