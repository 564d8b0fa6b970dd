"""The provider in memory, which the engine's tests stand on, keeps the provider contract too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contract.suite import Account, ProviderContract
from cwsync.model import Entry, Feature
from cwsync.provider import Provider, Services
from support.memory import Lies, Memory, Store, account, lying


class Made(Account):
    def __init__(self) -> None:
        self.store = Store()
        self.lies = Lies()

    def connect(self, feature: Feature) -> Provider:
        return lying(Memory, self.lies)(account("memory", store=self.store), Services())

    def seed(self, feature: Feature, entries: Sequence[Entry]) -> None:
        self.store.rows[feature].clear()
        self.store.put(feature, *entries)

    def break_reads(self, feature: Feature) -> None:
        self.lies.fail_reads = 1


class TestMemory(ProviderContract):
    provider = Memory

    def make(self, tmp_path: Path) -> Account:
        return Made()
