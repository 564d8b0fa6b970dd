"""Values in words."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from cwsync.model import ExternalId, Item, Kind, Listed, Op, Play, Position, Rated, Value
from cwsync.render import words
from support.reports import THEN, change, episode, movie


@pytest.mark.parametrize(
    ("value", "short", "dated"),
    [
        (None, "—", "—"),
        (Rated(80), "8", "8"),
        (Rated(75, THEN), "7.5", "7.5, 2024-05-01 20:15"),
        (Rated(100), "10", "10"),
        (Rated(1), "0.1", "0.1"),
        (Play(THEN), "watched 2024-05-01 20:15", "watched 2024-05-01 20:15"),
        (Play(date(2024, 5, 1)), "watched 2024-05-01", "watched 2024-05-01"),
        (Play(None), "watched, date unknown", "watched, date unknown"),
        (Listed(), "listed", "listed"),
        (Listed(THEN), "listed", "listed 2024-05-01 20:15"),
        (Position(2_470_000, 6_720_000), "41:10 of 1:52:00", "41:10 of 1:52:00"),
        (Position(9_000), "0:09", "0:09"),
    ],
)
def test_values(value: Value | None, short: str, dated: str) -> None:
    assert words.value(value) == short
    assert words.value(value, dated=True) == dated


@pytest.mark.parametrize(
    ("op", "before", "after", "told"),
    [
        (Op.ADD, None, Rated(80), "8"),
        (Op.UPDATE, Rated(70), Rated(80), "7 → 8"),
        (Op.REMOVE, Rated(80), None, "was 8"),
        (Op.UPDATE, Rated(80), Rated(80, THEN), "8 → 8, 2024-05-01 20:15"),
        (Op.REMOVE, Play(None), None, "was watched, date unknown"),
    ],
)
def test_transitions(op: Op, before: Value | None, after: Value | None, told: str) -> None:
    assert words.transition(change(op, None, before, after)) == told


def test_ids() -> None:
    assert words.id_words(movie()) == "imdb tt0113277, tmdb 949"
    assert words.id_words(episode()) == "show imdb tt0903747, tvdb 81189"
    assert words.id_words(Item(Kind.MOVIE, title="Heat")) == "no ids"
    assert words.id_words(Item(Kind.MOVIE, (ExternalId("plex_movie:a\x1b[2J"),))) == "plex a␛[2J"


@pytest.mark.parametrize(
    ("length", "told"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=2), "2 days"),
    ],
)
def test_spans(length: timedelta, told: str) -> None:
    assert words.span(length) == told


def test_counts() -> None:
    assert words.count(1, "hold") == "1 hold"
    assert words.count(2648, "change") == "2,648 changes"


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (Item(Kind.EPISODE, (), "Breaking Bad: Ozymandias"), "Breaking Bad: Ozymandias"),
        (Item(Kind.EPISODE, (), "Ozymandias", show_title="Breaking Bad"), "Breaking Bad Ozymandias"),
        (Item(Kind.EPISODE, (), "Ozymandias", season=5, show_title="Breaking Bad"), "Breaking Bad S05E?? Ozymandias"),
        (Item(Kind.EPISODE, (), "Ozymandias", number=14), "S??E14 Ozymandias"),
        (Item(Kind.EPISODE, (ExternalId("imdb_episode:tt2301451"),)), "imdb_episode:tt2301451"),
        (Item(Kind.EPISODE), "S??E??"),
    ],
)
def test_an_episode_of_which_little_is_known(item: Item, told: str) -> None:
    assert words.label(item) == told
