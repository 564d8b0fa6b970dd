"""What `plan` and `run` print."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from cwsync.model import ChangeReport, ErrorReport, Feature, FeatureReport, Mode, Op, Rated, RunReport
from cwsync.render.document import PLAIN, Layout, Look
from cwsync.render.runpage import RunView, run_page
from cwsync.render.screen import show
from support.reports import (
    add,
    applied_pair,
    change,
    episode,
    feature_report,
    mixed_pair,
    movie,
    note,
    pair_report,
    removes_guard,
    run_report,
)

PLAN = """\
home-trakt: home → trakt (one-way, dry run)

watchlist
   account  title           old → new  reason
+  trakt    Solaris (1972)  listed     new: only the source has it

ratings
   account  title                                    old → new  reason
~  trakt    Heat (1995)                              7 → 7.5    changed: the source moved
+  trakt    Breaking Bad S01E02 Cat's in the Bag...  8          new: only the source has it (not kept: the date)
-  trakt    Gone (2001)                              was 6      removed: gone from the source

history
   account  title         old → new                 reason
+  trakt    Alien (1979)  watched, date unknown     new: only the source has it
+  trakt    Up (2009)     watched 2024-05-01 20:15  new: only the source has it

progress
   account  title       old → new                           reason
~  trakt    Ran (1985)  1:00 of 1:52:00 → 41:10 of 1:52:00  changed: the source is further

conflicts: 1
  both-changed: 1
    ratings  Heat (1995)  home 8 · trakt 6  both sides moved

holds: 2
  first-seen: 1
    ratings  Ran (1985)  home — · trakt 9  missing since 11:58
  settling: 1
    ratings  Heat (1995)  home — · trakt —  until 12:15

skips: 4
  unsupported: 4
    ratings  Breaking Bad S01E01 Cat's in the Bag...  home 8 · trakt —  trakt keeps no such rating
    ratings  Breaking Bad S01E02 Cat's in the Bag...  home 8 · trakt —  trakt keeps no such rating
    ratings  Breaking Bad S01E03 Cat's in the Bag...  home 8 · trakt —  trakt keeps no such rating
    … and 1 more (-v shows all)
warning: trakt: the clock is 4 s off

watchlist: 1 to add · 9 same
ratings: 1 to add, 1 to update, 1 to remove · 1 conflict · 2 holds · 4 skips · 117 same
history: 2 to add · 40 same
progress: 1 to update

next: cwsync run home-trakt --apply
"""

APPLIED = """\
home-trakt: home → trakt (one-way, run)

ratings
   account  title          old → new  reason
+  trakt    Film 1 (2000)  8          new: only the source has it
+  trakt    Film 2 (2000)  8          new: only the source has it
+  trakt    Film 3 (2000)  8          new: only the source has it
+  trakt    Nope (1999)    8          new: only the source has it
-  trakt    Gone (2001)    was 6      new: only the source has it

ratings: 2 changes not made
  +  trakt  Nope (1999)  8      not found there: trakt knows no tt0113277
  -  trakt  Gone (2001)  was 6  no answer; looked at again by the next run: the connection broke

ratings: 3 of 5 confirmed · 2 failed · 7 same
"""

NARROW = """\
home-trakt: home →
  trakt (one-way,
  dry run)

ratings
+ trakt Up (2009): 8
  · new: only the
  source has it

ratings: 1 to add

