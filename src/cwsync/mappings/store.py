"""The mapping that is kept: `cache/mappings/` of the state folder, replaced whole or not at all.

A new one takes the place of the old one only when all of it was read and it makes sense: what is cut off,
from the future or far too small is refused, and the old one stays. Losing the folder costs a download.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cwsync import files
from cwsync.errors import DataError, StateError, UnavailableError
from cwsync.mappings.indexfile import FileGraph, NewerError, encode, with_about
from cwsync.model import format_when, parse_when
from cwsync.model.mappings import About, Kept, Tag, Updated
from cwsync.redaction import safe_url

if TYPE_CHECKING:
    from cwsync.mappings.fetch import Download
    from cwsync.mappings.parse import Release

URL: Final = "https://github.com/anibridge/anibridge-mappings/releases/download/v3/mappings.min.json"
TIMEOUT_S: Final = 120.0
LEAST_SHARE: Final = 10  # a new one must have more than one in so many of the sources of the old one
_FILE: Final = "anibridge.map"
_MOST: Final = 512 * 1024 * 1024
_UPDATE: Final = "get it again: cwsync mappings update"


def mapping_path(state_dir: Path) -> Path:
    """Where the mapping is kept."""
    return state_dir / "cache" / "mappings" / _FILE


def open_graph(state_dir: Path) -> FileGraph | None:
    """The kept mapping, or None when there is none. Touches nothing.

    Raises `StateError` for one that is damaged, written by a newer version, or cannot be read.
    """
    path = mapping_path(state_dir)
    graph = _read(path)
    if graph is not None:
        _about(graph, path)
    return graph


def look(state_dir: Path) -> Kept:
    """How the kept mapping is. Touches nothing. Raises `StateError` when the file cannot be read at all."""
    path = mapping_path(state_dir)
    data = files.read_file(path, _MOST)
    if data is None:
        return Kept(path)
    try:
        return Kept(path, len(data), _decode(FileGraph(data).about))
    except ValueError as error:
        return Kept(path, len(data), problem=str(error), newer=isinstance(error, NewerError))


def update(state_dir: Path, now: datetime, *, user_agent: str, url: str = URL) -> Updated:
    """Get the data set if there is a newer one, and keep it.

    Raises `UsageError` for an address that may not be asked, `UnavailableError` when it cannot be had or
    makes no sense, `DataError` when it is of a newer version, `StateError` for the disk.
    """
    import asyncio  # a run that only looks things up needs no network

    from cwsync.mappings.fetch import check_address, download
    from cwsync.mappings.links import both_ways
    from cwsync.mappings.parse import MAX_BYTES

    check_address(url)
    path = mapping_path(state_dir)
    files.make_dir(path.parent)
    with files.writing_in(path.parent):
        graph, before = _before(path)
        tag = before.tag if before is not None and before.url == safe_url(url) else None
        got = asyncio.run(download(url, user_agent=user_agent, tag=tag, max_bytes=MAX_BYTES, timeout_s=TIMEOUT_S))
        if got.body is None and before is not None and graph is not None:
            return _unchanged(path, graph, before, now)
        release = _parsed(got)
        _refuse_small(release, before, path)
        about = _made(release, got, now, safe_url(url))
        if before is not None and graph is not None and _same(before, about):
            return _unchanged(path, graph, replace(before, tag=about.tag), now)
        files.replace_file(path, encode(_encode(about), both_ways(release.links)))
        return Updated(about, path, new=True, before=before)


def _unchanged(path: Path, graph: FileGraph, before: About, now: datetime) -> Updated:
    """Nothing is new; that we asked is noted."""
    about = replace(before, checked_at=now)
    files.replace_file(path, with_about(graph.data, _encode(about)))
    return Updated(about, path, new=False, before=before)


def _same(before: About, about: About) -> bool:
    """Whether two are the same version of the same file."""
    words = ("url", "version", "generated_on", "n_bytes", "sources", "links", "skipped")
    return before.generated_on is not None and all(getattr(before, word) == getattr(about, word) for word in words)


def _before(path: Path) -> tuple[FileGraph | None, About | None]:
    """What is there. A damaged one is as good as none, and is replaced; one of a newer version is not."""
    try:
        graph = _read(path)
        return graph, None if graph is None else _about(graph, path)
    except _DamagedError:
        return None, None


class _DamagedError(StateError):
    """The kept mapping is damaged: a new download mends it."""


def _read(path: Path) -> FileGraph | None:
    data = files.read_file(path, _MOST)
    if data is None:
        return None
    try:
        return FileGraph(data)
    except NewerError as error:
        hint = "upgrade cwsync, or remove the file and get it again: cwsync mappings update"
        raise StateError(str(error), where=str(path), hint=hint) from None
    except ValueError as error:
        raise _DamagedError(f"the mapping is damaged: {error}", where=str(path), hint=_UPDATE) from None


def _about(graph: FileGraph, path: Path) -> About:
    try:
        return _decode(graph.about)
    except ValueError as error:
        raise _DamagedError(f"the mapping is damaged: {error}", where=str(path), hint=_UPDATE) from None


def _parsed(got: Download) -> Release:
    from cwsync.mappings.parse import FutureError, parse_release

    try:
        return parse_release(got.body or b"")
    except FutureError as error:
        hint = "upgrade cwsync; the mapping that is here stays in use"
        raise DataError(f"the data set cannot be used: {error}", where="mappings", hint=hint) from None
    except ValueError as error:
        hint = "the mapping that is here stays in use; try again later"
        raise UnavailableError(f"the data set cannot be used: {error}", where="mappings", hint=hint) from None


def _refuse_small(release: Release, before: About | None, path: Path) -> None:
    """A file that lost nearly all it had is no newer version, but an accident of its makers."""
    had = before.sources if before is not None else 1
    if release.links and release.sources * LEAST_SHARE > had:
        return
    told = f"it has {release.sources:,} titles" + (f", and the one that is here has {had:,}" if before else "")
    hint = f"try again later; if that is right, remove {path} and run it again" if before else "try again later"
    raise UnavailableError(f"the data set cannot be used: {told}", where="mappings", hint=hint)


def _made(release: Release, got: Download, now: datetime, url: str) -> About:
    skipped = dict(sorted(release.skipped.items()))
    n_bytes = len(got.body or b"")
    n_links = len(release.links)
    return About(
        url, release.version, release.generated_on, now, now, n_bytes, release.sources, n_links, skipped, got.tag
    )


def _encode(about: About) -> dict[str, object]:
    return {
        "url": about.url,
        "version": about.version,
        "generated_on": format_when(about.generated_on),
        "fetched_at": format_when(about.fetched_at),
        "checked_at": format_when(about.checked_at),
        "n_bytes": about.n_bytes,
        "sources": about.sources,
        "links": about.links,
        "skipped": dict(about.skipped),
        "tag": None if about.tag is None else [about.tag.text, about.tag.origin],
    }


def _decode(data: Mapping[str, Any]) -> About:
    """Read what `_encode` wrote. Raises ``ValueError``."""
    try:
        tag = data["tag"]
        generated, fetched, checked = (parse_when(data[name]) for name in ("generated_on", "fetched_at", "checked_at"))
        if not isinstance(fetched, datetime) or not isinstance(checked, datetime):
            raise ValueError("it does not say when it was fetched")
        return About(
            str(data["url"]),
            str(data["version"]),
            generated if isinstance(generated, datetime) else None,
            fetched,
            checked,
            int(data["n_bytes"]),
            int(data["sources"]),
            int(data["links"]),
            {str(name): int(n) for name, n in data["skipped"].items()},
            None if tag is None else Tag(str(tag[0]), str(tag[1])),
        )
    except (KeyError, TypeError, AttributeError, IndexError):
        raise ValueError("what it says about itself cannot be read") from None
