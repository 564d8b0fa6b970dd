"""What is remembered of an account at SIMKL between runs: whose a token is, and how much of the day's quota is used.

The quota is that of the user, over all applications (of the application, for logins of the old kind).
It starts anew at midnight in New York. SIMKL tells what is left with most answers; what we asked is
counted too, since other applications may use the same quota. To lose the notes costs a request.

Source: https://api.simkl.org (rate limits) (checked 2026-11-21).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cwsync import files
from cwsync.model import format_when, parse_when

LIMITS: Final = {"free": 500, "pro": 1000, "vip": 10_000}
_SCHEMA: Final = 1
_LONGEST: Final = timedelta(hours=26)


def _new_york() -> tzinfo:
    try:
        return ZoneInfo("America/New_York")
    except ZoneInfoNotFoundError:
        return timezone(timedelta(hours=-5))  # a system without zones: an hour off in summer, which harms no count


def next_reset(now: datetime) -> datetime:
    """When the quota starts anew after `now`, in UTC."""
    there = now.astimezone(_new_york())
    day = (there + timedelta(days=1)).date()
    return datetime(day.year, day.month, day.day, tzinfo=there.tzinfo).astimezone(UTC)


@dataclass(slots=True)
class Notes:
    """The notes of one account. `keep` is the file that is written, `seen` the one that is read; either may be None.

    `used` are our own requests since the quota last started anew, `limit` and `left` what SIMKL said;
    `until` is when a quota that is used up starts anew, None while it is not. A file that is damaged or of
    another version is not believed.
    """

    keep: Path | None
    seen: Path | None
    used: int = 0
    limit: int | None = None
    left: int | None = None
    until: datetime | None = None
    reset: datetime | None = None
    owners: dict[str, str] = field(default_factory=dict)
    _dirty: bool = False

    def load(self, now: datetime) -> None:
        """Read the file; what it says of a day that is over is forgotten."""
        data = None if self.seen is None else files.read_file(self.seen)
        told = None if data is None else _decode(data)
        if told is not None:
            self.used, self.limit, self.left, self.owners = told["used"], told["limit"], told["left"], told["owners"]
            self.until, self.reset = _moment(told["until"]), _moment(told["reset"])
        self._roll(now)

    def save(self) -> None:
        """Write the file, if there is news."""
        if self.keep is None or not self._dirty:
            return
        until, reset = format_when(self.until), format_when(self.reset)
        told = {"used": self.used, "limit": self.limit, "left": self.left, "until": until, "reset": reset}
        files.make_dir(self.keep.parent)
        files.replace_file(self.keep, _encode(told | {"owners": self.owners}))
        self._dirty = False

    def count(self, now: datetime) -> None:
        """One more request of ours."""
        self._roll(now)
        self.used += 1
        self._dirty = True

    def hear(self, limit: int | None, left: int | None) -> None:
        """What SIMKL says of the quota."""
        if limit is not None and left is not None:
            self.limit, self.left = limit, left

    def spend(self, now: datetime, wait: timedelta | None) -> datetime:
        """The quota is used up: for as long as SIMKL says, where that is no more than a day. Gives until when."""
        known = wait is not None and timedelta(0) < wait < _LONGEST
        self.until = now + wait if wait is not None and known else next_reset(now)
        self.until, self.left, self._dirty = self.until.replace(microsecond=0), 0, True
        return self.until

    def spent(self, now: datetime) -> datetime | None:
        """Until when nothing may be asked, None when it may."""
        self._roll(now)
        return self.until

    def own(self, digest: str, account_id: str) -> None:
        """Remember whose a token of the file is. There is one such token at a time."""
        self.owners, self._dirty = {digest: account_id}, True

    def _roll(self, now: datetime) -> None:
        if self.until is not None and (now >= self.until or self.until - now > _LONGEST):
            self.until, self.left = None, None
        if self.reset is None or now >= self.reset:
            self.used, self.left, self.reset = 0, None, next_reset(now)


def _moment(text: str | None) -> datetime | None:
    when = parse_when(text)
    return when if isinstance(when, datetime) else None


def _encode(told: dict[str, Any]) -> bytes:
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
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