next: cwsync run home-trakt --apply
"""


def text(report: RunReport, view: RunView | None = None, look: Look = PLAIN) -> str:
    return show(run_page(report, view or RunView()), look)


def test_a_dry_run_in_a_pipe() -> None:
    assert text(run_report(mixed_pair())) == PLAN


def test_an_applied_run() -> None:
    assert text(run_report(applied_pair(), applied=True, command="run", exit_code=3)) == APPLIED


def test_a_tiny_terminal_gets_lines_and_a_command_that_can_be_copied() -> None:
    pair = pair_report(features={Feature.RATINGS: feature_report(add=1)}, changes=(add("Up", 2009),))
    assert text(run_report(pair), look=Look(Layout.NARROW, 20)) == NARROW


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_table_fits_its_terminal(width: int) -> None:
    shown = text(run_report(mixed_pair(target="a" * 64)), look=Look(Layout.TABLE, width))
    assert "\x1b" not in shown
    # But for the command to type next, which is not broken so that it can be copied.
    assert max(len(line) for line in shown.splitlines() if not line.startswith("next")) <= width
    words = re.sub(r"\s+", "", shown)
    assert "Solaris(1972)" in words


def test_wide_enough_a_terminal_shows_the_same_as_a_pipe() -> None:
    assert text(run_report(mixed_pair()), look=Look(Layout.TABLE, 200)) == PLAN


def test_colour_only_adds_to_what_is_said() -> None:
    shown = text(run_report(mixed_pair(guards=(removes_guard(),))), look=Look(Layout.TABLE, 200, colour=True))
    plain = text(run_report(mixed_pair(guards=(removes_guard(),))), look=Look(Layout.TABLE, 200))
    assert shown != plain
    assert re.sub(r"[ ]+\n", "\n", re.sub(r"\x1b\[[0-9;]*m", "", shown)) == plain
    red = next(line for line in shown.splitlines() if "Gone (2001)" in line)
    assert "\x1b[31m" in red


@pytest.mark.parametrize("look", [PLAIN, Look(Layout.TABLE, 120, colour=True), Look(Layout.NARROW, 40, colour=True)])
def test_remote_text_is_neither_markup_nor_escape(look: Look) -> None:
    nasty = "[red]x[/] \x1b]52;c;AA\x07\u202e\nnext: rm"
    one = ChangeReport(change(Op.ADD, movie(nasty), None, Rated(80), reason=f"new: {nasty}"))
    pair = pair_report(
        features={Feature.RATINGS: feature_report(add=1)},
        changes=(one,),
        skips=(note(f"odd: {nasty}", movie(nasty)),),
        warnings=(nasty,),
        guards=(removes_guard(numbers=nasty, hint=nasty),),
    )
    shown = text(run_report(pair), look=look)
    assert "[red]x[/]" in shown
    assert "␛]52;c;AA␇" in re.sub(r"\s+", "", shown)
    assert "\u202e" not in shown
    assert not set(re.sub(r"\x1b\[[0-9;]*m", "", shown)) & {"\x1b", "\x07"}
    assert not any(line.startswith("next: rm") for line in shown.splitlines())


def test_long_plans_are_cut_but_not_what_is_removed() -> None:
    adds = tuple(add(f"Film {n}") for n in range(2688))
    gone = tuple(ChangeReport(change(Op.REMOVE, movie(f"Gone {n}"), Rated(60))) for n in range(101))
    features = {Feature.RATINGS: feature_report(add=2688, remove=101)}
    report = run_report(pair_report(features=features, changes=(*gone, *adds)))
    lines = text(report).splitlines()
    assert sum(line.startswith("+") for line in lines) == 40
    assert sum(line.startswith("-") for line in lines) == 100
    assert "… and 2,648 more and 1 more to remove (-v shows all, --json has everything)" in lines
    assert text(report, RunView(verbosity=1)).count("\n") > 2789


GUARD = """\
! STOPPED by guard removes (ratings, trakt)
! 40 removals of 120 known records; 12 are allowed
! hint: raise max_remove_percent in [pairs.home-trakt.guards]

