"""The journal: intents before, receipts after, and every change to it is found."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cwsync import files
from cwsync.engine.effects import Touch, with_side_effects
from cwsync.errors import Exit, StateError
from cwsync.model import (
    Baseline,
    Capabilities,
    Change,
    ConfirmedWrite,
    Feature,
    Mark,
    MarkKind,
    Op,
    Outcome,
    Play,
    Rated,
    Receipt,
    Row,
    Side,
    confirm,
)
from cwsync.state.entries import REPLAYED, Header
from cwsync.state.journal import JOURNAL, Journal, read_journal, retire, unanswered
from support.engine import WINDOW, World, did
from support.memory import capable, shown
from support.world import at, listed, movie, rated
from unit.test_state_fixture import HEAT, LATER, NOW, PILOT, STRANGE

HEADER = Header(
    "20240501-1",
    "p",
    "a",
    "b",
    7,
    "c" * 64,
    "digest",
    NOW,
    {Feature.RATINGS: {Side.SOURCE: "w1", Side.TARGET: None}},
)
ONE = Change(Feature.RATINGS, Side.TARGET, Op.UPDATE, "k1", HEAT, Rated(50, NOW), Rated(80), Rated(80), REPLAYED, "17")
TWO = Change(Feature.RATINGS, Side.TARGET, Op.ADD, "k2", STRANGE, None, Rated(10), Rated(10), REPLAYED)
PLAY = Change(Feature.HISTORY, Side.SOURCE, Op.REMOVE, "k3", PILOT, Play(NOW), None, None, REPLAYED)
RECEIPTS = [Receipt(ONE, Outcome.CONFIRMED, None, "17"), Receipt(TWO, Outcome.REJECTED, "gone", None, "why", True)]


@pytest.fixture(autouse=True)
def _no_hook() -> Iterator[None]:
    yield
    files.set_effect_hook(None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pairs" / "p"


def write(folder: Path) -> Path:
    """An unfinished journal: one batch answered, one in doubt."""
    with Journal.begin(folder, HEADER) as journal:
        journal.intend(1, Feature.RATINGS, Side.TARGET, [ONE, TWO], NOW)
        journal.record(1, RECEIPTS, LATER, "w2")
        journal.intend(2, Feature.HISTORY, Side.SOURCE, [PLAY], LATER)
    return folder / JOURNAL


def test_what_was_written_is_read(folder: Path) -> None:
    record = read_journal(write(folder))
    assert record is not None
    assert record.header == HEADER
    (first, answer), (second, none) = record.batches
    assert (first.batch, first.feature, first.side, first.at) == (1, Feature.RATINGS, Side.TARGET, NOW)
    assert first.changes == (ONE, TWO)
    assert answer is not None
    assert (answer.receipts, answer.at, answer.watermark) == (tuple(RECEIPTS), LATER, "w2")
    assert (second.changes, none) == ((PLAY,), None)
    assert unanswered(record) == [second]
    assert record.committed is False


def test_no_journal_is_none_and_reading_creates_nothing(folder: Path, tmp_path: Path) -> None:
    assert read_journal(folder / JOURNAL) is None
    assert not list(tmp_path.iterdir())


def test_a_finished_journal_moves_to_the_runs(folder: Path) -> None:
    path = write(folder)
    record = read_journal(path)
    assert record is not None
    with Journal.reopen(folder, record) as journal:
        journal.record(2, [Receipt(PLAY, Outcome.UNKNOWN)], LATER)
        to = journal.finish({"confirmed": 1}, 8, "d" * 64, LATER)
    assert (to, path.exists()) == (folder / "runs" / "20240501-1.jsonl", False)
    done = read_journal(to)
    assert done is not None
    assert done.commit is not None
    assert (done.commit.generation, done.commit.checksum, done.commit.counts) == (8, "d" * 64, {"confirmed": 1})
    assert unanswered(done) == []
    kinds = [json.loads(line)["kind"] for line in to.read_text().splitlines()]
    assert kinds == ["begin", "intent", "receipt", "intent", "receipt", "commit", "end"]


def test_a_journal_cut_between_commit_and_move_is_retired(folder: Path) -> None:
    def stop(name: str, _path: Path) -> None:
        if name == "rename":
            raise KeyboardInterrupt

    journal = Journal.begin(folder, HEADER)
    files.set_effect_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        journal.finish({}, 8, None, LATER)
    files.set_effect_hook(None)
    record = read_journal(folder / JOURNAL)
    assert record is not None
    assert record.committed
    assert retire(folder, record.header.run_id).name == "20240501-1.jsonl"
    assert read_journal(folder / JOURNAL) is None


def test_each_method_returns_after_an_fsync(folder: Path) -> None:
    folder.mkdir(parents=True)
    seen: list[str] = []
    files.set_effect_hook(lambda name, path: seen.append(name))
    journal = Journal.begin(folder, HEADER)
    assert seen == ["open", "write", "fsync", "fsync-dir"]
    seen.clear()
    journal.intend(1, Feature.RATINGS, Side.TARGET, [ONE], NOW)
    assert seen == ["write", "fsync"]
    journal.record(1, RECEIPTS[:1], NOW)
    assert seen == ["write", "fsync"] * 2
    seen.clear()
    journal.finish({}, 1, None, NOW)
    assert seen == ["write", "fsync", "write", "fsync", "mkdir", "fsync-dir", "rename", "fsync-dir", "fsync-dir"]


@pytest.mark.parametrize("step", ["write", "fsync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failed_write_is_final(folder: Path, step: str, number: int) -> None:
    def fail(name: str, _path: Path) -> None:
        if name == step:
            raise OSError(number, os.strerror(number))

    journal = Journal.begin(folder, HEADER)
    files.set_effect_hook(fail)
    with pytest.raises(StateError) as caught:
        journal.intend(1, Feature.RATINGS, Side.TARGET, [ONE], NOW)
    assert caught.value.exit_code == Exit.STATE
    files.set_effect_hook(None)
    with pytest.raises(StateError, match="cannot write any more"):
        journal.intend(1, Feature.RATINGS, Side.TARGET, [ONE], NOW)
    with pytest.raises(StateError, match="cannot write any more"):
        journal.finish({}, 8, None, NOW)
    assert read_journal(folder / JOURNAL) is not None


@pytest.mark.parametrize("step", ["open", "write", "fsync", "fsync-dir"])
def test_a_begin_that_fails_leaves_no_journal(folder: Path, step: str) -> None:
    folder.mkdir(parents=True)

    def fail(name: str, _path: Path) -> None:
        if name == step:
            raise OSError(errno.ENOSPC, "No space left on device")

    files.set_effect_hook(fail)
    with pytest.raises(StateError, match="the disk is full"):
        Journal.begin(folder, HEADER)
    files.set_effect_hook(None)
    assert not list(folder.iterdir())


def test_a_second_journal_is_refused(folder: Path) -> None:
    before = write(folder).read_bytes()
    with pytest.raises(StateError, match="not finished"):
        Journal.begin(folder, replace(HEADER, run_id="other"))
    assert (folder / JOURNAL).read_bytes() == before


@pytest.mark.parametrize("left", [b"", b'{"n":1,"kind":"beg'])
def test_a_journal_cut_while_it_was_begun_is_begun_again(folder: Path, left: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / JOURNAL).write_bytes(left)
    assert read_journal(folder / JOURNAL) is None
    Journal.begin(folder, HEADER).close()
    assert read_journal(folder / JOURNAL) is not None


def test_a_truncation_only_ever_loses_the_torn_tail(folder: Path) -> None:
    path = write(folder)
    good = path.read_bytes()
    lines = good.splitlines(keepends=True)
    for size in range(len(good) + 1):
        path.write_bytes(good[:size])
        whole = good[:size].count(b"\n")
        record = read_journal(path)
        if whole == 0:
            assert record is None
            continue
        assert record is not None
        assert (record.lines, record.size) == (whole, len(b"".join(lines[:whole])))
        assert [receipts is not None for _, receipts in record.batches] == [[], [], [False], [True], [True, False]][
            whole
        ]


def test_a_flip_in_every_byte_is_found(folder: Path) -> None:
    path = write(folder)
    good = path.read_bytes()
    for place in range(len(good)):
        flip = (0x01, 0x20, 0x80, 0xFF)[place % 4]
        path.write_bytes(good[:place] + bytes([good[place] ^ flip]) + good[place + 1 :])
        with pytest.raises(StateError, match="damaged") as caught:
            read_journal(path)
        assert caught.value.exit_code == Exit.STATE
        assert "cwsync reset-state p" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "order",
    [[0, 1, 3], [0, 2], [1], [0, 1, 1], [0, 1, 2, 2], [0, 0], [1, 0], [0, 1, 2, 3, 3]],
    ids=str,
)
def test_lines_missing_repeated_or_moved_are_found(folder: Path, order: list[int]) -> None:
    path = write(folder)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[number] for number in order))
    with pytest.raises(StateError, match="damaged"):
        read_journal(path)


def test_a_wrong_number_of_receipts_is_damage(folder: Path) -> None:
    with Journal.begin(folder, HEADER) as journal:
        journal.intend(1, Feature.RATINGS, Side.TARGET, [ONE, TWO], NOW)
        journal.record(1, RECEIPTS[:1], NOW)
    with pytest.raises(StateError, match="1 receipts for 2 changes"):
        read_journal(folder / JOURNAL)


def test_going_on_after_a_torn_line_cuts_it_off(folder: Path) -> None:
    path = write(folder)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"n":5,"kind":"inte')
    record = read_journal(path)
    assert record is not None
    with Journal.reopen(folder, record) as journal:
        assert path.read_bytes() == whole
        journal.record(2, [Receipt(PLAY, Outcome.NOT_SENT)], LATER)
    again = read_journal(path)
    assert again is not None
    assert (again.lines, unanswered(again)) == (5, [])


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_it_is_owner_only(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        Journal.begin(folder, HEADER).finish({}, 1, None, NOW)
    finally:
        os.umask(before)
    assert (folder / "runs" / "20240501-1.jsonl").stat().st_mode & 0o777 == 0o600
    assert (folder / "runs").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("place", [".", JOURNAL, "runs"])
def test_symlinks_are_refused(folder: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder if place != "." else folder.parent).mkdir(parents=True)
    (folder / place if place != "." else folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="is a symlink"):
        Journal.begin(folder, HEADER).finish({}, 1, None, NOW)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_two_hundred_runs_are_kept(folder: Path) -> None:
    for number in range(203):
        Journal.begin(folder, replace(HEADER, run_id=f"run-{number:03d}")).finish({}, 1, None, NOW)
    names = sorted(path.name for path in (folder / "runs").iterdir())
    assert (len(names), names[0], names[-1]) == (200, "run-003.jsonl", "run-202.jsonl")


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", ".hidden", "a\n"])
def test_a_run_id_is_a_file_name(run_id: str) -> None:
    with pytest.raises(ValueError, match="not a run id"):
        replace(HEADER, run_id=run_id)


# --- the chain, and what a replay makes of a journal, found by switching each part off ----------------


def test_a_line_of_another_journal_is_found(folder: Path, tmp_path: Path) -> None:
    """Each line is whole and has its right number; only the chain tells that they never stood together."""
    mine = write(folder)
    other = tmp_path / "pairs" / "other"
    with Journal.begin(other, replace(HEADER, run_id="20240501-2")) as journal:
        journal.intend(1, Feature.RATINGS, Side.TARGET, [ONE], NOW)
        journal.record(1, RECEIPTS[:1], LATER, "w9")
    lines, theirs = mine.read_bytes().splitlines(keepends=True), (other / JOURNAL).read_bytes().splitlines(True)
    mine.write_bytes(b"".join([*lines[:2], theirs[2]]))
    with pytest.raises(StateError, match="line 3 is not what was written"):
        read_journal(mine)


RATINGS = Feature.RATINGS
EXACT = capable(every={"batch": 1}, exact_watermark=True, staleness=WINDOW)
VAGUE = capable(every={"batch": 1}, staleness=WINDOW)


def cut(folder: Path, caps: Capabilities, word: str, number: int = 1) -> World:
    """A run with two additions, one a batch, whose power went off at the `number`-th request or reply."""
    world = World(folder)
    home, _ = world.account("home", caps), world.account("away", caps)
    home.put(RATINGS, (movie(1), rated(8)), (movie(2), rated(7)))
    world.pair("home", "away", RATINGS)
    seen: list[str] = []
    die = world.dies_at(word)

    def happen(name: str) -> None:
        seen.append(name)
        if seen.count(word) == number:
            die(name)

    world.logins["away"].lies.on_effect = happen
    assert world.cut(10_000)
    world.logins["away"].lies.on_effect = lambda _name: None
    return world


PROOFS = [
    # what the accounts' stamps say, where the power went off, what the next run writes at once
    (EXACT, "request", 1, ["+target Film 1 (1951) 8 confirmed", "+target Film 2 (1952) 7 confirmed"]),
    (EXACT, "request", 2, ["+target Film 2 (1952) 7 confirmed"]),  # the stamp after the first answer is the proof
    (EXACT, "reply", 1, ["+target Film 2 (1952) 7 confirmed"]),  # the stamp moved: film 1 may be there
    (VAGUE, "request", 1, ["+target Film 2 (1952) 7 confirmed"]),  # such a stamp proves nothing: film 1 may be there
]


@pytest.mark.parametrize(("caps", "word", "number", "expected"), PROOFS)
def test_only_an_exact_stamp_that_stood_still_proves_that_a_write_never_landed(
    tmp_path: Path, caps: Capabilities, word: str, number: int, expected: list[str]
) -> None:
    world = cut(tmp_path, caps, word, number)
    assert did(world.run()) == expected
    world.settle()
    away = world.logins["away"].store
    assert len(away.rows[RATINGS]) == 2
    added = [change.key for change, outcome in away.wire if outcome is Outcome.CONFIRMED]
    assert len(added) == len(set(added)) == 2


def test_the_journal_of_other_accounts_is_not_replayed(tmp_path: Path) -> None:
    world = cut(tmp_path, VAGUE, "reply")
    world.account("third")
    world.pair("home", "third", RATINGS, name="home-away")
    for apply in (False, True):
        report = world.run(apply=apply)
        assert (report.exit_code, report.error and report.error.code) == (7, "state")
        assert "reset-state home-away" in str(report.error and report.error.hint)
    assert world.logins["third"].store.wire == []


def test_the_journal_of_a_pair_that_was_turned_around_is_turned_too(tmp_path: Path) -> None:
    world = cut(tmp_path, VAGUE, "reply")
    world.pair("away", "home", RATINGS, name="home-away")
    world.run()
    marks = {key: row.mark for key, row in world.rows(RATINGS).items() if row.mark is not None}
    doubted = marks[movie(1).key() or ""]
    assert (doubted.kind, doubted.side, doubted.after) == (MarkKind.DOUBT, Side.SOURCE, rated(8))
    world.settle()
    stores = [world.logins[name].store for name in ("home", "away")]
    assert shown(stores[0], RATINGS) == shown(stores[1], RATINGS)
    assert len(stores[0].rows[RATINGS]) == 2


def test_what_was_answered_before_the_cut_is_proved_and_only_the_rest_is_in_doubt(tmp_path: Path) -> None:
    world = cut(tmp_path, VAGUE, "request", 2)
    report = world.run()
    assert any("1 writes are proved, 1 are in doubt" in text for text in report.warnings)
    kinds = {key: row.mark.kind for key, row in world.rows(RATINGS).items() if row.mark is not None}
    assert kinds == {movie(1).key(): MarkKind.SETTLING, movie(2).key(): MarkKind.DOUBT}


def test_an_answer_that_says_nothing_is_a_doubt_also_after_a_cut(tmp_path: Path) -> None:
    world = World(tmp_path)
    home, _ = world.account("home", VAGUE), world.account("away", VAGUE)
    home.put(RATINGS, (movie(1), rated(8)), (movie(2), rated(7)))
    world.pair("home", "away", RATINGS)
    lies = world.logins["away"].lies
    lies.lose_reply = frozenset({1})
    lies.before_apply = lambda _feature, changes: world.dies_at("now")("now") if lies.applies == 2 else None
    assert world.cut(10_000)
    lies.before_apply = None
    world.run()
    kinds = {key: row.mark.kind for key, row in world.rows(RATINGS).items() if row.mark is not None}
    assert kinds == dict.fromkeys((movie(1).key(), movie(2).key()), MarkKind.DOUBT)


@pytest.mark.parametrize("again", [False, True])
def test_I7_what_left_stands_in_the_journal_or_in_the_state_at_every_moment(tmp_path: Path, again: bool) -> None:
    """Also while an unfinished journal is taken into the state (`again`)."""
    left = 0
    for n in range(1, 80):
        world = World(tmp_path / str(n))
        home, away = world.account("home", VAGUE), world.account("away", VAGUE)
        home.put(RATINGS, (movie(1), rated(8)))
        world.pair("home", "away", RATINGS)
        if again:
            world.logins["away"].lies.on_effect = world.dies_at("reply")
            assert world.cut(10_000)
            world.logins["away"].lies.on_effect = lambda _name: None
        ended = not world.cut(n)
        if away.wire:
            left += 1
            journal = read_journal(world.path("journal.jsonl"))
            told = {change.key for intent, _ in (journal.batches if journal else ()) for change in intent.changes}
            known = {key for key, row in world.rows(RATINGS).items() if row.mark is not None}
            assert movie(1).key() in told | known, f"cut at effect {n}"
        if ended:
            break
    assert ended
    assert left > 5


def test_an_exact_stamp_that_moved_proves_nothing_even_if_the_write_does_not_show(tmp_path: Path) -> None:
    world = cut(tmp_path, EXACT, "reply")
    world.logins["away"].lies.hide(RATINGS, movie(1), [], until=world.clock() + WINDOW)
    assert did(world.run()) == ["+target Film 2 (1952) 7 confirmed"]
    mark = world.rows(RATINGS)[movie(1).key() or ""].mark
    assert mark is not None
    assert mark.kind is MarkKind.DOUBT


def test_only_an_answer_that_says_so_proves_a_write() -> None:
    sent = Change(RATINGS, Side.TARGET, Op.ADD, "k", movie(1), None, rated(8), rated(8), "new: on home")
    proved = {outcome for outcome in Outcome if confirm(Receipt(sent, outcome), at(0)) is not None}
    assert proved == {Outcome.CONFIRMED, Outcome.ALREADY}
    for forged in (None, object(), True):
        with pytest.raises(TypeError, match="confirm"):
            ConfirmedWrite(forged, sent, None, at(0), shown=True)


def test_an_effect_never_takes_the_place_of_a_doubt() -> None:
    now = at(10)
    doubt = Mark(MarkKind.DOUBT, Side.TARGET, None, listed(), listed(), now, now + WINDOW)
    caps = dict.fromkeys(Side, capable(drops_from_watchlist=frozenset({Feature.HISTORY}), staleness=WINDOW))
    touched = [Touch(Feature.HISTORY, Side.TARGET, movie(1), now), Touch(Feature.HISTORY, Side.SOURCE, movie(2), now)]
    kept = (("1", movie(1), doubt), ("2", movie(2), None))
    rows = {key: Row(key, what, listed(), listed(), mark=mark) for key, what, mark in kept}
    before = {Feature.WATCHLIST: Baseline(Feature.WATCHLIST, rows)}
    after = with_side_effects(before, caps, touched)[Feature.WATCHLIST].rows
    assert after["1"].mark == doubt
    assert after["2"].mark == Mark(MarkKind.EFFECT, Side.SOURCE, listed(), None, listed(), now, now + WINDOW)
