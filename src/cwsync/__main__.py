"""The entry point. ``--version`` is answered before anything heavy is loaded.

Every error ends here: our own with its exit code and a hint, anything else as a bug, in two lines.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cwsync import __version__
from cwsync.cli.argv import Argv, arrange

# 128 and the number of the signal, as shells say it. `errors.Exit` is not loaded for ``--version``.
SIGINT = 130
SIGPIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    command = arrange(sys.argv[1:] if argv is None else argv)
    try:
        if command.version:
            print(f"cwsync {__version__}", flush=True)  # noqa: T201 - the writer of results is not loaded yet
            return 0
        return _command(command)
    except BrokenPipeError:
        # The reader of ``--version`` or ``--help`` has gone away. Results have their own writer.
        _drop_stdout()
        return SIGPIPE
    except KeyboardInterrupt:
        return SIGINT


def _command(command: Argv) -> int:
    _tune()
    from cwsync.cli.app import invoke
    from cwsync.errors import CwsyncError

    try:
        return invoke(command.args)
    except CwsyncError as error:
        from cwsync.cli.output import tell_error
        from cwsync.redaction import redact

        hint = None if error.hint is None else redact(error.hint)
        where = None if error.where is None else redact(error.where)
        tell_error(error.code, redact(error.message), hint, where=where, as_json=command.json)
        return error.exit_code
    except (BrokenPipeError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - the last handler: Python itself would print what nobody redacted
        return _bug(error, command)


def _drop_stdout() -> None:
    """Python flushes stdout once more on its way out; let that go nowhere."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tune() -> None:
    """Have the cycle collector look at what is new, and at nothing twice.

    A run holds a few hundred thousand small records until its end, none of them in cycles; by
    default each of them is walked again and again while the next ones are made. What libraries leave
    in cycles is short-lived, some KiB with each request: a run that writes for an hour would drown in it.
    """
    import gc

    gc.set_threshold(20_000, 1_000_000)


def _bug(error: BaseException, command: Argv) -> int:
    from cwsync.cli.output import tell_error, write_err
    from cwsync.errors import Exit
    from cwsync.redaction import redact, redact_known

    hint = "please report it, with what the same command says with -vv"
    if command.verbosity >= 2:
        import traceback

        from cwsync.render.sanitise import sanitise

        # Without locals: they hold tokens. Causes, groups and notes are part of it. Redacted as a whole, then
        # line by line through the gate: messages may quote a server.
        lines = redact("".join(traceback.format_exception(error))).splitlines()
        write_err("".join(redact_known(sanitise(line, None)) + "\n" for line in lines))
        hint = "please report it, with the lines above"
    message = f"this is a bug in cwsync: {type(error).__name__}: {error}"
    tell_error("bug", redact(message), hint, as_json=command.json)
    return Exit.BUG


if __name__ == "__main__":
    sys.exit(main())
