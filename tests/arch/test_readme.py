"""The README says what is so: exit codes, commands and options, keys, TOML, the capability table.

Run as a program it writes the capability table anew.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cwsync.cli.app import app
from cwsync.cli.argv import arrange
from cwsync.config import load_settings
from cwsync.errors import Exit
from cwsync.provider import provider_class, provider_names
from cwsync.render.listpage import capability_markdown

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
EXAMPLES = ROOT / "examples"
TEXT = README.read_text("utf-8")
BEGIN, END = "<!-- capabilities:begin -->\n", "<!-- capabilities:end -->"
REGENERATE = ".venv/bin/python tests/arch/test_readme.py"

GROUP: Any = typer.main.get_command(app)
# Code between backticks, and lines of a shell.
QUOTED = re.findall(r"`([^`\n]+)`", TEXT)
BLOCKS = [(kind, body) for kind, body in re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)]
OPTIONS = frozenset(
    name for command in (GROUP, *GROUP.commands.values()) for param in command.params for name in param.opts
)


def with_table(text: str) -> str:
    """The README with the capability table as it is now."""
    table = capability_markdown({name: provider_class(name).capabilities for name in provider_names()})
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}{table}{end}{after}"


def command_lines() -> Iterator[str]:
    """Every line of the README that calls cwsync."""
    shell = [
        line.removeprefix("$ ") for kind, body in BLOCKS if kind in ("sh", "console") for line in body.splitlines()
    ]
    for line in (*QUOTED, *shell):
        if line.startswith("cwsync ") and "COMMAND" not in line:
            yield line.partition("  #")[0].strip()


def table_after(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its own heading."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def toml_blocks() -> list[str]:
    return [body for kind, body in BLOCKS if kind == "toml"]


def names_of(table: dict[str, Any]) -> Iterator[str]:
    """Every key of the account and pair tables of a pairs.toml, whatever their names."""
    for kind in ("accounts", "pairs"):
        for own in table[kind].values():
            for key, value in own.items():
                if kind == "pairs" and isinstance(value, dict):
                    yield from value
                else:
                    yield key


def test_the_exit_codes_are_those_of_the_program() -> None:
    rows = table_after("Exit codes")
    assert [int(code) for row in rows for code in row[0].split(",")] == [int(code) for code in Exit]


def test_every_command_is_in_the_table_and_no_other() -> None:
    named = {shlex.split(row[0].strip("`"))[1] for row in table_after("Commands")}
    assert named == set(GROUP.commands)


@pytest.mark.parametrize("line", sorted(set(command_lines())))
def test_every_command_line_is_understood(line: str) -> None:
    words = list(arrange(shlex.split(line)[1:]).args)
    at = next(index for index, word in enumerate(words) if word in GROUP.commands)
    with GROUP.make_context("cwsync", words[:at], resilient_parsing=True):
        pass
    with GROUP.commands[words[at]].make_context(words[at], words[at + 1 :]):
        pass


def test_every_option_exists() -> None:
    ours = {option for code in QUOTED if not code.startswith(("systemd", "systemctl")) for option in options_in(code)}
    assert ours <= OPTIONS | {"--help"}


def test_every_option_is_mentioned() -> None:
    hidden = {"--help", "-h", "--quiet", "--verbose", "--install-completion", "--show-completion", "--yes"}
    mentioned = options_in(TEXT)
    assert {option for option in OPTIONS if option.startswith("--")} - hidden <= mentioned


def options_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


@pytest.mark.parametrize("name", ["crontab", "systemd/cwsync@.service"])
def test_options_of_the_examples_are_mentioned(name: str) -> None:
    lines = (EXAMPLES / name).read_text("utf-8").splitlines()
    used = {option for line in lines if "bin/cwsync " in line for option in options_in(line)}
    assert used
    assert used <= options_in(TEXT)


@pytest.mark.parametrize("name", ["systemd/cwsync@.service", "systemd/cwsync@.timer"])
def test_systemd_settings_of_the_readme_are_in_the_units(name: str) -> None:
    told = set(re.findall(r"`([A-Z][A-Za-z]+)=[a-z]*`", TEXT))
    units = "".join((EXAMPLES / "systemd" / f"cwsync@.{kind}").read_text("utf-8") for kind in ("service", "timer"))
    assert (EXAMPLES / name).is_file()
    assert name in TEXT
    assert {setting for setting in told if f"{setting}=" not in units} == set()


def test_every_key_of_the_example_is_named() -> None:
    text = re.sub(r"^# (?=[a-z_]+ = )", "", (EXAMPLES / "pairs.toml").read_text("utf-8"), flags=re.MULTILINE)
    assert set(names_of(tomllib.loads(text))) <= set(QUOTED)


@pytest.mark.parametrize("block", toml_blocks())
def test_toml_is_a_valid_configuration(block: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.toml"
    path.write_text(block, "utf-8")
    settings = load_settings(path, {"HOME": str(tmp_path)})
    assert settings.pairs


def test_there_is_toml_to_check() -> None:
    assert len(toml_blocks()) >= 3


def test_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []


def test_the_capability_table_is_up_to_date() -> None:
    assert with_table(TEXT) == TEXT, f"write it anew: {REGENERATE}"


def test_the_version_is_in_the_changelog() -> None:
    from cwsync import __version__

    assert __version__ in (ROOT / "CHANGELOG.md").read_text("utf-8")


if __name__ == "__main__":
    README.write_text(with_table(TEXT), "utf-8")
