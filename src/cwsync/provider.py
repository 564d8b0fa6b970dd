"""The contract between the engine and a provider, and the registry of providers.

A provider is one account at one service. It reads whole features and writes single records; it
never filters, matches, decides, retries an append, or knows whether a run is dry.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, Self, cast

from cwsync.errors import ConfigError
from cwsync.model import AccountSpec, Capabilities, Change, Feature, Receipt, Snapshot


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


@dataclass(frozen=True, slots=True)
class Services:
    """What the house lends a provider: a folder whose loss costs only time (None in a dry run)."""

    cache_dir: Path | None = None


class Provider(Protocol):
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

    async def open(self) -> None:
        """Authenticate and learn `account_id`; read no data. Raises `AuthError`, `UnavailableError`."""

    async def aclose(self) -> None:
        """Let go of everything; never raises for a connection that is already gone."""

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
        holds `change.before` is left alone (``moved``). Raises `UnavailableError` only when it is
        certain that nothing of this batch was written; what may have been written is `UNKNOWN`.
        """

    async def __aenter__(self) -> Self: ...


# name -> "module:Class". A provider's module is imported when an account first names it.
REGISTRY: Mapping[str, str] = {
    "tracker": "cwsync.providers.tracker:Tracker",
    "csv": "cwsync.providers.csvfile:CsvFile",
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
