"""SIMKL keeps the provider contract, over real HTTP to the simulated service."""

from __future__ import annotations

from pathlib import Path

from contract.services import Login, knowing
from contract.suite import Account, ProviderContract
from cwsync.model import Feature, Kind
from cwsync.provider import Provider
from cwsync.providers.simkl import Simkl
from simulators import simkl as simulated
from simulators.simkl_account import connected, logged_in
from simulators.simkl_titles import Titles

KNOWN = knowing(Titles(), (Kind.MOVIE, Kind.SHOW, Kind.EPISODE))


class AtSimkl(Login[simulated.Simkl]):
    """A login at a service that knows the titles of the tests, and a folder that keeps what was read."""

    reads = "^/sync/"

    def __init__(self, folder: Path) -> None:
        super().__init__(simulated.Simkl(titles=KNOWN))
        self.folder = folder / "cache"
        self.service.quota = 10_000
        self.keeper = logged_in(self.service)
        tokens = self.keeper.tokens
        self.secrets = () if tokens is None else tuple(tokens.secrets.values())

    def connect(self, feature: Feature) -> Provider:
        return connected(self.service, keeper=self.keeper, folder=self.folder)


class TestSimkl(ProviderContract):
    provider = Simkl

    def make(self, tmp_path: Path) -> Account:
        return AtSimkl(tmp_path)
