"""Answers of SIMKL, recorded and described, where these are at hand: they are no part of the project."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SPECS = Path(__file__).parents[3] / "shared" / "specs" / "simkl"


@cache
def shapes() -> Any:
    """The answers of 2026 by request; the test is skipped where there are none."""
    path = SPECS / "simkl_shapes_2026.json"
    if not path.is_file():
        pytest.skip("the described answers of SIMKL are not here")
    return json.loads(path.read_bytes())


def recorded(name: str) -> Any:
    """An answer recorded in 2020; the test is skipped where there is none."""
    path = SPECS / "simkl_client_fixtures" / f"{name}.json"
    if not path.is_file():
        pytest.skip("the recorded answers of SIMKL are not here")
    return json.loads(path.read_bytes())


def mismatch(shape: Any, value: Any, where: str = "$", *, free: frozenset[str] = frozenset()) -> str | None:
    """The first place at which a value has other members, or another type, than a shape; None when it is alike.

    Members called as one of `free` say nothing by what they hold; null stands for any plain value.
    """
    if isinstance(shape, dict) and isinstance(value, dict):
        if where.rpartition(".")[2] in free:
            return None
        if set(shape) != set(value):
            return f"{where} has {sorted(set(value) ^ set(shape))} on one side only"
        found = [mismatch(shape[key], value[key], f"{where}.{key}", free=free) for key in shape]
        return next((one for one in found if one), None)
    if isinstance(shape, list) and isinstance(value, list):
        pairs = [(shape[0], one) for one in value] if shape else []
        found = [mismatch(like, one, f"{where}[{n}]", free=free) for n, (like, one) in enumerate(pairs)]
        return next((one for one in found if one), None)
    plain = not isinstance(value, dict | list)
    if plain and not isinstance(shape, dict | list) and (shape is None or value is None or type(shape) is type(value)):
        return None
    return f"{where} is {value!r} in place of {shape!r}"
