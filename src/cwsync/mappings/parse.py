"""The AniBridge data set, version 3, read: strict in its shape, lenient with what it does not know.

``{"$meta": {...}, "<descriptor>": {"<descriptor>": {"<range>": "<range>" or null}}}``. A descriptor is
``provider:id`` or ``provider:id:scope``; the scope of a show is ``s1``, its season, that of an AniDB entry
``R`` for its regular episodes. Descriptors of other catalogues are skipped and counted; another shape is an
error that names its place.

A release tells each link from both of its ends. Where a person joined several episodes to one, counts on
both ends differ, or there is a ratio.

Source: https://github.com/anibridge/anibridge-mappings, its program and its schema (checked 2026-11-21).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from cwsync.http.answer import parse_json
from cwsync.mappings.links import FILMS, NATIVE, SHOWS, Block, Edge, Run, align, joined, space, without
from cwsync.model import Kind, external_id

VERSION: Final = 3
MAX_BYTES: Final = 128 * 1024 * 1024
MAX_SOURCES: Final = 500_000
MAX_LINKS: Final = 2_000_000
MAX_RANGES: Final = 2_000  # of one link
_DESCRIPTOR: Final = re.compile(r"(\w{1,40}):(\w{1,40})(?::(\w{1,40}))?", re.ASCII)
_SEASON: Final = re.compile(r"s([0-9]{1,5})")
_VERSION: Final = re.compile(r"([0-9]{1,6})(?:\.[0-9]+)*")
_SPECIALS: Final = "specials of AniDB"
_NO_ENTRY: Final = "links without an anime entry"
_OTHERS: Final = "others"
_MOST_WORDS: Final = 50


class FutureError(ValueError):
    """The data set is of a newer version than can be read."""


@dataclass(slots=True)
class Release:
    """One data set. `links` are given once each, from one of their ends; `sources` counts its first level.

    `skipped` counts what is not used, by the word for it: catalogues that are not known, specials of AniDB.
    """

    version: str
    generated_on: datetime | None
    sources: int = 0
    links: list[tuple[str, Edge]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def skip(self, word: str) -> None:
        """Count something that is not used."""
        known = word in self.skipped or len(self.skipped) < _MOST_WORDS
        self.skipped[word if known else _OTHERS] += 1


def parse_release(data: bytes) -> Release:
    """Read a data set. Raises ``ValueError`` that names the place, `FutureError` for a newer version."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    document = parse_json(data)
    if not isinstance(document, dict):
        raise ValueError("it is no object")
    release = _head(document)
    for name, targets in document.items():
        if name.startswith("$"):
            continue
        release.sources += 1
        if release.sources > MAX_SOURCES:
            raise ValueError(f"it has more than {MAX_SOURCES:,} sources")
        _source(release, name, targets)
    return release


def _head(document: Mapping[str, Any]) -> Release:
    meta = document.get("$meta")
    version = meta.get("schema_version") if isinstance(meta, dict) else None
    found = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if not isinstance(meta, dict) or not isinstance(version, str) or found is None:
        raise ValueError("$meta.schema_version is missing")
    if int(found[1]) > VERSION:
        raise FutureError(f"it is of version {version[:20]}, and this cwsync reads version {VERSION}")
    if int(found[1]) < VERSION:
        raise ValueError(f"it is of version {version[:20]}, not {VERSION}")
    return Release(version[:20], _moment(meta.get("generated_on")))


def _moment(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        raise ValueError("$meta.generated_on is no time") from None
    if at is None:
        return None
    try:
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("$meta.generated_on lies outside the calendar") from None


def _source(release: Release, name: str, targets: object) -> None:
    source = _descriptor(release, name, name)
    if not isinstance(targets, dict):
        raise ValueError(f"{name}: it is no object")
    for other, ranges in targets.items():
        place = f"{name} → {other[:80]}"
        target = _descriptor(release, other, place)
        if not isinstance(ranges, dict):
            raise ValueError(f"{place}: it is no object")
        runs, blocks = _ranges(ranges, place)
        if source is None or target is None:
            continue
        season = source[1] if source[1] is not None else target[1]
        kinds = {space(source[0]), space(target[0])}
        if kinds & set(SHOWS) and not kinds & set(NATIVE):
            release.skip(_NO_ENTRY)
        elif len(release.links) >= MAX_LINKS:
            raise ValueError(f"it has more than {MAX_LINKS:,} links")
        elif source[0] != target[0]:
            release.links.append((source[0], Edge(target[0], season, runs, blocks)))


def _descriptor(release: Release, text: str, place: str) -> tuple[str, int | None] | None:
    """The node of a descriptor and its season; None for one that is not used. Raises ``ValueError`` for none at all."""
    found = _DESCRIPTOR.fullmatch(text)
    if found is None:
        raise ValueError(f"{place[:160]}: it is no descriptor like anilist:20 or tvdb_show:78857:s1")
    provider, value, scope = found.groups()
    if provider in NATIVE:
        if scope not in (None, "R"):
            release.skip(_SPECIALS)
            return None
        service, season, known = provider, None, True
    elif provider in FILMS or provider in SHOWS:
        matched = _SEASON.fullmatch(scope or "")
        service, season = provider.partition("_")[0], int(matched[1]) if matched else None
        known = scope is None or (matched is not None and provider in SHOWS)
    else:
        known = False
    if not known or not _is_id(service, value):
        release.skip(provider)
        return None
    return f"{provider}:{value}", season


def _is_id(service: str, value: str) -> bool:
    try:
        external_id(service, Kind.MOVIE, value)
    except ValueError:
        return False
    return True


def _ranges(ranges: Mapping[str, object], place: str) -> tuple[tuple[Run, ...], tuple[Block, ...]]:
    if len(ranges) > MAX_RANGES:
        raise ValueError(f"{place}: it has more than {MAX_RANGES:,} ranges")
    pairs = list(_pairs(ranges, place))
    runs = joined(run for found, _ in pairs for run in found)
    blocks = tuple(block for _, found in pairs for block in found)
    return without(runs, blocks), blocks


def _pairs(ranges: Mapping[str, object], place: str) -> Iterator[tuple[tuple[Run, ...], tuple[Block, ...]]]:
    for source, target in ranges.items():
        if target is not None and not isinstance(target, str):
            raise ValueError(f"{place} → {source[:40]!r}: it is no range and not null")
        try:
            yield align(source, target)
        except ValueError as error:
            raise ValueError(f"{place} → {source[:40]!r}: {error}") from None
