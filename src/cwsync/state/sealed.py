"""Small documents that say of themselves whether they are whole: one JSON object with a checksum in its first line.

The first line is ``{"schema":1,"checksum":"<sha256 of every byte after this line>",``, as in `document`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from cwsync.errors import StateError
from cwsync.state import strict

SCHEMA: Final = 1
_SCHEMA: Final = re.compile(rb'\{"schema":([1-9][0-9]{0,8})\b')
_FIRST_LINE: Final = re.compile(rb'\{"schema":([1-9][0-9]{0,8}),"checksum":"([0-9a-f]{64})",\n')


def seal(members: Mapping[str, object]) -> bytes:
    """The document of some members. It ends with a newline."""
    rest = f"{strict.dumps(members)[1:]}\n".encode("ascii")
    return b'{"schema":%d,"checksum":"%s",\n' % (SCHEMA, hashlib.sha256(rest).hexdigest().encode()) + rest


def unseal(data: bytes) -> dict[str, object]:
    """The members of a document, checked. Raises ``ValueError`` for damage, `StateError` for a newer schema."""
    schema = _SCHEMA.match(data)
    if schema and int(schema[1]) > SCHEMA:
        raise StateError(f"was written by a newer cwsync (schema {int(schema[1])})", hint="upgrade cwsync")
    match = _FIRST_LINE.match(data)
    if match is None:
        raise ValueError("is empty" if not data else "the first line is not one of ours")
    rest = data[match.end() :]
    if hashlib.sha256(rest).hexdigest().encode() != match[2]:
        raise ValueError("the checksum does not match")
    return strict.table(strict.loads(b"{" + rest))
