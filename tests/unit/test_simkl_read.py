"""Reading SIMKL over real HTTP: whole once, then changes alone; what removes nothing; what is kept between runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cwsync.errors import UnavailableError
from cwsync.model import Entry, Feature, Item, Kind, Play, Rated, Snapshot, format_when
from cwsync.providers.simkl import Simkl as Provider
from simulators.simkl import Simkl
from simulators.simkl_account import use
from simulators.simkl_titles import Title
from support import world
from support.httpserver import Handler, Reply, Request, answer, drop_after, html, status
from support.network import Clock

HISTORY, RATINGS, WATCHLIST = Feature.HISTORY, Feature.RATINGS, Feature.WATCHLIST
AT = "2024-05-01T10:00:00Z"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(clock: Clock) -> Iterator[Simkl]:
    with Simkl(now=clock) as made:
        for n in range(1, 31):
            made.titles.add(world.movie(n))
        for n in (1, 2):
            for number in range(1, 11):
                made.titles.add(world.episode(n, 1, number))
        yield made


class Desk:
    """Somebody who reads now and then; each time some minutes later, with a provider of its own."""

    def __init__(self, service: Simkl, clock: Clock, folder: Path) -> None:
        self.service, self.clock, self.folder = service, clock, folder

    def film(self, n: int) -> Title:
        return self.service.titles.add(world.movie(n))

    def show(self, n: int) -> Title:
        return self.service.titles.add(world.show(n))

    def read(self, *features: Feature, later: float = 60, **more: Any) -> dict[Feature, Snapshot]:
        self.clock.at += later
        self.service.forget()

        async def step(provider: Provider) -> dict[Feature, Snapshot]:
            return {feature: await provider.fetch(feature) for feature in features or (HISTORY, RATINGS, WATCHLIST)}

        return use(self.service, step, **{"folder": self.folder} | more)

    def one(self, feature: Feature, **more: Any) -> Snapshot:
        return self.read(feature, **more)[feature]

    @property
    def asked(self) -> list[str]:
        return [call.removeprefix("GET /sync/") for call in self.service.calls()]

    @property
    def kept(self) -> Path:
        return self.folder / "mine-simkl.json"


@pytest.fixture
def desk(service: Simkl, clock: Clock, tmp_path: Path) -> Desk:
    return Desk(service, clock, tmp_path / "cache")


def names(snapshot: Snapshot) -> set[str]:
    return {entry.item.label() for entry in snapshot.entries}


WHOLE = ["activities", "all-items/shows", "all-items/movies", "all-items/anime", "activities"]


# --- what is asked -------------------------------------------------------------------------------


def test_the_library_is_read_whole_once_for_all_features(desk: Desk, service: Simkl) -> None:
    service.user.watch(desk.film(1), AT)
    service.user.rate(desk.film(1), 8, AT)
    service.user.hold(desk.film(2), "plantowatch")
    found = desk.read()
    assert desk.asked == WHOLE
    assert [len(found[feature].entries) for feature in (HISTORY, RATINGS, WATCHLIST)] == [1, 1, 1]
    assert all(snapshot.complete for snapshot in found.values())
    desk.read()
    assert desk.asked == ["activities"], "nothing changed, so nothing is read"
    for request in service.log:
        assert {"client_id", "app-name", "app-version"} <= set(request.query)
        assert not request.body


def test_only_what_changed_is_asked_for(desk: Desk, service: Simkl) -> None:
    service.user.watch(desk.film(1), AT)
    desk.read()
    since = service.user.activities()["all"]
    service.user.watch(desk.film(2), AT)
    service.user.watch_episode(desk.show(1), (1, 3), AT)
    found = desk.read()
    assert desk.asked == ["activities", "all-items/shows", "all-items/movies", "activities"]
    assert {request.query["date_from"] for request in service.log if "all-items" in request.path} == {since}
    assert len(found[HISTORY].entries) == 3
    service.user.unwatch_episode(desk.show(1), (1, 3))
    assert len(desk.one(HISTORY).entries) == 2
    assert desk.asked == ["activities", "all-items/shows", "activities"]


def test_ratings_have_changes_of_their_own(desk: Desk, service: Simkl) -> None:
    for n in (1, 2, 3):
        service.user.watch(desk.film(n), AT)
        service.user.rate(desk.film(n), n, AT)
    desk.read()
    desk.clock.at += 60
    service.user.rate(desk.film(1), 9, AT)
    service.user.unrate(desk.film(2))
    found = desk.read()
    assert desk.asked == ["activities", "ratings", "activities"]
    scores = {entry.item.title: entry.value.score for entry in found[RATINGS].entries if isinstance(entry.value, Rated)}
    assert scores == {"Film 1": 90, "Film 3": 30}
    assert len(found[HISTORY].entries) == 3


def test_what_was_rated_and_watched_in_one_second_is_both(desk: Desk, service: Simkl) -> None:
    desk.read()
    service.user.watch(desk.film(1), AT)
    desk.read()
    desk.clock.at += 60
    service.user.watch(desk.film(2), AT)
    service.user.rate(desk.film(1), 9, AT)
    found = desk.read()
    assert (len(found[HISTORY].entries), len(found[RATINGS].entries)) == (2, 1)


def test_removals_are_found_by_comparing_ids(desk: Desk, service: Simkl) -> None:
    for n in range(1, 6):
        service.user.watch(desk.film(n), AT)
    desk.read()
    desk.clock.at += 60
    service.user.remove(desk.film(2))
    found = desk.read()
    assert desk.asked == ["activities", "all-items", "activities"]
    assert len(found[HISTORY].entries) == 4
    assert found[HISTORY].complete


def test_a_change_within_the_second_of_the_reading_is_not_lost(desk: Desk, service: Simkl) -> None:
    """Stamps are to the second, and changes are asked for after one: the second of the stamp is looked at again."""
    service.user.watch(desk.film(1), AT)
    desk.read(later=0)
    service.user.watch(desk.film(2), AT)
    service.user.rate(desk.film(1), 9, AT)
    found = desk.read(later=0)
    assert (len(found[HISTORY].entries), len(found[RATINGS].entries)) == (2, 1)
    service.user.remove(desk.film(2))
    assert len(desk.one(HISTORY, later=0).entries) == 1
    desk.read()
    desk.read()
    assert desk.asked == ["activities"]


def test_what_changes_while_it_is_read_is_read_again_then_in_doubt(desk: Desk, service: Simkl) -> None:
    service.user.watch(desk.film(1), AT)
    left = [2, 3]

    def meddle(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        desk.clock.at += 1
        if left:
            service.user.watch(desk.film(left.pop(0)), AT)
        return reply

    service.fault(meddle, path="all-items/movies", times=1)
    found = desk.one(HISTORY)
    assert (found.complete, len(found.entries)) == (True, 2)
    left[:] = [4, 5]
    service.user.watch(desk.film(9), AT)
    service.fault(meddle, path="all-items/movies", times=2)
    found = desk.one(HISTORY)
    assert (found.complete, found.doubt) == (False, "it changed while it was read")
    assert len(desk.one(HISTORY).entries) == 5


# --- what is kept --------------------------------------------------------------------------------


def test_a_dry_run_reads_what_is_kept_and_keeps_nothing(desk: Desk, service: Simkl) -> None:
    service.user.watch(desk.film(1), AT)
    desk.read(dry=True)
    assert not desk.folder.exists()
    desk.read()
    before = {path: path.read_bytes() for path in desk.folder.iterdir()}
    service.user.watch(desk.film(2), AT)
    assert len(desk.one(HISTORY, dry=True).entries) == 2
    assert desk.asked == ["activities", "all-items/movies", "activities"]
    assert {path: path.read_bytes() for path in desk.folder.iterdir()} == before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.replace(b"tt0100001", b"tt0100009"),
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data.replace(b'"schema": 2', b'"schema": 3'),
    ],
)
def test_what_is_kept_is_believed_only_when_it_is_whole(desk: Desk, service: Simkl, spoil: Any) -> None:
    service.user.watch(desk.film(1), AT)
    first = desk.one(HISTORY)
    desk.kept.write_bytes(spoil(desk.kept.read_bytes()))
    assert desk.one(HISTORY).entries == first.entries
    assert desk.asked == WHOLE


def test_what_is_kept_of_another_account_is_not_used(desk: Desk, service: Simkl) -> None:
    service.user.watch(desk.film(1), AT)
    desk.read()
    service.user.number = 5
    service.user.library.clear()
    service.user.stamps["movies"] |= dict.fromkeys(service.user.stamps["movies"])
    assert not desk.one(HISTORY).entries
    assert desk.asked == WHOLE


def test_a_reading_that_fails_half_way_leaves_what_was_known(desk: Desk, service: Simkl) -> None:
    service.user.watch(desk.film(1), AT)
    desk.read()
    before = desk.kept.read_bytes()
    service.user.watch(desk.film(2), AT)
    service.user.watch_episode(desk.show(1), (1, 1), AT)
    service.fault(html(200), path="all-items/movies")
    with pytest.raises(UnavailableError, match="page for people"):
        desk.read()
    assert desk.kept.read_bytes() == before
    assert len(desk.one(HISTORY).entries) == 3


# --- what is no removal --------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [{}, [], None, "part"])
def test_an_empty_library_is_empty_in_every_form(desk: Desk, service: Simkl, empty: object) -> None:
    service.empty = empty
    found = desk.read()
    assert all((snapshot.entries, snapshot.complete) == ((), True) for snapshot in found.values())
    service.user.watch(desk.film(1), AT)
    assert len(desk.one(HISTORY).entries) == 1
    desk.clock.at += 60
    service.user.remove(desk.film(1))
    found = desk.read()
    assert all((snapshot.entries, snapshot.complete) == ((), True) for snapshot in found.values())


@pytest.mark.parametrize(
    "fault",
    [
        answer(Reply({"error": "premium_only"})),
        answer(Reply({"error": "server_error", "code": 500})),
        answer(Reply(b"", 200)),
        answer(Reply(b'{"movies": [', 200)),
        answer(Reply({"shows": [{"show": {"ids": {"simkl": 1}}}]})),
        answer(Reply("Bad Gateway", 502)),
        status(404, {"error": "url_failed"}),
        html(200),
        drop_after(),
    ],
)
def test_a_read_that_fails_is_no_empty_list(desk: Desk, service: Simkl, fault: Any) -> None:
    service.user.watch(desk.film(1), AT)
    service.fault(fault, path="all-items/movies", times=None)
    with pytest.raises(UnavailableError):
        desk.read()
    assert not desk.kept.exists()


def test_an_empty_part_of_which_the_stamps_tell_otherwise_is_a_failure(desk: Desk, service: Simkl) -> None:
    service.user.watch(desk.film(1), AT)
    service.fault(answer(Reply({})), path="all-items/movies")
    with pytest.raises(UnavailableError, match="SIMKL tells of changes to movies"):
        desk.read()
    assert len(desk.one(HISTORY).entries) == 1


def test_a_part_that_came_empty_and_has_no_ids_either_is_in_doubt(desk: Desk, service: Simkl) -> None:
    service.user.watch(desk.film(1), AT)
    service.fault(answer(Reply({})), path="all-items/movies", times=2)
    for _ in range(2):
        found = desk.read()
        assert not any(snapshot.complete for snapshot in found.values())
        assert "all-items/movies" not in desk.asked[2:] or desk.asked.count("all-items/movies") == 2
    desk.clock.at += 86400
    assert desk.one(HISTORY).complete


def test_ids_that_are_told_in_two_ways_remove_nothing(desk: Desk, service: Simkl, clock: Clock) -> None:
    for n in range(1, 26):
        service.user.watch(desk.film(n), AT)
    desk.read()
    clock.at += 60
    service.user.remove(desk.film(1))
    service.fault(answer(Reply({})), path="all-items$")
    found = desk.one(HISTORY)
    assert (found.complete, len(found.entries)) == (False, 25)
    found = desk.one(HISTORY)
    assert (found.complete, len(found.entries)) == (True, 24)


def test_titles_that_no_change_told_of_are_read_whole_once_a_day(desk: Desk, service: Simkl, clock: Clock) -> None:
    for n in (1, 2):
        service.user.watch(desk.film(n), AT)
    desk.read()
    clock.at += 60
    service.user.hold(desk.film(3), "completed").changed_at = "0"
    service.user.remove(desk.film(1))
    found = desk.one(HISTORY)
    assert not found.complete
    assert "1 titles of which it told nothing" in (found.doubt or "")
    found = desk.one(HISTORY)
    assert not found.complete, "it is looked at again each time"
    assert "all-items/movies" not in desk.asked
    clock.at += timedelta(days=1).total_seconds()
    found = desk.one(HISTORY)
    assert (found.complete, names(found)) == (True, {world.movie(2).label(), world.movie(3).label()})
    assert [call for call in desk.asked if call in WHOLE[1:4]] == WHOLE[1:4]


def test_a_row_that_cannot_be_read_protects_its_title(desk: Desk, service: Simkl) -> None:
    for n in (1, 2):
        service.user.watch(desk.film(n), AT)
    desk.read()
    desk.clock.at += 60

    def garble(request: Request, handler: Handler) -> Reply:
        body = json.loads(json.dumps(handler(request).body))
        for row in body["movies"]:
            row["last_watched_at"] = "yesterday"
        return Reply(body)

    service.user.changed(service.user.library[desk.film(1).simkl])
    service.fault(garble, path="all-items/movies")
    for _ in range(2):
        found = desk.one(HISTORY)
        assert names(found) == {world.movie(2).label()}
        (bad,) = found.undecoded
        assert bad.item is not None
        assert set(bad.item.ids) & set(world.movie(1).ids)
        assert found.complete
    desk.clock.at += 86400
    assert len(desk.one(HISTORY).entries) == 2, "it is read anew, a day later"


# --- shows and anime -----------------------------------------------------------------------------


def test_a_show_that_was_marked_as_a_whole_has_episodes_without_dates(desk: Desk, service: Simkl) -> None:
    service.user.watch_episode(desk.show(2), (1, 1), AT)
    held = service.user.hold(desk.show(1), "completed")
    held.bulk, held.watched_at = True, AT
    found = desk.one(HISTORY)
    assert desk.asked == [*WHOLE[:2], "all-items/shows", *WHOLE[2:]]
    assert len(found.entries) == 11
    assert found.complete
    dates = {entry.item.show_title: entry.value.at for entry in found.entries}
    assert dates["Show 1"] is None
    assert dates["Show 2"] is not None


def test_episodes_that_nobody_names_make_a_history_incomplete(desk: Desk, service: Simkl) -> None:
    held = service.user.hold(desk.show(1), "hold")
    held.bulk, held.watched_at = True, AT
    found = desk.read()
    assert not found[HISTORY].complete
    assert "does not tell every episode" in (found[HISTORY].doubt or "")
    assert found[WATCHLIST].complete


def anime(service: Simkl) -> tuple[Title, Title]:
    ids = {"mal": "90001", "anidb": "90002", "anilist": "90003", "kitsu": "90004", "tvdb": "800009", "tmdb": "77"}
    first = service.titles.anime(ids, "Anime", at=99003, count=3)
    more = {"mal": "90011", "anidb": "90012", "anilist": "90013", "kitsu": "90014"}
    return first, service.titles.anime(ids | more, "Anime II", at=99004, count=3, season=2)


def test_anime_stands_where_tvdb_has_it(desk: Desk, service: Simkl) -> None:
    first, second = anime(service)
    for title in (first, second):
        service.user.watch_episode(title, (1, 2), AT)
        service.user.rate(title, 8, AT)
    found = desk.read()
    places = {place for entry in found[HISTORY].entries for place in entry.item.coordinates()}
    own = {f"{service}_show:{n}#s1e2" for service, n in {**first.ids, "simkl": "99003"}.items() if service != "tmdb"}
    assert places == {"tvdb_show:800009#s2e2", *own}, "of the sequel the other numbers are others"
    rated = {entry.item.title: {one.service for one in entry.item.ids} for entry in found[RATINGS].entries}
    assert {"tvdb", "tmdb", "mal"} <= rated["Anime"]
    assert rated["Anime II"] == {"simkl", "mal", "anidb", "anilist", "kitsu"}, "TVDB's number is that of the first"


def test_anime_that_tvdb_does_not_have_keeps_its_own_numbers(desk: Desk, service: Simkl) -> None:
    first, _ = anime(service)
    for episode in first.episodes.values():
        episode.tvdb = None
    service.user.watch_episode(first, (1, 3), AT)
    (entry,) = desk.one(HISTORY).entries
    assert {one.partition(":")[0] for one in entry.item.coordinates()} == {
        "simkl_show", "mal_show", "anidb_show", "anilist_show", "kitsu_show",
    }  # fmt: skip
    assert (entry.item.season, entry.item.number) == (1, 3)


def test_a_film_that_becomes_anime_is_still_that_film(desk: Desk, service: Simkl) -> None:
    service.user.watch(desk.film(1), AT)
    before = desk.one(HISTORY)
    desk.clock.at += 60
    service.user.reclassify(desk.film(1), "anime", "movie")
    found = desk.one(HISTORY)
    assert found.complete
    assert [entry.item for entry in found.entries] == [entry.item for entry in before.entries]
    assert found.entries[0].item.kind is Kind.MOVIE
    title = desk.film(1)
    service.user.touch(title, "removed_from_list")
    title.part, title.anime_type = "movies", None
    desk.clock.at += 60
    service.user.touch(title, "removed_from_list")
    found = desk.one(HISTORY)
    assert (found.complete, len(found.entries)) == (True, 1), "also when no change tells of it"


def test_a_library_that_is_too_large_comes_list_by_list(desk: Desk, service: Simkl) -> None:
    for n in range(1, 4):
        service.user.watch(desk.film(n), AT)
        service.user.hold(desk.film(10 + n), "plantowatch")
    service.max_items = 4
    found = desk.read()
    assert (len(found[HISTORY].entries), len(found[WATCHLIST].entries)) == (3, 3)
    assert [call for call in desk.asked if call.startswith("all-items/movies")] == [
        "all-items/movies", "all-items/movies/plantowatch", "all-items/movies/completed", "all-items/movies/dropped",
    ]  # fmt: skip
    service.max_items = 2
    desk.kept.unlink()
    with pytest.raises(UnavailableError, match="too large") as caught:
        desk.read()
    assert "smaller" in (caught.value.hint or "")


# --- watermarks ----------------------------------------------------------------------------------


def marks(desk: Desk) -> dict[Feature, str | None]:
    desk.clock.at += 60

    async def step(provider: Provider) -> dict[Feature, str | None]:
        return {feature: await provider.watermark(feature) for feature in (HISTORY, RATINGS, WATCHLIST)}

    return use(desk.service, step, folder=desk.folder)


def test_a_watermark_moves_with_its_own_feature_alone(desk: Desk, service: Simkl) -> None:
    service.user.watch(desk.film(1), AT)
    before = marks(desk)
    service.forget()
    assert marks(desk) == before
    assert desk.asked == ["activities"]
    service.user.rate(desk.film(1), 8, AT)
    after = marks(desk)
    assert {feature for feature in before if before[feature] != after[feature]} == {RATINGS}
    service.user.hold(desk.film(2), "plantowatch")
    again = marks(desk)
    assert {feature for feature in before if again[feature] != after[feature]} == {WATCHLIST}
    desk.clock.at += 60
    service.user.remove(desk.film(1))
    last = marks(desk)
    assert {feature for feature in before if last[feature] != again[feature]} == {HISTORY, RATINGS}


def test_a_new_episode_that_airs_moves_stamps_and_no_watermark(desk: Desk, service: Simkl) -> None:
    service.user.watch_episode(desk.show(1), (1, 1), AT)
    before = marks(desk)
    desk.clock.at += 60
    service.user.touch(desk.show(1), "watching")
    service.user.settings_at = service.user.at()
    assert marks(desk) == before


def test_a_second_look_is_a_second_look(desk: Desk, service: Simkl) -> None:
    async def step(provider: Provider) -> list[int]:
        counts = []
        for _ in range(2):
            await provider.watermark(HISTORY)
            counts.append(len((await provider.fetch(HISTORY)).entries))
            desk.clock.at += 60
            service.user.watch(desk.film(len(counts)), AT)
        await provider.watermark(HISTORY)
        counts.append(len((await provider.fetch(HISTORY)).entries))
        return counts

    assert use(service, step, folder=desk.folder) == [0, 1, 2]


def test_the_snapshot_says_when_and_whose_it_is(desk: Desk, service: Simkl, clock: Clock) -> None:
    service.put(HISTORY, [Entry(Item(Kind.MOVIE, world.movie(1).ids), Play(world.at(1)))])
    found = desk.one(HISTORY)
    assert (found.account_id, found.requests) == ("simkl:4711", 5)
    assert found.server_now == clock.now()


# --- changes add up ------------------------------------------------------------------------------


def expected(service: Simkl) -> dict[Feature, set[tuple[str, str | None]]]:
    """What the library holds, by the names that records have here, each with its rating or its date."""
    found: dict[Feature, set[tuple[str, str | None]]] = {HISTORY: set(), RATINGS: set(), WATCHLIST: set()}
    for number, held in service.user.library.items():
        if held.title.is_film and held.status == "completed":
            found[HISTORY].add((str(number), held.watched_at))
        if not held.title.is_film:
            found[HISTORY] |= {(f"{number}:{one[0]}x{one[1]}", at) for one, at in held.episodes.items()}
        if held.rating is not None:
            found[RATINGS].add((str(number), str(held.rating)))
        if held.status == "plantowatch":
            found[WATCHLIST].add((str(number), held.added_at))
    return found


def meddle(service: Simkl, dice: Random) -> None:
    """Somebody does something at SIMKL."""
    user, film, show = (
        service.user,
        service.titles.add(world.movie(dice.randint(1, 8))),
        service.titles.add(world.show(1)),
    )
    place, at = (1, dice.randint(1, 5)), user.at()
    what = dice.randint(0, 8)
    if what < 2:
        user.hold(film, dice.choice(["plantowatch", "completed", "dropped"]))
    elif what == 2:
        user.remove(dice.choice([film, show]))
    elif what == 3 and film.simkl in user.library:
        user.rate(film, dice.randint(1, 10), at)
    elif what == 4:
        user.unrate(film)
    elif what == 5 and film.simkl in user.library:
        part, kind = ("anime", "movie") if film.part == "movies" else ("movies", None)
        user.reclassify(film, part, kind)
    elif what == 6:
        user.watch_episode(show, place, at)
    elif what == 7:
        user.unwatch_episode(show, place)
    else:
        user.watch(film, at)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_changes_add_up_to_what_is_there(desk: Desk, service: Simkl, seed: int) -> None:
    """Whatever is done, also within one second of a reading: changes alone lead to what a whole reading would."""
    dice = Random(seed)  # noqa: S311 - no secret is made of it

    async def step(provider: Provider) -> None:
        for _ in range(40):
            for _ in range(dice.randint(0, 3)):
                meddle(service, dice)
                desk.clock.at += dice.choice([0, 0, 1, 30])
            found = {feature: await provider.fetch(feature) for feature in (HISTORY, RATINGS, WATCHLIST)}
            desk.clock.at += dice.choice([0, 0, 1, 600])
            for feature, wanted in expected(service).items():
                assert found[feature].complete
                assert {told(entry) for entry in found[feature].entries} == wanted

    use(service, step, folder=desk.folder)
    whole = [one for one in service.log if "/all-items/" in one.path and "date_from" not in one.query]
    assert len(whole) <= 6, "it was read whole once, and before anything was there"


def told(entry: Entry) -> tuple[str, str | None]:
    value = entry.value
    shown = str(value.score // 10) if isinstance(value, Rated) else format_when(value.at)
    return entry.native_key or "", shown
