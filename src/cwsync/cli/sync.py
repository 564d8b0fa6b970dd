"""`plan` and `run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cwsync.cli import params
from cwsync.cli.session import Session, choose_dates, choose_features, choose_pairs, start
from cwsync.errors import Exit, UsageError

if TYPE_CHECKING:
    from cwsync.engine.options import IfLocked, RunOptions
    from cwsync.model import RunReport, Settings
    from cwsync.render.runpage import RunView


def plan(
    ctx: typer.Context,
    pair: params.Pairs = None,
    *,
    every: params.All = False,
    feature: params.Features = None,
    full: params.Full = False,
    json: params.Json = False,
    limit: params.Limit = None,
    since: params.Since = None,
    until: params.Until = None,
    adds_only: params.AddsOnly = False,
    lock_timeout: params.LockTimeout = 0.0,
    if_locked: params.IfLocked = "fail",
    out: params.Out = None,
    detailed_exitcode: params.DetailedExit = False,
) -> int:
    """Show what a run would change. Writes nothing anywhere."""
    session = start(ctx)
    settings = session.settings()
    names = choose_pairs(settings, pair, everything=every)
    words = _checked(settings, names, features=feature, since=since, until=until, if_locked=if_locked)
    options = replace(words, full=full, limit=limit, adds_only=adds_only, lock_timeout_s=lock_timeout)
    options = _dated(options) if out is not None else options
    report = _go(session, settings, names, options, "plan", as_json=json)
    saved = _save(out, report, options)
    answer(session, report, _view(session, options, pair, every=every, saved=saved), as_json=json)
    if detailed_exitcode and report.exit_code == Exit.OK and any(one.changes for one in report.pairs):
        return Exit.CHANGES
    return report.exit_code


def run(
    ctx: typer.Context,
    pair: params.Pairs = None,
    *,
    every: params.All = False,
    apply: params.Apply = False,
    saved: params.Saved = None,
    accept: params.Accept = None,
    feature: params.Features = None,
    full: params.Full = False,
    json: params.Json = False,
    limit: params.Limit = None,
    since: params.Since = None,
    until: params.Until = None,
    adds_only: params.AddsOnly = False,
    lock_timeout: params.LockTimeout = 0.0,
    if_locked: params.IfLocked = "fail",
) -> int:
    """Sync pairs: read, plan, and with --apply write. Without --apply it is a dry run."""
    session = start(ctx)
    if accept is not None and not apply:
        raise UsageError("--accept lets a plan be written, so it needs --apply")
    if saved is not None:
        if not apply:
            raise UsageError("--plan applies a saved plan, so it needs --apply")
        if pair or every or feature or full or limit or since or until or adds_only:
            raise UsageError("a saved plan holds its own pairs and options; give --plan and --apply alone")
        return _run_saved(session, saved, lock_timeout, if_locked, accept, as_json=json)
    settings = session.settings()
    names = choose_pairs(settings, pair, everything=every)
    words = _checked(settings, names, features=feature, since=since, until=until, if_locked=if_locked)
    options = replace(words, full=full, limit=limit, adds_only=adds_only, lock_timeout_s=lock_timeout)
    options = replace(options, apply=apply, accept=accept)
    report = _go(session, settings, names, options, "run", as_json=json)
    answer(session, report, _view(session, options, pair, every=every), as_json=json)
    return report.exit_code


def _checked(
    settings: Settings,
    names: Sequence[str],
    *,
    features: Sequence[str] | None,
    since: str | None,
    until: str | None,
    if_locked: str,
) -> RunOptions:
    """The options whose words can be wrong. Raises `UsageError`."""
    from cwsync.engine.options import RunOptions

    first, last = choose_dates(since, until)
    chosen = choose_features(settings, names, features)
    return RunOptions(features=chosen, since=first, until=last, if_locked=locking(if_locked))


def locking(word: str) -> IfLocked:
    """What `--if-locked` says. Raises `UsageError`."""
    from cwsync.engine.options import IfLocked

    try:
        return IfLocked(word)
    except ValueError:
        raise UsageError(
            f"{word!r} is none of fail, skip, wait", where="--if-locked", hint="cwsync run --help shows what there is"
        ) from None


def _go(
    session: Session, settings: Settings, names: Sequence[str], options: RunOptions, command: str, *, as_json: bool
) -> RunReport:
    from cwsync.cli.progress import bars
    from cwsync.engine import run_pairs

    with bars(session, as_json=as_json) as on_progress:
        return run_pairs(settings, names, options, session.home(on_progress), command=command)


def _run_saved(
    session: Session, path: Path, lock_timeout: float, if_locked: str, accept: str | None, *, as_json: bool
) -> int:
    from cwsync.cli.progress import bars
    from cwsync.engine import load_plan, run_saved
    from cwsync.render.runpage import RunView

    saved = load_plan(path)
    settings = session.settings()
    choose_pairs(settings, saved.pairs, everything=False)
    with bars(session, as_json=as_json) as on_progress:
        home = session.home(on_progress)
        waiting = locking(if_locked)
        report = run_saved(settings, saved, home, lock_timeout_s=lock_timeout, if_locked=waiting, accept=accept)
    answer(session, report, RunView(session.verbosity, options=session.words, saved=str(path)), as_json=as_json)
    return report.exit_code


def _dated(options: RunOptions) -> RunOptions:
    """The same, as of now: a saved plan is made again from the moment it was first made."""
    from datetime import UTC, datetime

    return replace(options, now=datetime.now(UTC))


def _save(out: Path | None, report: RunReport, options: RunOptions) -> str | None:
    """Save the plan where asked, unless it is not whole. Returns the file's name."""
    if out is None:
        return None
    from cwsync.cli.output import write_err

    if any(pair.digest is None or pair.error is not None for pair in report.pairs):
        write_err("the plan is not saved: it is not whole\n")
        return None
    from cwsync.engine import save_plan

    assert options.now is not None  # noqa: S101 - set by `_dated`
    save_plan(out, report, options, options.now)
    from cwsync.render.sanitise import sanitise

    write_err(f"plan saved to {sanitise(str(out), None)}\n")
    return str(out)


