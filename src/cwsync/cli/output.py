"""The two streams: results on stdout, everything else on stderr. Nothing else writes to either."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

from cwsync.errors import CwsyncError, UnavailableError

if TYPE_CHECKING:
    from cwsync.render.document import Look, Page

MIN_TABLE = 60  # columns; below, a table is confetti


def write_out(text: str) -> None:
    """Write a result. A reader who has gone away (``| head``) is no error of ours."""
    try:
        _write(sys.stdout, text)
    except BrokenPipeError:
        # Python flushes stdout once more on its way out; let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise UnavailableError(f"cannot write the result: {error.strerror}", where="stdout") from error


def write_err(text: str) -> None:
    """Write to stderr; when even that cannot be written there is nobody to tell."""
    try:
        _write(sys.stderr, text)
    except OSError:
        return


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None or not text:  # None: started with the stream closed
        return
    from cwsync.render.screen import fit

    stream.write(fit(text, stream.encoding))
    stream.flush()


def look(stream: TextIO | None, environ: Mapping[str, str], *, no_color: bool) -> Look:
    """How pages look on `stream`."""
    import shutil

    from cwsync.render.document import PLAIN, Layout, Look

    if stream is None or not stream.isatty() or environ.get("TERM") in ("dumb", "unknown"):
        return PLAIN
    width = shutil.get_terminal_size().columns
    layout = Layout.TABLE if width >= MIN_TABLE else Layout.NARROW
    return Look(layout, width, colour=not (no_color or environ.get("NO_COLOR")))


def write_page(page: Page, *, no_color: bool) -> None:
    """Write a page as a result."""
    from cwsync.render.screen import show

    write_out(show(page, look(sys.stdout, os.environ, no_color=no_color)))


def write_json(document: dict[str, Any]) -> None:
    """Write the one JSON document of a command."""
    from cwsync.render.jsonout import dump

    write_out(dump(document, indent=sys.stdout is not None and sys.stdout.isatty()))


def tell_failure(error: CwsyncError, *, as_json: bool) -> None:
    """Write an error that ended the command."""
    tell_error(error.code, error.message, error.hint, where=error.where, as_json=as_json)


def tell_error(code: str, message: str, hint: str | None, *, where: str | None = None, as_json: bool = False) -> None:
    """``error: WHERE: MESSAGE`` and ``hint: ...``, or one JSON object."""
    from cwsync.render.sanitise import sanitise

    text = f"{where}: {message}" if where else message
    if as_json:
        import json

        write_err(json.dumps({"error": {"code": code, "message": text, "hint": hint}}) + "\n")
        return
    lines = [f"error: {line}" if not index else f"  {line}" for index, line in enumerate(text.splitlines() or [""])]
    if hint:
        lines.append(f"hint: {hint}")
    write_err("".join(sanitise(line, 4000) + "\n" for line in lines))
