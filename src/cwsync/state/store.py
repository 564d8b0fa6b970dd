"""Loading and saving the baseline of one pair. See `document` for what the file looks like."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cwsync import files
from cwsync.errors import StateError
from cwsync.model import Baseline, Feature, Row
from cwsync.state import document
from cwsync.state.document import PairState
from cwsync.state.journal import JOURNAL, read_journal

__all__ = ["BACKUPS_KEPT", "STATE", "PairState", "PairStore"]

STATE: Final = "state.json"
BACKUPS_KEPT: Final = 10
_FIRST_LINE_BYTES: Final = 200
_BACKUP: Final = re.compile(r"state-([0-9]{8,})(?:-unreadable-.*)?\.json")


def forgotten(
    baselines: Mapping[Feature, Baseline], features: frozenset[Feature], now: datetime
) -> dict[Feature, Baseline]:
    """Baselines without what was agreed on in `features`; only the records that are frozen now stay, frozen."""
    left = {}
    for feature, one in baselines.items():
        if feature in features:
            rows = {
                key: Row(key, row.item, mark=row.mark, writes=row.writes)
                for key, row in one.rows.items()
                if row.mark is not None and now < row.mark.until
            }
            if not rows:
                continue
            left[feature] = Baseline(feature, rows, fingerprint=one.fingerprint, account_ids=one.account_ids)
        else:
            left[feature] = one
    return left


class PairStore:
    """The folder of one pair: its baseline, the backups of that, and what a reset leaves behind.

    Nothing is created before the first `save`, and reading works in a read-only folder. Every
    method raises `StateError` for a symlink in the way, for damage, and for a disk that fails.
    """

    def __init__(self, state_dir: Path, pair: str) -> None:
        self.pair = pair
        self.folder = state_dir / "pairs" / pair
        self.path = self.folder / STATE
        self.journal_path = self.folder / JOURNAL
        self.backups_folder = self.folder / "backups"
        self.runs_folder = self.folder / "runs"

    def load(self, source: str, target: str) -> PairState:
        """The state, its sides as these two accounts. Generation 0 when it was never saved.

        Direction is not part of the baseline: a pair turned around keeps it. With other accounts
        than those it was saved for every fingerprint is None (see `document.decode`), so that
        the next run is a union.
        """
        data = self._read()
        if data is None:
            return PairState(self.pair, source, target)
        return self._decode(data, source, target)

    def lost(self, generation: int) -> bool:
        """Whether there was a state once and is none now. `generation` is that which the last run left.

        A damaged one that a reset put aside is not lost.
        """
        if self.path.exists():
            return False
        backups = self.backups()
        return "-unreadable-" not in backups[0].name if backups else generation > 0

    def peek(self) -> PairState | None:
        """The state with the sides it was saved with, or None when it was never saved."""
        data = self._read()
        return None if data is None else self._decode(data)

    def save(self, state: PairState) -> PairState:
        """Store `state` as the next generation, durably; the old one stays as a backup.

        Gives the state with its new generation and checksum. Raises `StateError` with the old
        file untouched, also when the file is not the one that `state` was loaded from.
        """
        data = self._read(_FIRST_LINE_BYTES)
        found = None if data is None else document.checksum_of(data) or "damaged"
        if found != state.checksum:
            raise StateError(
                "is not the file that was read when this run began",
                where=str(self.path),
                hint="nothing was stored; run the same command again",
            )
        return self._store(state, replaces=data is not None)

    def _store(self, state: PairState, *, replaces: bool) -> PairState:
        # After damage was put aside there is no state, but its backups still count.
        generation = state.generation or self._newest_backup()
        saved = replace(state, generation=generation + 1)
        encoded, checksum = document.encode(saved)
        self._make_folders()
        keep = self.backups_folder / f"state-{state.generation:08d}.json" if replaces else None
        files.replace_file(self.path, encoded, keep=keep)
        # The new state is in place; a backup too many is no reason to call that a failure.
        with contextlib.suppress(OSError):
            for old in self.backups()[BACKUPS_KEPT:]:
                files.remove_file(old)
        return replace(saved, checksum=checksum)

    def backups(self) -> list[Path]:
        """The backups, newest generation first. They are for people: no run ever reads one."""
        found = [(int(match[1]), path.name, path) for match, path in self._backups()]
        return [path for _, _, path in sorted(found, reverse=True)]

    def _newest_backup(self) -> int:
        return max((int(match[1]) for match, _ in self._backups()), default=0)

    def _backups(self) -> list[tuple[re.Match[str], Path]]:
        self._refuse_symlinks(self.backups_folder)
        try:
            names = list(self.backups_folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise files.unreadable(error, self.backups_folder) from error
        return [(match, path) for path in names if (match := _BACKUP.fullmatch(path.name))]

    def reset(self, features: frozenset[Feature] | None, now: datetime) -> Path | None:
        """Forget the baseline of `features` (None: all of it). Gives the backup, None: nothing was there.

        Forgetting everything also works on a damaged state, and moves the journal of an
        unfinished run to `runs/abandoned-*.jsonl`. Forgetting only some features is refused when
        the state cannot be read, or when an unfinished run has written to another feature: what
        is in doubt there would be forgotten too.

        Records that we wrote a moment ago stay frozen until their time: reads may not show them yet, and
        whoever forgot that would send a play twice.
        """
        keep = self._reset_all(now) if features is None else self._reset_some(features, now)
        self._abandon_journal(now)
        return keep

    def _reset_some(self, features: frozenset[Feature], now: datetime) -> Path | None:
        journal = read_journal(self.journal_path)
        others = {batch.feature.value for batch, _ in journal.batches} - set(features) if journal else set()
        if others:
            raise StateError(
                f"an unfinished run also wrote to {', '.join(sorted(others))}",
                where=str(self.journal_path),
                hint=f"run `cwsync run {self.pair} --apply` first, or reset the whole pair",
            )
        state = self.peek()
        if state is None:
            return None
        left = forgotten(state.features, features, now)
        self._store(replace(state, features=left, saved_at=now), replaces=True)
        return self.backups_folder / f"state-{state.generation:08d}.json"

    def _reset_all(self, now: datetime) -> Path | None:
        data = self._read_any()
        if data is None and not self.path.exists():
            return None
        try:
            state = self._decode(data or b"")
        except StateError:
            return self._put_aside(now)
        # An empty state instead of none: generations, and so backups, keep counting.
        self._store(
            replace(state, features=forgotten(state.features, frozenset(Feature), now), saved_at=now), replaces=True
        )
        return self.backups_folder / f"state-{state.generation:08d}.json"

    def _put_aside(self, now: datetime) -> Path:
        """Move a state that cannot be read into the backups, behind all generations that are there."""
        self._make_folders()
        keep = self.backups_folder / f"state-{self._newest_backup() + 1:08d}-unreadable-{_stamp(now)}.json"
        with files.disk_errors(self.path):
            files.move(self.path, keep)
        return keep

    def _abandon_journal(self, now: datetime) -> None:
        files.refuse_symlink(self.journal_path)
        if not self.journal_path.exists() or self._empty_journal():
            return
        files.make_dir(self.runs_folder)
        with files.disk_errors(self.journal_path):
            files.move(self.journal_path, self.runs_folder / f"abandoned-{_stamp(now)}.jsonl")

    def _empty_journal(self) -> bool:
        """Whether the journal was cut off before its first line, when nothing was sent yet; then it is removed."""
        try:
            if read_journal(self.journal_path) is not None:
                return False
        except StateError:
            return False
        with files.disk_errors(self.journal_path):
            files.remove_file(self.journal_path)
            files.sync_dir(self.folder)
        return True

    def _make_folders(self) -> None:
        for folder in (self.folder.parent, self.folder, self.backups_folder):
            files.make_dir(folder)

    def _refuse_symlinks(self, *more: Path) -> None:
        for path in (self.folder.parent, self.folder, *more):
            files.refuse_symlink(path)

    def _read(self, limit: int = -1) -> bytes | None:
        self._refuse_symlinks()
        return files.read_file(self.path, limit)

    def _read_any(self) -> bytes | None:
        """As `_read`, but None for something that is there and is no readable file."""
        self._refuse_symlinks(self.path)
        try:
            return files.read_file(self.path)
        except StateError:
            return None

    def _decode(self, data: bytes, source: str | None = None, target: str | None = None) -> PairState:
        try:
            state = document.decode(data, source, target)
        except ValueError as error:
            raise self._damage(str(error)) from error
        except StateError as error:
            raise StateError(error.message, where=str(self.path), hint=error.hint) from error
        if state.pair != self.pair:
            raise self._damage(f"it is that of the pair {state.pair!r}")
        return state

    def _damage(self, why: str) -> StateError:
        return StateError(
            f"the state is damaged: {why}",
            where=str(self.path),
            hint=f"`cwsync reset-state {self.pair}` starts anew with a union that removes nothing; "
            f"earlier states are in {self.backups_folder}",
        )


def _stamp(now: datetime) -> str:
    """A moment as part of a file name."""
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
