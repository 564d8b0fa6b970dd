"""What is remembered of SIMKL beside the library: what ratings of ours filed, and what titles once were."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cwsync.errors import StateError, UnavailableError
from cwsync.model import Receipt
from cwsync.providers._simklmemory import Memory
from cwsync.providers._simklwire import Episode, Row
from cwsync.providers.simkl import Simkl as Provider
from simulators.simkl import Simkl
from simulators.simkl_account import use
from support import world
from support.httpserver import Handler, Reply, Request, drop_after, drop_before
from support.network import Clock
from unit.test_simkl_write import AT, HISTORY, RATINGS, add, clock, film, outcomes, service, write

__all__ = ["clock", "service"]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_what_a_lost_rating_filed_is_known_however_late_it_is_found(
    service: Simkl, clock: Clock, tmp_path: Path
) -> None:
    """Nobody could look what became of it, and the next run is days later."""
    kept: dict[str, Any] = {"folder": tmp_path / "cache"}

    down: list[str] = []

    def gone(request: Request, handler: Handler) -> Reply | None:
        return Reply({}, 500) if down else handler(request)

    async def rate(provider: Provider) -> list[Receipt]:
        await provider.fetch(RATINGS)
        await provider.watermark(RATINGS)
        service.fault(drop_after(), method="POST")
        service.fault(gone, method="GET", times=None)
        down.append("every read")
        return await provider.apply(RATINGS, [add(RATINGS, world.movie(n)) for n in (1, 2)])

    assert outcomes(use(service, rate, **kept)) == [("unknown", "lost-answer")] * 2
    down.clear()
    clock.at += 3 * 86400
    service.user.watch(film(service, 3), AT)

    async def read(provider: Provider) -> set[str]:
        return {entry.item.label() for entry in (await provider.fetch(HISTORY)).entries}

    assert use(service, read, **kept) == {world.movie(3).label()}


def test_what_is_watched_long_after_a_rating_that_never_arrived_is_a_play(
    service: Simkl, clock: Clock, tmp_path: Path
) -> None:
    kept: dict[str, Any] = {"folder": tmp_path / "cache"}
    service.fault(drop_before(), method="POST")
    assert outcomes(write(service, add(RATINGS, world.movie(1)), **kept)) == [("unknown", "unseen")]
    clock.at += 3 * 86400
    service.user.watch(film(service, 1), AT)
    service.user.rate(film(service, 1), 7, AT)

    async def read(provider: Provider) -> int:
        return len((await provider.fetch(HISTORY)).entries)

    assert use(service, read, **kept) == 1


def test_what_simkl_did_not_rate_it_did_not_file(service: Simkl, clock: Clock, tmp_path: Path) -> None:
    """A rating that was refused is forgotten at once."""
    kept: dict[str, Any] = {"folder": tmp_path / "cache"}
    service.titles.by_id.clear()
    assert outcomes(write(service, add(RATINGS, world.movie(1)), **kept)) == [("not_found", None)]
    service.quota = service.used + 1
    with pytest.raises(UnavailableError):
        write(service, add(RATINGS, world.movie(2)), **kept)
    service.quota, service.used = 500, 0
    (memory,) = (tmp_path / "accounts").iterdir()
    assert json.loads(memory.read_bytes().partition(b"\n")[2])["rated"] == {}


def test_what_was_watched_after_all_is_a_play_also_when_its_answer_got_lost(
    service: Simkl, clock: Clock, tmp_path: Path
) -> None:
    """The look that follows reads the row anew, and that one has to forget that a rating filed it."""
    kept: dict[str, Any] = {"folder": tmp_path / "cache"}
    write(service, add(RATINGS, world.movie(1)), **kept)

    async def watch(provider: Provider) -> list[int]:
        before = await provider.fetch(HISTORY)
        clock.at += 60
        service.user.library[film(service, 1).simkl].memo = "a note"
        await provider.watermark(HISTORY)
        service.user.changed(service.user.library[film(service, 1).simkl])
        clock.at += 10
        service.fault(drop_after(), method="POST")
        receipts = await provider.apply(HISTORY, [add(HISTORY, world.movie(1))])
        assert outcomes(receipts) == [("confirmed", None)]
        clock.at += 60
        return [len(before.entries), len((await provider.fetch(HISTORY)).entries)]

    clock.at += 60
    assert use(service, watch, **kept) == [0, 1]


# --- the file -----------------------------------------------------------------------------------


def remembered(folder: Path) -> Memory:
    """A memory with something in it."""
    made = Memory(folder, folder)
    made.load("mine")
    made.expect(["film imdb tt0000001"], NOW)
    made.dress(Row(2, "movies", "completed", {"imdb": "tt0000001"}, rating=8), None)
    show = Row(3, "shows", "watching", {"tvdb": "7"}, episodes=[Episode((1, 2), AT, (2, 1), "99")])
    made.dress(Row(3, "movies", "completed", {"tmdb": "7"}), show)
    made.settle({2, 3}, NOW)
    return made


def test_a_memory_is_read_as_it_was_kept(tmp_path: Path) -> None:
    before = remembered(tmp_path)
    after = Memory(None, tmp_path)
    after.load("mine")
    assert (after.rated, after.filed, after.was) == (before.rated, before.filed, before.was)
    assert after.filed == {2: "completed "}
    assert [one.place for one in after.was[3].episodes] == [(1, 2)]
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o600
    after.drop([2, 3])
    after.save()
    again = Memory(tmp_path, tmp_path)
    again.load("mine")
    assert again.filed, "what may only be read is not written"


@pytest.mark.parametrize(
    "spoil",
    [lambda data: data[:-3], lambda data: b"", lambda data: data.replace(b'"schema": 1', b'"schema": 2')],
)
def test_a_memory_that_is_damaged_is_never_an_empty_one(tmp_path: Path, spoil: Any) -> None:
    remembered(tmp_path)
    path = tmp_path / "mine"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(StateError, match="damaged"):
        Memory(tmp_path, tmp_path).load("mine")


def test_a_row_that_names_no_title_makes_nothing_forgotten(tmp_path: Path) -> None:
    made = remembered(tmp_path)
    made.settle(None, NOW)
    assert made.filed
    made.settle(set(), NOW)
    assert not made.filed
    assert not made.was


@pytest.mark.parametrize("kind", ["ova", "special", None])
def test_a_title_that_changes_its_kind_stays_what_it_was(tmp_path: Path, kind: str | None) -> None:
    made = Memory(tmp_path, tmp_path)
    made.load("mine")
    old = Row(1, "movies", "completed", {"tmdb": "603"})
    new = Row(1, "anime", "completed", {"tmdb": "7", "mal": "5"}, anime_type=kind, n_watched=1)
    made.dress(new, old)
    assert (new.is_film, new.is_anime, new.ids, new.lacks_rows) == (True, False, {"tmdb": "603"}, False)
    back = Row(1, "anime", "completed", {"tmdb": "603"}, anime_type="movie")
    made.dress(back, new)
    assert (back.is_film, back.is_anime, back.was) == (True, True, None)
    assert not made.was
    show = Row(2, "shows", "watching", {"tvdb": "7"}, episodes=[Episode((1, 1), AT)])
    for status, count in (("completed", 1), ("plantowatch", 0)):
        moved = Row(2, "movies", status, {"tmdb": "9"})
        made.dress(moved, show)
        assert (moved.is_film, len(moved.episodes), moved.names()[0]) == (False, count, "show tvdb 7")
