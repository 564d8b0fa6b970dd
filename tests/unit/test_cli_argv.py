"""Global options may stand anywhere; values and what follows ``--`` are left alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from cwsync.cli import argv
from cwsync.cli.app import app
from cwsync.cli.argv import arrange


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        ("plan home", "plan home"),
        ("plan home -v", "-v plan home"),
        ("plan -vv --no-color home", "-vv --no-color plan home"),
        ("plan -c x.toml home", "-c x.toml plan home"),
        ("plan -cx.toml home", "-cx.toml plan home"),
        ("plan -qc x.toml home", "-qc x.toml plan home"),
        ("plan --config=x.toml", "--config=x.toml plan"),
        ("plan --config -v home", "--config -v plan home"),
        ("run a --state-dir /s b --apply", "--state-dir /s run a b --apply"),
        ("run --log-format json", "--log-format json run"),
        ("-v run", "-v run"),
        # Values of other options are theirs, whatever they look like.
        ("plan --out -v", "plan --out -v"),
        ("plan --out=-v -v", "-v plan --out=-v"),
        ("plan --feature --quiet", "plan --feature --quiet"),
        # What follows a -- is no option.
        ("explain p -- -v", "explain p -- -v"),
        ("-q explain p -v -- --config", "-q -v explain p -- --config"),
        # Unknown clusters and negative numbers are left to be complained about.
        ("plan -vx", "plan -vx"),
        ("plan -1", "plan -1"),
        ("explain p -", "explain p -"),
        # A missing value is complained about; the command is not taken for it.
        ("plan -c", "-c"),
        ("plan -v --config", "-v --config"),
        ("", ""),
    ],
)
def test_global_options_come_first(typed: str, seen: str) -> None:
    assert " ".join(arrange(typed.split()).args) == seen


@pytest.mark.parametrize(
    ("typed", "version", "json", "verbosity"),
    [
        ("plan", False, False, 0),
        ("plan --version", True, False, 0),
        ("-V", True, False, 0),
        ("plan -vV --json", True, True, 1),
        ("plan --json -vv", False, True, 2),
        ("plan -v --verbose -q", False, False, 1),
        ("plan -q", False, False, -1),
        # None of these is asked for: they are values, or stand after a --.
        ("plan --out --json", False, False, 0),
        ("plan -c -V", False, False, 0),
        ("explain p -- --json -V -v", False, False, 0),
    ],
)
def test_what_must_be_known_early(typed: str, version: bool, json: bool, verbosity: int) -> None:
    seen = arrange(typed.split())
    assert (seen.version, seen.json, seen.verbosity) == (version, json, verbosity)


WORDS = st.sampled_from(
    ["plan", "home", "-v", "-q", "-qv", "-c", "-cx", "--config", "--config=x", "--json", "--out", "--", "-vx", "-", ""]
)


@given(st.lists(WORDS))
def test_no_word_is_lost_and_twice_is_once(typed: list[str]) -> None:
    seen = arrange([*typed, "end"])  # so that no value is missing
    assert sorted(seen.args) == sorted([*typed, "end"])
    assert arrange(seen.args).args == seen.args


COMPLETION = {"--install-completion", "--show-completion"}


def test_the_lists_of_options_are_those_of_the_commands() -> None:
    """Introspects typer: `arrange` must know which options take a value."""
    group = typer.main.get_command(app)
    flags, values = _options(group.params)
    assert values == argv.GLOBAL_VALUES | {"-c"}
    assert flags - COMPLETION == set(argv.GLOBAL_FLAGS) | {"-q", "-v", "-V"}
    found = set()
    commands = list(group.commands.values())  # type: ignore[attr-defined]
    for command in commands:
        commands += getattr(command, "commands", {}).values()
        own_flags, own_values = _options(command.params)
        found |= own_values
        assert not any(len(option) == 2 for option in own_flags | own_values), "short options are global"
    assert found == argv.COMMAND_VALUES


def _options(params: Sequence[object]) -> tuple[set[str], set[str]]:
    flags: set[str] = set()
    values: set[str] = set()
    for param in params:
        if getattr(param, "param_type_name", "") == "option":
            plain = getattr(param, "is_flag", False) or getattr(param, "count", False)
            (flags if plain else values).update(param.opts)  # type: ignore[attr-defined]
    return flags, values
