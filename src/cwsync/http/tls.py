"""TLS: one context for all that use the same rules, a certificate pinned by its fingerprint, and proxies."""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cwsync.errors import ConfigError
from cwsync.tokens import on_this_machine

_FINGERPRINT: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


class WrongCertificateError(ssl.SSLError):
    """The certificate is not the pinned one. `found` is its fingerprint."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the certificate has another fingerprint: {found}")
        self.found = found


def parse_fingerprint(text: str) -> str:
    """64 hex digits of a SHA-256 fingerprint, with or without colons. Raises ``ValueError``."""
    found = _FINGERPRINT.fullmatch(text.strip().lower().removeprefix("sha256:").replace(":", "").replace(" ", ""))
    if found is None:
        raise ValueError("must be a SHA-256 fingerprint: 64 hex digits, with or without colons")
    return found[1]


@cache
def context(ca_file: Path | None, fingerprint: str | None) -> ssl.SSLContext:
    """The context for these rules, one for the process.

    Without either: the authorities that come with the HTTP library, and those of the system.
    `ca_file` adds its own; `fingerprint` trusts that one certificate and no other. Raises
    `ConfigError` for a `ca_file` that is none.
    """
    if fingerprint is not None:
        return _pinned(fingerprint)
    import httpx

    made = httpx.create_ssl_context()
    made.load_default_certs()
    if ca_file is not None:
        try:
            made.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise ConfigError(f"ca_file cannot be used: {reason}", where=str(ca_file)) from None
    return made


def _pinned(fingerprint: str) -> ssl.SSLContext:
    """A context that takes one certificate, whoever signed it and whatever name it bears."""

    class Pinned(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            # The handshake is over, and nothing of ours has been sent yet.
            found = hashlib.sha256(self.getpeercert(binary_form=True) or b"").hexdigest()
            if found != fingerprint:
                raise WrongCertificateError(found)

    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.sslobject_class = Pinned
    return made


def proxy_for(origin: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that the environment names for an ``https`` origin, as other programs read it; None without.

    Never for ``http``: such a proxy would read our tokens.
    """
    parts = urlsplit(origin)
    host = parts.hostname or ""
    if parts.scheme != "https" or on_this_machine(origin):
        return None
    names = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    proxy = next((environ[name] for name in names if environ.get(name)), None)
    without = (environ.get("no_proxy") or environ.get("NO_PROXY") or "").lower()
    for word in (word.strip().lstrip(".") for word in without.split(",")):
        if word == "*" or (word and (host == word or host.endswith(f".{word}"))):
            return None
    return proxy
