"""The tracker on its disk: modes, copies of the files before, cuts, and a disk that refuses."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cwsync import files
from cwsync.errors import DataError, StateError, UnavailableError
from cwsync.model import Outcome
from cwsync.provider import Provider
from cwsync.providers.tracker import KEEP_FILES, Tracker
from support.trackerfolder import M1, RATINGS, add, apply, fetch, film, one, tracker, write_items, write_text
from support.world import movie, rated


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tracker"


def test_folders_and_files_are_the_owners_alone(folder: Path) -> None:
    umask = os.umask(0)
    try:
        for n in (1, 2):
            apply(folder, add(RATINGS, movie(n), rated(8)))
    finally:
        os.umask(umask)
    modes = {path.relative_to(folder).parts[0]: path.stat().st_mode & 0o777 for path in folder.rglob("*")}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert modes["snapshots"] in (0o700, 0o600)
    assert modes["ratings.json"] == 0o600


def test_a_folder_that_exists_keeps_its_mode(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    apply(folder, add(RATINGS, M1, rated(8)))
    assert folder.stat().st_mode & 0o777 == 0o755


def test_nothing_is_written_while_someone_else_writes_in_the_folder(folder: Path) -> None:
    write_items(folder, film(1))
    before = (folder / "ratings.json").read_bytes()
    with files.writing_in(folder), pytest.raises(UnavailableError, match="another run is writing here"):
        apply(folder, add(RATINGS, movie(2), rated(8)))
    assert (folder / "ratings.json").read_bytes() == before
    assert [receipt.outcome for receipt in apply(folder, add(RATINGS, movie(2), rated(8)))] == [Outcome.CONFIRMED]


def test_each_write_keeps_the_file_before(folder: Path) -> None:
    texts = []
    for n in range(1, 5):
        apply(folder, add(RATINGS, movie(n), rated(8)))
        texts.append((folder / "ratings.json").read_text())
    kept = sorted((folder / "snapshots").iterdir())
    assert [path.read_text() for path in kept] == texts[:-1]
    assert all(path.name.startswith("ratings-") and path.name.endswith("Z.json") for path in kept)
    assert one(folder, add(RATINGS, movie(1), rated(8))) == ("already", None)
    assert sorted((folder / "snapshots").iterdir()) == kept


def _stamp(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y%m%dT%H%M%S.%fZ")


def test_old_snapshots_go_and_other_files_stay(folder: Path) -> None:
    write_items(folder, film(1))
    kept = folder / "snapshots"
    kept.mkdir()
    stay = ["history-20200101T000000.000000Z.json", "ratings-before-holidays.json", f"ratings-{_stamp(29.9)}.json"]
    go = [f"ratings-{_stamp(30.1)}.json", "ratings-20200101T000000.000000Z.json"]
    for name in stay + go:
        (kept / name).write_text("x")
    apply(folder, add(RATINGS, movie(2), rated(8)))
    names = {path.name for path in kept.iterdir()}
    assert names >= set(stay)
    assert not names & set(go)
    assert len(names) == len(stay) + 1


def test_no_more_than_64_snapshots_a_feature(folder: Path) -> None:
    write_items(folder, film(1))
    kept = folder / "snapshots"
    kept.mkdir()
    old = [f"ratings-{_stamp(20 - n / 10)}.json" for n in range(KEEP_FILES + 6)]
    for name in old:
        (kept / name).write_text("x")
    apply(folder, add(RATINGS, movie(2), rated(8)))
    names = sorted(path.name for path in kept.iterdir())
    assert len(names) == KEEP_FILES
    assert names[:-1] == old[-(KEEP_FILES - 1) :]


@contextmanager
def hooked(hook: Callable[[str, Path], None]) -> Iterator[None]:
    before = files.set_effect_hook(hook)
    try:
        yield
    finally:
        files.set_effect_hook(before)


def test_a_cut_anywhere_leaves_the_old_file_or_the_new_one(folder: Path) -> None:
    class CutError(BaseException):
        pass

    def cut_at(number: int) -> Callable[[str, Path], None]:
        steps = iter(range(1, 1000))

        def cut(name: str, where: Path) -> None:
            if next(steps) == number:
                raise CutError

        return cut

    for number in range(1, 100):
        path = write_items(folder, film(1))
        old = path.read_bytes()
        try:
            with hooked(cut_at(number)):
                apply(folder, add(RATINGS, movie(2), rated(8)))
        except CutError:
            assert path.read_bytes() == old or len(fetch(folder).entries) == 2
            assert one(folder, add(RATINGS, movie(2), rated(8)))[0] in ("confirmed", "already")
            assert len(fetch(folder).entries) == 2
        else:
            break
    assert 5 < number < 20


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_refuses_is_an_error_and_changes_nothing(folder: Path, code: int) -> None:
    path = write_items(folder, film(1))
    before = path.read_bytes()

    def refuse(name: str, where: Path) -> None:
        if name == "write":
            raise OSError(code, os.strerror(code))

    with hooked(refuse), pytest.raises(StateError):
        apply(folder, add(RATINGS, movie(2), rated(8)))
    assert path.read_bytes() == before
    assert fetch(folder).complete


def test_an_edit_during_the_write_wins(folder: Path) -> None:
    path = write_items(folder, film(1))
    edited = json.dumps({"schema": 1, "feature": "ratings", "items": [film(7)]})

    def edit(name: str, where: Path) -> None:
        if name == "mkdir":
            path.write_text(edited)

    with hooked(edit), pytest.raises(UnavailableError, match="while it was being written") as caught:
        apply(folder, add(RATINGS, movie(2), rated(8)))
    assert caught.value.hint
    assert path.read_text() == edited


def test_a_stopped_run_writes_nothing(folder: Path) -> None:
    async def session() -> None:
        async with tracker(folder) as provider:
            task = asyncio.ensure_future(provider.apply(RATINGS, [add(RATINGS, M1, rated(8))]))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(session())
    assert not folder.exists()


def test_the_watermark_is_that_of_the_bytes(folder: Path) -> None:
    path = write_items(folder, film(1))
    before = fetch(folder).watermark
    path.write_bytes(path.read_bytes() + b"\n")
    assert fetch(folder).watermark != before


def test_the_collector_is_on_again_after_a_read(folder: Path) -> None:
    import gc

    write_text(folder, "{")
    with pytest.raises(DataError):
        fetch(folder)
    assert gc.isenabled()


def test_it_is_a_provider() -> None:
    provider: type[Provider] = Tracker
    assert provider.capabilities.of(RATINGS).scores == tuple(range(10, 101, 5))
