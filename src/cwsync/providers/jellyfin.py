"""Jellyfin, 10.9 and later: one user at one server. See `_mediabrowser` for what it shares with Emby.

Source: Jellyfin's server 10.10.7 to 12.0-rc5 and its OpenAPI documents (checked 2026-11-21).
"""

from __future__ import annotations

from typing import ClassVar

from cwsync.errors import ConfigError
from cwsync.model import Capabilities
from cwsync.provider import Option
from cwsync.providers._mbcaps import JELLYFIN_CAPS
from cwsync.providers._mbdialect import JELLYFIN, Dialect
from cwsync.providers._mblogin import is_user
from cwsync.providers._mbwire import User, decode_user
from cwsync.providers._mediabrowser import OPTIONS, MediaBrowser


class Jellyfin(MediaBrowser):
    """One user at one Jellyfin."""

    dialect: ClassVar[Dialect] = JELLYFIN
    capabilities: ClassVar[Capabilities] = JELLYFIN_CAPS
    options: ClassVar[tuple[Option, ...]] = (
        *OPTIONS,
        Option(
            "login",
            "text",
            "how to log in; Quick Connect where the server has it if absent",
            choices=("quick-connect", "password"),
        ),
    )

    async def _whose(self, wanted: str | None) -> tuple[User, bool]:
        """A token says whose it is. A key has no user (400): then it is the one of the file, and the key may do all."""
        answer = await self._calls.get("/Users/Me", allowed=(200, 400))
        if answer.status == 400:
            if wanted is None:
                raise self._needs_user()
            return await self._user_called(wanted), True
        user = decode_user(answer)
        if wanted is not None and not is_user(wanted, user):
            # An administrator may read for others, but was reported to write for themselves (issue 15733).
            where = f"accounts.{self._account.name}.user"
            hint = "take the token of that user, or a key of the server"
            raise ConfigError(f"the token is that of {user.name!r}, not of {wanted!r}", where=where, hint=hint)
        return user, user.admin
