"""A provider in memory, honest (`Memory`) or not (`lying`), for tests of everything above providers.

The account itself is a `Store`, which outlives the providers that are opened on it, as a service
outlives its clients. `plugged` lets `pairs.toml` and the engine name such providers.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast

from cwsync import provider as registry
from cwsync.errors import CwsyncError, UnavailableError
from cwsync.model import (
    AccountSpec,
    Capabilities,
    Change,
    Entry,
    Feature,
    FeatureCaps,
    Item,
    Kind,
    Op,
    Outcome,
    Play,
    Rated,
    Receipt,
    Snapshot,
    Undecoded,
    Value,
    When,
    format_when,
    moment,
)
from cwsync.provider import Opened, Option, Provider, Services

_PLAYED = frozenset({Kind.MOVIE, Kind.EPISODE})


def capable(
    features: Mapping[Feature, Mapping[str, Any]] | None = None, *, every: Mapping[str, Any] | None = None, **top: Any
) -> Capabilities:
    """A service that can do everything at once; `every` changes all features, `features` single ones."""
    caps = {}
    for feature in Feature:
        able: dict[str, Any] = {
            "read": True,
            "add": True,
            "update": True,
            "remove": True,
            "kinds": _PLAYED if feature in (Feature.HISTORY, Feature.PROGRESS) else frozenset(Kind),
            "scores": tuple(range(10, 101, 5)) if feature is Feature.RATINGS else (),
            "keeps_date": True,
            "undated": True,
            "plays": feature is Feature.HISTORY,
            "idempotent_add": True,
            "batch": 100,
            "stamp_moves_on_removal": True,
        }
        caps[feature] = FeatureCaps(**able | dict(every or {}) | dict((features or {}).get(feature, {})))
    return Capabilities("Memory", caps, **{"staleness": timedelta(0)} | top)


@dataclass
class Store:
    """One account at a service that never lies. Tests are its user: they put, take and look.

    `clock` is the service's own; `missing` is what it answers when told to remove what is not
    there. `wire` is every change that reached it, in order, with what came of it.
    """

    account_id: str = "memory:one"
    rows: dict[Feature, list[Entry]] = field(default_factory=lambda: {feature: [] for feature in Feature})
    undecoded: dict[Feature, list[Undecoded]] = field(default_factory=dict)
    wire: list[tuple[Change, Outcome]] = field(default_factory=list)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    missing: Outcome = Outcome.ALREADY
    reads: int = 0
    counter: int = 0

    def put(self, feature: Feature, *held: tuple[Item, Value] | Entry) -> None:
        """Add rows as they are, each under a name of its own."""
        for one in held:
            found = one if isinstance(one, Entry) else Entry(*one)
            self.rows[feature].append(replace(found, native_key=found.native_key or self.name()))

    def take(self, feature: Feature, *items: Item) -> None:
        """Remove every row of these items."""
        self.rows[feature] = [row for row in self.rows[feature] if not any(same(row.item, one) for one in items)]

    def change(self, feature: Feature, item: Item, value: Value) -> None:
        """Give every row of an item another value."""
        rows = self.rows[feature]
        rows[:] = [replace(row, value=value) if same(row.item, item) else row for row in rows]

    def held(self, feature: Feature, item: Item) -> list[Value]:
        """What the account holds of an item."""
        return [row.value for row in self.rows[feature] if same(row.item, item)]

    def keys(self, feature: Feature) -> set[str]:
        """The keys of all items in a feature."""
        return {row.item.key() or row.item.label() for row in self.rows[feature]}

    def name(self) -> str:
        """A fresh native key."""
        self.counter += 1
        return f"row-{self.counter}"

    def writes(self) -> int:
        """How many changes took effect."""
        return sum(1 for _, outcome in self.wire if outcome is Outcome.CONFIRMED)


def same(one: Item, other: Item) -> bool:
    """Whether two items are one title: a shared id, or a shared place without contradiction."""
    if one.kind is not other.kind:
        return False
    if set(one.ids) & set(other.ids):
        return True
    if not one.tokens() and not other.tokens():
        return one.label() == other.label()
    mine = {external.service: external for external in one.ids}
    if any(mine.get(external.service, external) != external for external in other.ids):
        return False
    return bool(set(one.coordinates()) & set(other.coordinates()))


class Memory(Opened):
    """An honest provider on the `Store` in the account's option ``store``."""

    capabilities: ClassVar[Capabilities] = capable()
    options: ClassVar[tuple[Option, ...]] = ()
    store_of_class: ClassVar[Store | None] = None

    def __init__(self, account: AccountSpec, services: Services) -> None:
        self.store = cast("Store", account.options.get("store") or self.store_of_class)
        self.account_id = ""
        self.requests = 0

    async def open(self) -> None:
        await asyncio.sleep(0)
        self.account_id = self.store.account_id

    async def aclose(self) -> None:
        await asyncio.sleep(0)

    async def watermark(self, feature: Feature) -> str | None:
        await asyncio.sleep(0)
        return self._stamp(feature)

    def _stamp(self, feature: Feature) -> str | None:
        caps = self.capabilities.of(feature)
        if not caps.stamp_moves_on_removal and not self.capabilities.exact_watermark:
            return None
        return hashlib.sha256(repr(self.store.rows[feature]).encode("utf-8", "backslashreplace")).hexdigest()

    async def fetch(self, feature: Feature) -> Snapshot:
        await asyncio.sleep(0)
        self.requests += 1
        self.store.reads += 1
        undecoded = tuple(self.store.undecoded.get(feature, ()))
        nameless = any(row.item is None for row in undecoded)
        rows = self.store.rows[feature]
        return Snapshot(
            feature,
            tuple(rows if self.capabilities.of(feature).plays or feature is not Feature.HISTORY else _newest(rows)),
            complete=not nameless,
            account_id=self.account_id,
            watermark=self._stamp(feature),
            undecoded=undecoded,
            doubt="a row without a name" if nameless else None,
            server_now=self.store.clock(),
            requests=1,
        )

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        await asyncio.sleep(0)
        self.requests += 1
        receipts = [self._one(feature, change) for change in changes]
        self.store.wire += [(receipt.change, receipt.outcome) for receipt in receipts]
        return receipts

    def _one(self, feature: Feature, change: Change) -> Receipt:
        caps = self.capabilities.of(feature)
        able = {Op.ADD: caps.add, Op.UPDATE: caps.update, Op.REMOVE: caps.remove}[change.op]
        off_grid = isinstance(change.after, Rated) and caps.scores and change.after.score not in caps.scores
        undatable = isinstance(change.after, Play) and change.after.at is None and caps.keeps_date and not caps.undated
        if not able or change.item.kind not in caps.kinds or off_grid or undatable:
            return Receipt(change, Outcome.REJECTED, "unsupported")
        rows = self.store.rows[feature]
        found = [row for row in rows if same(row.item, change.item) or row.native_key == change.native_key is not None]
        named = [row for row in found if row.native_key == change.native_key]
        if change.op is Op.ADD:
            return self._add(feature, change, found)
        return self._replace(feature, change, named or found)

    def _add(self, feature: Feature, change: Change, found: list[Entry]) -> Receipt:
        caps, after = self.capabilities.of(feature), self._kept(feature, cast("Value", change.after))
        equal = [row for row in found if row.value == after or feature is Feature.WATCHLIST]
        if equal and caps.idempotent_add:
            return Receipt(change, Outcome.ALREADY, native_key=equal[0].native_key)
        if found and feature is not Feature.HISTORY:
            return Receipt(change, Outcome.NOT_SENT, "moved", moved=True)
        row = Entry(change.item, after, self.store.name())
        self.store.rows[feature].append(row)
        self._side_effect(feature, change)
        return Receipt(change, Outcome.CONFIRMED, native_key=row.native_key)

    def _replace(self, feature: Feature, change: Change, found: list[Entry]) -> Receipt:
        if not found:
            if change.op is Op.REMOVE:
                return Receipt(change, self.store.missing)
            return Receipt(change, Outcome.NOT_SENT, "moved", moved=True)
        hits = [row for row in found if row.value == change.before]
        if not hits:
            return Receipt(change, Outcome.NOT_SENT, "moved", moved=True)
        touched = hits[:1] if feature is Feature.HISTORY and "@" in change.key else found
        rows = self.store.rows[feature]
        if change.after is None:
            rows[:] = [row for row in rows if row not in touched]
        else:
            after = self._kept(feature, change.after)
            rows[:] = [replace(row, value=after) if row in touched else row for row in rows]
            self._side_effect(feature, change)
        return Receipt(change, Outcome.CONFIRMED, native_key=touched[0].native_key)

    def _kept(self, feature: Feature, value: Value) -> Value:
        """A value as this service keeps it: its own date, its own precision."""
        caps = self.capabilities.of(feature)
        kept: When = value.at
        if not caps.keeps_date:
            kept = None if caps.undated else self.store.clock()
        if isinstance(kept, datetime) and caps.precision_s:
            seconds = int(kept.timestamp())
            kept = datetime.fromtimestamp(seconds - seconds % caps.precision_s, UTC)
        return replace(value, at=kept)

    def _side_effect(self, feature: Feature, change: Change) -> None:
        if feature in self.capabilities.drops_from_watchlist:
            self.store.take(Feature.WATCHLIST, change.item)


