"""Writing to AniList: looked up right before, many in one request, and looked up again when an answer is lost.

The look before the write is what keeps a plan from taking back what was watched, also for entries that
are in no list and so in no reading.

Source: https://docs.anilist.co (complexity 500, aliases); reports of client programs that 29 saves of a
kind fit into a request (checked 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cwsync.errors import AuthError, CwsyncError, UnavailableError
from cwsync.model import Capabilities, Change, Feature, Op, Outcome, Receipt
from cwsync.providers._anilistcalls import Calls, Said, TooComplexError, Trouble
from cwsync.providers._anilistlook import Look
from cwsync.providers._anilistread import Reader
from cwsync.providers._anilistwire import Held, Title, decode_looked_up
from cwsync.providers._anilistwrite import (
    Rules,
    Write,
    as_wanted,
    decide,
    decide_plays,
    judge,
    misfit,
    mutation,
    numbers_of,
    refused,
)

SAVES: Final = 30  # in one request


@dataclass(slots=True)
class Found:
    """Titles by AniList's number and by MyAnimeList's, each with the user's entry."""

    own: dict[int, tuple[Title, Held | None]] = field(default_factory=dict)
    mal: dict[int, list[tuple[Title, Held | None]]] = field(default_factory=dict)

    def add(self, title: Title, held: Held | None) -> None:
        """One more."""
        if title.number in self.own:
            return
        self.own[title.number] = title, held
        if title.mal is not None:
            self.mal.setdefault(title.mal, []).append((title, held))

    def of(self, change: Change) -> list[tuple[Title, Held | None]]:
        """The titles that a change can be about: one, none, or several of one number."""
        own, mal = numbers_of(change.item)
        if own is not None:
            return [self.own[own]] if own in self.own else []
        return self.mal.get(mal, []) if mal is not None else []


