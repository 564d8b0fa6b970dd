"""SIMKL: a tracker on the web that wants to be asked for changes alone, and keeps one status for each title.

What it cannot do, or does in its own way, stands in `capabilities`; how it is read, written, asked and logged in at,
in the modules beside this one. The library is kept on disk, so that a run in which nothing changed asks once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Final

from cwsync.errors import UnavailableError
from cwsync.model import AccountSpec, Capabilities, Change, Fact, Feature, FeatureCaps, Kind, Receipt, Snapshot
from cwsync.provider import Finding, Kept, Opened, Option, Person, Services
from cwsync.providers import _simklpicture
from cwsync.providers._simkladdress import OPTIONS, address_of
from cwsync.providers._simklapply import Writer
from cwsync.providers._simklcalls import Calls
from cwsync.providers._simkllogin import login
from cwsync.providers._simklmemory import Memory
from cwsync.providers._simklnotes import LIMITS
from cwsync.providers._simklread import WHOLE_EVERY, Reader, State
from cwsync.providers._simklrows import Index, Records, records
from cwsync.providers._simklwire import decode_account
from cwsync.tokens import Tokens

_CHECKED: Final = "2026-11-21"
_DOCS: Final = "https://api.simkl.org"
_CLIENTS: Final = "https://github.com/cenodude/CrossWatch/issues"
_TITLES: Final = frozenset({Kind.MOVIE, Kind.SHOW})
_BATCH: Final = 100
_NEAR: Final = 20  # a twentieth of the quota left is too little to go on without a word


def _fact(text: str, source: str = _DOCS) -> Fact:
    return Fact(text, source, _CHECKED)


def _file(account: AccountSpec, cache: Path) -> Path:
    return cache / f"{account.name}-simkl.json"


class Simkl(Opened):
    """One account at SIMKL."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        title="SIMKL",
        features={
            Feature.WATCHLIST: FeatureCaps(
                read=True,
                add=True,
                remove=True,
                kinds=_TITLES,
                precision_s=1,
                keeps_date=True,
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
                scores=tuple(range(10, 101, 10)),
                precision_s=1,
                keeps_date=True,
                idempotent_add=True,
                batch=_BATCH,
                stamp_moves_on_removal=True,
            ),
            Feature.HISTORY: FeatureCaps(
                read=True,
                add=True,
                remove=True,
                kinds=frozenset({Kind.MOVIE, Kind.EPISODE}),
                precision_s=1,
                keeps_date=True,
                undated=True,
                idempotent_add=True,
                batch=_BATCH,
                stamp_moves_on_removal=True,
            ),
        },
        staleness=timedelta(minutes=5),
        drops_from_watchlist=frozenset({Feature.HISTORY}),
        named_by=frozenset({"simkl", "imdb", "tmdb", "tvdb", "mal", "anidb", "anilist", "kitsu"}),
        facts=(
            _fact("A title is in one list. The watchlist is `plantowatch`; what is in another list is not put there."),
            _fact(
                "A film is unwatched, and a title taken off the watchlist, by taking it out of the library. Where that "
                "would cost a rating, a note or watched episodes it is refused.",
                "https://github.com/cenodude/CrossWatch/issues/944, NuvioTVSmart 802",
            ),
            _fact(
                "Rating a title that is not in the library files it there: a film that is out as watched. What our own "
                "ratings filed is remembered, and counts as neither watched nor wished for."
            ),
            _fact("One play of each film and episode; the date of one that was watched already stays."),
            _fact("A date before 2000 stands for one that nobody knows."),
            _fact("A show that was marked as watched as a whole has episodes without dates.", f"{_CLIENTS}/266"),
            _fact("Anime counts in its own way; TVDB's place of an episode is used where SIMKL tells it."),
            _fact("Reading everything again and again gets an application suspended: only changes are asked for."),
            _fact("A user has 500 requests a day (PRO 1,000, VIP 10,000), over all applications."),
            _fact("Progress is one saved place for each show, kept for 7 days: it is neither read nor written."),
        ),
    )
    options: ClassVar[tuple[Option, ...]] = OPTIONS
    replaces_login: ClassVar[str | None] = "access_token"

    def __init__(self, account: AccountSpec, services: Services) -> None:
        self._calls = Calls(address_of(account), services)
        folders = (services.cache_dir, services.cache_seen)
        keep, seen = (folder and _file(account, folder) for folder in folders)
        self._memory = Memory(services.memory_dir, services.memory_seen or services.memory_dir)
        self._reader = Reader(self._calls, keep, seen or keep, self._memory)
        self._writer = Writer(self._calls, self._look, self._look_now, self._memory, self.capabilities)
        self._name = account.name
        self._built: dict[Feature, tuple[int, Records]] = {}
        self._fetched: dict[Feature, int] = {}
        self._served: dict[Feature, int] = {}
        self._handed: dict[Feature, Records] = {}
        self._ours: dict[Feature, list[Change]] = {}
        self._wrote: set[Feature] = set()
        self._looked = False
        self._written = 0  # the number of the newest reading when we last wrote: it shows nothing of that
        self._told = 0
        self.account_id = ""
        self.requests = 0

    async def open(self) -> None:
        """Learn whose account this is: from the login, or (a token of the file) once from SIMKL."""
        self._calls.notes.load(self._calls.now())
        given = self._calls.given()
        try:
            if given is None:
                self.account_id = self._calls.login().account_id
            else:
                self.account_id = await self._owner(given)
        finally:
            self._done()
        self._reader.account_id = self.account_id
        # Of another user there is another memory, whatever the account is called.
        self._memory.load(f"{self._name}-{self.account_id.replace(':', '-')}.json")

    async def _owner(self, token: str) -> str:
        """Whose a token of the file is. A token never changes its owner, so that is asked once."""
        address, notes = self._calls.address, self._calls.notes
        digest = hashlib.sha256(f"{address.api} {address.client_id} {token}".encode()).hexdigest()
        if digest not in notes.owners:
            try:
                number = decode_account(await self._calls.read("/users/settings"))[0]
            except ValueError as error:
                message = "GET /users/settings does not say whose account this is"
                raise UnavailableError(message, where=self._calls.where, hint="try again later") from error
            notes.own(digest, f"simkl:{number}")
        return notes.owners[digest]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._calls.aclose()

    # --- reading ------------------------------------------------------------------------------------

    async def watermark(self, feature: Feature) -> str | None:
        """A digest of the feature, one request while nothing changed. None right after a write of ours to it.

        What changed only where we ourselves wrote another feature (a film that was watched leaves the
        watchlist) does not move it.
        """
        if feature in self._wrote:
            self._wrote.discard(feature)
            return None
        try:
            state = await self._state(lambda one: self._served.get(feature) != one.number)
        finally:
            self._done()
        self._served[feature] = state.number
        self._looked = True
        found, handed = self._records(state, feature), self._handed.get(feature)
        if handed is not None and found.digest != handed.digest and self._only_ours(feature, found, handed, state):
            return handed.digest
        return found.digest

    async def fetch(self, feature: Feature) -> Snapshot:
        """The whole feature, out of the library as it is now."""
        try:
            state = await self._state(lambda one: self._fetched.get(feature) != one.number)
        finally:
            self._done()
        self._served[feature] = self._fetched[feature] = state.number
        found = self._records(state, feature)
        self._handed[feature], self._ours[feature] = found, []
        self._wrote.discard(feature)
        self._looked = False
        doubts = [*state.doubts, *found.doubts]
        return Snapshot(
            feature,
            found.entries,
            complete=not doubts,
            account_id=self.account_id,
            watermark=found.digest,
            undecoded=found.undecoded,
            lingering=found.lingering,
            doubt="; ".join(doubts) or None,
            server_now=self._calls.date,
            requests=self._untold(),
        )

    def _untold(self) -> int:
        """The requests since this was asked last: what all features are read with belongs to the first."""
        before, self._told = self._told, self._calls.requests
        return self._told - before

    async def _state(self, good_enough: Callable[[State], bool]) -> State:
        return await self._reader.state(lambda one: one.number > self._written and good_enough(one))

    def _records(self, state: State, feature: Feature) -> Records:
        known = self._built.get(feature)
        if known is None or known[0] != state.number:
            known = self._built[feature] = (state.number, records(state.picture, feature))
        return known[1]

    def _only_ours(self, feature: Feature, found: Records, handed: Records, state: State) -> bool:
        """Whether a feature differs from what was handed out only in titles that we wrote ourselves since."""
        changes = self._ours.get(feature, [])
        if not changes or (found.undecoded, found.doubts) != (handed.undecoded, handed.doubts):
            return False
        index = Index(state.picture)
        ours = {str(row.simkl) for change in changes for row in index.titles(change.item)}
        ours |= {change.native_key.partition(":")[0] for change in changes if change.native_key is not None}
        differ = {
            key for key in found.lines.keys() | handed.lines.keys() if found.lines.get(key) != handed.lines.get(key)
        }
        return all(key.partition(":")[0] in ours for key in differ)

    # --- writing ------------------------------------------------------------------------------------

    async def _look(self) -> Index:
        """The library as it was at the last look since it was read; as it is now, if there was none."""
        if not self._looked:
            return await self._look_now()
        return Index((await self._reader.state(lambda _one: True)).picture)

    async def _look_now(self) -> Index:
        state = await self._state(lambda _one: False)
        self._looked = True
        return Index(state.picture)

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """Write up to a hundred records: one request to see the library as it is, one to write."""
        if not changes:
            return []
        try:
            return await self._writer.apply(feature, changes)
        finally:
            self._written = self._reader.number
            self._wrote.add(feature)
            for one in Feature:
                self._ours.setdefault(one, []).extend(changes)
            self._done()

    async def examine(self) -> Sequence[Finding]:
        """How much of the day's quota is used, as far as SIMKL told; no request."""
        notes, now = self._calls.notes, self._calls.now()
        notes.spent(now)
        given = self._calls.given()
        plan = "free" if given is not None else self._calls.login().chosen.get("plan", "free")
        limit = notes.limit or LIMITS.get(plan, LIMITS["free"])
        again = f"anew at {notes.reset:%H:%M} UTC" if notes.reset is not None else "anew at midnight in New York"
        found = [Finding(True, "plan", plan)] if given is None else []
        if notes.left is None:
            text = f"{notes.used:,} of {limit:,} of today used by this installation; {again}"
            return [*found, Finding(notes.used < limit, "requests", text)]
        ours = min(notes.used, limit - notes.left)  # what was refused is counted, and used nothing
        text = f"{limit - notes.left:,} of {limit:,} of today used, {ours:,} by this installation; {again}"
        return [*found, Finding(notes.left * _NEAR > limit, "requests", text)]

    def _done(self) -> None:
        """Count, and remember what is counted across runs."""
        self.requests = self._calls.requests
        self._calls.notes.save()

    @classmethod
    def kept(cls, account: AccountSpec, cache: Path) -> Kept | None:
        """The library as it was last read."""
        path = _file(account, cache)
        whole_at = _simklpicture.whole_at(path)
        return None if whole_at is None else Kept(path, whole_at, WHOLE_EVERY)

    # --- logging in ---------------------------------------------------------------------------------

    @classmethod
    async def login(cls, account: AccountSpec, services: Services, person: Person) -> Tokens:
        """By a code that is entered in a browser, on whatever machine."""
        async with aclosing(Calls(address_of(account), services)) as calls:
            return await login(account, person, calls)

    @classmethod
    async def logout(cls, account: AccountSpec, services: Services, tokens: Tokens) -> bool:
        """Have SIMKL forget the login."""
        async with aclosing(Calls(address_of(account), services)) as calls:
            return await calls.revoke(tokens)
