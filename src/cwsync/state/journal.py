"""What a run is about to write, and what came of it: `journal.jsonl`, append-only.

One JSON object a line: `begin`, then for each batch an `intent` and a `receipt`, then `commit` (but
not when the run was cut off) and `end`. Each line ends in the sha256 of the hash before it and its
own text, so a changed, missing or moved line is found. An intent is durable before its request
leaves. So a last line that was torn by a crash was never acted upon, and is dropped; damage
anywhere else is a `StateError`.

The file exists only while a run is unfinished; then it moves to `runs/RUN_ID.jsonl`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cwsync import files
from cwsync.errors import StateError
from cwsync.model import Change, Feature, Receipt, Side, format_when
from cwsync.state import strict
from cwsync.state.entries import (
    Commit,
    Header,
    Intent,
    JournalRecord,
    Receipts,
    decode_commit,
    decode_header,
    decode_intent,
    decode_receipts,
    encode_change,
    encode_header,
    encode_receipt,
)

__all__ = [
    "JOURNAL",
    "Commit",
    "Header",
    "Intent",
    "Journal",
    "JournalRecord",
    "Receipts",
    "read_journal",
    "unanswered",
]

JOURNAL: Final = "journal.jsonl"
RUNS_KEPT: Final = 200
_TAIL: Final = re.compile(rb'(\{.*),"hash":"([0-9a-f]{64})"\}', re.DOTALL)


class Journal:
    """The journal of one run, open for appending. Every method returns only after an fsync.

    Every method raises `StateError` (exit 7) when that fails, and from then on always: what the
    kernel could not write once it may have dropped, so nothing may be written to a provider.
    """

    def __init__(self, folder: Path, descriptor: int, run_id: str, lines: int, last_hash: str) -> None:
        self.path = folder / JOURNAL
        self.run_id = run_id
        self._folder = folder
        self._descriptor: int | None = descriptor
        self._lines = lines
        self._hash = last_hash

    @classmethod
    def begin(cls, folder: Path, header: Header) -> Journal:
        """Make the journal of a run in the folder of its pair, which is made if need be.

        Raises `StateError` when there is one already: that run must be settled first.
        """
        path = folder / JOURNAL
        for one in (folder.parent, folder):
            files.make_dir(one)
        if read_journal(path) is not None:
            raise _unfinished(path)
        with files.disk_errors(path):
            # What cannot be read as even one line is a journal that was cut while it was made.
            if path.exists():
                files.remove_file(path)
            descriptor = files.create(path)
        journal = cls(folder, descriptor, header.run_id, 0, "")
        try:
            journal._append("begin", encode_header(header))
            with journal._fatal_errors():
                files.sync_dir(folder)
        except StateError:
            # Nothing was written anywhere yet, so nothing needs to be settled.
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        return journal

    @classmethod
    def reopen(cls, folder: Path, record: JournalRecord) -> Journal:
        """Go on with an unfinished journal, as `read_journal` gave it: to settle and finish it."""
        path = folder / JOURNAL
        files.refuse_symlink(path)
        with files.disk_errors(path):
            descriptor = files.open_append(path)
        journal = cls(folder, descriptor, record.header.run_id, record.lines, record.last_hash)
        with journal._fatal_errors():
            if os.fstat(descriptor).st_size != record.size:
                files.cut(descriptor, record.size, path)
                files.sync_file(descriptor, path)
        return journal

    def intend(
        self,
        batch: int,
        feature: Feature,
        side: Side,
        changes: Sequence[Change],
        at: datetime,
        *,
        more: Sequence[str] = (),
    ) -> None:
        """Say what the next request will do. The request may leave when this returns.

        `more` are the keys of records in it of which other copies follow in a later batch.
        """
        payload: dict[str, object] = {
            "batch": batch,
            "feature": feature.value,
            "side": side.value,
            "at": format_when(at),
            "changes": [encode_change(change) for change in changes],
        }
        self._append("intent", {**payload, **({"more": list(more)} if more else {})})

    def record(self, batch: int, receipts: Sequence[Receipt], at: datetime, watermark: str | None = None) -> None:
        """Say what came of a batch: one receipt for each of its changes, in the same order."""
        answers = [encode_receipt(receipt) for receipt in receipts]
        payload = {"batch": batch, "at": format_when(at), "receipts": answers, "watermark": watermark}
        self._append("receipt", payload)

    def finish(self, counts: Mapping[str, int], generation: int, checksum: str | None, at: datetime) -> Path:
        """Say that the state of this run is stored, and move the journal to `runs/`. Gives its new path."""
        commit = {"generation": generation, "checksum": checksum, "at": format_when(at), "counts": dict(counts)}
        self._append("commit", commit)
        return self.settle()

    def settle(self) -> Path:
        """Say that nothing more will follow, and move the journal to `runs/`. Gives its new path.

        By this line `read_past` knows a whole journal from one that lost its end, also of a run that
        was cut off and settled by a later one.
        """
        self._append("end", {})
        self.close()
        return retire(self._folder, self.run_id)

    def close(self) -> None:
        """Stop writing. The journal stays where it is, unfinished unless `finish` moved it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, kind: str, payload: Mapping[str, object]) -> None:
        if self._descriptor is None:
            raise StateError("cannot write any more: an earlier write failed, or it is closed", where=str(self.path))
        body = strict.dumps({"n": self._lines + 1, "kind": kind, **payload}).encode("ascii")
        digest = _chain(self._hash, body)
        with self._fatal_errors():
            files.write_all(self._descriptor, b'%s,"hash":"%s"}\n' % (body[:-1], digest.encode()), self.path)
            files.sync_file(self._descriptor, self.path)
        self._lines += 1
        self._hash = digest

    @contextlib.contextmanager
    def _fatal_errors(self) -> Iterator[None]:
        try:
            with files.disk_errors(self.path):
                yield
        except StateError:
            self.close()
            raise