def _newest(rows: list[Entry]) -> list[Entry]:
    kept: list[Entry] = []
    for row in sorted(rows, key=_when, reverse=True):
        if not any(same(row.item, one.item) for one in kept):
            kept.append(row)
    return kept


def _when(row: Entry) -> datetime:
    return moment(row.value.at) if row.value.at is not None else datetime.min.replace(tzinfo=UTC)


def memory(store: Store, caps: Capabilities | None = None) -> type[Provider]:
    """A class of providers on one store, with capabilities of its own."""
    return cast(
        "type[Provider]", type("Memory", (Memory,), {"capabilities": caps or capable(), "store_of_class": store})
    )


# --- lies ----------------------------------------------------------------------------------------


class CutError(BaseException):
    """The process died here, as far as the code above can tell."""


@dataclass
class Lies:
    """What goes wrong, and when. Outlives the providers, so counts go on over several runs.

    `fail_opens`, `fail_reads`: how many of the next calls raise `error`; `fail_reads_of` limits
    that to some features. `fail_apply` and `lose_reply` name the calls of `apply` (from 1) that
    fail before anything is written, or write and then say `lost`: an exception to raise, or None
    for receipts that say UNKNOWN. `refuse` maps a token of an item (an id, a place) to the outcome
    and code it always gets. `lag_reads` (and `lag_for`) hide our own writes from so many later
    reads (so long). `drop` leaves out that share of the rows of a read, `drop_tokens` those of the
    items so named; `claim_complete` says whether such a read pretends to be whole. `repeat` rows
    come twice. `before_apply` and `before_read` are where a user edits meanwhile.

    `unsaid` names the rows that the very next read of a feature leaves out while it claims to be
    whole; the read after it is honest. `garbled` rows come as rows that could not be decoded,
    with their ids, or (`garbled_names`) without. `flicker` shows what lags in every second read only: old,
    new, old again. `skew` is how far the service's clock is ahead of ours.
    """

    seed: int = 0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    error: CwsyncError = field(default_factory=lambda: UnavailableError("the service is down"))
    fail_opens: int = 0
    fail_reads: int = 0
    fail_reads_of: frozenset[Feature] = frozenset(Feature)
    fail_apply: frozenset[int] = frozenset()
    lose_reply: frozenset[int] = frozenset()
    lost: BaseException | None = None
    refuse: dict[str, tuple[Outcome, str]] = field(default_factory=dict)
    lag_reads: int = 0
    lag_for: timedelta | None = None
    drop: float = 0.0
    drop_tokens: frozenset[str] = frozenset()
    claim_complete: bool = False
    repeat: int = 0
    unsaid: dict[Feature, frozenset[str]] = field(default_factory=dict)
    garbled: frozenset[str] = frozenset()
    garbled_names: bool = False
    flicker: bool = False
    skew: timedelta = timedelta(0)
    unstable_watermark: bool = False
    before_apply: Callable[[Feature, Sequence[Change]], None] | None = None
    before_read: Callable[[Feature], None] | None = None
    # What happened, for the test to look at.
    applies: int = 0
    reads: int = 0
    sent: list[Change] = field(default_factory=list)
    hidden: list[Ghost] = field(default_factory=list)

    def hide(
        self, feature: Feature, item: Item, old: Sequence[Entry], *, reads: int = 0, until: datetime | None = None
    ) -> None:
        """Show `old` in place of an item's rows for so many reads, or until a time."""
        self.hidden.append(Ghost(feature, item, tuple(old), reads, until))


