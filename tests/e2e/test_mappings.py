"""`cwsync mappings` with the real command, at a real server on loopback."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.httpserver import (
    Do,
    Handler,
    Reply,
    Request,
    Server,
    answer,
    drop_before,
    hold,
    redirect,
    status,
    truncated,
)
from support.kills import Lab
from support.kills import Server as Parent
from support.mappings import FILE, document, release
from support.shell import TWO_TRACKERS, Done, Shell, until

TAG = '"first"'


@pytest.fixture(scope="module")
def parent() -> Iterator[Parent]:
    made = Parent()
    yield made
    made.close()


@pytest.fixture
def makers() -> Iterator[Server]:
    def data(request: Request) -> Reply:
        same = request.headers.get("if-none-match") == TAG
        return Reply(None, 304) if same else Reply(FILE.read_bytes(), headers={"ETag": TAG})

    with Server() as server:
        server.route("GET", "/v3/mappings.min.json", data)
        yield server


class Office:
    """A folder with the command in it, and the makers of the data set."""

    def __init__(self, folder: Path, parent: Parent, makers: Server) -> None:
        self.lab = Lab(folder, TWO_TRACKERS, parent)
        self.url = f"{makers.url}/v3/mappings.min.json"
        self.file = self.lab.shell.state / "cache" / "mappings" / "anibridge.map"

    def __call__(self, line: str) -> Done:
        done = self.lab.run(line).finish()
        assert done.clean(), done.err
        return done

    def update(self, more: str = "") -> Done:
        return self(f"mappings update --url {self.url} {more}")

    def status(self) -> Any:
        done = self("mappings status --json")
        assert done.json["exit_code"] == done.code
        return done.json


@pytest.fixture
def at(tmp_path: Path, parent: Parent, makers: Server) -> Office:
    return Office(tmp_path, parent, makers)


def test_from_nothing_to_a_mapping_and_to_the_same_again(at: Office, makers: Server) -> None:
    none = at("mappings status")
    assert (none.code, none.err) == (0, "")
    assert none.out.splitlines() == [
        "there is no mapping; only pairs with anime want one",
        "hint: get it: cwsync mappings update",
    ]
    assert not at.lab.shell.state.exists()
    assert at.status()["state"] == "none"

    first = at.update()
    assert first.code == 0
    lines = first.out.splitlines()
    assert lines[0] == "a mapping is here now"
    assert lines[1].startswith("24 titles, 59 links, made 2026-11-20 02:00; last asked for a newer one ")
    assert lines[2] == f"version 3.1.0 from {at.url}"

    again = at.update()
    assert (again.code, again.out.splitlines()[0]) == (0, "nothing newer: the mapping that is here is the newest")
    assert makers.calls() == ["GET /v3/mappings.min.json"] * 2
    assert makers.log[1].headers["if-none-match"] == TAG
    assert makers.log[0].headers["user-agent"].startswith("cwsync/")

    told = at("mappings status -v").out.splitlines()
    assert "  not used: 1 anisearch" in told
    assert told[-1] == f"kept in {at.file}, {at.file.stat().st_size:,} bytes"


def test_as_json(at: Office) -> None:
    first, again, told = at.update("--json").json, at.update("--json").json, at.status()
    assert (first["command"], first["updated"], first["before"]) == ("mappings update", True, None)
    assert (again["updated"], again["before"]["fetched_at"]) == (False, first["mapping"]["fetched_at"])
    assert (told["state"], told["hint"], told["problem"], told["path"]) == ("good", None, None, str(at.file))
    mapping = told["mapping"]
    assert (mapping["titles"], mapping["links"], mapping["version"], mapping["url"]) == (24, 59, "3.1.0", at.url)
    assert mapping["generated_on"] == "2026-11-20T02:00:00Z"
    assert mapping["download_bytes"] == FILE.stat().st_size
    assert mapping["skipped"] == {
        "anisearch": 1, "imdb_movie": 1, "links without an anime entry": 1, "simkl": 1, "specials of AniDB": 1,
        "tmdb_movie": 1,
    }  # fmt: skip


def reply(body: bytes) -> Do:
    return answer(Reply(body))


def half(request: Request, _handler: Handler) -> Reply | None:
    """Half of the data set, under the length of all of it."""
    return truncated()(request, lambda _: Reply(FILE.read_bytes()))


SMALL = {name: of for name, of in document().items() if name in ("$meta", "anilist:1", "anilist:5")}
WORSE: list[tuple[str, Do, int, str]] = [
    ("truncated", half, 75, "cut the connection"),
    ("cut off", reply(FILE.read_bytes()[:-300]), 75, "the data set cannot be used: "),
    ("garbage", reply(b"\0\1\2"), 75, "the data set cannot be used: "),
    ("a page", reply(b"<!DOCTYPE html>"), 75, "the data set cannot be used: it is a page for people"),
    ("wrong shape", reply(release({"anilist:1": {"mal:1": 7}})), 75, "anilist:1 → mal:1: it is no object"),
    ("a tenth", reply(json.dumps(SMALL).encode()), 75, "it has 2 titles, and the one that is here has 24"),
    ("the future", reply(release({}, "4.0.0")), 2, "it is of version 4.0.0, and this cwsync reads version 3"),
    ("gone", status(404), 75, "answered 404"),
    ("busy", status(503), 75, "answered 503"),
    ("nobody", drop_before(), 75, "cut the connection"),
    ("elsewhere", redirect("https://example.org/x?sig=canary"), 75, "leads to https://example.org, "),
]  # fmt: skip


@pytest.mark.parametrize(("do", "code", "told"), [one[1:] for one in WORSE], ids=[one[0] for one in WORSE])
def test_what_cannot_be_used_leaves_what_is_there(at: Office, makers: Server, do: Do, code: int, told: str) -> None:
    at.update()
    before = at.file.read_bytes()
    makers.fault(do)
    done = at.update()
    assert (done.code, done.out) == (code, "")
    assert told in done.err
    assert "\nhint: " in done.err
    assert "canary" not in done.err
    assert at.file.read_bytes() == before
    assert at.status()["state"] == "good"

    makers.fault(do)
    failure = at.update("--json").failure
    assert failure["code"] == ("data" if code == 2 else "unavailable")
    assert told in failure["message"]


def test_a_server_that_is_down(at: Office, makers: Server) -> None:
    at.update()
    before = at.file.read_bytes()
    makers.close()
    done = at.update()
    assert done.code == 75
    assert "cannot connect to http://127.0.0.1" in done.err.lower()
    assert at.file.read_bytes() == before


def test_a_release_is_handed_out_by_another_host(at: Office, makers: Server) -> None:
    with Server() as front:
        front.fault(redirect(f"{at.url}?signature=theirs"), times=None)
        done = at(f"mappings update --url {front.url}/releases/latest -vv --json")
        assert done.code == 0
        assert done.json["mapping"]["url"] == f"{front.url}/releases/latest"
        assert "theirs" not in done.out + done.err
        own = {"host", "user-agent", "accept", "accept-encoding", "connection"}
        assert [set(request.headers) <= own for request in (*front.log, *makers.log)] == [True, True]


@pytest.mark.parametrize("url", ["http://example.org/x.json", "x.json", "https://me:canary@example.org/x"])
def test_an_address_that_may_not_be_asked(at: Office, url: str) -> None:
    done = at(f"mappings update --url {url}")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: --url: ")
    assert "canary" not in done.err
    assert not at.lab.shell.state.exists()


def test_a_damaged_one(at: Office) -> None:
    at.update()
    at.file.write_bytes(at.file.read_bytes()[:-1])
    told = at("mappings status")
    assert told.code == 7
    assert told.out.splitlines()[:2] == [
        "the mapping cannot be used: its checksum does not match",
        "hint: get it again: cwsync mappings update",
    ]
    assert at.status()["state"] == "damaged"
    assert at.update().code == 0
    assert at.status()["state"] == "good"


def test_one_of_a_newer_version(at: Office) -> None:
    at.update()
    at.file.write_bytes(at.file.read_bytes().replace(b"cwsync-mappings 1", b"cwsync-mappings 9", 1))
    before = at.file.read_bytes()
    told = at.status()
    assert (told["state"], told["exit_code"]) == ("newer", 7)
    assert "upgrade cwsync" in told["hint"]
    done = at.update()
    assert (done.code, at.file.read_bytes() == before) == (7, True)
    assert "upgrade cwsync" in done.err


def test_killed_at_every_step_of_writing(at: Office, makers: Server) -> None:
    at.update()
    old = at.file.read_bytes()
    newer = document()
    newer["$meta"]["generated_on"] = "2026-11-21T02:00:00Z"
    makers.fault(reply(json.dumps(newer).encode()), times=None)
    steps = len(at.lab.run(f"mappings update --url {at.url}").effects)
    new = at.file.read_bytes()
    assert steps >= 4
    stands = []
    for step in range(1, steps + 1):
        at.file.write_bytes(old)
        for leftover in at.file.parent.glob(".*.tmp"):
            leftover.unlink()
        killed = at.lab.run(f"mappings update --url {at.url}", {step: signal.SIGKILL}).finish()
        assert killed.code == -signal.SIGKILL
        found = at.file.read_bytes()
        assert found in (old, new) or found.splitlines()[2:] == new.splitlines()[2:]
        stands.append(found == old)
        assert at.status()["state"] == "good"
    assert stands[0]
    assert not stands[-1]
    at.file.with_name(f".{at.file.name}.tmp").write_bytes(new[:100])
    assert at.update().code == 0
    assert at.lab.litter() == []


def test_stopped_while_it_waits_for_an_answer(at: Office, makers: Server) -> None:
    at.update()
    before = at.file.read_bytes()
    event, entered = threading.Event(), threading.Event()
    makers.fault(hold(event, entered=entered), times=None)
    running = at.lab.start(f"mappings update --url {at.url}")
    until(entered.is_set, "the request")
    busy = at.update()
    assert (busy.code, "another run is writing here" in busy.err) == (75, True)
    running.send(signal.SIGINT)
    assert running.finish().code == 130
    event.set()
    makers.clear_faults()
    assert at.file.read_bytes() == before
    assert at.update().code == 0


def test_it_needs_no_file_of_pairs_and_pairs_need_no_mapping(tmp_path: Path, makers: Server) -> None:
    shell = Shell(tmp_path, TWO_TRACKERS)
    assert shell("plan both").code == 0
    shell.file.unlink()
    done = shell(f"mappings update --url {makers.url}/v3/mappings.min.json")
    assert (done.code, done.err) == (0, "")
    assert shell("mappings status").code == 0


def test_a_wrong_command_line(at: Office) -> None:
    done = at("mappings upgrade")
    assert (done.code, done.err.startswith("error: no such command 'upgrade'")) == (2, True)
