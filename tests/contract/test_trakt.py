"""Trakt keeps the provider contract, over real HTTP to the simulated service."""

from __future__ import annotations

from pathlib import Path

from contract.services import Login, knowing
from contract.suite import Account, ProviderContract
from cwsync.model import AccountSpec, Feature
from cwsync.provider import Provider, Services
from cwsync.providers.trakt import Trakt
from simulators import trakt as simulated
from simulators.trakt_titles import Titles

KNOWN = knowing(Titles())


class AtTrakt(Login[simulated.Trakt]):
    """A login at a service that knows the titles of the tests."""

    reads = "^/sync/"

    def __init__(self) -> None:
        super().__init__(simulated.Trakt(titles=KNOWN))
        self.service.user.limits |= {"watchlist": 5000}
        self.token = str(self.service.login()["access_token"])
        self.secrets = (self.token, simulated.CLIENT_SECRET)

    def connect(self, feature: Feature) -> Provider:
        options = {
            "client_id": simulated.CLIENT_ID,
            "api_url": self.service.url,
            "auth_url": self.service.url,
            "write_spacing_ms": 0,
        }
        secrets = {"access_token": self.token, "client_secret": simulated.CLIENT_SECRET}
        return Trakt(AccountSpec("login", "trakt", options), Services(secret=secrets.get))


class TestTrakt(ProviderContract):
    provider = Trakt

    def make(self, tmp_path: Path) -> Account:
        return AtTrakt()
