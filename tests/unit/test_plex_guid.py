"""The grammar of Plex's ids, one line a case."""

from __future__ import annotations

import pytest

from cwsync.model import Kind
from cwsync.providers._plexguid import NOTHING, Named, named

HEX = "5d776825880197001ec967c8"
M, S, N, E = Kind.MOVIE, Kind.SHOW, Kind.SEASON, Kind.EPISODE
LEGACY = "com.plexapp.agents"


def say(found: Named) -> str:
    """``own | show @season.number``"""
    text = f"{' '.join(found.ids)} | {' '.join(found.show_ids)}".strip()
    return text if found.season is None and found.number is None else f"{text} @{found.season}.{found.number}"


@pytest.mark.parametrize(
    ("kind", "guid", "expected"),
    [
        (M, f"{LEGACY}.imdb://tt0113277?lang=en", "imdb_movie:tt0113277 |"),
        (M, f"{LEGACY}.themoviedb://949?lang=de", "tmdb_movie:949 |"),
        (S, f"{LEGACY}.themoviedb://1396?lang=en", "tmdb_show:1396 |"),
        (E, f"{LEGACY}.themoviedb://1396/1/2?lang=en", "| tmdb_show:1396 @1.2"),
        (S, f"{LEGACY}.thetvdb://81189?lang=en", "tvdb_show:81189 |"),
        (N, f"{LEGACY}.thetvdb://81189/0?lang=en", "| tvdb_show:81189 @0.None"),
        (E, f"{LEGACY}.thetvdb://81189/0/3?lang=en", "| tvdb_show:81189 @0.3"),
        (S, f"{LEGACY}.hama://anidb-4563?lang=en", "anidb_show:4563 |"),
        (S, f"{LEGACY}.hama://tvdb4-81189?lang=en", "tvdb_show:81189 |"),
        (S, f"{LEGACY}.hama://tsdb-1396?lang=en", "tmdb_show:1396 |"),
        (E, f"{LEGACY}.hama://tvdb-81189/1/2?lang=en", "| tvdb_show:81189 @1.2"),
        (E, f"{LEGACY}.hama://tvdb4-81189/1/2?lang=en", "|"),
        (M, f"{LEGACY}.hama://imdb-tt0113277", "imdb_movie:tt0113277 |"),
        (M, f"{LEGACY}.xbmcnfo://tt0113277?lang=xn", "imdb_movie:tt0113277 |"),
        (M, f"{LEGACY}.xbmcnfo://949", "tmdb_movie:949 |"),
        (S, f"{LEGACY}.xbmcnfotv://81189", "tvdb_show:81189 |"),
        (M, "tv.plex.agents.nfo.movie://movie/tmdb_383498", "tmdb_movie:383498 |"),
        (M, "tv.plex.agents.nfo.movie://movie/383498", "|"),
        (E, "tv.plex.agents.nfo.series://show/tvdb_81189", "|"),
        (M, f"plex://movie/{HEX}", "|"),
        (M, "local://17", "|"),
        (M, f"{LEGACY}.none://1b2c?lang=xn", "|"),
        (E, "tv.plex.agents.custom.things://episode/81189", "|"),
        (M, "iva://api.example/1", "|"),
        (M, f"{LEGACY}.imdb://0113277", "|"),
        (M, f"{LEGACY}.themoviedb://", "|"),
        (M, f"{LEGACY}.hama://anidb-", "|"),
        (M, "", "|"),
        (M, "COM.PLEXAPP.AGENTS.IMDB://TT0113277?lang=en", "imdb_movie:tt0113277 |"),
    ],
)
def test_a_primary_guid(kind: Kind, guid: str, expected: str) -> None:
    assert say(named(kind, guid)) == expected


@pytest.mark.parametrize(
    ("kind", "guids", "expected"),
    [
        (M, ["imdb://tt0113277", "tmdb://949", "tvdb://1"], "imdb_movie:tt0113277 tmdb_movie:949 tvdb_movie:1 |"),
        (E, ["tvdb://349232"], "tvdb_episode:349232 |"),
        (M, ["tmdb://949", "tmdb://950"], "tmdb_movie:949 |"),
        (M, ["mbid://x", "tmdb://0949"], "tmdb_movie:949 |"),
        (M, ["tmdb://none", "IMDB://TT0113277"], "imdb_movie:tt0113277 |"),
    ],
)
def test_rows_of_the_new_agents(kind: Kind, guids: list[str], expected: str) -> None:
    assert say(named(kind, f"plex://{kind}/{HEX}", guids)) == expected


def test_guid_rows_come_before_the_primary_guid() -> None:
    assert say(named(M, f"{LEGACY}.imdb://tt0000001", ["tmdb://5"])) == "tmdb_movie:5 |"
    assert named(M, f"plex://movie/{HEX}", ["mbid://x"]) == NOTHING
