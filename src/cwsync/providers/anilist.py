"""AniList: a tracker of anime, with one entry for each title that holds its status, score and progress together.

The watchlist are the titles that are planned. What it cannot do, or does in its own way, stands in
`capabilities`; how it is read, written, asked and logged in at, in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import ClassVar, Final

from cwsync.model import AccountSpec, Capabilities, Change, Fact, Feature, FeatureCaps, Kind, Receipt, Snapshot
from cwsync.provider import Finding, Opened, Option, Person, Services
from cwsync.providers._anilistapply import Writer
from cwsync.providers._anilistcalls import OPTIONS, RATE_UNLISTED, Calls, address_of
from cwsync.providers._anilistknown import Known
from cwsync.providers._anilistlogin import login, whose
from cwsync.providers._anilistlook import Look
from cwsync.providers._anilistread import Reader
from cwsync.providers._anilistwire import Viewer, decode_token
from cwsync.providers._anilistwrite import Rules, zone_of
from cwsync.tokens import Tokens

_CHECKED: Final = "2026-11-21"
_DOCS: Final = "https://docs.anilist.co"
_SCHEMA: Final = "https://graphql.anilist.co"
_TITLES: Final = frozenset({Kind.MOVIE, Kind.SHOW})
# Ten requests of thirty. What is looked up before and after costs as much for one record as for all of these.
_BATCH: Final = 300
_SOON_DAYS: Final = 30


def _fact(text: str, source: str) -> Fact:
    return Fact(text, source, _CHECKED)


class AniList(Opened):
    """One account at AniList."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        title="AniList",
        features={
            Feature.WATCHLIST: FeatureCaps(
                read=True,
                add=True,
                remove=True,
                kinds=_TITLES,
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
                kinds=_TITLES,
                scores=tuple(range(1, 101)),
                undated=True,
                idempotent_add=True,
                batch=_BATCH,
                stamp_moves_on_removal=True,
            ),
            Feature.HISTORY: FeatureCaps(
                read=True,
                add=True,
                kinds=frozenset({Kind.MOVIE, Kind.EPISODE}),
                undated=True,
                idempotent_add=True,
                batch=_BATCH,
                stamp_moves_on_removal=True,
            ),
        },
        drops_from_watchlist=frozenset({Feature.HISTORY}),
        by_entry=True,
        named_by=frozenset({"anilist", "mal"}),
        facts=(
            _fact("It knows its own ids and those of MyAnimeList, and no others.", _SCHEMA),
            _fact("Each season, or part of one, is a title of its own, numbered from episode 1.", _SCHEMA),
            _fact("Of a title there is one entry: status, score, progress and notes go with it.", _SCHEMA),
            _fact("The watchlist are the planned titles; what is further is never put back.", _SCHEMA),
            _fact("Scores are kept as points of 100, whatever the account shows them as.", _SCHEMA),
            _fact("A score has no time: that of the entry moves with every change of it.", _SCHEMA),
            _fact("Progress is a count from the first episode on; it is raised and never lowered.", _SCHEMA),
            _fact("An entry stands in the list of its status and in every custom list that has it.", _DOCS),
            _fact("30 requests a minute; a request may hold many changes.", f"{_DOCS}/guide/rate-limiting"),
            _fact("A token is good for a year and is not renewed.", f"{_DOCS}/guide/auth"),
        ),
    )
    options: ClassVar[tuple[Option, ...]] = OPTIONS
    replaces_login: ClassVar[str | None] = "access_token"

    def __init__(self, account: AccountSpec, services: Services) -> None:
        self._unlisted = str(account.options.get("rate_unlisted") or RATE_UNLISTED[0])
        self._calls = Calls(address_of(account), services)
        look = Look(self._calls)
        name = f"{account.name}-anilist-titles.json"
        keep, seen = (folder and folder / name for folder in (services.memory_dir, services.memory_seen))
        self._reader = Reader(self._calls, look, Known(keep, seen))
        status = None if self._unlisted == RATE_UNLISTED[0] else self._unlisted.upper()
        self._writer = Writer(self._calls, look, self._reader, self.capabilities, Rules(status, zone_of(None)))
        self._viewer: Viewer | None = None
        self.account_id = ""
        self.requests = 0

    async def open(self) -> None:
        """Learn who we are: one request."""
        try:
            viewer = await whose(self._calls)
        finally:
            self._count()
        self._viewer, self.account_id = viewer, viewer.account_id
        self._reader.user = viewer.number
        self._writer.rules = Rules(self._writer.rules.unlisted, zone_of(viewer.timezone))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._calls.aclose()

    async def watermark(self, feature: Feature) -> str | None:
        """A digest of what a feature holds: one request for all features."""
        try:
            return await self._reader.stamp(feature)
        finally:
            self._count()

    async def fetch(self, feature: Feature) -> Snapshot:
        """The whole feature; without a request where its stamp was just asked for."""
        try:
            return await self._reader.read(feature)
        finally:
            self._count()

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """Write thirty records in a request, after one request that looks at all of them."""
        try:
            return await self._writer.apply(feature, changes)
        finally:
            self._count()

    async def examine(self) -> Sequence[Finding]:
        """Until when the token is good, as far as it says, and how scores are shown. No request."""
        found = []
        until = decode_token(self._calls.token()).expires_at
        if until is not None:
            days = (until - datetime.now(UTC)).days
            text = f"it ends on {until:%Y-%m-%d}, in {days} days, and cannot be renewed"
            soon = days < _SOON_DAYS
            hint = f"; log in again in time: cwsync auth login {self._calls.address.account}" if soon else ""
            found.append(Finding(not soon, "token", text + hint))
        shown = self._viewer.score_format if self._viewer is not None else None
        if shown is not None:
            text = f"shown as {shown}, kept and compared as points of 100"
            found.append(Finding(True, "scores", text))
        return found

    def _count(self) -> None:
        self.requests = self._calls.requests

    # --- logging in -------------------------------------------------------------------------------

    @classmethod
    async def login(cls, account: AccountSpec, services: Services, person: Person) -> Tokens:
        """By a token that a browser shows, on whatever machine."""
        async with aclosing(Calls(address_of(account), services)) as calls:
            return await login(account, person, calls)

    @classmethod
    def end_of(cls, token: str) -> datetime | None:
        """The end that a token names."""
        return decode_token(token).expires_at

    @classmethod
    async def logout(cls, account: AccountSpec, services: Services, tokens: Tokens) -> bool:  # noqa: ARG003
        """AniList cannot be told to forget a token; a person can, in the settings of the account."""
        return False
