"""The simulated services for the benchmark, in a process of their own: their work is not cwsync's.

    PYTHONPATH=tests python bench/servers.py FILMS SHOWS EPISODES

Reads a command a line on stdin and answers with a line of JSON: ``accounts``, ``count`` (requests since
the last time), ``latency SECONDS``, ``change N`` (half of them on either side). Ends with its input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from simulators.both import Both
from simulators.library import Library
from simulators.trakt import CLIENT_SECRET


def answers(library: Library) -> Iterator[object]:
    """What is said to each line."""
    both = library.both
    for line in sys.stdin:
        word, *more = line.split()
        if word == "accounts":
            yield {"accounts": both.accounts(), "secret": CLIENT_SECRET}
        elif word == "count":
            trakt = len(both.trakt.log)
            yield {"plex": len(both.calls()) - trakt, "trakt": trakt}
        elif word == "latency":
            for server in both.servers:
                server.latency_s = float(more[0])
            yield None
        elif word == "change":
            library.change(int(more[0]))
            yield None
        else:
            raise ValueError(f"unknown command: {line!r}")


def main() -> None:
    """Serve until the input ends."""
    films, shows, episodes = map(int, sys.argv[1:])
    with Both() as both, both.person():
        for answer in answers(Library(both, films, shows, episodes)):
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
