"""Spans of time as the user writes them: ``"90s"``, ``"10m"``, ``"6h"``, ``"2d"``."""

from __future__ import annotations

import re
from datetime import timedelta

_DURATION = re.compile(r"([0-9]{1,9})([smhd])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

# Any longer, and "now plus that" may leave the calendar.
LONGEST = timedelta(days=3650)


def parse_duration(text: object) -> timedelta:
    """A whole number and a unit: s, m, h or d. From zero to ten years.

    Raises ``ValueError`` for anything else; its message does not repeat `text`.
    """
    found = _DURATION.match(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError('must be a duration such as "90s", "10m", "6h" or "2d"')
    span = timedelta(**{_UNITS[found[2]]: int(found[1])})
    if span > LONGEST:
        raise ValueError(f"must be at most {LONGEST.days}d")
    return span
