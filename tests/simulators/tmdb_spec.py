"""What TMDb publishes of its API, where it is at hand: it is not part of the project."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SPEC = Path(__file__).parents[3] / "shared" / "specs" / "tmdb" / "tmdb-openapi-subset.json"
_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


@cache
def published() -> Any:
    """Its paths; the test is skipped where there is none."""
    if not SPEC.is_file():
        pytest.skip("the published description of TMDb is not here")
    return json.loads(SPEC.read_bytes())["paths"]


def described(method: str, path: str) -> Any:
    """What it says of a request, None when it does not know it. Names stand before patterns."""
    for pattern in sorted(published(), key=lambda one: one.count("{")):
        text = "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", pattern))
        if re.fullmatch(text, path) and method.lower() in published()[pattern]:
            return published()[pattern][method.lower()]
    return None


def answer_of(method: str, path: str, status: int = 200) -> Any:
    """The schema of an answer."""
    return described(method, path)["responses"][str(status)]["content"]["application/json"]["schema"]


def mismatch(schema: dict[str, Any], value: Any, where: str = "$") -> str | None:
    """The first place at which a value is not as a schema says: types, and the very same keys; None when it is.

    The descriptions were made from examples: a type of theirs says nothing where the value is null, and of
    a rating of 9.0 it says that it is a whole number.
    """
    if value is None or not schema:
        return None
    wanted = "number" if where.endswith((".rating", ".rated.value")) else schema.get("type")
    names = [wanted] if isinstance(wanted, str) else wanted or []
    fits = any(isinstance(value, _TYPES[name]) and (name == "boolean" or value is not True) for name in names)
    if names and not fits:
        return f"{where} is {value!r}, not {names}"
    if isinstance(value, dict) and (properties := schema.get("properties")):
        if set(properties) != set(value):
            return f"{where} has other keys: {sorted(set(properties) ^ set(value))}"
        found = [mismatch(properties[key], one, f"{where}.{key}") for key, one in value.items()]
        return next((one for one in found if one), None)
    if isinstance(value, list):
        found = [mismatch(schema.get("items", {}), one, f"{where}[{n}]") for n, one in enumerate(value)]
        return next((one for one in found if one), None)
    return None
