"""Reading a simulated Jellyfin and a simulated Emby: one scan for all, its proof, and what a server leaves out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from cwsync.errors import AuthError, ConfigError, CwsyncError, UnavailableError
from cwsync.model import Entry, Feature, Kind, Play, Snapshot
from simulators.emby import Emby
from simulators.jellyfin import Jellyfin
from simulators.mediabrowser import MediaBrowser
from simulators.mediabrowser_spec import document, unknown_parameters
from simulators.mediabrowserfill import Shelf
from simulators.mediabrowserworld import BOXSET, SERIES
from support import world
from support.httpserver import Do, Handler, Reply, Request, cut_json, html, status
from support.mediahome import provider, read
from support.session import use

BOTH = [Jellyfin, Emby]
HISTORY = Feature.HISTORY


@pytest.fixture(params=BOTH, ids=["jellyfin", "emby"])
def server(request: pytest.FixtureRequest) -> Iterator[MediaBrowser]:
    with request.param() as made:
        yield made


@pytest.fixture
def jellyfin() -> Iterator[Jellyfin]:
    with Jellyfin() as made:
        yield made


@pytest.fixture
def shelf(server: MediaBrowser) -> Shelf:
    made = Shelf(server)
    made.put(*(world.movie(n) for n in range(1, 6)), *(world.episode(1, 1, n) for n in range(1, 6)))
    hold(made, world.movie(1), world.episode(1, 1, 2))
    return made


def hold(shelf: Shelf, *items: object) -> None:
    shelf.hold(shelf.server.world.owner, [Entry(item, Play(world.at())) for item in items])  # type: ignore[arg-type]


def names(entries: tuple[Entry, ...]) -> list[str]:
    return sorted(entry.item.label() for entry in entries)


SEEN = ["Film 1 (1951)", "Show 1 S01E02 Episode 1.2"]


# --- one scan ----------------------------------------------------------------------------------------


def test_one_scan_feeds_every_feature_and_the_second_look_reads_again(server: MediaBrowser, shelf: Shelf) -> None:
    made = provider(server)

    async def session() -> list[int]:
        async with made:
            marks = [made.requests]
            await asyncio.gather(*(made.fetch(feature) for feature in Feature))
            marks.append(made.requests)
            again = await made.fetch(HISTORY)
            marks.append(made.requests)
            await made.fetch(Feature.PROGRESS)
            marks.append(made.requests)
            assert again.requests == 2
            return marks

    marks = asyncio.run(session())
    # Whether it scans, films and shows, seasons, episodes; then the same without seasons, and nothing more.
    assert [after - before for before, after in pairwise(marks)] == [4, 3, 0]


def test_a_watchlist_needs_no_episodes(server: MediaBrowser, shelf: Shelf) -> None:
    read(server, Feature.WATCHLIST)
    assert sum(call.endswith("Items") for call in server.calls()) == 1


def test_there_is_no_stamp(server: MediaBrowser, shelf: Shelf) -> None:
    assert use(provider(server), lambda made: made.watermark(HISTORY)) is None


# --- the proof -----------------------------------------------------------------------------------------


def large(shelf: Shelf) -> None:
    """Three pages of films, of which each third is watched."""
    shelf.put(*(world.movie(n) for n in range(1, 121)))
    hold(shelf, *(world.movie(n) for n in range(3, 121, 3)))


def paged(server: MediaBrowser) -> Snapshot:
    """The history, read in small pages."""
    made = provider(server)
    made.page_rows = 50
    return use(made, lambda one: one.fetch(HISTORY))


def test_pages_are_put_together(server: MediaBrowser, shelf: Shelf) -> None:
    large(shelf)
    snapshot = paged(server)
    assert (snapshot.complete, len(snapshot.entries)) == (True, 40 + 2)


def test_a_page_that_is_short_without_being_the_last_is_a_doubt(server: MediaBrowser, shelf: Shelf) -> None:
    large(shelf)
    server.hidden.add(shelf.row(world.movie(6)).id)
    snapshot = paged(server)
    assert snapshot.complete is False
    assert snapshot.doubt
    # What was read is read: all that is behind the short page, too.
    assert len(snapshot.entries) == 39 + 2


def test_what_moves_while_it_is_read_is_read_once_more(server: MediaBrowser, shelf: Shelf) -> None:
    large(shelf)
    moved: list[int] = []

    def shift() -> None:
        if not moved:
            moved.append(1)
            server.world.remove(shelf.row(world.movie(1)))

    server.shift = shift
    snapshot = paged(server)
    assert (snapshot.complete, len(snapshot.entries)) == (True, 40 + 1)


def test_what_moves_again_and_again_is_taken_with_a_doubt(server: MediaBrowser, shelf: Shelf) -> None:
    large(shelf)
    left = iter(range(1, 100))
    server.shift = lambda: server.world.remove(shelf.row(world.movie(next(left))))
    snapshot = paged(server)
    assert snapshot.complete is False
    assert len(snapshot.entries) == len(set(snapshot.entries))


def edited(change: Callable[[Request, dict[str, Any]], object]) -> Do:
    """Pages as somebody between us and the server may send them."""

    def do(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        body = json.loads(reply.content()[0])
        if isinstance(body, dict) and "Items" in body:
            change(request, body)
        return replace(reply, body=body)

    return do


def without_a_total(request: Request, body: dict[str, Any]) -> None:
    body.pop("TotalRecordCount")
    if request.query.get("StartIndex") == "0":
        del body["Items"][-1]  # a short page that is not the last


def of_one_page(_request: Request, body: dict[str, Any]) -> None:
    body["TotalRecordCount"] = len(body["Items"])


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        (without_a_total, "the server does not say how many rows there are"),
        (of_one_page, "there are more rows than the server counts"),
        (lambda _, body: body.update(TotalRecordCount=0), "50 rows came of 0"),
        (lambda _, body: body["Items"].__setitem__(slice(1, 2), body["Items"][:1]), "a row came twice"),
    ],
    ids=["no total", "the total of a page", "a total of nothing", "rows that come twice"],
)
def test_a_list_whose_end_was_never_seen_was_taken_for_whole(
    server: MediaBrowser, shelf: Shelf, change: Any, doubt: str
) -> None:
    large(shelf)
    server.fault(edited(change), path="/Items", times=None)
    snapshot = paged(server)
    assert (snapshot.complete, (snapshot.doubt or "").startswith(doubt)) == (False, True), snapshot.doubt


def test_a_list_that_ends_with_a_full_page_is_whole(server: MediaBrowser, shelf: Shelf) -> None:
    shelf.put(*(world.movie(n) for n in range(1, 50)))
    made = provider(server)
    made.page_rows = 50
    titles = sum(one.kind in ("Movie", "Series") for one in server.world.titles.values())
    assert titles == 50
    assert use(made, lambda one: one.fetch(HISTORY)).complete


@pytest.mark.parametrize(
    "fault",
    [html(), status(502), cut_json(), status(200, {"Items": 1}), status(200, [])],
    ids=["html", "502", "cut", "wrong", "list"],
)
def test_a_page_that_fails_fails_the_read(server: MediaBrowser, shelf: Shelf, fault: Do) -> None:
    server.fault(fault, path="/Items", times=None)
    with pytest.raises(UnavailableError):
        read(server, HISTORY)


def test_a_row_that_cannot_be_read_is_no_row_that_is_gone(server: MediaBrowser, shelf: Shelf) -> None:
    owner = server.world.owner
    server.world.state(owner, shelf.row(world.movie(2))).rating = 99
    snapshot = read(server, HISTORY)
    assert names(snapshot.entries) == SEEN
    assert snapshot.complete is False
    (row,) = snapshot.undecoded
    assert (row.native_key, "Rating" in row.why) == (shelf.row(world.movie(2)).id, True)


def test_a_set_in_place_of_its_films_is_a_doubt(jellyfin: Jellyfin) -> None:
    """Asked not to, a server that does it all the same hides films."""
    shelf = Shelf(jellyfin)
    shelf.put(world.movie(1), world.movie(2))
    box = jellyfin.world.add(shelf.films, BOXSET, "Both")
    jellyfin.world.put_in(box, shelf.row(world.movie(1)), shelf.row(world.movie(2)))
    jellyfin.group_collections = True
    hold(shelf, world.movie(1))
    assert names(read(jellyfin, HISTORY).entries) == ["Film 1 (1951)"]


def test_a_scan_of_the_server_is_a_doubt(server: MediaBrowser, shelf: Shelf) -> None:
    server.scanning = True
    snapshot = read(server, HISTORY)
    assert (snapshot.complete, snapshot.doubt) == (False, "the server is scanning its libraries")
    assert names(snapshot.entries) == SEEN


def test_who_is_no_administrator_is_not_told_of_scans(jellyfin: Jellyfin) -> None:
    shelf = Shelf(jellyfin)
    shelf.put(world.movie(1))
    kim = jellyfin.world.add_user("Kim")
    snapshot = use(provider(jellyfin, kim, jellyfin.token(kim)), lambda made: made.fetch(HISTORY))
    assert snapshot.complete
    assert not [call for call in jellyfin.calls() if "ScheduledTasks" in call]


def test_a_user_who_sees_no_library_has_not_lost_everything(server: MediaBrowser, shelf: Shelf) -> None:
    kim = server.world.add_user("Kim")
    kim.libraries = set()
    snapshot = read(server, HISTORY, kim)
    assert (snapshot.entries, snapshot.complete, snapshot.doubt) == ((), False, "this user sees no library")
    kim.libraries = {shelf.films.id}
    assert read(server, HISTORY, kim).complete


def test_a_server_that_lost_its_database_was_taken_for_one_where_nothing_was_watched(
    server: MediaBrowser, shelf: Shelf
) -> None:
    server.world.titles.clear()
    snapshot = read(server, HISTORY)
    assert (snapshot.complete, snapshot.doubt) == (False, "the libraries show no title")


# --- what is read --------------------------------------------------------------------------------------


def test_gaps_and_files_of_several_episodes(server: MediaBrowser, shelf: Shelf) -> None:
    show, owner = shelf.row(world.show(1)), server.world.owner
    gap = server.world.episode(show, 1, 8, virtual=True)
    server.world.state(owner, gap).played = True
    double = server.world.episode(show, 0, 1, {"Tvdb": "77"}, index_end=2, name="Both")
    server.world.mark(owner, double, 17_000_000_000_000_000)
    found = names(read(server, HISTORY).entries)
    assert found == sorted([*SEEN, "Show 1 S00E01 Both", "Show 1 S00E02"])


def test_gaps_of_an_emby_that_tells_them_by_their_missing_file() -> None:
    with Emby(says_virtual=False) as server:
        shelf = Shelf(server)
        shelf.put(world.episode(1, 1, 1))
        gap = server.world.episode(shelf.row(world.show(1)), 1, 2, virtual=True)
        server.world.state(server.world.owner, gap).played = True
        hold(shelf, world.episode(1, 1, 1))
        assert names(read(server, HISTORY).entries) == ["Show 1 S01E01 Episode 1.1"]


def test_rows_without_ids_are_kept(server: MediaBrowser, shelf: Shelf) -> None:
    bare = server.world.add(shelf.films, "Movie", "Nobody", year=2001)
    server.world.mark(server.world.owner, bare, 17_000_000_000_000_000)
    snapshot = read(server, HISTORY)
    (found,) = [entry for entry in snapshot.entries if entry.item.key() is None]
    assert (found.item.title, found.native_key, snapshot.complete) == ("Nobody", bare.id, True)


def test_copies_are_rows_of_their_own(server: MediaBrowser, shelf: Shelf) -> None:
    server.world.mark(server.world.owner, shelf.copy(world.movie(1)), 17_000_000_000_000_000)
    found = [entry for entry in read(server, HISTORY).entries if entry.item.title == "Film 1"]
    assert len({entry.native_key for entry in found}) == 2
    assert len({entry.item.ids for entry in found}) == 1


def test_episodes_of_a_series_without_ids_have_their_own(server: MediaBrowser, shelf: Shelf) -> None:
    series = server.world.add(shelf.shows, SERIES, "Unknown")
    row = server.world.episode(series, 1, 1, {"Tvdb": "555"})
    server.world.mark(server.world.owner, row, 17_000_000_000_000_000)
    (found,) = [one for one in read(server, HISTORY).entries if one.item.ids == ("tvdb_episode:555",)]
    assert (found.item.show_ids, found.item.show_title) == ((), "Unknown")


def test_what_was_begun_is_lingering(server: MediaBrowser, shelf: Shelf) -> None:
    server.world.start(server.world.owner, shelf.row(world.movie(3)))
    snapshot = read(server, HISTORY)
    assert [one.item and one.item.title for one in snapshot.lingering] == ["Film 3"]
    assert (snapshot.complete, snapshot.undecoded) == (True, ())
    assert read(server, Feature.PROGRESS).lingering == ()


def test_libraries_by_name(server: MediaBrowser, shelf: Shelf) -> None:
    assert names(read(server, HISTORY, libraries=("films",)).entries) == SEEN[:1]
    assert names(read(server, HISTORY, libraries=("Films", "Shows")).entries) == SEEN
    assert names(read(server, HISTORY, libraries=(shelf.shows.id,)).entries) == SEEN[1:]
    with pytest.raises(ConfigError) as caught:
        read(server, HISTORY, libraries=("Filme",))
    assert "'Films', 'Shows'" in str(caught.value.hint)


def test_what_one_user_did_is_not_what_another_did(server: MediaBrowser, shelf: Shelf) -> None:
    kim = server.world.add_user("Kim")
    mine, theirs = read(server, HISTORY), read(server, HISTORY, kim)
    assert (len(mine.entries), len(theirs.entries)) == (2, 0)
    assert mine.account_id != theirs.account_id


@pytest.mark.parametrize("version", ["10.9.11", "10.10.7", "10.11.11", "12.0.0"])
def test_every_version_of_jellyfin(version: str) -> None:
    with Jellyfin(version=version) as server:
        shelf = Shelf(server)
        shelf.put(world.movie(1), world.episode(1, 1, 2))
        hold(shelf, world.movie(1), world.episode(1, 1, 2))
        snapshot = read(server, HISTORY)
        assert (names(snapshot.entries), snapshot.warnings) == (SEEN, ())


@pytest.mark.parametrize("version", ["4.8.11.0", "4.9.0.41"])
def test_every_version_of_emby(version: str) -> None:
    with Emby(version=version) as server:
        shelf = Shelf(server)
        shelf.put(world.movie(1))
        hold(shelf, world.movie(1))
        (found,) = read(server, HISTORY).entries
        assert found.value == Play(world.at())  # the date, which comes only when it is asked for


# --- opening -------------------------------------------------------------------------------------------


def fails(server: MediaBrowser, **more: Any) -> CwsyncError:
    with pytest.raises(CwsyncError) as caught:
        read(server, HISTORY, **more)
    assert server.key not in f"{caught.value} {caught.value.hint}"
    return caught.value


def test_a_key_without_a_user(server: MediaBrowser) -> None:
    error = fails(server, user=None)
    assert isinstance(error, ConfigError)
    assert "user" in str(error.hint)


@pytest.mark.parametrize("name", ["Nobody", "0" * 32])
def test_a_user_who_is_not_there_any_more(server: MediaBrowser, name: str) -> None:
    error = fails(server, user=name)
    assert isinstance(error, ConfigError)
    assert repr(name) in error.message
    if name == "Nobody":
        assert "'Owner'" in str(error.hint)


def test_a_user_by_id_or_in_other_letters(server: MediaBrowser, shelf: Shelf) -> None:
    owner = server.world.owner
    dashed = f"{owner.id[:8]}-{owner.id[8:]}".upper()
    for name in (owner.id, dashed, "OWNER"):
        assert len(read(server, HISTORY, user=name).entries) == 2


@pytest.mark.parametrize(("named", "told"), [("Zoe\u0308", "ZO\u00cb"), ("\u0417\u043e\u044f", " \u0437\u043e\u044f ")])
def test_a_name_whose_accents_are_put_together_another_way_was_nobodys(
    server: MediaBrowser, shelf: Shelf, named: str, told: str
) -> None:
    server.world.owner.name = named
    server.world.add_library(f"{named} II")
    assert names(read(server, HISTORY, told).entries) == SEEN
    assert read(server, HISTORY, told, libraries=(f"{told.strip()} II",)).entries == ()


def test_of_two_users_whose_names_look_alike_the_very_name_counts(server: MediaBrowser, shelf: Shelf) -> None:
    server.world.add_user("zoe\u0308")
    other = server.world.add_user("zo\u00eb")
    assert read(server, HISTORY, "zo\u00eb").account_id.endswith(other.id)


def test_a_token_of_somebody_else(jellyfin: Jellyfin) -> None:
    kim = jellyfin.world.add_user("Kim")
    error = fails(jellyfin, token=jellyfin.token(kim))
    assert isinstance(error, ConfigError)
    assert "'Kim'" in error.message


def test_a_token_says_whose_it_is(jellyfin: Jellyfin) -> None:
    kim = jellyfin.world.add_user("Kim")
    made = provider(jellyfin, token=jellyfin.token(kim), user=None)
    assert use(made, lambda one: one.fetch(HISTORY)).account_id.endswith(kim.id)


def test_a_token_nobody_knows(server: MediaBrowser) -> None:
    assert isinstance(fails(server, token="0" * 32), AuthError)


def test_a_token_that_dies_in_the_middle(server: MediaBrowser, shelf: Shelf) -> None:
    server.fault(status(401), path="/Items", times=None)
    assert isinstance(fails(server), AuthError)


@pytest.mark.parametrize(("kind", "version"), [(Jellyfin, "10.8.13"), (Emby, "4.7.14.0")])
def test_a_server_that_is_too_old(kind: type[MediaBrowser], version: str) -> None:
    with kind(version=version) as server:  # type: ignore[call-arg]
        error = fails(server)
        assert isinstance(error, ConfigError)
        assert version in error.message
        assert "or later" in str(error.hint)


@pytest.mark.parametrize(("kind", "version"), [(Jellyfin, "13.1.0"), (Emby, "5.0.0.1")])
def test_a_server_that_is_newer_than_known(kind: type[MediaBrowser], version: str) -> None:
    with kind(version=version) as server:  # type: ignore[call-arg]
        snapshot = read(server, HISTORY)
        assert "newer" in snapshot.warnings[0]
        (found,) = use(provider(server), lambda made: made.examine())
        assert not found.ok
        assert version in found.text


def test_the_other_of_the_two() -> None:
    with Jellyfin() as jellyfin, Emby() as emby:
        for one, other in ((jellyfin, emby), (emby, jellyfin)):
            error = fails(one, url=other.url)
            assert isinstance(error, ConfigError)
            assert "provider" in str(error.hint)


def test_a_base_path(server: MediaBrowser) -> None:
    kind = type(server)
    with kind(base="/media") as inner:  # type: ignore[call-arg]
        shelf = Shelf(inner)
        shelf.put(world.movie(1))
        hold(shelf, world.movie(1))
        assert len(read(inner, HISTORY).entries) == 1
        assert len(read(inner, HISTORY, url=f"{inner.url}//").entries) == 1
        error = fails(inner, url=inner.root)
        assert isinstance(error, UnavailableError)
        assert "base path" in str(error.hint)


@pytest.mark.parametrize("url", ["", "ftp://x", "home", "http://example.org", "http://93.184.216.34:8096", 7, None])
def test_addresses_that_cannot_be(url: object) -> None:
    with Jellyfin() as server, pytest.raises(ConfigError):
        provider(server, url=url)


def test_a_server_that_starts_is_waited_for(server: MediaBrowser, shelf: Shelf) -> None:
    server.starting = 2  # a page for people, with a Retry-After of "005"
    assert len(read(server, HISTORY).entries) == 2


def test_a_token_that_may_not_look_up_names(server: MediaBrowser) -> None:
    kim = server.world.add_user("Kim")
    server.fault(status(403), path="/Users$", times=None)
    error = fails(server, user="Kim")
    assert isinstance(error, ConfigError)
    assert "id" in str(error.hint)
    assert use(provider(server, user=kim.id), lambda made: made.fetch(HISTORY)).account_id.endswith(kim.id)


def test_a_locked_database_is_waited_out(server: MediaBrowser, shelf: Shelf) -> None:
    server.fault(status(500), path="/Items", times=2)
    assert len(read(server, HISTORY).entries) == 2
    server.fault(status(500), path="/Items", times=None)
    assert isinstance(fails(server), UnavailableError)


# --- said in the documents -------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "version"), [(Jellyfin, "10.10.7"), (Jellyfin, "12.0.0"), (Emby, "4.9.0.41")])
def test_every_parameter_is_in_the_documents(kind: type[MediaBrowser], version: str) -> None:
    paper = document(version)
    asked: set[str] = set()
    with kind(version=version) as server:  # type: ignore[call-arg]
        shelf = Shelf(server)
        shelf.put(*(world.item(one, 1) for one in Kind))
        server.watch = lambda request, _reply: asked.update(unknown_parameters(paper, request))
        for feature in Feature:
            read(server, feature, libraries=("Films", "Shows"))
    # Two that the document of Emby lacks: its own program for Kodi sends them as well.
    assert asked <= ({"ExcludeLocationTypes", "EnableTotalRecordCount"} if server.dialect.emby else set())
