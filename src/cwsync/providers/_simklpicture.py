"""The library as it was last read, kept in a file between runs: SIMKL wants clients to ask for changes alone.

A file that is damaged, of another version, or of another account is not believed; the library is then read whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cwsync import files
from cwsync.model import format_when
from cwsync.providers._simklwire import Episode, Row, Stamps

SCHEMA: Final = 1


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

    `rated` are ids of titles that ratings of ours are to have put there, and when (seconds since 1970).
    """

    account_id: str
    origin: str
    stamps: Stamps
    since: str | None
    whole_at: datetime
    rows: dict[int, Row] = field(default_factory=dict)
    bad: list[Bad] = field(default_factory=list)
    rated: dict[str, int] = field(default_factory=dict)

    def upsert(self, row: Row) -> None:
        """A row as it is now, in whatever part: it takes the place of what was known."""
        old = self.rows.get(row.simkl)
        if old is not None:
            row.filed = old.filed
        elif any(name in self.rated for name in row.names()):
            row.filed = row.standing
        self.rows[row.simkl] = row
        self.bad = [one for one in self.bad if one.simkl != row.simkl]

    def spoil(self, bad: Bad) -> None:
        """A row that cannot be read any more. What was known of it stays, in doubt."""
        self.bad = [one for one in self.bad if one.simkl is None or one.simkl != bad.simkl]
        self.bad.append(bad)

    def drop(self, gone: Iterable[int]) -> None:
        """Titles that left the library."""
        numbers = set(gone)
        for number in numbers:
            self.rows.pop(number, None)
        self.bad = [one for one in self.bad if one.simkl not in numbers]


def load(path: Path, account_id: str, origin: str) -> Picture | None:
    """The picture in a file, if there is one that can be trusted and that is of this account."""
    told = _read(path)
    if told is None or (told["account"], told["origin"]) != (account_id, origin):
        return None
    return _picture(told)


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
    "n_watched", "memo", "tvdb_seasons", "filed",
)  # fmt: skip


def _told(picture: Picture) -> dict[str, Any]:
    rows = [
        [getattr(row, name) for name in _PLAIN]
        + [[[*one.place, one.at, one.tvdb, one.tvdb_id, int(one.made_up)] for one in row.episodes]]
        for _, row in sorted(picture.rows.items())
    ]
    bad = [[one.part, one.where, one.why, one.simkl, one.ids] for one in picture.bad]
    kept = {"account": picture.account_id, "origin": picture.origin, "stamps": picture.stamps, "since": picture.since}
    return kept | {"whole_at": format_when(picture.whole_at), "rows": rows, "bad": bad, "rated": picture.rated}


def _picture(told: Mapping[str, Any]) -> Picture:
    rows: dict[int, Row] = {}
    for *plain, episodes in told["rows"]:
        values = dict(zip(_PLAIN, plain, strict=True))
        seasons = values.pop("tvdb_seasons")
        watched = [
            Episode((season, number), at, None if tvdb is None else (tvdb[0], tvdb[1]), own, bool(made_up))
            for season, number, at, tvdb, own, made_up in episodes
        ]
        row = Row(**values, tvdb_seasons=None if seasons is None else tuple(seasons), episodes=watched)
        rows[row.simkl] = row
    whole_at = datetime.fromisoformat(told["whole_at"]).astimezone(UTC)
    bad = [Bad(*one) for one in told["bad"]]
    return Picture(told["account"], told["origin"], told["stamps"], told["since"], whole_at, rows, bad, told["rated"])
