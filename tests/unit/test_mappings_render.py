"""What `mappings` shows: how old and how large, and what helps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cwsync.model.mappings import About, Kept, Updated
from cwsync.render.document import PLAIN
from cwsync.render.mappingsout import status_json, status_page, update_json, update_page
from cwsync.render.screen import show

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ABOUT = About(
    "https://example.org/m.json", "3.0.0", NOW - timedelta(days=1), NOW, NOW, 4_000_000, 30_000, 120_000, {"new": 2000}
)
PATH = Path("/state/cache/mappings/anibridge.map")


def text(page: Any) -> list[str]:
    return show(page, PLAIN).splitlines()


def test_a_good_one() -> None:
    kept = Kept(PATH, 9_000_000, ABOUT)
    assert text(status_page(kept, NOW + timedelta(hours=3))) == [
        "30,000 titles, 120,000 links, made 2026-11-20 12:00; last asked for a newer one 3 h ago",
        "version 3.0.0 from https://example.org/m.json",
        "kept in /state/cache/mappings/anibridge.map, 9,000,000 bytes",
    ]
    assert "  not used: 2,000 new" in text(status_page(kept, NOW, full=True))
    assert status_json(kept, NOW, 0)["state"] == "good"


def test_an_old_one_gets_a_hint_and_stays_good_enough() -> None:
    kept, later = Kept(PATH, 9, ABOUT), NOW + timedelta(days=15)
    assert text(status_page(kept, later))[-1] == (
        "hint: nobody asked for a newer one for more than 14 days: cwsync mappings update"
    )
    told: Any = status_json(kept, later, 0)
    assert (told["state"], told["exit_code"], told["mapping"]["age_days"]) == ("stale", 0, 16.0)
    assert told["hint"]


def test_what_others_wrote_is_only_text() -> None:
    hostile = replace(ABOUT, version="3\x1b[2J", skipped={"\x1b]52;x\x07[/]": 1}, generated_on=None)
    page = status_page(Kept(PATH, 9, hostile), NOW, full=True)
    assert "\x1b" not in show(page, PLAIN)
    assert "made nobody says when" in show(page, PLAIN)
    broken = status_page(Kept(PATH, 9, problem="\x1b[2Jbad"), NOW)
    assert "\x1b" not in show(broken, PLAIN)


def test_what_an_update_did() -> None:
    fewer = replace(ABOUT, sources=29_990)
    for before, first in (
        (None, "a mapping is here now"),
        (ABOUT, "a newer mapping is here now"),
        (fewer, "a newer mapping is here now (+10 titles)"),
    ):
        assert text(update_page(Updated(ABOUT, PATH, True, before), NOW))[0] == first
    assert text(update_page(Updated(ABOUT, PATH, False, ABOUT), NOW))[0].startswith("nothing newer")
    told: Any = update_json(Updated(ABOUT, PATH, True, fewer), NOW)
    assert (told["updated"], told["before"]["titles"], told["mapping"]["titles"]) == (True, 29_990, 30_000)
