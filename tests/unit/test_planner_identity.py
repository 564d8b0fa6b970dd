"""Which rows are one record, and which are not (section 5 of the law; I19)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cwsync.model import Entry, Feature, Item, Kind, Match, Mode, Parked, Play, Side, Undecoded
from support.planning import NOW, Library, baseline, episode, film, ids, planned, row, score, snapshot, words

EIGHT, SIX = score(8), score(6)


def codes(plan):
    return [note.code for notes in (plan.conflicts, plan.holds, plan.skips) for note in notes]


LINKED = [
    # the same record on both sides: nothing to do
    ("imdb:1", "imdb:1"),
    ("imdb:1 tmdb:5", "tmdb:5"),
    ("imdb:1 tmdb:5", "tmdb:5 tvdb:7"),
    ("imdb:1 tmdb:5", "imdb:1 tmdb:6"),  # one wrong alias does not split a film
]


@pytest.mark.parametrize(("source", "target"), LINKED)
def test_shared_ids_link(source, target):
    plan = planned(snapshot([(film(source), EIGHT)]), snapshot([(film(target), EIGHT)]))
    assert (plan.changes, codes(plan)) == ((), [])


def test_a_film_and_a_series_with_one_number_never_meet():
    series = Item(Kind.SHOW, ids(Kind.SHOW, "tmdb:603"))
    plan = planned(snapshot([(film("tmdb:603"), EIGHT)]), snapshot([(series, SIX)]))
    assert sorted(words(plan)) == ["+source 603 6", "+target 603 8"]


def test_titles_never_link_rows_with_ids():
    one, other = film("imdb:1", "Heat", 1995), film("imdb:2", "Heat", 1995)
    plan = planned(snapshot([(one, EIGHT)]), snapshot([(other, EIGHT)]))
    assert len(plan.changes) == 2


EPISODES = [
    # source, target, what follows
    (episode("tvdb:9", 1, 2), episode("tvdb:9", 1, 2), "linked"),
    (episode("tvdb:9", 0, 1), episode("tvdb:9", 0, 1), "linked"),  # season 0 is a number
    (episode("tvdb:9", 1, 2, "tvdb:77"), episode("imdb:4", 3, 9, "tvdb:77"), "linked"),  # own ids come first
    (episode("tvdb:9", 1, 2, "tvdb:77"), episode("tvdb:9", 1, 2, "imdb:4"), "linked"),
    (episode("tvdb:9", 1, 2, "tvdb:77"), episode("tvdb:9", 1, 2, "tvdb:78"), "ambiguous"),  # numbered differently
    (episode("tvdb:9", 1, 2), episode("tvdb:9", 1, 3), "two"),
    (episode("tvdb:9", 1, 2), episode("tvdb:8", 1, 2), "two"),
    (episode("tvdb:9", 1, 2), episode("imdb:9", 1, 2), "two"),  # the shows are not known to be one
]


@pytest.mark.parametrize(("source", "target", "expected"), EPISODES)
def test_episodes(source, target, expected):
    plan = planned(snapshot([(source, EIGHT)]), snapshot([(target, EIGHT)]))
    assert {"linked": (0, []), "ambiguous": (0, ["ambiguous"]), "two": (2, [])}[expected] == (
        len(plan.changes),
        codes(plan),
    )


def test_an_episode_id_that_equals_a_show_id_links_nothing():
    plan = planned(
        snapshot([(episode("tvdb:9", 1, 2, "tvdb:5"), EIGHT)]),
        snapshot([(Item(Kind.SHOW, ids(Kind.SHOW, "tvdb:5")), EIGHT)]),
    )
    assert len(plan.changes) == 2


def copies(*texts):
    return [Entry(film(text), EIGHT, f"row{number}") for number, text in enumerate(texts)]


def test_two_editions_of_one_film_are_copies_and_writes_go_to_all():
    plan = planned(
        snapshot([(film("imdb:1"), score(9))]),
        snapshot(copies("imdb:1 tmdb:5", "imdb:1")),
        baseline([row(film("imdb:1"), EIGHT, EIGHT)]),
    )
    assert [(change.native_key, change.op.value) for change in plan.changes] == [("row0", "update"), ("row1", "update")]


def test_copies_speak_with_the_newest_value():
    old, new = score(6, NOW - timedelta(days=3)), score(9, NOW)
    plan = planned(
        snapshot([Entry(film("imdb:1"), old, "a"), Entry(film("imdb:1"), new, "b")]),
        snapshot([]),
    )
    assert words(plan) == ["+target 1 9"]


def test_two_films_that_one_row_glues_together_are_held():
    plan = planned(
        snapshot(copies("imdb:1 tmdb:5", "imdb:2 tmdb:6")),
        snapshot([(film("imdb:1 tmdb:6"), SIX)]),
    )
    assert (plan.changes, codes(plan)) == ((), ["ambiguous"])
    assert plan.holds[0].undecided


def test_two_rows_matching_one_are_one_title_when_nothing_contradicts():
    plan = planned(snapshot(copies("imdb:1", "tmdb:5")), snapshot([(film("imdb:1 tmdb:5"), EIGHT)]))
    assert (plan.changes, codes(plan)) == ((), [])


REKEYS = [
    # baseline, source now, target now: never a delete, never a write
    ("imdb:1", "imdb:1 tmdb:5", "imdb:1"),  # an alias gained
    ("imdb:1 tmdb:5", "tmdb:5", "imdb:1 tmdb:5"),  # an alias lost
    ("imdb:1 tmdb:5", "tmdb:5", "imdb:1"),  # linked only through the baseline
    ("imdb:1 tmdb:5", "tmdb:5 tvdb:3", "imdb:1 tvdb:3"),
    ("imdb:1 tmdb:5", "imdb:1 tmdb:6", "imdb:1 tmdb:5"),
]


@pytest.mark.parametrize(("base", "source", "target"), REKEYS)
def test_I19_aliases_come_and_go_without_a_write(base, source, target):
    plan = planned(
        snapshot([(film(source), EIGHT)]),
        snapshot([(film(target), EIGHT)]),
        baseline([row(film(base), EIGHT, EIGHT)]),
    )
    assert (plan.changes, codes(plan)) == ((), [])


def test_I19_a_new_alias_is_learnt_once():
    source, target = snapshot([(film("imdb:1 tmdb:5"), EIGHT)]), snapshot([(film("tmdb:5"), EIGHT)])
    base = baseline([row(film("tmdb:5"), EIGHT, EIGHT)])
    first = planned(source, target, base)
    assert [(seen.key, seen.replaces) for seen in first.observations] == [("imdb_movie:tt0000001", ("tmdb_movie:5",))]
    assert planned(source, target, base.commit(first.observations, ())).observations == ()


def test_I19_two_records_that_turn_out_to_be_one_are_merged():
    rows = [row(film("imdb:1"), EIGHT, EIGHT), row(film("tmdb:5"), EIGHT, EIGHT)]
    plan = planned(
        snapshot([(film("imdb:1 tmdb:5"), EIGHT)]),
        snapshot([(film("imdb:1"), EIGHT), (film("tmdb:5"), EIGHT)]),
        baseline(rows),
    )
    assert (plan.changes, codes(plan)) == ((), [])
    after = baseline(rows).commit(plan.observations, ())
    assert list(after.rows) == ["imdb_movie:tt0000001"]


def test_I19_one_record_that_turns_out_to_be_two_is_never_removed():
    plan = planned(
        snapshot([(film("imdb:1"), EIGHT), (film("tmdb:5"), EIGHT)]),
        snapshot([(film("imdb:1 tmdb:5"), EIGHT)]),
        baseline([row(film("imdb:1 tmdb:5"), EIGHT, EIGHT)]),
    )
    assert not [change for change in plan.changes if change.op.value == "remove"]


def test_I19_a_row_whose_ids_were_exchanged_is_not_gone():
    """A server's "fix match": the same row, quite other ids."""
    base = row(film("imdb:1"), EIGHT, EIGHT, source_keys=("42",), target_keys=("x",))

    def plan(theirs):
        return planned(
            snapshot([Entry(film("imdb:2"), EIGHT, "42")]),
            snapshot([Entry(film("imdb:1"), theirs, "x")]),
            baseline([base]),
        )

    assert (words(plan(EIGHT)), codes(plan(EIGHT))) == (["+target 2 8"], [])
    assert (words(plan(SIX)), codes(plan(SIX))) == (["+target 2 8"], ["rekeyed"])


