"""The tracker: an account that is a folder of JSON files, one a feature, readable and editable by hand.

A file that is missing is an empty feature. A file that is there and cannot be trusted is a
`DataError`: a slip in an editor must never look like a user who deleted everything. Each write
replaces the file whole and keeps the one before under ``snapshots/``.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Final

from cwsync import files
from cwsync.errors import ConfigError, DataError, UnavailableError
from cwsync.model import (
    AccountSpec,
    Capabilities,
    Change,
    Entry,
    Feature,
    FeatureCaps,
    Item,
    Kind,
    Receipt,
    Snapshot,
    Undecoded,
)
from cwsync.provider import Opened, Option, Services
from cwsync.providers._localfile import collector_off, dangling, decode_utf8, digest, read_error, read_file
from cwsync.providers._trackerblock import BlockDecoder
from cwsync.providers._trackeredit import edit
from cwsync.providers._trackerfile import FileError, parse_file
from cwsync.providers._trackerrow import PLAYABLE, RowError, native_key, row_decoder

SNAPSHOTS: Final = "snapshots"
KEEP_DAYS: Final = 30
KEEP_FILES: Final = 64
ABSENT: Final = "absent"
_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"
_SCORES: Final = tuple(range(10, 101, 5))
_MEND: Final = f"mend it by hand, or put the newest file of this feature under {SNAPSHOTS}/ in its place"


def _caps(kinds: frozenset[Kind], *, scores: tuple[int, ...] = (), history: bool = False) -> FeatureCaps:
    return FeatureCaps(
        read=True,
        add=True,
        update=True,
        remove=True,
        kinds=kinds,
        scores=scores,
        precision_s=0,
        keeps_date=True,
        undated=True,
        plays=history,
        # A second identical play would be a second row. (It is answered ALREADY all the same.)
        idempotent_add=not history,
        batch=100_000,
        stamp_moves_on_removal=True,
    )


class Tracker(Opened):
    """One folder. Knows nothing of networks, so `requests` stays 0."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        title="Tracker (local JSON files)",
        features={
            Feature.WATCHLIST: _caps(frozenset(Kind)),
            Feature.RATINGS: _caps(frozenset(Kind), scores=_SCORES),
            Feature.HISTORY: _caps(PLAYABLE, history=True),
            Feature.PROGRESS: _caps(PLAYABLE),
        },
        staleness=timedelta(0),
        absence_certain=True,
        exact_watermark=True,
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option("path", "path", "the folder of the files; made on the first write", required=True),
    )

    def __init__(self, account: AccountSpec, services: Services) -> None:
        path = account.options.get("path")
        if not isinstance(path, str | Path) or not str(path):
            raise ConfigError("needs `path`, a folder", where=f"accounts.{account.name}.path")
        del services  # nothing is cached
        self._path = Path(path)
        self._folder = self._path
        self.account_id = ""
        self.requests = 0

    async def open(self) -> None:
        """Find the folder. Raises `DataError` for one that is no folder or cannot be listed."""
        try:
            os.scandir(self._path).close()
        except FileNotFoundError:
            if self._path.is_symlink():
                raise dangling(self._path) from None
        except NotADirectoryError:
            hint = "name a folder; the tracker makes it on its first write"
            raise DataError("is not a folder", where=str(self._path), hint=hint) from None
        except OSError as error:
            raise read_error(error, self._path) from error
        self._folder = Path(os.path.realpath(self._path))
        self.account_id = f"tracker:{self._folder}"

    async def aclose(self) -> None:
        """Nothing is held open."""

    async def watermark(self, feature: Feature) -> str | None:
        """A digest of the whole file; ``absent`` when there is none."""
        data = self._read(feature)
        return ABSENT if data is None else digest(data)

    async def fetch(self, feature: Feature) -> Snapshot:
        """Read the whole file. Raises `DataError` when it cannot be trusted."""
        data = self._read(feature)
        if data is None:
            return Snapshot(feature, (), True, self.account_id, ABSENT)
        path = self._file(feature)
        reader = _Reader(feature, path.name, decode_utf8(data, path))
        try:
            with collector_off():
                parse_file(reader.text, feature, reader.take, reader.take_block)
        except FileError as error:
            raise _file_error(error, path, reader.text) from error
        nameless = [row for row in reader.undecoded if row.item is None]
        doubt = f"{_count(len(nameless))} that nothing identifies, first {nameless[0].where}" if nameless else None
        return Snapshot(
            feature,
            tuple(reader.entries),
            complete=not nameless,
            account_id=self.account_id,
            watermark=digest(data),
            undecoded=tuple(reader.undecoded),
            doubt=doubt,
        )

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """Make all changes in one write of the file, or none.

        A record that does not hold `change.before` any more is left alone (``moved``). With
        ``plays = "newest"`` a removal that names no row takes every play of the title, provided that
        `before` is the newest of them. Raises `StateError` when the disk refuses the write and
        `UnavailableError` when someone else wrote the file meanwhile; nothing is written then.
        """
        await asyncio.sleep(0)  # a run that was told to stop stops here, and never in the middle
        path = self._file(feature)
        data = self._read(feature)
        text = None if data is None else decode_utf8(data, path)
        try:
            with collector_off():
                edited, receipts = edit(text, feature, changes)
        except FileError as error:
            raise _file_error(error, path, text or "") from error
        if edited is not None:
            self._write(feature, data, edited.encode("utf-8"))
        return receipts

    def _file(self, feature: Feature) -> Path:
        return self._folder / f"{feature.value}.json"

    def _read(self, feature: Feature) -> bytes | None:
        return read_file(self._file(feature), follow=False)

    def _write(self, feature: Feature, before: bytes | None, data: bytes) -> None:
        files.make_dir(self._folder)
        # Accounts are locked by name. This folder may have several, and other state folders know them too.
        with files.writing_in(self._folder):
            self._replace(feature, before, data)

    def _replace(self, feature: Feature, before: bytes | None, data: bytes) -> None:
        path = self._file(feature)
        keep = None
        if before is not None:
            files.make_dir(self._folder / SNAPSHOTS)
            keep = _free_name(self._folder / SNAPSHOTS, feature)
        if self._read(feature) != before:
            hint = "close the program that edits it, then run the same command again"
            raise UnavailableError("was changed while it was being written", where=str(path), hint=hint)
        files.replace_file(path, data, keep=keep)
        if keep is not None:
            # The write is done and will be answered for. What cannot be dropped now goes with the next.
            with suppress(OSError):
                _prune(keep.parent, feature)


