"""Two names for one account: a pair would sync it with itself, two runs would write it at once."""

from __future__ import annotations

import fcntl
import os

from cwsync.errors import Exit
from cwsync.model import Feature
from support.engine import World
from support.shell import Shell, films
from support.world import movie, rated


def test_a_pair_of_two_names_for_one_account_is_refused_once_both_are_open(tmp_path):
    world = World(tmp_path)
    one, other = world.account("one"), world.account("other")
    other.account_id = one.account_id
    one.put(Feature.RATINGS, (movie(1), rated(5)))
    world.pair("one", "other", Feature.RATINGS)
    report = world.run()
    assert report.error is not None
    assert (report.exit_code, report.error.code) == (Exit.USAGE, "config")
    assert "are the same account" in report.error.message
    assert other.wire == []


def test_accounts_of_services_that_tell_no_id_are_not_taken_for_one(tmp_path):
    world = World(tmp_path)
    one, other = world.account("one"), world.account("other")
    one.account_id = other.account_id = ""
    one.put(Feature.RATINGS, (movie(1), rated(5)))
    world.pair("one", "other", Feature.RATINGS)
    assert world.run().exit_code == 0
    assert len(other.wire) == 1


def test_one_tracker_folder_under_two_names_is_written_by_one_run_at_a_time(tmp_path):
    """Two accounts with one path are two locks: whoever renamed last won, the other's confirmed writes were gone."""
    shell = Shell(
        tmp_path,
        '[accounts.a]\nprovider = "tracker"\npath = "a"\n[accounts.b]\nprovider = "tracker"\npath = "b"\n'
        '[pairs.a-b]\nsource = "a"\ntarget = "b"\n[pairs.a-b.ratings]\n',
    )
    shell.put("a", *films(range(1, 4)))
    shell.put("b", *films(range(3, 4)))
    descriptor = os.open(shell.folder / "b", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        done = shell("run a-b --apply")
    finally:
        os.close(descriptor)
    assert (done.code, len(shell.held("b"))) == (75, 1)
    assert "another run is writing here" in done.err
    assert (shell("run a-b --apply").code, len(shell.held("b"))) == (0, 3)
