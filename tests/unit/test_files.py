"""Durable files: owner-only, whole or not at all, never through a symlink."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cwsync import files
from cwsync.config.reading import read_small
from cwsync.config.secrets import resolve_secret
from cwsync.errors import ConfigError, Exit, StateError, UnavailableError
from cwsync.model import SecretRef
from cwsync.render.sanitise import sanitise


@pytest.fixture(autouse=True)
def _no_hook() -> Iterator[None]:
    yield
    files.set_effect_hook(None)


def tree(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def failing(at: int, error: Callable[[], BaseException]) -> tuple[Callable[[str, Path], None], list[str]]:
    """A hook that raises at the `at`-th effect (0 is the first), and the names of all it saw."""
    seen: list[str] = []

    def hook(name: str, path: Path) -> None:
        seen.append(name)
        if len(seen) == at + 1:
            raise error()

    return hook, seen


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_everything_is_owner_only_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        files.make_dir(tmp_path / "a" / "b")
        files.replace_file(tmp_path / "a" / "b" / "one", b"1")
        os.close(files.create(tmp_path / "a" / "b" / "two"))
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "a").rglob("*")}
    assert modes == {"b": 0o700, "one": 0o600, "two": 0o600}
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert files.is_private(tmp_path / "a" / "b" / "one")


def test_replacing_names_each_effect_in_order(tmp_path: Path) -> None:
    path, keep = tmp_path / "f", tmp_path / "old"
    path.write_bytes(b"before")
    hook, seen = failing(99, KeyboardInterrupt)
    files.set_effect_hook(hook)
    files.replace_file(path, b"after", keep=keep)
    assert seen == ["open", "write", "fsync", "link", "fsync-dir", "rename", "fsync-dir"]
    assert tree(tmp_path) == {"f": b"after", "old": b"before"}


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_leaves_the_old_file_and_no_temporary(tmp_path: Path, at: int, number: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"before")
    hook, _ = failing(at, lambda: OSError(number, os.strerror(number)))
    files.set_effect_hook(hook)
    with pytest.raises(StateError) as caught:
        files.replace_file(path, b"after", keep=tmp_path / "old")
    assert caught.value.exit_code == Exit.STATE
    assert path.read_bytes() == b"before"
    assert set(tree(tmp_path)) <= {"f", "old"}


def test_a_full_disk_is_called_that(tmp_path: Path) -> None:
    hook, _ = failing(1, lambda: OSError(errno.ENOSPC, "No space left on device"))
    files.set_effect_hook(hook)
    with pytest.raises(StateError, match="the disk is full"):
        files.replace_file(tmp_path / "f", b"1")


@pytest.mark.parametrize("at", range(7))
def test_a_power_cut_leaves_the_old_content_or_the_new(tmp_path: Path, at: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"before")
    hook, _ = failing(at, KeyboardInterrupt)
    files.set_effect_hook(hook)
    with pytest.raises(KeyboardInterrupt):
        files.replace_file(path, b"after", keep=tmp_path / "old")
    files.set_effect_hook(None)
    assert path.read_bytes() == (b"after" if at == 6 else b"before")
    files.replace_file(path, b"later", keep=tmp_path / "old")
    assert set(tree(tmp_path)) == {"f", "old"}


def test_a_leftover_of_a_crash_is_replaced_not_written_through(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"mine")
    os.link(other, tmp_path / ".f.tmp")
    files.replace_file(tmp_path / "f", b"1")
    assert tree(tmp_path) == {"other": b"mine", "f": b"1"}


@pytest.mark.parametrize("place", ["f", ".f.tmp", "old"])
@pytest.mark.parametrize("dangling", [False, True])
def test_symlinks_are_refused(tmp_path: Path, place: str, dangling: bool) -> None:
    victim = tmp_path / "victim"
    if not dangling:
        victim.write_bytes(b"mine")
    if place != "f":
        (tmp_path / "f").write_bytes(b"before")
    (tmp_path / place).symlink_to(victim)
    with pytest.raises(StateError, match="is a symlink to"):
        files.replace_file(tmp_path / "f", b"1", keep=tmp_path / "old")
    assert victim.exists() is not dangling
    assert dangling or victim.read_bytes() == b"mine"


def test_a_folder_that_is_a_symlink_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(StateError, match="is a symlink to"):
        files.make_dir(tmp_path / "link")


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(StateError, match="cannot write"):
        files.make_dir(tmp_path / "f")


def test_without_links_the_old_content_is_copied(tmp_path: Path) -> None:
    path, keep = tmp_path / "f", tmp_path / "old"
    path.write_bytes(b"before")

    def no_links(name: str, _path: Path) -> None:
        if name == "link":
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    files.set_effect_hook(no_links)
    files.replace_file(path, b"after", keep=keep)
    assert tree(tmp_path) == {"f": b"after", "old": b"before"}
    assert files.is_private(keep)


def test_what_is_not_durable_is_not_synced(tmp_path: Path) -> None:
    hook, seen = failing(99, KeyboardInterrupt)
    files.set_effect_hook(hook)
    files.replace_file(tmp_path / "f", b"1", durable=False)
    assert seen == ["open", "write", "rename"]


def test_reading(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"hello")
    assert files.read_file(tmp_path / "f") == b"hello"
    assert files.read_file(tmp_path / "f", 2) == b"he"
    assert files.read_file(tmp_path / "none") is None
    assert files.read_file(tmp_path / "none" / "deeper") is None


def test_reading_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"")
    for name, why in [
        ("folder", "is not a file"),
        ("pipe", "is not a file"),
        ("link", "is a symlink"),
        ("file/below", "cannot read"),
    ]:
        with pytest.raises(StateError, match=why):
            files.read_file(tmp_path / name)


def test_moving_never_replaces(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    with pytest.raises(FileExistsError):
        files.move(tmp_path / "a", tmp_path / "b")
    assert tree(tmp_path) == {"a": b"a", "b": b"b"}


# --- what reaches the disk, found by leaving it out ---------------------------------------------------


def watched(monkeypatch: pytest.MonkeyPatch, path: Path) -> list[tuple[str, bool]]:
    """The real syncs of the kernel from now on: what was synced, and whether `path` was in place by then."""
    synced: list[tuple[str, bool]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, path.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return synced


def test_the_bytes_are_synced_before_the_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    synced = watched(monkeypatch, path)
    files.replace_file(path, b"1")
    assert synced == [(".f.tmp", False), (tmp_path.name, True)]
    files.make_dir(tmp_path / "folder")
    files.move(path, tmp_path / "folder" / "f")
    assert [name for name, _ in synced[2:]] == [tmp_path.name, "folder", tmp_path.name]


@pytest.mark.parametrize(("number", "fatal"), [(errno.EIO, True), (errno.EINVAL, False), (errno.ENOTSUP, False)])
def test_only_a_folder_that_cannot_be_synced_at_all_is_let_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, fatal: bool
) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_dir():
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    if fatal:
        with pytest.raises(StateError, match="cannot write"):
            files.replace_file(tmp_path / "f", b"1")
    else:
        files.replace_file(tmp_path / "f", b"1")
    assert (tmp_path / "f").read_bytes() == b"1"


def test_a_short_write_goes_on_to_the_last_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    files.replace_file(tmp_path / "f", b"0123456789")
    assert (tmp_path / "f").read_bytes() == b"0123456789"


def test_a_file_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"before")
    with pytest.raises(FileExistsError):
        files.create(tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == b"before"


@pytest.mark.parametrize(("mode", "private"), [(0o600, True), (0o400, True), (0o640, False), (0o604, False)])
def test_private_is_what_neither_the_group_nor_others_can_touch(tmp_path: Path, mode: int, private: bool) -> None:
    (tmp_path / "f").write_bytes(b"1")
    (tmp_path / "f").chmod(mode)
    assert files.is_private(tmp_path / "f") is private


# --- one writer in a folder ---------------------------------------------------------------------------


def test_a_folder_has_one_writer_at_a_time_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "other").symlink_to(tmp_path / "folder")
    with (
        files.writing_in(tmp_path / "folder"),
        pytest.raises(UnavailableError, match="another run is writing here"),
        files.writing_in(tmp_path / "other"),
    ):
        pytest.fail("two at once")
    with files.writing_in(tmp_path / "other"):
        pass


def test_a_writer_that_failed_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), files.writing_in(tmp_path):
        _ = 1 // 0
    with files.writing_in(tmp_path):
        pass


@pytest.mark.parametrize(("number", "fatal"), [(errno.EIO, True), (errno.ENOLCK, False), (errno.ENOTSUP, False)])
def test_only_where_the_file_system_knows_no_locks_it_is_written_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, fatal: bool
) -> None:
    def flock(_descriptor: int, _how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    written: list[str] = []
    if fatal:
        with pytest.raises(StateError), files.writing_in(tmp_path):
            written.append("without a lock")
    else:
        with files.writing_in(tmp_path):
            written.append("without a lock")
    assert written == ([] if fatal else ["without a lock"])


# --- what comes from outside --------------------------------------------------------------------------


def test_the_bytes_of_a_small_file_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"s3cret")
    small = read_small(path, limit=100)
    assert small.data == b"s3cret"
    assert "s3cret" not in repr(small)


def test_the_command_of_a_secret_cannot_read_what_is_typed() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"typed\n")
    os.close(writing)
    kept = os.dup(0)
    try:
        os.dup2(reading, 0)
        with pytest.raises(ConfigError, match="it is empty"):
            resolve_secret(SecretRef("command", "cat", argv=("cat",)), where="accounts.x.token")
    finally:
        os.dup2(kept, 0)
        for descriptor in (kept, reading):
            os.close(descriptor)


@pytest.mark.parametrize("blank", ["\u034f", "\u115f", "\u17b4", "\u2800", "\u3164", "\uffa0"])
def test_letters_that_nobody_sees_do_not_reach_the_screen(blank: str) -> None:
    assert sanitise(f"He{blank}at") == "Heat"
