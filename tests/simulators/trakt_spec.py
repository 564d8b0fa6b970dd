"""The contract that Trakt publishes, where it is at hand: it is not part of the project."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SPEC = Path(__file__).parents[3] / "shared" / "specs" / "trakt" / "trakt_openapi_generated.json"


@cache
def published() -> Any:
    """Its paths; the test is skipped where there is none."""
    if not SPEC.is_file():
        pytest.skip("the published contract of Trakt is not here")
    return json.loads(SPEC.read_bytes())["paths"]


def described(method: str, path: str) -> Any:
    """What it says of a request, None when it does not know it. A slash at the end of a path is no difference."""
    for pattern, methods in published().items():
        text = "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", pattern))
        if re.fullmatch(text.rstrip("/") + "/?", path) and method.lower() in methods:
            return methods[method.lower()]
    return None


def mismatch(schema: dict[str, Any], value: Any, where: str = "$") -> str | None:
    """The first place at which a value is not as a schema says: types, members, choices; None when it is."""
    if "oneOf" in schema:
        found = [mismatch(one, value, where) for one in schema["oneOf"]]
        return None if None in found else found[0]
    kinds = schema.get("type", [])
    names: dict[str, Any] = {
        "object": dict, "array": list, "string": str, "integer": int,
        "number": (int, float), "boolean": bool, "null": type(None),
    }  # fmt: skip
    wanted = [kinds] if isinstance(kinds, str) else kinds
    if wanted and not any(isinstance(value, names[kind]) for kind in wanted):
        return f"{where} is {value!r}, not {wanted}"
    if value is not None and "enum" in schema and value not in schema["enum"]:
        return f"{where} is {value!r}, not one of {schema['enum']}"
    if isinstance(value, dict):
        if missing := set(schema.get("required", ())) - set(value):
            return f"{where} lacks {sorted(missing)}"
        found = [
            mismatch(schema.get("properties", {}).get(key, {}), one, f"{where}.{key}") for key, one in value.items()
        ]
        return next((one for one in found if one), None)
    if isinstance(value, list):
        found = [mismatch(schema.get("items", {}), one, f"{where}[{n}]") for n, one in enumerate(value)]
        return next((one for one in found if one), None)
    return None
