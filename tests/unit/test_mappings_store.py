"""The file a mapping is kept in, and how it is replaced: whole or not at all, and never by something worse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cwsync import files
from cwsync.errors import CwsyncError, DataError, StateError, UnavailableError, UsageError
from cwsync.mappings import Mappings, look, mapping_path, open_graph, update
from cwsync.mappings.fetch import check_address
from cwsync.mappings.indexfile import FileGraph, NewerError, encode, sealed
from cwsync.mappings.links import both_ways
from cwsync.mappings.parse import parse_release
from support.httpserver import Do, Reply, Request, Server, drop_before, redirect, status, truncated
from support.mappings import FILE, document, graph_of, release, show

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BYTES = encode({"name": "small"}, graph_of().nodes)


# --- the file -------------------------------------------------------------------------------------


def test_every_node_is_found_and_no_other() -> None:
    nodes = graph_of().nodes
    graph = FileGraph(BYTES)
    assert graph.about == {"name": "small"}
    assert all(set(graph.edges(node)) == set(edges) for node, edges in nodes.items())
    for node in (
        "",
        "a",
        "anilist",
        "anilist:",
        "anilist:2",
        "anilist:99999999",
        "zzz",
        "tvdb_show:7\u0661",
        "mal:1\t",
    ):
        assert set(graph.edges(node)) == set(nodes.get(node, []))


@pytest.mark.parametrize("count", range(8))
def test_few_lines_are_no_special_case(count: int) -> None:
    nodes = both_ways(parse_release(release({f"anilist:{n}": {f"mal:{n}": {}} for n in range(1, count + 1)})).links)
    graph = FileGraph(encode({}, nodes))
    assert all(list(graph.edges(node)) == edges for node, edges in nodes.items())
    assert not graph.edges("anilist:0")
    assert not graph.edges("mal:9")


def test_the_same_data_gives_the_same_bytes_whatever_its_order() -> None:
    sources = {name: of for name, of in document().items() if name[0] != "$"}
    turned = {name: dict(reversed(of.items())) for name, of in reversed(sources.items())}
    nodes = both_ways(parse_release(release(turned)).links)
    assert list(nodes) != list(graph_of().nodes)
    assert encode({"name": "small"}, nodes) == BYTES


def test_every_byte_counts() -> None:
    for at in range(0, len(BYTES), 7):
        changed = bytearray(BYTES)
        changed[at] ^= 1
        with pytest.raises(ValueError, match=r"."):
            FileGraph(bytes(changed))
    for length in range(0, len(BYTES), 61):
        with pytest.raises(ValueError, match=r"."):
            FileGraph(BYTES[:length])
    with pytest.raises(ValueError, match="checksum"):
        FileGraph(BYTES + b"\n")


def test_a_newer_file_is_told_apart() -> None:
    with pytest.raises(NewerError, match="newer cwsync"):
        FileGraph(b"cwsync-mappings 2" + BYTES[len(b"cwsync-mappings 1") :])


@pytest.mark.parametrize("about", [b"[]\n", b"null\n", b""])
def test_a_file_says_something_about_itself(about: bytes) -> None:
    with pytest.raises(ValueError, match="nothing about itself"):
        FileGraph(sealed(about))


# --- updates --------------------------------------------------------------------------------------


class Makers:
    """Where the data set is published: ``/data.json``, which knows its versions by a tag."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.body = FILE.read_bytes()
        self.tagged = True
        self.url = f"{server.url}/data.json"
        server.route("GET", "/data.json", self.answer)

    def answer(self, request: Request) -> Reply:
        tag = f'"{hash(self.body)}"'
        if self.tagged and request.headers.get("if-none-match") == tag:
            return Reply(None, 304)
        return Reply(self.body, headers={"ETag": tag} if self.tagged else {})

    def update(self, state: Path, *, later: timedelta = timedelta(0), url: str | None = None) -> Any:
        return update(state, NOW + later, user_agent="cwsync/test", url=url or self.url)


@pytest.fixture
def makers() -> Iterator[Makers]:
    with Server() as server:
        yield Makers(server)


