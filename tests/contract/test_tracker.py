"""The tracker keeps the provider contract."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from contract.suite import Account, ProviderContract
from cwsync.model import AccountSpec, Entry, Feature
from cwsync.provider import Provider, Services
from cwsync.providers._trackerrow import encode_row
from cwsync.providers.tracker import Tracker


class Folder(Account):
    """A folder of files that tests write as an editor would."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def connect(self, feature: Feature) -> Provider:
        return Tracker(AccountSpec("folder", "tracker", {"path": str(self.path)}), Services())

    def seed(self, feature: Feature, entries: Sequence[Entry]) -> None:
        self.path.mkdir(exist_ok=True)
        items = [json.loads(encode_row(entry.item, entry.value)) for entry in entries]
        text = json.dumps({"schema": 1, "feature": feature.value, "items": items}, indent=4)
        (self.path / f"{feature.value}.json").write_text(text)

    def break_reads(self, feature: Feature) -> None:
        (self.path / f"{feature.value}.json").write_text('{"schema": 1, "items": [')


class TestTracker(ProviderContract):
    provider = Tracker

    def make(self, tmp_path: Path) -> Account:
        return Folder(tmp_path / "tracker")
