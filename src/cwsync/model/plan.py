"""What is to be done and what is not, each with its reason; and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cwsync.model.items import Feature, Item
from cwsync.model.snapshot import Side
from cwsync.model.values import Value


class Op(StrEnum):
    """What a write does to a record."""

    ADD = "add"
    UPDATE = "update"
    REMOVE = "remove"

    __hash__ = str.__hash__  # see Feature

    @property
    def symbol(self) -> str:
        """How a table shows it."""
        return {"add": "+", "update": "~", "remove": "-"}[self.value]


# The order of writes inside a feature: nothing is taken away before what replaces it is there.
OP_ORDER: dict[Op, int] = {Op.UPDATE: 0, Op.ADD: 1, Op.REMOVE: 2}


class Class(StrEnum):
    """The one class every considered record is in."""

    SAME = "same"
    ADOPT = "adopt"
    WRITE = "write"
    DELETE = "delete"
    CONFLICT = "conflict"
    HOLD = "hold"
    SKIP = "skip"

    __hash__ = str.__hash__  # see Feature


@dataclass(frozen=True, slots=True)
class Change:
    """One write to one row of one side.

    `key` names the record inside its feature. `before` is what that side holds now, `after` what it
    shall hold, in that side's own scale and precision; `origin` is what the other side holds, which
    goes into the baseline once the write is proved. `lost` says what the target cannot keep.
    `reason` begins with a stable word and a colon.
    """

    feature: Feature
    side: Side
    op: Op
    key: str
    item: Item
    before: Value | None
    after: Value | None
    origin: Value | None
    reason: str
    native_key: str | None = None
    lost: str | None = None


@dataclass(frozen=True, slots=True)
class Bond:
    """What ties a change to others: one write carries out all that have the same `name`, or none of them.

    `lacks` says why there can be no such write, as a skip tells it ("multi-episode: ...").
    """

    name: str
    lacks: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A record that was considered and not simply written: a conflict, a hold or a skip.

    `reason` begins with a stable code and a colon. `undecided` says that the run may not call
    itself successful because of it (exit code 3).
    """

    feature: Feature
    key: str
    item: Item
    reason: str
    source: Value | None = None
    target: Value | None = None
    undecided: bool = False

    @property
    def code(self) -> str:
        """The stable first word of the reason."""
        return self.reason.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Guard:
    """A refusal: which guard tripped, where, the numbers in words, and the way out.

    `holds` says that with ``on_guard = "hold"`` the removals are held and the rest may go.
    `acceptable` says that ``--accept`` may let the plan through. `hint` names the exact option.
    """

    name: str
    feature: Feature | None
    side: Side | None
    numbers: str
    hint: str
    holds: bool = False
    acceptable: bool = True


class Outcome(StrEnum):
    """What the provider said of one change."""

    CONFIRMED = "confirmed"
    ALREADY = "already"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider's answer for one change.

    `native_key` is the row the write made or touched. `code` and `detail` say why not. `moved`
    says that the row was no longer what the plan had seen, so nothing was written. `needless` says
    that what was refused has no place there and is no failure: a position in a title that is watched.
    """

    change: Change
    outcome: Outcome
    code: str | None = None
    native_key: str | None = None
    detail: str | None = None
    moved: bool = False
    needless: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """A write that was sent, or may have been, and never answered for."""

    change: Change
    at: datetime
    logged: bool = field(default=False)
