"""A folder with a tracker, and a login at a simulated SIMKL."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cwsync.model import Item
from simulators.simkl import CLIENT_ID, Simkl
from simulators.simkl_account import logged_in, table
from simulators.simkl_titles import Title
from support.logins import Keeper
from support.trackerhouse import KNOWN, TrackerHouse


class House(TrackerHouse[Simkl]):
    """A person with a folder, and a login at a service whose clock goes on by some seconds from run to run."""

    name = "simkl"

    def __init__(self, folder: Path, *, mode: str = "two-way", more: str = "", client_id: str = CLIENT_ID) -> None:
        self.at = time.time() - 200
        service = Simkl(now=lambda: self.at)
        super().__init__(folder, service, table(service, client_id, more), mode=mode)
        service.interval_s = 1
        for item in KNOWN:
            service.titles.add(item)

    def title(self, item: Item) -> Title:
        return self.service.titles.add(item)

    def later(self) -> None:
        """Let the stamps grow old enough to be relied on."""
        self.at += 5

    def keeper(self) -> Keeper:
        return logged_in(self.service, self.name)

    def run(self, line: str = "run --apply", code: int = 0, **more: Any) -> Any:
        self.later()
        return super().run(line, code, **more)

    def secrets(self) -> Iterable[str]:
        return self.service.tokens()

    @property
    def ratings(self) -> dict[str, int]:
        return {str(one.title.name): one.rating for one in self.service.user.library.values() if one.rating}

    @property
    def plays(self) -> set[tuple[str | None, str]]:
        held = self.service.user.library.values()
        films = {
            (one.title.name, str(one.watched_at)[:16])
            for one in held
            if one.title.is_film and one.status == "completed"
        }
        return films | {(f"{one.title.name} {n}", at[:16]) for one in held for (_, n), at in one.episodes.items()}

    @property
    def listed(self) -> set[str | None]:
        return {one.title.name for one in self.service.user.library.values() if one.status == "plantowatch"}
