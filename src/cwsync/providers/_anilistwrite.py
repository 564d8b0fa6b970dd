"""What a change of a record is at AniList: a save, a deletion, nothing, or a refusal; and what the answers say.

Of one title there is one entry with all that the user has of it. So nothing is saved that would take a
title back (to the plans, to fewer episodes), and no entry is deleted that holds more than a plan. Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

from cwsync.model import Change, Feature, Item, Kind, Listed, Op, Outcome, Rated, Receipt
from cwsync.providers._anilistwire import DONE, Held, Title

NO_DATE: Final = {"year": None, "month": None, "day": None}
_TYPES: Final = {
    "id": "Int",
    "mediaId": "Int",
    "status": "MediaListStatus",
    "scoreRaw": "Int",
    "progress": "Int",
    "completedAt": "FuzzyDateInput",
}
_ANSWER: Final = "{id mediaId status score(format:POINT_100)progress}"


@dataclass(slots=True)
class Write:
    """One mutation for one title, and the changes that it carries out.

    `fields` are its arguments; those of them in `wanted` are what the entry has to hold afterwards. Without
    fields the entry `held` is deleted. `keys` names the rows that the changes make, where they are not the entry.
    """

    title: Title
    held: Held | None
    changes: list[Change]
    fields: dict[str, Any] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)

    @property
    def wanted(self) -> dict[str, Any]:
        """What the entry has to hold afterwards."""
        return {name: self.fields[name] for name in ("status", "scoreRaw", "progress") if name in self.fields}

    def receipts(self, outcome: Outcome, entry: int | None = None, **more: Any) -> list[Receipt]:
        """The same for each of its changes."""
        made = []
        for change in self.changes:
            suffix = self.keys.get(id(change), "")
            key = f"{entry}{suffix}" if entry is not None else None
            made.append(Receipt(change, outcome, native_key=key, **more))
        return made


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides beside the service: the list for titles that are to be rated (None: none), the user's zone."""

    unlisted: str | None
    zone: timezone


def zone_of(text: str | None) -> timezone:
    """``+02:00`` or ``-3:30`` as AniList tells it; UTC for anything else."""
    sign = -1 if text and text.startswith("-") else 1
    hours, colon, minutes = (text or "").lstrip("+-").partition(":")
    if colon and hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60:
        return timezone(sign * timedelta(hours=int(hours), minutes=int(minutes)))
    return UTC


def numbers_of(item: Item) -> tuple[int | None, int | None]:
    """AniList's number of a title, and that of MyAnimeList; of an episode those of its show."""
    ids = item.show_ids if item.kind is Kind.EPISODE else item.ids
    found = {one.service: int(one.value) for one in reversed(ids) if one.service in ("anilist", "mal")}
    return found.get("anilist"), found.get("mal")


def refused(change: Change, code: str, detail: str) -> Receipt:
    """The receipt of a change that AniList cannot hold, or that would harm what it holds."""
    return Receipt(change, Outcome.REJECTED, code, detail=detail)


def _moved(change: Change, detail: str) -> Receipt:
    return Receipt(change, Outcome.NOT_SENT, "moved", detail=detail, moved=True)


def misfit(change: Change, title: Title) -> Receipt | None:
    """The receipt of a change that is about another kind of title than AniList has under this id."""
    wanted = Kind.SHOW if change.item.kind is Kind.EPISODE else change.item.kind
    if wanted is title.kind:
        return None
    detail = f"AniList has it as {'a film' if title.kind is Kind.MOVIE else title.format or 'no film'}"
    return refused(change, "other-kind", detail)


def decide(change: Change, title: Title, held: Held | None, rules: Rules) -> Write | Receipt:
    """What a change of a watchlist or a rating leads to, given what is there now."""
    if change.feature is Feature.RATINGS:
        return _rate(change, title, held, rules)
    if change.op is Op.REMOVE:
        return _unlist(change, title, held)
    if held is None:
        return Write(title, held, [change], {"mediaId": title.number, "status": "PLANNING"})
    if held.status == "PLANNING":
        return Receipt(change, Outcome.ALREADY, native_key=str(held.number))
    detail = f"on AniList it is {held.status.lower()}, and is not put back to the plans"
    return refused(change, "further", detail)


