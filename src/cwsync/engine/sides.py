"""Opening both accounts of a pair, and reading both sides of all features at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TypeVar, cast

from cwsync.engine.anime import ByEntry, mappings_of
from cwsync.engine.options import Home
from cwsync.engine.services import services_for
from cwsync.errors import ConfigError, CwsyncError
from cwsync.model import AccountSpec, Feature, PairSpec, Side, Snapshot
from cwsync.provider import Provider, provider_class
from cwsync.state import Locks

Sides = Mapping[Side, Provider]
_T = TypeVar("_T")
Reading = dict[Side, Snapshot] | CwsyncError


def account_of(pair: PairSpec, side: Side) -> AccountSpec:
    """The account on one side of a pair."""
    return pair.source if side is Side.SOURCE else pair.target


@asynccontextmanager
async def opened(pair: PairSpec, home: Home, locks: Locks | None = None) -> AsyncIterator[dict[Side, Provider]]:
    """Both providers of a pair, authenticated. Raises what `Provider.open` raises, for the first that does.

    `locks` are those of a run that writes; without them (a dry run) no provider gets a cache to write to.
    """
    async with AsyncExitStack() as stack:
        sides: dict[Side, Provider] = {}
        for side in Side:
            account = account_of(pair, side)
            services = services_for(account, home, keeps=locks is not None, locks=locks)
            provider = provider_class(account.provider)(account, services)
            stack.push_async_callback(provider.aclose)
            known = mappings_of(pair, home) if provider.capabilities.by_entry else None
            sides[side] = provider if known is None else cast("Provider", ByEntry(provider, known))
        await together([sides[side].open() for side in Side])
        _refuse_twins(pair, sides)
        yield sides


def _refuse_twins(pair: PairSpec, sides: Sides) -> None:
    """Two names may lead to one account. In step with itself it would look emptied, or doubled, by our own writes."""
    source, target = (sides[side].account_id for side in Side)
    if source and source == target:
        raise ConfigError(
            f"{pair.source.name} and {pair.target.name} are the same account ({source})",
            where=f"pairs.{pair.name}",
            hint="a pair needs two accounts; name another one as source or target",
        )


async def together(steps: Sequence[Awaitable[_T]]) -> list[_T]:
    """Run steps at once, all to their end. The first error (in the order of `steps`) is raised as it is."""
    done: list[_T] = []
    for result in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done


async def read_all(
    sides: Sides, features: Sequence[Feature], tell: Callable[[int, int], None] | None = None
) -> dict[Feature, Reading]:
    """Both sides of every feature, all at once. A read that failed is its error, never a snapshot.

    `tell` hears how many of how many reads are done.
    """
    async with asyncio.TaskGroup() as group:
        tasks = {
            (feature, side): group.create_task(_fetch(sides[side], feature)) for feature in features for side in Side
        }
        if tell is not None:
            say = partial(_say, tell, list(tasks.values()))
            for task in tasks.values():
                task.add_done_callback(say)
    readings: dict[Feature, Reading] = {}
    for feature in features:
        source, target = tasks[feature, Side.SOURCE].result(), tasks[feature, Side.TARGET].result()
        if isinstance(source, CwsyncError):
            readings[feature] = source
        elif isinstance(target, CwsyncError):
            readings[feature] = target
        else:
            readings[feature] = {Side.SOURCE: source, Side.TARGET: target}
    return readings


def _say(tell: Callable[[int, int], None], tasks: Sequence[asyncio.Task[object]], _done: object) -> None:
    tell(sum(task.done() for task in tasks), len(tasks))


async def _fetch(provider: Provider, feature: Feature) -> Snapshot | CwsyncError:
    try:
        return await provider.fetch(feature)
    except CwsyncError as error:
        return error


async def watermarks(sides: Sides, feature: Feature) -> dict[Side, str | None]:
    """The "did anything change" values of one feature on both sides."""
    source, target = await asyncio.gather(sides[Side.SOURCE].watermark(feature), sides[Side.TARGET].watermark(feature))
    return {Side.SOURCE: source, Side.TARGET: target}
