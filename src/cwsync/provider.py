"""The contract between the engine and a provider, and the registry of providers.

A provider is one account at one service. It reads whole features and writes single records; it
never filters, matches, decides, retries an append, or knows whether a run is dry.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Literal, Protocol, Self, cast, runtime_checkable

from cwsync import __version__
from cwsync.errors import ConfigError
from cwsync.model import AccountSpec, Bond, Capabilities, Change, Feature, Item, Receipt, Snapshot
from cwsync.tokens import Refresher, Tokens, not_logged_in


@dataclass(frozen=True, slots=True)
class Option:
    """One key of an account's table in `pairs.toml`.

    `kind` is the TOML type it must have: ``path`` is text, made absolute against the file it stands
    in; ``strings`` a list of text; ``table`` a table of text to text; ``secret`` anything that a
    secret can come from. `choices` limits text. `default` is what an absent key means.
    """

    name: str
    kind: Literal["text", "path", "integer", "strings", "table", "secret"]
    help: str
    required: bool = False
    choices: tuple[str, ...] = ()
    default: object = None


class TokenKeeper(Protocol):
    """The login of one account, kept between runs. Providers read it, and have it renewed; they store nothing."""

    def load(self) -> Tokens | None:
        """The tokens of the account, None when it never logged in. Raises `StateError` for damage."""

    def due(self, tokens: Tokens, now: datetime) -> bool:
        """Whether to renew before use: in a run that writes some time before the end, else at the end only."""

    async def refresh(self, seen: Tokens, call: Refresher) -> Tokens:
        """Tokens newer than `seen`, the ones that turned out to be stale: someone else's, else what `call` answers.

        `call` asks the service, once, with the tokens it is given (not with `seen`): it raises `AuthError` when the
        service does not take them any more, `UnavailableError` when it cannot be asked, and gives
        ``dataclasses.replace(tokens, secrets=..., obtained_at=..., expires_at=...)``. That is stored
        before anyone gets it. Raises what `call` raises, and `LockedError` when another run works
        on the account and does not renew them in time.
        """


class _NoTokens:
    """Of an account that never logged in."""

    def load(self) -> Tokens | None:
        return None

    def due(self, tokens: Tokens, now: datetime) -> bool:
        return tokens.expired(now)

    async def refresh(self, seen: Tokens, call: Refresher) -> Tokens:  # noqa: ARG002
        raise not_logged_in(seen.account)


_NO_TOKENS: Final = _NoTokens()


def _no_secret(_name: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Services:
    """What the house lends a provider: one for each account.

    `cache_dir` is a folder whose loss costs only time (None in a dry run); `cache_seen` is the same
    one to read from alone, in a dry run too, and may not exist. `memory_dir` and `memory_seen` are the same of
    a folder for what cannot be learnt again: without it a provider would take one thing for another. `tokens`
    keeps the login of the account. `secret` gives the value of one of its secrets by the name of the option, None
    where the file has none; it raises `ConfigError` when it cannot be had. `user_agent` is what we
    call ourselves.
    """

    cache_dir: Path | None = None
    tokens: TokenKeeper = _NO_TOKENS
    secret: Callable[[str], str | None] = _no_secret
    user_agent: str = f"cwsync/{__version__}"
    cache_seen: Path | None = None
    memory_dir: Path | None = None
    memory_seen: Path | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose at login. `key` is what a service calls it, `title` and `detail` what people see."""

    key: str
    title: str
    detail: str = ""


class Person(Protocol):
    """Who logs in. A provider says and asks everything through this, so that it knows of no terminal.

    Remote text may be passed as it is: it is made safe where it is shown.
    """

    def say(self, text: str) -> None:
        """Tell something, in a line of its own."""

    def visit(self, url: str, code: str | None, minutes: int) -> None:
        """Ask to open an address and to enter a code there (None: it is part of the address). There is no browser."""

    async def wait(self, seconds: float) -> None:
        """Let time pass between two questions to a service. For tests this takes none."""

    def now(self) -> datetime:
        """The clock that `wait` belongs to."""

    def choose(self, option: str, question: str, choices: Sequence[Choice], *, preset: str | None = None) -> Choice:
        """Have one chosen. A single one is taken without a question.

        `preset` (of the account's `option` in the file) answers by key or, if only one is called so,
        by title. Raises `UsageError` when there is no terminal to ask on, and names `option` as the
        way to answer in the file; `ConfigError` when `preset` is none of them; ``ValueError`` for no choices.
        """

    def ask_secret(self, question: str, *, option: str) -> str:
        """Ask for a PIN or a password, unseen. Raises `UsageError` when there is no terminal; `option` is the way out.

        The answer is remembered as a secret, never stored.
        """


