"""Emby, 4.8 and later: one user at one server. See `_mediabrowser` for what it shares with Jellyfin.

Emby's source is closed. Source: its OpenAPI documents of 4.8.11 and 4.9.0.41, and what clients report
(checked 2026-11-21).
"""

from __future__ import annotations

from typing import ClassVar

from cwsync.errors import ConfigError
from cwsync.model import Capabilities, Feature
from cwsync.provider import Option
from cwsync.providers._mbcaps import EMBY_CAPS
from cwsync.providers._mbdialect import EMBY, Dialect
from cwsync.providers._mbread import Library
from cwsync.providers._mbwire import User
from cwsync.providers._mbwrite import Writer
from cwsync.providers._mediabrowser import OPTIONS, MediaBrowser


class Emby(MediaBrowser):
    """One user at one Emby."""

    dialect: ClassVar[Dialect] = EMBY
    capabilities: ClassVar[Capabilities] = EMBY_CAPS
    options: ClassVar[tuple[Option, ...]] = (
        *OPTIONS,
        Option("ratings", "text", "whether to sync ratings", choices=("off", "on"), default="off"),
    )

    async def _whose(self, wanted: str | None) -> tuple[User, bool]:
        """The user of the file: no token says whose it is."""
        if wanted is None:
            raise self._needs_user()
        user = await self._user_called(wanted)
        # Whether it is a key cannot be told: what only administrators may ask is asked, and may be refused.
        return user, True

    def _opened(self, feature: Feature) -> tuple[Library, Writer]:
        if feature is Feature.RATINGS and self._account.options.get("ratings") != "on":
            hint = 'set ratings = "on" to try it, or take the ratings out of the pair'
            where = f"accounts.{self._account.name}.ratings"
            raise ConfigError("no live Emby is known to keep ratings, so they are off", where=where, hint=hint)
        return super()._opened(feature)
