"""A long history at Trakt: the same by its titles as play by play, and every episode by its own ids."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cwsync.model import Entry, Feature, Item, Kind, Snapshot, format_when
from cwsync.providers import _traktplays
from simulators.trakt import Trakt
from simulators.trakt_account import use
from simulators.trakt_titles import Title
from simulators.trakt_user import UNKNOWN
from support import world
from support.httpserver import Handler, Reply, Request


@pytest.fixture
def service() -> Iterator[Trakt]:
    with Trakt() as made:
        made.largest = 20
        yield made


def read(service: Trakt, cache: Path | None, *, keeps: bool = True) -> Snapshot:
    service.forget()
    return use(service, lambda provider: provider.fetch(Feature.HISTORY), cache=cache, keeps=keeps)


def asked(service: Trakt, path: str) -> int:
    return sum(request.path.startswith(path) for request in service.log)


def named(title: Title) -> str:
    if title.show is None:
        return f"film {title.trakt}"
    return f"{title.show.trakt} {title.season} {title.number}"


def truth(service: Trakt) -> Counter[tuple[str, str | None]]:
    plays = [(named(one.title), one.watched_at) for one in service.user.history.values()]
    return Counter((name, None if at == UNKNOWN else at[:16]) for name, at in plays)


def told(service: Trakt, snapshot: Snapshot) -> Counter[tuple[str, str | None]]:
    found: Counter[tuple[str, str | None]] = Counter()
    for entry in snapshot.entries:
        assert entry.item.ids, "no play goes by its numbers alone"
        title = service.titles.of(entry.item)
        assert title is not None
        at = format_when(entry.value.at)
        found[named(title), None if at is None else at[:16]] += 1
    return found


def fill(service: Trakt, seed: int = 1, *, again: float = 0.0) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same every time is what is wanted
    items: list[Item] = [world.movie(n) for n in range(1, 61)]
    items += [world.episode(n, season, number) for n in range(1, 7) for season in (0, 1) for number in range(1, 8)]
    entries = []
    for item in items:
        for _ in range(1 + (chance.random() < again)):
            at = None if chance.random() < 0.1 else world.at(chance.randrange(900), minutes=chance.randrange(1440))
            entries.append(Entry(item, world.played(at)))
    chance.shuffle(entries)
    service.put(Feature.HISTORY, entries)


@pytest.mark.parametrize("seed", range(6))
def test_a_long_history_by_titles_is_the_same_history(service, tmp_path, seed):
    fill(service, seed, again=seed * 0.04)
    first, second = read(service, tmp_path), read(service, tmp_path)
    assert asked(service, "/sync/watched") > 0
    if seed == 0:
        assert asked(service, "/sync/history") == 1, "every title was seen once, specials too"
    for snapshot in (first, second):
        assert snapshot.complete
        assert told(service, snapshot) == truth(service)
    assert Counter(first.entries) == Counter(second.entries), "to the last label and number"


def test_an_episode_that_is_numbered_otherwise_elsewhere_is_never_named_by_numbers_alone(service, tmp_path):
    fill(service)
    assert told(service, read(service, None)) == truth(service), "nothing is known yet"
    assert told(service, read(service, tmp_path, keeps=False)) == truth(service)
    assert not list(tmp_path.iterdir()), "a dry run keeps nothing"
    assert told(service, read(service, tmp_path)) == truth(service)
    assert told(service, read(service, tmp_path, keeps=False)) == truth(service), "and knows what others kept"
    assert asked(service, "/sync/watched") > 0


def test_a_play_of_long_ago_costs_a_look_at_its_show_and_a_new_one_nothing(service, tmp_path):
    fill(service)
    read(service, tmp_path)
    service.user.play(service.titles.add(world.episode(3, 1, 9)), "2035-01-01T10:00:00.000Z")
    assert told(service, read(service, tmp_path)) == truth(service)
    assert asked(service, "/sync/history/shows") == 0
    service.user.play(service.titles.add(world.episode(4, 1, 9)), "1999-01-01T10:00:00.000Z")
    for looks in (1, 0):
        assert told(service, read(service, tmp_path)) == truth(service)
        assert asked(service, "/sync/history/shows") == looks
        assert asked(service, "/sync/history?") <= 1


def test_a_play_that_was_taken_away_is_not_remembered(service, tmp_path):
    fill(service)
    read(service, tmp_path)
    gone = next(number for number, one in service.user.history.items() if one.title.kind is Kind.EPISODE)
    del service.user.history[gone]
    service.user.touch("episodes.watched")
    assert told(service, read(service, tmp_path)) == truth(service)


def test_episodes_that_got_other_numbers_are_not_taken_for_each_other(service, tmp_path):
    """Somebody finds out that a show has one more episode: those behind it move on by one."""
    at = world.at(3)
    plays = [Entry(world.episode(1, 1, number), world.played(at)) for number in range(1, 8)]
    plays += [Entry(world.movie(n), world.played(world.at(n))) for n in range(1, 91)]
    service.put(Feature.HISTORY, plays)
    read(service, tmp_path)
    for number, play in list(service.user.history.items()):
        title = play.title
        if title.kind is Kind.EPISODE and title.number is not None and title.number > 3:
            service.user.history[number] = replace(play, title=replace(title, number=title.number + 1))
    service.user.touch("episodes.watched")
    snapshot = read(service, tmp_path)
    numbers = {one.item.ids: one.item.number for one in snapshot.entries if one.item.kind is Kind.EPISODE}
    for number in range(1, 8):
        (now,) = [found for ids, found in numbers.items() if set(ids) & set(world.episode(1, 1, number).ids)]
        assert now == number + (number > 3)


@pytest.mark.parametrize("how", ["old", "of another account", "of tomorrow", "torn", "of another version"])
def test_what_is_kept_is_not_believed_blindly(service, tmp_path, how, monkeypatch):
    fill(service)
    read(service, tmp_path)
    (path,) = tmp_path.iterdir()
    _head, text, _ = path.read_bytes().split(b"\n")
    kept = json.loads(text)
    if how == "old":
        kept["whole_at"] -= 7 * 86400
    elif how == "of tomorrow":
        kept["whole_at"] += 86400
    elif how == "of another account":
        kept["account"] = "trakt:other"
    data = _traktplays._encode(kept)
    if how == "torn":
        data = data[:-20]
    elif how == "of another version":
        data = data.replace(b'"schema": 1', b'"schema": 2')
    path.write_bytes(data)
    assert told(service, read(service, tmp_path)) == truth(service)
    assert asked(service, "/sync/watched") == 0
    assert time.time() - json.loads(path.read_bytes().split(b"\n")[1])["whole_at"] < 60, "it is kept anew"


@pytest.mark.parametrize("odd", ["hidden", "other shape", "reset", "counts"])
def test_a_history_that_the_titles_do_not_explain_is_read_play_by_play(service, tmp_path, odd):
    fill(service)
    read(service, tmp_path)

    def bend(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        rows = list(reply.body)
        if odd == "hidden":
            rows = rows[1:]
        elif odd == "other shape":
            rows[0] = {name: value for name, value in rows[0].items() if name != "seasons"}
        elif odd == "counts":
            rows = [row | {"seasons": row["seasons"][:1]} for row in rows]
        else:
            rows = [row | {"reset_at": "2024-01-01T00:00:00.000Z"} for row in rows]
        return replace(reply, body=rows)

    service.fault(bend, path="^/sync/watched/shows", times=None)
    snapshot = read(service, tmp_path)
    assert snapshot.complete
    assert asked(service, "/sync/history") > 1
    assert told(service, snapshot) == truth(service)


def test_the_larger_world_takes_few_requests_once_its_episodes_are_known(tmp_path):
    """2,000 films and 100 shows of 50 episodes, half of them watched: 3,500 plays."""
    watched: list[Item] = [world.movie(n) for n in range(1, 1001)]
    watched += [world.episode(n, 1, number) for n in range(1, 101) for number in range(1, 26)]

    async def both(provider):
        await provider.fetch(Feature.HISTORY)
        await provider.fetch(Feature.RATINGS)
        return provider.requests

    with Trakt() as service:
        plays = [Entry(item, world.played(world.at(n / 10))) for n, item in enumerate(watched)]
        service.put(Feature.HISTORY, plays)
        service.put(Feature.RATINGS, [Entry(world.movie(n), world.value(Feature.RATINGS, n)) for n in range(1, 901)])
        # The account, 3 times the stamps, 14 pages of plays, 4 of ratings.
        assert use(service, both, cache=tmp_path) == len(service.log) == 22
        service.forget()
        # The account, 3 times the stamps, a page of plays, 4 of films, 1 of shows, 4 of ratings.
        assert use(service, both, cache=tmp_path) == len(service.log) == 14
