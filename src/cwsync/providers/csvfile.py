"""A CSV file as an account that can only be read: an export of another service, or one's own list.

A file that cannot be read, has no header or a header that means nothing is a `DataError`, never an
empty feature. A bad row is listed with its line and makes the snapshot incomplete; it never stops
the good ones.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Final, Protocol, cast

from cwsync.errors import ConfigError, DataError
from cwsync.model import (
    AccountSpec,
    Capabilities,
    Change,
    Entry,
    Feature,
    FeatureCaps,
    Kind,
    Outcome,
    Receipt,
    Snapshot,
    Undecoded,
)
from cwsync.provider import Opened, Option, Services
from cwsync.providers._csvformats import FormatError, Layout, recognise
from cwsync.providers._csvrow import Decode, RowError, row_decoder
from cwsync.providers._localfile import collector_off, decode_utf8, digest, read_error, read_file

MAX_FIELD: Final = 1024 * 1024
_FIRST_LINE: Final = re.compile(r"[^\r\n]*\S[^\r\n]*")
_FEATURES: Final = (Feature.WATCHLIST, Feature.RATINGS, Feature.HISTORY)
_PLAYABLE: Final = frozenset({Kind.MOVIE, Kind.EPISODE})


def _caps(feature: Feature) -> FeatureCaps:
    history = feature is Feature.HISTORY
    scores = tuple(range(1, 101)) if feature is Feature.RATINGS else ()
    kinds = _PLAYABLE if history else frozenset(Kind)
    return FeatureCaps(read=True, kinds=kinds, scores=scores, undated=True, plays=history, stamp_moves_on_removal=True)


class CsvFile(Opened):
    """One file that holds one feature."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        title="CSV file (read only)",
        features={feature: _caps(feature) for feature in _FEATURES},
        staleness=timedelta(0),
        absence_certain=True,
        exact_watermark=True,
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option("path", "path", "the file", required=True),
        Option("feature", "text", "what it holds", required=True, choices=tuple(one.value for one in _FEATURES)),
        Option("columns", "table", "our column names and the file's, where they differ"),
        Option("scale", "integer", "the file's own top rating (default: 5 for Letterboxd, else 10)"),
    )

    def __init__(self, account: AccountSpec, services: Services) -> None:
        where = f"accounts.{account.name}"
        path, feature = account.options.get("path"), account.options.get("feature")
        scale, columns = account.options.get("scale"), account.options.get("columns") or {}
        if not isinstance(path, str | Path) or not str(path):
            raise ConfigError("needs `path`, a file", where=f"{where}.path")
        if feature not in _FEATURES:
            raise ConfigError(f"`feature` is one of {', '.join(_FEATURES)}", where=f"{where}.feature")
        if scale is not None and (type(scale) is not int or not 1 <= scale <= 1000):
            raise ConfigError("`scale` is a whole number from 1 to 1000", where=f"{where}.scale")
        if not isinstance(columns, Mapping) or not all(
            isinstance(one, str) for pair in columns.items() for one in pair
        ):
            raise ConfigError("`columns` is a table of text", where=f"{where}.columns")
        del services  # nothing is cached
        self._path = Path(path)
        self._feature = Feature(cast("str", feature))
        self._scale = scale
        self._columns: Mapping[str, str] = dict(columns)
        self.account_id = "csv"
        self.requests = 0

    async def open(self) -> None:
        """Look whether there is a file. Raises `DataError` when there is none."""
        try:
            there = self._path.is_file()
        except OSError as error:
            raise read_error(error, self._path) from error
        if not there:
            self._read()

    async def aclose(self) -> None:
        """Nothing is held open."""

    async def watermark(self, feature: Feature) -> str | None:
        """A digest of the whole file."""
        self._check(feature)
        return digest(self._read())

    async def fetch(self, feature: Feature) -> Snapshot:
        """Read the whole file. Raises `DataError` when its header means nothing."""
        self._check(feature)
        data = self._read()
        text = decode_utf8(data, self._path).removeprefix("\ufeff")
        with _large_fields(), collector_off():
            entries, undecoded, elsewhere = self._rows(text)
        bad = len(undecoded)
        return Snapshot(
            feature,
            tuple(entries),
            complete=not bad,
            account_id=self.account_id,
            watermark=digest(data),
            undecoded=tuple(undecoded),
            doubt=f"{bad} bad {'row' if bad == 1 else 'rows'}, first {undecoded[0].where}" if bad else None,
            warnings=tuple(f"{count} of type {name} left out" for name, count in sorted(elsewhere.items())),
        )

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """Nothing is ever written: every change is rejected."""
        detail = f"a CSV file of {feature.value} is only read"
        return [Receipt(change, Outcome.REJECTED, "read-only", detail=detail) for change in changes]

    def _check(self, feature: Feature) -> None:
        if feature is not self._feature:
            hint = f'give {feature.value} a CSV account of its own, or say feature = "{feature.value}" for this one'
            raise DataError(f"holds {self._feature.value}, not {feature.value}", where=str(self._path), hint=hint)

    def _read(self) -> bytes:
        data = read_file(self._path, follow=True)
        if data is None:
            raise DataError("does not exist", where=str(self._path), hint="check `path` of this account")
        return data

    def _rows(self, text: str) -> tuple[list[Entry], list[Undecoded], Counter[str]]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
        layout = self._layout(reader)
        decode = row_decoder(layout, self._feature, self._scale or layout.scale)
        entries: list[Entry] = []
        undecoded: list[Undecoded] = []
        elsewhere: Counter[str] = Counter()
        for where, cells in _records(reader):
            try:
                found = _decoded(cells, layout.width, decode)
            except RowError as error:
                undecoded.append(Undecoded(where, error.why, error.item))
                continue
            if isinstance(found, Entry):
                entries.append(found)
            elif found is not None:
                elsewhere[found] += 1
        return entries, undecoded, elsewhere

    def _layout(self, reader: _Reader) -> Layout:
        try:
            header = next((cells for cells in reader if cells), [])
            return recognise(header, self._feature, self._columns)
        except csv.Error as error:
            raise DataError(f"the header cannot be read: {error}", where=str(self._path)) from None
        except FormatError as error:
            raise DataError(error.why, where=str(self._path), hint=error.hint) from None


class _Reader(Protocol):
    """A csv reader: it knows the last line that it took."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


def _records(reader: _Reader) -> Iterator[tuple[str, list[str] | str]]:
    """Each record with the line it begins on; text says why one cannot be split into cells."""
    while True:
        where = f"line {reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # The reader goes on with the next line, so one stray quote costs one row.
            yield where, str(error)
            continue
        if any(cells):
            yield where, cells


def _decoded(cells: list[str] | str, width: int, decode: Decode) -> Entry | str | None:
    if isinstance(cells, str):
        raise RowError(f"cannot be split into fields: {cells}")
    if len(cells) != width:
        raise RowError(f"has {len(cells)} fields, the header has {width}")
    return decode(cells)


def _delimiter(text: str) -> str:
    """What separates the columns: the most frequent of comma, semicolon and tab in the header."""
    header = _FIRST_LINE.search(text)
    bare = "".join(header[0].split('"')[::2]) if header else ""  # what stands outside quotes
    return max(",;\t", key=bare.count)


@contextmanager
def _large_fields() -> Iterator[None]:
    """Let a field be up to 1 MiB long, for as long as this file is read."""
    before = csv.field_size_limit(MAX_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)
