"""`auth login`, `auth status` and `auth logout`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from cwsync.cli import params
from cwsync.cli.session import did_you_mean, start
from cwsync.errors import UsageError, worst

if TYPE_CHECKING:
    from cwsync.model import AccountSpec, Settings

app = typer.Typer(name="auth", help="Log accounts in and out, and see how their logins stand.", rich_markup_mode=None)

Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="An account of the file.")]
Accounts = Annotated[
    list[str] | None, typer.Argument(metavar="ACCOUNT", help="Accounts of the file (all).", show_default=False)
]


@app.command("login")
def login(ctx: typer.Context, account: Account, *, json: params.Json = False) -> int:
    """Log in at the service of an account. Needs no browser on this machine."""
    session = start(ctx)
    chosen = _known(session.settings(), account)
    from datetime import UTC, datetime

    from cwsync.cli.person import Terminal
    from cwsync.engine import log_in
    from cwsync.render import authout

    done = log_in(chosen, session.home(), Terminal(chosen, os.environ))
    now = datetime.now(UTC)
    if json:
        from cwsync.cli.output import write_json

        write_json(authout.login_json(done.status, done.before, now))
    else:
        session.print(authout.login_page(done.status, done.before, now, full=session.verbosity > 0))
    return 0


@app.command("status")
def status(ctx: typer.Context, account: Accounts = None, *, json: params.Json = False) -> int:
    """Show where the login of each account comes from and how long it lasts. Asks no service."""
    session = start(ctx)
    settings = session.settings()
    names = dict.fromkeys(account or settings.accounts)
    wanted = [_known(settings, name).name for name in names]
    from datetime import UTC, datetime

    from cwsync.config import describe_secret
    from cwsync.engine import login_statuses
    from cwsync.render import authout

    statuses = login_statuses(settings, wanted, session.home(), os.environ, describe_secret)
    exit_code = worst([one.exit_code for one in statuses])
    now = datetime.now(UTC)
    if json:
        from cwsync.cli.output import write_json

        write_json(authout.status_json(statuses, now, exit_code))
        return exit_code
    told = [one for one in statuses if session.verbosity >= 0 or one.exit_code]
    session.print(authout.status_page(told, now, full=session.verbosity > 0))
    return exit_code


@app.command("logout")
def logout(ctx: typer.Context, account: Account, *, json: params.Json = False) -> int:
    """Have the service revoke the login of an account, and forget it here."""
    session = start(ctx)
    chosen = _known(session.settings(), account)
    from cwsync.engine import log_out
    from cwsync.render import authout

    report = log_out(chosen, session.home())
    if json:
        from cwsync.cli.output import write_json

        write_json(authout.logout_json(report))
    else:
        session.print(authout.logout_page(report))
    return 0


def _known(settings: Settings, name: str) -> AccountSpec:
    """The account of that name. Raises `UsageError` with the names there are."""
    found = settings.accounts.get(name)
    if found is None:
        names = ", ".join(settings.accounts) or "none"
        hint = f"{did_you_mean(name, settings.accounts)}accounts of {settings.path}: {names}"
        raise UsageError(f"there is no account {name!r}", hint=hint)
    return found
