"""Writing to SIMKL over real HTTP: nothing is demoted or wiped, every record is accounted for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cwsync.errors import AuthError, UnavailableError
from cwsync.model import Change, Feature, Item, Kind, Outcome, Receipt, external_id
from cwsync.providers.simkl import Simkl as Provider
from simulators.simkl import Simkl
from simulators.simkl_account import connected, use
from simulators.simkl_titles import Episode, Title
from support import world
from support.httpserver import Do, Handler, Reply, Request, answer, drop_after, drop_before, html, instead, status
from support.network import Clock

HISTORY, RATINGS, WATCHLIST = Feature.HISTORY, Feature.RATINGS, Feature.WATCHLIST
AT = "2024-05-01T10:00:00Z"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(clock: Clock) -> Iterator[Simkl]:
    with Simkl(now=clock) as made:
        for n in range(1, 121):
            made.titles.add(world.movie(n))
        for n in (1, 2):
            for number in range(1, 11):
                made.titles.add(world.episode(n, 1, number))
        yield made


def film(service: Simkl, n: int) -> Title:
    return service.titles.add(world.movie(n))


def show(service: Simkl, n: int) -> Title:
    return service.titles.add(world.show(n))


def add(feature: Feature, item: Item, n: int = 1) -> Change:
    return world.change(feature, item, None, world.value(feature, n))


def write(service: Simkl, *changes: Change, **more: Any) -> list[Receipt]:
    """What comes of changes of one feature, in one batch."""
    service.forget()

    async def step(provider: Provider) -> list[Receipt]:
        return await provider.apply(changes[0].feature, changes)

    return use(service, step, **more)


def removal(service: Simkl, feature: Feature, item: Item) -> Change:
    """The removal of what is there."""

    async def step(provider: Provider) -> Change:
        entries = (await provider.fetch(feature)).entries
        found = next(entry for entry in entries if set(entry.item.tokens()) & set(item.tokens()))
        return world.change(feature, found.item, found.value, None, native_key=found.native_key)

    return use(service, step)


def outcomes(receipts: Sequence[Receipt]) -> list[tuple[str, str | None]]:
    return [(receipt.outcome.value, receipt.code) for receipt in receipts]


def bodies(service: Simkl, path: str) -> list[Any]:
    return [request.json() for request in service.log if (request.method, request.path) == ("POST", f"/sync/{path}")]


# --- history -------------------------------------------------------------------------------------


def test_films_and_episodes_go_in_one_request(service: Simkl) -> None:
    items = [world.movie(1), world.episode(1, 1, 2), world.episode(1, 1, 3, own=False), world.episode(2, 1, 1)]
    receipts = write(service, *[add(HISTORY, item) for item in items])
    assert {receipt.outcome for receipt in receipts} == {Outcome.CONFIRMED}
    (body,) = bodies(service, "history")
    assert [len(one["seasons"][0]["episodes"]) for one in body["shows"]] == [2, 1]
    assert body["movies"][0]["watched_at"] == "2024-01-02T12:00:00Z"
    assert sum(len(held.episodes) for held in service.user.library.values()) == 3
    assert service.calls()[-1] == "POST /sync/history", "counts that add up need no second look"


def test_no_show_goes_into_the_history_as_such(service: Simkl) -> None:
    (receipt,) = write(service, add(HISTORY, world.show(1)))
    assert outcomes([receipt]) == [("rejected", "unsupported")]
    odd = replace(world.episode(1, 1, 2, own=False), number=None)
    (receipt,) = write(service, add(HISTORY, odd))
    assert outcomes([receipt]) == [("rejected", "no-ids")]
    assert not bodies(service, "history")
    assert not service.user.library


def test_what_is_watched_already_is_not_sent(service: Simkl) -> None:
    service.user.watch(film(service, 1), AT)
    service.user.watch_episode(show(service, 1), (1, 2), AT)
    receipts = write(service, add(HISTORY, world.movie(1)), add(HISTORY, world.episode(1, 1, 2)))
    assert outcomes(receipts) == [("already", None)] * 2
    assert not [call for call in service.calls() if call.startswith("POST")]


def test_a_play_without_a_date_is_not_one_of_now(service: Simkl) -> None:
    (receipt,) = write(service, world.change(HISTORY, world.movie(1), None, world.played()))
    assert receipt.outcome is Outcome.CONFIRMED
    assert bodies(service, "history")[0]["movies"][0]["watched_at"] == "1970-01-01T00:00:01Z"
    future = world.played(datetime(2100, 1, 1, tzinfo=UTC))
    (receipt,) = write(service, world.change(HISTORY, world.movie(2), None, future))
    assert outcomes([receipt]) == [("rejected", "future")]


def test_a_film_that_is_watched_leaves_the_watchlist_with_its_own_date(service: Simkl) -> None:
    service.user.hold(film(service, 1), "plantowatch")
    write(service, add(HISTORY, world.movie(1)))
    held = service.user.library[film(service, 1).simkl]
    assert (held.status, held.watched_at) == ("completed", "2024-01-02T12:00:00Z")
    assert bodies(service, "history")[0]["movies"][0]["ids"] == {"simkl": held.title.simkl}


def test_an_unrated_film_is_unwatched_and_a_rated_one_is_not(service: Simkl) -> None:
    for n in (1, 2, 3):
        service.user.watch(film(service, n), AT)
    service.user.rate(film(service, 2), 8, AT)
    service.user.library[film(service, 3).simkl].memo = "mine"
    receipts = write(service, *[removal(service, HISTORY, world.movie(n)) for n in (1, 2, 3)])
    assert outcomes(receipts) == [("confirmed", None), ("rejected", "would-wipe"), ("rejected", "would-wipe")]
    assert "rating" in (receipts[1].detail or "")
    assert len(service.user.library) == 2


def test_an_episode_is_unwatched_by_its_own_place(service: Simkl) -> None:
    for number in (1, 2):
        service.user.watch_episode(show(service, 1), (1, number), AT)
    service.user.rate(show(service, 1), 8, AT)
    (receipt,) = write(service, removal(service, HISTORY, world.episode(1, 1, 2)))
    assert receipt.outcome is Outcome.CONFIRMED
    held = service.user.library[show(service, 1).simkl]
    assert (set(held.episodes), held.rating) == ({(1, 1)}, 8)
    gone = world.change(HISTORY, world.episode(1, 1, 2), world.played(world.at()), None, native_key="9002:1x2")
    assert outcomes(write(service, gone)) == [("already", None)]


def test_specials_go_by_their_own_id(service: Simkl) -> None:
    title = show(service, 1)
    title.episodes[0, 1] = Episode((0, 1), None, "555")
    special = replace(world.episode(1, 0, 1, own=False), ids=(external_id("tvdb", Kind.EPISODE, 555),))
    (receipt,) = write(service, add(HISTORY, special))
    assert receipt.outcome is Outcome.CONFIRMED
    assert bodies(service, "history") == [
        {"episodes": [{"ids": {"tvdb": "555"}, "watched_at": "2024-01-02T12:00:00Z"}]}
    ]


def test_an_episode_that_simkl_does_not_have_is_not_found_and_the_others_are_confirmed(service: Simkl) -> None:
    items = [world.episode(1, 1, 2), world.episode(1, 1, 99), world.movie(1), world.episode(77, 1, 1), world.movie(999)]
    receipts = write(service, *[add(HISTORY, item) for item in items])
    assert [receipt.outcome.value for receipt in receipts] == [
        "confirmed", "not_found", "confirmed", "not_found", "not_found",
    ]  # fmt: skip


# --- anime ---------------------------------------------------------------------------------------


@pytest.fixture
def anime(service: Simkl) -> tuple[Title, Title]:
    ids = {"mal": "90001", "anidb": "90002", "tvdb": "800009"}
    first = service.titles.anime(ids, "Anime", at=99003, count=3)
    return first, service.titles.anime(
        ids | {"mal": "90011", "anidb": "90012"}, "Anime II", at=99004, count=3, season=2
    )


def at_tvdb(season: int, number: int) -> Item:
    show_ids = (external_id("tvdb", Kind.SHOW, 800009),)
    return Item(Kind.EPISODE, (), show_ids=show_ids, season=season, number=number, show_title="Anime")


def at_mal(show: int, number: int) -> Item:
    return Item(Kind.EPISODE, (), show_ids=(external_id("mal", Kind.SHOW, show),), season=1, number=number)


def test_anime_goes_by_the_numbers_that_its_ids_stand_for(service: Simkl, anime: tuple[Title, Title]) -> None:
    service.user.watch_episode(anime[0], (1, 1), AT)
    receipts = write(service, add(HISTORY, at_tvdb(2, 3)), add(HISTORY, at_mal(90001, 2)))
    assert outcomes(receipts) == [("confirmed", None)] * 2
    assert [one.native_key for one in receipts] == [None, "99003:1x2"], "what it will be read by"
    assert set(service.user.library[99003].episodes) == {(1, 1), (1, 2)}
    assert set(service.user.library[99004].episodes) == {(1, 3)}
    by_tvdb, by_mal = bodies(service, "history")[0]["shows"]
    assert (by_tvdb["ids"], by_tvdb["use_tvdb_anime_seasons"]) == ({"tvdb": "800009"}, True)
    assert by_mal["ids"] == {"mal": "90001"}
    assert "use_tvdb_anime_seasons" not in by_mal


def test_anime_is_known_by_both_numbers_once_it_was_written(service: Simkl, anime: tuple[Title, Title]) -> None:
    """It was sent again and again by those of anime, and never met those of TVDB that it was read by."""
    service.user.watch_episode(anime[1], (1, 2), AT)
    service.user.watch_episode(anime[0], (1, 1), AT)
    both = replace(at_tvdb(1, 2), show_ids=(*at_tvdb(1, 2).show_ids, *at_mal(90011, 2).show_ids))
    receipts = write(service, *[add(HISTORY, item) for item in (at_mal(90011, 2), at_mal(90001, 1), both)])
    assert outcomes(receipts) == [("already", None), ("already", None), ("confirmed", None)]
    assert [one.native_key for one in receipts[:2]] == ["99004:1x2", "99003:1x1"]

    async def lingering(provider: Provider) -> list[str]:
        found = await provider.fetch(HISTORY)
        return [one.item.coordinates()[-1] for one in found.lingering if one.item is not None]

    assert use(service, lingering) == ["anidb_show:90012#s1e2"], "whoever wrote it by these numbers did not lose it"


def test_anime_is_unwatched_by_simkls_own_numbers(service: Simkl, anime: tuple[Title, Title]) -> None:
    service.user.watch_episode(anime[1], (1, 3), AT)
    service.user.watch_episode(anime[1], (1, 2), AT)
    (receipt,) = write(service, removal(service, HISTORY, at_tvdb(2, 3)))
    assert receipt.outcome is Outcome.CONFIRMED
    assert set(service.user.library[99004].episodes) == {(1, 2)}


def test_a_film_of_anime_is_a_film(service: Simkl) -> None:
    title = film(service, 1)
    title.part, title.anime_type = "anime", "movie"
    service.user.watch(title, AT)
    assert outcomes(write(service, add(HISTORY, world.movie(1)))) == [("already", None)]
    assert outcomes(write(service, add(RATINGS, world.movie(1)))) == [("confirmed", None)]
    rated = removal(service, RATINGS, world.movie(1))
    assert outcomes(write(service, rated)) == [("confirmed", None)]
    assert outcomes(write(service, removal(service, HISTORY, world.movie(1)))) == [("confirmed", None)]
    assert not service.user.library


# --- the watchlist -------------------------------------------------------------------------------


def test_a_wish_never_demotes(service: Simkl) -> None:
    service.user.watch(film(service, 1), AT)
    service.user.hold(film(service, 2), "dropped")
    service.user.watch_episode(show(service, 1), (1, 1), AT)
    service.user.hold(show(service, 2), "plantowatch")
    items = [world.movie(1), world.movie(2), world.show(1), world.show(2), world.movie(3)]
    receipts = write(service, *[add(WATCHLIST, item) for item in items])
    demote = ("rejected", "would-demote")
    assert outcomes(receipts) == [demote, demote, demote, ("already", None), ("confirmed", None)]
    assert "'dropped'" in (receipts[1].detail or "")
    assert service.calls() == [
        "GET /sync/activities", "GET /sync/all-items/shows", "GET /sync/all-items/movies", "GET /sync/all-items/anime",
        "GET /sync/activities", "POST /sync/watched", "POST /sync/add-to-list",
    ]  # fmt: skip


def test_titles_that_the_library_has_by_other_ids_are_asked_about(service: Simkl) -> None:
    """What SIMKL tells of a title need not have the id that it is known by."""
    for n, status_ in ((1, "completed"), (2, "plantowatch"), (3, "hold")):
        title = film(service, n)
        service.user.hold(title, status_)
        title.ids.clear()
    receipts = write(service, *[add(WATCHLIST, world.movie(n)) for n in (1, 2, 3, 4, 999)])
    assert outcomes(receipts) == [
        ("rejected", "would-demote"), ("already", None), ("rejected", "would-demote"), ("confirmed", None),
        ("not_found", None),
    ]  # fmt: skip
    assert [len(body["movies"]) for body in bodies(service, "add-to-list")] == [1]


@pytest.mark.parametrize(
    "fault", [answer(Reply(b"null", 200)), answer(Reply([{"result": True}])), html(200), drop_after()]
)
def test_without_an_answer_where_titles_are_nothing_is_wished(service: Simkl, fault: Do) -> None:
    service.fault(fault, path="/sync/watched", times=None)
    with pytest.raises(UnavailableError):
        write(service, add(WATCHLIST, world.movie(1)), add(WATCHLIST, world.movie(2)))
    assert not service.user.library


def test_a_wish_that_ends_elsewhere_is_told(service: Simkl) -> None:
    service.writes.rewrite = "watching"
    (receipt,) = write(service, add(WATCHLIST, world.show(1)))
    assert outcomes([receipt]) == [("rejected", "rewritten")]


def test_nothing_but_a_bare_wish_is_taken_off_the_watchlist(service: Simkl) -> None:
    for n in (1, 2):
        service.user.hold(film(service, n), "plantowatch")
    service.user.rate(film(service, 2), 8, AT)
    service.user.watch_episode(show(service, 1), (1, 1), AT)
    service.user.hold(show(service, 1), "plantowatch")
    items = [world.movie(1), world.movie(2), world.show(1)]
    receipts = write(service, *[removal(service, WATCHLIST, item) for item in items])
    assert outcomes(receipts) == [("confirmed", None), ("rejected", "would-wipe"), ("rejected", "would-wipe")]
    assert service.user.library[film(service, 2).simkl].rating == 8
    assert service.user.library[show(service, 1).simkl].episodes


def test_what_was_watched_since_it_was_read_is_not_taken_off_the_watchlist(service: Simkl, clock: Clock) -> None:
    service.user.hold(film(service, 1), "plantowatch")
    gone = removal(service, WATCHLIST, world.movie(1))
    clock.at += 60

    async def step(provider: Provider) -> list[Receipt]:
        await provider.fetch(WATCHLIST)
        await provider.watermark(WATCHLIST)
        clock.at += 60
        service.user.watch(film(service, 1), AT)
        return await provider.apply(WATCHLIST, [gone])

    assert outcomes(use(service, step)) == [("already", None)]
    assert service.user.library[film(service, 1).simkl].status == "completed"


def test_a_wish_that_two_titles_may_be_is_left_where_one_of_them_is(service: Simkl) -> None:
    first, second = film(service, 1), film(service, 2)
    service.user.hold(first, "plantowatch")
    service.user.hold(second, "completed")
    both = replace(world.movie(1), ids=(world.movie(1).ids[0], world.movie(2).ids[1]))
    assert outcomes(write(service, add(WATCHLIST, both))) == [("rejected", "would-demote")]


# --- ratings -------------------------------------------------------------------------------------


def test_a_rating_that_changed_since_is_left_alone(service: Simkl) -> None:
    service.user.rate(film(service, 1), 5, AT)
    before, after = world.rated(8), world.rated(9)
    changes = [
        world.change(RATINGS, world.movie(1), before, after),
        world.change(RATINGS, world.movie(1), before, None),
        world.change(RATINGS, world.movie(1), None, after),
        world.change(RATINGS, world.movie(1), None, world.rated(5)),
        world.change(RATINGS, world.movie(2), before, None),
        world.change(RATINGS, world.movie(2), before, after),
    ]
    receipts = write(service, *changes)
    moved = ("not_sent", "moved")
    assert outcomes(receipts) == [moved, moved, moved, ("already", None), ("already", None), moved]
    assert not [call for call in service.calls() if call.startswith("POST")]


def test_what_was_read_is_looked_at_again_unless_somebody_has_looked(service: Simkl, clock: Clock) -> None:
    service.user.rate(film(service, 1), 8, AT)
    service.user.rate(film(service, 2), 8, AT)
    clock.at += 60
    changes = [
        world.change(RATINGS, world.movie(n), world.rated(8, datetime.fromisoformat(AT)), world.rated(9))
        for n in (1, 2)
    ]

    async def step(provider: Provider) -> list[tuple[str, str | None]]:
        await provider.watermark(RATINGS)
        await provider.fetch(RATINGS)
        clock.at += 60
        service.user.rate(film(service, 1), 3, AT)
        clock.at += 60
        first = await provider.apply(RATINGS, changes[:1])
        await provider.watermark(RATINGS)
        await provider.watermark(RATINGS)
        service.forget()
        second = await provider.apply(RATINGS, changes[1:])
        assert service.calls() == ["POST /sync/ratings"]
        return outcomes([*first, *second])

    assert use(service, step) == [("not_sent", "moved"), ("confirmed", None)]


def test_a_season_has_no_rating_and_an_item_without_ids_is_not_sent(service: Simkl) -> None:
    plex = Item(Kind.MOVIE, (external_id("plex", Kind.MOVIE, "abc"),), "Film", 2000)
    changes = [add(RATINGS, item) for item in (world.season(1, 1), plex, world.movie(1))]
    assert outcomes(write(service, *changes)) == [
        ("rejected", "unsupported"), ("rejected", "no-ids"), ("confirmed", None),
    ]  # fmt: skip


def test_what_a_rating_files_is_neither_watched_nor_wished_for(service: Simkl, clock: Clock, tmp_path: Path) -> None:
    film(service, 2).released = False
    kept: dict[str, Any] = {"folder": tmp_path}
    write(service, *[add(RATINGS, item) for item in (world.movie(1), world.movie(2), world.show(1))], **kept)
    assert sorted(held.status for held in service.user.library.values()) == ["completed", "plantowatch", "watching"]

    async def read(provider: Provider) -> list[int]:
        clock.at += 60
        found = [await provider.fetch(feature) for feature in (HISTORY, WATCHLIST, RATINGS)]
        assert all(snapshot.complete for snapshot in found)
        rated = {str(number) for number, held in service.user.library.items() if held.rating}
        assert {one.native_key for one in found[0].lingering} == rated
        return [len(snapshot.entries) for snapshot in found]

    for _ in range(2):
        assert use(service, read, **kept) == [0, 0, 3]
    clock.at += 7200
    service.user.hold(film(service, 8), "dropped")
    assert use(service, read, **kept) == [0, 0, 3]
    clock.at += 86400
    service.user.hold(film(service, 9), "dropped").changed_at = "0"
    service.user.touch(film(service, 9), "removed_from_list")
    service.forget()
    assert use(service, read, **kept) == [0, 0, 3]
    assert "GET /sync/all-items/shows" in service.calls(), "it was read whole for another reason"
    assert outcomes(write(service, add(HISTORY, world.movie(1)), **kept)) == [("confirmed", None)]
    assert outcomes(write(service, add(WATCHLIST, world.movie(2)), **kept)) == [("confirmed", None)]

    async def again(provider: Provider) -> list[int]:
        clock.at += 60
        return [len((await provider.fetch(feature)).entries) for feature in (HISTORY, WATCHLIST)]

    assert use(service, again, **kept) == [1, 1]


# --- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "arrived"),
    [
        (drop_after(), True),
        (instead(502), True),
        (instead(500), True),
        (answer(Reply(b"{", 201)), False),
        (html(201), False),
    ],
)
def test_an_answer_that_got_lost_is_looked_up_and_nothing_is_sent_twice(
    service: Simkl, fault: Do, arrived: bool
) -> None:
    service.fault(fault, method="POST", path="^/sync/history$")
    receipts = write(service, add(HISTORY, world.movie(1)), add(HISTORY, world.episode(1, 1, 1)))
    wanted = Outcome.CONFIRMED if arrived else Outcome.UNKNOWN
    assert {receipt.outcome for receipt in receipts} == {wanted}
    assert service.calls().count("POST /sync/history") == 1


def test_a_lost_answer_that_cannot_be_looked_up_is_in_doubt(service: Simkl) -> None:
    service.fault(drop_after(), method="POST", path="^/sync/ratings$")
    service.fault(html(200), path="^/sync/activities", nth=3, times=None)
    (receipt,) = write(service, add(RATINGS, world.movie(1)))
    assert outcomes([receipt]) == [("unknown", "lost-answer")]


def test_a_write_that_does_not_show_yet_is_in_doubt(service: Simkl) -> None:
    service.user.lag()
    service.fault(instead(504), method="POST", path="^/sync/history$")
    (receipt,) = write(service, add(HISTORY, world.movie(1)))
    assert outcomes([receipt]) == [("unknown", "unseen")]
    service.user.settle()
    assert outcomes(write(service, add(HISTORY, world.movie(1)))) == [("already", None)]


def test_a_write_that_never_left_is_not_one(service: Simkl) -> None:
    service.fault(status(503), path="^/sync/activities", times=None)
    with pytest.raises(UnavailableError):
        write(service, add(RATINGS, world.movie(1)))
    service.clear_faults()
    service.fault(drop_before(), method="POST", path="^/sync/ratings")
    (receipt,) = write(service, add(RATINGS, world.movie(1)))
    assert receipt.outcome is Outcome.UNKNOWN


def test_a_body_that_is_refused_whole_is_sent_in_halves(service: Simkl) -> None:
    def picky(request: Request, handler: Handler) -> Reply:
        body = json.loads(request.body)
        bad = any(one["ids"].get("imdb") == "tt0100003" for one in body["movies"])
        return Reply({"error": "wrong_parameter", "code": 400}, 400) if bad else handler(request)

    service.fault(picky, method="POST", path="^/sync/ratings", times=None)
    receipts = write(service, *[add(RATINGS, world.movie(n)) for n in range(1, 6)])
    assert [receipt.outcome.value for receipt in receipts] == [
        "confirmed", "confirmed", "rejected", "confirmed", "confirmed",
    ]  # fmt: skip
    assert receipts[2].code == "http-400"


def test_a_login_that_may_only_read_is_told_before_anything_is_written(service: Simkl) -> None:
    service.scope = "media:read"
    with pytest.raises(AuthError, match="may only read") as caught:
        write(service, add(RATINGS, world.movie(1)))
    assert "cwsync auth login mine" in (caught.value.hint or "")


def test_a_quota_that_ends_between_two_requests_leaves_the_rest_unsent(service: Simkl) -> None:
    service.user.rate(film(service, 1), 8, AT)
    gone = removal(service, RATINGS, world.movie(1))

    def last(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        service.used = service.quota
        return reply

    service.fault(last, method="POST", path="^/sync/ratings$")
    receipts = write(service, add(RATINGS, world.movie(2)), gone)
    assert outcomes(receipts) == [("confirmed", None), ("not_sent", "unavailable")]
    assert "daily quota" in (receipts[1].detail or "")


def test_what_was_sent_before_the_quota_ended_is_told(service: Simkl) -> None:
    def picky(request: Request, handler: Handler) -> Reply:
        if len(json.loads(request.body)["movies"]) > 2:
            return Reply({"error": "wrong_parameter", "code": 400}, 400)
        reply = handler(request)
        service.used = service.quota
        return reply

    service.fault(picky, method="POST", path="^/sync/ratings$", times=None)
    receipts = write(service, *[add(RATINGS, world.movie(n)) for n in range(1, 5)])
    assert outcomes(receipts) == [("confirmed", None)] * 2 + [("not_sent", "unavailable")] * 2
    assert sorted(held.title.name or "" for held in service.user.library.values()) == ["Film 1", "Film 2"]


def test_each_feature_takes_one_write(service: Simkl) -> None:
    async def step(provider: Provider) -> None:
        for feature in (HISTORY, RATINGS, WATCHLIST):
            await provider.fetch(feature)
            first = 1 if feature is not WATCHLIST else 101
            changes = [add(feature, world.movie(n), n % 8) for n in range(first, first + 20)]
            receipts = await provider.apply(feature, changes)
            assert {receipt.outcome for receipt in receipts} == {Outcome.CONFIRMED}

    use(service, step)
    posts = [call for call in service.calls() if call.startswith("POST")]
    assert posts == ["POST /sync/history", "POST /sync/ratings", "POST /sync/watched", "POST /sync/add-to-list"]


# --- our own side effects ------------------------------------------------------------------------


def test_our_own_plays_do_not_move_the_watermark_of_the_watchlist(service: Simkl, clock: Clock, tmp_path: Path) -> None:
    service.user.hold(film(service, 1), "plantowatch")
    service.user.hold(film(service, 2), "plantowatch")
    clock.at += 60

    async def step(provider: Provider, other: bool) -> tuple[str | None, str | None, str | None]:
        before = {feature: await provider.fetch(feature) for feature in (HISTORY, WATCHLIST)}
        clock.at += 60
        await provider.apply(HISTORY, [add(HISTORY, world.movie(1 + other))])
        right_after = await provider.watermark(HISTORY)
        if other:
            service.user.hold(film(service, 5), "plantowatch")
        clock.at += 60
        return before[WATCHLIST].watermark, await provider.watermark(WATCHLIST), right_after

    before, after, right_after = use(service, lambda provider: step(provider, False), folder=tmp_path)
    assert before == after
    assert right_after is None, "nobody has looked yet"
    before, after, _ = use(service, lambda provider: step(provider, True), folder=tmp_path)
    assert before != after, "somebody else wished for something meanwhile"


def test_no_secret_is_in_what_is_printed(service: Simkl) -> None:
    provider = connected(service)
    secrets = [secret for one in service.grants for secret in (one.access, one.refresh)]
    assert not [secret for secret in secrets if secret in f"{provider!r} {vars(provider)} {vars(provider._calls)}"]
    assert timedelta(0) < provider.capabilities.staleness