@dataclass
class Ghost:
    """An older state of one item that reads still show."""

    feature: Feature
    item: Item
    rows: tuple[Entry, ...]
    reads: int
    until: datetime | None

    def fades(self, now: datetime) -> bool:
        """Whether reads show the truth again; counts this one."""
        if self.until is not None:
            return now >= self.until
        self.reads -= 1
        return self.reads < 0


class Lying(Opened):
    """A provider around another one that does what `lies` say, always in the same way."""

    capabilities: ClassVar[Capabilities]
    options: ClassVar[tuple[Option, ...]]
    inner_class: ClassVar[type[Provider]]
    lies: ClassVar[Lies]

    def __init__(self, account: AccountSpec, services: Services) -> None:
        self._inner = self.inner_class(account, services)

    @property
    def account_id(self) -> str:
        return self._inner.account_id

    @property
    def requests(self) -> int:
        return self._inner.requests

    async def open(self) -> None:
        if self.lies.fail_opens > 0:
            self.lies.fail_opens -= 1
            raise self.lies.error
        await self._inner.open()

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def watermark(self, feature: Feature) -> str | None:
        if self.lies.unstable_watermark:
            self.lies.reads += 1
            return f"stamp-{self.lies.reads}"
        return await self._inner.watermark(feature)

    async def fetch(self, feature: Feature) -> Snapshot:
        lies = self.lies
        lies.reads += 1
        if lies.before_read is not None:
            lies.before_read(feature)
        if lies.fail_reads > 0 and feature in lies.fail_reads_of:
            lies.fail_reads -= 1
            raise lies.error
        return self._garbled(self._shortened(self._lagged(await self._inner.fetch(feature))))

    def _lagged(self, truth: Snapshot) -> Snapshot:
        mine = [ghost for ghost in self.lies.hidden if ghost.feature is truth.feature]
        over = [ghost for ghost in mine if ghost.fades(self.lies.clock())]
        self.lies.hidden = [ghost for ghost in self.lies.hidden if ghost not in over]
        rows = list(truth.entries)
        seen: list[Item] = []
        for ghost in mine:
            # The oldest of several ghosts of one item is what a reader who lags behind sees.
            if ghost in over or any(same(ghost.item, item) for item in seen):
                continue
            seen.append(ghost.item)
            if self.lies.flicker and self.lies.reads % 2:
                continue
            rows = [row for row in rows if not same(row.item, ghost.item)] + list(ghost.rows)
        return replace(truth, entries=tuple(rows))

    def _shortened(self, truth: Snapshot) -> Snapshot:
        lies = self.lies
        dice = random.Random(f"{lies.seed}:{truth.feature}:{lies.reads}")  # noqa: S311
        rows = [row for row in truth.entries if not lies.drop_tokens.intersection(row.item.tokens())]
        rows = [row for row in rows if not lies.drop or dice.random() >= lies.drop]
        missing = len(truth.entries) - len(rows)
        unsaid = lies.unsaid.pop(truth.feature, frozenset())
        rows = [row for row in rows if not unsaid.intersection(row.item.tokens())]
        rows += rows[: lies.repeat]
        changed = replace(truth, entries=tuple(rows))
        if lies.unstable_watermark:
            changed = replace(changed, watermark=f"stamp-{lies.reads}")
        if missing and not lies.claim_complete:
            changed = replace(changed, complete=False, doubt=f"{missing} rows did not come")
        return changed

    def _garbled(self, truth: Snapshot) -> Snapshot:
        lies = self.lies
        spoilt = [row for row in truth.entries if lies.garbled.intersection(row.item.tokens())]
        changed = truth
        if lies.skew and truth.server_now is not None:
            changed = replace(changed, server_now=truth.server_now + lies.skew)
        if not spoilt:
            return changed
        named = not lies.garbled_names
        blind = [Undecoded("a row", "it is garbled", row.item if named else None) for row in spoilt]
        rows = tuple(row for row in truth.entries if row not in spoilt)
        changed = replace(changed, entries=rows, undecoded=(*truth.undecoded, *blind))
        return changed if named else replace(changed, complete=False, doubt="a row without a name")

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        lies = self.lies
        lies.applies += 1
        call = lies.applies
        if lies.before_apply is not None:
            lies.before_apply(feature, changes)
        if call in lies.fail_apply:
            raise lies.error
        refused = {index: refusal for index, change in enumerate(changes) if (refusal := self._refusal(change))}
        wanted = [change for index, change in enumerate(changes) if index not in refused]
        before = await self._inner.fetch(feature) if lies.lag_reads or lies.lag_for else None
        lies.sent += wanted
        answers = iter(await self._inner.apply(feature, wanted))
        receipts = [
            Receipt(change, *refused[index]) if index in refused else next(answers)
            for index, change in enumerate(changes)
        ]
        if before is not None:
            self._hide(before, receipts)
        if call in lies.lose_reply:
            if lies.lost is not None:
                raise lies.lost
            return [Receipt(change, Outcome.UNKNOWN, "timeout") for change in changes]
        return receipts

    def _refusal(self, change: Change) -> tuple[Outcome, str] | None:
        for token in change.item.tokens() or (change.item.label(),):
            if token in self.lies.refuse:
                return self.lies.refuse[token]
        return None

    def _hide(self, before: Snapshot, receipts: Sequence[Receipt]) -> None:
        until = self.lies.clock() + self.lies.lag_for if self.lies.lag_for else None
        for receipt in receipts:
            if receipt.outcome is Outcome.CONFIRMED:
                old = [row for row in before.entries if same(row.item, receipt.change.item)]
                self.lies.hide(before.feature, receipt.change.item, old, reads=self.lies.lag_reads, until=until)


