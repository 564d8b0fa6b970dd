"""Writing to Trakt: what is there already is not sent, what was sent is accounted for, a play is never sent twice.

A history takes the same play as often as it is posted, also after an error, and accounts full of
doubles get locked. So plays are looked up before they are sent, and after an answer that was lost.

Source: https://github.com/trakt/trakt-api/issues/220, 228, 248 (checked 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cwsync.errors import AuthError, CwsyncError, UnavailableError
from cwsync.model import Capabilities, Change, Entry, Feature, Item, Op, Outcome, Play, Receipt, Snapshot, moment
from cwsync.providers._traktcalls import Calls
from cwsync.providers._traktread import Reader
from cwsync.providers._traktrows import Rows, as_wanted, removed
from cwsync.providers._traktwire import EPOCH
from cwsync.providers._traktwrite import Sent, Verdict, encode, judge, minute, wants

if TYPE_CHECKING:
    from cwsync.http import Answer

_AHEAD: Final = timedelta(days=1)
_REFUSED: Final = frozenset({400, 404, 409, 413, 422})


class Writer:
    """The writes of one account. `limits` are its own, by feature; `once` says that it keeps one play of a title."""

    def __init__(self, calls: Calls, reader: Reader, capabilities: Capabilities) -> None:
        self._calls = calls
        self._reader = reader
        self._capabilities = capabilities
        self._rows: dict[Feature, Rows] = {}
        self._seen: dict[Feature, str | None] = {}
        self._sent = False
        self._made: dict[int, Receipt] = {}
        self._found: dict[int, Item] = {}
        self._veiled: set[int] = set()
        self.account_id = ""
        self.limits: dict[str, int] = {}
        self.once = False

    def learn(self, snapshot: Snapshot) -> None:
        """Remember what was read: writes are checked against it while the stamp stands still."""
        self._rows[snapshot.feature] = Rows(snapshot)
        self._seen[snapshot.feature] = snapshot.watermark

    def saw(self, feature: Feature, stamp: str | None) -> None:
        """Remember the newest stamp. The first one after a write of ours is that write's."""
        self._seen[feature] = stamp
        rows = self._rows.get(feature)
        if rows is not None and rows.stamp is None:
            rows.stamp = stamp

    async def _known(self, feature: Feature) -> Rows:
        rows = self._rows.get(feature)
        if rows is None or (rows.stamp is not None and rows.stamp != self._seen.get(feature)):
            self.learn(await self._reader.read(feature, self.account_id))
            rows = self._rows[feature]
        return rows

    # --- one call of apply ------------------------------------------------------------------------

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """Write, with one receipt for each change. Raises `AuthError`, `UnavailableError` while nothing was sent."""
        self._sent, self._made, self._found = False, {}, {}
        receipts: dict[int, Receipt] = {}
        left: list[int] = []
        try:
            rows = await self._known(feature) if self._must_know(feature, changes) else None
            self._veiled = await self._find_veiled(rows, changes) if rows is not None and rows.withheld else set()
            for number, change in enumerate(changes):
                early = self._early(feature, change, rows)
                if early is None:
                    left.append(number)
                else:
                    receipts[number] = early
            for removing in (False, True):
                part = [number for number in left if (changes[number].op is Op.REMOVE) == removing]
                if part:
                    done = await self._write(feature, [changes[number] for number in part])
                    receipts.update(zip(part, done, strict=True))
        except (AuthError, UnavailableError) as error:
            self._rows.pop(feature, None)
            if not self._sent:
                raise
            for number, change in enumerate(changes):
                unsent = Receipt(change, Outcome.NOT_SENT, error.code, detail=error.message)
                receipts.setdefault(number, self._made.get(id(change), unsent))
        self._reader.activities.forget()
        return [receipts[number] for number in range(len(changes))]

    async def _find_veiled(self, rows: Rows, changes: Sequence[Change]) -> set[int]:
        """The adds, by identity, that Trakt may have as a play that it counts and shows to nobody."""
        adds = [(change, minute(change.after.at) or EPOCH) for change in changes if isinstance(change.after, Play)]
        spans = [sorted({at for _, at in adds})]
        veiled: set[datetime] = set()
        while spans:
            times = spans.pop()
            if not times or await self._reader.count_between(times[0], times[-1]) <= rows.between(times[0], times[-1]):
                continue
            half = len(times) // 2
            if half:
                spans += [times[:half], times[half:]]
            else:
                veiled.update(times)
        suspects = [(change, at) for change, at in adds if at in veiled]
        return {id(change) for change, at in suspects if await self._reader.hides_play(change.item, at)}

    def _must_know(self, feature: Feature, changes: Sequence[Change]) -> bool:
        return bool(changes) and (feature is Feature.HISTORY or any(change.op is not Op.ADD for change in changes))

    def _early(self, feature: Feature, change: Change, rows: Rows | None) -> Receipt | None:
        """The receipt of a change that need not, or must not, be sent."""
        caps = self._capabilities.of(feature)
        able = {Op.ADD: caps.add, Op.UPDATE: caps.update, Op.REMOVE: caps.remove}[change.op]
        if not able or change.item.kind not in caps.kinds:
            detail = f"Trakt cannot {change.op.value} {feature.value} of a {change.item.kind.value}"
            return Receipt(change, Outcome.REJECTED, "unsupported", detail=detail)
        if rows is None:
            return None
        if change.op is Op.ADD:
            return self._early_play(change, change.after, rows) if isinstance(change.after, Play) else None
        found = rows.of(change)
        if not found:
            if change.op is Op.REMOVE:
                return Receipt(change, Outcome.ALREADY, detail="it is not there")
            return Receipt(change, Outcome.NOT_SENT, "moved", detail="it is not there any more", moved=True)
        same = next((entry for entry in found if entry.value == change.before), None)
        if same is not None:
            # Trakt's own ids of the row: those of the other side may lead elsewhere.
            self._found[id(change)] = same.item
        else:
            return Receipt(change, Outcome.NOT_SENT, "moved", detail="changed since it was read", moved=True)
        return None

    def _early_play(self, change: Change, after: Play, rows: Rows) -> Receipt | None:
        """A play that is there already, to the minute; or that would be none of the past."""
        at = minute(after.at)
        now = self._calls.date or datetime.now(UTC)
        if at is not None and at > now + _AHEAD:
            return Receipt(change, Outcome.REJECTED, "future", detail="a play in the future is none")
        plays = rows.like(change)
        same = next((entry for entry in plays if minute(entry.value.at) == at), None)
        if same is not None:
            return Receipt(change, Outcome.ALREADY, native_key=same.native_key)
        if id(change) in self._veiled:
            detail = "Trakt counts a play of that minute that it shows to nobody; it may be this one"
            return Receipt(change, Outcome.REJECTED, "hidden", detail=detail)
        if plays and self.once:
            detail = "this account keeps one play of each title (its own setting at Trakt)"
            return Receipt(change, Outcome.REJECTED, "one-play", detail=detail)
        # A second play of the same minute further down in this batch is the same play.
        rows.add(Entry(change.item, Play(at)))
        return None

    # --- requests ---------------------------------------------------------------------------------

    async def _write(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """One request for changes that all add or all remove; more when it is refused whole."""
        if feature is Feature.HISTORY and changes[0].op is Op.REMOVE:
            return await self._unplay(changes)
        request = encode(changes, self._found)
        receipts = {
            id(change): Receipt(change, Outcome.REJECTED, "no-ids", detail="Trakt takes none of its ids")
            for change in request.unsendable
        }
        if request.sent:
            for receipt in await self._send(feature, request.sent, request.body):
                receipts[id(receipt.change)] = receipt
        done = [receipts[id(change)] for change in changes]
        self._note(feature, done)
        return done

    def _note(self, feature: Feature, receipts: Sequence[Receipt]) -> None:
        self._made |= {id(receipt.change): receipt for receipt in receipts}
        rows = self._rows.get(feature)
        if rows is not None and not rows.follow(receipts):
            del self._rows[feature]

    async def _send(self, feature: Feature, sent: Sequence[Sent], body: object) -> list[Receipt]:
        from cwsync.http import LostAnswerError

        path = wants(sent[0].change)
        try:
            answer = await self._calls.write(path, body, repeat_refused=feature is not Feature.HISTORY)
            self._sent = self._sent or answer.ok
            if answer.ok:
                try:
                    verdict = judge(sent, answer.json())
                except ValueError as error:
                    answer.garbled(str(error))
                return await self._receipts(feature, sent, verdict)
        except LostAnswerError as error:
            self._sent = True
            return await self._look(feature, sent, error.message)
        return await self._refused(feature, sent, answer)

    async def _refused(self, feature: Feature, sent: Sequence[Sent], answer: Answer) -> list[Receipt]:
        """A request that was refused whole. Which record is to blame shows when there is only one."""
        changes = [one.change for one in sent]
        if answer.status == 420:
            return await self._over_limit(feature, changes, answer)
        if answer.status == 429:
            return await self._slowed(feature, sent, answer)
        if answer.status == 404:
            self._calls.refuse(answer)
        if len(changes) > 1:
            half = len(changes) // 2
            return [*await self._write(feature, changes[:half]), *await self._write(feature, changes[half:])]
        from cwsync.http.answer import error_text

        detail = error_text(answer) or f"Trakt answered {answer.status}"
        return [Receipt(changes[0], Outcome.REJECTED, f"http-{answer.status}", detail=detail)]

    async def _slowed(self, feature: Feature, sent: Sequence[Sent], answer: Answer) -> list[Receipt]:
        """A history that is told to slow down. That is a refusal, but a part may have been taken all the same."""
        receipts = await self._look(feature, sent, "Trakt asked us to slow down")
        if any(receipt.outcome is Outcome.CONFIRMED for receipt in receipts):
            self._sent = True
            return receipts
        if all(receipt.detail == _UNSEEN for receipt in receipts):
            self._rows.pop(feature, None)
            wait = answer.headers.get("retry-after", "")
            hint = f"try again in {wait} seconds" if wait.isdigit() else "try again later"
            raise UnavailableError("Trakt asked us to slow down", where=self._calls.address.account, hint=hint)
        return receipts

    async def _over_limit(self, feature: Feature, changes: list[Change], answer: Answer) -> list[Receipt]:
        """An account that is full refuses the whole request: as much as there is room for goes, the rest is told."""
        told = answer.headers.get("x-account-limit", "")
        limit = int(told) if told.isdigit() and len(told) < 10 else self.limits.get(feature.value)
        adds = [change for change in changes if change.op is Op.ADD]
        others = [change for change in changes if change.op is not Op.ADD]
        room = 0
        if limit is not None:
            rows = await self._known(feature)
            # Plays were put there before they were sent.
            room = limit - rows.count + (len(adds) if feature is Feature.HISTORY else 0)
        fit = adds[: max(0, room)] if room < len(adds) else []
        receipts: dict[int, Receipt] = {}
        for part in (others, fit):
            if part and len(part) < len(changes):
                receipts |= {id(receipt.change): receipt for receipt in await self._write(feature, part)}
        of = f" of {limit:,}" if limit is not None else ""
        detail = f"the {feature.value} of this Trakt account has reached its limit{of}"
        full = {id(change): Receipt(change, Outcome.REJECTED, "account-limit", detail=detail) for change in changes}
        return [receipts.get(id(change), full[id(change)]) for change in changes]

    async def _unplay(self, changes: Sequence[Change]) -> list[Receipt]:
        """Take single plays away by their own ids: by title Trakt takes every play of it."""
        from cwsync.http import LostAnswerError

        receipts: dict[int, Receipt] = {}
        numbers: dict[int, int] = {}
        for change in changes:
            number = await self._number(change, set(numbers.values()))
            if number is None:
                receipts[id(change)] = Receipt(change, Outcome.ALREADY, detail="it is not there")
            else:
                numbers[id(change)] = number
        if numbers:
            wanted = [change for change in changes if id(change) in numbers]
            sent = [Sent(change, "ids", "ids", frozenset()) for change in wanted]
            body = {"ids": [numbers[id(change)] for change in wanted]}
            try:
                answer = await self._calls.write("/sync/history/remove", body, repeat_refused=True)
                if not answer.ok:
                    self._calls.refuse(answer)
                self._sent = True
                done = removed(answer.json(), body["ids"])
                if done is None:
                    answer.garbled("the counts are not those of what was sent")
                outcomes = [Outcome.CONFIRMED if number in done else Outcome.ALREADY for number in body["ids"]]
                made = [Receipt(one.change, outcome) for one, outcome in zip(sent, outcomes, strict=True)]
            except LostAnswerError as error:
                self._sent = True
                made = await self._look(Feature.HISTORY, sent, error.message)
            receipts |= {id(receipt.change): receipt for receipt in made}
        done_all = [receipts[id(change)] for change in changes]
        self._note(Feature.HISTORY, done_all)
        return done_all

    async def _number(self, change: Change, taken: set[int]) -> int | None:
        """Trakt's own number of the play to remove, looked up where it was not read."""
        if change.native_key is not None and change.native_key.isdigit():
            return int(change.native_key)
        before = change.before
        at = moment(before.at) if before is not None and before.at is not None else None
        found = await self._reader.plays_like(change.item, at)
        numbers = [int(one.native_key) for one in found if one.native_key is not None]
        return next((number for number in sorted(numbers) if number not in taken), None)

    # --- what became of it ------------------------------------------------------------------------

    async def _receipts(self, feature: Feature, sent: Sequence[Sent], verdict: Verdict) -> list[Receipt]:
        detail = "Trakt does not know it by these ids"
        known = [n for n in range(len(sent)) if n not in verdict.not_found]
        made = {n: Receipt(sent[n].change, Outcome.NOT_FOUND, detail=detail) for n in verdict.not_found}
        if verdict.sure:
            for n in known:
                made[n] = Receipt(sent[n].change, Outcome.ALREADY if n in verdict.already else Outcome.CONFIRMED)
            return [made[n] for n in range(len(sent))]
        looked = await self._look(feature, [sent[n] for n in known], "the answer leaves open what was written")
        unseen = [n for n, receipt in zip(known, looked, strict=True) if receipt.detail == _UNSEEN]
        made |= dict(zip(known, looked, strict=True))
        if len(unseen) == verdict.missing and sent[0].change.op is not Op.REMOVE:
            # Exactly as many are not there as were neither counted nor listed: those numbers Trakt does not have.
            made |= {n: Receipt(sent[n].change, Outcome.NOT_FOUND, detail=detail) for n in unseen}
        return [made[n] for n in range(len(sent))]

    async def _look(self, feature: Feature, sent: Sequence[Sent], why: str) -> list[Receipt]:
        """Read again and see: what is as it should be is confirmed, the rest stays in doubt."""
        changes = [one.change for one in sent]
        self._reader.activities.forget()
        try:
            rows = await self._looked_up(feature, changes)
        except CwsyncError as error:
            detail = f"{why}; and it could not be looked up: {error.message}"
            return [Receipt(change, Outcome.UNKNOWN, "lost-answer", detail=detail) for change in changes]
        seen = [as_wanted(change, rows) for change in changes]
        return [
            Receipt(change, Outcome.CONFIRMED) if is_so else Receipt(change, Outcome.UNKNOWN, "unseen", detail=_UNSEEN)
            for change, is_so in zip(changes, seen, strict=True)
        ]

    async def _looked_up(self, feature: Feature, changes: Sequence[Change]) -> Rows:
        """What there is now; of a history the span of time in question."""
        if feature is not Feature.HISTORY:
            return Rows(await self._reader.read(feature, self.account_id))
        values = [change.before if change.op is Op.REMOVE else change.after for change in changes]
        times = [at for value in values if value is not None and (at := minute(value.at)) is not None]
        entries: list[Entry] = []
        if times:
            entries += await self._reader.plays_between(min(times), max(times))
        if len(times) < len(values) and (not times or min(times) > EPOCH):
            entries += await self._reader.undated_plays()
        return Rows(Snapshot(feature, tuple(entries), complete=True, account_id=self.account_id))


_UNSEEN: Final = "it was sent, and is not to be seen (yet)"
