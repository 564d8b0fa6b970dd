"""Which changes one write to a file of several episodes carries out, at a simulated Jellyfin and a simulated Emby."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from cwsync.model import Bond, Change, Feature, Item, Play, Position, Rated, Value
from simulators.emby import Emby
from simulators.jellyfin import Jellyfin
from simulators.mediabrowser import MediaBrowser
from simulators.mediabrowserfill import Shelf
from support import world
from support.mediahome import provider
from support.session import use

HISTORY, RATINGS, PROGRESS, WATCHLIST = Feature.HISTORY, Feature.RATINGS, Feature.PROGRESS, Feature.WATCHLIST
PLAY = Play(world.at(-9))
VALUES: dict[Feature, Value] = {HISTORY: PLAY, RATINGS: Rated(80), PROGRESS: Position(600_000)}


@pytest.fixture(params=[Jellyfin, Emby], ids=["jellyfin", "emby"])
def server(request: pytest.FixtureRequest) -> Iterator[MediaBrowser]:
    with request.param() as made:
        shelf = Shelf(made)
        shelf.put(*(world.movie(n) for n in range(1, 4)), *episodes(1, 2))
        yield made


def episodes(*numbers: int) -> list[Item]:
    return [world.episode(1, 1, number, own=False) for number in numbers]


def file(server: MediaBrowser, first: int, last: int | None) -> Any:
    """A file with these episodes of the show."""
    show = next(one for one in server.world.titles.values() if one.kind == "Series")
    return server.world.episode(show, 1, first, index_end=last)


def bonds(server: MediaBrowser, *changes: Change) -> list[Bond | None]:
    """What is said of changes after their feature was read, and that it costs no request."""

    async def step(made: Any) -> Sequence[Bond | None]:
        await made.fetch(changes[0].feature)
        asked = made.requests
        found: Sequence[Bond | None] = await made.bound(changes[0].feature, changes)
        assert made.requests == asked
        return found

    return list(use(provider(server), step))


def adds(feature: Feature, *numbers: int) -> list[Change]:
    return [world.change(feature, item, None, VALUES[feature]) for item in episodes(*numbers)]


def takes(*keys: str) -> list[Change]:
    return [world.change(HISTORY, episodes(int(key[-1]))[0], PLAY, None, native_key=key) for key in keys]


def codes(found: Sequence[Bond | None]) -> list[str | None]:
    return [None if one is None else (one.lacks or one.name).partition(":")[0] for one in found]


def test_all_episodes_of_a_file_are_bound_and_one_alone_is_not_to_be_written(server: MediaBrowser) -> None:
    row = file(server, 7, 8)
    assert bonds(server, *adds(HISTORY, 1, 7, 8)) == [None, Bond(row.id), Bond(row.id)]
    (alone,) = bonds(server, *adds(HISTORY, 8))
    assert alone is not None
    assert alone.lacks == "multi-episode: one file holds the episodes 7 to 8, and not all of them are to be changed"


def test_what_is_taken_away_is_not_bound_to_what_is_added(server: MediaBrowser) -> None:
    row = file(server, 7, 8)
    assert bonds(server, *takes(f"{row.id}#7", f"{row.id}#8")) == [Bond(row.id)] * 2
    assert codes(bonds(server, *takes(f"{row.id}#7"), *adds(HISTORY, 8))) == ["multi-episode"] * 2


def test_a_copy_by_itself_can_be_written_and_is_bound_where_the_file_can_be_too(server: MediaBrowser) -> None:
    row = file(server, 7, 8)
    file(server, 8, None)
    assert bonds(server, *adds(HISTORY, 8)) == [None]
    assert bonds(server, *adds(HISTORY, 7, 8)) == [Bond(row.id)] * 2
    assert codes(bonds(server, *adds(RATINGS, 7, 8))) == ["multi-episode", None]


def test_of_two_files_the_one_that_can_be_written_counts(server: MediaBrowser) -> None:
    file(server, 7, 9)
    row = file(server, 7, 8)
    assert bonds(server, *adds(HISTORY, 7, 8)) == [Bond(row.id)] * 2


@pytest.mark.parametrize("feature", [RATINGS, PROGRESS])
def test_a_rating_or_a_position_of_several_episodes_is_nobodys(server: MediaBrowser, feature: Feature) -> None:
    file(server, 7, 8)
    assert codes(bonds(server, *adds(feature, 1, 7, 8))) == [None, "multi-episode", "multi-episode"]


def test_where_no_file_holds_several_nothing_is_bound(server: MediaBrowser) -> None:
    film = world.change(HISTORY, world.movie(1), None, PLAY)
    assert bonds(server, film, *adds(HISTORY, 1, 2, 99)) == [None] * 4
    file(server, 7, 8)
    assert bonds(server, film, *adds(HISTORY, 1, 2, 99)) == [None] * 4


def test_a_watchlist_has_no_episodes_and_reads_none(server: MediaBrowser) -> None:
    file(server, 7, 8)
    assert bonds(server, world.change(WATCHLIST, world.movie(1), None, world.value(WATCHLIST))) == [None]