def retired(folder: Path, run_id: str) -> Path:
    """Where the journal of a run ends up when the run is over."""
    return folder / "runs" / f"{run_id}.jsonl"


def retire(folder: Path, run_id: str) -> Path:
    """Move a journal that needs nothing more to `runs/`, durably. Gives its new path."""
    path, to = folder / JOURNAL, retired(folder, run_id)
    runs = to.parent
    files.make_dir(runs)
    with files.disk_errors(path):
        if to.exists() and to.read_bytes() == path.read_bytes():
            # A power cut between the syncs of the two folders may leave it in both.
            files.sync_dir(runs)
            files.remove_file(path)
            files.sync_dir(folder)
        else:
            files.move(path, to)
    _prune(runs)
    return to


def _chain(before: str, body: bytes) -> str:
    return hashlib.sha256(before.encode() + body).hexdigest()


def _unfinished(path: Path) -> StateError:
    return StateError("is the journal of a run that was not finished", where=str(path))


def _prune(runs: Path) -> None:
    # The run is finished: a journal too many is no reason to say that it failed.
    with contextlib.suppress(OSError):
        finished = sorted(runs.glob("*.jsonl"), key=lambda path: (path.stat().st_mtime_ns, path.name))
        for old in finished[:-RUNS_KEPT]:
            files.remove_file(old)


def unanswered(record: JournalRecord) -> list[Intent]:
    """The batches that were sent, or may have been, and have no receipts: in doubt."""
    return [intent for intent, receipts in record.batches if receipts is None]


def read_journal(path: Path) -> JournalRecord | None:
    """The journal at `path`; None when there is none, or when not even its first line was finished.

    Raises `StateError` for damage, also when `runs/` beside it holds the journal of the same run and
    that one says something else: a retired journal is moved, so two can only be one and the same.
    Creates and changes nothing.
    """
    data = files.read_file(path)
    if data is None:
        return None
    try:
        return _only_one(path, data, _read(data))
    except ValueError as error:
        raise StateError(
            f"the journal is damaged: {error}",
            where=str(path),
            hint=f"`cwsync reset-state {path.parent.name}` puts it aside and starts anew: "
            "the next run is a union that removes nothing",
        ) from error


def _only_one(path: Path, data: bytes, record: JournalRecord | None) -> JournalRecord | None:
    if record is not None and files.read_file(retired(path.parent, record.header.run_id)) not in (None, data):
        raise ValueError(f"it is not what runs/ holds of the same run, {record.header.run_id}")
    return record


def _read(data: bytes) -> JournalRecord | None:
    *lines, torn = data.split(b"\n")
    reader = _Reader()
    for line in lines:
        reader.read(line)
    if torn and _TAIL.fullmatch(torn[:-1]):
        # A torn line is a part of a line. This one is whole, and its end was changed.
        raise ValueError(f"line {len(lines) + 1} does not end where it should")
    if reader.header is None:
        return None
    return JournalRecord(
        reader.header,
        tuple([(intent, reader.receipts.get(batch)) for batch, intent in reader.intents.items()]),
        reader.commit,
        len(lines),
        len(data) - len(torn),
        reader.hash,
        reader.ended,
    )


class _Reader:
    """Checks the chain and the order of the lines, and collects what they say."""

    def __init__(self) -> None:
        self.hash = ""
        self.lines = 0
        self.header: Header | None = None
        self.intents: dict[int, Intent] = {}
        self.receipts: dict[int, Receipts] = {}
        self.commit: Commit | None = None
        self.ended = False

    def read(self, line: bytes) -> None:
        """Take the next line, without its end. Raises ``ValueError``."""
        self.lines += 1
        match = _TAIL.fullmatch(line)
        if match is None or _chain(self.hash, match[1] + b"}") != match[2].decode():
            raise ValueError(f"line {self.lines} is not what was written")
        self.hash = match[2].decode()
        try:
            self._take(strict.table(strict.loads(match[1] + b"}")))
        except (ValueError, TypeError) as error:
            raise ValueError(f"line {self.lines}: {error}") from error

    def _take(self, line: dict[str, object]) -> None:
        kind = strict.member(line, "kind", str)
        if strict.member(line, "n", int) != self.lines or self.ended or (kind == "begin") != (self.header is None):
            raise ValueError(f"a {kind!r} does not belong here")
        if kind == "begin":
            self.header = decode_header(line)
        elif kind == "intent" and self.commit is None:
            intent = decode_intent(line)
            if intent.batch in self.intents:
                raise ValueError(f"batch {intent.batch} is there twice")
            self.intents[intent.batch] = intent
        elif kind == "receipt" and self.commit is None:
            batch = strict.member(line, "batch", int)
            if batch not in self.intents or batch in self.receipts:
                raise ValueError(f"batch {batch} is not waiting for an answer")
            self.receipts[batch] = decode_receipts(line, self.intents[batch])
        elif kind == "commit" and self.commit is None:
            self.commit = decode_commit(line)
        elif kind == "end":
            self.ended = True
        else:
            raise ValueError(f"a {kind!r} does not belong here")
