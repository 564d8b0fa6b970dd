"""The plays of a long history as they were last read one by one, kept between runs. To lose them costs time.

Trakt tells of a long history by titles in a quarter of the requests, but then it names an episode by its show and
its numbers alone. Its numbers are not everybody's: who numbers as TVDB does means another episode by them. So the
ids of the episodes are remembered from the reading that had them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

from cwsync import files
from cwsync.model import Entry, ExternalId, Kind, moment, share_ids
from cwsync.providers._traktwire import trakt_id

# Ids are corrected at Trakt now and then; nothing tells of it.
WHOLE_S: Final = 7 * 86400
_SCHEMA: Final = 1


class Known(NamedTuple):
    """One play: its place in its show (of a film none), when it was (milliseconds), Trakt's number of it, its ids."""

    season: int | None
    number: int | None
    at: int | None
    native: str | None
    title: str | None
    ids: tuple[ExternalId, ...]

    @property
    def row(self) -> tuple[int | None, int | None, int | None]:
        """What a history by titles tells of it."""
        return self.season, self.number, self.at


def millis(at: date | None) -> int | None:
    """A time as it is compared here."""
    return None if at is None else round(moment(at).timestamp() * 1000)


def title_of(entry: Entry) -> str | None:
    """What a history by titles calls the title of a play: its film, or its show."""
    film = entry.item.kind is Kind.MOVIE
    number = trakt_id(entry.item.ids if film else entry.item.show_ids)
    return None if number is None else f"{'movie' if film else 'show'} {number}"


def by_title(entries: Iterable[Entry]) -> dict[str, list[Known]]:
    """Plays under their titles, in an order of their own. What has no title of Trakt's is left out."""
    found: dict[str, list[Known]] = {}
    for entry in entries:
        item, name = entry.item, title_of(entry)
        if name is not None:
            ids = () if item.kind is Kind.MOVIE else item.ids
            label = None if item.kind is Kind.MOVIE else item.title
            play = Known(item.season, item.number, millis(entry.value.at), entry.native_key, label, ids)
            found.setdefault(name, []).append(play)
    for plays in found.values():
        plays.sort(key=lambda one: [(part is not None, part or 0) for part in one.row])
    return found


@dataclass(slots=True)
class KnownPlays:
    """The plays of one account. `keep` is the file that is written, `seen` the one that is read; either may be None.

    A file that is damaged, of another version or account, or old is not believed.
    """

    keep: Path | None = None
    seen: Path | None = None
    _titles: dict[str, list[Known]] = field(default_factory=dict)
    _whole_at: int = 0

    def load(self, account_id: str) -> bool:
        """Read the file; whether it is of use."""
        data = None if self._titles or self.seen is None else files.read_file(self.seen)
        told = None if data is None else _decode(data)
        if told is not None and told["account"] == account_id and 0 <= time.time() - told["whole_at"] < WHOLE_S:
            self._whole_at = told["whole_at"]
            self._titles = {name: [_known(play) for play in plays] for name, plays in told["titles"].items()}
        return bool(self._titles)

    def plays_of(self, name: str, rows: set[Any], fresh: Mapping[str, list[Known]]) -> list[Known] | None:
        """The plays of a title of which Trakt tells `rows`, each once; None when they are not surely these.

        `fresh` are the newest plays of the account, read just now. Episodes that got other numbers since
        are not taken for each other: then a place is new, or one that was known is gone.
        """
        new = fresh.get(name, [])
        named = {one.native for one in new}
        old = [one for one in self._titles.get(name, []) if one.native not in named]
        plays = [*old, *new]
        if len(plays) != len(rows) or {one.row for one in plays} != rows:
            return None
        # Two that are called the same, or episodes without any id: numbers got mixed up, or nothing is known.
        return plays if len({one.ids for one in plays}) == len(plays) else None

    def learn(self, account_id: str, entries: Iterable[Entry], *, whole: bool) -> None:
        """Keep the plays of a complete history. `whole`: every one of them was read just now."""
        titles = by_title(entries)
        if titles == self._titles and not whole:
            return
        self._titles, self._whole_at = titles, int(time.time()) if whole else self._whole_at
        if self.keep is not None:
            told = {"account": account_id, "whole_at": self._whole_at, "titles": titles}
            files.make_dir(self.keep.parent)
            files.replace_file(self.keep, _encode(told), durable=False)


def _known(play: list[Any]) -> Known:
    season, number, at, native, title, ids = play
    return Known(season, number, at, native, title, share_ids(tuple(map(ExternalId, ids))))


def _encode(told: dict[str, Any]) -> bytes:
    text = json.dumps(told, separators=(",", ":"))
    head = {"schema": _SCHEMA, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return f"{json.dumps(head)}\n{text}\n".encode()


def _decode(data: bytes) -> dict[str, Any] | None:
    """What a file says; None, when it is not whole or not of this version."""
    head, _, text = data.partition(b"\n")
    wanted = {"schema": _SCHEMA, "sha256": hashlib.sha256(text.removesuffix(b"\n")).hexdigest()}
    if head != json.dumps(wanted).encode():
        return None
    found: dict[str, Any] = json.loads(text)
    return found
