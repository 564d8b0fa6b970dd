"""A service and a tracker beside it that is called `backup`: the pair of the two is `save`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from support.shell import Shell

PAIR = """
[accounts.backup]
provider = "tracker"
path = "backup"

[pairs.save]
source = "{source}"
target = "{target}"
mode = "{mode}"
{tables}
"""


def backup(
    folder: Path, account: str, tables: Mapping[str, str], mode: str, *, name: str = "home", back: bool
) -> Shell:
    """A shell in which the service is the source of the pair and the tracker its target, or the way `back`.

    `account` is the table of the service, called `name`; `tables` are those of the pair.
    """
    source, target = ("backup", name) if back else (name, "backup")
    lines = "\n".join(f"[pairs.save.{table}]\n{text}" for table, text in tables.items())
    return Shell(folder, account + PAIR.format(source=source, target=target, mode=mode, tables=lines))


def titles(shell: Shell, feature: str) -> list[str]:
    """The titles that the tracker holds."""
    return sorted(str(one["title"]) for one in shell.held("backup", feature))
