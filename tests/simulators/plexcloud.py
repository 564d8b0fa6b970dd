"""The cloud of the simulated Plex: the watchlist (discover) and the catalogue (metadata)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulators.plexrows import told
from simulators.plexworld import MOVIE, SHOW, TYPES, Catalogued, User
from support.httpserver import Handler, Reply, Request

if TYPE_CHECKING:
    from simulators.plex import Plex

USUAL_PAGE = 20


def refused(status: int, error: str, message: str) -> Reply:
    """How the cloud says no."""
    return Reply({"Error": {"error": error, "message": message, "statusCode": status}}, status)


class Cloud:
    """Knobs: `largest` page of the watchlist; `dated` rows say when they were listed; `fanned_out`: how many
    more requests for metadata are answered with 429.
    """

    def __init__(self, plex: Plex) -> None:
        self.plex = plex
        self.largest = 100
        self.dated = False
        self.fanned_out = 0
        for host in (plex.discover, plex.metadata):
            host.route("GET", "/", self._user(lambda request, _: self._answer(request, [])))
            host.route("GET", "/library/metadata/matches", self._user(self._matches))
            host.route("GET", "/library/metadata/{names}", self._user(self._metadata))
            host.route("GET", "/library/metadata/{name}/userState", self._user(self._user_state))
        plex.discover.route("GET", "/library/sections/watchlist/all", self._user(self._watchlist))
        plex.metadata.route(
            "GET",
            "/library/sections/watchlist/all",
            lambda _: refused(404, "Not Found", "Section 'watchlist' not found!"),
        )
        for method in ("PUT", "GET"):
            plex.discover.route(method, "/actions/addToWatchlist", self._user(self._add))
            plex.discover.route(method, "/actions/removeFromWatchlist", self._user(self._remove))

    def _user(self, handler: Callable[[Request, User], Reply]) -> Handler:
        def handle(request: Request) -> Reply:
            user = self.plex.user_of(request.headers.get("x-plex-token"), server=False)
            if user is None:
                return refused(401, "Unauthorized", "Invalid token")
            return handler(request, user)

        return handle

    def _row(self, known: Catalogued, *, guids: bool, at: int | None = None) -> dict[str, Any]:
        below = "/children" if known.type == SHOW else ""
        row: dict[str, Any] = {
            "ratingKey": known.hex,
            "key": f"/library/metadata/{known.hex}{below}",
            "guid": f"plex://{TYPES[known.type]}/{known.hex}",
            "type": TYPES[known.type],
            "title": known.title,
            "addedAt": 1_500_000_000,
            "duration": 6_000_000,
            "userState": False,
        }
        if known.year is not None:
            row["year"] = known.year
        if at is not None and self.dated:
            row["watchlistedAt"] = at
        if guids and known.guids:
            row["Guid"] = [{"id": one} for one in known.guids]
        return row

    def _answer(self, request: Request, rows: list[dict[str, Any]], **more: object) -> Reply:
        body: dict[str, Any] = {"size": len(rows), "identifier": "tv.plex.provider.discover", **more}
        if rows:
            body["Metadata"] = rows[0] if len(rows) == 1 and self.plex.as_object else rows
        return told(request, "MediaContainer", body)

    # --- the watchlist ----------------------------------------------------------------------------

    def _watchlist(self, request: Request, user: User) -> Reply:
        def asked(name: str) -> str | None:
            return request.headers.get(name.lower()) or request.query.get(name)

        start, size = int(asked("X-Plex-Container-Start") or 0), int(asked("X-Plex-Container-Size") or USUAL_PAGE)
        if size > self.largest:
            return refused(400, "Bad Request", "Invalid value provided for x-plex-container-size!")
        kind = request.query.get("type")
        listed = [(name, at) for name, at in user.watchlist.items() if name in self.plex.world.catalogue]
        known = [(self.plex.world.catalogue[name], at) for name, at in reversed(listed)]
        known = [one for one in known if kind is None or str(one[0].type) == kind]
        rows = [self._row(one, guids=False, at=at) for one, at in known[start : start + size]]
        totals = {"totalSize": len(known)} if self.plex.totals else {}
        reply = self._answer(request, rows, librarySectionID="watchlist", offset=start, **totals)
        if self.plex.shift is not None:
            self.plex.shift()
        return reply

    def _named(self, request: Request) -> Catalogued | None:
        known = self.plex.world.catalogue.get(request.query.get("ratingKey", ""))
        return known if known is not None and known.type in (MOVIE, SHOW) else None

    def _add(self, request: Request, user: User) -> Reply:
        known = self._named(request)
        if known is None:
            return refused(404, "Not Found", "Item not found")
        if known.hex in user.watchlist:
            return refused(409, "Conflict", "Item is already on the watchlist")
        user.watchlist[known.hex] = self.plex.world.now()
        return Reply("", 200)

    def _remove(self, request: Request, user: User) -> Reply:
        known = self._named(request)
        if known is None or known.hex not in user.watchlist:
            return refused(404, "Not Found", "Item is not on the watchlist")
        del user.watchlist[known.hex]
        return Reply("", 200)

    # --- the catalogue ----------------------------------------------------------------------------

    def _metadata(self, request: Request, _user: User) -> Reply:
        if self.fanned_out > 0:
            self.fanned_out -= 1
            return Reply({"Error": {"error": "Too Many Requests"}}, 429, {"Retry-After": "1"})
        names = request.args["names"].split(",")
        found = [self.plex.world.catalogue[name] for name in names if name in self.plex.world.catalogue]
        found = [one for one in found if one.known]
        size = int(request.headers.get("x-plex-container-size") or request.query.get("X-Plex-Container-Size") or 20)
        if not found:
            return refused(404, "Not Found", "Item not found")
        guids = request.query.get("includeGuids") == "1" or len(names) == 1
        return self._answer(request, [self._row(one, guids=guids) for one in found[:size]])

    def _matches(self, request: Request, _user: User) -> Reply:
        query = request.query
        if query.get("type") not in ("1", "2") or "guid" not in query:
            return refused(400, "Bad Request", "type and guid are required")
        known = self.plex.world.catalogue.values()
        found = [one for one in known if str(one.type) == query["type"] and query["guid"] in one.guids and one.known]
        return self._answer(request, [self._row(one, guids=query.get("includeGuids") == "1") for one in found[:5]])

    def _user_state(self, request: Request, user: User) -> Reply:
        known = self.plex.world.catalogue.get(request.args["name"])
        if known is None:
            return refused(404, "Not Found", "Item not found")
        state: dict[str, Any] = {"ratingKey": known.hex, "type": TYPES[known.type], "viewCount": 0, "viewOffset": 0}
        if known.hex in user.watchlist:
            state["watchlistedAt"] = user.watchlist[known.hex] or 0
        return told(request, "MediaContainer", {"size": 1, "UserState": [state]})
