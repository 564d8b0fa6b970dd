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
        _let_go()
    except OSError as error:
        _let_go()
        raise UnavailableError(f"cannot write the result: {error.strerror}", where="stdout") from error


def _let_go() -> None:
    """Python flushes stdout once more on its way out; let that go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_err(text: str) -> None:
    """Write to stderr; when even that cannot be written there is nobody to tell."""
    try:
        _write(sys.stderr, text)
    except OSError:
        return


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None or not text:  # None: started with the stream closed
        return
    from cwsync.redaction import redact_known
    from cwsync.render.screen import fit

    stream.write(fit(redact_known(text), stream.encoding))
    stream.flush()


def look(stream: TextIO | None, environ: Mapping[str, str], *, no_color: bool) -> Look:
    """How pages look on `stream`."""
    from cwsync.render.document import PLAIN, Layout, Look

    if stream is None or not stream.isatty() or environ.get("TERM") in ("dumb", "unknown"):
        return PLAIN
    width = _columns(stream, environ)
    layout = Layout.TABLE if width >= MIN_TABLE else Layout.NARROW
    return Look(layout, width, colour=not (no_color or environ.get("NO_COLOR")))


def _columns(stream: TextIO, environ: Mapping[str, str]) -> int:
    """How wide the terminal behind `stream` is, which is not always that of stdout; 80 when it does not say."""
    try:
        told = int(environ.get("COLUMNS", "0"))
    except ValueError:
        told = 0
    if told > 0:
        return told
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


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
    # The error of a pair may name it itself.
    text = f"{where}: {message.removeprefix(f'{where}: ')}" if where else message
    if as_json:
        import json

        write_err(json.dumps({"error": {"code": code, "message": text, "hint": hint}}) + "\n")
        return
    lines = [f"error: {line}" if not index else f"  {line}" for index, line in enumerate(text.splitlines() or [""])]
    if hint:
        lines.append(f"hint: {hint}")
    write_err("".join(_wrapped(line) + "\n" for line in lines))


def _wrapped(line: str) -> str:
    """One line for stderr: safe, and wrapped at words where that is a terminal."""
    from cwsync.render.document import Layout
    from cwsync.render.sanitise import sanitise

    text = sanitise(line, 4000)
    seen = look(sys.stderr, os.environ, no_color=True)
    if seen.layout is Layout.PLAIN:
        return text
    from cwsync.render.screen import wrap

    return wrap(text, seen.width)
