"""Reading Trakt: every page or a doubt, one error for each refusal, and a long history by its titles."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from cwsync.errors import AuthError, CwsyncError, UnavailableError
from cwsync.model import Entry, Feature, Snapshot
from cwsync.provider import Provider
from simulators.trakt import CLIENT_SECRET, Trakt
from simulators.trakt_account import logged_in, use
from support import world
from support.httpserver import Do, Handler, Reply, Request, answer, cut_json, html, status, truncated
from support.network import Time


@pytest.fixture
def service() -> Iterator[Trakt]:
    with Trakt() as made:
        yield made


def films(count: int, feature: Feature = Feature.WATCHLIST) -> list[Entry]:
    return [Entry(world.movie(n), world.value(feature, n % 8)) for n in range(1, count + 1)]


def read(service: Trakt, feature: Feature = Feature.WATCHLIST) -> Snapshot:
    return use(service, lambda provider: provider.fetch(feature))


def asked(service: Trakt, path: str) -> int:
    return sum(request.path.startswith(path) for request in service.log)


# --- pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("feature", [Feature.WATCHLIST, Feature.RATINGS])
def test_every_page_is_read_by_the_limit_that_is_told(service, feature):
    service.largest = 100
    service.put(feature, films(330, feature))
    snapshot = read(service, feature)
    assert snapshot.complete
    assert len(snapshot.entries) == 330
    pages = [request.query for request in service.log if request.path.startswith(f"/sync/{feature.value}")]
    assert sorted((one["page"], one["limit"]) for one in pages) == [("1", "250"), *[(n, "100") for n in "234"]]
    assert asked(service, "/sync/last_activities") == 2


def test_all_at_once_where_the_service_gives_all(service):
    service.put(Feature.RATINGS, films(330, Feature.RATINGS))
    whole = [held.rated() for held in service.user.ratings.values()]
    headers = {"X-Pagination-Page": "1", "X-Pagination-Limit": "250", "X-Pagination-Page-Count": "2"}
    service.fault(answer(Reply(whole, 200, headers | {"X-Pagination-Item-Count": "330"})), path="^/sync/ratings")
    snapshot = read(service, Feature.RATINGS)
    assert (snapshot.complete, len(snapshot.entries)) == (True, 330)
    assert asked(service, "/sync/ratings") == 1


def test_of_a_long_list_all_pages_were_kept_to_its_end_and_after_it_an_index_for_writes(service):
    sizes: dict[str, float] = {}

    def look(name: str) -> None:
        found = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, f"*/{name}")])
        sizes[name] = sum(one.size for one in found.statistics("filename")) / 3000

    def last(request: Request, handler: Handler) -> Reply:
        look("json/decoder.py")
        return handler(request)

    async def reading(provider: Provider) -> Snapshot:
        snapshot = await provider.fetch(Feature.RATINGS)
        look("_traktrows.py")
        return snapshot

    service.put(Feature.RATINGS, films(3000, Feature.RATINGS))
    service.fault(last, path="^/sync/ratings", nth=12)
    tracemalloc.start()
    assert use(service, reading).complete
    tracemalloc.stop()
    assert sizes["json/decoder.py"] < 200, "bytes for each row, of which some are just being read"
    assert sizes["_traktrows.py"] < 10


def test_an_empty_page_in_the_middle_ends_nothing(service):
    service.put(Feature.WATCHLIST, films(600))
    service.hidden = {service.titles.of(world.movie(n)).key for n in range(251, 501)}
    snapshot = read(service)
    assert len(snapshot.entries) == 350
    assert not snapshot.complete, "what is hidden is not gone"
    assert snapshot.doubt == "350 rows came of 600"
    assert snapshot.withheld == 250, "but every page was walked, and the empty one twice"
    assert asked(service, "/sync/watchlist") == 4


def test_rows_of_one_page_that_are_counted_and_not_shown(service):
    service.put(Feature.RATINGS, films(5, Feature.RATINGS))
    service.hidden = {service.titles.of(world.movie(2)).key}
    snapshot = read(service, Feature.RATINGS)
    assert (len(snapshot.entries), snapshot.complete, snapshot.withheld) == (4, False, 1)
    assert asked(service, "/sync/ratings") == asked(service, "/sync/last_activities") == 2


@pytest.mark.parametrize("page", [1, 2, 3])
def test_rows_that_are_missing_by_accident_are_not_taken_for_hidden(service, page):
    def forgets(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        return replace(reply, body=reply.body[1:])

    service.put(Feature.WATCHLIST, films(600))
    service.fault(forgets, path="^/sync/watchlist", nth=page)
    snapshot = read(service)
    assert (len(snapshot.entries), snapshot.complete, snapshot.withheld) == (599, False, 0)


def test_a_row_without_a_title_beside_hidden_ones_leaves_everything_open(service):
    def nameless(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        return replace(reply, body=[{"type": "movie", "movie": None, "id": 5}, *reply.body[1:]])

    service.put(Feature.WATCHLIST, films(5))
    service.hidden = {service.titles.of(world.movie(2)).key}
    service.fault(nameless, path="^/sync/watchlist", times=None)
    snapshot = read(service)
    assert (snapshot.complete, snapshot.withheld) == (False, 0)


def test_rows_that_were_told_of_and_not_given_are_a_failed_read(service):
    service.put(Feature.WATCHLIST, films(3))
    service.hidden = {service.titles.of(world.movie(n)).key for n in range(1, 4)}
    with pytest.raises(UnavailableError, match="told of 3 rows and gave none"):
        read(service)


@pytest.mark.parametrize(("count", "complete"), [(20, True), (100, False)])
def test_without_numbers_a_round_hundred_is_no_proof(service, count, complete):
    service.page_headers, service.largest = False, 100
    service.put(Feature.WATCHLIST, films(count))
    snapshot = read(service)
    assert (len(snapshot.entries), snapshot.complete) == (count, complete)


def meanwhile(service: Trakt, number: int) -> Do:
    """Somebody puts one more film on the watchlist while page 2 is on its way."""

    def do(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        service.user.list(service.titles.add(world.movie(number)), "2024-05-01T10:00:00.000Z")
        return reply

    return do


def test_what_changes_while_it_is_read_is_read_again(service):
    service.put(Feature.WATCHLIST, films(300))
    service.fault(meanwhile(service, 901), path="^/sync/watchlist", nth=2)
    snapshot = read(service)
    assert (snapshot.complete, len(snapshot.entries)) == (True, 301)
    service.fault(meanwhile(service, 902), path="^/sync/watchlist", nth=2)
    service.fault(meanwhile(service, 903), path="^/sync/watchlist", nth=3)
    snapshot = read(service)
    assert not snapshot.complete
    assert "it changed while it was read" in str(snapshot.doubt)


def test_a_limit_that_shrinks_on_the_way_is_a_failed_read(service):
    def shrink(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        return replace(reply, headers={**reply.headers, "X-Pagination-Limit": "50"})

    service.put(Feature.WATCHLIST, films(300))
    service.fault(shrink, path="^/sync/watchlist", nth=2)
    with pytest.raises(UnavailableError, match="page 2 has 50"):
        read(service)


@pytest.mark.parametrize(
    ("told", "rows", "complete"), [(1, 250, False), (2, 500, False), (3, 600, True), (5, 600, True)]
)
def test_a_wrong_number_of_pages(service, told, rows, complete):
    service.put(Feature.WATCHLIST, films(600))
    service.page_count = told
    snapshot = read(service)
    assert (len(snapshot.entries), snapshot.complete, snapshot.withheld) == (rows, complete, 0)


def test_a_chain_of_pages_without_end_is_left(service):
    service.put(Feature.WATCHLIST, films(3))
    endless = {"X-Pagination-Limit": "1", "X-Pagination-Page-Count": "999999", "X-Pagination-Item-Count": "999999"}
    row = next(iter(service.user.watchlist.values())).listed(1)
    service.fault(answer(Reply([row], 200, endless)), path="^/sync/watchlist")
    with pytest.raises(UnavailableError, match="more than 2,000 pages"):
        read(service)


@pytest.mark.parametrize("fault", [html(), truncated(), cut_json(), answer(Reply(None)), answer(Reply({"rows": []}))])
@pytest.mark.parametrize("feature", list(Feature))
def test_half_an_answer_is_a_failed_read(service, feature, fault):
    service.put(feature, films(3, feature))
    service.fault(fault, path=r"^/sync/(watchlist|ratings|history|playback)", times=None)
    with pytest.raises(UnavailableError):
        read(service, feature)


# --- rows --------------------------------------------------------------------------------------


def test_rows_that_say_too_little_are_told_of_and_protect(service):
    service.put(Feature.HISTORY, films(1, Feature.HISTORY))
    (good,) = [play.row() for play in service.user.history.values()]
    rows = [
        good,
        {
            **good,
            "id": 2,
            "type": "episode",
            "movie": None,
            "episode": {"season": 1, "number": 2, "ids": {}},
            "show": None,
        },
        {**good, "id": 3, "type": "hologram"},
        {**good, "id": 4, "watched_at": "yesterday"},
    ]
    headers = {"X-Pagination-Page": "1", "X-Pagination-Limit": "250", "X-Pagination-Page-Count": "1"}
    service.fault(answer(Reply(rows, 200, headers | {"X-Pagination-Item-Count": "4"})), path="^/sync/history")
    snapshot = read(service, Feature.HISTORY)
    assert len(snapshot.entries) == 1
    assert [(one.where, one.item is None) for one in snapshot.undecoded] == [
        ("history row 2", True),
        ("history row 3", True),
        ("history row 4", False),
    ]
    assert (snapshot.complete, snapshot.doubt) == (False, "a row says not which title it is about")


def test_a_zero_is_no_rating_and_no_runtime_no_position(service):
    service.put(Feature.RATINGS, films(2, Feature.RATINGS))
    rows = [held.rated() for held in service.user.ratings.values()]
    service.fault(answer(Reply([rows[0] | {"rating": 0}, rows[1]])), path="^/sync/ratings")
    assert len(read(service, Feature.RATINGS).entries) == 1
    service.titles.add(world.movie(50), runtime=None)
    service.put(Feature.PROGRESS, [Entry(world.movie(50), world.value(Feature.PROGRESS, 1))])
    snapshot = read(service, Feature.PROGRESS)
    assert [one.why for one in snapshot.undecoded] == ["Trakt does not know how long it is"]
    assert (snapshot.entries, snapshot.complete) == ((), True)


def test_rows_of_people_are_left_alone(service):
    service.put(Feature.WATCHLIST, films(1))
    row = next(iter(service.user.watchlist.values())).listed(1)
    service.fault(answer(Reply([row, {"id": 9, "type": "person", "person": {}}])), path="^/sync/watchlist")
    snapshot = read(service)
    assert (len(snapshot.entries), snapshot.complete) == (1, True)
    assert snapshot.warnings == ("1 rows of watchlist are of no film and no show; they are left alone",)


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (status(403), AuthError, "application"),
        (html(403), UnavailableError, "Cloudflare"),
        (html(429), UnavailableError, "Cloudflare"),
        (status(429), UnavailableError, "slow down"),
        (status(423), AuthError, "locked"),
        (status(426), AuthError, "VIP"),
        (status(404), UnavailableError, "api_url"),
        (status(412), UnavailableError, "412"),
        (status(500), UnavailableError, "500"),
        (status(301, None, location="https://elsewhere.example/"), UnavailableError, "redirects"),
    ],
)
def test_every_refusal_has_its_words(service, fault, error, words):
    service.fault(fault, path="^/sync/watchlist", times=None)
    keeper = logged_in(service)
    with pytest.raises(error) as caught:
        use(service, lambda provider: provider.fetch(Feature.WATCHLIST), keeper=keeper)
    told = f"{caught.value} {caught.value.hint}"
    assert words in told
    assert keeper.tokens is not None
    for secret in (*keeper.tokens.secrets.values(), CLIENT_SECRET):
        assert secret not in told
    if isinstance(caught.value, AuthError):
        assert asked(service, "/sync/watchlist") == 1, "nobody who is refused asks again"


@pytest.mark.parametrize("code", [403, 429])
def test_the_house_in_front_of_trakt_is_asked_once(service, code):
    service.fault(html(code), path="^/sync", times=None)

    async def look(provider):
        for feature in Feature:
            with pytest.raises(UnavailableError, match="Cloudflare"):
                await provider.fetch(feature)

    use(service, look)
    assert len(service.log) == 2, "whose account it is, and a refusal"


def test_a_read_is_tried_again_after_an_error_of_trakt(service):
    service.put(Feature.WATCHLIST, films(3))
    service.fault(status(500), path="^/sync/watchlist", times=2)
    assert len(read(service).entries) == 3
    service.forget()
    service.fault(status(500), path="^/sync/watchlist", times=None)
    with pytest.raises(UnavailableError, match="3 tries"):
        read(service)
    assert asked(service, "/sync/watchlist") == 3


def test_no_more_reads_leave_than_trakt_takes(service):
    """1,000 in 300 seconds, wherever these begin."""
    time = Time()
    at: list[float] = []

    async def look(provider):
        bucket = provider._calls.http._buckets[False]
        for _ in range(2500):
            await bucket.take()
            at.append(time.clock())

    use(service, look, time=time)
    assert all(later - first >= 300 for first, later in zip(at, at[1000:], strict=False))


@pytest.mark.parametrize("switch", ["deleted", "locked", "vip_only", "cloudflare"])
def test_the_switches_of_the_service_end_the_opening(service, switch):
    setattr(service, switch, True)
    with pytest.raises(CwsyncError):
        use(service, lambda provider: provider.fetch(Feature.WATCHLIST))
    assert len(service.log) == 1


# --- stamps ------------------------------------------------------------------------------------


def test_one_request_tells_of_all_features_once(service):
    async def look(provider):
        first = [await provider.watermark(feature) for feature in Feature]
        return first, await provider.watermark(Feature.RATINGS)

    first, again = use(service, look)
    assert None not in first
    assert again in first
    assert asked(service, "/sync/last_activities") == 2


def test_a_reading_begins_with_the_stamp_that_was_just_asked_for(service):
    service.put(Feature.WATCHLIST, films(300))

    async def look(provider):
        stamp = await provider.watermark(Feature.WATCHLIST)
        first = await provider.fetch(Feature.WATCHLIST)
        assert asked(service, "/sync/last_activities") == 2, "before the pages, and behind them"
        service.user.touch("watchlist.updated")
        second = await provider.fetch(Feature.WATCHLIST)
        return stamp, first, second

    stamp, first, second = use(service, look)
    assert (first.watermark, first.complete) == (stamp, True)
    assert second.watermark != stamp, "an answer begins one reading"


@pytest.mark.parametrize("what", ["movies.hidden", "shows.hidden", "shows.dropped", "seasons.hidden"])
def test_what_is_hidden_moves_every_stamp(service, what):
    async def look(provider):
        before = [await provider.watermark(feature) for feature in Feature]
        service.user.touch(what)
        return before, [await provider.watermark(feature) for feature in Feature]

    before, after = use(service, look)
    assert not set(before) & set(after)


def test_a_stamp_that_is_not_told_is_none(service):
    service.fault(answer(Reply({"all": "2026-01-01T00:00:00.000Z", "movies": None})), path="activities", times=None)
    assert use(service, lambda provider: provider.watermark(Feature.RATINGS)) is None


# --- the clock ---------------------------------------------------------------------------------


def test_the_clock_of_the_service_is_told(service):
    snapshot = read(service)
    assert snapshot.server_now is not None
    assert abs(snapshot.server_now - service.now()) < timedelta(minutes=1)
