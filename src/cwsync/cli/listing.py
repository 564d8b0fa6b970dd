"""`pairs`, `accounts` and `capabilities`: what the file defines and what providers can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cwsync.cli import params
from cwsync.cli.session import did_you_mean, start
from cwsync.errors import UsageError

if TYPE_CHECKING:
    from cwsync.model import Capabilities, Settings

ProviderName = Annotated[
    str | None,
    typer.Argument(metavar="PROVIDER", help="Only this one, in full.", show_default=False),
]


def pairs(ctx: typer.Context, *, json: params.Json = False) -> int:
    """List the pairs of the file."""
    session = start(ctx)
    defined = session.settings().pairs.values()
    if json:
        from cwsync.cli.output import write_json
        from cwsync.render.jsonlists import pairs_json

        write_json(pairs_json(defined))
    else:
        from cwsync.render.listpage import pairs_page

        session.print(pairs_page(defined))
    return 0


def accounts(ctx: typer.Context, *, json: params.Json = False) -> int:
    """List the accounts of the file. Secrets are shown as where they come from."""
    session = start(ctx)
    settings = session.settings()
    defined, used = settings.accounts.values(), _pairs_of(settings)
    if json:
        from cwsync.cli.output import write_json
        from cwsync.render.jsonlists import accounts_json

        write_json(accounts_json(defined, used))
    else:
        from cwsync.render.listpage import accounts_page

        session.print(accounts_page(defined, used))
    return 0


def _pairs_of(settings: Settings) -> dict[str, list[str]]:
    """The names of the pairs that use each account."""
    used: dict[str, list[str]] = {name: [] for name in settings.accounts}
    for pair in settings.pairs.values():
        for account in (pair.source.name, pair.target.name):
            used.setdefault(account, []).append(pair.name)
    return used


def capabilities(ctx: typer.Context, provider: ProviderName = None, *, json: params.Json = False) -> int:
    """Show what each provider can read and write."""
    session = start(ctx)
    declared = _declared(provider)
    if json:
        from cwsync.cli.output import write_json
        from cwsync.render.jsonlists import capabilities_json

        write_json(capabilities_json(declared))
    else:
        from cwsync.render.listpage import capabilities_page, capability_page

        session.print(capability_page(provider, declared[provider]) if provider else capabilities_page(declared))
    return 0


def _declared(provider: str | None) -> dict[str, Capabilities]:
    """The declared data of one provider, or of all."""
    from cwsync.provider import provider_class, provider_names

    known = provider_names()
    if provider is not None and provider not in known:
        hint = f"{did_you_mean(provider, known)}providers: {', '.join(known)}"
        raise UsageError(f"there is no provider {provider!r}", hint=hint)
    return {name: provider_class(name).capabilities for name in ([provider] if provider else known)}
