"""`plan` and `run` as a page: what would be done or was done, what was not, and what to type next."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cwsync.model import (
    OP_ORDER,
    ChangeReport,
    Feature,
    FeatureReport,
    Guard,
    Mode,
    Note,
    Op,
    Outcome,
    PairReport,
    RunReport,
)
from cwsync.render.document import Block, Gap, Grid, Line, Page, Row, Tone
from cwsync.render.sanitise import sanitise
from cwsync.render.words import by_title, count, in_order, label, transition, value, why

MAX_CHANGES: Final = 40
MAX_REMOVES: Final = 100  # what is taken away is shown to the end
MAX_EXAMPLES: Final = 3
MAX_FAILURES: Final = 40
_TONES: Final = {Op.ADD: Tone.ADD, Op.UPDATE: Tone.UPDATE, Op.REMOVE: Tone.REMOVE}
_POLICY: Final = re.compile(r" wins \((\w+)\)")
_DONE: Final = (Outcome.CONFIRMED, Outcome.ALREADY)
_OUTCOMES: Final = {
    Outcome.CONFIRMED: "",
    Outcome.ALREADY: "",
    Outcome.NOT_FOUND: "not found there",
    Outcome.REJECTED: "refused",
    Outcome.UNKNOWN: "no answer; looked at again by the next run",
    Outcome.NOT_SENT: "not sent",
}


@dataclass(frozen=True, slots=True)
class RunView:
    """How much to say, and the words that name this very command again.

    `verbosity` is -1 for ``-q``. `names` are the pairs as the user named them, or ``--all``;
    `options` are the options that make the plan what it is, ready for a shell. `saved` is the file
    the plan was written to. `verb` is the command that plans and, with ``--apply``, writes.
    """

    verbosity: int = 0
    names: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    saved: str | None = None
    verb: str = "run"

    def accept(self, pair: str, digest: str) -> str:
        """The command that lets a refused plan through."""
        if self.saved is not None:
            return shlex.join(("cwsync", "run", "--plan", self.saved, "--apply", "--accept", digest, *self.options))
        return self.command("--accept", digest, names=[pair] if self.verb == "run" else self.names)

    def command(self, *words: str, names: Sequence[str] | None = None) -> str:
        """``cwsync VERB NAMES --apply ...`` with the options of this command."""
        who = self.names if names is None else names
        return shlex.join(("cwsync", self.verb, *who, "--apply", *words, *self.options))


def run_page(report: RunReport, view: RunView) -> Page:
    """The whole answer. Empty for ``-q`` when there is nothing to tell."""
    page: Page = []
    for pair in report.pairs:
        if view.verbosity < 0 and pair.quiet:
            continue
        page += [Gap(), *_pair(pair, view, applied=report.applied)]
    if view.verbosity >= 0:
        page += [Gap(), *_next(report, view)]
    return page


def _next(report: RunReport, view: RunView) -> Iterator[Block]:
    """The command to type next, when there is one."""
    ready = [pair for pair in report.pairs if pair.changes and not pair.guards and pair.error is None]
    if report.applied or not ready:
        return
    if view.saved is not None:
        command = shlex.join(("cwsync", "run", "--plan", view.saved, "--apply", *view.options))
    elif len(ready) == len(report.pairs) and view.names:
        command = view.command()
    else:
        command = view.command(names=[pair.pair for pair in ready])
    yield Line(f"next: {command}", Tone.STRONG, verbatim=True)


def _pair(pair: PairReport, view: RunView, *, applied: bool) -> Iterator[Block]:
    arrow = "⇄" if pair.mode is Mode.TWO_WAY else "→"
    kind = "run" if applied else "dry run"
    if pair.undoes is not None:
        kind = f"undo of {sanitise(pair.undoes)}" + ("" if applied else ", dry run")
    yield Line(f"{pair.pair}: {pair.source} {arrow} {pair.target} ({pair.mode.value}, {kind})", Tone.STRONG)
    if pair.locked_out:
        yield Line("left out: another run holds the lock", Tone.WARN)
        return
    yield from _first_run(pair)
    for feature in in_order(pair.features):
        yield from _feature(feature, pair, view, applied=applied)
    yield from _conflicts(pair, view)
    yield from _notes("holds", pair.holds, pair, view)
    yield from _notes("skips", pair.skips, pair, view)
    for warning in pair.warnings:
        yield Line(f"warning: {sanitise(warning, 500)}", Tone.WARN)
    yield from _guards(pair, view)
    if pair.error is not None:
        # The words and the hint go to stderr, like those of every other error.
        what = f"{pair.error.feature.value} of {pair.pair}" if pair.error.feature else pair.pair
        yield Line(f"not finished: {what} ({pair.error.code})", Tone.ERROR)
    yield from _summaries(pair, applied=applied)


def _first_run(pair: PairReport) -> Iterator[Block]:
    if not pair.first_run:
        return
    if pair.mode is Mode.TWO_WAY:
        what = "both sides are united and nothing is removed"
    else:
        what = f"{pair.target} gets what {pair.source} has and keeps what else it has; nothing is removed"
    fresh = [feature.value for feature in in_order(pair.features) if pair.features[feature].first_run]
    if fresh and len(fresh) < len(pair.features):
        yield Line(f"first run of {', '.join(fresh)}: {what}")
    else:
        yield Line(f"first run: nothing is known of this pair yet, so {what}")


# --- changes ------------------------------------------------------------------------------------


def _feature(feature: Feature, pair: PairReport, view: RunView, *, applied: bool) -> Iterator[Block]:
    """The changes of one feature, and those that did not work."""
    changes = [one for one in pair.changes if one.change.feature is feature]
    if changes and view.verbosity >= 0:
        yield Gap()
        yield Line(feature.value, Tone.STRONG)
        yield from _table(changes, pair, view)
    failed = [one for one in changes if one.outcome is not None and one.outcome not in _DONE]
    if applied and failed:
        yield Gap()
        yield Line(f"{feature.value}: {count(len(failed), 'change')} not made", Tone.ERROR)
        yield from _failures(failed, pair, view)


def _table(changes: list[ChangeReport], pair: PairReport, view: RunView) -> Iterator[Block]:
    everything = view.verbosity > 0
    ordered = sorted(changes, key=lambda one: (OP_ORDER[one.change.op], by_title(one.change.item)))
    removes = sum(1 for one in changes if one.change.op is Op.REMOVE)
    writes = len(changes) - removes
    shown = ordered[:writes] if everything else ordered[: min(writes, MAX_CHANGES)]
    taken = ordered[writes:] if everything else ordered[writes : writes + MAX_REMOVES]
    rows = [_row(one, pair) for one in (*shown, *taken)]
    yield Grid(("", "account", "title", "old → new", "reason"), rows, narrow=frozenset({0, 1}))
    hidden = [(writes - len(shown), "more"), (removes - len(taken), "more to remove")]
    told = " and ".join(f"{number:,} {word}" for number, word in hidden if number)
    if told:
        yield Line(f"… and {told} (-v shows all, --json has everything)", Tone.DIM)


def _row(one: ChangeReport, pair: PairReport) -> Row:
    change = one.change
    cells = (change.op.symbol, pair.account(change.side), label(change.item), transition(change), why(change))
    return Row(cells, _TONES[change.op])


def _failures(failed: list[ChangeReport], pair: PairReport, view: RunView) -> Iterator[Block]:
    failed = sorted(failed, key=lambda one: (OP_ORDER[one.change.op], by_title(one.change.item)))
    shown = failed if view.verbosity > 0 else failed[:MAX_FAILURES]
    rows = []
    for one in shown:
        outcome = _OUTCOMES[one.outcome] if one.outcome else ""
        detail = f"{outcome}: {sanitise(one.detail)}" if one.detail else outcome
        account = pair.account(one.change.side)
        rows.append(Row((one.change.op.symbol, account, label(one.change.item), transition(one.change), detail)))
    yield Grid((), rows, narrow=frozenset({0, 1}), indent=2)
    if len(shown) < len(failed):
        yield Line(f"… and {len(failed) - len(shown):,} more (-v shows all, --json has everything)", Tone.DIM)


# --- what was not simply written ----------------------------------------------------------------


def _conflicts(pair: PairReport, view: RunView) -> Iterator[Block]:
    """The conflicts nobody decided, and how many a policy did: those are in the table. With ``-q`` the number."""
    if not pair.conflicts:
        return
    undecided = [note for note in pair.conflicts if note.undecided]
    yield Gap()
    yield Line(f"conflicts: {len(pair.conflicts):,}", Tone.WARN if undecided else Tone.STRONG)
    if view.verbosity < 0:
        return
    yield from _groups(undecided, pair, view)
    settled: dict[str, list[Note]] = {}
    for note in pair.conflicts:
        if not note.undecided:
            found = _POLICY.search(note.reason)
            settled.setdefault(f'conflict = "{found[1]}"' if found else "the pair's rules", []).append(note)
    for policy, group in sorted(settled.items()):
        where = "" if view.verbosity > 0 else " (marked in the table; -v lists them)"
        yield Line(f"{count(len(group), 'conflict')} settled by {policy}{where}", indent=2)
        if view.verbosity > 0:
            yield _examples(group, pair)


def _notes(name: str, notes: Sequence[Note], pair: PairReport, view: RunView) -> Iterator[Block]:
    """Counts by code with a few examples; nothing with ``-q``."""
    if not notes or view.verbosity < 0:
        return
    yield Gap()
    yield Line(f"{name}: {len(notes):,}", Tone.STRONG)
    yield from _groups(notes, pair, view)


def _groups(notes: Sequence[Note], pair: PairReport, view: RunView) -> Iterator[Block]:
    groups: dict[str, list[Note]] = {}
    for note in notes:
        groups.setdefault(note.code, []).append(note)
    for code, group in sorted(groups.items()):
        yield Line(f"{sanitise(code)}: {len(group):,}", indent=2)
        ordered = sorted(group, key=lambda note: by_title(note.item))
        shown = ordered if view.verbosity > 0 else ordered[:MAX_EXAMPLES]
        yield _examples(shown, pair)
        if len(shown) < len(group):
            yield Line(f"… and {len(group) - len(shown):,} more (-v shows all)", Tone.DIM, indent=4)


def _examples(notes: Iterable[Note], pair: PairReport) -> Grid:
    ordered = sorted(notes, key=lambda note: by_title(note.item))
    return Grid((), [_example(note, pair) for note in ordered], indent=4)


def _example(note: Note, pair: PairReport) -> Row:
    values = f"{pair.source} {value(note.source)} · {pair.target} {value(note.target)}"
    told = sanitise(note.reason.partition(":")[2].strip() or note.reason)
    return Row((note.feature.value, label(note.item), values, told))


def _guards(pair: PairReport, view: RunView) -> Iterator[Block]:
    """A block nobody can miss: which guards, their numbers, and the way through. A shared hint is told once."""
    blocks: dict[str, list[Guard]] = {}
    for guard in pair.guards:
        blocks.setdefault(guard.hint, []).append(guard)
    for hint, guards in blocks.items():
        yield Gap()
        for guard in guards:
            where = [guard.feature.value] if guard.feature else []
            where += [pair.account(guard.side)] if guard.side else []
            place = f" ({', '.join(where)})" if where else ""
            yield Line(f"! STOPPED by guard {guard.name}{place}", Tone.ERROR)
            yield Line(f"! {sanitise(guard.numbers, 500)}", Tone.ERROR)
        if hint:
            yield Line(f"! hint: {sanitise(hint, 500)}")
    if pair.guards and pair.digest is not None and all(guard.acceptable for guard in pair.guards):
        yield Gap()
        yield Line("! to let exactly this plan through, once:")
        yield Line(f"!   {view.accept(pair.pair, pair.digest)}", verbatim=True)


# --- one line a feature -------------------------------------------------------------------------


def _summaries(pair: PairReport, *, applied: bool) -> Iterator[Block]:
    yield Gap()
    if not pair.features:
        return
    idle = pair.undoes is None and not (pair.changes or pair.conflicts or pair.guards or pair.error)
    waiting = any(report.hold for report in pair.features.values())
    if idle:
        yield Line("nothing to do now; some records wait" if waiting else "in sync, nothing to do")
    for feature in in_order(pair.features):
        report = pair.features[feature]
        if report.source is None and report.target is None:
            yield Line(f"{feature.value}: not read", Tone.ERROR)
            continue
        words = _made(report) if applied else _planned(report)
        tone = Tone.ERROR if report.failed else Tone.PLAIN
        yield Line(f"{feature.value}: {' · '.join((*words, *_rest(report)))}", tone)


def _planned(report: FeatureReport) -> Iterator[str]:
    counts = ((report.add, "add"), (report.update, "update"), (report.remove, "remove"))
    yield ", ".join(f"{number:,} to {word}" for number, word in counts if number) or "nothing to change"


def _made(report: FeatureReport) -> Iterator[str]:
    planned = report.add + report.update + report.remove
    if not planned:
        yield "nothing to change"
        return
    if not report.confirmed and not report.failed:
        yield from _planned(report)
        yield "not written"
        return
    yield f"{report.confirmed:,} of {planned:,} confirmed"
    if report.failed:
        yield f"{report.failed:,} failed"


def _rest(report: FeatureReport) -> Iterable[str]:
    counts = ((report.conflict, "conflict"), (report.hold, "hold"), (report.skip, "skip"))
    told = [count(number, word) for number, word in counts if number]
    if report.same + report.adopt:
        apart = f" ({report.one_sided:,} on one side only)" if report.one_sided else ""
        told.append(f"{report.same + report.adopt:,} same{apart}")
    if report.filtered:
        told.append(f"{report.filtered:,} out of range")
    unread = [side for side in (report.source, report.target) if side is not None and not side.complete]
    if unread:
        told.append("read incomplete")
    return told