def _unlist(change: Change, title: Title, held: Held | None) -> Write | Receipt:
    if held is None or held.status != "PLANNING":
        return Receipt(change, Outcome.ALREADY, detail="it is not among the plans")
    if change.before != Listed(held.created_at):
        return _moved(change, "it was taken away and added again since it was read")
    amounts = {"a score": held.score, "progress": held.progress, "repeats": held.repeat}
    more = [name for name, amount in amounts.items() if amount] + list(held.more)
    if more:
        detail = f"its entry also holds {', '.join(more)}, which would be lost with it"
        return refused(change, "holds-more", detail)
    return Write(title, held, [change])


def _rate(change: Change, title: Title, held: Held | None, rules: Rules) -> Write | Receipt:
    before = change.before.score if isinstance(change.before, Rated) else 0
    after = change.after.score if isinstance(change.after, Rated) else 0
    now = held.score if held is not None else 0
    if now == after and (change.op is not Op.UPDATE or before == now):
        key = str(held.number) if held is not None and after else None
        return Receipt(change, Outcome.ALREADY, native_key=key)
    if now != before:
        return _moved(change, "changed since it was read" if now else "it is not there any more")
    if held is not None:
        return Write(title, held, [change], {"id": held.number, "scoreRaw": after})
    if rules.unlisted is None:
        detail = (
            "AniList keeps a score in the entry of a list only, and it is on none; "
            'rate_unlisted = "completed" (or "current", "planning") of the account has it put there'
        )
        return refused(change, "unlisted", detail)
    fields: dict[str, Any] = {"mediaId": title.number, "status": rules.unlisted, "scoreRaw": after}
    if rules.unlisted == "COMPLETED":
        fields["completedAt"] = NO_DATE
    return Write(title, held, [change], fields)


# --- history --------------------------------------------------------------------------------------


def decide_plays(changes: Sequence[Change], title: Title, held: Held | None, rules: Rules) -> list[Write | Receipt]:
    """What plays of one title lead to: one save with as many episodes as follow those that were seen.

    AniList counts from the first episode on. So an episode with a gap before it cannot be held, and
    no count is ever made smaller.
    """
    n_seen = held.seen(title) if held is not None else 0
    made: list[Write | Receipt] = []
    wanted: dict[int, list[Change]] = {}
    for change in changes:
        number = 1 if title.kind is Kind.MOVIE else change.item.number or 0
        early = _early_play(change, title, held, number, n_seen)
        if early is not None:
            made.append(early)
        else:
            wanted.setdefault(number, []).append(change)
    last = n_seen
    while last + 1 in wanted:
        last += 1
    for number in [number for number in wanted if number > last]:
        detail = f"AniList counts from the first episode on, and has {n_seen}: those between are missing"
        made += [refused(change, "gap", detail) for change in wanted.pop(number)]
    if wanted:
        taken = [change for number in sorted(wanted) for change in wanted[number]]
        fields = _progress(taken, title, held, last, rules)
        keys = {} if title.kind is Kind.MOVIE else {id(change): f":{change.item.number}" for change in taken}
        made.append(Write(title, held, taken, fields, keys))
    return made


def _early_play(change: Change, title: Title, held: Held | None, number: int, n_seen: int) -> Receipt | None:
    """The receipt of a play that need not be sent, or cannot be held."""
    if title.kind is not Kind.MOVIE and change.item.season != 1:
        detail = "AniList has each season as a title of its own, and nothing says which one this is"
        return refused(change, "season", detail)
    if number < 1 or (title.episodes is not None and number > title.episodes and title.kind is not Kind.MOVIE):
        return refused(change, "no-such-episode", f"on AniList it has {title.episodes or 'no'} episodes")
    if number <= n_seen and held is not None:
        key = str(held.number) if title.kind is Kind.MOVIE else f"{held.number}:{number}"
        return Receipt(change, Outcome.ALREADY, native_key=key)
    return None