class Writer:
    """The writes of one account. `rules` are what decides beside the service."""

    def __init__(self, calls: Calls, look: Look, reader: Reader, capabilities: Capabilities, rules: Rules) -> None:
        self._calls = calls
        self._look = look
        self._reader = reader
        self._capabilities = capabilities
        self.rules = rules
        self._n_saves = SAVES
        self._sent = False

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        """Write, with one receipt for each change. Raises `AuthError`, `UnavailableError` while nothing was sent."""
        self._sent = False
        made: dict[int, Receipt] = {}
        for change in changes:
            early = self._early(feature, change)
            if early is not None:
                made[id(change)] = early
        left = [change for change in changes if id(change) not in made]
        try:
            writes = await self._decided(feature, left, made) if left else []
            await self._carry(writes, made)
        except (AuthError, UnavailableError) as error:
            if not self._sent:
                raise
            for change in left:
                unsent = Receipt(change, Outcome.NOT_SENT, error.code, detail=error.message)
                made.setdefault(id(change), unsent)
        finally:
            if left:
                self._reader.forget()
        return [made[id(change)] for change in changes]

    def _early(self, feature: Feature, change: Change) -> Receipt | None:
        """The receipt of a change that AniList cannot hold at all."""
        caps = self._capabilities.of(feature)
        able = {Op.ADD: caps.add, Op.UPDATE: caps.update, Op.REMOVE: caps.remove}[change.op]
        if not able or change.item.kind not in caps.kinds:
            detail = f"AniList cannot {change.op.value} {feature.value} of a {change.item.kind.value}"
            return refused(change, "unsupported", detail)
        if numbers_of(change.item) == (None, None):
            return refused(change, "no-ids", "AniList knows its own ids and those of MyAnimeList, and it has neither")
        return None

    # --- what there is, and what follows from it --------------------------------------------------

    async def _decided(self, feature: Feature, changes: Sequence[Change], made: dict[int, Receipt]) -> list[Write]:
        """The writes that changes lead to; what needs or bears none is put into `made`."""
        found = await self._look_up(changes)
        by_title: dict[int, tuple[Title, Held | None, list[Change]]] = {}
        for change in changes:
            titles = found.of(change)
            if len(titles) != 1:
                made[id(change)] = _nowhere(change, len(titles))
                continue
            title, held = titles[0]
            early = misfit(change, title)
            if early is not None:
                made[id(change)] = early
            else:
                by_title.setdefault(title.number, (title, held, []))[2].append(change)
        writes: list[Write] = []
        for title, held, of_title in by_title.values():
            for one in self._of_title(feature, title, held, of_title):
                if isinstance(one, Write):
                    writes.append(one)
                else:
                    made[id(one.change)] = one
        return writes

    def _of_title(
        self, feature: Feature, title: Title, held: Held | None, changes: Sequence[Change]
    ) -> list[Write | Receipt]:
        if feature is Feature.HISTORY:
            return decide_plays(changes, title, held, self.rules)
        first, *others = changes
        detail = "another record of this run is about the same title of AniList"
        return [
            decide(first, title, held, self.rules),
            *(refused(change, "same-title", detail) for change in others),
        ]

    async def _look_up(self, changes: Iterable[Change]) -> Found:
        """The titles of changes and the user's entries of them, as they are now."""
        numbers = [numbers_of(change.item) for change in changes]
        own = sorted({one for one, _ in numbers if one is not None})
        mal = sorted({other for one, other in numbers if one is None and other is not None})
        found = Found()
        try:
            for told in await self._look.titles(own, mal):
                found.add(*decode_looked_up(told))
        except ValueError as error:
            message = f"the answer of AniList makes no sense: {error}"
            raise UnavailableError(message, where=self._calls.address.account, hint="try again later") from error
        # Also what is in no list: who meets it here has to know it when the lists are read next.
        self._reader.exist({title.number: held is not None for title, held in found.own.values()})
        return found

    # --- requests ---------------------------------------------------------------------------------

    async def _carry(self, writes: Sequence[Write], made: dict[int, Receipt]) -> None:
        """Send writes, in parts; what became of each change is put into `made` as soon as it is known."""
        queue = [list(writes[at : at + self._n_saves]) for at in range(0, len(writes), self._n_saves)]
        while queue:
            part = queue.pop(0)
            try:
                receipts, again = await self._send(part)
            except TooComplexError:
                if len(part) == 1:
                    raise
                self._n_saves = max(1, len(part) // 2)
                every = [one for other in [part, *queue] for one in other]
                queue = [every[at : at + self._n_saves] for at in range(0, len(every), self._n_saves)]
                continue
            made.update({id(receipt.change): receipt for receipt in receipts})
            queue[:0] = again

    async def _send(self, writes: list[Write]) -> tuple[list[Receipt], list[list[Write]]]:
        """One request: the receipts, and what is to be sent again in other parts because it was refused as a whole."""
        from cwsync.http import LostAnswerError

        query, variables = mutation(writes)
        try:
            said = await self._calls.change(query, variables)
        except LostAnswerError as error:
            self._sent = True
            return await self._seen(writes, error.message), []
        if said.data is None and len(writes) > 1 and _is_about_one(said):
            half = len(writes) // 2
            return [], [writes[:half], writes[half:]]
        if said.data is None and not _is_about_one(said):
            self._calls.fail(said.troubles[0])
        self._sent = True
        return await self._judged(writes, said)

    async def _judged(self, writes: list[Write], said: Said) -> tuple[list[Receipt], list[list[Write]]]:
        """What an answer says of each write. Errors that name no field are told apart by sending those again."""
        receipts: list[Receipt] = []
        failed: list[tuple[Write, Trouble | None]] = []
        named = {one.field: one for one in said.troubles if one.field is not None}
        for number, write in enumerate(writes):
            told = (said.data or {}).get(f"w{number}")
            if isinstance(told, dict):
                receipts += judge(write, told)
                self._reader.exist({write.title.number: bool(write.fields)})
            else:
                failed.append((write, named.get(f"w{number}")))
        if len(failed) == len(said.troubles) and not named:
            # They are carried out in order, and so their errors come in order.
            failed = [(write, trouble) for (write, _), trouble in zip(failed, said.troubles, strict=True)]
        again = [[write] for write, trouble in failed if trouble is None]
        if again and len(writes) == 1:
            detail = said.troubles[0].text if said.troubles else "AniList answered nothing of it"
            receipts += writes[0].receipts(Outcome.UNKNOWN, code="unclear", detail=detail)
            again = []
        for write, trouble in failed:
            if trouble is not None:
                receipts += await self._failed(write, trouble)
        return receipts, again

    async def _failed(self, write: Write, trouble: Trouble) -> list[Receipt]:
        """The receipts of a write that failed by itself."""
        status = trouble.status or 400
        if status >= 500:
            return await self._seen([write], f"AniList failed with {status}")
        if status == 404 and not write.fields:
            return write.receipts(Outcome.ALREADY, detail="it is not there")
        if status == 404:
            return write.receipts(Outcome.NOT_FOUND, detail=trouble.text)
        return write.receipts(Outcome.REJECTED, code=f"http-{status}", detail=trouble.text)

    async def _seen(self, writes: Sequence[Write], why: str) -> list[Receipt]:
        """Look again: what is as it should be is confirmed, the rest stays in doubt."""
        try:
            found = await self._look_up(change for write in writes for change in write.changes)
        except CwsyncError as error:
            detail = f"{why}; and it could not be looked up: {error.message}"
            return [
                one for write in writes for one in write.receipts(Outcome.UNKNOWN, code="lost-answer", detail=detail)
            ]
        receipts: list[Receipt] = []
        for write in writes:
            held = found.own.get(write.title.number, (None, None))[1]
            if as_wanted(write, held):
                receipts += write.receipts(Outcome.CONFIRMED, held.number if held is not None else None)
            else:
                receipts += write.receipts(Outcome.UNKNOWN, code="unseen", detail=_UNSEEN)
        return receipts


_UNSEEN: Final = "it was sent, and is not to be seen (yet)"


def _is_about_one(said: Said) -> bool:
    """Whether a request that was refused as a whole may have been so because of one of its writes."""
    return any(one.fields or one.status in (403, 404) for one in said.troubles)


def _nowhere(change: Change, n_found: int) -> Receipt:
    if n_found:
        return refused(change, "ambiguous", f"{n_found} titles of AniList have this id of MyAnimeList")
    return Receipt(change, Outcome.NOT_FOUND, detail="AniList does not know it by these ids")
