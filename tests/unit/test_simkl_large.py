"""Libraries of SIMKL that are too large to come with their episodes."""

from __future__ import annotations

from simulators.simkl import Simkl
from unit.test_simkl_read import AT, HISTORY, RATINGS, WATCHLIST, Desk, clock, desk, service

__all__ = ["clock", "desk", "service"]


def test_a_list_that_is_too_large_with_its_episodes_comes_without_them(desk: Desk, service: Simkl) -> None:
    """It ended every run; now what can be told is told, and nothing is removed because of the rest."""
    for n in (1, 2):
        service.user.watch_episode(desk.show(n), (1, 1), AT)
        service.user.rate(desk.show(n), 8, AT)
    service.user.watch(desk.film(1), AT)
    before = desk.one(HISTORY)
    assert len(before.entries) == 3
    desk.kept.unlink()
    service.max_full = 1
    found = desk.read()
    shows = [call.removeprefix("all-items/") for call in desk.asked if call.startswith("all-items/shows")]
    assert shows.count("shows") == 1
    assert shows.count("shows/watching") == 2, "with its episodes, and without"
    assert len(found[RATINGS].entries) == 2
    assert (found[RATINGS].complete, found[WATCHLIST].complete) == (True, True)
    assert not found[HISTORY].complete, "it does not tell every episode"
    assert len(found[HISTORY].entries) == 1
    service.max_full = None
    for n in (1, 2):
        service.user.watch_episode(desk.show(n), (1, 2), AT)
    after = desk.one(HISTORY)
    assert (after.complete, len(after.entries)) == (True, 5)
