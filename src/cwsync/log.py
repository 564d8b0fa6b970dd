"""The log: stderr, one line a record, as text or as JSON.

Only our own logger is opened up. Those of the libraries stay at warnings even with ``-vv``: their
debug lines hold headers and addresses, and so the secrets in them. What they do warn of takes the
same way to stderr as our own lines, and nothing takes it that did not pass `redact` before.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from cwsync.redaction import redact, redact_known
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


class _Redacting(logging.Filter):
    """Takes secrets out of a record, and whatever else of it may hold one, before any formatter sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything pass, as text without arguments."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            message = f"{record.msg} (its arguments do not fit)"
        # Before anything is cut: half a secret is not found. The text of a traceback is kept by nobody.
        record.msg, record.args = redact(message), None
        record.exc_info, record.exc_text, record.stack_info = None, None, None
        return True


class _Text(logging.Formatter):
    """``warning: trakt: asked to slow down``."""

    def format(self, record: logging.LogRecord) -> str:
        # Once more: a zero-width character may have split what was looked for.
        return f"{record.levelname.lower()}: {sanitise(redact_known(sanitise(record.getMessage(), None)), 2000)}"


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
    handler.addFilter(_Redacting())
    ours = logging.getLogger("cwsync")
    ours.handlers = [handler]
    ours.propagate = False
    ours.setLevel(_LEVELS.get(max(verbosity, -1), logging.DEBUG))
    # Where the warnings of libraries go that have no handler of their own.
    logging.lastResort = _Stderr(logging.WARNING)
    logging.lastResort.setFormatter(handler.formatter)
    logging.lastResort.addFilter(_Redacting())
