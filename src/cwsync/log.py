"""The log: stderr, one line a record, as text or as JSON.

Only our own logger is opened up. Those of the libraries stay at warnings even with ``-vv``: their
debug lines hold headers and addresses, and so the secrets in them.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from cwsync.render.sanitise import sanitise

_LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}


class _Stderr(logging.Handler):
    """Writes to whatever stderr is now: a progress bar puts its own stream there while it is up."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a closed stderr is nothing to die of."""
        try:
            sys.stderr.write(self.format(record) + "\n")
        except (OSError, ValueError, AttributeError):
            self.close()


class _Text(logging.Formatter):
    """``warning: trakt: asked to slow down``."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{record.levelname.lower()}: {sanitise(record.getMessage(), 2000)}"


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        return json.dumps(entry)


def start_log(verbosity: int, *, as_json: bool) -> None:
    """Send our log to stderr: errors with ``-q``, warnings, ``-v`` progress, ``-vv`` everything."""
    handler = _Stderr()
    handler.setFormatter(_Json() if as_json else _Text())
    ours = logging.getLogger("cwsync")
    ours.handlers = [handler]
    ours.propagate = False
    ours.setLevel(_LEVELS.get(max(verbosity, -1), logging.DEBUG))
