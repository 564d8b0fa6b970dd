"""From a file and an environment to frozen specs, or to one error that tells everything that is wrong."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cwsync.config.accounts import AccountReader, Classes
from cwsync.config.locate import KeyPath, unknown_key
from cwsync.config.problems import Problems
from cwsync.config.reading import SmallFile, read_small
from cwsync.config.variables import Variable, account_variables
from cwsync.errors import ConfigError
from cwsync.model import AccountSpec, PairSpec, Settings
from cwsync.provider import provider_class

if TYPE_CHECKING:
    from cwsync.config.schema import Tables

MAX_BYTES = 1 << 20

_TABLES = ("accounts", "pairs")
_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)\Z", re.DOTALL)


def load_settings(path: Path, environ: Mapping[str, str], *, classes: Classes = provider_class) -> Settings:
    """Read `path` with the account keys of `environ` laid over it.

    `classes` gives the class of a provider's name, or raises `ConfigError`. Secrets are located,
    not read. Raises `ConfigError` with one line for each thing that is wrong; no line holds a
    value of a secret. Takes about a fifth of a second the first time, most of it for pydantic.
    """
    path = path.absolute()
    small = _read(path)
    text = _decoded(path, small.data)
    document = _parsed(path, text)
    names = tuple(_table(document, "accounts"))
    variables, bad = account_variables(environ, names)
    problems = Problems(path, text, _origins(document, variables, bad))
    for variable, problem in bad.items():
        problems.add((variable,), problem)
    _check_top(document, problems)
    merged = _merged(document, variables)
    reader = AccountReader(path.parent, environ, classes, names, problems)
    accounts = {name: account for name, table in merged.accounts.items() if (account := reader.read(name, table))}
    _check_private(path, small, accounts, problems)
    pairs = _pairs(merged, accounts, classes, problems)
    problems.raise_if_any()
    return Settings(path, accounts, pairs)


def _read(path: Path) -> SmallFile:
    try:
        return read_small(path, limit=MAX_BYTES)
    except ConfigError as error:
        raise ConfigError(error.message, where=error.where, hint="name another file with --config FILE") from None


def _decoded(path: Path, data: bytes) -> str:
    try:
        # Some editors put a byte order mark first.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise ConfigError("is not UTF-8", where=f"{path}:{line}", hint="save the file as UTF-8")


def _parsed(path: Path, text: str) -> dict[str, Any]:
    """The TOML document. The error is raised outside the handler: its cause would carry the file's text."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        problem = "is nested too deeply"
    except ValueError as error:
        problem = str(error)
    where, place = str(path), _PLACE.match(problem)
    if place:
        problem = place[1]
        where += f":{place[2]}:{place[3]}" if place[2] else f":{text.count(chr(10)) + 1}"
    raise ConfigError(f"not valid TOML: {problem}", where=where, hint="mend that line; https://toml.io has the rules")


def _table(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = document.get(key)
    return table if isinstance(table, dict) else {}


def _origins(
    document: Mapping[str, Any], variables: Mapping[str, Variable], bad: Mapping[str, str]
) -> dict[KeyPath, str]:
    """Which key path is whose variable; an account that only variables make is the first one's."""
    origins: dict[KeyPath, str] = {(name,): name for name in bad}
    for name, variable in variables.items():
        path = ("accounts", variable.account)
        origins[*path, variable.key] = name
        if variable.account not in _table(document, "accounts"):
            origins.setdefault(path, name)
    return origins


def _check_top(document: Mapping[str, Any], problems: Problems) -> None:
    for key, value in document.items():
        if key not in _TABLES:
            problems.add((key,), unknown_key(key, _TABLES))
        elif not isinstance(value, dict):
            problems.add((key,), f"must be a table, as in [{key}.home]")


def _merged(document: Mapping[str, Any], variables: Mapping[str, Variable]) -> Tables:
    """The environment over the file, by pydantic-settings. What is no table stays as it is, to be told of."""
    from cwsync.config.schema import Tables

    tables = {key: _table(document, key) for key in _TABLES}
    usable = {
        name: variable
        for name, variable in variables.items()
        if isinstance(tables["accounts"].get(variable.account, {}), dict)
    }
    return Tables(tables, usable)


def _pairs(
    merged: Tables, accounts: Mapping[str, AccountSpec], classes: Classes, problems: Problems
) -> dict[str, PairSpec]:
    from cwsync.config.pairs import check_anime, check_distinct, check_ids, read_pair

    for kind, found, example in (("accounts", merged.accounts, "home"), ("pairs", merged.pairs, "mine")):
        if not found:
            problems.add((), f"there are no {kind}; add a table such as [{kind}.{example}]")
    pairs: dict[str, PairSpec] = {}
    for name, table in merged.pairs.items():
        pair = read_pair(name, table, declared=merged.accounts, accounts=accounts, problems=problems)
        if pair is not None:
            check_distinct(pair, classes, problems)
            check_ids(pair, classes, problems)
            check_anime(pair, problems)
            pairs[name] = pair
    return pairs


def _check_private(path: Path, small: SmallFile, accounts: Mapping[str, AccountSpec], problems: Problems) -> None:
    """A file with a secret in it is for its owner's eyes."""
    if small.private:
        return
    for account in accounts.values():
        for key, ref in account.secrets.items():
            if ref.source == "inline":
                text = "is written out in a file that others can read or write"
                problems.add(("accounts", account.name, key), text, hint=f"chmod 600 {shlex.quote(str(path))}")
