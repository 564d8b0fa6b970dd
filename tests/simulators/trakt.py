"""A Trakt on loopback: strict where the service is strict, odd where the service is odd.

One application, one user (`user`), a catalogue (`titles`) and the tokens. What goes wrong on the wire is
asked of the server (`fault`); what is odd about the service is a switch here: pages with holes, without
headers or with wrong ones, an account that is locked or full, an application that is gone, reads that lag.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cwsync.model import Entry, Feature, Kind, Play, Position, Rated, format_when
from simulators.trakt_titles import PLURAL, SINGULAR, Title, Titles
from simulators.trakt_user import UNKNOWN, Held, User, Watched, text
from simulators.trakt_writes import RefusedError, Writes
from support.httpserver import Reply, Request, Server

CLIENT_ID = "c" * 64
CLIENT_SECRET = "s3cret-of-the-application-" + "5" * 38
CHALLENGE = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Cloudflare</body></html>"
LIBRARIES = ("python-httpx", "python-requests", "python-urllib", "curl/")
WINDOW_S, WINDOW = 300, 1000
WEEK_S = 604800


@dataclass
class Device:
    """A login that was begun. `state` is the answer to the next poll: 400 pending, 200 granted, 410 ..."""

    code: str
    user_code: str
    state: int = 400


class Trakt(Server):
    """The service. `now` is its clock (seconds); `pace` refuses a write within a second of the one before."""

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.time,
        pace: bool = False,
        titles: Titles | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.clock = now
        self.pace = pace
        self.titles = titles or Titles()
        self.user = User(self.now)
        self.writes = Writes(self.user, self.titles, self.now)
        self.access: dict[str, float] = {}  # token -> until when
        self.refresh: set[str] = set()
        self.devices: dict[str, Device] = {}
        self.interval_s, self.lifetime_s = 5, WEEK_S
        self.secret: str | None = CLIENT_SECRET
        self.deleted = self.locked = self.vip_only = self.cloudflare = False
        self.page_headers = True
        self.page_count: int | None = None  # what headers say in place of the truth
        self.hidden: set[tuple[Kind, int]] = set()  # left out of pages after these were cut
        self.largest, self.default = 250, 100
        self.unlimited_ratings = True
        self._last_write = float("-inf")
        self._reads: list[float] = []
        self._routes_of_users()
        self._routes_of_oauth()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)

    # --- what tests do behind its back ----------------------------------------------------------

    def login(self) -> dict[str, Any]:
        """A token as the service gives it, without a login."""
        return self._grant()

    def put(self, feature: Feature, entries: Iterable[Entry]) -> None:
        """Let the account hold exactly these rows of a feature; unknown titles become known."""
        user = self.user
        every: dict[Feature, dict[Any, Any]] = {
            Feature.HISTORY: user.history,
            Feature.RATINGS: user.ratings,
            Feature.WATCHLIST: user.watchlist,
            Feature.PROGRESS: user.playback,
        }
        held = every[feature]
        held.clear()
        for entry in entries:
            title, value = self.titles.add(entry.item), entry.value
            at = UNKNOWN if value.at is None else text(datetime.fromisoformat(str(format_when(value.at))))
            number = self.user.new_id()
            if isinstance(value, Play):
                held[number] = Watched(number, title, at)
            elif isinstance(value, Rated):
                held[title.key] = Held(number, title, at, value.score // 10)
            elif isinstance(value, Position):
                held[title.key] = Held(number, title, at, value.ms * 100 / (value.duration_ms or 1))
            else:
                held[title.key] = Held(number, title, at)
        parts = ("movies", "episodes", "shows", "seasons")
        name = {Feature.HISTORY: "watched", Feature.RATINGS: "rated", Feature.PROGRESS: "paused"}
        what = name.get(feature, "watchlisted")
        self.user.touch(*[f"{one}.{what}" for one in parts if f"{what}_at" in self.user.stamps[one]])

    # --- the guard at the door ------------------------------------------------------------------

    def handle(self, request: Request) -> Reply:
        target = "/" + request.target.lstrip("/")
        request = Request(request.method, target, request.headers, request.body, request.connection)
        agent = request.headers.get("user-agent", "")
        if self.cloudflare or not agent or agent.lower().startswith(LIBRARIES):
            return Reply(CHALLENGE, 403)
        more = {"X-Request-Id": secrets.token_hex(8), "X-Runtime": "0.01"}
        try:
            if not request.path.startswith("/oauth/"):
                self._admit(request)
            reply = super().handle(request)
        except RefusedError as refused:
            reply = Reply(refused.body, refused.status, refused.headers)
        return Reply(reply.body, reply.status, more | dict(reply.headers), reply.raw, reply.close)

    def _admit(self, request: Request) -> None:
        """Refuse what Trakt refuses before it looks at what is asked."""
        headers = request.headers
        if headers.get("trakt-api-version") != "2" or "json" not in headers.get("content-type", ""):
            raise RefusedError(412)
        if self.deleted or headers.get("trakt-api-key") != CLIENT_ID:
            raise RefusedError(403, body={"error": "invalid_api_key"})
        public = ("/search/", "/movies/", "/shows/")
        if not request.path.startswith(public):
            token = headers.get("authorization", "").removeprefix("Bearer ")
            if self.access.get(token, float("-inf")) <= self.clock():
                raise RefusedError(401)
            if self.locked:
                raise RefusedError(423, {"X-Account-Locked": "true"})
            if self.vip_only:
                raise RefusedError(426, {"X-Upgrade-URL": "https://trakt.tv/vip"})
        self._within_limits(request.method)

    def _within_limits(self, method: str) -> None:
        now = self.clock()
        if method != "GET":
            if self.pace and now - self._last_write < 1:
                raise _too_many("AUTHED_API_POST_LIMIT", 1, 1, 1)
            self._last_write = now
            return
        self._reads = [at for at in self._reads if at > now - WINDOW_S]
        if len(self._reads) >= WINDOW:
            raise _too_many("AUTHED_API_GET_LIMIT", WINDOW_S, WINDOW, int(self._reads[0] + WINDOW_S - now) + 1)
        self._reads.append(now)

    # --- OAuth ----------------------------------------------------------------------------------

    def _routes_of_oauth(self) -> None:
        self.route("POST", "/oauth/device/code", self._device_code)
        self.route("POST", "/oauth/device/token", self._device_token)
        self.route("POST", "/oauth/token", self._token)
        self.route("POST", "/oauth/revoke", self._revoke)

    def _application(self, body: dict[str, Any], *, secret: bool = True) -> None:
        wrong = body.get("client_id") != CLIENT_ID or (secret and body.get("client_secret") != self.secret)
        if self.deleted or wrong:
            raise RefusedError(
                401, body={"error": "invalid_client", "error_description": "Client authentication failed."}
            )

    def _device_code(self, request: Request) -> Reply:
        self._application(_body(request), secret=False)
        made = Device(secrets.token_hex(32), secrets.token_hex(4).upper())
        self.devices[made.code] = made
        times = {"expires_in": 600, "interval": self.interval_s}
        address = {"verification_url": f"{self.url}/activate"}
        return Reply({"device_code": made.code, "user_code": made.user_code} | address | times)

    def _device_token(self, request: Request) -> Reply:
        body = _body(request)
        self._application(body)
        device = self.devices.get(str(body.get("code")))
        if device is None:
            return Reply(None, 404)
        if device.state != 200:
            return Reply(None, device.state)
        device.state = 409
        return Reply(self._grant())

    def approve(self, state: int = 200) -> None:
        """What the person does with every login that waits: 200 grants it, 418 denies it."""
        for device in self.devices.values():
            device.state = state

    def _token(self, request: Request) -> Reply:
        body = _body(request)
        self._application(body)
        known = body.get("grant_type") == "refresh_token" and body.get("refresh_token") in self.refresh
        if not known or body.get("redirect_uri") != "urn:ietf:wg:oauth:2.0:oob":
            return Reply({"error": "invalid_grant", "error_description": "The provided grant is invalid."}, 400)
        self.refresh.discard(body["refresh_token"])
        return Reply(self._grant())

    def _revoke(self, request: Request) -> Reply:
        body = _body(request)
        self._application(body)
        self.access.pop(str(body.get("token")), None)
        return Reply({})

    def _grant(self) -> dict[str, Any]:
        made = {"access_token": secrets.token_hex(32), "token_type": "bearer", "expires_in": self.lifetime_s}
        made |= {"refresh_token": secrets.token_hex(32), "scope": "public", "created_at": int(self.clock())}
        self.access[str(made["access_token"])] = self.clock() + self.lifetime_s
        self.refresh.add(str(made["refresh_token"]))
        return made

    def expire(self) -> None:
        """Let every access token end. Refresh tokens stay good."""
        self.access.clear()

    # --- routes ---------------------------------------------------------------------------------

    def _routes_of_users(self) -> None:
        route = self.route
        route("GET", "/users/settings", self._settings)
        route("GET", "/sync/last_activities", lambda _request: Reply(self.user.activities()))
        for tail in ("", "/{type}", "/{type}/{sort}", "/{type}/{sort}/{how}"):
            route("GET", f"/sync/watchlist{tail}", self._watchlist)
        for tail in ("", "/{type}", "/{type}/{rating}"):
            route("GET", f"/sync/ratings{tail}", self._ratings)
        for tail in ("", "/{type}", "/{type}/{id}"):
            route("GET", f"/sync/history{tail}", self._history)
        route("GET", "/sync/watched/{type}", self._watched)
        for tail in ("", "/{type}"):
            route("GET", f"/sync/playback{tail}", self._playback)
        route("DELETE", "/sync/playback/{id}", self._unpause)
        route("GET", "/search/{service}/{id}", self._search)
        route("GET", "/movies/{id}", partial(self._title, Kind.MOVIE))
        route("GET", "/shows/{id}", partial(self._title, Kind.SHOW))
        route("GET", "/shows/{id}/seasons/{season}/episodes/{number}", self._episode)
        for path, write in (
            ("history", "add_history"),
            ("history/remove", "remove_history"),
            ("ratings", "add_ratings"),
            ("ratings/remove", "remove_ratings"),
            ("watchlist", "add_watchlist"),
            ("watchlist/remove", "remove_watchlist"),
        ):
            route("POST", f"/sync/{path}", partial(self._write, write))
        for action in ("start", "pause", "stop"):
            route("POST", f"/scrobble/{action}", partial(self._scrobble, action))

    def _write(self, name: str, request: Request) -> Reply:
        status, body = getattr(self.writes, name)(_body(request))
        return Reply(body, status)

    def _scrobble(self, action: str, request: Request) -> Reply:
        status, body = self.writes.scrobble(action, _body(request))
        return Reply(body, status)

    def _settings(self, request: Request) -> Reply:
        answer = self.user.settings()
        if "browsing" in request.query.get("extended", ""):
            answer["browsing"] = {"watch_only_once": self.user.watch_only_once}
        return Reply(answer)

    def _watchlist(self, request: Request) -> Reply:
        rows = _of_type(self.user.view().watchlist, request)
        listed = [(held.title, held.listed(rank)) for rank, held in enumerate(rows, start=1)]
        sort = {"X-Sort-By": "rank", "X-Sort-How": "asc"}
        return self._page(listed, request, sort)

    def _ratings(self, request: Request) -> Reply:
        wanted = request.args.get("rating")
        rows = [one for one in _of_type(self.user.view().ratings, request) if wanted in (None, str(int(one.value)))]
        rated = [(held.title, held.rated()) for held in rows]
        if "limit" not in request.query and self.unlimited_ratings:
            return Reply([row for title, row in rated if title.key not in self.hidden])
        return self._page(rated, request)

    def _history(self, request: Request) -> Reply:
        rows = [one for one in self.user.view().history if self._asked(one, request)]
        return self._page([(one.title, one) for one in rows], request)

    def _asked(self, play: Watched, request: Request) -> bool:
        kind = SINGULAR.get(request.args.get("type", ""))
        title = play.title
        if kind in (Kind.SHOW, Kind.SEASON):
            of = title.show if kind is Kind.SHOW else None
            if of is None or request.args.get("id", str(of.trakt)) != str(of.trakt):
                return False
        elif kind is not None and (
            title.kind is not kind or request.args.get("id", str(title.trakt)) != str(title.trakt)
        ):
            return False
        start, end = request.query.get("start_at", ""), request.query.get("end_at", "9999")
        return start <= play.watched_at <= end

    def _watched(self, request: Request) -> Reply:
        wanted, extended = request.args["type"], request.query.get("extended", "")
        if wanted not in ("movies", "shows"):
            return Reply(None, 404)
        plays: dict[tuple[Kind, int], list[Watched]] = {}
        for one in self.user.view().history:
            if (one.title.show is None) != (wanted == "movies"):
                continue
            if one.title.season == 0 and request.query.get("specials") != "true":
                continue
            plays.setdefault((one.title.show or one.title).key, []).append(one)
        rows = [
            (self.titles.all[key], _watched_row(self.titles.all[key], found, extended)) for key, found in plays.items()
        ]
        largest = min(100, self.largest) if "progress" in extended else self.largest
        return self._page(rows, request, largest=largest)

    def _playback(self, request: Request) -> Reply:
        full = "full" in request.query.get("extended", "")
        rows = [(held.title, held.paused(full=full)) for held in _of_type(self.user.view().playback, request)]
        if "limit" not in request.query:
            return Reply([row for _title, row in rows])
        return self._page(rows, request)

    def _unpause(self, request: Request) -> Reply:
        return Reply(None, 204 if self.user.unpause(int(request.args["id"])) else 404)

    def _search(self, request: Request) -> Reply:
        kinds = [one for one in Kind if one.value in request.query.get("type", "movie,show,episode").split(",")]
        service, value = request.args["service"], request.args["id"]
        found = [self.titles.find(kind, {"ids": {service: value}}) for kind in kinds if kind is not Kind.SEASON]
        return Reply([{"score": 1000} | title.row() for title in found if title is not None])

    def _title(self, kind: Kind, request: Request) -> Reply:
        ids = dict.fromkeys(("trakt", "slug", "imdb"), request.args["id"])
        title = self.titles.find(kind, {"ids": ids})
        return Reply(None, 404) if title is None else Reply(title.stub(full=True))

    def _episode(self, request: Request) -> Reply:
        show = self.titles.find(Kind.SHOW, {"ids": dict.fromkeys(("trakt", "slug", "imdb"), request.args["id"])})
        season, number = int(request.args["season"]), int(request.args["number"])
        title = self.titles.place(show, season, number) if show is not None else None
        return Reply(None, 404) if title is None else Reply(title.stub(full=True))

    def _page(
        self,
        rows: Sequence[tuple[Title, Any]],
        request: Request,
        more: dict[str, str] | None = None,
        *,
        largest: int | None = None,
    ) -> Reply:
        """One page. What is hidden is taken out of it afterwards, so that a page may be short, or empty."""
        limit = min(max(1, int(request.query.get("limit", self.default))), largest or self.largest)
        page = max(1, int(request.query.get("page", 1)))
        cut = rows[(page - 1) * limit : page * limit]
        body = [row.row() if isinstance(row, Watched) else row for title, row in cut if title.key not in self.hidden]
        headers = dict(more or {})
        if self.page_headers:
            pages = -(-len(rows) // limit) if self.page_count is None else self.page_count
            numbers = {"Page": page, "Limit": limit, "Page-Count": pages, "Item-Count": len(rows)}
            headers |= {f"X-Pagination-{name}": str(number) for name, number in numbers.items()}
        return Reply(body, 200, headers)


def _watched_row(title: Title, plays: list[Watched], extended: str) -> dict[str, Any]:
    newest = max(one.watched_at for one in plays)
    row = {"plays": len(plays), "last_watched_at": newest, "last_updated_at": newest}
    row |= {title.kind.value: title.stub(full="full" in extended)}
    if title.kind is Kind.MOVIE:
        return row
    row["reset_at"] = None
    if "progress" in extended:
        places: dict[tuple[int, int], list[str]] = {}
        for one in plays:
            places.setdefault((one.title.season or 0, one.title.number or 0), []).append(one.watched_at)
        seasons: dict[int, list[dict[str, Any]]] = {}
        for (season, number), times in sorted(places.items()):
            episode = {"number": number, "plays": len(times), "last_watched_at": max(times)}
            seasons.setdefault(season, []).append(episode)
        row["seasons"] = [{"number": season, "episodes": found} for season, found in seasons.items()]
    return row


def _of_type(rows: Iterable[Held], request: Request) -> list[Held]:
    wanted = request.args.get("type", "all")
    return [one for one in rows if wanted in ("all", PLURAL[one.title.kind])]


def _too_many(name: str, period: int, limit: int, wait_s: int) -> RefusedError:
    quota = {"name": name, "period": period, "limit": limit, "remaining": 0, "until": "2026-01-01T00:00:00Z"}
    headers = {"Retry-After": str(wait_s), "X-Ratelimit": json.dumps(quota)}
    return RefusedError(
        429, headers, f"{name} rate limit exceeded. Please wait {wait_s} seconds then retry your request."
    )


def _body(request: Request) -> dict[str, Any]:
    try:
        body = request.json()
    except ValueError:
        raise RefusedError(500 if b"=" in request.body else 400) from None
    if not isinstance(body, dict):
        raise RefusedError(400)
    return body
