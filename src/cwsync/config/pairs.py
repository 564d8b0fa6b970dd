"""Pair tables: what the models of `schema` accepted becomes specs; what they refused becomes words."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from cwsync.config.accounts import BAD_NAME, NAME, Classes
from cwsync.config.locate import KeyPath, did_you_mean, key_text, unknown_key
from cwsync.config.problems import Problems
from cwsync.config.schema import PairTable
from cwsync.model import (
    RUN_ORDER,
    AccountSpec,
    Feature,
    FeatureSpec,
    GuardSpec,
    Mode,
    PairSpec,
    RemoveMode,
)

_TYPES = {
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "date_type": "must be a date, as in 2024-01-31, without quotes",
    "frozen_set_type": "must be a list",
    "too_short": "must not be empty",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
}


def read_pair(
    name: str, table: object, *, declared: Mapping[str, object], accounts: Mapping[str, AccountSpec], problems: Problems
) -> PairSpec | None:
    """The pair, or None when something is wrong; every problem is noted.

    `declared` are all the accounts there are, `accounts` those that are sound.
    """
    path: KeyPath = ("pairs", name)
    before = len(problems.found)
    if not NAME.match(name):
        problems.add(path, BAD_NAME)
    parsed, refused = _validated(table)
    for place, text in refused:
        problems.add((*path, *place), text)
    if isinstance(table, dict):
        _check_sides(path, table, declared, problems)
        if not any(feature.value in table for feature in Feature):
            problems.add(
                path,
                f"has no features; add an empty table such as [pairs.{key_text(name)}.ratings]",
            )
    if parsed is not None:
        _check_mirror(path, parsed, problems)
    if parsed is None or len(problems.found) > before or not _named(parsed) <= accounts.keys():
        return None
    return _spec(name, parsed, accounts)


def check_distinct(pair: PairSpec, classes: Classes, problems: Problems) -> None:
    """Note a pair whose two names mean the very same account.

    Only where the file says all there is to say: accounts of a provider that takes secrets may
    differ by who logged in, which the two sides' account ids show once they are open.
    """
    source, target = pair.source, pair.target
    if any(option.kind == "secret" for option in classes(source.provider).options):
        return
    if source.provider == target.provider and _real(source) == _real(target):
        problems.add(
            ("pairs", pair.name, "target"),
            f"{source.name} and {target.name} are the same account: same provider, same settings",
        )


def _validated(table: object) -> tuple[PairTable | None, list[tuple[KeyPath, str]]]:
    try:
        return PairTable.model_validate(table), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    return None, [(tuple(detail["loc"]), _words(detail)) for detail in details]


def _words(detail: Mapping[str, Any]) -> str:
    """One refusal of pydantic in our words, made only from what the schema says."""
    kind, place, context = detail["type"], detail["loc"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_key(str(place[-1]), _keys_at(place[:-1]))
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind == "enum":
        return f"must be one of {_quoted(context)}"
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}"
    if kind == "less_than_equal":
        return f"must be at most {context['le']}"
    return _TYPES.get(kind, "is not valid")


def _quoted(context: Mapping[str, str]) -> str:
    """``'a', 'b' or 'c'``, as pydantic tells the values of an enum, in the quotes of the file."""
    return context["expected"].replace("'", '"')


def _keys_at(place: tuple[str | int, ...]) -> Iterator[str]:
    """The keys that the schema knows at a place in a pair's table."""
    model: type[BaseModel] = PairTable
    for word in place:
        annotation = model.model_fields[str(word)].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        model = next(option for option in options if isinstance(option, type) and issubclass(option, BaseModel))
    yield from model.model_fields


def _check_sides(
    path: KeyPath, table: Mapping[str, object], declared: Mapping[str, object], problems: Problems
) -> None:
    source, target = table.get("source"), table.get("target")
    for side, name in (("source", source), ("target", target), ("ids", table.get("ids"))):
        if isinstance(name, str) and name not in declared:
            problems.add((*path, side), f"unknown account {key_text(name)}{did_you_mean(name, declared)}")
    if isinstance(source, str) and source == target:
        problems.add((*path, "target"), "is the same account as source")


def check_anime(pair: PairSpec, problems: Problems) -> None:
    """Note a rule about anime that makes no sense."""
    if not pair.anime:
        return
    from cwsync.mappings import MemoryGraph, Overrides, RuleError

    try:
        Overrides(pair.anime, MemoryGraph(()))
    except RuleError as error:
        key = () if error.key is None else (error.key,)
        problems.add(("pairs", pair.name, "anime", error.index, *key), error.why)


def check_ids(pair: PairSpec, classes: Classes, problems: Problems) -> None:
    """Note an account to ask for ids whose service knows none."""
    if pair.ids is not None and not hasattr(classes(pair.ids.provider), "id_source"):
        text = f"{key_text(pair.ids.name)} ({pair.ids.provider}) cannot be asked for ids; name an account of tmdb"
        problems.add(("pairs", pair.name, "ids"), text)


def _named(parsed: PairTable) -> set[str]:
    """The accounts that a pair names."""
    return {name for name in (parsed.source, parsed.target, parsed.ids) if name is not None}


def _check_mirror(path: KeyPath, parsed: PairTable, problems: Problems) -> None:
    for feature in RUN_ORDER:
        table = parsed.feature(feature)
        if table and table.remove_mode is RemoveMode.MIRROR and parsed.mode is not Mode.ONE_WAY:
            text = f'{json.dumps("mirror")} needs mode = "one-way"'
            problems.add((*path, feature.value, "remove_mode"), text)


def _spec(name: str, parsed: PairTable, accounts: Mapping[str, AccountSpec]) -> PairSpec:
    features = tuple(
        FeatureSpec(feature=feature, **_fields(table))
        for feature in RUN_ORDER
        if (table := parsed.feature(feature)) is not None
    )
    ids = accounts.get(parsed.ids) if parsed.ids is not None else None
    return PairSpec(
        name=name,
        source=accounts[parsed.source],
        target=accounts[parsed.target],
        mode=parsed.mode,
        features=features,
        guards=GuardSpec(**_fields(parsed.guards)),
        match=parsed.match,
        ids=ids,
        anime=parsed.anime,
    )


def _fields(table: BaseModel) -> dict[str, Any]:
    return {name: getattr(table, name) for name in type(table).model_fields}


def _real(account: AccountSpec) -> dict[str, object]:
    """The options, with each path as the place it leads to."""
    return {
        name: os.path.realpath(value) if isinstance(value, Path) else value for name, value in account.options.items()
    }
