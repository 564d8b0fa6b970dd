"""`history` and `undo` at a shell: what they print, their exit codes, and what they leave."""

from __future__ import annotations

import pytest

from support.shell import Shell, data_of, film, films

PAIRS = """
[accounts.a]
provider = "tracker"
path = "a"
[accounts.b]
provider = "tracker"
path = "b"
[pairs.a-b]
source = "a"
target = "b"
[pairs.a-b.ratings]
remove = true
"""


@pytest.fixture
def cwsync(tmp_path) -> Shell:
    return Shell(tmp_path, PAIRS)


def runs(shell: Shell) -> list[str]:
    return [run["run_id"] for run in shell("history a-b --json").json["runs"]]


def test_what_a_run_wrote_is_listed_taken_back_and_brought_back(cwsync):
    cwsync.put("a", *films(range(1, 4)))
    assert "no run has written anything yet" in cwsync("history a-b").out
    assert cwsync("run a-b --apply").code == 0
    after = cwsync.scores("b")
    (first,) = runs(cwsync)
    assert "ratings +3" in cwsync("history a-b").out
    assert cwsync(f"history a-b {first}").out.count("confirmed") == 3

    dry = cwsync("undo a-b")
    assert (dry.code, cwsync.scores("b")) == (0, after)
    assert f"next: cwsync undo a-b {first} --apply" in dry.out
    done = cwsync("undo a-b --apply --json")
    assert (done.code, done.json["command"], done.pair["undoes"]) == (0, "undo", first)
    assert cwsync.scores("b") == {}
    assert (cwsync("run a-b --apply").code, cwsync.scores("b")) == (0, {})

    second, _ = runs(cwsync)
    assert cwsync(f"undo a-b {second} --apply").code == 0
    assert cwsync.scores("b") == after
    assert "took back" in cwsync("history a-b").out


def test_an_undo_that_a_guard_stops_exits_4_and_names_the_way_through(cwsync):
    cwsync.put("a", *films(range(1, 31)))
    cwsync("run a-b --apply")
    stopped = cwsync("undo a-b --apply")
    assert (stopped.code, len(cwsync.scores("b"))) == (4, 30)
    (line,) = [line for line in stopped.out.splitlines() if "--accept" in line]
    assert cwsync(line.removeprefix("!").strip()).code == 0
    assert cwsync.scores("b") == {}


def test_history_and_a_dry_undo_change_no_byte(cwsync):
    cwsync.put("a", film(1, 8))
    cwsync("run a-b --apply")
    before = cwsync.marks()
    for line in ("history a-b", "history a-b --json", "undo a-b", "undo a-b --json"):
        assert cwsync(line).code == 0
    assert cwsync.marks() == before


@pytest.mark.parametrize("line", ["undo a-b --apply", "undo a-b nothing", "history a-b nothing", "undo a-b --accept x"])
def test_what_cannot_be_taken_back_is_a_usage_error_with_a_hint(cwsync, line):
    done = cwsync(line)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_damaged_journal_of_a_past_run_is_listed_and_takes_nothing_back(cwsync, place):
    cwsync.put("a", *films(range(1, 4)))
    cwsync("run a-b --apply")
    (path,) = (cwsync.pair_folder("a-b") / "runs").iterdir()
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 0x04
    path.write_bytes(data)
    before = data_of(cwsync.folder)
    told = cwsync("history a-b --json")
    assert (told.code, told.json["runs"][0]["ending"]) == (7, "damaged")
    assert cwsync("history a-b").code == 7
    assert cwsync("undo a-b --apply").code == 7
    assert data_of(cwsync.folder) == before
    assert cwsync("run a-b --apply").code == 0, "syncing needs no old journal"
