"""Reading a simulated Plex: whole or not at all, whatever the server does meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cwsync.errors import AuthError, ConfigError, UnavailableError
from cwsync.model import Feature, Kind, Outcome, Rated, Snapshot
from cwsync.providers import _plexread
from cwsync.providers.plex import Plex as Real
from simulators.plex import Plex
from simulators.plexfill import Shelf
from simulators.plexworld import EPISODE, MOVIE, SEASON, SHOW, User
from support import world
from support.httpserver import cut_json, drop_before, html, redirect, status, truncated
from support.network import CERTIFICATE, fingerprint, tls
from support.plexhome import provider, read
from support.session import use

H, R, P, W = Feature.HISTORY, Feature.RATINGS, Feature.PROGRESS, Feature.WATCHLIST


@pytest.fixture
def plex() -> Iterator[Plex]:
    with Plex() as made:
        yield made


@pytest.fixture
def shelf(plex: Plex) -> Shelf:
    made = Shelf(plex)
    made.put(*(world.movie(n) for n in range(1, 31)), *(world.episode(1, 1, n) for n in range(1, 6)))
    return made


def titles(snapshot: Snapshot) -> list[str]:
    return sorted(str(entry.item.title) for entry in snapshot.entries)


def watch(plex: Plex, shelf: Shelf, *numbers: int, user: User | None = None) -> None:
    for n in numbers:
        plex.world.scrobble(user or plex.world.owner, shelf.row(world.movie(n)))


# --- completeness -------------------------------------------------------------------------------------


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_plexread, "PAGE", 10)


@pytest.mark.usefixtures("small_pages")
def test_a_change_between_two_pages_is_noticed_and_read_again(plex: Plex, shelf: Shelf) -> None:
    watch(plex, shelf, *range(1, 26))
    once = iter([26])

    def shift() -> None:
        for n in once:
            watch(plex, shelf, n)

    plex.shift = shift
    snapshot = read(plex, H)
    assert snapshot.complete
    assert len(snapshot.entries) == 26


@pytest.mark.usefixtures("small_pages")
def test_a_library_that_never_stands_still_is_read_in_an_order_that_does(plex: Plex, shelf: Shelf) -> None:
    watch(plex, shelf, *range(1, 26))
    turn = iter(range(10_000))

    def shift() -> None:
        # Somebody watches one film after the other again: the newest come first, so every page moves.
        n = next(turn)
        film = shelf.row(world.movie(25 - n % 25))
        plex.world.state(plex.world.owner, film).viewed_at = 2_000_000_000 + n

    plex.shift = shift
    snapshot = read(plex, H)
    assert len(snapshot.entries) == 25
    assert snapshot.watermark is None


@pytest.mark.usefixtures("small_pages")
def test_a_library_that_grows_with_every_page_is_no_snapshot(plex: Plex, shelf: Shelf) -> None:
    watch(plex, shelf, *range(1, 26))
    extra = iter(range(10_000))
    plex.shift = lambda: plex.world.scrobble(plex.world.owner, plex.world.add(shelf.films, MOVIE, f"New {next(extra)}"))
    with pytest.raises(UnavailableError, match="changed again and again"):
        read(plex, H)


@pytest.mark.usefixtures("small_pages")
def test_without_totals_pages_are_read_to_the_end(plex: Plex, shelf: Shelf) -> None:
    watch(plex, shelf, *range(1, 26))
    plex.totals = False
    snapshot = read(plex, H)
    assert len(snapshot.entries) == 25
    assert use(provider(plex), lambda made: made.watermark(H)) is None


def test_a_single_row_may_come_as_that_row(plex: Plex, shelf: Shelf) -> None:
    watch(plex, shelf, 1)
    plex.as_object = True
    assert titles(read(plex, H)) == ["Film 1"]


def test_a_server_that_ignores_filters_costs_no_record_and_has_no_stamp(plex: Plex, shelf: Shelf) -> None:
    watch(plex, shelf, 30)
    plex.deaf = True
    snapshot = read(plex, H)
    assert titles(snapshot) == ["Film 30"]
    assert (snapshot.complete, snapshot.watermark) == (True, None)


def test_a_filter_that_finds_nothing_is_not_believed(plex: Plex, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    plex.world.scrobble(plex.world.owner, shelf.row(world.episode(1, 1, 2)))
    plain = _plexread.query_of

    def unprefixed(feature: Feature | None, kind: Kind) -> dict[str, str | int]:
        made = plain(feature, kind)
        return {name.removeprefix("episode."): value for name, value in made.items()}

    monkeypatch.setattr(_plexread, "query_of", unprefixed)
    snapshot = read(plex, H)
    assert titles(snapshot) == ["Episode 1.2"]
    assert snapshot.watermark is None


def test_a_scan_makes_absence_doubtful(plex: Plex, shelf: Shelf) -> None:
    watch(plex, shelf, 1)
    rows = [{"key": "1", "type": "movie", "title": "Films", "refreshing": True}]
    body = {"MediaContainer": {"size": 1, "Directory": rows}}
    plex.pms.fault(status(200, body), path="/library/sections$", times=None)
    snapshot = read(plex, H)
    assert titles(snapshot) == ["Film 1"]
    assert not snapshot.complete
    assert snapshot.doubt == "the server is scanning Films"


def test_a_row_that_cannot_be_read_protects_the_others(plex: Plex, shelf: Shelf) -> None:
    watch(plex, shelf, 1, 2)
    plex.world.state(plex.world.owner, shelf.row(world.movie(2))).viewed_at = 1 << 50
    snapshot = read(plex, H)
    assert titles(snapshot) == ["Film 1"]
    assert not snapshot.complete
    assert [(one.native_key, one.why) for one in snapshot.undecoded] == [
        (str(shelf.row(world.movie(2)).key), "lastViewedAt lies outside of the calendar")
    ]


@pytest.mark.parametrize(
    "fault", [html(), cut_json(), status(404), redirect("https://example.org/"), status(500)], ids=range(5)
)
@pytest.mark.parametrize("feature", [H, R, P])
def test_a_page_that_fails_fails_the_read(plex: Plex, shelf: Shelf, feature: Feature, fault: Any) -> None:
    watch(plex, shelf, 1)
    plex.pms.fault(fault, path="/library/sections/2/all", times=None)
    with pytest.raises(UnavailableError):
        read(plex, feature)


@pytest.mark.parametrize("fault", [drop_before(), truncated(), status(503, retry_after="0")], ids=range(3))
def test_a_page_that_fails_once_is_asked_for_again(plex: Plex, shelf: Shelf, fault: Any) -> None:
    watch(plex, shelf, 1)
    plex.pms.fault(fault, path="/library/sections/1/all")
    assert titles(read(plex, H)) == ["Film 1"]


def test_a_library_that_vanishes_while_it_is_read_is_no_empty_one(plex: Plex, shelf: Shelf) -> None:
    watch(plex, shelf, 1)

    async def step(made: Real) -> Snapshot:
        await made.watermark(H)
        del plex.world.sections[1]
        return await made.fetch(H)

    with pytest.raises(UnavailableError, match="'Films' is gone"):
        use(provider(plex), step)


# --- what rows are --------------------------------------------------------------------------------------


def test_libraries_of_older_agents(plex: Plex) -> None:
    films, shows = plex.world.add_section("Old films", MOVIE), plex.world.add_section("Old shows", SHOW)
    plex.old = True
    film = plex.world.add(films, MOVIE, "Heat", guid="com.plexapp.agents.imdb://tt0113277?lang=en")
    show = plex.world.add(shows, SHOW, "A show", guid="com.plexapp.agents.thetvdb://81189?lang=en")
    season = plex.world.add(
        shows, SEASON, "S", parent=show, index=1, guid="com.plexapp.agents.thetvdb://81189/1?lang=en"
    )
    guid = "com.plexapp.agents.thetvdb://81189/1/2?lang=en"
    part = plex.world.add(shows, EPISODE, "Pilot", parent=season, index=2, guid=guid)
    for row in (film, part):
        plex.world.scrobble(plex.world.owner, row)
    assert sorted(entry.item.key() or "" for entry in read(plex, H).entries) == [
        "imdb_movie:tt0113277",
        "tvdb_show:81189#s1e2",
    ]


def test_editions_and_duplicates_are_entries_of_one_title(plex: Plex, shelf: Shelf) -> None:
    other = plex.world.add_section("Films in 4K", MOVIE)
    film = shelf.row(world.movie(1))
    plex.world.add(shelf.films, MOVIE, "Film 1", guid=film.guid, guids=film.guids, edition="Director's Cut")
    plex.world.add(other, MOVIE, "Film 1", guid=film.guid, guids=film.guids)
    watch(plex, shelf, 1)
    entries = read(plex, H).entries
    assert len({entry.native_key for entry in entries}) == 3
    assert {entry.item.ids for entry in entries} == {world.movie(1).ids}


def test_items_without_ids_are_kept(plex: Plex, shelf: Shelf) -> None:
    home = plex.world.add(shelf.films, MOVIE, "A birthday", guid="local://17")
    plex.world.scrobble(plex.world.owner, home)
    (entry,) = read(plex, H).entries
    assert (entry.item.ids, entry.item.title, entry.native_key) == ((), "A birthday", str(home.key))


def test_flattened_seasons_and_shows_without_ids(plex: Plex, shelf: Shelf) -> None:
    show = shelf.row(world.show(1))
    show.flat, show.guids = True, ()
    plex.world.scrobble(plex.world.owner, shelf.row(world.episode(1, 1, 2)))
    (entry,) = read(plex, H).entries
    assert (entry.item.ids, entry.item.season, entry.item.number) == (world.episode(1, 1, 2).ids, 1, 2)
    assert entry.item.show_ids == ()


def test_each_user_has_a_state_of_their_own(plex: Plex, shelf: Shelf) -> None:
    other = plex.world.add_user("Child", managed=True)
    watch(plex, shelf, 1)
    watch(plex, shelf, 2, user=other)
    assert titles(read(plex, H)) == ["Film 1"]
    assert titles(read(plex, H, user=other)) == ["Film 2"]


# --- stamps, and what is read how often -----------------------------------------------------------------


def test_a_token_of_the_server_alone_reads_no_ratings(plex: Plex, shelf: Shelf) -> None:
    friend = plex.world.add_user("Friend")
    watch(plex, shelf, 1, user=friend)
    assert titles(read(plex, H, user=friend)) == ["Film 1"]
    with pytest.raises(AuthError, match="ratings of the owner"):
        read(plex, R, user=friend)


def test_stamps_move_with_every_change_and_with_nothing_else(plex: Plex, shelf: Shelf) -> None:
    owner, film, part = plex.world.owner, shelf.row(world.movie(1)), shelf.row(world.episode(1, 1, 1))
    for row in (film, part):
        plex.world.rate(owner, row, 5)
    steps: list[tuple[Callable[[], None], set[Feature]]] = [
        (lambda: plex.world.scrobble(owner, film), {H}),
        (lambda: plex.world.scrobble(owner, part), {H}),
        (lambda: plex.world.unscrobble(owner, film), {H}),
        (lambda: plex.world.rate(owner, film, 7), {R}),
        (lambda: plex.world.rate(owner, film, 8), {R}),
        (lambda: plex.world.rate(owner, film, -1), {R}),
        (lambda: plex.world.stop_at(owner, film, 70_000, film.duration_ms), {P}),
        (lambda: plex.world.stop_at(owner, film, 80_000, film.duration_ms), {P}),
        (lambda: owner.watchlist.update({film.guid.rpartition("/")[2]: 5}), {W}),
        (owner.watchlist.clear, {W}),
        (lambda: None, set()),
    ]

    async def marks(made: Real) -> dict[Feature, str | None]:
        return {feature: await made.watermark(feature) for feature in Feature}

    before = use(provider(plex), marks)
    for step, moved in steps:
        step()
        after = use(provider(plex), marks)
        assert {feature for feature in Feature if after[feature] != before[feature]} == moved
        before = after


def test_a_read_ends_in_the_stamp_that_is_asked_for_next(plex: Plex, shelf: Shelf) -> None:
    watch(plex, shelf, *range(1, 28))
    plex.world.rate(plex.world.owner, shelf.row(world.show(1)), 5)

    async def both(made: Real) -> list[str | None]:
        return [(await made.fetch(feature)).watermark for feature in Feature]

    async def marks(made: Real) -> list[str | None]:
        return [await made.watermark(feature) for feature in Feature]

    assert use(provider(plex), both) == use(provider(plex), marks)


def test_lists_that_two_features_need_are_read_once(plex: Plex, shelf: Shelf) -> None:
    plex.world.scrobble(plex.world.owner, shelf.row(world.episode(1, 1, 1)))
    plex.world.rate(plex.world.owner, shelf.row(world.episode(1, 1, 1)), 5)

    async def both(made: Real) -> None:
        await asyncio.gather(made.fetch(H), made.fetch(R), made.fetch(P))

    use(provider(plex), both)
    assert len([one for one in plex.pms.log if "type=2" in one.target]) == 1
    assert plex.pms.calls().count("GET /library/sections") == 1


@pytest.mark.parametrize(
    ("rated", "lists"),
    [
        (lambda n: 1_700_000_000 + n, 1),  # the list of all shows
        (lambda n: 1_700_000_000 + (0 if 9 < n < 12 else n), 1),  # a tie away from the twentieth
        (lambda n: 1_700_000_000, 2),  # which are the newest twenty only the server knows
        (lambda n: None if n == 7 else 1_700_000_000 + n, 2),
    ],
)
def test_rated_shows_have_the_stamp_of_their_filtered_list(
    plex: Plex, shelf: Shelf, rated: Callable[[int], int | None], lists: int
) -> None:
    for n in range(1, 31):
        shelf.put(world.show(n))
        if n != 30:
            plex.world.rate(plex.world.owner, shelf.row(world.show(n)), 5)
            plex.world.state(plex.world.owner, shelf.row(world.show(n))).rated_at = rated(n)
    snapshot = read(plex, R)
    assert (len(snapshot.entries), snapshot.complete) == (29, True)
    assert len([one for one in plex.pms.log if "type=2" in one.target]) == lists
    assert snapshot.watermark is not None
    assert snapshot.watermark == use(provider(plex), lambda made: made.watermark(R))


@pytest.mark.parametrize("rating", [None, 5])
def test_a_show_that_cannot_be_read_counts_if_it_is_rated(plex: Plex, shelf: Shelf, rating: float | None) -> None:
    shelf.put(world.show(2))
    plex.world.rate(plex.world.owner, shelf.row(world.show(1)), 5)
    state = plex.world.state(plex.world.owner, shelf.row(world.show(2)))
    state.rating, state.rated_at = rating, 1 << 50
    snapshot = read(plex, R)
    assert titles(snapshot) == ["Show 1"]
    assert (len(snapshot.undecoded), snapshot.complete) == (rating is not None, rating is None)


def test_ratings_of_shows_are_looked_up_anew_after_a_write(plex: Plex, shelf: Shelf) -> None:
    plex.world.scrobble(plex.world.owner, shelf.row(world.episode(1, 1, 1)))
    rated = world.change(R, world.show(1), None, Rated(80, None))

    async def step(made: Real) -> list[Any]:
        await made.fetch(H)
        assert [one.outcome for one in await made.apply(R, [rated])] == [Outcome.CONFIRMED]
        return [getattr(entry.value, "score", None) for entry in (await made.fetch(R)).entries]

    assert use(provider(plex), step) == [80]


def test_a_second_look_is_a_fresh_one(plex: Plex, shelf: Shelf) -> None:
    async def twice(made: Real) -> tuple[int, int]:
        first = len((await made.fetch(H)).entries)
        watch(plex, shelf, 1)
        return first, len((await made.fetch(H)).entries)

    assert use(provider(plex), twice) == (0, 1)


# --- who asks ---------------------------------------------------------------------------------------------


def test_a_wrong_token(plex: Plex) -> None:
    plex.revoked.add(plex.world.owner.token)
    with pytest.raises(AuthError) as caught:
        read(plex, H)
    assert "cwsync auth login home" in str(caught.value.hint)


def test_the_account_is_the_user_at_the_server(plex: Plex) -> None:
    async def name(made: Real) -> str:
        return made.account_id

    other = plex.world.add_user("Friend")
    machine = plex.world.machine_id
    assert use(provider(plex), name) == f"plex:{machine}:{plex.world.owner.id}"
    own = use(provider(plex, other), name)
    assert own.startswith(f"plex:{machine}:token-")
    assert other.server_token not in own


def test_no_media_server_at_the_address(plex: Plex) -> None:
    with pytest.raises(UnavailableError, match="no Plex Media Server"):
        read(plex, H, url=plex.metadata.url)
    plex.pms.close()
    with pytest.raises(UnavailableError):
        read(plex, H)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"url": "nonsense"}, "url"),
        ({"url": "http://example.org"}, "https"),
        ({"url": "http://8.8.8.8:32400"}, "https"),
        ({"url": None}, "url"),
        ({"plex_tv_url": "http://plex.tv"}, "https"),
        ({"discover_url": "ftp://x"}, "discover_url"),
    ],
)
def test_settings_that_can_never_work(plex: Plex, options: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        provider(plex, **options)
    assert word in str(caught.value)


@pytest.mark.parametrize("url", ["http://192.168.1.10:32400", "http://nas:32400", "http://nas.local", "https://x.org"])
def test_addresses_that_are_fine(plex: Plex, url: str) -> None:
    provider(plex, url=url)


def test_a_library_that_is_missing(plex: Plex, shelf: Shelf) -> None:
    with pytest.raises(ConfigError, match="no library 'Music'"):
        read(plex, H, libraries=["Films", "Music"])


# --- the watchlist ----------------------------------------------------------------------------------------


def wish(plex: Plex, shelf: Shelf, *numbers: int) -> None:
    for n in numbers:
        plex.world.owner.watchlist[shelf.row(world.movie(n)).guid.rpartition("/")[2]] = 1_700_000_000 + n


def test_the_watchlist_has_ids_and_is_read_in_pages_the_service_takes(plex: Plex, shelf: Shelf) -> None:
    wish(plex, shelf, *range(1, 31))
    plex.cloud.largest = 20
    snapshot = read(plex, W)
    assert len(snapshot.entries) == 30
    assert all(len(entry.item.ids) == 2 and entry.value.at is None for entry in snapshot.entries)
    plex.totals = False
    assert len(read(plex, W).entries) == 30


def test_dates_of_listing_where_they_are_told(plex: Plex, shelf: Shelf) -> None:
    wish(plex, shelf, 1)
    plex.cloud.dated = True
    (entry,) = read(plex, W).entries
    assert entry.value.at is not None


def test_a_withdrawn_title_stays_listed(plex: Plex, shelf: Shelf) -> None:
    wish(plex, shelf, 1, 2)
    name = shelf.row(world.movie(1)).guid.rpartition("/")[2]
    plex.world.catalogue[name].known = False
    snapshot = read(plex, W)
    assert snapshot.complete
    assert {entry.native_key: len(entry.item.ids) for entry in snapshot.entries}[name] == 0


def test_ids_are_looked_up_once(plex: Plex, shelf: Shelf, tmp_path: Path) -> None:
    wish(plex, shelf, *range(1, 31))
    first = read(plex, W, cache=tmp_path)
    plex.metadata.forget()
    again = read(plex, W, cache=tmp_path)
    assert (again.entries, plex.metadata.log) == (first.entries, [])
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    path.write_bytes(data.replace(b"imdb", b"tvdb", 1))
    assert read(plex, W, cache=tmp_path).entries == first.entries
    assert plex.metadata.log != []


def test_a_fan_out_that_is_slowed_down_loses_nothing(plex: Plex, shelf: Shelf) -> None:
    wish(plex, shelf, 1)
    plex.cloud.fanned_out = 1
    assert len(read(plex, W).entries[0].item.ids) == 2


@pytest.mark.parametrize("fault", [html(), status(500), status(404)], ids=range(3))
def test_a_watchlist_that_fails_is_not_empty(plex: Plex, shelf: Shelf, fault: Any) -> None:
    wish(plex, shelf, 1)
    plex.discover.fault(fault, times=None)
    with pytest.raises(UnavailableError):
        read(plex, W)


def test_the_token_of_a_server_is_none_for_the_cloud(plex: Plex) -> None:
    other = plex.world.add_user("Friend")
    with pytest.raises(AuthError, match="cloud"):
        read(plex, W, user=other)


# --- addresses that are wrong ---------------------------------------------------------------------------------


def test_a_total_that_no_library_has_ends(plex: Plex, shelf: Shelf) -> None:
    body = {"MediaContainer": {"size": 0, "totalSize": 1 << 40}}
    plex.pms.fault(status(200, body), path="/library/sections/1/all", times=None)
    with pytest.raises(UnavailableError, match="pages"):
        read(plex, H)


def test_https_at_a_port_that_speaks_http(plex: Plex) -> None:
    with pytest.raises(UnavailableError):
        read(plex, H, url=plex.pms.url.replace("http:", "https:"))


def test_a_certificate_that_nobody_signed_is_trusted_by_its_fingerprint_alone() -> None:
    with Plex(tls=tls()) as plex:
        with pytest.raises(UnavailableError):
            read(plex, H)
        assert read(plex, H, fingerprint=fingerprint()).complete
        assert read(plex, H, ca_file=str(CERTIFICATE)).complete
        with pytest.raises(UnavailableError):
            read(plex, H, fingerprint="00" * 32)
    assert [one for one in plex.pms.log if "x-plex-token" in one.headers]


def test_whose_a_token_is_is_asked_once(plex: Plex, tmp_path: Path) -> None:
    friend = plex.world.add_user("Friend")
    first = [read(plex, H, user=user, cache=tmp_path).account_id for user in (plex.world.owner, friend)]
    plex.tv.forget()
    again = [read(plex, H, user=user, cache=tmp_path).account_id for user in (plex.world.owner, friend)]
    assert (again, plex.tv.log) == (first, [])
    assert len(set(first)) == 2
    (path,) = tmp_path.iterdir()
    assert all(user.server_token not in path.read_text() for user in (plex.world.owner, friend))
    with pytest.raises(AuthError, match="ratings of the owner"):
        read(plex, R, user=friend, cache=tmp_path)
