"""`check` with accounts that can be reached: clocks, what accounts say of themselves, and what a pair would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cwsync.engine import check
from cwsync.errors import Exit, UnavailableError
from cwsync.model import AccountSpec, CheckReport, Feature, GuardSpec, Mode
from cwsync.provider import Finding
from support.engine import World, fingerprint_of
from support.knower import Knowledge, knower
from support.memory import capable, plugged
from support.world import at, movie, only, played, rated

RATINGS = Feature.RATINGS


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "state")
    for name in ("home", "away"):
        made.account(name).put(RATINGS, *((movie(n), rated(5)) for n in range(1, 11)))
    made.pair("home", "away", RATINGS, guards=GuardSpec())
    return made


def checked(world: World, *, offline: bool = False) -> dict[str, CheckReport]:
    """The reports by name."""
    with world.running():
        reports = check(
            world.settings(),
            tuple(world.pairs),
            offline=offline,
            environ={},
            describe=lambda _ref, _environ: (True, ""),
            home=world.home,
        )
    return {report.name: report for report in reports}


def told(report: CheckReport, what: str) -> list[tuple[bool, str]]:
    return [(ok, detail) for ok, name, detail in report.lines if name == what]


def test_a_pair_that_never_ran_should_be_looked_at(world):
    found = checked(world)["home-away"]
    assert told(found, "readiness") == [(True, "look first: no run has ended well yet")]
    assert (True, "have ids: 10 of 10 on home, 10 of 10 on away") in told(found, "ratings")
    assert (True, "a run would: change nothing") in told(found, "ratings")
    assert not world.folder.exists()


def test_after_a_good_run_it_is_fit_and_nothing_is_written(world):
    world.run()
    before = fingerprint_of(world.folder)
    found = checked(world)["home-away"]
    assert told(found, "readiness") == [(True, "both sides are fit to be kept in step")]
    assert found.exit_code == 0
    assert fingerprint_of(world.folder) == before


def test_what_a_run_would_do_and_the_guard_that_would_stop_it(world):
    world.run()
    world.logins["home"].store.put(RATINGS, *((movie(n), rated(9)) for n in range(100, 103)))
    for number in range(1, 11):
        world.logins["away"].store.take(RATINGS, movie(number))
    found = checked(world)["home-away"]
    lines = told(found, "ratings")
    assert any(ok and text.startswith("a run would: add 3 on away, 10 holds") for ok, text in lines)
    assert any(not ok and text.startswith("guard ") for ok, text in lines)
    assert found.exit_code == Exit.GUARD
    assert "would stop a run" in told(found, "readiness")[0][1]


def test_a_side_that_cannot_be_read_is_told_once_and_makes_no_plan(world):
    async def fetch(_self: object, _feature: Feature) -> None:
        raise UnavailableError("it is down", hint="wait")

    world.oddly("away", fetch=fetch)
    found = checked(world)
    assert told(found["away"], "ratings") == [(False, "it is down; wait")]
    assert found["away"].exit_code == Exit.LATER
    assert told(found["home-away"], "readiness")[0][1].endswith("ratings could not be read")


def test_a_clock_that_is_off_is_told(world):
    assert told(checked(world)["home"], "clock")[0][0] is True
    world.logins["home"].lies.skew = timedelta(hours=2)
    found = checked(world)["home"]
    ((ok, text),) = told(found, "clock")
    assert not ok
    assert "ours is 7,200 s behind that of the service" in text
    assert found.exit_code == Exit.GUARD


def test_an_account_may_tell_of_its_limits(world):
    async def examine(_self: object) -> Sequence[Finding]:
        return [Finding(True, "limits", "4 of 100 lists"), Finding(False, "rights", "may not write")]

    world.oddly("away", examine=examine)
    found = checked(world)["away"]
    assert told(found, "limits") == [(True, "4 of 100 lists")]
    assert told(found, "rights") == [(False, "may not write")]
    assert found.exit_code == Exit.PARTIAL


@pytest.mark.parametrize(
    ("feature", "fit"),
    [(Feature.WATCHLIST, True), (Feature.HISTORY, True), (RATINGS, False), (Feature.PROGRESS, False)],
)
def test_what_is_there_or_not_there_needs_no_update(world, feature, fit):
    world.oddly("away", capabilities=capable(every={"update": False}))
    world.pair("home", "away", feature)
    found = checked(world, offline=True)["home-away"]
    assert told(found, "two-way") == [(fit, "fit" if fit else "not fit: see above")]


def test_offline_nothing_of_this_is_looked_at(world):
    found = checked(world, offline=True)
    assert told(found["home-away"], "readiness") == []
    assert told(found["home"], "reach") == []


def test_a_one_way_pair_is_told_what_two_way_would_want(world):
    world.pair("home", "away", RATINGS, mode=Mode.ONE_WAY)
    assert told(checked(world)["home-away"], "readiness")[0][1].startswith("two-way would want a look first")
    world.run()
    assert told(checked(world)["home-away"], "readiness") == [(True, "two-way would do as well")]


def test_what_a_run_would_do_counts_titles_by_the_ids_it_would_learn(world):
    """One of two films is the same on both sides, by ids of different services."""
    for name, service, other in (("home", "imdb", 2), ("away", "tmdb", 3)):
        rows = [(only(movie(n), service), rated(5)) for n in (1, other)]
        world.account(name).put(RATINGS, *rows)
    name = world.pair("home", "away", RATINGS, guards=GuardSpec())
    world.pairs[name] = replace(world.pairs[name], ids=AccountSpec("knower", "knower"))
    known = Knowledge([movie(n).ids for n in range(1, 4)])
    with plugged(knower=knower(known)):
        found = checked(world)["home-away"]
        assert (True, "a run would: add 1 on home, add 1 on away") in told(found, "ratings")
        known.down = True
        found = checked(world)["home-away"]
    assert told(found, "ids") == [(False, "knower: it is down")]
    assert found.exit_code == Exit.PARTIAL
    assert set(known.cached_in) == {None}


def test_a_mapping_that_is_missing_is_told(world):
    world.account("home").put(Feature.HISTORY, (movie(1), played(at(1))))
    world.account("away", capable(by_entry=True, named_by=frozenset({"anilist"})))
    world.pair("home", "away", Feature.HISTORY, guards=GuardSpec())
    found = checked(world)["home-away"]
    assert "cwsync mappings update" in told(found, "anime")[0][1]
    assert (True, "a run would: 1 hold") in told(found, "history")
    assert found.exit_code == Exit.PARTIAL


def test_the_runs_that_ended_well_are_counted(world):
    for _ in range(3):
        world.run()
    ((ok, text),) = told(checked(world)["home-away"], "runs")
    assert ok
    assert text.startswith("3 runs ended well so far, the last one ")