NO_IDS = Item(Kind.MOVIE, (), "The Room", 2003)


def test_a_row_without_ids_is_skipped_with_a_reason():
    plan = planned(snapshot([Entry(NO_IDS, EIGHT, "7")]), snapshot([]))
    assert (plan.changes, codes(plan)) == ((), ["no-ids"])


def test_a_row_without_ids_that_the_baseline_knows_stays_linked():
    base = row(film("imdb:1"), EIGHT, EIGHT, target_keys=("7",))
    plan = planned(snapshot([(film("imdb:1"), score(9))]), snapshot([Entry(NO_IDS, EIGHT, "7")]), baseline([base]))
    assert [(c.op.value, c.native_key) for c in plan.changes] == [("update", "7")]


TITLES = [
    ("The Room", 2003, "linked"),
    ("the róom!", 2003, "linked"),
    ("The Room", 2004, "no-ids"),
    ("Room", 2003, "no-ids"),
]


@pytest.mark.parametrize(("title", "year", "expected"), TITLES)
def test_title_and_year_link_only_when_asked_for_and_unique(title, year, expected):
    theirs = film("imdb:1", title, year)

    def one(match):
        return planned(snapshot([Entry(NO_IDS, EIGHT, "7")]), snapshot([(theirs, EIGHT)]), match=match)

    assert "no-ids" in codes(one(Match.IDS))
    assert codes(one(Match.TITLE_YEAR)) == ([] if expected == "linked" else ["no-ids"])


