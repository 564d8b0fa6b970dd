"""What the simulated Trakt does with the bodies of writes: find titles, expand shows, count, echo.

``not_found`` means "not known to Trakt", for removals too. An episode number that a show does not
have is listed nowhere; only the count tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cwsync.model import Kind
from simulators.trakt_titles import PLURAL, SINGULAR, Title, Titles
from simulators.trakt_user import UNKNOWN, User, text

FORMATS = ("%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d")


class RefusedError(Exception):
    """A write that is refused whole."""

    def __init__(self, status: int, headers: dict[str, str] | None = None, body: object = None) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers or {}
        self.body = body


@dataclass
class Sent:
    """One title that a body names, with the attributes that stand nearest to it."""

    title: Title
    attributes: dict[str, Any]


@dataclass
class Reading:
    """A body read: what it names, and what of it Trakt does not know."""

    sent: list[Sent] = field(default_factory=list)
    not_found: dict[str, list[Any]] = field(default_factory=lambda: {plural: [] for plural in SINGULAR})


@dataclass
class Writes:
    """The writes of one user. `empty_echo` lets not_found forget what was sent, as it does at times."""

    user: User
    titles: Titles
    now: Callable[[], datetime]
    empty_echo: bool = False

    # --- reading a body -------------------------------------------------------------------------

    def read(self, body: object) -> Reading:
        """Every title a body names. Raises `RefusedError` for a body that is none."""
        if not isinstance(body, dict):
            raise RefusedError(400)
        reading = Reading()
        for plural, kind in SINGULAR.items():
            for one in body.get(plural) or []:
                if not isinstance(one, dict):
                    raise RefusedError(400)
                title = self.titles.find(kind, one)
                if title is None:
                    echo = {name: value for name, value in one.items() if name in ("ids", "title", "year", "rating")}
                    reading.not_found[plural].append({} if self.empty_echo else echo)
                elif kind is Kind.SHOW and isinstance(one.get("seasons"), list):
                    reading.sent += self._nested(title, one)
                else:
                    reading.sent.append(Sent(title, one))
        return reading

    def _nested(self, show: Title, sent: dict[str, Any]) -> Iterator[Sent]:
        for season in sent["seasons"]:
            outer = {name: sent[name] for name in ("watched_at", "rated_at", "rating") if name in sent} | season
            if "episodes" not in season:
                found = self.titles.place(show, season.get("number"))
                if found is not None:
                    yield Sent(found, outer)
                continue
            for episode in season["episodes"]:
                found = self.titles.place(show, season.get("number"), episode.get("number"))
                if found is not None:
                    yield Sent(found, {**outer, **episode})

    def _plays(self, reading: Reading) -> Iterator[Sent]:
        """A show or a season that was watched is every episode of it."""
        for one in reading.sent:
            if one.title.kind in (Kind.MOVIE, Kind.EPISODE):
                yield one
            else:
                show = one.title if one.title.kind is Kind.SHOW else one.title.show
                assert show is not None
                for episode in self.titles.episodes(show, one.title.season):
                    yield Sent(episode, one.attributes)

    # --- the writes -----------------------------------------------------------------------------

    def add_history(self, body: object) -> tuple[int, dict[str, Any]]:
        reading = self.read(body)
        plays = list(self._plays(reading))
        self._room("history", len(self.user.history) + len(plays))
        added = {"movies": 0, "episodes": 0}
        for one in plays:
            if self.user.watch_only_once and self.user.plays_of(one.title):
                continue
            self.user.play(one.title, self._watched_at(one.attributes.get("watched_at")))
            added[PLURAL[one.title.kind]] += 1
        return 201, {"added": added, "updated": {"movies": 0, "episodes": 0}, "not_found": reading.not_found}

    def remove_history(self, body: object) -> tuple[int, dict[str, Any]]:
        reading = self.read(body)
        deleted = {"movies": 0, "episodes": 0}
        not_found: dict[str, list[Any]] = reading.not_found | {"ids": []}
        numbers = body.get("ids") if isinstance(body, dict) else None
        for number in numbers or []:
            gone = self.user.unplay(number) if type(number) is int else None
            if gone is None:
                not_found["ids"].append(number)
            else:
                deleted[PLURAL[gone.kind]] += 1
        for one in self._plays(reading):
            for play in self.user.plays_of(one.title):
                self.user.unplay(play.id)
                deleted[PLURAL[one.title.kind]] += 1
        return 200, {"deleted": deleted, "not_found": not_found}

    def add_ratings(self, body: object) -> tuple[int, dict[str, Any]]:
        reading = self.read(body)
        for one in reading.sent:
            if type(one.attributes.get("rating")) is not int or not 1 <= one.attributes["rating"] <= 10:
                raise RefusedError(422, body={"errors": {"rating": ["must be between 1 and 10"]}})
        new = sum(one.title.key not in self.user.ratings for one in reading.sent)
        self._room("ratings", len(self.user.ratings) + new)
        for one in reading.sent:
            self.user.rate(one.title, one.attributes["rating"], self._exact(one.attributes.get("rated_at")))
        return 201, {"added": _counts(one.title for one in reading.sent), "not_found": reading.not_found}

    def remove_ratings(self, body: object) -> tuple[int, dict[str, Any]]:
        reading = self.read(body)
        gone = [one.title for one in reading.sent if self.user.unrate(one.title)]
        return 200, {"deleted": _counts(gone), "not_found": reading.not_found}

    def add_watchlist(self, body: object) -> tuple[int, dict[str, Any]]:
        reading = self.read(body)
        new = sum(one.title.key not in self.user.watchlist for one in reading.sent)
        self._room("watchlist", len(self.user.watchlist) + new)
        added: list[Title] = []
        existing: list[Title] = []
        for one in reading.sent:
            (added if self.user.list(one.title, text(self.now())) else existing).append(one.title)
        answer = {"added": _counts(added), "existing": _counts(existing), "not_found": reading.not_found}
        return 201, answer | self._list()

    def remove_watchlist(self, body: object) -> tuple[int, dict[str, Any]]:
        reading = self.read(body)
        gone = [one.title for one in reading.sent if self.user.unlist(one.title)]
        return 200, {"deleted": _counts(gone), "not_found": reading.not_found} | self._list()

    def scrobble(self, action: str, body: object) -> tuple[int, dict[str, Any]]:
        if not isinstance(body, dict):
            raise RefusedError(400)
        title = self._scrobbled(body)
        percent = body.get("progress")
        if title is None:
            raise RefusedError(404)
        if not isinstance(percent, int | float) or not 0 <= percent <= 100:
            raise RefusedError(422)
        number = 0
        if action == "start":
            self.user.playback.pop(title.key, None)
        elif percent < 1:
            raise RefusedError(422)
        elif action == "stop" and percent > 80:
            number, action = self._scrobble(title), "scrobble"
        else:
            self.user.pause(title, float(percent), text(self.now()))
            action = "pause"
        answer = {"id": number, "action": action, "progress": percent, "sharing": {}} | title.row()
        answer.pop("type")
        return 201, answer

    def _scrobbled(self, body: dict[str, Any]) -> Title | None:
        if isinstance(body.get("movie"), dict):
            return self.titles.find(Kind.MOVIE, body["movie"])
        episode = body.get("episode")
        if not isinstance(episode, dict):
            return None
        show = self.titles.find(Kind.SHOW, body["show"]) if isinstance(body.get("show"), dict) else None
        if show is not None and "season" in episode:
            return self.titles.place(show, episode["season"], episode.get("number"))
        return self.titles.find(Kind.EPISODE, episode)

    def _scrobble(self, title: Title) -> int:
        since = text(self.now() - timedelta(hours=1))
        recent = [one for one in self.user.plays_of(title) if one.action == "scrobble" and one.watched_at > since]
        if recent:
            until = text(self.now() + timedelta(hours=1))
            raise RefusedError(409, body={"watched_at": recent[0].watched_at, "expires_at": until})
        return self.user.play(title, self._minute(self.now()), "scrobble")

    # --- details --------------------------------------------------------------------------------

    def _room(self, name: str, wanted: int) -> None:
        limit = self.user.limits[name]
        if wanted > limit:
            headers = {"X-Upgrade-URL": "https://trakt.tv/vip", "X-VIP-User": "false", "X-Account-Limit": str(limit)}
            raise RefusedError(420, headers)

    def _list(self) -> dict[str, Any]:
        updated = self.user.stamps["watchlist"]["updated_at"]
        return {"list": {"updated_at": updated, "item_count": len(self.user.watchlist)}}

    def _minute(self, at: datetime) -> str:
        return text(at.replace(second=0, microsecond=0))

    def _watched_at(self, sent: object) -> str:
        if sent == "unknown":
            return UNKNOWN
        if sent == "released":
            return "2000-01-01T00:00:00.000Z"
        return self._minute(_parsed(sent) or self.now())

    def _exact(self, sent: object) -> str:
        return text(_parsed(sent) or self.now())


def _parsed(sent: object) -> datetime | None:
    """A time that was sent, None for what is silently replaced by now."""
    for form in FORMATS if isinstance(sent, str) else ():
        try:
            at = datetime.strptime(str(sent), form)
        except ValueError:
            continue
        return at if at.tzinfo is not None else None
    return None


def _counts(titles: Any) -> dict[str, int]:
    counts = dict.fromkeys(SINGULAR, 0)
    for title in titles:
        counts[PLURAL[title.kind]] += 1
    return counts
