"""`history` and `undo`: what past runs wrote, and the way back from one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cwsync.cli import params
from cwsync.cli.session import Session, choose_features, known_pair, start
from cwsync.cli.sync import answer, locking
from cwsync.errors import UsageError

if TYPE_CHECKING:
    from cwsync.render.runpage import RunView

OneRun = Annotated[
    str | None, typer.Argument(metavar="RUN", help="A run, as `cwsync history` names it.", show_default=False)
]
Newest = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, help="Only the newest N runs (20).", show_default=False)
]
_SHOWN = 20


def history(
    ctx: typer.Context, pair: params.PairName, run: OneRun = None, *, limit: Newest = None, json: params.Json = False
) -> int:
    """List the runs of a pair that wrote, or all that one of them wrote."""
    session = start(ctx)
    spec = known_pair(session.settings(), pair)
    from cwsync.engine import past

    report = past(spec, session.home(), limit=limit or _SHOWN, run_id=run)
    if json:
        from cwsync.cli.output import write_json
        from cwsync.render.historyout import history_json

        write_json(history_json(report, whole=run is not None))
        return report.exit_code
    from cwsync.cli.output import tell_error
    from cwsync.render.historyout import history_page, run_of_history_page

    session.print(run_of_history_page(report) if run is not None else history_page(report))
    for one in report.runs:
        if one.damage is not None:
            tell_error("state", one.damage, "it can be read by nobody; move it out of runs/", where=one.run_id)
    return report.exit_code


def undo(
    ctx: typer.Context,
    pair: params.PairName,
    run: OneRun = None,
    *,
    apply: params.Apply = False,
    accept: params.Accept = None,
    feature: params.Features = None,
    json: params.Json = False,
    lock_timeout: params.LockTimeout = 0.0,
    if_locked: params.IfLocked = "fail",
) -> int:
    """Write back what a run overwrote, added and removed. Without --apply it is a dry run."""
    session = start(ctx)
    if accept is not None and not apply:
        raise UsageError("--accept lets a plan be written, so it needs --apply")
    settings = session.settings()
    name = known_pair(settings, pair).name
    from cwsync.cli.progress import bars
    from cwsync.engine import undo as take_back
    from cwsync.engine.options import RunOptions

    options = RunOptions(
        apply=apply,
        accept=accept,
        features=choose_features(settings, [name], feature),
        lock_timeout_s=lock_timeout,
        if_locked=locking(if_locked),
    )
    with bars(session, as_json=json) as on_progress:
        report = take_back(settings, name, run, options, session.home(on_progress))
    taken = report.pairs[0].undoes if report.pairs else run
    answer(session, report, _view(session, name, taken, feature), as_json=json)
    return report.exit_code


def _view(session: Session, pair: str, run: str | None, features: list[str] | None) -> RunView:
    from cwsync.render.runpage import RunView

    words = [word for feature in features or () for word in ("--feature", feature)]
    names = (pair, run) if run is not None else (pair,)
    return RunView(session.verbosity, names, (*words, *session.words), verb="undo")
