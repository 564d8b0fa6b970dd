"""Start-up is quick because little is loaded: what is loaded can be counted, a clock cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.shell import TWO_TRACKERS

PROBE = """
import sys
before = set(sys.modules)
from cwsync.__main__ import main
code = main(sys.argv[1:])
sys.stderr.write(" ".join(sorted(set(sys.modules) - before)))
sys.exit(code)
"""


def loaded(*words: str) -> set[str]:
    """The modules that a command line loads beyond those of a bare interpreter."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "CWSYNC_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words], env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stderr.split())


def test_version_loads_next_to_nothing() -> None:
    modules = loaded("--version")
    assert {name for name in modules if name.startswith("cwsync")} == {
        "cwsync",
        "cwsync.__main__",
        "cwsync.cli",
        "cwsync.cli.argv",
    }
    assert modules.isdisjoint({"typer", "rich", "json", "dataclasses", "enum", "re", "typing", "pathlib", "asyncio"})


HEAVY = {"rich", "pydantic", "pydantic_settings", "httpx", "asyncio", "tenacity", "platformdirs", "filelock", "json"}


def houses(modules: set[str]) -> set[str]:
    return {name.split(".")[1] for name in modules if name.startswith("cwsync.")}


def test_help_loads_typer_and_the_commands_alone() -> None:
    modules = loaded("--help")
    assert modules.isdisjoint(HEAVY)
    assert houses(modules) == {"__main__", "cli", "errors"}


@pytest.mark.parametrize("command", ["plan", "capabilities"])
def test_the_help_of_a_command_loads_nothing_of_ours_either(command: str) -> None:
    modules = loaded(command, "--help")
    # Newer versions of typer check the global options with pydantic before they look at the command.
    assert modules.isdisjoint(HEAVY - {"pydantic"})
    assert houses(modules) == {"__main__", "cli", "errors"}


def test_a_pair_of_folders_loads_no_network_and_knows_nothing_of_anime(tmp_path: Path) -> None:
    (tmp_path / "pairs.toml").write_text(TWO_TRACKERS)
    for name in ("home", "backup"):
        (tmp_path / name).mkdir()
    modules = loaded("-c", str(tmp_path / "pairs.toml"), "--state-dir", str(tmp_path / "state"), "plan")
    assert "cwsync.engine" in modules
    assert not {name for name in modules if name.startswith(("httpx", "cwsync.mappings", "cwsync.providers._address"))}
