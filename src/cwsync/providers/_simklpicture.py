"""The library as it was last read, kept in a file between runs: SIMKL wants clients to ask for changes alone.

A file that is damaged, of another version, or of another account is not believed; the library is then read whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cwsync import files
from cwsync.model import format_when
from cwsync.providers._simklmemory import Memory
from cwsync.providers._simklwire import Row, Stamps, pack_episode, unpack_episode

SCHEMA: Final = 2


@dataclass(slots=True)
class Bad:
    """A row that could not be read: where it stood, why, and what it is about, as far as is known."""

    part: str
    where: str
    why: str
    simkl: int | None = None
    ids: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Picture:
    """The whole library. `stamps` and `since` are of a moment before it was read; `whole_at` is when all of it was.

    `memory` is what is known of its titles besides; `before` are the rows of the picture that this one replaces.
    """

    account_id: str
    origin: str
    stamps: Stamps
    since: str | None
    whole_at: datetime
    rows: dict[int, Row] = field(default_factory=dict)
    bad: list[Bad] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    before: Mapping[int, Row] = field(default_factory=dict)

    def upsert(self, row: Row) -> None:
        """A row as it is now, in whatever part: it takes the place of what was known."""
        self.memory.dress(row, self.rows.get(row.simkl) or self.before.get(row.simkl))
        self.rows[row.simkl] = row
        self.bad = [one for one in self.bad if one.simkl != row.simkl]

    def move(self, row: Row, part: str) -> None:
        """SIMKL has a title in another part by now, and told nothing else of it."""
        moved = self.rows[row.simkl] = replace(row, part=part, was=None)
        self.memory.dress(moved, row)

    def numbers(self) -> set[int] | None:
        """Every title that is there, readable or not; None where a row does not say which title it is."""
        named = {one.simkl for one in self.bad if one.simkl is not None}
        return None if any(one.simkl is None for one in self.bad) else named | self.rows.keys()

    def spoil(self, bad: Bad) -> None:
        """A row that cannot be read any more. What was known of it stays, in doubt."""
        self.bad = [one for one in self.bad if one.simkl is None or one.simkl != bad.simkl]
        self.bad.append(bad)

    def drop(self, gone: Iterable[int]) -> None:
        """Titles that left the library."""
        numbers = set(gone)
        for number in numbers:
            self.rows.pop(number, None)
        self.memory.drop(numbers)
        self.bad = [one for one in self.bad if one.simkl not in numbers]


def load(path: Path, account_id: str, origin: str, memory: Memory | None = None) -> Picture | None:
    """The picture in a file, if there is one that can be trusted and that is of this account."""
    told = _read(path)
    if told is None or (told["account"], told["origin"]) != (account_id, origin):
        return None
    return _picture(told, memory or Memory())


def whole_at(path: Path) -> datetime | None:
    """When all of the library in a file was read; None when there is no file that can be trusted."""
    told = _read(path)
    return None if told is None else datetime.fromisoformat(told["whole_at"]).astimezone(UTC)


def _read(path: Path) -> dict[str, Any] | None:
    data = files.read_file(path)
    if data is None:
        return None
    head, _, text = data.partition(b"\n")
    wanted = {"schema": SCHEMA, "sha256": hashlib.sha256(text.removesuffix(b"\n")).hexdigest()}
    if head != json.dumps(wanted).encode():
        return None
    told: dict[str, Any] = json.loads(text)
    return told


def save(path: Path, picture: Picture) -> None:
    """Write the file anew. Raises `StateError` for a disk that does not take it."""
    text = json.dumps(_told(picture), separators=(",", ":"))
    head = {"schema": SCHEMA, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    files.make_dir(path.parent)
    files.replace_file(path, f"{json.dumps(head)}\n{text}\n".encode())


_PLAIN: Final = (
    "simkl", "part", "status", "ids", "title", "year", "anime_type", "added_at", "watched_at", "rating", "rated_at",
    "n_watched", "memo", "tvdb_seasons",
)  # fmt: skip


def _told(picture: Picture) -> dict[str, Any]:
    rows = [
        [getattr(row, name) for name in _PLAIN] + [[pack_episode(one) for one in row.episodes]]
        for _, row in sorted(picture.rows.items())
    ]
    bad = [[one.part, one.where, one.why, one.simkl, one.ids] for one in picture.bad]
    kept = {"account": picture.account_id, "origin": picture.origin, "stamps": picture.stamps, "since": picture.since}
    return kept | {"whole_at": format_when(picture.whole_at), "rows": rows, "bad": bad}


def _picture(told: Mapping[str, Any], memory: Memory) -> Picture:
    rows: dict[int, Row] = {}
    for *plain, episodes in told["rows"]:
        values = dict(zip(_PLAIN, plain, strict=True))
        seasons = values.pop("tvdb_seasons")
        watched = [unpack_episode(one) for one in episodes]
        row = Row(**values, tvdb_seasons=None if seasons is None else tuple(seasons), episodes=watched)
        row.filed, row.was = memory.filed.get(row.simkl), memory.was.get(row.simkl)
        rows[row.simkl] = row
    whole_at = datetime.fromisoformat(told["whole_at"]).astimezone(UTC)
    bad = [Bad(*one) for one in told["bad"]]
    return Picture(told["account"], told["origin"], told["stamps"], told["since"], whole_at, rows, bad, memory)
