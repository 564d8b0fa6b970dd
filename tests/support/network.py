"""What tests of the network share: a clock that passes only when someone sleeps, and a certificate."""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime
from pathlib import Path

TLS = Path(__file__).parents[1] / "fixtures" / "tls"
CERTIFICATE = TLS / "server.pem"  # of localhost and 127.0.0.1, signed by itself


class Time:
    """A clock for `Http` and `Bucket`: sleeping takes no time and is noted in `slept`."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


class Clock:
    """A clock for a simulated service, in seconds since 1970; a test moves it by `at`."""

    def __init__(self, at: float = 1_780_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


def tls() -> ssl.SSLContext:
    """The server's end of a connection with `CERTIFICATE`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, TLS / "server.key")
    return context


def fingerprint() -> str:
    """That of `CERTIFICATE`."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(CERTIFICATE.read_text("ascii"))).hexdigest()
