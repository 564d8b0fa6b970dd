"""What a simulated Jellyfin and a simulated Emby have, held or not: a row that is gone was unwatched by nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cwsync.model import Feature, Item
from cwsync.model import Shelf as Shown
from simulators.emby import Emby
from simulators.jellyfin import Jellyfin
from simulators.mediabrowser import MediaBrowser
from simulators.mediabrowserfill import Shelf
from support import world
from support.mediahome import provider, read
from support.session import use

HISTORY = Feature.HISTORY


@pytest.fixture(params=[Jellyfin, Emby], ids=["jellyfin", "emby"])
def server(request: pytest.FixtureRequest) -> Iterator[MediaBrowser]:
    with request.param() as made:
        yield made


@pytest.fixture
def shelf(server: MediaBrowser) -> Shelf:
    made = Shelf(server)
    made.put(*(world.movie(n) for n in range(1, 4)), *(world.episode(1, 1, n) for n in range(1, 4)))
    return made


def shown(server: MediaBrowser, feature: Feature = HISTORY) -> Shown:
    found = read(server, feature).shelf
    assert found is not None
    return found


def test_rows_are_on_the_shelf_whether_they_are_held_or_not(server: MediaBrowser, shelf: Shelf) -> None:
    server.world.mark(server.world.owner, shelf.row(world.movie(1)))
    found = shown(server)
    for item in (world.movie(1), world.movie(2), world.episode(1, 1, 1)):
        assert found.has(shelf.row(item).id)
        assert found.knows(item)
    assert not found.has("nobody")
    assert not found.knows(world.movie(99))


def test_a_row_that_was_replaced_is_gone_and_its_title_is_known(server: MediaBrowser, shelf: Shelf) -> None:
    old = shelf.row(world.movie(1)).id
    server.world.renew(shelf.row(world.movie(1)), keep=False)
    found = shown(server)
    assert not found.has(old)
    assert found.knows(world.movie(1))


def test_a_row_whose_file_was_deleted_is_gone(server: MediaBrowser, shelf: Shelf) -> None:
    row = shelf.row(world.episode(1, 1, 2))
    server.world.remove(row)
    found = shown(server)
    assert not found.has(row.id)
    assert not found.knows(world.episode(1, 1, 2))


def test_a_row_that_is_counted_and_never_shown_is_not_known(server: MediaBrowser, shelf: Shelf) -> None:
    row = shelf.row(world.movie(2))
    server.hidden.add(row.id)
    found = shown(server)
    assert (found.has(row.id), found.knows(world.movie(2))) == (False, False)
    assert found.knows(world.movie(1))


def test_an_episode_is_known_by_its_place_and_never_by_its_name(server: MediaBrowser, shelf: Shelf) -> None:
    found = shown(server)
    assert found.knows(world.episode(1, 1, 2, own=False))
    assert not found.knows(world.episode(1, 2, 2, own=False))
    film = world.movie(1)
    assert not found.knows(Item(film.kind, (), film.title, film.year))


def test_a_file_of_two_episodes_has_both_and_no_third(server: MediaBrowser, shelf: Shelf) -> None:
    row = server.world.episode(shelf.row(world.show(1)), 1, 6, {"Imdb": "tt7777777"}, index_end=7)
    found = shown(server)
    assert [found.has(f"{row.id}#{n}") for n in (5, 6, 7, 8)] == [False, True, True, False]
    assert found.knows(world.episode(1, 1, 7, own=False))
    row.index_end = None  # a file of its own came for the second one
    assert not shown(server).has(f"{row.id}#7")


def test_a_row_that_cannot_be_read_is_there_all_the_same(server: MediaBrowser, shelf: Shelf) -> None:
    row = shelf.row(world.movie(2))
    server.world.state(server.world.owner, row).rating = 99
    found = read(server, HISTORY)
    assert found.shelf is not None
    assert [one.native_key for one in found.undecoded] == [row.id]
    assert found.shelf.has(row.id)


def test_seasons_are_known_where_they_were_read(server: MediaBrowser, shelf: Shelf) -> None:
    assert shown(server, Feature.RATINGS).knows(world.season(1, 1))
    assert not shown(server, Feature.HISTORY).knows(world.season(1, 1))
    assert not shown(server, Feature.WATCHLIST).knows(world.episode(1, 1, 1))


def test_features_of_one_scan_share_a_shelf_and_a_second_look_has_its_own(server: MediaBrowser, shelf: Shelf) -> None:
    async def step(made: object) -> list[object]:
        one = await made.fetch(HISTORY)  # type: ignore[attr-defined]
        other = await made.fetch(Feature.PROGRESS)  # type: ignore[attr-defined]
        server.world.remove(shelf.row(world.movie(1)))
        again = await made.fetch(HISTORY)  # type: ignore[attr-defined]
        assert one.shelf.knows(world.movie(1))
        assert not again.shelf.knows(world.movie(1))
        return [one.shelf, other.shelf]

    one, other = use(provider(server), step)
    assert one is other
