"""What may go wrong around a pair that was in step and has something to write: how it breaks, is said, and mends."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from support.house import PairHouse
from support.httpserver import Do, Handler, Reply, Request

DAY_S = 86_400
_H = TypeVar("_H", bound=PairHouse)


def nothing(_house: PairHouse) -> None:
    """What needs no mending: faults end by themselves."""


@dataclass(frozen=True)
class Bad(Generic[_H]):
    """What goes wrong, the exit code and words that tell of it, and how it becomes right again."""

    name: str
    breaks: Callable[[_H], object]
    code: int
    words: tuple[str, ...]
    mends: Callable[[_H], object] = nothing


def is_said(house: _H, bad: Bad[_H]) -> None:
    """It goes wrong, and a run tells what, where, and what to do."""
    bad.breaks(house)
    done = house.shell("run both --apply")
    said = done.out + done.err
    assert done.code == bad.code, said
    house.clean(done)
    assert not [word for word in bad.words if word not in said], said
    assert "hint: " in said, said


def in_file(old: Callable[[_H], str], new: Callable[[_H], str]) -> Callable[[_H], None]:
    """Another text in ``pairs.toml``."""

    def edit(house: _H) -> None:
        text = house.shell.file.read_text()
        assert old(house) in text
        house.shell.file.write_text(text.replace(old(house), new(house), 1))

    return edit


def bomb() -> Do:
    """A small answer that unpacks to more than any list."""
    packed = gzip.compress(bytes(200 * 1024 * 1024), 9)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return lambda _request, _handler: Reply(packed, 200, headers)


def with_head(name: str, text: str, code: int | None = None) -> Do:
    """The answer with another header, or another status too."""

    def do(request: Request, handler: Handler) -> Reply:
        reply = handler(request)
        return replace(reply, status=code or reply.status, headers={**reply.headers, name: text})

    return do


def a_day_off() -> Do:
    """A clock that is wrong."""
    return with_head("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + DAY_S)))
