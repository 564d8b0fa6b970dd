"""Logging in to Plex: a PIN, the user of the home, the server and its address.

Source: recorded answers of plex.tv, and what clients do: a PIN without ``strong`` is four characters
for plex.tv/link; tokens and PINs belong to the client identifier; each user of a home has an account
token of their own, each server another one for each user (checked 2026-11-21).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from cwsync.errors import AuthError, ConfigError, UnavailableError
from cwsync.http import Answer, Http
from cwsync.model import AccountSpec
from cwsync.provider import Choice, Person, Services
from cwsync.providers._address import trust_of
from cwsync.providers._plexwire import decode_machine_id, judge
from cwsync.redaction import remember

LINK: Final = "https://plex.tv/link"
PROBE_S: Final = 5.0
_SOON: Final = timedelta(minutes=1)
_PIN_S: Final = 900


@dataclass(frozen=True, slots=True)
class Account:
    """A user at plex.tv. `id` and `uuid` never change; the name does."""

    id: str
    uuid: str
    name: str
    home: bool = False


@dataclass(frozen=True, slots=True)
class HomeUser:
    """A user of a home, to be chosen."""

    uuid: str
    name: str
    protected: bool
    managed: bool


@dataclass(frozen=True, slots=True)
class Server:
    """A media server that an account may use. `token` is the account's token for this server."""

    machine_id: str
    name: str
    owned: bool
    token: str
    addresses: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<server {self.machine_id}>"


def headers_of(services: Services, client: str, token: str | None = None) -> dict[str, str]:
    """The headers that Plex wants with every request. The token stands here and never in an address."""
    product, _, version = services.user_agent.partition("/")
    made = {
        "Accept": "application/json",
        "User-Agent": services.user_agent,
        "X-Plex-Client-Identifier": client,
        "X-Plex-Product": product,
        "X-Plex-Version": version or "0",
        "X-Plex-Platform": "Python",
        "X-Plex-Device": product,
        "X-Plex-Device-Name": product,
    }
    return made if token is None else {**made, "X-Plex-Token": remember(token)}


def server_http(
    account: AccountSpec,
    services: Services,
    client: str,
    url: str,
    token: str | None = None,
    *,
    within_s: float | None = None,
) -> Http:
    """A client for a media server, which trusts what the account trusts. `within_s` is for a server that may not be."""
    ca_file, fingerprint = trust_of(account)
    timeout_s = account.timeout.total_seconds()
    return Http(
        account.name,
        origins=[url],
        headers=headers_of(services, client, token),
        timeout_s=timeout_s if within_s is None else min(timeout_s, within_s),
        deadline_s=within_s,
        ca_file=ca_file,
        fingerprint=fingerprint,
    )


# --- plex.tv ------------------------------------------------------------------------------------------


def judge_tv(answer: Answer, account: str) -> None:
    """Raise for a status of plex.tv that is none of success."""
    if answer.ok:
        return
    if answer.status in (401, 422, 498):
        hint = f"log in again: cwsync auth login {account} (or renew the token in the file)"
        raise AuthError("Plex does not know this login any more", where=account, hint=hint)
    raise UnavailableError(f"{answer.call} answered {answer.status}", where=account, hint="try again later")


def decode_account(answer: Answer) -> Account:
    """Whose token it is."""
    raw = answer.items(dict)
    number, uuid, name = raw.get("id"), raw.get("uuid"), raw.get("title") or raw.get("username") or "?"
    if type(number) is not int or not isinstance(uuid, str) or not isinstance(name, str):
        answer.garbled("it is no account")
    return Account(str(number), uuid, name, raw.get("home") is True)