def test_the_first_one_is_kept_and_read(makers: Makers, tmp_path: Path) -> None:
    done = makers.update(tmp_path)
    assert (done.new, done.before, done.about.sources, done.about.version) == (True, None, 24, "3.1.0")
    assert done.path == mapping_path(tmp_path)
    assert (done.path.stat().st_mode & 0o777, done.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    graph = open_graph(tmp_path)
    assert graph is not None
    assert list(Mappings(graph).complete([show("anilist:1")]))
    kept = look(tmp_path)
    assert (kept.about, kept.problem, kept.size) == (done.about, None, done.path.stat().st_size)
    (request,) = makers.server.log
    assert set(request.headers) <= {"host", "user-agent", "accept", "accept-encoding", "connection"}
    assert request.headers["user-agent"] == "cwsync/test"


def test_there_is_none(tmp_path: Path) -> None:
    assert open_graph(tmp_path) is None
    assert look(tmp_path).about is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tagged", [True, False])
def test_nothing_newer_changes_nothing_but_when_we_asked(makers: Makers, tmp_path: Path, tagged: bool) -> None:
    makers.tagged = tagged
    first = makers.update(tmp_path)
    before = first.path.read_bytes()
    done = makers.update(tmp_path, later=timedelta(days=1))
    assert (done.new, done.about.fetched_at, done.about.checked_at) == (False, NOW, NOW + timedelta(days=1))
    assert ("if-none-match" in makers.server.log[1].headers) == tagged
    assert first.path.read_bytes().splitlines()[2:] == before.splitlines()[2:]
    assert open_graph(tmp_path) is not None
    assert look(tmp_path).about == done.about


def test_a_newer_one_takes_its_place(makers: Makers, tmp_path: Path) -> None:
    makers.update(tmp_path)
    newer = {name: of for name, of in document().items() if name != "anilist:1"}
    newer["$meta"]["generated_on"] = "2026-11-21T02:00:00Z"
    makers.body = json.dumps(newer).encode()
    done = makers.update(tmp_path)
    assert (done.new, done.about.sources, done.before.sources) == (True, 23, 24)
    graph = open_graph(tmp_path)
    assert graph is not None
    assert not graph.edges("anilist:1")


def test_the_tag_of_one_address_is_not_told_to_another(makers: Makers, tmp_path: Path) -> None:
    makers.update(tmp_path)
    makers.server.route("GET", "/other.json", makers.answer)
    makers.update(tmp_path, url=f"{makers.server.url}/other.json")
    assert "if-none-match" not in makers.server.log[1].headers


FEW = {name: of for name, of in document().items() if name in ("$meta", "anilist:1", "anilist:5")}
WORSE: list[tuple[bytes, type[CwsyncError], str]] = [
    (b"", UnavailableError, "it is empty"),
    (FILE.read_bytes()[:-200], UnavailableError, "the data set cannot be used"),
    (b"<html>busy</html>", UnavailableError, "a page for people"),
    (b'{"error": "not found"}', UnavailableError, "schema_version is missing"),
    (release({"anilist:1": {"mal:1": {"1": "x"}}}), UnavailableError, "anilist:1 → mal:1 → '1'"),
    (release({}), UnavailableError, "it has 0 titles, and the one that is here has 24"),
    (json.dumps(FEW).encode(), UnavailableError, "it has 2 titles, and the one that is here has 24"),
    (release({f"new{n}:1": {} for n in range(30)}), UnavailableError, "it has 30 titles"),
    (release({"anilist:1": {}}, "4.0"), DataError, "of version 4.0, and this cwsync reads version 3"),
]


@pytest.mark.parametrize(("body", "kind", "told"), WORSE)
def test_what_makes_no_sense_leaves_the_old_one(
    makers: Makers, tmp_path: Path, body: bytes, kind: type[CwsyncError], told: str
) -> None:
    path = makers.update(tmp_path).path
    before = path.read_bytes()
    makers.body = body
    with pytest.raises(kind, match=told) as caught:
        makers.update(tmp_path)
    assert caught.value.hint
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_an_empty_one_is_not_taken_first_either(makers: Makers, tmp_path: Path) -> None:
    makers.body = release({})
    with pytest.raises(UnavailableError, match="it has 0 titles"):
        makers.update(tmp_path)
    assert look(tmp_path).about is None


@pytest.mark.parametrize(
    ("do", "told"),
    [
        (status(404), "answered 404"),
        (status(500), "answered 500"),
        (status(304), "answered 304"),  # nobody asked whether it had changed
        (drop_before(), "cut the connection"),
        (truncated(), "cut the connection"),
        (redirect("http://192.0.2.7/data.json"), "leads to http://192.0.2.7, which is not followed"),
        (redirect("https://example.org/data.json?sig=canary"), "leads to https://example.org, which is not followed"),
        (redirect("http://user:canary@127.0.0.1/data.json"), "leads to http://127.0.0.1, which is not followed"),
        (redirect("file:///etc/passwd"), "an address that is none"),
        (redirect("http://[/"), "an address that is none"),
        (redirect(""), "which is not followed"),
        (redirect("/data.json"), "sent on more than 5 times"),
    ],
)
def test_what_goes_wrong_on_the_way(makers: Makers, tmp_path: Path, do: Do, told: str) -> None:
    makers.server.fault(do, times=None)
    with pytest.raises(UnavailableError) as caught:
        makers.update(tmp_path)
    assert told in str(caught.value)
    assert "canary" not in f"{caught.value} {caught.value.hint}"
    assert look(tmp_path).about is None


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_followed_with_nothing_of_ours(makers: Makers, tmp_path: Path, code: int) -> None:
    with Server() as front:
        front.fault(redirect(f"{makers.url}?signature=theirs", code), times=None)
        for _ in range(2):
            done = makers.update(tmp_path, url=f"{front.url}/latest.json")
    assert (done.new, done.about.url) == (False, f"{front.url}/latest.json")
    assert [request.target for request in makers.server.log] == ["/data.json?signature=theirs"] * 2
    for request in (*front.log, *makers.server.log):
        assert not {"authorization", "cookie", "referer"} & set(request.headers)
    # The tag goes to the host that gave it, and to no other.
    assert ["if-none-match" in request.headers for request in (*front.log, *makers.server.log)] == [False] * 3 + [True]
    assert b"signature" not in mapping_path(tmp_path).read_bytes()


@pytest.mark.parametrize(
    "url", ["data.json", "ftp://example.org/x", "http://example.org/x", "http://192.168.1.1/x", "https://a:b@c/x", "https://c/#x"]
)  # fmt: skip
def test_an_address_that_may_not_be_asked(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not https|is no address") as caught:
        update(tmp_path, NOW, user_agent="x", url=url)
    assert "a:b" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["https://example.org/x", "http://127.0.0.1:1/x", "http://[::1]/x", "http://localhost/x"]
)
def test_an_address_that_may(url: str) -> None:
    assert check_address(url) == url


# --- a file that is damaged -----------------------------------------------------------------------


def test_a_damaged_one_is_told_and_replaced(makers: Makers, tmp_path: Path) -> None:
    path = makers.update(tmp_path).path
    whole = path.read_bytes()
    for damaged in (whole[:-1], b"", b"rubbish", sealed(b"{}\n"), sealed(b'{"tag": 1}\n')):
        path.write_bytes(damaged)
        with pytest.raises(StateError, match="damaged") as caught:
            open_graph(tmp_path)
        assert caught.value.hint == "get it again: cwsync mappings update"
        assert look(tmp_path).problem
        assert makers.update(tmp_path).new
        assert path.read_bytes() == whole


def test_one_of_a_newer_version_is_left_alone(makers: Makers, tmp_path: Path) -> None:
    path = makers.update(tmp_path).path
    newer = path.read_bytes().replace(b"cwsync-mappings 1", b"cwsync-mappings 2", 1)
    path.write_bytes(newer)
    for call in (lambda: open_graph(tmp_path), lambda: makers.update(tmp_path)):
        with pytest.raises(StateError, match="newer cwsync") as caught:
            call()
        assert "upgrade cwsync" in (caught.value.hint or "")
    assert look(tmp_path).newer
    assert path.read_bytes() == newer


def test_a_symlink_is_not_followed(makers: Makers, tmp_path: Path) -> None:
    path = mapping_path(tmp_path)
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "elsewhere")
    for call in (lambda: open_graph(tmp_path), lambda: look(tmp_path), lambda: makers.update(tmp_path)):
        with pytest.raises(StateError, match="symlink"):
            call()
    assert not (tmp_path / "elsewhere").exists()


