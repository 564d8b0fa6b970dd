"""A CSV file keeps the reading half of the provider contract."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from contract.suite import Account, ProviderContract
from cwsync.model import AccountSpec, Entry, ExternalId, Feature, Rated, format_when
from cwsync.provider import Provider, Services
from cwsync.providers.csvfile import CsvFile

_HEADER = "type,title,year,season,episode,imdb,tmdb,tvdb,show_title,show_imdb,show_tmdb,show_tvdb,rating,"
_TIMES = {Feature.RATINGS: "rated_at", Feature.HISTORY: "watched_at", Feature.WATCHLIST: "listed_at"}


def _ids(ids: Sequence[ExternalId], prefix: str) -> dict[str, str]:
    return {prefix + one.service: one.value for one in ids}


class File(Account):
    """One file, written as a spreadsheet would."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "list.csv"

    def connect(self, feature: Feature) -> Provider:
        options = {"path": str(self.path), "feature": feature.value, "scale": 100}
        return CsvFile(AccountSpec("file", "csv", options), Services())

    def seed(self, feature: Feature, entries: Sequence[Entry]) -> None:
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, [*_HEADER.split(",")[:-1], _TIMES[feature]])
            writer.writeheader()
            for entry in entries:
                item, value = entry.item, entry.value
                row = {"type": item.kind.value, "title": item.title, "year": item.year}
                row |= {"season": item.season, "episode": item.number, "show_title": item.show_title}
                row |= _ids(item.ids, "") | _ids(item.show_ids, "show_") | {_TIMES[feature]: format_when(value.at)}
                writer.writerow(row | {"rating": value.score if isinstance(value, Rated) else ""})

    def break_reads(self, feature: Feature) -> None:
        self.path.write_bytes(b"\xff\xfe\x00")


class TestCsv(ProviderContract):
    provider = CsvFile

    def make(self, tmp_path: Path) -> Account:
        return File(tmp_path)
