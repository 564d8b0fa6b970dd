"""The watchlist as a playlist or a collection of the server, for accounts whose file says so: found and read.

The list exists already; it is found by its name, and is neither made nor deleted. What stands in it are rows of the
libraries: films in both, shows in a collection alone, because a playlist takes the episodes of a show in its place.
Whatever else is in there (episodes, music) is no part of the watchlist, and is left alone.

Source: Jellyfin's server 10.9 to 12.0-rc5 (PlaylistsController, PlaylistManager), its OpenAPI documents and those of
Emby 4.8.11 and 4.9.0.41, CrossWatch (checked 2026-11-21): an entry of a playlist has an id of its own, which in a
Jellyfin from 10.9 on is that of the row; Jellyfin drops what is added twice, but now and then it does not (10.11.11),
Emby never does; a collection is seen by everybody; an Emby deletes one from which the last title is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cwsync.errors import ConfigError, UnavailableError
from cwsync.http import Answer, Whole
from cwsync.http.client import Params
from cwsync.model import AccountSpec, Kind
from cwsync.providers._mbcalls import Calls, nobody
from cwsync.providers._mbpages import all_rows
from cwsync.providers._mbwire import KEY, same_name

PLAYLIST: Final = "playlist"
COLLECTION: Final = "collection"
FAVOURITES: Final = "favourites"
CHOICES: Final = (FAVOURITES, PLAYLIST, COLLECTION)
# What each holds of what we sync.
KINDS: Final[Mapping[str, frozenset[Kind]]] = {
    FAVOURITES: frozenset({Kind.MOVIE, Kind.SHOW}),
    PLAYLIST: frozenset({Kind.MOVIE}),
    COLLECTION: frozenset({Kind.MOVIE, Kind.SHOW}),
}
_TYPES: Final = {PLAYLIST: "Playlist", COLLECTION: "BoxSet"}
_TRIES: Final = 2


@dataclass(frozen=True, slots=True)
class Member:
    """One row of the list: its key, the id under which it is taken out, and how often it came in its page so far."""

    key: str
    entry: str
    copy: int


@dataclass(frozen=True, slots=True)
class Members:
    """What stands in the list: by the key of a row the ids of its entries. `doubt` says why some may be missing."""

    entries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    doubt: str | None = None
    requests: int = 0


def kind_of(options: Mapping[str, object]) -> str:
    """What the watchlist of an account is: one of `CHOICES`."""
    found = options.get("watchlist")
    return found if isinstance(found, str) and found in CHOICES else FAVOURITES


def name_of(account: AccountSpec) -> str:
    """The name of the list of an account. Raises `ConfigError` where it is missing, or is not used."""
    kind, name = kind_of(account.options), account.options.get("watchlist_name")
    where = f"accounts.{account.name}.watchlist_name"
    if kind == FAVOURITES:
        if name is not None:
            hint = 'set watchlist = "playlist" or "collection", or take watchlist_name away'
            raise ConfigError("names a list, and the watchlist is the favourites", where=where, hint=hint)
        return ""
    if not isinstance(name, str) or not name.strip():
        hint = f"set watchlist_name to the name of the {kind}, which has to be there already"
        raise ConfigError(f'is missing beside watchlist = "{kind}"', where=where, hint=hint)
    return name.strip()


class Chosen:
    """The list of one user that is their watchlist. `kind` is `PLAYLIST` or `COLLECTION`; `page` the rows of a page."""

    def __init__(self, calls: Calls, user: str, kind: str, name: str, page: int) -> None:
        self.kind = kind
        self.kinds = KINDS[kind]
        self._calls = calls
        self._user = user
        self._name = name
        self._page = page
        self._key = ""

    @property
    def goes_when_empty(self) -> bool:
        """Whether the server deletes the list with its last title."""
        return self.kind == COLLECTION and self._calls.dialect.drops_empty

    # --- reading ------------------------------------------------------------------------------------

    async def read(self) -> Members:
        """What stands in the list now. Raises `UnavailableError`, `AuthError`; `ConfigError` where there is no such."""
        found = await self._find()
        self._key = found[0]
        members = await self.members()
        if members is None:
            raise UnavailableError(f"the {self.kind} went while it was read", where=self._calls.account)
        return Members(members.entries, members.doubt, members.requests + found[1])

    async def members(self) -> Members | None:
        """The same of the list that was found before; None where it is gone by now."""
        tries, requests = 0, 0
        while True:
            tries += 1
            if nobody(first := await self._page_at({"StartIndex": 0, "Limit": self._page})):
                return None
            whole = await self._pages(first)
            requests += whole.pages
            if whole.complete or tries == _TRIES:
                break
        entries: dict[str, tuple[str, ...]] = {}
        for one in whole.rows:
            if one is not None:
                entries[one.key] = tuple(dict.fromkeys((*entries.get(one.key, ()), one.entry)))
        doubt = whole.doubt and f"the {self.kind} {self._name!r}: {whole.doubt}"
        if None in whole.rows:
            doubt = f"a row of the {self.kind} {self._name!r} cannot be read"
        return Members(entries, doubt, requests)

    async def _pages(self, first: Answer) -> Whole[Member | None]:
        async def ask(paging: Params) -> Answer:
            answer = await self._page_at(paging) if paging["StartIndex"] else first
            self._calls.judge(answer)
            return answer

        def rows_of(raws: Sequence[Any]) -> list[Member | None]:
            return _members(raws, entries=self.kind == PLAYLIST)

        return await all_rows(ask, rows_of, size=self._page, key=_told_apart)

    async def _page_at(self, paging: Params) -> Answer:
        path, params = self._calls.dialect.members(self._user, self._key, playlist=self.kind == PLAYLIST)
        return await self._calls.get(path, {**params, **paging}, allowed=(200, 404, 500))

    async def _find(self) -> tuple[str, int]:
        """The key of the list, and how many requests that took. Raises `ConfigError` for none and for several."""
        path, common = self._calls.dialect.items(self._user)
        query: Params = {name: text for name, text in common.items() if name != "ExcludeLocationTypes"}
        what: Params = {"IncludeItemTypes": _TYPES[self.kind], "Recursive": "true", "SortBy": "SortName"}
        query = {**query, **what, "EnableUserData": "false", "EnableTotalRecordCount": "true"}

        # Lists of others may be counted and not shown: that says nothing of those that are shown.
        whole = await all_rows(
            lambda paging: self._calls.get(path, {**query, **paging}),
            lambda raws: [one for raw in raws if (one := _named(raw)) is not None],
            size=self._page,
        )
        wanted = self._name
        keys = list(dict.fromkeys(key for key, name in whole.rows if same_name(wanted, name) or wanted.lower() == key))
        if len(keys) == 1:
            return keys[0], whole.pages
        where = f"accounts.{self._calls.account}.watchlist_name"
        if keys:
            hint = f"rename one, or set watchlist_name to the id of the one that is meant: {', '.join(keys)}"
            raise ConfigError(f"there are {len(keys)} {self.kind}s called {self._name!r}", where=where, hint=hint)
        names = ", ".join(dict.fromkeys(repr(name) for _, name in whole.rows)) or "none"
        hint = f"make it at the server; {self.kind}s that this user sees: {names}"
        raise ConfigError(f"there is no {self.kind} {self._name!r}", where=where, hint=hint)

    # --- writing ------------------------------------------------------------------------------------

    async def add(self, keys: Sequence[str]) -> Answer:
        """Put rows into the list, once. Raises as `Http.write` does."""
        return await self._write("POST", {"Ids": ",".join(keys)})

    async def take(self, keys: Sequence[str], members: Members) -> Answer:
        """Take rows out of the list, all their entries, once. Raises as `Http.write` does."""
        if self.kind == COLLECTION:
            return await self._write("DELETE", {"Ids": ",".join(keys)})
        entries = [entry for key in keys for entry in members.entries.get(key, ())]
        return await self._write("DELETE", {"EntryIds": ",".join(entries)})

    async def _write(self, method: str, params: Params) -> Answer:
        # Never sent again without a look: a playlist may hold a title twice.
        place = "Playlists" if self.kind == PLAYLIST else "Collections"
        whose: Params = {"UserId": self._user} if (place, method) == ("Playlists", "POST") else {}
        return await self._calls.http.write(method, f"/{place}/{self._key}/Items", params={**params, **whose})


def _members(rows: Sequence[Any], *, entries: bool) -> list[Member | None]:
    """The rows of one page. None is one that cannot be read. What stands there twice is told apart by its number."""
    found: list[Member | None] = []
    seen: Counter[str] = Counter()
    for raw in rows:
        key = raw.get("Id") if isinstance(raw, dict) else None
        entry = raw.get("PlaylistItemId") if entries and isinstance(raw, dict) else key
        if not isinstance(key, str) or not isinstance(entry, str) or not KEY.fullmatch(key) or not KEY.fullmatch(entry):
            found.append(None)
            continue
        seen[entry] += 1
        found.append(Member(key, entry, seen[entry]))
    return found


def _told_apart(row: Member | None) -> object:
    return None if row is None else (row.entry, row.copy)


def _named(raw: object) -> tuple[str, str] | None:
    """The key and the name of a list."""
    key, name = (raw.get("Id"), raw.get("Name")) if isinstance(raw, dict) else (None, None)
    return (key, name) if isinstance(key, str) and KEY.fullmatch(key) and isinstance(name, str) else None
