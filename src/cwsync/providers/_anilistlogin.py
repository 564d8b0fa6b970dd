"""Logging in at AniList: a browser shows a token, a person hands it over. It is good for a year and not renewed.

Source: https://docs.anilist.co/guide/auth (implicit grant, the pin page) (checked 2026-11-21).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from cwsync.errors import AuthError, ConfigError, UnavailableError
from cwsync.model import AccountSpec
from cwsync.provider import Person
from cwsync.providers._anilistcalls import APPS, Calls
from cwsync.providers._anilistwire import VIEWER, Viewer, decode_token, decode_viewer
from cwsync.tokens import Tokens, origin_of

PIN: Final = "https://anilist.co/api/v2/oauth/pin"
_MINUTES: Final = 10


async def login(account: AccountSpec, person: Person, calls: Calls) -> Tokens:
    """Have a token shown and typed in, and prove that it works. It is in no address and on no screen of ours."""
    address = calls.address
    begin = f"begin again: cwsync auth login {account.name}"
    if address.client_id is None:
        hint = f"make an API client at {APPS} with the redirect URL {PIN}, and put its number there"
        message = "needs `client_id`, the number of an AniList API client"
        raise ConfigError(message, where=f"accounts.{account.name}.client_id", hint=hint)
    person.visit(f"{address.auth}?client_id={address.client_id}&response_type=token", None, _MINUTES)
    token = person.ask_secret("The access token that is shown there:", option="access_token").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise AuthError("that is no access token", where=account.name, hint=begin)
    try:
        viewer = await whose(calls, token)
    except AuthError as error:
        hint = f"{begin}; the redirect URL of the API client has to be {PIN}"
        raise AuthError("AniList does not take this token", where=account.name, hint=hint) from error
    claims = decode_token(token)
    person.say(f"{viewer.name} at AniList")
    return Tokens(
        account.name,
        account.provider,
        viewer.account_id,
        origin_of(address.api) or "",
        {"access": token},
        datetime.now(UTC),
        # Of another user's token, or of none of this kind, the end is not known.
        claims.expires_at if claims.user == str(viewer.number) else None,
        {"name": viewer.name},
    )


async def whose(calls: Calls, token: str | None = None) -> Viewer:
    """Whose token it is: one request. Raises `AuthError`, `UnavailableError`."""
    said = await calls.ask(VIEWER, token=token)
    try:
        return decode_viewer(said.data or {})
    except ValueError as error:
        message = f"the answer of AniList makes no sense: {error}"
        raise UnavailableError(message, where=calls.address.account, hint="try again later") from error