def test_title_and_year_do_not_link_when_there_are_two():
    plan = planned(
        snapshot([Entry(NO_IDS, EIGHT, "7")]),
        snapshot([(film("imdb:1", "The Room", 2003), EIGHT), (film("imdb:2", "The Room", 2003), EIGHT)]),
        match=Match.TITLE_YEAR,
    )
    assert "no-ids" in codes(plan)


def test_a_match_by_title_never_removes():
    theirs = film("imdb:1", "The Room", 2003)
    first = planned(snapshot([Entry(NO_IDS, EIGHT, "7")]), snapshot([(theirs, EIGHT)]), match=Match.TITLE_YEAR)
    base = baseline([seen.row for seen in first.observations])
    plan = planned(snapshot([(film("imdb:9"), EIGHT)]), snapshot([(theirs, EIGHT), (film("imdb:9"), EIGHT)]), base)
    assert (plan.changes, codes(plan)) == ((), ["title-year"])


HEAT = film("imdb:1", "Heat", 1995)
BARE = Item(Kind.MOVIE, (), "HEAT!", 1995)
OTHER = film("imdb:7", "Heat", 1995)
SHELVED = [
    # what the source has, what the library of the target has and holds nothing of, what follows
    (HEAT, {"9": BARE}, "add 9"),
    (BARE, {"9": HEAT}, "add"),  # it has ids, so all its copies can be found
    (BARE, {"9": BARE}, "add 9"),
    (HEAT, {"9": HEAT, "8": BARE}, "add"),  # by ids; the other row is some other film
    (HEAT, {"9": OTHER}, "add"),  # both have ids, and they are two films: the service may say so
    (HEAT, {"9": BARE, "8": BARE}, "add"),  # two rows, so nobody knows which
    (BARE, {"9": HEAT, "8": OTHER}, "no-ids"),
    (BARE, {"9": HEAT, "8": HEAT}, "add"),  # two copies of one film
    (BARE, {"9": film("imdb:1", "Heat", 1996)}, "no-ids"),
    (BARE, {"9": Item(Kind.SHOW, (), "Heat", 1995)}, "no-ids"),
    (BARE, {}, "no-ids"),
]


