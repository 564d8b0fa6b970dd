"""`reset-state`: forget the baseline of a pair, after saying what that means."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cwsync.cli import params
from cwsync.cli.session import Session, choose_features, known_pair, start
from cwsync.errors import UsageError

if TYPE_CHECKING:
    from cwsync.engine.reset import ResetPreview

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Refetch = Annotated[
    int,
    typer.Option(
        "--refetch",
        count=True,
        help="Also forget libraries that are kept because their service minds being read whole (SIMKL). "
        "Twice: although that was done less than a day ago.",
        show_default=False,
    ),
]


def reset_state(
    ctx: typer.Context,
    pair: params.PairName,
    *,
    feature: params.Features = None,
    yes: Yes = False,
    refetch: Refetch = 0,
    json: params.Json = False,
) -> int:
    """Forget what both sides were last seen to hold. A backup is kept."""
    from cwsync.engine import preview_reset
    from cwsync.engine import reset_state as forget

    session = start(ctx)
    settings = session.settings()
    name = known_pair(settings, pair).name
    features = choose_features(settings, [name], feature)
    preview = preview_reset(settings, name, features, session.home(), refetch=refetch)
    if not json:
        _show(session, preview)
    if not (yes or _agreed(name)):
        _finish(preview, as_json=json, done=False, backup=None)
        return 0
    backup = forget(settings, name, features, session.home(), refetch=refetch)
    _finish(preview, as_json=json, done=True, backup=backup)
    return 0


def _show(session: Session, preview: ResetPreview) -> None:
    from cwsync.render.diagpage import reset_page

    session.print(reset_page(preview.pair, preview.rows, preview.consequences))


def _agreed(name: str) -> bool:
    """Ask on the terminal; an end of input is a no. Raises `UsageError` where there is no terminal."""
    from cwsync.cli.output import write_err

    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("this forgets state and there is no terminal to ask on", hint="give --yes to go ahead")
    write_err(f"forget the baseline of {name}? [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _finish(preview: ResetPreview, *, as_json: bool, done: bool, backup: Path | None) -> None:
    from cwsync.cli.output import write_json, write_out

    if as_json:
        from cwsync.render.jsondiag import reset_json

        outcome: dict[str, Any] = {"done": done, "backup": None if backup is None else str(backup)}
        write_json(reset_json(preview.pair, preview.rows, preview.consequences, outcome))
    elif not done:
        write_out("nothing was changed\n")
    else:
        from cwsync.render.sanitise import sanitise

        write_out(
            f"forgotten; the backup is {sanitise(str(backup), None)}\n"
            if backup
            else "forgotten; there was nothing to back up\n"
        )
