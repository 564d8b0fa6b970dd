"""Changes that one write carries out: they go together, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cwsync.model import Bond, Change, Class
from cwsync.planner.decision import Decision, note_of

Bonds = Mapping[Change, Bond]


def untorn(decision: Decision, bonds: Bonds) -> Decision:
    """A decision; or a skip in its place, where what one write would have to carry out with it is not to be written."""
    if not bonds:
        return decision
    for change in decision.write or ():
        bond = bonds.get(change)
        if bond is not None and bond.lacks is not None:
            reason = f"{bond.lacks} ({change.reason})"
            return Decision(decision.record, Class.SKIP, reason, note=note_of(change, reason))
    return decision


def units(changes: Iterable[Change], bonds: Bonds) -> list[frozenset[object]]:
    """The keys of the records that go together, in order of the first change of each; with the names of their bonds."""
    unit_of: dict[object, frozenset[object]] = {}
    for change in changes:
        bond = bonds.get(change) if bonds else None
        names = {change.key} if bond is None else {change.key, bond_of(change, bond)}
        unit = frozenset(names).union(*(unit_of[name] for name in names if name in unit_of))
        unit_of |= dict.fromkeys(unit, unit)
    return list(dict.fromkeys(unit_of.values()))


def bond_of(change: Change, bond: Bond) -> tuple[object, ...]:
    """What tells a bond from all others of a plan."""
    return change.side, change.op, bond.name
