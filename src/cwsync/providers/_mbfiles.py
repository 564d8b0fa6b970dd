"""Files of several episodes in a library of Jellyfin or Emby: one row, and one mark for all of them.

Source: Jellyfin's rows with ``IndexNumberEnd``, and issues 138 and 298 of scrob (checked 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cwsync.model import Bond, Change, Feature, Kind
from cwsync.providers._mbfind import Finder
from cwsync.providers._mbread import EPISODES, LISTS, Library
from cwsync.providers._mbwire import Row

CODE = "multi-episode"


def number_in(row: Row, change: Change) -> int | None:
    """Which episode of a file of several a change is about; None for all other rows."""
    if row.last is None:
        return None
    _, _, told = (change.native_key or "").partition("#")
    number = int(told) if told.isdigit() else change.item.number
    return number if number in row.numbers() else row.number


def writable(row: Row, feature: Feature, sharing: Sequence[Change]) -> bool:
    """Whether a file of several episodes may be written for these changes: only a mark, and only for all of them."""
    return feature is Feature.HISTORY and {number_in(row, change) for change in sharing} == set(row.numbers())


def why_not(row: Row, feature: Feature) -> str:
    """Why it may not, in words."""
    where = f"one file holds the episodes {row.number} to {row.last}"
    return f"{where}, and not all of them are to be changed" if feature is Feature.HISTORY else where


async def bonds_of(library: Library, finder: Finder, feature: Feature, changes: Sequence[Change]) -> list[Bond | None]:
    """What ties each of all the changes of a plan. Of lists that were read anyway. Raises as reading does."""
    free: list[Bond | None] = [None] * len(changes)
    if EPISODES not in LISTS[feature]:
        return free
    files = {row.key: row for row in (await library.listing(EPISODES)).rows if row.last is not None}
    if not files:
        return free
    keys = await _keys(finder, changes)
    sharing: dict[tuple[object, str], list[Change]] = {}
    for change, mine in zip(changes, keys, strict=True):
        for key in mine:
            if key in files:
                sharing.setdefault((change.op, key), []).append(change)
    whole = {where for where, those in sharing.items() if writable(files[where[1]], feature, those)}
    return [
        _bond(mine, files, feature, {key for op, key in whole if op is change.op})
        for change, mine in zip(changes, keys, strict=True)
    ]


def _bond(keys: Sequence[str], files: Mapping[str, Row], feature: Feature, whole: set[str]) -> Bond | None:
    """A change of these rows: bound to a file that can be written, free if another row can, or not to be written."""
    held = next((key for key in keys if key in whole), None)
    if held is not None:
        return Bond(held)
    if not keys or any(key not in files for key in keys):
        return None
    return Bond(keys[0], f"{CODE}: {why_not(files[keys[0]], feature)}")


async def _keys(finder: Finder, changes: Sequence[Change]) -> list[Sequence[str]]:
    """The rows of each change: the one that the plan saw, else all that are this title."""
    keys: list[Sequence[str]] = [(change.native_key or "").partition("#")[:1] for change in changes]
    loose = [n for n, one in enumerate(changes) if one.native_key is None and one.item.kind is Kind.EPISODE]
    for n, found in zip(loose, await finder.find([changes[n].item for n in loose]), strict=True):
        keys[n] = found.keys
    return keys
