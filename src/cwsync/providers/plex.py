"""Plex: one user at one media server, and that user's watchlist in the cloud.

History, ratings and progress live on the server, the watchlist at plex.tv. All of it belongs to the
user whose token it is: there is no way to write for someone else, and so there is none here.

An account has a login (``cwsync auth login``: account, user of the home, server), or the address of
a server and a token of its own in the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar, Final

from cwsync.errors import AuthError, ConfigError, UnavailableError
from cwsync.http import Bucket, Http
from cwsync.model import AccountSpec, Capabilities, Change, Feature, Receipt, Snapshot
from cwsync.provider import Opened, Option, Person, Services
from cwsync.providers._address import server_url, service_url
from cwsync.providers._plexcache import IdCache
from cwsync.providers._plexcaps import CAPABILITIES
from cwsync.providers._plexcloud import Watchlist
from cwsync.providers._plexfind import Finder
from cwsync.providers._plexlogin import (
    Conversation,
    Server,
    decode_account,
    differs,
    find_address,
    headers_of,
    judge_tv,
    new_client,
    read_servers,
    server_http,
)
from cwsync.providers._plexread import Library, Reading
from cwsync.providers._plexshelf import KnownRows
from cwsync.providers._plexwire import decode_machine_id, judge
from cwsync.providers._plexwrite import write_all
from cwsync.tokens import Tokens, origin_of

EXAMPLE: Final = "http://192.168.1.10:32400"
CLOUD: Final = {
    "plex_tv_url": "https://plex.tv",
    "discover_url": "https://discover.provider.plex.tv",
    "metadata_url": "https://metadata.provider.plex.tv",
}


class Plex(Opened):
    """One user at one server. `requests` counts those of this object, at all hosts."""

    capabilities: ClassVar[Capabilities] = CAPABILITIES
    options: ClassVar[tuple[Option, ...]] = (
        Option("url", "text", "the address of the server, http://192.168.1.10:32400; found by the login if absent"),
        Option("token", "secret", "a token of this user for that server, in place of a login"),
        Option("libraries", "strings", "the libraries to use, by title; all of films and shows if absent", default=[]),
        Option("server", "text", "which server to log in to, by its name"),
        Option("user", "text", "which user of the home to log in as, by name"),
        Option("plex_tv_url", "text", "in place of plex.tv", default=CLOUD["plex_tv_url"]),
        Option("discover_url", "text", "in place of the host of the watchlist", default=CLOUD["discover_url"]),
        Option("metadata_url", "text", "in place of the host of the catalogue", default=CLOUD["metadata_url"]),
        Option("ca_file", "path", "a certificate to trust for this server alone"),
        Option("fingerprint", "text", "the SHA-256 of the server's certificate, to trust it alone"),
    )
    replaces_login: ClassVar[str | None] = "token"
    # How often the cloud may be asked. Source: what clients found it to bear (checked 2026-11-21).
    cloud_rate_per_s: ClassVar[float] = 5.0
    cloud_burst: ClassVar[int] = 20

    def __init__(self, account: AccountSpec, services: Services) -> None:
        self._account = account
        self._services = services
        self._tv, self._discover, self._metadata = (service_url(account, name, CLOUD[name]) for name in CLOUD)
        self._url = server_url(account, EXAMPLE)
        self._direct = "token" in account.secrets
        if self._direct and self._url is None:
            hint = f"set the address of the server, or leave the token out and run: cwsync auth login {account.name}"
            raise ConfigError("needs `url` beside `token`", where=f"accounts.{account.name}.url", hint=hint)
        names = account.options.get("libraries")
        self._libraries = tuple(str(name) for name in names) if isinstance(names, list | tuple) else ()
        self._clients: list[Http] = []
        self._library: Library | None = None
        self._watchlist: Watchlist | None = None
        self._finder: Finder | None = None
        self._known: KnownRows | None = None
        self.account_id = ""
        self.requests = 0
        self._server_only = False

    # --- opening ----------------------------------------------------------------------------------

    async def open(self) -> None:
        """Reach the server and see that it takes the token. Raises `AuthError`, `UnavailableError`, `ConfigError`."""
        name = f"{self._account.name}-plex-ids.json"
        keep, seen = (folder and folder / name for folder in (self._services.cache_dir, self._services.cache_seen))
        cache = IdCache(keep, seen or keep)
        try:
            pms, cloud = await (self._open_direct(cache) if self._direct else self._open_login())
            self._library = library = Library(pms, self._libraries)
            if not self._direct:
                await self._proved(library, pms, cloud)
            elif self._libraries:
                await library.sections()  # a name that is wrong ends all of the run, not the features that need it
        finally:
            self._count()
        self._finder = Finder(library)
        name = f"{self._account.name}-plex-rows.json"
        keep, seen = (folder and folder / name for folder in (self._services.memory_dir, self._services.memory_seen))
        self._known = KnownRows(keep, seen or keep, self.account_id)
        self._watchlist = Watchlist(cloud, self._discover, self._metadata, cache)

    async def _open_direct(self, cache: IdCache) -> tuple[Http, Http]:
        """With a token of the file, at an address of the file: to the server there, whichever it is."""
        secret = self._services.secret("token")
        if secret is None or self._url is None:
            raise AuthError("no token", where=self._account.name, hint=f"set accounts.{self._account.name}.token")
        token = secret.strip()
        client = f"cwsync-{hashlib.sha256(self._account.name.encode()).hexdigest()[:24]}"
        cloud, pms = self._cloud_http(client, token), self._server_http(self._url, client, token)
        machine = await self._machine_id(pms, "/")
        self.account_id = f"plex:{machine}:{await self._user_of(cloud, token, machine, cache)}"
        return pms, cloud

    async def _user_of(self, cloud: Http, token: str, machine: str, cache: IdCache) -> str:
        """Who a token of the file belongs to. One that is of a server alone is known by a digest of itself.

        A token never changes its owner, so plex.tv is not asked at every start.
        """
        digest = hashlib.sha256(f"{machine}:{token}".encode()).hexdigest()
        name = f"user {digest}"
        cache.load()
        known = cache.get(name)
        if known is None:
            answer = await cloud.get(f"{self._tv}/api/v2/user")
            if answer.status in (401, 422):
                known = ()
            else:
                judge_tv(answer, self._account.name)
                known = (decode_account(answer).id,)
            cache.put({name: known})
            cache.save()
        self._server_only = not known
        return known[0] if known else f"token-{digest[:16]}"

    async def _open_login(self) -> tuple[Http, Http]:
        """With the stored login. No token leaves before the server there has said that it is the right one."""
        tokens = self._services.tokens.load()
        if tokens is None:
            hint = f"log in: cwsync auth login {self._account.name}"
            raise AuthError("not logged in", where=self._account.name, hint=hint)
        if other := differs(self._account, tokens.chosen):
            option, wanted, found = other
            hint = f"log in again: cwsync auth login {self._account.name}"
            where = f"accounts.{self._account.name}.{option}"
            raise AuthError(f"is {wanted!r}, but the login is of {found!r}", where=where, hint=hint)
        access, token = tokens.secret("access", self._tv), tokens.secrets["server"]
        client, machine = tokens.chosen.get("client", ""), tokens.chosen.get("machine", "")
        cloud = self._cloud_http(client, access)
        pms = self._server_http(self._url or tokens.chosen.get("address", ""), client)
        if not await self._is_there(pms, machine):
            server = await self._server(cloud, machine)
            pms = self._server_http(await find_address(self._account, self._services, client, server), client)
        pms.headers = headers_of(self._services, client, token)
        self.account_id = tokens.account_id
        return pms, cloud

    async def _proved(self, library: Library, pms: Http, cloud: Http) -> None:
        """The first read with the token, one that is needed anyway. A server that was claimed anew has new tokens."""
        try:
            await library.sections()
        except AuthError:
            tokens = self._services.tokens.load()
            if tokens is None:
                raise
            fresh = await self._services.tokens.refresh(tokens, partial(self._renewed, cloud))
            pms.headers = headers_of(self._services, tokens.chosen.get("client", ""), fresh.secrets["server"])
            library.forget()
            await library.sections()

    async def _renewed(self, cloud: Http, tokens: Tokens) -> Tokens:
        """The login with the server's token of by now. Raises `AuthError` when that is the one we have."""
        server = await self._server(cloud, tokens.chosen.get("machine", ""))
        if server.token == tokens.secrets["server"]:
            hint = f"log in again: cwsync auth login {self._account.name}"
            raise AuthError("the server does not take this token", where=self._account.name, hint=hint)
        secrets = {**tokens.secrets, "server": server.token}
        return replace(tokens, secrets=secrets, obtained_at=datetime.now(UTC))

    async def _is_there(self, pms: Http, machine: str) -> bool:
        """Whether the server of the login answers; if not, it may have moved, unless the file says where it is."""
        try:
            found = await self._machine_id(pms, "/identity")
        except UnavailableError:
            if self._url is not None:
                raise
            return False
        if found != machine and self._url is not None:
            hint = f"if it was replaced on purpose, log in again: cwsync auth login {self._account.name}"
            raise AuthError("another server answers at this address", where=self._account.name, hint=hint)
        return found == machine

    async def _server(self, cloud: Http, machine: str) -> Server:
        """What plex.tv says of the server of the login by now."""
        servers = await read_servers(cloud, self._account.name, cloud.headers)
        server = next((one for one in servers if one.machine_id == machine), None)
        if server is None:
            hint = f"if it was replaced, log in again: cwsync auth login {self._account.name}"
            raise AuthError("this user may not use the server any more", where=self._account.name, hint=hint)
        return server

    async def _machine_id(self, pms: Http, path: str) -> str:
        answer = await pms.get(path)
        judge(answer, self._account.name)
        return decode_machine_id(answer)

    def _server_http(self, url: str, client: str, token: str | None = None) -> Http:
        self._clients.append(server_http(self._account, self._services, client, url, token))
        return self._clients[-1]

    def _cloud_http(self, client: str, token: str) -> Http:
        rate = self.cloud_rate_per_s
        cloud = Http(
            self._account.name,
            origins=[self._tv, self._discover, self._metadata],
            headers=headers_of(self._services, client, token),
            timeout_s=self._account.timeout.total_seconds(),
            read_bucket=Bucket(rate, self.cloud_burst),
            write_bucket=Bucket(rate, self.cloud_burst),
        )
        self._clients.append(cloud)
        return cloud

    def _count(self) -> None:
        self.requests = sum(http.requests for http in self._clients)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._library is not None:
            await self._library.aclose()
        for http in self._clients:
            await http.aclose()

    # --- reading and writing ------------------------------------------------------------------------

    async def watermark(self, feature: Feature) -> str | None:
        """How many rows hold something, and the newest of them: one small request for each list of each library."""
        library, watchlist = self._opened(feature)
        try:
            return await (watchlist.watermark() if feature is Feature.WATCHLIST else library.watermark(feature))
        finally:
            self._count()

    async def fetch(self, feature: Feature) -> Snapshot:
        """The whole feature. Raises `UnavailableError`, `AuthError`; `ConfigError` for a library that is not there."""
        library, watchlist = self._opened(feature)
        shelf, asked = None, 0
        try:
            reading: Reading = await (watchlist.read() if feature is Feature.WATCHLIST else library.read(feature))
            if self._known is not None and feature is not Feature.WATCHLIST:
                shelf, asked = await self._known.shelf(library, feature, reading.held, whole=not reading.undecoded)
        finally:
            self._count()
        return Snapshot(
            feature,
            tuple(reading.entries),
            complete=reading.doubt is None,
            account_id=self.account_id,
            watermark=reading.mark,
            undecoded=tuple(reading.undecoded),
            doubt=reading.doubt,
            server_now=reading.server_now,
            requests=reading.requests + asked,
            shelf=shelf,
        )

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """Write; one receipt each, in order. Raises `UnavailableError` only before the first write."""
        library, watchlist = self._opened(feature)
        if not changes:
            return []
        try:
            if feature is Feature.WATCHLIST:
                return await watchlist.write(changes)
            kinds, known = self.capabilities.of(feature).kinds, self._known
            writing = partial(known.writing, feature) if known else lambda _: None
            try:
                return await write_all(
                    library, self._finder or Finder(library), feature, changes, kinds, writing=writing
                )
            finally:
                if feature is Feature.RATINGS:
                    library.wrote()
        finally:
            self._count()

    def _opened(self, feature: Feature) -> tuple[Library, Watchlist]:
        if self._server_only and feature is Feature.RATINGS:
            # Source: CrossWatch pull request 301 (checked 2026-11-21).
            why = "with a token of the server alone Plex was seen to give the ratings of the owner"
            hint = f"take the token out of the file and log in: cwsync auth login {self._account.name}"
            raise AuthError(why, where=self._account.name, hint=hint)
        if self._library is None or self._watchlist is None:
            raise UnavailableError("is not open", where=self._account.name)
        return self._library, self._watchlist

    # --- login --------------------------------------------------------------------------------------

    @classmethod
    async def login(cls, account: AccountSpec, services: Services, person: Person) -> Tokens:
        """Have a person enter a PIN at plex.tv/link, choose a user of the home and a server."""
        tv = service_url(account, "plex_tv_url", CLOUD["plex_tv_url"])
        server_url(account, EXAMPLE)
        known = services.tokens.load()
        client = known.chosen.get("client") if known is not None else None
        found = await Conversation(account, services, person, tv, client or new_client()).run()
        account_id = f"plex:{found.chosen['machine']}:{found.user.id}"
        origin = origin_of(tv) or tv
        return Tokens(
            account.name, account.provider, account_id, origin, found.secrets, person.now(), None, found.chosen
        )

    @classmethod
    async def logout(cls, account: AccountSpec, services: Services, tokens: Tokens) -> bool:
        """Sign the device out at plex.tv: its tokens die, at every server."""
        tv = service_url(account, "plex_tv_url", CLOUD["plex_tv_url"])
        headers = headers_of(services, tokens.chosen.get("client", ""), tokens.secret("access", tv))
        async with Http(account.name, origins=[tv], headers=headers) as http:
            answer = await http.write("DELETE", "/api/v2/users/signout", idempotent=True)
        judge_tv(answer, account.name)
        return True
