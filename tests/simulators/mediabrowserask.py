"""Asks a simulated Jellyfin or Emby without a wire: what is asked is the service, not HTTP."""

from __future__ import annotations

import json
from typing import Any

from simulators.mediabrowser import MediaBrowser
from simulators.mediabrowserworld import MOVIE, Title
from support.httpserver import Request

CLIENT = 'Client="tests", Device="Desk", DeviceId="desk", Version="1"'
DATE = "2024-01-02T03:04:05.0000000Z"


class Client:
    """Requests with the key of a server, or with a token."""

    def __init__(self, server: MediaBrowser, token: str | None = None) -> None:
        self.server = server
        self.header = f'MediaBrowser Token="{token or server.key}", {CLIENT}'

    def reply(self, method: str, target: str, body: object = None, **headers: str) -> Any:
        given = {"authorization": self.header, "content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.server.handle(Request(method, target, given, data))

    def __call__(self, method: str, target: str, body: object = None, **headers: str) -> tuple[int, Any]:
        reply = self.reply(method, target, body, **headers)
        text = reply.body if isinstance(reply.body, bytes) else (reply.body or "").encode()
        return reply.status, json.loads(text) if "json" in reply.headers.get("Content-Type", "") else text.decode()

    def mine(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """A request below the path of the owner."""
        return self(method, f"/Users/{self.server.world.owner.id}/{path}", body)

    def names(self, query: str) -> list[str]:
        """The names of the rows of a listing of everything."""
        status, body = self("GET", f"/Items?userId={self.server.world.owner.id}&Recursive=true&{query}")
        assert status == 200, body
        return [row["Name"] for row in body["Items"]]


def filled(server: MediaBrowser) -> dict[str, Title]:
    """Three films and a series, with what goes wrong in libraries."""
    world = server.world
    films, shows = world.add_library("Films"), world.add_library("Shows", "tvshows")
    rows = {
        "heat": world.add(films, MOVIE, "Heat", {"Imdb": "tt0113277", "Tmdb": "949"}, year=1995, aired="1995-12-15"),
        "copy": world.add(films, MOVIE, "Heat", {"Imdb": "tt0113277", "Tmdb": "949"}, year=1995, versions=2),
        "bare": world.add(films, MOVIE, "Home video"),
        "lost": world.series(shows, "Lost", {"Tvdb": "73739", "IMDB": "tt0411008"}, year=2004),
    }
    for number in (1, 2, 3):
        rows[f"e{number}"] = world.episode(rows["lost"], 1, number, {"Tvdb": str(1000 + number)})
    rows["e4"] = world.episode(rows["lost"], 1, 4, {"Tvdb": "1004"}, index_end=5)
    rows["special"] = world.episode(rows["lost"], 0, 1, {"Tvdb": "1100"})
    rows["virtual"] = world.episode(rows["lost"], 1, 6, {"Tvdb": "1006"}, virtual=True)
    rows["unknown"] = world.episode(rows["lost"], 1, None)
    return rows