class LogsIn(Protocol):
    """What a provider class offers, beside `Provider`, when its accounts log in with ``cwsync auth login``.

    `replaces_login` is the secret option that stands in for a login (``token``), None where there is
    none. An account that sets it is never logged in.
    """

    replaces_login: ClassVar[str | None]

    @classmethod
    async def login(cls, account: AccountSpec, services: Services, person: Person) -> Tokens:
        """Log in, with a person at hand, and prove that the tokens work; stores nothing.

        Raises `AuthError` when the person or the service refused or the time ran out,
        `UnavailableError` when the service cannot be reached, `ConfigError` for what the file lacks.
        """

    @classmethod
    async def logout(cls, account: AccountSpec, services: Services, tokens: Tokens) -> bool:
        """Have the service forget `tokens`; whether it can. Raises `UnavailableError`, `AuthError` (it has already)."""


class TellsEnd(Protocol):
    """What a provider class offers, beside `LogsIn`, whose tokens say themselves until when they are good."""

    @classmethod
    def end_of(cls, token: str) -> datetime | None:
        """Until when, as the token says; nobody vouches for it. None where it says nothing. Asks nobody."""


class Opened(Protocol):
    """What is opened and let go of by ``async with``; providers inherit it. A failed opening lets go too."""

    async def open(self) -> None:
        """Authenticate and learn `account_id`; read no data. Raises `AuthError`, `UnavailableError`."""

    async def aclose(self) -> None:
        """Let go of everything; never raises for a connection that is already gone."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.aclose)
            await self.open()
            stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class Provider(Opened, Protocol):
    """One account at one service.

    `capabilities` and `options` are class data: readable without network or instance, and the
    module that holds the class imports nothing heavy at its top.
    """

    capabilities: ClassVar[Capabilities]
    options: ClassVar[tuple[Option, ...]]
    account_id: str
    requests: int

    def __init__(self, account: AccountSpec, services: Services) -> None:
        """Take the settings; touch nothing. Raises `ConfigError` for settings that can never work."""

    async def watermark(self, feature: Feature) -> str | None:
        """A cheap "did anything change" value of the feature, or None where there is none."""

    async def fetch(self, feature: Feature) -> Snapshot:
        """The whole feature, or raise. A row that cannot be decoded goes to `undecoded`.

        Raises `UnavailableError` (later is right), `AuthError`, `DataError` (a local file is broken).
        Never an empty snapshot for a failed read.
        """

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """Write, and answer with one receipt per change in the same order.

        Never raises for one record's sake and never sends an append again. A row that no longer
        holds `change.before` is left alone (``moved``). Raises `UnavailableError` or `AuthError` only
        when it is certain that nothing of this batch was written; what may have been written is
        `UNKNOWN`.
        """


@runtime_checkable
class Binds(Protocol):
    """What a provider offers, beside `Provider`, that carries out several changes by one write, or none of them."""

    async def bound(self, feature: Feature, changes: Sequence[Change]) -> Sequence[Bond | None]:
        """What ties each of all the changes of a plan for this side, in order; None where it stands for itself.

        Asked between `fetch` and `apply`. Raises as `fetch` does.
        """


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `check`: ``limits``, "4 of 10,000 in use"."""

    ok: bool
    what: str
    text: str


@runtime_checkable
class Examines(Protocol):
    """What a provider offers, beside `Provider`, that has more to tell in `check`: rights, limits, days left."""

    async def examine(self) -> Sequence[Finding]:
        """Look at the opened account without changing it. Raises as `Provider.fetch` does."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A whole library as it was last read, kept in the file `path` because the service minds being read whole.

    `whole_at` is when all of it was read; it bears that once in `every`.
    """

    path: Path
    whole_at: datetime
    every: timedelta


class Keeps(Protocol):
    """What a provider class offers, beside `Provider`, that asks for changes alone and keeps the rest."""

    @classmethod
    def kept(cls, account: AccountSpec, cache: Path) -> Kept | None:
        """What is kept of an account in the folder `cache`, None when there is nothing that can be read."""


