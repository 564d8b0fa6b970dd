"""Emby keeps the provider contract, against the simulated one over real HTTP."""

from __future__ import annotations

from pathlib import Path

from contract.mediaserver import Owner
from contract.suite import Account, ProviderContract
from cwsync.providers.emby import Emby
from simulators import emby as simulated


class TestEmby(ProviderContract):
    provider = Emby

    def make(self, tmp_path: Path) -> Account:
        return Owner(simulated.Emby())
