"""Secrets: where each comes from, whether it can be read, and the reading itself.

A secret is text on one line. Neither it nor what a command wrote to stderr is ever part of an
error, a description or a log line.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from cwsync.config.find import expand_home
from cwsync.config.reading import SmallFile, read_small
from cwsync.errors import ConfigError
from cwsync.model import SecretRef
from cwsync.redaction import remember

if TYPE_CHECKING:
    from subprocess import Popen

SOURCES = ("env", "file", "command", "credential")
LIMIT = 64 * 1024
TIMEOUT_S = 30.0

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CREDENTIAL = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.@:+-]{1,200}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def parse_secret(value: object, *, key: str, base: Path, environ: Mapping[str, str]) -> SecretRef:
    """What a secret's value in the file means: text, or a table with one of `SOURCES`.

    `base` is the folder that relative paths start from. The value of a variable is taken along, so
    that `resolve_secret` needs no environment; files and commands are not touched yet. Raises
    ``ValueError`` for any other shape, without the value.
    """
    if isinstance(value, str):
        if not value:
            raise ValueError("is empty")
        return SecretRef("inline", key, inline=value)
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in SOURCES:
        raise ValueError(f'must be text or a table with one of {", ".join(SOURCES)}, as in {{ env = "NAME" }}')
    ((source, what),) = value.items()
    if source == "command":
        return _command_ref(what, base, environ)
    if not isinstance(what, str) or not what:
        raise ValueError(f"{source} must be text")
    if source == "env":
        if not _VARIABLE.match(what):
            raise ValueError("env must be the name of a variable, not its value")
        return SecretRef("env", what, inline=environ.get(what))
    if source == "credential":
        if not _CREDENTIAL.match(what):
            raise ValueError("credential must be a name of letters, digits and _.@:+-")
        # A name without a folder is reported when it is needed.
        return SecretRef("credential", str(Path(environ.get("CREDENTIALS_DIRECTORY", ""), what)))
    return SecretRef("file", str(absolute_path(what, base, environ)))


def resolve_secret(ref: SecretRef, *, where: str) -> str:
    """The secret itself: one line of text, never empty. `where` is the key that wants it, for the error.

    From here on it is blanked in all that this process says (see `redaction`).
    Runs the command of a ``command`` secret (no shell, `TIMEOUT_S` seconds, `LIMIT` bytes). Raises
    `ConfigError` when it cannot be had.
    """
    try:
        return remember(_clean(_fetch(ref)))
    except ConfigError as error:
        raise ConfigError(f"no secret from {ref}: {error}", where=where, hint=error.hint) from None


def describe_secret(ref: SecretRef, environ: Mapping[str, str]) -> tuple[bool, str]:
    """Whether a secret can be read, and where it comes from; never the secret.

    A command is looked up but not run: it may ask for a passphrase.
    """
    if ref.source == "command":
        if shutil.which(ref.argv[0], path=environ.get("PATH")):
            return True, f"{ref} (not run)"
        return False, f"{ref}: no such program"
    if ref.source == "env":
        ref = SecretRef("env", ref.detail, inline=environ.get(ref.detail))
    try:
        resolve_secret(ref, where="")
    except ConfigError as error:
        text = error.message.removeprefix("no secret from ")
        return False, f"{text} (hint: {error.hint})" if error.hint else text
    return True, str(ref)


def absolute_path(text: str, base: Path, environ: Mapping[str, str]) -> Path:
    """A path of the file: ``~`` expanded, else relative to `base`; symlinks stay. Raises ``ValueError``."""
    if not text:
        raise ValueError("is empty")
    if _CONTROL.search(text):
        raise ValueError("holds a control character")
    return base / expand_home(Path(text), environ)


def _command_ref(what: object, base: Path, environ: Mapping[str, str]) -> SecretRef:
    words = what if isinstance(what, list) else []
    if not words or not words[0] or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise ValueError('command must be a list of text, as in ["pass", "show", "NAME"]; there is no shell')
    # A bare name is looked up in $PATH; anything else is a path like every other in the file.
    bare = "/" not in words[0] and not words[0].startswith("~")
    program = words[0] if bare else str(absolute_path(words[0], base, environ))
    return SecretRef("command", program, argv=(program, *words[1:]))


def _fetch(ref: SecretRef) -> bytes:
    if ref.source == "command":
        return _run(ref.argv)
    if ref.source in ("file", "credential"):
        return _read(ref)
    if ref.inline is None:
        raise ConfigError("it is not set", hint=f"set {ref.detail} in the environment")
    return ref.inline.encode("utf-8", "surrogateescape")


def _clean(data: bytes) -> str:
    """The text without its line end; refused when it cannot be a secret."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise ConfigError("it is empty")
    if _CONTROL.search(text):
        raise ConfigError("it is not one line of text")
    return text


def _read(ref: SecretRef) -> bytes:
    path = Path(ref.detail)
    if not path.is_absolute():
        raise ConfigError(
            "$CREDENTIALS_DIRECTORY is not set",
            hint=f"run it as a service with LoadCredential={path}:/path/to/secret, or use {{ file = ... }}",
        )
    try:
        small = read_small(path, limit=LIMIT)
    except ConfigError as error:
        raise ConfigError(error.message) from None
    # The service manager made that folder for this service alone, and chose the modes in it.
    if ref.source == "file":
        _check_owner(path, small)
    return small.data


def _check_owner(path: Path, small: SmallFile) -> None:
    if not small.private:
        raise ConfigError("others can read or write it", hint=f"chmod 600 {shlex.quote(str(path))}")
    # Whoever owns a link decides where it leads.
    if path.is_symlink() and not {path.lstat().st_uid, small.owner} <= {os.geteuid(), 0}:
        raise ConfigError("it is a symlink of, or to a file of, someone else", hint="name the file itself")


def _run(argv: tuple[str, ...]) -> bytes:
    """What a command prints. Its stdin and stderr are closed off."""
    import subprocess

    deadline = time.monotonic() + TIMEOUT_S
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own file names the program; there is no shell
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise ConfigError(f"it cannot be started: {error.strerror}") from None
    with process:
        try:
            output = _collect(process, deadline)
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise ConfigError(f"it did not finish within {TIMEOUT_S:g} s") from None
        finally:
            process.kill()
    if status:
        raise ConfigError(
            f"it failed with status {status}", hint="run it by hand to see why; what it says is not shown here"
        )
    return output


def _collect(process: Popen[bytes], deadline: float) -> bytes:
    """What the command printed by its end. Raises ``TimeoutError``, or `ConfigError` beyond `LIMIT`.

    A helper it left behind (an agent) may keep the pipe open and is not waited for.
    """
    import selectors

    output = b""
    with selectors.DefaultSelector() as ready:
        pipe = cast("IO[bytes]", process.stdout)
        ready.register(pipe, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            ended = process.poll() is not None
            if ready.select(0 if ended else min(left, 0.05)):
                part = os.read(pipe.fileno(), LIMIT)
                output += part
                ended = not part
            if len(output) > LIMIT:
                raise ConfigError(f"it printed more than {LIMIT} bytes")
            if ended:
                return output
    raise TimeoutError
