"""Where an account's service is, and where a login may go unencrypted: this machine and one's own network alone."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from cwsync.errors import ConfigError
from cwsync.model import AccountSpec
from cwsync.tokens import in_own_network, on_this_machine, origin_of


def service_url(account: AccountSpec, option: str, default: str) -> str:
    """The address of a service on the web, without its last slash: https, unless it is on this machine.

    Raises `ConfigError` for what is no address, or would show a login to others.
    """
    url, where = str(account.options.get(option) or default), f"accounts.{account.name}.{option}"
    if origin_of(url) is None:
        raise ConfigError("is not an address", where=where, hint=f"write it like {default}")
    if urlsplit(url).scheme != "https" and not on_this_machine(url):
        raise ConfigError("must begin with https://", where=where, hint="a login must not travel unencrypted")
    return url.rstrip("/")


def server_url(account: AccountSpec, example: str) -> str | None:
    """The `url` of a server of one's own, without its last slash; None where the file has none.

    Plain http only within the own network. Raises `ConfigError` as `service_url`.
    """
    url, where = account.options.get("url"), f"accounts.{account.name}.url"
    if url is None:
        return None
    if not isinstance(url, str) or origin_of(url) is None:
        raise ConfigError("is not an address", where=where, hint=f"write it like {example}")
    if urlsplit(url).scheme != "https" and not in_own_network(url):
        hint = "use https, or the private address of the server"
        raise ConfigError("must be https outside of the own network: a token goes there", where=where, hint=hint)
    return url.rstrip("/")


def trust_of(account: AccountSpec) -> tuple[Path | None, str | None]:
    """The certificate file and the fingerprint that an account trusts beside the usual ones."""
    ca_file, fingerprint = account.options.get("ca_file"), account.options.get("fingerprint")
    return Path(str(ca_file)) if ca_file else None, str(fingerprint) if fingerprint else None
