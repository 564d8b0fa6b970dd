"""The commands, put together. Imports typer and nothing heavy: ``--help`` shall be instant."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from cwsync.cli import auth, diagnose, listing, mappings, past, reset, sync
from cwsync.cli.session import LOG_FORMATS, Session
from cwsync.errors import UsageError

app = typer.Typer(
    name="cwsync",
    help="Keep watchlists, ratings, watch history and progress in step between accounts.",
    epilog="Global options may stand before or after the command.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Config = Annotated[
    Path | None,
    typer.Option("-c", "--config", metavar="FILE", help="The file of accounts and pairs.", show_default=False),
]
StateDir = Annotated[
    Path | None,
    typer.Option("--state-dir", metavar="DIR", help="Where state is kept.", show_default=False),
]
Quiet = Annotated[int, typer.Option("-q", "--quiet", count=True, help="Say only what matters.", show_default=False)]
Verbose = Annotated[
    int, typer.Option("-v", "--verbose", count=True, help="Say more; -vv everything.", show_default=False)
]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colour (so does NO_COLOR=1).")]
LogFormat = Annotated[
    str,
    typer.Option(
        "--log-format", metavar="text|json", help="How the log on stderr is written (text).", show_default=False
    ),
]
# Answered before typer is loaded; declared for the help.
Version = Annotated[bool, typer.Option("-V", "--version", help="Show the version and exit.")]


@app.callback(invoke_without_command=True)
def main(
    ctx: typer.Context,
    *,
    config: Config = None,
    state_dir: StateDir = None,
    quiet: Quiet = 0,
    verbose: Verbose = 0,
    no_color: NoColor = False,
    log_format: LogFormat = "text",
    version: Version = False,  # noqa: ARG001
) -> None:
    """Keep watchlists, ratings, watch history and progress in step between accounts."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help(), err=True)
        raise typer.Exit(2)
    if log_format not in LOG_FORMATS:
        words = ", ".join(LOG_FORMATS)
        hint = "cwsync --help shows what there is"
        raise UsageError(f"{log_format!r} is none of {words}", where="--log-format", hint=hint)
    ctx.obj = Session(config, state_dir, verbose - quiet, no_color, log_format)


for _name, _command in (
    ("plan", sync.plan),
    ("run", sync.run),
    ("history", past.history),
    ("undo", past.undo),
    ("status", diagnose.status),
    ("explain", diagnose.explain),
    ("check", diagnose.check),
    ("pairs", listing.pairs),
    ("accounts", listing.accounts),
    ("capabilities", listing.capabilities),
    ("reset-state", reset.reset_state),
):
    app.command(_name)(_command)
app.add_typer(auth.app)
app.add_typer(mappings.app)

# What typer raises for a wrong command line, by the one name of that family it exports: BadParameter
# is a UsageError is a ClickException, whether click comes along or is its own package.
ClickError: type[Exception] = typer.BadParameter.__mro__[2]


@cache
def commands() -> Any:
    """All commands, as typer makes them of the functions above: a sixtieth of a second of work, once a process."""
    return typer.main.get_command(app)


def invoke(args: tuple[str, ...]) -> int:
    """Run a command line; returns its exit code. Raises `CwsyncError`; typer's own complaints become `UsageError`.

    Not by `main()` of the group: that one turns interrupts and broken pipes into exits of its own.
    """
    group = commands()
    if "_CWSYNC_COMPLETE" in os.environ:  # a shell asks for completions
        group.main(args=list(args), prog_name="cwsync")
    try:
        with group.make_context("cwsync", list(args)) as context:
            return int(group.invoke(context))
    except typer.Exit as leave:
        return leave.exit_code
    except ClickError as error:
        raise _usage(error) from None


def _usage(error: Any) -> UsageError:
    message: str = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "cwsync"
    return UsageError(message[:1].lower() + message[1:], hint=f"{path} --help shows what there is")
