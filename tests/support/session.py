"""One session of a provider, for tests of the provider itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar


class _Opened(Protocol):
    async def open(self) -> None: ...

    async def aclose(self) -> None: ...


_P = TypeVar("_P", bound=_Opened)
_T = TypeVar("_T")


def use(made: _P, step: Callable[[_P], Awaitable[_T]], *, opened: bool = True) -> _T:
    """Do something with a provider that is open (or not yet), and close it."""

    async def session() -> _T:
        try:
            if opened:
                await made.open()
            return await step(made)
        finally:
            await made.aclose()

    return asyncio.run(session())
