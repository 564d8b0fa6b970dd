"""Trakt: a tracker on the web, in pages, with a log of plays that takes every play it is given.

What it cannot do, or does in its own way, stands in `capabilities`; how it is read, written, asked and
logged in at, in the modules beside this one. The plays of a long history are kept in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import ClassVar, Final

from cwsync.errors import UnavailableError
from cwsync.model import AccountSpec, Capabilities, Change, Fact, Feature, FeatureCaps, Kind, Receipt, Snapshot
from cwsync.provider import Finding, Opened, Option, Person, Services
from cwsync.providers._traktapply import Writer
from cwsync.providers._traktcalls import OPTIONS, Calls, address_of
from cwsync.providers._traktlogin import login
from cwsync.providers._traktplays import KnownPlays
from cwsync.providers._traktread import Reader
from cwsync.providers._traktwire import ID_SERVICES, Membership, decode_account
from cwsync.tokens import Tokens

_CHECKED: Final = "2026-11-21"
_REPO: Final = "https://github.com/trakt/trakt-api"
_ISSUES: Final = f"{_REPO}/issues"
_PLAYABLE: Final = frozenset({Kind.MOVIE, Kind.EPISODE})
# One request a second whatever is in it, so many records at once. More are taken, but time out in large accounts.
_BATCH: Final = 100
# What an account may hold, of others and of VIP members, where it does not tell itself: to warn by, nothing else.
# Source: https://github.com/trakt/trakt-api (checked 2026-11-21).
_USUAL: Final = {
    Feature.WATCHLIST: (250, 5_000),
    Feature.RATINGS: (10_000, 20_000),
    Feature.HISTORY: (100_000, 100_000),
}
_NEAR: Final = 20  # a twentieth of a limit left is too little to go on without a word


def _fact(text: str, source: str) -> Fact:
    return Fact(text, source, _CHECKED)


class Trakt(Opened):
    """One account at Trakt."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        title="Trakt",
        features={
            Feature.WATCHLIST: FeatureCaps(
                read=True,
                add=True,
                remove=True,
                kinds=frozenset(Kind),
                undated=True,
                idempotent_add=True,
                batch=_BATCH,
                stamp_moves_on_removal=True,
            ),
            Feature.RATINGS: FeatureCaps(
                read=True,
                add=True,
                update=True,
                remove=True,
                kinds=frozenset(Kind),
                scores=tuple(range(10, 101, 10)),
                keeps_date=True,
                idempotent_add=True,
                batch=_BATCH,
                stamp_moves_on_removal=True,
            ),
            Feature.HISTORY: FeatureCaps(
                read=True,
                add=True,
                remove=True,
                kinds=_PLAYABLE,
                precision_s=60,
                keeps_date=True,
                undated=True,
                plays=True,
                batch=_BATCH,
                stamp_moves_on_removal=True,
            ),
            Feature.PROGRESS: FeatureCaps(read=True, kinds=_PLAYABLE, stamp_moves_on_removal=True),
        },
        staleness=timedelta(minutes=5),
        drops_from_watchlist=frozenset({Feature.HISTORY}),
        named_by=frozenset(ID_SERVICES),
        facts=(
            _fact("Everything is paged; a page has at most 250 rows, whatever is asked for.", f"{_ISSUES}/896"),
            _fact("Hidden titles are taken out of pages after they were cut; pages may be empty.", f"{_ISSUES}/142"),
            _fact("The same play posted twice is two plays.", f"{_ISSUES}/228"),
            _fact("A play is kept to the minute; a time it cannot read becomes now.", f"{_ISSUES}/876"),
            _fact("A play without a date is kept as one of 1970-01-01.", _REPO),
            _fact("Unknown objects are echoed in many shapes, or not at all.", f"{_ISSUES}/357"),
            _fact("Watching a title takes it off the watchlist, its show and season too.", _REPO),
            _fact("Accounts have limits; a write beyond one is refused whole (420).", _REPO),
            _fact(
                "Progress is a share of the whole without a date to give: it is read, never written.",
                _REPO,
            ),
        ),
    )
    options: ClassVar[tuple[Option, ...]] = OPTIONS
    replaces_login: ClassVar[str | None] = "access_token"

    def __init__(self, account: AccountSpec, services: Services) -> None:
        self._calls = Calls(address_of(account), services)
        name = f"{account.name}-trakt-plays.json"
        keep, seen = (folder and folder / name for folder in (services.cache_dir, services.cache_seen))
        self._reader = Reader(self._calls, KnownPlays(keep, seen or keep))
        self._writer = Writer(self._calls, self._reader, self.capabilities)
        self._member = Membership("", {}, once=False, vip=False)
        self.account_id = ""
        self.requests = 0

    async def open(self) -> None:
        """Learn who we are and what the account may hold: one request."""
        answer = await self._calls.get("/users/settings", {"extended": "browsing"})
        self._count()
        try:
            member = decode_account(answer.json())
        except ValueError as error:
            message = f"{answer.call} does not say whose account this is"
            raise UnavailableError(message, where=self._calls.address.account, hint="try again later") from error
        self._member, self.account_id = member, f"trakt:{member.name}"
        self._writer.account_id, self._writer.limits, self._writer.once = self.account_id, member.limits, member.once

    async def aclose(self) -> None:
        """Close the connections."""
        await self._calls.aclose()

    async def watermark(self, feature: Feature) -> str | None:
        """The moments of the last changes. They move with adds and removals, and with what is hidden."""
        try:
            stamp = await self._reader.activities.stamp(feature)
        finally:
            self._count()
        self._writer.saw(feature, stamp)
        return stamp

    async def fetch(self, feature: Feature) -> Snapshot:
        """Every page of a feature."""
        try:
            snapshot = await self._reader.read(feature, self.account_id)
        finally:
            self._count()
        self._writer.learn(snapshot)
        return snapshot

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """Write up to a hundred records in one request for each of adding and removing."""
        try:
            return await self._writer.apply(feature, changes)
        finally:
            self._count()

    async def examine(self) -> Sequence[Finding]:
        """What the account may hold, and how much of that is in use as far as it was read; of the watchlist always.

        One request, and none when the watchlist was read.
        """
        try:
            listed = await self._reader.count(Feature.WATCHLIST)
        finally:
            self._count()
        member = self._member
        found = [Finding(True, "membership", "VIP" if member.vip else "not VIP")]
        if member.once:
            found.append(Finding(True, "plays", "the account keeps one play of each title (its own setting at Trakt)"))
        used = self._reader.totals | ({} if listed is None else {Feature.WATCHLIST: listed})
        return [*found, *(_room(feature, used[feature], member) for feature in _USUAL if feature in used)]

    def _count(self) -> None:
        self.requests = self._calls.requests

    # --- logging in -------------------------------------------------------------------------------

    @classmethod
    async def login(cls, account: AccountSpec, services: Services, person: Person) -> Tokens:
        """By a code that is entered in a browser, on whatever machine."""
        async with aclosing(Calls(address_of(account), services)) as calls:
            return await login(account, person, calls)

    @classmethod
    async def logout(cls, account: AccountSpec, services: Services, tokens: Tokens) -> bool:
        """Have Trakt forget the access token."""
        async with aclosing(Calls(address_of(account), services)) as calls:
            return await calls.revoke(tokens)


def _room(feature: Feature, used: int, member: Membership) -> Finding:
    """How much of a limit is in use."""
    told = member.limits.get(feature.value)
    limit = _USUAL[feature][member.vip] if told is None else told
    text = f"{feature.value}: {used:,} of {limit:,} in use" + (" (the usual limit)" if told is None else "")
    left = max(0, limit - used)
    if left * _NEAR > limit:
        return Finding(True, "limits", text)
    way = "make room at Trakt" if member.vip else "make room at Trakt, or see https://trakt.tv/vip"
    return Finding(False, "limits", f"{text}, {left:,} left: Trakt takes no more than that; {way}")
