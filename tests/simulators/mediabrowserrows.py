"""Rows of a Jellyfin or an Emby as they go over the wire, and the choice and the order of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from simulators.mediabrowserworld import (
    EPISODE,
    SEASON,
    SECOND,
    SERIES,
    Library,
    State,
    Title,
    User,
    World,
    dated,
    ticks,
)

Row = dict[str, Any]
NO_ID = "0" * 32


class RefusedError(Exception):
    """The server says no: a status, and the text it gives (None: what belongs to the status)."""

    def __init__(self, status: int, text: str | None = None) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


@dataclass(frozen=True)
class Dialect:
    """What a server of one kind and version does with rows.

    `emby`: the other dialect. `real_item_ids`: user data names its item (from 10.11 on). `typed`:
    rows say where they are (``LocationType``), also those of files; `says_virtual`: those without a file do.
    """

    emby: bool
    version: tuple[int, ...]
    real_item_ids: bool = True
    typed: bool = True
    says_virtual: bool = True


@dataclass(frozen=True)
class Query:
    """The parameters of a request; their names have no case, lists are split at commas."""

    values: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """One as it is, None when it is absent or empty."""
        return self.values.get(name) or None

    def words(self, name: str) -> list[str]:
        """A list."""
        return [word.strip() for word in self.values.get(name, "").split(",") if word.strip()]

    def flag(self, name: str, otherwise: bool | None = None) -> bool | None:
        """A truth value. Raises `RefusedError` for what is none."""
        found = self.text(name)
        if found is None:
            return otherwise
        if found.lower() not in ("true", "false"):
            raise RefusedError(400, f"binding:{name}:{found}")
        return found.lower() == "true"

    def number(self, name: str) -> int | None:
        """A whole number. Raises `RefusedError` for what is none."""
        found = self.text(name)
        if found is None:
            return None
        try:
            return int(found)
        except ValueError:
            raise RefusedError(400, f"binding:{name}:{found}") from None


@dataclass
class Texts:
    """Rows as JSON without what anybody did with them, kept while their titles stay as they are."""

    kept: dict[tuple[str, frozenset[str]], tuple[object, str]] = field(default_factory=dict)

    def row(self, look: Look, row: Title) -> str:
        """A row as JSON, with what the user did with it."""
        series = row.series
        now = (row.name, row.year, row.index, row.index_end, row.runtime, row.saved, row.virtual, row.versions)
        state = (*now, *row.ids.items(), series.name if series else None, row.season)
        kept = self.kept.get((row.id, look.fields))
        if kept is None or kept[0] != state or "recursiveitemcount" in look.fields:
            kept = self.kept[row.id, look.fields] = (state, as_json(bare_row(look, row)))
        if look.user is None or not look.user_data:
            return kept[1]
        return f'{kept[1][:-1]},"UserData":{as_json(user_data(look, row))}}}'


def as_json(value: object) -> str:
    """JSON as it is sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass
class Look:
    """Who looks at which rows with which fields, and whether at a listing (which may lag) or at one row.

    `late`: a look at one row may lag, too; what a write answers does not.
    """

    world: World
    dialect: Dialect
    user: User | None
    fields: frozenset[str] = frozenset()
    everything: bool = False
    user_data: bool = True
    listing: bool = True
    late: bool = False
    unplayed: dict[str, tuple[int, int]] = field(default_factory=dict)

    def wants(self, name: str) -> bool:
        """Whether a field was asked for; its name in lower case."""
        return self.everything or name in self.fields

    def state(self, row: Title) -> State:
        """What the user did with a row, as it is shown here."""
        assert self.user is not None
        single = self.world.looked if self.late else self.world.read
        state = (self.world.listed if self.listing else single)(self.user, row)
        return self.world.joins(self.user, row, state) if row.versions > 1 else state

    def count(self, row: Title) -> tuple[int, int]:
        """How many episodes of a row are unplayed, and how many there are."""
        found = self.unplayed.get(row.id)
        if found is None:
            states = [self.state(leaf).played for leaf in row.leaves()]
            found = self.unplayed[row.id] = (states.count(False), len(states))
        return found

    def played(self, row: Title) -> bool:
        """Whether a row was played: a series when nothing of it is left, also when there is nothing in it."""
        return self.state(row).played if row.leaf else self.count(row)[0] == 0


