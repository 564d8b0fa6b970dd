"""What a run throws away is given back while it runs."""

from __future__ import annotations

import subprocess
import sys

from support.httpserver import Reply, Server

REQUESTS = 1000
PROBE = f"""
import asyncio, contextlib, gc, io, sys
from cwsync.__main__ import main
from cwsync.http import Http

async def ask():
    async with Http("somebody", origins=[sys.argv[1]]) as http:
        for _ in range({REQUESTS}):
            await http.get("/list")
    return sum(type(one).__name__ == "RetryCallState" for one in gc.get_objects())

with contextlib.redirect_stdout(io.StringIO()):
    main(["capabilities", "tracker"])
print(asyncio.run(ask()))
"""


def test_what_each_request_left_in_cycles_stayed_to_the_end_of_the_run():
    """Three KiB a request: as much as all records of a library, where ten thousand of them are written one by one."""
    with Server() as server:
        server.route("GET", "/list", lambda _: Reply([]))
        done = subprocess.run(
            [sys.executable, "-c", PROBE, server.url], capture_output=True, text=True, check=True, timeout=120
        )
    assert int(done.stdout) < REQUESTS / 2
