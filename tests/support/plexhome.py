"""A provider on a simulated Plex, for tests of the provider itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from cwsync.model import AccountSpec, Feature, SecretRef, Snapshot
from cwsync.provider import Services
from cwsync.providers.plex import Plex as Real
from simulators.plex import Plex
from simulators.plexworld import User
from support.session import use


class Hasty(Real):
    """As it is, but for the pace at which the cloud may be asked."""

    cloud_rate_per_s: ClassVar[float] = 100_000.0


def provider(plex: Plex, user: User | None = None, cache: Path | None = None, **more: Any) -> Real:
    """The provider with the token of a user (the owner's) in the file."""
    token = (user or plex.world.owner).server_token
    account = AccountSpec("home", "plex", plex.options(**more), {"token": SecretRef("env", "T")})
    return Hasty(account, Services(cache, secret=lambda _: token))


def read(plex: Plex, feature: Feature, user: User | None = None, cache: Path | None = None, **more: Any) -> Snapshot:
    """One feature, read by a provider of its own."""
    return use(provider(plex, user, cache, **more), lambda made: made.fetch(feature))