def test_two_updates_at_once_are_one(makers: Makers, tmp_path: Path) -> None:
    path = makers.update(tmp_path).path
    makers.server.forget()
    with files.writing_in(path.parent), pytest.raises(UnavailableError, match="another run is writing here"):
        makers.update(tmp_path)
    assert makers.server.log == []


class CutError(Exception):
    pass


def test_a_cut_at_any_step_leaves_the_old_one_or_the_new_one(makers: Makers, tmp_path: Path) -> None:
    path = makers.update(tmp_path).path
    old = path.read_bytes()
    newer = document()
    newer["$meta"]["generated_on"] = "2026-11-21T02:00:00Z"
    makers.body = json.dumps(newer).encode()
    cuts = 0
    while True:
        path.write_bytes(old)
        left = cuts

        def hook(_name: str, _path: Path) -> None:
            nonlocal left
            if left == 0:
                raise CutError
            left -= 1

        before = files.set_effect_hook(hook)
        try:
            makers.update(tmp_path)
        except CutError:
            cuts += 1
        else:
            break
        finally:
            files.set_effect_hook(before)
        found = look(tmp_path)
        assert found.about is not None
        assert found.about.generated_on is not None
        assert (path.read_bytes() == old) == (found.about.generated_on.day == 20)
    assert cuts >= 4
    assert makers.update(tmp_path).about.generated_on == datetime(2026, 11, 21, 2, tzinfo=UTC)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_old_ones_are_told_by_when_we_last_asked(makers: Makers, tmp_path: Path) -> None:
    about = makers.update(tmp_path).about
    assert not about.is_stale(NOW + timedelta(days=14))
    assert about.is_stale(NOW + timedelta(days=14, seconds=1))
