"""Account tables: the keys every account has, and those its provider declares."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cwsync.config.durations import parse_duration
from cwsync.config.locate import KeyPath, did_you_mean, key_text, unknown_key
from cwsync.config.problems import Problems
from cwsync.config.secrets import absolute_path, parse_secret
from cwsync.errors import ConfigError
from cwsync.model import AccountSpec, SecretRef
from cwsync.provider import Option, Provider, provider_names
from cwsync.redaction import remember_url

Classes = Callable[[str], type[Provider]]

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
BAD_NAME = "a name is 1 to 64 of a-z, 0-9, _ and -, and starts with a letter or a digit"
COMMON_KEYS = ("provider", "staleness", "timeout")
DEFAULT_TIMEOUT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class AccountReader:
    """Turns the tables of one file into accounts, and notes what is wrong with them.

    `base` is the folder of the file; `names` are the accounts of the file itself, without those
    that only the environment has.
    """

    base: Path
    environ: Mapping[str, str]
    classes: Classes
    names: tuple[str, ...]
    problems: Problems

    def read(self, name: str, table: object) -> AccountSpec | None:
        """The account, or None when nothing sound can be made of it. Every problem is noted."""
        path = ("accounts", name)
        if not NAME.match(name):
            self.problems.add(path, BAD_NAME)
        if not isinstance(table, dict):
            self.problems.add(path, f"must be a table: [accounts.{key_text(name)}]")
            return None
        provider = self._provider(name, table)
        if provider is None:
            return None
        declared = self.classes(provider).options
        known = [*COMMON_KEYS, *(option.name for option in declared)]
        for key in table:
            if key not in known:
                self.problems.add((*path, key), unknown_key(key, known))
        options: dict[str, object] = {}
        secrets: dict[str, SecretRef] = {}
        for option in declared:
            value = self._option(path, option, table)
            if isinstance(value, SecretRef):
                secrets[option.name] = value
            elif value is not None:
                options[option.name] = value
        staleness = self._duration(path, table, "staleness")
        timeout = self._duration(path, table, "timeout", least=timedelta(seconds=1))
        return AccountSpec(name, provider, options, secrets, staleness, timeout or DEFAULT_TIMEOUT)

    def _provider(self, name: str, table: Mapping[str, object]) -> str | None:
        """The provider the table names, else the one the account is called after."""
        path: KeyPath = ("accounts", name)
        known = ", ".join(provider_names())
        named = table.get("provider")
        if named is not None and not isinstance(named, str):
            self.problems.add((*path, "provider"), f"must be text: one of {known}")
            return None
        provider = name if named is None else named
        try:
            self.classes(provider)
        except ConfigError:
            if named is not None:
                guess = did_you_mean(provider, provider_names()) or f"; known: {known}"
                self.problems.add((*path, "provider"), f"unknown provider {key_text(provider)}{guess}")
            elif name not in self.names:
                guess = did_you_mean(name, self.names)
                self.problems.add(path, f"there is no account {key_text(name)} in the file{guess}")
            else:
                self.problems.add(path, f"needs provider = one of {known}")
            return None
        return provider

    def _option(self, path: KeyPath, option: Option, table: Mapping[str, object]) -> object:
        """The value of one option as its kind says, a `SecretRef`, or None when absent or wrong."""
        here = (*path, option.name)
        value = table.get(option.name, option.default)
        if value is None:
            if option.required:
                self.problems.add(path, f"needs {option.name}: {option.help}")
            return None
        variable = self.problems.variables.get(here)
        try:
            if option.kind == "secret" and variable:
                return SecretRef("env", variable, inline=str(value))
            if option.kind in ("integer", "strings", "table") and variable:
                value = _from_json(value)
            return self._convert(option, value, ".".join(map(str, here)))
        except ValueError as error:
            self.problems.add(here, str(error))
            return None

    def _convert(self, option: Option, value: object, key: str) -> object:
        """`value` checked against the option. Raises ``ValueError``, which never holds the value."""
        if option.kind == "secret":
            return parse_secret(value, key=key, base=self.base, environ=self.environ)
        if option.kind == "integer":
            if type(value) is not int:
                raise ValueError("must be a whole number")
            return value
        if option.kind == "strings":
            if not isinstance(value, list | tuple) or not all(isinstance(part, str) for part in value):
                raise ValueError("must be a list of text")
            return tuple(value)
        if option.kind == "table":
            if not isinstance(value, dict) or not all(isinstance(part, str) for part in value.values()):
                raise ValueError("must be a table of text")
            return dict(value)
        if not isinstance(value, str | Path) or not str(value):
            raise ValueError("must be text, and not empty")
        if option.kind == "path":
            return absolute_path(str(value), self.base, self.environ)
        if option.choices and value not in option.choices:
            guess = did_you_mean(str(value), option.choices)
            raise ValueError(f"must be one of {', '.join(map(json.dumps, option.choices))}{guess}")
        remember_url(str(value))
        return value

    def _duration(
        self, path: KeyPath, table: Mapping[str, object], key: str, *, least: timedelta = timedelta(0)
    ) -> timedelta | None:
        if key not in table:
            return None
        try:
            span = parse_duration(table[key])
        except ValueError as error:
            self.problems.add((*path, key), str(error))
            return None
        if span < least:
            self.problems.add((*path, key), f"must be at least {least.seconds}s")
        return span


def _from_json(value: object) -> object:
    """The value of a variable whose option is not text."""
    try:
        return json.loads(str(value))
    except (ValueError, RecursionError):
        pass
    raise ValueError("must be JSON")