def decode_home(answer: Answer) -> list[HomeUser]:
    """The users of a home; an object with ``users``, or the bare list."""
    body = answer.json()
    rows = body.get("users") if isinstance(body, dict) else body
    if not isinstance(rows, list):
        answer.garbled("it has no list of users")
    found = []
    for raw in rows:
        if not isinstance(raw, dict) or not isinstance(raw.get("uuid"), str):
            answer.garbled("a user has no uuid")
        name = str(raw.get("title") or raw.get("username") or "?")
        found.append(HomeUser(raw["uuid"], name, raw.get("protected") is True, raw.get("restricted") is True))
    return found


def decode_servers(answer: Answer) -> list[Server]:
    """The media servers of an account, their addresses best first."""
    found = []
    for raw in answer.items(list):
        if not isinstance(raw, dict) or "server" not in str(raw.get("provides")).split(","):
            continue
        machine, name, token = raw.get("clientIdentifier"), raw.get("name"), raw.get("accessToken")
        if not all(isinstance(text, str) and text for text in (machine, name, token)):
            continue  # a server that this user may not use has no token
        owned = raw.get("owned") is True
        near = owned or raw.get("publicAddressMatches") is True
        addresses = _addresses(raw.get("connections"), near=near, http=raw.get("httpsRequired") is not True)
        found.append(Server(str(machine), str(name), owned, str(token), addresses))
    return found


def _addresses(connections: object, *, near: bool, http: bool) -> tuple[str, ...]:
    """Where a server may be: local ones first, then remote, then relayed; HTTPS first, IPv4 first.

    Names under plex.direct fail where the router drops answers that lead inside; then the plain
    address of the local network is tried, if the server takes it.
    """
    ranked: list[tuple[tuple[bool, bool, bool, bool], str]] = []
    for raw in connections if isinstance(connections, list) else []:
        if not isinstance(raw, dict) or not isinstance(raw.get("uri"), str):
            continue
        local, relay, six = raw.get("local") is True, raw.get("relay") is True, raw.get("IPv6") is True
        if local and not near:
            continue
        plain = raw["uri"].startswith("http://")
        ranked.append(((relay, not local, plain, six), raw["uri"]))
        address, port = raw.get("address"), raw.get("port")
        if local and http and not plain and isinstance(address, str) and type(port) is int:
            host = f"[{address}]" if ":" in address else address
            ranked.append(((relay, not local, True, six), f"http://{host}:{port}"))
    return tuple(dict.fromkeys(address for _, address in sorted(ranked)))


# --- finding the server ---------------------------------------------------------------------------------


async def find_address(account: AccountSpec, services: Services, client: str, server: Server) -> str:
    """The best address under which `server` itself answers; all are asked at once.

    Raises `UnavailableError` when none does. No token is sent: who answers is not known yet. An account that names
    the certificate to trust is never answered without one.
    """
    pinned = any(trust_of(account))
    addresses = [one for one in server.addresses if one.startswith("https://") or not pinned]
    probes = [asyncio.create_task(_probe(account, services, client, one, server)) for one in addresses]
    try:
        for address, probe in zip(addresses, probes, strict=True):
            if await probe:
                return address
    finally:
        for probe in probes:
            probe.cancel()
        await asyncio.gather(*probes, return_exceptions=True)
    hosts = ", ".join(sorted({urlsplit(one).hostname or one for one in addresses})) or "none"
    raise UnavailableError(
        f"the server {server.name!r} answers at none of its addresses ({hosts})",
        where=account.name,
        hint=f"see that it runs, or set accounts.{account.name}.url to its address",
    )


async def _probe(account: AccountSpec, services: Services, client: str, address: str, server: Server) -> bool:
    async with server_http(account, services, client, address, within_s=PROBE_S) as http:
        try:
            answer = await http.get("/identity")
            return answer.ok and decode_machine_id(answer) == server.machine_id
        except UnavailableError:
            return False  # nobody there, or somebody else: the next address may do


# --- the conversation -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Login:
    """What a login found out. `secrets` are the tokens of the account and of the server."""

    secrets: Mapping[str, str]
    chosen: Mapping[str, str]
    user: Account

    def __repr__(self) -> str:
        return f"<login of {self.user.id}>"


