"""Writing to a simulated Jellyfin and a simulated Emby: what leaves, what is proved, and what goes wrong in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from cwsync.errors import AuthError, UnavailableError
from cwsync.model import Change, Entry, Feature, Item, Kind, Listed, Outcome, Play, Position, Rated, Receipt, Value
from cwsync.providers._mediabrowser import MediaBrowser as Real
from simulators.emby import Emby
from simulators.jellyfin import Jellyfin
from simulators.mediabrowser import MediaBrowser
from simulators.mediabrowser_spec import document, unknown_parameters
from simulators.mediabrowserfill import Shelf
from simulators.mediabrowserworld import State, dated
from support import world
from support.httpserver import Reply, drop_after, drop_before, hold, html, instead, status
from support.mediahome import provider, read, write
from support.session import use

HISTORY, RATINGS, PROGRESS, WATCHLIST = Feature.HISTORY, Feature.RATINGS, Feature.PROGRESS, Feature.WATCHLIST
FILM = world.movie(1)
OLD = Play(world.at(-1000))


@pytest.fixture(params=[Jellyfin, Emby], ids=["jellyfin", "emby"])
def server(request: pytest.FixtureRequest) -> Iterator[MediaBrowser]:
    with request.param() as made:
        yield made


@pytest.fixture
def jellyfin() -> Iterator[Jellyfin]:
    with Jellyfin() as made:
        fill(made)
        yield made


@pytest.fixture
def emby() -> Iterator[Emby]:
    with Emby() as made:
        fill(made)
        yield made


@pytest.fixture
def shelf(server: MediaBrowser) -> Shelf:
    return fill(server)


def fill(server: MediaBrowser) -> Shelf:
    shelf = Shelf(server)
    shelf.put(*(world.movie(n) for n in range(1, 9)), *(world.episode(1, 1, n) for n in range(1, 6)))
    shelf.server.forget()
    return shelf


def state(server: MediaBrowser, item: Item = FILM) -> State:
    """What the owner did with a title of the first library that has it."""
    ids = {one.value for one in item.ids}
    row = next(one for one in server.world.titles.values() if ids & set(one.ids.values()))
    return server.world.peek(server.world.owner, row)


def add(feature: Feature, value: Value, item: Item = FILM) -> Change:
    return world.change(feature, item, None, value)


def taken(feature: Feature, before: Value, item: Item = FILM, key: str | None = None) -> Change:
    return world.change(feature, item, before, None, native_key=key)


def outcome(server: MediaBrowser, *changes: Change, **more: Any) -> list[tuple[Outcome, str | None]]:
    return [(one.outcome, one.code) for one in receipts(server, *changes, **more)]


def receipts(server: MediaBrowser, *changes: Change, **more: Any) -> Sequence[Receipt]:
    return write(server, changes[0].feature, *changes, **more)


def sent(server: MediaBrowser) -> list[str]:
    """The writes, without the ids in them."""
    calls = [call for call in server.calls() if not call.startswith("GET ")]
    return ["/".join(part for part in call.split("/") if len(part) < 20 and not part.isdigit()) for call in calls]


CONFIRMED = (Outcome.CONFIRMED, None)


# --- what leaves -----------------------------------------------------------------------------------------


def test_a_jellyfin_is_told_only_what_changes(jellyfin: Jellyfin) -> None:
    item = jellyfin.world.titles[next(iter(jellyfin.world.titles))]
    was = jellyfin.world.state(jellyfin.world.owner, item)
    was.favourite, was.rating, was.position, was.count = True, 7.0, 500, 3
    assert outcome(jellyfin, add(HISTORY, OLD)) == [CONFIRMED]
    now = state(jellyfin)
    assert (now.played, now.position, now.count, now.favourite, now.rating) == (True, 0, 3, True, 7.0)
    assert now.at is not None
    assert dated(now.at).startswith("2021-04-06T12:00:00")
    assert sent(jellyfin) == ["POST /UserItems/UserData"]


def test_an_emby_keeps_what_a_write_does_not_name(emby: Emby) -> None:
    """Its write of user data replaces everything."""
    item = emby.world.titles[next(iter(emby.world.titles))]
    was = emby.world.state(emby.world.owner, item)
    was.favourite, was.rating, was.count, was.at = True, 7.0, 3, 17_000_000_000_000_000
    assert outcome(emby, add(PROGRESS, Position(600_000, 6_000_000, None))) == [CONFIRMED]
    now = state(emby)
    assert (now.position, now.favourite, now.rating, now.count) == (6_000_000_000, True, 7.0, 3)
    assert now.at == 17_000_000_000_000_000
    assert sent(emby) == ["POST /Users/Items/UserData"]
    assert outcome(emby, add(HISTORY, Play(None))) == [CONFIRMED]
    assert (now.played, now.favourite, now.count) == (True, True, 3)


@pytest.mark.parametrize(
    ("change", "call"),
    [
        (add(HISTORY, OLD), "POST /Users/PlayedItems"),
        (add(WATCHLIST, Listed()), "POST /Users/FavoriteItems"),
        (add(RATINGS, Rated(85)), "POST /Users/Items/UserData"),
    ],
)
def test_an_emby_is_written_by_the_call_for_it(emby: Emby, change: Change, call: str) -> None:
    assert outcome(emby, change) == [CONFIRMED]
    assert sent(emby) == [call]


@pytest.mark.parametrize(
    ("feature", "value", "calls"),
    [
        (HISTORY, Play(world.at(3)), ("DELETE /UserPlayedItems", "DELETE /Users/PlayedItems")),
        (WATCHLIST, Listed(), ("DELETE /UserFavoriteItems", "DELETE /Users/FavoriteItems")),
        (RATINGS, Rated(80), ("DELETE /UserItems/Rating", "DELETE /Users/Items/Rating")),
        (PROGRESS, Position(600_000, 6_000_000), ("POST /UserItems/UserData", "POST /Users/Items/UserData")),
    ],
)
def test_what_is_taken_away(
    server: MediaBrowser, shelf: Shelf, feature: Feature, value: Value, calls: tuple[str, str]
) -> None:
    shelf.hold(server.world.owner, [Entry(FILM, value)])
    assert outcome(server, taken(feature, value)) == [CONFIRMED]
    assert sent(server) == [calls[server.dialect.emby]]
    assert shelf.states(feature, server.world.owner) == {}
    if feature is HISTORY:
        assert (state(server).at, state(server).count) == (None, 0)


def test_nothing_is_sent_where_nothing_is_to_do(server: MediaBrowser, shelf: Shelf) -> None:
    shelf.hold(server.world.owner, [Entry(FILM, Play(None))])
    assert outcome(server, add(HISTORY, OLD)) == [(Outcome.ALREADY, None)]
    assert outcome(server, taken(WATCHLIST, Listed())) == [(Outcome.ALREADY, None)]
    assert sent(server) == []


def test_two_writes_at_a_time_and_no_more(server: MediaBrowser, shelf: Shelf) -> None:
    import threading

    free, entered = threading.Event(), threading.Semaphore(0)

    class Entered(threading.Event):
        def set(self) -> None:
            entered.release()

    server.fault(hold(free, entered=Entered()), method="POST", times=None)

    async def session() -> int:
        made = provider(server)
        async with made:
            changes = [add(WATCHLIST, Listed(), world.movie(n)) for n in range(1, 6)]
            writing = asyncio.ensure_future(made.apply(WATCHLIST, changes))
            for _ in range(2):
                await asyncio.to_thread(entered.acquire)
            # A third would have come while these two were waited for in turn.
            third = await asyncio.to_thread(entered.acquire, timeout=0.05)
            free.set()
            assert {one.outcome for one in await writing} == {Outcome.CONFIRMED}
            return int(third)

    assert asyncio.run(session()) == 0


# --- copies, and files of several episodes ----------------------------------------------------------------


def test_all_copies_are_written(server: MediaBrowser, shelf: Shelf) -> None:
    copy = shelf.copy(FILM)
    assert outcome(server, add(HISTORY, OLD)) == [CONFIRMED]
    states = [server.world.peek(server.world.owner, one) for one in (shelf.row(FILM), copy)]
    assert [one.played for one in states] == [True, True]


def test_copies_of_an_older_jellyfin_share_what_was_done() -> None:
    with Jellyfin(version="10.10.7") as server:
        shelf = fill(server)
        keys = [shelf.row(FILM).id, shelf.copy(FILM).id]
        assert outcome(server, add(HISTORY, OLD)) == [CONFIRMED]
        snapshot = read(server, HISTORY)
        assert sorted(entry.native_key or "" for entry in snapshot.entries) == sorted(keys)
        made = outcome(server, *(taken(HISTORY, OLD, key=key) for key in keys))
        assert {one for one, _ in made} <= {Outcome.CONFIRMED, Outcome.ALREADY}
        assert read(server, HISTORY).entries == ()


def test_a_copy_that_is_watched_does_not_hold_the_others_up(server: MediaBrowser, shelf: Shelf) -> None:
    copy = shelf.copy(FILM)
    server.world.mark(server.world.owner, copy, 17_000_000_000_000_000)
    assert outcome(server, add(HISTORY, OLD)) == [CONFIRMED]
    assert server.world.peek(server.world.owner, shelf.row(FILM)).played
    assert server.world.peek(server.world.owner, copy).at == 17_000_000_000_000_000


def double(server: MediaBrowser, shelf: Shelf) -> Any:
    return server.world.episode(shelf.row(world.show(1)), 1, 6, {"Imdb": "tt7777777"}, index_end=7)


def episodes(*numbers: int) -> list[Item]:
    return [world.episode(1, 1, number, own=False) for number in numbers]


def test_a_file_of_two_episodes_is_marked_once_for_both(server: MediaBrowser, shelf: Shelf) -> None:
    row = double(server, shelf)
    made = receipts(server, *(add(HISTORY, OLD, item) for item in episodes(6, 7)))
    assert [(one.outcome, one.native_key) for one in made] == [
        (Outcome.CONFIRMED, f"{row.id}#6"),
        (Outcome.CONFIRMED, f"{row.id}#7"),
    ]
    assert len(sent(server)) == 1
    assert server.world.peek(server.world.owner, row).played


def test_a_file_of_two_episodes_is_not_marked_for_one(server: MediaBrowser, shelf: Shelf) -> None:
    row = double(server, shelf)
    assert outcome(server, add(HISTORY, OLD, episodes(7)[0])) == [(Outcome.REJECTED, "multi-episode")]
    assert outcome(server, add(PROGRESS, Position(600_000), episodes(6)[0])) == [(Outcome.REJECTED, "multi-episode")]
    assert sent(server) == []
    server.world.mark(server.world.owner, row, 17_000_000_000_000_000)
    assert outcome(server, add(HISTORY, OLD, episodes(7)[0])) == [(Outcome.ALREADY, None)]
    was = Play(world.at(0))
    shelf.hold(server.world.owner, [])
    server.world.mark(server.world.owner, row, 17_041_104_000_000_000)  # noon of the first day of 2024
    one = taken(HISTORY, was, episodes(7)[0], f"{row.id}#7")
    assert outcome(server, one) == [(Outcome.REJECTED, "multi-episode")]
    both = [taken(HISTORY, was, item, f"{row.id}#{item.number}") for item in episodes(6, 7)]
    assert outcome(server, *both) == [CONFIRMED] * 2
    assert not server.world.peek(server.world.owner, row).played


def test_a_copy_by_itself_is_marked_where_the_file_of_two_is_not(server: MediaBrowser, shelf: Shelf) -> None:
    row = double(server, shelf)
    alone = server.world.episode(shelf.row(world.show(1)), 1, 7)
    assert outcome(server, add(HISTORY, OLD, episodes(7)[0])) == [CONFIRMED]
    states = [server.world.peek(server.world.owner, one).played for one in (row, alone)]
    assert states == [False, True]


# --- what may not be written -------------------------------------------------------------------------------


def test_what_is_in_no_library(server: MediaBrowser, shelf: Shelf) -> None:
    assert outcome(server, add(HISTORY, OLD, world.movie(99))) == [(Outcome.NOT_FOUND, "not-in-library")]


def test_a_title_whose_row_has_no_ids_is_not_written_but_told(server: MediaBrowser, shelf: Shelf) -> None:
    film, show = world.movie(20), world.show(20)
    server.world.add(shelf.films, "Movie", (film.title or "").upper(), year=film.year)
    series = server.world.add(shelf.shows, "Series", show.title or "")
    server.world.episode(series, 1, 1)
    for item in (film, world.episode(20, 1, 1)):
        (receipt,) = receipts(server, add(HISTORY, OLD, item))
        assert (receipt.outcome, receipt.code) == (Outcome.NOT_FOUND, "no-ids")
    assert outcome(server, add(WATCHLIST, Listed(), show)) == [(Outcome.NOT_FOUND, "no-ids")]
    other = replace(film, year=1900)
    assert outcome(server, add(HISTORY, OLD, other)) == [(Outcome.NOT_FOUND, "not-in-library")]
    assert sent(server) == []


def test_a_row_with_other_ids_at_the_right_place(server: MediaBrowser, shelf: Shelf) -> None:
    other = replace(world.episode(1, 1, 2), ids=world.episode(9, 9, 9).ids)
    assert outcome(server, add(HISTORY, OLD, other)) == [(Outcome.NOT_FOUND, "numbered-differently")]
    assert sent(server) == []


def test_ids_of_two_titles(server: MediaBrowser, shelf: Shelf) -> None:
    one, two = world.movie(1), world.movie(2)
    mixed = replace(one, ids=(world.only(one, "imdb").ids[0], world.only(two, "tmdb").ids[0]))
    assert outcome(server, add(HISTORY, OLD, mixed)) == [(Outcome.NOT_FOUND, "ambiguous")]


def test_positions_that_cannot_be(server: MediaBrowser, shelf: Shelf) -> None:
    shelf.hold(server.world.owner, [Entry(world.movie(2), Play(None))])
    far = add(PROGRESS, Position(5_999_500, 6_000_000))
    watched = add(PROGRESS, Position(600_000, 6_000_000), world.movie(2))
    made = receipts(server, far, watched)
    assert [(one.outcome, one.code) for one in made] == [(Outcome.REJECTED, "too-far"), (Outcome.REJECTED, "watched")]
    assert [one.needless for one in made] == [False, True]
    assert sent(server) == []


def test_what_is_played_now_gets_no_position(server: MediaBrowser, shelf: Shelf) -> None:
    kim = server.world.add_user("Kim")
    server.world.playing |= {(server.world.owner.id, shelf.row(FILM).id), (kim.id, shelf.row(world.movie(2)).id)}
    changes = [add(PROGRESS, Position(600_000, 6_000_000), world.movie(n)) for n in (1, 2)]
    assert outcome(server, *changes) == [(Outcome.NOT_SENT, "playing"), CONFIRMED]


def test_what_changed_since_it_was_read(server: MediaBrowser, shelf: Shelf) -> None:
    shelf.hold(server.world.owner, [Entry(FILM, Rated(50))])
    change = world.change(RATINGS, FILM, Rated(40), Rated(60), native_key=shelf.row(FILM).id)
    (receipt,) = receipts(server, change)
    assert (receipt.outcome, receipt.moved) == (Outcome.NOT_SENT, True)
    assert sent(server) == []


def test_an_emby_that_changes_between_the_look_and_the_merge(emby: Emby) -> None:
    """Lists may lag: the row itself says what is there, and what the plan did not see is left alone."""
    owner, row = emby.world.owner, next(iter(emby.world.titles.values()))
    emby.world.lag_reads = 5
    emby.world.change(owner, row).rating = 3.0
    (receipt,) = receipts(emby, add(RATINGS, Rated(80)))
    assert (receipt.outcome, receipt.moved) == (Outcome.NOT_SENT, True)
    assert state(emby).rating == 3.0


# --- stale ids -----------------------------------------------------------------------------------------


def test_a_row_that_has_a_new_id_is_found_again(server: MediaBrowser, shelf: Shelf) -> None:
    shelf.hold(server.world.owner, [Entry(FILM, Play(world.at(3)))])
    old = shelf.row(FILM).id
    server.world.renew(shelf.row(FILM))
    (receipt,) = receipts(server, taken(HISTORY, Play(world.at(3)), key=old))
    assert (receipt.outcome, receipt.native_key) == (Outcome.CONFIRMED, shelf.row(FILM).id)


def test_a_row_that_goes_just_before_the_write_is_found_again_once(server: MediaBrowser, shelf: Shelf) -> None:
    row = shelf.row(FILM)
    server.fault(renewing(server, row), method="POST")
    (receipt,) = receipts(server, add(WATCHLIST, Listed()))
    assert (receipt.outcome, receipt.native_key) == (Outcome.CONFIRMED, row.id)
    assert server.world.peek(server.world.owner, row).favourite


def test_a_copy_that_goes_leaves_the_others_written(server: MediaBrowser, shelf: Shelf) -> None:
    copy = shelf.copy(FILM)

    def do(request: Any, handler: Any) -> Any:
        if copy.id in server.world.titles and copy.id in request.path:
            server.world.remove(copy)
        return handler(request)

    server.fault(do, method="POST", times=2)
    assert outcome(server, add(WATCHLIST, Listed())) == [CONFIRMED]
    assert server.world.peek(server.world.owner, shelf.row(FILM)).favourite


def test_a_row_that_goes_for_good(server: MediaBrowser, shelf: Shelf) -> None:
    def do(request: Any, handler: Any) -> Any:
        server.world.remove(shelf.row(FILM))
        return handler(request)

    server.fault(do, method="POST")
    two = add(HISTORY, OLD, world.movie(2))
    made = dict(zip(("film 1", "film 2"), outcome(server, add(HISTORY, OLD), two), strict=True))
    assert made["film 2"] == CONFIRMED
    assert made["film 1"][0] in (Outcome.NOT_FOUND, Outcome.CONFIRMED)


def renewing(server: MediaBrowser, row: Any) -> Any:
    def do(request: Any, handler: Any) -> Any:
        server.world.renew(row)
        return handler(request)

    return do


# --- what goes wrong ------------------------------------------------------------------------------------


def test_a_lost_answer_is_looked_up(server: MediaBrowser, shelf: Shelf) -> None:
    server.fault(drop_after(), method="POST", times=None)
    assert outcome(server, add(HISTORY, OLD)) == [CONFIRMED]
    assert state(server).count == 1


def test_a_play_for_an_emby_is_sent_once_whatever_happens(emby: Emby) -> None:
    emby.fault(drop_before(), method="POST", times=None)
    assert outcome(emby, add(HISTORY, OLD)) == [(Outcome.UNKNOWN, "lost-answer")]
    emby.fault(instead(502), method="POST", times=None)
    emby.forget()
    assert outcome(emby, add(HISTORY, OLD, world.movie(2))) == [(Outcome.UNKNOWN, "lost-answer")]


def test_a_gateway_that_loses_patience(server: MediaBrowser, shelf: Shelf) -> None:
    server.fault(instead(502), method="POST", times=None)
    assert outcome(server, add(HISTORY, OLD)) == [CONFIRMED]
    assert state(server).count == 1


def test_a_lost_answer_and_then_no_server(server: MediaBrowser, shelf: Shelf) -> None:
    def do(request: Any, handler: Any) -> None:
        handler(request)
        server.fault(drop_before(), times=None)

    server.fault(do, method="POST")
    assert outcome(server, add(HISTORY, OLD)) == [(Outcome.UNKNOWN, "lost-answer")]
    assert state(server).played


WAITED = [(WATCHLIST, Listed()), (HISTORY, OLD), (HISTORY, Play(None)), (PROGRESS, Position(600_000, 6_000_000))]
OF_EACH = pytest.mark.parametrize(("feature", "value"), WAITED, ids=["favourite", "dated", "undated", "position"])


@OF_EACH
def test_a_locked_database_is_waited_out(server: MediaBrowser, shelf: Shelf, feature: Feature, value: Value) -> None:
    server.locked = 3
    assert outcome(server, add(feature, value)) == [CONFIRMED]
    assert state(server).count == (feature is HISTORY)
    server.locked = 99
    assert outcome(server, add(feature, value, world.movie(2))) == [(Outcome.UNKNOWN, "lost-answer")]


@OF_EACH
def test_a_server_that_starts_anew_between_two_writes_is_waited_for(
    server: MediaBrowser, shelf: Shelf, feature: Feature, value: Value
) -> None:
    server.fault(status(503, "<html>starting</html>", retry_after="soon"), method="POST", times=3)
    assert outcome(server, add(feature, value)) == [CONFIRMED]
    assert state(server).count == (feature is HISTORY)


@pytest.mark.parametrize("answered", [500, 503])
def test_a_play_that_arrived_at_an_emby_is_not_sent_again_whatever_was_answered(emby: Emby, answered: int) -> None:
    emby.fault(instead(answered), method="POST")
    assert outcome(emby, add(HISTORY, OLD)) == [CONFIRMED]
    assert (state(emby).count, sent(emby)) == (1, ["POST /Users/PlayedItems"])


def test_a_play_that_arrived_at_an_emby_whose_rows_lag_is_not_sent_again(emby: Emby) -> None:
    emby.world.lag_looks = 1  # that of before the wait
    emby.fault(instead(500), method="POST")
    assert outcome(emby, add(HISTORY, OLD)) == [CONFIRMED]
    assert (state(emby).count, sent(emby)) == (1, ["POST /Users/PlayedItems"])


def test_a_play_is_not_sent_again_to_a_row_that_somebody_changed_meanwhile(emby: Emby) -> None:
    """What was there before cannot be told from what was written any more."""
    row = next(iter(emby.world.titles.values()))

    def do(request: Any, handler: Any) -> Any:
        emby.world.state(emby.world.owner, row).count += 1
        return Reply("SQLite Error 5: 'database is locked'.", 500)

    emby.fault(do, method="POST")
    assert outcome(emby, add(HISTORY, OLD)) == [(Outcome.UNKNOWN, "lost-answer")]
    assert sent(emby) == ["POST /Users/PlayedItems"]


def test_a_play_is_not_sent_again_to_a_row_that_cannot_be_looked_at(emby: Emby) -> None:
    def do(request: Any, handler: Any) -> Any:
        emby.fault(html(), path="/Items/", times=None)
        return Reply("SQLite Error 5: 'database is locked'.", 500)

    emby.fault(do, method="POST")
    assert outcome(emby, add(HISTORY, OLD)) == [(Outcome.UNKNOWN, "lost-answer")]
    assert sent(emby) == ["POST /Users/PlayedItems"]


@OF_EACH
def test_a_row_of_an_emby_that_shows_a_write_late_is_looked_at_again(
    emby: Emby, feature: Feature, value: Value
) -> None:
    emby.world.lag_looks = 3
    assert outcome(emby, add(feature, value)) == [CONFIRMED]
    assert len(sent(emby)) == 1


@OF_EACH
def test_a_row_of_an_emby_that_shows_a_write_much_later_is_in_doubt(emby: Emby, feature: Feature, value: Value) -> None:
    """It was taken, and nobody knows whether it was kept. It does not stop the others either."""
    emby.world.lag_looks = 99
    made = outcome(emby, *(add(feature, value, world.movie(n)) for n in range(1, 6)))
    assert made == [(Outcome.UNKNOWN, "not-shown")] * 5
    assert len(sent(emby)) == 5


@pytest.mark.parametrize("fault", [status(500), status(503), drop_before()], ids=["500", "503", "silent"])
def test_a_broken_server_is_not_asked_for_every_row(server: MediaBrowser, shelf: Shelf, fault: Any) -> None:
    server.fault(fault, method="POST", times=None)
    made = outcome(server, *(add(HISTORY, OLD, world.movie(n)) for n in range(1, 9)))
    assert made[-4:] == [(Outcome.NOT_SENT, "unavailable")] * 4
    assert made[0] == (Outcome.UNKNOWN, "lost-answer")


def test_a_row_that_breaks_the_server_does_not_stop_the_others(server: MediaBrowser, shelf: Shelf) -> None:
    server.fault(status(500), method="POST", path=shelf.row(FILM).id, times=None)
    made = outcome(server, *(add(HISTORY, OLD, world.movie(n)) for n in range(1, 9)))
    assert made == [(Outcome.UNKNOWN, "lost-answer"), *[CONFIRMED] * 7]


def test_what_was_merged_for_an_emby_is_merged_anew_before_it_is_sent_again(emby: Emby) -> None:
    """While the database was locked the user made it a favourite: the second write must not take that away."""
    owner, row = emby.world.owner, next(iter(emby.world.titles.values()))

    def do(request: Any, handler: Any) -> Any:
        emby.world.state(owner, row).favourite = True
        return Reply("SQLite Error 5: 'database is locked'.", 500)

    emby.fault(do, method="POST", path="UserData")
    assert outcome(emby, add(PROGRESS, Position(600_000, 6_000_000))) == [CONFIRMED]
    assert (state(emby).position, state(emby).favourite) == (6_000_000_000, True)


def test_what_was_merged_for_an_emby_is_not_sent_again_when_its_answer_is_lost(emby: Emby) -> None:
    emby.fault(drop_before(), method="POST")
    assert outcome(emby, add(PROGRESS, Position(600_000, 6_000_000))) == [(Outcome.UNKNOWN, "lost-answer")]
    assert sent(emby) == ["POST /Users/Items/UserData"]
    emby.fault(drop_after(), method="POST")
    assert outcome(emby, add(PROGRESS, Position(600_000, 6_000_000), world.movie(2))) == [CONFIRMED]


@pytest.mark.parametrize(("fault", "expected"), [(status(401), "auth"), (html(), "unavailable")])
def test_an_emby_whose_row_cannot_be_read_before_the_write(emby: Emby, fault: Any, expected: str) -> None:
    emby.fault(fault, path="/Items/", times=None)
    assert outcome(emby, add(PROGRESS, Position(600_000, 6_000_000))) == [(Outcome.NOT_SENT, expected)]
    assert sent(emby) == []


def test_a_key_that_belongs_to_another_title_by_now(server: MediaBrowser, shelf: Shelf) -> None:
    shelf.hold(server.world.owner, [Entry(world.movie(2), Rated(50))])
    change = world.change(RATINGS, FILM, Rated(50), Rated(60), native_key=shelf.row(world.movie(2)).id)
    assert outcome(server, change) == [(Outcome.NOT_FOUND, "gone")]
    assert sent(server) == []


def test_a_server_that_asks_to_slow_down(server: MediaBrowser, shelf: Shelf) -> None:
    server.fault(status(429), method="POST", times=1)
    assert outcome(server, add(WATCHLIST, Listed())) == [CONFIRMED]


def test_a_library_that_is_not_there_any_more(server: MediaBrowser, shelf: Shelf) -> None:
    assert outcome(server, add(HISTORY, OLD), libraries=("Gone",)) == [(Outcome.NOT_SENT, "config")]


def test_a_row_that_goes_and_lists_that_fail_then(server: MediaBrowser, shelf: Shelf) -> None:
    row = shelf.row(FILM)

    def do(request: Any, handler: Any) -> Any:
        server.world.renew(row)
        server.fault(html(), path="/Items$", times=None)
        return handler(request)

    server.fault(do, method="POST")
    assert outcome(server, add(WATCHLIST, Listed())) == [(Outcome.NOT_FOUND, "gone")]


@OF_EACH
def test_a_page_of_a_proxy_is_no_answer_of_the_server(
    server: MediaBrowser, shelf: Shelf, feature: Feature, value: Value
) -> None:
    """Nothing was written, and no record was refused: what is left waits for the next run."""
    server.fault(html(), method="POST", times=None)
    made = outcome(server, *(add(feature, value, world.movie(n)) for n in range(1, 8)))
    assert made[0] == (Outcome.UNKNOWN, "lost-answer")
    assert made[-2:] == [(Outcome.NOT_SENT, "unavailable")] * 2
    assert {one for one, _ in made} == {Outcome.UNKNOWN, Outcome.NOT_SENT}
    assert len(sent(server)) <= 4


@OF_EACH
@pytest.mark.parametrize("code", [403, 404, 400])
def test_a_refusal_of_a_proxy_was_taken_for_one_of_the_record(
    server: MediaBrowser, shelf: Shelf, feature: Feature, value: Value, code: int
) -> None:
    server.fault(html(code), method="POST", times=None)
    made = outcome(server, *(add(feature, value, world.movie(n)) for n in range(1, 8)))
    assert {one for one, _ in made} == {Outcome.UNKNOWN, Outcome.NOT_SENT}
    assert len(sent(server)) <= 4


def test_a_row_that_is_gone_behind_a_proxy_with_pages_of_its_own(server: MediaBrowser, shelf: Shelf) -> None:
    row = shelf.row(FILM)

    def do(_request: Any, _handler: Any) -> Reply:
        server.world.titles.pop(row.id, None)
        return Reply("<html>Not Found</html>", 404, {"Content-Type": "text/html"})

    server.fault(do, method="POST", times=None)
    assert outcome(server, add(WATCHLIST, Listed())) == [(Outcome.NOT_FOUND, "not-in-library")]


def test_a_page_of_a_proxy_in_place_of_the_answer_to_a_write_that_arrived(server: MediaBrowser, shelf: Shelf) -> None:
    def do(request: Any, handler: Any) -> Any:
        handler(request)
        return Reply("<html><body>Welcome</body></html>", 200, {"Content-Type": "text/html"})

    server.fault(do, method="POST", times=None)
    assert outcome(server, add(HISTORY, OLD)) == [CONFIRMED]


def test_a_write_that_is_not_kept(server: MediaBrowser, shelf: Shelf) -> None:
    """Jellyfin shows the row in its answer. What an Emby took may show later than we look."""
    server.deaf_writes = 99
    late = (Outcome.UNKNOWN, "not-shown") if server.dialect.emby else (Outcome.REJECTED, "ignored")
    assert outcome(server, add(WATCHLIST, Listed())) == [late]


def test_a_mark_that_an_old_row_hides_is_cleared_and_set_again(jellyfin: Jellyfin) -> None:
    row = next(iter(jellyfin.world.titles.values()))
    jellyfin.shadowed.add(row.id)
    found = outcome(jellyfin, add(HISTORY, OLD))
    assert sent(jellyfin)[:3] == ["POST /UserItems/UserData", "DELETE /UserPlayedItems", "POST /UserItems/UserData"]
    assert found in ([CONFIRMED], [(Outcome.REJECTED, "ignored")])


@pytest.mark.parametrize(("code", "expected"), [(400, "status-400"), (403, "forbidden")])
def test_what_the_server_refuses(server: MediaBrowser, shelf: Shelf, code: int, expected: str) -> None:
    server.fault(status(code), method="POST")
    made = outcome(server, add(WATCHLIST, Listed()), add(WATCHLIST, Listed(), world.movie(2)))
    assert sorted(made) == sorted([(Outcome.REJECTED, expected), CONFIRMED])


def test_a_user_who_may_not_change_anything(jellyfin: Jellyfin) -> None:
    kim = jellyfin.world.add_user("Kim")
    kim.may_change = False
    made = outcome(jellyfin, add(HISTORY, OLD), user="Kim", token=jellyfin.token(kim))
    assert made == [(Outcome.REJECTED, "forbidden")]


@pytest.mark.parametrize(("code", "error"), [(401, AuthError), (429, UnavailableError)])
@OF_EACH
def test_a_server_that_takes_no_write_at_all_ends_the_run(
    server: MediaBrowser, shelf: Shelf, feature: Feature, value: Value, code: int, error: type[Exception]
) -> None:
    """Not one record failed: the token died, or the server is busy."""
    server.fault(status(code), method="POST", times=None)
    with pytest.raises(error):
        outcome(server, *(add(feature, value, world.movie(n)) for n in range(1, 6)))
    assert code == 429 or len(sent(server)) <= 2


def test_a_token_that_dies_after_a_write_stops_what_is_left(server: MediaBrowser, shelf: Shelf) -> None:
    changes = [add(WATCHLIST, Listed(), world.movie(n)) for n in range(1, 8)]
    server.fault(status(401), method="POST", nth=2, times=None)
    made = receipts(server, *changes)
    told = {(one.outcome, one.code, one.detail) for one in made}
    assert told == {(*CONFIRMED, None), (Outcome.NOT_SENT, "auth", "the server does not take this token")}
    assert [one.outcome for one in made].count(Outcome.CONFIRMED) <= 2


@pytest.mark.parametrize(("fault", "error"), [(status(401), AuthError), (html(), UnavailableError)])
def test_a_failed_look_raises_before_anything_is_written(
    server: MediaBrowser, shelf: Shelf, fault: Any, error: type[Exception]
) -> None:
    server.fault(fault, path="/Items", times=None)
    with pytest.raises(error):
        outcome(server, add(HISTORY, OLD))
    assert sent(server) == []


def test_titles_are_looked_for_in_the_lists_that_were_read(server: MediaBrowser, shelf: Shelf) -> None:
    async def step(made: Real) -> list[int]:
        await made.fetch(HISTORY)
        marks = [made.requests]
        for number in (1, 2):
            await made.apply(HISTORY, [add(HISTORY, OLD, world.movie(number))])
            marks.append(made.requests)
        return marks

    # Each: what the row holds, and the write, whose answer is the proof; at an Emby another look is.
    each = 3 if server.dialect.emby else 2
    assert [after - before for before, after in pairwise(use(provider(server), step))] == [each, each]


@pytest.mark.parametrize("kind", sorted(Kind))
def test_ratings_of_every_kind(server: MediaBrowser, shelf: Shelf, kind: Kind) -> None:
    shelf.put(world.item(kind, 3))
    assert outcome(server, add(RATINGS, Rated(73), world.item(kind, 3))) == [CONFIRMED]
    (value,) = shelf.states(RATINGS, server.world.owner).values()
    assert value == 7.3


def test_an_emby_that_keeps_no_ratings(emby: Emby) -> None:
    emby.keeps_ratings = False
    assert outcome(emby, add(RATINGS, Rated(80))) == [(Outcome.REJECTED, "ignored")]


def test_a_date_that_an_emby_does_not_take_is_no_failure(emby: Emby) -> None:
    emby.keeps_newer = True
    row = next(iter(emby.world.titles.values()))
    emby.world.state(emby.world.owner, row).at = 17_500_000_000_000_000
    assert outcome(emby, add(HISTORY, OLD)) == [CONFIRMED]


def test_twelve_takes_the_header_and_nothing_older() -> None:
    with Jellyfin(version="12.0.0") as server:
        fill(server)
        assert outcome(server, add(HISTORY, OLD)) == [CONFIRMED]


@pytest.mark.parametrize(("kind", "version"), [(Jellyfin, "10.10.7"), (Jellyfin, "12.0.0"), (Emby, "4.9.0.41")])
def test_every_write_is_in_the_documents(kind: type[MediaBrowser], version: str) -> None:
    paper = document(version)
    asked: set[str] = set()
    values: dict[Feature, Value] = {
        HISTORY: OLD,
        RATINGS: Rated(80),
        PROGRESS: Position(600_000, 6_000_000, world.at()),
        WATCHLIST: Listed(),
    }
    with kind(version=version) as server:  # type: ignore[call-arg]
        fill(server)

        def look(request: Any, _reply: Any) -> None:
            assert paper.described(request.method, request.path), request
            asked.update(unknown_parameters(paper, request))

        for feature, value in values.items():
            number = list(values).index(feature) + 1
            item = world.movie(number)
            server.watch = look if server.dialect.emby is False else None
            assert outcome(server, add(feature, value, item)) == [CONFIRMED]
            assert outcome(server, taken(feature, replace(value, at=None), item))[0][0] is Outcome.CONFIRMED
    assert asked == set()
