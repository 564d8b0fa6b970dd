"""Downloads of public files: redirects are followed here, because nothing of ours is sent along.

Services are asked through `Http`, which follows none: such a request has a login in it. A release of GitHub
is a public file that another host hands out, so this client knows nobody: it sends the name of this program,
and, to the host that gave it, the mark of the version that is here already. No cookie, no login, no query of
ours. It leads from https to https alone (on this machine plain http is fine too, but never from elsewhere to
this machine).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from cwsync.errors import UnavailableError, UsageError
from cwsync.http.answer import Answer
from cwsync.http.wire import Wire, WireError
from cwsync.model.mappings import Tag
from cwsync.redaction import safe_url
from cwsync.tokens import on_this_machine, origin_of

HOPS: Final = 5
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_AGAIN: Final = "the mapping that is here stays in use; try again later"


@dataclass(frozen=True, slots=True)
class Download:
    """What came. `body` is None when it is the version of the tag that was sent."""

    body: bytes | None
    tag: Tag | None


def check_address(url: str) -> str:
    """An address that may be asked. Raises `UsageError` for one that may not."""
    parts = urlsplit(url) if origin_of(url) else None
    if parts is None or parts.username is not None or parts.fragment:
        problem, hint = "is no address of a file", "write it like https://host/mappings.json"
    elif parts.scheme != "https" and not on_this_machine(url):
        problem, hint = "is not https", "only an address of this machine may be http"
    else:
        return url
    raise UsageError(f"{safe_url(url)} {problem}", where="--url", hint=hint)


async def download(url: str, *, user_agent: str, tag: Tag | None, max_bytes: int, timeout_s: float) -> Download:
    """Get a file, once. Raises `UnavailableError` for everything but the file, or that it has not changed."""
    wire = Wire(at_once=1, timeout_s=timeout_s, max_bytes=max_bytes, ca_file=None, fingerprint=None)
    here = on_this_machine(url)
    try:
        for _ in range(HOPS):
            origin = origin_of(url) or ""
            headers = {"User-Agent": user_agent}
            if tag is not None and tag.origin == origin:
                headers["If-None-Match"] = tag.text
            answer = await _ask(wire, url, headers, timeout_s)
            if answer.status not in _MOVED:
                return _got(answer, origin, asked="If-None-Match" in headers)
            url = _next(url, answer.headers.get("location", ""), here=here)
    finally:
        await wire.aclose()
    raise UnavailableError(f"was sent on more than {HOPS} times", where=safe_url(origin_of(url) or ""), hint=_AGAIN)


async def _ask(wire: Wire, url: str, headers: dict[str, str], timeout_s: float) -> Answer:
    try:
        return await wire.send("GET", url, headers, None, timeout_s)
    except WireError as error:
        name = safe_url(origin_of(url) or "")
        told = f"{name} {error.why}" if error.why[:1].islower() else error.why
        raise UnavailableError(told, where="mappings", hint=error.hint or _AGAIN) from None


def _got(answer: Answer, origin: str, *, asked: bool) -> Download:
    if answer.status == 304 and asked:
        return Download(None, None)
    if answer.status != 200:
        hint = "is the address right?" if answer.status in (404, 410) else _AGAIN
        raise UnavailableError(f"{safe_url(origin)} answered {answer.status}", where="mappings", hint=hint)
    text = answer.headers.get("etag", "")
    fit = 0 < len(text) <= 200 and text.isascii() and text.isprintable()
    return Download(answer.body, Tag(text, origin) if fit else None)


def _next(url: str, location: str, *, here: bool) -> str:
    """Where a redirect leads. Its query is somebody's signature: no error names more than the host."""
    try:
        to = urljoin(url, location)
        parts = urlsplit(to)
    except ValueError:
        to, parts = "", urlsplit("")
    origin = origin_of(to)
    safe = origin is not None and parts.username is None and (on_this_machine(to) if here else parts.scheme == "https")
    if not location or not safe or (on_this_machine(to) and not here):
        name = safe_url(origin or "an address that is none")
        told = f"{safe_url(origin_of(url) or '')} leads to {name}, which is not followed"
        raise UnavailableError(told, where="mappings", hint=_AGAIN)
    return to
