"""A provider on a simulated Jellyfin or Emby, for tests of the provider itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from cwsync.model import AccountSpec, Change, Feature, Receipt, SecretRef, Snapshot
from cwsync.provider import Services
from cwsync.providers._mediabrowser import MediaBrowser as Real
from cwsync.providers.emby import Emby
from cwsync.providers.jellyfin import Jellyfin
from simulators.mediabrowser import MediaBrowser
from simulators.mediabrowserworld import User
from support.session import use


class HastyJellyfin(Jellyfin):
    """As it is, but for the waits."""

    @staticmethod
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0)


class HastyEmby(Emby):
    """As it is, but for the waits."""

    @staticmethod
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0)


def provider(server: MediaBrowser, user: User | str | None = "Owner", token: str | None = None, **more: Any) -> Real:
    """The provider with the key of the server for a user, or with a `token`. An option that is None is left out."""
    made = HastyEmby if server.dialect.emby else HastyJellyfin
    name = user.name if isinstance(user, User) else user
    options = {**server.options(), **({"ratings": "on"} if server.dialect.emby else {}), "user": name, **more}
    told = {option: value for option, value in options.items() if value is not None}
    account = AccountSpec("home", made.dialect.name, told, {"token": SecretRef("env", "T")})
    return made(account, Services(secret=lambda _: token or server.key))


def read(server: MediaBrowser, feature: Feature, user: User | str | None = "Owner", **more: Any) -> Snapshot:
    """One feature, read by a provider of its own."""
    return use(provider(server, user, **more), lambda made: made.fetch(feature))


def write(server: MediaBrowser, feature: Feature, *changes: Change, **more: Any) -> Sequence[Receipt]:
    """What becomes of some changes, written by a provider of its own."""
    return use(provider(server, **more), lambda made: made.apply(feature, changes))
