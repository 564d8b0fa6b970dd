"""Jellyfin keeps the provider contract, against the simulated one over real HTTP."""

from __future__ import annotations

from pathlib import Path

from contract.mediaserver import Owner
from contract.suite import Account, ProviderContract
from cwsync.providers.jellyfin import Jellyfin
from simulators import jellyfin as simulated


class TestJellyfin(ProviderContract):
    provider = Jellyfin

    def make(self, tmp_path: Path) -> Account:
        return Owner(simulated.Jellyfin())
