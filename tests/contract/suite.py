"""The contract of `cwsync.provider.Provider` as tests that any provider adopts.

An adoption names the provider and gives an `Account`: something to connect to, a way to put rows
into it behind the provider's back, and a way to break it. What a provider does not declare in its
capabilities is not asked of it. Values are made on its own grid and compared as far as it keeps them.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest

from cwsync.errors import CwsyncError
from cwsync.model import (
    Capabilities,
    Change,
    Entry,
    Feature,
    FeatureCaps,
    Item,
    Kind,
    Outcome,
    Play,
    Rated,
    Receipt,
    Snapshot,
    Value,
)
from cwsync.provider import Provider
from support import world
from support.session import use

_T = TypeVar("_T")
GONE = {Outcome.ALREADY, Outcome.NOT_FOUND}
HEAVY = ("httpx", "pydantic", "rich", "typer")


class Account(ABC):
    """An account of the service under test, empty at first."""

    secrets: tuple[str, ...] = ()

    @abstractmethod
    def connect(self, feature: Feature) -> Provider:
        """A new provider on this account, not opened. `feature` is what the test will ask it for."""

    @abstractmethod
    def seed(self, feature: Feature, entries: Sequence[Entry]) -> None:
        """Make the account hold exactly these rows, without the provider."""

    @abstractmethod
    def break_reads(self, feature: Feature) -> None:
        """See to it that the next reads of a feature cannot succeed."""

    def settle(self) -> None:  # noqa: B027 - most have nothing to wait for
        """Let the staleness window pass."""

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Let go of servers and the like."""


