"""Writing to a simulated Plex: what is sent, what is not, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cwsync.errors import AuthError, UnavailableError
from cwsync.model import Change, Entry, ExternalId, Feature, Item, Kind, Outcome, Play, Position, Rated, Receipt, Value
from simulators.plex import Plex
from simulators.plexfill import Shelf
from simulators.plexworld import EPISODE, MOVIE, SEASON, SHOW, State, Title
from support import world
from support.httpserver import drop_after, drop_before, html, instead, status
from support.plexhome import provider
from support.session import use

H, R, P, W = Feature.HISTORY, Feature.RATINGS, Feature.PROGRESS, Feature.WATCHLIST
WATCHED = Play(None)


@pytest.fixture
def plex() -> Iterator[Plex]:
    with Plex() as made:
        yield made


@pytest.fixture
def shelf(plex: Plex) -> Shelf:
    made = Shelf(plex)
    made.put(*(world.movie(n) for n in range(1, 6)), *(world.episode(1, 1, n) for n in range(1, 4)))
    return made


def write(plex: Plex, feature: Feature, *changes: Change) -> list[Receipt]:
    return use(provider(plex), lambda made: made.apply(feature, changes))


def add(feature: Feature, item: Item, value: Value) -> Change:
    return world.change(feature, item, None, value)


def told(receipts: list[Receipt]) -> list[tuple[str, str | None]]:
    return [(receipt.outcome.value, receipt.code) for receipt in receipts]


def state(plex: Plex, row: Title) -> State:
    return plex.world.state(plex.world.owner, row)


def sent(plex: Plex) -> list[str]:
    return [one.target for one in plex.pms.log if one.path.startswith("/:/")]


# --- plays ------------------------------------------------------------------------------------------------


def test_what_is_watched_is_not_marked_again(plex: Plex, shelf: Shelf) -> None:
    film = shelf.row(world.movie(1))
    plex.world.scrobble(plex.world.owner, film)
    assert told(write(plex, H, add(H, world.movie(1), WATCHED))) == [("already", None)]
    assert (state(plex, film).views, sent(plex)) == (1, [])


def test_an_episode_is_found_by_its_own_ids_or_its_place(plex: Plex, shelf: Shelf) -> None:
    own = world.episode(1, 1, 1, placed=False)
    place = world.episode(1, 1, 2, own=False)
    assert told(write(plex, H, add(H, own, WATCHED), add(H, place, WATCHED))) == [("confirmed", None)] * 2
    assert [state(plex, shelf.row(world.episode(1, 1, n))).views for n in (1, 2, 3)] == [1, 1, 0]


def test_an_episode_that_is_numbered_differently_is_not_marked(plex: Plex, shelf: Shelf) -> None:
    item = Item(Kind.EPISODE, (ExternalId("tvdb_episode:77"),), "Other", show_ids=world.show(1).ids, season=1, number=2)
    assert told(write(plex, H, add(H, item, WATCHED))) == [("not_found", "numbered-differently")]
    assert sent(plex) == []


def test_a_title_that_is_in_no_library(plex: Plex, shelf: Shelf) -> None:
    receipts = write(plex, H, add(H, world.movie(99), WATCHED), add(H, world.movie(1), WATCHED))
    assert told(receipts) == [("not_found", "not-in-library"), ("confirmed", None)]


def test_every_copy_of_a_title_is_written_and_none_twice(plex: Plex, shelf: Shelf) -> None:
    film = shelf.row(world.movie(1))
    edition = plex.world.add(shelf.films, MOVIE, "Film 1", guid=film.guid, guids=film.guids, edition="Cut")
    other = plex.world.add(shelf.films, MOVIE, "Film 1", guid="com.plexapp.agents.imdb://tt0100001?lang=en")
    assert told(write(plex, H, add(H, world.movie(1), WATCHED))) == [("confirmed", None)]
    # The edition shares its guid and followed by itself; the copy of another agent did not.
    assert [state(plex, row).views for row in (film, edition, other)] == [1, 1, 1]
    assert len(sent(plex)) == 2


def test_copies_that_do_not_share_are_written_one_by_one(plex: Plex, shelf: Shelf) -> None:
    plex.world.shared_states = False
    film = shelf.row(world.movie(1))
    edition = plex.world.add(shelf.films, MOVIE, "Film 1", guid=film.guid, guids=film.guids, edition="Cut")
    assert told(write(plex, H, add(H, world.movie(1), WATCHED))) == [("confirmed", None)]
    assert [state(plex, row).views for row in (film, edition)] == [1, 1]


def test_rows_that_are_not_one_title_are_not_guessed_at(plex: Plex, shelf: Shelf) -> None:
    plex.world.add(shelf.films, MOVIE, "One", guids=("imdb://tt7000001", "tmdb://7000001"))
    plex.world.add(shelf.films, MOVIE, "Two", guids=("imdb://tt7000002", "tmdb://7000002"))
    item = Item(Kind.MOVIE, (ExternalId("imdb_movie:tt7000001"), ExternalId("tmdb_movie:7000002")), "Which")
    assert told(write(plex, H, add(H, item, WATCHED))) == [("not_found", "ambiguous")]
    assert sent(plex) == []


def test_a_row_that_went_away_or_became_something_else(plex: Plex, shelf: Shelf) -> None:
    film = shelf.row(world.movie(1))
    plex.world.scrobble(plex.world.owner, film)
    gone = world.change(H, world.movie(1), WATCHED, None, native_key="9999")
    show = world.change(H, world.movie(1), WATCHED, None, native_key=str(shelf.row(world.show(1)).key))
    assert told(write(plex, H, gone, show)) == [("not_found", "gone")] * 2
    assert state(plex, film).views == 1


def test_a_key_that_now_names_another_title(plex: Plex, shelf: Shelf) -> None:
    film = shelf.row(world.movie(1))
    plex.world.scrobble(plex.world.owner, film)
    film.guids = shelf.row(world.movie(2)).guids
    change = world.change(H, world.movie(1), WATCHED, None, native_key=str(film.key))
    assert told(write(plex, H, change)) == [("not_found", "gone")]
    assert state(plex, film).views == 1


# --- lost answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [drop_after(), instead(502), html(200)], ids=["lost", "gateway", "page"])
def test_a_lost_answer_of_a_play_is_looked_up(plex: Plex, shelf: Shelf, fault: Any) -> None:
    plex.pms.fault(fault, path="scrobble")
    (receipt,) = write(plex, H, add(H, world.movie(1), WATCHED))
    views = state(plex, shelf.row(world.movie(1))).views
    assert views <= 1
    assert receipt.outcome is (Outcome.CONFIRMED if views else Outcome.REJECTED)
    assert len(sent(plex)) == 1


def test_a_play_that_may_still_arrive_is_in_doubt(plex: Plex, shelf: Shelf) -> None:
    plex.pms.fault(status(503), path="scrobble")
    (receipt,) = write(plex, H, add(H, world.movie(1), WATCHED))
    assert receipt.outcome is Outcome.UNKNOWN
    assert len(sent(plex)) == 1


def test_a_rating_may_be_sent_again(plex: Plex, shelf: Shelf) -> None:
    plex.pms.fault(drop_before(), path="rate", times=2)
    assert told(write(plex, R, add(R, world.movie(1), Rated(75)))) == [("confirmed", None)]
    assert state(plex, shelf.row(world.movie(1))).rating == 7.5
    assert len(sent(plex)) == 3


def test_what_cannot_be_read_back_is_in_doubt(plex: Plex, shelf: Shelf) -> None:
    plex.pms.fault(html(), path="/library/metadata/", nth=2, times=None)
    (receipt,) = write(plex, H, add(H, world.movie(1), WATCHED))
    assert receipt.outcome is Outcome.UNKNOWN


def test_a_token_that_dies_in_the_middle(plex: Plex, shelf: Shelf) -> None:
    plex.pms.fault(status(401), path="scrobble", nth=2, times=None)
    changes = [add(H, world.movie(n), WATCHED) for n in range(1, 6)]
    receipts = write(plex, H, *changes)
    outcomes = [receipt.outcome for receipt in receipts]
    assert outcomes.count(Outcome.CONFIRMED) == 1
    assert outcomes.count(Outcome.NOT_SENT) == 4
    unsent = {(one.code, one.detail) for one in receipts if one.outcome is Outcome.NOT_SENT}
    assert unsent == {("auth", "the server does not take this token any more")}


@pytest.mark.parametrize("path", ["scrobble", "/library"], ids=["writes", "reads"])
def test_a_token_that_is_dead_before_anything_was_written_needs_a_login(plex: Plex, shelf: Shelf, path: str) -> None:
    plex.pms.fault(status(401), path=path, times=None)
    with pytest.raises(AuthError) as caught:
        write(plex, H, *(add(H, world.movie(n), WATCHED) for n in range(1, 6)))
    assert caught.value.hint == "log in again: cwsync auth login home (or renew the token in the file)"
    assert not [one for one in (shelf.row(world.movie(n)) for n in range(1, 6)) if state(plex, one).views]


def test_a_server_that_puts_off_every_write_is_asked_later(plex: Plex, shelf: Shelf) -> None:
    plex.pms.fault(status(429), path="scrobble", times=None)
    with pytest.raises(UnavailableError):
        write(plex, H, add(H, world.movie(1), WATCHED))


def test_a_server_that_is_away_before_the_first_write(plex: Plex, shelf: Shelf) -> None:
    plex.pms.fault(status(500), path="/library", times=None)
    with pytest.raises(UnavailableError):
        write(plex, H, add(H, world.movie(1), WATCHED))
    assert sent(plex) == []


def test_a_write_that_the_server_refuses(plex: Plex, shelf: Shelf) -> None:
    plex.pms.fault(status(403), path="scrobble", times=None)
    assert told(write(plex, H, add(H, world.movie(1), WATCHED))) == [("rejected", "forbidden")]


# --- ratings and positions ------------------------------------------------------------------------------------


def test_shows_seasons_and_episodes_are_rated(plex: Plex, shelf: Shelf) -> None:
    items = [world.show(1), world.season(1, 1), world.episode(1, 1, 1)]
    assert told(write(plex, R, *(add(R, item, Rated(65)) for item in items))) == [("confirmed", None)] * 3
    assert [state(plex, shelf.row(item)).rating for item in items] == [6.5] * 3


def test_somebody_elses_rating_is_not_overwritten(plex: Plex, shelf: Shelf) -> None:
    plex.world.rate(plex.world.owner, shelf.row(world.movie(1)), 3)
    (receipt,) = write(plex, R, add(R, world.movie(1), Rated(75)))
    assert (receipt.outcome, receipt.moved) == (Outcome.NOT_SENT, True)


@pytest.mark.parametrize(
    ("ms", "expected"),
    [(600_000, ("confirmed", None)), (5_399_000, ("confirmed", None)), (5_400_000, ("rejected", "too-far"))],
)
def test_a_position_never_becomes_a_play(plex: Plex, shelf: Shelf, ms: int, expected: tuple[str, str | None]) -> None:
    assert told(write(plex, P, add(P, world.movie(1), Position(ms, 6_000_000)))) == [expected]
    assert state(plex, shelf.row(world.movie(1))).views == 0


def test_the_position_of_a_watched_title_is_written_but_not_cleared(plex: Plex, shelf: Shelf) -> None:
    film = shelf.row(world.movie(1))
    plex.world.scrobble(plex.world.owner, film)
    assert told(write(plex, P, add(P, world.movie(1), Position(600_000)))) == [("confirmed", None)]
    assert state(plex, film).views == 1
    seen = Position(600_000, film.duration_ms)
    clear = world.change(P, world.movie(1), seen, None, native_key=str(film.key))
    assert told(write(plex, P, clear)) == [("rejected", "watched")]
    assert (state(plex, film).views, state(plex, film).offset) == (1, 600_000)


def test_a_position_that_the_server_does_not_take(plex: Plex, shelf: Shelf) -> None:
    body = {"MediaContainer": {"size": 0, "terminationCode": 2006}}
    plex.pms.fault(status(200, body), path="timeline", times=None)
    assert told(write(plex, P, add(P, world.movie(1), Position(600_000)))) == [("rejected", "ignored")]


def test_the_wrong_user_is_never_written(plex: Plex, shelf: Shelf) -> None:
    child = plex.world.add_user("Child", managed=True)
    done = use(provider(plex, child), lambda made: made.apply(H, [add(H, world.movie(1), WATCHED)]))
    assert told(done) == [("confirmed", None)]
    film = shelf.row(world.movie(1))
    assert (state(plex, film).views, plex.world.state(child, film).views) == (0, 1)


# --- the watchlist ----------------------------------------------------------------------------------------------


def test_a_title_of_no_library_can_be_listed(plex: Plex) -> None:
    plex.world.know("0" * 24, MOVIE, "Elsewhere", 2001, ("tmdb://100100",))
    plex.world.know("1" * 24, SHOW, "Namesake", 2001, ("tmdb://100100",))
    value = world.listed()
    assert told(write(plex, W, add(W, world.movie(99), value))) == [("confirmed", None)]
    assert list(plex.world.owner.watchlist) == ["0" * 24]
    assert told(write(plex, W, add(W, world.movie(99), value))) == [("already", None)]
    assert told(write(plex, W, add(W, world.movie(98), value))) == [("not_found", "not-in-catalogue")]


@pytest.mark.parametrize("fault", [drop_after(), drop_before(), instead(502)], ids=range(3))
def test_a_lost_answer_of_the_watchlist(plex: Plex, shelf: Shelf, fault: Any) -> None:
    plex.discover.fault(fault, path="addToWatchlist")
    (receipt,) = write(plex, W, add(W, world.movie(1), world.listed()))
    assert receipt.outcome in (Outcome.CONFIRMED, Outcome.ALREADY)
    assert len(plex.world.owner.watchlist) == 1


def test_a_watchlist_that_stays_silent_is_in_doubt(plex: Plex, shelf: Shelf) -> None:
    plex.discover.fault(status(500), path="addToWatchlist", times=None)
    (receipt,) = write(plex, W, add(W, world.movie(1), world.listed()))
    assert receipt.outcome is Outcome.UNKNOWN


def test_the_watchlist_is_for_films_and_shows(plex: Plex, shelf: Shelf) -> None:
    assert told(write(plex, W, add(W, world.episode(1, 1, 1), world.listed()))) == [("rejected", "kind")]


def test_a_watchlist_without_its_login(plex: Plex, shelf: Shelf) -> None:
    friend = plex.world.add_user("Friend")
    done = use(provider(plex, friend), lambda made: made.apply(W, [add(W, world.movie(1), world.listed())]))
    assert told(done) == [("not_sent", "auth")]


# --- requests ---------------------------------------------------------------------------------------------------


def test_hundred_writes_take_two_requests_more(plex: Plex, shelf: Shelf) -> None:
    shelf.put(*(world.movie(n) for n in range(1, 101)))
    plex.world.add(shelf.shows, EPISODE, "Stray", parent=plex.world.add(shelf.shows, SEASON, "S", index=1), index=1)
    write(plex, H, *(add(H, world.movie(n), WATCHED) for n in range(1, 101)))
    assert len(sent(plex)) == 100
    others = [call for call in plex.pms.calls() if "/:/" not in call]
    # The server, its libraries, the one page of films, and what the rows hold before and after.
    assert len(others) == 5


def test_seeding_is_what_reading_finds(plex: Plex, shelf: Shelf) -> None:
    entry = Entry(world.movie(1), world.value(P, 2))
    shelf.hold(plex.world.owner, [entry])
    (found,) = use(provider(plex), lambda made: made.fetch(P)).entries
    assert (found.item.ids, found.value) == (entry.item.ids, entry.value)


def test_an_episode_of_an_older_agent_is_found_by_its_place(plex: Plex) -> None:
    shows = plex.world.add_section("Old shows", SHOW)
    plex.old = True
    legacy = "com.plexapp.agents.thetvdb://81189"
    show = plex.world.add(shows, SHOW, "A show", guid="local://1")
    season = plex.world.add(shows, SEASON, "S", parent=show, index=0, guid=f"{legacy}/0?lang=en")
    part = plex.world.add(shows, EPISODE, "Special", parent=season, index=2, guid=f"{legacy}/0/2?lang=en")
    item = Item(Kind.EPISODE, show_ids=(ExternalId("tvdb_show:81189"),), season=0, number=2)
    assert told(write(plex, H, add(H, item, WATCHED))) == [("confirmed", None)]
    assert state(plex, part).views == 1
    unplaced = Item(Kind.EPISODE, show_ids=(ExternalId("tvdb_show:81189"),), season=0)
    assert told(write(plex, H, add(H, unplaced, WATCHED))) == [("not_found", "not-in-library")]
