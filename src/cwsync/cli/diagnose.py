"""`check`, `status` and `explain`: how things stand, and why."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from cwsync.cli import params
from cwsync.cli.session import choose_features, known_pair, named_or_all, start
from cwsync.errors import UsageError, worst

if TYPE_CHECKING:
    from datetime import timedelta

Offline = Annotated[bool, typer.Option("--offline", help="Reach no account; look at the file alone.")]
MaxAge = Annotated[
    str | None,
    typer.Option("--max-age", metavar="DURATION", help="Exit 4 without a good run in this time.", show_default=False),
]
Words = Annotated[str, typer.Argument(metavar="TEXT", help="Part of a title, or an id like tt0113277.")]


def check(ctx: typer.Context, pair: params.Pairs = None, *, offline: Offline = False, json: params.Json = False) -> int:
    """Check the file, the secrets and the accounts."""
    session = start(ctx)
    settings = session.settings()
    names = named_or_all(settings, pair)
    from cwsync.config import describe_secret
    from cwsync.engine import check as check_pairs

    reports = check_pairs(
        settings, names, offline=offline, environ=os.environ, describe=describe_secret, home=session.home()
    )
    exit_code = worst([report.exit_code for report in reports])
    if json:
        from cwsync.cli.output import write_json
        from cwsync.render.jsondiag import check_json

        write_json(check_json(reports, exit_code))
        return exit_code
    from cwsync.render.diagpage import check_page

    session.print(check_page([report for report in reports if session.verbosity >= 0 or report.exit_code]))
    return exit_code


def status(ctx: typer.Context, pair: params.Pairs = None, *, max_age: MaxAge = None, json: params.Json = False) -> int:
    """Show the last runs, what is in the baseline and what waits."""
    session = start(ctx)
    oldest = _duration(max_age)
    settings = session.settings()
    names = named_or_all(settings, pair)
    from cwsync.engine import pair_status

    reports = pair_status(settings, names, session.home(), oldest)
    exit_code = worst([report.exit_code for report in reports])
    if json:
        from cwsync.cli.output import write_json
        from cwsync.render.jsondiag import status_json

        write_json(status_json(reports, exit_code))
        return exit_code
    from datetime import UTC, datetime

    from cwsync.cli.output import tell_error
    from cwsync.render.diagpage import status_page

    told = [report for report in reports if session.verbosity >= 0 or report.exit_code]
    session.print(status_page(told, datetime.now(UTC)))
    for report in told:
        if report.error is not None:
            tell_error(report.error.code, report.error.message, report.error.hint, where=report.pair)
    return exit_code


def _duration(text: str | None) -> timedelta | None:
    if text is None:
        return None
    from cwsync.config import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error), where="--max-age") from None


def explain(
    ctx: typer.Context,
    pair: params.PairName,
    text: Words,
    *,
    feature: params.Features = None,
    full: params.Full = False,
    json: params.Json = False,
) -> int:
    """Tell all that is known of a record, what is planned for it, and why."""
    from cwsync.cli.progress import bars

    session = start(ctx)
    settings = session.settings()
    name = known_pair(settings, pair).name
    from cwsync.engine import explain as explain_pair
    from cwsync.engine.options import RunOptions

    options = RunOptions(features=choose_features(settings, [name], feature), full=full)
    with bars(session, as_json=json) as on_progress:
        report = explain_pair(settings, name, text, options, session.home(on_progress))
    if json:
        from cwsync.cli.output import write_json
        from cwsync.render.jsondiag import explain_json

        write_json(explain_json(report))
    else:
        from cwsync.cli.output import tell_error
        from cwsync.render.diagpage import explain_page

        session.print(explain_page(report))
        if report.error is not None:
            tell_error(report.error.code, report.error.message, report.error.hint, where=report.pair)
    return report.error.exit_code if report.error else 0
