"""A login by a device code, as the services answer that have one (RFC 8628): what is shown, and how long it is good."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """A login that waits for a person."""

    code: str
    user_code: str
    url: str
    seconds: int
    interval: int


def decode_device(found: object, url_key: str = "verification_uri") -> Device:
    """Read the answer to a request for a code; `url_key` holds the address to visit. Raises ``ValueError``."""
    told = found if isinstance(found, dict) else {}
    texts = [told.get(name) for name in ("device_code", "user_code", url_key)]
    numbers = [told.get(name) for name in ("expires_in", "interval")]
    if not all(isinstance(one, str) and one for one in texts):
        raise ValueError("it holds no code")
    if not all(type(one) is int and 0 < one < 86400 for one in numbers):
        raise ValueError("it does not say for how long the code is good")
    return Device(str(texts[0]), str(texts[1]), str(texts[2]), int(str(numbers[0])), int(str(numbers[1])))