def user_data(look: Look, row: Title, *, whole: bool = False) -> Row:
    """What the user did with a row. `whole` has what Emby gives only when it is asked for."""
    state, dialect = look.state(row), look.dialect
    found: Row = {"PlaybackPositionTicks": state.position, "PlayCount": state.count, "IsFavorite": state.favourite}
    if state.rating is not None:
        found["Rating"] = state.rating
        if not dialect.emby:
            found["Likes"] = state.rating >= 6.5
    if row.leaf and state.position and row.runtime and not dialect.emby:
        found["PlayedPercentage"] = state.position / row.runtime * 100
    if not row.leaf:
        left, total = look.count(row)
        found |= {"UnplayedItemCount": left, "PlayCount": 0}
        if total and not dialect.emby and (dialect.version >= (12,) or look.wants("recursiveitemcount")):
            found["PlayedPercentage"] = (total - left) / total * 100
    found["Played"] = look.played(row)
    if row.leaf and state.at is not None:
        found["LastPlayedDate"] = dated(state.at)
    if not dialect.emby:
        return found | {"Key": row.data_keys()[0], "ItemId": row.id if dialect.real_item_ids else NO_ID}
    if not (whole or "userdatalastplayeddate" in look.fields):
        found.pop("LastPlayedDate", None)
    if not (whole or "userdataplaycount" in look.fields):
        found["PlayCount"] = 0
    return found


def row_of(look: Look, row: Title) -> Row:
    """A title as a row, with what the user did with it."""
    out = bare_row(look, row)
    if look.user is not None and look.user_data:
        out["UserData"] = user_data(look, row)
    return out


def bare_row(look: Look, row: Title) -> Row:
    """A title as a row, without what anybody did with it."""
    jellyfin = not look.dialect.emby
    out: Row = {"Name": row.name, "ServerId": look.world.server_id, "Id": row.id}
    if jellyfin:
        out["ChannelId"] = None
    if row.aired:
        out["PremiereDate"] = dated(ticks(row.aired))
    if row.leaf:
        out["RunTimeTicks"] = row.runtime
        if not row.virtual and jellyfin:
            out |= {"HasSubtitles": False, "Container": "mkv", "VideoType": "VideoFile"}
    if row.year is not None:
        out["ProductionYear"] = row.year
    out |= {"IsFolder": not row.leaf, "Type": row.kind}
    _places(row, out)
    _asked_for(look, row, out)
    out |= {"ImageTags": {}, "BackdropImageTags": []}
    if jellyfin:
        out["ImageBlurHashes"] = {}
    if look.dialect.typed or (row.virtual and look.dialect.says_virtual):
        out["LocationType"] = "Virtual" if row.virtual else "FileSystem"
    if row.leaf:
        out["MediaType"] = "Video"
    elif jellyfin:
        out["MediaType"] = "Unknown"
    return out


def _places(row: Title, out: Row) -> None:
    if row.index is not None:
        out["IndexNumber"] = row.index
    if row.kind == SERIES:
        out |= {"Status": "Ended", "AirDays": []}
    if row.kind not in (SEASON, EPISODE):
        return
    series = row.series
    if series is not None:
        out |= {"SeriesId": series.id, "SeriesName": series.name}
    if row.kind == EPISODE:
        if row.season is not None:
            out["ParentIndexNumber"] = row.season
        if row.index_end is not None:
            out["IndexNumberEnd"] = row.index_end
        if row.parent is not None and row.parent.kind == SEASON:
            out |= {"SeasonId": row.parent.id, "SeasonName": row.parent.name}


def _asked_for(look: Look, row: Title, out: Row) -> None:
    if look.wants("providerids"):
        out["ProviderIds"] = row.ids
    if look.wants("path") and not row.virtual:
        out["Path"] = f"/media/{row.library.name}/{row.name}" + (".mkv" if row.leaf else "")
    if look.wants("datecreated"):
        out["DateCreated"] = dated(row.created * SECOND)
    if look.wants("parentid"):
        out["ParentId"] = row.parent.id if row.parent else row.library.id
    if look.wants("sortname"):
        out["SortName"] = sort_name(row)
    if look.wants("etag"):
        out["Etag"] = f"{int(row.saved):032x}"
    if look.wants("recursiveitemcount") and not row.leaf:
        out["RecursiveItemCount"] = look.count(row)[1]
    if look.wants("mediasources") and row.leaf and not row.virtual:
        out["MediaSources"] = [
            {"Protocol": "File", "Id": row.id if number == 0 else f"{row.id}-{number}", "Type": "Default"}
            for number in range(row.versions)
        ]


def view_of(world: World, dialect: Dialect, library: Library) -> Row:
    """A library as a row of the views."""
    out: Row = {"Name": library.name, "ServerId": world.server_id, "Id": library.id, "IsFolder": True}
    if not dialect.emby:
        out |= {"ChannelId": None, "MediaType": "Unknown", "ImageBlurHashes": {}}
    out |= {"Type": "CollectionFolder", "CollectionType": library.kind}
    out |= {"ImageTags": {}, "BackdropImageTags": [], "LocationType": "FileSystem"}
    return out


def sort_name(row: Title) -> str:
    """How a title is sorted."""
    if row.sort is not None:
        return row.sort
    if row.kind == EPISODE:
        return f"{row.season if row.season is not None else 0:03d} - {row.index or 0:04d} - {row.name}"
    return row.name.lower().removeprefix("the ").removeprefix("a ")


def now_text(seconds: float) -> str:
    """A time of the server's clock."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
