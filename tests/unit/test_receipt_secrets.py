"""What a service answers may repeat what was sent, key and all; and it stays in journals for months."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from cwsync import redaction
from cwsync.errors import CwsyncError, StateError, UnavailableError
from cwsync.model import Change, Feature, Outcome, PairReport, Receipt
from cwsync.redaction import MASK, remember
from support.engine import HOUR, MINUTE, WINDOW, World
from support.scenes import in_step
from support.world import movie, rated

RATINGS = Feature.RATINGS
KNOWN = "Kn0wnS3cret/%+é"  # somebody resolved it before: it is looked for by its value
FRESH = "FreshS3cretNobodyHasSeen"  # in an answer for the first time: it is known by where it stands
CODE = f"refused by {KNOWN}"
DETAIL = " ".join(
    (
        f"POST https://me:{FRESH}@service.invalid/sync?api_key={FRESH}&q={quote(KNOWN)}",
        f"sent {json.dumps({'password': KNOWN})} as {base64.b64encode(KNOWN.encode()).decode()}",
        f'got {{"access_token": "{FRESH}", "echo": "{KNOWN}"}}',
    )
)
TRACES = [
    one.encode()
    for one in (
        KNOWN.partition("/")[0],
        FRESH,
        base64.b64encode(KNOWN.encode()).decode()[:12],
        base64.b64encode(FRESH.encode()).decode()[:12],
    )
]


@pytest.fixture(autouse=True)
def _known_here_only() -> Iterator[None]:
    before = redaction._known[:]
    remember(KNOWN)
    yield
    redaction._known[:] = before


@dataclass
class Watched(World):
    """A world in which every byte below the folder is looked at before every effect."""

    leaks: set[str] = field(default_factory=set)
    masked: set[str] = field(default_factory=set)

    def _effect(self, name: str) -> None:
        self.look()
        super()._effect(name)

    def look(self) -> None:
        """Note the files in which there is a secret, and those in which one was blanked."""
        for path in self.folder.rglob("*"):
            data = path.read_bytes() if path.is_file() else b""
            if any(trace in data for trace in TRACES):
                self.leaks.add(path.name)
            if MASK.encode() in data:
                self.masked.add(path.parent.name if path.parent.name in ("runs", "backups") else path.name)


def talking(folder: Path, outcome: Outcome | CwsyncError) -> Watched:
    """A pair with two changes for a service that answers all of them so, and says too much."""
    world = Watched(folder)
    home, _ = in_step(world, RATINGS)
    home.change(RATINGS, movie(1), rated(9, world.clock()))
    home.put(RATINGS, (movie(7), rated(8, world.clock())))

    async def apply(_self: object, _feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        if isinstance(outcome, CwsyncError):
            raise outcome
        return [Receipt(change, outcome, CODE, detail=DETAIL) for change in changes]

    world.oddly("away", apply=apply)
    return world


def told(report: PairReport) -> bytes:
    """All that a report says of its changes."""
    return repr([(one.outcome, one.detail, report.error) for one in report.changes]).encode()


ANSWERS = [*Outcome, UnavailableError(DETAIL, hint=DETAIL), StateError(DETAIL)]


@pytest.mark.parametrize("outcome", ANSWERS, ids=lambda one: one.value if isinstance(one, Outcome) else one.code)
def test_a_secret_in_a_receipt_reached_the_journal_the_runs_the_state_and_its_backups(
    tmp_path: Path, outcome: Outcome | CwsyncError
) -> None:
    world = talking(tmp_path, outcome)
    report = world.run()
    assert report.changes
    for _ in range(3):  # the state with its parked records becomes a backup, the journal a past run
        world.clock.tick(WINDOW + MINUTE)
        world.run()
    world.clock.tick(8 * HOUR)
    world.run()
    world.look()
    assert world.leaks == set()
    assert not any(trace in told(report) for trace in TRACES)
    # It went through there, or this would prove nothing.
    assert {"journal.jsonl", "runs"} <= world.masked
    if outcome in (Outcome.REJECTED, Outcome.NOT_FOUND):
        assert {"state.json", "backups"} <= world.masked
        assert {row.parked is not None for row in world.rows(RATINGS).values()} == {True, False}


def test_a_secret_in_a_receipt_did_not_keep_the_rest_of_what_the_service_said(tmp_path: Path) -> None:
    """What is blanked is the secret: a person still reads who refused what, and where."""
    world = talking(tmp_path, Outcome.REJECTED)
    world.run()
    (parked, *_) = [row.parked for row in world.rows(RATINGS).values() if row.parked]
    assert parked.code == f"refused by {MASK}"
    assert parked.detail is not None
    assert f"POST https://{MASK}@service.invalid/sync?api_key={MASK}&q={MASK}" in parked.detail
    said = world.past(run_id=world.past().runs[0].run_id).runs[0].changes
    assert [one.detail for one in said] == [parked.detail] * 2