def calm(lies: Lies) -> None:
    """End the lies about single reads, and those about clocks; `behave` in `support.engine` ends the others."""
    lies.unsaid, lies.garbled, lies.garbled_names = {}, frozenset(), False
    lies.flicker, lies.skew = False, timedelta(0)


def lying(inner: type[Provider], lies: Lies) -> type[Provider]:
    """A class of providers that do what `lies` say around those of `inner`."""
    members = {"capabilities": inner.capabilities, "options": inner.options, "inner_class": inner, "lies": lies}
    return cast("type[Provider]", type("Lying", (Lying,), members))


@contextmanager
def plugged(**classes: type[Provider]) -> Iterator[None]:
    """Let accounts name these classes as their provider, by keyword, for as long as the block lasts."""
    names = cast("dict[str, str]", registry.REGISTRY)
    before = dict(names)
    for name, cls in classes.items():
        globals()[f"PLUG_{name}"] = cls
        names[name] = f"{__name__}:PLUG_{name}"
    try:
        yield
    finally:
        names.clear()
        names.update(before)
        for name in classes:
            del globals()[f"PLUG_{name}"]


def account(name: str, provider: str | None = None, **options: object) -> AccountSpec:
    """An account of a test; its provider is called like it unless said otherwise."""
    return AccountSpec(name, provider or name, options)


def shown(store: Store, feature: Feature) -> list[str]:
    """An account's rows in short, sorted: ``imdb_movie:tt0100001 80 2024-01-01T12:00:00Z``."""
    lines = []
    for row in store.rows[feature]:
        held = row.value
        number = f" {held.score}" if isinstance(held, Rated) else f" {ms}" if (ms := getattr(held, "ms", None)) else ""
        lines.append(f"{row.item.key() or row.item.label()}{number} {format_when(held.at) or '-'}")
    return sorted(lines)
