"""A TMDb on loopback: version 3 of the API, strict where the service is strict, odd where the service is odd.

One application, one user, a catalogue (`titles`), their sessions. What goes wrong on the wire is asked of the
server (`fault`); what is odd about the service is a switch here: a key that was revoked, a session that
ended, a user who keeps rated titles on the watchlist, reads that lag, counts that do not add up, at
most so many requests a second.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cwsync.model import Entry, Feature, Kind, Rated
from simulators.tmdb_titles import Title, Titles
from support.httpserver import Reply, Request, Server

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJhcHBsaWNhdGlvbiIsInN1YiI6InNpbSJ9.c2lnbmF0dXJlLW9mLXRoZS1zaW0"  # noqa: S105 - made up
API_KEY = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
PAGE, LAST_PAGE, MOST_APPENDED = 20, 500, 20
MESSAGES = {
    1: (200, "Success."),
    3: (401, "Authentication failed: You do not have permissions to access the service."),
    5: (422, "Invalid parameters: Your request parameters are incorrect."),
    6: (404, "Invalid id: The pre-requisite id is invalid or not found."),
    7: (401, "Invalid API key: You must be granted a valid key."),
    12: (201, "The item/record was updated successfully."),
    13: (200, "The item/record was deleted successfully."),
    17: (401, "Session denied."),
    18: (400, "Validation failed."),
    22: (400, "Invalid page: Pages start at 1 and max at 500. They are expected to be an integer."),
    25: (429, "Your request count (#) is over the allowed limit of (40)."),
    27: (400, "Too many append to response objects: The maximum number of remote calls is 20."),
    33: (401, "Invalid request token: The request token is either expired or invalid."),
    34: (404, "The resource you requested could not be found."),
    47: (400, "The input is not valid."),
}
BUCKETS = {
    "movie_results": Kind.MOVIE,
    "person_results": None,
    "tv_results": Kind.SHOW,
    "tv_episode_results": Kind.EPISODE,
    "tv_season_results": Kind.SEASON,
}
LISTS = {"movies": Kind.MOVIE, "tv": Kind.SHOW, "episodes": Kind.EPISODE}


class RefusedError(Exception):
    """A request that is refused with one of TMDb's own codes."""

    def __init__(self, code: int, message: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def told(code: int, message: str | None = None, status: int | None = None) -> Reply:
    """An answer that is a word of the service alone."""
    usual, words = MESSAGES[code]
    body = {"success": code in (1, 12, 13), "status_code": code, "status_message": message or words}
    return Reply(body, status or usual)


@dataclass
class Account:
    """What the user has: listed titles and scores (0.5 to 10), in the order in which they were put there."""

    number: int = 548
    username: str = "somebody"
    watchlist: dict[tuple[Kind, int], Title] = field(default_factory=dict)
    ratings: dict[tuple[Kind, int], tuple[Title, float]] = field(default_factory=dict)


class Tmdb(Server):
    """The service. `now` is its clock (seconds); `per_second` is how many requests a second it takes."""

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.time,
        per_second: int | None = None,
        titles: Titles | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.clock = now
        self.per_second = per_second
        self.titles = titles or Titles()
        self.account = Account()
        self.sessions: set[str] = set()
        self.asked: dict[str, tuple[float, bool]] = {}  # request token -> until when, whether it was approved
        self.key: str | None = API_KEY  # None: it was revoked
        self.token: str | None = TOKEN
        self.keeps_rated = False  # the user's setting: a rated title stays on the watchlist
        self.lag = 0  # so many reads of lists still show what was before
        self.total: int | None = None  # what pages say there is, in place of the truth
        self.hidden: set[tuple[Kind, int]] = set()  # left out of pages, and counted
        self._before: dict[str, list[dict[str, Any]]] | None = None
        self._times: list[float] = []
        self._routes_of_logins()
        self._routes_of_accounts()
        self._routes_of_titles()

    # --- what tests do behind its back ------------------------------------------------------------

    def login(self) -> str:
        """A session as the service gives it, without a login."""
        made = secrets.token_hex(20)
        self.sessions.add(made)
        return made

    def approve(self) -> None:
        """What the person does with every request token that waits."""
        self.asked = {token: (until, True) for token, (until, _) in self.asked.items()}

    def put(self, feature: Feature, entries: Iterable[Entry]) -> None:
        """Let the account hold exactly these rows of a feature; unknown titles become known."""
        held: dict[tuple[Kind, int], Any] = (
            self.account.ratings if feature is Feature.RATINGS else self.account.watchlist
        )
        held.clear()
        for entry in entries:
            title = self.titles.add(entry.item)
            held[title.key] = (title, entry.value.score / 10) if isinstance(entry.value, Rated) else title

    def scores(self) -> dict[str, float]:
        """The ratings by name."""
        return {title.name: score for title, score in self.account.ratings.values()}

    def listed(self) -> set[str]:
        """The names on the watchlist."""
        return {title.name for title in self.account.watchlist.values()}

    # --- the guard at the door --------------------------------------------------------------------

    def handle(self, request: Request) -> Reply:
        target = "/" + request.target.lstrip("/")
        request = Request(request.method, target, request.headers, request.body, request.connection)
        try:
            self._admit(request)
            reply = super().handle(request)
        except RefusedError as refused:
            return told(refused.code, refused.message)
        if reply.status in (404, 405) and isinstance(reply.body, dict) and "error" in reply.body:
            return told(34)
        return reply

    def _admit(self, request: Request) -> None:
        if self.per_second is not None:
            now = self.clock()
            self._times = [at for at in self._times if at > now - 1]
            if len(self._times) >= self.per_second:
                raise RefusedError(25)
            self._times.append(now)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        given = request.query.get("api_key")
        if not ((self.token is not None and bearer == self.token) or (self.key is not None and given == self.key)):
            raise RefusedError(7)
        if request.method == "POST" and request.body and "json" not in request.headers.get("content-type", ""):
            raise RefusedError(5)

    def _user(self, request: Request) -> Account:
        if request.query.get("session_id") not in self.sessions:
            raise RefusedError(3)
        return self.account

    # --- logins -----------------------------------------------------------------------------------

    def _routes_of_logins(self) -> None:
        self.route("GET", "/3/authentication", lambda _request: told(1))
        self.route("GET", "/3/authentication/token/new", self._request_token)
        self.route("POST", "/3/authentication/session/new", self._new_session)
        self.route("DELETE", "/3/authentication/session", self._end_session)

    def _request_token(self, _request: Request) -> Reply:
        made, until = secrets.token_hex(20), self.clock() + 3600
        self.asked[made] = (until, False)
        at = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return Reply({"success": True, "expires_at": at, "request_token": made})

    def _new_session(self, request: Request) -> Reply:
        token = str(_body(request).get("request_token"))
        until, approved = self.asked.get(token, (0.0, False))
        if until <= self.clock():
            raise RefusedError(33)
        if not approved:
            raise RefusedError(17)
        del self.asked[token]
        return Reply({"success": True, "session_id": self.login()})

    def _end_session(self, request: Request) -> Reply:
        session = str(_body(request).get("session_id"))
        if session not in self.sessions:
            raise RefusedError(34)
        self.sessions.discard(session)
        return Reply({"success": True})

    # --- the account ------------------------------------------------------------------------------

    def _routes_of_accounts(self) -> None:
        route = self.route
        for path in ("/3/account", "/3/account/{account}"):
            route("GET", path, self._details)
        for kind in ("movies", "tv"):
            route("GET", f"/3/account/{{account}}/watchlist/{kind}", partial(self._list, "watchlist", kind))
            route("GET", f"/3/account/{{account}}/rated/{kind}", partial(self._list, "rated", kind))
        route("GET", "/3/account/{account}/rated/tv/episodes", partial(self._list, "rated", "episodes"))
        route("POST", "/3/account/{account}/watchlist", self._enlist)
        for path in ("/3/movie/{movie}", "/3/tv/{tv}", "/3/tv/{tv}/season/{season}/episode/{episode}"):
            route("POST", f"{path}/rating", self._rate)
            route("DELETE", f"{path}/rating", self._unrate)
            route("GET", f"{path}/account_states", self._states)

    def _details(self, request: Request) -> Reply:
        user = self._user(request)
        avatar = {"gravatar": {"hash": "0" * 32}, "tmdb": {"avatar_path": None}}
        body = {"avatar": avatar, "id": user.number, "iso_639_1": "en", "iso_3166_1": "CA", "name": ""}
        return Reply(body | {"include_adult": False, "username": user.username})

    def _rows(self, what: str, kind: Kind) -> list[tuple[Title, dict[str, Any]]]:
        if what == "rated":
            rated = self.account.ratings.values()
            return [(title, title.row() | {"rating": score}) for title, score in rated if title.kind is kind]
        return [(title, title.row()) for title in self.account.watchlist.values() if title.kind is kind]

    def _list(self, what: str, name: str, request: Request) -> Reply:
        self._user(request)
        page = request.query.get("page", "1")
        if not page.isdigit() or not 1 <= int(page) <= LAST_PAGE:
            raise RefusedError(22)
        known = self._rows(what, LISTS[name])
        key = f"{what} {name}"
        if self._before is not None and self.lag > 0:
            self.lag -= 1
            rows = self._before[key]
        else:
            rows = [row for title, row in known if title.key not in self.hidden]
        if request.query.get("sort_by", "created_at.asc") == "created_at.desc":
            rows = rows[::-1]
        total = len(known if self._before is None else rows) if self.total is None else self.total
        first = (int(page) - 1) * PAGE
        body = {"page": int(page), "results": rows[first : first + PAGE], "total_pages": -(-total // PAGE)}
        return Reply(body | {"total_results": total})

    def hold_back(self, reads: int) -> None:
        """Let the next `reads` of pages show the lists as they are now, whatever is written meanwhile."""
        pairs = [("watchlist", "movies"), ("watchlist", "tv"), *(("rated", name) for name in LISTS)]
        self._before = {f"{what} {name}": [row for _, row in self._rows(what, LISTS[name])] for what, name in pairs}
        self.lag = reads

    def _enlist(self, request: Request) -> Reply:
        self._user(request)
        body = _body(request)
        kind = {"movie": Kind.MOVIE, "tv": Kind.SHOW}.get(str(body.get("media_type")))
        number, wanted = body.get("media_id"), body.get("watchlist")
        if kind is None or type(number) is not int or type(wanted) is not bool:
            raise RefusedError(47)
        title = self.titles.get(kind, number)
        if title is None:
            raise RefusedError(34)
        if not wanted:
            self.account.watchlist.pop(title.key, None)
            return told(13)
        new = title.key not in self.account.watchlist
        self.account.watchlist[title.key] = title
        return told(1, status=201) if new else told(12)

    def _subject(self, request: Request) -> Title:
        args = request.args
        if not all(value.isdigit() for value in args.values()):
            raise RefusedError(6)
        numbers = {name: int(value) for name, value in args.items()}
        if "movie" in numbers:
            title = self.titles.get(Kind.MOVIE, numbers["movie"])
        elif "episode" in numbers:
            title = self.titles.place(numbers["tv"], numbers["season"], numbers["episode"])
        else:
            title = self.titles.get(Kind.SHOW, numbers["tv"])
        if title is None:
            raise RefusedError(34)
        return title

    def _rate(self, request: Request) -> Reply:
        self._user(request)
        title, value = self._subject(request), _body(request).get("value")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RefusedError(18, "Value invalid: Value is not a number.")
        if value <= 0:
            raise RefusedError(18, "Value too low: Value must be greater than 0.0.")
        if value > 10:
            raise RefusedError(18, "Value too high: Value must be less than, or equal to 10.0.")
        if value * 2 != int(value * 2):
            raise RefusedError(18, "Value invalid: Values must be a multiple of 0.50.")
        new = title.key not in self.account.ratings
        self.account.ratings[title.key] = (title, float(value))
        if not self.keeps_rated:
            self.account.watchlist.pop(title.key, None)
        return told(1, status=201) if new else told(12)

    def _unrate(self, request: Request) -> Reply:
        self._user(request)
        self.account.ratings.pop(self._subject(request).key, None)
        return told(13)

    def _states(self, request: Request) -> Reply:
        user, title = self._user(request), self._subject(request)
        score = user.ratings.get(title.key)
        body: dict[str, Any] = {"id": title.tmdb, "favorite": False}
        body["rated"] = {"value": score[1]} if score is not None else False
        return Reply(body | {"watchlist": title.key in user.watchlist})

    # --- titles -----------------------------------------------------------------------------------

    def _routes_of_titles(self) -> None:
        route = self.route
        route("GET", "/3/find/{id}", self._find)
        route("GET", "/3/movie/{movie}/external_ids", lambda request: Reply(self._subject(request).external_ids()))
        route("GET", "/3/tv/{tv}/external_ids", lambda request: Reply(self._subject(request).external_ids()))
        path = "/3/tv/{tv}/season/{season}/episode/{episode}/external_ids"
        route("GET", path, lambda request: Reply(self._subject(request).external_ids()))
        route("GET", "/3/tv/{tv}/season/{season}", self._season)
        route("GET", "/3/tv/{tv}/season/{season}/external_ids", self._season_ids)
        route("GET", "/3/movie/{movie}", self._movie)
        route("GET", "/3/tv/{tv}", self._show)

    def _find(self, request: Request) -> Reply:
        services = {"imdb_id": "imdb", "tvdb_id": "tvdb", "wikidata_id": "wikidata"}
        service = services.get(request.query.get("external_source", ""))
        if service is None:
            raise RefusedError(5)
        titles = list(self.titles.by_external(service, request.args["id"]))
        # By an id of TVDB no film is found.
        titles = [one for one in titles if one.kind is not Kind.MOVIE or service != "tvdb"]
        return Reply({name: [one.found() for one in titles if one.kind is kind] for name, kind in BUCKETS.items()})

    def _season_of(self, show: int, text: str) -> dict[str, Any] | None:
        season = self.titles.place(show, int(text)) if text.isdigit() else None
        if season is None or self.titles.get(Kind.SHOW, show) is None:
            return None
        parts = [
            one.part() | {"episode_type": "standard", "crew": [], "guest_stars": []}
            for one in self.titles.parts(show, int(text))
        ]
        body: dict[str, Any] = {"_id": f"{season.tmdb:024x}", "air_date": season.date, "episodes": parts}
        body |= {"name": season.name, "networks": [], "overview": "", "id": season.tmdb, "poster_path": None}
        return body | {"season_number": season.season, "vote_average": 7.5}

    def _season(self, request: Request) -> Reply:
        found = self._season_of(int(request.args["tv"]), request.args["season"])
        return Reply(found) if found is not None else told(34)

    def _season_ids(self, request: Request) -> Reply:
        found = self.titles.place(int(request.args["tv"]), int(request.args["season"]))
        return Reply(found.external_ids()) if found is not None else told(34)

    def _movie(self, request: Request) -> Reply:
        title = self._subject(request)
        body = title.row()
        del body["genre_ids"]
        body |= {
            "belongs_to_collection": None,
            "budget": 0,
            "genres": [],
            "homepage": "",
            "imdb_id": title.ids.get("imdb"),
        }
        body |= {"origin_country": ["US"], "production_companies": [], "production_countries": [], "revenue": 0}
        body |= {"runtime": 100, "spoken_languages": [], "status": "Released", "tagline": ""}
        return Reply(body | self._appended(title, request))

    def _show(self, request: Request) -> Reply:
        title = self._subject(request)
        body = title.row()
        del body["genre_ids"]
        body |= {"created_by": [], "episode_run_time": [], "genres": [], "homepage": "", "in_production": False}
        body |= {"languages": ["en"], "last_air_date": title.date, "last_episode_to_air": None, "networks": []}
        body |= {"next_episode_to_air": None, "number_of_episodes": 1, "number_of_seasons": 1, "seasons": []}
        body |= {"production_companies": [], "production_countries": [], "spoken_languages": [], "status": "Ended"}
        return Reply(body | {"tagline": "", "type": "Scripted"} | self._appended(title, request))

    def _appended(self, title: Title, request: Request) -> dict[str, Any]:
        """What else was asked for in the same request; what does not exist is left out without a word."""
        names = [name for name in request.query.get("append_to_response", "").split(",") if name]
        if len(names) > MOST_APPENDED:
            raise RefusedError(27)
        made: dict[str, Any] = {}
        for name in names:
            if name == "external_ids":
                made[name] = {key: value for key, value in title.external_ids().items() if key != "id"}
            elif title.kind is Kind.SHOW and name.startswith("season/"):
                season = self._season_of(title.tmdb, name.removeprefix("season/"))
                made |= {name: season} if season is not None else {}
        return made


def _body(request: Request) -> dict[str, Any]:
    try:
        body = request.json()
    except ValueError:
        raise RefusedError(47) from None
    if not isinstance(body, dict):
        raise RefusedError(47)
    return body
