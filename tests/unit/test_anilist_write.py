"""Writing to AniList: one receipt for each record that is true, nothing is taken back, and little is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwsync.errors import AuthError, UnavailableError
from cwsync.model import Change, Feature, Item, Kind, Listed, Op, Outcome, Play, Rated, Receipt, external_id
from cwsync.providers._anilistwire import STATUSES, Held, Title, decode_held
from cwsync.providers._anilistwrite import Rules, Write, decide, decide_plays, zone_of
from simulators.anilist import AniList, asking
from simulators.anilist_account import film, part, read, series, use
from simulators.anilist_roots import FieldError
from simulators.anilist_world import SHOWN
from simulators.anilist_world import Listed as Row
from simulators.anilist_world import Title as Known
from support import world
from support.httpserver import (
    Handler,
    Reply,
    Request,
    answer,
    cut_json,
    drop_after,
    drop_before,
    html,
    instead,
    status,
)
from support.network import Time


@pytest.fixture
def service() -> Iterator[AniList]:
    with AniList() as made:
        made.limit = 100_000
        for n in range(1, 121):
            made.world.know(film(n))
            made.world.know(series(n))
        yield made


def plan(item: Item) -> Change:
    return world.change(Feature.WATCHLIST, item, None, Listed(None))


def unplan(item: Item, at: datetime | None = None) -> Change:
    return world.change(Feature.WATCHLIST, item, Listed(at), None)


def rate(item: Item, score: int, before: int | None = None) -> Change:
    return world.change(Feature.RATINGS, item, None if before is None else Rated(before), Rated(score))


def unrate(item: Item, before: int) -> Change:
    return world.change(Feature.RATINGS, item, Rated(before), None)


def play(item: Item, at: date | None = None) -> Change:
    made = world.change(Feature.HISTORY, item, None, Play(None))
    return replace(made, origin=Play(at))


def write(service: AniList, *changes: Change, **more: Any) -> list[Receipt]:
    feature = changes[0].feature
    receipts = use(service, lambda provider: provider.apply(feature, changes), **more)
    assert [receipt.change for receipt in receipts] == list(changes)
    return receipts


def outcomes(receipts: Sequence[Receipt]) -> list[Outcome]:
    return [receipt.outcome for receipt in receipts]


def entry(service: AniList, item: Item, **more: Any) -> Row:
    return service.world.entry(service.world.know(item), **more)


def entries(service: AniList) -> dict[str, Row]:
    return {one.title.name: one for one in service.world.entries.values()}


CONFIRMED, ALREADY, REJECTED, UNKNOWN = Outcome.CONFIRMED, Outcome.ALREADY, Outcome.REJECTED, Outcome.UNKNOWN


# --- the watchlist --------------------------------------------------------------------------------


def test_a_plan_is_added_and_named(service):
    (receipt,) = write(service, plan(series(1)))
    held = entries(service)["Series 1"]
    assert (receipt.outcome, receipt.native_key, held.status) == (CONFIRMED, str(held.id), "PLANNING")
    assert outcomes(write(service, plan(series(1)))) == [ALREADY]


@pytest.mark.parametrize("word", ["CURRENT", "COMPLETED", "DROPPED", "PAUSED", "REPEATING"])
def test_what_is_further_is_not_put_back(service, word):
    held = entry(service, series(1), status=word, progress=5, score=70)
    before = held.updated_at
    (receipt,) = write(service, plan(series(1)))
    assert (receipt.outcome, receipt.code) == (REJECTED, "further")
    assert (held.status, held.progress, held.updated_at) == (word, 5, before)


def test_an_entry_in_no_list_is_not_put_back_either(service):
    held = entry(service, series(1), status="COMPLETED", hidden=True)
    assert read(service, Feature.HISTORY).entries == ()
    assert [one.code for one in write(service, plan(series(1)))] == ["further"]
    assert held.status == "COMPLETED"


def test_a_plan_is_taken_away(service):
    held = entry(service, series(1), created_at=1_700_000_000)
    at = datetime.fromtimestamp(held.created_at, UTC)
    assert outcomes(write(service, unplan(series(1), at))) == [CONFIRMED]
    assert entries(service) == {}
    assert outcomes(write(service, unplan(series(1), at))) == [ALREADY]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"score": 50}, "a score"),
        ({"progress": 1}, "progress"),
        ({"repeat": 1}, "repeats"),
        ({"notes": "mine"}, "notes"),
        ({"custom": {"Best"}}, "a custom list"),
    ],
    ids=str,
)
def test_a_plan_that_holds_more_is_not_deleted(service, more, words):
    service.world.custom_lists = ["Best", "Other"]
    held = entry(service, series(1), created_at=0, **more)
    (receipt,) = write(service, unplan(series(1)))
    assert (receipt.outcome, receipt.code) == (REJECTED, "holds-more")
    assert words in str(receipt.detail)
    assert entries(service) == {"Series 1": held}


def test_what_is_no_plan_any_more_is_left_alone(service):
    entry(service, series(1), status="CURRENT", created_at=0)
    assert outcomes(write(service, unplan(series(1)))) == [ALREADY]
    assert "Series 1" in entries(service)


def test_a_plan_that_was_made_anew_has_moved(service):
    entry(service, series(1), created_at=1_700_000_000)
    (receipt,) = write(service, unplan(series(1), world.at()))
    assert (receipt.outcome, receipt.moved) == (Outcome.NOT_SENT, True)


# --- ratings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", list(SHOWN))
def test_every_score_survives_every_format(service, form):
    service.world.score_format = form
    scores = range(1, 101, 9)
    items = [film(n) for n, _ in enumerate(scores, start=1)]
    for item in items:
        entry(service, item, status="COMPLETED")
    assert set(outcomes(write(service, *map(rate, items, scores)))) == {CONFIRMED}
    found = {one.item.key(): one.value for one in read(service, Feature.RATINGS).entries}
    assert found == {item.key(): Rated(score) for item, score in zip(items, scores, strict=True)}
    assert set(outcomes(write(service, *map(rate, items, scores)))) == {ALREADY}


def test_a_score_that_is_kept_otherwise_is_not_taken_for_done(service):
    service.world.score_format, service.roots.rounds = "POINT_5", True
    entry(service, film(1), status="COMPLETED")
    (receipt,) = write(service, rate(film(1), 72))
    assert (receipt.outcome, receipt.code) == (REJECTED, "kept-otherwise")
    assert outcomes(write(service, rate(film(2), 70), rate_unlisted="completed")) == [CONFIRMED]


def test_a_rating_leaves_the_rest_of_the_entry_alone(service):
    held = entry(service, series(1), status="CURRENT", progress=4, notes="mine", private=True, score=60)
    assert outcomes(write(service, rate(series(1), 75, 60))) == [CONFIRMED]
    assert (held.score, held.status, held.progress, held.notes, held.private) == (75, "CURRENT", 4, "mine", True)
    assert outcomes(write(service, unrate(series(1), 75))) == [CONFIRMED]
    assert (held.score, held.status, held.progress) == (0, "CURRENT", 4)


def test_a_rating_that_has_changed_is_left_alone(service):
    held = entry(service, series(1), status="CURRENT", score=60)
    for change in (rate(series(1), 75, 50), unrate(series(1), 50), rate(series(1), 75)):
        (receipt,) = write(service, change)
        assert (receipt.outcome, receipt.moved) == (Outcome.NOT_SENT, True)
    assert held.score == 60


def test_a_title_on_no_list_is_rated_where_the_file_says(service):
    (receipt,) = write(service, rate(film(1), 80))
    assert (receipt.outcome, receipt.code) == (REJECTED, "unlisted")
    assert 'rate_unlisted = "completed"' in str(receipt.detail)
    assert entries(service) == {}
    service.roots.fills = True
    for n, word in enumerate(("planning", "current", "completed"), start=1):
        assert outcomes(write(service, rate(film(n), 80), rate_unlisted=word)) == [CONFIRMED]
        held = entries(service)[f"Film {n}"]
        assert (held.status, held.score, held.completed["day"]) == (word.upper(), 80, None)


# --- history --------------------------------------------------------------------------------------


def test_a_film_is_completed_on_its_day(service):
    service.world.timezone = "+09:00"
    at = datetime(2024, 5, 1, 20, 0, tzinfo=UTC)
    (receipt,) = write(service, play(film(1), at))
    held = entries(service)["Film 1"]
    assert (receipt.outcome, receipt.native_key) == (CONFIRMED, str(held.id))
    assert (held.status, held.progress, held.completed) == ("COMPLETED", 1, {"year": 2024, "month": 5, "day": 2})
    assert outcomes(write(service, play(film(1), at))) == [ALREADY]


def test_a_day_that_nobody_knows_is_not_made_up(service):
    service.roots.fills = True
    write(service, play(film(1)))
    held = entries(service)["Film 1"]
    assert (held.status, held.completed["year"]) == ("COMPLETED", None)


def test_a_day_that_is_known_is_kept(service):
    day = {"year": 2020, "month": None, "day": None}
    whole = {"year": 2020, "month": 2, "day": 29}
    entry(service, film(1), status="CURRENT", completed=dict(whole))
    entry(service, film(2), status="CURRENT", completed=dict(day))
    write(service, play(film(1), date(2024, 1, 1)), play(film(2), date(2024, 1, 1)))
    found = entries(service)
    assert found["Film 1"].completed == whole
    assert found["Film 2"].completed == {"year": 2024, "month": 1, "day": 1}


def test_episodes_raise_the_count_and_move_the_list(service):
    receipts = write(service, *(play(part(1, n)) for n in (2, 1, 3)))
    held = entries(service)["Series 1"]
    assert outcomes(receipts) == [CONFIRMED] * 3
    assert [one.native_key for one in receipts] == [f"{held.id}:{n}" for n in (2, 1, 3)]
    assert (held.status, held.progress) == ("CURRENT", 3)
    assert service.asked("SaveMediaListEntry") == 1
    seen = {one.native_key for one in read(service, Feature.HISTORY).entries}
    assert seen == {one.native_key for one in receipts}


def test_the_last_episode_completes(service):
    entry(service, series(1), status="CURRENT", progress=10)
    days = [play(part(1, 11), date(2024, 3, 1)), play(part(1, 12), date(2024, 3, 2))]
    assert outcomes(write(service, *days)) == [CONFIRMED] * 2
    held = entries(service)["Series 1"]
    assert (held.status, held.progress) == ("COMPLETED", 12)
    assert held.completed == {"year": 2024, "month": 3, "day": 2}


def test_the_last_episode_so_far_completes_nothing(service):
    service.world.know(series(1)).status = "RELEASING"
    write(service, *(play(part(1, n)) for n in range(1, 13)))
    assert entries(service)["Series 1"].status == "CURRENT"
    service.world.know(series(2)).episodes = None
    write(service, play(part(2, 1)))
    assert entries(service)["Series 2"].status == "CURRENT"


def test_a_gap_is_not_filled(service):
    entry(service, series(1), status="CURRENT", progress=2)
    receipts = write(service, play(part(1, 3)), play(part(1, 5)), play(part(1, 2)))
    assert [(one.outcome, one.code) for one in receipts] == [(CONFIRMED, None), (REJECTED, "gap"), (ALREADY, None)]
    assert entries(service)["Series 1"].progress == 3


@pytest.mark.parametrize("word", ["DROPPED", "PAUSED"])
def test_what_was_dropped_stays_dropped(service, word):
    entry(service, series(1), status=word, progress=2)
    entry(service, film(1), status=word)
    assert outcomes(write(service, play(part(1, 3)), play(film(1)))) == [CONFIRMED] * 2
    found = entries(service)
    assert [(one.status, one.progress) for one in found.values()] == [(word, 3), (word, 1)]


def test_what_is_repeated_was_seen_before(service):
    held = entry(service, series(1), status="REPEATING", progress=2)
    assert outcomes(write(service, play(part(1, 9)))) == [ALREADY]
    assert (held.status, held.progress) == ("REPEATING", 2)


def test_seasons_and_numbers_that_are_not_there(service):
    receipts = write(service, play(part(1, 1, season=2)), play(part(1, 1, season=0)), play(part(1, 13)))
    assert [one.code for one in receipts] == ["season", "season", "no-such-episode"]
    assert entries(service) == {}


# --- which title ----------------------------------------------------------------------------------


def test_titles_are_found_by_either_number(service):
    by_mal = series(1, services="mal imdb")
    own = film(1, services="anilist")
    assert outcomes(write(service, plan(by_mal), plan(own))) == [CONFIRMED] * 2
    assert set(entries(service)) == {"Series 1", "Film 1"}


def test_a_number_of_my_anime_list_is_never_that_of_a_manga(service):
    number = service.world.know(series(1)).mal
    service.world.add(Known(9, number, "A book", format="MANGA", type="MANGA"))
    assert outcomes(write(service, plan(series(1, services="mal")))) == [CONFIRMED]
    assert set(entries(service)) == {"Series 1"}


def test_two_titles_with_one_number_are_none(service):
    number = service.world.know(series(1)).mal
    service.world.add(Known(9, number, "Another"))
    (receipt,) = write(service, plan(series(1, services="mal")))
    assert (receipt.outcome, receipt.code) == (REJECTED, "ambiguous")


def test_a_film_that_is_none_here_is_not_written(service):
    service.world.know(film(1)).format = "OVA"
    service.world.know(series(1)).format = "MOVIE"
    receipts = write(service, plan(film(1)), plan(series(1)))
    assert [(one.code, one.detail) for one in receipts] == [
        ("other-kind", "AniList has it as OVA"),
        ("other-kind", "AniList has it as a film"),
    ]
    assert [one.code for one in write(service, play(part(1, 1)))] == ["other-kind"]


def test_titles_that_cannot_be_found(service):
    nowhere = Item(Kind.MOVIE, (external_id("mal", Kind.MOVIE, 999_999),))
    receipts = write(service, plan(nowhere), plan(film(1, services="imdb")), plan(film(2)))
    assert outcomes(receipts) == [Outcome.NOT_FOUND, REJECTED, CONFIRMED]
    assert receipts[1].code == "no-ids"


def test_two_records_about_one_title(service):
    receipts = write(service, plan(series(1, services="mal")), plan(series(1, services="anilist")))
    assert [(one.outcome, one.code) for one in receipts] == [(CONFIRMED, None), (REJECTED, "same-title")]


def test_nothing_to_do_asks_nothing(service):
    assert use(service, lambda provider: provider.apply(Feature.WATCHLIST, [])) == []
    write(service, plan(film(1, services="imdb")))
    assert len(service.log) == 2  # whose token it is, twice


# --- how much is asked ----------------------------------------------------------------------------


def test_three_hundred_changes_are_few_requests(service):
    for n in range(121, 301):
        service.world.know(film(n))
    changes = [plan(film(n)) for n in range(1, 301)]
    assert set(outcomes(write(service, *changes))) == {CONFIRMED}
    assert len(service.log) == 1 + 1 + 10
    assert max(one.body.count(b"SaveMediaListEntry") for one in service.log) == 30


def test_a_service_that_gives_less_at_once_gets_smaller_requests(service):
    service.per_field = 17  # of a field: few saves at once, and few titles
    service.complexity = 600
    changes = [plan(film(n)) for n in range(1, 61)]
    assert set(outcomes(write(service, *changes))) == {CONFIRMED}
    assert len(entries(service)) == 60
    assert len(service.log) == 1 + 3 + 23  # smaller by halves, and no smaller
    service.complexity = 10
    with pytest.raises(UnavailableError):
        write(service, plan(film(40)))


def test_no_value_is_written_into_a_request(service):
    entry(service, film(1), status="COMPLETED")
    write(service, rate(film(1), 77))
    body = service.log[-1].json()
    assert "77" not in body["query"]
    assert body["variables"]["scoreRaw0"] == 77


# --- what goes wrong ------------------------------------------------------------------------------

MUTATION = "mutation("


@pytest.mark.parametrize(
    "fault",
    [drop_after(), cut_json(), instead(502), instead(500, {"errors": []}), html(200), instead(200, {"data": None})],
)
def test_a_lost_answer_is_looked_up(service, fault):
    service.fault(asking(MUTATION, fault), nth=3)
    receipts = write(service, plan(film(1)), plan(film(2)))
    landed = set(entries(service))
    assert outcomes(receipts) == ([CONFIRMED] * 2 if landed else [UNKNOWN] * 2)
    assert service.asked(MUTATION) == 1


def test_a_deletion_whose_answer_is_lost(service):
    entry(service, film(1), created_at=0)
    service.fault(drop_after(), nth=3)
    assert outcomes(write(service, unplan(film(1)))) == [CONFIRMED]
    entry(service, film(1), created_at=0)
    service.fault(drop_before(), nth=3)
    assert outcomes(write(service, unplan(film(1)))) == [UNKNOWN]
    assert entries(service)


def test_a_lost_answer_that_cannot_be_looked_up(service):
    service.fault(drop_after(), nth=3)
    service.fault(html(200), nth=3)
    (receipt,) = write(service, plan(film(1)))
    assert (receipt.outcome, receipt.code) == (UNKNOWN, "lost-answer")


def test_a_failing_one_does_not_take_the_others_along(service):
    refusals: list[tuple[FieldError, Outcome, str | None]] = [
        (FieldError("validation", 400, {"status": ["The status is wrong."]}), REJECTED, "http-400"),
        (FieldError("You are not authorized to modify this MediaList", 403), REJECTED, "http-403"),
        (FieldError("Not Found.", 404), Outcome.NOT_FOUND, None),
        (FieldError("Internal Server Error", 500), UNKNOWN, "unseen"),
    ]
    for paths in (True, False):
        service.paths = paths
        for refusal, outcome, code in refusals:
            service.world.entries.clear()
            service.roots.refused = {service.world.know(film(n)).id: refusal for n in (2, 3)}
            receipts = write(service, *(plan(film(n)) for n in range(1, 5)))
            assert [(one.outcome, one.code) for one in receipts] == [
                (CONFIRMED, None), (outcome, code), (outcome, code), (CONFIRMED, None),
            ]  # fmt: skip


def test_a_failure_of_the_service_in_one_of_many_is_looked_up(service):
    """Told under a status of success, as it happens."""
    service.roots.refused = {service.world.know(film(2)).id: FieldError("Internal Server Error", 500)}

    def landed_all_the_same(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        if landed:
            entry(service, film(2))
        return replace(reply, status=200)

    landed: list[int] = []
    for wanted in (UNKNOWN, CONFIRMED):
        service.world.entries.clear()
        service.fault(asking(MUTATION, landed_all_the_same), nth=3)
        assert outcomes(write(service, plan(film(1)), plan(film(2)))) == [CONFIRMED, wanted]
        landed.append(1)


def test_errors_that_name_nothing_are_told_apart(service):
    """Two saves failed, one error: those that failed are sent by themselves."""
    service.roots.refused = {service.world.know(film(n)).id: FieldError("validation", 400) for n in (2, 3)}
    service.paths = False

    def one_error(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        return replace(reply, body=reply.body | {"errors": reply.body["errors"][:1]}) if reply.status != 200 else reply

    service.fault(asking(MUTATION, one_error), times=None)
    receipts = write(service, *(plan(film(n)) for n in range(1, 5)))
    assert outcomes(receipts) == [CONFIRMED, REJECTED, REJECTED, CONFIRMED]
    assert service.asked(MUTATION) == 3


def test_a_request_that_is_refused_as_a_whole_is_cut_until_it_is_known_which(service):
    bad = service.world.know(film(3)).id

    def all_or_nothing(request: Request, handler: Handler) -> Reply:
        if bad not in request.json()["variables"].values():
            return handler(request)
        errors = [{"message": "validation", "status": 400, "validation": {"mediaId": ["It is wrong."]}}]
        return Reply({"data": None, "errors": errors}, 400)

    service.fault(asking(MUTATION, all_or_nothing), times=None)
    receipts = write(service, *(plan(film(n)) for n in range(1, 9)))
    assert [one.code for one in receipts] == [None, None, "http-400", None, None, None, None, None]
    assert receipts[2].detail == "validation: It is wrong."


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (html(403), UnavailableError),
        (answer(Reply({"data": None, "errors": [{"message": "Invalid token", "status": 400}]}, 400)), AuthError),
        (answer(Reply({"data": None, "errors": [{"message": "Unauthorized.", "status": 401}]}, 401)), AuthError),
        (status(429, retry_after="3600"), UnavailableError),
        (answer(Reply({"data": None, "errors": [{"message": "Unknown type.", "status": 400}]}, 400)), UnavailableError),
    ],
)
def test_what_ends_the_work_ends_it(service, fault, error):
    """Before anything was written it is raised; after that the rest is told as not sent."""
    service.fault(asking(MUTATION, fault), nth=3)
    with pytest.raises(error):
        write(service, plan(film(1)))
    service.fault(asking(MUTATION, fault), nth=4)
    receipts = write(service, *(plan(film(n)) for n in range(1, 41)))
    assert outcomes(receipts) == [CONFIRMED] * 30 + [Outcome.NOT_SENT] * 10
    assert receipts[-1].code == error.code


def test_a_look_before_the_write_that_fails_writes_nothing(service):
    service.fault(asking("idMal", html(200)), nth=2)
    with pytest.raises(UnavailableError):
        write(service, plan(film(1)))
    assert service.asked(MUTATION) == 0


def test_who_is_slowed_down_waits_and_writes_once(service):
    time = Time()
    service.fault(status(429, retry_after="30"), nth=3)
    assert outcomes(write(service, plan(film(1)), time=time)) == [CONFIRMED]
    assert time.slept == [31]


# --- for all of them ------------------------------------------------------------------------------

HELD = st.builds(
    Held,
    st.just(7),
    st.sampled_from(sorted(STATUSES)),
    st.integers(0, 100),
    st.integers(0, 14),
    st.integers(0, 2),
    st.booleans(),
    st.none(),
)
TITLES = st.builds(
    Title,
    st.just(1),
    st.none(),
    st.sampled_from([Kind.MOVIE, Kind.SHOW]),
    st.just("TV"),
    st.one_of(st.none(), st.integers(1, 13)),
    st.booleans(),
)
ORDER = {"PLANNING": 0, "CURRENT": 1, "COMPLETED": 2}


@settings(max_examples=150, deadline=None)
@given(TITLES, st.one_of(st.none(), HELD), st.lists(st.integers(-1, 15), max_size=8))
def test_no_play_lowers_a_count_or_puts_a_title_back(title, held, numbers):
    items = [film(1) if title.kind is Kind.MOVIE else part(1, number) for number in numbers]
    changes = [play(item) for item in items]
    made = decide_plays(changes, title, held, Rules(None, UTC))
    told = [change for one in made for change in (one.changes if isinstance(one, Write) else [one.change])]
    assert sorted(map(id, told)) == sorted(map(id, changes))
    for one in made:
        if isinstance(one, Write):
            assert one.fields["progress"] > (held.seen(title) if held else 0)
            assert set(range((held.seen(title) if held else 0) + 1, one.fields["progress"] + 1)) <= {*numbers, 1}
            if held is not None and "status" in one.fields:
                assert ORDER[one.fields["status"]] >= ORDER[held.status]


@settings(max_examples=150, deadline=None)
@given(TITLES, st.one_of(st.none(), HELD), st.sampled_from(Op), st.integers(0, 100), st.integers(1, 100))
def test_no_plan_and_no_rating_takes_anything_back(title, held, op, before, after):
    item = film(1) if title.kind is Kind.MOVIE else series(1)
    old = None if op is Op.ADD else Rated(max(1, before))
    rating = world.change(Feature.RATINGS, item, old, None if op is Op.REMOVE else Rated(after))
    listed = plan(item) if op is not Op.REMOVE else unplan(item)
    for change in (rating, listed):
        made = decide(change, title, held, Rules("COMPLETED", UTC))
        if not isinstance(made, Write) or held is None:
            continue
        assert "progress" not in made.fields
        assert "status" not in made.fields
        if not made.fields:
            assert (held.status, held.score, held.progress, held.repeat) == ("PLANNING", 0, 0, 0)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("+02:00", 120), ("-3:30", -210), ("09:00", 540), ("", 0), (None, 0), ("UTC", 0), ("+99:00", 0), ("+02", 0)],
)
def test_zones(text, minutes):
    assert zone_of(text).utcoffset(None) == timezone(timedelta(minutes=minutes)).utcoffset(None)


def test_custom_lists_in_both_of_their_forms():
    for lists, more in (
        ({"A": True}, ("a custom list",)),
        ([{"name": "A", "enabled": False}], ()),
        (None, ()),
        ([], ()),
    ):
        row = {"id": 1, "status": "PLANNING", "score": 0, "progress": 0, "customLists": lists}
        assert decode_held(row).more == more