class IdSource(Protocol):
    """Somebody to ask for the ids that an item lacks.

    `notes` say what could not be told, in words. `pending` are the items, of all that were asked about, that may
    lack ids because nobody could be asked, for want of a network or of requests. `refused` says that whoever
    was asked does not let us in: that does not mend itself.
    """

    @property
    def refused(self) -> bool:
        """Whether we were not let in."""

    @property
    def notes(self) -> Sequence[str]:
        """What could not be told, in words."""

    @property
    def pending(self) -> Collection[Item]:
        """The items that may lack ids because nobody could be asked, for want of a network or of requests."""

    async def reach(self) -> None:
        """Prove that it can be asked, in one request. Raises `UnavailableError`, `AuthError`, `ConfigError`."""

    async def complete(self, items: Sequence[Item]) -> Mapping[Item, Item]:
        """The items that gained ids, as they are then: the same title, no id changed or taken away.

        Asks in as few requests as it can, of a cache first, never by a title. A service that is not
        there, or does not take the key, is no error: it is noted, and what it was not asked is pending.
        """

    async def aclose(self) -> None:
        """Keep what was learnt, where that is allowed, and let go of everything."""


class Narrows(Protocol):
    """What a provider class offers, beside `Provider`, whose accounts can do less by an option of theirs."""

    @classmethod
    def capabilities_of(cls, account: AccountSpec) -> Capabilities:
        """What this account can do, by its options. Asks nothing."""


class KnowsIds(Protocol):
    """What a provider class offers, beside `Provider`, whose service knows titles by the ids of others."""

    @classmethod
    def id_source(cls, account: AccountSpec, services: Services) -> IdSource:
        """Somebody to ask, as this account. Asks nothing yet. Raises `ConfigError` for what the file lacks."""


# name -> "module:Class". A provider's module is imported when an account first names it.
REGISTRY: Mapping[str, str] = {
    "tracker": "cwsync.providers.tracker:Tracker",
    "anilist": "cwsync.providers.anilist:AniList",
    "csv": "cwsync.providers.csvfile:CsvFile",
    "plex": "cwsync.providers.plex:Plex",
    "simkl": "cwsync.providers.simkl:Simkl",
    "tmdb": "cwsync.providers.tmdb:Tmdb",
    "trakt": "cwsync.providers.trakt:Trakt",
    "jellyfin": "cwsync.providers.jellyfin:Jellyfin",
    "emby": "cwsync.providers.emby:Emby",
}


def provider_names() -> tuple[str, ...]:
    """The names an account may give as its provider, sorted."""
    return tuple(sorted(REGISTRY))


def provider_class(name: str) -> type[Provider]:
    """The class behind a name. Raises `ConfigError` for a name that is not registered."""
    try:
        module, _, attribute = REGISTRY[name].partition(":")
    except KeyError:
        raise ConfigError(f"unknown provider {name!r}; known: {', '.join(provider_names())}") from None
    return cast("type[Provider]", getattr(importlib.import_module(module), attribute))


def capabilities_for(account: AccountSpec) -> Capabilities:
    """What an account can do, by its options too. Raises `ConfigError` for an unknown provider."""
    found = provider_class(account.provider)
    narrows = hasattr(found, "capabilities_of")
    return cast("type[Narrows]", found).capabilities_of(account) if narrows else found.capabilities


def login_of(name: str) -> type[LogsIn] | None:
    """How accounts of a provider log in; None when they do not. Raises `ConfigError` for an unknown name."""
    found = provider_class(name)
    return cast("type[LogsIn]", found) if hasattr(found, "replaces_login") else None


def tells_end(name: str) -> type[TellsEnd] | None:
    """Who reads the end of a provider's tokens from them; None: nobody. Raises `ConfigError` for an unknown name."""
    found = provider_class(name)
    return cast("type[TellsEnd]", found) if hasattr(found, "end_of") else None


def kept_of(account: AccountSpec, cache: Path) -> Kept | None:
    """What the provider of an account keeps of its library. Raises `ConfigError` for an unknown provider."""
    found = provider_class(account.provider)
    return cast("type[Keeps]", found).kept(account, cache) if hasattr(found, "kept") else None


def knows_ids(name: str) -> bool:
    """Whether accounts of a provider can be asked for ids. Raises `ConfigError` for an unknown name."""
    return hasattr(provider_class(name), "id_source")


def ids_of(name: str) -> type[KnowsIds]:
    """How to ask a provider for ids. Raises `ConfigError` for one that knows none."""
    if not knows_ids(name):
        raise ConfigError(f"{name} cannot be asked for ids")
    return cast("type[KnowsIds]", provider_class(name))
