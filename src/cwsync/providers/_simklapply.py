"""Writing to SIMKL: never what would demote or wipe something else, and every record accounted for.

There is one library in which each title has one status, so writing one feature can undo another: a wish
would take a film out of what was watched, a removal from the watchlist would take its rating along. The library is
looked at right before each batch, and what would cost the user something is refused.

Source: https://api.simkl.org; CrossWatch issues 944, 950, NuvioTVSmart 802 (checked 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cwsync.errors import AuthError, CwsyncError, UnavailableError
from cwsync.model import (
    Capabilities,
    Change,
    Feature,
    Item,
    Kind,
    Listed,
    Op,
    Outcome,
    Play,
    Rated,
    Receipt,
    moment,
)
from cwsync.providers._simklcalls import Calls
from cwsync.providers._simklmemory import Memory
from cwsync.providers._simklrows import Index, is_own, play_key
from cwsync.providers._simklwire import COMPLETED, PLANNED, Row, decode_time
from cwsync.providers._simklwrite import (
    Sent,
    Verdict,
    decode_lookups,
    encode,
    judge,
    lookup,
    path_of,
    points,
)

if TYPE_CHECKING:
    from cwsync.http import Answer

_NOT_THERE: Final = (Outcome.NOT_FOUND, Outcome.REJECTED)
_AHEAD: Final = timedelta(days=1)
_UNSEEN: Final = "it was sent, and is not to be seen (yet)"
_UNKNOWN: Final = "SIMKL does not know it by these ids"


class Writer:
    """The writes of one account.

    `look` gives the library as it was when the engine last looked, `look_now` as it is; `memory` keeps the names of
    titles that are rated without being in it.
    """

    def __init__(
        self,
        calls: Calls,
        look: Callable[[], Awaitable[Index]],
        look_now: Callable[[], Awaitable[Index]],
        memory: Memory,
        capabilities: Capabilities,
    ) -> None:
        self._calls = calls
        self._look_at, self._look_now = look, look_now
        self._memory = memory
        self._capabilities = capabilities
        self._sent = False
        self._made: dict[int, Receipt] = {}

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """Write, with one receipt for each change. Raises `AuthError`, `UnavailableError` while nothing was sent."""
        self._sent, self._made = False, {}
        receipts: dict[int, Receipt] = {}
        try:
            # Only what would be lost with a wrong look is looked at again before each batch: quotas are small.
            index = await (self._look_now if any(one.op is Op.REMOVE for one in changes) else self._look_at)()
            left: list[int] = []
            for number, change in enumerate(changes):
                early = self._early(feature, change, index)
                if early is None:
                    left.append(number)
                else:
                    receipts[number] = early
            if feature is Feature.WATCHLIST:
                left = await self._ask_first(changes, left, index, receipts)
            for removing in (False, True):
                part = [number for number in left if (changes[number].op is Op.REMOVE) == removing]
                done = await self._write(feature, [changes[number] for number in part], index)
                receipts.update(zip(part, done, strict=True))
        except (AuthError, UnavailableError) as error:
            if not self._sent:
                raise
            for number, change in enumerate(changes):
                unsent = Receipt(change, Outcome.NOT_SENT, error.code, detail=error.message)
                receipts.setdefault(number, self._made.get(id(change), unsent))
        return [receipts[number] for number in range(len(changes))]

    def _note(self, feature: Feature, receipts: Sequence[Receipt], index: Index) -> None:
        """What ratings filed is nobody's play and nobody's wish, until somebody watches it or wishes for it."""
        self._made |= {id(receipt.change): receipt for receipt in receipts}
        if feature is Feature.RATINGS:
            self._memory.unexpect(
                name for one in receipts if one.outcome in _NOT_THERE for name in _names(one.change.item)
            )
            return
        done = [one.change.item for one in receipts if one.outcome is Outcome.CONFIRMED and one.change.op is Op.ADD]
        rows = [index.row(None, item) for item in done if item.kind is not Kind.EPISODE]
        # A look in between may have read a row anew: it is that one which counts from now on.
        there = [index.picture.rows.get(row.simkl, row) for row in rows if row is not None]
        self._memory.free([row for row in there if row.filed is not None])

    # --- what need not, or must not, be sent --------------------------------------------------------

    def _early(self, feature: Feature, change: Change, index: Index) -> Receipt | None:
        caps = self._capabilities.of(feature)
        able = {Op.ADD: caps.add, Op.UPDATE: caps.update, Op.REMOVE: caps.remove}[change.op]
        if not able or change.item.kind not in caps.kinds:
            detail = f"SIMKL cannot {change.op.value} {feature.value} of a {change.item.kind.value}"
            return Receipt(change, Outcome.REJECTED, "unsupported", detail=detail)
        if feature is Feature.HISTORY:
            return self._early_play(change, index)
        row = index.row(change.native_key, change.item)
        return _early_rating(change, row) if feature is Feature.RATINGS else _early_wish(change, row, index)

    def _early_play(self, change: Change, index: Index) -> Receipt | None:
        key, at = None, None
        row = index.row(change.native_key, change.item) if change.item.kind is Kind.MOVIE else None
        if change.item.kind is Kind.EPISODE and (found := index.play(change.native_key, change.item)) is not None:
            key, at = play_key(*found), None if found[1].made_up else decode_time(found[1].at)
        elif row is not None and row.status == COMPLETED and not row.is_filed:
            key, at = play_key(row), decode_time(row.watched_at)
        if change.op is Op.ADD:
            now = self._calls.date or self._calls.now()
            if change.after is not None and change.after.at is not None and moment(change.after.at) > now + _AHEAD:
                return Receipt(change, Outcome.REJECTED, "future", detail="a play in the future is none")
            return None if key is None else Receipt(change, Outcome.ALREADY, native_key=key)
        if key is None:
            return Receipt(change, Outcome.ALREADY, detail="it is not there")
        if Play(at) != change.before:
            return _moved(change)
        if row is not None and (lost := _would_wipe(row)):
            detail = f"SIMKL would forget its {lost} too: there a film is unwatched by taking it out of the library"
            return Receipt(change, Outcome.REJECTED, "would-wipe", detail=detail)
        return None

    async def _ask_first(
        self, changes: Sequence[Change], left: Sequence[int], index: Index, receipts: dict[int, Receipt]
    ) -> list[int]:
        """Ask where titles are that the library does not have by these ids: it may have them by others, as watched."""
        unsure = [n for n in left if changes[n].op is Op.ADD and index.row(None, changes[n].item) is None]
        body = [ids for n in unsure if (ids := lookup(changes[n].item))]
        unsure = [n for n in unsure if lookup(changes[n].item)]
        if not unsure:
            return list(left)
        from cwsync.http import LostAnswerError

        try:
            answer = await self._calls.write("/sync/watched", body)
            if not answer.ok:
                self._calls.refuse(answer)
            told = decode_lookups(answer.json(), len(body))
        except LostAnswerError as error:  # it only asks, so nothing was written
            raise UnavailableError(error.message, where=self._calls.where, hint="try again later") from error
        except ValueError as error:
            message = f"POST /sync/watched answered with something else than expected: {error}"
            raise UnavailableError(message, where=self._calls.where, hint="try again later") from error
        for number, (known, listed) in zip(unsure, told, strict=True):
            change = changes[number]
            if not known:
                receipts[number] = Receipt(change, Outcome.NOT_FOUND, detail=_UNKNOWN)
            elif listed is not None:
                receipts[number] = _listed_as(change, listed)
        return [n for n in left if n not in receipts]

    # --- requests ---------------------------------------------------------------------------------

    async def _write(self, feature: Feature, changes: Sequence[Change], index: Index) -> list[Receipt]:
        """One request for changes that all add (or update) or all remove; more when it is refused whole."""
        if not changes:
            return []
        request = encode(changes, index)
        detail = "SIMKL takes none of its ids"
        receipts = {
            id(change): Receipt(change, Outcome.REJECTED, "no-ids", detail=detail) for change in request.unsendable
        }
        if request.sent:
            path = path_of(feature, removing=changes[0].op is Op.REMOVE)
            made = await self._send(feature, path, request.sent, request.body, index)
            receipts |= {id(receipt.change): receipt for receipt in made}
            self._note(feature, made, index)
        return [receipts[id(change)] for change in changes]

    async def _send(
        self, feature: Feature, path: str, sent: Sequence[Sent], body: object, index: Index
    ) -> list[Receipt]:
        from cwsync.http import LostAnswerError

        # SIMKL will file what it does not have. That has to be known whatever becomes of us and of the answer.
        rated = [one.change.item for one in sent if feature is Feature.RATINGS and one.change.op is Op.ADD]
        filed = [name for item in rated if index.row(None, item) is None for name in _names(item)]
        self._memory.expect(filed, self._calls.now())
        try:
            answer = await self._calls.write(path, body)
            self._sent = self._sent or answer.ok
            if answer.ok:
                try:
                    verdict = judge(sent, answer.json())
                except ValueError as error:
                    answer.garbled(str(error))
                return await self._receipts(sent, verdict)
        except LostAnswerError as error:
            self._sent = True
            return await self._look(sent, error.message)
        except (AuthError, UnavailableError):
            self._memory.unexpect(filed)
            raise
        self._memory.unexpect(filed)
        return await self._refused(feature, sent, answer, index)

    async def _refused(self, feature: Feature, sent: Sequence[Sent], answer: Answer, index: Index) -> list[Receipt]:
        """A request that was refused whole. Which record is to blame shows when there is only one."""
        changes = [one.change for one in sent]
        if answer.status == 404 and len(changes) > 1:
            self._calls.refuse(answer)
        if len(changes) > 1:
            half = len(changes) // 2
            first = await self._write(feature, changes[:half], index)
            return [*first, *await self._write(feature, changes[half:], index)]
        from cwsync.http.answer import error_text

        detail = error_text(answer) or f"SIMKL answered {answer.status}"
        return [Receipt(changes[0], Outcome.REJECTED, f"http-{answer.status}", detail=detail)]

    # --- what became of it ------------------------------------------------------------------------

    async def _receipts(self, sent: Sequence[Sent], verdict: Verdict) -> list[Receipt]:
        made = {n: Receipt(sent[n].change, Outcome.NOT_FOUND, detail=_UNKNOWN) for n in verdict.not_found}
        for n, to in verdict.rewritten.items():
            detail = f"SIMKL put it into {to!r} in place of the watchlist"
            made[n] = Receipt(sent[n].change, Outcome.REJECTED, "rewritten", detail=detail)
        left = [n for n in range(len(sent)) if n not in made]
        if verdict.sure:
            names = await self._names({n: sent[n].change for n in left})
            made |= {n: Receipt(sent[n].change, Outcome.CONFIRMED, native_key=names.get(n)) for n in left}
        else:
            looked = await self._look([sent[n] for n in left], "the answer leaves open what was written")
            unseen = [n for n, receipt in zip(left, looked, strict=True) if receipt.detail == _UNSEEN]
            made |= dict(zip(left, looked, strict=True))
            if len(unseen) == verdict.missing and sent[0].change.op is not Op.REMOVE:
                # Exactly as many are not there as were neither counted nor listed: those SIMKL does not have.
                made |= {n: Receipt(sent[n].change, Outcome.NOT_FOUND, detail=_UNKNOWN) for n in unseen}
        return [made[n] for n in range(len(sent))]

    async def _names(self, changes: Mapping[int, Change]) -> dict[int, str]:
        """What anime is called that was sent by its own numbers, by index: SIMKL will tell of it by those of TVDB.

        Of all else a reading shows the ids that were sent; that is not worth the requests.
        """
        own = [(n, one.item) for n, one in changes.items() if one.op is Op.ADD and is_own(one.item)]
        if not own:
            return {}
        try:
            index = await self._look_now()
        except (AuthError, UnavailableError):
            return {}  # it was written all the same
        return {n: name for n, item in own if (name := index.name(item)) is not None}

    async def _look(self, sent: Sequence[Sent], why: str) -> list[Receipt]:
        """Read again and see: what is as it should be is confirmed, the rest stays in doubt."""
        changes = [one.change for one in sent]
        try:
            index = await self._look_now()
        except CwsyncError as error:
            detail = f"{why}; and it could not be looked up: {error.message}"
            return [Receipt(change, Outcome.UNKNOWN, "lost-answer", detail=detail) for change in changes]
        seen = [as_wanted(change, index) for change in changes]
        names = [index.name(change.item) if change.op is not Op.REMOVE else None for change in changes]
        return [
            Receipt(change, Outcome.CONFIRMED, native_key=name)
            if is_so
            else Receipt(change, Outcome.UNKNOWN, "unseen", detail=_UNSEEN)
            for change, is_so, name in zip(changes, seen, names, strict=True)
        ]


def _names(item: Item) -> list[str]:
    """What a title is called by those who rate it, as `Row.names` has it."""
    kind = "film" if item.kind is Kind.MOVIE else "show"
    return [f"{kind} {one.service} {one.value}" for one in item.ids]


def as_wanted(change: Change, index: Index) -> bool:
    """Whether the library is as a change would have left it."""
    row = index.row(change.native_key, change.item)
    if change.feature is Feature.RATINGS:
        rating = None if row is None else row.rating
        return rating == (points(change.after) if isinstance(change.after, Rated) else None)
    if change.feature is Feature.WATCHLIST:
        there = row is not None and row.status == PLANNED
    elif change.item.kind is Kind.EPISODE:
        there = index.play(change.native_key, change.item) is not None
    else:
        there = row is not None and row.status == COMPLETED
    return there == (change.op is not Op.REMOVE)


def _early_rating(change: Change, row: Row | None) -> Receipt | None:
    held = None if row is None or row.rating is None else Rated(row.rating * 10, decode_time(row.rated_at))
    if change.op is Op.REMOVE and held is None:
        return Receipt(change, Outcome.ALREADY, detail="it is not there")
    if change.op is Op.ADD and held is not None and isinstance(change.after, Rated):
        if held.score == points(change.after) * 10:
            return Receipt(change, Outcome.ALREADY, native_key=None if row is None else play_key(row))
        return _moved(change)
    return None if held == change.before else _moved(change)


def _early_wish(change: Change, row: Row | None, index: Index) -> Receipt | None:
    if change.op is Op.ADD:
        kept = [one for one in index.titles(change.item) if one.status != PLANNED and not one.is_filed]
        if kept:
            return _listed_as(change, kept[0].status)
        return None if row is None or row.is_filed else _listed_as(change, row.status)
    if row is None or row.status != PLANNED:
        return Receipt(change, Outcome.ALREADY, detail="it is not on the watchlist")
    if Listed(decode_time(row.added_at)) != change.before:
        return _moved(change)
    if lost := _would_wipe(row):
        detail = f"SIMKL would forget its {lost} too: there the only way off the watchlist is out of the library"
        return Receipt(change, Outcome.REJECTED, "would-wipe", detail=detail)
    return None


def _listed_as(change: Change, status: str) -> Receipt:
    """The receipt of a wish for something that the library has."""
    if status == PLANNED:
        return Receipt(change, Outcome.ALREADY)
    detail = f"it is in {status!r} at SIMKL, and would leave that: there a title is in one list only"
    return Receipt(change, Outcome.REJECTED, "would-demote", detail=detail)


def _would_wipe(row: Row) -> str:
    """What else SIMKL knows of a title, and would forget with it; empty when there is nothing."""
    parts = [
        ("rating", row.rating is not None),
        ("watched episodes", not row.is_film and bool(row.n_watched or row.episodes)),
        ("note", row.memo),
    ]
    return " and ".join(name for name, there in parts if there)


def _moved(change: Change) -> Receipt:
    return Receipt(change, Outcome.NOT_SENT, "moved", detail="changed since it was read", moved=True)