def told(plan):
    return " ".join([*(f"{c.op.value} {c.native_key or ''}".strip() for c in plan.changes), *codes(plan)])


@pytest.mark.parametrize(("mine", "library", "expected"), SHELVED)
def test_a_row_of_a_library_that_holds_nothing_is_linked_by_its_title(mine, library, expected):
    sides = snapshot([Entry(mine, EIGHT, "7")]), snapshot([], shelf=Library(library))
    plan = planned(*sides, match=Match.TITLE_YEAR)
    assert told(plan) == expected
    by_title = expected == "add 9" or (mine is BARE and expected == "add")
    assert any(seen.row.weak for seen in plan.observations) is by_title
    assert told(planned(*sides)) == ("no-ids" if mine is BARE else "add")
    # Which of several rows there may be is only known when all were read.
    for one, other in ((True, False), (False, True)):
        half = replace(sides[0], complete=one), replace(sides[1], complete=other)
        assert "9" not in told(planned(*half, match=Match.TITLE_YEAR))


def test_a_namesake_that_is_held_keeps_a_library_from_being_linked_by_title():
    for mine, theirs in (([(HEAT, EIGHT)], [(OTHER, EIGHT)]), ([(HEAT, EIGHT), (OTHER, EIGHT)], [])):
        sides = snapshot(mine), snapshot(theirs, shelf=Library({"9": BARE}))
        assert not [c for c in planned(*sides, match=Match.TITLE_YEAR).changes if c.native_key]


def test_what_a_library_was_linked_to_by_title_is_marked_again_and_never_removed():
    """Also where its title is another one by now, and nobody asks for titles any more."""
    base = baseline([row(HEAT, EIGHT, EIGHT, target_keys=("9",), weak=True)])
    renamed = snapshot([], shelf=Library({"9": Item(Kind.MOVIE, (), "heat.mkv")}))
    for match in Match:
        plan = planned(snapshot([(HEAT, EIGHT)]), renamed, base, mode=Mode.ONE_WAY, match=match)
        assert told(plan) == "add 9"
        assert told(planned(snapshot([(HEAT, EIGHT)]), renamed, base, match=match)) == "title-year"
        gone = planned(snapshot([]), snapshot([Entry(BARE, EIGHT, "9")], shelf=Library({"9": BARE})), base, match=match)
        assert told(gone) == "title-year"


def test_a_library_that_was_built_anew_without_ids_is_marked_anew():
    base = baseline([row(HEAT, EIGHT, EIGHT, target_keys=("8",))])
    sides = snapshot([(HEAT, EIGHT)]), snapshot([], shelf=Library({"9": BARE}))
    assert told(planned(*sides, base, match=Match.TITLE_YEAR)) == "add 9"
    assert told(planned(*sides, base)) == ""


def test_a_refusal_for_want_of_ids_does_not_outlive_the_wish_to_match_by_title():
    due = NOW + timedelta(days=3)
    sides = snapshot([(HEAT, EIGHT)]), snapshot([], shelf=Library({"9": BARE}))
    for code, expected in (("no-ids", "add 9"), ("kind", "parked")):
        base = baseline([replace(row(HEAT, None, None), parked=Parked(Side.TARGET, code, 4, due))])
        assert told(planned(*sides, base, match=Match.TITLE_YEAR)) == expected
        assert told(planned(*sides, base)) == "parked"


def test_an_unreadable_row_without_ids_protects_by_its_native_key():
    base = row(film("imdb:1"), EIGHT, EIGHT, source_keys=("7",))
    broken = Undecoded("row 7", "no value", NO_IDS, "7")
    plan = planned(
        snapshot([(film("imdb:9"), EIGHT)], undecoded=(broken,)),
        snapshot([(film("imdb:1"), SIX), (film("imdb:9"), EIGHT)]),
        baseline([base]),
    )
    assert (plan.changes, codes(plan)) == ((), ["unreadable"])