def _view(
    session: Session, options: RunOptions, pair: Sequence[str] | None, *, every: bool, saved: str | None = None
) -> RunView:
    """How the answer is told, with the words that make the same plan again."""
    from cwsync.render.runpage import RunView

    if saved is not None:  # the file holds the rest
        return RunView(session.verbosity, options=session.words, saved=saved)
    words = [word for feature in sorted(options.features or ()) for word in ("--feature", feature.value)]
    words += [] if options.limit is None else ["--limit", str(options.limit)]
    words += [] if options.since is None else ["--since", options.since.isoformat()]
    words += [] if options.until is None else ["--until", options.until.isoformat()]
    words += ["--adds-only"] if options.adds_only else []
    names = ("--all",) if every else tuple(pair or ())
    return RunView(session.verbosity, names, (*words, *session.words), saved)


def answer(session: Session, report: RunReport, view: RunView, *, as_json: bool) -> None:
    """The result on stdout; the errors that ended a pair on stderr too, like every error."""
    from cwsync.cli.output import tell_error, write_err, write_json

    if as_json:
        from cwsync.render.jsonout import run_json

        write_json(run_json(report))
        return
    from cwsync.render.runpage import run_page

    session.print(run_page(report, view))
    if report.exit_code in (Exit.SIGINT, Exit.SIGTERM):
        write_err("stopped as asked; what was confirmed is kept, and the next run goes on from there\n")
    for pair in report.pairs:
        if pair.error is not None:
            tell_error(pair.error.code, pair.error.message, pair.error.hint, where=pair.pair)
