"""Where Jellyfin and Emby differ: paths, parameters, and how a row is written. Data and pure functions.

Source: Jellyfin's server 10.10.7 to 12.0-rc5 and its OpenAPI documents, those of Emby 4.8.11 and
4.9.0.41, and what clients of Emby report, whose source is closed (checked 2026-11-21).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from cwsync.http.client import Params
from cwsync.model import Feature, Play, Position, Rated, Value, moment
from cwsync.providers._mbwire import TICKS_PER_MS, Row

# What both understand: rows with the user's own data, no pictures, no gaps of a season.
_COMMON: Final[Params] = {
    "EnableUserData": "true",
    "EnableImages": "false",
    "ImageTypeLimit": 0,
    "ExcludeLocationTypes": "Virtual",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One write. `idempotent`: twice is the same as once. `merge`: `body` goes over the whole of what the row holds."""

    method: str
    path: str
    params: Params = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    idempotent: bool = True
    merge: bool = False


class Dialect(ABC):
    """One of the two. `floor` is the oldest version that is served, `newest` the newest major one that is known."""

    name: str
    title: str
    floor: tuple[int, int]
    newest: int
    # How many ids go into one address: that of Jellyfin are longer, and a line of a request has an end.
    ids_at_once: int
    # Whether gaps (episodes without a file) are told by nothing but the name of the file that they lack.
    names_files: bool
    # Whether the answer to a write shows the row as it is stored; else the row is asked for.
    answers_prove: bool
    # Whether a collection goes with its last title.
    drops_empty: bool

    @abstractmethod
    def is_other(self, product: str) -> bool:
        """Whether a ``ProductName`` is that of the other one."""

    @abstractmethod
    def items(self, user: str) -> tuple[str, Params]:
        """Path and parameters of lists of rows."""

    def members(self, user: str, key: str, *, playlist: bool) -> tuple[str, Params]:
        """Path and parameters of what stands in a playlist or in a collection: rows without what a user did."""
        if playlist:
            return f"/Playlists/{key}/Items", {"UserId": user, "EnableUserData": "false", "EnableImages": "false"}
        path, params = self.items(user)
        order: Params = {"SortBy": "DateCreated,SortName", "SortOrder": "Ascending", "EnableTotalRecordCount": "true"}
        return path, {**params, **order, "EnableUserData": "false", "ParentId": key}

    @abstractmethod
    def views(self, user: str) -> tuple[str, Params]:
        """Path and parameters of the libraries of a user."""

    @abstractmethod
    def state(self, user: str, key: str) -> tuple[str, Params]:
        """Path and parameters of one row with what a user did with it."""

    @abstractmethod
    def call(self, user: str, feature: Feature, after: Value | None, row: Row) -> Call:
        """The write that makes `row` hold `after`."""


def _ticks(after: Position) -> int:
    return after.ms * TICKS_PER_MS


def _rating(after: Rated) -> float:
    return after.score / 10


def _dated(at: Any) -> dict[str, str]:
    """The time of a play, where it is known. With ``Z``: one without a zone is taken as local time of the server."""
    return {} if at is None else {"LastPlayedDate": f"{_instant(at):%Y-%m-%dT%H:%M:%S}.0000000Z"}


def _instant(at: Any) -> datetime:
    return moment(at).astimezone(UTC)


def _played(after: Play, row: Row) -> dict[str, Any]:
    """What a played row holds. The position goes: else the row would stay under "continue watching"."""
    return {"Played": True, "PlaybackPositionTicks": 0, "PlayCount": max(row.state.plays, 1), **_dated(after.at)}


