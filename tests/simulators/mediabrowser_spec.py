"""The contracts that Jellyfin and Emby publish, where they are at hand: they are not part of the project."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from simulators.mediabrowser import MediaBrowser
from support.httpserver import Reply, Request

SPECS = Path(__file__).parents[3] / "shared" / "specs"
FILES = {
    "10.9": "jellyfin/openapi-10.10.7.json",
    "10.10": "jellyfin/openapi-10.10.7.json",
    "10.11": "jellyfin/openapi-10.11.11.json",
    "12.0": "jellyfin/openapi-12.0.0-rc.json",
    "4.8": "emby/openapi-4.8.11.0.json",
    "4.9": "emby/openapi-4.9.0.41-beta.json",
}
# Paths of Jellyfin that name the user are answered as those that are in the document.
OBSOLETE = (
    (re.compile(r"/users/[0-9a-f]{32}/views"), "/userviews"),
    (re.compile(r"/users/[0-9a-f]{32}/items/(resume|[^/]+/(?:userdata|rating))"), r"/useritems/\1"),
    (re.compile(r"/users/[0-9a-f]{32}/(items(?:/[^/]+)?)"), r"/\1"),
    (re.compile(r"/users/[0-9a-f]{32}/(playeditems|favoriteitems)(/[^/]+)"), r"/user\1\2"),
)
# Answered by an Emby, and in no document: what clients ask of it.
HIDDEN = re.compile(r"/users(/public)?")
_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
_FORMATS = {
    "uuid": re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}"),
    "date-time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z"),
}


class Document:
    """One published document."""

    def __init__(self, content: Any) -> None:
        self.schemas = content["components"]["schemas"]
        self._paths = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)), re.IGNORECASE), "{" in path, methods)
            for path, methods in content["paths"].items()
        ]

    def described(self, method: str, path: str) -> Any:
        """What it says of a request, None when it does not know it. A path without names comes first."""
        found = [(named, methods) for pattern, named, methods in self._paths if pattern.fullmatch(path)]
        for _, methods in sorted(found, key=lambda one: one[0]):
            if method.lower() in methods:
                return methods[method.lower()]
        return None

    def mismatch(self, schema: Any, value: Any, where: str = "$") -> str | None:
        """The first place at which a value is not as a schema says: None when it is."""
        nullable = schema.get("nullable", False)
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"].rpartition("/")[2]]
        if value is None:
            return None if nullable or schema.get("nullable") else f"{where} is null"
        for part in schema.get("allOf", ()):
            if wrong := self.mismatch(part, value, where):
                return wrong
        if choices := schema.get("oneOf") or schema.get("anyOf"):
            wrongs = [self.mismatch(one, value, where) for one in choices]
            return None if None in wrongs else wrongs[0]
        return self._plain(schema, value, where)

    def _plain(self, schema: Any, value: Any, where: str) -> str | None:
        kind = schema.get("type")
        wanted = _TYPES.get(kind)
        if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and kind != "boolean")):
            return f"{where} is {value!r}, not {kind}"
        if "enum" in schema and value not in schema["enum"]:
            return f"{where} is {value!r}, not one of {schema['enum']}"
        form = _FORMATS.get(schema.get("format", ""))
        if form and not form.fullmatch(value):
            return f"{where} is {value!r}, not {schema['format']}"
        if isinstance(value, dict):
            return self._members(schema, value, where)
        if isinstance(value, list):
            found = (self.mismatch(schema.get("items", {}), one, f"{where}[{n}]") for n, one in enumerate(value))
            return next((one for one in found if one), None)
        return None

    def _members(self, schema: Any, value: dict[str, Any], where: str) -> str | None:
        if missing := set(schema.get("required", ())) - set(value):
            return f"{where} lacks {sorted(missing)}"
        known, rest = schema.get("properties", {}), schema.get("additionalProperties", not schema.get("properties"))
        for name, one in value.items():
            inner = known.get(name, rest)
            if inner is False:
                return f"{where}.{name} is in no document"
            if inner is not True and (wrong := self.mismatch(inner, one, f"{where}.{name}")):
                return wrong
        return None


@cache
def at_hand(version: str) -> Document | None:
    """The document of a version, None where there is none."""
    name = FILES.get(".".join(version.split(".")[:2]))
    path = SPECS / (name or "none")
    return Document(json.loads(path.read_bytes())) if path.is_file() else None


def document(version: str) -> Document:
    """That of a version; the test is skipped where there is none."""
    found = at_hand(version)
    if found is None:
        pytest.skip("the published contracts of Jellyfin and Emby are not here")
    return found


def complaint(paper: Document, request: Request, reply: Reply) -> str | None:
    """What is wrong with an answer, by a document: an unknown path or status, or a body that is not as described."""
    path = urlsplit(request.target).path
    said, what = paper.described(request.method, path), f"{request.method} {path}"
    for pattern, modern in OBSOLETE if said is None else ():
        if found := pattern.fullmatch(path.lower()):
            said = paper.described(request.method, found.expand(modern))
            break
    if said is None:
        return None if reply.status in (404, 405) or HIDDEN.fullmatch(path.lower()) else f"{what} is in no document"
    answer = said["responses"].get(str(reply.status))
    if answer is None:
        # What goes wrong inside is in no document of Jellyfin.
        return None if reply.status in (400, 401, 403, 404, 415, 500, 503) else f"{what}: status {reply.status}"
    told = answer.get("content", {}).get("application/json", {}).get("schema")
    kind = reply.headers.get("Content-Type", "")
    if told is None or (reply.status >= 400 and "json" not in kind):
        return None
    if "json" not in kind:
        return f"{what}: {kind} in place of JSON"
    if wrong := paper.mismatch(told, json.loads(reply.body)):
        return f"{what}: {wrong}"
    return None


def unknown_parameters(paper: Document, request: Request) -> set[str]:
    """Names in the query of a request that a document does not know; they have no case."""
    said = paper.described(request.method, urlsplit(request.target).path)
    known = {one["name"].lower() for one in (said or {}).get("parameters", ())}
    return {name for name, _ in parse_qsl(urlsplit(request.target).query) if name.lower() not in known}


@contextmanager
def watched(server: MediaBrowser) -> Iterator[None]:
    """Have every answer of a server compared with its document, where that is at hand. Raises ``AssertionError``."""
    paper, wrong = at_hand(server.version), []

    def look(request: Request, reply: Reply) -> None:
        said = complaint(paper, request, reply) if paper else None
        if said:
            wrong.append(said)

    server.watch = look
    yield
    assert not wrong, wrong[0]
