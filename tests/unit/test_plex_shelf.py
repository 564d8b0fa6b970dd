"""What a simulated Plex library has of titles that hold nothing any more: unwatched, or gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cwsync.errors import UnavailableError
from cwsync.model import AccountSpec, Feature, Item, Kind, Play, SecretRef, Snapshot
from cwsync.model import Shelf as Has
from cwsync.provider import Services
from cwsync.providers.plex import Plex as Real
from simulators.plex import Plex
from simulators.plexfill import Shelf
from simulators.plexworld import MOVIE, Title
from support import world
from support.httpserver import Handler, Reply, Request, drop_after, status
from support.plexhome import Hasty
from support.session import use

H, R, P = Feature.HISTORY, Feature.RATINGS, Feature.PROGRESS
DAY_S = 86400


@pytest.fixture
def plex() -> Iterator[Plex]:
    with Plex() as made:
        yield made


@pytest.fixture
def shelf(plex: Plex) -> Shelf:
    made = Shelf(plex)
    made.put(*(world.movie(n) for n in range(1, 6)), *(world.episode(1, 1, n) for n in range(1, 4)))
    hold(made, H, *(world.movie(n) for n in (1, 2, 3)), world.episode(1, 1, 1))
    return made


def hold(shelf: Shelf, feature: Feature, *items: Item) -> None:
    shelf.hold(shelf.plex.world.owner, [world.entry(item, world.value(feature)) for item in items])


def provider(plex: Plex, memory: Path | None, *, writes: bool = True, user: str = "", **more: Any) -> Real:
    account = AccountSpec("home", "plex", plex.options(**more), {"token": SecretRef("env", "T")})
    token = user or plex.world.owner.server_token
    keep = memory if writes else None
    return Hasty(account, Services(secret=lambda _: token, memory_dir=keep, memory_seen=memory))


def read(plex: Plex, memory: Path | None, feature: Feature = H, *, writes: bool = True, **more: Any) -> Snapshot:
    return use(provider(plex, memory, writes=writes, **more), lambda made: made.fetch(feature))


def has(snapshot: Snapshot, row: Title) -> bool:
    assert snapshot.shelf is not None
    return snapshot.shelf.has(str(row.key))


def knows(snapshot: Snapshot, item: Item) -> bool:
    assert snapshot.shelf is not None
    return snapshot.shelf.knows(item)


def unwatch(plex: Plex, row: Title) -> None:
    plex.world.unscrobble(plex.world.owner, row)


def test_what_was_unwatched_is_there_and_what_was_deleted_is_not(plex: Plex, shelf: Shelf, tmp_path: Path) -> None:
    rows = [shelf.row(world.movie(n)) for n in range(1, 6)]
    first = read(plex, tmp_path)
    assert [has(first, row) for row in rows] == [True, True, True, False, False]
    unwatch(plex, rows[0])
    plex.world.remove(rows[1])
    after = read(plex, tmp_path)
    assert after.complete
    assert [has(after, row) for row in rows] == [True, False, True, False, False]
    assert [knows(after, world.movie(n)) for n in range(1, 6)] == [True, False, False, False, False]
    again = read(plex, tmp_path)
    assert [has(again, row) for row in rows] == [True, False, True, False, False]


def test_a_film_that_is_back_under_another_key_was_not_unwatched(plex: Plex, shelf: Shelf, tmp_path: Path) -> None:
    old = shelf.row(world.movie(1))
    read(plex, tmp_path)
    plex.world.remove(old)
    plex.world.add(shelf.films, MOVIE, old.title, guids=old.guids, guid="com.plexapp.agents.imdb://tt1?lang=en")
    assert not has(read(plex, tmp_path), old)


def test_a_row_that_was_matched_to_another_title_was_not_unwatched(plex: Plex, shelf: Shelf, tmp_path: Path) -> None:
    row = shelf.row(world.movie(1))
    read(plex, tmp_path)
    row.guid, row.guids = "plex://movie/0123456789abcdef01234567", ("imdb://tt7777777",)
    after = read(plex, tmp_path)
    assert not has(after, row)
    assert not knows(after, world.movie(1))


def test_a_library_that_is_left_out_was_not_unwatched(plex: Plex, shelf: Shelf, tmp_path: Path) -> None:
    film, episode = shelf.row(world.movie(1)), shelf.row(world.episode(1, 1, 1))
    read(plex, tmp_path)
    unwatch(plex, shelf.row(world.movie(2)))
    after = read(plex, tmp_path, libraries=["Shows"])
    assert has(after, episode)
    assert not has(after, film)
    assert not has(after, shelf.row(world.movie(2)))


def test_what_is_watched_again_while_it_is_asked_for_was_not_unwatched(
    plex: Plex, shelf: Shelf, tmp_path: Path
) -> None:
    row = shelf.row(world.movie(1))
    read(plex, tmp_path)
    unwatch(plex, row)

    def again(request: Request, handler: Handler) -> Reply:
        plex.world.scrobble(plex.world.owner, row)
        return handler(request)

    plex.pms.fault(again, path="/library/metadata/")
    after = read(plex, tmp_path)
    assert (has(after, row), knows(after, world.movie(1))) == (False, False)


def gone_rating(plex: Plex, row: Title) -> None:
    plex.world.rate(plex.world.owner, row, -1)


def gone_position(plex: Plex, row: Title) -> None:
    plex.world.state(plex.world.owner, row).offset = 0


@pytest.mark.parametrize(("feature", "clear"), [(R, gone_rating), (P, gone_position)], ids=["ratings", "progress"])
def test_ratings_and_positions_are_told_apart_from_files_too(
    plex: Plex, shelf: Shelf, tmp_path: Path, feature: Feature, clear: Callable[[Plex, Title], None]
) -> None:
    hold(shelf, feature, world.movie(4), world.movie(5))
    four, five = shelf.row(world.movie(4)), shelf.row(world.movie(5))
    read(plex, tmp_path, feature)
    clear(plex, four)
    plex.world.remove(five)
    after = read(plex, tmp_path, feature)
    assert (has(after, four), has(after, five)) == (True, False)


def test_a_still_library_is_asked_for_nothing_more_and_few_keys_cost_one_request(
    plex: Plex, shelf: Shelf, tmp_path: Path
) -> None:
    first, second = read(plex, tmp_path), read(plex, tmp_path)
    assert first.requests == second.requests
    kept = (tmp_path / "home-plex-rows.json").read_bytes()
    for n in (1, 2):
        unwatch(plex, shelf.row(world.movie(n)))
    plex.forget()
    third = read(plex, tmp_path, writes=False)
    assert third.requests == first.requests + 1
    keys = ",".join(str(shelf.row(world.movie(n)).key) for n in (1, 2))
    assert [one.path for one in plex.pms.log if one.path.startswith("/library/metadata/")] == [
        f"/library/metadata/{keys}"
    ]
    assert (tmp_path / "home-plex-rows.json").read_bytes() == kept  # a dry run writes nothing


def test_what_cannot_be_asked_for_fails_the_read(plex: Plex, shelf: Shelf, tmp_path: Path) -> None:
    read(plex, tmp_path)
    unwatch(plex, shelf.row(world.movie(1)))
    plex.pms.fault(status(500), path="/library/metadata/", times=None)
    with pytest.raises(UnavailableError):
        read(plex, tmp_path)
    plex.pms.clear_faults()
    assert has(read(plex, tmp_path), shelf.row(world.movie(1)))


def test_what_was_written_is_known_although_it_was_never_read(plex: Plex, shelf: Shelf, tmp_path: Path) -> None:
    row = shelf.row(world.movie(4))
    read(plex, tmp_path)
    plex.pms.fault(drop_after(), path="scrobble")
    change = world.change(H, world.movie(4), None, Play(None))
    use(provider(plex, tmp_path), lambda made: made.apply(H, [change]))
    unwatch(plex, row)
    assert has(read(plex, tmp_path), row)


def test_a_removal_of_ours_is_a_removal(plex: Plex, shelf: Shelf, tmp_path: Path) -> None:
    row = shelf.row(world.movie(1))
    first = read(plex, tmp_path)
    held = next(one for one in first.entries if one.native_key == str(row.key))
    change = world.change(H, held.item, held.value, None, native_key=held.native_key)
    use(provider(plex, tmp_path), lambda made: made.apply(H, [change]))
    assert has(read(plex, tmp_path), row)


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"schema": 1}\n{}\n'], ids=["empty", "other", "checksum"])
def test_without_what_was_kept_nothing_counts_as_unwatched(
    plex: Plex, shelf: Shelf, tmp_path: Path, damage: bytes
) -> None:
    read(plex, tmp_path)
    unwatch(plex, shelf.row(world.movie(1)))
    (tmp_path / "home-plex-rows.json").write_bytes(damage)
    after = read(plex, tmp_path)
    assert not has(after, shelf.row(world.movie(1)))
    assert has(after, shelf.row(world.movie(2)))


def test_what_was_kept_is_of_one_user(plex: Plex, shelf: Shelf, tmp_path: Path) -> None:
    read(plex, tmp_path)
    child = plex.world.add_user("Child")
    assert not has(read(plex, tmp_path, user=child.server_token), shelf.row(world.movie(1)))


def test_rows_that_hold_nothing_are_not_asked_for_for_ever(
    plex: Plex, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = shelf.row(world.movie(1))
    first = read(plex, tmp_path)
    unwatch(plex, row)
    read(plex, tmp_path)
    now = time.time()
    monkeypatch.setattr("cwsync.providers._plexshelf.time.time", lambda: now + 59 * DAY_S)
    assert has(read(plex, tmp_path), row)
    monkeypatch.setattr("cwsync.providers._plexshelf.time.time", lambda: now + 61 * DAY_S)
    late = read(plex, tmp_path)
    assert not has(late, row)
    assert not knows(late, world.movie(1))  # or it would be taken for a title that came back, and marked again
    last = read(plex, tmp_path)
    assert not has(last, row)
    assert not knows(last, world.movie(1))
    assert last.requests == first.requests


def test_a_copy_that_cannot_be_read_may_hold_what_the_other_does_not(plex: Plex, shelf: Shelf, tmp_path: Path) -> None:
    read(plex, tmp_path)
    unwatch(plex, shelf.row(world.movie(1)))
    plex.world.state(plex.world.owner, shelf.row(world.movie(2))).viewed_at = -1
    after = read(plex, tmp_path)
    assert not after.complete
    assert has(after, shelf.row(world.movie(1)))
    assert not knows(after, world.movie(1))


def test_the_watchlist_has_no_shelf(plex: Plex, shelf: Shelf) -> None:
    shelf.plex.world.owner.watchlist.clear()
    snapshot = use(provider(plex, None), lambda made: made.fetch(Feature.WATCHLIST))
    assert snapshot.shelf is None


def test_it_answers_as_a_shelf_does(plex: Plex, shelf: Shelf) -> None:
    found: Has | None = read(plex, None).shelf
    assert found is not None
    assert not found.has("a name of another service")
    assert not found.knows(Item(Kind.MOVIE, (), "Film 1"))