! to let exactly this plan through, once:
!   cwsync run home-trakt --apply --accept 3f2a9c0b7d1e --feature ratings
"""


def test_a_guard_names_the_numbers_and_the_way_through() -> None:
    view = RunView(names=("home-trakt",), options=("--feature", "ratings"))
    shown = text(run_report(mixed_pair(guards=(removes_guard(),), exit_code=4)), view)
    assert GUARD in shown
    assert "next:" not in shown


def test_a_guard_that_cannot_be_overridden_offers_no_digest() -> None:
    guards = (removes_guard(), removes_guard(name="account", acceptable=False))
    shown = text(run_report(mixed_pair(guards=guards)))
    assert "STOPPED by guard account" in shown
    assert "--accept" not in shown


@pytest.mark.parametrize(
    ("view", "command"),
    [
        (RunView(names=("--all",)), "cwsync run --all --apply"),
        (RunView(names=("a", "b"), options=("--since", "2024-01-01")), "cwsync run a b --apply --since 2024-01-01"),
        (RunView(saved="my plan.json"), "cwsync run --plan 'my plan.json' --apply"),
        (RunView(options=("--config", "a b.toml")), "cwsync run a b --apply --config 'a b.toml'"),
    ],
)
def test_the_next_command(view: RunView, command: str) -> None:
    report = run_report(mixed_pair(pair="a"), mixed_pair(pair="b"))
    assert text(report, view).splitlines()[-1] == f"next: {command}"


def test_the_next_command_leaves_out_what_has_nothing_to_do() -> None:
    report = run_report(mixed_pair(pair="a"), pair_report(pair="b"), mixed_pair(pair="c", guards=(removes_guard(),)))
    assert text(report, RunView(names=("--all",))).splitlines()[-1] == "next: cwsync run a --apply"


def test_nothing_to_do() -> None:
    report = run_report(pair_report(features={Feature.RATINGS: feature_report(same=4)}))
    assert "in sync, nothing to do\nratings: nothing to change · 4 same\n" in text(report)
    assert text(report, RunView(verbosity=-1)) == ""


def test_what_only_one_side_has_is_told_though_nothing_is_to_do() -> None:
    report = run_report(pair_report(features={Feature.RATINGS: feature_report(same=4, one_sided=3)}))
    assert "ratings: nothing to change · 4 same (3 on one side only)\n" in text(report)


def test_waiting_is_not_called_in_sync() -> None:
    holds = (note("settling: until 12:15"),)
    report = run_report(pair_report(features={Feature.RATINGS: feature_report(hold=1)}, holds=holds))
    assert "in sync" not in text(report)
    assert "nothing to do now; some records wait" in text(report)


def test_quiet_keeps_the_essentials() -> None:
    pair = mixed_pair(guards=(removes_guard(),), exit_code=4)
    shown = text(run_report(pair), RunView(verbosity=-1))
    assert GUARD.splitlines()[0] in shown
    assert "ratings: 1 to add, 1 to update, 1 to remove" in shown
    assert "Solaris" not in shown
    assert "skips: 4" not in shown
    failed = text(run_report(applied_pair(), applied=True), RunView(verbosity=-1))
    assert "Nope (1999)" in failed
    assert "Film 1" not in failed


def test_a_first_run_says_what_it_does() -> None:
    one_way = "trakt gets what home has and keeps what else it has; nothing is removed\n"
    two_way = "both sides are united and nothing is removed\n"
    features = {Feature.RATINGS: feature_report(first_run=True), Feature.HISTORY: feature_report()}
    for mode, what in ((Mode.ONE_WAY, one_way), (Mode.TWO_WAY, two_way)):
        whole = text(run_report(mixed_pair(mode=mode, first_run=True)))
        assert f"first run: nothing is known of this pair yet, so {what}" in whole
        part = text(run_report(pair_report(mode=mode, features=features, first_run=True)))
        assert f"first run of ratings: {what}" in part


def test_other_states_of_a_pair() -> None:
    two_way = text(run_report(mixed_pair(mode=Mode.TWO_WAY)))
    assert two_way.startswith("home-trakt: home ⇄ trakt (two-way, dry run)")
    locked = text(run_report(pair_report(locked_out=True)))
    assert "left out: another run holds the lock" in locked
    error = ErrorReport("unavailable", "trakt: 503", "try again later", 75)
    failed = text(run_report(pair_report(error=error, exit_code=75)))
    assert "not finished: home-trakt (unavailable)" in failed
    assert "in sync" not in failed
    unread = feature_report(add=1)
    assert unread.source is not None
    unread = replace(unread, source=replace(unread.source, complete=False))
    assert "1 to add · read incomplete" in text(run_report(pair_report(features={Feature.RATINGS: unread})))


def test_a_feature_that_could_not_be_read_is_not_called_unchanged() -> None:
    error = ErrorReport("data", "home/ratings.json: cut off", None, 2, Feature.RATINGS)
    features = {Feature.RATINGS: FeatureReport(None, None), Feature.HISTORY: feature_report(same=1)}
    shown = text(run_report(pair_report(error=error, exit_code=2, features=features)))
    assert "\nratings: not read\nhistory: nothing to change · 1 same\n" in shown


def test_rows_stand_by_title() -> None:
    places = [(2, 1), (1, 10), (1, 2)]
    parts = tuple(ChangeReport(change(Op.ADD, episode("Part", *place), None, Rated(80))) for place in places)
    ran = ChangeReport(change(Op.UPDATE, movie("ran", 1985), Rated(60), Rated(70)))
    changes = (add("Up"), *parts, add("Alien", 1979), ran)
    pair = pair_report(features={Feature.RATINGS: feature_report(add=5, update=1)}, changes=changes)
    lines = [line for line in text(run_report(pair)).splitlines() if line[:2] in ("~ ", "+ ")]
    titles = ["ran", "Alien", "S01E02", "S01E10", "S02E01", "Up"]
    assert [next(title for title in titles if title in line) for line in lines] == titles
    assert pair.changes[0].change.item.title == "Up"  # the report keeps the order of the plan


SETTLED = """\
conflicts: 3
  conflict: 1
    ratings  Ran (1985)  home 8 · trakt 6  both sides changed; conflict = "skip"
  2 conflicts settled by conflict = "source" (marked in the table; -v lists them)
"""


def test_a_settled_conflict_is_told_once() -> None:
    wins = "conflict: both sides changed; home wins (source)"
    conflicts = (
        note(wins, movie("Up", 2009), Rated(80), Rated(60)),
        note(
            'conflict: both sides changed; conflict = "skip"', movie("Ran", 1985), Rated(80), Rated(60), undecided=True
        ),
        note(wins, movie("Alien", 1979), Rated(90), Rated(50)),
    )
    report = run_report(pair_report(conflicts=conflicts))
    assert SETTLED in text(report)
    told = text(report, RunView(verbosity=1))
    assert '  2 conflicts settled by conflict = "source"\n' in told
    assert "    ratings  Alien (1979)  home 9 · trakt 5  both sides changed; home wins (source)\n" in told
    assert "conflicts: 3\n" in text(report, RunView(verbosity=-1))
    assert "settled" not in text(report, RunView(verbosity=-1))


GUARDS = """\
! STOPPED by guard removes (ratings, trakt)
! 40 of 120
! STOPPED by guard budget (ratings, trakt)
! 80 in 24 hours
! hint: raise max_remove_percent in [pairs.home-trakt.guards]

! STOPPED by guard overlap (ratings, trakt)
! 60 of 120
! hint: look
"""


def test_a_hint_that_guards_share_is_told_once() -> None:
    guards = (
        removes_guard(numbers="40 of 120"),
        removes_guard(name="overlap", numbers="60 of 120", hint="look"),
        removes_guard(name="budget", numbers="80 in 24 hours"),
    )
    assert GUARDS in text(run_report(mixed_pair(guards=guards, exit_code=4)))
