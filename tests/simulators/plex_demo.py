"""A simulated Plex with a small library, for trying cwsync without accounts: ``python -m simulators.plex_demo``.

Whoever logs in is let in at once. It runs until it is stopped.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence

from simulators.plex import Plex
from simulators.plexworld import EPISODE, MOVIE, SEASON, SHOW

FILMS: Sequence[tuple[str, int, str, str]] = (
    ("Metropolis", 1927, "imdb://tt0017136", "tmdb://19"),
    ("The General", 1926, "imdb://tt0017925", "tmdb://961"),
    ("Nosferatu", 1922, "imdb://tt0013442", "tmdb://653"),
    ("City Lights", 1931, "imdb://tt0021749", "tmdb://901"),
    ("Sherlock Jr.", 1924, "imdb://tt0015324", "tmdb://992"),
)


def filled(plex: Plex) -> Plex:
    """Five films and a show, some of them watched, rated and begun."""
    world, user = plex.world, plex.world.owner
    films, shows = world.add_section("Films", MOVIE), world.add_section("Shows", SHOW)
    rows = [world.add(films, MOVIE, title, year=year, guids=ids) for title, year, *ids in FILMS]  # type: ignore[arg-type]
    show = world.add(shows, SHOW, "Pioneers of Film", year=2000, guids=("tvdb://900001",))
    season = world.add(shows, SEASON, "Season 1", parent=show, index=1)
    for number in range(1, 7):
        ids = (f"tvdb://{910000 + number}",)
        world.add(shows, EPISODE, f"Part {number}", parent=season, index=number, guids=ids)
    for row in (*rows[:3], *season.children[:2]):
        world.scrobble(user, row)
    world.rate(user, rows[0], 9.0)
    world.rate(user, rows[1], 7.5)
    world.stop_at(user, rows[3], 1_800_000, rows[3].duration_ms)
    user.watchlist[rows[4].guid.rpartition("/")[2]] = world.now()
    return plex


def account(plex: Plex, name: str = "plex") -> str:
    """The table of an account at this server."""
    lines = [f"[accounts.{name}]", 'provider = "plex"']
    return "\n".join([*lines, *(f'{key} = "{value}"' for key, value in plex.options().items())])


def main() -> None:
    """Run until stopped."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with filled(Plex()) as plex:
        plex.accounts.open_door = True
        print(account(plex), flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