class Conversation:
    """One login, with a person at hand. `tv` is the address of plex.tv."""

    def __init__(self, account: AccountSpec, services: Services, person: Person, tv: str, client: str) -> None:
        self._account = account
        self._services = services
        self._person = person
        self._client = client
        self._http = Http(account.name, origins=[tv], headers=headers_of(services, client))

    async def run(self) -> Login:
        """From PIN to server. Raises `AuthError`, `UnavailableError`, `ConfigError`, `UsageError`."""
        url = self._option("url")
        # Nobody types a PIN for a server that does not answer.
        machine = await self._machine_at(url) if url else None
        async with self._http:
            token = await self._pin()
            token, user = await self._choose_user(token, await self._whoami(token))
            server = await self._choose_server(token, machine)
        address = url or await find_address(self._account, self._services, self._client, server)
        await self._prove(address, server)
        chosen = {"client": self._client, "machine": server.machine_id, "server": server.name}
        chosen |= {"user": user.uuid, "name": user.name, "address": address}
        for name in ("user", "server"):
            if preset := self._option(name):
                chosen[f"asked_{name}"] = preset
        self._person.say(f"{user.name} at {server.name}")
        return Login({"access": token, "server": server.token}, chosen, user)

    def _option(self, name: str) -> str | None:
        found = self._account.options.get(name)
        return found if isinstance(found, str) else None

    def _with(self, token: str) -> dict[str, str]:
        return headers_of(self._services, self._client, token)

    async def _pin(self) -> str:
        """Have a person type four characters at plex.tv/link."""
        answer = await self._http.write("POST", "/api/v2/pins", repeat_refused=False)
        judge_tv(answer, self._account.name)
        pin = answer.items(dict)
        number, code, lifetime = pin.get("id"), pin.get("code"), pin.get("expiresIn")
        if type(number) is not int or not isinstance(code, str):
            answer.garbled("it is no PIN")
        began = self._person.now()
        seconds = lifetime if type(lifetime) is int and 0 < lifetime <= 3600 else _PIN_S
        self._person.visit(LINK, code, seconds // 60)
        while self._person.now() - began < timedelta(seconds=seconds):
            await self._person.wait(1.0 if self._person.now() - began < _SOON else 2.0)
            if token := await self._poll(number):
                return token
        raise self._too_late()

    async def _poll(self, number: int) -> str | None:
        answer = await self._http.get(f"/api/v2/pins/{number}")
        if answer.status == 404:
            raise self._too_late()
        judge_tv(answer, self._account.name)
        token = answer.items(dict).get("authToken")
        return remember(token) if isinstance(token, str) and token else None

    def _too_late(self) -> AuthError:
        hint = f"run it again: cwsync auth login {self._account.name}"
        return AuthError("nobody entered the code in time", where=self._account.name, hint=hint)

    async def _whoami(self, token: str) -> Account:
        answer = await self._http.get("/api/v2/user", headers=self._with(token))
        judge_tv(answer, self._account.name)
        return decode_account(answer)

    async def _choose_user(self, token: str, own: Account) -> tuple[str, Account]:
        """Whose plays and ratings the account is about. One token is one user: nothing else keeps them apart."""
        users = await self._home(token) if own.home else []
        choices = [Choice(one.uuid, one.name, "managed" if one.managed else "") for one in users]
        # Without a home there is nobody else; a file that names somebody else is not met by that.
        choices = choices or [Choice(own.uuid, own.name)]
        question = "Whose history, ratings and watchlist is this account about?"
        chosen = self._person.choose("user", question, choices, preset=self._option("user"))
        if chosen.key == own.uuid:
            return token, own
        user = next(one for one in users if one.uuid == chosen.key)
        other = await self._switch(token, user)
        found = await self._whoami(other)
        if found.uuid != user.uuid:
            raise AuthError(f"Plex gave a token of {found.name!r} for {user.name!r}", where=self._account.name)
        return other, found

    async def _home(self, token: str) -> list[HomeUser]:
        answer = await self._http.get("/api/v2/home/users", headers=self._with(token))
        judge_tv(answer, self._account.name)
        return decode_home(answer)

    async def _switch(self, token: str, user: HomeUser) -> str:
        params = {}
        if user.protected:
            # Plex takes the PIN as a parameter only; four digits are too short to be kept out of addresses otherwise.
            params["pin"] = self._person.ask_secret(f"PIN of {user.name}", option="user")
        path = f"/api/v2/home/users/{user.uuid}/switch"
        answer = await self._http.write("POST", path, params=params, headers=self._with(token), repeat_refused=False)
        if answer.status in (401, 403, 422):
            hint = f"run it again with the right PIN: cwsync auth login {self._account.name}"
            raise AuthError(f"Plex does not let us in as {user.name!r}", where=self._account.name, hint=hint)
        judge_tv(answer, self._account.name)
        found = answer.items(dict).get("authToken")
        if not isinstance(found, str) or not found:
            answer.garbled("it has no token")
        return remember(found)

    async def _choose_server(self, token: str, machine: str | None) -> Server:
        """The server to use: the one at the address of the file, whose `machine` id that is, or one to be chosen."""
        servers = await read_servers(self._http, self._account.name, self._with(token))
        if not servers:
            hint = "claim a server for this user, or have its owner share it"
            raise ConfigError("this user has no media server", where=self._account.name, hint=hint)
        if machine is not None:
            here = [one for one in servers if one.machine_id == machine]
            if not here:
                names = ", ".join(repr(server.name) for server in servers)
                where, hint = f"accounts.{self._account.name}.url", f"servers of this user: {names}"
                raise ConfigError("the server there is none that this user may use", where=where, hint=hint)
            servers = here
        detail = {True: "own", False: "shared"}
        choices = [Choice(one.machine_id, one.name, detail[one.owned]) for one in servers]
        chosen = self._person.choose("server", "Which server?", choices, preset=self._option("server"))
        return next(one for one in servers if one.machine_id == chosen.key)

    async def _machine_at(self, url: str) -> str:
        async with server_http(self._account, self._services, self._client, url) as http:
            answer = await http.get("/identity")
        judge(answer, self._account.name)
        return decode_machine_id(answer)

    async def _prove(self, address: str, server: Server) -> None:
        """Have the server take the token before anything is stored."""
        async with server_http(self._account, self._services, self._client, address, server.token) as http:
            answer = await http.get("/")
        if answer.status == 401:
            raise AuthError(f"the server {server.name!r} does not take its own token", where=self._account.name)
        judge_tv(answer, self._account.name)
        if decode_machine_id(answer) != server.machine_id:
            raise AuthError(f"another server answers at the address of {server.name!r}", where=self._account.name)


def differs(account: AccountSpec, chosen: Mapping[str, str]) -> tuple[str, str, str] | None:
    """What the file asks for and a login is not of: the option, what it says, and what was chosen."""
    for option, key, name in (("user", "user", "name"), ("server", "machine", "server")):
        wanted = account.options.get(option)
        met = (None, chosen.get(key), chosen.get(name), chosen.get(f"asked_{option}"))
        if wanted not in met:
            return option, str(wanted), chosen.get(name, "?")
    return None


async def read_servers(http: Http, account: str, headers: Mapping[str, str]) -> list[Server]:
    """The media servers of the user whose token stands in `headers`."""
    params: dict[str, str | int] = {"includeHttps": 1, "includeRelay": 1, "includeIPv6": 1}
    answer = await http.get("/api/v2/resources", params=params, headers=headers)
    judge_tv(answer, account)
    servers = decode_servers(answer)
    for server in servers:
        remember(server.token)
    return servers


def new_client() -> str:
    """A name for this installation, made once for each login: tokens belong to it."""
    return f"cwsync-{secrets.token_hex(12)}"
