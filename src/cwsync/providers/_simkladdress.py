"""The settings of an account at SIMKL: where the service is, as which application it is asked, and how fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cwsync.errors import ConfigError
from cwsync.model import AccountSpec
from cwsync.provider import Option
from cwsync.providers._address import service_url, trust_of

API: Final = "https://api.simkl.com"
APPS: Final = "https://simkl.com/settings/developer"
# It takes a write a second, and ten reads; bursts of three reads a second are flagged.
WRITE_MS: Final = 1100
READ_MS: Final = 400
# A write that meets another one's lock is held for up to 20 s before it is refused.
LEAST_TIMEOUT_S: Final = 60.0
OPTIONS: Final = (
    Option("client_id", "text", f"the id of your SIMKL application ({APPS})", required=True),
    Option("access_token", "secret", "an access token got elsewhere, in place of `cwsync auth login`"),
    Option("api_url", "text", "where the API is", default=API),
    Option("write_spacing_ms", "integer", "the least time between two writes", default=WRITE_MS),
    Option("read_spacing_ms", "integer", "the least time between two reads", default=READ_MS),
    Option("ca_file", "path", "a certificate authority to trust beside the usual ones"),
    Option("fingerprint", "text", "the SHA-256 fingerprint of the one certificate to trust"),
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an account's service is, as which application we go there, and how fast."""

    account: str
    api: str
    client_id: str
    read_ms: int
    write_ms: int
    timeout_s: float
    ca_file: Path | None = None
    fingerprint: str | None = None


def address_of(account: AccountSpec) -> Address:
    """The settings of an account. Raises `ConfigError` for those that can never work."""
    options = account.options
    client_id = options.get("client_id")
    if not isinstance(client_id, str) or not client_id.strip():
        raise ConfigError(
            "needs `client_id`, the id of a SIMKL application",
            where=f"accounts.{account.name}.client_id",
            hint=f"make an application at {APPS} (type: TV, devices & command line) and put its id there",
        )
    paces = [_pace(account, name, preset) for name, preset in (("read", READ_MS), ("write", WRITE_MS))]
    return Address(
        account.name,
        service_url(account, "api_url", API),
        client_id.strip(),
        paces[0],
        paces[1],
        max(LEAST_TIMEOUT_S, account.timeout.total_seconds()),
        *trust_of(account),
    )


def _pace(account: AccountSpec, name: str, preset: int) -> int:
    found = account.options.get(f"{name}_spacing_ms", preset)
    if type(found) is not int or not 0 <= found <= 60_000:
        raise ConfigError("must be 0 to 60000", where=f"accounts.{account.name}.{name}_spacing_ms")
    return found
