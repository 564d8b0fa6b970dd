"""Every byte of what a run reads back: changed, missing or moved, it is found, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from cwsync.model import Change, Feature, PairReport
from support.engine import HOUR, MINUTE, SOAK, WINDOW, World
from support.figures import figure
from support.memory import Store
from support.scenes import AT_ONCE
from support.shell import data_of
from support.world import at, movie, rated

RATINGS = Feature.RATINGS
# In the short form each byte gets one of these, the next byte the other one.
TWO = (0x01, 0x40)
EIGHT = tuple(1 << bit for bit in range(8))

Damage = Iterator[tuple[str, bytes]]


def small(folder: Path, *, cut: str | None = None) -> World:
    """Two small accounts in step, an add and a removal to make; `cut` says where an earlier run died."""
    world = World(folder)
    home, away = world.account("home"), world.account("away")
    for store in (home, away):
        store.put(RATINGS, (movie(1), rated(5, at(0))), (movie(2), rated(6, at(0))))
    world.pair("home", "away", RATINGS, hold_removed=AT_ONCE)
    world.run()
    world.clock.tick(HOUR)
    home.take(RATINGS, movie(2))
    home.put(RATINGS, (movie(3), rated(7, at(0))))
    if cut is not None:
        world.logins["away"].lies.on_effect = world.dies_at(cut)
        try:
            assert world.cut(10_000)
        finally:
            world.logins["away"].lies.on_effect = world._effect
        world.clock.tick(WINDOW)
    return world


def stores(world: World) -> list[Store]:
    return [login.store for login in world.logins.values()]


def traffic(world: World) -> tuple[int, int]:
    """How many reads and how many writes reached the services."""
    return sum(store.reads for store in stores(world)), sum(len(store.wire) for store in stores(world))


def flipped(data: bytes) -> Damage:
    """Every byte, changed."""
    for place, old in enumerate(data):
        for bits in EIGHT if SOAK else (TWO[place % 2],):
            yield f"byte {place} ^ {bits:#04x}", data[:place] + bytes([old ^ bits]) + data[place + 1 :]


def truncated(data: bytes) -> Damage:
    """Every length that is not the whole."""
    for size in range(len(data)):
        yield f"the first {size} bytes", data[:size]


def stretched(data: bytes) -> Damage:
    """A byte too many: something ordinary, at every place (at every seventh in the short form)."""
    for place in range(0, len(data) + 1, 1 if SOAK else 7):
        for extra in (b"\0", b"1", b" ", b"\n"):
            yield f"{extra!r} before byte {place}", data[:place] + extra + data[place:]


def shuffled(data: bytes) -> Damage:
    """Lines removed, doubled, swapped."""
    lines = data.splitlines(keepends=True)
    for n, line in enumerate(lines):
        yield f"line {n + 1} removed", b"".join(lines[:n] + lines[n + 1 :])
        yield f"line {n + 1} doubled", b"".join([*lines[: n + 1], line, *lines[n + 1 :]])
        for other in range(n + 1, len(lines)):
            moved = list(lines)
            moved[n], moved[other] = moved[other], line
            yield f"lines {n + 1} and {other + 1} swapped", b"".join(moved)


def thinned(damage: Damage, step: int) -> Damage:
    """Every one in the long form, else one in `step`."""
    return islice(damage, 0, None, 1 if SOAK else step)


def refused(world: World, path: Path, damage: bytes, where: str, *, apply_too: bool) -> None:
    """Exit 7 with the way out, dry or with --apply; nobody was asked, nothing was told, no byte of ours moved."""
    path.write_bytes(damage)
    before, kept = traffic(world), kept_of(world)
    for apply in (False, True) if apply_too else (False,):
        report = world.run(apply=apply)
        assert (report.exit_code, report.error and report.error.code) == (7, "state"), where
        assert report.error is not None
        assert "reset-state home-away" in (report.error.hint or "") or "newer" in report.error.message, (
            where,
            report.error,
        )
        assert report.changes == (), where
    assert traffic(world) == before, where
    assert kept_of(world) == kept, where


def kept_of(world: World) -> dict[str, bytes]:
    """Every byte below the folder of the pair, but for the record of the last run."""
    held = data_of(world.path())
    held.pop("last-run.json", None)
    return held


@pytest.mark.parametrize("kind", [flipped, truncated, stretched], ids=lambda kind: str(kind.__name__))
def test_I22_every_byte_of_the_state_counts_and_a_baseline_is_never_silently_empty(
    tmp_path: Path, kind: Callable[[bytes], Damage]
) -> None:
    world = small(tmp_path)
    path = world.path("state.json")
    good = path.read_bytes()
    n = 0
    for where, bad in thinned(kind(good), 1 if kind is flipped else 4):
        n += 1
        refused(world, path, bad, f"state, {where}", apply_too=bool(SOAK) or n % 25 == 1)
    figure("every byte", f"state.json ({len(good)} bytes) {kind.__name__}: {n} damages, all refused")
    path.write_bytes(good)
    assert len(world.run().changes) == 2


@pytest.mark.parametrize("kind", [flipped, stretched, shuffled], ids=lambda kind: str(kind.__name__))
def test_I22_every_byte_of_a_journal_counts(tmp_path: Path, kind: Callable[[bytes], Damage]) -> None:
    world = small(tmp_path, cut="reply")
    path = world.path("journal.jsonl")
    good = path.read_bytes()
    n = tails = 0
    for where, bad in thinned(kind(good), 5 if kind is stretched else 1):
        if bad in (good, *prefixes(good)) or only_torn(good, bad):
            tails += 1  # lines from the start on, with a torn one behind: what a crash leaves
            continue
        n += 1
        refused(world, path, bad, f"journal, {where}", apply_too=bool(SOAK) or n % 25 == 1)
    figure("every byte", f"journal.jsonl ({len(good)} bytes) {kind.__name__}: {n} damages, all refused; {tails} tails")
    path.write_bytes(good)
    world.clock.tick(WINDOW + MINUTE)
    world.settle()
    assert stores(world)[0].keys(RATINGS) == stores(world)[1].keys(RATINGS)


def prefixes(data: bytes) -> set[bytes]:
    """The journal as it was after each of its lines."""
    lines = data.splitlines(keepends=True)
    return {b"".join(lines[:n]) for n in range(len(lines) + 1)}


def only_torn(good: bytes, bad: bytes) -> bool:
    """Whether all that differs is an unfinished line behind whole ones, which no crash tells from its own."""
    whole, _, torn = bad.rpartition(b"\n")
    lines = whole + b"\n" if whole else b""
    return lines in prefixes(good) and not torn.endswith(b"}")


def in_short(report: PairReport) -> tuple[int, list[tuple[object, ...]]]:
    """What a report says of changes."""
    return report.exit_code, [told(one.change) for one in report.changes]


def told(change: Change) -> tuple[object, ...]:
    return change.side, change.op, change.key, change.before, change.after


@pytest.mark.parametrize("cut", ["request", "reply"])
def test_I22_a_truncated_journal_is_damage_or_what_it_was_one_line_earlier(tmp_path: Path, cut: str) -> None:
    """A part of a line was never acted upon. So each length says the same as the lines that are whole in it."""
    world = small(tmp_path, cut=cut)
    path = world.path("journal.jsonl")
    good = path.read_bytes()
    expected: dict[bytes, tuple[int, list[tuple[object, ...]]]] = {}
    for lines in prefixes(good):
        path.write_bytes(lines)
        expected[lines] = in_short(world.plan())
    for where, bad in thinned(truncated(good), 7):
        path.write_bytes(bad)
        whole, end, _ = bad.rpartition(b"\n")
        assert in_short(world.plan()) == expected[whole + end], where
        assert path.read_bytes() == bad, "a dry run changes nothing"
    figure("every byte", f"journal.jsonl ({len(good)} bytes) cut {cut}: each cut is as the lines that are whole")


# --- what only helps -----------------------------------------------------------------------------


def all_damage(data: bytes) -> Damage:
    for kind in (flipped, truncated, stretched):
        yield from kind(data)


def allowed(report: PairReport, undamaged: set[tuple[object, ...]], where: str) -> None:
    """Nothing that the sound run would not do, and nothing less without saying why."""
    changes = {told(one.change) for one in report.changes}
    assert changes <= undamaged, where
    assert changes == undamaged or report.exit_code in (3, 4, 7) or report.warnings or report.holds, where


def test_I22_damage_to_the_record_of_the_last_run_is_told_or_harmless(tmp_path: Path) -> None:
    world = small(tmp_path)
    path = world.path("last-run.json")
    good, undamaged = path.read_bytes(), {told(one.change) for one in world.plan().changes}
    assert len(undamaged) == 2
    n = 0
    for where, bad in thinned(all_damage(good), 11):
        n += 1
        path.write_bytes(bad)
        allowed(world.plan(), undamaged, where)
    figure("every byte", f"last-run.json ({len(good)} bytes): {n} damages, none led to another write")


@pytest.mark.parametrize("still", [True, False], ids=["still", "edited"])
def test_I24_damage_to_the_cache_never_changes_what_a_run_does(tmp_path: Path, still: bool) -> None:
    world = small(tmp_path)
    world.run()
    for _ in range(3):
        world.clock.tick(HOUR)
        world.run()
    path = tmp_path / "cache" / "home-away.json"
    good = path.read_bytes()
    if not still:
        stores(world)[0].put(RATINGS, (movie(9), rated(2, at(0))))
    sound = in_short(world.plan(full=True))
    assert len(sound[1]) == (0 if still else 1)
    n = 0
    for where, bad in thinned(all_damage(good), 11):
        n += 1
        path.write_bytes(bad)
        assert in_short(world.plan()) == sound, where
    figure("every byte", f"cache ({len(good)} bytes), {'still' if still else 'edited'}: {n} damages, the same plan")