def test_labels_change_nothing():
    base = baseline([row(film("imdb:1", "Heat", 1995), EIGHT, EIGHT)])
    named = replace(film("imdb:1"), title="HEAT", year=1996)
    plan = planned(snapshot([(named, EIGHT)]), snapshot([(named, EIGHT)]), base)
    assert (plan.changes, plan.observations) == ((), ())


# --- whose row it is that cannot be read, found by switching each part off ----------------------------


@pytest.mark.parametrize("side", Side)
def test_an_unreadable_row_is_that_of_its_own_side(side):
    broken = snapshot([], undecoded=(Undecoded("row 1", "no rating", film("imdb:1")),))
    sides = {side: broken, side.other: snapshot([(film("imdb:1"), score(8))])}
    plan = planned(sides[Side.SOURCE], sides[Side.TARGET], baseline([]))
    assert words(plan) == []
    told = "home" if side is Side.SOURCE else "away"
    assert [note.reason for note in plan.holds] == [f"unreadable: {told} row 1: no rating"]


NAMELESS = [
    # a row without ids on the source, whether it may be Heat (1995), which the source does not show any more
    (Item(Kind.MOVIE, (), "HEAT!", 1995), True),
    (Item(Kind.MOVIE, (), "Heat"), True),  # no year: it may be
    (Item(Kind.MOVIE, ()), True),  # no title: it may be anything of its kind
    (Item(Kind.MOVIE, (), "Heat", 1986), False),
    (Item(Kind.MOVIE, (), "Ronin", 1995), False),
    (Item(Kind.SHOW, (), "Heat", 1995), False),
    (Item(Kind.SHOW, ()), False),
]


@pytest.mark.parametrize(("row_without_ids", "protects"), NAMELESS)
def test_a_row_that_lost_its_ids_protects_what_it_may_be(row_without_ids, protects):
    heat, room = film("imdb:1", "Heat", 1995), film("imdb:2", "Room", 2015)
    plan = planned(
        snapshot([(room, score(5)), (row_without_ids, score(8))]),
        snapshot([(room, score(5)), (heat, score(8))]),
        baseline([row(heat, score(8), score(8)), row(room, score(5), score(5))]),
    )
    assert words(plan) == ([] if protects else ["-target 1"])


def test_a_refused_add_beside_a_row_without_ids_was_undecided_for_ever():
    """The target never had it, so it does not seem gone from there: it waits for its next try."""
    heat = film("imdb:1", "Heat", 1995)
    parked = Parked(Side.TARGET, "not_found", 1, NOW + timedelta(hours=1))
    plan = planned(
        snapshot([(heat, score(8))]),
        snapshot([(Item(Kind.MOVIE, (), "Heat", 1995), score(8))]),
        baseline([replace(row(heat, None, None), parked=parked)]),
    )
    assert sorted(note.code for note in (*plan.holds, *plan.skips)) == ["no-ids", "parked"]
    assert not any(note.undecided for note in (*plan.holds, *plan.skips))


def test_what_was_linked_by_title_once_is_remembered_as_such():
    named, nameless = film("imdb:1", "Heat", 1995), Item(Kind.MOVIE, (), "Heat", 1995)
    sides = snapshot([Entry(named, score(8))]), snapshot([Entry(nameless, score(8), "row-1")])
    plan = planned(*sides, baseline([]), match=Match.TITLE_YEAR)
    (seen,) = plan.observations
    assert seen.row.weak
    gone = planned(
        snapshot([(film("imdb:2"), score(5))]),
        sides[1],
        baseline([seen.row]),
        match=Match.TITLE_YEAR,
    )
    assert not [text for text in words(gone) if text.startswith("-")]


def test_only_the_copy_that_differs_is_written():
    heat = film("imdb:1")
    copies = [Entry(heat, score(5, NOW), "old"), Entry(heat, score(9, NOW - timedelta(days=1)), "new")]
    plan = planned(snapshot([(heat, score(9))]), snapshot(copies), baseline([row(heat, score(5), score(5))]))
    assert [(change.native_key, change.before) for change in plan.changes] == [("old", score(5, NOW))]


