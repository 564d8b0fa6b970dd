"""A SIMKL on loopback: strict where the service is strict, odd where the service is odd.

One application of the new kind (V2) and one of the old (V1), one user (`user`), a catalogue (`titles`)
and the tokens. What goes wrong on the wire is asked of the server (`fault`); what is odd about the
service is a switch here: a quota that others use up, a lock that another write holds, an application
that is suspended, empty answers in every form, libraries that are too large.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import Any

from cwsync.model import Entry, Feature, Kind, Listed, Play, Rated, format_when
from simulators.simkl_titles import Titles
from simulators.simkl_user import STATUSES, UNKNOWN, Held, User
from simulators.simkl_writes import RefusedError, Writes
from support.httpserver import Reply, Request, Server

CLIENT_ID = "c2" * 32
OLD_CLIENT_ID = "01" * 32
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SCOPE = "media:read media:write"
WEEK_S = 604800
DAY_S = 86400
COMMON = {"client_id", "app-name", "app-version", "debug_limit"}
LIST_QUERY = COMMON | {
    "date_from", "extended", "episode_watched_at", "include_all_episodes", "episode_tvdb_id", "memos", "language",
}  # fmt: skip


@dataclass
class Grant:
    """One login. Its access token is the only one that works."""

    access: str
    refresh: str
    scope: str
    until: float
    first: bool = True


@dataclass
class Device:
    """A login that was begun. `state` is the answer to the next poll."""

    code: str
    user_code: str
    scope: str
    state: str = "authorization_pending"


class Simkl(Server):
    """The service. `now` is its clock (seconds); `pace` refuses requests that come too fast."""

    def __init__(self, *, now: Callable[[], float] = time.time, titles: Titles | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.clock = now
        self.titles = titles or Titles()
        self.user = User(self.now)
        self.writes = Writes(self.user, self.titles)
        self.grants: list[Grant] = []
        self.old_tokens: set[str] = set()
        self.devices: dict[str, Device] = {}
        self.interval_s = 5
        self.scope = SCOPE  # what logins get, whatever they ask for
        self.quota, self.used = 500, 0
        self.bursts = self.locks = 0  # how many of the next requests, or writes, are refused
        self.suspended = self.declined = False
        self.empty: Any = "part"  # {}, null, [] or an empty part: how an answer is that holds nothing
        self.max_items: int | None = None
        self.max_full: int | None = None  # as `max_items`, of rows that come with their episodes
        self.premium_only = False
        self._routes_of_users()
        self._routes_of_oauth()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)

    # --- what tests do behind its back ----------------------------------------------------------

    def login(self) -> Grant:
        """A token as the service gives it, without a login."""
        made = Grant(f"simkl_at_{secrets.token_hex(17)}", f"simkl_rt_{secrets.token_hex(17)}", self.scope, 0)
        made.until = self.clock() + WEEK_S
        self.grants.append(made)
        return made

    def old_login(self) -> str:
        """A token of the old kind: it lasts for years."""
        token = secrets.token_hex(32)
        self.old_tokens.add(token)
        return token

    def tokens(self) -> list[str]:
        """Every token that is good for something."""
        return [*(token for one in self.grants for token in (one.access, one.refresh)), *self.old_tokens]

    def put(self, feature: Feature, entries: Iterable[Entry]) -> None:
        """Let the account hold exactly these rows of a feature, and nothing else; unknown titles become known."""
        for held in list(self.user.library.values()):
            self.user.remove(held.title)
        self.user.gone.clear()
        for entry in entries:
            title, value = self.titles.add(entry.item), entry.value
            at = UNKNOWN if value.at is None else str(format_when(value.at))
            if isinstance(value, Play) and entry.item.kind is Kind.EPISODE:
                self.user.watch_episode(title, (entry.item.season or 0, entry.item.number or 0), at)
            elif isinstance(value, Play):
                self.user.watch(title, at)
            elif isinstance(value, Rated):
                self.user.rate(title, value.score // 10, at)
            elif isinstance(value, Listed):
                self.user.hold(title, "plantowatch").added_at = at

    # --- the guard at the door ------------------------------------------------------------------

    def handle(self, request: Request) -> Reply:
        more = {"Date": format_datetime(self.now(), usegmt=True)}
        try:
            self._application(request)
            grant = None if request.path.startswith("/oauth") else self._admit(request, more)
            reply = super().handle(request)
            if grant is not None:
                grant.first = False
        except RefusedError as refused:
            reply = Reply(refused.body, refused.status, refused.headers)
        return Reply(reply.body, reply.status, more | dict(reply.headers), reply.raw, reply.close)

    def _application(self, request: Request) -> None:
        """Whoever asks has to say which application it is, in the address and in the header."""
        query, agent = request.query, request.headers.get("user-agent", "")
        named = (
            query.get("app-name", "") and query["app-name"] == query["app-name"].lower() and query.get("app-version")
        )
        known = query.get("client_id") in (CLIENT_ID, OLD_CLIENT_ID)
        if self.suspended or not known or not named or "/" not in agent:
            raise RefusedError(412, "client_id_failed", message="client_id is wrong")

    def _admit(self, request: Request, headers: dict[str, str]) -> Grant | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token:
            raise RefusedError(401, "user_token_required")
        old = not token.startswith("simkl_at_")
        grant = next((one for one in self.grants if one.access == token and one.until > self.clock()), None)
        if old and (token not in self.old_tokens or request.query["client_id"] != OLD_CLIENT_ID):
            raise RefusedError(401, "user_token_failed")
        if not old and (grant is None or request.query["client_id"] != CLIENT_ID):
            raise RefusedError(401, "invalid_token")
        if request.method == "GET" and request.body:
            raise RefusedError(403, "insufficient_scope")
        if grant is not None and request.method != "GET" and "media:write" not in grant.scope.split():
            raise RefusedError(403, "insufficient_scope")
        self._within_limits(request, grant, headers, old=old)
        return grant

    def _within_limits(self, request: Request, grant: Grant | None, headers: dict[str, str], *, old: bool) -> None:
        until_reset = str(DAY_S - int(self.clock()) % DAY_S)
        if self.bursts:
            self.bursts -= 1
            raise _slow(429, "rate_limit", until_reset)
        if self.used >= self.quota or request.query.get("debug_limit"):
            word = "app_limit_exceeded" if old else "user_limit_exceeded"
            raise _slow(429, word, until_reset)
        self.used += 1
        if grant is not None and not grant.first:
            headers |= {"X-RateLimit-Limit": str(self.quota), "X-RateLimit-Remaining": str(self.quota - self.used)}
        if request.method == "POST" and self.locks:
            self.locks -= 1
            raise RefusedError(400, "RATE_LIMIT")

    # --- OAuth ----------------------------------------------------------------------------------

    def _routes_of_oauth(self) -> None:
        self.route("POST", "/oauth2/device", self._device)
        self.route("POST", "/oauth2/token", self._token)
        self.route("POST", "/oauth2/revoke", self._revoke)
        self.route("GET", "/oauth/pin", self._pin)
        self.route("GET", "/oauth/pin/{code}", self._pin_poll)

    def _client(self, form: dict[str, str]) -> None:
        if form.get("client_id") != CLIENT_ID:
            raise _oauth(401, "invalid_client")

    def _device(self, request: Request) -> Reply:
        form = request.form
        self._client(form)
        made = Device(secrets.token_hex(16), "ABCD-EFGH", form.get("scope", "media:read"))
        self.devices[made.code] = made
        address = {"verification_uri": f"{self.url}/pin", "verification_uri_complete": f"{self.url}/pin/ABCD-EFGH"}
        return Reply(
            {"device_code": made.code, "user_code": made.user_code} | address
            | {"expires_in": 900, "interval": self.interval_s}
        )  # fmt: skip

    def _token(self, request: Request) -> Reply:
        form = request.form
        self._client(form)
        if form.get("grant_type") == "refresh_token":
            known = next((one for one in self.grants if one.refresh == form.get("refresh_token")), None)
            if known is None:
                raise _oauth(400, "invalid_grant")
            known.access, known.until = f"simkl_at_{secrets.token_hex(17)}", self.clock() + WEEK_S
            return self._granted(known)
        device = self.devices.get(form.get("device_code", ""))
        if form.get("grant_type") != DEVICE_GRANT or device is None:
            raise _oauth(400, "invalid_request")
        if device.state != "granted":
            raise _oauth(400, device.state)
        made = self.login()
        made.scope = self.scope if self.scope != SCOPE else device.scope
        return self._granted(made)

    def _granted(self, grant: Grant) -> Reply:
        tokens = {"access_token": grant.access, "token_type": "Bearer", "expires_in": WEEK_S}
        return Reply(tokens | {"refresh_token": grant.refresh, "scope": grant.scope})

    def approve(self, state: str = "granted") -> None:
        """What the person does with every login that waits."""
        for device in self.devices.values():
            device.state = state

    def _revoke(self, request: Request) -> Reply:
        form = request.form
        self.grants = [one for one in self.grants if form.get("token") not in (one.access, one.refresh)]
        return Reply({})

    def _pin(self, request: Request) -> Reply:
        if request.query["client_id"] == CLIENT_ID:
            raise RefusedError(400, "unauthorized_client")
        address = {"verification_uri": "https://simkl.com/pin", "verification_url": "https://simkl.com/pin/"}
        code = {"result": "OK", "device_code": "DEVICE_CODE", "user_code": "D12F5"}
        return Reply(code | address | {"expires_in": 900, "interval": self.interval_s})

    def _pin_poll(self, request: Request) -> Reply:
        if request.args["code"] != "D12F5":
            return self._pin(request)
        return Reply({"result": "KO", "message": "Authorization pending"})

    def expire(self) -> None:
        """Let every access token end. Refresh tokens stay good."""
        for one in self.grants:
            one.until = 0

    # --- routes ---------------------------------------------------------------------------------

    def _routes_of_users(self) -> None:
        route = self.route
        for method in ("GET", "POST"):
            route(method, "/users/settings", lambda _request: Reply(self.user.settings()))
        route("GET", "/sync/activities", lambda _request: Reply(self.user.activities()))
        for tail in ("", "/", "/{type}", "/{type}/{status}"):
            route("GET", f"/sync/all-items{tail}", self._all_items)
        for tail in ("", "/{type}"):
            route("GET", f"/sync/ratings{tail}", self._ratings)
        for path, write in (
            ("history", self.writes.add_history),
            ("history/remove", self.writes.remove_history),
            ("ratings", self.writes.add_ratings),
            ("ratings/remove", self.writes.remove_ratings),
            ("add-to-list", self.writes.add_to_list),
        ):
            route("POST", f"/sync/{path}", partial(_write, write))
        route("POST", "/sync/watched", lambda request: Reply(_raw(self.writes.watched(_body(request)))))

    def _all_items(self, request: Request) -> Reply:
        query, wanted, status = request.query, request.args.get("type", "all"), request.args.get("status", "all")
        if set(query) - LIST_QUERY:
            raise RefusedError(400, "wrong_parameter")
        if self.premium_only:
            return Reply({"error": "premium_only"})
        parts = [wanted] if wanted in STATUSES else list(STATUSES)
        since = query.get("date_from", "")
        rows = [
            held
            for held in self.user.library.values()
            if held.title.part in parts and held.changed_at > since and status in ("all", held.status)
        ]
        ids_only = query.get("extended") in ("simkl_ids_only", "ids_only")
        most = [self.max_items, self.max_full if query.get("extended", "").startswith("full") else None]
        if not ids_only and any(one is not None and len(rows) > one for one in most):
            raise RefusedError(400, "max_items")
        return self._rows(rows, lambda held: _ids_only(held) if ids_only else held.row(query))

    def _ratings(self, request: Request) -> Reply:
        query, wanted = request.query, request.args.get("type", "all")
        if set(query) - COMMON - {"date_from"}:
            raise RefusedError(400, "wrong_parameter")
        since = query.get("date_from")
        rows = [
            held
            for held in self.user.library.values()
            if wanted in ("all", held.title.part)
            and (held.rated_changed_at > since if since else held.rating is not None)
        ]
        return self._rows(rows, lambda held: held.row({}))

    def _rows(self, rows: list[Held], row: Callable[[Held], dict[str, Any]]) -> Reply:
        found: dict[str, list[Any]] = {}
        for held in rows:
            found.setdefault(held.title.part, []).append(row(held))
        if not found and self.empty != "part":
            return Reply(_raw(self.empty))
        return Reply(found or {"movies": []})


def _raw(found: Any) -> Any:
    """`null` is an answer here, and no answer in `Reply`."""
    return b"null" if found is None else found


def _ids_only(held: Held) -> dict[str, Any]:
    key = "movie" if held.title.part == "movies" else "show"
    return {key: {"ids": {"simkl": held.title.simkl}}}


def _write(write: Callable[[object], dict[str, Any]], request: Request) -> Reply:
    return Reply(write(_body(request)), 201)


def _body(request: Request) -> Any:
    if "json" not in request.headers.get("content-type", ""):
        raise RefusedError(400, "wrong_parameter")
    try:
        return request.json()
    except ValueError:
        raise RefusedError(400, "wrong_parameter") from None


def _slow(status: int, error: str, wait: str) -> RefusedError:
    refused = RefusedError(status, error)
    refused.headers = {"Retry-After": wait}
    return refused


def _oauth(status: int, error: str) -> RefusedError:
    refused = RefusedError(status, error)
    refused.body = {"error": error, "error_description": f"The request was refused: {error}."}
    return refused
