"""``CWSYNC_ACCOUNTS__NAME__KEY``: which account and which key a variable means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PREFIX = "CWSYNC_ACCOUNTS__"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that stands for one key of one account. The value may be a secret and is not shown."""

    account: str
    key: str
    value: str = field(repr=False)


def account_variables(environ: Mapping[str, str], names: Iterable[str]) -> tuple[dict[str, Variable], dict[str, str]]:
    """The variables that set account keys, and what is wrong with those that cannot; both by their name.

    `names` are the accounts of the file. Shells take no ``-`` in a name, so ``LIVING_ROOM`` is the
    account ``living_room``, else ``living-room``. A name that the file does not have makes an account.
    Empty variables count as not set.
    """
    known = sorted(names, key=lambda name: (-len(name), name))
    good: dict[str, Variable] = {}
    bad: dict[str, str] = {}
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX) or not value:
            continue
        rest = variable[len(PREFIX) :].lower()
        owners = _owners(rest, known)
        first, _, key = rest.partition("__")
        if len(owners) > 1:
            bad[variable] = f"may mean the account {' or '.join(owners)}; rename one of them"
        elif owners:
            good[variable] = Variable(owners[0], rest[len(owners[0]) + 2 :], value)
        elif first and key:
            good[variable] = Variable(first, key, value)
        else:
            bad[variable] = f"names no key; write {PREFIX}NAME__KEY"
    return good, bad


def _owners(rest: str, known: list[str]) -> list[str]:
    """The accounts that ``name__key`` may mean: the exact name, else those that differ by ``-`` only."""
    exact = [name for name in known if rest.startswith(f"{name}__") and len(rest) > len(name) + 2]
    if exact:
        return exact[:1]
    alike = [name for name in known if rest.startswith(f"{name.replace('-', '_')}__") and len(rest) > len(name) + 2]
    return [name for name in alike if len(name) == len(alike[0])]