class _Reader:
    """Takes the items of one file in order; counts them and their lines for those that are bad."""

    def __init__(self, feature: Feature, name: str, text: str) -> None:
        self.text = text
        self.entries: list[Entry] = []
        self.undecoded: list[Undecoded] = []
        self._feature = feature
        self._decode = row_decoder(feature)
        self._block = BlockDecoder(feature)
        self._name = name
        self._items = 0
        self._line = 1
        self._line_at = 0

    def take(self, raw: object, start: int, _end: int) -> None:
        """One item: an entry, a row that cannot be read, or no record at all."""
        self._items += 1
        try:
            found = self._decode(raw)
        except RowError as error:
            self.undecoded.append(self._bad(error, start))
            return
        if type(found) is Entry:
            self.entries.append(found)

    def take_block(self, raws: list[object]) -> bool:
        """Many items at once, if there is nothing odd about any of them."""
        entries = self._block.entries(raws)
        if entries is None:
            return False
        self.entries += entries
        self._items += len(entries)
        return True

    def _bad(self, error: RowError, start: int) -> Undecoded:
        self._line += self.text.count("\n", self._line_at, start)
        self._line_at = start
        where = f"{self._name} item {self._items} (line {self._line})"
        name = None
        if isinstance(error.item, Item) and self._feature is not Feature.HISTORY:
            name = native_key(error.item, None)
        return Undecoded(where, error.why, error.item, name)


def _count(number: int) -> str:
    return "1 item" if number == 1 else f"{number} items"


def _file_error(error: FileError, path: Path, text: str) -> DataError:
    place = ""
    if error.at is not None:
        line = text.count("\n", 0, error.at) + 1
        place = f"line {line} column {error.at - text.rfind(chr(10), 0, error.at)}: "
    return DataError(place + error.why, where=str(path), hint=error.hint or _MEND)


def _free_name(folder: Path, feature: Feature) -> Path:
    """A name for the file that is about to be replaced; a clock that stands still costs no snapshot."""
    at = datetime.now(UTC)
    while (path := folder / f"{feature.value}-{at.strftime(_STAMP)}.json").exists():
        at += timedelta(microseconds=1)
    return path


def _prune(folder: Path, feature: Feature) -> None:
    """Drop what is older than 30 days, and the oldest beyond 64. Names that are not ours stay."""
    pattern = re.compile(rf"{feature.value}-\d{{8}}T\d{{6}}\.\d{{6}}Z\.json\Z")
    names = sorted(path.name for path in folder.iterdir() if pattern.match(path.name))
    limit = f"{feature.value}-{(datetime.now(UTC) - timedelta(days=KEEP_DAYS)).strftime(_STAMP)}.json"
    for name in [name for name in names if name < limit] + [name for name in names if name >= limit][:-KEEP_FILES]:
        files.effect("unlink", folder / name)
        (folder / name).unlink()
