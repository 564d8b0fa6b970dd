"""A simulated Plex: a media server, plex.tv, and the two hosts of the cloud, each on a port of its own.

Stateful, strict, and with the faults that users report. What goes wrong on the wire (lost answers, HTML,
429) is laid over it by `Server.fault`; what the services do by themselves are the knobs below.

    with Plex() as plex:
        films = plex.world.add_section("Films", MOVIE)
        plex.world.add(films, MOVIE, "Heat", year=1995, guids=("imdb://tt0113277",))
        ... plex.pms.url, plex.tv.url, plex.discover.url, plex.metadata.url, plex.world.owner.token
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from simulators.plexcloud import Cloud
from simulators.plexrows import RefusedError, Row, row_of, select, thin, told, window
from simulators.plextv import PlexTv
from simulators.plexworld import TYPES, Section, Title, User, World
from support.httpserver import Handler, Reply, Request, Server

LIBRARY = "com.plexapp.plugins.library"
_NAMES = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 400: "Bad Request"}
_READS = ("GET", "HEAD")
# The document of the server says PUT and POST, clients send GET; it takes all of them.
_WRITES = ("GET", "PUT", "POST")


def page(status: int) -> Reply:
    """How the media server says no."""
    words = f"{status} {_NAMES.get(status, 'Error')}"
    return Reply(f"<html><head><title>{words[4:]}</title></head><body><h1>{words}</h1></body></html>", status)


class Plex:
    """All of it. Knobs:

    `maintenance`: how many more requests are answered with 503 while the server starts. `revoked`: tokens
    that died. `totals`: whether pages say their total. `shift`: called after each page of a listing, to
    change something between two pages. `as_object`: a list of one row comes as that row. `old`: a server
    that knows no `Guid` rows. `deaf`: listings ignore filters. See `cloud` and `accounts` for theirs.
    """

    def __init__(self, world: World | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.world = world or World()
        self.maintenance = 0
        self.revoked: set[str] = set()
        self.totals = True
        self.shift: Callable[[], None] | None = None
        self.as_object = False
        self.old = False
        self.deaf = False
        self.pms = Server(tls=tls)
        self.tv = Server()
        self.discover = Server()
        self.metadata = Server()
        self.cloud = Cloud(self)
        self.accounts = PlexTv(self)
        self._routes()

    def __enter__(self) -> Self:
        for server in (self.pms, self.tv, self.discover, self.metadata):
            server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self.pms, self.tv, self.discover, self.metadata):
            server.__exit__(kind, error, trace)

    @property
    def servers(self) -> tuple[Server, ...]:
        """All four."""
        return self.pms, self.tv, self.discover, self.metadata

    def requests(self) -> int:
        """How many requests came to all of them."""
        return sum(len(server.log) for server in self.servers)

    def forget(self) -> None:
        """Empty all logs."""
        for server in self.servers:
            server.forget()

    def options(self, **more: object) -> dict[str, object]:
        """The addresses, as the table of an account has them."""
        return {
            "url": self.pms.url,
            "plex_tv_url": self.tv.url,
            "discover_url": self.discover.url,
            "metadata_url": self.metadata.url,
            **more,
        }

    def user_of(self, token: str | None, *, server: bool) -> User | None:
        """Whose token it is: for the media server, or for the cloud."""
        if not token or token in self.revoked:
            return None
        return next((one for one in self.world.users if token == (one.server_token if server else one.token)), None)

    # --- the media server -----------------------------------------------------------------------

    def _routes(self) -> None:
        def both(methods: tuple[str, ...], path: str, handler: Callable[[Request, User], Reply]) -> None:
            for method in methods:
                self.pms.route(method, path, self._guarded(handler))

        self.pms.route("GET", "/identity", self._identity)
        both(("GET",), "/", self._root)
        both(("GET",), "/accounts", self._accounts)
        both(("GET",), "/library", lambda request, _: told(request, "MediaContainer", {"size": 0, "title1": "Library"}))
        both(("GET",), "/library/sections", self._sections)
        both(("GET",), "/library/sections/", self._sections)
        both(_READS, "/library/sections/{section}/all", self._all_of_section)
        both(_READS, "/library/all", self._all)
        both(("GET",), "/library/metadata/{keys}", self._metadata)
        both(("GET",), "/library/metadata/{key}/children", self._children)
        both(("GET",), "/library/metadata/{key}/allLeaves", self._leaves)
        both(("GET",), "/status/sessions", lambda request, _: told(request, "MediaContainer", {"size": 0}))
        both(("GET",), "/status/sessions/history/all", self._history)
        both(_WRITES, "/:/scrobble", self._scrobble)
        both(_WRITES, "/:/unscrobble", self._unscrobble)
        both(_WRITES, "/:/rate", self._rate)
        both(_WRITES, "/:/timeline", self._timeline)
        both(_WRITES, "/:/progress", self._progress)

    def _guarded(self, handler: Callable[[Request, User], Reply]) -> Handler:
        def handle(request: Request) -> Reply:
            if self.maintenance > 0:
                self.maintenance -= 1
                status = "Plex Media Server is currently running startup maintenance tasks."
                body = {"code": 503, "title": "Maintenance", "status": status}
                return told(request, "Response", body, 503)
            user = self.user_of(request.headers.get("x-plex-token"), server=True)
            if user is None:
                return page(401)
            try:
                return handler(request, user)
            except RefusedError as error:
                return page(error.status)

        return handle

    def _identity(self, request: Request) -> Reply:
        world = self.world
        body = {"size": 0, "claimed": True, "machineIdentifier": world.machine_id, "version": "1.43.0.1"}
        return told(request, "MediaContainer", body)

    def _root(self, request: Request, _user: User) -> Reply:
        body = {
            "size": 0,
            "allowSync": True,
            "friendlyName": "Simulated",
            "machineIdentifier": self.world.machine_id,
            "myPlex": True,
            "myPlexUsername": self.world.owner.name,
            "platform": "Linux",
            "version": "1.43.0.1",
        }
        return told(request, "MediaContainer", body)

    def _accounts(self, request: Request, user: User) -> Reply:
        if not user.admin:
            raise RefusedError(403)
        rows = [{"id": 1 if one.admin else one.id, "name": one.name} for one in self.world.users]
        return told(request, "MediaContainer", {"size": len(rows), "Account": rows})

    def _sections(self, request: Request, _user: User) -> Reply:
        rows = [
            {
                "key": str(one.key),
                "type": TYPES[one.type],
                "title": one.title,
                "agent": one.agent,
                "uuid": f"section-{one.key}",
                "hidden": one.hidden,
                "refreshing": False,
                "scannedAt": 1_700_000_000,
                "contentChangedAt": 1,
                "Location": [{"id": one.key, "path": f"/media/{one.key}"}],
            }
            for one in self.world.sections.values()
        ]
        return told(request, "MediaContainer", {"size": len(rows), "title1": "Plex Library", "Directory": rows})

    def _all_of_section(self, request: Request, user: User) -> Reply:
        section = self.world.sections.get(int(request.args["section"]))
        if section is None:
            raise RefusedError(404)
        kind = int(request.query.get("type", section.type))
        return self._listing(request, user, self.world.by_type.get((section.key, kind), []), kind, section)

    def _all(self, request: Request, user: User) -> Reply:
        kind = int(request.query.get("type", 1))
        rows = [row for (_, of), part in self.world.by_type.items() if of == kind for row in part]
        return self._listing(request, user, rows, kind, None)

    def _listing(self, request: Request, user: User, rows: list[Title], kind: int, section: Section | None) -> Reply:
        found = list(rows) if self.deaf else select(self.world, user, rows, request, kind)
        start, size, paged = window(request, len(found))
        guids = request.query.get("includeGuids") == "1" and not self.old
        part = thin(request, [row_of(self.world, user, row, guids=guids) for row in found[start : start + size]])
        body: Row = {"size": len(part), "allowSync": True, "identifier": LIBRARY, "viewGroup": TYPES[kind]}
        if section is not None:
            body |= {"librarySectionID": section.key, "librarySectionTitle": section.title}
        headers = {"X-Plex-Container-Start": str(start)}
        if paged and self.totals:
            body |= {"offset": start, "totalSize": len(found)}
            headers["X-Plex-Container-Total-Size"] = str(len(found))
        if self.shift is not None:
            self.shift()
        return self._rows(request, body, part, headers)

    def _rows(self, request: Request, body: Row, part: list[Row], headers: Mapping[str, str] | None = None) -> Reply:
        if part:
            body["Metadata"] = part[0] if self.as_object and len(part) == 1 else part
        return told(request, "MediaContainer", body, headers=headers)

    def _row(self, key: str) -> Title:
        row = self.world.titles.get(int(key)) if key.isdigit() else None
        if row is None:
            raise RefusedError(404)
        return row

    def _metadata(self, request: Request, user: User) -> Reply:
        keys = request.args["keys"].split(",")
        found = [self.world.titles[int(key)] for key in keys if key.isdigit() and int(key) in self.world.titles]
        if not found:
            raise RefusedError(404)
        # Unlike the rows of a listing, those that are asked for by key say which library they are in.
        part = [row_of(self.world, user, row, guids=not self.old) | {"librarySectionID": row.section} for row in found]
        return self._rows(request, {"size": len(part), "identifier": LIBRARY}, part)

    def _children(self, request: Request, user: User) -> Reply:
        return self._below(request, user, self._row(request.args["key"]).children)

    def _leaves(self, request: Request, user: User) -> Reply:
        return self._below(request, user, self._row(request.args["key"]).leaves())

    def _below(self, request: Request, user: User, rows: list[Title]) -> Reply:
        start, size, _ = window(request, len(rows))
        part = [row_of(self.world, user, row, guids=not self.old) for row in rows[start : start + size]]
        return self._rows(request, {"size": len(part), "totalSize": len(rows), "offset": start}, part)

    def _history(self, request: Request, user: User) -> Reply:
        own = 1 if user.admin else user.id
        asked = request.query.get("accountID")
        plays = [one for one in self.world.plays if user.admin or one[0] == own]
        plays = [one for one in plays if asked is None or one[0] == int(asked)]
        if "viewedAt>" in request.query:
            plays = [one for one in plays if one[1] > int(request.query["viewedAt>"])]
        plays.sort(key=lambda one: -one[1])
        start, size, _ = window(request, len(plays))
        part = [self._play(number, *one) for number, one in enumerate(plays)][start : start + size]
        return self._rows(request, {"size": len(part), "totalSize": len(plays), "offset": start}, part)

    def _play(self, number: int, account: int, at: int, key: int) -> Row:
        row: Row = {
            "historyKey": f"/status/sessions/history/{number}",
            "viewedAt": at,
            "accountID": account,
            "deviceID": 1,
            "type": "movie",
            "title": "deleted",
        }
        title = self.world.titles.get(key)
        if title is not None:
            row |= {"ratingKey": str(key), "key": f"/library/metadata/{key}", "type": title.name, "title": title.title}
            row["librarySectionID"] = str(title.section)
        return row

    # --- writes -----------------------------------------------------------------------------------

    def _target(self, request: Request, key: str = "key") -> Title:
        query = request.query
        if query.get("identifier") != LIBRARY or not query.get(key):
            raise RefusedError(400)
        return self._row(query[key])

    def _scrobble(self, request: Request, user: User) -> Reply:
        self.world.scrobble(user, self._target(request))
        return Reply("", 200)

    def _unscrobble(self, request: Request, user: User) -> Reply:
        self.world.unscrobble(user, self._target(request))
        return Reply("", 200)

    def _rate(self, request: Request, user: User) -> Reply:
        row, query = self._target(request), request.query
        rating = _number(query.get("rating"))
        at = int(query["ratedAt"]) if "ratedAt" in query else None
        if (rating != -1 and not 0 <= rating <= 10) or (at is not None and at > self.world.now()):
            raise RefusedError(400)
        self.world.rate(user, row, rating, at)
        return Reply("", 200)

    def _timeline(self, request: Request, user: User) -> Reply:
        row, query = self._target(request, "ratingKey"), request.query
        if "time" not in query or "state" not in query or query.get("key") != f"/library/metadata/{row.key}":
            raise RefusedError(400)
        client = request.headers.get("x-plex-client-identifier") or query.get("X-Plex-Client-Identifier")
        if client and query.get("duration", "").isdigit():
            self.world.stop_at(user, row, int(query["time"]), int(query["duration"]))
        state = self.world.state(user, row)
        body = {"playbackState": "progress", "viewOffset": state.offset, "viewCount": state.views, "skipCount": 0}
        return told(request, "MediaContainer", {"size": 0, **body})

    def _progress(self, request: Request, user: User) -> Reply:
        row, ms = self._target(request), _number(request.query.get("time"))
        if user.admin and ms > 0:
            self.world.stop_at(user, row, int(ms), row.duration_ms)
        return Reply("", 200)


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        raise RefusedError(400) from None
