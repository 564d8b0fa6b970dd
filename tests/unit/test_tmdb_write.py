"""Writing to TMDb: one request for each record, nothing overwritten unseen, and a lost answer looked up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from cwsync.errors import AuthError, UnavailableError
from cwsync.model import Change, Entry, Feature, Item, Kind, Listed, Outcome, Rated, Receipt, Value, external_id
from cwsync.providers._tmdbwire import States, encode, is_so, is_still, place_of
from simulators.tmdb import Tmdb
from simulators.tmdb_account import use
from support import world
from support.httpserver import Do, Reply, answer, cut_json, drop_after, drop_before, html, instead, status
from support.network import Time


@pytest.fixture
def service() -> Iterator[Tmdb]:
    with Tmdb() as made:
        for n in range(1, 41):
            made.titles.add(world.movie(n))
        for n in (1, 2):
            made.titles.add(world.show(n))
            made.titles.add(world.episode(n, 1, 2))
        yield made


def rate(item: Item, score: int = 80, before: Value | None = None, **more: Any) -> Change:
    return world.change(Feature.RATINGS, item, before, Rated(score), **more)


def unrate(item: Item, score: int = 80, **more: Any) -> Change:
    return world.change(Feature.RATINGS, item, Rated(score), None, **more)


def enlist(item: Item) -> Change:
    return world.change(Feature.WATCHLIST, item, None, Listed())


def unlist(item: Item) -> Change:
    return world.change(Feature.WATCHLIST, item, Listed(), None)


def write(service: Tmdb, *changes: Change, **more: Any) -> list[Receipt]:
    return use(service, lambda provider: provider.apply(changes[0].feature, changes), **more)


def outcomes(receipts: Sequence[Receipt]) -> list[str]:
    return [receipt.outcome.value + (f" {receipt.code}" if receipt.code else "") for receipt in receipts]


def calls(service: Tmdb) -> Counter[str]:
    found = Counter(service.calls())
    del found["GET /3/account"]
    service.forget()
    return found


# --- what is sent ---------------------------------------------------------------------------------


def test_one_request_for_each_record(service: Tmdb) -> None:
    part = world.episode(1, 1, 2)
    receipts = write(service, rate(world.movie(1), 5), rate(world.show(1), 100), rate(part, 75))
    assert outcomes(receipts) == ["confirmed"] * 3
    names = ["movie/100002", "tv/2000002", "tv/2000002/season/1/episode/2"]
    assert [receipt.native_key for receipt in receipts] == names
    assert calls(service) == {f"POST /3/{name}/rating": 1 for name in names}
    assert service.scores() == {"Film 1": 0.5, "Show 1": 10.0, "Episode 1.2": 7.5}


def test_the_watchlist(service: Tmdb) -> None:
    service.put(Feature.WATCHLIST, [Entry(world.movie(3), Listed())])
    receipts = write(service, enlist(world.movie(1)), enlist(world.show(2)), unlist(world.movie(3)))
    assert outcomes(receipts) == ["confirmed"] * 3
    assert service.listed() == {"Film 1", "Show 2"}
    assert calls(service) == {"POST /3/account/548/watchlist": 3, "GET /3/movie/100004/account_states": 1}


def test_numbers_off_the_grid_go_to_the_nearest_half(service: Tmdb) -> None:
    write(service, rate(world.movie(1), 1), rate(world.movie(2), 83), rate(world.movie(3), 98))
    assert service.scores() == {"Film 1": 0.5, "Film 2": 8.5, "Film 3": 10.0}


def test_a_row_goes_by_its_own_name(service: Tmdb) -> None:
    """An episode that the other side knows by ids alone is the row that was read."""
    service.put(Feature.RATINGS, [Entry(world.episode(1, 1, 2), Rated(80))])
    bare = world.episode(1, 1, 2, placed=False)
    name = "tv/2000002/season/1/episode/2"
    assert outcomes(write(service, rate(bare, 60, Rated(80), native_key=name))) == ["confirmed"]
    assert service.scores() == {"Episode 1.2": 6.0}
    assert calls(service) == {f"GET /3/{name}/account_states": 1, f"POST /3/{name}/rating": 1}


@pytest.mark.parametrize("name", ["movie/1/../../account", "tv/1", "x", "movie/0100002"])
def test_a_name_that_is_none_is_not_asked_for(service: Tmdb, name: str) -> None:
    write(service, rate(world.movie(1), native_key=name))
    assert calls(service) == {"POST /3/movie/100002/rating": 1}


# --- what has no place ----------------------------------------------------------------------------


def test_what_has_no_id_of_theirs_is_said_and_stops_nobody(service: Tmdb) -> None:
    """Looked up by an id of others it would be written, and not known again among rows that do not tell it."""
    imdb = world.only(world.movie(1), "imdb")
    bare = world.episode(1, 1, 2, placed=False)
    show = replace(world.episode(1, 1, 2), show_ids=world.only(world.show(1), "imdb").ids)
    far = replace(world.movie(1), ids=(external_id("tmdb", Kind.MOVIE, 999),))
    receipts = write(service, rate(imdb), rate(bare), rate(show), rate(far), rate(world.movie(5)))
    assert outcomes(receipts) == [*["rejected no-ids"] * 3, "not_found tmdb-34", "confirmed"]
    assert "no id of TMDb" in str(receipts[0].detail)
    assert "its show" in str(receipts[1].detail)
    assert service.scores() == {"Film 5": 8.0}, "nothing is ever found by its title"
    assert len(service.log) == 3


# --- what is there is looked at -------------------------------------------------------------------


@pytest.mark.parametrize("now", [7.0, None])
def test_what_has_changed_is_left_alone(service: Tmdb, now: float | None) -> None:
    item, title = world.movie(1), service.titles.add(world.movie(1))
    if now is not None:
        service.account.ratings[title.key] = (title, now)
    (receipt,) = write(service, rate(item, 90, Rated(80)))
    assert (receipt.outcome, receipt.moved) == (Outcome.NOT_SENT, True)
    (receipt,) = write(service, unrate(item))
    assert (receipt.outcome, receipt.moved) == ((Outcome.NOT_SENT, True) if now else (Outcome.ALREADY, False))
    assert service.scores() == ({"Film 1": now} if now else {})
    assert not [request for request in service.log if request.method != "GET"]


def test_a_title_that_was_merged_away(service: Tmdb) -> None:
    gone = Item(Kind.MOVIE, (external_id("tmdb", Kind.MOVIE, 999),))
    assert outcomes(write(service, rate(gone, 90, Rated(80)))) == ["not_found gone"]
    assert outcomes(write(service, unrate(gone))) == ["already"]


def test_what_a_row_holds() -> None:
    assert is_still(Rated(80), Rated(80))
    assert not is_still(Rated(80), Rated(80, world.at()))
    assert not is_still(Rated(80), Rated(75))
    assert is_still(Listed(), Listed())
    assert not is_still(None, Listed())
    assert is_so(Rated(85), Rated(83, world.at()))
    assert not is_so(Rated(80), Rated(83))
    assert is_so(None, None)
    assert not is_so(Listed(), None)
    assert States(None, listed=True).value(Feature.RATINGS) is None


# --- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [drop_after(), instead(502), instead(500), html(200), cut_json(), status(200, {})])
@pytest.mark.parametrize("feature", [Feature.RATINGS, Feature.WATCHLIST])
def test_a_lost_answer_is_looked_up_and_nothing_is_sent_twice(service: Tmdb, fault: Do, feature: Feature) -> None:
    changes = [rate(world.movie(n)) if feature is Feature.RATINGS else enlist(world.movie(n)) for n in (1, 2)]
    service.fault(fault, method="POST")
    receipts = write(service, *changes)
    held = {"Film 1", "Film 2"} & (set(service.scores()) | service.listed())
    assert outcomes(receipts) == ["confirmed" if "Film 1" in held else "unknown unseen", "confirmed"]
    assert len([request for request in service.log if request.method == "POST"]) == 2


@pytest.mark.parametrize("arrives", [True, False])
def test_a_lost_removal(service: Tmdb, arrives: bool) -> None:
    service.put(Feature.RATINGS, [Entry(world.movie(1), Rated(80))])
    service.fault(drop_after() if arrives else html(200), method="DELETE")
    (receipt,) = write(service, unrate(world.movie(1)))
    assert receipt.outcome is (Outcome.CONFIRMED if arrives else Outcome.UNKNOWN)


def test_what_cannot_be_looked_up_either_is_in_doubt(service: Tmdb) -> None:
    service.fault(drop_after(), method="POST")
    service.fault(status(503), path="account_states", times=None)
    receipts = write(service, rate(world.movie(1)), rate(world.movie(2)))
    assert outcomes(receipts) == ["unknown lost-answer", "confirmed"]
    assert "could not be looked up" in str(receipts[0].detail)


def test_what_never_left_is_sent_again(service: Tmdb) -> None:
    time = Time()
    service.fault(status(429, {"status_code": 25}, retry_after="2"), method="POST")
    assert outcomes(write(service, rate(world.movie(1)), time=time)) == ["confirmed"]
    assert max(time.slept) >= 2


@pytest.mark.parametrize(
    ("code", "told", "outcome"),
    [
        (400, 18, "rejected tmdb-18"),
        (422, 5, "rejected tmdb-5"),
        (400, 47, "rejected tmdb-47"),
        (404, 34, "not_found tmdb-34"),
        (404, 6, "not_found tmdb-6"),
        (200, 21, "not_found tmdb-21"),
        (200, 40, "already tmdb-40"),
        (200, 99, "unknown unseen"),
        (403, 8, "unknown unseen"),
    ],
)
def test_a_refused_record_is_its_own_affair(service: Tmdb, code: int, told: int, outcome: str) -> None:
    body = {"success": False, "status_code": told, "status_message": "Words\nof TMDb."}
    service.fault(status(code, body), method="POST")
    receipts = write(service, rate(world.movie(1)), rate(world.movie(2)))
    assert outcomes(receipts) == [outcome, "confirmed"]
    if receipts[0].outcome is Outcome.REJECTED:
        assert receipts[0].detail == "Words of TMDb."


@pytest.mark.parametrize(("code", "told"), [(404, 34), (404, 6), (200, 21), (200, 40)])
def test_a_removal_of_what_they_do_not_know_is_done(service: Tmdb, code: int, told: int) -> None:
    service.put(Feature.RATINGS, [Entry(world.movie(1), Rated(80))])
    service.fault(status(code, {"status_code": told}), method="DELETE")
    assert outcomes(write(service, unrate(world.movie(1)))) == [f"already tmdb-{told}"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (status(401, {"status_code": 7}), AuthError),
        (status(401, {"status_code": 3}), AuthError),
        (status(404, {"status_code": 37}), AuthError),
        (status(403, {"status_code": 45}), AuthError),
        (html(404), UnavailableError),
        (html(403), UnavailableError),
        (status(405, {"status_code": 42}), UnavailableError),
    ],
)
def test_a_refusal_of_everything(service: Tmdb, fault: Do, error: type[Exception]) -> None:
    changes = [rate(world.movie(n)) for n in (1, 2, 3)]
    service.fault(fault, method="POST", times=None)
    with pytest.raises(error):
        write(service, *changes)
    service.clear_faults()
    service.fault(fault, method="POST", nth=2, times=None)
    receipts = write(service, *changes)
    code = "auth" if error is AuthError else "unavailable"
    assert outcomes(receipts) == ["confirmed", f"not_sent {code}", f"not_sent {code}"]
    assert service.scores() == {"Film 1": 8.0}


def test_a_connection_that_is_gone_for_good(service: Tmdb) -> None:
    service.fault(drop_before(), method="POST", times=None)
    assert outcomes(write(service, rate(world.movie(1)))) == ["unknown unseen"]


def test_kinds_and_features_it_does_not_have(service: Tmdb) -> None:
    receipts = write(service, rate(world.season(1, 1)))
    assert outcomes(receipts) == ["rejected unsupported"]
    receipts = write(service, enlist(world.season(1, 1)), enlist(world.episode(1, 1, 2)))
    assert outcomes(receipts) == ["rejected unsupported"] * 2
    assert receipts[0].detail == "TMDb cannot add watchlist of a season"
    moved = world.change(Feature.WATCHLIST, world.movie(1), Listed(), Listed())
    assert outcomes(write(service, moved)) == ["rejected unsupported"]
    assert not [request for request in service.log if request.method != "GET"]


def test_special_episodes_are_episodes(service: Tmdb) -> None:
    service.titles.add(world.episode(1, 0, 1))
    assert outcomes(write(service, rate(world.episode(1, 0, 1)))) == ["confirmed"]
    assert calls(service) == {"POST /3/tv/2000002/season/0/episode/1/rating": 1}


def test_what_a_change_is_on_the_wire() -> None:
    place = place_of(world.movie(1))
    assert place is not None
    assert encode(rate(world.movie(1), 85), place, 7) == ("POST", "/movie/100002/rating", {"value": 8.5})
    assert encode(unrate(world.movie(1)), place, 7) == ("DELETE", "/movie/100002/rating", None)
    body = {"media_type": "movie", "media_id": 100_002, "watchlist": False}
    assert encode(unlist(world.movie(1)), place, 7) == ("POST", "/account/7/watchlist", body)


def test_rating_takes_it_off_the_watchlist_and_nothing_else(service: Tmdb) -> None:
    service.put(Feature.WATCHLIST, [Entry(world.movie(n), Listed()) for n in (1, 2)])
    write(service, rate(world.movie(1)))
    assert service.listed() == {"Film 2"}


def test_an_answer_to_a_look_that_says_nothing_is_a_failed_read(service: Tmdb) -> None:
    service.fault(answer(Reply({"id": 1})), path="account_states")
    with pytest.raises(UnavailableError, match="whether the title is rated"):
        write(service, unrate(world.movie(1)))