class ProviderContract(ABC):
    """Adopt by a subclass called ``Test...`` with `provider` and `make`."""

    provider: ClassVar[type[Provider]]

    @abstractmethod
    def make(self, tmp_path: Path) -> Account:
        """A fresh, empty account."""

    # --- plumbing ----------------------------------------------------------------------------

    @pytest.fixture
    def account(self, tmp_path: Path) -> Iterator[Account]:
        made = self.make(tmp_path)
        yield made
        made.close()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """`feature`: every readable one; `addable`, `updatable`, `removable`; `cell`: each with each kind."""
        caps = self.provider.capabilities.features
        wanted: dict[str, list[Any]] = {
            "feature": [one for one in caps if caps[one].read],
            "addable": [one for one in caps if caps[one].add],
            "updatable": [one for one in caps if caps[one].add and caps[one].update],
            "removable": [one for one in caps if caps[one].add and caps[one].remove],
            "playable": [one for one in caps if caps[one].plays and caps[one].add and caps[one].remove],
            "cell": [(one, kind) for one in caps if caps[one].add for kind in sorted(caps[one].kinds)],
        }
        for name, values in wanted.items():
            if name in metafunc.fixturenames:
                ids = ["-".join(one) if isinstance(one, tuple) else str(one) for one in values]
                metafunc.parametrize(name, values, ids=ids)

    def caps(self, feature: Feature) -> FeatureCaps:
        return self.provider.capabilities.of(feature)

    def with_open(self, account: Account, feature: Feature, step: Callable[[Provider], Awaitable[_T]]) -> _T:
        """Do one thing with a provider of its own: what it wrote is then seen by another."""
        return use(account.connect(feature), step)

    def read(self, account: Account, feature: Feature) -> Snapshot:
        account.settle()
        return self.with_open(account, feature, lambda provider: provider.fetch(feature))

    def write(self, account: Account, feature: Feature, *changes: Change) -> list[Receipt]:
        receipts = self.with_open(account, feature, lambda provider: provider.apply(feature, changes))
        assert [receipt.change for receipt in receipts] == list(changes), "one receipt per change, in order"
        return receipts

    def stamp(self, account: Account, feature: Feature) -> str | None:
        account.settle()
        return self.with_open(account, feature, lambda provider: provider.watermark(feature))

    def sample(self, feature: Feature, n: int) -> Value:
        """Value number `n` (0..7) that the provider can hold without loss."""
        caps, value = self.caps(feature), world.value(feature, n)
        if isinstance(value, Rated) and caps.scores:
            value = Rated(caps.scores[n * (len(caps.scores) - 1) // 7], value.at)
        at = value.at
        if isinstance(at, datetime) and caps.precision_s > 1:
            seconds = int(at.timestamp())
            value = replace(value, at=datetime.fromtimestamp(seconds - seconds % caps.precision_s, UTC))
        return value

    def kept(self, feature: Feature, value: Value) -> Value:
        """As much of a value as the provider promises to give back."""
        caps = self.caps(feature)
        return value if caps.keeps_date or not caps.add else replace(value, at=None)

    def rows(self, feature: Feature, count: int = 4) -> list[Entry]:
        """Rows of every kind of a feature in turn, each with another value."""
        kinds = sorted(self.caps(feature).kinds)
        items = [world.item(kinds[n % len(kinds)], n + 1) for n in range(count)]
        return [Entry(item, self.sample(feature, n % 8)) for n, item in enumerate(items)]

    def held(self, account: Account, feature: Feature) -> dict[str, Value]:
        """The account by key, as the provider reads it."""
        entries = self.read(account, feature).entries
        assert len({_name(entry.item) for entry in entries}) == len(entries), "no row comes twice"
        return {_name(entry.item): self.kept(feature, entry.value) for entry in entries}

    def entry_of(self, account: Account, feature: Feature, item: Item) -> Entry:
        return next(entry for entry in self.read(account, feature).entries if _name(entry.item) == _name(item))

    def change(self, feature: Feature, entry: Entry, after: Value | None, key: str | None = None) -> Change:
        return world.change(feature, entry.item, entry.value, after, key=key, native_key=entry.native_key)

    # --- what is said without asking ----------------------------------------------------------

    def test_capabilities_are_consistent_class_data(self) -> None:
        capabilities = self.provider.capabilities
        assert isinstance(capabilities, Capabilities)
        assert capabilities.title
        assert capabilities.staleness >= timedelta(0)
        for feature, caps in capabilities.features.items():
            assert caps.read or not (caps.add or caps.update or caps.remove), feature
            assert caps.kinds or not caps.read
            assert caps.batch >= 1
            assert caps.precision_s >= 0
            assert list(caps.scores) == sorted(set(caps.scores))
            assert all(1 <= score <= 100 for score in caps.scores)
            assert bool(caps.scores) == (feature is Feature.RATINGS and caps.read)
            assert not caps.plays or feature is Feature.HISTORY
            if feature in (Feature.HISTORY, Feature.PROGRESS):
                assert caps.kinds <= {Kind.MOVIE, Kind.EPISODE}
        for fact in capabilities.facts:
            assert fact.text
            assert fact.source
            assert date.fromisoformat(fact.checked).year > 2000

    def test_options_are_class_data(self) -> None:
        names = [option.name for option in self.provider.options]
        assert len(names) == len(set(names))
        assert all(option.help for option in self.provider.options)

    def test_the_module_imports_nothing_heavy(self) -> None:
        code = f"import sys, {self.provider.__module__}; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
        path = {"PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path)
        assert done.stdout.strip() == "[]"

    # --- opening -----------------------------------------------------------------------------

    def test_open_reads_no_data(self, account: Account, feature: Feature) -> None:
        account.seed(feature, self.rows(feature))
        account.break_reads(feature)

        async def name(provider: Provider) -> str:
            return provider.account_id

        assert self.with_open(account, feature, name)

    def test_the_account_id_is_always_the_same(self, account: Account, feature: Feature) -> None:
        account.seed(feature, self.rows(feature))
        first, second = self.read(account, feature), self.read(account, feature)
        assert first.account_id == second.account_id != ""

    def test_closing_twice_is_no_error(self, account: Account, feature: Feature) -> None:
        account.seed(feature, [])
        self.with_open(account, feature, lambda provider: provider.aclose())

    def test_no_secret_is_in_what_is_printed(self, account: Account, feature: Feature) -> None:
        account.seed(feature, [])
        provider = account.connect(feature)
        for secret in account.secrets:
            assert secret not in f"{provider!r} {provider} {vars(provider)}"

    # --- reading -----------------------------------------------------------------------------

    def test_an_empty_account_is_a_complete_empty_snapshot(self, account: Account, feature: Feature) -> None:
        account.seed(feature, [])
        snapshot = self.read(account, feature)
        assert (snapshot.feature, snapshot.entries, snapshot.complete) == (feature, (), True)

    def test_a_read_is_whole_and_stable(self, account: Account, feature: Feature) -> None:
        rows = self.rows(feature, 25)
        account.seed(feature, rows)
        first, second = self.read(account, feature), self.read(account, feature)
        assert first.complete
        assert first.doubt is None
        assert not first.undecoded
        assert {_name(row.item): self.kept(feature, row.value) for row in rows} == self.held(account, feature)
        assert first.entries == second.entries
        assert first.watermark == second.watermark
        names = [entry.native_key for entry in first.entries if entry.native_key is not None]
        assert len(names) == len(set(names))

    def test_items_come_with_their_ids(self, account: Account, feature: Feature) -> None:
        rows = self.rows(feature, 8)
        account.seed(feature, rows)
        found = {_name(entry.item): entry.item for entry in self.read(account, feature).entries}
        for row in rows:
            seen = found[_name(row.item)]
            assert seen.kind is row.item.kind
            assert set(row.item.tokens()) & set(seen.tokens())
            assert (seen.season, seen.number) == (row.item.season, row.item.number)

    def test_a_read_that_fails_raises(self, account: Account, feature: Feature) -> None:
        account.seed(feature, self.rows(feature))
        account.break_reads(feature)
        with pytest.raises(CwsyncError) as caught:
            self.read(account, feature)
        for secret in account.secrets:
            assert secret not in f"{caught.value} {caught.value.hint}"

    def test_reading_changes_nothing(self, account: Account, feature: Feature) -> None:
        account.seed(feature, self.rows(feature))
        before = self.stamp(account, feature)
        snapshot = self.read(account, feature)
        assert self.stamp(account, feature) == before
        assert before is None or snapshot.watermark in (None, before)

    # --- writing -----------------------------------------------------------------------------

    def test_an_add_is_confirmed_and_read_back(self, account: Account, cell: tuple[Feature, Kind]) -> None:
        feature, kind = cell
        entry = Entry(world.item(kind, 1), self.sample(feature, 1))
        account.seed(feature, [])
        (receipt,) = self.write(account, feature, _add(feature, entry.item, entry.value))
        assert receipt.outcome is Outcome.CONFIRMED
        assert self.held(account, feature) == {_name(entry.item): self.kept(feature, entry.value)}
        row = self.entry_of(account, feature, entry.item)
        assert receipt.native_key in (None, row.native_key)
        assert row.item.coordinates() or row.item.ids == entry.item.ids or set(row.item.ids) & set(entry.item.ids)

    def test_every_score_of_the_grid_survives(self, account: Account) -> None:
        caps = self.caps(Feature.RATINGS)
        if not caps.add:
            pytest.skip("no ratings are written")
        account.seed(Feature.RATINGS, [])
        kind = min(caps.kinds)
        wanted = {_name(world.item(kind, score)): score for score in caps.scores}
        changes = [_add(Feature.RATINGS, world.item(kind, score), Rated(score, world.at())) for score in caps.scores]
        for first in range(0, len(changes), caps.batch):
            receipts = self.write(account, Feature.RATINGS, *changes[first : first + caps.batch])
            assert {receipt.outcome for receipt in receipts} == {Outcome.CONFIRMED}
        found = self.read(account, Feature.RATINGS).entries
        assert {_name(row.item): row.value.score for row in found if isinstance(row.value, Rated)} == wanted

    def test_an_undated_record_can_be_added(self, account: Account, addable: Feature) -> None:
        if not self.caps(addable).undated:
            pytest.skip("every record has a date")
        item = world.item(min(self.caps(addable).kinds), 1)
        account.seed(addable, [])
        (receipt,) = self.write(account, addable, _add(addable, item, replace(self.sample(addable, 1), at=None)))
        assert receipt.outcome is Outcome.CONFIRMED
        if self.caps(addable).keeps_date:
            assert self.entry_of(account, addable, item).value.at is None

    def test_the_same_add_twice_leaves_one_record(self, account: Account, addable: Feature) -> None:
        if not self.caps(addable).idempotent_add:
            pytest.skip("an add is not said to be idempotent")
        row = self.rows(addable, 1)[0]
        account.seed(addable, [])
        change = _add(addable, row.item, row.value)
        self.write(account, addable, change)
        (receipt,) = self.write(account, addable, change)
        assert receipt.outcome in (Outcome.ALREADY, Outcome.CONFIRMED)
        assert self.held(account, addable) == {_name(row.item): self.kept(addable, row.value)}

    def test_an_update_is_confirmed_and_read_back(self, account: Account, updatable: Feature) -> None:
        rows = self.rows(updatable)
        account.seed(updatable, rows)
        expected = self.held(account, updatable)
        after = self.sample(updatable, 7)
        (receipt,) = self.write(
            account, updatable, self.change(updatable, self.entry_of(account, updatable, rows[1].item), after)
        )
        assert receipt.outcome is Outcome.CONFIRMED
        assert self.held(account, updatable) == expected | {_name(rows[1].item): self.kept(updatable, after)}

    def test_an_update_keeps_the_ids_of_the_row(self, account: Account, updatable: Feature) -> None:
        row = self.rows(updatable, 1)[0]
        account.seed(updatable, [row])
        seen = self.entry_of(account, updatable, row.item)
        self.write(account, updatable, self.change(updatable, seen, self.sample(updatable, 7)))
        again = self.entry_of(account, updatable, row.item)
        assert (again.item.ids, again.item.show_ids) == (seen.item.ids, seen.item.show_ids)

    def test_an_update_of_what_has_changed_is_not_sent(self, account: Account, updatable: Feature) -> None:
        rows = self.rows(updatable)
        account.seed(updatable, rows)
        expected = self.held(account, updatable)
        seen = replace(self.entry_of(account, updatable, rows[0].item), value=self.sample(updatable, 5))
        (receipt,) = self.write(account, updatable, self.change(updatable, seen, self.sample(updatable, 7)))
        assert receipt.moved
        assert receipt.outcome is Outcome.NOT_SENT
        assert self.held(account, updatable) == expected

    def test_a_removal_is_confirmed_and_takes_nothing_else(self, account: Account, removable: Feature) -> None:
        rows = self.rows(removable)
        account.seed(removable, rows)
        expected = self.held(account, removable)
        change = self.change(removable, self.entry_of(account, removable, rows[2].item), None)
        (receipt,) = self.write(account, removable, change)
        assert receipt.outcome is Outcome.CONFIRMED
        del expected[_name(rows[2].item)]
        assert self.held(account, removable) == expected

    def test_a_removal_of_what_has_changed_is_not_sent(self, account: Account, removable: Feature) -> None:
        rows = self.rows(removable)
        account.seed(removable, rows)
        expected = self.held(account, removable)
        seen = replace(self.entry_of(account, removable, rows[0].item), value=self.sample(removable, 5))
        (receipt,) = self.write(account, removable, self.change(removable, seen, None))
        assert receipt.moved
        assert receipt.outcome is Outcome.NOT_SENT
        assert self.held(account, removable) == expected

    def test_a_removal_of_what_is_not_there_harms_nothing(self, account: Account, removable: Feature) -> None:
        rows = self.rows(removable)
        account.seed(removable, rows[1:])
        expected = self.held(account, removable)
        (receipt,) = self.write(account, removable, self.change(removable, rows[0], None))
        assert receipt.outcome in GONE
        assert self.held(account, removable) == expected

    def test_a_removal_is_idempotent(self, account: Account, removable: Feature) -> None:
        rows = self.rows(removable)
        account.seed(removable, rows)
        change = self.change(removable, self.entry_of(account, removable, rows[0].item), None)
        self.write(account, removable, change)
        (receipt,) = self.write(account, removable, change)
        assert receipt.outcome in GONE
        assert len(self.held(account, removable)) == len(rows) - 1

    def test_one_bad_record_does_not_stop_the_others(self, account: Account, updatable: Feature) -> None:
        rows = self.rows(updatable, 3)
        account.seed(updatable, rows[:1])
        missing = self.change(updatable, rows[1], self.sample(updatable, 7))
        fresh = self.rows(updatable, 5)[3:]
        good = [_add(updatable, row.item, row.value) for row in fresh]
        receipts = self.write(account, updatable, good[0], missing, good[1])
        assert [receipt.outcome for receipt in receipts[::2]] == [Outcome.CONFIRMED] * 2
        assert receipts[1].outcome in (Outcome.NOT_SENT, Outcome.NOT_FOUND)
        assert set(self.held(account, updatable)) == {_name(row.item) for row in (rows[0], *fresh)}

    def test_a_kind_that_is_not_declared_is_rejected(self, account: Account, addable: Feature) -> None:
        others = sorted(set(Kind) - self.caps(addable).kinds)
        if not others:
            pytest.skip("every kind can be held")
        account.seed(addable, [])
        (receipt,) = self.write(account, addable, _add(addable, world.item(others[0], 1), self.sample(addable, 1)))
        assert receipt.outcome is Outcome.REJECTED
        assert receipt.code
        assert self.held(account, addable) == {}

    def test_updates_adds_and_removals_go_together(self, account: Account, updatable: Feature) -> None:
        rows = self.rows(updatable, 3)
        account.seed(updatable, rows[:2])
        after = self.sample(updatable, 7)
        changes = [
            self.change(updatable, self.entry_of(account, updatable, rows[0].item), after),
            _add(updatable, rows[2].item, rows[2].value),
        ]
        expected = {_name(rows[0].item): after, _name(rows[2].item): rows[2].value}
        if self.caps(updatable).remove:
            changes.append(self.change(updatable, self.entry_of(account, updatable, rows[1].item), None))
        else:
            expected[_name(rows[1].item)] = rows[1].value
        receipts = self.write(account, updatable, *changes)
        assert {receipt.outcome for receipt in receipts} == {Outcome.CONFIRMED}
        assert self.held(account, updatable) == {name: self.kept(updatable, value) for name, value in expected.items()}

    def test_plays_of_one_title_are_records_of_their_own(self, account: Account, playable: Feature) -> None:
        item = world.item(min(self.caps(playable).kinds), 1)
        account.seed(playable, [])
        plays = [self.sample(playable, n) for n in range(3)]
        for play in plays:
            key = f"{item.key()}@{play.at}"
            (receipt,) = self.write(account, playable, world.change(playable, item, None, play, key=key))
            assert receipt.outcome is Outcome.CONFIRMED
        entries = self.read(account, playable).entries
        assert sorted(entry.value.at for entry in entries if entry.value.at) == [play.at for play in plays]
        middle = next(entry for entry in entries if entry.value == plays[1])
        self.write(account, playable, self.change(playable, middle, None, key=f"{item.key()}@{plays[1].at}"))
        left = [entry.value for entry in self.read(account, playable).entries]
        assert sorted(left, key=repr) == sorted([plays[0], plays[2]], key=repr)
        assert all(isinstance(value, Play) for value in left)

    # --- the stamp ---------------------------------------------------------------------------

    def test_the_watermark_moves_with_every_write(self, account: Account, updatable: Feature) -> None:
        rows = self.rows(updatable)
        account.seed(updatable, rows)
        stamps = [self.stamp(account, updatable)]
        if stamps[0] is None:
            pytest.skip("there is no watermark")
        self.write(account, updatable, _add(updatable, self.rows(updatable, 5)[4].item, self.sample(updatable, 1)))
        stamps.append(self.stamp(account, updatable))
        seen = self.entry_of(account, updatable, rows[0].item)
        self.write(account, updatable, self.change(updatable, seen, self.sample(updatable, 7)))
        stamps.append(self.stamp(account, updatable))
        if self.caps(updatable).remove and self.caps(updatable).stamp_moves_on_removal:
            seen = self.entry_of(account, updatable, rows[1].item)
            self.write(account, updatable, self.change(updatable, seen, None))
            stamps.append(self.stamp(account, updatable))
        assert len(set(stamps)) == len(stamps)

    def test_a_write_that_does_nothing_moves_no_watermark(self, account: Account, removable: Feature) -> None:
        rows = self.rows(removable)
        account.seed(removable, rows[1:])
        before = self.stamp(account, removable)
        assert self.write(account, removable) == []
        self.write(account, removable, self.change(removable, rows[0], None))
        assert self.stamp(account, removable) == before

    # --- limits ------------------------------------------------------------------------------

    def test_a_full_batch_is_taken(self, account: Account, addable: Feature) -> None:
        account.seed(addable, [])
        kind = min(self.caps(addable).kinds)
        count = min(self.caps(addable).batch, 200)
        changes = [_add(addable, world.item(kind, n + 1), self.sample(addable, n % 8)) for n in range(count)]
        receipts = self.write(account, addable, *changes)
        assert {receipt.outcome for receipt in receipts} == {Outcome.CONFIRMED}
        assert len(self.held(account, addable)) == count

    def test_a_run_that_is_stopped_leaves_whole_records(self, account: Account, addable: Feature) -> None:
        rows = self.rows(addable)
        account.seed(addable, rows[:1])
        changes = [_add(addable, row.item, row.value) for row in rows[1 : 1 + self.caps(addable).batch]]

        async def stopped(provider: Provider) -> None:
            task = asyncio.ensure_future(provider.apply(addable, changes))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        self.with_open(account, addable, stopped)
        allowed = {_name(row.item): self.kept(addable, row.value) for row in rows}
        assert self.held(account, addable).items() <= allowed.items()
        assert _name(rows[0].item) in self.held(account, addable)


def _name(item: Item) -> str:
    return item.coordinates()[0] if item.coordinates() else item.key() or item.label()


def _add(feature: Feature, item: Item, value: Value) -> Change:
    return world.change(feature, item, None, value)
