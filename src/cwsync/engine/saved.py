"""A saved plan: the digests by which it is known, and the moment and options it was made with.

Applying it makes the plan again from the same moment and refuses unless the very same plan comes
out: then neither the state nor a snapshot moved. The changes stand in the file for people to read.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from cwsync import files
from cwsync.engine.options import Home, IfLocked, RunOptions
from cwsync.engine.run import run_pairs
from cwsync.errors import ConfigError, UsageError
from cwsync.model import Change, Feature, RunReport, Settings, format_when, parse_when

_SCHEMA = 1
_MAX_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What a plan file says: a digest for each pair, and how the plan was made."""

    path: Path
    digests: Mapping[str, str]
    made_at: datetime
    options: RunOptions = field(default_factory=RunOptions)

    @property
    def pairs(self) -> tuple[str, ...]:
        """The pairs, in the order in which they were planned."""
        return tuple(self.digests)


def save_plan(path: Path, report: RunReport, options: RunOptions, made_at: datetime) -> None:
    """Write the plan of a dry run to `path`, durably.

    Raises `UsageError` when a pair of the report has no plan (its error says why), `StateError`
    when the file cannot be written.
    """
    broken = [pair.pair for pair in report.pairs if pair.digest is None or pair.error is not None]
    if broken:
        raise UsageError(f"there is no whole plan to save for {', '.join(broken)}", where=str(path))
    document = {
        "schema": _SCHEMA,
        "cwsync": "plan",
        "made_at": format_when(made_at),
        "options": {
            "features": sorted(options.features) if options.features is not None else None,
            "limit": options.limit,
            "since": format_when(options.since),
            "until": format_when(options.until),
            "adds_only": options.adds_only,
        },
        "pairs": [
            {
                "pair": pair.pair,
                "digest": pair.digest,
                "changes": [_line(one.change) for one in pair.changes],
            }
            for pair in report.pairs
        ],
    }
    files.make_dir(path.absolute().parent)
    files.replace_file(path.absolute(), (json.dumps(document, indent=1) + "\n").encode("ascii"))


def _line(change: Change) -> str:
    return f"{change.op.symbol} {change.side.value} {change.feature.value} {change.item.label()}"


def load_plan(path: Path) -> SavedPlan:
    """Read a plan file. Raises `ConfigError` for anything that is not one."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # a pipe would be waited for, a device has no end
            raise _no_plan(path, "it is not a regular file")
        if about.st_size > _MAX_BYTES:
            raise ConfigError("is too large for a saved plan", where=str(path))
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise _no_plan(path, "it is not JSON") from error
    try:
        return _decode(path, document)
    except (KeyError, TypeError, ValueError) as error:
        raise _no_plan(path, str(error) or type(error).__name__) from error


def _no_plan(path: Path, why: str) -> ConfigError:
    return ConfigError(f"is not a saved plan: {why}", where=str(path), hint="make one: cwsync plan PAIR --out FILE")


def _decode(path: Path, document: object) -> SavedPlan:
    if not isinstance(document, dict) or document.get("cwsync") != "plan":
        raise ValueError("it does not say that it is one")
    if document["schema"] != _SCHEMA:
        raise ValueError(f"its schema is {document['schema']!r}; this cwsync reads {_SCHEMA}")
    digests = {}
    for pair in document["pairs"]:
        if not isinstance(pair["pair"], str) or not isinstance(pair["digest"], str) or pair["pair"] in digests:
            raise ValueError("a pair is twice in it, or not text")
        digests[pair["pair"]] = pair["digest"]
    made_at = parse_when(document["made_at"])
    if not isinstance(made_at, datetime):
        raise ValueError("made_at is not a time")
    given = document["options"]
    limit, adds_only = given["limit"], given["adds_only"]
    if not (limit is None or (type(limit) is int and limit >= 1)) or not isinstance(adds_only, bool):
        raise ValueError("its options are of the wrong type")
    features = given["features"]
    options = RunOptions(
        features=None if features is None else frozenset(Feature(name) for name in features),
        limit=limit,
        since=parse_when(given["since"]),
        until=parse_when(given["until"]),
        adds_only=adds_only,
        now=made_at,
    )
    return SavedPlan(path, digests, made_at, options)


def run_saved(
    settings: Settings,
    saved: SavedPlan,
    home: Home,
    *,
    lock_timeout_s: float = 0.0,
    if_locked: IfLocked = IfLocked.FAIL,
    accept: str | None = None,
) -> RunReport:
    """Apply exactly a saved plan; a pair whose plan is another one by now is refused (exit code 4)."""
    unknown = [name for name in saved.pairs if name not in settings.pairs]
    if unknown:
        raise UsageError(f"the file has no pair {unknown[0]!r} any more", where=str(saved.path))
    options = replace(saved.options, apply=True, lock_timeout_s=lock_timeout_s, if_locked=if_locked, accept=accept)
    return run_pairs(settings, saved.pairs, options, home, command="run", expect=saved.digests)