def _progress(changes: Sequence[Change], title: Title, held: Held | None, last: int, rules: Rules) -> dict[str, Any]:
    """The arguments of a save: the count, and the status that goes with it.

    Dropped and paused titles stay what they are; so does what is being repeated. What is seen to the
    end is completed, on the day of the newest play if that is known, and else on none: the day of the
    sync would be made up.
    """
    fields: dict[str, Any] = {"mediaId": title.number} if held is None else {"id": held.number}
    fields["progress"] = last
    if held is not None and held.status in {"DROPPED", "PAUSED", *DONE}:
        return fields
    whole = 1 if title.kind is Kind.MOVIE else title.episodes if title.finished else None
    fields["status"] = "COMPLETED" if whole is not None and last >= whole else "CURRENT"
    if fields["status"] == "COMPLETED" and not (held is not None and held.completed):
        fields["completedAt"] = _day(changes, rules.zone)
    return fields


def _day(changes: Iterable[Change], zone: timezone) -> dict[str, int | None]:
    """The day of the newest play that the other side told, in the zone of the user."""
    times = [change.origin.at for change in changes if change.origin is not None and change.origin.at is not None]
    days = [at.astimezone(zone).date() if isinstance(at, datetime) else at for at in times]
    if not days:
        return dict(NO_DATE)
    newest: date = max(days)
    return {"year": newest.year, "month": newest.month, "day": newest.day}


# --- requests -------------------------------------------------------------------------------------


def mutation(writes: Sequence[Write]) -> tuple[str, dict[str, Any]]:
    """One request for many writes, each under an alias (``w0``); values travel as variables alone."""
    declared: list[str] = []
    parts: list[str] = []
    variables: dict[str, Any] = {}
    for number, write in enumerate(writes):
        fields = write.fields or {"id": write.held.number if write.held else 0}
        given = []
        for name, value in fields.items():
            variable = f"{name}{number}"
            variables[variable] = value
            declared.append(f"${variable}:{_TYPES[name]}")
            given.append(f"{name}:${variable}")
        verb, answer = ("SaveMediaListEntry", _ANSWER) if write.fields else ("DeleteMediaListEntry", "{deleted}")
        parts.append(f"w{number}:{verb}({','.join(given)}){answer}")
    return f"mutation({','.join(declared)}){{{' '.join(parts)}}}", variables


def judge(write: Write, told: Mapping[str, Any]) -> list[Receipt]:
    """What an answer says of one write: done as wished, or kept otherwise."""
    if not write.fields:
        if told.get("deleted") is True:
            return write.receipts(Outcome.CONFIRMED)
        return write.receipts(Outcome.REJECTED, code="not-deleted", detail="AniList did not delete the entry")
    number = told.get("id")
    if type(number) is not int or told.get("mediaId") != write.title.number:
        return write.receipts(Outcome.UNKNOWN, code="unclear", detail="the answer is about another entry")
    shown = {"status": told.get("status"), "scoreRaw": told.get("score") or 0, "progress": told.get("progress") or 0}
    other = [f"{name} {shown[name]} for {value}" for name, value in write.wanted.items() if shown[name] != value]
    if other:
        detail = f"AniList keeps {', '.join(other)}"
        return write.receipts(Outcome.REJECTED, code="kept-otherwise", detail=detail)
    return write.receipts(Outcome.CONFIRMED, number)


def as_wanted(write: Write, held: Held | None) -> bool:
    """Whether an entry, looked at again, is as a write was to make it."""
    if not write.fields:
        return held is None
    if held is None:
        return False
    now = {"status": held.status, "scoreRaw": held.score, "progress": held.progress}
    return all(now[name] == value for name, value in write.wanted.items())
