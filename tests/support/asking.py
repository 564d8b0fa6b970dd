"""One request of the client to a small server, for tests of the client itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cwsync.http import Answer, Http
from support.httpserver import (
    Reply,
    Server,
)
from support.network import Time

TOKEN = "canary-of-http-4f1d9a"  # noqa: S105 - of nothing


@contextmanager
def listing() -> Iterator[Server]:
    """A server with a list to read, one to add to, and an echo."""
    with Server() as made:
        count = iter(range(1000))
        made.route("GET", "/list", lambda _: Reply([1, 2, 3]))
        made.route("POST", "/add", lambda _: Reply({"added": next(count)}, 201))
        made.route("GET", "/echo/{word}", lambda request: Reply({"word": request.args["word"], **request.query}))
        yield made


def run(do: Callable[[Http], Awaitable[Any]], server: Server | str, time: Time | None = None, **more: Any) -> Any:
    """Do something with a client, and close it."""
    url = server if isinstance(server, str) else server.url
    passing = {"clock": time.clock, "sleep": time.sleep} if time else {}

    async def inside() -> Any:
        settings = {"origins": [url], "headers": {"Authorization": f"Bearer {TOKEN}"}, **passing, **more}
        async with Http("trakt", **settings) as http:
            return await do(http)

    return asyncio.run(inside())


def get(server: Server | str, time: Time | None = None, url: str = "/list", **more: Any) -> Answer:
    got: Answer = run(lambda http: http.get(url), server, time, **more)
    return got


def post(server: Server | str, time: Time | None = None, *, write: dict[str, Any] | None = None, **more: Any) -> Answer:
    got: Answer = run(
        lambda http: http.write("POST", "/add", json={"name": "Amélie"}, **(write or {})), server, time, **more
    )
    return got