class Jellyfin(Dialect):
    """Partial writes that are merged; answers that show the row as it is then."""

    name = "jellyfin"
    title = "Jellyfin"
    floor = (10, 9)
    newest = 12
    ids_at_once = 100
    names_files = False
    answers_prove = True
    drops_empty = False

    def is_other(self, product: str) -> bool:
        return "jellyfin" not in product.lower()

    def items(self, user: str) -> tuple[str, Params]:
        fields = {"Fields": "ProviderIds", "collapseBoxSetItems": "false", "userId": user}
        return "/Items", {**_COMMON, **fields}

    def views(self, user: str) -> tuple[str, Params]:
        return "/UserViews", {"userId": user}

    def state(self, user: str, key: str) -> tuple[str, Params]:
        # Not /UserItems/{key}/UserData: some users may not read there what they may write elsewhere.
        return f"/Items/{key}", {"userId": user}

    def call(self, user: str, feature: Feature, after: Value | None, row: Row) -> Call:
        """Only what is named changes. A date and a rating cannot be cleared that way, so each has its own call."""
        whose: Params = {"userId": user}
        if feature is Feature.WATCHLIST:
            return Call("POST" if after is not None else "DELETE", f"/UserFavoriteItems/{row.key}", whose)
        data = f"/UserItems/{row.key}/UserData"
        if isinstance(after, Play):
            return Call("POST", data, whose, _played(after, row))
        if isinstance(after, Rated):
            return Call("POST", data, whose, {"Rating": _rating(after)})
        if isinstance(after, Position):
            return Call("POST", data, whose, {"PlaybackPositionTicks": _ticks(after), **_dated(after.at)})
        if feature is Feature.RATINGS:
            return Call("DELETE", f"/UserItems/{row.key}/Rating", whose)
        if feature is Feature.PROGRESS:
            return Call("POST", data, whose, {"PlaybackPositionTicks": 0})
        return Call("DELETE", f"/UserPlayedItems/{row.key}", whose)


class Emby(Dialect):
    """Writes that replace everything, so they hold everything; calls of their own where there are such."""

    name = "emby"
    title = "Emby"
    floor = (4, 8)
    newest = 4
    ids_at_once = 200
    names_files = True
    answers_prove = False
    drops_empty = True

    def is_other(self, product: str) -> bool:
        return "jellyfin" in product.lower()

    def items(self, user: str) -> tuple[str, Params]:
        # Without its two names a played row of 4.8 and later has no date and a count of 0.
        fields = "ProviderIds,Path,UserDataLastPlayedDate,UserDataPlayCount"
        return f"/Users/{user}/Items", {**_COMMON, "Fields": fields, "GroupItemsIntoCollections": "false"}

    def views(self, user: str) -> tuple[str, Params]:
        return f"/Users/{user}/Views", {}

    def state(self, user: str, key: str) -> tuple[str, Params]:
        fields = "ProviderIds,UserDataLastPlayedDate,UserDataPlayCount"
        return f"/Users/{user}/Items/{key}", {"Fields": fields}

    def call(self, user: str, feature: Feature, after: Value | None, row: Row) -> Call:
        """What has a call of its own goes that way: everything else puts at risk what it does not name.

        A play with a date counts as one more each time it is sent, so it is sent once.
        """
        whose = f"/Users/{user}"
        if feature is Feature.WATCHLIST:
            return Call("POST" if after is not None else "DELETE", f"{whose}/FavoriteItems/{row.key}")
        played, data = f"{whose}/PlayedItems/{row.key}", f"{whose}/Items/{row.key}/UserData"
        if isinstance(after, Play) and after.at is not None:
            when: Params = {"DatePlayed": f"{_instant(after.at):%Y%m%d%H%M%S}"}
            return Call("POST", played, when, idempotent=False)
        if isinstance(after, Play):
            return Call("POST", data, body=_played(after, row), merge=True)
        if isinstance(after, Rated):
            return Call("POST", data, body={"Rating": _rating(after)}, merge=True)
        if isinstance(after, Position):
            body = {"PlaybackPositionTicks": _ticks(after), **_dated(after.at)}
            return Call("POST", data, body=body, merge=True)
        if feature is Feature.RATINGS:
            return Call("DELETE", f"{whose}/Items/{row.key}/Rating")
        if feature is Feature.PROGRESS:
            return Call("POST", data, body={"PlaybackPositionTicks": 0}, merge=True)
        return Call("DELETE", played)


JELLYFIN: Final = Jellyfin()
EMBY: Final = Emby()
