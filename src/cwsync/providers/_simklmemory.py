"""What is known of an account at SIMKL and cannot be read there: what our ratings filed, and what titles once were.

SIMKL files a film that is rated as watched, and does not say why. It may take a film for a show one day. Without
this file the one would be somebody's play, and the other gone. So it stands in the folder that is no cache.

Source: https://api.simkl.org (ratings, anime), CrossWatch issue 296 (checked 2026-11-21).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cwsync import files
from cwsync.errors import StateError
from cwsync.providers._simklwire import Row, Was, decode_time, pack_episode, unpack_episode

_SCHEMA: Final = 1
_FILED_S: Final = 3600  # a title that came into the library later than that was not put there by a rating


@dataclass(slots=True)
class Memory:
    """The memory of one account. `keep` is the folder that is written to, `seen` the one read from; either may be None.

    `rated` are titles that ratings of ours are to have put into the library, and when (seconds since 1970).
    `filed` is how those stood that were found there, `was` what titles were before SIMKL took them for
    another kind; both by SIMKL's own id.
    """

    keep: Path | None = None
    seen: Path | None = None
    name: str = ""
    rated: dict[str, int] = field(default_factory=dict)
    filed: dict[int, str] = field(default_factory=dict)
    was: dict[int, Was] = field(default_factory=dict)
    _text: str = ""

    def load(self, name: str) -> None:
        """Read the file of that name. Raises `StateError` for one that is damaged, or of a newer version."""
        self.name = name
        self._text = self._told()
        path = None if self.seen is None else self.seen / name
        data = None if path is None else files.read_file(path)
        if path is None or data is None:
            return
        told = _decode(data, path)
        self.rated = told["rated"]
        self.filed = {int(number): standing for number, standing in told["filed"].items()}
        self.was = {int(number): _was(one) for number, one in told["was"].items()}
        self._text = self._told()

    def save(self) -> None:
        """Write the file, if there is news. Raises `StateError` for a disk that does not take it."""
        text = self._told()
        if self.keep is None or text == self._text:
            return
        head = {"schema": _SCHEMA, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        files.make_dir(self.keep)
        files.replace_file(self.keep / self.name, f"{json.dumps(head)}\n{text}\n".encode())
        self._text = text

    def _told(self) -> str:
        was = {number: [one.film, one.part, one.ids, one.seasons, one.episodes] for number, one in self.was.items()}
        told = {"rated": self.rated, "filed": self.filed, "was": was}
        return json.dumps(told, separators=(",", ":"), default=pack_episode)

    # --- what ratings filed ---------------------------------------------------------------------

    def expect(self, names: Iterable[str], now: datetime) -> None:
        """These are about to be rated, and may be found in the library afterwards: nobody put them there."""
        self.rated |= dict.fromkeys(names, int(now.timestamp()))
        self.save()

    def unexpect(self, names: Iterable[str]) -> None:
        """These were not rated after all."""
        for name in names:
            self.rated.pop(name, None)
        self.save()

    def free(self, rows: Collection[Row]) -> None:
        """What ratings had filed was watched or wished for by now."""
        for row in rows:
            row.filed = None
            self.filed.pop(row.simkl, None)
        self.save()

    def _is_ours(self, row: Row) -> bool:
        """Whether a title that is new in the library was put there by a rating of ours."""
        if row.rating is None:
            return False
        since = [self.rated[name] for name in row.names() if name in self.rated]
        added = decode_time(row.added_at)
        return any(added is None or added.timestamp() <= at + _FILED_S for at in since)

    # --- rows -----------------------------------------------------------------------------------

    def dress(self, row: Row, old: Row | None) -> None:
        """Put what is known of a title into its row as it is told now. `old` is what it was when last told."""
        if old is not None and old.is_film != row.is_film and row.simkl not in self.was:
            self.was[row.simkl] = Was(old.is_film, old.part, old.ids, old.tvdb_seasons, old.episodes)
        was = self.was.get(row.simkl)
        if was is not None and was.film == row.is_film:
            del self.was[row.simkl]
        elif was is not None:
            row.become(was)
        if old is None and row.simkl not in self.filed and self._is_ours(row):
            self.filed[row.simkl] = row.standing
        row.filed = self.filed.get(row.simkl)

    def drop(self, numbers: Iterable[int]) -> None:
        """Titles that left the library."""
        for number in numbers:
            self.filed.pop(number, None)
            self.was.pop(number, None)

    def settle(self, there: Collection[int] | None, now: datetime) -> None:
        """The library was read: these titles are in it, and what was rated long ago will not be found any more.

        None, where nobody knows which titles are in it.
        """
        if there is not None:
            self.drop((self.filed.keys() | self.was.keys()) - set(there))
        long_ago = now.timestamp() - _FILED_S
        self.rated = {name: at for name, at in self.rated.items() if at > long_ago}
        self.save()


def _was(told: list[Any]) -> Was:
    film, part, ids, seasons, episodes = told
    watched = [unpack_episode(one) for one in episodes]
    return Was(film, part, ids, None if seasons is None else tuple(seasons), watched)


def _decode(data: bytes, path: Path) -> dict[str, Any]:
    head, _, text = data.partition(b"\n")
    wanted = {"schema": _SCHEMA, "sha256": hashlib.sha256(text.removesuffix(b"\n")).hexdigest()}
    if head != json.dumps(wanted).encode():
        hint = "put a copy of it back; without one remove it: films that SIMKL filed when rated then count as watched"
        raise StateError("is damaged, or was written by a newer cwsync", where=str(path), hint=hint)
    found: dict[str, Any] = json.loads(text)
    return found
