"""TMDb: a watchlist and ratings on the web, of films and shows, ratings of episodes too.

What it cannot do, or does in its own way, stands in `capabilities`; how it is read, written, asked and logged in
at, in the modules beside this one. Nothing of an account is cached on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import ClassVar, Final

from cwsync.model import AccountSpec, Capabilities, Change, Fact, Feature, FeatureCaps, Kind, Receipt, Snapshot
from cwsync.provider import IdSource, Opened, Option, Person, Services
from cwsync.providers._tmdbcalls import OPTIONS, Calls, address_of
from cwsync.providers._tmdblogin import login, revoke, whoami
from cwsync.providers._tmdbread import Reader
from cwsync.providers._tmdbwrite import BATCH, Writer
from cwsync.tokens import Tokens

_CHECKED: Final = "2026-11-21"
_DOCS: Final = "https://developer.themoviedb.org"
_NO_DATES: Final = "https://github.com/RileyXX/TMDB-Trakt-Syncer/issues/53"


def _fact(text: str, page: str) -> Fact:
    return Fact(text, f"{_DOCS}/{page}", _CHECKED)


class Tmdb(Opened):
    """One user at TMDb."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        title="TMDb",
        features={
            Feature.WATCHLIST: FeatureCaps(
                read=True,
                add=True,
                remove=True,
                kinds=frozenset({Kind.MOVIE, Kind.SHOW}),
                undated=True,
                idempotent_add=True,
                batch=BATCH,
            ),
            Feature.RATINGS: FeatureCaps(
                read=True,
                add=True,
                update=True,
                remove=True,
                kinds=frozenset({Kind.MOVIE, Kind.SHOW, Kind.EPISODE}),
                scores=tuple(range(5, 101, 5)),
                undated=True,
                idempotent_add=True,
                batch=BATCH,
            ),
        },
        drops_from_watchlist=frozenset({Feature.RATINGS}),
        named_by=frozenset({"tmdb"}),
        facts=(
            _fact("Rating a title takes it off the watchlist, unless the user has turned that off.", "docs"),
            _fact("Lists have pages of 20, and no more than 500 pages can be had.", "docs/errors"),
            Fact("No list says when a row was made; a rating is sent without a date.", _NO_DATES, _CHECKED),
            _fact("Ratings are 0.5 to 10, in halves. Seasons have none.", "reference/movie-add-rating"),
            _fact("A session goes in the query of a request; no header takes it.", "docs/authentication-user"),
            _fact("Films and shows are numbered apart: 25 is a film and a different show.", "docs/finding-data"),
            _fact("There is no word on whether, and when, an account changed: every run reads its lists.", "reference"),
        ),
    )
    options: ClassVar[tuple[Option, ...]] = OPTIONS
    replaces_login: ClassVar[str | None] = "session_id"

    def __init__(self, account: AccountSpec, services: Services) -> None:
        self._calls = Calls(address_of(account), services)
        self._reader = Reader(self._calls)
        self._writer = Writer(self._calls, self.capabilities)
        self.account_id = ""
        self.requests = 0

    async def open(self) -> None:
        """Learn who we are: one request."""
        self._calls.log_in()
        try:
            number, _name = await whoami(self._calls)
        finally:
            self._count()
        self.account_id = f"tmdb:{number}"
        self._reader.number = self._writer.number = number

    async def aclose(self) -> None:
        """Close the connections."""
        await self._calls.aclose()

    async def watermark(self, feature: Feature) -> str | None:  # noqa: ARG002 - the same for both
        """None: TMDb does not say whether anything changed."""
        return None

    async def fetch(self, feature: Feature) -> Snapshot:
        """Every page of a feature."""
        try:
            return await self._reader.read(feature, self.account_id)
        finally:
            self._count()

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """Write one record after the other."""
        try:
            return await self._writer.apply(feature, changes)
        finally:
            self._count()

    def _count(self) -> None:
        self.requests = self._calls.requests

    # --- logging in -------------------------------------------------------------------------------

    @classmethod
    def id_source(cls, account: AccountSpec, services: Services) -> IdSource:
        """Somebody to ask for the ids of titles, as this application; nobody needs to be logged in."""
        from cwsync.providers._tmdbids import IdLookup

        return IdLookup(account, services)

    @classmethod
    async def login(cls, account: AccountSpec, services: Services, person: Person) -> Tokens:
        """By an address that is opened in a browser, on whatever machine."""
        async with aclosing(Calls(address_of(account), services)) as calls:
            return await login(account, person, calls)

    @classmethod
    async def logout(cls, account: AccountSpec, services: Services, tokens: Tokens) -> bool:
        """Have TMDb forget the session."""
        async with aclosing(Calls(address_of(account), services)) as calls:
            return await revoke(calls, tokens)
