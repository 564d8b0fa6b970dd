"""What a service answered, and pure functions that read it: JSON, Retry-After, rate limits, error texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, NoReturn

from cwsync.errors import CwsyncError, Exit, UnavailableError
from cwsync.redaction import redact

MAX_DEPTH: Final = 64
MAX_ITEMS: Final = 5_000_000  # values of one document, arrays and objects included
_TEXT_SHOWN: Final = 200
_WORDS: Final = ("error_description", "message", "error", "errors", "title", "detail", "reason")


class LostAnswerError(CwsyncError):
    """A write whose answer never came, or made no sense: it may have been carried out. It was not repeated.

    `status` is that of the answer, where there was one (a gateway's 502, say). A provider turns it
    into `Outcome.UNKNOWN` for every record of that request.
    """

    exit_code: ClassVar[Exit] = Exit.LATER
    code: ClassVar[str] = "lost-answer"

    def __init__(self, message: str, *, where: str | None = None, status: int | None = None) -> None:
        super().__init__(message, where=where, hint="the next run looks at what became of it")
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, whole. `headers` have lower-case names; the values of one that came twice are joined by ``, ``.

    `where` is the account and `call` the request (``GET /path``), for errors; `wrote` says that it
    answers a write, whose failure to make sense is a `LostAnswerError` and not an `UnavailableError`.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    where: str = ""
    call: str = ""
    wrote: bool = False

    @property
    def ok(self) -> bool:
        """Whether the status is one of success (200 to 299)."""
        return 200 <= self.status < 300

    def text(self) -> str:
        """The body as UTF-8, what is none replaced. For error pages; it may hold secrets."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON: UTF-8, no NaN, no key twice, at most `MAX_DEPTH` deep. None for an empty body (204).

        A page for people, text that is cut off, an empty body where the status promises one: all
        raise `UnavailableError` (`LostAnswerError` for a write), whatever the status. Nothing of the
        body is quoted.
        """
        if not self.body and self.status in (204, 205, 304):
            return None
        try:
            return parse_json(self.body)
        except ValueError as error:
            self.garbled(str(error))

    def items(self, kind: type = list) -> Any:
        """The body as a JSON list (or, with `kind`, an object). Raises what `json` raises also for any other shape."""
        found = self.json()
        if not isinstance(found, kind):
            self.garbled(f"it is {_shape(found)} and no {'list' if kind is list else 'object'}")
        return found

    def garbled(self, why: str) -> NoReturn:
        """Raise for an answer that makes no sense: `UnavailableError`, for a write `LostAnswerError`.

        Decoders call this for a body of the wrong shape. `why` must not quote the body.
        """
        kind = content_type(self.headers)
        told = f"{self.call} answered {self.status} with something else than expected"
        message = f"{told}: {why}{f' ({kind})' if kind else ''}"
        if self.wrote:
            raise LostAnswerError(message, where=self.where, status=self.status)
        hint = "try again later; if it stays so, check the address of the service"
        raise UnavailableError(message, where=self.where, hint=hint)


def _shape(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


# --- JSON ---------------------------------------------------------------------------------------


def parse_json(data: bytes) -> Any:
    """Strict JSON. Raises ``ValueError`` that says why and quotes nothing."""
    if not data.strip():
        raise ValueError("it is empty")
    if data.lstrip()[:1] == b"<":
        raise ValueError("it is a page for people")
    _refuse_bombs(data)
    try:
        found = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise ValueError("it is no UTF-8") from None
    except json.JSONDecodeError as error:
        where = "it ends too early" if error.pos >= len(error.doc.rstrip()) - 1 else f"no JSON at character {error.pos}"
        raise ValueError(where) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except _DoubleKeyError:
        raise ValueError("a key stands twice in one object") from None
    return found


class _DoubleKeyError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _DoubleKeyError
    return made


def _no_number(_word: str) -> NoReturn:
    raise ValueError("it holds a number that is none")


_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def _refuse_bombs(data: bytes) -> None:
    """Refuse what is too deep or has too many parts, before anything is built from it.

    Brackets within texts are counted as well, so a text full of them is looked at once more, exactly.
    """
    left = data.translate(None, _NOT_BRACKETS)
    if len(left) // 2 + data.count(b",") > MAX_ITEMS:
        raise ValueError("it has too many parts")
    for _ in range(MAX_DEPTH):
        if not left:
            return
        left = left.replace(b"[]", b"").replace(b"{}", b"")
    if left and _is_deep(data):
        raise ValueError("it is nested too deeply")


def _is_deep(data: bytes) -> bool:
    """Whether brackets outside of texts are nested more than `MAX_DEPTH` deep."""
    depth = 0
    for at, part in enumerate(data.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')):
        if at % 2:
            continue
        for byte in part.translate(None, _NOT_BRACKETS):
            depth += 1 if byte in b"[{" else -1
            if depth > MAX_DEPTH:
                return True
    return False


# --- headers ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What a service says of its limit. `until` is when the period ends, where it says so."""

    name: str | None
    limit: int | None
    remaining: int | None
    period_s: int | None
    until: datetime | None


def content_type(headers: Mapping[str, str]) -> str:
    """``application/json`` of ``application/json; charset=utf-8``, in lower case; empty when there is none."""
    found = headers.get("content-type", "").partition(";")[0].strip().lower()
    return found if all(char.isalnum() or char in "/+.-" for char in found) else ""


def http_date(headers: Mapping[str, str], name: str = "date") -> datetime | None:
    """A header that is a date, in UTC: with ``date`` the clock of the service. None when it has none."""
    text = headers.get(name)
    if text is None:
        return None
    from email.utils import parsedate_to_datetime

    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """How many seconds the service asks to wait: a number of seconds, or a date. None when it does not say.

    A date is taken against the service's own clock where it tells that, else against `now`. Never
    negative.
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        until = http_date(headers, "retry-after")
        return None if until is None else max(0.0, (until - (http_date(headers) or now)).total_seconds())
    return max(0.0, seconds) if seconds < 1e9 else None  # also not for nan and inf


def rate_limit(headers: Mapping[str, str]) -> RateLimit | None:
    """The limit in ``X-Ratelimit`` (a JSON object), or in ``X-Ratelimit-Limit`` and ``-Remaining``; None without."""
    if text := headers.get("x-ratelimit"):
        try:
            found = parse_json(text.encode())
        except ValueError:
            return None
        if not isinstance(found, dict):
            return None
        until = found.get("until")
        return RateLimit(
            found["name"] if isinstance(found.get("name"), str) else None,
            _number(found.get("limit")),
            _number(found.get("remaining")),
            _number(found.get("period")),
            _instant(until) if isinstance(until, str) else None,
        )
    limit, left = _number(headers.get("x-ratelimit-limit")), _number(headers.get("x-ratelimit-remaining"))
    return None if limit is None and left is None else RateLimit(None, limit, left, None, None)


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 16:
        return int(value)
    return value if type(value) is int else None


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def error_text(answer: Answer) -> str | None:
    """What an error body says in words, for people: without secrets, cut to `_TEXT_SHOWN`. None when it says nothing.

    Understands ``{"error": "...", "error_description": "..."}``, ``{"errors": [{"message": ...}]}``
    and the like. Pages for people are not quoted.
    """
    try:
        found = parse_json(answer.body)
    except ValueError:
        return None
    text = _first_text(found, 4)
    return redact(" ".join(text.split()))[:_TEXT_SHOWN] if text and text.strip() else None


def _first_text(value: object, depth: int) -> str | None:
    if isinstance(value, str):
        return value
    if depth and isinstance(value, list) and value:
        return _first_text(value[0], depth - 1)
    if depth and isinstance(value, dict):
        tried = (_first_text(value[word], depth - 1) for word in _WORDS if word in value)
        return next((text for text in tried if text), None)
    return None
