"""What Jellyfin and Emby share, which once were one program: one user at one server.

History, ratings, positions and favourites all stand in the rows of the libraries, so one scan of these
feeds every feature of a run and finds the titles to write. How they differ is `_mbdialect`. A watchlist may be a
playlist or a collection instead: `_mblist`.

An account has a login (``cwsync auth login``), or a key of the server, or a token of the user, in the file.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final

from cwsync.errors import AuthError, ConfigError, UnavailableError
from cwsync.model import AccountSpec, Bond, Capabilities, Change, Feature, Receipt, Snapshot
from cwsync.provider import Finding, Opened, Option, Person, Services
from cwsync.providers._mbcalls import Calls, device_of, new_device, raise_gone
from cwsync.providers._mbcaps import narrowed
from cwsync.providers._mbdialect import Dialect
from cwsync.providers._mbfind import Finder
from cwsync.providers._mblist import CHOICES, FAVOURITES, KINDS, Chosen, kind_of, name_of
from cwsync.providers._mblistwrite import ListWriter
from cwsync.providers._mblogin import Conversation, account_id, is_user
from cwsync.providers._mbread import PAGE, Library, Listing
from cwsync.providers._mbshelf import Shelf
from cwsync.providers._mbwire import USER_ID, Server, User, decode_user, decode_users, plain_id
from cwsync.providers._mbwrite import Writer
from cwsync.tokens import Tokens, not_logged_in

OPTIONS: Final[tuple[Option, ...]] = (
    Option("url", "text", "the address of the server, with its base path: http://192.168.1.10:8096", required=True),
    Option("token", "secret", "a key of the server (with user), or a token of the user, in place of a login"),
    Option("user", "text", "whose history it is, by name or id; needed beside a key"),
    Option("libraries", "strings", "the libraries to use, by name; all of films and shows if absent", default=[]),
    Option("watchlist", "text", "what the watchlist is at the server", choices=CHOICES, default=FAVOURITES),
    Option("watchlist_name", "text", "the name of the playlist or collection, which is there already"),
    Option("ca_file", "path", "a certificate to trust for this server alone"),
    Option("fingerprint", "text", "the SHA-256 of the server's certificate, to trust it alone"),
)


class MediaBrowser(Opened):
    """One user at one server. `requests` counts those of this object."""

    dialect: ClassVar[Dialect]
    capabilities: ClassVar[Capabilities]
    options: ClassVar[tuple[Option, ...]] = OPTIONS
    replaces_login: ClassVar[str | None] = "token"
    page_rows: int = PAGE

    def __init__(self, account: AccountSpec, services: Services) -> None:
        self._account = account
        self._list_name = name_of(account)
        self._can = self.capabilities_of(account)
        self._services = services
        self._direct = "token" in account.secrets
        self._calls = Calls(account, services, self.dialect, "", sleep=self.sleep)
        self._library: Library | None = None
        self._writer: Writer | None = None
        self._lister: Writer | None = None  # that of the watchlist
        self._shelf: Shelf | None = None
        self._server: Server | None = None
        self.account_id = ""
        self.requests = 0

    @staticmethod
    async def sleep(seconds: float) -> None:
        """How a locked database is waited out; tests do not wait."""
        await asyncio.sleep(seconds)

    @classmethod
    def capabilities_of(cls, account: AccountSpec) -> Capabilities:
        """What an account can do: less, where its watchlist is a playlist."""
        return narrowed(cls.capabilities, KINDS[kind_of(account.options)])

    # --- opening ----------------------------------------------------------------------------------

    async def open(self) -> None:
        """See which server it is and that it takes the token. Raises `AuthError`, `UnavailableError`, `ConfigError`."""
        try:
            user, admin = await (self._open_direct() if self._direct else self._open_login())
        finally:
            self._count()
        names = self._account.options.get("libraries")
        libraries = tuple(str(name) for name in names) if isinstance(names, list | tuple) else ()
        page, kind, title = self.page_rows, kind_of(self._account.options), self.dialect.title
        chosen = None if kind == FAVOURITES else Chosen(self._calls, user.id, kind, self._list_name, page)
        self._library = Library(self._calls, user.id, libraries, admin=admin, page=page, chosen=chosen)
        finder = Finder(self._library)
        self._writer = self._lister = Writer(self._library, finder, title)
        if chosen is not None:
            self._lister = ListWriter(self._library, finder, title, chosen)

    async def _open_login(self) -> tuple[User, bool]:
        """With the stored login. No token leaves before the server there has said that it is the right one."""
        tokens = self._services.tokens.load()
        if tokens is None:
            raise not_logged_in(self._account.name)
        token = tokens.secret("access", self._calls.url)
        self._calls = await self._instead(tokens.chosen.get("client", ""))
        server = self._server = await self._calls.server()
        if server.id != tokens.chosen.get("machine"):
            hint = f"if it was replaced on purpose, log in again: cwsync auth login {self._account.name}"
            raise AuthError("another server answers at this address", where=self._account.name, hint=hint)
        self._calls.use(token)
        user = await self._user_by_id(tokens.chosen.get("user", ""), tokens.chosen.get("name", "?"))
        wanted = self._account.options.get("user")
        if isinstance(wanted, str) and not is_user(wanted, user):
            hint = f"log in as {wanted}: cwsync auth login {self._account.name}"
            raise AuthError(f"the login is that of {user.name!r}", where=self._account.name, hint=hint)
        self.account_id = tokens.account_id
        return user, user.admin

    async def _instead(self, device: str) -> Calls:
        """A connection under the name that a token belongs to, in place of the one so far."""
        await self._calls.http.aclose()
        return Calls(self._account, self._services, self.dialect, device, sleep=self.sleep)

    async def _open_direct(self) -> tuple[User, bool]:
        """With a key or a token of the file, at an address of the file: to the server there, whichever it is."""
        secret = self._services.secret("token")
        if secret is None:
            raise AuthError("no token", where=self._account.name, hint=f"set accounts.{self._account.name}.token")
        self._calls = await self._instead(device_of(self._account, self._services))
        server = self._server = await self._calls.server()
        self._calls.use(secret.strip())
        wanted = self._account.options.get("user")
        user, admin = await self._whose(wanted if isinstance(wanted, str) else None)
        self.account_id = account_id(self.dialect.name, server, user)
        return user, admin

    @abstractmethod
    async def _whose(self, wanted: str | None) -> tuple[User, bool]:
        """Whose rows are meant, and whether the token is that of an administrator. `wanted` is a name or an id."""

    async def _user_by_id(self, key: str, name: str) -> User:
        """A user as the server knows them now. Raises `AuthError` for one that is gone."""
        answer = await self._calls.get(f"/Users/{plain_id(key)}", allowed=(200, 404))
        if answer.status == 404:
            raise_gone(self._account.name, name)
        return decode_user(answer)

    async def _user_called(self, wanted: str) -> User:
        """A user by name or id, out of the list of all."""
        if USER_ID.fullmatch(plain_id(wanted)):
            answer = await self._calls.get(f"/Users/{plain_id(wanted)}", allowed=(200, 404))
            users = [decode_user(answer)] if answer.status == 200 else []
        else:
            answer = await self._calls.get("/Users", allowed=(200, 403))
            if answer.status == 403:
                where, hint = f"accounts.{self._account.name}.user", "set user to the id of the user, 32 digits"
                raise ConfigError("this token may not look up users by name", where=where, hint=hint)
            users = decode_users(answer)
        found = min((one for one in users if is_user(wanted, one)), key=lambda one: one.name != wanted, default=None)
        if found is None:
            names = ", ".join(repr(one.name) for one in users)
            where = f"accounts.{self._account.name}.user"
            hint = f"users of this server: {names}" if names else "give the user's name, or the id it has now"
            raise ConfigError(f"there is no user {wanted!r} at this server", where=where, hint=hint)
        return found

    def _needs_user(self) -> ConfigError:
        hint = "set user to the name of whose history it is: the key is that of the whole server"
        return ConfigError("needs `user` beside a key", where=f"accounts.{self._account.name}.user", hint=hint)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._library is not None:
            await self._library.aclose()
        await self._calls.http.aclose()

    def _count(self) -> None:
        self.requests = self._calls.http.requests

    # --- reading and writing ------------------------------------------------------------------------

    async def watermark(self, feature: Feature) -> str | None:  # noqa: ARG002
        """Always None: there is no stamp that moves with everything a user does."""
        return None

    async def fetch(self, feature: Feature) -> Snapshot:
        """The whole feature. Raises `UnavailableError`, `AuthError`; `ConfigError` for a library that is not there."""
        library, _ = self._opened(feature)
        try:
            reading = await library.read(feature)
        finally:
            self._count()
        return Snapshot(
            feature,
            tuple(reading.entries),
            complete=reading.doubt is None,
            account_id=self.account_id,
            undecoded=tuple(reading.undecoded),
            lingering=tuple(reading.lingering),
            doubt=reading.doubt,
            server_now=self._calls.now,
            requests=reading.requests,
            warnings=self._warnings(),
            shelf=None if reading.list_doubt else self._shelf_of(reading.lists),
        )

    def _shelf_of(self, lists: Sequence[tuple[str, Listing]]) -> Shelf:
        """The library behind a feature; behind several features that share their lists, the same."""
        known = self._shelf
        if known is None or not known.is_of(lists):
            known = self._shelf = Shelf(lists)
        return known

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """Write; one receipt each, in order. Raises `UnavailableError` and `AuthError` only before the first write."""
        library, writer = self._opened(feature)
        if not changes:
            return []
        try:
            return await writer.write(feature, changes, self._can.of(feature).kinds)
        finally:
            self._count()
            library.forget()  # what was read is not what is there any more
            self._shelf = None

    async def bound(self, feature: Feature, changes: Sequence[Change]) -> list[Bond | None]:
        """Which changes one write carries out: those of the episodes in one file. Raises as `fetch` does."""
        _, writer = self._opened(feature)
        try:
            return await writer.bound(feature, changes)
        finally:
            self._count()

    async def examine(self) -> Sequence[Finding]:
        """Which server it is, and whether it is one that is known. Asks nothing."""
        server = self._server
        if server is None:
            return []
        warnings = self._warnings()
        told = f"{self.dialect.title} {server.version}, {server.name}"
        return [Finding(not warnings, "server", "; ".join((told, *warnings)))]

    def _warnings(self) -> tuple[str, ...]:
        """What a person should know of the server."""
        server = self._server
        if server is None or server.numbers[0] <= self.dialect.newest:
            return ()
        newest = f"{self.dialect.title} {self.dialect.newest}"
        return (f"the server is newer than what is known of it ({newest}): look at what is planned",)

    def _opened(self, feature: Feature) -> tuple[Library, Writer]:
        writer = self._lister if feature is Feature.WATCHLIST else self._writer
        if self._library is None or writer is None:
            raise UnavailableError("is not open", where=self._account.name)
        return self._library, writer

    # --- login --------------------------------------------------------------------------------------

    @classmethod
    async def login(cls, account: AccountSpec, services: Services, person: Person) -> Tokens:
        """By a code that is entered in a client that is logged in (Jellyfin), or by a password."""
        known = services.tokens.load()
        device = (known.chosen.get("client") if known is not None else None) or new_device()
        calls = Calls(account, services, cls.dialect, device, sleep=cls.sleep)
        try:
            return await Conversation(account, person, calls, device).run()
        finally:
            await calls.http.aclose()

    @classmethod
    async def logout(cls, account: AccountSpec, services: Services, tokens: Tokens) -> bool:
        """Have the server forget the token."""
        calls = Calls(account, services, cls.dialect, tokens.chosen.get("client", ""), sleep=cls.sleep)
        calls.use(tokens.secret("access", calls.url))
        try:
            answer = await calls.http.write("POST", "/Sessions/Logout", idempotent=True)
            calls.judge(answer, (200, 204))
        finally:
            await calls.http.aclose()
        return True