def test_one_episode_on_two_places_is_nobody_knows_which():
    twice = [(episode("imdb:9", 1, 1, "tvdb:5"), EIGHT), (episode("imdb:9", 1, 2, "tvdb:5"), EIGHT)]
    plan = planned(snapshot(twice), snapshot([]))
    assert (plan.changes, codes(plan)) == ((), ["ambiguous"])


NATIVE = [
    # rows of the baseline that know the target's row "7", the row that has that name now, linked
    ([film("imdb:1")], NO_IDS, True),
    ([film("imdb:1"), film("imdb:2")], NO_IDS, False),  # two rows know it: it names neither
    (
        [film("imdb:1")],
        Item(Kind.SHOW, (), "The Room", 2003),
        False,
    ),  # a service may give an old name to something else
]


@pytest.mark.parametrize(("known", "now", "linked"), NATIVE)
def test_a_native_key_links_only_where_it_names_one_row_of_its_kind(known, now, linked):
    rows = [row(item, EIGHT, EIGHT, target_keys=("7",)) for item in known]
    plan = planned(
        snapshot([(item, score(9)) for item in known]), snapshot([Entry(now, EIGHT, "7")]), baseline(rows), update=True
    )
    updates = [change.native_key for change in plan.changes if change.op.value == "update"]
    assert updates == (["7"] if linked else [])
    assert ("no-ids" in codes(plan)) is not linked


def test_native_keys_are_learnt_when_they_are_seen():
    heat = film("imdb:1")
    base = baseline([row(heat, EIGHT, EIGHT)])
    plan = planned(snapshot([Entry(heat, EIGHT, "s")]), snapshot([Entry(heat, score(9), "t")]), base)
    (seen,) = plan.observations
    assert (seen.row.source_keys, seen.row.target_keys) == (("s",), ("t",))


def test_titles_without_a_year_do_not_link():
    plan = planned(
        snapshot([Entry(Item(Kind.MOVIE, (), "The Room"), EIGHT, "7")]),
        snapshot([(film("imdb:1", "The Room"), EIGHT)]),
        match=Match.TITLE_YEAR,
    )
    assert "no-ids" in codes(plan)


def test_I19_a_side_that_is_gone_is_still_known_by_all_its_ids():
    whole, part = film("imdb:1 tmdb:2"), film("tmdb:2")
    plan = planned(snapshot([]), snapshot([(part, EIGHT)]), baseline([row(whole, EIGHT, EIGHT)]))
    (change,) = plan.changes
    assert (change.op.value, change.key, change.item.ids) == ("remove", whole.key(), whole.ids)


def test_I19_rows_that_became_one_hold_what_any_of_them_held():
    whole = film("imdb:1 tmdb:2")
    rows = [row(film("imdb:1"), EIGHT, None), row(film("tmdb:2"), None, EIGHT)]
    plan = planned(snapshot([]), snapshot([(whole, EIGHT)]), baseline(rows))
    assert words(plan) == ["-target 1"]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("known", [False, True])
def test_a_play_that_stands_under_two_numbers_is_one(*, side: Side, known: bool) -> None:
    """One service says which episode of TVDB its own is, the other has its own number alone."""
    by_tvdb, by_own = episode("tvdb:7", 2, 1), episode("tvdb:1502", 1, 1)
    told = snapshot(
        [Entry(by_tvdb, Play(NOW), "99004:1")],
        Feature.HISTORY,
        lingering=(Undecoded("99004:1", "known by another number", by_own, "99004:1"),),
    )
    other = snapshot([Entry(by_own, Play(NOW), "k")] if known else [], Feature.HISTORY)
    sides = {side: told, side.other: other}
    plan = planned(sides[Side.SOURCE], sides[Side.TARGET])
    added = [change.item for change in plan.changes if change.side is side.other]
    assert added == ([] if known else [by_tvdb])
    assert [note.code for note in plan.skips] == (["renumbered"] if known else [])
