"""`mappings update` and `mappings status`: the data set that says which anime is which."""

from __future__ import annotations

from typing import Annotated

import typer

from cwsync.cli import params
from cwsync.cli.session import start
from cwsync.errors import Exit

app = typer.Typer(
    name="mappings", help="Which anime is which: get the data set, and see how old it is.", rich_markup_mode=None
)

Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Get it from here instead of GitHub.", show_default=False),
]


@app.command("update")
def update(ctx: typer.Context, *, url: Url = None, json: params.Json = False) -> int:
    """Get the data set if there is a newer one. Nothing of yours is sent."""
    session = start(ctx)
    from datetime import UTC, datetime

    from cwsync import __version__, mappings
    from cwsync.render import mappingsout

    now = datetime.now(UTC).replace(microsecond=0)
    state_dir = session.home().state_dir
    done = mappings.update(state_dir, now, user_agent=f"cwsync/{__version__}", url=url or mappings.URL)
    if json:
        from cwsync.cli.output import write_json

        write_json(mappingsout.update_json(done, now))
    else:
        session.print(mappingsout.update_page(done, now, full=session.verbosity > 0))
    return 0


@app.command("status")
def status(ctx: typer.Context, *, json: params.Json = False) -> int:
    """Show the data set that is here: how old and how large it is. Asks nobody."""
    session = start(ctx)
    from datetime import UTC, datetime

    from cwsync import mappings
    from cwsync.render import mappingsout

    now = datetime.now(UTC)
    kept = mappings.look(session.home().state_dir)
    exit_code = Exit.STATE if kept.problem else Exit.OK
    if json:
        from cwsync.cli.output import write_json

        write_json(mappingsout.status_json(kept, now, int(exit_code)))
    else:
        session.print(mappingsout.status_page(kept, now, full=session.verbosity > 0))
    return int(exit_code)
